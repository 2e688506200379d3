//! Guessing a `log_line_prefix` that stands in no list, from the shape of the lines.
//!
//! The left side of each line is read value by value: times, `hex.hex`, `[digits]`, `user=`, addresses. Digits and
//! words with no name are told apart by their looks and by what is still missing. Every guess is only a candidate:
//! detection tries it on the whole sample.

use indexmap::IndexMap;

use super::prefix::{BACKENDS, Escape, REACH, number, rigid_len};
use super::severity;
use super::time::Clock;

/// Lines that are looked at, spread over the sample.
const LOOKS: usize = 200;

/// Guesses that are handed on.
const GUESSES: usize = 24;

/// Names before `=` or `:` that say which value follows.
const KEYS: &[(&str, &str)] = &[
    ("user", "%u"),
    ("usr", "%u"),
    ("username", "%u"),
    ("u", "%u"),
    ("role", "%u"),
    ("db", "%d"),
    ("database", "%d"),
    ("dbname", "%d"),
    ("d", "%d"),
    ("app", "%a"),
    ("application", "%a"),
    ("application_name", "%a"),
    ("appname", "%a"),
    ("a", "%a"),
    ("client", "%h"),
    ("host", "%h"),
    ("h", "%h"),
    ("ip", "%h"),
    ("addr", "%h"),
    ("remote", "%r"),
    ("r", "%r"),
    ("from", "%r"),
    ("pid", "%p"),
    ("p", "%p"),
    ("process", "%p"),
    ("line", "%l"),
    ("l", "%l"),
    ("session", "%c"),
    ("sid", "%c"),
    ("s", "%c"),
    ("c", "%c"),
    ("vxid", "%v"),
    ("vtxid", "%v"),
    ("v", "%v"),
    ("xid", "%x"),
    ("txid", "%x"),
    ("tx", "%x"),
    ("x", "%x"),
    ("trx", "%x"),
    ("state", "%e"),
    ("sqlstate", "%e"),
    ("error", "%e"),
    ("err", "%e"),
    ("e", "%e"),
    ("code", "%e"),
    ("cmd", "%i"),
    ("command", "%i"),
    ("tag", "%i"),
    ("i", "%i"),
    ("ps", "%i"),
    ("type", "%b"),
    ("backend", "%b"),
    ("backend_type", "%b"),
    ("b", "%b"),
    ("queryid", "%Q"),
    ("query_id", "%Q"),
    ("qid", "%Q"),
    ("q", "%Q"),
    ("start", "%s"),
    ("leader", "%P"),
    ("sql_error_code", "%e"),
    ("proc_start_time", "%s"),
    ("vtid", "%v"),
    ("tid", "%x"),
    ("log_line", "%l"),
    ("connection_source", "%r"),
    ("session_id", "%c"),
];

/// Templates that lines of the sample suggest, the most frequent first.
pub(crate) fn templates(entries: &[&[u8]]) -> Vec<String> {
    let mut votes: IndexMap<String, usize> = IndexMap::new();
    let step = entries.len().div_ceil(LOOKS).max(1);
    let slices: Vec<&[u8]> = entries
        .iter()
        .step_by(step)
        .filter_map(|line| severity::candidates(line, REACH).next().map(|found| &line[..found.word]))
        .collect();
    // A word that stands in every line, background processes' too, may be text of the template; or the only user.
    let constant = constant_words(&slices);
    for constant in [&[][..], &constant[..]] {
        for slice in &slices {
            let guess = Guess { constant, ..Guess::new(slice) };
            if let Some(template) = guess.template() {
                *votes.entry(template).or_default() += 1;
            }
        }
    }
    votes.sort_by(|a, votes_a, b, votes_b| votes_b.cmp(votes_a).then(a.cmp(b)));
    votes.into_keys().take(GUESSES).collect()
}

