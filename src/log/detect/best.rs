//! Which `log_line_prefix` explains the lines of a sample best.

use memchr::memmem;

use super::{LINES, Setting, lines};
use crate::log::infer;
use crate::log::prefix::{Clocks, Escape, Head, Line, Prefix, REACH};
use crate::log::severity;
use crate::log::stderr::no_text;
use crate::log::time;
use crate::log::usual::USUAL;

/// The prefix as it was given; without the quotes of postgresql.conf, and with the blank at its end that shells and
/// eyes lose, where only that matches.
pub(super) fn given(template: &str, lines: &Lines<'_>) -> Option<Prefix> {
    let bare = template.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(template);
    let mut best: Option<(Prefix, Explained)> = None;
    for template in [template.to_owned(), bare.to_owned(), format!("{bare} ")] {
        let prefix = Prefix::compile(&template);
        let explained = lines.explained(&prefix);
        if explained.matched > 0
            && best.as_ref().is_none_or(|(_, leader)| {
                (explained.matched, explained.score) > (leader.matched, leader.score)
            })
        {
            best = Some((prefix, explained));
        }
    }
    best.map(|(prefix, _)| prefix)
}

/// The lines of a sample that look like entries, without their line ends.
pub(super) struct Lines<'s> {
    pub(super) entries: Vec<&'s [u8]>,
    pub(super) crlf: bool,
}

impl<'s> Lines<'s> {
    pub(super) fn of(sample: &'s [u8]) -> Self {
        let (mut entries, mut damaged) = (Vec::new(), Vec::new());
        let (mut lines, mut carriage_returns) = (0usize, 0usize);
        for line in sample.split_inclusive(|&byte| byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else {
                // The last line of the sample may be cut; it counts when it is the only one.
                if lines == 0 && severity::candidates(line, REACH).next().is_some() {
                    entries.push(line);
                }
                break;
            };
            let line = &line[no_text(line, lines)..];
            lines += 1;
            carriage_returns += usize::from(line.ends_with(b"\r"));
            if line.first() != Some(&b'\t')
                && entries.len() < LINES
                && let Some(found) = severity::candidates(line, REACH).next()
            {
                entries.push(line);
                damaged.push(time::is_impossible(&line[..found.word]));
            }
        }
        // What was damaged says nothing about the prefix, unless everything was.
        if damaged.contains(&false) {
            let mut damaged = damaged.iter();
            entries.retain(|_| damaged.next() == Some(&false));
        }
        Self { entries, crlf: lines > 0 && carriage_returns * 2 > lines }
    }

    /// Whether continuation lines begin with tabs, nearly all of them.
    pub(super) fn keep_their_tabs(&self, sample: &[u8], prefix: &Prefix) -> bool {
        let (mut tabs, mut bare) = (0usize, 0usize);
        let mut clocks = Clocks::new(0);
        let mut begun = false;
        for line in lines(sample).take(LINES * 4) {
            if line.first() == Some(&b'\t') {
                tabs += 1;
            } else if prefix.begin(line, &mut Head::default(), &mut clocks) != Line::Continues {
                begun = true;
            } else if begun && !line.trim_ascii().is_empty() {
                bare += 1;
            }
        }
        tabs > 0 && bare * 10 <= tabs
    }

    /// Whether a line among these was written for a client, as far as `prefix` explains them.
    pub(super) fn hold_a_session(&self, prefix: &Prefix) -> bool {
        self.entries.iter().any(|line| is_of_session(prefix, line))
    }

    /// Some of these lines, from all over the sample.
    pub(super) fn few(&self) -> Self {
        let step = self.entries.len().div_ceil(100).max(1);
        Self { entries: self.entries.iter().copied().step_by(step).collect(), crlf: self.crlf }
    }

    /// How well a prefix explains these lines.
    pub(super) fn explained(&self, prefix: &Prefix) -> Explained {
        let mut clocks = Clocks::new(0);
        let mut explained = Explained::default();
        for line in &self.entries {
            let mut head = Head::default();
            if let Line::Begins(_, text) = prefix.begin(line, &mut head, &mut clocks) {
                explained.matched += 1;
                let who = head.who;
                let names = [who.user, who.database, who.application, who.host];
                explained.named += usize::from(names.iter().any(|name| !name.is_empty()));
                let said = names.iter().filter(|name| !name.is_empty()).count();
                let odd = usize::from(holds(who.user, b"=,[]():/ \"'"))
                    + usize::from(holds(who.database, b"=,[]()@:/ \"'"))
                    + usize::from(holds(who.application, b"=[]@|"))
                    + usize::from(who.host != b"[local]" && holds(who.host, b"=,@/[]()<> "))
                    // A query id, most likely: no host and hardly a program is called a number.
                    + usize::from(is_number(who.host) || is_number(who.application))
                    + usize::from(holds(head.backend, b"0123456789@=[]"))
                    + usize::from(holds(head.command, b"0123456789@=[]"))
                    // Text that begins with a severity word again was cut too early.
                    + usize::from(severity::word_at(&line[text..]).is_some());
                explained.odd += odd;
                explained.score += 2 * said as i64 - 5 * odd as i64;
                // A session that introduces itself tells which name is which.
                if let Some((user, database)) = introduced(&line[text..])
                    && said > 0
                {
                    let right = |name: &[u8], value: &[u8]| match name {
                        b"" => 0,
                        name if name == value => 20,
                        _ => -20,
                    };
                    explained.score += right(who.user, user) + right(who.database, database);
                }
            }
        }
        explained.score += (explained.matched * prefix.own_values()) as i64;
        explained
    }
}

