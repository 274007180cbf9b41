//! COPY .. TO STDOUT: rows as text, CSV or binary.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::{StreamExt, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::{CopyResponse, FieldInfo};
use pgwire::messages::copy::CopyData;

use super::encode::Batches;
use super::error::to_pg_error;
use super::statement::{Copy, CopyFormat};
use super::types;
use super::value::{Style, write_binary, write_sized, write_text};

/// A row without a number of columns.
const BINARY_END: &[u8] = &[0xFF, 0xFF];
/// Signature, flags and the length of an extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xFF\r\n\0\0\0\0\0\0\0\0\0";

pub(super) fn response(copy: Copy, schema: &SchemaRef, batches: Batches, style: Style) -> CopyResponse {
    let fields = Arc::new(types::describe(schema, &Format::UnifiedText));
    let binary = copy.format == CopyFormat::Binary;
    let columns = fields.len();
    let mut first = vec![];
    if binary {
        first.extend(BINARY_HEADER);
    } else if copy.header {
        let names: Vec<_> = fields.iter().map(|f| Some(f.name().to_string())).collect();
        let mut line = String::new();
        write_line(&mut line, &names, &[], &copy);
        first.extend(line.into_bytes());
    }
    let rows = batches.flat_map(move |batch| {
        stream::iter(match batch {
            Ok(batch) => (0..batch.num_rows()).map(|row| Ok(one(&batch, row, &fields, &copy, &style))).collect(),
            Err(e) => vec![Err(to_pg_error(e))],
        })
    });
    let mut response = if binary {
        // The head comes with the first row, or with the end.
        let mut head = Some(first);
        let ended = rows.chain(stream::iter([Ok(BINARY_END.to_vec())]));
        let messages = ended.map(move |message| {
            message.map(|row| CopyData::new(Bytes::from([head.take().unwrap_or_default(), row].concat())))
        });
        CopyResponse::new(0, columns, messages)
    } else {
        let head = stream::iter((!first.is_empty()).then_some(Ok(first)));
        CopyResponse::new(0, columns, head.chain(rows).map(|row| row.map(|row| CopyData::new(Bytes::from(row)))))
    };
    response.format = i8::from(binary);
    response
}

/// One message is one row: psql and drivers count on it.
fn one(batch: &RecordBatch, row: usize, fields: &[FieldInfo], copy: &Copy, style: &Style) -> Vec<u8> {
    if copy.format == CopyFormat::Binary {
        let mut out = (fields.len() as i16).to_be_bytes().to_vec();
        for (column, field) in batch.columns().iter().zip(fields) {
            write_sized(&mut out, |out| write_binary(out, column, row, field.datatype()));
        }
        return out;
    }
    let values: Vec<Option<String>> = batch
        .columns()
        .iter()
        .zip(fields)
        .map(|(column, field)| {
            let mut text = String::new();
            write_text(&mut text, column, row, field.datatype(), style).then_some(text)
        })
        .collect();
    let forced: Vec<bool> = fields
        .iter()
        .map(|f| copy.force_quote.as_ref().is_none_or(|names| names.iter().any(|n| n == f.name())))
        .collect();
    let mut line = String::new();
    write_line(&mut line, &values, &forced, copy);
    line.into_bytes()
}

fn write_line(out: &mut String, values: &[Option<String>], forced: &[bool], copy: &Copy) {
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(copy.delimiter);
        }
        match value {
            None => out.push_str(&copy.null),
            Some(text) if copy.format == CopyFormat::Csv => {
                let only = values.len() == 1;
                write_csv(out, text, forced.get(i).copied().unwrap_or(false), only, copy);
            }
            Some(text) => write_escaped(out, text, copy.delimiter),
        }
    }
    out.push('\n');
}

fn write_csv(out: &mut String, text: &str, forced: bool, only: bool, copy: &Copy) {
    let special = |c: char| c == copy.delimiter || c == copy.quote || c == '\n' || c == '\r';
    // A lone `\.` would end the data.
    if forced || text == copy.null || text.contains(special) || (only && text == "\\.") {
        out.push(copy.quote);
        for c in text.chars() {
            if c == copy.quote || c == copy.escape {
                out.push(copy.escape);
            }
            out.push(c);
        }
        out.push(copy.quote);
    } else {
        out.push_str(text);
    }
}

fn write_escaped(out: &mut String, text: &str, delimiter: char) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c == delimiter => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::{ClientStatement, recognise};
    use super::*;

    fn line(options: &str, values: &[Option<&str>]) -> String {
        let statement = recognise(&format!("COPY t TO STDOUT {options}")).expect("a statement");
        let Some(ClientStatement::Copy(copy)) = statement else { panic!("a copy") };
        let values: Vec<_> = values.iter().map(|v| v.map(str::to_string)).collect();
        let mut out = String::new();
        write_line(&mut out, &values, &vec![copy.force_quote.is_none(); values.len()], &copy);
        out
    }

    #[test]
    fn lines_are_as_postgres_writes_them() {
        let values = [Some("a\tb\\"), None, Some("x,\"y\""), Some("")];
        assert_eq!(line("", &values), "a\\tb\\\\\t\\N\tx,\"y\"\t\n");
        assert_eq!(line("WITH CSV", &values), "a\tb\\,,\"x,\"\"y\"\"\",\"\"\n");
        assert_eq!(line("(FORMAT csv, FORCE_QUOTE *, NULL 'nil')", &values), "\"a\tb\\\",nil,\"x,\"\"y\"\"\",\"\"\n");
    }
}
