//! The schema, statement by statement, through the same counted way as everything else.
//!
//! Serves `survey-app migrate`, the stack and the runs. The statements are in `schema.sql`.

use crate::app::App;
use crate::db::{Kind, Server};
use crate::models::Model;
use crate::router::Pin;
use crate::scope::{Scope, View};
use anyhow::Result;
use std::sync::Arc;

const VIEW: View = View { name: "migrate", route: "migrate", read_only: &[] };

/// Creates every table on the primary.
pub async fn migrate(app: &Arc<App>) -> Result<()> {
    let scope = Scope::begin(Arc::clone(app), VIEW, None, Pin::default());
    for statement in statements() {
        scope.define(table(statement), statement).await?;
    }
    scope.finish(true).await
}

fn statements() -> impl Iterator<Item = &'static str> {
    include_str!("schema.sql")
        .lines()
        .filter(|l| !l.starts_with("--"))
        .map(|l| l.trim().trim_end_matches(';'))
        .filter(|l| !l.is_empty())
}

fn table(statement: &str) -> Option<Model> {
    statement.split_whitespace().find_map(Model::from_table)
}

/// How many statements [`migrate`] sends.
pub fn count() -> usize {
    debug_assert!(statements().all(|s| Kind::of(s) == Kind::Ddl), "sent to {:?}", Server::Primary);
    statements().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_its_table() {
        for model in Model::ALL {
            assert!(
                statements().any(|s| s.starts_with(&format!("CREATE TABLE {} (", model.table()))),
                "{model:?}"
            );
        }
        assert_eq!(count(), Model::ALL.len() + 1, "the tables and one index");
    }
}
