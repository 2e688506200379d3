//! The rules of docs/fingerprint.md, a test each: SQL in, normalised SQL out.
//!
//! Statements that normalise alike must have one fingerprint, others another; both lexers are asked.

use super::{digest, normalise, reference};

fn check(sql: &str, expected: &str) {
    assert_eq!(normalise(sql.as_bytes(), usize::MAX), expected, "{sql}");
    let fast = digest(sql.as_bytes(), None);
    assert_eq!(fast, reference(sql.as_bytes(), None), "{sql}");
    assert_eq!(fast.fingerprint, digest(expected.as_bytes(), None).fingerprint, "as normalised: {sql}");
}

#[test]
fn literals() {
    for value in [
        "1",
        "-1",
        "- 1",
        "99.99",
        "1e10",
        "0x1F",
        "0b1",
        "0o17",
        "1_000_000",
        ".5",
        "5.",
        "''",
        "'it''s'",
        r"E'it\'s'",
        "U&'d\\0061t'",
        "U&'d!0061' UESCAPE '!'",
        "U&'d!0061' /* c */ UESCAPE -- c\n '!'",
        "B'01'",
        "X'1F'",
        "N'x'",
        "$$x$$",
        "$tag$it's$tag$",
        "$1",
        "NULL",
        "TRUE",
        "false",
        "'a'\n'b'",
        "'a' -- it's\n 'b'",
        r"'C:\'",
    ] {
        check(&format!("SELECT {value}"), "SELECT ?");
        check(&format!("SELECT f(a, {value}) FROM t WHERE b = {value}"), "SELECT f(a, ?) FROM t WHERE b = ?");
        check(&format!("UPDATE t SET a = {value}"), "UPDATE t SET a = ?");
    }
}

#[test]
fn truth_values_that_are_no_values() {
    check(
        "SELECT a IS NULL, b IS NOT NULL, c IS TRUE, d IS NOT FALSE",
        "SELECT a IS NULL, b IS NOT NULL, c IS TRUE, d IS NOT FALSE",
    );
    check(
        "CREATE TABLE t (a int NOT NULL, b int NULL DEFAULT NULL)",
        "CREATE TABLE t (a int NOT NULL, b int NULL DEFAULT ?)",
    );
    check("SELECT a IS DISTINCT FROM NULL", "SELECT a IS DISTINCT FROM ?");
    check("SELECT NOT TRUE, 1 AS true", "SELECT NOT ?, ? AS true");
    check("SELECT * FROM a JOIN b ON TRUE", "SELECT * FROM a JOIN b ON ?");
    check("SELECT t.null, \"true\"", "SELECT t.null, \"true\"");
    check(
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u ON DELETE SET NULL",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u ON DELETE SET NULL",
    );
}

#[test]
fn signs_and_operators() {
    check("SELECT a -5", "SELECT a - ?");
    check("SELECT a - 5", "SELECT a - ?");
    check("SELECT a=-5", "SELECT a = ?");
    check("SELECT a - -5", "SELECT a - ?");
    check("SELECT (a)-5, b[1]-5, 1-1", "SELECT (a) - ?, b[?] - ?, ? - ?");
    check("SELECT -a, +1, -$1", "SELECT - a, + ?, - ?");
    check("SELECT CASE a WHEN -1 THEN -2 ELSE -3 END -4", "SELECT CASE a WHEN ? THEN ? ELSE ? END - ?");
    for value in ["5", "-5", "- 5", "NULL", "(1)::int"] {
        let sql = format!("SELECT a OPERATOR(pg_catalog.=) {value}, b operator ( + ) {value}");
        check(&sql, "SELECT a OPERATOR(pg_catalog.=) ?, b operator(+) ?");
    }
    check("SELECT a OPERATOR(s.?) 'x', a OPERATOR(?) ?", "SELECT a OPERATOR(s.?) ?, a OPERATOR(?) ?");
    check("SELECT operator(a) - 5, s.operator(- 5) - 5", "SELECT operator(a) - ?, s.operator(?) - ?");
    check("SELECT a != b, a!=b", "SELECT a <> b, a <> b");
    check("SELECT a BETWEEN -1 AND -2 LIMIT -1", "SELECT a BETWEEN ? AND ? LIMIT ?");
}

