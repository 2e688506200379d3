//! Files in and out: surveys, rosters, login codes, responses.
//!
//! What takes long (a roster, an export) is written down here and done by [`crate::worker`].

use super::crud::{ask, attachment, refused};
use super::gate;
use super::pages::{self, Frame, ResponsesPage, UploadPage};
use crate::models::Model;
use crate::plan::{self, Plan};
use crate::trouble::Trouble;
use crate::web::{Answer, Visit};
use crate::worker::{self, Job};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::Arc;

/// A survey file that works, shown as the example.
pub const EXAMPLE_SURVEY: &str = include_str!("../../examples/survey.toml");
const EXAMPLE_ROSTER: &str = "person,school\nJordan Reyes,North School\nSam Okafor,Lake School\n";

/// The page that takes a survey file.
pub(super) async fn survey_form(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    rights.need(rights.may_edit)?;
    Ok(pages::html(&survey_page(&visit, &rights, String::new())))
}

fn survey_page(visit: &Visit, rights: &gate::Rights, error: String) -> UploadPage {
    UploadPage {
        frame: Frame::of(visit, "Upload a survey", Some(rights)),
        lead: "A survey is a TOML file: pages with their questions, and the scales that the questions use."
            .to_string(),
        accept: ".toml,text/plain",
        example: EXAMPLE_SURVEY,
        error,
        earlier: Vec::new(),
        waits: false,
    }
}

/// A survey file.
pub(super) async fn survey_upload(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    rights.need(rights.may_edit)?;
    let (name, text) = uploaded(&visit)?;
    let plan = match Plan::read(&text) {
        Ok(plan) => plan,
        Err(error) => {
            return Ok(unprocessable(pages::html(&survey_page(&visit, &rights, format!("{error:#}.")))));
        }
    };
    let survey = plan::store(&visit.scope, &plan).await.map_err(|error| match refused(error) {
        Trouble::Bad(_) => Trouble::Bad(format!("There is a survey at “{}” already.", plan.slug)),
        other => other,
    })?;
    plan::announce(&visit.scope);
    let sql = "INSERT INTO survey_upload (survey_id, file_name, uploaded_by) VALUES ($1, $2, $3)";
    let params = vec![survey.into(), name.into(), rights.name.as_str().into()];
    visit.scope.execute(Model::SurveyUpload, sql, params).await?;
    gate::note(&visit.scope, &rights.name, &format!("uploaded survey {survey}")).await?;
    Ok(Redirect::to(&format!("/admin/survey/{survey}")).into_response())
}

/// The page that takes a roster.
pub(super) async fn roster_form(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    rights.need(rights.may_edit)?;
    Ok(pages::html(&roster_page(&visit, &rights, String::new()).await?))
}

async fn roster_page(visit: &Visit, rights: &gate::Rights, error: String) -> Result<UploadPage, Trouble> {
    let survey = visit.number("id")?;
    let title = title_of(visit, survey).await?;
    let sql = "SELECT id, to_char(at, 'YYYY-MM-DD HH24:MI') AS at, file_name, status, message FROM roster_upload \
               WHERE survey_id = $1 ORDER BY id DESC LIMIT 20";
    let rows = ask(&visit.scope, Model::RosterUpload, sql.to_string(), vec![survey.into()]).await?;
    let link = |r: &crate::db::Row<'_>| match r.get("status") {
        Some("done") => format!("/admin/roster_upload/{}/codes.csv", r.int("id")),
        _ => String::new(),
    };
    let earlier: Vec<[String; 5]> = rows
        .iter()
        .map(|r| [r.text("at"), r.text("file_name"), r.text("status"), r.text("message"), link(&r)])
        .collect();
    let waits = earlier.iter().any(|e| e[2] == "waiting" || e[2] == "working");
    Ok(UploadPage {
        frame: Frame::of(visit, "Roster", Some(rights)),
        lead: format!(
            "Who may take “{title}”: a CSV file with a person (a name or a number of yours) and a school in each line. Everybody gets a code of their own; upload the file again and those who are new are added."
        ),
        accept: ".csv,text/csv,text/plain",
        example: EXAMPLE_ROSTER,
        error,
        earlier,
        waits,
    })
}

