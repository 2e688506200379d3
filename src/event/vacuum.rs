//! Automatic vacuums and analyses (`log_autovacuum_min_duration`).
//!
//! Sources: `access/heap/vacuumlazy.c` (`heap_vacuum_rel`), `commands/analyze.c` (`do_analyze_rel`). Every release
//! adds lines, moves some and renames a few (9.2 buffers, 9.4 dead tuples, 13 WAL, 14 a report for analyses, 15
//! scanned pages, 17 "reads" for "misses", 18 delays), so each line is read by its first word and any may be missing.

use super::cursor::{Cursor, counts};
use crate::units::Micros;

/// What autovacuum did to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vacuum<'a> {
    /// `database.schema.table`.
    pub table: &'a [u8],
    /// Vacuum or analysis.
    pub analyze: bool,
    /// `automatic aggressive vacuum`.
    pub aggressive: bool,
    /// `to prevent wraparound`.
    pub wraparound: bool,
    /// Its numbers.
    pub numbers: Numbers,
}

/// The numbers of a vacuum or an analysis; zero where the log has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// From begin to end.
    pub elapsed: Micros,
    /// Processor time, of user and system.
    pub cpu: Micros,
    /// Time slept for `autovacuum_vacuum_cost_delay` (release 18).
    pub delay: Micros,
    /// Time of reading (`track_io_timing`).
    pub read: Micros,
    /// Time of writing.
    pub write: Micros,
    /// Index scans.
    pub index_scans: u64,
    /// Pages removed from the end of the table.
    pub pages_removed: u64,
    /// Pages that remain.
    pub pages_remain: u64,
    /// Pages looked at.
    pub pages_scanned: u64,
    /// Tuples removed.
    pub tuples_removed: u64,
    /// Tuples that remain.
    pub tuples_remain: u64,
    /// Tuples dead but needed by an old snapshot.
    pub tuples_dead: u64,
    /// Tuples frozen.
    pub tuples_frozen: u64,
    /// Buffers found.
    pub buffer_hits: u64,
    /// Buffers read.
    pub buffer_misses: u64,
    /// Buffers dirtied.
    pub buffer_dirtied: u64,
    /// WAL records.
    pub wal_records: u64,
    /// Full page images.
    pub wal_images: u64,
    /// Bytes of WAL.
    pub wal_bytes: u64,
}

/// Understands `automatic vacuum of table …` and its kin.
#[must_use]
pub fn of(message: &[u8]) -> Option<Vacuum<'_>> {
    let mut cursor = Cursor::new(message);
    cursor.word("automatic ")?;
    let aggressive = cursor.word("aggressive ").is_some();
    let analyze = cursor.word("vacuum ").is_none();
    if analyze {
        cursor.word("analyze ")?;
    }
    let wraparound = cursor.word("to prevent wraparound ").is_some();
    cursor.word("of table \"")?;
    // A name may hold anything, quotes and line ends among them; what follows it does not vary.
    let ends: &[&str] = match analyze {
        true => &["\" system usage: ", "\"\n"],
        false => &["\": index scans: "],
    };
    let table = ends.iter().find_map(|end| cursor.until(end)).or_else(|| cursor.until_last("\""))?;
    let mut numbers = Numbers::default();
    let mut text = cursor.rest();
    if !analyze {
        numbers.index_scans = cursor.number().unwrap_or(0);
        text = cursor.rest();
    }
    text.split(|byte| *byte == b'\n').for_each(|line| numbers.read_line(line.trim_ascii()));
    Some(Vacuum { table, analyze, aggressive, wraparound, numbers })
}

/// The table of a task that was cancelled, from its CONTEXT.
#[must_use]
pub fn table_of_context(context: &[u8]) -> Option<&[u8]> {
    let line = context.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"automatic "))?;
    let mut cursor = Cursor::new(line);
    cursor.until(" of table \"")?;
    cursor.until_last("\"")
}

