//! Expressions as EXPLAIN writes them.

use arus_core::Datum;
use arus_core::expr::Expr;
use arus_core::schema::RowSchema;
use arus_core::types::{LogicalType, TypeKind};

/// Written between their operands.
const INFIX: [&str; 15] = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "||",
    "LIKE",
    "IS DISTINCT FROM",
    "IS NOT DISTINCT FROM",
];

/// As in Flink the physical plan has operators before their operands, the execution plan between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    Prefix,
    Infix,
}

pub(crate) fn expr_text(e: &Expr, input: &RowSchema, notation: Notation) -> String {
    let prefix = notation == Notation::Prefix;
    let text = |e: &Expr| expr_text(e, input, notation);
    let list = |args: &[Expr]| args.iter().map(text).collect::<Vec<_>>();
    match e {
        Expr::Column { index, .. } => {
            input.columns().get(*index).map_or_else(|| format!("${index}"), |c| c.name.clone())
        }
        Expr::Literal { value: Datum::String(s), .. } if prefix => format!("_UTF-16LE'{}'", s.replace('\'', "''")),
        Expr::Literal { value, ty } => literal(value, ty),
        Expr::Call { function, args, .. } => {
            let text = list(args);
            match (function.as_str(), text.as_slice()) {
                (f, [a, b]) if INFIX.contains(&f) && !prefix => format!("({a} {f} {b})"),
                (f, [a]) if f.starts_with("IS ") && !prefix => format!("{a} {f}"),
                ("NEGATE", [a]) => format!("-({a})"),
                (f, args) => format!("{f}({})", args.join(", ")),
            }
        }
        Expr::Cast { input: value, ty, safe } => {
            let name = if *safe { "TRY_CAST" } else { "CAST" };
            format!("{name}({} AS {})", text(value), ty.kind)
        }
        Expr::And(args) if prefix => format!("AND({})", list(args).join(", ")),
        Expr::And(args) => format!("({})", list(args).join(" AND ")),
        Expr::Or(args) if prefix => format!("OR({})", list(args).join(", ")),
        Expr::Or(args) => format!("({})", list(args).join(" OR ")),
        Expr::Case { branches, otherwise, .. } => {
            let mut parts = vec![];
            for (condition, value) in branches {
                parts.push(text(condition));
                parts.push(text(value));
            }
            parts.push(text(otherwise));
            format!("CASE({})", parts.join(", "))
        }
        Expr::Field { input: row, index, .. } => {
            let name = match &row.ty().kind {
                TypeKind::Row(fields) => fields.get(*index).map_or_else(|| index.to_string(), |f| f.name.clone()),
                _ => index.to_string(),
            };
            format!("{}.{name}", text(row))
        }
    }
}

fn literal(value: &Datum, ty: &LogicalType) -> String {
    match value {
        Datum::Null => format!("null:{}", ty.kind),
        Datum::Boolean(b) => b.to_string(),
        Datum::TinyInt(v) => format!("{v}:{}", ty.kind),
        Datum::SmallInt(v) => format!("{v}:{}", ty.kind),
        Datum::Int(v) => v.to_string(),
        Datum::BigInt(v) => format!("{v}:{}", ty.kind),
        Datum::Float(v) => format!("{v:?}:{}", ty.kind),
        Datum::Double(v) => format!("{v:?}:{}", ty.kind),
        Datum::Decimal(v) => match ty.kind {
            TypeKind::Decimal { precision, scale } => format!("{}:DECIMAL({precision}, {scale})", unscaled(*v, scale)),
            _ => v.to_string(),
        },
        Datum::String(s) => format!("'{}'", s.replace('\'', "''")),
        Datum::Bytes(bytes) => {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            format!("X'{hex}'")
        }
        Datum::IntervalMillis(ms) => format!("{ms}:INTERVAL SECOND"),
        Datum::IntervalMonths(months) => format!("{months}:INTERVAL MONTH"),
        Datum::Date(v) => format!("{v}:{}", ty.kind),
        Datum::Time(v) => format!("{v}:{}", ty.kind),
        Datum::Timestamp(v) => format!("{v}:{}", ty.kind),
        Datum::Row(values) => nested("ROW", values, field_types(ty)),
        Datum::Array(values) => nested("ARRAY", values, element_types(ty)),
        Datum::Map(entries) => {
            let types = element_types(ty);
            let text = |(k, v): &(Datum, Datum)| {
                let ty = |i: usize| types.get(i).cloned().unwrap_or_else(|| TypeKind::Null.nullable());
                format!("{}, {}", literal(k, &ty(0)), literal(v, &ty(1)))
            };
            format!("MAP({})", entries.iter().map(text).collect::<Vec<_>>().join(", "))
        }
    }
}

fn nested(name: &str, values: &[Datum], types: Vec<LogicalType>) -> String {
    let types = types.iter().cycle();
    let texts: Vec<String> = values.iter().zip(types).map(|(v, ty)| literal(v, ty)).collect();
    format!("{name}({})", texts.join(", "))
}

fn field_types(ty: &LogicalType) -> Vec<LogicalType> {
    match &ty.kind {
        TypeKind::Row(fields) => fields.iter().map(|f| f.ty.clone()).collect(),
        _ => vec![],
    }
}

/// Of the elements of an array, or of the keys and values of a map.
fn element_types(ty: &LogicalType) -> Vec<LogicalType> {
    match &ty.kind {
        TypeKind::Array(e) => vec![e.as_ref().clone()],
        TypeKind::Multiset(e) => vec![e.as_ref().clone(), TypeKind::Int.not_null()],
        TypeKind::Map(k, v) => vec![k.as_ref().clone(), v.as_ref().clone()],
        _ => vec![],
    }
}

fn unscaled(value: i128, scale: u8) -> String {
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    let sign = if value < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