/// A roster.
pub(super) async fn roster_upload(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    rights.need(rights.may_edit)?;
    let survey = visit.number("id")?;
    title_of(&visit, survey).await?;
    let (name, text) = uploaded(&visit)?;
    let people = match people(&text) {
        Ok(people) => people,
        Err(sentence) => {
            return Ok(unprocessable(pages::html(&roster_page(&visit, &rights, sentence).await?)));
        }
    };
    let sql =
        "INSERT INTO roster_upload (survey_id, file_name, uploaded_by) VALUES ($1, $2, $3) RETURNING id";
    let params = vec![survey.into(), name.into(), rights.name.as_str().into()];
    let rows = visit.scope.execute(Model::RosterUpload, sql, params).await?;
    let id = rows.first().map(|r| r.int("id")).unwrap_or_default();
    for (at, chunk) in people.chunks(1000).enumerate() {
        let lines: Vec<i64> = (0..chunk.len()).map(|l| (at * 1000 + l + 1) as i64).collect();
        let (persons, schools): (Vec<String>, Vec<String>) = chunk.iter().cloned().unzip();
        let sql = "INSERT INTO roster_row (roster_upload_id, line, person, school) SELECT $1, given.line, \
                   given.person, given.school FROM unnest($2, $3, $4) AS given (line, person, school)";
        visit
            .scope
            .execute(Model::RosterRow, sql, vec![id.into(), lines.into(), persons.into(), schools.into()])
            .await?;
    }
    gate::note(&visit.scope, &rights.name, &format!("uploaded roster {id}")).await?;
    // The job must find what this request wrote.
    visit.scope.commit().await?;
    worker::enqueue(visit.app(), Job::Roster(id)).await?;
    Ok(Redirect::to(&format!("/admin/survey/{survey}/roster")).into_response())
}

/// The people of a roster, or what is wrong with it.
fn people(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut out = Vec::new();
    for (at, record) in crate::csv::read(text).into_iter().enumerate() {
        let heading = at == 0 && record.first().is_some_and(|c| c.eq_ignore_ascii_case("person"));
        if heading {
            continue;
        }
        match record.as_slice() {
            [person, school, ..] if !person.is_empty() && !school.is_empty() => {
                out.push((person.clone(), school.clone()));
            }
            _ => return Err(format!("Line {} has no person or no school. Nothing was changed.", at + 1)),
        }
    }
    if out.is_empty() { Err("There is nobody in this file.".to_string()) } else { Ok(out) }
}

/// The login codes of a roster: made again from the secret, because none is stored.
pub(super) async fn codes(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    rights.need(rights.may_export)?;
    let id = visit.number("id")?;
    let sql = "SELECT roster_row.id, line, person, school, survey_id, slug FROM roster_row \
               JOIN roster_upload ON roster_upload.id = roster_row.roster_upload_id \
               JOIN survey ON survey.id = roster_upload.survey_id WHERE roster_upload_id = $1 ORDER BY line";
    let rows = ask(&visit.scope, Model::RosterRow, sql.to_string(), vec![id.into()]).await?;
    if rows.is_empty() {
        return Err(Trouble::NotFound);
    }
    let mut text = crate::csv::line(["person", "school", "address", "code"]);
    for row in rows.iter() {
        let code = crate::secret::login_code(&visit.app().secret, row.int("survey_id"), &row.text("person"));
        let address = format!("/survey/{}/", row.text("slug"));
        text.push_str(&crate::csv::line([&*row.text("person"), &*row.text("school"), &*address, &*code]));
    }
    gate::note(&visit.scope, &rights.name, &format!("printed the codes of roster {id}")).await?;
    Ok(attachment(&format!("codes-{id}.csv"), text))
}

