use super::*;

fn to(expr: Expr, kind: TypeKind) -> String {
    let result = run_in(&cast(expr, kind.clone()), &batch(vec![], 1), "UTC");
    match result.failed.first() {
        Some(_) => "FAILED".to_owned(),
        None => {
            let ty = kind.nullable();
            let value = crate::array_to_datum(&result.columns[0], 0, &ty).unwrap();
            show(&Expr::literal(value, ty))
        }
    }
}

const DECIMAL_10_2: TypeKind = TypeKind::Decimal { precision: 10, scale: 2 };
const DECIMAL_4_1: TypeKind = TypeKind::Decimal { precision: 4, scale: 1 };

#[test]
fn between_numbers() {
    let dc = || decimal("12345678.91", 10, 2);
    for (expr, kind, expected) in [
        (bigint(i64::MAX), TypeKind::TinyInt, "-1"),
        (bigint(i64::MAX), TypeKind::Float, "9.223372E18"),
        (bigint(i64::MAX), DECIMAL_10_2, "NULL"),
        (int(-7), DECIMAL_10_2, "-7.00"),
        (double(1e23), TypeKind::TinyInt, "-1"),
        (double(1e23), TypeKind::Int, "2147483647"),
        (double(1e23), TypeKind::BigInt, "9223372036854775807"),
        (double(1e23), DECIMAL_10_2, "NULL"),
        (double(300.7), TypeKind::TinyInt, "44"),
        (double(300.7), DECIMAL_4_1, "300.7"),
        (double(f64::NAN), TypeKind::Int, "0"),
        (double(f64::NAN), DECIMAL_4_1, "FAILED"),
        (double(f64::NAN), TypeKind::Boolean, "TRUE"),
        (dc(), TypeKind::TinyInt, "78"),
        (dc(), TypeKind::Int, "12345678"),
        (dc(), TypeKind::Float, "1.2345679E7"),
        (dc(), TypeKind::Double, "1.234567891E7"),
        (dc(), DECIMAL_4_1, "NULL"),
        (dc(), TypeKind::Decimal { precision: 9, scale: 1 }, "12345678.9"),
        (decimal("-7.5", 5, 1), TypeKind::Int, "-7"),
        (decimal("-7.5", 5, 1), TypeKind::Decimal { precision: 4, scale: 0 }, "-8"),
        (boolean(true), DECIMAL_10_2, "1.00"),
        (boolean(false), TypeKind::Int, "0"),
        (int(0), TypeKind::Boolean, "FALSE"),
        (tinyint(100), TypeKind::IntervalDayTime, "+0 00:00:00.100"),
        (bigint(i64::MAX), TypeKind::IntervalYearMonth, "-0-01"),
        (null(TypeKind::Null), TypeKind::Int, "NULL"),
    ] {
        assert_eq!(to(expr.clone(), kind.clone()), expected, "{expr:?} to {kind}");
    }
}

#[test]
fn from_text() {
    let third = TypeKind::Time(3);
    for (value, kind, expected) in [
        (" 12 ", TypeKind::Int, "12"),
        ("12.7", TypeKind::TinyInt, "12"),
        ("128", TypeKind::TinyInt, "FAILED"),
        ("1e3", TypeKind::Int, "FAILED"),
        ("1e3", TypeKind::Double, "1000.0"),
        ("x", TypeKind::Double, "FAILED"),
        ("", TypeKind::Double, "FAILED"),
        ("12.75", DECIMAL_4_1, "12.8"),
        ("9999999999", DECIMAL_4_1, "FAILED"),
        ("T", TypeKind::Boolean, "TRUE"),
        ("no", TypeKind::Boolean, "FALSE"),
        (" true ", TypeKind::Boolean, "FAILED"),
        ("128", TypeKind::Date, "0128-01-01"),
        (" 2020-01-02 ", TypeKind::Date, "2020-01-02"),
        ("2020-01-02 03:04:05.6789", TypeKind::Date, "2020-01-02"),
        ("12:34:56.789", third.clone(), "12:34:56.789"),
        ("12:34:56.789", TypeKind::Time(0), "12:34:56"),
        ("2020-01-02", timestamp_kind(3), "2020-01-02 00:00:00.000"),
        ("2020-01-02 03:04:05.6789", timestamp_kind(9), "2020-01-02 03:04:05.678900000"),
        (" 2020-01-02 ", timestamp_kind(3), "FAILED"),
        ("2020-01-02 03:04:05.6789", ltz_kind(3), "2020-01-02 03:04:05.678"),
        ("9999-12-31 23:59:59", timestamp_kind(9), "FAILED"),
        ("9999-12-31 23:59:59", timestamp_kind(3), "9999-12-31 23:59:59.000"),
        ("abc", TypeKind::Binary(2), "ab"),
    ] {
        assert_eq!(to(string(value), kind.clone()), expected, "{value:?} to {kind}");
    }
    check(vec![
        (try_cast(string("x"), TypeKind::Int), "NULL :: INT"),
        (try_cast(string("7"), TypeKind::Int), "7"),
        (cast(string("x"), TypeKind::Int), "FAILED cannot cast 'x' to INT"),
    ]);
}

