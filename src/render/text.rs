//! What matters, on one screen of a terminal (80 columns, 40 lines): headline numbers, how far to trust them, the
//! five things to fix first, where the time goes, repeated SELECTs, hot INSERTs, errors.
//!
//! No line begins with text from the log, so that a log read in a CI job cannot give it commands (`::error`, `##[`);
//! escapes in it are shown, never sent.

use std::io;

use anstyle::{AnsiColor, Style as Tone};
use unicode_width::UnicodeWidthChar;

use super::Style;
use super::fix::fixes;
use super::index::Index;
use super::judged;
use super::shown::one_line;
use super::sql::text_line;
use crate::report::{Cost, Input, Report};
use crate::words::{
    between, bytes, count, counted, duration, duration_or_dash, instant, percent, ratio_or_dash, span,
};

/// Rows of the table of statements.
const STATEMENTS: usize = 5;

/// Rows of the smaller tables.
const FEW: usize = 3;

/// The narrowest screen that is written for; anything less is wrapped by the terminal.
const NARROW: usize = 40;

/// Writes the summary.
pub(super) fn render(report: &Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let index = Index::new(report);
    let mut screen = Screen { out: String::new(), width: style.width.max(NARROW), color: style.color };
    head(&mut screen, report);
    to_fix(&mut screen, &index);
    left_out(&mut screen, report);
    most_time(&mut screen, report);
    redundant(&mut screen, &index);
    inserts(&mut screen, report);
    errors(&mut screen, report);
    out.write_all(screen.out.as_bytes())
}

const PLAIN: Tone = Tone::new();
const BOLD: Tone = Tone::new().bold();
const DIM: Tone = Tone::new().dimmed();
const COST: Tone = AnsiColor::Red.on_default().bold();
const GAIN: Tone = AnsiColor::Green.on_default();
const WARN: Tone = AnsiColor::Yellow.on_default();

/// Lines that are never wider than the terminal.
struct Screen {
    out: String,
    width: usize,
    color: bool,
}

impl Screen {
    /// One line of spans; what does not fit is cut with an ellipsis.
    fn line(&mut self, spans: &[(Tone, &str)]) {
        let mut left = self.width;
        let mut plain = String::new();
        let mut line = String::new();
        for (tone, text) in spans {
            let text = cut(text, left);
            left -= columns(&text);
            plain.push_str(&text);
            match self.color && *tone != PLAIN && !text.is_empty() {
                true => line.push_str(&format!("{tone}{text}{tone:#}")),
                false => line.push_str(&text),
            }
        }
        // Runners look for `::` after white space and for `##[` anywhere; a sign before or inside takes their meaning.
        if plain.trim_start().starts_with("::") {
            self.out.push('·');
        }
        let line = line.replace("##[", "## [");
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A heading with the titles of columns that stand right of it.
    fn heading(&mut self, title: &str, columns: &str) {
        self.line(&[(BOLD, title), (DIM, columns)]);
    }
}

/// Columns that a text takes.
fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text in at most `width` columns, ended by an ellipsis where something is missing.
fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = used + c.width().unwrap_or(0);
        if next + 1 > width {
            break;
        }
        out.push(c);
        used = next;
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// The text in lines of `width` columns, at most `limit` of them; the last one is cut where more would follow.
fn wrapped(text: &str, width: usize, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > limit {
        let rest = lines.split_off(limit.saturating_sub(1)).join(" ");
        lines.push(cut(&rest, width));
    }
    lines
}

/// A text in exactly so many columns, at the left.
fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let pad = width - columns(&text);
    text + &" ".repeat(pad)
}

/// A text in at least so many columns, at the right.
fn right(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(columns(text))) + text
}

