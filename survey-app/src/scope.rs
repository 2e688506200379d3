//! One request's (or job's) way to the database.
//!
//! Serves every view: all statements go through [`Scope::select`], [`Scope::execute`] and [`Scope::copy`],
//! which apply the switches in this order: what the request has read already, the cache, the router, the
//! transaction. Must not know what the statements mean.

use crate::app::App;
use crate::cache::machine::{Object, ObjectKey};
use crate::cache::{Lookup, QueryKey};
use crate::config::{Comments, OnCreate, Tx};
use crate::db::comment::{self, Trace};
use crate::db::counters::Key;
use crate::db::{Connection, Kind, Param, Rows, Server};
use crate::metrics::{Component, wait};
use crate::models::Model;
use crate::router::Pin;
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A replica that takes longer is passed over.
const REPLICA_PATIENCE: Duration = Duration::from_secs(4);

/// Who sends statements: a view, a worker's job, the migration.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Name in counters, comments and the debug panel.
    pub name: &'static str,
    /// Route in comments.
    pub route: &'static str,
    /// Models that do not change in this view; their SELECTs may go to the replica even when pinned.
    pub read_only: &'static [Model],
}

/// How an answer may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Never beyond this request.
    Never,
    /// As rows of cached models.
    Rows,
    /// As a count, which only time ends.
    Count,
}

/// A SELECT.
#[derive(Clone, Debug)]
pub struct Select {
    /// The model that the rows are of.
    pub model: Model,
    /// Columns with keys of rows that a join brought along.
    pub joined: &'static [(&'static str, Model)],
    /// The text, with `$n`.
    pub sql: String,
    /// The values.
    pub params: Vec<Param>,
    /// How the answer may be remembered.
    pub memory: Memory,
}

/// One statement as the debug panel shows it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Where it went.
    pub server: Server,
    /// What it does.
    pub kind: Kind,
    /// Its text, without literals or comment.
    pub sql: String,
    /// Its values.
    pub params: String,
    /// How long the application waited.
    pub micros: u64,
    /// Whether it failed.
    pub failed: bool,
}

/// What waits for the commit.
enum After {
    Put(String, serde_json::Value),
    Forget(String),
    Invalidate(Vec<Object>, Vec<Model>),
}

/// Answers of this request, by text and values.
type Remembered = HashMap<(String, Vec<Param>), (Model, Rows)>;

/// One request's state.
pub struct Scope {
    app: Arc<App>,
    view: View,
    trace: Trace,
    pin: Mutex<Pin>,
    remembered: Mutex<Remembered>,
    sent: Mutex<Vec<Sent>>,
    tx: tokio::sync::Mutex<Option<Connection>>,
    after: Mutex<Vec<After>>,
    /// Locks that last until the request is over, its commit and its write-through included.
    kept: Mutex<Vec<tokio::sync::OwnedMutexGuard<()>>>,
}

impl Drop for Scope {
    fn drop(&mut self) {
        // Whoever leaves in the middle of a transaction (a panic, a cancelled request) must not hand it on.
        if let Some(connection) = self.tx.get_mut().take() {
            connection.discard();
        }
    }
}

