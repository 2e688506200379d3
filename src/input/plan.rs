//! Paths as typed → [`Plan`].

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::found::{Found, file_name};
use super::look::{self, ArchiveLook, Look, Looked};
use super::source::{Origin, Place};
use super::streams::{runs, streams, twice};
use super::{InputError, Plan, PlanNote, PlanOptions, listed, names};
use crate::chunk::Source;
use crate::log::{Format, Hints};
use crate::units::Timestamp;

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
    planner.finish(options)
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
        match look::look(path, meta.len(), self.hints) {
            Ok(Looked::File(found, _)) => self.found.push(*found),
            Ok(Looked::Archive(members)) => {
                let mut choice = Choice::default();
                self.take_archive(&name, members.map_err(unreadable)?, &mut choice);
                if self.settle(&name, choice) == 0 {
                    return Err(InputError::NoLogsInArchive { path: path.into() });
                }
            }
            // Reading will meet the same error, after everything before it.
            Err(_) => self.found.push(Found::new(path, meta.len())),
        }
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
        let choice = self.choose(files);
        if choice.is_empty() {
            return Err(InputError::NoLogs { path: path.into(), skipped: choice.skipped });
        }
        self.settle(&path.display().to_string(), choice);
        Ok(())
    }

    fn pattern(&mut self, pattern: &str) -> Result<(), InputError> {
        let no_match = || InputError::NoMatch { pattern: pattern.to_owned() };
        let files: Vec<PathBuf> =
            glob::glob(pattern).map_err(|_| no_match())?.filter_map(Result::ok).collect();
        if files.is_empty() {
            return Err(no_match());
        }
        let choice = self.choose(files);
        if choice.is_empty() {
            return Err(InputError::NoLogsMatch { pattern: pattern.to_owned(), skipped: choice.skipped });
        }
        self.settle(pattern, choice);
        Ok(())
    }

    /// Looks for logs among files that nobody named one by one.
    fn choose(&mut self, files: Vec<PathBuf>) -> Choice {
        let mut choice = Choice::default();
        for path in files {
            let Ok(meta) = fs::metadata(&path) else { continue };
            if !meta.is_file() {
                continue;
            }
            let file_name = file_name(&path);
            if names::is_other(&file_name) {
                choice.skipped.push(file_name);
                continue;
            }
            let canonical = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            if self.seen.contains(&canonical) {
                choice.known += 1;
                continue;
            }
            match look::look(&path, meta.len(), self.hints) {
                Ok(Looked::File(found, look)) => {
                    if matches!(look, Look::Log(_)) {
                        self.seen.insert(canonical);
                    }
                    choice.add(*found, look);
                }
                Ok(Looked::Archive(Ok(members))) => {
                    self.seen.insert(canonical);
                    self.take_archive(&path.display().to_string(), members, &mut choice);
                }
                Ok(Looked::Archive(Err(error))) | Err(error) => {
                    choice.skipped.push(format!("{file_name} ({error})"));
                }
            }
        }
        choice
    }

    fn take_archive(&mut self, name: &str, members: ArchiveLook, choice: &mut Choice) {
        choice.skipped.extend(members.unreadable);
        if let Some(damage) = members.damage {
            self.note("damaged_archive", format!("{name}: {damage}; the files before that were read"));
        }
        members.files.into_iter().for_each(|(found, look)| choice.add(found, look));
    }

    /// Takes what was chosen, says what was not. How many logs these are.
    fn settle(&mut self, place: &str, choice: Choice) -> usize {
        if !choice.skipped.is_empty() {
            let skipped = listed(&choice.skipped);
            self.note(
                "not_a_log",
                format!("{place}: left out, because they are no PostgreSQL log: {skipped}"),
            );
        }
        let runs = runs(choice.logs);
        let chosen = choice.known + runs.len();
        runs.into_iter().for_each(|variants| self.one_variant(variants));
        chosen
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

    fn finish(mut self, options: &PlanOptions) -> Result<Plan, InputError> {
        for (one, other) in twice(&self.found) {
            let text =
                "look like one run in two formats: what is in both counts twice (a directory is read once)";
            self.note("counted_twice", format!("{one} and {other} {text}"));
        }
        let progress = Arc::new(AtomicU64::new(0));
        let total = self.found.iter().map(|found| found.len).sum();
        let streams = streams(self.found);
        let mut window = options.window;
        let end = match (window.last, window.until) {
            (Some(_), None) => end_of(&streams, self.hints)?,
            _ => None,
        };
        window.since = window.since(end);
        window.last = None;
        let options = PlanOptions { window, ..options.clone() };
        let source = |found: Found| -> Box<dyn Source> {
            Box::new(Origin {
                name: found.name,
                place: found.place,
                dialect: found.dialect,
                archive: found.archive,
                options: options.clone(),
                progress: Arc::clone(&progress),
            })
        };
        let streams = streams.into_iter().map(|stream| stream.into_iter().map(source).collect()).collect();
        Ok(Plan { streams, window, notes: self.notes, total, progress })
    }
}

