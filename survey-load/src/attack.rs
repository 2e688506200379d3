//! An attack: goose's users go through a script until it is over, and a report says what came of it.
//!
//! ```text
//!   Order ─► GooseAttack ─► user ─► Taker ─► walk | replay
//!                            │        └────► Shared: report, clock
//!                            └── a ticket of the roster each time
//! ```
//!
//! Serves `run`, `replay` and their processes. At most one at a time in a process: goose's way of ending a run
//! early is one flag for all.

use crate::codes::Roster;
use crate::journey::Journey;
use crate::order::{Order, Script, Until};
use crate::pace::Pace;
use crate::report::{Failure, Report, Sample};
use crate::taker::{Cookies, Ended, Taker, now_us};
use crate::{replay, walk};
use anyhow::{Context, Result, anyhow, bail, ensure};
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionResult};
use goose::{GooseAttack, is_killswitch_triggered, trigger_killswitch};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Users that goose starts in a second; its own default is one.
const USERS_PER_SECOND: u64 = 500;

/// What all respondents of a process share.
pub(crate) struct Shared {
    pub(crate) order: Order,
    report: Mutex<Report>,
    roster: Roster,
    journey: Option<Journey>,
    /// Without one, as fast as answers come.
    pace: Option<Pace>,
    /// When the time is over; set by whoever comes first.
    deadline: OnceLock<Instant>,
}

impl Shared {
    /// One request more.
    pub(crate) fn count(&self, sample: &Sample<'_>) {
        self.report().count(sample);
    }

    /// A request that was counted as good was not.
    pub(crate) fn doubt(&self, view: &str, method: &str, status: u16, message: &str) {
        let failure = Failure {
            view: view.to_string(),
            method: method.to_string(),
            status,
            message: message.to_string(),
            count: 1,
        };
        self.report().doubt(failure, now_us());
    }

    /// When another request may be sent.
    pub(crate) fn turn(&self) -> Instant {
        let now = Instant::now();
        self.pace.as_ref().map_or(now, |pace| pace.turn(now))
    }

