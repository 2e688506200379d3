//! What was typed, as options and values. What follows from them is decided in `command`; no files are opened here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Say what a log can tell, what it cannot, and the settings that would
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
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

Exit codes: 0 done, 1 an output could not be written, 2 usage, 3 an input could not be read or nothing in it was
understood, 130 interrupted (no half-written output is left behind).";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  pglens doctor postgresql.log
  pglens doctor --rds error/postgresql.log.2026-11-23-14   settings of a parameter group

Exit codes: 0 done, 1 the answer could not be written, 2 usage, 3 an input could not be read or nothing in it was
understood, 130 interrupted.";

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
    /// Thresholds and suppressions of findings [default: pglens.toml in the working directory, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    /// How findings are looked for.
    pub(crate) rules: Rules,
    /// Count only: no findings, no forecasts, about two thirds of the processor time
    #[arg(long)]
    pub(crate) no_findings: bool,
    /// Show literals and parameters in examples (by default only normalised SQL leaves the log)
    #[arg(long)]
    pub(crate) show_values: bool,
    /// Rows of a table on the page (its longest have at least 50) and, up to 10, in Markdown; text keeps to its screen
    #[arg(long, value_name = "N", default_value_t = 20, allow_negative_numbers = true)]
    pub(crate) top: usize,
    /// No progress and no remarks on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Say what a log can tell.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Logs: files, directories, patterns, or - for standard input [default: standard input, if it is piped]
    #[arg(value_name = "LOG")]
    pub(crate) logs: Vec<String>,
    /// Write settings for an RDS or Aurora parameter group instead of postgresql.conf
    #[arg(long)]
    pub(crate) rds: bool,
    /// Format of the answer
    #[arg(short, long, value_enum, default_value_t = DoctorFormat::Text)]
    pub(crate) format: DoctorFormat,
    #[command(flatten)]
    /// How to read.
    pub(crate) reading: Reading,
    /// No progress on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// How `doctor` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorFormat {
    /// For people, with lines to paste
    Text,
    /// The diagnosis: pglens.doctor/1
    Json,
}

/// How to read logs.
#[derive(Debug, Args)]
pub(crate) struct Reading {
    /// The server's log_line_prefix [default: found out from the log]
    #[arg(long, value_name = "PREFIX")]
    pub(crate) log_line_prefix: Option<String>,
    /// The format of all logs [default: found out from each]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) log_format: Option<LogFormat>,
    /// Threads [default: all cores]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// Bytes of a chunk; for tests: the report does not depend on it
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 18, hide = true)]
    pub(crate) chunk_size: usize,
}

/// The format of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines with a log_line_prefix
    Stderr,
    /// Rows of CSV
    Csvlog,
    /// Objects of JSON
    Jsonlog,
    /// Lines of a syslog daemon
    Syslog,
}

/// What the report is about. Values of one option are alternatives, different options must all hold.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filters {
    /// Nothing before TIME: 2026-11-23T14:00:00Z, 2026-11-23 or "2026-11-23 14:00" (UTC)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Nothing after TIME
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only so much before the end of the log (or before --until): 30m, 2h, 7d
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) last: Option<String>,
    /// Database names; re:REGEX here and below
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Vec<String>,
    /// Role names
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Vec<String>,
    /// Application names
    #[arg(long, value_name = "NAME")]
    pub(crate) application: Vec<String>,
    /// Client hosts
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// Kinds of statements: select, insert, update …
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) kind: Vec<String>,
    /// Tables that a statement reads or writes
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Vec<String>,
    /// Fingerprints, as the report has them
    #[arg(long, value_name = "HEX", value_delimiter = ',')]
    pub(crate) fingerprint: Vec<String>,
    /// Only calls that took at least so long: 100ms, 2s
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub(crate) min_duration: Option<String>,
    /// Only statements and messages that contain TEXT, or fit re:REGEX
    #[arg(long, value_name = "TEXT")]
    pub(crate) include: Vec<String>,
    /// No statements and messages that contain TEXT, or fit re:REGEX
    #[arg(long, value_name = "TEXT")]
    pub(crate) exclude: Vec<String>,
    /// Only statements with this tag in a comment, as route=/orders; a KEY alone lists them by that tag
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub(crate) tag: Vec<String>,
}

/// How findings are looked for, over what `pglens.toml` says.
#[derive(Debug, Default, Args)]
pub(crate) struct Rules {
    /// A threshold, as in [detect] of pglens.toml: n_plus_one.min=10; may repeat
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) detect: Vec<String>,
    /// A tag of query comments that says which request a statement belongs to: tag:NAME
    #[arg(long, value_name = "tag:NAME")]
    pub(crate) unit: Option<String>,
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
