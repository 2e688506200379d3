//! Load on one page of the survey: half of the requests ask for it, half save it, as in the talk.
//!
//! Serves the lessons. A *closed* load sends the next request when the last is answered; an *open* one sends at
//! its rate whatever happens, as people do who know nothing of each other.

use crate::respondent::{Browser, Field, Respondent};
use axum::http::StatusCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Somebody who is logged in and stays on the first page.
#[derive(Debug)]
pub(super) struct Visitor {
    browser: Browser,
    at: std::net::SocketAddr,
    csrf: String,
    slug: String,
    answers: Vec<(String, String)>,
    reads_next: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Good { saved: bool },
    Shed,
    Failed,
}

impl Visitor {
    /// From somebody who has seen the page.
    pub(super) fn of(respondent: Respondent, questions: &[Field]) -> Visitor {
        let first = |values: &Vec<String>| values.first().cloned().unwrap_or_else(|| "Yes.".to_string());
        Visitor {
            at: respondent.browser.at(),
            csrf: respondent.csrf,
            slug: respondent.slug,
            answers: questions.iter().map(|(name, values)| (name.clone(), first(values))).collect(),
            browser: respondent.browser,
            reads_next: true,
        }
    }

    /// Goes on at another process of the same application, with the same cookies.
    pub(super) fn move_to(&mut self, at: std::net::SocketAddr) {
        self.at = at;
        self.hang_up();
    }

    fn hang_up(&mut self) {
        let cookies = std::mem::take(&mut self.browser.cookies);
        self.browser = Browser::new(self.at);
        self.browser.cookies = cookies;
    }

    async fn step(&mut self, only_saves: bool) -> End {
        let reads = self.reads_next && !only_saves;
        self.reads_next = !self.reads_next;
        let reply = match reads {
            true => self.browser.get(&format!("/survey/{}/content/1", self.slug)).await,
            false => {
                let path = format!("/survey/{}/page/1", self.slug);
                self.browser.post(&path, &self.answers, Some(&self.csrf)).await
            }
        };
        match reply {
            Ok(reply) if reply.status == StatusCode::OK => End::Good { saved: !reads },
            Ok(reply) if !reply.header("retry-after").is_empty() => End::Shed,
            _ => {
                self.hang_up();
                End::Failed
            }
        }
    }
}

/// What a load came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Seconds from the first request to the last answer.
    pub(super) seconds: f64,
    /// Pages that were shown.
    pub(super) read: u64,
    /// Pages that were saved.
    pub(super) saved: u64,
    /// 503 with Retry-After.
    pub(super) shed: u64,
    /// Anything else, or no answer in time.
    pub(super) failed: u64,
    /// Not sent, because every respondent was still waiting.
    pub(super) unsent: u64,
    /// Milliseconds of the good ones, sorted.
    times: Vec<f64>,
}

impl Tally {
    /// Requests with a good answer.
    pub(super) fn good(&self) -> u64 {
        self.read + self.saved
    }

    /// Good answers a second.
    pub(super) fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.good() as f64 / self.seconds } else { 0.0 }
    }

    /// The time that a share `q` of the good answers stayed within.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let at = (q * self.times.len() as f64).ceil() as usize;
        self.times.get(at.saturating_sub(1)).copied()
    }

    fn note(&mut self, end: End, time: Duration) {
        match end {
            End::Good { saved } => {
                *(if saved { &mut self.saved } else { &mut self.read }) += 1;
                self.times.push(time.as_secs_f64() * 1000.0);
            }
            End::Shed => self.shed += 1,
            End::Failed => self.failed += 1,
        }
    }

    fn merge(&mut self, mut other: Tally) {
        self.read += other.read;
        self.saved += other.saved;
        self.shed += other.shed;
        self.failed += other.failed;
        self.unsent += other.unsent;
        self.times.append(&mut other.times);
    }

    fn close(mut self, start: Instant) -> Tally {
        self.seconds = start.elapsed().as_secs_f64();
        self.times.sort_by(f64::total_cmp);
        self
    }
}

/// All visitors at once, each with one request at a time, for `time`.
pub(super) async fn closed(
    visitors: Vec<Visitor>,
    time: Duration,
    only_saves: bool,
) -> (Vec<Visitor>, Tally) {
    let start = Instant::now();
    let mut walks = JoinSet::new();
    for mut visitor in visitors {
        walks.spawn(async move {
            let mut tally = Tally::default();
            while start.elapsed() < time {
                let begun = Instant::now();
                let end = visitor.step(only_saves).await;
                tally.note(end, begun.elapsed());
                if end != (End::Good { saved: true }) && end != (End::Good { saved: false }) {
                    // A server that is down must not be asked in a tight loop.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            (visitor, tally)
        });
    }
    let (mut back, mut all) = (Vec::new(), Tally::default());
    while let Some(walk) = walks.join_next().await {
        if let Ok((visitor, tally)) = walk {
            back.push(visitor);
            all.merge(tally);
        }
    }
    (back, all.close(start))
}

/// `rate` requests a second for `time`, each by a visitor who is free; who gets no answer within `patience`
/// hangs up.
pub(super) async fn open(
    visitors: Vec<Visitor>,
    rate: f64,
    time: Duration,
    patience: Duration,
) -> (Vec<Visitor>, Tally) {
    let (start, all) = (Instant::now(), Arc::new(Mutex::new(Tally::default())));
    let free = Arc::new(Mutex::new(visitors));
    let mut steps = JoinSet::new();
    let mut sent = 0_u64;
    loop {
        let due = start + Duration::from_secs_f64(sent as f64 / rate);
        if due.duration_since(start) >= time {
            break;
        }
        tokio::time::sleep_until(due.into()).await;
        sent += 1;
        while steps.try_join_next().is_some() {}
        let visitor = free.lock().expect("no panic holds this lock").pop();
        let Some(mut visitor) = visitor else {
            all.lock().expect("no panic holds this lock").unsent += 1;
            continue;
        };
        let (free, all) = (Arc::clone(&free), Arc::clone(&all));
        steps.spawn(async move {
            // Whoever waits for their turn here waits as well.
            let step = tokio::time::timeout(patience, visitor.step(false)).await;
            let end = step.unwrap_or_else(|_| {
                visitor.hang_up();
                End::Failed
            });
            all.lock().expect("no panic holds this lock").note(end, due.elapsed());
            free.lock().expect("no panic holds this lock").push(visitor);
        });
    }
    while steps.join_next().await.is_some() {}
    let tally = std::mem::take(&mut *all.lock().expect("no panic holds this lock"));
    let back = std::mem::take(&mut *free.lock().expect("no panic holds this lock"));
    (back, tally.close(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_good_answers() {
        let mut tally = Tally::default();
        for ms in (1..=100).rev() {
            tally.note(End::Good { saved: ms % 2 == 0 }, Duration::from_millis(ms));
        }
        tally.note(End::Shed, Duration::from_secs(9));
        tally.note(End::Failed, Duration::from_secs(9));
        let tally = tally.close(Instant::now());
        assert_eq!((tally.good(), tally.saved, tally.shed, tally.failed), (100, 50, 1, 1));
        assert_eq!([0.5, 0.95, 1.0].map(|q| tally.quantile(q).unwrap().round()), [50.0, 95.0, 100.0]);
        assert_eq!(Tally::default().quantile(0.5), None);
    }
}
