//! `survey-app capacity`: the talk's spreadsheet. Targets and machines in, every limit that hangs on them out.
//!
//! "Many interdependent configs. Don't guess, make a spreadsheet." A [`Sheet`] is what somebody decides, a
//! [`Plan`] is what follows, each figure with the formula that led to it. Pure arithmetic: it knows no server,
//! and what it says of one (connections a core, memory) is a rule that stands beside the number.

mod command;
mod figures;
mod render;
mod warnings;

use anyhow::{Context, Result};
use serde::Deserialize;
use toml::{Table, Value};

pub use command::{Arguments, run};
pub use figures::plan;
pub use render::{csv, html, table};

/// The talk's first target, as a sheet.
pub const PHASE_1: &str = include_str!("../../examples/capacity-phase1.toml");
/// The talk's second target, as a sheet.
pub const PHASE_2: &str = include_str!("../../examples/capacity-phase2.toml");

/// What somebody decides.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// What the page is called.
    pub title: String,
    /// What is to be served.
    pub survey: Survey,
    /// What serves it.
    pub web: Web,
    /// Where it ends up.
    pub db: Db,
    /// What a load test is to send.
    pub load: Option<Load>,
    /// What a run showed.
    pub measured: Option<Measured>,
}

/// `[survey]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    /// Respondents who begin (and end) within an hour.
    pub takers_per_hour: u32,
    /// Pages of the survey.
    pub pages: u32,
    /// Questions on a page, on average.
    #[serde(default = "five")]
    pub questions_per_page: f64,
    /// Minutes that somebody takes.
    #[serde(default = "an_hour")]
    pub minutes: f64,
}

/// `[web]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Web hosts.
    pub hosts: u32,
    /// Processes or threads on each that serve one request at a time.
    pub workers_per_host: u32,
    /// The pooler's connections to the primary on each host; what the database's cores suggest when absent.
    pub pool_per_host: Option<Span>,
    /// Cores of a host.
    pub cores_per_host: Option<u32>,
    /// Memory of a host, as `7GB`.
    pub memory_per_host: Option<String>,
    /// Memory of a worker, as `80MB`.
    pub memory_per_worker: Option<String>,
    /// CPU milliseconds of a request on a web host.
    pub cpu_ms_per_request: Option<f64>,
    /// Milliseconds from a request to its answer.
    pub response_ms: Option<f64>,
}

/// `[db]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Db {
    /// Cores of the primary.
    pub cores: u32,
    /// Its memory, as `68GB`.
    pub memory: Option<String>,
    /// Disks that seek at the same time.
    #[serde(default = "one")]
    pub spindles: u32,
    /// Transactions that one request makes, on average.
    pub transactions_per_request: Option<f64>,
    /// Connections beside the pools: workers, administrators, monitoring.
    #[serde(default = "ten")]
    pub other_connections: u32,
    /// `commit_delay`
    pub commit_delay: Option<u32>,
    /// `commit_siblings`
    pub commit_siblings: Option<u32>,
}

/// `[load]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Requests a second of the whole test.
    pub requests_per_second: Option<f64>,
    /// Or respondents an hour.
    pub takers_per_hour: Option<f64>,
    /// Respondents that one load process can play at the same time.
    #[serde(default = "five_hundred")]
    pub users_per_process: u32,
}

/// `[measured]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Requests a second.
    pub requests_per_second: Option<f64>,
    /// Transactions a second at the primary.
    pub transactions_per_second: Option<f64>,
    /// The highest number of connections to the primary at one time.
    pub connections: Option<f64>,
    /// Milliseconds from a request to its answer.
    pub response_ms: Option<f64>,
    /// Share of the web hosts' cores that was busy, 0 to 1.
    pub web_utilisation: Option<f64>,
}

/// A number, or two to choose between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Span {
    /// One number.
    One(u32),
    /// From one to another.
    Between {
        /// The smaller one.
        from: u32,
        /// The larger one.
        to: u32,
    },
}

impl Span {
    /// Both ends.
    pub fn ends(self) -> (u32, u32) {
        match self {
            Span::One(n) => (n, n),
            Span::Between { from, to } => (from, to),
        }
    }
}

/// What follows from a sheet.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the page is called.
    pub title: String,
    /// The figures, in reading order.
    pub sections: Vec<Section>,
    /// What is wrong with the sheet, in sentences.
    pub warnings: Vec<String>,
    /// The plan beside what a run showed.
    pub compared: Vec<Compared>,
}

