use super::*;

fn dc() -> Expr {
    decimal("12345678.91", 10, 2)
}

fn dd() -> Expr {
    decimal("0.123456", 20, 6)
}

fn negd() -> Expr {
    decimal("-7.5", 5, 1)
}

const MAX: i64 = i64::MAX;

#[test]
fn arithmetic_of_integers_wraps_and_truncates() {
    check(vec![
        (call("+", vec![tinyint(100), tinyint(100)]), "-56 :: TINYINT NOT NULL"),
        (call("+", vec![tinyint(100), int(1)]), "101 :: INT NOT NULL"),
        (call("+", vec![int(i32::MAX), int(1)]), "-2147483648 :: INT NOT NULL"),
        (call("+", vec![bigint(MAX), int(1)]), "-9223372036854775808 :: BIGINT NOT NULL"),
        (call("*", vec![int(i32::MAX), int(2)]), "-2"),
        (call("/", vec![int(-7), int(2)]), "-3 :: INT NOT NULL"),
        (call("/", vec![bigint(MAX), tinyint(3)]), "3074457345618258602 :: BIGINT NOT NULL"),
        (call("/", vec![int(i32::MIN), int(-1)]), "-2147483648"),
        (call("%", vec![int(-7), int(3)]), "-1"),
        (call("MOD", vec![int(7), int(-3)]), "1 :: INT NOT NULL"),
        (call("%", vec![bigint(MAX), tinyint(100)]), "7 :: TINYINT NOT NULL"),
        (call("%", vec![tinyint(100), bigint(MAX)]), "100 :: BIGINT NOT NULL"),
        (call("%", vec![int(i32::MIN), int(-1)]), "0"),
        (call("NEGATE", vec![int(i32::MIN)]), "-2147483648"),
        (call("ABS", vec![int(i32::MIN)]), "-2147483648"),
        (call("ABS", vec![int(-7)]), "7"),
        (call("+", vec![null(TypeKind::Int), int(1)]), "NULL :: INT"),
        (call("/", vec![null(TypeKind::Int), int(0)]), "NULL"),
        (call("/", vec![int(1), int(0)]), "FAILED / by zero"),
        (call("%", vec![int(1), int(0)]), "FAILED / by zero"),
    ]);
}

#[test]
fn arithmetic_of_decimals_has_flinks_types() {
    check(vec![
        (call("+", vec![dc(), dc()]), "24691357.82 :: DECIMAL(11, 2) NOT NULL"),
        (call("+", vec![dc(), dd()]), "12345679.033456 :: DECIMAL(21, 6) NOT NULL"),
        (call("+", vec![bigint(MAX), dd()]), "9223372036854775807.123456 :: DECIMAL(26, 6) NOT NULL"),
        (call("-", vec![tinyint(100), dc()]), "-12345578.91 :: DECIMAL(11, 2) NOT NULL"),
        (call("*", vec![dc(), dc()]), "152415787748818.7881 :: DECIMAL(21, 4) NOT NULL"),
        (call("*", vec![dd(), dd()]), "0.015241384 :: DECIMAL(38, 9) NOT NULL"),
        (call("*", vec![bigint(MAX), dd()]), "1138680618181943202.028992 :: DECIMAL(38, 6) NOT NULL"),
        (call("/", vec![tinyint(100), dc()]), "0.00000810000 :: DECIMAL(16, 11) NOT NULL"),
        (call("/", vec![bigint(MAX), dd()]), "74709791641190187653.9009849663038 :: DECIMAL(38, 13) NOT NULL"),
        (call("/", vec![dc(), dd()]), "100000639.17509072058061171591498 :: DECIMAL(37, 23) NOT NULL"),
        (call("/", vec![dd(), dd()]), "1.000000000000000000 :: DECIMAL(38, 18) NOT NULL"),
        (call("/", vec![negd(), int(2)]), "-3.750000000000 :: DECIMAL(16, 12) NOT NULL"),
        (call("%", vec![dc(), dd()]), "0.021616 :: DECIMAL(14, 6) NOT NULL"),
        (call("%", vec![bigint(MAX), dd()]), "0.111232 :: DECIMAL(20, 6) NOT NULL"),
        (call("%", vec![negd(), int(2)]), "-1.5 :: DECIMAL(5, 1) NOT NULL"),
        (call("NEGATE", vec![dc()]), "-12345678.91 :: DECIMAL(10, 2) NOT NULL"),
        (call("/", vec![dc(), int(0)]), "FAILED Division by zero"),
        (call("*", vec![decimal("99999999999999999999999999999999999999", 38, 0); 2]), "NULL"),
    ]);
}

#[test]
fn arithmetic_of_floats_follows_java() {
    check(vec![
        (call("+", vec![float(1.5), double(1e23)]), "1.0E23 :: FLOAT NOT NULL"),
        (call("+", vec![double(1e23), float(1.5)]), "9.999999999999999E22 :: DOUBLE NOT NULL"),
        (call("+", vec![bigint(MAX), float(1.5)]), "9.223372E18 :: FLOAT NOT NULL"),
        (call("+", vec![float(1.5), dc()]), "1.234568041E7 :: DOUBLE NOT NULL"),
        (call("*", vec![float(1.5), dc()]), "1.8518518365000002E7 :: DOUBLE NOT NULL"),
        (call("/", vec![double(1.0), int(0)]), "Infinity :: DOUBLE NOT NULL"),
        (call("/", vec![int(100), float(1.5)]), "66.666664 :: FLOAT NOT NULL"),
        (call("ABS", vec![double(-0.0)]), "0.0"),
    ]);
    assert!(try_call("%", vec![double(1.0), int(2)]).is_err());
}

