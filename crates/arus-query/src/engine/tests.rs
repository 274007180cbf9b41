use std::sync::Arc;

use arus_core::catalog::ObjectPath;
use arus_core::read::{BatchIterator, Cut, ReadTable, ReadTableKind, Snapshot};
use arus_core::schema::{Column, RowSchema};
use arus_core::types::TypeKind;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;

use super::*;

struct Orders {
    path: ObjectPath,
    schema: RowSchema,
}

impl ReadTable for Orders {
    fn path(&self) -> &ObjectPath {
        &self.path
    }
    fn kind(&self) -> ReadTableKind {
        ReadTableKind::Table
    }
    fn schema(&self) -> &RowSchema {
        &self.schema
    }
    fn primary_key(&self) -> &[usize] {
        &[0]
    }
    fn scan(&self, projection: &[usize], _limit: Option<usize>) -> arus_core::Result<BatchIterator> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(1), Some(2), None])),
            Arc::new(StringViewArray::from(vec![Some("a"), None, Some("c")])),
        ];
        let batch = RecordBatch::try_new(self.schema.to_arrow(), columns).expect("columns of the schema");
        Ok(Box::new(std::iter::once(Ok(batch.project(projection).expect("in range")))))
    }
    fn rows(&self) -> Option<u64> {
        Some(3)
    }
}

struct One;

impl Snapshot for One {
    fn cut(&self) -> Cut {
        Cut { incarnation: 1, epoch: 7 }
    }
    fn as_of_ms(&self) -> i64 {
        1
    }
    fn databases(&self) -> Vec<String> {
        vec!["default_database".into(), "arus".into()]
    }
    fn table_names(&self, database: &str) -> Vec<String> {
        if database == "default_database" { vec!["Orders".into()] } else { vec!["epochs".into()] }
    }
    fn table(&self, path: &ObjectPath) -> Option<Arc<dyn ReadTable>> {
        let columns = vec![
            Column { name: "userId".into(), ty: TypeKind::BigInt.nullable() },
            Column { name: "name".into(), ty: TypeKind::STRING.nullable() },
        ];
        (path == &ObjectPath::in_default("Orders") || path == &ObjectPath::new("arus", "epochs"))
            .then(|| Arc::new(Orders { path: path.clone(), schema: RowSchema::new(columns) }) as Arc<dyn ReadTable>)
    }
}

impl SnapshotSource for One {
    fn latest(&self) -> Arc<dyn Snapshot> {
        Arc::new(One)
    }
}

async fn run(sql: &str, params: Params<'_>) -> arus_core::Result<String> {
    let engine = QueryEngine::new(Arc::new(One), 64 << 20)?;
    let stream = engine.query(sql, engine.latest(), params).await?;
    let batches: Vec<_> = stream.batches.try_collect().await?;
    Ok(pretty_format_batches(&batches).expect("printable").to_string())
}

#[tokio::test]
async fn names_match_exactly_or_but_for_case() {
    for sql in [
        "SELECT \"userId\", name FROM \"Orders\" WHERE \"userId\" > 1",
        "select userid as \"userId\", NAME as name from orders where USERID > 1",
        "select o.userid as \"userId\", o.name from public.orders o where o.userid > 1",
    ] {
        let text = run(sql, Params::Positional(&[])).await.expect(sql);
        assert!(text.contains("| 2      |      |"), "{sql}\n{text}");
    }
}

#[tokio::test]
async fn parameters_bind() {
    let two = [Param { text: Some("2".into()), ty: None }];
    let text = run("SELECT count(*) AS n FROM orders WHERE userid = $1", Params::Positional(&two));
    assert!(text.await.expect("bound").contains("| 1 |"));
    let named = BTreeMap::from([("names".to_string(), serde_json::json!(["a", "c"]))]);
    let text = run("SELECT count(*) AS n FROM orders WHERE name = ANY(:names)", Params::Named(&named));
    assert!(text.await.expect("bound").contains("| 2 |"));
    let wrong = run(
        "SELECT 1 FROM orders WHERE userid = $1",
        Params::Positional(&[Param { text: Some("x".into()), ty: None }]),
    )
    .await;
    assert_eq!(wrong.expect_err("no number").code(), Code::InvalidText);
}

