//! CREATE TABLE: columns, watermark, keys and options to a table's definition.

use std::collections::BTreeMap;

use arus_core::catalog::{ColumnKind, ObjectPath, SYSTEM_DATABASE, TableColumn, TableDef, TableKind, WatermarkDef};
use arus_core::connector::VALUE_METADATA;
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::schema::{Column, RowSchema};
use arus_core::types::{LogicalType, TimeAttribute, TypeKind};
use arus_core::{Error, Result};

use super::expr::Cx;
use super::scope::Scope;
use super::types::same_values;
use super::{Binder, near_or_list};
use crate::ast::{
    self, CreateTable, Distribution, DistributionKind, Ident, KeyDef, ObjectName, Span, TableOption, Text,
};

impl Binder<'_> {
    pub(crate) fn create_table(&self, c: &CreateTable) -> Result<TableDef> {
        let path = self.new_path(&c.name)?.as_temporary(c.temporary);
        if c.columns.is_empty() {
            return Err(self.wrong(Code::Syntax, format!("table '{path}' has no columns"), c.name.span));
        }
        let options = self.options(&c.options)?;
        let mut columns = self.plain_columns(&c.columns, &options, &path)?;
        self.computed_columns(&c.columns, &mut columns)?;
        let watermark = self.watermark(&c.watermarks, &mut columns)?;
        let (primary_key, primary_key_name) = self.primary_key(&c.keys, &mut columns, &path)?;
        let partition_keys = self.column_indexes(&c.partitioned_by, &columns, "PARTITIONED BY")?;
        if let Some(d) = &c.distribution {
            self.column_indexes(&d.columns, &columns, "DISTRIBUTED BY")?;
        }
        let spans =
            |name: &str| c.options.iter().rev().find(|o| o.key.value == name).map(|o| (o.key.span, o.value.span));
        self.validate_options(&options, &columns, &path, c.name.span, &spans)?;
        let kind = match (options.contains_key("connector"), primary_key.is_empty()) {
            (true, _) => TableKind::Connector,
            (false, true) => TableKind::Topic,
            (false, false) => TableKind::Keyed,
        };
        self.check_managed(kind, &columns, &partition_keys, c)?;
        let table = TableDef {
            path,
            kind,
            columns,
            watermark,
            primary_key,
            primary_key_name,
            partition_keys,
            distribution: c.distribution.as_ref().map(distribution),
            options,
            comment: c.comment.as_ref().map(|t| t.value.clone()),
            temporary: c.temporary,
            query: None,
            hidden_count: false,
        };
        self.check_connector(&table, c.name.span)?;
        Ok(table)
    }

    /// What the connector has to say of the whole table.
    fn check_connector(&self, table: &TableDef, span: Span) -> Result<()> {
        let connector = table.connector().and_then(|name| self.planner.connectors.connector(name));
        let Some(Err(found)) = connector.map(|c| c.check(table)) else { return Ok(()) };
        let error = self.wrong(found.code(), found.message().to_string(), span);
        Err(match found.hint() {
            Some(hint) => error.with_hint(hint),
            None => error,
        })
    }

    /// The place of a new object: its database exists and takes objects.
    pub(crate) fn new_path(&self, name: &ObjectName) -> Result<ObjectPath> {
        let path = self.path(name)?;
        if path.database == SYSTEM_DATABASE {
            return Err(self
                .wrong(
                    Code::PermissionDenied,
                    format!("database '{SYSTEM_DATABASE}' holds the system tables"),
                    name.span,
                )
                .with_hint("create it in another database"));
        }
        if !self.planner.catalog.databases_in(&path.catalog).contains(&path.database) {
            return Err(self.no_such_table(&path, name));
        }
        let plain = !path.name.is_empty() && !path.name.contains(['$', '\0', '/']);
        if !plain {
            return Err(self
                .wrong(Code::InvalidValue, format!("'{}' cannot be a table's name", path.name), name.last().span)
                .with_hint("a name has at least one letter, and no '$' or '/': those name side tables and files"));
        }
        Ok(path)
    }

    pub(crate) fn options(&self, written: &[TableOption]) -> Result<BTreeMap<String, String>> {
        let mut options = BTreeMap::new();
        for option in written {
            if options.insert(option.key.value.clone(), option.value.value.clone()).is_some() {
                return Err(self.wrong(
                    Code::DuplicateObject,
                    format!("option '{}' stands twice", option.key.value),
                    option.key.span,
                ));
            }
        }
        Ok(options)
    }

    /// Physical and metadata columns; computed ones are left with a placeholder.
    fn plain_columns(
        &self,
        written: &[ast::ColumnDef],
        options: &BTreeMap<String, String>,
        path: &ObjectPath,
    ) -> Result<Vec<TableColumn>> {
        let mut columns: Vec<TableColumn> = vec![];
        for c in written {
            if columns.iter().any(|o| o.name == c.name.value) {
                return Err(self.wrong(
                    Code::DuplicateObject,
                    format!("column '{}' stands twice in table '{path}'", c.name.value),
                    c.name.span,
                ));
            }
            let (ty, kind) = match &c.kind {
                ast::ColumnKind::Physical { data_type } => (self.column_type(data_type)?, ColumnKind::Physical),
                ast::ColumnKind::Metadata { data_type, key, is_virtual } => {
                    let ty = self.column_type(data_type)?;
                    self.check_metadata(c, key.as_ref(), &ty, data_type.span, options)?;
                    let key = key.as_ref().map(|k| k.value.clone()).filter(|k| *k != c.name.value);
                    (ty, ColumnKind::Metadata { key, is_virtual: *is_virtual })
                }
                ast::ColumnKind::Computed { expr } => {
                    let sql = expr.span.of(self.text).to_string();
                    let placeholder = Expr::literal(arus_core::Datum::Null, TypeKind::Null.nullable());
                    (TypeKind::Null.nullable(), ColumnKind::Computed { expr: placeholder, sql })
                }
                ast::ColumnKind::Name => {
                    return Err(self
                        .wrong(Code::Syntax, format!("column '{}' has no type", c.name.value), c.name.span)
                        .with_hint("write the type behind the name"));
                }
            };
            let comment = c.comment.as_ref().map(|t| t.value.clone());
            columns.push(TableColumn { name: c.name.value.clone(), ty, kind, comment });
        }
        Ok(columns)
    }

    fn check_metadata(
        &self,
        c: &ast::ColumnDef,
        key: Option<&Text>,
        ty: &LogicalType,
        type_span: Span,
        options: &BTreeMap<String, String>,
    ) -> Result<()> {
        let name = key.map_or(c.name.value.as_str(), |k| k.value.as_str());
        let span = key.map_or(c.name.span, |k| k.span);
        let (owner, known) = match options.get("connector") {
            // A connector that does not exist is refused with the options.
            Some(connector) => match self.planner.connectors.connector(connector) {
                Some(found) => (format!("connector '{connector}'"), found.metadata()),
                None => return Ok(()),
            },
            None => ("a topic".to_string(), managed_metadata()),
        };
        // What the format finds in the value; topics forward it.
        let format = options.get("format").filter(|_| !options.contains_key("connector"));
        let of_value = format.and_then(|f| self.planner.connectors.format(f)).map(|f| f.metadata()).unwrap_or_default();
        let mut known: Vec<(String, LogicalType)> = known.into_iter().map(|(k, ty)| (k.to_string(), ty)).collect();
        known.extend(of_value.into_iter().map(|(k, ty)| (format!("{VALUE_METADATA}{k}"), ty)));
        let Some((_, actual)) = known.iter().find(|(k, _)| k == name) else {
            let names: Vec<&str> = known.iter().map(|(k, _)| k.as_str()).collect();
            let hint =
                if names.is_empty() { "it has none".to_string() } else { near_or_list(name, "metadata keys", &names) };
            return Err(self
                .wrong(Code::InvalidOption, format!("{owner} has no metadata key '{name}'"), span)
                .with_hint(hint));
        };
        if !same_values(actual, ty) {
            return Err(self
                .unsupported(format!("metadata '{name}' of type {} declared as {}", actual.kind, ty.kind), type_span)
                .with_hint(format!("declare it {} and CAST it in a computed column", actual.kind)));
        }
        Ok(())
    }

    /// Computed columns read the plain ones, never each other.
    fn computed_columns(&self, written: &[ast::ColumnDef], columns: &mut [TableColumn]) -> Result<()> {
        let plain: Vec<usize> =
            (0..columns.len()).filter(|i| !matches!(columns[*i].kind, ColumnKind::Computed { .. })).collect();
        let schema: RowSchema =
            plain.iter().map(|i| Column { name: columns[*i].name.clone(), ty: columns[*i].ty.clone() }).collect();
        let scope = Scope::one(vec![], schema);
        for (i, c) in written.iter().enumerate() {
            let ast::ColumnKind::Computed { expr: e } = &c.kind else {
                continue;
            };
            let mut cx = Cx::scalar(&scope, "a computed column");
            let mut expr = self.expr(e, &mut cx).map_err(|error| {
                let computed = |w: &&ast::ColumnDef| {
                    matches!(w.kind, ast::ColumnKind::Computed { .. })
                        && error.message().starts_with(&format!("column '{}' does not exist", w.name.value))
                };
                match written.iter().find(computed) {
                    Some(_) => error.with_hint("a computed column cannot read another computed column"),
                    None => error,
                }
            })?;
            expr.map_columns(&|index| plain[index]);
            if expr.ty().kind == TypeKind::Null {
                return Err(self.illegal_null(e.span));
            }
            columns[i].ty = expr.ty();
            columns[i].kind = ColumnKind::Computed { expr, sql: self.quoted(e.span, cx.bare) };
        }
        Ok(())
    }

    pub(crate) fn watermark(
        &self,
        written: &[ast::WatermarkDef],
        columns: &mut [TableColumn],
    ) -> Result<Option<WatermarkDef>> {
        let Some(w) = written.first() else {
            return Ok(None);
        };
        if let Some(second) = written.get(1) {
            return Err(self.wrong(Code::Syntax, "a table has one WATERMARK", second.span));
        }
        let [name] = w.column.parts.as_slice() else {
            return Err(self
                .wrong(
                    Code::InvalidValue,
                    format!("WATERMARK for the nested field '{}'", w.column.span.of(self.text)),
                    w.column.span,
                )
                .with_hint("make a computed column of it and declare the WATERMARK on that"));
        };
        let column = self.column_index(name, columns)?;
        let time_type = columns[column].ty.clone();
        if !is_time(&time_type) {
            return Err(self.no_time("column", &name.value, &time_type, name.span));
        }
        let schema: RowSchema = columns.iter().map(|c| Column { name: c.name.clone(), ty: c.ty.clone() }).collect();
        let scope = Scope::one(vec![], schema);
        let mut cx = Cx::scalar(&scope, "a WATERMARK");
        let expr = self.expr(&w.expr, &mut cx)?;
        let ty = expr.ty();
        let same_kind = std::mem::discriminant(&ty.kind) == std::mem::discriminant(&time_type.kind);
        if !is_time(&ty) || !same_kind {
            return Err(self.no_time("expression for", &name.value, &ty, w.expr.span));
        }
        set_rowtime(&mut columns[column].ty);
        Ok(Some(WatermarkDef { column, expr, sql: self.quoted(w.expr.span, cx.bare) }))
    }

    /// The text of an expression with the names at `bare` in back-ticks, as Flink keeps it.
    fn quoted(&self, span: Span, mut bare: Vec<Span>) -> String {
        bare.sort_by_key(|s| s.start);
        bare.dedup();
        let mut text = String::new();
        let mut from = span.start;
        for name in bare {
            text.push_str(Span { start: from, end: name.start }.of(self.text));
            text.push_str(&crate::unparse::quoted_name(name.of(self.text)));
            from = name.end;
        }
        text.push_str(Span { start: from, end: span.end }.of(self.text));
        text
    }

    fn no_time(&self, what: &str, name: &str, found: &LogicalType, span: Span) -> Error {
        self.wrong(
            Code::TypeMismatch,
            format!(
                "WATERMARK: the {what} '{name}' must be TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3, found {}",
                found.kind
            ),
            span,
        )
        .with_hint(match found.kind {
            TypeKind::Timestamp { .. } => "declare it as TIMESTAMP(3)",
            TypeKind::TimestampLtz { .. } => "declare it as TIMESTAMP_LTZ(3)",
            TypeKind::BigInt | TypeKind::Int => "add a computed column: ts AS TO_TIMESTAMP_LTZ(column, 3)",
            _ => "add a computed column: ts AS TO_TIMESTAMP(column)",
        })
    }

    pub(crate) fn primary_key(
        &self,
        keys: &[KeyDef],
        columns: &mut [TableColumn],
        path: &ObjectPath,
    ) -> Result<(Vec<usize>, Option<String>)> {
        if let Some(unique) = keys.iter().find(|k| k.unique) {
            return Err(self.unsupported("UNIQUE", unique.span).with_hint("a table may have a PRIMARY KEY"));
        }
        let Some(key) = keys.first() else {
            return Ok((vec![], None));
        };
        if let Some(second) = keys.get(1) {
            return Err(self.wrong(Code::DuplicateObject, format!("table '{path}' has two primary keys"), second.span));
        }
        if key.enforced != Some(false) {
            return Err(self.wrong(Code::InvalidValue, "PRIMARY KEY without NOT ENFORCED", key.span).with_hint(
                "write PRIMARY KEY (..) NOT ENFORCED: like Flink, Arus does not check it on the data of others",
            ));
        }
        let indexes = self.column_indexes(&key.columns, columns, "PRIMARY KEY")?;
        for (index, name) in indexes.iter().zip(&key.columns) {
            if !matches!(columns[*index].kind, ColumnKind::Physical) {
                return Err(self.wrong(
                    Code::InvalidValue,
                    format!("column '{}' of the PRIMARY KEY is not a physical column", name.value),
                    name.span,
                ));
            }
            columns[*index].ty.nullable = false;
        }
        Ok((indexes, key.name.as_ref().map(|n| n.value.clone())))
    }

    fn column_index(&self, name: &Ident, columns: &[TableColumn]) -> Result<usize> {
        columns.iter().position(|c| c.name == name.value).ok_or_else(|| {
            let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
            self.wrong(
                Code::UndefinedColumn,
                format!("column '{}' does not exist in this table", name.value),
                name.span,
            )
            .with_hint(near_or_list(&name.value, "columns", &names))
        })
    }

    fn column_indexes(&self, names: &[Ident], columns: &[TableColumn], clause: &str) -> Result<Vec<usize>> {
        let mut indexes: Vec<usize> = vec![];
        for name in names {
            let index = self.column_index(name, columns)?;
            if indexes.contains(&index) {
                return Err(self.wrong(
                    Code::DuplicateObject,
                    format!("column '{}' stands twice in {clause}", name.value),
                    name.span,
                ));
            }
            indexes.push(index);
        }
        Ok(indexes)
    }

    fn check_managed(
        &self,
        kind: TableKind,
        columns: &[TableColumn],
        partition_keys: &[usize],
        c: &CreateTable,
    ) -> Result<()> {
        if kind == TableKind::Connector {
            return Ok(());
        }
        if !partition_keys.is_empty() {
            return Err(self
                .unsupported("PARTITIONED BY on a table without a connector", c.partitioned_by[0].span)
                .with_hint("'partitions' = 'n' gives a topic n partitions"));
        }
        let physical = columns.iter().any(|c| matches!(c.kind, ColumnKind::Physical));
        let metadata = columns.iter().any(|c| matches!(c.kind, ColumnKind::Metadata { .. }));
        if !physical && !metadata {
            return Err(self.wrong(Code::InvalidValue, "a table needs a column that is not computed", c.name.span));
        }
        if kind == TableKind::Keyed && metadata {
            let column = c.columns.iter().find(|c| matches!(c.kind, ast::ColumnKind::Metadata { .. }));
            let span = column.map_or(c.name.span, |c| c.span);
            return Err(self.unsupported("a METADATA column of a keyed table", span));
        }
        Ok(())
    }
}

