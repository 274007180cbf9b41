//! A project folder: its templates, its tests in virtual time.

use std::fs;
use std::path::Path;

use crate::server::arus_command;

const TEMPLATES: [&str; 3] = ["shop", "machines", "fraud"];

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_new_project_passes_its_own_tests() {
    let folder = tempfile::tempdir().unwrap();
    for template in TEMPLATES {
        let dir = folder.path().join(template);
        let made = arus_command(&["init", text(&dir), "--template", template], "");
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let tested = arus_command(&["test", text(&dir)], "");
        assert_eq!(tested.code, Some(0), "{template}: {}{}", tested.stdout, tested.stderr);
        assert!(tested.stdout.contains(" 0 failed"), "{}", tested.stdout);
        let again = arus_command(&["init", text(&dir), "--template", template], "");
        assert_eq!(again.code, Some(1));
        assert!(again.stderr.contains("is there already"), "{}", again.stderr);
    }
    let other = arus_command(&["init", text(&folder.path().join("x")), "--template", "lake"], "");
    assert!(other.stderr.contains("the templates are shop, machines, fraud"), "{}", other.stderr);
}

#[test]
fn a_failed_test_shows_what_differs_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert_eq!(arus_command(&["init", text(dir)], "").code, Some(0));
    // The pipeline drops what the test wants.
    let file = dir.join("pipelines/orders.sql");
    let sql = fs::read_to_string(&file).unwrap();
    fs::write(&file, sql.replace("amount >= 100", "amount >= 200")).unwrap();
    let run = arus_command(&["test", text(dir)], "");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    for line in [
        "FAILED  tests/orders.sql: large orders",
        "- | 2  | Grace    | 130.00 |",
        "large_orders: TableSourceScan  3 rows, 1 with id = 2, customer = Grace, amount = 130.00",
        "> large_orders: Calc             0 rows, 0 with id = 2",
        "<- the first that differs",
        "3 passed, 1 failed",
    ] {
        assert!(run.stdout.contains(line), "no '{line}' in\n{}", run.stdout);
    }
    // What is there may be taken for what is expected; a wrong statement has its place.
    assert_eq!(arus_command(&["test", text(dir), "--accept"], "").code, Some(0));
    assert_eq!(arus_command(&["test", text(&dir.join("tests/orders.sql"))], "").code, Some(0));
    fs::write(&file, sql.replace("SUM(amount)", "SUM(amonut)")).unwrap();
    let run = arus_command(&["test", text(dir)], "");
    assert!(run.stdout.contains("pipelines/orders.sql: "), "{}", run.stdout);
    assert!(run.stdout.contains("amonut"), "{}", run.stdout);
}

#[test]
fn time_connectors_and_print_sinks_are_the_tests_own() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::create_dir_all(dir.join("pipelines")).unwrap();
    fs::create_dir_all(dir.join("tests")).unwrap();
    fs::write(
        dir.join("pipelines/all.sql"),
        "CREATE TABLE files (a INT, from_file STRING METADATA FROM 'file.name') WITH ('connector' = 'filesystem', 'path' = '/nowhere', 'format' = 'csv');
         CREATE TABLE kept (a INT, n BIGINT, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://nowhere/x', 'table-name' = 't');
         CREATE TABLE shown (a INT) WITH ('connector' = 'print');
         CREATE MATERIALIZED TABLE stamped AS SELECT a, CURRENT_TIMESTAMP AS t FROM files;
         INSERT INTO kept SELECT a, COUNT(*) FROM files GROUP BY a;
         INSERT INTO shown SELECT a FROM files WHERE a > 1;",
    )
    .unwrap();
    fs::write(
        dir.join("tests/all.sql"),
        "-- All of it.
         INSERT INTO files VALUES (1, 'x.csv'), (2, 'y.csv');
         -- wait 1 min
         INSERT INTO files VALUES (2, 'z.csv');
         SELECT * FROM kept;
-- | a | n |
-- | 1 | 1 |
-- | 2 | 2 |
         SELECT * FROM stamped;
-- by a
-- | a | t                    |
-- | 1 | 2026-01-01 00:00:00Z |
-- prints
-- +I[2]
-- +I[2]
",
    )
    .unwrap();
    let run = arus_command(&["test", text(dir)], "");
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}
