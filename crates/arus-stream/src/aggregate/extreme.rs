//! MIN and MAX. Without retraction the best value so far; with it every value and how often it is there.
//!
//! Strings compare by their UTF-8 bytes, as Flink's do. `LARGEST` is true for MAX.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, BinaryViewArray, BooleanArray, PrimitiveArray,
    StringViewArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arus_core::types::units_per_ms;
use arus_core::{Error, LogicalType, Result, TypeKind};

use super::fold::{Fold, Folding, Stored};
use super::{Accumulator, take_bytes};

pub(super) fn extreme<const LARGEST: bool>(
    arg: &TypeKind,
    result: &LogicalType,
    retracts: bool,
) -> Option<Box<dyn Accumulator>> {
    by_type(arg, result.to_arrow(), &Extreme::<LARGEST> { retracts })
}

struct Extreme<const LARGEST: bool> {
    retracts: bool,
}

impl<const LARGEST: bool> ForValues for Extreme<LARGEST> {
    fn make<V: Values>(&self, ty: DataType) -> Box<dyn Accumulator> {
        if self.retracts {
            Folding::boxed(Counted::<V, LARGEST> { ty, values: PhantomData })
        } else {
            Folding::boxed(Best::<V, LARGEST> { ty, values: PhantomData })
        }
    }
}

/// Something that is made for one kind of values.
pub(super) trait ForValues {
    fn make<V: Values>(&self, ty: DataType) -> Box<dyn Accumulator>;
}

/// What `of` makes for the values of a type; `None` where they are nested.
pub(super) fn by_type(arg: &TypeKind, ty: DataType, of: &impl ForValues) -> Option<Box<dyn Accumulator>> {
    Some(match arg {
        TypeKind::TinyInt => of.make::<Primitive<Int8Type>>(ty),
        TypeKind::SmallInt => of.make::<Primitive<Int16Type>>(ty),
        TypeKind::Int | TypeKind::IntervalYearMonth => of.make::<Primitive<Int32Type>>(ty),
        TypeKind::BigInt | TypeKind::IntervalDayTime => of.make::<Primitive<Int64Type>>(ty),
        TypeKind::Float => of.make::<Primitive<Float32Type>>(ty),
        TypeKind::Double => of.make::<Primitive<Float64Type>>(ty),
        TypeKind::Decimal { .. } => of.make::<Primitive<Decimal128Type>>(ty),
        TypeKind::Date => of.make::<Primitive<Date32Type>>(ty),
        TypeKind::Time(_) => of.make::<Primitive<Time32MillisecondType>>(ty),
        TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
            match units_per_ms(*precision) {
                1 => of.make::<Primitive<TimestampMillisecondType>>(ty),
                1_000 => of.make::<Primitive<TimestampMicrosecondType>>(ty),
                _ => of.make::<Primitive<TimestampNanosecondType>>(ty),
            }
        }
        TypeKind::Boolean => of.make::<Booleans>(ty),
        TypeKind::Char(_) | TypeKind::Varchar(_) => of.make::<Strings>(ty),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => of.make::<Binaries>(ty),
        _ => return None,
    })
}

/// Arrays whose values can be compared, kept and built again.
pub(super) trait Values: Send + 'static {
    type Input: Array + 'static;
    type Item: Clone + Send + 'static;

    fn item(input: &Self::Input, row: usize) -> Self::Item;
    /// As Flink's generated code compares: a NaN is neither less nor greater.
    fn compare(input: &Self::Input, row: usize, item: &Self::Item) -> Option<Ordering>;
    /// The same between two kept values.
    fn compare_items(a: &Self::Item, b: &Self::Item) -> Option<Ordering>;
    /// A total order, for the sorted values of a retracting aggregate.
    fn total(a: &Self::Item, b: &Self::Item) -> Ordering;
    fn build(values: impl Iterator<Item = Option<Self::Item>>, ty: &DataType) -> Result<ArrayRef>;
    fn save(item: &Self::Item, out: &mut Vec<u8>);
    fn load(bytes: &mut &[u8]) -> Result<Self::Item>;
}

/// The one value that an aggregate keeps, if there was any.
pub(super) fn save_option<V: Values>(item: &Option<V::Item>, out: &mut Vec<u8>) {
    out.push(item.is_some() as u8);
    if let Some(item) = item {
        V::save(item, out);
    }
}

pub(super) fn load_option<V: Values>(bytes: &mut &[u8]) -> Result<Option<V::Item>> {
    Ok(if take_bytes(bytes, 1)?[0] == 0 { None } else { Some(V::load(bytes)?) })
}

pub(super) struct Primitive<T>(PhantomData<T>);

