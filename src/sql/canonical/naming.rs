//! Statements whose operands are names that vary like values: savepoints, cursors, prepared statements,
//! channels, settings.
//!
//! They are short and rare beside the others, so they need no fast path: the digest hands them here.

use super::{ItemKind, Reader};
use crate::sql::lexer::TokenKind;
use crate::sql::literal::Form;

impl Reader<'_> {
    /// Reads the first words of a statement, up to where it goes on like any other. False when the statement is
    /// none of these; then nothing was read.
    pub(super) fn naming_statement(&mut self) -> bool {
        let first = self.text(0).to_ascii_lowercase();
        match first.as_slice() {
            b"explain" => self.explain(),
            b"savepoint" | b"listen" | b"unlisten" | b"notify" | b"execute" | b"declare" => {
                self.words(1);
                self.varying_name();
            }
            b"prepare" => {
                self.words(1);
                if !self.next_is(0, "transaction") {
                    self.varying_name();
                    self.start = self.prepared_as();
                }
            }
            b"deallocate" => {
                self.words(1);
                if self.next_is(0, "prepare") && self.next_is_name(1) {
                    self.at += 1;
                }
                self.varying_name_or("all");
            }
            b"close" => {
                self.words(1);
                self.varying_name_or("all");
            }
            b"release" => {
                self.words(1);
                if self.next_is(0, "savepoint") && self.next_is_name(1) {
                    self.words(1);
                }
                self.varying_name();
            }
            b"rollback" => {
                self.words(1);
                if self.next_is(0, "work") || self.next_is(0, "transaction") {
                    self.words(1);
                }
                if self.next_is(0, "to") {
                    self.words(1);
                    if self.next_is(0, "savepoint") && self.next_is_name(1) {
                        self.words(1);
                    }
                    self.varying_name();
                }
            }
            b"fetch" | b"move" => self.fetch(),
            b"set" => self.set(),
            _ => return false,
        }
        true
    }

    /// Keeps the next tokens as words.
    fn words(&mut self, count: usize) {
        for _ in 0..count {
            if let Some(token) = self.token() {
                self.push(ItemKind::Word, token);
            }
        }
    }

    /// A name that stands for a value.
    pub(super) fn varying_name(&mut self) {
        if self.next_is_name(0) {
            self.name_value(Form::Name);
        }
    }

    /// The next token is a value in the given form; a placeholder stays one.
    fn name_value(&mut self, form: Form) {
        let text = self.text(0);
        self.value(if text == b"?" { Form::Parameter } else { form }, text);
        self.at += 1;
    }

    fn varying_name_or(&mut self, keyword: &str) {
        if self.next_is(0, keyword) { self.words(1) } else { self.varying_name() }
    }

    /// EXPLAIN, its options, and then a statement of its own.
    fn explain(&mut self) {
        self.words(1);
        while self.next_is(0, "analyze") || self.next_is(0, "analyse") || self.next_is(0, "verbose") {
            self.words(1);
        }
        let statement = ["select", "with", "values", "insert", "update", "delete", "merge", "table"];
        if self.text(0) == b"(" && !statement.iter().any(|word| self.next_is(1, word)) && self.text(1) != b"("
        {
            self.options();
        }
        self.start = true;
    }

    /// Options of EXPLAIN, types of PREPARE, up to the parenthesis that closes them.
    fn options(&mut self) {
        while let Some(token) = self.token() {
            let close = self.text(0) == b")";
            match token.kind {
                _ if self.text(0) == b"?" => self.name_value(Form::Parameter),
                _ if token.is_value() => self.literal(token),
                TokenKind::Word | TokenKind::Quoted => self.name(token),
                _ => self.push(ItemKind::Symbol, token),
            }
            if close {
                break;
            }
        }
    }

    /// `PREPARE name (types) AS`: a statement of its own follows.
    fn prepared_as(&mut self) -> bool {
        if self.text(0) == b"(" {
            self.options();
        }
        let prepared = self.next_is(0, "as");
        if prepared {
            self.words(1);
        }
        prepared
    }

    /// `FETCH 100 FROM c` and `FETCH ALL IN c` ask for some rows; NEXT, PRIOR, FIRST and LAST stay themselves.
    fn fetch(&mut self) {
        self.words(1);
        let counts = |reader: &Self, ahead: usize| {
            reader.next_is(ahead, "all")
                || reader.text(ahead) == b"-"
                || (reader.text(ahead) == b"?" && reader.next_is_name(ahead + 1))
                || reader.tokens.get(reader.at + ahead).is_some_and(|token| token.kind == TokenKind::Number)
        };
        if self.next_is(0, "forward") && counts(self, 1) {
            self.at += 1;
        } else if ["forward", "backward", "absolute", "relative", "next", "prior", "first", "last"]
            .iter()
            .any(|direction| self.next_is(0, direction))
            && (self.next_is_name(1) || counts(self, 1))
        {
            self.words(1);
        } else if !counts(self, 0) {
            self.keyword(b"NEXT");
        }
        if self.text(0) == b"?" && self.next_is_name(1) || self.next_is(0, "all") && self.next_is_name(1) {
            self.name_value(Form::Name);
        } else if counts(self, 0) && !self.next_is(0, "all") {
            let negative = self.text(0) == b"-";
            self.at += usize::from(negative);
            if let Some(token) = self.token().filter(|token| token.kind == TokenKind::Number) {
                self.value(Form::Number { negative }, token.text(self.sql));
                self.at += 1;
            }
        }
        if self.next_is(0, "from") || self.next_is(0, "in") {
            self.at += 1;
        }
        self.keyword(b"FROM");
        self.varying_name();
    }

    /// SET: what stands after `=` or TO are values, words too (`SET a TO off`). SESSION is the default.
    fn set(&mut self) {
        self.words(1);
        if self.next_is(0, "local") {
            self.words(1);
        } else if self.next_is(0, "session")
            && self.next_is_name(1)
            && !self.next_is(1, "authorization")
            && !self.next_is(1, "characteristics")
        {
            self.at += 1;
        }
        if self.next_is(0, "session") && self.next_is(1, "authorization")
            || self.next_is(0, "time") && self.next_is(1, "zone")
        {
            self.words(2);
        } else if (self.next_is(0, "role") || self.next_is(0, "names"))
            && !matches!(self.text(1), b"=" | b".")
            && !self.next_is(1, "to")
        {
            self.words(1);
        } else if !self.setting() {
            return;
        }
        while let Some(token) = self.token().filter(|token| token.text(self.sql) != b";") {
            let text = token.text(self.sql);
            match token.kind {
                TokenKind::Word if self.next_is(0, "default") || self.next_is(0, "local") => self.words(1),
                TokenKind::Word if self.next_is(0, "interval") => self.word(token),
                TokenKind::Word | TokenKind::Quoted => {
                    let form = match text.to_ascii_lowercase().as_slice() {
                        b"true" => Form::True,
                        b"false" => Form::False,
                        _ => Form::Name,
                    };
                    self.value(form, text);
                    self.at += 1;
                }
                _ if text == b"?" => self.name_value(Form::Name),
                _ if token.is_value() => self.literal(token),
                TokenKind::Operator if text == b"-" => {
                    self.at += 1;
                    match self.token().filter(|token| token.kind == TokenKind::Number) {
                        Some(token) => {
                            self.value(Form::Number { negative: true }, token.text(self.sql));
                            self.at += 1;
                        }
                        None => self.symbol(b"-"),
                    }
                }
                TokenKind::Operator => self.operator(token),
                _ => self.push(ItemKind::Symbol, token),
            }
        }
    }

    /// `name.name =` or `name TO`; false when it is something else.
    fn setting(&mut self) -> bool {
        let mut ahead = 0;
        while self.next_is_name(ahead) && self.text(ahead + 1) == b"." {
            ahead += 2;
        }
        if !self.next_is_name(ahead) || !(self.text(ahead + 1) == b"=" || self.next_is(ahead + 1, "to")) {
            return false;
        }
        for _ in 0..=ahead {
            if let Some(token) = self.token() {
                match token.kind {
                    TokenKind::Quoted => self.push(ItemKind::Quoted, token),
                    TokenKind::Word => self.push(ItemKind::Word, token),
                    _ => self.push(ItemKind::Symbol, token),
                }
            }
        }
        self.at += 1;
        self.symbol(b"=");
        true
    }
}
