//! Plans in JSON, YAML and XML: one stream of keys and values for all three.
//!
//! The server writes each in one way only (`commands/explain_format.c`), a property a line, so that a column tells
//! how deep a node stands: a node begins with its `Node Type`, and its properties stand in the same column. No
//! parser of these languages is needed, and one that wanted a whole document could not read a plan that was cut off.

use std::borrow::Cow;

use super::{Buffers, Format, Node, Query, mask};
use crate::event::cursor::Cursor;
use crate::units::Micros;

/// Keys whose text is a word of the server or a name of the schema.
const NAMES: &[&str] = &[
    "Alias",
    "CTE Name",
    "Cache Mode",
    "Command",
    "Conflict Resolution",
    "Constraint Name",
    "Custom Plan Provider",
    "Function Name",
    "Index Name",
    "Join Type",
    "Name",
    "Node Type",
    "Operation",
    "Parent Relationship",
    "Partial Mode",
    "Relation",
    "Relation Name",
    "Scan Direction",
    "Schema",
    "Sort Method",
    "Sort Methods Used",
    "Sort Space Type",
    "Strategy",
    "Subplan Name",
    "Table Function Name",
    "Trigger Name",
    "Tuplestore Name",
];

/// A piece of a plan.
enum Token<'a> {
    /// Keys, brackets, blanks.
    Frame(&'a [u8]),
    /// A value, as it is written.
    Value(Value<'a>),
}

#[derive(Clone, Copy)]
struct Value<'a> {
    /// With `-` in XML where the others have a blank.
    key: &'a [u8],
    /// Where the key's line begins to have text.
    column: usize,
    text: &'a [u8],
    /// Whether it is text: in XML that shows only by what it is.
    quoted: bool,
}

impl Value<'_> {
    fn is(&self, key: &str) -> bool {
        let same = |(own, other): (&u8, u8)| *own == other || *own == b'-' && other == b' ';
        self.key.len() == key.len() && self.key.iter().zip(key.bytes()).all(same)
    }
}

fn tokens<'a>(format: Format, body: &'a [u8], take: impl FnMut(Token<'a>)) {
    match format {
        Format::Json => json(body, take),
        Format::Xml => xml(body, take),
        Format::Yaml | Format::Text => yaml(body, take),
    }
}

/// The place after the quote that ends the string which begins at `open`.
fn end_of_quoted(body: &[u8], open: usize) -> usize {
    let mut place = open + 1;
    while let Some(byte) = body.get(place) {
        match byte {
            b'\\' => place += 2,
            b'"' => return place + 1,
            _ => place += 1,
        }
    }
    body.len()
}

/// What stands between the quotes of a string, which may have been cut off.
fn inside(quoted: &[u8]) -> &[u8] {
    let text = quoted.strip_prefix(b"\"").unwrap_or(quoted);
    text.strip_suffix(b"\"").unwrap_or(text)
}

fn column_of(line: &[u8]) -> usize {
    line.iter().take_while(|byte| **byte == b' ').count()
}

fn json<'a>(body: &'a [u8], mut take: impl FnMut(Token<'a>)) {
    let mut key: &[u8] = b"";
    let mut column = 0;
    let mut place = 0;
    while place < body.len() {
        let start = place;
        match body[place] {
            b'"' => {
                place = end_of_quoted(body, place);
                let text = inside(&body[start..place]);
                if body.get(place) == Some(&b':') {
                    key = text;
                    take(Token::Frame(&body[start..place]));
                } else {
                    take(Token::Frame(b"\""));
                    take(Token::Value(Value { key, column, text, quoted: true }));
                    take(Token::Frame(b"\""));
                }
                continue;
            }
            b'\n' => {
                place += 1;
                column = column_of(&body[place..]);
            }
            b' ' | b',' | b':' | b'[' | b']' | b'{' | b'}' => place += 1,
            _ => {
                let more = |byte: &&u8| !matches!(**byte, b'\n' | b' ' | b',' | b']' | b'}' | b'"');
                place += body[place..].iter().take_while(more).count().max(1);
                take(Token::Value(Value { key, column, text: &body[start..place], quoted: false }));
                continue;
            }
        }
        take(Token::Frame(&body[start..place]));
    }
}

