//! Provisioning against real servers: made from nothing, checked, changed by hand, repaired, wiped, made again.
//! And a tuned configuration in a server that has to accept it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use survey_app::provision::state::{SHIPPED, State};
use survey_app::provision::{Drift, Role, apply, check, wipe};
use survey_app::respondent::Respondent;
use survey_app::stack::{Stack, Wanted};
use survey_app::tune::{Disk, Machine, Profile, Talk, print, tune};
use tokio_postgres::{NoTls, SimpleQueryMessage};

fn exe() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_survey-app"))
}

/// A machine of its own: a root directory and free ports. What a failed test leaves goes with it.
struct Machines {
    dir: tempfile::TempDir,
    text: String,
    ports: BTreeMap<&'static str, u16>,
}

impl Drop for Machines {
    fn drop(&mut self) {
        let _ = wipe(&self.root());
    }
}

impl Machines {
    fn new() -> Machines {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let mut text = SHIPPED.to_string();
        // Held until all are known, so that no two are the same; the web processes' two follow each other.
        let (mut held, mut ports) = (Vec::new(), BTreeMap::new());
        for (name, old) in [
            ("db", 5632),
            ("replica", 5633),
            ("memcached", 11611),
            ("redis", 6779),
            ("pgbouncer", 6632),
            ("nginx", 8600),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            held.push(listener);
            ports.insert(name, port);
            assert!(text.contains(&format!("port = {old}\n")), "{name}");
            text = text.replace(&format!("port = {old}\n"), &format!("port = {port}\n"));
        }
        let first = (20_000..30_000u16)
            .step_by(2)
            .skip(std::process::id() as usize % 4000)
            .find(|p| [*p, p + 1].iter().all(|p| TcpListener::bind(("127.0.0.1", *p)).is_ok()))
            .unwrap();
        text = text.replace("first_process = 8601", &format!("first_process = {first}"));
        text = text.replace("respondents = 100", "respondents = 4").replace("pages = 10", "pages = 2");
        Machines { dir, text, ports }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn state(&self) -> State {
        State::parse(&self.text).unwrap()
    }

    fn with(&self, old: &str, new: &str) -> State {
        assert!(self.text.contains(old), "{old}");
        State::parse(&self.text.replacen(old, new, 1)).unwrap()
    }

    async fn apply(&self) -> Vec<String> {
        apply(&self.state(), &self.root(), &exe(), &[]).await.unwrap_or_else(|e| panic!("{e:#}"))
    }

    async fn check(&self) -> Vec<Drift> {
        check(&self.state(), &self.root(), &exe(), &[]).await.unwrap_or_else(|e| panic!("{e:#}"))
    }

    fn secret(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.root().join("secrets.toml")).unwrap();
        text.parse::<toml::Table>().unwrap()[name].as_str().unwrap().to_string()
    }

    /// As a database administrator at a prompt.
    async fn ask(&self, server: &str, sql: &str) -> String {
        let (user, password, database) = match server {
            "pgbouncer" => ("pooler", self.secret("pooler"), "pgbouncer"),
            _ => ("postgres", self.secret("superuser"), "postgres"),
        };
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.ports[server]).user(user).password(password).dbname(database);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        let answer = client.simple_query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        drop(client);
        let _ = driver.await;
        answer
            .iter()
            .find_map(|m| match m {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
                _ => None,
            })
            .unwrap_or_default()
    }

    async fn ask_redis(&self, command: &[&str]) {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.ports["redis"])).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut built = redis::cmd(command[0]);
        for argument in &command[1..] {
            built.arg(*argument);
        }
        built.query_async::<()>(&mut connection).await.unwrap();
    }

    /// Waits until a server shows a value, after its configuration was loaded.
    async fn until(&self, server: &str, sql: &str, value: &str) {
        for _ in 0..500 {
            if self.ask(server, sql).await == value {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{sql} is not {value}");
    }

    /// Everybody with a code takes the survey, at nginx; nobody is refused.
    async fn everybody_takes_the_survey(&self) {
        let codes = std::fs::read_to_string(self.root().join("load/codes.csv")).unwrap();
        let codes = survey_app::csv::read(&codes);
        assert_eq!(codes.len(), 1 + 4, "a header and four people");
        for (number, row) in codes.iter().skip(1).enumerate() {
            let at = ([127, 0, 0, 1], self.ports["nginx"]).into();
            let mut one = Respondent::new(at, "run", number as u64);
            assert_eq!(one.take(&row[3]).await.unwrap_or_else(|e| panic!("{e:#}")), 9, "5 + 4 questions");
        }
        let sql = "SELECT count(*) FROM response_item";
        assert_eq!(self.ask_survey(sql).await, "36");
    }

    async fn ask_survey(&self, sql: &str) -> String {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.ports["db"]).user("survey").dbname("survey");
        config.password(self.secret("survey"));
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        match &client.simple_query(sql).await.unwrap()[..] {
            [_, SimpleQueryMessage::Row(row), ..] => row.get(0).unwrap().to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let file = self.dir.path().join("survey.toml");
        std::fs::write(&file, &self.text).unwrap();
        let (file, root) = (file.display().to_string(), self.root().display().to_string());
        let all = [&["provision"], arguments, &["--state", &file, "--root", &root]].concat();
        Command::new(exe()).args(all).output().unwrap()
    }
}

fn found<'a>(drifts: &'a [Drift], role: Role, what: &str) -> &'a Drift {
    drifts
        .iter()
        .find(|d| d.role == role && d.what == what)
        .unwrap_or_else(|| panic!("{what} is not named in {drifts:#?}"))
}

