//! Files → runs → streams: which files are one run in several formats, and which are one log in several pieces.

use std::collections::HashMap;
use std::path::PathBuf;

use super::found::Found;
use super::names;
use crate::log::{Dialect, Format};
use crate::units::{ByteOffset, Timestamp};

/// Lines of one server stand out of order by less than this, rotated files overlap by less.
const OVERLAP_MICROS: i64 = 5_000_000;

/// Puts the variants of one run together: files of one name in several formats, and files of several formats that
/// begin and end at the same moments.
pub(super) fn runs(logs: Vec<(Found, Format)>) -> Vec<Vec<(Found, Format)>> {
    let mut runs: Vec<Vec<(Found, Format)>> = Vec::new();
    let mut by_name: HashMap<(PathBuf, String), usize> = HashMap::new();
    for (found, format) in logs {
        let folder = found.log.as_ref().map(|(folder, _)| folder.clone()).unwrap_or_default();
        let run = names::run(&found.file_name);
        let is_variant = |(other, theirs): &(Found, Format)| {
            *theirs != format
                && is_same_moment(other.first, found.first)
                && is_same_moment(other.last, found.last)
                && other.log.as_ref().is_some_and(|(other, _)| *other == folder)
        };
        let known = by_name.get(&(folder.clone(), run.clone())).copied();
        let place = known.or_else(|| runs.iter().position(|run| run.iter().any(is_variant)));
        let place = place.unwrap_or_else(|| {
            runs.push(Vec::new());
            runs.len() - 1
        });
        runs[place].push((found, format));
        by_name.insert((folder, run), place);
    }
    runs
}

/// Pairs of files that were both named, and look like one run in two formats.
pub(super) fn twice(found: &[Found]) -> Vec<(String, String)> {
    let mut runs: HashMap<(&PathBuf, String), &Found> = HashMap::new();
    let mut twice = Vec::new();
    for file in found {
        let (Some((folder, _)), Some(dialect)) = (&file.log, &file.dialect) else { continue };
        let first = *runs.entry((folder, names::run(&file.file_name))).or_insert(file);
        let other = first.dialect.as_ref().map(Dialect::format) != Some(dialect.format());
        if other && is_same_moment(first.first, file.first) {
            twice.push((first.name.clone(), file.name.clone()));
        }
    }
    twice
}

/// Some prefixes have whole seconds only.
pub(super) fn is_same_moment(left: Option<Timestamp>, right: Option<Timestamp>) -> bool {
    matches!((left, right), (Some(left), Some(right)) if left.second().abs_diff(right.second()) <= 1)
}

/// Puts files into streams; streams in the order in which their first file was given.
pub(super) fn streams(found: Vec<Found>) -> Vec<Vec<Found>> {
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
pub(super) fn by_time(mut files: Vec<Found>) -> Vec<Vec<Found>> {
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
            Some(lane) if lane.len() < ByteOffset::MOST_FILES => lane.push(file),
            _ => lanes.push(vec![file]),
        }
    }
    lanes
}
