//! What the server said of itself: locks, temporary files, checkpoints, autovacuum, connections, events. A section
//! that the log has nothing for says in one line which setting would bring it.

use super::super::Style;
use super::super::shown::{one_line, shortened};
use super::statements::Shown;
use super::view::{Block, Cell, Missing, Section, Table, block_of_text, fact, fact_with};
use crate::report::{Checkpoints, Connections, LockGroup, Locks, Report, Sessions, TempFiles};
use crate::words::{bytes, count, duration, duration_or_dash, instant, instant_or_dash, percent};

/// All of them, in reading order.
pub(super) fn sections(report: &Report, style: &Style, shown: &Shown<'_>) -> Vec<Section> {
    vec![
        locks(&report.locks, style, shown),
        temp_files(&report.temp_files, style, shown),
        checkpoints(&report.checkpoints),
        autovacuum(report, style),
        connections(&report.connections, style),
        events(report, style),
    ]
}

fn missing(section: Section, what: &'static str, setting: &'static str) -> Section {
    section.with(Block::Missing(Missing { what, setting }))
}

fn locks(locks: &Locks, style: &Style, shown: &Shown<'_>) -> Section {
    let section = Section::new("locks", "Locks");
    if locks.waiting == 0 && locks.acquired == 0 && locks.deadlocks == 0 {
        return missing(section, "This log has no lock waits.", "log_lock_waits = on");
    }
    let mut section = section.count(locks.waiting.max(locks.acquired)).with(Block::Facts(vec![
        fact("Waits", count(locks.waiting)),
        fact("ended with the lock", count(locks.acquired)),
        fact("Time waited", duration(locks.waited_us)),
        fact("Deadlocks", count(locks.deadlocks)),
    ]));
    section = section.with_rows(
        Table::new("Waits by lock", &["Mode", "On", "#Waits", "#Acquired", "#Time waited ↓", "#Average"])
            .fill(&locks.by_object, style.top, |_, group| {
                vec![
                    Cell::code(&group.mode),
                    Cell::name(&object(group)),
                    Cell::count(group.waiting),
                    Cell::count(group.acquired),
                    Cell::duration(group.waited_us),
                    Cell::average(group.waited_us, group.acquired),
                ]
            }),
    );
    section =
        section.with_rows(
            Table::new("Statements that waited", &["Statement", "#Waits", "#Acquired", "#Time waited ↓"])
                .fill(&locks.statements, style.top, |_, s| {
                    vec![
                        shown.sql_as(&s.fingerprint, &s.sql),
                        Cell::count(s.waiting),
                        Cell::count(s.acquired),
                        Cell::duration(s.waited_us),
                    ]
                }),
        );
    for deadlock in locks.deadlock_examples.iter().take(3) {
        let mut text = String::new();
        for line in deadlock.waits.iter().chain(&deadlock.statements) {
            text.push_str(&one_line(line));
            text.push('\n');
        }
        section = section
            .with(Block::Heading(format!("Deadlock at {}", instant_or_dash(deadlock.time))))
            .with(Block::Text(block_of_text(text.trim_end(), style.sample_bytes)));
    }
    section
}

/// What a lock is on, by the name of the table where the log tells it.
fn object(group: &LockGroup) -> String {
    match &group.relation {
        None => group.object.clone(),
        Some(table) => match group.object.split_once(" of relation ") {
            Some((part, _)) => format!("{part} of {table}"),
            None if group.object.starts_with("relation ") => table.clone(),
            None => format!("{} that changed {table}", group.object),
        },
    }
}

fn temp_files(files: &TempFiles, style: &Style, shown: &Shown<'_>) -> Section {
    let section = Section::new("temp-files", "Temporary files");
    if files.count == 0 {
        return missing(section, "This log has no temporary files.", "log_temp_files = 0");
    }
    section
        .count(files.count)
        .with(Block::Facts(vec![
            fact("Files", count(files.count)),
            fact("Bytes", bytes(files.bytes)),
            fact("Largest", bytes(files.max_bytes)),
        ]))
        .with_rows(
            Table::new(
                "Statements that wrote them",
                &["Statement", "#Files", "#Bytes ↓", "#Share", "#Largest"],
            )
            .fill(&files.statements, style.top, |_, s| {
                vec![
                    shown.sql_as(&s.fingerprint, &s.sql),
                    Cell::count(s.count),
                    Cell::bytes(s.bytes),
                    Cell::share(s.bytes, files.bytes, "neutral"),
                    Cell::bytes(s.max_bytes),
                ]
            }),
        )
}

