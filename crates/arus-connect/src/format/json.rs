//! `'format' = 'json'`: one record is one JSON object (or an array of them), by the rules of flink-json 2.3.

pub(in crate::format) mod base64;
pub(in crate::format) mod build;
mod compact;
pub(in crate::format) mod decode;
mod encode;
pub(in crate::format) mod row;
mod scan;
mod split;
mod time;
mod words;

#[cfg(test)]
mod tests;

use arus_core::catalog::TableDef;
use arus_core::connector::{ConnectContext, Decoder, Encoder, Format, OptionDef, OptionKind};
use arus_core::error::Code;
use arus_core::{Error, Result, RowSchema};

pub(crate) use decode::{JsonDecoder, TimestampFormat};
pub(crate) use encode::{JsonEncoder, RowWriter, Style, timestamp_value, write_decimal};
pub use split::{split_json, split_ndjson, unknown_fields};

use crate::options::Options;

pub(crate) struct Json;

pub(crate) const fn option(
    name: &'static str,
    kind: OptionKind,
    default: &'static str,
    about: &'static str,
) -> OptionDef {
    OptionDef { name, kind, required: false, default: Some(default), about }
}

const FAIL_ON_MISSING_FIELD: &str = "fail-on-missing-field";
pub(crate) const IGNORE_PARSE_ERRORS: &str = "ignore-parse-errors";
pub(crate) const TIMESTAMP_FORMAT: &str = "timestamp-format.standard";
pub(crate) const MAP_NULL_KEY_MODE: &str = "map-null-key.mode";
pub(crate) const MAP_NULL_KEY_LITERAL: &str = "map-null-key.literal";
pub(crate) const DECIMAL_AS_PLAIN_NUMBER: &str = "encode.decimal-as-plain-number";
pub(crate) const IGNORE_NULL_FIELDS: &str = "encode.ignore-null-fields";

pub(crate) const IGNORE_PARSE_ERRORS_OPTION: OptionDef = option(
    IGNORE_PARSE_ERRORS,
    OptionKind::Boolean,
    "false",
    "a field that cannot be read is NULL, a record that cannot be read is passed over",
);
pub(crate) const TIMESTAMP_FORMAT_OPTION: OptionDef = option(
    TIMESTAMP_FORMAT,
    OptionKind::Choice(&["SQL", "ISO-8601"]),
    "SQL",
    "SQL: 2020-01-01 00:00:00.0; ISO-8601: 2020-01-01T00:00:00.0",
);
pub(crate) const MAP_NULL_KEY_MODE_OPTION: OptionDef = option(
    MAP_NULL_KEY_MODE,
    OptionKind::Choice(&["FAIL", "DROP", "LITERAL"]),
    "FAIL",
    "what becomes of a NULL key of a map when it is written",
);
pub(crate) const MAP_NULL_KEY_LITERAL_OPTION: OptionDef =
    option(MAP_NULL_KEY_LITERAL, OptionKind::Text, "null", "stands for a NULL key in mode LITERAL");
pub(crate) const DECIMAL_AS_PLAIN_NUMBER_OPTION: OptionDef =
    option(DECIMAL_AS_PLAIN_NUMBER, OptionKind::Boolean, "false", "0.00000001 rather than 1E-8");
pub(crate) const IGNORE_NULL_FIELDS_OPTION: OptionDef =
    option(IGNORE_NULL_FIELDS, OptionKind::Boolean, "false", "leave out fields that are NULL");

const OPTIONS: &[OptionDef] = &[
    option(FAIL_ON_MISSING_FIELD, OptionKind::Boolean, "false", "a record without a wanted field is an error"),
    IGNORE_PARSE_ERRORS_OPTION,
    TIMESTAMP_FORMAT_OPTION,
    MAP_NULL_KEY_MODE_OPTION,
    MAP_NULL_KEY_LITERAL_OPTION,
    DECIMAL_AS_PLAIN_NUMBER_OPTION,
    IGNORE_NULL_FIELDS_OPTION,
    option("decode.json-parser.enabled", OptionKind::Boolean, "true", "accepted; there is one decoder here"),
];

/// How decoding and encoding treat timestamps.
pub(crate) fn timestamps(options: &Options<'_>) -> Result<TimestampFormat> {
    Ok(match options.choice(TIMESTAMP_FORMAT)? {
        "SQL" => TimestampFormat::Sql,
        _ => TimestampFormat::Iso8601,
    })
}

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn decoder(&self, table: &TableDef, columns: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Decoder>> {
        let options = Options::of_format(table, "json.", OPTIONS);
        let fail_on_missing_field = options.flag(FAIL_ON_MISSING_FIELD)?;
        let ignore_parse_errors = options.flag(IGNORE_PARSE_ERRORS)?;
        if fail_on_missing_field && ignore_parse_errors {
            return Err(Error::user(format!(
                "table '{}': 'json.{FAIL_ON_MISSING_FIELD}' and 'json.{IGNORE_PARSE_ERRORS}' cannot both be true",
                table.path
            ))
            .with_code(Code::InvalidOption));
        }
        let decoder = JsonDecoder::new(columns, fail_on_missing_field, ignore_parse_errors, timestamps(&options)?)?;
        Ok(Box::new(decoder))
    }

    fn encoder(&self, table: &TableDef, schema: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Encoder>> {
        let options = Options::of_format(table, "json.", OPTIONS);
        Ok(Box::new(JsonEncoder::new(table.path.to_string(), schema, style(&options)?)?))
    }
}

/// How rows are written, for every format that writes them as JSON.
pub(crate) fn style(options: &Options<'_>) -> Result<Style> {
    Ok(Style {
        timestamps: timestamps(options)?,
        null_keys: match options.choice(MAP_NULL_KEY_MODE)? {
            "DROP" => encode::NullKeys::Drop,
            "LITERAL" => encode::NullKeys::Literal(options.required(MAP_NULL_KEY_LITERAL)?.to_string()),
            _ => encode::NullKeys::Fail,
        },
        plain_decimals: options.flag(DECIMAL_AS_PLAIN_NUMBER)?,
        skip_nulls: options.flag(IGNORE_NULL_FIELDS)?,
    })
}

/// Records one after another, for tests of formats.
#[cfg(test)]
pub(crate) fn raw_records(records: &[&[u8]]) -> arus_core::connector::RawBatch {
    use arus_core::connector::{RawBatch, RawRecord, Span};
    let mut data = vec![];
    let records = records
        .iter()
        .enumerate()
        .map(|(i, bytes)| {
            let start = data.len() as u32;
            data.extend_from_slice(bytes);
            let span = Span { start, len: bytes.len() as u32 };
            RawRecord { value: Some(span), key: None, headers: None, offset: i as i64, timestamp_ms: 0 }
        })
        .collect();
    RawBatch { data: data.into(), records, partition: 0 }
}
