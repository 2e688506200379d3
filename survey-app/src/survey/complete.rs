//! `survey_complete`: the end of a survey, written down once and shown as often as somebody looks.

use super::queries;
use super::taker;
use crate::models::Model;
use crate::pages::{self, CompletePage, Page};
use crate::web::{Answer, Visit};
use axum::response::{IntoResponse, Redirect};
use std::sync::Arc;

/// Thanks; or back to the questions when there are some left.
pub(super) async fn show(visit: Arc<Visit>) -> Answer {
    if let Some(taking) = visit.session().await?.and_then(|s| s.taking) {
        visit.scope.alone_on(taking.session).await;
    }
    let taker = taker(&visit, true).await?;
    let scope = &visit.scope;
    if !taker.progress.reached_end {
        let address = format!("/survey/{}/take", crate::db::comment::encode(&taker.survey.slug));
        return Ok(Redirect::to(&address).into_response());
    }
    let school = queries::school(scope, taker.respondent.school).await?;
    let answers = queries::count_answers(scope, taker.progress.id).await?;
    if !taker.progress.completed {
        let sql = "UPDATE response_session SET completed_at = now(), version = version + 1 \
                   WHERE id = $1 AND completed_at IS NULL";
        scope.execute(Model::ResponseSession, sql, vec![taker.progress.id.into()]).await?;
        let version = taker.progress.version + 1;
        let progress = queries::Progress { completed: true, version, ..taker.progress };
        scope.put_after_commit(&queries::progress_name(progress.id), &progress);
    }
    let page = Page::of(&visit, &taker.survey.title);
    Ok(pages::html(&CompletePage { page, organization: taker.survey.organization, school, answers }))
}
