//! Delivery into Postgres: the mark first, whose row locks out everybody else; then the rows; then COMMIT.
//!
//! The mark is moved by an UPDATE that names where it has to stand. A transaction of an earlier start that is still open
//! holds the lock of that row, so the UPDATE waits for it and then counts no row: nothing is ever delivered twice. Rows that the
//! table rejects are found by halving and noted in the mark, in the same transaction.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use arrow::array::ArrayRef;
use arus_core::delivery::{Delivered, FIRST_MARK, Mark, MarkName, OutboxDelivery, RejectedInOutbox, SinkDelivery};
use arus_core::error::Code;
use arus_core::limits::REJECTED_ROWS;
use arus_core::read::Cut;
use arus_core::{ChangeBatch, Error, ErrorKind, LogicalType, Result, RowSchema, planted};
use async_trait::async_trait;
use bytes::Bytes;
use futures::SinkExt;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

use super::text::{write_column, write_row};
use super::url::PostgresUrl;

/// Rows and bytes of one COPY.
const CHUNK_ROWS: usize = 8_192;
const CHUNK_BYTES: usize = 4 << 20;
const MARKS: &str = "arus_marks";
const CREATE_MARKS: &str = "CREATE TABLE IF NOT EXISTS arus_marks (deployment text NOT NULL, sink text NOT NULL, \
    pipeline text NOT NULL, incarnation bigint NOT NULL, epoch bigint NOT NULL, rejected text NOT NULL DEFAULT '[]', \
    updated timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (deployment, sink))";

/// Where rows go.
pub(super) struct JdbcTarget {
    /// The name in Arus.
    pub(super) table: String,
    /// The name in Postgres.
    pub(super) target: String,
    pub(super) columns: RowSchema,
    /// Positions in `columns`.
    pub(super) key: Vec<usize>,
    pub(super) url: PostgresUrl,
    /// How long an answer may take.
    pub(super) answer_limit: Duration,
    pub(super) retries: u32,
}

pub(super) struct JdbcDelivery {
    target: JdbcTarget,
    mark: MarkName,
    session: Option<Session>,
    /// A deferred constraint has failed a COMMIT: the rows that break it are found when it is checked at once.
    immediate: bool,
}

struct Session {
    client: Client,
    connection: JoinHandle<()>,
    /// Made with the first rows.
    statements: Option<Statements>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

#[derive(Clone)]
struct Statements {
    copy: Statement,
    by_key: Option<ByKey>,
}

#[derive(Clone)]
struct ByKey {
    put: Statement,
    delete: Statement,
}

/// A row on its way.
struct Row {
    /// Within the outbox.
    number: u64,
    delete: bool,
    /// In the text format of COPY.
    text: String,
    /// The row of the same key before this one, in the same chunk: it counts when this one is rejected.
    before: Option<usize>,
}

/// Why a statement failed.
enum Fault {
    /// This row, or one of these rows, is not taken.
    Row(String),
    Other(Error),
}

impl JdbcDelivery {
    pub(super) fn new(target: JdbcTarget, mark: MarkName) -> Self {
        JdbcDelivery { target, mark, session: None, immediate: false }
    }

    async fn within<T>(&self, what: &str, call: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
        self.try_within(what, call).await.map_err(|fault| match fault {
            Fault::Row(reason) => self.failed(what, &reason),
            Fault::Other(error) => error,
        })
    }

