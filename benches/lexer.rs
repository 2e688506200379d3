//! How fast SQL text becomes fingerprints and parameter hashes, on one core.
//!
//! Three inputs, made here: short statements of an OLTP application, long SELECTs of an ORM, large INSERTs with
//! long strings. Each is lexed, and read as a log is: by templates of the statements that came before. Both are
//! measured beside `memchr` counting line ends in the same bytes, the speed at which text can be looked at at all;
//! `cargo bench --bench lexer` ends with all as MB/s and their ratio. Every run
//! asserts the number of distinct fingerprints, so that a fast wrong answer is no answer.

use std::collections::HashSet;
use std::hint::black_box;
use std::time::Instant;

use divan::Bencher;
use divan::counter::BytesCount;
use pglens::sql::{Recall, digest, reference};

/// Statements, and how many distinct ones there are among them.
struct Input {
    name: &'static str,
    statements: Vec<String>,
    distinct: usize,
}

fn main() {
    divan::main();
    for input in inputs() {
        compare(&input);
    }
}

#[divan::bench(args = ["oltp", "orm", "inserts"])]
fn fast(bencher: Bencher<'_, '_>, name: &str) {
    run(bencher, name, |sql| digest(sql, None).fingerprint.0);
}

#[divan::bench(args = ["oltp", "orm", "inserts"])]
fn recalled(bencher: Bencher<'_, '_>, name: &str) {
    let input = inputs().into_iter().find(|input| input.name == name).expect("one of the three");
    let bytes: usize = input.statements.iter().map(String::len).sum();
    let mut recall = Recall::default();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| recall_all(&mut recall, &input));
}

fn recall_all(recall: &mut Recall, input: &Input) -> u64 {
    let statements = input.statements.iter();
    statements
        .map(|sql| recall.digest(black_box(sql.as_bytes()), None).fingerprint.0)
        .fold(0, u64::wrapping_add)
}

#[divan::bench(args = ["oltp", "orm", "inserts"], sample_count = 10)]
fn slow_reference(bencher: Bencher<'_, '_>, name: &str) {
    run(bencher, name, |sql| reference(sql, None).fingerprint.0);
}

#[divan::bench(args = ["oltp", "orm", "inserts"])]
fn memchr_line_ends(bencher: Bencher<'_, '_>, name: &str) {
    run(bencher, name, |sql| memchr::memchr_iter(b'\n', sql).count() as u64);
}

fn run(bencher: Bencher<'_, '_>, name: &str, each: impl Fn(&[u8]) -> u64 + Sync) {
    let input = inputs().into_iter().find(|input| input.name == name).expect("one of the three");
    let bytes: usize = input.statements.iter().map(String::len).sum();
    bencher.counter(BytesCount::new(bytes)).bench(|| {
        input.statements.iter().map(|sql| each(black_box(sql.as_bytes()))).fold(0, u64::wrapping_add)
    });
}

/// MB/s of both on the same bytes, and how many times slower the digest is.
#[expect(clippy::print_stdout, reason = "a benchmark's result is its output")]
fn compare(input: &Input) {
    let found: HashSet<u64> =
        input.statements.iter().map(|sql| digest(sql.as_bytes(), None).fingerprint.0).collect();
    assert_eq!(found.len(), input.distinct, "{}", input.name);
    let mut recall = Recall::default();
    let found: HashSet<u64> =
        input.statements.iter().map(|sql| recall.digest(sql.as_bytes(), None).fingerprint.0).collect();
    assert_eq!(found.len(), input.distinct, "{} by templates", input.name);
    let all = input.statements.join("\n");
    let digests = best_of(|| {
        input
            .statements
            .iter()
            .map(|sql| digest(black_box(sql.as_bytes()), None).fingerprint.0)
            .fold(0, u64::wrapping_add)
    });
    let recalls = best_of(|| recall_all(&mut recall, input));
    let lines = best_of(|| memchr::memchr_iter(b'\n', black_box(all.as_bytes())).count() as u64);
    let speed = |seconds: f64| all.len() as f64 / 1e6 / seconds;
    println!(
        "{:<8} {:>7.0} bytes a statement: digest {:>6.0} MB/s, by templates {:>6.0} MB/s, memchr line ends {:>6.0} MB/s, \
         ratio {:.1}, by templates {:.1}",
        input.name,
        all.len() as f64 / input.statements.len() as f64,
        speed(digests),
        speed(recalls),
        speed(lines),
        digests / lines,
        recalls / lines
    );
}

