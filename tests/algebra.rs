//! Cutting does not matter: any cuts, any merge tree, the bytes of one pass.
//!
//! Logs are random interleavings of sessions that log statements and durations together, apart, in the extended
//! protocol, with errors, with DETAIL lines torn away from their records by other backends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;

use bumpalo::Bump;
use pglens::analyze::{Analysis, StreamRead};
use pglens::assemble::{self, Wishes};
use pglens::log::{Dialect, Hints, SkipReason};
use pglens::partial::{Fragment, Partial, Scan, Tally};
use pglens::units::ByteOffset;
use proptest::prelude::*;

/// One line of a log: which backend, what it says.
#[derive(Debug, Clone)]
struct Line {
    backend: u32,
    says: Says,
    value: u32,
}

/// What a line can say, and how often it does beside the others.
macro_rules! says {
    ($($kind:ident $weight:literal,)*) => {
        #[derive(Debug, Clone, Copy)]
        enum Says {
            $($kind,)*
        }

        const ANYTHING: &[(Says, usize)] = &[$((Says::$kind, $weight),)*];
    };
}

says! {
    Call 2,
    Statement 2,
    Duration 3,
    Parse 1,
    Bind 1,
    Execute 2,
    Fetch 1,
    Detail 2,
    Error 1,
    StatementPart 1,
    Warning 1,
    Disconnection 1,
    Received 1,
    MultiLine 1,
    Waiting 1,
    Acquired 1,
    TempFile 1,
    Checkpoint 1,
    Vacuum 1,
    Authorized 1,
    Deadlock 1,
    Plan 1,
    Parameter 1,
    Begin 1,
    Commit 1,
    Insert 1,
    Update 1,
    Traced 2,
    Request 1,
}

fn line() -> impl Strategy<Value = Line> {
    line_of(ANYTHING.iter().flat_map(|(says, weight)| vec![*says; *weight]).collect())
}

/// What a log has that is neither statement nor duration: there its plans are the calls.
fn line_without_calls() -> impl Strategy<Value = Line> {
    use Says::*;
    line_of(vec![Plan, Plan, Plan, Plan, Detail, Error, Warning, Received, Authorized, TempFile])
}

fn lines(most: usize) -> impl Strategy<Value = Vec<Line>> {
    prop_oneof![
        3 => prop::collection::vec(line(), 1..most),
        1 => prop::collection::vec(line_without_calls(), 1..most),
    ]
}

fn line_of(says: Vec<Says>) -> impl Strategy<Value = Line> {
    let says = prop::sample::select(says);
    (0_u32..4, says, 0_u32..5).prop_map(|(backend, says, value)| Line { backend, says, value })
}

