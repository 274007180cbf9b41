//! Flink's conversions one by one, rejects and rollback, encoding.

mod random;

use std::sync::Arc;

use arus_core::connector::{Decoded, EncodedRecords};
use arus_core::types::RowField;
use arus_core::{ChangeBatch, LogicalType, RowKind, TypeKind};

use crate::conformance::{Lines, context, table};
use crate::format::json::{Json, raw_records};
use crate::sink::print::RowLines;
use arus_core::connector::Format;

fn decode(columns: &[(&str, LogicalType)], options: &[(&str, &str)], records: &[&str]) -> Decoded {
    let table = table(columns, options);
    let cx = context(&Arc::new(Lines::default()));
    let mut decoder = Json.decoder(&table, &table.physical_schema(), &cx).expect("a decoder");
    let records: Vec<_> = records.iter().map(|r| r.as_bytes()).collect();
    decoder.decode(&raw_records(&records)).expect("never a failed batch")
}

fn lines(columns: &[(&str, LogicalType)], decoded: &Decoded) -> Vec<String> {
    let mut out = String::new();
    let rows = RowLines::new(columns.iter().map(|c| c.1.clone()).collect(), String::new());
    rows.write(&ChangeBatch::inserts(decoded.rows.clone()), &mut out);
    out.lines().map(str::to_string).collect()
}

/// What `value` becomes in a column of `ty`; `!` and the reason where it is rejected.
fn convert(ty: TypeKind, value: &str) -> String {
    convert_with(ty, value, &[])
}

fn convert_with(ty: TypeKind, value: &str, options: &[(&str, &str)]) -> String {
    let columns = [("a", ty.nullable())];
    let decoded = decode(&columns, options, &[&format!("{{\"a\":{value}}}")]);
    match decoded.rejected.first() {
        Some(rejected) => format!("!{}", rejected.reason),
        None => {
            let line = lines(&columns, &decoded).remove(0);
            line["+I[".len()..line.len() - 1].to_string()
        }
    }
}

fn row_type(fields: &[(&str, TypeKind)]) -> TypeKind {
    TypeKind::Row(
        fields.iter().map(|(n, t)| RowField { name: n.to_string(), ty: t.clone().nullable(), comment: None }).collect(),
    )
}

fn timestamp(precision: u8) -> TypeKind {
    TypeKind::Timestamp { precision, attribute: arus_core::TimeAttribute::None }
}

fn timestamp_ltz(precision: u8) -> TypeKind {
    TypeKind::TimestampLtz { precision, attribute: arus_core::TimeAttribute::None }
}

