//! The stack: PostgreSQL primary and replica, pgbouncer, memcached, Redis and nginx, on free ports of the loopback
//! interface, in one directory, for as long as one process wants them.
//!
//! Serves `up`, `demo`, `run`, `lesson` and the tests. Provisioning talks to PostgreSQL with logging off, so that the
//! logs hold what the application sent and nothing else.

pub mod keeper;
pub mod nginx;
mod postgres;

pub(crate) use postgres::find_bin as find_postgres;

use crate::endpoints::{Endpoints, Postgres};
use anyhow::{Context, Result, bail};
use keeper::{Keeper, Spec, Stop, User};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const READY: Duration = Duration::from_secs(30);
/// Somebody else may take a port between our look and the server's bind.
const PORT_TRIES: usize = 5;

/// What to start beside the primary.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The binary that serves as keeper: this one, or, in a test, the one under test.
    pub exe: PathBuf,
    /// Where logs go; beside everything else, and gone with it, when not given.
    pub logs: Option<PathBuf>,
    /// A streaming replica.
    pub replica: bool,
    /// pgbouncer in transaction mode.
    pub pgbouncer: bool,
    /// memcached.
    pub memcached: bool,
    /// Redis.
    pub redis: bool,
    /// nginx, which [`Stack::start_nginx`] starts once there is something to stand before.
    pub nginx: bool,
    /// The name under which the application's role connects through pgbouncer.
    pub application_name: String,
    /// Lines for both `postgresql.conf`, after ours.
    pub settings: Vec<(String, String)>,
    /// Environment of the primary, such as a library that slows its disk down.
    pub primary_env: Vec<(String, String)>,
}

impl Wanted {
    /// Everything, with logs in `logs`.
    pub fn everything(exe: PathBuf, logs: Option<PathBuf>) -> Wanted {
        Wanted {
            exe,
            logs,
            replica: true,
            pgbouncer: true,
            memcached: true,
            redis: true,
            nginx: false,
            application_name: "survey".to_string(),
            settings: Vec::new(),
            primary_env: Vec::new(),
        }
    }
}

/// Servers that run until this is dropped.
#[derive(Debug)]
pub struct Stack {
    /// Where they listen.
    pub endpoints: Endpoints,
    /// Where their logs are.
    pub logs: PathBuf,
    /// Where everything else is; gone when the stack is.
    pub dir: PathBuf,
    /// Their parent.
    pub keeper: Keeper,
    superuser_password: String,
    programs: Programs,
    user: Option<User>,
    primary_env: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Programs {
    postgres_bin: PathBuf,
    pgbouncer: Option<PathBuf>,
    memcached: Option<PathBuf>,
    redis: Option<PathBuf>,
    nginx: Option<PathBuf>,
}

impl Programs {
    /// Finds what is wanted, or says what to install: all of it at once.
    fn find(wanted: &Wanted) -> Result<Programs> {
        let postgres_bin = postgres::find_bin();
        let pgbouncer = find_program("pgbouncer", &["/usr/sbin"]);
        let memcached = find_program("memcached", &["/usr/bin"]);
        let redis = find_program("redis-server", &["/usr/bin"]);
        let nginx = find_program("nginx", &["/usr/sbin"]);
        let mut missing = Vec::new();
        let all = [
            (true, postgres_bin.is_none(), "postgresql"),
            (wanted.pgbouncer, pgbouncer.is_none(), "pgbouncer"),
            (wanted.memcached, memcached.is_none(), "memcached"),
            (wanted.redis, redis.is_none(), "redis-server"),
            (wanted.nginx, nginx.is_none(), "nginx"),
        ];
        for (_, _, package) in all.iter().filter(|(wanted, absent, _)| *wanted && *absent) {
            missing.push(*package);
        }
        if !missing.is_empty() {
            let names = missing.join(" ");
            let without =
                if missing.contains(&"nginx") { " (or leave nginx out with --no-nginx)" } else { "" };
            bail!(
                "the stack needs servers that are not installed: {names}. On Debian or Ubuntu: \
                 apt-get install --no-install-recommends {names}{without}"
            );
        }
        Ok(Programs {
            postgres_bin: postgres_bin.context("checked above")?,
            pgbouncer,
            memcached,
            redis,
            nginx,
        })
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.keeper.end();
        // The keeper has done this, unless it was killed.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Stack {
    /// Brings everything up; an error takes down what had come up.
    pub async fn up(wanted: &Wanted) -> Result<Stack> {
        let programs = Programs::find(wanted)?;
        let dir =
            tempfile::Builder::new().prefix("survey-app-").tempdir().context("a temporary directory")?;
        let keeper = Keeper::start(&wanted.exe)?;
        keeper.remove_at_end(dir.path())?;
        let dir = dir.keep();
        // Others may pass through, to the directories that are theirs.
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o711))
            .context("the directory's mode")?;
        let logs = wanted.logs.clone().unwrap_or_else(|| dir.join("logs"));
        std::fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let logs = logs.canonicalize().with_context(|| format!("cannot find {}", logs.display()))?;
        let user = server_user()?;
        let secret = crate::secret::random_hex(32);
        let primary = Postgres {
            host: "127.0.0.1".to_string(),
            port: 0,
            database: "survey".to_string(),
            user: "survey".to_string(),
            password: crate::secret::random_hex(16),
        };
        let endpoints = Endpoints {
            secret,
            proxy_key: Some(crate::secret::random_hex(16)),
            redis: None,
            memcached: None,
            primary,
            replica: None,
            pooled_primary: None,
            pooled_replica: None,
        };
        let superuser_password = crate::secret::random_hex(16);
        let mut stack = Stack {
            endpoints,
            logs,
            dir,
            keeper,
            superuser_password,
            programs,
            user,
            primary_env: wanted.primary_env.clone(),
        };
        stack.start_primary(wanted).await?;
        if wanted.replica {
            stack.start_replica(wanted).await?;
        }
        if wanted.pgbouncer {
            stack.start_pgbouncer().await?;
        }
        if wanted.memcached {
            stack.start_memcached(None).await?;
        }
        if wanted.redis {
            stack.start_redis(None).await?;
        }
        Ok(stack)
    }

