//! The `pglens` command: arguments → run → exit code.

mod cli;
mod command;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Report(report) => command::report::run(*report),
        Command::Doctor(doctor) => command::doctor::run(&doctor),
        Command::Fingerprint(fingerprint) => command::fingerprint::run(&fingerprint),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            command::remark(&failure.to_string());
            failure.exit_code()
        }
    }
}
