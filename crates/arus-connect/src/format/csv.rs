//! `'format' = 'csv'`: one record is one line of fields in the order of the table's columns, by the rules of flink-csv 2.3
//! (Jackson's reader and writer).
//!
//! In a file a quoted field may hold line ends. ARRAY and ROW of simple types lie in one field, their elements apart by
//! a delimiter of their own.

mod read;
mod write;

#[cfg(test)]
mod tests;

use arus_core::catalog::TableDef;
use arus_core::connector::{ConnectContext, Decoder, Encoder, Format, Framing, OptionDef, OptionKind};
use arus_core::error::Code;
use arus_core::{Error, LogicalType, Result, RowSchema, TypeKind};

use crate::options::Options;

pub(crate) struct Csv;

const FIELD_DELIMITER: &str = "field-delimiter";
const DISABLE_QUOTE: &str = "disable-quote-character";
const QUOTE: &str = "quote-character";
const ALLOW_COMMENTS: &str = "allow-comments";
const IGNORE_PARSE_ERRORS: &str = "ignore-parse-errors";
const ELEMENT_DELIMITER: &str = "array-element-delimiter";
const ESCAPE: &str = "escape-character";
const NULL_LITERAL: &str = "null-literal";
const SCIENTIFIC: &str = "write-bigdecimal-in-scientific-notation";

const fn option(name: &'static str, kind: OptionKind, default: Option<&'static str>, about: &'static str) -> OptionDef {
    OptionDef { name, kind, required: false, default, about }
}

const OPTIONS: &[OptionDef] = &[
    option(
        FIELD_DELIMITER,
        OptionKind::Text,
        Some(","),
        "one character; '\\t' and the like stand for what they do in Java",
    ),
    option(DISABLE_QUOTE, OptionKind::Boolean, Some("false"), "fields are never quoted"),
    option(QUOTE, OptionKind::Text, Some("\""), "one character around fields"),
    option(ALLOW_COMMENTS, OptionKind::Boolean, Some("false"), "pass over lines that begin with #"),
    option(
        IGNORE_PARSE_ERRORS,
        OptionKind::Boolean,
        Some("false"),
        "a field that cannot be read is NULL, a record that cannot be read is passed over",
    ),
    option(
        ELEMENT_DELIMITER,
        OptionKind::Text,
        Some(";"),
        "one character between elements of an ARRAY and fields of a ROW",
    ),
    option(ESCAPE, OptionKind::Text, None, "one character before one that is meant as such"),
    option(NULL_LITERAL, OptionKind::Text, None, "the text that is read and written for NULL"),
    option(SCIENTIFIC, OptionKind::Boolean, Some("true"), "1E+2 rather than 100; in files always, as in Flink"),
];

/// The characters of a table's records.
#[derive(Debug, Clone)]
pub(in crate::format::csv) struct Dialect {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    element_delimiter: u8,
    comments: bool,
    null: Option<String>,
}

impl Dialect {
    fn of(table: &TableDef, options: &Options<'_>) -> Result<Self> {
        let one = |name: &str, text: &str| match text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
            _ => Err(options.wrong(name, "a single ASCII character", text)),
        };
        let disabled = options.flag(DISABLE_QUOTE)?;
        if disabled && table.option(&format!("csv.{QUOTE}")).is_some() {
            return Err(Error::user(format!(
                "table '{}': 'csv.{QUOTE}' is given although 'csv.{DISABLE_QUOTE}' is true",
                table.path
            ))
            .with_code(Code::InvalidOption)
            .with_hint("leave one of the two out"));
        }
        Ok(Dialect {
            delimiter: one(FIELD_DELIMITER, &java_unescaped(options.required(FIELD_DELIMITER)?))?,
            quote: if disabled { None } else { Some(one(QUOTE, options.required(QUOTE)?)?) },
            escape: options.text(ESCAPE).map(|text| one(ESCAPE, text)).transpose()?,
            element_delimiter: one(ELEMENT_DELIMITER, options.required(ELEMENT_DELIMITER)?)?,
            comments: options.flag(ALLOW_COMMENTS)?,
            null: options.text(NULL_LITERAL).map(str::to_string),
        })
    }
}

