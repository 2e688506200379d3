//! A browser for tests: chromium, driven by chromedriver over WebDriver's HTTP, in as few lines as that takes.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may end where a value is missing, and is no crate of its own"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// One browser with one window; ends with the value.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// A browser with a window of that size.
    ///
    /// # Panics
    /// Where there is no chromium or no chromedriver: a page that nobody looked at is not tested.
    pub fn start(width: u32, height: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "the tests of the HTML page need chromedriver and chromium in the PATH ({error}); Debian's packages \
                     are chromium and chromium-driver, and the repository's test set-up installs them"
                )
            });
        let port = port(&mut driver);
        let mut browser = Self { driver, port, session: String::new() };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            &format!("--window-size={width},{height}"),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "unhandledPromptBehavior": "ignore",
        }}});
        let session = browser.request("POST", "/session", Some(&wanted)).unwrap_or_else(|error| {
            panic!(
                "chromedriver could not start chromium (is it installed, and of the same version?): {error}"
            )
        });
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    /// Loads a file, with what follows the `#`.
    pub fn open(&self, path: &Path, fragment: &str) {
        // The same document with another fragment would not be loaded again.
        self.post("/url", &json!({"url": "about:blank"}));
        self.post("/url", &json!({"url": format!("file://{}{fragment}", path.display())}));
    }

    /// Runs a function body in the page.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// The text that a function body returns.
    pub fn text(&self, script: &str) -> String {
        match self.run(script) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// Clicks as a person would.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        // In the middle of the window, away from what sticks to its top.
        self.post(
            "/execute/sync",
            &json!({
                "script": "document.querySelector(arguments[0]).scrollIntoView({block: 'center'})",
                "args": [selector],
            }),
        );
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into an element.
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// Presses a key in the page, wherever the focus is.
    pub fn press(&self, key: &str) {
        self.post(
            "/actions",
            &json!({"actions": [{"type": "key", "id": "keys", "actions": [
                {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key},
            ]}]}),
        );
    }

    /// A command of the developer tools.
    pub fn tools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// What the console has received since it was last asked, as (level, message).
    pub fn console(&self) -> Vec<(String, String)> {
        let entries = self.post("/se/log", &json!({"type": "browser"}));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        entries.as_array().unwrap().iter().map(|e| (text(&e["level"]), text(&e["message"]))).collect()
    }

    /// Addresses that were requested since it was last asked.
    pub fn requests(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "performance"}));
        entries
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|entry| {
                let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
                (message["message"]["method"] == "Network.requestWillBeSent").then(|| {
                    message["message"]["params"]["request"]["url"].as_str().unwrap_or_default().to_owned()
                })
            })
            .collect()
    }

    /// The text of an open dialog, as `alert` opens.
    pub fn dialog(&self) -> Option<String> {
        let answer = self.request("GET", &format!("/session/{}/alert/text", self.session), None);
        answer.ok().map(|text| text.to_string())
    }

    /// What the window shows, as PNG in base64.
    #[allow(dead_code, reason = "for a person who looks at a failing test")]
    pub fn screenshot(&self) -> String {
        let answer = self.request("GET", &format!("/session/{}/screenshot", self.session), None);
        answer.unwrap().as_str().unwrap().to_owned()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("no element {selector}: {found}")).to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.request("POST", &format!("/session/{}{path}", self.session), Some(body));
        answer.unwrap_or_else(|error| panic!("{path} {body}: {error}"))
    }

    /// One request on its own connection; the answer's `value`, or its error.
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let body = body.map_or_else(String::new, Value::to_string);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(|error| error.to_string())?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).map_err(|error| error.to_string())?;
        stream.write_all(body.as_bytes()).map_err(|error| error.to_string())?;
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).map_err(|error| error.to_string())?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(|_| line.clone())?;
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        let value = &answer["value"];
        match value.get("error") {
            Some(error) if value.get("stacktrace").is_some() => Err(format!("{error}: {}", value["message"])),
            _ => Ok(value.clone()),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.request("DELETE", &format!("/session/{}", self.session), None);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port that chromedriver says it listens on.
fn port(driver: &mut Child) -> u16 {
    let out = driver.stdout.take().unwrap();
    for line in BufReader::new(out).lines() {
        let line = line.unwrap();
        if let Some(port) = line.strip_suffix('.').and_then(|line| line.rsplit_once("on port ")) {
            return port.1.parse().unwrap();
        }
    }
    panic!("chromedriver ended before it listened");
}
