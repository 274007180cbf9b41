//! One connection's statements: those of the door itself, and what the engine answers.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arus_core::catalog::ObjectPath;
use arus_core::change::arrow_bug;
use arus_core::error::Code;
use arus_core::platform::{Done, Door, Param, Platform, QueryStream, Session, StatementOutput};
use arus_core::{Error, ErrorKind, Result};
use futures::{StreamExt, stream};
use pgwire::api::ConnectionHandle;
use pgwire::api::portal::Format;
use pgwire::api::results::{Response, Tag};
use pgwire::messages::response::TransactionStatus;

use super::copy;
use super::cursor::{self, Cursor};
use super::encode::{self, Batches, Deadline, Limits};
use super::prepared::{self, PreparedStatements};
use super::progress::Progress;
use super::settings::{Changed, Settings};
use super::statement::{ClientStatement, Copy, Rows, recognise};
use crate::trace;

/// Cursors of a connection, each with an open query.
const CURSORS: usize = 100;

pub(super) struct State {
    /// With the client's rights; none before the login.
    platform: Option<Arc<dyn Platform>>,
    pub(super) session: Box<dyn Session>,
    /// The beginning of a statement whose end has not come yet.
    pub(super) pending: String,
    settings: Settings,
    cursors: HashMap<String, Cursor>,
    prepared: PreparedStatements,
    progress: Arc<Progress>,
    /// Whether what the client said when it connected has been read.
    started: bool,
    /// This transaction wrote: a rollback has something to tell.
    wrote: bool,
}

/// What a statement is answered with.
pub(super) struct Answer {
    pub(super) response: Response,
    pub(super) notices: Vec<Notice>,
    pub(super) changed: Vec<Changed>,
    /// All prepared statements (`None` inside) or one of them go.
    pub(super) deallocate: Option<Option<String>>,
}

pub(super) struct Notice {
    pub(super) severity: &'static str,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Answer {
    fn of(response: Response) -> Self {
        Answer { response, notices: vec![], changed: vec![], deallocate: None }
    }

    fn tag(tag: &str) -> Self {
        Answer::of(Response::Execution(Tag::new(tag)))
    }

    fn warned(mut self, code: &'static str, message: &str) -> Self {
        self.notices.push(Notice { severity: "WARNING", code, message: message.into() });
        self
    }
}

/// How a statement came and how its rows shall go.
pub(super) struct Call<'a> {
    pub(super) params: &'a [Param],
    pub(super) format: &'a Format,
    pub(super) connection: Option<Arc<ConnectionHandle>>,
    pub(super) status: TransactionStatus,
    /// Whether the protocol has a prepared statement of the name that this one deallocates.
    pub(super) known: bool,
}

impl Call<'_> {
    fn in_block(&self) -> bool {
        self.status != TransactionStatus::Idle
    }
}

impl State {
    pub(super) fn new(session: Box<dyn Session>, progress: Arc<Progress>) -> Self {
        State {
            platform: None,
            session,
            pending: String::new(),
            settings: Settings::default(),
            cursors: HashMap::new(),
            prepared: PreparedStatements::default(),
            progress,
            started: false,
            wrote: false,
        }
    }

    /// The client is who it says.
    pub(super) fn enter(&mut self, platform: Arc<dyn Platform>) {
        self.session = platform.session(Door::Postgres);
        self.platform = Some(platform);
    }

    /// Reads what the client said of its session when it connected, once.
    pub(super) fn start(&mut self, said: &std::collections::HashMap<String, String>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        for (name, value) in said {
            if let Some(changed) = self.settings.start(name, value) {
                self.session.client_setting(changed.name, &changed.value);
            }
            if name == "options" {
                self.start_options(value);
            }
        }
    }