fn text(lines: &[Line]) -> String {
    let mut log = String::new();
    for (number, Line { backend, says, value }) in lines.iter().enumerate() {
        // Ten lines a second, but for a pause now and then: bursts end, and minutes.
        let tenths = number + number / 7 * 13 + number / 23 * 310;
        let (minute, second) = (tenths / 600 % 60, tenths / 10 % 60);
        let pid = 100 + backend;
        write!(
            log,
            "2026-11-23 14:{minute:02}:{second:02}.{:03} UTC [{pid}] u{}@db ",
            tenths % 10 * 100 + number % 100,
            backend % 2
        )
        .unwrap();
        let line = match says {
            Says::Call => {
                format!("LOG:  duration: {value}.125 ms  statement: SELECT a FROM t WHERE id = {value}")
            }
            Says::Statement => format!("LOG:  statement: UPDATE t SET a = {value} WHERE id = {backend}"),
            Says::Duration => format!("LOG:  duration: {value}.5 ms"),
            Says::Parse => {
                format!("LOG:  duration: 0.{value}11 ms  parse <unnamed>: SELECT b FROM t WHERE id = $1")
            }
            Says::Bind => {
                format!("LOG:  duration: 0.{value}12 ms  bind <unnamed>: SELECT b FROM t WHERE id = $1")
            }
            Says::Execute => {
                format!("LOG:  duration: 0.{value}13 ms  execute <unnamed>: SELECT b FROM t WHERE id = $1")
            }
            Says::Fetch => format!("LOG:  duration: 0.{value}14 ms  execute fetch from a/b: SELECT c FROM t"),
            Says::Detail => format!("DETAIL:  parameters: $1 = '{value}'"),
            Says::Error => format!("ERROR:  relation \"t{value}\" does not exist at character 15"),
            Says::StatementPart => format!("STATEMENT:  SELECT * FROM t{value}"),
            Says::Warning => "WARNING:  there is no transaction in progress".to_owned(),
            Says::Disconnection => {
                "LOG:  disconnection: session time: 0:00:01.5 user=u database=db host=[local]".to_owned()
            }
            Says::Received => "LOG:  connection received: host=[local]".to_owned(),
            Says::Begin => "LOG:  duration: 0.01 ms  statement: BEGIN".to_owned(),
            Says::Commit => "LOG:  duration: 0.9 ms  statement: COMMIT".to_owned(),
            Says::Insert => {
                format!("LOG:  duration: 0.2 ms  statement: INSERT INTO t (id, a) VALUES ({value}, 7)")
            }
            Says::Update => {
                format!("LOG:  duration: 0.3 ms  statement: UPDATE t SET a = 1 WHERE id = {value}")
            }
            Says::Traced => format!(
                "LOG:  duration: 0.{value}4 ms  statement: SELECT a FROM t WHERE id = {value} \
                 /*route='/a',traceparent='00-0af7651916cd43dd8448eb211c8031{value}c-b7ad6b7169203331-01'*/"
            ),
            Says::Request => format!(
                "LOG:  duration: 0.{value}5 ms  statement: INSERT INTO s (id) VALUES ({value}) /*request_id='r{backend}'*/"
            ),
            Says::MultiLine => {
                format!("LOG:  duration: 1.{value} ms  statement: INSERT INTO t\n\tVALUES ({value},\n\t'x')")
            }
            Says::Waiting => format!(
                "LOG:  process {pid} still waiting for ShareLock on transaction {value} after 1{value}.5 ms"
            ),
            Says::Acquired => {
                format!("LOG:  process {pid} acquired ShareLock on transaction {value} after 2{value}.5 ms")
            }
            Says::TempFile => format!("LOG:  temporary file: path \"base/pgsql_tmp/a\", size {value}00"),
            Says::Checkpoint => {
                format!(
                    "LOG:  checkpoint complete: wrote {value} buffers (0.0%); write=0.{value} s; distance={value} kB"
                )
            }
            Says::Vacuum => format!(
                "LOG:  automatic vacuum of table \"d.s.t{value}\": index scans: 0\n\tpages: 0 removed, {number} remain"
            ),
            Says::Authorized => format!("LOG:  connection authorized: user=u{value} database=db"),
            Says::Deadlock => "ERROR:  deadlock detected".to_owned(),
            Says::Plan => format!(
                "LOG:  duration: {value}.75 ms  plan:\n\tQuery Text: SELECT a FROM t WHERE id = {value}\n\t\
                 Seq Scan on t  (cost=0.00..1.00 rows=1 width=4) (actual time=0.010..0.{value}00 rows=1 loops=1)"
            ),
            Says::Parameter => format!("LOG:  parameter \"work_mem\" changed to \"{value}MB\""),
        };
        log.push_str(&line);
        log.push('\n');
    }
    log
}

/// The report on a partial, as the bytes of its JSON.
fn report(partial: Partial) -> String {
    let (tally, mut fragments) = partial.finish();
    let fragments = fragments.remove(&0).unwrap_or_default();
    assert!(fragments.len() <= 1, "everything was merged");
    let streams = vec![StreamRead { sources: Vec::new(), fragments }];
    serde_json::to_string(&assemble::report(
        Analysis { tally, streams },
        &Wishes { show_values: true, ..Wishes::default() },
    ))
    .unwrap()
}

fn interval(dialect: &Dialect, bytes: &[u8], start: usize) -> Partial {
    interval_at(dialect, bytes, ByteOffset(start as u64))
}

