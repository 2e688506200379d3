//! The headline numbers in words: when, how much time, what the server said of itself, and what to say where nothing
//! stands out. Shared by the page, the terminal and the pull request.

use crate::report::{Input, Report, Statement};
use crate::units::Micros;
use crate::words::{between, bytes, count, counted, duration, instant, span};

/// Parse and bind are worth a word from this part of all time on: a tenth.
const PLANNING: u64 = 10;

/// From when to when, and for how long; nothing for a log without times.
pub(super) fn when(input: &Input) -> Option<String> {
    let (first, last) = (input.first?, input.last?);
    Some(match instant(first) == instant(last) {
        true => format!("{} UTC", instant(first)),
        false => format!("{} UTC ({})", span(first, last), duration(between(first, last))),
    })
}

/// Time of all statements: what executing them took, and parse and bind beside it.
pub(super) fn all_time(report: &Report) -> Micros {
    let totals = &report.totals;
    totals.duration_us + totals.parse_us + totals.bind_us
}

/// What parse and bind of all statements took, where it is so much that it must be said.
pub(super) fn planning(report: &Report) -> Option<Micros> {
    let planning = report.totals.parse_us + report.totals.bind_us;
    (planning.0 > 0 && planning.0.saturating_mul(PLANNING) >= all_time(report).0).then_some(planning)
}

/// What parse and bind of a statement took.
pub(super) fn planning_of(statement: &Statement) -> Micros {
    statement.parse_us + statement.bind_us
}

/// The time of all statements; a dash where the log has no durations.
pub(super) fn in_the_database(report: &Report) -> String {
    match report.totals.timed {
        0 => "–".to_owned(),
        _ => duration(report.totals.duration_us),
    }
}

/// The average of `n` durations, rounded; nothing without any.
pub(super) fn mean(all: Micros, n: u64) -> Option<Micros> {
    let rounded = (u128::from(all.0) + u128::from(n / 2)).checked_div(u128::from(n))?;
    Some(Micros(u64::try_from(rounded).unwrap_or(u64::MAX)))
}

/// The average call of a statement.
pub(super) fn mean_of(statement: &Statement) -> Option<Micros> {
    // The contract has it rounded down: 28.78 µs are 28 there.
    mean(statement.duration_us, statement.timed).or(statement.mean_us)
}

/// Lock waits, deadlocks and temporary files, as far as the log has them.
pub(super) fn server(report: &Report) -> Vec<String> {
    let (locks, files) = (&report.locks, &report.temp_files);
    let mut parts = Vec::new();
    let waits = locks.waiting.max(locks.acquired);
    if waits > 0 {
        parts.push(format!("{}, {} waited", counted(waits, "lock wait"), duration(locks.waited_us)));
    }
    if locks.deadlocks > 0 {
        parts.push(counted(locks.deadlocks, "deadlock"));
    }
    if files.count > 0 {
        parts.push(format!("{}, {}", counted(files.count, "temporary file"), bytes(files.bytes)));
    }
    parts
}

/// What to say where there is nothing to fix: never more than the log can show.
pub(super) fn nothing(report: &Report) -> String {
    let totals = &report.totals;
    match (totals.statements, totals.timed) {
        (0, _) => "This log has no statements, so there is nothing to judge.".to_owned(),
        (n, 0) => format!(
            "Nothing stands out among {}, but the log has no durations: which of them are slow is unknown.",
            counted(n, "statement")
        ),
        (n, timed) if timed < n => format!(
            "Nothing stands out: no finding of weight, and no heavy statement among the {} of {} with a duration.",
            count(timed),
            counted(n, "statement")
        ),
        (n, _) => format!(
            "Nothing stands out among {}: no finding of weight, and no heavy statement that is slow or was sent ten \
             times.",
            counted(n, "statement")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Timestamp;

    #[test]
    fn averages_are_rounded() {
        // 9 calls of 259 µs in all are 28.78 µs each, 2 of 57 are 28.5.
        assert_eq!(mean(Micros(259), 9), Some(Micros(29)));
        assert_eq!(mean(Micros(57), 2), Some(Micros(29)));
        assert_eq!(mean(Micros(250), 9), Some(Micros(28)));
        assert_eq!(mean(Micros(0), 0), None);
        assert_eq!(mean(Micros(u64::MAX), 1), Some(Micros(u64::MAX)));
    }

    #[test]
    fn one_instant_is_no_span() {
        let noon = Timestamp(1_700_049_600_000_000);
        let input = |last| Input { first: Some(noon), last: Some(last), ..Input::default() };
        assert_eq!(when(&input(noon)).unwrap(), "2023-11-15 12:00:00 UTC");
        let later = Timestamp(noon.0 + 60_000_000);
        assert_eq!(when(&input(later)).unwrap(), "2023-11-15 12:00:00 – 12:01:00 UTC (1m00s)");
        assert_eq!(when(&Input::default()), None);
    }
}
