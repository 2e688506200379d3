//! The administration: everything that happens before and after a survey is taken.
//!
//! Serves the people who run a survey. Nobody here is in a hurry, so these views are plain: no read-only
//! models, no joins, and one generic set of addresses for every model in [`table::TABLES`].

mod crud;
mod debug;
mod gate;
mod pages;
pub mod table;
mod transfer;

use crate::scope::View;
use crate::web::{Handler, Route};
use axum::http::Method;
use std::sync::OnceLock;
use table::{Access, TABLES};

pub use gate::create_admin;
pub use transfer::EXAMPLE_SURVEY;

/// The auxiliary views.
pub fn routes() -> Vec<Route> {
    static ROUTES: OnceLock<Vec<Route>> = OnceLock::new();
    ROUTES.get_or_init(build).clone()
}

fn build() -> Vec<Route> {
    let mut routes = Vec::new();
    let mut add = |method: Method, path: String, name: String, handler: Handler| {
        // Once per process: names and paths are compared and logged by reference everywhere else.
        let (path, name): (&'static str, &'static str) = (path.leak(), name.leak());
        let view = View { name, route: path, read_only: &[] };
        routes.push(Route { method, path, view, handler, for_script: false });
    };
    let mut named = |method: Method, path: &str, name: &str, handler: Handler| {
        add(method, path.to_string(), name.to_string(), handler);
    };
    named(Method::GET, "/", "home", |v| Box::pin(gate::home(v)));
    named(Method::GET, "/admin/login", "admin_login", |v| Box::pin(gate::show(v)));
    named(Method::POST, "/admin/login", "admin_login", |v| Box::pin(gate::check(v)));
    named(Method::POST, "/admin/logout", "admin_logout", |v| Box::pin(gate::leave(v)));
    named(Method::GET, "/admin/", "admin_home", |v| Box::pin(crud::home(v)));
    named(Method::GET, "/admin/upload", "admin_survey_upload", |v| Box::pin(transfer::survey_form(v)));
    named(Method::POST, "/admin/upload", "admin_survey_upload", |v| Box::pin(transfer::survey_upload(v)));
    named(Method::GET, "/admin/survey/{id}/roster", "admin_roster", |v| Box::pin(transfer::roster_form(v)));
    named(Method::POST, "/admin/survey/{id}/roster", "admin_roster", |v| {
        Box::pin(transfer::roster_upload(v))
    });
    named(Method::GET, "/admin/roster_upload/{id}/codes.csv", "admin_codes", |v| {
        Box::pin(transfer::codes(v))
    });
    named(Method::GET, "/admin/survey/{id}/responses", "admin_responses", |v| {
        Box::pin(transfer::responses(v))
    });
    named(Method::POST, "/admin/survey/{id}/responses", "admin_responses", |v| {
        Box::pin(transfer::request_export(v))
    });
    named(Method::GET, "/admin/export_job/{id}/responses.csv", "admin_download", |v| {
        Box::pin(transfer::download(v))
    });
    named(Method::GET, "/static/{file}", "static", |v| Box::pin(gate::asset(v)));
    named(Method::GET, "/debug/", "debug_list", |v| Box::pin(debug::list(v)));
    named(Method::GET, "/debug/counters", "debug_counters", |v| Box::pin(debug::counters(v)));
    named(Method::GET, "/debug/{id}", "debug_request", |v| Box::pin(debug::request(v)));
    for table in TABLES {
        let (base, name) = (format!("/admin/{}", table.model.table()), table.model.table());
        let mut both = |method: Method, tail: &str, what: &str, handler: Handler| {
            add(method, format!("{base}{tail}"), format!("admin_{name}_{what}"), handler);
        };
        both(Method::GET, "/", "list", |v| Box::pin(crud::list(v)));
        both(Method::GET, "/export.csv", "export", |v| Box::pin(crud::export(v)));
        both(Method::GET, "/{id}", "detail", |v| Box::pin(crud::form(v)));
        if table.access != Access::Look {
            both(Method::GET, "/new", "new", |v| Box::pin(crud::form(v)));
            both(Method::POST, "/new", "new", |v| Box::pin(crud::create(v)));
            both(Method::POST, "/{id}", "edit", |v| Box::pin(crud::change(v)));
            both(Method::POST, "/{id}/delete", "delete", |v| Box::pin(crud::delete(v)));
        }
    }
    routes
}
