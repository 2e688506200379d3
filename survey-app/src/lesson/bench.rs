//! The bench of a lesson: a stack, a survey with respondents, and the web as a process of its own.
//!
//! Serves the lessons. The web is a child, so that its share of the machine can be told from the load's.

use super::load::Visitor;
use super::{Size, Variant};
use crate::app::App;
use crate::assets::Assets;
use crate::config::{Profile, Switches};
use crate::observe::proc::Role;
use crate::observe::scrape::Source;
use crate::observe::{Sampler, Target};
use crate::respondent::Respondent;
use crate::stack::keeper::Stop;
use crate::stack::{Stack, Wanted};
use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Pages of the survey; the load stays on the first.
const PAGES: usize = 3;
/// Logins at a time.
const AT_ONCE: usize = 8;

/// A stack with a survey.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) stack: Stack,
    exe: PathBuf,
    survey: i64,
}

/// Switches over a profile; the static files are nobody's lesson.
pub(super) fn switches(profile: Profile, sets: &[&str]) -> Result<Switches> {
    let sets: Vec<String> = sets.iter().copied().chain(["assets.compress=off"]).map(str::to_string).collect();
    Switches::assemble(profile, None, &[], &sets)
}

impl Bench {
    /// Brings it up, with room for `people`.
    pub(super) async fn up(wanted: &Wanted, people: usize) -> Result<Bench> {
        let stack = Stack::up(wanted).await?;
        let plain =
            switches(Profile::Tuned, &["cache.backend=none", "session.backend=db", "router.mode=off"])?;
        let app = App::start(plain, &stack.endpoints, Assets::plain()).await?;
        crate::migrate::migrate(&app).await?;
        let survey = crate::run::seed(&app, people, PAGES).await?;
        app.pools.close();
        stack.wait_for_replica().await?;
        let endpoints = toml::to_string(&stack.endpoints).context("the endpoints")?;
        write_private(&stack.dir.join("endpoints.toml"), &endpoints)?;
        Ok(Bench { stack, exe: wanted.exe.clone(), survey })
    }

