//! `jdbc:postgresql://host:port/database?key=value`, as the Postgres driver of Java reads it.

use std::time::Duration;

use arus_core::catalog::TableDef;
use arus_core::error::Code;
use arus_core::{Error, Result};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

const PREFIX: &str = "jdbc:postgresql:";
const PORT: u16 = 5432;
/// Change how the driver of Java works inside, not what arrives.
const WITHOUT_EFFECT: [&str; 12] = [
    "reWriteBatchedInserts",
    "prepareThreshold",
    "preparedStatementCacheQueries",
    "preparedStatementCacheSizeMiB",
    "binaryTransfer",
    "defaultRowFetchSize",
    "loginTimeout",
    "socketTimeout",
    "cancelSignalTimeout",
    "loggerLevel",
    "logUnclosedConnections",
    "stringtype",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostgresUrl {
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) database: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) application: Option<String>,
    /// `currentSchema`: what SQL calls the search path.
    pub(super) schemas: Vec<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) primary_only: bool,
}

impl PostgresUrl {
    pub(super) fn parse(table: &TableDef, url: &str) -> Result<Self> {
        let wrong = |expected: &str| {
            let shown = arus_core::secret::shown("url", url);
            Error::user(format!("table '{}': option 'url': expected {expected}, found '{shown}'", table.path))
                .with_code(Code::InvalidOption)
                .with_hint("write 'jdbc:postgresql://host:5432/database'")
        };
        let Some(rest) = url.trim().strip_prefix(PREFIX) else {
            let kind = url.trim().split(':').take(2).collect::<Vec<_>>().join(":");
            return Err(if kind.starts_with("jdbc:") {
                Error::not_supported(format!("table '{}': a database of '{kind}:'", table.path))
                    .with_hint("jdbc:postgresql: is supported")
            } else {
                wrong("a URL that begins with jdbc:postgresql:")
            });
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, database) = match place.strip_prefix("//") {
            Some(place) => place.split_once('/').unwrap_or((place, "")),
            None => ("", place.trim_start_matches('/')),
        };
        let mut parsed = PostgresUrl {
            hosts: vec![],
            database: Some(decoded(database)).filter(|d| !d.is_empty()),
            user: None,
            password: None,
            application: None,
            schemas: vec![],
            connect_timeout: None,
            primary_only: false,
        };
        for host in hosts.split(',') {
            // An IPv6 address stands in brackets.
            let (name, port) = match host.rsplit_once(':') {
                Some((name, port)) if !port.ends_with(']') => {
                    (name, port.parse().map_err(|_| wrong("a number of a port"))?)
                }
                _ => (host, PORT),
            };
            let name = name.trim_matches(['[', ']']);
            parsed.hosts.push((if name.is_empty() { "localhost".into() } else { decoded(name) }, port));
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            parsed.set(table, key, decoded(value))?;
        }
        Ok(parsed)
    }

    fn set(&mut self, table: &TableDef, key: &str, value: String) -> Result<()> {
        let refused = |what: String, hint: &str| {
            Err(Error::not_supported(format!("table '{}': {what} of the URL", table.path)).with_hint(hint))
        };
        match key {
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "ApplicationName" => self.application = Some(value),
            "currentSchema" => self.schemas = value.split(',').map(|s| s.trim().to_string()).collect(),
            "connectTimeout" => {
                let seconds: u64 = value.parse().map_err(|_| {
                    Error::user(format!("table '{}': connectTimeout of the URL is no number of seconds", table.path))
                        .with_code(Code::InvalidOption)
                })?;
                self.connect_timeout = Some(Duration::from_secs(seconds)).filter(|d| !d.is_zero());
            }
            "sslmode" if ["disable", "allow", "prefer"].contains(&value.as_str()) => {}
            "sslmode" => {
                return refused(
                    format!("sslmode={value}"),
                    "connections are not encrypted yet: disable, allow and prefer are taken; \
                     reach the server over a trusted network or a tunnel",
                );
            }
            "ssl" if value == "false" => {}
            "targetServerType" if value == "any" => {}
            "targetServerType" if value == "primary" || value == "master" => self.primary_only = true,
            "tcpKeepAlive" if value == "true" => {}
            key if WITHOUT_EFFECT.contains(&key) => {}
            key => return refused(format!("parameter '{key}'"), "leave it out"),
        }
        Ok(())
    }

    pub(super) fn config(&self, answer_limit: Duration) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        for (host, port) in &self.hosts {
            config.host(host).port(*port);
        }
        // As the driver of Java: the user's own database.
        let user = self.user.as_deref().unwrap_or("postgres");
        config.user(user).dbname(self.database.as_deref().unwrap_or(user));
        if let Some(password) = &self.password {
            config.password(password);
        }
        config.application_name(self.application.as_deref().unwrap_or("arus"));
        config.ssl_mode(SslMode::Disable);
        config.connect_timeout(self.connect_timeout.unwrap_or(answer_limit).min(answer_limit));
        config.keepalives_idle(answer_limit);
        if self.primary_only {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config
    }
}

/// `%XX` of a URL.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (vec![], 0);
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()).filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
