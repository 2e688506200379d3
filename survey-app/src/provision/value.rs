//! Whether two texts are the same value of a PostgreSQL setting: `128MB` is 16384 pages of 8kB.
//!
//! Serves [`super::settings`]. The unit, the type and the words of a setting come from pg_settings; the rules are
//! those of the server's own parser (guc.c): units are case-sensitive, booleans may be shortened, whole numbers
//! are rounded.

/// What pg_settings says of a setting's type.
#[derive(Clone, Debug, Default)]
pub(super) struct Type {
    /// `bool`, `integer`, `real`, `enum` or `string`.
    pub(super) vartype: String,
    /// As `8kB` or `ms`; empty without one.
    pub(super) unit: String,
}

/// Whether `declared` (as a file would say it) and `actual` (as pg_settings does) are the same value.
pub(super) fn same(declared: &str, actual: &str, of: &Type) -> bool {
    if declared == actual {
        return true;
    }
    match of.vartype.as_str() {
        "bool" => boolean(declared).is_some_and(|d| boolean(actual) == Some(d)),
        // Words that stand for on and off are allowed where a setting has more than these two.
        "enum" => {
            declared.eq_ignore_ascii_case(actual)
                || boolean(declared).is_some_and(|d| boolean(actual) == Some(d))
        }
        "integer" => match (number(declared, &of.unit), number(actual, &of.unit)) {
            (Some(a), Some(b)) => a.round_ties_even() == b.round_ties_even(),
            _ => false,
        },
        "real" => match (number(declared, &of.unit), number(actual, &of.unit)) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * a.abs().max(b.abs()),
            _ => false,
        },
        _ => false,
    }
}

/// A boolean, in full or as short as it is clear.
fn boolean(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    match text.as_str() {
        "" | "o" => None,
        "1" | "on" => Some(true),
        "0" | "off" | "of" => Some(false),
        t if "true".starts_with(t) || "yes".starts_with(t) => Some(true),
        t if "false".starts_with(t) || "no".starts_with(t) => Some(false),
        _ => None,
    }
}

/// A number in the setting's own unit.
fn number(text: &str, base: &str) -> Option<f64> {
    let text = text.trim();
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(|n| n as f64);
    }
    if text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()) {
        return i64::from_str_radix(text, 8).ok().map(|n| n as f64);
    }
    let end = text.find(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: f64 = digits.trim().parse().ok()?;
    match unit.trim() {
        "" => Some(number),
        unit => {
            let (from, to) = (size(unit)?, size(base)?);
            (from.0 == to.0).then(|| number * from.1 / to.1)
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bytes,
    Time,
}

/// What a unit is, in bytes or microseconds; `8kB` has a number before it.
fn size(unit: &str) -> Option<(Kind, f64)> {
    let end = unit.find(|c: char| !c.is_ascii_digit()).unwrap_or(unit.len());
    let (times, unit) = unit.split_at(end);
    let times: f64 = if times.is_empty() { 1.0 } else { times.parse().ok()? };
    let (kind, one) = match unit {
        "B" => (Kind::Bytes, 1.0),
        "kB" => (Kind::Bytes, 1024.0),
        "MB" => (Kind::Bytes, 1024f64.powi(2)),
        "GB" => (Kind::Bytes, 1024f64.powi(3)),
        "TB" => (Kind::Bytes, 1024f64.powi(4)),
        "us" => (Kind::Time, 1.0),
        "ms" => (Kind::Time, 1e3),
        "s" => (Kind::Time, 1e6),
        "min" => (Kind::Time, 6e7),
        "h" => (Kind::Time, 3.6e9),
        "d" => (Kind::Time, 8.64e10),
        _ => return None,
    };
    Some((kind, times * one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_server_reads_them() {
        for (vartype, unit, declared, actual, expected) in [
            ("integer", "8kB", "128MB", "16384", true),
            ("integer", "8kB", "16384", "16384", true),
            ("integer", "8kB", "128MB", "16385", false),
            ("integer", "8kB", "0.125GB", "16384", true),
            ("integer", "8kB", "128 MB", "16384", true),
            ("integer", "8kB", "128mb", "16384", false),
            ("integer", "kB", "4MB", "4096", true),
            ("integer", "MB", "1GB", "1024", true),
            ("integer", "ms", "30s", "30000", true),
            ("integer", "s", "5min", "300", true),
            ("integer", "ms", "30MB", "30000", false),
            ("integer", "", "4000", "4000", true),
            ("integer", "", "4000", "0", false),
            ("integer", "", "0777", "0777", true),
            ("real", "ms", "0.5", "0.5", true),
            ("real", "", "1.10", "1.1", true),
            ("real", "", "1e-2", "0.01", true),
            ("bool", "", "true", "on", true),
            ("bool", "", "0", "off", true),
            ("bool", "", "yes", "off", false),
            ("enum", "", "REPLICA", "replica", true),
            ("enum", "", "true", "on", true),
            ("enum", "", "local", "on", false),
            ("string", "", "UTC", "UTC", true),
            ("string", "", "utc", "UTC", false),
        ] {
            let of = Type { vartype: vartype.into(), unit: unit.into() };
            assert_eq!(same(declared, actual, &of), expected, "{declared} and {actual} ({vartype}, {unit})");
        }
    }
}