/// Java's escapes in the text of an option.
fn java_unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('u') => {
                let hex: String = chars.by_ref().take(4).collect();
                let found = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                out.push(found.unwrap_or('\u{fffd}'));
            }
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

/// Refuses what has no form in CSV: maps, and lists in lists.
fn check(table: &TableDef, schema: &RowSchema) -> Result<()> {
    let refuse = |column: &str, ty: &LogicalType| {
        Err(Error::user(format!("table '{}': column '{column}': format csv has no form for {}", table.path, ty.kind))
            .with_code(Code::NotSupported)
            .with_hint("simple types, and ARRAY and ROW of simple types can be written; or use format json"))
    };
    for column in schema.columns() {
        let nested: Vec<&LogicalType> = match &column.ty.kind {
            TypeKind::Array(element) => vec![element],
            TypeKind::Row(fields) => fields.iter().map(|f| &f.ty).collect(),
            _ => vec![&column.ty],
        };
        for ty in nested {
            match &ty.kind {
                TypeKind::Array(_) | TypeKind::Row(_) | TypeKind::Map(..) | TypeKind::Multiset(_) => {
                    return refuse(&column.name, &column.ty);
                }
                TypeKind::IntervalDayTime | TypeKind::IntervalYearMonth | TypeKind::Null => {
                    return refuse(&column.name, &column.ty);
                }
                TypeKind::Time(precision) if *precision > 3 => return refuse(&column.name, &column.ty),
                _ => {}
            }
        }
    }
    Ok(())
}

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn framing(&self, table: &TableDef) -> Result<Framing> {
        let Dialect { delimiter, quote, escape, .. } = Dialect::of(table, &Options::of_format(table, "csv.", OPTIONS))?;
        Ok(Framing::Quoted { delimiter, quote, escape })
    }

    fn decoder(&self, table: &TableDef, columns: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Decoder>> {
        let options = Options::of_format(table, "csv.", OPTIONS);
        let stored = stored_columns(table);
        check(table, &stored)?;
        let dialect = Dialect::of(table, &options)?;
        let lenient = options.flag(IGNORE_PARSE_ERRORS)?;
        Ok(Box::new(read::CsvDecoder::new(&stored, columns, dialect, lenient)?))
    }

    fn encoder(&self, table: &TableDef, schema: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Encoder>> {
        let options = Options::of_format(table, "csv.", OPTIONS);
        check(table, schema)?;
        let scientific = options.flag(SCIENTIFIC)? || table.connector() == Some("filesystem");
        let dialect = Dialect::of(table, &options)?;
        Ok(Box::new(write::CsvEncoder::new(table.path.to_string(), schema, dialect, scientific)))
    }
}

/// The columns that lie in a record: partition keys are in the names of folders.
pub(crate) fn stored_columns(table: &TableDef) -> RowSchema {
    let keys: Vec<&str> = table.partition_keys.iter().map(|i| table.columns[*i].name.as_str()).collect();
    table.physical_schema().columns().iter().filter(|c| !keys.contains(&c.name.as_str())).cloned().collect()
}

/// How long the record at the start of `bytes` is, and how long with its line end; `None`: it goes on behind them.
pub(crate) fn record_len(
    bytes: &[u8],
    at_end: bool,
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
) -> Option<(usize, usize)> {
    let mut at = 0;
    let mut field_start = true;
    while let Some(byte) = bytes.get(at).copied() {
        if field_start && Some(byte) == quote {
            field_start = false;
            at = read::quoted_end(bytes, at + 1, byte, escape)?;
            continue;
        }
        field_start = byte == delimiter;
        match byte {
            b'\n' => return Some((at, at + 1)),
            b'\r' => match bytes.get(at + 1) {
                Some(b'\n') => return Some((at, at + 2)),
                None if !at_end => return None,
                _ => return Some((at, at + 1)),
            },
            _ if Some(byte) == escape => at += 2,
            _ => at += 1,
        }
    }
    None
}