impl Numbers {
    fn read_line(&mut self, line: &[u8]) {
        let mut cursor = Cursor::new(line);
        if cursor.word("pages: ").is_some() {
            for (number, word) in counts(cursor.rest()) {
                match word {
                    b"removed" => self.pages_removed = number,
                    b"remain" => self.pages_remain = number,
                    word if word.starts_with(b"scanned") => self.pages_scanned = number,
                    _ => {}
                }
            }
        } else if cursor.word("tuples: ").is_some() {
            for (number, word) in counts(cursor.rest()) {
                match word {
                    b"removed" => self.tuples_removed = number,
                    b"remain" => self.tuples_remain = number,
                    word if word.starts_with(b"are dead") => self.tuples_dead = number,
                    _ => {}
                }
            }
        } else if cursor.word("frozen: ").is_some() {
            // `12 pages from table (1.00% of total) had 34 tuples frozen`
            self.tuples_frozen = cursor.until(" had ").and_then(|_| cursor.number()).unwrap_or(0);
        } else if cursor.word("buffer usage: ").is_some() {
            for (number, word) in counts(cursor.rest()) {
                match word {
                    b"hits" => self.buffer_hits = number,
                    b"misses" | b"reads" => self.buffer_misses = number,
                    b"dirtied" => self.buffer_dirtied = number,
                    _ => {}
                }
            }
        } else if cursor.word("WAL usage: ").is_some() {
            for (number, word) in counts(cursor.rest()) {
                match word {
                    b"records" => self.wal_records = number,
                    b"full page images" => self.wal_images = number,
                    b"bytes" => self.wal_bytes = number,
                    _ => {}
                }
            }
        } else if cursor.word("delay time: ").is_some() {
            self.delay = cursor.millis().unwrap_or_default();
        } else if cursor.word("I/O timings: ").is_some() {
            self.read = after(line, "read: ").and_then(|mut cursor| cursor.millis()).unwrap_or_default();
            self.write = after(line, "write: ").and_then(|mut cursor| cursor.millis()).unwrap_or_default();
        } else if line.starts_with(b"system usage: ") || line.starts_with(b"CPU") {
            self.read_usage(line);
        }
    }

    /// `CPU: user: 0.03 s, system: 0.02 s, elapsed: 0.08 s`; before release 10 `CPU 0.02s/0.03u sec elapsed 0.08 sec`.
    fn read_usage(&mut self, line: &[u8]) {
        let seconds = |word: &str| after(line, word).and_then(|mut cursor| cursor.decimal(6)).unwrap_or(0);
        self.elapsed = Micros(seconds("elapsed: ").max(seconds("elapsed ")));
        let old = after(line, "CPU ").and_then(|mut cursor| {
            let system = cursor.decimal(6)?;
            cursor.word("s/")?;
            cursor.decimal(6)?.checked_add(system)
        });
        let new = seconds("user: ").saturating_add(seconds("system: "));
        self.cpu = Micros(old.unwrap_or(new));
    }
}

