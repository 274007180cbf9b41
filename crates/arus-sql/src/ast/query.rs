//! Queries: SELECT, VALUES, set operations, and what may stand in FROM.

use super::{Call, Expr, Ident, ObjectName, Span, Text};

#[derive(Clone, Debug)]
pub struct Query {
    pub with: Vec<CommonTable>,
    pub body: SetExpr,
    pub order_by: Vec<OrderItem>,
    pub offset: Option<Expr>,
    /// `LIMIT n` or `FETCH NEXT n ROWS ONLY`; `LIMIT ALL` is `None`.
    pub limit: Option<Expr>,
    pub span: Span,
}

/// `name [(columns)] AS (query)`
#[derive(Clone, Debug)]
pub struct CommonTable {
    pub name: Ident,
    pub columns: Vec<Ident>,
    pub query: Query,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum SetExpr {
    Select(Box<Select>),
    Values(Values),
    /// A query in parentheses, with its own ORDER BY and LIMIT.
    Query(Box<Query>),
    /// `TABLE t`
    Table(ObjectName),
    SetOp(Box<SetOp>),
}

impl SetExpr {
    pub fn span(&self) -> Span {
        match self {
            SetExpr::Select(s) => s.span,
            SetExpr::Values(v) => v.span,
            SetExpr::Query(q) => q.span,
            SetExpr::Table(t) => t.span,
            SetExpr::SetOp(o) => o.span,
        }
    }
}

#[derive(Clone, Debug)]
pub struct SetOp {
    pub op: SetOperator,
    pub all: bool,
    pub left: SetExpr,
    pub right: SetExpr,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    Union,
    Intersect,
    Except,
}

impl SetOperator {
    pub fn as_str(self) -> &'static str {
        match self {
            SetOperator::Union => "UNION",
            SetOperator::Intersect => "INTERSECT",
            SetOperator::Except => "EXCEPT",
        }
    }
}

/// `VALUES (1, 'a'), (2, 'b')`; `VALUES 1, 2` has rows of one column.
#[derive(Clone, Debug)]
pub struct Values {
    pub rows: Vec<Vec<Expr>>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Select {
    pub hints: Vec<Hint>,
    pub distinct: bool,
    pub items: Vec<SelectItem>,
    /// The comma-separated tables (a cross join of them); empty without FROM.
    pub from: Vec<TableRef>,
    pub filter: Option<Expr>,
    pub group_by: Option<GroupBy>,
    pub having: Option<Expr>,
    pub windows: Vec<NamedWindow>,
    pub qualify: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum SelectItem {
    Expr {
        expr: Expr,
        alias: Option<Ident>,
    },
    /// `*`, or `t.*` with the qualifier's parts.
    Wildcard {
        qualifier: Vec<Ident>,
        span: Span,
    },
}

impl SelectItem {
    pub fn span(&self) -> Span {
        match self {
            SelectItem::Expr { expr, alias } => alias.as_ref().map_or(expr.span, |a| expr.span.to(a.span)),
            SelectItem::Wildcard { span, .. } => *span,
        }
    }
}

#[derive(Clone, Debug)]
pub struct GroupBy {
    pub distinct: bool,
    pub items: Vec<GroupItem>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum GroupItem {
    Expr(Expr),
    /// `()`
    Empty(Span),
    /// A composite `(a, b)` inside GROUPING SETS, CUBE or ROLLUP, or at the top level.
    Tuple(Vec<Expr>, Span),
    Cube(Vec<GroupItem>, Span),
    Rollup(Vec<GroupItem>, Span),
    GroupingSets(Vec<GroupItem>, Span),
}

impl GroupItem {
    /// Whether any of its sets has a key.
    pub fn has_key(&self) -> bool {
        match self {
            GroupItem::Expr(_) => true,
            GroupItem::Empty(_) => false,
            GroupItem::Tuple(exprs, _) => !exprs.is_empty(),
            GroupItem::Cube(items, _) | GroupItem::Rollup(items, _) | GroupItem::GroupingSets(items, _) => {
                items.iter().any(GroupItem::has_key)
            }
        }
    }
}

/// `WINDOW name AS (..)`
#[derive(Clone, Debug)]
pub struct NamedWindow {
    pub name: Ident,
    pub spec: WindowSpec,
}

/// What stands in the parentheses of OVER and of WINDOW.
#[derive(Clone, Debug)]
pub struct WindowSpec {
    /// An existing window that this one refines.
    pub base: Option<Ident>,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<OrderItem>,
    pub frame: Option<WindowFrame>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct WindowFrame {
    /// ROWS; otherwise RANGE.
    pub rows: bool,
    pub start: FrameBound,
    /// `None`: the form without BETWEEN.
    pub end: Option<FrameBound>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum FrameBound {
    UnboundedPreceding,
    UnboundedFollowing,
    CurrentRow,
    Preceding(Expr),
    Following(Expr),
}

#[derive(Clone, Debug)]
pub struct OrderItem {
    pub expr: Expr,
    pub descending: bool,
    /// `None`: Flink's default (NULL is the smallest value).
    pub nulls_first: Option<bool>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct TableRef {
    pub kind: TableKind,
    pub alias: Option<TableAlias>,
    pub span: Span,
}

/// `AS a (c1, c2)`
#[derive(Clone, Debug)]
pub struct TableAlias {
    pub name: Ident,
    pub columns: Vec<Ident>,
}

#[derive(Clone, Debug)]
pub enum TableKind {
    /// A table or view by name.
    Named {
        name: ObjectName,
        hints: Vec<Hint>,
        /// `FOR SYSTEM_TIME AS OF expr`
        system_time: Option<Expr>,
    },
    /// `[LATERAL] (query)`; a VALUES in FROM is a query too.
    Subquery {
        query: Box<Query>,
        lateral: bool,
    },
    /// `[LATERAL] TABLE(f(..))`, or `f(..)` alone.
    Function {
        call: Box<Call>,
        lateral: bool,
    },
    /// `UNNEST(expr) [WITH ORDINALITY]`
    Unnest {
        exprs: Vec<Expr>,
        with_ordinality: bool,
    },
    Join(Box<Join>),
    /// Parsed by name only, such as MATCH_RECOGNIZE: `input` is what it applies to, the rest was skipped.
    Unsupported {
        what: String,
        input: Box<TableRef>,
    },
}

#[derive(Clone, Debug)]
pub struct Join {
    pub kind: JoinKind,
    pub natural: bool,
    pub left: TableRef,
    pub right: TableRef,
    pub condition: JoinCondition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

#[derive(Clone, Debug)]
pub enum JoinCondition {
    None,
    On(Expr),
    Using(Vec<Ident>),
}

/// One hint of `/*+ NAME(..), .. */`.
#[derive(Clone, Debug)]
pub struct Hint {
    pub name: Ident,
    pub args: HintArgs,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum HintArgs {
    None,
    /// `('k' = 'v', k = v)`
    KeyValue(Vec<(Text, Text)>),
    /// `(a, 'b', 3)`
    List(Vec<Text>),
}