fn head(screen: &mut Screen, report: &Report) {
    let (input, totals) = (&report.input, &report.totals);
    let name = match input.files.as_slice() {
        [] => "a PostgreSQL log".to_owned(),
        [file] if file.name == "-" => "standard input".to_owned(),
        [file] => one_line(&file.name),
        files => counted(files.len() as u64, "log file"),
    };
    let when = match (input.first, input.last) {
        (Some(first), Some(last)) => {
            format!("{} UTC ({})", span(first, last), duration(between(first, last)))
        }
        _ => "no times".to_owned(),
    };
    screen.line(&[(BOLD, "pglens "), (PLAIN, &name), (DIM, "  "), (DIM, &when)]);
    screen.line(&[
        (BOLD, &count(totals.statements)),
        (PLAIN, " statements  "),
        (BOLD, &duration(totals.duration_us)),
        (PLAIN, " in the database  "),
        (BOLD, &count(totals.fingerprints)),
        (PLAIN, " fingerprints  "),
        (BOLD, &count(totals.errors)),
        (PLAIN, if totals.errors == 1 { " error" } else { " errors" }),
    ]);
    let mut parts: Vec<String> = Vec::new();
    if let Some(peak) = totals.peak {
        parts.push(format!("peak {}/s at {}", count(peak.calls), instant(peak.at)));
    }
    for kind in ["select", "insert", "update", "delete"] {
        if let Some(load) = totals.by_kind.get(kind).filter(|load| load.calls > 0) {
            parts.push(format!("{kind} {}", percent(load.calls, totals.statements)));
        }
    }
    screen.line(&[(DIM, &parts.join(" · "))]);
    trust(screen, input);
    screen.blank();
}

/// How far the numbers go: always one line, more where something is wrong.
fn trust(screen: &mut Screen, input: &Input) {
    let skipped = input.skipped.iter().fold(0_u64, |sum, s| sum.saturating_add(s.bytes));
    let line = format!(
        "read {}, {}, {} understood",
        bytes(input.bytes),
        counted(input.entries, "entry"),
        percent(input.bytes.saturating_sub(skipped), input.bytes)
    );
    // A hundredth of the bytes is more than a rotated file's cut edges.
    let serious = skipped.saturating_mul(100) > input.bytes;
    let tone = if serious { WARN } else { DIM };
    let reasons: Vec<String> = input
        .skipped
        .iter()
        .map(|s| format!("{} {}", count(s.count), one_line(&s.reason.replace('_', " "))))
        .collect();
    match reasons.is_empty() {
        true => screen.line(&[(tone, &line)]),
        false => screen.line(&[(tone, &line), (tone, "; skipped: "), (tone, &reasons.join(", "))]),
    }
    for s in input.skipped.iter().take(if serious { 5 } else { 0 }) {
        let place = match s.first.line {
            Some(line) => format!("line {line}"),
            None => format!("byte {}", s.first.byte),
        };
        let reason = one_line(&s.reason.replace('_', " "));
        let text = format!(
            "  skipped {} ({}): {reason}, first at {place} of {}",
            counted(s.count, "time"),
            bytes(s.bytes),
            one_line(&s.first.file)
        );
        screen.line(&[(tone, &text)]);
    }
    if input.sampled {
        screen.line(&[(WARN, "  the log holds a sample of the statements: counts are those of the sample")]);
    }
    for file in input.files.iter().filter(|f| f.error.is_some()).take(3) {
        let error = one_line(file.error.as_deref().unwrap_or(""));
        screen.line(&[
            (WARN, "  "),
            (WARN, &format!("not read to the end: {}: {error}", one_line(&file.name))),
        ]);
    }
    for note in input.notes.iter().take(1) {
        screen.line(&[(DIM, "  note: "), (DIM, &one_line(&note.text))]);
    }
}

fn to_fix(screen: &mut Screen, index: &Index<'_>) {
    let totals = &index.report.totals;
    let found = fixes(index, 5);
    if found.is_empty() {
        screen.line(&[(BOLD, "Nothing stands out to be fixed first.")]);
        screen.blank();
        return;
    }
    let width = screen.width;
    // On 80 columns the titles need the room of the per cents.
    let shares = width >= 96;
    match shares {
        true => {
            screen.heading(&left("What to fix first", width.saturating_sub(33)), "statements           time")
        }
        false => screen.heading(&left("What to fix first", width.saturating_sub(18)), "statements    time"),
    }
    for (i, fix) in found.iter().enumerate() {
        let Cost { statements, duration_us } = fix.cost;
        let known = |number: u64, text: String| if number > 0 { text } else { "–".to_owned() };
        let numbers = [known(statements, count(statements)), known(duration_us.0, duration(duration_us))];
        let [calls, time] = [right(&numbers[0], 9), right(&numbers[1], 7)];
        let share = |part, whole| right(&if part > 0 { percent(part, whole) } else { String::new() }, 7);
        let cost = match shares {
            true => format!(
                "{calls} {} {time} {}",
                share(statements, totals.statements),
                share(duration_us.0, totals.duration_us.0),
            ),
            false => format!("{calls} {time}"),
        };
        let title = format!("{}: {}", one_line(&fix.label), one_line(&fix.title));
        let title = left(&title, width.saturating_sub(4 + columns(&cost)));
        screen.line(&[
            (COST, &right(&(i + 1).to_string(), 2)),
            (PLAIN, " "),
            (BOLD, &title),
            (PLAIN, " "),
            (COST, &cost),
        ]);
        for (n, line) in wrapped(&one_line(&fix.advice), width - 5, 2).iter().enumerate() {
            screen.line(&[(GAIN, if n == 0 { "   → " } else { "     " }), (PLAIN, line)]);
        }
    }
    screen.blank();
}

