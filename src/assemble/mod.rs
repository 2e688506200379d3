//! Everything counted → [`Report`]: names put to hashes, lists sorted, notes written.

mod actors;
mod errors;
mod events;
mod findings;
mod input;
mod notes;
mod plans;
mod secrets;
mod statements;

use std::collections::HashMap;

use crate::analyze::Analysis;
use crate::config::Ignore;
use crate::forecast;
use crate::log::zone_taken_as;
use crate::partial::slowest::SlowCall as KeptCall;
use crate::partial::statements::StatementTally;
use crate::report::*;
use crate::units::Micros;

/// Slowest single calls shown.
const MOST_SLOWEST: usize = 20;
/// The name of those beyond a cap.
const OTHER: &str = "(other)";
/// The name of those without one.
const NONE: &str = "(none)";
/// Stands for the text of a statement that the log does not name.
const UNKNOWN: &str = "(statement not in the log)";

/// What whoever reads the report asked for.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Whether literals may be shown.
    pub show_values: bool,
    /// Whether the prefix was given on the command line.
    pub prefix_given: bool,
    /// Findings to leave out.
    pub ignores: Vec<Ignore>,
    /// What was to be said about the choice of inputs.
    pub notes: Vec<Note>,
}

impl Wishes {
    /// Whether the literals of these texts, which belong together, may be shown: all of them or none.
    fn show(&self, texts: &[&[u8]]) -> bool {
        self.show_values && !secrets::any(texts)
    }
}

/// The report on an analysis.
#[must_use]
pub fn report(analysis: Analysis, wishes: &Wishes) -> Report {
    let Analysis { mut tally, streams } = analysis;
    let from_plans = tally.settle_plans();
    let mut directory = tally.directory;
    directory.finish();
    let finished = tally.statements.finish();
    let texts: HashMap<u64, &StatementTally> =
        finished.list.iter().map(|tally| (tally.fingerprint.0, tally)).collect();
    let errors = tally.errors.finish();

    let mut totals = statements::totals(&finished);
    totals.from_plans = from_plans;
    totals.errors = errors.total;
    totals.distinct_errors = errors.list.len() as u64;
    totals.unidentified = Load { calls: tally.unidentified.calls, duration_us: tally.unidentified.duration };
    totals.peak = tally.minutes.peak();
    totals.first = tally.span.map(|span| span.0);
    totals.last = tally.span.map(|span| span.1);
    totals.by_hour = statements::hours(&finished.list, &errors.list);
    totals.traffic = tally.minutes.traffic();
    let beyond = Load { calls: finished.other.calls, duration_us: finished.other.duration };
    let loads = finished.list.iter().map(|tally| tally.actors.clone());
    let sums = actors::Sums::of(loads, errors.owners.actors.clone()).beyond(beyond);
    [totals.users, totals.databases, totals.applications, totals.hosts] = actors::actors(&sums, &directory);
    let loads = finished.list.iter().map(|tally| tally.routes.clone());
    let sums = actors::Sums::of(loads, errors.owners.routes.clone()).beyond(beyond);
    let all = Load { calls: totals.statements, duration_us: totals.duration_us };
    totals.routes = actors::all_routes(&sums, &directory, (all, totals.errors));

    let review = tally.review;
    let (facts, detect) = (review.all_facts(), review.detect().clone());
    let (found, replay) = (review.findings.finish(), review.trace.finish());
    let loads = finished
        .list
        .iter()
        .map(|tally| (tally.fingerprint.0, Load { calls: tally.calls, duration_us: tally.duration }));
    let replays = forecast::cache::Replays::new(&replay, &facts);
    let inputs = forecast::Inputs {
        replay: &replay,
        replays: &replays,
        facts: &facts,
        found: &found,
        loads: &loads.collect(),
        loose_units: review.counts.loose_units(),
    };
    let told = tally.events;
    let locks = events::locks(told.locks, &texts, wishes);
    let (several, unknown): (Vec<_>, Vec<_>) =
        tally.zones.iter().map(|zone| lossy(zone)).partition(|zone| zone_taken_as(zone.as_bytes()).is_some());
    let mut input = input::input(&streams, wishes.prefix_given, tally.minutes.gaps(), unknown);
    input.sampled = told.notices.sampled;
    let looked = !detect.off;
    let forecasts = looked.then(|| forecast::all(&inputs));
    let (findings, judged) = findings::findings(&findings::Parts {
        found: &found,
        replay: &replay,
        replays: &replays,
        facts: &facts,
        counts: &review.counts,
        texts: &texts,
        directory: &directory,
        detect: &detect,
        locks: &locks,
        ignores: &wishes.ignores,
        totals: &totals,
        last: input.last,
    });

    let hot_inserts = statements::hot_inserts(&finished.list);
    let slowest = tally.slowest.list().iter().take(MOST_SLOWEST);
    let slowest = slowest.map(|call| statements::slow_call(call, wishes)).collect();
    let groups = errors::groups(errors.list, &texts, wishes);
    let temp_files = events::temp_files(told.temp_files, &texts);
    let connections = events::connections(told.connections, input.first, &totals);
    let others = events::Others { warnings: tally.warnings, others: tally.others };
    let server = events::server(told.notices, others, &texts, wishes);
    drop(texts);
    let capped = finished.capped;
    let (mut statements, redundant_selects) = statements::rows(finished, &directory, wishes);
    plans::attach(&mut statements, tally.plans, wishes);

    let mut report = Report {
        schema: SCHEMA.to_owned(),
        input,
        totals,
        statements,
        redundant_selects,
        hot_inserts,
        slowest,
        errors: groups,
        locks,
        temp_files,
        checkpoints: events::checkpoints(told.checkpoints),
        autovacuum: events::autovacuum(told.vacuums),
        connections,
        server,
        findings,
        judged,
        forecasts,
    };
    report.input.notes = wishes.notes.clone();
    report.input.notes.extend(notes::notes(&report, capped, tally.minutes.capped(), tally.orphans, &streams));
    report.input.notes.extend(several.iter().filter_map(|zone| notes::zone(zone)));
    report
}

/// Bytes of the log as text that can be shown: lossy, never interpreted.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A call as an example; its literals only on request.
fn example(call: &KeptCall, wishes: &Wishes) -> Example {
    let [user, database, application, host] = call.who.each_ref().map(|name| lossy(name));
    let shown = wishes.show(&[&call.sql, &call.params]);
    let params = (!call.params.is_empty()).then(|| lossy(&call.params));
    Example {
        time: call.time,
        duration_us: call.duration,
        user,
        database,
        application,
        host,
        pid: call.pid,
        sql: shown.then(|| lossy(&call.sql)),
        params: if shown { params } else { None },
    }
}

/// Time per call, rounded down.
fn mean(duration: Micros, calls: u64) -> Option<Micros> {
    duration.0.checked_div(calls).map(Micros)
}
