//! Normalised errors → rows.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{Wishes, lossy};
use crate::event::{message, parts, sqlstate};
use crate::partial::errors::ErrorTally;
use crate::partial::statements::StatementTally;
use crate::record::Record;
use crate::report::{ErrorExample, ErrorGroup, ErrorStatement};
use crate::sql;

const MOST_STATEMENTS: usize = 5;
const MOST_TEXT: usize = 4 << 10;

/// Most frequent first.
pub(super) fn groups(
    errors: Vec<ErrorTally>,
    texts: &HashMap<u64, &StatementTally>,
    wishes: &Wishes,
) -> Vec<ErrorGroup> {
    let mut groups: Vec<ErrorGroup> = errors.into_iter().map(|error| group(error, texts, wishes)).collect();
    groups.sort_by_cached_key(|group| (Reverse(group.count), group.id.clone()));
    groups
}

fn group(error: ErrorTally, texts: &HashMap<u64, &StatementTally>, wishes: &Wishes) -> ErrorGroup {
    let known = (error.sqlstate != [0; 5]).then(|| lossy(&error.sqlstate));
    let state = known.or_else(|| sqlstate::of_message(&error.message).map(str::to_owned));
    let mut statements: Vec<ErrorStatement> = error
        .statements
        .into_iter()
        .map(|(_, (fingerprint, _, count))| ErrorStatement {
            fingerprint: fingerprint.to_string(),
            sql: texts.get(&fingerprint.0).map(|tally| tally.sql.clone()).unwrap_or_default(),
            count,
        })
        .collect();
    statements.sort_by_cached_key(|statement| (Reverse(statement.count), statement.fingerprint.clone()));
    statements.truncate(MOST_STATEMENTS);
    ErrorGroup {
        id: format!("{:016x}", error.id),
        severity: error.severity.as_str().to_owned(),
        class: state.as_deref().and_then(sqlstate::class).map(str::to_owned),
        sqlstate: state,
        message: error.message,
        count: error.count,
        first: error.span.map(|span| span.0),
        last: error.span.map(|span| span.1),
        statements,
        examples: error.examples.iter().map(|(_, record)| example(&record.borrow(), wishes)).collect(),
    }
}

fn example(record: &Record<'_>, wishes: &Wishes) -> ErrorExample {
    let texts = [record.message, record.detail, record.hint, record.context, record.statement];
    let [message, detail, hint, context, statement] = match wishes.show(&texts) {
        true => texts.map(lossy),
        false => masked(record),
    };
    let part = |text: String| (!text.is_empty()).then_some(text);
    ErrorExample {
        time: record.time,
        user: lossy(record.who.user),
        database: lossy(record.who.database),
        application: lossy(record.who.application),
        host: lossy(record.who.host),
        pid: record.session.pid,
        message,
        detail: part(detail),
        hint: part(hint),
        context: part(context),
        statement: part(statement),
    }
}

/// Message, DETAIL, HINT, CONTEXT and STATEMENT without their values.
fn masked(record: &Record<'_>) -> [String; 5] {
    let sql = |text: &[u8]| sql::normalise(text, MOST_TEXT);
    let raised = message::is_raised(record);
    let unless_empty = |text: &[u8], mask: &dyn Fn(&[u8]) -> String| match text.is_empty() {
        true => String::new(),
        false => mask(text),
    };
    [
        message::of(record, MOST_TEXT),
        unless_empty(record.detail, &|text| parts::detail(text, raised, MOST_TEXT, &sql)),
        unless_empty(record.hint, &|text| parts::hint(text, raised, MOST_TEXT)),
        unless_empty(record.context, &|text| parts::context(text, MOST_TEXT, &sql)),
        unless_empty(record.statement, &sql),
    ]
}
