//! The switches: every step of the talk as one value that can be turned.
//!
//! Serves everyone who starts the application. A set of switches is a profile (`naive` or `tuned`), then a
//! TOML file, then the environment, then `--set`, each overriding the one before. Must not know any server:
//! where things listen is [`crate::endpoints`].

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

const NAIVE: &str = include_str!("../profiles/naive.toml");
const TUNED: &str = include_str!("../profiles/tuned.toml");

/// A starting point for the switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The application before the talk's first step.
    Naive,
    /// The application after all of them.
    Tuned,
}

impl Profile {
    /// The name as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Naive => "naive",
            Profile::Tuned => "tuned",
        }
    }
}

/// The active switches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// The profile that this set started from.
    pub profile: Profile,
    /// Query comments in sqlcommenter's form.
    pub comments: Comments,
    /// How the web process divides its work.
    pub runtime: Runtime,
    /// Microseconds of a processor that each request uses up beside its work.
    pub cpu_burn_us: u64,
    /// How statements are built.
    pub sql: Sql,
    /// How statements travel.
    pub db: Db,
    /// What is remembered between requests.
    pub cache: Cache,
    /// Where a login lives.
    pub session: Session,
    /// Which server answers a SELECT.
    pub router: Router,
    /// What a developer sees.
    pub debug: Debug,
    /// How style sheets and scripts are served.
    pub assets: Assets,
    /// Who may say where a request comes from.
    pub proxy: Proxy,
    /// How much is taken on at once.
    pub web: Web,
    /// How PostgreSQL is set up.
    pub pg: Pg,
}

/// `sql.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// Fetch related rows with a join instead of one SELECT each.
    pub select_related: bool,
    /// Remember what a request has already read, until the request ends.
    pub request_local: bool,
}

/// `db.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Db {
    /// How the answers of a page reach the table.
    pub batching: Batching,
    /// Where transactions begin and end.
    pub tx: Tx,
    /// Which of PostgreSQL's two query protocols is spoken.
    pub protocol: Protocol,
    /// Straight to PostgreSQL or through the pooler.
    pub via: Via,
    /// Connections per server and process.
    pub pool: usize,
}

/// `cache.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Where cached rows live.
    pub backend: Backend,
    /// Remember that a query found nothing.
    pub empty_querysets: bool,
    /// Seconds for which a count is remembered; 0 asks every time.
    pub count_timeout: u64,
    /// Whether a new row empties every cached query of its model.
    pub invalidate_on_create: OnCreate,
    /// Seconds after an invalidation in which nothing is filled again.
    pub hold_secs: u64,
    /// Seconds for which rows are remembered at most.
    pub timeout: u64,
    /// Put rows that were just written into the cache, after their commit.
    pub write_through: bool,
}

/// `session.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Where a login lives.
    pub backend: SessionBackend,
    /// Seconds after which an unused login ends.
    pub ttl: u64,
}

/// `router.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Router {
    /// How a server is chosen for an unpinned SELECT.
    pub mode: RouterMode,
    /// Weights of `primary` and `replica`; a missing name takes no part.
    pub pool: BTreeMap<String, u32>,
    /// Keep a client on the primary for a while after it wrote.
    pub pinning: bool,
    /// Name of the cookie that pins.
    pub pin_key: String,
    /// Life of that cookie in seconds.
    pub pin_secs: u64,
    /// Let the survey's describing rows come from the replica in the hot views, pinned or not.
    pub read_only_models: bool,
}

/// `debug.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debug {
    /// Keep the statements of the last requests and show them under `/debug/`.
    pub panel: bool,
    /// Addresses that may see the panel.
    pub internal_ips: Vec<String>,
}

/// `assets.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assets {
    /// Serve combined, minified, compressed files under hashed names from a manifest.
    pub compress: bool,
}

/// `proxy.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Addresses of proxies whose `X-Forwarded-For` is believed, beside our own nginx.
    pub trusted: Vec<String>,
}

/// `web.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Requests that are served at a time; more are answered with 503 at once. 0: no limit.
    pub max_in_flight: usize,
    /// Threads with `runtime=threads`; 0: one a core.
    pub threads: usize,
}

