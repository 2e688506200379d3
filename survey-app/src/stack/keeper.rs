//! The keeper: a small process that is the parent of every server we start, and that none of them outlives.
//!
//! ```text
//!   survey-app up ── pipe ──► survey-app keep ──► postgres, pgbouncer, memcached, redis, web, worker, nginx
//! ```
//!
//! Whatever ends the process in front (Ctrl-C, an error, `kill -9`), the pipe closes, and the keeper stops
//! what it started in reverse order, reaps it and removes the directory. Should the keeper itself be killed,
//! the kernel tells its children (`setpriv --pdeathsig`). It is single-threaded and knows nothing about what
//! it runs. Serves [`super::Stack`].
//!
//! For `provision` it stays: it listens at a socket instead of a pipe, obeys one caller after the other, and
//! ends when it is told to.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(8);

/// A server to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// What it is called from then on.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment beside our own.
    pub env: Vec<(String, String)>,
    /// Who it runs as, when not as we do.
    pub user: Option<User>,
    /// Where its standard output and standard error go, appended.
    pub log: PathBuf,
    /// Which signal ends it in good order.
    pub stop: Stop,
}

/// The signal that ends a server in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// SIGINT: PostgreSQL's fast shutdown.
    Int,
    /// SIGTERM.
    Term,
}

/// A user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// Its group's.
    pub gid: u32,
}

#[derive(Debug, Serialize, Deserialize)]
enum Order {
    Start(Spec),
    /// Runs a program to its end.
    Once(Spec),
    /// Ends a server in good order, at the latest by SIGKILL.
    Stop(String),
    /// SIGKILL, as a crash.
    Kill(String),
    /// Whether it runs.
    Ask(String),
    /// As what it was started, while it runs.
    Spec(String),
    /// Stops everything and ends, although it listens at a socket.
    End,
    /// A directory or file that goes when the keeper goes.
    Remove(PathBuf),
}

#[derive(Debug, Serialize, Deserialize)]
enum Report {
    Pid(u32),
    Running(bool),
    Spec(Option<Spec>),
    Done,
    Failed(String),
}

/// The keeper as the process in front sees it.
pub struct Keeper {
    child: Option<Child>,
    pipe: Mutex<Option<Pipe>>,
}

type Pipe = (Box<dyn Write + Send>, Box<dyn BufRead + Send>);

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keeper({:?})", self.child)
    }
}

impl Keeper {
    /// Starts `exe keep`.
    pub fn start(exe: &Path) -> Result<Keeper> {
        let mut child = Command::new(exe)
            .arg("keep")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its own group: a Ctrl-C in the terminal is for the process in front alone.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", exe.display()))?;
        let stdin = child.stdin.take().context("piped above")?;
        let stdout = child.stdout.take().context("piped above")?;
        let pipe: Pipe = (Box::new(stdin), Box::new(BufReader::new(stdout)));
        Ok(Keeper { child: Some(child), pipe: Mutex::new(Some(pipe)) })
    }

    /// The keeper that listens at `socket`; `None` when there is none. Waits while another caller is served.
    pub fn connect(socket: &Path) -> Result<Option<Keeper>> {
        let Ok(stream) = UnixStream::connect(socket) else { return Ok(None) };
        let reader = BufReader::new(stream.try_clone().context("the keeper's socket")?);
        let pipe: Pipe = (Box::new(stream), Box::new(reader));
        Ok(Some(Keeper { child: None, pipe: Mutex::new(Some(pipe)) }))
    }

