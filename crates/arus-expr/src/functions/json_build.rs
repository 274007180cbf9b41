//! JSON_STRING, JSON_OBJECT, JSON_ARRAY, JSON_QUOTE, JSON_UNQUOTE.
//!
//! JSON_OBJECT's first argument is `NULL` or `ABSENT`, what to do with NULL values; then key, value and the value's form
//! in turn; JSON_ARRAY has value and form. The form is `VALUE`, `RAW` (the value is the text of another JSON function) or
//! `JSON` (a text to be read as JSON).

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arus_core::function::Argument;
use arus_core::text::{write_decimal_print, write_double, write_timestamp_ltz_print};
use arus_core::types::MAP_KEY;
use arus_core::{Error, LogicalType, Result, TypeKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Call, CompileCall, Compiled, Function, as_is, fallible, is_word, safe};
use crate::json::{Json, number_text, parse, push_quoted, write_json};
use crate::value::{Longs, Strings, Value, strings};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["JSON_STRING"], "JSON_STRING(<ANY>)", resolve_string, compile_string),
    Function::new(
        &["JSON_OBJECT"],
        "JSON_OBJECT([KEY] <CHARACTER> VALUE <ANY>, .. [NULL|ABSENT ON NULL])",
        |args| resolve_built(args, 3),
        compile_object,
    ),
    Function::new(
        &["JSON_ARRAY"],
        "JSON_ARRAY(<ANY>, .. [NULL|ABSENT ON NULL])",
        |args| resolve_built(args, 2),
        compile_array,
    ),
    Function::new(&["JSON_QUOTE"], "JSON_QUOTE(<CHARACTER>)", one_text, |_| {
        safe(|args, cx| {
            let texts = Strings::of(&args[0])?;
            Ok(strings(cx.rows, |row, out| texts.get(row).map(|text| quote(text, out))))
        })
    }),
    Function::new(&["JSON_UNQUOTE"], "JSON_UNQUOTE(<CHARACTER>)", one_text, |_| {
        safe(|args, cx| {
            let texts = Strings::of(&args[0])?;
            Ok(strings(cx.rows, |row, out| {
                let text = texts.get(row)?;
                match unquoted(text) {
                    Some(inner) => out.push_str(&inner),
                    None => out.push_str(text),
                }
                Some(())
            }))
        })
    }),
];

fn one_text(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if arg.ty.kind.is_string() => as_is(args, TypeKind::STRING),
        _ => None,
    }
}

/// Whether values of the type have a form in JSON.
fn has_json(ty: &LogicalType) -> bool {
    match &ty.kind {
        TypeKind::Boolean | TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. } => true,
        TypeKind::Array(element) => has_json(element),
        TypeKind::Map(key, value) => key.kind.is_string() && has_json(value),
        TypeKind::Row(fields) => fields.iter().all(|f| has_json(&f.ty)),
        kind => kind.is_numeric() || kind.is_string() || kind.is_binary(),
    }
}

fn resolve_string(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if has_json(&arg.ty) => as_is(args, TypeKind::STRING),
        _ => None,
    }
}

fn resolve_built(args: &[Argument], step: usize) -> Option<Call> {
    let (nulls, entries) = args.split_first()?;
    let fits = |entry: &[Argument]| {
        let (value, form) = (&entry[step - 2], &entry[step - 1]);
        let keyed = step == 2 || entry[0].ty.kind.is_string() && !entry[0].ty.nullable;
        let formed = is_word(form, &["VALUE"]) || is_word(form, &["RAW", "JSON"]) && value.ty.kind.is_string();
        keyed && formed && has_json(&value.ty)
    };
    let right = is_word(nulls, &["NULL", "ABSENT"]) && entries.len() % step == 0 && entries.chunks(step).all(fits);
    let call = if right { as_is(args, TypeKind::STRING)? } else { return None };
    Some(Call { return_type: TypeKind::STRING.not_null(), ..call })
}

// ---- values --------------------------------------------------------------------------------------------

