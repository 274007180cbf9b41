//! What is wrong with a text, and where.

use crate::ast::Span;
use arus_core::error::Code;

/// A syntax error. The message is lower case and has no full stop; whoever shows it adds line, column and caret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub span: Span,
    pub message: String,
    /// What could have stood there, for completion; empty if nothing would have helped.
    pub expected: Vec<&'static str>,
    pub hint: Option<String>,
}

impl ParseError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> ParseError {
        ParseError { span, message: message.into(), expected: Vec::new(), hint: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> ParseError {
        self.hint = Some(hint.into());
        self
    }

    /// The error as others see it, at its place in the parsed text.
    pub fn into_error(self, text: &str) -> arus_core::Error {
        let error =
            arus_core::Error::user(self.message).with_code(Code::Syntax).with_location(self.span.location(text));
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// Line and column in the parsed text, both from 1.
    pub fn line_column(&self, text: &str) -> (u32, u32) {
        self.span.line_column(text)
    }
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}
