//! The one error that crosses crate edges.
//!
//! Its kind says who must act; SQLSTATE, HTTP status and restart policy are derived from kind and code in
//! one place. Messages are lower case, without a full stop, name the object, what was expected and what was
//! found; the hint holds the fix.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The user's statement, flag or file is wrong.
    User,
    /// A record is wrong; the rest goes on.
    Data,
    /// Something outside (disk, network, another system) failed.
    External,
    /// A limit was reached: memory, disk, connections.
    Exhausted,
    /// Somebody else took over what this process held.
    Fenced,
    /// Arus is wrong.
    Bug,
}

/// What kind of mistake it is, for the codes of the doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Code {
    #[default]
    Other,
    Syntax,
    UndefinedTable,
    UndefinedColumn,
    UndefinedFunction,
    /// A type, a setting, a cursor.
    UndefinedObject,
    UndefinedCursor,
    DuplicateCursor,
    /// A prepared statement.
    UndefinedStatement,
    DuplicateStatement,
    /// A statement that needs a transaction, outside of one.
    NoTransaction,
    /// A statement in a transaction that has failed.
    FailedTransaction,
    AmbiguousColumn,
    /// A column that is neither grouped nor aggregated.
    Grouping,
    DivisionByZero,
    /// A text that is no value of the type.
    InvalidText,
    DuplicateObject,
    TypeMismatch,
    InvalidOption,
    InvalidValue,
    NotSupported,
    Conflict,
    Cancelled,
    DiskFull,
    Corrupt,
    PermissionDenied,
    /// Unknown user, wrong or expired password.
    InvalidPassword,
    /// Nobody has said who this is, or may not say it any more.
    NotAuthenticated,
    /// An idempotent producer that the partition does not know begins in the middle.
    UnknownProducer,
    /// An idempotent producer whose place another one has taken.
    ProducerEpoch,
    /// An idempotent producer's batch that does not follow its last one.
    OutOfOrder,
}

impl Code {
    /// The SQLSTATE that PostgreSQL uses for the same mistake.
    pub fn sqlstate(self, kind: ErrorKind) -> &'static str {
        match self {
            Code::Syntax => "42601",
            Code::UndefinedTable => "42P01",
            Code::UndefinedColumn => "42703",
            Code::UndefinedFunction => "42883",
            Code::UndefinedObject => "42704",
            Code::UndefinedCursor => "34000",
            Code::DuplicateCursor => "42P03",
            Code::UndefinedStatement => "26000",
            Code::DuplicateStatement => "42P05",
            Code::NoTransaction => "25P01",
            Code::FailedTransaction => "25P02",
            Code::AmbiguousColumn => "42702",
            Code::Grouping => "42803",
            Code::DivisionByZero => "22012",
            Code::InvalidText => "22P02",
            Code::DuplicateObject => "42P07",
            Code::TypeMismatch => "42804",
            Code::InvalidOption | Code::InvalidValue => "22023",
            Code::NotSupported => "0A000",
            Code::Conflict => "55006",
            Code::Cancelled => "57014",
            Code::DiskFull => "53100",
            Code::Corrupt => "XX001",
            Code::PermissionDenied => "42501",
            Code::InvalidPassword => "28P01",
            Code::NotAuthenticated => "28000",
            Code::UnknownProducer | Code::ProducerEpoch | Code::OutOfOrder => "40001",
            Code::Other => match kind {
                ErrorKind::User => "42000",
                ErrorKind::Data => "22000",
                ErrorKind::External => "58000",
                ErrorKind::Exhausted => "53000",
                ErrorKind::Fenced => "57P01",
                ErrorKind::Bug => "XX000",
            },
        }
    }
}

/// A place in the user's text. Lines and columns count from 1, columns in characters; offset in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    pub line: u32,
    pub column: u32,
    pub offset: u32,
    /// Length in bytes of the text that is meant, at least 1.
    pub length: u32,
}

#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    code: Code,
    message: String,
    hint: Option<String>,
    location: Option<Location>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            code: Code::Other,
            message: message.into(),
            hint: None,
            location: None,
            source: None,
        }))
    }

    pub fn user(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::User, message)
    }

    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    pub fn external(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::External, message)
    }

    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bug, message)
    }

    /// What Flink has and Arus does not yet: named, never half done.
    pub fn not_supported(what: impl fmt::Display) -> Self {
        Self::user(format!("{what} is not supported yet")).with_code(Code::NotSupported)
    }

    /// An I/O failure of `action` on `object`; a full disk gets its own code.
    pub fn io(action: &str, object: impl fmt::Display, source: std::io::Error) -> Self {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let full = matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge);
        let error = Self::external(format!("cannot {action} {object}: {source}"));
        let error = if full {
            error.with_code(Code::DiskFull).with_hint("free space on the disk of the data folder")
        } else {
            error
        };
        error.with_source(source)
    }

    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn with_location(mut self, location: Location) -> Self {
        self.0.location = Some(location);
        self
    }

    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Puts `what: ` before the message: the object in which the error happened.
    #[must_use]
    pub fn in_context(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn sqlstate(&self) -> &'static str {
        self.0.code.sqlstate(self.0.kind)
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    pub fn location(&self) -> Option<Location> {
        self.0.location
    }

    /// The text for a terminal: message, the line of `text` with a caret below, hint.
    pub fn render(&self, text: Option<&str>) -> String {
        let mut out = self.0.message.clone();
        if let Some(at) = self.0.location {
            out.push_str(&format!("\n  at line {}, column {}", at.line, at.column));
            if let Some(line) = text.and_then(|t| t.lines().nth(at.line.saturating_sub(1) as usize)) {
                let indent = " ".repeat(at.column.saturating_sub(1) as usize);
                let rest = line.chars().count().saturating_sub(at.column.saturating_sub(1) as usize).max(1);
                let carets = "^".repeat((at.length.max(1) as usize).min(rest));
                out.push_str(&format!("\n  | {line}\n  | {indent}{carets}"));
            }
        }
        if let Some(hint) = &self.0.hint {
            out.push_str(&format!("\n  hint: {hint}"));
        }
        out
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}
