//! Which server answers: django-balancer's rules seen from outside, by counters and cookies.

use crate::common::{Case, rows, scope, shared};
use survey_app::config::Profile;
use survey_app::db::{Kind, Server};
use survey_app::models::Model;
use survey_app::router::Pin;
use survey_app::scope::{Memory, Scope, Select, View};

fn count(case: &Case, server: Server, table: &str) -> u64 {
    case.app.counters.sum(|k| k.kind == Kind::Select && k.server == server && k.table == table)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_writes_pins_its_client() {
    let case =
        Case::new(shared(), Profile::Tuned, &["cache.backend=none", "cache.write_through=off"], 2, 1).await;
    let mut one = case.respondent(0);
    let page = one.browser.get(&format!("/survey/{}/", case.slug)).await.unwrap();
    assert!(!page.header("set-cookie").contains("master_db_pinned"), "a GET does not pin");
    one.log_in(&case.code(0)).await.unwrap();
    assert!(one.browser.cookies.contains_key("master_db_pinned"), "the login wrote");
    one.display().await.unwrap();
    assert_eq!(count(&case, Server::Replica, "response_session"), 0);
    assert!(count(&case, Server::Primary, "response_session") > 0);
    // Without the cookie the same request reads from the replica.
    shared().wait_for_replica().await.unwrap();
    one.browser.cookies.remove("master_db_pinned");
    one.display().await.unwrap();
    assert!(count(&case, Server::Replica, "response_session") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_that_writes_pins_itself_alone() {
    let case = Case::new(shared(), Profile::Tuned, &[], 1, 1).await;
    let mut one = case.respondent(0);
    one.log_in(&case.code(0)).await.unwrap();
    one.display().await.unwrap();
    let (questions, _) = one.content(1).await.unwrap();
    one.save(&questions).await.unwrap();
    one.browser.cookies.remove("master_db_pinned");
    shared().wait_for_replica().await.unwrap();
    one.complete().await.unwrap();
    assert!(!one.browser.cookies.contains_key("master_db_pinned"));
    assert_eq!(count(&case, Server::Replica, "response_item"), 1, "the count came before the write");
}

#[tokio::test(flavor = "multi_thread")]
async fn describing_models_come_from_the_replica_even_when_pinned() {
    for (switch, primary) in [("on", false), ("off", true)] {
        let sets = ["cache.backend=none", &format!("router.read_only_models={switch}")];
        let case = Case::new(shared(), Profile::Tuned, &sets, 1, 1).await;
        let mut one = case.respondent(0);
        one.log_in(&case.code(0)).await.unwrap();
        one.display().await.unwrap();
        one.content(1).await.unwrap();
        assert_eq!(count(&case, Server::Primary, "question") > 0, primary, "{switch}");
        assert_eq!(count(&case, Server::Replica, "question") > 0, !primary, "{switch}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_share_the_unpinned_reads() {
    let sets = ["cache.backend=none", "sql.request_local=off", "router.pool={primary=1,replica=3}"];
    let case = Case::new(shared(), Profile::Tuned, &sets, 1, 1).await;
    let select = Select {
        memory: Memory::Never,
        ..rows(Model::Respondent, "SELECT id FROM respondent WHERE survey_id = $1", vec![case.survey.into()])
    };
    for _ in 0..400 {
        scope(&case.app).select(&select).await.unwrap();
    }
    // 400 at ¾: 300, standard deviation 8.7; six of them on either side.
    let replica = count(&case, Server::Replica, "respondent");
    assert!((248..=352).contains(&replica), "{replica} of 400");
}

#[tokio::test(flavor = "multi_thread")]
async fn off_means_primary() {
    let case = Case::new(shared(), Profile::Tuned, &["router.mode=off", "cache.backend=none"], 1, 1).await;
    case.respondent(0).take(&case.code(0)).await.unwrap();
    assert_eq!(case.app.counters.sum(|k| k.server == Server::Replica), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "which it calls read-only")]
async fn a_view_that_writes_what_it_calls_read_only_is_a_bug() {
    let case = Case::new(shared(), Profile::Tuned, &[], 1, 1).await;
    let view = View { name: "careless", route: "careless", read_only: &[Model::School] };
    let careless = Scope::begin(case.app.clone(), view, None, Pin::default());
    let _ = careless.execute(Model::School, "UPDATE school SET name = name WHERE id = 0", vec![]).await;
}
