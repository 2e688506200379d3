//! Functions by what they do. All others only read, as far as anybody knows; `writing_functions` of the configuration
//! adds more.

/// Functions that write; a SELECT that calls one is no question.
pub(super) const WRITING: &[&str] =
    &["setval", "lo_create", "lo_from_bytea", "lo_import", "lo_put", "lo_unlink", "dblink_exec"];

/// Functions that write nothing which is flushed or read back, but must run where the others do: a sequence that goes
/// on (one call in 32 writes), locks, notices, transaction ids, other backends. No question either.
pub(super) const STAYING: &[&str] = &[
    "nextval",
    "lastval",
    "currval",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_notify",
    "txid_current",
    "pg_current_xact_id",
    "pg_cancel_backend",
    "pg_terminate_backend",
];

/// Functions that take a lock until their transaction ends.
pub(super) const LOCKING: &[&str] = &[
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
];

/// Functions that take a lock until it is given back.
pub(super) const HOLDING: &[&str] =
    &["pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared"];

/// Functions with an effect that any server can have.
pub(super) const ACTING: &[&str] = &["set_config", "pg_sleep", "pg_sleep_for", "pg_sleep_until"];

/// Functions with another answer each time.
pub(super) const RANDOM: &[&str] = &[
    "random",
    "random_normal",
    "gen_random_bytes",
    "gen_random_uuid",
    "uuid_generate_v1",
    "uuid_generate_v4",
    "clock_timestamp",
    "timeofday",
];

/// Functions whose answer depends on the time.
pub(super) const TIMED: &[&str] = &["now", "transaction_timestamp", "statement_timestamp", "age"];

/// Functions whose answer depends on who asks, or on a setting of the session.
pub(super) const PERSONAL: &[&str] = &[
    "current_setting",
    "current_schema",
    "current_schemas",
    "pg_backend_pid",
    "pg_my_temp_schema",
    "row_security_active",
    "inet_client_addr",
    "inet_client_port",
];

/// The functions that a statement calls.
pub(super) struct Called<'s>(pub(super) &'s [String]);

impl Called<'_> {
    /// Whether one of them is on a list, in whatever schema.
    pub(super) fn any(&self, list: &[&str]) -> bool {
        self.0.iter().any(|name| list.contains(&name.rsplit('.').next().unwrap_or(name)))
    }
}
