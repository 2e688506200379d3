//! Arrows go down only: one crate has no compiler check for layers, so this test is it.
//!
//! Each module may use the modules listed for it and nothing else of this crate. A new arrow is a decision: change
//! the table here and the drawing in ARCHITECTURE.md together.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Module → what it may use. In reading order, from the leaves up.
const ALLOWED: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("words", &["units"]),
    ("log", &["units"]),
    ("sql", &[]),
    ("record", &["log", "units"]),
    ("event", &["log", "record", "units"]),
    ("filter", &["log", "record", "sql", "units"]),
    ("report", &["units"]),
    ("bounded", &[]),
    ("finding", &["sql", "units", "bounded"]),
    ("partial", &["log", "sql", "record", "event", "units", "report", "bounded", "finding", "filter"]),
    ("forecast", &["units", "report", "finding", "partial", "sql"]),
    ("config", &["finding"]),
    ("chunk", &["log", "units"]),
    ("analyze", &["chunk", "filter", "log", "partial", "finding", "units"]),
    (
        "assemble",
        &[
            "analyze", "config", "finding", "forecast", "event", "log", "partial", "record", "report", "sql",
            "units", "words",
        ],
    ),
    ("render", &["report", "sql", "units", "words"]),
    ("doctor", &["render", "report", "units", "words"]),
    ("input", &["chunk", "log", "units"]),
    ("output", &[]),
    ("fingerprint_command", &["render", "sql"]),
    ("cli", &[]),
    (
        "command",
        &[
            "cli",
            "analyze",
            "assemble",
            "config",
            "doctor",
            "filter",
            "finding",
            "fingerprint_command",
            "input",
            "log",
            "output",
            "render",
            "report",
        ],
    ),
];

/// The modules of this crate that a source names: by `crate::`, or from the binary by `pglens::`.
fn modules_used(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    let paths = code.split("crate::").skip(1).chain(code.split("pglens::").skip(1));
    let names = paths.flat_map(|path| match path.strip_prefix('{') {
        // `use crate::{a::B, c::{D, E}}` names several, on one line or on many.
        Some(list) => members(list),
        None => vec![path],
    });
    let word = |name: &str| name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    names.map(word).filter(|name: &String| !name.is_empty()).collect()
}

/// What stands between the commas of a list, after its opening brace; lists within it are not looked into.
fn members(list: &str) -> Vec<&str> {
    let (mut found, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.push(list[from..at].trim_start());
                from = at + 1;
            }
            _ => {}
        }
        if c == '}' && from == at + 1 {
            break;
        }
    }
    found
}

#[test]
fn lists_of_modules_are_read_whole() {
    let text = "use crate::{\n    a::{B, C},\n    // d\n    e,\n};\nuse crate::f::G;\nlet h = pglens::i();\n// crate::j\n";
    assert_eq!(modules_used(text), ["a", "e", "f", "i"]);
}

fn sources(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn arrows_go_down_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    let mut arrows = BTreeSet::new();
    for path in files {
        let inside = path.strip_prefix(&root).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let Some(may_use) = allowed.get(module.as_str()) else {
            wrong.push(format!("{module} has no place in the table"));
            continue;
        };
        for used in modules_used(&text) {
            arrows.insert((module.clone(), used.clone()));
            if used != module && used != "test" && !may_use.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", inside.display()));
            }
        }
    }
    for (module, used) in
        ALLOWED.iter().flat_map(|(module, list)| list.iter().map(move |used| (*module, *used)))
    {
        if !arrows.contains(&(module.to_owned(), used.to_owned())) {
            wrong.push(format!("{module} may use {used}, and does not"));
        }
    }
    assert!(wrong.is_empty(), "arrows that point up, or nowhere:\n{}", wrong.join("\n"));
}
