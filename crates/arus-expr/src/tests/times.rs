use super::*;

fn ts3() -> Expr {
    timestamp("2024-02-29 12:34:56.789", 3)
}

fn ts6() -> Expr {
    timestamp("2024-02-29 12:34:56.12", 6)
}

fn ts9() -> Expr {
    timestamp("1969-12-31 23:59:59.123456789", 9)
}

fn d() -> Expr {
    date("2024-02-29")
}

fn tm() -> Expr {
    time("12:34:56.789")
}

fn ltz3() -> Expr {
    ltz("2024-02-29 12:34:56.789", 3)
}

fn days(n: i64) -> Expr {
    millis(n * 86_400_000)
}

fn millis(n: i64) -> Expr {
    literal(Datum::IntervalMillis(n), TypeKind::IntervalDayTime)
}

fn months(n: i32) -> Expr {
    literal(Datum::IntervalMonths(n), TypeKind::IntervalYearMonth)
}

#[test]
fn extract() {
    let of = |unit: &str, time: Expr| call("EXTRACT", vec![text(unit), time]);
    check(vec![
        (of("YEAR", d()), "2024 :: BIGINT NOT NULL"),
        (of("MONTH", ts3()), "2"),
        (of("DAY", ts3()), "29"),
        (of("HOUR", ts3()), "12"),
        (of("MINUTE", ts3()), "34"),
        (of("SECOND", ts3()), "56"),
        (of("MILLISECOND", ts3()), "789"),
        (of("MICROSECOND", ts6()), "120000"),
        (of("NANOSECOND", ts9()), "-876543211"),
        (of("QUARTER", d()), "1"),
        (of("WEEK", d()), "9"),
        (of("DOY", d()), "60"),
        (of("DOW", d()), "5"),
        (of("ISODOW", d()), "4"),
        (of("ISOYEAR", d()), "2024"),
        (of("EPOCH", ts3()), "1709210096"),
        (of("EPOCH", d()), "1709164800"),
        (of("CENTURY", d()), "21"),
        (of("DECADE", d()), "202"),
        (of("MILLENNIUM", d()), "3"),
        (of("HOUR", tm()), "12"),
        (of("MILLISECOND", tm()), "789"),
        (of("HOUR", d()), "0"),
        (of("SECOND", ts9()), "0"),
        (of("DAY", ts9()), "1"),
        (of("MILLISECOND", ts9()), "-877"),
        (of("HOUR", timestamp("1965-05-01 11:51:10.345", 3)), "-12"),
        (of("DAY", days(3)), "3"),
        (of("MONTH", months(15)), "3"),
        (call("YEAR", vec![ts9()]), "1970"),
        (call("WEEK", vec![date("2023-01-01")]), "52"),
        (call("WEEK", vec![date("2024-12-31")]), "1"),
        (call("DAYOFWEEK", vec![date("2023-01-01")]), "1"),
        (call("DAYOFYEAR", vec![d()]), "60"),
        (call("QUARTER", vec![null(TypeKind::Date)]), "NULL :: BIGINT"),
    ]);
    assert_eq!(show_in(&call("HOUR", vec![ltz3()]), "Asia/Shanghai"), "20");
    assert!(try_call("YEAR", vec![string("2024")]).is_err());
}

