//! What matters, on one screen of a terminal (80 columns, 40 lines): headline numbers, how far to trust them, the
//! five things to fix first, where the time goes, errors, repeated SELECTs, hot INSERTs, locks and temporary files.
//! Rows of the tables share the lines that are left.
//!
//! No line begins with text from the log, so that a log read in a CI job cannot give it commands (`::error`, `##[`);
//! escapes in it are shown, never sent.

use std::io;

use anstyle::{AnsiColor, Style as Tone};
use unicode_width::UnicodeWidthChar;

use super::Style;
use super::fix::{Fix, fixes};
use super::index::Index;
use super::judged;
use super::shown::one_line;
use super::sql::text_line;
use super::totals;
use crate::report::{Cost, Input, Report};
use crate::words::{bytes, count, counted, duration, duration_or_dash, instant, percent, ratio_or_dash};

/// Lines of a screen.
const LINES: usize = 40;

/// Rows of the table of statements at most.
const STATEMENTS: usize = 5;

/// Rows of the smaller tables at most.
const FEW: usize = 3;

/// The narrowest screen that is written for; anything less is wrapped by the terminal.
const NARROW: usize = 40;

/// From this width on tables have all their columns; below it statements need the room.
const ROOMY: usize = 80;

/// Writes the summary.
pub(super) fn render(report: &Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let index = Index::new(report);
    let mut screen = Screen { out: String::new(), width: style.width.max(NARROW), color: style.color };
    let tables = [
        Section::new(most_time, report.statements.len(), STATEMENTS),
        match report.errors.is_empty() {
            true => Section::line(errors, true),
            false => Section::new(errors, report.errors.len(), FEW),
        },
        Section::new(redundant, report.redundant_selects.len(), FEW),
        Section::new(inserts, report.hot_inserts.len(), FEW),
        Section::line(server, !totals::server(report).is_empty()),
    ];
    let needed: usize = tables.iter().map(Section::least).sum();
    head(&mut screen, report);
    let room = LINES.saturating_sub(screen.lines() + needed);
    to_fix(&mut screen, &index, room);
    left_out(&mut screen, report);
    let mut room = LINES.saturating_sub(screen.lines());
    for (table, rows) in tables.iter().zip(allotted(&tables, &mut room)) {
        if rows > 0 {
            screen.blank();
            (table.write)(&mut screen, &index, rows);
        }
    }
    out.write_all(screen.out.as_bytes())
}