impl Scope {
    /// A scope for one run of `view`.
    pub fn begin(app: Arc<App>, view: View, traceparent: Option<&str>, pin: Pin) -> Scope {
        Scope {
            app,
            view,
            trace: Trace::begin(traceparent),
            pin: Mutex::new(pin),
            remembered: Mutex::default(),
            sent: Mutex::default(),
            tx: tokio::sync::Mutex::new(None),
            after: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    /// The application that this scope belongs to.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The view.
    pub fn view(&self) -> View {
        self.view
    }

    /// The ids under which the statements of this scope are logged.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Whether this request has written, and whether it is pinned.
    pub fn pin(&self) -> Pin {
        *self.pin.lock().expect("no panic holds this lock")
    }

    /// Lets nobody else in this process work on `name` until this scope is over, so that two tabs of one
    /// respondent cannot write through in another order than they committed. Take it before the first write:
    /// whoever waits here must not hold a connection.
    pub async fn alone_on(&self, name: i64) {
        let _wait = wait(Component::Lock);
        let guard = self.app.lock_of(name).lock_owned().await;
        self.kept.lock().expect("no panic holds this lock").push(guard);
    }

    /// The statements so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("no panic holds this lock").clone()
    }

    /// The rows of a SELECT, from the nearest place that has them.
    pub async fn select(&self, select: &Select) -> Result<Rows> {
        let local = self.app.switches.sql.request_local;
        let name = (select.sql.clone(), select.params.clone());
        if local && let Some((_, rows)) = self.remembered.lock().expect("no panic holds this lock").get(&name)
        {
            return Ok(rows.clone());
        }
        let read_only = self.view.read_only.contains(&select.model);
        let server = match self.app.router.read(self.pin().pinned, read_only) {
            Server::Replica if self.app.pools.has_replica() => Server::Replica,
            _ => Server::Primary,
        };
        let rows = match select.memory {
            Memory::Never => self.read(server, select).await?,
            Memory::Rows | Memory::Count => self.select_cached(server, select).await?,
        };
        if local {
            self.remembered
                .lock()
                .expect("no panic holds this lock")
                .insert(name, (select.model, rows.clone()));
        }
        Ok(rows)
    }

    /// As [`Scope::select`], from the primary, whatever is remembered: for a second look at what the replica
    /// may not have yet.
    pub async fn select_from_primary(&self, select: &Select) -> Result<Rows> {
        self.run(Server::Primary, select.model, &select.sql, &select.params).await
    }

    async fn select_cached(&self, server: Server, select: &Select) -> Result<Rows> {
        let (cache, switches) = (&self.app.cache, &self.app.switches.cache);
        let counts = select.memory == Memory::Count;
        if cache.is_off() || !select.model.is_cached() && !counts || counts && switches.count_timeout == 0 {
            return self.read(server, select).await;
        }
        let query = QueryKey::new(&select.sql, &select.params, server);
        match cache.get(&query).await {
            Lookup::Hit(rows) => return Ok(rows),
            Lookup::Pass => return self.read(server, select).await,
            Lookup::Miss => {}
        }
        // Inside a transaction a connection is held, and whoever fills may be waiting for one.
        let _flight = match self.tx.lock().await.is_some() {
            true => None,
            false => Some(cache.flight(&query).await),
        };
        if let Lookup::Hit(rows) = cache.get(&query).await {
            return Ok(rows);
        }
        let rows = self.read(server, select).await?;
        let models = self.watched(select);
        if counts {
            cache.fill_count(&query, &rows, switches.count_timeout, &models).await;
        } else if !rows.is_empty() || switches.empty_querysets {
            cache.fill(&query, &rows, &objects(select, &rows), &models).await;
        }
        Ok(rows)
    }

    /// The models of a SELECT whose new rows would change its answer and are watched as a whole.
    fn watched(&self, select: &Select) -> Vec<Model> {
        let all = self.app.switches.cache.invalidate_on_create == OnCreate::WholeModel;
        let models = std::iter::once(select.model).chain(select.joined.iter().map(|j| j.1));
        models.filter(|m| all || m.always_whole_model()).collect()
    }

    /// A write, on the primary; with `RETURNING`, its rows.
    pub async fn execute(&self, model: Model, sql: &str, params: Vec<Param>) -> Result<Rows> {
        self.begin_write(model).await?;
        if self.view.read_only.contains(&model) && self.app.switches.router.read_only_models {
            debug_assert!(false, "{} writes {}, which it calls read-only", self.view.name, model.table());
            crate::notice(&format!("{} writes {}, which it calls read-only", self.view.name, model.table()));
        }
        self.run(Server::Primary, model, sql, &params).await
    }

    /// One statement without values and without memory: DDL.
    pub async fn define(&self, model: Option<Model>, sql: &str) -> Result<()> {
        let connection = self.app.pools.get(Server::Primary).await?;
        self.send(&connection, Server::Primary, model, sql, &[]).await?;
        Ok(())
    }

    /// Replaces rows by `lines` in one DELETE and one COPY; always in a transaction, because between the two
    /// the old rows are gone.
    pub async fn copy(
        &self,
        model: Model,
        delete: &str,
        params: Vec<Param>,
        copy: &str,
        lines: String,
    ) -> Result<()> {
        self.pin.lock().expect("no panic holds this lock").write();
        self.forget_local(model);
        self.begin_transaction().await?;
        self.run(Server::Primary, model, delete, &params).await?;
        let tx = self.tx.lock().await;
        let connection = tx.as_ref().expect("begun three lines above");
        let (text, key) = self.prepare(Server::Primary, Some(model), copy);
        let _wait = wait(Component::Primary);
        let start = Instant::now();
        self.app.counters.sent(key.clone());
        let answer = connection.copy(&text, lines).await;
        self.note(key, copy, &[], start, answer.is_err());
        answer.context("COPY")?;
        drop(tx);
        if self.app.switches.db.tx == Tx::Autocommit {
            self.commit().await?;
        }
        Ok(())
    }

    /// After the commit, `value` can be read under `name`.
    pub fn put_after_commit(&self, name: &str, value: &impl serde::Serialize) {
        if self.app.switches.cache.write_through {
            let value = serde_json::to_value(value).expect("plain values");
            self.later(After::Put(name.to_string(), value));
        }
    }

    /// After the commit, nothing is found under `name`.
    pub fn forget_after_commit(&self, name: &str) {
        self.later(After::Forget(name.to_string()));
    }

    /// After the commit, whatever the cache knows about this row, its parents and its children is dropped.
    pub fn changed_after_commit(&self, model: Model, row: &crate::db::Row<'_>) {
        self.later(After::Invalidate(object(model, "id", row).into_iter().collect(), Vec::new()));
    }

    /// After the commit, cached queries of a model that is watched as a whole are dropped, because it has a
    /// new row. Other queries stay: a new row is in none of them.
    pub fn created_after_commit(&self, model: Model) {
        if model.always_whole_model() || self.app.switches.cache.invalidate_on_create == OnCreate::WholeModel
        {
            self.later(After::Invalidate(Vec::new(), vec![model]));
        }
    }

    fn later(&self, what: After) {
        self.after.lock().expect("no panic holds this lock").push(what);
    }

    /// A value that an earlier request wrote through.
    pub async fn written_through<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        if !self.app.switches.cache.write_through {
            return None;
        }
        self.app.cache.read(name).await
    }

