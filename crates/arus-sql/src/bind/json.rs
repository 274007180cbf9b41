//! The JSON functions of standard SQL: their clauses become literal arguments.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::types::{LogicalType, TypeKind};
use arus_core::{Datum, Error, Result};

use super::Binder;
use super::expr::Cx;
use super::literal::string_literal;
use crate::ast::{self, ArgValue, DataType, ExprKind, JsonBehavior, JsonCall, JsonNulls, JsonPath, JsonWrapper, Span};

impl Binder<'_> {
    pub(crate) fn json(&self, json: &JsonCall, span: Span, cx: &mut Cx<'_>) -> Result<Expr> {
        match json {
            JsonCall::Value { path, returning, on_empty, on_error } => {
                self.json_value(path, returning.as_ref(), [on_empty.as_ref(), on_error.as_ref()], span, cx)
            }
            JsonCall::Query { path, returning, wrapper, on_empty, on_error } => {
                let args = self.json_path("JSON_QUERY", path, cx)?;
                let behaviours = [on_empty.as_ref(), on_error.as_ref()];
                self.json_query(args, returning.as_ref(), *wrapper, behaviours, span)
            }
            JsonCall::Exists { path, on_error } => {
                let mut args = self.json_path("JSON_EXISTS", path, cx)?;
                if let Some(behaviour) = on_error {
                    args.push(string_literal(match behaviour {
                        JsonBehavior::True => "TRUE",
                        JsonBehavior::False => "FALSE",
                        JsonBehavior::Unknown => "UNKNOWN",
                        JsonBehavior::Error => "ERROR",
                        _ => return Err(self.json_clause("JSON_EXISTS", "TRUE, FALSE, UNKNOWN or ERROR", span)),
                    }));
                }
                self.resolve("JSON_EXISTS", args, span)
            }
            JsonCall::Object { entries, nulls } => {
                let mut args = vec![json_nulls(*nulls, JsonNulls::Null)];
                for (key, value) in entries {
                    let key_span = key.span;
                    let key = self.expr(key, cx)?;
                    let ty = key.ty();
                    if !ty.kind.is_string() || ty.nullable {
                        return Err(self
                            .wrong(
                                Code::TypeMismatch,
                                format!("a key of JSON_OBJECT is a string NOT NULL, found {ty}"),
                                key_span,
                            )
                            .with_hint("write it as a literal, or COALESCE(key, '')"));
                    }
                    args.push(key);
                    args.extend(self.json_item(value, cx)?);
                }
                self.resolve("JSON_OBJECT", args, span)
            }
            JsonCall::Array { items, nulls } => {
                let mut args = vec![json_nulls(*nulls, JsonNulls::Absent)];
                for item in items {
                    args.extend(self.json_item(item, cx)?);
                }
                self.resolve("JSON_ARRAY", args, span)
            }
            JsonCall::ObjectAgg { key, value, nulls } => {
                let args = |cx: &mut Cx<'_>| {
                    let (key_span, key) = (key.span, self.expr(key, cx)?);
                    if !key.ty().kind.is_string() {
                        let found = format!("a key of JSON_OBJECTAGG is a string, found {}", key.ty());
                        return Err(self.wrong(Code::TypeMismatch, found, key_span).with_hint("CAST(key AS STRING)"));
                    }
                    Ok(vec![key, self.json_text(value, nulls.unwrap_or(JsonNulls::Null), cx)?])
                };
                self.json_aggregate("JSON_OBJECTAGG", args, span, cx)
            }
            // As in Flink an ORDER BY in it changes nothing: elements stand in the order of arrival.
            JsonCall::ArrayAgg { item, nulls, .. } => {
                let args = |cx: &mut Cx<'_>| Ok(vec![self.json_text(item, nulls.unwrap_or(JsonNulls::Absent), cx)?]);
                self.json_aggregate("JSON_ARRAYAGG", args, span, cx)
            }
        }
    }

    /// A value as the text of its JSON; NULL where it is left out.
    fn json_text(&self, item: &ast::Expr, nulls: JsonNulls, cx: &mut Cx<'_>) -> Result<Expr> {
        let [value, form] = self.json_item(item, cx)?;
        let text = match &form {
            Expr::Literal { value: Datum::String(form), .. } if form == "RAW" => value,
            Expr::Literal { value: Datum::String(form), .. } if form == "JSON" => {
                return Err(self
                    .wrong(Code::TypeMismatch, "JSON(..) in an aggregate", item.span)
                    .with_hint("JSON(..) stands in JSON_ARRAY(..), or as a value of JSON_OBJECT(..)"));
            }
            _ => self.resolve("JSON_STRING", vec![value], item.span)?,
        };
        if nulls == JsonNulls::Absent || !text.ty().nullable {
            return Ok(text);
        }
        let ty = text.ty().with_nullable(false);
        let there = self.resolve("IS NOT NULL", vec![text.clone()], item.span)?;
        let null = self.coerce(string_literal("null"), &ty);
        Ok(Expr::Case { branches: vec![(there, text)], otherwise: Box::new(null), ty })
    }

    fn json_path(&self, name: &str, path: &JsonPath, cx: &mut Cx<'_>) -> Result<Vec<Expr>> {
        let JsonPath { input, path, passing } = path;
        if let Some((value, _)) = passing.first() {
            return Err(self.unsupported(format!("PASSING in {name}"), value.span));
        }
        Ok(vec![self.expr(input, cx)?, self.expr(path, cx)?])
    }

    fn json_clause(&self, name: &str, expected: &str, span: Span) -> Error {
        self.wrong(Code::Syntax, format!("{name} with a behaviour that it does not have"), span)
            .with_hint(format!("it takes {expected}"))
    }

    /// A value of JSON_OBJECT or JSON_ARRAY and its form.
    fn json_item(&self, item: &ast::Expr, cx: &mut Cx<'_>) -> Result<[Expr; 2]> {
        if let ExprKind::Call(call) = &item.kind
            && let ([name], [arg]) = (call.name.parts.as_slice(), call.args.as_slice())
            && name.value.eq_ignore_ascii_case("JSON")
            && let ArgValue::Expr(text) = &arg.value
        {
            let text_span = text.span;
            let text = self.expr(text, cx)?;
            if !text.ty().kind.is_string() {
                return Err(self.wrong(
                    Code::TypeMismatch,
                    format!("JSON(..) takes a string, found {}", text.ty()),
                    text_span,
                ));
            }
            return Ok([text, string_literal("JSON")]);
        }
        let raw = match &item.kind {
            ExprKind::Json(inner) => matches!(**inner, JsonCall::Object { .. } | JsonCall::Array { .. }),
            _ => false,
        };
        let value = self.expr(item, cx)?;
        if value.ty().kind == TypeKind::Null {
            return Err(self.illegal_null(item.span));
        }
        Ok([value, string_literal(if raw { "RAW" } else { "VALUE" })])
    }

    // ---- JSON_VALUE

    fn json_value(
        &self,
        path: &JsonPath,
        returning: Option<&DataType>,
        behaviours: [Option<&JsonBehavior>; 2],
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Expr> {
        let args = self.json_path("JSON_VALUE", path, cx)?;
        if returning.is_none() && behaviours.iter().all(Option::is_none) {
            return self.resolve("JSON_VALUE", args, span);
        }
        let ty = match returning {
            None => TypeKind::STRING.nullable(),
            Some(written) => self.json_type(self.data_type(written)?, written.span)?,
        };
        let Expr::Call { function, mut args, .. } = self.resolve_unfolded("JSON_VALUE", args, span)? else {
            return Err(Error::bug("JSON_VALUE resolved to no call"));
        };
        for behaviour in behaviours {
            let (word, default) = self.json_default(behaviour, &ty, span, cx)?;
            args.push(string_literal(word));
            args.push(default);
        }
        Ok(self.fold(Expr::Call { function, args, ty }))
    }

    fn json_type(&self, ty: LogicalType, span: Span) -> Result<LogicalType> {
        match ty.kind {
            TypeKind::Boolean | TypeKind::Int | TypeKind::Double | TypeKind::Varchar(_) => Ok(ty.with_nullable(true)),
            other => Err(self
                .wrong(Code::TypeMismatch, format!("JSON_VALUE cannot return {other}"), span)
                .with_hint("RETURNING takes STRING, BOOLEAN, INTEGER or DOUBLE; CAST the value of a STRING")),
        }
    }

    fn json_default(
        &self,
        behaviour: Option<&JsonBehavior>,
        ty: &LogicalType,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<(&'static str, Expr)> {
        let null = Expr::literal(Datum::Null, ty.clone());
        match behaviour {
            None | Some(JsonBehavior::Null) => Ok(("NULL", null)),
            Some(JsonBehavior::Error) => Ok(("ERROR", null)),
            Some(JsonBehavior::Default(e)) => {
                let value = self.expr(e, cx)?;
                Ok(("DEFAULT", self.coerce(value, ty)))
            }
            Some(_) => Err(self.json_clause("JSON_VALUE", "NULL, ERROR or DEFAULT value", span)),
        }
    }

    // ---- JSON_QUERY

    fn json_query(
        &self,
        args: Vec<Expr>,
        returning: Option<&DataType>,
        wrapper: Option<JsonWrapper>,
        behaviours: [Option<&JsonBehavior>; 2],
        span: Span,
    ) -> Result<Expr> {
        let ty = match returning {
            None => TypeKind::STRING.nullable(),
            Some(written) => self.json_query_type(self.data_type(written)?, written.span)?,
        };
        let mut args = args;
        args.push(string_literal(match wrapper {
            None | Some(JsonWrapper::Without) => "WITHOUT",
            Some(JsonWrapper::WithConditional) => "CONDITIONAL",
            Some(JsonWrapper::WithUnconditional) => "UNCONDITIONAL",
        }));
        for behaviour in behaviours {
            args.push(string_literal(match behaviour {
                None | Some(JsonBehavior::Null) => "NULL",
                Some(JsonBehavior::Error) => "ERROR",
                Some(JsonBehavior::EmptyArray) => "EMPTY ARRAY",
                Some(JsonBehavior::EmptyObject) if matches!(ty.kind, TypeKind::Array(_)) => {
                    return Err(self
                        .wrong(Code::TypeMismatch, "EMPTY OBJECT where JSON_QUERY returns an ARRAY", span)
                        .with_hint("take EMPTY ARRAY"));
                }
                Some(JsonBehavior::EmptyObject) => "EMPTY OBJECT",
                Some(_) => {
                    return Err(self.json_clause("JSON_QUERY", "NULL, ERROR, EMPTY ARRAY or EMPTY OBJECT", span));
                }
            }));
        }
        let Expr::Call { function, args, .. } = self.resolve_unfolded("JSON_QUERY", args, span)? else {
            return Err(Error::bug("JSON_QUERY resolved to no call"));
        };
        Ok(self.fold(Expr::Call { function, args, ty }))
    }

    fn json_query_type(&self, ty: LogicalType, span: Span) -> Result<LogicalType> {
        match &ty.kind {
            TypeKind::Varchar(_) => Ok(ty.with_nullable(true)),
            TypeKind::Array(element) if element.kind == TypeKind::STRING => Ok(ty.with_nullable(true)),
            other => Err(self
                .wrong(Code::TypeMismatch, format!("JSON_QUERY cannot return {other}"), span)
                .with_hint("RETURNING takes STRING or ARRAY<STRING>")),
        }
    }
}

fn json_nulls(written: Option<JsonNulls>, default: JsonNulls) -> Expr {
    string_literal(match written.unwrap_or(default) {
        JsonNulls::Null => "NULL",
        JsonNulls::Absent => "ABSENT",
    })
}
