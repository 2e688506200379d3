//! `up`, `demo` and `down`: everything started by one command, and nothing left of it afterwards.
//!
//! Serves somebody who wants to see the application. The servers and processes belong to the keeper; what
//! ends this process, in whatever way, ends them.

use crate::admin::EXAMPLE_SURVEY;
use crate::app::App;
use crate::assets::Assets;
use crate::cli;
use crate::config::{Backend, Profile, Switches};
use crate::plan::{self, Plan};
use crate::router::Pin;
use crate::run::{self, Site};
use crate::scope::{Scope, View};
use crate::stack::keeper::{Spec, Stop};
use crate::stack::{Stack, Wanted};
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

const FIRST: View = View { name: "seed", route: "seed", read_only: &[] };
/// The first administrator.
const ADMIN: &str = "admin";

/// Starts everything and waits for a signal.
pub async fn up(arguments: &cli::Up, exe: &Path) -> Result<()> {
    let switches = arguments.switches.load()?;
    check(arguments, &switches)?;
    let signals = Signals::listen()?;
    let place = place();
    if let Some(pid) = running(&place) {
        bail!("a stack is up already (process {pid}); stop it with `survey-app down`");
    }
    let wanted = Wanted {
        application_name: switches.application_name(),
        nginx: !arguments.no_nginx,
        settings: switches.pg.profile.settings(),
        ..Wanted::everything(exe.to_path_buf(), arguments.logs.clone())
    };
    let started = signals.or(start(&switches, &wanted, arguments, &place)).await;
    let Some(started) = started else {
        return Ok(());
    };
    let (stack, letter) = started?;
    say(&letter)?;
    while signals.or(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {
        if !stack.keeper.is_alive() {
            let _ = std::fs::remove_file(&place);
            bail!("the keeper was killed, and with it everything that it had started");
        }
    }
    // Whoever read our output may be gone; the stack goes all the same.
    let _ = say("\nStopping …\n");
    tokio::task::spawn_blocking(move || drop(stack)).await.context("the stack")
}

/// Refuses what cannot work before anything is started.
fn check(arguments: &cli::Up, switches: &Switches) -> Result<()> {
    if arguments.web > 1 && arguments.no_nginx {
        bail!("several web processes need nginx before them; leave out --no-nginx or --web");
    }
    if arguments.web > 1 && switches.cache.backend == Backend::Locmem {
        bail!(
            "cache.backend=locmem is the memory of one process; with --web {} use memcached",
            arguments.web
        );
    }
    Ok(())
}

async fn start(
    switches: &Switches,
    wanted: &Wanted,
    arguments: &cli::Up,
    place: &Path,
) -> Result<(Stack, String)> {
    let stack = Stack::up(wanted).await?;
    write_new(place, &std::process::id().to_string())?;
    stack.keeper.remove_at_end(place)?;
    let endpoints = stack.dir.join("endpoints.toml");
    write_new(&endpoints, &toml::to_string(&stack.endpoints).context("the endpoints")?)?;
    let config = stack.dir.join("switches.toml");
    write_new(&config, &toml::to_string(switches).context("the switches")?)?;
    let dir = stack.dir.join("static");
    crate::assets::publish(&crate::publish::Place::directory(&dir)?).await?;
    let app = App::start(switches.clone(), &stack.endpoints, Assets::plain()).await?;
    let letter = first_steps(&app).await?;
    let for_load = seed_for_load(&app, arguments, &stack.dir).await?;
    app.pools.close();
    stack.wait_for_replica().await?;
    let profile = switches.profile.name().to_string();
    let common = |command: &str| -> Vec<String> {
        let pairs =
            [("--profile", profile.clone()), ("--config", text(&config)), ("--endpoints", text(&endpoints))];
        std::iter::once(command.to_string())
            .chain(pairs.into_iter().flat_map(|(k, v)| [k.to_string(), v]))
            .collect()
    };
    let front = Web { stack: &stack, published: &dir, command: common("web") };
    let (port, behind) = front.start(arguments).await?;
    stack.run_ours("worker", common("worker"))?;
    let mut out = format!("Switches: {}\n", switches.application_name());
    for (name, value) in switches.list() {
        out.push_str(&format!("  {name} = {value}\n"));
    }
    out.push_str(&letter.text(port));
    if !arguments.no_nginx {
        out.push_str(&format!("  nginx before    {}\n", behind.join(", ")));
    }
    out.push_str(&for_load);
    out.push_str(&format!("  logs            {}\n\nCtrl-C stops everything.\n", stack.logs.display()));
    Ok((stack, out))
}

/// The web processes, and what stands before them.
struct Web<'a> {
    stack: &'a Stack,
    published: &'a Path,
    command: Vec<String>,
}

