//! Rows of a report by fingerprint: its lists refer to statements, and outputs show the statement's text.

use std::collections::HashMap;

use crate::report::{RedundantSelect, Report, Statement};

/// Look-ups into one report. Nothing iterates over the maps, so their order never shows.
pub(super) struct Index<'a> {
    /// The report.
    pub(super) report: &'a Report,
    statements: HashMap<&'a str, &'a Statement>,
    redundant: HashMap<&'a str, &'a RedundantSelect>,
}

impl<'a> Index<'a> {
    /// Reads the report once.
    pub(super) fn new(report: &'a Report) -> Self {
        Self {
            report,
            statements: report.statements.iter().map(|s| (s.fingerprint.as_str(), s)).collect(),
            redundant: report.redundant_selects.iter().map(|r| (r.fingerprint.as_str(), r)).collect(),
        }
    }

    /// The statement of that fingerprint.
    pub(super) fn statement(&self, fingerprint: &str) -> Option<&'a Statement> {
        self.statements.get(fingerprint).copied()
    }

    /// How often it repeated itself.
    pub(super) fn redundant(&self, fingerprint: &str) -> Option<&'a RedundantSelect> {
        self.redundant.get(fingerprint).copied()
    }

    /// The normalised SQL, or the empty string for a fingerprint that the report does not list.
    pub(super) fn sql(&self, fingerprint: &str) -> &'a str {
        self.statement(fingerprint).map_or("", |s| s.sql.as_str())
    }
}
