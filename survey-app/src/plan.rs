//! A survey before it is in the database: what an upload contains, and what the runs generate.
//!
//! Serves the administration's upload, `demo` and `run`. Reading a plan is pure; [`store`] writes one.

use crate::db::Rows;
use crate::models::Model;
use crate::scope::{Memory, Scope, Select};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A survey as a file (TOML).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its address.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// Who conducts it.
    pub organization: String,
    /// The text on the first page.
    #[serde(default)]
    pub welcome: String,
    /// Who sees the answers.
    #[serde(default)]
    pub privacy: String,
    /// Choices by the name of their scale.
    #[serde(default)]
    pub scales: BTreeMap<String, Vec<String>>,
    /// The pages in order.
    pub pages: Vec<PlannedPage>,
}

/// A page of a [`Plan`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedPage {
    /// Its heading.
    #[serde(default)]
    pub title: String,
    /// Its questions in order.
    pub questions: Vec<PlannedQuestion>,
}

/// A question of a [`PlannedPage`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedQuestion {
    /// The question.
    pub text: String,
    /// The scale of its choices; without one, it takes free text.
    pub scale: Option<String>,
    /// Whether it may be left out.
    #[serde(default)]
    pub optional: bool,
    /// Choice (counted from 1) → page to go on with.
    #[serde(default)]
    pub skip: BTreeMap<String, i64>,
}

const MOST_PAGES: usize = 60;

impl Plan {
    /// Reads and checks an upload; the error is a sentence for the person who uploaded it.
    pub fn read(text: &str) -> Result<Plan> {
        let plan: Plan = toml::from_str(text).context("This is not a survey file")?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if plan.slug.is_empty() || plan.slug.len() > 60 || !plan.slug.chars().all(plain) {
            bail!("The slug may hold small letters, digits and hyphens, at most 60 of them");
        }
        if plan.title.trim().is_empty() || plan.organization.trim().is_empty() {
            bail!("A survey needs a title and an organization");
        }
        if plan.pages.is_empty() || plan.pages.len() > MOST_PAGES {
            bail!("A survey has 1 to {MOST_PAGES} pages, this one has {}", plan.pages.len());
        }
        for (at, page) in plan.pages.iter().enumerate() {
            if page.questions.is_empty() {
                bail!("Page {} has no questions", at + 1);
            }
            for question in &page.questions {
                let choices = match &question.scale {
                    Some(name) => match plan.scales.get(name) {
                        Some(choices) if !choices.is_empty() => choices.len(),
                        _ => bail!("Page {} uses the scale `{name}`, which has no choices", at + 1),
                    },
                    None => 0,
                };
                for (choice, to) in &question.skip {
                    let known = choice.parse::<usize>().is_ok_and(|c| (1..=choices).contains(&c));
                    if !known || *to <= at as i64 + 1 {
                        bail!("Page {}: a rule goes from a choice of its question to a later page", at + 1);
                    }
                }
            }
        }
        Ok(plan)
    }

    /// The survey of a run: `pages` pages of 5, 4 and 6 questions in turn, one scale, no rules.
    pub fn for_run(pages: usize) -> Plan {
        let themes =
            ["The lessons", "My teachers", "My class", "At home", "Around school", "What comes next"];
        let starts = [
            "The work in class makes me think",
            "I know what is expected of me",
            "Somebody notices when I do well",
            "I feel safe on my way to school",
            "We learn from each other",
            "I can ask when I do not understand",
        ];
        let page = |at: usize| PlannedPage {
            title: format!("{} ({})", themes[at % themes.len()], at + 1),
            questions: (0..questions_of_page(at))
                .map(|q| PlannedQuestion {
                    text: format!("{}.", starts[(at + q) % starts.len()]),
                    scale: Some("agreement".to_string()),
                    optional: false,
                    skip: BTreeMap::new(),
                })
                .collect(),
        };
        let choices = ["Not at all", "Hardly", "Somewhat", "Mostly", "Fully"];
        Plan {
            slug: "run".to_string(),
            title: "How is your school?".to_string(),
            organization: "Office for School Development".to_string(),
            welcome: "We would like to know how you see your school.".to_string(),
            privacy: "Your answers are counted, never shown with your name.".to_string(),
            scales: BTreeMap::from([("agreement".to_string(), choices.map(str::to_string).to_vec())]),
            pages: (0..pages).map(page).collect(),
        }
    }
}

/// Questions on page `at` (counted from 0) of a generated survey: 5, 4, 6, 5, 4, 6, …
pub fn questions_of_page(at: usize) -> usize {
    [5, 4, 6][at % 3]
}

