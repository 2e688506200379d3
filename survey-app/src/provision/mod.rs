//! `survey-app provision`: the servers as one file in git says them, made from nothing, and checked against it.
//!
//! ```text
//!   survey.toml ──► role ──► files and servers that it declares
//!                     │          apply: writes what differs, starts what is missing
//!                     └────────  check: names what differs, here and in the running server's own settings
//! ```
//!
//! The talk recreated its servers and lost a third of their speed, because two settings had been made by hand.
//! So `check` asks the running servers, in both directions: declared and different, set and not declared. Apply,
//! check and wipe know the roles; a role knows its servers; none knows a password that is not in
//! `ground::Secrets`.

mod cache;
mod command;
mod ground;
mod hba;
mod load;
mod login;
mod postgres;
mod settings;
pub mod state;
mod value;
mod web;

use anyhow::{Result, ensure};
use ground::Ground;
use state::State;
use std::path::Path;

pub use command::{Arguments, run};

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// The primary.
    Db,
    /// Its streaming replica.
    Replica,
    /// memcached and Redis.
    Cache,
    /// pgbouncer, the web processes, the worker, nginx.
    Web,
    /// A survey and people to take it.
    Load,
}

impl Role {
    /// Every role, in the order in which they can be made.
    pub const ALL: [Role; 5] = [Role::Db, Role::Replica, Role::Cache, Role::Web, Role::Load];

    /// The name as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Role::Db => "db",
            Role::Replica => "replica",
            Role::Cache => "cache",
            Role::Web => "web",
            Role::Load => "load",
        }
    }

    fn is_declared(self, state: &State) -> bool {
        match self {
            Role::Db => true,
            Role::Replica => state.replica.is_some(),
            Role::Cache => state.cache.memcached.is_some() || state.cache.redis.is_some(),
            Role::Web => state.web.is_some(),
            Role::Load => state.load.is_some(),
        }
    }
}

/// Something that is not as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Whose it is.
    pub role: Role,
    /// The setting, the file or the server.
    pub what: String,
    /// What the state says; nothing when it does not speak of it.
    pub declared: Option<String>,
    /// What is there instead; nothing when it is not there.
    pub actual: Option<String>,
    /// Where it was set, or what else helps to find it; may be empty.
    pub place: String,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or = |text: &Option<String>, none: &str| text.clone().unwrap_or_else(|| none.to_string());
        write!(
            f,
            "{}: {}: declared {}, actual {}",
            self.role.name(),
            self.what,
            or(&self.declared, "nothing"),
            or(&self.actual, "nothing")
        )?;
        if self.place.is_empty() { Ok(()) } else { write!(f, " ({})", self.place) }
    }
}

/// Makes what is missing and changes what differs; what had to be done, in sentences. Nothing is an answer too.
///
/// # Errors
/// A server that cannot be made or does not start. What was done before stays; applying again goes on from there.
pub async fn apply(state: &State, root: &Path, exe: &Path, roles: &[Role]) -> Result<Vec<String>> {
    let mut ground = Ground::open(root, exe)?;
    for role in wanted(state, roles)? {
        match role {
            Role::Db => postgres::apply_db(&mut ground, state).await?,
            Role::Replica => postgres::apply_replica(&mut ground, state).await?,
            Role::Cache => cache::apply(&mut ground, state).await?,
            Role::Web => web::apply(&mut ground, state).await?,
            Role::Load => load::apply(&mut ground, state).await?,
        }
    }
    Ok(std::mem::take(&mut ground.done))
}

/// What is not as it is declared.
///
/// # Errors
/// A root where nothing was applied. A server that does not answer is a [`Drift`].
pub async fn check(state: &State, root: &Path, exe: &Path, roles: &[Role]) -> Result<Vec<Drift>> {
    let ground = Ground::look(root, exe)?;
    let mut drifts = Vec::new();
    for role in wanted(state, roles)? {
        drifts.extend(match role {
            Role::Db => postgres::check_db(&ground, state).await?,
            Role::Replica => postgres::check_replica(&ground, state).await?,
            Role::Cache => cache::check(&ground, state).await?,
            Role::Web => web::check(&ground, state).await?,
            Role::Load => load::check(&ground, state).await?,
        });
    }
    Ok(drifts)
}

/// Stops every server below `root` and removes it.
///
/// # Errors
/// A directory that was not made by `apply`: it is left alone.
pub fn wipe(root: &Path) -> Result<()> {
    ground::wipe(root)
}

/// The roles to work at, in the order in which they can be made: those asked for, or all that are declared.
fn wanted(state: &State, roles: &[Role]) -> Result<Vec<Role>> {
    for role in roles {
        ensure!(role.is_declared(state), "the state declares nothing for the role {}", role.name());
    }
    let is_wanted = |role: &Role| {
        if roles.is_empty() { role.is_declared(state) } else { roles.contains(role) }
    };
    Ok(Role::ALL.into_iter().filter(is_wanted).collect())
}
