//! The words between prefix and text: PostgreSQL's severities and parts, and their translations.
//!
//! elog.c writes `error_severity()`, a colon and two blanks; DETAIL, HINT and the others likewise.

use memchr::memmem;

use super::entry::{Part, Severity};
use super::prefix::REACH;
use super::translated;

/// The parts of the log that begin a line of their own, as they stand in the log.
const WORDS: &[(&[u8], Part)] = &[
    (b"LOG:  ", Part::Record(Severity::Log)),
    (b"STATEMENT:  ", Part::Statement),
    (b"DETAIL:  ", Part::Detail),
    (b"ERROR:  ", Part::Record(Severity::Error)),
    (b"CONTEXT:  ", Part::Context),
    (b"HINT:  ", Part::Hint),
    (b"WARNING:  ", Part::Record(Severity::Warning)),
    (b"NOTICE:  ", Part::Record(Severity::Notice)),
    (b"FATAL:  ", Part::Record(Severity::Fatal)),
    (b"PANIC:  ", Part::Record(Severity::Panic)),
    (b"INFO:  ", Part::Record(Severity::Info)),
    (b"QUERY:  ", Part::Query),
    (b"LOCATION:  ", Part::Location),
    (b"BACKTRACE:  ", Part::Location),
    (b"DEBUG:  ", Part::Record(Severity::Debug)),
    (b"DEBUG1:  ", Part::Record(Severity::Debug)),
    (b"DEBUG2:  ", Part::Record(Severity::Debug)),
    (b"DEBUG3:  ", Part::Record(Severity::Debug)),
    (b"DEBUG4:  ", Part::Record(Severity::Debug)),
    (b"DEBUG5:  ", Part::Record(Severity::Debug)),
];

/// The severity or part word at the start of `text`, and the bytes of `WORD:  `.
#[inline]
pub(crate) fn word_at(text: &[u8]) -> Option<(Part, usize)> {
    // Nearly every line of a log that is worth reading is one of these; a constant is compared in words.
    if text.starts_with(b"LOG:  ") {
        return Some((Part::Record(Severity::Log), 6));
    }
    if text.starts_with(b"DETAIL:  ") {
        return Some((Part::Detail, 9));
    }
    if text.starts_with(b"STATEMENT:  ") {
        return Some((Part::Statement, 12));
    }
    other_word_at(text)
}

#[inline(never)]
fn other_word_at(text: &[u8]) -> Option<(Part, usize)> {
    let first = *text.first()?;
    WORDS
        .iter()
        .find(|(word, _)| word[0] == first && text.starts_with(word))
        .map(|(word, part)| (*part, word.len()))
}

/// Whether a word may have begun at the end of `text`.
pub(crate) fn ends_in_word(text: &[u8]) -> bool {
    // Nearly all prefixes end in something that no word holds.
    match text {
        [.., before, b' '] if *before != b':' => return false,
        [.., last] if !last.is_ascii_uppercase() && !last.is_ascii_digit() && !b": ".contains(last) => {
            return false;
        }
        _ => {}
    }
    WORDS.iter().any(|(word, _)| (1..word.len()).any(|len| text.ends_with(&word[..len])))
}

/// The severity of a word without its colon, as csvlog and jsonlog write it; translated words too.
pub(crate) fn severity(word: &[u8]) -> Option<Severity> {
    let english = || {
        WORDS.iter().find_map(|(text, part)| match part {
            Part::Record(severity) if text.strip_suffix(b":  ") == Some(word) => Some(*severity),
            _ => None,
        })
    };
    if word == b"LOG" {
        return Some(Severity::Log);
    }
    english().or_else(|| match translated::word(word)? {
        (Part::Record(severity), _) => Some(severity),
        _ => None,
    })
}

/// A word that may begin an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Where the word begins: the prefix ends here.
    pub(crate) word: usize,
    pub(crate) part: Part,
    /// Where the text begins.
    pub(crate) text: usize,
    /// The language of a translated word.
    pub(crate) language: Option<&'static str>,
}

/// Places where a severity or part word stands in the first `limit` bytes of a line, in order.
pub(crate) fn candidates(line: &[u8], limit: usize) -> impl Iterator<Item = Candidate> {
    let head = &line[..line.len().min(limit)];
    memmem::find_iter(head, b":  ").filter_map(|colon| candidate(line, colon, 3))
}

/// The same for logs whose blanks were squeezed on the way: `LOG: `.
pub(crate) fn squeezed_candidates(line: &[u8], limit: usize) -> impl Iterator<Item = Candidate> {
    let head = &line[..line.len().min(limit)];
    memmem::find_iter(head, b": ").filter_map(|colon| candidate(line, colon, 2))
}

/// The word before a colon.
fn candidate(line: &[u8], colon: usize, blanks: usize) -> Option<Candidate> {
    let before = &line[..colon];
    let text = colon + blanks;
    if let Some((word, part)) = WORDS.iter().find(|(word, _)| before.ends_with(&word[..word.len() - 3])) {
        return Some(Candidate { word: colon + 3 - word.len(), part: *part, text, language: None });
    }
    // French puts a blank before the colon.
    let before = before.strip_suffix(b" ").unwrap_or(before);
    let (len, part, language) = translated::word_before(before)?;
    Some(Candidate { word: before.len() - len, part, text, language: Some(language) })
}

