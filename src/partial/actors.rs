//! Who called: users, databases, applications, hosts and routes, by the hash of their names.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::bounded::Bounded;
use crate::log::Who;
use crate::units::Micros;

/// Combinations kept for one fingerprint; what is beyond is one "other".
const MOST_A_STATEMENT: usize = 256;
/// Names kept for the whole log.
const MOST_NAMES: usize = 65_536;
/// Bytes of a name kept; PostgreSQL's own limit is 63.
const MOST_NAME: usize = 256;

/// The hash of a user, database, application and host.
#[must_use]
pub fn hash_who(who: &Who<'_>) -> u64 {
    [who.user, who.database, who.application, who.host]
        .iter()
        .fold(0, |seed, name| xxh3_64_with_seed(name, seed + 1))
}

/// The hash of a route.
#[must_use]
pub fn hash_route(route: &str) -> u64 {
    xxh3_64_with_seed(route.as_bytes(), 0x0072_6F75_7465)
}

/// Hash of an actor, its calls and their time.
pub type ActorLoad = (u64, u64, Micros);

/// Calls and time by actor, for one fingerprint.
#[derive(Debug, Clone, Default)]
pub struct ActorLoads {
    /// Hash, calls, time; the smallest hashes, with the one last used in front while it grows.
    list: Vec<ActorLoad>,
    /// Calls and time of the rest.
    other: (u64, Micros),
    limit: Option<u64>,
}

impl ActorLoads {
    /// Adds calls.
    #[inline]
    pub fn add(&mut self, actor: u64, calls: u64, duration: Micros) {
        if let Some(first) = self.list.first_mut()
            && first.0 == actor
        {
            first.1 += calls;
            first.2 += duration;
            return;
        }
        self.add_elsewhere(actor, calls, duration);
    }

    fn add_elsewhere(&mut self, actor: u64, calls: u64, duration: Micros) {
        if self.limit.is_some_and(|limit| actor > limit) {
            self.other.0 += calls;
            self.other.1 += duration;
            return;
        }
        match self.list.iter().position(|entry| entry.0 == actor) {
            Some(place) => {
                self.list[place].1 += calls;
                self.list[place].2 += duration;
                self.list.swap(0, place);
            }
            None => {
                self.list.push((actor, calls, duration));
                let last = self.list.len() - 1;
                self.list.swap(0, last);
                if self.list.len() >= MOST_A_STATEMENT * 2 {
                    self.prune();
                }
            }
        }
    }

    fn prune(&mut self) {
        if self.list.len() <= MOST_A_STATEMENT {
            return;
        }
        self.list.sort_unstable_by_key(|entry| entry.0);
        for (_, calls, duration) in self.list.drain(MOST_A_STATEMENT..) {
            self.other.0 += calls;
            self.other.1 += duration;
        }
        let limit = self.list[MOST_A_STATEMENT - 1].0;
        self.limit = Some(self.limit.map_or(limit, |old| old.min(limit)));
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        self.other.0 += other.other.0;
        self.other.1 += other.other.1;
        if let Some(limit) = other.limit {
            let limit = self.limit.map_or(limit, |own| own.min(limit));
            self.limit = Some(limit);
            let dropped = &mut self.other;
            self.list.retain(|(actor, calls, duration)| {
                if *actor > limit {
                    dropped.0 += calls;
                    dropped.1 += *duration;
                }
                *actor <= limit
            });
        }
        for (actor, calls, duration) in other.list {
            self.add(actor, calls, duration);
        }
    }

    /// Hash, calls and time of each, sorted by hash, and what was beyond the cap.
    #[must_use]
    pub fn finish(mut self) -> (Vec<ActorLoad>, (u64, Micros)) {
        self.prune();
        self.list.sort_unstable_by_key(|entry| entry.0);
        (self.list, self.other)
    }
}

/// Four names as the log has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// user, database, application, host.
    pub names: [Box<[u8]>; 4],
}

/// The names behind the hashes.
#[derive(Debug, Clone)]
pub struct Directory {
    who: Bounded<Names>,
    /// Hashes that `who` surely has, by their low bits: most calls are spared the look-up.
    lately: [u64; 64],
    routes: Bounded<Box<str>>,
}

impl Default for Directory {
    fn default() -> Self {
        Self { who: Bounded::new(MOST_NAMES), lately: [0; 64], routes: Bounded::new(MOST_NAMES) }
    }
}

impl Directory {
    /// Remembers whom a hash stands for.
    #[inline]
    pub fn learn_who(&mut self, hash: u64, who: &Who<'_>) {
        let lately = &mut self.lately[hash as usize % 64];
        if *lately != hash {
            *lately = hash;
            self.learn_new(hash, who);
        }
    }

    fn learn_new(&mut self, hash: u64, who: &Who<'_>) {
        if self.who.takes(hash) {
            self.who.entry(hash, || Names {
                names: [who.user, who.database, who.application, who.host]
                    .map(|name| name[..name.len().min(MOST_NAME)].into()),
            });
            if self.who.is_overfull() {
                self.who.prune(drop);
            }
        }
    }

    /// Remembers which route a hash stands for.
    pub fn learn_route(&mut self, hash: u64, route: &str) {
        if self.routes.takes(hash) {
            self.routes.entry(hash, || route.chars().take(MOST_NAME).collect());
            if self.routes.is_overfull() {
                self.routes.prune(drop);
            }
        }
    }

    /// Adds another part's names.
    pub fn merge(&mut self, other: Self) {
        self.who.limit_from(&other.who, drop);
        self.routes.limit_from(&other.routes, drop);
        for (hash, names) in other.who {
            let [user, database, application, host] = &names.names;
            self.learn_who(hash, &Who { user, database, application, host });
        }
        for (hash, route) in other.routes {
            self.learn_route(hash, &route);
        }
    }

    /// Everything is merged.
    pub fn finish(&mut self) {
        self.who.prune(drop);
        self.routes.prune(drop);
    }

    /// The names of a hash; `None` when they were beyond the cap.
    #[must_use]
    pub fn who(&self, hash: u64) -> Option<&Names> {
        self.who.get(hash)
    }

    /// The route of a hash.
    #[must_use]
    pub fn route(&self, hash: u64) -> Option<&str> {
        self.routes.get(hash).map(|route| &**route)
    }
}
