//! From what passed between a browser and the application to a journey.
//!
//! Serves the recorder. Pure: exchanges in, journey out. It keeps exchanges as they were until the journey is asked
//! for, because what turns out to be a token or a session later must not be in it either.

use crate::journey::{self, Body, CODE, COOKIE, CSRF, Journey, Step};
use crate::page;
use std::collections::BTreeMap;

/// A cookie or token shorter than this is not looked for in other texts: `y` is in too many.
const SECRET_BYTES: usize = 8;

/// One request and its answer.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The request's headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The request's content.
    pub body: Vec<u8>,
    /// The status of the answer.
    pub status: u16,
    /// The answer's headers, names in small letters.
    pub answer_headers: Vec<(String, String)>,
    /// The answer's content.
    pub answer: String,
    /// When the request came, in milliseconds from any fixed time.
    pub came_ms: u64,
    /// When the answer left.
    pub left_ms: u64,
}

impl Exchange {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    fn answer_header(&self, name: &str) -> Option<&str> {
        self.answer_headers.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

/// What the scribe looks for.
#[derive(Clone, Debug)]
pub struct Habits {
    /// The application's address, which the journey names as its default.
    pub host: String,
    /// The form field with the login code.
    pub code_field: String,
}

/// Somebody who writes down what passes.
#[derive(Debug)]
pub struct Scribe {
    habits: Habits,
    /// By the order in which requests came.
    exchanges: BTreeMap<u64, Exchange>,
    /// Style sheets, scripts, pictures.
    files: u64,
    /// Requests whose content cannot be written down.
    unwritable: u64,
}

impl Scribe {
    /// Nothing has passed yet.
    pub fn new(habits: Habits) -> Scribe {
        Scribe { habits, exchanges: BTreeMap::new(), files: 0, unwritable: 0 }
    }

    /// The `number`th request was answered; whether it belongs to the journey.
    pub fn note(&mut self, number: u64, exchange: Exchange) -> bool {
        if is_file(&exchange) {
            self.files += 1;
            return false;
        }
        if !exchange.body.is_empty() && content(&exchange).is_none() {
            self.unwritable += 1;
            return false;
        }
        self.exchanges.insert(number, exchange);
        true
    }

    /// Style sheets, scripts and pictures that were left out.
    pub fn files(&self) -> u64 {
        self.files
    }

    /// Requests that were left out because their content is neither a form nor text.
    pub fn unwritable(&self) -> u64 {
        self.unwritable
    }

    /// What was written down so far.
    pub fn journey(&self) -> Journey {
        let secrets = self.secrets();
        let mut before: Option<u64> = None;
        let mut requests = Vec::new();
        for exchange in self.exchanges.values() {
            let think_ms = before.map_or(0, |left| exchange.came_ms.saturating_sub(left));
            before = before.max(Some(exchange.left_ms));
            requests.push(self.step(exchange, think_ms, &secrets));
        }
        Journey { schema: journey::SCHEMA.to_string(), host: self.habits.host.clone(), requests }
    }

    fn step(&self, exchange: &Exchange, think_ms: u64, secrets: &[Secret]) -> Step {
        let hide = |text: &str| hide(text, secrets);
        let header = |(name, value): &(String, String)| match page::is_token_header(name) {
            true => (name.clone(), journey::hole(CSRF)),
            false => (name.clone(), hide(value)),
        };
        let headers = exchange.headers.iter().filter(|(name, _)| matters(name)).map(header).collect();
        let (mut fields, mut body) = (None, None);
        match content(exchange) {
            Some(Content::Form(pairs)) => {
                let field =
                    |(name, value): &(String, String)| (name.clone(), self.field(name, value, secrets));
                fields = Some(pairs.iter().map(field).collect());
            }
            Some(Content::Text(content_type, text)) => {
                body = Some(Body { content_type, text: hide(&text) });
            }
            None => {}
        }
        Step {
            method: exchange.method.clone(),
            path: hide(&exchange.path),
            status: exchange.status,
            location: exchange.answer_header("location").map(hide),
            think_ms,
            headers,
            fields,
            body,
        }
    }

