//! Background jobs: what a dead worker left is done, and doing it twice does no harm.

use crate::common::{Case, scope, shared};
use std::time::{Duration, Instant};
use survey_app::config::Profile;
use survey_app::models::Model;
use survey_app::worker::{self, Job};

async fn one(sql: &str) -> String {
    shared().ask_survey(sql).await.unwrap().unwrap_or_default()
}

async fn until(sql: &str, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while one(sql).await != expected {
        assert!(Instant::now() < deadline, "{sql}: {}", one(sql).await);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_does_what_a_dead_one_left() {
    let case = Case::new(shared(), Profile::Tuned, &[], 1, 1).await;
    case.respondent(0).take(&case.code(0)).await.unwrap();
    let write = scope(&case.app);
    let sql = "INSERT INTO roster_upload (survey_id, file_name, uploaded_by) VALUES ($1, 'r.csv', 't') RETURNING id";
    let rows = write.execute(Model::RosterUpload, sql, vec![case.survey.into()]).await.unwrap();
    let roster = rows.first().unwrap().int("id");
    let sql = "INSERT INTO roster_row (roster_upload_id, line, person, school) VALUES ($1, 1, 'New One', 'Far School')";
    write.execute(Model::RosterRow, sql, vec![roster.into()]).await.unwrap();
    let sql = "INSERT INTO export_job (survey_id, requested_by) VALUES ($1, 't') RETURNING id";
    let rows = write.execute(Model::ExportJob, sql, vec![case.survey.into()]).await.unwrap();
    let export = rows.first().unwrap().int("id");
    write.finish(true).await.unwrap();
    // A worker had taken the roster and died; the export still waits.
    let mut redis = case.app.redis.clone().unwrap();
    let left = serde_json::to_string(&Job::Roster(roster)).unwrap();
    let _: i64 = redis::cmd("LPUSH").arg("jobs:working").arg(&left).query_async(&mut redis).await.unwrap();
    worker::enqueue(&case.app, Job::Export(export)).await.unwrap();
    let (app, address) = (case.app.clone(), shared().endpoints.redis.clone().unwrap());
    let worker = tokio::spawn(async move { worker::serve(&app, &address).await });
    until(&format!("SELECT status FROM roster_upload WHERE id = {roster}"), "done").await;
    until(&format!("SELECT status FROM export_job WHERE id = {export}"), "done").await;
    assert_eq!(
        one(&format!("SELECT message FROM export_job WHERE id = {export}")).await,
        "1 respondents, 5 answers"
    );
    let invited = format!("SELECT count(*) FROM respondent WHERE survey_id = {}", case.survey);
    assert_eq!(one(&invited).await, "2");
    // Once more, as after a worker that died between doing and saying so.
    worker::work(&case.app, Job::Roster(roster)).await;
    assert_eq!(one(&invited).await, "2");
    // The code that the letter will show lets its person in.
    let mut new = case.respondent(0);
    let code = survey_app::secret::login_code(&case.app.secret, case.survey, "New One");
    new.log_in(&code).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while redis::cmd("LLEN").arg("jobs:working").query_async::<i64>(&mut redis).await.unwrap() > 0 {
        assert!(Instant::now() < deadline, "a job that is done is not taken off the list");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    worker.abort();
    assert!(
        case.app.counters.sum(|k| k.view == "worker:roster") > 0
            && case.app.counters.sum(|k| k.view == "worker:export") > 0
    );
}