    /// Starts memcached, on its old port when it had one.
    pub async fn start_memcached(&mut self, port: Option<u16>) -> Result<()> {
        let program = self.programs.memcached.clone().context("memcached was not wanted")?;
        let port = self
            .serve("memcached", port, Stop::Term, |port| {
                let port = port.to_string();
                argv(&program, &["-l", "127.0.0.1", "-p", &port, "-U", "0", "-m", "64"])
            })
            .await?;
        self.endpoints.memcached = Some(format!("127.0.0.1:{port}"));
        Ok(())
    }

    /// Starts Redis, on its old port when it had one. Its append-only file outlives a restart, so do logins.
    pub async fn start_redis(&mut self, port: Option<u16>) -> Result<()> {
        let program = self.programs.redis.clone().context("Redis was not wanted")?;
        let dir = self.private_dir("redis")?;
        let port = self
            .serve("redis", port, Stop::Term, |port| {
                let (port, dir) = (port.to_string(), dir.display().to_string());
                let options = [
                    "--bind",
                    "127.0.0.1",
                    "--port",
                    &port,
                    "--dir",
                    &dir,
                    "--save",
                    "",
                    "--appendonly",
                    "yes",
                ];
                argv(&program, &options)
            })
            .await?;
        self.endpoints.redis = Some(format!("127.0.0.1:{port}"));
        Ok(())
    }

    async fn start_pgbouncer(&mut self) -> Result<()> {
        let program = self.programs.pgbouncer.clone().context("pgbouncer was not wanted")?;
        let dir = self.private_dir("pgbouncer")?;
        let primary = self.endpoints.primary.clone();
        let users = dir.join("users");
        write_private(&users, &format!("\"{}\" \"{}\"\n", primary.user, primary.password), self.user)?;
        let database = |name: &str, at: &Postgres| {
            format!("{name} = host={} port={} dbname={}\n", at.host, at.port, at.database)
        };
        let mut databases = database("survey", &primary);
        if let Some(replica) = &self.endpoints.replica {
            databases.push_str(&database("survey_replica", replica));
        }
        let ini = dir.join("pgbouncer.ini");
        let (config, user) = (ini.clone(), self.user);
        let port = self
            .serve("pgbouncer", None, Stop::Term, move |port| {
                let text = format!(
                    "[databases]\n{databases}[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                     unix_socket_dir =\npool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 300\n\
                     auth_type = scram-sha-256\nauth_file = {}\nserver_check_delay = 3600\n\
                     ignore_startup_parameters = extra_float_digits\n",
                    users.display()
                );
                write_private(&config, &text, user)?;
                argv(&program, &["-q", &config.display().to_string()])
            })
            .await?;
        let pooled = |database: &str| Postgres { port, database: database.to_string(), ..primary.clone() };
        self.endpoints.pooled_primary = Some(pooled("survey"));
        self.endpoints.pooled_replica = self.endpoints.replica.as_ref().map(|_| pooled("survey_replica"));
        Ok(())
    }

