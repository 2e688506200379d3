//! What was typed: the command line of `survey-app`.
//!
//! Serves `main`. No I/O beyond reading switches.

use crate::config::{Profile, Switches};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The survey application of a talk, with every step of it as a switch.
#[derive(Debug, Parser)]
#[command(name = "survey-app", version, about)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything (PostgreSQL, replica, pgbouncer, memcached, Redis, web, worker) until Ctrl-C
    Up(Up),
    /// Stop what `up` started
    Down,
    /// A first look: only needs PostgreSQL's programs
    Demo(Demo),
    /// Let exactly N respondents take a survey, and count every statement
    Run(Run),
    /// Print the active switches
    Switches(SwitchArguments),
    /// List every address and its view
    Routes {
        /// Only how many there are
        #[arg(long)]
        count: bool,
    },
    /// Combine, minify and compress style sheets and scripts
    Assets {
        /// Where they and their manifest go
        #[arg(long)]
        dir: PathBuf,
    },
    /// Create the tables
    Migrate(Servers),
    /// Serve the pages
    Web(Web),
    /// Do background jobs
    Worker(Servers),
    /// Serve published style sheets and scripts
    Static {
        /// Where they are
        #[arg(long)]
        dir: PathBuf,
        /// Address to listen at
        #[arg(long)]
        listen: SocketAddr,
    },
    /// The parent of the servers; started by the other commands
    #[command(hide = true)]
    Keep,
}

/// Where the switches come from.
#[derive(Clone, Debug, Args)]
pub struct SwitchArguments {
    /// Where the switches start from
    #[arg(long, value_enum, default_value_t = Profile::Tuned)]
    pub profile: Profile,
    /// A TOML file with switches over the profile
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// One switch, such as cache.empty_querysets=off; may repeat (SURVEY_CACHE_EMPTY_QUERYSETS works too)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

impl SwitchArguments {
    /// The switches.
    pub fn load(&self) -> Result<Switches> {
        Switches::load(self.profile, self.config.as_deref(), &self.sets)
    }
}

/// `up`
#[derive(Clone, Debug, Args)]
pub struct Up {
    /// The switches.
    #[command(flatten)]
    pub switches: SwitchArguments,
    /// Port of the pages; a free one when not given
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Where logs go; beside everything else, and gone with it, when not given
    #[arg(long)]
    pub logs: Option<PathBuf>,
    /// People who may take the survey `run`, for a load test; 0: there is no such survey
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=200_000))]
    pub respondents: u32,
    /// Pages of that survey, 1 to 60
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub pages: u32,
    /// Where their login codes go; beside everything else, and gone with it, when not given
    #[arg(long)]
    pub codes: Option<PathBuf>,
}

/// `demo`
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Port of the pages; a free one when not given
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// One switch; may repeat
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// `run`
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// The switches.
    #[command(flatten)]
    pub switches: SwitchArguments,
    /// Respondents
    #[arg(long, default_value_t = 79, value_parser = clap::value_parser!(u32).range(1..=99_999))]
    pub users: u32,
    /// Pages of the survey, 1 to 60
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub pages: u32,
    /// What their answers follow from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where primary.log, replica.log and counters.json go
    #[arg(long)]
    pub logs: PathBuf,
    /// Respondents at a time
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub at_once: u32,
    /// One line more or other in both postgresql.conf, such as log_line_prefix='%t [%p]: [%l-1] '; may repeat
    #[arg(long = "pg", value_name = "NAME=VALUE")]
    pub settings: Vec<String>,
}

/// A process beside servers that run already.
#[derive(Clone, Debug, Args)]
pub struct Servers {
    /// The switches.
    #[command(flatten)]
    pub switches: SwitchArguments,
    /// A TOML file that says where the servers are
    #[arg(long)]
    pub endpoints: PathBuf,
}

/// `web`
#[derive(Clone, Debug, Args)]
pub struct Web {
    /// Switches and servers.
    #[command(flatten)]
    pub servers: Servers,
    /// Address to listen at
    #[arg(long)]
    pub listen: SocketAddr,
    /// Where `assets` published to; needed with assets.compress
    #[arg(long)]
    pub static_dir: Option<PathBuf>,
    /// Under which address that is served
    #[arg(long, default_value = "/static")]
    pub static_url: String,
}
