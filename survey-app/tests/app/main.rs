//! The application against real servers, all on one stack that nobody disturbs.

#[path = "../common/mod.rs"]
mod common;

mod cache;
mod pooler;
mod refusals;
mod routing;
mod views;
