//! Which cached queries are still true: object keys, flush lists, the hold after an invalidation.
//!
//! ```text
//!   f:survey_page:3 ──► f:question:7 ──► qf:<query> ──► q:<query>:primary
//!        (its list)        (its list)       (its list)   q:<query>:replica
//! ```
//!
//! The rules are django-cache-machine's. A query that was filled stands in the list of every object in it,
//! and every object in the lists of its parents. Saving an object walks these lists from the object and from
//! its parents, so that saving a child drops what is remembered about its parents and the other way round.
//! Lists are Redis sets (SADD is atomic; lists kept in memcached lose updates). Two things are our own:
//!
//! * lists are written *before* the value, so that an invalidation between the two finds the query;
//! * the hold that cache-machine lost in 2013 is back, on the value and on the object: for `hold_secs` after
//!   a save nothing that contains the object is filled, because whoever read before the commit, or from a
//!   replica that lags, would put the old row back for good.
//!
//! Serves [`crate::scope`]. Must not know SQL: a query is a hash.

use super::store::Store;
use crate::db::{Param, Rows, Server};
use crate::metrics::{Component, wait};
use crate::models::Model;
use redis::aio::ConnectionManager;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

/// What stands in place of a value during the hold; not JSON, so never mistaken for one.
const HOLD: &[u8] = b"-";
const STRIPES: usize = 64;

/// One row of one table, by primary key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The row of `model` whose primary key is `id`.
    pub fn new(model: Model, id: &str) -> ObjectKey {
        ObjectKey(format!("{}:{id}", model.table()))
    }

    fn list(&self) -> String {
        format!("f:{}", self.0)
    }
}

/// An object and the objects that its foreign keys name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The row itself.
    pub key: ObjectKey,
    /// Its parents.
    pub parents: Vec<ObjectKey>,
}

/// One query with its parameters, at one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryKey {
    /// Key of the value.
    key: String,
    /// Key of the list, without the server: one save drops the entries of both.
    list: String,
}

impl QueryKey {
    /// The key of `sql` with `params` at `server`.
    pub fn new(sql: &str, params: &[Param], server: Server) -> QueryKey {
        let hash = crate::secret::hash(format!("{sql}\n{params:?}").as_bytes());
        QueryKey { key: format!("q:{}:{}", &hash[..32], server.name()), list: format!("qf:{}", &hash[..32]) }
    }
}

/// What a look into the cache found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The rows.
    Hit(Rows),
    /// Nothing; fill it.
    Miss,
    /// Nothing, and nothing may be filled now: a hold, or the cache is down.
    Pass,
}

/// The cache with its lists.
#[derive(Debug)]
pub struct Machine {
    store: Store,
    lists: Lists,
    hold_secs: u64,
    timeout: u64,
    stripes: Vec<AsyncMutex<()>>,
    /// Keys whose old value could not be removed because the place was down: not to be believed before they
    /// are. Empty unless a cache failed.
    dirty: Mutex<BTreeSet<String>>,
}

enum Lists {
    Local(Mutex<BTreeMap<String, BTreeSet<String>>>),
    Redis(ConnectionManager),
}

impl std::fmt::Debug for Lists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Lists::Local(_) => "Local",
            Lists::Redis(_) => "Redis",
        })
    }
}

impl Machine {
    /// A cache over `store`; its lists live in Redis when there is one, else in this process.
    pub fn new(store: Store, lists: Option<ConnectionManager>, hold_secs: u64, timeout: u64) -> Machine {
        let lists = lists.map_or_else(|| Lists::Local(Mutex::default()), Lists::Redis);
        let stripes = (0..STRIPES).map(|_| AsyncMutex::new(())).collect();
        Machine { store, lists, hold_secs, timeout, stripes, dirty: Mutex::default() }
    }

    /// Whether nothing is ever remembered.
    pub fn is_off(&self) -> bool {
        self.store.is_none()
    }

