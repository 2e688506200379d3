//! `survey-app capacity` as it is typed and answered.

use super::{PHASE_1, PHASE_2, Sheet, csv, html, plan, table};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::io::Write;
use std::path::PathBuf;

/// Which sheet, and how it is shown.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// A sheet as TOML; or phase1, phase2: the talk's own
    #[arg(default_value = "phase2")]
    pub sheet: String,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub format: Form,
    /// Where it is written, when not to the standard output
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// One value over the sheet, such as load.requests_per_second=3750; may repeat
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Print the sheet itself, as a beginning
    #[arg(long)]
    pub print_sheet: bool,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For a terminal.
    Table,
    /// For a spreadsheet.
    Csv,
    /// One page.
    Html,
}

/// Computes a plan and writes it.
pub fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let text = match arguments.sheet.as_str() {
        "phase1" => PHASE_1.to_string(),
        "phase2" => PHASE_2.to_string(),
        path => std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?,
    };
    let shown = if arguments.print_sheet {
        text
    } else {
        let plan = plan(&Sheet::read(&text, &arguments.sets)?);
        match arguments.format {
            Form::Table => table(&plan),
            Form::Csv => csv(&plan),
            Form::Html => html(&plan)?,
        }
    };
    match &arguments.out {
        Some(path) => std::fs::write(path, shown).with_context(|| format!("cannot write {}", path.display())),
        None => out.write_all(shown.as_bytes()).context("stdout"),
    }
}
