//! `pglens report`: logs in, one report out, in as many formats as wanted.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pglens::analyze::{self, Analysis, Settings};
use pglens::assemble::{self, Wishes};
use pglens::input::{self, Plan, PlanOptions};
use pglens::log::{Format as LogFormat, Hints};
use pglens::output::{self, Interrupts, Readers, Target};
use pglens::render::{self, Format, Style};
use pglens::report::{Note, Report};

use super::{Failure, filters, remark};
use crate::cli;

pub(crate) fn run(arguments: cli::Report) -> Result<(), Failure> {
    let outputs = outputs(&arguments)?;
    let interrupts = Interrupts::install().unwrap_or_default();
    let (mut filter, window) = filters::filter(&arguments.filters)?;
    let mut settings = settings(&arguments.reading)?;
    let options = PlanOptions { hints: settings.hints.clone(), window };
    let plan = input::plan(&arguments.logs, &options).map_err(not_planned)?;
    filter.since = plan.window.since;
    settings.filter = Arc::new(filter);
    let mut notes: Vec<Note> =
        plan.notes.iter().map(|note| Note { code: note.code.to_owned(), text: note.text.clone() }).collect();
    notes.extend(filters::note(&arguments.filters));
    let wishes = Wishes {
        ignores: Vec::new(),
        show_values: arguments.show_values,
        prefix_given: arguments.reading.log_line_prefix.is_some(),
        notes,
    };
    let report = assemble::report(read(plan, &settings, arguments.quiet), &wishes);
    understood(&report)?;
    let readers = if arguments.show_values { Readers::Owner } else { Readers::Umask };
    for (target, format) in &outputs {
        let style = style(target, arguments.top);
        output::write(target, readers, &interrupts, |out| render::render(&report, *format, &style, out))?;
    }
    complete(&report, arguments.quiet)
}

/// What goes where. Without `-o`: a summary on a terminal, a page when standard output goes elsewhere.
fn outputs(arguments: &cli::Report) -> Result<Vec<(Target, Format)>, Failure> {
    let wanted = arguments.format.map(Format::from);
    if arguments.output.is_empty() {
        let usual = if io::stdout().is_terminal() { Format::Text } else { Format::Html };
        return Ok(vec![(Target::Stdout, wanted.unwrap_or(usual))]);
    }
    let output = |path: &PathBuf| {
        let target = if path == Path::new("-") { Target::Stdout } else { Target::File(path.clone()) };
        target.check().map_err(|error| Failure::Usage(error.to_string()))?;
        let format = Format::from_extension(path).or(wanted).ok_or_else(|| {
            let known = ".html .json .md .txt .csv";
            Failure::Usage(format!("{}: the ending says no format ({known}); say it with -f", path.display()))
        })?;
        Ok((target, format))
    };
    arguments.output.iter().map(output).collect()
}

fn not_planned(error: input::InputError) -> Failure {
    match error {
        input::InputError::NothingGiven => Failure::Usage(format!("{error} (see pglens report --help)")),
        _ => Failure::Input(error.to_string()),
    }
}

fn settings(reading: &cli::Reading) -> Result<Settings, Failure> {
    let format = reading.log_format.as_deref().map(|name| {
        let known = [LogFormat::Stderr, LogFormat::Csv, LogFormat::Json, LogFormat::Syslog];
        known.into_iter().find(|format| format.as_str() == name).ok_or_else(|| {
            let known = known.map(LogFormat::as_str).join(", ");
            Failure::Usage(format!("{name}: no log format; known are {known}"))
        })
    });
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Settings {
        jobs: reading.jobs.map_or_else(cores, std::num::NonZero::get),
        chunk: reading.chunk_size,
        hints: Hints {
            format: format.transpose()?,
            prefix: reading.log_line_prefix.clone(),
            ..Hints::default()
        },
        filter: Arc::default(),
        detect: pglens::finding::Detect::default(),
    })
}

/// Reads everything, with a bar on standard error when somebody is looking.
fn read(plan: Plan, settings: &Settings, quiet: bool) -> Analysis {
    let handed_out = AtomicU64::new(0);
    let watched = !quiet && io::stderr().is_terminal() && std::env::var_os("CI").is_none();
    if !watched {
        return analyze::analyze(plan.streams, settings, &handed_out);
    }
    let bar = match plan.total {
        Some(total) => ProgressBar::new(total)
            .with_style(bar_style("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left")),
        None => ProgressBar::no_length().with_style(bar_style("{spinner} {bytes} {bytes_per_sec}")),
    };
    let done = std::sync::atomic::AtomicBool::new(false);
    let analysis = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                bar.set_position(plan.progress.load(Ordering::Relaxed));
                std::thread::park_timeout(Duration::from_millis(100));
            }
        });
        let analysis = analyze::analyze(plan.streams, settings, &handed_out);
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
fn understood(report: &Report) -> Result<(), Failure> {
    if report.input.entries > 0 {
        return Ok(());
    }
    let errors =
        report.input.files.iter().filter_map(|file| Some(format!("{}: {}", file.name, file.error.as_ref()?)));
    let errors: Vec<String> = errors.collect();
    let nothing = || "nothing in the input was understood as an entry of a PostgreSQL log".to_owned();
    Err(Failure::Input(if errors.is_empty() { nothing() } else { errors.join("\n") }))
}

fn style(target: &Target, top: usize) -> Style {
    let terminal = *target == Target::Stdout && io::stdout().is_terminal();
    let color = terminal && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    Style { color, width: columns.unwrap_or(100), top, ..Style::default() }
}

/// The report is written; if an input could not be read to its end, the exit code says so too.
fn complete(report: &Report, quiet: bool) -> Result<(), Failure> {
    if !quiet {
        for note in &report.input.notes {
            remark(&note.text);
        }
    }
    let broken =
        report.input.files.iter().filter_map(|file| Some(format!("{}: {}", file.name, file.error.as_ref()?)));
    let broken: Vec<String> = broken.collect();
    match broken.is_empty() {
        true => Ok(()),
        false => Err(Failure::Input(format!("{}\nthe report covers what was read", broken.join("\n")))),
    }
}

impl From<cli::Format> for Format {
    fn from(format: cli::Format) -> Self {
        match format {
            cli::Format::Html => Self::Html,
            cli::Format::Json => Self::Json,
            cli::Format::Text => Self::Text,
            cli::Format::Markdown => Self::Markdown,
            cli::Format::Csv => Self::Csv,
        }
    }
}
