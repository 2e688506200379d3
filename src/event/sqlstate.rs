//! SQLSTATE: names of the classes, and the codes of messages that belong to exactly one.
//!
//! Source: appendix A of the PostgreSQL manual ("PostgreSQL Error Codes") and the `errcode()` beside each message in
//! the server's sources. A log without `%e` has the message only.

/// The class of a SQLSTATE (its first two characters), as the manual names it.
#[must_use]
pub fn class(sqlstate: &str) -> Option<&'static str> {
    let name = match sqlstate.get(..2)? {
        "00" => "Successful Completion",
        "01" => "Warning",
        "02" => "No Data",
        "03" => "SQL Statement Not Yet Complete",
        "08" => "Connection Exception",
        "09" => "Triggered Action Exception",
        "0A" => "Feature Not Supported",
        "0B" => "Invalid Transaction Initiation",
        "0F" => "Locator Exception",
        "0L" => "Invalid Grantor",
        "0P" => "Invalid Role Specification",
        "0Z" => "Diagnostics Exception",
        "10" => "XQuery Error",
        "20" => "Case Not Found",
        "21" => "Cardinality Violation",
        "22" => "Data Exception",
        "23" => "Integrity Constraint Violation",
        "24" => "Invalid Cursor State",
        "25" => "Invalid Transaction State",
        "26" => "Invalid SQL Statement Name",
        "27" => "Triggered Data Change Violation",
        "28" => "Invalid Authorization Specification",
        "2B" => "Dependent Privilege Descriptors Still Exist",
        "2D" => "Invalid Transaction Termination",
        "2F" => "SQL Routine Exception",
        "34" => "Invalid Cursor Name",
        "38" => "External Routine Exception",
        "39" => "External Routine Invocation Exception",
        "3B" => "Savepoint Exception",
        "3D" => "Invalid Catalog Name",
        "3F" => "Invalid Schema Name",
        "40" => "Transaction Rollback",
        "42" => "Syntax Error or Access Rule Violation",
        "44" => "WITH CHECK OPTION Violation",
        "53" => "Insufficient Resources",
        "54" => "Program Limit Exceeded",
        "55" => "Object Not In Prerequisite State",
        "57" => "Operator Intervention",
        "58" => "System Error",
        "72" => "Snapshot Failure",
        "F0" => "Configuration File Error",
        "HV" => "Foreign Data Wrapper Error",
        "P0" => "PL/pgSQL Error",
        "XX" => "Internal Error",
        _ => return None,
    };
    Some(name)
}

/// Beginnings of messages, and the one SQLSTATE that the server raises them with.
const BEGINNINGS: &[(&str, &str)] = &[
    ("canceling statement due to ", "57014"),
    ("current transaction is aborted", "25P02"),
    ("deadlock detected", "40P01"),
    ("division by zero", "22012"),
    ("duplicate key value violates unique constraint", "23505"),
    ("null value in column", "23502"),
    ("password authentication failed", "28P01"),
    ("permission denied for", "42501"),
    ("remaining connection slots are reserved", "53300"),
    ("sorry, too many clients already", "53300"),
    ("syntax error at ", "42601"),
    ("terminating connection due to administrator command", "57P01"),
    ("terminating connection due to idle-in-transaction timeout", "25P03"),
    ("the database system is shutting down", "57P03"),
    ("the database system is starting up", "57P03"),
    ("value too long for type", "22001"),
];

/// Shapes `BEGINNING … END` that belong to one SQLSTATE.
const SHAPES: &[(&str, &str, &str)] = &[
    ("column ", " does not exist", "42703"),
    ("could not serialize access ", "", "40001"),
    ("database ", " does not exist", "3D000"),
    ("function ", " does not exist", "42883"),
    ("insert or update on table ", "", "23503"),
    ("invalid input syntax for type ", "", "22P02"),
    ("prepared statement ", " already exists", "42P05"),
    ("prepared statement ", " does not exist", "26000"),
    ("relation ", " already exists", "42P07"),
    ("relation ", " does not exist", "42P01"),
    ("new row for relation ", " violates check constraint", "23514"),
    ("update or delete on table ", "", "23503"),
];

/// The SQLSTATE of a message that belongs to exactly one.
#[must_use]
pub fn of_message(message: &str) -> Option<&'static str> {
    let beginning = BEGINNINGS.iter().find(|(beginning, _)| message.starts_with(beginning));
    let shape = || SHAPES.iter().find(|(start, end, _)| message.starts_with(start) && message.contains(end));
    beginning.map(|(_, state)| *state).or_else(|| shape().map(|(_, _, state)| *state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_tell_their_code() {
        for (message, state) in [
            ("duplicate key value violates unique constraint \"a\"", Some("23505")),
            ("relation \"a\" does not exist", Some("42P01")),
            ("column \"a\" does not exist", Some("42703")),
            ("something else", None),
        ] {
            assert_eq!(of_message(message), state);
        }
        assert_eq!(class("23505"), Some("Integrity Constraint Violation"));
        assert_eq!(class("é"), None);
    }
}
