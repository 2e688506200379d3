//! A journey gone again, by somebody else: their login code, their session, tokens of their own pages.
//!
//! Serves the attack.

use crate::codes::Ticket;
use crate::journey::{CODE, COOKIE, CSRF, Journey, Step, fill};
use crate::order::Script;
use crate::taker::{Ask, Ended, Taker};
use crate::walk::{FORM, form};

/// The whole journey; how many requests that should have been.
pub(crate) async fn play(
    taker: &mut Taker<'_>,
    journey: &Journey,
    ticket: &Ticket,
    script: &Script,
) -> Result<u64, Ended> {
    let (wrong_first, values) = match script {
        Script::Journey { wrong_token_first, values, .. } => (*wrong_token_first, values.as_slice()),
        Script::Survey => (false, &[][..]),
    };
    let mut expected = 0;
    for step in &journey.requests {
        taker.think(step.think_ms).await?;
        if wrong_first && step.has_token() {
            let wrong = wrong(&taker.token);
            let right = std::mem::replace(&mut taker.token, wrong);
            let refused = send(taker, step, ticket, values, 403).await;
            taker.token = right;
            refused?;
            expected += 1;
        }
        send(taker, step, ticket, values, step.status).await?;
        expected += 1;
    }
    Ok(expected)
}

async fn send(
    taker: &mut Taker<'_>,
    step: &Step,
    ticket: &Ticket,
    values: &[(String, String)],
    expect: u16,
) -> Result<(), Ended> {
    let filled = |text: &str| {
        fill(text, |hole| match hole {
            CSRF => taker.token.clone(),
            CODE => ticket.code.clone(),
            _ => match hole.strip_prefix(COOKIE) {
                Some(name) => taker.cookie(name).unwrap_or_default(),
                None => values.iter().find(|(n, _)| n == hole).map(|(_, v)| v.clone()).unwrap_or_default(),
            },
        })
    };
    let all = |pairs: &[(String, String)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (name.clone(), filled(value))).collect()
    };
    let (path, headers) = (filled(&step.path), all(&step.headers));
    let body = match (&step.fields, &step.body) {
        (Some(fields), _) => Some((FORM, form(&all(fields)))),
        (None, Some(body)) => Some((body.content_type.as_str(), filled(&body.text))),
        (None, None) => None,
    };
    let location = step.location.as_deref().map(filled);
    let view = view_of(&path);
    let ask = Ask { view: &view, method: &step.method, path: &path, headers: &headers, body, expect };
    let reply = taker.send(&ask).await?;
    if expect == step.status && location.is_some() && reply.location != location {
        let there = reply.location.as_deref().unwrap_or("nowhere");
        return Err(taker.disappointed(&ask, &format!("it leads to {there}")));
    }
    Ok(())
}

/// A token of the same form that is not that token.
fn wrong(token: &str) -> String {
    token.chars().map(|c| if c == '0' { '1' } else { '0' }).collect()
}

/// What a report calls an address: the application's views by their names, others by their path.
pub(crate) fn view_of(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let known = match parts.as_slice() {
        ["survey", _, ""] => "survey_login",
        ["survey", _, "take"] => "survey_display",
        ["survey", _, "content", _] => "survey_content",
        ["survey", _, "page", _] => "survey_change_page",
        ["survey", _, "complete"] => "survey_complete",
        _ => {
            let plain = |part: &&str| {
                let number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
                if number { "{n}".to_string() } else { part.to_string() }
            };
            return format!("/{}", parts.iter().map(plain).collect::<Vec<_>>().join("/"));
        }
    };
    known.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views() {
        assert_eq!(view_of("/survey/a/"), "survey_login");
        assert_eq!(view_of("/survey/a/content/12"), "survey_content");
        assert_eq!(view_of("/survey/a/page/1?x=2"), "survey_change_page");
        assert_eq!(view_of("/admin/survey/17/edit?a=1"), "/admin/survey/{n}/edit");
        assert_eq!(view_of("/"), "/");
    }

    #[test]
    fn a_wrong_token_is_another() {
        for token in ["", "0", "000", "a1b2"] {
            assert!(token.is_empty() || wrong(token) != token);
            assert_eq!(wrong(token).len(), token.len());
        }
    }
}
