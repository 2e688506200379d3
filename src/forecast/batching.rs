//! `batching`: each run of single-row INSERTs becomes one statement in one transaction.

use super::{Inputs, joining};
use crate::finding::Rule;
use crate::report::Forecast;

/// The model's answer.
#[must_use]
pub fn forecast(inputs: &Inputs<'_>) -> Forecast {
    let mut forecast = joining(
        inputs,
        Rule::RowByRowInsert,
        "Each run of single-row INSERTs becomes one INSERT of all its rows, in one transaction; what a row costs \
         the server besides the statement is not counted.",
    );
    let saved = forecast.numbers.remove("commits_saved").unwrap_or(0);
    forecast.numbers.insert("commits_before".to_owned(), inputs.replay.commits.count);
    forecast.numbers.insert("commits_after".to_owned(), inputs.replay.commits.count.saturating_sub(saved));
    forecast
}
