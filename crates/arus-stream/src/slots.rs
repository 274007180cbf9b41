//! A key table: the keys of a batch become slot numbers, in one pass over the batch.
//!
//! Slots count up in the order in which keys first came, so that what is emitted by slot does not depend on a hash.
//! Removed slots are used again. A slot's key is kept once, in its compact form: nothing for the global group, the
//! value of a single fixed-width or text column, else the canonical bytes.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray, StringViewArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit};
use arrow::datatypes::{
    Date32Type, Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arus_core::change::arrow_bug;
use arus_core::key_group::key_group;
use arus_core::{Error, LogicalType, Result, TypeKind};
use arus_storage::codec::{EncodedRows, KeyCodec};
use foldhash::fast::FixedState;
use hashbrown::HashTable;

pub(crate) struct KeyTable {
    codec: Arc<KeyCodec>,
    types: Vec<DataType>,
    keys: Keys,
    index: HashTable<u32>,
    hashes: Vec<u64>,
    live: Vec<bool>,
    free: Vec<u32>,
    normalizes: bool,
    hasher: FixedState,
    /// Of keys that are not of fixed width.
    key_bytes: usize,
}

enum Keys {
    /// No key columns: one slot.
    Global,
    /// One integer-like column, widened.
    Fixed { values: Vec<i64>, null_slot: Option<u32> },
    /// One text column.
    Text { values: Vec<Box<str>>, null_slot: Option<u32> },
    /// Canonical bytes.
    Bytes(Vec<Box<[u8]>>),
}

/// Canonical keys in one arena.
pub(crate) struct CanonicalKeys(EncodedRows);

impl CanonicalKeys {
    /// Each with its key group.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.0.iter().map(|key| (key_group(key), key))
    }

    /// The same to be kept.
    pub(crate) fn owned(&self) -> impl Iterator<Item = (u16, Vec<u8>)> {
        self.iter().map(|(group, key)| (group, key.to_vec()))
    }
}

/// Keys of a batch whose slots are remembered.
const RECENT: usize = 256;
const NO_SLOT: u32 = u32::MAX;

/// Seeds the table's hash; slots do not depend on it.
const HASH_SEED: u64 = 0x6172_7573;

impl KeyTable {
    pub(crate) fn new(codec: Arc<KeyCodec>, types: &[LogicalType]) -> Self {
        let arrow: Vec<DataType> = types.iter().map(LogicalType::to_arrow).collect();
        let keys = match arrow.as_slice() {
            [] => Keys::Global,
            [only] if is_fixed(only) => Keys::Fixed { values: vec![], null_slot: None },
            [DataType::Utf8View] => Keys::Text { values: vec![], null_slot: None },
            _ => Keys::Bytes(vec![]),
        };
        KeyTable {
            codec,
            types: arrow,
            keys,
            index: HashTable::new(),
            hashes: vec![],
            live: vec![],
            free: vec![],
            normalizes: types.iter().any(normalizes),
            hasher: FixedState::with_seed(HASH_SEED),
            key_bytes: 0,
        }
    }

    /// Makes room for so many keys.
    pub(crate) fn reserve(&mut self, keys: usize) {
        let hashes = &self.hashes;
        self.index.reserve(keys, |slot| hashes[*slot as usize]);
        self.hashes.reserve(keys);
        self.live.reserve(keys);
        if let Keys::Fixed { values, .. } = &mut self.keys {
            values.reserve(keys);
        }
    }

    /// Whether the canonical form of a key may look different from the value that came.
    pub(crate) fn normalizes(&self) -> bool {
        self.normalizes
    }

    /// Slots ever used: every slot number is below.
    pub(crate) fn slots(&self) -> usize {
        self.live.len()
    }

