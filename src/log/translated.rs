//! PostgreSQL's severity and part words in the languages that it is translated into (`src/backend/po/*.po`).
//!
//! With `lc_messages` not C the words are translated, and so is everything that a report looks for in the text. The
//! words are read, so that each entry is still an entry; the texts are not, which the report must say.

use std::sync::LazyLock;

use hashbrown::HashMap;
use memchr::memmem::Finder;

use super::entry::{Part, Severity};

const DEBUG: Part = Part::Record(Severity::Debug);
const INFO: Part = Part::Record(Severity::Info);
const NOTICE: Part = Part::Record(Severity::Notice);
const WARNING: Part = Part::Record(Severity::Warning);
const LOG: Part = Part::Record(Severity::Log);
const ERROR: Part = Part::Record(Severity::Error);
const FATAL: Part = Part::Record(Severity::Fatal);
const PANIC: Part = Part::Record(Severity::Panic);

/// Languages and their words, where they differ from the English ones. A word of two languages stands with the
/// more frequent one.
const LANGUAGES: &[(&str, &[(&str, Part)])] = &[
    (
        "German",
        &[
            ("PROTOKOLL", LOG),
            ("HINWEIS", NOTICE),
            ("WARNUNG", WARNING),
            ("FEHLER", ERROR),
            ("PANIK", PANIC),
            ("TIPP", Part::Hint),
            ("ANFRAGE", Part::Query),
            ("ZUSAMMENHANG", Part::Context),
            ("ORT", Part::Location),
            ("ANWEISUNG", Part::Statement),
        ],
    ),
    (
        "French",
        &[
            ("ATTENTION", WARNING),
            ("ERREUR", ERROR),
            ("DÉTAIL", Part::Detail),
            ("ASTUCE", Part::Hint),
            ("REQUÊTE", Part::Query),
            ("CONTEXTE", Part::Context),
            ("EMPLACEMENT", Part::Location),
            ("INSTRUCTION", Part::Statement),
            ("PILE D'APPEL", Part::Location),
        ],
    ),
    (
        "Spanish",
        &[
            ("ADVERTENCIA", WARNING),
            ("DETALLE", Part::Detail),
            ("SUGERENCIA", Part::Hint),
            ("CONSULTA", Part::Query),
            ("CONTEXTO", Part::Context),
            ("UBICACIÓN", Part::Location),
            ("SENTENCIA", Part::Statement),
        ],
    ),
    (
        "Portuguese",
        &[
            ("DEPURAÇÃO", DEBUG),
            ("NOTA", NOTICE),
            ("AVISO", WARNING),
            ("ERRO", ERROR),
            ("PÂNICO", PANIC),
            ("DETALHE", Part::Detail),
            ("DICA", Part::Hint),
            ("LOCAL", Part::Location),
            ("COMANDO", Part::Statement),
        ],
    ),
    (
        "Italian",
        &[
            ("NOTIFICA", NOTICE),
            ("ATTENZIONE", WARNING),
            ("ERRORE", ERROR),
            ("FATALE", FATAL),
            ("PANICO", PANIC),
            ("DETTAGLI", Part::Detail),
            ("DETTAGLIO", Part::Detail),
            ("SUGGERIMENTO", Part::Hint),
            ("CONTESTO", Part::Context),
            ("POSIZIONE", Part::Location),
            ("ISTRUZIONE", Part::Statement),
        ],
    ),
    (
        "Russian",
        &[
            ("ОТЛАДКА", DEBUG),
            ("СООБЩЕНИЕ", LOG),
            ("ИНФОРМАЦИЯ", INFO),
            ("ЗАМЕЧАНИЕ", NOTICE),
            ("ПРЕДУПРЕЖДЕНИЕ", WARNING),
            ("ОШИБКА", ERROR),
            ("ВАЖНО", FATAL),
            ("ПАНИКА", PANIC),
            ("ПОДРОБНОСТИ", Part::Detail),
            ("ПОДСКАЗКА", Part::Hint),
            ("ЗАПРОС", Part::Query),
            ("КОНТЕКСТ", Part::Context),
            ("ПОЛОЖЕНИЕ", Part::Location),
            ("ОПЕРАТОР", Part::Statement),
        ],
    ),
    (
        "Ukrainian",
        &[
            ("НАЛАГОДЖЕННЯ", DEBUG),
            ("ЗАПИСУВАННЯ", LOG),
            ("ЗАПИС", LOG),
            ("ІНФОРМАЦІЯ", INFO),
            ("ПОВІДОМЛЕННЯ", NOTICE),
            ("ПОПЕРЕДЖЕННЯ", WARNING),
            ("ПОМИЛКА", ERROR),
            ("ФАТАЛЬНО", FATAL),
            ("ПАНІКА", PANIC),
            ("ДЕТАЛІ", Part::Detail),
            ("ПІДКАЗКА", Part::Hint),
            ("ЗАПИТ", Part::Query),
            ("РОЗТАШУВАННЯ", Part::Location),
            ("ІНСТРУКЦІЯ", Part::Statement),
        ],
    ),
    (
        "Polish",
        &[
            ("DZIENNIK", LOG),
            ("UWAGA", NOTICE),
            ("OSTRZEŻENIE", WARNING),
            ("BŁĄD", ERROR),
            ("KATASTROFALNY", FATAL),
            ("PANIKA", PANIC),
            ("SZCZEGÓŁY", Part::Detail),
            ("PODPOWIEDŹ", Part::Hint),
            ("ZAPYTANIE", Part::Query),
            ("KONTEKST", Part::Context),
            ("POZYCJA", Part::Location),
            ("WYRAŻENIE", Part::Statement),
        ],
    ),
    (
        "Swedish",
        &[
            ("LOGG", LOG),
            ("NOTIS", NOTICE),
            ("VARNING", WARNING),
            ("FEL", ERROR),
            ("FATALT", FATAL),
            ("DETALJ", Part::Detail),
            ("TIPS", Part::Hint),
            ("FRÅGA", Part::Query),
            ("KONTEXT", Part::Context),
            ("PLATS", Part::Location),
            ("SATS", Part::Statement),
        ],
    ),
    (
        "Turkish",
        &[
            ("BİLGİ", INFO),
            ("NOT", NOTICE),
            ("UYARI", WARNING),
            ("HATA", ERROR),
            ("ÖLÜMCÜL (FATAL)", FATAL),
            ("KRİTİK", PANIC),
            ("AYRINTI", Part::Detail),
            ("İPUCU", Part::Hint),
            ("SORGU", Part::Query),
            ("BAĞLAM", Part::Context),
            ("YER", Part::Location),
            ("İFADE", Part::Statement),
            ("KOMUT", Part::Statement),
        ],
    ),
    (
        "Czech",
        &[
            ("UPOZORNĚNÍ", NOTICE),
            ("VAROVÁNÍ", WARNING),
            ("CHYBA", ERROR),
            ("SELHÁNÍ", FATAL),
            ("NÁPOVĚDA", Part::Hint),
            ("DOTAZ", Part::Query),
            ("UMÍSTĚNÍ", Part::Location),
            ("PŘÍKAZ", Part::Statement),
        ],
    ),
    (
        "Japanese",
        &[
            ("ログ", LOG),
            ("情報", INFO),
            ("警告", WARNING),
            ("エラー", ERROR),
            ("致命的エラー", FATAL),
            ("詳細", Part::Detail),
            ("ヒント", Part::Hint),
            ("クエリー", Part::Query),
            ("問い合わせ", Part::Query),
            ("コンテキスト", Part::Context),
            ("文脈", Part::Context),
            ("場所", Part::Location),
            ("バックトレース", Part::Location),
            ("ステートメント", Part::Statement),
            ("文", Part::Statement),
        ],
    ),
    (
        "Chinese",
        &[
            ("调试", DEBUG),
            ("日志", LOG),
            ("信息", INFO),
            ("注意", NOTICE),
            ("错误", ERROR),
            ("致命错误", FATAL),
            ("比致命错误还过分的错误", PANIC),
            ("详细信息", Part::Detail),
            ("提示", Part::Hint),
            ("查询", Part::Query),
            ("上下文", Part::Context),
            ("位置", Part::Location),
            ("语句", Part::Statement),
        ],
    ),
    (
        "Korean",
        &[
            ("디버그", DEBUG),
            ("로그", LOG),
            ("정보", INFO),
            ("알림", NOTICE),
            ("경고", WARNING),
            ("오류", ERROR),
            ("치명적오류", FATAL),
            ("손상", PANIC),
            ("상세정보", Part::Detail),
            ("힌트", Part::Hint),
            ("쿼리", Part::Query),
            ("내용", Part::Context),
            ("위치", Part::Location),
            ("명령 구문", Part::Statement),
        ],
    ),
    (
        "Greek",
        &[
            ("ΣΦΑΛΜΑ", ERROR),
            ("ΠΡΟΕΙΔΟΠΟΙΗΣΗ", WARNING),
            ("ΛΕΠΤΟΜΕΡΕΙΑ", Part::Detail),
            ("ΔΗΛΩΣΗ", Part::Statement),
        ],
    ),
    (
        "Georgian",
        &[
            ("ჟურნალი", LOG),
            ("შეცდომა", ERROR),
            ("დეტალები", Part::Detail),
            ("მინიშნება", Part::Hint),
            ("ოპერატორი", Part::Statement),
        ],
    ),
];

