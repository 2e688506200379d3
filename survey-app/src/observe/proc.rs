//! How much of the machine each role uses: processes found by the port on which they listen, read from `/proc`.
//!
//! Serves the sampler. What belongs to another user may be hidden; then the role is simply not there.

use super::recording::RoleTotals;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A role, as one looks for its processes.
#[derive(Clone, Debug)]
pub struct Role {
    /// `db`, `replica`, `redis`, …
    pub name: String,
    /// The port on which its first process listens.
    pub port: Option<u16>,
    /// Or its first process.
    pub pid: Option<u32>,
}

impl Role {
    /// Whatever listens on `port`, with its children.
    pub fn on(name: &str, port: u16) -> Role {
        Role { name: name.to_string(), port: Some(port), pid: None }
    }

    /// A process, with its children.
    pub fn process(name: &str, pid: u32) -> Role {
        Role { name: name.to_string(), port: None, pid: Some(pid) }
    }
}

/// The processes of some roles.
#[derive(Debug)]
pub struct Processes {
    /// Several may share a name: their sum is that role's.
    roots: Vec<(String, u32)>,
    /// Roles whose process was not found.
    pub hidden: Vec<String>,
    load: BTreeMap<String, u64>,
    looks: u64,
    ticks: f64,
}

impl Processes {
    /// Finds them; they must be running.
    pub fn find(roles: &[Role]) -> Processes {
        let mut out = Processes {
            roots: Vec::new(),
            hidden: Vec::new(),
            load: BTreeMap::new(),
            looks: 0,
            ticks: rustix::param::clock_ticks_per_second() as f64,
        };
        for role in roles {
            match role.pid.or_else(|| role.port.and_then(listener)) {
                Some(pid) => out.roots.push((role.name.clone(), pid)),
                None => out.hidden.push(role.name.clone()),
            }
        }
        out
    }

    /// One look at who runs or wants to run; several between two samples make an average.
    pub fn look(&mut self) {
        let own = std::fs::read_link("/proc/thread-self")
            .ok()
            .and_then(|p| p.file_name().and_then(|n| n.to_str()?.parse::<u32>().ok()));
        let all = stats();
        self.looks += 1;
        for (name, root) in &self.roots {
            let wanting: u64 = family(&all, *root).iter().map(|pid| wanting(*pid, own)).sum();
            *self.load.entry(name.clone()).or_default() += wanting;
        }
    }

    /// Processor time so far and load since the last call, by role.
    pub fn totals(&mut self) -> BTreeMap<String, RoleTotals> {
        let all = stats();
        let looks = std::mem::take(&mut self.looks).max(1) as f64;
        let mut out: BTreeMap<String, RoleTotals> = BTreeMap::new();
        for (name, root) in &self.roots {
            let members = family(&all, *root);
            // Children that have ended are in the sums of whoever waited for them.
            let ticks: u64 =
                members.iter().filter_map(|pid| all.get(pid)).map(|s| s.own + s.waited_for).sum();
            out.entry(name.clone()).or_default().cpu += ticks as f64 / self.ticks;
        }
        for (name, load) in std::mem::take(&mut self.load) {
            out.entry(name).or_default().load = load as f64 / looks;
        }
        out
    }
}

/// The load average over a minute.
pub fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|w| w.parse().ok()).unwrap_or_default()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    parent: u32,
    own: u64,
    waited_for: u64,
}

impl Stat {
    /// From `/proc/…/stat`; the name in the middle may hold anything.
    fn read(text: &str) -> Option<Stat> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Stat {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            own: number(11)? + number(12)?,
            waited_for: number(13)? + number(14)?,
        })
    }
}

fn stats() -> BTreeMap<u32, Stat> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return BTreeMap::new() };
    entries
        .filter_map(Result::ok)
        .filter_map(|e| {
            let pid: u32 = e.file_name().to_str()?.parse().ok()?;
            Some((pid, Stat::read(&std::fs::read_to_string(e.path().join("stat")).ok()?)?))
        })
        .collect()
}

/// A process and everything below it.
fn family(all: &BTreeMap<u32, Stat>, root: u32) -> BTreeSet<u32> {
    let mut members = BTreeSet::from([root]);
    loop {
        let more: Vec<u32> = all
            .iter()
            .filter(|(pid, stat)| members.contains(&stat.parent) && !members.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            return members;
        }
        members.extend(more);
    }
}

/// Threads of a process that run, want to run or wait for a disk, without the one that looks.
fn wanting(pid: u32, own: Option<u32>) -> u64 {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let wants = |path: &Path| -> Option<bool> {
        let id: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let stat = Stat::read(&std::fs::read_to_string(path.join("stat")).ok()?)?;
        Some(Some(id) != own && matches!(stat.state, 'R' | 'D'))
    };
    tasks.filter_map(Result::ok).filter(|t| wants(&t.path()) == Some(true)).count() as u64
}

/// The process that listens on a port of this machine: of several that share it, their parent.
fn listener(port: u16) -> Option<u32> {
    let sockets: BTreeSet<String> = ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/net/{table}")).ok())
        .flat_map(|text| {
            let inodes = text.lines().filter_map(|line| listening(line, port));
            inodes.map(|inode| format!("socket:[{inode}]")).collect::<Vec<_>>()
        })
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let all = stats();
    let holds = |pid: u32| {
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let mut links = fds.filter_map(Result::ok).filter_map(|fd| std::fs::read_link(fd.path()).ok());
        links.any(|link| sockets.contains(link.to_string_lossy().as_ref())).then_some(())
    };
    let holders: BTreeSet<u32> = all.keys().copied().filter(|pid| holds(*pid).is_some()).collect();
    holders.iter().copied().find(|pid| all.get(pid).is_some_and(|stat| !holders.contains(&stat.parent)))
}

/// The inode of a line of `/proc/net/tcp`, when it listens on `port`.
fn listening(line: &str, port: u16) -> Option<&str> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, at) = fields.get(1)?.rsplit_once(':')?;
    let listens = *fields.get(3)? == "0A" && u16::from_str_radix(at, 16) == Ok(port);
    if listens { fields.get(9).copied() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_no_trouble() {
        let text = "7 (a) R (b) S 5 7 7 0 -1 0 0 0 0 0 11 12 13 14 20 0 1";
        assert_eq!(Stat::read(text), Some(Stat { state: 'S', parent: 5, own: 23, waited_for: 27 }));
        assert_eq!(Stat::read("7 a S"), None);
    }

    #[test]
    fn only_listeners_of_that_port() {
        let line = "0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0 4711 1 0";
        assert_eq!(listening(line, 8080), Some("4711"));
        assert_eq!(listening(line, 80), None);
        assert_eq!(listening(&line.replace(" 0A ", " 01 "), 8080), None);
    }

    #[test]
    fn we_find_ourselves() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut all = Processes::find(&[Role::on("me", port), Role::on("nobody", 0)]);
        assert_eq!(all.roots, [("me".to_string(), std::process::id())]);
        assert_eq!(all.hidden, ["nobody"]);
        all.look();
        assert!(all.totals().contains_key("me"));
    }
}
