//! PostgreSQL's ways to write a query, in the words that the planner knows.
//!
//! Works on the statement's tree before it is planned: declared parameters, names of things (`'t'::regclass`), registers
//! without parentheses, `ARRAY(SELECT ..)`, and the names of columns that nobody named.

use std::collections::HashSet;
use std::ops::ControlFlow;

use arus_core::platform::Param;
use arus_core::read::Snapshot;
use datafusion::arrow::datatypes::{DataType as Arrow, TimeUnit};
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, LimitClause, ObjectName, OrderByKind, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, Value, VisitMut, VisitorMut, visit_expressions, visit_relations, visit_relations_mut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::catalog::{PG_CATALOG, find_table};
use crate::dialect::syntax;
use crate::pg::schemas::is_in_pg_catalog;
use crate::{names, outside};

/// What the client declares its parameters to be.
pub(crate) type Declared = Vec<Option<Arrow>>;

pub(crate) fn declared(params: &[Param]) -> Declared {
    params.iter().map(|p| p.ty.clone()).collect()
}

pub(crate) fn rewrite(statement: &mut Statement, declared: &Declared, snapshot: &dyn Snapshot, home: &str) {
    let mut rewriter = Rewriter { declared, snapshot, home };
    let _ = statement.visit(&mut rewriter);
}

struct Rewriter<'a> {
    declared: &'a Declared,
    snapshot: &'a dyn Snapshot,
    home: &'a str,
}

