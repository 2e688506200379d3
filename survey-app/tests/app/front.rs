//! nginx before two web processes: surveys, logins, files, addresses, refusals pass as without it.
//!
//! One test, because one nginx at a time runs on a stack.

use crate::common::{Case, seed, shared, switches};
use hyper::{Method, StatusCode};
use std::net::SocketAddr;
use survey_app::app::App;
use survey_app::assets::Assets;
use survey_app::config::Profile;
use survey_app::publish::Place;
use survey_app::respondent::{Browser, Respondent};
use survey_app::run::Site;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Two applications over one stack, as two processes are, and what is published for both.
struct Two {
    apps: [std::sync::Arc<App>; 2],
    sites: Vec<Site>,
    published: tempfile::TempDir,
    slug: String,
    survey: i64,
}

impl Two {
    async fn new() -> Two {
        let published = tempfile::tempdir_in(&shared().dir).unwrap();
        let place = Place::directory(published.path()).unwrap();
        survey_app::assets::publish(&place).await.unwrap();
        let start = async || {
            let assets = Assets::published(&place, "").await.unwrap();
            App::start(switches(Profile::Tuned, &[]), &shared().endpoints, assets).await.unwrap()
        };
        let apps = [start().await, start().await];
        let slug = crate::common::unique("front");
        let survey = seed(&apps[0], &slug, 4, 3).await;
        shared().wait_for_replica().await.unwrap();
        apps.iter().for_each(|app| app.counters.clear());
        let sites = vec![Site::serve(&apps[0]).await.unwrap(), Site::serve(&apps[1]).await.unwrap()];
        Two { apps, sites, published, slug, survey }
    }

    fn addresses(&self) -> Vec<String> {
        self.sites.iter().map(|s| s.at.to_string()).collect()
    }

    fn requests(&self) -> [u64; 2] {
        [0, 1].map(|i| self.apps[i].counters.requests().values().sum())
    }

