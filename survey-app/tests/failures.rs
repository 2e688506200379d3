//! Servers that lag, die and come back while people take a survey. One stack, one test at a time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::Case;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use survey_app::config::Profile;
use survey_app::respondent::{Acknowledged, Respondent};
use survey_app::stack::Stack;
use tokio::sync::{Mutex, MutexGuard};

async fn stack() -> MutexGuard<'static, Stack> {
    static STACK: OnceLock<Mutex<Stack>> = OnceLock::new();
    let up = || tokio::runtime::Runtime::new().unwrap().block_on(common::stack());
    let stack = tokio::task::block_in_place(|| {
        STACK.get_or_init(|| {
            Mutex::new(
                std::thread::spawn(up)
                    .join()
                    .unwrap_or_else(|_| panic!("the stack did not come up; see above")),
            )
        })
    });
    stack.lock().await
}

/// Everybody takes the survey; who they are, what was acknowledged, and how often they had to try again.
struct Crowd {
    tasks: Vec<tokio::task::JoinHandle<Result<(Acknowledged, usize), String>>>,
}

impl Crowd {
    fn start(case: &Case, patience: usize) -> Crowd {
        let tasks = (0..case.people).map(|person| {
            let (mut one, code) = (case.respondent(person).patient(patience), case.code(person));
            tokio::spawn(async move {
                take_slowly(&mut one, &code).await.map_err(|e| format!("{e:#}"))?;
                Ok((one.acknowledged, one.retried))
            })
        });
        Crowd { tasks: tasks.collect() }
    }

    /// Everybody's acknowledged answers; the tries that failed.
    async fn end(self) -> (Vec<Acknowledged>, usize) {
        let (mut all, mut retried) = (Vec::new(), 0);
        for task in self.tasks {
            let (acknowledged, tries) = task.await.unwrap().unwrap_or_else(|e| panic!("{e}"));
            all.push(acknowledged);
            retried += tries;
        }
        (all, retried)
    }
}

/// With some thought on each page, so that a failure meets people in the middle.
async fn take_slowly(one: &mut Respondent, code: &str) -> anyhow::Result<usize> {
    one.log_in(code).await?;
    one.display().await?;
    loop {
        let (questions, _) = one.content(one.page).await?;
        tokio::time::sleep(Duration::from_millis(60)).await;
        if !one.save(&questions).await? {
            return one.complete().await;
        }
    }
}

