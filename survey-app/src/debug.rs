//! The debug panel: the statements of the last requests, with those that look alike.
//!
//! Serves developers at `/debug/`, only from the addresses in `debug.internal_ips`. Two statements are
//! *similar* when their text is the same and *duplicates* when their values are too, each per server.

use crate::scope::{Scope, Sent};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

/// How many requests are kept.
pub const KEPT: usize = 25;

/// The last requests.
#[derive(Debug, Default)]
pub struct Panel {
    requests: Mutex<VecDeque<Seen>>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The span id, which is also in `traceparent` and in the header `X-Debug-Request`.
    pub id: String,
    /// The view.
    pub view: &'static str,
    /// Method and path.
    pub request: String,
    /// The status of the answer.
    pub status: u16,
    /// Its statements, in order.
    pub sent: Vec<Sent>,
}

impl Seen {
    /// The request that `scope` served.
    pub fn of(scope: &Scope, request: String, status: u16) -> Seen {
        Seen {
            id: scope.trace().span_id.clone(),
            view: scope.view().name,
            request,
            status,
            sent: scope.sent(),
        }
    }

    /// Statements in groups of two or more with the same text: all members are counted.
    pub fn similar(&self) -> usize {
        members(self.sent.iter().map(|s| (s.server, s.sql.as_str(), "")))
    }

    /// Statements in groups of two or more with the same text and values: all members are counted.
    pub fn duplicates(&self) -> usize {
        members(self.sent.iter().map(|s| (s.server, s.sql.as_str(), s.params.as_str())))
    }

    /// Each statement with how often its text was sent, and how often with these values.
    pub fn rows(&self) -> Vec<(&Sent, usize, usize)> {
        let alike =
            |this: &Sent| self.sent.iter().filter(|s| (s.server, &s.sql) == (this.server, &this.sql)).count();
        let same = |this: &Sent| {
            let key = (this.server, &this.sql, &this.params);
            self.sent.iter().filter(|s| (s.server, &s.sql, &s.params) == key).count()
        };
        self.sent.iter().map(|sent| (sent, alike(sent), same(sent))).collect()
    }

    /// Time that the application waited for PostgreSQL.
    pub fn micros(&self) -> u64 {
        self.sent.iter().map(|s| s.micros).sum()
    }

    /// The header that browsers show beside an Ajax request too.
    pub fn server_timing(&self) -> String {
        format!("sql;dur={:.2};desc=\"{} statements\"", self.micros() as f64 / 1000.0, self.sent.len())
    }
}

fn members<K: Ord>(keys: impl Iterator<Item = K>) -> usize {
    let mut groups: BTreeMap<K, usize> = BTreeMap::new();
    keys.for_each(|k| *groups.entry(k).or_default() += 1);
    groups.values().filter(|n| **n >= 2).sum()
}

impl Panel {
    /// Keeps a request, and forgets the oldest.
    pub fn keep(&self, seen: Seen) {
        let mut requests = self.requests.lock().expect("no panic holds this lock");
        if requests.len() == KEPT {
            requests.pop_front();
        }
        requests.push_back(seen);
    }

    /// The last requests, newest first.
    pub fn last(&self) -> Vec<Seen> {
        self.requests.lock().expect("no panic holds this lock").iter().rev().cloned().collect()
    }

    /// The request with this id.
    pub fn find(&self, id: &str) -> Option<Seen> {
        self.requests.lock().expect("no panic holds this lock").iter().find(|s| s.id == id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Kind, Server};

    fn sent(server: Server, sql: &str, params: &str) -> Sent {
        Sent {
            server,
            kind: Kind::Select,
            sql: sql.into(),
            params: params.into(),
            micros: 1500,
            failed: false,
        }
    }

    #[test]
    fn groups_are_per_server_and_count_all_members() {
        let seen = Seen {
            id: "1".into(),
            view: "v",
            request: "GET /".into(),
            status: 200,
            sent: vec![
                sent(Server::Primary, "a", "1"),
                sent(Server::Primary, "a", "1"),
                sent(Server::Primary, "a", "2"),
                sent(Server::Replica, "a", "1"),
                sent(Server::Primary, "b", "1"),
            ],
        };
        assert_eq!((seen.similar(), seen.duplicates()), (3, 2));
        let times: Vec<_> = seen.rows().iter().map(|r| (r.1, r.2)).collect();
        assert_eq!(times, [(3, 2), (3, 2), (3, 1), (1, 1), (1, 1)]);
        assert_eq!(seen.server_timing(), "sql;dur=7.50;desc=\"5 statements\"");
    }

    #[test]
    fn only_the_last_are_kept() {
        let panel = Panel::default();
        for i in 0..30 {
            panel.keep(Seen {
                id: i.to_string(),
                view: "v",
                request: String::new(),
                status: 200,
                sent: vec![],
            });
        }
        assert_eq!(panel.last().len(), KEPT);
        assert_eq!(panel.last()[0].id, "29");
        assert!(panel.find("4").is_none() && panel.find("5").is_some());
    }
}
