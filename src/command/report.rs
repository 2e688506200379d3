//! `pglens report`: logs in, one report out, in as many formats as wanted.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use pglens::assemble::{self, Wishes};
use pglens::finding::Detect;
use pglens::output::{self, Interrupts, Readers, Target};
use pglens::render::shown::one_line;
use pglens::render::{self, Format, Style};
use pglens::report::{Note, Report};

use super::{Failure, filters, reading, remark};
use crate::cli;

pub(crate) fn run(arguments: cli::Report) -> Result<(), Failure> {
    let outputs = outputs(&arguments)?;
    let interrupts = Interrupts::install().unwrap_or_default();
    let config = reading::config(arguments.config.as_deref(), &arguments.rules)?;
    let (plan, mut settings) = reading::plan(&arguments.logs, &arguments.reading, &arguments.filters)?;
    let group_tag = filters::group(&arguments.filters)?;
    settings.detect = Detect { off: arguments.no_findings, group_tag, ..config.detect };
    let mut notes: Vec<Note> =
        plan.notes.iter().map(|note| Note { code: note.code.to_owned(), text: note.text.clone() }).collect();
    notes.extend(filters::note(&arguments.filters));
    let wishes = Wishes {
        ignores: config.ignores,
        show_values: arguments.show_values,
        prefix_given: arguments.reading.log_line_prefix.is_some(),
        notes,
    };
    let report = assemble::report(reading::read(plan, &settings, arguments.quiet), &wishes);
    reading::understood(&report)?;
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
        let target = Target::new(path);
        target.check().map_err(|error| Failure::Usage(error.to_string()))?;
        let format = Format::from_extension(path).or(wanted).ok_or_else(|| {
            let known = ".html .json .md .txt .csv";
            Failure::Usage(format!("{}: the ending says no format ({known}); say it with -f", path.display()))
        })?;
        Ok((target, format))
    };
    arguments.output.iter().map(output).collect()
}

fn style(target: &Target, top: usize) -> Style {
    let terminal = *target == Target::Stdout && io::stdout().is_terminal();
    let color = terminal && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    // Shells know COLUMNS but seldom export it; who does means it.
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    let columns = said.or_else(|| seen().filter(|width| terminal && *width > 0));
    Style { color, width: columns.unwrap_or(100), top, ..Style::default() }
}

/// The report is written; if an input could not be read to its end, the exit code says so too.
fn complete(report: &Report, quiet: bool) -> Result<(), Failure> {
    if !quiet {
        for note in &report.input.notes {
            remark(&one_line(&note.text));
        }
    }
    reading::complete(report)
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
