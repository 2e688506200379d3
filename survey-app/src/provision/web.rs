//! The role `web`: pgbouncer, the web processes, the worker, and nginx before them, as on each of the talk's hosts.
//!
//! Everything here is a file and a process; what runs with an older file is started again. pgbouncer can be told
//! other settings at its console, so it is asked.

use super::ground::{Declared, Ground, Server};
use super::login::Login;
use super::state::{State, Web};
use super::{Drift, Role};
use crate::app::App;
use crate::assets::Assets;
use crate::config::Switches;
use crate::endpoints::{Endpoints, Postgres};
use crate::publish::Place;
use crate::respondent::Browser;
use crate::stack::keeper::Stop;
use crate::stack::nginx::{self, Front};
use crate::stack::{argv, find_program};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const ROLE: Role = Role::Web;
/// At most this long for an answer of the application.
const PATIENCE: Duration = Duration::from_secs(10);

/// The switches that are declared.
pub(super) fn switches(declared: &Web) -> Result<Switches> {
    let text = toml::to_string(&declared.switches).context("the declared switches")?;
    Switches::assemble(declared.profile, Some(&text), &[], &[]).context("[web.switches]")
}

/// Everything that is declared, in the order in which it is started.
struct Host {
    files: Vec<Declared>,
    servers: Vec<Server>,
}

/// pgbouncer, tables, published files, processes.
pub(super) async fn apply(ground: &mut Ground, state: &State) -> Result<()> {
    let web = state.web.as_ref().context("the state declares no web")?;
    let host = host(ground, state, web)?;
    for (dir, owner) in [("web/app", None), ("web/pgbouncer", ground.user), ("web/nginx", ground.user)] {
        ground.dir(dir, owner)?;
    }
    for file in &host.files {
        ground.write(file)?;
    }
    let published = published(ground);
    for sent in crate::assets::publish(&Place::directory(&published)?).await? {
        if sent.is_new {
            ground.note(ROLE, format!("published {}", sent.name));
        }
    }
    nginx::readable(&published)?;
    let (pgbouncer, others) = host.servers.split_first().context("pgbouncer is one")?;
    if !ground.ensure(pgbouncer).await?
        && let Some(drift) = pgbouncer_drifts(ground, web).await.first()
    {
        ground.restart(pgbouncer, &drift.to_string()).await?;
    }
    tables(ground, state, web).await?;
    for server in others {
        ground.ensure(server).await?;
    }
    for name in ground.surplus("web", web.processes)? {
        ground.keeper()?.stop(&name)?;
        ground.note(ROLE, format!("stopped {name}"));
    }
    match answers(web).await {
        None => Ok(()),
        Some(drift) => bail!("{drift}"),
    }
}

/// What of the web host is not as declared.
pub(super) async fn check(ground: &Ground, state: &State) -> Result<Vec<Drift>> {
    let web = state.web.as_ref().context("the state declares no web")?;
    let host = host(ground, state, web)?;
    let mut out: Vec<Drift> = host.files.iter().filter_map(|file| ground.compare(file)).collect();
    for server in &host.servers {
        out.extend(ground.compare_server(server)?);
    }
    for name in ground.surplus("web", web.processes)? {
        let actual = Some("a process".to_string());
        out.push(Drift { role: ROLE, what: name, declared: None, actual, place: String::new() });
    }
    if !out.iter().any(|d| d.what == "pgbouncer") {
        out.extend(pgbouncer_drifts(ground, web).await);
    }
    let published = published(ground);
    if !published.exists() || Assets::published(&Place::directory(&published)?, "").await.is_err() {
        out.push(drift("static files", "a manifest", None, ""));
    }
    out.extend(answers(web).await);
    Ok(out)
}

fn drift(what: &str, declared: &str, actual: Option<String>, place: &str) -> Drift {
    Drift {
        role: ROLE,
        what: what.to_string(),
        declared: Some(declared.to_string()),
        actual,
        place: place.to_string(),
    }
}

fn published(ground: &Ground) -> PathBuf {
    ground.root.join("web/static")
}