#[test]
fn a_question_mark_between_operands_is_an_operator() {
    for operand in [
        "key",
        "value",
        "type",
        "role",
        "name",
        "text",
        "data",
        "coalesce(b, c)",
        "left(b, c)",
        "current_user",
        "user",
        "ANY (b)",
        "ARRAY[b]",
        "(b)",
        "\"B\"",
        "@ b",
        "- b",
        "CASE WHEN b THEN c END",
        "NOT b",
        "f(b)",
        "s.type",
        "?",
        "b AND c = ?",
    ] {
        let sql = format!("SELECT a FROM t WHERE doc ? {operand} AND id = ?");
        check(&sql, &sql);
        let placeholders = operand.matches('?').count() + 1;
        let values = super::values(sql.as_bytes(), None);
        assert_eq!(values.len(), placeholders, "{sql}");
        let logged = sql.replace("id = ?", "id = 5").replace("? ?", "? 'x'").replace("c = ?", "c = 1");
        assert!(digest(logged.as_bytes(), None).params.is_some(), "{logged}");
    }
}

#[test]
fn a_question_mark_where_a_value_stands_is_a_placeholder() {
    for (sql, placeholders) in [
        ("SELECT a FROM t WHERE a = ? AND b = ? OR ? IS NULL", 3),
        ("SELECT a FROM t ORDER BY a LIMIT ? OFFSET ?", 2),
        ("SELECT a FROM t WHERE ? ISNULL OR b BETWEEN ? AND ? OR c NOT IN (?, d)", 4),
        ("SELECT ? AS x, ? x, ? AT TIME ZONE ?", 4),
        ("SELECT a AT TIME ZONE ? AT TIME ZONE ?, b AT TIME ZONE ? < ?", 4),
        ("SELECT interval ? day, interval ? - c", 2),
        ("SELECT CASE WHEN a THEN ? WHEN b THEN ? ELSE ? END", 3),
        ("SELECT a LIKE ? ESCAPE ?, ? COLLATE \"C\"", 3),
        ("SELECT a FROM t ORDER BY ? DESC, ? ASC NULLS FIRST", 2),
        ("SELECT a FROM t WHERE a = ? FOR UPDATE", 1),
        ("SELECT a FROM t WHERE a = ? UNION SELECT ? FROM u WHERE c = ? GROUP BY a HAVING d > ?", 4),
        ("UPDATE t SET a = ?, b = ? WHERE c = ? RETURNING a", 3),
        ("SELECT a FROM t OFFSET ? ROWS FETCH NEXT ? ROWS ONLY", 2),
        ("SELECT a FROM t OFFSET ? ROW FETCH FIRST ? ROW ONLY", 2),
        ("SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN ? PRECEDING AND ? FOLLOWING)", 2),
        ("SELECT ? OPERATOR(s.+) ?", 2),
        ("SELECT ? = ANY (b), ? <> ?, ? * a, ? || b, ? -> c", 6),
        ("CREATE ROLE x PASSWORD ? VALID UNTIL ?", 2),
        ("COPY t FROM ? DELIMITER ? NULL ? CSV", 3),
        (
            "SELECT * FROM json_table(a, ? COLUMNS (b int PATH ? NULL ON EMPTY, NESTED PATH ? COLUMNS (c int)))",
            3,
        ),
    ] {
        assert_eq!(super::values(sql.as_bytes(), None).len(), placeholders, "{sql}");
        assert_eq!(digest(sql.as_bytes(), None).params, None, "{sql}");
    }
}

#[test]
fn casts_on_literals() {
    for value in [
        "'2026-11-23'::date",
        "date '2026-11-23'",
        "cast('2026-11-23' as date)",
        "$1::int",
        "'1'::numeric(10,2)",
        "'{1,2}'::int[]",
        "'a'::pg_catalog.\"char\"",
        "CAST(NULL AS character varying(3))",
        "('x')::text",
        "'x'::text::varchar",
        "CAST(CAST('x' AS text) AS varchar(3))",
        "timestamp with time zone '2026-11-23'",
        "timestamp(3) '2026-11-23'",
        "interval '1 day'",
        "interval '1' day to second",
        "interval(3) '1'",
        "double precision '1'",
        "pg_catalog.date '2026-11-23'",
        "'1 day'::interval day",
        "-1::int",
        "(-1)::int",
        "'x'::timestamp without time zone",
        "my_enum 'a'",
        "\"char\" 'a'",
    ] {
        check(&format!("SELECT {value}"), "SELECT ?");
        check(&format!("SELECT * FROM t WHERE a IN ({value}, {value})"), "SELECT * FROM t WHERE a IN (?)");
    }
    check(
        "SELECT * FROM json_table(a, '$' COLUMNS (b int PATH '$.b' DEFAULT 0 ON ERROR, NESTED PATH '$.c' COLUMNS (d text PATH '$')))",
        "SELECT * FROM json_table(a, ? COLUMNS(b int PATH ? DEFAULT ? ON ERROR, NESTED PATH ? COLUMNS(d text PATH ?)))",
    );
    check("SELECT path '((0,0))', a <@ path '((0,0))', pg_catalog.path '((0,0))'", "SELECT ?, a <@ ?, ?");
    check("SELECT a::date, CAST(b AS text), (c + 1)::int", "SELECT a::date, CAST (b AS text), (c + ?)::int");
    check(
        "SELECT 'x' AT TIME ZONE 'UTC', a LIKE 'b' ESCAPE 'c'",
        "SELECT ? AT TIME ZONE ?, a LIKE ? ESCAPE ?",
    );
}

