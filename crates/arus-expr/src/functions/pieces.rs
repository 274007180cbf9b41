//! Strings of several and several of one: CONCAT_WS, ELT, SPLIT, STR_TO_MAP, PARSE_URL.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::Array;
use arrow::array::{ArrayRef, ListArray, ListBuilder, StringViewBuilder, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Int32Type};
use arus_core::change::arrow_bug;
use arus_core::function::Argument;
use arus_core::types::ELEMENT;
use arus_core::{Datum, LogicalType, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, coerced, fallible, is_small_integer, safe};
use crate::java_regex::{Patterns, RowPattern, or_fail};
use crate::typing::common_type;
use crate::utf16::push_units;
use crate::value::{Numbers, Strings, strings, substrings};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["CONCAT_WS"], "CONCAT_WS(<CHARACTER>, <CHARACTER>, ..)", resolve_concat, compile_concat),
    Function::new(&["ELT"], "ELT(<INTEGER>, <CHARACTER>|<BINARY>, ..)", resolve_elt, compile_elt),
    Function::new(&["SPLIT"], "SPLIT(<CHARACTER>, <CHARACTER>)", resolve_split, compile_split),
    Function::new(&["STR_TO_MAP"], "STR_TO_MAP(<CHARACTER>[, <CHARACTER>, <CHARACTER>])", resolve_map, compile_map),
    Function::new(&["PARSE_URL"], "PARSE_URL(<CHARACTER>, <CHARACTER>[, <CHARACTER>])", resolve_url, compile_url),
];

fn nullable(call: Call) -> Option<Call> {
    Some(Call { return_type: call.return_type.with_nullable(true), ..call })
}

fn all_strings(args: &[Argument]) -> bool {
    args.iter().all(|a| a.ty.kind.is_string())
}

// ---- CONCAT_WS, ELT ------------------------------------------------------------------------------------

fn resolve_concat(args: &[Argument]) -> Option<Call> {
    if !args.is_empty() && all_strings(args) { as_is(args, TypeKind::STRING) } else { None }
}

/// NULL parts are left out; a NULL separator gives NULL.
fn compile_concat(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let all = args.iter().map(Strings::of).collect::<Result<Vec<_>>>()?;
        Ok(strings(cx.rows, |row, out| {
            let separator = all[0].get(row)?;
            let mut first = true;
            for part in all[1..].iter().filter_map(|part| part.get(row)) {
                if !std::mem::take(&mut first) {
                    out.push_str(separator);
                }
                out.push_str(part);
            }
            Some(())
        }))
    })
}

fn resolve_elt(args: &[Argument]) -> Option<Call> {
    let (index, values) = args.split_first()?;
    let negative = match index.literal {
        Some(Datum::Int(i)) => i < 0,
        Some(Datum::BigInt(i)) => i < 0,
        _ => false,
    };
    let same = all_strings(values) || values.iter().all(|a| a.ty.kind.is_binary());
    if values.is_empty() || !same || negative || !is_small_integer(&index.ty.kind) {
        return None;
    }
    let types: Vec<LogicalType> = values.iter().map(|a| a.ty.clone()).collect();
    let common = common_type(&types)?.kind;
    let kinds = [TypeKind::Int].into_iter().chain(values.iter().map(|a| a.ty.kind.clone())).collect();
    nullable(coerced(args, kinds, common)?)
}

fn compile_elt(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let indexes = Numbers::<Int32Type>::of(&args[0])?;
        let ty = args[1].array().data_type();
        // Source 0 is NULL.
        let null = arrow::array::new_null_array(ty, 1);
        let sources: Vec<&dyn Array> =
            [null.as_ref()].into_iter().chain(args[1..].iter().map(|a| a.array().as_ref())).collect();
        let order: Vec<(usize, usize)> = (0..cx.rows)
            .map(|row| match indexes.get(row).and_then(|i| usize::try_from(i).ok()) {
                Some(index @ 1..) if index < sources.len() => (index, if args[index].is_scalar() { 0 } else { row }),
                _ => (0, 0),
            })
            .collect();
        interleave(&sources, &order).map_err(arrow_bug)
    })
}

// ---- SPLIT, STR_TO_MAP ---------------------------------------------------------------------------------

fn resolve_split(args: &[Argument]) -> Option<Call> {
    let right = args.len() == 2 && all_strings(args);
    if right { as_is(args, TypeKind::Array(Box::new(TypeKind::STRING.nullable()))) } else { None }
}

fn compile_split(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let (texts, delimiters) = (Strings::of(&args[0])?, Strings::of(&args[1])?);
        let field = Field::new(ELEMENT, DataType::Utf8View, true);
        let mut lists = ListBuilder::new(StringViewBuilder::new()).with_field(field);
        for row in 0..cx.rows {
            let (Some(text), Some(delimiter)) = (texts.get(row), delimiters.get(row)) else {
                lists.append(false);
                continue;
            };
            if text.is_empty() {
                // No parts at all.
            } else if delimiter.is_empty() {
                // One part for each of Java's 16-bit units.
                let mut unit = String::new();
                for code in text.encode_utf16() {
                    unit.clear();
                    push_units(&mut unit, [code]);
                    lists.values().append_value(&unit);
                }
            } else {
                text.split(delimiter).for_each(|part| lists.values().append_value(part));
            }
            lists.append(true);
        }
        Ok(Arc::new(lists.finish()) as ArrayRef)
    })
}

fn resolve_map(args: &[Argument]) -> Option<Call> {
    if !matches!(args.len(), 1 | 3) || !all_strings(args) {
        return None;
    }
    let text = || Box::new(TypeKind::STRING.nullable());
    nullable(as_is(args, TypeKind::Map(text(), text()))?)
}

