//! What every output promises, on reports made by hand.

#![allow(clippy::unwrap_used, reason = "a test may end where a value is missing")]

mod sample;

use base64::Engine as _;
use pglens::render::{Format, Style, render};
use pglens::report::{Finding, Report};
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
    for width in [40, 80, 100, 132] {
        for report in [sample::report(), all_wrong()] {
            let text = rendered(&report, Format::Text, &Style { width, ..Style::default() });
            assert!(text.lines().count() <= 40, "{} lines:\n{text}", text.lines().count());
            for line in text.lines() {
                assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{line}");
            }
        }
    }
    // Rows go, tables stay.
    let text = plain(&all_wrong(), Format::Text);
    for part in ["What to fix first", "left out", "most time", "redundant SELECTs", "hot INSERTs", "  errors"]
    {
        assert!(text.contains(part), "{part}:\n{text}");
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
    assert!(page.contains("Nothing stands out"));
    assert!(plain(&empty(), Format::Text).contains("Nothing stands out"));
    assert!(plain(&empty(), Format::Markdown).contains("Nothing stands out"));
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
