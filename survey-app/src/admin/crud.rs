//! Lists, forms and exports of every model, built from its [`Table`].
//!
//! Names of tables and columns come from [`table::TABLES`](super::table::TABLES) alone; what a person types is
//! always a parameter.

use super::gate::{self, Rights};
use super::pages::{self, Cell, Field, FormPage, Frame, Glance, HomePage, ListPage};
use super::table::{Access, Column, Holds, TABLES, Table};
use crate::db::{Param, Rows};
use crate::models::Model;
use crate::scope::{Memory, Scope, Select};
use crate::trouble::Trouble;
use crate::web::{Answer, Visit};
use axum::http::header;
use axum::response::{IntoResponse, Redirect};
use std::sync::Arc;
use tokio_postgres::error::SqlState;

const ROWS: i64 = 50;
/// More choices than anybody scrolls through.
const OPTIONS: i64 = 500;

/// The first page: surveys at a glance, and everything else.
pub(super) async fn home(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    let sql = "SELECT survey.id, title, slug, \
               (SELECT count(*) FROM respondent WHERE respondent.survey_id = survey.id) AS invited, \
               (SELECT count(*) FROM response_session WHERE response_session.survey_id = survey.id) AS started, \
               (SELECT count(completed_at) FROM response_session WHERE response_session.survey_id = survey.id) \
               AS completed FROM survey ORDER BY survey.id DESC LIMIT 50";
    let rows = ask(&visit.scope, Model::Survey, sql.to_string(), Vec::new()).await?;
    let surveys = rows
        .iter()
        .map(|r| Glance {
            id: r.int("id"),
            title: r.text("title"),
            slug: r.text("slug"),
            invited: r.int("invited"),
            started: r.int("started"),
            completed: r.int("completed"),
        })
        .collect();
    let tables = TABLES.iter().map(|t| (t.model.table(), t.label)).collect();
    Ok(pages::html(&HomePage {
        frame: Frame::of(&visit, "Survey administration", Some(&rights)),
        surveys,
        tables,
    }))
}

/// Rows of a model, the newest first; `?q=` searches, `?survey_id=` and the like narrow down.
pub(super) async fn list(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    let table = table_of(&visit)?;
    let page: i64 = visit.query("page").and_then(|p| p.parse().ok()).unwrap_or(0).clamp(0, 1_000_000);
    let (filter, params, mut query) = narrowed(&visit, table);
    let name = table.model.table();
    let count =
        ask(&visit.scope, table.model, format!("SELECT count(*) AS n FROM {name}{filter}"), params.clone());
    let total = count.await?.first().map(|r| r.int("n")).unwrap_or_default();
    let sql = format!("{}{filter} ORDER BY id DESC LIMIT {ROWS} OFFSET {}", selected(table), page * ROWS);
    let rows = ask(&visit.scope, table.model, sql, params).await?;
    query.push_str("page=");
    let cells = |row: &crate::db::Row<'_>| {
        table.columns.iter().filter(|c| shown(c)).map(|c| cell(c, row.get(c.name))).collect::<Vec<_>>()
    };
    Ok(pages::html(&ListPage {
        frame: Frame::of(&visit, table.label, Some(&rights)),
        base: format!("/admin/{name}"),
        can_add: may_change(table, &rights),
        search: visit.query("q").unwrap_or_default().to_string(),
        heads: table.columns.iter().filter(|c| shown(c)).map(|c| c.label).collect(),
        rows: rows.iter().map(|row| (row.text("id"), cells(&row))).collect(),
        total,
        older: ((page + 1) * ROWS < total).then(|| format!("?{query}{}", page + 1)),
        newer: (page > 0).then(|| format!("?{query}{}", page - 1)),
    }))
}

/// Every row of a model as CSV.
pub(super) async fn export(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    rights.need(rights.may_export)?;
    let table = table_of(&visit)?;
    let (filter, params, _) = narrowed(&visit, table);
    let rows =
        ask(&visit.scope, table.model, format!("{}{filter} ORDER BY id", selected(table)), params).await?;
    let names: Vec<&str> = table.columns.iter().filter(|c| shown(c)).map(|c| c.name).collect();
    let mut text = crate::csv::line(std::iter::once("id").chain(names.iter().copied()));
    for row in rows.iter() {
        let cells = names.iter().map(|name| row.get(name).unwrap_or_default());
        text.push_str(&crate::csv::line(std::iter::once(row.get("id").unwrap_or_default()).chain(cells)));
    }
    gate::note(&visit.scope, &rights.name, &format!("exported {}", table.label)).await?;
    Ok(attachment(&format!("{}.csv", table.model.table()), text))
}

