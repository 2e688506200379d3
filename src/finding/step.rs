//! [`Step`]: one executed call as the rules see it.
//!
//! A step is small and `Copy`: a unit of work is a slice of them. What the rules know about its statement is a
//! [`Fact`](super::Fact), once per fingerprint. A step knows neither SQL text nor chunks nor reports.

use xxhash_rust::xxh3::xxh3_64;

use crate::bounded::spread;
use crate::units::Timestamp;

/// Column-and-value pairs kept of one call: those of WHERE first, then those that are written.
pub const MOST_PAIRS: usize = 6;

/// The time of a step that the log gives none.
pub const NO_TIME: Timestamp = Timestamp(i64::MIN);

/// What stands for a statement where one failed.
pub const FAILURE: u64 = 1;

/// One executed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When it ended, as logged; [`NO_TIME`] without a time.
    pub time: Timestamp,
    /// Its duration in microseconds; 0 without one.
    pub duration: u64,
    /// Its place: byte of its stream.
    pub at: u64,
    /// Its statement; 0 for the edge of a session, [`FAILURE`] for a failure.
    pub fingerprint: u64,
    /// Hash of its parameters, where they are known.
    pub params: u64,
    /// Hash of its route; 0 without one.
    pub route: u64,
    /// Hash of the trace or request that it says it belongs to; 0 without one.
    pub tag: u64,
    /// Hashes of column and value: what WHERE compares by equality, then what is written; 0 beyond the last.
    pub pairs: [u32; MOST_PAIRS],
    /// The rest.
    pub marks: Marks,
}

/// The small things about a call, in one word: what is written in pieces and read as a whole a moment later, a
/// processor waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks(u64);

impl Marks {
    const KNOWN: u64 = 1 << 8;
    const TRACE: u64 = 1 << 9;
    const ONE_ROW: u64 = 1 << 10;
    const AT_WORK: u64 = 1 << 11;

    /// What is answered below, in one word; `rows` are those of its VALUES list.
    #[inline(always)]
    #[must_use]
    pub fn new(keys: u8, rows: u32, ignore: u16, known: bool, trace: bool) -> Self {
        let flags = (u64::from(known) * Self::KNOWN)
            | (u64::from(trace) * Self::TRACE)
            | (u64::from(rows == 1) * Self::ONE_ROW);
        Self(u64::from(keys) | flags | (u64::from(ignore) << 16))
    }

    /// How many of [`Step::pairs`] stand in WHERE, outside of subqueries.
    #[inline(always)]
    #[must_use]
    pub fn keys(self) -> usize {
        usize::from(self.0 as u8)
    }

    /// Whether the parameters of the call are known, or it has none.
    #[inline(always)]
    #[must_use]
    pub fn is_known(self) -> bool {
        self.0 & Self::KNOWN != 0
    }

    /// Whether the tag is a trace id rather than a request id.
    #[must_use]
    pub fn is_trace(self) -> bool {
        self.0 & Self::TRACE != 0
    }

    /// Rules that its query comment asks to be left out of, as bits of [`super::Rule`].
    #[must_use]
    pub fn ignore(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Whether its VALUES list has one row.
    #[inline(always)]
    #[must_use]
    pub fn is_one_row(self) -> bool {
        self.0 & Self::ONE_ROW != 0
    }

    /// Of a failure: whether the server was at work on a statement until then.
    #[must_use]
    pub fn is_at_work(self) -> bool {
        self.0 & Self::AT_WORK != 0
    }

    /// Microseconds for which the server worked for the session since the call before: parse, bind, rows fetched from
    /// an open portal. Over an hour at most.
    #[inline(always)]
    #[must_use]
    pub fn ahead(self) -> u64 {
        self.0 >> 32
    }

    /// Adds to [`Marks::ahead`].
    #[inline(always)]
    pub fn add_ahead(&mut self, micros: u64) {
        let ahead = self.ahead().saturating_add(micros).min(u64::from(u32::MAX));
        self.0 = self.0 & u64::from(u32::MAX) | ahead << 32;
    }
}

impl Step {
    /// The edge of a session: nothing goes on across it.
    #[must_use]
    pub fn edge(time: Timestamp, at: u64) -> Self {
        Self {
            time,
            duration: 0,
            at,
            fingerprint: 0,
            params: 0,
            route: 0,
            tag: 0,
            pairs: [0; MOST_PAIRS],
            marks: Marks::default(),
        }
    }

