//! `Report`: the versioned contract. Every output of `pglens report` is rendered from this value
//! (`doctor` and `fingerprint` write small contracts of their own).
//!
//! Durations are whole microseconds (`_us`), sizes bytes, instants RFC 3339 in UTC. Lists come sorted, with every
//! tie broken by fingerprint, so equal input gives equal bytes. Names keep their meaning within
//! `pglens.report/1`; new ones may appear.
//!
//! What came out of the log is hostile and undecoded here: names and texts are lossy UTF-8, escaped by whoever
//! renders them. Literals appear in `examples` only when values were asked for (`--show-values`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::units::{Micros, Timestamp};

mod events;
mod findings;

pub use events::*;
pub use findings::*;

/// The name of this contract.
pub const SCHEMA: &str = "pglens.report/1";

/// Everything that a log told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What was read, what was not, and how far the numbers can be trusted.
    pub input: Input,
    /// Numbers over the whole log.
    pub totals: Totals,
    /// One row a fingerprint, by total duration, calls and fingerprint.
    pub statements: Vec<Statement>,
    /// SELECTs whose very question was asked before in the log, whatever was written in between, by repeats. Without
    /// those that the rules leave alone or cannot judge.
    pub redundant_selects: Vec<RedundantSelect>,
    /// INSERTs by calls.
    pub hot_inserts: Vec<HotInsert>,
    /// The slowest single calls.
    pub slowest: Vec<SlowCall>,
    /// Errors by normalised message, most frequent first.
    pub errors: Vec<ErrorGroup>,
    /// Lock waits and deadlocks.
    pub locks: Locks,
    /// Temporary files.
    pub temp_files: TempFiles,
    /// Checkpoints and restartpoints.
    pub checkpoints: Checkpoints,
    /// Automatic vacuums and analyses.
    pub autovacuum: Autovacuum,
    /// Connections and sessions.
    pub connections: Connections,
    /// Everything else the server had to say: crashes, recovery, replication, parameters …
    pub server: ServerEvents,
    /// Statements that should not have been sent, by cost.
    pub findings: Vec<Finding>,
    /// The units behind the findings, and what was left out on purpose.
    #[serde(default)]
    pub judged: Judged,
    /// What a change would bring; `null` with `--no-findings`.
    pub forecasts: Option<Forecasts>,
}

/// What was read and how well it was understood: the trust section.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Bytes read, after decompression. Equals bytes in entries plus bytes skipped.
    pub bytes: u64,
    /// Log records: a message with its DETAIL, HINT, CONTEXT, QUERY and STATEMENT is one.
    pub entries: u64,
    /// The inputs in reading order.
    pub files: Vec<InputFile>,
    /// The format of the inputs, or `mixed`.
    pub format: String,
    /// The `log_line_prefix` given or detected; `null` for formats without one, `mixed` where inputs differ.
    pub prefix: Option<String>,
    /// Whether the prefix was given on the command line.
    pub prefix_given: bool,
    /// Time of the first entry.
    pub first: Option<Timestamp>,
    /// Time of the last entry.
    pub last: Option<Timestamp>,
    /// What was not understood, by reason.
    pub skipped: Vec<Skipped>,
    /// Whether the log holds only a sample of the statements (`log_min_duration_sample`,
    /// `log_transaction_sample_rate`), as far as the log shows it.
    pub sampled: bool,
    /// Time-zone abbreviations that were not known and taken as UTC.
    pub unknown_zones: Vec<String>,
    /// Stretches of over ten minutes without any entry, longest first (at most 20).
    pub gaps: Vec<Gap>,
    /// What the reader should know before trusting the numbers, in sentences.
    pub notes: Vec<Note>,
}

/// One input.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputFile {
    /// Path as given, or `-` for standard input.
    pub name: String,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Log records.
    pub entries: u64,
    /// Format, as `stderr`, `csvlog`, `jsonlog` …
    pub format: String,
    /// Prefix, where the format has one.
    pub prefix: Option<String>,
    /// Container, as `gzip`; `null` for plain text.
    pub compression: Option<String>,
    /// Time of its first entry.
    pub first: Option<Timestamp>,
    /// Time of its last entry.
    pub last: Option<Timestamp>,
    /// Why reading stopped early, if it did.
    pub error: Option<String>,
}

/// Bytes that were not understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// Why, one of a fixed set of names.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Where it happened first.
    pub first: Position,
}

