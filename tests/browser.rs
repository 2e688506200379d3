//! The page in a browser: it loads nothing, runs nothing that came from a log, sorts, searches, links, and reads
//! with scripts off.

#![allow(clippy::unwrap_used, reason = "a test may end where a value is missing")]

mod sample;
mod webdriver;

use std::path::PathBuf;

use pglens::render::{Format, Style, render};
use pglens::report::Report;
use serde_json::{Value, json};
use webdriver::Browser;

/// Writes the page of a report where a browser can read it.
fn page(name: &str, report: &Report) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{name}.html"));
    let mut out = Vec::new();
    render(report, Format::Html, &Style::default(), &mut out).unwrap();
    std::fs::write(&path, out).unwrap();
    path
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap_or_default().to_owned()).collect()
}

const FIRST_CELL: &str =
    "return document.querySelector('#statements-table tbody:not([hidden]) td:nth-child(3)').textContent";

#[test]
fn loads_nothing_and_complains_of_nothing() {
    let browser = Browser::start(1280, 1000);
    for (name, report) in [("quiet", sample::report()), ("quiet-bare", sample::bare())] {
        let path = page(name, &report);
        browser.open(&path, "");
        let loud: Vec<_> = browser.console();
        assert!(loud.is_empty(), "{loud:?}");
        let requests = browser.requests();
        let beyond: Vec<_> = requests
            .iter()
            .filter(|url| *url != "about:blank" && **url != format!("file://{}", path.display()))
            .filter(|url| !url.starts_with("data:"))
            .collect();
        assert!(beyond.is_empty(), "{beyond:?}");
        assert!(!requests.is_empty(), "the log of requests is empty: this test sees nothing");
    }
}

#[test]
fn the_policy_refuses_what_a_log_might_smuggle_in() {
    let browser = Browser::start(1280, 1000);
    browser.open(&page("policy", &sample::report()), "");
    browser.run(
        "try { const s = document.createElement('script'); s.textContent = 'window.smuggled = 1'; document.body.append(s) } catch { }
         try { const s = document.createElement('script'); s.append('window.smuggled = 1'); document.body.append(s) } catch { }
         const i = document.createElement('img'); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i);
         document.body.setAttribute('style', 'color: red');
         try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>') } catch { }",
    );
    assert_eq!(browser.run("return window.smuggled === undefined"), json!(true));
    assert_eq!(browser.run("return getComputedStyle(document.body).color !== 'rgb(255, 0, 0)'"), json!(true));
    assert!(browser.console().len() >= 3, "each attempt is refused");
}

#[test]
fn a_hostile_log_runs_nothing() {
    let browser = Browser::start(1280, 1000);
    let path = page("hostile", &sample::hostile());
    browser.open(&path, "");
    browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true })");
    assert_eq!(browser.dialog(), None);
    assert!(browser.console().is_empty(), "{:?}", browser.console());
    assert_eq!(browser.run("return document.scripts.length"), json!(1));
    assert_eq!(
        browser
            .run("return document.querySelectorAll('img, iframe, object, embed, base, form, link').length"),
        json!(0)
    );
    let handlers = browser.run(
        "return Array.from(document.querySelectorAll('*')).flatMap((e) => e.getAttributeNames() \
         .filter((n) => n.startsWith('on') || n === 'style' || (n === 'x' && !e.closest('svg'))))",
    );
    assert_eq!(handlers, json!([]));
    let links = browser.run(
        "return Array.from(document.querySelectorAll('a')).map((a) => a.getAttribute('href')).filter((h) => !h.startsWith('#'))",
    );
    assert_eq!(links, json!([]));
    // The text is there, as text.
    assert_eq!(
        browser.run("return document.body.innerText.includes('<img src=x onerror=alert(2)>')"),
        json!(true)
    );
    assert_eq!(
        browser.run(
            "return /[\\u202a-\\u202e\\u2066-\\u2069\\u0000-\\u0008\\u001b]/.test(document.body.textContent)"
        ),
        json!(false)
    );
}

