//! [`Findings`]: what the rules found, added up by rule, statement and route.
//!
//! Addition is commutative and associative: sums, and one example chosen by a full order.

use std::collections::BTreeMap;

use super::overlap::Overlap;
use super::replica_reads::Reads;
use super::row_by_row_insert::SIZES;
use super::{Rule, Step, Unit, UnitKind};
use crate::bounded::Bounded;
use crate::units::{Micros, Timestamp, scale};

/// Findings kept; what is beyond is counted as capped.
pub const MOST_FINDINGS: usize = 16_384;
/// Rows of an example.
pub const MOST_EXAMPLE: usize = 40;
/// The number of a finding that says how many transactions would be saved.
pub(super) const COMMITS_SAVED: &str = "commits_saved";
/// The part of it that is not sure; no finding has it in the end.
pub(super) const LOOSE: &str = "loose";
/// Other fingerprints kept for a finding.
const MOST_RELATED: usize = 64;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which rule.
    pub rule: Rule,
    /// Which statement.
    pub fingerprint: u64,
    /// Hash of the route; 0 without one.
    pub route: u64,
}

impl Key {
    fn hash(self) -> u64 {
        let mut bytes = [0; 17];
        bytes[0] = self.rule as u8;
        bytes[1..9].copy_from_slice(&self.fingerprint.to_le_bytes());
        bytes[9..].copy_from_slice(&self.route.to_le_bytes());
        xxhash_rust::xxh3::xxh3_64(&bytes)
    }
}

/// What one unit shows of a finding.
#[derive(Debug, Clone, Copy, Default)]
pub struct Calls<'a> {
    /// Places of the calls involved, within the unit.
    pub marks: &'a [u32],
    /// Statements that need not have been sent, and their time.
    pub saved: (u64, u64),
    /// Other statements involved; 0 for none.
    pub related: [u64; 2],
    /// The call that makes the first of them what it is, as the write that it reads back: the example shows it too.
    pub beside: Option<&'a Step>,
    /// Further numbers, added up by name.
    pub numbers: &'a [(&'static str, u64)],
}

/// One line of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// When it ended.
    pub time: Timestamp,
    /// How long it took.
    pub duration: u64,
    /// Which statement.
    pub fingerprint: u64,
    /// Whether the finding is about it.
    pub marked: bool,
    /// How many calls in a row.
    pub times: u64,
}

impl Row {
    fn of(step: &Step, marked: bool) -> Self {
        let Step { time, duration, fingerprint, .. } = *step;
        Self { time, duration, fingerprint, marked, times: 1 }
    }
}

/// A finding, added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingTally {
    /// What it is about.
    pub key: Key,
    /// Units by kind.
    pub units: [u64; UnitKind::COUNT],
    /// Calls involved.
    pub calls: u64,
    /// Statements that need not have been sent.
    pub statements: u64,
    /// Their time.
    pub duration: Micros,
    /// Further numbers.
    pub numbers: BTreeMap<&'static str, u64>,
    /// Other statements involved, with counts; the smallest fingerprints.
    pub related: BTreeMap<u64, u64>,
    /// The rank of the example: most statements saved, then the first place.
    rank: (std::cmp::Reverse<u64>, u32, u64),
    /// One unit.
    pub example: Vec<Row>,
}

impl FindingTally {
    fn new(key: Key) -> Self {
        Self {
            key,
            units: [0; UnitKind::COUNT],
            calls: 0,
            statements: 0,
            duration: Micros(0),
            numbers: BTreeMap::new(),
            related: BTreeMap::new(),
            rank: (std::cmp::Reverse(0), u32::MAX, u64::MAX),
            example: Vec::new(),
        }
    }

    fn relate(&mut self, fingerprint: u64, count: u64) {
        *self.related.entry(fingerprint).or_default() += count;
        if self.related.len() > MOST_RELATED {
            self.related.pop_last();
        }
    }

    fn merge(&mut self, other: Self) {
        for (own, their) in self.units.iter_mut().zip(other.units) {
            *own += their;
        }
        self.calls += other.calls;
        self.statements += other.statements;
        self.duration += other.duration;
        for (name, number) in other.numbers {
            *self.numbers.entry(name).or_default() += number;
        }
        for (fingerprint, count) in other.related {
            self.relate(fingerprint, count);
        }
        if (other.rank, &other.example) < (self.rank, &self.example) {
            self.rank = other.rank;
            self.example = other.example;
        }
    }
}

