//! What every output promises, on reports made by hand.

#![allow(clippy::unwrap_used, reason = "a test may end where a value is missing")]

mod sample;

use base64::Engine as _;
use pglens::render::{Format, Style, render};
use pglens::report::{Cost, Evidence, Finding, Forecast, ForecastRow, Forecasts, Load, Report, Statement};
use pglens::units::Micros;
use sha2::{Digest, Sha256};

fn rendered(report: &Report, format: Format, style: &Style) -> String {
    let mut out = Vec::new();
    render(report, format, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn plain(report: &Report, format: Format) -> String {
    rendered(report, format, &Style::default())
}

/// The report as a log without anything in it would give it.
fn empty() -> Report {
    let mut report = sample::bare();
    report.input = pglens::report::Input::default();
    report.totals = pglens::report::Totals::default();
    report.statements.clear();
    report.redundant_selects.clear();
    report.hot_inserts.clear();
    report.slowest.clear();
    report
}

#[test]
fn an_equal_report_gives_equal_bytes() {
    for (name, format) in Format::ALL {
        for make in [sample::report as fn() -> Report, sample::hostile, empty] {
            assert_eq!(plain(&make(), format), plain(&make(), format), "{name}");
        }
    }
}

#[test]
fn json_is_the_report_and_nothing_else() {
    let report = sample::report();
    let json = plain(&report, Format::Json);
    assert_eq!(json.matches('\n').count(), 1);
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

/// What a replica could take is said of the whole log, and named after the statement with most reads.
#[test]
fn what_a_replica_could_take_hides_no_other_finding() {
    let mut report = empty();
    report.findings = ["replica_reads", "n_plus_one"]
        .map(|kind| Finding {
            kind: kind.to_owned(),
            fingerprint: "00000000000000aa".to_owned(),
            title: kind.to_owned(),
            ..Finding::default()
        })
        .to_vec();
    let text = plain(&report, Format::Text);
    assert!(text.contains("Replica reads: replica_reads") && text.contains("N+1: n_plus_one"), "{text}");
}

/// A statement of `calls` calls that take `us` in all.
fn statement(fingerprint: &str, kind: &str, sql: &str, calls: u64, us: u64) -> Statement {
    Statement {
        fingerprint: fingerprint.to_owned(),
        sql: sql.to_owned(),
        kind: kind.to_owned(),
        tables: sql
            .split_once("from ")
            .map(|(_, rest)| rest.split(' ').next().unwrap().to_owned())
            .into_iter()
            .collect(),
        calls,
        timed: calls,
        duration_us: Micros(us),
        mean_us: Some(Micros(us / calls.max(1))),
        p95_us: Some(Micros(us / calls.max(1))),
        max_us: Some(Micros(us / calls.max(1))),
        ..Statement::default()
    }
}

/// A report of these statements and findings.
fn report_of(statements: Vec<Statement>, findings: Vec<Finding>) -> Report {
    let mut report = empty();
    for s in &statements {
        report.totals.statements += s.calls;
        report.totals.timed += s.timed;
        report.totals.duration_us += s.duration_us;
        report.totals.parse_us += s.parse_us;
        report.totals.bind_us += s.bind_us;
    }
    report.totals.fingerprints = statements.len() as u64;
    report.statements = statements;
    report.findings = findings;
    report
}

fn finding(kind: &str, fingerprint: &str, statements: u64, us: u64) -> Finding {
    Finding {
        id: format!("{kind}-{fingerprint}"),
        kind: kind.to_owned(),
        fingerprint: fingerprint.to_owned(),
        title: format!("about {fingerprint}"),
        cost: Cost { statements, duration_us: Micros(us) },
        ..Finding::default()
    }
}

/// The labels of what to fix first, in order, as the terminal has them.
fn order(report: &Report) -> Vec<String> {
    let text = rendered(report, Format::Text, &Style { width: 200, ..Style::default() });
    let ranked = text
        .lines()
        .filter(|line| line.len() > 3 && line[..2].trim().parse::<u8>().is_ok() && &line[2..3] == " ");
    ranked.filter_map(|line| Some(line[3..].split_once(':')?.0.to_owned())).collect()
}

/// 20 calls of 1.4 s are 28.0 of 28.0022 s: half of that is 500 thousandths. The N+1 spares 5 of 27 statements: 185.
#[test]
fn findings_and_heavy_statements_stand_in_one_order() {
    let rows = |n_plus_one, slow_us| {
        vec![
            statement(
                "00000000000000aa",
                "select",
                "select sum(total) from orders where created > ?",
                20,
                slow_us,
            ),
            statement(
                "00000000000000bb",
                "select",
                "select label from choice where question_id = ?",
                6,
                1_200,
            ),
            statement("00000000000000cc", "select", "select id from question where page_id = ?", 1, 1_000),
        ]
        .into_iter()
        .chain(n_plus_one)
        .collect::<Vec<_>>()
    };
    let few = finding("n_plus_one", "00000000000000bb", 5, 1_000);
    assert_eq!(order(&report_of(rows(None, 28_000_000), vec![few.clone()])), ["Slow", "N+1"]);
    // Beside a statement of 100 s nobody asks about, the slow one has 28 of 128 s: 109, and the N+1 leads.
    let other = statement("00000000000000dd", "utility", "vacuum", 1, 100_000_000);
    let report = report_of(rows(Some(other), 28_000_000), vec![few]);
    assert_eq!(order(&report), ["N+1", "Slow"]);
    // One statement has one place: by what weighs more, and says what else it is.
    let same = finding("n_plus_one", "00000000000000aa", 2, 100);
    let text = plain(&report_of(rows(None, 28_000_000), vec![same]), Format::Html);
    assert!(text.contains(">Slow <span class=\"aside\">also N+1</span>"));
}

/// Two routes are two places in the code; what is said of the statement without one is a further word about the first.
#[test]
fn one_statement_has_a_place_for_each_of_its_routes() {
    let routed = |kind: &str, route: Option<&str>, saved: u64| Finding {
        route: route.map(str::to_owned),
        ..finding(kind, "00000000000000aa", saved, saved * 100)
    };
    let sql = "select label from choice where question_id = ?";
    let findings = vec![
        routed("n_plus_one", Some("/a"), 40),
        routed("redundant_select", Some("/b"), 30),
        routed("redundant_select", Some("/a"), 20),
        routed("cacheable_select", None, 10),
    ];
    let rows = [
        statement("00000000000000aa", "select", sql, 200, 20_000),
        statement("00000000000000bb", "utility", "vacuum", 1, 1_000_000),
    ];
    let report = report_of(rows.into(), findings);
    assert_eq!(order(&report), ["N+1", "Redundant SELECT"]);
    assert!(plain(&report, Format::Html).contains("also Redundant SELECT, Cacheable SELECT"));
}

/// Two units, each with a sequence of three statements: three come in turn, not six.
#[test]
fn a_sequence_is_as_long_as_one_of_them() {
    let mut found = finding("n_plus_one", "00000000000000aa", 40, 4_000);
    found.evidence.numbers = [("sequences".to_owned(), 2), ("sequence_length".to_owned(), 6)].into();
    let sql = "select label from choice where question_id = ?";
    let report = report_of(vec![statement("00000000000000aa", "select", sql, 42, 4_200)], vec![found]);
    assert!(plain(&report, Format::Html).contains("3 statements in turn · 2 sequences of them"));
}

/// pgbench: BEGIN and END are what its transactions are made of; nobody can send fewer of them. Its UPDATE has half of
/// the time, 250 thousandths; END would have as much.
#[test]
fn what_cannot_be_helped_is_not_named() {
    let report = report_of(
        vec![
            statement("00000000000000aa", "transaction", "end", 1_000, 5_000_000),
            statement(
                "00000000000000bb",
                "update",
                "update pgbench_accounts set abalance = ?",
                1_000,
                4_900_000,
            ),
            statement("00000000000000cc", "transaction", "begin", 1_000, 100_000),
        ],
        vec![],
    );
    assert_eq!(order(&report), ["Most time"]);
    // A slow END waits for something: 100 of them take 50 ms each.
    let slow = report_of(vec![statement("00000000000000aa", "transaction", "end", 100, 5_000_000)], vec![]);
    assert_eq!(order(&slow), ["Slow"]);
}

/// What a replica could take is about servers: it comes after the statements, names them all, and counts all of them:
/// 1,000 reads, of which 400 may leave, and 90 of 100 ms.
#[test]
fn a_replica_comes_last_and_names_its_statements() {
    let mut replica = finding("replica_reads", "00000000000000aa", 400, 90_000);
    replica.evidence = Evidence {
        calls: 400,
        numbers: [("reads".to_owned(), 1_000), ("free_reads".to_owned(), 400), ("statements".to_owned(), 2)]
            .into(),
        related: vec!["00000000000000bb".to_owned()],
        ..Evidence::default()
    };
    let mut report = report_of(
        vec![
            statement("00000000000000aa", "select", "select value from settings where name = ?", 900, 9_000),
            statement("00000000000000bb", "select", "select name from customers where id = ?", 100, 91_000),
        ],
        vec![replica, finding("n_plus_one", "00000000000000bb", 20, 1_000)],
    );
    report.forecasts = Some(Forecasts {
        replica: Forecast {
            assumptions: "some".to_owned(),
            before: Load { calls: 1_000, duration_us: Micros(100_000) },
            after: Load { calls: 600, duration_us: Micros(10_000) },
            statements: vec![ForecastRow::default()],
            ..Forecast::default()
        },
        ..Forecasts::default()
    });
    assert_eq!(order(&report).last().unwrap(), "Replica reads");
    let page = plain(&report, Format::Html);
    let card = between(&page[page.find(">Replica reads</p>").unwrap()..], "<h3>", "</li>");
    assert!(card.contains("1,000 → 600 reads on the primary, 100 ms → 10.0 ms"), "{card}");
    assert!(card.contains("settings") && card.contains("customers"), "{card}");
}

/// 20 calls take 0.1 ms each, and 800.1 ms each to be parsed and bound: 16.002 of 16.004 s.
#[test]
fn time_of_parse_and_bind_is_seen() {
    let mut bound = statement("00000000000000aa", "select", "select a from big where id = ?", 20, 2_000);
    (bound.parse_us, bound.bind_us) = (Micros(2_000), Micros(16_000_000));
    let other = statement("00000000000000bb", "select", "select b from small where id = ?", 20, 1_000_000);
    let report = report_of(vec![other, bound], vec![]);
    assert_eq!(order(&report), ["Planning", "Slow"]);
    for format in [Format::Text, Format::Markdown, Format::Html] {
        let text = plain(&report, format);
        assert!(text.contains("16.0 s") && text.to_lowercase().contains("parse and bind"), "{text}");
    }
}

#[test]
fn what_the_log_does_not_have_is_not_praised() {
    // Statements without durations: their time is unknown, not nothing.
    let mut untimed = report_of(
        vec![statement("00000000000000aa", "select", "select a from t where id = ?", 40, 0)],
        vec![],
    );
    untimed.totals.timed = 0;
    untimed.statements[0].timed = 0;
    untimed.statements[0].mean_us = None;
    let page = plain(&untimed, Format::Html);
    assert!(
        !page.contains("<dd>0</dd><dt>in the database</dt>")
            && page.contains("<dd>–</dd><dt>in the database</dt>")
    );
    let table = between(&page, "<table class=\"statements\"", "</table>");
    assert!(table.contains("data-t=\"Total\" data-v=\"0\">–<") && !table.contains(">0 %"), "{table}");
    for format in [Format::Text, Format::Markdown, Format::Html] {
        assert!(plain(&untimed, format).contains("no durations"), "{format:?}");
    }
    // Models of nothing are not shown.
    let mut nothing = empty();
    let nil = Forecast { assumptions: "some".to_owned(), ..Forecast::default() };
    nothing.forecasts = Some(Forecasts { cache: nil.clone(), combined: nil, ..Forecasts::default() });
    let page = plain(&nothing, Format::Html);
    assert!(!page.contains("id=\"forecasts\""));
    assert!(page.contains("<div class=\"all\" hidden>"));
}

#[test]
fn one_is_not_written_as_many() {
    let report = report_of(
        vec![statement("00000000000000aa", "select", "select a from t where id = ?", 1, 5_000)],
        vec![],
    );
    for format in [Format::Text, Format::Markdown] {
        let text = plain(&report, format).replace("**", "");
        assert!(text.contains("1 statement ") && text.contains("1 fingerprint "), "{text}");
    }
}

#[test]
fn formats_follow_the_extension() {
    let of = |name: &str| Format::from_extension(std::path::Path::new(name));
    assert_eq!(of("a/report.HTML"), Some(Format::Html));
    assert_eq!(of("x.json"), Some(Format::Json));
    assert_eq!(of("x.md"), Some(Format::Markdown));
    assert_eq!(of("x.txt"), Some(Format::Text));
    assert_eq!(of("x.csv"), Some(Format::Csv));
    assert_eq!(of("x.log"), None);
    assert_eq!(of("html"), None);
}

#[test]
fn text_reads_like_this() {
    insta::assert_snapshot!(rendered(
        &sample::report(),
        Format::Text,
        &Style { width: 80, ..Style::default() }
    ));
}

#[test]
fn text_of_a_bare_log_reads_like_this() {
    insta::assert_snapshot!(rendered(&sample::bare(), Format::Text, &Style::default()));
}

#[test]
fn what_was_left_out_is_counted_and_does_not_come_back() {
    let mut report = sample::bare();
    let insert = report.hot_inserts[0].clone();
    assert!(plain(&report, Format::Text).contains("Hot INSERT:"));
    report.hot_inserts.truncate(1);
    report.redundant_selects.clear();
    report.judged.suppressed.push(pglens::report::Suppressed {
        kind: "row_by_row_insert".to_owned(),
        fingerprint: insert.fingerprint,
        by: "pglens.toml".to_owned(),
        reason: "seed data".to_owned(),
        calls: insert.calls,
    });
    for format in [Format::Text, Format::Markdown] {
        let text = plain(&report, format);
        assert!(
            text.contains("1 finding left out: 1 by pglens.toml") && !text.contains("Hot INSERT:"),
            "{text}"
        );
    }
    let page = plain(&report, Format::Html);
    assert!(page.contains("Left out on purpose") && page.contains("seed data"));
}

#[test]
fn markdown_reads_like_this() {
    insta::assert_snapshot!(plain(&sample::report(), Format::Markdown));
}

#[test]
fn csv_reads_like_this() {
    insta::assert_snapshot!(plain(&sample::report(), Format::Csv));
}

#[test]
fn text_fits_one_screen() {
    for width in [40, 60, 80, 100, 132] {
        for report in [sample::report(), sample::bare(), sample::hostile(), all_wrong()] {
            let text = rendered(&report, Format::Text, &Style { width, ..Style::default() });
            assert!(text.lines().count() <= 40, "{}\n{text}", text.lines().count());
            for line in text.lines() {
                assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{line}");
            }
        }
    }
    // Each thing to fix is named by its fingerprint, and every table has a row.
    let report = sample::report();
    let text = rendered(&report, Format::Text, &Style { width: 80, ..Style::default() });
    for word in
        [&report.findings[0].fingerprint, "most time", "repeats over", "hot INSERTs", "errors", "deadlock"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
}

/// The sample with everything that may be said about its input, and with something left out.
fn all_wrong() -> Report {
    let mut report = sample::report();
    let input = &mut report.input;
    let skipped = |reason: &str| pglens::report::Skipped {
        reason: reason.to_owned(),
        count: 7,
        bytes: input.bytes,
        first: pglens::report::Position::default(),
    };
    input.skipped =
        ["blank", "bad_json", "cut_end", "cut_start", "other_program", "bad_columns"].map(skipped).into();
    input.sampled = true;
    for name in ["a.log", "b.log", "c.log", "d.log"] {
        let error = Some("the gzip stream ends too early".to_owned());
        let name = name.to_owned();
        input.files.push(pglens::report::InputFile { name, error, ..Default::default() });
    }
    let note = |code: &str| pglens::report::Note { code: code.to_owned(), text: "Something.".to_owned() };
    input.notes = ["a", "b"].map(note).into();
    report.judged.suppressed.push(pglens::report::Suppressed {
        kind: "hot_row".to_owned(),
        by: "pglens.toml".to_owned(),
        ..Default::default()
    });
    report
}

#[test]
fn colours_only_where_they_are_asked_for() {
    let report = sample::report();
    let plain_text = plain(&report, Format::Text);
    let colored = rendered(&report, Format::Text, &Style { color: true, ..Style::default() });
    assert!(!plain_text.contains('\u{1b}'));
    assert!(colored.contains('\u{1b}'));
    assert_eq!(stripped(&colored), plain_text);
}

/// A text without the escapes that colours are made of.
fn stripped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + rest
}

#[test]
fn a_hostile_log_moves_no_cursor_and_gives_no_commands() {
    let report = sample::hostile();
    for format in [Format::Text, Format::Markdown, Format::Csv, Format::Html] {
        let text = plain(&report, format);
        for c in text.chars() {
            let harmless = c == '\n' || c == '\t' || (format == Format::Csv && c == '\r');
            assert!(harmless || !c.is_control(), "{format:?} has {c:?}");
            let hides = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
            assert!(!hides, "{format:?} has {c:?}");
        }
    }
    for format in [Format::Text, Format::Markdown] {
        for line in plain(&report, format).lines() {
            assert!(!line.trim_start().starts_with("::"), "{format:?}: {line}");
            assert!(!line.contains("##["), "{format:?}: {line}");
        }
    }
    // Colours are the only escapes, also around hostile text.
    let colored = rendered(&report, Format::Text, &Style { color: true, ..Style::default() });
    assert!(!stripped(&colored).contains('\u{1b}'));
}

#[test]
fn hostile_markdown_stays_in_code_spans() {
    let text = plain(&sample::hostile(), Format::Markdown);
    for line in text.lines() {
        // Whatever stands outside code spans must hold no markup, mention or link.
        let outside = outside_code(line);
        assert!(!outside.contains("<script") && !outside.contains("<img"), "{line}");
        assert!(!outside.contains("@everyone"), "{line}");
        if let Some(cells) = line.strip_prefix("| ") {
            assert!(cells.ends_with(" |"), "{line}");
        }
    }
    let rows: Vec<usize> =
        text.lines().filter(|l| l.starts_with("| ") && !l.contains("---")).map(cells).collect();
    assert!(rows.iter().all(|n| [3, 5, 6, 7].contains(n)), "{rows:?}");
}

/// What stands outside the code spans of a line.
fn outside_code(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        // A backslash before a backtick outside of code makes it a character.
        if rest[..start].ends_with('\\') {
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        }
        out.push_str(&rest[..start]);
        let fence: String = rest[start..].chars().take_while(|c| *c == '`').collect();
        let inside = &rest[start + fence.len()..];
        let end = closing(inside, fence.len()).unwrap_or_else(|| panic!("an open code span: {line}"));
        rest = &inside[end + fence.len()..];
    }
    out + rest
}

/// Where a run of exactly so many backticks begins.
fn closing(text: &str, fence: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(start) = text[at..].find('`') {
        let run = text[at + start..].chars().take_while(|c| *c == '`').count();
        if run == fence {
            return Some(at + start);
        }
        at += start + run;
    }
    None
}

/// Cells of a table's row: pipes without a backslash before them.
fn cells(line: &str) -> usize {
    let bytes = line.as_bytes();
    bytes.iter().enumerate().filter(|(i, b)| **b == b'|' && (*i == 0 || bytes[i - 1] != b'\\')).count() - 1
}

#[test]
fn markdown_keeps_its_budget() {
    for budget in [1_000, 4_000, 60_000] {
        let style = Style { markdown_bytes: budget, ..Style::default() };
        for report in [sample::report(), sample::hostile()] {
            let text = rendered(&report, Format::Markdown, &style);
            assert!(text.len() <= budget, "{} of {budget}", text.len());
        }
    }
    let short =
        rendered(&sample::report(), Format::Markdown, &Style { markdown_bytes: 4_000, ..Style::default() });
    assert!(short.contains("Shortened"));
}

#[test]
fn csv_has_no_formulas_and_as_many_cells_in_each_row() {
    for report in [sample::report(), sample::hostile()] {
        let text = plain(&report, Format::Csv);
        let mut rows = 0;
        for row in parse_csv(&text) {
            rows += 1;
            assert_eq!(row.len(), 30);
            for cell in row {
                let number = cell.split(' ').all(|part| part.parse::<i64>().is_ok());
                assert!(number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{cell}");
            }
        }
        assert_eq!(rows, report.statements.len() + 1);
    }
}

/// RFC 4180, the obvious way.
fn parse_csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {
                chars.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            _ => cell.push(c),
        }
    }
    assert!(cell.is_empty() && row.is_empty(), "the last row is ended");
    rows
}

/// The text between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap() + from.len();
    &text[start..start + text[start..].find(to).unwrap()]
}