    /// All keys that are there, by slot.
    pub(crate) fn live(&self) -> Vec<u32> {
        (0..self.live.len() as u32).filter(|slot| self.live[*slot as usize]).collect()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let keys = match &self.keys {
            Keys::Global => 0,
            Keys::Fixed { values, .. } => values.capacity() * size_of::<i64>(),
            Keys::Text { values, .. } => values.capacity() * size_of::<Box<str>>(),
            Keys::Bytes(keys) => keys.capacity() * size_of::<Box<[u8]>>(),
        };
        self.key_bytes + keys + self.index.capacity() * 5 + self.hashes.capacity() * 8 + self.live.capacity()
    }

    /// The slot of each of `rows` rows; new keys get one.
    pub(crate) fn assign(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        match &self.keys {
            Keys::Global => {
                if self.live.is_empty() {
                    self.live.push(true);
                    self.hashes.push(0);
                }
                self.live[0] = true;
                Ok(vec![0; rows])
            }
            Keys::Fixed { .. } => {
                let widened = widen(&columns[0])?;
                Ok(self.assign_fixed(&widened))
            }
            Keys::Text { .. } => {
                let column = columns[0].as_string_view();
                let mut slots = Vec::with_capacity(rows);
                for text in column.iter() {
                    slots.push(match text {
                        Some(text) => self.assign_text(text),
                        None => self.assign_null(),
                    });
                }
                Ok(slots)
            }
            Keys::Bytes(_) => {
                let encoded = self.codec.encode(columns, rows)?;
                let mut slots = Vec::with_capacity(rows);
                for row in 0..rows {
                    slots.push(self.assign_bytes(encoded.get(row)));
                }
                Ok(slots)
            }
        }
    }

    fn assign_fixed(&mut self, column: &Int64Array) -> Vec<u32> {
        let mut slots = Vec::with_capacity(column.len());
        // Some keys come again and again: (key, its slot) by the key's last bits.
        let mut recent = [(0, NO_SLOT); RECENT];
        for row in 0..column.len() {
            if column.is_null(row) {
                slots.push(self.assign_null());
                continue;
            }
            let value = column.value(row);
            let place = value as usize % RECENT;
            if recent[place].1 == NO_SLOT || recent[place].0 != value {
                recent[place] = (value, self.assign_value(value));
            }
            slots.push(recent[place].1);
        }
        slots
    }

    /// The own slots of keys of another table of the same types; their hashes are known.
    pub(crate) fn assign_from(&mut self, other: &KeyTable, slots: &[u32]) -> Result<Vec<u32>> {
        let own = |slot: &u32| {
            let at = *slot as usize;
            Ok(match &other.keys {
                Keys::Fixed { null_slot, .. } | Keys::Text { null_slot, .. } if *null_slot == Some(*slot) => {
                    self.assign_null()
                }
                Keys::Global => self.assign(&[], 1)?[0],
                Keys::Fixed { values, .. } => self.assign_hashed(values[at], other.hashes[at]),
                Keys::Text { values, .. } => self.assign_text(&values[at]),
                Keys::Bytes(keys) => self.assign_bytes(&keys[at]),
            })
        };
        slots.iter().map(own).collect()
    }

    fn assign_null(&mut self) -> u32 {
        if let Keys::Fixed { null_slot: Some(slot), .. } | Keys::Text { null_slot: Some(slot), .. } = &self.keys {
            return *slot;
        }
        let slot = self.new_slot(0);
        match &mut self.keys {
            Keys::Fixed { values, null_slot } => {
                set(values, slot, 0);
                *null_slot = Some(slot);
            }
            Keys::Text { values, null_slot } => {
                set(values, slot, Box::default());
                *null_slot = Some(slot);
            }
            Keys::Global | Keys::Bytes(_) => {}
        }
        slot
    }

    fn assign_text(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let Keys::Text { values, .. } = &self.keys else { unreachable!("a table of text keys") };
        let hashes = &self.hashes;
        let same = |slot: &u32| hashes[*slot as usize] == hash && *values[*slot as usize] == *text;
        if let Some(slot) = self.index.find(hash, same) {
            return *slot;
        }
        let slot = self.new_slot(hash);
        self.key_bytes += text.len();
        if let Keys::Text { values, .. } = &mut self.keys {
            set(values, slot, text.into());
        }
        self.insert(hash, slot);
        slot
    }

