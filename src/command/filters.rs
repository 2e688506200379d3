//! Filter options as typed → a filter and the window that has to be read for it.

use pglens::analyze;
use pglens::filter::{self, Filter, FilterError, Pattern};
use pglens::input::Window;
use pglens::report::Note;

use super::Failure;
use crate::cli::Filters;

/// What was asked for.
pub(crate) fn filter(given: &Filters) -> Result<(Filter, Window), Failure> {
    decide(given).map_err(|error| Failure::Usage(error.to_string()))
}

/// The tag by which statements are to be listed: `--tag KEY`.
pub(crate) fn group(given: &Filters) -> Result<Option<String>, Failure> {
    let mut keys = given.tag.iter().filter(|word| !word.contains('='));
    match (keys.next(), keys.next()) {
        (Some(first), Some(second)) => Err(Failure::Usage(format!(
            "--tag {first} --tag {second}: statements are listed by one tag at a time"
        ))),
        (key, _) => {
            key.map(|key| filter::group(key)).transpose().map_err(|error| Failure::Usage(error.to_string()))
        }
    }
}

/// The tags that a statement must have.
fn wanted_tags(given: &Filters) -> Vec<String> {
    given.tag.iter().filter(|word| word.contains('=')).cloned().collect()
}

/// Says in the report that it is about a part of the log.
pub(crate) fn note(given: &Filters) -> Option<Note> {
    let one = |name: &'static str, word: &Option<String>| {
        word.iter().map(move |word| format!("{name} {word}")).collect()
    };
    let many = |name: &'static str, words: &[String]| {
        words.iter().map(move |word| format!("{name} {word}")).collect()
    };
    let options: [Vec<String>; 14] = [
        one("--since", &given.since),
        one("--until", &given.until),
        one("--last", &given.last),
        many("--database", &given.database),
        many("--user", &given.user),
        many("--application", &given.application),
        many("--host", &given.host),
        many("--kind", &given.kind),
        many("--table", &given.table),
        many("--fingerprint", &given.fingerprint),
        one("--min-duration", &given.min_duration),
        many("--include", &given.include),
        many("--exclude", &given.exclude),
        many("--tag", &wanted_tags(given)),
    ];
    let options = options.concat().join(" ");
    let text = format!("The report covers a part of the log: {options}.");
    (!options.is_empty()).then(|| Note { code: "filtered".to_owned(), text })
}

fn decide(given: &Filters) -> Result<(Filter, Window), FilterError> {
    let instant = |word: &Option<String>| word.as_deref().map(filter::instant).transpose();
    let patterns =
        |words: &[String]| words.iter().map(|word| Pattern::new(word)).collect::<Result<Vec<_>, _>>();
    let filter = Filter {
        since: instant(&given.since)?,
        until: instant(&given.until)?,
        users: patterns(&given.user)?,
        databases: patterns(&given.database)?,
        applications: patterns(&given.application)?,
        hosts: patterns(&given.host)?,
        min_duration: given.min_duration.as_deref().map(filter::duration).transpose()?,
        kinds: given.kind.iter().map(|word| filter::kind(word)).collect::<Result<_, _>>()?,
        tables: given.table.clone(),
        fingerprints: given
            .fingerprint
            .iter()
            .map(|word| filter::fingerprint(word))
            .collect::<Result<_, _>>()?,
        include: patterns(&given.include)?,
        exclude: patterns(&given.exclude)?,
        tags: wanted_tags(given).iter().map(|word| filter::tag(word)).collect::<Result<_, _>>()?,
    };
    let last = given.last.as_deref().map(filter::span).transpose()?;
    let window = Window { since: filter.since, until: filter.until, last, reach: analyze::REACH };
    Ok((filter, window))
}