#[test]
fn the_policy_names_the_very_script_and_style() {
    for report in [sample::report(), sample::hostile()] {
        let page = plain(&report, Format::Html);
        let hash = |text: &str| {
            format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text)))
        };
        let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
        assert_eq!(page.matches("<script>").count(), 1);
        assert_eq!(page.matches("<style>").count(), 1);
        assert_eq!(page.matches("</script").count(), 1);
        assert!(policy.contains(&format!("script-src {};", hash(between(&page, "<script>", "</script>")))));
        assert!(policy.contains(&format!("style-src {};", hash(between(&page, "<style>", "</style>")))));
        assert!(policy.starts_with("default-src 'none';"));
        for part in [
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.contains(part), "{part}");
        }
        assert!(!policy.contains("unsafe"));
        // The policy comes before anything it rules.
        assert!(page.find("Content-Security-Policy") < page.find("<style>"));
    }
}

#[test]
fn templates_use_nothing_that_turns_text_into_markup() {
    let attribute = regex::Regex::new(r#"\s(on\w+|style)\s*="#).unwrap();
    let unescaped = regex::Regex::new(r"\{\{\s*([\w.]+)\s*\|\s*safe").unwrap();
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "javascript:",
            "http://",
            "https://",
            "@import",
            "url(",
            "srcdoc",
            "DOMParser",
            "setTimeout(\"",
        ] {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
        if path.extension().is_some_and(|extension| extension == "html") {
            assert!(attribute.find(&text).is_none(), "{}: {:?}", path.display(), attribute.find(&text));
            // Unescaped are only our own style, script, policy and drawings.
            for found in unescaped.captures_iter(&text) {
                let name = found[1].rsplit('.').next().unwrap();
                let ours =
                    ["policy", "style", "script", "svg", "statement_bar", "time_bar", "percentiles", "hours"];
                assert!(ours.contains(&name), "{}: {}", path.display(), &found[1]);
            }
        }
    }
}

