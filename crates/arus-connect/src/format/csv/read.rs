//! Records to columns. A record is split into fields first; then the wanted ones are converted.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arus_core::change::arrow_bug;
use arus_core::connector::{Decoded, Decoder, RawBatch, Rejected};
use arus_core::limits::RECORD_BYTES;
use arus_core::{LogicalType, Result, RowSchema, TypeKind, text};

use super::Dialect;
use crate::format::json::base64;
use crate::format::json::build::Node;
use crate::format::json::decode::{is_decimal, java_trim};

pub(super) struct CsvDecoder {
    schema: SchemaRef,
    /// For each wanted column its field, name, type and what was read.
    columns: Vec<(usize, String, LogicalType, Node)>,
    /// Fields that a record may have at most.
    fields: usize,
    dialect: Dialect,
    lenient: bool,
    split: Fields,
}

/// The fields of a record, one after another in one text.
#[derive(Default)]
struct Fields {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Fields {
    fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(std::str::from_utf8(&self.text[start..end]).expect("text between ASCII characters of text"))
    }

    fn close(&mut self) {
        self.ends.push(self.text.len());
    }
}

/// Behind the closing quote of the field whose content starts at `at`; `None`: there is none.
pub(super) fn quoted_end(bytes: &[u8], mut at: usize, quote: u8, escape: Option<u8>) -> Option<usize> {
    loop {
        let byte = *bytes.get(at)?;
        if byte == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return Some(at + 1);
            }
            at += 2;
        } else if Some(byte) == escape {
            at += 2;
        } else {
            at += 1;
        }
    }
}

