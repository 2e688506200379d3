//! What the sample's log proves: findings with their evidence, and forecasts.

use pglens::report::*;
use pglens::units::Micros;

use super::{at_us, fingerprint};

pub fn findings(s: &[Statement]) -> Vec<Finding> {
    let finding = |kind: &str,
                   i: usize,
                   route: &str,
                   title: &str,
                   advice: &str,
                   units: u64,
                   unit: &str,
                   statements: u64,
                   us: u64,
                   numbers: &[(&str, u64)],
                   related: &[usize],
                   minor: bool| {
        let mut example: Vec<TimelineRow> = related
            .iter()
            .enumerate()
            .map(|(n, r)| TimelineRow {
                time: Some(at_us(37_842, 120_000 + n as u64 * 2_000)),
                duration_us: s[*r].p50_us,
                fingerprint: fingerprint(*r),
                marked: false,
                times: 1,
            })
            .collect();
        for n in 0..3_u64 {
            example.push(TimelineRow {
                time: Some(at_us(37_842, 141_000 + n * 3_100)),
                duration_us: Some(Micros(s[i].p50_us.unwrap().0 + n * 90)),
                fingerprint: fingerprint(i),
                marked: true,
                times: if n == 2 { 9 } else { 1 },
            });
        }
        Finding {
            id: format!("{kind}:{}:{route}", fingerprint(i)),
            kind: kind.to_owned(),
            fingerprint: fingerprint(i),
            route: Some(route.to_owned()),
            title: title.to_owned(),
            evidence: Evidence {
                units,
                unit_kind: unit.to_owned(),
                calls: s[i].calls,
                numbers: numbers.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
                related: related.iter().map(|r| fingerprint(*r)).collect(),
                example,
            },
            cost: Cost { statements, duration_us: Micros(us) },
            advice: advice.to_owned(),
            minor,
        }
    };
    vec![
        finding(
            "n_plus_one",
            0,
            "GET /s/:token/:page",
            "The choices of each question are read one question at a time",
            "Read the choices of all questions of the page at once: where question_id = any($1), or a join with questions.",
            26_040,
            "request",
            286_440,
            612_980_000,
            &[("longest_run", 34)],
            &[4],
            false,
        ),
        finding(
            "row_by_row_insert",
            1,
            "POST /s/:token/answers",
            "Answers are inserted one row at a time, each in its own transaction",
            "Insert the answers of a page with one INSERT and many VALUES, in one transaction.",
            24_702,
            "request",
            123_508,
            163_030_000,
            &[("commits", 148_210), ("rows_per_statement", 1)],
            &[13],
            false,
        ),
        finding(
            "cacheable_select",
            2,
            "GET /s/:token/:page",
            "Surveys are read again and again, and hardly ever change",
            "Keep the survey in a shared cache for as long as no write touches surveys.",
            84_210,
            "request",
            131_856,
            123_944_000,
            &[("writes_to_tables", 3)],
            &[],
            false,
        ),
        finding(
            "redundant_select",
            3,
            "GET /s/:token/:page",
            "The respondent is read more than once in a request",
            "Keep the respondent for the length of the request.",
            26_040,
            "request",
            52_080,
            40_622_000,
            &[],
            &[],
            false,
        ),
        finding(
            "read_back",
            4,
            "POST /s/:token/answers",
            "The page is read back right after it was written",
            "Use RETURNING, or write the new value through the cache.",
            24_702,
            "request",
            24_702,
            36_064_000,
            &[],
            &[5],
            false,
        ),
        finding(
            "empty_select",
            8,
            "GET /s/:token/:page",
            "Skip rules are asked for and hardly ever exist",
            "Remember that there are none.",
            26_040,
            "request",
            59_300,
            18_976_000,
            &[],
            &[],
            false,
        ),
        finding(
            "replica_reads",
            6,
            "GET /admin/surveys/:id",
            "Counts for the admin page could be read from a replica",
            "Send this route's reads to a replica; nothing it reads was written within 5 s.",
            1_284,
            "request",
            1_284,
            529_008_000,
            &[],
            &[],
            false,
        ),
        finding(
            "hot_row",
            15,
            "POST /s/:token/answers",
            "One quota row is updated by many sessions",
            "Count into several rows and sum them, or update once a second.",
            8_204,
            "request",
            0,
            41_200_000,
            &[("lock_waits", 214)],
            &[],
            true,
        ),
        finding(
            "check_then_write",
            3,
            "GET /s/:token",
            "Looked up before it is inserted",
            "INSERT … ON CONFLICT.",
            412,
            "request",
            412,
            321_000,
            &[],
            &[],
            true,
        ),
    ]
}