/// One row, or the form for a new one.
pub(super) async fn form(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    let table = table_of(&visit)?;
    let is_new = visit.path.ends_with("/new");
    let rows = match is_new {
        true => Rows::default(),
        false => {
            let sql = format!("{} WHERE id = $1", selected(table));
            ask(&visit.scope, table.model, sql, vec![visit.number("id")?.into()]).await?
        }
    };
    let row = rows.first();
    if row.is_none() && !is_new {
        return Err(Trouble::NotFound);
    }
    let can_save = may_change(table, &rights);
    if is_new {
        rights.need(can_save)?;
    }
    let mut fields = Vec::new();
    for column in table.columns {
        let value = row.and_then(|r| r.get(column.name).map(str::to_string));
        let value = value.or_else(|| visit.query(column.name).map(str::to_string));
        fields.push(field(&visit.scope, column, value, is_new, can_save).await?);
    }
    let id = row.map(|r| r.text("id")).unwrap_or_default();
    let title = if is_new { format!("New: {}", table.one) } else { format!("{} {id}", table.one) };
    Ok(pages::html(&FormPage {
        frame: Frame::of(&visit, &title, Some(&rights)),
        base: format!("/admin/{}", table.model.table()),
        many: table.label,
        links: links(table.model, &id),
        id,
        can_save,
        fields,
    }))
}

/// A new row.
pub(super) async fn create(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    let table = table_of(&visit)?;
    rights.need(may_change(table, &rights))?;
    let (names, params) = typed(&visit, table, true).await?;
    let places: Vec<String> = (1..=params.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({}) RETURNING id",
        table.model.table(),
        names.join(", "),
        places.join(", ")
    );
    let rows = visit.scope.execute(table.model, &sql, params).await.map_err(refused)?;
    let id = rows.first().map(|r| r.text("id")).unwrap_or_default();
    visit.scope.created_after_commit(table.model);
    gate::note(&visit.scope, &rights.name, &format!("created {} {id}", table.one)).await?;
    Ok(Redirect::to(&format!("/admin/{}/{id}", table.model.table())).into_response())
}

/// A changed row.
pub(super) async fn change(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    let table = table_of(&visit)?;
    rights.need(may_change(table, &rights))?;
    let id = visit.number("id")?;
    announce_before(&visit.scope, table, id).await?;
    let (names, mut params) = typed(&visit, table, false).await?;
    let sets: Vec<String> =
        names.iter().enumerate().map(|(at, name)| format!("{name} = ${}", at + 1)).collect();
    params.push(id.into());
    let keys = keys(table);
    let sql = format!(
        "UPDATE {} SET {} WHERE id = ${} RETURNING {keys}",
        table.model.table(),
        sets.join(", "),
        params.len()
    );
    let rows = visit.scope.execute(table.model, &sql, params).await.map_err(refused)?;
    let row = rows.first().ok_or(Trouble::NotFound)?;
    visit.scope.changed_after_commit(table.model, &row);
    gate::note(&visit.scope, &rights.name, &format!("changed {} {id}", table.one)).await?;
    Ok(Redirect::to(&format!("/admin/{}/{id}", table.model.table())).into_response())
}

/// A row that is no more.
pub(super) async fn delete(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    let table = table_of(&visit)?;
    rights.need(may_change(table, &rights))?;
    let id = visit.number("id")?;
    let sql = format!("DELETE FROM {} WHERE id = $1 RETURNING {}", table.model.table(), keys(table));
    let rows = visit.scope.execute(table.model, &sql, vec![id.into()]).await.map_err(refused)?;
    let row = rows.first().ok_or(Trouble::NotFound)?;
    visit.scope.changed_after_commit(table.model, &row);
    gate::note(&visit.scope, &rights.name, &format!("deleted {} {id}", table.one)).await?;
    Ok(Redirect::to(&format!("/admin/{}/", table.model.table())).into_response())
}

/// A file to keep.
pub(super) fn attachment(name: &str, text: String) -> axum::response::Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    (
        [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_string()),
            (header::CONTENT_DISPOSITION, disposition),
        ],
        text,
    )
        .into_response()
}

/// A SELECT of the administration: from the primary, never remembered, so that people see what they saved.
pub(super) async fn ask(
    scope: &Scope,
    model: Model,
    sql: String,
    params: Vec<Param>,
) -> anyhow::Result<Rows> {
    scope.select_from_primary(&Select { model, joined: &[], sql, params, memory: Memory::Never }).await
}

