//! `'connector' = 'jdbc'` for `jdbc:postgresql:` URLs: rows and mark in one transaction a checkpoint.
//!
//! With a PRIMARY KEY rows are put by key and deletes delete; without one only new rows are taken. The table has to be there;
//! `arus_marks` is made beside it.

mod delivery;
mod text;
mod url;

use std::time::Duration;

use arus_core::catalog::{ColumnKind, TableDef};
use arus_core::connector::{ConnectContext, Connector, OptionDef, OptionKind, SinkWriter};
use arus_core::delivery::{MarkName, SinkDelivery};
use arus_core::error::Code;
use arus_core::plan::ChangelogMode;
use arus_core::secret::has_reference;
use arus_core::{Error, Result, TypeKind};

use crate::options::Options;
use crate::outbox::{OutboxWriter, sink_schema};
use delivery::{JdbcDelivery, JdbcTarget};
use url::PostgresUrl;

pub(crate) struct Jdbc;

const URL: &str = "url";
const TABLE_NAME: &str = "table-name";
const USERNAME: &str = "username";
const PASSWORD: &str = "password";
const DRIVER: &str = "driver";
const POSTGRES_DRIVER: &str = "org.postgresql.Driver";
const ANSWER_LIMIT: &str = "connection.max-retry-timeout";
const MAX_RETRIES: &str = "sink.max-retries";
const TIMESTAMP_PRECISION_MAX: u8 = 6;

const fn option(name: &'static str, kind: OptionKind, default: Option<&'static str>, about: &'static str) -> OptionDef {
    OptionDef { name, kind, required: false, default, about }
}

const OPTIONS: &[OptionDef] = &[
    OptionDef::new(URL, OptionKind::Text, "jdbc:postgresql://host:port/database").required(),
    OptionDef::new(TABLE_NAME, OptionKind::Text, "the table in Postgres, with its schema where it has one").required(),
    option(USERNAME, OptionKind::Text, None, "needs a password beside it"),
    option(PASSWORD, OptionKind::Text, None, "best as ${secret:name}"),
    option(DRIVER, OptionKind::Text, Some(POSTGRES_DRIVER), "no other one; it is built in"),
    option(
        ANSWER_LIMIT,
        OptionKind::Duration,
        Some("60 s"),
        "how long an answer may take before the connection is given up",
    ),
    option(MAX_RETRIES, OptionKind::Integer, Some("3"), "of arus run; a server tries for ever, and its sources wait"),
    option("sink.buffer-flush.max-rows", OptionKind::Integer, Some("100"), "without effect: rows go with a checkpoint"),
    option(
        "sink.buffer-flush.interval",
        OptionKind::Duration,
        Some("1 s"),
        "without effect: rows go with a checkpoint",
    ),
    option("sink.parallelism", OptionKind::Integer, None, "accepted; one transaction a checkpoint"),
    option("scan.*", OptionKind::Text, None, "reading is not supported yet"),
    option("lookup.*", OptionKind::Text, None, "lookups are not supported yet"),
];

impl Connector for Jdbc {
    fn name(&self) -> &'static str {
        "jdbc"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn is_sink(&self) -> bool {
        true
    }

    fn sink_mode(&self, table: &TableDef) -> ChangelogMode {
        if table.primary_key.is_empty() { ChangelogMode::INSERT_ONLY } else { ChangelogMode::UPSERT }
    }

    fn sink(&self, table: &TableDef, cx: &ConnectContext) -> Result<Box<dyn SinkWriter>> {
        target(table, cx)?;
        Ok(Box::new(OutboxWriter::new(table)))
    }

    fn check(&self, table: &TableDef) -> Result<()> {
        let options = Options::of(table, OPTIONS);
        let reads = |k: &&String| k.starts_with("scan.") || k.starts_with("lookup.");
        if let Some(key) = table.options.keys().find(reads)
            && !key.starts_with("scan.watermark.")
            && key != "scan.parallelism"
        {
            return Err(refused(table, format!("option '{key}' of connector 'jdbc'"))
                .with_hint("the connector writes; read the table by a tool of Postgres"));
        }
        match (options.text(USERNAME), options.text(PASSWORD)) {
            (Some(_), None) | (None, Some(_)) => {
                return Err(Error::user(format!(
                    "table '{}': options '{USERNAME}' and '{PASSWORD}' stand together or not at all",
                    table.path
                ))
                .with_code(Code::InvalidOption));
            }
            _ => {}
        }
        let driver = options.required(DRIVER)?;
        if driver != POSTGRES_DRIVER {
            return Err(refused(table, format!("driver '{driver}' of connector 'jdbc'"))
                .with_hint(format!("leave '{DRIVER}' out: {POSTGRES_DRIVER} is built in")));
        }
        if answer_limit(&options)? < Duration::from_secs(1) {
            return Err(options.wrong(ANSWER_LIMIT, "at least 1 s", options.required(ANSWER_LIMIT)?));
        }
        retries(&options)?;
        let url = options.required(URL)?;
        // One that is a secret is looked at when it is known.
        if !has_reference(url) {
            PostgresUrl::parse(table, url)?;
        }
        check_types(table)
    }