/// What a prefix made of a sample.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Explained {
    /// Lines that it explains.
    pub(super) matched: usize,
    /// Lines among them with a user, database, application or host.
    pub(super) named: usize,
    /// Names that hold what names seldom hold: the sign of a field that swallowed its neighbour.
    pub(super) odd: usize,
    /// Points for values that are said, minus points for odd names.
    pub(super) score: i64,
}

/// `connection authorized: user=alice database=shop …` → the two names.
fn introduced(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let names = text.strip_prefix(b"connection authorized: user=")?;
    let user = memmem::find(names, b" database=")?;
    let database = &names[user + b" database=".len()..];
    Some((&names[..user], &database[..memchr::memchr(b' ', database).unwrap_or(database.len())]))
}

/// Whether a name holds one of these bytes.
fn holds(name: &[u8], odd: &[u8]) -> bool {
    name != b"[local]" && name.iter().any(|byte| odd.contains(byte))
}

/// Whether a name is a whole number, as query ids are.
fn is_number(name: &[u8]) -> bool {
    let digits = name.strip_prefix(b"-").unwrap_or(name);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// The template that explains the sample best, if one explains nearly all of it.
pub(super) fn best_prefix(lines: &Lines<'_>, setting: Setting) -> Option<Prefix> {
    let inferred = infer::templates(&lines.entries);
    let usual: Vec<&str> = USUAL.iter().copied().chain(inferred.iter().map(String::as_str)).collect();
    let best = best_of(&usual, lines, setting);
    let clean = |explained: &Explained| explained.matched == lines.entries.len() && explained.odd == 0;
    let (prefix, explained) = match best {
        Some(best) if clean(&best.1) => best,
        // Background processes may end the prefix elsewhere than before the first name.
        best => {
            let marked: Vec<String> =
                inferred.iter().take(8).flat_map(|template| infer::marked(template)).collect();
            let marked: Vec<&str> = marked.iter().map(String::as_str).collect();
            match (best, best_of(&marked, lines, setting)) {
                (Some(best), Some(other)) if other.1.score <= best.1.score => best,
                (best, other) => other.or(best)?,
            }
        }
    };
    Some(honest(prefix, lines, explained))
}

/// Of some templates, the one that explains the sample best.
fn best_of(templates: &[&str], lines: &Lines<'_>, setting: Setting) -> Option<(Prefix, Explained)> {
    let few = lines.few();
    // Most candidates explain nothing: some lines are enough to see that.
    let mut tried: Vec<(&str, Prefix, usize)> = templates
        .iter()
        .map(|&template| {
            let prefix = Prefix::compile_guess(template);
            let matched = few.explained(&prefix).matched;
            (template, prefix, matched)
        })
        .collect();
    let most = tried.iter().map(|&(_, _, matched)| matched).max()?;
    tried.retain(|&(_, _, matched)| matched * 10 >= most * 9);
    let tried: Vec<(Prefix, Explained)> = tried
        .into_iter()
        .filter_map(|(template, prefix, _)| {
            let explained = lines.explained(&prefix);
            // What a guess adds must be seen somewhere: not all lines may end it at the `%q` that was put in.
            let seen = || {
                let plain = Prefix::compile(template);
                [&few, lines].into_iter().any(|lines| lines.explained(&plain).matched > 0)
            };
            (template.contains("%q") || seen()).then_some((prefix, explained))
        })
        .collect();
    let most = tried.iter().map(|(_, explained)| explained.matched).max()?;
    if most == 0 || most * 100 < lines.entries.len() * setting.share() {
        return None;
    }
    // Of those that explain nearly as much as the best, the one that says most wins; the list's order breaks ties.
    let mut best: Option<(Prefix, Explained)> = None;
    for (prefix, explained) in tried {
        if explained.matched * 200 >= most * 199
            && best.as_ref().is_none_or(|(_, leader)| explained.score > leader.score)
        {
            best = Some((prefix, explained));
        }
    }
    best
}

/// The template with the `%q` that the lines show, or without the one that they do not show.
fn honest(prefix: Prefix, lines: &Lines<'_>, explained: Explained) -> Prefix {
    let prefix = without_empty_tail(prefix, lines, explained);
    let template = prefix.template();
    if template == prefix.text()
        || lines.explained(&Prefix::compile(prefix.text())).matched == explained.matched
    {
        return prefix;
    }
    Prefix::compile(&template)
}

/// `%m [%p] %q%u@%d ` also explains a log that was written with `%m [%p] `. When sessions speak and none has a name,
/// the shorter template is the honest one.
fn without_empty_tail(prefix: Prefix, lines: &Lines<'_>, explained: Explained) -> Prefix {
    let text = prefix.text();
    let Some((shorter, _)) = text.split_once("%q") else { return prefix };
    if explained.named > 0
        || prefix.has(Escape::Command)
        || !lines.entries.iter().any(|line| is_of_session(&prefix, line))
    {
        return prefix;
    }
    let shorter = Prefix::compile(shorter);
    // `[unknown]@[unknown]` names nobody, and stands there all the same.
    if lines.explained(&shorter).matched < explained.matched { prefix } else { shorter }
}

/// Whether a line with a severity word was written for a client, as far as `prefix` explains it: it has names, or
/// says what only sessions say.
pub(super) fn is_of_session(prefix: &Prefix, line: &[u8]) -> bool {
    let mut head = Head::default();
    match prefix.begin(line, &mut head, &mut Clocks::new(0)) {
        Line::Begins(_, text) => {
            let who = head.who;
            [who.user, who.database, who.application, who.host].iter().any(|name| !name.is_empty())
                || [&b"duration: "[..], b"statement: ", b"connection "]
                    .iter()
                    .any(|mark| memmem::find(&line[text..], mark).is_some())
        }
        Line::Foreign | Line::Continues => false,
    }
}