/// Files and servers, pgbouncer first and nginx last.
fn host(ground: &Ground, state: &State, web: &Web) -> Result<Host> {
    let (pooler_files, pooler) = pgbouncer(ground, state, web)?;
    let dir = ground.root.join("web/app");
    let file = |name: &str, text: String, is_secret| Declared {
        role: ROLE,
        path: dir.join(name),
        text,
        owner: None,
        is_secret,
    };
    let endpoints = toml::to_string(&endpoints(ground, state, web)?).context("the endpoints")?;
    let switches = toml::to_string(&switches(web)?).context("the switches")?;
    let state_of_app = format!("{endpoints}{switches}{}", crate::assets::manifest_name());
    let mut files = pooler_files.to_vec();
    files.push(file("endpoints.toml", endpoints, true));
    files.push(file("switches.toml", switches, false));
    let mut servers = vec![pooler];
    let exe = ground.exe.clone();
    let (at_switches, at_endpoints) = (text(&dir.join("switches.toml")), text(&dir.join("endpoints.toml")));
    let ours = |command: &str, more: &[&str]| -> Result<Vec<String>> {
        let common =
            ["--profile", web.profile.name(), "--config", &at_switches, "--endpoints", &at_endpoints];
        argv(&exe, &[&[command][..], &common[..], more].concat())
    };
    let mut behind = Vec::new();
    let at_static = text(&published(ground));
    for number in 1..=web.processes {
        let port = web.first_process.checked_add(number - 1).context("web.first_process is too high")?;
        let at = format!("127.0.0.1:{port}");
        let argv = ours("web", &["--listen", &at, "--static-dir", &at_static, "--static-url="])?;
        let spec = ground.spec(&format!("web{number}"), argv, None, Stop::Term, &state_of_app);
        servers.push(Server { role: ROLE, spec, at: Some(at.clone()) });
        behind.push(at);
    }
    if state.cache.redis.is_some() {
        let spec = ground.spec("worker", ours("worker", &[])?, None, Stop::Term, &state_of_app);
        servers.push(Server { role: ROLE, spec, at: None });
    }
    let (file, server) = nginx(ground, web, &behind)?;
    files.push(file);
    servers.push(server);
    Ok(Host { files, servers })
}

fn nginx(ground: &Ground, web: &Web, behind: &[String]) -> Result<(Declared, Server)> {
    let program = find_program("nginx", &["/usr/sbin"]).context(
        "nginx is not installed. On Debian or Ubuntu: apt-get install --no-install-recommends nginx",
    )?;
    let (dir, listen) = (ground.root.join("web/nginx"), address(&web.host, web.port));
    let text = nginx::config(&Front {
        listen: &listen,
        dir: &dir,
        published: &published(ground),
        web: behind,
        key: &ground.secrets.proxy_key,
        workers: &web.nginx.workers,
        keepalive: web.nginx.keepalive,
    })?;
    let path = dir.join("nginx.conf");
    let argv = nginx::command(&program, &dir, &path)?;
    let spec = ground.spec("nginx", argv, ground.user, Stop::Term, &text);
    let file = Declared { role: ROLE, path, text, owner: ground.user, is_secret: false };
    Ok((file, Server { role: ROLE, spec, at: Some(listen) }))
}

fn pgbouncer(ground: &Ground, state: &State, web: &Web) -> Result<([Declared; 2], Server)> {
    let program = find_program("pgbouncer", &["/usr/sbin"])
        .context("pgbouncer is not installed. On Debian or Ubuntu: apt-get install pgbouncer")?;
    let dir = ground.root.join("web/pgbouncer");
    let mut text =
        "; Written by `survey-app provision`; whatever is changed here by hand is lost.\n[databases]\n"
            .to_string();
    let replica = state.replica.as_ref().map(|r| ("survey_replica", r));
    for (name, at) in [("survey", &state.db)].into_iter().chain(replica) {
        text.push_str(&format!("{name} = host={} port={} dbname=survey\n", at.host, at.port));
    }
    text.push_str("[pgbouncer]\n");
    for (name, value) in settings(ground, web) {
        text.push_str(&format!("{name} = {value}\n"));
    }
    let users =
        format!("\"survey\" \"{}\"\n\"pooler\" \"{}\"\n", ground.secrets.survey, ground.secrets.pooler);
    let path = dir.join("pgbouncer.ini");
    let argv = argv(&program, &["-q", &path.display().to_string()])?;
    let spec = ground.spec("pgbouncer", argv, ground.user, Stop::Term, &format!("{text}{users}"));
    let file = |path, text, is_secret| Declared { role: ROLE, path, text, owner: ground.user, is_secret };
    let files = [file(path, text, false), file(dir.join("users"), users, true)];
    let at = Some(format!("127.0.0.1:{}", web.pgbouncer.port));
    Ok((files, Server { role: ROLE, spec, at }))
}

/// pgbouncer's settings: those that follow from the role, and the declared ones over them.
fn settings(ground: &Ground, web: &Web) -> BTreeMap<String, String> {
    let users = ground.root.join("web/pgbouncer/users");
    let ours = [
        ("listen_addr", "127.0.0.1".to_string()),
        ("listen_port", web.pgbouncer.port.to_string()),
        ("unix_socket_dir", String::new()),
        ("auth_type", "scram-sha-256".to_string()),
        ("auth_file", text(&users)),
        ("admin_users", "pooler".to_string()),
        ("ignore_startup_parameters", "extra_float_digits".to_string()),
    ];
    let ours = ours.into_iter().map(|(k, v)| (k.to_string(), v));
    ours.chain(web.pgbouncer.settings.iter().map(|(k, v)| (k.clone(), v.to_string()))).collect()
}

