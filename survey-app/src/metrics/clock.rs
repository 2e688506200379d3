//! Where one request's time goes: at every moment to exactly one component.
//!
//! ```text
//!   request begins ─┬─ app ─┬─ redis ─┬─ app ─┬─ pool ─┬─ primary ─┬─ app ─┬─ ends
//!                           session             connection  INSERT
//! ```
//!
//! Serves the code that waits ([`wait`] beside each round trip) and [`super::Metrics`]. The clock of a request is found
//! through its task, so that a store or a pool need not be told for whom it waits. Waits that overlap are not
//! counted twice: time belongs to the wait that began last. The sum over all components is therefore the time
//! of the request, exactly. Must not know views or servers' addresses.

use serde::{Deserialize, Serialize};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

/// What a request's time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// The application runs: templates, JSON, hashing.
    App,
    /// Neither running nor waiting for anything below: for its turn on a thread, or for the request's body.
    Queue,
    /// Waits for another request of this process: the same respondent's, or one that fills the cache.
    Lock,
    /// Waits for a connection to PostgreSQL: a free one of the pool, or a new one.
    Pool,
    /// Waits for the primary.
    Primary,
    /// Waits for the replica.
    Replica,
    /// Waits for memcached.
    Memcached,
    /// Waits for Redis: sessions, flush lists, jobs, and the cache when it lives there.
    Redis,
}

impl Component {
    /// All of them, in the order in which they are listed and stacked.
    pub const ALL: [Component; 8] = [
        Component::App,
        Component::Queue,
        Component::Lock,
        Component::Pool,
        Component::Primary,
        Component::Replica,
        Component::Memcached,
        Component::Redis,
    ];

    /// The label in `/metrics`.
    pub fn name(self) -> &'static str {
        match self {
            Component::App => "app",
            Component::Queue => "queue",
            Component::Lock => "lock",
            Component::Pool => "pool",
            Component::Primary => "primary",
            Component::Replica => "replica",
            Component::Memcached => "memcached",
            Component::Redis => "redis",
        }
    }

    /// The component with this label.
    pub fn of(name: &str) -> Option<Component> {
        Component::ALL.into_iter().find(|c| c.name() == name)
    }

    /// Its place in [`Component::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Time by component, in the order of [`Component::ALL`].
pub type Spent = [Duration; Component::ALL.len()];

tokio::task_local! {
    static WATCH: Arc<Watch>;
}

/// The clock of one request.
#[derive(Debug)]
pub struct Watch {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Up to here, time has been handed out.
    at: Instant,
    running: bool,
    /// Waits that have begun and not ended, the latest last.
    waits: Vec<(u64, Component)>,
    begun: u64,
    spent: Spent,
}

impl State {
    fn settle(&mut self, now: Instant) {
        let component = match self.waits.last() {
            Some((_, component)) => *component,
            None if self.running => Component::App,
            None => Component::Queue,
        };
        self.spent[component.index()] += now.saturating_duration_since(self.at);
        self.at = now;
    }
}

impl Watch {
    /// A clock that runs from now.
    pub fn start() -> Arc<Watch> {
        Watch::start_at(Instant::now())
    }

    fn start_at(at: Instant) -> Arc<Watch> {
        let state = State { at, running: false, waits: Vec::new(), begun: 0, spent: Spent::default() };
        Arc::new(Watch { state: Mutex::new(state) })
    }

    /// Runs `work` under this clock: what it waits for is counted here.
    pub async fn over<F: Future>(self: Arc<Watch>, work: F) -> F::Output {
        let mut work = pin!(WATCH.scope(Arc::clone(&self), work));
        std::future::poll_fn(|context| {
            self.turn(true, Instant::now());
            let polled: Poll<F::Output> = work.as_mut().poll(context);
            self.turn(false, Instant::now());
            polled
        })
        .await
    }

    /// What was spent so far; the sum is the time since the start.
    pub fn spent(&self) -> Spent {
        let mut state = self.state.lock().expect("no panic holds this lock");
        state.settle(Instant::now());
        state.spent
    }

    fn turn(&self, running: bool, now: Instant) {
        let mut state = self.state.lock().expect("no panic holds this lock");
        state.settle(now);
        state.running = running;
    }

    fn begin(&self, component: Component, now: Instant) -> u64 {
        let mut state = self.state.lock().expect("no panic holds this lock");
        state.settle(now);
        state.begun += 1;
        let name = state.begun;
        state.waits.push((name, component));
        name
    }

    fn end(&self, name: u64, now: Instant) {
        let mut state = self.state.lock().expect("no panic holds this lock");
        state.settle(now);
        state.waits.retain(|w| w.0 != name);
    }
}

/// A wait; it ends when this is dropped, also when the wait is given up.
#[derive(Debug)]
#[must_use = "the wait ends when this is dropped"]
pub struct Wait {
    watch: Option<(Arc<Watch>, u64)>,
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some((watch, name)) = self.watch.take() {
            watch.end(name, Instant::now());
        }
    }
}

/// From now on, until the answer is dropped, this request waits for `component`. Outside of a request (a job,
/// the seed) nothing is counted.
pub fn wait(component: Component) -> Wait {
    let watch = WATCH.try_with(Arc::clone).ok();
    Wait {
        watch: watch.map(|w| {
            let name = w.begin(component, Instant::now());
            (w, name)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(spent: &Spent) -> [u64; 8] {
        spent.map(|d| d.as_millis() as u64)
    }

    /// A story with times by hand: what is spent is known without a clock.
    #[test]
    fn overlapping_waits_are_counted_once() {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        let watch = Watch::start_at(zero);
        watch.turn(true, at(2)); // 0..2 queue
        let redis = watch.begin(Component::Redis, at(5)); // 2..5 app
        watch.turn(false, at(6)); // 5..6 redis
        let primary = watch.begin(Component::Primary, at(10)); // 6..10 redis
        watch.end(redis, at(14)); // 10..14 primary, though both wait
        watch.end(primary, at(20)); // 14..20 primary
        watch.turn(true, at(21)); // 20..21 queue
        watch.turn(false, at(30)); // 21..30 app
        let state = watch.state.lock().unwrap();
        assert_eq!(millis(&state.spent), [12, 3, 0, 0, 10, 0, 0, 5]);
        assert_eq!(state.spent.iter().sum::<Duration>(), Duration::from_millis(30));
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_ends() {
        let watch = Watch::start();
        Arc::clone(&watch)
            .over(async {
                let never = async {
                    let _wait = wait(Component::Memcached);
                    std::future::pending::<()>().await;
                };
                let _ = tokio::time::timeout(Duration::from_millis(1), never).await;
            })
            .await;
        assert!(watch.state.lock().unwrap().waits.is_empty());
        assert!(watch.spent()[Component::Memcached.index()] > Duration::ZERO);
    }

    #[test]
    fn labels_are_places() {
        for (at, component) in Component::ALL.into_iter().enumerate() {
            assert_eq!((component.index(), Component::of(component.name())), (at, Some(component)));
        }
        assert!(wait(Component::Redis).watch.is_none(), "nobody's time outside of a request");
    }
}
