//! The trace: compact records for questions that cross units and sessions.
//!
//! What is kept depends only on the whole set of calls, never on the order in which they came:
//!
//! - *Askings* of each statement: those of the smallest hashes of parameters, as many as the budget allows. A
//!   statement keeps all askings of a parameter set or none, so a sample of parameter sets is exact about each
//!   (after SHARDS: Waldspurger et al. 2015); only the largest hash may be cut short, and is left out then.
//! - *Writes* of each table: their times, as exact as the budget allows, then rounded down to ever coarser grids.
//! - *Commits*: those of the minutes with the smallest hashes.
//! - *Rows*: updates by hash of their key, in a fixed number of buckets.

use arrayvec::ArrayVec;
use hashbrown::HashMap;

use super::askings::FEWEST_ASKINGS;
pub use super::askings::{Asking, Askings};
use super::writes::RowWrite;
pub use super::writes::Writes;
use crate::bounded::{Bounded, spread};
use crate::finding::{Fact, MINUTE, Step};
use crate::sql::Kind;
use crate::units::{Micros, Timestamp};

/// Askings of one statement and times of writes of one table that are kept at most.
const MOST_OF_ONE: usize = 1 << 16;
/// Askings kept in all.
const MOST_ASKINGS: usize = 1 << 19;
/// Statements whose askings are kept.
const MOST_ASKED: usize = 4096;
/// Times of writes kept in all.
const MOST_WRITES: usize = 1 << 19;
/// Times kept of one table at least.
const FEWEST_WRITES: usize = 1 << 9;
/// Tables whose writes are kept; the others count as always written.
const MOST_TABLES: usize = 4096;
/// Commits kept.
const MOST_COMMITS: usize = 1 << 16;
/// UPDATEs whose rows are told apart.
const MOST_UPDATES: usize = 1024;
/// Buckets of rows of one UPDATE.
pub const BUCKETS: usize = 1024;
/// Updates of it that are counted at once.
const LATE: usize = 32;

/// When and where: the order of everything that is replayed. Packed, because there are hundreds of thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(4))]
pub struct Moment {
    /// When it ended.
    pub time: Timestamp,
    /// Its stream.
    pub stream: u32,
    /// Its byte.
    pub at: u64,
}

/// The askings of one statement in one database.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The statement.
    pub fingerprint: u64,
    /// Hash of the database's name; 0 without one.
    pub database: u64,
    /// When it was asked.
    pub askings: Askings,
}

/// A transaction that wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit {
    /// When its flush ended.
    pub moment: Moment,
    /// How long the COMMIT, or the write that was its own transaction, took.
    pub duration: u32,
    /// Hash of its session's minute: one session commits one transaction after the other.
    pub session: u32,
}

impl Commit {
    /// Hash of its minute, and its place in it: those with the smallest are kept.
    fn rank(&self) -> (u32, Self) {
        let minute = self.moment.time.0.div_euclid(MINUTE) as u64;
        (spread(minute) as u32, *self)
    }
}

/// The commits of some minutes, or of all.
#[derive(Debug, Clone, Default)]
pub struct Commits {
    /// All of them.
    pub count: u64,
    /// In no order.
    pub kept: Vec<Commit>,
    /// Those from here on are dropped.
    limit: Option<(u32, Option<Commit>)>,
}

impl Commits {
    fn add(&mut self, commit: Commit) {
        if self.is_dropped(&commit) {
            return;
        }
        self.kept.push(commit);
        if self.kept.len() >= MOST_COMMITS * 2 {
            self.prune();
        }
    }

    #[inline]
    fn is_dropped(&self, commit: &Commit) -> bool {
        self.limit.is_some_and(|limit| {
            let (minute, commit) = commit.rank();
            (minute, Some(commit)) >= limit
        })
    }

    /// Keeps whole minutes: those below the one that goes over the cap. A first minute beyond it is cut in time.
    #[cold]
    #[inline(never)]
    fn prune(&mut self) {
        if self.kept.len() <= MOST_COMMITS {
            return;
        }
        let (before, over, _) = self.kept.select_nth_unstable_by_key(MOST_COMMITS, Commit::rank);
        let (minute, over) = over.rank();
        let is_first = before.iter().all(|commit| commit.rank().0 == minute);
        self.lower((minute, is_first.then_some(over)));
    }

