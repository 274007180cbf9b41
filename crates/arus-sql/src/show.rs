//! SHOW and DESCRIBE, in Flink's columns and wording.

use std::collections::BTreeMap;

use arus_core::catalog::{CatalogDef, CatalogObject, ColumnKind, ObjectPath, PartitionSpec, TableDef, ViewDef};
use arus_core::error::Code;
use arus_core::secret::shown_options;
use arus_core::types::{LogicalType, TypeKind};
use arus_core::{Error, Result};

use crate::ast::{Ident, ObjectName, Show, ShowLike, ShowWhat};
use crate::bind::Binder;
use crate::planner::Planned;
use crate::planner::ddl::{IN_MEMORY, no_function, no_model, partition_spec};

/// The one module: what is built in.
pub(crate) const CORE_MODULE: &str = "core";

pub(crate) fn show(show: &Show, binder: &Binder<'_>) -> Result<Planned> {
    let catalog = binder.planner.catalog;
    let one = |column: &'static str, values: Vec<String>| {
        let like = |v: &String| show.like.as_ref().is_none_or(|l| is_like(l, v));
        let rows = values.into_iter().filter(like).map(|v| vec![Some(v)]).collect();
        Planned::Rows { columns: vec![column], rows }
    };
    let objects = |keep: &dyn Fn(&CatalogObject) -> bool| -> Result<Vec<String>> {
        let (in_catalog, database) = database(show, binder)?;
        let found = catalog.objects_in(&in_catalog, &database);
        Ok(found.iter().filter(|o| keep(o)).map(|o| o.path().name.clone()).collect())
    };
    Ok(match &show.what {
        ShowWhat::Catalogs => {
            let mut names: Vec<String> = catalog.catalogs().into_iter().map(|c| c.name).collect();
            names.sort();
            one("catalog name", names)
        }
        ShowWhat::CurrentCatalog => one("current catalog name", vec![binder.catalog.clone()]),
        ShowWhat::Databases => {
            let in_catalog = match show.from.as_ref().map(|f| (f, f.parts.as_slice())) {
                None => binder.catalog.clone(),
                Some((_, [name])) => {
                    binder.check_catalog(name)?;
                    name.value.clone()
                }
                Some((from, _)) => {
                    return Err(binder.wrong(Code::InvalidValue, "SHOW DATABASES names one catalog", from.span));
                }
            };
            let mut databases = catalog.databases_in(&in_catalog);
            databases.sort();
            one("database name", databases)
        }
        ShowWhat::CurrentDatabase => one("current database name", vec![binder.database.clone()]),
        ShowWhat::Tables => one("table name", objects(&|_| true)?),
        ShowWhat::Views => one("view name", objects(&|o| matches!(o, CatalogObject::View(_)))?),
        ShowWhat::MaterializedTables => {
            one("materialized table", objects(&|o| matches!(o, CatalogObject::Table(t) if t.query.is_some()))?)
        }
        ShowWhat::Columns => {
            let Some(name) = &show.from else {
                return Err(Error::user("SHOW COLUMNS without a table").with_code(Code::Syntax));
            };
            let Planned::Rows { columns, mut rows } = describe(binder.object(name)?, false) else {
                return Err(Error::bug("DESCRIBE gives rows"));
            };
            if let Some(like) = &show.like {
                rows.retain(|r| r.first().and_then(Option::as_ref).is_some_and(|name| is_like(like, name)));
            }
            Planned::Rows { columns, rows }
        }
        ShowWhat::Functions { user } => {
            let mut names: Vec<String> = match user {
                true => vec![],
                false => {
                    let names = binder.planner.functions.names().into_iter();
                    let called = |n: &&str| n.starts_with(|c: char| c.is_ascii_alphabetic()) && !n.contains(' ');
                    names.filter(called).map(str::to_lowercase).collect()
                }
            };
            names.sort();
            names.dedup();
            one("function name", names)
        }
        ShowWhat::Jobs => Planned::ShowJobs,
        ShowWhat::Alerts => Planned::ShowAlerts,
        ShowWhat::CreateAlert(name) => Planned::ShowCreateAlert { path: binder.path(name)? },
        ShowWhat::Jars => one("jars", vec![]),
        ShowWhat::Procedures => {
            database(show, binder)?;
            one("procedure name", vec![])
        }
        ShowWhat::Models => {
            database(show, binder)?;
            one("model name", vec![])
        }
        ShowWhat::CreateModel(name) => return Err(no_model(binder, name)),
        ShowWhat::CreateCatalog(name) => one_row(create_catalog(&catalog_named(name, binder)?)),
        ShowWhat::Partitions { table: name, partition } => {
            let table = binder.table_named(name)?;
            if table.partition_keys.is_empty() {
                let message = format!("table '{}' is not partitioned", table.path);
                return Err(binder.wrong(Code::InvalidValue, message, name.span));
            }
            let wanted = partition_spec(binder, &table, partition)?;
            let mut found = catalog.partitions(&table.path);
            found.retain(|spec| wanted.iter().all(|w| spec.contains(w)));
            one("partition name", found.iter().map(partition_name).collect())
        }
        ShowWhat::Modules { full: false } => one("module name", vec![CORE_MODULE.to_string()]),
        ShowWhat::Modules { full: true } => Planned::Rows {
            columns: vec!["module name", "used"],
            rows: vec![vec![Some("core".into()), Some("TRUE".into())]],
        },
        ShowWhat::CreateTable(name) => {
            let table = binder.table_named(name).map_err(|e| view_hint(e, binder, name))?;
            if table.query.is_some() {
                return Err(binder
                    .wrong(Code::InvalidValue, format!("'{}' is a materialized table", table.path), name.span)
                    .with_hint("write SHOW CREATE MATERIALIZED TABLE"));
            }
            one_row(create_table(&shown(&table)))
        }
        ShowWhat::CreateMaterializedTable(name) => {
            let table = binder.table_named(name)?;
            if table.query.is_none() {
                return Err(binder
                    .wrong(Code::InvalidValue, format!("'{}' is no materialized table", table.path), name.span)
                    .with_hint("write SHOW CREATE TABLE"));
            }
            one_row(create_table(&shown(&table)))
        }
        ShowWhat::CreateView(name) => match binder.object(name)? {
            CatalogObject::View(view) => one_row(format!("{}\n", create_view(&view))),
            CatalogObject::Table(table) => {
                return Err(binder
                    .wrong(Code::InvalidValue, format!("'{}' is no view", table.path), name.span)
                    .with_hint("write SHOW CREATE TABLE"));
            }
        },
    })
}

