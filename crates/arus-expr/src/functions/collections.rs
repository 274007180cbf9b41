//! ROW, ARRAY and MAP constructors, elements, ELEMENT and CARDINALITY.

use std::sync::Arc;

use arrow::array::make_comparator;
use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, interleave, take};
use arrow::datatypes::{DataType, Int32Type};
use arus_core::change::arrow_bug;
use arus_core::function::Argument;
use arus_core::types::RowField;
use arus_core::{Datum, Error, LogicalType, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, coerced, fallible, safe};
use crate::typing::common_type;
use crate::value::{Numbers, Value, numbers};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["ROW"], "ROW(<ANY>, ..)", resolve_row, compile_row),
    Function::new(&["ARRAY"], "ARRAY[<ANY>, ..]", resolve_array, compile_array),
    Function::new(&["MAP"], "MAP[<ANY>, <ANY>, ..]", resolve_map, compile_map),
    Function::new(&["ITEM"], "<ARRAY>[<INTEGER>], <MAP>[<ANY>]", resolve_item, compile_item),
    Function::new(&["ELEMENT"], "ELEMENT(<ARRAY>)", resolve_element, compile_element),
    Function::new(&["CARDINALITY"], "CARDINALITY(<ARRAY>), CARDINALITY(<MAP>)", resolve_cardinality, |_| {
        safe(|args, cx| {
            let lists = as_list(args[0].array())?;
            let at = |row| if args[0].is_scalar() { 0 } else { row };
            Ok(numbers::<Int32Type>(cx.rows, &DataType::Int32, |row| {
                let row = at(row);
                lists.is_valid(row).then(|| lists.value_length(row))
            }))
        })
    }),
];

fn as_list(array: &ArrayRef) -> Result<&ListArray> {
    array.as_list_opt::<i32>().ok_or_else(|| Error::bug(format!("a list is expected, not {}", array.data_type())))
}

fn is_null_literal(arg: &Argument) -> bool {
    matches!(arg.ty.kind, TypeKind::Null)
}

fn resolve_row(args: &[Argument]) -> Option<Call> {
    if args.is_empty() || args.iter().any(is_null_literal) {
        return None;
    }
    let field = |(i, arg): (usize, &Argument)| RowField {
        name: format!("EXPR${i}"),
        ty: arg.ty.clone().without_time_attribute(),
        comment: None,
    };
    let fields = args.iter().enumerate().map(field).collect();
    let call = as_is(args, TypeKind::Row(fields))?;
    Some(Call { return_type: call.return_type.with_nullable(false), ..call })
}

fn compile_row(call: &CompileCall<'_>) -> Result<Compiled> {
    let DataType::Struct(fields) = call.ty.to_arrow() else { return Err(call.bug()) };
    safe(move |args, cx| {
        let columns = args.iter().map(|arg| arg.clone().into_array(cx.rows)).collect::<Result<Vec<_>>>()?;
        let rows = StructArray::try_new_with_length(fields.clone(), columns, None, cx.rows).map_err(arrow_bug)?;
        Ok(Arc::new(rows))
    })
}

/// What the parts unify to, and the type each is cast to: text of any length stays as it is.
fn unified(args: &[&Argument]) -> Option<(LogicalType, Vec<TypeKind>)> {
    let types: Vec<LogicalType> = args.iter().map(|a| a.ty.clone()).collect();
    let common = common_type(&types)?.without_time_attribute();
    if matches!(common.kind, TypeKind::Null) {
        return None;
    }
    let kind = |ty: &LogicalType| if ty.kind.is_string() { ty.kind.clone() } else { common.kind.clone() };
    let kinds = types.iter().map(kind).collect();
    Some((common, kinds))
}

fn resolve_array(args: &[Argument]) -> Option<Call> {
    let (element, kinds) = unified(&args.iter().collect::<Vec<_>>())?;
    let call = coerced(args, kinds, TypeKind::Array(Box::new(element)))?;
    Some(Call { return_type: call.return_type.with_nullable(false), ..call })
}

