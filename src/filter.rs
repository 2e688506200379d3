//! Which calls and events a report is about: a pure value and its predicates.
//!
//! A filter judges what is *finished*: a call whose duration was found, a record with all its parts. It never sees
//! single lines, so it cannot take a duration from its statement, nor a statement from its user. That is also why the
//! same filter gives the same answer in every format.
//!
//! Within one option any of its values is enough; all options must hold. What an entry does not know (a log without
//! times, a prefix without users) no option about it can hold for.
//!
//! ```text
//!              time  user database application host │ duration │ kind table fingerprint │ include exclude tag
//!  call          ✓              ✓                   │    ✓     │           ✓            │         ✓
//!  failure       ✓              ✓                   │          │     of its STATEMENT   │  message or STATEMENT
//!  other event   ✓              ✓                   │          │     of its STATEMENT   │  message or STATEMENT
//! ```
//!
//! An event without a statement (a checkpoint) is not asked for kind, table, fingerprint and tag: these choose among
//! statements.

mod words;

use std::sync::Arc;

use hashbrown::HashMap;
use regex::bytes::Regex;

pub use words::{FilterError, duration, fingerprint, group, instant, kind, span, tag};

use crate::log::Who;
use crate::record::Record;
use crate::sql::{self, Digest, Fingerprint, Kind};
use crate::units::{Micros, Timestamp};

/// Verdicts kept; a hostile log has more fingerprints than memory.
const MOST_VERDICTS: usize = 1 << 16;

/// Which calls and events count. The default lets everything through.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Nothing before it.
    pub since: Option<Timestamp>,
    /// Nothing after it.
    pub until: Option<Timestamp>,
    /// Role names.
    pub users: Vec<Pattern>,
    /// Database names.
    pub databases: Vec<Pattern>,
    /// Application names.
    pub applications: Vec<Pattern>,
    /// Client hosts.
    pub hosts: Vec<Pattern>,
    /// Only calls that took at least this long; calls without a known duration do not count then.
    pub min_duration: Option<Micros>,
    /// Kinds of statements.
    pub kinds: Vec<Kind>,
    /// Tables that a statement reads or writes; a name without a schema fits any schema.
    pub tables: Vec<String>,
    /// Fingerprints.
    pub fingerprints: Vec<Fingerprint>,
    /// One of these occurs in the statement or message.
    pub include: Vec<Pattern>,
    /// None of these occurs in the statement or message.
    pub exclude: Vec<Pattern>,
    /// Tags in the comments of a statement: key and value.
    pub tags: Vec<(String, String)>,
}

/// A literal, or a regular expression when written as `re:…`.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// These very bytes.
    Literal(Vec<u8>),
    /// Whatever this fits; linear time on hostile text.
    Regex(Regex),
}

impl Pattern {
    /// `re:…` or a literal.
    ///
    /// # Errors
    /// When what follows `re:` is no regular expression.
    pub fn new(word: &str) -> Result<Self, FilterError> {
        match word.strip_prefix("re:") {
            None => Ok(Self::Literal(word.as_bytes().to_vec())),
            Some(pattern) => match Regex::new(pattern) {
                Ok(regex) => Ok(Self::Regex(regex)),
                Err(error) => Err(FilterError::Regex { word: word.to_owned(), error: error.to_string() }),
            },
        }
    }

    /// Whether it occurs somewhere in a text.
    fn occurs(&self, text: &[u8]) -> bool {
        match self {
            Self::Literal(literal) => memchr::memmem::find(text, literal).is_some(),
            Self::Regex(regex) => regex.is_match(text),
        }
    }

    /// Whether it is a name, or for a regular expression whether it occurs in it.
    fn names(&self, name: &[u8]) -> bool {
        match self {
            // Readers leave a name that the log calls unknown empty.
            Self::Literal(literal) if name.is_empty() => literal.is_empty() || literal == b"[unknown]",
            Self::Literal(literal) => name == literal.as_slice(),
            Self::Regex(regex) => regex.is_match(name),
        }
    }
}

