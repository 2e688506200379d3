//! What was typed → what was decided. No files are opened here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pglens::filter::{self, Filter, Pattern};
use pglens::sql::{Fingerprint as Fp, Kind};
use pglens::units::{Micros, Timestamp};

/// Reads PostgreSQL logs and names the statements that an application should not have sent.
#[derive(Debug, Parser)]
#[command(name = "pglens", version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Turn logs into a report
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Box<Report>),
    /// Read SQL and write the fingerprint of each statement
    #[command(after_help = FINGERPRINT_EXAMPLES)]
    Fingerprint(Fingerprint),
}

const REPORT_EXAMPLES: &str = "\
Examples:
  pglens report postgresql.log                     what matters, on one screen
  pglens report postgresql.log > report.html       the page (also: -o report.html)
  zcat pg.log.*.gz | pglens report -o a.html -o a.json
  pglens report --log-line-prefix '%t:%r:%u@%d:[%p]:' rds.log

Exit codes: 0 done, 2 usage, 3 an input could not be read or nothing in it was understood.";

const FINGERPRINT_EXAMPLES: &str = "\
Examples:
  echo '{\"sql\": \"SELECT * FROM t WHERE id = 7\"}' | pglens fingerprint
  pglens fingerprint --text < statements.sql

One line out per line in: {\"fingerprint\", \"sql\", \"kind\", \"tables\"}.";

/// Turn logs into a report.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Logs: files, directories, patterns, or - for standard input [default: standard input, if it is piped]
    #[arg(value_name = "LOG")]
    pub(crate) logs: Vec<String>,
    /// Write to FILE; the format follows its ending (.html .json .md .txt .csv); may repeat
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Vec<PathBuf>,
    /// Format of standard output, or of files whose ending says nothing
    #[arg(short, long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    /// How to read.
    pub(crate) reading: Reading,
    #[command(flatten)]
    /// What the report is about.
    pub(crate) filters: Filters,
    /// Show literals and parameters in examples (by default only normalised SQL leaves the log)
    #[arg(long)]
    pub(crate) show_values: bool,
    /// Rows of each table in text and Markdown
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) top: usize,
    /// No progress and no remarks on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// How to read logs.
#[derive(Debug, Args)]
pub(crate) struct Reading {
    /// The server's log_line_prefix [default: found out from the log]
    #[arg(long, value_name = "PREFIX")]
    pub(crate) log_line_prefix: Option<String>,
    /// The format of all logs [default: found out from each]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Threads [default: all cores]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// Bytes of a chunk; for tests: the report does not depend on it
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, hide = true)]
    pub(crate) chunk_size: usize,
}

/// What the report is about. Within one option any of its values is enough; all options must hold.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What the report is about (any value of an option, all options)")]
pub(crate) struct Filters {
    /// Nothing before TIME: RFC 3339, or YYYY-MM-DD[ HH:MM[:SS]] in UTC
    #[arg(long, value_name = "TIME", value_parser = filter::instant)]
    pub(crate) since: Option<Timestamp>,
    /// Nothing after TIME
    #[arg(long, value_name = "TIME", value_parser = filter::instant)]
    pub(crate) until: Option<Timestamp>,
    /// Only so much before the end of the log, or before --until: 30m, 2h, 7d
    #[arg(long, value_name = "SPAN", value_parser = filter::span)]
    pub(crate) last: Option<Micros>,
    /// Calls of this role; a name, or re:PATTERN
    #[arg(long, value_name = "NAME", value_parser = Pattern::new)]
    pub(crate) user: Vec<Pattern>,
    /// Calls in this database
    #[arg(long, value_name = "NAME", value_parser = Pattern::new)]
    pub(crate) database: Vec<Pattern>,
    /// Calls of this application_name
    #[arg(long, value_name = "NAME", value_parser = Pattern::new)]
    pub(crate) application: Vec<Pattern>,
    /// Calls from this client host
    #[arg(long, value_name = "HOST", value_parser = Pattern::new)]
    pub(crate) host: Vec<Pattern>,
    /// Statements of this kind: select, insert, update …
    #[arg(long, value_name = "KIND", value_parser = filter::kind)]
    pub(crate) kind: Vec<Kind>,
    /// Statements that read or write this table
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Vec<String>,
    /// Statements of this fingerprint
    #[arg(long, value_name = "HEX", value_parser = filter::fingerprint)]
    pub(crate) fingerprint: Vec<Fp>,
    /// Calls that took at least this long: 250ms, 1.5s; a number alone is milliseconds
    #[arg(long, value_name = "DURATION", value_parser = filter::duration)]
    pub(crate) min_duration: Option<Micros>,
    /// Statements that contain TEXT, or match re:PATTERN
    #[arg(long, value_name = "TEXT", value_parser = Pattern::new)]
    pub(crate) include: Vec<Pattern>,
    /// No statements that contain TEXT, or match re:PATTERN
    #[arg(long, value_name = "TEXT", value_parser = Pattern::new)]
    pub(crate) exclude: Vec<Pattern>,
    /// Calls whose query comment has this tag
    #[arg(long, value_name = "KEY=VALUE", value_parser = filter::tag)]
    pub(crate) tag: Vec<(String, String)>,
}

impl From<Filters> for Filter {
    fn from(typed: Filters) -> Self {
        Self {
            since: typed.since,
            until: typed.until,
            users: typed.user,
            databases: typed.database,
            applications: typed.application,
            hosts: typed.host,
            min_duration: typed.min_duration,
            kinds: typed.kind,
            tables: typed.table,
            fingerprints: typed.fingerprint,
            include: typed.include,
            exclude: typed.exclude,
            tags: typed.tag,
        }
    }
}

/// Read SQL and write fingerprints.
#[derive(Debug, Args)]
pub(crate) struct Fingerprint {
    /// Input is plain SQL, separated by NUL or by `;` outside literals, instead of JSON lines
    #[arg(long)]
    pub(crate) text: bool,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A self-contained page
    Html,
    /// The whole report: pglens.report/1
    Json,
    /// One screen for a terminal
    #[value(alias = "txt")]
    Text,
    /// For a pull request or a job summary
    #[value(alias = "md")]
    Markdown,
    /// One row a fingerprint
    Csv,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
