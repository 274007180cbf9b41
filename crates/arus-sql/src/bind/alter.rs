//! ALTER TABLE and ALTER VIEW: the tree of the old definition with the change in it, and Flink's refusals.

use arus_core::Result;
use arus_core::catalog::{
    CatalogObject, ColumnKind as Kind, ObjectPath, SYSTEM_DATABASE, TableDef, TableKind, ViewDef,
};
use arus_core::error::Code;

use super::Binder;
use super::tree::{Derived, near_column};
use crate::ast::*;

impl Binder<'_> {
    /// The table that ALTER TABLE means: not a view, not a temporary one. `None`: IF EXISTS, and it is not there.
    pub(crate) fn altered_table(&self, alter: &Alter) -> Result<Option<std::sync::Arc<TableDef>>> {
        let path = self.path(&alter.name)?;
        let table = match self.planner.catalog.object(&path) {
            None if alter.if_exists => return Ok(None),
            None => return Err(self.no_such_table(&path, &alter.name)),
            Some(CatalogObject::View(view)) => {
                return Err(self
                    .wrong(Code::InvalidValue, format!("'{}' is a view, expected a table", view.path), alter.name.span)
                    .with_hint("write ALTER VIEW"));
            }
            Some(CatalogObject::Table(table)) => table,
        };
        if table.path.temporary {
            return Err(self
                .wrong(
                    Code::InvalidValue,
                    format!("'{path}' is a temporary table, which ALTER does not change"),
                    alter.name.span,
                )
                .with_hint("as in Flink: DROP TEMPORARY TABLE, then create it anew"));
        }
        if table.kind == TableKind::System || path.database == SYSTEM_DATABASE {
            return Err(self.wrong(
                Code::PermissionDenied,
                format!("system table '{path}' cannot be altered"),
                alter.name.span,
            ));
        }
        Ok(Some(table))
    }

    /// The table after the change.
    pub(crate) fn alter_table(&self, alter: &Alter, table: &TableDef) -> Result<Derived> {
        let mut tree = self.tree_of(table)?;
        match &alter.action {
            AlterAction::RenameTo(name) => {
                let path = self.renamed(&table.path, name)?;
                let last = |n: &mut ObjectName| {
                    if let Some(last) = n.parts.last_mut() {
                        last.value = path.name.clone();
                    }
                };
                last(&mut tree.name);
            }
            AlterAction::RenameColumn { from, to } => self.rename_column(&mut tree, table, from, to)?,
            AlterAction::Add(elements) => self.add_elements(&mut tree, elements)?,
            AlterAction::Modify(elements) => self.modify_elements(&mut tree, elements)?,
            AlterAction::DropColumns(names) => self.drop_columns(&mut tree, table, names)?,
            AlterAction::DropPrimaryKey if tree.keys.is_empty() => {
                return Err(self.nothing_to_change(table, "primary key", alter.span));
            }
            AlterAction::DropPrimaryKey => tree.keys.clear(),
            AlterAction::DropConstraint(name) => {
                let known =
                    tree.keys.iter().filter_map(|k| k.name.as_ref()).map(|n| n.value.clone()).collect::<Vec<_>>();
                if !known.contains(&name.value) {
                    let hint =
                        if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
                    return Err(self
                        .wrong(
                            Code::InvalidValue,
                            format!("table '{}' has no primary key named '{}'", table.path, name.value),
                            name.span,
                        )
                        .with_hint(hint));
                }
                tree.keys.clear();
            }
            AlterAction::DropWatermark if tree.watermarks.is_empty() => {
                return Err(self.nothing_to_change(table, "watermark", alter.span));
            }
            AlterAction::DropWatermark => tree.watermarks.clear(),
            AlterAction::DropDistribution if tree.distribution.is_none() => {
                return Err(self.nothing_to_change(table, "distribution", alter.span));
            }
            AlterAction::DropDistribution => tree.distribution = None,
            AlterAction::Set(options) => {
                for option in options {
                    tree.options.retain(|o| o.key.value != option.key.value);
                    tree.options.push(option.clone());
                }
            }
            AlterAction::Reset(keys) => {
                if let Some(key) = keys.iter().find(|k| k.value == "connector") {
                    return Err(self
                        .wrong(Code::InvalidOption, "RESET of 'connector'", key.span)
                        .with_hint("what a table is made of does not change: DROP it and create it anew"));
                }
                tree.options.retain(|o| keys.iter().all(|k| k.value != o.key.value));
            }
            _ => return Err(self.unsupported("this form of ALTER TABLE", alter.span)),
        }
        self.bind_tree(&tree, alter.span)
    }

    fn nothing_to_change(&self, table: &TableDef, what: &str, span: Span) -> arus_core::Error {
        self.wrong(Code::InvalidValue, format!("table '{}' has no {what}", table.path), span)
            .with_hint(format!("ALTER TABLE .. ADD adds a {what}"))
    }

    /// The new place of a renamed object: another name in the same database.
    pub(crate) fn renamed(&self, old: &ObjectPath, name: &ObjectName) -> Result<ObjectPath> {
        let path = match name.parts.as_slice() {
            [only] => old.sibling(only.value.clone()),
            _ => self.path(name)?.as_temporary(old.temporary),
        };
        if (&path.catalog, &path.database) != (&old.catalog, &old.database) {
            return Err(self
                .unsupported("a table that moves to another database", name.span)
                .with_hint(format!("rename it within '{}'", old.database)));
        }
        if self.planner.catalog.object(&path).is_some() {
            return Err(self.wrong(Code::DuplicateObject, format!("table or view '{path}' exists already"), name.span));
        }
        Ok(path)
    }

    // ---- columns

    fn add_elements(&self, tree: &mut CreateTable, elements: &AlterElements) -> Result<()> {
        for added in &elements.columns {
            let name = &added.column.name;
            if tree.columns.iter().any(|c| c.name.value == name.value) {
                return Err(self.wrong(
                    Code::DuplicateObject,
                    format!("column '{}' exists already", name.value),
                    name.span,
                ));
            }
            let at = self.position(tree, added, tree.columns.len())?;
            tree.columns.insert(at, added.column.clone());
        }
        if let Some(key) = elements.keys.first() {
            if let Some(old) = tree.keys.first() {
                let names: Vec<&str> = old.columns.iter().map(|c| c.value.as_str()).collect();
                return Err(self
                    .wrong(
                        Code::DuplicateObject,
                        format!("the table has a primary key already: ({})", names.join(", ")),
                        key.span,
                    )
                    .with_hint("MODIFY changes it, DROP PRIMARY KEY takes it away"));
            }
            tree.keys = elements.keys.clone();
        }
        if let Some(watermark) = elements.watermarks.first() {
            if let Some(old) = tree.watermarks.first() {
                return Err(self
                    .wrong(
                        Code::DuplicateObject,
                        format!("the table has a watermark already: {} AS {}", old.column, old.expr),
                        watermark.span,
                    )
                    .with_hint("MODIFY changes it, DROP WATERMARK takes it away"));
            }
            tree.watermarks = elements.watermarks.clone();
        }
        if let Some(distribution) = &elements.distribution {
            if tree.distribution.is_some() {
                return Err(self
                    .wrong(Code::DuplicateObject, "the table has a distribution already", distribution.span)
                    .with_hint("MODIFY changes it, DROP DISTRIBUTION takes it away"));
            }
            tree.distribution = Some(distribution.clone());
        }
        Ok(())
    }

    fn modify_elements(&self, tree: &mut CreateTable, elements: &AlterElements) -> Result<()> {
        for modified in &elements.columns {
            let name = &modified.column.name;
            let Some(at) = tree.columns.iter().position(|c| c.name.value == name.value) else {
                return Err(self.no_column(tree, &name.value, name.span));
            };
            let old = tree.columns.remove(at);
            let mut column = modified.column.clone();
            column.comment = column.comment.or(old.comment);
            let itself = matches!(&modified.position, Some(ColumnPosition::After(n)) if n.value == name.value);
            let to = if itself { at } else { self.position(tree, modified, at)? };
            tree.columns.insert(to, column);
        }
        let missing = |what: &str, span: Span| {
            self.wrong(Code::InvalidValue, format!("the table has no {what}"), span)
                .with_hint(format!("ADD adds a {what}"))
        };
        if let Some(key) = elements.keys.first() {
            if tree.keys.is_empty() {
                return Err(missing("primary key", key.span));
            }
            tree.keys = elements.keys.clone();
        }
        if let Some(watermark) = elements.watermarks.first() {
            if tree.watermarks.is_empty() {
                return Err(missing("watermark", watermark.span));
            }
            tree.watermarks = elements.watermarks.clone();
        }
        if let Some(distribution) = &elements.distribution {
            if tree.distribution.is_none() {
                return Err(missing("distribution", distribution.span));
            }
            tree.distribution = Some(distribution.clone());
        }
        Ok(())
    }

    fn position(&self, tree: &CreateTable, column: &AlterColumn, default: usize) -> Result<usize> {
        match &column.position {
            None => Ok(default),
            Some(ColumnPosition::First) => Ok(0),
            Some(ColumnPosition::After(name)) => match tree.columns.iter().position(|c| c.name.value == name.value) {
                Some(at) => Ok(at + 1),
                None => Err(self.no_column(tree, &name.value, name.span)),
            },
        }
    }

    fn no_column(&self, tree: &CreateTable, name: &str, span: Span) -> arus_core::Error {
        let error = self.wrong(Code::UndefinedColumn, format!("column '{name}' does not exist in this table"), span);
        match near_column(name, &tree.columns) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn drop_columns(&self, tree: &mut CreateTable, table: &TableDef, names: &[ObjectName]) -> Result<()> {
        let gone: Vec<&str> = names.iter().map(|n| n.last().value.as_str()).collect();
        for (i, name) in names.iter().enumerate() {
            if gone[..i].contains(&gone[i]) {
                return Err(self.wrong(Code::DuplicateObject, format!("column '{}' stands twice", gone[i]), name.span));
            }
            self.check_unused(tree, table, name, &gone)?;
        }
        tree.columns.retain(|c| !gone.contains(&c.name.value.as_str()));
        Ok(())
    }

    fn rename_column(&self, tree: &mut CreateTable, table: &TableDef, from: &ObjectName, to: &Ident) -> Result<()> {
        let old = from.last().value.clone();
        let key = tree.keys.first().is_some_and(|k| k.columns.iter().any(|c| c.value == old));
        let keys = std::mem::take(&mut tree.keys);
        self.check_unused(tree, table, from, &[])?;
        tree.keys = keys;
        if tree.columns.iter().any(|c| c.name.value == to.value) {
            return Err(self.wrong(Code::DuplicateObject, format!("column '{}' exists already", to.value), to.span));
        }
        for column in tree.columns.iter_mut().filter(|c| c.name.value == old) {
            column.name = Ident { quoted: true, ..to.clone() };
        }
        if key {
            for k in &mut tree.keys {
                for column in k.columns.iter_mut().filter(|c| c.value == old) {
                    *column = Ident { quoted: true, ..to.clone() };
                }
            }
        }
        Ok(())
    }

    /// The column is there, and nothing that stays refers to it.
    fn check_unused(&self, tree: &CreateTable, table: &TableDef, name: &ObjectName, gone: &[&str]) -> Result<()> {
        let [column] = name.parts.as_slice() else {
            return Err(self.unsupported("ALTER TABLE on a nested field", name.span));
        };
        let Some(index) = table.columns.iter().position(|c| c.name == column.value) else {
            return Err(self.no_column(tree, &column.value, name.span));
        };
        let used = |how: String| {
            self.wrong(Code::InvalidValue, format!("column '{}' {how}", column.value), name.span)
                .with_hint("change or drop what uses it first")
        };
        if tree.keys.iter().any(|k| k.columns.iter().any(|c| c.value == column.value)) {
            return Err(used("is a part of the primary key".into()));
        }
        if tree.partitioned_by.iter().any(|c| c.value == column.value) {
            return Err(used("is a partition column".into()));
        }
        if tree.distribution.iter().any(|d| d.columns.iter().any(|c| c.value == column.value)) {
            return Err(used("is a column of the distribution".into()));
        }
        for other in table.columns.iter().filter(|c| !gone.contains(&c.name.as_str())) {
            let Kind::Computed { expr, .. } = &other.kind else { continue };
            let mut reads = false;
            expr.visit_columns(&mut |i| reads |= i == index);
            if reads {
                return Err(used(format!("is read by the computed column '{}'", other.name)));
            }
        }
        if let Some(watermark) = &table.watermark {
            let mut reads = watermark.column == index;
            watermark.expr.visit_columns(&mut |i| reads |= i == index);
            if reads {
                return Err(used("is read by the watermark".into()));
            }
        }
        Ok(())
    }

    // ---- views

    pub(crate) fn altered_view(&self, alter: &Alter) -> Result<Option<std::sync::Arc<ViewDef>>> {
        let path = self.path(&alter.name)?;
        match self.planner.catalog.object(&path) {
            None if alter.if_exists => Ok(None),
            None => {
                let error = self.no_such_table(&path, &alter.name);
                let hint = error.hint().unwrap_or_default().to_string();
                Err(self
                    .wrong(Code::UndefinedTable, format!("view '{path}' does not exist"), alter.name.span)
                    .with_hint(hint))
            }
            Some(CatalogObject::Table(table)) => Err(self
                .wrong(Code::InvalidValue, format!("'{}' is a table, expected a view", table.path), alter.name.span)
                .with_hint("write ALTER TABLE")),
            Some(CatalogObject::View(view)) if view.path.temporary => Err(self
                .wrong(
                    Code::InvalidValue,
                    format!("'{path}' is a temporary view, which ALTER does not change"),
                    alter.name.span,
                )
                .with_hint("as in Flink: DROP TEMPORARY VIEW, then create it anew")),
            Some(CatalogObject::View(view)) => Ok(Some(view)),
        }
    }

    pub(crate) fn alter_view(&self, alter: &Alter, view: &ViewDef) -> Result<ViewDef> {
        match &alter.action {
            AlterAction::RenameTo(name) => Ok(ViewDef { path: self.renamed(&view.path, name)?, ..view.clone() }),
            AlterAction::As(query) => {
                let rel = self.root_query(query)?;
                Ok(ViewDef { columns: rel.schema.clone(), query: self.stored(query, &view.path), ..view.clone() })
            }
            _ => Err(self.unsupported("this form of ALTER VIEW", alter.span)),
        }
    }
}
