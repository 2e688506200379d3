//! [`Wording`]: what the normalised text of a statement says that its shape does not.

use super::fact::is_catalogue;
use super::{Depends, Verb};
use crate::sql::Kind;

/// How the normalised text of an ORM's uniqueness validation begins: Rails, then Django (before 3.2, and since).
/// Those of Laravel and Sequel look like any other count of theirs, which may well be an N+1.
const VALIDATIONS: &[&str] =
    &["select ? as one from ", "select (?) as \"a\" from ", "select ? as \"a\" from "];

/// Words that stand for a function of the time.
const TIMED_WORDS: &[&str] =
    &["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"];

/// Words that stand for a function of who asks.
const PERSONAL_WORDS: &[&str] = &["current_user", "session_user", "current_role", "current_schema", "user"];

/// The normalised text of a statement, in lower case.
pub(super) struct Wording {
    pub(super) lower: String,
    /// More than one statement in one query.
    pub(super) many: bool,
}

impl Wording {
    pub(super) fn of(normalised: &str) -> Self {
        let lower = normalised.trim().trim_end_matches(';').trim_end().to_ascii_lowercase();
        let many = lower.contains(';');
        Self { lower, many }
    }

    /// Whether it ends with LIMIT, OFFSET or FETCH FIRST.
    pub(super) fn is_page(&self) -> bool {
        let end = self.lower.rsplit(')').next().unwrap_or("");
        [" limit ?", " offset ?", " fetch first ", " fetch next "].iter().any(|words| end.contains(words))
    }

    /// Whether it is an ORM's uniqueness validation. Ecto's is known by its aliases: `FROM "users" AS u0 WHERE (…)`.
    pub(super) fn is_validation(&self) -> bool {
        let ecto = || {
            let from = self.lower.strip_prefix("select ? from \"")?;
            let (_, alias) = from.split_once("\" as ")?;
            let (name, rest) = alias.split_at_checked(2)?;
            let digit = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.ends_with('0');
            (digit && rest.starts_with(" where (")).then_some(())
        };
        self.lower.ends_with(" limit ?")
            && (VALIDATIONS.iter().any(|begin| self.lower.starts_with(begin)) || ecto().is_some())
    }

    pub(super) fn first(&self) -> &str {
        self.lower.split([' ', '\n', '\t', ';', '(']).next().unwrap_or("")
    }

    pub(super) fn verb(&self) -> Option<Verb> {
        let last = self.lower.rsplit(';').next().unwrap_or("").trim();
        let opens = matches!(self.first(), "begin" | "start");
        let closes = closing(last);
        match (opens, closes) {
            (true, Some(_)) => Some(Verb::Whole),
            (true, None) => Some(Verb::Begin),
            (false, closes) => closes,
        }
    }

    /// Whether it has one of these words, neither quoted nor behind a dot nor as an alias.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        words.iter().any(|word| {
            self.lower.match_indices(word).any(|(at, _)| {
                let before = &self.lower[..at];
                let after = self.lower[at + word.len()..].chars().next();
                let part = |next: char| next.is_alphanumeric() || matches!(next, '_' | '$' | '"' | '.');
                !before.ends_with(part) && !before.ends_with(" as ") && !after.is_some_and(part)
            })
        })
    }

    /// Whether it looks at what changes although nothing is seen to be written to it: the state of a sequence, or what
    /// the system shows of itself beside the tables of an application.
    pub(super) fn watches(&self, reads: &[String]) -> bool {
        let catalogue = reads.iter().filter(|table| is_catalogue(table)).count();
        let sequence = reads.iter().any(|table| table.ends_with("_seq"));
        catalogue > 0 && catalogue < reads.len() || sequence && self.has(&["last_value", "is_called"])
    }

    /// Whether it makes a table whose rows no replica has.
    pub(super) fn is_unlogged(&self) -> bool {
        self.lower.starts_with("create unlogged ")
            || [" into unlogged ", " set unlogged"].iter().any(|words| self.lower.contains(words))
    }

    /// What a question depends on; whether it calls a function that tells the time, or one that tells who asks.
    pub(super) fn depends(&self, timed: bool, personal: bool) -> Depends {
        if personal || self.has(PERSONAL_WORDS) {
            Depends::Asker
        } else if timed || self.has(TIMED_WORDS) {
            Depends::Time
        } else {
            Depends::Tables
        }
    }

    /// Whether it makes a transaction serializable, which a replica cannot.
    pub(super) fn is_serializable(&self, verb: Verb) -> bool {
        (matches!(verb, Verb::Begin | Verb::Whole) || self.lower.starts_with("set transaction"))
            && self.has(&["serializable"])
    }

    /// Whether it is a SET after which the same question may have another answer.
    pub(super) fn changes_answers(&self) -> bool {
        let mut words = self.lower.split([' ', '=']).filter(|word| !word.is_empty());
        let set = words.next() == Some("set");
        let name = words.find(|word| !matches!(*word, "local" | "session"));
        set && name.is_some_and(|name| TELLING.contains(&name) || name.contains('.'))
    }

    /// Whether it ends a transaction and begins the next one.
    pub(super) fn chains(&self) -> bool {
        self.lower.ends_with("and chain")
    }

    pub(super) fn is_barrier(&self, kind: Kind, verb: Verb) -> bool {
        verb == Verb::Rollback
            || self.changes_answers()
            || (self.many && verb != Verb::Whole)
            || (kind == Kind::Transaction && self.lower.starts_with("rollback"))
            || matches!(self.first(), "call" | "do" | "discard" | "reset" | "execute")
            // Another table has the name from now on.
            || (self.first() == "alter" && (self.lower.contains(" rename ") || self.lower.contains(" set schema ")))
    }
}

/// Settings on which the answer to a question depends, besides those of extensions and applications, which have a dot
/// in their name: row-level security asks for them. A pooler that gives a backend to another client sends that client's
/// `application_name` first: what was asked before was asked by somebody else.
const TELLING: &[&str] = &["search_path", "role", "authorization", "row_security", "application_name"];

/// What a statement that ends a transaction does. `ROLLBACK TO` goes on in the same one.
fn closing(statement: &str) -> Option<Verb> {
    let mut words = statement.split_ascii_whitespace();
    match words.next()? {
        "commit" | "end" => Some(Verb::Commit),
        "prepare" if words.next() == Some("transaction") => Some(Verb::Commit),
        "abort" => Some(Verb::Rollback),
        "rollback" if !words.any(|word| word == "to") => Some(Verb::Rollback),
        _ => None,
    }
}
