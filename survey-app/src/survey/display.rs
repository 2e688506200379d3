//! `survey_display`: the page into which the pages of a survey are loaded.

use super::queries;
use super::taker;
use crate::pages::{self, DisplayPage, Page};
use crate::trouble::Trouble;
use crate::web::{Answer, Visit};
use axum::response::{IntoResponse, Redirect};
use std::sync::Arc;

/// The frame: welcome, list of pages, progress; the first page follows by Ajax.
pub(super) async fn show(visit: Arc<Visit>) -> Answer {
    let taker = taker(&visit, true).await?;
    if taker.progress.completed {
        let address = format!("/survey/{}/complete", crate::db::comment::encode(&taker.survey.slug));
        return Ok(Redirect::to(&address).into_response());
    }
    let scope = &visit.scope;
    let school = greeting(&visit, taker.respondent.id).await?;
    let help = queries::setting(scope, "help").await?.unwrap_or_default();
    let mut texts = queries::texts(scope, taker.survey.id).await?;
    let pages = queries::pages(scope, taker.survey.id).await?;
    let questions = queries::count_questions(scope, taker.survey.id).await?;
    let completed = queries::count_completed(scope, taker.survey.id, taker.respondent.school).await?;
    let last = pages.last().map_or(1, |p| p.0);
    Ok(pages::html(&DisplayPage {
        page: Page::of(&visit, &taker.survey.title),
        slug: taker.survey.slug,
        organization: taker.survey.organization,
        school,
        help,
        welcome: texts.remove("welcome").unwrap_or_default(),
        privacy: texts.remove("privacy").unwrap_or_default(),
        pages,
        questions,
        completed,
        current: current(&visit, taker.progress.id).await?.min(last),
    }))
}

/// The page to go on with. It looks the session up by itself, as the line below does its respondent.
async fn current(visit: &Visit, session: i64) -> Result<i64, Trouble> {
    let progress = queries::progress(&visit.scope, session).await?.ok_or(Trouble::NotFound)?;
    Ok(progress.current_page)
}

/// The line that says for whom this is. It looks the respondent up by itself, although whoever calls it has
/// done so: the planted re-read that `request_local` and `write_through` make free.
async fn greeting(visit: &Visit, respondent: i64) -> anyhow::Result<String> {
    match queries::respondent(&visit.scope, respondent).await? {
        Some(respondent) => queries::school(&visit.scope, respondent.school).await,
        None => Ok(String::new()),
    }
}
