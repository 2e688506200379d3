//! The application of one process: the switches and everything they configure, shared by all requests.
//!
//! Serves the web, the worker and the runs. Knows the parts; must not know any view.

use crate::assets::Assets;
use crate::cache::{Machine, Store};
use crate::config::{Backend, SessionBackend, Switches};
use crate::db::Pools;
use crate::db::counters::Counters;
use crate::debug::Panel;
use crate::endpoints::Endpoints;
use crate::metrics::Metrics;
use crate::router::Router;
use anyhow::{Context, Result};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After a failure the replica is not asked for this long.
const REPLICA_REST: Duration = Duration::from_secs(1);
const LOCKS: usize = 128;

/// One process's application.
pub struct App {
    /// The active switches.
    pub switches: Switches,
    /// Key of every keyed hash.
    pub secret: String,
    /// What our own nginx shows to be believed.
    pub proxy_key: Option<String>,
    /// PostgreSQL.
    pub pools: Pools,
    /// What is remembered between requests.
    pub cache: Machine,
    /// Which server answers.
    pub router: Router,
    /// What was sent.
    pub counters: Counters,
    /// How long requests took, and on what.
    pub metrics: Arc<Metrics>,
    /// The last requests, for developers.
    pub panel: Panel,
    /// Style sheets and scripts.
    pub assets: Assets,
    /// Sessions, flush lists, jobs.
    pub redis: Option<ConnectionManager>,
    locks: Vec<Arc<tokio::sync::Mutex<()>>>,
    replica_rests_until: AtomicU64,
    born: Instant,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({})", self.switches.application_name())
    }
}

impl App {
    /// Connects to what the switches ask for. A missing server or a missing static file is an error now, not
    /// in the middle of a survey.
    pub async fn start(switches: Switches, endpoints: &Endpoints, assets: Assets) -> Result<Arc<App>> {
        let redis = match &endpoints.redis {
            Some(address) => Some(connect_redis(address).await?),
            None => None,
        };
        if switches.session.backend == SessionBackend::Redis && redis.is_none() {
            anyhow::bail!("session.backend=redis, but no Redis is configured");
        }
        let store = match switches.cache.backend {
            Backend::None => Store::none(),
            Backend::Locmem => Store::locmem(),
            Backend::Redis => {
                Store::redis(redis.clone().context("cache.backend=redis, but no Redis is configured")?)
            }
            Backend::Memcached => Store::memcached(
                endpoints.memcached.as_deref().context("cache.backend=memcached, but none is configured")?,
            ),
        };
        // Lists of a map that dies with this process live in this process.
        let lists = if switches.cache.backend == Backend::Locmem { None } else { redis.clone() };
        let cache = Machine::new(store, lists, switches.cache.hold_secs, switches.cache.timeout);
        Ok(Arc::new(App {
            pools: Pools::new(&switches, endpoints)?,
            cache,
            router: Router::new(&switches.router),
            secret: endpoints.secret.clone(),
            proxy_key: endpoints.proxy_key.clone(),
            counters: Counters::default(),
            metrics: Arc::default(),
            panel: Panel::default(),
            assets,
            redis,
            locks: (0..LOCKS).map(|_| Arc::default()).collect(),
            replica_rests_until: AtomicU64::new(0),
            born: Instant::now(),
            switches,
        }))
    }

    /// Whether the replica failed a moment ago.
    pub fn replica_rests(&self) -> bool {
        self.replica_rests_until.load(Ordering::Relaxed) > self.born.elapsed().as_micros() as u64
    }

    /// The replica failed.
    pub fn rest_replica(&self) {
        let until = self.born.elapsed() + REPLICA_REST;
        self.replica_rests_until.store(until.as_micros() as u64, Ordering::Relaxed);
        crate::notice("the replica does not answer; its reads go to the primary for a second");
    }

    pub(crate) fn lock_of(&self, name: i64) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.locks[name.rem_euclid(LOCKS as i64) as usize])
    }
}

async fn connect_redis(address: &str) -> Result<ConnectionManager> {
    let client = redis::Client::open(format!("redis://{address}")).context("Redis")?;
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(4)
        .set_min_delay(Duration::from_millis(20))
        .set_max_delay(Duration::from_millis(250))
        .set_connection_timeout(Some(Duration::from_secs(1)))
        .set_response_timeout(Some(Duration::from_secs(1)));
    ConnectionManager::new_with_config(client, config).await.with_context(|| format!("Redis at {address}"))
}
