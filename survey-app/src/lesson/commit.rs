//! "commit_delay rarely helps, but when it does, it helps a lot."
//!
//! Pages that are saved by many at once, under PostgreSQL's default, the talk's settings and
//! `synchronous_commit=off`, on this disk and on one that takes 10 ms longer. Judged by how many transactions
//! one flush of the WAL carries: that is what the settings change, on every disk.

use super::bench::{Bench, switches, variant, warm_up};
use super::{Outcome, Size, load};
use crate::config::Profile;
use crate::stack::{Wanted, find_program};
use anyhow::{Context, Result, bail};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const MEASURES: [&str; 6] =
    ["saves/s", "p50 ms", "commits", "WAL flushes", "commits per WAL flush", "COMMIT in the log, median ms"];
const SLOW_FSYNC: &str = include_str!("slow_fsync.c");
/// commit_siblings=5 asks for five others that write.
const FEWEST: usize = 16;

pub(super) async fn run(size: Size, exe: &Path) -> Result<Outcome> {
    let mut outcome = Outcome::new("commit", "Commits per WAL flush, by PostgreSQL's settings", &MEASURES);
    let size = Size { clients: size.clients.max(FEWEST), ..size };
    let dir = tempfile::tempdir().context("a temporary directory")?;
    let slow = match slow_disk(dir.path()) {
        _ if !size.slow_disk => None,
        Ok(library) => Some(library),
        Err(error) => {
            outcome.says.push(format!("The variants with a slow disk were NOT run: {error:#}."));
            None
        }
    };
    let disks = [("this disk", None), ("+10 ms fdatasync", slow.as_deref())];
    for (disk, library) in disks.iter().filter(|(disk, library)| *disk == "this disk" || library.is_some()) {
        let first = outcome.variants.len();
        for profile in ["default", "talk", "off"] {
            one(&mut outcome, size, exe, profile, disk, *library).await?;
        }
        outcome.compare(first + 1, first);
        outcome.compare(first + 2, first);
    }
    let number = |variant: usize| {
        outcome.figure(variant, MEASURES[4]).map_or("–".to_string(), crate::observe::page::number)
    };
    let faster = |ratio: usize| -> String {
        let ratio = outcome.ratios.get(ratio).and_then(|r| r.figures[0]);
        ratio.map_or("–".to_string(), crate::observe::page::number)
    };
    let mut says = format!(
        "One flush of the WAL carries {} commits by default, {} with commit_delay=4000 and commit_siblings=5, {} \
         with synchronous_commit=off; saves per second change by ×{} and ×{}.",
        number(0),
        number(1),
        number(2),
        faster(0),
        faster(1),
    );
    if outcome.variants.len() > 3 {
        says.push_str(&format!(
            " With a slow disk: {}, {} and {} commits per flush, ×{} and ×{}.",
            number(3),
            number(4),
            number(5),
            faster(2),
            faster(3),
        ));
    }
    outcome.says.insert(0, says);
    Ok(outcome)
}

async fn one(
    outcome: &mut Outcome,
    size: Size,
    exe: &Path,
    profile: &str,
    disk: &str,
    library: Option<&Path>,
) -> Result<()> {
    let (pool, pg) = (format!("db.pool={}", size.clients), format!("pg.profile={profile}"));
    let sets = [pool.as_str(), pg.as_str(), "router.mode=off"];
    let switches = switches(Profile::Tuned, &sets)?;
    let preload = library.map(|l| ("LD_PRELOAD".to_string(), l.display().to_string()));
    let wanted = Wanted {
        replica: false,
        pgbouncer: false,
        settings: switches.pg.profile.settings(),
        primary_env: preload.into_iter().collect(),
        ..Wanted::everything(exe.to_path_buf(), None)
    };
    let bench = Bench::up(&wanted, size.clients).await?;
    // Connections report what they counted when they end, so the load has a process of its own.
    let web = bench.web(&switches).await?;
    let mut visitors = bench.visitors(web, 0, size.clients).await?;
    bench.end_web().await?;
    let before = counted(&bench).await?;
    let mark = bench.mark("primary")?;
    let web = bench.web(&switches).await?;
    visitors.iter_mut().for_each(|v| v.move_to(web));
    // Opens the connections. Its commits and flushes are counted with the others: it is the same load.
    let visitors = warm_up(visitors, size, true).await;
    let name = format!("{profile}, {disk}");
    let sampler = bench.watch(&name, web).await?;
    let (_, tally) = load::closed(visitors, size.time, true).await;
    let recording = sampler.end().await?;
    bench.end_web().await?;
    let after = counted(&bench).await?;
    let commit = bench.logged("primary", mark, |what| what.trim_start().starts_with("statement: COMMIT"))?;
    bench.down().await?;
    let commits = (after.0 - before.0) as f64;
    let flushes = after.1.zip(before.1).map(|(a, b)| (a - b) as f64);
    let figures = vec![
        Some(tally.rate()),
        tally.quantile(0.5),
        Some(commits),
        flushes,
        flushes.filter(|f| *f > 0.0).map(|f| commits / f),
        commit.median(),
    ];
    outcome.variants.push(variant(&name, &sets, figures, recording));
    Ok(())
}

/// Commits and flushes so far, as PostgreSQL counts them; flushes from version 14 on.
async fn counted(bench: &Bench) -> Result<(i64, Option<i64>)> {
    let commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'survey'";
    let commits = bench.stack.ask_primary(commits).await?.and_then(|c| c.parse().ok());
    let flushes = bench.stack.ask_primary("SELECT wal_sync FROM pg_stat_wal").await;
    Ok((
        commits.context("PostgreSQL counts no commits")?,
        flushes.ok().flatten().and_then(|f| f.parse().ok()),
    ))
}

/// Builds the library that makes a disk slow, where the servers' user can read it.
fn slow_disk(dir: &Path) -> Result<PathBuf> {
    let cc = find_program("cc", &["/usr/bin"]).context("there is no C compiler (cc)")?;
    let (source, library) = (dir.join("slow_fsync.c"), dir.join("slow_fsync.so"));
    std::fs::write(&source, SLOW_FSYNC).context("cannot write the source")?;
    let output = Command::new(cc)
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .output()
        .context("cannot start cc")?;
    if !output.status.success() {
        bail!("cc: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    for (path, mode) in [(dir, 0o755), (library.as_path(), 0o755)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .context("the library's mode")?;
    }
    Ok(library)
}