/// The same template with a `%q` at each place where background processes may end it: before a value, or before the
/// word that names the value.
pub(crate) fn marked(template: &str) -> Vec<String> {
    let mut places: Vec<usize> = Vec::new();
    let mut literal = 0;
    let mut at = 0;
    while let Some(len) = template[at..].find('%') {
        let percent = at + len;
        let Some(letter) = template[percent + 1..].find(|c: char| c.is_ascii_alphabetic() || c == '%') else {
            break;
        };
        at = percent + letter + 2;
        if template[percent + 1..].starts_with('%') {
            continue;
        }
        let word = template[literal..percent].rfind(' ').map_or(literal, |blank| literal + blank + 1);
        places.extend([word, percent]);
        literal = at;
    }
    places.dedup();
    places.iter().map(|&place| format!("{}%q{}", &template[..place], &template[place..])).collect()
}

/// Words of letters that all slices have.
fn constant_words<'l>(slices: &[&'l [u8]]) -> Vec<&'l [u8]> {
    let words =
        |slice: &'l [u8]| slice.split(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let Some((first, rest)) = slices.split_first() else { return Vec::new() };
    words(first).filter(|&word| rest.iter().all(|slice| words(slice).any(|other| other == word))).collect()
}

/// The left side of one line while it is read.
struct Guess<'l> {
    slice: &'l [u8],
    /// Words that are taken as text of the template.
    constant: &'l [&'l [u8]],
    at: usize,
    template: String,
}

impl<'l> Guess<'l> {
    fn new(slice: &'l [u8]) -> Self {
        Self { slice, constant: &[], at: 0, template: String::new() }
    }

    /// `None` when the slice is not text that a template could hold.
    fn template(mut self) -> Option<String> {
        let Ok(_) = std::str::from_utf8(self.slice) else { return None };
        while self.at < self.slice.len() {
            if !self.value() {
                self.literal();
            }
        }
        Some(self.template)
    }

