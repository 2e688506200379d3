//! Lock waits by object and by statement, single waits with their blockers, and the first deadlocks.

use super::{cut, hash, keep_first};
use crate::bounded::Bounded;
use crate::event::lock::{self, LockWait, Outcome};
use crate::partial::Order;
use crate::record::{OwnedRecord, Record};
use crate::sql::Fingerprint;
use crate::units::{Micros, Timestamp};

/// Pairs of mode and object kept.
const MOST_OBJECTS: usize = 4096;
/// Statements kept.
const MOST_STATEMENTS: usize = 16_384;
/// Waits of which each record is kept.
const MOST_WAITS: usize = 16_384;
/// Records of the waits of one process for one object.
const MOST_SIGHTINGS: usize = 32;
/// First deadlocks kept.
const MOST_DEADLOCKS: usize = 20;
/// Bytes of each text of a deadlock.
const MOST_TEXT: usize = 16 << 10;
/// Bytes of a name.
const MOST_NAME: usize = 256;

/// Counts of waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waits {
    /// `still waiting for`.
    pub waiting: u64,
    /// `acquired`.
    pub acquired: u64,
    /// `avoided deadlock`.
    pub avoided: u64,
    /// `failed to acquire`, `could not obtain`.
    pub failed: u64,
    /// Time of the acquired ones.
    pub waited: Micros,
    /// The longest of them.
    pub max: Micros,
}

impl Waits {
    fn of(wait: &LockWait<'_>) -> Self {
        let mut waits = Self::default();
        match wait.outcome {
            Outcome::Waiting => waits.waiting = 1,
            Outcome::Acquired => {
                waits.acquired = 1;
                waits.waited = wait.waited;
                waits.max = wait.waited;
            }
            Outcome::Avoided => waits.avoided = 1,
            Outcome::Failed => waits.failed = 1,
            // The ERROR that follows counts it.
            Outcome::Deadlock => {}
        }
        waits
    }

    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.waiting += other.waiting;
        self.acquired += other.acquired;
        self.avoided += other.avoided;
        self.failed += other.failed;
        self.waited += other.waited;
        self.max = self.max.max(other.max);
    }
}

/// What was waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As `ShareLock`.
    pub mode: Box<[u8]>,
    /// As `tuple of relation 16384 of database 5`.
    pub object: String,
    /// The relation's name, from CONTEXT; empty where the log has none.
    pub relation: Box<[u8]>,
}

/// One record about one wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// When it was logged.
    pub time: Option<Timestamp>,
    /// Who waits.
    pub pid: u32,
    /// How it stands.
    pub outcome: Outcome,
    /// How long, so far.
    pub waited: Micros,
    /// Who holds the lock.
    pub holders: Vec<u32>,
    /// Who waits for it.
    pub queue: Vec<u32>,
    /// The statement that waits.
    pub statement: Option<Fingerprint>,
    /// For what.
    pub target: Target,
}

/// Lock waits and deadlocks.
#[derive(Debug, Clone)]
pub struct Locks {
    /// All waits.
    pub total: Waits,
    /// Deadlocks.
    pub deadlocks: u64,
    /// By what was waited for.
    pub objects: Bounded<(Target, Waits)>,
    /// Beyond the cap.
    pub other_objects: Waits,
    /// By the statement that waited.
    pub statements: Bounded<(Option<Fingerprint>, Waits)>,
    /// Beyond the cap.
    pub other_statements: Waits,
    /// By process and object: the records in order.
    pub sightings: Bounded<Vec<(Order, Sighting)>>,
    /// First deadlocks.
    pub deadlock_examples: Vec<(Order, OwnedRecord)>,
}

impl Default for Locks {
    fn default() -> Self {
        Self {
            total: Waits::default(),
            deadlocks: 0,
            objects: Bounded::new(MOST_OBJECTS),
            other_objects: Waits::default(),
            statements: Bounded::new(MOST_STATEMENTS),
            other_statements: Waits::default(),
            sightings: Bounded::new(MOST_WAITS),
            deadlock_examples: Vec::new(),
        }
    }
}

fn add_waits<T>(known: &mut (T, Waits), new: (T, Waits)) {
    known.1.add(new.1);
}

fn add_sightings(known: &mut Vec<(Order, Sighting)>, new: Vec<(Order, Sighting)>) {
    new.into_iter().for_each(|(order, sighting)| keep_first(known, MOST_SIGHTINGS, order, sighting));
}

impl Locks {
    /// Counts one record about a wait.
    pub fn wait(
        &mut self,
        record: &Record<'_>,
        wait: &LockWait<'_>,
        order: Order,
        statement: Option<Fingerprint>,
    ) {
        let waits = Waits::of(wait);
        self.total.add(waits);
        let target = Target {
            mode: wait.mode.into(),
            object: lock::kind_of_object(wait.object),
            relation: cut(lock::relation(record.context).unwrap_or_default(), MOST_NAME),
        };
        if wait.outcome != Outcome::Deadlock {
            let key = hash(&[&target.mode, target.object.as_bytes(), &target.relation]);
            let other = &mut self.other_objects;
            self.objects.absorb(key, (target.clone(), waits), add_waits, |dropped| other.add(dropped.1));
            let other = &mut self.other_statements;
            let key = statement.map_or(0, |statement| statement.0);
            self.statements.absorb(key, (statement, waits), add_waits, |dropped| other.add(dropped.1));
        }
        let (holders, queue) = lock::queue(record.detail).unwrap_or_default();
        let sighting = Sighting {
            time: record.time,
            pid: wait.pid,
            outcome: wait.outcome,
            waited: wait.waited,
            holders,
            queue,
            statement,
            target,
        };
        // The object with its numbers: the same process may wait for several of a kind.
        let key = hash(&[&order.0.to_le_bytes(), &wait.pid.to_le_bytes(), wait.mode, wait.object]);
        self.sightings.absorb(key, vec![(order, sighting)], add_sightings, drop);
    }

    /// Counts a deadlock.
    pub fn deadlock(&mut self, record: &Record<'_>, order: Order) {
        self.deadlocks += 1;
        let mut example = *record;
        for text in [&mut example.detail, &mut example.context, &mut example.statement] {
            *text = &text[..text.len().min(MOST_TEXT)];
        }
        keep_first(&mut self.deadlock_examples, MOST_DEADLOCKS, order, OwnedRecord::from(&example));
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        self.total.add(other.total);
        self.deadlocks += other.deadlocks;
        self.other_objects.add(other.other_objects);
        self.other_statements.add(other.other_statements);
        let beyond = &mut self.other_objects;
        self.objects.merge(other.objects, add_waits, |dropped| beyond.add(dropped.1));
        let beyond = &mut self.other_statements;
        self.statements.merge(other.statements, add_waits, |dropped| beyond.add(dropped.1));
        self.sightings.merge(other.sightings, add_sightings, drop);
        for (order, record) in other.deadlock_examples {
            keep_first(&mut self.deadlock_examples, MOST_DEADLOCKS, order, record);
        }
    }

    /// Everything is merged: what is beyond the caps goes to the others.
    pub fn finish(&mut self) {
        let beyond = &mut self.other_objects;
        self.objects.prune(|dropped| beyond.add(dropped.1));
        let beyond = &mut self.other_statements;
        self.statements.prune(|dropped| beyond.add(dropped.1));
        self.sightings.prune(drop);
    }
}
