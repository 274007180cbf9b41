//! GROUPING SETS, CUBE and ROLLUP through an Expand, as in Flink: each row comes once for each set, with NULL for the keys
//! that the set leaves out and the set's number `$e` as a further key. GROUPING and the like are computed from it.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::schema::{Column, RowSchema};
use arus_core::types::TypeKind;
use arus_core::{Datum, Result};

use super::Binder;
use super::expr::{Cx, GROUPING_BASE};
use crate::ast::{ArgValue, Call, GroupItem, Select, Span};
use crate::rel::{Rel, RelOp};

/// What a query is grouped by.
#[derive(Debug, Default)]
pub(crate) struct Grouping {
    /// Each key once, in the order in which they are first named.
    pub(crate) keys: Vec<Expr>,
    /// By rising number.
    pub(crate) sets: Vec<Set>,
}

#[derive(Debug)]
pub(crate) struct Set {
    /// Places in the keys.
    keys: Vec<usize>,
    /// A bit for each key that is left out, the last key's the lowest; above them how often the set was there before.
    number: i64,
}

/// Sets of keys that CUBE makes at most.
const SETS_LIMIT: usize = 4_096;

impl Binder<'_> {
    pub(crate) fn grouping(&self, s: &Select, cx: &Cx<'_>) -> Result<Grouping> {
        let mut grouping = Grouping::default();
        let Some(group_by) = &s.group_by else {
            return Ok(grouping);
        };
        let mut sets: Vec<Vec<usize>> = vec![vec![]];
        for item in &group_by.items {
            let more = self.item_sets(item, &mut grouping.keys, cx)?;
            sets = sets.iter().flat_map(|a| more.iter().map(|b| [a.as_slice(), b].concat())).collect();
            if sets.len() > SETS_LIMIT {
                return Err(self.wrong(
                    Code::InvalidValue,
                    format!("GROUP BY with more than {SETS_LIMIT} grouping sets"),
                    group_by.span,
                ));
            }
        }
        let width = grouping.keys.len();
        if sets.len() > 1 && width > 60 {
            return Err(self.unsupported("grouping sets of more than 60 keys", group_by.span));
        }
        let mut numbers: Vec<i64> = vec![];
        for mut keys in sets {
            keys.sort_unstable();
            keys.dedup();
            let absent = (0..width).filter(|key| !keys.contains(key));
            let bits: i64 = if width > 60 { 0 } else { absent.map(|key| 1 << (width - 1 - key)).sum() };
            let before = numbers.iter().filter(|other| **other == bits).count() as i64;
            if group_by.distinct && before > 0 {
                continue;
            }
            numbers.push(bits);
            let above = if width > 60 { 0 } else { before << width };
            grouping.sets.push(Set { keys, number: bits + above });
        }
        grouping.sets.sort_by_key(|set| set.number);
        Ok(grouping)
    }

    fn item_sets(&self, item: &GroupItem, keys: &mut Vec<Expr>, cx: &Cx<'_>) -> Result<Vec<Vec<usize>>> {
        let mut each = |items: &[GroupItem]| -> Result<Vec<Vec<Vec<usize>>>> {
            items.iter().map(|item| self.item_sets(item, keys, cx)).collect()
        };
        Ok(match item {
            GroupItem::Expr(e) => vec![self.group_keys(std::slice::from_ref(e), keys, cx)?],
            GroupItem::Empty(_) => vec![vec![]],
            GroupItem::Tuple(exprs, _) => vec![self.group_keys(exprs, keys, cx)?],
            GroupItem::GroupingSets(items, _) => each(items)?.concat(),
            GroupItem::Rollup(items, _) => {
                let units: Vec<Vec<usize>> = each(items)?.into_iter().map(|sets| sets.concat()).collect();
                (0..=units.len()).rev().map(|count| units[..count].concat()).collect()
            }
            GroupItem::Cube(items, span) => {
                let units: Vec<Vec<usize>> = each(items)?.into_iter().map(|sets| sets.concat()).collect();
                if units.len() > SETS_LIMIT.ilog2() as usize {
                    return Err(self.wrong(
                        Code::InvalidValue,
                        format!("CUBE of {} keys: it has at most {}", units.len(), SETS_LIMIT.ilog2()),
                        *span,
                    ));
                }
                (0..1_usize << units.len())
                    .map(|absent| {
                        let there = |i: &usize| absent & (1 << (units.len() - 1 - *i)) == 0;
                        (0..units.len()).filter(there).flat_map(|i| units[i].iter().copied()).collect()
                    })
                    .collect()
            }
        })
    }

    fn group_keys(&self, exprs: &[crate::ast::Expr], keys: &mut Vec<Expr>, cx: &Cx<'_>) -> Result<Vec<usize>> {
        let mut places = vec![];
        for e in exprs {
            if let Some(window) = self.group_window_keys(e, cx) {
                for key in window {
                    keys.push(key);
                    places.push(keys.len() - 1);
                }
                continue;
            }
            let bound = self.expr(e, &mut Cx::scalar(cx.scope, "GROUP BY"))?;
            if bound.ty().kind == TypeKind::Null {
                return Err(self.illegal_null(e.span));
            }
            places.push(match keys.iter().position(|key| *key == bound) {
                Some(place) => place,
                None => {
                    keys.push(bound);
                    keys.len() - 1
                }
            });
        }
        Ok(places)
    }

    /// GROUPING(..), GROUPING_ID(..) and GROUP_ID(): a column that stands for the value until the sets are known.
    pub(crate) fn grouping_call(&self, name: &str, call: &Call, cx: &mut Cx<'_>) -> Result<Option<Expr>> {
        let (least, what) = match name {
            "GROUPING" | "GROUPING_ID" => (1, "at least one grouped expression"),
            "GROUP_ID" => (0, "no argument"),
            _ => return Ok(None),
        };
        let wrong = |message: String| self.wrong(Code::TypeMismatch, message, call.span);
        if let Some(clause) = cx.no_aggregates {
            return Err(wrong(format!("{name} is not allowed in {clause}")));
        }
        if call.star || call.args.len() < least || least == 0 && !call.args.is_empty() {
            return Err(wrong(format!("{name} expects {what}, found {}", call.args.len())));
        }
        let named = cx.named.len();
        let mut args = vec![];
        for arg in &call.args {
            match &arg.value {
                ArgValue::Expr(e) => args.push(self.expr(e, cx)?),
                _ => return Err(wrong(format!("{name} takes a grouped expression"))),
            }
        }
        cx.named.truncate(named);
        let found = FoundGrouping { args, is_group_id: least == 0, span: call.span };
        let place = cx.groupings.iter().position(|g| g.args == found.args && g.is_group_id == found.is_group_id);
        let place = place.unwrap_or_else(|| {
            cx.groupings.push(found);
            cx.groupings.len() - 1
        });
        Ok(Some(Expr::column(GROUPING_BASE + place, TypeKind::BigInt.not_null())))
    }

    /// The value of such a call over the column `$e`, which is there where there are several sets.
    pub(crate) fn grouping_value(&self, found: &FoundGrouping, grouping: &Grouping, set: Option<Expr>) -> Result<Expr> {
        let mut places = vec![];
        for arg in &found.args {
            let place = grouping.keys.iter().position(|key| key == arg);
            places.push(place.ok_or_else(|| {
                let message = "argument to GROUPING operator must be a grouped expression";
                self.wrong(Code::TypeMismatch, message, found.span).with_hint("name an expression of GROUP BY")
            })?);
        }
        let whole = |value: i64| Expr::literal(Datum::BigInt(value), TypeKind::BigInt.not_null());
        let value = |s: &Set| {
            if found.is_group_id {
                return s.number >> grouping.keys.len();
            }
            places.iter().fold(0, |bits, place| bits << 1 | i64::from(!s.keys.contains(place)))
        };
        let (Some(column), [sets @ .., last]) = (set, grouping.sets.as_slice()) else {
            return Ok(whole(grouping.sets.first().map_or(0, value)));
        };
        let otherwise = value(last);
        if sets.iter().all(|s| value(s) == otherwise) {
            return Ok(whole(otherwise));
        }
        let branches = sets
            .iter()
            .map(|s| Ok((self.resolve("=", vec![column.clone(), whole(s.number)], found.span)?, whole(value(s)))))
            .collect::<Result<Vec<_>>>()?;
        Ok(Expr::Case { branches, otherwise: Box::new(whole(otherwise)), ty: TypeKind::BigInt.not_null() })
    }
}

