//! "gevent is really bad for CPU-bound applications: it makes I/O *look* expensive."
//!
//! Requests that compute, on one thread and on many. What the application measured for Redis and PostgreSQL is
//! put beside what these say themselves that they needed.

use super::bench::{Bench, switches, variant, warm_up};
use super::{Outcome, Size, load};
use crate::config::Profile;
use crate::metrics::Component;
use crate::stack::Wanted;
use anyhow::{Context, Result};
use std::path::Path;

const MEASURES: [&str; 7] = [
    "requests/s",
    "p50 ms",
    "Redis, app's ms",
    "Redis, own ms",
    "PostgreSQL, app's ms",
    "PostgreSQL, own ms",
    "app's ÷ own, Redis",
];

pub(super) async fn run(size: Size, exe: &Path) -> Result<Outcome> {
    let mut outcome =
        Outcome::new("event-loop", "Event loop against threads, with requests that compute", &MEASURES);
    let wanted = Wanted { pgbouncer: false, ..Wanted::everything(exe.to_path_buf(), None) };
    let bench = Bench::up(&wanted, size.clients).await?;
    let threads = format!("web.threads={}", size.clients);
    let common = ["cpu_burn_us=2000", "db.pool=32"];
    for (name, own) in
        [("event loop", vec!["runtime=event-loop"]), ("threads", vec!["runtime=threads", &threads])]
    {
        let sets: Vec<&str> = own.into_iter().chain(common).collect();
        let web = bench.web(&switches(Profile::Tuned, &sets)?).await?;
        let visitors = warm_up(bench.visitors(web, 0, size.clients).await?, size, false).await;
        let mut redis = Redis::at(&bench).await?;
        redis.reset().await?;
        let marks = [("primary", bench.mark("primary")?), ("replica", bench.mark("replica")?)];
        let sampler = bench.watch(name, web).await?;
        let (_, tally) = load::closed(visitors, size.time, false).await;
        let recording = sampler.end().await?;
        let own_redis = redis.own_ms().await?;
        let mut own_postgres = 0.0;
        for (server, from) in marks {
            own_postgres += bench.logged(server, from, |_| true)?.sum();
        }
        bench.end_web().await?;
        let all = recording.whole().all;
        let each = |ms: f64, n: u64| if n > 0 { Some(ms / n as f64) } else { None };
        let apps = |c: Component| all.seconds[c.index()] * 1000.0;
        let app_redis = each(apps(Component::Redis), all.served());
        let app_postgres = each(apps(Component::Primary) + apps(Component::Replica), all.served());
        let (own_redis, own_postgres) = (each(own_redis, tally.good()), each(own_postgres, tally.good()));
        let looks = app_redis.zip(own_redis).filter(|(_, own)| *own > 0.0).map(|(app, own)| app / own);
        let figures = vec![
            Some(tally.rate()),
            tally.quantile(0.5),
            app_redis,
            own_redis,
            app_postgres,
            own_postgres,
            looks,
        ];
        outcome.variants.push(variant(name, &sets, figures, recording));
    }
    bench.down().await?;
    outcome.compare(0, 1);
    let number = |variant: usize, measure: &str| {
        outcome.figure(variant, measure).map_or("–".to_string(), crate::observe::page::number)
    };
    outcome.says.push(format!(
        "On the event loop the application measured {} ms a request for Redis, which itself needed {} ms; with a \
         thread a request it measured {} ms. The difference is no I/O: it is the wait for the one thread that was \
         busy with other requests.",
        number(0, MEASURES[2]),
        number(0, MEASURES[3]),
        number(1, MEASURES[2]),
    ));
    Ok(outcome)
}

/// Redis as its own witness.
pub(super) struct Redis {
    connection: redis::aio::MultiplexedConnection,
}

/// What Redis says of one command.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub(super) name: String,
    pub(super) calls: u64,
    pub(super) micros: u64,
}

impl Redis {
    pub(super) async fn at(bench: &Bench) -> Result<Redis> {
        let address = bench.stack.endpoints.redis.as_deref().context("there is no Redis")?;
        let client = redis::Client::open(format!("redis://{address}")).context("Redis")?;
        let connection = client.get_multiplexed_async_connection().await.context("Redis")?;
        Ok(Redis { connection })
    }

    /// Its counters begin anew.
    pub(super) async fn reset(&mut self) -> Result<()> {
        redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut self.connection).await.context("Redis")
    }

    /// `INFO commandstats`, without what we ask ourselves.
    pub(super) async fn commands(&mut self) -> Result<Vec<Command>> {
        let info = redis::cmd("INFO").arg("commandstats").query_async(&mut self.connection).await;
        let text: String = info.context("Redis")?;
        Ok(commands(&text))
    }

    async fn own_ms(&mut self) -> Result<f64> {
        Ok(self.commands().await?.iter().map(|c| c.micros as f64 / 1000.0).sum())
    }

    /// Keys by what stands before their first colon.
    pub(super) async fn keys(&mut self) -> Result<std::collections::BTreeMap<String, u64>> {
        let mut out = std::collections::BTreeMap::new();
        let mut cursor = "0".to_string();
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(&cursor).arg("COUNT").arg(500);
            let (next, keys): (String, Vec<String>) =
                scan.query_async(&mut self.connection).await.context("Redis")?;
            for key in keys {
                *out.entry(key.split(':').next().unwrap_or_default().to_string()).or_default() += 1;
            }
            if next == "0" {
                return Ok(out);
            }
            cursor = next;
        }
    }
}

/// Lines such as `cmdstat_get:calls=2,usec=9,usec_per_call=4.50,…`.
fn commands(text: &str) -> Vec<Command> {
    let ours = ["config|resetstat", "info", "scan"];
    text.lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().strip_prefix("cmdstat_")?.split_once(':')?;
            let value = |wanted: &str| {
                rest.split(',').filter_map(|p| p.split_once('=')).find(|p| p.0 == wanted)?.1.parse().ok()
            };
            Some(Command { name: name.to_string(), calls: value("calls")?, micros: value("usec")? })
        })
        .filter(|c| !ours.contains(&c.name.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_statistics_are_read() {
        let text = "# Commandstats\r\ncmdstat_get:calls=21,usec=175,usec_per_call=8.33,rejected_calls=0\r\n\
                    cmdstat_config|resetstat:calls=1,usec=90\r\ncmdstat_set:calls=2,usec=30,usec_per_call=15\r\n";
        let got: Vec<_> = commands(text).into_iter().map(|c| (c.name, c.calls, c.micros)).collect();
        assert_eq!(got, [("get".to_string(), 21, 175), ("set".to_string(), 2, 30)]);
    }
}
