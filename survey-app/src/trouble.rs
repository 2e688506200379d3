//! What a view can fail with, and what the person in front of it gets to see.
//!
//! Serves every view. Details of a failing server go to stderr, never into a page.

use crate::app::App;
use crate::pages;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

/// Why there is no page.
#[derive(Debug)]
pub enum Trouble {
    /// No such survey, page, row.
    NotFound,
    /// Not allowed, with the sentence to show.
    Forbidden(&'static str),
    /// Somebody has to sign in at this address first.
    SignIn(String),
    /// The request makes no sense, with the sentence to show.
    Bad(String),
    /// A server does not answer; trying again later helps.
    Unavailable(anyhow::Error),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Trouble {
        Trouble::Unavailable(error)
    }
}

impl Trouble {
    /// The status code.
    pub fn status(&self) -> StatusCode {
        match self {
            Trouble::NotFound => StatusCode::NOT_FOUND,
            Trouble::Forbidden(_) => StatusCode::FORBIDDEN,
            Trouble::SignIn(_) => StatusCode::SEE_OTHER,
            Trouble::Bad(_) => StatusCode::BAD_REQUEST,
            Trouble::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The sentence to show.
    pub fn sentence(&self) -> String {
        match self {
            Trouble::NotFound => "There is no such page.".to_string(),
            Trouble::Forbidden(sentence) => (*sentence).to_string(),
            Trouble::SignIn(_) => "Please sign in again.".to_string(),
            Trouble::Bad(sentence) => sentence.clone(),
            Trouble::Unavailable(_) => {
                "We cannot reach our records at the moment. Nothing that was saved is lost; please try again shortly."
                    .to_string()
            }
        }
    }

    /// As a page, or for a script as JSON.
    pub fn answer(self, app: &App, for_script: bool) -> Response {
        let (status, sentence) = (self.status(), self.sentence());
        if let Trouble::Unavailable(error) = &self {
            crate::notice_seldom(&format!("unavailable: {error:#}"));
        }
        match self {
            Trouble::SignIn(location) if for_script => {
                let body = serde_json::json!({ "error": sentence, "sign_in": location }).to_string();
                (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, "application/json")], body).into_response()
            }
            Trouble::SignIn(location) => Redirect::to(&location).into_response(),
            _ if for_script => {
                let body = serde_json::json!({ "error": sentence }).to_string();
                (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
            }
            _ => (status, pages::message(app, &sentence)).into_response(),
        }
    }
}