    /// Looks for the rows of a query.
    pub async fn get(&self, query: &QueryKey) -> Lookup {
        if !self.is_clean(&query.key).await {
            return Lookup::Pass;
        }
        match self.store.get(&query.key).await {
            Ok(Some(bytes)) if bytes == HOLD => Lookup::Pass,
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).map_or(Lookup::Miss, Lookup::Hit),
            Ok(None) => Lookup::Miss,
            Err(_) => Lookup::Pass,
        }
    }

    /// Whoever fills a query holds this until it is done; those who wait then find it filled. Many
    /// respondents who start at once cost one SELECT, not one each.
    pub async fn flight(&self, query: &QueryKey) -> MutexGuard<'_, ()> {
        let stripe =
            query.key.bytes().fold(0usize, |h, b| h.wrapping_mul(31).wrapping_add(b as usize)) % STRIPES;
        let _wait = wait(Component::Lock);
        self.stripes[stripe].lock().await
    }

    /// Remembers the rows of a query that contain `objects`. `models` are those whose new rows would change
    /// the answer and are watched as a whole.
    pub async fn fill(&self, query: &QueryKey, rows: &Rows, objects: &[Object], models: &[Model]) {
        let mut entries = vec![(query.list.clone(), query.key.clone())];
        let mut held = BTreeSet::new();
        for object in objects {
            entries.push((object.key.list(), query.list.clone()));
            held.insert(hold_key(&object.key.0));
            for parent in &object.parents {
                entries.push((parent.list(), object.key.list()));
                held.insert(hold_key(&parent.0));
            }
        }
        for model in models {
            entries.push((model_list(*model), query.list.clone()));
            held.insert(hold_key(model.table()));
        }
        // Lists first, then the look for holds, then the value: an invalidation at any point in between is
        // either seen here or sees us.
        if self.register(&entries).await.is_err() || self.any_held(&held).await {
            return;
        }
        if let Ok(bytes) = serde_json::to_vec(rows) {
            let _ = self.store.add(&query.key, &bytes, self.timeout).await;
        }
    }

    /// Remembers a count for `seconds`: it contains no object, so time is what ends it.
    pub async fn fill_count(&self, query: &QueryKey, rows: &Rows, seconds: u64, models: &[Model]) {
        let entries: Vec<_> = models
            .iter()
            .flat_map(|m| [(model_list(*m), query.list.clone()), (query.list.clone(), query.key.clone())])
            .collect();
        if self.register(&entries).await.is_err() {
            return;
        }
        if let Ok(bytes) = serde_json::to_vec(rows) {
            let _ = self.store.add(&query.key, &bytes, seconds).await;
        }
    }

    /// Drops every query that contains one of `objects`, one of their parents, or a relative of these; and,
    /// for each of `models`, every query that is watched as a whole. Says how many queries were dropped.
    pub async fn invalidate(&self, objects: &[Object], models: &[Model]) -> usize {
        if self.is_off() {
            return 0;
        }
        let mut frontier: BTreeSet<String> = models.iter().map(|m| model_list(*m)).collect();
        let mut holds: BTreeSet<String> = models.iter().map(|m| hold_key(m.table())).collect();
        for object in objects {
            for key in std::iter::once(&object.key).chain(&object.parents) {
                frontier.insert(key.list());
                holds.insert(hold_key(&key.0));
            }
        }
        if self.hold_secs > 0 {
            self.hold(&holds).await;
        }
        let mut seen = BTreeSet::new();
        let mut queries = BTreeSet::new();
        while !frontier.is_empty() {
            let found = self.members(&frontier).await;
            seen.append(&mut frontier);
            for entry in found {
                if entry.starts_with("q:") {
                    queries.insert(entry);
                } else if !seen.contains(&entry) {
                    frontier.insert(entry);
                }
            }
        }
        for query in &queries {
            let dropped = match self.hold_secs {
                0 => self.store.delete(query).await,
                secs => self.store.set(query, HOLD, secs).await,
            };
            if dropped.is_err() {
                self.distrust(query);
            }
        }
        // Without a hold a filler may be between its list and its value: its entry must stay findable.
        if self.hold_secs > 0 {
            self.drop_lists(&seen).await;
        }
        queries.len()
    }

    /// A value that was written through, under a name of its own.
    pub async fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let key = format!("w:{name}");
        if !self.is_clean(&key).await {
            return None;
        }
        let bytes = self.store.get(&key).await.ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// Puts a value that was just committed under its name.
    pub async fn write<T: Serialize>(&self, name: &str, value: &T) {
        let key = format!("w:{name}");
        if let Ok(bytes) = serde_json::to_vec(value)
            && self.store.set(&key, &bytes, self.timeout).await.is_err()
        {
            self.distrust(&key);
        }
    }

    /// Forgets a value that was written through.
    pub async fn forget(&self, name: &str) {
        let key = format!("w:{name}");
        if self.store.delete(&key).await.is_err() {
            self.distrust(&key);
        }
    }

    fn distrust(&self, key: &str) {
        self.dirty.lock().expect("no panic holds this lock").insert(key.to_string());
    }

    /// Whether the value under `key` may be believed; removes one that may not as soon as that is possible.
    async fn is_clean(&self, key: &str) -> bool {
        if !self.dirty.lock().expect("no panic holds this lock").contains(key) {
            return true;
        }
        if self.store.delete(key).await.is_ok() {
            self.dirty.lock().expect("no panic holds this lock").remove(key);
        }
        false
    }

    async fn register(&self, entries: &[(String, String)]) -> Result<(), redis::RedisError> {
        if entries.is_empty() {
            return Ok(());
        }
        match &self.lists {
            Lists::Local(map) => {
                let mut map = map.lock().expect("no panic holds this lock");
                for (list, entry) in entries {
                    map.entry(list.clone()).or_default().insert(entry.clone());
                }
                Ok(())
            }
            Lists::Redis(connection) => {
                let mut pipe = redis::pipe();
                for (list, entry) in entries {
                    pipe.cmd("SADD").arg(list).arg(entry).ignore();
                    pipe.cmd("EXPIRE").arg(list).arg(self.timeout * 2).ignore();
                }
                let _wait = wait(Component::Redis);
                pipe.query_async(&mut connection.clone()).await
            }
        }
    }

    async fn members(&self, lists: &BTreeSet<String>) -> BTreeSet<String> {
        match &self.lists {
            Lists::Local(map) => {
                let map = map.lock().expect("no panic holds this lock");
                lists.iter().filter_map(|l| map.get(l)).flatten().cloned().collect()
            }
            Lists::Redis(connection) => {
                let mut union = redis::cmd("SUNION");
                union.arg(lists.iter().collect::<Vec<_>>());
                let _wait = wait(Component::Redis);
                union.query_async(&mut connection.clone()).await.unwrap_or_default()
            }
        }
    }

    async fn drop_lists(&self, lists: &BTreeSet<String>) {
        match &self.lists {
            Lists::Local(map) => {
                let mut map = map.lock().expect("no panic holds this lock");
                lists.iter().for_each(|l| drop(map.remove(l)));
            }
            Lists::Redis(connection) => {
                let mut del = redis::cmd("DEL");
                del.arg(lists.iter().collect::<Vec<_>>());
                let _wait = wait(Component::Redis);
                let _: Result<(), _> = del.query_async(&mut connection.clone()).await;
            }
        }
    }

    async fn hold(&self, keys: &BTreeSet<String>) {
        match &self.lists {
            Lists::Local(_) => {
                for key in keys {
                    let _ = self.store.set(key, HOLD, self.hold_secs).await;
                }
            }
            Lists::Redis(connection) => {
                let mut pipe = redis::pipe();
                for key in keys {
                    pipe.cmd("SET").arg(key).arg(HOLD).arg("EX").arg(self.hold_secs).ignore();
                }
                let _wait = wait(Component::Redis);
                let _: Result<(), _> = pipe.query_async(&mut connection.clone()).await;
            }
        }
    }

    async fn any_held(&self, keys: &BTreeSet<String>) -> bool {
        if keys.is_empty() || self.hold_secs == 0 {
            return false;
        }
        match &self.lists {
            Lists::Local(_) => {
                for key in keys {
                    if matches!(self.store.get(key).await, Ok(Some(_)) | Err(_)) {
                        return true;
                    }
                }
                false
            }
            Lists::Redis(connection) => {
                let mut exists = redis::cmd("EXISTS");
                exists.arg(keys.iter().collect::<Vec<_>>());
                let _wait = wait(Component::Redis);
                // Not being able to ask is a reason not to fill.
                exists.query_async::<i64>(&mut connection.clone()).await.map_or(true, |n| n > 0)
            }
        }
    }
}

fn model_list(model: Model) -> String {
    format!("m:{}", model.table())
}

fn hold_key(object: &str) -> String {
    format!("hold:{object}")
}
