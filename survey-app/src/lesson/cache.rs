//! "Redis was using near 100 % of a single core: we swapped in memcached for the cache, and continued to use Redis
//! for sessions."
//!
//! The same load with the cache in Redis and in memcached. After the swap Redis answers for sessions only, which
//! its own command statistics show.

use super::bench::{Bench, switches, variant, warm_up};
use super::event_loop::Redis;
use super::{Outcome, Size, load};
use crate::config::Profile;
use crate::metrics::Component;
use crate::stack::Wanted;
use anyhow::Result;
use std::path::Path;

const MEASURES: [&str; 8] = [
    "requests/s",
    "p50 ms",
    "Redis, % of a core",
    "Redis, CPU ms per 1,000 requests",
    "Redis, % of the time",
    "memcached, % of the time",
    "Redis commands a request",
    "Redis commands beside session reads",
];

pub(super) async fn run(size: Size, exe: &Path) -> Result<Outcome> {
    let mut outcome = Outcome::new("cache", "The cache in Redis, then in memcached", &MEASURES);
    let wanted = Wanted { pgbouncer: false, ..Wanted::everything(exe.to_path_buf(), None) };
    let bench = Bench::up(&wanted, 2 * size.clients).await?;
    let mut left = Vec::new();
    for (at, name) in ["redis", "memcached"].into_iter().enumerate() {
        let backend = format!("cache.backend={name}");
        let sets = [backend.as_str(), "db.pool=16"];
        let web = bench.web(&switches(Profile::Tuned, &sets)?).await?;
        // Respondents of its own: what the other variant remembered about them is not its.
        let own = bench.visitors(web, at * size.clients, (at + 1) * size.clients).await?;
        let visitors = warm_up(own, size, false).await;
        let mut redis = Redis::at(&bench).await?;
        redis.reset().await?;
        let sampler = bench.watch(name, web).await?;
        let (_, tally) = load::closed(visitors, size.time, false).await;
        let commands = redis.commands().await?;
        let recording = sampler.end().await?;
        left.push(redis.keys().await?);
        bench.end_web().await?;
        let whole = recording.whole();
        let all: u64 = commands.iter().map(|c| c.calls).sum();
        // Showing a page reads the session once; saving one reads it to wait for its turn, and again.
        let sessions = tally.read + 2 * tally.saved;
        let share = |c: Component| Some(whole.all.seconds[c.index()] / whole.all.time().max(1e-9) * 100.0);
        let cpu = whole.roles.get("redis").map(|r| r.cpu);
        let per_thousand = cpu.filter(|_| tally.good() > 0).map(|c| {
            // Per cent of a core over the run's seconds, in milliseconds.
            c * 10.0 * whole.seconds() / (tally.good() as f64 / 1000.0)
        });
        let each = (tally.good() > 0).then(|| all as f64 / tally.good() as f64);
        let beside = Some(all as f64 - sessions as f64);
        let (redis_share, memcached_share) = (share(Component::Redis), share(Component::Memcached));
        let figures = vec![
            Some(tally.rate()),
            tally.quantile(0.5),
            cpu,
            per_thousand,
            redis_share,
            memcached_share,
            each,
            beside,
        ];
        outcome.variants.push(variant(&format!("cache in {name}"), &sets, figures, recording));
    }
    bench.down().await?;
    outcome.compare(1, 0);
    let number = |variant: usize, measure: &str| {
        outcome.figure(variant, measure).map_or("–".to_string(), crate::observe::page::number)
    };
    let cached = |keys: &std::collections::BTreeMap<String, u64>| -> u64 {
        ["q", "w"].iter().filter_map(|kind| keys.get(*kind)).sum()
    };
    let new = left.last().map_or(0, cached).saturating_sub(left.first().map_or(0, cached));
    outcome.says.push(format!(
        "With the cache in memcached Redis answers {} commands a request instead of {} and is {} % of the time \
         instead of {} %; beside reads of sessions it got {} commands, and {new} cached values more in it.",
        number(1, MEASURES[6]),
        number(0, MEASURES[6]),
        number(1, MEASURES[4]),
        number(0, MEASURES[4]),
        number(1, MEASURES[7]),
    ));
    Ok(outcome)
}