/// Writes the value at `row`.
fn write_value(out: &mut String, array: &ArrayRef, row: usize, ty: &LogicalType) -> Result<()> {
    let wrong = || Error::bug(format!("an array of {} holds no {ty}", array.data_type()));
    if array.is_null(row) || array.data_type() == &DataType::Null {
        out.push_str("null");
        return Ok(());
    }
    let mut text = String::new();
    match &ty.kind {
        TypeKind::Boolean => {
            out.push_str(if array.as_boolean_opt().ok_or_else(wrong)?.value(row) { "true" } else { "false" });
        }
        TypeKind::TinyInt => out.push_str(&array.as_primitive::<Int8Type>().value(row).to_string()),
        TypeKind::SmallInt => out.push_str(&array.as_primitive::<Int16Type>().value(row).to_string()),
        TypeKind::Int => out.push_str(&array.as_primitive::<Int32Type>().value(row).to_string()),
        TypeKind::BigInt => out.push_str(&array.as_primitive::<Int64Type>().value(row).to_string()),
        TypeKind::Float => {
            let value = array.as_primitive::<Float32Type>().value(row);
            // As a DOUBLE: 0.1 shows what it is not exactly.
            write_double(&mut text, f64::from(value));
            push_float(out, &text, value.is_finite());
        }
        TypeKind::Double => {
            let value = array.as_primitive::<Float64Type>().value(row);
            write_double(&mut text, value);
            push_float(out, &text, value.is_finite());
        }
        TypeKind::Decimal { scale, .. } => {
            write_decimal_print(out, array.as_primitive::<Decimal128Type>().value(row), *scale);
        }
        TypeKind::Char(_) | TypeKind::Varchar(_) => {
            push_quoted(out, array.as_string_view_opt().ok_or_else(wrong)?.value(row));
        }
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            out.push('"');
            STANDARD.encode_string(array.as_binary_view_opt().ok_or_else(wrong)?.value(row), out);
            out.push('"');
        }
        TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
            let value = Value::Array(array.clone());
            let instant = Longs::of(&value)?.get(row).ok_or_else(wrong)?;
            out.push('"');
            push_timestamp(out, instant, *precision);
            out.push_str(if matches!(ty.kind, TypeKind::TimestampLtz { .. }) { "Z\"" } else { "\"" });
        }
        TypeKind::Array(element) => {
            let items = array.as_list_opt::<i32>().ok_or_else(wrong)?.value(row);
            out.push('[');
            for i in 0..items.len() {
                if i > 0 {
                    out.push(',');
                }
                write_value(out, &items, i, element)?;
            }
            out.push(']');
        }
        TypeKind::Map(_, item) => {
            let entries = array.as_list_opt::<i32>().ok_or_else(wrong)?.value(row);
            let entries = entries.as_struct_opt().ok_or_else(wrong)?;
            let keys = entries.column_by_name(MAP_KEY).and_then(|c| c.as_string_view_opt()).ok_or_else(wrong)?;
            let mut fields = Vec::with_capacity(keys.len());
            for i in 0..keys.len() {
                let mut value = String::new();
                write_value(&mut value, entries.column(1), i, item)?;
                fields.push((if keys.is_null(i) { "null" } else { keys.value(i) }.to_owned(), value));
            }
            push_object(out, fields);
        }
        TypeKind::Row(fields) => {
            let rows = array.as_struct_opt().ok_or_else(wrong)?;
            let mut parts = Vec::with_capacity(fields.len());
            for (i, field) in fields.iter().enumerate() {
                let mut value = String::new();
                write_value(&mut value, rows.column(i), row, &field.ty)?;
                parts.push((field.name.clone(), value));
            }
            push_object(out, parts);
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

/// What is no number is quoted; the others print as `BigDecimal`, which knows no negative zero.
fn push_float(out: &mut String, text: &str, finite: bool) {
    if finite { out.push_str(&number_text(text)) } else { push_quoted(out, text) }
}

/// `2024-01-01T00:00:00.12`
fn push_timestamp(out: &mut String, value: i64, precision: u8) {
    let start = out.len();
    write_timestamp_ltz_print(out, value, precision);
    // Print shows the fraction in groups of three digits, JSON only the digits that are there.
    out.pop();
    if out[start..].contains('.') {
        let end = out.trim_end_matches('0').len();
        out.truncate(end);
    }
}

/// Names in order, of equal ones the last.
fn push_object(out: &mut String, mut fields: Vec<(String, String)>) {
    fields.reverse();
    fields.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
    fields.dedup_by(|later, first| later.0 == first.0);
    out.push('{');
    for (i, (name, value)) in fields.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        push_quoted(out, name);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
}

fn compile_string(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.args.first().ok_or_else(|| call.bug())?.ty();
    safe(move |args, cx| {
        let array = args[0].array();
        let mut error = None;
        let texts = strings(cx.rows, |row, out| {
            let at = if args[0].is_scalar() { 0 } else { row };
            if array.is_null(at) {
                return None;
            }
            error = write_value(out, array, at, &ty).err().or(error.take());
            Some(())
        });
        error.map_or(Ok(texts), Err)
    })
}

// ---- JSON_OBJECT, JSON_ARRAY ---------------------------------------------------------------------------

/// A value to put in: which argument, its type and its form.
struct Part {
    arg: usize,
    ty: LogicalType,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Value,
    Raw,
    Json,
}

impl Part {
    fn of(call: &CompileCall<'_>, arg: usize) -> Result<Part> {
        let form = match call.text(arg + 1) {
            Some("VALUE") => Form::Value,
            Some("RAW") => Form::Raw,
            Some("JSON") => Form::Json,
            _ => return Err(call.bug()),
        };
        Ok(Part { arg, ty: call.args[arg].ty(), form })
    }

    /// `None` when the value is NULL; the inner error fails the row.
    fn write(&self, args: &[Value], row: usize) -> Result<Result<Option<String>, String>> {
        let array = args[self.arg].array();
        let at = if args[self.arg].is_scalar() { 0 } else { row };
        if array.is_null(at) || array.data_type() == &DataType::Null {
            return Ok(Ok(None));
        }
        let mut out = String::new();
        match self.form {
            Form::Value => write_value(&mut out, array, at, &self.ty)?,
            Form::Raw => out.push_str(Strings::of(&args[self.arg])?.get(row).unwrap_or_default()),
            Form::Json => match parse(Strings::of(&args[self.arg])?.get(row).unwrap_or_default()) {
                Ok(value) => write_json(&mut out, &value),
                Err(reason) => return Ok(Err(reason)),
            },
        }
        Ok(Ok(Some(out)))
    }
}

fn keeps_nulls(call: &CompileCall<'_>) -> Result<bool> {
    match call.text(0) {
        Some("NULL") => Ok(true),
        Some("ABSENT") => Ok(false),
        _ => Err(call.bug()),
    }
}

fn compile_object(call: &CompileCall<'_>) -> Result<Compiled> {
    let keeps = keeps_nulls(call)?;
    let parts: Vec<(usize, Part)> =
        (1..call.args.len()).step_by(3).map(|key| Ok((key, Part::of(call, key + 1)?))).collect::<Result<_>>()?;
    built(move |args, row| {
        let mut fields = Vec::with_capacity(parts.len());
        for (key, part) in &parts {
            let key = Strings::of(&args[*key])?.get(row).unwrap_or_default().to_owned();
            match part.write(args, row)? {
                Err(reason) => return Ok(Err(reason)),
                Ok(Some(value)) => fields.push((key, value)),
                Ok(None) if keeps => fields.push((key, "null".to_owned())),
                Ok(None) => {}
            }
        }
        let mut out = String::new();
        push_object(&mut out, fields);
        Ok(Ok(out))
    })
}

fn compile_array(call: &CompileCall<'_>) -> Result<Compiled> {
    let keeps = keeps_nulls(call)?;
    let parts: Vec<Part> = (1..call.args.len()).step_by(2).map(|at| Part::of(call, at)).collect::<Result<_>>()?;
    built(move |args, row| {
        let mut items = Vec::with_capacity(parts.len());
        for part in &parts {
            match part.write(args, row)? {
                Err(reason) => return Ok(Err(reason)),
                Ok(Some(value)) => items.push(value),
                Ok(None) if keeps => items.push("null".to_owned()),
                Ok(None) => {}
            }
        }
        Ok(Ok(format!("[{}]", items.join(","))))
    })
}

/// The inner error of `f` fails the row.
fn built(f: impl Fn(&[Value], usize) -> Result<Result<String, String>> + Send + Sync + 'static) -> Result<Compiled> {
    fallible(move |args, cx| {
        let mut error = None;
        let texts = strings(cx.rows, |row, out| match f(args, row) {
            Ok(Ok(text)) => {
                out.push_str(&text);
                Some(())
            }
            Ok(Err(reason)) => {
                cx.fail(row, reason);
                None
            }
            Err(bug) => {
                error = Some(bug);
                None
            }
        });
        error.map_or(Ok(texts), Err)
    })
}

// ---- JSON_QUOTE, JSON_UNQUOTE --------------------------------------------------------------------------

/// In ASCII; of a pair of 16-bit units Flink writes the character's number, then the second unit.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii() => out.push(c),
            c => {
                out.push_str(&format!("\\u{:04x}", c as u32));
                let mut units = [0; 2];
                if let [_, low] = c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{low:04x}"));
                }
            }
        }
    }
    out.push('"');
}

/// The text between the quotes without its escapes; `None` when it is no JSON string.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    // A quote inside is taken as it is.
    let mut escaped = false;
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in inner.chars() {
        match c {
            '"' if !escaped => json.push_str("\\\""),
            '\0'..='\u{1f}' => json.push_str(&format!("\\u{:04x}", c as u32)),
            c => json.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    json.push('"');
    match parse(&json) {
        Ok(Json::String(text)) if !escaped => Some(text.into_owned()),
        _ => None,
    }
}
