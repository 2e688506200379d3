//! Paths as typed → [`Plan`].

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::source::{Origin, Place};
use super::{InputError, Plan, PlanNote, PlanOptions, container, listed, names, probe};
use crate::chunk::{Remarks, Source};
use crate::log::{Format, Hints};
use crate::units::Timestamp;

/// Lines of one server stand out of order by less than this, rotated files overlap by less.
const OVERLAP_MICROS: i64 = 5_000_000;

/// Something that will be read.
struct Found {
    name: String,
    place: Place,
    /// Bytes on disk; `None` for pipes.
    len: Option<u64>,
    /// Which log it belongs to: directory and stem; `None` for pipes, which are logs of their own.
    log: Option<(PathBuf, String)>,
    file_name: String,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// Decides what to read.
///
/// # Errors
/// When something that was named cannot be read, or nothing is left to read.
pub fn plan(paths: &[String], options: &PlanOptions) -> Result<Plan, InputError> {
    let mut planner =
        Planner { hints: &options.hints, found: Vec::new(), notes: Vec::new(), seen: HashSet::new() };
    if paths.is_empty() {
        if io::stdin().is_terminal() {
            return Err(InputError::NothingGiven);
        }
        planner.stdin();
    }
    for path in paths {
        planner.given(path)?;
    }
    Ok(planner.finish())
}

struct Planner<'o> {
    hints: &'o Hints,
    found: Vec<Found>,
    notes: Vec<PlanNote>,
    /// Canonical paths.
    seen: HashSet<PathBuf>,
}

