//! pgbouncer in transaction mode, with far fewer connections than clients: every row belongs to its question.

use crate::common::{Case, rows, scope, shared};
use std::sync::Arc;
use survey_app::app::App;
use survey_app::assets::Assets;
use survey_app::config::Profile;
use survey_app::models::Model;
use survey_app::scope::{Memory, Select};

#[tokio::test(flavor = "multi_thread")]
async fn no_wrong_row_under_concurrency() {
    let sets = ["db.via=pgbouncer", "cache.backend=none", "db.pool=12", "sql.request_local=off"];
    let case = Case::new(shared(), Profile::Tuned, &sets, 1, 1).await;
    // Two applications, as two web processes: the names of prepared statements would collide here.
    let again = crate::common::switches(Profile::Tuned, &sets);
    let other = App::start(again, &shared().endpoints, Assets::plain()).await.unwrap();
    let mut tasks = Vec::new();
    for task in 0..24i64 {
        let app = Arc::clone(if task % 2 == 0 { &case.app } else { &other });
        tasks.push(tokio::spawn(async move {
            for round in 0..60i64 {
                let number = task * 1000 + round;
                let (sql, expected) = match round % 3 {
                    0 => ("SELECT $1 AS answer, 'a' AS kind", number.to_string()),
                    1 => ("SELECT $1 + 1 AS answer, 'b' AS kind", (number + 1).to_string()),
                    _ => ("SELECT $1 * 2 AS answer, 'c' AS kind, 0 AS more", (number * 2).to_string()),
                };
                let select =
                    Select { memory: Memory::Never, ..rows(Model::School, sql, vec![number.into()]) };
                let found = scope(&app).select(&select).await.unwrap();
                assert_eq!(found.first().unwrap().text("answer"), expected);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_survey_goes_through_the_pooler() {
    let case = Case::new(shared(), Profile::Tuned, &["db.via=pgbouncer"], 3, 8).await;
    let mut tasks = Vec::new();
    for person in 0..8 {
        let (mut respondent, code) = (case.respondent(person), case.code(person));
        tasks.push(tokio::spawn(async move {
            let counted = respondent.take(&code).await.unwrap();
            (respondent.acknowledged, counted)
        }));
    }
    for (person, task) in tasks.into_iter().enumerate() {
        let (acknowledged, counted) = task.await.unwrap();
        assert_eq!(counted, 15);
        for (name, value) in acknowledged.iter().flat_map(|page| &page.1) {
            let sql = format!(
                "SELECT value FROM response_item JOIN response_session ON session_id = response_session.id \
                 JOIN respondent ON respondent_id = respondent.id \
                 WHERE person = '{}' AND respondent.survey_id = {} AND question_id = {}",
                survey_app::run::person(person),
                case.survey,
                &name[1..]
            );
            assert_eq!(shared().ask_survey(&sql).await.unwrap().as_ref(), Some(value));
        }
    }
}
