//! The pages of the administration.

use super::gate::Rights;
use crate::debug::Seen;
use crate::pages::Page;
use crate::web::Visit;
use askama::Template;

pub(super) use crate::pages::html;

/// What is around every page.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) page: Page,
    /// Who is signed in; empty for nobody.
    pub(super) who: String,
}

impl Frame {
    pub(super) fn of(visit: &Visit, title: &str, rights: Option<&Rights>) -> Frame {
        Frame { page: Page::of(visit, title), who: rights.map(|r| r.name.clone()).unwrap_or_default() }
    }
}

#[derive(Debug, Template)]
#[template(path = "admin/login.html")]
pub(super) struct LoginPage {
    pub(super) frame: Frame,
    pub(super) error: &'static str,
}

/// A survey at a glance.
#[derive(Debug)]
pub(super) struct Glance {
    pub(super) id: i64,
    pub(super) title: String,
    pub(super) slug: String,
    pub(super) invited: i64,
    pub(super) started: i64,
    pub(super) completed: i64,
}

#[derive(Debug, Template)]
#[template(path = "admin/home.html")]
pub(super) struct HomePage {
    pub(super) frame: Frame,
    pub(super) surveys: Vec<Glance>,
    /// Address and label.
    pub(super) tables: Vec<(&'static str, &'static str)>,
}

/// A cell: its text, and where it leads when it is a row of another model.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) link: String,
    pub(super) is_number: bool,
}

#[derive(Debug, Template)]
#[template(path = "admin/list.html")]
pub(super) struct ListPage {
    pub(super) frame: Frame,
    pub(super) base: String,
    pub(super) can_add: bool,
    pub(super) search: String,
    pub(super) heads: Vec<&'static str>,
    pub(super) rows: Vec<(String, Vec<Cell>)>,
    pub(super) total: i64,
    pub(super) older: Option<String>,
    pub(super) newer: Option<String>,
}

/// A field of a form.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// `line`, `lines`, `number`, `flag`, `choice`, `password` or `look`.
    pub(super) kind: &'static str,
    pub(super) value: String,
    /// Value and label, for `choice`.
    pub(super) options: Vec<(String, String)>,
}

#[derive(Debug, Template)]
#[template(path = "admin/form.html")]
pub(super) struct FormPage {
    pub(super) frame: Frame,
    pub(super) base: String,
    pub(super) many: &'static str,
    /// Empty for a new row.
    pub(super) id: String,
    pub(super) can_save: bool,
    pub(super) fields: Vec<Field>,
    /// Address and label of what can be done with this row.
    pub(super) links: Vec<(String, &'static str)>,
}

#[derive(Debug, Template)]
#[template(path = "admin/upload.html")]
pub(super) struct UploadPage {
    pub(super) frame: Frame,
    pub(super) lead: String,
    pub(super) accept: &'static str,
    pub(super) example: &'static str,
    pub(super) error: String,
    /// Earlier uploads: when, file, status, result, address of the codes.
    pub(super) earlier: Vec<[String; 5]>,
    pub(super) waits: bool,
}

#[derive(Debug, Template)]
#[template(path = "admin/responses.html")]
pub(super) struct ResponsesPage {
    pub(super) frame: Frame,
    /// When, by whom, status, result, address.
    pub(super) jobs: Vec<[String; 5]>,
    pub(super) waits: bool,
}

#[derive(Debug, Template)]
#[template(path = "admin/debug_list.html")]
pub(super) struct DebugListPage {
    pub(super) frame: Frame,
    pub(super) requests: Vec<Seen>,
}

#[derive(Debug, Template)]
#[template(path = "admin/debug_request.html")]
pub(super) struct DebugRequestPage {
    pub(super) frame: Frame,
    pub(super) seen: Seen,
}
