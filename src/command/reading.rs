//! What each command that reads logs does first and last: plan, read, and say whether it went well.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pglens::analyze::{self, Analysis, Settings};
use pglens::config::Config;
use pglens::input::{self, Plan, PlanOptions};
use pglens::log::{Format as LogFormat, Hints};
use pglens::render::shown::one_line;
use pglens::report::{InputFile, Report};

use super::{Failure, filters};
use crate::cli;

/// Which logs are read, how, and what of them counts.
pub(crate) fn plan(
    logs: &[String],
    reading: &cli::Reading,
    filters: &cli::Filters,
) -> Result<(Plan, Settings), Failure> {
    let mut settings = settings(reading);
    let (mut filter, window) = filters::filter(filters)?;
    let options = PlanOptions { hints: settings.hints.clone(), window };
    let plan = input::plan(logs, &options).map_err(not_planned)?;
    filter.since = plan.window.since;
    settings.filter = Arc::new(filter);
    Ok((plan, settings))
}

/// What `pglens.toml` says: the file that was named, else the one in the working directory, else nothing. The
/// command line has the last word.
pub(crate) fn config(path: Option<&Path>, rules: &cli::Rules) -> Result<Config, Failure> {
    let usual = Path::new("pglens.toml");
    let path = path.or_else(|| usual.exists().then_some(usual));
    let text = path.map(std::fs::read_to_string).transpose();
    let failure = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!("{}: {error}", path.unwrap_or(usual).display()))
    };
    let text = text.map_err(|error| failure(&format!("cannot be read: {error}")))?;
    let config = text.as_deref().map(Config::parse).transpose().map_err(|error| failure(&error))?;
    let unit = rules.unit.iter().map(|unit| format!("unit = {unit:?}"));
    let overrides: Vec<String> = rules.detect.iter().cloned().chain(unit).collect();
    if overrides.is_empty() {
        return Ok(config.unwrap_or_default());
    }
    let option = match (rules.detect.is_empty(), &rules.unit) {
        (false, None) => "--detect",
        (true, _) => "--unit",
        (false, Some(_)) => "--detect or --unit",
    };
    Config::parse_with(text.as_deref(), &overrides)
        .map_err(|error| Failure::Usage(format!("{option}: {error}")))
}

fn not_planned(error: input::InputError) -> Failure {
    match error {
        input::InputError::NothingGiven => Failure::Usage(format!("{error} (see --help)")),
        _ => Failure::Input(one_line(&error.to_string())),
    }
}

fn settings(reading: &cli::Reading) -> Settings {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Settings {
        jobs: reading.jobs.map_or_else(cores, std::num::NonZero::get),
        chunk: reading.chunk_size,
        hints: Hints {
            format: reading.log_format.map(LogFormat::from),
            prefix: reading.log_line_prefix.clone(),
            ..Hints::default()
        },
        ..Settings::default()
    }
}

impl From<cli::LogFormat> for LogFormat {
    fn from(format: cli::LogFormat) -> Self {
        match format {
            cli::LogFormat::Stderr => Self::Stderr,
            cli::LogFormat::Csvlog => Self::Csv,
            cli::LogFormat::Jsonlog => Self::Json,
            cli::LogFormat::Syslog => Self::Syslog,
        }
    }
}

/// Reads everything, with a bar on standard error when somebody is looking.
pub(crate) fn read(plan: Plan, settings: &Settings, quiet: bool) -> Analysis {
    let watched = !quiet && io::stderr().is_terminal() && std::env::var_os("CI").is_none();
    if !watched {
        return analyze::analyze(plan.streams, settings);
    }
    let bar = match plan.total {
        Some(total) => ProgressBar::new(total)
            .with_style(bar_style("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left")),
        None => ProgressBar::no_length().with_style(bar_style("{spinner} {bytes} {bytes_per_sec}")),
    };
    let done = AtomicBool::new(false);
    let analysis = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                bar.set_position(plan.progress.load(Ordering::Relaxed));
                std::thread::park_timeout(Duration::from_millis(100));
            }
        });
        let analysis = analyze::analyze(plan.streams, settings);
        done.store(true, Ordering::Release);
        analysis
    });
    bar.finish_and_clear();
    analysis
}

fn bar_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// An input in which nothing was understood is an error, never an empty report.
pub(crate) fn understood(report: &Report) -> Result<(), Failure> {
    if report.input.entries > 0 {
        return Ok(());
    }
    let errors = errors(report);
    let nothing = || "nothing in the input was understood as an entry of a PostgreSQL log".to_owned();
    Err(Failure::Input(if errors.is_empty() { nothing() } else { errors.join("\n") }))
}

/// If an input could not be read to its end, the exit code says so too.
pub(crate) fn complete(report: &Report) -> Result<(), Failure> {
    let broken = errors(report);
    match broken.is_empty() {
        true => Ok(()),
        false => Err(Failure::Input(format!("{}\nthe report covers what was read", broken.join("\n")))),
    }
}

/// What the inputs could not be read for, each with its name.
fn errors(report: &Report) -> Vec<String> {
    let error =
        |file: &InputFile| Some(format!("{}: {}", one_line(&file.name), one_line(file.error.as_ref()?)));
    report.input.files.iter().filter_map(error).collect()
}
