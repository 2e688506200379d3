//! What the rules found, and what the trace shows → findings with words.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::config::Ignore;
use crate::finding::{
    Detect, Facts, FindingTally, Found, Ignored, Key, NO_TIME, Rule, UnitCounts, UnitKind,
    replica_reads::{PINS, of_tables},
};
use crate::forecast::cache;
use crate::partial::actors::Directory;
use crate::partial::statements::StatementTally;
use crate::partial::trace::{Bucket, Replay};
use crate::report::{
    Cost, Evidence, Finding, IgnoredLoad, Judged, Locks, Suppressed, TimelineRow, Totals, UnitLoad,
};
use crate::units::{Micros, Timestamp};
use crate::words::{count, counted, duration};

/// Findings shown.
const MOST: usize = 2000;
/// Other fingerprints named by one finding.
const MOST_RELATED: usize = 8;

/// What findings are made of.
pub(super) struct Parts<'a> {
    pub(super) found: &'a Found,
    pub(super) replay: &'a Replay,
    pub(super) replays: &'a cache::Replays,
    pub(super) facts: &'a Facts,
    pub(super) counts: &'a UnitCounts,
    pub(super) texts: &'a HashMap<u64, &'a StatementTally>,
    pub(super) directory: &'a Directory,
    pub(super) detect: &'a Detect,
    pub(super) locks: &'a Locks,
    pub(super) ignores: &'a [Ignore],
    pub(super) totals: &'a Totals,
    /// Time of the log's last entry: what has expired by then is no longer left out.
    pub(super) last: Option<Timestamp>,
}

impl Parts<'_> {
    /// Whether a query comment names a rule about the whole log: one call's comment speaks for its statement.
    fn is_excused(&self, rule: Rule, fingerprint: u64) -> bool {
        self.found.excused.contains_key(&(rule, fingerprint))
    }
}

/// A finding on its way: before it has words.
struct Draft {
    key: Key,
    evidence: Evidence,
    cost: Cost,
}

/// Everything found, by cost, and what was left out.
pub(super) fn findings(parts: &Parts<'_>) -> (Vec<Finding>, Judged) {
    let mut drafts: Vec<Draft> = parts.found.list.iter().map(drafted).collect();
    drafts.extend(cacheable(parts));
    drafts.extend(hot_rows(parts));
    let mut judged = judged(parts);
    drafts.extend(replica_reads(parts, &mut judged));
    let (left_out, drafts): (Vec<Draft>, Vec<Draft>) =
        drafts.into_iter().partition(|draft| parts.is_excused(draft.key.rule, draft.key.fingerprint));
    judged.suppressed.extend(
        left_out.iter().map(|draft| commented(draft.key.rule, draft.key.fingerprint, draft.evidence.calls)),
    );
    let day = parts.last.map(|last| last.to_utc().format("%Y-%m-%d").to_string()).unwrap_or_default();
    let mut findings: Vec<Finding> = Vec::new();
    for draft in drafts {
        let finding = worded(draft, parts);
        let tables = parts
            .texts
            .get(&fingerprint_of(&finding))
            .map(|text| text.shape.tables().into_iter().map(str::to_owned).collect::<Vec<_>>());
        let tables = tables.unwrap_or_default();
        let ignore = parts.ignores.iter().find(|ignore| {
            ignore.matches(&finding.kind, &finding.fingerprint, finding.route.as_deref(), &tables, &day)
        });
        match ignore {
            Some(ignore) => judged.suppressed.push(Suppressed {
                kind: finding.kind,
                fingerprint: finding.fingerprint,
                by: "pglens.toml".to_owned(),
                reason: ignore.reason.clone(),
                calls: finding.evidence.calls,
            }),
            None => findings.push(finding),
        }
    }
    findings.sort_by_cached_key(|finding| {
        let cost = finding.cost;
        (
            Reverse(cost.duration_us),
            Reverse(cost.statements),
            Reverse(finding.evidence.calls),
            finding.id.clone(),
        )
    });
    if findings.len() > MOST {
        judged.capped = true;
        // Minor ones go first: those that save nothing by themselves, as an idle transaction, stand at the end.
        let mut room = MOST.saturating_sub(findings.iter().filter(|finding| !finding.minor).count());
        findings.retain(|finding| {
            let kept = !finding.minor || room > 0;
            room = room.saturating_sub(usize::from(finding.minor));
            kept
        });
        findings.truncate(MOST);
    }
    (findings, judged)
}

