//! Streams → threads → one answer. The only file that knows that threads exist.
//!
//! Each worker pulls the next chunk of a stream (under that stream's lock), reads it into its own tally, and hands
//! the chunk's fragment to the stream's seams. There is no reader thread: whoever is idle reads. Memory is bounded by
//! chunks in flight, one a worker.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bumpalo::Bump;

use crate::chunk::{Chunk, Chunks, Source, SourceRead};
use crate::log::Hints;
use crate::partial::{Fragment, Partial, Scan, Seams, Tally};

/// How to read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Workers.
    pub jobs: usize,
    /// Bytes of a chunk.
    pub chunk: usize,
    /// What is known about the inputs beforehand.
    pub hints: Hints,
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
    chunks: Mutex<Option<Chunks>>,
    read: Mutex<Vec<SourceRead>>,
    seams: Mutex<Seams>,
}

/// Poisoning means that another worker panicked; the scope will propagate that, and the data is not used.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads all streams. `progress` counts the bytes handed out.
#[must_use]
pub fn analyze(streams: Vec<Vec<Box<dyn Source>>>, settings: &Settings, progress: &AtomicU64) -> Analysis {
    let streams: Vec<Stream> = streams
        .into_iter()
        .map(|sources| Stream {
            chunks: Mutex::new(Some(Chunks::new(sources, settings.chunk, settings.hints.clone()))),
            read: Mutex::default(),
            seams: Mutex::default(),
        })
        .collect();
    let total = Mutex::new(Tally::default());
    let work = |first: usize| {
        let tally = Worker { streams: &streams, first, progress }.run();
        lock(&total).merge(tally);
    };
    match rayon::ThreadPoolBuilder::new().num_threads(settings.jobs).build() {
        Ok(pool) if settings.jobs > 1 => {
            let work = &work;
            pool.scope(|scope| (0..settings.jobs).for_each(|worker| scope.spawn(move |_| work(worker))));
        }
        // One job, or a machine that gives no threads: the same work on this one.
        _ => work(0),
    }
    finish(streams, total.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn finish(streams: Vec<Stream>, tally: Tally) -> Analysis {
    let mut seams = BTreeMap::new();
    let mut sources = Vec::new();
    for (number, stream) in streams.into_iter().enumerate() {
        seams.insert(number as u32, stream.seams.into_inner().unwrap_or_else(PoisonError::into_inner));
        sources.push(stream.read.into_inner().unwrap_or_else(PoisonError::into_inner));
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
    /// The stream to begin with: workers spread over the streams, so that several compressed ones use all cores.
    first: usize,
    progress: &'s AtomicU64,
}

impl Worker<'_> {
    fn run(&self) -> Tally {
        let mut tally = Tally::default();
        let mut arena = Bump::new();
        let mut buffer = Vec::new();
        let mut at = self.first;
        while let Some((number, chunk)) = self.next(&mut at, &mut buffer) {
            arena.reset();
            tally.enter(number as u32);
            let fragment = read(&chunk, &arena, &mut tally);
            lock(&self.streams[number].seams).insert(fragment, &mut tally);
            buffer = chunk.bytes;
        }
        tally
    }

    /// The next chunk: of a stream that nobody is reading right now if there is one, else of any.
    fn next(&self, at: &mut usize, buffer: &mut Vec<u8>) -> Option<(usize, Chunk)> {
        let count = self.streams.len();
        for patient in [false, true] {
            for step in 0..count {
                let number = (*at + step) % count;
                let stream = &self.streams[number];
                let mut chunks = match stream.chunks.try_lock() {
                    Ok(chunks) => chunks,
                    Err(_) if patient => lock(&stream.chunks),
                    Err(_) => continue,
                };
                let Some(open) = chunks.as_mut() else { continue };
                if let Some(chunk) = open.next(std::mem::take(buffer)) {
                    *at = number;
                    self.progress.fetch_add(chunk.bytes.len() as u64, Ordering::Relaxed);
                    return Some((number, chunk));
                }
                *lock(&stream.read) = std::mem::take(&mut open.read);
                *chunks = None;
            }
        }
        None
    }
}

/// One chunk → counts and open ends.
fn read(chunk: &Chunk, arena: &Bump, tally: &mut Tally) -> Fragment {
    let mut scan = Scan::new(&chunk.bytes, chunk.start, arena, chunk.leading, tally);
    let mut reader = chunk.dialect.reader();
    reader.read(&chunk.bytes, chunk.start, arena, &mut scan);
    let fragment = scan.close(chunk.source);
    reader.assumed_zones().for_each(|zone| tally.zone(zone));
    fragment
}