/// The parts of all rows, row by row.
fn woven(parts: &[&Value], rows: usize) -> Result<ArrayRef> {
    let arrays: Vec<&dyn Array> = parts.iter().map(|part| part.array().as_ref()).collect();
    let at = |part: usize, row: usize| (part, if parts[part].is_scalar() { 0 } else { row });
    let order: Vec<(usize, usize)> = (0..rows).flat_map(|row| (0..parts.len()).map(move |p| at(p, row))).collect();
    interleave(&arrays, &order).map_err(arrow_bug)
}

fn compile_array(call: &CompileCall<'_>) -> Result<Compiled> {
    let DataType::List(field) = call.ty.to_arrow() else { return Err(call.bug()) };
    safe(move |args, cx| {
        let elements = woven(&args.iter().collect::<Vec<_>>(), cx.rows)?;
        let offsets = OffsetBuffer::from_repeated_length(args.len(), cx.rows);
        Ok(Arc::new(ListArray::try_new(field.clone(), offsets, elements, None).map_err(arrow_bug)?))
    })
}

fn resolve_map(args: &[Argument]) -> Option<Call> {
    if args.is_empty() || args.len() % 2 == 1 {
        return None;
    }
    let (key, key_kinds) = unified(&args.iter().step_by(2).collect::<Vec<_>>())?;
    let (value, value_kinds) = unified(&args.iter().skip(1).step_by(2).collect::<Vec<_>>())?;
    let kinds = key_kinds.into_iter().zip(value_kinds).flat_map(|(k, v)| [k, v]).collect();
    let call = coerced(args, kinds, TypeKind::Map(Box::new(key), Box::new(value)))?;
    Some(Call { return_type: call.return_type.with_nullable(false), ..call })
}

fn compile_map(call: &CompileCall<'_>) -> Result<Compiled> {
    let DataType::List(field) = call.ty.to_arrow() else { return Err(call.bug()) };
    let DataType::Struct(entry_fields) = field.data_type().clone() else { return Err(call.bug()) };
    safe(move |args, cx| {
        let pairs = args.len() / 2;
        let keys = woven(&args.iter().step_by(2).collect::<Vec<_>>(), cx.rows)?;
        let values = woven(&args.iter().skip(1).step_by(2).collect::<Vec<_>>(), cx.rows)?;
        // Of equal keys the last one's value stays.
        let order = make_comparator(keys.as_ref(), keys.as_ref(), SortOptions::default()).map_err(arrow_bug)?;
        let mut kept = Vec::with_capacity(keys.len());
        let mut lengths = Vec::with_capacity(cx.rows);
        for row in 0..cx.rows {
            let entries = row * pairs..(row + 1) * pairs;
            let before = kept.len();
            let is_last = |entry: usize| (entry + 1..entries.end).all(|later| order(entry, later).is_ne());
            kept.extend(entries.clone().filter(|entry| is_last(*entry)).map(|entry| entry as u32));
            lengths.push(kept.len() - before);
        }
        let kept = UInt32Array::from(kept);
        let columns =
            vec![take(&keys, &kept, None).map_err(arrow_bug)?, take(&values, &kept, None).map_err(arrow_bug)?];
        let entries = StructArray::try_new_with_length(entry_fields.clone(), columns, None, kept.len());
        let entries = Arc::new(entries.map_err(arrow_bug)?);
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(field.clone(), offsets, entries, None).map_err(arrow_bug)?))
    })
}

// ---- elements ------------------------------------------------------------------------------------------

