//! Who is at the other end: the login behind the `sessionid` cookie.
//!
//! Serves every view. A session is loaded when it is asked for, saved when it was changed, and gets a new id
//! at each login, so that an id planted by somebody else is worth nothing.

use crate::config::SessionBackend;
use crate::metrics::{Component, wait};
use crate::models::Model;
use crate::scope::{Memory, Scope, Select};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How long a restart of the session store may take before somebody is told.
const PATIENCE: Duration = Duration::from_secs(4);
/// The cookie's name.
pub const COOKIE: &str = "sessionid";

/// What a login remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// A respondent who is taking a survey.
    pub taking: Option<Taking>,
    /// An administrator.
    pub admin: Option<Admin>,
}

/// A respondent who is taking a survey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taking {
    /// Row of `response_session`.
    pub session: i64,
    /// Row of `respondent`.
    pub respondent: i64,
    /// Row of `survey`.
    pub survey: i64,
}

/// An administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admin {
    /// Row of `admin_user`.
    pub id: i64,
    /// What the audit log calls them.
    pub name: String,
}

/// The session behind a cookie; `None` for an id that was never given out or has ended.
pub async fn load(scope: &Scope, id: &str) -> Result<Option<Session>> {
    if id.len() != 64 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let text: Option<String> = match scope.app().switches.session.backend {
        SessionBackend::Redis => patiently(scope, redis::cmd("GET").arg(key(id))).await?,
        SessionBackend::Db => {
            let select = Select {
                model: Model::HttpSession,
                joined: &[],
                sql: "SELECT data FROM http_session WHERE id = $1 AND expires_at > now()".to_string(),
                params: vec![id.into()],
                memory: Memory::Never,
            };
            // A login is younger than any replica.
            scope.select_from_primary(&select).await?.first().map(|r| r.text("data"))
        }
    };
    Ok(text.and_then(|t| serde_json::from_str(&t).ok()))
}

/// Stores a session under a new id, and ends the one under the old id.
pub async fn renew(scope: &Scope, old: Option<&str>, session: &Session) -> Result<String> {
    let id = crate::secret::random_hex(32);
    let text = serde_json::to_string(session).context("a session is plain values")?;
    let ttl = scope.app().switches.session.ttl;
    match scope.app().switches.session.backend {
        SessionBackend::Redis => {
            let mut set = redis::cmd("SET");
            set.arg(key(&id)).arg(text).arg("EX").arg(ttl);
            let _: () = patiently(scope, &set).await?;
        }
        SessionBackend::Db => {
            let sql = "INSERT INTO http_session (id, data, expires_at) \
                       VALUES ($1, $2, now() + $3 * interval '1 second')";
            scope
                .execute(Model::HttpSession, sql, vec![id.as_str().into(), text.into(), (ttl as i64).into()])
                .await?;
        }
    }
    if let Some(old) = old {
        end(scope, old).await?;
    }
    Ok(id)
}

/// Ends a session.
pub async fn end(scope: &Scope, id: &str) -> Result<()> {
    match scope.app().switches.session.backend {
        SessionBackend::Redis => {
            let _: () = patiently(scope, redis::cmd("DEL").arg(key(id))).await?;
        }
        SessionBackend::Db => {
            scope
                .execute(Model::HttpSession, "DELETE FROM http_session WHERE id = $1", vec![id.into()])
                .await?;
        }
    }
    Ok(())
}

fn key(id: &str) -> String {
    format!("session:{id}")
}

/// Asks Redis, and again while it restarts: these commands may be sent twice, and a respondent who waits a
/// moment is better off than one who is told to sign in.
async fn patiently<T: redis::FromRedisValue>(scope: &Scope, command: &redis::Cmd) -> Result<T> {
    let redis = scope.app().redis.clone().context("session.backend=redis, but no Redis is configured")?;
    let _wait = wait(Component::Redis);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match command.query_async(&mut redis.clone()).await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() > deadline => return Err(error).context("the session store"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
