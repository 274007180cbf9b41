//! What sinks take, and Flink's checks of what they are given.

use arus_core::catalog::{ConnectorCatalog, TableDef, TableKind};
use arus_core::error::Code;
use arus_core::plan::{
    ChangelogMode, ConflictStrategy, LengthEnforcer, Node, NodeId, Op, PhysicalPlan, SinkTarget, UpsertMaterialize,
};
use arus_core::settings::{REQUIRE_ON_CONFLICT, STATE_TTL, Settings, TYPE_LENGTH_ENFORCER, UPSERT_MATERIALIZE};
use arus_core::{Error, Result, TimeAttribute};

use super::changelog::Kinds;
use crate::explain::{Notation, node_text};

/// Row kinds that a sink takes.
pub(crate) fn sink_mode(target: &SinkTarget, connectors: &dyn ConnectorCatalog) -> ChangelogMode {
    match target {
        SinkTarget::Collect => ChangelogMode::ALL,
        SinkTarget::Table(table) => match table.kind {
            TableKind::System => ChangelogMode::INSERT_ONLY,
            TableKind::Topic => table
                .option("format")
                .and_then(|f| connectors.format(f))
                .map_or(ChangelogMode::INSERT_ONLY, |f| f.encoding_mode()),
            TableKind::Keyed if table.hidden_count => ChangelogMode::ALL,
            TableKind::Keyed => ChangelogMode::UPSERT,
            TableKind::Connector => table
                .connector()
                .and_then(|c| connectors.connector(c))
                .map_or(ChangelogMode::ALL, |c| c.sink_mode(table)),
        },
    }
}

/// The primary key in the columns that the sink gets.
pub(super) fn sink_key(table: &TableDef) -> Vec<usize> {
    let columns = table.sink_columns();
    table.primary_key.iter().filter_map(|k| columns.iter().position(|c| c == k)).collect()
}

pub(super) fn same_columns(a: &[usize], b: &[usize]) -> bool {
    a.iter().all(|c| b.contains(c)) && b.iter().all(|c| a.contains(c))
}

/// Whether every operator and the sink take the kinds of changes that reach them.
pub(super) fn check_kinds(
    plan: &PhysicalPlan,
    kinds: &[Kinds],
    id: NodeId,
    connectors: &dyn ConnectorCatalog,
) -> Result<()> {
    let node = &plan.nodes[id];
    let changes = |id: NodeId| kinds[id].update || kinds[id].delete;
    if let Some(sort) = sort_over_changes(plan, id, &changes) {
        let below = plan.nodes[sort].inputs[0];
        return Err(Error::user(format!(
            "TemporalSort doesn't support consuming {} changes which is produced by node {}",
            named(kinds[below]),
            node_text(plan, producer(plan, below, &changes), Notation::Prefix)
        ))
        .with_code(Code::NotSupported)
        .with_hint(
            "rows that change have no place in the order of time: sort what they are made from, or add LIMIT n",
        ));
    }
    let Op::Sink(sink) = &node.op else {
        return Err(Error::bug("the root of a plan is no sink"));
    };
    let SinkTarget::Table(table) = &sink.target else {
        return Ok(());
    };
    let managed = matches!(table.kind, TableKind::Topic | TableKind::Keyed);
    if managed && reads(plan, id, table) {
        return Err(Error::user(format!("table '{}' is written by a query that reads it", table.path))
            .with_code(Code::Conflict)
            .with_hint("write to another table"));
    }
    check_rowtimes(table, &plan.nodes[node.inputs[0]])?;
    let accepts = sink_mode(&sink.target, connectors);
    let refused =
        Kinds { update: kinds[id].update && !accepts.update_after, delete: kinds[id].delete && !accepts.delete };
    if refused == Kinds::default() {
        return Ok(());
    }
    Err(Error::user(format!(
        "table sink '{}' doesn't support consuming {} changes which is produced by node {}",
        table.path.full(),
        named(refused),
        node_text(plan, producer(plan, id, &changes), Notation::Prefix)
    ))
    .with_code(Code::Conflict)
    .with_hint(match table.kind {
        TableKind::Topic => {
            "a topic only takes new rows: declare PRIMARY KEY (..) NOT ENFORCED to make it a keyed table, or group by a window"
        }
        _ => "this sink only takes new rows: group by a window, or write to a table with a PRIMARY KEY",
    }))
}

