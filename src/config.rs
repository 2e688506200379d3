//! `pglens.toml`: thresholds of the rules, and findings that are known and accepted.
//!
//! ```toml
//! schema = 1
//!
//! [detect]
//! n_plus_one = { min = 5, window_ms = 1000 }
//! redundant = { min = 2 }
//! replica_after_write_ms = 5000
//!
//! [[ignore]]
//! kind = "n_plus_one"
//! fingerprint = "9f2c1a77d3b0e4c6"
//! reason = "tenant fan-out"
//! expires = 2027-06-30
//! ```
//!
//! The command line may override `[detect]`, one threshold at a time: `--detect n_plus_one.min=10`.
//!
//! Unknown keys are errors, but for `[check]` and `[[budget]]`: they are kept for a gate on budgets, which pglens does
//! not have yet, and nobody reads them.

use serde::Deserialize;

use crate::finding::{Detect, Rule, table_name};

/// What a `pglens.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Thresholds, the defaults where the file is silent.
    pub detect: Detect,
    /// Findings to leave out.
    pub ignores: Vec<Ignore>,
}

/// A finding to leave out. What is not given matches everything; at least one of kind, fingerprint, route and table
/// is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// The rule, as `n_plus_one`.
    pub kind: Option<String>,
    /// The statement.
    pub fingerprint: Option<String>,
    /// The route, `*` at its end standing for anything.
    pub route: Option<String>,
    /// A table that the statement reads or writes, with `public.` or without.
    pub table: Option<String>,
    /// Why it is accepted. Shown in the report.
    pub reason: String,
    /// The last day on which it is, by the log's last entry; a TOML date.
    #[serde(default)]
    pub expires: Option<toml::value::Datetime>,
}

impl Ignore {
    /// Whether it speaks of this finding. `day` is that of the log's last entry, as `2027-06-30`.
    #[must_use]
    pub fn matches(
        &self,
        kind: &str,
        fingerprint: &str,
        route: Option<&str>,
        tables: &[String],
        day: &str,
    ) -> bool {
        let rule = |name: &String| Rule::parse(name).is_some_and(|rule| rule.as_str() == kind);
        self.kind.as_ref().is_none_or(rule)
            && self.fingerprint.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(fingerprint))
            && self.route.as_ref().is_none_or(|own| route.is_some_and(|route| glob(own, route)))
            && self.table.as_ref().is_none_or(|own| tables.iter().any(|table| same_table(table, own)))
            && self.expires.as_ref().is_none_or(|expires| day <= expires.to_string().as_str())
    }
}

/// `public.choice` is `choice`, as for the rules.
fn same_table(one: &str, other: &str) -> bool {
    table_name(one) == table_name(other)
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    }
}