impl Web<'_> {
    /// The port of the pages, and where the web processes behind it listen.
    async fn start(&self, arguments: &cli::Up) -> Result<(u16, Vec<String>)> {
        let wish = (arguments.port != 0).then_some(arguments.port);
        if arguments.no_nginx {
            let dir = text(self.published);
            let listen = |port| format!("127.0.0.1:{port}");
            let port = self
                .stack
                .serve_ours("static", None, |port| {
                    vec!["static".into(), "--dir".into(), dir.clone(), "--listen".into(), listen(port)]
                })
                .await?;
            let port = self.process("web", wish, &format!("http://127.0.0.1:{port}")).await?;
            return Ok((port, vec![listen(port)]));
        }
        let mut behind = Vec::new();
        for number in 1..=arguments.web {
            let name = if arguments.web == 1 { "web".to_string() } else { format!("web{number}") };
            behind.push(format!("127.0.0.1:{}", self.process(&name, None, "").await?));
        }
        Ok((self.stack.start_nginx(&behind, self.published, wish).await?, behind))
    }

    async fn process(&self, name: &str, port: Option<u16>, static_url: &str) -> Result<u16> {
        self.stack
            .serve_ours(name, port, |port| {
                let mut all = self.command.clone();
                all.extend(["--listen".into(), format!("127.0.0.1:{port}")]);
                all.extend(["--static-dir".into(), text(self.published)]);
                all.push(format!("--static-url={static_url}"));
                all
            })
            .await
    }
}

/// A first look with one PostgreSQL and nothing else.
pub async fn demo(arguments: &cli::Demo, exe: &Path) -> Result<()> {
    let mut sets: Vec<String> =
        ["session.backend=db", "cache.backend=locmem", "router.mode=off", "assets.compress=off"]
            .map(str::to_string)
            .to_vec();
    sets.extend(arguments.sets.iter().cloned());
    let switches = Switches::load(Profile::Tuned, None, &sets)?;
    let signals = Signals::listen()?;
    let wanted = Wanted {
        replica: false,
        pgbouncer: false,
        memcached: false,
        redis: false,
        ..Wanted::everything(exe.to_path_buf(), None)
    };
    let starting = async {
        let stack = Stack::up(&wanted).await?;
        let app = App::start(switches, &stack.endpoints, Assets::plain()).await?;
        let letter = first_steps(&app).await?;
        let site = Site::serve_at(&app, arguments.port).await?;
        Ok::<_, anyhow::Error>((stack, site, letter))
    };
    let Some(started) = signals.or(starting).await else { return Ok(()) };
    let (stack, site, letter) = started?;
    say(&format!("{}\nCtrl-C stops everything.\n", letter.text(site.at.port())))?;
    signals.wait().await;
    site.stop().await;
    tokio::task::spawn_blocking(move || drop(stack)).await.context("the stack")
}

