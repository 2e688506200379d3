//! Where the servers listen.
//!
//! Written by the stack (or by hand, as TOML, for servers that somebody else runs), read by every process of
//! the application. Must not know switches.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Every server that the application talks to; what is absent is not used.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// Key of every keyed hash: login codes, CSRF tokens.
    pub secret: String,
    /// What our own nginx shows to be believed ([`crate::proxy`]).
    #[serde(default)]
    pub proxy_key: Option<String>,
    /// `host:port` of Redis.
    pub redis: Option<String>,
    /// `host:port` of memcached.
    pub memcached: Option<String>,
    /// PostgreSQL, where writes go.
    pub primary: Postgres,
    /// PostgreSQL, streaming from the primary.
    pub replica: Option<Postgres>,
    /// pgbouncer's way to the primary.
    pub pooled_primary: Option<Postgres>,
    /// pgbouncer's way to the replica.
    pub pooled_replica: Option<Postgres>,
}

/// One PostgreSQL database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database (or pgbouncer's name for it).
    pub database: String,
    /// Role.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl Endpoints {
    /// Reads the file that the stack wrote.
    pub fn read(path: &Path) -> Result<Endpoints> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("{} does not say where the servers are", path.display()))
    }
}
