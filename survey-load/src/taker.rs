//! One respondent at their browser: cookies of their own, the token of the page they are on, a clock that may
//! run out.
//!
//! Serves the walk and the replay. Every request waits for its turn, goes through goose (its count) and into the
//! report, with the time until the whole answer was there.

use crate::attack::Shared;
use crate::dice::Dice;
use crate::order::Think;
use crate::page;
use crate::report::Sample;
use goose::goose::{GooseMethod, GooseRequest, GooseUser, TransactionError};
use reqwest::cookie::{CookieStore, Jar};
use reqwest::header::HeaderValue;
use std::error::Error;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Cookies that can be thrown away, so that one connection serves one respondent after the other.
#[derive(Debug, Default)]
pub(crate) struct Cookies(RwLock<Jar>);

impl Cookies {
    fn forget(&self) {
        *self.0.write().expect("no panic holds this lock") = Jar::default();
    }

    /// The value of the cookie that is the token, if the server sends one.
    fn token(&self, url: &reqwest::Url) -> Option<String> {
        let all = self.cookies(url)?;
        let pairs = all.to_str().ok()?.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(name, _)| page::is_token_cookie(name)).map(|(_, value)| value.to_string())
    }

    /// The value of a cookie.
    pub(crate) fn get(&self, url: &reqwest::Url, wanted: &str) -> Option<String> {
        let all = self.cookies(url)?;
        let mut pairs = all.to_str().ok()?.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value.to_string())
    }
}

impl CookieStore for Cookies {
    fn set_cookies(&self, headers: &mut dyn Iterator<Item = &HeaderValue>, url: &reqwest::Url) {
        self.0.read().expect("no panic holds this lock").set_cookies(headers, url);
    }

    fn cookies(&self, url: &reqwest::Url) -> Option<HeaderValue> {
        self.0.read().expect("no panic holds this lock").cookies(url)
    }
}

/// Why somebody did not reach the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The time was over.
    Clock,
    /// Something failed, and the report says what.
    Failed,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) view: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(String, String)],
    /// Content type and content.
    pub(crate) body: Option<(&'a str, String)>,
    pub(crate) expect: u16,
}

/// An answer that was expected.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) body: String,
    /// Where a redirect goes: path and query, or a whole address when it leaves the application.
    pub(crate) location: Option<String>,
}

/// A respondent.
pub(crate) struct Taker<'a> {
    user: &'a mut GooseUser,
    shared: &'a Shared,
    cookies: Arc<Cookies>,
    /// What the dice of this respondent's answers and pauses say.
    pub(crate) dice: Dice,
    /// The token of the page they are on.
    pub(crate) token: String,
}

