//! DATE_FORMAT by Java's patterns.

use arus_core::function::Argument;
use arus_core::text::{Civil, Zone, parse_timestamp};
use arus_core::types::units_per_ms;
use arus_core::{Error, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, fallible};
use crate::pattern::Pattern;
use crate::value::{Cx, Longs, Strings, Value, strings};

pub(super) const FUNCTIONS: &[Function] = &[Function::new(
    &["DATE_FORMAT"],
    "DATE_FORMAT(<TIMESTAMP>, <CHARACTER>), DATE_FORMAT(<CHARACTER>, <CHARACTER>)",
    resolve,
    compile,
)];

fn resolve(args: &[Argument]) -> Option<Call> {
    let [time, pattern] = args else { return None };
    let right = (time.ty.kind.is_timestamp() || time.ty.kind.is_string()) && pattern.ty.kind.is_string();
    let call = if right { as_is(args, TypeKind::STRING)? } else { return None };
    // Text that is no time gives NULL.
    let nullable = call.return_type.nullable || time.ty.kind.is_string();
    Some(Call { return_type: call.return_type.with_nullable(nullable), ..call })
}

/// Patterns by their text: a literal is parsed once, others when they change.
pub(super) enum Patterns {
    Fixed(Pattern),
    PerRow,
}

impl Patterns {
    pub(super) fn of(call: &CompileCall<'_>, arg: usize) -> Result<Patterns> {
        let Some(text) = call.text(arg) else { return Ok(Patterns::PerRow) };
        let parsed = Pattern::parse(text);
        parsed.map(Patterns::Fixed).map_err(|reason| Error::user(format!("'{text}' is no date pattern: {reason}")))
    }
}

/// The pattern that a row uses.
pub(super) struct RowPatterns<'a> {
    fixed: Option<&'a Pattern>,
    texts: Strings<'a>,
    last: Option<(&'a str, Pattern)>,
}

impl<'a> RowPatterns<'a> {
    pub(super) fn new(patterns: &'a Patterns, value: &'a Value) -> Result<Self> {
        let fixed = match patterns {
            Patterns::Fixed(pattern) => Some(pattern),
            Patterns::PerRow => None,
        };
        Ok(RowPatterns { fixed, texts: Strings::of(value)?, last: None })
    }

    /// `None` when it is NULL; a text that is no pattern is the reason.
    pub(super) fn get(&mut self, row: usize) -> Option<Result<&Pattern, String>> {
        if let Some(fixed) = self.fixed {
            return Some(Ok(fixed));
        }
        let text = self.texts.get(row)?;
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            match Pattern::parse(text) {
                Ok(pattern) => self.last = Some((text, pattern)),
                Err(reason) => return Some(Err(format!("'{text}' is no date pattern: {reason}"))),
            }
        }
        self.last.as_ref().map(|(_, pattern)| Ok(pattern))
    }
}

fn compile(call: &CompileCall<'_>) -> Result<Compiled> {
    let patterns = Patterns::of(call, 1)?;
    let (precision, zone) = match call.kind(0)? {
        TypeKind::Timestamp { precision, .. } => (precision, Zone::UTC),
        TypeKind::TimestampLtz { precision, .. } => (precision, call.zone),
        kind if kind.is_string() => {
            return fallible(move |args, cx| {
                let values = Strings::of(&args[0])?;
                format_rows(&patterns, args, cx, |row| {
                    parse_timestamp(values.get(row)?).filter(|_| has_time(&values, row))
                })
            });
        }
        _ => return Err(call.bug()),
    };
    fallible(move |args, cx| {
        let times = Longs::of(&args[0])?;
        format_rows(&patterns, args, cx, |row| {
            let local = zone.to_local(times.get(row)?, units_per_ms(precision))?;
            Some(Civil::from_units(local, precision))
        })
    })
}

/// Text is taken as `yyyy-MM-dd HH:mm:ss`: a date alone is none.
fn has_time(values: &Strings<'_>, row: usize) -> bool {
    values.get(row).is_some_and(|text| text.contains(':'))
}

fn format_rows(
    patterns: &Patterns,
    args: &[Value],
    cx: &mut Cx<'_>,
    time: impl Fn(usize) -> Option<Civil>,
) -> Result<arrow::array::ArrayRef> {
    let mut patterns = RowPatterns::new(patterns, &args[1])?;
    Ok(strings(cx.rows, |row, out| {
        let time = time(row)?;
        match patterns.get(row)?.and_then(|pattern| pattern.format(time, out)) {
            Ok(()) => Some(()),
            Err(reason) => {
                cx.fail(row, reason);
                None
            }
        }
    }))
}
