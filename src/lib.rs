//! pglens reads PostgreSQL logs.
pub mod sql;