#[test]
fn rounding() {
    check(vec![
        (call("ROUND", vec![decimal("2.5", 2, 1), int(0)]), "3 :: DECIMAL(2, 0) NOT NULL"),
        (call("ROUND", vec![negd()]), "-8 :: DECIMAL(5, 0) NOT NULL"),
        (call("ROUND", vec![dc(), int(1)]), "12345678.9 :: DECIMAL(10, 1) NOT NULL"),
        (call("ROUND", vec![dc(), int(-2)]), "12345700 :: DECIMAL(9, 0) NOT NULL"),
        (call("ROUND", vec![dd(), int(2)]), "0.12 :: DECIMAL(17, 2) NOT NULL"),
        (call("ROUND", vec![dc(), int(5)]), "12345678.91 :: DECIMAL(10, 2) NOT NULL"),
        (call("ROUND", vec![double(2.5)]), "3.0"),
        (call("ROUND", vec![double(-0.0)]), "0.0"),
        (call("ROUND", vec![double(1.005), int(2)]), "1.01"),
        (call("ROUND", vec![double(-149.6), int(-2)]), "-100.0"),
        (call("ROUND", vec![float(2.345), int(2)]), "2.35"),
        (call("ROUND", vec![double(1e300), int(2)]), "1.0E300"),
        (call("ROUND", vec![int(i32::MAX), int(-2)]), "2147483600"),
        (call("ROUND", vec![bigint(MAX), int(-2)]), "9223372036854775800"),
        (call("ROUND", vec![int(15), int(-1)]), "20"),
        (call("ROUND", vec![tinyint(100), int(-1)]), "100"),
        (call("ROUND", vec![decimal("1.5", 2, 1), null(TypeKind::Int)]), "NULL"),
        (call("FLOOR", vec![negd()]), "-8 :: DECIMAL(5, 0) NOT NULL"),
        (call("CEIL", vec![negd()]), "-7 :: DECIMAL(5, 0) NOT NULL"),
        (call("CEILING", vec![decimal("2.1", 2, 1)]), "3 :: DECIMAL(2, 0) NOT NULL"),
        (call("FLOOR", vec![double(-1.5)]), "-2.0"),
        (call("CEIL", vec![double(-1.5)]), "-1.0"),
        (call("FLOOR", vec![int(5)]), "5 :: INT NOT NULL"),
    ]);
    assert!(show(&call("ROUND", vec![double(f64::NAN)])).starts_with("FAILED"));
}

#[test]
fn comparison() {
    check(vec![
        (call("=", vec![int(1), decimal("1.0", 2, 1)]), "TRUE :: BOOLEAN NOT NULL"),
        (call("=", vec![text("a"), text("a ")]), "FALSE"),
        (call("=", vec![float(1.5), decimal("1.5", 2, 1)]), "TRUE"),
        (call(">", vec![bigint(MAX), double(1e23)]), "FALSE"),
        (call("=", vec![double(f64::NAN), double(f64::NAN)]), "FALSE"),
        (call("=", vec![double(0.0), double(-0.0)]), "TRUE"),
        (call("<", vec![double(f64::NAN), double(1.0)]), "FALSE"),
        (call("=", vec![null(TypeKind::Int), int(1)]), "NULL :: BOOLEAN"),
        (call("=", vec![date("2024-02-29"), text("2024-02-29")]), "TRUE"),
        (call(">", vec![timestamp("2024-02-29 12:34:56", 3), text("2024-01-01 00:00:00")]), "TRUE"),
        (call("=", vec![timestamp("2024-02-29 12:34:56.789", 3), timestamp("2024-02-29 12:34:56.12", 6)]), "FALSE"),
        (call("<", vec![string("B"), string("a")]), "TRUE"),
        (call(">", vec![string("😀"), string("￿")]), "TRUE"),
        (call("IS DISTINCT FROM", vec![int(1), null(TypeKind::Int)]), "TRUE :: BOOLEAN NOT NULL"),
        (call("IS NOT DISTINCT FROM", vec![null(TypeKind::Int), null(TypeKind::Null)]), "TRUE"),
        (call("IS NULL", vec![null(TypeKind::Int)]), "TRUE :: BOOLEAN NOT NULL"),
        (call("IS NOT NULL", vec![null(TypeKind::Int)]), "FALSE"),
        (call("IS NOT TRUE", vec![null(TypeKind::Boolean)]), "TRUE"),
        (call("IS FALSE", vec![null(TypeKind::Boolean)]), "FALSE"),
        (call("NOT", vec![null(TypeKind::Boolean)]), "NULL"),
        (call("GREATEST", vec![int(1), decimal("2.5", 2, 1)]), "2.5 :: DECIMAL(11, 1) NOT NULL"),
        (call("GREATEST", vec![int(1), null(TypeKind::Int)]), "NULL :: INT"),
        (call("GREATEST", vec![double(-0.0), double(0.0)]), "0.0"),
        (call("LEAST", vec![double(0.0), double(-0.0)]), "-0.0"),
        (call("GREATEST", vec![double(f64::NAN), double(1.0)]), "NaN"),
        (call("LEAST", vec![int(5), bigint(7)]), "5 :: BIGINT NOT NULL"),
        (call("GREATEST", vec![text("a"), text("bbb")]), "bbb :: VARCHAR(3) NOT NULL"),
    ]);
    for (a, b) in [(date("2024-02-29"), timestamp("2024-02-29", 3)), (int(1), text("1")), (boolean(true), int(1))] {
        assert!(try_call("=", vec![a, b]).is_err());
    }
}
