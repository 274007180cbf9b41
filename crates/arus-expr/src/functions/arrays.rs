//! ARRAY_ functions. Elements are compared as they are grouped: two NULLs are the same, as are two NaNs.
//!
//! A result is an order of elements of the arguments: `interleave` copies them once.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DynComparator, ListArray, make_comparator};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, interleave};
use arrow::datatypes::{DataType, Int32Type};
use arrow::row::{RowConverter, Rows, SortField};
use arus_core::change::arrow_bug;
use arus_core::function::Argument;
use arus_core::{Error, LogicalType, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, any_nullable, coerced, is_small_integer, safe};
use crate::typing::common_type;
use crate::value::{Booleans, Numbers, Strings, Value, booleans, numbers, strings};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["ARRAY_CONTAINS"], "ARRAY_CONTAINS(<ARRAY>, <ELEMENT>)", resolve_contains, compile_contains),
    Function::new(&["ARRAY_POSITION"], "ARRAY_POSITION(<ARRAY>, <ELEMENT>)", resolve_position, compile_position),
    Function::new(&["ARRAY_APPEND"], "ARRAY_APPEND(<ARRAY>, <ELEMENT>)", resolve_add, |call| compile_add(call, false)),
    Function::new(&["ARRAY_PREPEND"], "ARRAY_PREPEND(<ARRAY>, <ELEMENT>)", resolve_add, |call| compile_add(call, true)),
    Function::new(&["ARRAY_REMOVE"], "ARRAY_REMOVE(<ARRAY>, <ELEMENT>)", resolve_remove, compile_remove),
    Function::new(&["ARRAY_REVERSE"], "ARRAY_REVERSE(<ARRAY>)", resolve_one, |call| {
        compile_chosen(call, |_, lists| lists[0].iter().rev().copied().collect())
    }),
    Function::new(&["ARRAY_DISTINCT"], "ARRAY_DISTINCT(<ARRAY>)", resolve_one, |call| {
        compile_chosen(call, |keys, lists| {
            let mut seen = std::collections::HashSet::new();
            lists[0].iter().copied().filter(|e| seen.insert(keys.of(*e))).collect()
        })
    }),
    Function::new(&["ARRAY_UNION"], "ARRAY_UNION(<ARRAY>, <ARRAY>)", resolve_two, |call| {
        compile_chosen(call, |keys, lists| {
            let mut seen = std::collections::HashSet::new();
            lists.iter().flatten().copied().filter(|e| seen.insert(keys.of(*e))).collect()
        })
    }),
    Function::new(&["ARRAY_EXCEPT"], "ARRAY_EXCEPT(<ARRAY>, <ARRAY>)", resolve_two, |call| {
        compile_chosen(call, |keys, lists| {
            let mut seen: std::collections::HashSet<&[u8]> = lists[1].iter().map(|e| keys.of(*e)).collect();
            lists[0].iter().copied().filter(|e| seen.insert(keys.of(*e))).collect()
        })
    }),
    Function::new(&["ARRAY_INTERSECT"], "ARRAY_INTERSECT(<ARRAY>, <ARRAY>)", resolve_two, |call| {
        compile_chosen(call, |keys, lists| {
            let mut wanted: HashMap<&[u8], bool> = lists[1].iter().map(|e| (keys.of(*e), true)).collect();
            let first = |e: &Element| wanted.get_mut(keys.of(*e)).is_some_and(|left| std::mem::replace(left, false));
            lists[0].iter().copied().filter(first).collect()
        })
    }),
    Function::new(&["ARRAY_CONCAT"], "ARRAY_CONCAT(<ARRAY>, ..)", resolve_concat, |call| {
        compile_chosen(call, |_, lists| lists.iter().flatten().copied().collect())
    }),
    Function::new(&["ARRAY_SLICE"], "ARRAY_SLICE(<ARRAY>, <INTEGER>[, <INTEGER>])", resolve_slice, compile_slice),
    Function::new(&["ARRAY_SORT"], "ARRAY_SORT(<ARRAY>[, <BOOLEAN>[, <BOOLEAN>]])", resolve_sort, compile_sort),
    Function::new(&["ARRAY_MAX"], "ARRAY_MAX(<ARRAY>)", resolve_extreme, |_| compile_extreme(Ordering::Greater)),
    Function::new(&["ARRAY_MIN"], "ARRAY_MIN(<ARRAY>)", resolve_extreme, |_| compile_extreme(Ordering::Less)),
    Function::new(
        &["ARRAY_JOIN"],
        "ARRAY_JOIN(<ARRAY OF CHARACTER>, <CHARACTER>[, <CHARACTER>])",
        resolve_join,
        compile_join,
    ),
];

