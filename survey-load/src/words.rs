//! Numbers as people read them.
//!
//! Serves the summary and the page.

/// `1,896`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `870 µs`, `1.2 ms`, `35 ms`, `2.40 s`
pub(crate) fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

/// Thousandths as `274.9`.
pub(crate) fn milli(thousandths: u64) -> String {
    format!("{}.{}", count(thousandths / 1000), thousandths % 1000 / 100)
}

/// `12.3 %`; what is not nothing is never shown as nothing.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    match tenths {
        0 if part > 0 => "< 0.1 %".to_string(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let counts: Vec<String> = [0, 999, 1_000, 1_234_567].into_iter().map(count).collect();
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        let times: Vec<String> = [0, 999, 1_290, 35_999, 2_405_000].into_iter().map(time).collect();
        assert_eq!(times, ["0 µs", "999 µs", "1.2 ms", "35 ms", "2.40 s"]);
        assert_eq!(milli(1_249_950), "1,249.9");
        assert_eq!([share(0, 5), share(1, 5000), share(1, 8)], ["0.0 %", "< 0.1 %", "12.5 %"]);
    }
}