impl VisitorMut for Rewriter<'_> {
    type Break = ();

    /// `pg_catalog` comes first in every search path, but for a user's table of that name.
    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        if let [name] = relation.0.as_slice()
            && let Some(name) = name.as_ident()
            && is_in_pg_catalog(&name.value.to_lowercase())
            && find_table(self.snapshot, self.home, &name.value).is_none()
        {
            let name = Ident::new(name.value.to_lowercase());
            *relation = ObjectName::from(vec![Ident::new(PG_CATALOG), name]);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        syntax::name_series(factor);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        syntax::places(query);
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
            // The planner knows the type of these.
            for place in limit.iter_mut().chain(offset.iter_mut().map(|o| &mut o.value)) {
                uncast(place);
                syntax::plain_number(place);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        syntax::sets(select);
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                shown(expr);
                let _ = expr.visit(&mut Existing);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(better) = self.better(expr) {
            *expr = better;
        }
        if let Some(better) = syntax::better(expr) {
            *expr = better;
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter<'_> {
    fn better(&self, expr: &mut Expr) -> Option<Expr> {
        match expr {
            Expr::Value(value) => {
                let Value::Placeholder(name) = &value.value else { return None };
                let at: usize = name.trim_start_matches('$').parse().ok()?;
                let ty = self.declared.get(at.checked_sub(1)?)?.as_ref()?;
                Some(cast(expr.clone(), sql_type(ty)?))
            }
            Expr::Cast { expr: inner, data_type, .. } => of_cast(inner, data_type),
            Expr::Function(call) => of_call(call),
            Expr::Subquery(query) => single(query).map(|q| Expr::Subquery(Box::new(q))),
            Expr::Identifier(ident) if ident.quote_style.is_none() => {
                let register =
                    ["current_schema", "current_role"].into_iter().find(|r| ident.value.eq_ignore_ascii_case(r))?;
                Some(call(register, vec![]))
            }
            _ => None,
        }
    }
}

/// Tables that stand in a later schema of the search path.
pub(crate) fn follow_path(statement: &mut Statement, path: &[String], home: &str, has: impl Fn(&str, &str) -> bool) {
    if path.len() < 2 {
        return;
    }
    let _ = visit_relations_mut(statement, |relation| {
        if let [name] = relation.0.as_slice()
            && let Some(name) = name.as_ident().cloned()
            && !has(home, &name.value)
            && let Some(schema) = path.iter().find(|schema| has(schema, &name.value))
        {
            *relation = ObjectName::from(vec![Ident::with_quote('"', schema), name]);
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Whether a statement reads nothing but `pg_catalog` and `information_schema`.
pub(crate) fn is_of_catalog(statement: &Statement) -> bool {
    let own = outside::tables_of_with(statement);
    let of_user = visit_relations(statement, |relation| {
        let schema = relation.0.iter().rev().nth(1).and_then(|p| p.as_ident()).map(|i| i.value.to_lowercase());
        match schema.as_deref() {
            Some(PG_CATALOG | "information_schema") => ControlFlow::Continue(()),
            None if own.contains(&relation.to_string()) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    of_user.is_continue()
}

/// Names of the functions that a statement calls.
pub(crate) fn called(statement: &Statement) -> HashSet<String> {
    let mut names = HashSet::new();
    let _ = visit_expressions(statement, |expr| {
        if let Expr::Function(function) = expr
            && let Some(name) = function.name.0.last().and_then(|p| p.as_ident())
        {
            names.insert(name.value.to_lowercase());
        }
        ControlFlow::<()>::Continue(())
    });
    names
}

fn uncast(expr: &mut Expr) {
    if let Expr::Cast { expr: inner, .. } = expr
        && matches!(inner.as_ref(), Expr::Value(v) if matches!(v.value, Value::Placeholder(_)))
    {
        *expr = inner.as_ref().clone();
    }
}

pub(crate) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

pub(crate) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(expr), data_type, array: false, format: None }
}

/// The type as it is written; `None`: a parameter of it is taken as its text.
fn sql_type(ty: &Arrow) -> Option<DataType> {
    let text = match ty {
        Arrow::Boolean => "BOOLEAN",
        Arrow::Int16 => "SMALLINT",
        Arrow::Int32 => "INTEGER",
        Arrow::Int64 => "BIGINT",
        Arrow::Float32 => "REAL",
        Arrow::Float64 => "DOUBLE PRECISION",
        Arrow::Decimal128(precision, scale) => return parse_type(&format!("NUMERIC({precision}, {scale})")),
        Arrow::Binary => "BYTEA",
        Arrow::Date32 => "DATE",
        Arrow::Time64(TimeUnit::Microsecond) => "TIME",
        Arrow::Timestamp(_, None) => "TIMESTAMP",
        Arrow::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        Arrow::Interval(_) => "INTERVAL",
        Arrow::Utf8 => "TEXT",
        Arrow::List(item) => return parse_type(&format!("{}[]", sql_type(item.data_type())?)),
        _ => return None,
    };
    parse_type(text)
}

pub(crate) fn parse_type(text: &str) -> Option<DataType> {
    Parser::new(&PostgreSqlDialect {}).try_with_sql(text).ok()?.parse_data_type().ok()
}

/// The last part of a type's name, in lower case.
fn type_name(ty: &DataType) -> String {
    match ty {
        DataType::Regclass => "regclass".into(),
        DataType::Custom(name, _) => {
            name.0.last().and_then(|p| p.as_ident()).map(|i| i.value.to_lowercase()).unwrap_or_default()
        }
        other => other.to_string().to_lowercase(),
    }
}

/// `EXISTS (..)` where it is a value: the planner knows it in conditions alone.
struct Existing;

impl VisitorMut for Existing {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Exists { subquery, negated } = expr
            && let Some(counted) = counted(subquery, if *negated { "=" } else { ">" })
        {
            *expr = counted;
        }
        ControlFlow::Continue(())
    }
}

fn counted(query: &Query, compare: &str) -> Option<Expr> {
    let mut query = query.clone();
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let count = parse_expr("count(*)")?;
    select.projection = vec![SelectItem::UnnamedExpr(count)];
    parse_expr(&format!("(({query}) {compare} 0)"))
}

fn parse_expr(text: &str) -> Option<Expr> {
    Parser::new(&PostgreSqlDialect {}).try_with_sql(text).ok()?.parse_expr().ok()
}

/// The only value of a subquery over `pg_catalog`, which the planner takes from an aggregate alone.
fn single(query: &Query) -> Option<Query> {
    let mut query = query.clone();
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let of_catalog = select.from.iter().all(|from| from.relation.to_string().contains("pg_"));
    let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] = select.projection.as_mut_slice()
    else {
        return None;
    };
    let aggregated = match &*expr {
        Expr::Function(f) => {
            let name = f.name.to_string().to_lowercase();
            ["agg", "count", "max", "min", "sum"].iter().any(|part| name.contains(part))
        }
        _ => false,
    };
    if !of_catalog || aggregated || select.from.is_empty() || query.limit_clause.is_some() {
        return None;
    }
    let one = call("max", vec![expr.clone()]);
    *expr = one;
    Some(query)
}

/// Types that are numbers of things with names.
const ALIASES: [(&str, &str); 3] =
    [("regclass", "arus_regclass"), ("regtype", "arus_regtype"), ("regnamespace", "arus_regnamespace")];

fn of_cast(inner: &Expr, ty: &DataType) -> Option<Expr> {
    let name = type_name(ty);
    if let Some((_, function)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Some(call(function, vec![inner.clone()]));
    }
    if name == "regproc" {
        // Functions are shown by name in the tables that have them.
        return Some(match inner {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) => {
                    let plain = text.strip_prefix("pg_catalog.").unwrap_or(text).to_string();
                    Expr::Value(Value::SingleQuotedString(plain).into())
                }
                _ => inner.clone(),
            },
            other => other.clone(),
        });
    }
    if ["text", "varchar", "name", "character varying"].contains(&name.as_str()) {
        let mut inner = inner.clone();
        if shown(&mut inner) {
            return Some(inner);
        }
        if name == "name" {
            return Some(cast(inner, DataType::Text));
        }
        return None;
    }
    if name == "\"char\"" || name == "char" {
        return Some(cast(inner.clone(), DataType::Text));
    }
    None
}

/// Who sees the number of a thing sees its name.
fn shown(expr: &mut Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    let Some(name) = function.name.0.last().and_then(|p| p.as_ident()) else { return false };
    let Some((_, found)) = ALIASES.iter().find(|(_, f)| *f == name.value) else { return false };
    let FunctionArguments::List(list) = &function.args else { return false };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))) = list.args.first() else { return false };
    // A name is looked up first: it may not exist.
    let literal = matches!(arg, Expr::Value(v) if matches!(v.value, Value::SingleQuotedString(_)));
    let arg = if literal { call(found, vec![arg.clone()]) } else { arg.clone() };
    *expr = call(&format!("{found}_name"), vec![arg]);
    true
}

