//! UNNEST of a collection of each row, and the joins that it stands in.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::TableFunction;
use arus_core::schema::Column;
use arus_core::types::{LogicalType, TypeKind};
use arus_core::{Datum, Result};

use super::Binder;
use super::expr::Cx;
use super::scope::{Relation, Scope};
use crate::ast::{self, Join, JoinCondition, JoinKind, Span, TableAlias, TableKind, TableRef};
use crate::rel::{Rel, RelOp, identity};

impl Binder<'_> {
    /// A join whose right side is an UNNEST; any other join is refused.
    pub(crate) fn join(&self, join: &Join, span: Span) -> Result<(Rel, Scope)> {
        let TableKind::Unnest { .. } = &join.right.kind else {
            return Err(self.unsupported("a join", span));
        };
        let outer = match join.kind {
            JoinKind::Cross | JoinKind::Inner => false,
            JoinKind::Left => true,
            JoinKind::Right | JoinKind::Full => {
                return Err(self
                    .unsupported("RIGHT and FULL JOIN with UNNEST", join.right.span)
                    .with_hint("Flink has only CROSS, INNER and LEFT JOIN with it"));
            }
        };
        if join.natural {
            return Err(self.unsupported("NATURAL JOIN with UNNEST", join.right.span));
        }
        let (rel, scope) = self.unnest(self.table_ref(&join.left)?, &join.right, outer)?;
        let condition = match &join.condition {
            JoinCondition::None => return Ok((rel, scope)),
            JoinCondition::On(condition) => condition,
            JoinCondition::Using(names) => {
                let span = names.first().map_or(span, |n| n.span);
                return Err(self.unsupported("USING with UNNEST", span));
            }
        };
        let bound = self.expr(condition, &mut Cx::scalar(&scope, "ON"))?;
        let bound = self.boolean(bound, "ON", condition.span)?;
        match bound {
            Expr::Literal { value: Datum::Boolean(true), .. } => Ok((rel, scope)),
            _ if outer => Err(self
                .unsupported("LEFT JOIN UNNEST with a condition other than TRUE", condition.span)
                .with_hint("write ON TRUE, and the condition in WHERE or in a CASE of the select list")),
            bound => Ok((rel.filter(bound), scope)),
        }
    }

    /// The rows of `left` beside the elements of their collections.
    pub(crate) fn unnest(
        &self,
        (left, mut scope): (Rel, Scope),
        right: &TableRef,
        outer: bool,
    ) -> Result<(Rel, Scope)> {
        let TableKind::Unnest { exprs, with_ordinality } = &right.kind else {
            return Err(self.unsupported("a join", right.span));
        };
        let [argument] = exprs.as_slice() else {
            return Err(self.unsupported("UNNEST of several collections", right.span));
        };
        let bound = self.expr(argument, &mut Cx::scalar(&scope, "UNNEST"))?;
        let columns = self.element_columns(&bound.ty(), *with_ordinality, outer, argument)?;
        let columns = self.named_elements(columns, right.alias.as_ref(), *with_ordinality)?;
        let width = left.schema.len();
        let visible: Vec<String> = left.schema.columns().iter().chain(&columns).map(|c| c.name.clone()).collect();
        // What is no column becomes one, and goes again.
        let (input, column) = match bound {
            Expr::Column { index, .. } => (left, index),
            other => {
                let mut projection = identity(&left.schema);
                projection.push(other);
                let mut names: Vec<String> = left.schema.columns().iter().map(|c| c.name.clone()).collect();
                names.push("$collection".into());
                (left.project(projection, &names), width)
            }
        };
        let helper = input.schema.len() - width;
        let schema = input.schema.columns().iter().chain(&columns).cloned().collect();
        let function = TableFunction::Unnest { ordinality: *with_ordinality };
        let mut rel = Rel { op: RelOp::Correlate { input: Box::new(input), function, column, outer }, schema };
        if helper > 0 {
            let kept = (0..width).chain(width + helper..rel.schema.len());
            let projection = kept.map(|i| rel.column(i)).collect();
            rel = rel.project(projection, &visible);
        }
        let qualifier = right.alias.iter().map(|a| a.name.value.clone()).collect();
        scope.relations.push(Relation { qualifier, columns: columns.into_iter().collect(), offset: width });
        Ok((rel, scope))
    }

    /// The columns of an element, without the names that an alias gives.
    fn element_columns(
        &self,
        collection: &LogicalType,
        ordinality: bool,
        outer: bool,
        argument: &ast::Expr,
    ) -> Result<Vec<Column>> {
        let column = |name: &str, ty: &LogicalType, nullable: bool| Column {
            name: name.to_string(),
            ty: ty.clone().with_nullable(ty.nullable || nullable || outer),
        };
        let mut columns = match &collection.kind {
            TypeKind::Array(element) | TypeKind::Multiset(element) => match &element.kind {
                TypeKind::Row(fields) => fields.iter().map(|f| column(&f.name, &f.ty, element.nullable)).collect(),
                _ => vec![column("EXPR$0", element, false)],
            },
            TypeKind::Map(key, value) => vec![column("KEY", key, false), column("VALUE", value, false)],
            other => {
                return Err(self
                    .wrong(
                        Code::TypeMismatch,
                        format!("cannot apply 'UNNEST' to arguments of type ({other})"),
                        argument.span,
                    )
                    .with_hint("supported: UNNEST(<MULTISET>), UNNEST(<ARRAY>), UNNEST(<MAP>)"));
            }
        };
        if ordinality {
            columns.push(column("ORDINALITY", &TypeKind::Int.not_null(), false));
        }
        Ok(columns)
    }

    /// An alias alone names the only column of plain elements, too.
    fn named_elements(
        &self,
        mut columns: Vec<Column>,
        alias: Option<&TableAlias>,
        ordinality: bool,
    ) -> Result<Vec<Column>> {
        let Some(TableAlias { name, columns: names }) = alias else {
            return Ok(columns);
        };
        let plain = columns.len() == 1 + usize::from(ordinality) && columns[0].name == "EXPR$0";
        match names.as_slice() {
            [] if plain => columns[0].name.clone_from(&name.value),
            [] => {}
            names if names.len() == columns.len() => {
                for (column, name) in columns.iter_mut().zip(names) {
                    column.name.clone_from(&name.value);
                }
            }
            names => {
                return Err(self.wrong(
                    Code::TypeMismatch,
                    format!("{} names for {} columns of UNNEST", names.len(), columns.len()),
                    name.span,
                ));
            }
        }
        Ok(columns)
    }
}
