//! Tables made from other tables: LIKE, CREATE TABLE .. AS, ALTER TABLE.
//!
//! Each works on the statement that the table would be made by: the tree of the old one is changed, written out and bound again, so that every
//! rule of CREATE TABLE holds for the result, and the text that is kept is the whole of the new definition.

use arus_core::catalog::{CatalogObject, TableDef};
use arus_core::error::Code;
use arus_core::schema::RowSchema;
use arus_core::{Error, Result};

use super::Binder;
use crate::ast::*;
use crate::nearest::nearest;
use crate::parser::{parse_data_type, parse_statement};
use crate::rel::Rel;
use crate::show;

/// A table that is not written as it is made: its definition, and the statement that makes it again.
pub(crate) struct Derived {
    pub(crate) table: TableDef,
    pub(crate) sql: String,
}

impl Binder<'_> {
    /// The tree of the statement that makes this table again.
    pub(crate) fn tree_of(&self, table: &TableDef) -> Result<CreateTable> {
        let text = show::table_statement(table);
        match parse_statement(&text).map(|s| s.kind) {
            Ok(StatementKind::CreateTable(tree)) => Ok(*tree),
            Ok(_) => Err(Error::bug(format!("the definition of '{}' is no CREATE TABLE", table.path))),
            Err(e) => Err(Error::bug(format!("the definition of '{}' cannot be read: {e}", table.path))),
        }
    }

    /// Binds a tree that was put together here; errors point at `span` of the user's text.
    pub(crate) fn bind_tree(&self, tree: &CreateTable, span: Span) -> Result<Derived> {
        let sql = Statement { kind: StatementKind::CreateTable(Box::new(tree.clone())), span }.to_string();
        let statement = parse_statement(&sql).map_err(|e| Error::bug(format!("{sql} cannot be read: {e}")))?;
        let StatementKind::CreateTable(tree) = statement.kind else {
            return Err(Error::bug(format!("{sql} is no CREATE TABLE")));
        };
        let inner = self.beside(&sql);
        let bound = inner.create_table(&tree);
        self.notices.borrow_mut().extend(inner.notices.take());
        let table = bound.map_err(|e| self.placed(e, span))?;
        let sql = show::table_statement(&table);
        Ok(Derived { table, sql })
    }

    /// An error about another text, at a place of this one.
    pub(crate) fn placed(&self, error: Error, span: Span) -> Error {
        error.with_location(self.at(span))
    }

    // ---- LIKE

    /// `CREATE TABLE t (..) LIKE base (..)`
    pub(crate) fn create_table_like(&self, c: &CreateTable, like: &TableLike) -> Result<Derived> {
        let base = match self.object(&like.name)? {
            CatalogObject::Table(table) => table,
            CatalogObject::View(view) => {
                return Err(self.wrong(
                    Code::InvalidValue,
                    format!("'{}' of LIKE is a view, expected a table", view.path),
                    like.name.span,
                ));
            }
        };
        let mut base = self.tree_of(&base)?;
        let strategies = Strategies::new(self, like)?;
        let mut tree = c.clone();
        tree.like = None;
        tree.columns = self.like_columns(&mut base, c, &strategies)?;
        tree.watermarks = self.like_watermarks(base.watermarks, c, &strategies)?;
        if strategies.of("CONSTRAINTS") != "EXCLUDING" && !base.keys.is_empty() {
            if let Some(key) = c.keys.first() {
                return Err(self
                    .wrong(
                        Code::DuplicateObject,
                        format!("the base table '{}' has a primary key already", like.name),
                        key.span,
                    )
                    .with_hint("add EXCLUDING CONSTRAINTS"));
            }
            tree.keys = base.keys;
        }
        // As in Flink, EXCLUDING makes room for others and does not take these away.
        if let Some(written) = &c.distribution
            && base.distribution.is_some()
            && strategies.of("DISTRIBUTION") != "EXCLUDING"
        {
            return Err(self
                .wrong(
                    Code::DuplicateObject,
                    format!("the base table '{}' has a distribution already", like.name),
                    written.span,
                )
                .with_hint("add EXCLUDING DISTRIBUTION"));
        }
        tree.distribution = c.distribution.clone().or(base.distribution);
        if !c.partitioned_by.is_empty() && !base.partitioned_by.is_empty() && strategies.of("PARTITIONS") != "EXCLUDING"
        {
            return Err(self
                .wrong(
                    Code::DuplicateObject,
                    format!("the base table '{}' has partitions already", like.name),
                    c.partitioned_by[0].span,
                )
                .with_hint("add EXCLUDING PARTITIONS"));
        }
        if tree.partitioned_by.is_empty() {
            tree.partitioned_by = base.partitioned_by;
        }
        tree.options = self.like_options(base.options, c, &strategies)?;
        self.bind_tree(&tree, c.name.span)
    }

    fn like_columns(&self, base: &mut CreateTable, c: &CreateTable, strategies: &Strategies) -> Result<Vec<ColumnDef>> {
        let mut columns = std::mem::take(&mut base.columns);
        columns.retain(|column| match column.kind {
            ColumnKind::Computed { .. } => strategies.of("GENERATED") != "EXCLUDING",
            ColumnKind::Metadata { .. } => strategies.of("METADATA") != "EXCLUDING",
            _ => true,
        });
        let inherited = columns.len();
        for column in &c.columns {
            let Some(at) = columns.iter().position(|o| o.name.value == column.name.value) else {
                columns.push(column.clone());
                continue;
            };
            let name = &column.name.value;
            let wrong = |message: String| self.wrong(Code::DuplicateObject, message, column.name.span);
            if at >= inherited {
                return Err(wrong(format!("column '{name}' stands twice")));
            }
            let feature = match (&column.kind, &columns[at].kind) {
                (ColumnKind::Computed { .. }, ColumnKind::Computed { .. }) => "GENERATED",
                (ColumnKind::Metadata { .. }, ColumnKind::Metadata { .. }) => "METADATA",
                _ => return Err(wrong(format!("a column named '{name}' exists already in the base table"))),
            };
            if strategies.of(feature) != "OVERWRITING" {
                let what = if feature == "GENERATED" { "computed" } else { "metadata" };
                return Err(wrong(format!("a {what} column named '{name}' exists already in the base table"))
                    .with_hint(format!("add EXCLUDING {feature} or OVERWRITING {feature}")));
            }
            columns[at] = column.clone();
        }
        Ok(columns)
    }

    fn like_watermarks(
        &self,
        base: Vec<WatermarkDef>,
        c: &CreateTable,
        strategies: &Strategies,
    ) -> Result<Vec<WatermarkDef>> {
        if strategies.of("WATERMARKS") == "EXCLUDING" {
            return Ok(c.watermarks.clone());
        }
        let mut watermarks = base;
        for w in &c.watermarks {
            let same = |o: &WatermarkDef| o.column.last().value == w.column.last().value;
            match watermarks.iter().position(same) {
                None => watermarks.push(w.clone()),
                Some(at) if strategies.of("WATERMARKS") == "OVERWRITING" => watermarks[at] = w.clone(),
                Some(_) => {
                    return Err(self
                        .wrong(
                            Code::DuplicateObject,
                            format!("the base table has a watermark for column '{}' already", w.column.last().value),
                            w.span,
                        )
                        .with_hint("add EXCLUDING WATERMARKS or OVERWRITING WATERMARKS"));
                }
            }
        }
        Ok(watermarks)
    }

    fn like_options(
        &self,
        base: Vec<TableOption>,
        c: &CreateTable,
        strategies: &Strategies,
    ) -> Result<Vec<TableOption>> {
        let strategy = strategies.of("OPTIONS");
        let mut options = if strategy == "EXCLUDING" { vec![] } else { base };
        for option in &c.options {
            match options.iter().position(|o| o.key.value == option.key.value) {
                None => options.push(option.clone()),
                Some(at) if strategy == "OVERWRITING" => options[at] = option.clone(),
                Some(at) => {
                    let (key, value) = (&option.key.value, &options[at].value.value);
                    return Err(self
                        .wrong(
                            Code::DuplicateObject,
                            format!("the base table has the option '{key}' = '{value}' already"),
                            option.key.span,
                        )
                        .with_hint("add EXCLUDING OPTIONS or OVERWRITING OPTIONS"));
                }
            }
        }
        Ok(options)
    }

    // ---- AS

    /// `CREATE TABLE t (..) AS SELECT ..`: the table, and the INSERT that fills it.
    pub(crate) fn create_table_as(&self, c: &CreateTable, query: &Query) -> Result<(Derived, Insert)> {
        if c.temporary {
            return Err(self
                .unsupported("CREATE TEMPORARY TABLE .. AS", c.name.span)
                .with_hint("as in Flink: create the table, then INSERT INTO it"));
        }
        let rel = self.root_query(query)?;
        let mut tree = c.clone();
        tree.query = None;
        tree.replace = None;
        tree.columns = self.columns_as(&c.columns, query, &rel)?;
        self.check_key_as(c, &rel)?;
        let names = rel.schema.columns().iter().map(|column| ObjectName {
            parts: vec![Ident { value: column.name.clone(), quoted: true, span: query.span }],
            span: query.span,
        });
        let insert = Insert {
            overwrite: false,
            table: c.name.clone(),
            hints: vec![],
            partition: vec![],
            columns: names.collect(),
            query: query.clone(),
            on_conflict: None,
            span: query.span,
        };
        Ok((self.bind_tree(&tree, c.name.span)?, insert))
    }

    /// The columns of a table that is made from a query: those declared alone, then the query's in their order.
    pub(crate) fn columns_as(&self, written: &[ColumnDef], query: &Query, rel: &Rel) -> Result<Vec<ColumnDef>> {
        let given = rel.schema.columns();
        let reorders = !written.is_empty() && written.iter().all(|d| matches!(d.kind, ColumnKind::Name));
        if reorders {
            if written.len() != given.len() {
                return Err(self.wrong(
                    Code::TypeMismatch,
                    format!("the column list names {} columns, the query gives {}", written.len(), given.len()),
                    written[0].span.to(written[written.len() - 1].span),
                ));
            }
            return written.iter().map(|column| self.column_as(&rel.schema, &column.name, query)).collect();
        }
        let mut columns: Vec<ColumnDef> =
            written.iter().filter(|d| given.iter().all(|g| g.name != d.name.value)).cloned().collect();
        for g in given {
            let name = Ident { value: g.name.clone(), quoted: true, span: query.span };
            let Some(declared) = written.iter().find(|d| d.name.value == g.name) else {
                columns.push(self.column_as(&rel.schema, &name, query)?);
                continue;
            };
            if let ColumnKind::Physical { data_type } = &declared.kind {
                let to = self.column_type(data_type)?;
                if !super::insert::implicit_cast_exists(&g.ty, &to) || (g.ty.nullable && !to.nullable) {
                    return Err(self
                        .wrong(
                            Code::TypeMismatch,
                            format!("column '{}' is declared {to}, but the query gives {}", g.name, g.ty),
                            declared.span,
                        )
                        .with_hint(format!("CAST it in the query to {}", to.kind)));
                }
            }
            columns.push(declared.clone());
        }
        Ok(columns)
    }

    /// A key column that the query gives is NOT NULL there.
    fn check_key_as(&self, c: &CreateTable, rel: &Rel) -> Result<()> {
        for key in &c.keys {
            let nullable = |name: &&Ident| {
                c.columns.iter().all(|d| d.name.value != name.value)
                    && rel.schema.columns().iter().any(|g| g.name == name.value && g.ty.nullable)
            };
            if let Some(name) = key.columns.iter().find(nullable) {
                return Err(self
                    .wrong(
                        Code::InvalidValue,
                        format!("column '{}' of the PRIMARY KEY is nullable", name.value),
                        name.span,
                    )
                    .with_hint("give it a value in the query, such as COALESCE(..)"));
            }
        }
        Ok(())
    }

    /// A column of the query as a column of the table.
    fn column_as(&self, schema: &RowSchema, name: &Ident, query: &Query) -> Result<ColumnDef> {
        let Some(column) = schema.columns().iter().find(|g| g.name == name.value) else {
            let names: Vec<&str> = schema.columns().iter().map(|g| g.name.as_str()).collect();
            return Err(self
                .wrong(Code::UndefinedColumn, format!("column '{}' is not one of the query's", name.value), name.span)
                .with_hint(super::near_or_list(&name.value, "columns", &names)));
        };
        if column.ty.kind.is_interval() {
            return Err(
                self.unsupported(format!("INTERVAL as the type of a column ('{}')", column.name), query.body.span())
            );
        }
        let text = show::type_text(&column.ty.clone().without_time_attribute());
        let data_type = parse_data_type(&text).map_err(|e| Error::bug(format!("type {text}: {e}")))?;
        let name = Ident { value: column.name.clone(), quoted: true, span: name.span };
        Ok(ColumnDef { name, kind: ColumnKind::Physical { data_type }, comment: None, span: query.span })
    }
}

