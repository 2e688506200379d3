//! Which server answers: weighted choice, pinning after a write, models that are read-only in some views.
//!
//! The rules are django-balancer's. Serves [`crate::scope`]; state that lives longer than a request is only
//! the round-robin counter and, in the client, the pinning cookie. Must not know SQL or HTTP.

use crate::config::{self, RouterMode};
use crate::db::Server;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The configured choice.
#[derive(Debug)]
pub struct Router {
    mode: RouterMode,
    /// Running totals of the weights; the last one is their sum.
    totals: Vec<(u32, Server)>,
    pinning: bool,
    read_only_models: bool,
    turn: AtomicUsize,
}

impl Router {
    /// From the switches.
    pub fn new(switches: &config::Router) -> Router {
        let mut totals = Vec::new();
        let mut sum = 0;
        for (name, weight) in &switches.pool {
            sum += weight;
            let server = if name == "replica" { Server::Replica } else { Server::Primary };
            totals.push((sum, server));
        }
        Router {
            mode: switches.mode,
            totals,
            pinning: switches.pinning,
            read_only_models: switches.read_only_models,
            turn: AtomicUsize::new(0),
        }
    }

    /// Where a SELECT goes. `read_only` says that its model does not change in this view: then not even a
    /// pinned request asks the primary for it.
    pub fn read(&self, pinned: bool, read_only: bool) -> Server {
        match self.mode {
            RouterMode::Off => Server::Primary,
            _ if read_only && self.read_only_models => Server::Replica,
            _ if pinned && self.pinning => Server::Primary,
            RouterMode::Wms => {
                let mut bytes = [0u8; 4];
                getrandom::fill(&mut bytes).expect("the kernel's random source does not fail once it is up");
                self.at(f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0))
            }
            RouterMode::RoundRobin => {
                self.totals[self.turn.fetch_add(1, Ordering::Relaxed) % self.totals.len()].1
            }
        }
    }

    /// The server at `fraction` (0 ≤ f < 1) of the summed weights.
    pub fn at(&self, fraction: f64) -> Server {
        let sum = self.totals.last().map_or(0, |t| t.0);
        let point = fraction * f64::from(sum);
        self.totals.iter().find(|(total, _)| point < f64::from(*total)).map_or(Server::Primary, |t| t.1)
    }

    /// Whether writes pin.
    pub fn pins(&self) -> bool {
        self.pinning && self.mode != RouterMode::Off
    }
}

/// What one request knows about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    /// Reads stay on the primary.
    pub pinned: bool,
    /// This request has written.
    pub wrote: bool,
}

impl Pin {
    /// A request begins: a cookie, whatever its value, pins. Its age is the browser's business.
    pub fn begin(cookie: Option<&str>) -> Pin {
        Pin { pinned: cookie.is_some(), wrote: false }
    }

    /// A write pins the rest of this request, whatever its method.
    pub fn write(&mut self) {
        *self = Pin { pinned: true, wrote: true };
    }

    /// Whether the answer sets (or renews) the cookie: only a POST that wrote.
    pub fn sets_cookie(self, method_is_post: bool) -> bool {
        self.wrote && method_is_post
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Profile, Switches};

    fn router(set: &[&str]) -> Router {
        let sets: Vec<String> = set.iter().map(|s| s.to_string()).collect();
        Router::new(&Switches::assemble(Profile::Tuned, None, &[], &sets).unwrap().router)
    }

    #[test]
    fn weights_cut_the_line() {
        let r = router(&["router.pool={primary=1,replica=3}"]);
        let got: Vec<Server> = [0.0, 0.2499, 0.25, 0.5, 0.9999].iter().map(|f| r.at(*f)).collect();
        use Server::{Primary, Replica};
        assert_eq!(got, [Primary, Primary, Replica, Replica, Replica]);
    }

    #[test]
    fn share_follows_the_weights() {
        // 4,000 throws at 1:1, standard deviation 32: ±200 is six of them.
        let r = router(&["router.pool={primary=1,replica=1}"]);
        let replica = (0..4000).filter(|_| r.read(false, false) == Server::Replica).count();
        assert!((1800..=2200).contains(&replica), "{replica} of 4000");
    }

    #[test]
    fn pinned_reads_stay_except_for_read_only_models() {
        let r = router(&[]);
        assert_eq!(r.read(false, false), Server::Replica);
        assert_eq!(r.read(true, false), Server::Primary);
        assert_eq!(r.read(true, true), Server::Replica);
        assert_eq!(router(&["router.read_only_models=off"]).read(true, true), Server::Primary);
        assert_eq!(router(&["router.pinning=off"]).read(true, false), Server::Replica);
        assert_eq!(router(&["router.mode=off"]).read(false, true), Server::Primary);
    }

    #[test]
    fn round_robin_takes_turns() {
        let r = router(&["router.mode=rr", "router.pool={primary=1,replica=1}"]);
        let got: Vec<Server> = (0..4).map(|_| r.read(false, false)).collect();
        use Server::{Primary, Replica};
        assert_eq!(got, [Primary, Replica, Primary, Replica]);
    }

    #[test]
    fn pins() {
        assert!(!Pin::begin(None).pinned);
        assert!(Pin::begin(Some("")).pinned && Pin::begin(Some("anything")).pinned);
        let mut pin = Pin::begin(None);
        assert!(!pin.sets_cookie(true));
        pin.write();
        assert!(pin.pinned && pin.sets_cookie(true));
        assert!(!pin.sets_cookie(false), "a GET that wrote sets no cookie");
        assert!(!Pin::begin(Some("y")).sets_cookie(true), "nor does a POST that only read");
    }
}
