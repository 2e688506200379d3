//! `batching`: each run of single-row INSERTs becomes one statement in one transaction.

use super::{Inputs, joining, joins};
use crate::finding::{Rule, row_by_row_insert::SIZES};
use crate::report::{Curve, Forecast};

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
    forecast.curves.push(by_size(inputs, forecast.before.calls));
    forecast
}

/// INSERTs left by how many rows a statement takes.
fn by_size(inputs: &Inputs<'_>, before: u64) -> Curve {
    let joins = joins(inputs, Rule::RowByRowInsert);
    let rows: u64 = joins.iter().map(|join| join.saved + join.units).sum();
    let left = |size: usize| joins.iter().map(|join| join.left[size]).sum::<u64>();
    let mut points: Vec<(Option<u64>, u64)> = SIZES
        .iter()
        .enumerate()
        .map(|(place, size)| (Some(*size), (before + left(place)).saturating_sub(rows)))
        .collect();
    points.push((None, before.saturating_sub(joins.iter().map(|join| join.saved).sum())));
    Curve {
        name: "INSERTs left by the rows that one may take".to_owned(),
        x_unit: "rows".to_owned(),
        y_unit: "statements".to_owned(),
        points,
    }
}
