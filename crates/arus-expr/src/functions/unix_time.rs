//! FROM_UNIXTIME, UNIX_TIMESTAMP, TO_DATE and CONVERT_TZ, by Java's `SimpleDateFormat`.

use arrow::datatypes::{DataType, Date32Type, Int64Type};
use arus_core::function::Argument;
use arus_core::text::{Zone, parse_date};
use arus_core::{Error, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, coerced, fallible, safe};
use crate::simple_date::SimpleDate;
use crate::value::{Cx, Numbers, Strings, Value, longs, numbers, strings};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["FROM_UNIXTIME"], "FROM_UNIXTIME(<INTEGER>[, <CHARACTER>])", resolve_from, compile_from),
    Function {
        deterministic: false,
        ..Function::new(
            &["UNIX_TIMESTAMP"],
            "UNIX_TIMESTAMP(), UNIX_TIMESTAMP(<CHARACTER>[, <CHARACTER>])",
            resolve_unix,
            compile_unix,
        )
    },
    Function::new(&["TO_DATE"], "TO_DATE(<CHARACTER>[, <CHARACTER>])", resolve_date, compile_date),
    Function::new(
        &["CONVERT_TZ"],
        "CONVERT_TZ(<CHARACTER>, <CHARACTER>, <CHARACTER>)",
        |args| nullable(texts(args, &[3], TypeKind::STRING)?),
        compile_convert,
    ),
];

const DEFAULT: &str = "yyyy-MM-dd HH:mm:ss";
/// Years of two digits are read as of now; folding knows no clock and takes this day of 2026.
const EARLIEST_NOW_MS: i64 = 1_767_225_600_000;

fn nullable(call: Call) -> Option<Call> {
    Some(Call { return_type: call.return_type.with_nullable(true), ..call })
}

fn texts(args: &[Argument], counts: &[usize], result: TypeKind) -> Option<Call> {
    let right = counts.contains(&args.len()) && args.iter().all(|a| a.ty.kind.is_string());
    if right { as_is(args, result) } else { None }
}

fn resolve_from(args: &[Argument]) -> Option<Call> {
    let (seconds, format) = args.split_first()?;
    let right = seconds.ty.kind.is_integer() && format.len() <= 1 && format.iter().all(|a| a.ty.kind.is_string());
    if !right {
        return None;
    }
    let kinds = [TypeKind::BigInt].into_iter().chain(format.iter().map(|a| a.ty.kind.clone())).collect();
    nullable(coerced(args, kinds, TypeKind::STRING)?)
}

fn resolve_unix(args: &[Argument]) -> Option<Call> {
    texts(args, &[0, 1, 2], TypeKind::BigInt)
}

fn resolve_date(args: &[Argument]) -> Option<Call> {
    nullable(texts(args, &[1, 2], TypeKind::Date)?)
}

// ---- formats -------------------------------------------------------------------------------------------

/// The format of each row: a literal is read once.
struct Formats {
    fixed: Option<SimpleDate>,
}

impl Formats {
    /// `reads`: text is read by it, not written.
    fn of(call: &CompileCall<'_>, arg: usize, reads: bool) -> Result<Formats> {
        let text = if arg >= call.args.len() { Some(DEFAULT) } else { call.text(arg) };
        let Some(text) = text else { return Ok(Formats { fixed: None }) };
        let format = parse_format(text, reads).map_err(Error::user)?;
        Ok(Formats { fixed: Some(format) })
    }
}

fn parse_format(text: &str, reads: bool) -> Result<SimpleDate, String> {
    let format = SimpleDate::parse(text).map_err(|reason| format!("'{text}' is no date format: {reason}"))?;
    match format.unreadable() {
        Some(letter) if reads => Err(format!("unsupported letter '{letter}' in the date format '{text}' to read by")),
        _ => Ok(format),
    }
}

struct RowFormats<'a> {
    formats: &'a Formats,
    texts: Option<Strings<'a>>,
    reads: bool,
    last: Option<(&'a str, Result<SimpleDate, String>)>,
}

impl<'a> RowFormats<'a> {
    fn new(formats: &'a Formats, value: Option<&'a Value>, reads: bool) -> Result<Self> {
        Ok(RowFormats { formats, texts: value.map(Strings::of).transpose()?, reads, last: None })
    }

