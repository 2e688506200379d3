//! A plan as a table for a terminal, as CSV, and as a page.

use super::{Figure, Plan};
use anyhow::{Context, Result};
use askama::Template;
use std::borrow::Borrow;
use std::fmt::Write;

/// A number as people write it: 1,250, 275.6, 3.16, with as many decimals as matter.
pub(super) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        v if (v - v.round()).abs() < 0.000_5 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), ""), |(w, r)| (w, r.trim_end_matches('0')));
    let digits = whole.trim_start_matches('-');
    let mut out = if value < 0.0 { "-".to_string() } else { String::new() };
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

impl Figure {
    /// As people write it.
    pub fn text(self) -> String {
        match self {
            Figure::Number(value) => number(value),
            Figure::Range(from, to) => format!("{}–{}", number(from), number(to)),
        }
    }
}

/// For a terminal.
pub fn table(plan: &Plan) -> String {
    let mut out = format!("{}\n", plan.title);
    for section in &plan.sections {
        let _ = writeln!(out, "\n{}", section.title);
        for row in &section.rows {
            let _ =
                writeln!(out, "  {:44} {:>14} {:13} {}", row.name, row.value.text(), row.unit, row.formula);
        }
    }
    if !plan.compared.is_empty() {
        let _ = writeln!(
            out,
            "\n{:46} {:>14} {:>12} {:>9}",
            "Measured against planned", "planned", "measured", "ratio"
        );
        for c in &plan.compared {
            let mark = if c.fits() { "" } else { "  (!)" };
            let (planned, measured, ratio) = (number(c.planned), number(c.measured), number(c.ratio()));
            let _ = writeln!(out, "  {:44} {planned:>14} {measured:>12} {ratio:>9}{mark}", c.name);
        }
    }
    for warning in &plan.warnings {
        let _ = writeln!(out, "\nWARNING: {warning}");
    }
    out
}

/// With a header line; a range has its ends in two columns.
pub fn csv(plan: &Plan) -> String {
    let mut rows = vec![["section", "key", "name", "from", "to", "unit", "formula"].map(str::to_string)];
    for section in &plan.sections {
        for row in &section.rows {
            let (from, to) = match row.value {
                Figure::Number(value) => (value, value),
                Figure::Range(from, to) => (from, to),
            };
            rows.push(
                [section.title, row.key, row.name, &exact(from), &exact(to), row.unit, &row.formula]
                    .map(str::to_string),
            );
        }
    }
    for c in &plan.compared {
        rows.push(
            [
                "Measured",
                "",
                c.name,
                &exact(c.measured),
                &exact(c.measured),
                "",
                &format!("planned {}", exact(c.planned)),
            ]
            .map(str::to_string),
        );
    }
    rows.extend(plan.warnings.iter().map(|w| ["WARNING", "", w, "", "", "", ""].map(str::to_string)));
    rows.iter().map(|row| crate::csv::line(row.iter().map(String::as_str))).collect()
}

/// Four decimals at most, for other programs.
fn exact(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[derive(Template)]
#[template(path = "capacity.html")]
struct Page<'a> {
    plan: &'a Plan,
}

/// The figures that stand on top of the page.
const HEADLINES: [&str; 6] = [
    "requests_per_second",
    "requests_per_minute",
    "connections_without_pooling",
    "connections_with_pooling",
    "max_connections",
    "transactions_per_second",
];

impl Page<'_> {
    /// Of a field or of a call: the template borrows the one and has the other.
    fn number(&self, value: impl Borrow<f64>) -> String {
        number(*value.borrow())
    }

    fn is_headline(&self, key: &str) -> bool {
        HEADLINES.contains(&key)
    }
}