#[test]
fn to_text() {
    let row = |values: Vec<Expr>| call("ROW", values);
    check(vec![
        (cast(int(-7), TypeKind::Char(3)), "-7 "),
        (cast(bigint(i64::MAX), TypeKind::Char(3)), "922"),
        (cast(boolean(true), TypeKind::Char(10)), "TRUE      "),
        (cast(double(1e23), TypeKind::STRING), "9.999999999999999E22"),
        (cast(double(-0.0), TypeKind::STRING), "-0.0"),
        (cast(decimal("0.00000001", 20, 10), TypeKind::STRING), "0.0000000100"),
        (cast(string("abcdef"), TypeKind::Varchar(3)), "abc :: VARCHAR(3) NOT NULL"),
        (cast(string("😀bc"), TypeKind::Char(5)), "😀bc  "),
        (cast(literal(Datum::Bytes(vec![1, 2, 255]), TypeKind::BYTES), TypeKind::STRING), "\u{1}\u{2}\u{fffd}"),
        (cast(timestamp("2024-02-29 12:34:56.789", 3), TypeKind::Varchar(10)), "2024-02-29"),
        (cast(row(vec![int(1), text("a"), null(TypeKind::STRING)]), TypeKind::STRING), "(1, a, NULL)"),
        (
            cast(call("ARRAY", vec![timestamp("2024-02-29 12:34:56.789", 3)]), TypeKind::STRING),
            "[2024-02-29 12:34:56.789]",
        ),
        (cast(call("ARRAY", vec![boolean(true), null(TypeKind::Boolean)]), TypeKind::STRING), "[TRUE, NULL]"),
        (cast(call("MAP", vec![string("k"), null(TypeKind::Int)]), TypeKind::STRING), "{k=NULL}"),
        (cast(time("12:34:56"), TypeKind::STRING), "12:34:56.0"),
    ]);
    let instant = cast(ltz("2024-02-29 12:34:56.789", 3), TypeKind::STRING);
    assert_eq!(show_in(&instant, "Europe/Berlin"), "2024-02-29 13:34:56.789");
}

#[test]
fn between_times() {
    let ts9 = || timestamp("1969-12-31 23:59:59.123456789", 9);
    let ts3 = || timestamp("2024-02-29 12:34:56.789", 3);
    for (expr, kind, expected) in [
        (ts9(), TypeKind::Date, "1970-01-01"),
        (ts9(), timestamp_kind(0), "1970-01-01 00:00:00"),
        (ts9(), timestamp_kind(3), "1969-12-31 23:59:59.123"),
        (ts3(), TypeKind::Date, "2024-02-29"),
        (ts3(), TypeKind::Time(0), "12:34:56"),
        (ts3(), timestamp_kind(0), "2024-02-29 12:34:56"),
        (ts3(), timestamp_kind(9), "2024-02-29 12:34:56.789000000"),
        (timestamp("2024-02-29 12:34:56.12", 6), timestamp_kind(1), "2024-02-29 12:34:56.1"),
        (timestamp("2300-01-01", 3), timestamp_kind(9), "FAILED"),
        (date("2024-02-29"), ltz_kind(3), "2024-02-29 00:00:00.000"),
        (time("12:34:56.789"), timestamp_kind(3), "1970-01-01 12:34:56.789"),
        (time("12:34:56.789"), TypeKind::Time(1), "12:34:56.7"),
    ] {
        assert_eq!(to(expr.clone(), kind.clone()), expected, "{expr:?} to {kind}");
    }
    let local = cast(ltz("2024-02-29 23:30:00", 3), timestamp_kind(3));
    assert_eq!(show_in(&local, "Asia/Tokyo"), "2024-03-01 08:30:00.000");
    let day = cast(ltz("2024-02-29 23:30:00", 3), TypeKind::Date);
    assert_eq!(show_in(&day, "Asia/Tokyo"), "2024-03-01");
    let instant = cast(timestamp("2024-02-29 23:30:00", 3), ltz_kind(3));
    assert_eq!(show_in(&cast(instant, timestamp_kind(3)), "Asia/Tokyo"), "2024-02-29 23:30:00.000");
}

#[test]
fn parts_of_nested_values() {
    let list = |kind: TypeKind| TypeKind::Array(Box::new(kind.nullable()));
    let numbers = || call("ARRAY", vec![int(1), null(TypeKind::Int), int(3)]);
    check(vec![
        (cast(numbers(), list(TypeKind::STRING)), "[1, NULL, 3]"),
        (cast(cast(numbers(), list(TypeKind::STRING)), list(TypeKind::BigInt)), "[1, NULL, 3]"),
        (cast(call("ARRAY", vec![string("x")]), list(TypeKind::Int)), "FAILED cannot cast 'x' to INT"),
        (try_cast(call("ARRAY", vec![string("x")]), list(TypeKind::Int)), "NULL"),
    ]);
}

#[test]
fn which_casts_exist() {
    use arus_core::function::FunctionCatalog;
    let array = TypeKind::Array(Box::new(TypeKind::Int.nullable()));
    for (from, to, exists) in [
        (TypeKind::Int, timestamp_kind(3), false),
        (timestamp_kind(3), TypeKind::BigInt, false),
        (TypeKind::Date, TypeKind::Time(0), false),
        (TypeKind::Boolean, TypeKind::Date, false),
        (TypeKind::BYTES, TypeKind::Int, false),
        (TypeKind::Double, TypeKind::IntervalDayTime, false),
        (TypeKind::IntervalDayTime, TypeKind::BigInt, false),
        (TypeKind::STRING, TypeKind::IntervalDayTime, false),
        (TypeKind::STRING, array.clone(), false),
        (array, TypeKind::STRING, true),
        (TypeKind::Int, TypeKind::IntervalYearMonth, true),
        (TypeKind::Date, ltz_kind(3), true),
        (TypeKind::Null, TypeKind::Date, true),
    ] {
        assert_eq!(Functions.can_cast(&from.clone().nullable(), &to.clone().nullable()), exists, "{from} to {to}");
    }
}