    /// `options='-c statement_timeout=5s -csearch_path=a'`
    fn start_options(&mut self, options: &str) {
        let mut words = options.split_whitespace();
        while let Some(word) = words.next() {
            let setting = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
                Some("") => words.next().unwrap_or_default(),
                Some(setting) => setting,
                None => continue,
            };
            if let Some((name, value)) = setting.split_once('=')
                && let Some(changed) = self.settings.start(name, value)
            {
                self.session.client_setting(changed.name, &changed.value);
            }
        }
    }

    pub(super) async fn run(&mut self, statement: &str, call: Call<'_>) -> Result<Answer> {
        let found = recognise(statement)?;
        if call.status == TransactionStatus::Error {
            let ends = matches!(
                found,
                Some(ClientStatement::Commit | ClientStatement::Rollback | ClientStatement::RollbackTo)
            );
            if !ends {
                return Err(in_failed_block());
            }
        }
        match found {
            Some(ClientStatement::Execute { name, values }) => {
                let (query, params) =
                    self.prepared.bind(self.session.as_mut(), &name, &values, &self.settings.style()).await?;
                self.engine(&query, Call { params: &params, ..call }).await
            }
            Some(found) => self.answer(found, call).await,
            None => self.engine(statement, call).await,
        }
    }

    async fn engine(&mut self, statement: &str, call: Call<'_>) -> Result<Answer> {
        let in_block = call.in_block();
        let (style, progress) = (self.settings.style(), self.progress.clone());
        match self.execute(statement, call.params).await? {
            (StatementOutput::Rows(rows), deadline) => {
                let limits = Limits { connection: call.connection, deadline, progress: progress.clone() };
                let batches = encode::limited(rows.batches, limits);
                Ok(Answer::of(Response::Query(encode::rows(&rows.schema, batches, call.format, style, progress))))
            }
            (StatementOutput::Done(done), _) => {
                self.wrote |= in_block;
                Ok(told(done))
            }
        }
    }

    /// Within `statement_timeout`, whose rest is for the rows.
    async fn execute(&mut self, statement: &str, params: &[Param]) -> Result<(StatementOutput, Deadline)> {
        let Some(limit) = self.settings.statement_timeout() else {
            let done = trace::statement("postgres", statement, self.session.execute(statement, params));
            return Ok((done.await?, None));
        };
        let mut deadline = Box::pin(tokio::time::sleep(limit));
        tokio::select! {
            output = trace::statement("postgres", statement, self.session.execute(statement, params)) => {
                Ok((output?, Some(deadline)))
            }
            () = &mut deadline => Err(encode::timed_out()),
        }
    }

    async fn answer(&mut self, statement: ClientStatement, call: Call<'_>) -> Result<Answer> {
        let in_block = call.in_block();
        Ok(match statement {
            ClientStatement::Begin { tag } => {
                self.session.pin(true);
                let answer = Answer::of(Response::TransactionStart(Tag::new(tag)));
                if in_block { answer.warned("25001", "there is already a transaction in progress") } else { answer }
            }
            ClientStatement::Commit => self.end(call.status != TransactionStatus::Error, in_block, true),
            ClientStatement::Rollback => self.end(false, in_block, false),
            ClientStatement::Savepoint { .. } | ClientStatement::RollbackTo if !in_block => {
                return Err(outside("SAVEPOINT"));
            }
            ClientStatement::Savepoint { tag } => Answer::tag(tag),
            ClientStatement::RollbackTo => Answer::of(Response::TransactionStart(Tag::new("ROLLBACK"))),
            ClientStatement::Accepted(tag) => Answer::tag(tag),
            ClientStatement::Set { name, value, local } => {
                let changed = self.settings.set(&name, value.as_deref(), in_block, local)?;
                let answer = self.changed("SET", changed);
                if local && !in_block {
                    answer.warned("25P01", "SET LOCAL can only be used in transaction blocks")
                } else {
                    answer
                }
            }
            ClientStatement::Reset(name) => {
                let changed = self.settings.set(&name, None, in_block, false)?;
                self.changed("RESET", changed)
            }
            ClientStatement::ResetAll => {
                let changed = self.settings.reset_all();
                self.changed("RESET", changed)
            }
            ClientStatement::Show(name) => {
                let (name, value) = self.settings.get(&name)?;
                let (schema, batch) = texts(&[name], vec![vec![value]])?;
                self.rows(&schema, batch, "SHOW", &call)
            }
            ClientStatement::ShowAll => {
                let rows = self.settings.all().into_iter().map(|(n, v)| vec![n.into(), v, String::new()]).collect();
                let (schema, batch) = texts(&SHOW_ALL, rows)?;
                self.rows(&schema, batch, "SHOW", &call)
            }
            ClientStatement::DiscardAll => {
                if in_block {
                    let message = "DISCARD ALL cannot run inside a transaction block";
                    return Err(Error::user(message).with_code(Code::Conflict));
                }
                self.cursors.clear();
                self.prepared.clear();
                let changed = self.settings.reset_all();
                Answer { deallocate: Some(None), ..self.changed("DISCARD ALL", changed) }
            }
            ClientStatement::Prepare(new) => {
                self.prepared.add(self.session.as_mut(), new).await?;
                Answer::tag("PREPARE")
            }
            ClientStatement::Execute { .. } => return Err(Error::bug("EXECUTE is run where it was read")),
            ClientStatement::Deallocate(None) => {
                self.prepared.clear();
                Answer { deallocate: Some(None), ..Answer::tag("DEALLOCATE ALL") }
            }
            ClientStatement::Deallocate(Some(name)) => {
                if !self.prepared.remove(&name) && !call.known {
                    return Err(prepared::unknown(&name));
                }
                Answer { deallocate: Some(Some(name)), ..Answer::tag("DEALLOCATE") }
            }
            ClientStatement::Declare { name, binary, hold, query } => {
                if !in_block && !hold {
                    return Err(outside("DECLARE CURSOR"));
                }
                self.declare(name, binary, hold, &query, call.params).await?;
                Answer::tag("DECLARE CURSOR")
            }
            ClientStatement::Fetch { name, rows, moves } => self.fetch(&name, rows, moves, call).await?,
            ClientStatement::Close(None) => {
                self.cursors.clear();
                Answer::tag("CLOSE CURSOR ALL")
            }
            ClientStatement::Close(Some(name)) => {
                self.cursors.remove(&name).ok_or_else(|| cursor::unknown(&name).with_code(Code::UndefinedCursor))?;
                Answer::tag("CLOSE CURSOR")
            }
            ClientStatement::Copy(copy) => self.copy(copy, call).await?,
        })
    }

    fn changed(&mut self, tag: &str, changed: Vec<Changed>) -> Answer {
        for change in &changed {
            self.session.client_setting(change.name, &change.value);
        }
        Answer { changed, ..Answer::tag(tag) }
    }

    /// COMMIT of a failed transaction is a ROLLBACK.
    fn end(&mut self, committed: bool, in_block: bool, commit: bool) -> Answer {
        self.session.pin(false);
        self.cursors.retain(|_, cursor| cursor.hold && committed);
        let tag = if committed { "COMMIT" } else { "ROLLBACK" };
        let changed = self.settings.end(committed);
        let answer = self.changed(tag, changed);
        let wrote = std::mem::take(&mut self.wrote);
        let answer = Answer { response: Response::TransactionEnd(Tag::new(tag)), ..answer };
        if !in_block {
            answer.warned("25P01", "there is no transaction in progress")
        } else if wrote && !commit {
            answer.warned(
                "01000",
                "what this transaction has written is durable and stays: a transaction is a snapshot to read",
            )
        } else {
            answer
        }
    }

    fn rows(&self, schema: &SchemaRef, batch: RecordBatch, tag: &str, call: &Call<'_>) -> Answer {
        let batches: Batches = stream::iter([Ok(batch)]).boxed();
        let style = self.settings.style();
        let mut response = encode::rows(schema, batches, call.format, style, self.progress.clone());
        response.set_command_tag(tag);
        Answer::of(Response::Query(response))
    }

    fn changes(&self, table: &ObjectPath, columns: &SchemaRef) -> Result<(SchemaRef, Batches)> {
        let platform = self.platform.as_ref().ok_or_else(|| Error::bug("a statement before the login"))?;
        cursor::changes(platform.as_ref(), table, columns)
    }

    async fn declare(&mut self, name: String, binary: bool, hold: bool, query: &str, params: &[Param]) -> Result<()> {
        if self.cursors.contains_key(&name) {
            let message = format!("cursor \"{name}\" already exists");
            return Err(Error::user(message).with_code(Code::DuplicateCursor));
        }
        if self.cursors.len() >= CURSORS {
            return Err(Error::new(ErrorKind::Exhausted, format!("expected at most {CURSORS} open cursors"))
                .with_hint("CLOSE some"));
        }
        let cursor = match cursor::followed(query) {
            Some(table) => {
                let select = format!("SELECT * FROM \"{}\".\"{}\"", schema_name(&table.database), table.name);
                let shape = self.session.describe(&select, &[]).await?;
                let columns = shape.schema.ok_or_else(|| Error::bug("a table has no columns"))?;
                let (schema, batches) = self.changes(&table, &columns)?;
                Cursor::new(schema, batches, binary, hold, true)
            }
            None => match self.execute(query, params).await?.0 {
                StatementOutput::Rows(QueryStream { schema, batches, .. }) => {
                    Cursor::new(schema, batches, binary, hold, false)
                }
                StatementOutput::Done(_) => {
                    return Err(Error::user("DECLARE: expected a query").with_code(Code::Syntax));
                }
            },
        };
        self.cursors.insert(name, cursor);
        Ok(())
    }

    fn cursor(&self, name: &str) -> Result<&Cursor> {
        self.cursors.get(name).ok_or_else(|| cursor::unknown(name).with_code(Code::UndefinedCursor))
    }

    pub(super) fn cursor_schema(&self, name: &str) -> Option<SchemaRef> {
        self.cursors.get(name).map(|cursor| cursor.schema.clone())
    }

    /// What a client is told when it connects.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        self.settings.all().into_iter().filter(|(name, _)| TOLD.contains(name)).collect()
    }

    async fn fetch(&mut self, name: &str, rows: Rows, moves: bool, call: Call<'_>) -> Result<Answer> {
        let patience = self.settings.fetch_timeout();
        let cursor = self.cursor(name)?;
        let limit = match rows {
            Rows::All => u64::MAX,
            Rows::Next(count) => count,
        };
        let deadline = self.settings.statement_timeout().map(|limit| Box::pin(tokio::time::sleep(limit)));
        // Rows that are read here end with this call, which pgwire itself cancels.
        let connection = if moves { None } else { call.connection.clone() };
        let mut batches = encode::limited(cursor.fetch(limit, patience), self.limits(connection, deadline));
        if moves {
            let mut count = 0;
            while let Some(batch) = batches.next().await {
                count += batch?.num_rows();
            }
            return Ok(Answer::of(Response::Execution(Tag::new("MOVE").with_rows(count))));
        }
        let format = if cursor.binary { &Format::UnifiedBinary } else { call.format };
        let style = self.settings.style();
        let mut response = encode::rows(&cursor.schema, batches, format, style, self.progress.clone());
        response.set_command_tag("FETCH");
        Ok(Answer::of(Response::Query(response)))
    }

    async fn copy(&mut self, copy: Copy, call: Call<'_>) -> Result<Answer> {
        let style = self.settings.style();
        let (StatementOutput::Rows(rows), deadline) = self.execute(&copy.query, call.params).await? else {
            return Err(Error::user("COPY: expected a query").with_code(Code::Syntax));
        };
        // What cannot be read at all is an error before the first byte. Until here pgwire listens for a cancel request.
        let mut batches = encode::limited(rows.batches, self.limits(None, deadline));
        let first = batches.next().await.transpose()?;
        let batches = encode::limited(batches, self.limits(call.connection, None));
        let batches = stream::iter(first.map(Ok)).chain(batches).boxed();
        Ok(Answer::of(Response::CopyOut(copy::response(copy, &rows.schema, batches, style))))
    }

    fn limits(&self, connection: Option<Arc<ConnectionHandle>>, deadline: Deadline) -> Limits {
        Limits { connection, deadline, progress: self.progress.clone() }
    }

    /// Columns of a statement of the door; `None`: it has none.
    pub(super) fn shape(&self, statement: &ClientStatement) -> Result<Option<SchemaRef>> {
        Ok(match statement {
            ClientStatement::Show(name) => Some(text_schema(&[self.settings.get(name)?.0])),
            ClientStatement::ShowAll => Some(text_schema(&SHOW_ALL)),
            ClientStatement::Execute { name, .. } => self.prepared.get(name)?.schema.clone(),
            ClientStatement::Fetch { name, moves: false, .. } => Some(self.cursor(name)?.schema.clone()),
            _ => None,
        })
    }
}