/// A call of GROUPING, GROUPING_ID or GROUP_ID.
#[derive(Debug, Clone)]
pub(crate) struct FoundGrouping {
    pub(crate) args: Vec<Expr>,
    pub(crate) is_group_id: bool,
    pub(crate) span: Span,
}

impl Grouping {
    pub(crate) fn has_several_sets(&self) -> bool {
        self.sets.len() > 1
    }

    /// Each row of `input`, whose first columns are the keys, once for each set; `$e` is the last column.
    pub(crate) fn expand(&self, input: Rel) -> Rel {
        let width = self.keys.len();
        let columns = input.schema.columns();
        let in_all = |key: usize| self.sets.iter().all(|set| set.keys.contains(&key));
        let mut schema: Vec<Column> = columns.to_vec();
        for (key, column) in schema.iter_mut().enumerate().take(width) {
            column.ty.nullable |= !in_all(key);
        }
        let number = TypeKind::BigInt.not_null();
        schema.push(Column { name: "$e".into(), ty: number.clone() });
        let projection = |set: &Set| -> Vec<Expr> {
            let value = |(i, column): (usize, &Column)| {
                if i < width && !set.keys.contains(&i) {
                    Expr::literal(Datum::Null, column.ty.clone().without_time_attribute().with_nullable(true))
                } else {
                    Expr::column(i, schema[i].ty.clone())
                }
            };
            let set = Expr::literal(Datum::BigInt(set.number), number.clone());
            columns.iter().enumerate().map(value).chain([set]).collect()
        };
        let projections = self.sets.iter().map(projection).collect();
        Rel { op: RelOp::Expand { input: Box::new(input), projections }, schema: RowSchema::new(schema) }
    }
}
