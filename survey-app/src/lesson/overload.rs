//! "Oops: we're load testing 3x our target, swamping the servers with requests they can't process."
//!
//! First what the application holds with a few respondents, then three times that, from people who do not wait
//! for each other: without limits, and with a pool, pgbouncer and shedding.

use super::bench::{Bench, switches, variant, warm_up};
use super::{Outcome, Size, load};
use crate::config::Profile;
use crate::stack::Wanted;
use anyhow::{Result, ensure};
use std::path::Path;
use std::time::Duration;

const MEASURES: [&str; 8] = [
    "offered/s",
    "good answers/s",
    "p50 ms",
    "p95 ms",
    "failed or given up, %",
    "turned away (503), %",
    "most backends, primary",
    "load, primary",
];
/// What the talk's load was over its target.
const TIMES: f64 = 3.0;
/// Somebody who gets no answer hangs up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Respondents for each that is served at a time while the application holds.
const CROWD: usize = 12;
/// db.pool of the application without limits.
const POOL: usize = 70;

pub(super) async fn run(size: Size, exe: &Path) -> Result<Outcome> {
    let title = "Three times what the stack holds, without and with limits";
    let mut outcome = Outcome::new("overload", title, &MEASURES);
    let bench = Bench::up(&Wanted::everything(exe.to_path_buf(), None), CROWD * size.clients).await?;
    // The same statements in all: only how many of them may come at once differs.
    let open = ["db.protocol=typed", "db.via=direct", "db.pool=70", "web.max_in_flight=0"];
    let limited = ["db.protocol=typed", "db.via=pgbouncer", "db.pool=16", "web.max_in_flight=16"];
    let mut visitors = Vec::new();
    let mut holds = 0.0;
    for (name, sets, overload) in
        [("what it holds", open, false), ("without limits", open, true), ("with limits", limited, true)]
    {
        let web = bench.web(&switches(Profile::Naive, &sets)?).await?;
        if visitors.is_empty() {
            visitors = bench.visitors(web, 0, CROWD * size.clients).await?;
        }
        visitors.iter_mut().for_each(|v| v.move_to(web));
        // As many as the larger pool: connections that were open before are not what is measured.
        let few = visitors.split_off(visitors.len().saturating_sub(POOL));
        visitors.extend(warm_up(few, size, false).await);
        let sampler = bench.watch(name, web).await?;
        let (back, tally, offered) = if overload {
            let (back, tally) =
                load::open(std::mem::take(&mut visitors), holds * TIMES, size.time, PATIENCE).await;
            (back, tally, holds * TIMES)
        } else {
            let few = visitors.split_off(visitors.len() - (size.clients / 2).max(1));
            let (back, tally) = load::closed(few, size.time, false).await;
            holds = tally.rate();
            ensure!(holds > 0.0, "the application gave no good answer at all");
            (back, tally, holds)
        };
        visitors.extend(back);
        let recording = sampler.end().await?;
        bench.end_web().await?;
        let sent = (tally.good() + tally.shed + tally.failed + tally.unsent).max(1) as f64;
        let lost = (tally.failed + tally.unsent) as f64 / sent * 100.0;
        let figures = vec![
            Some(offered),
            Some(tally.rate()),
            tally.quantile(0.5),
            tally.quantile(0.95),
            Some(lost),
            Some(tally.shed as f64 / sent * 100.0),
            Some(recording.peak_backends("primary") as f64),
            recording.whole().roles.get("db").map(|r| r.load),
        ];
        outcome.variants.push(variant(name, &sets, figures, recording));
    }
    bench.down().await?;
    outcome.compare(1, 0);
    outcome.compare(2, 0);
    outcome.compare(2, 1);
    let number = |variant: usize, measure: &str| {
        outcome.figure(variant, measure).map_or("–".to_string(), crate::observe::page::number)
    };
    outcome.says.push(format!(
        "It holds {} good answers a second. At three times that, without limits, it gives {}, and {} % of the \
         requests get no answer in {} s; with a pool of 16, pgbouncer and web.max_in_flight=16 it gives {}, 95 % of \
         them within {} ms, {} % of the requests get none, and {} % are told at once to come back (503).",
        number(0, MEASURES[1]),
        number(1, MEASURES[1]),
        number(1, MEASURES[4]),
        PATIENCE.as_secs(),
        number(2, MEASURES[1]),
        number(2, MEASURES[3]),
        number(2, MEASURES[4]),
        number(2, MEASURES[5]),
    ));
    Ok(outcome)
}
