//! The binary: arguments → one of the library's entry points → exit code.
//!
//! 0: all as it was asked for. 1: the run shows trouble, and says which. 2: it could not be done.

use anyhow::{Context, Result};
use clap::Parser;
use std::io::{Read, Write};
use std::process::ExitCode;
use survey_load::cli::{Arguments, Command, Load, Outputs, Record};
use survey_load::order::{Order, Script};
use survey_load::report::Report;
use survey_load::{attack, fleet, journey::Journey, notice, output, page_of_run, record, summary};
use tokio::net::TcpListener;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = tokio::runtime::Runtime::new()
        .context("the runtime")
        .and_then(|r| r.block_on(command(arguments.command)));
    result.unwrap_or_else(|error| {
        notice(&format!("{error:#}"));
        ExitCode::from(2)
    })
}

async fn command(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run(run) => load(&run.host, Script::Survey, &run.load).await,
        Command::Replay(replay) => {
            let host = match &replay.host {
                Some(host) => host.clone(),
                None => Journey::read(&replay.journey)?.host,
            };
            let script = Script::Journey {
                path: replay.journey,
                wrong_token_first: replay.wrong_token_first,
                values: replay.values,
            };
            load(&host, script, &replay.load).await
        }
        Command::Record(arguments) => write_down(&arguments).await,
        Command::Merge(merge) => {
            let mut reports = merge.reports.iter().map(|path| Report::read(path));
            let mut all = reports.next().context("clap asks for one")??;
            for report in reports {
                all.add(&report?);
            }
            finish(&all, &merge.outputs)
        }
        Command::Part { json } => {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text).context("the order")?;
            let order: Order = serde_json::from_str(&text).context("the order")?;
            let report = attack::attack(&order).await?;
            output::write(&json, &report.to_json()?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn load(host: &str, script: Script, load: &Load) -> Result<ExitCode> {
    let order = load.order(host, script);
    let report = match load.processes {
        1 => attack::attack(&order).await?,
        processes => {
            let exe = std::env::current_exe().context("our own path")?;
            fleet::together(&order, usize::from(processes), &exe).await?
        }
    };
    finish(&report, &load.outputs)
}

fn finish(report: &Report, outputs: &Outputs) -> Result<ExitCode> {
    if let Some(path) = &outputs.json {
        output::write(path, &report.to_json()?)?;
    }
    if let Some(path) = &outputs.html {
        output::write(path, &page_of_run::render(report)?)?;
    }
    say(&summary::text(report))?;
    let complaints = report.complaints();
    for complaint in &complaints {
        notice(complaint);
    }
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn write_down(arguments: &Record) -> Result<ExitCode> {
    let listen = arguments.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen at {listen}"))?;
    let at = listener.local_addr().context("the listener's address")?;
    say(&format!("Open http://{at}/ instead of {}; Ctrl-C ends the recording.\n", arguments.to))?;
    let mut ended =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).context("signals")?;
    let until = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = ended.recv() => {}
        }
    };
    record::record(listener, &arguments.to, &arguments.code_field, &arguments.output, notice, until).await?;
    let requests = Journey::read(&arguments.output)?.requests.len();
    say(&format!("{requests} requests in {}\n", arguments.output.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("stdout")
}