/// A place in an input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Name of the input.
    pub file: String,
    /// Line number from 1, where it is known without reading the input twice; else `null`.
    pub line: Option<u64>,
    /// Byte offset in the input, from 0, after decompression.
    pub byte: u64,
}

/// A stretch of time without entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// The last entry before it.
    pub from: Timestamp,
    /// The first entry after it.
    pub to: Timestamp,
}

/// Something to know before trusting a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// A fixed name, as `no_durations`.
    pub code: String,
    /// One sentence for people.
    pub text: String,
}

/// Calls and the time they took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Executed statements.
    pub calls: u64,
    /// Their duration.
    pub duration_us: Micros,
}

/// Numbers over the whole log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Executed statements, each once.
    pub statements: u64,
    /// How many of them have a duration.
    pub timed: u64,
    /// Sum of their durations.
    pub duration_us: Micros,
    /// Time of parse messages.
    pub parse_us: Micros,
    /// Time of bind messages.
    pub bind_us: Micros,
    /// Distinct fingerprints.
    pub fingerprints: u64,
    /// Records of severity ERROR, FATAL and PANIC.
    pub errors: u64,
    /// Distinct normalised errors.
    pub distinct_errors: u64,
    /// Durations logged without a statement and without one to pair them with (`log_duration` alone).
    pub unidentified: Load,
    /// Statements counted only because auto_explain logged their plan.
    pub from_plans: u64,
    /// The second with most statements.
    pub peak: Option<Peak>,
    /// Time of the first statement.
    pub first: Option<Timestamp>,
    /// Time of the last statement.
    pub last: Option<Timestamp>,
    /// Every kind, also those that never occurred.
    pub by_kind: BTreeMap<String, Load>,
    /// Hours with statements or errors, in order.
    pub by_hour: Vec<Hour>,
    /// Statements a second over stretches of five minutes, in order.
    pub traffic: Vec<Traffic>,
    /// By role, most time first.
    pub users: Vec<Actor>,
    /// By database.
    pub databases: Vec<Actor>,
    /// By `application_name`.
    pub applications: Vec<Actor>,
    /// By client host.
    pub hosts: Vec<Actor>,
    /// By route tag of the query comments, or by the tag of `--tag KEY`; `(none)` for what is not tagged, empty when
    /// nothing is.
    pub routes: Vec<Actor>,
}

/// The busiest second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// Statements in that second.
    pub calls: u64,
    /// The second; the first of several equals.
    pub at: Timestamp,
}

/// One hour of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hour {
    /// When it begins.
    pub hour: Timestamp,
    /// All statements.
    pub all: Load,
    /// SELECTs.
    pub select: Load,
    /// INSERTs.
    pub insert: Load,
    /// UPDATEs.
    pub update: Load,
    /// DELETEs.
    pub delete: Load,
    /// Errors.
    pub errors: u64,
}

/// Statements a second within a stretch of five minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// When the stretch begins.
    pub at: Timestamp,
    /// All statements in it.
    pub calls: u64,
    /// Most in one second.
    pub max: u64,
    /// Fewest in one second.
    pub min: u64,
}

/// What one user, database, application, host or route did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Actor {
    /// Its name; `(none)` where the log says nothing, `(other)` for what was beyond the cap.
    pub name: String,
    /// Executed statements.
    pub calls: u64,
    /// Their duration.
    pub duration_us: Micros,
    /// Errors.
    pub errors: u64,
}

