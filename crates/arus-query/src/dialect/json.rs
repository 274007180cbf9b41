//! PostgreSQL's json and jsonb, which are texts here: json as it was written, jsonb in its own order and spacing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arus_core::error::Code;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use serde_json::value::RawValue;

use super::write::text;
use crate::function::{Returns, Value, lenient, list_of, strict, wrong};

const JSON: Returns = Returns::Named(DataType::Utf8, "json");
const JSONB: Returns = Returns::Named(DataType::Utf8, "jsonb");

type Object<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

fn object(json: &str) -> Option<Object<'_>> {
    serde_json::from_str(json).ok()
}

fn array(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

fn invalid(json: &str) -> datafusion::error::DataFusionError {
    wrong(Code::InvalidText, format!("invalid input syntax for type json: \"{json}\""))
}

/// jsonb's text: keys by length, then by bytes, each once.
fn normal(json: &str) -> Result<String> {
    let raw: &RawValue = serde_json::from_str(json).map_err(|_| invalid(json))?;
    let mut out = String::new();
    write_normal(&mut out, raw.get());
    Ok(out)
}

fn write_normal(out: &mut String, json: &str) {
    match json.trim_start().chars().next() {
        Some('{') => {
            let object = object(json).unwrap_or_default();
            let mut keys: Vec<_> = object.keys().collect();
            keys.sort_by_key(|k| (k.len(), k.as_bytes().to_vec()));
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(&quoted(key));
                out.push_str(": ");
                write_normal(out, object[key].get());
            }
            out.push('}');
        }
        Some('[') => {
            out.push('[');
            for (i, item) in array(json).unwrap_or_default().into_iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_normal(out, item.get());
            }
            out.push(']');
        }
        Some('"') => out.push_str(&quoted(&unquoted(json))),
        _ => out.push_str(json.trim()),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.into()).to_string()
}

fn unquoted(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_default()
}

/// The member of a name or the item at a place, counted from the end below zero.
fn member<'a>(json: &'a str, key: &Value) -> Option<&'a str> {
    match key {
        Value::Int(at) => {
            let items = array(json)?;
            let at = if *at < 0 { *at + items.len() as i64 } else { *at };
            items.get(usize::try_from(at).ok()?).map(|raw| raw.get())
        }
        key => object(json)?.get(key.text()).map(|raw| raw.get()),
    }
}

/// A path's step: a name, or a number where there is an array.
fn step<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    if json.trim_start().starts_with('[') {
        member(json, &Value::Int(key.parse().ok()?))
    } else {
        member(json, &Value::Text(key.into()))
    }
}

fn path<'a>(json: &'a str, keys: &[Value]) -> Option<&'a str> {
    let mut found = json;
    for key in keys {
        found = step(found, &text(key))?;
    }
    Some(found)
}

/// What `->>` gives: a string without its quotes, nothing for null.
fn plain(json: &str) -> Value {
    match json.trim() {
        "null" => Value::Null,
        text if text.starts_with('"') => unquoted(text).into(),
        text => text.into(),
    }
}

/// Keys as an array, or as the text of one.
fn keys(value: &Value) -> Vec<Value> {
    match value {
        Value::List(items) => items.clone(),
        other => {
            let list = crate::text::parse(other.text(), &list_of(DataType::Utf8));
            match list.ok().and_then(|l| crate::function::value(&l).ok()) {
                Some(Value::List(items)) => items,
                _ => vec![],
            }
        }
    }
}

fn contains(json: &str, part: &str) -> bool {
    let (Ok(json), Ok(part)) = (serde_json::from_str(json), serde_json::from_str(part)) else { return false };
    holds(&json, &part)
}

