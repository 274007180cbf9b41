//! Where statements end: cutting text at its outer semicolons without parsing it.
//!
//! A STATEMENT SET holds semicolons inside and ends with `END`.

use crate::ast::Span;
use crate::lexer::{Lexer, TokenKind};

/// What stands at the start of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing but white space, comments and semicolons.
    Blank,
    /// A whole statement with its semicolon: `text[..end]`.
    Complete { end: usize },
    /// The text ends before a semicolon that would end the statement. Unless it stops inside a statement set, a string or a comment, it may still be whole.
    Incomplete { open: bool },
}

/// Cuts the first statement off a text.
pub fn cut_statement(text: &str) -> Cut {
    let mut lexer = Lexer::new(text);
    let mut words = Words::default();
    let mut set = false;
    loop {
        let token = match lexer.next_token() {
            Ok(token) => token,
            Err(e) if e.unfinished => return Cut::Incomplete { open: true },
            Err(_) => {
                // The parser will say what is wrong with it.
                lexer.skip_char();
                words.push("?");
                continue;
            }
        };
        match token.kind {
            TokenKind::End if words.count == 0 => return Cut::Blank,
            TokenKind::End => return Cut::Incomplete { open: set },
            TokenKind::Semicolon if words.count == 0 => {}
            TokenKind::Semicolon if !set && words.count == 3 && words.last_are(&["BEGIN", "STATEMENT", "SET"]) => {
                set = true;
                words.push(";");
            }
            TokenKind::Semicolon => {
                let ended = words.last_are(&[";", "END"]) || words.last_are(&["BEGIN", "END"]);
                if !set || ended {
                    return Cut::Complete { end: token.span.end as usize };
                }
                words.push(";");
            }
            TokenKind::Word => {
                words.push(token.span.of(text));
                set = set || words.last_are(&["STATEMENT", "SET", "BEGIN"]);
            }
            _ => words.push("?"),
        }
    }
}

/// The statements of a script, each without its semicolon and without blanks around it.
pub fn split_script(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut start = 0;
    loop {
        let rest = &text[start..];
        let (end, more) = match cut_statement(rest) {
            Cut::Blank => return spans,
            Cut::Complete { end } => (end, true),
            Cut::Incomplete { .. } => (rest.len(), false),
        };
        let body = rest[..end - usize::from(more)].trim_end();
        let inner = body.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        spans.push(Span::new(start + body.len() - inner.len(), start + body.len()));
        if !more {
            return spans;
        }
        start += end;
    }
}

/// The last three words of a statement, in capitals.
#[derive(Default)]
struct Words {
    count: usize,
    last: [String; 3],
}

impl Words {
    fn push(&mut self, word: &str) {
        self.last.rotate_left(1);
        self.last[2].clear();
        // Longer words are none of those that are looked for.
        if word.len() <= 16 {
            self.last[2].push_str(word);
            self.last[2].make_ascii_uppercase();
        }
        self.count += 1;
    }

    fn last_are(&self, words: &[&str]) -> bool {
        self.last[3 - words.len()..].iter().eq(words)
    }
}
