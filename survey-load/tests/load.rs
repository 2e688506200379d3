//! The program against the application itself: its counters and its database say what it was asked for.
//!
//! One PostgreSQL and one application in this process, so that both can be asked; the load comes from the program
//! under test, over HTTP, as for any user. Nothing timed is asserted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use survey_app::app::App;
use survey_app::assets::Assets;
use survey_app::config::{Profile, Switches};
use survey_app::endpoints::{Endpoints, Postgres};
use survey_app::plan::{self, Plan};
use survey_app::respondent::Respondent;
use survey_app::router::Pin;
use survey_app::run::Site;
use survey_app::scope::{Scope, View};
use survey_load::journey::Journey;
use survey_load::report::{Asked, Report, Sample};

/// Pages of every survey here: 5 + 4 + 6 questions.
const PAGES: usize = 3;
const QUESTIONS: u64 = 15;
/// What a respondent sends: 2P + 4.
const EACH: u64 = 2 * PAGES as u64 + 4;

/// A server with the application's tables.
struct Stage {
    server: stage::Server,
    app: Arc<App>,
    site: Site,
}

const TEST: View = View { name: "test", route: "test", read_only: &[] };

impl Stage {
    async fn set() -> Stage {
        let server = stage::Server::start(&[]).unwrap();
        for sql in ["CREATE ROLE survey LOGIN", "CREATE DATABASE survey OWNER survey"] {
            server.run("psql", &["-qc", sql]).unwrap();
        }
        let primary = Postgres {
            host: server.directory().display().to_string(),
            port: 5432,
            database: "survey".into(),
            user: "survey".into(),
            password: String::new(),
        };
        let endpoints = Endpoints {
            secret: "a secret of the tests".into(),
            proxy_key: None,
            redis: None,
            memcached: None,
            primary,
            replica: None,
            pooled_primary: None,
            pooled_replica: None,
        };
        let sets = ["session.backend=db", "cache.backend=locmem", "router.mode=off", "assets.compress=off"];
        let sets: Vec<String> = sets.map(str::to_string).to_vec();
        let switches = Switches::assemble(Profile::Tuned, None, &[], &sets).unwrap();
        let app = App::start(switches, &endpoints, Assets::plain()).await.unwrap();
        survey_app::migrate::migrate(&app).await.unwrap();
        let site = Site::serve(&app).await.unwrap();
        Stage { server, app, site }
    }

    fn host(&self) -> String {
        format!("http://{}", self.site.at)
    }