impl<'a> Taker<'a> {
    /// Somebody new: no cookies, no token.
    pub(crate) fn new(
        user: &'a mut GooseUser,
        shared: &'a Shared,
        cookies: Arc<Cookies>,
        seed: u64,
    ) -> Taker<'a> {
        cookies.forget();
        Taker { user, shared, cookies, dice: Dice::new(seed), token: String::new() }
    }

    /// The value of one of their cookies.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.get(&self.user.base_url, name)
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) async fn send(&mut self, ask: &Ask<'_>) -> Result<Reply, Ended> {
        self.rest(self.shared.turn()).await?;
        let Some(method) = method(ask.method) else { return Err(self.broken(ask, "an unknown method")) };
        let mut builder = match self.user.get_request_builder(&method, ask.path) {
            Ok(builder) => builder,
            Err(error) => return Err(self.broken(ask, &error.to_string())),
        };
        for (name, value) in ask.headers {
            builder = builder.header(name.as_str(), value.as_str());
        }
        if let Some((content_type, body)) = &ask.body {
            builder = builder.header("content-type", *content_type).body(body.clone());
        }
        let request = GooseRequest::builder()
            .method(method)
            .path(ask.path)
            .name(ask.view)
            .expect_status_code(ask.expect)
            .set_request_builder(builder)
            .build();
        let answer = match self.user.request(request).await {
            Ok(answer) => answer,
            Err(error) if matches!(*error, TransactionError::RequestCanceled { .. }) => {
                return Err(Ended::Clock);
            }
            Err(error) => return Err(self.broken(ask, &error.to_string())),
        };
        let head_us =
            answer.request.response_time * 1000 + u64::from(answer.request.response_time_fraction_us);
        let head_came = Instant::now();
        let mut reply = Reply { body: String::new(), location: None };
        let (status, failure) = match answer.response {
            Ok(response) => {
                let status = response.status().as_u16();
                let location = response.headers().get("location").and_then(|v| v.to_str().ok());
                reply.location = location.map(|text| self.local(text));
                match response.text().await {
                    Ok(body) => {
                        let wrong = status != ask.expect;
                        let failure =
                            wrong.then(|| format!("instead of {}: {}", ask.expect, page::gist(&body)));
                        reply.body = body;
                        (status, failure)
                    }
                    Err(error) => (status, Some(format!("the answer broke off: {}", root(&error)))),
                }
            }
            Err(error) => (0, Some(root(&error))),
        };
        let took_us = head_us + micros(head_came.elapsed());
        self.shared.count(&Sample {
            view: ask.view,
            method: ask.method,
            status,
            failure: failure.as_deref(),
            took_us,
            ended_us: now_us(),
        });
        if failure.is_some() {
            return Err(Ended::Failed);
        }
        if let Some(token) = page::token(&reply.body) {
            self.token = token;
        } else if self.token.is_empty() {
            self.token = self.cookies.token(&self.user.base_url).unwrap_or_default();
        }
        Ok(reply)
    }

    /// A request whose answer came but is not what it has to be; nothing is counted twice.
    pub(crate) fn disappointed(&self, ask: &Ask<'_>, why: &str) -> Ended {
        self.shared.doubt(ask.view, ask.method, ask.expect, why);
        Ended::Failed
    }

    /// Reads, thinks, types.
    pub(crate) async fn think(&mut self, recorded_ms: u64) -> Result<(), Ended> {
        let ms = match self.shared.order.think {
            Think::No => 0,
            Think::Recorded => recorded_ms,
            Think::Between(min, max) => min + self.dice.below(max - min + 1),
        };
        self.rest(Instant::now() + Duration::from_millis(ms)).await
    }

    /// Waits.
    async fn rest(&self, until: Instant) -> Result<(), Ended> {
        loop {
            if self.shared.is_over() {
                return Err(Ended::Clock);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            // In slices, so that the end of the run does not wait for anybody.
            tokio::time::sleep(left.min(Duration::from_millis(200))).await;
        }
    }

    /// A request that could not even be made.
    fn broken(&self, ask: &Ask<'_>, why: &str) -> Ended {
        self.shared.count(&Sample {
            view: ask.view,
            method: ask.method,
            status: 0,
            failure: Some(why),
            took_us: 0,
            ended_us: now_us(),
        });
        Ended::Failed
    }

    fn local(&self, location: &str) -> String {
        match self.user.base_url.join(location) {
            Ok(url) if url.origin() == self.user.base_url.origin() => {
                url.query().map_or(url.path().to_string(), |q| format!("{}?{q}", url.path()))
            }
            _ => location.to_string(),
        }
    }
}

fn method(name: &str) -> Option<GooseMethod> {
    Some(match name {
        "GET" => GooseMethod::Get,
        "POST" => GooseMethod::Post,
        "PUT" => GooseMethod::Put,
        "PATCH" => GooseMethod::Patch,
        "DELETE" => GooseMethod::Delete,
        "HEAD" => GooseMethod::Head,
        _ => return None,
    })
}

/// The innermost cause, which says "connection refused" and no address that would make each failure unique.
fn root(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_string();
    }
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string().chars().take(120).collect()
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