fn resolve_item(args: &[Argument]) -> Option<Call> {
    let [collection, index] = args else { return None };
    match &collection.ty.kind {
        TypeKind::Array(element) if index.ty.kind == TypeKind::Int => {
            if matches!(index.literal, Some(Datum::Int(i)) if i < 1) {
                return None;
            }
            let call = as_is(args, element.kind.clone())?;
            Some(Call { return_type: call.return_type.with_nullable(true), ..call })
        }
        TypeKind::Map(key, value) => {
            let kind = common_type(&[key.as_ref().clone(), index.ty.clone()])?;
            let index_kind = if kind.kind.is_string() { index.ty.kind.clone() } else { key.kind.clone() };
            let call = coerced(args, vec![collection.ty.kind.clone(), index_kind], value.kind.clone())?;
            Some(Call { return_type: call.return_type.with_nullable(true), ..call })
        }
        _ => None,
    }
}

fn compile_item(call: &CompileCall<'_>) -> Result<Compiled> {
    match call.kind(0)? {
        TypeKind::Array(_) => fallible(|args, cx| {
            let lists = as_list(args[0].array())?;
            let indexes = Numbers::<Int32Type>::of(&args[1])?;
            let scalar = args[0].is_scalar();
            let chosen: UInt32Array = (0..cx.rows)
                .map(|row| {
                    let index = indexes.get(row)?;
                    let list = if scalar { 0 } else { row };
                    if index < 1 {
                        cx.fail(row, format!("array elements are counted from 1, and {index} is asked for"));
                        return None;
                    }
                    let there = lists.is_valid(list) && index <= lists.value_length(list);
                    there.then(|| (lists.value_offsets()[list] + index - 1) as u32)
                })
                .collect();
            take(lists.values(), &chosen, None).map_err(arrow_bug)
        }),
        TypeKind::Map(..) => safe(|args, cx| {
            let maps = as_list(args[0].array())?;
            let entries = maps.values().as_struct_opt().ok_or_else(|| Error::bug("a map is a list of entries"))?;
            let (keys, wanted) = (entries.column(0), args[1].array());
            let order = make_comparator(keys.as_ref(), wanted.as_ref(), SortOptions::default()).map_err(arrow_bug)?;
            let (one_map, one_key) = (args[0].is_scalar(), args[1].is_scalar());
            let chosen: UInt32Array = (0..cx.rows)
                .map(|row| {
                    let (map, key) = (if one_map { 0 } else { row }, if one_key { 0 } else { row });
                    if maps.is_null(map) || wanted.is_null(key) {
                        return None;
                    }
                    let offsets = maps.value_offsets();
                    let entry = (offsets[map] as usize..offsets[map + 1] as usize).find(|e| order(*e, key).is_eq());
                    entry.map(|entry| entry as u32)
                })
                .collect();
            take(entries.column(1), &chosen, None).map_err(arrow_bug)
        }),
        _ => Err(call.bug()),
    }
}

fn resolve_element(args: &[Argument]) -> Option<Call> {
    let [array] = args else { return None };
    let TypeKind::Array(element) = &array.ty.kind else { return None };
    let call = as_is(args, element.kind.clone())?;
    Some(Call { return_type: call.return_type.with_nullable(true), ..call })
}

/// The only element of an array; an empty array has none, and more than one fail the row.
fn compile_element(_call: &CompileCall<'_>) -> Result<Compiled> {
    fallible(|args, cx| {
        let lists = as_list(args[0].array())?;
        let scalar = args[0].is_scalar();
        let chosen: UInt32Array = (0..cx.rows)
            .map(|row| {
                let list = if scalar { 0 } else { row };
                if lists.is_null(list) {
                    return None;
                }
                match lists.value_length(list) {
                    0 => None,
                    1 => Some(lists.value_offsets()[list] as u32),
                    n => {
                        cx.fail(row, format!("ELEMENT takes an array of at most one element, and this one has {n}"));
                        None
                    }
                }
            })
            .collect();
        take(lists.values(), &chosen, None).map_err(arrow_bug)
    })
}

fn resolve_cardinality(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if matches!(arg.ty.kind, TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_)) => {
            as_is(args, TypeKind::Int)
        }
        _ => None,
    }
}
