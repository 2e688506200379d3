//! The settings of a server that pglens has something to say about, each with why and at what cost.

use serde::Serialize;

/// A setting as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Name of the parameter.
    pub name: &'static str,
    /// Its value as postgresql.conf has it.
    pub value: &'static str,
    /// Its value in an RDS parameter group, where numbers and switches have one spelling.
    pub rds: &'static str,
    /// Whether it takes a restart; if not, a reload.
    pub restart: bool,
    /// What it brings.
    pub why: &'static str,
    /// What it costs, or what to mind.
    pub mind: Option<&'static str>,
}

/// A setting that a reload brings and that costs nothing to speak of.
const fn setting(name: &'static str, value: &'static str, rds: &'static str, why: &'static str) -> Setting {
    Setting { name, value, rds, restart: false, why, mind: None }
}

pub(super) const MIN_DURATION: Setting = Setting {
    mind: Some(
        "One record a statement: 1,000 statements a second make 10 to 20 GB a day. If that is too much, \
         log_transaction_sample_rate = 0.01 in its place keeps one transaction in a hundred, whole.",
    ),
    ..setting("log_min_duration_statement", "0", "0", "Every statement with its duration and its parameters.")
};
pub(super) const NO_LOG_STATEMENT: Setting = setting(
    "log_statement",
    "'none'",
    "none",
    "Its records have no duration; beside log_min_duration_statement = 0 they only repeat the text.",
);
pub(super) const NO_LOG_DURATION: Setting = setting(
    "log_duration",
    "off",
    "0",
    "Its records have no statement; log_min_duration_statement = 0 has both in one.",
);
pub(super) const PARAMETERS: Setting = Setting {
    mind: Some("Parameters may be personal data; pglens shows them only with --show-values."),
    ..setting(
        "log_parameter_max_length",
        "-1",
        "-1",
        "Parameters of prepared statements in full (release 13).",
    )
};
pub(super) const VERBOSITY: Setting = setting(
    "log_error_verbosity",
    "default",
    "default",
    "terse leaves DETAIL out, and parameters are in it.",
);
pub(super) const PREFIX: Setting = Setting {
    mind: Some("Some 100 bytes a record; csvlog and jsonlog have all of it by themselves."),
    ..setting(
        "log_line_prefix",
        // Detected without being told: tests/doctor.rs keeps that true.
        "'%m [%p] sid=%c,vxid=%v,code=%e,qid=%Q,user=%u,db=%d,app=%a,client=%h '",
        // The one value beside its default that RDS takes.
        "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
        "Who, where from, in which session and transaction, to the millisecond, with the SQLSTATE.",
    )
};
pub(super) const QUERY_ID: Setting =
    setting("compute_query_id", "on", "on", "The id that pg_stat_statements uses (release 14).");
pub(super) const CONNECTIONS: Setting =
    setting("log_connections", "on", "1", "Who connects, from where, how often.");
pub(super) const DISCONNECTIONS: Setting =
    setting("log_disconnections", "on", "1", "How long sessions last, how many there are at once.");
pub(super) const LOCK_WAITS: Setting =
    setting("log_lock_waits", "on", "1", "Who waited for whom, for longer than deadlock_timeout.");
pub(super) const TEMP_FILES: Setting = setting(
    "log_temp_files",
    "0",
    "0",
    "Sorts and hashes that did not fit into work_mem, with their statement.",
);
pub(super) const CHECKPOINTS: Setting =
    setting("log_checkpoints", "on", "1", "Causes, times and WAL distance (on by default since release 15).");
pub(super) const AUTOVACUUM: Setting = setting(
    "log_autovacuum_min_duration",
    "0",
    "0",
    "What autovacuum did to which table, and how long it took.",
);
pub(super) const PRELOAD: Setting = Setting {
    restart: true,
    mind: Some("Needs a restart. Keep the libraries that are there already."),
    ..setting(
        "shared_preload_libraries",
        "'auto_explain'",
        "\"pg_stat_statements,auto_explain\"",
        "Plans of slow statements.",
    )
};
pub(super) const PLANS: Setting = Setting {
    mind: Some("Leave auto_explain.log_analyze off: it times every node of every statement, logged or not."),
    ..setting(
        "auto_explain.log_min_duration",
        "'1s'",
        "1000",
        "Plans of statements that take a second or more.",
    )
};
pub(super) const ENGLISH: Setting =
    setting("lc_messages", "'C'", "C", "Messages in English: they are what pglens understands.");