/// A statement, as far as a filter looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// The statement as sent.
    pub sql: &'a [u8],
    /// The statement that runs: of an EXECUTE the one that was prepared.
    pub executed: &'a [u8],
    /// What one pass over it yielded.
    pub digest: &'a Digest,
}

/// What was decided about fingerprints: parsing a statement for its tables once is enough. One a worker.
#[derive(Debug, Clone, Default)]
pub struct Verdicts(HashMap<Fingerprint, bool>);

/// A filter at work: one a worker, asked once about each finished call and each other record.
#[derive(Debug, Clone)]
pub struct Gate {
    filter: Arc<Filter>,
    verdicts: Verdicts,
}

impl Gate {
    /// A gate for this filter; none where everything passes.
    #[must_use]
    pub fn new(filter: &Arc<Filter>) -> Option<Self> {
        (!filter.is_empty()).then(|| Self { filter: Arc::clone(filter), verdicts: Verdicts::default() })
    }

    /// [`Filter::keeps_record`].
    #[must_use]
    pub fn keeps_record(&self, record: &Record<'_>) -> bool {
        self.filter.keeps_record(record)
    }

    /// [`Filter::keeps_call`].
    pub fn keeps_call(
        &mut self,
        record: &Record<'_>,
        statement: Statement<'_>,
        duration: Option<Micros>,
    ) -> bool {
        self.filter.keeps_call(record, statement, duration, &mut self.verdicts)
    }

    /// [`Filter::keeps_unidentified`].
    #[must_use]
    pub fn keeps_unidentified(&self, record: &Record<'_>, duration: Micros) -> bool {
        self.filter.keeps_unidentified(record, duration)
    }

    /// [`Filter::keeps_event`].
    pub fn keeps_event(&mut self, record: &Record<'_>, statement: Option<Statement<'_>>) -> bool {
        self.filter.keeps_event(record, statement, &mut self.verdicts)
    }
}

