//! Stories about statements: protocols, parameters, texts, and the settings that decide how they are logged.

use std::io::{Read, Write};
use std::thread;

use anyhow::Result;

use super::say;
use crate::Server;

/// `transactions` of the TPC-B-like script and of the select-only script by each of `clients`.
///
/// # Errors
/// `pgbench` fails.
pub fn pgbench(server: &Server, protocol: &str, clients: usize, transactions: usize) -> Result<()> {
    let (clients, transactions) = (clients.to_string(), transactions.to_string());
    for script in ["tpcb-like", "select-only"] {
        server.run(
            "pgbench",
            &["-n", "-M", protocol, "-c", &clients, "-t", &transactions, "-b", script, "bench"],
        )?;
    }
    Ok(())
}

/// The database that [`pgbench`] runs on. Not logged.
///
/// # Errors
/// `pgbench` fails, or the database is there already.
pub fn open_bench(server: &Server) -> Result<()> {
    server.connect_quietly("postgres")?.batch_execute("create database bench")?;
    server.run_quietly("pgbench", &["--initialize", "--quiet", "bench"])?;
    Ok(())
}

pub(super) fn mixed_pgbench(server: &Server) -> Result<()> {
    open_bench(server)?;
    pgbench(server, "simple", 2, 1)?;
    pgbench(server, "extended", 2, 1)?;
    pgbench(server, "prepared", 1, 2)
}

pub(super) fn odd_texts(server: &Server) -> Result<()> {
    let mut app = server.connect("app", "shop", "odd")?;
    let long = format!("select '{}'", "long ".repeat(400));
    for sql in [
        "select 1",
        ";",
        "-- only a comment",
        "  /* lead */ select  2  ;",
        "SELECT name,\n       email\n  FROM customer\n WHERE id = 17\n   AND note IS NULL",
        "\nSELECT\n\tcount(*)\n\tFROM customer",
        "\n\n  select 'blank lines first'\n\n\n, 2\n",
        // A literal that pretends to be log lines, once as PostgreSQL would write them.
        "select 'a line\nLOG:  duration: 1.234 ms  statement: select fake\n\
         2026-01-01 12:00:00.000 UTC [1] app@shop LOG:  duration: 5.000 ms  statement: select fake'",
        r"select 'it''s', E'it\'s', $$body 'q'$$, $t$it's$t$, 'C:\', U&'\0441'",
        "select * from customer where id in (1,2,3)",
        "select * from customer where id in (4, 5)",
        "select * from customer where id in (6)",
        "select 'größe', '日本語', '🐘'",
        "select 'x' as \"Größe\"",
        "insert into customer (id, name, email) values (1001, 'a,b', 'x@y'), (1002, 'c''d', 'z@y'), (1003, '$1', null)",
        "begin; update counter set n = n + 1 where id = 1; commit",
        "select 1; select 2; select 3",
        "select 1; select 1/0; select 3",
        "set search_path to public, pg_catalog",
        "select /* controller='orders',action='show',traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' */ 1 from counter where id = 2",
        "select n from counter where id = 1 /*route='/orders/1'*/",
        "select n from counter where id = 2 /*route='/orders/2'*/",
        "select n from counter where id = -3 -- don't\n and n > 0",
        "select n from counter where id = 1e1",
        &long,
    ] {
        say(&mut app, sql);
    }
    Ok(())
}

pub(super) fn extended_parameters(server: &Server) -> Result<()> {
    let mut app = server.connect("app", "shop", "extended")?;
    let values = [
        "plain",
        "comma, inside",
        "quote ' inside",
        "two '' quotes",
        "$2 inside",
        "/* comment */",
        "-- dash",
        "C:\\",
        "new\nline",
        "DETAIL:  parameters: $1 = 'x'",
        "', $2 = 'fake",
        "tab\there",
        "größe 日本",
        "",
    ];
    let by_name = app.prepare("select id from customer where name = $1 and note is not distinct from $2")?;
    for value in values {
        app.query(&by_name, &[&value, &None::<&str>])?;
    }
    // Parsed again for each execution.
    for id in [1, 2, 1] {
        app.query("select * from customer where id = $1", &[&id])?;
    }
    app.query(
        "select $1::int + 1, $2::bool, $3::bytea, $4::int[]",
        &[&1, &true, &[0u8, 255].as_slice(), &vec![1, 2, 3]],
    )?;
    app.query("select 1", &[])?;
    app.query("\nselect\n $1::text\n", &[&"SQL that begins on the next line"])?;
    let insert = app.prepare("insert into item (order_id, pos, sku, qty) values ($1, $2, $3, $4)")?;
    let mut order = app.transaction()?;
    for pos in 1..=6 {
        order.execute(&insert, &[&5000, &pos, &format!("sku-{pos}"), &(pos % 3 + 1)])?;
    }
    order.commit()?;
    // Fails at parse, at execute, and at execute with a parameter that has a comma.
    drop(app.query("select * from nowhere where a = $1", &[&1]));
    drop(app.query("select 1 / $1::int", &[&0]));
    drop(
        app.execute("insert into customer (id, name, email) values ($1, $2, $3)", &[&1, &"dup", &"x, y='z'"]),
    );
    Ok(())
}

