//! Text to tokens: words, literals, operators, hints. Comments and white space fall away.
//!
//! Invariant: tokens are in text order, do not overlap and lie on character boundaries; the last one is `End`, empty, at the end of the text.
//! A token holds no text; [`literal`] decodes string and binary tokens.

pub(crate) mod literal;
mod reserved;

#[cfg(test)]
mod tests;

pub use reserved::is_reserved;
pub(crate) use reserved::{is_niladic, is_reserved_function};

use crate::ast::Span;
use crate::parser::ParseError;

/// A script beyond this is refused: offsets and the token list stay small.
pub(crate) const TEXT_BYTES_MAX: usize = arus_core::limits::SQL_TEXT_BYTES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// An unquoted identifier or keyword.
    Word,
    /// `` `name` ``
    BackQuoted,
    Integer,
    Decimal,
    Approximate,
    /// `'..'`, also with a character set in front: `N'..'`, `_UTF8'..'`
    String,
    /// `U&'..'`
    UnicodeString,
    /// `E'..'`
    EscapedString,
    /// `X'..'`
    BinaryString,
    /// `/*+`
    HintStart,
    /// `*/` of a hint.
    HintEnd,
    LParen,
    RParen,
    LBracket,
    RBracket,
    LBrace,
    RBrace,
    Comma,
    Semicolon,
    Dot,
    Colon,
    Question,
    Eq,
    NotEq,
    BangEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Concat,
    /// `=>`
    Arrow,
    Caret,
    Pipe,
    End,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// What an unfinished token was, so that a reader that collects a statement knows to wait for more.
#[derive(Clone, Debug)]
pub(crate) struct LexError {
    pub(crate) error: ParseError,
    /// The text ended inside a string, a quoted identifier or a comment.
    pub(crate) unfinished: bool,
}

pub(crate) fn tokenize(text: &str) -> Result<Vec<Token>, ParseError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(ParseError::new(
            Span::default(),
            format!("the text has {} bytes, the limit is {TEXT_BYTES_MAX}", text.len()),
        ));
    }
    let mut lexer = Lexer::new(text);
    let mut tokens = Vec::with_capacity(text.len() / 5 + 1);
    loop {
        let token = lexer.next_token().map_err(|e| e.error)?;
        tokens.push(token);
        if token.kind == TokenKind::End {
            return Ok(tokens);
        }
    }
}

pub(crate) struct Lexer<'a> {
    text: &'a str,
    pos: usize,
    in_hint: bool,
}