/// Writes a plan; the survey's id. Whoever serves pages already then calls [`announce`].
pub async fn store(scope: &Scope, plan: &Plan) -> Result<i64> {
    let organization = organization(scope, &plan.organization).await?;
    let sql = "INSERT INTO survey (organization_id, slug, title) VALUES ($1, $2, $3) RETURNING id";
    let params = vec![organization.into(), plan.slug.as_str().into(), plan.title.as_str().into()];
    let rows = scope.execute(Model::Survey, sql, params).await?;
    let survey = rows.first().context("RETURNING gave no row")?.int("id");
    for (place, body) in [("welcome", &plan.welcome), ("privacy", &plan.privacy)] {
        let sql = "INSERT INTO survey_text (survey_id, place, body) VALUES ($1, $2, $3)";
        scope
            .execute(Model::SurveyText, sql, vec![survey.into(), place.into(), body.as_str().into()])
            .await?;
    }
    let scales = store_scales(scope, plan).await?;
    let (numbers, titles): (Vec<i64>, Vec<String>) =
        plan.pages.iter().enumerate().map(|(at, p)| (at as i64 + 1, p.title.clone())).unzip();
    let sql = "INSERT INTO survey_page (survey_id, number, title) \
               SELECT $1, given.number, given.title FROM unnest($2, $3) AS given (number, title) RETURNING id, number";
    let pages =
        scope.execute(Model::SurveyPage, sql, vec![survey.into(), numbers.into(), titles.into()]).await?;
    let page_ids: BTreeMap<i64, i64> = pages.iter().map(|r| (r.int("number"), r.int("id"))).collect();
    store_questions(scope, plan, &page_ids, &scales).await?;
    Ok(survey)
}

/// After the commit, forgets that what a stored plan brought was missing.
pub fn announce(scope: &Scope) {
    for model in [Model::Survey, Model::SurveyPage, Model::Question, Model::SkipRule] {
        scope.created_after_commit(model);
    }
}

async fn store_scales(scope: &Scope, plan: &Plan) -> Result<BTreeMap<String, i64>> {
    let mut ids = BTreeMap::new();
    for (name, choices) in &plan.scales {
        let sql = "INSERT INTO answer_scale (name) VALUES ($1) RETURNING id";
        let rows = scope.execute(Model::AnswerScale, sql, vec![name.as_str().into()]).await?;
        let id = rows.first().context("RETURNING gave no row")?.int("id");
        let sql = "INSERT INTO answer_choice (scale_id, number, value, label) \
                   SELECT $1, given.number, given.number::text, given.label FROM unnest($2, $3) AS given (number, label)";
        let numbers: Vec<i64> = (1..=choices.len() as i64).collect();
        scope
            .execute(Model::AnswerChoice, sql, vec![id.into(), numbers.into(), choices.clone().into()])
            .await?;
        ids.insert(name.clone(), id);
    }
    Ok(ids)
}