/// The exports of a survey.
pub(super) async fn responses(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    rights.need(rights.may_export)?;
    let survey = visit.number("id")?;
    let title = title_of(&visit, survey).await?;
    let sql = "SELECT id, to_char(at, 'YYYY-MM-DD HH24:MI') AS at, requested_by, status, message FROM export_job \
               WHERE survey_id = $1 ORDER BY id DESC LIMIT 20";
    let rows = ask(&visit.scope, Model::ExportJob, sql.to_string(), vec![survey.into()]).await?;
    let link = |r: &crate::db::Row<'_>| match r.get("status") {
        Some("done") => format!("/admin/export_job/{}/responses.csv", r.int("id")),
        _ => String::new(),
    };
    let jobs: Vec<[String; 5]> = rows
        .iter()
        .map(|r| [r.text("at"), r.text("requested_by"), r.text("status"), r.text("message"), link(&r)])
        .collect();
    let waits = jobs.iter().any(|j| j[2] == "waiting" || j[2] == "working");
    let frame = Frame::of(&visit, &format!("Responses to {title}"), Some(&rights));
    Ok(pages::html(&ResponsesPage { frame, jobs, waits }))
}

/// One export more.
pub(super) async fn request_export(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    rights.need(rights.may_export)?;
    let survey = visit.number("id")?;
    title_of(&visit, survey).await?;
    let sql = "INSERT INTO export_job (survey_id, requested_by) VALUES ($1, $2) RETURNING id";
    let rows =
        visit.scope.execute(Model::ExportJob, sql, vec![survey.into(), rights.name.as_str().into()]).await?;
    let id = rows.first().map(|r| r.int("id")).unwrap_or_default();
    gate::note(&visit.scope, &rights.name, &format!("requested export {id}")).await?;
    visit.scope.commit().await?;
    worker::enqueue(visit.app(), Job::Export(id)).await?;
    Ok(Redirect::to(&format!("/admin/survey/{survey}/responses")).into_response())
}

/// A finished export.
pub(super) async fn download(visit: Arc<Visit>) -> Answer {
    let rights = gate::enter(&visit).await?;
    rights.need(rights.may_export)?;
    let id = visit.number("id")?;
    let sql = "SELECT content FROM export_job WHERE id = $1 AND status = 'done'".to_string();
    let rows = ask(&visit.scope, Model::ExportJob, sql, vec![id.into()]).await?;
    let text = rows.first().ok_or(Trouble::NotFound)?.text("content");
    gate::note(&visit.scope, &rights.name, &format!("downloaded export {id}")).await?;
    Ok(attachment(&format!("responses-{id}.csv"), text))
}

async fn title_of(visit: &Visit, survey: i64) -> Result<String, Trouble> {
    let sql = "SELECT title FROM survey WHERE id = $1".to_string();
    let rows = ask(&visit.scope, Model::Survey, sql, vec![survey.into()]).await?;
    Ok(rows.first().ok_or(Trouble::NotFound)?.text("title"))
}

/// The uploaded file's name and text.
fn uploaded(visit: &Visit) -> Result<(String, String), Trouble> {
    let file = visit.upload("file").ok_or_else(|| Trouble::Bad("Please choose a file.".to_string()))?;
    let text = String::from_utf8(file.bytes.to_vec())
        .map_err(|_| Trouble::Bad("This file is not UTF-8 text. Please save it as UTF-8.".to_string()))?;
    if text.contains('\0') {
        return Err(Trouble::Bad("This file is not text.".to_string()));
    }
    Ok((file.name.chars().take(200).collect(), text))
}

fn unprocessable(page: Response) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rosters() {
        assert_eq!(people(EXAMPLE_ROSTER).unwrap().len(), 2);
        assert_eq!(people("Pat,North\n").unwrap(), [("Pat".to_string(), "North".to_string())]);
        assert!(people("person,school\nPat\n").unwrap_err().contains("Line 2"));
        assert!(people("person,school\n").unwrap_err().contains("nobody"));
    }

    #[test]
    fn the_example_is_a_survey() {
        assert!(Plan::read(EXAMPLE_SURVEY).is_ok());
    }
}
