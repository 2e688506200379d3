//! csvlog: one row a record, 22 to 26 columns, line ends and doubled quotes inside of quoted columns.
//!
//! Where does a row begin? The server puts quotes around every text and doubles those inside (csvlog.c,
//! `appendCSVLiteral()`), so inside of a column each run of quotes has an even length, but for the run that closes
//! it, which a comma or a line end follows. A line is a *sure start* when its first thirteen columns have
//! the shapes that the server prints and the message after them opens with an odd run of quotes that neither comma nor
//! line end follows: no text that a user wrote can look like that from inside of a column. Chunks are cut at sure
//! starts only, and a row whose end was lost (a crash, a full disk) ends at the next one.

use bumpalo::Bump;
use memchr::{memchr, memchr2, memrchr};

use super::entry::{Entry, Part};
use super::marks::{Marks, SLACK, copy, find2};
use super::prefix::{Clocks, Head, name, number, session_id};
use super::severity::severity;
use super::stderr::no_text;
use super::{Sink, Skip, SkipReason};
use crate::units::ByteOffset;

/// Most columns that a release writes (14 and later); 23 from 9.0 on, 24 in 13. 22 were written by 8.4.
const COLUMNS: usize = 26;
/// Fewest.
const COLUMNS_MIN: usize = 22;

/// One column of a row: its bytes without the outer quotes, and whether quotes inside are doubled.
#[derive(Debug, Default, Clone, Copy)]
struct Column<'a> {
    raw: &'a [u8],
    doubled: bool,
}

impl<'a> Column<'a> {
    #[inline]
    fn text(self, arena: &'a Bump) -> &'a [u8] {
        if self.doubled { undouble(self.raw, arena) } else { self.raw }
    }
}

/// `""` → `"`.
fn undouble<'a>(raw: &[u8], arena: &'a Bump) -> &'a [u8] {
    let text = arena.alloc_slice_fill_copy(raw.len() + SLACK, 0);
    let (mut from, mut to) = (0, 0);
    for quote in Marks::new(raw, 0, b'"', b'"') {
        // The second of a pair was copied over already.
        if quote < from {
            continue;
        }
        let len = quote + 1 - from;
        copy(raw, from, len, text, to);
        to += len;
        from = quote + 2;
    }
    let rest = raw.len().saturating_sub(from);
    copy(raw, raw.len() - rest, rest, text, to);
    &text[..to + rest]
}

/// Where the quoted column that begins at `begin` (after its quote) ends, and whether quotes inside are doubled.
/// An error: where it was cut.
#[inline]
fn closing_quote(rest: &[u8], begin: usize) -> Result<(usize, bool), usize> {
    let mut at = begin;
    loop {
        let Some(mark) = find2(rest, at, b'"', b'\n') else { return Err(rest.len()) };
        at = mark;
        if rest[at] == b'\n' {
            at += 1;
            if is_sure_start(&rest[at + no_text(&rest[at..], at)..]) {
                return Err(at);
            }
        } else if rest.get(at + 1) == Some(&b'"') {
            return closing_quote_among_many(rest, at + 2);
        } else {
            return Ok((at, false));
        }
    }
}

/// The same, once a doubled quote was met: where there is one, there are many.
fn closing_quote_among_many(rest: &[u8], from: usize) -> Result<(usize, bool), usize> {
    let mut second = None;
    for at in Marks::new(rest, from, b'"', b'\n') {
        if Some(at) == second {
            continue;
        }
        if rest[at] == b'\n' {
            let line = &rest[at + 1..];
            if is_sure_start(&line[no_text(line, at + 1)..]) {
                return Err(at + 1);
            }
        } else if rest.get(at + 1) == Some(&b'"') {
            second = Some(at + 1);
        } else {
            return Ok((at, true));
        }
    }
    Err(rest.len())
}

/// How a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// At a line end outside of quotes, or at the end of the chunk after a complete row.
    Whole,
    /// At a sure start, or the end of the chunk, inside of quotes.
    Cut,
    /// It is no CSV.
    Malformed,
}

/// The columns of one row.
struct Row<'a> {
    columns: [Column<'a>; COLUMNS],
    count: usize,
}