// ---- types ---------------------------------------------------------------------------------------------

fn element(ty: &LogicalType) -> Option<&LogicalType> {
    match &ty.kind {
        TypeKind::Array(element) => Some(element),
        _ => None,
    }
}

fn array_of(element: LogicalType) -> TypeKind {
    TypeKind::Array(Box::new(element))
}

/// Integers of another size, strings of another length, and numbers that are cast without loss.
fn takes(element: &LogicalType, arg: &Argument) -> bool {
    let (a, b) = (&element.kind, &arg.ty.kind);
    let same_text = a.is_string() && b.is_string() || a.is_binary() && b.is_binary();
    let whole = matches!(a, TypeKind::Decimal { .. }) && b.is_integer();
    *b == TypeKind::Null
        || same_text
        || whole
        || common_type(&[element.clone(), arg.ty.clone()]).is_some_and(|c| c.kind == *a)
}

/// An array and a value of its element type.
fn with_element(args: &[Argument]) -> Option<(&LogicalType, Vec<LogicalType>)> {
    let [array, value] = args else { return None };
    let element = element(&array.ty).filter(|element| takes(element, value))?;
    let nullable = value.ty.nullable || value.ty.kind == TypeKind::Null;
    Some((element, vec![array.ty.clone(), element.clone().with_nullable(nullable)]))
}

fn resolve_contains(args: &[Argument]) -> Option<Call> {
    let (_, arg_types) = with_element(args)?;
    Some(Call { return_type: TypeKind::Boolean.not_null().with_nullable(arg_types[0].nullable), arg_types })
}

fn resolve_position(args: &[Argument]) -> Option<Call> {
    let (_, arg_types) = with_element(args)?;
    let nullable = arg_types.iter().any(|ty| ty.nullable);
    Some(Call { return_type: TypeKind::Int.not_null().with_nullable(nullable), arg_types })
}

fn resolve_remove(args: &[Argument]) -> Option<Call> {
    let (_, arg_types) = with_element(args)?;
    Some(Call { return_type: arg_types[0].clone(), arg_types })
}

/// The elements may be NULL afterwards when the value may be.
fn resolve_add(args: &[Argument]) -> Option<Call> {
    let (element, mut arg_types) = with_element(args)?;
    let element = element.clone().with_nullable(element.nullable || arg_types[1].nullable);
    arg_types[0].kind = array_of(element);
    let nullable = arg_types.iter().any(|ty| ty.nullable);
    Some(Call { return_type: arg_types[0].clone().with_nullable(nullable), arg_types })
}

fn resolve_one(args: &[Argument]) -> Option<Call> {
    let [array] = args else { return None };
    element(&array.ty)?;
    Some(Call { return_type: array.ty.clone(), arg_types: vec![array.ty.clone()] })
}

fn resolve_concat(args: &[Argument]) -> Option<Call> {
    let elements: Vec<LogicalType> = args.iter().map(|a| element(&a.ty).cloned()).collect::<Option<_>>()?;
    let common = common_type(&elements)?;
    coerced(args, vec![array_of(common.clone()); args.len()], array_of(common))
}