    async fn try_within<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(self.target.answer_limit, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(e)) if is_of_row(&e) => Err(Fault::Row(text_of(&e))),
            Ok(Err(e)) => Err(Fault::Other(self.failed(what, &text_of(&e)))),
            Err(_) => {
                let seconds = self.target.answer_limit.as_secs_f64();
                Err(Fault::Other(self.failed(what, &format!("no answer for {seconds} s"))))
            }
        }
    }

    fn failed(&self, what: &str, reason: &str) -> Error {
        let JdbcTarget { table, url, .. } = &self.target;
        let hosts: Vec<String> = url.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        Error::external(format!("table '{table}': {what} at Postgres {}: {reason}", hosts.join(",")))
    }

    async fn session(&mut self) -> Result<&Client> {
        if self.session.as_ref().is_none_or(|s| s.client.is_closed()) {
            self.session = None;
            let config = self.target.url.config(self.target.answer_limit);
            let (client, connection) = self.within("cannot connect", config.connect(NoTls)).await?;
            // What ends the connection fails the next call.
            let connection = tokio::spawn(async move {
                if let Err(e) = connection.await {
                    tracing::debug!("a connection to Postgres has ended: {e}");
                }
            });
            let session = Session { client, connection, statements: None };
            let setup = self.setup();
            self.within("cannot set up a session", session.client.batch_execute(&setup)).await?;
            self.session = Some(session);
        }
        self.client()
    }

    fn client(&self) -> Result<&Client> {
        match &self.session {
            Some(session) => Ok(&session.client),
            None => Err(self.failed("cannot go on", "the connection is closed")),
        }
    }

    /// A connection that hangs must not hold the mark's row for ever, and a commit that is answered must be on the disk.
    fn setup(&self) -> String {
        let ms = self.target.answer_limit.as_millis();
        let mut setup = format!(
            "SET statement_timeout = {ms}; SET lock_timeout = {ms}; SET idle_in_transaction_session_timeout = {ms}; \
             SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET standard_conforming_strings = on; \
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';"
        );
        if !self.target.url.schemas.is_empty() {
            let schemas: Vec<String> = self.target.url.schemas.iter().map(|s| quoted(s)).collect();
            setup.push_str(&format!(" SET search_path = {};", schemas.join(", ")));
        }
        setup
    }

    async fn read_mark(&mut self) -> Result<Option<Mark>> {
        self.session().await?;
        let client = self.client()?;
        let there = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&MARKS]);
        let there: bool = self.within("cannot look for the mark", there).await?.get(0);
        if !there {
            return Ok(None);
        }
        let (deployment, sink) = (&self.mark.deployment, &self.mark.sink);
        let select = "SELECT incarnation, epoch, rejected FROM arus_marks WHERE deployment = $1 AND sink = $2";
        let found = self.within("cannot read the mark", client.query_opt(select, &[deployment, sink])).await?;
        let Some(row) = found else { return Ok(None) };
        let (incarnation, epoch, rejected): (i64, i64, String) = (row.get(0), row.get(1), row.get(2));
        let rejected =
            serde_json::from_str(&rejected).map_err(|e| self.failed("cannot read the mark", &e.to_string()))?;
        Ok(Some(Mark { cut: Cut { incarnation: incarnation as u64, epoch: epoch as u64 }, rejected }))
    }

    async fn write_first_mark(&mut self) -> Result<()> {
        self.session().await?;
        let client = self.client()?;
        let there = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&MARKS]);
        // Whoever may not make tables can have this one made by somebody else.
        if !self.within::<tokio_postgres::Row>("cannot look for the mark", there).await?.get::<_, bool>(0) {
            let created = self.within("cannot create its marks", client.batch_execute(CREATE_MARKS)).await;
            created.map_err(|e| {
                Error::external(e.to_string())
                    .with_hint(format!("have it made once, with rights to read and write it: {CREATE_MARKS}"))
            })?;
        }
        let MarkName { pipeline, deployment, sink } = &self.mark;
        let (incarnation, epoch) = (FIRST_MARK.incarnation as i64, FIRST_MARK.epoch as i64);
        let insert = "INSERT INTO arus_marks (deployment, sink, pipeline, incarnation, epoch) \
                      VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        self.within(
            "cannot write the mark",
            client.execute(insert, &[deployment, sink, pipeline, &incarnation, &epoch]),
        )
        .await?;
        Ok(())
    }

    /// The statements of the table, made once a session.
    async fn statements(&mut self) -> Result<Statements> {
        if let Some(statements) = self.session.as_ref().and_then(|s| s.statements.clone()) {
            return Ok(statements);
        }
        let (table, columns) = self.resolve().await?;
        let client = self.client()?;
        let list = columns.join(", ");
        let statements = if self.target.key.is_empty() {
            Statements { copy: self.prepare(format!("COPY {table} ({list}) FROM STDIN")).await?, by_key: None }
        } else {
            let make = format!(
                "CREATE TEMP TABLE arus_rows ON COMMIT DELETE ROWS AS SELECT {list}, false AS arus_delete FROM {table} \
                 WITH NO DATA"
            );
            self.within("cannot make a temporary table", client.batch_execute(&make)).await?;
            let key: Vec<&String> = self.target.key.iter().map(|k| &columns[*k]).collect();
            let same: Vec<String> = key.iter().map(|k| format!("t.{k} = r.{k}")).collect();
            let key_list = key.iter().map(|k| k.as_str()).collect::<Vec<_>>().join(", ");
            let others: Vec<String> =
                columns.iter().filter(|c| !key.contains(c)).map(|c| format!("{c} = EXCLUDED.{c}")).collect();
            let conflict =
                if others.is_empty() { "NOTHING".into() } else { format!("UPDATE SET {}", others.join(", ")) };
            let put = format!(
                "INSERT INTO {table} ({list}) SELECT {list} FROM pg_temp.arus_rows WHERE NOT arus_delete \
                 ON CONFLICT ({key_list}) DO {conflict}"
            );
            let delete = format!(
                "DELETE FROM {table} t USING pg_temp.arus_rows r WHERE r.arus_delete AND {}",
                same.join(" AND ")
            );
            let put = self.prepare(put).await.map_err(|e| {
                Error::external(e.to_string())
                    .with_hint(format!("the table needs a primary key or unique constraint over ({key_list})"))
            })?;
            let copy = self.prepare(format!("COPY pg_temp.arus_rows ({list}, arus_delete) FROM STDIN")).await?;
            Statements { copy, by_key: Some(ByKey { put, delete: self.prepare(delete).await? }) }
        };
        if let Some(session) = &mut self.session {
            session.statements = Some(statements.clone());
        }
        Ok(statements)
    }

    async fn prepare(&self, sql: String) -> Result<Statement> {
        self.within("cannot prepare", self.client()?.prepare(&sql)).await
    }

    /// The table and its columns as Postgres names them, quoted: the exact name, else the only one that differs in case.
    async fn resolve(&self) -> Result<(String, Vec<String>)> {
        let client = self.client()?;
        let target = &self.target.target;
        let select = "SELECT t::text, t::oid FROM (SELECT COALESCE(to_regclass($1), to_regclass(quote_ident($1))) AS t) found \
                      WHERE t IS NOT NULL";
        let found = self.within("cannot look for the table", client.query_opt(select, &[target])).await;
        let Some(row) = found? else {
            return Err(self
                .failed("cannot deliver", &format!("there is no table '{target}'"))
                .with_hint("create it in Postgres; the rows wait meanwhile"));
        };
        let (table, oid): (String, u32) = (row.get(0), row.get(1));
        let select = "SELECT attname::text FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped";
        let rows = self.within("cannot look for the columns", client.query(select, &[&oid])).await?;
        let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let mut columns = vec![];
        for column in self.target.columns.columns() {
            let mut alike = there.iter().filter(|name| name.eq_ignore_ascii_case(&column.name));
            let only = alike.next().filter(|_| alike.next().is_none());
            match there.iter().find(|name| **name == column.name).or(only) {
                Some(name) => columns.push(quoted(name)),
                None => {
                    let reason =
                        format!("table '{target}' has no column '{}', it has {}", column.name, there.join(", "));
                    return Err(self.failed("cannot deliver", &reason));
                }
            }
        }
        Ok((table, columns))
    }

    // ---- rows ------------------------------------------------------------------------------------------

    async fn transaction(&mut self, outbox: OutboxDelivery<'_>) -> Result<Delivered> {
        self.session().await?;
        let statements = self.statements().await?;
        let client = self.client()?;
        self.within("cannot begin", client.batch_execute("BEGIN")).await?;
        if self.immediate {
            self.within("cannot begin", client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE")).await?;
        }
        self.move_mark(outbox.after, outbox.cut, outbox.rejected_before).await?;
        if planted("mark-apart-from-rows") {
            self.within("cannot commit", self.client()?.batch_execute("COMMIT; BEGIN")).await?;
        }
        let mut delivered = Delivered::default();
        let types: Vec<LogicalType> = self.target.columns.types().cloned().collect();
        let (mut rows, mut keys, mut bytes) = (vec![], HashMap::new(), 0);
        while let Some(batch) = outbox.rows.next()? {
            self.push_rows(&mut rows, &mut keys, &types, &batch, delivered.rows);
            delivered.rows += batch.num_rows() as u64;
            bytes += batch.memory_bytes();
            if rows.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES {
                self.put(&statements, &rows, &keys, outbox.cut, &mut delivered.rejected).await?;
                (rows, keys, bytes) = (vec![], HashMap::new(), 0);
            }
        }
        if !rows.is_empty() {
            self.put(&statements, &rows, &keys, outbox.cut, &mut delivered.rejected).await?;
        }
        if !delivered.rejected.is_empty() && !planted("rejected-not-in-mark") {
            self.note_rejected(outbox.rejected_before, &delivered.rejected).await?;
        }
        match self.try_within("cannot commit", self.client()?.batch_execute("COMMIT")).await {
            Ok(()) => Ok(delivered),
            Err(Fault::Row(reason)) => {
                self.immediate = true;
                Err(self.failed("cannot commit", &reason))
            }
            Err(Fault::Other(error)) => Err(error),
        }
    }

    /// Moves the mark, if it stands where it has to.
    async fn move_mark(&self, after: Cut, to: Cut, rejected_before: &[RejectedInOutbox]) -> Result<()> {
        let MarkName { deployment, sink, .. } = &self.mark;
        let rejected = rejected_text(rejected_before, &[])?;
        let anywhere = if planted("mark-without-condition") { " OR true" } else { "" };
        let update = format!(
            "UPDATE arus_marks SET incarnation = $3, epoch = $4, rejected = $5, updated = now() \
             WHERE deployment = $1 AND sink = $2 AND (incarnation = $6 AND epoch = $7{anywhere})"
        );
        let [i, e, after_i, after_e] = [to.incarnation, to.epoch, after.incarnation, after.epoch].map(|n| n as i64);
        let client = self.client()?;
        let params: [&(dyn ToSql + Sync); 7] = [deployment, sink, &i, &e, &rejected, &after_i, &after_e];
        if self.within("cannot move the mark", client.execute(&update, &params)).await? == 1 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Fenced,
            format!(
                "table '{}': the mark does not stand at {}.{} any more",
                self.target.table, after.incarnation, after.epoch
            ),
        )
        .with_code(Code::Conflict))
    }

    async fn note_rejected(&self, before: &[RejectedInOutbox], now: &[RejectedInOutbox]) -> Result<()> {
        let rejected = rejected_text(before, now)?;
        let update = "UPDATE arus_marks SET rejected = $3 WHERE deployment = $1 AND sink = $2";
        let params: [&(dyn ToSql + Sync); 3] = [&self.mark.deployment, &self.mark.sink, &rejected];
        self.within("cannot note the rejected rows", self.client()?.execute(update, &params)).await?;
        Ok(())
    }

    /// `keys`: by key, the last row of it.
    fn push_rows(
        &self,
        rows: &mut Vec<Row>,
        keys: &mut HashMap<String, usize>,
        types: &[LogicalType],
        batch: &ChangeBatch,
        first: u64,
    ) {
        let columns: &[ArrayRef] = batch.rows().columns();
        for row in 0..batch.num_rows() {
            let mut text = String::new();
            write_row(&mut text, types, columns, row);
            let before = (!self.target.key.is_empty()).then(|| {
                let mut key = String::new();
                for k in &self.target.key {
                    write_column(&mut key, &types[*k], &columns[*k], row);
                    key.push('\t');
                }
                keys.insert(key, rows.len())
            });
            let delete = !batch.kind(row).adds();
            rows.push(Row { number: first + row as u64, delete, text, before: before.flatten() });
        }
    }

    /// Puts a chunk, the last row of each key; what the table rejects is found by halving.
    async fn put(
        &self,
        statements: &Statements,
        rows: &[Row],
        keys: &HashMap<String, usize>,
        cut: Cut,
        rejected: &mut Vec<RejectedInOutbox>,
    ) -> Result<()> {
        let mut live: Vec<usize> =
            if self.target.key.is_empty() { (0..rows.len()).collect() } else { keys.values().copied().collect() };
        live.sort_unstable();
        let client = self.client()?;
        let mut waiting = vec![live];
        while let Some(part) = waiting.pop() {
            self.within("cannot begin a part", client.batch_execute("SAVEPOINT arus")).await?;
            let reason = match self.put_part(statements, rows, &part).await {
                Ok(()) => {
                    self.within("cannot end a part", client.batch_execute("RELEASE SAVEPOINT arus")).await?;
                    continue;
                }
                Err(Fault::Other(error)) => return Err(error),
                Err(Fault::Row(reason)) => reason,
            };
            self.within("cannot take a part back", client.batch_execute("ROLLBACK TO SAVEPOINT arus")).await?;
            if let [one] = part[..] {
                let row = rows[one].number;
                rejected.push(RejectedInOutbox { cut, row, reason });
                waiting.extend(rows[one].before.map(|before| vec![before]));
                if rejected.len() > REJECTED_ROWS {
                    let reason = &rejected[rejected.len() - 1].reason;
                    let what = format!(
                        "it rejects more than {REJECTED_ROWS} rows of a checkpoint, the last one since: {reason}"
                    );
                    return Err(self.failed("cannot deliver", &what));
                }
            } else {
                let (first, second) = part.split_at(part.len() / 2);
                waiting.push(second.to_vec());
                waiting.push(first.to_vec());
            }
        }
        rejected.sort_by_key(|r| r.row);
        Ok(())
    }

    async fn put_part(&self, statements: &Statements, rows: &[Row], part: &[usize]) -> Result<(), Fault> {
        let client = self.client().map_err(Fault::Other)?;
        let keyed = statements.by_key.is_some();
        let mut text = String::with_capacity(part.iter().map(|at| rows[*at].text.len() + 3).sum());
        for at in part {
            let row = &rows[*at];
            text.push_str(&row.text);
            text.push_str(match (keyed, row.delete) {
                (false, _) => "\n",
                (true, true) => "\tt\n",
                (true, false) => "\tf\n",
            });
        }
        let copy = async {
            let mut sink = pin!(client.copy_in::<_, Bytes>(&statements.copy).await?);
            sink.send(Bytes::from(text)).await?;
            sink.as_mut().finish().await
        };
        self.try_within("cannot write rows", copy).await?;
        let Some(by_key) = &statements.by_key else { return Ok(()) };
        if part.iter().any(|at| rows[*at].delete) {
            self.try_within("cannot delete rows", client.execute(&by_key.delete, &[])).await?;
        }
        if part.iter().any(|at| !rows[*at].delete) {
            self.try_within("cannot put rows", client.execute(&by_key.put, &[])).await?;
        }
        self.try_within("cannot empty the temporary table", client.batch_execute("TRUNCATE pg_temp.arus_rows")).await
    }
}

