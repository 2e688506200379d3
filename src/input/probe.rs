//! A look at a file before it is read: is it a log, and when does it begin and end?

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use bumpalo::Bump;

use crate::chunk::Sample;
use crate::log::{Dialect, Entry, Hints, Sink, Skip};
use crate::units::{ByteOffset, Timestamp};

/// Bytes at the end of a plain file in which its last entry is looked for.
const TAIL: u64 = 64 << 10;

/// What a look at the beginning showed.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// Whether there is nothing in it.
    pub(super) empty: bool,
    /// How it is written; `None` when that could not be found out.
    pub(super) dialect: Option<Dialect>,
    /// Time of the first entry that has one.
    pub(super) first: Option<Timestamp>,
}

/// Looks at the beginning.
pub(super) fn probe(bytes: &mut dyn Read, hints: &Hints) -> io::Result<Probe> {
    let sample = Sample::take(bytes, None, hints);
    if sample.bytes.is_empty() {
        return sample.error.map_or(Ok(Probe { empty: true, ..Probe::default() }), Err);
    }
    let dialect = sample.dialect.ok();
    let first = dialect.as_ref().and_then(|dialect| times(dialect, &sample.bytes)).map(|(first, _)| first);
    Ok(Probe { empty: false, dialect, first })
}

/// The latest time in the last entries of a plain file.
pub(super) fn last_time(path: &Path, dialect: &Dialect) -> Option<Timestamp> {
    let mut file = File::open(path).ok()?;
    let len = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    times(dialect, &tail).map(|(_, last)| last)
}

/// The latest time in the last entries of what can only be read through.
pub(super) fn last_time_through(bytes: &mut dyn Read, dialect: &Dialect) -> Option<Timestamp> {
    let (mut tail, mut piece) = (Vec::new(), Vec::new());
    loop {
        // Damage ends the log here as it does when it is read.
        let ended = !matches!(bytes.take(1 << 20).read_to_end(&mut piece), Ok(read) if read > 0);
        tail.append(&mut piece);
        if ended {
            break;
        }
        let keep = tail.len().saturating_sub(TAIL as usize);
        tail.drain(..keep);
    }
    times(dialect, &tail).map(|(_, last)| last)
}

/// Time of the first entry that has one, and the latest time.
fn times(dialect: &Dialect, bytes: &[u8]) -> Option<(Timestamp, Timestamp)> {
    struct Times(Option<(Timestamp, Timestamp)>);
    impl<'a> Sink<'a> for Times {
        fn entry(&mut self, entry: Entry<'a>) {
            if let Some(time) = entry.time {
                self.0 = Some(self.0.map_or((time, time), |(first, last)| (first, last.max(time))));
            }
        }
        fn skip(&mut self, _: Skip) {}
    }
    let mut times = Times(None);
    dialect.reader().read(bytes, ByteOffset(0), &Bump::new(), &mut times);
    times.0
}
