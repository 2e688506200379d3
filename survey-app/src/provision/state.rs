//! The declared state: one TOML file in git that says what every role is meant to be.
//!
//! Serves the roles. Pure text: it reads no server, and it holds no secret.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The state that is shipped: the whole application on one machine.
pub const SHIPPED: &str = include_str!("../../provision/survey.toml");

/// Settings of a server by their names, as its own configuration would say them.
pub type Settings = BTreeMap<String, Scalar>;

/// Everything that is declared.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Settings of both PostgreSQL servers.
    #[serde(default)]
    pub postgresql: Settings,
    /// The primary.
    pub db: Postgres,
    /// Its streaming replica.
    pub replica: Option<Postgres>,
    /// memcached and Redis.
    #[serde(default)]
    pub cache: Cache,
    /// pgbouncer, the web processes, the worker, nginx.
    pub web: Option<Web>,
    /// A survey and people to take it.
    pub load: Option<Load>,
}

/// `[db]`, `[replica]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Where it listens, and where the others find it.
    #[serde(default = "loopback")]
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its settings over those of both.
    #[serde(default)]
    pub postgresql: Settings,
    /// Lines of pg_hba.conf after ours, for hosts that are not this one.
    #[serde(default)]
    pub hba: Vec<String>,
}

/// `[cache]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// memcached.
    pub memcached: Option<Memcached>,
    /// Redis.
    pub redis: Option<Redis>,
}

/// `[cache.memcached]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memcached {
    /// Where it listens.
    #[serde(default = "loopback")]
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Memory for values.
    pub memory_mb: u64,
    /// Clients at the same time.
    pub connections: u64,
    /// Threads.
    pub threads: u64,
}

/// `[cache.redis]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Where it listens.
    #[serde(default = "loopback")]
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Lines of its configuration.
    #[serde(default)]
    pub settings: Settings,
}

/// `[web]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Where nginx listens.
    #[serde(default = "loopback")]
    pub host: String,
    /// nginx's port.
    pub port: u16,
    /// The port of the first web process; the others follow it.
    pub first_process: u16,
    /// Web processes.
    pub processes: u16,
    /// The profile that the switches start from.
    #[serde(default = "tuned")]
    pub profile: crate::config::Profile,
    /// Switches over the profile.
    #[serde(default)]
    pub switches: toml::Table,
    /// `[web.nginx]`
    pub nginx: Nginx,
    /// `[web.pgbouncer]`
    pub pgbouncer: Pgbouncer,
}

/// `[web.nginx]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nginx {
    /// Its processes; a number or `auto`.
    pub workers: String,
    /// Idle connections to the web processes that each keeps.
    pub keepalive: u32,
}

/// `[web.pgbouncer]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pgbouncer {
    /// Its port, on the loopback interface: it serves this host alone.
    pub port: u16,
    /// Lines of its configuration.
    #[serde(default)]
    pub settings: Settings,
}

/// `[load]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// People with a login code.
    pub respondents: usize,
    /// Pages of the survey.
    pub pages: usize,
    /// Files that a process must be allowed to open: one a connection.
    #[serde(default)]
    pub open_files: u64,
}

/// A value as a configuration file would say it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `on` or `off`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number.
    Float(f64),
    /// Anything else.
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Bool(true) => f.write_str("on"),
            Scalar::Bool(false) => f.write_str("off"),
            Scalar::Int(n) => write!(f, "{n}"),
            Scalar::Float(n) => write!(f, "{n}"),
            Scalar::Text(text) => f.write_str(text),
        }
    }
}

impl State {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<State> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        State::parse(&text).with_context(|| format!("{}", path.display()))
    }

    /// Reads text.
    ///
    /// # Errors
    /// Text that declares no state, or values that would break out of a configuration file.
    pub fn parse(text: &str) -> Result<State> {
        let state: State = toml::from_str(text).context("this declares no state")?;
        state.check()?;
        Ok(state)
    }

    fn check(&self) -> Result<()> {
        let postgres = [Some(&self.postgresql), Some(&self.db.postgresql)]
            .into_iter()
            .chain([self.replica.as_ref().map(|r| &r.postgresql)]);
        let redis = self.cache.redis.as_ref().map(|r| &r.settings);
        let pgbouncer = self.web.as_ref().map(|w| &w.pgbouncer.settings);
        for (name, value) in postgres.chain([redis, pgbouncer]).flatten().flatten() {
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
            ensure!(plain && !name.is_empty(), "`{name}` is no name of a setting");
            ensure!(
                !value.to_string().contains(['\n', '\r', '\0']),
                "the value of {name} has more than one line"
            );
        }
        for (setting, table) in DERIVED {
            let given = [&self.postgresql, &self.db.postgresql]
                .into_iter()
                .chain(self.replica.as_ref().map(|r| &r.postgresql))
                .any(|s| s.contains_key(*setting));
            ensure!(!given, "{setting} follows from {table}; do not set it beside it");
        }
        let hosts = [Some(&self.db.host), self.replica.as_ref().map(|r| &r.host)]
            .into_iter()
            .chain([self.web.as_ref().map(|w| &w.host), self.cache.redis.as_ref().map(|r| &r.host)])
            .chain([self.cache.memcached.as_ref().map(|m| &m.host)]);
        for host in hosts.flatten() {
            ensure!(host.parse::<std::net::IpAddr>().is_ok(), "`{host}` is no address");
        }
        for line in self.db.hba.iter().chain(self.replica.iter().flat_map(|r| &r.hba)) {
            ensure!(!line.contains('\n'), "a line of hba has more than one line");
        }
        if let Some(web) = &self.web {
            ensure!((1..=64).contains(&web.processes), "web.processes: 1 to 64");
        }
        Ok(())
    }
}

/// Settings that this module writes itself, and where they come from.
const DERIVED: &[(&str, &str)] = &[
    ("port", "the role's table"),
    ("listen_addresses", "the role's table"),
    ("unix_socket_directories", "the role (it has none)"),
    ("primary_conninfo", "[db]"),
    ("primary_slot_name", "[replica]"),
];

fn loopback() -> String {
    "127.0.0.1".to_string()
}

fn tuned() -> crate::config::Profile {
    crate::config::Profile::Tuned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_state_is_one() {
        let state = State::parse(SHIPPED).unwrap();
        assert_eq!(state.db.postgresql["commit_delay"].to_string(), "4000");
        assert_eq!(state.postgresql["hot_standby"].to_string(), "on");
    }

    #[test]
    fn nothing_breaks_out() {
        let with = |line: &str| State::parse(&format!("[db]\nport = 1\n[db.postgresql]\n{line}\n"));
        assert!(with("work_mem = '4MB'").is_ok());
        for line in ["work_mem = \"4MB\\nfsync = off\"", "\"a b\" = 1", "port = 5", "primary_conninfo = 'x'"]
        {
            assert!(with(line).is_err(), "{line}");
        }
        assert!(State::parse("[db]\nhost = \"'; rm\"\nport = 1\n").is_err());
        assert!(State::parse("[db]\nport = 1\n[dbs]\n").is_err());
    }
}
