//! [`Diagnosis`] → text for people, with lines to paste.

use std::io::{self, Write};

use super::{Diagnosis, Setting, Verdict};
use crate::render::shown::one_line;
use crate::report::{InputFile, Position};
use crate::words::{between, bytes, count, counted, duration, percent, ratio, span};

/// Columns of a comment.
const WIDTH: usize = 100;

/// How settings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines of postgresql.conf.
    Conf,
    /// Settings of an RDS or Aurora parameter group, as `aws rds modify-db-parameter-group --parameters` takes them.
    Rds,
}

/// Writes a diagnosis. Names and texts out of the log pass through `one_line`.
///
/// # Errors
/// Those of the writer.
pub fn render(diagnosis: &Diagnosis, form: Form, out: &mut dyn Write) -> io::Result<()> {
    for file in &diagnosis.inputs {
        input(file, diagnosis.prefix_given, out)?;
    }
    understood(diagnosis, out)?;
    answers(diagnosis, out)?;
    if diagnosis.entries == 0 && diagnosis.missing.is_empty() {
        writeln!(out, "\nWhat to do")?;
        writeln!(out, "  Ask the server how it writes: SHOW log_destination; SHOW log_line_prefix;")?;
        writeln!(out, "  and say so: pglens doctor --log-line-prefix '…' --log-format stderr LOG")?;
    }
    settings(diagnosis, form, out)
}

fn input(file: &InputFile, given: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", one_line(&file.name))?;
    if let Some(error) = &file.error {
        row("trouble", &one_line(error), out)?;
    }
    if !file.format.is_empty() {
        row("format", &one_line(&file.format), out)?;
    }
    if let Some(prefix) = &file.prefix {
        let how = if given { "given" } else { "detected" };
        row("prefix", &format!("'{}' ({how})", one_line_kept(prefix)), out)?;
    }
    if let Some(container) = &file.compression {
        row("container", &one_line(container), out)?;
    }
    let read = format!("{} in {}", counted(file.entries, "entry"), bytes(file.bytes));
    let (Some(first), Some(last)) = (file.first, file.last) else { return row("read", &read, out) };
    let took = between(first, last);
    row("range", &format!("{} UTC ({})", span(first, last), duration(took)), out)?;
    match took.0 {
        // A rate over less than a second says nothing.
        0..1_000_000 => row("read", &read, out),
        _ => {
            let entries = ratio(file.entries.saturating_mul(1_000_000), took.0);
            let size = u128::from(file.bytes) * 1_000_000 / u128::from(took.0);
            let size = bytes(u64::try_from(size).unwrap_or(u64::MAX));
            row("read", &format!("{read}: {entries} entries and {size} a second"), out)
        }
    }
}

/// A prefix ends in a blank that matters.
fn one_line_kept(prefix: &str) -> String {
    let end = if prefix.ends_with(' ') { " " } else { "" };
    one_line(prefix) + end
}

fn row(name: &str, value: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {name:<10} {value}")
}

fn understood(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    if diagnosis.bytes == 0 {
        return writeln!(out, "\nUnderstood: nothing");
    }
    let lost: u64 = diagnosis.skipped.iter().map(|it| it.bytes).sum();
    let kept = diagnosis.bytes.saturating_sub(lost);
    let share = percent(kept, diagnosis.bytes);
    writeln!(out, "\nUnderstood: {} of {} ({share})", bytes(kept), bytes(diagnosis.bytes))?;
    for skipped in &diagnosis.skipped {
        let (times, place) = (counted(skipped.count, "time"), place(&skipped.first));
        writeln!(
            out,
            "  not: {}, {times}, {}, first at {place}",
            one_line(&skipped.reason),
            bytes(skipped.bytes)
        )?;
    }
    Ok(())
}

fn place(position: &Position) -> String {
    let name = one_line(&position.file);
    match position.line {
        Some(line) => format!("{name}:{line}"),
        None => format!("{name}, byte {}", count(position.byte)),
    }
}

fn answers(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    if diagnosis.answers.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nWhat this log tells")?;
    for answer in &diagnosis.answers {
        let verdict = match answer.verdict {
            Verdict::Yes => "yes",
            Verdict::Partly => "partly",
            Verdict::No => "no",
            Verdict::Unseen => "?",
        };
        writeln!(out, "  {:<16} {verdict:<7} {}", answer.question, answer.evidence)?;
    }
    Ok(())
}

fn settings(diagnosis: &Diagnosis, form: Form, out: &mut dyn Write) -> io::Result<()> {
    let parts = [
        (&diagnosis.missing, "What this log lacks"),
        (&diagnosis.unseen, "Perhaps on already: this log has nothing of the kind"),
    ];
    for (settings, title) in parts.into_iter().filter(|part| !part.0.is_empty()) {
        writeln!(out, "\n# {title}")?;
        for setting in settings {
            line(setting, form, out)?;
        }
    }
    if diagnosis.missing.is_empty() && diagnosis.unseen.is_empty() {
        return Ok(());
    }
    match form {
        Form::Conf => writeln!(out, "\n# In postgresql.conf; then: SELECT pg_reload_conf();"),
        Form::Rds => writeln!(
            out,
            "\n# Each is an argument of: aws rds modify-db-parameter-group --db-parameter-group-name NAME --parameters …"
        ),
    }
}

fn line(setting: &Setting, form: Form, out: &mut dyn Write) -> io::Result<()> {
    comment("#", setting.why, out)?;
    if let Some(mind) = setting.mind {
        comment("#  ", mind, out)?;
    }
    match form {
        Form::Conf => writeln!(out, "{} = {}", setting.name, setting.value),
        Form::Rds => {
            let apply = if setting.restart { "pending-reboot" } else { "immediate" };
            let (name, value) = (setting.name, setting.rds);
            writeln!(out, "'ParameterName={name},ParameterValue={value},ApplyMethod={apply}'")
        }
    }
}

/// A sentence as lines of at most [`WIDTH`] columns.
fn comment(start: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut line = start.to_owned();
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            writeln!(out, "{line}")?;
            line.truncate(start.len());
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(out, "{line}")
}