    fn rest(&self) -> &'l [u8] {
        &self.slice[self.at..]
    }

    fn has(&self, escape: &str) -> bool {
        self.template.contains(escape)
    }

    fn push(&mut self, escape: &str, len: usize) -> bool {
        self.template.push_str(escape);
        self.at += len;
        true
    }

    /// One byte that stands for itself (a whole character, since the slice is UTF-8).
    fn literal(&mut self) {
        let text = std::str::from_utf8(self.rest()).unwrap_or_default();
        let Some(c) = text.chars().next() else {
            self.at += 1;
            return;
        };
        if c == '%' {
            self.template.push('%');
        }
        self.template.push(c);
        self.at += c.len_utf8();
    }

    /// Reads one value if one stands here.
    fn value(&mut self) -> bool {
        self.time() || self.ids() || self.keyed() || self.address() || self.digits() || self.words()
    }

    fn time(&mut self) -> bool {
        let rest = self.rest();
        if let Some(stamp) = Clock::new(0).read(rest) {
            let escape = match (stamp.decimals, self.has("%m") || self.has("%t")) {
                (3, false) => "%m",
                (0, false) => "%t",
                (0, true) => "%s",
                _ => return false,
            };
            return self.push(escape, stamp.len);
        }
        match rigid_len(Escape::Epoch, rest) {
            Some(len @ 13..=15) if !self.has("%n") => self.push("%n", len),
            _ => false,
        }
    }

    /// Session ids, virtual transaction ids, SQLSTATEs: values whose shape is theirs alone.
    fn ids(&mut self) -> bool {
        if !self.at_word_start() {
            return false;
        }
        let rest = self.rest();
        if let Some(len @ 9..) = rigid_len(Escape::SessionId, rest)
            && !self.has("%c")
            && ends_word(rest, len)
            && rest[..len].iter().position(|&byte| byte == b'.') == Some(8)
        {
            return self.push("%c", len);
        }
        if let Some(len @ 3..) = rigid_len(Escape::VirtualXid, rest)
            && !self.has("%v")
            && ends_word(rest, len)
        {
            return self.push("%v", len);
        }
        if let Some(5) = rigid_len(Escape::SqlState, rest)
            && !self.has("%e")
            && ends_word(rest, 5)
            && (rest.starts_with(b"0000")
                || rest[..5].iter().any(u8::is_ascii_alphabetic) && rest[..5].iter().any(u8::is_ascii_digit))
        {
            return self.push("%e", 5);
        }
        false
    }

    /// `user=postgres`, `db: shop`, `client=`.
    fn keyed(&mut self) -> bool {
        if !self.at_word_start() {
            return false;
        }
        let rest = self.rest();
        let word = rest.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_').count();
        if word == 0 {
            return false;
        }
        let key = String::from_utf8_lossy(&rest[..word]).to_ascii_lowercase();
        let sign = match &rest[word..] {
            [b'=', ..] => 1,
            [b' ', b'=', b' ', ..] => 3,
            [b':', b' ', ..] if word > 1 => 2,
            [b':', next, ..] if word > 1 && !matches!(next, b':' | b'[') => 1,
            _ => return false,
        };
        let Some((_, escape)) = KEYS.iter().find(|(name, _)| *name == key) else { return false };
        // `s=` may be the session's id or its start.
        let start = Clock::new(0).read(&rest[word + sign..]).filter(|stamp| stamp.decimals == 0);
        let start = start.filter(|_| matches!(*escape, "%s" | "%c"));
        let escape = if start.is_some() { "%s" } else { escape };
        if self.has(escape) {
            return false;
        }
        let text = String::from_utf8_lossy(&rest[..word + sign]).replace('%', "%%");
        self.template.push_str(&text);
        self.at += word + sign;
        match start {
            Some(stamp) => self.push(escape, stamp.len),
            None => {
                self.keyed_value(escape);
                true
            }
        }
    }

    fn keyed_value(&mut self, escape: &str) {
        let rest = self.rest();
        let opening = match rest {
            // `[local]` and `[unknown]` hold brackets that close nothing.
            _ if rest.starts_with(b"[local]") || rest.starts_with(b"[unknown]") => 0,
            [b'[', ..] => 1,
            _ => rest.iter().take_while(|byte| b"'\"".contains(byte)).count(),
        };
        self.template.push_str(&String::from_utf8_lossy(&rest[..opening]));
        self.at += opening;
        let rest = self.rest();
        let bracket = if rest.first() == Some(&b'[') { rest.iter().position(|&b| b == b']') } else { None };
        let from = bracket.map_or(0, |at| at + 1);
        let padding = if from == 0 { rest.iter().take_while(|&&byte| byte == b' ').count() } else { 0 };
        let begin = if padding > 0 && padding < rest.len() { padding } else { 0 };
        let stop = |byte: &u8| b",]|;)}>'\" \t".contains(byte);
        let begin = from.max(begin);
        let len = rest[begin..].iter().position(stop).map_or(rest.len(), |len| begin + len);
        let value = &rest[from.min(len)..len];
        if from == 0 && begin > 0 && len > begin {
            // `db=  postgres`, if it is no empty value before the next key (`user= db=`).
            if !value.contains(&b'=') && begin > 1 {
                self.padded(escape, len as i32, len);
                return;
            }
            self.template.push_str(escape);
            return;
        }
        let blanks = rest[len..].iter().take_while(|&&byte| byte == b' ').count();
        if blanks > 1 && len > 0 {
            let width = len + blanks - 1;
            self.padded(escape, -(width as i32), width);
            return;
        }
        let escape = match escape {
            "%h" if rest[..len].ends_with(b")") => "%r",
            "%h" if rest.get(len) == Some(&b')') && rest[..len].contains(&b'(') => {
                self.push("%r", len + 1);
                return;
            }
            "%r" if rest.get(len) == Some(&b')') && rest[..len].contains(&b'(') => {
                self.push("%r", len + 1);
                return;
            }
            other => other,
        };
        self.push(escape, len);
    }

    fn padded(&mut self, escape: &str, width: i32, len: usize) {
        let letter = &escape[1..];
        self.push(&format!("%{width}{letter}"), len);
    }

    /// `[local]`, `10.0.0.1(54321)`, `::1`, `host.example(54321)`.
    fn address(&mut self) -> bool {
        if self.has("%r") || self.has("%h") || !self.at_word_start() {
            return false;
        }
        let rest = self.rest();
        if rest.starts_with(b"[local]") {
            return self.push("%r", 7);
        }
        let len =
            rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b".:_-%".contains(byte)).count();
        if len > 0
            && rest.get(len) == Some(&b'(')
            && let Some((_, digits)) = number(&rest[len + 1..])
            && rest.get(len + 1 + digits) == Some(&b')')
        {
            return self.push("%r", len + digits + 2);
        }
        let is_ip = |text: &[u8]| {
            std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::IpAddr>().is_ok())
        };
        // The longest address: `10.0.0.1:user` goes on with a colon of the template.
        let colons = memchr::memrchr_iter(b':', &rest[..len]);
        match std::iter::once(len).chain(colons).find(|&end| end > 2 && is_ip(&rest[..end])) {
            Some(end) => self.push("%h", end),
            None => false,
        }
    }

    fn digits(&mut self) -> bool {
        let rest = self.rest();
        if !self.at_word_start() {
            return false;
        }
        let sign = usize::from(rest.first() == Some(&b'-') && rest.get(1).is_some_and(u8::is_ascii_digit));
        let Some((_, len)) = number(&rest[sign..]) else { return false };
        let decimal =
            rest.get(sign + len) == Some(&b'.') && rest.get(sign + len + 1).is_some_and(u8::is_ascii_digit);
        if decimal || !ends_word(rest, sign + len) {
            return false;
        }
        let len = sign + len;
        let escape = match () {
            () if sign == 1 || len >= 12 => "%Q",
            // `[5-1]`: line number of the session; the 1 is text of the template.
            () if rest.get(len..len + 2) == Some(b"-1") && !self.has("%l") => "%l",
            () if rest.get(len..len + 3) == Some(b"-1]") => return false,
            () if !self.has("%p") => "%p",
            () if !self.has("%l") => "%l",
            () if !self.has("%x") => "%x",
            () if !self.has("%Q") => "%Q",
            () => return false,
        };
        if self.has(escape) {
            return false;
        }
        self.push(escape, len);
        if escape == "%l" && self.rest().starts_with(b"-1") {
            self.template.push_str("-1");
            self.at += 2;
        }
        true
    }

    /// Names: `postgres@shop`, a backend type, a command tag, or what is still missing of user, database and
    /// application.
    fn words(&mut self) -> bool {
        if !self.at_word_start() {
            return false;
        }
        let rest = self.rest();
        if !self.has("%b")
            && let Some(backend) =
                BACKENDS.iter().find(|name| rest.starts_with(name.as_bytes()) && ends_word(rest, name.len()))
        {
            return self.push("%b", backend.len());
        }
        let bracket = if rest.starts_with(b"[unknown]") { 9 } else { 0 };
        let stop = |byte: &u8| b",]|;)}>'\" \t/(".contains(byte) || *byte == b':';
        let len = bracket + rest[bracket..].iter().position(stop).unwrap_or(rest.len() - bracket);
        if len == 0 {
            return false;
        }
        let word = &rest[..len];
        // A key that is not known: its value may be.
        if word.contains(&b'=') || rest[len..].starts_with(b" = ") {
            return false;
        }
        if !self.has("%u")
            && let Some(at) = memchr::memchr(b'@', word)
        {
            // `@` alone is what a background process prints for `%u@%d`.
            return at + 1 < len && at > 0 && self.push("%u@%d", len);
        }
        if !word[0].is_ascii_alphanumeric() && word[0] < 0x80 && bracket == 0 {
            return false;
        }
        let upper = word.len() > 2 && word.iter().all(u8::is_ascii_uppercase);
        if !self.has("%i") && (upper || matches!(word, b"idle" | b"authentication" | b"startup")) {
            // A tag may be two words: CREATE TABLE, idle in transaction.
            let mut end = len;
            while rest.get(end) == Some(&b' ') {
                let next = rest[end + 1..].iter().position(|byte| !byte.is_ascii_alphabetic());
                let next = end + 1 + next.unwrap_or(rest.len() - end - 1);
                let same = rest[end + 1..next].iter().all(|byte| byte.is_ascii_uppercase() == upper);
                if next == end + 1 || !same {
                    break;
                }
                end = next;
            }
            return self.push("%i", end);
        }
        let letters = word.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if self.constant.contains(&&word[..letters]) {
            return false;
        }
        // Where `user@database` follows, this is neither.
        let pair =
            |word: &[u8]| matches!(memchr::memchr(b'@', word), Some(at) if at > 0 && at + 1 < word.len());
        let pair_follows = rest[len..].split(|&byte| byte == b' ').any(pair);
        let names: &[&str] = if pair_follows && !self.has("%u") { &["%a"] } else { &["%u", "%d", "%a"] };
        let missing = names.iter().find(|escape| !self.has(escape));
        missing.is_some_and(|escape| self.push(escape, len))
    }

    /// Whether a value may begin here: not in the middle of a word.
    fn at_word_start(&self) -> bool {
        self.at == 0 || !self.slice[self.at - 1].is_ascii_alphanumeric()
    }
}

