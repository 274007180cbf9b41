//! Statements as BI tools and analysts send them, answered by a real Postgres and by Arus on the same rows: names and types
//! of columns, and every value. Numbers are compared by value, as a numeric shows as many digits as it likes.

use std::process::{Command, Stdio};

use arus_testkit::postgres::Postgres;

use crate::server::Server;

const STATEMENTS: &str = include_str!("bi/statements.sql");
const FIELD: &str = "\u{1f}";
const PRODUCTS: [(&str, &str); 5] =
    [("keyboard", "input"), ("mouse", "input"), ("screen", "display"), ("cable", "parts"), ("dock", "parts")];

fn statements() -> Vec<String> {
    let text: String = STATEMENTS.lines().filter(|l| !l.starts_with("--")).map(|l| format!("{l}\n")).collect();
    text.split(";\n").map(|s| s.trim().to_string()).filter(|s| !s.is_empty()).collect()
}

/// The same rows for both; only the type of a floating number has two names.
fn inserts(double: &str) -> String {
    let orders = (1..=40i64).map(|i| {
        let (product, category) = PRODUCTS[(i * 7 % 5) as usize];
        let minutes = i * (53 * 60 + 7) + 8 * 60 + 15;
        let (day, hour, minute) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
        let date = match day + 3 {
            d @ ..=31 => format!("2024-01-{d:02}"),
            d @ ..=60 => format!("2024-02-{:02}", d - 31),
            d @ ..=91 => format!("2024-03-{:02}", d - 60),
            d => format!("2024-04-{:02}", d - 91),
        };
        let discount = if i % 6 == 0 { "NULL".into() } else { format!("0.{:02}", i * 37 % 50) };
        let customer = if i % 13 == 0 { "CAST(NULL AS INT)".into() } else { (1 + i * i % 5).to_string() };
        let channel = ["web", "shop", "phone"][(i % 3) as usize];
        let ship = match i % 4 {
            0 => String::new(),
            _ => format!(", \"ship\": {{\"country\": \"{}\"}}", ["DE", "FR", "IT"][(i % 3) as usize]),
        };
        let note = format!(
            "{{\"channel\": \"{channel}\", \"score\": {}, \"items\": [\"{product}\", \"x{i}\"]{ship}}}",
            i % 11
        );
        let (whole, cents) = ((i * 1999 % 9000 + 99) / 100, (i * 1999 % 9000 + 99) % 100);
        format!(
            "({i}, {customer}, '{product}', '{category}', {}, {whole}.{cents:02}, CAST({discount} AS {double}), \
             TIMESTAMP '{date} {hour:02}:{minute:02}:30.125', {}, DATE '{date}', '{note}')",
            1 + i * 5 % 10,
            if i % 3 == 0 { "FALSE" } else { "TRUE" }
        )
    });
    let customers = "(1, 'Ada', 'Berlin', DATE '2020-02-29', TRUE, 'ada@example.com', 'a;b'), \
        (2, 'Bob', 'Paris', DATE '2021-07-01', FALSE, 'bob@shop.org', 'b'), \
        (3, 'Carl', 'Berlin', DATE '2022-01-15', TRUE, 'carl@example.com', 'a;c'), \
        (4, 'Diana', 'Rome', DATE '2019-12-31', FALSE, 'diana@mail.net', 'c'), \
        (5, 'Edgar', 'Oslo', DATE '2023-05-05', FALSE, 'edgar@example.org', 'b;c;a'), \
        (6, 'Anne', 'Bonn', DATE '2018-08-08', TRUE, 'anne@mail.net', 'd')";
    format!(
        "INSERT INTO orders VALUES {};\nINSERT INTO customers VALUES {customers};\n",
        orders.collect::<Vec<_>>().join(", ")
    )
}

const POSTGRES: &str = "CREATE TABLE orders (order_id BIGINT PRIMARY KEY, customer_id INT, product TEXT, category TEXT, \
    quantity INT, price NUMERIC(10, 2), discount DOUBLE PRECISION, ordered_at TIMESTAMP, paid BOOLEAN, day DATE, note TEXT);\n\
    CREATE TABLE customers (customer_id INT PRIMARY KEY, name TEXT, city TEXT, since DATE, vip BOOLEAN, email TEXT, tags TEXT);\n";
const ARUS: &str = "CREATE TABLE orders (order_id BIGINT, customer_id INT, product STRING, category STRING, quantity INT, \
    price DECIMAL(10, 2), discount DOUBLE, ordered_at TIMESTAMP(6), paid BOOLEAN, `day` DATE, note STRING, \
    PRIMARY KEY (order_id) NOT ENFORCED);\n\
    CREATE TABLE customers (customer_id INT, name STRING, city STRING, since DATE, vip BOOLEAN, email STRING, tags STRING, \
    PRIMARY KEY (customer_id) NOT ENFORCED);\n";

/// What psql prints for each statement: its columns' names and types, then its rows or its error.
fn answers(port: u16, user: &str, before: &str) -> Vec<String> {
    let mut script =
        format!("{before}\\pset null <NULL>\n\\pset format unaligned\n\\pset fieldsep '{FIELD}'\n\\pset footer off\n");
    for statement in statements() {
        script.push_str(&format!("\\echo @@@\n{statement} \\gdesc\n\\echo ---\n{statement} \\g\n"));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.sql");
    std::fs::write(&path, script).unwrap();
    let output = Command::new("sh")
        .args(["-c", "exec psql -X -q -h 127.0.0.1 -p \"$1\" -U \"$2\" -d \"$2\" -f \"$3\" 2>&1", "sh"])
        .args([&port.to_string(), user, path.to_str().unwrap()])
        .env("PGTZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut parts = text.split("@@@\n");
    let prelude = parts.next().unwrap_or_default();
    assert!(!prelude.contains("ERROR"), "{prelude}");
    parts.map(by_value).collect()
}

/// Numbers with twelve digits, without zeros at their end.
fn by_value(text: &str) -> String {
    let field = |field: &str| match field.parse::<f64>() {
        Ok(number) if field.contains('.') && number.is_finite() => format!("{number:.11e}"),
        Ok(number) if field.bytes().all(|b| b.is_ascii_digit() || b == b'-') && field.len() < 16 => {
            format!("{number:.11e}")
        }
        _ => field.to_string(),
    };
    let line = |line: &str| line.split(FIELD).map(field).collect::<Vec<_>>().join("|");
    text.lines().map(line).collect::<Vec<_>>().join("\n").trim_end().to_string()
}

#[test]
fn statements_of_bi_tools_are_answered_as_postgres_does() {
    let postgres = Postgres::start();
    let expected = answers(postgres.port(), "postgres", &format!("{POSTGRES}{}", inserts("DOUBLE PRECISION")));
    let server = Server::start();
    let found = answers(server.pg, "arus", &format!("{ARUS}{}", inserts("DOUBLE")));
    let statements = statements();
    assert_eq!(expected.len(), statements.len());
    assert_eq!(found.len(), statements.len());
    let mut wrong = vec![];
    for ((statement, expected), found) in statements.iter().zip(&expected).zip(&found) {
        assert!(!expected.contains("ERROR"), "Postgres refuses {statement}\n{expected}");
        if expected != found {
            wrong.push(format!("{statement}\n-- Postgres\n{expected}\n-- Arus\n{found}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), statements.len(), wrong.join("\n"));
    assert!(statements.len() >= 80, "{}", statements.len());
}
