//! Window table functions and the aggregates over their windows.
//!
//! A window aggregate reads the time itself: expressions between it and its table function are moved below the window,
//! so that no row is copied for its window columns. Where one of them reads a window column, and for windows of
//! windows, the aggregate goes by the window that the rows carry.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::{AggregateCall, AttachedWindow, Window, WindowKind, WindowProperty};
use arus_core::schema::{Column, RowSchema};
use arus_core::types::TimeAttribute;
use arus_core::{Datum, Error, LogicalType, Result};

use super::aggregate::{Grouped, broken};
use super::expr::Cx;
use super::scope::Scope;
use super::{Binder, list};
use crate::ast::{ArgValue, Call, Ident, Span, TableArg, TableArgSource};
use crate::pass::substitute;
use crate::rel::{Rel, RelOp, window_columns};

/// A window table function and its parameters in Flink's order.
struct Function {
    name: &'static str,
    parameters: &'static [&'static str],
    /// For a hint.
    example: &'static str,
}

const FUNCTIONS: [Function; 4] = [
    Function {
        name: "TUMBLE",
        parameters: &["DATA", "TIMECOL", "SIZE", "OFFSET"],
        example: "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)",
    },
    Function {
        name: "HOP",
        parameters: &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
        example: "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND)",
    },
    Function {
        name: "CUMULATE",
        parameters: &["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"],
        example: "CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '1' DAY)",
    },
    Function {
        name: "SESSION",
        parameters: &["DATA", "TIMECOL", "GAP"],
        example: "SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '10' MINUTE)",
    },
];

/// What a relation knows of the windows that its rows are in.
#[derive(Debug, Clone)]
struct Properties {
    kind: WindowKind,
    time_type: LogicalType,
    /// The columns that sessions are partitioned by; `None` when one of them is gone.
    partition: Option<Vec<usize>>,
    start: Vec<usize>,
    end: Vec<usize>,
    time: Vec<usize>,
}

impl Properties {
    /// The same behind a projection; `through` says which of its columns are one of some columns before it.
    fn projected(self, through: impl Fn(&[usize]) -> Vec<usize>) -> Self {
        Properties {
            partition: self.partition.and_then(|p| p.iter().map(|k| through(&[*k]).first().copied()).collect()),
            start: through(&self.start),
            end: through(&self.end),
            time: through(&self.time),
            ..self
        }
    }

    fn of(&self, column: usize) -> Option<WindowProperty> {
        [(&self.start, WindowProperty::Start), (&self.end, WindowProperty::End), (&self.time, WindowProperty::Time)]
            .into_iter()
            .find(|(columns, _)| columns.contains(&column))
            .map(|(_, property)| property)
    }

    /// Sessions of one partition end on their own, so only their own keys can group them.
    fn fits(&self, keys: &[usize]) -> bool {
        let WindowKind::Session { .. } = self.kind else { return true };
        let Some(partition) = &self.partition else { return false };
        keys.iter().all(|k| partition.contains(k)) && partition.iter().all(|k| keys.contains(k))
    }
}

fn properties(rel: &Rel) -> Option<Properties> {
    match &rel.op {
        RelOp::Window { input, window } => {
            let w = input.schema.len();
            Some(Properties {
                kind: window.kind,
                time_type: window.time_type.clone(),
                partition: Some(window.partition.clone()),
                start: vec![w],
                end: vec![w + 1],
                time: vec![w + 2],
            })
        }
        RelOp::WindowAggregate { window, keys, calls, properties, .. } => {
            let base = keys.len() + calls.len();
            let at = |p: WindowProperty| {
                properties.iter().enumerate().filter(|(_, q)| **q == p).map(|(i, _)| base + i).collect()
            };
            Some(Properties {
                kind: window.kind,
                time_type: window.time_type.clone(),
                partition: Some((0..keys.len()).collect()),
                start: at(WindowProperty::Start),
                end: at(WindowProperty::End),
                time: at(WindowProperty::Time),
            })
        }
        RelOp::Calc { input, projection, .. } => {
            let below = properties(input)?;
            let through = |columns: &[usize]| -> Vec<usize> {
                let holds = |e: &Expr| matches!(e, Expr::Column { index, .. } if columns.contains(index));
                projection.iter().enumerate().filter(|(_, e)| holds(e)).map(|(i, _)| i).collect()
            };
            Some(below.projected(through))
        }
        RelOp::Expand { input, projections } => {
            let below = properties(input)?;
            let width = projections.first().map_or(0, Vec::len);
            let through = |columns: &[usize]| -> Vec<usize> {
                let holds = |e: &Expr| matches!(e, Expr::Column { index, .. } if columns.contains(index));
                (0..width).filter(|i| projections.iter().all(|p| holds(&p[*i]))).collect()
            };
            Some(below.projected(through))
        }
        _ => None,
    }
}

