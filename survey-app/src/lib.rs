//! `survey-app`: the write-heavy survey application on which pglens is proved.
//!
//! ```text
//!   nginx ──► web (several) ── published files from disk
//!   web ── survey (five hot views), admin ──► scope ──► router ──► PostgreSQL primary / replica
//!                                              │  └────► cache ──► memcached, flush lists in Redis
//!                                              └───────► counters, debug panel, query comments
//!   metrics ── where each request's time goes ──► /metrics ──► observe (page of a run), lesson (settings compared)
//!   worker ── jobs over Redis ──► scope          stack ── starts every server for up, demo, run, lesson and the tests
//!                                                provision ── the same servers as a file in git declares them
//!   capacity, tune ── arithmetic: how much of each, and with which settings
//! ```
//!
//! Every step of the talk is a switch ([`config`]); the same code runs the naive and the tuned profile. This
//! crate depends on nothing in pglens: all that connects them is PostgreSQL's log.

pub mod cli;
pub mod config;
pub mod endpoints;
pub mod models;

pub mod app;
pub mod cache;
pub mod db;
pub mod router;
pub mod scope;

pub mod admin;
pub mod debug;
pub mod metrics;
pub mod pages;
pub mod proxy;
pub mod session;
pub mod site;
pub mod survey;
pub mod trouble;
pub mod web;

pub mod assets;
pub mod capacity;
pub mod csv;
pub mod lesson;
pub mod migrate;
pub mod observe;
pub mod plan;
pub mod provision;
pub mod publish;
pub mod respondent;
pub mod run;
pub mod secret;
pub mod stack;
pub mod tune;
pub mod up;
pub mod worker;

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// One line on stderr. A closed stderr is no reason to stop.
pub fn notice(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "survey-app: {line}");
}

/// As [`notice`], at most once a second: a server that is down fails every request in the same way.
pub(crate) fn notice_seldom(line: &str) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    if LAST.swap(now, Ordering::Relaxed) != now {
        notice(line);
    }
}
