//! Findings: which statements an application should not have sent.
//!
//! ```text
//!  Sheet (calls of a session, or of a trace) ──unit──▶ Unit ──judge──▶ Findings ⊕ Findings
//! ```
//!
//! A rule about units is one file with one function `judge(unit, detect, out)`, pure on the calls of one [`Unit`]: it
//! knows nothing of chunks and files. What it finds adds up by rule, statement and route in [`Findings`], and adding is
//! commutative, so the order in which units are judged does not matter. Two rules look at calls beyond the unit: the
//! single-INSERT transactions of `row_by_row_insert`, and `read_back`, which looks back a few seconds in the session.
//! `repeated_select` stands with `redundant_select`, which says it where parameters are not known. Rules about the
//! whole log ([`Rule::OF_THE_LOG`]) are read off what the trace kept, in `assemble::findings`.

mod burst;
pub mod chatty_transaction;
pub mod check_then_write;
mod fact;
mod functions;
pub mod idle_in_transaction;
mod known;
pub mod n_plus_one;
mod naming;
mod outline;
mod overlap;
pub mod read_back;
pub mod redundant_select;
pub mod replica_reads;
pub mod row_by_row_insert;
mod step;
mod tally;
mod unit;
mod wording;

pub use burst::{Clock, Ending};
pub use fact::{Depends, Fact, Facts, Ignored, MOST_FACTS, Verb, table_id, table_name};
pub use known::{Class, Deeds, Known};
pub use outline::LEAD;
pub use step::{FAILURE, MOST_PAIRS, Marks, NO_TIME, Step, column_id, pair};
pub use tally::{
    Calls, Enclosed, FindingTally, Findings, Found, Join, Key, MOST_EXAMPLE, MOST_FINDINGS, Row,
};
pub use unit::{Bench, Carried, Judge, MINUTE, Unit, UnitCounts, UnitKind};

/// The rules, as they are named in every output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Rule {
    /// The same question twice in one unit.
    RedundantSelect,
    /// The same statement again and again, its parameters not in the log.
    RepeatedSelect,
    /// The same question again in another session or trace, or more than a second later.
    CacheableSelect,
    /// One statement for each row of another.
    NPlusOne,
    /// What was just written, read again.
    ReadBack,
    /// Look first, then write.
    CheckThenWrite,
    /// One INSERT a row.
    RowByRowInsert,
    /// One row updated by everyone.
    HotRow,
    /// Reads that a replica could serve.
    ReplicaReads,
    /// Many statements in one transaction.
    ChattyTransaction,
    /// A transaction left open.
    IdleInTransaction,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 11] = [
        Self::RedundantSelect,
        Self::RepeatedSelect,
        Self::CacheableSelect,
        Self::NPlusOne,
        Self::ReadBack,
        Self::CheckThenWrite,
        Self::RowByRowInsert,
        Self::HotRow,
        Self::ReplicaReads,
        Self::ChattyTransaction,
        Self::IdleInTransaction,
    ];

    /// Its name in reports, configuration and query comments.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RedundantSelect => "redundant_select",
            Self::RepeatedSelect => "repeated_select",
            Self::CacheableSelect => "cacheable_select",
            Self::NPlusOne => "n_plus_one",
            Self::ReadBack => "read_back",
            Self::CheckThenWrite => "check_then_write",
            Self::RowByRowInsert => "row_by_row_insert",
            Self::HotRow => "hot_row",
            Self::ReplicaReads => "replica_reads",
            Self::ChattyTransaction => "chatty_transaction",
            Self::IdleInTransaction => "idle_in_transaction",
        }
    }

    /// The rule of a name; hyphens count as underscores, and `redundant` and `read-back` are accepted for short.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.replace('-', "_").to_ascii_lowercase();
        let short =
            |rule: &&Self| rule.as_str() == name || rule.as_str().strip_suffix("_select") == Some(&*name);
        Self::ALL.iter().find(short).copied()
    }

    /// Its bit in [`Marks::ignore`].
    #[must_use]
    pub fn bit(self) -> u16 {
        1 << self as u16
    }

    /// The bits of the rules that look at the whole log rather than at units of work.
    pub const OF_THE_LOG: u16 =
        1 << Self::CacheableSelect as u16 | 1 << Self::HotRow as u16 | 1 << Self::ReplicaReads as u16;

    /// The bits of the rules that a query comment names; `all` names all of them.
    pub fn bits<'n>(names: impl Iterator<Item = &'n str>) -> u16 {
        names.fold(0, |bits, name| match name {
            "all" | "*" => u16::MAX,
            name => bits | Self::parse(name).map_or(0, Self::bit),
        })
    }
}

/// Thresholds of the rules. `[detect]` of pglens.toml overrides them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detect {
    /// Look for nothing: the report counts, and has neither findings nor forecasts (`--no-findings`).
    pub off: bool,
    /// A session's calls further apart than this, in microseconds, belong to different bursts.
    pub burst_gap: u64,
    /// Calls, and distinct parameters, that make an N+1.
    pub n_plus_one: u64,
    /// Repetitions that make a sequence an N+1.
    pub sequence: u64,
    /// Askings of one question in one unit that are redundant.
    pub redundant: u64,
    /// Single-row INSERTs that could be one.
    pub row_by_row: u64,
    /// How long after a write, in microseconds, a read counts as reading back, or must not go to a replica.
    pub pin: u64,
    /// Statements of one transaction that make it chatty.
    pub chatty: u64,
    /// A gap inside a transaction, in microseconds, that leaves it idle.
    pub idle: u64,
    /// Updates of one row that make it hot.
    pub hot_row: u64,
    /// Repeats across units that make a question worth a cache.
    pub cacheable: u64,
    /// Permille of the calls of a question that a cache must be able to answer.
    pub cacheable_permille: u64,
    /// Permille of all statements and of all time below which a finding is folded away.
    pub minor_permille: u64,
    /// A tag of query comments that says which request a call belongs to, besides the usual ones.
    pub unit_tag: Option<String>,
    /// A tag of query comments by which statements are listed, instead of by their route.
    pub group_tag: Option<String>,
    /// Functions that write, besides the built-in ones.
    pub writing_functions: Vec<String>,
}

impl Default for Detect {
    fn default() -> Self {
        Self {
            off: false,
            burst_gap: 1_000_000,
            n_plus_one: 5,
            sequence: 3,
            redundant: 2,
            row_by_row: 5,
            pin: 5_000_000,
            chatty: 20,
            idle: 1_000_000,
            hot_row: 50,
            cacheable: 3,
            cacheable_permille: 250,
            minor_permille: 1,
            unit_tag: None,
            group_tag: None,
            writing_functions: Vec::new(),
        }
    }
}