#[tokio::test]
async fn the_catalog_shows_the_tables() {
    let text = run("SELECT relname FROM pg_catalog.pg_class WHERE relkind = 'r'", Params::Positional(&[]));
    assert!(text.await.expect("pg_class").contains("Orders"));
    let text =
        run("SELECT column_name FROM information_schema.columns WHERE table_name = 'Orders'", Params::Positional(&[]));
    assert!(text.await.expect("columns").contains("userId"));
}

#[tokio::test]
async fn the_catalog_answers_as_drivers_ask() {
    let one = async |sql: &str| run(sql, Params::Positional(&[])).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    // A vector counts from 0, an array from 1; a text beside a boolean is one.
    let key = "SELECT a.attname FROM pg_catalog.pg_index i, pg_catalog.pg_attribute ia, pg_catalog.pg_attribute a
               WHERE i.indisprimary = 't' AND ia.attrelid = i.indexrelid AND a.attrelid = i.indrelid
                 AND a.attnum = i.indkey[ia.attnum - 1]";
    assert!(one(key).await.contains("| userId "));
    // What a subquery in a CASE finds for the row outside is not there.
    let identity = "SELECT a.attname, CASE WHEN a.attnum > 0 THEN
                      (SELECT d.adbin::text FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid) END AS said
                    FROM pg_attribute a WHERE a.attname = 'userId'";
    assert!(one(identity).await.contains("| userId "));
    // An array for each row outside.
    let columns = "SELECT array_to_string(ARRAY(SELECT attname FROM pg_attribute a WHERE attrelid = c.oid ORDER BY attnum), ',') AS all
                   FROM pg_class c WHERE c.relname = 'Orders'";
    assert!(one(columns).await.contains("userId,name"));
    // Names of a subquery's columns are the same in any case, without quotes.
    let derived =
        "SELECT result.KEY_NAME FROM (SELECT relname AS key_name FROM pg_class WHERE relname = 'Orders') AS result";
    assert!(one(derived).await.contains("Orders"));
}

#[tokio::test]
async fn a_limit_is_a_number() {
    let engine = QueryEngine::new(Arc::new(One), 64 << 20).expect("an engine");
    let sql = "SELECT userid FROM orders ORDER BY userid LIMIT $1 OFFSET $2";
    let shape = engine.describe(&QuerySession::default(), sql, engine.latest(), &[]).await.expect("a query");
    assert_eq!(shape.params, [DataType::Int64, DataType::Int64]);
}

#[tokio::test]
async fn subqueries_have_values() {
    let sql = "SELECT o.userid AS u, (SELECT count(*) FROM orders p WHERE p.userid = o.userid) AS n FROM orders o WHERE userid = 2";
    let text = run(sql, Params::Positional(&[])).await.expect(sql);
    assert!(text.contains("| 2 | 1 |"), "{text}");
}

#[tokio::test]
async fn errors_name_what_is_missing() {
    let e = run("SELECT * FROM nope", Params::Positional(&[])).await.expect_err("no such table");
    assert_eq!((e.code(), e.message()), (Code::UndefinedTable, "table 'nope' does not exist"));
    let e = run("SELECT nope FROM orders", Params::Positional(&[])).await.expect_err("no such column");
    assert_eq!(e.code(), Code::UndefinedColumn);
    let e = run("SELEC 1", Params::Positional(&[])).await.expect_err("syntax");
    assert_eq!(e.code(), Code::Syntax);
    let e = run("DROP TABLE orders", Params::Positional(&[])).await.expect_err("no DDL here");
    assert_eq!(e.code(), Code::NotSupported);
}

