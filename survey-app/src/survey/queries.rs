//! The SELECTs of the hot views, and the rows they give.
//!
//! Serves the views beside it. Each function asks for one thing; whether that costs a statement is the
//! scope's business, except for `select_related`, which changes what is asked.

use crate::db::{Param, Row};
use crate::models::Model;
use crate::scope::{Memory, Scope, Select};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A survey, and who conducts it when that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    pub(crate) id: i64,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) is_open: bool,
    pub(crate) organization: String,
}

/// A page; `is_last` says that nothing follows.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) id: i64,
    pub(crate) number: i64,
    pub(crate) title: String,
    pub(crate) is_last: bool,
}

/// A question with its choices; without any, it takes free text.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) id: i64,
    pub(crate) number: i64,
    pub(crate) body: String,
    pub(crate) required: bool,
    pub(crate) scale: Option<i64>,
    pub(crate) choices: Vec<Choice>,
}

/// A choice of a scale.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
}

/// Somebody on a roster.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Respondent {
    pub(crate) id: i64,
    pub(crate) school: i64,
}

/// How far somebody is: the row of `response_session`, and, when they are known without asking, all answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) id: i64,
    pub(crate) respondent: i64,
    pub(crate) survey: i64,
    pub(crate) current_page: i64,
    pub(crate) reached_end: bool,
    pub(crate) completed: bool,
    /// Grows by one with each save; a gap says that somebody else saved in between.
    pub(crate) version: i64,
    /// By question; `None` when only the database knows.
    pub(crate) answers: Option<BTreeMap<i64, String>>,
}

/// The columns of [`Progress`], for SELECT and RETURNING alike.
pub(crate) const PROGRESS: &str = "id, respondent_id, survey_id, current_page, reached_end, \
                                   completed_at IS NOT NULL AS completed, version";

impl Progress {
    pub(crate) fn of(row: &Row<'_>) -> Progress {
        Progress {
            id: row.int("id"),
            respondent: row.int("respondent_id"),
            survey: row.int("survey_id"),
            current_page: row.int("current_page"),
            reached_end: row.flag("reached_end"),
            completed: row.flag("completed"),
            version: row.int("version"),
            answers: None,
        }
    }
}

/// The name under which a respondent's progress is written through.
pub fn progress_name(id: i64) -> String {
    format!("progress:{id}")
}

/// The name under which a respondent is written through.
pub(crate) fn respondent_name(id: i64) -> String {
    format!("respondent:{id}")
}

fn rows_of(model: Model, sql: &str, params: Vec<Param>) -> Select {
    Select { model, joined: &[], sql: sql.to_string(), params, memory: Memory::Rows }
}

fn plain(model: Model, sql: &str, params: Vec<Param>) -> Select {
    Select { memory: Memory::Never, ..rows_of(model, sql, params) }
}

fn count_of(model: Model, sql: &str, params: Vec<Param>) -> Select {
    Select { memory: Memory::Count, ..rows_of(model, sql, params) }
}

fn survey_of(row: &Row<'_>) -> Survey {
    Survey {
        id: row.int("id"),
        slug: row.text("slug"),
        title: row.text("title"),
        is_open: row.flag("is_open"),
        organization: row.text("organization"),
    }
}

/// The survey at an address.
pub(crate) async fn survey(scope: &Scope, slug: &str) -> Result<Option<Survey>> {
    let sql = "SELECT id, organization_id, slug, title, is_open FROM survey WHERE slug = $1";
    let rows = scope.select(&rows_of(Model::Survey, sql, vec![slug.into()])).await?;
    Ok(rows.first().map(|row| survey_of(&row)))
}

/// The survey at an address and the name of its organization: one SELECT, or two.
pub(crate) async fn survey_with_organization(scope: &Scope, slug: &str) -> Result<Option<Survey>> {
    if scope.app().switches.sql.select_related {
        let sql = "SELECT survey.id, survey.organization_id, slug, title, is_open, organization.name AS organization \
                   FROM survey JOIN organization ON organization.id = survey.organization_id WHERE slug = $1";
        let select = Select {
            joined: &[("organization_id", Model::Organization)],
            ..rows_of(Model::Survey, sql, vec![slug.into()])
        };
        return Ok(scope.select(&select).await?.first().map(|row| survey_of(&row)));
    }
    let sql = "SELECT id, organization_id, slug, title, is_open FROM survey WHERE slug = $1";
    let rows = scope.select(&rows_of(Model::Survey, sql, vec![slug.into()])).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let sql = "SELECT id, name FROM organization WHERE id = $1";
    let organization =
        scope.select(&rows_of(Model::Organization, sql, vec![row.int("organization_id").into()])).await?;
    let name = organization.first().map(|o| o.text("name")).unwrap_or_default();
    Ok(Some(Survey { organization: name, ..survey_of(&row) }))
}

/// The name of a school.
pub(crate) async fn school(scope: &Scope, id: i64) -> Result<String> {
    let sql = "SELECT id, organization_id, name FROM school WHERE id = $1";
    let rows = scope.select(&rows_of(Model::School, sql, vec![id.into()])).await?;
    Ok(rows.first().map(|r| r.text("name")).unwrap_or_default())
}

