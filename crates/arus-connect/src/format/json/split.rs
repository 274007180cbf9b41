//! The records of a request's body: what the HTTP door hands to the decoder.

use std::collections::{BTreeSet, HashSet};

use arus_core::connector::{RawBatch, RawRecord, Span};
use arus_core::error::Code;
use arus_core::{Error, Result, RowSchema};
use bytes::Bytes;

use super::scan::{Cursor, Scan, unescape};

fn record(index: usize, start: usize, end: usize) -> RawRecord {
    let value = Some(Span { start: start as u32, len: (end - start) as u32 });
    RawRecord { value, key: None, headers: None, offset: index as i64, timestamp_ms: 0 }
}

/// One object, or an array whose elements are the records. A body that is no JSON is an error as a whole, since nobody
/// can tell where its records are.
pub fn split_json(body: Bytes) -> Result<RawBatch> {
    let records = spans(&body)
        .map_err(|bad| Error::user(format!("the body is no JSON: {}", bad.reason())).with_code(Code::InvalidValue))?;
    let records = records.into_iter().enumerate().map(|(i, (start, end))| record(i, start, end)).collect();
    Ok(RawBatch { data: body, records, partition: 0 })
}

fn spans(body: &[u8]) -> Scan<Vec<(usize, usize)>> {
    let mut cursor = Cursor::new(body, body.len());
    let mut found = vec![];
    cursor.skip_space();
    if cursor.peek() == b'[' {
        cursor.enter()?;
        if cursor.peek() != b']' {
            loop {
                let start = cursor.pos;
                cursor.skip_value()?;
                found.push((start, cursor.pos));
                if !cursor.comma_or(b']')? {
                    break;
                }
            }
        }
        cursor.leave();
    } else {
        let start = cursor.pos;
        cursor.skip_value()?;
        found.push((start, cursor.pos));
    }
    cursor.skip_space();
    if cursor.pos < body.len() {
        return Err(cursor.unexpected("nothing after the end of the body"));
    }
    Ok(found)
}

/// One record a line; blank lines are none.
pub fn split_ndjson(body: Bytes) -> RawBatch {
    let mut records = vec![];
    let mut start = 0;
    for line in body.split_inclusive(|b| *b == b'\n') {
        let blank = line.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let content = line.trim_ascii();
        if !content.is_empty() {
            records.push(record(records.len(), start + blank, start + blank + content.len()));
        }
        start += line.len();
    }
    RawBatch { data: body, records, partition: 0 }
}

/// Names of fields that stand in some record and are no column.
pub fn unknown_fields(raw: &RawBatch, columns: &RowSchema) -> Vec<String> {
    let known: HashSet<&[u8]> = columns.columns().iter().map(|c| c.name.as_bytes()).collect();
    let mut unknown = BTreeSet::new();
    for span in raw.records.iter().filter_map(|r| r.value) {
        let bytes = raw.bytes(span);
        let mut cursor = Cursor::new(bytes, bytes.len());
        // The decoder has its own word on a record that is no JSON.
        if names(&mut cursor, &known, &mut unknown).is_err() {
            continue;
        }
    }
    unknown.into_iter().collect()
}

/// More are not worth an answer's length.
const UNKNOWN: usize = 100;

fn names(cursor: &mut Cursor<'_>, known: &HashSet<&[u8]>, unknown: &mut BTreeSet<String>) -> Scan<()> {
    cursor.skip_space();
    if cursor.peek() != b'{' {
        return cursor.skip_value();
    }
    cursor.enter()?;
    if cursor.peek() != b'}' {
        let mut name = vec![];
        loop {
            if cursor.peek() != b'"' {
                return Err(cursor.unexpected("a field name"));
            }
            let (text, _) = cursor.string()?;
            name.clear();
            unescape(text, &mut name);
            if !known.contains(name.as_slice()) && unknown.len() < UNKNOWN {
                unknown.insert(String::from_utf8_lossy(&name).into_owned());
            }
            cursor.colon()?;
            cursor.skip_value()?;
            if !cursor.comma_or(b'}')? {
                break;
            }
        }
    }
    cursor.leave();
    Ok(())
}

#[cfg(test)]
mod tests {
    use arus_core::{Column, TypeKind};

    use super::*;

    fn texts(raw: &RawBatch) -> Vec<String> {
        let values = raw.records.iter().map(|r| raw.bytes(r.value.expect("a value")));
        values.map(|v| String::from_utf8_lossy(v).into_owned()).collect()
    }

    #[test]
    fn bodies_are_split_into_records() {
        let split = |body: &'static str| split_json(Bytes::from_static(body.as_bytes()));
        assert_eq!(texts(&split(" {\"a\":[1,2]} ").expect("one")), ["{\"a\":[1,2]}"]);
        assert_eq!(texts(&split("[ {\"a\":1} , 7,{} ]\n").expect("three")), ["{\"a\":1}", "7", "{}"]);
        assert_eq!(texts(&split("[]").expect("none")), [""; 0]);
        for broken in ["", "[{}", "{} {}", "[1,]"] {
            let error = split(broken).expect_err(broken);
            assert!(error.message().starts_with("the body is no JSON: invalid JSON at byte "), "{error}");
        }
        let lines = split_ndjson(Bytes::from_static(b"{\"a\":1}\r\n\n  {\"b\" : 2}\t\nx"));
        assert_eq!(texts(&lines), ["{\"a\":1}", "{\"b\" : 2}", "x"]);
        let columns = RowSchema::new(vec![Column { name: "a".into(), ty: TypeKind::Int.nullable() }]);
        assert_eq!(unknown_fields(&lines, &columns), ["b"]);
    }
}
