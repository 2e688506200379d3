//! `survey_login`: a code from a letter becomes a login.
//!
//! A survey that is closed lets nobody in; a code that is not known says no more than that.

use super::queries::{self, PROGRESS, Progress};
use crate::config::Batching;
use crate::models::Model;
use crate::pages::{self, LoginPage, Page};
use crate::scope::Scope;
use crate::session::{Session, Taking};
use crate::trouble::Trouble;
use crate::web::{Answer, Visit};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use std::sync::Arc;

/// The page that asks for the code.
pub(super) async fn show(visit: Arc<Visit>) -> Answer {
    let survey = queries::survey_with_organization(&visit.scope, visit.param("slug")).await?;
    let survey = survey.ok_or(Trouble::NotFound)?;
    let help = queries::setting(&visit.scope, "help").await?.unwrap_or_default();
    let page = Page::of(&visit, &survey.title);
    Ok(pages::html(&LoginPage {
        page,
        organization: survey.organization,
        is_open: survey.is_open,
        help,
        error: "",
    }))
}

/// The code was sent.
pub(super) async fn check(visit: Arc<Visit>) -> Answer {
    let scope = &visit.scope;
    let survey = queries::survey_with_organization(scope, visit.param("slug")).await?;
    let survey = survey.ok_or(Trouble::NotFound)?;
    let hmac = crate::secret::code_hmac(&visit.app().secret, visit.field("code"));
    let known = match survey.is_open {
        true => queries::respondent_by_code(scope, survey.id, &hmac).await?,
        false => None,
    };
    let Some(respondent) = known else {
        let error = "We do not know this code. Please check it and try again.";
        let page = Page::of(&visit, &survey.title);
        let html = LoginPage {
            page,
            organization: survey.organization,
            is_open: survey.is_open,
            help: String::new(),
            error,
        };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, pages::html(&html)).into_response());
    };
    // A roster can name a school that was closed since; that is for an administrator to mend.
    if queries::school(scope, respondent.school).await?.is_empty() {
        return Err(Trouble::Bad(
            "Your school is not on our list. Please ask the person who gave you the code.".into(),
        ));
    }
    let progress = enter(scope, survey.id, respondent.id, respondent.school).await?;
    let sql = "UPDATE respondent SET logins = logins + 1, last_login_at = now() WHERE id = $1";
    scope.execute(Model::Respondent, sql, vec![respondent.id.into()]).await?;
    scope.put_after_commit(&queries::respondent_name(respondent.id), &respondent);
    let taking = Taking { session: progress.id, respondent: respondent.id, survey: survey.id };
    visit.sign_in(&Session { taking: Some(taking), admin: None }).await?;
    Ok(Redirect::to(&format!("/survey/{}/take", crate::db::comment::encode(&survey.slug))).into_response())
}

/// The respondent's session: theirs from before, or a new one.
async fn enter(scope: &Scope, survey: i64, respondent: i64, school: i64) -> anyhow::Result<Progress> {
    if scope.app().switches.db.batching == Batching::Row
        && let Some(progress) = queries::progress_of_respondent(scope, respondent).await?
    {
        return Ok(progress);
    }
    // `xmax` is 0 in a row that was inserted, and ours in one that was updated.
    let sql = format!(
        "INSERT INTO response_session (respondent_id, survey_id, school_id) VALUES ($1, $2, $3) \
         ON CONFLICT (respondent_id) DO UPDATE SET respondent_id = EXCLUDED.respondent_id \
         RETURNING {PROGRESS}, xmax = 0 AS is_new"
    );
    let params = vec![respondent.into(), survey.into(), school.into()];
    let rows = scope.execute(Model::ResponseSession, &sql, params).await?;
    let row = rows.first().ok_or_else(|| anyhow::anyhow!("RETURNING gave no row"))?;
    let mut progress = Progress::of(&row);
    if row.flag("is_new") {
        progress.answers = Some(Default::default());
        scope.put_after_commit(&queries::progress_name(progress.id), &progress);
    }
    // Whoever comes back keeps what is remembered about them: a copy made here could be older than a save in
    // another tab.
    Ok(progress)
}
