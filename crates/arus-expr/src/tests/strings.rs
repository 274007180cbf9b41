use super::*;

const S: &str = "Hi 😀 Wörld";

fn s() -> Expr {
    string(S)
}

fn none() -> Expr {
    null(TypeKind::STRING)
}

#[test]
fn lengths_and_cases() {
    check(vec![
        (call("CHAR_LENGTH", vec![s()]), "10 :: INT NOT NULL"),
        (call("CHARACTER_LENGTH", vec![string("")]), "0"),
        (call("CHAR_LENGTH", vec![none()]), "NULL :: INT"),
        (call("UPPER", vec![s()]), "HI 😀 WÖRLD"),
        (call("LOWER", vec![s()]), "hi 😀 wörld"),
        (call("UPPER", vec![string("straße")]), "STRASSE"),
        (call("UPPER", vec![text("ab")]), "AB :: CHAR(2) NOT NULL"),
        (call("||", vec![text("a"), text("b")]), "ab :: CHAR(2) NOT NULL"),
        (call("||", vec![s(), text("x")]), "Hi 😀 Wörldx :: STRING NOT NULL"),
        (call("||", vec![s(), none()]), "NULL :: STRING"),
        (call("CONCAT", vec![s(), text("-"), string("")]), "Hi 😀 Wörld-"),
        (call("CONCAT", vec![text("a"), text("b")]), "ab :: STRING NOT NULL"),
        (call("CONCAT", vec![s(), none()]), "NULL"),
    ]);
    assert!(try_call("||", vec![int(1), text("a")]).is_err());
}

#[test]
fn parts_of_strings() {
    let sub = |start: i32| call("SUBSTRING", vec![s(), int(start)]);
    let part = |start: i32, length: i32| call("SUBSTRING", vec![s(), int(start), int(length)]);
    let trim = |side: &str, chars: &str, from: &str| call("TRIM", vec![text(side), string(chars), string(from)]);
    check(vec![
        (part(1, 2), "Hi :: STRING"),
        (sub(4), "😀 Wörld"),
        (part(4, 1), "😀"),
        (sub(0), S),
        (part(0, 2), "Hi"),
        (sub(-3), "rld"),
        (part(-3, 2), "rl"),
        (sub(-100), ""),
        (part(-100, 3), ""),
        (sub(100), ""),
        (part(2, 0), ""),
        (part(2, -1), "NULL"),
        (part(2, 100), "i 😀 Wörld"),
        (call("SUBSTR", vec![s(), int(2), int(3)]), "i 😀"),
        (call("SUBSTRING", vec![text("abc"), int(2)]), "bc :: VARCHAR(3)"),
        (call("SUBSTRING", vec![s(), null(TypeKind::Int)]), "NULL"),
        (call("SUBSTRING", vec![string("abc"), int(i32::MIN)]), ""),
        (call("SUBSTRING", vec![string("abc"), int(2), int(i32::MAX)]), "bc"),
        (call("TRIM", vec![string("  ab  ")]), "ab"),
        (trim("BOTH", " ", "  ab  "), "ab"),
        (trim("LEADING", " ", "  ab  "), "ab  "),
        (trim("TRAILING", " ", "  ab  "), "  ab"),
        (trim("BOTH", "ab ", "  ab  "), ""),
        (trim("LEADING", "ab", "abbax"), "x"),
        (call("TRIM", vec![text("BOTH"), text("x"), text("xxaxx")]), "a :: VARCHAR(5) NOT NULL"),
    ]);
}

#[test]
fn replacing_and_splitting() {
    let replace = |a: &str, b: &str, c: &str| call("REPLACE", vec![string(a), string(b), string(c)]);
    let split = |a: &str, b: &str, i: i32| call("SPLIT_INDEX", vec![string(a), string(b), int(i)]);
    check(vec![
        (replace(S, "i", "II"), "HII 😀 Wörld"),
        (replace(S, "", "x"), "xHxix x?x?x xWxöxrxlxdx"),
        (replace("aaa", "aa", "b"), "ba :: STRING NOT NULL"),
        (call("REPLACE", vec![s(), string("zz"), none()]), "NULL"),
        (split("a,b,,c", ",", 0), "a :: STRING"),
        (split("a,b,,c", ",", 2), ""),
        (split("a,b,,c", ",", 3), "c"),
        (split("a,b,,c", ",", 4), "NULL"),
        (split("a,b", ",", -1), "NULL"),
        (split("a--b", "--", 1), "b"),
        (split("a-,b", "-,", 1), "b"),
        (split("a,b", "", 0), "a,b"),
        (split("", ",", 0), "NULL"),
        (split("abc", ",", 0), "abc"),
        (split(",a", ",", 0), ""),
        (split("a,", ",", 1), ""),
        (split("http://x/y", "/", 2), "x"),
        (call("SPLIT_INDEX", vec![string("a,b"), int(44), int(1)]), "b"),
        (call("MD5", vec![string("")]), "d41d8cd98f00b204e9800998ecf8427e :: CHAR(32) NOT NULL"),
        (call("MD5", vec![s()]), "e80b9140424bf42eabeac3d537be2869"),
        (
            call("MD5", vec![literal(Datum::Bytes(vec![1, 2, 255]), TypeKind::BYTES)]),
            "4f989b1ac8e4fab115696571104cfb67",
        ),
        (call("MD5", vec![none()]), "NULL :: CHAR(32)"),
    ]);
}

