//! Plans in text form: a line a node, its properties indented below it.

use std::borrow::Cow;

use super::{Buffers, Node, Query, mask};
use crate::event::cursor::Cursor;

/// Beginnings of property lines that hold numbers of the server and no values of the statement.
const NUMBERS: &[&str] = &[
    "Async",
    "Average",
    "Batches:",
    "Buckets:",
    "Buffers:",
    "CTE ",
    "Cache Mode:",
    "Conflict Arbiter",
    "Conflict Resolution",
    "Conflicting Tuples:",
    "Disk Usage:",
    "Estimates:",
    "Evictions:",
    "Execution Time",
    "Exact Heap Blocks",
    "Full-sort Groups:",
    "Functions:",
    "Heap Blocks:",
    "Heap Fetches:",
    "Hits:",
    "I/O Timings:",
    "Index Searches:",
    "InitPlan",
    "Inner Unique:",
    "JIT:",
    "Maximum Storage:",
    "Memory",
    "Options:",
    "Original Hash",
    "Params Evaluated:",
    "Peak Memory",
    "Planned Partitions:",
    "Planning",
    "Pre-sorted Groups:",
    "Query Identifier:",
    "Rows Removed by",
    "Single Copy:",
    "Sort Method:",
    "Storage:",
    "SubPlan",
    "Subplans Removed:",
    "Timing:",
    "Trigger ",
    "Tuples Inserted:",
    "Tuples:",
    "WAL:",
    "Worker ",
    "Workers ",
];

const TEXT: &[u8] = b"Query Text: ";
const PARAMETERS: &[u8] = b"Query Parameters: ";

/// A plan in its three parts; the first two begin after their names.
struct Parts<'a> {
    sql: &'a [u8],
    params: Option<&'a [u8]>,
    nodes: &'a [u8],
}

/// A statement may run over several lines and hold anything; the first line that looks like a node ends it.
fn parts(body: &[u8]) -> Option<Parts<'_>> {
    let body = body.trim_ascii_start().strip_prefix(TEXT)?;
    let (mut sql_end, mut params, mut place) = (None, None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let starts = place > 0;
        if starts && is_node(line) {
            break;
        }
        if starts && params.is_none() && line.starts_with(PARAMETERS) {
            sql_end = Some(place - 1);
            params = Some(place + PARAMETERS.len());
        }
        place += line.len();
    }
    let (before, nodes) = body.split_at(place);
    let before = before.strip_suffix(b"\n").unwrap_or(before);
    Some(Parts {
        sql: &before[..sql_end.unwrap_or(before.len()).min(before.len())],
        params: params.and_then(|from| before.get(from..)),
        nodes,
    })
}

/// Whether a line is `NAME  (cost=0.00..0.01 rows=1 width=4)…`.
fn is_node(line: &[u8]) -> bool {
    let mut cursor = Cursor::new(line);
    cursor.until("  (cost=").is_some_and(|name| !name.is_empty())
        && cursor.decimal(2).is_some()
        && cursor.word("..").is_some()
        && cursor.decimal(2).is_some()
        && cursor.word(" rows=").is_some()
        && cursor.number().is_some()
        && cursor.word(" width=").is_some()
}

pub(super) fn query(body: &[u8]) -> Option<Query<'_>> {
    let parts = parts(body)?;
    Some(Query { sql: Cow::Borrowed(parts.sql), params: parts.params.map(Cow::Borrowed) })
}

/// The nodes in the order of the text, and the buffers of the first one.
pub(super) fn nodes(body: &[u8]) -> (Vec<Node>, Option<Buffers>) {
    let mut nodes: Vec<Node> = Vec::new();
    let mut buffers = None;
    let text = parts(body).map(|parts| parts.nodes).unwrap_or_default();
    for line in text.split(|byte| *byte == b'\n') {
        let bare = line.trim_ascii_start();
        if is_node(line) {
            nodes.push(node(bare, line.len() - bare.len()));
        } else if let Some(found) = bare.strip_prefix(b"Buffers: ")
            && nodes.len() == 1
        {
            buffers.get_or_insert_with(|| read_buffers(found));
        }
    }
    (nodes, buffers)
}

/// `Seq Scan on t  (cost=0.00..5.00 rows=100 width=8) (actual time=0.010..3.000 rows=45 loops=2)`
fn node(line: &[u8], depth: usize) -> Node {
    let mut cursor = Cursor::new(line.strip_prefix(b"->  ").unwrap_or(line));
    let name = String::from_utf8_lossy(cursor.until("  (cost=").unwrap_or_default()).into_owned();
    let mut node = Node { depth, name, ..Node::default() };
    if cursor.until("(actual ").is_none() {
        return node;
    }
    if cursor.word("time=").is_some() {
        let _startup = cursor.decimal(3);
        node.time = cursor.word("..").and_then(|()| cursor.decimal(3)).map(crate::units::Micros);
        let _ = cursor.word(" ");
    }
    if cursor.word("rows=").is_some() {
        // Release 18 has two decimals.
        node.rows = cursor.decimal(0);
        let _ = cursor.word(" ");
    }
    node.loops = cursor.word("loops=").and_then(|()| cursor.number()).unwrap_or(1);
    node
}

/// `shared hit=7 read=2, temp read=3 written=4`
fn read_buffers(text: &[u8]) -> Buffers {
    let mut buffers = Buffers::default();
    let mut kind: &[u8] = b"";
    for word in text.split(|byte| matches!(byte, b' ' | b',')).filter(|word| !word.is_empty()) {
        let Some(equals) = memchr::memchr(b'=', word) else {
            kind = word;
            continue;
        };
        let number = Cursor::new(&word[equals + 1..]).number().unwrap_or(0);
        match (kind, &word[..equals]) {
            (b"shared", b"hit") => buffers.shared_hit = number,
            (b"shared", b"read") => buffers.shared_read = number,
            (b"shared", b"dirtied") => buffers.shared_dirtied = number,
            (b"shared", b"written") => buffers.shared_written = number,
            (b"temp", b"read") => buffers.temp_read = number,
            (b"temp", b"written") => buffers.temp_written = number,
            _ => {}
        }
    }
    buffers
}

pub(super) fn mask(body: &[u8], normalise: &impl Fn(&[u8]) -> String, out: &mut Vec<u8>) {
    let blanks = body.len() - body.trim_ascii_start().len();
    let Some(parts) = parts(body) else {
        // Whatever it is, it is no plan that we know.
        mask::whole(body, out);
        return;
    };
    out.extend_from_slice(&body[..blanks]);
    out.extend_from_slice(TEXT);
    out.extend_from_slice(normalise(parts.sql).as_bytes());
    if let Some(params) = parts.params {
        out.push(b'\n');
        out.extend_from_slice(PARAMETERS);
        mask::whole(params, out);
    }
    if !parts.nodes.is_empty() {
        out.push(b'\n');
    }
    let mut rest = parts.nodes;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let bare = rest[..end].trim_ascii_start();
        let safe = is_node(&rest[..end]) || NUMBERS.iter().any(|word| bare.starts_with(word.as_bytes()));
        let read = if safe {
            out.extend_from_slice(&rest[..end]);
            end
        } else {
            mask::line(rest, out)
        };
        rest = &rest[read..];
        if let Some(next) = rest.strip_prefix(b"\n") {
            out.push(b'\n');
            rest = next;
        }
    }
}
