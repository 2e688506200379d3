//! Places for values that may be lost: a map in this process, Redis, or memcached.
//!
//! Serves [`super::machine`]. Each call is bounded in time; after a failure the place is left alone for a
//! second and every look is a miss, so that a cache that died does not slow its application down.

use crate::metrics::{Component, wait};
use async_memcached::{AsciiProtocol, Client, Error as MemcachedError, Status};
use redis::aio::ConnectionManager;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longer than any answer of a loaded machine, shorter than a respondent's patience.
const PATIENCE: Duration = Duration::from_millis(1500);
const REST: Duration = Duration::from_secs(1);
/// A map in this process begins anew beyond this: memory is bounded, and a cache may forget.
const MOST_LOCAL: usize = 100_000;

/// One place.
#[derive(Debug)]
pub struct Store {
    place: Place,
    /// When the place may be asked again, in microseconds since `born`; 0 while it is fine.
    resting_until: AtomicU64,
    born: Instant,
}

enum Place {
    None,
    Locmem(Mutex<HashMap<String, (Instant, Vec<u8>)>>),
    Redis(ConnectionManager),
    Memcached { address: String, idle: Mutex<Vec<Client>> },
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Place::None => "None",
            Place::Locmem(_) => "Locmem",
            Place::Redis(_) => "Redis",
            Place::Memcached { .. } => "Memcached",
        })
    }
}

/// The place did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down;

impl Store {
    /// Remembers nothing.
    pub fn none() -> Store {
        Store::at(Place::None)
    }

    /// A map in this process.
    pub fn locmem() -> Store {
        Store::at(Place::Locmem(Mutex::default()))
    }

    /// Redis, over the application's connection.
    pub fn redis(connection: ConnectionManager) -> Store {
        Store::at(Place::Redis(connection))
    }

    /// memcached at `host:port`.
    pub fn memcached(address: &str) -> Store {
        Store::at(Place::Memcached { address: format!("tcp://{address}"), idle: Mutex::default() })
    }

    fn at(place: Place) -> Store {
        Store { place, resting_until: AtomicU64::new(0), born: Instant::now() }
    }

    /// Whether nothing is ever remembered.
    pub fn is_none(&self) -> bool {
        matches!(self.place, Place::None)
    }