fn view_hint(error: Error, binder: &Binder<'_>, name: &ObjectName) -> Error {
    let view = binder.path(name).ok().and_then(|p| binder.planner.catalog.object(&p));
    match view {
        Some(CatalogObject::View(_)) => error.with_hint("write SHOW CREATE VIEW"),
        _ => error,
    }
}

fn one_row(text: String) -> Planned {
    Planned::Rows { columns: vec!["result"], rows: vec![vec![Some(text)]] }
}

/// Catalog and name of the database that FROM means.
fn database(show: &Show, binder: &Binder<'_>) -> Result<(String, String)> {
    match &show.from {
        None => Ok((binder.catalog.clone(), binder.database.clone())),
        Some(from) => binder.planner.known_database(from, binder),
    }
}

fn catalog_named(name: &Ident, binder: &Binder<'_>) -> Result<CatalogDef> {
    binder.check_catalog(name)?;
    let found = binder.planner.catalog.catalogs().into_iter().find(|c| c.name == name.value);
    found.ok_or_else(|| Error::bug("a catalog that was there is gone"))
}

/// `p=x/q=y`
pub(crate) fn partition_name(spec: &PartitionSpec) -> String {
    spec.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("/")
}

pub(crate) fn describe_catalog(name: &Ident, extended: bool, binder: &Binder<'_>) -> Result<Planned> {
    let catalog = catalog_named(name, binder)?;
    let kind = catalog.options.get("type").cloned().unwrap_or_else(|| IN_MEMORY.to_string());
    let row = |key: &str, value: String| vec![Some(key.to_string()), Some(value)];
    let mut rows = vec![
        row("name", catalog.name.clone()),
        row("type", kind),
        row("comment", catalog.comment.clone().unwrap_or_default()),
    ];
    if extended {
        let options = shown_options(&catalog.options).into_iter().filter(|(key, _)| key != "type");
        rows.extend(options.map(|(key, value)| row(&format!("option:{key}"), value)));
    }
    Ok(Planned::Rows { columns: vec!["info name", "info value"], rows })
}

/// DESCRIBE FUNCTION of what is built in, as Flink describes its own.
pub(crate) fn describe_function(name: &ObjectName, binder: &Binder<'_>) -> Result<Planned> {
    let known = binder.planner.functions.names();
    let wanted = &name.last().value;
    if name.parts.len() > 1 || !known.iter().any(|n| n.eq_ignore_ascii_case(wanted)) {
        return Err(no_function(binder, name));
    }
    let row = |key: &str, value: &str| vec![Some(key.to_string()), Some(value.to_string())];
    let rows = vec![row("is system function", "true"), row("is temporary", "false")];
    Ok(Planned::Rows { columns: vec!["info name", "info value"], rows })
}

fn create_catalog(catalog: &CatalogDef) -> String {
    let mut text = format!("CREATE CATALOG {}", ident(&catalog.name));
    if let Some(comment) = &catalog.comment {
        text.push_str(&format!("\nCOMMENT '{}'", quote(comment)));
    }
    text.push_str(&with(&shown_options(&catalog.options)));
    text.push('\n');
    text
}

