//! Objects: finds the wanted fields, most often without looking at their names.
//!
//! Records of a stream mostly have the same keys in the same order and spacing. Each row node remembers the bytes
//! from one key's opening quote to its value for every key of the last object, and compares those first.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::{Field as ArrowField, Fields};
use arrow::error::ArrowError;

use super::build::{Node, Nulls};
use super::decode::Rules;
use super::scan::{Bad, Cursor, Scan, unescape};

pub(super) struct Field {
    pub(super) name: String,
    pub(super) node: Node,
    /// The object in which it was seen last.
    seen_in: u64,
}

/// A key of the last object.
struct Slot {
    /// Its bytes in `RowNode::keys`.
    key: Range<usize>,
    /// Its first and last eight bytes; for a shorter key the first, and which of them count.
    first: u64,
    last: u64,
    /// The field, or [`UNWANTED`].
    field: usize,
}

impl Slot {
    fn new(keys: &[u8], key: Range<usize>, field: usize) -> Self {
        let bytes = &keys[key.clone()];
        let mut padded = [0; 8];
        let head = bytes.len().min(8);
        padded[..head].copy_from_slice(&bytes[..head]);
        let last = match bytes.last_chunk::<8>() {
            Some(last) => u64::from_le_bytes(*last),
            None => (1 << (8 * bytes.len())) - 1,
        };
        Slot { key, first: u64::from_le_bytes(padded), last, field }
    }

    /// Whether the key stands at the start of `rest`. Words are compared where that decides: a call of memcmp costs more.
    #[inline(always)]
    fn is_at(&self, rest: &[u8], keys: &[u8]) -> bool {
        let len = self.key.len();
        let Some(head) = rest.first_chunk::<8>() else { return rest.starts_with(&keys[self.key.clone()]) };
        let head = u64::from_le_bytes(*head);
        if len < 8 {
            return head & self.last == self.first;
        }
        if head != self.first {
            return false;
        }
        match rest.get(len - 8..len) {
            Some(tail) if len <= 16 => u64::from_le_bytes(tail.try_into().expect("a slice of 8")) == self.last,
            Some(_) => rest.starts_with(&keys[self.key.clone()]),
            None => false,
        }
    }
}

const UNWANTED: usize = usize::MAX;
/// Keys that are remembered of an object; more are looked up by name.
const SLOTS: usize = 256;
const KEY_BYTES: usize = 32 << 10;

pub(super) struct RowNode {
    fields: Vec<Field>,
    /// Fields by the length of their name: few have the same.
    by_len: Vec<Vec<usize>>,
    len: usize,
    nulls: Nulls,
    object: u64,
    slots: Vec<Slot>,
    keys: Vec<u8>,
    scratch: Vec<u8>,
}

