//! Bytes of a source → [`Chunk`]s that end at entry boundaries.
//!
//! A *stream* is one server's log in order: one or several sources (rotated files). Each is cut on its own, and a
//! position says which source it is in, so several sources of one stream can be read at once; a chunk never spans
//! two of them.

use std::io::{self, Read};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use crate::log::{DetectError, Dialect, Hints, SkipReason};
use crate::units::ByteOffset;

/// An entry longer than this is cut: its beginning is read, the rest skipped and counted.
pub const MOST_ENTRY: usize = 64 << 20;
/// Bytes of a source that are looked at to find out how it is written.
pub(crate) const SAMPLE: usize = 256 << 10;
/// Bytes that are looked at where the first ones hold no line of a session: what an idle server writes in weeks.
const MOST_SAMPLE: usize = 16 << 20;

/// Something that can be read from its beginning, once.
pub trait Source: Send {
    /// Its name in messages and in the report.
    fn name(&self) -> &str;
    /// Opens it.
    ///
    /// # Errors
    /// Whatever the world has against it.
    fn open(&mut self) -> io::Result<Opened>;
}

/// An open source.
pub struct Opened {
    /// Its bytes, decompressed.
    pub bytes: Box<dyn Read + Send>,
    /// Where they begin in the source: at an entry, when not at its beginning.
    pub begin: u64,
    /// How they are written, if that is known; else their beginning says it.
    pub dialect: Option<Dialect>,
    /// Its container, as `gzip`.
    pub compression: Option<&'static str>,
    /// Whether other sources of its stream are worth opening meanwhile: only one worker at a time can decompress this
    /// one.
    pub ahead: bool,
    /// What turns out about it while it is read.
    pub remarks: Remarks,
}

/// What a reader has to say about its bytes besides an error: sentences for the report's notes.
#[derive(Debug, Clone, Default)]
pub struct Remarks(Arc<Mutex<Vec<String>>>);

impl Remarks {
    /// Adds a sentence.
    pub fn say(&self, sentence: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sentence);
    }

    /// All sentences so far; later calls give only new ones.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Bytes that were read, in memory that is used again and again: it is made zero once, when it grows.
#[derive(Debug, Default)]
pub struct Buffer {
    /// Longer than what was read.
    room: Vec<u8>,
    len: usize,
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.room[..self.len]
    }
}