fn named(kinds: Kinds) -> &'static str {
    match (kinds.update, kinds.delete) {
        (true, true) => "update and delete",
        (false, true) => "delete",
        _ => "update",
    }
}

/// Decides what stands before the sink, once its input's mode is known.
pub(super) fn settle_sink(
    plan: &mut PhysicalPlan,
    id: NodeId,
    settings: &Settings,
    connectors: &dyn ConnectorCatalog,
) -> Result<()> {
    let Op::Sink(sink) = &plan.nodes[id].op else {
        return Err(Error::bug("the root of a plan is no sink"));
    };
    let SinkTarget::Table(table) = sink.target.clone() else {
        return Ok(());
    };
    let conflict = sink.conflict;
    let input = &plan.nodes[plan.nodes[id].inputs[0]];
    let key = sink_key(&table);
    let appends = input.mode.is_insert_only() || sink_mode(&sink.target, connectors).is_insert_only();
    if let Some(strategy) = conflict {
        check_conflict(plan, id, &table, strategy, appends)?;
    }
    let by_key = input.upsert_keys.iter().any(|k| k.iter().all(|c| key.contains(c)));
    let setting = settings.get(UPSERT_MATERIALIZE).to_ascii_uppercase();
    let keyed = !key.is_empty() && !table.hidden_count;
    let materialize = match setting.as_str() {
        "NONE" => false,
        "FORCE" => keyed,
        "AUTO" => keyed && !appends && !by_key,
        other => {
            return Err(Error::user(format!(
                "setting '{UPSERT_MATERIALIZE}': expected AUTO, FORCE or NONE, found '{other}'"
            ))
            .with_code(Code::InvalidValue));
        }
    };
    if materialize && !appends && !by_key && conflict.is_none() && settings.flag(REQUIRE_ON_CONFLICT)? {
        return Err(other_key(&table, &key, input));
    }
    let upsert_key = input.upsert_keys.iter().min_by_key(|k| k.len()).cloned().unwrap_or_default();
    let state_ttl_ms = settings.duration_ms(STATE_TTL)?;
    let length = length_enforcer(settings)?;
    if let Op::Sink(sink) = &mut plan.nodes[id].op {
        sink.materialize = materialize.then_some(UpsertMaterialize { keys: key, upsert_key, state_ttl_ms });
        sink.length = length;
    }
    Ok(())
}

fn length_enforcer(settings: &Settings) -> Result<Option<LengthEnforcer>> {
    match settings.get(TYPE_LENGTH_ENFORCER).to_ascii_uppercase().as_str() {
        "IGNORE" => Ok(None),
        "TRIM_PAD" => Ok(Some(LengthEnforcer::TrimPad)),
        "ERROR" => Ok(Some(LengthEnforcer::Error)),
        other => Err(Error::user(format!(
            "setting '{TYPE_LENGTH_ENFORCER}': expected IGNORE, TRIM_PAD or ERROR, found '{other}'"
        ))
        .with_code(Code::InvalidValue)),
    }
}