    async fn takes(&self, at: SocketAddr, person: usize) {
        let name = survey_app::run::person(person);
        let code = survey_app::secret::login_code(&self.apps[0].secret, self.survey, &name);
        // 5 + 4 + 6 + 5 questions.
        let counted = Respondent::new(at, &self.slug, person as u64).take(&code).await;
        assert_eq!(counted.unwrap_or_else(|e| panic!("{e:#}")), 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_passes_through_nginx() {
    let mut two = Two::new().await;
    let port = shared().start_nginx(&two.addresses(), two.published.path(), None).await;
    let at = SocketAddr::from(([127, 0, 0, 1], port.unwrap_or_else(|e| panic!("{e:#}"))));

    // Both serve every survey: the login, the pin and the answers are not in the memory of one.
    for person in 0..2 {
        two.takes(at, person).await;
    }
    let [first, second] = two.requests();
    assert_eq!(first + second, 2 * (2 * 4 + 4), "no request is lost or sent twice");
    assert!(first > 0 && second > 0, "{first} and {second}");

    origins(&two, at).await;
    files(&two, at).await;
    addresses(at, two.sites[0].at).await;

    // A process that is gone is passed over.
    two.sites.remove(1).stop().await;
    two.takes(at, 2).await;

    // A process that has too much to do says so, and when to come again.
    shared().keeper.stop("nginx").unwrap();
    let busy = busy().await;
    let port = shared().start_nginx(&[busy.to_string()], two.published.path(), None).await.unwrap();
    let mut browser = Browser::new(SocketAddr::from(([127, 0, 0, 1], port)));
    let reply = browser.get("/survey/x/").await.unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
    assert_eq!(reply.body, "later");
    shared().keeper.stop("nginx").unwrap();
}

/// The application compares the origin with the host that the browser asked, which is nginx.
async fn origins(two: &Two, at: SocketAddr) {
    let path = format!("/survey/{}/", two.slug);
    let mut browser = Browser::new(at);
    let page = browser.get(&path).await.unwrap();
    let token =
        page.body.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_string();
    let kind = "application/x-www-form-urlencoded";
    for (origin, status) in [
        // Passed on to the view, which does not know this code.
        (format!("http://{at}"), StatusCode::UNPROCESSABLE_ENTITY),
        (format!("http://{}", two.sites[0].at), StatusCode::FORBIDDEN),
        ("http://elsewhere.example".to_string(), StatusCode::FORBIDDEN),
    ] {
        let headers = [("x-csrftoken", token.as_str()), ("origin", origin.as_str())];
        let reply = browser.send(Method::POST, &path, kind, "code=wrong".into(), &headers).await.unwrap();
        assert_eq!(reply.status, status, "{origin}");
    }
}

/// Files come from disk, packed for those who can read it, for ever; their neighbours do not exist.
async fn files(two: &Two, at: SocketAddr) {
    let before = two.requests();
    let mut browser = Browser::new(at);
    let mut get = async |path: &str, takes: &str| {
        let headers = [("accept-encoding", takes)];
        browser.send(Method::GET, path, "", String::new(), &headers).await.unwrap()
    };
    let name = &two.apps[0].assets.links("site.css")[0];
    let (plain, packed) = (get(name, "identity").await, get(name, "gzip, br").await);
    for reply in [&plain, &packed] {
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.header("content-type"), "text/css; charset=utf-8");
        assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(reply.header("vary"), "Accept-Encoding");
    }
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), ("", "gzip"));
    let length = |ending: &str| {
        let path = two.published.path().join(format!("{}{ending}", &name[1..]));
        std::fs::metadata(path).unwrap().len().to_string()
    };
    assert_eq!(
        (plain.header("content-length"), packed.header("content-length")),
        (&*length(""), &*length(".gz"))
    );
    let manifest = format!("/{}", survey_app::assets::manifest_name());
    let other = name.replace("site.", "site.0");
    for path in ["/CACHE/css/", "/CACHE/css/site.css", &other, &format!("{name}.gz"), "/CACHE/../../secrets"]
    {
        let reply = get(path, "gzip").await;
        assert!(
            reply.status.is_client_error() && reply.header("cache-control") != plain.header("cache-control"),
            "{path}"
        );
    }
    assert_eq!(two.requests(), before, "none of these reached the application");
    assert_eq!(get(&manifest, "gzip").await.status, StatusCode::NOT_FOUND);
}

/// Who sees the debug panel: the address that nginx saw counts, not what somebody writes into a header.
async fn addresses(at: SocketAddr, direct: SocketAddr) {
    let forged = ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Survey-Proxy: x", ""];
    for header in forged {
        assert_eq!(status(at, "127.0.0.1", header).await, 200, "{header}");
        assert_eq!(status(at, "127.0.0.2", header).await, 404, "{header}");
    }
    // Past nginx, which only this machine can be: a stranger who says that somebody sent him has no address.
    assert_eq!(status(direct, "127.0.0.1", "").await, 200);
    assert_eq!(status(direct, "127.0.0.1", "X-Forwarded-For: 127.0.0.1").await, 404);
    assert_eq!(status(direct, "127.0.0.2", "X-Forwarded-For: 127.0.0.1\r\nX-Survey-Proxy: x").await, 404);
}

/// The status of the debug panel for somebody who connects from `source`.
async fn status(at: SocketAddr, source: &str, header: &str) -> u16 {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    let mut stream = socket.connect(at).await.unwrap();
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    let request = format!("GET /debug/ HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A server that has too much to do.
async fn busy() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let answer = || async { (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "2")], "later") };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    at
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_proxy_is_believed() {
    let case = Case::new(shared(), Profile::Tuned, &["proxy.trusted=['127.0.0.2']"], 1, 1).await;
    for (source, header, expected) in [
        ("127.0.0.2", "X-Forwarded-For: 127.0.0.1", 200),
        ("127.0.0.2", "X-Forwarded-For: 127.0.0.1, 203.0.113.7", 404),
        ("127.0.0.3", "X-Forwarded-For: 127.0.0.1", 404),
        ("127.0.0.1", "", 200),
    ] {
        assert_eq!(status(case.at(), source, header).await, expected, "{source} {header}");
    }
}