/// The language of the first line with a translated word, and that line: `FEHLER:  `, csvlog's `,FEHLER,00000,`, or
/// a duration (jsonlog's severities are never translated).
pub(crate) fn language<'l>(mut lines: impl Iterator<Item = &'l [u8]>) -> Option<(&'static str, &'l [u8])> {
    lines.find_map(|line| {
        let in_text = candidates(line, REACH).next().and_then(|candidate| candidate.language);
        let in_row = || {
            line.split(|&byte| byte == b',').take(16).find_map(|cell| match translated::word(cell)? {
                (Part::Record(_), language) => Some(language),
                _ => None,
            })
        };
        Some((in_text.or_else(in_row).or_else(|| translated::duration(line))?, line))
    })
}

/// The classes of the manual's appendix "PostgreSQL Error Codes", two characters each.
const SQLSTATE_CLASSES: &[u8] = b"0001020308090A0B0D0E0F0L0P0Z10202122232425262728\
2B2D2F34383A3B3D3F404244535455575872F0HVP0XX";

/// The SQLSTATE that `log_error_verbosity = verbose` puts before the text, followed by a colon and a blank:
/// `42703: column …`.
///
/// A user's own message may begin alike (`RAISE EXCEPTION '40001: …'`): only classes of the manual count, and a
/// digit must be among the characters.
#[inline(always)]
pub(crate) fn verbose_sqlstate(text: &[u8]) -> Option<[u8; 5]> {
    // Hardly any other text has a colon there.
    if text.get(5) == Some(&b':') { sqlstate(text) } else { None }
}

#[inline(never)]
fn sqlstate(text: &[u8]) -> Option<[u8; 5]> {
    let state: [u8; 5] = *text.first_chunk()?;
    if text.get(5..7) != Some(b": ")
        || !state.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        || !state.iter().any(u8::is_ascii_digit)
    {
        return None;
    }
    SQLSTATE_CLASSES.chunks_exact(2).any(|class| class == &state[..2]).then_some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_the_prefix_ends() {
        let line = b"x:  LOGS:  [1] LOG:  duration: 1 ms ERROR:  no";
        let found: Vec<_> = candidates(line, 2048).map(|found| (found.word, found.part)).collect();
        assert_eq!(found, [(15, Part::Record(Severity::Log)), (36, Part::Record(Severity::Error))]);
    }

    #[test]
    fn words_that_may_go_on() {
        for (text, may) in [
            ("[1] u@d ", false),
            ("[1] u@D", true),
            ("x LOG:", true),
            ("xSTATE", true),
            ("DEBUG1", true),
            ("", false),
        ] {
            assert_eq!(ends_in_word(text.as_bytes()), may, "{text}");
        }
    }

    #[test]
    fn one_blank_is_not_two() {
        assert_eq!(word_at(b"LOG: x"), None);
        assert_eq!(word_at(b"HINT:  x"), Some((Part::Hint, 7)));
        assert_eq!(word_at(b"DEBUG3:  x"), Some((Part::Record(Severity::Debug), 9)));
    }

    #[test]
    fn languages_are_named() {
        let check = |line: &str, expected| {
            let found = language([line.as_bytes()].into_iter()).map(|(language, _)| language);
            assert_eq!(found, expected, "{line}");
        };
        check("2024-01-01 00:00:00 UTC [1] FEHLER:  Relation »x« existiert nicht", Some("German"));
        check("2024-01-01 00:00:00 UTC [1] INSTRUCTION :  select 1", Some("French"));
        check("2024-01-01 00:00:00 UTC [1] ОШИБКА:  отношение", Some("Russian"));
        check("2024-01-01 00:00:00 UTC [1] LOG:  duration: 1 ms", None);
        check("2024-01-01 00:00:00 UTC [1] XERRO:  y", None);
        check("2024-01-01 00:00:00 UTC [1] LOG:  durée : 1 ms", Some("French"));
        check("{\"error_severity\":\"LOG\",\"message\":\"Dauer: 1.928 ms  Anweisung: x\"}", Some("German"));
        check("2024-01-01 00:00:00 UTC [1] LOG:  duration: 1 ms  statement: select 'Dauer: '", None);
        check(
            "2026-11-22 17:06:44.419 UTC,,,1,,6b.5,5,,2026-11-22 17:06:44 UTC,,0,FEHLER,42P01,\"x\"",
            Some("German"),
        );
    }

    #[test]
    fn a_verbose_log_has_its_sqlstate_before_the_text() {
        assert_eq!(verbose_sqlstate(b"00000: duration: 1 ms"), Some(*b"00000"));
        assert_eq!(verbose_sqlstate(b"HV00J: x"), Some(*b"HV00J"));
        assert_eq!(verbose_sqlstate(b"ABORT: x"), None);
        assert_eq!(verbose_sqlstate(b"99999: x"), None);
        assert_eq!(verbose_sqlstate(b"42703:x"), None);
    }
}
