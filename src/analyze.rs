//! Streams → threads → one answer. The only file that starts workers.
//!
//! Each worker pulls the next chunk of a file (under that file's lock), reads it into its own tally, and hands the
//! chunk's fragment to the seams of the file's stream. There is no reader thread: whoever is idle reads, and
//! decompresses. A stream of plain files is read one file after the other, by all workers together; of a stream of
//! compressed files as many are open as there are workers, because each can only be decompressed by one at a time.
//! Memory is bounded by chunks in flight, one a worker, and by files that are open.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bumpalo::Bump;

use crate::chunk::{Buffer, Chunk, Chunks, Source, SourceRead};
use crate::filter::Filter;
use crate::finding::Detect;
use crate::log::Hints;
use crate::partial::ends::{PAIR_WINDOW, PART_WINDOW};
use crate::partial::review::Review;
use crate::partial::{Fragment, Partial, Scan, Seams, Tally};
use crate::units::ByteOffset;

/// How many bytes the meaning of an entry reaches: to a DETAIL after its record, to the statement of a duration.
pub const REACH: u64 = PAIR_WINDOW + PART_WINDOW;

/// How to read.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Workers.
    pub jobs: usize,
    /// Bytes of a chunk.
    pub chunk: usize,
    /// What is known about the inputs beforehand.
    pub hints: Hints,
    /// What the report is about.
    pub filter: Arc<Filter>,
    /// Thresholds of the rules.
    pub detect: Detect,
}

/// What was counted and what was read.
pub struct Analysis {
    /// Everything counted, complete.
    pub tally: Tally,
    /// By stream.
    pub streams: Vec<StreamRead>,
}

/// What was read of one stream.
pub struct StreamRead {
    /// Its sources, in order.
    pub sources: Vec<SourceRead>,
    /// Its interval: exactly one, unless nothing was read.
    pub fragments: Vec<Fragment>,
}

struct Stream {
    files: Vec<Mutex<File>>,
    /// All files before this one are read.
    front: AtomicUsize,
    /// Whether files behind the front may be opened: the front is compressed.
    ahead: AtomicBool,
    seams: Mutex<Seams>,
}

enum File {
    Open(Box<Chunks>),
    Read(SourceRead),
}

impl Stream {
    fn new(sources: Vec<Box<dyn Source>>, settings: &Settings) -> Self {
        let open = |(file, source)| {
            let chunks = Chunks::new(source, file as u32, settings.chunk, settings.hints.clone());
            Mutex::new(File::Open(Box::new(chunks)))
        };
        Self {
            files: sources.into_iter().enumerate().map(open).collect(),
            front: AtomicUsize::new(0),
            ahead: AtomicBool::new(false),
            seams: Mutex::default(),
        }
    }

    /// The end of the files that may be open now.
    fn horizon(&self, jobs: usize) -> usize {
        let open = if self.ahead.load(Ordering::Relaxed) { jobs } else { 1 };
        self.files.len().min(self.front.load(Ordering::Relaxed) + open)
    }
}

/// Poisoning means that another worker panicked; the scope will propagate that, and the data is not used.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads all streams.
#[must_use]
pub fn analyze(streams: Vec<Vec<Box<dyn Source>>>, settings: &Settings) -> Analysis {
    let streams: Vec<Stream> = streams.into_iter().map(|sources| Stream::new(sources, settings)).collect();
    let review = Review::new(Arc::new(settings.detect.clone()));
    let total: Mutex<Option<Tally>> = Mutex::default();
    let work = |first: usize| {
        let tally = Tally::filtered(&settings.filter, review.sibling());
        let tally = Worker { streams: &streams, settings, first }.run(tally);
        let mut total = lock(&total);
        match &mut *total {
            Some(total) => total.merge(tally),
            None => *total = Some(tally),
        }
    };
    match rayon::ThreadPoolBuilder::new().num_threads(settings.jobs).build() {
        Ok(pool) if settings.jobs > 1 => {
            let work = &work;
            pool.scope(|scope| (0..settings.jobs).for_each(|worker| scope.spawn(move |_| work(worker))));
        }
        // One job, or a machine that gives no threads: the same work on this one.
        _ => work(0),
    }
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    finish(streams, total.unwrap_or_else(|| Tally::filtered(&settings.filter, review)))
}