    /// The value under `key`.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Down> {
        match &self.place {
            Place::None => Ok(None),
            Place::Locmem(map) => {
                let map = map.lock().expect("no panic holds this lock");
                Ok(map.get(key).filter(|(until, _)| *until > Instant::now()).map(|(_, v)| v.clone()))
            }
            Place::Redis(connection) => {
                let mut connection = connection.clone();
                self.guard(async { redis::cmd("GET").arg(key).query_async(&mut connection).await }).await
            }
            Place::Memcached { .. } => {
                self.guard(
                    self.with_client(async |c: &mut Client| Ok(c.get(key).await?.and_then(|v| v.data))),
                )
                .await
            }
        }
    }

    /// Puts `value` under `key` for `ttl` seconds.
    pub async fn set(&self, key: &str, value: &[u8], ttl: u64) -> Result<(), Down> {
        match &self.place {
            Place::None => Ok(()),
            Place::Locmem(map) => {
                let until = Instant::now() + Duration::from_secs(ttl);
                let mut map = map.lock().expect("no panic holds this lock");
                make_room(&mut map);
                map.insert(key.to_string(), (until, value.to_vec()));
                Ok(())
            }
            Place::Redis(connection) => {
                let mut connection = connection.clone();
                self.guard(async {
                    redis::cmd("SET")
                        .arg(key)
                        .arg(value)
                        .arg("EX")
                        .arg(ttl)
                        .query_async(&mut connection)
                        .await
                })
                .await
            }
            Place::Memcached { .. } => {
                self.guard(
                    self.with_client(async |c: &mut Client| c.set(key, value, Some(ttl as i64), None).await),
                )
                .await
            }
        }
    }

    /// As [`Store::set`], unless something is there already; says whether it was put.
    pub async fn add(&self, key: &str, value: &[u8], ttl: u64) -> Result<bool, Down> {
        match &self.place {
            Place::None => Ok(false),
            Place::Locmem(map) => {
                let now = Instant::now();
                let mut map = map.lock().expect("no panic holds this lock");
                if map.get(key).is_some_and(|(until, _)| *until > now) {
                    return Ok(false);
                }
                make_room(&mut map);
                map.insert(key.to_string(), (now + Duration::from_secs(ttl), value.to_vec()));
                Ok(true)
            }
            Place::Redis(connection) => {
                let mut connection = connection.clone();
                let put: Result<Option<String>, Down> = self
                    .guard(async {
                        let mut set = redis::cmd("SET");
                        set.arg(key).arg(value).arg("EX").arg(ttl).arg("NX");
                        set.query_async(&mut connection).await
                    })
                    .await;
                Ok(put?.is_some())
            }
            Place::Memcached { .. } => {
                self.guard(self.with_client(async |c: &mut Client| {
                    match c.add(key, value, Some(ttl as i64), None).await {
                        Ok(()) => Ok(true),
                        Err(MemcachedError::Protocol(Status::NotStored)) => Ok(false),
                        Err(e) => Err(e),
                    }
                }))
                .await
            }
        }
    }

    /// Removes `key`.
    pub async fn delete(&self, key: &str) -> Result<(), Down> {
        match &self.place {
            Place::None => Ok(()),
            Place::Locmem(map) => {
                map.lock().expect("no panic holds this lock").remove(key);
                Ok(())
            }
            Place::Redis(connection) => {
                let mut connection = connection.clone();
                self.guard(async { redis::cmd("DEL").arg(key).query_async(&mut connection).await }).await
            }
            Place::Memcached { .. } => {
                self.guard(self.with_client(async |c: &mut Client| match c.delete(key).await {
                    Ok(()) | Err(MemcachedError::Protocol(Status::NotFound)) => Ok(()),
                    Err(e) => Err(e),
                }))
                .await
            }
        }
    }

    /// Runs `work` in bounded time, unless the place is resting.
    async fn guard<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Down> {
        let now = self.born.elapsed().as_micros() as u64;
        if self.resting_until.load(Ordering::Relaxed) > now {
            return Err(Down);
        }
        let _wait = match self.place {
            Place::Memcached { .. } => Some(wait(Component::Memcached)),
            Place::Redis(_) => Some(wait(Component::Redis)),
            Place::None | Place::Locmem(_) => None,
        };
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(Ok(value)) => Ok(value),
            _ => {
                self.resting_until.store(now + REST.as_micros() as u64, Ordering::Relaxed);
                Err(Down)
            }
        }
    }

    /// An idle connection, or a new one. It goes back only after a whole answer: a connection with an unread
    /// answer on it would hand that to whoever comes next.
    async fn with_client<T>(
        &self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, MemcachedError>,
    ) -> Result<T, MemcachedError> {
        let Place::Memcached { address, idle } = &self.place else {
            return Err(MemcachedError::ConnectionClosed);
        };
        let waiting = idle.lock().expect("no panic holds this lock").pop();
        let mut client = match waiting {
            Some(client) if !client.is_closed() => client,
            _ => Client::new(address).await?,
        };
        let answer = work(&mut client).await;
        match &answer {
            Ok(_) if !client.is_closed() => idle.lock().expect("no panic holds this lock").push(client),
            Ok(_) => {}
            // Connections of a server that has gone are all of no use.
            Err(_) => idle.lock().expect("no panic holds this lock").clear(),
        }
        answer
    }
}

fn make_room(map: &mut HashMap<String, (Instant, Vec<u8>)>) {
    if map.len() >= MOST_LOCAL {
        let now = Instant::now();
        map.retain(|_, (until, _)| *until > now);
    }
    if map.len() >= MOST_LOCAL {
        map.clear();
    }
}