#[test]
fn statements_sort_both_ways_without_a_reload() {
    let browser = Browser::start(1280, 1000);
    browser.open(&page("sort", &sample::report()), "");
    browser.run("window.same = true");
    browser.click("th[data-key=calls] button");
    assert_eq!(browser.text(FIRST_CELL), "312,480");
    assert_eq!(browser.text("return document.querySelector('th[data-key=calls]').ariaSort"), "descending");
    assert_eq!(browser.text("return document.querySelector('th[data-key=total]').ariaSort"), "none");
    assert_eq!(browser.text("return location.hash"), "#sort=-calls");
    browser.click("th[data-key=calls] button");
    assert_eq!(browser.text(FIRST_CELL), "1");
    assert_eq!(browser.text("return location.hash"), "#sort=calls");
    browser.click(".orders button[data-sort='-max']");
    assert_eq!(
        browser.text("return document.querySelector(\".orders button[data-sort='-max']\").ariaPressed"),
        "true"
    );
    let longest = browser.run(
        "const v = Array.from(document.querySelectorAll('#statements-table td[data-t=Max]')).map((c) => Number(c.dataset.v)); \
         return v.every((n, i) => i === 0 || v[i - 1] >= n) && v.length > 20",
    );
    assert_eq!(longest, json!(true));
    // Other tables sort too, numbers as numbers.
    browser.click("#redundant th:nth-child(2) button");
    let calls = browser.run(
        "const v = Array.from(document.querySelectorAll('#redundant tbody td:nth-child(2)')).map((c) => Number(c.dataset.v)); \
         return v.every((n, i) => i === 0 || v[i - 1] >= n) && v.length > 5",
    );
    assert_eq!(calls, json!(true));
    assert_eq!(browser.run("return window.same === true"), json!(true));
}

#[test]
fn what_nobody_knows_comes_last_both_ways() {
    let browser = Browser::start(1280, 1000);
    browser.open(&page("unknown", &sample::report()), "");
    let dashes = "const v = Array.from(document.querySelectorAll('#statements-table td[data-t=Repeats]')).map((c) => c.textContent.trim() === '–'); \
                  return v.includes(true) && v.includes(false) && v.indexOf(true) > v.lastIndexOf(false)";
    for _ in 0..2 {
        browser.click("th[data-key=repeats] button");
        assert_eq!(browser.run(dashes), json!(true));
    }
}

#[test]
fn a_link_to_a_statement_ends_a_search() {
    let browser = Browser::start(1280, 1000);
    browser.open(&page("filter", &sample::report()), "#q=skip_rules");
    let hidden = "return document.querySelectorAll('#statements-table tbody[hidden]').length";
    assert_eq!(browser.run(hidden), json!(21));
    browser.click("#fix a.to");
    browser.run("return new Promise((done) => setTimeout(done, 200))");
    assert_eq!(browser.run(hidden), json!(0));
    assert_eq!(browser.text("return document.querySelector('#q').value"), "");
}

#[test]
fn a_card_leads_to_its_evidence() {
    let browser = Browser::start(1280, 1000);
    browser.open(&page("evidence", &sample::report()), "");
    browser.click("#fix .rest a[href^='#finding-']");
    browser.run("return new Promise((done) => setTimeout(done, 200))");
    assert_eq!(
        browser.run("return document.getElementById(location.hash.slice(1)).open === true"),
        json!(true)
    );
}

#[test]
fn paper_is_white() {
    let browser = Browser::start(1280, 1000);
    browser.open(&page("paper", &sample::report()), "");
    browser.click("#theme");
    let colours = "const s = getComputedStyle(document.body); return s.backgroundColor + ' ' + s.color";
    let dark = browser.text(colours);
    browser.tools("Emulation.setEmulatedMedia", &json!({"media": "print"}));
    let paper = browser.text(colours);
    assert_ne!(paper, dark);
    assert!(paper.starts_with("rgb(255, 255, 255)"), "{paper}");
}

#[test]
fn no_width_makes_the_page_scroll_sideways() {
    let browser = Browser::start(1280, 1000);
    let path = page("widths", &sample::report());
    for width in [1440, 1180, 1024, 900, 768] {
        browser.tools(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
        );
        browser.open(&path, "");
        let beyond =
            browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(beyond, json!(0), "{width}");
    }
}

