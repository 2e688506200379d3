//! The role `cache`: memcached for what may be lost, Redis for what must not.
//!
//! Both can be asked for the settings that they run with. Redis can be told others while it runs, so what it said
//! right after its start is kept: a setting that nobody declared and that is another now was made by hand.

use super::ground::{Declared, Ground, Server, replace};
use super::state::{Memcached, Redis, Scalar, State};
use super::{Drift, Role};
use crate::stack::keeper::Stop;
use crate::stack::{argv, find_program};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const ROLE: Role = Role::Cache;
const PATIENCE: Duration = Duration::from_secs(3);

/// What a server says of itself.
type Said = BTreeMap<String, String>;

/// memcached and Redis as declared.
pub(super) async fn apply(ground: &mut Ground, state: &State) -> Result<()> {
    if let Some(declared) = &state.cache.memcached {
        let server = memcached(ground, declared)?;
        if !ground.ensure(&server).await?
            && let Some(drift) = memcached_drifts(declared).await.first()
        {
            ground.restart(&server, &drift.to_string()).await?;
        }
    }
    if let Some(declared) = &state.cache.redis {
        let (file, server) = redis(ground, declared)?;
        ground.dir("cache/redis", ground.user)?;
        ground.write(&file)?;
        let mut is_started = ground.ensure(&server).await?;
        if !is_started && let Some(drift) = redis_drifts(ground, declared).await.first() {
            ground.restart(&server, &drift.to_string()).await?;
            is_started = true;
        }
        if is_started {
            let said = ask_redis(declared).await?;
            replace(&baseline(ground), &serde_json::to_string(&said).context("its settings")?, None, 0o600)?;
        }
    }
    Ok(())
}

/// What of memcached and Redis is not as declared.
pub(super) async fn check(ground: &Ground, state: &State) -> Result<Vec<Drift>> {
    let mut out = Vec::new();
    if let Some(declared) = &state.cache.memcached {
        let drift = ground.compare_server(&memcached(ground, declared)?)?;
        match drift {
            Some(drift) => out.push(drift),
            None => out.extend(memcached_drifts(declared).await),
        }
    }
    if let Some(declared) = &state.cache.redis {
        let (file, server) = redis(ground, declared)?;
        out.extend(ground.compare(&file));
        match ground.compare_server(&server)? {
            Some(drift) => out.push(drift),
            None => out.extend(redis_drifts(ground, declared).await),
        }
    }
    Ok(out)
}

fn drift(server: &str, name: &str, declared: Option<String>, actual: Option<String>, place: &str) -> Drift {
    // A password is nobody's business, neither the declared nor the other one.
    let hide = |text: Option<String>| match name.contains("pass") || name.contains("auth") {
        true => text.map(|_| "(hidden)".to_string()),
        false => text,
    };
    Drift {
        role: ROLE,
        what: format!("{server} {name}"),
        declared: hide(declared),
        actual: hide(actual),
        place: place.to_string(),
    }
}

fn memcached(ground: &Ground, declared: &Memcached) -> Result<Server> {
    let program = find_program("memcached", &["/usr/bin"])
        .context("memcached is not installed. On Debian or Ubuntu: apt-get install memcached")?;
    let (port, memory) = (declared.port.to_string(), declared.memory_mb.to_string());
    let (connections, threads) = (declared.connections.to_string(), declared.threads.to_string());
    let all =
        ["-l", &declared.host, "-p", &port, "-U", "0", "-m", &memory, "-c", &connections, "-t", &threads];
    Ok(Server {
        role: ROLE,
        spec: ground.spec("memcached", argv(&program, &all)?, ground.user, Stop::Term, ""),
        at: Some(format!("{}:{}", declared.host, declared.port)),
    })
}

/// What the running memcached says against what is declared.
async fn memcached_drifts(declared: &Memcached) -> Vec<Drift> {
    let said = match ask_memcached(&format!("{}:{}", declared.host, declared.port)).await {
        Ok(said) => said,
        Err(error) => {
            return vec![drift("memcached", "", Some("an answer".into()), None, &format!("{error:#}"))];
        }
    };
    [
        ("maxbytes", declared.memory_mb << 20),
        ("maxconns", declared.connections),
        ("num_threads", declared.threads),
        ("tcpport", u64::from(declared.port)),
    ]
    .into_iter()
    .filter(|(name, value)| said.get(*name).map(String::as_str) != Some(&value.to_string()))
    .map(|(name, value)| {
        drift("memcached", name, Some(value.to_string()), said.get(name).cloned(), "stats settings")
    })
    .collect()
}

