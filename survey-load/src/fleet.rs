//! Several load processes at once: copies of this program, each with its share, their results merged.
//!
//! ```text
//!   run --processes 3 ──order──► part ──report──┐
//!                     ──order──► part ──report──┼──► one report
//!                     ──order──► part ──report──┘
//! ```
//!
//! Serves `run` and `replay`. An order goes to standard input, a report comes in a file, because goose speaks on standard
//! output.

use crate::order::Order;
use crate::report::Report;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// Carries an order out in `processes` copies of `exe`.
pub async fn together(order: &Order, processes: usize, exe: &Path) -> Result<Report> {
    ensure!(order.users >= processes as u64, "{processes} processes need at least as many users");
    ensure!(
        order.rate.is_none_or(|rate| rate >= processes as u64),
        "{processes} processes need at least as many requests per second"
    );
    // A Ctrl-C reaches the parts as well: they end early and report, and we are there to hear it.
    let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
    let deaf = tokio::spawn(async move { while interrupt.recv().await.is_some() {} });
    let mut parts = JoinSet::new();
    for part in order.split(processes) {
        let exe = exe.to_path_buf();
        parts.spawn(async move { one(&part, &exe).await });
    }
    let mut merged: Option<Report> = None;
    while let Some(part) = parts.join_next().await {
        let report = part.context("a load process")??;
        match &mut merged {
            Some(all) => all.add(&report),
            None => merged = Some(report),
        }
    }
    deaf.abort();
    merged.context("there was no process")
}

async fn one(order: &Order, exe: &Path) -> Result<Report> {
    let dir = tempfile::tempdir().context("a temporary directory")?;
    let json = dir.path().join("report.json");
    let mut child = Command::new(exe)
        .args(["part", "--json"])
        .arg(&json)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        // Whoever drops this future, with an error of another part, ends this one too.
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", exe.display()))?;
    let text = serde_json::to_vec(order).context("an order is plain values")?;
    let mut stdin = child.stdin.take().context("piped above")?;
    stdin.write_all(&text).await.context("a load process does not listen")?;
    drop(stdin);
    let status = child.wait().await.context("a load process")?;
    ensure!(status.success(), "load process {} failed", order.part.index + 1);
    Report::read(&json)
}
