//! `arus check`: every statement planned, none run.

use std::sync::Arc;

use arus_connect::Registry;
use arus_core::Error;
use arus_core::catalog::CatalogObject;
use arus_core::error::Code;
use arus_core::settings::{CATALOG, DATABASE, LOCAL_TIME_ZONE, Settings};
use arus_expr::{ConstantEvaluator, Functions};
use arus_sql::parser::split_script;
use arus_sql::{MaterializedChange, Planned, Planner, PlannerOptions, fingerprint};

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
    let mut unmade: Vec<String> = vec![];
    for span in split_script(text) {
        let statement = span.of(text);
        let zone = match settings.get(LOCAL_TIME_ZONE) {
            "" | "default" => "UTC",
            zone => zone,
        };
        let evaluator = ConstantEvaluator::new(config.clock.clone(), zone, config.seed);
        let planner = |settings| Planner {
            catalog: &catalog,
            functions: &functions,
            connectors: &Registry,
            evaluator: &evaluator,
            settings,
            current_database: Settings::get(settings, DATABASE),
            options: PlannerOptions { batch_snapshot: false },
        };
        let planned = match planner(&settings).plan_text(statement) {
            Ok(planned) => planned,
            Err(e) => {
                // What a wrong statement would have made is missing later: that is no second mistake.
                let follows = e.code() == Code::UndefinedTable
                    && unmade.iter().any(|name| e.message().contains(&format!("'{name}'")));
                unmade.extend(made_by(statement));
                if !follows {
                    report.errors.push(shifted(e, text, span.start as usize));
                }
                continue;
            }
        };
        let line = text[..span.start as usize].matches('\n').count() + 1;
        let explained = match &planned.planned {
            Planned::Insert { plan, .. }
            | Planned::InsertValues { plan, .. }
            | Planned::StatementSet { plan, .. }
            | Planned::CreateAlert { plan, .. }
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
            Planned::CreateTable { table, .. }
            | Planned::CreateTableAs { table, .. }
            | Planned::CreateMaterializedTable { table, .. }
                if !catalog.has(&table.path) =>
            {
                catalog.put(CatalogObject::Table(Arc::new(table)));
            }
            Planned::CreateTableAs { table, replace: true, .. } => catalog.put(CatalogObject::Table(Arc::new(table))),
            Planned::AlterTable { old, table, .. } => {
                catalog.remove(&old);
                catalog.put(CatalogObject::Table(Arc::new(table)));
            }
            Planned::AlterMaterialized { change: MaterializedChange::Redefine { table, .. }, .. } => {
                catalog.put(CatalogObject::Table(Arc::from(table)));
            }
            Planned::AlterView { old, view, .. } => {
                catalog.remove(&old);
                catalog.put(CatalogObject::View(Arc::new(view)));
            }
            Planned::AlterPartitions { table, add, partitions } => catalog.change_partitions(&table, add, partitions),
            Planned::CreateView { view, replace, .. } if replace || !catalog.has(&view.path) => {
                catalog.put(CatalogObject::View(Arc::new(view)));
            }
            Planned::Drop { path, .. } => catalog.remove(&path),
            Planned::PutCatalog(def) => catalog.put_catalog(def),
            Planned::DropCatalog { name } => catalog.remove_catalog(&name),
            Planned::PutDatabase(def) => catalog.put_database(def),
            Planned::DropDatabase { catalog: within, name, objects } => {
                objects.iter().for_each(|path| catalog.remove(path));
                catalog.remove_database(&within, &name);
            }
            Planned::UseDatabase { catalog, name } => {
                settings.set(CATALOG, catalog);
                settings.set(DATABASE, name);
            }
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

/// The name of the table or view that a CREATE statement is about, however wrong the rest of it is.
fn made_by(statement: &str) -> Option<String> {
    let mut words = statement.split(|c: char| c.is_whitespace() || c == '(').filter(|w| !w.is_empty());
    words.find(|w| w.eq_ignore_ascii_case("CREATE"))?;
    words.find(|w| w.eq_ignore_ascii_case("TABLE") || w.eq_ignore_ascii_case("VIEW"))?;
    let name = words.find(|w| !["IF", "NOT", "EXISTS"].iter().any(|k| w.eq_ignore_ascii_case(k)))?;
    name.rsplit('.').next().map(|last| last.trim_matches('`').to_string())
}