fn finish(streams: Vec<Stream>, tally: Tally) -> Analysis {
    let mut seams = BTreeMap::new();
    let mut sources: Vec<Vec<SourceRead>> = Vec::new();
    for (number, stream) in streams.into_iter().enumerate() {
        seams.insert(number as u32, stream.seams.into_inner().unwrap_or_else(PoisonError::into_inner));
        let read = |file: Mutex<File>| match file.into_inner().unwrap_or_else(PoisonError::into_inner) {
            File::Open(mut chunks) => chunks.close(),
            File::Read(read) => read,
        };
        sources.push(stream.files.into_iter().map(read).collect());
    }
    let (tally, mut fragments) = Partial { tally, streams: seams }.finish();
    let streams = sources.into_iter().enumerate().map(|(number, sources)| StreamRead {
        sources,
        fragments: fragments.remove(&(number as u32)).unwrap_or_default(),
    });
    Analysis { tally, streams: streams.collect() }
}

struct Worker<'s> {
    streams: &'s [Stream],
    settings: &'s Settings,
    /// The stream to begin with: workers spread over the streams, so that several compressed ones use all cores.
    first: usize,
}

impl Worker<'_> {
    fn run(&self, mut tally: Tally) -> Tally {
        let mut arena = Bump::new();
        let mut buffer = Buffer::default();
        let mut at = self.first;
        while let Some((number, chunk)) = self.next(&mut at, &mut buffer, &mut tally) {
            arena.reset();
            tally.enter(number as u32);
            let fragment = read(&chunk, &arena, &mut tally);
            lock(&self.streams[number].seams).insert(fragment, &mut tally);
            // Without the lock: what the seam completed is judged here.
            tally.review.settle();
            buffer = chunk.bytes;
        }
        tally
    }

    /// The next chunk: of a file that nobody is reading right now if there is one, else of any.
    fn next(&self, at: &mut usize, buffer: &mut Buffer, tally: &mut Tally) -> Option<(usize, Chunk)> {
        let count = self.streams.len();
        for patient in [false, true] {
            for step in 0..count {
                let number = (*at + step) % count;
                if let Some(chunk) = self.pull(number, patient, buffer, tally) {
                    *at = number;
                    return Some((number, chunk));
                }
            }
        }
        None
    }

    /// The next chunk of one stream.
    fn pull(&self, number: usize, patient: bool, buffer: &mut Buffer, tally: &mut Tally) -> Option<Chunk> {
        let stream = &self.streams[number];
        let mut place = stream.front.load(Ordering::Relaxed);
        while place < stream.horizon(self.settings.jobs) {
            let mut file = match stream.files[place].try_lock() {
                Ok(file) => file,
                Err(_) if patient => lock(&stream.files[place]),
                Err(_) => {
                    place += 1;
                    continue;
                }
            };
            if let File::Open(chunks) = &mut *file {
                let chunk = chunks.next(std::mem::take(buffer));
                if chunks.ahead() {
                    stream.ahead.store(true, Ordering::Relaxed);
                }
                if chunk.is_some() {
                    return chunk;
                }
                let read = chunks.close();
                let file_number = place as u32;
                // What was not read makes its neighbours touch too.
                let beginning = Fragment::gap(ByteOffset::new(file_number, 0), read.begin);
                let end = Fragment::end_of_file(file_number, read.begin + read.bytes);
                *file = File::Read(read);
                tally.enter(number as u32);
                let mut seams = lock(&stream.seams);
                if beginning.start != beginning.end {
                    seams.insert(beginning, tally);
                }
                seams.insert(end, tally);
                drop(seams);
                tally.review.settle();
            }
            drop(file);
            // Only over a file that is read: one that is busy was stepped over, and stays the front.
            let _ = stream.front.compare_exchange(place, place + 1, Ordering::Relaxed, Ordering::Relaxed);
            place += 1;
        }
        None
    }
}

/// One chunk → counts and open ends.
fn read(chunk: &Chunk, arena: &Bump, tally: &mut Tally) -> Fragment {
    let mut scan = Scan::new(&chunk.bytes, chunk.start, arena, chunk.leading, tally);
    let mut reader = chunk.dialect.reader();
    let lines = reader.read(&chunk.bytes, chunk.start, arena, &mut scan);
    let fragment = scan.close(lines);
    reader.assumed_zones().for_each(|zone| tally.zone(zone));
    fragment
}
