//! GROUP BY TUMBLE(ts, size), HOP(ts, slide, size), SESSION(ts, gap), and what they let an expression ask of the window.
//!
//! The window is put below the aggregate as a table function would be, so that the columns of its bounds are group keys
//! like any other; the aggregate then goes by the time itself.

use arus_core::Result;
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::{Window, WindowKind};
use arus_core::types::TimeAttribute;

use super::Binder;
use super::expr::Cx;
use super::scope::Scope;
use super::window::windowed;
use crate::ast::{self, Call, ExprKind, GroupItem, Select};
use crate::rel::Rel;

/// The window that GROUP BY makes.
#[derive(Debug)]
pub(crate) struct GroupWindow {
    window: Window,
    /// Its start, end and time.
    columns: [Expr; 3],
}

/// The call of a group window, if an expression is one.
fn group_window_call(e: &ast::Expr) -> Option<&Call> {
    let ExprKind::Call(call) = &e.kind else { return None };
    let [name] = call.name.parts.as_slice() else { return None };
    ["TUMBLE", "HOP", "SESSION"].iter().any(|n| name.value.eq_ignore_ascii_case(n)).then_some(call)
}

impl Binder<'_> {
    /// The relation with the columns of the window that GROUP BY makes, if it does.
    pub(crate) fn group_window(&self, s: &Select, rel: Rel, scope: &Scope) -> Result<(Rel, Option<GroupWindow>)> {
        let Some(group_by) = &s.group_by else {
            return Ok((rel, None));
        };
        let calls = group_by.items.iter().flat_map(|item| match item {
            GroupItem::Expr(e) => std::slice::from_ref(e),
            GroupItem::Tuple(exprs, _) => exprs.as_slice(),
            _ => &[],
        });
        let mut calls = calls.filter_map(group_window_call);
        let Some(call) = calls.next() else {
            return Ok((rel, None));
        };
        if let Some(second) = calls.next() {
            return Err(self.wrong(
                Code::NotSupported,
                "only a single window group function may be used in GROUP BY",
                second.span,
            ));
        }
        let (kind, time) = self.group_window_args(call, scope)?;
        let time_type = rel.schema.columns()[time].ty.clone();
        let width = rel.schema.len();
        let window = Window { kind, time, time_type, attached: None, partition: vec![] };
        let rel = windowed(rel, window.clone());
        let columns = [rel.column(width), rel.column(width + 1), rel.column(width + 2)];
        Ok((rel, Some(GroupWindow { window, columns })))
    }

    /// The keys that stand for a group window in GROUP BY.
    pub(crate) fn group_window_keys(&self, e: &ast::Expr, cx: &Cx<'_>) -> Option<Vec<Expr>> {
        group_window_call(e)?;
        Some(cx.group_window?.columns.to_vec())
    }

    /// `TUMBLE_START(ts, size)` and the others: a column of the window that GROUP BY makes by the same call.
    pub(crate) fn group_window_property(&self, name: &str, call: &Call, cx: &Cx<'_>) -> Result<Expr> {
        let (function, property) = name.split_once('_').unwrap_or((name, ""));
        let missing = || {
            self.wrong(
                Code::TypeMismatch,
                format!(
                    "call to auxiliary group function '{name}' must have matching call to group function '{function}' in GROUP BY clause"
                ),
                call.span,
            )
        };
        let Some(group) = cx.group_window else {
            return Err(missing());
        };
        let (kind, time) = self.group_window_args(call, cx.scope)?;
        if kind != group.window.kind || time != group.window.time || function != kind.name() {
            return Err(missing());
        }
        let proctime = group.window.time_type.kind.time_attribute() == TimeAttribute::Proctime;
        match property {
            "START" => Ok(group.columns[0].clone()),
            "END" => Ok(group.columns[1].clone()),
            "ROWTIME" if proctime => Err(self
                .wrong(Code::TypeMismatch, "a proctime window cannot provide a rowtime attribute", call.span)
                .with_hint(format!("take {function}_PROCTIME"))),
            "PROCTIME" if !proctime => Err(self.unsupported(format!("{name} of a window over event time"), call.span)),
            _ => Ok(group.columns[2].clone()),
        }
    }

    /// The window of a call like `HOP(ts, slide, size)`, and the column that it goes by.
    fn group_window_args(&self, call: &Call, scope: &Scope) -> Result<(WindowKind, usize)> {
        let name = call.name.last().value.to_ascii_uppercase();
        let function = name.split_once('_').map_or(name.as_str(), |(function, _)| function);
        let lengths = if function == "HOP" { 2 } else { 1 };
        if call.args.len() == lengths + 2 {
            return Err(self.unsupported(format!("{function} window with alignment"), call.args[lengths + 1].span));
        }
        let Some((time, rest)) = call.args.split_first().filter(|(_, rest)| rest.len() == lengths) else {
            return Err(self.wrong(
                Code::TypeMismatch,
                format!("{name} takes {} arguments, found {}", lengths + 1, call.args.len()),
                call.span,
            ));
        };
        let ast::ArgValue::Expr(e) = &time.value else {
            return Err(self
                .wrong(Code::TypeMismatch, format!("the time of {name} is no column"), time.span)
                .with_hint(format!("{function} stands in GROUP BY with a column; a table function stands in FROM")));
        };
        let (index, ty) = match self.expr(e, &mut Cx::scalar(scope, "GROUP BY"))? {
            Expr::Column { index, ty } => (index, ty),
            other => {
                return Err(self
                    .unsupported(format!("{function} over an expression of type {}", other.ty().kind), time.span)
                    .with_hint("compute it as a column of the table, with a WATERMARK"));
            }
        };
        if ty.kind.time_attribute() == TimeAttribute::None {
            return Err(self
                .wrong(
                    Code::TypeMismatch,
                    format!(
                        "window aggregate can only be defined over a time attribute column, but {} encountered",
                        ty.kind
                    ),
                    time.span,
                )
                .with_hint("declare a WATERMARK on it in CREATE TABLE, or take PROCTIME()"));
        }
        let mut lengths_ms = vec![];
        for arg in rest {
            let ms = self.interval_ms("length", &arg.value, arg.span)?;
            if ms <= 0 {
                return Err(self.wrong(
                    Code::InvalidValue,
                    format!("a length of {ms} ms: it must be above 0"),
                    arg.span,
                ));
            }
            lengths_ms.push(ms);
        }
        let kind = match (function, lengths_ms.as_slice()) {
            ("HOP", [slide_ms, size_ms]) => WindowKind::Hop { size_ms: *size_ms, slide_ms: *slide_ms, offset_ms: 0 },
            ("SESSION", [gap_ms]) => WindowKind::Session { gap_ms: *gap_ms },
            (_, lengths) => WindowKind::Tumble { size_ms: lengths[0], offset_ms: 0 },
        };
        Ok((kind, index))
    }
}
