//! JSON records straight into Arrow columns, by Flink's conversions (its parser-based decoder).
//!
//! One pass a record and no tree. The whole record must be JSON; types are checked for the wanted columns alone. A bad
//! record costs a reject with its reason and leaves no trace in the columns. Where Flink's own answer depends on
//! which columns a query reads (a key that comes twice) or text is lost in silence (what follows the object), the
//! last key wins and the record is refused.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arus_core::change::arrow_bug;
use arus_core::connector::{Decoded, Decoder, RawBatch, Rejected};
use arus_core::limits::RECORD_BYTES;
use arus_core::{Result, RowSchema, text};

use super::build::{Lists, Node, Texts, Values};
use super::row::RowNode;
use super::scan::{Bad, Cursor, Number, Scan, unescape};
use super::{base64, compact, time, words};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampFormat {
    Sql,
    Iso8601,
}

/// The options of decoding, and buffers that are used again.
pub(super) struct Rules {
    pub(super) fail_on_missing_field: bool,
    pub(super) ignore_parse_errors: bool,
    pub(super) timestamps: TimestampFormat,
    pub(super) scratch: Vec<u8>,
}

pub(crate) struct JsonDecoder {
    schema: SchemaRef,
    root: RowNode,
    rules: Rules,
}

impl JsonDecoder {
    pub(crate) fn new(
        columns: &RowSchema,
        fail_on_missing_field: bool,
        ignore_parse_errors: bool,
        timestamps: TimestampFormat,
    ) -> Result<Self> {
        let fields: Result<Vec<_>> =
            columns.columns().iter().map(|c| Ok((c.name.clone(), Node::new(&c.ty, &c.name)?))).collect();
        let rules = Rules { fail_on_missing_field, ignore_parse_errors, timestamps, scratch: vec![] };
        Ok(JsonDecoder { schema: columns.to_arrow(), root: RowNode::new(fields?), rules })
    }

    /// Appends the rows of the record in the first `len` bytes of `window`, which is known to be `ascii` or not: an object gives one, an array one for each of its objects.
    fn record(&mut self, window: &[u8], len: usize, ascii: bool) -> Scan<()> {
        let bytes = &window[..len];
        if bytes.len() > RECORD_BYTES {
            return Err(Bad::value(RECORD_BYTES, format!("longer than {RECORD_BYTES} bytes")));
        }
        if !ascii
            && !bytes.is_ascii()
            && let Err(error) = std::str::from_utf8(bytes)
        {
            return Err(Bad::syntax(error.valid_up_to(), "expected UTF-8"));
        }
        let mut cursor = Cursor::new(window, len);
        if bytes.starts_with(b"\xEF\xBB\xBF") {
            cursor.pos = 3;
        }
        cursor.skip_space();
        match cursor.peek() {
            b'{' => self.root.read(&mut cursor, &mut self.rules)?,
            b'[' => self.rows(&mut cursor)?,
            _ => return Err(cursor.unexpected("an object or an array of objects")),
        }
        cursor.skip_space();
        if cursor.pos < bytes.len() {
            return Err(cursor.unexpected("nothing after the end of the record"));
        }
        Ok(())
    }

    fn rows(&mut self, cursor: &mut Cursor<'_>) -> Scan<()> {
        cursor.enter()?;
        if cursor.peek() != b']' {
            for index in 0.. {
                if cursor.peek() != b'{' {
                    return Err(cursor.unexpected("an object").in_element(index));
                }
                self.root.read(cursor, &mut self.rules).map_err(|bad| bad.in_element(index))?;
                if !cursor.comma_or(b']')? {
                    break;
                }
            }
        }
        cursor.leave();
        Ok(())
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, raw: &RawBatch) -> Result<Decoded> {
        let mut records = Vec::with_capacity(raw.records.len());
        let mut rejected = vec![];
        // Mostly true, and told much faster of all than of each.
        let ascii = raw.data.is_ascii();
        for (index, record) in raw.records.iter().enumerate() {
            // Kafka's null values and empty lines give no row, as in Flink.
            let Some(span) = record.value.filter(|v| v.len > 0) else { continue };
            let rows = self.root.len();
            match self.record(&raw.data[span.start as usize..], span.len as usize, ascii) {
                Ok(()) if self.root.len() == rows + 1 => records.push(index as u32),
                Ok(()) => records.extend(std::iter::repeat_n(index as u32, self.root.len() - rows)),
                Err(bad) => {
                    self.root.truncate(rows);
                    if !self.rules.ignore_parse_errors {
                        rejected.push(Rejected { record: index as u32, reason: bad.reason() });
                    }
                }
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        let columns: Result<Vec<_>> = self.root.fields_mut().map(|f| f.node.finish()).collect();
        self.root.truncate(0);
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns?, &options).map_err(arrow_bug)?;
        Ok(Decoded { rows, kinds: None, records, rejected })
    }
}

impl Rules {
    /// Appends the value at the cursor to `node`.
    #[inline(always)]
    pub(super) fn value(&mut self, node: &mut Node, cursor: &mut Cursor<'_>) -> Scan<()> {
        if self.common_value(node, cursor) { Ok(()) } else { self.any_value(node, cursor) }
    }