#[test]
fn lists() {
    for list in [
        "1",
        "1, 2",
        "$1,$2,$3",
        "'a', NULL, TRUE",
        "1.5, 2.5",
        "E'a'",
        "$1::int, $2::int",
        "cast($1 as date), date '2026-11-23'",
        "-1, - 2",
    ] {
        check(&format!("SELECT 1 FROM t WHERE a IN ({list})"), "SELECT ? FROM t WHERE a IN (?)");
        check(&format!("SELECT 1 FROM t WHERE a NOT IN ({list})"), "SELECT ? FROM t WHERE a NOT IN (?)");
        check(&format!("SELECT ANY(ARRAY[{list}])"), "SELECT ANY (ARRAY[?])");
        check(&format!("SELECT ARRAY[[{list}], [{list}]]"), "SELECT ARRAY[[?]]");
        check(&format!("SELECT ARRAY[ARRAY[{list}], ARRAY[{list}]]"), "SELECT ARRAY[ARRAY[?]]");
        check(
            &format!("SELECT ARRAY[ARRAY[ARRAY[{list}]], ARRAY[ARRAY[{list}], ARRAY[{list}]]]"),
            "SELECT ARRAY[ARRAY[ARRAY[?]]]",
        );
    }
    check("SELECT a IN ((1, 2), (3, 4), (5, 6))", "SELECT a IN ((?, ?))");
    check("SELECT a IN (ROW(1, 2), ROW(3, 4))", "SELECT a IN (ROW (?, ?))");
    check("VALUES (1, 'a'), (2, 'b')", "VALUES (?, ?)");
    check("SELECT * FROM (VALUES (1), (2), (3)) AS v (a)", "SELECT * FROM (VALUES (?)) AS v (a)");
    check("INSERT INTO t VALUES (1, DEFAULT), (2, DEFAULT)", "INSERT INTO t VALUES (?, DEFAULT)");
}

#[test]
fn lists_that_keep_their_shape() {
    check("SELECT a IN (1, b, 3)", "SELECT a IN (?, b, ?)");
    check("SELECT a IN (1, (SELECT 2), 3)", "SELECT a IN (?, (SELECT ?), ?)");
    check("VALUES (1, now()), (2, now())", "VALUES (?, now()), (?, now())");
    check("VALUES (1, DEFAULT), (DEFAULT, 2)", "VALUES (?, DEFAULT), (DEFAULT, ?)");
    check("SELECT a IN ((1, 2), (3, 4, 5))", "SELECT a IN ((?, ?), (?, ?, ?))");
    check("SELECT rpad('a', 2), rpad('a', 2, 'b')", "SELECT rpad(?, ?), rpad(?, ?, ?)");
    check("SELECT a IN (1, IN (2, 3))", "SELECT a IN (?, IN (?))");
    check("SELECT ARRAY[]", "SELECT ARRAY[]");
    check("SELECT ARRAY[ARRAY[1], [2]]", "SELECT ARRAY[ARRAY[?], [?]]");
    check("SELECT ARRAY[ARRAY[1], ARRAY[a]]", "SELECT ARRAY[ARRAY[?], ARRAY[a]]");
    check("SELECT ARRAY[ARRAY[1]::int[], ARRAY[2]]", "SELECT ARRAY[ARRAY[?]::int[], ARRAY[?]]");
    check(
        "SELECT ARRAY[ARRAY(SELECT 1), ARRAY(SELECT 2)]",
        "SELECT ARRAY[ARRAY (SELECT ?), ARRAY (SELECT ?)]",
    );
    check("SELECT a[1, 2]", "SELECT a[?, ?]");
}