/// A table below what is to be fixed first.
struct Section {
    write: fn(&mut Screen, &Index<'_>, usize),
    /// Rows that it could have.
    rows: usize,
    /// Lines above the first of them: an empty one, and its heading.
    above: usize,
}

impl Section {
    fn new(write: fn(&mut Screen, &Index<'_>, usize), rows: usize, most: usize) -> Self {
        Self { write, rows: rows.min(most), above: 2 }
    }

    /// A line that says all, without a heading.
    fn line(write: fn(&mut Screen, &Index<'_>, usize), is_there: bool) -> Self {
        Self { write, rows: usize::from(is_there), above: 1 }
    }

    /// Lines that it needs for one row.
    fn least(&self) -> usize {
        if self.rows > 0 { self.above + 1 } else { 0 }
    }
}

/// Rows for each table: one as long as there is room, and then in turn one more for each that has more.
fn allotted(tables: &[Section], room: &mut usize) -> Vec<usize> {
    let mut rows = vec![0; tables.len()];
    for round in 0..STATEMENTS {
        for (table, rows) in tables.iter().zip(&mut rows) {
            let lines = if round == 0 { table.least() } else { 1 };
            if *rows == round && table.rows > round && *room >= lines {
                *rows += 1;
                *room -= lines;
            }
        }
    }
    rows
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
            // What is put in between takes its column before the line is cut.
            let text = cut(&text.replace("##[", "## ["), left);
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

    /// Lines written so far.
    fn lines(&self) -> usize {
        self.out.matches('\n').count()
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

/// The end of a text in at most `width` columns, begun by an ellipsis where something is missing.
fn cut_in_front(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    let kept: Vec<char> = text.chars().rev().take_while(fits).collect();
    std::iter::once('…').chain(kept.into_iter().rev()).collect()
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
    let (input, numbers) = (&report.input, &report.totals);
    let name = match input.files.as_slice() {
        [] => "a PostgreSQL log".to_owned(),
        [file] if file.name == "-" => "standard input".to_owned(),
        [file] => one_line(&file.name),
        files => counted(files.len() as u64, "log file"),
    };
    let when = totals::when(input).unwrap_or_else(|| "no times".to_owned());
    // A long path gives way to the times.
    let room = screen.width.saturating_sub("pglens   ".len() + columns(&when)).max(20);
    screen.line(&[(BOLD, "pglens "), (PLAIN, &cut_in_front(&name, room)), (DIM, "  "), (DIM, &when)]);
    let noun =
        |n: u64, one: &str| format!(" {}", counted(n, one).split_once(' ').map_or("", |parts| parts.1));
    let planning = totals::planning(report);
    screen.line(&[
        (BOLD, &count(numbers.statements)),
        (PLAIN, &noun(numbers.statements, "statement")),
        (BOLD, &format!("  {}", totals::in_the_database(report))),
        (PLAIN, " in the database"),
        (WARN, &planning.map_or_else(String::new, |us| format!(" + {} parse and bind", duration(us)))),
        (BOLD, &format!("  {}", count(numbers.fingerprints))),
        (PLAIN, &noun(numbers.fingerprints, "fingerprint")),
        (BOLD, &format!("  {}", count(numbers.errors))),
        (PLAIN, &noun(numbers.errors, "error")),
    ]);
    let mut parts: Vec<String> = Vec::new();
    if let Some(peak) = numbers.peak {
        parts.push(format!("peak {}/s at {}", count(peak.calls), instant(peak.at)));
    }
    for kind in ["select", "insert", "update", "delete"] {
        if let Some(load) = numbers.by_kind.get(kind).filter(|load| load.calls > 0) {
            parts.push(format!("{kind} {}", percent(load.calls, numbers.statements)));
        }
    }
    if !parts.is_empty() {
        screen.line(&[(DIM, &parts.join(" · "))]);
    }
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

/// The things to fix, in about so many lines.
fn to_fix(screen: &mut Screen, index: &Index<'_>, room: usize) {
    let found = fixes(index, 5);
    if found.is_empty() {
        for line in wrapped(&totals::nothing(index.report), screen.width, 3) {
            screen.line(&[(BOLD, &line)]);
        }
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
    let advice: Vec<Vec<String>> =
        found.iter().map(|fix| wrapped(&one_line(&fix.advice), width - 5, 2)).collect();
    // Each has its title, its statement and its advice; a second line of advice only where all have the room.
    let all: usize = advice.iter().map(|lines| 2 + lines.len()).sum();
    let lines = if all < room { 2 } else { 1 };
    for (i, fix) in found.iter().enumerate() {
        title(screen, index.report, i + 1, fix, shares);
        statement(screen, index, fix);
        for (n, line) in wrapped(&one_line(&fix.advice), width - 5, lines).iter().enumerate() {
            screen.line(&[(GAIN, if n == 0 { "   → " } else { "     " }), (PLAIN, line)]);
        }
    }
}

/// What a thing to fix is, and what it costs.
fn title(screen: &mut Screen, report: &Report, rank: usize, fix: &Fix, shares: bool) {
    let Cost { statements, duration_us } = fix.cost;
    let free = statements == 0 && duration_us.0 == 0;
    let known = |number: u64, text: String| if number > 0 { text } else { "–".to_owned() };
    let numbers = [known(statements, count(statements)), known(duration_us.0, duration(duration_us))];
    let [calls, time] = [right(&numbers[0], 9), right(&numbers[1], 7)];
    let share = |part, whole| right(&if part > 0 { percent(part, whole) } else { String::new() }, 7);
    let cost = match shares {
        // A pause costs no statement and no time: its title has the number, and the room.
        _ if free => String::new(),
        true => format!(
            "{calls} {} {time} {}",
            share(statements, report.totals.statements),
            share(duration_us.0, fix.cost_of.whole(report).0),
        ),
        false => format!("{calls} {time}"),
    };
    let title = format!("{}: {}", one_line(&fix.label), one_line(&fix.title));
    let title = left(&title, screen.width.saturating_sub(4 + columns(&cost)));
    screen.line(&[
        (COST, &right(&rank.to_string(), 2)),
        (PLAIN, " "),
        (BOLD, &title),
        (PLAIN, " "),
        (COST, &cost),
    ]);
}

/// Which statement it is, by fingerprint, route and text.
fn statement(screen: &mut Screen, index: &Index<'_>, fix: &Fix) {
    let mut about = format!("   {}  ", cut(&one_line(&fix.fingerprint), 16));
    if !fix.others.is_empty() {
        about.push_str(&format!("and {} more, as ", count(fix.others.len() as u64)));
    }
    if !fix.route.is_empty() {
        about.push_str(&format!("{}: ", cut(&one_line(&fix.route), screen.width / 4)));
    }
    let room = screen.width.saturating_sub(columns(&about));
    let sql = text_line(index.sql(&fix.fingerprint), room, screen.width);
    screen.line(&[(DIM, &about), (PLAIN, &sql)]);
}

fn left_out(screen: &mut Screen, report: &Report) {
    if let Some(words) = judged::left_out(&report.judged) {
        screen.blank();
        screen.line(&[(DIM, &words)]);
    }
}

fn most_time(screen: &mut Screen, index: &Index<'_>, rows: usize) {
    let report = index.report;
    let roomy = screen.width >= ROOMY;
    let columns = |total: &str, share: &str, calls: &str, mean: &str, p95: &str| match roomy {
        true => format!(
            "{} {} {} {} {}  ",
            right(total, 8),
            right(share, 7),
            right(calls, 9),
            right(mean, 8),
            right(p95, 8)
        ),
        false => format!("{} {} {}  ", right(total, 8), right(calls, 9), right(mean, 8)),
    };
    screen.heading(&columns("total", "share", "calls", "mean", "p95"), "most time");
    for s in report.statements.iter().take(rows) {
        let timed = |text: String| if s.timed > 0 { text } else { "–".to_owned() };
        let numbers = columns(
            &timed(duration(s.duration_us)),
            &timed(percent(s.duration_us.0, report.totals.duration_us.0)),
            &count(s.calls),
            &duration_or_dash(totals::mean_of(s)),
            &duration_or_dash(s.p95_us),
        );
        let room = screen.width.saturating_sub(self::columns(&numbers));
        screen.line(&[(PLAIN, &numbers), (PLAIN, &text_line(&s.sql, room, screen.width))]);
    }
}

fn redundant(screen: &mut Screen, index: &Index<'_>, rows: usize) {
    let roomy = screen.width >= ROOMY;
    let columns = |repeats: &str, calls: &str, distinct: &str, time: &str| match roomy {
        true => {
            format!("{} {} {} {}  ", right(repeats, 8), right(calls, 11), right(distinct, 9), right(time, 8))
        }
        false => format!("{} {} {}  ", right(repeats, 8), right(calls, 9), right(time, 8)),
    };
    screen.heading(&columns("repeats", "of calls", "distinct", "time"), "repeats over the whole log");
    for r in index.report.redundant_selects.iter().take(rows) {
        let about = if r.distinct_params.exact { "" } else { "~" };
        let numbers = columns(
            &format!("{about}{}", count(r.repeats)),
            &count(r.calls),
            &format!("{about}{}", count(r.distinct_params.count)),
            &duration_or_dash((index.report.totals.timed > 0).then_some(r.repeats_us)),
        );
        let room = screen.width.saturating_sub(self::columns(&numbers));
        screen.line(&[(PLAIN, &numbers), (PLAIN, &text_line(index.sql(&r.fingerprint), room, screen.width))]);
    }
}

fn inserts(screen: &mut Screen, index: &Index<'_>, rows: usize) {
    screen.heading("   calls rows/statement    peak/s     time", "  hot INSERTs");
    for h in index.report.hot_inserts.iter().take(rows) {
        let numbers = format!(
            "{} {} {} {}  ",
            right(&count(h.calls), 8),
            right(&ratio_or_dash(h.rows, h.calls), 14),
            right(&h.peak.map_or_else(|| "–".to_owned(), |peak| count(peak.calls)), 9),
            right(&duration(h.duration_us), 8),
        );
        screen.line(&[(PLAIN, &numbers), (PLAIN, &one_line(h.table.as_deref().unwrap_or("–")))]);
    }
}

fn errors(screen: &mut Screen, index: &Index<'_>, rows: usize) {
    let report = index.report;
    if report.errors.is_empty() {
        screen.line(&[(DIM, "No errors.")]);
        return;
    }
    let more = match report.totals.distinct_errors.saturating_sub(rows as u64) {
        0 => "  errors".to_owned(),
        more => format!("  errors ({} more)", count(more)),
    };
    screen.heading("   times  state", &more);
    for e in report.errors.iter().take(rows) {
        let numbers = format!(
            "{}  {}  ",
            right(&count(e.count), 8),
            left(&one_line(e.sqlstate.as_deref().unwrap_or("–")), 5)
        );
        screen.line(&[
            (PLAIN, &numbers),
            (PLAIN, &one_line(&e.severity)),
            (PLAIN, ": "),
            (PLAIN, &one_line(&e.message)),
        ]);
    }
}

/// Lock waits and temporary files, in a line.
fn server(screen: &mut Screen, index: &Index<'_>, _: usize) {
    screen.line(&[(BOLD, "server  "), (PLAIN, &totals::server(index.report).join(" · "))]);
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