    /// Whether this is no call but the edge of a session.
    #[must_use]
    pub fn is_edge(&self) -> bool {
        self.fingerprint == 0
    }

    /// A failure: the transaction that it happened in is lost. Of a statement that the server was `at_work` on nobody
    /// knows when it began.
    #[must_use]
    pub fn failure(time: Timestamp, at: u64, at_work: bool) -> Self {
        let marks = Marks(u64::from(at_work) * Marks::AT_WORK);
        Self { fingerprint: FAILURE, marks, ..Self::edge(time, at) }
    }

    /// Whether this is a call, and neither an edge nor a failure.
    #[must_use]
    pub fn is_call(&self) -> bool {
        self.fingerprint > FAILURE
    }

    /// Whether its parameters are known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.marks.is_known()
    }

    /// When the server began with it, parse and bind included; the end where there is no duration.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        Timestamp(self.time.0.saturating_sub_unsigned(self.duration.saturating_add(self.marks.ahead())))
    }

    /// Microseconds for which the client let the server wait between this call and the next.
    #[must_use]
    pub fn idle_before(&self, next: &Self) -> u64 {
        if next.marks.is_at_work() { 0 } else { self.wait_before(next) }
    }

    /// Microseconds between the end of this call and the start of the next; 0 when they overlap or have no time.
    #[must_use]
    pub fn wait_before(&self, next: &Self) -> u64 {
        self.wait_until(next.start())
    }

    /// Microseconds between the end of this call and a later moment; 0 when it is none or either has no time.
    #[must_use]
    pub fn wait_until(&self, moment: Timestamp) -> u64 {
        if self.time == NO_TIME || moment == NO_TIME {
            return 0;
        }
        u64::try_from(moment.0.saturating_sub(self.time.0)).unwrap_or(0)
    }

    /// What WHERE compares.
    #[must_use]
    pub fn keys(&self) -> &[u32] {
        &self.pairs[..self.marks.keys().min(MOST_PAIRS)]
    }

    /// A hash of what WHERE compares.
    #[must_use]
    pub fn row(&self) -> u64 {
        self.keys().iter().fold(0, |row, key| spread(row ^ u64::from(*key)))
    }

    /// Whether all that `self` asks by was named by `write`: its key, or what it wrote. Only if the one asks about a
    /// table that the other writes ([`Fact::asks_about`](super::Fact::asks_about)), that is the same row.
    #[must_use]
    pub fn asks_for(&self, write: &Self) -> bool {
        self.asks_by(&write.pairs)
    }

    /// Whether all that `self` asks by is among `pairs`.
    #[must_use]
    pub fn asks_by(&self, pairs: &[u32]) -> bool {
        let keys = self.keys();
        // 0 is a value that is not known, as those of a list are: it names no row.
        !keys.is_empty() && keys.iter().all(|key| *key != 0 && pairs.contains(key))
    }
}

/// The hash of a column name, as it goes into a pair.
#[must_use]
pub fn column_id(name: &str) -> u32 {
    xxh3_64(name.as_bytes()) as u32
}

/// One column and one value.
#[must_use]
pub fn pair(column: u32, value: u64) -> u32 {
    let mixed = (value ^ (u64::from(column) << 32 | u64::from(column))).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    // 0 means "no pair".
    ((mixed >> 32) as u32).max(1)
}
