//! Bound scalar expressions: types resolved, columns by index, casts explicit.

use serde::{Deserialize, Serialize};

use crate::datum::Datum;
use crate::types::{LogicalType, TypeKind};

/// AND, OR and CASE guard their operands, so they are their own variants; IF, COALESCE, NULLIF, IFNULL are
/// lowered to CASE by the binder. All else is a call by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// Column `index` of the input row.
    Column {
        index: usize,
        ty: LogicalType,
    },
    Literal {
        value: Datum,
        ty: LogicalType,
    },
    /// A function by its canonical upper-case name; operators by their symbol (`+`, `=`, `||`, `IS NULL`, `LIKE`).
    /// The arguments already have the types that the function wants.
    Call {
        function: String,
        args: Vec<Expr>,
        ty: LogicalType,
    },
    /// CAST, or TRY_CAST when `safe`.
    Cast {
        input: Box<Expr>,
        ty: LogicalType,
        safe: bool,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// `(condition, value)` in order, else `otherwise`. All values have type `ty`.
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Box<Expr>,
        ty: LogicalType,
    },
    /// Field `index` of a ROW.
    Field {
        input: Box<Expr>,
        index: usize,
        ty: LogicalType,
    },
}

impl Expr {
    pub fn column(index: usize, ty: LogicalType) -> Self {
        Expr::Column { index, ty }
    }

    pub fn literal(value: Datum, ty: LogicalType) -> Self {
        Expr::Literal { value, ty }
    }

    pub fn call(function: impl Into<String>, args: Vec<Expr>, ty: LogicalType) -> Self {
        Expr::Call { function: function.into(), args, ty }
    }

    pub fn ty(&self) -> LogicalType {
        match self {
            Expr::Column { ty, .. }
            | Expr::Literal { ty, .. }
            | Expr::Call { ty, .. }
            | Expr::Cast { ty, .. }
            | Expr::Case { ty, .. }
            | Expr::Field { ty, .. } => ty.clone(),
            Expr::And(args) | Expr::Or(args) => {
                LogicalType { kind: TypeKind::Boolean, nullable: args.iter().any(|a| a.ty().nullable) }
            }
        }
    }

    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Column { .. } | Expr::Literal { .. } => vec![],
            Expr::Call { args, .. } | Expr::And(args) | Expr::Or(args) => args.iter().collect(),
            Expr::Cast { input, .. } | Expr::Field { input, .. } => vec![input],
            Expr::Case { branches, otherwise, .. } => {
                branches.iter().flat_map(|(c, v)| [c, v]).chain([otherwise.as_ref()]).collect()
            }
        }
    }

    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Expr::Column { .. } | Expr::Literal { .. } => vec![],
            Expr::Call { args, .. } | Expr::And(args) | Expr::Or(args) => args.iter_mut().collect(),
            Expr::Cast { input, .. } | Expr::Field { input, .. } => vec![input],
            Expr::Case { branches, otherwise, .. } => {
                branches.iter_mut().flat_map(|(c, v)| [c, v]).chain([otherwise.as_mut()]).collect()
            }
        }
    }

    /// Calls `visit` with every column index that is read.
    pub fn visit_columns(&self, visit: &mut impl FnMut(usize)) {
        if let Expr::Column { index, .. } = self {
            visit(*index);
        }
        for child in self.children() {
            child.visit_columns(visit);
        }
    }

    /// Replaces every column index by what `map` gives for it.
    pub fn map_columns(&mut self, map: &impl Fn(usize) -> usize) {
        if let Expr::Column { index, .. } = self {
            *index = map(*index);
        }
        for child in self.children_mut() {
            child.map_columns(map);
        }
    }
}
