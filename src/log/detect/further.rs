//! Logs that begin with nothing but background processes: how a session's lines look is found out further in.
//!
//! With `%q` a checkpointer's lines do not show how the prefix goes on for clients, and a server that was idle writes
//! thousands of them. What the first line of a session says is looked at together with the beginning.

use bumpalo::Bump;

use super::best::is_of_session;
use super::{Hints, SAMPLE, detect_within, lines};
use crate::log::dialect::{Dialect, Shape};
use crate::log::frame::{Framed, Inner, Unwrapped};
use crate::log::prefix::{Clocks, Head, Line, REACH};
use crate::log::severity;
use crate::log::stderr::Stderr;

/// Places that are tried: another program's lines may look like a session's.
const TRIES: usize = 8;

/// Lines and bytes of the beginning that are looked at again: enough to know how background processes write.
const BEGINNING: (usize, usize) = (200, SAMPLE / 4);

/// The dialect that the whole of `sample` shows; `first` is that of its beginning.
pub(super) fn look(first: Dialect, sample: &[u8], hints: &Hints) -> Dialect {
    let mut from = 0;
    for _ in 0..TRIES {
        if !first.knows_no_session() {
            return first;
        }
        let Some(at) = session(&first, sample, from) else { return first };
        from = sample.len().min(at + SAMPLE / 2);
        let both = [beginning(&sample[..at]), &sample[at..from]].concat();
        match detect_within(&both, hints) {
            Ok(found) if !found.knows_no_session() => return found,
            _ => {}
        }
    }
    first
}

/// The first whole lines of a sample.
fn beginning(sample: &[u8]) -> &[u8] {
    let (most_lines, most_bytes) = BEGINNING;
    let end = memchr::memchr_iter(b'\n', &sample[..sample.len().min(most_bytes)]).take(most_lines).last();
    &sample[..end.map_or(0, |end| end + 1)]
}

/// Where the first line begins, from `from` on, that may be a session's.
fn session(dialect: &Dialect, sample: &[u8], from: usize) -> Option<usize> {
    let mut arena = Bump::new();
    let mut at = from;
    for line in lines(&sample[from..]) {
        arena.reset();
        if may_be(dialect, line, &arena) {
            return Some(at);
        }
        at += line.len() + 1;
    }
    None
}

fn may_be(dialect: &Dialect, line: &[u8], arena: &Bump) -> bool {
    match &dialect.shape {
        Shape::Stderr(stderr) => line.first() != Some(&b'\t') && may_be_entry(stderr, line),
        Shape::Framed(Framed { outer, inner: Inner::Lines(stderr) }) => {
            match outer.unwrap(line.strip_suffix(b"\r").unwrap_or(line), arena) {
                Unwrapped::Frame(frame) => {
                    lines(frame.text).next().is_some_and(|line| may_be_entry(stderr, line))
                }
                Unwrapped::OtherProgram | Unwrapped::Malformed(_) => false,
            }
        }
        Shape::Framed(Framed { inner: Inner::Records, .. }) | Shape::Csv | Shape::Json => false,
    }
}

/// Whether a line is an entry of a session, or one that the prefix does not explain.
fn may_be_entry(stderr: &Stderr, line: &[u8]) -> bool {
    severity::candidates(line, REACH).next().is_some()
        && (is_of_session(&stderr.prefix, line)
            || !matches!(
                stderr.prefix.begin(line, &mut Head::default(), &mut Clocks::new(0)),
                Line::Begins(..)
            ))
}