fn after<'a>(line: &'a [u8], word: &str) -> Option<Cursor<'a>> {
    let mut cursor = Cursor::new(line);
    cursor.until(word)?;
    Some(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: Vacuum<'_>) {
        assert_eq!(of(message.as_bytes()), Some(expected), "{message}");
    }

    #[test]
    fn vacuums_of_every_release() {
        let plain = Vacuum {
            table: b"db.public.t",
            analyze: false,
            aggressive: false,
            wraparound: false,
            numbers: Numbers::default(),
        };
        // 9.1
        check(
            "automatic vacuum of table \"db.public.t\": index scans: 1\npages: 2 removed, 30 remain\ntuples: 400 removed, 5000 remain\nsystem usage: CPU 0.10s/0.25u sec elapsed 1.50 sec",
            Vacuum {
                numbers: Numbers {
                    index_scans: 1,
                    pages_removed: 2,
                    pages_remain: 30,
                    tuples_removed: 400,
                    tuples_remain: 5000,
                    cpu: Micros(350_000),
                    elapsed: Micros(1_500_000),
                    ..Numbers::default()
                },
                ..plain
            },
        );
        // 9.6
        check(
            "automatic vacuum of table \"db.public.t\": index scans: 0\npages: 0 removed, 7 remain, 1 skipped due to pins, 2 skipped frozen\ntuples: 3 removed, 4 remain, 5 are dead but not yet removable\nbuffer usage: 6 hits, 7 misses, 8 dirtied\navg read rate: 9.000 MB/s, avg write rate: 1.000 MB/s\nsystem usage: CPU 0.00s/0.00u sec elapsed 0.02 sec",
            Vacuum {
                numbers: Numbers {
                    pages_remain: 7,
                    tuples_removed: 3,
                    tuples_remain: 4,
                    tuples_dead: 5,
                    buffer_hits: 6,
                    buffer_misses: 7,
                    buffer_dirtied: 8,
                    elapsed: Micros(20_000),
                    ..Numbers::default()
                },
                ..plain
            },
        );
        // 12, with its "oldest xmin" beside the tuples
        check(
            "automatic aggressive vacuum to prevent wraparound of table \"db.public.t\": index scans: 2\npages: 0 removed, 7 remain, 0 skipped due to pins, 0 skipped frozen\ntuples: 3 removed, 4 remain, 5 are dead but not yet removable, oldest xmin: 489\nbuffer usage: 6 hits, 7 misses, 8 dirtied\navg read rate: 9.000 MB/s, avg write rate: 1.000 MB/s\nsystem usage: CPU: user: 0.50 s, system: 0.25 s, elapsed: 61.00 s",
            Vacuum {
                aggressive: true,
                wraparound: true,
                numbers: Numbers {
                    index_scans: 2,
                    pages_remain: 7,
                    tuples_removed: 3,
                    tuples_remain: 4,
                    tuples_dead: 5,
                    buffer_hits: 6,
                    buffer_misses: 7,
                    buffer_dirtied: 8,
                    cpu: Micros(750_000),
                    elapsed: Micros(61_000_000),
                    ..Numbers::default()
                },
                ..plain
            },
        );
        // 15
        check(
            "automatic vacuum of table \"db.public.t\": index scans: 1\npages: 0 removed, 1029 remain, 937 scanned (91.06% of total)\ntuples: 50000 removed, 59998 remain, 0 are dead but not yet removable\nremovable cutoff: 1258, which was 0 XIDs old when operation ended\nindex scan needed: 468 pages from table (45.48% of total) had 50000 dead item identifiers removed\nindex \"big_pkey\": pages: 303 in total, 0 newly deleted, 0 currently deleted, 0 reusable\nI/O timings: read: 1.500 ms, write: 0.250 ms\navg read rate: 0.000 MB/s, avg write rate: 31.365 MB/s\nbuffer usage: 2691 hits, 0 misses, 1216 dirtied\nWAL usage: 2149 records, 744 full page images, 1470276 bytes\nsystem usage: CPU: user: 0.02 s, system: 0.00 s, elapsed: 0.30 s",
            Vacuum {
                numbers: Numbers {
                    index_scans: 1,
                    pages_remain: 1029,
                    pages_scanned: 937,
                    tuples_removed: 50_000,
                    tuples_remain: 59_998,
                    read: Micros(1_500),
                    write: Micros(250),
                    buffer_hits: 2691,
                    buffer_dirtied: 1216,
                    wal_records: 2149,
                    wal_images: 744,
                    wal_bytes: 1_470_276,
                    cpu: Micros(20_000),
                    elapsed: Micros(300_000),
                    ..Numbers::default()
                },
                ..plain
            },
        );
        // 18
        check(
            "automatic aggressive vacuum of table \"db.public.t\": index scans: 0\npages: 0 removed, 9 remain, 9 scanned (100.00% of total), 0 eagerly scanned\ntuples: 0 removed, 100 remain, 0 are dead but not yet removable\nfrozen: 8 pages from table (88.89% of total) had 90 tuples frozen\nvisibility map: 9 pages set all-visible, 8 pages set all-frozen (0 were all-visible)\ndelay time: 12.500 ms\nbuffer usage: 40 hits, 3 reads, 9 dirtied\nWAL usage: 20 records, 1 full page images, 3000 bytes, 0 buffers full\nsystem usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.01 s",
            Vacuum {
                aggressive: true,
                numbers: Numbers {
                    pages_remain: 9,
                    pages_scanned: 9,
                    tuples_remain: 100,
                    tuples_frozen: 90,
                    delay: Micros(12_500),
                    buffer_hits: 40,
                    buffer_misses: 3,
                    buffer_dirtied: 9,
                    wal_records: 20,
                    wal_images: 1,
                    wal_bytes: 3000,
                    elapsed: Micros(10_000),
                    ..Numbers::default()
                },
                ..plain
            },
        );
    }

    #[test]
    fn analyses_of_every_release() {
        let expected = Vacuum {
            table: b"db.public.a \"b\"",
            analyze: true,
            aggressive: false,
            wraparound: false,
            numbers: Numbers::default(),
        };
        let usage = Numbers { cpu: Micros(50_000), elapsed: Micros(80_000), ..Numbers::default() };
        check(
            "automatic analyze of table \"db.public.a \"b\"\" system usage: CPU 0.02s/0.03u sec elapsed 0.08 sec",
            Vacuum { numbers: usage, ..expected },
        );
        check(
            "automatic analyze of table \"db.public.a \"b\"\" system usage: CPU: user: 0.03 s, system: 0.02 s, elapsed: 0.08 s",
            Vacuum { numbers: usage, ..expected },
        );
        check(
            "automatic analyze of table \"db.public.a \"b\"\"\navg read rate: 0.088 MB/s, avg write rate: 0.527 MB/s\nbuffer usage: 1262 hits, 1 misses, 6 dirtied\nsystem usage: CPU: user: 0.03 s, system: 0.02 s, elapsed: 0.08 s",
            Vacuum {
                numbers: Numbers { buffer_hits: 1262, buffer_misses: 1, buffer_dirtied: 6, ..usage },
                ..expected
            },
        );
    }

    #[test]
    fn what_is_no_vacuum() {
        assert_eq!(of(b"automatic vacuum of table \"db.public.t"), None);
        assert_eq!(of(b"automatic updates are off"), None);
        assert_eq!(of(b"automatic "), None);
        let context =
            b"while scanning block 7 of relation \"public.t\"\nautomatic vacuum of table \"db.public.t\"";
        assert_eq!(table_of_context(context), Some(&b"db.public.t"[..]));
    }
}