    /// The value in the form that most have, or nothing.
    #[inline(always)]
    fn common_value(&mut self, node: &mut Node, cursor: &mut Cursor<'_>) -> bool {
        match node {
            Node::BigInt(values) => match words::integer(cursor.window, cursor.pos) {
                Some((value, end)) if cursor.advance(end) => values.push(value),
                _ => return false,
            },
            Node::Int(values) => match words::integer(cursor.window, cursor.pos) {
                Some((value, end)) if value <= i64::from(i32::MAX) && cursor.advance(end) => values.push(value as i32),
                _ => return false,
            },
            Node::String(views) => {
                let start = cursor.pos + 1;
                if cursor.peek() != b'"' {
                    return false;
                }
                match words::closing_quote(cursor.window, start) {
                    Some(quote) if cursor.advance(quote + 1) => views.push_from(cursor.window, start, quote),
                    _ => return false,
                }
            }
            Node::Timestamp { values, precision, local_zone, minute } => {
                if cursor.peek() != b'"' {
                    return false;
                }
                match minute.timestamp(cursor.window, cursor.pos, self.timestamps, *precision, *local_zone) {
                    Some((value, end)) if cursor.advance(end) => values.push(value),
                    _ => return false,
                }
            }
            _ => return false,
        }
        true
    }

    fn any_value(&mut self, node: &mut Node, cursor: &mut Cursor<'_>) -> Scan<()> {
        if !self.ignore_parse_errors {
            return self.strict_value(node, cursor);
        }
        let (start, depth, len) = (cursor.pos, cursor.depth(), node.len());
        match self.strict_value(node, cursor) {
            Err(bad) if !bad.is_syntax() => {
                node.truncate(len);
                node.push_null();
                cursor.rewind(start, depth);
                cursor.skip_value()
            }
            other => other,
        }
    }

    fn strict_value(&mut self, node: &mut Node, cursor: &mut Cursor<'_>) -> Scan<()> {
        if cursor.peek() == b'n' {
            cursor.literal("null")?;
            node.push_null();
            return Ok(());
        }
        match node {
            Node::Null(len) => {
                *len += 1;
                cursor.skip_value()
            }
            Node::Boolean(bits) => {
                let value = self.boolean(cursor)?;
                bits.push(value);
                Ok(())
            }
            Node::TinyInt(values) => self.small(values, cursor, "TINYINT"),
            Node::SmallInt(values) => self.small(values, cursor, "SMALLINT"),
            Node::Int(values) => {
                let at = cursor.pos;
                let value = self.integer(cursor, "INT")?;
                values.push(i32::try_from(value).map_err(|_| out_of_range(at, "INT", value))?);
                Ok(())
            }
            Node::BigInt(values) => {
                values.push(self.integer(cursor, "BIGINT")?);
                Ok(())
            }
            Node::Float(values) => {
                let value = self.float(cursor, "FLOAT", |c, n| as_text(c, n).parse().ok(), text::parse_float)?;
                values.push(value);
                Ok(())
            }
            Node::Double(values) => {
                let value = self.float(cursor, "DOUBLE", |c, n| Some(double(c, n)), text::parse_double)?;
                values.push(value);
                Ok(())
            }
            Node::Decimal { values, precision, scale } => {
                let ty = (*precision, *scale);
                match self.decimal(cursor, ty)? {
                    Some(value) => values.push(value),
                    None => node.push_null(),
                }
                Ok(())
            }
            Node::String(views) => self.string(views, cursor),
            Node::Bytes(views) => self.bytes(views, cursor),
            Node::Date(values) => {
                let days = self.parsed(cursor, "DATE 'yyyy-MM-dd'", time::date)?;
                values.push(days);
                Ok(())
            }
            Node::Time(values) => {
                let ms = self.parsed(cursor, "TIME 'HH:mm:ss'", text::parse_time_json)?;
                values.push(ms);
                Ok(())
            }
            Node::Timestamp { values, precision, local_zone, .. } => {
                let value = self.timestamp(cursor, *precision, *local_zone)?;
                values.push(value);
                Ok(())
            }
            Node::Array { lists, element } => self.array(lists, element, cursor),
            Node::Map { lists, keys, values } => self.map(lists, keys, values, cursor),
            Node::Row(row) => {
                if cursor.peek() != b'{' {
                    return Err(wrong_type(cursor, "ROW"));
                }
                row.read(cursor, self)
            }
        }
    }

