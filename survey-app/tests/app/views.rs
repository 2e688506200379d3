//! The views as a visitor meets them, and their statements as the debug panel and the log show them.

use crate::common::{Case, log, shared};
use hyper::StatusCode;
use std::collections::BTreeMap;
use survey_app::config::Profile;
use survey_app::respondent::Browser;

#[tokio::test(flavor = "multi_thread")]
async fn the_panel_counts_what_the_log_shows_for_each_request() {
    for profile in [Profile::Naive, Profile::Tuned] {
        let case = Case::new(shared(), profile, &[], 2, 1).await;
        case.respondent(0).take(&case.code(0)).await.unwrap();
        let mut logged: BTreeMap<String, usize> = BTreeMap::new();
        for server in ["primary", "replica"] {
            let text = std::fs::read_to_string(shared().logs.join(format!("{server}.log"))).unwrap();
            for (_, _, traceparent) in text.lines().filter_map(log::execution) {
                let span = traceparent.split('-').nth(2).unwrap_or_default().to_string();
                *logged.entry(span).or_default() += 1;
            }
        }
        let seen = case.app.panel.last();
        assert_eq!(seen.len(), 8, "2P + 4 requests");
        for request in &seen {
            assert_eq!(
                request.sent.len(),
                logged.get(&request.id).copied().unwrap_or(0),
                "{}",
                request.request
            );
        }
        let duplicates: usize = seen.iter().map(|r| r.duplicates()).sum();
        // Session and respondent are read again.
        assert_eq!(duplicates > 0, profile == Profile::Naive, "{duplicates} duplicates in {profile:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panel_is_for_internal_addresses() {
    let open = Case::new(shared(), Profile::Naive, &[], 1, 1).await;
    let mut visitor = Browser::new(open.at());
    let reply = visitor.get(&format!("/survey/{}/", open.slug)).await.unwrap();
    assert!(reply.header("server-timing").contains("3 statements"), "{}", reply.header("server-timing"));
    let page = visitor.get(&format!("/debug/{}", reply.header("x-debug-request"))).await.unwrap();
    assert!(page.body.contains("FROM organization"), "the statements are listed");
    let counters = visitor.get("/debug/counters").await.unwrap();
    assert!(counters.body.contains("\"survey_login\""));
    let closed = Case::new(shared(), Profile::Naive, &["debug.internal_ips=[\"10.1.2.3\"]"], 1, 1).await;
    for path in ["/debug/", "/debug/counters", "/debug/0123456789abcdef"] {
        assert_eq!(
            Browser::new(closed.at()).get(path).await.unwrap().status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_be_saved_again_and_left_and_come_back_to() {
    for profile in [Profile::Naive, Profile::Tuned] {
        let case = Case::new(shared(), profile, &[], 3, 1).await;
        let mut one = case.respondent(0);
        one.log_in(&case.code(0)).await.unwrap();
        one.display().await.unwrap();
        let (questions, first) = one.content(1).await.unwrap();
        assert!(!first.body.contains(" checked"));
        one.save(&questions).await.unwrap();
        // Back, and other answers: they replace the first ones, and the way forward stays open.
        one.page = 1;
        one.save(&questions).await.unwrap();
        assert_eq!(one.page, 2);
        let latest = one.acknowledged.last().unwrap().1.clone();
        let (_, shown) = one.content(1).await.unwrap();
        for (name, value) in &latest {
            assert!(
                shown.body.contains(&format!("name=\"{name}\" value=\"{value}\" checked")),
                "{name}={value}"
            );
        }
        // Another day, another browser, the same code.
        let mut later = case.respondent(0);
        later.log_in(&case.code(0)).await.unwrap();
        later.display().await.unwrap();
        assert_eq!(later.page, 2, "{profile:?}");
        let (_, shown) = later.content(1).await.unwrap();
        assert_eq!(shown.body.matches(" checked").count(), 5, "{profile:?}");
        for page in 2..=3 {
            let (questions, _) = later.content(page).await.unwrap();
            later.save(&questions).await.unwrap();
        }
        assert_eq!(later.complete().await.unwrap(), 15);
        assert_eq!(later.complete().await.unwrap(), 15, "looking again changes nothing");
        let reply = later.browser.get(&format!("/survey/{}/take", case.slug)).await.unwrap();
        assert!(reply.header("location").ends_with("/complete"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_pages_from_the_code_to_the_end() {
    let case = Case::new(shared(), Profile::Tuned, &[], 60, 1).await;
    let mut one = case.respondent(0);
    assert_eq!(one.take(&case.code(0)).await.unwrap(), 300);
    assert_eq!(one.acknowledged.len(), 60);
    assert_eq!(case.app.counters.requests().values().sum::<u64>(), 2 * 60 + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_lose_nothing() {
    let case = Case::new(shared(), Profile::Tuned, &[], 3, 1).await;
    let mut one = case.respondent(0);
    one.log_in(&case.code(0)).await.unwrap();
    one.display().await.unwrap();
    let (first, _) = one.content(1).await.unwrap();
    one.save(&first).await.unwrap();
    let (second, _) = one.content(2).await.unwrap();
    // The same person in two tabs saves pages 1 and 2 again and again, at the same time.
    let tab = |page: i64, fields: Vec<survey_app::respondent::Field>| {
        let mut tab = case.respondent(page as usize);
        tab.browser.cookies = one.browser.cookies.clone();
        tab.csrf = one.csrf.clone();
        tokio::spawn(async move {
            for _ in 0..15 {
                tab.page = page;
                tab.save(&fields).await.unwrap();
            }
            tab.acknowledged.last().unwrap().1.clone()
        })
    };
    let (a, b) = (tab(1, first), tab(2, second));
    let (a, b) = (a.await.unwrap(), b.await.unwrap());
    for (page, latest) in [(1, a), (2, b)] {
        let (_, shown) = one.content(page).await.unwrap();
        for (name, value) in latest {
            assert!(
                shown.body.contains(&format!("name=\"{name}\" value=\"{value}\" checked")),
                "{name}={value}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_in_the_database_work_as_well() {
    for profile in [Profile::Naive, Profile::Tuned] {
        let case = Case::new(shared(), profile, &["session.backend=db"], 1, 1).await;
        assert_eq!(case.respondent(0).take(&case.code(0)).await.unwrap(), 5);
        assert!(case.selects("", "http_session") >= 4, "one for every request with a login");
    }
}

#[test]
fn there_are_eighty_auxiliary_addresses() {
    let hot = survey_app::survey::routes().len();
    let all = survey_app::site::routes().len();
    assert_eq!(hot, 6, "five views, one of them with a form");
    assert!(all - hot >= 80, "{all}");
    assert!(all >= 85);
}