/// One page that needs nothing else.
pub fn html(plan: &Plan) -> Result<String> {
    Page { plan }.render().context("the page")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::{PHASE_1, PHASE_2, Sheet, plan};

    fn of(text: &str, sets: &[&str]) -> Plan {
        let sets: Vec<String> = sets.iter().map(|s| s.to_string()).collect();
        plan(&Sheet::read(text, &sets).unwrap())
    }

    fn shown(plan: &Plan, key: &str) -> String {
        plan.figure(key).unwrap_or_else(|| panic!("no {key}")).text()
    }

    #[test]
    fn numbers() {
        for (value, text) in [
            (275.555_6, "275.6"),
            (1250.0, "1,250"),
            (75_000.0, "75,000"),
            (7.6, "7.6"),
            (0.333, "0.33"),
            (-1234567.0, "-1,234,567"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    /// Every number that the talk says.
    #[test]
    fn the_talk() {
        let first = of(PHASE_1, &[]);
        assert_eq!(shown(&first, "requests_per_taker"), "124");
        assert_eq!(shown(&first, "requests_per_second"), "275.6");
        let second = of(PHASE_2, &[]);
        assert_eq!(shown(&second, "requests_per_taker"), "90");
        assert_eq!(shown(&second, "requests_per_second"), "1,250");
        assert_eq!(shown(&second, "requests_per_minute"), "75,000");
        assert_eq!(shown(&second, "writes_per_second"), "625", "about half of the requests write");
        assert_eq!(shown(&second, "connections_without_pooling"), "300");
        assert_eq!(shown(&second, "connections_with_pooling"), "20–30");
        assert_eq!(shown(&second, "transactions_per_second"), "9,500");
        assert_eq!(second.compared[2].name, "Transactions of a request");
        assert_eq!(number(second.compared[2].measured), "7.6", "9,500 ÷ 1,250");
        assert!(first.warnings.is_empty() && second.warnings.is_empty(), "{:?}", second.warnings);
    }

    #[test]
    fn warnings_name_what_is_wrong() {
        let warned = |sets: &[&str]| of(PHASE_2, sets).warnings.join("\n");
        assert!(
            warned(&["load.requests_per_second=1500"]).is_empty(),
            "1.2 times the target is still a test of it"
        );
        let little = warned(&["load.requests_per_second=1510"]);
        assert!(little.contains("1.21 times the target") && !little.contains("3× mistake"), "{little}");
        let thrice = warned(&["load.requests_per_second=3750"]);
        assert!(thrice.contains("3 times the target") && thrice.contains("3× mistake"), "{thrice}");
        let sheet =
            of(&PHASE_2.replace("requests_per_second = 1_250\n\n", "takers_per_hour = 150_000\n\n"), &[]);
        assert!(sheet.warnings[0].contains("3× mistake"), "{:?}", sheet.warnings);
        // One host: 2 to 3 connections; two hosts: 4 to 6, which is enough with pools of 3.
        assert!(warned(&["web.hosts=1"]).contains("commit_siblings = 5 is inert with 2 (pools of 2)"));
        assert!(warned(&["web.hosts=2"]).contains("inert with 4 (pools of 2)"));
        assert!(!warned(&["web.hosts=2", "web.pool_per_host=3"]).contains("inert"), "6 are enough");
        assert!(warned(&["web.hosts=1", "web.pool_per_host=5"]).contains("inert with 5 pooled"));
        assert!(!warned(&["web.hosts=1", "web.pool_per_host=5", "db.commit_siblings=4"]).contains("inert"));
        assert!(warned(&["measured.transactions_per_second=6000"]).contains("measured 6,000 is 0.63 times"));
        assert!(warned(&["web.pool_per_host=6"]).contains("more than the 53 that 26 cores can keep busy"));
        let small = ["web.memory_per_host='1GB'", "web.memory_per_worker='80MB'"];
        assert!(warned(&small).contains("30 workers need 2400 MB, and a web host has 1024 MB"));
        let cpu = ["web.cores_per_host=8", "web.cpu_ms_per_request=50"];
        assert!(warned(&cpu).contains("78.1 % busy"), "1,250 × 0.05 ÷ 80");
        assert_eq!(shown(&of(PHASE_2, &cpu), "hosts_needed"), "15", "62.5 ÷ 0.55 ÷ 8 = 14.2");
    }

    #[test]
    fn nonsense_is_refused() {
        for set in [
            "survey.pages=0",
            "web.hosts=-1",
            "web.pool_per_host={from=3,to=2}",
            "db.memory='much'",
            "web.host=3",
        ] {
            assert!(Sheet::read(PHASE_2, &[set.to_string()]).is_err(), "{set}");
        }
    }

    #[test]
    fn csv_and_page() {
        let plan = of(PHASE_2, &["title='<b>&'", "load.requests_per_second=3750"]);
        let csv = crate::csv::read(&csv(&plan));
        let line = csv.iter().find(|r| r[1] == "connections_with_pooling").unwrap();
        assert_eq!(line[3..5], ["20", "30"]);
        assert_eq!(csv.iter().find(|r| r[0] == "WARNING").unwrap().len(), 7);
        let page = html(&plan).unwrap();
        assert!(page.contains("&#60;b&#62;&#38;") && !page.contains("<b>&"), "the title is text");
        assert!(page.contains("1,250") && page.contains("3× mistake"));
        assert!(!page.contains("src=") && !page.contains("href=\"http"), "it needs nothing else");
    }
}
