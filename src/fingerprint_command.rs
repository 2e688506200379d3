//! `pglens fingerprint`: statements in, fingerprints out, one line each.
//!
//! The body of the filter, without files and without arguments. It streams, it keeps the order, and it answers
//! every line: one that is no statement gets an `error` in place of a fingerprint.

use std::io::{self, BufRead, BufReader, Read, Write};

use serde::Serialize;

use crate::render::json;
use crate::sql;

/// How the input is cut into statements.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Mode {
    /// A JSON object a line, with a field `sql`.
    JsonLines,
    /// Plain SQL; statements end at a NUL or at a `;` outside literals.
    Text,
}

/// The normalised text is cut here; the fingerprint covers all of the statement.
const LONGEST_TEXT: usize = 1 << 20;

/// What some programs write before text in UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What is written for a statement.
#[derive(Serialize)]
struct Answer<'a> {
    fingerprint: String,
    sql: String,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<&'a str>,
    tables: Vec<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// What is written for a line without a statement.
#[derive(Serialize)]
struct Refusal {
    fingerprint: Option<String>,
    error: String,
}

/// Reads statements until the end of the input, and answers each. Before it waits for more input, everything that is
/// answered is written: who asks one line at a time gets its answer.
///
/// # Errors
///
/// Only those of reading and writing. Whatever the bytes, they get an answer.
pub fn run(input: BufReader<impl Read>, mut output: impl Write, mode: Mode) -> io::Result<()> {
    match mode {
        Mode::JsonLines => json_lines(input, &mut output)?,
        Mode::Text => text(input, &mut output)?,
    }
    output.flush()
}

fn json_lines(mut input: BufReader<impl Read>, output: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        // Without a whole line at hand, the next read may wait for whoever waits for us.
        if memchr::memchr(b'\n', input.buffer()).is_none() {
            output.flush()?;
        }
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        match statement(&line) {
            Ok(statement) => answer(statement.as_bytes(), output)?,
            Err(error) => write_line(&Refusal { fingerprint: None, error }, output)?,
        }
    }
}

/// The `sql` field of a JSON object.
fn statement(line: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start_matches(BYTE_ORDER_MARK).trim();
    let value: serde_json::Value = serde_json::from_str(text)
        .or_else(|error| serde_json::from_str(&without_lone_surrogates(text)).map_err(|_| error))
        .map_err(|error| error.to_string())?;
    match value.get("sql") {
        Some(serde_json::Value::String(sql)) => Ok(sql.clone()),
        Some(_) => Err("`sql` is no string".to_owned()),
        None => Err("no field `sql`".to_owned()),
    }
}

