//! tokio-postgres, the driver of Rust programs; `clients/table` names these tests. The other drivers are in `clients`.

use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt, pin_mut};
use tokio_postgres::error::{ErrorPosition, SqlState};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::server::Server;

pub(crate) fn with_client<F: Future<Output = ()>>(server: &Server, test: impl FnOnce(Client) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = format!("host=127.0.0.1 port={} user=arus dbname=arus application_name=it", server.pg);
        let (client, connection) = tokio_postgres::connect(&options, NoTls).await.unwrap();
        let running = tokio::spawn(connection);
        let limit = tokio::time::timeout(Duration::from_secs(120), test(client)).await;
        limit.expect("the test ends");
        running.abort();
    });
}

pub(crate) fn orders() -> Server {
    let server = Server::start();
    server.sql(
        "CREATE TABLE orders (id BIGINT, customer STRING, qty INT, price DOUBLE, small SMALLINT, ok BOOLEAN, `raw` BYTES, tags ARRAY<STRING>,
         at_time TIMESTAMP_LTZ(3), PRIMARY KEY (id) NOT ENFORCED)",
    );
    server.sql(
        "INSERT INTO orders VALUES
         (1, 'Ada', 2, 0.5, CAST(3 AS SMALLINT), TRUE, X'00ff', ARRAY['a', 'b c'], TO_TIMESTAMP_LTZ(1704448800123, 3)),
         (2, CAST(NULL AS STRING), CAST(NULL AS INT), CAST(NULL AS DOUBLE), CAST(NULL AS SMALLINT), CAST(NULL AS BOOLEAN), CAST(NULL AS BYTES),
          CAST(NULL AS ARRAY<STRING>), CAST(NULL AS TIMESTAMP_LTZ(3)))",
    );
    server.eventually("SELECT COUNT(*) FROM orders", "2");
    server
}

#[test]
fn typed_parameters_and_rows() {
    let server = orders();
    with_client(&server, async |client: Client| {
        let all =
            "SELECT id, customer, qty, price, small, ok, raw, tags, at_time FROM orders WHERE id = $1 OR customer = $2";
        let statement = client.prepare(all).await.unwrap();
        assert_eq!(statement.params(), [Type::INT8, Type::TEXT]);
        for _ in 0..3 {
            let rows = client.query(&statement, &[&1i64, &"nobody"]).await.unwrap();
            let row = &rows[0];
            assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>("customer"), row.get::<_, i32>(2)), (1, "Ada", 2));
            assert_eq!((row.get::<_, f64>(3), row.get::<_, i16>(4), row.get::<_, bool>(5)), (0.5, 3, true));
            assert_eq!(row.get::<_, Vec<u8>>(6), [0, 255]);
            assert_eq!(row.get::<_, Vec<String>>(7), ["a", "b c"]);
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_704_448_800_123);
            assert_eq!(row.get::<_, SystemTime>(8), at);
        }
        let row = client.query_one(&statement, &[&2i64, &Option::<&str>::None]).await.unwrap();
        assert_eq!(row.get::<_, Option<&str>>(1), None);
        assert_eq!(row.get::<_, Option<Vec<String>>>(7), None);
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_704_448_800);
        let sql = "SELECT id FROM orders WHERE price = $1 AND ok = $2 AND raw = $3 AND at_time > $4 AND id = ANY($5)";
        let found = client.query(sql, &[&0.5f64, &true, &&[0u8, 255][..], &at, &vec![1i64, 2]]).await.unwrap();
        assert_eq!(found.len(), 1);
    });
}