/// Everything found.
#[derive(Debug, Clone)]
pub struct Findings {
    list: Bounded<FindingTally>,
    /// What query comments asked to leave out: calls by rule and statement.
    suppressed: BTreeMap<(Rule, u64), u64>,
    /// Calls whose comment names a rule about the whole log, by rule and statement.
    excused: BTreeMap<(Rule, u64), u64>,
    /// What a replica could serve, by statement and route.
    reads: Bounded<(u64, u64, Reads)>,
    /// What joining calls would save, by rule and statement.
    joins: Bounded<(Rule, u64, Join)>,
    /// By statement: single-row INSERTs of traces and requests.
    tagged: BTreeMap<u64, Enclosed>,
    /// Which of these two things hold back.
    pub(super) overlap: Overlap,
    /// For `read_back`, which a log may have in every unit.
    pub(super) room: Room,
}

/// Room for what a rule finds in one unit, kept for the next one.
#[derive(Debug, Clone, Default)]
pub(super) struct Room {
    /// A reading's statement, its place, and how many calls before it the write stands.
    pub(super) found: Vec<(u64, u32, u32)>,
    /// Places.
    pub(super) marks: Vec<u32>,
}

/// What joining the calls of one statement within each unit saves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Join {
    /// Units with at least two of them.
    pub units: u64,
    /// Calls but one of each unit.
    pub saved: u64,
    /// Their time.
    pub duration: Micros,
    /// Transactions saved.
    pub commits: u64,
    /// Of these the ones of traces and requests that tell of no transaction: see [`Enclosed`].
    pub loose: u64,
    /// Units in which a question led to them, with which they could be joined.
    pub led: u64,
    /// Time of the first call of each of these.
    pub led_duration: Micros,
    /// Of INSERTs: how many are left when a statement takes at most so many rows, for each of [`SIZES`].
    pub left: [u64; SIZES.len()],
}

/// Calls of traces and requests, and how many of them were in a transaction of their session.
///
/// Many drivers tag each statement but not their BEGIN and COMMIT: a trace does not know then whether its writes are
/// committed one by one. Their session does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Enclosed {
    /// All.
    pub calls: u64,
    /// Those in a transaction.
    pub enclosed: u64,
}

impl Enclosed {
    /// Adds others.
    pub(super) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.enclosed += other.enclosed;
    }

    /// Of `some` of them, as many as were in a transaction.
    fn inside(self, some: u64) -> u64 {
        scale(self.enclosed, self.calls, some)
    }

    /// Of `some` of them, as many as were in none.
    pub(super) fn outside(self, some: u64) -> u64 {
        scale(self.calls - self.enclosed, self.calls, some)
    }
}

impl Default for Findings {
    fn default() -> Self {
        Self {
            list: Bounded::new(MOST_FINDINGS),
            suppressed: BTreeMap::new(),
            excused: BTreeMap::new(),
            reads: Bounded::new(MOST_FINDINGS),
            joins: Bounded::new(MOST_FINDINGS),
            tagged: BTreeMap::new(),
            overlap: Overlap::default(),
            room: Room::default(),
        }
    }
}

impl Findings {
    /// Adds what a rule found in a unit. The first mark gives statement and route.
    pub fn add(&mut self, rule: Rule, unit: &Unit<'_>, calls: &Calls<'_>) {
        let Some(first) = calls.marks.first().and_then(|mark| unit.steps.get(*mark as usize)) else { return };
        if first.marks.ignore() & rule.bit() != 0 {
            count_capped(&mut self.suppressed, (rule, first.fingerprint), calls.marks.len() as u64);
            return;
        }
        let key = Key { rule, fingerprint: first.fingerprint, route: first.route };
        let hash = key.hash();
        if !self.list.takes(hash) {
            return;
        }
        let finding = self.list.entry(hash, || FindingTally::new(key));
        if !unit.continued {
            finding.units[unit.kind as usize] += 1;
        }
        finding.calls += calls.marks.len() as u64;
        finding.statements += calls.saved.0;
        finding.duration += Micros(calls.saved.1);
        for (name, number) in calls.numbers {
            *finding.numbers.entry(name).or_default() += number;
        }
        for related in calls.related.into_iter().filter(|related| *related != 0) {
            finding.relate(related, 1);
        }
        let rank = (std::cmp::Reverse(calls.saved.0), unit.stream, first.at);
        if rank < finding.rank {
            finding.rank = rank;
            finding.example = example(unit.steps, calls);
        }
        if self.list.is_overfull() {
            self.list.prune(drop);
        }
    }

    /// A call whose comment names rules about the whole log: `ignore` has their bits.
    #[cold]
    #[inline(never)]
    pub fn excuse(&mut self, fingerprint: u64, ignore: u16) {
        for rule in Rule::ALL.into_iter().filter(|rule| ignore & Rule::OF_THE_LOG & rule.bit() != 0) {
            count_capped(&mut self.excused, (rule, fingerprint), 1);
        }
    }

