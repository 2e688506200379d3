//! `prefetch`: each N+1 becomes one statement a unit (a join, or `= ANY($1)`).

use super::{Inputs, without};
use crate::finding::Rule;
use crate::report::Forecast;

/// The model's answer.
#[must_use]
pub fn forecast(inputs: &Inputs<'_>) -> Forecast {
    without(
        inputs,
        Rule::NPlusOne,
        "Each run of an N+1 becomes one statement, as dear as the run's first; the rows come with it.",
    )
}
