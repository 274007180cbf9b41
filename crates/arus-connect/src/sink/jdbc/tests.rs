//! What is refused when a table is declared, URLs, and values as COPY reads them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, ListArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use arus_core::catalog::TableDef;
use arus_core::connector::{Connector, HostPolicy};
use arus_core::{LogicalType, TimeAttribute, TypeKind};

use super::text::write_column;
use super::url::PostgresUrl;
use super::*;
use crate::conformance::{Lines, context, table};

const PG: &str = "jdbc:postgresql://db.example.com/shop";

fn declared(url: &str, more: &[(&str, &str)], kind: TypeKind) -> TableDef {
    let mut options = vec![("connector", "jdbc"), ("url", url), ("table-name", "orders")];
    options.extend(more);
    table(&[("id", TypeKind::BigInt.not_null()), ("v", kind.nullable())], &options)
}

#[test]
fn what_does_not_apply_is_refused_by_name() {
    let none: &[(&str, &str)] = &[];
    let timestamp = TypeKind::Timestamp { precision: 9, attribute: TimeAttribute::None };
    let array = TypeKind::Array(Box::new(TypeKind::Array(Box::new(TypeKind::Int.nullable())).nullable()));
    for (url, more, kind, expected) in [
        (PG, none, TypeKind::STRING, ""),
        (
            PG,
            &[("username", "a"), ("password", "${secret:pg}"), ("driver", "org.postgresql.Driver")],
            TypeKind::Int,
            "",
        ),
        ("${secret:url}", none, TypeKind::STRING, ""),
        ("jdbc:mysql://h/d", none, TypeKind::Int, "a database of 'jdbc:mysql:' is not supported yet"),
        ("postgres://h/d", none, TypeKind::Int, "expected a URL that begins with jdbc:postgresql:"),
        ("jdbc:postgresql://h/d?sslmode=verify-full", none, TypeKind::Int, "sslmode=verify-full of the URL"),
        ("jdbc:postgresql://h/d?gssEncMode=require", none, TypeKind::Int, "parameter 'gssEncMode' of the URL"),
        (PG, &[("scan.fetch-size", "10")], TypeKind::Int, "option 'scan.fetch-size' of connector 'jdbc'"),
        (PG, &[("lookup.cache", "NONE")], TypeKind::Int, "option 'lookup.cache' of connector 'jdbc'"),
        (PG, &[("username", "a")], TypeKind::Int, "stand together or not at all"),
        (PG, &[("driver", "com.mysql.jdbc.Driver")], TypeKind::Int, "driver 'com.mysql.jdbc.Driver'"),
        (PG, &[("connection.max-retry-timeout", "10 ms")], TypeKind::Int, "expected at least 1 s"),
        (PG, none, timestamp, "the precision of column 'v' is out of the range [0, 6]"),
        (PG, none, array, "column 'v': the Postgres dialect doesn't support type"),
    ] {
        let checked = Jdbc.check(&declared(url, more, kind));
        match checked {
            Ok(()) => assert_eq!(expected, "", "{url} {more:?}"),
            Err(e) => assert!(!expected.is_empty() && e.message().contains(expected), "{e}"),
        }
    }
}

#[test]
fn only_allowed_addresses_are_reached() {
    let lines = Arc::new(Lines::default());
    let mut cx = context(&lines);
    let table = declared("jdbc:postgresql://db.example.com:6000/shop", &[], TypeKind::Int);
    for (allowed, ok) in [
        ("db.example.com", true),
        ("DB.example.com:6000", true),
        ("*.example.com", true),
        ("*", true),
        ("db.example.com:5432", false),
        ("example.com", false),
        ("*.com:5", false),
    ] {
        cx.hosts = Arc::new(HostPolicy::Only(vec![allowed.into()]));
        let opened = Jdbc.sink(&table, &cx);
        assert_eq!(opened.is_ok(), ok, "{allowed}");
        if let Err(e) = opened {
            assert!(e.message().contains("'db.example.com:6000' is not an allowed address"), "{e}");
            assert!(e.hint().is_some_and(|h| h.contains("--allow-host db.example.com")));
        }
    }
    let six = declared("jdbc:postgresql://[::1]:6000/shop", &[], TypeKind::Int);
    for (allowed, ok) in [("::1", true), ("[::1]:6000", true), ("[::1]:1", false)] {
        cx.hosts = Arc::new(HostPolicy::Only(vec![allowed.into()]));
        assert_eq!(Jdbc.sink(&six, &cx).is_ok(), ok, "{allowed}");
    }
}

#[test]
fn urls_are_read_as_the_driver_of_java_reads_them() {
    let table = declared(PG, &[], TypeKind::Int);
    let parse = |url: &str| PostgresUrl::parse(&table, url).expect(url);
    let full =
        parse("jdbc:postgresql://a:1,b,[::1]:3/my%20db?user=me&password=p%26w&currentSchema=x,y&ApplicationName=z");
    assert_eq!(full.hosts, [("a".into(), 1), ("b".into(), 5432), ("::1".into(), 3)]);
    assert_eq!(full.database.as_deref(), Some("my db"));
    assert_eq!((full.user.as_deref(), full.password.as_deref()), (Some("me"), Some("p&w")));
    assert_eq!(full.schemas, ["x", "y"]);
    for (url, database) in [("jdbc:postgresql:shop", Some("shop")), ("jdbc:postgresql:/", None)] {
        let parsed = parse(url);
        assert_eq!(parsed.hosts, [("localhost".into(), 5432)], "{url}");
        assert_eq!(parsed.database.as_deref(), database, "{url}");
    }
}

#[test]
fn values_are_text_for_copy() {
    let timestamp = TypeKind::TimestampLtz { precision: 6, attribute: TimeAttribute::None };
    let micros = TimestampMicrosecondArray::from(vec![1_700_000_000_123_456]).with_timezone("UTC");
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None, Some(-3)])]);
    let decimal = Decimal128Array::from(vec![-12_345]).with_precision_and_scale(10, 2).expect("fits");
    let cases: Vec<(LogicalType, ArrayRef, &str)> = vec![
        (TypeKind::Boolean.nullable(), Arc::new(BooleanArray::from(vec![true])), "t"),
        (TypeKind::Double.nullable(), Arc::new(Float64Array::from(vec![f64::NEG_INFINITY])), "-Infinity"),
        (TypeKind::Decimal { precision: 10, scale: 2 }.nullable(), Arc::new(decimal), "-123.45"),
        (TypeKind::STRING.nullable(), Arc::new(StringViewArray::from(vec!["a\tb\\c\nd"])), "a\\tb\\\\c\\nd"),
        (TypeKind::STRING.nullable(), Arc::new(StringViewArray::from(vec![None::<&str>])), "\\N"),
        (TypeKind::BYTES.nullable(), Arc::new(BinaryViewArray::from(vec![&b"\x00\xff"[..]])), "\\\\x00ff"),
        (TypeKind::Date.nullable(), Arc::new(Date32Array::from(vec![19_000])), "2022-01-08"),
        (timestamp.nullable(), Arc::new(micros), "2023-11-14 22:13:20.123456+00"),
        (TypeKind::Array(Box::new(TypeKind::Int.nullable())).nullable(), Arc::new(list), "{\"1\",NULL,\"-3\"}"),
    ];
    for (ty, array, expected) in cases {
        let mut out = String::new();
        write_column(&mut out, &ty, &array, 0);
        assert_eq!(out, expected, "{ty}");
    }
}
