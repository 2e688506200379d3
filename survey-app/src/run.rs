//! `survey-app run`: exactly N respondents take a survey of P pages, and every statement is counted.
//!
//! Serves whoever wants PostgreSQL's logs of one profile and the numbers that they must contain. Nothing of
//! the stack is left but the logs.

use crate::app::App;
use crate::assets::Assets;
use crate::config::Switches;
use crate::db::counters::Line;
use crate::observe::proc::Role;
use crate::observe::scrape::Source;
use crate::observe::{Sampler, Target};
use crate::plan::{self, Plan};
use crate::respondent::Respondent;
use crate::router::Pin;
use crate::scope::{Scope, View};
use crate::stack::{Stack, Wanted};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What to run.
#[derive(Clone, Debug)]
pub struct Order {
    /// The switches.
    pub switches: Switches,
    /// Respondents.
    pub users: usize,
    /// Pages of the survey.
    pub pages: usize,
    /// What their answers follow from.
    pub seed: u64,
    /// Respondents at a time.
    pub at_once: usize,
    /// Lines more or other in both `postgresql.conf`.
    pub settings: Vec<(String, String)>,
}

/// `counters.json`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// `survey-app.counters/1`
    pub schema: String,
    /// The active switches.
    pub switches: BTreeMap<String, String>,
    /// What the statements are logged under.
    pub application_name: String,
    /// Respondents.
    pub users: usize,
    /// Pages.
    pub pages: usize,
    /// Seed.
    pub seed: u64,
    /// Answers that the application acknowledged.
    pub answers: usize,
    /// Requests by view.
    pub requests: BTreeMap<String, u64>,
    /// Statements by server and kind.
    pub totals: BTreeMap<String, BTreeMap<String, u64>>,
    /// Statements by view, server, kind and table.
    pub statements: Vec<Line>,
}

const SEED: View = View { name: "seed", route: "seed", read_only: &[] };
/// Schools of a generated roster.
pub const SCHOOLS: usize = 4;

/// Brings a stack up, runs, takes it down, and leaves the logs and `counters.json` in `logs`, and at `page` where
/// the time went.
pub async fn run(order: &Order, exe: &Path, logs: &Path, page: Option<&Path>) -> Result<Report> {
    let wanted = Wanted {
        application_name: order.switches.application_name(),
        settings: order.switches.pg.profile.settings().into_iter().chain(order.settings.clone()).collect(),
        ..Wanted::everything(exe.to_path_buf(), Some(logs.to_path_buf()))
    };
    // A run begins with empty logs, or the counts would not be its own.
    for name in ["primary", "replica", "pgbouncer", "memcached", "redis"] {
        let old = logs.join(format!("{name}.log"));
        if old.exists() {
            std::fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    let stack = Stack::up(&wanted).await?;
    let assets = match order.switches.assets.compress {
        true => {
            let dir = stack.dir.join("static");
            let place = crate::publish::Place::directory(&dir)?;
            crate::assets::publish(&place).await?;
            Assets::published(&place, "/static").await?
        }
        false => Assets::plain(),
    };
    let app = App::start(order.switches.clone(), &stack.endpoints, assets).await?;
    let sampler = match page {
        Some(_) => Some(Sampler::start(target(&stack, &app, order)).await?),
        None => None,
    };
    let report = on(&stack, &app, order).await;
    app.pools.close();
    let report = report?;
    if let (Some(sampler), Some(page)) = (sampler, page) {
        crate::observe::write(&sampler.end().await?, page)?;
    }
    let path = logs.join("counters.json");
    let text = serde_json::to_string_pretty(&report).context("the counters")?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    // Stops the servers; their logs are complete after it.
    tokio::task::spawn_blocking(move || drop(stack)).await.context("the stack")?;
    Ok(report)
}

/// What the page of a run shows: this process is the application and its respondents.
fn target(stack: &Stack, app: &Arc<App>, order: &Order) -> Target {
    let mut roles = crate::observe::roles(&stack.endpoints, &[]);
    roles.push(Role::process("web and load", std::process::id()));
    let title =
        format!("{} respondents, {} pages, {}", order.users, order.pages, order.switches.profile.name());
    Target { title, sources: vec![Source::Here(Arc::clone(app))], postgres: stack.watched(), roles }
}

/// The run itself, on a stack whose database is still empty.
pub async fn on(stack: &Stack, app: &Arc<App>, order: &Order) -> Result<Report> {
    crate::migrate::migrate(app).await?;
    let survey = seed(app, order.users, order.pages).await?;
    stack.wait_for_replica().await?;
    let site = Site::serve(app).await?;
    let answers = walk(app, site.at, survey, order).await?;
    site.stop().await;
    Ok(report(app, order, answers))
}

/// The generated survey and its roster; the survey's id.
pub async fn seed(app: &Arc<App>, users: usize, pages: usize) -> Result<i64> {
    let scope = Scope::begin(Arc::clone(app), SEED, None, Pin::default());
    let survey = plan::store(&scope, &Plan::for_run(pages)).await?;
    let people: Vec<(String, String)> = (0..users).map(enrolled).collect();
    plan::enroll(&scope, survey, &people).await?;
    let sql = "INSERT INTO app_setting (name, value) VALUES ($1, $2)";
    let help = "Questions? Ask the person who gave you the code.";
    scope.execute(crate::models::Model::AppSetting, sql, vec!["help".into(), help.into()]).await?;
    scope.finish(true).await?;
    Ok(survey)
}

/// The login codes of a generated roster, as the administration prints them.
pub fn codes(app: &App, survey: i64, users: usize) -> String {
    let mut text = crate::csv::line(["person", "school", "address", "code"]);
    for user in 0..users {
        let (person, school) = enrolled(user);
        let code = crate::secret::login_code(&app.secret, survey, &person);
        text.push_str(&crate::csv::line([&*person, &*school, "/survey/run/", &*code]));
    }
    text
}

/// A generated respondent and their school.
pub(crate) fn enrolled(number: usize) -> (String, String) {
    (person(number), format!("School {}", number % SCHOOLS + 1))
}

/// The name of a generated respondent.
pub fn person(number: usize) -> String {
    format!("person {:05}", number + 1)
}

/// The web of one application on a free port.
#[derive(Debug)]
pub struct Site {
    /// Where it listens.
    pub at: SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    done: tokio::task::JoinHandle<()>,
}

impl Site {
    /// Serves `app` in the background, on a free port.
    pub async fn serve(app: &Arc<App>) -> Result<Site> {
        Site::serve_at(app, 0).await
    }

    /// Serves `app` in the background, on `port` (0: a free one).
    pub async fn serve_at(app: &Arc<App>, port: u16) -> Result<Site> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("cannot listen at port {port}"))?;
        let at = listener.local_addr().context("the listener's address")?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let app = Arc::clone(app);
        let done = tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            if let Err(error) = crate::site::serve(&app, listener, until).await {
                crate::notice(&format!("{error:#}"));
            }
        });
        Ok(Site { at, stop, done })
    }

    /// Ends it when the requests that it serves are answered.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), self.done).await;
    }
}

