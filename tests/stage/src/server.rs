//! A PostgreSQL server of our own: its directory, its process, its logs.
//!
//! It listens on a socket in a directory of its own and on no network, runs in the foreground as a child in our
//! process group (Ctrl-C reaches both), and is stopped when it is dropped. `initdb` takes half a second, so each
//! server gets a fresh directory instead of a copy of a shared one.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use postgres::{Client, NoTls};
use tempfile::TempDir;

/// How long a server may take to start or stop, and its log to be complete.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every server of ours is started with. A story's own settings come after these and win.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("fsync", "off"),
    ("max_connections", "40"),
    ("shared_buffers", "32MB"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("lc_messages", "C"),
    ("logging_collector", "on"),
    ("log_destination", "stderr,csvlog,jsonlog"),
    ("log_filename", "log"),
    ("log_file_mode", "0644"),
    ("log_rotation_age", "0"),
    ("log_rotation_size", "0"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    ("log_min_duration_statement", "0"),
    ("shared_preload_libraries", "pg_stat_statements"),
    ("compute_query_id", "on"),
];

/// Session options under which a superuser's statements are not logged.
const QUIETLY: &str = "-c log_statement=none -c log_duration=off -c log_min_duration_statement=-1 \
                       -c log_min_duration_sample=-1 -c log_transaction_sample_rate=0 -c log_temp_files=-1 \
                       -c auto_explain.log_min_duration=-1";

/// The message after which a server writes nothing more.
pub const LAST_WORDS: &str = "database system is shut down";

/// A running server.
pub struct Server {
    home: TempDir,
    process: Child,
    programs: PathBuf,
}

/// The same run in three formats, complete: the server has stopped.
pub struct Logs {
    /// Human-readable, with a `log_line_prefix`.
    pub stderr: PathBuf,
    /// Comma-separated.
    pub csv: PathBuf,
    /// One JSON object a line.
    pub json: PathBuf,
    /// Holds the files; they go with it.
    home: TempDir,
}

impl Logs {
    /// The three logs, the human-readable one first.
    #[must_use]
    pub fn all(&self) -> [&Path; 3] {
        [&self.stderr, &self.csv, &self.json]
    }

    /// A directory that lives as long as the logs, for files made from them.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.home.path()
    }
}

impl Server {
    /// Starts a server with these settings on top of the common ones and waits until it is ready.
    ///
    /// # Errors
    /// No server programs on this machine, or the server does not start; then its own words are in the error.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self> {
        let programs = programs().context(
            "no PostgreSQL 15 or later found: `./test` installs it, or put its bin directory in PG_BINDIR",
        )?;
        let home = tempfile::Builder::new().prefix("pglens-stage-").tempdir()?;
        let owner = owner()?;
        if let Some((uid, gid)) = owner {
            chown(home.path(), Some(uid), Some(gid))?;
        }
        // The logs are read by us, whoever the server runs as.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755))?;
        let data = home.path().join("data");

        let init = as_owner(Command::new(programs.join("initdb")), owner)
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .current_dir(home.path())
            .output()?;
        ensure!(init.status.success(), "initdb: {}", String::from_utf8_lossy(&init.stderr));

        let (socket, log) = (path_text(home.path())?, path_text(&home.path().join("log"))?);
        let common = SETTINGS.iter().copied();
        let places = [("unix_socket_directories", socket.as_str()), ("log_directory", log.as_str())];
        // In the file and not on the command line, so that a test may change them while the server runs.
        let mut conf = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
        for (name, value) in common.chain(places).chain(settings.iter().copied()) {
            writeln!(conf, "{name} = '{}'", value.replace('\'', "''"))?;
        }