impl Planner<'_> {
    fn note(&mut self, code: &'static str, text: String) {
        self.notes.push(PlanNote { code, text });
    }

    fn stdin(&mut self) {
        if !self.seen.insert(PathBuf::from("-")) {
            self.note("read_once", "- (standard input) was named more than once and is read once".to_owned());
            return;
        }
        self.found.push(Found::pipe("-".to_owned(), Place::Stdin));
    }

    /// One argument.
    fn given(&mut self, text: &str) -> Result<(), InputError> {
        if text == "-" {
            self.stdin();
            return Ok(());
        }
        let path = Path::new(text);
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => self.directory(path),
            Ok(meta) => self.file(path, &meta),
            Err(error) if error.kind() == io::ErrorKind::NotFound && text.contains(['*', '?', '[']) => {
                self.pattern(text)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(InputError::Missing { path: path.into() })
            }
            Err(error) => Err(InputError::Unreadable { path: path.into(), error }),
        }
    }

    /// A file that was named: it is read, whatever it looks like, and the report says if it is no log.
    fn file(&mut self, path: &Path, meta: &Metadata) -> Result<(), InputError> {
        let unreadable = |error| InputError::Unreadable { path: path.into(), error };
        if !self.is_new(path).map_err(unreadable)? {
            return Ok(());
        }
        let name = path.display().to_string();
        if !meta.is_file() {
            // A pipe or a device: looking at it would use it up.
            self.found.push(Found::pipe(name, Place::File(path.into())));
            return Ok(());
        }
        drop(File::open(path).map_err(unreadable)?);
        let found =
            self.look(path, meta.len()).map_or_else(|_| Found::new(path, meta.len()), |(found, _)| found);
        self.found.push(found);
        Ok(())
    }

    fn is_new(&mut self, path: &Path) -> io::Result<bool> {
        // Pipes of a shell (`<(…)`) have no canonical path.
        let canonical = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.seen.insert(canonical) {
            return Ok(true);
        }
        self.note("read_once", format!("{} was named more than once and is read once", path.display()));
        Ok(false)
    }

    fn directory(&mut self, path: &Path) -> Result<(), InputError> {
        let unreadable = |error| InputError::Unreadable { path: path.into(), error };
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            files.push(entry.map_err(unreadable)?.path());
        }
        files.sort();
        let (chosen, skipped) = self.choose(files);
        if chosen == 0 {
            return Err(InputError::NoLogs { path: path.into(), skipped });
        }
        self.note_skipped(&path.display().to_string(), &skipped);
        Ok(())
    }

    fn pattern(&mut self, pattern: &str) -> Result<(), InputError> {
        let no_match = || InputError::NoMatch { pattern: pattern.to_owned() };
        let files: Vec<PathBuf> =
            glob::glob(pattern).map_err(|_| no_match())?.filter_map(Result::ok).collect();
        if files.is_empty() {
            return Err(no_match());
        }
        let (chosen, skipped) = self.choose(files);
        if chosen == 0 {
            return Err(InputError::NoLogsMatch { pattern: pattern.to_owned(), skipped });
        }
        self.note_skipped(pattern, &skipped);
        Ok(())
    }

    fn note_skipped(&mut self, place: &str, skipped: &[String]) {
        if !skipped.is_empty() {
            self.note(
                "not_a_log",
                format!("{place}: left out, because they are no PostgreSQL log: {}", listed(skipped)),
            );
        }
    }

    /// Takes the logs among files that nobody named one by one. How many, and which files were left out.
    fn choose(&mut self, files: Vec<PathBuf>) -> (usize, Vec<String>) {
        let mut skipped = Vec::new();
        let mut logs: BTreeMap<(PathBuf, String), Vec<(Found, Format)>> = BTreeMap::new();
        let mut known = 0;
        for path in files {
            let Ok(meta) = fs::metadata(&path) else { continue };
            if !meta.is_file() {
                continue;
            }
            let file_name = file_name(&path);
            if names::is_other(&file_name) {
                skipped.push(file_name);
                continue;
            }
            let canonical = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            if self.seen.contains(&canonical) {
                known += 1;
                continue;
            }
            match self.look(&path, meta.len()) {
                Ok((found, Look::Log(format))) => {
                    self.seen.insert(canonical);
                    let run = (parent(&path), names::run(&file_name));
                    logs.entry(run).or_default().push((found, format));
                }
                Ok((_, Look::Empty)) => skipped.push(format!("{file_name} (empty)")),
                Ok((_, Look::Other)) => skipped.push(file_name),
                Err(error) => skipped.push(format!("{file_name} ({error})")),
            }
        }
        let chosen = known + logs.len();
        for variants in logs.into_values() {
            self.one_variant(variants);
        }
        (chosen, skipped)
    }

    /// The server can write one run in three formats at once. The richest is read.
    fn one_variant(&mut self, mut variants: Vec<(Found, Format)>) {
        variants.sort_by_key(|(_, format)| rank(*format));
        let best = variants[0].1;
        let name = variants[0].0.name.clone();
        for (found, format) in variants {
            if format == best {
                // `pg.log` and `pg.log.gz`: two files of one format are two pieces of the log.
                self.found.push(found);
            } else {
                let left = &found.name;
                self.note(
                    "same_run",
                    format!("{left} is not read: it holds the same run as {name} in another format"),
                );
            }
        }
    }

    fn look(&self, path: &Path, len: u64) -> io::Result<(Found, Look)> {
        let mut found = Found::new(path, len);
        let bytes = found.place.open(&Arc::default())?;
        let mut decoded = container::decode(bytes, &Remarks::default())?;
        let seen = probe::probe(&mut decoded.bytes, self.hints)?;
        found.first = seen.first;
        let Some(dialect) = seen.dialect else {
            return Ok((found, if seen.empty { Look::Empty } else { Look::Other }));
        };
        if decoded.compression.is_none() {
            found.last = probe::last_time(path, &dialect);
        }
        Ok((found, Look::Log(dialect.format())))
    }

    fn finish(self) -> Plan {
        let progress = Arc::new(AtomicU64::new(0));
        let total = self.found.iter().map(|found| found.len).sum();
        let streams = streams(self.found).into_iter().map(|stream| {
            let source = |found: Found| -> Box<dyn Source> {
                Box::new(Origin { name: found.name, place: found.place, progress: Arc::clone(&progress) })
            };
            stream.into_iter().map(source).collect()
        });
        Plan { streams: streams.collect(), notes: self.notes, total, progress: Arc::clone(&progress) }
    }
}

/// What a file looks like.
enum Look {
    /// A log in this format.
    Log(Format),
    Empty,
    Other,
}

/// jsonlog and csvlog know more than the prefix of a stderr log can say.
fn rank(format: Format) -> u8 {
    match format {
        Format::Json => 0,
        Format::Csv => 1,
        _ => 2,
    }
}

impl Found {
    fn new(path: &Path, len: u64) -> Self {
        let file_name = file_name(path);
        Self {
            name: path.display().to_string(),
            place: Place::File(path.into()),
            len: Some(len),
            log: Some((parent(path), names::stem(&file_name))),
            file_name,
            first: None,
            last: None,
        }
    }

