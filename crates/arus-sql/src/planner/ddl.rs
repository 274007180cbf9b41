//! Statements that change the catalog: what CREATE, ALTER, DROP and USE come to.

use std::collections::BTreeMap;

use arus_core::catalog::{
    CatalogDef, CatalogObject, DEFAULT_CATALOG, DatabaseDef, ObjectPath, PartitionSpec, TableKind,
};
use arus_core::error::Code;
use arus_core::plan::PhysicalPlan;
use arus_core::{Error, Result};

use super::{MaterializedChange, Planned, Planner};
use crate::ast::*;
use crate::bind::Binder;
use crate::explain::state_notes;
use crate::nearest::nearest;
use crate::physical::Root;
use crate::show;

/// The only type of catalog.
pub(crate) const IN_MEMORY: &str = "generic_in_memory";

impl Planner<'_> {
    pub(super) fn create_table(
        &self,
        c: &CreateTable,
        binder: &Binder<'_>,
        notices: &mut Vec<String>,
    ) -> Result<Planned> {
        if let Some(query) = &c.query {
            return self.create_table_as(c, query, binder, notices);
        }
        let (table, sql) = match &c.like {
            Some(like) => {
                let derived = binder.create_table_like(c, like)?;
                (derived.table, Some(derived.sql))
            }
            None => (binder.create_table(c)?, None),
        };
        binder.check_free(&table.path, c.if_not_exists, c.name.span)?;
        Ok(Planned::CreateTable { table, if_not_exists: c.if_not_exists, sql })
    }

    fn create_table_as(
        &self,
        c: &CreateTable,
        query: &Query,
        binder: &Binder<'_>,
        notices: &mut Vec<String>,
    ) -> Result<Planned> {
        let (derived, insert) = binder.create_table_as(c, query)?;
        let path = &derived.table.path;
        let there = self.catalog.permanent(path);
        match c.replace {
            None => binder.check_free(path, c.if_not_exists, c.name.span)?,
            Some(Replace::Replace) if there.is_none() => {
                return Err(binder
                    .wrong(
                        Code::UndefinedTable,
                        format!("table '{path}', which is to be replaced, does not exist"),
                        c.name.span,
                    )
                    .with_hint("write CREATE OR REPLACE TABLE .. AS"));
            }
            Some(_) => {
                if let Some(other) =
                    there.as_ref().filter(|o| !matches!(o, CatalogObject::Table(t) if t.query.is_none()))
                {
                    let message = format!("'{}' is no table that can be replaced", other.path());
                    return Err(binder.wrong(Code::InvalidValue, message, c.name.span));
                }
            }
        }
        // As in Flink, a table that is there takes the rows as it is.
        let target = match there {
            Some(CatalogObject::Table(table)) if c.if_not_exists => table,
            _ => std::sync::Arc::new(derived.table.clone()),
        };
        let insert =
            if c.if_not_exists && *target != derived.table { Insert { columns: vec![], ..insert } } else { insert };
        let plan = self.plan_insert(&insert, target, binder)?;
        notices.extend(state_notes(&plan));
        Ok(Planned::CreateTableAs {
            if_not_exists: c.if_not_exists,
            replace: c.replace.is_some(),
            insert: insert.to_string(),
            table: derived.table,
            sql: derived.sql,
            plan,
        })
    }

    fn plan_insert(
        &self,
        insert: &Insert,
        table: std::sync::Arc<arus_core::catalog::TableDef>,
        binder: &Binder<'_>,
    ) -> Result<PhysicalPlan> {
        let (rel, _) = binder.insert_into(insert, table)?;
        self.physical(vec![Root { rel, at: binder.at(insert.table.span) }])
    }

    // ---- catalogs and databases

    pub(super) fn create_catalog(&self, c: &CreateCatalog, binder: &Binder<'_>) -> Result<Planned> {
        let def = CatalogDef {
            name: c.name.value.clone(),
            comment: c.comment.as_ref().map(|t| t.value.clone()),
            options: binder.options(&c.options)?,
        };
        if self.catalog.catalogs().iter().any(|o| o.name == def.name) {
            if c.if_not_exists {
                return Ok(Planned::Nothing);
            }
            let message = format!("catalog '{}' exists already", def.name);
            return Err(binder.wrong(Code::DuplicateObject, message, c.name.span));
        }
        check_catalog_options(binder, &def, c.name.span)?;
        Ok(Planned::PutCatalog(def))
    }

    fn alter_catalog(&self, alter: &Alter, binder: &Binder<'_>) -> Result<Planned> {
        let name = alter.name.last();
        binder.check_catalog(name)?;
        let found = self.catalog.catalogs().into_iter().find(|c| c.name == name.value);
        let mut def = found.ok_or_else(|| Error::bug("a catalog that was there is gone"))?;
        match &alter.action {
            AlterAction::Comment(text) => def.comment = Some(text.value.clone()),
            AlterAction::Set(options) => def.options.extend(binder.options(options)?),
            AlterAction::Reset(keys) => {
                if let Some(key) = keys.iter().find(|k| k.value == "type") {
                    return Err(binder.wrong(Code::InvalidOption, "RESET of 'type'", key.span));
                }
                def.options.retain(|key, _| keys.iter().all(|k| k.value != *key));
            }
            _ => return Err(binder.unsupported("this form of ALTER CATALOG", alter.span)),
        }
        if def.name != DEFAULT_CATALOG {
            check_catalog_options(binder, &def, alter.span)?;
        }
        Ok(Planned::PutCatalog(def))
    }

    pub(super) fn create_database(&self, c: &CreateDatabase, binder: &Binder<'_>) -> Result<Planned> {
        let (catalog, name) = database_name(&c.name, binder)?;
        if self.catalog.databases_in(&catalog).contains(&name) {
            if c.if_not_exists {
                return Ok(Planned::Nothing);
            }
            return Err(binder.wrong(Code::DuplicateObject, format!("database '{name}' exists already"), c.name.span));
        }
        if name.is_empty() || name.contains(['$', '\0', '/', '.']) {
            return Err(binder
                .wrong(Code::InvalidValue, format!("'{name}' cannot be a database's name"), c.name.span)
                .with_hint("a name has at least one letter, and no '$', '/' or '.'"));
        }
        let comment = c.comment.as_ref().map(|t| t.value.clone());
        Ok(Planned::PutDatabase(DatabaseDef { catalog, name, comment, options: binder.options(&c.options)? }))
    }

    fn alter_database(&self, alter: &Alter, binder: &Binder<'_>) -> Result<Planned> {
        let (catalog, name) = self.known_database(&alter.name, binder)?;
        let AlterAction::Set(options) = &alter.action else {
            return Err(binder.unsupported("this form of ALTER DATABASE", alter.span));
        };
        let found = self.catalog.database(&catalog, &name);
        let mut def = found.unwrap_or(DatabaseDef { catalog, name, comment: None, options: BTreeMap::new() });
        def.options.extend(binder.options(options)?);
        Ok(Planned::PutDatabase(def))
    }

    /// Catalog and name of a database that is there.
    pub(crate) fn known_database(&self, name: &ObjectName, binder: &Binder<'_>) -> Result<(String, String)> {
        let (catalog, database) = database_name(name, binder)?;
        let databases = self.catalog.databases_in(&catalog);
        if databases.contains(&database) {
            return Ok((catalog, database));
        }
        let error =
            binder.wrong(Code::UndefinedTable, format!("database '{database}' does not exist"), name.last().span);
        Err(match nearest(&database, databases.iter().map(String::as_str)) {
            Some(near) => error.with_hint(format!("did you mean '{near}'?")),
            None => error.with_hint(format!("databases: {}", databases.join(", "))),
        })
    }

    pub(super) fn use_database(&self, u: &Use, binder: &Binder<'_>) -> Result<Planned> {
        match u {
            Use::Database(name) => {
                let (catalog, name) = self.known_database(name, binder)?;
                Ok(Planned::UseDatabase { catalog, name })
            }
            Use::Catalog(name) => {
                binder.check_catalog(name)?;
                let found = self.catalog.catalogs().into_iter().find(|c| c.name == name.value);
                let name_of_default = found.map(|c| c.default_database().to_string()).unwrap_or_default();
                Ok(Planned::UseDatabase { catalog: name.value.clone(), name: name_of_default })
            }
            Use::Modules(names) => {
                for (i, name) in names.iter().enumerate() {
                    if name.value != show::CORE_MODULE {
                        return Err(no_module(binder, name));
                    }
                    if names[..i].iter().any(|n| n.value == name.value) {
                        let message = format!("module '{}' stands twice", name.value);
                        return Err(binder.wrong(Code::InvalidValue, message, name.span));
                    }
                }
                Ok(Planned::Nothing)
            }
        }
    }

    pub(super) fn module(&self, m: &ModuleStatement, binder: &Binder<'_>) -> Result<Planned> {
        Err(match m {
            ModuleStatement::Load { name, .. } if name.value == show::CORE_MODULE => {
                binder.wrong(Code::DuplicateObject, "module 'core' is loaded already", name.span)
            }
            ModuleStatement::Load { name, .. } => binder.refused(
                format!("LOAD MODULE {}", name.value),
                "modules are Java libraries; the functions of 'core' are built in",
                name.span,
            ),
            ModuleStatement::Unload(name) if name.value == show::CORE_MODULE => binder.refused(
                "UNLOAD MODULE core",
                "its functions are built in: without them there are none",
                name.span,
            ),
            ModuleStatement::Unload(name) => no_module(binder, name),
        })
    }

    // ---- ALTER

    pub(super) fn alter(&self, alter: &Alter, binder: &Binder<'_>, notices: &mut Vec<String>) -> Result<Planned> {
        match alter.object {
            ObjectKind::Catalog => self.alter_catalog(alter, binder),
            ObjectKind::Database => self.alter_database(alter, binder),
            ObjectKind::View => {
                let Some(old) = binder.altered_view(alter)? else { return Ok(Planned::Nothing) };
                let view = binder.alter_view(alter, &old)?;
                Ok(Planned::AlterView { old: old.path.clone(), sql: show::create_view(&view), view })
            }
            ObjectKind::Table => self.alter_table(alter, binder),
            ObjectKind::MaterializedTable => self.alter_materialized(alter, binder, notices),
            ObjectKind::Function => Err(no_function(binder, &alter.name)),
            ObjectKind::Model => Err(no_model(binder, &alter.name)),
        }
    }

    fn alter_table(&self, alter: &Alter, binder: &Binder<'_>) -> Result<Planned> {
        let Some(table) = binder.altered_table(alter)? else { return Ok(Planned::Nothing) };
        if let AlterAction::Replay { late, condition } = &alter.action {
            return binder.replay(&table, *late, condition.as_ref());
        }
        if table.query.is_some() {
            return Err(binder
                .wrong(Code::InvalidValue, format!("'{}' is a materialized table", table.path), alter.name.span)
                .with_hint("write ALTER MATERIALIZED TABLE"));
        }
        let (add, keep, partitions) = match &alter.action {
            AlterAction::AddPartitions { if_not_exists, partitions } => (true, *if_not_exists, partitions),
            AlterAction::DropPartitions { if_exists, partitions } => (false, *if_exists, partitions),
            _ => {
                let derived = binder.alter_table(alter, &table)?;
                return Ok(Planned::AlterTable { old: table.path.clone(), table: derived.table, sql: derived.sql });
            }
        };
        if table.partition_keys.is_empty() {
            let message = format!("table '{}' is not partitioned", table.path);
            return Err(binder.wrong(Code::InvalidValue, message, alter.name.span));
        }
        let known = self.catalog.partitions(&table.path);
        let mut specs = vec![];
        for partition in partitions {
            let spec = partition_spec(binder, &table, &partition.spec)?;
            match (known.contains(&spec), add) {
                (true, true) | (false, false) if keep => {}
                (true, true) => {
                    let message = format!("partition {} exists already", show::partition_name(&spec));
                    return Err(binder.wrong(Code::DuplicateObject, message, alter.span));
                }
                (false, false) => {
                    let message = format!("partition {} does not exist", show::partition_name(&spec));
                    return Err(binder.wrong(Code::UndefinedTable, message, alter.span));
                }
                _ => specs.push(spec),
            }
        }
        Ok(Planned::AlterPartitions { table: table.path.clone(), add, partitions: specs })
    }

    fn alter_materialized(&self, alter: &Alter, binder: &Binder<'_>, notices: &mut Vec<String>) -> Result<Planned> {
        let Some(table) = binder.altered_table(alter)? else { return Ok(Planned::Nothing) };
        let Some(query) = &table.query else {
            return Err(binder
                .wrong(Code::InvalidValue, format!("'{}' is no materialized table", table.path), alter.name.span)
                .with_hint("write ALTER TABLE"));
        };
        let path = table.path.clone();
        let plain = |change| Ok(Planned::AlterMaterialized { path: path.clone(), change });
        let mut new = (*table).clone();
        let mut new_query = query.clone();
        match &alter.action {
            AlterAction::Suspend => return plain(MaterializedChange::Suspend),
            AlterAction::Resume(options) => {
                if let Some(option) = options.first() {
                    return Err(binder.unsupported("RESUME WITH options", option.key.span));
                }
                return plain(MaterializedChange::Resume);
            }
            AlterAction::Rebuild => return plain(MaterializedChange::Rebuild),
            AlterAction::Replay { late, condition } => return binder.replay(&table, *late, condition.as_ref()),
            AlterAction::Refresh(_) => {
                return Err(binder.refused(
                    "ALTER MATERIALIZED TABLE .. REFRESH",
                    "the table is refreshed continuously; REBUILD starts it over",
                    alter.span,
                ));
            }
            AlterAction::SetFreshness(_) => {
                notices.push("FRESHNESS is noted: the table is refreshed continuously".into());
                return Ok(Planned::Nothing);
            }
            AlterAction::SetRefreshMode(mode) if mode.value == "CONTINUOUS" => return Ok(Planned::Nothing),
            AlterAction::SetRefreshMode(mode) => {
                return Err(binder.unsupported(format!("REFRESH_MODE = {}", mode.value), mode.span));
            }
            AlterAction::Set(options) => new.options.extend(binder.options(options)?),
            AlterAction::Reset(keys) => new.options.retain(|key, _| keys.iter().all(|k| k.value != *key)),
            AlterAction::As(query) => {
                binder.root_query(query)?;
                new_query = binder.stored(query, &path);
            }
            _ => {
                return Err(binder
                    .unsupported("this form of ALTER MATERIALIZED TABLE", alter.span)
                    .with_hint("its columns are those of its query: ALTER MATERIALIZED TABLE .. AS changes it"));
            }
        }
        new.query = Some(new_query);
        let sql = show::create_table(&new);
        let (table, plan) = self.materialized_again(&sql, binder, alter.span)?;
        notices.extend(state_notes(&plan));
        Ok(Planned::AlterMaterialized {
            path,
            change: MaterializedChange::Redefine { table: Box::new(table), plan, sql },
        })
    }

    /// The definition of a materialized table that was put together here.
    fn materialized_again(
        &self,
        sql: &str,
        binder: &Binder<'_>,
        span: Span,
    ) -> Result<(arus_core::catalog::TableDef, PhysicalPlan)> {
        let parsed =
            crate::parser::parse_statement(sql).map_err(|e| Error::bug(format!("{sql} cannot be read: {e}")))?;
        let StatementKind::CreateMaterializedTable(tree) = parsed.kind else {
            return Err(Error::bug(format!("{sql} is no CREATE MATERIALIZED TABLE")));
        };
        // Its query was kept with the names of its own database.
        let place = binder.path(&tree.name)?;
        let mut inner = binder.beside(sql);
        (inner.catalog, inner.database) = (place.catalog, place.database);
        let (table, plan, _) = self.materialized(&tree, &inner).map_err(|e| binder.placed(e, span))?;
        Ok((table, plan))
    }

    /// CREATE [OR ALTER] MATERIALIZED TABLE.
    pub(super) fn create_materialized(
        &self,
        c: &CreateMaterializedTable,
        binder: &Binder<'_>,
        notices: &mut Vec<String>,
    ) -> Result<Planned> {
        let (table, plan, _) = self.materialized(c, binder)?;
        notices.extend(state_notes(&plan));
        let there = self.catalog.permanent(&table.path);
        if c.or_alter && matches!(&there, Some(CatalogObject::Table(t)) if t.query.is_some()) {
            let sql = show::create_table(&table);
            let path = table.path.clone();
            return Ok(Planned::AlterMaterialized {
                path,
                change: MaterializedChange::Redefine { table: Box::new(table), plan, sql },
            });
        }
        binder.check_free(&table.path, false, c.name.span)?;
        Ok(Planned::CreateMaterializedTable { table, plan })
    }

    // ---- DROP

    pub(super) fn drop(&self, d: &Drop, binder: &Binder<'_>) -> Result<Planned> {
        match d.object {
            ObjectKind::Database => self.drop_database(d, binder),
            ObjectKind::Catalog => self.drop_catalog(d, binder),
            ObjectKind::Function if d.if_exists => Ok(Planned::Nothing),
            ObjectKind::Function => Err(no_function(binder, &d.name)),
            ObjectKind::Model if d.if_exists => Ok(Planned::Nothing),
            ObjectKind::Model => Err(no_model(binder, &d.name)),
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedTable => self.drop_object(d, binder),
        }
    }

    fn drop_database(&self, d: &Drop, binder: &Binder<'_>) -> Result<Planned> {
        if d.if_exists {
            let (catalog, name) = database_name(&d.name, binder)?;
            if !self.catalog.databases_in(&catalog).contains(&name) {
                return Ok(Planned::Nothing);
            }
        }
        let (catalog, name) = self.known_database(&d.name, binder)?;
        let fixed = catalog == DEFAULT_CATALOG && name == arus_core::catalog::SYSTEM_DATABASE;
        if (binder.catalog.as_str(), binder.database.as_str()) == (catalog.as_str(), name.as_str()) || fixed {
            let message = format!("database '{name}' is in use and cannot be dropped");
            return Err(binder.wrong(Code::Conflict, message, d.name.span).with_hint("USE another database first"));
        }
        let objects = self.catalog.objects_in(&catalog, &name);
        let held: Vec<ObjectPath> = objects.iter().filter(|o| !o.path().temporary).map(|o| o.path().clone()).collect();
        if !d.cascade && !held.is_empty() {
            return Err(binder
                .wrong(Code::Conflict, format!("database '{name}' is not empty"), d.name.span)
                .with_hint("DROP DATABASE .. CASCADE drops its tables and views too"));
        }
        if catalog == DEFAULT_CATALOG && name == arus_core::catalog::DEFAULT_DATABASE {
            let message = format!("database '{name}' is always there and cannot be dropped");
            return Err(binder.wrong(Code::Conflict, message, d.name.span));
        }
        Ok(Planned::DropDatabase { catalog, name, objects: held })
    }

    fn drop_catalog(&self, d: &Drop, binder: &Binder<'_>) -> Result<Planned> {
        let name = d.name.last();
        if d.if_exists && self.catalog.catalogs().iter().all(|c| c.name != name.value) {
            return Ok(Planned::Nothing);
        }
        binder.check_catalog(name)?;
        if binder.catalog == name.value || name.value == DEFAULT_CATALOG {
            return Err(binder
                .wrong(Code::Conflict, format!("catalog '{}' is in use and cannot be dropped", name.value), name.span)
                .with_hint("USE CATALOG another one first"));
        }
        Ok(Planned::DropCatalog { name: name.value.clone() })
    }

    fn drop_object(&self, d: &Drop, binder: &Binder<'_>) -> Result<Planned> {
        let path = binder.path(&d.name)?;
        let found = self.catalog.object(&path);
        let hidden = found.as_ref().is_some_and(|o| o.path().temporary);
        if d.temporary != hidden {
            if d.temporary || found.is_none() {
                if d.if_exists {
                    return Ok(Planned::Nothing);
                }
                let message = format!("temporary {} '{path}' does not exist", kind_words(d.object));
                return Err(binder.wrong(Code::UndefinedTable, message, d.name.span));
            }
            return Err(binder
                .wrong(Code::Conflict, format!("a temporary {} hides '{path}'", kind_words(d.object)), d.name.span)
                .with_hint(format!("DROP TEMPORARY {} {path} first", d.object.as_str())));
        }
        let (kind, path) = match found {
            None if d.if_exists => return Ok(Planned::Nothing),
            None => return Err(binder.no_such_table(&path, &d.name)),
            Some(CatalogObject::View(view)) => (ObjectKind::View, view.path.clone()),
            Some(CatalogObject::Table(t)) if t.query.is_some() => (ObjectKind::MaterializedTable, t.path.clone()),
            Some(CatalogObject::Table(t)) if t.kind == TableKind::System => {
                return Err(binder.wrong(
                    Code::PermissionDenied,
                    format!("system table '{path}' cannot be dropped"),
                    d.name.span,
                ));
            }
            Some(CatalogObject::Table(t)) => (ObjectKind::Table, t.path.clone()),
        };
        if kind != d.object {
            // As in Flink there is no such table then, only a view.
            if d.if_exists {
                return Ok(Planned::Nothing);
            }
            return Err(binder
                .wrong(
                    Code::InvalidValue,
                    format!("'{path}' is a {}, expected a {}", kind_words(kind), kind_words(d.object)),
                    d.name.span,
                )
                .with_hint(format!("write DROP {} {path}", kind.as_str())));
        }
        Ok(Planned::Drop { kind, path, if_exists: d.if_exists, temporary: d.temporary })
    }
}

