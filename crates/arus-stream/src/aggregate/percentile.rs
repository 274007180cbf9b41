//! PERCENTILE: between the values at the two nearest places in the order, in DOUBLE. A value counts as often as the third
//! argument says; one that is NULL, or counts less than once, is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Float64Type};
use arus_core::change::arrow_bug;
use arus_core::{Error, Result};

use super::fold::Stored;
use super::rows::{RowState, Rows};
use super::{Accumulator, argument, take_bytes};

pub(super) fn percentile(ty: DataType) -> Box<dyn Accumulator> {
    Rows::<Values>::boxed(ty)
}

/// A DOUBLE in Java's total order: -0.0 is below 0.0, and NaN is above all.
#[derive(Clone, Copy, PartialEq)]
struct Place(f64);

impl Eq for Place {}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Default)]
struct Values {
    /// Of the first row: the same in all.
    percentages: Option<Box<[f64]>>,
    counts: BTreeMap<Place, i64>,
}

impl Values {
    fn learn(&mut self, args: &[ArrayRef], row: usize) -> Result<()> {
        let asked = args.get(1).ok_or_else(|| Error::bug("PERCENTILE without its percentage"))?;
        let asked: Box<[f64]> = match asked.as_list_opt::<i32>() {
            Some(list) => list.value(row).as_primitive::<Float64Type>().values().iter().copied().collect(),
            None => Box::from([argument::<Float64Array>(args, 1)?.value(row)]),
        };
        if let Some(wrong) = asked.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return Err(Error::data(format!("PERCENTILE: expected a percentage between 0 and 1, found {wrong}")));
        }
        self.percentages = Some(asked);
        Ok(())
    }

    fn add(&mut self, value: Place, by: i64) {
        let count = self.counts.entry(value).or_insert(0);
        *count += by;
        if *count == 0 {
            self.counts.remove(&value);
        }
    }

    /// The value at a place from 1 on, which may lie between two.
    fn at(&self, position: f64) -> Option<f64> {
        let (lower, higher) = (position.floor(), position.ceil());
        let mut values = self.counts.iter();
        let (mut value, mut up_to) = values.next().map(|(v, count)| (v.0, *count))?;
        while (up_to as f64) < lower {
            let (next, count) = values.next()?;
            (value, up_to) = (next.0, up_to + count);
        }
        if up_to as f64 >= higher {
            return Some(value);
        }
        let (next, _) = values.next()?;
        Some((higher - position) * value + (position - lower) * next.0)
    }
}

impl RowState for Values {
    type Value = Vec<f64>;
    const MERGES: bool = true;

    fn change(&mut self, args: &[ArrayRef], row: usize, adds: bool) -> Result<()> {
        if self.percentages.is_none() {
            self.learn(args, row)?;
        }
        let values: &Float64Array = argument(args, 0)?;
        let times = match args.get(2) {
            None => 1,
            Some(_) => {
                let counts: &Int64Array = argument(args, 2)?;
                if counts.is_valid(row) { counts.value(row) } else { 0 }
            }
        };
        if values.is_valid(row) && times > 0 {
            self.add(Place(values.value(row)), if adds { times } else { -times });
        }
        Ok(())
    }

    fn merge(&mut self, from: &Self) -> Result<()> {
        if self.percentages.is_none() {
            self.percentages.clone_from(&from.percentages);
        }
        from.counts.iter().for_each(|(value, count)| self.add(*value, *count));
        Ok(())
    }

    fn value(&self) -> Option<Vec<f64>> {
        let percentages = self.percentages.as_ref()?;
        let total: i64 = self.counts.values().sum();
        if total <= 0 || percentages.is_empty() {
            return None;
        }
        percentages.iter().map(|p| self.at(p * (total - 1) as f64 + 1.0)).collect()
    }

    fn build(values: Vec<Option<Vec<f64>>>, ty: &DataType) -> Result<ArrayRef> {
        let DataType::List(field) = ty else {
            let one = values.into_iter().map(|v| v.and_then(|v| v.first().copied()));
            return Ok(Arc::new(one.collect::<Float64Array>()));
        };
        let elements: Float64Array = values.iter().flatten().flatten().copied().collect();
        let offsets = OffsetBuffer::from_lengths(values.iter().map(|v| v.as_ref().map_or(0, Vec::len)));
        let nulls = NullBuffer::from_iter(values.iter().map(Option::is_some));
        Ok(Arc::new(ListArray::try_new(field.clone(), offsets, Arc::new(elements), Some(nulls)).map_err(arrow_bug)?))
    }

    fn save(&self, out: &mut Vec<u8>) {
        out.push(self.percentages.is_some() as u8);
        let percentages = self.percentages.as_deref().unwrap_or_default();
        (percentages.len() as u32).save(out);
        percentages.iter().for_each(|p| p.save(out));
        (self.counts.len() as u32).save(out);
        for (value, count) in &self.counts {
            value.0.save(out);
            count.save(out);
        }
    }

    fn load(bytes: &mut &[u8]) -> Result<Self> {
        let known = take_bytes(bytes, 1)?[0] != 0;
        let count = u32::load(bytes)?;
        let percentages = (0..count).map(|_| f64::load(bytes)).collect::<Result<Box<[f64]>>>()?;
        let count = u32::load(bytes)?;
        let counts = (0..count).map(|_| Ok((Place(f64::load(bytes)?), i64::load(bytes)?))).collect::<Result<_>>()?;
        Ok(Values { percentages: known.then_some(percentages), counts })
    }

    fn memory_bytes(&self) -> usize {
        self.counts.len() * 2 * size_of::<i64>() + self.percentages.as_ref().map_or(0, |p| p.len() * size_of::<f64>())
    }
}
