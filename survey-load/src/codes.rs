//! Login codes: who may take the survey, and that nobody takes it twice.
//!
//! Serves the attack. Reads what the administration prints and `survey-app up --respondents` writes: CSV with the
//! columns `address` (of the survey) and `code`, whatever else is in it.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A way into a survey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Where it is valid, such as `/survey/run/`.
    pub address: String,
    /// What to type there.
    pub code: String,
}

/// Which of several processes this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Counted from 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl Part {
    /// The only one.
    pub const WHOLE: Part = Part { index: 0, of: 1 };

    /// This process's share of `total`; the shares of all add up to it.
    pub fn share(self, total: u64) -> u64 {
        let (index, of) = (self.index as u64, self.of as u64);
        total / of + u64::from(index < total % of)
    }
}

/// Tickets, each given out once.
#[derive(Debug)]
pub struct Roster {
    tickets: Vec<Ticket>,
    next: AtomicUsize,
}

impl Roster {
    /// Reads every `part.of`th ticket of a file, so that processes share it without talking to each other.
    pub fn read(path: &Path, part: Part) -> Result<Roster> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let all = parse(&text).with_context(|| format!("{} holds no login codes", path.display()))?;
        Ok(Roster::of(all.into_iter().skip(part.index).step_by(part.of).collect()))
    }

    /// Gives out these.
    pub fn of(tickets: Vec<Ticket>) -> Roster {
        Roster { tickets, next: AtomicUsize::new(0) }
    }

    /// How many there were at first.
    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Whether there never was one.
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// The next one and its number.
    pub fn take(&self) -> Option<(usize, &Ticket)> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        self.tickets.get(at).map(|ticket| (at, ticket))
    }
}

fn parse(text: &str) -> Result<Vec<Ticket>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().context("the first line")?.clone();
    let column = |name: &str| headers.iter().position(|h| h.trim() == name);
    let (Some(address), Some(code)) = (column("address"), column("code")) else {
        bail!("its first line names no columns `address` and `code`");
    };
    let mut tickets = Vec::new();
    for record in reader.records() {
        let record = record?;
        let field = |at: usize| record.get(at).unwrap_or_default().trim().to_string();
        tickets.push(Ticket { address: field(address), code: field(code) });
    }
    match tickets.iter().position(|t| !t.address.starts_with('/') || t.code.is_empty()) {
        Some(at) => bail!("entry {} has no address or no code", at + 1),
        None if tickets.is_empty() => bail!("there is nobody in it"),
        None => Ok(tickets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "person,school,address,code\n\"Reyes, Jordan\",North,/survey/run/,AAAA-BBBB\n\
                           Kim,Lake,/survey/run/,CCCC-DDDD\n";

    #[test]
    fn codes_as_they_are_printed() {
        let tickets = parse(PRINTED).unwrap();
        assert_eq!(tickets.len(), 2);
        assert_eq!(tickets[0], Ticket { address: "/survey/run/".into(), code: "AAAA-BBBB".into() });
        for (text, says) in [
            ("a,b\n1,2\n", "no columns"),
            ("address,code\n", "nobody"),
            ("address,code\n/survey/run/,\n", "entry 1"),
            ("address,code\nhttp://x/,C\n", "entry 1"),
        ] {
            assert!(format!("{:#}", parse(text).unwrap_err()).contains(says), "{text}");
        }
    }

    #[test]
    fn shares_add_up() {
        for total in [0, 1, 7, 275, 1250] {
            for of in 1..6 {
                let shares: u64 = (0..of).map(|index| Part { index, of }.share(total)).sum();
                assert_eq!(shares, total);
            }
        }
    }

    #[test]
    fn nobody_gets_a_ticket_twice() {
        let roster = Roster::of(parse(PRINTED).unwrap());
        assert_eq!(roster.take().map(|t| t.0), Some(0));
        assert_eq!(roster.take().map(|t| t.0), Some(1));
        assert_eq!((roster.take(), roster.len()), (None, 2));
    }
}