    /// The text of a string, unescaped.
    #[inline]
    fn text<'t, 'a: 't>(&'t mut self, cursor: &mut Cursor<'a>) -> Scan<&'t str> {
        let (bytes, escaped) = cursor.string()?;
        let bytes = if escaped {
            self.scratch.clear();
            unescape(bytes, &mut self.scratch);
            self.scratch.as_slice()
        } else {
            bytes
        };
        Ok(std::str::from_utf8(bytes).expect("a slice of UTF-8 between ASCII quotes"))
    }

    /// Whatever is not true is false: Flink's BOOLEAN never fails.
    fn boolean(&mut self, cursor: &mut Cursor<'_>) -> Scan<bool> {
        match cursor.peek() {
            b't' => cursor.literal("true").map(|()| true),
            b'f' => cursor.literal("false").map(|()| false),
            b'"' => Ok(java_trim(self.text(cursor)?).eq_ignore_ascii_case("true")),
            _ => cursor.skip_value().map(|()| false),
        }
    }

    /// INT and BIGINT: numbers are cut towards zero, strings must be whole.
    #[inline]
    fn integer(&mut self, cursor: &mut Cursor<'_>, ty: &str) -> Scan<i64> {
        let at = cursor.pos;
        match cursor.peek() {
            b'-' | b'0'..=b'9' => {
                let number = cursor.number()?;
                whole(&number)
                    .or_else(|| cut(cursor, &number))
                    .ok_or_else(|| Bad::value(at, format!("{} is out of the range of {ty}", as_text(cursor, &number))))
            }
            b'"' => {
                let text = java_trim(self.text(cursor)?);
                text.parse().map_err(|_| wrong_text(at, ty, text))
            }
            _ => Err(wrong_type(cursor, ty)),
        }
    }

