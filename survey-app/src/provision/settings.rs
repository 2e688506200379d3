//! The settings of a running PostgreSQL server against the declared ones, in both directions.
//!
//! Serves the roles `db` and `replica`. Four places can hold a setting that nobody declared: the running server
//! (pg_settings, with the file and line it came from), `postgresql.auto.conf` that is not loaded yet
//! (pg_file_settings), a change that waits for a restart, and roles or databases (pg_db_role_setting). Nothing
//! is sent that changes the session: the server's own values are what is read.

use super::login::Login;
use super::value::{Type, same};
use super::{Drift, Role};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Where a setting of a running server can have come from, when somebody chose it for the whole server.
const CHOSEN: [&str; 3] = ["configuration file", "command line", "environment variable"];
/// The server follows the process's own limits with this one.
const OF_THE_PROCESS: &str = "max_stack_depth";

struct Running {
    value: String,
    of: Type,
    source: String,
    place: String,
    is_pending: bool,
}

/// Every difference between `declared` and the server behind `login`.
pub(super) async fn drifts(
    role: Role,
    login: &Login,
    declared: &BTreeMap<String, String>,
    for_roles: &BTreeSet<String>,
) -> Result<Vec<Drift>> {
    let running = running(login).await?;
    let files = files(login).await?;
    let mut out = Vec::new();
    for (name, value) in declared {
        let of = running.get(name).map(|r| &r.of);
        match running.get(name) {
            // The name of an extension that is not loaded, or a mistake.
            None => out.push(drift(role, name, Some(value), None, "the server has no such setting")),
            Some(r) if derived(value, r) || of.is_some_and(|of| same(value, &r.value, of)) => {}
            Some(r) => out.push(drift(role, name, Some(value), Some(&shown(r)), &r.place)),
        }
    }
    for (name, r) in &running {
        if !declared.contains_key(name) && CHOSEN.contains(&r.source.as_str()) && name != OF_THE_PROCESS {
            out.push(drift(role, name, None, Some(&shown(r)), &r.place));
        }
    }
    let named: BTreeSet<String> = out.iter().map(|d| d.what.clone()).collect();
    for line in &files {
        let known = running.get(&line.name);
        let is_same = declared
            .get(&line.name)
            .is_some_and(|d| known.is_some_and(|r| same(d, &line.value, &r.of)) || *d == line.value);
        if named.contains(&line.name) || (!line.is_auto && is_same && line.error.is_empty()) {
            continue;
        }
        let mut place = line.place.clone();
        if known.is_some_and(|r| r.is_pending) {
            place.push_str("; waits for a restart");
        } else if !line.error.is_empty() {
            place.push_str(&format!("; {}", line.error));
        } else if known.is_some_and(|r| !same(&line.value, &r.value, &r.of)) {
            place.push_str("; not loaded yet");
        }
        out.push(drift(role, &line.name, declared.get(&line.name), Some(&line.value), &place));
    }
    let named: BTreeSet<String> = out.iter().map(|d| d.what.clone()).collect();
    for (name, r) in running.iter().filter(|(name, r)| r.is_pending && !named.contains(*name)) {
        let place = format!("{}; waits for a restart", r.place);
        out.push(drift(role, name, declared.get(name), Some(&shown(r)), &place));
    }
    out.extend(roles(role, login, for_roles).await?);
    Ok(out)
}

/// Settings of roles and databases: `all|survey|application_name=x`, for every database or one.
pub(super) async fn of_roles(login: &Login) -> Result<BTreeSet<String>> {
    let sql = "SELECT coalesce(datname, 'all'), coalesce(rolname, 'all'), unnest(setconfig) \
               FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = setdatabase \
               LEFT JOIN pg_roles r ON r.oid = setrole";
    Ok(login.rows(sql).await?.into_iter().map(|row| row.join("|")).collect())
}