/// The latest moment of all logs: that of the last file of each.
fn end_of(streams: &[Vec<Found>], hints: &Hints) -> Result<Option<Timestamp>, InputError> {
    let mut end = None;
    for found in streams.iter().filter_map(|stream| stream.last()) {
        let last = if found.last.is_some() { found.last } else { look::last_time(found, hints) };
        match last {
            Some(last) => end = end.max(Some(last)),
            // What is no log has no end, and will be said to be none.
            None if found.first.is_none() && found.len.is_some() => {}
            None => return Err(InputError::NoEnd { name: found.name.clone() }),
        }
    }
    Ok(end)
}

/// Logs among files that nobody named one by one.
#[derive(Default)]
struct Choice {
    logs: Vec<(Found, Format)>,
    /// What was left out, and why.
    skipped: Vec<String>,
    /// Files that were chosen before.
    known: usize,
}

impl Choice {
    fn is_empty(&self) -> bool {
        self.logs.is_empty() && self.known == 0
    }

    fn add(&mut self, found: Found, look: Look) {
        match look {
            Look::Log(format) => self.logs.push((found, format)),
            Look::Empty => self.skipped.push(format!("{} (empty)", found.file_name)),
            Look::Other => self.skipped.push(found.file_name),
        }
    }
}

/// jsonlog and csvlog know more than the prefix of a stderr log can say.
fn rank(format: Format) -> u8 {
    match format {
        Format::Json => 0,
        Format::Csv => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

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

    fn read(source: &mut Box<dyn Source>) -> (Option<&'static str>, Result<String, String>) {
        let mut text = String::new();
        match source.open() {
            Ok(mut opened) => {
                let error = opened.bytes.read_to_string(&mut text).map_err(|error| error.to_string());
                (opened.compression, error.map(|_| text))
            }
            Err(error) => (None, Err(error.to_string())),
        }
    }

    fn tar(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn zip(files: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (number, (name, text)) in files.iter().enumerate() {
            let method = if number % 2 == 0 {
                zip::CompressionMethod::Deflated
            } else {
                zip::CompressionMethod::Stored
            };
            let options = zip::write::SimpleFileOptions::default().compression_method(method);
            writer.start_file(*name, options).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn files_of_an_archive_are_sources_of_their_own() {
        let (old, new, other) = (log(10), log(20), log(12));
        let files = [
            ("pg/pg.log", &*new),
            ("pg/pg.log.1", &*old),
            ("../../etc/other.log", &*other),
            ("pg/pg.conf", "x = 1"),
        ];
        let zip_files = files;
        let tar_files = [files[0], files[1], ("etc/other.log", files[2].1), files[3]];
        for (name, archive, kind) in [
            ("a.zip", zip(&zip_files), "zip"),
            ("a.tar", tar(&tar_files), "tar"),
            ("a.tgz", gzip(&tar(&tar_files)), "tar.gz"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(name);
            fs::write(&path, &archive).unwrap();
            for given in [path.clone(), directory.path().to_owned()] {
                let mut plan = plan(&[given.display().to_string()], &PlanOptions::default()).unwrap();
                assert_eq!(plan.notes.len(), 1, "{:?}", plan.notes);
                assert!(plan.notes[0].text.ends_with("no PostgreSQL log: pg.conf"), "{:?}", plan.notes);
                let names: Vec<Vec<&str>> = plan
                    .streams
                    .iter()
                    .map(|stream| {
                        stream.iter().map(|source| source.name().rsplit_once('!').unwrap().1).collect()
                    })
                    .collect();
                let other = if kind == "zip" { "../../etc/other.log" } else { "etc/other.log" };
                assert_eq!(names, [vec!["pg/pg.log.1", "pg/pg.log"], vec![other]]);
                assert_eq!(read(&mut plan.streams[0][0]), (Some(kind), Ok(old.clone())));
                assert_eq!(read(&mut plan.streams[0][1]), (Some(kind), Ok(new.clone())));
                let files = [&old, &new, &log(12)].map(String::len).iter().sum::<usize>() as u64;
                match kind {
                    "tar" => assert_eq!(plan.total, Some(files)),
                    "tar.gz" => assert_eq!(plan.total, Some(archive.len() as u64)),
                    _ => assert!(plan.total.unwrap() < archive.len() as u64),
                }
            }
        }
    }

    #[test]
    fn a_damaged_archive_gives_what_it_has() {
        let (first, second) = (log(10).repeat(50), log(20).repeat(50));
        let files = [("a.log", &*first), ("b.log", &*second)];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archive");
        let archive = tar(&files);
        let cut = 512 + first.len().next_multiple_of(512) + 512 + 100;
        for archive in [archive[..cut].to_vec(), gzip(&archive[..cut])] {
            fs::write(&path, archive).unwrap();
            let mut plan = plan(&[path.display().to_string()], &PlanOptions::default()).unwrap();
            assert_eq!(read(&mut plan.streams[0][0]).1, Ok(first.clone()));
            assert!(read(&mut plan.streams[1][0]).1.unwrap_err().contains("ends early"));
        }
        let mut archive = zip(&files);
        let middle = first.len() / 40;
        archive[middle] ^= 0x55;
        fs::write(&path, &archive).unwrap();
        let error = match plan(&[path.display().to_string()], &PlanOptions::default()) {
            Ok(mut plan) => read(&mut plan.streams[0][0]).1.unwrap_err(),
            Err(error) => error.to_string(),
        };
        assert!(error.contains("damaged"), "{error}");
        fs::write(&path, &archive[..archive.len() - 30]).unwrap();
        let error =
            plan(&[path.display().to_string()], &PlanOptions::default()).map(drop).unwrap_err().to_string();
        assert!(error.contains("table of contents is damaged"), "{error}");
    }

    #[test]
    fn one_run_in_several_formats_is_read_once() {
        let directory = directory(&[("a.log", &log(1)), ("b.log", &log(1))]);
        let json = r#"{"timestamp":"2026-11-23 10:01:00.000 UTC","pid":7,"session_id":"1.7","line_num":1,"error_severity":"LOG","message":"x","backend_type":"client backend"}"#;
        let (streams, _) = check(directory.path(), &[""]).unwrap();
        assert_eq!(streams.len(), 2);
        fs::write(directory.path().join("a.json"), format!("{json}\n").repeat(20)).unwrap();
        let Ok((streams, notes)) = check(directory.path(), &[""]) else { panic!("a plan") };
        if crate::log::Dialect::detect(json.as_bytes(), &Hints::default()).is_ok() {
            assert_eq!(streams, [["a.json"], ["b.log"]]);
            assert_eq!(notes, ["same_run"]);
            let (streams, notes) = check(directory.path(), &["a.json", "a.log"]).unwrap();
            assert_eq!(streams, [["a.json"], ["a.log"]]);
            assert_eq!(notes, ["counted_twice"]);
        }
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