#[test]
fn like() {
    let like = |value: &str, pattern: &str| call("LIKE", vec![string(value), text(pattern)]);
    let escaped = |value: &str, pattern: &str| call("LIKE", vec![string(value), text(pattern), text("!")]);
    // The same by a pattern that is a column.
    let by_row = |value: &str, pattern: &str| call("LIKE", vec![string(value), string(pattern)]);
    check(vec![
        (like(S, "Hi%"), "TRUE :: BOOLEAN NOT NULL"),
        (like(S, "%😀%"), "TRUE"),
        (like(S, "Hi _ %"), "TRUE"),
        (like(S, "hi%"), "FALSE"),
        (like("a_b", "a\\_b"), "FALSE"),
        (like("a\\b", "a\\b"), "TRUE"),
        (like("ab", ""), "FALSE"),
        (like("", "%"), "TRUE"),
        (like("", ""), "TRUE"),
        (like("axb", "a.b"), "FALSE"),
        (like("a\nb", "a_b"), "FALSE"),
        (like("a\nb", "a%"), "TRUE"),
        (like("abcabc", "%bc"), "TRUE"),
        (like("abcbd", "a%b_"), "TRUE"),
        (like("mississippi", "%iss%ip%i"), "TRUE"),
        (like("mississippi", "%iss%ip%s"), "FALSE"),
        (escaped("a_b", "a!_b"), "TRUE"),
        (escaped("axb", "a!_b"), "FALSE"),
        (escaped("a%b", "a!%b"), "TRUE"),
        (by_row(S, "%W_rld"), "TRUE"),
        (call("LIKE", vec![none(), text("%")]), "NULL :: BOOLEAN"),
        (call("LIKE", vec![s(), none()]), "NULL"),
    ]);
    let values: Vec<ArrayRef> = ["ab", "ab!", "!"]
        .map(|text| Arc::new(arrow::array::StringViewArray::from_iter_values([text])) as ArrayRef)
        .to_vec();
    let columns = (0..3).map(|i| column(i, TypeKind::STRING)).collect();
    let failed = run_in(&call("LIKE", columns), &batch(values, 1), "UTC").failed;
    assert_eq!(failed[0].reason, "Invalid escape sequence 'ab!', 2");
    assert!(try_call("LIKE", vec![string("a!b"), string("a!b"), string("!")]).is_err());
}

