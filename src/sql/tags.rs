//! What a statement says about itself: the tags that frameworks write into comments.
//!
//! Reads sqlcommenter in its dialects, marginalia and Rails, Datadog, Hasura and PostHog. Serves grouping by route and units of work by request. It knows comments only as the lexer finds them, so
//! nothing inside a literal is ever a tag.

use std::collections::BTreeMap;

use super::lexer::{Lexer, TokenKind};

/// More pairs than this in one statement are noise.
const MOST_PAIRS: usize = 32;
const LONGEST_KEY: usize = 64;
const LONGEST_VALUE: usize = 256;

/// Keys that say on whose behalf it asked, the most telling first. They never group: each request has its own.
const UNIT_KEYS: &[&str] =
    &["trace_id", "request_id", "correlation_id", "jid", "job_id", "session_id", "txid", "pid"];

/// The tags of one statement.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tags {
    pairs: BTreeMap<String, String>,
}

impl Tags {
    /// Is there nothing to say?
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.get(key).map(String::as_str)
    }

    /// All pairs, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The pair that says for which request or job, by the order of preference: trace, request, job.
    /// `own` is a key that somebody says means a request, too: it comes after the trace.
    pub fn unit<'k>(&self, own: Option<&'k str>) -> Option<(&'k str, &str)> {
        let [trace, requests @ ..] = &UNIT_KEYS[..5] else { return None };
        let keys = std::iter::once(*trace).chain(own).chain(requests.iter().copied());
        keys.into_iter().find_map(|key| self.get(key).map(|value| (key, value)))
    }

    /// May statements be grouped by this key without being asked? Not by one that differs for each request.
    pub fn is_unit_key(key: &str) -> bool {
        UNIT_KEYS.contains(&key) || key == "traceparent" || key == "tracestate"
    }

    /// The name under which the statement is listed: route, `controller#action`, job, operation or application; what
    /// the tag `by` says, if there is to be one.
    pub fn label(&self, by: Option<&str>) -> Option<String> {
        let set = |key: &str| self.get(key).filter(|value| !value.is_empty());
        if let Some(key) = by {
            return set(key).map(str::to_owned);
        }
        let first = |keys: &[&str]| keys.iter().find_map(|key| set(key)).map(str::to_owned);
        if let Some(route) = first(&["route"]) {
            return Some(route);
        }
        let controller = first(&["namespaced_controller", "controller"]);
        match (controller, set("action")) {
            (Some(controller), Some(action)) => return Some(format!("{controller}#{action}")),
            (Some(controller), None) => return Some(controller),
            (None, _) => {}
        }
        first(&[
            "endpoint_id",
            "job",
            "job_class",
            "sidekiq_job",
            "operation_name",
            "application",
            "app_name",
            "ddps",
        ])
    }

    /// The findings that the statement asks not to be reported for: `pglens_ignore='n_plus_one'`.
    pub fn ignored(&self) -> impl Iterator<Item = &str> {
        let list = self.get("pglens_ignore").unwrap_or_default();
        list.split([',', ' ']).filter(|name| !name.is_empty())
    }

    fn insert(&mut self, key: String, mut value: String) {
        // `/orders?token=…`: what follows the path are values, and another for each request.
        if (key == "route" || value.starts_with('/') || value.contains("://"))
            && let Some(end) = value.find('?')
        {
            value.truncate(end);
        }
        if self.pairs.len() < MOST_PAIRS || self.pairs.contains_key(&key) {
            self.pairs.insert(key, value);
        }
    }
}

/// The tags in a statement's comments. On a shared key, the later comment wins.
pub fn tags(sql: &[u8]) -> Tags {
    let mut tags = Tags::default();
    for token in Lexer::new(sql) {
        if token.kind != TokenKind::Comment {
            continue;
        }
        let text = String::from_utf8_lossy(token.text(sql));
        let block = || text.strip_prefix("/*").and_then(|text| text.strip_suffix("*/"));
        let Some(body) = text.strip_prefix("--").or_else(block) else { continue };
        // pg_hint_plan's hints are no tags, and a comment without its end is not to be trusted.
        if body.starts_with('+') || token.unterminated {
            continue;
        }
        for (key, value) in pairs(body.trim()).unwrap_or_default() {
            tags.insert(key, value);
        }
    }
    if let Some(trace) = tags.get("traceparent").and_then(trace_id) {
        tags.insert("trace_id".to_owned(), trace);
    }
    tags
}

