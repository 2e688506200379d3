//! DETAIL, HINT and CONTEXT with their values as `?`.
//!
//! Much of what stands there is data without quotes: a row, a line of COPY, what a function raised. So nothing is shown
//! of a DETAIL or CONTEXT whose frame is not known; the frames are those of PostgreSQL's sources (`errdetail`,
//! `errcontext`), where none of these beginnings is followed by a value that is not quoted.

use super::lock::{self, Deadlock};
use super::message;

/// What a text becomes when nothing in it is known.
const UNKNOWN: &str = "?";

/// Beginnings of a DETAIL after which values stand in quotes, numbers apart.
const DETAILS: &[&str] = &[
    "\"",
    "A field with precision ",
    "Actual return type is ",
    "All column datatypes must ",
    "Another index is ",
    "Array contents must start ",
    "Array value must start ",
    "Array with element type ",
    "Arrays ",
    "At most one of ",
    "Attribute ",
    "CTE \"",
    "Cannot cast type ",
    "Character with value ",
    "Client IP address resolved ",
    "Column ",
    "Columns ",
    "Connection matched ",
    "Constraint \"",
    "Conversion between ",
    "Could not ",
    "Duplicate keys exist",
    "Escape sequence \"",
    "Escape string must ",
    "Expected ",
    "Failed on ",
    "Failed system call was ",
    "Failed while ",
    "Failing row contains ",
    "Field requires ",
    "Final statement ",
    "Function's final statement ",
    "Generation expression ",
    "Identifier must be ",
    "Index ",
    "Intervals are ",
    "Invalid ",
    "Junk after ",
    "Key (",
    "Key columns ",
    "Key conflicts ",
    "Key is ",
    "Last completed transaction ",
    "MATCH FULL ",
    "Missing ",
    "Months usually ",
    "Multidimensional arrays ",
    "Must be ",
    "Number of ",
    "Numeric time zones ",
    "Object keys ",
    "Only ",
    "Operator class ",
    "Partition key of the failing row contains ",
    "Partitioned table ",
    "Password does not match ",
    "Password of user ",
    "PostgreSQL does not support ",
    "Process holding the lock: ",
    "Processes holding the lock: ",
    "Query ",
    "RETURNING list entry ",
    "Reason code: ",
    "Returned row contains ",
    "Returned type ",
    "Role \"",
    "Row ",
    "SELECT target entry ",
    "Specified array dimensions ",
    "String ",
    "System columns ",
    "Table ",
    "Tablespace \"",
    "The ",
    "There ",
    "This ",
    "Token \"",
    "Too few ",
    "Too many ",
    "Triggers ",
    "Unexpected ",
    "Unicode ",
    "Unmatched ",
    "Unrecognized ",
    "User \"",
    "User does not ",
    "User query might ",
    "User transaction ",
    "User was ",
    "Value ",
    "View columns ",
    "Views ",
    "Words longer ",
    "connection to server ",
];

/// How a line of CONTEXT goes on after its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// SQL up to a quote at the end of a line.
    Quoted,
    /// SQL to the end.
    Sql,
    /// Names and numbers of lines: a place in a function. It stays as it is.
    Place,
    /// A place in data, then a colon and the data.
    Data,
    /// A portal, then its parameters.
    Parameters,
    /// Names in quotes, and numbers.
    Names,
}

/// Beginnings of the lines of a CONTEXT; functions call each other, so there may be many.
const CONTEXTS: &[(&str, Line)] = &[
    ("COPY ", Line::Data),
    ("JSON data, line ", Line::Data),
    ("PL/Perl function ", Line::Place),
    ("PL/Python function ", Line::Place),
    ("PL/Tcl function ", Line::Place),
    ("PL/pgSQL assignment \"", Line::Quoted),
    ("PL/pgSQL expression \"", Line::Quoted),
    ("PL/pgSQL function ", Line::Place),
    ("SQL expression \"", Line::Quoted),
    ("SQL function ", Line::Place),
    ("SQL statement \"", Line::Quoted),
    ("automatic analyze of table ", Line::Names),
    ("automatic vacuum of table ", Line::Names),
    ("compilation of PL/pgSQL function ", Line::Place),
    ("extended query with parameters: ", Line::Parameters),
    ("parallel worker", Line::Names),
    ("portal \"", Line::Parameters),
    ("processing remote data ", Line::Names),
    ("remote SQL command: ", Line::Sql),
    ("slot \"", Line::Names),
    ("unnamed portal ", Line::Parameters),
    ("while ", Line::Names),
];

