//! Server events by kind and message, and settings that changed → rows.

use std::cmp::Reverse;

use super::{Texts, lossy, named};
use crate::assemble::Wishes;
use crate::partial::events::{Notice, Notices, ParameterChange as ChangeTally};
use crate::report::{ErrorStatement, ParameterChange, ServerEventGroup, ServerEvents};

/// Statements shown of each.
const MOST_STATEMENTS: usize = 5;

/// Records that no section has.
#[derive(Debug, Clone, Copy)]
pub(in crate::assemble) struct Others {
    /// Warnings, known ones included.
    pub(in crate::assemble) warnings: u64,
    /// All the rest.
    pub(in crate::assemble) others: u64,
}

/// Server events.
pub(in crate::assemble) fn server(
    mut tally: Notices,
    others: Others,
    texts: &Texts<'_>,
    wishes: &Wishes,
) -> ServerEvents {
    tally.finish();
    let rows = tally.groups.into_iter();
    let mut groups: Vec<ServerEventGroup> = rows.map(|(_, notice)| group(notice, texts, wishes)).collect();
    groups.sort_by_cached_key(|row| (row.kind.clone(), Reverse(row.count), row.message.clone()));
    ServerEvents {
        groups,
        beyond: tally.other,
        parameters: tally.changes.iter().map(|(_, change)| parameter(change, wishes)).collect(),
        warnings: others.warnings,
        other: others.others,
    }
}

fn group(mut notice: Notice, texts: &Texts<'_>, wishes: &Wishes) -> ServerEventGroup {
    notice.statements.prune(drop);
    let statements = notice.statements.into_iter().map(|(_, (statement, count))| {
        let (fingerprint, sql) = named(Some(statement), texts);
        ErrorStatement { fingerprint, sql, count }
    });
    let mut statements: Vec<ErrorStatement> = statements.collect();
    statements.sort_by_cached_key(|row| (Reverse(row.count), row.fingerprint.clone()));
    statements.truncate(MOST_STATEMENTS);
    ServerEventGroup {
        kind: notice.kind.as_str().to_owned(),
        message: notice.message,
        count: notice.count,
        first: notice.span.map(|span| span.0),
        last: notice.span.map(|span| span.1),
        example: (wishes.show(&[&notice.example.1])).then(|| lossy(&notice.example.1)),
        statements,
    }
}

fn parameter(change: &ChangeTally, wishes: &Wishes) -> ParameterChange {
    let value = change.value.as_ref().map(|value| {
        let shown = change.plain || wishes.show(&[value]);
        if shown { lossy(value) } else { "?".to_owned() }
    });
    ParameterChange { time: change.time, name: lossy(&change.name), value }
}
