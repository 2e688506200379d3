//! PostgreSQL from scratch: initdb, the primary, the streaming replica, and the settings for the logs.
//!
//! Serves [`super::Stack`]. Everything that is asked of the servers here is asked by the superuser in a
//! session that logs nothing.

use super::keeper::{Spec, Stop};
use super::{Stack, Wanted, argv, find_program, tail};
use crate::endpoints::Postgres;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// Each line can be read back by pglens and says who, where, and under which switches.
pub(super) const LOG_LINE_PREFIX: &str = "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ";
const SLOT: &str = "standby1";

const PROGRAMS: [&str; 3] = ["initdb", "postgres", "pg_basebackup"];

/// The directory with all of PostgreSQL's programs that we need: the newest where Debian puts them, else the
/// one on the PATH (resolved, because a link in it may stand alone).
pub(crate) fn find_bin() -> Option<PathBuf> {
    let whole = |bin: &Path| PROGRAMS.iter().all(|program| bin.join(program).exists());
    let packaged =
        if std::env::var_os("SURVEY_PROGRAMS").is_some() { None } else { Some("/usr/lib/postgresql") };
    let versions = packaged.and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(Result::ok)
        .filter_map(|e| Some((e.file_name().to_str()?.parse().ok()?, e.path().join("bin"))))
        .filter(|(_, bin): &(u32, PathBuf)| whole(bin))
        .collect();
    found.sort();
    if let Some((_, bin)) = found.pop() {
        return Some(bin);
    }
    let initdb = find_program("initdb", &[])?.canonicalize().ok()?;
    initdb.parent().filter(|bin| whole(bin)).map(Path::to_path_buf)
}

impl Stack {
    pub(super) async fn start_primary(&mut self, wanted: &Wanted) -> Result<()> {
        let data = self.private_dir("primary")?;
        let password = self.dir.join("password");
        super::write_private(&password, &self.superuser_password, self.user)?;
        let arguments = [
            "-D",
            path(&data)?,
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--pwfile",
            path(&password)?,
        ];
        self.once("initdb", &arguments)?;
        let _ = std::fs::remove_file(&password);
        append(&data.join("postgresql.conf"), &settings(wanted))?;
        self.endpoints.primary.port = self.start_postgres("primary", None).await?;
        let survey = self.endpoints.primary.clone();
        for sql in [
            format!("CREATE ROLE survey LOGIN PASSWORD '{}'", survey.password),
            format!(
                "ALTER ROLE survey SET application_name = '{}'",
                wanted.application_name.replace('\'', "''")
            ),
            format!("CREATE ROLE repl LOGIN REPLICATION PASSWORD '{}'", self.superuser_password),
            "CREATE DATABASE survey OWNER survey".to_string(),
            format!("SELECT pg_create_physical_replication_slot('{SLOT}')"),
        ] {
            self.ask_primary(&sql).await?;
        }
        Ok(())
    }

    pub(super) async fn start_replica(&mut self, wanted: &Wanted) -> Result<()> {
        let data = self.private_dir("replica")?;
        let port = self.endpoints.primary.port.to_string();
        let arguments = [
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "repl",
            "-D",
            path(&data)?,
            "-R",
            "-X",
            "stream",
            "-S",
            SLOT,
            "-c",
            "fast",
            "--no-sync",
        ];
        self.once("pg_basebackup", &arguments)?;
        // The copied configuration names the primary's port; the last line of a name wins.
        append(&data.join("postgresql.conf"), &settings(wanted))?;
        let port = self.start_postgres("replica", None).await?;
        self.endpoints.replica = Some(Postgres { port, ..self.endpoints.primary.clone() });
        self.wait_for_replica().await
    }

    /// Starts `primary` or `replica` again, on its old port, after it was stopped or killed.
    pub async fn restart_postgres(&self, name: &str) -> Result<()> {
        let at = match name {
            "primary" => Some(&self.endpoints.primary),
            _ => self.endpoints.replica.as_ref(),
        };
        let port = at.context("it never ran")?.port;
        self.start_postgres(name, Some(port)).await.map(drop)
    }