pub(super) fn prepare_execute(server: &Server) -> Result<()> {
    let mut app = server.connect("app", "shop", "sql_prepare")?;
    for sql in [
        "prepare byid(int) as select * from customer where id = $1",
        "prepare ins (int, text) as\n insert into heap (id, x) values ($1, $2)\n on conflict do nothing",
        "execute byid(1)",
        "execute byid(2)",
        "EXECUTE  byid ( 3 )",
        "execute ins(70001, 'a, b')",
        "execute ins(70002, 'it''s $1')",
        "execute byid('x')",
        "deallocate byid",
        "execute byid(4)",
        "prepare byid_17(int) as select * from customer where id = $1",
        "execute byid_17(1)",
        "explain (costs off) execute byid_17(5)",
        "deallocate all",
    ] {
        say(&mut app, sql);
    }
    Ok(())
}

pub(super) fn cursors_copy_savepoints(server: &Server) -> Result<()> {
    let mut app = server.connect("app", "shop", "cursors")?;
    for sql in [
        "begin",
        "declare cur_17 cursor for select * from customer order by id",
        "fetch 10 from cur_17",
        "fetch next from cur_17",
        "move 5 in cur_17",
        "close cur_17",
        "savepoint sp_1",
        "update counter set n = 1 where id = 3",
        "rollback to sp_1",
        "savepoint sp_2",
        "update counter set n = 2 where id = 3",
        "release sp_2",
        "select 1/0",
        "select 'in an aborted transaction'",
        "rollback",
        "listen chan_17",
        "notify chan_17, 'hel''lo'",
        "unlisten *",
    ] {
        say(&mut app, sql);
    }
    let mut fetching = app.transaction()?;
    let portal = fetching.bind("select * from heap where y = $1 limit 25", &[&3])?;
    for rows in [10, 10, 10] {
        fetching.query_portal(&portal, rows)?;
    }
    fetching.rollback()?;

    let mut copy = app.copy_in("copy counter (id, n) from stdin")?;
    copy.write_all(b"100\t1\n101\t2\n")?;
    copy.finish()?;
    let mut copied = String::new();
    app.copy_out("copy (select * from counter) to stdout")?.read_to_string(&mut copied)?;
    let mut broken = app.copy_in("copy counter (id, n) from stdin")?;
    broken.write_all(b"bad\t1\n")?;
    drop(broken.finish());
    Ok(())
}

pub(super) fn simple_reads(server: &Server) -> Result<()> {
    let mut app = server.connect("app", "shop", "reads")?;
    for id in 0..20 {
        say(&mut app, &format!("select name from customer where id = {}", id % 7));
    }
    say(&mut app, "begin; update counter set n = n + 1 where id = 1; commit");
    Ok(())
}

/// Both protocols and failures, from three backends at once.
///
/// # Errors
/// A step fails that must not.
pub fn chat(server: &Server) -> Result<()> {
    thread::scope(|scope| {
        let chatters: Vec<_> = (0..3).map(|number| scope.spawn(move || chat_as(server, number))).collect();
        chatters.into_iter().try_for_each(|it| it.join().expect("a chatter does not panic"))
    })
}

fn chat_as(server: &Server, number: i32) -> Result<()> {
    let mut app = server.connect("app", "shop", &format!("chat{number}"))?;
    let by_id = app.prepare("select * from customer where id = $1 and name <> $2")?;
    for id in 1..=2 {
        app.query(&by_id, &[&(id + number), &"a, b"])?;
        say(&mut app, &format!("select n\n  from counter\n where id = {id}"));
        // Fails: its statement line has no duration, and the next duration is not its own.
        say(&mut app, &format!("select * from nowhere where id = {id}"));
        app.query("select count(*) from item where order_id > $1", &[&id])?;
        drop(app.execute("insert into customer (id, name) values ($1, $2)", &[&id, &"dup\nname"]));
        say(&mut app, &format!("update counter set n = n + 1 where id = {}", id + number));
    }
    Ok(())
}
