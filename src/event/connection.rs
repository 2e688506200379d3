//! Connections and sessions (`log_connections`, `log_disconnections`).
//!
//! Sources: `postmaster/postmaster.c` (`BackendInitialize`), `utils/init/postinit.c` (`PerformAuthentication`),
//! `libpq/auth.c` (`set_authn_id`), `tcop/postgres.c` (`log_disconnections`). Names are taken from the message and
//! not from the prefix, because only the message has them in every format.

use super::cursor::Cursor;
use crate::units::Micros;

/// One record about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection<'a> {
    /// A client came.
    Received {
        /// Its host, without the port.
        host: &'a [u8],
    },
    /// It proved who it is (release 14).
    Authenticated,
    /// It may work.
    Authorized(Authorized<'a>),
    /// It is ready to work (release 18).
    Ready {
        /// From the connection to here.
        setup: Micros,
    },
    /// The session ended.
    Ended(Ended<'a>),
}

/// `connection authorized`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Authorized<'a> {
    /// Role.
    pub user: &'a [u8],
    /// Database; empty for physical replication.
    pub database: &'a [u8],
    /// `application_name`, where the release logs it (12).
    pub application: &'a [u8],
    /// Whether it is encrypted by SSL or GSSAPI.
    pub encrypted: bool,
    /// Whether it is a WAL sender's.
    pub replication: bool,
}

/// `disconnection`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended<'a> {
    /// From begin to end.
    pub session: Micros,
    /// Role.
    pub user: &'a [u8],
    /// Database.
    pub database: &'a [u8],
    /// Client host, without the port.
    pub host: &'a [u8],
}

/// Understands a message about a connection.
#[must_use]
pub fn of(message: &[u8]) -> Option<Connection<'_>> {
    let mut cursor = Cursor::new(message);
    if cursor.word("disconnection: session time: ").is_some() {
        return ended(cursor).map(Connection::Ended);
    }
    let replication = cursor.word("replication ").is_some();
    cursor.word("connection ")?;
    if cursor.word("received: host=").is_some() {
        return Some(Connection::Received { host: host(cursor.rest()) });
    }
    if cursor.word("authorized: user=").is_some() {
        return Some(Connection::Authorized(authorized(cursor.rest(), replication)));
    }
    if cursor.word("authenticated: ").is_some() {
        return Some(Connection::Authenticated);
    }
    cursor.word("ready: setup total=")?;
    Some(Connection::Ready { setup: cursor.millis()? })
}

/// A host cannot hold a blank, so the last ` port=` is the server's.
fn host(text: &[u8]) -> &[u8] {
    Cursor::new(text).until_last(" port=").unwrap_or(text)
}

fn authorized(text: &[u8], replication: bool) -> Authorized<'_> {
    let mut text = text;
    let mut encrypted = false;
    for word in [" SSL enabled (", " GSS ("] {
        if text.ends_with(b")")
            && let Some(before) = Cursor::new(text).until_last(word)
        {
            let after = &text[before.len()..];
            encrypted |= word == " SSL enabled (" || memchr::memmem::find(after, b"encrypted=yes").is_some();
            text = before;
        }
    }
    let mut cursor = Cursor::new(text);
    let mut found = Authorized { encrypted, replication, ..Authorized::default() };
    if let Some(user) = cursor.until(" database=") {
        found.user = user;
        let database = cursor.until(" application_name=");
        (found.database, found.application) =
            database.map_or((cursor.rest(), &[][..]), |name| (name, cursor.rest()));
    } else {
        let user = cursor.until(" application_name=");
        (found.user, found.application) = user.map_or((cursor.rest(), &[][..]), |name| (name, cursor.rest()));
    }
    found
}

/// `0:01:02.345 user=… database=… host=… port=…`
fn ended(mut cursor: Cursor<'_>) -> Option<Ended<'_>> {
    let hours = cursor.number()?;
    cursor.word(":")?;
    let minutes = cursor.number()?;
    cursor.word(":")?;
    let seconds = cursor.decimal(6)?;
    let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
    let session = Micros(minutes.checked_mul(60_000_000)?.checked_add(seconds)?);
    let mut ended = Ended { session, ..Ended::default() };
    if cursor.word(" user=").is_some() {
        ended.user = cursor.until(" database=").unwrap_or_default();
        ended.database = cursor.until_last(" host=").unwrap_or_default();
        ended.host = host(cursor.rest());
    }
    Some(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_of_a_session() {
        let plain = Authorized { user: b"app", database: b"shop", ..Authorized::default() };
        let cases = [
            ("connection received: host=[local]", Connection::Received { host: b"[local]" }),
            ("connection received: host=10.0.0.1 port=5433", Connection::Received { host: b"10.0.0.1" }),
            ("connection received: host=::1 port=5433", Connection::Received { host: b"::1" }),
            (
                "connection authenticated: identity=\"app\" method=scram-sha-256 (/etc/pg_hba.conf:3)",
                Connection::Authenticated,
            ),
            // up to 11
            ("connection authorized: user=app database=shop", Connection::Authorized(plain)),
            (
                "connection authorized: user=app database=shop SSL enabled (protocol=TLSv1.2, cipher=X, bits=256, compression=off)",
                Connection::Authorized(Authorized { encrypted: true, ..plain }),
            ),
            (
                "connection authorized: user=svc@corp database=my shop application_name=app with spaces, [x] (y)",
                Connection::Authorized(Authorized {
                    user: b"svc@corp",
                    database: b"my shop",
                    application: b"app with spaces, [x] (y)",
                    ..Authorized::default()
                }),
            ),
            (
                "connection authorized: user=app database=shop application_name=x SSL enabled (protocol=TLSv1.3, cipher=Y, bits=256)",
                Connection::Authorized(Authorized { application: b"x", encrypted: true, ..plain }),
            ),
            (
                "connection authorized: user=app database=shop GSS (authenticated=yes, encrypted=no, principal=p)",
                Connection::Authorized(plain),
            ),
            (
                "replication connection authorized: user=rep application_name=walreceiver",
                Connection::Authorized(Authorized {
                    user: b"rep",
                    application: b"walreceiver",
                    replication: true,
                    ..Authorized::default()
                }),
            ),
            (
                "connection ready: setup total=12.345 ms, fork=1.000 ms, authentication=2.000 ms",
                Connection::Ready { setup: Micros(12_345) },
            ),
            (
                "disconnection: session time: 26:01:02.345 user=app database=my shop host=10.0.0.1 port=5433",
                Connection::Ended(Ended {
                    session: Micros(((26 * 60 + 1) * 60 + 2) * 1_000_000 + 345_000),
                    user: b"app",
                    database: b"my shop",
                    host: b"10.0.0.1",
                }),
            ),
            (
                "disconnection: session time: 0:00:00.115 user=postgres database=bench host=[local]",
                Connection::Ended(Ended {
                    session: Micros(115_000),
                    user: b"postgres",
                    database: b"bench",
                    host: b"[local]",
                }),
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(of(message.as_bytes()), Some(expected), "{message}");
        }
        for message in ["connection to client lost", "disconnection: session time: x", "connection ", ""] {
            assert_eq!(of(message.as_bytes()), None, "{message}");
        }
    }
}