    /// Starts a server on a free port (or on `port`) and waits until it accepts connections.
    async fn serve(
        &self,
        name: &str,
        port: Option<u16>,
        stop: Stop,
        command: impl Fn(u16) -> Result<Vec<String>>,
    ) -> Result<u16> {
        self.serve_as(name, port, stop, self.user, command).await
    }

    /// As [`Stack::serve`], for `user`.
    pub(crate) async fn serve_as(
        &self,
        name: &str,
        port: Option<u16>,
        stop: Stop,
        user: Option<User>,
        command: impl Fn(u16) -> Result<Vec<String>>,
    ) -> Result<u16> {
        let log = self.logs.join(format!("{name}.log"));
        for _ in 0..PORT_TRIES {
            let at = match port {
                Some(port) => port,
                None => free_port()?,
            };
            let spec = Spec {
                name: name.to_string(),
                argv: command(at)?,
                env: if name == "primary" { self.primary_env.clone() } else { Vec::new() },
                user,
                log: log.clone(),
                stop,
            };
            self.keeper.run(spec)?;
            if self.wait_for_port(name, at).await? {
                return Ok(at);
            }
        }
        bail!("{name} does not start; its log ends with:\n{}", tail(&log))
    }

    /// Whether `name` listens on `port` before it gives up.
    async fn wait_for_port(&self, name: &str, port: u16) -> Result<bool> {
        let deadline = Instant::now() + READY;
        loop {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                // Somebody else's server may be the one that answered.
                return self.keeper.is_running(name);
            }
            if !self.keeper.is_running(name)? {
                return Ok(false);
            }
            if Instant::now() > deadline {
                bail!("{name} does not accept connections after {READY:?}");
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// A directory of our own that belongs to the servers' user.
    fn private_dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.dir.join(name);
        if !dir.exists() {
            std::fs::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700))
            .context("the directory's mode")?;
        own(&dir, self.user)?;
        Ok(dir)
    }
}

/// A program on the PATH, or in one of `others`; only in SURVEY_PROGRAMS when that is set.
pub fn find_program(name: &str, others: &[&str]) -> Option<PathBuf> {
    let only = std::env::var_os("SURVEY_PROGRAMS");
    let others = if only.is_some() { &[] } else { others };
    let path = only.or_else(|| std::env::var_os("PATH")).unwrap_or_default();
    std::env::split_paths(&path)
        .chain(others.iter().map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|p| p.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0))
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr().context("no free port")?.port())
}

pub(crate) fn argv(program: &Path, args: &[&str]) -> Result<Vec<String>> {
    let program = program.to_str().context("a program's path is not UTF-8")?;
    Ok(std::iter::once(program).chain(args.iter().copied()).map(str::to_string).collect())
}

/// The user for the servers: PostgreSQL, pgbouncer and memcached refuse to run as root.
pub(crate) fn server_user() -> Result<Option<User>> {
    if !rustix::process::getuid().is_root() {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let of = |name: &str| {
        let line = passwd.lines().find(|l| l.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    };
    of("postgres")
        .or_else(|| of("nobody"))
        .map(Some)
        .context("no user `postgres` or `nobody` to run servers as")
}

pub(crate) fn own(path: &Path, user: Option<User>) -> Result<()> {
    if let Some(user) = user {
        std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid))
            .with_context(|| format!("cannot give {} away", path.display()))?;
    }
    Ok(())
}

fn write_private(path: &Path, text: &str, user: Option<User>) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).context("the file's mode")?;
    own(path, user)
}

pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