/// A DETAIL. `raised`: it is a function's own. `sql` masks the values of a statement.
#[must_use]
pub fn detail(text: &[u8], raised: bool, most: usize, sql: &impl Fn(&[u8]) -> String) -> String {
    if raised {
        return UNKNOWN.to_owned();
    }
    let found = lock::deadlock(text);
    if !found.waits.is_empty() {
        return deadlock(&found, sql);
    }
    let statement =
        |frame: &str| text.strip_prefix(frame.as_bytes()).map(|rest| frame.to_owned() + &sql(rest));
    if let Some(shown) = ["Failed process was running: ", "prepare: "].into_iter().find_map(statement) {
        return shown;
    }
    if let Some(frame) = ["parameters: ", "Parameters: "].into_iter().find(|frame| starts(text, frame)) {
        return frame.to_owned() + UNKNOWN;
    }
    let known = DETAILS.iter().any(|beginning| starts(text, beginning));
    if known { message::normalise(text, most) } else { UNKNOWN.to_owned() }
}

/// A HINT: advice of the server, with names and no data, or a function's own.
#[must_use]
pub fn hint(text: &[u8], raised: bool, most: usize) -> String {
    if raised { UNKNOWN.to_owned() } else { message::normalise(text, most) }
}

/// A CONTEXT, line by line. `sql` masks the values of a statement.
#[must_use]
pub fn context(text: &[u8], most: usize, sql: &impl Fn(&[u8]) -> String) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let kind = frame(rest);
        let end = end(rest, kind);
        let shown = kind.map_or_else(|| UNKNOWN.to_owned(), |kind| line(&rest[..end], kind, most, sql));
        // What is unknown is said once, however long it is.
        if shown != UNKNOWN || out.last().is_none_or(|last| last != UNKNOWN) {
            out.push(shown);
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    out.join("\n")
}

fn starts(text: &[u8], beginning: &str) -> bool {
    text.starts_with(beginning.as_bytes())
}

fn frame(text: &[u8]) -> Option<(&'static str, Line)> {
    CONTEXTS.iter().copied().find(|(beginning, _)| starts(text, beginning))
}

