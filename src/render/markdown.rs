//! The summary for a pull request or a job page: what to fix, where the time goes, repeats, inserts, errors, trust;
//! within a budget of bytes, because a comment that is too long is not posted at all.
//!
//! Text from the log stands only in code spans, where Markdown knows no links, images, mentions or markup; [`code`]
//! is the one door, and it cannot be left early.

use std::fmt::Write as _;
use std::io;

use super::Style;
use super::fix::fixes;
use super::index::Index;
use super::judged;
use super::shown::{one_line, shortened};
use super::sql::text_line;
use super::totals;
use crate::report::Report;
use crate::words::{bytes, count, counted, duration, duration_or_dash, percent, ratio_or_dash};

/// Characters of a statement in a cell.
const SQL: usize = 160;

/// Writes the summary.
pub(super) fn render(report: &Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let index = Index::new(report);
    let rows = style.top.min(10);
    let sections = [
        head(report),
        to_fix(&index),
        judged::left_out(&report.judged).map_or_else(String::new, |text| format!("\n{}.\n", words(&text))),
        redundant(&index, rows),
        inserts(&index, rows),
        most_time(report, rows),
        errors(report, rows),
        trust(report),
    ];
    let mut page = String::new();
    let mut left_out = false;
    // What is dropped is said, so the words for it are kept in reserve.
    let budget = style.markdown_bytes.saturating_sub(200);
    for section in sections {
        match page.len() + section.len() <= budget {
            true => page.push_str(&section),
            false => left_out = true,
        }
    }
    if left_out {
        let _ = writeln!(
            page,
            "\n_Shortened to {}: the HTML and JSON reports have all of it._",
            bytes(style.markdown_bytes as u64)
        );
    }
    out.write_all(page.as_bytes())
}

/// A text from the log as a code span on one line, fit for a table's cell as well.
fn code(text: &str, limit: usize) -> String {
    let mut text = shortened(&one_line(text), limit).into_owned();
    if text.is_empty() {
        return "–".to_owned();
    }
    // Runners look for `##[` anywhere in what a job prints.
    text = text.replace("##[", "## [");
    // A pipe ends a cell even inside a code span unless a backslash stands before it; a backslash of the text there
    // would make that one mean itself.
    while text.contains("\\|") {
        text = text.replace("\\|", "\\ |");
    }
    text = text.replace('|', "\\|");
    // The fence is longer than any run of backticks inside.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    match text.starts_with('`') || text.ends_with('`') {
        true => format!("{fence} {text} {fence}"),
        false => format!("{fence}{text}{fence}"),
    }
}

fn sql(text: &str) -> String {
    code(&text_line(text, SQL * 2 / 3, SQL), SQL)
}

/// Sentences of ours may hold names from the log: nothing in them is markup.
fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = shortened(&one_line(text), 400).into_owned();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A mention, a reference and an autolink each need their sign to stand alone.
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            ':' if chars.peek().is_some_and(|next| !next.is_whitespace()) => out.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '|' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    // `www.` becomes a link by itself on GitHub.
    out.replace("www.", "www&#46;")
}

fn head(report: &Report) -> String {
    let (input, numbers) = (&report.input, &report.totals);
    let name = match input.files.as_slice() {
        [] => "a PostgreSQL log".to_owned(),
        [file] => code(&file.name, 120),
        files => counted(files.len() as u64, "log file"),
    };
    let when = totals::when(input).map_or_else(String::new, |when| format!(", {when}"));
    let mut out = format!("## pglens: {name}{when}\n\n");
    let _ = writeln!(
        out,
        "{} · **{}** in the database{} · {} · {}",
        bold(numbers.statements, "statement"),
        totals::in_the_database(report),
        totals::planning(report)
            .map_or_else(String::new, |us| format!(" + **{}** parse and bind", duration(us))),
        bold(numbers.fingerprints, "fingerprint"),
        bold(numbers.errors, "error"),
    );
    let server = totals::server(report);
    if !server.is_empty() {
        let _ = writeln!(out, "\n{}", server.join(" · "));
    }
    out
}

/// A count with its noun, the number in bold.
fn bold(n: u64, noun: &str) -> String {
    let text = counted(n, noun);
    let (number, noun) = text.split_once(' ').unwrap_or((&text, ""));
    format!("**{number}** {noun}")
}

fn to_fix(index: &Index<'_>) -> String {
    let found = fixes(index, 5);
    if found.is_empty() {
        return format!("\n{}\n", words(&totals::nothing(index.report)));
    }
    let mut out = String::from(
        "\n### What to fix first\n\n| | What | Statements | Time | Do | Brings |\n|--:|---|--:|--:|---|---|\n",
    );
    for (i, fix) in found.iter().enumerate() {
        let _ = writeln!(
            out,
            "| {} | **{}**: {}<br>{} | {} ({}) | {} ({}) | {} | {} |",
            i + 1,
            words(&fix.label),
            match fix.route.is_empty() {
                true => words(&fix.title),
                false => format!("{} ({})", words(&fix.title), code(&fix.route, 80)),
            },
            match fix.others.len() {
                0 => sql(index.sql(&fix.fingerprint)),
                n => format!(
                    "{} and {}",
                    sql(index.sql(&fix.fingerprint)),
                    counted(n as u64, "more statement")
                ),
            },
            count(fix.cost.statements),
            percent(fix.cost.statements, index.report.totals.statements),
            duration(fix.cost.duration_us),
            percent(fix.cost.duration_us.0, fix.cost_of.whole(index.report).0),
            words(&fix.advice),
            words(&fix.gain),
        );
    }
    out
}

