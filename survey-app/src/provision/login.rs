//! A way into a PostgreSQL server, or into pgbouncer's console, that both understand: simple statements.

use anyhow::{Context, Result};
use std::time::Duration;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A way into a PostgreSQL server (or pgbouncer's console).
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: &'static str,
    pub(super) password: String,
    pub(super) database: &'static str,
    /// Startup options; pgbouncer takes none.
    pub(super) options: &'static str,
}

impl Login {
    /// The rows of simple statements; NULL is empty.
    pub(super) async fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(self.database)
            .user(self.user)
            .password(&self.password);
        config.connect_timeout(Duration::from_secs(3));
        if !self.options.is_empty() {
            config.options(self.options);
        }
        let (client, connection) =
            config.connect(NoTls).await.with_context(|| format!("cannot log in at port {}", self.port))?;
        let driver = tokio::spawn(connection);
        let answer = client.simple_query(sql).await.with_context(|| sql.to_string())?;
        drop(client);
        let _ = driver.await;
        let rows = answer.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|i| row.get(i).unwrap_or_default().to_string()).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The first cell of the first row.
    pub(super) async fn cell(&self, sql: &str) -> Result<Option<String>> {
        Ok(self.rows(sql).await?.into_iter().next().and_then(|row| row.into_iter().next()))
    }
}
