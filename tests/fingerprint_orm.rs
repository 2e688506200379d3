//! What the usual frameworks send: statements that must be one, and statements that must not.
//!
//! Written by hand in the frameworks' manner; each group is one statement, no two groups are.

use std::collections::HashMap;

use pglens::sql::{Kind, digest, kind, normalise, reference, shape};

type Group = (Kind, &'static [&'static str]);

const DJANGO: &[Group] = &[
    (
        Kind::Select,
        &[
            r#"SELECT "auth_user"."id", "auth_user"."username" FROM "auth_user" WHERE "auth_user"."id" = 1 LIMIT 21"#,
            r#"SELECT "auth_user"."id", "auth_user"."username" FROM "auth_user" WHERE "auth_user"."id" = $1 LIMIT 21"#,
            r#"SELECT "auth_user"."id", "auth_user"."username" FROM "auth_user" WHERE "auth_user"."id" = '5'::uuid LIMIT 5"#,
        ],
    ),
    (
        Kind::Select,
        &[
            r#"SELECT (1) AS "a" FROM "polls_question" WHERE "polls_question"."pub_date" <= '2026-11-23T10:00:00+00:00'::timestamptz LIMIT 1"#,
            r#"SELECT (2) AS "a" FROM "polls_question" WHERE "polls_question"."pub_date" <= '2027-01-01'::timestamp with time zone LIMIT 1"#,
        ],
    ),
    (
        Kind::Select,
        &[
            r#"SELECT "polls_choice"."id" FROM "polls_choice" WHERE "polls_choice"."question_id" IN (1, 2, 3) ORDER BY "polls_choice"."id" ASC"#,
            r#"SELECT "polls_choice"."id" FROM "polls_choice" WHERE "polls_choice"."question_id" IN (9) ORDER BY "polls_choice"."id" ASC"#,
        ],
    ),
    (
        Kind::Insert,
        &[
            r#"INSERT INTO "polls_choice" ("question_id", "choice_text", "votes") VALUES (1, 'Not much', 0), (1, 'The sky', 0) RETURNING "polls_choice"."id""#,
            r#"INSERT INTO "polls_choice" ("question_id", "choice_text", "votes") VALUES (2, 'It''s', -1) RETURNING "polls_choice"."id""#,
        ],
    ),
    (
        Kind::Update,
        &[
            r#"UPDATE "polls_choice" SET "votes" = ("polls_choice"."votes" + 1) WHERE "polls_choice"."id" = 5"#,
            r#"UPDATE "polls_choice" SET "votes" = ("polls_choice"."votes" + 10) WHERE "polls_choice"."id" = 6"#,
        ],
    ),
    (
        Kind::Update,
        &[
            r#"UPDATE "t" SET "a" = CASE WHEN ("t"."id" = 1) THEN 'x' WHEN ("t"."id" = 2) THEN NULL ELSE NULL END::varchar(20) WHERE "t"."id" IN (1, 2)"#,
            r#"UPDATE "t" SET "a" = CASE WHEN ("t"."id" = 3) THEN 'z' WHEN ("t"."id" = 4) THEN 'y' ELSE NULL END::varchar(30) WHERE "t"."id" IN (3, 4, 5)"#,
        ],
    ),
    (Kind::Transaction, &["SAVEPOINT \"s140_x1\"", "SAVEPOINT \"s99_x12\"", "SAVEPOINT active_record_1"]),
    (Kind::Transaction, &["RELEASE SAVEPOINT \"s140_x1\"", "RELEASE SAVEPOINT \"s99_x12\""]),
    (
        Kind::Cursor,
        &[
            r#"DECLARE "_django_curs_1_sync_1" NO SCROLL CURSOR WITH HOLD FOR SELECT "t"."id" FROM "t""#,
            r#"DECLARE "_django_curs_2_sync_7" NO SCROLL CURSOR WITH HOLD FOR SELECT "t"."id" FROM "t""#,
        ],
    ),
    (
        Kind::Cursor,
        &[
            r#"FETCH FORWARD 2000 FROM "_django_curs_1_sync_1""#,
            r#"FETCH FORWARD 100 FROM "_django_curs_2_sync_7""#,
        ],
    ),
    (
        Kind::Select,
        &[
            r#"SELECT COUNT(*) FILTER (WHERE "t"."a" > 3) AS "n" FROM "t" WHERE "t"."tags" @> ARRAY['a', 'b']::varchar(10)[]"#,
            r#"SELECT COUNT(*) FILTER (WHERE "t"."a" > -3) AS "n" FROM "t" WHERE "t"."tags" @> ARRAY['c']::varchar(12)[]"#,
        ],
    ),
];

