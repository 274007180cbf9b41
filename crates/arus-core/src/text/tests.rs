use super::*;

fn with(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

fn double(value: f64) -> String {
    with(|out| write_double(out, value))
}

fn float(value: f32) -> String {
    with(|out| write_float(out, value))
}

#[test]
fn doubles_print_as_java_17_prints_them() {
    for (value, text) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.001, "0.001"),
        (1e-4, "1.0E-4"),
        (2e-3, "0.002"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (1e10, "1.0E10"),
        (123_456_789.0, "1.23456789E8"),
        (1e23, "9.999999999999999E22"),
        (2e23, "1.9999999999999998E23"),
        (f64::MAX, "1.7976931348623157E308"),
        (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
        (f64::from_bits(1), "4.9E-324"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(double(value), text);
    }
    assert_eq!(float(2_147_483_648.0), "2.14748365E9");
    assert_eq!(float(1e23), "1.0E23");
    assert_eq!(float(-1.5), "-1.5");
}

#[test]
fn digits_equal_those_of_java_17() {
    let mut checked = 0;
    for line in include_str!("java17.txt").lines().filter(|l| !l.starts_with('#')) {
        let mut parts = line.split(' ');
        let (kind, bits, text) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let bits = u64::from_str_radix(bits, 16).unwrap();
        let got = if kind == "d" { double(f64::from_bits(bits)) } else { float(f32::from_bits(bits as u32)) };
        assert_eq!(got, text, "{line}");
        checked += 1;
    }
    assert_eq!(checked, 300);
}

#[test]
fn decimals_to_text() {
    for (unscaled, scale, plain, print) in [
        (0, 0, "0", "0"),
        (0, 2, "0.00", "0.00"),
        (0, 10, "0.0000000000", "0E-10"),
        (-5, 2, "-0.05", "-0.05"),
        (1234, 2, "12.34", "12.34"),
        (100, 10, "0.0000000100", "1.00E-8"),
        (1, 6, "0.000001", "0.000001"),
        (1, 7, "0.0000001", "1E-7"),
        (i128::from(i64::MIN), 0, "-9223372036854775808", "-9223372036854775808"),
    ] {
        assert_eq!(with(|o| write_decimal(o, unscaled, scale)), plain);
        assert_eq!(with(|o| write_decimal_print(o, unscaled, scale)), print);
    }
}

#[test]
fn numbers_from_text() {
    for (text, value) in [
        ("1", Some(1)),
        ("+1", Some(1)),
        ("-1", Some(-1)),
        ("1.5", Some(1)),
        ("1.", Some(1)),
        (".5", Some(0)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        (" 1 ", None),
        ("1.x", None),
        ("", None),
        ("-", None),
        ("1e2", None),
        ("１", None),
    ] {
        assert_eq!(parse_integer(text), value, "{text}");
    }
    for (text, value) in [
        ("1", Some(100)),
        ("+1.5", Some(150)),
        ("-1.555", Some(-156)),
        (" 1 ", Some(100)),
        ("1e2", Some(10_000)),
        ("1e-3", Some(0)),
        ("-.5", Some(-50)),
        ("0.005", Some(1)),
        ("99999999.99", Some(9_999_999_999)),
        ("12345678901", None),
        ("0e400", Some(0)),
        ("1e400", None),
        ("1e-400", Some(0)),
        ("+-1", None),
        ("1 2", None),
        (".", None),
        ("", None),
    ] {
        assert_eq!(parse_decimal(text, 10, 2), value, "{text}");
    }
    for (text, value) in [
        (" 1.5 ", Some(1.5)),
        ("1e400", Some(f64::INFINITY)),
        ("-Infinity", Some(f64::NEG_INFINITY)),
        ("1f", Some(1.0)),
        ("nan", None),
        ("inf", None),
        ("", None),
        (".", None),
        ("--1", None),
    ] {
        assert_eq!(parse_double(text), value, "{text}");
    }
    assert!(parse_double("NaN").is_some_and(f64::is_nan));
}

fn timestamp(civil: Option<Civil>) -> Option<String> {
    civil.map(|c| with(|o| write_timestamp_print(o, c.to_units(9).unwrap(), 9)))
}

#[test]
fn timestamps_from_text_by_cast() {
    for (text, value) in [
        ("2020-01-02 10:00:00", Some("2020-01-02T10:00")),
        ("2020-01-02 10:00:00.", Some("2020-01-02T10:00")),
        ("2020-01-02 10::", Some("2020-01-02T10:00")),
        ("2020-01-02", Some("2020-01-02T00:00")),
        ("2020-1-2 1:2:3.4", Some("2020-01-02T01:02:03.400")),
        ("2020-02-31", Some("2020-02-29T00:00")),
        ("2020-01-02 24:00:00", Some("2020-01-03T00:00")),
        ("2020-01-02 10:00:00.123456789", Some("2020-01-02T10:00:00.123456789")),
        ("2020-01-02 10:00", None),
        ("2020-01-32", None),
        ("0000-01-01", None),
        ("10000-01-01", None),
        ("2020-01-02T10:00:00", None),
        ("2020-01-02 24:00:01", None),
        ("2020-01-02 10:00:60", None),
        ("2020-01-02 10:00:00.1234567891", None),
        (" 2020-01-02", None),
        ("2020-01-02 ", None),
        ("", None),
    ] {
        assert_eq!(timestamp(parse_timestamp(text)).as_deref(), value, "{text}");
    }
    let far = parse_timestamp("9999-12-31 23:59:59.999").unwrap();
    assert_eq!(far.to_units(3), Some(253_402_300_799_999));
    assert_eq!(far.to_units(9), None);
    assert_eq!(parse_timestamp("1969-12-31 23:59:59.999999").unwrap().to_units(3), Some(-1));
}

#[test]
fn timestamps_from_json_text() {
    assert!(parse_timestamp_sql("2020-01-02 10:00:00.5").is_some());
    assert!(parse_timestamp_sql("2020-02-31 10:00:00").is_some());
    assert!(parse_timestamp_sql("2020-1-2 10:00:00").is_none());
    assert!(parse_timestamp_sql("2020-01-02T10:00:00").is_none());
    assert!(parse_timestamp_sql_z("2020-01-02 10:00:00Z").is_some());
    assert!(parse_timestamp_sql_z("2020-01-02 10:00:00").is_none());
    assert!(parse_timestamp_iso("2020-01-02T10:00").is_some());
    assert!(parse_timestamp_iso("2020-01-02T10:00:00.123").is_some());
    assert!(parse_timestamp_iso("2020-02-31T10:00:00").is_none());
    assert!(parse_timestamp_iso_z("2020-01-02T10:00:00.123Z").is_some());
    assert_eq!(parse_date_iso("1970-01-02"), Some(1));
    assert_eq!(parse_date_iso("1970-1-2"), None);
    assert_eq!(parse_time_json("00:00:01.5"), Some(1_500));
    assert_eq!(parse_time_json("24:00:00"), None);
}

#[test]
fn dates_and_times_from_text_by_cast() {
    for (text, value) in [
        ("2020-01-02", Some(18_263)),
        ("2020-1-2", Some(18_263)),
        ("2020", Some(18_262)),
        ("2020-02", Some(18_293)),
        ("2020-01-02 10:00:00", Some(18_263)),
        (" 2020-01-02 ", Some(18_263)),
        ("0000-01-01", Some(-719_528)),
        ("2020-02-30", None),
        ("2020-13-01", None),
        ("2020-01-02T10:00:00", None),
        ("10000-01-01", None),
        ("-2020-01-01", None),
        ("20200102", None),
        ("", None),
    ] {
        assert_eq!(parse_date(text), value, "{text}");
    }
    for (text, value) in [
        ("12", Some(43_200_000)),
        ("12:34", Some(45_240_000)),
        ("12:34:56.789", Some(45_296_789)),
        ("12:34:56.7", Some(45_296_700)),
        ("12:34:56.7899", Some(45_296_790)),
        (" 12:34:56 ", Some(45_296_000)),
        ("1:2:3", Some(3_723_000)),
        ("12:34:56.", Some(45_296_000)),
        ("12:34:56+01:00", Some(48_896_000)),
        ("12:34:56-01", Some(41_696_000)),
        ("24:00:00", None),
        ("12:60:00", None),
        ("12:34:5x", None),
        ("12.7", None),
        ("-1:00:00", None),
        ("", None),
    ] {
        assert_eq!(parse_time(text), value, "{text}");
    }
}

#[test]
fn times_to_text() {
    assert_eq!(with(|o| write_timestamp(o, 1_709_210_096_789, 3)), "2024-02-29 12:34:56.789");
    assert_eq!(with(|o| write_timestamp(o, 1_709_210_096_000, 0)), "2024-02-29 12:34:56");
    assert_eq!(with(|o| write_timestamp(o, 0, 6)), "1970-01-01 00:00:00.000000");
    assert_eq!(with(|o| write_timestamp_sql(o, 1_120_000, 6)), "1970-01-01 00:00:01.12");
    assert_eq!(with(|o| write_timestamp_iso(o, 0, 3)), "1970-01-01T00:00:00");
    assert_eq!(with(|o| write_timestamp_print(o, 1_709_210_096_120_000, 6)), "2024-02-29T12:34:56.120");
    assert_eq!(with(|o| write_timestamp_print(o, -1, 9)), "1969-12-31T23:59:59.999999999");
    assert_eq!(with(|o| write_timestamp_ltz_print(o, 0, 3)), "1970-01-01T00:00:00Z");
    assert_eq!(with(|o| write_time(o, 45_296_789, 1)), "12:34:56.7");
    assert_eq!(with(|o| write_time(o, 45_296_000, 3)), "12:34:56.0");
    assert_eq!(with(|o| write_time(o, 45_296_789, 0)), "12:34:56");
    assert_eq!(with(|o| write_time_print(o, 45_240_000)), "12:34");
    assert_eq!(with(|o| write_date(o, -719_528)), "0000-01-01");
    assert_eq!(with(|o| write_interval_day_time(o, -90_061_001)), "-1 01:01:01.001");
    assert_eq!(with(|o| write_interval_print_day_time(o, 90_061_001)), "PT25H1M1.001S");
    assert_eq!(with(|o| write_interval_print_day_time(o, -1)), "PT-0.001S");
    assert_eq!(with(|o| write_interval_year_month(o, 13)), "+1-01");
    assert_eq!(with(|o| write_interval_print_year_month(o, 13)), "P13M");
    assert_eq!(with(|o| write_bytes_print(o, &[1, 2, 255])), "[1, 2, -1]");
}

#[test]
fn zones_follow_java() {
    let berlin = Zone::parse("Europe/Berlin").unwrap();
    let local = |text: &str| parse_timestamp(text).unwrap().to_units(3).unwrap();
    // The clock goes from 02:00 to 03:00 on 31 March 2024 and from 03:00 back to 02:00 on 27 October.
    let gap = berlin.to_instant(local("2024-03-31 02:30:00"), 1).unwrap();
    assert_eq!(berlin.to_local(gap, 1), Some(local("2024-03-31 03:30:00")));
    assert_eq!(berlin.to_instant(local("2024-10-27 02:30:00"), 1), Some(local("2024-10-27 00:30:00")));
    assert_eq!(Zone::parse("GMT+08:00").unwrap(), Zone::Fixed(8 * 3_600_000));
    assert_eq!(Zone::parse("-0830").unwrap(), Zone::Fixed(-30_600_000));
    assert_eq!(Zone::parse("UTC").unwrap(), Zone::UTC);
    assert!(Zone::parse("Mars/Olympus").is_err());
}

#[test]
fn every_day_survives_the_calendar() {
    for days in (-1_000_000..1_000_000).step_by(17) {
        let (year, month, day) = civil_from_days(days);
        assert_eq!(days_from_civil(year, month, day), days);
        assert!(day <= days_in_month(year, month));
    }
}
