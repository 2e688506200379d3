//! Counts what PostgreSQL's stderr logs say was executed. Small on purpose and independent of pglens: the
//! application's own count is compared with this, and pglens' report with both.

use std::collections::BTreeMap;
use std::path::Path;
use survey_app::run::Report;

/// Executions by server, view and kind.
pub(crate) type Counts = BTreeMap<(String, String, String), u64>;

/// What the logs of a run contain.
pub(crate) fn of_logs(dir: &Path) -> Counts {
    let mut counts = Counts::new();
    for server in ["primary", "replica"] {
        let text = std::fs::read_to_string(dir.join(format!("{server}.log"))).unwrap();
        for line in text.lines() {
            if let Some((view, kind, _)) = execution(line) {
                *counts.entry((server.to_string(), view, kind)).or_default() += 1;
            }
        }
    }
    counts
}

/// What a stack's logs contain after `from`, of the hot views.
pub(crate) fn since(stack: &survey_app::stack::Stack, from: &Marks) -> Counts {
    let mut counts = Counts::new();
    for (server, at) in from {
        let text = std::fs::read_to_string(stack.logs.join(format!("{server}.log"))).unwrap();
        for (view, kind, _) in
            text[*at..].lines().filter_map(execution).filter(|e| e.0.starts_with("survey_"))
        {
            *counts.entry((server.to_string(), view, kind)).or_default() += 1;
        }
    }
    counts
}

/// How long the logs are now.
pub(crate) type Marks = Vec<(&'static str, usize)>;

/// How long the logs are now. PostgreSQL writes a statement's line before it answers.
pub(crate) fn marks(stack: &survey_app::stack::Stack) -> Marks {
    let length =
        |server: &str| std::fs::metadata(stack.logs.join(format!("{server}.log"))).unwrap().len() as usize;
    ["primary", "replica"].map(|server| (server, length(server))).to_vec()
}

/// What an application says that its hot views sent.
pub(crate) fn of_app(app: &survey_app::app::App) -> Counts {
    let mut counts = Counts::new();
    for line in app.counters.lines().iter().filter(|l| l.key.view.starts_with("survey_")) {
        let key =
            (line.key.server.name().to_string(), line.key.view.clone(), line.key.kind.name().to_string());
        *counts.entry(key).or_default() += line.calls - line.failed;
    }
    counts
}

/// What the application says it sent.
pub(crate) fn of_report(report: &Report) -> Counts {
    let mut counts = Counts::new();
    for line in &report.statements {
        let key =
            (line.key.server.name().to_string(), line.key.view.clone(), line.key.kind.name().to_string());
        *counts.entry(key).or_default() += line.calls - line.failed;
    }
    counts
}

/// View, kind and traceparent of a line that says that a statement was executed; `None` for every other
/// line, parse and bind included.
pub(crate) fn execution(line: &str) -> Option<(String, String, String)> {
    let (_, after) = line.split_once(" LOG:  duration: ")?;
    let (_, what) = after.split_once(" ms  ")?;
    let sql = match what.strip_prefix("statement: ") {
        Some(sql) => sql,
        None => what.strip_prefix("execute ")?.split_once(": ")?.1,
    };
    let tag = |name: &str| -> String {
        let start = format!("{name}='");
        let value = sql.split_once(&start).and_then(|(_, rest)| rest.split_once('\''));
        value.map(|(v, _)| v.replace("%3A", ":")).unwrap_or_default()
    };
    let kind = survey_app::db::Kind::of(sql).name().to_string();
    Some((tag("controller"), kind, tag("traceparent")))
}
