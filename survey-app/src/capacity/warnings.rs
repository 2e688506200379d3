//! What is wrong with a sheet, in sentences.

use super::figures::Basis;
use super::render::number as n;
use super::{Compared, Sheet};

/// A load test above this many times the target tests something else.
const TOO_MUCH: f64 = 1.2;
/// From here on it is the talk's mistake.
const THE_MISTAKE: f64 = 2.5;

/// Every warning that applies, the gravest first.
pub(super) fn of(sheet: &Sheet, b: &Basis, compared: &[Compared]) -> Vec<String> {
    let mut out = Vec::new();
    load(sheet, b, &mut out);
    connections(sheet, b, &mut out);
    siblings(sheet, b, &mut out);
    hosts(sheet, b, &mut out);
    for c in compared.iter().filter(|c| !c.fits()) {
        out.push(format!(
            "{}: measured {} is {} times the planned {}; one of the two is not what you think it is.",
            c.name,
            n(c.measured),
            n(c.ratio()),
            n(c.planned)
        ));
    }
    out
}

fn load(sheet: &Sheet, b: &Basis, out: &mut Vec<String>) {
    let Some(planned) = sheet.planned_load() else { return };
    let ratio = planned / b.requests;
    if ratio <= TOO_MUCH {
        return;
    }
    let mut text = format!(
        "The load test sends {} times the target ({} instead of {} requests/s).",
        n(ratio),
        n(planned),
        n(b.requests)
    );
    if ratio >= THE_MISTAKE {
        text.push_str(
            " This is the 3× mistake of the talk: the servers were swamped with three times the requests that \
             anybody had asked for, and a larger database did not help.",
        );
    } else {
        text.push_str(" What breaks then need not break at the target.");
    }
    out.push(text);
}

fn connections(sheet: &Sheet, b: &Basis, out: &mut Vec<String>) {
    if b.pooled.0 > b.active {
        out.push(format!(
            "{} pooled connections are more than the {} that {} cores can keep busy; smaller pools will be faster.",
            n(b.pooled.0),
            n(b.active),
            sheet.db.cores
        ));
    }
    let per_host = f64::from(sheet.web.workers_per_host);
    if b.pool.0 > per_host {
        out.push(format!(
            "A pool of {} is larger than the {} workers that share it.",
            n(b.pool.0),
            n(per_host)
        ));
    }
}

fn siblings(sheet: &Sheet, b: &Basis, out: &mut Vec<String>) {
    if sheet.db.commit_delay.unwrap_or(0) == 0 && sheet.db.commit_siblings.is_none() {
        return;
    }
    // PostgreSQL's default is 5 too.
    let siblings = f64::from(sheet.db.commit_siblings.unwrap_or(5));
    if b.pooled.0 >= siblings + 1.0 {
        return;
    }
    let which = if b.pooled.0 == b.pooled.1 {
        n(b.pooled.0)
    } else {
        format!("{} (pools of {})", n(b.pooled.0), n(b.pool.0))
    };
    out.push(format!(
        "commit_siblings = {} is inert with {which} pooled connections: a commit is only delayed while {} other \
         transactions are open, which takes at least {} connections.",
        n(siblings),
        n(siblings),
        n(siblings + 1.0)
    ));
}

fn hosts(sheet: &Sheet, b: &Basis, out: &mut Vec<String>) {
    let web = &sheet.web;
    if let Some(ms) = web.response_ms
        && b.requests * ms / 1000.0 > b.workers
    {
        out.push(format!(
            "{} requests/s of {} ms keep {} workers busy, and there are {}.",
            n(b.requests),
            n(ms),
            n(b.requests * ms / 1000.0),
            n(b.workers)
        ));
    }
    if let (Some(ms), Some(cores)) = (web.cpu_ms_per_request, web.cores_per_host) {
        let share = b.requests * ms / 1000.0 / (f64::from(web.hosts) * f64::from(cores));
        if share > 0.6 {
            out.push(format!(
                "The web hosts' cores are {} % busy; above 50 to 60 % everything slows down.",
                n(share * 100.0)
            ));
        }
    }
    let memory = |text: &Option<String>| text.as_deref().and_then(|t| crate::tune::memory(t).ok());
    if let (Some(host), Some(worker)) = (memory(&web.memory_per_host), memory(&web.memory_per_worker)) {
        let needed = worker.saturating_mul(u64::from(web.workers_per_host));
        if needed > host {
            out.push(format!(
                "{} workers need {} MB, and a web host has {} MB.",
                web.workers_per_host,
                needed >> 20,
                host >> 20
            ));
        }
    }
}