impl<'a> Row<'a> {
    /// Reads a row at the start of `rest`: its length with line end, and how it ended.
    fn read(&mut self, rest: &'a [u8]) -> (usize, End) {
        self.count = 0;
        let mut at = 0;
        loop {
            let column;
            if rest.get(at) == Some(&b'"') {
                let begin = at + 1;
                let doubled;
                match closing_quote(rest, begin) {
                    Ok((end, many)) => (at, doubled) = (end, many),
                    Err(cut) => return (cut, End::Cut),
                }
                column = Column { raw: &rest[begin..at], doubled };
                at += 1;
            } else {
                let begin = at;
                while at < rest.len() && !matches!(rest[at], b',' | b'\n' | b'\r') {
                    at += 1;
                }
                column = Column { raw: &rest[begin..at], doubled: false };
            }
            if self.count < COLUMNS {
                self.columns[self.count] = column;
            }
            self.count += 1;
            match rest.get(at) {
                Some(b',') => at += 1,
                Some(b'\n') => return (at + 1, End::Whole),
                Some(b'\r') if rest.get(at + 1) == Some(&b'\n') => return (at + 2, End::Whole),
                None if self.count >= COLUMNS_MIN => return (at, End::Whole),
                None => return (at, End::Cut),
                Some(_) => {
                    let end = memchr(b'\n', &rest[at..]).map_or(rest.len(), |len| at + len + 1);
                    return (end, End::Malformed);
                }
            }
        }
    }

    fn column(&self, number: usize) -> Column<'a> {
        self.columns[number - 1]
    }

    /// The record that the columns say; `None` when they are not PostgreSQL's.
    fn record(
        &self,
        head: &mut Head<'a>,
        clocks: &mut Clocks,
        arena: &'a Bump,
    ) -> Result<(Part, &'a [u8]), SkipReason> {
        if !(COLUMNS_MIN..=COLUMNS).contains(&self.count) {
            return Err(SkipReason::BadColumns);
        }
        let stamp = clocks.log.read(self.column(1).raw).ok_or(SkipReason::BadColumns)?;
        head.time = Some(stamp.time);
        head.who.user = name(self.column(2).text(arena));
        head.who.database = name(self.column(3).text(arena));
        head.session.pid = integer(self.column(4).raw) as u32;
        head.who.host = host_of(self.column(5).text(arena));
        let (start, _) = session_id(self.column(6).raw).unwrap_or_default();
        head.session.start = start as u32;
        let fields = &mut head.fields;
        let severity = severity(self.column(12).raw).ok_or(SkipReason::UnknownSeverity)?;
        fields.sqlstate = self.column(13).raw.first_chunk().copied().unwrap_or_default();
        fields.detail = self.column(15).text(arena);
        fields.hint = self.column(16).text(arena);
        fields.query = self.column(17).text(arena);
        fields.context = self.column(19).text(arena);
        fields.statement = self.column(20).text(arena);
        let later =
            |number: usize| if number <= self.count { self.column(number) } else { Column::default() };
        head.who.application = name(later(23).text(arena));
        fields.query_id = signed(later(26).raw);
        Ok((Part::Record(severity), self.column(14).text(arena)))
    }
}

/// Digits as a number; 0 for an empty column.
#[inline]
pub(crate) fn integer(raw: &[u8]) -> u64 {
    number(raw).map_or(0, |(value, _)| value)
}

/// Digits with a sign.
pub(crate) fn signed(raw: &[u8]) -> i64 {
    match raw {
        [b'-', magnitude @ ..] => 0i64.wrapping_sub_unsigned(integer(magnitude)),
        magnitude => integer(magnitude) as i64,
    }
}

/// `127.0.0.1:52754` → `127.0.0.1`; `[local]` stays.
pub(crate) fn host_of(value: &[u8]) -> &[u8] {
    match memrchr(b':', value) {
        Some(colon) if value[colon + 1..].iter().all(u8::is_ascii_digit) && colon + 1 < value.len() => {
            name(&value[..colon])
        }
        _ => name(value),
    }
}

/// Whether a row surely begins here: see the module's argument.
#[inline]
pub(crate) fn is_sure_start(text: &[u8]) -> bool {
    let time = text.strip_prefix(b"\"").unwrap_or(text);
    matches!(time, [a, _, _, _, b'-', _, _, b'-', ..] if a.is_ascii_digit()) && shapes_fit(text).is_some()
}

