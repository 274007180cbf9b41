//! What is read of a statement's parameters, and where its errors are.

use super::*;

#[test]
fn parameters_are_found_where_they_are_none_of_a_text() {
    let statement =
        "INSERT INTO t VALUES ($1, '$2', `$3`, $12::NUMERIC(10, 2), a$4) -- $5\n/* $6 */ , $7::double precision";
    let (text, found) = scan(statement);
    let shown: Vec<_> = found.iter().map(|f| (&statement[f.range.clone()], f.value.clone())).collect();
    let number = Value::Number;
    let expected = [("$1", number(1)), ("$12::NUMERIC(10, 2)", number(12)), ("$7::double precision", number(7))];
    assert_eq!(shown, expected);
    assert_eq!(text.len(), statement.len());
    assert!(!text.contains("::"));
    let (text, found) = scan("INSERT INTO t VALUES ('it''s'::text, ':: $1', 'x'::bytea)");
    assert_eq!(text, "INSERT INTO t VALUES ('it''s'      , ':: $1', 'x'       )");
    let values: Vec<_> = found.into_iter().map(|f| f.value).collect();
    assert_eq!(values, [Value::Text("it's".into()), Value::Text("x".into())]);
}

#[test]
fn any_text_is_read_and_stays_as_long() {
    let mut rng = arus_core::rng::Rng::seeded(7);
    for _ in 0..20_000 {
        let char = |_| ['"', '\'', '`', '$', '1', ':', 'é', '-', '/', '*', '(', ' '][rng.below(12) as usize];
        let text: String = (0..12).map(char).collect();
        assert_eq!(scan(&text).0.len(), text.len(), "{text}");
    }
}

#[test]
fn places_are_those_of_what_was_sent() {
    let sent = "UPDATE \"t\" SET a = $1 WHERE nope = $2";
    let (text, found) = scan(sent);
    let parameters = Parameters { text, found };
    let param = |text: &str| Param { text: Some(text.into()), ty: None };
    let bound = parameters.bind(&[param("it's long"), param("x")]).expect("texts");
    assert_eq!(bound.text, "UPDATE `t` SET a = 'it''s long' WHERE nope = 'x'");
    let place = |offset: usize| {
        let at = Span { start: offset as u32, end: offset as u32 + 1 }.location(&bound.text);
        bound.placed(Error::user("wrong").with_location(at)).location().expect("a place").offset as usize
    };
    assert_eq!(place(bound.text.find("nope").expect("there")), sent.find("nope").expect("there"));
    assert_eq!(place(bound.text.find("long").expect("there")), sent.find("$1").expect("there"));
    assert_eq!(place(bound.text.find("'x'").expect("there")), sent.find("$2").expect("there"));
}