fn checkpoints(c: &Checkpoints) -> Section {
    let section = Section::new("checkpoints", "Checkpoints");
    let all = c.completed.saturating_add(c.restartpoints);
    if all == 0 && c.started == 0 {
        return missing(section, "This log has no checkpoints.", "log_checkpoints = on");
    }
    let causes: Vec<(&String, &u64)> = c.causes.iter().collect();
    let mut section = section.count(all);
    if c.too_frequent > 0 {
        section = section.with(Block::Note(format!(
            "The server says {} times that checkpoints occur too frequently: consider a larger max_wal_size.",
            count(c.too_frequent)
        )));
    }
    section
        .with(Block::Facts(vec![
            fact("Started", count(c.started)),
            fact("Completed", count(c.completed)),
            fact("Restartpoints", count(c.restartpoints)),
            fact("Buffers written", count(c.buffers)),
            fact("Writing", duration(c.write_us)),
            fact_with("Syncing", duration(c.sync_us), format!("{} files", count(c.sync_files))),
            fact_with("In all", duration(c.total_us), format!("longest {}", duration(c.max_us))),
            fact_with(
                "WAL distance",
                bytes(c.distance_bytes),
                format!("largest {}", bytes(c.max_distance_bytes)),
            ),
            fact(
                "WAL files",
                format!(
                    "{} added, {} removed, {} recycled",
                    count(c.wal_added),
                    count(c.wal_removed),
                    count(c.wal_recycled)
                ),
            ),
        ]))
        .with_rows(Table::new("Checkpoints by cause", &["Cause", "#Checkpoints", "#Share"]).fill(
            &causes,
            20,
            |_, (cause, n)| vec![Cell::name(cause), Cell::count(**n), Cell::share(**n, c.started, "neutral")],
        ))
        .with_folded(Table::new("Checkpoints by hour", &["Hour ↑", "#Checkpoints", "#WAL distance"]).fill(
            &c.by_hour,
            24 * 7,
            |_, h| vec![Cell::instant(Some(h.hour)), Cell::count(h.count), Cell::bytes(h.bytes)],
        ))
}

fn autovacuum(report: &Report, style: &Style) -> Section {
    let a = &report.autovacuum;
    let section = Section::new("autovacuum", "Autovacuum");
    if a.vacuums == 0 && a.analyzes == 0 {
        return missing(section, "This log has no automatic vacuums.", "log_autovacuum_min_duration = 0");
    }
    section
        .count(a.vacuums.saturating_add(a.analyzes))
        .with(Block::Facts(vec![
            fact("Vacuums", count(a.vacuums)),
            fact("Analyses", count(a.analyzes)),
            fact("Time", duration(a.duration_us)),
        ]))
        .with_rows(
            Table::new(
                "Tables",
                &[
                    "Table",
                    "#Vacuums",
                    "#Aggressive",
                    "#Analyses",
                    "#Time ↓",
                    "#Tuples removed",
                    "#Tuples left",
                    "#Dead, not removable",
                    "#Pages left",
                    "#Buffers missed",
                    "#WAL",
                ],
            )
            .fill(&a.tables, style.top, |_, t| {
                vec![
                    Cell::code(&t.table),
                    Cell::count(t.vacuums),
                    Cell::count(t.aggressive),
                    Cell::count(t.analyzes),
                    Cell::duration(t.duration_us),
                    Cell::count(t.tuples_removed),
                    Cell::count(t.tuples_remain),
                    Cell::count(t.tuples_dead),
                    Cell::count(t.pages_remain),
                    Cell::count(t.buffer_misses),
                    Cell::bytes(t.wal_bytes),
                ]
            }),
        )
}

