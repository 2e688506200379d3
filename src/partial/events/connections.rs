//! Connections and sessions: counts, names, lengths, and how many there were at once.

use super::{HourSums, Timeline, cut, hash};
use crate::bounded::Bounded;
use crate::event::connection::Connection;
use crate::partial::Order;
use crate::partial::histogram::Histogram;
use crate::partial::minutes::{MOST_MINUTES, Minutes};
use crate::record::Record;
use crate::units::{Micros, Timestamp};

/// Names kept of each sort.
const MOST_NAMES: usize = 4096;
/// Bytes of a name; PostgreSQL's own limit is 63, a host name's 255.
const MOST_NAME: usize = 256;

/// Connections, and the sessions that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionLoad {
    /// Connections.
    pub connections: u64,
    /// Sessions that ended.
    pub ended: u64,
    /// Their time.
    pub time: Micros,
}

impl SessionLoad {
    /// One connection.
    const BEGAN: Self = Self { connections: 1, ended: 0, time: Micros(0) };

    /// One session that ended.
    fn ended(time: Micros) -> Self {
        Self { connections: 0, ended: 1, time }
    }

    fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.ended += other.ended;
        self.time += other.time;
    }
}

/// Connections and sessions by name.
#[derive(Debug, Clone)]
pub struct NamedLoads {
    /// Name and load.
    pub names: Bounded<(Box<[u8]>, SessionLoad)>,
    /// Beyond the cap.
    pub other: SessionLoad,
}

impl Default for NamedLoads {
    fn default() -> Self {
        Self { names: Bounded::new(MOST_NAMES), other: SessionLoad::default() }
    }
}

fn add_load(known: &mut (Box<[u8]>, SessionLoad), new: (Box<[u8]>, SessionLoad)) {
    known.1.add(new.1);
}

impl NamedLoads {
    fn add(&mut self, name: &[u8], load: SessionLoad) {
        let beyond = &mut self.other;
        let named = (cut(name, MOST_NAME), load);
        self.names.absorb(hash(&[&named.0]), named, add_load, |dropped| beyond.add(dropped.1));
    }

    fn merge(&mut self, other: Self) {
        self.other.add(other.other);
        let beyond = &mut self.other;
        self.names.merge(other.names, add_load, |dropped| beyond.add(dropped.1));
    }

    fn finish(&mut self) {
        let beyond = &mut self.other;
        self.names.prune(|dropped| beyond.add(dropped.1));
    }
}

/// Connections and sessions.
#[derive(Debug, Clone)]
pub struct Connections {
    /// `connection received`.
    pub received: u64,
    /// `connection authenticated`.
    pub authenticated: u64,
    /// `connection authorized`.
    pub authorized: u64,
    /// Of them encrypted.
    pub encrypted: u64,
    /// Of them for replication.
    pub replication: u64,
    /// `connection ready`.
    pub ready: u64,
    /// Time of setting them up.
    pub setup: Micros,
    /// `disconnection`.
    pub ended: u64,
    /// Time of the sessions that ended.
    pub session: Micros,
    /// The longest.
    pub max: Micros,
    /// All of them.
    pub histogram: Histogram,
    /// Connections received and time of sessions that ended, by hour.
    pub hours: HourSums,
    /// Connections received, by second.
    pub seconds: Minutes,
    /// Begins and ends.
    pub timeline: Timeline,
    /// By role.
    pub users: NamedLoads,
    /// By database.
    pub databases: NamedLoads,
    /// By application. The message of a session's end does not name it: only ends whose record does are here.
    pub applications: NamedLoads,
    /// By host.
    pub hosts: NamedLoads,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            received: 0,
            authenticated: 0,
            authorized: 0,
            encrypted: 0,
            replication: 0,
            ready: 0,
            setup: Micros(0),
            ended: 0,
            session: Micros(0),
            max: Micros(0),
            histogram: Histogram::default(),
            hours: HourSums::default(),
            seconds: Minutes::new(MOST_MINUTES),
            timeline: Timeline::default(),
            users: NamedLoads::default(),
            databases: NamedLoads::default(),
            applications: NamedLoads::default(),
            hosts: NamedLoads::default(),
        }
    }
}

impl Connections {
    /// Counts one record.
    pub fn add(&mut self, record: &Record<'_>, connection: Connection<'_>, order: Order) {
        let time = record.time;
        match connection {
            Connection::Received { host } => {
                self.received += 1;
                self.hosts.add(host, SessionLoad::BEGAN);
                if let Some(time) = time {
                    self.hours.add(time.hour(), 1, 0);
                    self.seconds.call(time);
                }
            }
            Connection::Authenticated => self.authenticated += 1,
            Connection::Authorized(authorized) => {
                self.authorized += 1;
                self.encrypted += u64::from(authorized.encrypted);
                self.replication += u64::from(authorized.replication);
                self.users.add(authorized.user, SessionLoad::BEGAN);
                self.databases.add(authorized.database, SessionLoad::BEGAN);
                self.applications.add(authorized.application, SessionLoad::BEGAN);
                if let Some(time) = time {
                    self.timeline.authorized(time, order);
                }
            }
            Connection::Ready { setup } => {
                self.ready += 1;
                self.setup += setup;
            }
            Connection::Ended(ended) => {
                self.ended += 1;
                self.session += ended.session;
                self.max = self.max.max(ended.session);
                self.histogram.add(ended.session);
                let load = SessionLoad::ended(ended.session);
                self.users.add(ended.user, load);
                self.databases.add(ended.database, load);
                self.hosts.add(ended.host, load);
                if !record.who.application.is_empty() {
                    self.applications.add(record.who.application, load);
                }
                if let Some(time) = time {
                    self.hours.add(time.hour(), 0, ended.session.0);
                    let length = i64::try_from(ended.session.0).unwrap_or(i64::MAX);
                    self.timeline.ended(Timestamp(time.0.saturating_sub(length)), time, order);
                }
            }
        }
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        self.received += other.received;
        self.authenticated += other.authenticated;
        self.authorized += other.authorized;
        self.encrypted += other.encrypted;
        self.replication += other.replication;
        self.ready += other.ready;
        self.setup += other.setup;
        self.ended += other.ended;
        self.session += other.session;
        self.max = self.max.max(other.max);
        self.histogram.merge(other.histogram);
        self.hours.merge(&other.hours);
        self.seconds.merge(&other.seconds);
        self.timeline.merge(other.timeline);
        self.users.merge(other.users);
        self.databases.merge(other.databases);
        self.applications.merge(other.applications);
        self.hosts.merge(other.hosts);
    }

    /// Everything is merged: what is beyond the caps goes to the others.
    pub fn finish(&mut self) {
        for loads in [&mut self.users, &mut self.databases, &mut self.applications, &mut self.hosts] {
            loads.finish();
        }
    }
}