    /// Ends the request: commits (or, when it failed, takes everything back), then tells the cache.
    pub async fn finish(&self, good: bool) -> Result<()> {
        let ended = self.end(if good { "COMMIT" } else { "ROLLBACK" }).await;
        let after = std::mem::take(&mut *self.after.lock().expect("no panic holds this lock"));
        if !good || ended.is_err() {
            // A COMMIT without an answer may have happened: what was remembered about it is in doubt.
            for what in after {
                if let After::Put(name, _) | After::Forget(name) = what {
                    self.app.cache.forget(&name).await;
                }
            }
            return ended;
        }
        for what in after {
            match what {
                After::Put(name, value) => self.app.cache.write(&name, &value).await,
                After::Forget(name) => self.app.cache.forget(&name).await,
                After::Invalidate(objects, models) => {
                    self.app.cache.invalidate(&objects, &models).await;
                }
            }
        }
        Ok(())
    }

    /// Ends a transaction in the middle of a long job, so that what was done so far stays.
    pub async fn commit(&self) -> Result<()> {
        self.end("COMMIT").await
    }

    async fn end(&self, word: &str) -> Result<()> {
        let Some(connection) = self.tx.lock().await.take() else { return Ok(()) };
        match self.send(&connection, Server::Primary, None, word, &[]).await {
            Ok(_) => Ok(()),
            Err(error) => {
                connection.discard();
                Err(error)
            }
        }
    }

    async fn begin_write(&self, model: Model) -> Result<()> {
        self.pin.lock().expect("no panic holds this lock").write();
        self.forget_local(model);
        if self.app.switches.db.tx == Tx::Request {
            self.begin_transaction().await?;
        }
        Ok(())
    }

    fn forget_local(&self, model: Model) {
        let mut remembered = self.remembered.lock().expect("no panic holds this lock");
        remembered.retain(|(sql, _), (m, _)| *m != model && !sql.contains(model.table()));
    }

    async fn begin_transaction(&self) -> Result<()> {
        let mut tx = self.tx.lock().await;
        if tx.is_some() {
            return Ok(());
        }
        let connection = self.app.pools.get(Server::Primary).await?;
        let connection = match self.send(&connection, Server::Primary, None, "BEGIN", &[]).await {
            Ok(_) => connection,
            // Nothing has happened yet: a connection that died while it was idle is no reason to fail.
            Err(_) if connection.is_closed() => {
                let fresh = self.app.pools.get(Server::Primary).await?;
                self.send(&fresh, Server::Primary, None, "BEGIN", &[]).await?;
                fresh
            }
            Err(error) => {
                connection.discard();
                return Err(error);
            }
        };
        *tx = Some(connection);
        Ok(())
    }