    /// The reads of a statement and route; `None` beyond the cap.
    pub(super) fn reads(&mut self, fingerprint: u64, route: u64) -> Option<&mut Reads> {
        let hash = reads_hash(fingerprint, route);
        let place = self.reads.admit(hash, || (fingerprint, route, Reads::default()), drop)?;
        Some(&mut self.reads.at(place).2)
    }

    /// Calls of one statement in one unit that could be one; for the forecasts, also where they are no finding.
    pub(super) fn join(&mut self, rule: Rule, fingerprint: u64, join: Join) {
        let hash = Key { rule, fingerprint, route: 0 }.hash();
        if let Some(place) = self.joins.admit(hash, || (rule, fingerprint, Join::default()), drop) {
            let own = &mut self.joins.at(place).2;
            own.units += join.units;
            own.saved += join.saved;
            own.duration += join.duration;
            own.commits += join.commits;
            own.loose += join.loose;
            own.led += join.led;
            own.led_duration += join.led_duration;
            own.left.iter_mut().zip(join.left).for_each(|(own, their)| *own += their);
        }
    }

    /// Single-row INSERTs of traces and requests.
    pub(super) fn enclose(&mut self, fingerprint: u64, calls: Enclosed) {
        self.tagged.entry(fingerprint).or_default().add(calls);
        if self.tagged.len() > MOST_FINDINGS {
            self.tagged.pop_last();
        }
    }

    /// Adds what was found elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.list.limit_from(&other.list, drop);
        for (hash, finding) in other.list {
            if !self.list.takes(hash) {
                continue;
            }
            match self.list.get_mut(hash) {
                Some(own) => own.merge(finding),
                None => {
                    self.list.entry(hash, || finding);
                }
            }
            if self.list.is_overfull() {
                self.list.prune(drop);
            }
        }
        for (own, theirs) in [(&mut self.suppressed, other.suppressed), (&mut self.excused, other.excused)] {
            theirs.into_iter().for_each(|(key, calls)| count_capped(own, key, calls));
        }
        other.tagged.into_iter().for_each(|(fingerprint, calls)| self.enclose(fingerprint, calls));
        self.joins.limit_from(&other.joins, drop);
        for (_, (rule, fingerprint, join)) in other.joins {
            self.join(rule, fingerprint, join);
        }
        self.overlap.merge(other.overlap);
        self.reads.limit_from(&other.reads, drop);
        for (_, (fingerprint, route, theirs)) in other.reads {
            if let Some(own) = self.reads(fingerprint, route) {
                own.merge(&theirs);
            }
        }
    }

    /// Everything, in a fixed order.
    #[must_use]
    pub fn finish(mut self) -> Found {
        self.list.prune(drop);
        self.reads.prune(drop);
        for (fingerprint, route, recount) in self.overlap.settle() {
            if let Some(reads) = self.reads.get_mut(reads_hash(fingerprint, route)) {
                reads.2.recount(recount);
            }
        }
        self.joins.prune(drop);
        let capped = self.list.is_capped() || self.reads.is_capped();
        let mut list: Vec<FindingTally> = self.list.into_iter().map(|(_, finding)| finding).collect();
        let inside =
            |fingerprint: u64, loose: u64| self.tagged.get(&fingerprint).map_or(0, |all| all.inside(loose));
        for finding in &mut list {
            if let Some(loose) = finding.numbers.remove(LOOSE)
                && let Some(saved) = finding.numbers.get_mut(COMMITS_SAVED)
            {
                *saved -= inside(finding.key.fingerprint, loose);
            }
        }
        list.sort_unstable_by_key(|finding| finding.key);
        let mut reads: Vec<(u64, u64, Reads)> = self.reads.into_iter().map(|(_, reads)| reads).collect();
        reads.iter_mut().for_each(|reads| reads.2.bound());
        reads.sort_unstable_by_key(|reads| (reads.0, reads.1));
        let mut joins: Vec<(Rule, u64, Join)> = self.joins.into_iter().map(|(_, join)| join).collect();
        for (_, fingerprint, join) in &mut joins {
            join.commits -= inside(*fingerprint, join.loose);
        }
        joins.sort_unstable_by_key(|join| (join.0, join.1));
        Found { list, suppressed: self.suppressed, excused: self.excused, reads, joins, capped }
    }
}

/// The hash of the reads of a statement and route.
fn reads_hash(fingerprint: u64, route: u64) -> u64 {
    fingerprint ^ route.rotate_left(32)
}

/// Adds to a count; beyond the cap the smallest keys are kept, whatever the order.
fn count_capped(counts: &mut BTreeMap<(Rule, u64), u64>, key: (Rule, u64), calls: u64) {
    *counts.entry(key).or_default() += calls;
    if counts.len() > MOST_FINDINGS {
        counts.pop_last();
    }
}

