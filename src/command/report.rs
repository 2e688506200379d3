//! `pglens report`: logs in, one report out, in as many formats as wanted.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pglens::analyze::{self, Settings};
use pglens::assemble::{self, Wishes};
use pglens::input::{self, Plan, PlanOptions};
use pglens::log::Hints;
use pglens::output::{self, Target};
use pglens::render::{self, Format, Style};
use pglens::report::Report;

use super::{Failure, remark};
use crate::cli;

pub(crate) fn run(arguments: cli::Report) -> Result<(), Failure> {
    let outputs = outputs(&arguments)?;
    let plan = plan(&arguments)?;
    if !arguments.quiet {
        plan.notes.iter().for_each(|note| remark(note));
    }
    let settings = settings(&arguments.reading)?;
    let analysis = with_progress(&plan.progress, arguments.quiet, plan.streams, &settings);
    let wishes =
        Wishes { show_values: arguments.show_values, prefix_given: arguments.reading.log_line_prefix.is_some() };
    let report = assemble::report(analysis, wishes);
    understood(&report)?;
    for (target, format) in outputs {
        write(&report, &target, format, &arguments)?;
    }
    complete(&report, arguments.quiet)
}
