//! Query comments in sqlcommenter's form, and the W3C trace ids that they carry.
//!
//! Serves [`crate::scope`]. Pure text.

/// `sql` with the pairs as a trailing comment: keys sorted, keys and values percent-encoded, values in single
/// quotes; an empty list leaves `sql` as it is.
pub fn append(sql: &str, pairs: &[(&str, &str)]) -> String {
    if pairs.is_empty() {
        return sql.to_string();
    }
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    let text: Vec<String> = sorted.iter().map(|(k, v)| format!("{}='{}'", encode(k), encode(v))).collect();
    format!("{sql} /*{}*/", text.join(","))
}

/// Percent-encoding that leaves only unreserved characters; so a value can neither close the comment nor end
/// its quotes.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A trace and the span of one request in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
}

impl Trace {
    /// Continues the caller's trace when its `traceparent` header is well formed, else begins one.
    pub fn begin(header: Option<&str>) -> Trace {
        let span_id = crate::secret::random_hex(8);
        let trace_id = header.and_then(parse).unwrap_or_else(|| crate::secret::random_hex(16));
        Trace { trace_id, span_id }
    }

    /// The header value: version, trace, span, sampled.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }
}

fn parse(header: &str) -> Option<String> {
    let parts: Vec<&str> = header.split('-').collect();
    let [version, trace, span, _flags] = parts.as_slice() else { return None };
    let hex = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let good = hex(version, 2) && hex(trace, 32) && hex(span, 16) && trace.bytes().any(|b| b != b'0');
    good.then(|| trace.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form() {
        assert_eq!(append("SELECT 1", &[]), "SELECT 1");
        assert_eq!(
            append("SELECT 1", &[("route", "/survey/{slug}/"), ("controller", "survey_login")]),
            "SELECT 1 /*controller='survey_login',route='%2Fsurvey%2F%7Bslug%7D%2F'*/"
        );
        assert_eq!(append("SELECT 1", &[("a", "*/' %")]), "SELECT 1 /*a='%2A%2F%27%20%25'*/");
    }

    #[test]
    fn traces_go_on_or_begin() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = Trace::begin(Some(given));
        assert_eq!(trace.trace_id, "0af7651916cd43dd8448eb211c80319c");
        assert_ne!(trace.span_id, "b7ad6b7169203331");
        for bad in ["", "00-zz-11-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
            assert_eq!(Trace::begin(Some(bad)).trace_id.len(), 32);
        }
    }
}
