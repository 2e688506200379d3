//! What the application refuses: wrong tokens, forged logins, other people's pages, SQL in every field.

use crate::common::{Case, shared};
use hyper::{Method, StatusCode};
use survey_app::config::Profile;
use survey_app::respondent::{Browser, Respondent};

async fn case() -> Case {
    Case::new(shared(), Profile::Tuned, &[], 3, 4).await
}

async fn signed_in(case: &Case, person: usize) -> Respondent {
    let mut one = case.respondent(person);
    one.log_in(&case.code(person)).await.unwrap();
    one.display().await.unwrap();
    one
}

async fn answers(case: &Case) -> String {
    let sql = format!(
        "SELECT count(*) FROM response_item JOIN response_session ON session_id = id WHERE survey_id = {}",
        case.survey
    );
    shared().ask_survey(&sql).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_token() {
    let case = case().await;
    let mut one = signed_in(&case, 0).await;
    let (questions, _) = one.content(1).await.unwrap();
    let fields: Vec<(String, String)> = questions.iter().map(|(n, v)| (n.clone(), v[0].clone())).collect();
    let path = format!("/survey/{}/page/1", case.slug);
    let stranger = signed_in(&case, 1).await.csrf;
    for token in [None, Some(""), Some("x"), Some(&*"0".repeat(64)), Some(&*stranger)] {
        let reply = one.browser.post(&path, &fields, token).await.unwrap();
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{token:?}");
    }
    // A token that somebody planted as cookie and field is not one of ours.
    let mut planted = Browser::new(case.at());
    planted.cookies = one.browser.cookies.clone();
    planted.cookies.insert("csrftoken".to_string(), ("1".repeat(64), None));
    let reply = planted.post(&path, &fields, Some(&"1".repeat(64))).await.unwrap();
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    // A page of another site has the cookie sent along, and says where it comes from.
    let token = one.csrf.clone();
    let headers = [("x-csrftoken", token.as_str()), ("origin", "http://elsewhere.example")];
    let kind = "application/x-www-form-urlencoded";
    let reply = one.browser.send(Method::POST, &path, kind, "q1=1".to_string(), &headers).await.unwrap();
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(answers(&case).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_session() {
    let case = case().await;
    let take = format!("/survey/{}/take", case.slug);
    for id in ["", "1", "../../etc", &"f".repeat(64), "' OR '1'='1", "session:*"] {
        let mut forger = Browser::new(case.at());
        forger.cookies.insert("sessionid".to_string(), (id.to_string(), None));
        let reply = forger.get(&take).await.unwrap();
        assert_eq!(
            (reply.status, reply.header("location")),
            (StatusCode::SEE_OTHER, &*format!("/survey/{}/", case.slug))
        );
        let reply = forger.get(&format!("/survey/{}/content/1", case.slug)).await.unwrap();
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "a script is told, not led away");
        assert_eq!(forger.get("/admin/survey/").await.unwrap().header("location"), "/admin/login");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_from_before_the_login_is_worth_nothing() {
    let case = case().await;
    let mut one = signed_in(&case, 0).await;
    let old = one.browser.cookies["sessionid"].clone();
    one.csrf.clear();
    one.log_in(&case.code(0)).await.unwrap();
    assert_ne!(one.browser.cookies["sessionid"].0, old.0);
    let mut thief = Browser::new(case.at());
    thief.cookies.insert("sessionid".to_string(), old);
    assert_eq!(
        thief.get(&format!("/survey/{}/take", case.slug)).await.unwrap().status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_not_ones_turn() {
    let case = case().await;
    let mut one = signed_in(&case, 0).await;
    for page in ["2", "3", "999"] {
        let reply = one.browser.get(&format!("/survey/{}/content/{page}", case.slug)).await.unwrap();
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "page {page} is ahead");
    }
    for page in ["0", "-1", "x", "1e3", "99999999999999999999"] {
        let reply = one.browser.get(&format!("/survey/{}/content/{page}", case.slug)).await.unwrap();
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "page {page}");
    }
    let reply = one.browser.get(&format!("/survey/{}/complete", case.slug)).await.unwrap();
    assert_eq!(reply.header("location"), format!("/survey/{}/take", case.slug), "not before the last page");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_pages() {
    let (mine, theirs) = (case().await, case().await);
    let mut one = signed_in(&mine, 0).await;
    for tail in ["take", "complete"] {
        let reply = one.browser.get(&format!("/survey/{}/{tail}", theirs.slug)).await.unwrap();
        assert_eq!(reply.header("location"), format!("/survey/{}/", theirs.slug), "{tail}");
    }
    let token = one.csrf.clone();
    let reply =
        one.browser.post(&format!("/survey/{}/page/1", theirs.slug), &[], Some(&token)).await.unwrap();
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    // A code of one survey does not open another.
    let mut lost = theirs.respondent(0);
    assert!(lost.log_in(&mine.code(0)).await.is_err());
    // A respondent is no administrator.
    assert_eq!(one.browser.get("/admin/").await.unwrap().header("location"), "/admin/login");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_no_choices() {
    let case = case().await;
    let mut one = signed_in(&case, 0).await;
    let (questions, _) = one.content(1).await.unwrap();
    let good: Vec<(String, String)> = questions.iter().map(|(n, v)| (n.clone(), v[0].clone())).collect();
    let token = one.csrf.clone();
    let path = format!("/survey/{}/page/1", case.slug);
    for bad in ["", "9", "1'", "1; DROP TABLE response_item", "NULL", &"1".repeat(5000)] {
        let mut fields = good.clone();
        fields[2].1 = bad.to_string();
        let reply = one.browser.post(&path, &fields, Some(&token)).await.unwrap();
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    let reply = one.browser.post(&path, &good[1..], Some(&token)).await.unwrap();
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "one is missing");
    assert_eq!(answers(&case).await, "0", "a page is saved whole or not at all");
    // A question of somebody else's page is not looked at.
    let mut more = good.clone();
    more.push(("q999999".to_string(), "1".to_string()));
    assert_eq!(one.browser.post(&path, &more, Some(&token)).await.unwrap().status, StatusCode::OK);
    assert_eq!(answers(&case).await, "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_in_every_field_in_both_protocols() {
    let tricks = [
        "' OR '1'='1",
        "'; DROP TABLE school; --",
        "\\'; SELECT pg_sleep(9); --",
        "$1",
        "%' OR true --",
        "\u{0}x",
        "é’\"<script>",
    ];
    for protocol in ["simple", "typed"] {
        let set = format!("db.protocol={protocol}");
        let case = Case::new(shared(), Profile::Tuned, &[&set], 2, 1).await;
        for trick in tricks {
            let mut one = case.respondent(0);
            assert!(one.log_in(trick).await.is_err(), "{trick}");
            let slug = survey_app::db::comment::encode(trick);
            let reply = one.browser.get(&format!("/survey/{slug}/")).await.unwrap();
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{trick}");
        }
        let app = &case.app;
        survey_app::admin::create_admin(app, "root", "a long password").await.unwrap();
        let mut admin = Browser::new(case.at());
        let page = admin.get("/admin/login").await.unwrap();
        let token =
            page.body.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_string();
        let field = |k: &str, v: &str| (k.to_string(), v.to_string());
        for trick in tricks {
            let wrong = [field("name", trick), field("password", trick)];
            assert_eq!(
                admin.post("/admin/login", &wrong, Some(&token)).await.unwrap().status,
                StatusCode::UNPROCESSABLE_ENTITY
            );
        }
        let right = [field("name", "root"), field("password", "a long password")];
        assert_eq!(
            admin.post("/admin/login", &right, Some(&token)).await.unwrap().status,
            StatusCode::SEE_OTHER
        );
        for trick in tricks {
            let plain = trick.replace('\u{0}', "");
            let saved = admin
                .post(
                    "/admin/organization/new",
                    &[field("name", trick), field("contact", trick)],
                    Some(&token),
                )
                .await
                .unwrap();
            assert_eq!(saved.status, StatusCode::SEE_OTHER, "{trick}");
            let shown = admin.get(saved.header("location")).await.unwrap().body;
            let escaped = plain.replace('<', "&#60;");
            assert!(
                shown.contains("&#60;script&#62;") || !escaped.contains("&#60;"),
                "markup is shown as text"
            );
            let search = survey_app::db::comment::encode(trick);
            let found =
                admin.get(&format!("/admin/organization/?q={search}&survey_id=1;--&page=x")).await.unwrap();
            assert_eq!(found.status, StatusCode::OK, "{trick}");
            let sql = format!(
                "SELECT count(*) FROM organization WHERE name = E'{}'",
                plain.replace('\\', "\\\\").replace('\'', "''")
            );
            assert_ne!(
                shared().ask_survey(&sql).await.unwrap().as_deref(),
                Some("0"),
                "{trick} is stored as it is"
            );
        }
        assert_ne!(shared().ask_survey("SELECT count(*) FROM school").await.unwrap().as_deref(), Some("0"));
    }
}
