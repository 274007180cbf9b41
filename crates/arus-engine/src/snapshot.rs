//! The newest epoch as ad-hoc queries read it: keyed tables, topics, views, side tables, system tables.

use std::sync::Arc;

use arus_core::catalog::{Catalog, CatalogObject, ObjectPath, SYSTEM_DATABASE, TableDef};
use arus_core::change::arrow_bug;
use arus_core::expr::Expr;
use arus_core::plan::{ChangelogMode, Node, Op, PLAN_VERSION, PhysicalPlan, Scan, Sink, SinkTarget, Uid};
use arus_core::read::{BatchIterator, Cut, ReadTable, ReadTableKind, Snapshot};
use arus_core::settings::{READ_DAMAGE, Settings};
use arus_core::{Result, RowSchema};
use arus_query::SnapshotSource;
use arus_sql::Planned;
use arus_storage::table::TableSnapshot;

use crate::bounded;
use crate::published::{Published, PublishedTable};
use crate::read_cache::ReadKey;
use crate::shared::Shared;
use crate::status;

pub(crate) struct Snapshots(pub(crate) Arc<Shared>);

impl SnapshotSource for Snapshots {
    fn latest(&self) -> Arc<dyn Snapshot> {
        Arc::new(EngineSnapshot { shared: self.0.clone(), published: self.0.published(), skip_damage: false })
    }
}

pub(crate) struct EngineSnapshot {
    pub(crate) shared: Arc<Shared>,
    pub(crate) published: Arc<Published>,
    /// Damaged records of topics are left out.
    pub(crate) skip_damage: bool,
}

impl Snapshot for EngineSnapshot {
    fn cut(&self) -> Cut {
        self.published.cut
    }

    fn as_of_ms(&self) -> i64 {
        self.published.as_of_ms
    }

    fn databases(&self) -> Vec<String> {
        self.shared.catalog.databases()
    }

    fn table_names(&self, database: &str) -> Vec<String> {
        if database == SYSTEM_DATABASE {
            return status::names();
        }
        let mut names: Vec<String> =
            self.published.tables.keys().filter(|p| p.database == database).map(|p| p.name.clone()).collect();
        names.extend(self.shared.catalog.objects(database).into_iter().filter_map(|object| match object {
            CatalogObject::View(view) => Some(view.path.name.clone()),
            CatalogObject::Table(_) => None,
        }));
        names.sort();
        names
    }

    fn table(&self, path: &ObjectPath) -> Option<Arc<dyn ReadTable>> {
        if path.database == SYSTEM_DATABASE {
            return status::table(&self.shared, &self.published, &path.name);
        }
        if let Some(found) = self.published.tables.get(path) {
            return Some(self.managed(path, found));
        }
        if let Some((name, side)) = path.name.rsplit_once('$') {
            let found = self.published.tables.get(&path.sibling(name))?;
            let rows = match side {
                "late" => &found.late,
                "quarantine" => &found.quarantine,
                _ => return None,
            };
            return Some(Arc::new(SideTable::new(path.clone(), rows.clone())));
        }
        match self.shared.catalog.object(path)? {
            CatalogObject::View(view) => {
                let quoted = |name: &str| arus_sql::unparse::quoted_name(name);
                let sql = format!("SELECT * FROM {}.{}", quoted(&path.database), quoted(&path.name));
                Some(Arc::new(Planless {
                    path: path.clone(),
                    kind: ReadTableKind::View,
                    schema: view.columns.clone(),
                    shared: self.shared.clone(),
                    published: self.published.clone(),
                    settings: self.settings(),
                    source: RowSource::Sql(sql),
                }))
            }
            CatalogObject::Table(_) => None,
        }
    }
}

