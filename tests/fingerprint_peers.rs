//! The statements on which other log analysers split, merge or corrupt: pgFouine, pgBadger, quellog.
//!
//! Each line is one group: all its statements are one, and no two groups are.

use std::collections::HashMap;

use pglens::sql::{digest, normalise};

const GROUPS: &[(&str, &[&str])] = &[
    (
        "lists of any length and spacing",
        &[
            "SELECT 1 FROM a WHERE x IN (1,2,3)",
            "SELECT 1 FROM a WHERE x IN (1, 2)",
            "SELECT 1 FROM a WHERE x IN ($1,$2)",
            "SELECT 1 FROM a WHERE x IN (1.5,2.5)",
            "SELECT 1 FROM a WHERE x IN ($1::int,$2::int)",
            "SELECT 1 FROM a WHERE x IN (cast($1 as date), cast($2 as date))",
            "SELECT 1 FROM a WHERE x IN (E'a')",
        ],
    ),
    (
        "row tuples",
        &["SELECT 1 FROM a WHERE (x, y) IN ((1, 2), (3, 4))", "SELECT 1 FROM a WHERE (x, y) IN ((1, 2))"],
    ),
    (
        "ANY of an array",
        &["SELECT 1 FROM a WHERE x = ANY(ARRAY[1,2,3])", "SELECT 1 FROM a WHERE x = ANY (ARRAY[4])"],
    ),
    (
        "rows of VALUES",
        &[
            "INSERT INTO a VALUES (1, 2), (3, 4)",
            "INSERT INTO a VALUES (1, 2)",
            "insert into a values (1,2),(3,4),(5,6);",
        ],
    ),
    (
        "comments",
        &[
            "SELECT 1 FROM b /* traceparent='00-1-2-01' */",
            "SELECT 1 FROM b /* traceparent='00-3-4-01' */",
            "SELECT 1 -- don't\nFROM b",
            "SELECT 1 FROM b -- the end",
            "/* a /* nested */ b */ SELECT 1 FROM b",
            "/*+ SeqScan(b) */ SELECT 1 FROM b",
        ],
    ),
    ("comment marks in literals", &["SELECT '/*', a, '*/' FROM c", "SELECT '--', a, 'x' FROM c"]),
    ("dollar quotes", &["SELECT $$body$$ FROM d", "SELECT $tag$it's$tag$ FROM d", "SELECT 'x' FROM d"]),
    ("escapes", &[r"SELECT E'it\'s', y FROM e", "SELECT 'it''s', y FROM e"]),
    ("a backslash ends no string", &[r"SELECT 'C:\', 'secret' FROM f", "SELECT 'a', 'b' FROM f"]),
    (
        "subtraction",
        &[
            "UPDATE g SET qty=qty-5",
            "UPDATE g SET qty=qty-6",
            "UPDATE g SET qty = qty -5",
            "UPDATE g SET qty = qty - 5",
        ],
    ),
    (
        "a sign",
        &[
            "UPDATE g SET qty=-5",
            "UPDATE g SET qty = 5",
            "UPDATE g SET qty=99.99",
            "UPDATE g SET qty = 1e10",
            "UPDATE g SET qty = 0x1F",
            "UPDATE g SET qty = 1_000_000",
        ],
    ),
    ("names with digits 12", &["SELECT * FROM table12"]),
    ("names with digits 13", &["SELECT * FROM table13", "select * from \"table13\""]),
    ("quoted names with capitals", &["SELECT * FROM \"User\""]),
    ("quoted names without", &["SELECT * FROM \"user\"", "SELECT * FROM user"]),
    ("NULL as a value", &["UPDATE h SET a = NULL", "UPDATE h SET a = 1"]),
    ("a function that begins like NULL", &["UPDATE h SET a = nullif(b, 1)"]),
    (
        "typed literals",
        &[
            "SELECT * FROM i WHERE a = date 'x'",
            "SELECT * FROM i WHERE a = 'x'::date",
            "SELECT * FROM i WHERE a = b'0'",
            "SELECT * FROM i WHERE a = x'0'",
            "SELECT * FROM i WHERE a = U&'x'",
            "SELECT * FROM i WHERE a = N'x'",
        ],
    ),
    ("DECLARE", &["DECLARE c1 CURSOR FOR SELECT 1", "DECLARE c2 CURSOR FOR SELECT 2"]),
    ("CLOSE", &["CLOSE c1", "CLOSE c2"]),
    ("FETCH NEXT", &["fetch next from cur_17", "FETCH NEXT FROM cur_18"]),
    ("FETCH of a count", &["fetch 100 from cur_17", "FETCH 50 FROM cur_18"]),
    ("SAVEPOINT", &["SAVEPOINT sp_1", "SAVEPOINT sp_2"]),
    ("RELEASE", &["RELEASE SAVEPOINT sp_1", "RELEASE SAVEPOINT sp_2"]),
    ("LISTEN", &["LISTEN chan_17", "LISTEN chan_18"]),
    ("temporary schemas", &["SELECT * FROM pg_temp_3.j", "SELECT * FROM pg_temp_4.j"]),
    ("their TOAST", &["SELECT * FROM pg_toast_temp_3.j"]),
    ("SET", &["SET x TO y", "SET x = z"]),
    ("EXECUTE without its statement", &["EXECUTE foo(1,'a')", "EXECUTE bar(2,'b')"]),
    ("parameters", &["SELECT * FROM k WHERE id = $1", "SELECT * FROM k WHERE id = 5"]),
    ("cut off", &["SELECT * FROM l WHERE a = 'and then", "SELECT * FROM l WHERE a = 'x'"]),
    ("the ping", &["", ";", " ;; ", "-- ping"]),
    ("several statements", &["begin; update m set a = 1; commit", "BEGIN; UPDATE m SET a = 2; COMMIT;"]),
    ("one of them", &["update m set a = 1"]),
    ("calls keep their number of arguments", &["SELECT rpad('a', 2)"]),
    ("another number", &["SELECT rpad('a', 2, 'b')"]),
    ("LIMIT", &["SELECT * FROM n LIMIT 10", "SELECT * FROM n LIMIT 20"]),
    ("LIMIT and OFFSET", &["SELECT * FROM n LIMIT 10 OFFSET 20"]),
    ("spellings of unequal", &["SELECT * FROM o WHERE a != 1", "SELECT * FROM o WHERE a<>1"]),
];

