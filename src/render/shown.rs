//! Text from a log, made harmless to look at: what would move a cursor, hide or reorder other text becomes a
//! visible mark. Markup is not escaped here; that depends on where the text goes.

use std::borrow::Cow;

/// The text with every control, direction and invisible character as a visible mark. Newlines and tabs stay.
///
/// Terminal escapes (C0, DEL, C1), and direction and invisible characters, with which a statement can be made to
/// read differently from what it does (CVE-2021-42574), become their code point, as `⟨U+202E⟩`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && c != '\t' && is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            _ if is_hidden(c) => out.push_str(&mark(c)),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The same on one line: runs of white space become one space.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&visible(word));
    }
    out
}

/// The text cut to `limit` bytes at a character, with how much is missing.
pub(super) fn capped(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let start = beginning(text, limit);
    Cow::Owned(format!("{start} … ({} bytes more)", text.len() - start.len()))
}

/// At most the first `limit` bytes, ended between two characters.
pub(super) fn beginning(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The text cut to `limit` characters, ended by an ellipsis where something is missing.
pub(super) fn shortened(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let end = text.char_indices().nth(limit.saturating_sub(1)).map_or(0, |(at, _)| at);
            Cow::Owned(format!("{}…", text[..end].trim_end()))
        }
    }
}

/// Whether a character is not seen as itself.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn mark(c: char) -> String {
    format!("⟨U+{:04X}⟩", c as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_become_code_points() {
        assert_eq!(
            visible("a\u{1b}]0;title\u{7}b\u{7f}\u{9b}31m"),
            "a⟨U+001B⟩]0;title⟨U+0007⟩b⟨U+007F⟩⟨U+009B⟩31m"
        );
        assert_eq!(one_line("a\r\n\tb"), "a b");
    }

    #[test]
    fn direction_and_invisible_characters_become_code_points() {
        assert_eq!(visible("x\u{202e}y\u{2066}z\u{200b}\u{feff}"), "x⟨U+202E⟩y⟨U+2066⟩z⟨U+200B⟩⟨U+FEFF⟩");
        assert_eq!(visible("a\u{2028}b"), "a⟨U+2028⟩b");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert!(matches!(visible("sélect 'ü' -- 日本\n\tx"), Cow::Borrowed(_)));
    }

    #[test]
    fn cuts_fall_between_characters() {
        assert_eq!(capped("ääää", 3), "ä … (6 bytes more)");
        assert_eq!(shortened("äöüß", 3), "äö…");
        assert_eq!(shortened("äöü", 3), "äöü");
    }
}