impl<T> Values for Primitive<T>
where
    T: ArrowPrimitiveType + Send,
    T::Native: Stored + PartialOrd,
{
    type Input = PrimitiveArray<T>;
    type Item = T::Native;

    #[inline]
    fn item(input: &Self::Input, row: usize) -> T::Native {
        input.value(row)
    }

    #[inline]
    fn compare(input: &Self::Input, row: usize, item: &T::Native) -> Option<Ordering> {
        input.value(row).partial_cmp(item)
    }

    fn compare_items(a: &T::Native, b: &T::Native) -> Option<Ordering> {
        a.partial_cmp(b)
    }

    fn total(a: &T::Native, b: &T::Native) -> Ordering {
        ArrowNativeTypeOp::compare(*a, *b)
    }

    fn build(values: impl Iterator<Item = Option<T::Native>>, ty: &DataType) -> Result<ArrayRef> {
        Ok(Arc::new(values.collect::<PrimitiveArray<T>>().with_data_type(ty.clone())))
    }

    fn save(item: &T::Native, out: &mut Vec<u8>) {
        item.save(out);
    }

    fn load(bytes: &mut &[u8]) -> Result<T::Native> {
        T::Native::load(bytes)
    }
}

pub(super) struct Booleans;

impl Values for Booleans {
    type Input = BooleanArray;
    type Item = bool;

    fn item(input: &Self::Input, row: usize) -> bool {
        input.value(row)
    }

    fn compare(input: &Self::Input, row: usize, item: &bool) -> Option<Ordering> {
        Some(input.value(row).cmp(item))
    }

    fn compare_items(a: &bool, b: &bool) -> Option<Ordering> {
        Some(a.cmp(b))
    }

    fn total(a: &bool, b: &bool) -> Ordering {
        a.cmp(b)
    }

    fn build(values: impl Iterator<Item = Option<bool>>, _ty: &DataType) -> Result<ArrayRef> {
        Ok(Arc::new(values.collect::<BooleanArray>()))
    }

    fn save(item: &bool, out: &mut Vec<u8>) {
        out.push(*item as u8);
    }

    fn load(bytes: &mut &[u8]) -> Result<bool> {
        Ok(take_bytes(bytes, 1)?[0] != 0)
    }
}

/// State owns its bytes: a view would pin the buffer that the row came in.
pub(super) type Owned = Box<[u8]>;

pub(super) fn save_owned(item: &Owned, out: &mut Vec<u8>) {
    (item.len() as u32).save(out);
    out.extend_from_slice(item);
}

pub(super) fn load_owned(bytes: &mut &[u8]) -> Result<Owned> {
    let length = u32::load(bytes)? as usize;
    Ok(take_bytes(bytes, length)?.into())
}

pub(super) struct Strings;

impl Values for Strings {
    type Input = StringViewArray;
    type Item = Owned;

    fn item(input: &Self::Input, row: usize) -> Owned {
        input.value(row).as_bytes().into()
    }

    fn compare(input: &Self::Input, row: usize, item: &Owned) -> Option<Ordering> {
        Some(input.value(row).as_bytes().cmp(item))
    }

    fn compare_items(a: &Owned, b: &Owned) -> Option<Ordering> {
        Some(a.cmp(b))
    }

    fn total(a: &Owned, b: &Owned) -> Ordering {
        a.cmp(b)
    }

    fn build(values: impl Iterator<Item = Option<Owned>>, _ty: &DataType) -> Result<ArrayRef> {
        let texts: Vec<Option<String>> = values
            .map(|value| value.map(|bytes| String::from_utf8(bytes.into_vec())).transpose())
            .collect::<Result<_, _>>()
            .map_err(|e| Error::bug(format!("a string of an aggregate is no UTF-8: {e}")))?;
        Ok(Arc::new(texts.into_iter().collect::<StringViewArray>()))
    }

