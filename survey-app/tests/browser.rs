//! The whole application in a real browser: an administrator uploads a survey and a roster, somebody takes
//! the survey on a phone, the administrator downloads the responses. Then everything is killed, and nothing
//! is left.
//!
//! Speaks WebDriver to chromedriver. With SURVEY_SCREENSHOTS=DIR it leaves a picture of each step.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hyper::Method;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use survey_app::respondent::Browser;
use survey_app::stack::find_program;

const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Chromium behind chromedriver; both end with it.
struct Driver {
    wire: Browser,
    session: String,
    process: Child,
    _profile: tempfile::TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Its group: chromium is a child of chromedriver.
        let pid = rustix::process::Pid::from_raw(self.process.id() as i32).unwrap();
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        let _ = self.process.wait();
    }
}

impl Driver {
    async fn start() -> Driver {
        let missing =
            "the browser test needs chromedriver and Chromium: apt-get install chromium chromium-driver";
        let program = find_program("chromedriver", &["/usr/lib/chromium"]).expect(missing);
        let chromium = find_program("chromium", &[]).expect(missing);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(program)
            .arg(format!("--port={port}"))
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let profile = tempfile::tempdir().unwrap();
        let wire = Browser::new(SocketAddr::from(([127, 0, 0, 1], port)));
        let mut driver = Driver { wire, session: String::new(), process, _profile: profile };
        let deadline = Instant::now() + Duration::from_secs(30);
        while driver.wire.get("/status").await.is_err() {
            assert!(Instant::now() < deadline, "chromedriver does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut arguments = vec![format!("--user-data-dir={}", driver._profile.path().display())];
        arguments.extend(
            [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
            ]
            .map(str::to_string),
        );
        let options = json!({ "binary": chromium.display().to_string(), "args": arguments });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } } });
        let answer = driver.call(Method::POST, "/session", wanted).await.expect("a browser");
        driver.session = answer["sessionId"].as_str().unwrap().to_string();
        driver
    }

    async fn call(&mut self, method: Method, path: &str, body: Value) -> Result<Value, String> {
        let body = if method == Method::POST { body.to_string() } else { String::new() };
        let reply = self
            .wire
            .send(method, path, "application/json", body, &[])
            .await
            .map_err(|e| format!("{e:#}"))?;
        let answer: Value = serde_json::from_str(&reply.body).map_err(|e| format!("{e}: {}", reply.body))?;
        if reply.status.is_success() {
            Ok(answer["value"].clone())
        } else {
            Err(answer["value"]["message"].to_string())
        }
    }

    async fn post(&mut self, path: &str, body: Value) -> Result<Value, String> {
        let path = format!("/session/{}{path}", self.session);
        self.call(Method::POST, &path, body).await
    }

    async fn go(&mut self, url: &str) {
        self.post("/url", json!({ "url": url })).await.unwrap();
    }

    /// The element, as soon as it is there.
    async fn find(&mut self, css: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.post("/element", json!({ "using": "css selector", "value": css })).await {
                Ok(found) => return found[ELEMENT].as_str().unwrap().to_string(),
                Err(error) if Instant::now() > deadline => {
                    let body = self.script("return document.body.innerText + location.href").await;
                    panic!("{css}: {error}\n{body}")
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn click(&mut self, css: &str) {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let element = self.find(css).await;
            match self.post(&format!("/element/{element}/click"), json!({})).await {
                Ok(_) => return,
                // The page was replaced between the look and the click, or is still moving.
                Err(error) => assert!(Instant::now() < deadline, "{css}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn write(&mut self, css: &str, text: &str) {
        let element = self.find(css).await;
        self.post(&format!("/element/{element}/value"), json!({ "text": text })).await.unwrap();
    }

    async fn script(&mut self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] })).await.unwrap()
    }

    /// The bytes of an address as the signed-in person downloads them.
    async fn fetch(&mut self, css: &str) -> String {
        self.find(css).await;
        let script = format!(
            "const done = arguments[0]; fetch(document.querySelector('{css}').href).then(r => r.text()).then(done)"
        );
        self.post("/execute/async", json!({ "script": script, "args": [] }))
            .await
            .unwrap()
            .as_str()
            .unwrap()
            .to_string()
    }

    async fn resize(&mut self, width: u32, height: u32) {
        self.post("/window/rect", json!({ "width": width, "height": height })).await.unwrap();
    }

    /// Waits until `script` says true.
    async fn until(&mut self, script: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.post("/execute/sync", json!({ "script": script, "args": [] })).await
            != Ok(Value::Bool(true))
        {
            if Instant::now() > deadline {
                let body = self.script("return document.body.innerText + location.href").await;
                panic!("never: {script}\n{body}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn picture(&mut self, name: &str) {
        let Some(dir) = std::env::var_os("SURVEY_SCREENSHOTS") else { return };
        let path = format!("/session/{}/screenshot", self.session);
        let text = self.call(Method::GET, &path, Value::Null).await.unwrap();
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(Path::new(&dir).join(format!("{name}.png")), base64(text.as_str().unwrap())).unwrap();
    }

    /// Nothing is wider than the screen, and everything that is touched is large enough for a thumb.
    async fn fits_a_phone(&mut self) {
        let script = "return [document.documentElement.scrollWidth - window.innerWidth, \
                      Math.min(...[...document.querySelectorAll('button, .choice, input:not([type=radio]):not([type=hidden])')]\
                      .filter(e => e.offsetHeight).map(e => e.offsetHeight))]";
        let found = self.script(script).await;
        assert!(found[0].as_i64().unwrap() <= 0, "{found} wider than the screen");
        // A page without anything to touch has no smallest one.
        assert!(found[1].as_i64().is_none_or(|height| height >= 40), "{found} pixels high");
    }
}

/// `survey-app up` with a place of its own for everything that it leaves while it runs.
struct Up {
    child: Child,
    /// A login code of the survey that is there from the start.
    code: String,
    /// Held open: a closed one would be another way to end.
    _output: Option<std::io::Lines<BufReader<std::process::ChildStdout>>>,
    site: String,
    password: String,
    place: tempfile::TempDir,
}

impl Up {
    fn start() -> Up {
        Up::with("up")
    }

    /// `up` or `demo`.
    fn with(command: &str) -> Up {
        let place = tempfile::tempdir().unwrap();
        // Servers that run as another user must be able to pass.
        std::fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_survey-app"))
            .arg(command)
            .env("TMPDIR", place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut site, mut password, mut code) = (String::new(), String::new(), String::new());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some(rest) = line.trim().strip_prefix("administration") {
                site = rest.trim().split("/admin/").next().unwrap().to_string();
                password = rest.split(" / ").nth(1).unwrap().to_string();
            }
            if let Some(rest) = line.trim().strip_prefix("login codes") {
                code = rest.trim().to_string();
            }
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        if site.is_empty() {
            let mut why = String::new();
            let _ = child.stderr.take().unwrap().read_to_string(&mut why);
            panic!("survey-app {command}: {why}");
        }
        Up { child, code, _output: Some(lines), site, password, place }
    }

    /// What it started that is still there: processes that name its place, and what lies in it.
    fn leftovers(&self) -> Vec<String> {
        let place = self.place.path().display().to_string();
        let mut left: Vec<String> = std::fs::read_dir(self.place.path())
            .unwrap()
            .map(|e| e.unwrap().path().display().to_string())
            .collect();
        for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let environment = String::from_utf8_lossy(&read("environ")).into_owned();
            if (line.contains(&place) || environment.contains(&place))
                && !entry.path().ends_with(self.child.id().to_string())
            {
                left.push(line);
            }
        }
        left
    }

    fn everything_is_gone(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.leftovers().is_empty() {
            assert!(Instant::now() < deadline, "left behind: {:?}", self.leftovers());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(self.child.id() as i32).unwrap(),
            signal,
        )
        .unwrap();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SURVEY: &str = "slug = 'browser'\ntitle = 'Your week at school'\norganization = 'Office for School Development'\n\
    welcome = 'A few questions about your week.'\nprivacy = 'Nobody at your school sees your answers.'\n\
    [scales]\nagree = ['Not true', 'Rather not', 'Partly', 'Rather true', 'True']\nyesno = ['Yes', 'No']\n\
    [[pages]]\ntitle = 'In class'\nquestions = [{ text = 'I knew what to do.', scale = 'agree' }, \
    { text = 'Were you ill this week?', scale = 'yesno', skip = { 2 = 3 } }]\n\
    [[pages]]\ntitle = 'When you were ill'\nquestions = [{ text = 'Somebody brought me the work.', scale = 'agree' }]\n\
    [[pages]]\ntitle = 'And finally'\nquestions = [{ text = 'I look forward to next week.', scale = 'agree' }, \
    { text = 'Anything else?', optional = true }]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_from_upload_to_download() {
    let mut up = Up::start();
    let mut d = Driver::start().await;
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (survey, roster) = (
        write("survey.toml", SURVEY),
        write("roster.csv", "person,school\nAlex Kim,Hill School\nRobin Day,Hill School\n"),
    );

    // The administrator uploads a survey and a roster, and prints the codes.
    d.resize(1200, 900).await;
    d.go(&format!("{}/admin/", up.site)).await;
    d.write("#name", "admin").await;
    d.write("#password", &up.password).await;
    d.picture("1-sign-in").await;
    d.click("form .primary").await;
    d.find(".tiles").await;
    d.picture("2-administration").await;
    d.go(&format!("{}/admin/upload", up.site)).await;
    d.write("#file", &survey.display().to_string()).await;
    d.click("form .primary").await;
    d.until("return location.pathname.startsWith('/admin/survey/')").await;
    d.picture("3-survey").await;
    let address = d.script("return location.href").await.as_str().unwrap().to_string();
    d.go(&format!("{address}/roster")).await;
    d.write("#file", &roster.display().to_string()).await;
    d.click("form .primary").await;
    d.until("return [...document.querySelectorAll('.status')].some(s => s.textContent === 'done')").await;
    d.picture("4-roster").await;
    let codes = d.fetch("a.codes").await;
    let code =
        codes.lines().find(|l| l.starts_with("Alex Kim")).unwrap().rsplit(',').next().unwrap().to_string();

    // Somebody takes the survey on a phone.
    d.resize(390, 844).await;
    d.go(&format!("{}/survey/browser/", up.site)).await;
    d.fits_a_phone().await;
    d.write("#code", "not a code").await;
    d.click(".primary").await;
    d.find(".alert").await;
    d.write("#code", &code.to_lowercase()).await;
    d.picture("5-code").await;
    d.click(".primary").await;
    d.find("#page[data-number='1'] .choice").await;
    d.fits_a_phone().await;
    d.click("#next").await;
    d.until("return !document.getElementById('trouble').hidden").await;
    d.picture("6-missing").await;
    d.click(".question:nth-of-type(1) .choice:nth-child(4)").await;
    d.click(".question:nth-of-type(2) .choice:nth-child(2)").await;
    d.picture("7-answered").await;
    d.click("#next").await;
    // "No" leads past the second page.
    d.find("#page[data-number='3']").await;
    d.until("return document.getElementById('saved').textContent.startsWith('Saved')").await;
    d.picture("8-last-page").await;
    // What was saved is still there after a reload, and after going back.
    d.go(&format!("{}/survey/browser/take", up.site)).await;
    d.find("#page[data-number='3']").await;
    d.click("#back").await;
    d.find("#page[data-number='2']").await;
    d.click("#back").await;
    d.find("#page[data-number='1']").await;
    d.until("return document.querySelectorAll('input:checked').length === 2").await;
    d.click("#next").await;
    d.find("#page[data-number='3']").await;
    d.click(".choice:nth-child(5)").await;
    d.write("textarea", "More music, please. Grüße & \"thanks\"").await;
    d.click("#next").await;
    d.until("return location.pathname.endsWith('/complete')").await;
    d.until("return document.getElementById('answers').textContent === '4'").await;
    d.fits_a_phone().await;
    d.picture("9-thanks").await;
    d.resize(1200, 900).await;
    d.go(&format!("{}/survey/our-school/", up.site)).await;
    d.picture("10-desktop").await;

    // The administrator, who has to sign in again (the phone took over the login), downloads the responses.
    d.go(&format!("{}/admin/", up.site)).await;
    d.write("#name", "admin").await;
    d.write("#password", &up.password).await;
    d.click("form .primary").await;
    d.find(".tiles").await;
    d.go(&format!("{address}/responses")).await;
    d.click("form .primary").await;
    d.until("return [...document.querySelectorAll('.status')].some(s => s.textContent === 'done')").await;
    d.picture("11-responses").await;
    let csv = d.fetch("a.download").await;
    let rows = survey_app::csv::read(&csv);
    assert_eq!(rows[0], ["person", "school", "started", "completed", "q1", "q2", "q3", "q4", "q5"], "{csv}");
    assert_eq!(rows.len(), 2, "one has started: {csv}");
    assert_eq!((rows[1][0].as_str(), rows[1][1].as_str()), ("Alex Kim", "Hill School"));
    assert_eq!(rows[1][4..], ["4", "2", "", "5", "More music, please. Grüße & \"thanks\""]);
    d.go(&format!("{}/debug/", up.site)).await;
    d.find("td a").await;
    d.picture("12-debug").await;
    d.click("td a").await;
    d.picture("13-request").await;
    drop(d);

    // A second stack of the same user is refused; SIGKILL leaves nothing.
    let second = Command::new(env!("CARGO_BIN_EXE_survey-app"))
        .arg("up")
        .env("TMPDIR", up.place.path())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&second.stderr).contains("is up already"), "{second:?}");
    assert!(!up.leftovers().is_empty(), "this test would see what is left");
    up.child.kill().unwrap();
    up.child.wait().unwrap();
    up.everything_is_gone();
}

#[test]
fn ctrl_c_and_down_leave_nothing() {
    use rustix::process::Signal;
    let mut up = Up::start();
    up.signal(Signal::INT);
    assert!(up.child.wait().unwrap().success(), "Ctrl-C is an end in good order");
    up.everything_is_gone();
    let mut up = Up::start();
    let place = up.place.path().to_path_buf();
    let down =
        || Command::new(env!("CARGO_BIN_EXE_survey-app")).arg("down").env("TMPDIR", place).output().unwrap();
    assert!(!up.leftovers().is_empty());
    let stopped = std::thread::scope(|s| {
        let stopped = s.spawn(down);
        up.child.wait().unwrap();
        stopped.join().unwrap()
    });
    assert!(stopped.status.success(), "{stopped:?}");
    up.everything_is_gone();
    // In the middle of coming up.
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let spawn = Command::new(env!("CARGO_BIN_EXE_survey-app"))
        .arg("up")
        .env("TMPDIR", place.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut half = Up {
        child: spawn.unwrap(),
        code: String::new(),
        _output: None,
        site: String::new(),
        password: String::new(),
        place,
    };
    std::thread::sleep(Duration::from_millis(900));
    half.child.kill().unwrap();
    half.child.wait().unwrap();
    half.everything_is_gone();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_takes_a_survey_and_leaves_nothing() {
    let mut demo = Up::with("demo");
    let at: SocketAddr = demo.site.strip_prefix("http://").unwrap().parse().unwrap();
    let mut somebody = survey_app::respondent::Respondent::new(at, "our-school", 1);
    let answers = somebody.take(&demo.code).await.unwrap();
    // The fourth question leads past the second page when it is answered with "No".
    assert!(answers == 6 || answers == 8, "{answers}");
    demo.signal(rustix::process::Signal::TERM);
    assert!(demo.child.wait().unwrap().success());
    demo.everything_is_gone();
}

#[test]
fn without_servers_it_says_what_to_install() {
    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_survey-app"))
        .args(["run", "--users", "1", "--pages", "1", "--logs"])
        .arg(empty.path())
        .env("SURVEY_PROGRAMS", empty.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(
        says.contains("apt-get install --no-install-recommends postgresql pgbouncer memcached redis-server"),
        "{says}"
    );
}

/// The bytes of a picture.
fn base64(text: &str) -> Vec<u8> {
    let value = |b: u8| match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits =
            group.iter().fold(0u32, |acc, b| acc << 6 | u32::from(value(*b))) << (6 * (4 - group.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    out
}