impl Filter {
    /// Whether everything passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.min_duration.is_none() && {
            let patterns =
                [&self.users, &self.databases, &self.applications, &self.hosts, &self.include, &self.exclude];
            patterns.iter().all(|patterns| patterns.is_empty())
                && !self.chooses_statements()
                && self.tags.is_empty()
        }
    }

    /// Whether a call counts. `record` has the time at which it ended, and its backend's names.
    #[must_use]
    pub fn keeps_call(
        &self,
        record: &Record<'_>,
        statement: Statement<'_>,
        duration: Option<Micros>,
        verdicts: &mut Verdicts,
    ) -> bool {
        self.keeps_duration(duration)
            && self.keeps_record(record)
            && self.keeps_statement(statement, verdicts)
            && self.keeps_texts(&[statement.sql, statement.executed])
    }

    /// Whether a duration counts that belongs to no known statement.
    #[must_use]
    pub fn keeps_unidentified(&self, record: &Record<'_>, duration: Micros) -> bool {
        self.keeps_duration(Some(duration))
            && self.keeps_record(record)
            && !self.chooses_statements()
            && self.tags.is_empty()
            && self.include.is_empty()
    }

    /// Whether any other record counts: an error, a lock wait, a checkpoint. `statement` is its STATEMENT.
    #[must_use]
    pub fn keeps_event(
        &self,
        record: &Record<'_>,
        statement: Option<Statement<'_>>,
        verdicts: &mut Verdicts,
    ) -> bool {
        let sql = statement.map_or(&b""[..], |statement| statement.sql);
        self.keeps_record(record)
            && statement.is_none_or(|statement| self.keeps_statement(statement, verdicts))
            && self.keeps_texts(&[record.message, sql])
    }

    /// Time and names.
    #[must_use]
    pub fn keeps_record(&self, record: &Record<'_>) -> bool {
        self.keeps_time(record.time) && self.keeps_who(&record.who)
    }

    fn keeps_time(&self, time: Option<Timestamp>) -> bool {
        match time {
            Some(time) => {
                self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time <= until)
            }
            None => self.since.is_none() && self.until.is_none(),
        }
    }

    fn keeps_who(&self, who: &Who<'_>) -> bool {
        let Who { user, database, application, host } = *who;
        let options = [
            (&self.users, user),
            (&self.databases, database),
            (&self.applications, application),
            (&self.hosts, host),
        ];
        options
            .iter()
            .all(|(patterns, name)| patterns.is_empty() || patterns.iter().any(|pattern| pattern.names(name)))
    }

    fn keeps_duration(&self, duration: Option<Micros>) -> bool {
        self.min_duration.is_none_or(|least| duration.is_some_and(|duration| least <= duration))
    }

    fn keeps_texts(&self, texts: &[&[u8]]) -> bool {
        let occurs = |pattern: &Pattern| texts.iter().any(|text| pattern.occurs(text));
        (self.include.is_empty() || self.include.iter().any(occurs)) && !self.exclude.iter().any(occurs)
    }

    fn chooses_statements(&self) -> bool {
        !self.kinds.is_empty() || !self.tables.is_empty() || !self.fingerprints.is_empty()
    }

    fn keeps_statement(&self, statement: Statement<'_>, verdicts: &mut Verdicts) -> bool {
        if self.chooses_statements() {
            let fingerprint = statement.digest.fingerprint;
            let verdict = verdicts.0.get(&fingerprint).copied().unwrap_or_else(|| {
                if verdicts.0.len() >= MOST_VERDICTS {
                    verdicts.0.clear();
                }
                let verdict = self.keeps_fingerprint(statement);
                verdicts.0.insert(fingerprint, verdict);
                verdict
            });
            if !verdict {
                return false;
            }
        }
        self.keeps_tags(statement)
    }

    fn keeps_fingerprint(&self, statement: Statement<'_>) -> bool {
        if !self.fingerprints.is_empty() && !self.fingerprints.contains(&statement.digest.fingerprint) {
            return false;
        }
        if self.kinds.is_empty() && self.tables.is_empty() {
            return true;
        }
        let shape = sql::shape(statement.executed);
        let mut tables = shape.reads.iter().chain(&shape.writes);
        (self.kinds.is_empty() || self.kinds.contains(&shape.kind))
            && (self.tables.is_empty()
                || tables.any(|table| self.tables.iter().any(|wanted| is_table(wanted, table))))
    }

    fn keeps_tags(&self, statement: Statement<'_>) -> bool {
        if self.tags.is_empty() {
            return true;
        }
        if !statement.digest.comments {
            return false;
        }
        let tags = sql::tags(statement.sql);
        // Values of one key are alternatives, different keys must all be there.
        self.tags.iter().all(|(key, _)| {
            let found = tags.get(key);
            self.tags.iter().any(|(other, value)| other == key && found == Some(value.as_str()))
        })
    }
}