    fn save(item: &Owned, out: &mut Vec<u8>) {
        save_owned(item, out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Owned> {
        load_owned(bytes)
    }
}

pub(super) struct Binaries;

impl Values for Binaries {
    type Input = BinaryViewArray;
    type Item = Owned;

    fn item(input: &Self::Input, row: usize) -> Owned {
        input.value(row).into()
    }

    fn compare(input: &Self::Input, row: usize, item: &Owned) -> Option<Ordering> {
        Some(input.value(row).cmp(item))
    }

    fn compare_items(a: &Owned, b: &Owned) -> Option<Ordering> {
        Some(a.cmp(b))
    }

    fn total(a: &Owned, b: &Owned) -> Ordering {
        a.cmp(b)
    }

    fn build(values: impl Iterator<Item = Option<Owned>>, _ty: &DataType) -> Result<ArrayRef> {
        Ok(Arc::new(values.collect::<BinaryViewArray>()))
    }

    fn save(item: &Owned, out: &mut Vec<u8>) {
        save_owned(item, out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Owned> {
        load_owned(bytes)
    }
}

/// The best value so far.
struct Best<V, const LARGEST: bool> {
    ty: DataType,
    values: PhantomData<V>,
}

impl<V: Values, const LARGEST: bool> Fold for Best<V, LARGEST> {
    type Input = V::Input;
    type State = Option<V::Item>;
    type Value = V::Item;

    fn merges(&self) -> bool {
        true
    }

    fn merge(&self, state: &mut Self::State, other: &Self::State) {
        let better = if LARGEST { Ordering::Greater } else { Ordering::Less };
        if let Some(item) = other
            && state.as_ref().is_none_or(|best| V::compare_items(item, best) == Some(better))
        {
            *state = Some(item.clone());
        }
    }

    #[inline]
    fn add(state: &mut Self::State, input: &Self::Input, row: usize) {
        let better = if LARGEST { Ordering::Greater } else { Ordering::Less };
        if state.as_ref().is_none_or(|best| V::compare(input, row, best) == Some(better)) {
            *state = Some(V::item(input, row));
        }
    }

    /// The plan gives every retracting aggregate its counted form.
    fn take(_state: &mut Self::State, _input: &Self::Input, _row: usize) {}

    fn value(&self, state: &Self::State) -> Option<V::Item> {
        state.clone()
    }

    fn build(&self, values: impl Iterator<Item = Option<V::Item>>) -> Result<ArrayRef> {
        V::build(values, &self.ty)
    }

    fn save(state: &Self::State, out: &mut Vec<u8>) {
        save_option::<V>(state, out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Self::State> {
        load_option::<V>(bytes)
    }
}

/// A value in the total order of its type.
struct Sorted<V: Values>(V::Item);

impl<V: Values> Clone for Sorted<V> {
    fn clone(&self) -> Self {
        Sorted(self.0.clone())
    }
}

impl<V: Values> PartialEq for Sorted<V> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<V: Values> Eq for Sorted<V> {}

impl<V: Values> PartialOrd for Sorted<V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<V: Values> Ord for Sorted<V> {
    fn cmp(&self, other: &Self) -> Ordering {
        V::total(&self.0, &other.0)
    }
}

/// Each value with how often it is there; a count may be below 0 while a retraction is ahead of its row.
struct Counted<V, const LARGEST: bool> {
    ty: DataType,
    values: PhantomData<V>,
}

struct Counts<V: Values>(BTreeMap<Sorted<V>, i64>);

impl<V: Values> Clone for Counts<V> {
    fn clone(&self) -> Self {
        Counts(self.0.clone())
    }
}

impl<V: Values> Default for Counts<V> {
    fn default() -> Self {
        Counts(BTreeMap::new())
    }
}

impl<V: Values> Counts<V> {
    fn change(&mut self, item: V::Item, by: i64) {
        match self.0.entry(Sorted(item)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(by);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                *entry.get_mut() += by;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        }
    }
}

impl<V: Values, const LARGEST: bool> Fold for Counted<V, LARGEST> {
    type Input = V::Input;
    type State = Counts<V>;
    type Value = V::Item;

    fn merges(&self) -> bool {
        true
    }

    fn subtracts(&self) -> bool {
        true
    }

    fn merge(&self, state: &mut Self::State, other: &Self::State) {
        for (value, count) in &other.0 {
            state.change(value.0.clone(), *count);
        }
    }

    fn subtract(&self, state: &mut Self::State, other: &Self::State) {
        for (value, count) in &other.0 {
            state.change(value.0.clone(), -count);
        }
    }

    fn add(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.change(V::item(input, row), 1);
    }

    fn take(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.change(V::item(input, row), -1);
    }

    fn value(&self, state: &Self::State) -> Option<V::Item> {
        let mut there = state.0.iter().filter(|(_, count)| **count > 0).map(|(value, _)| value.0.clone());
        if LARGEST { there.next_back() } else { there.next() }
    }

    fn build(&self, values: impl Iterator<Item = Option<V::Item>>) -> Result<ArrayRef> {
        V::build(values, &self.ty)
    }

    fn save(state: &Self::State, out: &mut Vec<u8>) {
        (state.0.len() as u32).save(out);
        for (value, count) in &state.0 {
            V::save(&value.0, out);
            count.save(out);
        }
    }

    fn load(bytes: &mut &[u8]) -> Result<Self::State> {
        let values = u32::load(bytes)?;
        let mut counts = BTreeMap::new();
        for _ in 0..values {
            let value = V::load(bytes)?;
            counts.insert(Sorted(value), i64::load(bytes)?);
        }
        Ok(Counts(counts))
    }
}