/// Values and columns as they were tried on Flink 2.3.
#[test]
fn conversions_are_flinks() {
    use TypeKind::*;
    let dec = Decimal { precision: 6, scale: 2 };
    let cases: &[(TypeKind, &[(&str, &str)])] = &[
        (TinyInt, &[("1", "1"), ("\" 1 \"", "1"), ("\"+1\"", "1"), ("-128", "-128")]),
        (Int, &[("1.9", "1"), ("-1.9", "-1"), ("1e2", "100"), ("\" 7 \"", "7"), ("-2147483648", "-2147483648")]),
        (
            BigInt,
            &[
                ("9223372036854775807", "9223372036854775807"),
                ("-9223372036854775808", "-9223372036854775808"),
                ("123456789012.5", "123456789012"),
                ("0", "0"),
                ("-0", "0"),
            ],
        ),
        (Float, &[("1", "1.0"), ("\"1.5\"", "1.5"), ("99999999999", "9.9999998E10"), ("\"NaN\"", "NaN")]),
        (
            Double,
            &[
                ("1e23", "9.999999999999999E22"),
                ("0.1", "0.1"),
                ("99999999999999999999", "1.0E20"),
                ("-0.0", "-0.0"),
                ("5e-324", "4.9E-324"),
                ("1.7976931348623157e308", "1.7976931348623157E308"),
            ],
        ),
        (
            dec,
            &[
                ("1", "1.00"),
                ("1e2", "100.00"),
                ("1.005", "1.01"),
                ("-1.005", "-1.01"),
                ("\" 1.5 \"", "1.50"),
                ("12345.678", "null"),
                ("9999.994", "9999.99"),
                ("9999.995", "null"),
                ("0.0000000000000000000000001", "0.00"),
            ],
        ),
        (Boolean, &[("true", "true"), ("\"TRUE\"", "true"), ("\"t\"", "false"), ("1", "false"), ("[1]", "false")]),
        (
            Varchar(3),
            &[
                ("\"abcd\"", "abcd"),
                ("1e2", "1e2"),
                ("1.50", "1.50"),
                ("true", "true"),
                ("[ 1, {\"b\" : null} ]", "[1,{\"b\":null}]"),
                ("{\"a\":\"x\\u00e9\\/\\n\"}", "{\"a\":\"xé/\\n\"}"),
                (r#""x\u00e9\ud83d\ude00""#, "xé😀"),
                (r#""\ud83d!""#, "?!"),
                ("{\"a\":1.50,\"b\":1e2,\"c\":-0,\"g\":1E400}", "{\"a\":1.5,\"b\":100.0,\"c\":0,\"g\":\"Infinity\"}"),
            ],
        ),
        (TypeKind::BYTES, &[("\"AQI=\"", "[1, 2]"), ("\"\"", "[]"), ("\"////\"", "[-1, -1, -1]")]),
        (Date, &[("\"2024-02-29\"", "2024-02-29"), ("\"0000-01-01\"", "0000-01-01")]),
        (Time(3), &[("\"12:34:56\"", "12:34:56"), ("\"12:34:56.789123\"", "12:34:56.789")]),
        (
            timestamp(3),
            &[
                ("\"2024-02-29 12:34:56\"", "2024-02-29T12:34:56"),
                ("\"2024-02-29 12:34:56.1234567\"", "2024-02-29T12:34:56.123"),
                ("\"2024-02-29 24:00:00\"", "2024-03-01T00:00"),
                ("\"0000-01-01 00:00:00\"", "0000-01-01T00:00"),
                ("\"1969-12-31 23:59:59.999\"", "1969-12-31T23:59:59.999"),
            ],
        ),
        (timestamp(9), &[("\"2024-02-29 12:34:56.123456789\"", "2024-02-29T12:34:56.123456789")]),
        (timestamp_ltz(3), &[("\"2024-02-29 12:34:56.789Z\"", "2024-02-29T12:34:56.789Z")]),
        (Array(Box::new(Int.nullable())), &[("[]", "[]"), ("[1, null,\"3\" ]", "[1, null, 3]")]),
        (
            Map(Box::new(TypeKind::STRING.nullable()), Box::new(Int.nullable())),
            &[("{}", "{}"), ("{\"a\":1,\"b\":null}", "{a=1, b=null}"), ("{\"a\":1,\"b\":2,\"a\":3}", "{a=3, b=2}")],
        ),
        (
            row_type(&[("x", Int), ("y", TypeKind::STRING)]),
            &[("{}", "+I[null, null]"), ("{\"y\":1,\"z\":[],\"x\":2}", "+I[2, 1]"), ("null", "null")],
        ),
    ];
    for (ty, pairs) in cases {
        for (value, expected) in *pairs {
            assert_eq!(convert(ty.clone(), value), *expected, "{value} as {ty}");
        }
    }
    let iso = [("json.timestamp-format.standard", "ISO-8601")];
    assert_eq!(convert_with(timestamp(3), "\"2024-02-29T12:34:56.5\"", &iso), "2024-02-29T12:34:56.500");
    assert_eq!(convert_with(timestamp(3), "\"2024-02-29T12:34\"", &iso), "2024-02-29T12:34");
    assert_eq!(convert_with(timestamp_ltz(3), "\"2024-02-29T12:34Z\"", &iso), "2024-02-29T12:34:00Z");
}

#[test]
fn what_does_not_convert_is_rejected_with_its_place() {
    use TypeKind::*;
    let nested = row_type(&[("x", Array(Box::new(row_type(&[("n", Int)]).nullable())))]);
    let cases: &[(TypeKind, &str, &str)] = &[
        (TinyInt, "1.0", "field 'a': expected TINYINT, found 1.0 at byte 5"),
        (TinyInt, "128", "field 'a': 128 is out of the range of TINYINT at byte 5"),
        (Int, "99999999999", "field 'a': 99999999999 is out of the range of INT at byte 5"),
        (Int, "\"1.5\"", "field 'a': expected INT, found \"1.5\" at byte 5"),
        (Int, "true", "field 'a': expected INT, found true at byte 5"),
        (BigInt, "99999999999999999999", "field 'a': 99999999999999999999 is out of the range of BIGINT at byte 5"),
        (Double, "{}", "field 'a': expected DOUBLE, found an object at byte 5"),
        (Decimal { precision: 6, scale: 2 }, "\"x\"", "field 'a': expected DECIMAL(6, 2), found \"x\" at byte 5"),
        (TypeKind::BYTES, "\"a b\"", "field 'a': expected BYTES as base64, found \"a b\" at byte 5"),
        (Date, "\"2024-02-30\"", "field 'a': expected DATE 'yyyy-MM-dd', found \"2024-02-30\" at byte 5"),
        (Date, "20240229", "field 'a': expected DATE 'yyyy-MM-dd', found 20240229 at byte 5"),
        (Time(0), "\"12:34\"", "field 'a': expected TIME 'HH:mm:ss', found \"12:34\" at byte 5"),
        (
            timestamp(3),
            "\"2024-02-29T12:34:56\"",
            "field 'a': expected TIMESTAMP 'yyyy-MM-dd HH:mm:ss.SSS', found \"2024-02-29T12:34:56\" at byte 5",
        ),
        (nested, "{\"x\":[{\"n\":1},{\"n\":\"y\"}]}", "field 'a.x[1].n': expected INT, found \"y\" at byte 24"),
    ];
    for (ty, value, expected) in cases {
        assert_eq!(convert(ty.clone(), value), format!("!{expected}"), "{value} as {ty}");
        assert!(convert_with(ty.clone(), value, &[("json.ignore-parse-errors", "true")]).contains("null"));
    }
    // Nanoseconds end in 2262: beyond it a row is refused, never wrapped.
    assert!(convert(timestamp(9), "\"9999-12-31 00:00:00\"").starts_with('!'));
}

#[test]
fn syntax_is_checked_in_fields_that_nobody_reads() {
    let columns = [("a", TypeKind::Int.nullable())];
    let cases = [
        ("{\"a\":1", "invalid JSON at byte 6: expected ',' or '}', found the end"),
        ("{\"a\":1,}", "invalid JSON at byte 7: expected a field name, found '}'"),
        ("{\"a\":1,\"b\":01}", "invalid JSON at byte 11: a number with leading zeros"),
        ("{\"a\":1,\"b\":[1,]}", "invalid JSON at byte 14: expected a JSON value, found ']'"),
        ("{\"a\":1,\"b\":tru}", "invalid JSON at byte 11: expected a JSON value, found tru"),
        ("{\"a\":1,\"b\":\"\\x\"}", "invalid JSON at byte 12: unknown escape in a string"),
        ("{\"a\":1,\"b\":1.}", "invalid JSON at byte 13: expected a digit after '.', found '}'"),
        ("{\"a\":1,\"b\":NaN}", "invalid JSON at byte 11: expected a JSON value, found NaN"),
        ("{'a':1}", "invalid JSON at byte 1: expected a field name, found '''"),
        (
            "{\"a\":1} {\"a\":2}",
            "invalid JSON at byte 8: expected nothing after the end of the record, found an object",
        ),
        ("null", "invalid JSON at byte 0: expected an object or an array of objects, found null"),
        ("[{\"a\":1},2]", "[1]: invalid"),
    ];
    for (record, expected) in cases {
        let decoded = decode(&columns, &[], &["{\"a\":7}", record, "{\"a\":8}"]);
        assert_eq!(lines(&columns, &decoded), ["+I[7]", "+I[8]"], "{record}");
        assert_eq!(decoded.records, [0, 2]);
        assert_eq!(decoded.rejected.len(), 1);
        assert_eq!(decoded.rejected[0].record, 1);
        let reason = &decoded.rejected[0].reason;
        assert!(reason == expected || record.starts_with('['), "{record}: {reason}");
    }
    let deep = format!("{{\"b\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let decoded = decode(&columns, &[], &[&deep]);
    assert!(decoded.rejected[0].reason.contains("nested deeper than 128 levels"), "{}", decoded.rejected[0].reason);
    let bad_utf8 = decoded_bytes(&columns, &[b"{\"a\":1,\"b\":\"\xFF\"}"]);
    assert_eq!(bad_utf8.rejected[0].reason, "invalid JSON at byte 12: expected UTF-8");
}

fn decoded_bytes(columns: &[(&str, LogicalType)], records: &[&[u8]]) -> Decoded {
    let table = table(columns, &[]);
    let cx = context(&Arc::new(Lines::default()));
    let mut decoder = Json.decoder(&table, &table.physical_schema(), &cx).expect("a decoder");
    decoder.decode(&raw_records(records)).expect("never a failed batch")
}

#[test]
fn a_bad_record_leaves_no_trace() {
    let list = TypeKind::Array(Box::new(TypeKind::STRING.nullable()));
    let columns = [
        ("s", TypeKind::STRING.nullable()),
        ("l", list.nullable()),
        ("r", row_type(&[("x", TypeKind::STRING)]).nullable()),
        ("b", TypeKind::Boolean.nullable()),
        ("i", TypeKind::Int.nullable()),
    ];
    let long = "a string that is longer than a view holds";
    let good = format!("{{\"s\":\"{long}\",\"l\":[\"{long}\",null],\"r\":{{\"x\":\"{long}\"}},\"b\":true,\"i\":1}}");
    let bad = good.replace("\"i\":1", "\"i\":\"no\"");
    // A key that comes twice: the last wins, also after another shape of object.
    let twice = good.replace("\"i\":1", "\"s\":\"x\",\"l\":[],\"r\":null,\"b\":null,\"i\":1,\"i\":2");
    let array = format!("[{good},{{}} , {good}]");
    let bad_array = format!("[{good},{bad}]");
    let records = [good.as_str(), &bad, "", &twice, &bad_array, &array, "  { }  ", "\u{feff}{\"i\":3}"];
    let decoded = decode(&columns, &[], &records);
    let full = format!("+I[{long}, [{long}, null], +I[{long}], true, 1]");
    let empty = "+I[null, null, null, null, null]";
    let expected = [&full, "+I[x, [], null, null, 2]", &full, empty, &full, empty, "+I[null, null, null, null, 3]"];
    assert_eq!(lines(&columns, &decoded), expected);
    assert_eq!(decoded.records, [0, 3, 5, 5, 5, 6, 7]);
    assert_eq!(decoded.rejected.iter().map(|r| r.record).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(decoded.rows.num_rows(), 7);
    // No columns at all still counts rows.
    let none = decode(&[], &[], &records);
    assert_eq!((none.rows.num_rows(), none.rejected.len()), (10, 0));
}

#[test]
fn missing_fields_and_options_that_exclude_each_other() {
    let columns = [("a", TypeKind::Int.nullable()), ("b", TypeKind::Int.nullable())];
    let fail = [("json.fail-on-missing-field", "true")];
    let decoded = decode(&columns, &fail, &["{\"a\":1}", "{\"b\":2,\"a\":1}"]);
    assert_eq!(decoded.rejected[0].reason, "field 'b': missing in the object at byte 0");
    assert_eq!(lines(&columns, &decoded), ["+I[1, 2]"]);
    let ignore = [("json.ignore-parse-errors", "true")];
    let decoded = decode(&columns, &ignore, &["{\"a\":\"x\",\"b\":2}", "{\"a\":1", "{\"b\":[{}],\"a\":1}"]);
    assert_eq!(lines(&columns, &decoded), ["+I[null, 2]", "+I[1, null]"]);
    assert!(decoded.rejected.is_empty());
    let both = table(&columns, &[fail[0], ignore[0]]);
    let cx = context(&Arc::new(Lines::default()));
    let error = Json.decoder(&both, &both.physical_schema(), &cx).err().expect("refused");
    assert!(error.message().contains("cannot both be true"), "{error}");
    let wrong = table(&columns, &[("json.timestamp-format.standard", "RFC")]);
    let error = Json.decoder(&wrong, &wrong.physical_schema(), &cx).err().expect("refused");
    assert_eq!(
        error.message(),
        "table 't': option 'json.timestamp-format.standard': expected one of SQL, ISO-8601, found 'RFC'"
    );
}

fn encode(columns: &[(&str, LogicalType)], options: &[(&str, &str)], batch: &ChangeBatch) -> Result<String, String> {
    let table = table(columns, options);
    let cx = context(&Arc::new(Lines::default()));
    let mut encoder = Json.encoder(&table, &table.physical_schema(), &cx).map_err(|e| e.to_string())?;
    let mut out = EncodedRecords::default();
    encoder.encode(batch, &mut out).map_err(|e| e.to_string())?;
    assert_eq!(out.ends.last().copied().unwrap_or(0), out.data.len());
    Ok(String::from_utf8(out.data).expect("UTF-8"))
}

#[test]
fn encoding_is_flinks_and_is_read_back() {
    use TypeKind::*;
    let columns = [
        ("b", Boolean.nullable()),
        ("d", Double.nullable()),
        ("f", Float.nullable()),
        ("n", Decimal { precision: 20, scale: 10 }.nullable()),
        ("s\"", TypeKind::STRING.nullable()),
        ("y", TypeKind::BYTES.nullable()),
        ("da", Date.nullable()),
        ("t", Time(3).nullable()),
        ("ts", timestamp(6).nullable()),
        ("lz", timestamp_ltz(3).nullable()),
        ("a", Array(Box::new(Int.nullable())).nullable()),
        ("m", Map(Box::new(TypeKind::STRING.nullable()), Box::new(Int.nullable())).nullable()),
        ("r", row_type(&[("x", Int)]).nullable()),
    ];
    let text = concat!(
        r#"{"b":true,"d":1.0E7,"f":1.5,"n":1E-8,"s\"":"é\u0001\n\"\uD83D\uDE00","y":"AQL/","da":"2024-02-29","t":"12:34:56.789","#,
        r#""ts":"2024-02-29 12:34:56.12","lz":"2024-02-29 12:34:56Z","a":[1,null],"m":{"k":1,"l":null},"r":{"x":null}}"#
    );
    let decoded = decode(&columns, &[], &[text, "{}"]);
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
    let batch = ChangeBatch::inserts(decoded.rows.slice(0, 1));
    assert_eq!(encode(&columns, &[], &batch).expect("encodes"), text);
    let plain = [("json.encode.decimal-as-plain-number", "true"), ("json.timestamp-format.standard", "ISO-8601")];
    let shown = encode(&columns, &plain, &batch).expect("encodes");
    assert!(shown.contains("\"n\":0.0000000100,") && shown.contains("\"ts\":\"2024-02-29T12:34:56.12\""), "{shown}");
    let nulls = ChangeBatch::inserts(decoded.rows.slice(1, 1));
    assert_eq!(encode(&columns, &[("json.encode.ignore-null-fields", "true")], &nulls).expect("encodes"), "{}");
    let deletes = ChangeBatch::new(decoded.rows.slice(0, 1), vec![RowKind::Delete]);
    assert!(encode(&columns, &[], &deletes).expect_err("refused").contains("a row of kind -D"));
}
