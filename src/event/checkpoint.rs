//! Checkpoints and restartpoints (`log_checkpoints`, `checkpoint_warning`).
//!
//! Source: `access/transam/xlog.c` (`LogCheckpointStart`, `LogCheckpointEnd`), `postmaster/checkpointer.c`. Its
//! sentence has grown since 8.3 (files synced in 9.1, distance in 9.5, "WAL file" for "transaction log file" in 10,
//! LSNs in 16, SLRU buffers in 18), so it is read piece by piece and every piece may be missing.

use super::cursor::Cursor;
use crate::units::Micros;

/// One record about checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint<'a> {
    /// It starts.
    Starting {
        /// Whether it is a restartpoint, on a standby.
        restart: bool,
        /// Its flags as logged: `time`, `immediate force wait` …
        causes: &'a [u8],
    },
    /// It is complete.
    Complete(Complete),
    /// `checkpoints are occurring too frequently`.
    TooFrequent,
}

/// The numbers of a complete checkpoint; zero where a release does not log them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Complete {
    /// Whether it was a restartpoint.
    pub restart: bool,
    /// Buffers written.
    pub buffers: u64,
    /// SLRU buffers written.
    pub slru_buffers: u64,
    /// WAL files added, removed, recycled.
    pub wal: [u64; 3],
    /// Time of writing.
    pub write: Micros,
    /// Time of syncing.
    pub sync: Micros,
    /// Time in all.
    pub total: Micros,
    /// Files synced.
    pub sync_files: u64,
    /// Longest sync of one file.
    pub longest_sync: Micros,
    /// WAL since the checkpoint before, in bytes.
    pub distance: u64,
    /// What the server expects that to be next time.
    pub estimate: u64,
}

/// Understands a message that begins with `checkpoint` or `restartpoint`.
#[must_use]
pub fn of(message: &[u8]) -> Option<Checkpoint<'_>> {
    if message.starts_with(b"checkpoints are occurring too frequently") {
        return Some(Checkpoint::TooFrequent);
    }
    let mut cursor = Cursor::new(message);
    let restart = cursor.word("checkpoint ").is_none();
    if restart {
        cursor.word("restartpoint ")?;
    }
    if cursor.word("starting:").is_some() {
        return Some(Checkpoint::Starting { restart, causes: cursor.rest().trim_ascii() });
    }
    cursor.word("complete: ")?;
    Some(Checkpoint::Complete(complete(restart, cursor.rest())))
}

fn complete(restart: bool, text: &[u8]) -> Complete {
    let mut complete = Complete { restart, ..Complete::default() };
    for piece in text.split(|byte| matches!(byte, b',' | b';')) {
        let mut piece = Cursor::new(piece.trim_ascii());
        if piece.word("wrote ").is_some() {
            let number = piece.number().unwrap_or(0);
            match piece.rest().starts_with(b" SLRU") {
                true => complete.slru_buffers = number,
                false => complete.buffers = number,
            }
        } else if let Some(number) = piece.number() {
            let rest = piece.rest();
            let place =
                [&b" added"[..], b" removed", b" recycled"].iter().position(|word| rest.ends_with(word));
            if let Some(place) = place {
                complete.wal[place] = number;
            }
        } else if piece.word("write=").is_some() {
            complete.write = piece.seconds().unwrap_or_default();
        } else if piece.word("sync=").is_some() {
            complete.sync = piece.seconds().unwrap_or_default();
        } else if piece.word("total=").is_some() {
            complete.total = piece.seconds().unwrap_or_default();
        } else if piece.word("sync files=").is_some() {
            complete.sync_files = piece.number().unwrap_or(0);
        } else if piece.word("longest=").is_some() {
            complete.longest_sync = piece.seconds().unwrap_or_default();
        } else if piece.word("distance=").is_some() {
            complete.distance = kilobytes(&mut piece);
        } else if piece.word("estimate=").is_some() {
            complete.estimate = kilobytes(&mut piece);
        }
    }
    complete
}

fn kilobytes(piece: &mut Cursor<'_>) -> u64 {
    piece.number().unwrap_or(0).saturating_mul(1024)
}