    fn lower(&mut self, limit: (u32, Option<Commit>)) {
        if self.limit.is_none_or(|own| limit < own) {
            self.limit = Some(limit);
            let mut kept = std::mem::take(&mut self.kept);
            kept.retain(|commit| !self.is_dropped(commit));
            self.kept = kept;
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        if let Some(limit) = other.limit {
            self.lower(limit);
        }
        other.kept.into_iter().for_each(|commit| self.add(commit));
    }
}

/// Updates of rows whose key falls into one bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Updates.
    pub calls: u64,
    /// Their time.
    pub duration: u64,
    /// The smallest and the largest hash of a session, this one inverted: both are 0 before the first.
    sessions: [u32; 2],
}

impl Bucket {
    fn add(&mut self, update: &Update) {
        self.calls += 1;
        self.duration += update.duration;
        self.add_sessions([!update.session, update.session]);
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.duration += other.duration;
        self.add_sessions(other.sessions);
    }

    fn add_sessions(&mut self, [least, most]: [u32; 2]) {
        self.sessions = [self.sessions[0].max(least), self.sessions[1].max(most)];
    }

    /// Whether several sessions updated them.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.sessions[0] != !self.sessions[1]
    }
}

/// One update.
#[derive(Debug, Clone, Copy)]
struct Update {
    bucket: u16,
    /// Hash of the session.
    session: u32,
    duration: u64,
}

/// The rows of one UPDATE.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The statement.
    pub fingerprint: u64,
    /// Buckets by hash of the key.
    pub buckets: Box<[Bucket; BUCKETS]>,
    /// Updates that wait: a processor waits once for the buckets of many.
    late: ArrayVec<Update, LATE>,
}

impl Rows {
    fn new(fingerprint: u64) -> Self {
        Self { fingerprint, buckets: Box::new([Bucket::default(); BUCKETS]), late: ArrayVec::new() }
    }

    fn add(&mut self, update: Update) {
        self.late.push(update);
        if self.late.is_full() {
            self.settle();
        }
    }

    #[inline(never)]
    fn settle(&mut self) {
        self.late.drain(..).for_each(|update| self.buckets[usize::from(update.bucket)].add(&update));
    }

    fn merge(&mut self, other: Self) {
        self.buckets.iter_mut().zip(other.buckets.iter()).for_each(|(own, their)| own.merge(their));
        other.late.into_iter().for_each(|update| self.add(update));
    }
}

/// Where a call came from.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// The stream.
    pub stream: u32,
    /// Hash of the database's name; 0 without one.
    pub database: u64,
    /// Hash of the backend.
    pub session: u64,
}

/// Records that the forecasts replay.
#[derive(Debug, Clone)]
pub struct Trace {
    asked: Bounded<Asked>,
    written: Bounded<Writes>,
    commits: Commits,
    rows: Bounded<Rows>,
    /// A number of tables, and how many times of writes each of them keeps.
    share: (usize, usize),
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            asked: Bounded::new(MOST_ASKED),
            written: Bounded::new(MOST_TABLES),
            commits: Commits::default(),
            rows: Bounded::new(MOST_UPDATES),
            share: (0, MOST_OF_ONE),
        }
    }
}

fn short(duration: u64) -> u32 {
    u32::try_from(duration).unwrap_or(u32::MAX)
}

/// The key of a table in one database.
#[inline(always)]
#[must_use]
pub fn table_key(table: u64, database: u64) -> u64 {
    // Both are hashes.
    table ^ database.rotate_left(17)
}

fn keep_for(most: usize, fewest: usize, count: usize) -> usize {
    (most / count.max(1)).clamp(fewest, MOST_OF_ONE)
}

impl Trace {
    /// Whether calls with this fact are part of it.
    #[inline(always)]
    #[must_use]
    pub fn keeps(fact: &Fact) -> bool {
        fact.question || !fact.writes.is_empty()
    }