async fn ask_memcached(at: &str) -> Result<Said> {
    let asking = async {
        let mut stream = BufReader::new(tokio::net::TcpStream::connect(at).await?);
        stream.get_mut().write_all(b"stats settings\r\n").await?;
        let (mut said, mut line) = (Said::new(), String::new());
        while stream.read_line(&mut line).await? > 0 && line.trim() != "END" {
            if let Some((name, value)) = line.trim().strip_prefix("STAT ").and_then(|l| l.split_once(' ')) {
                said.insert(name.to_string(), value.to_string());
            }
            line.clear();
        }
        Ok::<_, std::io::Error>(said)
    };
    tokio::time::timeout(PATIENCE, asking).await.context("memcached does not answer")?.context("memcached")
}

fn redis(ground: &Ground, declared: &Redis) -> Result<(Declared, Server)> {
    let program = find_program("redis-server", &["/usr/bin"])
        .context("Redis is not installed. On Debian or Ubuntu: apt-get install redis-server")?;
    let dir = ground.root.join("cache/redis");
    let dir_text = dir.to_str().context("a path is not UTF-8")?;
    let mut text = format!(
        "# Written by `survey-app provision`; whatever is changed here by hand is lost.\n\
         bind {}\nport {}\ndir \"{dir_text}\"\ndaemonize no\n",
        declared.host, declared.port
    );
    for (name, value) in &declared.settings {
        let value = match value {
            Scalar::Bool(true) => "yes".to_string(),
            Scalar::Bool(false) => "no".to_string(),
            other => other.to_string().replace('\\', "\\\\").replace('"', "\\\""),
        };
        text.push_str(&format!("{name} \"{value}\"\n"));
    }
    let path = dir.join("redis.conf");
    let spec =
        ground.spec("redis", argv(&program, &[&path.display().to_string()])?, ground.user, Stop::Term, &text);
    let file = Declared { role: ROLE, path, text, owner: ground.user, is_secret: false };
    Ok((file, Server { role: ROLE, spec, at: Some(format!("{}:{}", declared.host, declared.port)) }))
}

fn baseline(ground: &Ground) -> PathBuf {
    ground.root.join("cache/redis-at-start.json")
}

/// What the running Redis says against what is declared, and against what it said when it was started.
async fn redis_drifts(ground: &Ground, declared: &Redis) -> Vec<Drift> {
    let said = match ask_redis(declared).await {
        Ok(said) => said,
        Err(error) => return vec![drift("redis", "", Some("an answer".into()), None, &format!("{error:#}"))],
    };
    let mut out = Vec::new();
    for (name, value) in &declared.settings {
        let (value, actual) = (value.to_string(), said.get(name));
        if !actual.is_some_and(|a| is_same_to_redis(&value, a)) {
            out.push(drift("redis", name, Some(value), actual.cloned(), "CONFIG GET"));
        }
    }
    let at_start: Said = std::fs::read_to_string(baseline(ground))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    for (name, before) in at_start.iter().filter(|(name, _)| !declared.settings.contains_key(*name)) {
        if said.get(name) != Some(before) {
            let before = if name.contains("pass") { "(hidden)" } else { before };
            let place = format!("CONFIG GET; it was `{before}` when it was started");
            out.push(drift("redis", name, None, said.get(name).cloned(), &place));
        }
    }
    out
}

async fn ask_redis(declared: &Redis) -> Result<Said> {
    let address = format!("redis://{}:{}", declared.host, declared.port);
    let asking = async {
        let client = redis::Client::open(address).context("Redis")?;
        let mut connection = client.get_multiplexed_async_connection().await.context("Redis")?;
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg("*").query_async::<Said>(&mut connection).await.context("Redis")
    };
    tokio::time::timeout(PATIENCE, asking).await.context("Redis does not answer")?
}

/// Redis takes `256mb` and says 268435456.
fn is_same_to_redis(declared: &str, actual: &str) -> bool {
    let bytes = |text: &str| -> Option<u64> {
        let text = text.to_ascii_lowercase();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let times = match &text[end..] {
            "" | "b" => 1,
            "k" => 1000,
            "kb" => 1 << 10,
            "m" => 1_000_000,
            "mb" => 1 << 20,
            "g" => 1_000_000_000,
            "gb" => 1 << 30,
            _ => return None,
        };
        text[..end].parse::<u64>().ok()?.checked_mul(times)
    };
    // `on` is what TOML's true becomes; Redis says yes.
    let word = |text: &str| match text.to_ascii_lowercase().as_str() {
        "on" => "yes".to_string(),
        "off" => "no".to_string(),
        other => other.to_string(),
    };
    word(declared) == word(actual) || bytes(declared).is_some_and(|d| bytes(actual) == Some(d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_words() {
        assert!(is_same_to_redis("256mb", "268435456") && is_same_to_redis("1k", "1000"));
        assert!(is_same_to_redis("yes", "yes") && is_same_to_redis("", ""));
        assert!(!is_same_to_redis("256mb", "256000000") && !is_same_to_redis("yes", "no"));
        assert!(!is_same_to_redis("", "3600 1"));
    }
}
