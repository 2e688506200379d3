//! What a log can tell and what it cannot: [`Report`] → [`Diagnosis`], and the settings that would tell the rest.
//!
//! Serves `pglens doctor`. A pure function of the report: it knows no files and no server, so it says what was
//! *seen*. That nobody waited for a lock and that waits are not logged look alike in a log; such a question is
//! [`Verdict::Unseen`], not [`Verdict::No`].

mod questions;
mod settings;
mod text;

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::report::{InputFile, Report, Skipped};

pub use settings::Setting;
pub use text::{Form, render};

/// The name of this contract, as JSON.
pub const SCHEMA: &str = "pglens.doctor/1";

/// What a log can tell and what it cannot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// The inputs in reading order.
    pub inputs: Vec<InputFile>,
    /// Whether the prefix was given on the command line.
    pub prefix_given: bool,
    /// Bytes read, after decompression.
    pub bytes: u64,
    /// Records understood.
    pub entries: u64,
    /// What was not understood, by reason.
    pub skipped: Vec<Skipped>,
    /// The questions, in a fixed order; none when nothing was understood.
    pub answers: Vec<Answer>,
    /// Settings that would answer what this log does not.
    pub missing: Vec<Setting>,
    /// Settings that may be on already: what they log was not seen, which may mean that it did not happen.
    pub unseen: Vec<Setting>,
}

/// One question, as far as this log answers it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// A fixed name, as `durations`.
    pub question: &'static str,
    /// Whether the log answers it.
    pub verdict: Verdict,
    /// What that rests on.
    pub evidence: String,
    /// What would answer it; empty when nothing is missing.
    #[serde(skip)]
    settings: &'static [Setting],
}

/// Whether a log answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It does.
    Yes,
    /// For a part of what happened.
    Partly,
    /// It cannot.
    No,
    /// Nothing of the kind is in it: it did not happen, or it is not logged.
    Unseen,
}

/// What the log that was reported on can tell.
#[must_use]
pub fn diagnose(report: &Report) -> Diagnosis {
    let input = &report.input;
    let mut answers = if input.entries == 0 { Vec::new() } else { questions::ask(report) };
    // What else such a log lacks shows when its messages are understood.
    let unread = looks_translated(report) && report.totals.statements == 0;
    if unread {
        answers.retain(|answer| answer.question == "English");
    }
    let missing = match input.entries {
        _ if unread => vec![settings::ENGLISH],
        _ => settings_of(&answers, &[Verdict::No, Verdict::Partly]),
    };
    let mut unseen = settings_of(&answers, &[Verdict::Unseen]);
    unseen.retain(|setting| !missing.contains(setting));
    Diagnosis {
        schema: SCHEMA,
        inputs: input.files.clone(),
        prefix_given: input.prefix_given,
        bytes: input.bytes,
        entries: input.entries,
        skipped: input.skipped.clone(),
        answers,
        missing,
        unseen,
    }
}

/// Whether severity words are in another language than pglens reads.
fn looks_translated(report: &Report) -> bool {
    let said = |file: &InputFile| {
        file.error.as_ref().is_some_and(|it| it.starts_with("the messages are not in English"))
    };
    report.input.files.iter().any(said)
        || report.input.notes.iter().any(|note| note.code == "language")
        || report.input.skipped.iter().any(|it| it.reason == "unknown_severity")
}

/// The settings behind such answers, each once, in the order of the questions.
fn settings_of(answers: &[Answer], verdicts: &[Verdict]) -> Vec<Setting> {
    let mut found: Vec<Setting> = Vec::new();
    for setting in answers.iter().filter(|it| verdicts.contains(&it.verdict)).flat_map(|it| it.settings) {
        if !found.contains(setting) {
            found.push(*setting);
        }
    }
    found
}
