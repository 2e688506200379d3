//! Stories: what clients do to a server, so that its log shows one situation.
//!
//! A story is deterministic in what it does, not in how long it takes. Errors are part of most of them.

mod demo;
mod statements;
mod trouble;
mod upkeep;

use anyhow::Result;
use postgres::Client;

use crate::Server;

pub use demo::{Demo, demo};
pub use statements::{chat, open_bench, pgbench};

/// One situation, with the settings under which its log shows it.
pub struct Story {
    /// Also the name of its directory under `fixtures/`.
    pub name: &'static str,
    /// What its log shows and which mistake it would uncover.
    pub why: &'static str,
    /// Server settings on top of the common ones.
    pub settings: &'static [(&'static str, &'static str)],
    /// What the clients do.
    pub play: fn(&Server) -> Result<()>,
}

impl Story {
    /// Starts a server for this story and plays it on the shop's tables. The server still runs, so that its own
    /// statistics can be asked.
    ///
    /// # Errors
    /// The server does not start, or a step fails that must not.
    pub fn perform(&self) -> Result<Server> {
        let server = open_shop(self.settings)?;
        (self.play)(&server)?;
        Ok(server)
    }
}

/// Every story with a fixture, plain ones first.
pub const STORIES: &[Story] = &[
    Story {
        name: "mixed_pgbench",
        why: "pgbench in its three protocols: a prepared, an extended and a simple execution of the same text \
              are one statement.",
        settings: &[],
        play: statements::mixed_pgbench,
    },
    Story {
        name: "odd_texts",
        why: "Multi-line, empty, commented and multi-statement SQL, non-ASCII names, and literals that look like \
              log lines: none may start an entry or split a fingerprint.",
        settings: &[],
        play: statements::odd_texts,
    },
    Story {
        name: "extended_parameters",
        why: "Parameters with commas, quotes, newlines, `$2`, comments and backslashes; NULLs; unnamed and named \
              statements; one call each, whatever the values.",
        settings: &[],
        play: statements::extended_parameters,
    },
    Story {
        name: "prepare_execute",
        why: "EXECUTE of SQL-level PREPAREd statements, with DETAIL: prepare.",
        settings: &[],
        play: statements::prepare_execute,
    },
    Story {
        name: "cursors_copy_savepoints",
        why: "Cursors, portals fetched in pieces (`execute fetch from`), COPY, savepoints, LISTEN/NOTIFY.",
        settings: &[],
        play: statements::cursors_copy_savepoints,
    },
    Story {
        name: "log_statement_and_duration",
        why: "Statement and duration on separate lines, of several backends: paired by backend; parse and bind \
              durations and statements that fail must not be paired.",
        settings: &[("log_statement", "all"), ("log_duration", "on"), ("log_min_duration_statement", "-1")],
        play: chat,
    },
    Story {
        name: "log_statement_only",
        why: "Statements without any duration still count.",
        settings: &[("log_statement", "all"), ("log_min_duration_statement", "-1")],
        play: chat,
    },
    Story {
        name: "log_statement_and_min_duration",
        why: "Both settings at once: the statement line and its later duration line are one call.",
        settings: &[("log_statement", "all"), ("log_duration", "on")],
        play: chat,
    },
    Story {
        name: "log_duration_only",
        why: "Durations without statements: counted as unidentified, never as statements.",
        settings: &[("log_duration", "on"), ("log_min_duration_statement", "-1")],
        play: statements::simple_reads,
    },
    Story {
        name: "sampled_transactions",
        why: "log_transaction_sample_rate: a part of the transactions, complete each.",
        settings: &[("log_min_duration_statement", "-1"), ("log_transaction_sample_rate", "0.5")],
        play: statements::simple_reads,
    },
    Story {
        name: "errors_interleaved",
        why: "Errors with STATEMENT, DETAIL, HINT, CONTEXT and QUERY while five backends write at once.",
        settings: &[],
        play: trouble::errors_interleaved,
    },
    Story {
        name: "lock_waits_and_deadlock",
        why: "Waits for row locks (still waiting, acquired, lock timeout) and a deadlock with its queries.",
        settings: &[("log_lock_waits", "on"), ("deadlock_timeout", "100ms")],
        play: trouble::lock_waits_and_deadlock,
    },
    Story {
        name: "cancelled_and_timed_out",
        why: "statement_timeout, a cancel request, idle_in_transaction_session_timeout, a terminated session.",
        settings: &[("log_connections", "on"), ("log_disconnections", "on")],
        play: trouble::cancelled_and_timed_out,
    },
    Story {
        name: "connections",
        why: "Connections and disconnections of roles and databases with `@`, blanks, markup and non-ASCII in \
              their names; refused ones.",
        settings: &[("log_connections", "on"), ("log_disconnections", "on")],
        play: trouble::connections,
    },
    Story {
        name: "temp_files",
        why: "Temporary files of sorts, hashes and parameterised statements, each with its STATEMENT.",
        settings: &[("log_temp_files", "0"), ("work_mem", "64kB")],
        play: upkeep::temp_files,
    },
    Story {
        name: "checkpoints_and_autovacuum",
        why: "Checkpoints, automatic vacuums and analyses, and a changed parameter.",
        settings: &[
            ("log_checkpoints", "on"),
            ("log_autovacuum_min_duration", "0"),
            ("autovacuum_naptime", "1s"),
        ],
        play: upkeep::checkpoints_and_autovacuum,
    },
    Story {
        name: "auto_explain_text",
        why: "Plans beside their duration lines: no second call. Nested statements of a function among them.",
        settings: &[
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_analyze", "on"),
            ("auto_explain.log_nested_statements", "on"),
        ],
        play: upkeep::explained,
    },
    Story {
        name: "auto_explain_json",
        why: "The same with plans in JSON.",
        settings: &[
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_format", "json"),
        ],
        play: upkeep::explained,
    },
    Story {
        name: "auto_explain_yaml",
        why: "The same with plans in YAML.",
        settings: &[
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_format", "yaml"),
        ],
        play: upkeep::explained,
    },
    Story {
        name: "auto_explain_xml",
        why: "The same with plans in XML.",
        settings: &[
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_format", "xml"),
        ],
        play: upkeep::explained,
    },
];

