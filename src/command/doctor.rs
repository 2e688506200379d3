//! `pglens doctor`: logs in, what they can tell and what they cannot out.

use pglens::assemble::{self, Wishes};
use pglens::doctor::{self, Form};
use pglens::output::{self, Interrupts, Readers, Target};
use pglens::render::json;

use super::{Failure, reading};
use crate::cli;

pub(crate) fn run(arguments: &cli::Doctor) -> Result<(), Failure> {
    let (plan, settings) = reading::plan(&arguments.logs, &arguments.reading, &cli::Filters::default())?;
    let wishes = Wishes { prefix_given: arguments.reading.log_line_prefix.is_some(), ..Wishes::default() };
    let report = assemble::report(reading::read(plan, &settings, arguments.quiet), &wishes);
    let diagnosis = doctor::diagnose(&report);
    let form = if arguments.rds { Form::Rds } else { Form::Conf };
    output::write(&Target::Stdout, Readers::Umask, &Interrupts::default(), |out| match arguments.format {
        cli::DoctorFormat::Text => doctor::render(&diagnosis, form, out),
        cli::DoctorFormat::Json => json::line(&diagnosis, out),
    })?;
    // What is wrong was said above, where it belongs; the exit code says it to scripts.
    reading::understood(&report)?;
    reading::complete(&report)
}
