//! The handlers of one connection.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arus_core::access::Gate;
use arus_core::platform::{Done, Session, StatementOutput};
use async_trait::async_trait;
use futures::{Sink, SinkExt, StreamExt, stream};
use pgwire::api::auth::StartupHandler;
use pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo, QueryResponse, Response, Tag};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, ConnectionHandle, ConnectionManager, PgWireServerHandlers, Type};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::NoticeResponse;
use tokio::sync::Mutex;

use super::client_settings::{ClientStatement, recognise};
use super::encode;
use super::error::to_error_info;
use super::progress::Progress;
use super::startup::{NobodysSession, Startup};

pub(super) struct Handlers {
    connection: Arc<Connection>,
    startup: Arc<Startup>,
    cancel: Arc<DefaultCancelHandler>,
    progress: Arc<Progress>,
}

impl Handlers {
    /// `only_tls`: whoever speaks in the clear is refused.
    pub(super) fn new(gate: Arc<dyn Gate>, manager: Arc<ConnectionManager>, only_tls: bool) -> Self {
        let progress = Arc::<Progress>::default();
        let session = Box::new(NobodysSession);
        let state = State { session, pending: String::new(), progress: progress.clone() };
        let state = Arc::new(Mutex::new(state));
        let startup = Arc::new(Startup::new(gate, state.clone(), manager.clone(), only_tls));
        Handlers {
            connection: Arc::new(Connection { state }),
            startup,
            cancel: Arc::new(DefaultCancelHandler::new(manager)),
            progress,
        }
    }

    /// Whether the client takes what it is sent.
    pub(super) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }
}

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        self.connection.clone()
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        self.connection.clone()
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        self.startup.clone()
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        self.cancel.clone()
    }
}

pub(super) struct Connection {
    state: Arc<Mutex<State>>,
}

pub(super) struct State {
    pub(super) session: Box<dyn Session>,
    /// The beginning of a statement whose end has not come yet.
    pending: String,
    progress: Arc<Progress>,
}

impl State {
    async fn run(
        &mut self,
        statement: &str,
        params: &[Option<String>],
        format: &Format,
        connection: Option<Arc<ConnectionHandle>>,
    ) -> PgWireResult<Answer> {
        match recognise(statement) {
            Some(ClientStatement::Begin) => {
                self.session.pin(true);
                Ok(Answer::of(Response::TransactionStart(Tag::new("BEGIN"))))
            }
            Some(ClientStatement::Commit) => {
                self.session.pin(false);
                Ok(Answer::of(Response::TransactionEnd(Tag::new("COMMIT"))))
            }
            Some(ClientStatement::Rollback) => {
                self.session.pin(false);
                Ok(Answer::of(Response::TransactionEnd(Tag::new("ROLLBACK"))))
            }
            Some(ClientStatement::Accepted(tag)) => Ok(Answer::of(Response::Execution(Tag::new(tag)))),
            Some(ClientStatement::Show(name, value)) => Ok(Answer::of(Response::Query(one_value(name, &value)?))),
            None => match self.session.execute(statement, params).await {
                Ok(StatementOutput::Rows(rows)) => {
                    let progress = self.progress.clone();
                    Ok(Answer::of(Response::Query(encode::rows(rows, format, connection, progress)?)))
                }
                Ok(StatementOutput::Done(done)) => Ok(Answer::done(done)),
                Err(e) => Err(PgWireError::UserError(Box::new(to_error_info(&e, Some(statement))))),
            },
        }
    }
}

struct Answer {
    response: Response,
    notices: Vec<String>,
}

impl Answer {
    fn of(response: Response) -> Self {
        Answer { response, notices: vec![] }
    }

    fn done(done: Done) -> Self {
        Answer { response: Response::Execution(Tag::new(&done.tag)), notices: done.notices }
    }
}

fn one_value(name: &str, value: &str) -> PgWireResult<QueryResponse> {
    let fields = Arc::new(vec![FieldInfo::new(name.into(), None, None, Type::TEXT, FieldFormat::Text)]);
    let mut encoder = DataRowEncoder::new(fields.clone());
    encoder.encode_field(&Some(value))?;
    Ok(QueryResponse::new(fields, stream::iter([Ok(encoder.take_row())])))
}

async fn send_notices<C>(client: &mut C, notices: Vec<String>) -> PgWireResult<()>
where
    C: Sink<PgWireBackendMessage> + Unpin + Send,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    for notice in notices {
        let info = ErrorInfo::new("NOTICE".into(), "00000".into(), notice);
        client.send(PgWireBackendMessage::NoticeResponse(NoticeResponse::from(info))).await?;
    }
    Ok(())
}

