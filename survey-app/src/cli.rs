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
    /// Start everything (PostgreSQL, replica, pgbouncer, memcached, Redis, web, worker, nginx) until Ctrl-C
    Up(Up),
    /// Stop what `up` started
    Down,
    /// A first look: only needs PostgreSQL's programs
    Demo(Demo),
    /// Let exactly N respondents take a survey, and count every statement
    Run(Run),
    /// Watch servers that run already, and make a page of where the time goes
    Observe(Observe),
    /// One of the talk's lessons as a run, with the numbers that it is judged by
    Lesson(Lesson),
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
        /// Where they and their manifest go: a directory, file:///… or s3://bucket/prefix
        #[arg(long, alias = "dir")]
        to: String,
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
    /// The servers as a file in git declares them: make them, check them, remove them
    #[command(subcommand)]
    Provision(crate::provision::Arguments),
    /// From targets and machines to workers, connections and pools: the talk's spreadsheet
    Capacity(crate::capacity::Arguments),
    /// A postgresql.conf for a machine, with the reason for each line
    Tune(crate::tune::Arguments),
    /// The parent of the servers; started by the other commands
    #[command(hide = true)]
    Keep {
        /// Listen here instead of at standard input
        #[arg(long)]
        socket: Option<PathBuf>,
    },
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
    /// Web processes behind nginx
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub web: u32,
    /// One web process without nginx before it, and a process of our own for the static files
    #[arg(long)]
    pub no_nginx: bool,
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
    /// A page of where the time went
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// One line more or other in both postgresql.conf, such as log_line_prefix='%t [%p]: [%l-1] '; may repeat
    #[arg(long = "pg", value_name = "NAME=VALUE")]
    pub settings: Vec<String>,
}

/// `observe`
#[derive(Clone, Debug, Args)]
pub struct Observe {
    /// A TOML file that says where the servers are
    #[arg(long)]
    pub endpoints: PathBuf,
    /// Address of a web process; may repeat
    #[arg(long, required = true)]
    pub web: Vec<SocketAddr>,
    /// For how long; Ctrl-C ends it early
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=7200))]
    pub seconds: u32,
    /// The page, or with a name that ends in .json the numbers behind it
    #[arg(short, long, default_value = "run.html")]
    pub output: PathBuf,
    /// What the page is called
    #[arg(long, default_value = "Where the time goes")]
    pub title: String,
    /// One more process to show by its role, such as load=4711; may repeat
    #[arg(long = "process", value_name = "NAME=PID")]
    pub processes: Vec<String>,
}

/// `lesson`
#[derive(Clone, Debug, Args)]
pub struct Lesson {
    /// Which one
    #[arg(value_enum)]
    pub name: LessonName,
    /// The page with the time of each variant
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// The numbers
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// How long each variant is loaded
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=300))]
    pub seconds: u32,
    /// Respondents at a time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub clients: u32,
}

/// A lesson of the talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LessonName {
    /// One thread for CPU-bound requests makes I/O look slow
    EventLoop,
    /// The cache in Redis, then in memcached
    Cache,
    /// Three times what the stack holds, without and with limits
    Overload,
    /// Commits by PostgreSQL's settings, on this disk and on a slow one
    Commit,
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
    /// Where `assets` published to (directory or address); needed with assets.compress
    #[arg(long)]
    pub static_dir: Option<String>,
    /// Under which address that is served
    #[arg(long, default_value = "/static")]
    pub static_url: String,
}