impl RowNode {
    pub(super) fn new(fields: Vec<(String, Node)>) -> Self {
        let longest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut by_len = vec![vec![]; longest + 1];
        for (i, (name, _)) in fields.iter().enumerate() {
            by_len[name.len()].push(i);
        }
        let fields = fields.into_iter().map(|(name, node)| Field { name, node, seen_in: 0 }).collect();
        RowNode {
            fields,
            by_len,
            len: 0,
            nulls: Nulls::default(),
            object: 0,
            slots: vec![],
            keys: vec![],
            scratch: vec![],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn fields_mut(&mut self) -> impl Iterator<Item = &mut Field> {
        self.fields.iter_mut()
    }

    pub(super) fn push_null(&mut self) {
        self.fields.iter_mut().for_each(|f| f.node.push_null());
        self.nulls.null(self.len);
        self.len += 1;
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.fields.iter_mut().for_each(|f| f.node.truncate(len));
        self.nulls.truncate(len);
        self.len = self.len.min(len);
    }

    pub(super) fn build(&mut self) -> Result<ArrayRef, ArrowError> {
        let len = std::mem::take(&mut self.len);
        let nulls = self.nulls.finish();
        let arrays: Result<Vec<_>, _> = self.fields.iter_mut().map(|f| f.node.build()).collect();
        let arrays = arrays?;
        if arrays.is_empty() {
            return Ok(Arc::new(StructArray::new_empty_fields(len, nulls)));
        }
        let fields: Fields = self
            .fields
            .iter()
            .zip(&arrays)
            .map(|(f, a)| ArrowField::new(&f.name, a.data_type().clone(), true))
            .collect();
        Ok(Arc::new(StructArray::try_new(fields, arrays, nulls)?))
    }

    /// Appends one row from the object at the cursor. On an error the caller takes back what was written.
    pub(super) fn read(&mut self, cursor: &mut Cursor<'_>, rules: &mut Rules) -> Scan<()> {
        let start = cursor.pos;
        self.object += 1;
        let mut seen = 0;
        cursor.enter()?;
        if cursor.peek() != b'}' {
            let mut slot = 0;
            loop {
                let field = self.key(cursor, &mut slot)?;
                if field == UNWANTED {
                    cursor.skip_value()?;
                } else {
                    let wanted = &mut self.fields[field];
                    if wanted.seen_in == self.object {
                        // The last of several wins.
                        wanted.node.truncate(self.len);
                    } else {
                        wanted.seen_in = self.object;
                        seen += 1;
                    }
                    if let Err(bad) = rules.value(&mut wanted.node, cursor) {
                        return Err(bad.in_field(&wanted.name));
                    }
                }
                if !cursor.comma_or(b'}')? {
                    break;
                }
            }
        }
        cursor.leave();
        if seen < self.fields.len() {
            let object = self.object;
            for field in self.fields.iter_mut().filter(|f| f.seen_in != object) {
                if rules.fail_on_missing_field {
                    return Err(Bad::value(start, "missing in the object").in_field(&field.name));
                }
                field.node.push_null();
            }
        }
        self.len += 1;
        self.nulls.valid();
        Ok(())
    }

    /// Passes a key and its colon; the field it names.
    #[inline]
    fn key(&mut self, cursor: &mut Cursor<'_>, slot: &mut usize) -> Scan<usize> {
        let rest = &cursor.data[cursor.pos.min(cursor.data.len())..];
        // A key that is missing now shifts the others by one.
        for ahead in 0..2 {
            if let Some(guess) = self.slots.get(*slot + ahead)
                && guess.is_at(rest, &self.keys)
            {
                cursor.pos += guess.key.len();
                if cursor.peek() <= b' ' {
                    cursor.skip_space();
                }
                *slot += ahead + 1;
                return Ok(guess.field);
            }
        }
        self.key_by_name(cursor, slot)
    }

    fn key_by_name(&mut self, cursor: &mut Cursor<'_>, slot: &mut usize) -> Scan<usize> {
        if cursor.peek() != b'"' {
            return Err(cursor.unexpected("a field name"));
        }
        let start = cursor.pos;
        let (name, escaped) = cursor.string()?;
        cursor.colon()?;
        self.scratch.clear();
        let name = if escaped {
            unescape(name, &mut self.scratch);
            self.scratch.as_slice()
        } else {
            name
        };
        let same_len = self.by_len.get(name.len()).map(Vec::as_slice).unwrap_or_default();
        let field = same_len.iter().copied().find(|i| self.fields[*i].name.as_bytes() == name).unwrap_or(UNWANTED);
        self.remember(&cursor.data[start..cursor.pos], field, *slot);
        *slot += 1;
        Ok(field)
    }

    fn remember(&mut self, key: &[u8], field: usize, slot: usize) {
        if slot >= SLOTS {
            return;
        }
        if self.keys.len() + key.len() > KEY_BYTES {
            // Replaced keys leave their bytes behind: start afresh now and then.
            self.slots.clear();
            self.keys.clear();
        }
        if slot > self.slots.len() || key.len() > KEY_BYTES {
            return;
        }
        let at = self.keys.len();
        self.keys.extend_from_slice(key);
        let remembered = Slot::new(&self.keys, at..self.keys.len(), field);
        match self.slots.get_mut(slot) {
            Some(old) => *old = remembered,
            None => self.slots.push(remembered),
        }
    }
}
