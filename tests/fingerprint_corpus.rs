//! Against PostgreSQL's own parse trees, on the statements of its regression suite.
//!
//! An extra: the corpus belongs to others and lies beside the repository, or does not; everything that must hold is
//! checked elsewhere too. So these tests are ignored unless asked for; `./test` asks where the corpus is, and says so
//! where it is not.

use std::collections::HashMap;
use std::path::Path;

use pglens::sql::{Kind, Parser, digest, normalise, reference, shape};

/// What the corpus says about a text: its group, by the parse tree.
struct Text {
    sql: String,
    group: Option<String>,
}

fn corpus() -> Vec<Text> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/pgregress.oracle.jsonl.zst");
    let packed = std::fs::read(path).expect("the corpus lies beside the repository");
    let lines = zstd::decode_all(&packed[..]).expect("a whole archive");
    let texts = lines.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(|line| {
        let line: serde_json::Value = serde_json::from_slice(line).expect("a JSON object a line");
        Text {
            sql: line["sql"].as_str().expect("a text").to_owned(),
            group: line["same"].as_str().map(str::to_owned),
        }
    });
    texts.collect()
}

/// Share of groups that are exactly one of ours, precision and recall of pairs.
fn score(pairs: &[(&str, u64)]) -> (f64, f64, f64) {
    let mut theirs: HashMap<&str, HashMap<u64, u64>> = HashMap::new();
    let mut ours: HashMap<u64, u64> = HashMap::new();
    for (group, fingerprint) in pairs {
        *theirs.entry(group).or_default().entry(*fingerprint).or_default() += 1;
        *ours.entry(*fingerprint).or_default() += 1;
    }
    let two = |n: u64| n * (n - 1) / 2;
    let mut exact = 0;
    let (mut together, mut of_theirs) = (0, 0);
    for found in theirs.values() {
        let size: u64 = found.values().sum();
        of_theirs += two(size);
        together += found.values().copied().map(two).sum::<u64>();
        exact += usize::from(found.iter().any(|(fingerprint, n)| *n == size && ours[fingerprint] == size));
    }
    let of_ours: u64 = ours.values().copied().map(two).sum();
    (
        exact as f64 / theirs.len() as f64,
        together as f64 / of_ours.max(1) as f64,
        together as f64 / of_theirs.max(1) as f64,
    )
}

#[test]
#[ignore = "needs ../shared/corpus, which belongs to others"]
fn groups_agree_with_the_parse_trees() {
    let texts = corpus();
    let pairs: Vec<(Kind, &str, u64)> = texts
        .iter()
        .filter_map(|text| {
            let group = text.group.as_deref()?;
            Some((
                pglens::sql::kind(text.sql.as_bytes()),
                group,
                digest(text.sql.as_bytes(), None).fingerprint.0,
            ))
        })
        .collect();
    let all: Vec<_> = pairs.iter().map(|(_, group, fingerprint)| (*group, *fingerprint)).collect();
    let (exact, _, recall) = score(&all);
    assert!(exact >= 0.98 && recall >= 0.99, "all: {exact} exact, recall {recall}");
    let dml: Vec<_> = pairs
        .iter()
        .filter(|(kind, ..)| kind.writes() || *kind == Kind::Select)
        .map(|(_, group, fingerprint)| (*group, *fingerprint))
        .collect();
    let (exact, precision, recall) = score(&dml);
    assert!(
        exact >= 0.99 && precision >= 0.999 && recall >= 0.99,
        "dml: {exact} exact, {precision}, {recall}"
    );
}

#[test]
#[ignore = "needs ../shared/corpus, which belongs to others"]
fn the_fast_digest_agrees_on_all_of_it() {
    for text in corpus() {
        let sql = text.sql.as_bytes();
        assert_eq!(digest(sql, None), reference(sql, None), "{}", text.sql);
        let once = normalise(sql, usize::MAX);
        assert_eq!(normalise(once.as_bytes(), usize::MAX), once);
    }
}

/// The parser answers for most of what reads or writes rows; the suite is far from ordinary on purpose.
#[test]
#[ignore = "needs ../shared/corpus, which belongs to others"]
fn fallbacks_stay_rare() {
    let texts = corpus();
    let mut distinct: HashMap<u64, &str> = HashMap::new();
    for text in &texts {
        distinct.entry(digest(text.sql.as_bytes(), None).fingerprint.0).or_insert(&text.sql);
    }
    let shapes: Vec<_> = distinct.values().map(|sql| shape(sql.as_bytes())).collect();
    let share = |rows_only: bool| {
        let of =
            |shape: &&pglens::sql::Shape| !rows_only || shape.kind.writes() || shape.kind == Kind::Select;
        let all = shapes.iter().filter(of).count();
        let fallbacks = shapes.iter().filter(of).filter(|shape| shape.parsed_by == Parser::Lexer).count();
        fallbacks as f64 / all as f64
    };
    let (all, rows) = (share(false), share(true));
    assert!(
        all <= 0.40 && rows <= 0.10,
        "fallbacks: {all:.3} of all fingerprints, {rows:.3} of those about rows"
    );
}