fn kind_words(kind: ObjectKind) -> String {
    kind.as_str().to_lowercase()
}

/// `[catalog.]database`
fn database_name(name: &ObjectName, binder: &Binder<'_>) -> Result<(String, String)> {
    match name.parts.as_slice() {
        [database] => Ok((binder.catalog.clone(), database.value.clone())),
        [catalog, database] => {
            binder.check_catalog(catalog)?;
            Ok((catalog.value.clone(), database.value.clone()))
        }
        _ => Err(binder
            .wrong(Code::InvalidValue, format!("'{}' is no database's name", name.span.of(binder.text)), name.span)
            .with_hint("a database's name has at most two parts: catalog.database")),
    }
}

fn check_catalog_options(binder: &Binder<'_>, def: &CatalogDef, span: Span) -> Result<()> {
    match def.options.get("type").map(String::as_str) {
        Some(IN_MEMORY) => {}
        Some(other) => {
            return Err(binder
                .unsupported(format!("a catalog of type '{other}'"), span)
                .with_hint(format!("'type' = '{IN_MEMORY}' is a catalog of this session")));
        }
        None => {
            return Err(binder
                .wrong(Code::InvalidOption, format!("catalog '{}' has no option 'type'", def.name), span)
                .with_hint(format!("write WITH ('type' = '{IN_MEMORY}')")));
        }
    }
    let known = ["type", "default-database", "property-version"];
    match def.options.keys().find(|k| !known.contains(&k.as_str())) {
        None => Ok(()),
        Some(key) => Err(binder
            .wrong(Code::InvalidOption, format!("a catalog of type '{IN_MEMORY}' has no option '{key}'"), span)
            .with_hint(format!("options: {}", known.join(", ")))),
    }
}