/// The table without its secrets: for people, never to be stored.
fn shown(table: &TableDef) -> TableDef {
    TableDef { options: shown_options(&table.options), ..table.clone() }
}

/// The WITH clause, if there is anything in it.
fn with(options: &BTreeMap<String, String>) -> String {
    if options.is_empty() {
        return String::new();
    }
    let options: Vec<String> = options.iter().map(|(k, v)| format!("'{}' = '{}'", quote(k), quote(v))).collect();
    format!("\nWITH (\n  {}\n)", options.join(",\n  "))
}

fn is_like(like: &ShowLike, value: &str) -> bool {
    let fold = |s: &str| if like.case_insensitive { s.to_lowercase() } else { s.to_string() };
    let pattern: Vec<char> = fold(&like.pattern.value).chars().collect();
    let value: Vec<char> = fold(value).chars().collect();
    matches(&pattern, &value) != like.negated
}

/// `%` any text, `_` one character, a backslash takes the next one as it is. Linear in both: the last `%` is tried again.
fn matches(pattern: &[char], value: &[char]) -> bool {
    let (mut p, mut v) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while v < value.len() {
        let step = match pattern.get(p) {
            Some('%') => {
                retry = Some((p + 1, v));
                p += 1;
                continue;
            }
            Some('_') => 1,
            Some('\\') if pattern.get(p + 1) == Some(&value[v]) => 2,
            Some(c) if *c != '\\' && *c == value[v] => 1,
            _ => 0,
        };
        if step > 0 {
            p += step;
            v += 1;
        } else if let Some((after, from)) = retry {
            retry = Some((after, from + 1));
            p = after;
            v = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

/// DESCRIBE: name, type, null, key, extras, watermark; and comment where there is one.
pub(crate) fn describe(object: CatalogObject, _extended: bool) -> Planned {
    let mut columns = vec!["name", "type", "null", "key", "extras", "watermark"];
    let truth = |b: bool| Some(if b { "TRUE" } else { "FALSE" }.to_string());
    let rows = match &object {
        CatalogObject::View(view) => view
            .columns
            .columns()
            .iter()
            .map(|c| vec![Some(c.name.clone()), Some(c.ty.kind.to_string()), truth(c.ty.nullable), None, None, None])
            .collect(),
        CatalogObject::Table(table) => {
            let comments = table.columns.iter().any(|c| c.comment.is_some());
            if comments {
                columns.push("comment");
            }
            let keys: Vec<&str> = table.primary_key.iter().map(|k| table.columns[*k].name.as_str()).collect();
            let key = format!("PRI({})", keys.join(", "));
            let row = |(i, c): (usize, &arus_core::catalog::TableColumn)| {
                let extras = match &c.kind {
                    ColumnKind::Physical => None,
                    ColumnKind::Metadata { key, is_virtual } => Some(metadata(key.as_deref(), *is_virtual)),
                    ColumnKind::Computed { sql, .. } => Some(format!("AS {sql}")),
                };
                let watermark = table.watermark.as_ref().filter(|w| w.column == i).map(|w| w.sql.clone());
                let mut row = vec![
                    Some(c.name.clone()),
                    Some(c.ty.kind.to_string()),
                    truth(c.ty.nullable),
                    table.primary_key.contains(&i).then(|| key.clone()).filter(|_| !table.hidden_count),
                    extras,
                    watermark,
                ];
                if comments {
                    row.push(c.comment.clone());
                }
                row
            };
            table.columns.iter().enumerate().map(row).collect()
        }
    };
    Planned::Rows { columns, rows }
}

fn metadata(key: Option<&str>, is_virtual: bool) -> String {
    let from = key.map(|k| format!(" FROM '{}'", quote(k))).unwrap_or_default();
    format!("METADATA{from}{}", if is_virtual { " VIRTUAL" } else { "" })
}

fn quote(text: &str) -> String {
    text.replace('\'', "''")
}

fn ident(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn full(path: &ObjectPath) -> String {
    format!("{}.{}.{}", ident(&path.catalog), ident(&path.database), ident(&path.name))
}

/// A statement that makes the table again.
pub(crate) fn create_table(table: &TableDef) -> String {
    match &table.query {
        None => format!("{}\n", table_statement(table)),
        Some(query) => {
            let mut text = format!("CREATE MATERIALIZED TABLE {}", full(&table.path));
            // The other columns are those of the query.
            let mut lines: Vec<String> = vec![];
            if let Some(w) = &table.watermark {
                lines.push(format!("WATERMARK FOR {} AS {}", ident(&table.columns[w.column].name), w.sql));
            }
            if table.primary_key_name.is_some() {
                lines.extend(primary_key(table));
            }
            if !lines.is_empty() {
                text.push_str(&format!(" (\n  {}\n)", lines.join(",\n  ")));
            }
            text.push_str(&clauses(table));
            text.push_str(&format!("\nAS {query}\n"));
            text
        }
    }
}

/// CREATE TABLE with all that the table has, whatever made it.
pub(crate) fn table_statement(table: &TableDef) -> String {
    let kind = if table.temporary { "TEMPORARY TABLE" } else { "TABLE" };
    let mut lines: Vec<String> = table.columns.iter().map(column).collect();
    if let Some(w) = &table.watermark {
        lines.push(format!("WATERMARK FOR {} AS {}", ident(&table.columns[w.column].name), w.sql));
    }
    lines.extend(primary_key(table));
    format!("CREATE {kind} {} (\n  {}\n){}", full(&table.path), lines.join(",\n  "), clauses(table))
}

fn primary_key(table: &TableDef) -> Option<String> {
    if table.primary_key.is_empty() || table.hidden_count {
        return None;
    }
    let names: Vec<&str> = table.primary_key.iter().map(|k| table.columns[*k].name.as_str()).collect();
    let name = table.primary_key_name.clone().unwrap_or_else(|| format!("PK_{}", names.join("_")));
    let columns: Vec<String> = names.iter().map(|n| ident(n)).collect();
    Some(format!("CONSTRAINT {} PRIMARY KEY ({}) NOT ENFORCED", ident(&name), columns.join(", ")))
}

/// What stands behind the columns.
fn clauses(table: &TableDef) -> String {
    let mut text = String::new();
    if let Some(comment) = &table.comment {
        text.push_str(&format!("\nCOMMENT '{}'", quote(comment)));
    }
    if let Some(distribution) = &table.distribution {
        // Without columns it is only a number of buckets.
        let by = if distribution.starts_with("INTO") { "" } else { "BY " };
        text.push_str(&format!("\nDISTRIBUTED {by}{distribution}"));
    }
    if !table.partition_keys.is_empty() {
        let columns: Vec<String> = table.partition_keys.iter().map(|k| ident(&table.columns[*k].name)).collect();
        text.push_str(&format!("\nPARTITIONED BY ({})", columns.join(", ")));
    }
    text.push_str(&with(&table.options));
    text
}

fn column(c: &arus_core::catalog::TableColumn) -> String {
    let what = match &c.kind {
        ColumnKind::Physical => type_text(&c.ty),
        ColumnKind::Metadata { key, is_virtual } => {
            format!("{} {}", type_text(&c.ty), metadata(key.as_deref(), *is_virtual))
        }
        ColumnKind::Computed { sql, .. } => format!("AS {sql}"),
    };
    let comment = c.comment.as_ref().map(|t| format!(" COMMENT '{}'", quote(t))).unwrap_or_default();
    format!("{} {what}{comment}", ident(&c.name))
}

/// Flink's serializable form: STRING is VARCHAR(2147483647).
pub(crate) fn type_text(ty: &LogicalType) -> String {
    let kind = match &ty.kind {
        TypeKind::Varchar(n) => format!("VARCHAR({n})"),
        TypeKind::Varbinary(n) => format!("VARBINARY({n})"),
        TypeKind::Timestamp { precision, .. } => format!("TIMESTAMP({precision})"),
        TypeKind::TimestampLtz { precision, .. } => format!("TIMESTAMP({precision}) WITH LOCAL TIME ZONE"),
        TypeKind::Array(e) => format!("ARRAY<{}>", type_text(e)),
        TypeKind::Multiset(e) => format!("MULTISET<{}>", type_text(e)),
        TypeKind::Map(k, v) => format!("MAP<{}, {}>", type_text(k), type_text(v)),
        TypeKind::Row(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|f| {
                    let comment = f.comment.as_ref().map(|c| format!(" '{}'", quote(c))).unwrap_or_default();
                    format!("{} {}{comment}", ident(&f.name), type_text(&f.ty))
                })
                .collect();
            format!("ROW<{}>", fields.join(", "))
        }
        other => other.to_string(),
    };
    if ty.nullable { kind } else { format!("{kind} NOT NULL") }
}

/// A statement that makes the view again.
pub(crate) fn create_view(view: &ViewDef) -> String {
    let columns: Vec<String> = view.columns.columns().iter().map(|c| format!("  {}", ident(&c.name))).collect();
    let comment = view.comment.as_ref().map(|c| format!("\nCOMMENT '{}'", quote(c))).unwrap_or_default();
    let temporary = if view.temporary { "TEMPORARY " } else { "" };
    format!("CREATE {temporary}VIEW {} (\n{}\n){comment}\nAS {}", full(&view.path), columns.join(",\n"), view.query)
}
