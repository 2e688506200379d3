//! From an HTTP request to a view and back: cookies, CSRF, the pin, the commit, the headers.
//!
//! Serves [`crate::survey`] and [`crate::admin`], whose views see a [`Visit`] and return an answer. What a
//! view wrote is committed before its answer leaves; when it fails, everything is taken back.

use crate::app::App;
use crate::debug::Seen;
use crate::router::Pin as RouterPin;
use crate::scope::{Scope, View};
use crate::session::{self, Session};
use crate::trouble::Trouble;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, Multipart, RawPathParams, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The largest body that is read: a roster of a hundred thousand lines fits.
const BODY_LIMIT: usize = 8 << 20;
/// Where the measurements are.
pub const METRICS: &str = "/metrics";
const CSRF_COOKIE: &str = "csrftoken";
/// The form field of the token; scripts send the header instead.
pub const CSRF_FIELD: &str = "csrf";

/// What a view returns in the end.
pub type Answer = Result<Response, Trouble>;
/// A view.
pub type Handler = fn(Arc<Visit>) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One address of the application.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{names}`.
    pub path: &'static str,
    /// The view's name and rights.
    pub view: View,
    /// The view.
    pub handler: Handler,
    /// Whether a script reads the answer, so that errors are JSON.
    pub for_script: bool,
}

/// A file that was uploaded.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The form field.
    pub field: String,
    /// The name on the sender's disk.
    pub name: String,
    /// Its bytes.
    pub bytes: Bytes,
}

/// One request as a view sees it.
pub struct Visit {
    /// The way to the database.
    pub scope: Scope,
    /// The path as it was asked for.
    pub path: String,
    /// The token that forms on the page must carry.
    pub csrf: String,
    /// Whether it comes from one of `debug.internal_ips`.
    pub is_internal: bool,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    fields: Vec<(String, String)>,
    uploads: Vec<Upload>,
    cookies: Vec<(String, String)>,
    set_cookies: Mutex<Vec<String>>,
}

impl Visit {
    /// The application.
    pub fn app(&self) -> &Arc<App> {
        self.scope.app()
    }

    /// A `{name}` of the path.
    pub fn param(&self, name: &str) -> &str {
        find(&self.params, name).unwrap_or_default()
    }

    /// A `{name}` of the path that is a number; whatever else is there, there is no such page.
    pub fn number(&self, name: &str) -> Result<i64, Trouble> {
        self.param(name).parse().map_err(|_| Trouble::NotFound)
    }

    /// A value after the `?`.
    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// A form field; the empty text when it is absent.
    pub fn field(&self, name: &str) -> &str {
        find(&self.fields, name).unwrap_or_default()
    }

    /// Whether a form field was sent at all.
    pub fn has_field(&self, name: &str) -> bool {
        find(&self.fields, name).is_some()
    }

    /// An uploaded file.
    pub fn upload(&self, field: &str) -> Option<&Upload> {
        self.uploads.iter().find(|u| u.field == field && !u.bytes.is_empty())
    }

    /// The login behind this request's cookie.
    pub async fn session(&self) -> Result<Option<Session>, Trouble> {
        match find(&self.cookies, session::COOKIE) {
            Some(id) => Ok(session::load(&self.scope, id).await?),
            None => Ok(None),
        }
    }

    /// Begins a login under a new id.
    pub async fn sign_in(&self, session: &Session) -> Result<(), Trouble> {
        let id = session::renew(&self.scope, find(&self.cookies, session::COOKIE), session).await?;
        let ttl = self.app().switches.session.ttl;
        self.set_cookie(&format!("{}={id}; Path=/; Max-Age={ttl}; HttpOnly; SameSite=Lax", session::COOKIE));
        Ok(())
    }

    /// Ends the login.
    pub async fn sign_out(&self) -> Result<(), Trouble> {
        if let Some(id) = find(&self.cookies, session::COOKIE) {
            session::end(&self.scope, id).await?;
        }
        self.set_cookie(&format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax", session::COOKIE));
        Ok(())
    }

    fn set_cookie(&self, cookie: &str) {
        self.set_cookies.lock().expect("no panic holds this lock").push(cookie.to_string());
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
}

/// The whole application as a service.
pub fn service(app: &Arc<App>, routes: Vec<Route>) -> Router {
    let mut router = Router::new();
    for route in routes {
        let filter = MethodFilter::try_from(route.method.clone()).expect("routes use GET and POST");
        let (app, path) = (Arc::clone(app), route.path);
        let handler = move |params: RawPathParams, request: Request| {
            let (app, route) = (Arc::clone(&app), route.clone());
            let params = params.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            // A task of its own: whoever hangs up early does not stop a view between a commit and its
            // write-through.
            async move {
                app.counters.request(route.view.name);
                let Some(measured) = app.metrics.begin(route.view.name, app.switches.web.max_in_flight)
                else {
                    return shed(route.for_script);
                };
                let task = tokio::spawn(measured.watch().over(async move {
                    let response = answer(app, route, params, request).await;
                    measured.end(response.status().as_u16());
                    response
                }));
                task.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
            }
        };
        router = router.route(path, on(filter, handler));
    }
    let (measured, missing) = (Arc::clone(app), Arc::clone(app));
    router = router.route(METRICS, get(move |request: Request| metrics(Arc::clone(&measured), request)));
    router.layer(DefaultBodyLimit::max(BODY_LIMIT)).fallback(move || {
        let app = Arc::clone(&missing);
        async move { headers(&app, Trouble::NotFound.answer(&app, false)) }
    })
}

async fn answer(app: Arc<App>, route: Route, params: Vec<(String, String)>, request: Request) -> Response {
    let line = format!("{} {}", request.method(), request.uri().path());
    let is_post = request.method() == Method::POST;
    let for_script = route.for_script;
    let (visit, new_token) = match read(&app, &route, params, request).await {
        Ok(read) => read,
        Err(trouble) => return headers(&app, trouble.answer(&app, for_script)),
    };
    let visit = Arc::new(visit);
    burn(Duration::from_micros(app.switches.cpu_burn_us));
    let result = (route.handler)(Arc::clone(&visit)).await;
    let finished = visit.scope.finish(result.is_ok()).await;
    let mut response = match (result, finished) {
        (Ok(response), Ok(())) => response,
        (Ok(_), Err(error)) => Trouble::from(error).answer(&app, for_script),
        (Err(trouble), _) => trouble.answer(&app, for_script),
    };
    let mut cookies = std::mem::take(&mut *visit.set_cookies.lock().expect("no panic holds this lock"));
    if new_token {
        cookies.push(format!("{CSRF_COOKIE}={}; Path=/; HttpOnly; SameSite=Lax", visit.csrf));
    }
    let router = &app.switches.router;
    if app.router.pins() && visit.scope.pin().sets_cookie(is_post) {
        cookies.push(format!(
            "{}=y; Path=/; Max-Age={}; HttpOnly; SameSite=Lax",
            router.pin_key, router.pin_secs
        ));
    }
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    if app.switches.debug.panel {
        let seen = Seen::of(&visit.scope, line, response.status().as_u16());
        for (name, value) in [("server-timing", seen.server_timing()), ("x-debug-request", seen.id.clone())] {
            response.headers_mut().insert(name, HeaderValue::from_str(&value).expect("digits and letters"));
        }
        // Looking at the panel is not what anybody wants to see in it.
        if !seen.view.starts_with("debug") {
            app.panel.keep(seen);
        }
    }
    headers(&app, response)
}

/// More are served than `web.max_in_flight` allows: this one is turned away before it has cost anything.
fn shed(for_script: bool) -> Response {
    let busy = "Many people are here at the same time. Please try again in a moment.";
    let (kind, body) = match for_script {
        true => ("application/json", format!("{{\"error\":\"{busy}\"}}")),
        false => ("text/plain; charset=utf-8", format!("{busy}\n")),
    };
    let headers =
        [(header::CONTENT_TYPE, kind), (header::RETRY_AFTER, "1"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, body).into_response()
}

/// Keeps a thread busy until it has used this much of a processor: the work of a view that computes.
fn burn(time: Duration) {
    use rustix::time::{ClockId, clock_gettime};
    let used = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    };
    if time > Duration::ZERO {
        let until = used() + time;
        while used() < until {
            std::hint::spin_loop();
        }
    }
}

/// Measurements for the addresses in `debug.internal_ips`, beside the views: looking is not counted, and is
/// possible when everybody else is turned away.
async fn metrics(app: Arc<App>, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    if !is_internal(&app, request.headers(), peer) {
        return headers(&app, Trouble::NotFound.answer(&app, false));
    }
    let kind = [(header::CONTENT_TYPE, crate::metrics::text::CONTENT_TYPE)];
    headers(&app, (kind, crate::metrics::text::exposition(&app)).into_response())
}

/// Reads a request; refuses a POST without the right token.
async fn read(
    app: &Arc<App>,
    route: &Route,
    params: Vec<(String, String)>,
    request: Request,
) -> Result<(Visit, bool), Trouble> {
    let cookies = cookies(request.headers());
    let pin = RouterPin::begin(find(&cookies, &app.switches.router.pin_key));
    let traceparent = request.headers().get("traceparent").and_then(|v| v.to_str().ok());
    let scope = Scope::begin(Arc::clone(app), route.view, traceparent, pin);
    let known = find(&cookies, CSRF_COOKIE).filter(|token| is_ours(&app.secret, token)).map(str::to_string);
    let path = request.uri().path().to_string();
    let is_internal =
        is_internal(app, request.headers(), request.extensions().get::<ConnectInfo<SocketAddr>>());
    let query = pairs(request.uri().query().unwrap_or_default());
    let in_header = text(request.headers(), "x-csrftoken").map(str::to_string);
    let foreign = is_foreign(request.headers());
    let (fields, uploads) = match route.method == Method::POST {
        true => body(request).await?,
        false => (Vec::new(), Vec::new()),
    };
    if route.method == Method::POST {
        let given = in_header.as_deref().or(find(&fields, CSRF_FIELD)).unwrap_or_default();
        let fits = known.as_deref().is_some_and(|token| crate::secret::same(token, given));
        if !fits || foreign {
            return Err(Trouble::Forbidden(
                "This form has expired. Please go back, reload the page and try again.",
            ));
        }
    }
    let new_token = known.is_none();
    let csrf = known.unwrap_or_else(|| new_csrf(&app.secret));
    let visit = Visit {
        scope,
        path,
        csrf,
        is_internal,
        params,
        query,
        fields,
        uploads,
        cookies,
        set_cookies: Mutex::default(),
    };
    Ok((visit, new_token))
}

/// A token is random and signed: a cookie that somebody else planted is not ours.
fn new_csrf(secret: &str) -> String {
    let nonce = crate::secret::random_hex(16);
    let signature = crate::secret::keyed_hash(secret, &format!("csrf\n{nonce}"));
    format!("{nonce}{}", &signature[..32])
}

fn is_ours(secret: &str, token: &str) -> bool {
    if token.len() != 64 || !token.is_ascii() {
        return false;
    }
    let (nonce, signature) = token.split_at(32);
    crate::secret::same(&crate::secret::keyed_hash(secret, &format!("csrf\n{nonce}"))[..32], signature)
}

/// Whether a browser says that the request comes from a page of another site.
fn is_foreign(headers: &HeaderMap) -> bool {
    let (Some(origin), Some(host)) = (text(headers, "origin"), text(headers, "host")) else { return false };
    origin.split("://").nth(1) != Some(host)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

fn cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect()
}

async fn body(request: Request) -> Result<(Vec<(String, String)>, Vec<Upload>), Trouble> {
    let kind = text(request.headers(), "content-type").unwrap_or_default().to_string();
    let bad = || Trouble::Bad("The form could not be read.".to_string());
    if !kind.starts_with("multipart/form-data") {
        let bytes = Bytes::from_request(request, &()).await.map_err(|_| bad())?;
        return Ok((pairs(std::str::from_utf8(&bytes).map_err(|_| bad())?), Vec::new()));
    }
    let mut parts = Multipart::from_request(request, &()).await.map_err(|_| bad())?;
    let (mut fields, mut uploads) = (Vec::new(), Vec::new());
    while let Some(part) = parts.next_field().await.map_err(|_| bad())? {
        let field = part.name().unwrap_or_default().to_string();
        match part.file_name().map(str::to_string) {
            Some(name) => uploads.push(Upload { field, name, bytes: part.bytes().await.map_err(|_| bad())? }),
            None => fields.push((field, part.text().await.map_err(|_| bad())?)),
        }
    }
    Ok((fields, uploads))
}

/// The pairs of a query or of a form.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|p| !p.is_empty())
        .map(|pair| {
            let (k, v) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(k), decode(v))
        })
        .collect()
}

fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (bytes[at], pair.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    // PostgreSQL's text holds no NUL; nobody types one.
    out.retain(|b| *b != 0);
    String::from_utf8_lossy(&out).into_owned()
}

/// Headers of every dynamic answer: scripts and styles only from where we put them, nothing kept by caches.
fn headers(app: &App, mut response: Response) -> Response {
    let origin = app.assets.origin();
    let policy = format!(
        "default-src 'none'; style-src 'self' {origin}; script-src 'self' {origin}; connect-src 'self'; \
         img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let map = response.headers_mut();
    let policy = HeaderValue::from_str(&policy).expect("an origin is plain text");
    map.entry("content-security-policy").or_insert(policy);
    map.entry("x-content-type-options").or_insert(HeaderValue::from_static("nosniff"));
    map.entry("referrer-policy").or_insert(HeaderValue::from_static("same-origin"));
    map.entry("cache-control").or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a request comes from one of `debug.internal_ips`.
fn is_internal(app: &App, headers: &HeaderMap, peer: Option<&ConnectInfo<SocketAddr>>) -> bool {
    let switches = &app.switches;
    peer.and_then(|c| {
        crate::proxy::client(headers, c.0.ip(), app.proxy_key.as_deref(), &switches.proxy.trusted)
    })
    .is_some_and(|client| switches.debug.internal_ips.contains(&client.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let got = pairs("a=1&b=x+y%26z&c&d=%zz%0");
        let got: Vec<_> = got.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(got, [("a", "1"), ("b", "x y&z"), ("c", ""), ("d", "%zz%0")]);
    }

    #[test]
    fn tokens() {
        let token = new_csrf("k");
        assert!(is_ours("k", &token) && !is_ours("other", &token));
        assert!(!is_ours("k", &"a".repeat(64)) && !is_ours("k", ""));
    }

    #[test]
    fn foreign_pages() {
        let mut headers = HeaderMap::new();
        assert!(!is_foreign(&headers), "not a browser");
        headers.insert("host", HeaderValue::from_static("127.0.0.1:80"));
        headers.insert("origin", HeaderValue::from_static("http://127.0.0.1:80"));
        assert!(!is_foreign(&headers));
        headers.insert("origin", HeaderValue::from_static("http://evil.example"));
        assert!(is_foreign(&headers));
        headers.insert("origin", HeaderValue::from_static("null"));
        assert!(is_foreign(&headers));
    }
}