fn yaml<'a>(body: &'a [u8], mut take: impl FnMut(Token<'a>)) {
    let mut key: &[u8] = b"";
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let mut column = column_of(line);
        if line[column..].starts_with(b"- ") {
            column += 2;
        }
        let mut at = column;
        if line.get(at) != Some(&b'"')
            && let Some(colon) = memchr::memchr(b':', &line[at..])
        {
            key = &line[at..at + colon];
            at = (at + colon + 2).min(line.len());
        }
        take(Token::Frame(&line[..at]));
        let text = &line[at..];
        let value = match text.first() {
            Some(b'"') => {
                let end = end_of_quoted(text, 0);
                take(Token::Frame(b"\""));
                take(Token::Value(Value { key, column, text: inside(&text[..end]), quoted: true }));
                take(Token::Frame(b"\""));
                end
            }
            _ => {
                let end = text.trim_ascii_end().len();
                if end > 0 {
                    take(Token::Value(Value { key, column, text: &text[..end], quoted: false }));
                }
                end
            }
        };
        take(Token::Frame(&text[value..]));
    }
}

fn xml<'a>(body: &'a [u8], mut take: impl FnMut(Token<'a>)) {
    let (mut key, mut list): (&[u8], &[u8]) = (b"", b"");
    let (mut column, mut place) = (0, 0);
    let mut opened = false;
    while place < body.len() {
        let start = place;
        if body[place] == b'<' {
            place += memchr::memchr(b'>', &body[place..]).map_or(body.len() - place, |at| at + 1);
            let tag = &body[start..place];
            opened = !tag.starts_with(b"</") && !tag.ends_with(b"/>");
            if opened {
                let name = &tag[1..tag.len().max(2) - 1];
                if name != b"Item" {
                    list = name;
                }
                key = list;
                let line = memchr::memrchr(b'\n', &body[..start]).map_or(0, |at| at + 1);
                column = column_of(&body[line..]);
            }
            take(Token::Frame(tag));
            continue;
        }
        place += memchr::memchr(b'<', &body[place..]).unwrap_or(body.len() - place);
        let text = &body[start..place];
        if opened && !text.trim_ascii().is_empty() {
            // An `Output` item may be a bare number, which is a value of the statement.
            let item = key == b"Output";
            let plain =
                text.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'e' | b'+'));
            let quoted = item || !(plain || matches!(text, b"true" | b"false"));
            take(Token::Value(Value { key, column, text, quoted }));
        } else {
            take(Token::Frame(text));
        }
    }
}

fn decode(format: Format, text: &[u8]) -> Cow<'_, [u8]> {
    match format {
        Format::Xml if memchr::memchr(b'&', text).is_some() => Cow::Owned(from_xml(text)),
        Format::Json | Format::Yaml if memchr::memchr(b'\\', text).is_some() => Cow::Owned(from_json(text)),
        _ => Cow::Borrowed(text),
    }
}

fn from_json(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'u') => {
                // The server writes control characters so, nothing else.
                let digits: Vec<u8> = bytes.by_ref().take(4).collect();
                let code =
                    std::str::from_utf8(&digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let character = code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

fn from_xml(text: &[u8]) -> Vec<u8> {
    const ENTITIES: [(&[u8], u8); 6] = [
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&amp;", b'&'),
        (b"&quot;", b'"'),
        (b"&apos;", b'\''),
        (b"&#x0d;", b'\r'),
    ];
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(byte) = rest.first() {
        let entity = ENTITIES.iter().find(|(entity, _)| rest.starts_with(entity));
        let (read, byte) = entity.map_or((1, *byte), |(entity, byte)| (entity.len(), *byte));
        out.push(byte);
        rest = &rest[read..];
    }
    out
}

fn encode(format: Format, text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match (format, byte) {
            (Format::Xml, b'<') => out.extend_from_slice(b"&lt;"),
            (Format::Xml, b'>') => out.extend_from_slice(b"&gt;"),
            (Format::Xml, b'&') => out.extend_from_slice(b"&amp;"),
            (Format::Json | Format::Yaml, b'"') => out.extend_from_slice(b"\\\""),
            (Format::Json | Format::Yaml, b'\\') => out.extend_from_slice(b"\\\\"),
            (Format::Json | Format::Yaml, b'\n') => out.extend_from_slice(b"\\n"),
            (Format::Json | Format::Yaml, b'\t') => out.extend_from_slice(b"\\t"),
            (Format::Json | Format::Yaml, 0..=31) => out.push(b' '),
            (_, byte) => out.push(*byte),
        }
    }
}

pub(super) fn query(format: Format, body: &[u8]) -> Option<Query<'_>> {
    let (mut sql, mut params) = (None, None);
    // They come first; there is no need to read the plan.
    let until =
        memchr::memmem::find(body, b"Node Type").or_else(|| memchr::memmem::find(body, b"<Node-Type>"));
    tokens(format, &body[..until.unwrap_or(body.len())], |token| {
        if let Token::Value(value) = token {
            if sql.is_none() && value.is("Query Text") {
                sql = Some(decode(format, value.text));
            } else if params.is_none() && value.is("Query Parameters") {
                params = Some(decode(format, value.text));
            }
        }
    });
    Some(Query { sql: sql?, params })
}

