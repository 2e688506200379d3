//! Logs analysed in-process, as `pglens report` would.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::sync::Arc;

use pglens::analyze::{Settings, analyze};
use pglens::assemble::{self, Wishes};
use pglens::chunk::{Opened, Remarks, Source};
use pglens::config::Config;
use pglens::filter::Filter;
use pglens::log::Hints;
use pglens::report::Report;

/// The `log_line_prefix` of examples.
pub(crate) const PREFIX: &str = "%m [%p] %q%u@%d ";

struct Text(String);

impl Source for Text {
    fn name(&self) -> &str {
        "example"
    }

    fn open(&mut self) -> io::Result<Opened> {
        let bytes = Box::new(Cursor::new(std::mem::take(&mut self.0).into_bytes()));
        Ok(Opened {
            bytes,
            begin: 0,
            dialect: None,
            compression: None,
            ahead: false,
            remarks: Remarks::default(),
        })
    }
}

/// The report on a log.
pub(crate) fn analyse(log: &str, prefix: &str) -> Report {
    analyse_with(log, prefix, Config::default(), 4096)
}

/// The report on a log, with a configuration, cut into chunks of so many bytes.
pub(crate) fn analyse_with(log: &str, prefix: &str, config: Config, chunk: usize) -> Report {
    analyse_files(&[log], Some(prefix), config, chunk)
}

/// The report on the files of one server, in order.
pub(crate) fn analyse_files(files: &[&str], prefix: Option<&str>, config: Config, chunk: usize) -> Report {
    let settings = Settings {
        jobs: 1,
        chunk,
        hints: Hints { prefix: prefix.map(str::to_owned), ..Hints::default() },
        detect: config.detect,
        filter: Arc::new(Filter::default()),
    };
    let stream = files.iter().map(|file| Box::new(Text((*file).to_owned())) as Box<dyn Source>).collect();
    let analysis = analyze(vec![stream], &settings);
    assemble::report(analysis, &Wishes { ignores: config.ignores, ..Wishes::default() })
}

/// What each kind of finding saves on each statement.
pub(crate) fn saved(report: &Report) -> BTreeMap<(String, String), u64> {
    let texts: BTreeMap<&str, &str> =
        report.statements.iter().map(|row| (row.fingerprint.as_str(), row.sql.as_str())).collect();
    let mut saved = BTreeMap::new();
    for finding in &report.findings {
        let sql = texts.get(finding.fingerprint.as_str()).copied().unwrap_or_default();
        *saved.entry((finding.kind.clone(), sql.to_owned())).or_default() += finding.cost.statements;
    }
    saved
}