#[test]
fn what_is_gone() {
    for sql in [
        "select a from t",
        "SELECT a FROM t ;",
        ";; select\n\ta -- don't\n from/* /* nested */ */t;;",
        "/*+ IndexScan(t) */ SELECT a FROM t",
        "sElEcT A fRoM \"t\"",
    ] {
        assert_eq!(
            digest(sql.as_bytes(), None).fingerprint,
            digest(b"SELECT a FROM t", None).fingerprint,
            "{sql}"
        );
    }
    check("SELECT '/*', '*/', '--'", "SELECT ?, ?, ?");
    check(";", "");
    check("-- ping", "");
}

#[test]
fn names_stay() {
    check("SELECT * FROM table12, table13", "SELECT * FROM table12, table13");
    check("SELECT t$1x, \"User\", \"a b\"", "SELECT t$1x, \"User\", \"a b\"");
    check(
        "SELECT * FROM s.t, pg_temp_3.t, pg_toast_temp_12.u, pg_toast.v",
        "SELECT * FROM s.t, pg_temp.t, pg_toast_temp.u, pg_toast.v",
    );
    let one = |sql: &str| digest(sql.as_bytes(), None).fingerprint;
    assert_eq!(one("SELECT \"user\""), one("SELECT user"));
    assert_eq!(one("SELECT * FROM \"pg_temp_3\".t"), one("SELECT * FROM pg_temp.t"));
    assert_ne!(one("SELECT \"User\""), one("SELECT user"));
    assert_ne!(one("SELECT * FROM a.t"), one("SELECT * FROM b.t"));
}

#[test]
fn names_that_are_values() {
    check("SAVEPOINT sp_17", "SAVEPOINT ?");
    check("RELEASE SAVEPOINT \"s1234_x5\"", "RELEASE SAVEPOINT ?");
    check("ROLLBACK TO SAVEPOINT sp_17", "ROLLBACK TO SAVEPOINT ?");
    check("ROLLBACK", "ROLLBACK");
    check(
        "DECLARE \"_django_curs_1\" NO SCROLL CURSOR FOR SELECT 1",
        "DECLARE ? NO SCROLL CURSOR FOR SELECT ?",
    );
    check("FETCH 100 FROM cur_17", "FETCH ? FROM ?");
    check("FETCH FORWARD ALL IN cur_17", "FETCH ? FROM ?");
    check("FETCH NEXT FROM cur_17", "FETCH NEXT FROM ?");
    check("MOVE BACKWARD 10 IN c", "MOVE BACKWARD ? FROM ?");
    check("CLOSE cur_17", "CLOSE ?");
    check("CLOSE ALL", "CLOSE ALL");
    check("PREPARE p17 (int) AS SELECT $1", "PREPARE ? (int) AS SELECT ?");
    check("EXECUTE p17(1, 'a')", "EXECUTE ? (?, ?)");
    check("EXPLAIN (ANALYZE) EXECUTE p17(1)", "EXPLAIN (ANALYZE) EXECUTE ? (?)");
    check("DEALLOCATE PREPARE p17", "DEALLOCATE ?");
    check("DEALLOCATE ALL", "DEALLOCATE ALL");
    check("LISTEN chan_17", "LISTEN ?");
    check("NOTIFY chan_17, 'x'", "NOTIFY ?, ?");
    check("UNLISTEN *", "UNLISTEN *");
    check("PREPARE TRANSACTION 'gid-17'", "PREPARE TRANSACTION ?");
    check("COMMIT PREPARED 'gid-17'", "COMMIT PREPARED ?");
    check("UPDATE t SET a = 1 WHERE CURRENT OF cur_17", "UPDATE t SET a = ? WHERE CURRENT OF ?");
    check("BEGIN; SAVEPOINT a; SELECT 1", "BEGIN; SAVEPOINT ?; SELECT ?");
}