/// Walks the first thirteen columns and the quotes after them.
#[cold]
fn shapes_fit(text: &[u8]) -> Option<()> {
    let mut clocks = Clocks::new(0);
    let mut at = 0;
    for number in 1..=13 {
        if number > 1 {
            at = comma(text, at)?;
        }
        if matches!(number, 2 | 3 | 5 | 8) {
            at = quoted_or_empty(text, at)?;
            continue;
        }
        // The server puts none of these in quotes; programs that write the rows anew do.
        let quoted = text.get(at) == Some(&b'"');
        at += usize::from(quoted);
        at = match number {
            1 | 9 => at + clocks.log.read(&text[at..])?.len,
            4 | 7 => at + digits(text, at).filter(|&len| len > 0)?,
            6 => {
                let rest = text.get(at..at + 32.min(text.len() - at))?;
                let end = at + rest.iter().position(|byte| matches!(byte, b',' | b'"'))?;
                session_id(&text[at..end])?;
                end
            }
            10 => at + text[at..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'/').count(),
            11 => at + digits(text, at)?,
            12 => at + text[at..].iter().take_while(|byte| !b",\n\"".contains(byte)).count(),
            _ => {
                let state = text.get(at..at + 5)?;
                if !state.iter().all(u8::is_ascii_alphanumeric) {
                    return None;
                }
                at + 5
            }
        };
        if quoted {
            at = (text.get(at) == Some(&b'"')).then_some(at + 1)?;
        }
    }
    at = comma(text, at)?;
    let run = text[at..].iter().take_while(|&&byte| byte == b'"').count();
    let next = text.get(at + run)?;
    (run % 2 == 1 && !matches!(next, b',' | b'\n' | b'\r')).then_some(())
}

fn comma(text: &[u8], at: usize) -> Option<usize> {
    (text.get(at) == Some(&b',')).then_some(at + 1)
}

fn digits(text: &[u8], at: usize) -> Option<usize> {
    let len = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (len < 20).then_some(len)
}

/// The end of a quoted column without line ends, or of an empty one.
fn quoted_or_empty(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return Some(at);
    }
    let mut at = at + 1;
    loop {
        at += memchr2(b'"', b'\n', text.get(at..)?)?;
        match (text[at], text.get(at + 1)) {
            (b'\n', _) => return None,
            (_, Some(b'"')) => at += 2,
            _ => return Some(at + 1),
        }
    }
}

/// See [`Dialect::last_start`](super::Dialect::last_start).
pub(crate) fn last_start(buffer: &[u8]) -> Option<usize> {
    let mut end = buffer.len();
    while let Some(newline) = memrchr(b'\n', &buffer[..end]) {
        let line = &buffer[newline + 1..];
        if is_sure_start(&line[no_text(line, newline + 1)..]) {
            return Some(newline + 1);
        }
        end = newline;
    }
    None
}

/// Every row of a chunk.
pub(crate) fn read<'a>(
    chunk: &'a [u8],
    base: ByteOffset,
    arena: &'a Bump,
    clocks: &mut Clocks,
    sink: &mut impl Sink<'a>,
) {
    let mut row = Row { columns: [Column::default(); COLUMNS], count: 0 };
    let mut head = Head::default();
    let mut at = 0;
    while at < chunk.len() {
        let offset = ByteOffset(base.0 + at as u64);
        let mut skip = |reason, len: usize| sink.skip(Skip { reason, at: offset, len: len as u64 });
        let bom = no_text(&chunk[at..], at);
        let rest = &chunk[at + bom..];
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        if blank > 0 {
            skip(SkipReason::Blank, bom + blank);
            at += bom + blank;
            continue;
        }
        let time = rest.strip_prefix(b"\"").unwrap_or(rest);
        if !matches!(time, [digit, ..] if digit.is_ascii_digit())
            || at == 0 && clocks.log.read(time).is_none()
        {
            let len = bom + to_next_start(rest);
            skip(if at == 0 { SkipReason::CutStart } else { SkipReason::BadColumns }, len);
            at += len;
            continue;
        }
        let (len, end) = row.read(rest);
        let len = bom + len;
        match end {
            End::Whole => match row.record(&mut head, clocks, arena) {
                Ok((part, text)) => sink.entry(Entry {
                    at: offset,
                    len: u32::try_from(len).unwrap_or(u32::MAX),
                    time: head.time,
                    session: head.session,
                    who: head.whom(arena),
                    origin: 0,
                    part,
                    text,
                    fields: Some(arena.alloc(head.fields)),
                }),
                Err(reason) => skip(reason, len),
            },
            End::Cut => skip(SkipReason::CutEnd, len),
            End::Malformed => skip(SkipReason::BadColumns, len),
        }
        at += len;
    }
}

