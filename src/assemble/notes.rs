//! What a reader should know before trusting a number, in sentences.

use std::collections::BTreeSet;

use crate::analyze::StreamRead;
use crate::log::zone_taken_as;
use crate::report::{Note, Report};

/// An abbreviation that is the name of several time zones.
pub(super) fn zone(zone: &str) -> Option<Note> {
    let place = zone_taken_as(zone.as_bytes())?;
    Some(Note {
        code: "ambiguous_zone".to_owned(),
        text: format!(
            "{zone} is the name of several time zones; its times were taken as those of {place}. With log_timezone = \
             'UTC' a log has one meaning."
        ),
    })
}

pub(super) fn notes(
    report: &Report,
    statements_capped: bool,
    minutes_capped: bool,
    orphans: u64,
    streams: &[StreamRead],
) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |code: &str, text: String| notes.push(Note { code: code.to_owned(), text });
    let totals = &report.totals;
    let none = totals.statements == 0 && totals.unidentified.calls == 0;
    let languages = languages(streams);
    for language in &languages {
        note("language", translated(language, none));
    }
    if none && report.input.notes.iter().any(|note| note.code == "filtered") {
        note("nothing_left", "No statement of the log is one that was asked for.".into());
    } else if none && !languages.is_empty() {
        // What is missing shows only when the messages are understood.
    } else if none {
        note(
            "no_statements",
            "The log has no statements: set log_min_duration_statement = 0 (or a threshold) to have them."
                .into(),
        );
    } else if totals.timed == 0 && totals.statements > 0 {
        note(
            "no_durations",
            "The log has statements but no durations: set log_min_duration_statement = 0, or log_duration = on beside \
             log_statement."
                .into(),
        );
    } else if totals.timed < totals.statements {
        let missing = totals.statements - totals.timed;
        note(
            "untimed_statements",
            format!("{missing} statements have no duration in the log; they count as calls only."),
        );
    }
    if totals.unidentified.calls > 0 {
        note(
            "unidentified_durations",
            format!(
                "{} durations stand without a statement (log_duration alone, or parse and bind steps): they are not \
                 counted as statements.",
                totals.unidentified.calls
            ),
        );
    }
    if totals.from_plans > 0 {
        note(
            "from_plans",
            "The log has no statements but plans of auto_explain: each plan counts as one call, with the time of its \
             execution; plans of statements inside functions are left out."
                .into(),
        );
    }
    if report.input.sampled {
        note("sampled", "The log holds a sample of the statements: counts are those of the sample.".into());
    }
    if statements_capped {
        note(
            "fingerprints_capped",
            "More distinct statements than the limit: the rest is counted together.".into(),
        );
    }
    if minutes_capped {
        note(
            "minutes_capped",
            "The log spans more minutes than the limit: peaks and traffic cover the first ones.".into(),
        );
    }
    if orphans > 0 {
        note(
            "orphans",
            format!("{orphans} DETAIL, STATEMENT or similar lines belong to no entry of the log."),
        );
    }
    for zone in &report.input.unknown_zones {
        note("unknown_zone", format!("The time zone {zone} is not known; its times were taken as UTC."));
    }
    for source in streams.iter().flat_map(|stream| &stream.sources) {
        for sentence in source.remarks.take() {
            note("container", format!("{}: {sentence}.", source.name));
        }
        if let Some(error) = &source.error {
            note("unreadable", format!("{} {error}.", source.name));
        } else if source.unfinished {
            note("unfinished", format!("The last line of {} has no end: it may be cut off.", source.name));
        }
    }
    notes
}

/// The languages of the messages, where they are not English.
fn languages(streams: &[StreamRead]) -> BTreeSet<&'static str> {
    let sources = streams.iter().flat_map(|stream| &stream.sources);
    sources.filter_map(|source| source.dialect.as_deref()?.language()).collect()
}

fn translated(language: &str, none: bool) -> String {
    let some = if none { "The messages of the log are" } else { "Some messages of the log are" };
    format!(
        "{some} in {language}: entries and errors are counted, but what such messages say is not understood. Set \
         lc_messages = 'C' to have statements, durations, locks and checkpoints in the report."
    )
}
