//! A journey: what somebody did at the application, written down so that others can do it again.
//!
//! ```toml
//! schema = "survey-load.journey/1"
//! host = "http://127.0.0.1:8000"        # the default; `--host` goes elsewhere
//!
//! [[request]]
//! method = "POST"
//! path = "/survey/run/"
//! status = 303
//! location = "/survey/run/take"
//! think_ms = 4210
//! fields = [["csrf", "${csrf}"], ["code", "${code}"]]
//! ```
//!
//! Serves the recorder, which writes it, and the replay. A file for version control: no token, no session and no
//! login code is in it, but placeholders, which each replay fills with its own. `$$` stands for `$`.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of this form.
pub const SCHEMA: &str = "survey-load.journey/1";

/// The placeholder of the CSRF token of the page that one is on.
pub const CSRF: &str = "csrf";
/// The placeholder of a respondent's login code.
pub const CODE: &str = "code";
/// What placeholders of cookies begin with.
pub const COOKIE: &str = "cookie:";

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// [`SCHEMA`]
    pub schema: String,
    /// Where it was recorded.
    pub host: String,
    /// The requests in order.
    #[serde(rename = "request", default)]
    pub requests: Vec<Step>,
}

/// A request of a [`Journey`]. Texts may hold placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// Where a redirect led: path and query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// How long whoever was recorded looked at the page before.
    #[serde(default)]
    pub think_ms: u64,
    /// Headers that matter to the application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Fields of a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<(String, String)>>,
    /// Content that is no form, such as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

/// Content that is no form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Its type.
    pub content_type: String,
    /// Its text.
    pub text: String,
}

impl Step {
    /// Its texts with placeholders.
    pub fn templates(&self) -> impl Iterator<Item = &str> {
        let pairs = self.headers.iter().chain(self.fields.iter().flatten());
        let body = self.body.iter().map(|b| b.text.as_str());
        let texts = std::iter::once(self.path.as_str()).chain(self.location.as_deref());
        texts.chain(pairs.map(|(_, value)| value.as_str())).chain(body)
    }

    /// Whether it carries the CSRF token.
    pub fn has_token(&self) -> bool {
        self.templates().any(|text| holes(text).any(|hole| hole == CSRF))
    }
}

impl Journey {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Journey> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Journey::parse(&text).with_context(|| format!("{} is not a journey", path.display()))
    }

    /// A journey from its text.
    pub fn parse(text: &str) -> Result<Journey> {
        let journey: Journey = toml::from_str(text)?;
        if journey.schema != SCHEMA {
            bail!("its schema is `{}`, this program reads `{SCHEMA}`", journey.schema);
        }
        if journey.requests.is_empty() {
            bail!("it has no requests");
        }
        for (at, step) in journey.requests.iter().enumerate() {
            if !step.path.starts_with('/') || step.path.starts_with("//") {
                bail!("request {} goes to `{}`, which is not a path of the application", at + 1, step.path);
            }
        }
        Ok(journey)
    }

    /// The text of a journey.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("a journey is plain values")
    }

    /// Refuses a journey with placeholders that nobody fills.
    pub fn check(&self, values: &[(String, String)]) -> Result<()> {
        for (at, step) in self.requests.iter().enumerate() {
            for hole in step.templates().flat_map(holes) {
                let known = hole == CSRF
                    || hole == CODE
                    || hole.starts_with(COOKIE)
                    || values.iter().any(|(name, _)| name == hole);
                if !known {
                    bail!("request {} needs a value: --value {hole}=…", at + 1);
                }
            }
        }
        Ok(())
    }
}

/// The placeholders of a text.
pub fn holes(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|piece| match piece {
        Piece::Hole(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// A text with its placeholders filled.
pub fn fill(text: &str, mut value: impl FnMut(&str) -> String) -> String {
    let piece = |piece| match piece {
        Piece::Text(text) => text.to_string(),
        Piece::Hole(name) => value(name),
    };
    pieces(text).map(piece).collect()
}

/// A text as it is, when a text with placeholders is asked for.
pub fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// A placeholder.
pub fn hole(name: &str) -> String {
    format!("${{{name}}}")
}

enum Piece<'a> {
    Text(&'a str),
    Hole(&'a str),
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(at) = rest.find('$') else { return Some(Piece::Text(std::mem::take(&mut rest))) };
        if at > 0 {
            let (text, left) = rest.split_at(at);
            rest = left;
            return Some(Piece::Text(text));
        }
        if let Some((name, left)) = rest.strip_prefix("${").and_then(|r| r.split_once('}')) {
            rest = left;
            return Some(Piece::Hole(name));
        }
        // `$$` is one; a `$` before anything else is itself.
        let (text, left) = rest.split_at(1);
        rest = left.strip_prefix('$').unwrap_or(left);
        Some(Piece::Text(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        fill(text, |name| format!("<{name}>"))
    }

    #[test]
    fn placeholders() {
        assert_eq!(filled("a ${csrf}b${cookie:x}"), "a <csrf>b<cookie:x>");
        assert_eq!(filled("$$${code}$$"), "$<code>$");
        assert_eq!(filled("$5 and ${open"), "$5 and ${open");
        for odd in ["", "$", "$$", "${csrf}", "$${csrf}", "a$b$$c${d}", "€$"] {
            assert_eq!(filled(&literal(odd)), odd, "what was typed is sent");
        }
    }

    #[test]
    fn a_journey_survives_its_text() {
        let step = Step {
            method: "POST".into(),
            path: "/survey/run/page/1".into(),
            status: 200,
            think_ms: 12,
            headers: vec![("x-csrftoken".into(), "${csrf}".into())],
            fields: Some(vec![("q1".into(), "a \"b\"\n${code}".into()), ("q1".into(), "2".into())]),
            ..Step::default()
        };
        let body = Body { content_type: "application/json".into(), text: "{}".into() };
        let other = Step { method: "PUT".into(), path: "/x".into(), body: Some(body), ..Step::default() };
        let journey = Journey { schema: SCHEMA.into(), host: "http://a".into(), requests: vec![step, other] };
        let text = journey.to_toml().unwrap();
        assert_eq!(Journey::parse(&text).unwrap(), journey, "{text}");
        assert!(journey.requests[0].has_token() && !journey.requests[1].has_token());
        assert!(journey.check(&[]).is_ok());
    }

    #[test]
    fn what_is_no_journey() {
        let good = "schema = 'survey-load.journey/1'\nhost = 'http://a'\n[[request]]\nmethod = 'GET'\npath = '/${x}'\nstatus = 200\n";
        let journey = Journey::parse(good).unwrap();
        assert!(format!("{:#}", journey.check(&[]).unwrap_err()).contains("--value x="));
        assert!(journey.check(&[("x".into(), "1".into())]).is_ok());
        for (from, to, says) in [
            ("journey/1", "journey/2", "journey/2"),
            ("'/${x}'", "'http://b/'", "not a path"),
            ("'/${x}'", "'//b/'", "not a path"),
            ("status", "stat", "stat"),
        ] {
            let error = Journey::parse(&good.replace(from, to)).unwrap_err();
            assert!(format!("{error:#}").contains(says), "{error:#}");
        }
        assert!(Journey::parse("schema = 'survey-load.journey/1'\nhost = ''\n").is_err());
    }
}