    fn assign_value(&mut self, value: i64) -> u32 {
        self.assign_hashed(value, self.hasher.hash_one(value))
    }

    fn assign_hashed(&mut self, value: i64, hash: u64) -> u32 {
        let Keys::Fixed { values, .. } = &self.keys else { unreachable!("a fixed key table") };
        let found = self.index.find(hash, |slot| values[*slot as usize] == value).copied();
        if let Some(slot) = found {
            return slot;
        }
        let slot = self.new_slot(hash);
        if let Keys::Fixed { values, .. } = &mut self.keys {
            set(values, slot, value);
        }
        self.insert(hash, slot);
        slot
    }

    fn assign_bytes(&mut self, key: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(key);
        let Keys::Bytes(keys) = &self.keys else { unreachable!("a table of byte keys") };
        let hashes = &self.hashes;
        let found =
            self.index.find(hash, |slot| hashes[*slot as usize] == hash && *keys[*slot as usize] == *key).copied();
        if let Some(slot) = found {
            return slot;
        }
        let slot = self.new_slot(hash);
        self.key_bytes += key.len();
        if let Keys::Bytes(keys) = &mut self.keys {
            set(keys, slot, key.into());
        }
        self.insert(hash, slot);
        slot
    }

    fn new_slot(&mut self, hash: u64) -> u32 {
        match self.free.pop() {
            Some(slot) => {
                self.live[slot as usize] = true;
                self.hashes[slot as usize] = hash;
                slot
            }
            None => {
                self.live.push(true);
                self.hashes.push(hash);
                self.live.len() as u32 - 1
            }
        }
    }

    fn insert(&mut self, hash: u64, slot: u32) {
        let hashes = &self.hashes;
        self.index.insert_unique(hash, slot, |other| hashes[*other as usize]);
    }

    /// Forgets the key; its number goes to a later one.
    pub(crate) fn remove(&mut self, slot: u32) {
        if !std::mem::replace(&mut self.live[slot as usize], false) {
            return;
        }
        match &mut self.keys {
            Keys::Global => return,
            Keys::Fixed { null_slot, .. } | Keys::Text { null_slot, .. } if *null_slot == Some(slot) => {
                *null_slot = None;
            }
            Keys::Fixed { .. } | Keys::Text { .. } | Keys::Bytes(_) => {
                if let Ok(entry) = self.index.find_entry(self.hashes[slot as usize], |other| *other == slot) {
                    entry.remove();
                }
            }
        }
        match &mut self.keys {
            Keys::Text { values, .. } => self.key_bytes -= std::mem::take(&mut values[slot as usize]).len(),
            Keys::Bytes(keys) => self.key_bytes -= std::mem::take(&mut keys[slot as usize]).len(),
            Keys::Global | Keys::Fixed { .. } => {}
        }
        self.free.push(slot);
    }

