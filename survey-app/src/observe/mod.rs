//! Watching a run: a sample a second of everything that the talk's graphs show, made into one page.
//!
//! ```text
//!   /metrics of each web process ─┐
//!   pg_stat_database, pg_stat_wal ├─► sampler ─► Recording ─► page (HTML) or JSON
//!   /proc, by role ───────────────┘
//! ```
//!
//! Serves `observe`, `run` and the lessons. Only looks; starts and changes nothing.

mod chart;
pub mod page;
mod postgres;
pub mod proc;
pub mod recording;
mod sampler;
pub mod scrape;

pub use postgres::Watched;
pub use recording::Recording;
pub use sampler::{Sampler, Target};

use crate::cli;
use crate::endpoints::Endpoints;
use anyhow::{Context, Result};
use proc::Role;
use scrape::Source;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// `observe`: watches servers that somebody else runs.
pub async fn observe(arguments: &cli::Observe) -> Result<Recording> {
    let endpoints = Endpoints::read(&arguments.endpoints)?;
    let mut roles = roles(&endpoints, &arguments.web);
    for process in &arguments.processes {
        let (name, pid) = process.split_once('=').context("--process takes NAME=PID")?;
        roles.push(Role::process(name, pid.parse().context("--process takes NAME=PID")?));
    }
    let target = Target {
        title: arguments.title.clone(),
        sources: arguments.web.iter().map(|at| Source::at(*at)).collect(),
        postgres: postgres::of(&endpoints),
        roles,
    };
    let sampler = Sampler::start(target).await?;
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(arguments.seconds.into())) => {}
        told = crate::up::until_told() => told?,
    }
    sampler.end().await
}

/// The roles behind `endpoints`, and the web processes.
pub fn roles(endpoints: &Endpoints, web: &[SocketAddr]) -> Vec<Role> {
    let port = |address: &Option<String>| address.as_ref().and_then(|a| a.rsplit_once(':')?.1.parse().ok());
    let mut roles = vec![Role::on("db", endpoints.primary.port)];
    roles.extend(endpoints.replica.as_ref().map(|r| Role::on("replica", r.port)));
    roles.extend(endpoints.pooled_primary.as_ref().map(|p| Role::on("pgbouncer", p.port)));
    roles.extend(port(&endpoints.memcached).map(|p| Role::on("memcached", p)));
    roles.extend(port(&endpoints.redis).map(|p| Role::on("redis", p)));
    roles.extend(web.iter().map(|at| Role::on("web", at.port())));
    roles
}

/// Writes a page or, for a name that ends in `.json`, the recording itself.
pub fn write(recording: &Recording, path: &Path) -> Result<()> {
    let text = match path.extension().is_some_and(|e| e == "json") {
        true => serde_json::to_string(recording).context("the recording")?,
        false => page::of(recording)?,
    };
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