/// `pg.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pg {
    /// What PostgreSQL does at a commit; of servers that we start.
    pub profile: PgProfile,
}

macro_rules! choices {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $text)] $variant,)+ }
        impl $name {
            /// The value as it is typed.
            pub fn name(self) -> &'static str { match self { $($name::$variant => $text,)+ } }
        }
    };
}

choices!(/// `comments`
Comments {
    /// Statements travel bare.
    Off = "off",
    /// View and route.
    Static = "static",
    /// View, route and the request's `traceparent`.
    Trace = "trace",
});
choices!(/// `runtime`
Runtime {
    /// Threads that the kernel interrupts; `web.threads` of them.
    Threads = "threads",
    /// All requests on one thread, one after the other whenever they do not wait.
    EventLoop = "event-loop",
});
choices!(/// `pg.profile`
PgProfile {
    /// PostgreSQL's defaults.
    Default = "default",
    /// The talk's: a commit waits for others, to be flushed with them.
    Talk = "talk",
    /// A commit does not wait for the disk; the last moments before a crash may be lost.
    Off = "off",
});
choices!(/// `db.batching`
Batching {
    /// One INSERT per answer, after a look whether it exists.
    Row = "row",
    /// One INSERT with a list of VALUES.
    Values = "values",
    /// One INSERT from two arrays.
    Unnest = "unnest",
    /// One DELETE and one COPY.
    Copy = "copy",
});
choices!(/// `db.tx`
Tx {
    /// Every statement commits by itself.
    Autocommit = "autocommit",
    /// The first write of a request begins a transaction, its end commits it.
    Request = "request",
});
choices!(/// `db.protocol`
Protocol {
    /// Literals inside the text, one message.
    Simple = "simple",
    /// Unnamed statements with typed parameters, one round trip.
    Typed = "typed",
});
choices!(/// `db.via`
Via {
    /// Straight to PostgreSQL.
    Direct = "direct",
    /// Through pgbouncer in transaction mode.
    Pgbouncer = "pgbouncer",
});
choices!(/// `cache.backend`
Backend {
    /// Nothing is remembered between requests.
    None = "none",
    /// A map in this process.
    Locmem = "locmem",
    /// Redis, beside the sessions.
    Redis = "redis",
    /// memcached.
    Memcached = "memcached",
});
choices!(/// `cache.invalidate_on_create`
OnCreate {
    /// A new row leaves cached queries alone.
    Off = "off",
    /// A new row empties every cached query of its model.
    WholeModel = "whole-model",
});
choices!(/// `session.backend`
SessionBackend {
    /// A table; costs statements on each request.
    Db = "db",
    /// Redis.
    Redis = "redis",
});
choices!(/// `router.mode`
RouterMode {
    /// Everything goes to the primary.
    Off = "off",
    /// Weighted choice.
    Wms = "wms",
    /// One after the other.
    RoundRobin = "rr",
});

impl PgProfile {
    /// Lines of `postgresql.conf`.
    pub fn settings(self) -> Vec<(String, String)> {
        let lines: &[(&str, &str)] = match self {
            PgProfile::Default => &[],
            PgProfile::Talk => &[("commit_delay", "4000"), ("commit_siblings", "5")],
            PgProfile::Off => &[("synchronous_commit", "off")],
        };
        lines.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }
}

impl Switches {
    /// A profile as it is shipped.
    pub fn of(profile: Profile) -> Switches {
        Switches::assemble(profile, None, &[], &[]).expect("the shipped profiles parse (tested)")
    }

    /// A profile, then the file, then the process's environment, then `key=value` pairs.
    pub fn load(profile: Profile, file: Option<&Path>, sets: &[String]) -> Result<Switches> {
        let text = match file {
            Some(path) => Some(
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?,
            ),
            None => None,
        };
        let env: Vec<(String, String)> = std::env::vars().filter(|(k, _)| k.starts_with("SURVEY_")).collect();
        Switches::assemble(profile, text.as_deref(), &env, sets)
    }