    /// Whether nobody may send anything any more.
    pub(crate) fn is_over(&self) -> bool {
        is_killswitch_triggered()
            || match self.order.until {
                Until::Times(_) => false,
                Until::Seconds(seconds) => {
                    let end = || Instant::now() + Duration::from_secs(seconds);
                    Instant::now() >= *self.deadline.get_or_init(end)
                }
            }
    }

    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().expect("no panic holds this lock")
    }

    /// One respondent goes through the script.
    async fn send_one(&self, user: &mut GooseUser) {
        if self.is_over() {
            // goose calls again at once until its own clock has run out too.
            return tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let Some((number, ticket)) = self.roster.take() else {
            self.report().out_of_codes = true;
            return trigger_killswitch("no login code is left");
        };
        let Some(cookies) = user.get_session_data::<Arc<Cookies>>().cloned() else {
            return trigger_killswitch("a user has no cookies");
        };
        let (number, part) = (number as u64, self.order.part);
        let person = number * part.of as u64 + part.index as u64;
        let seed = self.order.seed.wrapping_mul(1_000_003).wrapping_add(person);
        let mut taker = Taker::new(user, self, cookies, seed);
        let outcome = match &self.journey {
            None => walk::take(&mut taker, ticket).await,
            Some(journey) => replay::play(&mut taker, journey, ticket, &self.order.script).await,
        };
        {
            let mut report = self.report();
            match outcome {
                Ok(expected) => {
                    report.respondents.finished += 1;
                    report.expected_requests += expected;
                }
                Err(Ended::Clock) => report.respondents.cut += 1,
                Err(Ended::Failed) => report.respondents.gave_up += 1,
            }
        }
        if outcome == Err(Ended::Failed) {
            // Somebody who sees an error looks at it; a server that is down does not eat all codes in a moment.
            let pause = Instant::now() + Duration::from_secs(1);
            while Instant::now() < pause && !self.is_over() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Carries an order out.
pub async fn attack(order: &Order) -> Result<Report> {
    ensure!(order.users > 0, "nobody is to take part");
    ensure!(order.rate != Some(0), "a rate of 0 is no load");
    let host = reqwest::Url::parse(&order.host).with_context(|| format!("`{}` is no address", order.host))?;
    ensure!(host.scheme() == "http", "only plain http is spoken, and `{}` is not that", order.host);
    let roster = Roster::read(&order.codes, order.part)?;
    if let Some(surveys) = order.asked().surveys
        && (roster.len() as u64) < surveys
    {
        bail!("{surveys} respondents need a login code each, and there are {}", roster.len());
    }
    let journey = match &order.script {
        Script::Survey => None,
        Script::Journey { path, values, .. } => {
            let journey = Journey::read(path)?;
            journey.check(values)?;
            Some(journey)
        }
    };
    let report =
        Report::new(&order.script.name(), host.origin().ascii_serialization().as_str(), order.asked());
    let shared = Arc::new(Shared {
        order: order.clone(),
        report: Mutex::new(report),
        roster,
        journey,
        pace: order.rate.and_then(Pace::new),
        deadline: OnceLock::new(),
    });
    let interrupted = tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            trigger_killswitch("interrupted");
        }
    });
    let metrics = GooseAttack::initialize_with_config(configuration(order))
        .map_err(|error| anyhow!("goose: {error}"))?
        .register_scenario(scenario(&shared))
        .execute()
        .await;
    interrupted.abort();
    let metrics = metrics.map_err(|error| anyhow!("goose: {error}"))?;
    let mut report = shared.report().clone();
    let by_goose: usize = metrics.requests.values().map(|r| r.success_count + r.fail_count).sum();
    report.requests_by_goose = by_goose as u64;
    Ok(report)
}

fn scenario(shared: &Arc<Shared>) -> Scenario {
    let timeout = Duration::from_secs(shared.order.timeout);
    let begin = Transaction::new(Arc::new(move |user| Box::pin(begin(user, timeout)))).set_on_start();
    let shared = Arc::clone(shared);
    let one = Transaction::new(Arc::new(move |user| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            shared.send_one(user).await;
            TransactionResult::Ok(())
        })
    }));
    Scenario::new("survey").register_transaction(begin).register_transaction(one)
}

/// A browser for this user: its own connection, redirects seen and not followed.
async fn begin(user: &mut GooseUser, timeout: Duration) -> TransactionResult {
    let cookies = Arc::new(Cookies::default());
    let client = reqwest::Client::builder()
        .user_agent(concat!("survey-load/", env!("CARGO_PKG_VERSION")))
        .cookie_provider(Arc::clone(&cookies))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // Plain http: no certificates to load for each user.
        .tls_certs_only([])
        // Below the usual 60 s of a server, so that it is not the one that hangs up.
        .pool_idle_timeout(Duration::from_secs(50))
        .timeout(timeout);
    user.set_client_builder(client).await?;
    user.set_session_data(cookies);
    Ok(())
}

fn configuration(order: &Order) -> GooseConfiguration {
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(order.host.clone());
    configuration.users = Some(order.users as usize);
    configuration.increase_rate = Some(USERS_PER_SECOND.to_string());
    match order.until {
        Until::Times(times) => configuration.iterations = Some(times as usize),
        Until::Seconds(seconds) => {
            configuration.run_time = Some(seconds.to_string());
            // goose would forget what came before all users had started.
            configuration.no_reset_metrics = true;
        }
    }
    configuration.no_telnet = true;
    // Its own words are not ours; what fails is in the report.
    configuration.quiet = 2;
    configuration.no_print_metrics = true;
    configuration.no_transaction_metrics = true;
    configuration.no_scenario_metrics = true;
    configuration
}