    /// A survey of its own with so many people, and their codes.
    async fn survey(&self, people: usize) -> Survey {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let slug = format!("load-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let scope = Scope::begin(Arc::clone(&self.app), TEST, None, Pin::default());
        let planned = Plan { slug: slug.clone(), ..Plan::for_run(PAGES) };
        let id = plan::store(&scope, &planned).await.unwrap();
        let roster: Vec<(String, String)> =
            (0..people).map(|p| (survey_app::run::person(p), "North".to_string())).collect();
        plan::enroll(&scope, id, &roster).await.unwrap();
        scope.finish(true).await.unwrap();
        let secret = &self.app.secret;
        let codes = roster.iter().map(|(person, _)| survey_app::secret::login_code(secret, id, person));
        let survey = Survey { codes: codes.collect(), slug, dir: tempfile::tempdir().unwrap() };
        self.app.counters.clear();
        survey
    }

    fn ask(&self, sql: &str) -> String {
        self.server.run("psql", &["-d", "survey", "-Atc", sql]).unwrap().trim().to_string()
    }

    /// Sessions that reached their end, and the answers of all.
    fn stored(&self, survey: &Survey) -> String {
        let slug = &survey.slug;
        self.ask(&format!(
            "SELECT count(DISTINCT s.id) FILTER (WHERE completed_at IS NOT NULL), count(question_id) \
             FROM response_session s JOIN survey ON survey.id = survey_id \
             LEFT JOIN response_item ON session_id = s.id WHERE slug = '{slug}'"
        ))
    }
}

struct Survey {
    slug: String,
    codes: Vec<String>,
    dir: tempfile::TempDir,
}

impl Survey {
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// A file with the codes of these people.
    fn roster(&self, people: std::ops::Range<usize>) -> String {
        let path = self.path("codes.csv");
        let line = |code: &String| format!("/survey/{}/,{code}\n", self.slug);
        let lines: String = self.codes[people].iter().map(line).collect();
        std::fs::write(&path, format!("address,code\n{lines}")).unwrap();
        path
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_survey-load"))
}

async fn run(arguments: &[&str]) -> Output {
    let arguments: Vec<String> = arguments.iter().map(|a| a.to_string()).collect();
    tokio::task::spawn_blocking(move || program().args(arguments).output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn views(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(view, n)| (view.to_string(), *n)).collect()
}

/// What `people` who took the whole survey asked the application for.
fn whole_surveys(people: u64) -> BTreeMap<String, u64> {
    let pages = PAGES as u64;
    views(&[
        ("survey_login", 2 * people),
        ("survey_display", people),
        ("survey_content", pages * people),
        ("survey_change_page", pages * people),
        ("survey_complete", people),
    ])
}

fn by_view(report: &Report) -> BTreeMap<String, u64> {
    let mut out = BTreeMap::new();
    for view in &report.views {
        *out.entry(view.view.clone()).or_default() += view.requests;
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn exact_runs_count_exactly() {
    let stage = Stage::set().await;
    let survey = stage.survey(12).await;
    let (codes, json, html) = (survey.roster(0..7), survey.path("run.json"), survey.path("run.html"));
    let host = stage.host();
    let common = ["run", "--host", &host, "--codes", &codes, "-o", &json];
    let out = run(&[&common[..], &["--users", "7", "--html", &html]].concat()).await;
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let report = Report::read(Path::new(&json)).unwrap();
    assert_eq!(stage.app.counters.requests(), whole_surveys(7), "what the application was asked for");
    assert_eq!(by_view(&report), whole_surveys(7), "what we say that we asked for");
    assert_eq!((report.requests, report.failures, report.respondents.finished), (7 * EACH, 0, 7));
    assert_eq!(report.requests_by_goose, 7 * EACH);
    assert_eq!(stage.stored(&survey), format!("7|{}", 7 * QUESTIONS));
    assert!(std::fs::read_to_string(&html).unwrap().contains("All as it was asked for"));

    // The same people again: they have completed it, and are led to its end. That is not what a run asks for.
    let out = run(&[&common[..], &["--users", "2"]].concat()).await;
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    let report = Report::read(Path::new(&json)).unwrap();
    assert_eq!((report.failures, report.respondents.gave_up, report.errors[0].status), (2, 2, 303));
    assert!(said(&out).contains("0 of 2 respondents reached the end"), "{}", said(&out));
    let out = run(&[&common[..], &["--users", "8"]].concat()).await;
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    assert!(said(&out).contains("8 respondents need a login code each, and there are 7"), "{}", said(&out));

    // Two processes share the other people; nobody is met twice.
    stage.app.counters.clear();
    survey.roster(7..12);
    let out = run(&[&common[..], &["--users", "5", "--processes", "2", "--think", "0..0.02"]].concat()).await;
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let report = Report::read(Path::new(&json)).unwrap();
    assert_eq!(stage.app.counters.requests(), whole_surveys(5));
    assert_eq!(by_view(&report), whole_surveys(5));
    assert_eq!((report.asked.processes, report.asked.users, report.asked.surveys), (2, 5, Some(5)));
    assert_eq!(report.requests_by_goose, 5 * EACH);
    assert_eq!(report.seconds.iter().map(|s| s.requests).sum::<u64>(), 5 * EACH);
    assert_eq!(stage.stored(&survey), format!("12|{}", 12 * QUESTIONS));
}

#[tokio::test(flavor = "multi_thread")]
async fn paced_runs_go_on_until_the_time_is_over() {
    let stage = Stage::set().await;
    let survey = stage.survey(60).await;
    let (codes, json) = (survey.roster(0..60), survey.path("run.json"));
    let host = stage.host();
    let common = ["run", "--host", &host, "--codes", &codes, "-o", &json];
    let out = run(&[&common[..], &["--rate", "100", "--seconds", "2"]].concat()).await;
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let report = Report::read(Path::new(&json)).unwrap();
    assert_eq!(by_view(&report), stage.app.counters.requests(), "nothing is lost at the end");
    assert_eq!(report.failures, 0);
    assert_eq!((report.asked.rate, report.asked.seconds, report.asked.surveys), (Some(100), Some(2), None));
    // Whoever was cut off has a session that is not complete.
    let (finished, cut) = (report.respondents.finished, report.respondents.cut);
    assert!(stage.stored(&survey).starts_with(&format!("{finished}|")), "{finished} finished, {cut} cut");

    // Somebody who is left without a code ends the run, and it is said.
    survey.roster(57..60);
    let out = run(&[&common[..], &["--users", "2", "--seconds", "600"]].concat()).await;
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).contains("the login codes ran out after 3 respondents"), "{}", said(&out));
}

/// The recorder, ended in good order or with the test.
struct Recorder {
    child: Child,
    at: std::net::SocketAddr,
}

impl Recorder {
    fn start(to: &str, journey: &str) -> Recorder {
        let mut command = program();
        command.args(["record", "--listen", "127.0.0.1:0", "--to", to, "-o", journey]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let at = line.split("http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
        Recorder { child, at }
    }

    fn end(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Does nothing to a process that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_done_again_by_others() {
    let stage = Stage::set().await;
    let survey = stage.survey(6).await;
    let journey = survey.path("journey.toml");
    let recorder = Recorder::start(&stage.host(), &journey);
    // The login as a browser sends its form, then the rest as the page's script does it.
    let mut one = Respondent::new(recorder.at, &survey.slug, 1);
    let login = format!("/survey/{}/", survey.slug);
    let form = one.browser.get(&login).await.unwrap().body;
    one.csrf = survey_load::page::token(&form).unwrap();
    let style = form.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(one.browser.get(style).await.unwrap().status, 200, "{style} comes through, and is no step");
    let fields = [("csrf".to_string(), one.csrf.clone()), ("code".to_string(), survey.codes[0].clone())];
    let kind = "application/x-www-form-urlencoded";
    let body = format!("csrf={}&code={}", fields[0].1, fields[1].1);
    let origin = format!("http://{}", recorder.at);
    let reply = one
        .browser
        .send(hyper::Method::POST, &login, kind, body, &[("origin", origin.as_str())])
        .await
        .unwrap();
    assert_eq!(reply.status, 303, "{}", reply.body);
    one.display().await.unwrap();
    loop {
        let (questions, _) = one.content(one.page).await.unwrap();
        if !one.save(&questions).await.unwrap() {
            break;
        }
    }
    assert_eq!(one.complete().await.unwrap() as u64, QUESTIONS);
    let secrets: Vec<String> = one.browser.cookies.values().map(|c| c.0.clone()).collect();
    let token = one.csrf.clone();
    drop(one);
    assert_eq!(recorder.end(), Some(0));

    let text = std::fs::read_to_string(&journey).unwrap();
    assert_eq!(Journey::parse(&text).unwrap().requests.len() as u64, EACH, "{text}");
    for secret in secrets.iter().chain([&survey.codes[0], &token]).filter(|s| s.len() > 1) {
        assert!(!text.contains(secret.as_str()), "{secret} in {text}");
    }

    // Two others, at another address.
    let (codes, json) = (survey.roster(1..3), survey.path("replay.json"));
    let elsewhere = Site::serve(&stage.app).await.unwrap();
    let host = format!("http://{}", elsewhere.at);
    let replay = ["replay", &journey, "--host", &host, "--codes", &codes, "-o", &json];
    stage.app.counters.clear();
    let out = run(&[&replay[..], &["--users", "2"]].concat()).await;
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    assert_eq!(stage.app.counters.requests(), whole_surveys(2));
    assert_eq!(by_view(&Report::read(Path::new(&json)).unwrap()), whole_surveys(2));
    assert_eq!(stage.stored(&survey), format!("3|{}", 3 * QUESTIONS));

    // Each token wrong first: all of them are refused, and nothing but the right ones' answers is stored.
    survey.roster(3..4);
    stage.app.counters.clear();
    let out = run(&[&replay[..], &["--wrong-token-first", "--think", "recorded"]].concat()).await;
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let report = Report::read(Path::new(&json)).unwrap();
    let refused: u64 = report.views.iter().filter_map(|v| v.statuses.get(&403)).sum();
    assert_eq!(refused, 1 + PAGES as u64, "the login and every page");
    assert_eq!(report.requests, EACH + 1 + PAGES as u64);
    assert_eq!(stage.app.counters.requests().values().sum::<u64>(), report.requests);
    assert_eq!(stage.stored(&survey), format!("4|{}", 4 * QUESTIONS));

    // A token that was kept, as a recorder without placeholders would: refused.
    std::fs::write(&journey, text.replace("${csrf}", &token)).unwrap();
    survey.roster(4..5);
    let out = run(&replay).await;
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    let report = Report::read(Path::new(&json)).unwrap();
    assert_eq!((report.requests, report.failures, report.errors[0].status), (2, 1, 403));
    assert_eq!(stage.stored(&survey), format!("4|{}", 4 * QUESTIONS));
    elsewhere.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_merged() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let report = |us: u64, times: u64| {
        let asked = Asked { processes: 1, users: 1, surveys: None, rate: Some(5), seconds: Some(1) };
        let mut report = Report::new("survey", "http://a", asked);
        for i in 0..times {
            let sample = Sample {
                view: "v",
                method: "GET",
                status: 200,
                failure: None,
                took_us: us,
                ended_us: 1_000_000 * (i + 1),
            };
            report.count(&sample);
        }
        report.requests_by_goose = times;
        report
    };
    for (name, part) in [("a.json", report(10, 3)), ("b.json", report(1_000, 1)), ("c.json", report(20, 1))] {
        std::fs::write(path(name), part.to_json().unwrap()).unwrap();
    }
    let out =
        run(&["merge", &path("a.json"), &path("b.json"), &path("c.json"), "-o", &path("all.json")]).await;
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let all = Report::read(Path::new(&path("all.json"))).unwrap();
    assert_eq!((all.requests, all.asked.processes, all.asked.rate), (5, 3, Some(15)));
    // 10, 10, 10, 20, 1000: the third of five, and the last.
    assert_eq!((all.response_us.percentile(50), all.response_us.max()), (10, 1_000));
    assert_eq!(all.seconds.iter().map(|s| s.requests).collect::<Vec<_>>(), [3, 1, 1]);
    std::fs::write(path("b.json"), "{\"schema\":\"pglens.report/1\"}").unwrap();
    let out = run(&["merge", &path("a.json"), &path("b.json")]).await;
    assert_eq!(out.status.code(), Some(2));
    assert!(said(&out).contains("its schema is `pglens.report/1`"), "{}", said(&out));
}