#[tokio::test]
async fn a_parameter_has_a_number_that_a_client_can_send() {
    let engine = QueryEngine::new(Arc::new(One), 64 << 20).expect("an engine");
    for (sql, ok) in
        [("SELECT $65535::int", true), ("SELECT $65536::int", false), ("SELECT $99999999999999::int", false)]
    {
        let described = engine.describe(&QuerySession::default(), sql, engine.latest(), &[]).await;
        match described {
            Ok(shape) => assert_eq!((ok, shape.params.len()), (true, 65_535), "{sql}"),
            Err(e) => assert!(!ok && e.message().contains("at most 65535"), "{sql}: {}", e.message()),
        }
    }
}

#[tokio::test]
async fn unnamed_columns_have_postgres_names() {
    let header = async |sql: &str| {
        let engine = QueryEngine::new(Arc::new(One), 64 << 20).expect("an engine");
        let stream = engine.query(sql, engine.latest(), Params::Positional(&[])).await.expect(sql);
        let names = |schema: &SchemaRef| schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>().join(",");
        let (described, schema) = (
            engine.describe(&QuerySession::default(), sql, engine.latest(), &[]).await.expect(sql),
            stream.schema.clone(),
        );
        let batches: Vec<_> = stream.batches.try_collect().await.expect(sql);
        assert!(batches.iter().all(|b| b.schema() == schema), "{sql}");
        assert_eq!(names(&described.schema), names(&schema), "{sql}");
        names(&schema)
    };
    assert_eq!(header("SELECT sum(o.\"userId\") FROM orders o").await, "sum");
    assert_eq!(
        header("SELECT COUNT(*), count(name), count(*) AS n, name FROM orders GROUP BY name").await,
        "count,count,n,name"
    );
    assert_eq!(header("SELECT upper(name), *, lower(name) FROM orders").await, "upper,userId,name,lower");
    assert_eq!(header("SELECT max(name) FROM orders UNION ALL SELECT 'x'").await, "max");
    let text = run("SELECT version()", Params::Positional(&[])).await.expect("a version");
    assert!(text.contains("| PostgreSQL 15.0 (Arus "), "{text}");
}

#[tokio::test]
async fn only_the_search_path_is_visible() {
    let sql = "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c \
        LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        WHERE n.nspname <> 'pg_catalog' AND pg_catalog.pg_table_is_visible(c.oid)";
    let text = run(sql, Params::Positional(&[])).await.expect("pg_class");
    assert!(text.contains("Orders") && !text.contains("| arus"), "{text}");
}

/// A table that is never scanned: (1, a), (2, b).
struct Found(Orders);

impl ReadTable for Found {
    fn path(&self) -> &ObjectPath {
        self.0.path()
    }
    fn kind(&self) -> ReadTableKind {
        ReadTableKind::Table
    }
    fn schema(&self) -> &RowSchema {
        self.0.schema()
    }
    fn primary_key(&self) -> &[usize] {
        &[1, 0]
    }
    fn scan(&self, _projection: &[usize], _limit: Option<usize>) -> arus_core::Result<BatchIterator> {
        Err(Error::bug("it is scanned"))
    }
    fn find(&self, keys: &[ArrayRef], projection: &[usize]) -> arus_core::Result<Option<RecordBatch>> {
        use datafusion::arrow::array::AsArray;
        let (names, ids) =
            (keys[0].as_string_view(), keys[1].as_primitive::<datafusion::arrow::datatypes::Int64Type>());
        let there = [(1, "a"), (2, "b")];
        let rows: Vec<_> =
            there.into_iter().filter(|row| (0..ids.len()).any(|i| (ids.value(i), names.value(i)) == *row)).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0))),
            Arc::new(StringViewArray::from_iter_values(rows.iter().map(|r| r.1))),
        ];
        let batch = RecordBatch::try_new(self.schema().to_arrow(), columns).expect("columns of the schema");
        Ok(Some(batch.project(projection).expect("in range")))
    }
    fn rows(&self) -> Option<u64> {
        Some(2)
    }
}

struct OneFound;

impl Snapshot for OneFound {
    fn cut(&self) -> Cut {
        One.cut()
    }
    fn as_of_ms(&self) -> i64 {
        1
    }
    fn databases(&self) -> Vec<String> {
        One.databases()
    }
    fn table_names(&self, database: &str) -> Vec<String> {
        One.table_names(database)
    }
    fn table(&self, path: &ObjectPath) -> Option<Arc<dyn ReadTable>> {
        let schema = One.table(path)?.schema().clone();
        Some(Arc::new(Found(Orders { path: path.clone(), schema })))
    }
}

