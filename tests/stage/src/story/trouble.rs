//! Stories about what goes wrong: errors, locks, cancellations, refused connections.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use postgres::NoTls;

use super::say;
use crate::Server;

/// Long enough for a deadlock_timeout of 100 ms to pass on a busy machine.
const A_WHILE: Duration = Duration::from_millis(400);

pub(super) fn errors_interleaved(server: &Server) -> Result<()> {
    let mut app = server.connect("app", "shop", "errors")?;
    for sql in [
        "selct 1",
        "select nocol from customer",
        "select nam from customer",
        "insert into customer values (1, 'dup', 'c1@example.org')",
        "insert into customer values (null, null)",
        "insert into item values (1, 1, 's', -1)",
        "insert into \"Order\" (customer_id) values (99999)",
        "select '2026-13-45'::date",
        "select outer_part(3)",
        "select outer_part(5)",
        "do $$ begin raise exception 'custom %', 42 using errcode = 'P0042', hint = 'try again', \
         detail = E'line one\\nline two'; end $$",
        "do $$ begin raise warning E'careful\\nsecond line'; raise log 'to the log'; end $$",
        "do $$ begin execute 'select * from nowhere_inside'; end $$",
        "select * from pg_authid",
        "select no_such_function(1, 'x')",
    ] {
        say(&mut app, sql);
    }
    thread::scope(|scope| {
        let chatters: Vec<_> = (0..5).map(|number| scope.spawn(move || fail_often(server, number))).collect();
        chatters.into_iter().try_for_each(|it| it.join().expect("a chatter does not panic"))
    })
}

fn fail_often(server: &Server, number: i32) -> Result<()> {
    let mut app = server.connect("app", "shop", &format!("chat{number}"))?;
    for id in 1..=2 {
        say(&mut app, &format!("select\n  chat from nowhere_{number}\n where i = {id}"));
        app.query("select count(*) from customer where id > $1 and name <> $2", &[&id, &"c, d"])?;
        drop(app.execute("insert into customer (id, name) values ($1, $2)", &[&id, &"dup\nname"]));
        say(&mut app, &format!("select outer_part(\n 3 + 0 * {id})"));
    }
    Ok(())
}

pub(super) fn lock_waits_and_deadlock(server: &Server) -> Result<()> {
    let mut holder = server.connect("app", "shop", "holder")?;
    let mut other = server.connect("app", "shop", "other")?;
    say(&mut holder, "begin");
    say(&mut holder, "update counter set n = n + 1 where id = 5");
    say(&mut other, "set lock_timeout = '200ms'");
    say(&mut other, "update counter set n = n + 2 where id = 5");
    say(&mut other, "reset lock_timeout");
    thread::scope(|scope| -> Result<()> {
        let simple = scope.spawn(|| -> Result<()> {
            let mut waiter = server.connect("app", "shop", "waiter1")?;
            say(&mut waiter, "update counter set n = n + 3\n where id = 5");
            Ok(())
        });
        let extended = scope.spawn(|| -> Result<()> {
            let mut waiter = server.connect("app", "shop", "waiter2")?;
            waiter.execute("update counter set n = n + $1 where id = $2", &[&4, &5])?;
            Ok(())
        });
        thread::sleep(A_WHILE);
        say(&mut holder, "commit");
        simple.join().expect("a waiter does not panic")?;
        extended.join().expect("a waiter does not panic")
    })?;

    for client in [&mut holder, &mut other] {
        say(client, "begin");
    }
    say(&mut holder, "update counter set n = 0 where id = 6");
    say(&mut other, "update counter set n = 0 where id = 7");
    thread::scope(|scope| {
        scope.spawn(|| say(&mut holder, "update counter set n = 0 where id = 7"));
        thread::sleep(A_WHILE);
        say(&mut other, "update counter set n = 0 where id = 6");
    });
    for client in [&mut holder, &mut other] {
        say(client, "rollback");
    }
    Ok(())
}

pub(super) fn cancelled_and_timed_out(server: &Server) -> Result<()> {
    let mut app = server.connect("app", "shop", "impatient")?;
    say(&mut app, "set statement_timeout = '40ms'");
    say(&mut app, "select pg_sleep(20)");
    drop(app.query("select pg_sleep($1)", &[&20.0]));
    say(&mut app, "reset statement_timeout");

    let cancel = app.cancel_token();
    thread::scope(|scope| {
        scope.spawn(|| say(&mut app, "select pg_sleep(20), 'cancel me'"));
        thread::sleep(A_WHILE);
        cancel.cancel_query(NoTls)
    })?;

    say(&mut app, "set idle_in_transaction_session_timeout = '50ms'");
    say(&mut app, "begin");
    thread::sleep(A_WHILE);

    let mut victim = server.connect("app", "shop", "victim")?;
    let pid: i32 = victim.query_one("select pg_backend_pid()", &[])?.get(0);
    let mut root = server.connect_quietly("postgres")?;
    thread::scope(|scope| {
        scope.spawn(|| say(&mut victim, "select pg_sleep(20), 'terminate me'"));
        thread::sleep(A_WHILE);
        root.execute("select pg_terminate_backend($1)", &[&pid])
    })?;
    Ok(())
}

pub(super) fn connections(server: &Server) -> Result<()> {
    let mut root = server.connect_quietly("postgres")?;
    root.batch_execute("create role \"svc@corp\" login; create role \"größe <b>x</b>\" login")?;
    root.batch_execute("create database \"my shop\" owner app")?;
    for (user, database, application) in [
        ("app", "shop", "web"),
        ("svc@corp", "shop", "app with spaces, commas [x] @at"),
        ("größe <b>x</b>", "my shop", "<script>alert(1)</script>"),
    ] {
        let mut client = server.connect(user, database, application)?;
        say(&mut client, "select current_user");
        say(&mut client, "select count(*) from counter");
    }
    drop(server.connect("nobody_here", "shop", "refused"));
    drop(server.connect("app", "no such db", "refused"));
    Ok(())
}