    /// A SELECT at `server`; when that is a replica which does not answer, at the primary.
    async fn read(&self, server: Server, select: &Select) -> Result<Rows> {
        if server == Server::Primary || self.app.replica_rests() {
            return self.run(Server::Primary, select.model, &select.sql, &select.params).await;
        }
        let asked = self.run(Server::Replica, select.model, &select.sql, &select.params);
        match tokio::time::timeout(REPLICA_PATIENCE, asked).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(_)) | Err(_) => {
                self.app.rest_replica();
                self.run(Server::Primary, select.model, &select.sql, &select.params).await
            }
        }
    }

    async fn run(&self, server: Server, model: Model, sql: &str, params: &[Param]) -> Result<Rows> {
        if server == Server::Primary {
            let tx = self.tx.lock().await;
            if let Some(connection) = tx.as_ref() {
                return self.send(connection, server, Some(model), sql, params).await;
            }
        }
        let connection = self.app.pools.get(server).await?;
        match self.send(&connection, server, Some(model), sql, params).await {
            Err(_) if connection.is_closed() && Kind::of(sql) == Kind::Select => {
                let fresh = self.app.pools.get(server).await?;
                self.send(&fresh, server, Some(model), sql, params).await
            }
            answer => answer,
        }
    }

    async fn send(
        &self,
        connection: &Connection,
        server: Server,
        model: Option<Model>,
        sql: &str,
        params: &[Param],
    ) -> Result<Rows> {
        let (text, key) = self.prepare(server, model, sql);
        let _wait = wait(server.component());
        let start = Instant::now();
        self.app.counters.sent(key.clone());
        let answer = match key.kind {
            Kind::Transaction | Kind::Ddl => connection.run_simple(&text).await,
            _ => connection.run(&text, params).await,
        };
        self.note(key, sql, params, start, answer.is_err());
        answer.with_context(|| format!("{}: {sql}", server.name()))
    }

    fn prepare(&self, server: Server, model: Option<Model>, sql: &str) -> (String, Key) {
        let traceparent = self.trace.traceparent();
        let mut tags = vec![
            ("controller", self.view.name),
            ("db_driver", "tokio-postgres"),
            ("framework", "survey-app"),
            ("route", self.view.route),
        ];
        match self.app.switches.comments {
            Comments::Off => tags.clear(),
            Comments::Static => {}
            Comments::Trace => tags.push(("traceparent", &traceparent)),
        }
        let key = Key {
            view: self.view.name.to_string(),
            server,
            kind: Kind::of(sql),
            table: model.map_or("", Model::table).to_string(),
        };
        (comment::append(sql, &tags), key)
    }

    fn note(&self, key: Key, sql: &str, params: &[Param], start: Instant, failed: bool) {
        if failed {
            self.app.counters.failed(&key);
        }
        let sent = Sent {
            server: key.server,
            kind: key.kind,
            sql: sql.to_string(),
            params: crate::db::show(params),
            micros: start.elapsed().as_micros() as u64,
            failed,
        };
        self.sent.lock().expect("no panic holds this lock").push(sent);
    }
}

/// The cached objects in the rows of a SELECT: the rows themselves and what a join brought along.
fn objects(select: &Select, rows: &Rows) -> Vec<Object> {
    let mut out = Vec::new();
    for row in rows.iter() {
        out.extend(object(select.model, "id", &row));
        for (column, model) in select.joined {
            out.extend(object(*model, column, &row));
        }
    }
    out.sort_by(|a, b| a.key.cmp(&b.key));
    out.dedup();
    out
}

fn object(model: Model, column: &str, row: &crate::db::Row<'_>) -> Option<Object> {
    let key = ObjectKey::new(model, row.get(column)?);
    let parents = model
        .foreign_keys()
        .iter()
        .filter_map(|(column, parent)| row.get(column).map(|id| ObjectKey::new(*parent, id)))
        .collect();
    Some(Object { key, parents })
}