        let first_words = home.path().join("first_words");
        let mut postgres = as_owner(Command::new(programs.join("postgres")), owner);
        postgres.arg("-D").arg(&data).current_dir(home.path());
        let process = postgres
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&first_words)?)
            .spawn()
            .context("cannot start postgres")?;
        let mut server = Self { home, process, programs };
        server.wait_until_it_is_ready(&first_words)?;
        Ok(server)
    }

    fn wait_until_it_is_ready(&mut self, first_words: &Path) -> Result<()> {
        let begun = Instant::now();
        loop {
            // Asking by a connection would add a refused one to some logs and not to others.
            let log = fs::read(self.home.path().join("log/log")).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            if log.contains("database system is ready to accept connections") {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                let words = fs::read(first_words).unwrap_or_default();
                bail!("postgres ended with {status}:\n{}{log}", String::from_utf8_lossy(&words));
            }
            ensure!(begun.elapsed() < PATIENCE, "postgres is not ready after {PATIENCE:?}:\n{log}");
            sleep(Duration::from_millis(20));
        }
    }

    /// A connection as `user` to `database` under an `application_name`.
    ///
    /// # Errors
    /// Whatever the server answers.
    pub fn connect(&self, user: &str, database: &str, application: &str) -> Result<Client, postgres::Error> {
        self.address(user, database, application).connect(NoTls)
    }

    /// A connection of the superuser whose statements are not logged: for preparations that are no part of a
    /// story.
    ///
    /// # Errors
    /// Whatever the server answers.
    pub fn connect_quietly(&self, database: &str) -> Result<Client, postgres::Error> {
        self.address("postgres", database, "stage").options(QUIETLY).connect(NoTls)
    }

    fn address(&self, user: &str, database: &str, application: &str) -> postgres::Config {
        let mut address = postgres::Config::new();
        address.host_path(self.home.path()).user(user).dbname(database).application_name(application);
        address
    }

    /// Runs a client program of the server's own version (`psql`, `pgbench`, …) against it, as role `postgres`.
    ///
    /// # Errors
    /// The program is missing or fails; then its own words are in the error.
    pub fn run<A: AsRef<OsStr>>(&self, program: &str, arguments: &[A]) -> Result<String> {
        self.run_with_options(program, arguments, "")
    }

    /// The same without its statements in the log: for preparations that are no part of a story.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub fn run_quietly<A: AsRef<OsStr>>(&self, program: &str, arguments: &[A]) -> Result<String> {
        self.run_with_options(program, arguments, QUIETLY)
    }

    fn run_with_options<A: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: &[A],
        options: &str,
    ) -> Result<String> {
        let output = Command::new(self.programs.join(program))
            .args(arguments)
            .env("PGHOST", self.home.path())
            .env("PGUSER", "postgres")
            .env("PGAPPNAME", program)
            .env("PGOPTIONS", options)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {program}"))?;
        ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A directory that lives as long as the server and its logs, for scripts.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.home.path()
    }

    /// Stops the server the way a restart would, and hands over its complete logs.
    ///
    /// # Errors
    /// The server does not stop, or a log stays incomplete.
    pub fn stop(mut self) -> Result<Logs> {
        self.end("fast")?;
        // Never used again: the directory moves out, and dropping the rest finds an ended process.
        let home = std::mem::replace(&mut self.home, TempDir::new()?);
        let log = home.path().join("log");
        let logs =
            Logs { stderr: log.join("log"), csv: log.join("log.csv"), json: log.join("log.json"), home };
        // The collector outlives the server by a moment (PostgreSQL's postmaster.c does not wait for it).
        let begun = Instant::now();
        for path in logs.all().into_iter().filter(|path| path.exists()) {
            while !ends_with_last_words(&log, path.extension())? {
                ensure!(begun.elapsed() < PATIENCE, "{} stays incomplete", path.display());
                sleep(Duration::from_millis(10));
            }
        }
        Ok(logs)
    }

    fn end(&mut self, mode: &str) -> Result<()> {
        let data = self.home.path().join("data");
        let output = as_owner(Command::new(self.programs.join("pg_ctl")), owner()?)
            .args(["stop", "--mode", mode, "-D"])
            .arg(&data)
            .current_dir(self.home.path())
            .output()?;
        ensure!(output.status.success(), "pg_ctl: {}", String::from_utf8_lossy(&output.stderr));
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let running = matches!(self.process.try_wait(), Ok(None));
        if running && self.end("immediate").is_err() {
            // Backends notice by themselves that their postmaster is gone.
            drop(self.process.kill());
            drop(self.process.wait());
        }
    }
}

/// Whether a log of this format is complete: the last one, if a test changed `log_filename` meanwhile.
fn ends_with_last_words(directory: &Path, extension: Option<&OsStr>) -> Result<bool> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension() == extension {
            let bytes = fs::read(&path)?;
            let tail = &bytes[bytes.len().saturating_sub(1000)..];
            if tail.ends_with(b"\n") && String::from_utf8_lossy(tail).contains(LAST_WORDS) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn path_text(path: &Path) -> Result<String> {
    Ok(path.to_str().context("the temporary directory's name is not UTF-8")?.to_owned())
}

/// The directory of the newest server programs: `PG_BINDIR`, Debian's place, or the PATH.
#[must_use]
pub fn programs() -> Option<PathBuf> {
    let given = std::env::var_os("PG_BINDIR").map(PathBuf::from).into_iter();
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|it| Some((it.file_name().to_str()?.parse().ok()?, it.path().join("bin"))))
        .filter(|(version, _)| *version >= 15)
        .collect();
    debian.sort();
    let debian = debian.into_iter().rev().map(|(_, path)| path);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::split_paths(&path).collect::<Vec<_>>();
    given.chain(debian).chain(path).find(|it| it.join("postgres").exists() && it.join("initdb").exists())
}

/// Whom the server runs as: PostgreSQL refuses root, so root lends it to the account of Debian's package.
fn owner() -> Result<Option<(u32, u32)>> {
    let uid = number_of("id", &["-u"])?;
    if uid != 0 {
        return Ok(None);
    }
    let account = if number_of("id", &["-u", "postgres"]).is_ok() { "postgres" } else { "nobody" };
    Ok(Some((number_of("id", &["-u", account])?, number_of("id", &["-g", account])?)))
}

fn number_of(program: &str, arguments: &[&str]) -> Result<u32> {
    let output = Command::new(program).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

fn as_owner(mut command: Command, owner: Option<(u32, u32)>) -> Command {
    if let Some((uid, gid)) = owner {
        command.uid(uid).gid(gid);
    }
    command
}
