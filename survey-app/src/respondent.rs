//! A simulated respondent: a small browser with a cookie jar, and the walk through a survey.
//!
//! Serves `run` and the tests. Knows the application only from outside: addresses, forms, cookies.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A browser without eyes.
#[derive(Debug)]
pub struct Browser {
    at: SocketAddr,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// Value, and the time at which the cookie ends.
    pub cookies: BTreeMap<String, (String, Option<Instant>)>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: hyper::HeaderMap,
    /// Its body as text.
    pub body: String,
}

impl Reply {
    /// The text of a header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

impl Browser {
    /// A browser for the application at `at`.
    pub fn new(at: SocketAddr) -> Browser {
        Browser { at, connection: None, cookies: BTreeMap::new() }
    }

    /// Where the application is.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// GET.
    pub async fn get(&mut self, path: &str) -> Result<Reply> {
        self.send(Method::GET, path, "", String::new(), &[]).await
    }

    /// POST of a form, with the token as header when there is one.
    pub async fn post(
        &mut self,
        path: &str,
        fields: &[(String, String)],
        csrf: Option<&str>,
    ) -> Result<Reply> {
        let pair = |(k, v): &(String, String)| format!("{}={}", encode(k), encode(v));
        let body: Vec<String> = fields.iter().map(pair).collect();
        let headers: Vec<(&str, &str)> = csrf.map(|token| ("x-csrftoken", token)).into_iter().collect();
        self.send(Method::POST, path, "application/x-www-form-urlencoded", body.join("&"), &headers).await
    }