#[test]
fn floor_and_ceil() {
    let floor = |time: Expr, unit: &str| call("FLOOR", vec![time, text(unit)]);
    let ceil = |time: Expr, unit: &str| call("CEIL", vec![time, text(unit)]);
    check(vec![
        (floor(ts3(), "YEAR"), "2024-01-01 00:00:00.000 :: TIMESTAMP(3) NOT NULL"),
        (floor(ts3(), "QUARTER"), "2024-01-01 00:00:00.000"),
        (floor(ts3(), "MONTH"), "2024-02-01 00:00:00.000"),
        (floor(ts3(), "WEEK"), "2024-02-25 00:00:00.000"),
        (floor(ts3(), "DAY"), "2024-02-29 00:00:00.000"),
        (floor(ts3(), "MINUTE"), "2024-02-29 12:34:00.000"),
        (floor(ts3(), "MILLISECOND"), "2024-02-29 12:34:56.789"),
        (floor(ts3(), "DECADE"), "2020-01-01 00:00:00.000"),
        (floor(ts9(), "MILLISECOND"), "1969-12-31 23:59:59.123000000"),
        (floor(ts9(), "HOUR"), "1969-12-31 23:00:00.000000000"),
        (floor(ts9(), "MONTH"), "1970-01-01 00:00:00.000000000"),
        (ceil(ts3(), "YEAR"), "2025-01-01 00:00:00.000"),
        (ceil(ts3(), "QUARTER"), "2024-04-01 00:00:00.000"),
        (ceil(ts3(), "MONTH"), "2024-03-01 00:00:00.000"),
        (ceil(ts3(), "WEEK"), "2024-03-03 00:00:00.000"),
        (ceil(ts3(), "SECOND"), "2024-02-29 12:34:57.000"),
        (ceil(ts9(), "DAY"), "1970-01-01 00:00:00.000000000"),
        (ceil(timestamp("2024-01-01", 3), "YEAR"), "2024-01-01 00:00:00.000"),
        (floor(d(), "WEEK"), "2024-02-25"),
        (floor(d(), "HOUR"), "2024-02-29"),
        (ceil(d(), "QUARTER"), "2024-04-01"),
        (floor(date("1969-12-31"), "WEEK"), "1969-12-28"),
        (floor(tm(), "HOUR"), "12:00:00.0"),
        (ceil(tm(), "MINUTE"), "12:35:00.0"),
        (floor(ltz3(), "HOUR"), "2024-02-29 12:00:00.000 :: TIMESTAMP_LTZ(3) NOT NULL"),
    ]);
    assert_eq!(show_in(&floor(ltz3(), "DAY"), "Asia/Kathmandu"), "2024-02-29 00:00:00.000");
    assert!(try_call("FLOOR", vec![ts6(), text("MICROSECOND")]).is_err());
}

#[test]
fn arithmetic_with_intervals() {
    let plus = |a: Expr, b: Expr| call("+", vec![a, b]);
    let minus = |a: Expr, b: Expr| call("-", vec![a, b]);
    check(vec![
        (plus(ts3(), days(1)), "2024-03-01 12:34:56.789 :: TIMESTAMP(3) NOT NULL"),
        (minus(ts3(), millis(5_000)), "2024-02-29 12:34:51.789"),
        (plus(days(1), ts3()), "2024-03-01 12:34:56.789"),
        (plus(ts3(), months(1)), "2024-03-29 12:34:56.789"),
        (plus(ts6(), millis(1_500)), "2024-02-29 12:34:57.620000"),
        (plus(d(), days(1)), "2024-03-01 :: DATE NOT NULL"),
        (plus(d(), millis(3_600_000)), "2024-02-29"),
        (minus(d(), months(12)), "2023-02-28"),
        (plus(date("2024-01-31"), months(1)), "2024-02-29"),
        (plus(tm(), millis(43_200_000)), "00:34:56.789 :: TIME(3) NOT NULL"),
        (plus(ts9(), millis(1_000)), "1970-01-01 00:00:00.123456789"),
        (plus(ts9(), months(1)), "1970-01-31 23:59:59.123456789"),
        (plus(days(1), millis(3_600_000)), "+1 01:00:00.000"),
        (call("*", vec![days(1), int(2)]), "+2 00:00:00.000 :: INTERVAL DAY TO SECOND NOT NULL"),
        (call("*", vec![int(2), months(7)]), "+1-02"),
        (call("NEGATE", vec![days(1)]), "-1 00:00:00.000"),
        (plus(ts3(), null(TypeKind::IntervalDayTime)), "NULL :: TIMESTAMP(3)"),
        (plus(timestamp("2262-04-11", 9), days(2)), "FAILED timestamp out of range"),
        (call("TIMESTAMPADD", vec![text("DAY"), int(1), ts3()]), "2024-03-01 12:34:56.789 :: TIMESTAMP(3) NOT NULL"),
        (call("TIMESTAMPADD", vec![text("MONTH"), int(-1), d()]), "2024-01-29"),
        (call("TIMESTAMPDIFF", vec![text("DAY"), ts3(), ts9()]), "-19782 :: INT NOT NULL"),
        (call("TIMESTAMPDIFF", vec![text("MONTH"), date("2024-01-31"), d()]), "1"),
        (call("TIMESTAMPDIFF", vec![text("MONTH"), date("2024-01-29"), d()]), "1"),
    ]);
    assert!(try_call("-", vec![ts3(), ts6()]).is_err());
}

