//! Connections: one pool a server, one conversation in either protocol.
//!
//! Serves [`crate::scope`]. Checks and resets nothing with SQL of its own (`RecyclingMethod::Fast`), so every
//! statement in PostgreSQL's log is one that the application meant to send.

use super::{Param, Rows, Server, interpolate};
use crate::config::{Protocol, Switches, Via};
use crate::endpoints::{Endpoints, Postgres};
use crate::metrics::{Component, wait};
use anyhow::{Context, Result};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures_util::{SinkExt, pin_mut};
use std::time::Duration;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// The pools of one process.
#[derive(Clone, Debug)]
pub struct Pools {
    primary: Pool,
    replica: Option<Pool>,
    protocol: Protocol,
}

impl Pools {
    /// Pools for what `endpoints` names; connects when first used.
    pub fn new(switches: &Switches, endpoints: &Endpoints) -> Result<Pools> {
        let (primary, replica) = match switches.db.via {
            Via::Direct => (Some(&endpoints.primary), endpoints.replica.as_ref()),
            Via::Pgbouncer => (endpoints.pooled_primary.as_ref(), endpoints.pooled_replica.as_ref()),
        };
        let primary = primary.context("db.via=pgbouncer, but no pgbouncer is configured")?;
        Ok(Pools {
            primary: pool(primary, switches)?,
            replica: replica.map(|r| pool(r, switches)).transpose()?,
            protocol: switches.db.protocol,
        })
    }

    /// Whether there is a replica to read from.
    pub fn has_replica(&self) -> bool {
        self.replica.is_some()
    }

    /// A connection to `server`; to the primary when there is no replica.
    pub async fn get(&self, server: Server) -> Result<Connection> {
        let pool = match server {
            Server::Primary => &self.primary,
            Server::Replica => self.replica.as_ref().unwrap_or(&self.primary),
        };
        let _wait = wait(Component::Pool);
        let object = pool.get().await.with_context(|| format!("no connection to the {}", server.name()))?;
        Ok(Connection { object, protocol: self.protocol })
    }

    /// How full the pools are.
    pub fn state(&self) -> Vec<(Server, PoolState)> {
        let of = |pool: &Pool| {
            let status = pool.status();
            PoolState { open: status.size, free: status.available, wanted: status.waiting }
        };
        let replica = self.replica.iter().map(|pool| (Server::Replica, of(pool)));
        std::iter::once((Server::Primary, of(&self.primary))).chain(replica).collect()
    }

    /// Closes the pools; connections in use end with their request.
    pub fn close(&self) {
        self.primary.close();
        if let Some(replica) = &self.replica {
            replica.close();
        }
    }
}

/// How full a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Connections that are open.
    pub open: usize,
    /// Those of them that nobody uses.
    pub free: usize,
    /// Requests that wait for one.
    pub wanted: usize,
}

fn pool(at: &Postgres, switches: &Switches) -> Result<Pool> {
    let mut config = tokio_postgres::Config::new();
    config.host(&at.host).port(at.port).dbname(&at.database).user(&at.user).password(&at.password);
    config.connect_timeout(Duration::from_secs(2));
    // pgbouncer would send a SET for a name that differs from the server connection's; there, the name is the
    // role's default (stack/postgres.rs), and no statement is added to the log.
    if switches.db.via == Via::Direct {
        config.application_name(switches.application_name());
    }
    let manager =
        Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    Pool::builder(manager)
        .max_size(switches.db.pool)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(Duration::from_secs(10)))
        .create_timeout(Some(Duration::from_secs(3)))
        .build()
        .context("the connection pool")
}

/// One conversation with one server.
#[derive(Debug)]
pub struct Connection {
    object: Object,
    protocol: Protocol,
}

impl Connection {
    /// Sends one statement and reads its answer.
    pub async fn run(&self, sql: &str, params: &[Param]) -> Result<Rows, tokio_postgres::Error> {
        match self.protocol {
            Protocol::Simple => self.run_simple(&interpolate(sql, params)).await,
            Protocol::Typed => self.run_typed(sql, params).await,
        }
    }

    /// `BEGIN`, `COMMIT`, `ROLLBACK`, DDL: without parameters both profiles speak the simple protocol.
    pub async fn run_simple(&self, sql: &str) -> Result<Rows, tokio_postgres::Error> {
        let mut rows = Rows::default();
        for message in self.object.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    rows.columns = columns.iter().map(|c| c.name().to_string()).collect();
                }
                SimpleQueryMessage::Row(row) => {
                    rows.cells.push((0..row.len()).map(|i| row.get(i).map(str::to_string)).collect());
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    async fn run_typed(&self, sql: &str, params: &[Param]) -> Result<Rows, tokio_postgres::Error> {
        let typed: Vec<(&(dyn ToSql + Sync), Type)> = params.iter().map(Param::typed).collect();
        let answer = self.object.query_typed(sql, &typed).await?;
        let mut rows = Rows::default();
        if let Some(first) = answer.first() {
            rows.columns = first.columns().iter().map(|c| c.name().to_string()).collect();
        }
        for row in &answer {
            let cells: Result<_, _> = (0..row.len()).map(|i| cell(row, i)).collect();
            rows.cells.push(cells?);
        }
        Ok(rows)
    }

    /// Sends `lines` (COPY's text form) into `sql`. Only directly to PostgreSQL: the driver prepares a named
    /// statement for it, which [`Switches`] refuses together with pgbouncer.
    #[expect(clippy::disallowed_methods, reason = "refused behind pgbouncer when the switches are checked")]
    pub async fn copy(&self, sql: &str, lines: String) -> Result<u64, tokio_postgres::Error> {
        let sink = self.object.copy_in::<_, bytes::Bytes>(sql).await?;
        pin_mut!(sink);
        sink.send(bytes::Bytes::from(lines)).await?;
        sink.finish().await
    }

    /// Takes the connection out of its pool, so that whatever state it is in ends with it.
    pub fn discard(self) {
        drop(Object::take(self.object));
    }

    /// Whether the server is gone.
    pub fn is_closed(&self) -> bool {
        self.object.is_closed()
    }
}

fn cell(row: &tokio_postgres::Row, at: usize) -> Result<Option<String>, tokio_postgres::Error> {
    let ty = row.columns()[at].type_();
    Ok(match *ty {
        Type::INT8 => row.try_get::<_, Option<i64>>(at)?.map(|v| v.to_string()),
        Type::INT4 => row.try_get::<_, Option<i32>>(at)?.map(|v| v.to_string()),
        Type::BOOL => row.try_get::<_, Option<bool>>(at)?.map(|v| if v { "t" } else { "f" }.to_string()),
        _ => row.try_get::<_, Option<String>>(at)?,
    })
}