    /// `None` when it is NULL, or no format: then the row fails.
    fn get(&mut self, row: usize, cx: &mut Cx<'_>) -> Option<&SimpleDate> {
        if let Some(fixed) = &self.formats.fixed {
            return Some(fixed);
        }
        let text = self.texts.as_ref()?.get(row)?;
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            self.last = Some((text, parse_format(text, self.reads)));
        }
        match &self.last.as_ref()?.1 {
            Ok(format) => Some(format),
            Err(reason) => {
                cx.fail(row, reason.clone());
                None
            }
        }
    }
}

fn now(cx: &Cx<'_>) -> i64 {
    cx.eval.now_ms.max(EARLIEST_NOW_MS)
}

// ---- FROM_UNIXTIME, UNIX_TIMESTAMP, TO_DATE -------------------------------------------------------------

fn compile_from(call: &CompileCall<'_>) -> Result<Compiled> {
    let formats = Formats::of(call, 1, false)?;
    let zone = call.zone;
    fallible(move |args, cx| {
        let seconds = Numbers::<Int64Type>::of(&args[0])?;
        let mut formats = RowFormats::new(&formats, args.get(1), false)?;
        Ok(strings(cx.rows, |row, out| {
            let seconds = seconds.get(row)?;
            let formatted = formats.get(row, cx)?.format(seconds.wrapping_mul(1_000), zone, out);
            formatted.map_err(|reason| cx.fail(row, reason)).ok()
        }))
    })
}

/// Text that is no such time gives the smallest BIGINT.
fn compile_unix(call: &CompileCall<'_>) -> Result<Compiled> {
    if call.args.is_empty() {
        return safe(|_, cx| {
            let seconds = cx.eval.now_ms.div_euclid(1_000);
            longs(cx.rows, &DataType::Int64, |_| Some(seconds))
        });
    }
    let formats = Formats::of(call, 1, true)?;
    let zone = call.zone;
    fallible(move |args, cx| {
        let texts = Strings::of(&args[0])?;
        let mut formats = RowFormats::new(&formats, args.get(1), true)?;
        longs(cx.rows, &DataType::Int64, |row| {
            let text = texts.get(row)?;
            let now = now(cx);
            let instant = formats.get(row, cx)?.parse_text(text, zone, now);
            Some(instant.map_or(i64::MIN, |ms| ms / 1_000))
        })
    })
}

fn compile_date(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    if call.args.len() == 1 {
        return safe(move |args, cx| {
            let texts = Strings::of(&args[0])?;
            Ok(numbers::<Date32Type>(cx.rows, &ty, |row| parse_date(texts.get(row)?)))
        });
    }
    let formats = Formats::of(call, 1, true)?;
    fallible(move |args, cx| {
        /// 5471-09-27: what Flink makes of text that does not follow the format.
        const UNREADABLE: i32 = 1_278_983;
        let texts = Strings::of(&args[0])?;
        let mut formats = RowFormats::new(&formats, args.get(1), true)?;
        Ok(numbers::<Date32Type>(cx.rows, &ty, |row| {
            let text = texts.get(row)?;
            let now = now(cx);
            let instant = formats.get(row, cx)?.parse_text(text, Zone::UTC, now);
            Some(instant.map_or(UNREADABLE, |ms| ms.div_euclid(86_400_000) as i32))
        }))
    })
}

// ---- CONVERT_TZ ----------------------------------------------------------------------------------------

/// As Java's `TimeZone`: a name that it does not know is UTC.
fn java_zone(name: &str) -> Zone {
    let custom = name.starts_with(['+', '-']) || name.starts_with("UTC") || name.starts_with("UT+");
    if custom { Zone::UTC } else { Zone::parse(name).unwrap_or(Zone::UTC) }
}

fn compile_convert(call: &CompileCall<'_>) -> Result<Compiled> {
    let format = parse_format(DEFAULT, true).map_err(|_| call.bug())?;
    let fixed = [call.text(1).map(java_zone), call.text(2).map(java_zone)];
    safe(move |args, cx| {
        let texts = Strings::of(&args[0])?;
        let names = [Strings::of(&args[1])?, Strings::of(&args[2])?];
        let now = now(cx);
        Ok(strings(cx.rows, |row, out| {
            let text = texts.get(row)?;
            let zone = |i: usize| match fixed[i] {
                Some(zone) => Some(zone),
                None => names[i].get(row).map(java_zone),
            };
            let (from, to) = (zone(0)?, zone(1)?);
            format.format(format.parse_text(text, from, now)?, to, out).ok()
        }))
    })
}
