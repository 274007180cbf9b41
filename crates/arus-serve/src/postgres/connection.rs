//! The handlers of one connection.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arus_core::Error;
use arus_core::access::Gate;
use arus_core::platform::Param;
use async_trait::async_trait;
use futures::{Sink, SinkExt, StreamExt};
use pgwire::api::auth::StartupHandler;
use pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler, send_describe_response};
use pgwire::api::results::{DescribePortalResponse, FieldFormat, FieldInfo, Response, Tag};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::{Entry, PortalStore};
use pgwire::api::{
    ClientInfo, ClientPortalStore, ConnectionHandle, ConnectionManager, DEFAULT_NAME, PgWireServerHandlers, Type,
};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::ParameterDescription;
use pgwire::messages::extendedquery::{Describe, Execute, TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT};
use pgwire::messages::response::{NoticeResponse, TransactionStatus};
use pgwire::messages::simplequery::Query;
use pgwire::messages::startup::ParameterStatus;
use tokio::sync::Mutex;

use super::error::to_error_info;
use super::progress::Progress;
use super::session::{Answer, Call, State, in_failed_block};
use super::startup::{NobodysSession, Startup};
use super::statement::{ClientStatement, recognise};
use super::{params, types};

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
        let state = Arc::new(Mutex::new(State::new(Box::new(NobodysSession), progress.clone())));
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

/// Sends what a statement says besides its rows.
async fn tell<C>(client: &mut C, answer: &mut Answer) -> PgWireResult<()>
where
    C: ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send,
    C::PortalStore: PortalStore,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    for notice in answer.notices.drain(..) {
        let info = ErrorInfo::new(notice.severity.into(), notice.code.into(), notice.message);
        client.feed(PgWireBackendMessage::NoticeResponse(NoticeResponse::from(info))).await?;
    }
    for changed in answer.changed.drain(..).filter(|c| c.reported) {
        let status = ParameterStatus::new(changed.name.into(), changed.value);
        client.feed(PgWireBackendMessage::ParameterStatus(status)).await?;
    }
    match answer.deallocate.take() {
        Some(Some(name)) => client.portal_store().rm_statement(&name),
        // Statements are made anew under their names.
        Some(None) => client.portal_store().clear_portals(),
        None => {}
    }
    Ok(())
}

#[async_trait]
impl SimpleQueryHandler for Connection {
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if matches!(recognise(&query.query), Ok(Some(ClientStatement::RollbackTo))) {
            mend(client);
        }
        self._on_query(client, query).await
    }

    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let mut state = self.state.lock().await;
        state.start(client.metadata());
        let mut status = client.transaction_status();
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
            let (connection, known) = (handle_of(client), has_prepared(client, statement));
            let call = Call { params: &[], format: &Format::UnifiedText, connection, status, known };
            match state.run(statement, call).await {
                Ok(mut answer) => {
                    tell(client, &mut answer).await?;
                    status = after_response(status, &answer.response);
                    responses.push(answer.response);
                }
                Err(e) => {
                    let mut info = to_error_info(&e, Some(statement));
                    info.position = in_query(info.position, text[..start].chars().count(), came_before);
                    responses.push(Response::Error(Box::new(info)));
                    break;
                }
            }
        }
        Ok(responses)
    }
}

/// ROLLBACK TO goes on with a transaction that has failed.
fn mend(client: &mut impl ClientInfo) {
    if client.transaction_status() == TransactionStatus::Error {
        client.set_transaction_status(TransactionStatus::Transaction);
    }
}

fn after_response(status: TransactionStatus, response: &Response) -> TransactionStatus {
    match response {
        Response::TransactionStart(_) => TransactionStatus::Transaction,
        Response::TransactionEnd(_) => TransactionStatus::Idle,
        _ => status,
    }
}