fn no_module(binder: &Binder<'_>, name: &Ident) -> Error {
    binder
        .wrong(Code::UndefinedTable, format!("module '{}' does not exist", name.value), name.span)
        .with_hint(format!("modules: {}", show::CORE_MODULE))
}

pub(crate) fn no_function(binder: &Binder<'_>, name: &ObjectName) -> Error {
    let message = format!("function '{}' does not exist", name.span.of(binder.text));
    binder
        .wrong(Code::UndefinedFunction, message, name.span)
        .with_hint("SHOW USER FUNCTIONS lists those that were created")
}

pub(crate) fn no_model(binder: &Binder<'_>, name: &ObjectName) -> Error {
    let message = format!("model '{}' does not exist", name.span.of(binder.text));
    binder.wrong(Code::UndefinedTable, message, name.span).with_hint("SHOW MODELS lists them")
}

/// The values of a partition by the table's partition columns, in their order.
pub(crate) fn partition_spec(
    binder: &Binder<'_>,
    table: &arus_core::catalog::TableDef,
    written: &[(Ident, Expr)],
) -> Result<PartitionSpec> {
    let keys: Vec<&str> = table.partition_keys.iter().map(|k| table.columns[*k].name.as_str()).collect();
    if let Some((key, _)) = written.iter().find(|(key, _)| !keys.contains(&key.value.as_str())) {
        return Err(binder
            .wrong(Code::InvalidValue, format!("'{}' is no partition column of '{}'", key.value, table.path), key.span)
            .with_hint(format!("partition columns: {}", keys.join(", "))));
    }
    let value = |expr: &Expr| match &expr.kind {
        ExprKind::Literal(Literal::String(value)) => value.clone(),
        _ => expr.span.of(binder.text).to_string(),
    };
    let of = |key: &&str| written.iter().find(|(k, _)| k.value == **key).map(|(k, e)| (k.value.clone(), value(e)));
    Ok(keys.iter().filter_map(of).collect())
}
