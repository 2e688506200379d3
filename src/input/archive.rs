//! Archives: each plain file in a zip or tar is a source of its own, named `archive!member`, streamed from where it
//! lies. Names of members are data: nothing is unpacked, no name is ever opened as a path.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::CrcReader;
use flate2::bufread::DeflateDecoder;
use zip::CompressionMethod;

use super::container::{self, Container};
use super::metered::Raw;
use super::source::Place;
use super::tar::{Streamed, TarWalk};
use crate::chunk::Remarks;

/// Files in one archive.
const MOST_MEMBERS: usize = 10_000;

/// A file in an archive.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) place: Place,
    /// Bytes on the disk.
    pub(super) len: u64,
}

/// What is in an archive.
#[derive(Default)]
pub(super) struct Members {
    pub(super) list: Vec<Member>,
    /// Files that cannot be read, and why.
    pub(super) unreadable: Vec<String>,
    /// Why the list may not be complete.
    pub(super) damage: Option<String>,
}

impl Members {
    fn push(&mut self, member: Member) -> io::Result<()> {
        if self.list.len() >= MOST_MEMBERS {
            let text = format!("holds more than {MOST_MEMBERS} files");
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        self.list.push(member);
        Ok(())
    }
}

/// The files of a zip archive, from its table of contents.
pub(super) fn zip(path: &Path) -> io::Result<Members> {
    let damaged = |error: zip::result::ZipError| {
        io::Error::new(
            ErrorKind::InvalidData,
            format!("is a zip archive whose table of contents is damaged: {error}"),
        )
    };
    let mut archive = zip::ZipArchive::new(File::open(path)?).map_err(damaged)?;
    let mut members = Members::default();
    for number in 0..archive.len() {
        let file = archive.by_index_raw(number).map_err(damaged)?;
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        if !file.is_file() {
            continue;
        }
        let method = match file.compression() {
            CompressionMethod::Stored => Some(Method::Stored),
            CompressionMethod::Deflated => Some(Method::Deflated),
            // The bytes of these are whole containers, found out by their content.
            CompressionMethod::ZSTD | CompressionMethod::BZIP2 | CompressionMethod::XZ => {
                Some(Method::Contained)
            }
            _ => None,
        };
        match (method, file.data_start()) {
            _ if file.encrypted() => members.unreadable.push(format!("{name} (encrypted)")),
            (Some(method), Some(offset)) => {
                let len = file.compressed_size();
                let whole = Whole { size: file.size(), crc: file.crc32() };
                let place = Place::Zipped { path: path.into(), offset, len, method, whole };
                members.push(Member { name, place, len })?;
            }
            _ => members.unreadable.push(format!("{name} (compressed in a way that is not known here)")),
        }
    }
    Ok(members)
}

/// The files of a tar archive that lies open on the disk.
pub(super) fn tar(path: &Path) -> io::Result<Members> {
    let mut members = Members::default();
    let mut walk = TarWalk::new(File::open(path)?);
    loop {
        match walk.advance() {
            Ok(Some(member)) if member.regular => {
                let place = Place::Slice { path: path.into(), offset: member.offset, len: member.len };
                members.push(Member { name: member.name, place, len: member.len })?;
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(members),
            Err(error) => return tar_damage(members, &error),
        }
    }
}

/// The files of a compressed tar archive: one pass through it. `look` sees the bytes of each.
pub(super) fn packed_tar(path: &Path, mut look: impl FnMut(&mut dyn Read)) -> io::Result<Members> {
    let mut members = Members::default();
    let mut disk = path.metadata()?.len();
    let decoded = container::decode(Box::new(File::open(path)?), &Remarks::default())?;
    let mut walk = TarWalk::new(Streamed(decoded.bytes));
    let tape = Tape { path: path.into(), winder: Arc::default() };
    loop {
        match walk.advance() {
            Ok(Some(member)) if member.regular => {
                let place = Place::OnTape { tape: tape.clone(), offset: member.offset, len: member.len };
                // All of them lie in the same bytes on the disk: these count once.
                members.push(Member { name: member.name, place, len: std::mem::take(&mut disk) })?;
                look(&mut walk);
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(members),
            Err(error) => return tar_damage(members, &error),
        }
    }
}

fn tar_damage(mut members: Members, error: &io::Error) -> io::Result<Members> {
    let text = match error.kind() {
        ErrorKind::UnexpectedEof => "the archive ends early".to_owned(),
        _ => format!("the archive is damaged: {error}"),
    };
    if members.list.is_empty() {
        return Err(io::Error::new(error.kind(), text));
    }
    members.damage = Some(text);
    Ok(members)
}

/// How a zip archive keeps a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
    Contained,
}

/// What must have come out at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    pub(super) size: u64,
    pub(super) crc: u32,
}

/// Some bytes of a file.
pub(super) fn slice(
    path: &Path,
    offset: u64,
    len: u64,
    progress: Arc<AtomicU64>,
) -> io::Result<Exactly<Raw<File>>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(Exactly { bytes: Raw { inner: file, progress }, left: len, what: "the file in the archive" })
}