    /// One call.
    #[inline(always)]
    pub fn call(&mut self, caller: Caller, step: &Step, fact: &Fact) {
        let Caller { stream, database, session } = caller;
        let moment = Moment { time: step.time, stream, at: step.at };
        if fact.question {
            if step.is_known() && fact.is_judged() {
                self.ask(moment, caller, step);
            }
            return;
        }
        let row = || match fact.kind {
            // What it sets names no row.
            Kind::Update if fact.own_keys == 0 => RowWrite::bulk(moment),
            _ => RowWrite::new(moment, step, fact.returning && fact.kind == Kind::Insert),
        };
        match &*fact.writes {
            [] => return,
            [table] => self.write(*table, table_key(*table, database), &moment, row),
            tables => self.write_all(tables, database, &moment, row),
        }
        if fact.kind == Kind::Update && step.marks.keys() > 0 && step.pairs[0] != 0 {
            self.update(session, step);
        }
    }

    fn ask(&mut self, moment: Moment, caller: Caller, step: &Step) {
        let hash = table_key(step.fingerprint, caller.database);
        let new = || Asked {
            fingerprint: step.fingerprint,
            database: caller.database,
            askings: Askings::default(),
        };
        let Some(place) = self.asked.admit(hash, new, drop) else { return };
        let statements = self.asked.len();
        let askings = &mut self.asked.at(place).askings;
        askings.calls += 1;
        if askings.first.is_none_or(|first| moment < first) {
            askings.first = Some(moment);
        }
        askings.duration += Micros(step.duration);
        let key = spread(step.params);
        // Most of a long log.
        if askings.is_beyond(key) {
            return;
        }
        let who = if step.tag != 0 { step.tag } else { caller.session };
        askings.add(
            Asking {
                key,
                moment,
                who: spread(who) as u32,
                duration: short(step.duration),
                pairs: std::array::from_fn(|place| step.pairs[place]),
            },
            || keep_for(MOST_ASKINGS, FEWEST_ASKINGS, statements),
        );
    }

    /// Several tables at once are rare.
    #[inline(never)]
    fn write_all(&mut self, tables: &[u64], database: u64, moment: &Moment, row: impl Fn() -> RowWrite) {
        tables.iter().for_each(|table| self.write(*table, table_key(*table, database), moment, &row));
    }

    #[inline(always)]
    fn write(&mut self, id: u64, table: u64, moment: &Moment, row: impl FnOnce() -> RowWrite) {
        let Some(place) = self.written.admit(table, || Writes::new(id), drop) else { return };
        // A division is dear, and new tables are rare.
        let tables = self.written.len();
        if self.share.0 != tables {
            self.share = (tables, keep_for(MOST_WRITES, FEWEST_WRITES, tables));
        }
        self.written.at(place).add(moment, row, self.share.1);
    }

    fn update(&mut self, session: u64, step: &Step) {
        let new = || Rows::new(step.fingerprint);
        let Some(place) = self.rows.admit(step.fingerprint, new, drop) else { return };
        let bucket = (step.row() >> 48) as u16 % BUCKETS as u16;
        self.rows.at(place).add(Update { bucket, session: (session >> 32) as u32, duration: step.duration });
    }

    /// A transaction that wrote.
    pub fn commit(&mut self, stream: u32, session: u32, step: &Step) {
        let moment = Moment { time: step.time, stream, at: step.at };
        self.commits.count += 1;
        self.commits.add(Commit { moment, duration: short(step.duration), session });
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        self.asked.limit_from(&other.asked, drop);
        for (hash, theirs) in other.asked {
            if self.asked.takes(hash) {
                let keep = keep_for(MOST_ASKINGS, FEWEST_ASKINGS, self.asked.len());
                let (fingerprint, database) = (theirs.fingerprint, theirs.database);
                let new = || Asked { fingerprint, database, askings: Askings::default() };
                self.asked.entry(hash, new).askings.merge(theirs.askings, keep);
            }
        }
        self.written.limit_from(&other.written, drop);
        for (table, writes) in other.written {
            if self.written.takes(table) {
                let keep = keep_for(MOST_WRITES, FEWEST_WRITES, self.written.len());
                let id = writes.table;
                self.written.entry(table, || Writes::new(id)).merge(writes, keep);
            }
        }
        self.commits.merge(other.commits);
        self.rows.limit_from(&other.rows, drop);
        for (hash, rows) in other.rows {
            if !self.rows.takes(hash) {
                continue;
            }
            match self.rows.get_mut(hash) {
                Some(own) => own.merge(rows),
                None => {
                    self.rows.entry(hash, || rows);
                }
            }
        }
    }