/// Whether the protocol has the statement that this one deallocates.
fn has_prepared<C>(client: &C, statement: &str) -> bool
where
    C: ClientPortalStore,
    C::PortalStore: PortalStore,
{
    match recognise(statement) {
        Ok(Some(ClientStatement::Deallocate(Some(name)))) => client.portal_store().get_statement(&name).is_some(),
        _ => false,
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
    params: Vec<DataType>,
}

pub(super) struct Preparer(Arc<Mutex<State>>);

#[async_trait]
impl QueryParser for Preparer {
    type Statement = Prepared;

    async fn parse_sql<C>(&self, client: &C, sql: &str, types: &[Option<Type>]) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let as_sent = sql;
        let sql = sql.trim_end().trim_end_matches(';').to_string();
        let fail = |e: Error| PgWireError::UserError(Box::new(to_error_info(&e, Some(as_sent))));
        let mut state = self.0.lock().await;
        state.start(client.metadata());
        if let Some(statement) = recognise(&sql).map_err(fail)? {
            let schema = state.shape(&statement).map_err(fail)?;
            let declared = types.iter().map(|ty| ty.as_ref().and_then(|ty| types::to_arrow(ty, None)));
            let params = declared.map(|ty| ty.unwrap_or(DataType::Utf8)).collect();
            return Ok(Some(Prepared { sql, schema, params }));
        }
        if client.transaction_status() == TransactionStatus::Error {
            return Err(fail(in_failed_block()));
        }
        let declared: Vec<_> = types.iter().map(|ty| params::declared(ty.as_ref(), None)).collect();
        let shape = state.session.describe(&sql, &declared).await.map_err(fail)?;
        Ok(Some(Prepared { sql, schema: shape.schema, params: shape.params }))
    }

    fn get_parameter_types(&self, statement: &Prepared) -> PgWireResult<Vec<Type>> {
        Ok(statement.params.iter().map(types::of_arrow).collect())
    }

    fn get_result_schema(&self, statement: &Prepared, format: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        let described = |schema: &SchemaRef| types::describe(schema, format.unwrap_or(&Format::UnifiedText));
        Ok(statement.schema.as_ref().map(described).unwrap_or_default())
    }
}

/// The values of a portal; a client that names too few formats gets text for the rest.
fn bound(portal: &Portal<Prepared>) -> PgWireResult<Vec<Param>> {
    let statement = &portal.statement;
    let expected = statement.statement.params.len();
    if portal.parameters.len() != expected {
        let message = format!(
            "bind message supplies {} parameters, but the statement requires {expected}",
            portal.parameters.len()
        );
        return Err(PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".into(), "08P01".into(), message))));
    }
    let one = |(i, value): (usize, &Option<bytes::Bytes>)| {
        let declared = statement.parameter_types.get(i).cloned().flatten();
        let ty = declared.clone().unwrap_or_else(|| types::of_arrow(&statement.statement.params[i]));
        let binary = match &portal.parameter_format {
            Format::Individual(codes) => {
                codes.get(i).is_some_and(|code| FieldFormat::from(*code) == FieldFormat::Binary)
            }
            unified => unified.is_binary(i),
        };
        let text = value.as_ref().map(|bytes| params::text(bytes, &ty, binary)).transpose()?;
        let ty = params::declared(declared.as_ref(), text.as_deref());
        Ok(Param { text, ty })
    };
    portal.parameters.iter().enumerate().map(one).collect()
}

#[async_trait]
impl ExtendedQueryHandler for Connection {
    type Statement = Prepared;
    type QueryParser = Preparer;

    fn query_parser(&self) -> Arc<Preparer> {
        Arc::new(Preparer(self.state.clone()))
    }

    /// A cursor is a portal of its name.
    async fn on_describe<C>(&self, client: &mut C, message: Describe) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        if message.target_type == TARGET_TYPE_BYTE_PORTAL && client.portal_store().get_portal(name).is_none() {
            let schema = self.state.lock().await.cursor_schema(name);
            if let Some(schema) = schema {
                let fields = types::describe(&schema, &Format::UnifiedText);
                return send_describe_response(client, &DescribePortalResponse::new(fields)).await;
            }
        }
        // Of a statement with parameters and without rows pgwire would tell rows without columns.
        if message.target_type == TARGET_TYPE_BYTE_STATEMENT
            && let Some(Entry::Value(statement)) = client.portal_store().get_statement(name)
            && statement.statement.schema.is_none()
        {
            let described = self.do_describe_statement(client, &statement).await?;
            let types = described.parameters.iter().map(Type::oid).collect();
            let parameters = ParameterDescription::new(types);
            client.send(PgWireBackendMessage::ParameterDescription(parameters)).await?;
            return send_describe_response(client, &DescribePortalResponse::new(vec![])).await;
        }
        self._on_describe(client, message).await
    }

    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        if let Some(Entry::Value(portal)) = client.portal_store().get_portal(name)
            && matches!(recognise(&portal.statement.statement.sql), Ok(Some(ClientStatement::RollbackTo)))
        {
            mend(client);
        }
        self._on_execute(client, message).await
    }

    async fn do_query<C>(&self, client: &mut C, portal: &Portal<Prepared>, max_rows: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let sql = &portal.statement.statement.sql;
        let params = bound(portal)?;
        // Rows that are sent here end with this call, which pgwire itself cancels.
        let all = max_rows == 0;
        let connection = if all { None } else { handle_of(client) };
        let call = Call {
            params: &params,
            format: &portal.result_column_format,
            connection,
            status: client.transaction_status(),
            known: has_prepared(client, sql),
        };
        let mut answer = self
            .state
            .lock()
            .await
            .run(sql, call)
            .await
            .map_err(|e| PgWireError::UserError(Box::new(to_error_info(&e, Some(sql)))))?;
        tell(client, &mut answer).await?;
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