#[async_trait]
impl SinkDelivery for JdbcDelivery {
    async fn mark(&mut self) -> Result<Option<Mark>> {
        let outcome = self.read_mark().await;
        self.close_after(outcome)
    }

    async fn create_mark(&mut self) -> Result<()> {
        let outcome = self.write_first_mark().await;
        self.close_after(outcome)
    }

    async fn deliver(&mut self, outbox: OutboxDelivery<'_>) -> Result<Delivered> {
        let outcome = self.transaction(outbox).await;
        self.close_after(outcome)
    }

    async fn remove_mark(&mut self) -> Result<()> {
        let outcome = self.delete_mark().await;
        self.close_after(outcome)
    }

    fn retries(&self) -> u32 {
        self.target.retries
    }
}

impl JdbcDelivery {
    /// After an error nothing is known of the connection.
    fn close_after<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.session = None;
        }
        outcome
    }

    async fn delete_mark(&mut self) -> Result<()> {
        if self.read_mark().await?.is_none() {
            return Ok(());
        }
        let delete = "DELETE FROM arus_marks WHERE deployment = $1 AND sink = $2";
        let params: [&(dyn ToSql + Sync); 2] = [&self.mark.deployment, &self.mark.sink];
        self.within("cannot remove the mark", self.client()?.execute(delete, &params)).await?;
        Ok(())
    }
}

fn rejected_text(before: &[RejectedInOutbox], now: &[RejectedInOutbox]) -> Result<String> {
    let all: Vec<&RejectedInOutbox> = before.iter().chain(now).collect();
    serde_json::to_string(&all).map_err(|e| Error::bug(format!("rejected rows: {e}")))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether the row is wrong, not the statement: bad data, a constraint, a trigger's exception, a value too long for an index.
fn is_of_row(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        let code = code.code();
        code.starts_with("22") || code.starts_with("23") || code == "P0001" || code == "54000"
    })
}

fn text_of(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        let detail = db.detail().map_or(String::new(), |d| format!(" ({d})"));
        return format!("{}{detail} [{}]", db.message(), db.code().code());
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
