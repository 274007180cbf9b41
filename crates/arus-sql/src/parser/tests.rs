mod corpus;

use super::*;
use corpus::{CORPUS, ERRORS, REFUSED};

/// A tree for comparison: its Debug text without spans.
fn shape(tree: &impl std::fmt::Debug) -> String {
    let text = format!("{tree:?}");
    let mut shape = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(i) = rest.find("..") {
        let start = rest[..i].trim_end_matches(|c: char| c.is_ascii_digit()).len();
        shape.push_str(&rest[..start]);
        rest = rest[i + 2..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    shape.push_str(rest);
    shape
}

fn error(text: &str) -> ParseError {
    match parse_script(text) {
        Err(error) => error,
        Ok(tree) => panic!("parsed: {text}\n{tree:?}"),
    }
}

/// Each expression groups as the one in parentheses beside it; those are what Flink 2.3 makes of it.
#[test]
fn operators_bind_as_in_flink() {
    let cases = [
        ("a + b || c * d", "a + ((b || c) * d)"),
        ("a * b / c % d || e", "(((a * b) / c) % d) || e"),
        ("a - b - c + d", "((a - b) - c) + d"),
        ("a || b + c || d", "(a || b) + (c || d)"),
        ("NOT a = b", "NOT (a = b)"),
        ("NOT a IS NULL AND b", "(NOT (a IS NULL)) AND b"),
        ("a = NOT b AND c", "(a = (NOT b)) AND c"),
        ("a + NOT b = c", "a + (NOT (b = c))"),
        ("a = b IS NULL", "(a = b) IS NULL"),
        ("a = b IS NULL = c", "((a = b) IS NULL) = c"),
        ("a OR b = c IS TRUE", "a OR ((b = c) IS TRUE)"),
        ("a AND b = c IS NULL", "a AND ((b = c) IS NULL)"),
        ("a OR b AND c OR NOT d AND e", "(a OR (b AND c)) OR ((NOT d) AND e)"),
        ("a IS NULL IS NOT TRUE", "(a IS NULL) IS NOT TRUE"),
        ("a = b IS NOT DISTINCT FROM c", "(a = b) IS NOT DISTINCT FROM c"),
        ("a IS DISTINCT FROM b = c", "(a IS DISTINCT FROM b) = c"),
        ("a BETWEEN b AND c AND d", "(a BETWEEN b AND c) AND d"),
        ("a BETWEEN b = 1 AND c", "a BETWEEN (b = 1) AND c"),
        ("a BETWEEN 1 AND 2 = b", "(a BETWEEN 1 AND 2) = b"),
        ("a BETWEEN 1 AND 2 + 3 AND b", "(a BETWEEN 1 AND (2 + 3)) AND b"),
        ("NOT a BETWEEN 1 AND 2 OR b", "(NOT (a BETWEEN 1 AND 2)) OR b"),
        ("a = b OR c = d AND e BETWEEN 1 AND 2 AND f", "(a = b) OR (((c = d) AND (e BETWEEN 1 AND 2)) AND f)"),
        ("a < b IN (1, 2)", "a < (b IN (1, 2))"),
        ("a IN (1) = b", "(a IN (1)) = b"),
        ("a IN (1) IN (2)", "(a IN (1)) IN (2)"),
        ("a + 1 IN (1) AND b LIKE 'x' || c", "((a + 1) IN (1)) AND (b LIKE ('x' || c))"),
        ("a LIKE b = c", "(a LIKE b) = c"),
        ("a = b LIKE c", "a = (b LIKE c)"),
        ("a LIKE b LIKE c", "a LIKE (b LIKE c)"),
        ("a LIKE b || c ESCAPE '!'", "a LIKE (b || c) ESCAPE '!'"),
        ("a < b < c", "(a < b) < c"),
        ("-a * b", "(-a) * b"),
        ("-a[1]", "-(a[1])"),
        ("- - 1", "1"),
        ("5 - -1", "5 - (-1)"),
        ("a = -b", "a = (-b)"),
        ("-a IS NULL", "(-a) IS NULL"),
        ("a OVERLAPS b AND c", "(a OVERLAPS b) AND c"),
        ("CASE WHEN a THEN b END + 1", "(CASE WHEN a THEN b END) + 1"),
        ("CASE a WHEN 1, 2 THEN b WHEN 3 THEN c END", "CASE WHEN a IN (1, 2) THEN b WHEN a IN (3) THEN c END"),
        ("a.b[1].c[2]", "((a.b[1]).c)[2]"),
    ];
    for (plain, grouped) in cases {
        let plain_tree = parse_expr(plain).unwrap_or_else(|e| panic!("{plain}: {e}"));
        let grouped_tree = parse_expr(grouped).unwrap_or_else(|e| panic!("{grouped}: {e}"));
        assert_eq!(shape(&plain_tree), shape(&grouped_tree), "{plain}");
    }
}

#[test]
fn set_operations_and_joins_group_as_in_flink() {
    let of = |text: &str| match parse_statement(text).unwrap_or_else(|e| panic!("{text}: {e}")).kind {
        StatementKind::Query(query) => query.body,
        other => panic!("{other:?}"),
    };
    let SetExpr::SetOp(except) = of("SELECT a UNION SELECT b INTERSECT SELECT c EXCEPT ALL SELECT d") else {
        panic!("a set operation");
    };
    assert_eq!((except.op, except.all), (SetOperator::Except, true));
    let SetExpr::SetOp(union) = except.left else { panic!("a set operation") };
    assert_eq!(union.op, SetOperator::Union);
    assert!(matches!(union.right, SetExpr::SetOp(i) if i.op == SetOperator::Intersect));

    let SetExpr::Select(select) = of("SELECT * FROM a, b LEFT JOIN c ON TRUE CROSS JOIN d, e") else {
        panic!("a select");
    };
    assert_eq!(select.from.len(), 3);
    let TableKind::Join(cross) = &select.from[1].kind else { panic!("a join") };
    assert_eq!(cross.kind, JoinKind::Cross);
    assert!(matches!(&cross.left.kind, TableKind::Join(j) if j.kind == JoinKind::Left));
}

#[test]
fn errors_say_what_was_expected_where() {
    for (text, position, message, hint) in ERRORS {
        let e = if text.is_empty() { parse_statement(text).expect_err("there is no statement") } else { error(text) };
        let found = (e.line_column(text), e.message.as_str(), e.hint.as_deref().unwrap_or(""));
        assert_eq!(found, (*position, *message, *hint), "{text}");
    }
}

#[test]
fn a_tree_written_out_parses_to_the_same_tree() {
    for text in CORPUS {
        let tree = parse_statement(text).unwrap_or_else(|e| panic!("{e} at {:?}: {text}", e.span));
        let written = tree.to_string();
        let again = parse_statement(&written).unwrap_or_else(|e| panic!("{e} at {:?}: {written}\n{text}", e.span));
        assert_eq!(shape(&tree), shape(&again), "{text}\n{written}");
        assert_eq!(written, again.to_string());
        assert_eq!(tree.span.of(text), text.trim(), "the span is the whole statement");
    }
}

#[test]
fn statements_that_are_known_are_refused_by_name() {
    for &(text, name) in REFUSED {
        let script = format!("{text};\nSELECT 1");
        let trees = parse_script(&script).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(trees.len(), 2, "{text}");
        let StatementKind::Unsupported { what } = &trees[0].kind else {
            panic!("{text}: {trees:?}");
        };
        assert_eq!(what, name, "{text}");
        assert_eq!(trees[0].span.of(&script), text);
    }
}

#[test]
fn a_script_is_cut_at_its_outer_semicolons() {
    let script = "SET 'a;b' = 'c'; -- d;\n\n;EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN b THEN c END; INSERT INTO d SELECT ';'; END;\n\
                  BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END;; SELECT `;` /* ; */ FROM t";
    let parts: Vec<&str> = split_script(script).into_iter().map(|s| s.of(script)).collect();
    assert_eq!(
        parts,
        [
            "SET 'a;b' = 'c'",
            "-- d;\n\n;EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN b THEN c END; INSERT INTO d SELECT ';'; END",
            "BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END",
            "SELECT `;` /* ; */ FROM t",
        ]
    );
    assert_eq!(parse_script(script).map(|s| s.len()), Ok(4));
    assert_eq!(cut_statement(" ; -- a"), Cut::Blank);
    assert_eq!(cut_statement("SELECT 1"), Cut::Incomplete { open: false });
    assert_eq!(cut_statement("SELECT 'a;"), Cut::Incomplete { open: true });
    assert_eq!(cut_statement("SELECT # 1; SELECT"), Cut::Complete { end: 11 });
    let set = "EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1;";
    assert_eq!(cut_statement(set), Cut::Incomplete { open: true });
    assert_eq!(cut_statement(&format!("{set} END; x")), Cut::Complete { end: set.len() + 5 });
}

/// On a stack as a server's threads have it.
#[test]
fn hostile_nesting_is_refused_and_long_chains_stay_low() {
    let thread = std::thread::Builder::new().stack_size(arus_core::limits::STACK_BYTES);
    thread.spawn(hostile_nesting).expect("a thread").join().expect("nothing panics");
}

fn hostile_nesting() {
    let many = 100_000;
    let hostile = [
        "SELECT ".to_string() + &"(".repeat(many),
        "SELECT ".to_string() + &"-(".repeat(many),
        "SELECT ".to_string() + &"- ".repeat(many),
        "SELECT ".to_string() + &"NOT ".repeat(many),
        "SELECT ".to_string() + &"CASE WHEN ".repeat(many),
        "SELECT ".to_string() + &"f(".repeat(many),
        "SELECT ".to_string() + &"a[".repeat(many),
        "SELECT a".to_string() + &"[1]".repeat(many),
        "SELECT a".to_string() + &" + 1".repeat(many),
        "SELECT a".to_string() + &" IS NULL".repeat(many),
        "SELECT a".to_string() + &" = b".repeat(many),
        "SELECT * FROM ".to_string() + &"(".repeat(many),
        "SELECT * FROM ".to_string() + &"(SELECT * FROM ".repeat(many),
        "SELECT * FROM t".to_string() + &" JOIN t ON TRUE".repeat(many),
        "SELECT a".to_string() + &" LIKE b".repeat(many),
        "SELECT a".to_string() + &" BETWEEN 1 AND 2".repeat(many),
        "SELECT ".to_string() + &"JSON_ARRAY(".repeat(many),
        "SELECT a FROM t WHERE b IN ".to_string() + &"(SELECT a FROM t WHERE b IN ".repeat(many),
        "SELECT 1".to_string() + &" UNION ALL SELECT 1".repeat(many),
        "SELECT 1 FROM t GROUP BY ".to_string() + &"CUBE(".repeat(many),
        "SELECT CAST(a AS ".to_string() + &"ARRAY<".repeat(many),
        "SELECT CAST(a AS INT".to_string() + &" ARRAY".repeat(many),
        "SELECT ".to_string() + &"INTERVAL (".repeat(many),
        "(".repeat(many),
    ];
    for text in &hostile {
        let e = error(text);
        assert!(e.message.contains("nests deeper") || e.message.contains("levels here"), "{}: {e}", &text[..40]);
    }
    let chain = |op: &str| format!("SELECT a = 1{}", format!(" {op} a = 2").repeat(10_000));
    for text in [chain("OR"), chain("AND")] {
        let tree = parse_statement(&text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(tree.to_string().matches(" = 2").count(), 10_000);
    }
    let deep = format!("SELECT {}1{}", "(1 + ".repeat(40), ")".repeat(40));
    let high = format!("SELECT a{}", " + 1".repeat(HEIGHT_MAX as usize - 8));
    for text in [deep, high] {
        let tree = parse_statement(&text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(shape(&tree.clone()), shape(&parse_statement(&tree.to_string()).unwrap_or_else(|e| panic!("{e}"))));
    }
}

/// Random damage to good statements: an error or a tree, never a panic; a tree survives being written out.
#[test]
fn damaged_statements_never_panic() {
    const CASES: usize = 20_000;
    const PIECES: [&str; 40] = [
        "(",
        ")",
        ",",
        ";",
        "'",
        "`",
        "/*",
        "*/",
        "/*+",
        "--",
        "\n",
        ".",
        "*",
        "[",
        "]",
        "{",
        "}",
        "=>",
        "||",
        "=",
        "<",
        ">",
        "-",
        " NOT ",
        " AND ",
        " NULL ",
        " SELECT ",
        " FROM ",
        " AS ",
        " BETWEEN ",
        " IN ",
        " CASE ",
        " END ",
        " TABLE ",
        " LIKE ",
        " 1e",
        " U&'\\",
        " E'\\",
        " ä",
        "\u{0}",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % below.max(1)
    };
    let mut parsed = 0;
    for _ in 0..CASES {
        let mut chars: Vec<char> = CORPUS[random(CORPUS.len())].chars().collect();
        for _ in 0..=random(3) {
            let at = random(chars.len() + 1);
            let end = (at + random(12)).min(chars.len());
            match random(4) {
                0 => drop(chars.drain(at..end)),
                1 => drop(chars.splice(at..at, PIECES[random(PIECES.len())].chars())),
                2 => {
                    let copy = chars[at..end].to_vec();
                    let to = random(chars.len() + 1);
                    drop(chars.splice(to..to, copy));
                }
                _ => {
                    let other: Vec<char> = CORPUS[random(CORPUS.len())].chars().collect();
                    let from = random(other.len());
                    let until = (from + random(30)).min(other.len());
                    drop(chars.splice(at..end, other[from..until].iter().copied()));
                }
            }
        }
        let text: String = chars.into_iter().collect();
        for span in split_script(&text) {
            assert!(text.get(span.start as usize..span.end as usize).is_some(), "{text}");
        }
        match parse_script(&text) {
            Ok(trees) => {
                parsed += 1;
                for tree in trees {
                    same_when_written_out(&tree, &text);
                }
            }
            Err(e) => {
                assert!(e.span.end as usize <= text.len() && !e.message.is_empty(), "{text}");
                assert!(text.get(e.span.start as usize..e.span.end as usize).is_some(), "{text}");
            }
        }
    }
    assert!(parsed > CASES / 20, "only {parsed} damaged statements still parse");
}

fn same_when_written_out(tree: &Statement, text: &str) {
    let before = shape(tree);
    if before.contains("Unsupported") {
        return;
    }
    let written = tree.to_string();
    match parse_statement(&written) {
        Ok(again) => assert_eq!(before, shape(&again), "{text}\n{written}"),
        Err(e) => panic!("{e}\n{text}\n{written}"),
    }
}
