//! JSON: texts, paths, and how Flink writes it.

mod filter;
mod parse;
mod path;
mod write;

pub(crate) use parse::{Json, parse};
pub(crate) use path::{Found, Mode, Path};
pub use write::push_quoted;
pub(crate) use write::{number_text, write_json};

use crate::functions::CompileCall;
use crate::value::{Strings, Value};
use arus_core::{Error, Result};

/// The path of each row: a literal is parsed once.
pub(crate) struct Paths(Option<Result<Path, String>>);

impl Paths {
    /// A literal that this cannot follow is refused here; one that is no path is an error of each row.
    pub(crate) fn of(call: &CompileCall<'_>, arg: usize) -> Result<Paths> {
        let parsed = call.text(arg).map(Path::parse);
        if let Some(Ok(path)) = &parsed
            && let Some(what) = path.unsupported()
        {
            return Err(Error::user(format!("unsupported JSON path '{}': {what}", path.text)).with_hint(
                "paths have names, [index], [from:to], *, .., filters that compare, and functions such as length()",
            ));
        }
        Ok(Paths(parsed))
    }

    pub(crate) fn rows<'a>(&'a self, value: &'a Value) -> Result<RowPaths<'a>> {
        Ok(RowPaths { fixed: self.0.as_ref(), texts: Strings::of(value)?, last: None })
    }
}

pub(crate) struct RowPaths<'a> {
    fixed: Option<&'a Result<Path, String>>,
    texts: Strings<'a>,
    last: Option<(&'a str, Result<Path, String>)>,
}

impl RowPaths<'_> {
    /// `None` when it is NULL.
    pub(crate) fn get(&mut self, row: usize) -> Option<&Result<Path, String>> {
        if self.fixed.is_some() {
            return self.fixed;
        }
        let text = self.texts.get(row)?;
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            let parsed = Path::parse(text).and_then(|path| match path.unsupported() {
                Some(what) => Err(format!("unsupported JSON path '{text}': {what}")),
                None => Ok(path),
            });
            self.last = Some((text, parsed));
        }
        self.last.as_ref().map(|(_, path)| path)
    }
}

/// What a path finds in a text: the value (`None`: nothing, or a JSON null), or an error. A lax path has no errors.
pub(crate) fn look_up<'j, T>(
    text: &'j str,
    path: &Result<Path, String>,
    then: impl FnOnce(Mode, Result<Option<&Json<'j>>, String>) -> T,
) -> T {
    let path = match path {
        Ok(path) => path,
        Err(reason) => return then(Mode::Strict, Err(reason.clone())),
    };
    let document = match parse(text) {
        Ok(document) => document,
        Err(_) if path.mode == Mode::Lax => return then(Mode::Lax, Ok(None)),
        Err(reason) => return then(Mode::Strict, Err(reason)),
    };
    let not_null = |value: &Json<'_>| !matches!(value, Json::Null);
    match path.find(&document) {
        Ok(Found::One(value)) => then(path.mode, Ok(Some(value).filter(|value| not_null(value)))),
        Ok(Found::Made(value)) => then(path.mode, Ok(Some(&value))),
        Err(_) if path.mode == Mode::Lax && path.is_definite() => then(path.mode, Ok(None)),
        Err(_) if path.mode == Mode::Lax => then(path.mode, Ok(Some(&Json::Array(vec![])))),
        Err(reason) => then(path.mode, Err(reason)),
    }
}