#[test]
fn settings_are_values() {
    for sql in ["SET a = 1", "set a to 'x'", "SET SESSION a TO off", "SET a = on", "SET a = -1"] {
        check(sql, "SET a = ?");
    }
    check("SET LOCAL a.b = true", "SET LOCAL a.b = ?");
    check("SET search_path TO a, \"B\"", "SET search_path = ?, ?");
    check("SET TIME ZONE 'UTC'", "SET TIME ZONE ?");
    check("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
}

#[test]
fn limits() {
    check("SELECT a FROM t LIMIT 10", "SELECT a FROM t LIMIT ?");
    check("SELECT a FROM t LIMIT 10 OFFSET 20", "SELECT a FROM t LIMIT ? OFFSET ?");
}

#[test]
fn what_is_cut_off() {
    for (sql, expected) in [
        ("SELECT a FROM t WHERE b = 'x", "SELECT a FROM t WHERE b = ?"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b", "INSERT INTO t VALUES (?, ?)"),
        ("INSERT INTO t VALUES (1, 'a'), ('b", "INSERT INTO t VALUES (?, ?)"),
        ("SELECT a IN (1, 2, 'x", "SELECT a IN (?"),
        ("SELECT a IN ((1, 2), (3, 'x", "SELECT a IN ((?, ?)"),
        ("SELECT $$x", "SELECT ?"),
        ("SELECT E'x\\", "SELECT ?"),
    ] {
        assert_eq!(normalise(sql.as_bytes(), usize::MAX), expected, "{sql}");
        let cut = digest(sql.as_bytes(), None);
        assert_eq!(cut, reference(sql.as_bytes(), None), "{sql}");
        assert!(cut.truncated, "{sql}");
    }
    assert!(digest(b"SELECT 1 /* x", None).truncated);
    assert!(digest(b"SELECT \"x", None).truncated);
    assert!(!digest(b"SELECT 'x'", None).truncated);
}

#[test]
fn rows_of_an_insert() {
    let rows = |sql: &str| digest(sql.as_bytes(), None).rows;
    assert_eq!(rows("INSERT INTO t VALUES (1), (2), (3)"), 3);
    assert_eq!(rows("INSERT INTO t VALUES (1, now()), (2, now())"), 2);
    assert_eq!(rows("INSERT INTO t (a) VALUES ((1)) ON CONFLICT DO NOTHING"), 1);
    assert_eq!(rows("INSERT INTO t SELECT * FROM (VALUES (1), (2)) v"), 1);
    assert_eq!(rows("INSERT INTO t DEFAULT VALUES"), 1);
    assert_eq!(rows("WITH x AS (VALUES (1), (2)) INSERT INTO t VALUES (1), (2), (3), (4)"), 4);
    assert_eq!(rows("SELECT * FROM t WHERE a IN (1, 2)"), 0);
    assert_eq!(rows("VALUES (1), (2)"), 0);
}

#[test]
fn execute_names_a_statement_only_where_a_table_is_created() {
    check("CREATE TABLE t AS EXECUTE p(1)", "CREATE TABLE t AS EXECUTE ? (?)");
    check("EXPLAIN CREATE TEMP TABLE t (a) AS EXECUTE p", "EXPLAIN CREATE TEMP TABLE t (a) AS EXECUTE ?");
    let plain = |sql: &str| digest(sql.as_bytes(), None);
    for sql in [
        "SELECT a AS execute FROM t",
        "EXPLAIN SELECT a AS execute FROM t",
        "CREATE VIEW v AS SELECT a AS execute FROM t",
        "CREATE TABLE t (b) AS (SELECT a AS execute FROM t)",
    ] {
        assert!(!plain(sql).has_values, "{sql}");
        assert_eq!(plain(sql), reference(sql.as_bytes(), None), "{sql}");
    }
}

#[test]
fn values_of_options_and_types_before_a_statement() {
    check("EXPLAIN (FORMAT 'json') SELECT a FROM t", "EXPLAIN (FORMAT ?) SELECT a FROM t");
    check("EXPLAIN (FORMAT ?) SELECT a FROM t", "EXPLAIN (FORMAT ?) SELECT a FROM t");
    let one = |sql: &str| digest(sql.as_bytes(), None).fingerprint;
    for (quoted, plain) in [
        ("EXPLAIN (\"costs\" off) SELECT 1", "EXPLAIN (costs off) SELECT 1"),
        ("EXPLAIN (FORMAT \"json\") SELECT 1", "EXPLAIN (format json) SELECT 1"),
        (
            "PREPARE p (\"role\", \"pg_temp_3\".\"t\") AS SELECT $1",
            "PREPARE q (role, pg_temp_7.t) AS SELECT $1",
        ),
    ] {
        assert_eq!(one(quoted), one(plain), "{quoted}");
    }
    // `"Role` is its token, as anywhere else.
    let tokens: [&[u8]; 8] = [b"prepare", b"$", b"(", b"\"Role", b")", b"as", b"select", b"$"];
    let chain = tokens.iter().fold(super::hash::Chain::tokens(), |chain, token| chain.token(token));
    assert_eq!(one("PREPARE p (\"Role\") AS SELECT $1").0, chain.seal());
    check("PREPARE p (numeric(3)) AS SELECT 1", "PREPARE ? (numeric(?)) AS SELECT ?");
}
