//! `prefetch`: each N+1 becomes one statement a unit (a join, or `= ANY($1)`).

use super::{Inputs, joining};
use crate::finding::Rule;
use crate::report::Forecast;

/// The model's answer.
#[must_use]
pub fn forecast(inputs: &Inputs<'_>) -> Forecast {
    let mut forecast = joining(
        inputs,
        Rule::NPlusOne,
        "Each run of an N+1 becomes one statement, as dear as the run's first; the rows come with it.",
    );
    forecast.numbers.remove("commits_saved");
    forecast
}