#[test]
fn one_box_searches_and_the_address_keeps_it() {
    let browser = Browser::start(1280, 1000);
    let path = page("search", &sample::report());
    browser.open(&path, "");
    browser.press("/");
    assert_eq!(browser.text("return document.activeElement.id"), "q");
    let visible = "return document.querySelectorAll('#statements-table tbody:not([hidden])').length";
    browser.type_into("#q", "skip_rules");
    browser.run("return new Promise((done) => setTimeout(done, 300))");
    assert_eq!(browser.run(visible), json!(1));
    assert_eq!(browser.text("return location.hash"), "#q=skip_rules");
    assert_eq!(
        browser.text("return document.querySelector('.matches').textContent"),
        "1 of 22 statements match “skip_rules”."
    );
    browser.press("\u{e00c}");
    assert_eq!(browser.run(visible), json!(22));
    browser.open(&path, "#q=%22from+answers%22+-skip&sort=-mean");
    assert_eq!(browser.text("return document.querySelector('#q').value"), "\"from answers\" -skip");
    let found = browser.run(visible).as_u64().unwrap();
    assert!((2..10).contains(&found), "{found}");
    browser.open(&path, "#q=nothing+like+this");
    assert_eq!(browser.run(visible), json!(0));
    assert_eq!(browser.run("return document.querySelector('.none').hidden"), json!(false));
}

#[test]
fn every_statement_has_its_own_link() {
    let browser = Browser::start(1280, 900);
    let report = sample::report();
    let path = page("link", &report);
    let fingerprint = &report.statements[9].fingerprint;
    let open = format!(
        "const b = document.getElementById('f-{fingerprint}'); return b.querySelector('details').open && b.querySelector('.rank button').ariaExpanded === 'true' && b.getBoundingClientRect().top < innerHeight && b.getBoundingClientRect().top >= 0"
    );
    for fragment in
        [format!("#f={fingerprint}"), format!("#f-{fingerprint}"), format!("#f={fingerprint}&sort=-calls")]
    {
        browser.open(&path, &fragment);
        assert_eq!(browser.run(&open), json!(true), "{fragment}");
    }
    // A click opens a row and puts it into the address; going back is possible from a link within the page.
    browser.open(&path, "");
    browser.click("#fix a.to");
    let first = &report.findings[0].fingerprint;
    assert_eq!(
        browser.run(&format!("return document.getElementById('f-{first}').querySelector('details').open")),
        json!(true)
    );
    browser.click(&format!("#f-{first} .rank button"));
    assert_eq!(
        browser.run(&format!("return document.getElementById('f-{first}').querySelector('details').open")),
        json!(false)
    );
    // Nonsense in the address is ignored.
    browser.open(&path, "#f=%3Cscript%3E&sort=__proto__&q=%F0%9F%98%80");
    assert!(browser.console().is_empty());
}

#[test]
fn reads_with_scripts_off() {
    let browser = Browser::start(1280, 1000);
    browser.tools("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(&page("noscript", &sample::report()), "");
    let headings = strings(&browser.run(
        "return Array.from(document.querySelectorAll('h2')).filter((h) => h.checkVisibility() && h.offsetHeight > 0).map((h) => h.firstChild.textContent.trim())",
    ));
    for wanted in [
        "What to fix first",
        "Findings",
        "Repeats over the whole log",
        "Hot INSERTs",
        "Statements",
        "Queries that took up the most time (N)",
        "Most frequent queries (N)",
        "Slowest queries (N)",
        "Slowest queries",
        "Most frequent errors (N)",
        "What a change would bring",
        "Overall statistics",
        "Queries by type",
        "Hourly statistics",
        "Who sent them",
        "Locks",
        "Temporary files",
        "Checkpoints",
        "Autovacuum",
        "Connections",
        "Server events",
        "Can these numbers be trusted?",
    ] {
        assert!(headings.iter().any(|heading| heading == wanted), "{wanted} in {headings:?}");
    }
    // Nothing stands there that would do nothing.
    assert_eq!(
        browser.run("return Array.from(document.querySelectorAll('button, input')).filter((e) => e.checkVisibility()).length"),
        json!(0)
    );
    // A statement's details open without a script.
    browser.click("#statements-table tbody summary");
    assert_eq!(
        browser.run("return document.querySelector('#statements-table tbody pre.sql').checkVisibility()"),
        json!(true)
    );
}

#[test]
fn a_log_of_fifty_thousand_statements_is_one_page_of_bounded_size() {
    let browser = Browser::start(1280, 1000);
    let path = page("large", &sample::large(50_000));
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size <= 5_000_000, "{size} bytes");
    browser.open(&path, "");
    assert_eq!(browser.run("return document.querySelector('#statements .intro').textContent.includes('more in the JSON report')"), json!(true));
    browser.click("th[data-key=calls] button");
    let sorted = "const v = Array.from(document.querySelectorAll('#statements-table td[data-t=Calls]')).map((c) => \
                  Number(c.dataset.v)); return v.length > 1 && v.every((c, i) => !i || v[i - 1] >= c)";
    assert_eq!(browser.run(sorted), json!(true));
}

