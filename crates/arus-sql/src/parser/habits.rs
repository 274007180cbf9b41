//! Habits of other dialects, recognised where they stop the parser: the hint says how Flink writes it.

use super::Parser;
use crate::lexer::TokenKind;

impl Parser<'_> {
    /// What the text before and at the unexpected token looks like.
    pub(super) fn habit(&self, expected: &[&'static str]) -> Option<String> {
        let here = self.word_at(0);
        let before = self.word_before(1);
        let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
        if self.kind() == TokenKind::Colon && self.kind_at(1) == TokenKind::Colon {
            let ty = self.word_at(2).to_ascii_uppercase();
            let ty = if ty.is_empty() { "type".to_string() } else { ty };
            return Some(format!("`::` is PostgreSQL's: write CAST(value AS {ty})"));
        }
        if is(before, "DISTINCT") && is(here, "ON") {
            return Some(
                "DISTINCT ON is PostgreSQL's: GROUP BY its columns and aggregate the others, such as MIN(item)".into(),
            );
        }
        if is(before, "CONFLICT") && self.kind() == TokenKind::LParen {
            return Some(
                "ON CONFLICT names no columns, the sink's PRIMARY KEY counts: write ON CONFLICT DO DEDUPLICATE".into(),
            );
        }
        if is(here, "RETURNING") {
            return Some("there is no RETURNING: read the table with SELECT".into());
        }
        if is(here, "AUTO_INCREMENT") || is(before, "AUTO_INCREMENT") {
            return Some("there are no generated keys: the rows bring their own".into());
        }
        if self.kind() == TokenKind::Star && self.previous(1) == Some(TokenKind::LParen) {
            return Some("a `)` is missing behind the star".into());
        }
        if self.kind() == TokenKind::Eq && self.previous(1) == Some(TokenKind::Eq) {
            return Some("equality is a single =".into());
        }
        let closes = is(here, "FROM") || self.kind() == TokenKind::RParen;
        if closes && self.previous(1) == Some(TokenKind::Comma) {
            return Some("a comma is too much before it".into());
        }
        let named = matches!(self.kind(), TokenKind::Word | TokenKind::BackQuoted) && self.at_name();
        let after_value = matches!(self.previous(1), Some(TokenKind::Word | TokenKind::BackQuoted | TokenKind::RParen));
        (named && after_value && expected.contains(&"`,`")).then(|| format!("a comma is missing before {here}"))
    }

    /// A name behind an alias: `SELECT a b c`.
    pub(super) fn missing_comma(&self) -> Option<String> {
        let alias = self.previous(1) == Some(TokenKind::Word) && self.previous(2) == Some(TokenKind::Word);
        (alias && self.at_name()).then(|| format!("a comma is missing before {}", self.word_at(0)))
    }

    fn previous(&self, back: usize) -> Option<TokenKind> {
        self.pos.checked_sub(back).map(|i| self.tokens[i].kind)
    }

    fn word_before(&self, back: usize) -> &str {
        match self.pos.checked_sub(back).map(|i| self.tokens[i]) {
            Some(token) if token.kind == TokenKind::Word => token.span.of(self.text),
            _ => "",
        }
    }
}
