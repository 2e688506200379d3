//! What the tests of all formats share: entries as lines of text, and the promises that hold for any bytes.

use bumpalo::Bump;

use super::{Dialect, Entry, Part, Sink, Skip};
use crate::units::ByteOffset;

/// Collects entries and skips as text.
#[derive(Default)]
struct Shown {
    lines: Vec<String>,
    end: u64,
}

impl<'a> Sink<'a> for Shown {
    fn entry(&mut self, entry: Entry<'a>) {
        assert_eq!(entry.at.0, self.end, "entries and skips touch");
        self.end += u64::from(entry.len);
        self.lines.push(show(&entry));
    }

    fn skip(&mut self, skip: Skip) {
        assert_eq!(skip.at.0, self.end, "entries and skips touch");
        assert!(skip.len > 0, "an empty skip is none");
        self.end += skip.len;
        self.lines.push(format!("{} {}", skip.reason.as_str(), skip.len));
    }
}

/// `LOG user@database "text" SQLSTATE` and whatever else is set.
pub(crate) fn show(entry: &Entry<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let part = match entry.part {
        Part::Record(severity) => severity.as_str().to_owned(),
        other => format!("{other:?}"),
    };
    let who = entry.who;
    let mut shown = format!("{part} {}@{} {:?}", text(who.user), text(who.database), text(entry.text));
    if let Some(fields) = entry.fields {
        if fields.sqlstate != [0; 5] {
            shown += &format!(" {}", text(&fields.sqlstate));
        }
        for (name, value) in [
            ("detail", fields.detail),
            ("hint", fields.hint),
            ("query", fields.query),
            ("context", fields.context),
            ("statement", fields.statement),
        ] {
            if !value.is_empty() {
                shown += &format!(" {name}={:?}", text(value));
            }
        }
    }
    shown
}

/// Everything of one chunk, as text. Checks that no byte is lost.
pub(crate) fn read(dialect: &Dialect, log: &[u8]) -> Vec<String> {
    let arena = Bump::new();
    let mut shown = Shown::default();
    dialect.reader().read(log, ByteOffset(0), &arena, &mut shown);
    assert_eq!(shown.end, log.len() as u64, "every byte is in an entry or a skip");
    shown.lines
}

/// Table row: a log and what it says.
#[track_caller]
pub(crate) fn check(dialect: &Dialect, log: &str, expected: &[&str]) {
    assert_eq!(read(dialect, log.as_bytes()), expected, "{log}");
    same_at_every_cut(dialect, log.as_bytes());
}

/// Invariant 2: for each place where a block could have ended, cutting at `last_start` of the block changes nothing.
#[track_caller]
pub(crate) fn same_at_every_cut(dialect: &Dialect, log: &[u8]) {
    let whole = read(dialect, log);
    let mut checked = 0;
    for end in 0..=log.len() {
        let Some(cut) = dialect.last_start(&log[..end]) else { continue };
        assert!(cut > 0 && cut < end, "a cut lies inside the buffer");
        if cut == checked {
            continue;
        }
        checked = cut;
        let arena = Bump::new();
        let mut shown = Shown::default();
        let mut reader = dialect.reader();
        reader.read(&log[..cut], ByteOffset(0), &arena, &mut shown);
        assert_eq!(shown.end, cut as u64);
        reader.read(&log[cut..], ByteOffset(cut as u64), &arena, &mut shown);
        assert_eq!(shown.lines, whole, "cut at {cut}, found in the first {end} bytes");
    }
}

/// Who speaks in a rendered log; the second is a background process.
pub(crate) struct Speaker {
    pub(crate) user: &'static str,
    pub(crate) database: &'static str,
    pub(crate) application: &'static str,
    pub(crate) remote: &'static str,
    pub(crate) pid: u32,
}

/// Two sessions, and a background process, which has no names.
pub(crate) const SPEAKERS: [Speaker; 3] = [
    Speaker { user: "alice", database: "shop", application: "psql", remote: "10.1.2.3(51234)", pid: 4242 },
    Speaker { user: "", database: "", application: "", remote: "", pid: 977 },
    Speaker { user: "svc_report", database: "dwh", application: "my app", remote: "[local]", pid: 31337 },
];

/// What the server prints for a prefix (elog.c, `log_line_prefix()`), written anew: the matcher's opposite.
pub(crate) fn render_prefix(template: &str, speaker: &Speaker, line: u32) -> String {
    let mut text = String::new();
    let mut rest = template.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let mut padding = String::new();
        while let Some(c) = rest.next_if(|c| *c == '-' || c.is_ascii_digit()) {
            padding.push(c);
        }
        let start = 0x6b04_5500 + speaker.pid;
        let value = match rest.next() {
            Some('a') => speaker.application.to_owned(),
            Some('u') => speaker.user.to_owned(),
            Some('d') => speaker.database.to_owned(),
            Some('r') => speaker.remote.to_owned(),
            Some('h') => speaker.remote.split('(').next().unwrap_or_default().to_owned(),
            Some('b') => if speaker.user.is_empty() { "checkpointer" } else { "client backend" }.to_owned(),
            Some('p') => speaker.pid.to_string(),
            Some('t') => format!("2026-11-23 14:59:{:02} UTC", line % 60),
            Some('m') => format!("2026-11-23 14:59:{:02}.{:03} UTC", line % 60, line % 1000),
            Some('n') => format!("17954462{:02}.{:03}", line % 60, line % 1000),
            Some('s') => "2026-11-23 14:00:00 UTC".to_owned(),
            Some('c') => format!("{start:x}.{:x}", speaker.pid),
            Some('l') => line.to_string(),
            Some('v') if speaker.user.is_empty() => String::new(),
            Some('v') => format!("3/{line}"),
            Some('x') => (line % 2 * 900).to_string(),
            Some('e') => "00000".to_owned(),
            Some('i') if speaker.user.is_empty() => String::new(),
            Some('i') => "SELECT".to_owned(),
            Some('Q') => "-443234074765910261".to_owned(),
            Some('q') if speaker.user.is_empty() => return text,
            Some('%') => "%".to_owned(),
            _ => String::new(),
        };
        let width: i32 = padding.parse().unwrap_or(0);
        let blanks = " ".repeat((width.unsigned_abs() as usize).saturating_sub(value.len()));
        text += &if width > 0 { blanks + &value } else { value + &blanks };
    }
    text
}

/// A short log with a prefix: statements of two sessions, a background process, a DETAIL and a text of two lines.
pub(crate) fn render_log(template: &str) -> String {
    let mut log = String::new();
    for line in 1..40 {
        let speaker = &SPEAKERS[line as usize % 3];
        let prefix = render_prefix(template, speaker, line);
        log += &prefix;
        log += match (speaker.user.is_empty(), line % 5) {
            (true, _) => "LOG:  checkpoint starting: time\n",
            (false, 0) => "ERROR:  relation \"t\" does not exist at character 15\n",
            (false, 2) => {
                log += &format!(
                    "LOG:  connection authorized: user={} database={} application_name={}\n",
                    speaker.user, speaker.database, speaker.application
                );
                continue;
            }
            (false, 1) => "DETAIL:  parameters: $1 = '1', $2 = NULL\n",
            (false, _) => "LOG:  duration: 0.123 ms  statement: select 1,\n\t2 from t\n",
        };
    }
    log
}
