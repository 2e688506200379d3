//! pglens: from a PostgreSQL log to the statements that an application should not have sent.

pub mod units;

pub mod log;

pub mod report;

pub mod render;
