//! The sampler: a thread of its own that looks once a second, until it is told to end.
//!
//! Serves [`super`] and the lessons. A thread, so that a load generator in the same process does not delay it.

use super::postgres::{Probe, Watched};
use super::proc::{Processes, Role, load_average};
use super::recording::{Recording, Sample};
use super::scrape::{Source, Sums};
use anyhow::{Context, Result, anyhow};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

const EVERY: Duration = Duration::from_secs(1);
/// Looks at who runs, between two samples.
const LOOKS: u32 = 5;
/// Two hours: memory is bounded.
const MOST: usize = 7200;

/// What is watched.
#[derive(Debug)]
pub struct Target {
    /// What is run, for the page's title.
    pub title: String,
    /// The web processes.
    pub sources: Vec<Source>,
    /// The databases.
    pub postgres: Vec<Watched>,
    /// The processes.
    pub roles: Vec<Role>,
}

/// A sampler at work.
#[derive(Debug)]
pub struct Sampler {
    stop: oneshot::Sender<()>,
    done: oneshot::Receiver<Result<Recording>>,
}

impl Sampler {
    /// Takes the first sample, and one a second from then on. What is counted begins when this returns.
    pub async fn start(target: Target) -> Result<Sampler> {
        let (stop, stopped) = oneshot::channel();
        let (tell, done) = oneshot::channel();
        let (begin, begun) = oneshot::channel();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let recorded =
                runtime.context("the sampler's runtime").map(|r| r.block_on(record(target, begin, stopped)));
            let _ = tell.send(recorded);
        };
        std::thread::Builder::new().name("sampler".to_string()).spawn(work).context("the sampler")?;
        begun.await.map_err(|_| anyhow!("the sampler did not begin"))?;
        Ok(Sampler { stop, done })
    }

    /// Takes the last sample.
    pub async fn end(self) -> Result<Recording> {
        let _ = self.stop.send(());
        self.done.await.map_err(|_| anyhow!("the sampler ended early"))?
    }
}

async fn record(target: Target, begin: oneshot::Sender<()>, mut stopped: oneshot::Receiver<()>) -> Recording {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut recording = Recording::new(&target.title, began, cores);
    let mut sums = Sums::over(target.sources);
    let mut probes: Vec<Probe> = target.postgres.into_iter().map(Probe::new).collect();
    let mut processes = Processes::find(&target.roles);
    let start = Instant::now();
    let mut missed = 0;
    let mut begin = Some(begin);
    loop {
        let (views, in_flight) = sums.ask().await;
        let mut sample = Sample {
            // The first one is where time begins, however long it took.
            at: if recording.samples.is_empty() { 0.0 } else { start.elapsed().as_secs_f64() },
            views,
            in_flight,
            roles: processes.totals(),
            load_average: load_average(),
            ..Sample::default()
        };
        for probe in &mut probes {
            match probe.ask().await {
                Some(totals) => drop(sample.postgres.insert(probe.watched.name.to_string(), totals)),
                None => {
                    missed += 1;
                    // What it had is what is known.
                    let last =
                        recording.samples.last().and_then(|s| s.postgres.get(probe.watched.name)).copied();
                    sample.postgres.extend(last.map(|totals| (probe.watched.name.to_string(), totals)));
                }
            }
        }
        recording.samples.push(sample);
        if let Some(begin) = begin.take() {
            let _ = begin.send(());
        }
        let is_last = stopped.try_recv() != Err(oneshot::error::TryRecvError::Empty);
        if is_last || recording.samples.len() >= MOST {
            break;
        }
        let next = start + EVERY * recording.samples.len() as u32;
        for left in (0..LOOKS).rev() {
            let until = next - EVERY * left / LOOKS;
            tokio::select! {
                () = tokio::time::sleep_until(until.into()) => processes.look(),
                _ = &mut stopped => break,
            }
        }
    }
    if sums.failures > 0 {
        let times = sums.failures;
        recording.notes.push(format!("A web process was asked in vain {times} times: {}.", sums.trouble));
    }
    if missed > 0 {
        recording.notes.push(format!("PostgreSQL did not answer in time for {missed} samples."));
    }
    for name in &processes.hidden {
        recording.notes.push(format!("The processes of `{name}` could not be found; its load is not shown."));
    }
    recording
}
