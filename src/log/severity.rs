//! The words between prefix and text: PostgreSQL's severities and parts, and their translations.
//!
//! elog.c writes `error_severity()`, a colon and two blanks; DETAIL, HINT and the others likewise. With `lc_messages`
//! not C the words are translated, and so is everything that a report would look for: the translations here
//! only serve to say so.

use memchr::memmem;

use super::entry::{Part, Severity};

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
    // Nearly every line of a log that is worth reading is a LOG line.
    if text.starts_with(WORDS[0].0) {
        return Some((WORDS[0].1, WORDS[0].0.len()));
    }
    let first = *text.first()?;
    WORDS[1..]
        .iter()
        .find(|(word, _)| word[0] == first && text.starts_with(word))
        .map(|(word, part)| (*part, word.len()))
}

/// The severity of a word without its colon, as csvlog and jsonlog write it.
pub(crate) fn severity(word: &[u8]) -> Option<Severity> {
    WORDS.iter().find_map(|(text, part)| match part {
        Part::Record(severity) if text.strip_suffix(b":  ") == Some(word) => Some(*severity),
        _ => None,
    })
}

/// Places where a word of [`WORDS`] stands in the first `limit` bytes of a line, in order: (begin of the word,
/// its part, begin of the text).
pub(crate) fn candidates(line: &[u8], limit: usize) -> impl Iterator<Item = (usize, Part, usize)> {
    let head = &line[..line.len().min(limit)];
    memmem::find_iter(head, b":  ").filter_map(|colon| {
        let (word, part) = WORDS.iter().find(|(word, _)| line[..colon + 3].ends_with(word))?;
        Some((colon + 3 - word.len(), *part, colon + 3))
    })
}

/// Translated words and the language that they betray (PostgreSQL's po files). Words that several languages share,
/// such as LOG, betray none.
const TRANSLATED: &[(&str, &str)] = &[
    ("FEHLER", "German"),
    ("WARNUNG", "German"),
    ("HINWEIS", "German"),
    ("ANWEISUNG", "German"),
    ("TIPP", "German"),
    ("ANFRAGE", "German"),
    ("ZUSAMMENHANG", "German"),
    ("ERREUR", "French"),
    ("ATTENTION", "French"),
    ("INSTRUCTION", "French"),
    ("DÉTAIL", "French"),
    ("ASTUCE", "French"),
    ("REQUÊTE", "French"),
    ("CONTEXTE", "French"),
    ("ОШИБКА", "Russian"),
    ("СООБЩЕНИЕ", "Russian"),
    ("ОПЕРАТОР", "Russian"),
    ("ПОДРОБНОСТИ", "Russian"),
    ("ПРЕДУПРЕЖДЕНИЕ", "Russian"),
    ("ВАЖНО", "Russian"),
    ("ЗАМЕЧАНИЕ", "Russian"),
    ("ПОДСКАЗКА", "Russian"),
    ("ЗАПРОС", "Russian"),
    ("КОНТЕКСТ", "Russian"),
    ("ОТЛАДКА", "Russian"),
    ("ログ", "Japanese"),
    ("エラー", "Japanese"),
    ("警告", "Japanese"),
    ("詳細", "Japanese"),
    ("文", "Japanese"),
    ("ヒント", "Japanese"),
    ("コンテキスト", "Japanese"),
    ("日志", "Chinese"),
    ("错误", "Chinese"),
    ("语句", "Chinese"),
    ("致命错误", "Chinese"),
    ("注意", "Chinese"),
    ("提示", "Chinese"),
    ("详细信息", "Chinese"),
    ("上下文", "Chinese"),
    ("로그", "Korean"),
    ("오류", "Korean"),
    ("치명적오류", "Korean"),
    ("명령 구문", "Korean"),
    ("상세정보", "Korean"),
    ("힌트", "Korean"),
    ("ERRO", "Portuguese"),
    ("COMANDO", "Portuguese"),
    ("DETALHE", "Portuguese"),
    ("AVISO", "Portuguese"),
    ("DICA", "Portuguese"),
    ("SENTENCIA", "Spanish"),
    ("DETALLE", "Spanish"),
    ("SUGERENCIA", "Spanish"),
    ("CONSULTA", "Spanish"),
    ("ADVERTENCIA", "Spanish"),
    ("ERRORE", "Italian"),
    ("ISTRUZIONE", "Italian"),
    ("DETTAGLI", "Italian"),
    ("ATTENZIONE", "Italian"),
    ("SUGGERIMENTO", "Italian"),
    ("BŁĄD", "Polish"),
    ("DZIENNIK", "Polish"),
    ("WYRAŻENIE", "Polish"),
    ("SZCZEGÓŁY", "Polish"),
    ("CHYBA", "Czech"),
    ("PŘÍKAZ", "Czech"),
    ("FEL", "Swedish"),
    ("LOGG", "Swedish"),
    ("SATS", "Swedish"),
    ("DETALJ", "Swedish"),
    ("VARNING", "Swedish"),
    ("HATA", "Turkish"),
    ("ÖLÜMCÜL (FATAL)", "Turkish"),
    ("İFADE", "Turkish"),
    ("AYRINTI", "Turkish"),
    ("ПОМИЛКА", "Ukrainian"),
    ("ЗАПИС", "Ukrainian"),
    ("ІНСТРУКЦІЯ", "Ukrainian"),
    ("შეცდომა", "Georgian"),
    ("ჟურნალი", "Georgian"),
    ("PROTOKOLL", "German"),
    ("ΣΦΑΛΜΑ", "Greek"),
];