/// Why a `pglens.toml` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is no TOML, or has a key that pglens does not know. The message has line and column.
    #[error("{0}")]
    Toml(String),
    /// It was written for another version.
    #[error("schema = {0} is not known; this pglens reads schema = 1")]
    Schema(i64),
    /// `kind` names no rule.
    #[error("{0:?} is no kind of finding; known are {1}")]
    Kind(String, String),
    /// `unit` is no `tag:NAME`.
    #[error("unit = {0:?} is not known; write tag:NAME")]
    Unit(String),
    /// A threshold that everything would reach.
    #[error("[detect] {0} = {1}: once is no repetition; write {2} or more")]
    Least(&'static str, u64, u64),
    /// A share of more than all.
    #[error("[detect] {0} = {1}: these are thousandths; write 1000 or less")]
    Permille(&'static str, u64),
    /// A fingerprint that no statement has.
    #[error("fingerprint = {0:?} is none; write its 16 hexadecimal digits, as the report shows them")]
    Fingerprint(String),
    /// A threshold of the command line that is none.
    #[error("{0:?} is no threshold ({1}); write KEY=VALUE, as n_plus_one.min=10")]
    Override(String, String),
    /// An `[[ignore]]` that would leave everything out.
    #[error("an [[ignore]] needs one of kind, fingerprint, route and table")]
    Everything,
}

impl ConfigError {
    #[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
    fn toml(error: toml::de::Error) -> Self {
        Self::Toml(error.to_string())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: i64,
    #[serde(default)]
    detect: Section,
    #[serde(default)]
    ignore: Vec<Ignore>,
    #[serde(default, rename = "check")]
    _check: Option<toml::Table>,
    #[serde(default, rename = "budget")]
    _budget: Option<Vec<toml::Table>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    n_plus_one: Option<NPlusOne>,
    redundant: Option<Least>,
    row_by_row_insert: Option<Least>,
    hot_insert: Option<Least>,
    hot_row: Option<Least>,
    chatty_transaction: Option<Least>,
    cacheable: Option<Cacheable>,
    idle_in_transaction_ms: Option<u64>,
    burst_gap_ms: Option<u64>,
    replica_after_write_ms: Option<u64>,
    minor_permille: Option<u64>,
    unit: Option<String>,
    writing_functions: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Least {
    min: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NPlusOne {
    min: Option<u64>,
    window_ms: Option<u64>,
    sequences: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cacheable {
    min: Option<u64>,
    hit_permille: Option<u64>,
}

impl Config {
    /// Reads the text of a `pglens.toml`.
    ///
    /// # Errors
    /// When it is no TOML, has unknown keys or names an unknown rule.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(ConfigError::toml)?;
        Self::new(file)
    }

    /// Reads the text of a `pglens.toml`, or nothing, with thresholds that override it: each as in `[detect]`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse) does.
    pub fn parse_with(text: Option<&str>, overrides: &[String]) -> Result<Self, ConfigError> {
        let mut whole: toml::Table = toml::from_str(text.unwrap_or(NOTHING)).map_err(ConfigError::toml)?;
        for line in overrides {
            lay_over(&mut whole, override_of(line)?);
        }
        Self::new(whole.try_into().map_err(ConfigError::toml)?)
    }

    fn new(file: File) -> Result<Self, ConfigError> {
        if file.schema != 1 {
            return Err(ConfigError::Schema(file.schema));
        }
        for ignore in &file.ignore {
            if let Some(kind) = &ignore.kind
                && Rule::parse(kind).is_none()
            {
                let known = Rule::ALL.map(Rule::as_str).join(", ");
                return Err(ConfigError::Kind(kind.clone(), known));
            }
            if let Some(fingerprint) = &ignore.fingerprint
                && !(fingerprint.len() == 16 && fingerprint.bytes().all(|digit| digit.is_ascii_hexdigit()))
            {
                return Err(ConfigError::Fingerprint(fingerprint.clone()));
            }
            if [&ignore.kind, &ignore.fingerprint, &ignore.route, &ignore.table]
                .iter()
                .all(|part| part.is_none())
            {
                return Err(ConfigError::Everything);
            }
        }
        Ok(Self { detect: file.detect.thresholds()?, ignores: file.ignore })
    }
}

/// What stands for a file that is not there.
const NOTHING: &str = "schema = 1";

/// A threshold of the command line, as the table that a file would have.
fn override_of(line: &str) -> Result<toml::Table, ConfigError> {
    if !line.contains('=') {
        return Err(ConfigError::Override(line.to_owned(), "it has no value".to_owned()));
    }
    toml::from_str(&format!("detect.{line}"))
        .map_err(|error| ConfigError::Override(line.to_owned(), error.message().to_owned()))
}

/// Lays one table over another; tables in both are laid over each other.
fn lay_over(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => lay_over(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

impl Section {
    /// Says no to a threshold that every call would reach, or none ever.
    fn check(&self) -> Result<(), ConfigError> {
        let least = |section: &Option<Least>| section.as_ref().map(|section| section.min);
        let (n_plus_one, cacheable) = (self.n_plus_one.as_ref(), self.cacheable.as_ref());
        let counts = [
            ("redundant.min", least(&self.redundant), 2),
            ("row_by_row_insert.min", least(&self.row_by_row_insert), 2),
            ("hot_insert.min", least(&self.hot_insert), 2),
            ("hot_row.min", least(&self.hot_row), 2),
            ("chatty_transaction.min", least(&self.chatty_transaction), 2),
            ("n_plus_one.min", n_plus_one.and_then(|rule| rule.min), 2),
            ("n_plus_one.sequences", n_plus_one.and_then(|rule| rule.sequences), 2),
            // These are repeats: what is asked for the first time is none.
            ("cacheable.min", cacheable.and_then(|rule| rule.min), 1),
        ];
        for (name, count, least) in counts {
            if let Some(count) = count.filter(|count| *count < least) {
                return Err(ConfigError::Least(name, count, least));
            }
        }
        let shares = [
            ("cacheable.hit_permille", cacheable.and_then(|rule| rule.hit_permille)),
            ("minor_permille", self.minor_permille),
        ];
        let beyond = shares.into_iter().find_map(|(name, share)| Some((name, share.filter(|n| *n > 1000)?)));
        beyond.map_or(Ok(()), |(name, share)| Err(ConfigError::Permille(name, share)))
    }

    fn thresholds(self) -> Result<Detect, ConfigError> {
        self.check()?;
        let default = Detect::default();
        let least = |section: Option<Least>, default: u64| section.map_or(default, |least| least.min);
        let micros = |ms: Option<u64>, default: u64| ms.map_or(default, |ms| ms.saturating_mul(1000));
        let n_plus_one = self.n_plus_one.unwrap_or(NPlusOne { min: None, window_ms: None, sequences: None });
        let cacheable = self.cacheable.unwrap_or(Cacheable { min: None, hit_permille: None });
        let inserts = self.row_by_row_insert.or(self.hot_insert);
        let unit_tag = self.unit.map(|unit| match unit.strip_prefix("tag:") {
            Some(tag) if !tag.is_empty() => Ok(tag.to_ascii_lowercase()),
            _ => Err(ConfigError::Unit(unit)),
        });
        Ok(Detect {
            off: false,
            burst_gap: micros(n_plus_one.window_ms.or(self.burst_gap_ms), default.burst_gap),
            n_plus_one: n_plus_one.min.unwrap_or(default.n_plus_one),
            sequence: n_plus_one.sequences.unwrap_or(default.sequence),
            redundant: least(self.redundant, default.redundant),
            row_by_row: least(inserts, default.row_by_row),
            pin: micros(self.replica_after_write_ms, default.pin),
            chatty: least(self.chatty_transaction, default.chatty),
            idle: micros(self.idle_in_transaction_ms, default.idle),
            hot_row: least(self.hot_row, default.hot_row),
            cacheable: cacheable.min.unwrap_or(default.cacheable),
            cacheable_permille: cacheable.hit_permille.unwrap_or(default.cacheable_permille),
            minor_permille: self.minor_permille.unwrap_or(default.minor_permille),
            unit_tag: unit_tag.transpose()?,
            group_tag: default.group_tag,
            writing_functions: self.writing_functions.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_overrides_what_it_names() {
        let config = Config::parse(
            "schema = 1\n[detect]\nn_plus_one = { min = 10 }\nreplica_after_write_ms = 2000\n\
             [[ignore]]\nkind = \"n-plus-one\"\nroute = \"/admin/*\"\nreason = \"few\"\nexpires = 2027-06-30\n",
        )
        .unwrap();
        assert_eq!(config.detect, Detect { n_plus_one: 10, pin: 2_000_000, ..Detect::default() });
        let ignore = &config.ignores[0];
        assert!(ignore.matches("n_plus_one", "x", Some("/admin/users"), &[], "2027-06-30"));
        assert!(!ignore.matches("n_plus_one", "x", Some("/admin/users"), &[], "2027-07-01"));
        assert!(!ignore.matches("n_plus_one", "x", Some("/home"), &[], "2026-01-01"));
        assert!(!ignore.matches("read_back", "x", Some("/admin/users"), &[], "2026-01-01"));
    }

    #[test]
    fn a_table_has_its_schema_or_not() {
        let matches = |own: &str, table: &str| {
            let ignore = Ignore { table: Some(own.to_owned()), ..Ignore::default() };
            ignore.matches("n_plus_one", "x", None, &[table.to_owned()], "2026-01-01")
        };
        for (own, table, expected) in [
            ("public.choice", "choice", true),
            ("choice", "public.choice", true),
            ("choice", "choice", true),
            ("survey.choice", "choice", false),
            ("choice", "survey.choice", false),
        ] {
            assert_eq!(matches(own, table), expected, "{own} {table}");
        }
    }

    #[test]
    fn the_command_line_overrides_the_file() {
        let file =
            "schema = 1\n[detect]\nn_plus_one = { min = 10, sequences = 4 }\nredundant = { min = 3 }\n";
        let over = ["n_plus_one.min=7".to_owned(), "unit = \"tag:Tenant\"".to_owned()];
        let expected = Detect { n_plus_one: 7, sequence: 4, redundant: 3, ..Detect::default() };
        let expected = Detect { unit_tag: Some("tenant".to_owned()), ..expected };
        assert_eq!(Config::parse_with(Some(file), &over).unwrap().detect, expected);
        assert_eq!(Config::parse_with(None, &over[..1]).unwrap().detect.n_plus_one, 7);
        for (over, word) in [
            ("n_plus_on.min=7", "n_plus_on"),
            ("redundant", "redundant"),
            ("unit='x'", "tag:NAME"),
            ("n_plus_one.min=0", "2 or more"),
            ("n_plus_one", "\"n_plus_one\" is no threshold (it has no value)"),
            ("n_plus_one.min=many", "\"n_plus_one.min=many\""),
        ] {
            let error = Config::parse_with(None, &[over.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
            assert!(!error.contains("detect.n_plus_one"), "nobody wrote this: {error}");
        }
    }

    #[test]
    fn thresholds_have_a_range() {
        for (line, word) in [
            ("redundant.min=1", "redundant.min = 1: once is no repetition; write 2 or more"),
            ("n_plus_one.sequences=1", "n_plus_one.sequences = 1"),
            ("cacheable.min=0", "write 1 or more"),
            ("cacheable.hit_permille=9999", "cacheable.hit_permille = 9999"),
            ("minor_permille=2000", "1000 or less"),
        ] {
            let error = Config::parse_with(None, &[line.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        for line in ["redundant.min=2", "cacheable.min=1", "cacheable.hit_permille=1000", "minor_permille=0"]
        {
            assert!(Config::parse_with(None, &[line.to_owned()]).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_fingerprint_has_sixteen_digits() {
        let parse = |fingerprint: &str| {
            Config::parse(&format!(
                "schema = 1\n[[ignore]]\nfingerprint = \"{fingerprint}\"\nreason = \"\"\n"
            ))
        };
        for wrong in ["zz", "9f2c1a77d3b0e4c", "9f2c1a77d3b0e4cg", ""] {
            assert_eq!(parse(wrong), Err(ConfigError::Fingerprint(wrong.to_owned())));
        }
        let ignores = parse("9F2C1A77D3B0E4C6").unwrap().ignores;
        assert!(ignores[0].matches("n_plus_one", "9f2c1a77d3b0e4c6", None, &[], "2026-01-01"));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for (text, word) in [
            ("schema = 1\n[detect]\nn_plus_on = 3\n", "n_plus_on"),
            ("schema = 2\n", "schema"),
            ("schema = 1\n[[ignore]]\nkind = \"n+1\"\nreason = \"\"\n", "n+1"),
            ("schema = 1\n[[ignore]]\nreason = \"all\"\n", "fingerprint"),
            ("", "schema"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
