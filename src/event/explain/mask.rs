//! Expressions as the server deparses them, with `?` for their values. Knows quotes and numbers, nothing of plans.

/// Writes `text` up to the first line end outside a string (or to its end), masked; returns what was read.
///
/// A string that never ends is one value: what was cut off is not shown.
pub(super) fn line(text: &[u8], out: &mut Vec<u8>) -> usize {
    expression(text, true, out)
}

/// Writes all of `text`, masked.
pub(super) fn whole(text: &[u8], out: &mut Vec<u8>) {
    expression(text, false, out);
}

fn expression(text: &[u8], one_line: bool, out: &mut Vec<u8>) -> usize {
    let mut place = 0;
    while let Some(byte) = text.get(place).copied() {
        let word = place > 0 && is_word(text[place - 1]);
        match byte {
            b'\n' if one_line => return place,
            b'\'' => {
                let escapes = place > 0
                    && matches!(text[place - 1], b'E' | b'e')
                    && (place < 2 || !is_word(text[place - 2]));
                if escapes {
                    out.pop();
                }
                out.push(b'?');
                place = end_of_string(text, place + 1, escapes);
                continue;
            }
            b'"' => {
                let end = memchr::memchr(b'"', &text[place + 1..]).map_or(text.len(), |at| place + at + 2);
                out.extend_from_slice(&text[place..end]);
                place = end;
                continue;
            }
            b'0'..=b'9' if !word => {
                out.push(b'?');
                place += number(&text[place..]);
                continue;
            }
            _ => out.push(byte),
        }
        place += 1;
    }
    place
}

/// `$1` is a word too: it names a parameter, it is no value.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The place after the quote that ends a string.
fn end_of_string(text: &[u8], from: usize, escapes: bool) -> usize {
    let mut place = from;
    while let Some(byte) = text.get(place) {
        match byte {
            b'\\' if escapes => place += 2,
            b'\'' if text.get(place + 1) == Some(&b'\'') => place += 2,
            b'\'' => return place + 1,
            _ => place += 1,
        }
    }
    text.len()
}

/// Bytes of a number: `1`, `1.5`, `1e+06`.
fn number(text: &[u8]) -> usize {
    let mut end = 0;
    while let Some(byte) = text.get(end) {
        let sign = matches!(byte, b'+' | b'-') && end > 0 && matches!(text[end - 1], b'e' | b'E');
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || sign {
            end += 1;
        } else {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_question_marks() {
        for (text, expected) in [
            ("(x = 'a'::text)", "(x = ?::text)"),
            ("(t1.c2 > 1.5e+06)", "(t1.c2 > ?)"),
            ("(\"1 'x'\" = 'it''s')", "(\"1 'x'\" = ?)"),
            ("(x ~ E'a\\'b')", "(x ~ ?)"),
            ("(x = $1) AND (y = ANY ('{1,2}'::integer[]))", "(x = $1) AND (y = ANY (?::integer[]))"),
            ("f_2('a', -3)", "f_2(?, -?)"),
            ("'never ends", "?"),
            ("größe2 = 3", "größe2 = ?"),
        ] {
            let mut out = Vec::new();
            whole(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        let mut out = Vec::new();
        assert_eq!(line(b"a = 'x\ny' and b\nnext", &mut out), 15);
        assert_eq!(out, b"a = ? and b");
    }
}
