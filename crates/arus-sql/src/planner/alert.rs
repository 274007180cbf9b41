//! CREATE ALERT, and what is asked of alerts by name: they are no tables, so that only the engine knows which there are.

use std::sync::Arc;

use arus_core::plan::{PhysicalPlan, SinkTarget};
use arus_core::{Error, Result};

use super::{Planned, Planner};
use crate::alert::{AlertDef, sink_table};
use crate::ast::{self, AlterAlert, CreateAlert};
use crate::bind::Binder;
use crate::explain::state_notes;
use crate::physical::Root;
use crate::rel::Rel;

/// What ALTER ALERT does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertChange {
    /// For so many ms, or until further notice.
    Silence(Option<i64>),
    Unsilence,
    Test,
}

impl Planner<'_> {
    pub(super) fn create_alert(
        &self,
        c: &CreateAlert,
        binder: &Binder<'_>,
        notices: &mut Vec<String>,
    ) -> Result<Planned> {
        let (def, plan, _) = self.alert(c, binder)?;
        notices.extend(state_notes(&plan));
        Ok(Planned::CreateAlert { def: Box::new(def), plan, if_not_exists: c.if_not_exists, replace: c.or_replace })
    }

    pub(super) fn alert(&self, c: &CreateAlert, binder: &Binder<'_>) -> Result<(AlertDef, PhysicalPlan, Rel)> {
        let (path, rel) = binder.alert_query(c)?;
        let at = binder.at(c.name.span);
        // Whether rows are only appended is known once the query is planned.
        let trial = self.physical(vec![Root { rel: rel.clone().sink(SinkTarget::Collect), at }])?;
        let result = trial.nodes.last().ok_or_else(|| Error::bug("a plan without nodes"))?;
        let table = Arc::new(sink_table(&path, &rel.schema));
        let def = binder.alert(c, path, &rel, result)?;
        let sink = rel.sink(SinkTarget::Table(table));
        let plan = self.physical(vec![Root { rel: sink.clone(), at }])?;
        Ok((def, plan, sink))
    }

    pub(super) fn alter_alert(&self, alter: &AlterAlert, binder: &Binder<'_>) -> Result<Planned> {
        let change = match &alter.action {
            ast::AlertAction::Silence { for_time } => {
                let time = for_time.as_ref().map(|time| binder.time_of("SILENCE FOR", time)).transpose()?;
                AlertChange::Silence(time)
            }
            ast::AlertAction::Unsilence => AlertChange::Unsilence,
            ast::AlertAction::Test => AlertChange::Test,
        };
        Ok(Planned::AlterAlert { path: binder.path(&alter.name)?, change })
    }
}
