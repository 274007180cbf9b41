//! Conditions that hold for no row whatever it has: what stands above them has no input.

use arus_core::Datum;
use arus_core::expr::Expr;

/// Whether a condition is never TRUE.
pub(crate) fn never(e: &Expr) -> bool {
    match e {
        Expr::Literal { value, .. } => matches!(value, Datum::Boolean(false) | Datum::Null),
        Expr::And(args) => args.iter().any(never),
        Expr::Or(args) => args.iter().all(never),
        Expr::Case { branches, otherwise, .. } => case(branches, otherwise, never),
        Expr::Call { function, args, .. } => match (function.as_str(), args.as_slice()) {
            ("NOT" | "IS FALSE" | "IS NOT TRUE", [arg]) => always(arg),
            ("IS NULL" | "IS UNKNOWN", [arg]) => !arg.ty().nullable,
            ("IS TRUE", [arg]) => never(arg),
            ("IS DISTINCT FROM", [Expr::Column { index: a, .. }, Expr::Column { index: b, .. }]) => a == b,
            _ => false,
        },
        Expr::Column { .. } | Expr::Cast { .. } | Expr::Field { .. } => false,
    }
}

/// Whether a condition is TRUE for every row.
fn always(e: &Expr) -> bool {
    match e {
        Expr::Literal { value, .. } => matches!(value, Datum::Boolean(true)),
        Expr::And(args) => args.iter().all(always),
        Expr::Or(args) => args.iter().any(always),
        Expr::Case { branches, otherwise, .. } => case(branches, otherwise, always),
        Expr::Call { function, args, .. } => match (function.as_str(), args.as_slice()) {
            ("IS NOT NULL" | "IS NOT UNKNOWN", [arg]) => !arg.ty().nullable,
            ("IS TRUE", [arg]) => always(arg),
            ("IS NOT TRUE", [arg]) => never(arg),
            _ => false,
        },
        Expr::Column { .. } | Expr::Cast { .. } | Expr::Field { .. } => false,
    }
}

/// Of the values that a CASE can have.
fn case(branches: &[(Expr, Expr)], otherwise: &Expr, holds: fn(&Expr) -> bool) -> bool {
    for (condition, value) in branches {
        if never(condition) {
            continue;
        }
        if !holds(value) {
            return false;
        }
        if always(condition) {
            return true;
        }
    }
    holds(otherwise)
}
