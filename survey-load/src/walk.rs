//! The walk through a survey: what the page's own script does, without a browser.
//!
//! ```text
//!   GET login, POST code ─► GET take ─► (GET content n, POST page n) × P ─► GET complete        2P + 4 requests
//! ```
//!
//! Serves the attack. Knows the application only from outside: addresses, forms, attributes of its pages.

use crate::codes::Ticket;
use crate::page::{self, Question};
use crate::taker::{Ask, Ended, Reply, Taker};

/// The name of a form's content type.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The whole survey; how many requests that should have been.
pub(crate) async fn take(taker: &mut Taker<'_>, ticket: &Ticket) -> Result<u64, Ended> {
    let base = ticket.address.as_str();
    get(taker, "survey_login", base).await?;
    taker.think(0).await?;
    let fields = vec![("csrf".to_string(), taker.token.clone()), ("code".to_string(), ticket.code.clone())];
    let ask = Ask {
        view: "survey_login",
        method: "POST",
        path: base,
        headers: &[],
        body: Some((FORM, form(&fields))),
        expect: 303,
    };
    taker.send(&ask).await?;
    let frame_path = format!("{base}take");
    let frame = get(taker, "survey_display", &frame_path).await?;
    let number = |html: &str, name: &str| page::attribute(html, name).and_then(|v| v.parse::<u64>().ok());
    // The frame's progress bar is as long as the survey.
    let (Some(first), Some(pages)) = (number(&frame.body, "data-current"), number(&frame.body, "max")) else {
        return Err(taker.disappointed(&asked("survey_display", &frame_path), "the frame names no page"));
    };
    let (mut at, mut visits, mut sent) = (first, 0, 0);
    // Rules of a survey only ever lead forward, so there are at most as many steps as pages.
    while visits < pages {
        let content_path = format!("{base}content/{at}");
        let content = get(taker, "survey_content", &content_path).await?;
        let questions = page::questions(&content.body);
        if questions.is_empty() {
            return Err(
                taker.disappointed(&asked("survey_content", &content_path), "a page without questions")
            );
        }
        taker.think(0).await?;
        let answers: Vec<(String, String)> = questions.iter().map(|q| answer(taker, q)).collect();
        let path = format!("{base}page/{at}");
        let headers = [("x-csrftoken".to_string(), taker.token.clone())];
        let ask = Ask {
            view: "survey_change_page",
            method: "POST",
            path: &path,
            headers: &headers,
            body: Some((FORM, form(&answers))),
            expect: 200,
        };
        let reply = taker.send(&ask).await?;
        visits += 1;
        sent += answers.len();
        let told: serde_json::Value = serde_json::from_str(&reply.body).unwrap_or_default();
        match (told["next"].as_u64(), told["done"].as_str()) {
            (Some(next), None) if next > at => at = next,
            (None, Some(done)) => return complete(taker, done, first == 1, sent, visits).await,
            _ => return Err(taker.disappointed(&ask, "it does not say where to go on")),
        }
    }
    Err(taker.disappointed(&asked("survey_change_page", base), "the survey has more pages than it says"))
}

async fn complete(
    taker: &mut Taker<'_>,
    path: &str,
    from_start: bool,
    sent: usize,
    visits: u64,
) -> Result<u64, Ended> {
    let end = get(taker, "survey_complete", path).await?;
    let stored = page::text_of(&end.body, "answers").and_then(|n| n.parse::<usize>().ok());
    // Whoever came back to an old session has answers from before.
    if from_start && stored != Some(sent) {
        let why = format!("{sent} answers were sent, the end speaks of {stored:?}");
        return Err(taker.disappointed(&asked("survey_complete", path), &why));
    }
    Ok(2 * visits + 4)
}

async fn get(taker: &mut Taker<'_>, view: &str, path: &str) -> Result<Reply, Ended> {
    taker.send(&asked(view, path)).await
}

fn asked<'a>(view: &'a str, path: &'a str) -> Ask<'a> {
    Ask { view, method: "GET", path, headers: &[], body: None, expect: 200 }
}

fn answer(taker: &mut Taker<'_>, (name, values): &Question) -> (String, String) {
    let value = match values.len() as u64 {
        0 => format!("I would say {}.", taker.dice.below(1000)),
        n => values[taker.dice.below(n) as usize].clone(),
    };
    (name.clone(), value)
}

/// Fields as a browser sends them.
pub(crate) fn form(fields: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