fn redundant(index: &Index<'_>, rows: usize) -> String {
    let list = &index.report.redundant_selects;
    if list.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "\n### Repeats over the whole log\n\nThe same SELECT with the same parameters, whatever was written in \
         between: what a cache could answer at most.\n\n| Repeats | of calls | Distinct parameter sets | Time on repeats | Statement |\n|--:|--:|--:|--:|---|\n",
    );
    for r in list.iter().take(rows) {
        let about = if r.distinct_params.exact { "" } else { "≈ " };
        let _ = writeln!(
            out,
            "| {about}{} | {} | {about}{} | {} | {} |",
            count(r.repeats),
            count(r.calls),
            count(r.distinct_params.count),
            duration(r.repeats_us),
            sql(index.sql(&r.fingerprint)),
        );
    }
    out.push_str(&more(list.len(), rows));
    out
}

fn inserts(index: &Index<'_>, rows: usize) -> String {
    let list = &index.report.hot_inserts;
    if list.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "\n### Hot INSERTs\n\n| Calls | Rows a statement | Peak a second | Time | Table |\n|--:|--:|--:|--:|---|\n",
    );
    for h in list.iter().take(rows) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            count(h.calls),
            ratio_or_dash(h.rows, h.calls),
            h.peak.map_or_else(|| "–".to_owned(), |peak| count(peak.calls)),
            duration(h.duration_us),
            code(h.table.as_deref().unwrap_or(""), 80),
        );
    }
    out.push_str(&more(list.len(), rows));
    out
}

fn most_time(report: &Report, rows: usize) -> String {
    if report.statements.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "\n### Most time\n\n| Total | Share | Calls | Mean | p95 | Max | Statement |\n|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for s in report.statements.iter().take(rows) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            duration(s.duration_us),
            percent(s.duration_us.0, report.totals.duration_us.0),
            count(s.calls),
            duration_or_dash(totals::mean_of(s)),
            duration_or_dash(s.p95_us),
            duration_or_dash(s.max_us),
            sql(&s.sql),
        );
    }
    out.push_str(&more(report.statements.len(), rows));
    out
}

fn errors(report: &Report, rows: usize) -> String {
    if report.errors.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n### Errors\n\n| Times | SQLSTATE | Message |\n|--:|---|---|\n");
    for e in report.errors.iter().take(rows) {
        let _ = writeln!(
            out,
            "| {} | {} | {} {} |",
            count(e.count),
            code(e.sqlstate.as_deref().unwrap_or(""), 10),
            words(&e.severity),
            code(&e.message, 240)
        );
    }
    out.push_str(&more(report.errors.len(), rows));
    out
}

fn trust(report: &Report) -> String {
    let input = &report.input;
    let skipped = input.skipped.iter().fold(0_u64, |sum, s| sum.saturating_add(s.bytes));
    let mut out = format!(
        "\n### Trust\n\nRead {} in {}, {} understood.{}\n",
        bytes(input.bytes),
        counted(input.entries, "entry"),
        percent(input.bytes.saturating_sub(skipped), input.bytes),
        if input.sampled { " **The log holds a sample of the statements.**" } else { "" }
    );
    for s in input.skipped.iter().take(10) {
        let place = match s.first.line {
            Some(line) => format!("line {line}"),
            None => format!("byte {}", s.first.byte),
        };
        let _ = writeln!(
            out,
            "- skipped {} ({}): {}, first at {place} of {}",
            counted(s.count, "time"),
            bytes(s.bytes),
            words(&s.reason.replace('_', " ")),
            code(&s.first.file, 120)
        );
    }
    for file in input.files.iter().filter(|f| f.error.is_some()).take(10) {
        let error = code(file.error.as_deref().unwrap_or(""), 240);
        let _ = writeln!(out, "- not read to the end: {}: {error}", code(&file.name, 120));
    }
    for note in input.notes.iter().take(10) {
        let _ = writeln!(out, "- {}", words(&note.text));
    }
    out
}

fn more(all: usize, shown: usize) -> String {
    match all.checked_sub(shown) {
        None | Some(0) => String::new(),
        Some(rest) => format!("\n{} more in the JSON report.\n", count(rest as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_cannot_be_left() {
        assert_eq!(code("select 1", 80), "`select 1`");
        assert_eq!(code("a ` b", 80), "``a ` b``");
        assert_eq!(code("``x", 80), "``` ``x ```");
        assert_eq!(code("a || b \\| c", 80), "`a \\|\\| b \\ \\| c`");
        assert_eq!(code("x\n| y", 80), "`x \\| y`");
        assert_eq!(code("", 80), "–");
        assert_eq!(code("##[error]x", 80), "`## [error]x`");
    }

    #[test]
    fn sentences_hold_no_markup() {
        assert_eq!(
            words("a: <img> @x #1 [a](b) www.x x://y"),
            "a: &lt;img&gt; &#64;x &#35;1 \\[a\\]\\(b\\) www&#46;x x&#58;//y"
        );
    }
}
