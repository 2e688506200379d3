//! The trace: compact records for questions that cross units and sessions.

use crate::finding::{Fact, Step};

/// Records that the forecasts replay.
#[derive(Debug, Clone, Default)]
pub struct Trace {}

impl Trace {
    /// One call.
    pub fn call(&mut self, _stream: u32, _step: &Step, _fact: &Fact) {}

    /// A transaction that wrote.
    pub fn commit(&mut self, _stream: u32, _step: &Step, _statements: u64) {}

    /// Adds another part's.
    pub fn merge(&mut self, _other: Self) {}
}
