//! What the tests share: one stack a test binary, surveys of their own on it, and a reader of its logs.
//!
//! A server that is not installed fails the test with the sentence that says what to install.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod log;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use survey_app::app::App;
use survey_app::assets::Assets;
use survey_app::config::{Profile, Switches};
use survey_app::plan::{self, Plan};
use survey_app::respondent::Respondent;
use survey_app::router::Pin;
use survey_app::run::Site;
use survey_app::scope::{Memory, Scope, Select, View};
use survey_app::stack::{Stack, Wanted};

/// The binary under test.
pub(crate) fn exe() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_survey-app"))
}

/// A stack with everything, its tables created.
pub(crate) async fn stack() -> Stack {
    let stack = Stack::up(&Wanted::everything(exe(), None)).await.unwrap_or_else(|e| panic!("{e:#}"));
    let app = App::start(Switches::of(Profile::Tuned), &stack.endpoints, Assets::plain()).await.unwrap();
    survey_app::migrate::migrate(&app).await.unwrap();
    let prepare = scope(&app);
    let sql =
        "INSERT INTO app_setting (name, value) VALUES ('help', 'Ask the person who gave you the code.')";
    prepare.execute(survey_app::models::Model::AppSetting, sql, Vec::new()).await.unwrap();
    prepare.finish(true).await.unwrap();
    stack.wait_for_replica().await.unwrap();
    stack
}

/// The stack of this test binary; the keeper takes it down when the binary ends.
pub(crate) fn shared() -> &'static Stack {
    static SHARED: OnceLock<Stack> = OnceLock::new();
    SHARED.get_or_init(|| {
        // A thread of its own: the first test that comes here is inside a runtime already.
        let up = || tokio::runtime::Runtime::new().unwrap().block_on(stack());
        std::thread::spawn(up).join().unwrap_or_else(|_| panic!("the stack did not come up; see above"))
    })
}

/// An application over a stack, with a survey that no other test uses.
pub(crate) struct Case {
    pub(crate) app: Arc<App>,
    pub(crate) survey: i64,
    pub(crate) slug: String,
    pub(crate) site: Site,
    pub(crate) people: usize,
}

pub(crate) fn switches(profile: Profile, sets: &[&str]) -> Switches {
    let sets: Vec<String> = sets.iter().map(|s| s.to_string()).collect();
    Switches::assemble(profile, None, &[], &sets).unwrap()
}

impl Case {
    pub(crate) async fn new(
        stack: &Stack,
        profile: Profile,
        sets: &[&str],
        pages: usize,
        people: usize,
    ) -> Case {
        let app = App::start(switches(profile, sets), &stack.endpoints, Assets::plain()).await.unwrap();
        let slug = unique("case");
        let survey = seed(&app, &slug, pages, people).await;
        stack.wait_for_replica().await.unwrap();
        let site = Site::serve(&app).await.unwrap();
        app.counters.clear();
        Case { app, survey, slug, site, people }
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.site.at
    }

    pub(crate) fn code(&self, person: usize) -> String {
        survey_app::secret::login_code(&self.app.secret, self.survey, &survey_app::run::person(person))
    }

    pub(crate) fn respondent(&self, person: usize) -> Respondent {
        Respondent::new(self.site.at, &self.slug, person as u64 + 7)
    }

    /// SELECTs that `view` sent about `table` (an empty name stands for all).
    pub(crate) fn selects(&self, view: &str, table: &str) -> u64 {
        use survey_app::db::Kind;
        self.app.counters.sum(|k| {
            k.kind == Kind::Select
                && (view.is_empty() || k.view == view)
                && (table.is_empty() || k.table == table)
        })
    }
}

/// A name that no other test uses.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) const TEST: View = View { name: "test", route: "test", read_only: &[] };

pub(crate) fn scope(app: &Arc<App>) -> Scope {
    Scope::begin(Arc::clone(app), TEST, None, Pin::default())
}

pub(crate) async fn seed(app: &Arc<App>, slug: &str, pages: usize, people: usize) -> i64 {
    let scope = scope(app);
    let planned = Plan { slug: slug.to_string(), ..Plan::for_run(pages) };
    let survey = plan::store(&scope, &planned).await.unwrap();
    let people: Vec<(String, String)> =
        (0..people).map(|p| (survey_app::run::person(p), format!("School {}", p % 4))).collect();
    plan::enroll(&scope, survey, &people).await.unwrap();
    scope.finish(true).await.unwrap();
    survey
}

/// A SELECT that is remembered as rows.
pub(crate) fn rows(
    model: survey_app::models::Model,
    sql: &str,
    params: Vec<survey_app::db::Param>,
) -> Select {
    Select { model, joined: &[], sql: sql.to_string(), params, memory: Memory::Rows }
}
