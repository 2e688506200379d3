//! The README's commands, run as they stand there, in a directory with logs of the names that it uses.

#![expect(clippy::unwrap_used, reason = "a test without its files fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The lines of the README's code blocks that call pglens, without what they say in a comment.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).map(|line| line.split("  #").next().unwrap_or_default().trim());
    lines
        .filter(|line| line.contains("pglens ") || line.starts_with("cargo run"))
        .map(str::to_owned)
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A directory in which every file is that the README names.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let log = root().join("fixtures/mixed_pgbench/log.stderr.log");
    for name in ["postgresql.log", "pg.log"] {
        fs::copy(&log, at(name)).unwrap();
    }
    fs::create_dir(at("postgresql")).unwrap();
    fs::copy(&log, at("postgresql/postgresql-15-main.log")).unwrap();
    fs::create_dir_all(at("fixtures/demo")).unwrap();
    let demo = root().join("fixtures/demo/web_shop.log.gz");
    for name in ["fixtures/demo/web_shop.log.gz", "pg.log.1.gz"] {
        fs::copy(&demo, at(name)).unwrap();
    }
    fs::write(at("statements.jsonl"), "{\"sql\": \"SELECT 1\"}\n").unwrap();
    place
}

/// What the shell runs: the binary under test instead of an installed one, our directory instead of Debian's.
fn here(command: &str, place: &Path) -> String {
    let command = match command.strip_prefix("cargo run --release -- ") {
        Some(arguments) => format!("pglens {arguments}"),
        None => command.to_owned(),
    };
    command.replace("/var/log/postgresql", &place.join("postgresql").display().to_string())
}

#[test]
fn each_command_of_the_readme_does_what_it_says() {
    let pglens = PathBuf::from(env!("CARGO_BIN_EXE_pglens"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = pglens.parent().unwrap().to_owned();
    let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path))).unwrap();
    let commands = commands();
    assert!(commands.len() >= 6, "the README shows how to use pglens: {commands:?}");
    for command in commands {
        let place = place();
        let before = files(place.path());
        let run = Command::new("sh")
            .args(["-c", &here(&command, place.path())])
            .current_dir(place.path())
            .env("PATH", &path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(run.status.success(), "{command}: {}", String::from_utf8_lossy(&run.stderr));
        // It answers, on stdout or in the file that it names.
        let written: Vec<PathBuf> =
            files(place.path()).into_iter().filter(|file| !before.contains(file)).collect();
        assert!(!run.stdout.is_empty() || !written.is_empty(), "{command}: says nothing");
        for file in written {
            assert!(fs::metadata(&file).unwrap().len() > 0, "{command}: {} is empty", file.display());
        }
    }
}

fn files(place: &Path) -> Vec<PathBuf> {
    fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect()
}
