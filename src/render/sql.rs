//! A statement for eyes: laid out by [`crate::sql::pretty`], in pieces with the class that colours them, in full or
//! on one line. Whatever is in the text comes out made visible, never as it was where that could hide something.

use std::borrow::Cow;

use super::shown::{beginning, one_line, shortened, visible};
use crate::sql::{Class, pretty};

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Class on the page: `k` for keywords, `h` for the holes where values were, else empty.
    pub(super) class: &'static str,
    /// Its text.
    pub(super) text: String,
}

/// Column lists shorter than this stay, however little room there is.
const SHORT_LIST: usize = 30;

/// The statement in full, a clause a line, cut to `limit` bytes with how many are missing.
pub(super) fn block(sql: &str, limit: usize) -> Vec<Piece> {
    let start = beginning(sql, limit);
    let mut pieces = joined(pretty(start).into_iter().map(|p| (class(p.class), p.text)));
    for piece in &mut pieces {
        if let Cow::Owned(text) = visible(&piece.text) {
            piece.text = text;
        }
    }
    if start.len() < sql.len() {
        let text = format!(" … ({} bytes more)", sql.len() - start.len());
        pieces.push(Piece { class: "", text });
    }
    pieces
}

/// The statement on one line of at most `limit` characters; where it has more than `room`, its column list gives
/// way: `SELECT … FROM choices WHERE …` tells statements apart, forty column names do not.
pub(super) fn line(sql: &str, room: usize, limit: usize) -> Vec<Piece> {
    // A statement of megabytes is not walked through for its first line.
    let mut words: Vec<(&'static str, String)> = Vec::new();
    for piece in pretty(beginning(sql, limit * 40)) {
        let opens = words.last().is_none_or(|(_, text)| text == "(");
        let text = match piece.class {
            Class::Space if opens => continue,
            Class::Space => " ".to_owned(),
            _ => one_line(&piece.text),
        };
        if text == ")" && words.last().is_some_and(|(_, text)| text == " ") {
            words.pop();
        }
        words.push((class(piece.class), text));
    }
    let length = |words: &[(&str, String)]| words.iter().map(|(_, text)| text.chars().count()).sum::<usize>();
    if length(&words) > room
        && let Some((from, to)) = column_list(&words)
        && length(&words[from..to]) > SHORT_LIST
    {
        words.splice(from..to, [("", " … ".to_owned())]);
    }
    let mut left = limit;
    let mut kept = Vec::new();
    for (class, text) in words {
        let n = text.chars().count();
        if n > left {
            kept.push((class, shortened(&text, left).into_owned()));
            if !kept.last().is_some_and(|(_, text)| text.ends_with('…')) {
                kept.push(("", "…".to_owned()));
            }
            break;
        }
        left -= n;
        kept.push((class, text));
    }
    joined(kept.into_iter())
}

/// The same as plain text.
pub(super) fn text_line(sql: &str, room: usize, limit: usize) -> String {
    line(sql, room, limit).into_iter().map(|piece| piece.text).collect()
}

/// What stands between the first SELECT and its FROM, both outside of parentheses.
fn column_list(words: &[(&str, String)]) -> Option<(usize, usize)> {
    let mut depth = 0_usize;
    let mut list = None;
    for (i, (class, text)) in words.iter().enumerate() {
        match (text.as_str(), *class) {
            ("(", _) => depth += 1,
            (")", _) => depth = depth.saturating_sub(1),
            ("SELECT", "k") if depth == 0 && list.is_none() => list = Some(i + 1),
            ("FROM", "k") if depth == 0 => return list.map(|list| (list, i)),
            _ => {}
        }
    }
    None
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Keyword => "k",
        Class::Placeholder => "h",
        Class::Name | Class::Operator | Class::Punctuation | Class::Space => "",
    }
}

/// Neighbours of one class as one piece: half the markup.
fn joined(pieces: impl Iterator<Item = (&'static str, String)>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    for (class, text) in pieces {
        match out.last_mut() {
            // A space between two words of SQL is no reason to leave off.
            Some(last) if last.class == class || (last.class == "k" && text == " ") => {
                last.text.push_str(&text)
            }
            _ if text.is_empty() => {}
            _ => out.push(Piece { class, text }),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_column_list_gives_way_to_what_follows_it() {
        let sql = "SELECT a.one, a.two, (SELECT max(x) FROM y), a.three, a.four FROM t a WHERE id = ?";
        assert_eq!(text_line(sql, 40, 100), "SELECT … FROM t a WHERE id = ?");
        assert_eq!(text_line(sql, 400, 400).len(), sql.len());
        assert_eq!(text_line("SELECT count(*) FROM a_long_name", 20, 90), "SELECT count(*) FROM a_long_name");
        assert_eq!(text_line("INSERT INTO t (a, b) VALUES (?, ?)", 5, 16), "INSERT INTO t (a…");
    }

    #[test]
    fn pieces_have_classes_and_hide_nothing() {
        let pieces = line("SELECT a FROM \"t\u{202e}\" WHERE b = ?", 80, 80);
        let marked: Vec<_> = pieces.iter().map(|piece| (piece.class, piece.text.as_str())).collect();
        assert_eq!(
            marked,
            [
                ("k", "SELECT "),
                ("", "a "),
                ("k", "FROM "),
                ("", "\"t⟨U+202E⟩\" "),
                ("k", "WHERE "),
                ("", "b = "),
                ("h", "?")
            ]
        );
    }

    #[test]
    fn a_cut_says_how_much_is_missing() {
        let text: String = block("SELECT aaaa FROM b", 11).into_iter().map(|piece| piece.text).collect();
        assert_eq!(text, "SELECT aaaa … (7 bytes more)");
    }
}
