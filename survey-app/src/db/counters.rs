//! The application's own count of every statement it sent.
//!
//! Serves `counters.json`, the tests and the debug panel's check. A statement is counted when it is handed to
//! the connection, so that the count does not depend on what the server logs.

use super::{Kind, Server};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What statements are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The view (or `migrate`, `seed`, `worker:…`) that sent it.
    pub view: String,
    /// Where it went.
    pub server: Server,
    /// What it does.
    pub kind: Kind,
    /// The table that it is about; empty for transaction control.
    pub table: String,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sent: u64,
    failed: u64,
}

/// One line of the list in `counters.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What is counted.
    #[serde(flatten)]
    pub key: Key,
    /// Statements that were sent.
    pub calls: u64,
    /// Those of them that came back as an error; PostgreSQL logs no duration for these.
    pub failed: u64,
}

/// Counts of one process.
#[derive(Debug, Default)]
pub struct Counters {
    statements: Mutex<BTreeMap<Key, Tally>>,
    requests: Mutex<BTreeMap<String, u64>>,
}

impl Counters {
    /// One statement more.
    pub fn sent(&self, key: Key) {
        self.statements.lock().expect("no panic holds this lock").entry(key).or_default().sent += 1;
    }

    /// A statement that was counted as sent came back as an error.
    pub fn failed(&self, key: &Key) {
        if let Some(tally) = self.statements.lock().expect("no panic holds this lock").get_mut(key) {
            tally.failed += 1;
        }
    }

    /// One request more to `view`.
    pub fn request(&self, view: &str) {
        *self.requests.lock().expect("no panic holds this lock").entry(view.to_string()).or_default() += 1;
    }

    /// Every count, in the order of its key.
    pub fn lines(&self) -> Vec<Line> {
        let map = self.statements.lock().expect("no panic holds this lock");
        map.iter().map(|(key, t)| Line { key: key.clone(), calls: t.sent, failed: t.failed }).collect()
    }

    /// Requests by view.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.requests.lock().expect("no panic holds this lock").clone()
    }

    /// Sum over the lines that `keep` takes.
    pub fn sum(&self, keep: impl Fn(&Key) -> bool) -> u64 {
        self.lines().iter().filter(|l| keep(&l.key)).map(|l| l.calls).sum()
    }

    /// Forgets everything, so that a test can count one stretch.
    pub fn clear(&self) {
        self.statements.lock().expect("no panic holds this lock").clear();
        self.requests.lock().expect("no panic holds this lock").clear();
    }
}
