//! `Found`: a file that will be read, and what is known about it.

use std::fs;
use std::path::{Path, PathBuf};

use super::source::Place;
use super::{archive, names};
use crate::log::Dialect;
use crate::units::Timestamp;

/// Something that will be read.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) place: Place,
    /// Bytes on disk; `None` for pipes.
    pub(super) len: Option<u64>,
    /// Which log it belongs to: directory and stem; `None` for pipes, which are logs of their own.
    pub(super) log: Option<(PathBuf, String)>,
    pub(super) file_name: String,
    /// The archive that it lies in.
    pub(super) archive: Option<&'static str>,
    /// How it is written, where that was seen.
    pub(super) dialect: Option<Dialect>,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
}

impl Found {
    pub(super) fn new(path: &Path, len: u64) -> Self {
        let file_name = file_name(path);
        Self {
            name: path.display().to_string(),
            place: Place::File(path.into()),
            len: Some(len),
            log: Some((parent(path), names::stem(&file_name))),
            file_name,
            archive: None,
            dialect: None,
            first: None,
            last: None,
        }
    }

    pub(super) fn member(path: &Path, member: &archive::Member, kind: &'static str) -> Self {
        let (folder, file_name) = member.name.rsplit_once('/').unwrap_or(("", &member.name));
        // Not a path that is ever opened: only to tell the folders of an archive apart.
        let folder = fs::canonicalize(path)
            .unwrap_or_else(|_| path.to_owned())
            .join("!")
            .join(folder.trim_start_matches('/'));
        Self {
            name: format!("{}!{}", path.display(), member.name),
            place: member.place.clone(),
            len: Some(member.len),
            log: Some((folder, names::stem(file_name))),
            file_name: file_name.to_owned(),
            archive: Some(kind),
            dialect: None,
            first: None,
            last: None,
        }
    }

    pub(super) fn pipe(name: String, place: Place) -> Self {
        Self {
            file_name: name.clone(),
            name,
            place,
            len: None,
            log: None,
            archive: None,
            dialect: None,
            first: None,
            last: None,
        }
    }
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub(super) fn parent(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned())
}
