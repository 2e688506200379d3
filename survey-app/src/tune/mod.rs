//! `survey-app tune`: a postgresql.conf for a machine, with the reason for each line.
//!
//! The rules are those that PGTune made common (shares of the memory, costs of the disk, workers by cores),
//! but for `max_connections`: like the talk, it follows from what the server can do at once, not from the
//! number of web servers. Pure: a [`Machine`] in, [`Line`]s out. It knows no server; a test feeds the lines to
//! one.

mod command;

use anyhow::{Context, Result, ensure};

pub use command::{Arguments, run};

const KB: u64 = 1 << 10;
const MB: u64 = 1 << 20;
const GB: u64 = 1 << 30;

/// What the server runs on, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Memory in bytes.
    pub memory: u64,
    /// Cores.
    pub cores: u32,
    /// Where the data are.
    pub disk: Disk,
    /// What is asked of it.
    pub profile: Profile,
    /// Connections; what the cores can keep busy when absent.
    pub connections: Option<u32>,
}

/// A kind of disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Disk {
    /// No arm that has to move.
    Ssd,
    /// One that turns.
    Hdd,
    /// Many behind a network.
    San,
}

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Short requests of a web site.
    Web,
    /// Many small transactions that write.
    Oltp,
    /// Few large queries.
    Dw,
    /// Some of each.
    Mixed,
    /// Beside everything else on a developer's machine.
    Desktop,
}

/// What the talk adds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Talk {
    /// `commit_delay` and `commit_siblings`, and what is said about `synchronous_commit`.
    pub commit_delay: bool,
    /// `synchronous_commit = off`, with its warning.
    pub synchronous_commit_off: bool,
}

/// A line of postgresql.conf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The setting.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// Why this value.
    pub reason: String,
    /// Whether it is only told of, as a comment.
    pub is_comment: bool,
}

/// Reads `68GB`, `512MB`, `1.5TB`.
///
/// # Errors
/// Anything else.
pub fn memory(text: &str) -> Result<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "tb" | "t" => GB << 10,
        "gb" | "g" => GB,
        "mb" | "m" => MB,
        "kb" | "k" => KB,
        _ => anyhow::bail!("`{text}` is no amount of memory, such as 68GB or 512MB"),
    };
    let number: f64 = text[..digits].parse().with_context(|| format!("`{text}` is no amount of memory"))?;
    Ok((number * unit as f64) as u64)
}

/// The lines for a machine.
///
/// # Errors
/// A machine that is too small for PostgreSQL, or sizes beyond all machines.
pub fn tune(machine: &Machine, talk: Talk) -> Result<Vec<Line>> {
    ensure!(
        machine.memory >= 256 * MB,
        "a server with less than 256MB is better left at PostgreSQL's defaults"
    );
    ensure!(machine.memory <= 64 << 40, "64TB is the most that can be tuned for");
    ensure!((1..=1024).contains(&machine.cores), "1 to 1024 cores");
    ensure!(machine.connections.is_none_or(|c| (4..=10_000).contains(&c)), "4 to 10000 connections");
    let mut lines = Vec::new();
    connections(machine, &mut lines);
    memories(machine, &mut lines);
    wal(machine, &mut lines);
    planner(machine, &mut lines);
    workers(machine, &mut lines);
    talks(machine, talk, &mut lines);
    Ok(lines)
}

/// The lines as a file.
pub fn print(machine: &Machine, lines: &[Line]) -> String {
    let kinds = format!("{:?}, {:?}", machine.disk, machine.profile).to_lowercase();
    let mut out =
        format!("# survey-app tune: {} of memory, {} cores, {kinds}\n", size(machine.memory), machine.cores);
    for line in lines {
        let mark = if line.is_comment { "#" } else { "" };
        out.push_str(&format!(
            "\n# {}\n{mark}{} = {}\n",
            line.reason.replace('\n', "\n# "),
            line.name,
            line.value
        ));
    }
    out
}

