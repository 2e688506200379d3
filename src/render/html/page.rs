//! The page as the template sees it: head, top, sections in reading order, menu.

use askama::Template;

use super::super::Style;
use super::super::index::Index;
use super::super::shown::{one_line, shortened};
use super::super::totals;
use super::findings::{self, FixCard};
use super::statements::{self, Shown, Statements};
use super::view::{Block, Cell, Fact, Section};
use super::{SCRIPT, STYLE, load, policy, server, trust};
use crate::report::Report;
use crate::words::{counted, duration};

/// Everything that `templates/report.html` shows.
#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct Page {
    policy: String,
    style: &'static str,
    script: &'static str,
    version: &'static str,
    schema: String,
    title: String,
    files: String,
    span: String,
    dimensions: String,
    figures: Vec<Fact>,
    trust: String,
    trust_warns: bool,
    /// The first notes on what the numbers rest on; all of them stand in the trust section.
    notes: Vec<String>,
    fixes: Vec<FixCard>,
    /// What to say where there is none.
    nothing: String,
    found: bool,
    statements: Statements,
    /// Sections above the statements, below them, and the rest.
    above: Vec<Section>,
    sections: Vec<Section>,
    trimmed: String,
}

impl Page {
    /// The page for a report.
    pub(super) fn new(report: &Report, style: &Style, trimmed: bool) -> Self {
        let index = Index::new(report);
        let shown = Shown::new(&index, style);
        let mut above: Vec<Section> = findings::findings(&index, &shown).into_iter().collect();
        above.push(findings::redundant(report, style, &shown));
        above.push(findings::inserts(report, style, &shown));
        let mut sections = statements::rankings(&index, style, &shown);
        sections.extend(findings::forecasts(report, style, &shown));
        sections.push(load::slowest(report, style, &shown));
        sections.push(load::errors(report, style, &shown));
        sections.push(load::overall(report));
        sections.push(load::kinds(report));
        sections.push(load::hours(report));
        sections.push(load::actors(report, style));
        sections.extend(server::sections(report, style, &shown));
        sections.push(trust::section(report));
        let (trust, trust_warns) = trust::line(report);
        let statements = statements::statements(&index, style, &shown);
        let trimmed = match trimmed {
            false => String::new(),
            true => format!(
                "This page was trimmed to stay below {}: it shows {} statements and at most {} of each text. \
                 The JSON report has everything.",
                crate::words::bytes(style.page_bytes as u64),
                statements.rows.len(),
                crate::words::bytes(style.sample_bytes as u64),
            ),
        };
        Self {
            policy: policy(),
            style: STYLE,
            script: SCRIPT,
            version: env!("CARGO_PKG_VERSION"),
            schema: one_line(&report.schema),
            title: title(report),
            files: files(report),
            span: time_span(report),
            dimensions: dimensions(report),
            figures: load::figures(report),
            trust,
            trust_warns,
            notes: notes(report),
            fixes: findings::cards(&index, &shown),
            nothing: totals::nothing(report),
            found: !report.findings.is_empty(),
            statements,
            above,
            sections,
            trimmed,
        }
    }
}

/// What to know before reading the numbers: what stands beside the time, and the first notes of the input.
fn notes(report: &Report) -> Vec<String> {
    let planning = totals::planning(report).map(|us| {
        format!(
            "Parse and bind took {} beside the {} in the database: durations of statements are those of executing \
             them, and what parse and bind of one took stands in its details.",
            duration(us),
            totals::in_the_database(report)
        )
    });
    let told = report.input.notes.iter().take(3).map(|n| shortened(&one_line(&n.text), 300).into_owned());
    planning.into_iter().chain(told).collect()
}

/// The log's name, or how many logs there are.
fn title(report: &Report) -> String {
    match report.input.files.as_slice() {
        [] => "a PostgreSQL log".to_owned(),
        [file] if file.name == "-" => "standard input".to_owned(),
        [file] => {
            let name = one_line(&file.name);
            let name = name.rsplit('/').next().unwrap_or(&name);
            shortened(name, 80).into_owned()
        }
        files => counted(files.len() as u64, "log file"),
    }
}

/// Names of the first files, where there are several.
fn files(report: &Report) -> String {
    let names: Vec<String> =
        report.input.files.iter().take(4).map(|f| shortened(&one_line(&f.name), 80).into_owned()).collect();
    match report.input.files.len() {
        0 | 1 => String::new(),
        n if n > names.len() => format!("{}, and {} more", names.join(", "), n - names.len()),
        _ => names.join(", "),
    }
}

fn time_span(report: &Report) -> String {
    totals::when(&report.input).unwrap_or_else(|| "a log without times".to_owned())
}

/// How many of what sent the statements.
fn dimensions(report: &Report) -> String {
    let totals = &report.totals;
    let lists = [
        (&totals.databases, "database"),
        (&totals.users, "user"),
        (&totals.applications, "application"),
        (&totals.hosts, "host"),
        (&totals.routes, "route"),
    ];
    let parts: Vec<String> = lists
        .into_iter()
        .map(|(list, noun)| {
            // `(none)` and `(other)` are nobody's names.
            (list.iter().filter(|actor| !actor.name.starts_with('(')).collect::<Vec<_>>(), noun)
        })
        .filter(|(list, _)| !list.is_empty())
        .map(|(list, noun)| match list.as_slice() {
            [only] => format!("{noun} {}", shortened(&one_line(&only.name), 60)),
            _ => counted(list.len() as u64, noun),
        })
        .collect();
    parts.join(" · ")
}
