//! Which table a foreign key points to, by the names that ORMs give: `session_id` points to the `id` of `session`,
//! `sessions` or `response_session`.
//!
//! The log has no schema. Serves the forecasts, which say so; a name that keeps to no convention points nowhere.

use super::table_id;

/// The column by which rows are referred to.
pub(super) const ID: &str = "id";

/// The id of the name that a column refers to: `session_id` → `session`.
pub(super) fn referred(column: &str) -> Option<u64> {
    let name = column.strip_suffix("_id").filter(|name| !name.is_empty())?;
    Some(table_id(name))
}

/// Whether a column is the one by which the rows of one of these tables are referred to.
pub(super) fn is_id(column: &str, tables: &[String]) -> bool {
    let own = |name: u64| tables.iter().any(|table| names(table).contains(&name));
    ["id", "uuid", "guid", "pk"].iter().any(|id| column.eq_ignore_ascii_case(id))
        || referred(column).is_some_and(own)
}

/// The ids of the names by which columns refer to a table: its own and what follows each underscore, singular too.
pub(super) fn names(table: &str) -> Vec<u64> {
    let bare = table.rsplit('.').next().unwrap_or(table);
    let tails = std::iter::once(bare).chain(bare.match_indices('_').map(|(at, _)| &bare[at + 1..]));
    let mut names = Vec::new();
    for tail in tails.filter(|tail| !tail.is_empty()) {
        names.push(table_id(tail));
        if let Some(singular) = tail.strip_suffix("ies") {
            names.push(table_id(&format!("{singular}y")));
        } else if let Some(singular) = tail.strip_suffix('s') {
            names.push(table_id(singular));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_key_names_its_table() {
        for (column, table) in [
            ("session_id", "session"),
            ("session_id", "public.response_session"),
            ("session_id", "response_sessions"),
            ("category_id", "product_categories"),
            ("order_line_id", "shop.order_lines"),
        ] {
            assert!(names(table).contains(&referred(column).unwrap()), "{column} {table}");
        }
        for (column, table) in [("session_id", "sessionlog"), ("ion_id", "session"), ("page_id", "question")]
        {
            assert!(!names(table).contains(&referred(column).unwrap()), "{column} {table}");
        }
        assert_eq!((referred("id"), referred("_id")), (None, None));
    }
}
