//! The truth about a run, counted without pglens: what its jsonlog says, record by record.
//!
//! One plain pass over decoded JSON, no chunks, no hashes, no threads. The only knowledge in it is how
//! PostgreSQL words its messages (`check_log_duration` and its callers in `tcop/postgres.c`). The jsonlog says in
//! `ps` what a bare `duration:` line belongs to, so pairing needs no guess.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use postgres::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Counts of one run. Names follow the report's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Log records.
    pub entries: u64,
    /// Executed statements, each once: every `statement:` and `execute …:` record, paired with its duration.
    pub statements: u64,
    /// Those of them that have a duration.
    pub timed: u64,
    /// Sum of their durations.
    pub duration_us: u64,
    /// Sum of the durations of parse records.
    pub parse_us: u64,
    /// Sum of the durations of bind records.
    pub bind_us: u64,
    /// `duration:` records without any text.
    pub bare_durations: u64,
    /// Those of them that belong to no statement record: parse, bind, or a statement that was not logged.
    pub unidentified: u64,
    /// Records of severity ERROR, FATAL and PANIC.
    pub errors: u64,
    /// The same by SQLSTATE.
    pub by_sqlstate: BTreeMap<String, u64>,
    /// Statements by role.
    pub users: BTreeMap<String, u64>,
    /// Statements by database.
    pub databases: BTreeMap<String, u64>,
    /// Statements and their durations by the server's query id, where it gave one.
    pub by_query_id: BTreeMap<i64, Load>,
    /// Plans that `auto_explain` logged.
    pub plans: u64,
    /// Temporary files.
    pub temp_files: u64,
    /// Their bytes.
    pub temp_bytes: u64,
    /// "still waiting for" records.
    pub lock_waiting: u64,
    /// "acquired" records.
    pub lock_acquired: u64,
    /// Deadlocks.
    pub deadlocks: u64,
    /// "connection received" records.
    pub connections_received: u64,
    /// "connection authorized" records.
    pub connections_authorized: u64,
    /// "disconnection" records.
    pub disconnections: u64,
    /// "checkpoint starting" records.
    pub checkpoints_started: u64,
    /// "checkpoint complete" records.
    pub checkpoints_completed: u64,
    /// Automatic vacuums.
    pub vacuums: u64,
    /// Automatic analyses.
    pub analyzes: u64,
}

/// Calls and their time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Calls.
    pub calls: u64,
    /// Their duration.
    pub duration_us: u64,
}

/// What we read of a jsonlog record.
#[derive(Deserialize)]
struct Record {
    error_severity: String,
    session_id: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    ps: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    dbname: String,
    state_code: Option<String>,
    #[serde(default)]
    query_id: i64,
}

impl Truth {
    /// Counts a complete jsonlog.
    ///
    /// # Errors
    /// The file cannot be read, or a line is no JSON record.
    pub fn of_jsonlog(path: &Path) -> Result<Self> {
        let log = fs::read(path).with_context(|| format!("{}", path.display()))?;
        let mut truth = Self::default();
        // Sessions whose statement was logged and whose duration has not come yet (log_statement with log_duration).
        let mut awaiting = HashMap::new();
        for line in String::from_utf8_lossy(&log).lines() {
            let record: Record = serde_json::from_str(line).with_context(|| line.to_owned())?;
            truth.count(&record, &mut awaiting);
        }
        Ok(truth)
    }

    /// The truth in the report's words: what a JSON pointer into the report must find. An object stands for a
    /// list of named rows and their calls.
    #[must_use]
    pub fn as_report(&self) -> Map<String, Value> {
        let mut report = Map::new();
        let mut expect = |pointer: &str, value: Value| drop(report.insert(pointer.to_owned(), value));
        expect("/input/entries", self.entries.into());
        expect("/input/skipped", json!([]));
        expect("/totals/statements", self.statements.into());
        expect("/totals/timed", self.timed.into());
        expect("/totals/duration_us", self.duration_us.into());
        if self.bare_durations == 0 {
            // A bare duration does not say in stderr whether it was a parse, a bind or an execution.
            expect("/totals/parse_us", self.parse_us.into());
            expect("/totals/bind_us", self.bind_us.into());
        }
        expect("/totals/unidentified/calls", self.unidentified.into());
        expect("/totals/errors", self.errors.into());
        expect("/totals/users", json!(self.users));
        expect("/totals/databases", json!(self.databases));
        expect("/temp_files/count", self.temp_files.into());
        expect("/temp_files/bytes", self.temp_bytes.into());
        expect("/locks/waiting", self.lock_waiting.into());
        expect("/locks/acquired", self.lock_acquired.into());
        expect("/locks/deadlocks", self.deadlocks.into());
        expect("/connections/received", self.connections_received.into());
        expect("/connections/authorized", self.connections_authorized.into());
        expect("/connections/disconnections", self.disconnections.into());
        expect("/checkpoints/started", self.checkpoints_started.into());
        expect("/checkpoints/completed", self.checkpoints_completed.into());
        expect("/autovacuum/vacuums", self.vacuums.into());
        expect("/autovacuum/analyzes", self.analyzes.into());
        report
    }