fn fingerprint_of(finding: &Finding) -> u64 {
    u64::from_str_radix(&finding.fingerprint, 16).unwrap_or(0)
}

fn hex(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

fn judged(parts: &Parts<'_>) -> Judged {
    let counts = parts.counts;
    let mut ignored: BTreeMap<Ignored, IgnoredLoad> = BTreeMap::new();
    for (fingerprint, fact) in parts.facts.iter() {
        if let (Some(reason), Some(text)) = (fact.ignored, parts.texts.get(&fingerprint)) {
            let row = ignored.entry(reason).or_default();
            row.reason = reason.as_str().to_owned();
            row.fingerprints += 1;
            row.calls += text.calls;
        }
    }
    Judged {
        units: UnitKind::ALL
            .into_iter()
            .zip(counts.by_kind)
            .map(|(kind, (units, calls))| UnitLoad { kind: kind.as_str().to_owned(), units, calls })
            .collect(),
        cut_by_clock: counts.cut_by_clock,
        by_second: counts.by_second,
        unjudged: counts.unjudged,
        capped: parts.found.capped,
        suppressed: parts
            .found
            .suppressed
            .iter()
            .map(|((rule, fingerprint), calls)| commented(*rule, *fingerprint, *calls))
            .collect(),
        ignored: ignored.into_values().collect(),
    }
}

/// What a query comment left out.
fn commented(rule: Rule, fingerprint: u64, calls: u64) -> Suppressed {
    Suppressed {
        kind: rule.as_str().to_owned(),
        fingerprint: hex(fingerprint),
        by: "query comment".to_owned(),
        reason: String::new(),
        calls,
    }
}

fn drafted(finding: &FindingTally) -> Draft {
    let units = finding.units.iter().sum();
    // The first of equals is the stronger kind.
    let kinds = UnitKind::ALL.into_iter().zip(finding.units).rev();
    let kind = kinds.max_by_key(|(_, units)| *units).map_or("", |(kind, _)| kind.as_str());
    let mut related: Vec<(u64, u64)> =
        finding.related.iter().map(|(print, count)| (*print, *count)).collect();
    related.sort_by_key(|(fingerprint, count)| (Reverse(*count), *fingerprint));
    let example = finding.example.iter().map(|row| TimelineRow {
        time: (row.time != NO_TIME).then_some(row.time),
        duration_us: Some(Micros(row.duration)),
        fingerprint: hex(row.fingerprint),
        marked: row.marked,
        times: row.times,
    });
    Draft {
        key: finding.key,
        evidence: Evidence {
            units,
            unit_kind: kind.to_owned(),
            calls: finding.calls,
            numbers: finding.numbers.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect(),
            related: related.iter().take(MOST_RELATED).map(|(fingerprint, _)| hex(*fingerprint)).collect(),
            example: example.collect(),
        },
        cost: Cost { statements: finding.statements, duration_us: finding.duration },
    }
}

/// Questions that a shared cache would have answered for another unit.
fn cacheable(parts: &Parts<'_>) -> Vec<Draft> {
    let mut drafts: BTreeMap<u64, Draft> = BTreeMap::new();
    for (asked, replayed) in parts.replay.asked.iter().zip(&parts.replays.list) {
        let sample = (asked.askings.kept.len() as u64).max(1);
        let whole =
            |part: u64| (u128::from(part) * u128::from(asked.askings.calls) / u128::from(sample)) as u64;
        let hits = whole(replayed.across.0);
        if hits < parts.detect.cacheable
            || hits * 1000 < asked.askings.calls * parts.detect.cacheable_permille
        {
            continue;
        }
        let key = Key { rule: Rule::CacheableSelect, fingerprint: asked.fingerprint, route: 0 };
        let draft = drafts.entry(asked.fingerprint).or_insert_with(|| Draft {
            key,
            evidence: Evidence { unit_kind: "log".to_owned(), units: 1, ..Evidence::default() },
            cost: Cost::default(),
        });
        draft.cost.statements += hits;
        draft.cost.duration_us += Micros(whole(replayed.across.1));
        draft.evidence.calls += asked.askings.calls;
        let numbers = &mut draft.evidence.numbers;
        *numbers.entry("hits".to_owned()).or_default() += hits;
        *numbers.entry("sampled".to_owned()).or_default() += u64::from(!asked.askings.is_exact());
        let permille = draft.cost.statements * 1000 / draft.evidence.calls.max(1);
        draft.evidence.numbers.insert("hit_permille".to_owned(), permille);
        if draft.evidence.example.is_empty()
            && let Some((first, again)) = replayed.example
        {
            draft.evidence.example = [first, again]
                .iter()
                .zip([false, true])
                .map(|(asking, marked)| TimelineRow {
                    time: Some(asking.moment.time).filter(|time| *time != NO_TIME),
                    duration_us: Some(Micros(u64::from(asking.duration))),
                    fingerprint: hex(asked.fingerprint),
                    marked,
                    times: 1,
                })
                .collect();
        }
    }
    drafts.into_values().collect()
}

/// Rows that several sessions update again and again.
fn hot_rows(parts: &Parts<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for rows in &parts.replay.rows {
        let all: u64 = rows.buckets.iter().map(|bucket| bucket.calls).sum();
        // A bucket holds many rows of a big table, none of them hot: a hot one has a twentieth of all updates.
        let hot = |bucket: &Bucket| {
            bucket.calls >= parts.detect.hot_row && bucket.calls * 20 >= all && bucket.is_shared()
        };
        let buckets: Vec<_> = rows.buckets.iter().filter(|bucket| hot(bucket)).collect();
        if buckets.is_empty() {
            continue;
        }
        let calls: u64 = buckets.iter().map(|bucket| bucket.calls).sum();
        let duration: u64 = buckets.iter().map(|bucket| bucket.duration).sum();
        let hottest = buckets.iter().map(|bucket| bucket.calls).max().unwrap_or(0);
        let mut numbers =
            vec![("rows", buckets.len() as u64), ("hottest_updates", hottest), ("updates_us", duration)];
        let fingerprint = hex(rows.fingerprint);
        if let Some(waits) = parts.locks.statements.iter().find(|row| row.fingerprint == fingerprint) {
            numbers.extend([("lock_waits", waits.waiting), ("lock_waited_us", waits.waited_us.0)]);
        }
        // What they took longer than the quickest tenth does, which surely did not queue.
        let unqueued = parts.texts.get(&rows.fingerprint).and_then(|text| {
            let mut durations = text.histogram.clone();
            durations.quantile(100).map(|tenth| tenth.clamp(text.min, text.max))
        });
        let queued = unqueued.map_or(0, |tenth| duration.saturating_sub(tenth.0.saturating_mul(calls)));
        drafts.push(Draft {
            key: Key { rule: Rule::HotRow, fingerprint: rows.fingerprint, route: 0 },
            evidence: Evidence {
                units: 1,
                unit_kind: "log".to_owned(),
                calls,
                numbers: numbers.into_iter().map(|(name, number)| (name.to_owned(), number)).collect(),
                ..Evidence::default()
            },
            cost: Cost { statements: 0, duration_us: Micros(queued) },
        });
    }
    drafts
}

/// One finding for all reads that could leave the primary, named after the statement with most of them, and what
/// query comments left out of it.
fn replica_reads(parts: &Parts<'_>, judged: &mut Judged) -> Option<Draft> {
    // Without writes this is no primary, or nobody would gain.
    if parts.replay.written.is_empty() {
        return None;
    }
    let mut by_statement: BTreeMap<u64, (u64, Micros)> = BTreeMap::new();
    let (mut asked, mut free) = (0, (0, Micros(0)));
    for (fingerprint, _, reads) in of_tables(&parts.found.reads, parts.facts) {
        let own = reads.free(PINS.len());
        let entry = by_statement.entry(*fingerprint).or_default();
        entry.0 += own.0;
        entry.1 += own.1;
        asked += reads.asked().0;
    }
    type Listed = Vec<(u64, (u64, Micros))>;
    let (left_out, mut list): (Listed, Listed) = by_statement
        .into_iter()
        .filter(|(_, free)| free.0 > 0)
        .partition(|(fingerprint, _)| parts.is_excused(Rule::ReplicaReads, *fingerprint));
    let comments =
        left_out.iter().map(|(fingerprint, own)| commented(Rule::ReplicaReads, *fingerprint, own.0));
    judged.suppressed.extend(comments);
    for (_, own) in &list {
        free.0 += own.0;
        free.1 += own.1;
    }
    list.sort_by_key(|(fingerprint, free)| (Reverse(*free), *fingerprint));
    let (fingerprint, _) = list.first()?;
    let numbers = [("reads", asked), ("free_reads", free.0), ("statements", list.len() as u64)];
    Some(Draft {
        key: Key { rule: Rule::ReplicaReads, fingerprint: *fingerprint, route: 0 },
        evidence: Evidence {
            units: 1,
            unit_kind: "log".to_owned(),
            calls: free.0,
            numbers: numbers.map(|(name, number)| (name.to_owned(), number)).into(),
            related: list
                .iter()
                .skip(1)
                .take(MOST_RELATED)
                .map(|(fingerprint, _)| hex(*fingerprint))
                .collect(),
            ..Evidence::default()
        },
        cost: Cost { statements: free.0, duration_us: free.1 },
    })
}

/// Title, advice, weight.
fn worded(draft: Draft, parts: &Parts<'_>) -> Finding {
    let Draft { key, evidence, cost } = draft;
    let route = (key.route != 0).then(|| parts.directory.route(key.route).unwrap_or(super::OTHER).to_owned());
    let text = parts.texts.get(&key.fingerprint);
    let table = text
        .and_then(|text| text.shape.tables().first().map(|table| (*table).to_owned()))
        .unwrap_or_else(|| "the same statement".to_owned());
    let number = |name: &str| evidence.numbers.get(name).copied().unwrap_or(0);
    let units = counted(evidence.units, &evidence.unit_kind);
    let calls = evidence.calls;
    let where_to = route.as_ref().map_or_else(String::new, |route| format!(" in {route}"));
    let (title, advice) = match key.rule {
        Rule::RedundantSelect => (
            format!("{table}: asked {} again in {units}{where_to}", times(cost.statements)),
            "Ask once and keep the answer for the rest of the request (a request-local cache, or pass it on).".to_owned(),
        ),
        Rule::RepeatedSelect => (
            format!("{table}: the same statement {} in {units}{where_to}, its parameters not logged", times(calls)),
            "Log the parameters (log_parameter_max_length = -1) to know whether it is an N+1 or redundant.".to_owned(),
        ),
        Rule::CacheableSelect => (
            format!("{table}: {} of {} repeat one before, unchanged", count(number("hits")), counted(calls, "asking")),
            "Keep the answer in a shared cache, dropped when the table is written or after some time.".to_owned(),
        ),
        Rule::NPlusOne => (
            format!("{table}: one statement a row, {} in {units}{where_to}", times(calls)),
            match (number("sequences"), evidence.related.is_empty()) {
                (0, true) => "Fetch all rows with one statement: ask with = ANY($1).",
                (0, false) => "Fetch all rows with one statement: join them to the statement before, or ask with = ANY($1).",
                _ => "Fetch all rows with one statement: ask with = ANY($1), or join them to what comes in turn with them.",
            }
            .to_owned(),
        ),
        Rule::ReadBack => (
            format!("{table}: read back {} right after writing it{where_to}", times(calls)),
            "Keep what was written (write-through cache), or let the write answer with RETURNING.".to_owned(),
        ),
        Rule::CheckThenWrite => (
            format!("{table}: looked for {} just before writing it{where_to}", times(calls)),
            "Write at once with INSERT … ON CONFLICT (or UPDATE … RETURNING), which has no race either.".to_owned(),
        ),
        Rule::RowByRowInsert => (
            format!("{table}: {} in {units}{where_to}", counted(calls, "single-row INSERT")),
            "Insert all rows with one statement (VALUES lists, unnest or COPY) in one transaction.".to_owned(),
        ),
        Rule::HotRow => (
            format!("{table}: {} of one statement on {}", counted(calls, "update"), counted(number("rows"), "row")),
            "Sessions queue for the lock of such a row: count with INSERTs, or spread it over several rows.".to_owned(),
        ),
        Rule::ReplicaReads => (
            format!("{} of {} could leave the primary", count(calls), counted(number("reads"), "read")),
            "Send reads outside writing transactions to a replica, unless their user wrote a moment ago.".to_owned(),
        ),
        Rule::ChattyTransaction => (
            format!("{table}: {} in {units}{where_to}, mostly waiting for the client", counted(calls, "statement")),
            "Send fewer statements per transaction, or prepare their values before it begins.".to_owned(),
        ),
        Rule::IdleInTransaction => (
            format!("{table}: a transaction left open for {} in all after it{where_to}", duration(Micros(number("idle_us")))),
            "End the transaction before doing anything else; set idle_in_transaction_session_timeout.".to_owned(),
        ),
    };
    let weight = |part: u64, whole: u64| part * 1000 < whole * parts.detect.minor_permille;
    let statements = if cost.statements > 0 { cost.statements } else { calls };
    let idle = number("idle_us").max(number("waiting_us"));
    // Clients wait between statements all day: against the little time that statements take it always weighs much.
    let time = match key.rule {
        Rule::ChattyTransaction => parts.totals.duration_us.0.max(span(parts.totals)),
        _ => parts.totals.duration_us.0,
    };
    // A replica that could take less than a tenth of the load, or of the reads, is not worth its keep.
    let tenth = |part: u64, whole: u64| part * 10 >= whole;
    let worth = tenth(calls, number("reads"))
        && (tenth(calls, parts.totals.statements)
            || tenth(cost.duration_us.0, parts.totals.duration_us.0.max(1)));
    let minor = (key.rule == Rule::ReplicaReads && !worth)
        || weight(statements, parts.totals.statements) && weight(cost.duration_us.0.max(idle), time.max(1));
    Finding {
        id: id(key, route.as_deref()),
        kind: key.rule.as_str().to_owned(),
        fingerprint: hex(key.fingerprint),
        route,
        title,
        evidence,
        cost,
        advice,
        minor,
    }
}

/// Microseconds from the first to the last statement.
fn span(totals: &Totals) -> u64 {
    match (totals.first, totals.last) {
        (Some(first), Some(last)) => u64::try_from(last.0.saturating_sub(first.0)).unwrap_or(0),
        _ => 0,
    }
}

/// Kind, statement and route: the same in every log and release.
fn id(key: Key, route: Option<&str>) -> String {
    let base = format!("{}-{:016x}", key.rule.as_str(), key.fingerprint);
    match route {
        Some(_) => format!("{base}-{:08x}", key.route as u32),
        None => base,
    }
}

fn times(n: u64) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{} times", count(n)),
    }
}
