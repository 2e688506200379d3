//! What a file's name says: which names belong to one log, in which order, and which are no log at all.
//!
//! Names only propose. Whether a file is a log, and when it begins, its content decides (`probe`).

use std::cmp::{Ordering, Reverse};

/// Endings of containers: never trusted for reading, but no part of a log's name.
const CONTAINERS: [&str; 10] = ["gz", "gzip", "zst", "zstd", "bz2", "xz", "lz4", "zip", "tgz", "z"];
/// Endings that the server gives to its formats.
const FORMATS: [&str; 4] = ["log", "csv", "json", "txt"];
/// Endings of what lies beside logs and is none.
const OTHERS: [&str; 26] = [
    "pid", "conf", "lock", "opts", "sh", "sql", "html", "htm", "md", "py", "pl", "rs", "toml", "yml", "yaml",
    "png", "svg", "bak", "swp", "pdf", "exe", "so", "key", "crt", "pem", "auto",
];
/// Files of a data directory that are text and no log.
const OTHER_NAMES: [&str; 6] =
    ["PG_VERSION", "current_logfiles", "postmaster.opts", "postmaster.pid", "backup_label", "README"];

const CALENDAR: [&str; 38] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "jan",
    "feb",
    "mar",
    "apr",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
    "sept",
];

/// Whether a file of this name in a directory is surely no log.
pub(super) fn is_other(name: &str) -> bool {
    if name.starts_with('.') || name.ends_with('~') || OTHER_NAMES.contains(&name) {
        return true;
    }
    name.rsplit_once('.').is_some_and(|(_, end)| OTHERS.iter().any(|other| end.eq_ignore_ascii_case(other)))
}

/// What rotation does not change in a name: `postgresql-2026-11-23_000000.log.gz` and `postgresql-Mon.log` are both
/// `postgresql.log`, and so is `postgresql.log.2`. The ending of the format stays: a csvlog and a stderr log of one
/// server are two logs.
pub(super) fn stem(name: &str) -> String {
    let mut lower = without_container(name).to_lowercase();
    lower.retain(|c| !c.is_ascii_digit());
    let mut words: Vec<&str> = Vec::new();
    for word in lower.split(|c: char| !c.is_alphanumeric()) {
        // `20261123t000000z` leaves `tz`.
        if !matches!(word, "" | "t" | "tz") && !CALENDAR.contains(&word) {
            words.push(word);
        }
    }
    words.join(".")
}

/// The name of a run: the name without the endings of container and format. The server writes one run into
/// `NAME.log`, `NAME.csv` and `NAME.json` side by side.
pub(super) fn run(name: &str) -> String {
    let name = without_container(name);
    match name.rsplit_once('.') {
        Some((run, format)) if FORMATS.iter().any(|known| format.eq_ignore_ascii_case(known)) => {
            run.to_owned()
        }
        _ => name.to_owned(),
    }
}

fn without_container(name: &str) -> &str {
    let mut name = name;
    while let Some((rest, end)) = name.rsplit_once('.') {
        if rest.is_empty() || !CONTAINERS.iter().any(|known| end.eq_ignore_ascii_case(known)) {
            break;
        }
        name = rest;
    }
    name
}

/// Older names first: numbers count as numbers, `pg.log.2` comes before `pg.log.1` and that before `pg.log`,
/// `pg.log-20261123` before `pg.log`.
pub(super) fn by_age(left: &str, right: &str) -> Ordering {
    let (left_base, left_age) = rotation(without_container(left));
    let (right_base, right_age) = rotation(without_container(right));
    natural(left_base, right_base).then(left_age.cmp(&right_age)).then_with(|| natural(left, right))
}

/// How old a rotated file is; the order of the variants is the order of reading.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// logrotate's `dateext`.
    Date(u64),
    /// logrotate's number: the highest is the oldest.
    Number(Reverse<u64>),
    /// The file that is written to now.
    Current,
}

/// `pg.log.2` → (`pg.log`, number 2).
fn rotation(name: &str) -> (&str, Age) {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let Some((base, number)) = name.split_at_checked(name.len() - digits) else {
        return (name, Age::Current);
    };
    let format = base.trim_end_matches(['.', '-', '_']);
    let ended = format.rsplit_once('.').is_some_and(|(_, end)| FORMATS.contains(&end));
    match number.parse() {
        Ok(number) if ended && format.len() < base.len() => {
            (format, if digits >= 6 { Age::Date(number) } else { Age::Number(Reverse(number)) })
        }
        _ => (name, Age::Current),
    }
}

/// Compares texts in which runs of digits count as numbers.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        let (a, b) = match (left.first(), right.first()) {
            (Some(a), Some(b)) => (*a, *b),
            _ => return left.len().cmp(&right.len()),
        };
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let (a, rest_left) = number(left);
            let (b, rest_right) = number(right);
            // Without leading zeros the longer number is the greater one.
            match a.len().cmp(&b.len()).then_with(|| a.cmp(b)) {
                Ordering::Equal => (left, right) = (rest_left, rest_right),
                unequal => return unequal,
            }
        } else if a == b {
            (left, right) = (&left[1..], &right[1..]);
        } else {
            return a.cmp(&b);
        }
    }
}

/// The digits at the beginning, without leading zeros, and what follows.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let zeros = text[..end].iter().take_while(|byte| **byte == b'0').count();
    (&text[zeros..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names_have_one_stem() {
        for name in [
            "postgresql-Mon.log",
            "postgresql-2026-11-23_000000.log.gz",
            "postgresql.log",
            "postgresql.log.1",
            "postgresql.log.2.gz",
            "postgresql.log-20261123.zst",
            "postgresql-23.log",
            "postgresql-november.log",
            "postgresql-20261123T000000Z.log",
        ] {
            assert_eq!(stem(name), "postgresql.log", "{name}");
        }
        assert_eq!(stem("postgresql-15-main.log.1"), stem("postgresql-15-main.log"));
    }

    #[test]
    fn other_names_have_other_stems() {
        assert_ne!(stem("primary.log"), stem("replica.log"));
        assert_ne!(stem("postgresql-Mon.log"), stem("postgresql-Mon.csv"));
    }

    #[test]
    fn a_run_is_named_without_its_format() {
        assert_eq!(run("postgresql-Mon.csv.gz"), "postgresql-Mon");
        assert_eq!(run("postgresql-Mon.log"), "postgresql-Mon");
        assert_ne!(run("postgresql-Mon.log"), run("postgresql-Tue.csv"));
    }

    #[test]
    fn older_names_come_first() {
        let check = |ordered: &[&str]| {
            let mut names = ordered.to_vec();
            names.reverse();
            names.sort_by(|left, right| by_age(left, right));
            assert_eq!(names, ordered);
        };
        check(&["pg.log.10.gz", "pg.log.2.gz", "pg.log.1", "pg.log"]);
        check(&["pg.log-20261121.gz", "pg.log-20261122", "pg.log"]);
        check(&["postgresql-2.log", "postgresql-10.log"]);
        check(&["pg-2026-11-22_235959.log", "pg-2026-11-23_000000.log"]);
    }

    #[test]
    fn what_lies_beside_logs() {
        for name in
            ["postmaster.pid", "postgresql.conf", "postgresql.auto.conf", "current_logfiles", ".hidden"]
        {
            assert!(is_other(name), "{name}");
        }
        for name in ["postgresql.log", "postgresql-Mon.csv", "pg.log.1", "server", "messages"] {
            assert!(!is_other(name), "{name}");
        }
    }
}
