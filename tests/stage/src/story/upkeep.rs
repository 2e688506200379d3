//! Stories about what the server does beside statements, and about the plans it logs.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::say;
use crate::Server;

pub(super) fn temp_files(server: &Server) -> Result<()> {
    let mut app = server.connect("app", "shop", "sorter")?;
    for sql in [
        "set work_mem = '64kB'",
        "select * from heap a\n order by x desc, y",
        "select x, count(*) from heap group by x order by 2 limit 3",
    ] {
        say(&mut app, sql);
    }
    app.query("select count(*) from (select * from heap where y <> $1 order by x) z", &[&3])?;
    Ok(())
}

pub(super) fn checkpoints_and_autovacuum(server: &Server) -> Result<()> {
    let mut root = server.connect("postgres", "shop", "upkeep")?;
    say(&mut root, "update heap set y = y + 1");
    say(&mut root, "delete from heap where id > 15000");
    say(&mut root, "checkpoint");
    say(&mut root, "alter system set work_mem = '5MB'");
    say(&mut root, "select pg_reload_conf()");
    drop(root);
    // Statistics reach the launcher a moment after the transaction, and it looks once a second.
    let mut looker = server.connect_quietly("shop")?;
    for _ in 0..300 {
        let seen: i64 = looker
            .query_one(
                "select count(*) from pg_stat_user_tables \
                 where relname = 'heap' and autovacuum_count > 0 and autoanalyze_count > 0",
                &[],
            )?
            .get(0);
        if seen == 1 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    ensure!(false, "autovacuum did not come within 30 seconds");
    Ok(())
}

pub(super) fn explained(server: &Server) -> Result<()> {
    let mut app = server.connect("app", "shop", "explained")?;
    say(&mut app, "select * from customer c join \"Order\" o on o.customer_id = c.id where c.id = 7");
    say(&mut app, "select count(*)\n  from heap\n where x like 'a%' and y = 3");
    say(&mut app, "select outer_part(5)");
    say(&mut app, "update counter set n = n + 1 where id = 1; select n from counter where id = 1");
    let by_name = app.prepare("select id from customer where name = $1 or note = $2")?;
    for name in ["customer 1", "comma, 'quote'"] {
        app.query(&by_name, &[&name, &None::<&str>])?;
    }
    app.execute("insert into item (order_id, pos, sku, qty) values ($1, 1, $2, 3)", &[&77, &"it's <b>"])?;
    say(&mut app, "select 1/0");
    Ok(())
}