fn ends_word(text: &[u8], len: usize) -> bool {
    !text.get(len).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(slice: &str, expected: &str) {
        assert_eq!(Guess::new(slice.as_bytes()).template().as_deref(), Some(expected), "{slice}");
    }

    #[test]
    fn marks_stand_before_values() {
        assert_eq!(
            marked("%m [%p] tx=%x 5%% %-8u "),
            [
                "%q%m [%p] tx=%x 5%% %-8u ",
                "%m %q[%p] tx=%x 5%% %-8u ",
                "%m [%q%p] tx=%x 5%% %-8u ",
                "%m [%p] %qtx=%x 5%% %-8u ",
                "%m [%p] tx=%q%x 5%% %-8u ",
                "%m [%p] tx=%x 5%% %q%-8u ",
            ]
        );
        assert!(marked("100%% %").is_empty());
    }

    #[test]
    fn a_template_is_read_off_a_line() {
        check(
            "2026-11-23 15:03:15.762 UTC [13884] [user=postgres,db=shop,app=psql] ",
            "%m [%p] [user=%u,db=%d,app=%a] ",
        );
        check("2026-11-23 15:03:15 UTC [13884]: [3-1] ", "%t [%p]: [%l-1] ");
        check("1795446213.865 [14379]: user=postgres   db=  postgres ", "%n [%p]: user=%-10u db=%10d ");
        check("<2026-11-23 15:03:37.561 UTC> client backend ", "<%m> %b ");
        check(
            "2026-11-23 15:03:30.242 UTC [14280:3] svc@shop/psql [local] CREATE DATABASE 00000 -443234074765910261 ",
            "%m [%p:%l] %u@%d/%a %r %i %e %Q ",
        );
        check("6b0455ba.36f4 2026-11-23 15:03:22.701 UTC pid=77 ", "%c %m pid=%p ");
        check("2026-11-23 15:03:22 UTC:10.0.0.1(5432):svc@shop:[77]:", "%t:%r:%u@%d:[%p]:");
        check("2026-11-23 15:03:22 UTC|shop|10.0.0.9|77|3/12|0|", "%t|%u|%h|%p|%v|%l|");
        check(
            "2026-11-23 15:03:22 UTC u=[svc],d=[shop],r=[[local]],a=[psql] ",
            "%t u=[%u],d=[%d],r=[%r],a=[%a] ",
        );
        check("2026-11-23 15:03:22.701 UTC\t77\tsvc\tshop\t", "%m\t%p\t%u\t%d\t");
        check("2026-11-23 15:03:22.701 UTC [77] psql svc@shop ", "%m [%p] %a %u@%d ");
        check("2026-11-23 15:03:22.701 UTC [77] s=2026-11-23 15:00:00 UTC svc@shop ", "%m [%p] s=%s %u@%d ");
    }
}
