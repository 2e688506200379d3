//! `Report` → html, text, markdown, csv or json, into any writer. A pure function of its arguments: no clock, no
//! files, no network; an equal report gives equal bytes.
//!
//! ```text
//!            ┌─ html      one self-contained file, readable with scripts off
//!            ├─ text      what matters, on one screen of a terminal
//!  Report ───┼─ markdown  the same for a pull request
//!            ├─ csv       one row a fingerprint
//!            └─ json      the contract itself
//! ```
//!
//! Everything in a report came out of a log, and a log is hostile. Each output has one door through which that
//! text passes: `shown` makes control and direction characters visible for all of them, then the template
//! engine, `markdown::code` or `csv::cell` escapes for its own context.

use std::io;
use std::path::Path;

use crate::report::Report;

mod csv;
mod fix;
mod html;
mod index;
pub mod json;
mod judged;
mod markdown;
pub mod shown;
mod sql;
mod text;
mod totals;

/// The kinds of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One self-contained page.
    Html,
    /// The report as it is, `pglens.report/1`.
    Json,
    /// A summary for a terminal.
    Text,
    /// A summary for a pull request or a job page.
    Markdown,
    /// The statements, one row a fingerprint.
    Csv,
}

impl Format {
    /// Every format with its name, in the order of the help text.
    pub const ALL: [(&'static str, Self); 5] = [
        ("html", Self::Html),
        ("json", Self::Json),
        ("text", Self::Text),
        ("markdown", Self::Markdown),
        ("csv", Self::Csv),
    ];

    /// The format that a file name asks for by its extension: .html .htm .json .txt .text .md .markdown .csv.
    #[must_use]
    pub fn from_extension(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "html" | "htm" => Some(Self::Html),
            "json" => Some(Self::Json),
            "txt" | "text" => Some(Self::Text),
            "md" | "markdown" => Some(Self::Markdown),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// How an output looks. What it says does not depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Colours and bold type in the text output.
    pub color: bool,
    /// Columns of the terminal; lines of the text output are no longer.
    pub width: usize,
    /// Rows of a table in the page (pgFouine's 20), of its longest at least 50; in Markdown up to 10 of them.
    pub top: usize,
    /// Statements on the page; the rest is counted there and found in the JSON report.
    pub statements: usize,
    /// Bytes of one statement, plan or message on the page; what is longer is cut, visibly.
    pub sample_bytes: usize,
    /// Bytes of the page. A larger one is trimmed in steps, and says so.
    pub page_bytes: usize,
    /// Bytes of the Markdown output (a comment on GitHub holds 65,536 characters).
    pub markdown_bytes: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            color: false,
            width: 100,
            top: 20,
            statements: 500,
            sample_bytes: 8 * 1024,
            page_bytes: 5_000_000,
            markdown_bytes: 60_000,
        }
    }
}

/// Writes `report` as `format`.
///
/// # Errors
/// Only those of `out`.
pub fn render(report: &Report, format: Format, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Html => html::render(report, style, out),
        Format::Json => json::render(report, out),
        Format::Text => text::render(report, style, out),
        Format::Markdown => markdown::render(report, style, out),
        Format::Csv => csv::render(report, out),
    }
}