/// What the running pgbouncer says against what is declared, in both directions.
async fn pgbouncer_drifts(ground: &Ground, web: &Web) -> Vec<Drift> {
    let console = Login {
        host: "127.0.0.1".to_string(),
        port: web.pgbouncer.port,
        user: "pooler",
        password: ground.secrets.pooler.clone(),
        database: "pgbouncer",
        options: "",
    };
    let rows = match console.rows("SHOW CONFIG").await {
        Ok(rows) => rows,
        Err(error) => return vec![drift("pgbouncer", "an answer", None, &format!("{error:#}"))],
    };
    // key, value and, from 1.13 on, default.
    let said: BTreeMap<&str, &[String]> =
        rows.iter().filter_map(|row| Some((row.first()?.as_str(), row.get(1..)?))).collect();
    let same = |a: &str, b: &str| number_in_ini(a).is_some_and(|a| number_in_ini(b) == Some(a)) || a == b;
    let mut out = Vec::new();
    let declared = settings(ground, web);
    for (name, value) in &declared {
        let actual = said.get(name.as_str()).and_then(|said| said.first());
        if !actual.is_some_and(|actual| same(value, actual)) {
            out.push(drift(&format!("pgbouncer {name}"), value, actual.cloned(), "SHOW CONFIG"));
        }
    }
    for (name, said) in said {
        if let [value, default, ..] = said
            && !declared.contains_key(name)
            && !OF_THE_PROCESS.contains(&name)
            && !same(value, default)
        {
            let place = format!("SHOW CONFIG; the default is `{default}`");
            let what = format!("pgbouncer {name}");
            out.push(Drift { declared: None, ..drift(&what, "", Some(value.clone()), &place) });
        }
    }
    out
}

/// A number as pgbouncer writes it: a mode is octal as a default (0777) and decimal as a value (511), and nothing
/// stands for 0.
fn number_in_ini(text: &str) -> Option<f64> {
    match text {
        "" => Some(0.0),
        text if text.len() == 4 && text.starts_with('0') => u32::from_str_radix(text, 8).ok().map(f64::from),
        text => text.parse().ok(),
    }
}

/// What pgbouncer says of how it was started, not of what it was told.
const OF_THE_PROCESS: [&str; 4] = ["conffile", "job_name", "service_name", "user"];

fn endpoints(ground: &Ground, state: &State, web: &Web) -> Result<Endpoints> {
    let secrets = &ground.secrets;
    let at = |host: &str, port: u16, database: &str| Postgres {
        host: host.to_string(),
        port,
        database: database.to_string(),
        user: "survey".to_string(),
        password: secrets.survey.clone(),
    };
    let pooler = web.pgbouncer.port;
    Ok(Endpoints {
        secret: secrets.secret.clone(),
        proxy_key: Some(secrets.proxy_key.clone()),
        redis: state.cache.redis.as_ref().map(|r| address(&r.host, r.port)),
        memcached: state.cache.memcached.as_ref().map(|m| address(&m.host, m.port)),
        primary: at(&state.db.host, state.db.port, "survey"),
        replica: state.replica.as_ref().map(|r| at(&r.host, r.port, "survey")),
        pooled_primary: Some(at("127.0.0.1", pooler, "survey")),
        pooled_replica: state.replica.as_ref().map(|_| at("127.0.0.1", pooler, "survey_replica")),
    })
}

/// The application as this machine's web processes run it.
pub(super) async fn app(ground: &Ground, state: &State, web: &Web) -> Result<Arc<App>> {
    App::start(switches(web)?, &endpoints(ground, state, web)?, Assets::plain()).await
}

/// Creates the tables and the first administrator when there are none.
async fn tables(ground: &mut Ground, state: &State, web: &Web) -> Result<()> {
    let login = Login {
        host: state.db.host.clone(),
        port: state.db.port,
        user: "survey",
        password: ground.secrets.survey.clone(),
        database: "survey",
        options: "",
    };
    let there = login.rows("SELECT to_regclass('survey'), to_regclass('admin_user')").await;
    let there = there.context("the web role needs the primary; apply the role db first")?;
    if there.iter().flatten().all(|name| !name.is_empty()) {
        return Ok(());
    }
    let app = app(ground, state, web).await.context("apply the role cache first")?;
    crate::migrate::migrate(&app).await?;
    crate::admin::create_admin(&app, "admin", &ground.secrets.admin).await?;
    app.pools.close();
    ground.note(ROLE, "created the tables and the administrator `admin` (password in secrets.toml)");
    Ok(())
}

/// Whether the application answers through nginx.
async fn answers(web: &Web) -> Option<Drift> {
    let at = address(&web.host, web.port);
    let asking = async {
        let mut browser = Browser::new(at.parse().context("an address")?);
        browser.get("/admin/login").await
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(reply)) if reply.status.is_success() => None,
        Ok(Ok(reply)) => Some(drift("GET /admin/login", "200", Some(reply.status.as_u16().to_string()), &at)),
        Ok(Err(error)) => Some(drift("GET /admin/login", "200", None, &format!("{error:#}"))),
        Err(_) => Some(drift("GET /admin/login", "200", None, "no answer in time")),
    }
}

fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