/// How messages with a duration begin, per language.
const DURATIONS: &[(&str, &str)] = &[
    ("Dauer: ", "German"),
    ("durée : ", "French"),
    ("duración: ", "Spanish"),
    ("duração: ", "Portuguese"),
    ("durata: ", "Italian"),
    ("продолжительность: ", "Russian"),
    ("тривалість: ", "Ukrainian"),
    ("czas trwania: ", "Polish"),
    ("varaktighet: ", "Swedish"),
    ("süre: ", "Turkish"),
    ("doba trvání: ", "Czech"),
    ("期間: ", "Japanese"),
    ("持续时间: ", "Chinese"),
    ("执行时间: ", "Chinese"),
    ("실행시간: ", "Korean"),
];

/// The language of a message that begins with a translated duration, after `LOG:  ` or the quote of a column.
pub(crate) fn duration(line: &[u8]) -> Option<&'static str> {
    // Made once: asked for thousands of lines.
    static WORDS: LazyLock<Vec<(Finder<'_>, &str)>> = LazyLock::new(|| {
        DURATIONS.iter().map(|(word, language)| (Finder::new(word.as_bytes()), *language)).collect()
    });
    WORDS.iter().find_map(|(word, language)| {
        let at = word.find(line)?;
        let before = &line[..at];
        (before.ends_with(b":  ") || before.ends_with(b",\"") || before.ends_with(b":\""))
            .then_some(*language)
    })
}

