//! The command line of `survey-app`.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use survey_app::config::{Profile, Switches};

#[derive(Debug, Parser)]
#[command(name = "survey-app", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let exactly N respondents take a survey, and count every statement
    Run {
        #[command(flatten)]
        switches: SwitchArguments,
        /// Respondents
        #[arg(long, default_value_t = 79)]
        users: usize,
        /// Pages of the survey, 1 to 60
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
        pages: u64,
        /// What their answers follow from
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where primary.log, replica.log and counters.json go
        #[arg(long)]
        logs: PathBuf,
        /// Respondents at a time
        #[arg(long, default_value_t = 4)]
        at_once: usize,
    },
    /// The parent of the servers; started by the other commands
    #[command(hide = true)]
    Keep,
}

#[derive(Clone, Debug, clap::Args)]
struct SwitchArguments {
    /// Where the switches start from
    #[arg(long, value_enum, default_value_t = Profile::Tuned)]
    profile: Profile,
    /// A TOML file with switches over the profile
    #[arg(long)]
    config: Option<PathBuf>,
    /// One switch, such as cache.empty_querysets=off; may repeat
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

impl SwitchArguments {
    fn load(&self) -> Result<Switches> {
        Switches::load(self.profile, self.config.as_deref(), &self.sets)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Keep => survey_app::stack::keeper::keep(),
        other => tokio::runtime::Runtime::new().context("the runtime").and_then(|r| r.block_on(command(other))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            survey_app::notice(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn command(command: Command) -> Result<()> {
    let exe = std::env::current_exe().context("our own path")?;
    match command {
        Command::Run { switches, users, pages, seed, logs, at_once } => {
            let switches = switches.load()?;
            let order = survey_app::run::Order { switches, users, pages: pages as usize, seed, at_once };
            let report = survey_app::run::run(&order, &exe, &logs).await?;
            let mut out = std::io::stdout().lock();
            for (server, kinds) in &report.totals {
                let kinds: Vec<String> = kinds.iter().map(|(k, n)| format!("{k} {n}")).collect();
                writeln!(out, "{server}: {}", kinds.join(", "))?;
            }
            Ok(())
        }
        Command::Keep => Ok(()),
    }
}
