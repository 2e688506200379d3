//! Every address of the application: the hot views, the administration, the debug panel, static files.
//!
//! Serves the web process and the runs. Joins what the modules offer; decides nothing.

use crate::app::App;
use crate::web::{self, Route};
use axum::Router;
use std::sync::Arc;

/// The views of the application, hot and auxiliary.
pub fn routes() -> Vec<Route> {
    let mut routes = crate::survey::routes();
    routes.extend([]);
    routes
}

/// The whole application as a service.
pub fn service(app: &Arc<App>) -> Router {
    web::service(app, routes())
}
