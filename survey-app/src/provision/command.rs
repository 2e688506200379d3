//! `survey-app provision apply|check|wipe` as it is typed and answered.

use super::state::{SHIPPED, State};
use super::{Role, apply, check, wipe};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Arguments {
    /// Make what is missing and change what differs
    Apply(Where),
    /// Name what differs from the state; exit code 1 when something does
    Check(Where),
    /// Stop every server below the directory and remove it
    Wipe {
        /// The directory that `apply` made
        #[arg(long)]
        root: PathBuf,
    },
    /// Print the state that is shipped, as a beginning
    Example,
}

/// Which state, and where.
#[derive(Clone, Debug, Args)]
pub struct Where {
    /// The TOML file that declares the servers
    #[arg(long)]
    pub state: PathBuf,
    /// The directory in which all of them live
    #[arg(long)]
    pub root: PathBuf,
    /// Only this role; may repeat
    #[arg(long = "role", value_enum)]
    pub roles: Vec<Role>,
}

/// Does it, and writes what was done or found to `out`.
///
/// # Errors
/// Whatever keeps it from being done; for `check` also that something is not as declared.
pub async fn run(arguments: &Arguments, exe: &Path, out: &mut impl Write) -> Result<()> {
    match arguments {
        Arguments::Apply(at) => {
            let done = apply(&State::read(&at.state)?, &at.root, exe, &at.roles).await?;
            for line in &done {
                writeln!(out, "{line}").context("stdout")?;
            }
            match done.len() {
                0 => writeln!(out, "nothing to change: everything is as declared").context("stdout"),
                1 => writeln!(out, "1 change").context("stdout"),
                n => writeln!(out, "{n} changes").context("stdout"),
            }
        }
        Arguments::Check(at) => {
            let drifts = check(&State::read(&at.state)?, &at.root, exe, &at.roles).await?;
            for drift in &drifts {
                writeln!(out, "{drift}").context("stdout")?;
            }
            match drifts.len() {
                0 => writeln!(out, "everything is as declared").context("stdout"),
                n => bail!(
                    "{n} of what is there {} not as {} declares it",
                    if n == 1 { "is" } else { "are" },
                    at.state.display()
                ),
            }
        }
        Arguments::Wipe { root } => {
            wipe(root)?;
            writeln!(out, "nothing is left of {}", root.display()).context("stdout")
        }
        Arguments::Example => out.write_all(SHIPPED.as_bytes()).context("stdout"),
    }
}