    /// The key columns of these slots.
    pub(crate) fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        match &self.keys {
            Keys::Global => Ok(vec![]),
            Keys::Fixed { values, null_slot } => {
                let wide: Int64Array =
                    slots.iter().map(|s| (Some(*s) != *null_slot).then(|| values[*s as usize])).collect();
                Ok(vec![narrow(&wide, &self.types[0])?])
            }
            Keys::Text { values, null_slot } => {
                let texts = slots.iter().map(|s| (Some(*s) != *null_slot).then(|| &*values[*s as usize]));
                Ok(vec![Arc::new(texts.collect::<StringViewArray>())])
            }
            Keys::Bytes(keys) => self.codec.decode(slots.iter().map(|s| &*keys[*s as usize])),
        }
    }

    /// The canonical keys of these slots.
    pub(crate) fn canonical(&self, slots: &[u32]) -> Result<CanonicalKeys> {
        Ok(CanonicalKeys(match &self.keys {
            Keys::Fixed { .. } | Keys::Text { .. } => self.codec.encode(&self.columns(slots)?, slots.len())?,
            Keys::Global | Keys::Bytes(_) => {
                let mut encoded = EncodedRows::default();
                slots.iter().for_each(|slot| encoded.push(self.stored(*slot)));
                encoded
            }
        }))
    }

    /// The canonical key where it is kept as such.
    fn stored(&self, slot: u32) -> &[u8] {
        match &self.keys {
            Keys::Bytes(keys) => &keys[slot as usize],
            Keys::Global | Keys::Fixed { .. } | Keys::Text { .. } => &[],
        }
    }

    /// Slots of canonical keys, as a restore brings them.
    pub(crate) fn assign_canonical(&mut self, keys: &[&[u8]]) -> Result<Vec<u32>> {
        if let Keys::Bytes(_) = self.keys {
            return Ok(keys.iter().map(|key| self.assign_bytes(key)).collect());
        }
        let columns = if self.types.is_empty() { vec![] } else { self.codec.decode(keys.iter().copied())? };
        self.assign(&columns, keys.len())
    }
}

fn set<T: Default>(values: &mut Vec<T>, slot: u32, value: T) {
    if values.len() <= slot as usize {
        values.resize_with(slot as usize + 1, T::default);
    }
    values[slot as usize] = value;
}

fn normalizes(ty: &LogicalType) -> bool {
    match &ty.kind {
        TypeKind::Float | TypeKind::Double | TypeKind::Map(..) | TypeKind::Multiset(_) => true,
        TypeKind::Array(element) => normalizes(element),
        TypeKind::Row(fields) => fields.iter().any(|f| normalizes(&f.ty)),
        _ => false,
    }
}

fn is_fixed(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Time32(TimeUnit::Millisecond)
            | DataType::Timestamp(_, _)
    )
}

fn widen(column: &ArrayRef) -> Result<Int64Array> {
    fn from<T: ArrowPrimitiveType>(column: &ArrayRef) -> Int64Array
    where
        T::Native: Into<i64>,
    {
        column.as_primitive::<T>().unary::<_, Int64Type>(Into::into)
    }
    Ok(match column.data_type() {
        DataType::Int8 => from::<Int8Type>(column),
        DataType::Int16 => from::<Int16Type>(column),
        DataType::Int32 => from::<Int32Type>(column),
        DataType::Int64 => column.as_primitive::<Int64Type>().clone(),
        DataType::Date32 => from::<Date32Type>(column),
        DataType::Time32(TimeUnit::Millisecond) => from::<Time32MillisecondType>(column),
        DataType::Timestamp(TimeUnit::Millisecond, _) => from::<TimestampMillisecondType>(column),
        DataType::Timestamp(TimeUnit::Microsecond, _) => from::<TimestampMicrosecondType>(column),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => from::<TimestampNanosecondType>(column),
        other => return Err(Error::bug(format!("a key of type {other} has no fixed width"))),
    })
}

fn narrow(wide: &Int64Array, ty: &DataType) -> Result<ArrayRef> {
    fn to<T: ArrowPrimitiveType>(wide: &Int64Array, ty: &DataType, narrow: impl Fn(i64) -> T::Native) -> ArrayRef {
        let array: PrimitiveArray<T> = wide.unary(narrow);
        Arc::new(array.with_data_type(ty.clone()))
    }
    Ok(match ty {
        DataType::Int8 => to::<Int8Type>(wide, ty, |v| v as i8),
        DataType::Int16 => to::<Int16Type>(wide, ty, |v| v as i16),
        DataType::Int32 => to::<Int32Type>(wide, ty, |v| v as i32),
        DataType::Int64 => Arc::new(wide.clone()),
        DataType::Date32 => to::<Date32Type>(wide, ty, |v| v as i32),
        DataType::Time32(TimeUnit::Millisecond) => to::<Time32MillisecondType>(wide, ty, |v| v as i32),
        _ => return arrow::compute::cast(wide, ty).map_err(arrow_bug),
    })
}