impl EngineSnapshot {
    /// What its reads are planned and run with.
    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        if self.skip_damage {
            settings.set(READ_DAMAGE, "skip");
        }
        settings
    }

    /// The rows of a table's topic from these offsets on.
    pub(crate) fn rows_after(
        &self,
        path: &ObjectPath,
        found: &PublishedTable,
        starts: Vec<i64>,
    ) -> Option<Arc<dyn ReadTable>> {
        found.table.topic()?;
        Some(Arc::new(Planless {
            path: path.clone(),
            kind: ReadTableKind::Table,
            schema: found.table.def.row_schema(),
            shared: self.shared.clone(),
            published: self.published.clone(),
            settings: self.settings(),
            source: RowSource::Tail(found.table.def.clone(), starts),
        }))
    }

    fn managed(&self, path: &ObjectPath, found: &PublishedTable) -> Arc<dyn ReadTable> {
        if let (Some(rows), Ok(())) = (&found.rows, found.table.check_whole()) {
            return Arc::new(rows.clone().named(path.clone(), ReadTableKind::Table));
        }
        Arc::new(Planless {
            path: path.clone(),
            kind: ReadTableKind::Table,
            schema: found.table.def.row_schema(),
            shared: self.shared.clone(),
            published: self.published.clone(),
            settings: self.settings(),
            source: RowSource::Table(found.table.def.clone()),
        })
    }
}

enum RowSource {
    Table(Arc<TableDef>),
    /// From these offsets on.
    Tail(Arc<TableDef>, Vec<i64>),
    Sql(String),
}

/// A table or view that a bounded pipeline reads.
struct Planless {
    path: ObjectPath,
    kind: ReadTableKind,
    schema: RowSchema,
    shared: Arc<Shared>,
    published: Arc<Published>,
    settings: Settings,
    source: RowSource,
}

impl ReadTable for Planless {
    fn path(&self) -> &ObjectPath {
        &self.path
    }

    fn kind(&self) -> ReadTableKind {
        self.kind
    }

    fn schema(&self) -> &RowSchema {
        &self.schema
    }

    fn primary_key(&self) -> &[usize] {
        &[]
    }

    fn scan(&self, projection: &[usize], _limit: Option<usize>) -> Result<BatchIterator> {
        match &self.source {
            RowSource::Table(def) => self.scan_kept(def, projection),
            RowSource::Tail(def, starts) => self.scan_topic(def, projection, Some(starts)),
            RowSource::Sql(sql) => {
                let settings = &self.settings;
                let Planned::Select { plan, .. } = self.shared.plan(sql, settings, true)?.planned else {
                    return Err(arus_core::Error::bug("a view is no query"));
                };
                let rows = bounded::rows(&self.shared, &self.published, &plan, settings)?;
                let columns = projection.to_vec();
                Ok(Box::new(rows.map(move |batch| batch?.project(&columns).map_err(arrow_bug))))
            }
        }
    }

    fn rows(&self) -> Option<u64> {
        None
    }

    fn query(&self) -> Option<String> {
        match self.shared.catalog.object(&self.path)? {
            CatalogObject::View(view) => Some(view.query.clone()),
            CatalogObject::Table(_) => None,
        }
    }

    fn comment(&self) -> Option<String> {
        match self.shared.catalog.object(&self.path)? {
            CatalogObject::View(view) => view.comment.clone(),
            CatalogObject::Table(table) => table.comment.clone(),
        }
    }
}

impl Planless {
    fn skips_damage(&self) -> bool {
        self.settings.get(READ_DAMAGE) == "skip"
    }

    /// The rows of a topic; those of an earlier read are not decoded again.
    fn scan_kept(&self, def: &Arc<TableDef>, projection: &[usize]) -> Result<BatchIterator> {
        let found = self.published.tables.get(&self.path);
        let topic = found.and_then(|f| f.table.topic().map(|topic| (f, topic)));
        // What an expression makes of a row may change with the time.
        let computed = |i: &usize| matches!(def.columns[*i].kind, arus_core::catalog::ColumnKind::Computed { .. });
        // What is left out of one read is not left out of every read.
        let keeps = !self.skips_damage() && !projection.iter().any(computed);
        let Some((found, topic)) = topic.filter(|_| keeps) else {
            return self.scan_topic(def, projection, None);
        };
        let starts: Vec<i64> = topic.partitions().iter().map(|p| p.start_offset()).collect();
        let ends = found.ends.clone();
        let key = ReadKey { table: found.table.layout(), columns: projection.to_vec() };
        let cache = &self.shared.read_cache;
        let known = cache.get(&key, &starts, &ends);
        let rest: BatchIterator = match known.ends.as_slice() {
            known if known == ends => Box::new(std::iter::empty()),
            [] => self.scan_topic(def, projection, None)?,
            known => self.scan_topic(def, projection, Some(known))?,
        };
        Ok(cache.keep(key, starts, ends, known, rest))
    }