/// What LIKE takes of the base table: a strategy for each feature.
struct Strategies(Vec<(&'static str, String)>);

impl Strategies {
    const FEATURES: [&'static str; 7] =
        ["CONSTRAINTS", "DISTRIBUTION", "GENERATED", "METADATA", "OPTIONS", "PARTITIONS", "WATERMARKS"];

    fn new(binder: &Binder<'_>, like: &TableLike) -> Result<Strategies> {
        for (i, option) in like.options.iter().enumerate() {
            let overwrites = ["GENERATED", "METADATA", "OPTIONS", "WATERMARKS"];
            if option.strategy == "OVERWRITING" && !overwrites.contains(&option.feature.as_str()) {
                return Err(binder
                    .wrong(
                        Code::InvalidValue,
                        format!("OVERWRITING {}: it can only be included or excluded", option.feature),
                        option.span,
                    )
                    .with_hint(format!("OVERWRITING is for {}", overwrites.join(", "))));
            }
            if like.options[..i].iter().any(|o| o.feature == option.feature) {
                return Err(binder.wrong(
                    Code::DuplicateObject,
                    format!("{} stands twice in LIKE", option.feature),
                    option.span,
                ));
            }
        }
        let all = like.options.iter().find(|o| o.feature == "ALL");
        let strategy = |feature: &'static str| {
            let own = like.options.iter().find(|o| o.feature == feature).or(all);
            let default = if feature == "OPTIONS" { "OVERWRITING" } else { "INCLUDING" };
            (feature, own.map_or_else(|| default.to_string(), |o| o.strategy.clone()))
        };
        Ok(Strategies(Self::FEATURES.into_iter().map(strategy).collect()))
    }

    fn of(&self, feature: &str) -> &str {
        self.0.iter().find(|(f, _)| *f == feature).map_or("INCLUDING", |(_, s)| s)
    }
}

/// The hint of a misspelt column.
pub(crate) fn near_column(name: &str, columns: &[ColumnDef]) -> Option<String> {
    nearest(name, columns.iter().map(|c| c.name.value.as_str())).map(|near| format!("did you mean '{near}'?"))
}
