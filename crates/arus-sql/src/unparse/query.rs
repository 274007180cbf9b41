//! Queries to text.

use super::{columns, list};
use crate::ast::*;
use std::fmt::{Display, Formatter, Result, Write};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if !self.with.is_empty() {
            f.write_str("WITH ")?;
            list(f, &self.with, ", ")?;
            f.write_char(' ')?;
        }
        write!(f, "{}", self.body)?;
        if !self.order_by.is_empty() {
            f.write_str(" ORDER BY ")?;
            list(f, &self.order_by, ", ")?;
        }
        if let Some(limit) = &self.limit {
            write!(f, " LIMIT {limit}")?;
        }
        if let Some(offset) = &self.offset {
            write!(f, " OFFSET {offset}")?;
        }
        Ok(())
    }
}

impl Display for CommonTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.name)?;
        columns(f, &self.columns)?;
        write!(f, " AS ({})", self.query)
    }
}

impl Display for SetExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            SetExpr::Select(select) => write!(f, "{select}"),
            SetExpr::Values(values) => write!(f, "{values}"),
            SetExpr::Query(query) => write!(f, "({query})"),
            SetExpr::Table(name) => write!(f, "TABLE {name}"),
            // Operands in parentheses are queries in the tree.
            SetExpr::SetOp(op) => {
                let all = if op.all { " ALL" } else { "" };
                write!(f, "{} {}{all} {}", op.left, op.op.as_str(), op.right)
            }
        }
    }
}

impl Display for Values {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("VALUES ")?;
        for (i, row) in self.rows.iter().enumerate() {
            f.write_str(if i == 0 { "(" } else { ", (" })?;
            list(f, row, ", ")?;
            f.write_char(')')?;
        }
        Ok(())
    }
}

impl Display for Select {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("SELECT ")?;
        if !self.hints.is_empty() {
            hints(f, &self.hints)?;
            f.write_char(' ')?;
        }
        if self.distinct {
            f.write_str("DISTINCT ")?;
        }
        list(f, &self.items, ", ")?;
        if !self.from.is_empty() {
            f.write_str(" FROM ")?;
            list(f, &self.from, ", ")?;
        }
        if let Some(filter) = &self.filter {
            write!(f, " WHERE {filter}")?;
        }
        if let Some(group_by) = &self.group_by {
            write!(f, " GROUP BY {}", if group_by.distinct { "DISTINCT " } else { "" })?;
            list(f, &group_by.items, ", ")?;
        }
        if let Some(having) = &self.having {
            write!(f, " HAVING {having}")?;
        }
        for (i, window) in self.windows.iter().enumerate() {
            let word = if i == 0 { " WINDOW" } else { "," };
            write!(f, "{word} {} AS {}", window.name, window.spec)?;
        }
        if let Some(qualify) = &self.qualify {
            write!(f, " QUALIFY {qualify}")?;
        }
        Ok(())
    }
}

impl Display for SelectItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            SelectItem::Expr { expr, alias: None } => write!(f, "{expr}"),
            SelectItem::Expr { expr, alias: Some(alias) } => write!(f, "{expr} AS {alias}"),
            SelectItem::Wildcard { qualifier, .. } => {
                qualifier.iter().try_for_each(|part| write!(f, "{part}."))?;
                f.write_char('*')
            }
        }
    }
}

impl Display for GroupItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (word, items) = match self {
            GroupItem::Expr(expr) => return write!(f, "{expr}"),
            GroupItem::Empty(_) => return f.write_str("()"),
            GroupItem::Tuple(exprs, _) => {
                f.write_char('(')?;
                list(f, exprs, ", ")?;
                return f.write_char(')');
            }
            GroupItem::Cube(items, _) => ("CUBE", items),
            GroupItem::Rollup(items, _) => ("ROLLUP", items),
            GroupItem::GroupingSets(items, _) => ("GROUPING SETS", items),
        };
        write!(f, "{word} (")?;
        list(f, items, ", ")?;
        f.write_char(')')
    }
}

impl Display for WindowSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut parts = Vec::new();
        if let Some(base) = &self.base {
            parts.push(base.to_string());
        }
        if !self.partition_by.is_empty() {
            parts.push(format!("PARTITION BY {}", joined(&self.partition_by)));
        }
        if !self.order_by.is_empty() {
            parts.push(format!("ORDER BY {}", joined(&self.order_by)));
        }
        if let Some(frame) = &self.frame {
            parts.push(frame.to_string());
        }
        write!(f, "({})", parts.join(" "))
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    items.join(", ")
}