/// Both delimiters are regular expressions, as Java's `String.split` takes them.
fn compile_map(call: &CompileCall<'_>) -> Result<Compiled> {
    let (entries, pairs) = match call.args.len() {
        1 => (Patterns::fixed(",")?, Patterns::fixed("=")?),
        _ => (Patterns::of(call, 1)?, Patterns::of(call, 2)?),
    };
    let DataType::List(field) = call.ty.to_arrow() else { return Err(call.bug()) };
    let DataType::Struct(fields) = field.data_type().clone() else { return Err(call.bug()) };
    fallible(move |args, cx| {
        let texts = Strings::of(&args[0])?;
        let delimiters = args[1..].iter().map(Strings::of).collect::<Result<Vec<_>>>()?;
        let (mut entries, mut pairs) = (entries.rows(args.get(1))?, pairs.rows(args.get(2))?);
        let (mut keys, mut values) = (StringViewBuilder::new(), StringViewBuilder::new());
        let mut lengths = Vec::with_capacity(cx.rows);
        let mut valid = Vec::with_capacity(cx.rows);
        for row in 0..cx.rows {
            let mut found: Vec<(&str, Option<&str>)> = Vec::new();
            let mut places: HashMap<&str, usize> = HashMap::new();
            let mut split = || -> Option<()> {
                let text = texts.get(row)?;
                if delimiters.iter().any(|d| d.get(row).is_none()) {
                    return None;
                }
                let (entries, pairs) = (entries.get(row), pairs.get(row));
                let (entries, pairs) = match (entries, pairs) {
                    (RowPattern::Regex(entries), RowPattern::Regex(pairs)) => (entries, pairs),
                    (RowPattern::Failed(reason), _) | (_, RowPattern::Failed(reason)) => {
                        cx.fail(row, reason);
                        return None;
                    }
                    _ => {
                        cx.fail(row, "a delimiter of STR_TO_MAP is no regular expression");
                        return None;
                    }
                };
                if text.is_empty() {
                    return Some(());
                }
                for entry in or_fail(entries.split(text, 0), cx, row)? {
                    let parts = or_fail(pairs.split(entry, 2), cx, row)?;
                    let (key, value) = (parts[0], parts.get(1).copied());
                    let next = found.len();
                    match *places.entry(key).or_insert(next) {
                        place if place < next => found[place].1 = value,
                        _ => found.push((key, value)),
                    }
                }
                Some(())
            };
            valid.push(split().is_some());
            lengths.push(found.len());
            for (key, value) in found {
                keys.append_value(key);
                values.append_option(value);
            }
        }
        let (keys, values) = (keys.finish(), values.finish());
        let count = keys.len();
        let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(values)];
        let entries = StructArray::try_new_with_length(fields.clone(), columns, None, count).map_err(arrow_bug)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let nulls = NullBuffer::from(valid);
        let maps = ListArray::try_new(field.clone(), offsets, Arc::new(entries), Some(nulls)).map_err(arrow_bug)?;
        Ok(Arc::new(maps) as ArrayRef)
    })
}

// ---- PARSE_URL -----------------------------------------------------------------------------------------

fn resolve_url(args: &[Argument]) -> Option<Call> {
    let right = matches!(args.len(), 2 | 3) && all_strings(args);
    nullable(if right { as_is(args, TypeKind::STRING)? } else { return None })
}

fn compile_url(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let (urls, parts) = (Strings::of(&args[0])?, Strings::of(&args[1])?);
        let keys = args.get(2).map(Strings::of).transpose()?;
        Ok(substrings(cx.rows, |row| {
            let (url, part) = (Url::parse(urls.get(row)?)?, parts.get(row)?);
            match &keys {
                None => url.part(part),
                Some(keys) => {
                    let key = keys.get(row)?;
                    let query = if part == "QUERY" { url.query? } else { return None };
                    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
                }
            }
        }))
    })
}

/// A URL as `java.net.URL` takes it apart.
struct Url<'a> {
    protocol: &'a str,
    authority: &'a str,
    file: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    reference: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn parse(url: &'a str) -> Option<Url<'a>> {
        let url = url.trim_matches(|c: char| c <= ' ');
        let (protocol, rest) = url.split_once(':')?;
        // The protocols that Java knows.
        if !["http", "https", "ftp", "file", "mailto", "jar", "jrt"].iter().any(|p| p.eq_ignore_ascii_case(protocol)) {
            return None;
        }
        let (rest, reference) = match rest.split_once('#') {
            Some((rest, reference)) => (rest, Some(reference)),
            None => (rest, None),
        };
        let (authority, file) = match rest.strip_prefix("//") {
            Some(after) => after.split_at(after.find(['/', '?']).unwrap_or(after.len())),
            None => ("", rest),
        };
        let (path, query) = match file.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (file, None),
        };
        Some(Url { protocol, authority, file, path, query, reference })
    }

    fn user_info(&self) -> Option<&'a str> {
        self.authority.rsplit_once('@').map(|(user, _)| user)
    }

    fn host(&self) -> &'a str {
        let place = self.authority.rsplit_once('@').map_or(self.authority, |(_, place)| place);
        match place.strip_prefix('[').and_then(|v6| v6.find(']')) {
            Some(end) => &place[..end + 2],
            None => place.rsplit_once(':').map_or(place, |(host, _)| host),
        }
    }

    fn part(&self, name: &str) -> Option<&'a str> {
        match name {
            "HOST" => Some(self.host()),
            "PATH" => Some(self.path),
            "QUERY" => self.query,
            "REF" => self.reference,
            "PROTOCOL" => Some(self.protocol),
            "FILE" => Some(self.file),
            "AUTHORITY" => Some(self.authority).filter(|a| !a.is_empty()),
            "USERINFO" => self.user_info(),
            _ => None,
        }
    }
}
