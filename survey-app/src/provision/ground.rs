//! The root directory of a provisioned machine: its secrets, its files, and the keeper that runs its servers.
//!
//! ```text
//!   root/.survey-provision     it is ours: wipe may remove it
//!   root/secrets.toml          passwords, made once
//!   root/keeper/socket         the parent of every server below
//!   root/logs/NAME.log         what a server wrote
//!   root/db root/replica …     what belongs to a role
//! ```
//!
//! Serves the roles. Must not know what they declare.

use super::{Drift, Role};
use crate::stack::keeper::{Keeper, Spec, Stop, User};
use crate::stack::{own, server_user, tail};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MARK: &str = ".survey-provision";
const READY: Duration = Duration::from_secs(30);

/// What must not stand in git.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Secrets {
    /// Key of login codes and CSRF tokens.
    pub(super) secret: String,
    /// What the web processes know their nginx by.
    pub(super) proxy_key: String,
    /// Password of PostgreSQL's superuser.
    pub(super) superuser: String,
    /// Password of the role that streams.
    pub(super) replication: String,
    /// Password of the application's role.
    pub(super) survey: String,
    /// Password of pgbouncer's administrator.
    pub(super) pooler: String,
    /// Password of the application's first administrator.
    pub(super) admin: String,
}

impl Secrets {
    fn new() -> Secrets {
        let random = || crate::secret::random_hex(16);
        Secrets {
            secret: crate::secret::random_hex(32),
            proxy_key: random(),
            superuser: random(),
            replication: random(),
            survey: random(),
            pooler: random(),
            admin: crate::secret::random_hex(8),
        }
    }
}

/// A file that a role declares.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) role: Role,
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Whose it is; ours when nobody's.
    pub(super) owner: Option<User>,
    /// Whether its lines may be shown.
    pub(super) is_secret: bool,
}

/// A server that a role declares.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) role: Role,
    pub(super) spec: Spec,
    /// `address:port` at which it will listen.
    pub(super) at: Option<String>,
}

/// A root directory.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) root: PathBuf,
    pub(super) exe: PathBuf,
    pub(super) user: Option<User>,
    pub(super) secrets: Secrets,
    /// What has been changed, in sentences.
    pub(super) done: Vec<String>,
    /// Absent when nothing runs.
    keeper: Option<Keeper>,
}