/// PostgreSQL tells these when somebody connects.
const TOLD: [&str; 6] =
    ["server_version", "DateStyle", "TimeZone", "IntervalStyle", "client_encoding", "standard_conforming_strings"];
const SHOW_ALL: [&str; 3] = ["name", "setting", "description"];

fn schema_name(database: &str) -> &str {
    if database == arus_core::catalog::DEFAULT_DATABASE { "public" } else { database }
}

fn told(done: Done) -> Answer {
    let notice = |message| Notice { severity: "NOTICE", code: "00000", message };
    Answer { notices: done.notices.into_iter().map(notice).collect(), ..Answer::tag(&done.tag) }
}

pub(super) fn in_failed_block() -> Error {
    Error::user("current transaction is aborted, commands ignored until end of transaction block")
        .with_code(Code::FailedTransaction)
}

fn outside(what: &str) -> Error {
    Error::user(format!("{what} can only be used in transaction blocks")).with_code(Code::NoTransaction)
}

fn text_schema(columns: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|c| Field::new(*c, DataType::Utf8, true)).collect::<Vec<_>>()))
}

fn texts(columns: &[&str], rows: Vec<Vec<String>>) -> Result<(SchemaRef, RecordBatch)> {
    let schema = text_schema(columns);
    let arrays = (0..columns.len())
        .map(|i| Arc::new(rows.iter().map(|r| Some(r[i].as_str())).collect::<StringArray>()) as _)
        .collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(arrow_bug)?;
    Ok((schema, batch))
}