/// The trace id of a valid W3C traceparent.
fn trace_id(traceparent: &str) -> Option<String> {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let [version, trace, span, flags] = parts.as_slice() else { return None };
    let hex = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_hexdigit());
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    let valid =
        *version == "00" && hex(trace, 32) && hex(span, 16) && hex(flags, 2) && !zero(trace) && !zero(span);
    valid.then(|| trace.to_ascii_lowercase())
}

/// The pairs of a comment; `None` when any part of it is no pair, for then it is prose.
fn pairs(body: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = body;
    let breaks = if body.match_indices(',').any(|(at, _)| key_follows(&body[at + 1..])) {
        Breaks::Commas
    } else {
        Breaks::Blanks
    };
    while !rest.is_empty() {
        let (pair, after) = pair(rest, breaks, found.is_empty())?;
        found.push(pair);
        rest = after.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
    }
    (!found.is_empty()).then_some(found)
}

/// What may end a value without quotes.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Breaks {
    /// A comma that a key follows: the comment has some, and its values hold anything else (marginalia).
    Commas,
    /// White space that a key follows.
    Blanks,
}

/// `key='value'`, `key=value` or `key:value`, and what follows it.
fn pair(text: &str, breaks: Breaks, first: bool) -> Option<((String, String), &str)> {
    let key_len = key_len(text)?;
    let key = capped(&percent_decoded(&text[..key_len], false), LONGEST_KEY);
    let separator = text.as_bytes()[key_len];
    let rest = &text[key_len + 1..];
    if separator == b':' {
        // A sentence (`TODO: later`) and an address (`http://…`) are no pairs.
        if rest.is_empty() && first || rest.starts_with(|c: char| c.is_whitespace()) || rest.starts_with("//")
        {
            return None;
        }
        let (value, rest) = rest.split_at(bare_end(rest, breaks));
        return Some(((key, capped(value.trim(), LONGEST_VALUE)), rest));
    }
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        let (value, rest) = rest.split_at(bare_end(rest, breaks));
        return Some(((key, capped(&percent_decoded(value.trim(), false), LONGEST_VALUE)), rest));
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped || (c != '\\' && c != quote) {
            value.push(c);
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else {
            return Some(((key, capped(&percent_decoded(&value, true), LONGEST_VALUE)), &rest[at + 1..]));
        }
    }
    None
}

/// The length of a key that a separator follows.
fn key_len(text: &str) -> Option<usize> {
    let in_key = |b: &u8| b.is_ascii_alphanumeric() || b"_.-%".contains(b);
    let len = text.bytes().take_while(in_key).count();
    let starts = text.as_bytes().first().is_some_and(|b| b.is_ascii_alphabetic() || b"_%".contains(b));
    (starts && matches!(text.as_bytes().get(len), Some(b'=' | b':'))).then_some(len)
}

/// Does a key follow, white space before it aside? `Admin::User` begins with none.
fn key_follows(text: &str) -> bool {
    let next = text.trim_start();
    // A key is short.
    let window = next.char_indices().nth(LONGEST_KEY + 2).map_or(next, |(end, _)| &next[..end]);
    key_len(window).is_some_and(|len| !window[len..].starts_with("::"))
}

/// Where a value without quotes ends: at a break that another key follows, or at breaks that end the comment.
fn bare_end(text: &str, breaks: Breaks) -> usize {
    let is_break = |c: char| c == ',' || breaks == Breaks::Blanks && c.is_whitespace();
    let mut at = 0;
    // Another key is looked for once for each break.
    while let Some(found) = text[at..].find(is_break) {
        let here = at + found;
        let next = text[here..].trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        if next.is_empty() || key_follows(next) {
            return here;
        }
        at = text.len() - next.len();
    }
    text.len()
}

/// Percent-decoding as the encoders need it: drivers double the percent sign, and inside quotes some write a
/// space as `+`.
fn percent_decoded(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'+' && plus_is_space {
            out.push(b' ');
            at += 1;
            continue;
        }
        if bytes[at] == b'%' {
            let signs = bytes[at..].iter().take_while(|b| **b == b'%').count();
            let code = bytes.get(at + signs..at + signs + 2).and_then(hex_byte);
            match code {
                Some(byte) => {
                    out.push(byte);
                    at += signs + 2;
                }
                None => {
                    out.extend_from_slice(&bytes[at..at + signs]);
                    at += signs;
                }
            }
            continue;
        }
        out.push(bytes[at]);
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let (high, low) = (digit(digits[0])?, digit(digits[1])?);
    u8::try_from(high * 16 + low).ok()
}

