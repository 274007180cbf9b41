//! What EXPLAIN adds that only a server knows: which sources go through an internal topic.

use arus_core::settings::Settings;
use arus_sql::Planned;
use arus_sql::ast::{ExplainTarget, StatementKind};
use arus_sql::parser::parse_statement;

use crate::shared::{INBOX_SUFFIX, Shared};
use crate::tables::Store;

/// The section of an EXPLAIN whose sources cannot be read again; `None` where there is nothing to say.
pub(crate) fn inbox_note(shared: &Shared, statement: &str, settings: &Settings) -> Option<String> {
    let StatementKind::Explain(explain) = parse_statement(statement).ok()?.kind else { return None };
    let target = match &explain.target {
        ExplainTarget::Query(query) => query.to_string(),
        ExplainTarget::Insert(insert) => insert.to_string(),
        ExplainTarget::StatementSet(inserts) => {
            let inserts: Vec<String> = inserts.iter().map(|insert| format!("{insert};\n")).collect();
            format!("BEGIN STATEMENT SET;\n{}END", inserts.concat())
        }
        ExplainTarget::CreateTable(_)
        | ExplainTarget::Why(_)
        | ExplainTarget::Analyze(_)
        | ExplainTarget::Alert { .. } => return None,
        ExplainTarget::CreateAlert(alert) => alert.to_string(),
        ExplainTarget::CreateMaterializedTable(table) => table.to_string(),
    };
    let plan = match shared.plan(&target, settings, false).ok()?.planned {
        Planned::Select { plan, .. }
        | Planned::Insert { plan, .. }
        | Planned::StatementSet { plan, .. }
        | Planned::CreateAlert { plan, .. }
        | Planned::CreateMaterializedTable { plan, .. } => plan,
        _ => return None,
    };
    let mut lines: Vec<String> = vec![];
    for (_, scan) in plan.scans() {
        let path = &scan.table.path;
        let through = shared.tables.get(path).is_some_and(|t| matches!(t.store, Store::Connector { inbox: Some(_) }));
        if through {
            let connector = scan.table.connector().unwrap_or_default();
            lines.push(format!(
                "{path}: connector '{connector}' cannot be read again, so its rows go through the internal topic '{path}{INBOX_SUFFIX}'\n"
            ));
        }
    }
    lines.sort();
    lines.dedup();
    (!lines.is_empty()).then(|| format!("\n== Internal Topics ==\n{}", lines.concat()))
}