#[test]
fn date_format() {
    let format = |time: Expr, pattern: &str| call("DATE_FORMAT", vec![time, text(pattern)]);
    check(vec![
        (format(ts3(), "yyyy-MM-dd HH:mm:ss.SSS"), "2024-02-29 12:34:56.789 :: STRING NOT NULL"),
        (format(ts6(), "yyyy-MM-dd HH:mm:ss.SSSSSS"), "2024-02-29 12:34:56.120000"),
        (format(ts9(), "yyyy-MM-dd HH:mm:ss.SSSSSSSSS"), "1969-12-31 23:59:59.123456789"),
        (format(ts3(), "yy/M/d h:m:s a"), "24/2/29 12:34:56 PM"),
        (format(ts3(), "E EEEE MMM MMMM"), "Thu Thursday Feb February"),
        (format(ts3(), "D u Y w e"), "60 2024 2024 9 5"),
        (format(ts3(), "uuuu Q q G"), "2024 1 1 AD"),
        (format(ts3(), "'T'HH'x'"), "T12x"),
        (format(ts3(), "yyyy-MM-dd'T'HH:mm:ss"), "2024-02-29T12:34:56"),
        (format(ts3(), "k K n N A"), "12 0 789000000 45296789000000 45296789"),
        (format(ts3(), ""), ""),
        (format(ts3(), "MMMMM EEEEE"), "F T"),
        (format(ts3(), "SS S SSSS"), "78 7 7890"),
        (format(ts3(), "W F L LLL"), "5 1 2 Feb"),
        (format(string("2024-02-29 01:02:03"), "yyyy/MM/dd"), "2024/02/29 :: STRING"),
        (format(string("2024-02-29"), "yyyy/MM/dd"), "NULL"),
        (format(string("garbage"), "yyyy"), "NULL"),
        (call("DATE_FORMAT", vec![ts3(), null(TypeKind::STRING)]), "NULL"),
        (call("DATE_FORMAT", vec![ts3(), string("yyyy")]), "2024"),
    ]);
    assert_eq!(show_in(&format(ltz3(), "HH:mm"), "America/New_York"), "07:34");
    assert!(show(&format(ts3(), "HH:mm z")).starts_with("FAILED"));
    assert!(try_call("DATE_FORMAT", vec![ts3(), string("bogus{")]).is_err());
    assert!(try_call("DATE_FORMAT", vec![d(), text("yyyy")]).is_err());
}

#[test]
fn to_timestamp() {
    let plain = |value: &str| call("TO_TIMESTAMP", vec![string(value)]);
    let by = |value: &str, pattern: &str| call("TO_TIMESTAMP", vec![string(value), text(pattern)]);
    check(vec![
        (plain("2024-02-29 01:02:03"), "2024-02-29 01:02:03.000 :: TIMESTAMP(3)"),
        (plain("2024-02-29 01:02:03.456789"), "2024-02-29 01:02:03.456"),
        (plain("2024-02-29"), "2024-02-29 00:00:00.000"),
        (plain("2024-02-29T01:02:03"), "NULL"),
        (plain("2024-02-30 00:00:00"), "2024-02-29 00:00:00.000"),
        (plain("2024-2-9 1:2:3"), "2024-02-09 01:02:03.000"),
        (plain("garbage"), "NULL"),
        (plain("2024-02-29 24:00:00"), "2024-03-01 00:00:00.000"),
        (plain("2024-02-29 01:02"), "NULL"),
        (plain("10000-01-01 00:00:00"), "NULL"),
        (by("29/02/2024", "dd/MM/yyyy"), "2024-02-29 00:00:00.000"),
        (by("2024-02-29 01:02:03.123456", "yyyy-MM-dd HH:mm:ss.SSSSSS"), "2024-02-29 01:02:03.123"),
        (by("20240229", "yyyyMMdd"), "2024-02-29 00:00:00.000"),
        (by("20240229123456789", "yyyyMMddHHmmssSSS"), "2024-02-29 12:34:56.789"),
        (by("2024-02-29 01", "yyyy-MM-dd HH"), "2024-02-29 01:00:00.000"),
        (by("2024-02", "yyyy-MM"), "2024-02-01 00:00:00.000"),
        (by("2024", "yyyy"), "2024-01-01 00:00:00.000"),
        (by("2024-02-29 01:02:03", "yyyy-MM-dd"), "2024-02-29 01:02:03.000"),
        (by("x", "yyyy"), "NULL"),
        (by("2024-02-29T01:02:03Z", "yyyy-MM-dd'T'HH:mm:ss'Z'"), "2024-02-29 01:02:03.000"),
        (by("Feb 29 2024", "MMM dd yyyy"), "2024-02-29 00:00:00.000"),
        (by("2024-02-31", "yyyy-MM-dd"), "2024-02-29 00:00:00.000"),
        (by("1:05 PM", "h:mm a"), "1970-01-01 13:05:00.000"),
    ]);
}

