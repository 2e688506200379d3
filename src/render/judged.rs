//! What stands beside the findings, in words: the units of work that they were looked for in, and what was left out
//! on purpose. Shared by the page, the terminal and the pull request.

use std::collections::BTreeMap;

use crate::report::Judged;
use crate::words::{count, counted};

/// How the calls were put into units, as `12 traces (54 calls) · 3 bursts (20 calls)`; empty without any.
pub(super) fn units(judged: &Judged) -> String {
    let used = judged.units.iter().filter(|load| load.units > 0);
    let parts: Vec<String> = used
        .map(|load| format!("{} ({})", counted(load.units, &load.kind), counted(load.calls, "call")))
        .collect();
    let cut = match judged.cut_by_clock {
        0 => String::new(),
        cut => format!(" · {} cut by the clock", count(cut)),
    };
    if parts.is_empty() { String::new() } else { parts.join(" · ") + &cut }
}

/// How many findings were left out and by what, as `3 findings left out: 2 by pglens.toml, 1 by a query comment`.
pub(super) fn left_out(judged: &Judged) -> Option<String> {
    let mut by: BTreeMap<&str, u64> = BTreeMap::new();
    for suppressed in &judged.suppressed {
        *by.entry(&suppressed.by).or_default() += 1;
    }
    let parts: Vec<String> =
        by.iter().map(|(by, findings)| format!("{} by {by}", count(*findings))).collect();
    let all = judged.suppressed.len() as u64;
    (all > 0).then(|| format!("{} left out: {}", counted(all, "finding"), parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Suppressed, UnitLoad};

    #[test]
    fn says_what_was_judged_and_what_was_not() {
        let load = |kind: &str, units, calls| UnitLoad { kind: kind.to_owned(), units, calls };
        let by = |by: &str| Suppressed { by: by.to_owned(), ..Suppressed::default() };
        let judged = Judged {
            units: vec![load("trace", 1, 12), load("request", 0, 0), load("burst", 3, 1)],
            cut_by_clock: 2,
            suppressed: vec![by("query comment"), by("pglens.toml"), by("query comment")],
            ..Judged::default()
        };
        assert_eq!(units(&judged), "1 trace (12 calls) · 3 bursts (1 call) · 2 cut by the clock");
        assert_eq!(left_out(&judged).unwrap(), "3 findings left out: 1 by pglens.toml, 2 by query comment");
        assert_eq!((units(&Judged::default()), left_out(&Judged::default())), (String::new(), None));
    }
}
