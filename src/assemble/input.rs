//! What was read → the trust section.

use std::collections::BTreeMap;

use crate::analyze::StreamRead;
use crate::log::SkipReason;
use crate::report::{Gap, Input, InputFile, Position, Skipped};
use crate::units::{ByteOffset, Timestamp};

pub(super) fn input(
    streams: &[StreamRead],
    prefix_given: bool,
    gaps: Vec<Gap>,
    unknown_zones: Vec<String>,
) -> Input {
    let mut input = Input { prefix_given, gaps, unknown_zones, ..Input::default() };
    let mut skipped: BTreeMap<SkipReason, Skipped> = BTreeMap::new();
    for stream in streams {
        input.files.extend(files(stream));
        skips(stream, &mut skipped);
    }
    input.skipped = skipped.into_values().collect();
    input.bytes = input.files.iter().map(|file| file.bytes).sum();
    input.entries = input.files.iter().map(|file| file.entries).sum();
    input.first = input.files.iter().filter_map(|file| file.first).min();
    input.last = input.files.iter().filter_map(|file| file.last).max();
    let read = || input.files.iter().filter(|file| !file.format.is_empty());
    input.format = common(read().map(|file| file.format.as_str())).unwrap_or_default();
    input.prefix = common(read().filter_map(|file| file.prefix.as_deref()));
    input
}

/// The one value, or `mixed`.
fn common<'a>(mut values: impl Iterator<Item = &'a str>) -> Option<String> {
    let first = values.next()?;
    Some(if values.all(|value| value == first) { first.to_owned() } else { "mixed".to_owned() })
}

fn files(stream: &StreamRead) -> impl Iterator<Item = InputFile> + '_ {
    stream.sources.iter().enumerate().map(|(number, source)| {
        let mut entries = 0;
        let mut span: Option<(Timestamp, Timestamp)> = None;
        for fragment in &stream.fragments {
            if let Some(file) = fragment.files.get(&(number as u32)) {
                entries += file.entries;
                if let Some((first, last)) = file.span {
                    span = Some(span.map_or((first, last), |span| (span.0.min(first), span.1.max(last))));
                }
            }
        }
        let dialect = source.dialect.as_deref();
        InputFile {
            name: source.name.clone(),
            bytes: source.bytes,
            entries,
            format: dialect.map(|dialect| dialect.format().to_string()).unwrap_or_default(),
            prefix: dialect.and_then(|dialect| dialect.prefix()).map(str::to_owned),
            compression: source.compression.map(str::to_owned),
            first: span.map(|span| span.0),
            last: span.map(|span| span.1),
            error: source.error.as_ref().map(ToString::to_string),
        }
    })
}

fn skips(stream: &StreamRead, skipped: &mut BTreeMap<SkipReason, Skipped>) {
    for fragment in &stream.fragments {
        for (reason, skips) in &fragment.skips {
            let row = skipped.entry(*reason).or_insert_with(|| Skipped {
                reason: reason.as_str().to_owned(),
                count: 0,
                bytes: 0,
                first: position(stream, skips.first, skips.line),
            });
            row.count += skips.count;
            row.bytes += skips.bytes;
        }
    }
}

/// Byte of the stream and line of its file → a place that a person finds.
fn position(stream: &StreamRead, at: ByteOffset, line: u64) -> Position {
    let Some(source) = stream.sources.get(at.file() as usize) else {
        return Position { file: String::new(), line: Some(line + 1), byte: at.byte() };
    };
    // Lines before the first byte that was read are not known.
    let line = (source.begin == 0).then_some(line + 1);
    Position { file: source.name.clone(), line, byte: at.byte() }
}
