//! The pages that respondents see.
//!
//! Serves the hot views. A page is a template with values; it decides nothing.

use crate::app::App;
use crate::web::Visit;
use askama::Template;
use axum::response::{Html, IntoResponse, Response};

/// What every page needs.
#[derive(Clone, Debug)]
pub struct Page {
    /// The title in the browser and at the top.
    pub title: String,
    /// Style sheets to link.
    pub styles: Vec<String>,
    /// Scripts to link.
    pub scripts: Vec<String>,
    /// The token that forms must carry.
    pub csrf: String,
}

impl Page {
    /// A page for this visit.
    pub fn of(visit: &Visit, title: &str) -> Page {
        Page { csrf: visit.csrf.clone(), ..Page::bare(visit.app(), title) }
    }

    fn bare(app: &App, title: &str) -> Page {
        Page {
            title: title.to_string(),
            styles: app.assets.links("site.css").to_vec(),
            scripts: app.assets.links("survey.js").to_vec(),
            csrf: String::new(),
        }
    }
}

/// The code is asked for.
#[derive(Debug, Template)]
#[template(path = "login.html")]
#[expect(missing_docs, reason = "values of the template")]
pub struct LoginPage {
    pub page: Page,
    pub organization: String,
    pub is_open: bool,
    pub help: String,
    pub error: &'static str,
}

/// The frame into which pages are loaded.
#[derive(Debug, Template)]
#[template(path = "display.html")]
#[expect(missing_docs, reason = "values of the template")]
pub struct DisplayPage {
    pub page: Page,
    pub slug: String,
    pub organization: String,
    pub school: String,
    pub help: String,
    pub welcome: String,
    pub privacy: String,
    pub pages: Vec<(i64, String)>,
    pub questions: i64,
    pub completed: i64,
    pub current: i64,
}

/// One page of questions.
#[derive(Debug, Template)]
#[template(path = "content.html")]
#[expect(missing_docs, reason = "values of the template")]
pub struct ContentPage {
    pub number: i64,
    pub title: String,
    pub is_last: bool,
    pub branches: bool,
    pub pages: i64,
    pub total: i64,
    pub questions: Vec<ShownQuestion>,
}

/// A question as it is shown.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "values of the template")]
pub struct ShownQuestion {
    pub id: i64,
    pub number: i64,
    pub body: String,
    pub required: bool,
    pub given: String,
    /// Value and label; none for free text.
    pub choices: Vec<(String, String)>,
}

/// Thanks.
#[derive(Debug, Template)]
#[template(path = "complete.html")]
#[expect(missing_docs, reason = "values of the template")]
pub struct CompletePage {
    pub page: Page,
    pub organization: String,
    pub school: String,
    pub answers: i64,
}

#[derive(Debug, Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    page: Page,
    sentence: &'a str,
}

/// One sentence on a page of its own.
pub fn message(app: &App, sentence: &str) -> Response {
    html(&MessagePage { page: Page::bare(app, "Survey"), sentence })
}

/// A template as an answer.
pub fn html(template: &impl Template) -> Response {
    Html(template.render().expect("templates are checked when compiled; writing to a String cannot fail"))
        .into_response()
}
