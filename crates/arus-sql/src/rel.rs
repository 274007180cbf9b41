//! The logical plan: what the binder makes of a query and the passes rewrite.
//!
//! Invariant: every column index in a node's expressions is one of its input's schema, and the schema of a node has
//! one entry for each value that it gives. The root of a statement is a [`RelOp::Sink`].

use std::sync::Arc;

use arus_core::catalog::TableDef;
use arus_core::expr::Expr;
use arus_core::plan::{AggregateCall, ConflictStrategy, SinkTarget, SortKey, TableFunction, Window, WindowProperty};
use arus_core::schema::{Column, RowSchema};
use arus_core::types::{LogicalType, TypeKind};

/// A node and what it gives.
#[derive(Debug, Clone)]
pub struct Rel {
    pub op: RelOp,
    pub schema: RowSchema,
}

#[derive(Debug, Clone)]
pub enum RelOp {
    /// Columns of a table, by their index in it.
    Scan {
        table: Arc<TableDef>,
        columns: Vec<usize>,
    },
    Values {
        rows: Vec<Vec<Expr>>,
    },
    /// Filter, then project.
    Calc {
        input: Box<Rel>,
        condition: Option<Expr>,
        projection: Vec<Expr>,
    },
    /// Appends window_start, window_end and window_time.
    Window {
        input: Box<Rel>,
        window: Window,
    },
    /// GROUP BY: keys, then calls.
    Aggregate {
        input: Box<Rel>,
        keys: Vec<usize>,
        calls: Vec<AggregateCall>,
        /// Of its state, where a hint says so.
        ttl_ms: Option<i64>,
    },
    /// GROUP BY window: keys, then calls, then properties.
    WindowAggregate {
        input: Box<Rel>,
        window: Window,
        keys: Vec<usize>,
        calls: Vec<AggregateCall>,
        properties: Vec<WindowProperty>,
        /// Made by GROUP BY TUMBLE(ts, ..) and the like.
        legacy: bool,
    },
    Union {
        inputs: Vec<Rel>,
    },
    /// The changes of a source told apart by its primary key; only rows that pass the condition leave.
    ChangelogNormalize {
        input: Box<Rel>,
        keys: Vec<usize>,
        condition: Option<Expr>,
    },
    /// Each row once for each projection, which has columns and literals.
    Expand {
        input: Box<Rel>,
        projections: Vec<Vec<Expr>>,
    },
    /// The rows of some places in an order; without one in that of their arrival.
    Rank {
        input: Box<Rel>,
        order: Vec<SortKey>,
        offset: u64,
        end: Option<u64>,
    },
    /// By a time attribute, then by `order`.
    TemporalSort {
        input: Box<Rel>,
        time: usize,
        order: Vec<SortKey>,
    },
    /// Rows of the left by whether the right has an equal one.
    SemiJoin {
        left: Box<Rel>,
        right: Box<Rel>,
        anti: bool,
    },
    /// The input's columns, then those of a function of one of them.
    Correlate {
        input: Box<Rel>,
        function: TableFunction,
        column: usize,
        outer: bool,
    },
    Sink {
        input: Box<Rel>,
        target: SinkTarget,
        conflict: Option<ConflictStrategy>,
    },
}

impl Rel {
    pub(crate) fn scan(table: Arc<TableDef>) -> Rel {
        let columns = (0..table.columns.len()).collect();
        let schema = table.row_schema();
        Rel { op: RelOp::Scan { table, columns }, schema }
    }

    pub(crate) fn project(self, projection: Vec<Expr>, names: &[String]) -> Rel {
        let schema = projection.iter().zip(names).map(|(e, name)| Column { name: name.clone(), ty: e.ty() }).collect();
        Rel { op: RelOp::Calc { input: Box::new(self), condition: None, projection }, schema }
    }

