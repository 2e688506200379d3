//! Arrows go down only: one crate has no compiler check for layers, so this test is it.
//!
//! Each module may use the modules listed for it and nothing else of this crate. A new arrow is a decision: change
//! the table here and the drawing in ARCHITECTURE.md together.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

use std::collections::BTreeMap;
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
    ("filter", &["log", "record", "sql", "units"]),
    ("finding", &["sql", "units", "bounded"]),
    ("partial", &["log", "sql", "record", "event", "units", "report", "bounded", "finding", "filter"]),
    ("forecast", &["units", "report", "finding", "partial", "sql"]),
    ("config", &["finding"]),
    ("chunk", &["log", "units"]),
    ("analyze", &["chunk", "filter", "log", "partial", "finding", "units"]),
    (
        "assemble",
        &[
            "analyze", "config", "finding", "forecast", "chunk", "event", "log", "partial", "record",
            "report", "sql", "units", "words",
        ],
    ),
    ("render", &["report", "sql", "units", "words"]),
    ("doctor", &["render", "report", "units", "words"]),
    ("input", &["chunk", "log", "units"]),
    ("output", &[]),
    ("fingerprint_command", &["sql"]),
    ("cli", &[]),
    ("command", &["cli"]),
];

fn modules_used(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for line in text.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
        for part in line.split("crate::").skip(1) {
            // `use crate::{a::B, c}` names several.
            let names: Vec<&str> = match part.strip_prefix('{') {
                Some(list) => list.split(',').map(str::trim).collect(),
                None => vec![part],
            };
            for name in names {
                let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
                used.push(name[..end].to_owned());
            }
        }
    }
    used
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
            if used != module && used != "test" && !may_use.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point up:\n{}", wrong.join("\n"));
}