    fn has_outbox(&self) -> bool {
        true
    }

    fn delivery(&self, table: &TableDef, mark: MarkName, cx: &ConnectContext) -> Result<Box<dyn SinkDelivery>> {
        Ok(Box::new(JdbcDelivery::new(target(table, cx)?, mark)))
    }
}

fn refused(table: &TableDef, what: String) -> Error {
    Error::not_supported(format!("table '{}': {what}", table.path))
}

fn answer_limit(options: &Options<'_>) -> Result<Duration> {
    Ok(Duration::from_millis(options.duration_ms(ANSWER_LIMIT)?.unwrap_or(60_000).unsigned_abs()))
}

fn retries(options: &Options<'_>) -> Result<u32> {
    let text = options.required(MAX_RETRIES)?;
    text.trim().parse().map_err(|_| options.wrong(MAX_RETRIES, "a number of 0 or more", text))
}

/// Flink's list for its Postgres dialect, and TIMESTAMP_LTZ.
fn check_types(table: &TableDef) -> Result<()> {
    for column in table.columns.iter().filter(|c| matches!(c.kind, ColumnKind::Physical)) {
        let element = match &column.ty.kind {
            TypeKind::Array(element) => &element.kind,
            kind => kind,
        };
        let precise = match element {
            TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
                *precision <= TIMESTAMP_PRECISION_MAX
            }
            _ => true,
        };
        if !precise {
            return Err(Error::user(format!(
                "table '{}': the precision of column '{}' is out of the range [0, {TIMESTAMP_PRECISION_MAX}] of Postgres",
                table.path, column.name
            ))
            .with_code(Code::TypeMismatch)
            .with_hint(format!("declare it with precision {TIMESTAMP_PRECISION_MAX}")));
        }
        let known = matches!(
            element,
            TypeKind::Char(_)
                | TypeKind::Varchar(_)
                | TypeKind::Boolean
                | TypeKind::Binary(_)
                | TypeKind::Varbinary(_)
                | TypeKind::Decimal { .. }
                | TypeKind::TinyInt
                | TypeKind::SmallInt
                | TypeKind::Int
                | TypeKind::BigInt
                | TypeKind::Float
                | TypeKind::Double
                | TypeKind::Date
                | TypeKind::Time(_)
                | TypeKind::Timestamp { .. }
                | TypeKind::TimestampLtz { .. }
        );
        if !known {
            return Err(Error::user(format!(
                "table '{}': column '{}': the Postgres dialect doesn't support type: {}",
                table.path, column.name, column.ty
            ))
            .with_code(Code::TypeMismatch)
            .with_hint(
                "write its fields as columns of their own, or the whole as text by JSON_OBJECT or JSON_STRING",
            ));
        }
    }
    Ok(())
}

/// Where rows go, from options without references.
fn target(table: &TableDef, cx: &ConnectContext) -> Result<JdbcTarget> {
    let options = Options::of(table, OPTIONS);
    let mut url = PostgresUrl::parse(table, options.required(URL)?)?;
    if let (Some(user), Some(password)) = (options.text(USERNAME), options.text(PASSWORD)) {
        (url.user, url.password) = (Some(user.to_string()), Some(password.to_string()));
    }
    for (host, port) in &url.hosts {
        if !cx.hosts.allows(host, *port) {
            return Err(Error::user(format!("table '{}': '{host}:{port}' is not an allowed address", table.path))
                .with_code(Code::PermissionDenied)
                .with_hint(format!("start the server with --allow-host {host}")));
        }
    }
    let columns = sink_schema(table);
    let key = table.primary_key.iter().filter_map(|k| columns.index_of(&table.columns[*k].name)).collect();
    Ok(JdbcTarget {
        table: table.path.to_string(),
        target: options.required(TABLE_NAME)?.to_string(),
        columns,
        key,
        url,
        answer_limit: answer_limit(&options)?,
        retries: retries(&options)?,
    })
}

#[cfg(test)]
mod tests;