/// What stands for an escaped character.
fn unescaped(byte: u8) -> u8 {
    match byte {
        b'0' => 0,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}

impl CsvDecoder {
    pub(super) fn new(stored: &RowSchema, wanted: &RowSchema, dialect: Dialect, lenient: bool) -> Result<Self> {
        let columns: Result<Vec<_>> = wanted
            .columns()
            .iter()
            .map(|c| {
                let field = stored.index_of(&c.name).unwrap_or(usize::MAX);
                Ok((field, c.name.clone(), c.ty.clone(), Node::new(&c.ty, &c.name)?))
            })
            .collect();
        Ok(CsvDecoder {
            schema: wanted.to_arrow(),
            columns: columns?,
            fields: stored.len(),
            dialect,
            lenient,
            split: Fields::default(),
        })
    }

    /// Splits a record. The characters that matter are ASCII, so that bytes are looked at.
    fn split(&mut self, record: &[u8]) -> Result<(), String> {
        if record.len() > RECORD_BYTES {
            return Err(format!("longer than {RECORD_BYTES} bytes"));
        }
        if let Err(error) = std::str::from_utf8(record) {
            return Err(format!("expected UTF-8 at byte {}", error.valid_up_to()));
        }
        let Dialect { delimiter, quote, escape, .. } = self.dialect;
        let fields = &mut self.split;
        fields.text.clear();
        fields.ends.clear();
        let mut at = 0;
        loop {
            if fields.ends.len() == self.fields {
                return Err(format!("expected {} fields, found more", self.fields));
            }
            if let (Some(quote), Some(first)) = (quote, record.get(at))
                && *first == quote
            {
                let end = quoted_end(record, at + 1, quote, escape)
                    .filter(|end| *end <= record.len())
                    .ok_or_else(|| format!("the quote at byte {at} is not closed"))?;
                let mut content = record[at + 1..end - 1].iter();
                while let Some(byte) = content.next() {
                    if *byte == quote {
                        content.next();
                        fields.text.push(quote);
                    } else if Some(*byte) == escape {
                        fields.text.extend(content.next().map(|b| unescaped(*b)));
                    } else {
                        fields.text.push(*byte);
                    }
                }
                at = end;
                // Blanks may follow, nothing else.
                while record.get(at).is_some_and(|b| *b <= b' ' && *b != delimiter) {
                    at += 1;
                }
                if record.get(at).is_some_and(|b| *b != delimiter) {
                    return Err(format!("expected the delimiter after the quoted field at byte {at}"));
                }
            } else {
                while let Some(byte) = record.get(at).filter(|b| **b != delimiter) {
                    at += 1;
                    if Some(*byte) == escape {
                        fields.text.extend(record.get(at).map(|b| unescaped(*b)));
                        at += 1;
                    } else {
                        fields.text.push(*byte);
                    }
                }
            }
            fields.close();
            if at >= record.len() {
                return Ok(());
            }
            at += 1;
        }
    }

    /// Appends a row; `false`: the record is none. On an error the caller takes back what was written.
    fn record(&mut self, record: &[u8]) -> Result<bool, String> {
        if self.dialect.comments && record.starts_with(b"#") {
            return Ok(false);
        }
        self.split(record)?;
        let found = self.split.ends.len();
        if found < self.columns.len() && !self.lenient {
            return Err(format!("expected {} fields, found {found}", self.fields));
        }
        for (field, name, ty, node) in &mut self.columns {
            let outcome = match self.split.get(*field) {
                None => {
                    node.push_null();
                    Ok(())
                }
                Some(text) => {
                    let len = node.len();
                    column(text, ty, node, &self.dialect, self.lenient).or_else(|reason| {
                        if !self.lenient {
                            return Err(reason);
                        }
                        node.truncate(len);
                        node.push_null();
                        Ok(())
                    })
                }
            };
            outcome.map_err(|reason| format!("field '{name}': {reason}"))?;
        }
        Ok(true)
    }
}

/// A field, which is a list of its own for ARRAY and ROW. There the null literal is an element's.
fn column(text: &str, ty: &LogicalType, node: &mut Node, dialect: &Dialect, lenient: bool) -> Result<(), String> {
    let elements = || {
        let none = text.trim().is_empty();
        text.split(char::from(dialect.element_delimiter)).filter(move |_| !none)
    };
    match (&ty.kind, node) {
        (TypeKind::Array(element_type), Node::Array { lists, element }) => {
            for text in elements() {
                scalar_or_null(text, element_type, element, dialect, lenient)?;
            }
            lists.push(element.len());
            Ok(())
        }
        (TypeKind::Row(fields), Node::Row(row)) => {
            let found = elements().count();
            if found == 0 {
                row.push_null();
                return Ok(());
            }
            if found < fields.len() && !lenient {
                return Err(format!("expected a ROW of {} fields, found {found}", fields.len()));
            }
            let mut texts = elements();
            for (field, into) in fields.iter().zip(row.fields_mut()) {
                match texts.next() {
                    Some(text) => scalar_or_null(text, &field.ty, &mut into.node, dialect, lenient)?,
                    None => into.node.push_null(),
                }
            }
            row.close();
            Ok(())
        }
        (_, node) => scalar_or_null(text, ty, node, dialect, lenient),
    }
}

fn scalar_or_null(
    text: &str,
    ty: &LogicalType,
    node: &mut Node,
    dialect: &Dialect,
    lenient: bool,
) -> Result<(), String> {
    if dialect.null.as_deref() == Some(text) {
        node.push_null();
        return Ok(());
    }
    match scalar(text, node) {
        Some(()) => Ok(()),
        None if lenient => {
            node.push_null();
            Ok(())
        }
        None => {
            let shown: String = text.chars().take(60).collect();
            Err(format!("expected {}, found \"{shown}\"", ty.kind))
        }
    }
}

/// By the conversions of flink-csv; `None`: the text does not convert.
fn scalar(text: &str, node: &mut Node) -> Option<()> {
    match node {
        Node::Boolean(bits) => bits.push(java_trim(text).eq_ignore_ascii_case("true")),
        Node::TinyInt(values) => values.push(java_trim(text).parse().ok()?),
        Node::SmallInt(values) => values.push(java_trim(text).parse().ok()?),
        Node::Int(values) => values.push(java_trim(text).parse().ok()?),
        Node::BigInt(values) => values.push(java_trim(text).parse().ok()?),
        Node::Float(values) => values.push(text::parse_float(java_trim(text))?),
        Node::Double(values) => values.push(text::parse_double(java_trim(text))?),
        Node::Decimal { values, precision, scale } => {
            if !is_decimal(text) {
                return None;
            }
            match text::parse_decimal(text, *precision, *scale) {
                Some(value) => values.push(value),
                // More digits than the type has: NULL, not an error.
                None => node.push_null(),
            }
        }
        Node::String(texts) => texts.push(text.as_bytes()),
        Node::Bytes(texts) => texts.push(&base64::decode(text.trim_end().as_bytes())?),
        Node::Date(values) => values.push(date(text)?),
        Node::Time(values) => {
            let ms = match text.len() {
                5 => text::parse_time_json(&format!("{text}:00")),
                _ => text::parse_time_json(text),
            };
            values.push(ms?);
        }
        Node::Timestamp { values, precision, local_zone, .. } => {
            let trimmed = java_trim(text);
            let at =
                if *local_zone { text::parse_timestamp_sql_z(trimmed) } else { text::parse_timestamp_sql(trimmed) };
            values.push(at?.to_units(*precision)?);
        }
        Node::Null(_) | Node::Array { .. } | Node::Map { .. } | Node::Row(_) => return None,
    }
    Some(())
}

/// `yyyy-[m]m-[d]d`; a day that the month does not have runs into the next, as in `java.sql.Date`.
fn date(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let mut number = |longest: usize| {
        let part = parts.next()?;
        let fits = (1..=longest).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| part.parse::<u32>().ok()).flatten().map(|n| (n, part.len()))
    };
    let ((year, digits), (month, _), (day, _)) = (number(4)?, number(2)?, number(2)?);
    if digits != 4 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    i32::try_from(text::days_from_civil(i64::from(year), month, 1) + i64::from(day) - 1).ok()
}

impl Decoder for CsvDecoder {
    fn decode(&mut self, raw: &RawBatch) -> Result<Decoded> {
        let mut records = Vec::with_capacity(raw.records.len());
        let mut rejected = vec![];
        for (index, record) in raw.records.iter().enumerate() {
            let Some(span) = record.value else { continue };
            let rows = records.len();
            match self.record(raw.bytes(span)) {
                Ok(true) => records.push(index as u32),
                Ok(false) => {}
                Err(reason) => {
                    self.columns.iter_mut().for_each(|(.., node)| node.truncate(rows));
                    if !self.lenient {
                        rejected.push(Rejected { record: index as u32, reason });
                    }
                }
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        let columns: Result<Vec<_>> = self.columns.iter_mut().map(|(.., node)| node.finish()).collect();
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns?, &options).map_err(arrow_bug)?;
        Ok(Decoded { rows, kinds: None, records, rejected })
    }
}
