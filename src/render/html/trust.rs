//! How far the numbers can be trusted: what was read, what was not understood, and what the log cannot show.

use super::super::shown::{one_line, shortened};
use super::view::{Block, Cell, Section, Table, fact, fact_with};
use crate::report::{Input, Report};
use crate::words::{between, bytes, count, counted, duration, instant_or_dash, percent};

/// The trust section.
pub(super) fn section(report: &Report) -> Section {
    let input = &report.input;
    let skipped = skipped_bytes(input);
    let mut facts = vec![
        fact("Bytes read", bytes(input.bytes)),
        fact_with(
            "understood",
            percent(input.bytes.saturating_sub(skipped), input.bytes),
            format!("{} skipped", bytes(skipped)),
        ),
        fact("Log entries", count(input.entries)),
        fact("Format", one_line(&input.format)),
    ];
    if let Some(prefix) = &input.prefix {
        let how = if input.prefix_given { "given" } else { "detected" };
        // The spaces of a prefix matter, so it is not put on one line like other texts.
        let prefix = super::super::shown::visible(prefix).into_owned();
        facts.push(fact_with("Prefix", format!("'{}'", shortened(&prefix, 300)), how));
    }
    facts.push(fact("First entry", instant_or_dash(input.first)));
    facts.push(fact("Last entry", instant_or_dash(input.last)));
    facts.push(fact(
        "Sampled",
        if input.sampled { "yes: counts are those of a sample" } else { "no sign of it" },
    ));
    if !input.unknown_zones.is_empty() {
        facts.push(fact_with(
            "Unknown time zones",
            one_line(&input.unknown_zones.join(", ")),
            "taken as UTC",
        ));
    }
    let mut section = Section::new("trust", "Can these numbers be trusted?").with(Block::Facts(facts));
    for note in &input.notes {
        section = section.with(Block::Note(one_line(&note.text)));
    }
    let limit = 50;
    section =
        section.with_rows(
            Table::new("Not understood", &["Reason", "#Times", "#Bytes ↓", "First in", "#Line", "#Byte"])
                .fill(&input.skipped, limit, |_, s| {
                    vec![
                        Cell::name(&s.reason.replace('_', " ")),
                        Cell::count(s.count),
                        Cell::bytes(s.bytes),
                        Cell::code(&s.first.file),
                        Cell::count_or_dash(s.first.line),
                        Cell::count(s.first.byte),
                    ]
                }),
        );
    section = section.with_rows(
        Table::new(
            "Files",
            &["File", "#Bytes", "#Entries", "Format", "Container", "First entry", "Last entry", "Trouble"],
        )
        .fill(&input.files, limit, |_, f| {
            vec![
                Cell::code(&f.name),
                Cell::bytes(f.bytes),
                Cell::count(f.entries),
                Cell::name(&f.format),
                Cell::name(f.compression.as_deref().unwrap_or("–")),
                Cell::instant(f.first),
                Cell::instant(f.last),
                Cell::name(f.error.as_deref().unwrap_or("–")),
            ]
        }),
    );
    section.with_rows(Table::new("Stretches without any entry", &["From", "To", "#Length ↓"]).fill(
        &input.gaps,
        limit,
        |_, gap| {
            vec![
                Cell::instant(Some(gap.from)),
                Cell::instant(Some(gap.to)),
                Cell::duration(between(gap.from, gap.to)),
            ]
        },
    ))
}

/// Bytes that were not understood.
pub(super) fn skipped_bytes(input: &Input) -> u64 {
    input.skipped.iter().fold(0, |sum, skipped| sum.saturating_add(skipped.bytes))
}

/// One line for the top of the page, and whether it is a warning.
pub(super) fn line(report: &Report) -> (String, bool) {
    let input = &report.input;
    let skipped = skipped_bytes(input);
    let mut parts = vec![format!(
        "{} of {} understood, {}",
        percent(input.bytes.saturating_sub(skipped), input.bytes),
        bytes(input.bytes),
        counted(input.entries, "entry")
    )];
    let times = input.skipped.iter().fold(0_u64, |sum, skipped| sum.saturating_add(skipped.count));
    if times > 0 {
        parts.push(format!("skipped {}", counted(times, "time")));
    }
    if input.sampled {
        parts.push("the log is a sample".to_owned());
    }
    let broken = input.files.iter().filter(|f| f.error.is_some()).count();
    if broken > 0 {
        parts.push(format!("{} not read to the end", counted(broken as u64, "file")));
    }
    if let Some(longest) = input.gaps.first() {
        parts.push(format!("longest silence {}", duration(between(longest.from, longest.to))));
    }
    // A hundredth of the bytes is more than a rotated file's cut edges.
    let warning = skipped.saturating_mul(100) > input.bytes || input.sampled || broken > 0;
    (parts.join(" · "), warning)
}
