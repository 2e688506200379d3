//! Every address of the application, and the processes that answer them.
//!
//! Serves the web and static processes and the runs. Joins what the modules offer; decides nothing.

use crate::app::App;
use crate::assets::{FOR_EVER, content_type};
use crate::web::{self, Route};
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Path as UrlPath;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;

/// The views of the application, hot and auxiliary.
pub fn routes() -> Vec<Route> {
    let mut routes = crate::survey::routes();
    routes.extend(crate::admin::routes());
    routes
}

/// The whole application as a service.
pub fn service(app: &Arc<App>) -> Router {
    web::service(app, routes())
}

/// Serves the pages until `until` is over.
pub async fn serve(
    app: &Arc<App>,
    listener: TcpListener,
    until: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let service = service(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(until).await.context("the web server")
}

/// A published file: its bytes as they are, and packed, the best first.
struct Published {
    content_type: &'static str,
    plain: Vec<u8>,
    packed: Vec<(&'static str, Vec<u8>)>,
}

/// How a file may be packed, and how its name ends then; the smallest first.
const PACKED: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Serves published files until `until` is over. They are read once: their names change with their content.
pub async fn serve_static(
    dir: &Path,
    listener: TcpListener,
    until: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let mut files = HashMap::new();
    for kind in ["css", "js"] {
        let Ok(entries) = std::fs::read_dir(dir.join("CACHE").join(kind)) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if PACKED.iter().any(|(_, ending)| name.ends_with(ending)) {
                continue;
            }
            let plain = std::fs::read(entry.path())
                .with_context(|| format!("cannot read {}", entry.path().display()))?;
            let read = |ending: &str| std::fs::read(entry.path().with_file_name(format!("{name}{ending}")));
            let packed = PACKED
                .iter()
                .filter_map(|(encoding, ending)| Some((*encoding, read(ending).ok()?)))
                .collect();
            files.insert(
                format!("{kind}/{name}"),
                Published { content_type: content_type(&name), plain, packed },
            );
        }
    }
    let files = Arc::new(files);
    let answer = move |UrlPath(path): UrlPath<String>, headers: HeaderMap| {
        let files = Arc::clone(&files);
        async move {
            files.get(&path).map_or_else(|| StatusCode::NOT_FOUND.into_response(), |f| send(f, &headers))
        }
    };
    let router = Router::new().route("/CACHE/{*path}", get(answer));
    axum::serve(listener, router).with_graceful_shutdown(until).await.context("the static server")
}

fn send(file: &Published, headers: &HeaderMap) -> Response {
    let takes = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let common = [
        (header::CONTENT_TYPE, file.content_type),
        (header::CACHE_CONTROL, FOR_EVER),
        (header::VARY, "accept-encoding"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let takes = |encoding: &str| {
        takes.split(',').filter_map(|item| item.trim().strip_prefix(encoding)).any(|rest| {
            let weight = rest.trim().strip_prefix(';').and_then(|w| w.trim().strip_prefix("q="));
            rest.is_empty() || weight.is_some_and(|w| w.parse::<f64>().is_ok_and(|w| w > 0.0))
        })
    };
    match file.packed.iter().find(|(encoding, _)| takes(encoding)) {
        Some((encoding, packed)) => {
            (common, [(header::CONTENT_ENCODING, *encoding)], packed.clone()).into_response()
        }
        None => (common, file.plain.clone()).into_response(),
    }
}