fn left_out(screen: &mut Screen, report: &Report) {
    if let Some(words) = judged::left_out(&report.judged) {
        screen.line(&[(DIM, &words)]);
        screen.blank();
    }
}

fn most_time(screen: &mut Screen, report: &Report) {
    if report.statements.is_empty() {
        return;
    }
    screen.heading("     total   share       calls     mean      p95", "  most time");
    for s in report.statements.iter().take(STATEMENTS) {
        let numbers = format!(
            "{} {} {} {} {}  ",
            right(&duration(s.duration_us), 10),
            right(&percent(s.duration_us.0, report.totals.duration_us.0), 7),
            right(&count(s.calls), 11),
            right(&duration_or_dash(s.mean_us), 8),
            right(&duration_or_dash(s.p95_us), 8),
        );
        screen.line(&[
            (PLAIN, &numbers),
            (PLAIN, &text_line(&s.sql, screen.width.saturating_sub(50), screen.width)),
        ]);
    }
    screen.blank();
}

fn redundant(screen: &mut Screen, index: &Index<'_>) {
    let report = index.report;
    if report.redundant_selects.is_empty() {
        let known = report.statements.iter().any(|s| s.distinct_params.is_some());
        screen.line(&[(
            DIM,
            match known {
                true => "No SELECT asked the same question twice.",
                false => "Redundant SELECTs: this log does not have the parameters of its statements.",
            },
        )]);
        screen.blank();
        return;
    }
    screen.heading("   repeats      of calls    distinct     time", "  redundant SELECTs");
    for r in report.redundant_selects.iter().take(FEW) {
        let about = if r.distinct_params.exact { "" } else { "~" };
        let numbers = format!(
            "{} {} {} {}  ",
            right(&format!("{about}{}", count(r.repeats)), 10),
            right(&count(r.calls), 13),
            right(&format!("{about}{}", count(r.distinct_params.count)), 11),
            right(&duration(r.repeats_us), 8),
        );
        screen.line(&[
            (PLAIN, &numbers),
            (PLAIN, &text_line(index.sql(&r.fingerprint), screen.width.saturating_sub(47), screen.width)),
        ]);
    }
    screen.blank();
}

fn inserts(screen: &mut Screen, report: &Report) {
    if report.hot_inserts.is_empty() {
        return;
    }
    screen.heading("     calls rows/statement    peak/s     time", "   hot INSERTs");
    for h in report.hot_inserts.iter().take(FEW) {
        let numbers = format!(
            "{} {} {} {}   ",
            right(&count(h.calls), 10),
            right(&ratio_or_dash(h.rows, h.calls), 14),
            right(&h.peak.map_or_else(|| "–".to_owned(), |peak| count(peak.calls)), 9),
            right(&duration(h.duration_us), 8),
        );
        screen.line(&[(PLAIN, &numbers), (PLAIN, &one_line(h.table.as_deref().unwrap_or("–")))]);
    }
    screen.blank();
}

fn errors(screen: &mut Screen, report: &Report) {
    if report.errors.is_empty() {
        screen.line(&[(DIM, "No errors.")]);
        return;
    }
    screen.heading("     times  state", "  errors");
    for e in report.errors.iter().take(FEW) {
        let numbers = format!(
            "{}  {}  ",
            right(&count(e.count), 10),
            left(&one_line(e.sqlstate.as_deref().unwrap_or("–")), 5)
        );
        screen.line(&[
            (PLAIN, &numbers),
            (PLAIN, &one_line(&e.severity)),
            (PLAIN, ": "),
            (PLAIN, &one_line(&e.message)),
        ]);
    }
    let missing = report.totals.distinct_errors.saturating_sub(FEW as u64);
    if missing > 0 {
        screen.line(&[(DIM, &format!("{} more", right(&count(missing), 10)))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_count_columns_not_characters() {
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("abc", 2), "a…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(wrapped("one two three four five", 9, 2), ["one two", "three fo…"]);
        assert_eq!(left("日", 4), "日  ");
        assert_eq!(right("12", 4), "  12");
    }
}