/// Registers that are written without parentheses.
const REGISTERS: [&str; 5] = ["current_user", "session_user", "user", "current_catalog", "current_role"];

fn of_call(function: &mut Function) -> Option<Expr> {
    let name = function.name.0.last()?.as_ident()?.value.to_lowercase();
    match &function.args {
        FunctionArguments::None if REGISTERS.contains(&name.as_str()) => Some(call(&name, vec![])),
        // Options of tables, of which there are none, unnested for each table.
        FunctionArguments::Subquery(query) if name == "array" && query.to_string().contains("unnest(") => {
            Some(Expr::Value(Value::Null.into()))
        }
        FunctionArguments::Subquery(query) if name == "array" => {
            if outside::looks_outside(query)
                && let Some(collected) = collected(query)
            {
                return Some(Expr::Subquery(Box::new(collected)));
            }
            parse_expr(&format!("(SELECT array_agg(arus_item) FROM ({}) AS arus_items)", named_item(query)?))
        }
        _ => None,
    }
}

/// The query with its only column as an array: what looks at the row outside has to stand right within the subquery.
fn collected(query: &Query) -> Option<Query> {
    let mut query = query.clone();
    let order = query.order_by.take().map(|order| order.kind);
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(items, _) if items.is_empty());
    if grouped || select.distinct.is_some() || query.limit_clause.is_some() || select.from.is_empty() {
        return None;
    }
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] = select.projection.as_slice()
    else {
        return None;
    };
    let clauses = match order {
        None => vec![],
        Some(OrderByKind::Expressions(mut by)) => {
            for each in by.iter_mut().filter(|each| matches!(each.expr, Expr::Value(_))) {
                each.expr = item.clone();
            }
            vec![FunctionArgumentClause::OrderBy(by)]
        }
        Some(_) => return None,
    };
    let mut array = call("array_agg", vec![item.clone()]);
    if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = &mut array {
        list.clauses = clauses;
    }
    select.projection = vec![SelectItem::UnnamedExpr(array)];
    Some(query)
}

/// The query with its only column under a name that we know.
fn named_item(query: &Query) -> Option<Query> {
    let mut query = query.clone();
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let [item] = select.projection.as_mut_slice() else { return None };
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return None };
    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::new("arus_item") };
    Some(query)
}

/// Gives the columns that nobody named the names that PostgreSQL gives them, each once in its SELECT: the planner wants them
/// to differ, and the queries around refer to them.
pub(crate) fn name_columns(statement: &mut Statement) {
    /// Queries within expressions, whose columns nobody refers to.
    struct Namer(usize);

    impl VisitorMut for Namer {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            self.0 += usize::from(is_subquery(expr));
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            self.0 -= usize::from(is_subquery(expr));
            ControlFlow::Continue(())
        }

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            if self.0 == 0 {
                name_items(select);
            }
            ControlFlow::Continue(())
        }
    }
    let _ = statement.visit(&mut Namer(0));
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. })
}

fn name_items(select: &mut Select) {
    let single = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
    if !select.projection.iter().all(single) {
        return;
    }
    let mut taken: HashSet<String> = HashSet::new();
    for item in &select.projection {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => taken.insert(alias.value.clone()),
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => taken.insert(ident.value.clone()),
            _ => false,
        };
    }
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            continue;
        }
        let name = names::of(expr);
        let mut unique = name.clone();
        let mut count = 1;
        while !taken.insert(unique.clone()) {
            count += 1;
            unique = format!("{name}_{count}");
        }
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', unique) };
    }
}
