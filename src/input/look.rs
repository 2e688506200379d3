//! Looking at what lies at a path: a file, or an archive of files; a log, or something else.

use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use super::archive::{Member, Members};
use super::container::{self, Container};
use super::found::Found;
use super::probe::Probe;
use super::{archive, names, probe};
use crate::chunk::{Remarks, SAMPLE};
use crate::log::{Format, Hints};
use crate::units::Timestamp;

/// What lies at a path.
pub(super) enum Looked {
    File(Box<Found>, Look),
    Archive(io::Result<ArchiveLook>),
}

/// What lies in an archive.
pub(super) struct ArchiveLook {
    pub(super) files: Vec<(Found, Look)>,
    /// Files that cannot be read, and why.
    pub(super) unreadable: Vec<String>,
    pub(super) damage: Option<String>,
}

/// What a file looks like.
pub(super) enum Look {
    /// A log in this format.
    Log(Format),
    Empty,
    Other,
}

/// Looks at a file on the disk, or at the files in it.
pub(super) fn look(path: &Path, len: u64, hints: &Hints) -> io::Result<Looked> {
    let mut found = Found::new(path, len);
    let bytes = found.place.open(&Arc::default(), &Remarks::default())?;
    let mut decoded = container::decode(bytes, &Remarks::default())?;
    match decoded.container {
        Container::Zip => {
            let members = match decoded.compression {
                None => archive::zip(path),
                Some(_) => Err(invalid("is a compressed zip archive: decompress it first")),
            };
            let kind = archive::kind_name(decoded.container, None);
            Ok(Looked::Archive(members.map(|members| members_on_disk(path, members, kind, hints))))
        }
        Container::Tar => {
            let kind = archive::kind_name(decoded.container, decoded.compression);
            Ok(Looked::Archive(match decoded.compression {
                None => archive::tar(path).map(|members| members_on_disk(path, members, kind, hints)),
                Some(_) => members_on_tape(path, kind, hints),
            }))
        }
        _ => {
            let seen = probe::probe(&mut decoded.bytes, hints)?;
            found.first = seen.first;
            if decoded.compression.is_none()
                && let Some(dialect) = &seen.dialect
            {
                found.last = probe::last_time(path, dialect);
            }
            let look = Look::of(&seen);
            found.dialect = seen.dialect;
            Ok(Looked::File(Box::new(found), look))
        }
    }
}

/// The latest time in a file in a container, which has to be decompressed for that; `None` for pipes.
pub(super) fn last_time(found: &Found, hints: &Hints) -> Option<Timestamp> {
    found.len?;
    let open = || {
        container::decode(found.place.open(&Arc::default(), &Remarks::default()).ok()?, &Remarks::default())
            .ok()
    };
    let dialect = probe::probe(&mut open()?.bytes, hints).ok()?.dialect?;
    probe::last_time_through(&mut open()?.bytes, &dialect)
}

impl Look {
    fn of(probe: &Probe) -> Self {
        match &probe.dialect {
            Some(dialect) => Self::Log(dialect.format()),
            None if probe.empty => Self::Empty,
            None => Self::Other,
        }
    }
}

/// Files in an archive, each of which can be opened.
fn members_on_disk(path: &Path, members: Members, kind: &'static str, hints: &Hints) -> ArchiveLook {
    let look =
        |member: &Member| look_at_member(member.place.open(&Arc::default(), &Remarks::default())?, hints);
    let looks: Vec<_> = members.list.iter().map(look).collect();
    gather(path, members, looks, kind)
}

/// Files in a compressed tar archive, all looked at in one pass.
fn members_on_tape(path: &Path, kind: &'static str, hints: &Hints) -> io::Result<ArchiveLook> {
    let mut looks = Vec::new();
    let members = archive::packed_tar(path, |bytes| {
        let mut beginning = Vec::new();
        // An error here is met again, and reported, when the file is read.
        let _ = bytes.take(SAMPLE as u64).read_to_end(&mut beginning);
        looks.push(look_at_member(Box::new(Cursor::new(beginning)), hints));
    })?;
    Ok(gather(path, members, looks, kind))
}

fn gather(
    path: &Path,
    members: Members,
    looks: Vec<io::Result<(Look, Option<Timestamp>)>>,
    kind: &'static str,
) -> ArchiveLook {
    let mut gathered =
        ArchiveLook { files: Vec::new(), unreadable: members.unreadable, damage: members.damage };
    for (member, look) in members.list.iter().zip(looks) {
        let mut found = Found::member(path, member, kind);
        match look {
            _ if names::is_other(&found.file_name) => gathered.files.push((found, Look::Other)),
            Ok((look, first)) => {
                found.first = first;
                gathered.files.push((found, look));
            }
            Err(error) => gathered.unreadable.push(format!("{} ({error})", member.name)),
        }
    }
    gathered
}

fn look_at_member(bytes: Box<dyn Read + Send>, hints: &Hints) -> io::Result<(Look, Option<Timestamp>)> {
    let mut decoded = container::decode(bytes, &Remarks::default())?;
    if decoded.container != Container::Plain {
        return Err(invalid("an archive within an archive"));
    }
    let seen = probe::probe(&mut decoded.bytes, hints)?;
    Ok((Look::of(&seen), seen.first))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