fn connections(c: &Connections, style: &Style) -> Section {
    let section = Section::new("connections", "Connections");
    if c.received == 0 && c.authorized == 0 && c.disconnections == 0 {
        return missing(
            section,
            "This log has no connections.",
            "log_connections = on, log_disconnections = on",
        );
    }
    let mut section = section.count(c.received.max(c.authorized)).with(Block::Facts(vec![
        fact("Received", count(c.received)),
        fact("Authorised", count(c.authorized)),
        fact("Disconnections", count(c.disconnections)),
        match c.peak {
            Some(peak) => fact_with(
                "Peak",
                format!("{} a second", count(peak.calls)),
                format!("at {}", instant(peak.at)),
            ),
            None => fact("Peak", "–"),
        },
        fact_with(
            "Sessions at once",
            count(c.concurrent),
            c.concurrent_at.map_or_else(String::new, |at| format!("at {}", instant(at))),
        ),
        fact("Session time", duration(c.session_us)),
        fact("Median session", duration_or_dash(c.session_p50_us)),
        fact_with(
            "99 % are shorter than",
            duration_or_dash(c.session_p99_us),
            format!("longest {}", duration_or_dash(c.session_max_us)),
        ),
    ]));
    let lists: [(&str, &str, &Vec<Sessions>); 4] = [
        ("Sessions by user", "User", &c.users),
        ("Sessions by database", "Database", &c.databases),
        ("Sessions by application", "Application", &c.applications),
        ("Connections by host", "Host", &c.hosts),
    ];
    let tables: Vec<Table> = lists
        .into_iter()
        .filter(|(_, _, list)| !list.is_empty())
        .map(|(title, column, list)| session_table(title, column, list, c, style.top))
        .collect();
    if !tables.is_empty() {
        section = section.with(Block::Pair(tables));
    }
    section.with_folded(
        Table::new("Connections by hour", &["Hour ↑", "#Received", "#Session time that ended"]).fill(
            &c.by_hour,
            24 * 7,
            |_, h| vec![Cell::instant(Some(h.hour)), Cell::count(h.calls), Cell::duration(h.duration_us)],
        ),
    )
}

/// A table of whose sessions they were. Time is that of sessions that ended: the others have none yet.
fn session_table(title: &str, column: &str, list: &[Sessions], c: &Connections, limit: usize) -> Table {
    let all = c.received.max(c.authorized);
    Table::new(title, &[column, "#Connections", "#Ended", "#Session time ↓", "#Average", "#Errors"]).fill(
        list,
        limit,
        |_, row| {
            vec![
                Cell::name(&row.name),
                Cell::count_share(row.calls, all, "neutral"),
                Cell::count(row.ended),
                match row.ended {
                    0 => Cell::duration_or_dash(None),
                    _ => Cell::duration_share(row.duration_us, c.session_us, "neutral"),
                },
                Cell::average(row.duration_us, row.ended),
                Cell::count_or_dash(row.errors),
            ]
        },
    )
}

fn events(report: &Report, style: &Style) -> Section {
    let server = &report.server;
    let section = Section::new("events", "Server events");
    if server.groups.is_empty() && server.warnings == 0 {
        return missing(section, "This log has no crashes, recoveries, replication or parameter events.", "");
    }
    let all: u64 = server.groups.iter().fold(0, |sum, group| sum.saturating_add(group.count));
    let section = if all > 0 { section.count(all) } else { section };
    section
        .with(Block::Facts(vec![
            fact("Warnings", count(server.warnings)),
            fact("Other log records", count(server.other)),
        ]))
        .with_rows(Table::new("Events", &["Kind", "Message", "#Times", "#Share", "First", "Last"]).fill(
            &server.groups,
            style.top.max(50),
            |_, group| {
                vec![
                    Cell::name(&group.kind.replace('_', " ")),
                    Cell::Text(shortened(&one_line(&group.message), 500).into_owned()),
                    Cell::count(group.count),
                    Cell::Number { value: group.count, text: percent(group.count, all) },
                    Cell::instant(group.first),
                    Cell::instant(group.last),
                ]
            },
        ))
}