    /// The rows of a topic, from these offsets on.
    fn scan_topic(&self, def: &Arc<TableDef>, projection: &[usize], starts: Option<&[i64]>) -> Result<BatchIterator> {
        let plan = scan_plan(def, projection);
        let rows = bounded::rows_from(&self.shared, &self.published, &plan, &self.settings, starts)?;
        let (schema, columns) = (self.schema.to_arrow(), projection.to_vec());
        // A count reads no columns: the batches keep their number of rows.
        Ok(Box::new(rows.map(move |batch| {
            let batch = batch?;
            let wanted = Arc::new(schema.project(&columns).map_err(arrow_bug)?);
            let count = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let kept = batch.columns()[..columns.len()].to_vec();
            arrow::array::RecordBatch::try_new_with_options(wanted, kept, &count).map_err(arrow_bug)
        })))
    }
}

/// All that a read of these columns needs: scan -> collect. At least one column is read, since rows have to be counted.
fn scan_plan(def: &Arc<TableDef>, projection: &[usize]) -> PhysicalPlan {
    let wanted = if projection.is_empty() { vec![0] } else { projection.to_vec() };
    let mut read: Vec<usize> = vec![];
    let mut output = vec![];
    for &index in &wanted {
        let column = &def.columns[index];
        let mut expr = match &column.kind {
            arus_core::catalog::ColumnKind::Computed { expr, .. } => expr.clone(),
            _ => Expr::column(index, column.ty.clone()),
        };
        expr.visit_columns(&mut |i| {
            if !read.contains(&i) {
                read.push(i);
            }
        });
        expr.map_columns(&|i| read.iter().position(|r| *r == i).unwrap_or(0));
        output.push(expr);
    }
    let all = def.row_schema();
    let schema: RowSchema = wanted.iter().map(|i| all.columns()[*i].clone()).collect();
    let node = |uid: u64, op: Op, inputs: Vec<usize>| Node {
        uid: Uid(uid),
        op,
        inputs,
        schema: schema.clone(),
        mode: ChangelogMode::INSERT_ONLY,
        upsert_keys: vec![],
    };
    let scan = Scan { table: def.clone(), read, output, watermark: None };
    PhysicalPlan {
        version: PLAN_VERSION,
        nodes: vec![node(1, Op::Scan(scan), vec![]), node(2, Op::Sink(Sink::to(SinkTarget::Collect)), vec![0])],
    }
}

/// `t$late` and `t$quarantine`, without the column that names the row.
struct SideTable {
    path: ObjectPath,
    schema: RowSchema,
    rows: TableSnapshot,
}

impl SideTable {
    fn new(path: ObjectPath, rows: TableSnapshot) -> Self {
        let schema = rows.schema().columns().iter().skip(1).cloned().collect();
        SideTable { path, schema, rows }
    }
}

impl ReadTable for SideTable {
    fn path(&self) -> &ObjectPath {
        &self.path
    }

    fn kind(&self) -> ReadTableKind {
        ReadTableKind::System
    }

    fn schema(&self) -> &RowSchema {
        &self.schema
    }

    fn primary_key(&self) -> &[usize] {
        &[]
    }

    fn scan(&self, projection: &[usize], limit: Option<usize>) -> Result<BatchIterator> {
        let shifted: Vec<usize> = projection.iter().map(|i| i + 1).collect();
        Ok(self.rows.scan(&shifted, limit))
    }

    fn rows(&self) -> Option<u64> {
        Some(self.rows.len())
    }
}