async fn roles(role: Role, login: &Login, declared: &BTreeSet<String>) -> Result<Vec<Drift>> {
    let actual = of_roles(login).await?;
    let parts = |item: &str| -> (String, String, String) {
        let parts: Vec<&str> = item.splitn(3, '|').collect();
        let [database, user, setting] = parts[..] else { return Default::default() };
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        (name.to_string(), value.to_string(), format!("for role {user} in database {database}"))
    };
    let mut out = Vec::new();
    for item in actual.difference(declared) {
        let (name, value, place) = parts(item);
        let other = declared.iter().map(|d| parts(d)).find(|(n, _, p)| (n, p) == (&name, &place));
        out.push(drift(role, &name, other.as_ref().map(|o| &o.1), Some(&value), &place));
    }
    for item in declared.difference(&actual) {
        let (name, value, place) = parts(item);
        if !out.iter().any(|d: &Drift| d.what == name && d.place == place) {
            out.push(drift(role, &name, Some(&value), None, &place));
        }
    }
    Ok(out)
}

/// Whether the server chose a value itself, as it was told to: `wal_buffers = -1`.
fn derived(declared: &str, running: &Running) -> bool {
    declared == "-1" && matches!(running.source.as_str(), "override" | "dynamic default")
}

fn shown(running: &Running) -> String {
    // 16384 says nothing to somebody who wrote 128MB.
    match running.of.unit.as_str() {
        "" => running.value.clone(),
        unit if unit.starts_with(|c: char| c.is_ascii_digit()) => format!("{} × {unit}", running.value),
        unit => format!("{}{unit}", running.value),
    }
}

fn drift(role: Role, name: &str, declared: Option<&String>, actual: Option<&String>, place: &str) -> Drift {
    Drift {
        role,
        what: name.to_string(),
        declared: declared.cloned(),
        actual: actual.cloned(),
        place: place.to_string(),
    }
}

async fn running(login: &Login) -> Result<BTreeMap<String, Running>> {
    // Names are not case-sensitive: the server says TimeZone.
    let sql = "SELECT lower(name), setting, coalesce(unit, ''), vartype, source, coalesce(sourcefile, ''), \
               coalesce(sourceline, 0), pending_restart FROM pg_settings";
    let mut out = BTreeMap::new();
    for row in login.rows(sql).await.context("pg_settings")? {
        let [name, value, unit, vartype, source, file, line, pending]: [String; 8] =
            row.try_into().ok().context("pg_settings has other columns")?;
        let place = if file.is_empty() { source.clone() } else { format!("{} line {line}", short(&file)) };
        let running =
            Running { value, of: Type { vartype, unit }, source, place, is_pending: pending == "t" };
        out.insert(name, running);
    }
    Ok(out)
}

struct FileLine {
    name: String,
    value: String,
    place: String,
    error: String,
    /// Whether ALTER SYSTEM wrote it: nothing that is declared does.
    is_auto: bool,
}

/// The lines that count in the configuration files as they are now, loaded or not.
async fn files(login: &Login) -> Result<Vec<FileLine>> {
    // A line that a later one overrides is not applied, and says so in no other column.
    let sql = "SELECT lower(coalesce(name, 'a line')), coalesce(setting, ''), sourcefile, sourceline, coalesce(error, '') \
               FROM pg_file_settings f WHERE error IS NOT NULL OR seqno = \
               (SELECT max(seqno) FROM pg_file_settings l WHERE l.name = f.name) ORDER BY seqno";
    let mut out = Vec::new();
    for row in login.rows(sql).await.context("pg_file_settings")? {
        let [name, value, file, line, error]: [String; 5] =
            row.try_into().ok().context("pg_file_settings has other columns")?;
        let is_auto = file.ends_with("postgresql.auto.conf");
        out.push(FileLine { name, value, place: format!("{} line {line}", short(&file)), error, is_auto });
    }
    Ok(out)
}

/// The name of a file: the role says which server it belongs to.
fn short(file: &str) -> String {
    file.rsplit('/').next().unwrap_or(file).to_string()
}