#[test]
fn is_dark_where_the_system_is_and_where_a_click_says_so() {
    let browser = Browser::start(1280, 1000);
    let path = page("dark", &sample::report());
    let ground = "return getComputedStyle(document.body).backgroundColor";
    browser.open(&path, "");
    let light = browser.text(ground);
    browser.tools(
        "Emulation.setEmulatedMedia",
        &json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]}),
    );
    let dark = browser.text(ground);
    assert_ne!(light, dark);
    browser.click("#theme");
    assert_eq!(browser.text(ground), light);
    browser.click("#theme");
    assert_eq!(browser.text(ground), dark);
}

/// Text whose contrast with what is behind it is below 4.5 (WCAG 2.2 AA), as `ratio: text`.
const FAINT: &str = r"
    const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return { r: m[0], g: m[1], b: m[2], a: m[3] === undefined ? 1 : m[3] }; };
    const light = (c) => { const f = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(c.r) + 0.7152 * f(c.g) + 0.0722 * f(c.b); };
    const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a === 1) return c; } return { r: 255, g: 255, b: 255 }; };
    document.querySelectorAll('details').forEach((d) => { d.open = true });
    const faint = new Set();
    for (const e of document.querySelectorAll('body *')) {
      if (!Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility() || e.closest('svg, script, style')) continue;
      const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) faint.add(ratio.toFixed(2) + ': ' + e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 30));
    }
    return Array.from(faint).slice(0, 20);";

#[test]
fn can_be_read_and_reached_by_everyone() {
    let browser = Browser::start(1280, 1000);
    browser.open(&page("everyone", &sample::report()), "");
    assert_eq!(browser.text("return document.documentElement.lang"), "en");
    assert_eq!(browser.run("return document.querySelectorAll('h1').length"), json!(1));
    let skips = browser.run(
        "let last = 1; return Array.from(document.querySelectorAll('main h1, main h2, main h3, main h4')).filter((h) => { \
         const level = Number(h.tagName[1]); const skips = level > last + 1; last = level; return skips; }).map((h) => h.textContent)",
    );
    assert_eq!(skips, json!([]));
    let nameless = browser.run(
        "return Array.from(document.querySelectorAll('button, input, a')).filter((e) => !(e.textContent.trim() || e.ariaLabel || (e.labels && e.labels.length))).map((e) => e.outerHTML)",
    );
    assert_eq!(nameless, json!([]));
    let twice = browser.run(
        "const seen = new Set(); return Array.from(document.querySelectorAll('[id]')).map((e) => e.id).filter((id) => seen.size === seen.add(id).size)",
    );
    assert_eq!(twice, json!([]));
    let dead = browser.run(
        "return Array.from(document.querySelectorAll('a[href^=\"#\"]')).map((a) => a.getAttribute('href').slice(1)).filter((id) => !document.getElementById(id))",
    );
    assert_eq!(dead, json!([]));
    assert_eq!(browser.run(FAINT), json!([]), "light");
    browser.tools(
        "Emulation.setEmulatedMedia",
        &json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]}),
    );
    assert_eq!(browser.run(FAINT), json!([]), "dark");
}

#[test]
fn fits_a_telephone() {
    let browser = Browser::start(500, 900);
    browser.tools(
        "Emulation.setDeviceMetricsOverride",
        &json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true}),
    );
    for (name, report) in [("phone", sample::report()), ("phone-hostile", sample::hostile())] {
        browser.open(&page(name, &report), "");
        browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true })");
        let wide = browser.run(
            "return Array.from(document.querySelectorAll('main *')).filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, pre')).slice(0, 5).map((e) => e.tagName + '.' + e.className)",
        );
        assert_eq!(wide, json!([]), "{name}");
        assert_eq!(browser.run("return document.documentElement.scrollWidth <= 390"), json!(true), "{name}");
    }
}