async fn store_questions(
    scope: &Scope,
    plan: &Plan,
    pages: &BTreeMap<i64, i64>,
    scales: &BTreeMap<String, i64>,
) -> Result<()> {
    let (mut page_ids, mut numbers, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    let (mut scale_ids, mut required) = (Vec::new(), Vec::new());
    let mut number = 0;
    for (at, page) in plan.pages.iter().enumerate() {
        for question in &page.questions {
            number += 1;
            page_ids.push(pages[&(at as i64 + 1)]);
            numbers.push(number);
            bodies.push(question.text.clone());
            // Arrays carry no NULL here: 0 is no scale.
            scale_ids.push(question.scale.as_ref().map_or(0, |name| scales[name]));
            required.push(i64::from(!question.optional));
        }
    }
    let sql = "INSERT INTO question (page_id, number, body, scale_id, required) \
               SELECT given.page, given.number, given.body, nullif(given.scale, 0), given.required = 1 \
               FROM unnest($1, $2, $3, $4, $5) AS given (page, number, body, scale, required) RETURNING id, number";
    let params = vec![page_ids.into(), numbers.into(), bodies.into(), scale_ids.into(), required.into()];
    let rows = scope.execute(Model::Question, sql, params).await?;
    let ids: BTreeMap<i64, i64> = rows.iter().map(|r| (r.int("number"), r.int("id"))).collect();
    let mut number = 0;
    for (at, page) in plan.pages.iter().enumerate() {
        for question in &page.questions {
            number += 1;
            for (choice, to) in &question.skip {
                let sql =
                    "INSERT INTO skip_rule (page_id, question_id, value, to_page) VALUES ($1, $2, $3, $4)";
                let params = vec![
                    pages[&(at as i64 + 1)].into(),
                    ids[&number].into(),
                    choice.as_str().into(),
                    (*to).into(),
                ];
                scope.execute(Model::SkipRule, sql, params).await?;
            }
        }
    }
    Ok(())
}

/// The id of an organization, which is made when there is none. Not remembered: it is about to change.
async fn organization(scope: &Scope, name: &str) -> Result<i64> {
    let select = Select {
        model: Model::Organization,
        joined: &[],
        sql: "SELECT id FROM organization WHERE name = $1 ORDER BY id LIMIT 1".to_string(),
        params: vec![name.into()],
        memory: Memory::Never,
    };
    if let Some(row) = scope.select_from_primary(&select).await?.first() {
        return Ok(row.int("id"));
    }
    let sql = "INSERT INTO organization (name) VALUES ($1) RETURNING id";
    let rows = scope.execute(Model::Organization, sql, vec![name.into()]).await?;
    Ok(rows.first().context("RETURNING gave no row")?.int("id"))
}

/// The ids of schools by name; those that are missing are made, as schools of `organization`.
async fn schools(scope: &Scope, organization: i64, names: &BTreeSet<&str>) -> Result<BTreeMap<String, i64>> {
    let select = Select {
        model: Model::School,
        joined: &[],
        sql: "SELECT id, name FROM school WHERE name = ANY($1) ORDER BY id DESC".to_string(),
        params: vec![names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>().into()],
        memory: Memory::Never,
    };
    // Of namesakes the first stays.
    let by_name =
        |rows: &Rows| rows.iter().map(|r| (r.text("name"), r.int("id"))).collect::<BTreeMap<_, _>>();
    let mut ids = by_name(&scope.select_from_primary(&select).await?);
    let missing: Vec<String> =
        names.iter().filter(|name| !ids.contains_key(**name)).map(|name| (*name).to_string()).collect();
    if !missing.is_empty() {
        let sql = "INSERT INTO school (organization_id, name) \
                   SELECT $1, given.name FROM unnest($2) AS given (name) RETURNING id, name";
        ids.extend(by_name(
            &scope.execute(Model::School, sql, vec![organization.into(), missing.into()]).await?,
        ));
    }
    Ok(ids)
}

/// Puts people on the roster of a survey: `(person, school)`. Those who are on it already keep their code.
/// Says how many are new.
pub async fn enroll(scope: &Scope, survey: i64, people: &[(String, String)]) -> Result<usize> {
    let select = Select {
        model: Model::Survey,
        joined: &[],
        sql: "SELECT organization_id FROM survey WHERE id = $1".to_string(),
        params: vec![survey.into()],
        memory: Memory::Never,
    };
    let rows = scope.select_from_primary(&select).await?;
    let organization = rows.first().context("there is no such survey")?.int("organization_id");
    let names: BTreeSet<&str> = people.iter().map(|p| p.1.as_str()).collect();
    let schools = schools(scope, organization, &names).await?;
    let mut new = 0;
    for chunk in people.chunks(1000) {
        let ids: Vec<i64> = chunk.iter().map(|(_, school)| schools[school.as_str()]).collect();
        let persons: Vec<String> = chunk.iter().map(|(person, _)| person.clone()).collect();
        let codes: Vec<String> = persons.iter().map(|p| stored_code(scope, survey, p)).collect();
        let sql = "INSERT INTO respondent (survey_id, school_id, person, code_hmac) \
                   SELECT $1, given.school, given.person, given.code FROM unnest($2, $3, $4) AS given (school, person, code) \
                   ON CONFLICT (survey_id, person) DO NOTHING RETURNING id";
        let params = vec![survey.into(), ids.into(), persons.into(), codes.into()];
        new += scope.execute(Model::Respondent, sql, params).await?.iter().count();
    }
    Ok(new)
}

fn stored_code(scope: &Scope, survey: i64, person: &str) -> String {
    let secret = &scope.app().secret;
    crate::secret::code_hmac(secret, &crate::secret::login_code(secret, survey, person))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "slug = 'a-1'\ntitle = 'T'\norganization = 'O'\n[scales]\nyes = ['no', 'yes']\n\
                        [[pages]]\nquestions = [{ text = 'Q', scale = 'yes', skip = { 1 = 3 } }]\n\
                        [[pages]]\nquestions = [{ text = 'W', optional = true }]\n";

    #[test]
    fn a_plan_is_read_or_refused_with_a_sentence() {
        let plan = Plan::read(GOOD).unwrap();
        assert_eq!((plan.pages.len(), plan.pages[0].questions[0].skip["1"]), (2, 3));
        for (from, to, says) in [
            ("'a-1'", "'A b'", "small letters"),
            ("1 = 3", "1 = 1", "later page"),
            ("1 = 3", "7 = 3", "a choice of its question"),
            ("scale = 'yes'", "scale = 'no'", "which has no choices"),
            ("title = 'T'", "", "not a survey file"),
        ] {
            let error = Plan::read(&GOOD.replace(from, to)).unwrap_err();
            assert!(format!("{error:#}").contains(says), "{to}: {error:#}");
        }
    }

    #[test]
    fn generated_surveys_have_five_questions_a_page_on_average() {
        let questions: usize = Plan::for_run(10).pages.iter().map(|p| p.questions.len()).sum();
        assert_eq!(questions, 50);
    }
}
