//! `survey_content`: one page of questions, with what was answered before, as a fragment for the script.

use super::queries;
use super::taker;
use crate::pages::{self, ContentPage, ShownQuestion};
use crate::trouble::Trouble;
use crate::web::{Answer, Visit};
use std::sync::Arc;

/// Page `number`, when the respondent has come that far.
pub(super) async fn show(visit: Arc<Visit>) -> Answer {
    let taker = taker(&visit, false).await?;
    let number = visit.number("number")?;
    if number > taker.progress.current_page {
        return Err(Trouble::Forbidden("Please answer the pages before this one first."));
    }
    if taker.progress.completed {
        return Err(Trouble::Forbidden("This survey is complete. Thank you!"));
    }
    let scope = &visit.scope;
    let page = queries::page(scope, taker.survey.id, number).await?.ok_or(Trouble::NotFound)?;
    let questions = queries::questions(scope, page.id).await?;
    let answers = match &taker.progress.answers {
        Some(all) => all.clone(),
        None => queries::answers_of_page(scope, taker.progress.id, page.id).await?,
    };
    let branches = !queries::skip_rules(scope, page.id).await?.is_empty();
    let pages = queries::count_pages(scope, taker.survey.id).await?;
    let total = queries::count_questions(scope, taker.survey.id).await?;
    let shown = questions
        .into_iter()
        .map(|q| ShownQuestion {
            given: answers.get(&q.id).cloned().unwrap_or_default(),
            id: q.id,
            number: q.number,
            body: q.body,
            required: q.required,
            choices: q.choices.into_iter().map(|c| (c.value, c.label)).collect(),
        })
        .collect();
    Ok(pages::html(&ContentPage {
        number: page.number,
        title: page.title,
        is_last: page.is_last,
        branches,
        pages,
        total,
        questions: shown,
    }))
}
