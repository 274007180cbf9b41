//! CREATE ALERT and what is done with an alert: ours only, around a query that is plain Flink SQL.

use super::{Expr, Ident, ObjectName, Query, Span, Text};

/// `CREATE ALERT a ON (SELECT ..) KEY (..) SEVERITY .. RESOLVE AFTER .. NOTIFY ..`; the clauses stand in any order.
#[derive(Clone, Debug)]
pub struct CreateAlert {
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub name: ObjectName,
    pub query: Query,
    pub key: Vec<Ident>,
    /// In capitals.
    pub severity: Option<Ident>,
    pub resolve_after: Option<Expr>,
    /// `NO DATA AFTER INTERVAL .. AS severity`
    pub no_data: Option<(Expr, Option<Ident>)>,
    pub summary: Option<Text>,
    pub runbook: Option<Text>,
    pub notify: Vec<NotifyTarget>,
    pub repeat: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum NotifyTarget {
    /// One that the server was started with.
    Name(Ident),
    /// `'https://..'`, `'smtp://..'`
    Url(Text),
}

#[derive(Clone, Debug)]
pub struct AlterAlert {
    pub name: ObjectName,
    pub action: AlertAction,
}

#[derive(Clone, Debug)]
pub enum AlertAction {
    /// Nobody is told until then, or until UNSILENCE.
    Silence {
        for_time: Option<Expr>,
    },
    Unsilence,
    /// A notification by way of trial.
    Test,
}