    /// TINYINT and SMALLINT: Flink parses their text, so a fraction fails.
    fn small<T>(&mut self, values: &mut Values<T>, cursor: &mut Cursor<'_>, ty: &str) -> Scan<()>
    where
        T: arrow::datatypes::ArrowNativeType + TryFrom<i64>,
    {
        let at = cursor.pos;
        let value = match cursor.peek() {
            b'-' | b'0'..=b'9' => {
                let number = cursor.number()?;
                let found = as_text(cursor, &number);
                if !number.integer {
                    return Err(Bad::value(at, format!("expected {ty}, found {found}")));
                }
                whole(&number).ok_or_else(|| Bad::value(at, format!("{found} is out of the range of {ty}")))?
            }
            _ => self.integer(cursor, ty)?,
        };
        values.push(T::try_from(value).map_err(|_| out_of_range(at, ty, value))?);
        Ok(())
    }

    fn float<T>(
        &mut self,
        cursor: &mut Cursor<'_>,
        ty: &str,
        of_number: impl Fn(&Cursor<'_>, &Number) -> Option<T>,
        of_text: impl Fn(&str) -> Option<T>,
    ) -> Scan<T> {
        let at = cursor.pos;
        match cursor.peek() {
            b'-' | b'0'..=b'9' => {
                let number = cursor.number()?;
                of_number(cursor, &number).ok_or_else(|| wrong_text(at, ty, as_text(cursor, &number)))
            }
            b'"' => {
                let text = self.text(cursor)?;
                of_text(text).ok_or_else(|| wrong_text(at, ty, text))
            }
            _ => Err(wrong_type(cursor, ty)),
        }
    }

    /// Rounded half up; `None` (NULL) where the precision does not suffice.
    fn decimal(&mut self, cursor: &mut Cursor<'_>, (precision, scale): (u8, u8)) -> Scan<Option<i128>> {
        let at = cursor.pos;
        match cursor.peek() {
            b'-' | b'0'..=b'9' => {
                let number = cursor.number()?;
                Ok(scaled(&number, precision, scale)
                    .unwrap_or_else(|| text::parse_decimal(as_text(cursor, &number), precision, scale)))
            }
            b'"' => {
                let text = java_trim(self.text(cursor)?);
                if !is_decimal(text) {
                    return Err(wrong_text(at, &format!("DECIMAL({precision}, {scale})"), text));
                }
                Ok(text::parse_decimal(text, precision, scale))
            }
            _ => Err(wrong_type(cursor, &format!("DECIMAL({precision}, {scale})"))),
        }
    }

    /// Whatever is no string becomes its JSON text.
    fn string(&mut self, views: &mut Texts, cursor: &mut Cursor<'_>) -> Scan<()> {
        let start = cursor.pos;
        match cursor.peek() {
            b'"' => {
                let (bytes, escaped) = cursor.string()?;
                if escaped {
                    self.scratch.clear();
                    unescape(bytes, &mut self.scratch);
                    views.push(&self.scratch);
                } else {
                    views.push(bytes);
                }
            }
            b'{' | b'[' => {
                cursor.skip_value()?;
                self.scratch.clear();
                compact::write(&cursor.data[start..cursor.pos], &mut self.scratch);
                views.push(&self.scratch);
            }
            _ => {
                cursor.skip_value()?;
                views.push(&cursor.data[start..cursor.pos]);
            }
        }
        Ok(())
    }

    fn bytes(&mut self, views: &mut Texts, cursor: &mut Cursor<'_>) -> Scan<()> {
        let at = cursor.pos;
        if cursor.peek() != b'"' {
            return Err(wrong_type(cursor, "BYTES as base64"));
        }
        let decoded = {
            let text = self.text(cursor)?;
            base64::decode(text.as_bytes()).ok_or_else(|| wrong_text(at, "BYTES as base64", text))?
        };
        views.push(&decoded);
        Ok(())
    }

    fn parsed<T>(&mut self, cursor: &mut Cursor<'_>, ty: &str, parse: impl Fn(&str) -> Option<T>) -> Scan<T> {
        let at = cursor.pos;
        if cursor.peek() != b'"' {
            return Err(wrong_type(cursor, ty));
        }
        let text = self.text(cursor)?;
        parse(text).ok_or_else(|| wrong_text(at, ty, text))
    }

    #[inline]
    fn timestamp(&mut self, cursor: &mut Cursor<'_>, precision: u8, local_zone: bool) -> Scan<i64> {
        let format = self.timestamps;
        let at = cursor.pos;
        if cursor.peek() != b'"' {
            return Err(wrong_type(cursor, time::expected(format, local_zone)));
        }
        let text = self.text(cursor)?;
        time::timestamp(text, format, precision, local_zone)
            .ok_or_else(|| wrong_text(at, time::expected(format, local_zone), text))
    }

    fn array(&mut self, lists: &mut Lists, element: &mut Node, cursor: &mut Cursor<'_>) -> Scan<()> {
        if cursor.peek() != b'[' {
            return Err(wrong_type(cursor, "ARRAY"));
        }
        cursor.enter()?;
        if cursor.peek() != b']' {
            for index in 0.. {
                self.value(element, cursor).map_err(|bad| bad.in_element(index))?;
                if !cursor.comma_or(b']')? {
                    break;
                }
            }
        }
        cursor.leave();
        lists.push(element.len());
        Ok(())
    }

    fn map(&mut self, lists: &mut Lists, keys: &mut Texts, values: &mut Node, cursor: &mut Cursor<'_>) -> Scan<()> {
        if cursor.peek() != b'{' {
            return Err(wrong_type(cursor, "MAP"));
        }
        let first = lists.elements();
        let (start, depth) = (cursor.pos, cursor.depth());
        self.entries(keys, values, cursor, &[])?;
        let overridden = overridden(keys, first, values.len());
        if !overridden.is_empty() {
            keys.truncate(first);
            values.truncate(first);
            cursor.rewind(start, depth);
            self.entries(keys, values, cursor, &overridden)?;
        }
        lists.push(values.len());
        Ok(())
    }

    /// Appends the entries of the object at the cursor but those at the (ascending) indexes in `without`.
    fn entries(&mut self, keys: &mut Texts, values: &mut Node, cursor: &mut Cursor<'_>, without: &[usize]) -> Scan<()> {
        let mut without = without.iter().copied().peekable();
        cursor.enter()?;
        if cursor.peek() != b'}' {
            for index in 0.. {
                if cursor.peek() != b'"' {
                    return Err(cursor.unexpected("a key"));
                }
                let (key, escaped) = cursor.string()?;
                cursor.colon()?;
                if without.next_if_eq(&index).is_some() {
                    cursor.skip_value()?;
                } else {
                    if escaped {
                        self.scratch.clear();
                        unescape(key, &mut self.scratch);
                        keys.push(&self.scratch);
                    } else {
                        keys.push(key);
                    }
                    self.value(values, cursor).map_err(|bad| bad.in_field(&String::from_utf8_lossy(key)))?;
                }
                if !cursor.comma_or(b'}')? {
                    break;
                }
            }
        }
        cursor.leave();
        Ok(())
    }
}

/// Entries, counted from the map's first, whose key comes again later.
fn overridden(keys: &Texts, first: usize, end: usize) -> Vec<usize> {
    if end - first < 2 {
        return vec![];
    }
    let mut last = std::collections::HashMap::new();
    let mut found = vec![];
    for row in first..end {
        if let Some(earlier) = last.insert(keys.value(row), row - first) {
            found.push(earlier);
        }
    }
    found.sort_unstable();
    found
}

fn as_text<'a>(cursor: &Cursor<'a>, number: &Number) -> &'a str {
    std::str::from_utf8(&cursor.data[number.start..number.end]).expect("numbers are ASCII")
}

#[inline]
fn whole(number: &Number) -> Option<i64> {
    if !number.integer || !number.exact {
        return None;
    }
    if number.negative { 0i64.checked_sub_unsigned(number.mantissa) } else { i64::try_from(number.mantissa).ok() }
}

/// A fraction or an exponent cut towards zero, by way of a double as in Flink.
fn cut(cursor: &Cursor<'_>, number: &Number) -> Option<i64> {
    let value = double(cursor, number);
    (!number.integer && (-9_223_372_036_854_775_808.0..=9_223_372_036_854_775_807.0).contains(&value))
        .then_some(value as i64)
}

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Exact where mantissa and power are doubles themselves, so that one rounding decides; else by the text.
#[inline]
fn double(cursor: &Cursor<'_>, number: &Number) -> f64 {
    let power = POWERS.get(number.exponent.unsigned_abs() as usize);
    match power {
        Some(power) if number.exact && number.mantissa <= 1 << 53 => {
            let mantissa = number.mantissa as f64;
            let value = if number.exponent < 0 { mantissa / power } else { mantissa * power };
            if number.negative { -value } else { value }
        }
        _ => as_text(cursor, number).parse().expect("JSON's numbers are a part of Rust's"),
    }
}

/// The unscaled value, `Some(None)` when it needs more than `precision` digits, `None` when the text must decide.
#[inline]
fn scaled(number: &Number, precision: u8, scale: u8) -> Option<Option<i128>> {
    let shift = number.exponent.checked_add(i32::from(scale))?;
    if !number.exact || !(-18..=18).contains(&shift) {
        return None;
    }
    let mantissa = i128::from(number.mantissa);
    let power = 10i128.pow(shift.unsigned_abs());
    let value = if shift >= 0 { mantissa * power } else { (mantissa + power / 2) / power };
    let value = if number.negative { -value } else { value };
    Some((value.unsigned_abs() < 10u128.pow(u32::from(precision))).then_some(value))
}

/// The grammar of Java's `BigDecimal`.
pub(in crate::format) fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (number, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && whole.len() + fraction.len() > 0
        && exponent.is_none_or(|e| {
            let e = e.strip_prefix(['+', '-']).unwrap_or(e);
            !e.is_empty() && e.len() <= 10 && digits(e)
        })
}

/// Java's `trim`: everything up to the blank.
pub(in crate::format) fn java_trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

#[cold]
fn wrong_type(cursor: &Cursor<'_>, ty: &str) -> Bad {
    // A token that is no JSON is told as such.
    match cursor.peek() {
        b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' => {
            Bad::value(cursor.pos, format!("expected {ty}, found {}", cursor.found()))
        }
        _ => cursor.unexpected("a JSON value"),
    }
}

#[cold]
fn wrong_text(at: usize, ty: &str, text: &str) -> Bad {
    let shown: String = text.chars().take(60).collect();
    let dots = if shown.len() < text.len() { ".." } else { "" };
    Bad::value(at, format!("expected {ty}, found \"{shown}{dots}\""))
}

#[cold]
fn out_of_range(at: usize, ty: &str, value: i64) -> Bad {
    Bad::value(at, format!("{value} is out of the range of {ty}"))
}
