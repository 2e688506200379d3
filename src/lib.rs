//! pglens reads PostgreSQL logs.
pub mod fingerprint_command;
pub mod sql;