/// A setting of the whole application.
pub(crate) async fn setting(scope: &Scope, name: &str) -> Result<Option<String>> {
    let sql = "SELECT id, name, value FROM app_setting WHERE name = $1";
    let rows = scope.select(&rows_of(Model::AppSetting, sql, vec![name.into()])).await?;
    Ok(rows.first().map(|r| r.text("value")))
}

/// The texts of a survey by their place.
pub(crate) async fn texts(scope: &Scope, survey: i64) -> Result<BTreeMap<String, String>> {
    let sql = "SELECT id, survey_id, place, body FROM survey_text WHERE survey_id = $1";
    let rows = scope.select(&rows_of(Model::SurveyText, sql, vec![survey.into()])).await?;
    Ok(rows.iter().map(|r| (r.text("place"), r.text("body"))).collect())
}

/// The pages of a survey, without their questions.
pub(crate) async fn pages(scope: &Scope, survey: i64) -> Result<Vec<(i64, String)>> {
    let sql = "SELECT id, survey_id, number, title FROM survey_page WHERE survey_id = $1 ORDER BY number";
    let rows = scope.select(&rows_of(Model::SurveyPage, sql, vec![survey.into()])).await?;
    Ok(rows.iter().map(|r| (r.int("number"), r.text("title"))).collect())
}

/// One page of a survey.
pub(crate) async fn page(scope: &Scope, survey: i64, number: i64) -> Result<Option<Page>> {
    let sql = "SELECT id, survey_id, number, title, NOT EXISTS (SELECT 1 FROM survey_page later \
               WHERE later.survey_id = survey_page.survey_id AND later.number > survey_page.number) AS is_last \
               FROM survey_page WHERE survey_id = $1 AND number = $2";
    let rows = scope.select(&rows_of(Model::SurveyPage, sql, vec![survey.into(), number.into()])).await?;
    Ok(rows.first().map(|r| Page {
        id: r.int("id"),
        number: r.int("number"),
        title: r.text("title"),
        is_last: r.flag("is_last"),
    }))
}

/// The questions of a page with their choices: one SELECT, or one and one more for each question.
pub(crate) async fn questions(scope: &Scope, page: i64) -> Result<Vec<Question>> {
    let mut out: Vec<Question> = Vec::new();
    if scope.app().switches.sql.select_related {
        let sql = "SELECT question.id, page_id, question.scale_id, question.number, body, required, \
                   answer_choice.id AS choice_id, answer_choice.value, answer_choice.label \
                   FROM question LEFT JOIN answer_choice ON answer_choice.scale_id = question.scale_id \
                   WHERE page_id = $1 ORDER BY question.number, answer_choice.number";
        let select = Select {
            joined: &[("choice_id", Model::AnswerChoice)],
            ..rows_of(Model::Question, sql, vec![page.into()])
        };
        for row in scope.select(&select).await?.iter() {
            if out.last().is_none_or(|q| q.id != row.int("id")) {
                out.push(question_of(&row));
            }
            if row.get("choice_id").is_some()
                && let Some(question) = out.last_mut()
            {
                question.choices.push(choice_of(&row));
            }
        }
        return Ok(out);
    }
    let sql = "SELECT id, page_id, scale_id, number, body, required FROM question WHERE page_id = $1 ORDER BY number";
    for row in scope.select(&rows_of(Model::Question, sql, vec![page.into()])).await?.iter() {
        let mut question = question_of(&row);
        if question.scale.is_some() {
            question.choices = choices(scope, question.id).await?;
        }
        out.push(question);
    }
    Ok(out)
}

/// The choices of one question, asked for by the question as an ORM does it: the planted N+1.
async fn choices(scope: &Scope, question: i64) -> Result<Vec<Choice>> {
    let sql = "SELECT answer_choice.id, answer_choice.scale_id, value, label, question.id AS question_id \
               FROM answer_choice JOIN question ON question.scale_id = answer_choice.scale_id \
               WHERE question.id = $1 ORDER BY answer_choice.number";
    let select = Select {
        joined: &[("question_id", Model::Question)],
        ..rows_of(Model::AnswerChoice, sql, vec![question.into()])
    };
    Ok(scope.select(&select).await?.iter().map(|row| choice_of(&row)).collect())
}

fn question_of(row: &Row<'_>) -> Question {
    Question {
        id: row.int("id"),
        number: row.int("number"),
        body: row.text("body"),
        required: row.flag("required"),
        scale: row.opt_int("scale_id"),
        choices: Vec::new(),
    }
}

fn choice_of(row: &Row<'_>) -> Choice {
    Choice { value: row.text("value"), label: row.text("label") }
}

/// Where certain answers of a page lead: `(question, value, page)`. Most pages have none.
pub(crate) async fn skip_rules(scope: &Scope, page: i64) -> Result<Vec<(i64, String, i64)>> {
    let sql = "SELECT id, page_id, question_id, value, to_page FROM skip_rule WHERE page_id = $1 ORDER BY id";
    let rows = scope.select(&rows_of(Model::SkipRule, sql, vec![page.into()])).await?;
    Ok(rows.iter().map(|r| (r.int("question_id"), r.text("value"), r.int("to_page"))).collect())
}