impl Buffer {
    /// Room up to `target`, but for what is there already.
    fn room(&mut self, target: usize) -> &mut [u8] {
        if self.room.len() < target {
            self.room.resize(target, 0);
        }
        &mut self.room[self.len..target.max(self.len)]
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.room(self.len + bytes.len()).copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Reads until it holds `target` bytes; whether the end was reached.
    fn fill(&mut self, bytes: &mut dyn Read, target: usize) -> io::Result<bool> {
        while self.len < target {
            match bytes.read(self.room(target)) {
                Ok(0) => return Ok(true),
                Ok(read) => self.len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

/// A piece of a stream: whole entries, but for the first piece of a source, which may begin in the middle of one.
pub struct Chunk {
    /// The bytes.
    pub bytes: Buffer,
    /// Where they begin in the stream.
    pub start: ByteOffset,
    /// How they are written.
    pub dialect: Arc<Dialect>,
    /// What it means when they do not begin with an entry.
    pub leading: SkipReason,
}

/// What became of a source.
#[derive(Debug, Clone, Default)]
pub struct SourceRead {
    /// Its name.
    pub name: String,
    /// The first byte that was read: what comes before it lies outside the time that the report is about.
    pub begin: u64,
    /// Bytes read, decompressed.
    pub bytes: u64,
    /// Its container.
    pub compression: Option<&'static str>,
    /// How it is written; `None` when that could not be found out.
    pub dialect: Option<Arc<Dialect>>,
    /// Whether its last line has no line end: it may still be written to.
    pub unfinished: bool,
    /// Why it could not be read, or not to its end.
    pub error: Option<SourceError>,
    /// What else is to be said about it, in sentences.
    pub remarks: Remarks,
}

/// Why a source could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// It could not be opened.
    #[error("cannot be opened: {0}")]
    Open(String),
    /// Reading stopped early.
    #[error("cannot be read to its end: {0}")]
    Read(String),
    /// It goes on beyond the last byte that has a position.
    #[error("is longer than 16 TiB; what comes after was not read")]
    TooLong,
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It is not a log that pglens understands.
    #[error("{0}")]
    Unknown(#[from] DetectError),
}

/// The beginning of a source.
pub(crate) struct Sample {
    pub(crate) bytes: Buffer,
    /// How it is written.
    pub(crate) dialect: Result<Dialect, DetectError>,
    /// Whether there is no more.
    pub(crate) ended: bool,
    /// Why there is no more.
    pub(crate) error: Option<io::Error>,
}

impl Sample {
    /// Reads as much as it takes to know how sessions write, if that is not `known`.
    pub(crate) fn take(source: &mut dyn Read, known: Option<Dialect>, hints: &Hints) -> Self {
        let mut bytes = Buffer::default();
        let mut error = None;
        let mut fill = |bytes: &mut Buffer, target| {
            bytes.fill(source, target).unwrap_or_else(|why| {
                error = Some(why);
                true
            })
        };
        let mut ended = fill(&mut bytes, SAMPLE);
        let is_known = known.is_some();
        let mut dialect = known.map_or_else(|| Dialect::detect(&bytes, hints), Ok);
        while !ended
            && !is_known
            && bytes.len() < MOST_SAMPLE
            && dialect.as_ref().is_ok_and(Dialect::knows_no_session)
        {
            let target = bytes.len() * 4;
            ended = fill(&mut bytes, target);
            dialect = Dialect::detect(&bytes, hints);
        }
        Self { bytes, dialect, ended, error }
    }
}

struct Current {
    bytes: Box<dyn Read + Send>,
    dialect: Arc<Dialect>,
    /// Read, but not yet given out; from `carry_at` on it begins at an entry, but for the beginning of a source.
    carry: Buffer,
    carry_at: usize,
    /// Whether `bytes` is exhausted.
    ended: bool,
    leading: SkipReason,
}

/// Cuts one source into chunks.
pub struct Chunks {
    waiting: Option<Box<dyn Source>>,
    current: Option<Current>,
    /// Its number within its stream.
    file: u32,
    ahead: bool,
    target: usize,
    hints: Hints,
    /// What was read so far.
    read: SourceRead,
}

impl Chunks {
    /// Cuts `source`, the `file`th of its stream, into chunks of about `target` bytes. It is opened when the first
    /// chunk is asked for.
    #[must_use]
    pub fn new(source: Box<dyn Source>, file: u32, target: usize, hints: Hints) -> Self {
        let read = SourceRead { name: source.name().to_owned(), ..SourceRead::default() };
        Self {
            waiting: Some(source),
            current: None,
            file,
            ahead: false,
            target: target.clamp(1, 16 << 20),
            hints,
            read,
        }
    }

    /// The next chunk; `buffer` is an old one to fill. `None` at the end of the source.
    pub fn next(&mut self, mut buffer: Buffer) -> Option<Chunk> {
        if let Some(mut source) = self.waiting.take() {
            let mut read = std::mem::take(&mut self.read);
            self.current = self.sample(source.as_mut(), &mut read);
            self.read = read;
        }
        buffer.len = 0;
        let chunk = self.cut(&mut buffer);
        if chunk.is_none() {
            self.current = None;
        }
        chunk
    }

    /// Whether other sources are worth opening meanwhile; known after the first chunk.
    #[must_use]
    pub fn ahead(&self) -> bool {
        self.ahead
    }

    /// What was read; nothing more will be.
    #[must_use]
    pub fn close(&mut self) -> SourceRead {
        self.waiting = None;
        self.current = None;
        std::mem::take(&mut self.read)
    }

    fn sample(&mut self, source: &mut dyn Source, read: &mut SourceRead) -> Option<Current> {
        let opened = match source.open() {
            Ok(opened) => opened,
            Err(error) => {
                read.error = Some(SourceError::Open(error.to_string()));
                return None;
            }
        };
        read.begin = opened.begin;
        read.compression = opened.compression;
        read.remarks = opened.remarks;
        self.ahead = opened.ahead;
        let mut bytes = opened.bytes;
        let Sample { bytes: carry, dialect, ended, error } =
            Sample::take(bytes.as_mut(), opened.dialect, &self.hints);
        if let Some(error) = error {
            read.error = Some(SourceError::Read(error.to_string()));
        }
        if carry.is_empty() {
            read.error.get_or_insert(SourceError::Empty);
            return None;
        }
        match dialect {
            Ok(dialect) => {
                let dialect = Arc::new(dialect);
                read.dialect = Some(Arc::clone(&dialect));
                Some(Current { bytes, dialect, carry, carry_at: 0, ended, leading: SkipReason::CutStart })
            }
            Err(error) => {
                read.error.get_or_insert(SourceError::Unknown(error));
                None
            }
        }
    }

    /// The next chunk of the current source; `None` at its end.
    fn cut(&mut self, buffer: &mut Buffer) -> Option<Chunk> {
        let current = self.current.as_mut()?;
        let read = &mut self.read;
        let mut target = self.target;
        let (cut, next) = loop {
            if let Err(error) = current.fill(buffer, target) {
                read.error = Some(SourceError::Read(error.to_string()));
                current.ended = true;
            }
            if read.begin + read.bytes + buffer.len() as u64 > ByteOffset::MOST_BYTES {
                read.error = Some(SourceError::TooLong);
                return None;
            }
            if buffer.is_empty() {
                return None;
            }
            if current.is_exhausted() {
                break (buffer.len(), SkipReason::CutStart);
            }
            match current.dialect.last_start(buffer) {
                Some(cut) => break (cut, SkipReason::CutStart),
                None if buffer.len() >= MOST_ENTRY => break (buffer.len(), SkipReason::TooLong),
                None => target = (target * 2).min(MOST_ENTRY),
            }
        };
        current.put_back(buffer, cut);
        let chunk = Chunk {
            bytes: std::mem::take(buffer),
            start: ByteOffset::new(self.file, read.begin + read.bytes),
            dialect: Arc::clone(&current.dialect),
            leading: std::mem::replace(&mut current.leading, next),
        };
        read.bytes += cut as u64;
        read.unfinished = chunk.bytes.last() != Some(&b'\n');
        Some(chunk)
    }
}

impl Current {
    fn is_exhausted(&self) -> bool {
        self.ended && self.carry_at == self.carry.len()
    }

    /// Moves bytes into `buffer` until it holds `target`: first what was carried over, then from the source.
    fn fill(&mut self, buffer: &mut Buffer, target: usize) -> io::Result<()> {
        let carried = &self.carry[self.carry_at..];
        let taken = carried.len().min(target.saturating_sub(buffer.len()));
        buffer.extend(&carried[..taken]);
        self.carry_at += taken;
        if !self.ended && buffer.len() < target {
            self.ended = buffer.fill(self.bytes.as_mut(), target)?;
        }
        Ok(())
    }

    /// What comes after `cut` belongs to the next chunk.
    fn put_back(&mut self, buffer: &mut Buffer, cut: usize) {
        let rest = buffer.len() - cut;
        if self.carry_at < self.carry.len() && rest <= self.carry_at {
            // Nothing was read from the source since these bytes were carried: they are still there.
            self.carry_at -= rest;
        } else {
            self.carry.len = 0;
            self.carry.extend(&buffer[cut..]);
            self.carry_at = 0;
        }
        buffer.len = cut;
    }
}
