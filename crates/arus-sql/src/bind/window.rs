//! Window table functions and the aggregates over their windows.
//!
//! A window aggregate reads the time itself: expressions between it and its TUMBLE are moved below the window, so that no
//! row is copied for its window columns. Where one of them reads a window column, and for windows of windows, the
//! aggregate goes by window_time, which lies in the same window as the row.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::{AggregateCall, Window, WindowKind, WindowProperty};
use arus_core::schema::{Column, RowSchema};
use arus_core::types::{TimeAttribute, TypeKind};
use arus_core::{Datum, Result};

use super::aggregate::{Grouped, broken};
use super::expr::Cx;
use super::scope::Scope;
use super::{Binder, list};
use crate::ast::{ArgValue, Call, Ident, Span, TableArg, TableArgSource};
use crate::pass::substitute;
use crate::rel::{Rel, RelOp, window_columns};

const PARAMETERS: [&str; 4] = ["DATA", "TIMECOL", "SIZE", "OFFSET"];

/// Which columns hold a window's start, end and time.
#[derive(Debug, Clone)]
struct Properties {
    kind: WindowKind,
    start: Vec<usize>,
    end: Vec<usize>,
    time: Vec<usize>,
}

impl Properties {
    fn of(&self, column: usize) -> Option<WindowProperty> {
        [(&self.start, WindowProperty::Start), (&self.end, WindowProperty::End), (&self.time, WindowProperty::Time)]
            .into_iter()
            .find(|(columns, _)| columns.contains(&column))
            .map(|(_, property)| property)
    }
}

fn properties(rel: &Rel) -> Option<Properties> {
    match &rel.op {
        RelOp::Window { input, window } => {
            let w = input.schema.len();
            Some(Properties { kind: window.kind, start: vec![w], end: vec![w + 1], time: vec![w + 2] })
        }
        RelOp::WindowAggregate { window, keys, calls, properties, .. } => {
            let base = keys.len() + calls.len();
            let at = |p: WindowProperty| {
                properties.iter().enumerate().filter(|(_, q)| **q == p).map(|(i, _)| base + i).collect()
            };
            Some(Properties {
                kind: window.kind,
                start: at(WindowProperty::Start),
                end: at(WindowProperty::End),
                time: at(WindowProperty::Time),
            })
        }
        RelOp::Calc { input, projection, .. } => {
            let below = properties(input)?;
            let through = |columns: &[usize]| {
                let holds = |e: &Expr| matches!(e, Expr::Column { index, .. } if columns.contains(index));
                projection.iter().enumerate().filter(|(_, e)| holds(e)).map(|(i, _)| i).collect()
            };
            Some(Properties {
                kind: below.kind,
                start: through(&below.start),
                end: through(&below.end),
                time: through(&below.time),
            })
        }
        _ => None,
    }
}