impl Display for WindowFrame {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let word = if self.rows { "ROWS" } else { "RANGE" };
        match &self.end {
            Some(end) => write!(f, "{word} BETWEEN {} AND {end}", self.start),
            None => write!(f, "{word} {}", self.start),
        }
    }
}

impl Display for FrameBound {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            FrameBound::UnboundedPreceding => f.write_str("UNBOUNDED PRECEDING"),
            FrameBound::UnboundedFollowing => f.write_str("UNBOUNDED FOLLOWING"),
            FrameBound::CurrentRow => f.write_str("CURRENT ROW"),
            FrameBound::Preceding(amount) => write!(f, "{amount} PRECEDING"),
            FrameBound::Following(amount) => write!(f, "{amount} FOLLOWING"),
        }
    }
}

impl Display for OrderItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.expr)?;
        if self.descending {
            f.write_str(" DESC")?;
        }
        match self.nulls_first {
            Some(true) => f.write_str(" NULLS FIRST"),
            Some(false) => f.write_str(" NULLS LAST"),
            None => Ok(()),
        }
    }
}

// ---- FROM

impl Display for TableRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.kind)?;
        if let Some(alias) = &self.alias {
            write!(f, " AS {}", alias.name)?;
            columns(f, &alias.columns)?;
        }
        Ok(())
    }
}

impl Display for TableKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let lateral = |lateral: &bool| if *lateral { "LATERAL " } else { "" };
        match self {
            TableKind::Named { name, hints: given, system_time } => {
                write!(f, "{name}")?;
                if !given.is_empty() {
                    f.write_char(' ')?;
                    hints(f, given)?;
                }
                match system_time {
                    Some(time) => write!(f, " FOR SYSTEM_TIME AS OF {time}"),
                    None => Ok(()),
                }
            }
            TableKind::Subquery { query, lateral: l } => write!(f, "{}({query})", lateral(l)),
            TableKind::Function { call, lateral: l } => write!(f, "{}TABLE({call})", lateral(l)),
            TableKind::Unnest { exprs, with_ordinality } => {
                f.write_str("UNNEST(")?;
                list(f, exprs, ", ")?;
                f.write_str(if *with_ordinality { ") WITH ORDINALITY" } else { ")" })
            }
            TableKind::Join(join) => write!(f, "{join}"),
            TableKind::Unsupported { what, input } => write!(f, "{input} {what} (..)"),
        }
    }
}

impl Display for Join {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let kind = match self.kind {
            JoinKind::Inner => "JOIN",
            JoinKind::Left => "LEFT JOIN",
            JoinKind::Right => "RIGHT JOIN",
            JoinKind::Full => "FULL JOIN",
            JoinKind::Cross => "CROSS JOIN",
        };
        let natural = if self.natural { "NATURAL " } else { "" };
        write!(f, "{} {natural}{kind} ", self.left)?;
        if matches!(self.right.kind, TableKind::Join(_)) {
            write!(f, "({})", self.right)?;
        } else {
            write!(f, "{}", self.right)?;
        }
        match &self.condition {
            JoinCondition::None => Ok(()),
            JoinCondition::On(condition) => write!(f, " ON {condition}"),
            JoinCondition::Using(names) => {
                f.write_str(" USING")?;
                columns(f, names)
            }
        }
    }
}

/// `/*+ A('k' = 'v'), B(t) */`
pub(super) fn hints(f: &mut Formatter<'_>, hints: &[Hint]) -> Result {
    f.write_str("/*+ ")?;
    list(f, hints, ", ")?;
    f.write_str(" */")
}

impl Display for Hint {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.name)?;
        match &self.args {
            HintArgs::None => Ok(()),
            HintArgs::KeyValue(pairs) => {
                f.write_char('(')?;
                list(f, pairs.iter().map(|(k, v)| format!("{k} = {v}")), ", ")?;
                f.write_char(')')
            }
            HintArgs::List(words) => {
                f.write_char('(')?;
                list(f, words, ", ")?;
                f.write_char(')')
            }
        }
    }
}
