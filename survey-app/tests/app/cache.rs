//! What django-cache-machine does, one test each, in memcached with flush lists in Redis.

use crate::common::{Case, rows, scope, shared, unique};
use std::sync::Arc;
use std::time::Duration;
use survey_app::app::App;
use survey_app::config::Profile;
use survey_app::db::Param;
use survey_app::models::Model;
use survey_app::scope::{Memory, Select};

/// A case whose cache forgets nothing by itself and whose reads all go to one server.
async fn case(sets: &[&str]) -> Case {
    let mut all = vec!["router.mode=off", "sql.request_local=off"];
    all.extend(sets);
    Case::new(shared(), Profile::Tuned, &all, 2, 1).await
}

/// The rows of `select`, and whether PostgreSQL was asked.
async fn look(app: &Arc<App>, select: &Select) -> (Vec<String>, bool) {
    let before = app.counters.sum(|_| true);
    let found = scope(app).select(select).await.unwrap();
    let names = found.cells.iter().map(|c| c.last().cloned().flatten().unwrap_or_default()).collect();
    (names, app.counters.sum(|_| true) > before)
}

fn school_of(organization: i64) -> Select {
    let sql = "SELECT id, organization_id, name FROM school WHERE organization_id = $1 ORDER BY id";
    rows(Model::School, sql, vec![organization.into()])
}

fn organization(id: i64) -> Select {
    rows(Model::Organization, "SELECT id, name FROM organization WHERE id = $1", vec![id.into()])
}

async fn insert(app: &Arc<App>, model: Model, sql: &str, params: Vec<Param>) -> i64 {
    let scope = scope(app);
    let id = scope.execute(model, sql, params).await.unwrap().first().unwrap().int("id");
    scope.created_after_commit(model);
    scope.finish(true).await.unwrap();
    id
}

async fn new_organization(app: &Arc<App>) -> i64 {
    let sql = "INSERT INTO organization (name) VALUES ($1) RETURNING id";
    insert(app, Model::Organization, sql, vec![unique("org").into()]).await
}

async fn new_school(app: &Arc<App>, organization: i64, name: &str) -> i64 {
    let sql = "INSERT INTO school (organization_id, name) VALUES ($1, $2) RETURNING id";
    insert(app, Model::School, sql, vec![organization.into(), name.into()]).await
}