/// Lets every respondent take the survey; the number of answers that were acknowledged.
async fn walk(app: &Arc<App>, at: SocketAddr, survey: i64, order: &Order) -> Result<usize> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut walkers = JoinSet::new();
    for _ in 0..order.at_once.max(1) {
        let (next, secret) = (Arc::clone(&next), app.secret.clone());
        let (users, seed) = (order.users, order.seed);
        walkers.spawn(async move {
            let mut answers = 0;
            loop {
                let user = next.fetch_add(1, Ordering::Relaxed);
                if user >= users {
                    return Ok::<usize, anyhow::Error>(answers);
                }
                let code = crate::secret::login_code(&secret, survey, &person(user));
                let mut respondent =
                    Respondent::new(at, "run", seed.wrapping_mul(1_000_003).wrapping_add(user as u64));
                let counted = respondent.take(&code).await.with_context(|| format!("respondent {user}"))?;
                let acknowledged: usize = respondent.acknowledged.iter().map(|p| p.1.len()).sum();
                anyhow::ensure!(
                    counted == acknowledged,
                    "{counted} answers are stored, {acknowledged} were sent"
                );
                answers += acknowledged;
            }
        });
    }
    let mut answers = 0;
    while let Some(walker) = walkers.join_next().await {
        answers += walker.context("a respondent")??;
    }
    Ok(answers)
}

fn report(app: &App, order: &Order, answers: usize) -> Report {
    let statements = app.counters.lines();
    let mut totals: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for server in ["primary", "replica"] {
        totals.insert(server.to_string(), BTreeMap::new());
    }
    for line in &statements {
        let server = totals.entry(line.key.server.name().to_string()).or_default();
        *server.entry(line.key.kind.name().to_string()).or_default() += line.calls;
    }
    Report {
        schema: "survey-app.counters/1".to_string(),
        switches: order.switches.list().into_iter().collect(),
        application_name: order.switches.application_name(),
        users: order.users,
        pages: order.pages,
        seed: order.seed,
        answers,
        requests: app.counters.requests(),
        totals,
        statements,
    }
}
