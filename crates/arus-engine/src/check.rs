//! `arus check`: every statement planned, none run.

use std::sync::Arc;

use arus_connect::Registry;
use arus_core::Error;
use arus_core::catalog::{Catalog, CatalogObject, DEFAULT_DATABASE};
use arus_core::settings::{LOCAL_TIME_ZONE, Settings};
use arus_expr::{ConstantEvaluator, Functions};
use arus_sql::parser::split_script;
use arus_sql::{Planned, Planner, PlannerOptions, fingerprint};

use crate::catalog::ServerCatalog;
use crate::config::EngineConfig;
use crate::script::shifted;

pub struct CheckReport {
    /// The plans with their changelog modes, and what to know of them.
    pub text: String,
    pub errors: Vec<Error>,
    /// Of each plan, in the order of the script.
    pub fingerprints: Vec<u64>,
}

/// Plans a script. A statement that is wrong is reported and the next one is looked at.
pub fn check_script(config: &EngineConfig, text: &str) -> CheckReport {
    let catalog = ServerCatalog::default();
    let functions = Functions;
    let mut settings = Settings::default();
    let mut report = CheckReport { text: String::new(), errors: vec![], fingerprints: vec![] };
    for span in split_script(text) {
        let statement = span.of(text);
        let zone = match settings.get(LOCAL_TIME_ZONE) {
            "" | "default" => "UTC",
            zone => zone,
        };
        let evaluator = ConstantEvaluator::new(config.clock.clone(), zone);
        let planner = |settings| Planner {
            catalog: &catalog,
            functions: &functions,
            connectors: &Registry,
            evaluator: &evaluator,
            settings,
            current_database: DEFAULT_DATABASE,
            options: PlannerOptions { batch_snapshot: false },
        };
        let planned = match planner(&settings).plan_text(statement) {
            Ok(planned) => planned,
            Err(e) => {
                report.errors.push(shifted(e, text, span.start as usize));
                continue;
            }
        };
        let line = text[..span.start as usize].matches('\n').count() + 1;
        let explained = match &planned.planned {
            Planned::Insert { plan, .. }
            | Planned::InsertValues { plan, .. }
            | Planned::StatementSet { plan, .. }
            | Planned::Select { plan, .. } => {
                report.fingerprints.push(fingerprint(plan));
                let explain = format!("EXPLAIN CHANGELOG_MODE {statement}");
                match planner(&settings).plan_text(&explain).map(|p| p.planned) {
                    Ok(Planned::Rows { rows, .. }) => {
                        rows.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
                    }
                    _ => String::new(),
                }
            }
            _ => String::new(),
        };
        if !explained.is_empty() || !planned.notices.is_empty() {
            report.text.push_str(&format!("line {line}:\n{}\n", explained.trim_end()));
        }
        for notice in &planned.notices {
            report.text.push_str(&format!("note: {notice}\n"));
        }
        match planned.planned {
            Planned::CreateTable { table, .. } | Planned::CreateMaterializedTable { table, .. }
                if catalog.object(&table.path).is_none() =>
            {
                catalog.put(CatalogObject::Table(Arc::new(table)));
            }
            Planned::CreateView { view, replace, .. } if replace || catalog.object(&view.path).is_none() => {
                catalog.put(CatalogObject::View(Arc::new(view)));
            }
            Planned::Drop { path, .. } => catalog.remove(&path),
            Planned::Set { key, value } => settings.set(key, value),
            Planned::Reset { key: Some(key) } => settings.reset(&key),
            Planned::Reset { key: None } => settings.reset_all(),
            _ => {}
        }
    }
    if report.errors.is_empty() {
        report.text.push_str("ok\n");
    }
    report
}
