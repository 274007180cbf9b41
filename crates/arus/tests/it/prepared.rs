//! Statements that are prepared by SQL: PREPARE, EXECUTE, DEALLOCATE, in text and by the extended protocol.

use tokio_postgres::error::{ErrorPosition, SqlState};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::drivers::{orders, with_client};

/// The first column of the last statement's rows.
async fn first(client: &Client, sql: &str) -> Vec<Option<String>> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_string)),
        _ => None,
    });
    rows.collect()
}

async fn code(client: &Client, sql: &str) -> SqlState {
    client.simple_query(sql).await.expect_err(sql).code().expect(sql).clone()
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_string())).collect()
}

#[test]
fn values_are_bound_in_their_types() {
    let server = orders();
    with_client(&server, async |client: Client| {
        assert!(
            first(&client, "PREPARE q (int, text) AS SELECT id FROM orders WHERE qty = $1 AND customer = $2;")
                .await
                .is_empty()
        );
        assert_eq!(first(&client, "EXECUTE q (2, 'Ada')").await, some(&["1"]));
        assert!(first(&client, "EXECUTE q (2, 'x'' OR ''a'' = ''a')").await.is_empty());
        // Values may be computed.
        assert_eq!(first(&client, "EXECUTE q(1 + 1, upper('a') || 'da');").await, some(&["1"]));
        // What is not declared is told by the statement.
        client
            .simple_query(
                "prepare \"By Price\" as select id, price from orders where price < $1 or id = $2 order by id",
            )
            .await
            .unwrap();
        assert_eq!(first(&client, "EXECUTE \"By Price\" (0.75, 2)").await, some(&["1", "2"]));
        assert_eq!(first(&client, "EXECUTE \"By Price\" (NULL, -2)").await, some(&[]));
        client
            .simple_query("PREPARE every (bigint, smallint, double precision, boolean, timestamptz, text[], numeric(10, 2)) AS
                 SELECT $7 + 1 FROM orders WHERE id = $1 AND small = $2 AND price = $3 AND ok = $4 AND at_time = $5 AND tags = $6")
            .await
            .unwrap();
        let all = "EXECUTE every (1, 3, 0.5, true, timestamptz '2024-01-05 10:00:00.123+00', ARRAY['a', 'b c'], 1.25)";
        assert_eq!(first(&client, all).await, some(&["2.25"]));
        // A statement that writes.
        client
            .simple_query("PREPARE add (bigint, text) AS INSERT INTO orders (id, customer) VALUES ($1, $2)")
            .await
            .unwrap();
        client.simple_query("EXECUTE add (7, 'Grace'); EXECUTE add (8, NULL)").await.unwrap();
        server.eventually("SELECT COUNT(*) FROM orders", "4");
        // As drivers ask when they do not know what a text holds.
        let row = client.query_one("EXECUTE q (2, 'Ada')", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>("id"), 1);
    });
}

#[test]
fn names_are_there_until_they_go() {
    let server = orders();
    with_client(&server, async |client: Client| {
        client.simple_query("PREPARE a AS SELECT 1; PREPARE b AS SELECT 2").await.unwrap();
        assert_eq!(code(&client, "PREPARE a AS SELECT 3").await, SqlState::DUPLICATE_PSTATEMENT);
        assert_eq!(first(&client, "EXECUTE a").await, some(&["1"]));
        assert_eq!(code(&client, "EXECUTE a (1)").await, SqlState::SYNTAX_ERROR);
        client.simple_query("DEALLOCATE PREPARE a").await.unwrap();
        assert_eq!(code(&client, "EXECUTE a").await, SqlState::INVALID_SQL_STATEMENT_NAME);
        assert_eq!(code(&client, "DEALLOCATE a").await, SqlState::INVALID_SQL_STATEMENT_NAME);
        client.simple_query("DEALLOCATE ALL").await.unwrap();
        assert_eq!(code(&client, "EXECUTE b").await, SqlState::INVALID_SQL_STATEMENT_NAME);
        client.simple_query("PREPARE b AS SELECT 3; DISCARD ALL").await.unwrap();
        assert_eq!(code(&client, "EXECUTE b").await, SqlState::INVALID_SQL_STATEMENT_NAME);
        // Made anew; a transaction that is rolled back does not take it away.
        client.simple_query("BEGIN; PREPARE b AS SELECT 4; ROLLBACK").await.unwrap();
        assert_eq!(first(&client, "EXECUTE b").await, some(&["4"]));
    });
}

#[test]
fn mistakes_are_said_when_it_is_prepared() {
    let server = orders();
    with_client(&server, async |client: Client| {
        let error = client.simple_query("PREPARE q AS SELECT nope FROM orders").await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code(), error.position()), (&SqlState::UNDEFINED_COLUMN, Some(&ErrorPosition::Original(21))));
        assert_eq!(code(&client, "PREPARE q (nonsense) AS SELECT $1").await, SqlState::UNDEFINED_OBJECT);
        assert_eq!(code(&client, "PREPARE q AS CREATE TABLE t (a INT)").await, SqlState::SYNTAX_ERROR);
        assert_eq!(code(&client, "PREPARE q (int SELECT 1").await, SqlState::SYNTAX_ERROR);
        assert_eq!(code(&client, "EXECUTE q").await, SqlState::INVALID_SQL_STATEMENT_NAME);
        client.simple_query("PREPARE q (int) AS SELECT $1").await.unwrap();
        assert_eq!(code(&client, "EXECUTE q ('x')").await, SqlState::INVALID_TEXT_REPRESENTATION);
    });
}