/// The letters of Java's SQL lexers.
fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic()
        || matches!(c, '_' | '$' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{1fff}')
        || matches!(c, '\u{3040}'..='\u{318f}' | '\u{3300}'..='\u{337f}' | '\u{3400}'..='\u{3d2d}')
        || matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

fn is_word_part(c: char) -> bool {
    is_word_start(c) || c.is_ascii_digit()
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, pos: 0, in_hint: false }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.pos + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    fn error(&self, start: usize, end: usize, message: impl Into<String>) -> LexError {
        LexError { error: ParseError::new(Span::new(start, end), message), unfinished: false }
    }

    fn unfinished(&self, start: usize, what: &str, close: &str) -> LexError {
        let opening = self.text[start..].chars().next().map_or(1, char::len_utf8);
        LexError {
            error: ParseError::new(Span::new(start, start + opening), format!("{what} that starts here is not closed"))
                .with_hint(format!("end it with {close}")),
            unfinished: true,
        }
    }

    /// Leaves out a character that is no token.
    pub(crate) fn skip_char(&mut self) {
        self.pos += self.rest().chars().next().map_or(0, char::len_utf8);
    }

    /// Skips white space and comments.
    fn skip_blank(&mut self) -> Result<(), LexError> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}', '\u{feff}']);
            self.pos += rest.len() - trimmed.len();
            if trimmed.starts_with("--") || trimmed.starts_with("//") {
                self.pos += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") && !trimmed.starts_with("/*+") {
                match trimmed[2..].find("*/") {
                    Some(i) => self.pos += i + 4,
                    None => return Err(self.unfinished(self.pos, "the comment", "*/")),
                }
            } else {
                return Ok(());
            }
        }
    }

    pub(crate) fn next_token(&mut self) -> Result<Token, LexError> {
        self.skip_blank()?;
        let start = self.pos;
        let Some(c) = self.rest().chars().next() else {
            return Ok(self.token(TokenKind::End, start));
        };
        let kind = match c {
            '\'' => self.string(start, TokenKind::String)?,
            '`' => self.back_quoted(start)?,
            '0'..='9' => self.number(),
            '.' if self.byte(1).is_ascii_digit() => self.number(),
            c if is_word_start(c) => self.word(start)?,
            _ => self.operator(c)?,
        };
        Ok(self.token(kind, start))
    }

    fn token(&self, kind: TokenKind, start: usize) -> Token {
        Token { kind, span: Span::new(start, self.pos) }
    }

    /// A quoted text from `self.pos` on, where the quote is doubled inside it.
    fn quoted(&mut self, quote: char) -> bool {
        self.pos += 1;
        loop {
            let Some(i) = self.rest().find(quote) else {
                return false;
            };
            self.pos += i + 1;
            if !self.rest().starts_with(quote) {
                return true;
            }
            self.pos += 1;
        }
    }

    fn string(&mut self, start: usize, kind: TokenKind) -> Result<TokenKind, LexError> {
        if self.quoted('\'') { Ok(kind) } else { Err(self.unfinished(start, "the string", "'")) }
    }

    fn back_quoted(&mut self, start: usize) -> Result<TokenKind, LexError> {
        if !self.quoted('`') {
            return Err(self.unfinished(start, "the quoted name", "`"));
        }
        if self.pos - start == 2 {
            return Err(self.error(start, self.pos, "a quoted name must not be empty"));
        }
        Ok(TokenKind::BackQuoted)
    }

    /// `E'..'`: a backslash keeps the quote behind it inside.
    fn escaped_string(&mut self, start: usize) -> Result<TokenKind, LexError> {
        self.pos += 1;
        loop {
            let Some(i) = self.rest().find(['\'', '\\']) else {
                return Err(self.unfinished(start, "the string", "'"));
            };
            self.pos += i + 1;
            let escape = self.text.as_bytes()[self.pos - 1] == b'\\';
            if escape {
                match self.rest().chars().next() {
                    Some(c) => self.pos += c.len_utf8(),
                    None => return Err(self.unfinished(start, "the string", "'")),
                }
            } else if self.rest().starts_with('\'') {
                self.pos += 1;
            } else {
                return Ok(TokenKind::EscapedString);
            }
        }
    }

    /// A word, or a string with a prefix.
    fn word(&mut self, start: usize) -> Result<TokenKind, LexError> {
        let rest = self.rest();
        let end = rest.find(|c| !is_word_part(c)).unwrap_or(rest.len());
        self.pos += end;
        let word = &rest[..end];
        let next = self.byte(0);
        if next == b'\'' {
            match word {
                "x" | "X" => return self.string(start, TokenKind::BinaryString),
                "e" | "E" => return self.escaped_string(start),
                "n" | "N" => return self.string(start, TokenKind::String),
                _ if word.starts_with('_') && word.len() > 1 => return self.string(start, TokenKind::String),
                _ => {}
            }
        } else if next == b'&' && self.byte(1) == b'\'' && matches!(word, "u" | "U") {
            self.pos += 1;
            return self.string(start, TokenKind::UnicodeString);
        }
        Ok(TokenKind::Word)
    }

    fn digits(&mut self) {
        while self.byte(0).is_ascii_digit() {
            self.pos += 1;
        }
    }

    /// `1`, `1.`, `1.5`, `.5`, each with an exponent or without.
    fn number(&mut self) -> TokenKind {
        let mut kind = TokenKind::Integer;
        self.digits();
        if self.byte(0) == b'.' {
            kind = TokenKind::Decimal;
            self.pos += 1;
            self.digits();
        }
        if matches!(self.byte(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
            if self.byte(1 + sign).is_ascii_digit() {
                kind = TokenKind::Approximate;
                self.pos += 1 + sign;
                self.digits();
            }
        }
        kind
    }

    fn operator(&mut self, c: char) -> Result<TokenKind, LexError> {
        use TokenKind::*;
        let next = self.byte(1);
        let (kind, length) = match (c, next) {
            ('/', b'*') => {
                // Only a hint gets here: `skip_blank` has taken the comments.
                self.in_hint = true;
                (HintStart, 3)
            }
            ('*', b'/') if self.in_hint => {
                self.in_hint = false;
                (HintEnd, 2)
            }
            ('<', b'=') => (LtEq, 2),
            ('<', b'>') => (NotEq, 2),
            ('>', b'=') => (GtEq, 2),
            ('!', b'=') => (BangEq, 2),
            ('=', b'>') => (Arrow, 2),
            ('|', b'|') => (Concat, 2),
            ('(', _) => (LParen, 1),
            (')', _) => (RParen, 1),
            ('[', _) => (LBracket, 1),
            (']', _) => (RBracket, 1),
            ('{', _) => (LBrace, 1),
            ('}', _) => (RBrace, 1),
            (',', _) => (Comma, 1),
            (';', _) => (Semicolon, 1),
            ('.', _) => (Dot, 1),
            (':', _) => (Colon, 1),
            ('?', _) => (Question, 1),
            ('=', _) => (Eq, 1),
            ('<', _) => (Lt, 1),
            ('>', _) => (Gt, 1),
            ('+', _) => (Plus, 1),
            ('-', _) => (Minus, 1),
            ('*', _) => (Star, 1),
            ('/', _) => (Slash, 1),
            ('%', _) => (Percent, 1),
            ('^', _) => (Caret, 1),
            ('|', _) => (Pipe, 1),
            _ => {
                let end = self.pos + c.len_utf8();
                let error = self.error(self.pos, end, format!("the character {} has no meaning here", shown(c)));
                return Err(match c {
                    '"' => LexError {
                        error: error.error.with_hint("strings stand in single quotes, names in back-ticks"),
                        unfinished: false,
                    },
                    _ => error,
                });
            }
        };
        self.pos += length;
        Ok(kind)
    }
}

/// A character for a message: itself, or its code where it cannot be seen.
fn shown(c: char) -> String {
    if c.is_control() || c.is_whitespace() { format!("U+{:04X}", c as u32) } else { format!("`{c}`") }
}
