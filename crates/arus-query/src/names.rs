//! The names of columns that nobody named, as PostgreSQL finds them.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::{AccessExpr, DataType, Expr, SelectItem, SetExpr, Statement, TrimWhereField};

/// A column that has no name.
const NAMELESS: &str = "?column?";
/// What a rule of the planner's puts before a name that a `*` gives as well.
const ALIASED: &str = "__alias_";

/// The expression's name.
pub(crate) fn of(expr: &Expr) -> String {
    found(expr).unwrap_or_else(|| NAMELESS.into())
}

fn found(expr: &Expr) -> Option<String> {
    let fixed = |name: &str| Some(name.to_string());
    match expr {
        Expr::Identifier(ident) => Some(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => Some(parts.last()?.value.clone()),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => found(inner),
        Expr::Function(call) => Some(call.name.0.last()?.as_ident()?.value.to_lowercase()),
        Expr::Cast { expr, data_type, .. } => match found(expr) {
            Some(name) => Some(name),
            None => type_name(data_type),
        },
        Expr::TypedString(typed) => type_name(&typed.data_type),
        Expr::Interval(_) => fixed("interval"),
        Expr::Case { else_result, .. } => {
            let name = else_result.as_ref().and_then(|e| match e.as_ref() {
                Expr::Value(_) => None,
                other => found(other),
            });
            name.or_else(|| fixed("case"))
        }
        Expr::Extract { .. } => fixed("extract"),
        Expr::Substring { shorthand, .. } => fixed(if *shorthand { "substr" } else { "substring" }),
        Expr::Position { .. } => fixed("position"),
        Expr::Overlay { .. } => fixed("overlay"),
        Expr::Ceil { .. } => fixed("ceil"),
        Expr::Floor { .. } => fixed("floor"),
        Expr::Trim { trim_where, .. } => fixed(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::AtTimeZone { .. } => fixed("timezone"),
        Expr::Array(_) => fixed("array"),
        Expr::Exists { .. } => fixed("exists"),
        Expr::Tuple(_) => fixed("row"),
        Expr::Subquery(query) => match query.body.as_ref() {
            SetExpr::Select(select) => match select.projection.first()? {
                SelectItem::UnnamedExpr(expr) => found(expr),
                SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
                _ => None,
            },
            _ => None,
        },
        Expr::CompoundFieldAccess { root, access_chain } => match access_chain.last()? {
            AccessExpr::Dot(field) => found(field),
            AccessExpr::Subscript(_) => found(root),
        },
        _ => None,
    }
}

/// `1::numeric(10, 2)` is called numeric.
fn type_name(ty: &DataType) -> Option<String> {
    let text = ty.to_string().to_lowercase();
    let text = text.split('(').next().unwrap_or_default().trim().trim_end_matches("[]");
    let name = match text.rsplit('.').next().unwrap_or_default().trim_matches('"') {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "real" => "float4",
        "double precision" | "double" | "float" => "float8",
        "decimal" | "dec" => "numeric",
        "boolean" => "bool",
        "character varying" => "varchar",
        "char" | "character" => "bpchar",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        "time with time zone" => "timetz",
        other if other.starts_with("timestamp") && ty.to_string().to_lowercase().contains("with time zone") => {
            "timestamptz"
        }
        other => other,
    };
    Some(name.to_string())
}

/// Names of the outermost SELECT's columns, which may be the same; the plan has others, which differ.
#[derive(Debug, Default)]
pub(crate) struct OutputNames {
    /// From the left, up to the first `*`.
    left: Vec<Option<String>>,
    /// From the right, up to the last `*`; the last column first.
    right: Vec<Option<String>>,
}

impl OutputNames {
    /// Of the statement as the client wrote it.
    pub(crate) fn of(statement: &Statement) -> Self {
        let Statement::Query(query) = statement else { return Self::default() };
        let mut body = query.body.as_ref();
        let items = loop {
            match body {
                SetExpr::Select(select) => break &select.projection,
                SetExpr::Query(inner) => body = inner.body.as_ref(),
                // The first SELECT names the columns of a union.
                SetExpr::SetOperation { left, .. } => body = left.as_ref(),
                _ => return Self::default(),
            }
        };
        let single = |item: &&SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
        let left: Vec<_> = items.iter().take_while(single).map(name_of).collect();
        let right = if left.len() == items.len() {
            vec![]
        } else {
            items.iter().rev().take_while(single).map(name_of).collect()
        };
        OutputNames { left, right }
    }

    pub(crate) fn apply(&self, schema: &SchemaRef) -> SchemaRef {
        let count = schema.fields().len();
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        for field in &mut fields {
            if let Some(name) = field.name().strip_prefix(ALIASED) {
                *field = Arc::new(Field::as_ref(field).clone().with_name(name));
            }
        }
        let from_right = self.right.iter().enumerate().map(|(i, name)| (count.checked_sub(i + 1), name));
        for (at, name) in self.left.iter().enumerate().map(|(i, name)| (Some(i), name)).chain(from_right) {
            if let (Some(field), Some(name)) = (at.and_then(|at| fields.get_mut(at)), name) {
                *field = Arc::new(Field::as_ref(field).clone().with_name(name));
            }
        }
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }
}

/// Columns keep the case of their table.
fn name_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => None,
        SelectItem::UnnamedExpr(expr) => Some(of(expr)),
        _ => None,
    }
}

/// The same rows under these names.
pub(crate) fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &count)?)
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn names_are_those_of_postgres() {
        for (sql, expected) in [
            ("count(*)", "count"),
            ("pg_catalog.upper(x)", "upper"),
            ("t.a::text", "a"),
            ("'1'::int", "int4"),
            ("1.5::numeric(10, 2)", "numeric"),
            ("1 + 1", "?column?"),
            ("CASE WHEN a THEN 1 ELSE 2 END", "case"),
            ("date '2024-01-01'", "date"),
            ("ts AT TIME ZONE 'UTC'", "timezone"),
            ("ARRAY[1]", "array"),
            ("extract(year FROM d)", "extract"),
            ("true", "?column?"),
            ("x IS NULL", "?column?"),
        ] {
            let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).and_then(|mut p| p.parse_expr());
            assert_eq!(of(&parsed.expect(sql)), expected, "{sql}");
        }
    }
}