async fn rename(app: &Arc<App>, model: Model, id: i64, name: &str) {
    let scope = scope(app);
    let keys = if model == Model::School { "id, organization_id" } else { "id" };
    let sql = format!("UPDATE {} SET name = $2 WHERE id = $1 RETURNING {keys}", model.table());
    let saved = scope.execute(model, &sql, vec![id.into(), name.into()]).await.unwrap();
    scope.changed_after_commit(model, &saved.first().unwrap());
    scope.finish(true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_remembered_until_one_of_them_is_saved() {
    let app = case(&["cache.hold_secs=0"]).await.app;
    let org = new_organization(&app).await;
    let school = new_school(&app, org, "old").await;
    assert_eq!(look(&app, &school_of(org)).await, (vec!["old".to_string()], true));
    assert_eq!(look(&app, &school_of(org)).await, (vec!["old".to_string()], false));
    rename(&app, Model::School, school, "new").await;
    assert_eq!(look(&app, &school_of(org)).await, (vec!["new".to_string()], true));
    assert_eq!(look(&app, &school_of(org)).await, (vec!["new".to_string()], false), "exactly one refill");
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_a_parent_drops_its_children() {
    let app = case(&["cache.hold_secs=0"]).await.app;
    let org = new_organization(&app).await;
    new_school(&app, org, "a").await;
    look(&app, &school_of(org)).await;
    rename(&app, Model::Organization, org, "renamed").await;
    assert!(
        look(&app, &school_of(org)).await.1,
        "the schools of an organization that was saved are asked for again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_a_child_drops_its_parents() {
    let app = case(&["cache.hold_secs=0"]).await.app;
    let org = new_organization(&app).await;
    let school = new_school(&app, org, "a").await;
    look(&app, &organization(org)).await;
    assert!(!look(&app, &organization(org)).await.1);
    rename(&app, Model::School, school, "b").await;
    assert!(look(&app, &organization(org)).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_stay() {
    let app = case(&["cache.hold_secs=0"]).await.app;
    let (one, other) = (new_organization(&app).await, new_organization(&app).await);
    let school = new_school(&app, one, "a").await;
    new_school(&app, other, "b").await;
    look(&app, &school_of(other)).await;
    rename(&app, Model::School, school, "c").await;
    assert!(!look(&app, &school_of(other)).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_save_drops_the_entries_of_both_servers() {
    let stack = shared();
    let both = Case::new(
        stack,
        Profile::Tuned,
        &[
            "cache.hold_secs=0",
            "router.mode=rr",
            "router.pool={primary=1,replica=1}",
            "router.pinning=off",
            "sql.request_local=off",
        ],
        1,
        1,
    )
    .await;
    let app = &both.app;
    let org = new_organization(app).await;
    let school = new_school(app, org, "old").await;
    stack.wait_for_replica().await.unwrap();
    // Taking turns: one entry for each server, then both are found.
    assert!(look(app, &school_of(org)).await.1 && look(app, &school_of(org)).await.1);
    assert!(!look(app, &school_of(org)).await.1 && !look(app, &school_of(org)).await.1);
    rename(app, Model::School, school, "new").await;
    stack.wait_for_replica().await.unwrap();
    for _ in 0..2 {
        assert_eq!(look(app, &school_of(org)).await, (vec!["new".to_string()], true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_results_are_remembered_only_when_asked_for() {
    let off = case(&["cache.empty_querysets=off"]).await.app;
    let org = new_organization(&off).await;
    look(&off, &school_of(org)).await;
    assert!(look(&off, &school_of(org)).await.1, "off: asked again");
    let on = case(&["cache.empty_querysets=on"]).await.app;
    let org = new_organization(&on).await;
    look(&on, &school_of(org)).await;
    assert!(!look(&on, &school_of(org)).await.1, "on: remembered");
    // And belongs to no object: the first row stays invisible.
    new_school(&on, org, "first").await;
    assert_eq!(look(&on, &school_of(org)).await, (vec![], false));
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_model_makes_the_first_row_visible() {
    let app = case(&["cache.invalidate_on_create=whole-model", "cache.hold_secs=0"]).await.app;
    let org = new_organization(&app).await;
    look(&app, &school_of(org)).await;
    assert!(!look(&app, &school_of(org)).await.1);
    new_school(&app, org, "first").await;
    assert_eq!(look(&app, &school_of(org)).await, (vec!["first".to_string()], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn skip_rules_are_watched_as_a_whole_whatever_the_switch_says() {
    let case = case(&["cache.invalidate_on_create=off", "cache.hold_secs=0"]).await;
    let app = &case.app;
    let sql = "SELECT question.id, page_id FROM question JOIN survey_page ON survey_page.id = page_id WHERE survey_id = $1";
    let found = scope(app)
        .select(&Select { memory: Memory::Never, ..rows(Model::Question, sql, vec![case.survey.into()]) })
        .await
        .unwrap();
    let (question, page) = (found.first().unwrap().int("id"), found.first().unwrap().int("page_id"));
    let rules = rows(
        Model::SkipRule,
        "SELECT id, page_id, value FROM skip_rule WHERE page_id = $1",
        vec![page.into()],
    );
    look(app, &rules).await;
    assert_eq!(look(app, &rules).await, (vec![], false));
    let sql =
        "INSERT INTO skip_rule (page_id, question_id, value, to_page) VALUES ($1, $2, '1', 9) RETURNING id";
    insert(app, Model::SkipRule, sql, vec![page.into(), question.into()]).await;
    assert_eq!(look(app, &rules).await, (vec!["1".to_string()], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_end_with_their_time_and_with_nothing_else() {
    // Long enough for what comes before its end, on a busy machine too.
    let app = case(&["cache.count_timeout=6", "cache.hold_secs=0"]).await.app;
    let org = new_organization(&app).await;
    let sql = "SELECT count(*) AS n FROM school WHERE organization_id = $1";
    let count = Select { memory: Memory::Count, ..rows(Model::School, sql, vec![org.into()]) };
    assert_eq!(look(&app, &count).await, (vec!["0".to_string()], true));
    let school = new_school(&app, org, "a").await;
    rename(&app, Model::School, school, "b").await;
    assert_eq!(look(&app, &count).await, (vec!["0".to_string()], false));
    // memcached counts in whole seconds of its own clock.
    tokio::time::sleep(Duration::from_millis(7100)).await;
    assert_eq!(look(&app, &count).await, (vec!["1".to_string()], true));
    let off = case(&["cache.count_timeout=off"]).await.app;
    look(&off, &count).await;
    assert!(look(&off, &count).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_filled_during_the_hold() {
    let app = case(&["cache.hold_secs=2"]).await.app;
    let org = new_organization(&app).await;
    let school = new_school(&app, org, "old").await;
    look(&app, &school_of(org)).await;
    rename(&app, Model::School, school, "new").await;
    for _ in 0..2 {
        assert_eq!(
            look(&app, &school_of(org)).await,
            (vec!["new".to_string()], true),
            "held: asked, not filled"
        );
    }
    tokio::time::sleep(Duration::from_millis(3100)).await;
    assert!(look(&app, &school_of(org)).await.1, "over: filled");
    assert!(!look(&app, &school_of(org)).await.1);
}

/// Who read before a save and fills after it would put the old row back for good. The lists alone cannot stop
/// that (the query was in none of them yet); the hold on the object does.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_filler_cannot_bring_an_old_row_back() {
    use survey_app::cache::machine::{Object, ObjectKey};
    use survey_app::cache::{Lookup, QueryKey};
    let app = case(&["cache.hold_secs=2"]).await.app;
    let org = new_organization(&app).await;
    let school = new_school(&app, org, "old").await;
    let select = school_of(org);
    let read_before = scope(&app).select(&Select { memory: Memory::Never, ..select.clone() }).await.unwrap();
    rename(&app, Model::School, school, "new").await;
    let key = QueryKey::new(&select.sql, &select.params, survey_app::db::Server::Primary);
    let object = Object {
        key: ObjectKey::new(Model::School, &school.to_string()),
        parents: vec![ObjectKey::new(Model::Organization, &org.to_string())],
    };
    app.cache.fill(&key, &read_before, &[object], &[]).await;
    assert_eq!(app.cache.get(&key).await, Lookup::Miss);
    assert_eq!(look(&app, &select).await.0, ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_not_remembered() {
    let app = case(&[]).await.app;
    let taken_back = scope(&app);
    let sql = "INSERT INTO organization (name) VALUES ('gone') RETURNING id";
    let id = taken_back.execute(Model::Organization, sql, vec![]).await.unwrap().first().unwrap().int("id");
    taken_back.put_after_commit("org", &id);
    taken_back.finish(false).await.unwrap();
    assert_eq!(scope(&app).written_through::<i64>("org").await, None);
    assert_eq!(look(&app, &organization(id)).await.0, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn written_values_are_found_by_the_next_request() {
    let case = case(&[]).await;
    let mut respondent = case.respondent(0);
    respondent.log_in(&case.code(0)).await.unwrap();
    respondent.display().await.unwrap();
    let (questions, _) = respondent.content(1).await.unwrap();
    respondent.save(&questions).await.unwrap();
    let before = case.app.counters.lines();
    let (_, again) = respondent.content(1).await.unwrap();
    assert!(again.body.contains("checked"), "the saved answers are on the page");
    let of = |lines: &[survey_app::db::counters::Line], table: &str| {
        lines
            .iter()
            .filter(|l| l.key.table == table && l.key.view == "survey_content")
            .map(|l| l.calls)
            .sum::<u64>()
    };
    for table in ["response_session", "response_item", "respondent"] {
        assert_eq!(of(&before, table), 0, "{table}");
        assert_eq!(of(&case.app.counters.lines(), table), 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_place_keeps_the_same_rules() {
    for backend in ["locmem", "redis", "memcached"] {
        let app = case(&[&format!("cache.backend={backend}"), "cache.hold_secs=0"]).await.app;
        let org = new_organization(&app).await;
        let school = new_school(&app, org, "old").await;
        look(&app, &school_of(org)).await;
        assert!(!look(&app, &school_of(org)).await.1, "{backend}");
        rename(&app, Model::School, school, "new").await;
        assert_eq!(look(&app, &school_of(org)).await, (vec!["new".to_string()], true), "{backend}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_start_at_once_cost_one_statement() {
    let app = case(&[]).await.app;
    let org = new_organization(&app).await;
    new_school(&app, org, "a").await;
    app.counters.clear();
    let all = (0..20).map(|_| {
        let app = Arc::clone(&app);
        tokio::spawn(async move { scope(&app).select(&school_of(org)).await.unwrap() })
    });
    for one in all.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap().cells.len(), 1);
    }
    assert_eq!(app.counters.sum(|_| true), 1);
}