impl Binder<'_> {
    /// `TUMBLE(TABLE t, DESCRIPTOR(ts), size [, offset])`, also with named arguments.
    pub(crate) fn window_function(&self, call: &Call) -> Result<Rel> {
        let span = call.span;
        let name = call.name.last().value.to_ascii_uppercase();
        match name.as_str() {
            "TUMBLE" => {}
            "HOP" | "CUMULATE" | "SESSION" => {
                return Err(self.unsupported(format!("the window {name}"), call.name.span));
            }
            _ => {
                let error = self.wrong(
                    Code::UndefinedFunction,
                    format!("table function '{}' does not exist", call.name.span.of(self.text)),
                    call.name.span,
                );
                return Err(error.with_hint("there is TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)"));
            }
        }
        let args = self.window_args(call)?;
        let required = |i: usize| {
            args[i].ok_or_else(|| {
                self.wrong(Code::TypeMismatch, format!("TUMBLE lacks its argument {}", PARAMETERS[i]), span)
                    .with_hint("write TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)")
            })
        };
        let (data, data_span) = required(0)?;
        let (time, time_span) = required(1)?;
        let input = match data {
            ArgValue::Table(table) => self.window_input(table)?,
            _ => {
                return Err(self
                    .wrong(Code::TypeMismatch, "the first argument of TUMBLE is no table", data_span)
                    .with_hint("write TABLE before the name: TUMBLE(TABLE t, ..)"));
            }
        };
        let ArgValue::Descriptor(columns) = time else {
            return Err(self
                .wrong(Code::TypeMismatch, "the time of TUMBLE is no DESCRIPTOR", time_span)
                .with_hint("write DESCRIPTOR(ts) with the time column's name"));
        };
        let time = self.descriptor(columns, time_span, &input)?;
        let (size, size_span) = required(2)?;
        let size_ms = self.interval_ms("size", size, size_span)?;
        if size_ms <= 0 {
            return Err(self.wrong(
                Code::InvalidValue,
                format!("a window of {size_ms} ms: its size must be above 0"),
                size_span,
            ));
        }
        let offset_ms = args[3].map_or(Ok(0), |(offset, span)| self.interval_ms("offset", offset, span))?;
        let time_type = input.schema.columns()[time].ty.clone();
        let columns = input.schema.columns().iter().cloned().chain(window_columns(&time_type)).collect();
        let window = Window { kind: WindowKind::Tumble { size_ms, offset_ms }, time, time_type };
        Ok(Rel { op: RelOp::Window { input: Box::new(input), window }, schema: columns })
    }

    /// The arguments by parameter.
    fn window_args<'c>(&self, call: &'c Call) -> Result<[Option<(&'c ArgValue, Span)>; 4]> {
        let mut args = [None; 4];
        for (i, arg) in call.args.iter().enumerate() {
            let place = match &arg.name {
                None if i < PARAMETERS.len() => i,
                None => return Err(self.wrong(Code::TypeMismatch, "TUMBLE takes at most 4 arguments", arg.span)),
                Some(name) => PARAMETERS.iter().position(|p| name.value.eq_ignore_ascii_case(p)).ok_or_else(|| {
                    self.wrong(Code::UndefinedColumn, format!("TUMBLE has no argument '{}'", name.value), name.span)
                        .with_hint(format!("arguments: {}", list(&PARAMETERS)))
                })?,
            };
            if args[place].is_some() {
                return Err(self.wrong(
                    Code::DuplicateObject,
                    format!("argument {} of TUMBLE stands twice", PARAMETERS[place]),
                    arg.span,
                ));
            }
            args[place] = Some((&arg.value, arg.span));
        }
        Ok(args)
    }

    fn window_input(&self, table: &TableArg) -> Result<Rel> {
        if let Some(e) = table.partition_by.first() {
            return Err(self
                .wrong(Code::Syntax, "PARTITION BY is not possible with TUMBLE", e.span)
                .with_hint("group by the column instead"));
        }
        if let Some(order) = table.order_by.first() {
            return Err(self.wrong(Code::Syntax, "ORDER BY is not possible with TUMBLE", order.span));
        }
        match &table.source {
            TableArgSource::Name(name) => Ok(self.named(name, &[], name.span)?.0),
            TableArgSource::Query(query) => self.query(query, None),
        }
    }

    fn descriptor(&self, columns: &[Ident], span: Span, input: &Rel) -> Result<usize> {
        let [name] = columns else {
            return Err(self.wrong(
                Code::TypeMismatch,
                format!("the DESCRIPTOR of TUMBLE names one column, found {}", columns.len()),
                span,
            ));
        };
        let scope = Scope::one(vec![], input.schema.clone());
        let Expr::Column { index, ty } = self.name(std::slice::from_ref(name), &scope)? else {
            return Err(broken("a descriptor that is no column"));
        };
        match ty.kind.time_attribute() {
            TimeAttribute::Rowtime => Ok(index),
            TimeAttribute::Proctime => Err(self
                .unsupported(format!("a window over the processing time '{}'", name.value), name.span)
                .with_hint("declare a WATERMARK and use its column")),
            TimeAttribute::None => Err(self
                .wrong(
                    Code::TypeMismatch,
                    format!(
                        "the window function requires a time attribute, but '{}' is a plain {}",
                        name.value, ty.kind
                    ),
                    name.span,
                )
                .with_hint(if ty.kind.is_timestamp() {
                    "declare a WATERMARK on it in CREATE TABLE; expressions and GROUP BY take the attribute away"
                } else {
                    "it must be a TIMESTAMP(3) or TIMESTAMP_LTZ(3) with a WATERMARK"
                })),
        }
    }

    fn interval_ms(&self, what: &str, value: &ArgValue, span: Span) -> Result<i64> {
        let wrong = |found: String| {
            self.wrong(
                Code::TypeMismatch,
                format!("the {what} of a window is an interval of days or less, found {found}"),
                span,
            )
            .with_hint("write INTERVAL '10' SECOND")
        };
        let ArgValue::Expr(e) = value else {
            return Err(wrong("no value".into()));
        };
        let scope = Scope::default();
        match self.expr(e, &mut Cx::scalar(&scope, "a window"))? {
            Expr::Literal { value: Datum::IntervalMillis(ms), .. } => Ok(ms),
            Expr::Literal { ty, .. } => Err(wrong(ty.kind.to_string())),
            other => Err(wrong(format!("an expression of type {}", other.ty().kind))),
        }
    }

    /// The aggregate by window, when the keys hold a window's start and end.
    pub(crate) fn window_aggregate(
        &self,
        input: &Rel,
        keys: &[usize],
        calls: &[AggregateCall],
    ) -> Result<Option<Grouped>> {
        let Some(found) = properties(input) else {
            return Ok(None);
        };
        let has = |columns: &[usize]| keys.iter().any(|k| columns.contains(k));
        if !has(&found.start) || !has(&found.end) {
            return Ok(None);
        }
        // What the aggregate reads: its own keys, then its arguments.
        let own: Vec<usize> = keys.iter().copied().filter(|k| found.of(*k).is_none()).collect();
        let mut read = own.clone();
        for arg in calls.iter().flat_map(|c| &c.args) {
            if !read.contains(arg) {
                read.push(*arg);
            }
        }
        let place = |column: usize| read.iter().position(|r| *r == column).expect("every column read is listed");
        let (below, window) = windowed(input, &read, found.kind)?;
        let calls: Vec<AggregateCall> = calls
            .iter()
            .map(|c| AggregateCall { args: c.args.iter().map(|a| place(*a)).collect(), ..c.clone() })
            .collect();
        let mut properties: Vec<WindowProperty> = vec![];
        for key in keys {
            if let Some(p) = found.of(*key)
                && !properties.contains(&p)
            {
                properties.push(p);
            }
        }
        let names = window_columns(&window.time_type);
        let name_of = |p: &WindowProperty| match p {
            WindowProperty::Start => names[0].clone(),
            WindowProperty::End => names[1].clone(),
            WindowProperty::Time => names[2].clone(),
        };
        let base = own.len() + calls.len();
        let outputs: Vec<usize> = keys
            .iter()
            .map(|k| match found.of(*k) {
                Some(p) => base + properties.iter().position(|q| *q == p).expect("collected above"),
                None => own.iter().position(|o| o == k).expect("a key without a property is its own"),
            })
            .collect();
        let schema: RowSchema = own
            .iter()
            .map(|k| {
                let column = &input.schema.columns()[*k];
                Column { name: column.name.clone(), ty: column.ty.clone().without_time_attribute() }
            })
            .chain(calls.iter().map(|c| Column { name: c.name.clone(), ty: c.ty.clone() }))
            .chain(properties.iter().map(name_of))
            .collect();
        let call_columns = (own.len()..base).collect();
        let op = RelOp::WindowAggregate {
            input: Box::new(below),
            window,
            keys: (0..own.len()).collect(),
            calls,
            properties,
        };
        Ok(Some(Grouped { rel: Rel { op, schema }, keys: outputs, calls: call_columns }))
    }
}

