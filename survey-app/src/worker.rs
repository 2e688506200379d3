//! Background jobs: exports and roster imports, outside any request.
//!
//! ```text
//!   web ── LPUSH jobs:waiting ──► worker ── BLMOVE to jobs:working ── done ──► LREM
//! ```
//!
//! A job is only an id; what is to be done stands in the database, so that doing a job twice (the worker died
//! between doing and saying so) does no harm. The queue is in Redis because polling PostgreSQL would fill the
//! log with statements that nobody asked for. Without Redis (`demo`) a job is a task of the web process.

use crate::app::App;
use crate::db::{Param, Rows};
use crate::metrics::{Component, wait};
use crate::models::Model;
use crate::plan;
use crate::router::Pin;
use crate::scope::{Memory, Scope, Select, View};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const WAITING: &str = "jobs:waiting";
const WORKING: &str = "jobs:working";

/// Something to do, by the id of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// Row of `export_job`.
    Export(i64),
    /// Row of `roster_upload`.
    Roster(i64),
}

/// Hands a job over. Its row must be committed.
pub async fn enqueue(app: &Arc<App>, job: Job) -> Result<()> {
    let Some(redis) = &app.redis else {
        let app = Arc::clone(app);
        tokio::spawn(async move { work(&app, job).await });
        return Ok(());
    };
    let text = serde_json::to_string(&job).context("a job is plain values")?;
    let _wait = wait(Component::Redis);
    redis::cmd("LPUSH")
        .arg(WAITING)
        .arg(text)
        .query_async::<()>(&mut redis.clone())
        .await
        .context("the job queue")
}

/// Works until the process ends. Jobs that a dead worker left are done first.
pub async fn serve(app: &Arc<App>, redis_address: &str) -> Result<()> {
    let client = redis::Client::open(format!("redis://{redis_address}")).context("Redis")?;
    // A connection of its own: whoever waits on it keeps everybody else waiting.
    let config =
        redis::aio::ConnectionManagerConfig::new().set_response_timeout(Some(Duration::from_secs(20)));
    let mut redis = redis::aio::ConnectionManager::new_with_config(client, config).await.context("Redis")?;
    loop {
        let left: Option<String> = redis::cmd("LMOVE")
            .arg(WORKING)
            .arg(WAITING)
            .arg("RIGHT")
            .arg("RIGHT")
            .query_async(&mut redis)
            .await?;
        if left.is_none() {
            break;
        }
    }
    loop {
        let mut take = redis::cmd("BLMOVE");
        take.arg(WAITING).arg(WORKING).arg("RIGHT").arg("LEFT").arg(5);
        let Ok(taken) = take.query_async::<Option<String>>(&mut redis).await else {
            tokio::time::sleep(Duration::from_millis(500)).await;
            continue;
        };
        let Some(text) = taken else { continue };
        if let Ok(job) = serde_json::from_str(&text) {
            work(app, job).await;
        }
        let _: Result<(), _> =
            redis::cmd("LREM").arg(WORKING).arg(1).arg(&text).query_async(&mut redis).await;
    }
}

/// Does one job, and writes down how it went.
pub async fn work(app: &Arc<App>, job: Job) {
    let (view, table, id) = match job {
        Job::Export(id) => {
            (View { name: "worker:export", route: "worker", read_only: &[] }, Model::ExportJob, id)
        }
        Job::Roster(id) => {
            (View { name: "worker:roster", route: "worker", read_only: &[] }, Model::RosterUpload, id)
        }
    };
    let scope = Scope::begin(Arc::clone(app), view, None, Pin::default());
    let done = match job {
        Job::Export(id) => export(&scope, id).await,
        Job::Roster(id) => roster(&scope, id).await,
    };
    let ended = match done {
        Ok(()) => scope.finish(true).await,
        Err(error) => {
            let _ = scope.finish(false).await;
            Err(error)
        }
    };
    if let Err(error) = ended {
        crate::notice(&format!("{job:?}: {error:#}"));
        let scope = Scope::begin(Arc::clone(app), view, None, Pin::default());
        let sql = format!("UPDATE {} SET status = 'failed', message = $2 WHERE id = $1", table.table());
        let message =
            "This could not be done. Please try again, and tell your support when it happens twice.";
        let _ = scope.execute(table, &sql, vec![id.into(), message.into()]).await;
        let _ = scope.finish(true).await;
    }
}

