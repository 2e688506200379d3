//! `request_cache`: a cache that lives as long as one unit of work: what `redundant_select` found is not asked.

use super::{Inputs, without};
use crate::finding::Rule;
use crate::report::Forecast;

/// The model's answer.
#[must_use]
pub fn forecast(inputs: &Inputs<'_>) -> Forecast {
    without(
        inputs,
        Rule::RedundantSelect,
        "Each unit of work asks a question once; a write to a table it reads makes it ask again.",
    )
}