    async fn start_postgres(&self, name: &str, port: Option<u16>) -> Result<u16> {
        let program = self.programs.postgres_bin.join("postgres");
        let data = self.dir.join(name);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let command = |port: u16| argv(&program, &["-D", path(&data)?, "-p", &port.to_string()]);
            match self.serve(name, port, Stop::Int, command).await {
                Ok(port) => {
                    self.wait_for_login(name, port).await?;
                    return Ok(port);
                }
                // Backends of a postmaster that was killed hold its shared memory for a moment.
                Err(_) if port.is_some() && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until `name` takes logins: it listens before it has recovered.
    async fn wait_for_login(&self, name: &str, port: u16) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.ask(port, "postgres", "SELECT 1").await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    let log = self.logs.join(format!("{name}.log"));
                    return Err(error.context(format!("{name} does not take logins:\n{}", tail(&log))));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
    }

    /// Waits until the replica has replayed what the primary has written so far.
    pub async fn wait_for_replica(&self) -> Result<()> {
        let Some(replica) = &self.endpoints.replica else { return Ok(()) };
        let lsn = self.ask_primary("SELECT pg_current_wal_lsn()").await?.unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(30);
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{lsn}'::pg_lsn");
        while self.ask(replica.port, "postgres", &sql).await?.as_deref() != Some("t") {
            if Instant::now() > deadline {
                bail!("the replica does not reach {lsn}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Makes the replica apply what it receives `delay` late (`0` ends that).
    pub async fn delay_replica(&self, delay: &str) -> Result<()> {
        let data = self.dir.join("replica");
        append(&data.join("postgresql.conf"), &format!("recovery_min_apply_delay = '{delay}'\n"))?;
        let port = self.endpoints.replica.as_ref().context("there is no replica")?.port;
        self.ask(port, "postgres", "SELECT pg_reload_conf()").await?;
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.ask(port, "postgres", "SHOW recovery_min_apply_delay").await?.as_deref() != Some(delay) {
            if Instant::now() > deadline {
                bail!("the replica did not take the delay");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// One statement at the primary as superuser, without a trace in its log; the first cell.
    pub async fn ask_primary(&self, sql: &str) -> Result<Option<String>> {
        self.ask(self.endpoints.primary.port, "postgres", sql).await
    }

    /// As [`Stack::ask_primary`], in the application's database.
    pub async fn ask_survey(&self, sql: &str) -> Result<Option<String>> {
        self.ask(self.endpoints.primary.port, "survey", sql).await
    }

    /// One statement as superuser, without a trace in the log; the first cell of its first row.
    pub async fn ask(&self, port: u16, database: &str, sql: &str) -> Result<Option<String>> {
        let config = self.quiet(port, database);
        let (client, connection) = config.connect(NoTls).await.context("cannot connect to PostgreSQL")?;
        let driver = tokio::spawn(connection);
        let answer = client.simple_query(sql).await.with_context(|| sql.to_string())?;
        drop(client);
        let _ = driver.await;
        Ok(answer.iter().find_map(|m| match m {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
            _ => None,
        }))
    }

    /// The servers as the superuser, who leaves no line in their logs, watches them.
    pub fn watched(&self) -> Vec<crate::observe::Watched> {
        let watched = |name, port| crate::observe::Watched { name, config: self.quiet(port, "survey") };
        let replica = self.endpoints.replica.iter().map(|r| watched("replica", r.port));
        std::iter::once(watched("primary", self.endpoints.primary.port)).chain(replica).collect()
    }

    fn quiet(&self, port: u16, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(port)
            .dbname(database)
            .user("postgres")
            .password(&self.superuser_password);
        config.connect_timeout(Duration::from_secs(2));
        config.options("-c log_min_duration_statement=-1 -c log_min_error_statement=panic");
        config
    }

    /// Runs one of PostgreSQL's programs to its end, as the servers' user.
    fn once(&self, program: &str, arguments: &[&str]) -> Result<()> {
        self.keeper.once(Spec {
            name: program.to_string(),
            argv: argv(&self.programs.postgres_bin.join(program), arguments)?,
            env: vec![("PGPASSWORD".to_string(), self.superuser_password.clone())],
            user: self.user,
            log: self.logs.join("initdb.log"),
            stop: Stop::Term,
        })
    }
}

fn settings(wanted: &Wanted) -> String {
    let mut text = format!(
        "\n# survey-app\n\
         listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 80\nshared_buffers = 64MB\n\
         dynamic_shared_memory_type = mmap\nrecovery_init_sync_method = syncfs\n\
         wal_level = replica\nmax_wal_senders = 5\nwal_keep_size = 64MB\nmax_slot_wal_keep_size = 1GB\n\
         hot_standby = on\nhot_standby_feedback = on\n\
         logging_collector = off\nlog_destination = stderr\nlc_messages = 'C'\nlog_timezone = 'UTC'\ntimezone = 'UTC'\n\
         log_min_duration_statement = 0\nlog_line_prefix = '{LOG_LINE_PREFIX}'\n"
    );
    for (name, value) in &wanted.settings {
        let _ = writeln!(text, "{name} = '{}'", value.replace('\'', "''"));
    }
    text
}

fn append(file: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let mut open = std::fs::OpenOptions::new()
        .append(true)
        .open(file)
        .with_context(|| format!("cannot change {}", file.display()))?;
    open.write_all(text.as_bytes()).with_context(|| format!("cannot change {}", file.display()))
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path is not UTF-8")
}
