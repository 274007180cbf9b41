//! Hints: OPTIONS of a table, STATE_TTL and those of joins behind SELECT. Of equal keys the last wins, of equal lists the
//! first.

use std::sync::Arc;

use arus_core::catalog::TableDef;
use arus_core::error::Code;
use arus_core::settings::parse_duration_ms;
use arus_core::{Error, Result};

use super::Binder;
use super::scope::Scope;
use crate::ast::{Hint, HintArgs, Text};
use crate::nearest::nearest;
use crate::rel::{Rel, RelOp};

const OPTIONS: &str = "OPTIONS";
const STATE_TTL: &str = "STATE_TTL";
/// Of joins: without one they change nothing.
const OF_JOINS: [&str; 6] = ["BROADCAST", "SHUFFLE_HASH", "SHUFFLE_MERGE", "NEST_LOOP", "MULTI_JOIN", "LOOKUP"];

impl Binder<'_> {
    /// The table with the options of its hints.
    pub(crate) fn with_hints(&self, table: Arc<TableDef>, hints: &[Hint]) -> Result<Arc<TableDef>> {
        let mut changed: Option<TableDef> = None;
        for hint in hints {
            let name = hint.name.value.to_ascii_uppercase();
            if name != OPTIONS {
                self.check_known(hint)?;
                return Err(self
                    .wrong(Code::Syntax, format!("the hint {name} is not for a table"), hint.span)
                    .with_hint(format!("write it behind SELECT: SELECT /*+ {name}(..) */ ..")));
            }
            let HintArgs::KeyValue(pairs) = &hint.args else {
                return Err(self
                    .wrong(Code::Syntax, "the hint OPTIONS takes key-value pairs", hint.span)
                    .with_hint("write /*+ OPTIONS('key' = 'value') */"));
            };
            for (key, value) in pairs {
                if key.value == "connector" {
                    return Err(self.wrong(
                        Code::InvalidOption,
                        "the hint OPTIONS cannot change the connector",
                        key.span,
                    ));
                }
                let table = changed.get_or_insert_with(|| table.as_ref().clone());
                table.options.insert(key.value.clone(), value.value.clone());
                let spans = |name: &str| (name == key.value).then_some((key.span, value.span));
                self.validate_options(&table.options, &table.columns, &table.path, hint.span, &spans)?;
            }
        }
        Ok(changed.map_or(table, Arc::new))
    }

    /// Of the hints behind SELECT the time to live of an aggregate's state.
    pub(crate) fn select_hints(&self, hints: &[Hint], scope: &Scope) -> Result<Option<i64>> {
        let mut ttl_ms = None;
        for hint in hints {
            self.check_known(hint)?;
            let name = hint.name.value.to_ascii_uppercase();
            let tables: Vec<&Text> = match &hint.args {
                HintArgs::None => vec![],
                HintArgs::KeyValue(pairs) if name == STATE_TTL => pairs.iter().map(|(table, _)| table).collect(),
                HintArgs::KeyValue(pairs) => {
                    pairs.iter().filter(|(key, _)| key.value == "table").map(|(_, table)| table).collect()
                }
                HintArgs::List(tables) => tables.iter().collect(),
            };
            for table in tables {
                self.check_table(table, &name, scope)?;
            }
            match &hint.args {
                HintArgs::KeyValue(pairs) if name == STATE_TTL => {
                    for (_, value) in pairs {
                        let parsed = parse_duration_ms(&value.value).map_err(|e| e.in_context("hint STATE_TTL"));
                        ttl_ms = Some(parsed.map_err(|e| self.locate(e, value.span))?);
                    }
                }
                _ if name == STATE_TTL => {
                    return Err(self
                        .wrong(Code::Syntax, "the hint STATE_TTL takes key-value pairs", hint.span)
                        .with_hint("write /*+ STATE_TTL('table' = '1 d') */"));
                }
                _ => {}
            }
        }
        Ok(ttl_ms)
    }

    fn check_known(&self, hint: &Hint) -> Result<()> {
        let name = hint.name.value.to_ascii_uppercase();
        let known: Vec<&str> = OF_JOINS.into_iter().chain([OPTIONS, STATE_TTL]).collect();
        if known.contains(&name.as_str()) {
            return Ok(());
        }
        let error = self.wrong(Code::Syntax, format!("unknown hint '{}'", hint.name.value), hint.name.span);
        Err(match nearest(&name, known.iter().copied()) {
            Some(near) => error.with_hint(format!("did you mean {near}?")),
            None => error.with_hint(format!("hints: {}", known.join(", "))),
        })
    }

    fn check_table(&self, table: &Text, hint: &str, scope: &Scope) -> Result<()> {
        let named: Vec<&str> = scope.relations.iter().filter_map(|r| r.qualifier.last().map(String::as_str)).collect();
        let last = table.value.rsplit('.').next().unwrap_or_default();
        if named.contains(&last) {
            return Ok(());
        }
        let error: Error = self.wrong(
            Code::UndefinedTable,
            format!("the hint {hint} names '{}', which is not in FROM", table.value),
            table.span,
        );
        Err(error.with_hint(super::near_or_list(last, "tables and aliases of FROM", &named)))
    }
}

/// Gives the aggregate below the select list its time to live.
pub(crate) fn with_ttl(mut rel: Rel, ttl: Option<i64>) -> Rel {
    if ttl.is_none() {
        return rel;
    }
    match &mut rel.op {
        RelOp::Aggregate { ttl_ms, .. } => *ttl_ms = ttl,
        RelOp::Calc { .. } => return rel.map_inputs(&mut |input| with_ttl(input, ttl)),
        _ => {}
    }
    rel
}
