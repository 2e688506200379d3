//! The role `load`: a survey, people who may take it, and their login codes where a load generator finds them.

use super::ground::{Declared, Ground};
use super::state::{Load, State};
use super::{Drift, Role, web};
use crate::app::App;
use crate::plan;
use crate::router::Pin;
use crate::run::{self, enrolled};
use crate::scope::{Memory, Scope, Select, View};
use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit};
use std::sync::Arc;

const ROLE: Role = Role::Load;
const VIEW: View = View { name: "seed", route: "seed", read_only: &[] };

/// The survey, its people, the file with their codes.
pub(super) async fn apply(ground: &mut Ground, state: &State) -> Result<()> {
    let (load, app) = begin(ground, state).await?;
    let survey = match survey(&app).await? {
        Some(survey) => survey,
        None => {
            let survey = run::seed(&app, load.respondents, load.pages).await?;
            ground.note(ROLE, format!("created the survey `run` of {} pages", load.pages));
            survey
        }
    };
    let people: Vec<(String, String)> = (0..load.respondents).map(enrolled).collect();
    let known = count(&app, survey).await?;
    if known < load.respondents as i64 {
        let scope = Scope::begin(Arc::clone(&app), VIEW, None, Pin::default());
        let new = plan::enroll(&scope, survey, &people).await?;
        scope.finish(true).await?;
        ground.note(ROLE, format!("enrolled {new} people"));
    }
    ground.dir("load", None)?;
    let file = codes(ground, &app, survey, load);
    ground.write(&file)?;
    app.pools.close();
    Ok(())
}

/// What a load generator would miss.
pub(super) async fn check(ground: &Ground, state: &State) -> Result<Vec<Drift>> {
    let mut out: Vec<Drift> = Vec::new();
    match begin(ground, state).await {
        Ok((load, app)) => {
            match survey(&app).await? {
                Some(survey) => {
                    let known = count(&app, survey).await?;
                    if known < load.respondents as i64 {
                        out.push(drift("respondents", load.respondents, Some(known.to_string())));
                    }
                    out.extend(ground.compare(&codes(ground, &app, survey, load)));
                }
                None => out.push(drift("survey", "run", None)),
            }
            app.pools.close();
            out.extend(limit(load));
        }
        Err(error) => out.push(Drift { place: format!("{error:#}"), ..drift("survey", "run", None) }),
    }
    Ok(out)
}

async fn begin<'a>(ground: &Ground, state: &'a State) -> Result<(&'a Load, Arc<App>)> {
    let load = state.load.as_ref().context("the state declares no load")?;
    let web = state.web.as_ref().context("load is made at what the table [web] declares")?;
    let app = web::app(ground, state, web).await.context("the load role needs the web role's servers")?;
    Ok((load, app))
}

fn drift(what: &str, declared: impl ToString, actual: Option<String>) -> Drift {
    let declared = Some(declared.to_string());
    Drift { role: ROLE, what: what.to_string(), declared, actual, place: String::new() }
}

/// Whether a process may open as many files as declared; a load generator opens one a connection. Only whoever
/// starts it can raise that (`ulimit -n`), so `apply` cannot.
fn limit(load: &Load) -> Option<Drift> {
    let may = getrlimit(Resource::Nofile).current?;
    (may < load.open_files).then(|| drift("open_files", load.open_files, Some(may.to_string())))
}

async fn survey(app: &Arc<App>) -> Result<Option<i64>> {
    ask(app, "SELECT id AS n FROM survey WHERE slug = 'run'", Vec::new()).await
}

async fn count(app: &Arc<App>, survey: i64) -> Result<i64> {
    let sql = "SELECT count(*) AS n FROM respondent WHERE survey_id = $1";
    Ok(ask(app, sql, vec![survey.into()]).await?.unwrap_or_default())
}

async fn ask(app: &Arc<App>, sql: &str, params: Vec<crate::db::Param>) -> Result<Option<i64>> {
    let scope = Scope::begin(Arc::clone(app), VIEW, None, Pin::default());
    let select = Select {
        model: crate::models::Model::Survey,
        joined: &[],
        sql: sql.to_string(),
        params,
        memory: Memory::Never,
    };
    let rows = scope.select_from_primary(&select).await?;
    scope.finish(true).await?;
    Ok(rows.first().map(|row| row.int("n")))
}

/// The codes as the administration prints them.
fn codes(ground: &Ground, app: &App, survey: i64, load: &Load) -> Declared {
    let text = run::codes(app, survey, load.respondents);
    Declared { role: ROLE, path: ground.root.join("load/codes.csv"), text, owner: None, is_secret: true }
}