fn resolve_two(args: &[Argument]) -> Option<Call> {
    if args.len() == 2 { resolve_concat(args) } else { None }
}

fn resolve_slice(args: &[Argument]) -> Option<Call> {
    let (array, ends) = args.split_first()?;
    element(&array.ty)?;
    let right = matches!(ends.len(), 1 | 2) && ends.iter().all(|a| is_small_integer(&a.ty.kind));
    let kinds = [array.ty.kind.clone()].into_iter().chain(ends.iter().map(|_| TypeKind::Int)).collect();
    if right { coerced(args, kinds, array.ty.kind.clone()) } else { None }
}

fn is_ordered(kind: &TypeKind) -> bool {
    kind.is_numeric() || kind.is_string() || kind.is_binary() || kind.is_temporal() || kind.is_interval()
}

fn resolve_sort(args: &[Argument]) -> Option<Call> {
    let (array, flags) = args.split_first()?;
    let element = element(&array.ty)?;
    let right = flags.len() <= 2
        && flags.iter().all(|a| a.ty.kind == TypeKind::Boolean)
        && (is_ordered(&element.kind) || element.kind == TypeKind::Boolean);
    let kinds = args.iter().map(|a| a.ty.kind.clone()).collect();
    if right { coerced(args, kinds, array.ty.kind.clone()) } else { None }
}

fn resolve_extreme(args: &[Argument]) -> Option<Call> {
    let [array] = args else { return None };
    let element = element(&array.ty).filter(|element| is_ordered(&element.kind))?;
    Some(Call { return_type: element.clone().with_nullable(true), arg_types: vec![array.ty.clone()] })
}

fn resolve_join(args: &[Argument]) -> Option<Call> {
    let (array, texts) = args.split_first()?;
    let right = matches!(texts.len(), 1 | 2)
        && element(&array.ty)?.kind.is_string()
        && texts.iter().all(|a| a.ty.kind.is_string());
    let arg_types = args.iter().map(|a| a.ty.clone()).collect();
    let return_type = TypeKind::STRING.not_null().with_nullable(any_nullable(args));
    if right { Some(Call { arg_types, return_type }) } else { None }
}

// ---- elements ------------------------------------------------------------------------------------------

/// Which argument an element stands in, and where among the values of its lists.
type Element = (usize, usize);

/// The lists of an argument.
struct Lists<'a> {
    array: &'a ListArray,
    scalar: bool,
}

impl<'a> Lists<'a> {
    fn of(value: &'a Value) -> Result<Self> {
        let array = value.array();
        let array = array
            .as_list_opt::<i32>()
            .ok_or_else(|| Error::bug(format!("a list is expected, not {}", array.data_type())))?;
        Ok(Lists { array, scalar: value.is_scalar() })
    }

    /// Where the elements of a row stand; `None` when the list is NULL.
    fn range(&self, row: usize) -> Option<std::ops::Range<usize>> {
        let row = if self.scalar { 0 } else { row };
        let offsets = self.array.value_offsets();
        self.array.is_valid(row).then(|| offsets[row] as usize..offsets[row + 1] as usize)
    }

    fn values(&self) -> &'a ArrayRef {
        self.array.values()
    }
}

/// Elements as bytes that are equal when the elements are.
struct Keys {
    rows: Vec<Rows>,
}

impl Keys {
    fn of_arrays(arrays: &[&ArrayRef]) -> Result<Keys> {
        let converter = |array: &ArrayRef| RowConverter::new(vec![SortField::new(array.data_type().clone())]);
        let Some(first) = arrays.first() else { return Ok(Keys { rows: vec![] }) };
        let converter = converter(first).map_err(arrow_bug)?;
        let rows = arrays.iter().map(|array| converter.convert_columns(&[(*array).clone()]).map_err(arrow_bug));
        Ok(Keys { rows: rows.collect::<Result<_>>()? })
    }