    /// As [`Switches::load`], from values instead of the world.
    pub fn assemble(
        profile: Profile,
        file: Option<&str>,
        env: &[(String, String)],
        sets: &[String],
    ) -> Result<Switches> {
        let base = match profile {
            Profile::Naive => NAIVE,
            Profile::Tuned => TUNED,
        };
        let mut table: Table = base.parse().context("a shipped profile does not parse")?;
        if let Some(text) = file {
            merge(&mut table, text.parse::<Table>().context("the switches file is not TOML")?);
        }
        for (key, _) in flatten(&table) {
            let name = format!("SURVEY_{}", key.replace('.', "_").to_uppercase());
            if let Some((_, value)) = env.iter().find(|(k, _)| *k == name) {
                put(&mut table, &key, value).with_context(|| format!("{name}={value}"))?;
            }
        }
        for set in sets {
            let (key, value) = set.split_once('=').with_context(|| format!("`{set}` is not key=value"))?;
            put(&mut table, key.trim(), value.trim()).with_context(|| format!("--set {set}"))?;
        }
        let switches: Switches = Value::Table(table).try_into().context("the switches")?;
        switches.check()?;
        Ok(switches)
    }

    fn check(&self) -> Result<()> {
        if self.db.batching == Batching::Copy && self.db.via == Via::Pgbouncer {
            bail!(
                "db.batching=copy prepares a named statement, which pgbouncer mixes up between clients; use unnest"
            );
        }
        if self.db.pool == 0 {
            bail!("db.pool must be at least 1");
        }
        if let Some(odd) = self.proxy.trusted.iter().find(|t| t.parse::<std::net::IpAddr>().is_err()) {
            bail!("proxy.trusted takes addresses, not `{odd}`");
        }
        for name in self.router.pool.keys() {
            if name != "primary" && name != "replica" {
                bail!("router.pool knows `primary` and `replica`, not `{name}`");
            }
        }
        if self.router.mode != RouterMode::Off && self.router.pool.values().sum::<u32>() == 0 {
            bail!("router.pool has no weight at all");
        }
        Ok(())
    }

    /// Every switch with its value, in alphabetical order: what is printed and written to reports.
    pub fn list(&self) -> Vec<(String, String)> {
        let table = Table::try_from(self).expect("switches are plain values");
        flatten(&table)
            .into_iter()
            .map(|(k, v)| (k, v.as_str().map_or_else(|| v.to_string(), str::to_string)))
            .collect()
    }

    /// The active set in at most 63 bytes (a longer `application_name` would be cut by PostgreSQL), without
    /// spaces or commas so that any `log_line_prefix` can be read back. What does not fit is in the last three
    /// digits, a hash of the whole set: two logs with the same name come from the same switches.
    pub fn application_name(&self) -> String {
        let bit = |on: bool| u8::from(on);
        let (sql, db, cache, router) = (&self.sql, &self.db, &self.cache, &self.router);
        let name = format!(
            "survey/{}:j{}l{}w{}.{}.{}.{}.{}.{}.e{}n{}h{}.{}.{}{}{}-{}",
            self.profile.name(),
            bit(sql.select_related),
            bit(sql.request_local),
            bit(cache.write_through),
            &db.batching.name()[..3],
            &db.tx.name()[..3],
            &db.protocol.name()[..3],
            &db.via.name()[..3],
            &cache.backend.name()[..3],
            bit(cache.empty_querysets),
            cache.count_timeout.min(9999),
            cache.hold_secs.min(99),
            &self.session.backend.name()[..2],
            router.mode.name(),
            bit(router.pinning),
            bit(router.read_only_models),
            &crate::secret::hash(format!("{:?}", self.list()).as_bytes())[..3],
        );
        debug_assert!(name.len() <= 63, "{name} has {} bytes", name.len());
        name
    }
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            // A pool is given as a whole: weights of an older one must not shine through.
            (Some(Value::Table(old)), Value::Table(new)) if key != "pool" => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) if key != "pool" => {
                out.extend(flatten(inner).into_iter().map(|(k, v)| (format!("{key}.{k}"), v)));
            }
            value => out.push((key.clone(), value.clone())),
        }
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

