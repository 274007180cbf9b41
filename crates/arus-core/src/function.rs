//! What the binder must know of functions: names, argument and result types. arus-expr implements it.

use serde::{Deserialize, Serialize};

use crate::datum::Datum;
use crate::error::Result;
use crate::expr::Expr;
use crate::types::LogicalType;

/// An argument as the binder sees it.
#[derive(Debug, Clone)]
pub struct Argument {
    pub ty: LogicalType,
    /// The value, when the argument is a literal.
    pub literal: Option<Datum>,
}

/// A call whose types are settled. The binder casts argument i to `arg_types[i]` where it differs.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedCall {
    /// The canonical name for [`Expr::Call`].
    pub function: &'static str,
    pub arg_types: Vec<LogicalType>,
    pub return_type: LogicalType,
    /// Whether equal arguments always give the same value, so that constants may be folded.
    pub deterministic: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AggregateFunction {
    /// Without an argument: COUNT(*).
    Count,
    Sum,
    Avg,
    Min,
    Max,
    /// The sum of squared differences from the mean, which variances are made of.
    WelfordM2,
    /// In the order of arrival; NULLs are passed over.
    FirstValue,
    LastValue,
    /// A value and the literal that stands between two; NULLs are passed over.
    Listagg,
    /// Into a MULTISET; NULLs are passed over.
    Collect,
    /// NULLs are elements.
    ArrayAgg,
    ArrayAggIgnoreNulls,
    /// A DOUBLE, the percentages between 0 and 1 (a DOUBLE or an ARRAY of them), and how often the value counts.
    Percentile,
    /// Texts of JSON values; NULLs are passed over.
    JsonArrayAgg,
    /// Keys, and texts of JSON values; entries whose value is NULL are passed over.
    JsonObjectAgg,
}

impl AggregateFunction {
    pub fn name(self) -> &'static str {
        match self {
            AggregateFunction::Count => "COUNT",
            AggregateFunction::Sum => "SUM",
            AggregateFunction::Avg => "AVG",
            AggregateFunction::Min => "MIN",
            AggregateFunction::Max => "MAX",
            AggregateFunction::WelfordM2 => "$WELFORD_M2$1",
            AggregateFunction::FirstValue => "FIRST_VALUE",
            AggregateFunction::LastValue => "LAST_VALUE",
            AggregateFunction::Listagg => "LISTAGG",
            AggregateFunction::Collect => "COLLECT",
            AggregateFunction::ArrayAgg => "ARRAY_AGG",
            AggregateFunction::ArrayAggIgnoreNulls => "ARRAY_AGG_IGNORE_NULLS",
            AggregateFunction::Percentile => "PERCENTILE",
            AggregateFunction::JsonArrayAgg => "JSON_ARRAYAGG",
            AggregateFunction::JsonObjectAgg => "JSON_OBJECTAGG",
        }
    }

    /// Whether a row whose argument is NULL changes nothing.
    pub fn skips_nulls(self) -> bool {
        self != AggregateFunction::ArrayAgg
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedAggregate {
    pub function: AggregateFunction,
    pub arg_types: Vec<LogicalType>,
    /// Nullability as in a grouped query; without GROUP BY the binder makes all but COUNT nullable.
    pub return_type: LogicalType,
}

pub trait FunctionCatalog: Send + Sync {
    /// Resolves a scalar function or operator. An unknown name gets the nearest ones as its hint; wrong arguments
    /// an error with the expected signature.
    fn resolve(&self, name: &str, args: &[Argument]) -> Result<ResolvedCall>;

    /// `None` when `name` is no aggregate function.
    fn resolve_aggregate(&self, name: &str, args: &[Argument]) -> Option<Result<ResolvedAggregate>>;

    /// The type that CASE, COALESCE, UNION, VALUES and comparisons unify to, or `None`.
    fn common_type(&self, types: &[LogicalType]) -> Option<LogicalType>;

    /// Whether CAST from one to the other exists.
    fn can_cast(&self, from: &LogicalType, to: &LogicalType) -> bool;

    /// How a function is called, as Flink writes it.
    fn signature(&self, name: &str) -> Option<&'static str>;

    /// Every name, for SHOW FUNCTIONS, completion and the nearest names.
    fn names(&self) -> Vec<&'static str>;
}

/// Evaluates an expression without columns, for constant folding and VALUES.
pub trait Evaluator: Send + Sync {
    fn evaluate_constant(&self, expr: &Expr) -> Result<Datum>;
}
