//! What a respondent's program reads from a page: the token, the questions, where to go on.
//!
//! Serves the walk, the recorder and the replay. Pure. Knows tags and attributes, in any order and with any
//! quotes; it is no HTML parser, and what it does not understand it passes over.

/// Names of the form field or header that carries a CSRF token, in the frameworks that people use.
const TOKEN_NAMES: [&str; 6] =
    ["csrf", "csrfmiddlewaretoken", "csrf_token", "_csrf", "authenticity_token", "_token"];
const TOKEN_HEADERS: [&str; 3] = ["x-csrftoken", "x-csrf-token", "x-xsrf-token"];
const TOKEN_COOKIES: [&str; 3] = ["csrftoken", "csrf_token", "xsrf-token"];

/// Whether a form field of this name carries the token.
pub fn is_token_field(name: &str) -> bool {
    TOKEN_NAMES.contains(&name)
}

/// Whether a header of this name carries the token.
pub fn is_token_header(name: &str) -> bool {
    TOKEN_HEADERS.iter().any(|h| h.eq_ignore_ascii_case(name))
}

/// Whether a cookie of this name is the token.
pub fn is_token_cookie(name: &str) -> bool {
    TOKEN_COOKIES.iter().any(|c| c.eq_ignore_ascii_case(name))
}

/// An opening tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name, in small letters.
    pub name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute; the empty text when it has none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

/// The opening tags of a page.
pub fn tags(html: &str) -> Vec<Tag> {
    let mut out = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let (tag, left) = tag(rest);
            out.push(tag);
            rest = left;
        }
    }
    out
}

/// One tag, from its name on, and what follows it.
fn tag(text: &str) -> (Tag, &str) {
    let end =
        |t: &str, stop: &[char]| t.find(|c: char| c.is_whitespace() || stop.contains(&c)).unwrap_or(t.len());
    let at = end(text, &['>', '/']);
    let mut tag = Tag { name: text[..at].to_ascii_lowercase(), attributes: Vec::new() };
    let mut rest = &text[at..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return (tag, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (tag, after);
        }
        let at = end(rest, &['>', '=', '/']).max(1);
        // A stray mark of more than one byte is no name, but it is passed as a whole.
        let at = (at..=rest.len()).find(|i| rest.is_char_boundary(*i)).unwrap_or(rest.len());
        let name = rest[..at].to_ascii_lowercase();
        rest = rest[at..].trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let (raw, left) = match after.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    let inner = &after[1..];
                    let close = inner.find(quote).unwrap_or(inner.len());
                    (&inner[..close], inner.get(close + 1..).unwrap_or(""))
                }
                _ => after.split_at(end(after, &['>'])),
            };
            value = unescape(raw);
            rest = left;
        }
        tag.attributes.push((name, value));
    }
}

/// The CSRF token of a page: a hidden field, a `data-csrf`, or a `<meta name="csrf-token">`.
pub fn token(html: &str) -> Option<String> {
    tokens(html).into_iter().next()
}

/// Every token of a page; frameworks that mask them have a different one in each form.
pub fn tokens(html: &str) -> Vec<String> {
    let token_of = |tag: &Tag| {
        let name = tag.get("name").unwrap_or_default();
        let value = match tag.name.as_str() {
            "input" if is_token_field(name) => tag.get("value"),
            "meta" if name == "csrf-token" => tag.get("content"),
            _ => tag.get("data-csrf"),
        };
        value.filter(|v| !v.is_empty()).map(str::to_string)
    };
    tags(html).iter().filter_map(token_of).collect()
}

/// The value of the first attribute of that name on a page.
pub fn attribute(html: &str, name: &str) -> Option<String> {
    tags(html).iter().find_map(|tag| tag.get(name)).map(str::to_string)
}

/// A question: the name of its field, and the values that it takes (none for free text).
pub type Question = (String, Vec<String>);

