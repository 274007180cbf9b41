//! Words, names and literals of the statements that are answered at the door itself.

/// A piece of a statement, with where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// As it was written.
    Word(String),
    /// `"name"`
    Name(String),
    Text(String),
    Number(String),
    Sign(char),
}

impl Token {
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(w) if w.eq_ignore_ascii_case(word))
    }

    pub(super) fn text(&self) -> String {
        match self {
            Token::Word(text) | Token::Name(text) | Token::Text(text) | Token::Number(text) => text.clone(),
            Token::Sign(sign) => sign.to_string(),
        }
    }
}

/// Reads tokens off a statement, one at a time: a query behind `DECLARE c CURSOR FOR` stays as it is.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Lexer { rest: text }
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn peek(&self) -> Option<Token> {
        self.clone().next()
    }

    /// Reads the word if it is the next one.
    pub(super) fn accept(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|t| t.is(word));
        if found {
            self.next();
        }
        found
    }

    /// A name, folded to lower case unless it stands in quotes.
    pub(super) fn name(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(word) => Some(word.to_lowercase()),
            Token::Name(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn at_end(&self) -> bool {
        self.peek().is_none()
    }

    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if let Some(comment) = self.rest.strip_prefix("--") {
                self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                self.rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
            } else {
                return;
            }
        }
    }

    /// A literal or name in quotes, where two quotes are one.
    fn quoted(&mut self, quote: char, escapes: bool) -> String {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if escapes && c == '\\' {
                let Some((_, escaped)) = chars.next() else { break };
                out.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    other => other,
                });
            } else if c == quote {
                if chars.peek().is_none_or(|(_, next)| *next != quote) {
                    self.rest = &self.rest[at + 1..];
                    return out;
                }
                chars.next();
                out.push(quote);
            } else {
                out.push(c);
            }
        }
        self.rest = "";
        out
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        let first = self.rest.chars().next()?;
        let part_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        match first {
            '\'' => Some(Token::Text(self.quoted('\'', false))),
            '"' => Some(Token::Name(self.quoted('"', false))),
            'e' | 'E' if self.rest[1..].starts_with('\'') => {
                self.rest = &self.rest[1..];
                Some(Token::Text(self.quoted('\'', true)))
            }
            c if c.is_ascii_digit() => {
                let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(self.rest.len());
                let (number, rest) = self.rest.split_at(end);
                self.rest = rest;
                Some(Token::Number(number.into()))
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = self.rest.find(|c: char| !part_of_word(c)).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                self.rest = rest;
                Some(Token::Word(word.into()))
            }
            c => {
                self.rest = &self.rest[c.len_utf8()..];
                Some(Token::Sign(c))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_one_by_one() {
        let mut lexer = Lexer::new("FETCH /* x */ 10 -- y\n FROM \"c\"\"1\" 'it''s' E'a\\tb'");
        assert!(lexer.accept("fetch"));
        assert_eq!(lexer.next(), Some(Token::Number("10".into())));
        assert!(lexer.accept("from"));
        assert_eq!(lexer.name().as_deref(), Some("c\"1"));
        assert_eq!(lexer.next(), Some(Token::Text("it's".into())));
        assert_eq!(lexer.next(), Some(Token::Text("a\tb".into())));
        assert!(lexer.at_end());
    }
}