    fn pipe(name: String, place: Place) -> Self {
        Self { file_name: name.clone(), name, place, len: None, log: None, first: None, last: None }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn parent(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned())
}

/// Puts files into streams; streams in the order in which their first file was given.
fn streams(found: Vec<Found>) -> Vec<Vec<Found>> {
    let mut logs: Vec<Vec<Found>> = Vec::new();
    for file in found {
        match logs.iter_mut().find(|log| file.log.is_some() && log[0].log == file.log) {
            Some(log) => log.push(file),
            None => logs.push(vec![file]),
        }
    }
    logs.into_iter().flat_map(by_time).collect()
}

/// Orders the files of one name, and takes apart those that overlap in time.
fn by_time(mut files: Vec<Found>) -> Vec<Vec<Found>> {
    files.sort_by(|left, right| names::by_age(&left.file_name, &right.file_name));
    if files.iter().all(|file| file.first.is_some()) {
        // Stable: files that begin at the same time stay in the order of their names.
        files.sort_by_key(|file| file.first);
    }
    let mut lanes: Vec<Vec<Found>> = Vec::new();
    for file in files {
        let follows = |lane: &&mut Vec<Found>| {
            let last = lane.iter().filter_map(|file| file.last).max();
            match (last, file.first) {
                (Some(last), Some(first)) => last.0 <= first.0.saturating_add(OVERLAP_MICROS),
                _ => true,
            }
        };
        match lanes.iter_mut().find(follows) {
            Some(lane) => lane.push(file),
            None => lanes.push(vec![file]),
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that begins in this minute and ends in the next.
    fn log(minute: u32) -> String {
        let line = |minute, text| format!("2026-11-23 10:{minute:02}:00.000 UTC [7] LOG:  {text}\n");
        [
            line(minute, "duration: 1.000 ms  statement: SELECT 1"),
            line(minute + 1, "checkpoint starting: time"),
        ]
        .concat()
    }

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    /// The file names by stream, and the codes of the notes.
    fn check(directory: &Path, paths: &[&str]) -> Result<(Vec<Vec<String>>, Vec<&'static str>), String> {
        let paths: Vec<String> =
            paths.iter().map(|path| directory.join(path).display().to_string()).collect();
        let plan = plan(&paths, &PlanOptions::default()).map_err(|error| error.to_string())?;
        let names = |stream: &Vec<Box<dyn Source>>| {
            stream.iter().map(|source| file_name(Path::new(source.name()))).collect::<Vec<_>>()
        };
        Ok((plan.streams.iter().map(names).collect(), plan.notes.iter().map(|note| note.code).collect()))
    }

    #[test]
    fn rotated_files_are_one_stream_in_the_order_of_time() {
        let (wed, thu, fri) = (log(10), log(20), log(30));
        let files =
            [("pg-Fri.log", &*fri), ("pg-Thu.log", &*thu), ("pg-Wed.log", &*wed), ("replica.log", &*wed)];
        let directory = directory(&files);
        let (streams, notes) = check(directory.path(), &[""]).unwrap();
        assert_eq!(streams, [vec!["pg-Wed.log", "pg-Thu.log", "pg-Fri.log"], vec!["replica.log"]]);
        assert!(notes.is_empty());
    }

    #[test]
    fn a_file_named_twice_is_read_once() {
        let directory = directory(&[("a.log", &log(1))]);
        let (streams, notes) = check(directory.path(), &["a.log", "./a.log", ""]).unwrap();
        assert_eq!(streams, [["a.log"]]);
        assert_eq!(notes, ["read_once"]);
    }

    #[test]
    fn names_that_mislead_are_told_apart_by_time() {
        let directory = directory(&[("db1.log", &log(1)), ("db2.log", &log(1)), ("db3.log", &log(2))]);
        let (streams, _) = check(directory.path(), &[""]).unwrap();
        assert_eq!(streams, [vec!["db1.log", "db3.log"], vec!["db2.log"]]);
    }

    #[test]
    fn what_is_no_log_is_left_out_of_a_directory() {
        let directory = directory(&[("a.log", &log(1)), ("postmaster.pid", "1"), ("empty.log", "")]);
        let (streams, notes) = check(directory.path(), &[""]).unwrap();
        assert_eq!(streams, [["a.log"]]);
        assert_eq!(notes, ["not_a_log"]);
    }

    #[test]
    fn a_pattern_that_no_shell_expanded() {
        let directory = directory(&[("a.log", &log(1)), ("b.log", &log(1)), ("c.txt", &log(1))]);
        let (streams, _) = check(directory.path(), &["*.log"]).unwrap();
        assert_eq!(streams, [["a.log"], ["b.log"]]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let directory = directory(&[("postgresql.conf", "x = 1")]);
        let path = directory.path().display();
        let error = |name| check(directory.path(), &[name]).unwrap_err();
        assert_eq!(error("none.log"), format!("{path}/none.log: no such file or directory"));
        assert_eq!(error("*.log"), format!("{path}/*.log: no file fits this pattern"));
        assert_eq!(
            error(""),
            format!(
                "{path}/: no PostgreSQL log in this directory (its subdirectories are not searched); not a log: \
                 postgresql.conf"
            )
        );
    }
}
