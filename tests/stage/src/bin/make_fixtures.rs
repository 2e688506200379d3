//! Plays stories and writes their logs and truth to `fixtures/`: all of them, or those named as arguments.
//!
//! `fixtures/make` calls it. Nothing here asks pglens, so a fixture can prove pglens wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use stage::relay::FORMS;
use stage::server::LAST_WORDS;
use stage::story::SYSLOG;
use stage::{Logs, Relay, STORIES, Server, Story, Truth};

fn main() -> Result<()> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let named: Vec<String> = std::env::args().skip(1).collect();
    let known = STORIES.iter().map(|it| it.name).chain(["demo", SYSLOG.name]).collect::<Vec<_>>();
    for name in &named {
        ensure!(known.contains(&name.as_str()), "no story is called {name}; there are {known:?}");
    }
    let wanted = |story: &str| named.is_empty() || named.iter().any(|name| name == story);
    for story in STORIES.iter().filter(|it| wanted(it.name)) {
        let logs = story.perform().and_then(Server::stop).context(story.name)?;
        write_story(story, &logs, &fixtures.join(story.name))?;
    }
    if wanted("demo") {
        write_demo(&fixtures.join("demo"))?;
    }
    // Needs root and rsyslogd, which not everybody has who makes the others anew.
    if named.iter().any(|name| name == SYSLOG.name) {
        write_syslog(&fixtures.join(SYSLOG.name))?;
    }
    Ok(())
}

fn write_story(story: &Story, logs: &Logs, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let truth = Truth::of_jsonlog(&logs.json)?;
    write_logs(logs, directory)?;
    fs::write(directory.join("truth.json"), truth_text(story, &truth)?)?;
    Ok(())
}

fn write_syslog(directory: &Path) -> Result<()> {
    let relay = Relay::start()?;
    let logs = SYSLOG.perform().and_then(Server::stop)?;
    relay.wait_for(LAST_WORDS)?;
    write_story(&SYSLOG, &logs, directory)?;
    let home = logs.directory().display().to_string();
    for (form, _) in FORMS {
        let text = String::from_utf8(fs::read(relay.log(form))?)?.replace(&home, "/srv/pg");
        // Before its collector runs, the server says to syslog alone that it is about to start it.
        let begin = text.lines().position(|it| it.contains("starting PostgreSQL")).context("an empty log")?;
        let lines: Vec<&str> = text.lines().skip(begin).collect();
        fs::write(directory.join(format!("log.{form}.log")), lines.join("\n") + "\n")?;
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