fn add(lines: &mut Vec<Line>, name: &'static str, value: impl ToString, reason: impl Into<String>) {
    lines.push(Line { name, value: value.to_string(), reason: reason.into(), is_comment: false });
}

/// The connections that are meant, beside the pooled ones: administration, and those reserved for superusers.
const OTHERS: u32 = 10 + 3;

fn limit(machine: &Machine) -> u32 {
    machine.connections.unwrap_or(2 * machine.cores + 1 + OTHERS)
}

fn connections(machine: &Machine, lines: &mut Vec<Line>) {
    let reason = match machine.connections {
        Some(_) => {
            "As asked for. What the server can do at once should decide it, not the number of web servers;\n\
                    let pgbouncer share few connections between many workers."
                .to_string()
        }
        None => format!(
            "2 × {} cores + 1 disk can be busy at once; 10 more for administration, 3 reserved for superusers.\n\
             Let pgbouncer share them between many workers.",
            machine.cores
        ),
    };
    add(lines, "max_connections", limit(machine), reason);
}

fn shared_buffers(machine: &Machine) -> u64 {
    let share = if machine.profile == Profile::Desktop { 16 } else { 4 };
    round(machine.memory / share)
}

fn memories(machine: &Machine, lines: &mut Vec<Line>) {
    let memory = machine.memory;
    let is = |profile| machine.profile == profile;
    let shared = shared_buffers(machine);
    let share = if is(Profile::Desktop) { "1/16" } else { "1/4" };
    add(
        lines,
        "shared_buffers",
        size(shared),
        format!("{share} of the memory; the kernel's cache, which holds the same pages, needs the rest."),
    );
    let cache = if is(Profile::Desktop) { memory / 4 } else { memory / 4 * 3 };
    let share = if is(Profile::Desktop) { "1/4" } else { "3/4" };
    add(
        lines,
        "effective_cache_size",
        size(round(cache)),
        format!("{share} of the memory: what the planner may expect to find cached. Allocates nothing."),
    );
    let maintenance = (memory / if is(Profile::Dw) { 8 } else { 16 }).min(2 * GB);
    let share = if is(Profile::Dw) { "1/8" } else { "1/16" };
    add(
        lines,
        "maintenance_work_mem",
        size(round(maintenance)),
        format!("{share} of the memory, at most 2GB: VACUUM and CREATE INDEX."),
    );
    let sharers = u64::from(limit(machine)) + u64::from(machine.cores.max(8));
    let divisor = match machine.profile {
        Profile::Web | Profile::Oltp => 1,
        Profile::Dw | Profile::Mixed => 2,
        Profile::Desktop => 6,
    };
    let work = ((memory - shared) / (sharers * 3) / divisor).max(64 * KB);
    add(
        lines,
        "work_mem",
        size(round(work)),
        format!(
            "What shared_buffers leave, over {sharers} connections and workers with 3 sorts or hashes each{}.",
            if divisor == 1 { String::new() } else { format!(", and 1/{divisor} of that for safety") }
        ),
    );
    if memory >= 32 * GB {
        add(lines, "huge_pages", "try", "From 32GB on, tables of 4kB pages cost memory and time.");
    }
}

fn wal(machine: &Machine, lines: &mut Vec<Line>) {
    let buffers = shared_buffers(machine) / 100 * 3;
    // Up to a segment, and one that is nearly that is that.
    let buffers = if buffers > 14 * MB { 16 * MB } else { round(buffers.max(32 * KB)) };
    add(lines, "wal_buffers", size(buffers), "3 % of shared_buffers, at most one WAL segment.");
    let (min, max) = match machine.profile {
        Profile::Web | Profile::Mixed => (GB, 4 * GB),
        Profile::Oltp => (2 * GB, 8 * GB),
        Profile::Dw => (4 * GB, 16 * GB),
        Profile::Desktop => (100 * MB, 2 * GB),
    };
    add(lines, "min_wal_size", size(min), "WAL files that are kept to be written again.");
    add(
        lines,
        "max_wal_size",
        size(max),
        "WAL between two checkpoints: the more, the fewer pages are written to it whole. Needs that much disk.",
    );
    add(
        lines,
        "checkpoint_completion_target",
        "0.9",
        "Writes of a checkpoint are spread over nine tenths of the time to the next.",
    );
}

