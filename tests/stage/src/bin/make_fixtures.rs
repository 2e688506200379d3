//! Plays stories and writes their logs and truth to `fixtures/`: all of them, or those named as arguments.
//!
//! `fixtures/make` calls it. Nothing here asks pglens, so a fixture can prove pglens wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use stage::{Logs, STORIES, Story, Truth};

fn main() -> Result<()> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let named: Vec<String> = std::env::args().skip(1).collect();
    for name in &named {
        ensure!(name == "demo" || STORIES.iter().any(|it| it.name == name), "no story is called {name}");
    }
    if named.is_empty() || named.iter().any(|name| name == "demo") {
        write_demo(&fixtures.join("demo"))?;
    }
    for story in STORIES.iter().filter(|it| named.is_empty() || named.iter().any(|name| name == it.name)) {
        let logs = story.perform().and_then(stage::Server::stop).context(story.name)?;
        let directory = fixtures.join(story.name);
        fs::create_dir_all(&directory)?;
        let truth = Truth::of_jsonlog(&logs.json)?;
        write_logs(&logs, &directory)?;
        fs::write(directory.join("truth.json"), truth_text(story, &truth)?)?;
    }
    Ok(())
}

/// Copies the logs, with one name for the random directory that the server lived in.
fn write_logs(logs: &Logs, directory: &Path) -> Result<()> {
    let home = logs.directory().to_str().context("the temporary directory's name is not UTF-8")?;
    for (log, name) in logs.all().into_iter().zip(["log.stderr.log", "log.csv", "log.json"]) {
        let text = String::from_utf8(fs::read(log)?)?.replace(home, "/srv/pg");
        fs::write(directory.join(name), text)?;
    }
    Ok(())
}

/// The log that README's first command reads, compressed as a log of last week would be.
fn write_demo(directory: &Path) -> Result<()> {
    let demo = stage::story::demo()?;
    fs::create_dir_all(directory)?;
    let log = directory.join("web_shop.log");
    fs::write(&log, &demo.log)?;
    // -n: no name and no time inside, so that equal logs are equal files.
    let compressed = Command::new("gzip").args(["-9", "-n", "-f"]).arg(&log).status()?;
    ensure!(compressed.success(), "gzip: {compressed}");
    let why = "A day of a web shop with the usual mistakes: what README's first command turns into a report.";
    let text = json!({ "why": why, "report": demo.truth.as_report() });
    fs::write(directory.join("truth.json"), serde_json::to_string_pretty(&text)? + "\n")?;
    Ok(())
}

fn truth_text(story: &Story, truth: &Truth) -> Result<String> {
    let settings: Map<String, Value> =
        story.settings.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
    let text = json!({ "why": story.why, "settings": settings, "report": truth.as_report() });
    Ok(serde_json::to_string_pretty(&text)? + "\n")
}