/// Every answer that was acknowledged last for its question is in the primary.
async fn nothing_is_lost(stack: &Stack, case: &Case, everybody: &[Acknowledged]) {
    for (person, acknowledged) in everybody.iter().enumerate() {
        let sql = format!(
            "SELECT string_agg(question_id || '=' || value, ' ' ORDER BY question_id) FROM response_item \
             JOIN response_session ON session_id = response_session.id JOIN respondent ON respondent_id = respondent.id \
             WHERE person = '{}' AND respondent.survey_id = {}",
            survey_app::run::person(person),
            case.survey
        );
        let stored = stack.ask_survey(&sql).await.unwrap().unwrap_or_default();
        let mut latest = std::collections::BTreeMap::new();
        for (name, value) in acknowledged.iter().flat_map(|page| &page.1) {
            latest.insert(name[1..].parse::<i64>().unwrap(), value.clone());
        }
        let sent: Vec<String> = latest.iter().map(|(q, v)| format!("{q}={v}")).collect();
        assert_eq!(stored, sent.join(" "), "person {person}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_replica_hides_answers_only_without_pinning() {
    let stack = stack().await;
    for (pinning, vanishes) in [("on", false), ("off", true)] {
        let sets = ["cache.backend=none", "cache.write_through=off", &format!("router.pinning={pinning}")];
        let case = Case::new(&stack, Profile::Tuned, &sets, 2, 1).await;
        let mut one = case.respondent(0);
        one.log_in(&case.code(0)).await.unwrap();
        stack.wait_for_replica().await.unwrap();
        stack.delay_replica("3s").await.unwrap();
        one.display().await.unwrap();
        let (questions, _) = one.content(1).await.unwrap();
        one.save(&questions).await.unwrap();
        let saved = Instant::now();
        let mut missing = 0;
        while saved.elapsed() < Duration::from_millis(3800) {
            let (_, shown) = one.content(1).await.unwrap();
            missing += usize::from(shown.body.matches(" checked").count() != questions.len());
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let (_, shown) = one.content(1).await.unwrap();
        assert_eq!(shown.body.matches(" checked").count(), questions.len(), "in the end it is there");
        assert_eq!(missing > 0, vanishes, "pinning {pinning}: the answers were missing {missing} times");
        stack.delay_replica("0").await.unwrap();
        stack.wait_for_replica().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_primary_loses_no_acknowledged_answer() {
    let stack = stack().await;
    for profile in [Profile::Naive, Profile::Tuned] {
        let case = Case::new(&stack, profile, &[], 8, 8).await;
        let crowd = Crowd::start(&case, 300);
        tokio::time::sleep(Duration::from_millis(350)).await;
        stack.keeper.kill("primary").unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        stack.restart_postgres("primary").await.unwrap();
        let (everybody, retried) = crowd.end().await;
        assert!(retried > 0, "the crash met nobody");
        nothing_is_lost(&stack, &case, &everybody).await;
        stack.wait_for_replica().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_memcached_fails_no_request() {
    let mut stack = stack().await;
    let port = stack.endpoints.memcached.as_deref().and_then(|m| m.split(':').nth(1)?.parse().ok());
    let case = Case::new(&stack, Profile::Tuned, &[], 8, 6).await;
    let crowd = Crowd::start(&case, 0);
    tokio::time::sleep(Duration::from_millis(300)).await;
    stack.keeper.kill("memcached").unwrap();
    let (everybody, retried) = crowd.end().await;
    assert_eq!(retried, 0);
    nothing_is_lost(&stack, &case, &everybody).await;
    // While it is gone, everything is asked for; describing models still of the replica.
    assert!(case.selects("survey_content", "question") > 8, "the cache did not die in time");
    assert_eq!(case.app.counters.sum(|k| k.server.name() == "primary" && k.table == "question"), 0);
    stack.start_memcached(port).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let again = Case::new(&stack, Profile::Tuned, &[], 3, 2).await;
    for person in 0..2 {
        again.respondent(person).take(&again.code(person)).await.unwrap();
    }
    assert_eq!(again.selects("survey_content", "question"), 3, "it remembers again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_redis_signs_nobody_out() {
    let mut stack = stack().await;
    let port = stack.endpoints.redis.as_deref().and_then(|r| r.split(':').nth(1)?.parse().ok());
    let case = Case::new(&stack, Profile::Tuned, &[], 8, 6).await;
    let crowd = Crowd::start(&case, 0);
    tokio::time::sleep(Duration::from_millis(400)).await;
    stack.keeper.stop("redis").unwrap();
    stack.start_redis(port).await.unwrap();
    let (everybody, retried) = crowd.end().await;
    assert_eq!(retried, 0, "who comes in that moment waits, and nobody signs in twice");
    nothing_is_lost(&stack, &case, &everybody).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_cut_off_fails_no_request() {
    let stack = stack().await;
    let case =
        Case::new(&stack, Profile::Tuned, &["cache.backend=none", "cache.write_through=off"], 6, 4).await;
    let crowd = Crowd::start(&case, 0);
    tokio::time::sleep(Duration::from_millis(350)).await;
    stack.keeper.kill("replica").unwrap();
    let (everybody, retried) = crowd.end().await;
    assert_eq!(retried, 0);
    nothing_is_lost(&stack, &case, &everybody).await;
    assert!(case.app.counters.sum(|k| k.server.name() == "primary" && k.table == "question") > 0);
    stack.restart_postgres("replica").await.unwrap();
    stack.wait_for_replica().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let again = Case::new(&stack, Profile::Tuned, &["cache.backend=none"], 1, 1).await;
    again.respondent(0).take(&again.code(0)).await.unwrap();
    assert_eq!(again.app.counters.sum(|k| k.server.name() == "primary" && k.table == "question"), 0);
}