/// One fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// 16 hexadecimal digits.
    pub fingerprint: String,
    /// Normalised SQL: one `?` a value.
    pub sql: String,
    /// select, insert, update, delete, merge, copy, ddl, utility, transaction, cursor or other.
    pub kind: String,
    /// For an EXPLAIN, whose `kind` is that of its statement: `analyze` when it runs it, else `plan`, which counts as
    /// `utility` in the totals; `null` for anything else.
    pub explain: Option<String>,
    /// Whether a SELECT takes row locks.
    pub locking: bool,
    /// Tables read or written, schemas kept, sorted.
    pub tables: Vec<String>,
    /// Tables read.
    pub reads: Vec<String>,
    /// Tables written.
    pub writes: Vec<String>,
    /// Executions; 0 when the log only has parse or bind messages of it.
    pub calls: u64,
    /// Executions that have a duration.
    pub timed: u64,
    /// Executions that failed, as far as the log has both statement and error.
    pub errors: u64,
    /// Sum of the durations of statement and execute records.
    pub duration_us: Micros,
    /// Shortest; `null` without durations.
    pub min_us: Option<Micros>,
    /// Longest.
    pub max_us: Option<Micros>,
    /// Arithmetic mean, rounded down.
    pub mean_us: Option<Micros>,
    /// Median, within 1 %.
    pub p50_us: Option<Micros>,
    /// 95th percentile, within 1 %.
    pub p95_us: Option<Micros>,
    /// 99th percentile, within 1 %.
    pub p99_us: Option<Micros>,
    /// Time of parse messages.
    pub parse_us: Micros,
    /// Time of bind messages.
    pub bind_us: Micros,
    /// Rows of all its VALUES lists; `null` for anything but INSERT … VALUES: nobody knows how many rows a SELECT
    /// yields.
    pub rows: Option<u64>,
    /// Distinct sets of parameters; `null` when the log does not have them.
    pub distinct_params: Option<Distinct>,
    /// Ids the server gave it (`%Q`, csvlog, jsonlog), sorted.
    pub query_ids: Vec<i64>,
    /// Whether some of its texts were cut off in the log.
    pub truncated: bool,
    /// Hours with calls, in order.
    pub by_hour: Vec<HourLoad>,
    /// Its users, most time first.
    pub users: Vec<Actor>,
    /// Its databases.
    pub databases: Vec<Actor>,
    /// Its applications.
    pub applications: Vec<Actor>,
    /// Its client hosts.
    pub hosts: Vec<Actor>,
    /// Its routes, by query comment, or the values of the tag of `--tag KEY`.
    pub routes: Vec<Actor>,
    /// The slowest calls, slowest first.
    pub examples: Vec<Example>,
    /// A plan that auto_explain logged, of the slowest call that has one.
    pub plan: Option<Plan>,
}

/// A count of distinct things, exact up to a cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distinct {
    /// The count.
    pub count: u64,
    /// Whether it is exact; if not, its standard error is `error_permille`.
    pub exact: bool,
    /// Standard error of the estimate in thousandths of the count; 0 when exact.
    pub error_permille: u32,
}

/// Calls within one hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HourLoad {
    /// When it begins.
    pub hour: Timestamp,
    /// Executions.
    pub calls: u64,
    /// Their duration.
    pub duration_us: Micros,
}

/// One call, shown as an example.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// When it was logged.
    pub time: Option<Timestamp>,
    /// How long it took.
    pub duration_us: Option<Micros>,
    /// Role.
    pub user: String,
    /// Database.
    pub database: String,
    /// `application_name`.
    pub application: String,
    /// Client host.
    pub host: String,
    /// Backend process id.
    pub pid: u32,
    /// The statement as it was sent; `null` unless values were asked for.
    pub sql: Option<String>,
    /// Parameters of an extended-protocol call, as logged; `null` unless values were asked for.
    pub params: Option<String>,
}

/// A SELECT whose very question was asked before, somewhere in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RedundantSelect {
    /// Its fingerprint; the row of `statements` has the text.
    pub fingerprint: String,
    /// Executions with known parameters.
    pub calls: u64,
    /// Distinct parameter sets.
    pub distinct_params: Distinct,
    /// Calls less distinct parameter sets.
    pub repeats: u64,
    /// Time of all calls but the first of each parameter set.
    pub repeats_us: Micros,
}

/// An INSERT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HotInsert {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The table it writes.
    pub table: Option<String>,
    /// Executions.
    pub calls: u64,
    /// Rows of its VALUES lists; `null` where they come from elsewhere.
    pub rows: Option<u64>,
    /// Its duration.
    pub duration_us: Micros,
    /// The second with most calls.
    pub peak: Option<Peak>,
    /// All statements that read its table.
    #[serde(default)]
    pub table_reads: Load,
    /// All statements that write it, this one among them.
    #[serde(default)]
    pub table_writes: Load,
}

/// A single slow call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlowCall {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The call.
    pub call: Example,
}

/// Errors of one normalised message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorGroup {
    /// 16 hexadecimal digits over severity and normalised message.
    pub id: String,
    /// ERROR, FATAL or PANIC.
    pub severity: String,
    /// Where the log has it, or where the message is known to belong to one; the greatest where errors of one message
    /// have several.
    pub sqlstate: Option<String>,
    /// Name of the SQLSTATE's class, as in the manual's appendix A.
    pub class: Option<String>,
    /// The message with its values as `?`.
    pub message: String,
    /// How often.
    pub count: u64,
    /// First time.
    pub first: Option<Timestamp>,
    /// Last time.
    pub last: Option<Timestamp>,
    /// Fingerprints of the statements that raised it, most frequent first, at most five.
    pub statements: Vec<ErrorStatement>,
    /// First occurrences.
    pub examples: Vec<ErrorExample>,
}