#[test]
fn rows_are_written_with_parameters() {
    let server = orders();
    with_client(&server, async |client: Client| {
        let insert = "INSERT INTO orders VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let insert = client.prepare(insert).await.unwrap();
        assert_eq!(insert.params()[..3], [Type::INT8, Type::TEXT, Type::INT4]);
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_704_448_800_123);
        let quoted = "it's; DROP TABLE orders --";
        let tags = vec!["x".to_string(), "'".into()];
        let raw: &[u8] = &[0, 255];
        let row: [&(dyn ToSql + Sync); 9] = [&3i64, &quoted, &-2i32, &1.5f64, &7i16, &false, &raw, &tags, &at];
        assert_eq!(client.execute(&insert, &row).await.unwrap(), 1);
        let none = Option::<i32>::None;
        let (text, number, small) = (Option::<&str>::None, Option::<f64>::None, Option::<i16>::None);
        let (flag, bytes, list) = (Option::<bool>::None, Option::<Vec<u8>>::None, Vec::<String>::new());
        let row: [&(dyn ToSql + Sync); 9] =
            [&4i64, &text, &none, &number, &small, &flag, &bytes, &list, &Option::<SystemTime>::None];
        client.execute(&insert, &row).await.unwrap();
        let row = client.query_one("SELECT * FROM orders WHERE id = 3", &[]).await.unwrap();
        assert_eq!((row.get::<_, &str>(1), row.get::<_, i32>(2), row.get::<_, f64>(3)), (quoted, -2, 1.5));
        assert_eq!((row.get::<_, i16>(4), row.get::<_, bool>(5), row.get::<_, Vec<u8>>(6)), (7, false, raw.to_vec()));
        assert_eq!((row.get::<_, Vec<String>>(7), row.get::<_, SystemTime>(8)), (tags, at));
        let row = client.query_one("SELECT customer, tags FROM orders WHERE id = 4", &[]).await.unwrap();
        assert_eq!((row.get::<_, Option<&str>>(0), row.get::<_, Vec<String>>(1)), (None, vec![]));
        // As tools cast what they bind; a sum of a column and a value.
        let update =
            "UPDATE orders SET customer = $1::VARCHAR, qty = qty + $2 WHERE id = $3::BIGINT AND qty IS NOT NULL";
        assert_eq!(client.execute(update, &[&"Grace", &5i32, &3i64]).await.unwrap(), 1);
        let row = client.query_one("SELECT customer, qty FROM orders WHERE id = 3", &[]).await.unwrap();
        assert_eq!((row.get::<_, &str>(0), row.get::<_, i32>(1)), ("Grace", 3));
        // Names in PostgreSQL's quotes, as tools write them.
        let update = "UPDATE \"public\".\"orders\" SET \"raw\" = $1 WHERE \"id\" = $2";
        assert_eq!(client.execute(update, &[&vec![1u8], &3i64]).await.unwrap(), 1);
        let cast =
            "INSERT INTO public.orders (id, qty, \"at_time\") VALUES (4, 1, '2024-01-05 11:00:00.123+01'::timestamptz)";
        client.simple_query(cast).await.unwrap();
        let row = client.query_one("SELECT at_time FROM orders WHERE id = 4", &[]).await.unwrap();
        assert_eq!(row.get::<_, SystemTime>(0), at);
        assert_eq!(client.execute("DELETE FROM orders WHERE id IN ($1, $2)", &[&3i64, &4i64]).await.unwrap(), 2);
        let row = client.query_one("SELECT count(*) FROM orders", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 2);
        let error = client.execute("INSERT INTO orders (id, nope) VALUES ($1, $2)", &[&1i64, &"x"]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code(), error.position()), (&SqlState::UNDEFINED_COLUMN, Some(&ErrorPosition::Original(25))));
    });
}

#[test]
fn simple_queries_and_errors() {
    let server = orders();
    with_client(&server, async |client: Client| {
        let messages =
            client.simple_query("SELECT id, customer FROM orders ORDER BY id; SELECT 1 AS one").await.unwrap();
        let rows: Vec<_> = messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some((row.get(0), row.try_get(1).ok().flatten())),
                _ => None,
            })
            .collect();
        assert_eq!(rows, [(Some("1"), Some("Ada")), (Some("2"), None), (Some("1"), None)]);
        let error = client.query("SELECT nope FROM orders", &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code(), error.position()), (&SqlState::UNDEFINED_COLUMN, Some(&ErrorPosition::Original(8))));
        let error = client.query("SELECT * FROM missing", &[]).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::UNDEFINED_TABLE));
        assert_eq!(client.query_one("SELECT 7::bigint", &[]).await.unwrap().get::<_, i64>(0), 7);
    });
}

#[test]
fn portals_and_pipelines() {
    let server = orders();
    with_client(&server, async |mut client: Client| {
        let transaction = client.build_transaction().read_only(true).start().await.unwrap();
        let portal = transaction.bind("SELECT i FROM generate_series(1, 25) AS s (i)", &[]).await.unwrap();
        let mut sizes = vec![];
        loop {
            let rows = transaction.query_portal(&portal, 10).await.unwrap();
            if rows.is_empty() {
                break;
            }
            sizes.push(rows.len());
        }
        assert_eq!(sizes, [10, 10, 5]);
        transaction.commit().await.unwrap();
        // All are sent before the first is answered.
        let numbers: Vec<i64> = (1..=20).collect();
        let one = async |i: &i64| client.query_one("SELECT $1::bigint + 1", &[i]).await;
        let both = futures::future::try_join_all(numbers.iter().map(one));
        let sums: Vec<i64> = both.await.unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(sums, (2..=21).collect::<Vec<_>>());
    });
}

#[test]
fn copy_out() {
    let server = orders();
    with_client(&server, async |client: Client| {
        let copied = client.copy_out("COPY (SELECT id, customer FROM orders ORDER BY id) TO STDOUT").await.unwrap();
        let parts: Vec<_> = copied.try_collect().await.unwrap();
        assert_eq!(parts.concat(), b"1\tAda\n2\t\\N\n");
    });
}

#[test]
fn a_cancel_token() {
    let server = orders();
    with_client(&server, async |client: Client| {
        let rows = client
            .query_raw("SELECT i FROM generate_series(1, 900000000000) AS s (i)", Vec::<i32>::new())
            .await
            .unwrap();
        pin_mut!(rows);
        assert_eq!(rows.next().await.unwrap().unwrap().get::<_, i64>(0), 1);
        client.cancel_token().cancel_query(NoTls).await.unwrap();
        let error = loop {
            if let Err(error) = rows.next().await.expect("the rows do not end by themselves") {
                break error;
            }
        };
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
        assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    });
}