/// The text, or as much of it as may be kept.
fn capped(text: &str, len: usize) -> String {
    let mut cut = len.min(text.len());
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    text[..cut].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: &[(&str, &str)]) {
        let tags = tags(sql.as_bytes());
        let found: Vec<_> = tags.iter().collect();
        assert_eq!(found, expected, "{sql}");
    }

    #[test]
    fn sqlcommenter() {
        check(
            "SELECT 1 /*action='%2Fa',controller='index',traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/",
            &[
                ("action", "/a"),
                ("controller", "index"),
                ("trace_id", "5bd66ef5095369c7b0d1f8f4bd33716a"),
                ("traceparent", "00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01"),
            ],
        );
        check(r"SELECT 1 /*name='it\'s',key%20x='a+b%2B'*/", &[("key x", "a b+"), ("name", "it's")]);
        check("SELECT 1 /*controller='index,',x='1'*/", &[("controller", "index,"), ("x", "1")]);
    }

    #[test]
    fn python_doubles_percent_signs_and_leaves_numbers_bare() {
        check(
            "SELECT 1 /*db_driver='psycopg2%%3A2.9',dbapi_threadsafety=2,libpq_version=140001,route='%%%%2Fpolls'*/;",
            &[
                ("db_driver", "psycopg2:2.9"),
                ("dbapi_threadsafety", "2"),
                ("libpq_version", "140001"),
                ("route", "/polls"),
            ],
        );
    }

    #[test]
    fn laravel_and_go_write_plus() {
        check(
            "select 1 /*action='a+b',framework='laravel-9.7%%2E0'*/",
            &[("action", "a b"), ("framework", "laravel-9.7.0")],
        );
    }

    #[test]
    fn rails_both_formats_and_prepended() {
        check(
            "/*application='Shop',controller='users'*/ SELECT 1",
            &[("application", "Shop"), ("controller", "users")],
        );
        check(
            "SELECT 1 /*application:Shop,controller:users,action:show*/",
            &[("action", "show"), ("application", "Shop"), ("controller", "users")],
        );
    }

    #[test]
    fn marginalia_values_hold_anything() {
        check(
            "SELECT 1 /*application:BCX,controller:x,action:show,line:/app/x.rb:60:in `foo'*/ /*inline*/",
            &[
                ("action", "show"),
                ("application", "BCX"),
                ("controller", "x"),
                ("line", "/app/x.rb:60:in `foo'"),
            ],
        );
        check(
            "SELECT 1 /*application:web,correlation_id:01ABC,endpoint_id:GET /api/:id,jid:9f*/",
            &[
                ("application", "web"),
                ("correlation_id", "01ABC"),
                ("endpoint_id", "GET /api/:id"),
                ("jid", "9f"),
            ],
        );
    }

    #[test]
    fn datadog_ahead_of_the_verb() {
        check(
            "/*dddbs='db',dde='prod',ddps='svc',ddpv='1'*/ SELECT 1",
            &[("dddbs", "db"), ("dde", "prod"), ("ddps", "svc"), ("ddpv", "1")],
        );
    }

    #[test]
    fn hasura_and_posthog() {
        check(
            "SELECT 1 /* request_id=0a-1b, operation_name=GetUsers */",
            &[("operation_name", "GetUsers"), ("request_id", "0a-1b")],
        );
        check("/* team_id:42 query_type:x */ SELECT 1", &[("query_type", "x"), ("team_id", "42")]);
        check(
            "/* nodejs:PERSONS_WRITE:Tx<op:caller> */ SELECT 1",
            &[("nodejs", "PERSONS_WRITE:Tx<op:caller>")],
        );
    }

    #[test]
    fn a_value_between_commas_holds_anything() {
        let label = |sql: &str| tags(sql.as_bytes()).label(None);
        let users = Some("users#show".to_owned());
        assert_eq!(label("SELECT 1 /*application:My Shop: EU,controller:users,action:show*/"), users);
        assert_eq!(label("SELECT 1 /*controller:users,action:show,comment:see http://x*/"), users);
        assert_eq!(label("SELECT 1 /*controller:users,action:show,line:/app/a.rb:1:in 'x y: z'*/"), users);
        assert_eq!(label("SELECT 1 /*controller:users,action:show,db_host:*/"), users);
        let line = "/app/models/user.rb:12:in 'block in Admin::User#find'";
        for comment in [format!("controller:users,line:{line}"), format!("line:{line}")] {
            let found = tags(format!("SELECT 1 /*{comment}*/").as_bytes());
            assert_eq!(found.get("line"), Some(line), "{comment}");
        }
        assert!(tags(b"SELECT 1 /* later: */").is_empty());
        assert!(tags(b"SELECT 1 /*later:*/").is_empty());
    }

    #[test]
    fn prose_hints_and_literals_are_no_tags() {
        for sql in [
            "SELECT 1 /*NO LOAD BALANCE*/",
            "-- Orders of the week, as EF Core notes them\n\nSELECT 1",
            "/*+ IndexScan(t) */ SELECT 1",
            "SELECT 1 /* TODO: later */",
            "SELECT 1 /* see http://example.org/x */",
            "SELECT 1 /* http://example.org/x */",
            "SELECT '/*route=''x''*/', $$/*a='b'*/$$, \"/*c='d'*/\"",
            "SELECT 1, $2 /*, ... */",
            "SELECT 1 /*route='x'",
            "SELECT 1 /*route='x*/",
            "SELECT 1 /*a='b', and more*/",
            "SELECT 1 /**/",
        ] {
            check(sql, &[]);
        }
    }

    #[test]
    fn the_later_comment_wins() {
        check("/*route='a',x='1'*/ SELECT 1 /*route='b'*/", &[("route", "b"), ("x", "1")]);
        // The query of an address holds values.
        check(
            "SELECT 1 /*route='%2Fa%3Ftoken%3Ds',url='http://h/a?b=c'*/",
            &[("route", "/a"), ("url", "http://h/a")],
        );
    }

    #[test]
    fn traces_are_checked() {
        for bad in ["00-00000000000000000000000000000000-c532cb4098ac3dd2-01", "00-5bd6-c5-01", "x"] {
            assert_eq!(
                tags(format!("/*traceparent='{bad}'*/ SELECT 1").as_bytes()).unit(None),
                None,
                "{bad}"
            );
        }
    }

    #[test]
    fn labels_in_their_order() {
        let label = |comment: &str| tags(format!("SELECT 1 /*{comment}*/").as_bytes()).label(None);
        assert_eq!(label("route='%2Forders',controller='c'").as_deref(), Some("/orders"));
        assert_eq!(
            label("controller='orders',action='show',application='a'").as_deref(),
            Some("orders#show")
        );
        assert_eq!(label("job='Mailer',application='a'").as_deref(), Some("Mailer"));
        assert_eq!(label("operation_name=GetUsers").as_deref(), Some("GetUsers"));
        assert_eq!(label("application:a").as_deref(), Some("a"));
        assert_eq!(label("route='',controller='c',action=''").as_deref(), Some("c"));
        assert_eq!(label("request_id='x'"), None);
    }

    #[test]
    fn labels_and_unit_keys_are_apart() {
        let found = tags(b"SELECT 1 /*route='r',request_id='q',other='o'*/");
        assert_eq!(found.label(None).as_deref(), Some("r"));
        assert_eq!(found.unit(None), Some(("request_id", "q")));
        assert_eq!(found.unit(Some("other")), Some(("other", "o")));
        assert_eq!(found.label(Some("other")).as_deref(), Some("o"));
        assert_eq!(found.label(Some("another")), None);
        assert!(Tags::is_unit_key("traceparent") && !Tags::is_unit_key("other"));
    }

    #[test]
    fn suppressions() {
        let found = tags(b"SELECT 1 /*pglens_ignore='n_plus_one,redundant_select'*/");
        assert_eq!(found.ignored().collect::<Vec<_>>(), ["n_plus_one", "redundant_select"]);
    }

    #[test]
    fn bounded() {
        let many: Vec<_> = (0..100).map(|n| format!("k{n}='{}'", "é".repeat(400))).collect();
        let found = tags(format!("SELECT 1 /*{}*/", many.join(",")).as_bytes());
        assert_eq!(found.iter().count(), MOST_PAIRS);
        assert!(found.iter().all(|(_, value)| value.len() <= LONGEST_VALUE));
    }
}
