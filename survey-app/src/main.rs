//! The binary: arguments → one of the library's entry points → exit code.

use anyhow::{Context, Result};
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;
use survey_app::app::App;
use survey_app::assets::Assets;
use survey_app::cli::{Arguments, Command, Run, Servers, Web};
use survey_app::endpoints::Endpoints;
use survey_app::publish::Place;
use survey_app::{capacity, config, lesson, migrate, observe, provision, run, site, stack, tune, up, worker};
use tokio::net::TcpListener;

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        // The keeper is single-threaded: the kernel tells its children when their thread's process dies.
        Command::Keep { socket } => stack::keeper::keep(socket.as_deref()),
        other => runtime(&other).and_then(|r| r.block_on(command(other))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            survey_app::notice(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Only the web process has a choice: the others measure it, and must not wait for it.
fn runtime(command: &Command) -> Result<tokio::runtime::Runtime> {
    let web = match command {
        Command::Web(web) => Some(web.servers.switches.load()?),
        _ => None,
    };
    let mut builder = match &web {
        Some(s) if s.runtime == config::Runtime::EventLoop => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if let Some(threads) = web.map(|s| s.web.threads).filter(|n| *n > 0) {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().context("the runtime")
}

async fn command(command: Command) -> Result<()> {
    let exe = std::env::current_exe().context("our own path")?;
    let mut out = std::io::stdout().lock();
    match command {
        Command::Up(arguments) => {
            drop(out);
            up::up(&arguments, &exe).await
        }
        Command::Down => {
            drop(out);
            up::down()
        }
        Command::Demo(arguments) => {
            drop(out);
            up::demo(&arguments, &exe).await
        }
        Command::Run(arguments) => count(&arguments, &exe, &mut out).await,
        Command::Observe(arguments) => {
            let recording = observe::observe(&arguments).await?;
            observe::write(&recording, &arguments.output)?;
            writeln!(out, "{}", arguments.output.display()).context("stdout")
        }
        Command::Lesson(arguments) => lesson::teach(&arguments, &exe, &mut out).await,
        Command::Switches(arguments) => {
            let switches = arguments.load()?;
            for (name, value) in switches.list() {
                writeln!(out, "{name} = {value}")?;
            }
            writeln!(out, "\n{}", switches.application_name()).context("stdout")
        }
        Command::Routes { count } => {
            let routes = site::routes();
            if count {
                return writeln!(out, "{}", routes.len()).context("stdout");
            }
            for route in routes {
                writeln!(out, "{:4} {:44} {}", route.method, route.path, route.view.name)?;
            }
            Ok(())
        }
        Command::Assets { to } => {
            for sent in survey_app::assets::publish(&Place::open(&to)?).await? {
                writeln!(out, "{:10} {}", if sent.is_new { "uploaded" } else { "was there" }, sent.name)?;
            }
            Ok(())
        }
        Command::Migrate(servers) => migrate::migrate(&start(&servers, Assets::plain()).await?.0).await,
        Command::Web(arguments) => web(&arguments).await,
        Command::Worker(servers) => {
            let (app, endpoints) = start(&servers, Assets::plain()).await?;
            let redis = endpoints.redis.context("the worker needs Redis")?;
            tokio::select! {
                done = worker::serve(&app, &redis) => done,
                told = up::until_told() => told,
            }
        }
        Command::Static { dir, listen } => {
            let listener =
                TcpListener::bind(listen).await.with_context(|| format!("cannot listen at {listen}"))?;
            site::serve_static(&dir, listener, async { drop(up::until_told().await) }).await
        }
        Command::Provision(arguments) => provision::run(&arguments, &exe, &mut out).await,
        Command::Capacity(arguments) => capacity::run(&arguments, &mut out),
        Command::Tune(arguments) => tune::run(&arguments, &mut out),
        Command::Keep { .. } => Ok(()),
    }
}

async fn count(arguments: &Run, exe: &std::path::Path, out: &mut impl Write) -> Result<()> {
    let settings: Option<Vec<(String, String)>> = arguments
        .settings
        .iter()
        .map(|s| s.split_once('=').map(|(k, v)| (k.to_string(), v.trim_matches('\'').to_string())))
        .collect();
    let order = run::Order {
        switches: arguments.switches.load()?,
        users: arguments.users as usize,
        pages: arguments.pages as usize,
        seed: arguments.seed,
        at_once: arguments.at_once as usize,
        settings: settings.context("--pg takes NAME=VALUE")?,
    };
    for (name, value) in order.switches.list() {
        writeln!(out, "{name} = {value}")?;
    }
    writeln!(out, "application_name = {}\n", order.switches.application_name())?;
    let report = run::run(&order, exe, &arguments.logs, arguments.output.as_deref()).await?;
    for (server, kinds) in &report.totals {
        let kinds: Vec<String> = kinds.iter().map(|(k, n)| format!("{k} {n}")).collect();
        writeln!(
            out,
            "{server:8} {}",
            if kinds.is_empty() { "nothing".to_string() } else { kinds.join(", ") }
        )?;
    }
    let requests: u64 = report.requests.values().sum();
    writeln!(out, "{requests} requests, {} answers saved; see {}", report.answers, arguments.logs.display())
        .context("stdout")
}

async fn web(arguments: &Web) -> Result<()> {
    let assets = match &arguments.static_dir {
        Some(dir) if arguments.servers.switches.load()?.assets.compress => {
            Assets::published(&Place::open(dir)?, &arguments.static_url).await?
        }
        Some(_) => Assets::plain(),
        None if arguments.servers.switches.load()?.assets.compress => {
            anyhow::bail!("assets.compress needs --static-dir, or switch it off")
        }
        None => Assets::plain(),
    };
    let (app, _) = start(&arguments.servers, assets).await?;
    survey_app::notice(&app.switches.application_name());
    let listen = arguments.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen at {listen}"))?;
    site::serve(&app, listener, async { drop(up::until_told().await) }).await
}

async fn start(servers: &Servers, assets: Assets) -> Result<(std::sync::Arc<App>, Endpoints)> {
    let endpoints = Endpoints::read(&servers.endpoints)?;
    Ok((App::start(servers.switches.load()?, &endpoints, assets).await?, endpoints))
}
