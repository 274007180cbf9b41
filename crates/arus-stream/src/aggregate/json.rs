//! JSON_ARRAYAGG and JSON_OBJECTAGG over texts of JSON values, which the plan makes of the arguments.
//!
//! An array has its elements in the order of arrival, an object its keys in Java's order of texts. As in Flink a key that
//! comes again, and one that is NULL, fails the job.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewArray};
use arrow::datatypes::DataType;
use arus_core::{Error, Result};

use super::extreme::{Owned, load_owned, save_owned};
use super::fold::Stored;
use super::lists::Arrivals;
use super::rows::{RowState, Rows};
use super::{Accumulator, argument};

pub(super) fn json_array(ty: DataType) -> Box<dyn Accumulator> {
    Rows::<Elements>::boxed(ty)
}

pub(super) fn json_object(ty: DataType) -> Box<dyn Accumulator> {
    Rows::<Entries>::boxed(ty)
}

fn texts(values: Vec<Option<String>>, ty: &DataType) -> Result<ArrayRef> {
    match ty {
        DataType::Utf8View => Ok(Arc::new(StringViewArray::from_iter(values))),
        other => Err(Error::bug(format!("a text of JSON as {other}"))),
    }
}

fn utf8(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|e| Error::bug(format!("a text of JSON is no UTF-8: {e}")))
}

#[derive(Clone, Default)]
struct Elements(Arrivals);

impl RowState for Elements {
    type Value = String;
    const MERGES: bool = false;

    fn change(&mut self, args: &[ArrayRef], row: usize, adds: bool) -> Result<()> {
        let elements: &StringViewArray = argument(args, 0)?;
        if elements.is_valid(row) {
            let text = elements.value(row).as_bytes();
            if adds { self.0.add(text.into()) } else { self.0.take(text) }
        }
        Ok(())
    }

    fn merge(&mut self, _from: &Self) -> Result<()> {
        Ok(())
    }

    fn value(&self) -> Option<String> {
        let elements: Vec<_> = self.0.values.iter().map(|text| String::from_utf8_lossy(text)).collect();
        Some(format!("[{}]", elements.join(",")))
    }

    fn build(values: Vec<Option<String>>, ty: &DataType) -> Result<ArrayRef> {
        texts(values, ty)
    }

    fn save(&self, out: &mut Vec<u8>) {
        self.0.save(out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Ok(Elements(Arrivals::load(bytes)?))
    }

    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

/// Orders as Java compares texts: by 16-bit units.
#[derive(Clone, PartialEq, Eq)]
struct Key(String);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.encode_utf16().cmp(other.0.encode_utf16())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Default)]
struct Entries {
    there: BTreeMap<Key, String>,
    /// Retractions that found nothing: they wait for a merge.
    retracted: BTreeMap<Key, String>,
}

impl Entries {
    fn add(&mut self, key: Key, value: String) -> Result<()> {
        if self.there.contains_key(&key) {
            return Err(Error::data(format!("JSON_OBJECTAGG: the key '{}' is there already", key.0))
                .with_hint("keys must be unique within a group: add the key to GROUP BY, or take JSON_ARRAYAGG"));
        }
        self.there.insert(key, value);
        Ok(())
    }

    fn take(&mut self, key: Key, value: &str) {
        if self.there.get(&key).is_some_and(|there| there == value) {
            self.there.remove(&key);
        } else {
            self.retracted.insert(key, value.into());
        }
    }
}

impl RowState for Entries {
    type Value = String;
    const MERGES: bool = true;

    fn change(&mut self, args: &[ArrayRef], row: usize, adds: bool) -> Result<()> {
        let keys: &StringViewArray = argument(args, 0)?;
        let values: &StringViewArray = argument(args, 1)?;
        if keys.is_null(row) {
            return Err(Error::data("JSON_OBJECTAGG: a key is NULL").with_hint("COALESCE(key, '') gives it a name"));
        }
        if values.is_valid(row) {
            let (key, value) = (Key(keys.value(row).into()), values.value(row));
            if adds { self.add(key, value.into())? } else { self.take(key, value) }
        }
        Ok(())
    }

    fn merge(&mut self, from: &Self) -> Result<()> {
        for (key, value) in &from.retracted {
            self.take(key.clone(), value);
        }
        for (key, value) in &from.there {
            if self.retracted.get(key) == Some(value) {
                self.retracted.remove(key);
            } else {
                self.add(key.clone(), value.clone())?;
            }
        }
        Ok(())
    }

    fn value(&self) -> Option<String> {
        let mut text = String::from("{");
        for (i, (key, value)) in self.there.iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            arus_expr::push_json_text(&mut text, &key.0);
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
        Some(text)
    }

    fn build(values: Vec<Option<String>>, ty: &DataType) -> Result<ArrayRef> {
        texts(values, ty)
    }

    fn save(&self, out: &mut Vec<u8>) {
        for entries in [&self.there, &self.retracted] {
            (entries.len() as u32).save(out);
            for (key, value) in entries {
                save_owned(&Owned::from(key.0.as_bytes()), out);
                save_owned(&Owned::from(value.as_bytes()), out);
            }
        }
    }

    fn load(bytes: &mut &[u8]) -> Result<Self> {
        let mut entries = || -> Result<BTreeMap<Key, String>> {
            let count = u32::load(bytes)?;
            (0..count).map(|_| Ok((Key(utf8(&load_owned(bytes)?)?), utf8(&load_owned(bytes)?)?))).collect()
        };
        Ok(Entries { there: entries()?, retracted: entries()? })
    }

    fn memory_bytes(&self) -> usize {
        let entries = self.there.iter().chain(&self.retracted);
        entries.map(|(key, value)| key.0.len() + value.len() + 2 * size_of::<String>()).sum()
    }
}
