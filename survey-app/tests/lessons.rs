//! The lessons in their smallest form: what is asserted are counts, never times.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::time::Duration;
use survey_app::cli::LessonName;
use survey_app::lesson::{Outcome, Size, run};

async fn small(name: LessonName, clients: usize) -> Outcome {
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_survey-app"));
    let size = Size { time: Duration::from_secs(1), clients, slow_disk: false };
    let outcome = run(name, size, &exe).await.unwrap_or_else(|e| panic!("{e:#}"));
    for variant in &outcome.variants {
        assert_eq!(variant.figures.len(), outcome.measures.len());
        assert!(variant.recording.whole().all.served() > 0, "{}: nothing was answered", variant.name);
    }
    assert!(!outcome.says.is_empty() && outcome.text().contains(outcome.title));
    let page = outcome.page().unwrap();
    assert!(page.contains("What each view waits for") && !page.contains("<script"));
    let json: serde_json::Value = serde_json::to_value(&outcome).unwrap();
    assert_eq!(json["schema"], "survey-app.lesson/1");
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_swap_redis_has_sessions_only() {
    let outcome = small(LessonName::Cache, 6).await;
    let beside = "Redis commands beside session reads";
    assert!(outcome.figure(0, beside).unwrap() > 0.0, "{}", outcome.text());
    assert_eq!(outcome.figure(1, beside), Some(0.0), "{}", outcome.text());
    assert_eq!(outcome.figure(0, "memcached, % of the time"), Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_turn_people_away_instead_of_opening_connections() {
    let outcome = small(LessonName::Overload, 8).await;
    let figure = |variant, name| outcome.figure(variant, name).unwrap();
    assert_eq!(figure(1, "turned away (503), %"), 0.0);
    // pgbouncer's default_pool_size is 3; one more is the superuser who asks.
    assert!(figure(2, "most backends, primary") <= 4.0, "{}", outcome.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_runtimes_answer() {
    let outcome = small(LessonName::EventLoop, 8).await;
    for variant in 0..2 {
        // Whoever waits for Redis waits at least as long as Redis needs.
        let (app, own) =
            (outcome.figure(variant, "Redis, app's ms"), outcome.figure(variant, "Redis, own ms"));
        assert!(app.unwrap() >= own.unwrap() && own.unwrap() > 0.0, "{}", outcome.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_share_flushes() {
    let outcome = small(LessonName::Commit, 16).await;
    assert_eq!(outcome.variants.len(), 3);
    for (variant, seen) in outcome.variants.iter().enumerate() {
        // PostgreSQL's own counter and the application's: every save is one transaction, and little else commits.
        let saved = seen.recording.whole().views["survey_change_page"].statuses["200"] as f64;
        let commits = outcome.figure(variant, "commits").unwrap();
        assert!(commits >= saved, "{}: {commits} against {saved}", seen.name);
    }
    let each = |variant| outcome.figure(variant, "commits per WAL flush").unwrap();
    // Without waiting for the disk hardly anything is flushed by a commit.
    assert!(each(2) > each(0), "{}", outcome.text());
}