    /// Starts a keeper that listens at `socket` and outlives us; its own complaints go to `log`.
    pub fn detach(exe: &Path, socket: &Path, log: &Path) -> Result<Keeper> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = Command::new(exe)
            .args(["keep", "--socket"])
            .arg(socket)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", exe.display()))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(keeper) = Keeper::connect(socket)? {
                return Ok(keeper);
            }
            if let Some(status) = child.try_wait().context("the keeper")? {
                bail!("the keeper {}; it listens at {}", ended(status), socket.display());
            }
            if Instant::now() > deadline {
                bail!("the keeper does not listen at {}", socket.display());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Tells a keeper that listens at a socket to stop everything and to end; returns when all has stopped.
    pub fn shut_down(&self) -> Result<()> {
        self.order(&Order::End).map(drop)
    }

    /// As what a server was started, while it runs.
    pub fn spec(&self, name: &str) -> Result<Option<Spec>> {
        match self.order(&Order::Spec(name.to_string()))? {
            Report::Spec(spec) => Ok(spec),
            other => bail!("the keeper answered {other:?}"),
        }
    }

    /// Starts a server; its process id.
    pub fn run(&self, spec: Spec) -> Result<u32> {
        match self.order(&Order::Start(spec))? {
            Report::Pid(pid) => Ok(pid),
            other => bail!("the keeper answered {other:?}"),
        }
    }

    /// Runs a program to its end; an error carries what it wrote to its standard error. The keeper does this
    /// too, because a program that outlives us would go on writing into the directory that is to go.
    pub fn once(&self, spec: Spec) -> Result<()> {
        self.order(&Order::Once(spec)).map(drop)
    }

    /// Ends a server in good order.
    pub fn stop(&self, name: &str) -> Result<()> {
        self.order(&Order::Stop(name.to_string())).map(drop)
    }

    /// Kills a server as a crash would.
    pub fn kill(&self, name: &str) -> Result<()> {
        self.order(&Order::Kill(name.to_string())).map(drop)
    }

    /// Whether a server runs.
    pub fn is_running(&self, name: &str) -> Result<bool> {
        Ok(matches!(self.order(&Order::Ask(name.to_string()))?, Report::Running(true)))
    }

    /// Removes a directory or a file when everything has stopped.
    pub fn remove_at_end(&self, dir: &Path) -> Result<()> {
        self.order(&Order::Remove(dir.to_path_buf())).map(drop)
    }

    /// Whether the keeper itself is alive.
    pub fn is_alive(&self) -> bool {
        self.order(&Order::Ask(String::new())).is_ok()
    }

    /// Stops everything, and waits until it has stopped; a keeper at a socket is only left alone.
    pub fn end(&mut self) {
        // The closed pipe is the order to end.
        self.pipe.lock().expect("no panic holds this lock").take();
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }

    fn order(&self, order: &Order) -> Result<Report> {
        let mut pipe = self.pipe.lock().expect("no panic holds this lock");
        let (stdin, stdout) = pipe.as_mut().context("the keeper has ended")?;
        let line = serde_json::to_string(order).context("an order is plain values")?;
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).context("the keeper is gone")?;
        let mut answer = String::new();
        stdout.read_line(&mut answer).context("the keeper is gone")?;
        match serde_json::from_str(&answer).context("the keeper is gone")? {
            Report::Failed(why) => bail!("{why}"),
            report => Ok(report),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

struct Kept {
    spec: Spec,
    child: Child,
}

/// The process itself: obeys its standard input until that ends, or whoever comes to `socket` until it is told
/// to end.
pub fn keep(socket: Option<&Path>) -> Result<()> {
    let (mut kept, mut directories) = (Vec::new(), Vec::new());
    match socket {
        None => {
            serve(std::io::stdin().lock(), std::io::stdout().lock(), &mut kept, &mut directories);
        }
        Some(socket) => listen(socket, &mut kept, &mut directories)?,
    }
    close(&mut kept);
    for directory in directories {
        // Somebody who still holds a file does not keep the others from going.
        let _ = std::fs::remove_dir_all(&directory).or_else(|_| std::fs::remove_file(&directory));
    }
    Ok(())
}

/// One caller after the other, until one says that this is the end.
fn listen(socket: &Path, kept: &mut Vec<Kept>, directories: &mut Vec<PathBuf>) -> Result<()> {
    // A session of its own: a terminal that is closed must not end it.
    let _ = rustix::process::setsid();
    // Left by a keeper that was killed; one that lives has been asked before we were started.
    let _ = std::fs::remove_file(socket);
    let listener =
        UnixListener::bind(socket).with_context(|| format!("cannot listen at {}", socket.display()))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600)).context("the socket's mode")?;
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let Ok(answers) = stream.try_clone() else { continue };
        if serve(BufReader::new(stream), answers, kept, directories) {
            let _ = std::fs::remove_file(socket);
            break;
        }
    }
    Ok(())
}

/// Obeys `orders` until they end; whether the last one was [`Order::End`].
fn serve(
    orders: impl BufRead,
    mut answers: impl Write,
    kept: &mut Vec<Kept>,
    directories: &mut Vec<PathBuf>,
) -> bool {
    for line in orders.lines() {
        let Ok(line) = line else { break };
        let order = serde_json::from_str(&line);
        let is_end = matches!(order, Ok(Order::End));
        let report = match order {
            Ok(order) => obey(order, kept, directories).unwrap_or_else(|e| Report::Failed(format!("{e:#}"))),
            Err(error) => Report::Failed(error.to_string()),
        };
        let text = serde_json::to_string(&report).expect("a report is plain values");
        // Nobody may be listening any more; what was started is stopped all the same.
        let is_heard = writeln!(answers, "{text}").and_then(|()| answers.flush()).is_ok();
        if is_end {
            return true;
        }
        if !is_heard {
            break;
        }
    }
    false
}

