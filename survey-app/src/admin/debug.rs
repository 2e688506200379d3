//! The debug panel's pages, for the addresses in `debug.internal_ips`.

use super::pages::{self, DebugListPage, DebugRequestPage, Frame};
use crate::trouble::Trouble;
use crate::web::{Answer, Visit};
use axum::http::header;
use axum::response::IntoResponse;
use std::sync::Arc;

fn allowed(visit: &Visit) -> Result<(), Trouble> {
    // Whoever may not see it is not told that it is there.
    if visit.app().switches.debug.panel && visit.is_internal { Ok(()) } else { Err(Trouble::NotFound) }
}

/// The last requests.
pub(super) async fn list(visit: Arc<Visit>) -> Answer {
    allowed(&visit)?;
    let requests = visit.app().panel.last();
    Ok(pages::html(&DebugListPage { frame: Frame::of(&visit, "Last requests", None), requests }))
}

/// The statements of one.
pub(super) async fn request(visit: Arc<Visit>) -> Answer {
    allowed(&visit)?;
    let seen = visit.app().panel.find(visit.param("id")).ok_or(Trouble::NotFound)?;
    Ok(pages::html(&DebugRequestPage { frame: Frame::of(&visit, &seen.request.clone(), None), seen }))
}

/// What this process has sent so far, as in `counters.json`.
pub(super) async fn counters(visit: Arc<Visit>) -> Answer {
    allowed(&visit)?;
    let counters = &visit.app().counters;
    let json = serde_json::json!({
        "application_name": visit.app().switches.application_name(),
        "requests": counters.requests(),
        "statements": counters.lines(),
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response())
}