/// A file of a zip archive.
pub(super) fn unzip(
    bytes: Exactly<Raw<File>>,
    method: Method,
    whole: Whole,
    remarks: &Remarks,
) -> io::Result<Box<dyn Read + Send>> {
    let bytes: Box<dyn Read + Send> = match method {
        Method::Stored => Box::new(bytes),
        Method::Deflated => {
            Box::new(DeflateDecoder::new(io::BufReader::with_capacity(container::BUFFER, bytes)))
        }
        Method::Contained => {
            let decoded = container::decode(Box::new(bytes), remarks)?;
            if decoded.compression.is_none() {
                let text = "is compressed in a way that is not known here";
                return Err(io::Error::new(ErrorKind::InvalidData, text));
            }
            Box::new(decoded.bytes)
        }
    };
    Ok(Box::new(Checked { bytes: CrcReader::new(bytes), whole, produced: 0 }))
}

/// Exactly so many bytes: fewer are an error.
pub(super) struct Exactly<R> {
    bytes: R,
    left: u64,
    what: &'static str,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let read = self.bytes.read(&mut buffer[..most])?;
        if read == 0 {
            let text = format!("{} ends early: {} bytes are missing", self.what, self.left);
            return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Compares length and checksum at the end.
struct Checked<R> {
    bytes: CrcReader<R>,
    whole: Whole,
    produced: u64,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.bytes.read(buffer).map_err(|error| {
            let text =
                format!("the file in the zip archive is damaged after {} bytes: {error}", self.produced);
            io::Error::new(error.kind(), text)
        })?;
        self.produced += read as u64;
        let Whole { size, crc } = self.whole;
        // More than promised is damage too, and is found out before a bomb goes off.
        let kept = match read {
            0 => self.produced == size && self.bytes.crc().sum() == crc,
            _ => self.produced <= size,
        };
        if kept {
            return Ok(read);
        }
        let text = format!(
            "the file in the zip archive is damaged: it has {} of {size} bytes, or a wrong checksum",
            self.produced
        );
        Err(io::Error::new(ErrorKind::InvalidData, text))
    }
}

/// A compressed tar archive: it can only be wound forward. Whoever reads one of its files hands the reading head on
/// to the next, so that an archive whose files are read in their order is decompressed once.
#[derive(Debug, Clone)]
pub(super) struct Tape {
    path: PathBuf,
    winder: Arc<Mutex<Option<Head>>>,
}

struct Head {
    bytes: container::Peeked,
    position: u64,
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Tape {
    /// Winds to a file.
    pub(super) fn file(&self, offset: u64, len: u64, progress: Arc<AtomicU64>) -> io::Result<TapeFile> {
        let free = self.winder.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut head = match free {
            Some(head) if head.position <= offset => head,
            _ => {
                let bytes = Box::new(Raw { inner: File::open(&self.path)?, progress });
                Head { bytes: container::decode(bytes, &Remarks::default())?.bytes, position: 0 }
            }
        };
        let wind = offset - head.position;
        head.position += io::copy(&mut (&mut head.bytes).take(wind), &mut io::sink())?;
        Ok(TapeFile { tape: self.clone(), head: Some(head), left: len })
    }
}

/// A file on a tape.
pub(super) struct TapeFile {
    tape: Tape,
    /// There until the file is dropped.
    head: Option<Head>,
    left: u64,
}

impl Read for TapeFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(head) = &mut self.head else { return Ok(0) };
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let read = head.bytes.read(&mut buffer[..most])?;
        if read == 0 {
            let text = format!("the tar archive ends early: {} bytes of this file are missing", self.left);
            return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
        }
        head.position += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

impl Drop for TapeFile {
    fn drop(&mut self) {
        *self.tape.winder.lock().unwrap_or_else(PoisonError::into_inner) = self.head.take();
    }
}

/// The name of an archive's kind as the report has it.
pub(super) fn kind_name(container: Container, compression: Option<Container>) -> &'static str {
    match (container, compression) {
        (Container::Zip, _) => "zip",
        (_, Some(Container::Gzip)) => "tar.gz",
        (_, Some(Container::Zstd)) => "tar.zst",
        (_, Some(Container::Bzip2)) => "tar.bz2",
        (_, Some(Container::Xz)) => "tar.xz",
        (_, Some(Container::Lz4)) => "tar.lz4",
        _ => "tar",
    }
}
