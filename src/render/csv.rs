//! The statements as RFC 4180: one row a fingerprint, for a spreadsheet that trusts nothing.

use std::io::{self, Write as _};

use super::index::Index;
use super::shown::visible;
use crate::report::{Actor, Report, Statement};
use crate::units::Micros;

/// The first row.
const HEAD: [&str; 30] = [
    "fingerprint",
    "kind",
    "calls",
    "timed",
    "errors",
    "duration_us",
    "min_us",
    "mean_us",
    "p50_us",
    "p95_us",
    "p99_us",
    "max_us",
    "parse_us",
    "bind_us",
    "rows",
    "distinct_params",
    "distinct_params_exact",
    "repeats",
    "repeats_us",
    "locking",
    "truncated",
    "tables_read",
    "tables_written",
    "users",
    "databases",
    "applications",
    "hosts",
    "routes",
    "query_ids",
    "sql",
];

/// Writes the statements.
pub(super) fn render(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let index = Index::new(report);
    let mut out = io::BufWriter::new(out);
    row(&mut out, HEAD.iter().map(|name| (*name).to_owned()))?;
    for statement in &report.statements {
        row(&mut out, cells(&index, statement))?;
    }
    out.flush()
}

fn cells(index: &Index<'_>, statement: &Statement) -> impl Iterator<Item = String> {
    let s = statement;
    let repeated = index.redundant(&s.fingerprint);
    let numbers = [
        Some(s.calls),
        Some(s.timed),
        Some(s.errors),
        Some(s.duration_us.0),
        micros(s.min_us),
        micros(s.mean_us),
        micros(s.p50_us),
        micros(s.p95_us),
        micros(s.p99_us),
        micros(s.max_us),
        Some(s.parse_us.0),
        Some(s.bind_us.0),
        s.rows,
        s.distinct_params.map(|d| d.count),
    ];
    let flags = [s.locking, s.truncated].map(|flag| flag.to_string());
    let names = |actors: &[Actor]| cell(&list(actors.iter().map(|a| a.name.as_str())));
    [cell(&s.fingerprint), cell(&s.kind)]
        .into_iter()
        .chain(numbers.map(|n| n.map_or_else(String::new, |n| n.to_string())))
        .chain([s.distinct_params.map_or_else(String::new, |d| d.exact.to_string())])
        .chain(
            [repeated.map(|r| r.repeats), repeated.map(|r| r.repeats_us.0)]
                .map(|n| n.map_or_else(String::new, |n| n.to_string())),
        )
        .chain(flags)
        .chain([
            cell(&list(s.reads.iter().map(String::as_str))),
            cell(&list(s.writes.iter().map(String::as_str))),
            names(&s.users),
            names(&s.databases),
            names(&s.applications),
            names(&s.hosts),
            names(&s.routes),
            s.query_ids.iter().map(i64::to_string).collect::<Vec<_>>().join(" "),
            cell(&s.sql),
        ])
}

fn micros(us: Option<Micros>) -> Option<u64> {
    us.map(|us| us.0)
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join("; ")
}

/// A cell of text that no spreadsheet takes for a formula: one that begins like one gets an apostrophe before it
/// (CVE-2021-41270). Quoted where RFC 4180 asks for it.
fn cell(text: &str) -> String {
    let text = visible(text);
    // Full-width forms count too: some spreadsheets normalise them before they look.
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\n', '＝', '＋', '－', '＠']);
    let quoted = text.contains([',', '"', '\n', '\r', ';']);
    let apostrophe = if formula { "'" } else { "" };
    match quoted {
        true => format!("\"{apostrophe}{}\"", text.replace('"', "\"\"")),
        false => format!("{apostrophe}{text}"),
    }
}

fn row(out: &mut dyn io::Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    for (i, cell) in cells.enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        out.write_all(cell.as_bytes())?;
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        assert_eq!(cell("select 1"), "select 1");
        assert_eq!(cell("a,b \"c\""), "\"a,b \"\"c\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(cell("\tx"), "'\tx");
        assert_eq!(cell("\r=x"), "⟨U+000D⟩=x");
        assert_eq!(cell("-- a\nselect"), "\"'-- a\nselect\"");
    }
}