/// Where the frame ends that `text` begins with: before the next line that begins with a frame. What is quoted must be
/// closed before it.
fn end(text: &[u8], kind: Option<(&'static str, Line)>) -> usize {
    let quoted = kind.is_some_and(|(_, line)| line == Line::Quoted);
    let mut lines = memchr::memchr_iter(b'\n', text);
    let ends = lines.find(|at| frame(&text[at + 1..]).is_some() && (!quoted || text[..*at].ends_with(b"\"")));
    ends.unwrap_or(text.len())
}

fn line(text: &[u8], kind: (&str, Line), most: usize, sql: &impl Fn(&[u8]) -> String) -> String {
    let (beginning, kind) = kind;
    let rest = &text[beginning.len()..];
    let until = |mark: &[u8]| {
        let Some(at) = memchr::memmem::find(text, mark) else { return message::normalise(text, most) };
        format!("{}{UNKNOWN}", String::from_utf8_lossy(&text[..at + mark.len()]))
    };
    match kind {
        Line::Quoted => format!("{beginning}{}\"", sql(rest.strip_suffix(b"\"").unwrap_or(rest))),
        Line::Sql => format!("{beginning}{}", sql(rest)),
        // A name may hold anything, but lines of its own are more likely something else's.
        Line::Place => {
            String::from_utf8_lossy(text.split(|byte| *byte == b'\n').next().unwrap_or(text)).into_owned()
        }
        Line::Data => until(b": "),
        Line::Parameters if memchr::memmem::find(text, b" parameters: ").is_some() => until(b" parameters: "),
        Line::Parameters => until(b" = "),
        Line::Names => message::normalise(text, most),
    }
}

fn deadlock(found: &Deadlock<'_>, sql: &impl Fn(&[u8]) -> String) -> String {
    let waits = found.waits.iter().map(|wait| {
        let mode = String::from_utf8_lossy(wait.mode);
        let object = message::normalise(wait.object, wait.object.len());
        format!("Process ? waits for {mode} on {object}; blocked by process ?.")
    });
    let statements = found.statements.iter().map(|(_, text)| format!("Process ?: {}", sql(text)));
    waits.chain(statements).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Marks what would have been given to the normaliser of SQL.
    fn sql(text: &[u8]) -> String {
        format!("<{} bytes>", text.len())
    }

    #[test]
    fn known_details_keep_their_words() {
        for (text, expected) in [
            ("Key (email)=(a@b) already exists.", "Key (email)=(?) already exists."),
            ("Key (email)=(abc)HUNTER) already exists.", "Key (email)=(?) already exists."),
            (
                "Key (a)=(x) already exists) HUNTER) is not present in table \"t(1)\".",
                "Key (a)=(?) is not present in table \"t(1)\".",
            ),
            (
                "Key (t)=(a)HUNTER) conflicts with existing key (t)=(b)HUNTER).",
                "Key (t)=(?) conflicts with existing key (t)=(?).",
            ),
            ("Failing row contains (5, q, zz)HUNTER____, 2).", "Failing row contains (?)."),
            (
                "Partition key of the failing row contains (t) = (x)HUNTER).",
                "Partition key of the failing row contains (t) = (?).",
            ),
            ("Token \"HUNTER\" is invalid.", "Token ? is invalid."),
            ("Unexpected end of input.", "Unexpected end of input."),
            ("Process holding the lock: 7. Wait queue: 8.", "Process holding the lock: ?. Wait queue: ?."),
            ("Failed process was running: select 'HUNTER'", "Failed process was running: <15 bytes>"),
            ("Parameters: $1 = 'HUNTER'", "Parameters: ?"),
            (
                "connection to server at \"10.0.0.7\", port 1 failed: Connection refused",
                "connection to server at ?, port ? failed: Connection refused",
            ),
            ("line 1: Premature end of data in tag HUNTER line 1\n<HUNTER>", "?"),
            ("Schlüssel »(email)=(HUNTER)« existiert bereits.", "?"),
        ] {
            assert_eq!(detail(text.as_bytes(), false, 1000, &sql), expected);
        }
        assert_eq!(detail(b"Key (a)=(b) already exists.", true, 1000, &sql), "?");
    }

    #[test]
    fn statements_of_a_deadlock_are_sql() {
        let text = b"Process 10 waits for ShareLock on transaction 880; blocked by process 11.\n\
            Process 11 waits for ShareLock on transaction 881; blocked by process 10.\n\
            Process 10: update acc set pw=E'HUNTER' where id=101\n\
            Process 11: update acc set pw=$$HUNTER$$\nwhere id=100";
        assert_eq!(
            detail(text, false, 1000, &sql),
            "Process ? waits for ShareLock on transaction ?; blocked by process ?.\n\
             Process ? waits for ShareLock on transaction ?; blocked by process ?.\n\
             Process ?: <40 bytes>\nProcess ?: <41 bytes>"
        );
    }

    #[test]
    fn known_lines_of_a_context_keep_their_words() {
        for (text, expected) in [
            ("COPY acc, line 1: \"7\ta\"HUNTER\tx\"HUNTER\"", "COPY acc, line 1: ?"),
            ("COPY acc, line 1, column m: \"a\"HUNTER\"", "COPY acc, line 1, column m: ?"),
            ("COPY acc, line 12", "COPY acc, line ?"),
            ("JSON data, line 1: {\"a\": HUNTER...", "JSON data, line 1: ?"),
            (
                "SQL statement \"SELECT 1/0\n from acc where pw='he said \"HUNTER\" ok'\"\n\
                 PL/pgSQL function inline_code_block line 1 at PERFORM",
                "SQL statement \"<51 bytes>\"\nPL/pgSQL function inline_code_block line 1 at PERFORM",
            ),
            ("PL/pgSQL function f(text) line 3 at RAISE", "PL/pgSQL function f(text) line 3 at RAISE"),
            ("PL/pgSQL assignment \"x := 'HUNTER'\"", "PL/pgSQL assignment \"<13 bytes>\""),
            ("remote SQL command: SELECT 'HUNTER'", "remote SQL command: <15 bytes>"),
            ("unnamed portal with parameters: $1 = 'HUNTER'", "unnamed portal with parameters: ?"),
            ("portal \"p\" parameter $1 = 'HUNTER'", "portal \"p\" parameter $1 = ?"),
            (
                "while updating tuple (0,5) in relation \"hot\"",
                "while updating tuple (?,?) in relation \"hot\"",
            ),
            (
                "what is this HUNTER\nand HUNTER\nSQL function \"f\" statement 1",
                "?\nSQL function \"f\" statement 1",
            ),
        ] {
            assert_eq!(context(text.as_bytes(), 1000, &sql), expected);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_can_hurt(
            text in prop::collection::vec(any::<u8>(), 0..200),
            beginning in prop::sample::select(CONTEXTS.iter().map(|(text, _)| *text).collect::<Vec<_>>()),
        ) {
            let text = [beginning.as_bytes(), &text, b"\n", beginning.as_bytes()].concat();
            let _ = context(&text, 100, &sql);
            let _ = detail(&text, false, 100, &sql);
            let _ = hint(&text, false, 100);
        }
    }
}