/// Everything found, when all parts are merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// By rule, statement and route.
    pub list: Vec<FindingTally>,
    /// Calls that query comments asked to leave out, by rule and statement.
    pub suppressed: BTreeMap<(Rule, u64), u64>,
    /// Calls whose comment names a rule about the whole log, by rule and statement: it leaves the statement out.
    pub excused: BTreeMap<(Rule, u64), u64>,
    /// What a replica could serve, by statement and route.
    pub reads: Vec<(u64, u64, Reads)>,
    /// What joining calls would save, by rule and statement.
    pub joins: Vec<(Rule, u64, Join)>,
    /// Whether a cap was reached.
    pub capped: bool,
}

/// The unit as a time line around what is marked. The call beside it may be far away: of what is between, only as much
/// is shown as there is room.
fn example(steps: &[Step], calls: &Calls<'_>) -> Vec<Row> {
    let mut marks: Vec<u32> = calls.marks.to_vec();
    marks.sort_unstable();
    // Two lines before the first mark show what led to it.
    let first = marks.first().map_or(0, |mark| (*mark as usize).saturating_sub(2));
    let last = marks.last().map_or(0, |mark| *mark as usize + 1);
    let shown = first..steps.len().min(last + 1);
    let far = calls
        .beside
        .filter(|beside| steps[shown.clone()].iter().all(|step| step.fingerprint != beside.fingerprint));
    let behind = far.filter(|far| far.at > steps[first].at);
    let before = if behind.is_none() { far } else { None };
    let end = behind.map_or(shown.end, |behind| steps.partition_point(|step| step.at < behind.at));
    let room = MOST_EXAMPLE - usize::from(behind.is_some());
    let mut rows: Vec<Row> = before.into_iter().map(|step| Row::of(step, false)).collect();
    for (place, step) in steps.iter().enumerate().take(end).skip(first).filter(|(_, step)| step.is_call()) {
        if !add_row(&mut rows, Row::of(step, marks.binary_search(&(place as u32)).is_ok()), room) {
            break;
        }
    }
    rows.extend(behind.map(|step| Row::of(step, false)));
    rows
}

/// The next line, if there is room for it: equal calls in a row are one.
fn add_row(rows: &mut Vec<Row>, next: Row, room: usize) -> bool {
    let full = rows.len() >= room;
    match rows.last_mut() {
        Some(row) if row.fingerprint == next.fingerprint && row.marked == next.marked => {
            row.times += 1;
            row.duration += next.duration;
            row.time = next.time;
        }
        _ if full => return false,
        _ => rows.push(next),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls of these statements, each a byte behind the one before.
    fn steps(statements: &[u64]) -> Vec<Step> {
        let step = |(place, fingerprint): (usize, &u64)| Step {
            fingerprint: *fingerprint,
            ..Step::edge(Timestamp(place as i64), place as u64 + 1)
        };
        statements.iter().enumerate().map(step).collect()
    }

    /// The statements of an example, and how often each comes in a row.
    fn shown(statements: &[u64], marks: &[u32], beside: Option<&Step>) -> Vec<(u64, u64)> {
        let calls = Calls { marks, beside, ..Calls::default() };
        example(&steps(statements), &calls).iter().map(|row| (row.fingerprint, row.times)).collect()
    }

    #[test]
    fn an_example_holds_the_call_beside_it_wherever_that_is() {
        let unit = [10, 11, 12, 20, 30, 30, 40, 50];
        let all = steps(&unit);
        // Two before the first mark, one behind the last.
        assert_eq!(shown(&unit, &[3], None), [(11, 1), (12, 1), (20, 1), (30, 1)]);
        // Behind it, near and far; the way there is shown.
        assert_eq!(shown(&unit, &[3], Some(&all[4])), [(11, 1), (12, 1), (20, 1), (30, 1)]);
        assert_eq!(shown(&unit, &[3], Some(&all[6])), [(11, 1), (12, 1), (20, 1), (30, 2), (40, 1)]);
        // Before it, in the unit and before the unit.
        assert_eq!(shown(&unit, &[3], Some(&all[0])), [(10, 1), (11, 1), (12, 1), (20, 1), (30, 1)]);
        let earlier = Step { at: 0, ..all[7] };
        assert_eq!(shown(&unit, &[0], Some(&earlier)), [(50, 1), (10, 1), (11, 1)]);
    }

    #[test]
    fn an_example_that_is_too_long_still_holds_the_call_beside_it() {
        let unit: Vec<u64> = (10..100).collect();
        let rows = shown(&unit, &[0], Some(&steps(&unit)[80]));
        assert_eq!(rows.len(), MOST_EXAMPLE);
        // 39 in a row, then the write.
        assert_eq!((rows[38].0, rows[39].0), (48, 90));
    }
}
