//! pglens: from a PostgreSQL log to the statements that an application should not have sent.

pub mod units;
mod words;

pub mod log;
pub mod sql;

pub mod record;

pub mod event;

pub mod bounded;

pub mod finding;

pub mod config;
pub mod filter;

pub mod partial;

pub mod chunk;

pub mod input;

pub mod analyze;

pub mod report;

pub mod forecast;

pub mod assemble;

pub mod render;

pub mod doctor;

pub mod output;

pub mod fingerprint_command;
