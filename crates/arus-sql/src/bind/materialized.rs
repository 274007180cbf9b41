//! CREATE MATERIALIZED TABLE and CREATE VIEW: a query that is kept with the name that it is given.

use arus_core::Result;
use arus_core::catalog::{ColumnKind, ObjectPath, TableColumn, TableDef, TableKind, ViewDef};
use arus_core::error::Code;
use arus_core::plan::Node;

use super::Binder;
use crate::ast::{self, CreateMaterializedTable, CreateView, Query, Span};
use crate::rel::Rel;

impl Binder<'_> {
    pub(crate) fn create_view(&self, c: &CreateView) -> Result<ViewDef> {
        let path = self.new_path(&c.name)?.as_temporary(c.temporary);
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
    pub(crate) fn stored(&self, query: &Query, path: &ObjectPath) -> String {
        let mut text = query.span.of(self.text).to_string();
        if self.database == path.database && self.catalog == path.catalog {
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
            let full =
                [&table.catalog, &table.database, &table.name].map(|p| format!("`{}`", p.replace('`', "``"))).join(".");
            text.replace_range(from - base..to - base, &full);
        }
        text
    }

    /// What CREATE MATERIALIZED TABLE has besides its query, checked; then its query.
    pub(crate) fn materialized_query(&self, c: &CreateMaterializedTable) -> Result<(ObjectPath, Rel)> {
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
        if let Some(start) = c.start_mode.as_ref().filter(|s| !s.mode.value.ends_with("FROM_BEGINNING")) {
            return Err(self
                .unsupported(format!("START_MODE = {}", start.mode.value), start.mode.span)
                .with_hint("a materialized table starts FROM_BEGINNING of its sources; 'scan.startup.mode' of a source says where that is"));
        }
        if let Some(connector) = c.options.iter().find(|o| o.key.value == "connector") {
            return Err(self
                .unsupported("a materialized table in another system", connector.key.span)
                .with_hint("CREATE TABLE with the connector, then INSERT INTO it"));
        }
        let path = self.new_path(&c.name)?;
        let rel = self.root_query(&c.query)?;
        let rel = self.declared_columns(c, rel)?;
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

    /// The query with the columns in the order and of the types that are declared.
    fn declared_columns(&self, c: &CreateMaterializedTable, rel: Rel) -> Result<Rel> {
        if c.columns.is_empty() {
            return Ok(rel);
        }
        let given: Vec<String> = rel.schema.columns().iter().map(|g| g.name.clone()).collect();
        let mut projection = vec![];
        let mut names = vec![];
        for column in self.columns_as(&c.columns, &c.query, &rel)? {
            let ast::ColumnKind::Physical { data_type } = &column.kind else {
                return Err(self
                    .unsupported("a computed or metadata column of a materialized table", column.span)
                    .with_hint("compute it in the query"));
            };
            let name = &column.name.value;
            let Some(index) = given.iter().position(|g| g == name) else {
                let known: Vec<&str> = given.iter().map(String::as_str).collect();
                return Err(self
                    .wrong(
                        Code::UndefinedColumn,
                        format!("column '{name}' is not one of the query's"),
                        column.name.span,
                    )
                    .with_hint(super::near_or_list(name, "columns", &known)));
            };
            let ty = self.column_type(data_type)?;
            let value = rel.column(index);
            projection.push(if super::types::same_values(&value.ty(), &ty) { value } else { self.coerce(value, &ty) });
            names.push(name.clone());
        }
        Ok(if crate::rel::is_identity(&projection, given.len()) { rel } else { rel.project(projection, &names) })
    }

    /// The key that is declared: the rows of the query are unique by it, or they are only appended.
    fn declared_key(
        &self,
        c: &CreateMaterializedTable,
        columns: &mut [TableColumn],
        path: &ObjectPath,
        node: &Node,
    ) -> Result<(Vec<usize>, Option<String>)> {
        let (key, name) = self.primary_key(&c.keys, columns, path)?;
        let Some(written) = c.keys.first() else { return Ok((key, name)) };
        let unique = node.mode.is_insert_only()
            || node.upsert_keys.iter().any(|k| k.len() == key.len() && k.iter().all(|column| key.contains(column)));
        if !unique {
            let of = |keys: &[usize]| keys.iter().map(|k| columns[*k].name.as_str()).collect::<Vec<_>>().join(", ");
            let error = self.unsupported("a PRIMARY KEY that is not the key of the query", written.span);
            return Err(match node.upsert_keys.first() {
                Some(own) => error.with_hint(format!("the query's rows are unique by ({})", of(own))),
                None => error.with_hint("the query's rows are updated without a key; group by the key's columns"),
            });
        }
        for index in &key {
            if node.schema.columns()[*index].ty.nullable {
                let message = format!("column '{}' of the PRIMARY KEY is nullable", columns[*index].name);
                return Err(self
                    .wrong(Code::InvalidValue, message, written.span)
                    .with_hint("give it a value in the query, such as COALESCE(..)"));
            }
        }
        let name = name.unwrap_or_else(|| {
            format!("PK_{}", key.iter().map(|k| columns[*k].name.as_str()).collect::<Vec<_>>().join("_"))
        });
        Ok((key, Some(name)))
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
        let mut columns: Vec<TableColumn> = rel
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
        let watermark = self.watermark(&c.watermarks, &mut columns)?;
        let (declared, primary_key_name) = self.declared_key(c, &mut columns, &path, node)?;
        let appends = node.mode.is_insert_only() && declared.is_empty();
        let own = node.upsert_keys.iter().filter(|k| !k.is_empty()).min_by_key(|k| k.len()).cloned();
        let key = if declared.is_empty() { own } else { Some(declared) };
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
            watermark,
            primary_key,
            primary_key_name,
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
        let catalog = self.planner.catalog;
        let there = match path.temporary {
            true => catalog.object(path).filter(|o| o.path().temporary),
            false => catalog.permanent(path),
        };
        if if_not_exists || there.is_none() {
            return Ok(());
        }
        Err(self
            .wrong(Code::DuplicateObject, format!("table or view '{path}' exists already"), span)
            .with_hint("use another name, add IF NOT EXISTS, or DROP it first"))
    }
}