    fn of(&self, (arg, at): Element) -> &[u8] {
        self.rows[arg].row(at).data()
    }
}

/// Lists of the chosen elements; `None` is a NULL list.
fn collect(
    sources: &[&ArrayRef],
    rows: usize,
    ty: &DataType,
    mut chosen: impl FnMut(usize) -> Option<Vec<Element>>,
) -> Result<ArrayRef> {
    let DataType::List(field) = ty else { return Err(Error::bug(format!("{ty} is no list"))) };
    let mut order = Vec::new();
    let (mut lengths, mut valid) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for row in 0..rows {
        let elements = chosen(row);
        valid.push(elements.is_some());
        let elements = elements.unwrap_or_default();
        lengths.push(elements.len());
        order.extend(elements);
    }
    let arrays: Vec<&dyn Array> = sources.iter().map(|array| array.as_ref()).collect();
    let values = interleave(&arrays, &order).map_err(arrow_bug)?;
    let nulls = NullBuffer::from(valid);
    let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
    let list = ListArray::try_new(field.clone(), OffsetBuffer::from_lengths(lengths), values, nulls);
    Ok(Arc::new(list.map_err(arrow_bug)?))
}

/// Lists made of the elements of lists, all of which are there.
fn compile_chosen(call: &CompileCall<'_>, choose: fn(&Keys, &[Vec<Element>]) -> Vec<Element>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    safe(move |args, cx| {
        let lists = args.iter().map(Lists::of).collect::<Result<Vec<_>>>()?;
        let sources: Vec<&ArrayRef> = lists.iter().map(Lists::values).collect();
        let keys = Keys::of_arrays(&sources)?;
        collect(&sources, cx.rows, &ty, |row| {
            let elements = lists.iter().enumerate().map(|(arg, l)| Some(l.range(row)?.map(|at| (arg, at)).collect()));
            Some(choose(&keys, &elements.collect::<Option<Vec<Vec<Element>>>>()?))
        })
    })
}

// ---- functions -----------------------------------------------------------------------------------------

fn compare(values: &ArrayRef, wanted: &ArrayRef) -> Result<DynComparator> {
    make_comparator(values.as_ref(), wanted.as_ref(), SortOptions::default()).map_err(arrow_bug)
}

/// Where a row's value stands in its list, from 0; the outer `None`: there is no list.
fn place_of(args: &[Value]) -> Result<impl Fn(usize) -> Option<Option<usize>>> {
    let lists = Lists::of(&args[0])?;
    let order = compare(lists.values(), args[1].array())?;
    let scalar = args[1].is_scalar();
    Ok(move |row| {
        let wanted = if scalar { 0 } else { row };
        let mut range = lists.range(row)?;
        let start = range.start;
        Some(range.find(|at| order(*at, wanted).is_eq()).map(|at| at - start))
    })
}

fn compile_contains(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let place = place_of(args)?;
        Ok(booleans(cx.rows, |row| Some(place(row)?.is_some())))
    })
}

fn compile_position(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    safe(move |args, cx| {
        let place = place_of(args)?;
        let wanted = args[1].array();
        let at = |row| if args[1].is_scalar() { 0 } else { row };
        Ok(numbers::<Int32Type>(cx.rows, &ty, |row| {
            let place = place(row)?;
            wanted.is_valid(at(row)).then(|| place.map_or(0, |at| at as i32 + 1))
        }))
    })
}

fn compile_add(call: &CompileCall<'_>, first: bool) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    safe(move |args, cx| {
        let lists = Lists::of(&args[0])?;
        let sources = [lists.values(), args[1].array()];
        collect(&sources, cx.rows, &ty, |row| {
            let old = lists.range(row)?.map(|at| (0, at));
            let new = [(1, if args[1].is_scalar() { 0 } else { row })];
            Some(if first { new.into_iter().chain(old).collect() } else { old.chain(new).collect() })
        })
    })
}

