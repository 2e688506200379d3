//! What stands beside the findings: units, and what was left out on purpose.

use serde::{Deserialize, Serialize};

/// How the calls were put into units of work, and what the rules were told to leave alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// By kind of unit, in the order of preference.
    pub units: Vec<UnitLoad>,
    /// Units that ended because a full minute (or ten seconds, for a burst) of the clock did.
    pub cut_by_clock: u64,
    /// Calls beyond what is judged of a minute as one: judged second by second.
    pub by_second: u64,
    /// Calls in seconds too full to be judged at all.
    pub unjudged: u64,
    /// Whether more findings came than the limit.
    pub capped: bool,
    /// Findings that pglens.toml or a query comment asked to leave out.
    pub suppressed: Vec<Suppressed>,
    /// Statements that the rules leave alone by default.
    pub ignored: Vec<IgnoredLoad>,
}

/// Units of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitLoad {
    /// trace, request, transaction or burst.
    pub kind: String,
    /// Units.
    pub units: u64,
    /// Calls in them. A call of a trace counts in its session's transaction or burst as well.
    pub calls: u64,
}

/// A finding that was left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Suppressed {
    /// Its rule.
    pub kind: String,
    /// Its statement.
    pub fingerprint: String,
    /// `pglens.toml` or `query comment`.
    pub by: String,
    /// The reason given, or empty.
    pub reason: String,
    /// Calls involved.
    pub calls: u64,
}

/// Statements that the rules leave alone, by reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IgnoredLoad {
    /// Why, as `catalogue look-up`.
    pub reason: String,
    /// Distinct statements.
    pub fingerprints: u64,
    /// Their calls.
    pub calls: u64,
}