#[tokio::test]
async fn rows_are_found_by_their_keys() {
    let engine = QueryEngine::new(Arc::new(One), 64 << 20).expect("starts");
    let param = |text: Option<&str>| Param { text: text.map(Into::into), ty: None };
    let text = |values: &[&str]| values.iter().map(|v| param(Some(v))).collect::<Vec<_>>();
    let cases: [(&str, Vec<Param>, &str); 8] = [
        (r#"SELECT "userId" FROM Orders WHERE "userId" = 1 AND name = 'a'"#, vec![], "1"),
        (r#"SELECT "userId" FROM Orders WHERE "userId" = $1 AND name = $2"#, text(&["2", "b"]), "2"),
        (r#"SELECT "userId" FROM Orders WHERE 'b' = name AND "userId" IN (1, 2, 3, 4, 5)"#, vec![], "2"),
        (
            r#"SELECT "userId" FROM Orders WHERE "userId" IN ($1, $2) AND name IN ('a', 'b') ORDER BY 1"#,
            text(&["2", "1"]),
            "1 2",
        ),
        (r#"SELECT "userId" FROM Orders WHERE ("userId" = 1 OR "userId" = 2) AND name = 'a'"#, vec![], "1"),
        (r#"SELECT "userId" FROM Orders WHERE "userId" = 1 AND name = 'b'"#, vec![], ""),
        (r#"SELECT COUNT(*) FROM Orders WHERE "userId" = 1 AND name = 'a'"#, vec![], "1"),
        (r#"SELECT "userId" FROM Orders WHERE "userId" = $1 AND name = 'a'"#, vec![param(None)], ""),
    ];
    let session = QuerySession::default();
    for (sql, params, expected) in cases {
        let declared = rewrite::declared(&params);
        // The second time a client has described it, and it may be known.
        for described in [false, true] {
            if described {
                let shape = engine.describe(&session, sql, Arc::new(OneFound), &declared).await.expect(sql);
                // Clients may say of no parameter what they leave open.
                let again = engine.describe(&session, sql, Arc::new(OneFound), &[]).await.expect(sql);
                assert_eq!((&shape.schema, &shape.params), (&again.schema, &again.params), "{sql}");
                let whole_key = sql.contains("= $1 AND name =");
                assert_eq!(engine.points.find(sql, PUBLIC, &declared).is_some(), whole_key, "{sql}");
            }
            let stream = engine.query(sql, Arc::new(OneFound), Params::Positional(&params)).await.expect(sql);
            let schema = stream.schema.clone();
            let batches: Vec<_> = stream.batches.try_collect().await.expect(sql);
            assert!(batches.iter().all(|b| b.schema() == schema), "{sql}");
            let column = |b: &RecordBatch| {
                let print = datafusion::arrow::util::display::array_value_to_string;
                (0..b.num_rows()).map(|i| print(b.column(0), i).expect("prints")).collect::<Vec<_>>()
            };
            assert_eq!(batches.iter().flat_map(column).collect::<Vec<_>>().join(" "), expected, "{sql}");
        }
    }
    // What is known does not count for another table: this one is scanned.
    let sql = r#"SELECT "userId" FROM Orders WHERE "userId" = $1 AND name = $2"#;
    let stream = engine.query(sql, Arc::new(One), Params::Positional(&text(&["1", "a"]))).await.expect(sql);
    let rows: usize = stream.batches.try_collect::<Vec<_>>().await.expect(sql).iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 1, "{sql}");
    // A part of the key is not enough.
    let sql = r#"SELECT "userId" FROM Orders WHERE "userId" = 1"#;
    let stream = engine.query(sql, Arc::new(OneFound), Params::Positional(&[])).await.expect("plans");
    assert!(stream.batches.try_collect::<Vec<_>>().await.is_err_and(|e| e.to_string().contains("scanned")));
}
