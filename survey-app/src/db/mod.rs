//! Statements on their way to PostgreSQL: values, rows, the two protocols, and the two servers.
//!
//! Serves [`crate::scope`], the only caller. Must not know views, caches or switches beyond `db.*`.
//!
//! Named prepared statements give *wrong rows* behind pgbouncer before 1.21, so everything here is either an
//! unnamed typed statement or a simple query; `clippy.toml` forbids the rest.

pub mod comment;
pub mod counters;
mod literal;
mod pool;

pub use literal::{interpolate, show};
pub use pool::{Connection, PoolState, Pools};

use crate::metrics::Component;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{ToSql, Type};

/// One of the two PostgreSQL servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    /// Takes the writes.
    Primary,
    /// Follows by streaming replication and answers SELECTs.
    Replica,
}

impl Server {
    /// What a request waits for when it asks this server.
    pub fn component(self) -> Component {
        match self {
            Server::Primary => Component::Primary,
            Server::Replica => Component::Replica,
        }
    }

    /// The label in counters, cache keys and reports.
    pub fn name(self) -> &'static str {
        match self {
            Server::Primary => "primary",
            Server::Replica => "replica",
        }
    }
}

/// What a statement does, by its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is the word itself")]
pub enum Kind {
    Select,
    Insert,
    Update,
    Delete,
    Copy,
    Ddl,
    Transaction,
    Utility,
}

impl Kind {
    /// The kind of `sql`, which may open with blanks but not with a comment.
    pub fn of(sql: &str) -> Kind {
        let word: String =
            sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
        match word.as_str() {
            "select" => Kind::Select,
            "insert" => Kind::Insert,
            "update" => Kind::Update,
            "delete" => Kind::Delete,
            "copy" => Kind::Copy,
            "create" | "alter" | "drop" => Kind::Ddl,
            "begin" | "commit" | "rollback" => Kind::Transaction,
            _ => Kind::Utility,
        }
    }

    /// The word itself.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Select => "select",
            Kind::Insert => "insert",
            Kind::Update => "update",
            Kind::Delete => "delete",
            Kind::Copy => "copy",
            Kind::Ddl => "ddl",
            Kind::Transaction => "transaction",
            Kind::Utility => "utility",
        }
    }
}

/// A value that a statement carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Param {
    /// `bigint`, or NULL.
    Int(Option<i64>),
    /// `text`, or NULL.
    Text(Option<String>),
    /// `boolean`.
    Bool(bool),
    /// `bigint[]`
    Ints(Vec<i64>),
    /// `text[]`
    Texts(Vec<String>),
}

impl From<i64> for Param {
    fn from(v: i64) -> Param {
        Param::Int(Some(v))
    }
}
impl From<Option<i64>> for Param {
    fn from(v: Option<i64>) -> Param {
        Param::Int(v)
    }
}
impl From<&str> for Param {
    fn from(v: &str) -> Param {
        Param::Text(Some(v.to_string()))
    }
}
impl From<String> for Param {
    fn from(v: String) -> Param {
        Param::Text(Some(v))
    }
}
impl From<bool> for Param {
    fn from(v: bool) -> Param {
        Param::Bool(v)
    }
}
impl From<Vec<i64>> for Param {
    fn from(v: Vec<i64>) -> Param {
        Param::Ints(v)
    }
}
impl From<Vec<String>> for Param {
    fn from(v: Vec<String>) -> Param {
        Param::Texts(v)
    }
}

impl Param {
    /// The value as the driver sends it, and its type, so that the server is never asked for one.
    pub(crate) fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Param::Int(v) => (v, Type::INT8),
            Param::Text(v) => (v, Type::TEXT),
            Param::Bool(v) => (v, Type::BOOL),
            Param::Ints(v) => (v, Type::INT8_ARRAY),
            Param::Texts(v) => (v, Type::TEXT_ARRAY),
        }
    }
}

/// What a statement gave back. Cells are text in both protocols, so that a cached row, a row of the simple
/// protocol and a row of the typed one are the same thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Names, in the order of the cells.
    pub columns: Vec<String>,
    /// One list of cells a row; `None` is NULL.
    pub cells: Vec<Vec<Option<String>>>,
}

impl Rows {
    /// The rows, each with access by name.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.cells.iter().map(|cells| Row { columns: &self.columns, cells })
    }

    /// The first row.
    pub fn first(&self) -> Option<Row<'_>> {
        self.cells.first().map(|cells| Row { columns: &self.columns, cells })
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

/// One row of [`Rows`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    columns: &'a [String],
    cells: &'a [Option<String>],
}

impl<'a> Row<'a> {
    /// The cell called `name`; `None` for NULL and for a column that is not there.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let at = self.columns.iter().position(|c| c == name)?;
        self.cells.get(at)?.as_deref()
    }

    /// Text, empty for NULL.
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_string()
    }

    /// A number, 0 for NULL.
    pub fn int(&self, name: &str) -> i64 {
        self.get(name).and_then(|v| v.parse().ok()).unwrap_or_default()
    }

    /// A number or NULL.
    pub fn opt_int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(|v| v.parse().ok())
    }

    /// PostgreSQL's `t` or `f`.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("t")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (sql, kind) in [
            ("SELECT 1", Kind::Select),
            ("  insert into t values (1)", Kind::Insert),
            ("BEGIN", Kind::Transaction),
            ("CREATE TABLE t (a int)", Kind::Ddl),
            ("SET x = 1", Kind::Utility),
        ] {
            assert_eq!(Kind::of(sql), kind, "{sql}");
        }
    }
}