fn holds(json: &serde_json::Value, part: &serde_json::Value) -> bool {
    use serde_json::Value as J;
    match (json, part) {
        (J::Object(a), J::Object(b)) => b.iter().all(|(k, v)| a.get(k).is_some_and(|found| holds(found, v))),
        (J::Array(a), J::Array(b)) => b.iter().all(|v| a.iter().any(|found| holds(found, v))),
        (J::Array(a), scalar) => a.contains(scalar),
        (J::Number(a), J::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

fn kind(json: &str) -> &'static str {
    match json.trim_start().chars().next() {
        Some('{') => "object",
        Some('[') => "array",
        Some('"') => "string",
        Some('t' | 'f') => "boolean",
        Some('n') => "null",
        _ => "number",
    }
}

fn has(json: &str, key: &Value) -> bool {
    match kind(json) {
        "object" => member(json, key).is_some(),
        "array" => array(json).unwrap_or_default().iter().any(|i| plain(i.get()) == *key && i.get().starts_with('"')),
        "string" => unquoted(json) == key.text(),
        _ => false,
    }
}

/// A value as JSON.
fn json_of(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Int(_) | Value::Decimal(..) => text(value),
        Value::Float(f) if f.is_finite() => text(value),
        Value::List(items) => format!("[{}]", items.iter().map(json_of).collect::<Vec<_>>().join(",")),
        Value::Timestamp(..) => quoted(&text(value).replace(' ', "T")),
        other => quoted(&text(other)),
    }
}

fn pairs(values: &[Value], colon: &str) -> Result<String> {
    if values.len() % 2 == 1 {
        return Err(wrong(Code::InvalidValue, "argument list must have even number of elements"));
    }
    let pairs = values.chunks(2).map(|pair| format!("{}{colon}{}", quoted(&text(&pair[0])), json_of(&pair[1])));
    Ok(format!("{{{}}}", pairs.collect::<Vec<_>>().join(", ")))
}

fn length(json: &str) -> Result<Value> {
    let items = array(json).ok_or_else(|| wrong(Code::InvalidValue, "cannot get array length of a non-array"))?;
    Ok(Value::Int(items.len() as i64))
}

pub(super) fn all() -> Vec<ScalarUDF> {
    let mut all = vec![
        strict("arus_json", JSON, |a| {
            let json = text(&a[0]);
            serde_json::from_str::<&RawValue>(&json).map_err(|_| invalid(&json))?;
            Ok(json.into())
        }),
        strict("arus_jsonb", JSONB, |a| Ok(normal(&text(&a[0]))?.into())),
        strict("arus_json_get", Returns::LikeField(0), |a| Ok(member(a[0].text(), &a[1]).into())),
        strict("arus_json_get_text", Returns::TEXT, |a| Ok(member(a[0].text(), &a[1]).map_or(Value::Null, plain))),
        strict("arus_json_path", Returns::LikeField(0), |a| Ok(path(a[0].text(), &keys(&a[1])).into())),
        strict(
            "arus_json_path_text",
            Returns::TEXT,
            |a| Ok(path(a[0].text(), &keys(&a[1])).map_or(Value::Null, plain)),
        ),
        strict("arus_json_contains", Returns::BOOL, |a| Ok(Value::Bool(contains(a[0].text(), a[1].text())))),
        strict("arus_json_has", Returns::BOOL, |a| Ok(Value::Bool(has(a[0].text(), &a[1])))),
        strict("arus_json_has_any", Returns::BOOL, |a| {
            Ok(Value::Bool(keys(&a[1]).iter().any(|k| has(a[0].text(), k))))
        }),
        strict("arus_json_has_all", Returns::BOOL, |a| {
            Ok(Value::Bool(keys(&a[1]).iter().all(|k| has(a[0].text(), k))))
        }),
        lenient("to_json", JSON, |a| Ok(if a[0] == Value::Null { Value::Null } else { json_of(&a[0]).into() })),
        lenient("to_jsonb", JSONB, |a| {
            Ok(if a[0] == Value::Null { Value::Null } else { normal(&json_of(&a[0]))?.into() })
        }),
        strict("array_to_json", JSON, |a| Ok(json_of(&a[0]).into())),
        strict("arus_json_agg", JSON, |a| match &a[0] {
            Value::List(items) => Ok(format!("[{}]", items.iter().map(json_of).collect::<Vec<_>>().join(", ")).into()),
            _ => Ok(Value::Null),
        }),
        strict("arus_jsonb_agg", JSONB, |a| Ok(normal(&json_of(&a[0]))?.into())),
        lenient("json_build_object", JSON, |a| Ok(pairs(a, " : ")?.into())),
        lenient("jsonb_build_object", JSONB, |a| Ok(normal(&pairs(a, ": ")?)?.into())),
        lenient("json_build_array", JSON, |a| {
            Ok(format!("[{}]", a.iter().map(json_of).collect::<Vec<_>>().join(", ")).into())
        }),
        lenient("jsonb_build_array", JSONB, |a| {
            Ok(format!("[{}]", a.iter().map(json_of).collect::<Vec<_>>().join(", ")).into())
        }),
        strict("jsonb_pretty", Returns::TEXT, |a| {
            let value: serde_json::Value = serde_json::from_str(a[0].text()).map_err(|_| invalid(a[0].text()))?;
            Ok(serde_json::to_string_pretty(&value).unwrap_or_default().replace("  ", "    ").into())
        }),
    ];
    for (json, jsonb) in [("json_array_length", "jsonb_array_length"), ("json_typeof", "jsonb_typeof")] {
        for name in [json, jsonb] {
            all.push(if name.ends_with("typeof") {
                strict(name, Returns::TEXT, |a| Ok(kind(a[0].text()).into()))
            } else {
                strict(name, Returns::INT, |a| length(a[0].text()))
            });
        }
    }
    for name in ["json_extract_path_text", "jsonb_extract_path_text"] {
        all.push(strict(name, Returns::TEXT, |a| Ok(path(a[0].text(), &a[1..]).map_or(Value::Null, plain))));
    }
    for name in ["json_extract_path", "jsonb_extract_path"] {
        all.push(strict(name, Returns::LikeField(0), |a| Ok(path(a[0].text(), &a[1..]).into())));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jsonb_has_its_own_order() {
        assert_eq!(normal("{\"bb\":1.50,\"a\":[1,\"x\\u0041\"],\"a\":{}}").expect("json"), "{\"a\": {}, \"bb\": 1.50}");
        assert!(normal("{").is_err());
    }

    #[test]
    fn members_are_found() {
        let json = "{\"a\": [1, {\"b\": \"x\"}], \"n\": null}";
        assert_eq!(path(json, &["a".into(), "1".into(), "b".into()]), Some("\"x\""));
        assert_eq!(path(json, &["a".into(), "-2".into()]), Some("1"));
        assert_eq!(plain(member(json, &"n".into()).expect("a member")), Value::Null);
        assert!(contains(json, "{\"a\": [1]}") && !contains(json, "{\"a\": [2]}"));
    }
}