/// The best time of many: what the machine can do when nobody disturbs it.
fn best_of(mut work: impl FnMut() -> u64) -> f64 {
    (0..200)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed().as_secs_f64()
        })
        .fold(f64::MAX, f64::min)
}

fn inputs() -> Vec<Input> {
    vec![oltp(), orm(), inserts()]
}

/// A few dozen bytes each, as a hand-written application or pgbench sends them.
fn oltp() -> Input {
    let statements = (0..4000)
        .map(|n| match n % 7 {
            0 => format!("SELECT abalance FROM pgbench_accounts WHERE aid = {n};"),
            1 => format!("UPDATE pgbench_accounts SET abalance = abalance + -{n} WHERE aid = {};", n * 7),
            2 => format!(
                "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ({n}, 1, {}, {n}, CURRENT_TIMESTAMP);",
                n * 13
            ),
            3 => "BEGIN;".to_owned(),
            4 => format!("select id, name, price from products where category_id = {n} order by name limit 20"),
            5 => format!("SELECT u.id, u.email FROM users u WHERE u.email = 'user{n}@example.org' AND u.active"),
            _ => "COMMIT;".to_owned(),
        })
        .collect();
    Input { name: "oltp", statements, distinct: 7 }
}

/// Every column by its quoted name, joins, lists: what Django and Rails send.
fn orm() -> Input {
    let columns = |table: &str, names: &[&str]| {
        names.iter().map(|name| format!("\"{table}\".\"{name}\"")).collect::<Vec<_>>().join(", ")
    };
    let order = columns(
        "shop_order",
        &[
            "id",
            "created_at",
            "updated_at",
            "customer_id",
            "status",
            "total_amount",
            "currency",
            "shipping_address_id",
            "notes",
        ],
    );
    let customer = columns(
        "shop_customer",
        &["id", "first_name", "last_name", "email", "is_active", "date_joined", "last_login"],
    );
    let statements = (0..800)
        .map(|n| {
            let ids: Vec<_> = (0..n % 20 + 1).map(|id| (id * 37 + n).to_string()).collect();
            if n % 2 == 0 {
                format!(
                    "SELECT {order}, {customer} FROM \"shop_order\" INNER JOIN \"shop_customer\" ON (\"shop_order\".\"customer_id\" = \"shop_customer\".\"id\") WHERE (\"shop_customer\".\"is_active\" AND \"shop_order\".\"status\" IN ('new', 'paid') AND \"shop_order\".\"created_at\" >= '2026-11-{:02}T00:00:00+00:00'::timestamptz AND \"shop_order\".\"id\" IN ({})) ORDER BY \"shop_order\".\"created_at\" DESC, \"shop_order\".\"id\" ASC LIMIT 21",
                    n % 28 + 1,
                    ids.join(", ")
                )
            } else {
                format!(
                    "SELECT COUNT(*) AS \"__count\", {customer} FROM \"shop_customer\" LEFT OUTER JOIN \"shop_order\" ON (\"shop_customer\".\"id\" = \"shop_order\".\"customer_id\") WHERE (UPPER(\"shop_customer\".\"email\"::text) LIKE UPPER('%{n}@example.org%') OR \"shop_customer\".\"last_name\" = 'Name {n}') GROUP BY \"shop_customer\".\"id\" HAVING COUNT(\"shop_order\".\"id\") > {n}"
                )
            }
        })
        .collect();
    Input { name: "orm", statements, distinct: 2 }
}

/// Rows by the dozen, each with prose in it.
fn inserts() -> Input {
    let prose =
        "the quick brown fox jumps over the lazy dog and writes a survey answer about it; ".repeat(12);
    let statements = (0..60)
        .map(|n| {
            let rows: Vec<_> = (0..40)
                .map(|row| {
                    let text = &prose[row * 3..prose.len() - n * 5];
                    format!(
                        "({}, {row}, '{text}', '2026-11-23 12:{n:02}:{row:02}', TRUE, NULL)",
                        n * 1000 + row
                    )
                })
                .collect();
            format!(
                "INSERT INTO answers (id, question_id, body, created_at, visible, parent_id) VALUES {}",
                rows.join(", ")
            )
        })
        .collect();
    Input { name: "inserts", statements, distinct: 1 }
}
