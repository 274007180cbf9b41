//! Completion and token classes, with the tables of `schema.sql`.

use crate::assist::{TokenClass, classify, suggest};
use crate::tests::World;

/// The first suggestions where `|` stands, and how much they replace.
#[track_caller]
fn check(text: &str, replace: usize, expected: &[&str]) {
    let (before, after) = text.split_once('|').expect("a cursor");
    let found = World::new().with_planner(|planner| suggest(planner, before, after));
    let texts: Vec<&str> = found.suggestions.iter().map(|s| s.text.as_str()).take(expected.len()).collect();
    assert_eq!((found.replace, texts.as_slice()), (replace, expected), "{text}");
}

#[test]
fn what_may_come_next_is_suggested() {
    check("sel|", 3, &["select"]);
    check("SELECT * FROM or|", 2, &["orders"]);
    check("SELECT am| FROM orders", 2, &["amount"]);
    check("SELECT o.it| FROM orders AS o", 2, &["item"]);
    check("SELECT `off| FROM clicks", 4, &["`offset`"]);
    check("SELECT char_l|", 6, &["char_length"]);
    check("SELECT * FROM TABLE(TUMBLE(TABLE cl|", 2, &["clicks"]);
    check("SET 'table.local|", 11, &["table.local-time-zone"]);
    check("CREATE TABLE t (a INT) WITH ('conn|", 4, &["connector"]);
    check("SELECT 'done' |", 0, &["ADD"]);
    check("SELECT zzz|", 3, &[]);
}

#[test]
fn classes_cover_all_but_white_space() {
    let text = "SELECT count(a), 'it''s' -- why\n FROM `t` WHERE b > 1.5 /* open";
    let shown: Vec<(&str, TokenClass)> = classify(text).into_iter().map(|(r, c)| (&text[r], c)).collect();
    use TokenClass::{Comment, Keyword, Name, Number, Other, String};
    assert_eq!(
        shown[..6],
        [("SELECT", Keyword), ("count", Keyword), ("(", Other), ("a", Name), (")", Other), (",", Other)]
    );
    assert!(shown.contains(&("'it''s'", String)) && shown.contains(&("`t`", Name)) && shown.contains(&("1.5", Number)));
    assert!(shown.iter().any(|(t, c)| t.trim() == "-- why" && *c == Comment));
    assert_eq!(shown.last(), Some(&("/* open", Comment)));
}
