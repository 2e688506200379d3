//! A syslog daemon of our own, so that the syslog forms among the fixtures are what a real one writes.
//!
//! PostgreSQL speaks to `/dev/log` and to nothing else, so this needs root and a machine on which nobody listens
//! there (a container). Only `fixtures/make` asks for it; no test does.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

const SOCKET: &str = "/dev/log";

/// The three forms and the names of rsyslog's own templates for them.
pub const FORMS: [(&str, &str); 3] = [
    ("bsd", "RSYSLOG_TraditionalFileFormat"),
    ("iso", "RSYSLOG_FileFormat"),
    ("rfc5424", "RSYSLOG_SyslogProtocol23Format"),
];

/// rsyslogd, writing what local0 says in three forms.
pub struct Relay {
    home: TempDir,
    process: Child,
}

impl Relay {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// Somebody else listens, rsyslogd is not installed, or we are not root.
    pub fn start() -> Result<Self> {
        ensure!(UnixDatagram::unbound()?.connect(SOCKET).is_err(), "somebody listens on {SOCKET}");
        let home = TempDir::new()?;
        let mut conf = format!(
            "module(load=\"imuxsock\" SysSock.Name=\"{SOCKET}\" SysSock.RateLimit.Interval=\"0\")\n\
             global(workDirectory=\"{}\")\n",
            home.path().display()
        );
        for (form, template) in FORMS {
            let log = home.path().join(form);
            conf += &format!(
                "local0.* action(type=\"omfile\" file=\"{}\" template=\"{template}\")\n",
                log.display()
            );
        }
        let conf_path = home.path().join("conf");
        fs::write(&conf_path, conf)?;
        let process = Command::new("rsyslogd")
            .arg("-n")
            .arg("-f")
            .arg(&conf_path)
            .arg("-i")
            .arg(home.path().join("pid"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let relay = Self { home, process };
        let begun = Instant::now();
        while UnixDatagram::unbound()?.connect(SOCKET).is_err() {
            ensure!(begun.elapsed() < Duration::from_secs(10), "rsyslogd does not listen on {SOCKET}");
            sleep(Duration::from_millis(20));
        }
        Ok(relay)
    }

    /// The log in one of the [`FORMS`].
    #[must_use]
    pub fn log(&self, form: &str) -> PathBuf {
        self.home.path().join(form)
    }

    /// Waits until every form has these words.
    ///
    /// # Errors
    /// They do not come.
    pub fn wait_for(&self, words: &str) -> Result<()> {
        let begun = Instant::now();
        for (form, _) in FORMS {
            while !holds(&self.log(form), words) {
                ensure!(begun.elapsed() < Duration::from_secs(10), "{form} stays without {words:?}");
                sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(fs::remove_file(SOCKET));
    }
}

fn holds(log: &Path, words: &str) -> bool {
    fs::read(log).is_ok_and(|it| String::from_utf8_lossy(&it).contains(words))
}