/// A translated severity or part word in the first `limit` bytes of a line: (begin of the word, its language).
pub(crate) fn translated(line: &[u8], limit: usize) -> Option<(usize, &'static str)> {
    let head = &line[..line.len().min(limit)];
    memchr::memchr_iter(b':', head).find_map(|colon| {
        if !matches!(line.get(colon + 1), Some(b' ')) {
            return None;
        }
        let before = line[..colon].trim_ascii_end();
        TRANSLATED.iter().find_map(|(word, language)| {
            let begin = before.strip_suffix(word.as_bytes())?.len();
            // The word stands alone: `ERRO` must not be found in the middle of another word.
            let alone = begin == 0 || !line[begin - 1].is_ascii_alphanumeric() && line[begin - 1] < 0x80;
            alone.then_some((begin, *language))
        })
    })
}

/// The language of a translated severity in a csvlog row: `,FEHLER,00000,`.
pub(crate) fn translated_cell(row: &[u8]) -> Option<&'static str> {
    let cells = row.split(|&byte| byte == b',').take(40);
    cells
        .filter_map(|cell| std::str::from_utf8(cell).ok())
        .find_map(|cell| TRANSLATED.iter().find(|(word, _)| *word == cell).map(|(_, language)| *language))
}

/// The classes of the manual's appendix "PostgreSQL Error Codes", two characters each.
const SQLSTATE_CLASSES: &[u8] = b"0001020308090A0B0D0E0F0L0P0Z10202122232425262728\
2B2D2F34383A3B3D3F404244535455575872F0HVP0XX";

/// The SQLSTATE that `log_error_verbosity = verbose` puts before the text, followed by a colon and a blank:
/// `42703: column …`.
///
/// A user's own message may begin alike (`RAISE EXCEPTION '40001: …'`): only classes of the manual count, and a
/// digit must be among the characters.
pub(crate) fn verbose_sqlstate(text: &[u8]) -> Option<[u8; 5]> {
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
        let found: Vec<_> = candidates(line, 2048).map(|(word, part, _)| (word, part)).collect();
        assert_eq!(found, [(15, Part::Record(Severity::Log)), (36, Part::Record(Severity::Error))]);
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
            assert_eq!(translated(line.as_bytes(), 2048).map(|(_, l)| l), expected, "{line}")
        };
        check("2024-01-01 00:00:00 UTC [1] FEHLER:  Relation »x« existiert nicht", Some("German"));
        check("2024-01-01 00:00:00 UTC [1] ERREUR:  la relation", Some("French"));
        check("2024-01-01 00:00:00 UTC [1] ASTUCE : x", Some("French"));
        check("2024-01-01 00:00:00 UTC [1] ОШИБКА:  отношение", Some("Russian"));
        check("2024-01-01 00:00:00 UTC [1] LOG:  duration: 1 ms", None);
        check("2024-01-01 00:00:00 UTC [1] XERRO:  y", None);
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