/// What is read of a node before its name can be put together.
#[derive(Default)]
struct Names {
    kind: String,
    operation: String,
    index: String,
    relation: String,
    schema: String,
    alias: String,
}

impl Names {
    /// `Index Scan using i on s.t a`, as the text format has it.
    fn join(&self) -> String {
        // The text form says `Insert`, not `ModifyTable`.
        let mut name = if self.kind == "ModifyTable" { self.operation.clone() } else { self.kind.clone() };
        if !self.index.is_empty() {
            name.push_str(" using ");
            name.push_str(&self.index);
        }
        let target = if self.relation.is_empty() { &self.alias } else { &self.relation };
        if !target.is_empty() {
            name.push_str(" on ");
            if !self.schema.is_empty() {
                name.push_str(&self.schema);
                name.push('.');
            }
            name.push_str(target);
            if self.alias != *target {
                name.push(' ');
                name.push_str(&self.alias);
            }
        }
        name
    }
}

pub(super) fn nodes(format: Format, body: &[u8]) -> (Vec<Node>, Option<Buffers>) {
    let mut nodes: Vec<(Node, Names)> = Vec::new();
    let mut buffers: Option<Buffers> = None;
    tokens(format, body, |token| {
        let Token::Value(value) = token else { return };
        let text = || String::from_utf8_lossy(&decode(format, value.text)).into_owned();
        if value.is("Node Type") {
            let node = Node { depth: value.column, loops: 1, ..Node::default() };
            nodes.push((node, Names { kind: text(), ..Names::default() }));
            return;
        }
        let first = nodes.len() == 1;
        // Workers have the same properties, further to the right.
        let Some((node, names)) = nodes.last_mut().filter(|(node, _)| node.depth == value.column) else {
            return;
        };
        let number = |places| Cursor::new(value.text).decimal(places);
        if value.is("Operation") {
            names.operation = text();
        } else if value.is("Index Name") {
            names.index = text();
        } else if value.is("Relation Name") {
            names.relation = text();
        } else if value.is("Schema") {
            names.schema = text();
        } else if value.is("Alias") {
            names.alias = text();
        } else if value.is("Actual Total Time") {
            node.time = number(3).map(Micros);
        } else if value.is("Actual Rows") {
            node.rows = number(0);
        } else if value.is("Actual Loops") {
            node.loops = number(0).unwrap_or(1);
        } else if first && value.key.ends_with(b"Blocks") {
            read_block(&value, number(0).unwrap_or(0), &mut buffers);
        }
    });
    let nodes = nodes.into_iter().map(|(node, names)| Node { name: names.join(), ..node }).collect();
    (nodes, buffers)
}

fn read_block(value: &Value<'_>, number: u64, buffers: &mut Option<Buffers>) {
    let blocks = buffers.get_or_insert_default();
    let slot = match () {
        () if value.is("Shared Hit Blocks") => &mut blocks.shared_hit,
        () if value.is("Shared Read Blocks") => &mut blocks.shared_read,
        () if value.is("Shared Dirtied Blocks") => &mut blocks.shared_dirtied,
        () if value.is("Shared Written Blocks") => &mut blocks.shared_written,
        () if value.is("Temp Read Blocks") => &mut blocks.temp_read,
        () if value.is("Temp Written Blocks") => &mut blocks.temp_written,
        () => return,
    };
    *slot = number;
}

pub(super) fn mask(format: Format, body: &[u8], normalise: &impl Fn(&[u8]) -> String, out: &mut Vec<u8>) {
    // The column of `Settings` while its values are read: they are the session's, as literals are.
    let mut settings = None;
    tokens(format, body, |token| match token {
        Token::Frame(frame) => {
            match frame.trim_ascii() {
                b"\"Settings\"" | b"<Settings>" | b"Settings:" => settings = Some(column_of(frame)),
                b"}" | b"</Settings>" => settings = None,
                _ => {}
            }
            out.extend_from_slice(frame);
        }
        Token::Value(value)
            if settings.is_some_and(|column| format != Format::Yaml || value.column > column) =>
        {
            out.push(b'?');
        }
        Token::Value(value) if !value.quoted || NAMES.iter().any(|name| value.is(name)) => {
            out.extend_from_slice(value.text);
        }
        Token::Value(value) => {
            let text = decode(format, value.text);
            let mut masked = Vec::with_capacity(text.len());
            if value.is("Query Text") {
                masked.extend_from_slice(normalise(&text).as_bytes());
            } else {
                mask::whole(&text, &mut masked);
            }
            encode(format, &masked, out);
        }
    });
}