/// The arguments of a call by parameter.
struct Arguments<'c> {
    function: &'static Function,
    values: Vec<Option<(&'c ArgValue, Span)>>,
    span: Span,
}

impl Binder<'_> {
    /// `TUMBLE(TABLE t, DESCRIPTOR(ts), size [, offset])` and the others, also with named arguments.
    pub(crate) fn window_function(&self, call: &Call) -> Result<Rel> {
        let name = call.name.last().value.to_ascii_uppercase();
        let Some(function) = FUNCTIONS.iter().find(|f| f.name == name) else {
            let error = self.wrong(
                Code::UndefinedFunction,
                format!("table function '{}' does not exist", call.name.span.of(self.text)),
                call.name.span,
            );
            let examples: Vec<&str> = FUNCTIONS.iter().map(|f| f.name).collect();
            return Err(error.with_hint(format!("there are {}; write {}", list(&examples), FUNCTIONS[0].example)));
        };
        let args = self.window_args(call, function)?;
        let (data, data_span) = self.required(&args, "DATA")?;
        let (time, time_span) = self.required(&args, "TIMECOL")?;
        let ArgValue::Table(table) = data else {
            return Err(self
                .wrong(Code::TypeMismatch, format!("the first argument of {name} is no table"), data_span)
                .with_hint(format!("write TABLE before the name: {name}(TABLE t, ..)")));
        };
        let input = self.window_input(table, function)?;
        let ArgValue::Descriptor(columns) = time else {
            return Err(self
                .wrong(Code::TypeMismatch, format!("the time of {name} is no DESCRIPTOR"), time_span)
                .with_hint("write DESCRIPTOR(ts) with the time column's name"));
        };
        let time = self.descriptor(columns, time_span, &input, function)?;
        let partition = self.partition(table, &input)?;
        let kind = self.window_kind(&args)?;
        let time_type = input.schema.columns()[time].ty.clone();
        let window = Window { kind, time, time_type, attached: None, partition };
        Ok(windowed(input, window))
    }

    fn required<'c>(&self, args: &Arguments<'c>, parameter: &str) -> Result<(&'c ArgValue, Span)> {
        self.optional(args, parameter).ok_or_else(|| {
            let name = args.function.name;
            self.wrong(Code::TypeMismatch, format!("{name} lacks its argument {parameter}"), args.span)
                .with_hint(format!("write {}", args.function.example))
        })
    }

    fn optional<'c>(&self, args: &Arguments<'c>, parameter: &str) -> Option<(&'c ArgValue, Span)> {
        args.function.parameters.iter().position(|p| *p == parameter).and_then(|i| args.values[i])
    }

    /// The lengths, by Flink's rules and in its words.
    fn window_kind(&self, args: &Arguments<'_>) -> Result<WindowKind> {
        let length = |parameter: &str| -> Result<(i64, Span)> {
            let (value, span) = self.required(args, parameter)?;
            Ok((self.interval_ms(parameter, value, span)?, span))
        };
        let name = args.function.name;
        let wrong = |text: String, span: Span| {
            Err(self.wrong(Code::InvalidValue, format!("{name} table function based aggregate requires {text}"), span))
        };
        if name == "SESSION" {
            let (gap_ms, span) = length("GAP")?;
            return match gap_ms {
                1.. => Ok(WindowKind::Session { gap_ms }),
                _ => wrong(format!("gap to be positive, but got gap {gap_ms} ms"), span),
            };
        }
        let (size_ms, span) = length("SIZE")?;
        let offset = self.optional(args, "OFFSET");
        let offset_ms = offset.map_or(Ok(0), |(value, span)| self.interval_ms("OFFSET", value, span))?;
        let kind = match name {
            "HOP" => {
                let (slide_ms, _) = length("SLIDE")?;
                if size_ms <= 0 || slide_ms <= 0 {
                    let text =
                        format!("slide and size to be positive, but got slide {slide_ms} ms and size {size_ms} ms");
                    return wrong(text, span);
                }
                WindowKind::Hop { size_ms, slide_ms, offset_ms }
            }
            "CUMULATE" => {
                let (step_ms, step_span) = length("STEP")?;
                if size_ms <= 0 || step_ms <= 0 {
                    let text =
                        format!("maxSize and step to be positive, but got maxSize {size_ms} ms and step {step_ms} ms");
                    return wrong(text, span);
                }
                if size_ms % step_ms != 0 {
                    let text = "maxSize must be an integral multiple of step";
                    return wrong(format!("{text}, but got maxSize {size_ms} ms and step {step_ms} ms"), step_span);
                }
                WindowKind::Cumulate { size_ms, step_ms, offset_ms }
            }
            _ if size_ms <= 0 => return wrong(format!("size to be positive, but got {size_ms} ms"), span),
            _ => WindowKind::Tumble { size_ms, offset_ms },
        };
        // Flink checks it for TUMBLE alone.
        if let (WindowKind::Tumble { .. }, Some((_, span))) = (kind, offset)
            && offset_ms.unsigned_abs() >= size_ms.unsigned_abs()
        {
            let rule = "table function parameters must satisfy abs(offset) < size";
            let text = format!("{name} {rule}, but got size {size_ms} ms and offset {offset_ms} ms");
            return Err(self.wrong(Code::InvalidValue, text, span));
        }
        Ok(kind)
    }

    fn window_args<'c>(&self, call: &'c Call, function: &'static Function) -> Result<Arguments<'c>> {
        let (name, parameters) = (function.name, function.parameters);
        let mut values = vec![None; parameters.len()];
        for (i, arg) in call.args.iter().enumerate() {
            let place = match &arg.name {
                None if i < parameters.len() => i,
                None => {
                    let text = format!("{name} takes at most {} arguments", parameters.len());
                    return Err(self.wrong(Code::TypeMismatch, text, arg.span));
                }
                Some(given) => {
                    parameters.iter().position(|p| given.value.eq_ignore_ascii_case(p)).ok_or_else(|| {
                        self.wrong(
                            Code::UndefinedColumn,
                            format!("{name} has no argument '{}'", given.value),
                            given.span,
                        )
                        .with_hint(format!("arguments: {}", list(parameters)))
                    })?
                }
            };
            if values[place].is_some() {
                let text = format!("argument {} of {name} stands twice", parameters[place]);
                return Err(self.wrong(Code::DuplicateObject, text, arg.span));
            }
            values[place] = Some((&arg.value, arg.span));
        }
        Ok(Arguments { function, values, span: call.span })
    }

    fn window_input(&self, table: &TableArg, function: &Function) -> Result<Rel> {
        if let Some(e) = table.partition_by.first().filter(|_| function.name != "SESSION") {
            return Err(self
                .wrong(Code::Syntax, format!("PARTITION BY is not possible with {}", function.name), e.span)
                .with_hint("group by the column instead; SESSION alone takes PARTITION BY"));
        }
        if let Some(order) = table.order_by.first() {
            let text = format!("ORDER BY is not possible with {}", function.name);
            return Err(self.wrong(Code::Syntax, text, order.span));
        }
        match &table.source {
            TableArgSource::Name(name) => Ok(self.named(name, &[], name.span)?.0),
            TableArgSource::Query(query) => self.query(query, None),
        }
    }

    fn partition(&self, table: &TableArg, input: &Rel) -> Result<Vec<usize>> {
        let scope = Scope::one(vec![], input.schema.clone());
        let mut columns = vec![];
        for e in &table.partition_by {
            match self.expr(e, &mut Cx::scalar(&scope, "PARTITION BY"))? {
                Expr::Column { index, .. } if columns.contains(&index) => {}
                Expr::Column { index, .. } => columns.push(index),
                _ => {
                    return Err(self
                        .wrong(Code::TypeMismatch, "PARTITION BY takes columns alone", e.span)
                        .with_hint("compute it in a subquery or a view"));
                }
            }
        }
        Ok(columns)
    }

    fn descriptor(&self, columns: &[Ident], span: Span, input: &Rel, function: &Function) -> Result<usize> {
        let [name] = columns else {
            return Err(self.wrong(
                Code::TypeMismatch,
                format!("the DESCRIPTOR of {} names one column, found {}", function.name, columns.len()),
                span,
            ));
        };
        let scope = Scope::one(vec![], input.schema.clone());
        let Expr::Column { index, ty } = self.name(std::slice::from_ref(name), &scope)? else {
            return Err(broken("a descriptor that is no column"));
        };
        match ty.kind.time_attribute() {
            TimeAttribute::Rowtime | TimeAttribute::Proctime => Ok(index),
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

    pub(super) fn interval_ms(&self, what: &str, value: &ArgValue, span: Span) -> Result<i64> {
        let wrong = |found: String| {
            self.wrong(
                Code::TypeMismatch,
                format!("the {} of a window is an interval of days or less, found {found}", what.to_ascii_lowercase()),
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

    /// The aggregate by window, when the keys hold a window's start and end; `legacy` when GROUP BY made the window.
    pub(crate) fn window_aggregate(
        &self,
        input: &Rel,
        keys: &[usize],
        calls: &[AggregateCall],
        legacy: bool,
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
        if !legacy && !found.fits(&own) {
            return Ok(None);
        }
        if let WindowKind::Hop { size_ms, slide_ms, .. } = found.kind
            && !legacy
            && size_ms % slide_ms != 0
        {
            let text = "HOP table function based aggregate requires size must be an integral multiple of slide";
            return Err(Error::user(format!("{text}, but got size {size_ms} ms and slide {slide_ms} ms"))
                .with_code(Code::NotSupported)
                .with_hint("choose a slide that divides the size"));
        }
        let mut read = own.clone();
        for column in calls.iter().flat_map(|c| c.columns()) {
            if !read.contains(&column) {
                read.push(column);
            }
        }
        let place = |column: usize| read.iter().position(|r| *r == column).expect("every column read is listed");
        let (below, mut window) = match direct(input, &read)? {
            Some(direct) => direct,
            // Rows that carry a window of the clock have no time by which it would end.
            None if found.time_type.kind.time_attribute() == TimeAttribute::Proctime => return Ok(None),
            None => attached(input, &read, &found)?,
        };
        if let WindowKind::Session { .. } = window.kind {
            window.partition = (0..own.len()).collect();
        }
        let calls: Vec<AggregateCall> = calls
            .iter()
            .map(|c| {
                let mut call = c.clone();
                call.map_columns(place);
                call
            })
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
            legacy,
        };
        Ok(Some(Grouped { rel: Rel { op, schema }, keys: outputs, set: None, calls: call_columns }))
    }
}

/// Appends the columns of `window`.
pub(super) fn windowed(input: Rel, window: Window) -> Rel {
    let schema = input.schema.columns().iter().cloned().chain(window_columns(&window.time_type)).collect();
    Rel { op: RelOp::Window { input: Box::new(input), window }, schema }
}

/// The columns `read` of `input` from below its table function, with the time that it goes by; `None` where they, or
/// what filters them, read the window itself.
fn direct(input: &Rel, read: &[usize]) -> Result<Option<(Rel, Window)>> {
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
    let RelOp::Window { input: below, window } = &base.op else {
        return Ok(None);
    };
    let width = below.schema.len();
    let mut reads_window = false;
    for e in projection.iter().chain(&condition) {
        e.visit_columns(&mut |i| reads_window |= i >= width);
    }
    if reads_window {
        return Ok(None);
    }
    let column = below.schema.columns()[window.time].clone();
    let place = projection.iter().position(|e| matches!(e, Expr::Column { index, .. } if *index == window.time));
    let place = place.unwrap_or_else(|| {
        projection.push(Expr::column(window.time, column.ty.clone()));
        names.push(column.name.clone());
        projection.len() - 1
    });
    let mut rel = below.as_ref().clone().project(projection, &names);
    if let RelOp::Calc { condition: c, .. } = &mut rel.op {
        *c = condition;
    }
    let window = Window { kind: window.kind, time: place, time_type: column.ty, attached: None, partition: vec![] };
    Ok(Some((rel, window)))
}

/// The columns `read` of `input`, then the window that its rows carry.
fn attached(input: &Rel, read: &[usize], found: &Properties) -> Result<(Rel, Window)> {
    let (Some(start), Some(end)) = (found.start.first(), found.end.first()) else {
        return Err(broken("no window below"));
    };
    let mut columns = read.to_vec();
    let mut place = |column: usize| {
        columns.iter().position(|c| *c == column).unwrap_or_else(|| {
            columns.push(column);
            columns.len() - 1
        })
    };
    let attached = AttachedWindow { start: place(*start), end: place(*end) };
    let names: Vec<String> = columns.iter().map(|i| input.schema.columns()[*i].name.clone()).collect();
    let rel = input.clone().project(columns.iter().map(|i| input.column(*i)).collect(), &names);
    let time_type = found.time_type.clone();
    let window =
        Window { kind: found.kind, time: attached.end, time_type, attached: Some(attached), partition: vec![] };
    Ok((rel, window))
}