/// Whether a table as the shape has it is the one that was asked for.
fn is_table(wanted: &str, table: &str) -> bool {
    if wanted.contains('.') {
        return table == wanted;
    }
    table == wanted || table.rsplit_once('.').is_some_and(|(_, name)| name == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Entry, Part, Session, Severity};
    use crate::units::ByteOffset;

    const NOON: i64 = 1_763_899_200_000_000;

    /// One call: a user, a duration in milliseconds, a second after noon, a statement.
    struct Case(&'static str, Option<u64>, i64, &'static str);

    const CASES: [Case; 7] = [
        Case("alice", Some(1), 0, "SELECT 1 FROM accounts"),
        Case("alice", Some(987_654), 1, "SELECT pg_sleep(987) FROM audit.log"),
        Case("bob", Some(20), 2, "UPDATE accounts SET a = 1 /*route='/pay',controller='x'*/"),
        Case("bob", None, 3, "INSERT INTO accounts VALUES (1)"),
        Case("", Some(5), 4, "DELETE FROM audit.log /*route='/clean'*/"),
        Case("svc@corp", Some(3), 5, "BEGIN"),
        Case("alice", Some(7), 6, "EXECUTE p(1)"),
    ];

    fn record<'a>(user: &'a str, second: i64, message: &'a str) -> Record<'a> {
        let entry = Entry {
            at: ByteOffset(0),
            len: 0,
            time: Some(Timestamp(NOON + second * 1_000_000)),
            session: Session::default(),
            who: Who::nobody(),
            origin: 0,
            part: Part::Record(Severity::Log),
            text: message.as_bytes(),
            fields: None,
        };
        let who = Who { user: user.as_bytes(), database: b"shop", application: b"web 1", host: b"10.0.0.1" };
        Record { who, ..Record::new(&entry, Severity::Log) }
    }

    fn kept(filter: &Filter) -> Vec<usize> {
        let mut verdicts = Verdicts::default();
        let mut all = Vec::new();
        for (number, Case(user, millis, second, sql)) in CASES.iter().enumerate() {
            let executed =
                if sql.starts_with("EXECUTE") { "SELECT 2 FROM accounts WHERE a = $1" } else { sql };
            let digest = sql::digest(executed.as_bytes(), None);
            let statement = Statement { sql: sql.as_bytes(), executed: executed.as_bytes(), digest: &digest };
            let duration = millis.map(|millis| Micros(millis * 1000));
            // Twice: the second answer comes from the verdicts.
            let record = record(user, *second, sql);
            let kept = filter.keeps_call(&record, statement, duration, &mut verdicts);
            assert_eq!(filter.keeps_call(&record, statement, duration, &mut verdicts), kept);
            if kept {
                all.push(number);
            }
        }
        all
    }

    fn check(expected: &[usize], change: impl FnOnce(&mut Filter)) {
        let mut filter = Filter::default();
        assert!(filter.is_empty());
        change(&mut filter);
        assert!(!filter.is_empty());
        assert_eq!(kept(&filter), expected);
    }

    fn pattern(word: &str) -> Pattern {
        Pattern::new(word).unwrap()
    }

    #[test]
    fn without_options_everything_passes() {
        assert_eq!(kept(&Filter::default()), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn each_option() {
        check(&[3, 4, 5, 6], |filter| filter.since = Some(Timestamp(NOON + 3_000_000)));
        check(&[0, 1, 2, 3], |filter| filter.until = Some(Timestamp(NOON + 3_000_000)));
        check(&[0, 1, 6], |filter| filter.users = vec![pattern("alice")]);
        check(&[], |filter| filter.users = vec![pattern("ali")]);
        check(&[5], |filter| filter.users = vec![pattern("re:@corp$")]);
        check(&[4], |filter| filter.users = vec![pattern("[unknown]")]);
        check(&[0, 1, 2, 3, 6], |filter| filter.users = vec![pattern("alice"), pattern("bob")]);
        check(&[], |filter| filter.databases = vec![pattern("bank")]);
        check(&[0, 1, 2, 3, 4, 5, 6], |filter| filter.applications = vec![pattern("web 1")]);
        check(&[0, 1, 2, 3, 4, 5, 6], |filter| filter.hosts = vec![pattern("re:^10\\.")]);
        check(&[1, 2], |filter| filter.min_duration = Some(Micros(20_000)));
        check(&[0, 1, 6], |filter| filter.kinds = vec![Kind::Select]);
        check(&[3, 5], |filter| filter.kinds = vec![Kind::Insert, Kind::Transaction]);
        check(&[0, 2, 3, 6], |filter| filter.tables = vec!["accounts".into()]);
        check(&[1, 4], |filter| filter.tables = vec!["log".into()]);
        check(&[1, 4], |filter| filter.tables = vec!["audit.log".into()]);
        check(&[], |filter| filter.tables = vec!["public.accounts".into()]);
        check(&[5], |filter| filter.fingerprints = vec![sql::digest(b"begin", None).fingerprint]);
        check(&[0, 2, 3, 6], |filter| filter.include = vec![pattern("accounts")]);
        check(&[1, 4, 5], |filter| filter.exclude = vec![pattern("accounts")]);
        check(&[1, 5], |filter| filter.include = vec![pattern("re:(?i)begin|sleep\\(\\d+\\)")]);
        check(&[2], |filter| filter.tags = vec![("route".into(), "/pay".into())]);
        check(&[2, 4], |filter| filter.tags = vec![tag("route=/pay").unwrap(), tag("route=/clean").unwrap()]);
        check(&[], |filter| filter.tags = vec![tag("route=/clean").unwrap(), tag("controller=x").unwrap()]);
    }

    #[test]
    fn all_options_must_hold() {
        check(&[0], |filter| {
            filter.users = vec![pattern("alice")];
            filter.tables = vec!["accounts".into()];
            filter.exclude = vec![pattern("EXECUTE")];
        });
    }

    #[test]
    fn a_users_own_slowest_query_is_not_dropped() {
        // pgBadger's #886: the filter saw the line before the query was complete.
        check(&[1], |filter| {
            filter.users = vec![pattern("alice")];
            filter.min_duration = Some(Micros(900_000_000));
        });
    }

    #[test]
    fn events_are_asked_only_what_they_can_answer() {
        let mut verdicts = Verdicts::default();
        let mut filter =
            Filter { kinds: vec![Kind::Select], min_duration: Some(Micros(5)), ..Filter::default() };
        let checkpoint = record("", 0, "checkpoint starting: time");
        assert!(filter.keeps_event(&checkpoint, None, &mut verdicts));
        let failure = record("bob", 0, "duplicate key value violates unique constraint");
        let mut failed = |filter: &Filter, sql: &str| {
            let digest = sql::digest(sql.as_bytes(), None);
            let statement = Statement { sql: sql.as_bytes(), executed: sql.as_bytes(), digest: &digest };
            filter.keeps_event(&failure, Some(statement), &mut verdicts)
        };
        assert!(failed(&filter, "SELECT 1"));
        assert!(!failed(&filter, "INSERT INTO a VALUES (1)"));
        filter = Filter { include: vec![pattern("duplicate key")], ..Filter::default() };
        verdicts = Verdicts::default();
        assert!(!filter.keeps_event(&checkpoint, None, &mut verdicts));
        assert!(filter.keeps_event(&failure, None, &mut verdicts));
        filter = Filter { users: vec![pattern("bob")], ..Filter::default() };
        assert!(!filter.keeps_event(&checkpoint, None, &mut verdicts));
        assert!(filter.keeps_event(&failure, None, &mut verdicts));
    }

    #[test]
    fn durations_without_a_statement() {
        let bare = record("bob", 0, "duration: 1.000 ms");
        let keeps = |filter: Filter| filter.keeps_unidentified(&bare, Micros(1000));
        assert!(keeps(Filter::default()));
        assert!(keeps(Filter { min_duration: Some(Micros(1000)), ..Filter::default() }));
        assert!(!keeps(Filter { min_duration: Some(Micros(1001)), ..Filter::default() }));
        assert!(!keeps(Filter { kinds: vec![Kind::Select], ..Filter::default() }));
        assert!(!keeps(Filter { include: vec![pattern("x")], ..Filter::default() }));
        assert!(keeps(Filter { exclude: vec![pattern("x")], ..Filter::default() }));
    }

    #[test]
    fn an_entry_without_a_time_is_in_no_window() {
        let record = Record { time: None, ..record("bob", 0, "x") };
        assert!(Filter::default().keeps_record(&record));
        assert!(!Filter { since: Some(Timestamp(0)), ..Filter::default() }.keeps_record(&record));
    }
}