/// Bytes up to the next sure start, or to the end.
fn to_next_start(rest: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', rest)
        .map(|newline| newline + 1)
        .find(|&at| is_sure_start(&rest[at + no_text(&rest[at..], at)..]))
        .unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use crate::log::testing::{check, read, same_at_every_cut};
    use crate::log::{Dialect, Format, Hints};

    const HEAD: &str = "2026-11-22 17:06:44.419 UTC,\"u\",\"d\",22923,\"127.0.0.1:52754\",6b032124.598b,5,\"SELECT\",2026-11-22 17:06:44 UTC,3/0,0";

    fn csv() -> Dialect {
        let sample = format!("{HEAD},LOG,00000,\"x\",,,,,,,,,\"psql\",\"client backend\",,1\n");
        Dialect::detect(sample.as_bytes(), &Hints { format: Some(Format::Csv), ..Hints::default() }).unwrap()
    }

    #[test]
    fn every_column_lands_where_it_belongs() {
        let row = format!(
            "{HEAD},ERROR,42P01,\"no \"\"t\"\"\",\"det\",\"hin\",\"int\",3,\"ctx\",\"sel\nect\",8,\"loc\",\"psql\",\"client backend\",7,-12\n"
        );
        check(
            &csv(),
            &row,
            &[
                "ERROR u@d \"no \\\"t\\\"\" 42P01 detail=\"det\" hint=\"hin\" query=\"int\" context=\"ctx\" statement=\"sel\\nect\"",
            ],
        );
    }

    #[test]
    fn releases_differ_in_their_columns() {
        for tail in [
            "",
            ",\"psql\"",
            ",\"psql\",\"client backend\"",
            ",\"psql\",\"client backend\",",
            ",\"psql\",\"client backend\",,5",
        ] {
            check(&csv(), &format!("{HEAD},LOG,00000,\"x\",,,,,,,,{tail}\n"), &["LOG u@d \"x\" 00000"]);
        }
        let short = format!("{HEAD},LOG,00000,\"x\",,,,,\n");
        check(&csv(), &short, &[&format!("bad_columns {}", short.len())]);
    }

    #[test]
    fn rows_that_a_program_wrote_anew_have_quotes_around_times() {
        let row = "\"2026-05-16 05:11:50.269 UTC\",\"u\",\"d\",1001,\"192.0.2.10:54321\",00000001.000003e9,1,\"SELECT\",\
                   \"2026-05-16 05:00:00 UTC\",1/1,0,LOG,00000,\"x\",,,,,,,,,\"app\",\"client backend\",0\n";
        check(&csv(), &[row, row].concat(), &["LOG u@d \"x\" 00000"; 2]);
    }

    #[test]
    fn a_forged_row_in_a_message_is_text() {
        let forged = format!("{},LOG,00000,x", HEAD.replace('"', ""));
        let bare = "2026-11-22 17:06:44.419 UTC,,,1,,6b032124.598b,5,,2026-11-22 17:06:44 UTC,,0,LOG,00000,";
        let row = format!("{HEAD},LOG,00000,\"a\n{forged}\n{bare}\"\"x\n{bare}\"\"\"\"\n\",,,,,,,,,\"\"\n");
        let dialect = csv();
        assert_eq!(read(&dialect, row.as_bytes()).len(), 1);
        same_at_every_cut(&dialect, [row.clone(), row].concat().as_bytes());
    }

    #[test]
    fn damaged_rows_end_at_the_next_sure_start() {
        let good = format!("{HEAD},LOG,00000,\"x\",,,,,,,,,\"psql\"\n");
        let log = format!(
            "tail of a row\",,,\n{good}{HEAD},LOG,00000,\"lost\n\n{good}\n\n{good}{HEAD},LOG,00000,\"cut"
        );
        check(
            &csv(),
            &log,
            &[
                "cut_start 18",
                "LOG u@d \"x\" 00000",
                &format!("cut_end {}", HEAD.len() + ",LOG,00000,\"lost\n\n".len()),
                "LOG u@d \"x\" 00000",
                "blank 2",
                "LOG u@d \"x\" 00000",
                &format!("cut_end {}", HEAD.len() + ",LOG,00000,\"cut".len()),
            ],
        );
    }

    #[test]
    fn translated_severities_are_counted() {
        let log = format!("{HEAD},OCHIBKA,00000,\"x\",,,,,,,,,\"psql\"\n");
        check(&csv(), &log, &[&format!("unknown_severity {}", log.len())]);
    }
}
