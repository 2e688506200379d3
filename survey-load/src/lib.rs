//! `survey-load`: load on the survey application.
//!
//! ```text
//!   cli ─► Order ─► attack (goose) ─► Taker ─► walk ─────────► application
//!            └► fleet: N processes        └──► replay ◄─ Journey ◄─ scribe ◄─ record ◄─ browser
//!                       │
//!                     Report ⊕ Report ─► JSON, page, summary
//! ```
//!
//! A respondent is a program with cookies and tokens of its own that takes a whole survey, with time to think. Exact
//! runs count, paced runs load, recorded journeys are gone again by others. It knows the application only from
//! outside and depends on nothing of it; it is a crate of its own because nothing else should compile goose.

pub mod cli;
pub mod order;

pub mod attack;
pub mod codes;
mod dice;
pub mod fleet;
mod pace;
mod replay;
mod taker;
mod walk;

pub mod journey;
pub mod record;
pub mod scribe;

pub mod report;
pub mod times;

mod chart;
pub mod output;
pub mod page;
pub mod page_of_run;
pub mod summary;
mod words;

use std::io::Write;

/// One line on stderr. A closed stderr is no reason to stop.
pub fn notice(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "survey-load: {line}");
}
