//! What PostgreSQL counts itself: commits, clients, flushes of its log.
//!
//! Serves the sampler. One connection a server, asked once a second; as a superuser it leaves no line in the log.

use super::recording::PostgresTotals;
use crate::endpoints::{Endpoints, Postgres};
use anyhow::{Context, Result};
use std::time::Duration;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

const PATIENCE: Duration = Duration::from_millis(900);

/// A server to be watched: its label and the way to it.
#[derive(Clone, Debug)]
pub struct Watched {
    /// `primary` or `replica`.
    pub name: &'static str,
    /// How one connects, to the application's database.
    pub config: Config,
}

/// The servers of `endpoints`, by the application's role.
pub(super) fn of(endpoints: &Endpoints) -> Vec<Watched> {
    let config = |at: &Postgres| {
        let mut config = Config::new();
        config.host(&at.host).port(at.port).dbname(&at.database).user(&at.user).password(&at.password);
        config.application_name("survey-observe").connect_timeout(Duration::from_secs(2));
        config
    };
    let replica = endpoints.replica.iter().map(|r| Watched { name: "replica", config: config(r) });
    std::iter::once(Watched { name: "primary", config: config(&endpoints.primary) }).chain(replica).collect()
}

/// A server with its connection.
pub(super) struct Probe {
    pub(super) watched: Watched,
    client: Option<Client>,
    /// `pg_stat_wal` came with PostgreSQL 14, and a standby writes none.
    has_wal: bool,
}

impl Probe {
    pub(super) fn new(watched: Watched) -> Probe {
        let has_wal = watched.name == "primary";
        Probe { watched, client: None, has_wal }
    }

    /// The sums now; `None` when the server does not answer in time.
    pub(super) async fn ask(&mut self) -> Option<PostgresTotals> {
        let asked = tokio::time::timeout(PATIENCE, self.totals()).await;
        match asked {
            Ok(Ok(totals)) => Some(totals),
            _ => {
                self.client = None;
                None
            }
        }
    }

    async fn totals(&mut self) -> Result<PostgresTotals> {
        let client = match self.client.take() {
            Some(client) if !client.is_closed() => client,
            _ => {
                let (client, connection) =
                    self.watched.config.connect(NoTls).await.context("cannot connect")?;
                tokio::spawn(connection);
                client
            }
        };
        // Our own connection is no client of the application.
        let sql =
            "SELECT xact_commit, numbackends - 1 FROM pg_stat_database WHERE datname = current_database()";
        let cells = first(&client, sql).await?;
        let number = |at: usize| cells.get(at).and_then(|c: &String| c.parse().ok()).unwrap_or_default();
        let mut totals = PostgresTotals { commits: number(0), backends: number(1), wal_syncs: None };
        if self.has_wal {
            match first(&client, "SELECT wal_sync FROM pg_stat_wal").await {
                Ok(cells) => totals.wal_syncs = cells.first().and_then(|c| c.parse().ok()),
                Err(_) => self.has_wal = false,
            }
        }
        self.client = Some(client);
        Ok(totals)
    }
}

async fn first(client: &Client, sql: &str) -> Result<Vec<String>> {
    let answer = client.simple_query(sql).await.context("PostgreSQL")?;
    let row = answer.iter().find_map(|m| match m {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.context("PostgreSQL gave no row")?;
    Ok((0..row.len()).map(|at| row.get(at).unwrap_or_default().to_string()).collect())
}
