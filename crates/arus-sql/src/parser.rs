//! Tokens to syntax tree: recursive descent over the whole dialect.
//!
//! Invariant: no input overflows the stack. The parser nests at most [`NESTING_MAX`] deep, and no tree that it returns is higher than [`HEIGHT_MAX`],
//! so that whoever walks the tree recursively is safe too.

mod alert;
mod alter;
mod call;
mod ddl;
mod error;
pub(crate) mod expr;
mod habits;
mod json;
mod objects;
mod primary;
mod query;
mod show;
mod split;
mod statement;
mod table;
mod types;

#[cfg(test)]
mod tests;

pub use error::ParseError;
pub use split::{Cut, cut_statement, split_script};

use crate::ast::*;
use crate::lexer::{Token, TokenKind, is_reserved, literal, tokenize};
use crate::nearest::nearest;

/// Parentheses, operators on the right, subqueries and types inside each other: at most a megabyte of stack.
pub const NESTING_MAX: u32 = arus_core::limits::SQL_NESTING;

/// Levels of a tree. A chain such as `a + b + c` has a level for each operator; long chains of AND and OR are built balanced.
pub const HEIGHT_MAX: u32 = arus_core::limits::SQL_HEIGHT;

pub(crate) type Result<T> = std::result::Result<T, ParseError>;

/// All statements of a script. An error anywhere fails the whole; see [`split_script`] for one at a time.
pub fn parse_script(text: &str) -> Result<Vec<Statement>> {
    let mut parser = Parser::new(text)?;
    let mut statements = Vec::new();
    loop {
        while parser.eat_kind(TokenKind::Semicolon) {}
        if parser.kind() == TokenKind::End {
            return Ok(statements);
        }
        statements.push(parser.statement()?);
        parser.end_of_statement()?;
    }
}

/// One statement, with a `;` behind it or without.
pub fn parse_statement(text: &str) -> Result<Statement> {
    let mut parser = Parser::new(text)?;
    let statement = parser.statement()?;
    parser.end_of_statement()?;
    while parser.eat_kind(TokenKind::Semicolon) {}
    parser.end_of_text("one statement")?;
    Ok(statement)
}

/// An expression alone, as in a stored computed column.
pub fn parse_expr(text: &str) -> Result<Expr> {
    let mut parser = Parser::new(text)?;
    let expr = parser.expr()?;
    parser.end_of_text("one expression")?;
    Ok(expr)
}

/// A type alone, with NOT NULL or without.
pub fn parse_data_type(text: &str) -> Result<DataType> {
    let mut parser = Parser::new(text)?;
    let data_type = parser.data_type()?;
    parser.end_of_text("one type")?;
    Ok(data_type)
}

/// Reserved words that carry on a statement: where one stands in the wrong place, back-quoting it is not the cure.
const CLAUSE_WORDS: [&str; 28] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "LIMIT",
    "FETCH",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "ON",
    "USING",
    "JOIN",
    "AND",
    "OR",
    "NOT",
    "AS",
    "BY",
    "THEN",
    "ELSE",
    "WHEN",
    "END",
    "BEGIN",
    "INTO",
    "SET",
    "WITH",
    "INSERT",
];

pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    pos: usize,
    nesting: u32,
    /// The height of the highest tree that was built since the current one was begun.
    height: u32,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Parser<'a>> {
        Ok(Parser { text, tokens: tokenize(text)?, pos: 0, nesting: 0, height: 0 })
    }

    // ---- looking

    fn token(&self, ahead: usize) -> Token {
        let last = self.tokens.len() - 1;
        self.tokens[(self.pos + ahead).min(last)]
    }

    fn kind(&self) -> TokenKind {
        self.token(0).kind
    }

    fn kind_at(&self, ahead: usize) -> TokenKind {
        self.token(ahead).kind
    }

    fn span(&self) -> Span {
        self.token(0).span
    }

    /// The span from `start` to the last token that was taken.
    fn since(&self, start: Span) -> Span {
        match self.pos.checked_sub(1) {
            Some(before) => start.to(self.tokens[before].span),
            None => start,
        }
    }

    /// The unquoted word at `ahead`, or "".
    fn word_at(&self, ahead: usize) -> &'a str {
        let token = self.token(ahead);
        if token.kind == TokenKind::Word { token.span.of(self.text) } else { "" }
    }

    fn at_word(&self, ahead: usize, word: &str) -> bool {
        self.word_at(ahead).eq_ignore_ascii_case(word)
    }

    fn at(&self, word: &str) -> bool {
        self.at_word(0, word)
    }

    fn at_any(&self, words: &[&str]) -> bool {
        words.iter().any(|w| self.at(w))
    }

    /// The next words are these.
    fn at_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(i, w)| self.at_word(i, w))
    }

    /// A query starts `ahead` tokens from here (not counting one in parentheses).
    fn query_at(&self, ahead: usize) -> bool {
        ["SELECT", "WITH", "VALUES"].iter().any(|w| self.at_word(ahead, w))
            || (self.at_word(ahead, "TABLE") && self.kind_at(ahead + 1) != TokenKind::LParen)
    }

    /// A name can start here.
    fn at_name(&self) -> bool {
        match self.kind() {
            TokenKind::BackQuoted => true,
            TokenKind::Word => !is_reserved(self.word_at(0)),
            _ => false,
        }
    }

    // ---- taking

    fn advance(&mut self) -> Token {
        let token = self.token(0);
        if token.kind != TokenKind::End {
            self.pos += 1;
        }
        token
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.at(word);
        if found {
            self.pos += 1;
        }
        found
    }

    fn eat_words(&mut self, words: &[&str]) -> bool {
        let found = self.at_words(words);
        if found {
            self.pos += words.len();
        }
        found
    }

    fn eat_kind(&mut self, kind: TokenKind) -> bool {
        let found = self.kind() == kind && kind != TokenKind::End;
        if found {
            self.pos += 1;
        }
        found
    }

    fn expect(&mut self, word: &'static str) -> Result<()> {
        if self.eat(word) {
            return Ok(());
        }
        let mut error = self.unexpected_error(&[word]);
        if nearest(self.word_at(0), [word]).is_some() {
            error.hint = Some(format!("did you mean {word}?"));
        }
        Err(error)
    }

    fn expect_words(&mut self, words: &[&'static str]) -> Result<()> {
        words.iter().try_for_each(|w| self.expect(w))
    }

    fn expect_kind(&mut self, kind: TokenKind, shown: &'static str) -> Result<Token> {
        if self.kind() == kind && kind != TokenKind::End { Ok(self.advance()) } else { self.unexpected(&[shown]) }
    }

    fn lparen(&mut self) -> Result<Token> {
        self.expect_kind(TokenKind::LParen, "`(`")
    }

    fn rparen(&mut self) -> Result<Token> {
        self.expect_kind(TokenKind::RParen, "`)`")
    }

    /// The end of a list in parentheses.
    fn list_end(&mut self) -> Result<Token> {
        if self.kind() == TokenKind::RParen {
            return Ok(self.advance());
        }
        self.unexpected(&["`,`", "`)`"])
    }

    fn comma_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_kind(TokenKind::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn paren_list<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.lparen()?;
        let items = self.comma_list(item)?;
        self.list_end()?;
        Ok(items)
    }

    fn ident(&mut self, what: &'static str) -> Result<Ident> {
        if !self.at_name() {
            return self.unexpected(&[what]);
        }
        let token = self.advance();
        let text = token.span.of(self.text);
        let quoted = token.kind == TokenKind::BackQuoted;
        Ok(Ident {
            value: if quoted { literal::back_quoted(text) } else { text.to_string() },
            quoted,
            span: token.span,
        })
    }

    fn ident_list(&mut self, what: &'static str) -> Result<Vec<Ident>> {
        self.paren_list(|p| p.ident(what))
    }

    fn object_name(&mut self, what: &'static str) -> Result<ObjectName> {
        let first = self.ident(what)?;
        let start = first.span;
        let mut parts = vec![first];
        while self.kind() == TokenKind::Dot && self.kind_at(1) != TokenKind::Star {
            self.advance();
            parts.push(self.ident(what)?);
        }
        Ok(ObjectName { parts, span: self.since(start) })
    }

    /// A string literal of any form.
    fn text(&mut self, what: &'static str) -> Result<Text> {
        match self.string_literal()? {
            Some(text) => Ok(text),
            None => self.unexpected(&[what]),
        }
    }

    fn unsigned(&mut self, what: &'static str) -> Result<u32> {
        if self.kind() != TokenKind::Integer {
            return self.unexpected(&[what]);
        }
        let token = self.advance();
        let digits = token.span.of(self.text);
        digits.parse().map_err(|_| ParseError::new(token.span, format!("the number {digits} is too large here")))
    }

    // ---- nesting and height

    /// Runs a parser of something that can contain itself.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.nesting >= NESTING_MAX {
            return Err(ParseError::new(
                self.span(),
                format!("the statement nests deeper than {NESTING_MAX} levels here"),
            )
            .with_hint("move inner queries into WITH or views"));
        }
        self.nesting += 1;
        let outside = std::mem::replace(&mut self.height, 0);
        let result = parse(self);
        self.nesting -= 1;
        self.grow(1)?;
        self.height = self.height.max(outside);
        result
    }

    /// The tree that is being built gets higher.
    fn grow(&mut self, levels: u32) -> Result<()> {
        self.height += levels;
        if self.height > HEIGHT_MAX {
            return Err(ParseError::new(self.span(), format!("the expression has more than {HEIGHT_MAX} levels here"))
                .with_hint("split the chain of operators or set operations into parts, in parentheses or in WITH"));
        }
        Ok(())
    }

    // ---- errors

    fn unexpected<T>(&self, expected: &[&'static str]) -> Result<T> {
        Err(self.unexpected_error(expected))
    }

    fn unexpected_error(&self, expected: &[&'static str]) -> ParseError {
        let list = match expected {
            [] => "something else".to_string(),
            [one] => one.to_string(),
            [most @ .., last] => format!("{} or {last}", most.join(", ")),
        };
        let word = self.word_at(0);
        let hint = (is_reserved(word) && !CLAUSE_WORDS.iter().any(|w| word.eq_ignore_ascii_case(w)))
            .then(|| format!("{word} is a reserved word: write `{word}` in back-ticks to use it as a name"))
            .or_else(|| (self.kind() == TokenKind::BangEq).then(|| "not equal is written <>".to_string()));
        let hint = self.habit(expected).or(hint);
        ParseError {
            span: self.span(),
            message: format!("expected {list}, found {}", self.found()),
            expected: expected.to_vec(),
            hint,
        }
    }

    /// The next token, for a message.
    fn found(&self) -> String {
        const SHOWN_CHARS_MAX: usize = 32;
        let token = self.token(0);
        let text = token.span.of(self.text);
        let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
        if shown.len() < text.len() {
            shown.push_str("..");
        }
        match token.kind {
            TokenKind::End => "the end of the text".to_string(),
            TokenKind::Word if is_reserved(text) => format!("keyword {shown}"),
            TokenKind::Word => format!("identifier {shown}"),
            TokenKind::BackQuoted => format!("identifier {shown}"),
            TokenKind::Integer | TokenKind::Decimal | TokenKind::Approximate => format!("number {shown}"),
            TokenKind::String | TokenKind::UnicodeString | TokenKind::EscapedString | TokenKind::BinaryString => {
                format!("string {shown}")
            }
            _ => format!("`{shown}`"),
        }
    }

    fn end_of_text(&self, what: &str) -> Result<()> {
        if self.kind() == TokenKind::End {
            return Ok(());
        }
        Err(ParseError::new(self.span(), format!("expected {what} alone, found {} behind it", self.found())))
    }

    /// A statement is over: `;` or the end, or else something was misspelt or stands in the wrong place.
    fn end_of_statement(&mut self) -> Result<()> {
        if self.kind() == TokenKind::End || self.eat_kind(TokenKind::Semicolon) {
            return Ok(());
        }
        let mut error = self.unexpected_error(&["the end of the statement"]);
        error.hint = self.misspelt_clause().or(error.hint).or_else(|| self.missing_comma());
        Err(error)
    }

    /// The unexpected word, or the one before it (taken for an alias), looks like a keyword.
    fn misspelt_clause(&self) -> Option<String> {
        const WORDS: [&str; 17] = [
            "FROM",
            "WHERE",
            "GROUP",
            "HAVING",
            "ORDER",
            "LIMIT",
            "UNION",
            "INTERSECT",
            "EXCEPT",
            "WINDOW",
            "JOIN",
            "INNER",
            "LEFT",
            "RIGHT",
            "CROSS",
            "OFFSET",
            "WITH",
        ];
        let before = self.pos.checked_sub(1).map(|i| self.tokens[i]);
        let before = before.filter(|t| t.kind == TokenKind::Word).map_or("", |t| t.span.of(self.text));
        [self.word_at(0), before]
            .into_iter()
            .filter(|w| !is_reserved(w))
            .find_map(|w| nearest(w, WORDS))
            .map(|w| format!("did you mean {w}?"))
    }
}