/// Figures that belong together.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Its figures.
    pub rows: Vec<Row>,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// A fixed name, as `requests_per_second`.
    pub key: &'static str,
    /// What it is.
    pub name: &'static str,
    /// Its value.
    pub value: Figure,
    /// In what it is counted.
    pub unit: &'static str,
    /// How it was found, with the numbers.
    pub formula: String,
    /// Why it matters.
    pub note: &'static str,
}

/// The value of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// One number.
    Number(f64),
    /// Two to choose between.
    Range(f64, f64),
}

/// One figure of the plan beside the same figure of a run.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What it is.
    pub name: &'static str,
    /// The plan's.
    pub planned: f64,
    /// The run's.
    pub measured: f64,
}

impl Compared {
    /// Measured ÷ planned.
    pub fn ratio(&self) -> f64 {
        self.measured / self.planned
    }

    /// Whether they are within a fifth of each other.
    pub fn fits(&self) -> bool {
        (0.8..=1.2).contains(&self.ratio())
    }
}

impl Plan {
    /// The value of a figure.
    pub fn figure(&self, key: &str) -> Option<Figure> {
        self.sections.iter().flat_map(|s| &s.rows).find(|r| r.key == key).map(|r| r.value)
    }
}

impl Sheet {
    /// Reads a sheet, with `key=value` pairs (as `load.requests_per_second=3750`) over it.
    ///
    /// # Errors
    /// Text that is no sheet, or numbers with which nothing can be computed.
    pub fn read(text: &str, sets: &[String]) -> Result<Sheet> {
        let mut table: Table = text.parse().context("the sheet is not TOML")?;
        for set in sets {
            let (key, value) = set.split_once('=').with_context(|| format!("`{set}` is not key=value"))?;
            let value: Table =
                format!("v = {value}").parse().with_context(|| format!("`{value}` is no TOML value"))?;
            let value = value.get("v").context("parsed above")?.clone();
            match key.trim().split_once('.') {
                Some((section, name)) => {
                    let home = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
                    home.as_table_mut()
                        .with_context(|| format!("`{section}` is no section"))?
                        .insert(name.to_string(), value);
                }
                None => {
                    table.insert(key.trim().to_string(), value);
                }
            }
        }
        let sheet: Sheet = Value::Table(table).try_into().context("the sheet")?;
        sheet.check()?;
        Ok(sheet)
    }

    fn check(&self) -> Result<()> {
        let positive = [
            ("survey.takers_per_hour", f64::from(self.survey.takers_per_hour)),
            ("survey.pages", f64::from(self.survey.pages)),
            ("survey.questions_per_page", self.survey.questions_per_page),
            ("survey.minutes", self.survey.minutes),
            ("web.hosts", f64::from(self.web.hosts)),
            ("web.workers_per_host", f64::from(self.web.workers_per_host)),
            ("db.cores", f64::from(self.db.cores)),
            ("db.transactions_per_request", self.db.transactions_per_request.unwrap_or(1.0)),
            ("load.users_per_process", self.load.as_ref().map_or(1.0, |l| f64::from(l.users_per_process))),
        ];
        for (name, value) in positive {
            anyhow::ensure!(value.is_finite() && value > 0.0, "{name} must be more than 0");
        }
        if let Some(pool) = self.web.pool_per_host {
            let (from, to) = pool.ends();
            anyhow::ensure!(
                1 <= from && from <= to,
                "web.pool_per_host must be at least 1, the smaller end first"
            );
        }
        for text in [&self.web.memory_per_host, &self.web.memory_per_worker, &self.db.memory] {
            text.as_deref().map(crate::tune::memory).transpose()?;
        }
        Ok(())
    }

    /// Requests a second that a load test is to send.
    pub(crate) fn planned_load(&self) -> Option<f64> {
        let load = self.load.as_ref()?;
        let by_takers = load.takers_per_hour.map(|n| n * requests_per_taker(self.survey.pages) / 3600.0);
        load.requests_per_second.or(by_takers)
    }
}

/// 2 requests a page (its questions, its answers) and 4 around them: the form for the code and the code, the
/// frame, the end.
pub fn requests_per_taker(pages: u32) -> f64 {
    2.0 * f64::from(pages) + 4.0
}

fn five() -> f64 {
    5.0
}
fn an_hour() -> f64 {
    60.0
}
fn one() -> u32 {
    1
}
fn ten() -> u32 {
    10
}
fn five_hundred() -> u32 {
    500
}