/// A row that moves from one parent to another was remembered with the old one as well.
async fn announce_before(scope: &Scope, table: &Table, id: i64) -> anyhow::Result<()> {
    if table.model.foreign_keys().is_empty() {
        return Ok(());
    }
    let sql = format!("SELECT {} FROM {} WHERE id = $1", keys(table), table.model.table());
    if let Some(row) = ask(scope, table.model, sql, vec![id.into()]).await?.first() {
        scope.changed_after_commit(table.model, &row);
    }
    Ok(())
}

/// The columns that the cache has to know of a row.
fn keys(table: &Table) -> String {
    std::iter::once("id").chain(table.model.foreign_keys().iter().map(|k| k.0)).collect::<Vec<_>>().join(", ")
}

fn table_of(visit: &Visit) -> Result<&'static Table, Trouble> {
    let name = visit.path.split('/').nth(2).unwrap_or_default();
    Model::from_table(name).and_then(Table::of).ok_or(Trouble::NotFound)
}

fn may_change(table: &Table, rights: &Rights) -> bool {
    match table.access {
        Access::Edit => rights.may_edit,
        Access::Users => rights.may_manage_users,
        Access::Look => false,
    }
}

fn shown(column: &Column) -> bool {
    column.kind != Holds::Password
}

fn selected(table: &Table) -> String {
    let columns: Vec<String> =
        std::iter::once("id".to_string()).chain(table.columns.iter().map(Column::expression)).collect();
    format!("SELECT {} FROM {}", columns.join(", "), table.model.table())
}

/// The WHERE of a list, its values, and the part of the address that asks for it again.
fn narrowed(visit: &Visit, table: &Table) -> (String, Vec<Param>, String) {
    let (mut conditions, mut params, mut query): (Vec<String>, Vec<Param>, String) = Default::default();
    for column in table.columns {
        let is_row = matches!(column.kind, Holds::Row(_) | Holds::RowOrNone(_));
        if is_row && let Some(id) = visit.query(column.name).and_then(|v| v.parse::<i64>().ok()) {
            params.push(id.into());
            conditions.push(format!("{} = ${}", column.name, params.len()));
            query.push_str(&format!("{}={id}&", column.name));
        }
    }
    if let Some(text) = visit.query("q").filter(|t| !t.is_empty()) {
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        params.push(format!("%{escaped}%").into());
        let places =
            table.columns.iter().filter(|c| matches!(c.kind, Holds::Line | Holds::Lines | Holds::Word(_)));
        let any: Vec<String> = places.map(|c| format!("{} ILIKE ${}", c.name, params.len())).collect();
        conditions.push(if any.is_empty() {
            format!("${} = ''", params.len())
        } else {
            format!("({})", any.join(" OR "))
        });
        query.push_str(&format!("q={}&", crate::db::comment::encode(text)));
    }
    let filter =
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    (filter, params, query)
}

fn cell(column: &Column, value: Option<&str>) -> Cell {
    let value = value.unwrap_or_default();
    let (text, link) = match column.kind {
        Holds::Flag => (if value == "t" { "yes" } else { "no" }.to_string(), String::new()),
        Holds::Row(model) | Holds::RowOrNone(model) if !value.is_empty() => {
            (format!("#{value}"), format!("/admin/{}/{value}", model.table()))
        }
        _ => (value.chars().take(120).collect(), String::new()),
    };
    Cell { text, link, is_number: column.kind == Holds::Number }
}

async fn field(
    scope: &Scope,
    column: &Column,
    value: Option<String>,
    is_new: bool,
    can_save: bool,
) -> anyhow::Result<Field> {
    let mut options = Vec::new();
    let kind = match column.kind {
        _ if !can_save => "look",
        Holds::Time => "look",
        Holds::Number => "number",
        Holds::Line => "line",
        Holds::Lines => "lines",
        Holds::Flag => "flag",
        Holds::Password => "password",
        Holds::Word(words) => {
            options.extend(words.iter().map(|w| (w.to_string(), w.to_string())));
            "choice"
        }
        Holds::Row(model) | Holds::RowOrNone(model) => {
            if matches!(column.kind, Holds::RowOrNone(_)) {
                options.push((String::new(), "–".to_string()));
            }
            options.extend(rows_to_choose(scope, model, value.as_deref()).await?);
            "choice"
        }
    };
    // A new row is open, required, active unless somebody says otherwise.
    let value = match (column.kind, value) {
        (Holds::Flag, None) if is_new => {
            if column.name.starts_with("may_manage") { "f" } else { "t" }.to_string()
        }
        (_, value) => value.unwrap_or_default(),
    };
    Ok(Field { name: column.name, label: column.label, kind, value, options })
}

