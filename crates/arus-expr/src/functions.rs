//! The registry: one file for each group of functions, one line for each file in [`FUNCTIONS`].
//!
//! To add functions: a file with a `FUNCTIONS` list below this folder, its `mod` line and its line here.

mod arithmetic;
mod arrays;
mod collections;
mod comparison;
mod date_format;
mod encoding;
mod extract;
mod greatest;
mod hash;
mod interval;
mod json_build;
mod json_query;
mod json_value;
mod logic;
mod maps;
mod math;
mod now;
mod padding;
mod pieces;
mod printf;
mod random;
mod regex;
mod rounding;
mod search;
mod similar;
mod strings;
mod to_timestamp;
mod truncate;
mod type_of;
mod unix_time;

use std::collections::HashMap;
use std::sync::LazyLock;

use arus_core::expr::Expr;
use arus_core::function::Argument;
use arus_core::text::Zone;
use arus_core::{Datum, Error, LogicalType, Result, TypeKind};

use crate::value::{Cx, Kernel, Value};

pub(crate) const FUNCTIONS: &[Group] = &[
    Group { file: "arithmetic", functions: arithmetic::FUNCTIONS },
    Group { file: "arrays", functions: arrays::FUNCTIONS },
    Group { file: "collections", functions: collections::FUNCTIONS },
    Group { file: "comparison", functions: comparison::FUNCTIONS },
    Group { file: "date_format", functions: date_format::FUNCTIONS },
    Group { file: "encoding", functions: encoding::FUNCTIONS },
    Group { file: "extract", functions: extract::FUNCTIONS },
    Group { file: "greatest", functions: greatest::FUNCTIONS },
    Group { file: "hash", functions: hash::FUNCTIONS },
    Group { file: "interval", functions: interval::FUNCTIONS },
    Group { file: "json_build", functions: json_build::FUNCTIONS },
    Group { file: "json_query", functions: json_query::FUNCTIONS },
    Group { file: "json_value", functions: json_value::FUNCTIONS },
    Group { file: "logic", functions: logic::FUNCTIONS },
    Group { file: "maps", functions: maps::FUNCTIONS },
    Group { file: "math", functions: math::FUNCTIONS },
    Group { file: "now", functions: now::FUNCTIONS },
    Group { file: "padding", functions: padding::FUNCTIONS },
    Group { file: "pieces", functions: pieces::FUNCTIONS },
    Group { file: "printf", functions: printf::FUNCTIONS },
    Group { file: "random", functions: random::FUNCTIONS },
    Group { file: "regex", functions: regex::FUNCTIONS },
    Group { file: "rounding", functions: rounding::FUNCTIONS },
    Group { file: "search", functions: search::FUNCTIONS },
    Group { file: "similar", functions: similar::FUNCTIONS },
    Group { file: "strings", functions: strings::FUNCTIONS },
    Group { file: "to_timestamp", functions: to_timestamp::FUNCTIONS },
    Group { file: "truncate", functions: truncate::FUNCTIONS },
    Group { file: "type_of", functions: type_of::FUNCTIONS },
    Group { file: "unix_time", functions: unix_time::FUNCTIONS },
];

pub(crate) struct Group {
    /// The file's name below `functions/`.
    #[cfg_attr(not(test), expect(dead_code, reason = "the test compares the folder with the list"))]
    pub(crate) file: &'static str,
    pub(crate) functions: &'static [Function],
}

pub(crate) struct Function {
    /// The canonical name first.
    pub(crate) names: &'static [&'static str],
    /// Whether each name stays itself in a plan (YEAR, MONTH ..), rather than becoming the first.
    pub(crate) keeps_name: bool,
    /// As Flink writes it.
    pub(crate) signature: &'static str,
    pub(crate) deterministic: bool,
    /// `None` when it does not take these arguments.
    pub(crate) resolve: fn(&[Argument]) -> Option<Call>,
    pub(crate) compile: fn(&CompileCall<'_>) -> Result<Compiled>,
}