fn planner(machine: &Machine, lines: &mut Vec<Line>) {
    let (cost, concurrency, why) = match machine.disk {
        Disk::Hdd => ("4", 2, "An arm has to move: a random page costs four times a sequential one."),
        Disk::Ssd => ("1.1", 200, "No arm moves: a random page costs hardly more than a sequential one."),
        Disk::San => {
            ("1.1", 300, "Many disks answer: a random page costs hardly more than a sequential one.")
        }
    };
    add(lines, "random_page_cost", cost, why);
    add(lines, "effective_io_concurrency", concurrency, "Reads that this disk serves at the same time.");
    let (target, why) = match machine.profile {
        Profile::Dw => (500, "Large queries deserve finer statistics."),
        _ => (100, "PostgreSQL's default; finer statistics cost planning time."),
    };
    add(lines, "default_statistics_target", target, why);
}

fn workers(machine: &Machine, lines: &mut Vec<Line>) {
    if machine.cores < 4 {
        return;
    }
    let half = machine.cores.div_ceil(2);
    let gather = if machine.profile == Profile::Dw { half } else { half.min(4) };
    add(
        lines,
        "max_worker_processes",
        machine.cores,
        "One a core; needs a restart, and a replica needs no fewer.",
    );
    add(lines, "max_parallel_workers", machine.cores, "One a core for all queries together.");
    add(
        lines,
        "max_parallel_workers_per_gather",
        gather,
        "Half of the cores for one query, at most 4 unless it is one of few.",
    );
    add(
        lines,
        "max_parallel_maintenance_workers",
        half.min(4),
        "Half of the cores for one CREATE INDEX, at most 4.",
    );
}

fn talks(machine: &Machine, talk: Talk, lines: &mut Vec<Line>) {
    if talk.commit_delay {
        let mut reason = "The talk's: a commit waits this many microseconds before its flush, so that others go with it.\n\
             Rarely helps; with many writers on a slow disk it helps a lot, on a fast one it only costs. Judge it by\n\
             commits per flush (pg_stat_database.xact_commit / pg_stat_wal.wal_sync) and by transactions a second."
            .to_string();
        if limit(machine) < 6 {
            reason.push_str("\nInert here: it takes 6 connections, and there are fewer.");
        }
        add(lines, "commit_delay", 4000, reason);
        add(
            lines,
            "commit_siblings",
            5,
            "The talk's: delay only while 5 other transactions are open. Behind pgbouncer that takes pools of at\n\
             least 6 connections in all, or commit_delay never applies.",
        );
    }
    if talk.commit_delay || talk.synchronous_commit_off {
        lines.push(Line {
            name: "synchronous_commit",
            value: "off".to_string(),
            reason: "WARNING: with off, COMMIT returns before its flush. A crash of the server loses what was\n\
                     acknowledged in the last moments (up to 3 × wal_writer_delay, 0.6 s), though it corrupts nothing.\n\
                     Not for data that somebody was told is saved; the talk did without it."
                .to_string(),
            is_comment: !talk.synchronous_commit_off,
        });
    }
}

/// In whole pages of 8kB, or in whole MB from 64MB on: nobody reads 17825792kB.
fn round(bytes: u64) -> u64 {
    let unit = if bytes >= 64 * MB { MB } else { 8 * KB };
    bytes / unit * unit
}

/// As PostgreSQL writes it, in the largest unit without a remainder.
fn size(bytes: u64) -> String {
    match bytes {
        b if b % GB == 0 => format!("{}GB", b / GB),
        b if b % MB == 0 => format!("{}MB", b / MB),
        b => format!("{}kB", b / KB),
    }
}

#[cfg(test)]
mod tests;