/// Everybody's answers to one survey, a line each.
async fn export(scope: &Scope, id: i64) -> Result<()> {
    let survey = begin(scope, Model::ExportJob, id).await?;
    let sql = "SELECT question.id, question.number FROM question JOIN survey_page ON survey_page.id = question.page_id \
               WHERE survey_page.survey_id = $1 ORDER BY survey_page.number, question.number";
    let questions: Vec<(i64, String)> = ask(scope, Model::Question, sql, survey)
        .await?
        .iter()
        .map(|r| (r.int("id"), r.text("number")))
        .collect();
    let sql = "SELECT response_session.id, person, school.name AS school, to_char(started_at, 'YYYY-MM-DD HH24:MI:SS') \
               AS started, to_char(completed_at, 'YYYY-MM-DD HH24:MI:SS') AS completed FROM response_session \
               JOIN respondent ON respondent.id = response_session.respondent_id \
               JOIN school ON school.id = response_session.school_id \
               WHERE response_session.survey_id = $1 ORDER BY person";
    let sessions = ask(scope, Model::ResponseSession, sql, survey).await?;
    let sql = "SELECT session_id, question_id, value FROM response_item \
               JOIN response_session ON response_session.id = response_item.session_id \
               WHERE response_session.survey_id = $1";
    let mut answers: BTreeMap<(i64, i64), String> = BTreeMap::new();
    for row in ask(scope, Model::ResponseItem, sql, survey).await?.iter() {
        answers.insert((row.int("session_id"), row.int("question_id")), row.text("value"));
    }
    let heads: Vec<String> = questions.iter().map(|(_, number)| format!("q{number}")).collect();
    let fixed = ["person", "school", "started", "completed"];
    let mut text = crate::csv::line(fixed.into_iter().chain(heads.iter().map(String::as_str)));
    for row in sessions.iter() {
        let session = row.int("id");
        let given = questions.iter().map(|(q, _)| answers.get(&(session, *q)).map_or("", String::as_str));
        text.push_str(&crate::csv::line(fixed.iter().map(|f| row.get(f).unwrap_or_default()).chain(given)));
    }
    let message = format!("{} respondents, {} answers", sessions.iter().count(), answers.len());
    let sql = "UPDATE export_job SET status = 'done', message = $2, content = $3 WHERE id = $1";
    scope.execute(Model::ExportJob, sql, vec![id.into(), message.into(), text.into()]).await.map(drop)
}

/// The people of a roster become respondents with codes.
async fn roster(scope: &Scope, id: i64) -> Result<()> {
    let survey = begin(scope, Model::RosterUpload, id).await?;
    let sql = "SELECT id, person, school FROM roster_row WHERE roster_upload_id = $1 ORDER BY line";
    let rows = ask(scope, Model::RosterRow, sql, id).await?;
    let people: Vec<(String, String)> = rows.iter().map(|r| (r.text("person"), r.text("school"))).collect();
    let new = plan::enroll(scope, survey, &people).await?;
    let message = format!("{} lines, {new} new respondents", people.len());
    let sql = "UPDATE roster_upload SET status = 'done', message = $2 WHERE id = $1";
    scope.execute(Model::RosterUpload, sql, vec![id.into(), message.into()]).await.map(drop)
}

/// Marks a job as begun; its survey.
async fn begin(scope: &Scope, model: Model, id: i64) -> Result<i64> {
    let sql = format!("UPDATE {} SET status = 'working' WHERE id = $1 RETURNING survey_id", model.table());
    let rows = scope.execute(model, &sql, vec![id.into()]).await?;
    let survey = rows.first().context("the job's row is gone")?.int("survey_id");
    scope.commit().await?;
    Ok(survey)
}

/// From the primary: an export made right after the last answer contains it.
async fn ask(scope: &Scope, model: Model, sql: &str, id: i64) -> Result<Rows> {
    let params: Vec<Param> = vec![id.into()];
    let select = Select { model, joined: &[], sql: sql.to_string(), params, memory: Memory::Never };
    scope.select_from_primary(&select).await
}
