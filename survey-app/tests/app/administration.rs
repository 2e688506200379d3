//! The administration from outside: rights, edits that the next respondent sees, every list and form.

use crate::common::{Case, shared, unique};
use hyper::StatusCode;
use survey_app::config::Profile;
use survey_app::respondent::{Browser, Reply};

/// Somebody who is signed in.
struct Admin {
    browser: Browser,
    csrf: String,
}

impl Admin {
    async fn sign_in(case: &Case, name: &str, password: &str) -> Admin {
        let mut browser = Browser::new(case.at());
        let page = browser.get("/admin/login").await.unwrap();
        let csrf =
            page.body.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_string();
        let mut admin = Admin { browser, csrf };
        let reply = admin.post("/admin/login", &[("name", name), ("password", password)]).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        admin
    }

    async fn owner(case: &Case) -> Admin {
        let name = unique("owner");
        survey_app::admin::create_admin(&case.app, &name, "a long password").await.unwrap();
        Admin::sign_in(case, &name, "a long password").await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let csrf = self.csrf.clone();
        self.browser.post(path, &fields, Some(&csrf)).await.unwrap()
    }

    async fn get(&mut self, path: &str) -> Reply {
        self.browser.get(path).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_answers() {
    let case = Case::new(shared(), Profile::Tuned, &[], 2, 1).await;
    case.respondent(0).take(&case.code(0)).await.unwrap();
    let mut admin = Admin::owner(&case).await;
    for route in survey_app::admin::routes() {
        if route.method != hyper::Method::GET || route.path.starts_with("/debug") {
            continue;
        }
        let path = route
            .path
            .replace("/survey/{id}", &format!("/survey/{}", case.survey))
            .replace("{id}", "1")
            .replace("{file}", "base.css");
        let reply = admin.get(&path).await;
        // Nothing was uploaded or exported on this stack, so these rows do not exist; everything else does.
        let empty = ["survey_upload", "roster_upload", "roster_row", "export_job"];
        let missing = empty.iter().any(|table| path.starts_with(&format!("/admin/{table}/1")));
        let expected = match path.as_str() {
            "/" => StatusCode::SEE_OTHER,
            "/admin/skip_rule/1" => continue,
            _ if missing => StatusCode::NOT_FOUND,
            _ => StatusCode::OK,
        };
        assert_eq!(reply.status, expected, "{path}: {}", reply.body);
        // And nobody else gets in.
        if path.starts_with("/admin/") && path != "/admin/login" {
            assert_eq!(
                Browser::new(case.at()).get(&path).await.unwrap().header("location"),
                "/admin/login",
                "{path}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_seen_by_the_next_respondent() {
    let case = Case::new(shared(), Profile::Tuned, &["cache.hold_secs=1"], 1, 3).await;
    let mut first = case.respondent(0);
    first.log_in(&case.code(0)).await.unwrap();
    first.display().await.unwrap();
    first.content(1).await.unwrap();
    let sql = format!(
        "SELECT question.id || ' ' || page_id || ' ' || scale_id FROM question JOIN survey_page \
         ON survey_page.id = page_id WHERE survey_id = {} ORDER BY question.id LIMIT 1",
        case.survey
    );
    let ids = shared().ask_survey(&sql).await.unwrap().unwrap();
    let [question, page, scale] = ids.split(' ').collect::<Vec<_>>()[..] else { panic!("{ids}") };
    let mut admin = Admin::owner(&case).await;
    let fields = [
        ("page_id", page),
        ("number", "1"),
        ("body", "Asked anew?"),
        ("scale_id", scale),
        ("required", "on"),
    ];
    let reply = admin.post(&format!("/admin/question/{question}"), &fields).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    shared().wait_for_replica().await.unwrap();
    let (_, shown) = first.content(1).await.unwrap();
    assert!(shown.body.contains("Asked anew?"));
    // After the hold, exactly one refill; then it is remembered again.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let before = case.selects("survey_content", "question");
    for person in 1..3 {
        let mut next = case.respondent(person);
        next.log_in(&case.code(person)).await.unwrap();
        next.display().await.unwrap();
        assert!(next.content(1).await.unwrap().1.body.contains("Asked anew?"));
    }
    assert_eq!(case.selects("survey_content", "question") - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_those_of_the_role_and_end_at_once() {
    let case = Case::new(shared(), Profile::Tuned, &[], 1, 1).await;
    let mut owner = Admin::owner(&case).await;
    let role = unique("reader");
    let made = owner.post("/admin/role/new", &[("name", role.as_str())]).await;
    let role = made.header("location").rsplit('/').next().unwrap().to_string();
    let name = unique("reader");
    let short =
        [("name", name.as_str()), ("role_id", role.as_str()), ("password_hash", "short"), ("active", "on")];
    assert_eq!(owner.post("/admin/admin_user/new", &short).await.status, StatusCode::BAD_REQUEST);
    let good = [
        ("name", name.as_str()),
        ("role_id", role.as_str()),
        ("password_hash", "long enough"),
        ("active", "on"),
    ];
    let made = owner.post("/admin/admin_user/new", &good).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let user = made.header("location").to_string();
    let mut reader = Admin::sign_in(&case, &name, "long enough").await;
    assert_eq!(reader.get("/admin/school/").await.status, StatusCode::OK);
    assert!(!reader.get(&user).await.body.contains("argon2"), "a hash is never shown");
    let survey = format!("/admin/survey/{}", case.survey);
    for path in
        ["/admin/school/new", "/admin/upload", &format!("{survey}/roster"), &format!("{survey}/responses")]
    {
        assert_eq!(reader.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for path in [
        "/admin/admin_user/new",
        "/admin/school/new",
        &format!("{survey}/delete"),
        &format!("{survey}/responses"),
    ] {
        assert_eq!(reader.post(path, &good).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(reader.get("/admin/respondent/export.csv").await.status, StatusCode::FORBIDDEN);
    // The owner may delete, but not a survey that somebody was invited to.
    let refused = owner.post(&format!("{survey}/delete"), &[]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.body.contains("Other rows belong to this one"), "{}", refused.body);
    let twice = owner.post("/admin/admin_user/new", &good).await;
    assert!(twice.body.contains("There is one like this already"), "{}", twice.body);
    // A user who is no longer active is out with the next click.
    let inactive = [("name", name.as_str()), ("role_id", role.as_str()), ("password_hash", "")];
    assert_eq!(owner.post(&user, &inactive).await.status, StatusCode::SEE_OTHER);
    assert_eq!(reader.get("/admin/school/").await.header("location"), "/admin/login");
    let log = owner.get(&format!("/admin/audit_log/?q={name}")).await;
    assert!(log.body.contains("signed in"));
}