/// How `[unknown]`, a name that is not set, is written.
pub(crate) const UNKNOWN_NAMES: &[&str] = &[
    "[unknown]",
    "[unbekannt]",
    "[inconnu]",
    "[desconocido]",
    "[desconhecido]",
    "[sconosciuto]",
    "[неизвестно]",
    "[невідомо]",
    "[nieznany]",
    "[okänd]",
    "[bilinmeyen]",
    "[neznámý]",
    "[不明]",
    "[未知]",
];

/// The part that a translated word means, and its language.
pub(crate) fn word(text: &[u8]) -> Option<(Part, &'static str)> {
    // Asked for every cell of a sample.
    static WORDS: LazyLock<HashMap<&[u8], (Part, &str)>> =
        LazyLock::new(|| all().map(|(word, part, language)| (word.as_bytes(), (part, language))).collect());
    WORDS.get(text).copied()
}

/// The longest translated word at the end of `text` that stands alone: its length, part and language.
pub(crate) fn word_before(text: &[u8]) -> Option<(usize, Part, &'static str)> {
    let alone = |len: usize| {
        // `ERRO` must not be found at the end of another word.
        text[..text.len() - len].last().is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte < 0x80)
    };
    all()
        .filter(|(word, ..)| text.ends_with(word.as_bytes()) && alone(word.len()))
        .map(|(word, part, language)| (word.len(), part, language))
        .max_by_key(|(len, ..)| *len)
}

fn all() -> impl Iterator<Item = (&'static str, Part, &'static str)> {
    LANGUAGES
        .iter()
        .flat_map(|(language, words)| words.iter().map(move |(word, part)| (*word, *part, *language)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_once_and_is_not_english() {
        let mut words: Vec<_> = all().map(|(word, ..)| word).collect();
        words.sort_unstable();
        let all = words.len();
        words.dedup();
        assert_eq!(words.len(), all);
        assert!(
            words
                .iter()
                .all(|word| super::super::severity::word_at(format!("{word}:  ").as_bytes()).is_none())
        );
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(word_before("[1] ERREUR".as_bytes()), Some((6, ERROR, "French")));
        assert_eq!(word_before("[1] XERRO".as_bytes()), None);
        assert_eq!(word_before("UTC:致命错误".as_bytes()), Some((12, FATAL, "Chinese")));
    }
}