fn put(table: &mut Table, key: &str, text: &str) -> Result<()> {
    let (section, name) = match key.split_once('.') {
        Some((section, name)) => (Some(section), name),
        None => (None, key),
    };
    let home = match section {
        Some(section) => table
            .get_mut(section)
            .and_then(Value::as_table_mut)
            .with_context(|| format!("there is no switch `{key}`"))?,
        None => table,
    };
    let old = home.get(name).with_context(|| format!("there is no switch `{key}`"))?;
    let value = match old {
        Value::String(_) => Value::String(text.trim_matches('"').to_string()),
        Value::Boolean(_) => match text {
            "true" | "on" | "1" | "yes" => Value::Boolean(true),
            "false" | "off" | "0" | "no" => Value::Boolean(false),
            _ => bail!("`{key}` is on or off"),
        },
        Value::Integer(_) => match text {
            "off" | "none" => Value::Integer(0),
            _ => Value::Integer(text.parse().with_context(|| format!("`{key}` is a number"))?),
        },
        _ => format!("v = {text}")
            .parse::<Table>()
            .ok()
            .and_then(|mut t| t.remove("v"))
            .with_context(|| format!("`{key}` takes a TOML value such as {old}"))?,
    };
    home.insert(name.to_string(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_parse_and_differ_in_every_step() {
        let (naive, tuned) = (Switches::of(Profile::Naive), Switches::of(Profile::Tuned));
        assert!(!naive.sql.select_related && tuned.sql.select_related);
        assert_eq!((naive.db.batching, tuned.db.batching), (Batching::Row, Batching::Unnest));
        assert_eq!((naive.cache.backend, tuned.cache.backend), (Backend::None, Backend::Memcached));
        assert_eq!((naive.router.mode, tuned.router.mode), (RouterMode::Off, RouterMode::Wms));
    }

    #[test]
    fn later_sources_win() {
        let env = [("SURVEY_CACHE_COUNT_TIMEOUT".to_string(), "7".to_string())];
        let one =
            Switches::assemble(Profile::Tuned, Some("[cache]\ncount_timeout = 5\nhold_secs = 1"), &env, &[])
                .unwrap();
        assert_eq!((one.cache.count_timeout, one.cache.hold_secs), (7, 1));
        let sets = ["cache.count_timeout=off".to_string(), "router.pool={primary=1,replica=3}".to_string()];
        let two = Switches::assemble(Profile::Tuned, None, &env, &sets).unwrap();
        assert_eq!((two.cache.count_timeout, two.router.pool["replica"]), (0, 3));
    }

    #[test]
    fn mistakes_are_named() {
        for (set, says) in [
            ("cache.empty=1", "no switch `cache.empty`"),
            ("db.batching=fast", "unknown variant `fast`"),
            ("db.pool=many", "`db.pool` is a number"),
            ("sql.select_related=maybe", "on or off"),
            ("router.pool={standby=1}", "not `standby`"),
            ("proxy.trusted=['10.0.0.0/8']", "takes addresses"),
        ] {
            let error = Switches::assemble(Profile::Naive, None, &[], &[set.to_string()]).unwrap_err();
            assert!(format!("{error:#}").contains(says), "{set}: {error:#}");
        }
        let sets = ["db.batching=copy".to_string(), "db.via=pgbouncer".to_string()];
        assert!(Switches::assemble(Profile::Naive, None, &[], &sets).is_err());
    }

    #[test]
    fn application_name_fits_and_shows_the_set() {
        let sets = ["cache.count_timeout=9999", "cache.hold_secs=99", "db.via=pgbouncer"].map(str::to_string);
        for profile in [Profile::Naive, Profile::Tuned] {
            let name = Switches::assemble(profile, None, &[], &sets).unwrap().application_name();
            assert!(name.len() <= 63, "{name} has {} bytes", name.len());
            assert!(!name.contains([' ', ',']), "{name}");
            let other = Switches { comments: Comments::Off, ..Switches::of(profile) };
            assert_ne!(other.application_name(), Switches::of(profile).application_name());
        }
    }
}
