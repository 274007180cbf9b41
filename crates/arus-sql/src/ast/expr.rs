//! Expressions.

use super::{DataType, Ident, ObjectName, OrderItem, Query, Span, WindowSpec};

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    Literal(Literal),
    /// `a`, `t.a`, `t.row.field`: one node, resolved by the binder.
    Name(Vec<Ident>),
    /// `(expr).field`, `f(x).field`, `a[1].field`
    Field {
        operand: Box<Expr>,
        field: Ident,
    },
    /// `a[i]`, `m[k]`
    Item {
        operand: Box<Expr>,
        index: Box<Expr>,
    },
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `x IS [NOT] NULL` and the like.
    Is {
        operand: Box<Expr>,
        test: IsTest,
        negated: bool,
    },
    /// `x IS [NOT] DISTINCT FROM y`
    IsDistinctFrom {
        left: Box<Expr>,
        right: Box<Expr>,
        negated: bool,
    },
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        symmetric: bool,
        negated: bool,
    },
    InList {
        operand: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    InQuery {
        operand: Box<Expr>,
        query: Box<Query>,
        negated: bool,
    },
    Like {
        kind: LikeKind,
        operand: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
        negated: bool,
    },
    /// `x op ALL|ANY|SOME (query or list)`
    Quantified {
        op: BinaryOp,
        quantifier: Quantifier,
        operand: Box<Expr>,
        source: QuantifiedSource,
    },
    Exists(Box<Query>),
    /// A scalar subquery.
    Subquery(Box<Query>),
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST`, or `TRY_CAST` if `safe`.
    Cast {
        operand: Box<Expr>,
        data_type: DataType,
        safe: bool,
    },
    /// `EXTRACT(unit FROM x)`
    Extract {
        unit: TimeUnit,
        operand: Box<Expr>,
    },
    /// `CEIL(x TO unit)`; FLOOR if `floor`.
    RoundTo {
        floor: bool,
        operand: Box<Expr>,
        unit: TimeUnit,
    },
    /// `TRIM([BOTH|LEADING|TRAILING] [chars] FROM x)`; `TRIM(x)` is BOTH without `chars`.
    Trim {
        side: TrimSide,
        chars: Option<Box<Expr>>,
        operand: Box<Expr>,
    },
    /// `TIMESTAMPADD(unit, count, time)`
    TimestampAdd {
        unit: TimeUnit,
        count: Box<Expr>,
        time: Box<Expr>,
    },
    /// `TIMESTAMPDIFF(unit, from, to)`
    TimestampDiff {
        unit: TimeUnit,
        from: Box<Expr>,
        to: Box<Expr>,
    },
    /// `INTERVAL x unit` with an expression instead of a string.
    IntervalOf {
        value: Box<Expr>,
        qualifier: IntervalQualifier,
    },
    /// `(later - earlier) unit`
    DatetimeMinus {
        later: Box<Expr>,
        earlier: Box<Expr>,
        qualifier: IntervalQualifier,
    },
    /// Every other function, also `CURRENT_TIMESTAMP` without parentheses; `SUBSTRING(a FROM b FOR c)` is SUBSTRING(a, b, c),
    /// `POSITION(a IN b)` is POSITION(a, b) and `OVERLAY(a PLACING b FROM c FOR d)` is OVERLAY(a, b, c, d).
    Call(Box<Call>),
    Json(Box<JsonCall>),
    /// `ROW(a, b)` or `(a, b)`
    Row(Vec<Expr>),
    /// `ARRAY[a, b]`
    Array(Vec<Expr>),
    ArrayQuery(Box<Query>),
    /// `MAP[k1, v1, k2, v2]` as pairs.
    Map(Vec<(Expr, Expr)>),
    /// `(s1, e1) OVERLAPS (s2, e2)` and the other period predicates, by name.
    Period {
        predicate: String,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `x AT TIME ZONE y` and other expressions that are known by name and refused.
    Unsupported {
        what: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    Null,
    /// The truth value UNKNOWN.
    Unknown,
    Boolean(bool),
    /// Digits, with a `-` in front if it was written there.
    Integer(String),
    /// With a decimal point: exact; signed as an integer.
    Decimal(String),
    /// With an exponent: DOUBLE; signed as an integer.
    Approximate(String),
    /// CHAR(n) NOT NULL.
    String(String),
    Binary(Vec<u8>),
    Date(String),
    Time(String),
    Timestamp(String),
    /// `TIMESTAMP WITH LOCAL TIME ZONE '..'`
    TimestampLtz(String),
    /// `INTERVAL [+|-] 'text' qualifier`
    Interval {
        negative: bool,
        text: String,
        qualifier: IntervalQualifier,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    Not,
    Plus,
    Minus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    Concat,
    Plus,
    Minus,
    Multiply,
    Divide,
    Modulo,
}

impl BinaryOp {
    pub fn as_str(self) -> &'static str {
        match self {
            BinaryOp::Or => "OR",
            BinaryOp::And => "AND",
            BinaryOp::Eq => "=",
            BinaryOp::NotEq => "<>",
            BinaryOp::Lt => "<",
            BinaryOp::LtEq => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::GtEq => ">=",
            BinaryOp::Concat => "||",
            BinaryOp::Plus => "+",
            BinaryOp::Minus => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsTest {
    Null,
    True,
    False,
    Unknown,
    JsonValue,
    JsonScalar,
    JsonArray,
    JsonObject,
    /// Predicates on multisets and the like, refused by the binder.
    Empty,
    ASet,
}

impl IsTest {
    pub fn as_str(self) -> &'static str {
        match self {
            IsTest::Null => "NULL",
            IsTest::True => "TRUE",
            IsTest::False => "FALSE",
            IsTest::Unknown => "UNKNOWN",
            IsTest::JsonValue => "JSON VALUE",
            IsTest::JsonScalar => "JSON SCALAR",
            IsTest::JsonArray => "JSON ARRAY",
            IsTest::JsonObject => "JSON OBJECT",
            IsTest::Empty => "EMPTY",
            IsTest::ASet => "A SET",
        }
    }
}

/// Flink 2.3 parses ILIKE and RLIKE and refuses them afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikeKind {
    Like,
    SimilarTo,
    ILike,
    RLike,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    All,
    /// ANY and SOME.
    Any,
}

#[derive(Clone, Debug)]
pub enum QuantifiedSource {
    Query(Box<Query>),
    List(Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimSide {
    Both,
    Leading,
    Trailing,
}

impl TrimSide {
    pub fn as_str(self) -> &'static str {
        match self {
            TrimSide::Both => "BOTH",
            TrimSide::Leading => "LEADING",
            TrimSide::Trailing => "TRAILING",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Dow,
    IsoDow,
    Doy,
    IsoYear,
    Decade,
    Century,
    Millennium,
    Epoch,
}

impl TimeUnit {
    pub fn as_str(self) -> &'static str {
        match self {
            TimeUnit::Year => "YEAR",
            TimeUnit::Quarter => "QUARTER",
            TimeUnit::Month => "MONTH",
            TimeUnit::Week => "WEEK",
            TimeUnit::Day => "DAY",
            TimeUnit::Hour => "HOUR",
            TimeUnit::Minute => "MINUTE",
            TimeUnit::Second => "SECOND",
            TimeUnit::Millisecond => "MILLISECOND",
            TimeUnit::Microsecond => "MICROSECOND",
            TimeUnit::Nanosecond => "NANOSECOND",
            TimeUnit::Dow => "DOW",
            TimeUnit::IsoDow => "ISODOW",
            TimeUnit::Doy => "DOY",
            TimeUnit::IsoYear => "ISOYEAR",
            TimeUnit::Decade => "DECADE",
            TimeUnit::Century => "CENTURY",
            TimeUnit::Millennium => "MILLENNIUM",
            TimeUnit::Epoch => "EPOCH",
        }
    }
}

/// `DAY(2) TO SECOND(3)`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntervalQualifier {
    pub start: TimeUnit,
    pub precision: Option<u32>,
    pub end: Option<TimeUnit>,
    /// Of the seconds; also written as the second number of `SECOND(2, 3)`.
    pub fraction: Option<u32>,
    pub span: Span,
}

/// A call of a function, aggregate, window function or table function.
#[derive(Clone, Debug)]
pub struct Call {
    pub name: ObjectName,
    /// `COUNT(*)`; `args` is then empty.
    pub star: bool,
    pub distinct: bool,
    pub args: Vec<Arg>,
    /// `f(x ORDER BY y)` or `f(x) WITHIN GROUP (ORDER BY y)`
    pub order_by: Vec<OrderItem>,
    /// `IGNORE NULLS` is true, `RESPECT NULLS` false.
    pub ignore_nulls: Option<bool>,
    pub filter: Option<Box<Expr>>,
    pub over: Option<Over>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Over {
    /// `OVER w`
    Name(Ident),
    /// `OVER (..)`
    Spec(Box<WindowSpec>),
}

/// An argument, `name => value` if named.
#[derive(Clone, Debug)]
pub struct Arg {
    pub name: Option<Ident>,
    pub value: ArgValue,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ArgValue {
    Expr(Expr),
    Table(Box<TableArg>),
    /// `DESCRIPTOR(ts, ..)`
    Descriptor(Vec<Ident>),
    /// `DEFAULT`
    Default,
}

/// `TABLE t [PARTITION BY ..] [ORDER BY ..]`, or a query in parentheses instead of `TABLE t`.
#[derive(Clone, Debug)]
pub struct TableArg {
    pub source: TableArgSource,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<OrderItem>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TableArgSource {
    Name(ObjectName),
    Query(Box<Query>),
}

#[derive(Clone, Debug)]
pub enum JsonCall {
    Value {
        path: JsonPath,
        returning: Option<DataType>,
        on_empty: Option<JsonBehavior>,
        on_error: Option<JsonBehavior>,
    },
    Query {
        path: JsonPath,
        returning: Option<DataType>,
        wrapper: Option<JsonWrapper>,
        on_empty: Option<JsonBehavior>,
        on_error: Option<JsonBehavior>,
    },
    Exists {
        path: JsonPath,
        on_error: Option<JsonBehavior>,
    },
    Object {
        entries: Vec<(Expr, Expr)>,
        nulls: Option<JsonNulls>,
    },
    Array {
        items: Vec<Expr>,
        nulls: Option<JsonNulls>,
    },
    ObjectAgg {
        key: Expr,
        value: Expr,
        nulls: Option<JsonNulls>,
    },
    ArrayAgg {
        item: Expr,
        order_by: Vec<OrderItem>,
        nulls: Option<JsonNulls>,
    },
}

/// The common start of JSON_VALUE, JSON_QUERY and JSON_EXISTS: `(input, path PASSING value AS name, ..`
#[derive(Clone, Debug)]
pub struct JsonPath {
    pub input: Expr,
    pub path: Expr,
    pub passing: Vec<(Expr, Ident)>,
}

/// What stands before ON EMPTY or ON ERROR.
#[derive(Clone, Debug)]
pub enum JsonBehavior {
    Null,
    Error,
    Default(Expr),
    EmptyArray,
    EmptyObject,
    True,
    False,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonWrapper {
    Without,
    WithConditional,
    WithUnconditional,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonNulls {
    /// `NULL ON NULL`
    Null,
    /// `ABSENT ON NULL`
    Absent,
}
