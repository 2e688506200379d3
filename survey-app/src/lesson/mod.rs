//! The talk's lessons as runs: each is the same load on two or more settings, and what came of it.
//!
//! ```text
//!   bench (stack, web process, respondents) ─► load ─► figures of a variant ─┐
//!   sampler ───────────────────────────────────────► its recording ──────────┴─► table, JSON, page
//! ```
//!
//! Serves `survey-app lesson`. A lesson brings its stack up and takes it down, is bounded in time, and claims
//! nothing absolute: what it shows are ratios of runs on the same machine.

mod bench;
mod cache;
mod commit;
mod event_loop;
mod load;
mod overload;

use crate::cli;
use crate::observe::Recording;
use crate::observe::page::{self, Table};
use anyhow::{Context, Result};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How long each variant is loaded.
    pub time: Duration,
    /// Respondents at a time.
    pub clients: usize,
    /// Whether `commit` is run on a slowed disk as well.
    pub slow_disk: bool,
}

/// What a lesson came to.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// `survey-app.lesson/1`
    pub schema: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What came of it, in sentences.
    pub says: Vec<String>,
    /// What was measured, as heads of [`Variant::figures`].
    pub measures: Vec<&'static str>,
    /// The settings that were compared.
    pub variants: Vec<Variant>,
    /// The figures of one variant over those of another.
    pub ratios: Vec<Ratio>,
}

/// One setting under load.
#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    /// What it is called.
    pub name: String,
    /// Switches over the profile.
    pub switches: Vec<String>,
    /// What was measured; `None` where it could not be.
    pub figures: Vec<Option<f64>>,
    /// What was seen.
    #[serde(skip)]
    pub recording: Recording,
}

/// Two variants beside each other.
#[derive(Clone, Debug, Serialize)]
pub struct Ratio {
    /// The two.
    pub name: String,
    /// Figure over figure.
    pub figures: Vec<Option<f64>>,
}

impl Outcome {
    fn new(name: &'static str, title: &'static str, measures: &[&'static str]) -> Outcome {
        Outcome {
            schema: "survey-app.lesson/1",
            name,
            title,
            says: Vec::new(),
            measures: measures.to_vec(),
            variants: Vec::new(),
            ratios: Vec::new(),
        }
    }

    /// Puts the figures of variant `a` over those of variant `b`.
    fn compare(&mut self, a: usize, b: usize) {
        let (above, below) = (&self.variants[a], &self.variants[b]);
        let over = |(x, y): (&Option<f64>, &Option<f64>)| match (x, y) {
            (Some(x), Some(y)) if *y != 0.0 => Some(x / y),
            _ => None,
        };
        let figures = above.figures.iter().zip(&below.figures).map(over).collect();
        self.ratios.push(Ratio { name: format!("{} ÷ {}", above.name, below.name), figures });
    }

    /// The figure of a variant by its head.
    pub fn figure(&self, variant: usize, measure: &str) -> Option<f64> {
        let at = self.measures.iter().position(|m| *m == measure)?;
        self.variants.get(variant)?.figures.get(at).copied().flatten()
    }

    fn table(&self) -> Table {
        let number = |f: &Option<f64>| f.map_or("–".to_string(), page::number);
        let mut head = vec![String::new()];
        head.extend(self.measures.iter().map(|m| (*m).to_string()));
        let row = |name: &str, cells: Vec<String>| std::iter::once(name.to_string()).chain(cells).collect();
        let mut rows: Vec<Vec<String>> =
            self.variants.iter().map(|v| row(&v.name, v.figures.iter().map(number).collect())).collect();
        let times = |f: &Option<f64>| f.map_or("–".to_string(), |f| format!("×{}", page::number(f)));
        rows.extend(self.ratios.iter().map(|r| row(&r.name, r.figures.iter().map(times).collect())));
        Table { head, rows }
    }

    /// As a page.
    pub fn page(&self) -> Result<String> {
        let recordings: Vec<(&str, &Recording)> =
            self.variants.iter().map(|v| (v.name.as_str(), &v.recording)).collect();
        page::of_several(self.title, &self.says, self.table(), &recordings)
    }

    /// As lines of text.
    pub fn text(&self) -> String {
        let table = self.table();
        let mut out = format!("{}\n\n", self.title);
        for variant in &self.variants {
            out.push_str(&format!("{}: {}\n", variant.name, variant.switches.join(" ")));
        }
        // A measure a line: more fit beside each other than a terminal is wide.
        for (at, measure) in self.measures.iter().enumerate() {
            out.push_str(&format!("\n{measure}\n"));
            for row in &table.rows {
                out.push_str(&format!("  {:>12}  {}\n", row[at + 1], row[0]));
            }
        }
        for sentence in &self.says {
            out.push_str(&format!("\n{sentence}\n"));
        }
        out
    }
}

/// Runs a lesson.
pub async fn run(name: cli::LessonName, size: Size, exe: &Path) -> Result<Outcome> {
    match name {
        cli::LessonName::EventLoop => event_loop::run(size, exe).await,
        cli::LessonName::Cache => cache::run(size, exe).await,
        cli::LessonName::Overload => overload::run(size, exe).await,
        cli::LessonName::Commit => commit::run(size, exe).await,
    }
}

/// `lesson`: runs one, prints its table, writes what was asked for.
pub async fn teach(arguments: &cli::Lesson, exe: &Path, out: &mut impl Write) -> Result<()> {
    let size = Size {
        time: Duration::from_secs(arguments.seconds.into()),
        clients: arguments.clients as usize,
        slow_disk: true,
    };
    let outcome = tokio::select! {
        outcome = run(arguments.name, size, exe) => outcome?,
        // What was started goes with the dropped stack.
        told = crate::up::until_told() => return told,
    };
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    if let Some(path) = &arguments.output {
        write(path, outcome.page()?)?;
    }
    if let Some(path) = &arguments.json {
        write(path, serde_json::to_string_pretty(&outcome).context("the outcome")?)?;
    }
    write!(out, "{}", outcome.text()).context("stdout")
}
