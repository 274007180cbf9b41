//! Alerts of a project: a new condition or key starts one over, all other clauses change while it goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use arus_core::catalog::ObjectPath;
use arus_core::plan::PhysicalPlan;
use arus_sql::AlertDef;

use super::difference::{Action, Decision, Gone, decided, sources_changed};
use super::record::Record;
use super::wanted::{Item, What};
use crate::alerts::{Fate, label};
use crate::shared::Shared;

pub(super) fn compare(shared: &Arc<Shared>, def: &AlertDef, plan: &PhysicalPlan) -> Decision {
    let Some(alert) = shared.alerts.get(&def.path) else { return decided(Action::Create, "it is new") };
    let (old, job) = (alert.def(), shared.job_of(&alert));
    let decision = match (shared.fate_of_alert(&alert, def, plan), changed(&old, def)) {
        (Fate::Kept, clauses) if clauses.is_empty() => decided(Action::Keep, "what fires goes on"),
        (Fate::Kept, clauses) => decided(Action::Alter, format!("{}: what fires goes on", clauses.join(", "))),
        (Fate::StartsOver, _) if old.key != def.key => {
            let shown = |key: &[String]| if key.is_empty() { "none".into() } else { format!("({})", key.join(", ")) };
            decided(Action::Remake, format!("its key changes from {} to {}", shown(&old.key), shown(&def.key)))
        }
        (Fate::StartsOver, _) => {
            let sources = job.as_ref().and_then(|job| sources_changed(&job.spec.plan, plan));
            decided(Action::Remake, sources.unwrap_or_else(|| "its condition changes".into()))
        }
    };
    Decision { job, ..decision }
}

/// Those that the project had and has no more.
pub(super) fn gone(shared: &Shared, items: &[Item], record: &Record) -> Vec<Gone> {
    let wanted: BTreeSet<&ObjectPath> = items.iter().filter_map(Item::alert).collect();
    let left = record.alerts.iter().filter(|path| !wanted.contains(path));
    left.filter_map(|path| shared.alerts.get(path)).map(Gone::Alert).collect()
}

/// Whatever the reason, an alert that is made anew says what that costs.
pub(super) fn tell_losses(items: &[Item], decisions: &mut [Decision]) {
    for (item, decision) in items.iter().zip(decisions) {
        let anew = matches!(decision.action, Action::Remake | Action::Swap);
        if anew && matches!(item.what, What::Alert { .. }) {
            decision.reason.push_str(": its state starts over, what fires is forgotten");
        }
    }
}

/// The clauses that differ. Notifiers are named as everybody may see them.
fn changed(old: &AlertDef, new: &AlertDef) -> Vec<String> {
    let mut clauses = vec![];
    if old.notify != new.notify {
        let names = |def: &AlertDef| match def.notify.as_slice() {
            [] => "nobody".to_string(),
            all => all.iter().map(label).collect::<Vec<_>>().join(", "),
        };
        let (before, after) = (names(old), names(new));
        clauses.push(match before == after {
            true => "a secret of NOTIFY changes".into(),
            false => format!("NOTIFY changes from {before} to {after}"),
        });
    }
    if old.severity != new.severity {
        clauses.push(format!("SEVERITY changes from {} to {}", old.severity.name(), new.severity.name()));
    }
    for (name, differs) in [
        ("RESOLVE AFTER", old.resolve_after_ms != new.resolve_after_ms),
        ("NO DATA", old.no_data != new.no_data),
        ("SUMMARY", old.summary != new.summary),
        ("RUNBOOK", old.runbook != new.runbook),
        ("REPEAT", old.repeat_ms != new.repeat_ms),
    ] {
        if differs {
            clauses.push(format!("{name} changes"));
        }
    }
    clauses
}