const RAILS: &[Group] = &[
    (
        Kind::Select,
        &[
            r#"SELECT "users".* FROM "users" WHERE "users"."id" = $1 LIMIT $2 /*application='Shop',controller='users'*/"#,
            r#"SELECT "users".* FROM "users" WHERE "users"."id" = 7 LIMIT 1"#,
            r#"/*action='show'*/ SELECT "users".* FROM "users" WHERE "users"."id" = 8 LIMIT 1"#,
        ],
    ),
    (
        Kind::Select,
        &[
            r#"SELECT 1 AS one FROM "users" WHERE LOWER("users"."email") = LOWER($1) AND "users"."id" != $2 LIMIT $3"#,
            r#"SELECT 1 AS one FROM "users" WHERE LOWER("users"."email") = LOWER('a@example.org') AND "users"."id" != 4 LIMIT 1"#,
        ],
    ),
    (
        Kind::Insert,
        &[
            r#"INSERT INTO "posts" ("title", "body", "pinned") VALUES ('a', NULL, FALSE) RETURNING "id""#,
            r#"INSERT INTO "posts" ("title", "body", "pinned") VALUES ('b', 'text', TRUE) RETURNING "id""#,
            r#"INSERT INTO "posts" ("title", "body", "pinned") VALUES ($1, $2, $3) RETURNING "id""#,
        ],
    ),
    (
        Kind::Insert,
        &[
            r#"INSERT INTO "posts" ("title") VALUES ('a'), ('b') ON CONFLICT ("title") DO UPDATE SET "title"=excluded."title" RETURNING "id""#,
            r#"INSERT INTO "posts" ("title") VALUES ('c') ON CONFLICT ("title") DO UPDATE SET "title"=excluded."title" RETURNING "id""#,
        ],
    ),
    (
        Kind::Update,
        &[
            r#"UPDATE "posts" SET "tags_count" = COALESCE("tags_count", 0) - 1 WHERE "posts"."id" = 3"#,
            r#"UPDATE "posts" SET "tags_count" = COALESCE("tags_count", 0) - 2 WHERE "posts"."id" = 4"#,
        ],
    ),
    (
        Kind::Update,
        &[r#"UPDATE "posts" SET "tags_count" = COALESCE("tags_count", 0) + 1 WHERE "posts"."id" = 3"#],
    ),
    (Kind::Transaction, &["ROLLBACK TO SAVEPOINT active_record_1", "ROLLBACK TO SAVEPOINT active_record_2"]),
    (Kind::Utility, &["SET client_min_messages TO 'warning'", "SET SESSION client_min_messages = error"]),
    (
        Kind::Select,
        &[
            r#"SELECT "posts".* FROM "posts" WHERE "posts"."created_at" BETWEEN '2026-11-01 00:00:00' AND '2026-11-30 23:59:59' AND "posts"."author_id" IS NULL"#,
            r#"SELECT "posts".* FROM "posts" WHERE "posts"."created_at" BETWEEN $1 AND $2 AND "posts"."author_id" IS NULL"#,
        ],
    ),
];

const OTHERS: &[Group] = &[
    // SQLAlchemy
    (
        Kind::Select,
        &[
            "SELECT users.id AS users_id, users.name AS users_name \nFROM users \nWHERE users.name = 'ed' \n LIMIT 1 OFFSET 0",
            "SELECT users.id AS users_id, users.name AS users_name \nFROM users \nWHERE users.name = $1::VARCHAR \n LIMIT $2::INTEGER OFFSET $3::INTEGER",
        ],
    ),
    (
        Kind::Insert,
        &[
            "INSERT INTO a (data, ts) SELECT p0::VARCHAR, p1::TIMESTAMP FROM (VALUES ('x', now(), 0)) AS sen(p0, p1, p2) ORDER BY sen.p2 RETURNING a.id",
            "INSERT INTO a (data, ts) SELECT p0::VARCHAR, p1::TIMESTAMP FROM (VALUES ('y', now(), 1)) AS sen(p0, p1, p2) ORDER BY sen.p2 RETURNING a.id",
        ],
    ),
    (
        Kind::Select,
        &[
            "SELECT CAST($1 AS VARCHAR(60)) AS anon_1, pg_catalog.pg_class.relname FROM pg_catalog.pg_class WHERE pg_catalog.pg_class.relkind = ANY (ARRAY[$2, $3])",
            "SELECT CAST('x' AS VARCHAR(60)) AS anon_1, pg_catalog.pg_class.relname FROM pg_catalog.pg_class WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f'])",
        ],
    ),
    // Hibernate
    (
        Kind::Select,
        &[
            "select o1_0.id,o1_0.total from orders o1_0 where o1_0.customer_id=? and o1_0.day>=date '2026-01-01' fetch first ? rows only",
            "select o1_0.id,o1_0.total from orders o1_0 where o1_0.customer_id=$1 and o1_0.day>=date '2026-02-01' fetch first $2 rows only",
        ],
    ),
    (Kind::Select, &["select nextval('orders_seq')", "select nextval('items_seq')"]),
    (
        Kind::Select,
        &[
            "select next_val.* from next_val where a=timestamp with time zone '2026-11-23 10:00:00Z'",
            "select next_val.* from next_val where a=timestamp with time zone '2025-11-23 10:00:00Z'",
        ],
    ),
    // Prisma, Sequelize, knex
    (
        Kind::Select,
        &[
            r#"SELECT "public"."User"."id", "public"."User"."email" FROM "public"."User" WHERE ("public"."User"."id" = $1 AND 1=1) LIMIT $2 OFFSET $3"#,
            r#"SELECT "public"."User"."id", "public"."User"."email" FROM "public"."User" WHERE ("public"."User"."id" = 3 AND 1=1) LIMIT 1 OFFSET 0"#,
        ],
    ),
    (
        Kind::Select,
        &[
            r#"SELECT "id", "createdAt" AS "createdAt" FROM "Users" AS "User" WHERE "User"."id" IN ('a', 'b') AND "User"."meta"->>'k' = 'v';"#,
            r#"SELECT "id", "createdAt" AS "createdAt" FROM "Users" AS "User" WHERE "User"."id" IN ('a') AND "User"."meta"->>'q' = 'w';"#,
        ],
    ),
    (
        Kind::Delete,
        &[
            r#"delete from "sessions" where "expires" < '2026-11-23'"#,
            r#"delete from "sessions" where "expires" < $1"#,
        ],
    ),
    // EF Core, Ecto
    (
        Kind::Select,
        &[
            "-- Orders of the week\n\nSELECT o.\"Id\" FROM \"Orders\" AS o WHERE o.\"Total\" > 10.5 AND o.\"Day\" = ANY ($1)",
            "SELECT o.\"Id\" FROM \"Orders\" AS o WHERE o.\"Total\" > 9 AND o.\"Day\" = ANY ('{1,2}')",
        ],
    ),
];

#[test]
fn each_group_is_one_statement_and_no_two_groups_are() {
    let mut seen: HashMap<_, String> = HashMap::new();
    for (expected, statements) in [DJANGO, RAILS, OTHERS].concat() {
        let first = digest(statements[0].as_bytes(), None).fingerprint;
        for sql in statements {
            let found = digest(sql.as_bytes(), None);
            assert_eq!(found.fingerprint, first, "{sql}\n{}", normalise(sql.as_bytes(), usize::MAX));
            assert_eq!(found, reference(sql.as_bytes(), None), "{sql}");
            assert_eq!(kind(sql.as_bytes()), expected, "{sql}");
        }
        if let Some(other) = seen.insert(first, statements[0].to_owned()) {
            panic!("one statement:\n{other}\n{}", statements[0]);
        }
    }
}

#[test]
fn tables_of_the_usual_statements() {
    let tables =
        |sql: &str| shape(sql.as_bytes()).tables().iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(tables(r#"SELECT "public"."User"."id" FROM "public"."User" WHERE 1=1"#), ["public.User"]);
    assert_eq!(tables(RAILS[3].1[0]), ["posts"]);
    assert_eq!(tables(DJANGO[8].1[0]), ["t"]);
    assert_eq!(tables(OTHERS[1].1[0]), ["a"]);
}
