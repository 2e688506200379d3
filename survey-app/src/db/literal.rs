//! Parameters written into the text of a statement, as a driver of the simple protocol does it.
//!
//! Serves [`super::pool`] when `db.protocol = simple`. Knows nothing but text.

use super::Param;

/// `sql` with every `$n` replaced by its literal. `sql` is one of our own statements: a `$` in it is always
/// a parameter, never part of a string.
pub fn interpolate(sql: &str, params: &[Param]) -> String {
    let mut out = String::with_capacity(sql.len() + params.len() * 16);
    let mut rest = sql;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let digits = rest[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let number: usize =
            rest[at + 1..at + 1 + digits].parse().expect("our own statements number their parameters");
        out.push_str(&literal(&params[number - 1]));
        rest = &rest[at + 1 + digits..];
    }
    out.push_str(rest);
    out
}

/// Parameters as a person reads them.
pub fn show(params: &[Param]) -> String {
    params.iter().map(literal).collect::<Vec<_>>().join(", ")
}

fn literal(param: &Param) -> String {
    match param {
        Param::Int(None) | Param::Text(None) => "NULL".to_string(),
        Param::Int(Some(v)) => v.to_string(),
        Param::Text(Some(v)) => quote(v),
        Param::Bool(v) => if *v { "true" } else { "false" }.to_string(),
        Param::Ints(v) => {
            let items: Vec<String> = v.iter().map(i64::to_string).collect();
            format!("ARRAY[{}]::bigint[]", items.join(","))
        }
        Param::Texts(v) => {
            let items: Vec<String> = v.iter().map(|t| quote(t)).collect();
            format!("ARRAY[{}]::text[]", items.join(","))
        }
    }
}

/// A string literal that is right whatever `standard_conforming_strings` says. A NUL cannot be part of a text
/// value; the typed protocol would refuse it, here it would end the message.
fn quote(text: &str) -> String {
    let escape = text.contains('\\');
    let mut out = String::with_capacity(text.len() + 2);
    out.push_str(if escape { " E'" } else { "'" });
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\0' => {}
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, params: &[Param], expected: &str) {
        assert_eq!(interpolate(sql, params), expected);
    }

    #[test]
    fn literals() {
        check("SELECT $1, $2", &[7.into(), "a'b".into()], "SELECT 7, 'a''b'");
        check("SELECT $1", &["c:\\x".into()], "SELECT  E'c:\\\\x'");
        check("SELECT $1", &["'; DROP TABLE t; --".into()], "SELECT '''; DROP TABLE t; --'");
        check("SELECT $1", &["a\0b".into()], "SELECT 'ab'");
        check("SELECT $1", &[Param::Int(None)], "SELECT NULL");
        check(
            "SELECT $2, $1",
            &[vec![1, 2].into(), vec!["x,y".to_string()].into()],
            "SELECT ARRAY['x,y']::text[], ARRAY[1,2]::bigint[]",
        );
        // A value that looks like a parameter is not looked at again.
        check("SELECT $1, $2", &["$2".into(), 1.into()], "SELECT '$2', 1");
    }
}