/// An interval without any entry.
fn nothing(fragment: Fragment) -> Partial {
    let mut partial = Partial::default();
    partial.insert(0, fragment);
    partial
}

fn interval_at(dialect: &Dialect, bytes: &[u8], base: ByteOffset) -> Partial {
    let arena = Bump::new();
    let mut tally = Tally::default();
    let mut scan = Scan::new(bytes, base, &arena, SkipReason::CutStart, &mut tally);
    dialect.reader().read(bytes, base, &arena, &mut scan);
    let fragment = scan.close();
    let mut partial = Partial { tally, ..Partial::default() };
    partial.insert(0, fragment);
    partial
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_cuts_and_any_merge_tree_give_the_same_report(
        lines in lines(80),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 40),
    ) {
        let log = text(&lines);
        let hints = Hints { prefix: Some("%m [%p] %q%u@%d ".to_owned()), ..Hints::default() };
        let dialect = Dialect::detect(log.as_bytes(), &hints).unwrap();
        // Entries begin where a line does not begin with a tab.
        let starts: Vec<usize> = std::iter::once(0)
            .chain(log.match_indices('\n').map(|(at, _)| at + 1))
            .filter(|at| *at < log.len() && log.as_bytes()[*at] != b'\t')
            .collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| starts[cut.index(starts.len())]).collect();
        at.extend([0, log.len()]);
        at.sort_unstable();
        at.dedup();
        let mut parts: Vec<Partial> =
            at.windows(2).map(|pair| interval(&dialect, &log.as_bytes()[pair[0]..pair[1]], pair[0])).collect();
        let mut order = order.into_iter();
        while parts.len() > 1 {
            let (first, second) = order.next().unwrap();
            let one = parts.swap_remove(first.index(parts.len()));
            let other = second.index(parts.len());
            parts[other].merge(one);
        }
        let whole = interval(&dialect, log.as_bytes(), 0);
        prop_assert_eq!(report(parts.pop().unwrap()), report(whole));
    }

    /// Entries far apart: in files of their own, and beyond the windows in which parts and durations are looked for.
    #[test]
    fn files_and_distances_do_not_depend_on_the_merge_tree(
        lines in lines(60),
        gaps in prop::collection::vec(prop::sample::select(vec![0_u64, 0, 0, 1 << 19, 2 << 20, 20 << 20, 150 << 20, 300 << 20]), 60),
        files in prop::collection::vec(0_u8..5, 60),
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 200),
    ) {
        let log = text(&lines);
        let hints = Hints { prefix: Some("%m [%p] %q%u@%d ".to_owned()), ..Hints::default() };
        let dialect = Dialect::detect(log.as_bytes(), &hints).unwrap();
        let entries = log.split_inclusive('\n').fold(Vec::<String>::new(), |mut entries, line| {
            match entries.last_mut() {
                Some(last) if line.starts_with('\t') => last.push_str(line),
                _ => entries.push(line.to_owned()),
            }
            entries
        });
        let mut parts = Vec::new();
        let mut at = ByteOffset(0);
        for ((entry, gap), file) in entries.iter().zip(gaps).zip(files) {
            parts.push(interval_at(&dialect, entry.as_bytes(), at));
            let mut filler = Fragment::new(ByteOffset(at.0 + entry.len() as u64));
            filler.end = ByteOffset(filler.start.0 + gap);
            at = filler.end;
            if gap > 0 {
                parts.push(nothing(filler));
            }
            if file == 0 {
                let end = Fragment::end_of_file(at.file(), at.byte());
                at = end.end;
                parts.push(nothing(end));
            }
        }
        let mut whole = Partial::default();
        parts.iter().for_each(|part| whole.merge(part.clone()));
        let mut order = order.into_iter();
        while parts.len() > 1 {
            let (first, second) = order.next().unwrap();
            let one = parts.swap_remove(first.index(parts.len()));
            let other = second.index(parts.len());
            parts[other].merge(one);
        }
        prop_assert_eq!(report(parts.pop().unwrap()), report(whole));
    }
}