/// Declared, actual, and a part of the place.
fn says(drift: &Drift, declared: Option<&str>, actual: Option<&str>, place: &str) {
    assert_eq!((drift.declared.as_deref(), drift.actual.as_deref()), (declared, actual), "{drift}");
    assert!(drift.place.contains(place), "{drift}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wiped_and_made_again_it_is_the_same_and_changes_by_hand_are_named() {
    let m = Machines::new();
    // A role alone, then all of them.
    let done = apply(&m.state(), &m.root(), &exe(), &[Role::Db]).await.unwrap_or_else(|e| panic!("{e:#}"));
    assert!(
        done.iter().all(|d| d.starts_with("db: ")) && done.contains(&"db: created the cluster".to_string())
    );
    assert_eq!(check(&m.state(), &m.root(), &exe(), &[Role::Db]).await.unwrap(), []);
    let missing = check(&m.state(), &m.root(), &exe(), &[Role::Replica, Role::Cache]).await.unwrap();
    for (role, what) in [(Role::Replica, "replica"), (Role::Cache, "memcached"), (Role::Cache, "redis")] {
        says(found(&missing, role, what), Some("a process"), None, "");
    }
    assert!(!m.apply().await.is_empty());
    assert_eq!(m.check().await, []);
    assert_eq!(m.apply().await, Vec::<String>::new(), "the second time there is nothing to do");
    m.everybody_takes_the_survey().await;
    assert_eq!(m.ask("db", "SHOW commit_delay").await, "4000");

    by_hand(&m).await;
    // The talk's lost setting, as somebody sees it who asks at the shell; then everything is put right again.
    let refused = m.command(&["check", "--role", "db"]);
    assert_eq!(refused.status.code(), Some(1));
    let says = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(
        says.contains("db: commit_delay: declared 4000, actual 0 (postgresql.auto.conf line 3)"),
        "{says}"
    );
    let repaired = m.command(&["apply"]);
    let says = String::from_utf8_lossy(&repaired.stdout).into_owned();
    assert!(repaired.status.success(), "{repaired:?}");
    assert!(says.contains("took `commit_delay = '0'` out of postgresql.auto.conf"), "{says}");
    assert_eq!(m.check().await, [], "{says}");
    assert_eq!(m.ask("db", "SHOW commit_delay").await, "4000");
    let again = m.command(&["apply"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "nothing to change: everything is as declared\n");

    another_state(&m).await;

    // Everything from nothing a second time.
    wipe(&m.root()).unwrap();
    assert!(!m.root().exists());
    for (name, port) in &m.ports {
        assert!(TcpListener::bind(("127.0.0.1", *port)).is_ok(), "{name} still listens");
    }
    m.apply().await;
    assert_eq!(m.check().await, []);
    m.everybody_takes_the_survey().await;
}

/// Whatever somebody may change on a running server, each with the place where it was done.
async fn by_hand(m: &Machines) {
    for sql in [
        "ALTER SYSTEM SET commit_delay = 0",
        "ALTER SYSTEM SET max_connections = 90",
        "SELECT pg_reload_conf()",
    ] {
        m.ask("db", sql).await;
    }
    m.until("db", "SHOW commit_delay", "0").await;
    m.until("db", "SELECT count(*) FROM pg_settings WHERE pending_restart", "1").await;
    // Not loaded yet: the next restart would bring it.
    m.ask("db", "ALTER SYSTEM SET work_mem = '5MB'").await;
    m.ask("db", "ALTER ROLE survey SET statement_timeout = '7s'").await;
    m.ask("db", "ALTER DATABASE survey SET jit = off").await;
    // ALTER SYSTEM is refused on a replica; a hand is not.
    let auto = m.root().join("replica/data/postgresql.auto.conf");
    let text = std::fs::read_to_string(&auto).unwrap();
    std::fs::write(&auto, format!("{text}max_standby_streaming_delay = '1s'\nrandom_page_cost = 4\n"))
        .unwrap();
    m.ask("replica", "SELECT pg_reload_conf()").await;
    m.until("replica", "SHOW random_page_cost", "4").await;
    m.ask("pgbouncer", "SET default_pool_size = 9").await;
    m.ask("pgbouncer", "SET query_wait_timeout = 33").await;
    m.ask_redis(&["CONFIG", "SET", "maxmemory", "100mb"]).await;
    m.ask_redis(&["CONFIG", "SET", "timeout", "77"]).await;
    let nginx = m.root().join("web/nginx/nginx.conf");
    let text = std::fs::read_to_string(&nginx).unwrap();
    std::fs::write(&nginx, text.replace("keepalive 32;", "keepalive 2;")).unwrap();

    let drifts = m.check().await;
    let (db, replica, cache, web) = (Role::Db, Role::Replica, Role::Cache, Role::Web);
    says(found(&drifts, db, "commit_delay"), Some("4000"), Some("0"), "postgresql.auto.conf line 3");
    says(found(&drifts, db, "max_connections"), Some("80"), Some("90"), "waits for a restart");
    says(found(&drifts, db, "work_mem"), None, Some("5MB"), "line 5; not loaded yet");
    says(found(&drifts, db, "statement_timeout"), None, Some("7s"), "for role survey in database all");
    says(found(&drifts, db, "jit"), None, Some("off"), "for role all in database survey");
    let delay = found(&drifts, replica, "max_standby_streaming_delay");
    says(delay, Some("30s"), Some("1000ms"), "postgresql.auto.conf line ");
    says(found(&drifts, replica, "random_page_cost"), Some("1.1"), Some("4"), "postgresql.auto.conf line ");
    says(found(&drifts, cache, "redis maxmemory"), Some("256mb"), Some("104857600"), "CONFIG GET");
    says(found(&drifts, cache, "redis timeout"), None, Some("77"), "it was `0`");
    says(found(&drifts, web, "pgbouncer default_pool_size"), Some("3"), Some("9"), "SHOW CONFIG");
    says(found(&drifts, web, "pgbouncer query_wait_timeout"), None, Some("33"), "the default is");
    let file = found(&drifts, web, "web/nginx/nginx.conf");
    says(file, Some("`    keepalive 32;`"), Some("`    keepalive 2;`"), "line ");
    assert_eq!(drifts.len(), 12, "and nothing else: {drifts:#?}");
}

/// Another state: what it changes is changed, what the server would refuse changes nothing.
async fn another_state(m: &Machines) {
    let root = m.root();
    let larger = m.with("shared_buffers = \"64MB\"", "shared_buffers = \"72MB\"");
    let drifts = check(&larger, &root, &exe(), &[Role::Db]).await.unwrap();
    says(
        found(&drifts, Role::Db, "shared_buffers"),
        Some("72MB"),
        Some("8192 × 8kB"),
        "postgresql.conf line ",
    );
    let done = apply(&larger, &root, &exe(), &[]).await.unwrap_or_else(|e| panic!("{e:#}"));
    assert!(done.contains(&"db: restarted db: settings that only a restart brings".to_string()), "{done:?}");
    assert!(done.iter().all(|d| d.starts_with("db: ") || d.starts_with("replica: ")), "{done:?}");
    assert_eq!(check(&larger, &root, &exe(), &[]).await.unwrap(), []);
    assert_eq!(m.ask("replica", "SHOW shared_buffers").await, "72MB");

    for (line, complaint) in [
        ("commit_siblings = 5000", "5000 is outside the valid range"),
        ("commit_sibling = 5", "commit_sibling"),
    ] {
        let wrong = m.with("commit_siblings = 5", line);
        let error = apply(&wrong, &root, &exe(), &[Role::Db]).await.unwrap_err();
        assert!(format!("{error:#}").contains(complaint), "{error:#}");
    }
    assert_eq!(check(&larger, &root, &exe(), &[]).await.unwrap(), [], "it runs as before");

    // One process fewer, one server gone.
    let fewer = m.with("processes = 2", "processes = 1");
    let done = apply(&fewer, &root, &exe(), &[Role::Web]).await.unwrap_or_else(|e| panic!("{e:#}"));
    assert!(done.contains(&"web: stopped web2".to_string()), "{done:?}");
    assert_eq!(check(&fewer, &root, &exe(), &[Role::Web]).await.unwrap(), []);
    m.apply().await;
    assert_eq!(m.check().await, []);
    // A directory of somebody else is neither used nor removed.
    assert!(wipe(m.dir.path()).is_err() && m.root().exists());
    assert!(apply(&m.state(), m.dir.path(), &exe(), &[]).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_accepts_every_tuned_line() {
    let nothing_else = Wanted {
        replica: false,
        pgbouncer: false,
        memcached: false,
        redis: false,
        ..Wanted::everything(exe(), None)
    };
    let stack = Stack::up(&nothing_else).await.unwrap_or_else(|e| panic!("{e:#}"));
    let conf = stack.dir.join("primary/postgresql.conf");
    let before = std::fs::read_to_string(&conf).unwrap();
    let all = Talk { commit_delay: true, synchronous_commit_off: true };
    for (profile, cores, disk) in [(Profile::Web, 8, Disk::Ssd), (Profile::Desktop, 2, Disk::Hdd)] {
        let machine = Machine { memory: 512 << 20, cores, disk, profile, connections: Some(40) };
        let lines = tune(&machine, all).unwrap();
        std::fs::write(&conf, format!("{before}{}", print(&machine, &lines))).unwrap();
        stack.keeper.stop("primary").unwrap();
        stack.restart_postgres("primary").await.unwrap_or_else(|e| panic!("{e:#}"));
        let sql =
            "SELECT string_agg(name || ': ' || error, ', ') FROM pg_file_settings WHERE error IS NOT NULL";
        assert_eq!(stack.ask_primary(sql).await.unwrap(), None);
        for line in &lines {
            // The server itself says what a value is, in the unit of its own that SHOW picks.
            let sql = format!("SELECT current_setting('{}')", line.name);
            let actual = stack.ask_primary(&sql).await.unwrap().unwrap();
            assert_eq!(actual, line.value, "{}", line.name);
            let sql = format!("SELECT source FROM pg_settings WHERE name = '{}'", line.name);
            assert_eq!(
                stack.ask_primary(&sql).await.unwrap().as_deref(),
                Some("configuration file"),
                "{}",
                line.name
            );
        }
    }
}

/// What is printed at the shell is what is computed.
#[test]
fn the_spreadsheet_at_the_shell() {
    let run = |arguments: &[&str]| {
        let output = Command::new(exe()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let table = run(&["capacity", "phase2", "--set", "load.requests_per_second=3750"]);
    assert!(table.contains("1,250 requests/s") && table.contains("3× mistake"), "{table}");
    let sheet = run(&["capacity", "phase1", "--print-sheet"]);
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(Path::new(&path("sheet.toml")), sheet).unwrap();
    run(&["capacity", &path("sheet.toml"), "--format", "csv", "--out", &path("plan.csv")]);
    let csv = survey_app::csv::read(&std::fs::read_to_string(path("plan.csv")).unwrap());
    let line = csv.iter().find(|row| row[1] == "requests_per_second").unwrap();
    assert_eq!(line[3], "275.5556");
    let conf = run(&["tune", "--memory", "68GB", "--cores", "26", "--disk", "ssd", "--talk"]);
    assert!(
        conf.contains("\nshared_buffers = 17GB\n") && conf.contains("\n#synchronous_commit = off\n"),
        "{conf}"
    );
}
