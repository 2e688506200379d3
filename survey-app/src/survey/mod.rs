//! The five views through which a respondent takes a survey.
//!
//! ```text
//!   GET  /survey/{slug}/              survey_login         the code is asked for
//!   POST /survey/{slug}/              survey_login         and checked
//!   GET  /survey/{slug}/take          survey_display       the page that holds the pages
//!   GET  /survey/{slug}/content/{n}   survey_content       Ajax: page n
//!   POST /survey/{slug}/page/{n}      survey_change_page   Ajax: its answers, on disk before the answer
//!   GET  /survey/{slug}/complete      survey_complete      the end
//! ```
//!
//! A respondent of P pages makes 2P + 4 requests. Who they are comes from their login alone: no address names
//! a session, so nobody can ask for somebody else's.

mod complete;
mod content;
mod display;
mod login;
mod queries;
mod save;

use crate::models::{DESCRIBING, Model};
use crate::scope::View;
use crate::trouble::Trouble;
use crate::web::{Handler, Route, Visit};
use axum::http::Method;
use queries::{Progress, Respondent, Survey};

pub use queries::progress_name;

/// What a hot view must not write, and may read from the replica whatever was written before.
const READ_ONLY: &[Model] = DESCRIBING;

/// The names of the five views.
pub const HOT: [&str; 5] =
    ["survey_login", "survey_display", "survey_change_page", "survey_content", "survey_complete"];

/// Their routes.
pub fn routes() -> Vec<Route> {
    let route =
        |method: Method, path: &'static str, name: &'static str, handler: Handler, for_script: bool| Route {
            method,
            path,
            view: View { name, route: path, read_only: READ_ONLY },
            handler,
            for_script,
        };
    vec![
        route(Method::GET, "/survey/{slug}/", "survey_login", |v| Box::pin(login::show(v)), false),
        route(Method::POST, "/survey/{slug}/", "survey_login", |v| Box::pin(login::check(v)), false),
        route(Method::GET, "/survey/{slug}/take", "survey_display", |v| Box::pin(display::show(v)), false),
        route(
            Method::GET,
            "/survey/{slug}/content/{number}",
            "survey_content",
            |v| Box::pin(content::show(v)),
            true,
        ),
        route(
            Method::POST,
            "/survey/{slug}/page/{number}",
            "survey_change_page",
            |v| Box::pin(save::save(v)),
            true,
        ),
        route(
            Method::GET,
            "/survey/{slug}/complete",
            "survey_complete",
            |v| Box::pin(complete::show(v)),
            false,
        ),
    ]
}

/// Who takes which survey: every hot view but the login begins with this.
struct Taker {
    progress: Progress,
    respondent: Respondent,
    survey: Survey,
}

/// The taker behind a login, when it is one for the survey of this address.
async fn taker(visit: &Visit, with_organization: bool) -> Result<Taker, Trouble> {
    let slug = visit.param("slug").to_string();
    let sign_in = || Trouble::SignIn(format!("/survey/{}/", crate::db::comment::encode(&slug)));
    let taking = visit.session().await?.and_then(|s| s.taking).ok_or_else(sign_in)?;
    let scope = &visit.scope;
    let progress = queries::progress(scope, taking.session).await?.ok_or_else(sign_in)?;
    let respondent = queries::respondent(scope, taking.respondent).await?.ok_or_else(sign_in)?;
    let survey = match with_organization {
        true => queries::survey_with_organization(scope, &slug).await?,
        false => queries::survey(scope, &slug).await?,
    };
    let survey = survey.ok_or(Trouble::NotFound)?;
    // The login is for one survey; its respondent has no business at another.
    if survey.id != taking.survey || progress.survey != survey.id || progress.respondent != respondent.id {
        return Err(sign_in());
    }
    Ok(Taker { progress, respondent, survey })
}
