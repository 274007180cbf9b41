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
use super::words;

pub(in crate::format) struct Field {
    pub(in crate::format) name: String,
    pub(in crate::format) node: Node,
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

/// The first eight bytes of a name; of a shorter one all, and zeros.
#[inline(always)]
fn head(name: &[u8]) -> u64 {
    match name.first_chunk::<8>() {
        Some(head) => u64::from_le_bytes(*head),
        None => name.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

pub(in crate::format) struct RowNode {
    fields: Vec<Field>,
    /// The first bytes of their name and the fields, by the name's length: few have the same.
    by_len: Vec<Vec<(u64, usize)>>,
    len: usize,
    nulls: Nulls,
    object: u64,
    slots: Vec<Slot>,
    keys: Vec<u8>,
    /// How many slots are a whole object in which each field comes once; `None`: not known.
    whole: Option<usize>,
    trust: Trust,
}

/// Whether prediction pays: where keys come in another order each time, trying costs more than it gains.
struct Trust {
    score: i32,
    /// Objects to be read without prediction before the next try.
    pause: u32,
}

impl Trust {
    const HIGHEST: i32 = 32;
    const PAUSE: u32 = 256;

    fn hit(&mut self) {
        self.score = (self.score + 1).min(Self::HIGHEST);
    }

    fn miss(&mut self) {
        self.score -= 3;
        if self.score < 0 {
            self.score = 4;
            self.pause = Self::PAUSE;
        }
    }
}

impl RowNode {
    pub(super) fn new(fields: Vec<(String, Node)>) -> Self {
        let longest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut by_len = vec![vec![]; longest + 1];
        for (i, (name, _)) in fields.iter().enumerate() {
            by_len[name.len()].push((head(name.as_bytes()), i));
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
            whole: None,
            trust: Trust { score: Trust::HIGHEST, pause: 0 },
        }
    }

    pub(in crate::format) fn len(&self) -> usize {
        self.len
    }

    pub(in crate::format) fn fields_mut(&mut self) -> impl Iterator<Item = &mut Field> {
        self.fields.iter_mut()
    }

    /// Closes a row whose fields were all appended.
    pub(in crate::format) fn close(&mut self) {
        self.len += 1;
        self.nulls.valid();
    }

    pub(in crate::format) fn push_null(&mut self) {
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
        if self.trust.pause > 0 {
            self.trust.pause -= 1;
            return self.read_any::<false>(cursor, rules);
        }
        if let Some(slots) = self.whole {
            let (start, depth) = (cursor.pos, cursor.depth());
            let Err(read) = self.read_predicted(slots, cursor, rules) else {
                self.trust.hit();
                return Ok(());
            };
            if read > 0 {
                self.fields.iter_mut().for_each(|f| f.node.truncate(self.len));
            }
            cursor.rewind(start, depth);
            self.trust.miss();
        }
        self.read_any::<true>(cursor, rules)
    }

    /// An object with the keys and the spacing of the last one. What is otherwise, errors too, is left to
    /// [`RowNode::read_any`]: the number of values that were read until then.
    #[inline]
    fn read_predicted(&mut self, slots: usize, cursor: &mut Cursor<'_>, rules: &mut Rules) -> Result<(), usize> {
        if cursor.enter().is_err() {
            return Err(0);
        }
        let RowNode { fields, slots: all, keys, .. } = self;
        for (read, slot) in all[..slots].iter().enumerate() {
            if read > 0 {
                if cursor.peek() != b',' {
                    return Err(read);
                }
                cursor.pos += 1;
                if cursor.peek() == b' ' {
                    cursor.pos += 1;
                }
            }
            let rest = &cursor.window[cursor.pos.min(cursor.window.len())..];
            if !slot.is_at(rest, keys) {
                return Err(read);
            }
            cursor.pos += slot.key.len();
            let passed = match fields.get_mut(slot.field) {
                Some(field) => rules.value(&mut field.node, cursor),
                None => cursor.skip_value(),
            };
            if passed.is_err() {
                return Err(read + 1);
            }
        }
        if cursor.peek() != b'}' {
            return Err(slots);
        }
        cursor.leave();
        self.close();
        Ok(())
    }

    fn read_any<const LEARN: bool>(&mut self, cursor: &mut Cursor<'_>, rules: &mut Rules) -> Scan<()> {
        let start = cursor.pos;
        self.object += 1;
        let (mut seen, mut keys, mut slot, mut once) = (0, 0, 0, true);
        cursor.enter()?;
        if cursor.peek() != b'}' {
            loop {
                let field =
                    if LEARN { self.key(cursor, &mut slot)? } else { self.key_by_name::<false>(cursor, &mut slot)? };
                keys += 1;
                if field == UNWANTED {
                    cursor.skip_value()?;
                } else {
                    let wanted = &mut self.fields[field];
                    if wanted.seen_in == self.object {
                        // The last of several wins.
                        wanted.node.truncate(self.len);
                        once = false;
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
        // Without leaps every key has its slot.
        if LEARN && once && seen == self.fields.len() && keys > 0 && slot == keys && keys <= self.slots.len() {
            self.whole = Some(keys);
        }
        self.close();
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
        self.key_by_name::<true>(cursor, slot)
    }

    fn key_by_name<const LEARN: bool>(&mut self, cursor: &mut Cursor<'_>, slot: &mut usize) -> Scan<usize> {
        if cursor.peek() != b'"' {
            return Err(cursor.unexpected("a field name"));
        }
        let start = cursor.pos;
        let field = match words::closing_quote(cursor.window, start + 1) {
            Some(quote) if cursor.data.get(quote + 1) == Some(&b':') => {
                cursor.pos = quote + 2;
                if cursor.peek() <= b' ' {
                    cursor.skip_space();
                }
                self.field_named(&cursor.data[start + 1..quote])
            }
            _ => {
                let (name, escaped) = cursor.string()?;
                cursor.colon()?;
                if escaped {
                    let mut text = vec![];
                    unescape(name, &mut text);
                    self.field_named(&text)
                } else {
                    self.field_named(name)
                }
            }
        };
        if LEARN {
            self.remember(&cursor.data[start..cursor.pos], field, *slot);
        }
        *slot += 1;
        Ok(field)
    }

    #[inline]
    fn field_named(&self, name: &[u8]) -> usize {
        let same_len = self.by_len.get(name.len()).map(Vec::as_slice).unwrap_or_default();
        let head = head(name);
        let found = same_len
            .iter()
            .find(|(first, field)| *first == head && (name.len() <= 8 || self.fields[*field].name.as_bytes() == name));
        found.map_or(UNWANTED, |(_, field)| *field)
    }

    fn remember(&mut self, key: &[u8], field: usize, slot: usize) {
        self.whole = None;
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