/// Played with a [`crate::Relay`] listening: the same run through syslog, too.
pub const SYSLOG: Story = Story {
    name: "syslog",
    why: "One run in three formats and through a real rsyslogd in its three forms: split lines, `#011`, \
          backends that interleave within an entry.",
    settings: &[("log_destination", "stderr,csvlog,jsonlog,syslog")],
    play: through_syslog,
};

fn through_syslog(server: &Server) -> Result<()> {
    statements::odd_texts(server)?;
    trouble::errors_interleaved(server)
}

/// All stories one after the other on one server: the mixed workload. What only some
/// stories log is logged for all.
pub const EVERYTHING: Story = Story {
    name: "everything",
    why: "Every story on one server, then pgbench.",
    settings: &[
        ("log_connections", "on"),
        ("log_disconnections", "on"),
        ("log_lock_waits", "on"),
        ("deadlock_timeout", "100ms"),
        ("log_temp_files", "0"),
        ("log_checkpoints", "on"),
        ("log_autovacuum_min_duration", "0"),
        ("autovacuum_naptime", "1s"),
    ],
    play: everything,
};

fn everything(server: &Server) -> Result<()> {
    statements::odd_texts(server)?;
    statements::extended_parameters(server)?;
    statements::prepare_execute(server)?;
    statements::cursors_copy_savepoints(server)?;
    trouble::errors_interleaved(server)?;
    trouble::lock_waits_and_deadlock(server)?;
    trouble::cancelled_and_timed_out(server)?;
    trouble::connections(server)?;
    upkeep::temp_files(server)?;
    open_bench(server)?;
    pgbench(server, "simple", 3, 40)?;
    pgbench(server, "extended", 3, 40)?;
    pgbench(server, "prepared", 3, 40)?;
    upkeep::checkpoints_and_autovacuum(server)
}

/// A server with the tables that the stories use and the roles that use them. Making them is not logged.
///
/// # Errors
/// The server does not start.
pub fn open_shop(settings: &[(&str, &str)]) -> Result<Server> {
    let server = Server::start(settings)?;
    let mut postgres = server.connect_quietly("postgres")?;
    // `create database` refuses to stand in a multi-statement string.
    postgres.batch_execute("create role app login")?;
    postgres.batch_execute("create database shop owner app")?;
    let mut shop = server.connect_quietly("shop")?;
    shop.batch_execute(
        r#"
        grant all on schema public to public;
        create table customer (id int primary key, name text not null, email text unique, note text);
        create table "Order" (id serial primary key, customer_id int references customer, total numeric(10,2));
        create table item (order_id int, pos int, sku text, qty int check (qty > 0), primary key (order_id, pos));
        create table heap (id int primary key, x text, y int);
        create table counter (id int primary key, n int);
        insert into customer select g, 'customer ' || g, 'c' || g || '@example.org' from generate_series(1, 500) g;
        insert into "Order" (customer_id, total) select 1 + g % 500, g from generate_series(1, 1000) g;
        insert into heap select g, md5(g::text), g % 7 from generate_series(1, 20000) g;
        insert into counter select g, 0 from generate_series(1, 10) g;
        create function inner_part(a int) returns int language plpgsql as
            $$ begin return a / (a - 3); end $$;
        create function outer_part(a int) returns int language plpgsql as $$
        declare r int;
        begin
            select count(*) into r from customer where id < a;
            return r + inner_part(a);
        end $$;
        grant all on all tables in schema public to public;
        grant all on all sequences in schema public to public;
        "#,
    )?;
    shop.batch_execute("vacuum analyze")?;
    drop(shop);
    Ok(server)
}

/// Sends one string by the simple protocol. What the server says to it is in its log, which is the point.
fn say(client: &mut Client, sql: &str) {
    drop(client.batch_execute(sql));
}