pub fn forecasts(s: &[Statement], calls: u64, total: u64) -> Forecasts {
    let forecast = |assumptions: &str, rows: &[(usize, u64)], numbers: &[(&str, u64)], curves: Vec<Curve>| {
        let mut rows = rows.to_vec();
        rows.sort_by_key(|(i, after)| std::cmp::Reverse(s[*i].calls - after));
        let saved: u64 = rows.iter().map(|(i, after)| s[*i].calls - after).sum();
        let saved_us: u64 =
            rows.iter().map(|(i, after)| (s[*i].calls - after) * s[*i].mean_us.unwrap().0).sum();
        Forecast {
            assumptions: assumptions.to_owned(),
            before: Load { calls, duration_us: Micros(total) },
            after: Load { calls: calls - saved, duration_us: Micros(total - saved_us) },
            numbers: numbers.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
            curves,
            statements: rows
                .iter()
                .map(|(i, after)| ForecastRow {
                    fingerprint: fingerprint(*i),
                    before: Load { calls: s[*i].calls, duration_us: s[*i].duration_us },
                    after: Load { calls: *after, duration_us: Micros(after * s[*i].mean_us.unwrap().0) },
                })
                .collect(),
        }
    };
    let curve = |name: &str, x: &str, y: &str, points: &[(u64, u64)], unlimited: u64| Curve {
        name: name.to_owned(),
        x_unit: x.to_owned(),
        y_unit: y.to_owned(),
        points: points.iter().map(|(x, y)| (Some(*x), *y)).chain([(None, unlimited)]).collect(),
    };
    Forecasts {
        combined: Forecast::default(),
        write_through: Forecast::default(),
        cache: forecast(
            "A read-through cache; a write to a table drops every entry that reads it.",
            &[(2, 51), (0, 1_940), (4, 330), (8, 1_922), (12, 101), (11, 52)],
            &[("hits", 619_204), ("keys", 4_344)],
            vec![
                curve(
                    "hit ratio by TTL",
                    "seconds",
                    "permille",
                    &[(1, 412), (10, 688), (60, 871), (300, 942)],
                    988,
                ),
                curve(
                    "hit ratio by size",
                    "keys",
                    "permille",
                    &[(16, 88), (64, 214), (256, 561), (1024, 862), (4096, 984)],
                    988,
                ),
            ],
        ),
        request_cache: forecast(
            "Each answer is kept until its request ends.",
            &[(3, 46_337), (2, 84_210)],
            &[("hits", 99_774)],
            vec![],
        ),
        replica: forecast(
            "Reads go to a replica unless the same actor wrote within 5 s.",
            &[(6, 0), (10, 0), (17, 0)],
            &[("pin_seconds", 5)],
            vec![curve(
                "reads on the primary by pin time",
                "seconds",
                "calls",
                &[(0, 148_000), (1, 221_000), (2, 262_000), (5, 318_000)],
                702_214,
            )],
        ),
        batching: forecast(
            "Runs of single-row INSERTs of one request become one statement.",
            &[(1, 24_702), (7, 26_040), (9, 26_040)],
            &[("commits_saved", 123_508)],
            vec![],
        ),
        prefetch: forecast("Each N+1 run becomes one statement.", &[(0, 26_040)], &[], vec![]),
        group_commit: forecast(
            "commit_delay = 1 ms, commit_siblings = 5.",
            &[],
            &[("flushes_before", 47_988), ("flushes_after", 21_204), ("latency_added_us", 420)],
            vec![],
        ),
    }
}