    fn field(&self, name: &str, value: &str, secrets: &[Secret]) -> String {
        if page::is_token_field(name) {
            return journey::hole(CSRF);
        }
        if name == self.habits.code_field {
            return journey::hole(CODE);
        }
        if name.to_ascii_lowercase().contains("password") {
            return journey::hole("password");
        }
        hide(value, secrets)
    }

    /// Every token, session and code that was seen anywhere, the longest first.
    fn secrets(&self) -> Vec<Secret> {
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        let mut keep = |value: &str, fill: String| {
            if value.len() >= SECRET_BYTES {
                found.entry(value.to_string()).or_insert(fill);
            }
        };
        for exchange in self.exchanges.values() {
            // Tokens first: where token and cookie are the same, the token is what it is.
            for value in page::tokens(&exchange.answer) {
                keep(&value, journey::hole(CSRF));
            }
            for (name, value) in &exchange.headers {
                if page::is_token_header(name) {
                    keep(value, journey::hole(CSRF));
                }
            }
            if let Some(Content::Form(pairs)) = content(exchange) {
                for (name, value) in pairs {
                    match name.as_str() {
                        name if page::is_token_field(name) => keep(&value, journey::hole(CSRF)),
                        name if name == self.habits.code_field => keep(&value, journey::hole(CODE)),
                        _ => {}
                    }
                }
            }
        }
        for exchange in self.exchanges.values() {
            let sent = exchange.header("cookie").unwrap_or_default().split(';');
            let set = exchange.answer_headers.iter().filter(|(name, _)| name == "set-cookie");
            let set = set.map(|(_, cookie)| cookie.split(';').next().unwrap_or_default());
            for (name, value) in sent.chain(set).filter_map(|pair| pair.trim().split_once('=')) {
                let fill = match page::is_token_cookie(name) {
                    true => journey::hole(CSRF),
                    false => journey::hole(&format!("{COOKIE}{name}")),
                };
                keep(value, fill);
            }
        }
        let mut secrets: Vec<Secret> =
            found.into_iter().map(|(value, fill)| Secret { value, fill }).collect();
        secrets.sort_by_key(|s| std::cmp::Reverse(s.value.len()));
        secrets
    }
}

struct Secret {
    value: String,
    fill: String,
}

enum Content {
    Form(Vec<(String, String)>),
    Text(String, String),
}

/// A text with placeholders instead of what nobody may read.
fn hide(text: &str, secrets: &[Secret]) -> String {
    let first = secrets.iter().filter_map(|s| text.find(&s.value).map(|at| (at, s)));
    // Of those that begin at the same place, the longest.
    match first.min_by_key(|(at, s)| (*at, std::cmp::Reverse(s.value.len()))) {
        None => journey::literal(text),
        Some((at, secret)) => {
            let rest = hide(&text[at + secret.value.len()..], secrets);
            format!("{}{}{rest}", journey::literal(&text[..at]), secret.fill)
        }
    }
}

/// Whether an answer is a file that every page brings along; a load on the application has no use for it.
fn is_file(exchange: &Exchange) -> bool {
    let kind = exchange.answer_header("content-type").unwrap_or_default();
    let kinds =
        ["text/css", "text/javascript", "application/javascript", "image/", "font/", "audio/", "video/"];
    exchange.method == "GET" && kinds.iter().any(|k| kind.starts_with(k))
}

/// Whether a header says something to the application that a replay would not say by itself.
fn matters(name: &str) -> bool {
    let by_proxies = ["x-forwarded-", "x-real-", "x-request-id"];
    name.starts_with("x-") && !by_proxies.iter().any(|p| name.starts_with(p))
}

/// The request's content, when it can be written down.
fn content(exchange: &Exchange) -> Option<Content> {
    let kind = exchange.header("content-type").unwrap_or_default();
    let plain = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if plain == "application/x-www-form-urlencoded" {
        return Some(Content::Form(form_urlencoded::parse(&exchange.body).into_owned().collect()));
    }
    let is_text = plain == "application/json" || plain.starts_with("text/");
    let text = String::from_utf8(exchange.body.clone()).ok()?;
    (is_text && !text.is_empty()).then(|| Content::Text(kind.to_string(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "7c1f7c1f7c1f7c1f";
    const SESSION: &str = "5e5510n5e5510n";
    const CODE_TYPED: &str = "ABCD-EFGH-JKLM";

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    fn scribe() -> Scribe {
        let mut scribe = Scribe::new(Habits { host: "http://127.0.0.1:1".into(), code_field: "code".into() });
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let html = ("content-type", "text/html");
        // The answers come in another order than the requests.
        let post = Exchange {
            method: "POST".into(),
            path: "/survey/run/".into(),
            headers: pairs(&[form, ("cookie", "a=b"), ("user-agent", "x"), ("x-forwarded-for", "1.2.3.4")]),
            body: format!("csrf={TOKEN}&code={CODE_TYPED}&note=5%24+{SESSION}&Password=hunter2hunter2")
                .into(),
            status: 303,
            answer_headers: pairs(&[
                ("location", "/survey/run/take"),
                ("set-cookie", &format!("sessionid={SESSION}; Path=/")),
                ("set-cookie", "pin=y; Max-Age=5"),
            ]),
            came_ms: 5_000,
            left_ms: 5_010,
            ..Exchange::default()
        };
        assert!(scribe.note(1, post));
        let get = Exchange {
            method: "GET".into(),
            path: "/survey/run/".into(),
            status: 200,
            answer_headers: pairs(&[html]),
            answer: format!("<input name=csrf value={TOKEN}>"),
            came_ms: 1_000,
            left_ms: 1_020,
            ..Exchange::default()
        };
        assert!(scribe.note(0, get));
        let ajax = Exchange {
            method: "POST".into(),
            path: format!("/x?t={TOKEN}&s={SESSION}"),
            headers: pairs(&[("content-type", "application/json"), ("x-csrftoken", TOKEN)]),
            body: format!("{{\"token\":\"{TOKEN}\"}}").into(),
            status: 200,
            came_ms: 5_000,
            left_ms: 5_500,
            ..Exchange::default()
        };
        assert!(scribe.note(2, ajax));
        scribe
    }

    #[test]
    fn what_matters_is_written_and_nothing_secret() {
        let mut scribe = scribe();
        let css = Exchange {
            method: "GET".into(),
            answer_headers: pairs(&[("content-type", "text/css")]),
            ..Exchange::default()
        };
        let upload = Exchange {
            method: "POST".into(),
            headers: pairs(&[("content-type", "multipart/form-data; boundary=x")]),
            body: b"--x".into(),
            ..Exchange::default()
        };
        assert!(!scribe.note(3, css) && !scribe.note(4, upload));
        assert_eq!((scribe.files(), scribe.unwritable()), (1, 1));
        let journey = scribe.journey();
        let [get, post, ajax] = &journey.requests[..] else { panic!("{journey:?}") };
        assert_eq!((get.method.as_str(), get.status, get.think_ms), ("GET", 200, 0));
        assert_eq!((post.think_ms, ajax.think_ms), (3_980, 0));
        assert_eq!(post.location.as_deref(), Some("/survey/run/take"));
        let expected = pairs(&[
            ("csrf", "${csrf}"),
            ("code", "${code}"),
            ("note", "5$$ ${cookie:sessionid}"),
            ("Password", "${password}"),
        ]);
        assert_eq!(post.fields.as_ref(), Some(&expected));
        assert_eq!(post.headers, []);
        assert_eq!(ajax.path, "/x?t=${csrf}&s=${cookie:sessionid}");
        assert_eq!(ajax.headers, pairs(&[("x-csrftoken", "${csrf}")]));
        assert_eq!(ajax.body.as_ref().unwrap().text, "{\"token\":\"${csrf}\"}");
        let text = journey.to_toml().unwrap();
        for secret in [TOKEN, SESSION, CODE_TYPED, "hunter2"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert_eq!(Journey::parse(&text).unwrap(), journey);
    }

    #[test]
    fn the_longest_secret_wins() {
        let secrets = [("abcdefgh", "<1>"), ("abcdefghij", "<2>")];
        let secrets: Vec<Secret> =
            secrets.iter().map(|(v, f)| Secret { value: v.to_string(), fill: f.to_string() }).collect();
        assert_eq!(hide("$abcdefghijabcdefgh", &secrets), "$$<2><1>");
    }
}