    fn count(&mut self, record: &Record, awaiting: &mut HashMap<String, i64>) {
        self.entries += 1;
        if matches!(record.error_severity.as_str(), "ERROR" | "FATAL" | "PANIC") {
            self.errors += 1;
            let state = record.state_code.clone().unwrap_or_default();
            self.deadlocks += u64::from(state == "40P01");
            *self.by_sqlstate.entry(state).or_default() += 1;
            awaiting.remove(&record.session_id);
        }
        if record.error_severity != "LOG" {
            return;
        }
        let message = record.message.as_str();
        if let Some((duration, what)) = split_duration(message) {
            if what.is_empty() {
                self.bare_durations += 1;
                let of_execution = !matches!(record.ps.as_str(), "PARSE" | "BIND");
                match of_execution.then(|| awaiting.remove(&record.session_id)).flatten() {
                    Some(query_id) => self.time(query_id, duration),
                    None => self.unidentified += 1,
                }
            } else if is_statement(what) {
                self.call(record);
                self.time(record.query_id, duration);
            } else if what.starts_with("execute fetch from ") {
                self.more_time(record.query_id, duration);
            } else if what.starts_with("parse ") {
                self.parse_us += duration;
            } else if what.starts_with("bind ") {
                self.bind_us += duration;
            } else if what.starts_with("plan:") {
                self.plans += 1;
            }
        } else if is_statement(message) {
            self.call(record);
            awaiting.insert(record.session_id.clone(), record.query_id);
        } else {
            self.count_event(message);
        }
    }

    fn call(&mut self, record: &Record) {
        self.statements += 1;
        *self.users.entry(record.user.clone()).or_default() += 1;
        *self.databases.entry(record.dbname.clone()).or_default() += 1;
        if record.query_id != 0 {
            self.by_query_id.entry(record.query_id).or_default().calls += 1;
        }
    }

    fn time(&mut self, query_id: i64, duration: u64) {
        self.timed += 1;
        self.more_time(query_id, duration);
    }

    fn more_time(&mut self, query_id: i64, duration: u64) {
        self.duration_us += duration;
        if let Some(load) = self.by_query_id.get_mut(&query_id) {
            load.duration_us += duration;
        }
    }

    fn count_event(&mut self, message: &str) {
        if let Some(rest) = message.strip_prefix("temporary file: ") {
            self.temp_files += 1;
            self.temp_bytes += rest.rsplit(' ').next().and_then(|size| size.parse().ok()).unwrap_or(0);
        } else if message.starts_with("process ") && message.contains(" still waiting for ") {
            self.lock_waiting += 1;
        } else if message.starts_with("process ") && message.contains(" acquired ") {
            self.lock_acquired += 1;
        } else if message.starts_with("connection received: ") {
            self.connections_received += 1;
        } else if message.starts_with("connection authorized: ") {
            self.connections_authorized += 1;
        } else if message.starts_with("disconnection: ") {
            self.disconnections += 1;
        } else if message.starts_with("checkpoint starting: ") {
            self.checkpoints_started += 1;
        } else if message.starts_with("checkpoint complete: ") {
            self.checkpoints_completed += 1;
        } else if message.starts_with("automatic analyze of table ") {
            self.analyzes += 1;
        } else if message.starts_with("automatic ") && message.contains("vacuum ") {
            self.vacuums += 1;
        }
    }
}

/// `duration: 1.234 ms` and what follows it, the duration in microseconds.
fn split_duration(message: &str) -> Option<(u64, &str)> {
    let (number, rest) = message.strip_prefix("duration: ")?.split_once(" ms")?;
    let (whole, thousandths) = number.split_once('.')?;
    Some((whole.parse::<u64>().ok()? * 1000 + thousandths.parse::<u64>().ok()?, rest.trim_start()))
}

/// Whether a statement begins to be executed. Fetching more rows of a portal is no further execution:
/// `pg_stat_statements` counts one call, too.
fn is_statement(text: &str) -> bool {
    // "statement:" may be followed by nothing when the SQL is empty.
    text.starts_with("statement:") || text.starts_with("execute ") && !text.starts_with("execute fetch from ")
}

/// Calls by query id as `pg_stat_statements` counts them, over all databases and roles.
///
/// # Errors
/// Whatever the server answers.
pub fn calls_by_query_id(client: &mut Client) -> Result<BTreeMap<i64, u64>> {
    let rows = client
        .query("select queryid, sum(calls)::bigint from pg_stat_statements where toplevel group by 1", &[])?;
    Ok(rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1).unsigned_abs())).collect())
}

/// What a report says otherwise than expected, one line each; nothing when they agree.
///
/// Expectations are JSON pointers and values. An expected object meeting an actual list means rows by their
/// `name` (or `sql`) and the calls of each, in any order and none besides.
#[must_use]
pub fn differences(expected: &Map<String, Value>, report: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (pointer, expected) in expected {
        let actual = match (expected, report.pointer(pointer)) {
            (Value::Object(_), Some(Value::Array(rows))) => calls_by_name(rows),
            (_, actual) => actual.cloned().unwrap_or(Value::Null),
        };
        if actual != *expected {
            found.push(format!("{pointer}: expected {expected}, found {actual}"));
        }
    }
    found
}

fn calls_by_name(rows: &[Value]) -> Value {
    let name = |row: &Value| {
        let name = row.get("name").or(row.get("sql")).and_then(Value::as_str);
        name.unwrap_or_default().to_owned()
    };
    let calls = |row: &Value| row.get("calls").cloned().unwrap_or(Value::Null);
    rows.iter().map(|row| (name(row), calls(row))).filter(|(_, calls)| *calls != json!(0)).collect()
}

/// Whether two reports of one run tell the same statements: fingerprint, calls, errors and durations of each.
#[must_use]
pub fn statements_of(report: &Value) -> BTreeMap<String, [Value; 4]> {
    let rows = report.get("statements").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    rows.iter()
        .map(|row| {
            let value = |name: &str| row.get(name).cloned().unwrap_or(Value::Null);
            let fingerprint = row.get("fingerprint").and_then(Value::as_str).unwrap_or_default();
            (fingerprint.to_owned(), ["sql", "calls", "timed", "duration_us"].map(value))
        })
        .collect()
}