/// Ends everything, the last first.
fn close(kept: &mut Vec<Kept>) {
    while let Some(mut last) = kept.pop() {
        end(&mut last);
    }
}

fn obey(order: Order, kept: &mut Vec<Kept>, directories: &mut Vec<PathBuf>) -> Result<Report> {
    Ok(match order {
        Order::Start(spec) => {
            kept.retain_mut(|k| k.spec.name != spec.name || matches!(k.child.try_wait(), Ok(None)));
            if kept.iter().any(|k| k.spec.name == spec.name) {
                bail!("{} runs already", spec.name);
            }
            let child = start(&spec)?;
            let pid = child.id();
            kept.push(Kept { spec, child });
            Report::Pid(pid)
        }
        Order::Once(spec) => {
            let output = command(&spec).output().with_context(|| format!("cannot start {}", spec.argv[0]))?;
            if !output.status.success() {
                bail!(
                    "{} {}: {}",
                    spec.name,
                    ended(output.status),
                    String::from_utf8_lossy(&output.stderr).trim()
                );
            }
            Report::Done
        }
        Order::Stop(name) => {
            if let Some(at) = kept.iter().position(|k| k.spec.name == name) {
                end(&mut kept.remove(at));
            }
            Report::Done
        }
        Order::Kill(name) => {
            if let Some(at) = kept.iter().position(|k| k.spec.name == name) {
                let mut dead = kept.remove(at);
                let _ = dead.child.kill();
                let _ = dead.child.wait();
            }
            Report::Done
        }
        Order::Ask(name) => {
            let found = kept.iter_mut().find(|k| k.spec.name == name);
            Report::Running(found.is_some_and(|k| matches!(k.child.try_wait(), Ok(None))))
        }
        Order::Spec(name) => {
            kept.retain_mut(|k| matches!(k.child.try_wait(), Ok(None)));
            Report::Spec(kept.iter().find(|k| k.spec.name == name).map(|k| k.spec.clone()))
        }
        Order::End => {
            close(kept);
            Report::Done
        }
        Order::Remove(directory) => {
            directories.push(directory);
            Report::Done
        }
    })
}

fn start(spec: &Spec) -> Result<Child> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&spec.log)
        .with_context(|| format!("cannot write {}", spec.log.display()))?;
    let mut command = command(spec);
    command.stderr(log.try_clone().context("the log")?).stdout(log);
    command.spawn().with_context(|| format!("cannot start {}", spec.argv[0]))
}

fn command(spec: &Spec) -> Command {
    let argv = dying_with_us(spec);
    let mut command = Command::new(&argv[0]);
    command
        .args(&argv[1..])
        .envs(spec.env.iter().cloned())
        .process_group(0)
        .current_dir("/")
        .stdin(Stdio::null());
    if argv.len() == spec.argv.len()
        && let Some(user) = spec.user
    {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// The command behind `setpriv`, which has the kernel end it when we die; as it is where there is none.
fn dying_with_us(spec: &Spec) -> Vec<String> {
    let Some(setpriv) = super::find_program("setpriv", &[]) else { return spec.argv.clone() };
    let signal = match spec.stop {
        Stop::Int => "INT",
        Stop::Term => "TERM",
    };
    let mut argv = vec![setpriv.display().to_string(), "--pdeathsig".to_string(), signal.to_string()];
    if let Some(user) = spec.user {
        argv.extend([
            format!("--reuid={}", user.uid),
            format!("--regid={}", user.gid),
            "--clear-groups".to_string(),
        ]);
    }
    argv.push("--".to_string());
    argv.extend(spec.argv.iter().cloned());
    argv
}

fn end(kept: &mut Kept) {
    let Some(pid) = i32::try_from(kept.child.id()).ok().and_then(Pid::from_raw) else { return };
    let signal = match kept.spec.stop {
        Stop::Int => Signal::INT,
        Stop::Term => Signal::TERM,
    };
    if matches!(kept.child.try_wait(), Ok(None)) {
        let _ = kill_process(pid, signal);
    }
    let deadline = Instant::now() + PATIENCE;
    while matches!(kept.child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            let _ = kept.child.kill();
            let _ = kept.child.wait();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // Children of a server that died badly are in its group.
    let _ = kill_process_group(pid, Signal::KILL);
}

/// How a one-off program ended, in words.
fn ended(status: std::process::ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_string(),
    }
}