/// Half a surrogate pair, as Python escapes a byte that was no UTF-8 (`\udcff`), is no character: the replacement
/// character stands for it, as for such a byte.
fn without_lone_surrogates(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let pair = escaped_unit(rest).filter(|unit| (0xd800..0xdc00).contains(unit)).is_some()
            && rest.get(6..).and_then(escaped_unit).is_some_and(|unit| (0xdc00..0xe000).contains(&unit));
        let lone = !pair && escaped_unit(rest).is_some_and(|unit| (0xd800..0xe000).contains(&unit));
        let escape = if pair {
            12
        } else if lone {
            6
        } else {
            2
        };
        // An escape is ASCII, but what follows a backslash in broken JSON may not be.
        let end = (escape..rest.len()).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        out.push_str(if lone { "\u{fffd}" } else { &rest[..end] });
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The UTF-16 unit of the escape `\uXXXX` that the text begins with.
fn escaped_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

fn text(mut input: BufReader<impl Read>, output: &mut impl Write) -> io::Result<()> {
    let mut splitter = Splitter::default();
    // Only the input may begin with the mark, no later statement.
    let mut marked = true;
    loop {
        // All that was at hand is answered.
        output.flush()?;
        let bytes = input.fill_buf()?;
        let taken = bytes.len();
        if taken == 0 {
            return answer_unless_blank(&splitter.statement, output);
        }
        for byte in bytes {
            if splitter.ends_with(*byte) {
                answer_unless_blank(&splitter.statement, output)?;
                splitter = Splitter::default();
                marked = false;
            } else if marked && splitter.statement == BYTE_ORDER_MARK.as_bytes() {
                splitter = Splitter::default();
                marked = false;
            }
        }
        input.consume(taken);
    }
}

/// Cuts plain SQL into statements, a byte at a time, so that a statement may arrive in any number of pieces.
#[derive(Default)]
struct Splitter {
    statement: Vec<u8>,
    inside: Inside,
    /// The string that closed with the last byte had backslash escapes; a quote now would continue it.
    closed: Option<bool>,
}

/// What the next byte stands in.
#[derive(Default)]
enum Inside {
    #[default]
    Code,
    /// A string; with backslash escapes or not, and whether the next byte is escaped.
    Quotes {
        escapes: bool,
        escaped: bool,
    },
    Name,
    Line,
    /// A block comment, so deep, since that offset.
    Block {
        depth: usize,
        since: usize,
    },
    /// What may be the opening tag of a dollar-quoted string, from that offset.
    Tag {
        start: usize,
    },
    /// A dollar-quoted string: where its opening tag stands.
    Dollar {
        start: usize,
        end: usize,
    },
}

impl Splitter {
    /// Takes a byte. True when it ends a statement; the statement is then complete, without that byte.
    fn ends_with(&mut self, byte: u8) -> bool {
        if byte == 0 {
            return true;
        }
        let at = self.statement.len();
        let before = self.statement.last().copied().unwrap_or(b' ');
        let closed = self.closed.take();
        if let Inside::Tag { start } = self.inside {
            let goes_on = byte.is_ascii_alphabetic()
                || byte == b'_'
                || byte >= 0x80
                || (byte.is_ascii_digit() && at > start + 1);
            if byte == b'$' {
                self.inside = Inside::Dollar { start, end: at + 1 };
            } else if !goes_on {
                self.inside = Inside::Code;
            }
            if !matches!(self.inside, Inside::Code) {
                self.statement.push(byte);
                return false;
            }
        }
        match &mut self.inside {
            Inside::Code if byte == b';' => return true,
            Inside::Code => self.inside = self.opened(byte, before, closed),
            Inside::Quotes { escapes, escaped } => {
                if *escaped {
                    *escaped = false;
                } else if byte == b'\\' && *escapes {
                    *escaped = true;
                } else if byte == b'\'' {
                    self.closed = Some(*escapes);
                    self.inside = Inside::Code;
                }
            }
            Inside::Name if byte == b'"' => self.inside = Inside::Code,
            Inside::Line if matches!(byte, b'\n' | b'\r') => self.inside = Inside::Code,
            Inside::Name | Inside::Line | Inside::Tag { .. } => {}
            Inside::Block { depth, since } => {
                // Two bytes open or close; a byte counts once.
                let pair = at > *since;
                if pair && (before, byte) == (b'*', b'/') {
                    *depth -= 1;
                    *since = at + 1;
                } else if pair && (before, byte) == (b'/', b'*') {
                    *depth += 1;
                    *since = at + 1;
                }
                if *depth == 0 {
                    self.inside = Inside::Code;
                }
            }
            Inside::Dollar { start, end } => {
                let (start, end) = (*start, *end);
                let len = end - start;
                let whole = at + 1 >= end + len && byte == b'$';
                if whole && self.statement[at + 1 - len..] == self.statement[start..end - 1] {
                    self.inside = Inside::Code;
                }
            }
        }
        self.statement.push(byte);
        false
    }

    /// What a byte of code opens.
    fn opened(&self, byte: u8, before: u8, closed: Option<bool>) -> Inside {
        let in_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || b >= 0x80;
        let at = self.statement.len();
        match (byte, before) {
            (b'\'', b'e' | b'E') => {
                let earlier = at.checked_sub(2).map_or(b' ', |earlier| self.statement[earlier]);
                Inside::Quotes { escapes: !in_name(earlier), escaped: false }
            }
            (b'\'', _) => Inside::Quotes { escapes: closed == Some(true), escaped: false },
            (b'"', _) => Inside::Name,
            (b'-', b'-') => Inside::Line,
            (b'*', b'/') => Inside::Block { depth: 1, since: at + 1 },
            (b'$', before) if !in_name(before) => Inside::Tag { start: at },
            _ => Inside::Code,
        }
    }
}

fn answer_unless_blank(statement: &[u8], output: &mut impl Write) -> io::Result<()> {
    if statement.trim_ascii().is_empty() { Ok(()) } else { answer(statement, output) }
}

fn answer(statement: &[u8], output: &mut impl Write) -> io::Result<()> {
    let digest = sql::digest(statement, None);
    let shape = sql::shape(statement);
    let answer = Answer {
        fingerprint: digest.fingerprint.to_string(),
        sql: sql::normalise(statement, LONGEST_TEXT),
        kind: shape.kind.as_str(),
        explain: shape.explain.map(sql::Explain::as_str),
        tables: shape.tables(),
        truncated: digest.truncated,
    };
    write_line(&answer, output)
}

fn write_line(line: &impl Serialize, output: &mut impl Write) -> io::Result<()> {
    json::line(line, output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mode: Mode, input: &str, expected: &[&str]) {
        let mut output = Vec::new();
        run(BufReader::new(input.as_bytes()), &mut output, mode).unwrap();
        let lines: Vec<serde_json::Value> = output
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let found: Vec<_> = lines.iter().map(|line| line["sql"].as_str().unwrap_or("error")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn one_line_out_per_line_in() {
        let input =
            "{\"sql\": \"select 1\"}\n\nnonsense\n{\"sql\": 1}\n{\"sql\": \"select 'x'\", \"other\": [1]}";
        check(Mode::JsonLines, input, &["SELECT ?", "error", "error", "error", "SELECT ?"]);
    }

    #[test]
    fn half_a_surrogate_pair_is_the_replacement_character() {
        let input = [
            r#"{"sql": "select \"a\udcff\""}"#,
            r#"{"sql": "select \"\ud83d\ude00\""}"#,
            r#"{"sql": "select \"\ud83d\u0041\""}"#,
            r#"{"sql": "select \"\ud800\ud83d\ude00\\ud800\""}"#,
            r#"{"sql": "select \uZ\udc00"}"#,
            "\u{feff}{\"sql\": \"select a\"}",
            "{\"sql\": \"\\\u{e9}\\udc00\"}",
        ];
        let expected = [
            "SELECT \"a\u{fffd}\"",
            "SELECT \"\u{1f600}\"",
            "SELECT \"\u{fffd}A\"",
            "SELECT \"\u{fffd}\u{1f600}\\ud800\"",
            "error",
            "SELECT a",
            "error",
        ];
        check(Mode::JsonLines, &input.join("\n"), &expected);
    }

    /// Hands out its pieces one at a time, and before each looks at what was written for the ones before.
    struct Dialogue<'a> {
        pieces: std::vec::IntoIter<(&'static str, usize)>,
        written: &'a std::cell::RefCell<Vec<u8>>,
    }

    impl Read for Dialogue<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some((piece, lines)) = self.pieces.next() else { return Ok(0) };
            let found = self.written.borrow().iter().filter(|b| **b == b'\n').count();
            assert_eq!(found, lines, "answered before {piece:?} is asked");
            into[..piece.len()].copy_from_slice(piece.as_bytes());
            Ok(piece.len())
        }
    }

    /// Where the answers of a dialogue arrive.
    struct Answers<'a>(&'a std::cell::RefCell<Vec<u8>>);

    impl Write for Answers<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn answers_do_not_wait_for_the_next_question() {
        let json = vec![
            ("{\"sql\": \"select 1\"}\n", 0),
            ("{\"sql\": \"select 2\"}\n{\"sql\": \"sel", 1),
            ("ect 3\"}\n", 2),
            ("", 3),
        ];
        let text = vec![("select 1; sel", 0), ("ect 2;", 1), ("select 3\0", 2), ("", 3)];
        for (mode, pieces) in [(Mode::JsonLines, json), (Mode::Text, text)] {
            let written = std::cell::RefCell::default();
            let input = BufReader::new(Dialogue { pieces: pieces.into_iter(), written: &written });
            run(input, io::BufWriter::new(Answers(&written)), mode).unwrap();
        }
    }

    #[test]
    fn plain_text_is_cut_outside_literals() {
        check(Mode::Text, "select ';' ; select $$;$$;\nselect 3", &["SELECT ?", "SELECT ?", "SELECT ?"]);
        check(
            Mode::Text,
            "select 1\0select 2; select /* ; */ a -- ;\n; ",
            &["SELECT ?", "SELECT ?", "SELECT a"],
        );
        check(
            Mode::Text,
            "select $a$ ; $$ ; $b$ ; $a$; select a$b$ ; select $1;",
            &["SELECT ?", "SELECT a$b$", "SELECT ?"],
        );
        check(
            Mode::Text,
            r"select E'\';', E'a''\';'; select ';\' ; select 2",
            &["SELECT ?, ?", "SELECT ?", "SELECT ?"],
        );
        check(Mode::Text, "select /* /* ; */ ; */ a /*/ ; */; select \";\"", &["SELECT a", "SELECT \";\""]);
        check(Mode::Text, "", &[]);
        check(Mode::Text, "\u{feff}select a; select \u{feff}b", &["SELECT a", "SELECT \u{feff}b"]);
        check(Mode::Text, "\u{feff}$$;$$; \u{feff}", &["?", "\u{feff}"]);
    }

    #[test]
    fn an_explain_says_so() {
        let mut output = Vec::new();
        let input = &b"explain select a; explain analyze delete from t; select a"[..];
        run(BufReader::new(input), &mut output, Mode::Text).unwrap();
        let lines = output.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let lines: Vec<serde_json::Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        let found: Vec<_> = lines.iter().map(|line| (line["kind"].as_str(), line.get("explain"))).collect();
        let (plan, analyze) = ("plan".into(), "analyze".into());
        let expected =
            [(Some("select"), Some(&plan)), (Some("delete"), Some(&analyze)), (Some("select"), None)];
        assert_eq!(found, expected);
    }

    #[test]
    fn kind_and_tables() {
        let mut output = Vec::new();
        let input = BufReader::new(&b"{\"sql\": \"INSERT INTO a SELECT * FROM b\"}"[..]);
        run(input, &mut output, Mode::JsonLines).unwrap();
        let line: serde_json::Value = serde_json::from_slice(&output).unwrap();
        assert_eq!((&line["kind"], &line["tables"]), (&"insert".into(), &serde_json::json!(["a", "b"])));
        assert_eq!(line["fingerprint"].as_str().map(str::len), Some(16));
    }
}