    /// Starts the web with these switches.
    pub(super) async fn web(&self, switches: &Switches) -> Result<SocketAddr> {
        let config = self.stack.dir.join("switches.toml");
        write_private(&config, &toml::to_string(switches).context("the switches")?)?;
        let text = |path: &Path| path.display().to_string();
        let endpoints = self.stack.dir.join("endpoints.toml");
        let port = self
            .stack
            .serve_as("web", None, Stop::Term, None, |port| {
                let listen = format!("127.0.0.1:{port}");
                let profile = switches.profile.name();
                let (exe, config, endpoints) = (text(&self.exe), text(&config), text(&endpoints));
                let argv = [exe.as_str(), "web", "--profile", profile, "--config", config.as_str()];
                let where_to = ["--endpoints", endpoints.as_str(), "--listen", listen.as_str()];
                Ok(argv.into_iter().chain(where_to).map(str::to_string).collect())
            })
            .await?;
        Ok(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Ends the web, and waits until PostgreSQL has let go of its connections: then its counters are complete.
    pub(super) async fn end_web(&self) -> Result<()> {
        self.stack.keeper.stop("web")?;
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'survey' AND usename = 'survey' \
                   AND application_name NOT LIKE 'pgbouncer%'";
        let direct = self.stack.endpoints.pooled_primary.is_none();
        let deadline = Instant::now() + Duration::from_secs(10);
        while direct && self.stack.ask_primary(sql).await?.as_deref() != Some("0") {
            if Instant::now() > deadline {
                bail!("PostgreSQL keeps connections of a process that has ended");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Respondents `from..to`, logged in at `at`, on the first page.
    pub(super) async fn visitors(&self, at: SocketAddr, from: usize, to: usize) -> Result<Vec<Visitor>> {
        let mut out = Vec::new();
        let mut logins = JoinSet::new();
        for person in from..to {
            if logins.len() == AT_ONCE
                && let Some(done) = logins.join_next().await
            {
                out.push(done.context("a login")??);
            }
            let secret = &self.stack.endpoints.secret;
            let code = crate::secret::login_code(secret, self.survey, &crate::run::person(person));
            logins.spawn(async move {
                let mut respondent = Respondent::new(at, "run", person as u64).patient(20);
                respondent.log_in(&code).await?;
                respondent.display().await?;
                let (questions, _) = respondent.content(1).await?;
                Ok::<_, anyhow::Error>(Visitor::of(respondent, &questions))
            });
        }
        while let Some(done) = logins.join_next().await {
            out.push(done.context("a login")??);
        }
        Ok(out)
    }

    /// A sampler over everything here.
    pub(super) async fn watch(&self, title: &str, web: SocketAddr) -> Result<Sampler> {
        let mut roles = crate::observe::roles(&self.stack.endpoints, &[web]);
        roles.push(Role::process("load", std::process::id()));
        let (sources, postgres) = (vec![Source::at(web)], self.stack.watched());
        Sampler::start(Target { title: title.to_string(), sources, postgres, roles }).await
    }

    /// Takes everything down.
    pub(super) async fn down(self) -> Result<()> {
        let stack = self.stack;
        tokio::task::spawn_blocking(move || drop(stack)).await.context("the stack")
    }

    /// Sum, number and median of the durations in the log of `server` after byte `from`, in milliseconds, of
    /// the lines that `keep` takes.
    pub(super) fn logged(&self, server: &str, from: u64, keep: impl Fn(&str) -> bool) -> Result<Logged> {
        use std::io::{Read, Seek, SeekFrom};
        let path = self.stack.logs.join(format!("{server}.log"));
        let cannot = || format!("cannot read {}", path.display());
        let mut file = std::fs::File::open(&path).with_context(cannot)?;
        file.seek(SeekFrom::Start(from)).with_context(cannot)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(cannot)?;
        Ok(Logged::read(&String::from_utf8_lossy(&bytes), keep))
    }

    /// How long the log of `server` is.
    pub(super) fn mark(&self, server: &str) -> Result<u64> {
        let path = self.stack.logs.join(format!("{server}.log"));
        Ok(std::fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?.len())
    }
}

/// Durations that PostgreSQL logged.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Logged {
    /// All of them in milliseconds, sorted.
    pub(super) times: Vec<f64>,
}

impl Logged {
    fn read(text: &str, keep: impl Fn(&str) -> bool) -> Logged {
        let time = |line: &str| -> Option<f64> {
            let (_, after) = line.split_once(" LOG:  duration: ")?;
            let (time, what) = after.split_once(" ms")?;
            if keep(what) { time.parse().ok() } else { None }
        };
        let mut times: Vec<f64> = text.lines().filter_map(time).collect();
        times.sort_by(f64::total_cmp);
        Logged { times }
    }

    /// Milliseconds in all.
    pub(super) fn sum(&self) -> f64 {
        self.times.iter().sum()
    }

    /// The one in the middle.
    pub(super) fn median(&self) -> Option<f64> {
        self.times.get(self.times.len() / 2).copied()
    }
}

/// What a closed load of `size` on both kinds of request did to one set of switches.
pub(super) fn variant(
    name: &str,
    sets: &[&str],
    figures: Vec<Option<f64>>,
    recording: crate::observe::Recording,
) -> Variant {
    Variant {
        name: name.to_string(),
        switches: sets.iter().map(|s| (*s).to_string()).collect(),
        figures,
        recording,
    }
}

/// A short load that fills caches and opens connections before anything is measured.
pub(super) async fn warm_up(visitors: Vec<Visitor>, size: Size, only_saves: bool) -> Vec<Visitor> {
    let time = (size.time / 4).min(Duration::from_secs(2));
    super::load::closed(visitors, time, only_saves).await.0
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut open = std::fs::OpenOptions::new();
    let mut file = open
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_from_the_log() {
        let text = "2026-01-01 [7] LOG:  duration: 1.500 ms  statement: COMMIT\n\
                    2026-01-01 [7] LOG:  duration: 0.500 ms  parse <unnamed>: SELECT 1\n\
                    2026-01-01 [7] LOG:  checkpoint starting: time\n\
                    2026-01-01 [7] LOG:  duration: 3.000 ms  statement: COMMIT\n";
        let all = Logged::read(text, |_| true);
        assert_eq!((all.times.len(), all.sum(), all.median()), (3, 5.0, Some(1.5)));
        assert_eq!(Logged::read(text, |what| what.ends_with("COMMIT")).times, [1.5, 3.0]);
        assert_eq!(Logged::default().median(), None);
    }
}