#[test]
fn to_timestamp_ltz() {
    let ltz = |value: Expr, precision: i32| call("TO_TIMESTAMP_LTZ", vec![value, int(precision)]);
    let text_ltz = |value: &str| call("TO_TIMESTAMP_LTZ", vec![string(value)]);
    check(vec![
        (ltz(bigint(1_700_000_000_123), 3), "2023-11-14 22:13:20.123 :: TIMESTAMP_LTZ(3)"),
        (ltz(int(1_700_000_000), 0), "2023-11-14 22:13:20.000 :: TIMESTAMP_LTZ(3)"),
        (call("TO_TIMESTAMP_LTZ", vec![int(1_700_000_000)]), "1970-01-20 16:13:20.000 :: TIMESTAMP_LTZ(3)"),
        (ltz(bigint(1_700_000_000_123_456), 6), "2023-11-14 22:13:20.123456 :: TIMESTAMP_LTZ(6)"),
        (ltz(bigint(1_700_000_000_123_456), 9), "1970-01-20 16:13:20.000123456 :: TIMESTAMP_LTZ(9)"),
        (ltz(int(-1), 3), "1969-12-31 23:59:59.999"),
        (ltz(bigint(i64::MAX), 3), "NULL"),
        (ltz(bigint(253_402_300_799_999), 3), "9999-12-31 23:59:59.999"),
        (ltz(bigint(253_402_300_800_000), 3), "NULL"),
        (ltz(decimal("1.5", 2, 1), 0), "1970-01-01 00:00:01.000"),
        (ltz(double(1.5), 0), "1970-01-01 00:00:01.500"),
        (ltz(float(1.5), 3), "1970-01-01 00:00:00.001"),
        (ltz(null(TypeKind::BigInt), 3), "NULL"),
        (text_ltz("2024-02-29 01:02:03.456"), "2024-02-29 01:02:03.456 :: TIMESTAMP_LTZ(3)"),
        (text_ltz("garbage"), "FAILED Text 'garbage' could not be parsed"),
        (
            call(
                "TO_TIMESTAMP_LTZ",
                vec![string("2024-02-29 01:02:03"), text("yyyy-MM-dd HH:mm:ss"), text("Asia/Shanghai")],
            ),
            "2024-02-28 17:02:03.000",
        ),
    ]);
}

#[test]
fn processing_time_and_watermark() {
    let rowtime = TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::Rowtime };
    let proctime = call("PROCTIME", vec![]);
    assert_eq!(proctime.ty().to_string(), "TIMESTAMP_LTZ(3) *PROCTIME* NOT NULL");
    check(vec![
        (call("CURRENT_TIMESTAMP", vec![]), "2024-02-29 12:34:56.789 :: TIMESTAMP_LTZ(3) NOT NULL"),
        (proctime, "2024-02-29 12:34:56.789"),
        (call("LOCALTIMESTAMP", vec![]), "2024-02-29 12:34:56.789 :: TIMESTAMP(3) NOT NULL"),
        (call("CURRENT_DATE", vec![]), "2024-02-29 :: DATE NOT NULL"),
        (call("CURRENT_WATERMARK", vec![null(rowtime)]), "1970-01-01 00:00:01.000 :: TIMESTAMP(3)"),
    ]);
    assert_eq!(show_in(&call("LOCALTIMESTAMP", vec![]), "+02:00"), "2024-02-29 14:34:56.789");
    assert!(try_call("CURRENT_WATERMARK", vec![ts3()]).is_err());
}