    /// Any request.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        content_type: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> Result<Reply> {
        if self.connection.as_ref().is_none_or(SendRequest::is_closed) {
            let stream =
                tokio::net::TcpStream::connect(self.at).await.context("cannot connect to the application")?;
            stream.set_nodelay(true).context("the connection")?;
            let (sender, driver) = handshake(TokioIo::new(stream)).await.context("HTTP")?;
            tokio::spawn(driver);
            self.connection = Some(sender);
        }
        let mut request =
            Request::builder().method(method).uri(path).header(header::HOST, self.at.to_string());
        let now = Instant::now();
        self.cookies.retain(|_, (_, until)| until.is_none_or(|u| u > now));
        let cookies: Vec<String> = self.cookies.iter().map(|(k, (v, _))| format!("{k}={v}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if !content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).context("a request of our own")?;
        let connection = self.connection.as_mut().context("connected above")?;
        let sent = async {
            connection.ready().await?;
            connection.send_request(request).await
        };
        let response = match sent.await {
            Ok(response) => response,
            Err(error) => {
                self.connection = None;
                return Err(error).context("the application does not answer");
            }
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.context("the answer broke off")?.to_bytes();
        // Whoever says so closes the connection now, and it may take a while until we hear of it.
        if parts.headers.get(header::CONNECTION).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"close"))
        {
            self.connection = None;
        }
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            self.keep(cookie.to_str().unwrap_or_default());
        }
        Ok(Reply {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    fn keep(&mut self, cookie: &str) {
        let mut parts = cookie.split("; ");
        let Some((name, value)) = parts.next().and_then(|p| p.split_once('=')) else { return };
        let age = parts.find_map(|p| p.strip_prefix("Max-Age=")).and_then(|s| s.parse().ok());
        let until = age.map(|secs| Instant::now() + Duration::from_secs(secs));
        self.cookies.insert(name.to_string(), (value.to_string(), until));
    }
}

/// A question on a page: the name of its field, and the values that it takes (none for free text).
pub type Field = (String, Vec<String>);

/// What somebody answered and the application acknowledged: page by page, the fields with their values.
pub type Acknowledged = Vec<(i64, Vec<(String, String)>)>;

/// Somebody who takes a survey.
#[derive(Debug)]
pub struct Respondent {
    /// Their browser.
    pub browser: Browser,
    /// The address of the survey.
    pub slug: String,
    /// The token of the page on which they are.
    pub csrf: String,
    /// Where they are.
    pub page: i64,
    /// What is known to be saved.
    pub acknowledged: Acknowledged,
    /// Requests that failed and were sent again.
    pub retried: usize,
    dice: u64,
    /// How often a failed request is sent again.
    patience: usize,
}

impl Respondent {
    /// Somebody whose choices follow from `seed`.
    pub fn new(at: SocketAddr, slug: &str, seed: u64) -> Respondent {
        Respondent {
            browser: Browser::new(at),
            slug: slug.to_string(),
            csrf: String::new(),
            page: 1,
            acknowledged: Vec::new(),
            retried: 0,
            dice: seed,
            patience: 0,
        }
    }

    /// Sends a request that failed again, up to `times`, as the page's script does.
    pub fn patient(mut self, times: usize) -> Respondent {
        self.patience = times;
        self
    }

    /// Two requests: the page that asks for the code, and the code.
    pub async fn log_in(&mut self, code: &str) -> Result<()> {
        let path = format!("/survey/{}/", self.slug);
        let page = self.expect(StatusCode::OK, Method::GET, &path, Vec::new()).await?;
        self.csrf =
            between(&page.body, "name=\"csrf\" value=\"", "\"").context("no token in the form")?.to_string();
        let fields = vec![("code".to_string(), code.to_string())];
        self.expect(StatusCode::SEE_OTHER, Method::POST, &path, fields).await.map(drop)
    }

    /// One request: the frame, and from it the page to go on with.
    pub async fn display(&mut self) -> Result<Reply> {
        let path = format!("/survey/{}/take", self.slug);
        let frame = self.expect(StatusCode::OK, Method::GET, &path, Vec::new()).await?;
        self.csrf = between(&frame.body, "data-csrf=\"", "\"").context("no token on the page")?.to_string();
        let current = between(&frame.body, "data-current=\"", "\"").context("no current page")?;
        self.page = current.parse().context("the current page is a number")?;
        Ok(frame)
    }

    /// One request: the questions of a page.
    pub async fn content(&mut self, page: i64) -> Result<(Vec<Field>, Reply)> {
        let path = format!("/survey/{}/content/{page}", self.slug);
        let reply = self.expect(StatusCode::OK, Method::GET, &path, Vec::new()).await?;
        Ok((fields(&reply.body), reply))
    }

    /// One request: the answers of the page; `false` when the survey ends with it.
    pub async fn save(&mut self, questions: &[Field]) -> Result<bool> {
        let answers: Vec<(String, String)> =
            questions.iter().map(|(name, values)| (name.clone(), self.choose(values))).collect();
        let path = format!("/survey/{}/page/{}", self.slug, self.page);
        let reply = self.expect(StatusCode::OK, Method::POST, &path, answers.clone()).await?;
        self.acknowledged.push((self.page, answers));
        let answer: serde_json::Value = serde_json::from_str(&reply.body).context("the answer is JSON")?;
        match answer["next"].as_i64() {
            Some(next) => {
                self.page = next;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// One request: the end; how many answers it says are saved.
    pub async fn complete(&mut self) -> Result<usize> {
        let path = format!("/survey/{}/complete", self.slug);
        let reply = self.expect(StatusCode::OK, Method::GET, &path, Vec::new()).await?;
        let number = between(&reply.body, "id=\"answers\">", "<").context("no number of answers")?;
        number.parse().context("a number of answers")
    }

    /// The whole survey: 2P + 4 requests for P pages.
    pub async fn take(&mut self, code: &str) -> Result<usize> {
        self.log_in(code).await?;
        self.display().await?;
        loop {
            let (questions, _) = self.content(self.page).await?;
            if !self.save(&questions).await? {
                return self.complete().await;
            }
        }
    }

    async fn expect(
        &mut self,
        status: StatusCode,
        method: Method,
        path: &str,
        fields: Vec<(String, String)>,
    ) -> Result<Reply> {
        let mut left = self.patience;
        loop {
            let csrf = self.csrf.clone();
            let reply = match method {
                Method::POST => self.browser.post(path, &fields, Some(&csrf)).await,
                _ => self.browser.get(path).await,
            };
            match reply {
                Ok(reply) if reply.status == status => return Ok(reply),
                Ok(reply) if left == 0 || reply.status.is_client_error() => {
                    bail!("{method} {path}: {} instead of {status}: {}", reply.status, reply.body.trim())
                }
                Err(error) if left == 0 => return Err(error.context(format!("{method} {path}"))),
                _ => {
                    left -= 1;
                    self.retried += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn choose(&mut self, values: &[String]) -> String {
        // SplitMix64: the same seed gives the same answers on every machine.
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        match values.len() as u64 {
            0 => format!("I would say {}.", z % 1000),
            n => values[(z % n) as usize].clone(),
        }
    }
}

/// The fields of a fragment of questions.
pub fn fields(html: &str) -> Vec<Field> {
    let mut out: Vec<Field> = Vec::new();
    for piece in html.split("name=\"").skip(1) {
        let Some((name, rest)) = piece.split_once('"') else { continue };
        if out.last().is_none_or(|(last, _)| last != name) {
            out.push((name.to_string(), Vec::new()));
        }
        // A radio button names its value right after its name; a text area does not.
        if let (Some(value), Some((_, values))) =
            (rest.strip_prefix(" value=\"").and_then(|r| r.split('"').next()), out.last_mut())
        {
            values.push(value.to_string());
        }
    }
    out
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let start = text.find(before)? + before.len();
    let end = text[start..].find(after)?;
    Some(&text[start..start + end])
}

fn encode(text: &str) -> String {
    crate::db::comment::encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_from_the_page() {
        let html = "<input type=\"radio\" name=\"q1\" value=\"1\"><input type=\"radio\" name=\"q1\" value=\"2\" checked>\
                    <textarea id=\"q2\" name=\"q2\" rows=\"4\"></textarea>";
        let expected = [("q1", vec!["1", "2"]), ("q2", vec![])];
        let got = fields(html);
        assert_eq!(got.len(), expected.len());
        for ((name, values), (want, choices)) in got.iter().zip(expected) {
            assert_eq!(
                (name.as_str(), values.iter().map(String::as_str).collect::<Vec<_>>()),
                (want, choices)
            );
        }
    }
}