#[test]
fn json_value() {
    const JS: &str = r#"{"s":"t","a":{"b":[1,2.50,"x",null,true]},"n":null,"o":{}}"#;
    let get = |json: &str, path: &str| call("JSON_VALUE", vec![string(json), text(path)]);
    check(vec![
        (get(JS, "$.s"), "t :: STRING"),
        (get(JS, "$.a"), "NULL"),
        (get(JS, "$.a.b[1]"), "2.50"),
        (get(JS, "$.a.b[3]"), "NULL"),
        (get(JS, "$.a.b[4]"), "true"),
        (get(JS, "$.a.b[9]"), "NULL"),
        (get(JS, "lax $.nope"), "NULL"),
        (get(JS, "$['s']"), "t"),
        (get("not json", "$.a"), "NULL"),
        (get("", "$.a"), "NULL"),
        (get("1", "$"), "1"),
        (get("\"x\"", "$"), "x"),
        (get("[1,2]", "$[1]"), "2"),
        (get("[1,2]", "$[*]"), "NULL"),
        (get(r#"{"a":12345678901234567890}"#, "$.a"), "12345678901234567890"),
        (get(r#"{"a":1.10}"#, "$.a"), "1.10"),
        (get(r#"{"a":1e2}"#, "$.a"), "1E+2"),
        (get(r#"{"a":"\u00e9\ud83d\ude00"}"#, "$.a"), "é😀"),
        (get(r#"{"a b":1}"#, "$.a b"), "NULL"),
        (get(r#"{"a.b":1}"#, "$['a.b']"), "1"),
        (get(r#"{"a":1,"a":2}"#, "$.a"), "2"),
        (get(r#"{"a":{"b":3}}"#, "$..b"), "NULL"),
        (get(r#"{"a":1}"#, "a"), "1"),
        (get(r#"{"a":1}"#, "$."), "NULL"),
        (get(r#"{"a":[1,2,3]}"#, "$.a.length()"), "3"),
        (get(r#"{"a":[1,2,3]}"#, "$.a[-1]"), "3"),
        (get(r#"{"a":1} x"#, "$.a"), "1"),
        (call("JSON_VALUE", vec![none(), text("$.a")]), "NULL"),
    ]);
    let clauses = |path: &str, kind: TypeKind, empty: (&str, Expr), error: (&str, Expr)| {
        let args = vec![string(JS), text(path), text(empty.0), empty.1, text(error.0), error.1];
        Expr::call("JSON_VALUE", args, kind.nullable())
    };
    let nothing = || ("NULL", null(TypeKind::STRING));
    let no_int = || ("NULL", null(TypeKind::Int));
    check(vec![
        (clauses("$.a", TypeKind::STRING, nothing(), ("DEFAULT", text("err"))), "err"),
        (clauses("$.nope", TypeKind::STRING, ("DEFAULT", text("d")), nothing()), "NULL"),
        (clauses("lax $.nope", TypeKind::STRING, ("DEFAULT", text("d")), nothing()), "d"),
        (clauses("lax $.nope", TypeKind::Int, ("DEFAULT", int(5)), no_int()), "5"),
        (clauses("$.a.b[0]", TypeKind::Int, no_int(), no_int()), "1"),
        (clauses("$.a.b[1]", TypeKind::Double, no_int(), no_int()), "2.5"),
        (clauses("$.a.b[4]", TypeKind::Boolean, no_int(), no_int()), "TRUE"),
        (clauses("$.a.b[2]", TypeKind::Int, no_int(), no_int()), "FAILED the JSON value x is no INT"),
        (
            clauses("strict $.nope", TypeKind::STRING, nothing(), ("ERROR", null(TypeKind::STRING))),
            "FAILED No results for path: $.nope",
        ),
    ]);
}

#[test]
fn collections() {
    let arr = || {
        let kind = TypeKind::Array(Box::new(TypeKind::Int.nullable()));
        literal(Datum::Array(vec![Datum::Int(1), Datum::Null, Datum::Int(3)]), kind)
    };
    let mp = || {
        let kind = TypeKind::Map(Box::new(TypeKind::STRING.nullable()), Box::new(TypeKind::Int.nullable()));
        let entry = |k: &str, v| (Datum::String(k.to_owned()), v);
        literal(Datum::Map(vec![entry("a", Datum::Int(1)), entry("b", Datum::Null)]), kind)
    };
    let item = |a: Expr, i: Expr| call("ITEM", vec![a, i]);
    check(vec![
        (call("CARDINALITY", vec![arr()]), "3 :: INT NOT NULL"),
        (call("CARDINALITY", vec![mp()]), "2"),
        (item(arr(), int(1)), "1 :: INT"),
        (item(arr(), int(2)), "NULL"),
        (item(arr(), int(4)), "NULL"),
        (item(arr(), null(TypeKind::Int)), "NULL"),
        (item(mp(), text("a")), "1 :: INT"),
        (item(mp(), string("b")), "NULL"),
        (item(mp(), text("zz")), "NULL"),
        (item(mp(), none()), "NULL"),
        (call("ARRAY", vec![text("a"), text("bbb")]), "[a, bbb] :: ARRAY<VARCHAR(3) NOT NULL> NOT NULL"),
        (call("ARRAY", vec![int(1), decimal("2.5", 2, 1)]), "[1.0, 2.5] :: ARRAY<DECIMAL(11, 1) NOT NULL> NOT NULL"),
        (call("ARRAY", vec![null(TypeKind::Null), int(1)]), "[NULL, 1] :: ARRAY<INT> NOT NULL"),
        (
            call("MAP", vec![text("a"), int(1), text("b"), int(2)]),
            "{a=1, b=2} :: MAP<CHAR(1) NOT NULL, INT NOT NULL> NOT NULL",
        ),
        (call("MAP", vec![string("a"), int(1), string("a"), int(2)]), "{a=2}"),
        (
            call("ROW", vec![int(1), text("x")]),
            "(1, x) :: ROW<`EXPR$0` INT NOT NULL, `EXPR$1` CHAR(1) NOT NULL> NOT NULL",
        ),
        (call("=", vec![arr(), arr()]), "TRUE"),
        (call("=", vec![call("ROW", vec![int(1)]), call("ROW", vec![int(2)])]), "FALSE"),
    ]);
    assert!(try_call("ITEM", vec![arr(), int(0)]).is_err());
    assert!(try_call("ITEM", vec![arr(), tinyint(1)]).is_err());
    let zero = call("-", vec![int(1), column(0, TypeKind::Int)]);
    let one: ArrayRef = Arc::new(arrow::array::Int32Array::from(vec![1]));
    let failed = run_in(&item(arr(), zero), &batch(vec![one], 1), "UTC").failed;
    assert_eq!(failed[0].reason, "array elements are counted from 1, and 0 is asked for");
}
