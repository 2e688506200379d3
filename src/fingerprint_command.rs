//! `pglens fingerprint`: statements in, fingerprints out, one line each.
//!
//! The body of the filter, without files and without arguments. It streams, it keeps the order, and it answers
//! every line: one that is no statement gets an `error` in place of a fingerprint.

use std::io::{self, BufRead, Write};

use serde::Serialize;

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

/// What is written for a statement.
#[derive(Serialize)]
struct Answer<'a> {
    fingerprint: String,
    sql: String,
    kind: &'a str,
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

/// Reads statements until the end of the input, and answers each.
///
/// # Errors
///
/// Only those of reading and writing. Whatever the bytes, they get an answer.
pub fn run(input: impl BufRead, mut output: impl Write, mode: Mode) -> io::Result<()> {
    match mode {
        Mode::JsonLines => json_lines(input, &mut output)?,
        Mode::Text => text(input, &mut output)?,
    }
    output.flush()
}

fn json_lines(mut input: impl BufRead, output: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
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
    let value: serde_json::Value = serde_json::from_str(text.trim()).map_err(|error| error.to_string())?;
    match value.get("sql") {
        Some(serde_json::Value::String(sql)) => Ok(sql.clone()),
        Some(_) => Err("`sql` is no string".to_owned()),
        None => Err("no field `sql`".to_owned()),
    }
}

fn text(mut input: impl BufRead, output: &mut impl Write) -> io::Result<()> {
    let mut pending = Vec::new();
    loop {
        let taken = input.read_until(b';', &mut pending)?;
        while let Some(nul) = memchr::memchr(0, &pending) {
            let rest = pending.split_off(nul + 1);
            answer_unless_blank(&pending[..nul], output)?;
            pending = rest;
        }
        if taken == 0 {
            return answer_unless_blank(&pending, output);
        }
        if sql::ends_statement(&pending) {
            answer_unless_blank(&pending, output)?;
            pending.clear();
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
        tables: shape.tables(),
        truncated: digest.truncated,
    };
    write_line(&answer, output)
}

fn write_line(line: &impl Serialize, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    output.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mode: Mode, input: &str, expected: &[&str]) {
        let mut output = Vec::new();
        run(input.as_bytes(), &mut output, mode).unwrap();
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
    fn plain_text_is_cut_outside_literals() {
        check(Mode::Text, "select ';' ; select $$;$$;\nselect 3", &["SELECT ?", "SELECT ?", "SELECT ?"]);
        check(
            Mode::Text,
            "select 1\0select 2; select /* ; */ a -- ;\n; ",
            &["SELECT ?", "SELECT ?", "SELECT a"],
        );
        check(Mode::Text, "", &[]);
    }

    #[test]
    fn kind_and_tables() {
        let mut output = Vec::new();
        run(&b"{\"sql\": \"INSERT INTO a SELECT * FROM b\"}"[..], &mut output, Mode::JsonLines).unwrap();
        let line: serde_json::Value = serde_json::from_slice(&output).unwrap();
        assert_eq!((&line["kind"], &line["tables"]), (&"insert".into(), &serde_json::json!(["a", "b"])));
        assert_eq!(line["fingerprint"].as_str().map(str::len), Some(16));
    }
}