    /// Everything is merged.
    #[must_use]
    pub fn finish(mut self) -> Replay {
        self.asked.prune(drop);
        self.written.prune(drop);
        self.rows.prune(drop);
        let tables_capped = self.written.is_capped();
        let keep = keep_for(MOST_ASKINGS, FEWEST_ASKINGS, self.asked.len());
        let mut asked: Vec<Asked> = self.asked.into_iter().map(|(_, asked)| asked).collect();
        asked.iter_mut().for_each(|asked| asked.askings.finish(keep));
        asked.sort_unstable_by_key(|asked| (asked.fingerprint, asked.database));
        let keep = keep_for(MOST_WRITES, FEWEST_WRITES, self.written.len());
        let mut written: HashMap<u64, Writes> = self.written.into_iter().collect();
        written.values_mut().for_each(|writes| writes.finish(keep));
        self.commits.prune();
        let mut rows: Vec<Rows> = self.rows.into_iter().map(|(_, rows)| rows).collect();
        rows.sort_unstable_by_key(|rows| rows.fingerprint);
        rows.iter_mut().for_each(Rows::settle);
        Replay { asked, written, tables_capped, commits: self.commits, rows }
    }
}

/// What the forecasts replay.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// By statement and database.
    pub asked: Vec<Asked>,
    /// By [`table_key`].
    pub written: HashMap<u64, Writes>,
    /// Whether some tables' writes were dropped.
    pub tables_capped: bool,
    /// Transactions that wrote.
    pub commits: Commits,
    /// Rows of UPDATEs.
    pub rows: Vec<Rows>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Marks;

    /// Commits of some minutes in turn, each a microsecond after the one before.
    fn commits(minutes: u64, count: u64) -> Vec<Commit> {
        let commit = |at: u64| {
            let time = Timestamp((at % minutes) as i64 * MINUTE + at as i64);
            Commit { moment: Moment { time, stream: 0, at }, duration: 1, session: 0 }
        };
        (0..count).map(commit).collect()
    }

    /// What is kept of them, in order, by whoever reads them all and by two who share them.
    fn kept(all: &[Commit]) -> Vec<Commit> {
        let read = |commits: &mut dyn Iterator<Item = &Commit>| {
            let mut read = Commits::default();
            commits.for_each(|commit| read.add(*commit));
            read
        };
        let (one, other) = all.split_at(all.len() / 3);
        let mut shared = read(&mut other.iter().rev());
        shared.merge(read(&mut one.iter()));
        let [whole, shared] = [read(&mut all.iter()), shared].map(|mut read| {
            read.prune();
            read.kept.sort();
            read.kept
        });
        assert!(whole == shared);
        whole
    }

    #[test]
    fn a_minute_with_too_many_commits_is_cut_in_time() {
        let all = commits(1, 100_000);
        assert!(kept(&all) == all[..MOST_COMMITS]);
        let few = commits(7, MOST_COMMITS as u64);
        assert_eq!(kept(&few).len(), MOST_COMMITS);
    }

    #[test]
    fn of_many_minutes_some_are_kept_whole() {
        let all = commits(10, 200_000);
        let kept = kept(&all);
        // 20,000 commits a minute: three of them fit.
        assert_eq!(kept.len(), 60_000);
        let mut minutes: Vec<u32> = all[..10].iter().map(|commit| commit.rank().0).collect();
        minutes.sort_unstable();
        assert!(kept.iter().all(|commit| commit.rank().0 <= minutes[2]));
    }

    #[test]
    fn updates_that_wait_are_counted_in_the_end() {
        let mut trace = Trace::default();
        let fact = Fact { kind: Kind::Update, writes: Box::new([1]), ..Fact::unknown() };
        let mut step = Step::edge(Timestamp(0), 0);
        step.fingerprint = 7;
        step.pairs[0] = 5;
        step.duration = 10;
        step.marks = Marks::new(1, 0, 0, true, false);
        let mut other = trace.clone();
        for session in 0..70_u64 {
            let caller = Caller { stream: 0, database: 0, session: session << 32 };
            if session < 50 { &mut trace } else { &mut other }.call(caller, &step, &fact);
        }
        trace.merge(other);
        let rows = trace.finish().rows;
        let bucket = rows[0].buckets.iter().find(|bucket| bucket.calls > 0).unwrap();
        assert_eq!((bucket.calls, bucket.duration, bucket.is_shared()), (70, 700, true));
    }
}
