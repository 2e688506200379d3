//! What was typed: the command line of `survey-load`.
//!
//! Serves `main`. No I/O.

use crate::codes::Part;
use crate::order::{Order, Script, Think, Until, enough_users};
use clap::{ArgGroup, Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Virtual respondents for the survey application
#[derive(Debug, Parser)]
#[command(name = "survey-load", version, about)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Let respondents take whole surveys: so many (--users), or so long (--seconds)
    Run(Run),
    /// Write down what a browser does: point it to --listen instead of the application
    Record(Record),
    /// Do again what a journey says, as other respondents
    Replay(Replay),
    /// Merge the results of several runs at the same time
    Merge(Merge),
    /// One of several load processes; started by the others
    #[command(hide = true)]
    Part {
        /// Where its report goes; goose speaks on standard output
        #[arg(long)]
        json: PathBuf,
    },
}

/// How much load, and where its results go.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("end").args(["iterations", "seconds"]))]
pub struct Load {
    /// A file with login codes: CSV with the columns `address` and `code`
    #[arg(long, value_name = "FILE")]
    pub codes: PathBuf,
    /// Respondents at the same time; 1 when not given, or as many as --rate needs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=20_000))]
    pub users: Option<u64>,
    /// Surveys of each user; 1 when --seconds is not given. An exact run: it fails when a request is missing or
    /// too many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: Option<u64>,
    /// Go on for so long, with new respondents
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
    /// Requests per second, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub rate: Option<u64>,
    /// Pauses before each page is sent, in seconds: MIN..MAX, `no`, or (replay) `recorded`
    #[arg(long, default_value = "no")]
    pub think: Think,
    /// Load processes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub processes: u16,
    /// Seconds to wait for an answer
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// What answers and pauses follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where results go.
    #[command(flatten)]
    pub outputs: Outputs,
}

/// Where results go.
#[derive(Clone, Debug, Args)]
pub struct Outputs {
    /// Write the results as JSON
    #[arg(long, short = 'o', value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the results as a page that needs no network
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `run`
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// The application, such as http://127.0.0.1:8000
    #[arg(long, value_name = "URL")]
    pub host: String,
    /// How much.
    #[command(flatten)]
    pub load: Load,
}

/// `record`
#[derive(Clone, Debug, Args)]
pub struct Record {
    /// Where the browser goes
    #[arg(long, value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// The application, such as http://127.0.0.1:8000
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// The journey
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: PathBuf,
    /// The form field with the login code, which a replay fills with others
    #[arg(long, value_name = "NAME", default_value = "code")]
    pub code_field: String,
}

/// `replay`
#[derive(Clone, Debug, Args)]
pub struct Replay {
    /// What `record` wrote
    pub journey: PathBuf,
    /// The application; where the journey was recorded when not given
    #[arg(long, value_name = "URL")]
    pub host: Option<String>,
    /// Send each token wrong first; the application must refuse it with 403
    #[arg(long)]
    pub wrong_token_first: bool,
    /// The value of another placeholder of the journey; may repeat
    #[arg(long = "value", value_name = "NAME=VALUE", value_parser = pair)]
    pub values: Vec<(String, String)>,
    /// How much.
    #[command(flatten)]
    pub load: Load,
}

/// `merge`
#[derive(Clone, Debug, Args)]
pub struct Merge {
    /// Results of runs
    #[arg(required = true, value_name = "FILE")]
    pub reports: Vec<PathBuf>,
    /// Where results go.
    #[command(flatten)]
    pub outputs: Outputs,
}

impl Load {
    /// As an order for all processes together.
    pub fn order(&self, host: &str, script: Script) -> Order {
        let until = match self.seconds {
            Some(seconds) => Until::Seconds(seconds),
            None => Until::Times(self.iterations.unwrap_or(1)),
        };
        let users = match (self.users, self.rate) {
            (Some(users), _) => users,
            (None, Some(rate)) if self.seconds.is_some() => enough_users(rate, self.think),
            (None, _) => 1,
        };
        Order {
            host: host.to_string(),
            codes: self.codes.clone(),
            script,
            users: users.max(u64::from(self.processes)),
            until,
            rate: self.rate,
            think: self.think,
            timeout: self.timeout,
            seed: self.seed,
            part: Part::WHOLE,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE")?;
    Ok((name.to_string(), value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_typed_becomes_an_order() {
        let order = |line: &str| {
            let words = ["survey-load", "run", "--host", "http://h", "--codes", "c"];
            let all = words.into_iter().chain(line.split_whitespace());
            match Arguments::try_parse_from(all).unwrap().command {
                Command::Run(run) => run.load.order(&run.host, Script::Survey),
                other => panic!("{other:?}"),
            }
        };
        let counted = order("--users 79");
        assert_eq!((counted.users, counted.until, counted.rate), (79, Until::Times(1), None));
        let loaded = order("--rate 1250 --seconds 60 --think 0..2 --processes 3");
        assert_eq!((loaded.until, loaded.rate), (Until::Seconds(60), Some(1250)));
        assert_eq!((loaded.users, loaded.think), (750, Think::Between(0, 2000)));
        assert_eq!(order("--processes 4").users, 4);
        for bad in ["--seconds 1 --iterations 1", "--users 0", "--rate 0", "--think fast"] {
            let words = ["survey-load", "run", "--host", "http://h", "--codes", "c"];
            assert!(Arguments::try_parse_from(words.into_iter().chain(bad.split(' '))).is_err(), "{bad}");
        }
    }
}
