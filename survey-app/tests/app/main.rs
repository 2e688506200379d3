//! The application against real servers, all on one stack that nobody disturbs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod administration;
mod cache;
mod front;
mod jobs;
mod metrics;
mod observing;
mod pooler;
mod refusals;
mod routing;
mod views;
