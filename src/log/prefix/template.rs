//! The template of a `log_line_prefix`: its grammar, and the escapes that it may have.
//!
//! Serves the matchers of [`Prefix`](super::Prefix). It knows no line of a log.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{anychar, digit0};
use nom::combinator::{map, opt, recognize};
use nom::multi::many0;
use nom::sequence::{pair, preceded};
use nom::{IResult, Parser};

/// One `%` escape of `log_line_prefix` that prints something (elog.c, `log_line_prefix()`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Escape {
    /// `%a`
    Application,
    /// `%u`
    User,
    /// `%d`
    Database,
    /// `%r`: host and port, `10.0.0.1(54321)`.
    Remote,
    /// `%h`
    Host,
    /// `%L` (PostgreSQL 18): the server's address.
    LocalAddress,
    /// `%b`
    Backend,
    /// `%p`
    Pid,
    /// `%P`
    Leader,
    /// `%t`
    Time,
    /// `%m`
    TimeMillis,
    /// `%n`: seconds since the epoch with three decimals.
    Epoch,
    /// `%Q`
    QueryId,
    /// `%i`
    Command,
    /// `%e`
    SqlState,
    /// `%c`: `6b0455ba.36f4`, start and pid in hexadecimal.
    SessionId,
    /// `%l`
    Line,
    /// `%s`
    SessionStart,
    /// `%v`
    VirtualXid,
    /// `%x`
    Xid,
}

/// The letters of the manual's table in "Error Reporting and Logging".
const LETTERS: &[(char, Escape)] = &[
    ('a', Escape::Application),
    ('u', Escape::User),
    ('d', Escape::Database),
    ('r', Escape::Remote),
    ('h', Escape::Host),
    ('L', Escape::LocalAddress),
    ('b', Escape::Backend),
    ('p', Escape::Pid),
    ('P', Escape::Leader),
    ('t', Escape::Time),
    ('m', Escape::TimeMillis),
    ('n', Escape::Epoch),
    ('Q', Escape::QueryId),
    ('i', Escape::Command),
    ('e', Escape::SqlState),
    ('c', Escape::SessionId),
    ('l', Escape::Line),
    ('s', Escape::SessionStart),
    ('v', Escape::VirtualXid),
    ('x', Escape::Xid),
];

impl Escape {
    pub(super) fn of(letter: char) -> Option<Self> {
        LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, escape)| *escape)
    }

    pub(super) fn letter(self) -> char {
        LETTERS.iter().find(|(_, escape)| *escape == self).map_or('?', |(letter, _)| *letter)
    }

    /// Whether the value is free text, whose end only its neighbours tell.
    pub(crate) fn is_free(self) -> bool {
        match self {
            Self::Application
            | Self::User
            | Self::Database
            | Self::Remote
            | Self::Host
            | Self::LocalAddress
            | Self::Backend
            | Self::Command => true,
            Self::Pid
            | Self::Leader
            | Self::Time
            | Self::TimeMillis
            | Self::Epoch
            | Self::QueryId
            | Self::SqlState
            | Self::SessionId
            | Self::Line
            | Self::SessionStart
            | Self::VirtualXid
            | Self::Xid => false,
        }
    }

    /// Whether the value never holds a blank.
    pub(crate) fn is_address(self) -> bool {
        matches!(self, Self::Remote | Self::Host | Self::LocalAddress)
    }

    /// Whether background processes print nothing here.
    pub(crate) fn is_of_session(self) -> bool {
        matches!(
            self,
            Self::Application
                | Self::User
                | Self::Database
                | Self::Remote
                | Self::Host
                | Self::LocalAddress
                | Self::Command
        )
    }

    /// Whether somebody asks for the value in [`Fields`].
    pub(super) fn is_rare(self) -> bool {
        matches!(self, Self::QueryId | Self::SqlState)
    }
}

/// A step of a compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Bytes that stand in the log as they are.
    Literal(Box<[u8]>),
    /// A value, padded with blanks to `width` bytes: on the left when positive, on the right when negative.
    Field { escape: Escape, width: i32 },
    /// `%q`: processes without a session end the prefix here.
    SessionOnly,
}

/// The steps of a template. Never fails: like the server, it drops escapes that do not exist.
pub(super) fn pieces(template: &str) -> Vec<Piece> {
    let (_, pieces) = template_pieces(template).unwrap_or((template, Vec::new()));
    merge_literals(pieces)
}

/// `template := ( literal | "%" padding letter | "%%" )*`, as `log_line_prefix()` reads it.
fn template_pieces(template: &str) -> IResult<&str, Vec<Option<Piece>>> {
    many0(alt((literal, escape, map(tag("%"), |_| None)))).parse(template)
}

fn literal(input: &str) -> IResult<&str, Option<Piece>> {
    map(take_while1(|c| c != '%'), |text: &str| Some(Piece::Literal(text.as_bytes().into()))).parse(input)
}

/// `%-10u`: padding and letter. Letters that the server does not know print nothing.
fn escape(input: &str) -> IResult<&str, Option<Piece>> {
    let padding = recognize(pair(opt(tag("-")), digit0));
    map(preceded(tag("%"), pair(padding, anychar)), |(padding, letter): (&str, char)| match letter {
        '%' => Some(Piece::Literal((*b"%").into())),
        'q' => Some(Piece::SessionOnly),
        letter => {
            let width = padding.parse::<i32>().unwrap_or(0).clamp(-1000, 1000);
            Escape::of(letter).map(|escape| Piece::Field { escape, width })
        }
    })
    .parse(input)
}

/// Neighbouring literals become one: `%%` between others, escapes that print nothing.
fn merge_literals(pieces: Vec<Option<Piece>>) -> Vec<Piece> {
    let mut merged: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces.into_iter().flatten() {
        match (merged.last_mut(), piece) {
            (Some(Piece::Literal(before)), Piece::Literal(after)) => {
                *before = [&before[..], &after[..]].concat().into();
            }
            (_, piece) => merged.push(piece),
        }
    }
    merged
}
