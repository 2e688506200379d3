//! `survey_change_page`: the answers of one page, on disk before the answer leaves.
//!
//! The view that the talk is about: up to six answers, the respondent's place and a visit, in one transaction
//! and three statements, or in eight that commit by themselves. Sending a page twice changes nothing.

use super::queries::{self, PROGRESS, Page, Progress, Question};
use super::{Taker, taker};
use crate::config::Batching;
use crate::db::Param;
use crate::models::Model;
use crate::scope::Scope;
use crate::trouble::Trouble;
use crate::web::{Answer, Visit};
use axum::http::header;
use axum::response::IntoResponse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// More text than anybody types into a survey.
const LONGEST: usize = 4000;

/// Saves page `number` and says where to go on.
pub(super) async fn save(visit: Arc<Visit>) -> Answer {
    let scope = &visit.scope;
    if let Some(taking) = visit.session().await?.and_then(|s| s.taking) {
        scope.alone_on(taking.session).await;
    }
    let Taker { progress, survey, .. } = taker(&visit, false).await?;
    let number = visit.number("number")?;
    if number > progress.current_page {
        return Err(Trouble::Forbidden("Please answer the pages before this one first."));
    }
    if progress.completed || !survey.is_open {
        return Err(Trouble::Forbidden("This survey is closed for you; your earlier answers are saved."));
    }
    let page = queries::page(scope, survey.id, number).await?.ok_or(Trouble::NotFound)?;
    let questions = queries::questions(scope, page.id).await?;
    let given = check(&visit, &questions)?;
    write(scope, progress.id, &page, &questions, &given).await?;
    let rules = queries::skip_rules(scope, page.id).await?;
    // What counts is what is stored: the page is read back after its write, unless the writer remembers it.
    let stored = match scope.app().switches.cache.write_through {
        true => given.clone(),
        false => queries::answers_of_page(scope, progress.id, page.id).await?,
    };
    let skip = rules.iter().find(|(question, value, _)| stored.get(question) == Some(value));
    let next = skip.map_or(page.number + 1, |rule| rule.2.max(page.number + 1));
    let ends = match skip {
        _ if page.is_last => true,
        Some(_) => queries::page(scope, survey.id, next).await?.is_none(),
        None => false,
    };
    let moved = advance(scope, &progress, next, ends, given).await?;
    let sql = "INSERT INTO page_visit (session_id, page_id, action) VALUES ($1, $2, $3)";
    scope.execute(Model::PageVisit, sql, vec![progress.id.into(), page.id.into(), "save".into()]).await?;
    let answer = match ends && moved.reached_end {
        true => {
            serde_json::json!({ "done": format!("/survey/{}/complete", crate::db::comment::encode(&survey.slug)) })
        }
        false => serde_json::json!({ "next": next }),
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response())
}

/// The answers by question; what is missing or is no choice is refused as a whole.
fn check(visit: &Visit, questions: &[Question]) -> Result<BTreeMap<i64, String>, Trouble> {
    let mut given = BTreeMap::new();
    for question in questions {
        let value = visit.field(&format!("q{}", question.id)).trim();
        if value.is_empty() {
            if question.required {
                return Err(Trouble::Bad(format!("Please answer question {}.", question.number)));
            }
            // An optional answer that was taken back is stored as empty.
            if !visit.has_field(&format!("q{}", question.id)) {
                continue;
            }
        } else if question.scale.is_some() && !question.choices.iter().any(|c| c.value == value) {
            return Err(Trouble::Bad(format!(
                "Please choose one of the answers to question {}.",
                question.number
            )));
        }
        if value.len() > LONGEST {
            return Err(Trouble::Bad(format!("The answer to question {} is too long.", question.number)));
        }
        given.insert(question.id, value.to_string());
    }
    Ok(given)
}