fn compile_remove(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    safe(move |args, cx| {
        let lists = Lists::of(&args[0])?;
        let order = compare(lists.values(), args[1].array())?;
        collect(&[lists.values()], cx.rows, &ty, |row| {
            let wanted = if args[1].is_scalar() { 0 } else { row };
            Some(lists.range(row)?.filter(|at| order(*at, wanted).is_ne()).map(|at| (0, at)).collect())
        })
    })
}

/// Places count from 1, negative ones from the end; what lies outside is left out.
fn compile_slice(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    safe(move |args, cx| {
        let lists = Lists::of(&args[0])?;
        let starts = Numbers::<Int32Type>::of(&args[1])?;
        let ends = args.get(2).map(Numbers::<Int32Type>::of).transpose()?;
        collect(&[lists.values()], cx.rows, &ty, |row| {
            let range = lists.range(row)?;
            let length = range.len() as i64;
            let place = |index: i32| match i64::from(index) {
                index @ ..0 => index + length + 1,
                index => index,
            };
            let start = place(starts.get(row)?).max(1);
            let end = match &ends {
                // An end of 0 is the first place.
                Some(ends) => match place(ends.get(row)?) {
                    0 => length.min(1),
                    end => end.min(length),
                },
                None => length,
            };
            Some((start..=end).map(|at| (0, range.start + at as usize - 1)).collect())
        })
    })
}

/// NULLs stand first when ascending and last when descending, unless the third argument says it.
fn compile_sort(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    safe(move |args, cx| {
        let lists = Lists::of(&args[0])?;
        let values = lists.values();
        let order = compare(values, values)?;
        let flags = args[1..].iter().map(Booleans::of).collect::<Result<Vec<_>>>()?;
        collect(&[values], cx.rows, &ty, |row| {
            let ascending = flags.first().map_or(Some(true), |flag| flag.get(row))?;
            let nulls_first = flags.get(1).map_or(Some(ascending), |flag| flag.get(row))?;
            let (mut present, nulls): (Vec<usize>, Vec<usize>) = lists.range(row)?.partition(|at| values.is_valid(*at));
            present.sort_by(|a, b| if ascending { order(*a, *b) } else { order(*b, *a) });
            let (head, tail) = if nulls_first { (nulls, present) } else { (present, nulls) };
            Some(head.into_iter().chain(tail).map(|at| (0, at)).collect())
        })
    })
}

fn compile_extreme(wanted: Ordering) -> Result<Compiled> {
    safe(move |args, cx| {
        let lists = Lists::of(&args[0])?;
        let values = lists.values();
        let order = compare(values, values)?;
        let null = arrow::array::new_null_array(values.data_type(), 1);
        let best = |row| {
            let present = lists.range(row)?.filter(|at| values.is_valid(*at));
            present.reduce(|best, at| if order(at, best) == wanted { at } else { best })
        };
        let chosen: Vec<Element> = (0..cx.rows).map(|row| best(row).map_or((0, 0), |at| (1, at))).collect();
        interleave(&[null.as_ref(), values.as_ref()], &chosen).map_err(arrow_bug)
    })
}

/// NULLs are left out, unless the third argument stands for them.
fn compile_join(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let lists = Lists::of(&args[0])?;
        let items = Value::Array(lists.values().clone());
        let items = Strings::of(&items)?;
        let texts = args[1..].iter().map(Strings::of).collect::<Result<Vec<_>>>()?;
        Ok(strings(cx.rows, |row, out| {
            let range = lists.range(row)?;
            let separator = texts[0].get(row)?;
            let instead = match texts.get(1) {
                Some(instead) => Some(instead.get(row)?),
                None => None,
            };
            for (i, part) in range.filter_map(|at| items.get(at).or(instead)).enumerate() {
                if i > 0 {
                    out.push_str(separator);
                }
                out.push_str(part);
            }
            Some(())
        }))
    })
}
