//! The recorder: a reverse proxy between a browser and the application that writes down what passes.
//!
//! ```text
//!   browser ──► record --listen ──► application
//!                    └──► Scribe ──► journey.toml, whole after every answer
//! ```
//!
//! Serves `record`. The application sees the host name that it expects, also where a browser names the page it
//! comes from; the browser sees addresses of the recorder.

use crate::output;
use crate::scribe::{Exchange, Habits, Scribe};
use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use reqwest::Url;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// The largest request that is passed on.
const BODY_LIMIT: usize = 16 << 20;

/// Headers between two neighbours, which are not passed on; the length of the content is told anew.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
];

struct Recorder {
    to: Url,
    client: reqwest::Client,
    scribe: Mutex<Scribe>,
    next: AtomicU64,
    began: Instant,
    output: PathBuf,
    tell: fn(&str),
}

/// Passes requests on to `to` and writes the journey to `output` until `until` is over; what was left out.
///
/// `tell` hears of each request that was written down.
pub async fn record(
    listener: TcpListener,
    to: &str,
    code_field: &str,
    output: &Path,
    tell: fn(&str),
    until: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let to = Url::parse(to).with_context(|| format!("`{to}` is no address"))?;
    ensure!(to.scheme() == "http" && to.path() == "/", "--to takes an address such as http://127.0.0.1:8000");
    let host = to.origin().ascii_serialization();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .no_gzip()
        .tls_certs_only([])
        .timeout(Duration::from_secs(60))
        .build()
        .context("the client")?;
    let habits = Habits { host, code_field: code_field.to_string() };
    let recorder = Arc::new(Recorder {
        to,
        client,
        scribe: Mutex::new(Scribe::new(habits)),
        next: AtomicU64::new(0),
        began: Instant::now(),
        output: output.to_path_buf(),
        tell,
    });
    let service = Router::new().fallback(pass).with_state(Arc::clone(&recorder));
    axum::serve(listener, service).with_graceful_shutdown(until).await.context("the recorder")?;
    let scribe = recorder.scribe();
    ensure!(!scribe.journey().requests.is_empty(), "nothing was recorded");
    let left_out = [
        (scribe.files(), "files such as style sheets"),
        (scribe.unwritable(), "requests whose content is neither a form nor text"),
    ];
    for (count, what) in left_out.iter().filter(|(count, _)| *count > 0) {
        tell(&format!("left out: {count} {what}"));
    }
    Ok(())
}

impl Recorder {
    fn scribe(&self) -> std::sync::MutexGuard<'_, Scribe> {
        self.scribe.lock().expect("no panic holds this lock")
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// An address of the recorder as the application knows it, and the other way round.
    fn rename(&self, text: &str, here: &str, to_application: bool) -> String {
        let (here, there) = (format!("http://{here}"), self.to.origin().ascii_serialization());
        let (from, to) = if to_application { (&here, &there) } else { (&there, &here) };
        match text.strip_prefix(from.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with(['/', '?']) => format!("{to}{rest}"),
            _ => text.to_string(),
        }
    }

    fn write(&self, number: u64, exchange: Exchange) -> Result<()> {
        let line = format!("{} {} → {}", exchange.method, exchange.path, exchange.status);
        // Written under the lock: of two answers at the same time, the fuller journey has to be the last.
        let mut scribe = self.scribe();
        if scribe.note(number, exchange) {
            output::write(&self.output, &scribe.journey().to_toml()?)?;
            (self.tell)(&line);
        }
        Ok(())
    }
}

async fn pass(State(recorder): State<Arc<Recorder>>, request: Request) -> Response {
    // A task of its own: a browser that hangs up must not leave a hole in the journey.
    let task = tokio::spawn(async move {
        carry(&recorder, request).await.unwrap_or_else(|error| {
            (recorder.tell)(&format!("{error:#}"));
            (StatusCode::BAD_GATEWAY, format!("The recorder could not pass this on: {error:#}\n"))
                .into_response()
        })
    });
    task.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn carry(recorder: &Recorder, request: Request) -> Result<Response> {
    let number = recorder.next.fetch_add(1, Ordering::Relaxed);
    let came_ms = recorder.now_ms();
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.context("the request is too long or broke off")?;
    let here = text(parts.headers.get(header::HOST)).to_string();
    let mut url = recorder.to.clone();
    url.set_path(parts.uri.path());
    url.set_query(parts.uri.query());
    let mut onward = recorder.client.request(parts.method.clone(), url.clone());
    for (name, value) in &parts.headers {
        match *name {
            // The client names the host, and it takes no compressed answers, which could not be read.
            header::HOST | header::ACCEPT_ENCODING => {}
            header::ORIGIN | header::REFERER => {
                onward = onward.header(name, recorder.rename(text(Some(value)), &here, true));
            }
            _ if HOP_BY_HOP.contains(name) => {}
            _ => onward = onward.header(name, value),
        }
    }
    let answer = onward.body(body.clone()).send().await.context("the application does not answer")?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let content = answer.bytes().await.context("the answer broke off")?;
    let exchange = Exchange {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_string(),
        headers: pairs(&parts.headers),
        body: body.to_vec(),
        status: status.as_u16(),
        answer_headers: pairs(&headers)
            .into_iter()
            .map(|(name, value)| recorder.local(name, value))
            .collect(),
        answer: String::from_utf8_lossy(&content).into_owned(),
        came_ms,
        left_ms: recorder.now_ms(),
    };
    recorder.write(number, exchange)?;
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    if let Some(location) = headers.get(header::LOCATION) {
        let renamed = recorder.rename(text(Some(location)), &here, false);
        headers.insert(header::LOCATION, HeaderValue::from_str(&renamed).context("a redirect")?);
    }
    let mut response = Response::new(Body::from(content));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    Ok(response)
}

impl Recorder {
    /// A redirect as a journey tells it: path and query, when it stays with the application.
    fn local(&self, name: String, value: String) -> (String, String) {
        let value = match (name.as_str(), self.to.join(&value)) {
            ("location", Ok(url)) if url.origin() == self.to.origin() => {
                url.query().map_or(url.path().to_string(), |q| format!("{}?{q}", url.path()))
            }
            _ => value,
        };
        (name, value)
    }
}

fn pairs(headers: &axum::http::HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), text(Some(value)).to_string())).collect()
}

fn text(value: Option<&HeaderValue>) -> &str {
    value.and_then(|v| v.to_str().ok()).unwrap_or_default()
}