async fn write(
    scope: &Scope,
    session: i64,
    page: &Page,
    questions: &[Question],
    given: &BTreeMap<i64, String>,
) -> anyhow::Result<()> {
    let model = Model::ResponseItem;
    if given.is_empty() {
        return Ok(());
    }
    let replace =
        "ON CONFLICT (session_id, question_id) DO UPDATE SET value = EXCLUDED.value, answered_at = now()";
    match scope.app().switches.db.batching {
        Batching::Row => {
            for question in questions {
                let Some(value) = given.get(&question.id) else { continue };
                let params: Vec<Param> = vec![session.into(), question.id.into(), value.as_str().into()];
                if queries::answer(scope, session, question.id).await?.is_some() {
                    let sql = "UPDATE response_item SET value = $3, answered_at = now() \
                               WHERE session_id = $1 AND question_id = $2";
                    scope.execute(model, sql, params).await?;
                } else {
                    // The look above cannot see a second tab that saves the same page now.
                    let sql = format!(
                        "INSERT INTO response_item (session_id, question_id, value) VALUES ($1, $2, $3) {replace}"
                    );
                    scope.execute(model, &sql, params).await?;
                }
            }
        }
        Batching::Values => {
            let mut params: Vec<Param> = vec![session.into()];
            let mut tuples = Vec::new();
            for (question, value) in given {
                params.push((*question).into());
                params.push(value.as_str().into());
                tuples.push(format!("($1, ${}, ${})", params.len() - 1, params.len()));
            }
            let tuples = tuples.join(", ");
            let sql = format!(
                "INSERT INTO response_item (session_id, question_id, value) VALUES {tuples} {replace}"
            );
            scope.execute(model, &sql, params).await?;
        }
        Batching::Unnest => {
            let sql = format!(
                "INSERT INTO response_item (session_id, question_id, value) \
                 SELECT $1, given.question, given.value FROM unnest($2, $3) AS given (question, value) {replace}"
            );
            let (ids, values): (Vec<i64>, Vec<String>) = given.iter().map(|(k, v)| (*k, v.clone())).unzip();
            scope.execute(model, &sql, vec![session.into(), ids.into(), values.into()]).await?;
        }
        Batching::Copy => {
            let delete = "DELETE FROM response_item WHERE session_id = $1 AND question_id IN \
                          (SELECT id FROM question WHERE page_id = $2)";
            let copy = "COPY response_item (session_id, question_id, value) FROM STDIN";
            let lines: String =
                given.iter().map(|(q, v)| format!("{session}\t{q}\t{}\n", copy_text(v))).collect();
            scope.copy(model, delete, vec![session.into(), page.id.into()], copy, lines).await?;
        }
    }
    Ok(())
}

/// A value in COPY's text form.
fn copy_text(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

/// Moves the respondent on, never back, and says where they are now.
async fn advance(
    scope: &Scope,
    before: &Progress,
    next: i64,
    ends: bool,
    given: BTreeMap<i64, String>,
) -> anyhow::Result<Progress> {
    let gone = || anyhow::anyhow!("the response session {} is gone", before.id);
    let update = "UPDATE response_session SET current_page = greatest(current_page, $2), \
                  reached_end = reached_end OR $3, version = version + 1 WHERE id = $1";
    let params: Vec<Param> = vec![before.id.into(), next.into(), ends.into()];
    if !scope.app().switches.cache.write_through {
        scope.execute(Model::ResponseSession, update, params).await?;
        return queries::progress(scope, before.id).await?.ok_or_else(gone);
    }
    let sql = format!("{update} RETURNING {PROGRESS}");
    let rows = scope.execute(Model::ResponseSession, &sql, params).await?;
    let mut after = rows.first().map(|r| Progress::of(&r)).ok_or_else(gone)?;
    let name = queries::progress_name(before.id);
    if after.version != before.version + 1 {
        // Another process saved for the same respondent in between: what it wrote is not in our copy.
        scope.forget_after_commit(&name);
        return Ok(after);
    }
    after.answers = before.answers.clone().map(|mut all| {
        all.extend(given);
        all
    });
    scope.put_after_commit(&name, &after);
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_text_has_no_raw_marks() {
        assert_eq!(copy_text("a\tb\\c\nd\\."), "a\\tb\\\\c\\nd\\\\.");
    }
}