/// A statement that raised an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorStatement {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its normalised SQL.
    pub sql: String,
    /// How often it raised this error.
    pub count: u64,
}

/// One occurrence of an error. Message, detail, hint and context are normalised unless values were asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorExample {
    /// When.
    pub time: Option<Timestamp>,
    /// Role.
    pub user: String,
    /// Database.
    pub database: String,
    /// `application_name`.
    pub application: String,
    /// Client host.
    pub host: String,
    /// Backend process id.
    pub pid: u32,
    /// The message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
    /// CONTEXT.
    pub context: Option<String>,
    /// STATEMENT, normalised unless values were asked for.
    pub statement: Option<String>,
}

/// A statement, or a pattern of statements, that should not have been sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable: kind, fingerprint and route.
    pub id: String,
    /// As `n_plus_one`.
    pub kind: String,
    /// The statement it is about.
    pub fingerprint: String,
    /// Its route, where statements are tagged.
    pub route: Option<String>,
    /// One line.
    pub title: String,
    /// Counts that show it, by name.
    pub evidence: Evidence,
    /// What it costs.
    pub cost: Cost,
    /// One sentence: what to do.
    pub advice: String,
    /// Below the threshold of what is worth a look; folded away in the page.
    pub minor: bool,
}

/// What a finding rests on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Units of work in which it was seen.
    pub units: u64,
    /// What a unit is here: trace, request, transaction, burst; `log` where the rule looks at the whole log.
    pub unit_kind: String,
    /// Calls involved.
    pub calls: u64,
    /// Further numbers by name.
    pub numbers: BTreeMap<String, u64>,
    /// Other fingerprints involved (the statement before an N+1, the write that is read back).
    pub related: Vec<String>,
    /// One unit as a time line.
    pub example: Vec<TimelineRow>,
}

/// One statement of an example unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TimelineRow {
    /// When it ended, as logged.
    pub time: Option<Timestamp>,
    /// How long it took.
    pub duration_us: Option<Micros>,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Whether the finding is about this call.
    pub marked: bool,
    /// How many calls in a row this line stands for.
    pub times: u64,
}

/// What a finding costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Statements that need not have been sent.
    pub statements: u64,
    /// Their duration.
    pub duration_us: Micros,
}

/// What a change would bring, computed from the log alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecasts {
    /// Every change at once.
    #[serde(default)]
    pub combined: Forecast,
    /// A shared cache before the database.
    pub cache: Forecast,
    /// A shared cache that writes refresh, row by row.
    #[serde(default)]
    pub write_through: Forecast,
    /// A cache that lives as long as a request.
    pub request_cache: Forecast,
    /// Reads to a replica.
    pub replica: Forecast,
    /// Single-row INSERTs joined.
    pub batching: Forecast,
    /// N+1 runs joined.
    pub prefetch: Forecast,
    /// Commits that share a flush.
    pub group_commit: Forecast,
}

/// One model's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// One line: what was assumed.
    pub assumptions: String,
    /// Before the change.
    pub before: Load,
    /// After it.
    pub after: Load,
    /// Further numbers by name (commits, flushes, hits, keys).
    pub numbers: BTreeMap<String, u64>,
    /// Curves over the model's parameters; none where it has none.
    pub curves: Vec<Curve>,
    /// Per fingerprint, most calls saved first; none where it is not about statements (`group_commit`).
    pub statements: Vec<ForecastRow>,
}

/// A curve of a forecast.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// What it shows, as `hit ratio by TTL`.
    pub name: String,
    /// Unit of the parameter, as `seconds`, `keys`.
    pub x_unit: String,
    /// Unit of the answer, as `permille`, `calls`.
    pub y_unit: String,
    /// Parameter (`null` is without limit) and answer.
    pub points: Vec<(Option<u64>, u64)>,
}

/// What a change brings for one fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ForecastRow {
    /// The fingerprint.
    pub fingerprint: String,
    /// Before.
    pub before: Load,
    /// After.
    pub after: Load,
}
