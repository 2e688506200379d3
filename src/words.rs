//! Numbers as people read them: `1,284,311`, `1h02m`, `12.3 s`, `4.2 MB`, `41.3 %`. Integer arithmetic only, so that
//! the same number is the same text everywhere.

use chrono::{Datelike, Timelike};

use crate::units::{Micros, Timestamp};

/// A count with its thousands apart.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun, in the plural where it is not one.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        _ => format!("{} {}", count(n), plural(noun)),
    }
}

fn plural(noun: &str) -> String {
    match noun {
        "query" => "queries".to_owned(),
        "entry" => "entries".to_owned(),
        _ if noun.ends_with(['s', 'x']) || noun.ends_with("ch") => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// A duration in three significant digits: `850 µs`, `1.24 ms`, `12.3 s`, `2m03s`, `1h02m`, `3d04h`.
pub(crate) fn duration(us: Micros) -> String {
    let us = us.0;
    match us {
        0 => "0".to_owned(),
        1..1_000 => format!("{us} µs"),
        1_000..999_500 => format!("{} ms", three_digits(us, 1_000)),
        999_500..59_950_000 => format!("{} s", three_digits(us, 1_000_000)),
        _ => {
            let seconds = us.saturating_add(500_000) / 1_000_000;
            let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
            match seconds {
                0..3_600 => format!("{minutes}m{:02}s", seconds % 60),
                3_600..86_400 => format!("{hours}h{minutes:02}m"),
                _ => format!("{}d{hours:02}h", count(days)),
            }
        }
    }
}

/// A duration that may not be known.
pub(crate) fn duration_or_dash(us: Option<Micros>) -> String {
    us.map_or_else(|| "–".to_owned(), duration)
}

/// A size: `512 B`, `4.2 kB`, `1.3 GB` (powers of a thousand).
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [(&str, u64); 5] = [
        ("PB", 1_000_000_000_000_000),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
    ];
    for (unit, size) in UNITS {
        if n >= size {
            return format!("{} {unit}", three_digits(n, size));
        }
    }
    format!("{n} B")
}

/// `n / unit` in three significant digits, as far as that needs decimals.
fn three_digits(n: u64, unit: u64) -> String {
    let (n, unit) = (u128::from(n), u128::from(unit));
    let decimals = match n / unit {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let scale = 10_u128.pow(decimals);
    let scaled = (n * scale + unit / 2) / unit;
    match decimals {
        0 => count(u64::try_from(scaled).unwrap_or(u64::MAX)),
        _ => format!("{}.{:0width$}", scaled / scale, scaled % scale, width = decimals as usize),
    }
}

/// `part` of `whole` in thousandths, rounded; 0 of 0 is 0.
pub(crate) fn permille(part: u64, whole: u64) -> u64 {
    match whole {
        0 => 0,
        _ => {
            let scaled = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
            u64::try_from(scaled).unwrap_or(u64::MAX)
        }
    }
}

/// `part` of `whole` in per cent: `41.3 %`, `< 0.1 %` where it rounds to nothing but is something.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match permille(part, whole) {
        0 if part > 0 => "< 0.1 %".to_owned(),
        1000 if part < whole => "> 99.9 %".to_owned(),
        n if n % 10 == 0 && (n == 0 || n == 1000) => format!("{} %", n / 10),
        n => format!("{}.{} %", n / 10, n % 10),
    }
}

/// A ratio with one decimal, as rows a statement.
pub(crate) fn ratio(part: u64, whole: u64) -> String {
    match whole {
        0 => "–".to_owned(),
        _ => {
            let tenths = (u128::from(part) * 10 + u128::from(whole) / 2) / u128::from(whole);
            format!("{}.{}", tenths / 10, tenths % 10)
        }
    }
}

/// [`ratio`] of what is not always known.
pub(crate) fn ratio_or_dash(part: Option<u64>, whole: u64) -> String {
    part.map_or_else(|| "–".to_owned(), |part| ratio(part, whole))
}

/// An instant to the second, in UTC.
pub(crate) fn instant(at: Timestamp) -> String {
    let at = at.to_utc();
    format!("{} {:02}:{:02}:{:02}", at.date_naive(), at.hour(), at.minute(), at.second())
}

/// The same with milliseconds, where single calls are told apart.
pub(crate) fn instant_ms(at: Timestamp) -> String {
    format!("{}.{:03}", instant(at), at.0.div_euclid(1_000).rem_euclid(1_000))
}

/// An instant that may not be known.
pub(crate) fn instant_or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), instant)
}

/// Day and hour, as a label below a chart.
pub(crate) fn hour_label(at: Timestamp) -> String {
    let at = at.to_utc();
    format!("{:02}-{:02} {:02}:{:02}", at.month(), at.day(), at.hour(), at.minute())
}

/// The clock alone.
pub(crate) fn clock(at: Timestamp) -> String {
    let at = at.to_utc();
    format!("{:02}:{:02}", at.hour(), at.minute())
}

/// From–to, the day once where both share it.
pub(crate) fn span(first: Timestamp, last: Timestamp) -> String {
    let (from, to) = (instant(first), instant(last));
    match from.get(..10) == to.get(..10) {
        true => format!("{from} – {}", &to[11..]),
        false => format!("{from} – {to}"),
    }
}

/// The time between two instants.
pub(crate) fn between(first: Timestamp, last: Timestamp) -> Micros {
    Micros(last.0.saturating_sub(first.0).max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        let cases = [
            (0, "0"),
            (850, "850 µs"),
            (1_000, "1.00 ms"),
            (1_235, "1.24 ms"),
            (12_345, "12.3 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (12_345_678, "12.3 s"),
            (59_949_999, "59.9 s"),
            (59_950_000, "1m00s"),
            (123_400_000, "2m03s"),
            (3_720_000_000, "1h02m"),
            (277_200_000_000, "3d05h"),
        ];
        for (us, text) in cases {
            assert_eq!(duration(Micros(us)), text, "{us}");
        }
    }

    #[test]
    fn counts_and_sizes() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_284_311), "1,284,311");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(4_200), "4.20 kB");
        assert_eq!(bytes(512_300_000), "512 MB");
        assert_eq!(bytes(u64::MAX), "18,447 PB");
        assert_eq!(counted(1, "query"), "1 query");
        assert_eq!(counted(1200, "query"), "1,200 queries");
    }

    #[test]
    fn something_is_never_shown_as_nothing_nor_almost_all_as_all() {
        assert_eq!(percent(413, 1000), "41.3 %");
        assert_eq!(percent(1, 1_000_000), "< 0.1 %");
        assert_eq!(percent(999_999, 1_000_000), "> 99.9 %");
        assert_eq!(percent(5, 5), "100 %");
        assert_eq!(percent(0, 0), "0 %");
    }

    #[test]
    fn a_span_names_a_shared_day_once() {
        let noon = Timestamp(1_700_049_600_000_000);
        assert_eq!(span(noon, Timestamp(noon.0 + 60_000_000)), "2023-11-15 12:00:00 – 12:01:00");
    }
}
