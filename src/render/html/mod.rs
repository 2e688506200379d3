//! The page: one file that needs no network, no script and no trust.
//!
//! Everything is rendered here, so the page reads with scripts off and prints; `templates/report.js` then adds
//! sorting, search and links. The policy in its head allows this very script and style sheet, by hash, and
//! nothing else: what a hostile log might smuggle in could neither run nor load nor submit.
//!
//! ```text
//!  Report ──view──▶ Page (plain values, texts made visible) ──askama──▶ bytes
//!           sections: statements, load, server, findings, trust
//! ```

use std::io;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::Style;
use crate::report::Report;

mod chart;
mod findings;
mod load;
mod page;
mod server;
mod statements;
mod trust;
mod view;

/// The script, whole. Nothing from a report is ever put into it.
const SCRIPT: &str = include_str!("../../../templates/report.js");

/// The style sheet, whole.
const STYLE: &str = include_str!("../../../templates/report.css");

/// How a page that is too large is trimmed, step by step: statements, and bytes of one text.
const TRIMS: [(usize, usize); 6] = [(500, 2_000), (300, 1_000), (200, 600), (100, 400), (50, 300), (20, 200)];

/// Writes the page.
pub(super) fn render(report: &Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = page(report, style, false)?;
    for (statements, sample_bytes) in TRIMS {
        if page.len() <= style.page_bytes {
            break;
        }
        let trimmed = Style {
            statements: style.statements.min(statements),
            sample_bytes: style.sample_bytes.min(sample_bytes),
            ..style.clone()
        };
        page = self::page(report, &trimmed, true)?;
    }
    out.write_all(page.as_bytes())
}

fn page(report: &Report, style: &Style, trimmed: bool) -> io::Result<String> {
    page::Page::new(report, style, trimmed).render().map_err(io::Error::other)
}

/// The Content-Security-Policy of the page.
fn policy() -> String {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        source_hash(SCRIPT),
        source_hash(STYLE)
    )
}

fn source_hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