/// The questions of a page, in order.
pub fn questions(html: &str) -> Vec<Question> {
    let mut out: Vec<Question> = Vec::new();
    for tag in tags(html) {
        let Some(name) = tag.get("name").filter(|n| !is_token_field(n)) else { continue };
        let value = match (tag.name.as_str(), tag.get("type").unwrap_or("text")) {
            ("textarea", _) | ("input", "text") => None,
            ("input", "radio") => tag.get("value"),
            _ => continue,
        };
        let at = match out.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None => {
                out.push((name.to_string(), Vec::new()));
                out.len() - 1
            }
        };
        out[at].1.extend(value.map(str::to_string));
    }
    out
}

/// The text right after the tag with that id.
pub fn text_of<'a>(html: &'a str, id: &str) -> Option<&'a str> {
    let at = html.find(&format!("id=\"{id}\""))?;
    let after = &html[at + html[at..].find('>')? + 1..];
    Some(after[..after.find('<')?].trim())
}

/// One line that says what a page is about: for the list of failures.
pub fn gist(body: &str) -> String {
    let text = match body.find("<h1") {
        Some(at) => body[at..].split('>').nth(1).unwrap_or_default().split('<').next().unwrap_or_default(),
        None if body.contains("<html") => "",
        None => body,
    };
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    unescape(&line).chars().take(120).collect()
}

/// Text without character references; unknown ones stay as they are.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let found = rest.find(';').filter(|end| *end < 12).and_then(|end| {
            let known = match &rest[1..end] {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                name => number(name).and_then(char::from_u32),
            };
            known.map(|c| (c, end))
        });
        match found {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix('#')?;
    match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_in_every_dress() {
        for html in [
            "<form><input type=\"hidden\" name=\"csrf\" value=\"t&#48;k\"></form>",
            "<input value='t0k' type=hidden name='csrfmiddlewaretoken'/>",
            "<main id=survey data-csrf=t0k>",
            "<META content=\"t0k\" name=csrf-token>",
            "<!-- <input name=csrf value=no> --><input name = csrf value = t0k >",
        ] {
            assert_eq!(token(html).as_deref(), Some("t0k"), "{html}");
        }
        for html in [
            "",
            "<input name=csrf value=\"\">",
            "<input name=q1 value=1>",
            "<",
            "<a",
            "<a b",
            "<a b=",
            "<a b='",
        ] {
            assert_eq!(token(html), None, "{html}");
        }
    }

    #[test]
    fn questions_with_their_choices() {
        let html = "<input type=\"hidden\" name=\"csrf\" value=\"x\"><input type=\"radio\" name=\"q1\" value=\"1\">\
                    <input type=\"radio\" name=\"q1\" value=\"a&amp;b\" checked><textarea id=\"q2\" name=\"q2\">x</textarea>\
                    <button name=\"go\">";
        let expected = vec![
            ("q1".to_string(), vec!["1".to_string(), "a&b".to_string()]),
            ("q2".to_string(), Vec::new()),
        ];
        assert_eq!(questions(html), expected);
        assert_eq!(attribute(html, "checked").as_deref(), Some(""));
        assert_eq!(text_of("<p>Your <b id=\"answers\"> 50 </b></p>", "answers"), Some("50"));
    }

    #[test]
    fn odd_bytes_end() {
        for html in
            ["<a é=ü>", "<é>", "<a \u{1F600}\u{1F600}>", "<a =>", "<a =\"", "<a/é/>", "&#xZZ;<b c=&;>"]
        {
            tags(html);
        }
        assert_eq!(unescape("&&amp;&bogus;&#x41;&#0;"), "&&&bogus;A\0");
    }

    #[test]
    fn failures_in_a_line() {
        assert_eq!(gist("<html><body><h1 class=x>Sorry &amp;\n bye</h1>"), "Sorry & bye");
        assert_eq!(gist("{\"error\":\"no\"}"), "{\"error\":\"no\"}");
        assert_eq!(gist("<html></html>"), "");
    }
}
