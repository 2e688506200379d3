//! `survey-app tune` as it is typed and answered.

use super::{Disk, Machine, Profile, Talk, memory, print, tune};
use anyhow::{Context, Result};
use clap::Args;
use std::io::Write;

/// The machine.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Its memory, as 68GB
    #[arg(long)]
    pub memory: String,
    /// Its cores
    #[arg(long)]
    pub cores: u32,
    /// Where the data are
    #[arg(long, value_enum)]
    pub disk: Disk,
    /// Connections; what the cores can keep busy when not given
    #[arg(long)]
    pub connections: Option<u32>,
    /// What is asked of it
    #[arg(long, value_enum, default_value_t = Profile::Web)]
    pub profile: Profile,
    /// With commit_delay and commit_siblings, as in the talk
    #[arg(long)]
    pub talk: bool,
    /// With synchronous_commit = off and its warning
    #[arg(long)]
    pub synchronous_commit_off: bool,
}

/// Writes the lines for a machine.
pub fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let machine = Machine {
        memory: memory(&arguments.memory)?,
        cores: arguments.cores,
        disk: arguments.disk,
        profile: arguments.profile,
        connections: arguments.connections,
    };
    let talk =
        Talk { commit_delay: arguments.talk, synchronous_commit_off: arguments.synchronous_commit_off };
    out.write_all(print(&machine, &tune(&machine, talk)?).as_bytes()).context("stdout")
}