/// The columns `read` of `input`, and the time by which they are windowed.
fn windowed(input: &Rel, read: &[usize], kind: WindowKind) -> Result<(Rel, Window)> {
    let mut projection: Vec<Expr> = read.iter().map(|i| input.column(*i)).collect();
    let mut names: Vec<String> = read.iter().map(|i| input.schema.columns()[*i].name.clone()).collect();
    let mut condition: Option<Expr> = None;
    let mut base = input;
    while let RelOp::Calc { input: below, condition: c, projection: p } = &base.op {
        for e in &mut projection {
            *e = substitute(e, p);
        }
        condition = match (c.clone(), condition.map(|c| substitute(&c, p))) {
            (Some(a), Some(b)) => Some(super::expr::and(vec![a, b])),
            (a, b) => a.or(b),
        };
        base = below;
    }
    let mut base = base.clone();
    let time = match &mut base.op {
        RelOp::Window { input, window } => {
            let width = input.schema.len();
            let mut reads_window = false;
            for e in projection.iter().chain(&condition) {
                e.visit_columns(&mut |i| reads_window |= i >= width);
            }
            if reads_window {
                width + 2
            } else {
                let time = window.time;
                base = std::mem::replace(input.as_mut(), Rel::empty());
                time
            }
        }
        RelOp::WindowAggregate { keys, calls, properties, window, .. } => {
            let before = keys.len() + calls.len();
            let place = properties.iter().position(|p| *p == WindowProperty::Time).unwrap_or_else(|| {
                properties.push(WindowProperty::Time);
                let [_, _, time] = window_columns(&window.time_type);
                base.schema = base.schema.columns().iter().cloned().chain([time]).collect();
                properties.len() - 1
            });
            before + place
        }
        _ => return Err(broken("no window below")),
    };
    let column = base.schema.columns()[time].clone();
    let place = projection.iter().position(|e| matches!(e, Expr::Column { index, .. } if *index == time));
    let place = place.unwrap_or_else(|| {
        projection.push(Expr::column(time, column.ty.clone()));
        names.push(column.name.clone());
        projection.len() - 1
    });
    let mut rel = base.project(projection, &names);
    if let RelOp::Calc { condition: c, .. } = &mut rel.op {
        *c = condition;
    }
    debug_assert!(matches!(column.ty.kind, TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. }));
    Ok((rel, Window { kind, time: place, time_type: column.ty }))
}