#[test]
fn pages_keep_their_size() {
    let floor = plain(&empty(), Format::Html).len();
    assert!(floor <= 60_000, "an empty page has {floor} bytes");
    let sample = plain(&sample::report(), Format::Html).len();
    assert!(sample <= 500_000, "the sample page has {sample} bytes");
    let large = sample::large(2_000);
    let page = rendered(&large, Format::Html, &Style { page_bytes: 1_000_000, ..Style::default() });
    assert!(page.len() <= 1_000_000);
    assert!(page.contains("This page was trimmed"));
    assert!(page.contains("more in the JSON report"));
}

#[test]
fn a_statement_of_a_megabyte_is_cut_and_says_so() {
    let mut report = sample::report();
    report.statements[0].sql = format!("select {}", "a, ".repeat(400_000));
    let page = plain(&report, Format::Html);
    assert!(page.len() < 600_000);
    assert!(page.contains("bytes more)"));
}

#[test]
fn an_empty_report_says_what_is_missing() {
    let page = plain(&empty(), Format::Html);
    for setting in [
        "log_lock_waits = on",
        "log_temp_files = 0",
        "log_checkpoints = on",
        "log_autovacuum_min_duration = 0",
        "log_connections = on",
    ] {
        assert!(page.contains(setting), "{setting}");
    }
    for format in [Format::Html, Format::Text, Format::Markdown] {
        assert!(plain(&empty(), format).contains("nothing to judge"), "{format:?}");
    }
}

/// For a person: `cargo test --test render -- --ignored` leaves every output of every sample in target/tmp.
#[test]
#[ignore = "checks nothing: it writes pages for a person to look at"]
fn pages_for_eyes() {
    let samples = [
        ("sample", sample::report()),
        ("bare", sample::bare()),
        ("hostile", sample::hostile()),
        ("empty", empty()),
        ("large", sample::large(50_000)),
    ];
    for (name, report) in samples {
        for (extension, format) in [("html", Format::Html), ("txt", Format::Text), ("md", Format::Markdown)] {
            let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.{extension}"));
            std::fs::write(path, plain(&report, format)).unwrap();
        }
    }
}