    pub(crate) fn filter(self, condition: Expr) -> Rel {
        let schema = self.schema.clone();
        let projection = identity(&schema);
        Rel { op: RelOp::Calc { input: Box::new(self), condition: Some(condition), projection }, schema }
    }

    pub(crate) fn union(inputs: Vec<Rel>) -> Rel {
        let schema = inputs.first().map_or_else(|| RowSchema::new(vec![]), |r| r.schema.clone());
        Rel { op: RelOp::Union { inputs }, schema }
    }

    pub(crate) fn sink(self, target: SinkTarget) -> Rel {
        let schema = self.schema.clone();
        Rel { op: RelOp::Sink { input: Box::new(self), target, conflict: None }, schema }
    }

    pub(crate) fn inputs(&self) -> Vec<&Rel> {
        match &self.op {
            RelOp::Scan { .. } | RelOp::Values { .. } => vec![],
            RelOp::Calc { input, .. }
            | RelOp::Window { input, .. }
            | RelOp::Aggregate { input, .. }
            | RelOp::WindowAggregate { input, .. }
            | RelOp::ChangelogNormalize { input, .. }
            | RelOp::Expand { input, .. }
            | RelOp::Rank { input, .. }
            | RelOp::TemporalSort { input, .. }
            | RelOp::Correlate { input, .. }
            | RelOp::Sink { input, .. } => vec![input],
            RelOp::SemiJoin { left, right, .. } => vec![left, right],
            RelOp::Union { inputs } => inputs.iter().collect(),
        }
    }

    /// Replaces every input by what `f` makes of it.
    pub(crate) fn map_inputs(mut self, f: &mut impl FnMut(Rel) -> Rel) -> Rel {
        match &mut self.op {
            RelOp::Scan { .. } | RelOp::Values { .. } => {}
            RelOp::Calc { input, .. }
            | RelOp::Window { input, .. }
            | RelOp::Aggregate { input, .. }
            | RelOp::WindowAggregate { input, .. }
            | RelOp::ChangelogNormalize { input, .. }
            | RelOp::Expand { input, .. }
            | RelOp::Rank { input, .. }
            | RelOp::TemporalSort { input, .. }
            | RelOp::Correlate { input, .. }
            | RelOp::Sink { input, .. } => {
                let taken = std::mem::replace(input.as_mut(), Rel::empty());
                **input = f(taken);
            }
            RelOp::SemiJoin { left, right, .. } => {
                for side in [left, right] {
                    let taken = std::mem::replace(side.as_mut(), Rel::empty());
                    **side = f(taken);
                }
            }
            RelOp::Union { inputs } => {
                *inputs = std::mem::take(inputs).into_iter().map(f).collect();
            }
        }
        self
    }

    /// A placeholder while a node is taken apart.
    pub(crate) fn empty() -> Rel {
        Rel { op: RelOp::Values { rows: vec![] }, schema: RowSchema::new(vec![]) }
    }

    pub(crate) fn column(&self, index: usize) -> Expr {
        Expr::column(index, self.schema.columns()[index].ty.clone())
    }
}

/// Every column of a schema as it is.
pub(crate) fn identity(schema: &RowSchema) -> Vec<Expr> {
    schema.columns().iter().enumerate().map(|(i, c)| Expr::column(i, c.ty.clone())).collect()
}

pub(crate) fn is_identity(projection: &[Expr], width: usize) -> bool {
    projection.len() == width
        && projection.iter().enumerate().all(|(i, e)| matches!(e, Expr::Column { index, .. } if *index == i))
}

/// The columns of a window's three properties: window_start, window_end, window_time.
pub(crate) fn window_columns(time_type: &LogicalType) -> [Column; 3] {
    let plain = TypeKind::Timestamp { precision: 3, attribute: arus_core::TimeAttribute::None }.not_null();
    [
        Column { name: "window_start".into(), ty: plain.clone() },
        Column { name: "window_end".into(), ty: plain },
        Column { name: "window_time".into(), ty: time_type.clone().with_nullable(false) },
    ]
}
