//! CREATE MATERIALIZED TABLE and CREATE VIEW: a query that is kept with the name that it is given.

use arus_core::Result;
use arus_core::catalog::{ColumnKind, ObjectPath, TableColumn, TableDef, TableKind, ViewDef};
use arus_core::error::Code;
use arus_core::plan::Node;

use super::Binder;
use crate::ast::{CreateMaterializedTable, CreateView, Query, Span};
use crate::rel::Rel;

impl Binder<'_> {
    pub(crate) fn create_view(&self, c: &CreateView) -> Result<ViewDef> {
        let path = self.new_path(&c.name)?;
        let rel = self.root_query(&c.query)?;
        let rel = self.rename(rel, &c.columns, c.name.span)?;
        let columns = rel.schema.clone();
        Ok(ViewDef {
            query: self.stored(&c.query, &path),
            path,
            columns,
            comment: c.comment.as_ref().map(|t| t.value.clone()),
            temporary: c.temporary,
        })
    }

    /// The query's text, with full names where a name would mean another table in the database of `path`.
    fn stored(&self, query: &Query, path: &ObjectPath) -> String {
        let mut text = query.span.of(self.text).to_string();
        if self.database == path.database {
            return text;
        }
        let mut named = self.named.borrow().clone();
        named.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        named.dedup_by_key(|(span, _)| span.start);
        for (span, table) in named {
            let (from, to) = (span.start as usize, span.end as usize);
            let base = query.span.start as usize;
            if from < base || to > query.span.end as usize {
                continue;
            }
            let full = [arus_core::catalog::DEFAULT_CATALOG, &table.database, &table.name]
                .map(|p| format!("`{}`", p.replace('`', "``")))
                .join(".");
            text.replace_range(from - base..to - base, &full);
        }
        text
    }

    /// What CREATE MATERIALIZED TABLE has besides its query, checked; then its query.
    pub(crate) fn materialized_query(&self, c: &CreateMaterializedTable) -> Result<(ObjectPath, Rel)> {
        if c.or_alter {
            return Err(self.unsupported("CREATE OR ALTER MATERIALIZED TABLE", c.name.span));
        }
        if let Some(column) = c.columns.first() {
            return Err(self
                .unsupported("a column list of a materialized table", column.span)
                .with_hint("its columns are those of its query: name them with AS"));
        }
        if let Some(w) = c.watermarks.first() {
            return Err(self.unsupported("a WATERMARK of a materialized table", w.span));
        }
        if let Some(key) = c.keys.first() {
            return Err(self
                .unsupported("a PRIMARY KEY of a materialized table", key.span)
                .with_hint("the key is that of its query: what it groups by"));
        }
        if let Some(column) = c.partitioned_by.first() {
            return Err(self.unsupported("PARTITIONED BY of a materialized table", column.span));
        }
        if let Some(d) = &c.distribution {
            return Err(self.unsupported("DISTRIBUTED BY of a materialized table", d.span));
        }
        if let Some(mode) = c.refresh_mode.as_ref().filter(|m| !m.value.eq_ignore_ascii_case("CONTINUOUS")) {
            return Err(self
                .unsupported(format!("REFRESH_MODE = {}", mode.value), mode.span)
                .with_hint("leave it out: the table is refreshed continuously"));
        }
        if let Some(mode) = &c.start_mode {
            return Err(self.unsupported("START_MODE", mode.span));
        }
        if let Some(connector) = c.options.iter().find(|o| o.key.value == "connector") {
            return Err(self
                .unsupported("a materialized table in another system", connector.key.span)
                .with_hint("CREATE TABLE with the connector, then INSERT INTO it"));
        }
        let path = self.new_path(&c.name)?;
        let rel = self.root_query(&c.query)?;
        for column in rel.schema.columns() {
            if column.ty.kind.is_interval() {
                return Err(self.unsupported(
                    format!("INTERVAL as the type of a column ('{}')", column.name),
                    c.query.body.span(),
                ));
            }
        }
        Ok((path, rel))
    }

    /// The table of a query whose result `node` gives: appended rows make a topic, updated ones a keyed table.
    pub(crate) fn materialized_table(
        &self,
        c: &CreateMaterializedTable,
        path: ObjectPath,
        rel: &Rel,
        node: &Node,
    ) -> Result<TableDef> {
        let options = self.options(&c.options)?;
        let columns: Vec<TableColumn> = rel
            .schema
            .columns()
            .iter()
            .map(|column| TableColumn {
                name: column.name.clone(),
                ty: column.ty.clone().without_time_attribute(),
                kind: ColumnKind::Physical,
                comment: None,
            })
            .collect();
        let spans =
            |name: &str| c.options.iter().rev().find(|o| o.key.value == name).map(|o| (o.key.span, o.value.span));
        self.validate_options(&options, &columns, &path, c.name.span, &spans)?;
        let appends = node.mode.is_insert_only();
        let key = node.upsert_keys.iter().filter(|k| !k.is_empty()).min_by_key(|k| k.len()).cloned();
        let hidden_count = !appends && key.is_none();
        let primary_key = match (appends, key) {
            (true, _) => vec![],
            (false, Some(key)) => key,
            (false, None) => (0..columns.len()).collect(),
        };
        Ok(TableDef {
            query: Some(self.stored(&c.query, &path)),
            path,
            kind: if appends { TableKind::Topic } else { TableKind::Keyed },
            columns,
            watermark: None,
            primary_key,
            primary_key_name: None,
            partition_keys: vec![],
            distribution: None,
            options,
            comment: c.comment.as_ref().map(|t| t.value.clone()),
            temporary: false,
            hidden_count,
        })
    }

    /// An object of that name must not be there yet.
    pub(crate) fn check_free(&self, path: &ObjectPath, if_not_exists: bool, span: Span) -> Result<()> {
        if if_not_exists || self.planner.catalog.object(path).is_none() {
            return Ok(());
        }
        Err(self
            .wrong(Code::DuplicateObject, format!("table or view '{path}' exists already"), span)
            .with_hint("use another name, add IF NOT EXISTS, or DROP it first"))
    }
}