#[async_trait]
impl SimpleQueryHandler for Connection {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let mut state = self.state.lock().await;
        let mut text = std::mem::take(&mut state.pending);
        let came_before = text.chars().count();
        text.push_str(query);
        let mut rest = text.as_str();
        let mut responses = vec![];
        while !rest.trim().is_empty() {
            let cut = state.session.cut_statement(rest);
            let (statement, after) = match cut {
                Ok(Some(cut)) => cut,
                Ok(None) => {
                    // psql leaves the semicolon at which it cut, other clients do not.
                    state.pending = format!("{};\n", rest.trim_end().trim_end_matches(';'));
                    responses.push(Response::Execution(Tag::new("STATEMENT SET")));
                    break;
                }
                Err(e) => {
                    responses.push(Response::Error(Box::new(to_error_info(&e, Some(rest)))));
                    break;
                }
            };
            let start = text.len() - rest.len();
            rest = after;
            if statement.trim().is_empty() {
                continue;
            }
            match state.run(statement, &[], &Format::UnifiedText, handle_of(client)).await {
                Ok(answer) => {
                    send_notices(client, answer.notices).await?;
                    responses.push(answer.response);
                }
                Err(PgWireError::UserError(mut info)) => {
                    info.position = in_query(info.position, text[..start].chars().count(), came_before);
                    responses.push(Response::Error(info));
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(responses)
    }
}

/// What a cancel request for this connection reaches.
fn handle_of(client: &impl ClientInfo) -> Option<Arc<ConnectionHandle>> {
    client.session_extensions().get::<Arc<ConnectionHandle>>().map(|handle| handle.as_ref().clone())
}

/// A position in a statement as one in the query that the client has just sent: that is what the client points into.
fn in_query(
    position: Option<String>,
    chars_before_statement: usize,
    chars_of_earlier_queries: usize,
) -> Option<String> {
    let in_statement: usize = position?.parse().ok()?;
    let position = (chars_before_statement + in_statement).checked_sub(chars_of_earlier_queries)?;
    (position > 0).then(|| position.to_string())
}

/// A statement of the extended protocol, described when it was parsed.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    sql: String,
    schema: Option<SchemaRef>,
    params: usize,
}

pub(super) struct Preparer(Arc<Mutex<State>>);

#[async_trait]
impl QueryParser for Preparer {
    type Statement = Prepared;

    async fn parse_sql<C>(&self, _client: &C, sql: &str, _types: &[Option<Type>]) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let sql = sql.trim().trim_end_matches(';').to_string();
        if recognise(&sql).is_some() {
            return Ok(Some(Prepared { sql, schema: None, params: 0 }));
        }
        match self.0.lock().await.session.describe(&sql).await {
            Ok(shape) => Ok(Some(Prepared { sql, schema: shape.schema, params: shape.params })),
            Err(e) => Err(PgWireError::UserError(Box::new(to_error_info(&e, Some(&sql))))),
        }
    }

    fn get_parameter_types(&self, statement: &Prepared) -> PgWireResult<Vec<Type>> {
        Ok(vec![Type::TEXT; statement.params])
    }

    fn get_result_schema(&self, statement: &Prepared, format: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        match (&statement.schema, recognise(&statement.sql)) {
            (_, Some(ClientStatement::Show(name, _))) => {
                Ok(vec![FieldInfo::new(name.into(), None, None, Type::TEXT, FieldFormat::Text)])
            }
            (Some(schema), _) => encode::describe(schema, format.unwrap_or(&Format::UnifiedText)),
            (None, _) => Ok(vec![]),
        }
    }
}

#[async_trait]
impl ExtendedQueryHandler for Connection {
    type Statement = Prepared;
    type QueryParser = Preparer;

    fn query_parser(&self) -> Arc<Preparer> {
        Arc::new(Preparer(self.state.clone()))
    }

    async fn do_query<C>(&self, client: &mut C, portal: &Portal<Prepared>, max_rows: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statement = &portal.statement.statement;
        let mut params = Vec::with_capacity(portal.parameter_len());
        for i in 0..portal.parameter_len() {
            params.push(portal.parameter::<String>(i, &Type::TEXT)?);
        }
        let format = &portal.result_column_format;
        // Rows that are sent here end with this call, which pgwire itself cancels.
        let all = max_rows == 0;
        let handle = if all { None } else { handle_of(client) };
        let answer = self.state.lock().await.run(&statement.sql, &params, format, handle).await?;
        send_notices(client, answer.notices).await?;
        match answer.response {
            // pgwire would collect all of them before it sends the first.
            Response::Query(mut results) if all => {
                let tag = Tag::new(results.command_tag());
                let mut rows = 0;
                while let Some(row) = results.data_rows().next().await {
                    client.feed(PgWireBackendMessage::DataRow(row?)).await?;
                    rows += 1;
                }
                Ok(Response::Execution(tag.with_rows(rows)))
            }
            response => Ok(response),
        }
    }
}