/// The causes in the words of today: releases before 10 said `xlog` for `wal`.
#[must_use]
pub fn causes(causes: &[u8]) -> String {
    let word = |word: &[u8]| match word {
        b"xlog" => "wal".to_owned(),
        // Only words: whatever else stands there is no cause.
        word if word.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'-') => {
            String::from_utf8_lossy(word).into_owned()
        }
        _ => "?".to_owned(),
    };
    let words = causes.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).take(10);
    words.map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wording_of_every_release() {
        let cases = [
            (
                // 8.3 to 9.0
                "checkpoint complete: wrote 12 buffers (0.4%); 1 transaction log file(s) added, 2 removed, 3 recycled; write=1.250 s, sync=0.015 s, total=1.301 s",
                Complete {
                    buffers: 12,
                    wal: [1, 2, 3],
                    write: Micros(1_250_000),
                    sync: Micros(15_000),
                    total: Micros(1_301_000),
                    ..Complete::default()
                },
            ),
            (
                // 9.1 to 9.4
                "checkpoint complete: wrote 12 buffers (0.4%); 0 transaction log file(s) added, 0 removed, 0 recycled; write=1.2 s, sync=0.0 s, total=1.3 s; sync files=4, longest=0.009 s, average=0.001 s",
                Complete {
                    buffers: 12,
                    write: Micros(1_200_000),
                    total: Micros(1_300_000),
                    sync_files: 4,
                    longest_sync: Micros(9_000),
                    ..Complete::default()
                },
            ),
            (
                // 10 to 15
                "checkpoint complete: wrote 5571 buffers (68.0%); 0 WAL file(s) added, 0 removed, 3 recycled; write=0.116 s, sync=0.001 s, total=0.117 s; sync files=0, longest=0.000 s, average=0.000 s; distance=49176 kB, estimate=49177 kB",
                Complete {
                    buffers: 5571,
                    wal: [0, 0, 3],
                    write: Micros(116_000),
                    sync: Micros(1_000),
                    total: Micros(117_000),
                    distance: 49_176 * 1024,
                    estimate: 49_177 * 1024,
                    ..Complete::default()
                },
            ),
            (
                // 18, on a standby
                "restartpoint complete: wrote 7 buffers (0.0%), wrote 2 SLRU buffers; 0 WAL file(s) added, 1 removed, 0 recycled; write=0.5 s, sync=0.1 s, total=0.7 s; sync files=3, longest=0.05 s, average=0.01 s; distance=1 kB, estimate=2 kB; lsn=0/15D8E20, redo lsn=0/15D8DC8",
                Complete {
                    restart: true,
                    buffers: 7,
                    slru_buffers: 2,
                    wal: [0, 1, 0],
                    write: Micros(500_000),
                    sync: Micros(100_000),
                    total: Micros(700_000),
                    sync_files: 3,
                    longest_sync: Micros(50_000),
                    distance: 1024,
                    estimate: 2048,
                },
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(of(message.as_bytes()), Some(Checkpoint::Complete(expected)), "{message}");
        }
    }

    #[test]
    fn starts_and_warnings() {
        let start =
            |restart, causes: &'static str| Some(Checkpoint::Starting { restart, causes: causes.as_bytes() });
        for (message, expected) in [
            ("checkpoint starting: time", start(false, "time")),
            ("checkpoint starting: immediate force wait", start(false, "immediate force wait")),
            ("checkpoint starting:", start(false, "")),
            ("restartpoint starting: xlog", start(true, "xlog")),
            ("checkpoints are occurring too frequently (1 second apart)", Some(Checkpoint::TooFrequent)),
            ("checkpoints are occurring too frequently (20 seconds apart)", Some(Checkpoint::TooFrequent)),
            ("checkpoint record is at 0/15D8E20", None),
            ("restartpoint", None),
        ] {
            assert_eq!(of(message.as_bytes()), expected, "{message}");
        }
        assert_eq!(causes(b"xlog"), "wal");
        assert_eq!(causes(b"end-of-recovery immediate <b>"), "end-of-recovery immediate ?");
    }
}