impl Ground {
    /// For `apply`: makes what is missing.
    pub(super) fn open(root: &Path, exe: &Path) -> Result<Ground> {
        let mark = root.join(MARK);
        if !mark.exists() {
            std::fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
            let is_empty = std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_none());
            ensure!(is_empty, "{} is neither empty nor made by `provision apply`", root.display());
            set_mode(root, 0o711)?;
            std::fs::write(
                &mark,
                "Made by `survey-app provision`, which may remove it with everything in it.\n",
            )
            .with_context(|| format!("cannot write {}", mark.display()))?;
        }
        let root = root.canonicalize().with_context(|| format!("cannot find {}", root.display()))?;
        for (name, mode) in [("logs", 0o755), ("keeper", 0o700)] {
            let dir = root.join(name);
            std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
            set_mode(&dir, mode)?;
        }
        let path = root.join("secrets.toml");
        if !path.exists() {
            let text = toml::to_string(&Secrets::new()).context("the secrets")?;
            replace(&path, &text, None, 0o600)?;
        }
        let socket = root.join("keeper/socket");
        let keeper = match Keeper::connect(&socket)? {
            Some(keeper) => keeper,
            None => Keeper::detach(exe, &socket, &root.join("logs/keeper.log"))?,
        };
        let secrets = secrets(&path)?;
        Ok(Ground {
            root,
            exe: exe.to_path_buf(),
            user: server_user()?,
            secrets,
            done: Vec::new(),
            keeper: Some(keeper),
        })
    }

    /// For `check`: changes nothing.
    pub(super) fn look(root: &Path, exe: &Path) -> Result<Ground> {
        ensure!(root.join(MARK).exists(), "nothing was applied to {}", root.display());
        let root = root.canonicalize().with_context(|| format!("cannot find {}", root.display()))?;
        Ok(Ground {
            exe: exe.to_path_buf(),
            user: server_user()?,
            secrets: secrets(&root.join("secrets.toml"))?,
            done: Vec::new(),
            keeper: Keeper::connect(&root.join("keeper/socket"))?,
            root,
        })
    }

    pub(super) fn note(&mut self, role: Role, text: impl std::fmt::Display) {
        self.done.push(format!("{}: {text}", role.name()));
    }

    pub(super) fn keeper(&self) -> Result<&Keeper> {
        self.keeper.as_ref().context("nothing runs here")
    }

    /// A directory below the root that belongs to `owner` alone.
    pub(super) fn dir(&self, name: &str, owner: Option<User>) -> Result<PathBuf> {
        let dir = self.root.join(name);
        if let Some(above) = Path::new(name).parent().filter(|p| !p.as_os_str().is_empty()) {
            let above = self.root.join(above);
            std::fs::create_dir_all(&above).with_context(|| format!("cannot create {}", above.display()))?;
            set_mode(&above, 0o711)?;
        }
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        set_mode(&dir, 0o700)?;
        own(&dir, owner)?;
        Ok(dir)
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.root.join(format!("logs/{name}.log"))
    }

    /// A program to be run by the keeper; `text` is its configuration, so that another one is another server.
    pub(super) fn spec(
        &self,
        name: &str,
        argv: Vec<String>,
        user: Option<User>,
        stop: Stop,
        text: &str,
    ) -> Spec {
        let hash = crate::secret::hash(text.as_bytes())[..16].to_string();
        let env = vec![("SURVEY_STATE".to_string(), hash)];
        Spec { name: name.to_string(), argv, env, user, log: self.log(name), stop }
    }

    /// Runs a program to its end.
    pub(super) fn once(
        &self,
        name: &str,
        argv: Vec<String>,
        env: &[(&str, &str)],
        user: Option<User>,
    ) -> Result<()> {
        let env = env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let log = self.log(name);
        self.keeper()?.once(Spec { name: name.to_string(), argv, env, user, log, stop: Stop::Term })
    }

    /// Writes a file unless it is as declared; whether it was not.
    pub(super) fn write(&mut self, file: &Declared) -> Result<bool> {
        if self.compare(file).is_none() {
            return Ok(false);
        }
        let is_new = !file.path.exists();
        replace(&file.path, &file.text, file.owner, 0o600)?;
        self.note(
            file.role,
            format!("{} {}", if is_new { "wrote" } else { "rewrote" }, self.short(&file.path)),
        );
        Ok(true)
    }

    /// A line as it may be shown.
    fn shown(&self, line: &str) -> String {
        let s = &self.secrets;
        let all = [&s.secret, &s.proxy_key, &s.superuser, &s.replication, &s.survey, &s.pooler, &s.admin];
        let hidden =
            all.iter().fold(line.to_string(), |line, secret| line.replace(secret.as_str(), "(hidden)"));
        format!("`{hidden}`")
    }

    /// What of a file is not as declared.
    pub(super) fn compare(&self, file: &Declared) -> Option<Drift> {
        let drift = |declared: Option<String>, actual: Option<String>, place: String| Drift {
            role: file.role,
            what: self.short(&file.path),
            declared,
            actual,
            place,
        };
        let Ok(actual) = std::fs::read_to_string(&file.path) else {
            return Some(drift(Some("a file".to_string()), None, String::new()));
        };
        let is_open = file.path.metadata().is_ok_and(|m| m.mode() & 0o077 != 0);
        if actual == file.text {
            let mode = |text: &str| Some(text.to_string());
            return is_open
                .then(|| drift(mode("a private file"), mode("one that others may read"), String::new()));
        }
        if file.is_secret {
            return Some(drift(
                Some("other passwords".to_string()),
                Some("these".to_string()),
                String::new(),
            ));
        }
        let foreign = actual.lines().enumerate().find(|(_, l)| !file.text.lines().any(|d| d == *l));
        let lost = file.text.lines().find(|l| !actual.lines().any(|a| a == *l));
        let place = foreign.map_or(String::new(), |(at, _)| format!("line {}", at + 1));
        Some(drift(
            Some(lost.map_or("no such line".to_string(), |l| self.shown(l))),
            Some(foreign.map_or("no such line".to_string(), |(_, l)| self.shown(l))),
            place,
        ))
    }

    /// Starts a server unless it runs as declared; whether it did not.
    pub(super) async fn ensure(&mut self, server: &Server) -> Result<bool> {
        let name = &server.spec.name;
        match self.keeper()?.spec(name)? {
            Some(running) if running == server.spec => return Ok(false),
            Some(_) => self.restart(server, "it ran with another configuration").await?,
            None => {
                self.start(server).await?;
                self.note(server.role, format!("started {name}"));
            }
        }
        Ok(true)
    }

    /// Stops a server and starts it again.
    pub(super) async fn restart(&mut self, server: &Server, why: &str) -> Result<()> {
        self.keeper()?.stop(&server.spec.name)?;
        self.start(server).await?;
        self.note(server.role, format!("restarted {}: {why}", server.spec.name));
        Ok(())
    }

    /// Starts a server and waits until it listens.
    async fn start(&self, server: &Server) -> Result<()> {
        let name = &server.spec.name;
        if let Some(at) = &server.at
            && tokio::net::TcpStream::connect(at.as_str()).await.is_ok()
        {
            bail!("{name} cannot start: somebody else listens at {at}");
        }
        self.keeper()?.run(server.spec.clone())?;
        let deadline = Instant::now() + READY;
        loop {
            let listens = match &server.at {
                Some(at) => tokio::net::TcpStream::connect(at.as_str()).await.is_ok(),
                None => true,
            };
            if !self.keeper()?.is_running(name)? {
                bail!("{name} does not start; its log ends with:\n{}", tail(&server.spec.log));
            }
            if listens {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{name} does not accept connections after {READY:?}");
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// What of a server's process is not as declared.
    pub(super) fn compare_server(&self, server: &Server) -> Result<Option<Drift>> {
        let running = match &self.keeper {
            Some(keeper) => keeper.spec(&server.spec.name)?,
            None => None,
        };
        let drift = |declared: String, actual: Option<String>| {
            Some(Drift {
                role: server.role,
                what: server.spec.name.clone(),
                declared: Some(declared),
                actual,
                place: String::new(),
            })
        };
        Ok(match running {
            None => drift("a process".to_string(), None),
            Some(running) if running.argv != server.spec.argv => {
                drift(server.spec.argv.join(" "), Some(running.argv.join(" ")))
            }
            Some(running) if running != server.spec => drift(
                "the configuration on disk".to_string(),
                Some("one that it was started with before".to_string()),
            ),
            Some(_) => None,
        })
    }

    /// The names of the servers that run and are not in `declared`, of those whose name begins with `prefix`.
    pub(super) fn surplus(&self, prefix: &str, declared: u16) -> Result<Vec<String>> {
        let Some(keeper) = &self.keeper else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for number in declared + 1..=64 {
            let name = format!("{prefix}{number}");
            if keeper.is_running(&name)? {
                out.push(name);
            }
        }
        Ok(out)
    }

    /// A path as it is below the root.
    pub(super) fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// Stops every server below `root` and removes it.
pub(super) fn wipe(root: &Path) -> Result<()> {
    if !root.exists() {
        return Ok(());
    }
    ensure!(root.join(MARK).exists(), "{} was not made by `provision apply`; it stays", root.display());
    if let Some(keeper) = Keeper::connect(&root.join("keeper/socket"))? {
        keeper.shut_down()?;
    }
    let deadline = Instant::now() + READY;
    // Servers whose keeper was killed end a moment later, and may still write.
    while let Err(error) = std::fs::remove_dir_all(root) {
        if error.kind() == std::io::ErrorKind::NotFound {
            break;
        }
        if Instant::now() > deadline {
            return Err(error).with_context(|| format!("cannot remove {}", root.display()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Puts a whole new file in the place of an old one.
pub(super) fn replace(path: &Path, text: &str, owner: Option<User>, mode: u32) -> Result<()> {
    let error = || format!("cannot write {}", path.display());
    let dir = path.parent().with_context(error)?;
    let mut file = tempfile::NamedTempFile::new_in(dir).with_context(error)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(error)?;
    set_mode(file.path(), mode)?;
    own(file.path(), owner)?;
    file.persist(path).with_context(error)?;
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

fn secrets(path: &Path) -> Result<Secrets> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} holds no secrets", path.display()))
}