async fn rows_to_choose(
    scope: &Scope,
    model: Model,
    chosen: Option<&str>,
) -> anyhow::Result<Vec<(String, String)>> {
    let Some(table) = Table::of(model) else { return Ok(Vec::new()) };
    let chosen = chosen.and_then(|c| c.parse::<i64>().ok()).unwrap_or_default();
    let sql = format!(
        "SELECT id, {} AS label FROM {} ORDER BY id <> $1, id DESC LIMIT {OPTIONS}",
        table.naming_column(),
        model.table()
    );
    let rows = ask(scope, model, sql, vec![chosen.into()]).await?;
    Ok(rows.iter().map(|r| (r.text("id"), format!("{} (#{})", r.text("label"), r.text("id")))).collect())
}

/// What a form said, as columns and values.
async fn typed(
    visit: &Visit,
    table: &Table,
    is_new: bool,
) -> Result<(Vec<&'static str>, Vec<Param>), Trouble> {
    let (mut names, mut params): (Vec<&'static str>, Vec<Param>) = Default::default();
    for column in table.columns {
        let text = visit.field(column.name).trim();
        let bad = || Trouble::Bad(format!("“{}” is missing or cannot be read.", column.label));
        let value: Param = match column.kind {
            Holds::Time => continue,
            Holds::Number | Holds::Row(_) => text.parse::<i64>().map_err(|_| bad())?.into(),
            Holds::RowOrNone(_) if text.is_empty() => Param::Int(None),
            Holds::RowOrNone(_) => text.parse::<i64>().map_err(|_| bad())?.into(),
            Holds::Flag => (text == "on").into(),
            Holds::Line | Holds::Lines => {
                if text.is_empty() && !may_be_empty(table.model, column.name) {
                    return Err(bad());
                }
                text.into()
            }
            Holds::Word(words) if words.contains(&text) => text.into(),
            Holds::Word(_) => return Err(bad()),
            // An empty password leaves the old one.
            Holds::Password if text.is_empty() && !is_new => continue,
            Holds::Password if text.len() < 10 => {
                return Err(Trouble::Bad("A password has at least 10 characters.".to_string()));
            }
            Holds::Password => {
                let text = text.to_string();
                let hash = tokio::task::spawn_blocking(move || crate::secret::password_hash(&text)).await;
                hash.map_err(|_| bad())?.into()
            }
        };
        names.push(column.name);
        params.push(value);
    }
    Ok((names, params))
}

/// Texts that somebody may leave out.
fn may_be_empty(model: Model, column: &str) -> bool {
    match model {
        Model::SurveyPage => column == "title",
        Model::SurveyText => column == "body",
        _ => matches!(column, "email" | "contact" | "town"),
    }
}

/// What the database refuses, in words; anything else is its failure.
pub(super) fn refused(error: anyhow::Error) -> Trouble {
    let code =
        error.chain().find_map(|e| e.downcast_ref::<tokio_postgres::Error>()).and_then(|e| e.code()).cloned();
    let sentence = match code {
        Some(SqlState::UNIQUE_VIOLATION) => "There is one like this already.",
        Some(SqlState::FOREIGN_KEY_VIOLATION) => {
            "Other rows belong to this one, or one that it names is gone."
        }
        Some(SqlState::CHECK_VIOLATION | SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => "A value is not allowed.",
        _ => return Trouble::Unavailable(error),
    };
    Trouble::Bad(sentence.to_string())
}

fn links(model: Model, id: &str) -> Vec<(String, &'static str)> {
    match model {
        _ if id.is_empty() => Vec::new(),
        Model::Survey => vec![
            (format!("/admin/survey_page/?survey_id={id}"), "Pages"),
            (format!("/admin/survey_text/?survey_id={id}"), "Texts"),
            (format!("/admin/survey/{id}/roster"), "Roster"),
            (format!("/admin/survey/{id}/responses"), "Responses"),
        ],
        Model::SurveyPage => vec![
            (format!("/admin/question/?page_id={id}"), "Questions"),
            (format!("/admin/question/new?page_id={id}"), "New question"),
            (format!("/admin/skip_rule/?page_id={id}"), "Skip rules"),
        ],
        Model::AnswerScale => vec![(format!("/admin/answer_choice/?scale_id={id}"), "Choices")],
        Model::RosterUpload => vec![
            (format!("/admin/roster_row/?roster_upload_id={id}"), "Lines"),
            (format!("/admin/roster_upload/{id}/codes.csv"), "Codes"),
        ],
        _ => Vec::new(),
    }
}