fn check_conflict(
    plan: &PhysicalPlan,
    id: NodeId,
    table: &TableDef,
    strategy: ConflictStrategy,
    appends: bool,
) -> Result<()> {
    if appends {
        return Err(Error::user(format!(
            "ON CONFLICT clause is only allowed for upsert sinks: the sink '{}' is not an upsert sink because it only accepts INSERT (append-only) changes",
            table.path.full()
        ))
        .with_code(Code::Conflict)
        .with_hint("the query only appends rows: leave ON CONFLICT out"));
    }
    let mut without: Vec<String> = vec![];
    sources(plan, id, &mut |scan| {
        let name = scan.path.full();
        if scan.watermark.is_none() && !without.contains(&name) {
            without.push(name);
        }
    });
    if strategy == ConflictStrategy::Deduplicate || without.is_empty() {
        return Ok(());
    }
    Err(Error::user(format!(
        "ON CONFLICT DO {strategy} requires all source tables to define watermarks, but the following source(s) do not: {}",
        without.join(", ")
    ))
    .with_code(Code::Conflict)
    .with_hint("add a WATERMARK to these tables, or write ON CONFLICT DO DEDUPLICATE"))
}

fn sources(plan: &PhysicalPlan, id: NodeId, visit: &mut impl FnMut(&TableDef)) {
    if let Op::Scan(scan) = &plan.nodes[id].op {
        visit(&scan.table);
    }
    for input in &plan.nodes[id].inputs {
        sources(plan, *input, visit);
    }
}

/// Rows of one primary key come from several of the query's keys.
fn other_key(table: &TableDef, key: &[usize], input: &Node) -> Error {
    let names = |columns: &[usize]| {
        columns.iter().map(|c| input.schema.columns()[*c].name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let columns = table.sink_columns();
    let primary: Vec<&str> = key.iter().map(|k| table.columns[columns[*k]].name.as_str()).collect();
    let found = match input.upsert_keys.as_slice() {
        [] => "none".to_string(),
        keys => keys.iter().map(|k| format!("[{}]", names(k))).collect::<Vec<_>>().join(" or "),
    };
    Error::user(format!(
        "the query has an upsert key that differs from the primary key of the sink table '{}': primary key [{}], upsert key {found}",
        table.path.full(),
        primary.join(", ")
    ))
    .with_code(Code::Conflict)
    .with_hint("group by the columns of the primary key, declare the query's key as the primary key, or say what happens: ON CONFLICT DO DEDUPLICATE (the newest row counts; keeps all of them in state)")
}

fn reads(plan: &PhysicalPlan, id: NodeId, table: &TableDef) -> bool {
    match &plan.nodes[id].op {
        Op::Scan(scan) => scan.table.path == table.path,
        _ => plan.nodes[id].inputs.iter().any(|i| reads(plan, *i, table)),
    }
}

/// The first sort by time above changes.
fn sort_over_changes(plan: &PhysicalPlan, id: NodeId, changes: &impl Fn(NodeId) -> bool) -> Option<NodeId> {
    let node = &plan.nodes[id];
    if matches!(node.op, Op::TemporalSort(_)) && changes(node.inputs[0]) {
        return Some(id);
    }
    node.inputs.iter().find_map(|i| sort_over_changes(plan, *i, changes))
}

/// Flink gives each record of a sink one time.
fn check_rowtimes(table: &TableDef, input: &Node) -> Result<()> {
    let columns = input.schema.columns().iter();
    let times = columns.filter(|c| c.ty.kind.time_attribute() == TimeAttribute::Rowtime);
    let names: Vec<&str> = times.map(|c| c.name.as_str()).collect();
    if table.kind != TableKind::Connector || names.len() < 2 {
        return Ok(());
    }
    Err(Error::user(format!(
        "the query contains more than one rowtime attribute column [{}] for writing into table '{}'",
        names.join(", "),
        table.path.full()
    ))
    .with_code(Code::Conflict)
    .with_hint(format!("keep one as the time of the row: CAST({} AS TIMESTAMP(3)), or TIMESTAMP_LTZ(3)", names[0])))
}

/// The highest node from which the changes come.
fn producer(plan: &PhysicalPlan, id: NodeId, changes: &impl Fn(NodeId) -> bool) -> NodeId {
    let node = &plan.nodes[id];
    if matches!(node.op, Op::GroupAggregate(_) | Op::ChangelogNormalize(_)) {
        return id;
    }
    node.inputs.iter().find(|i| changes(**i)).map_or(id, |i| producer(plan, *i, changes))
}