#[test]
fn groups_are_whole_and_apart() {
    let mut seen: HashMap<_, &str> = HashMap::new();
    for (name, statements) in GROUPS {
        let fingerprints: Vec<_> =
            statements.iter().map(|sql| digest(sql.as_bytes(), None).fingerprint).collect();
        for (sql, fingerprint) in statements.iter().zip(&fingerprints) {
            assert_eq!(fingerprint, &fingerprints[0], "{name}: {sql}");
        }
        if let Some(other) = seen.insert(fingerprints[0], name) {
            panic!("{other} and {name} are one");
        }
    }
}

#[test]
fn nothing_of_a_value_is_left() {
    for sql in [
        r"SELECT 'C:\', 'secret'",
        "SELECT $tag$it's secret$tag$",
        r"SELECT E'it\'s secret'",
        "SELECT 1 -- don't tell the 'secret'\n",
        "SELECT 'the secret",
        "SELECT 1e10, 0x1F, 1_000_000, -5",
    ] {
        let text = normalise(sql.as_bytes(), usize::MAX);
        assert!(!text.contains("secret"), "{text}");
        assert!(!text.contains(|c: char| c.is_ascii_digit()), "{text}");
    }
}

#[test]
fn long_statements_stay_fast_and_whole() {
    let list = |n: usize| (0..n).map(|v| v.to_string()).collect::<Vec<_>>().join(", ");
    let short = digest(format!("SELECT * FROM t WHERE id IN ({})", list(3)).as_bytes(), None);
    let long = digest(format!("SELECT * FROM t WHERE id IN ({})", list(200_000)).as_bytes(), None);
    assert_eq!(short.fingerprint, long.fingerprint);
    assert_ne!(short.params, long.params);
}

#[test]
fn hostile_nesting_is_linear() {
    let size = 60_000;
    for piece in [
        "(",
        "[",
        "ARRAY[",
        "IN (",
        "VALUES (",
        "cast(",
        "/*",
        "$a$",
        "'",
        "\"",
        "E'\\",
        "1 IN (1, ",
        "((1,",
        "+-",
        "$a ",
        "::x(",
        "'a'::x(",
        "U&'a' uescape ",
        "a.",
        "time ",
        "interval ",
        "; set ",
        ",(1",
        "with x as (",
        "copy ",
        "- ",
    ] {
        let sql = piece.repeat(size / piece.len());
        let started = std::time::Instant::now();
        digest(sql.as_bytes(), None);
        normalise(sql.as_bytes(), 1000);
        pglens::sql::shape(sql.as_bytes());
        pglens::sql::tags(sql.as_bytes());
        // Generous: a debug build on a busy machine needs a second; anything quadratic needs minutes.
        assert!(started.elapsed().as_secs() < 20, "{piece}");
    }
}