/// Stops what `up` started, and waits until it is gone.
pub fn down() -> Result<()> {
    let place = place();
    let Some(pid) = running(&place) else {
        let _ = std::fs::remove_file(&place);
        return say("Nothing is up.\n");
    };
    let raw = rustix::process::Pid::from_raw(pid).context("a process id")?;
    rustix::process::kill_process(raw, rustix::process::Signal::TERM).context("cannot stop it")?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while running(&place).is_some() {
        if Instant::now() > deadline {
            bail!("process {pid} does not end");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    say("Stopped.\n")
}

/// What somebody needs to look around.
struct Letter {
    password: String,
    codes: Vec<String>,
    slug: String,
}

impl Letter {
    fn text(&self, port: u16) -> String {
        let site = format!("http://127.0.0.1:{port}");
        format!(
            "\n  administration  {site}/admin/   {ADMIN} / {}\n  survey          {site}/survey/{}/\n  login codes     {}\n  \
             debug panel     {site}/debug/\n",
            self.password,
            self.slug,
            self.codes.join("\n                  "),
        )
    }
}

/// Tables, an administrator, a survey and a few people who may take it.
async fn first_steps(app: &Arc<App>) -> Result<Letter> {
    crate::migrate::migrate(app).await?;
    let password = crate::secret::random_hex(8);
    crate::admin::create_admin(app, ADMIN, &password).await?;
    let scope = Scope::begin(Arc::clone(app), FIRST, None, Pin::default());
    let example = Plan::read(EXAMPLE_SURVEY)?;
    let survey = plan::store(&scope, &example).await?;
    let people =
        [("Jordan Reyes", "North School"), ("Sam Okafor", "Lake School"), ("Kim Larsen", "Lake School")];
    let people: Vec<(String, String)> = people.iter().map(|(p, s)| (p.to_string(), s.to_string())).collect();
    plan::enroll(&scope, survey, &people).await?;
    scope.finish(true).await?;
    let codes =
        people.iter().map(|(person, _)| crate::secret::login_code(&app.secret, survey, person)).collect();
    Ok(Letter { password, codes, slug: example.slug })
}

/// A survey and people for a load test; the line about them in the letter.
async fn seed_for_load(app: &Arc<App>, arguments: &cli::Up, dir: &Path) -> Result<String> {
    let people = arguments.respondents as usize;
    if people == 0 {
        return Ok(String::new());
    }
    let survey = run::seed(app, people, arguments.pages as usize).await?;
    let path = arguments.codes.clone().unwrap_or_else(|| dir.join("codes.csv"));
    write_new(&path, &run::codes(app, survey, people))?;
    Ok(format!("  for survey-load {people} login codes in {}\n", path.display()))
}

impl Stack {
    /// Starts one of our own processes that listens on a free port, or on `port`.
    async fn serve_ours(
        &self,
        name: &str,
        port: Option<u16>,
        arguments: impl Fn(u16) -> Vec<String>,
    ) -> Result<u16> {
        let exe = text(&std::env::current_exe().context("our own path")?);
        self.serve_as(name, port, Stop::Term, None, |port| {
            Ok(std::iter::once(exe.clone()).chain(arguments(port)).collect())
        })
        .await
    }

    fn run_ours(&self, name: &str, arguments: Vec<String>) -> Result<()> {
        let exe = text(&std::env::current_exe().context("our own path")?);
        let argv = std::iter::once(exe).chain(arguments).collect();
        let log = self.logs.join(format!("{name}.log"));
        self.keeper.run(Spec {
            name: name.to_string(),
            argv,
            env: Vec::new(),
            user: None,
            log,
            stop: Stop::Term,
        })?;
        Ok(())
    }
}

/// The signals that mean: end in good order.
struct Signals {
    told: tokio::sync::watch::Receiver<bool>,
}

impl Signals {
    fn listen() -> Result<Signals> {
        let (tell, told) = tokio::sync::watch::channel(false);
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let (mut signal, tell) = (signal(kind).context("signals")?, tell.clone());
            tokio::spawn(async move {
                signal.recv().await;
                let _ = tell.send(true);
            });
        }
        Ok(Signals { told })
    }

    async fn wait(&self) {
        let _ = self.told.clone().wait_for(|told| *told).await;
    }

    /// The outcome of `work`, or `None` when a signal came first.
    async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            outcome = work => Some(outcome),
            () = self.wait() => None,
        }
    }
}

/// Waits for one of the signals that mean: end in good order.
pub async fn until_told() -> Result<()> {
    Signals::listen()?.wait().await;
    Ok(())
}

/// The file that says which process is up, one a user.
fn place() -> PathBuf {
    std::env::temp_dir().join(format!("survey-app-{}.up", rustix::process::getuid().as_raw()))
}

/// The process that is up.
fn running(place: &Path) -> Option<i32> {
    let pid: i32 = std::fs::read_to_string(place).ok()?.trim().parse().ok()?;
    // Empty for a process that has ended and that nobody has waited for yet.
    let name = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    String::from_utf8_lossy(&name).contains("survey-app").then_some(pid)
}

/// Writes a file that only we can read; one that is there already is from a process that is gone.
fn write_new(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let _ = std::fs::remove_file(path);
    let mut open = std::fs::OpenOptions::new();
    let mut file = open
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("stdout")
}