/// How many pages a survey has.
pub(crate) async fn count_pages(scope: &Scope, survey: i64) -> Result<i64> {
    let sql = "SELECT count(*) AS n FROM survey_page WHERE survey_id = $1";
    Ok(first_number(&scope.select(&count_of(Model::SurveyPage, sql, vec![survey.into()])).await?))
}

/// How many questions a survey has.
pub(crate) async fn count_questions(scope: &Scope, survey: i64) -> Result<i64> {
    let sql = "SELECT count(*) AS n FROM question JOIN survey_page ON survey_page.id = question.page_id \
               WHERE survey_page.survey_id = $1";
    Ok(first_number(&scope.select(&count_of(Model::Question, sql, vec![survey.into()])).await?))
}

/// How many people of a school have completed a survey; may be some minutes old.
pub(crate) async fn count_completed(scope: &Scope, survey: i64, school: i64) -> Result<i64> {
    let sql = "SELECT count(*) AS n FROM response_session \
               WHERE school_id = $1 AND survey_id = $2 AND completed_at IS NOT NULL";
    let select = count_of(Model::ResponseSession, sql, vec![school.into(), survey.into()]);
    Ok(first_number(&scope.select(&select).await?))
}

/// How many answers somebody has given: never remembered, it is what they are told at the end.
pub(crate) async fn count_answers(scope: &Scope, session: i64) -> Result<i64> {
    let sql = "SELECT count(*) AS n FROM response_item WHERE session_id = $1";
    Ok(first_number(&scope.select(&plain(Model::ResponseItem, sql, vec![session.into()])).await?))
}

fn first_number(rows: &crate::db::Rows) -> i64 {
    rows.first().map(|r| r.int("n")).unwrap_or_default()
}

/// The respondent with a login code: asked again at the primary when the replica has not heard of them.
pub(crate) async fn respondent_by_code(
    scope: &Scope,
    survey: i64,
    code_hmac: &str,
) -> Result<Option<Respondent>> {
    let sql = "SELECT id, school_id FROM respondent WHERE code_hmac = $1 AND survey_id = $2";
    let select = plain(Model::Respondent, sql, vec![code_hmac.into(), survey.into()]);
    let mut rows = scope.select(&select).await?;
    if rows.is_empty() && scope.app().router.pins() {
        rows = scope.select_from_primary(&select).await?;
    }
    Ok(rows.first().map(|r| Respondent { id: r.int("id"), school: r.int("school_id") }))
}

/// A respondent.
pub(crate) async fn respondent(scope: &Scope, id: i64) -> Result<Option<Respondent>> {
    if let Some(known) = scope.written_through(&respondent_name(id)).await {
        return Ok(Some(known));
    }
    let sql = "SELECT id, school_id FROM respondent WHERE id = $1";
    let rows = scope.select(&plain(Model::Respondent, sql, vec![id.into()])).await?;
    Ok(rows.first().map(|r| Respondent { id: r.int("id"), school: r.int("school_id") }))
}

/// How far somebody is.
pub(crate) async fn progress(scope: &Scope, id: i64) -> Result<Option<Progress>> {
    if let Some(known) = scope.written_through(&progress_name(id)).await {
        return Ok(Some(known));
    }
    let sql = format!("SELECT {PROGRESS} FROM response_session WHERE id = $1");
    let rows = scope.select(&plain(Model::ResponseSession, &sql, vec![id.into()])).await?;
    Ok(rows.first().map(|row| Progress::of(&row)))
}

/// The progress of a respondent who has been here before.
pub(crate) async fn progress_of_respondent(scope: &Scope, respondent: i64) -> Result<Option<Progress>> {
    let sql = format!("SELECT {PROGRESS} FROM response_session WHERE respondent_id = $1");
    let rows = scope.select(&plain(Model::ResponseSession, &sql, vec![respondent.into()])).await?;
    Ok(rows.first().map(|row| Progress::of(&row)))
}

/// What somebody has answered on one page.
pub(crate) async fn answers_of_page(scope: &Scope, session: i64, page: i64) -> Result<BTreeMap<i64, String>> {
    let sql = "SELECT question_id, value FROM response_item WHERE session_id = $1 AND question_id IN \
               (SELECT id FROM question WHERE page_id = $2)";
    let rows = scope.select(&plain(Model::ResponseItem, sql, vec![session.into(), page.into()])).await?;
    Ok(rows.iter().map(|r| (r.int("question_id"), r.text("value"))).collect())
}

/// One answer.
pub(crate) async fn answer(scope: &Scope, session: i64, question: i64) -> Result<Option<String>> {
    let sql = "SELECT question_id, value FROM response_item WHERE session_id = $1 AND question_id = $2";
    let rows = scope.select(&plain(Model::ResponseItem, sql, vec![session.into(), question.into()])).await?;
    Ok(rows.first().map(|r| r.text("value")))
}