impl Function {
    pub(crate) const fn new(
        names: &'static [&'static str],
        signature: &'static str,
        resolve: fn(&[Argument]) -> Option<Call>,
        compile: fn(&CompileCall<'_>) -> Result<Compiled>,
    ) -> Self {
        Function { names, keeps_name: false, signature, deterministic: true, resolve, compile }
    }

    pub(crate) fn canonical(&self, name: &str) -> &'static str {
        let kept = self.names.iter().find(|n| self.keeps_name && **n == name);
        kept.unwrap_or(&self.names[0])
    }
}

/// Argument types to cast to, and the type of the result.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) arg_types: Vec<LogicalType>,
    pub(crate) return_type: LogicalType,
}

/// A call to compile: the arguments already have the types that were asked for.
pub(crate) struct CompileCall<'a> {
    pub(crate) name: &'a str,
    pub(crate) args: &'a [Expr],
    pub(crate) ty: &'a LogicalType,
    pub(crate) zone: Zone,
}

impl CompileCall<'_> {
    pub(crate) fn kind(&self, arg: usize) -> Result<TypeKind> {
        match self.args.get(arg) {
            Some(arg) => Ok(arg.ty().kind),
            None => Err(self.bug()),
        }
    }

    /// The text of an argument that is a literal.
    pub(crate) fn text(&self, arg: usize) -> Option<&str> {
        match self.args.get(arg) {
            Some(Expr::Literal { value: Datum::String(text), .. }) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn bug(&self) -> Error {
        let types: Vec<_> = self.args.iter().map(Expr::ty).collect();
        Error::bug(format!("no code for {}({})", self.name, crate::program::type_names(&types)))
    }
}

pub(crate) struct Compiled {
    pub(crate) kernel: Kernel,
    /// Whether a row can fail.
    pub(crate) fallible: bool,
    /// Whether each row is computed, although all arguments are the same.
    pub(crate) per_row: bool,
}

/// Code of which no row fails.
pub(crate) fn safe(
    kernel: impl Fn(&[Value], &mut Cx<'_>) -> Result<arrow::array::ArrayRef> + Send + Sync + 'static,
) -> Result<Compiled> {
    Ok(Compiled { kernel: Box::new(kernel), fallible: false, per_row: false })
}

/// Code of which a row can fail.
pub(crate) fn fallible(
    kernel: impl Fn(&[Value], &mut Cx<'_>) -> Result<arrow::array::ArrayRef> + Send + Sync + 'static,
) -> Result<Compiled> {
    Ok(Compiled { kernel: Box::new(kernel), fallible: true, per_row: false })
}

pub(crate) fn find(name: &str) -> Option<&'static Function> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
        let functions = FUNCTIONS.iter().flat_map(|group| group.functions);
        functions.flat_map(|f| f.names.iter().map(move |name| (*name, f))).collect()
    });
    BY_NAME.get(name).copied()
}

// ---- building blocks of `resolve` ----------------------------------------------------------------------

pub(crate) fn any_nullable(args: &[Argument]) -> bool {
    args.iter().any(|a| a.ty.nullable)
}

/// The arguments as they are, and a result that is NULL when one of them is.
pub(crate) fn as_is(args: &[Argument], result: TypeKind) -> Option<Call> {
    let arg_types = args.iter().map(|a| a.ty.clone()).collect();
    Some(Call { arg_types, return_type: result.nullable().with_nullable(any_nullable(args)) })
}

/// Arguments cast to `kinds`, and a result that is NULL when one of them is.
pub(crate) fn coerced(args: &[Argument], kinds: Vec<TypeKind>, result: TypeKind) -> Option<Call> {
    let arg_types = args.iter().zip(kinds).map(|(a, k)| LogicalType { kind: k, nullable: a.ty.nullable }).collect();
    Some(Call { arg_types, return_type: result.nullable().with_nullable(any_nullable(args)) })
}

/// Whether the argument is the literal of one of these words, as the binder writes clauses.
pub(crate) fn is_word(arg: &Argument, words: &[&str]) -> bool {
    matches!(&arg.literal, Some(Datum::String(text)) if words.contains(&text.as_str()))
}

/// An integer that fits INT by implicit cast.
pub(crate) fn is_small_integer(kind: &TypeKind) -> bool {
    matches!(kind, TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int)
}