fn is_time(ty: &LogicalType) -> bool {
    matches!(ty.kind, TypeKind::Timestamp { precision: 0..=3, .. } | TypeKind::TimestampLtz { precision: 0..=3, .. })
}

fn set_rowtime(ty: &mut LogicalType) {
    if let TypeKind::Timestamp { attribute, .. } | TypeKind::TimestampLtz { attribute, .. } = &mut ty.kind {
        *attribute = TimeAttribute::Rowtime;
    }
}

/// What a record of a topic carries besides its value: Kafka's keys, and the raw bytes.
pub fn managed_metadata() -> Vec<(&'static str, LogicalType)> {
    let ltz = TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None };
    let headers = TypeKind::Map(Box::new(TypeKind::STRING.not_null()), Box::new(TypeKind::BYTES.nullable()));
    vec![
        ("topic", TypeKind::STRING.not_null()),
        ("partition", TypeKind::Int.not_null()),
        ("offset", TypeKind::BigInt.not_null()),
        ("timestamp", ltz.not_null()),
        ("headers", headers.not_null()),
        ("key", TypeKind::BYTES.nullable()),
        ("value", TypeKind::BYTES.nullable()),
        ("text", TypeKind::STRING.nullable()),
    ]
}

fn distribution(d: &Distribution) -> String {
    let kind = match d.kind {
        Some(DistributionKind::Hash) => "HASH",
        Some(DistributionKind::Range) => "RANGE",
        None => "",
    };
    let mut text = String::new();
    if !d.columns.is_empty() {
        let columns: Vec<String> = d.columns.iter().map(|c| format!("`{}`", c.value.replace('`', "``"))).collect();
        text = format!("{kind}({})", columns.join(", "));
    }
    if let Some(n) = d.buckets {
        text.push_str(&format!("{}INTO {n} BUCKETS", if text.is_empty() { "" } else { " " }));
    }
    text
}
