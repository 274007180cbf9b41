use super::*;

fn kinds(text: &str) -> Vec<TokenKind> {
    let tokens = tokenize(text).expect("the text has tokens");
    tokens.iter().map(|t| t.kind).collect()
}

fn error(text: &str) -> (Span, String) {
    let e = tokenize(text).expect_err("the text has no tokens");
    (e.span, e.message)
}

#[test]
fn comments_fall_away_and_hints_stay() {
    use TokenKind::*;
    assert_eq!(kinds("a -- b\n// c\n/* d /* e */ 1"), [Word, Integer, End]);
    assert_eq!(kinds("/**/ /*+ A */ 2*/x"), [HintStart, Word, HintEnd, Integer, Star, Slash, Word, End]);
    assert_eq!(kinds("a--b"), [Word, End]);
    assert_eq!(error("a /* b").1, "the comment that starts here is not closed");
}

#[test]
fn numbers_and_words_end_where_flink_ends_them() {
    use TokenKind::*;
    assert_eq!(
        kinds("1 1. .5 1.5 1e3 1.5E-2 .5e+1"),
        [Integer, Decimal, Decimal, Decimal, Approximate, Approximate, Approximate, End]
    );
    assert_eq!(kinds("1e 1a 0x1"), [Integer, Word, Integer, Word, Integer, Word, End]);
    assert_eq!(
        kinds("$a a$b _x ä 名 a1 `a b` `a``b`"),
        [Word, Word, Word, Word, Word, Word, BackQuoted, BackQuoted, End]
    );
    assert_eq!(kinds("<>=>=<=!=||=>"), [NotEq, Arrow, Eq, LtEq, BangEq, Concat, Arrow, End]);
}

#[test]
fn strings_have_all_their_forms() {
    use TokenKind::*;
    assert_eq!(
        kinds("'it''s' '' N'x' _UTF8'x' E'\\'' U&'x' X'0a' e 'x'"),
        [String, String, String, String, EscapedString, UnicodeString, BinaryString, Word, String, End]
    );
    let none = Span::default();
    assert_eq!(literal::string("'it''s'"), "it's");
    assert_eq!(literal::string("_UTF8'x'"), "x");
    assert_eq!(literal::back_quoted("`a``b`"), "a`b");
    assert_eq!(literal::binary("X'0aFf'", none), Ok(vec![10, 255]));
    assert!(literal::binary("X'0'", none).is_err());
    assert!(literal::binary("X'0é'", none).is_err());
    assert_eq!(literal::unicode("U&'\\263A\\\\x'", '\\', none).as_deref(), Ok("☺\\x"));
    assert_eq!(literal::unicode("U&'!D83D!DE00'", '!', none).as_deref(), Ok("😀"));
    assert!(literal::unicode("U&'\\D83D'", '\\', none).is_err());
    assert!(literal::unicode("U&'\\26é'", '\\', none).is_err());
    assert_eq!(literal::escaped("E'\\x41\\101\\u263a\\q\\'\\n''\\U0001F600'", none).as_deref(), Ok("AA☺\\q'\n'😀"));
    assert!(literal::escaped("E'\\xg'", none).is_err());
    assert!(literal::escaped("E'\\U00110000'", none).is_err());
}

#[test]
fn errors_point_at_what_is_wrong() {
    assert_eq!(error("a 'b"), (Span::new(2, 3), "the string that starts here is not closed".into()));
    assert_eq!(error("E'a\\"), (Span::new(0, 1), "the string that starts here is not closed".into()));
    assert_eq!(error("a `b"), (Span::new(2, 3), "the quoted name that starts here is not closed".into()));
    assert_eq!(error("``").1, "a quoted name must not be empty");
    assert_eq!(error("a #"), (Span::new(2, 3), "the character `#` has no meaning here".into()));
    assert_eq!(error("\u{0}").1, "the character U+0000 has no meaning here");
    assert_eq!(tokenize("\"a\"").map_err(|e| e.hint.is_some()).err(), Some(true));
}

#[test]
fn line_and_column_count_characters() {
    let text = "a\nä名 b";
    assert_eq!(Span::new(0, 1).line_column(text), (1, 1));
    assert_eq!(Span::new(8, 9).line_column(text), (2, 4));
    assert_eq!(Span::new(3, 3).line_column(text), (2, 1));
    assert_eq!(Span::new(99, 99).line_column(text), (2, 5));
}
