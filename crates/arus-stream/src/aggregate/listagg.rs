//! LISTAGG: texts with a separator between them in the order of arrival; NULLs are passed over, NULL where there is none.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewArray, StringViewBuilder};
use arus_core::{Error, Result};

use super::extreme::{Owned, load_owned, save_owned};
use super::lists::Arrivals;
use super::{Accumulator, SlotRows, Trace, argument, same, take_bytes};

/// Without a second argument.
const SEPARATOR: &str = ",";

pub(super) fn listagg(retracts: bool) -> Box<dyn Accumulator> {
    if retracts { Box::new(Listagg::<Arrivals>::default()) } else { Box::new(Listagg::<Joined>::default()) }
}

/// What is kept of the texts of one slot.
trait Texts: Clone + Default + Send + 'static {
    fn add(&mut self, text: &str, separator: &str);
    fn take(&mut self, text: &str);
    fn merge(&mut self, from: &Self, separator: &str);
    /// Appends the value.
    fn value(&self, separator: &str, out: &mut StringViewBuilder) -> Result<()>;
    fn save(&self, out: &mut Vec<u8>);
    fn load(bytes: &mut &[u8]) -> Result<Self>;
    fn memory_bytes(&self) -> usize;
}

/// The value itself.
#[derive(Clone, Default)]
struct Joined(Option<String>);

impl Texts for Joined {
    fn add(&mut self, text: &str, separator: &str) {
        match &mut self.0 {
            Some(joined) => {
                joined.push_str(separator);
                joined.push_str(text);
            }
            None => self.0 = Some(text.into()),
        }
    }

    /// The plan gives every retracting aggregate its texts.
    fn take(&mut self, _text: &str) {}

    fn merge(&mut self, from: &Self, separator: &str) {
        if let Some(text) = &from.0 {
            self.add(text, separator);
        }
    }

    fn value(&self, _separator: &str, out: &mut StringViewBuilder) -> Result<()> {
        out.append_option(self.0.as_deref());
        Ok(())
    }

    fn save(&self, out: &mut Vec<u8>) {
        out.push(self.0.is_some() as u8);
        save_owned(&Owned::from(self.0.as_deref().unwrap_or_default().as_bytes()), out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Self> {
        let is_some = take_bytes(bytes, 1)?[0] != 0;
        let text = load_owned(bytes)?;
        Ok(Joined(if is_some { Some(utf8(&text)?.to_string()) } else { None }))
    }

    fn memory_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, String::capacity)
    }
}

impl Texts for Arrivals {
    fn add(&mut self, text: &str, _separator: &str) {
        Arrivals::add(self, text.as_bytes().into());
    }

    fn take(&mut self, text: &str) {
        Arrivals::take(self, text.as_bytes());
    }

    fn merge(&mut self, from: &Self, _separator: &str) {
        Arrivals::merge(self, from);
    }

    fn value(&self, separator: &str, out: &mut StringViewBuilder) -> Result<()> {
        if self.values.is_empty() {
            out.append_null();
            return Ok(());
        }
        let mut joined = String::new();
        for (i, text) in self.values.iter().enumerate() {
            if i > 0 {
                joined.push_str(separator);
            }
            joined.push_str(utf8(text)?);
        }
        out.append_value(joined);
        Ok(())
    }

    fn save(&self, out: &mut Vec<u8>) {
        Arrivals::save(self, out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Arrivals::load(bytes)
    }

    fn memory_bytes(&self) -> usize {
        Arrivals::memory_bytes(self)
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| Error::bug(format!("a text of LISTAGG is no UTF-8: {e}")))
}

#[derive(Default)]
struct Listagg<T> {
    slots: Vec<T>,
    /// A literal: the same in all rows. Part of the state, since values are told before a row comes.
    separator: Option<String>,
}

impl<T: Texts> Listagg<T> {
    fn learn(&mut self, args: &[ArrayRef]) -> Result<()> {
        if self.separator.is_none() && args.len() > 1 {
            let separators: &StringViewArray = argument(args, 1)?;
            self.separator = separators.iter().flatten().next().map(str::to_string);
        }
        Ok(())
    }
}

impl<T: Texts> Accumulator for Listagg<T> {
    fn grow(&mut self, slots: usize) {
        if self.slots.len() < slots {
            self.slots.resize(slots, T::default());
        }
    }

    fn clear(&mut self, slot: u32) {
        self.slots[slot as usize] = T::default();
    }

    fn update(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<()> {
        self.learn(args)?;
        let separator = self.separator.as_deref().unwrap_or(SEPARATOR);
        let texts: &StringViewArray = argument(args, 0)?;
        for (row, &slot) in rows.slots.iter().enumerate() {
            if rows.counts(row) && texts.is_valid(row) {
                let state = &mut self.slots[slot as usize];
                if rows.adds(row) { state.add(texts.value(row), separator) } else { state.take(texts.value(row)) }
            }
        }
        Ok(())
    }

    fn trace(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<Trace> {
        self.learn(args)?;
        let separator = self.separator.as_deref().unwrap_or(SEPARATOR);
        let texts: &StringViewArray = argument(args, 0)?;
        let mut before = StringViewBuilder::new();
        let mut after = StringViewBuilder::new();
        for (row, &slot) in rows.slots.iter().enumerate() {
            let state = &mut self.slots[slot as usize];
            state.value(separator, &mut before)?;
            if rows.counts(row) && texts.is_valid(row) {
                if rows.adds(row) { state.add(texts.value(row), separator) } else { state.take(texts.value(row)) }
            }
            state.value(separator, &mut after)?;
            if rows.resets(row) {
                *state = T::default();
            }
        }
        Ok(Trace { before: Arc::new(before.finish()), after: Arc::new(after.finish()) })
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        let mut values = StringViewBuilder::new();
        let separator = self.separator.as_deref().unwrap_or(SEPARATOR);
        for slot in slots {
            self.slots[*slot as usize].value(separator, &mut values)?;
        }
        Ok(Arc::new(values.finish()))
    }

    fn merges(&self) -> bool {
        true
    }

    fn merge(&mut self, into: &[u32], other: &dyn Accumulator, from: &[u32]) -> Result<()> {
        let other = same::<Self>(other)?;
        if self.separator.is_none() {
            self.separator.clone_from(&other.separator);
        }
        let separator = self.separator.as_deref().unwrap_or(SEPARATOR);
        for (&into, &from) in into.iter().zip(from) {
            self.slots[into as usize].merge(&other.slots[from as usize], separator);
        }
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn save(&self, slot: u32, out: &mut Vec<u8>) {
        out.push(self.separator.is_some() as u8);
        save_owned(&Owned::from(self.separator.as_deref().unwrap_or_default().as_bytes()), out);
        self.slots[slot as usize].save(out);
    }

    fn load(&mut self, slot: u32, bytes: &mut &[u8]) -> Result<()> {
        let known = take_bytes(bytes, 1)?[0] != 0;
        let separator = load_owned(bytes)?;
        if known {
            self.separator = Some(utf8(&separator)?.to_string());
        }
        self.slots[slot as usize] = T::load(bytes)?;
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.slots.iter().map(T::memory_bytes).sum::<usize>() + self.slots.capacity() * size_of::<T>()
    }
}
