//! Statements to text.

use super::query::hints;
use super::{columns, list};
use crate::ast::*;
use std::fmt::{Display, Formatter, Result, Write};

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            StatementKind::CreateTable(table) => write!(f, "{table}"),
            StatementKind::CreateView(view) => write!(f, "{view}"),
            StatementKind::CreateMaterializedTable(table) => write!(f, "{table}"),
            StatementKind::CreateAlert(alert) => write!(f, "{alert}"),
            StatementKind::AlterAlert(alter) => write!(f, "{alter}"),
            StatementKind::DropAlert { if_exists, name } => {
                write!(f, "DROP ALERT {}{name}", if *if_exists { "IF EXISTS " } else { "" })
            }
            StatementKind::CreateDatabase(database) => {
                write!(f, "CREATE DATABASE {}{}", if_not_exists(database.if_not_exists), database.name)?;
                comment(f, &database.comment)?;
                options(f, &database.options)
            }
            StatementKind::Drop(drop) => {
                let system = if drop.system { "SYSTEM " } else { "" };
                write!(f, "DROP {}{system}{} ", temporary(drop.temporary), drop.object.as_str())?;
                write!(f, "{}{}", if drop.if_exists { "IF EXISTS " } else { "" }, drop.name)?;
                f.write_str(if drop.cascade { " CASCADE" } else { "" })
            }
            StatementKind::Use(Use::Database(name)) => write!(f, "USE {name}"),
            StatementKind::Use(Use::Catalog(name)) => write!(f, "USE CATALOG {name}"),
            StatementKind::Use(Use::Modules(names)) => {
                f.write_str("USE MODULES ")?;
                list(f, names, ", ")
            }
            StatementKind::CreateCatalog(catalog) => {
                write!(f, "CREATE CATALOG {}{}", if_not_exists(catalog.if_not_exists), catalog.name)?;
                comment(f, &catalog.comment)?;
                options(f, &catalog.options)
            }
            StatementKind::CreateFunction(function) => write!(f, "{function}"),
            StatementKind::CreateModel(model) => write!(f, "{model}"),
            StatementKind::Alter(alter) => write!(f, "{alter}"),
            StatementKind::Module(ModuleStatement::Load { name, options: with }) => {
                write!(f, "LOAD MODULE {name}")?;
                options(f, with)
            }
            StatementKind::Module(ModuleStatement::Unload(name)) => write!(f, "UNLOAD MODULE {name}"),
            StatementKind::Jar(jar) => write!(f, "{} JAR {}", if jar.add { "ADD" } else { "REMOVE" }, jar.path),
            StatementKind::Plan(plan) => write!(f, "{plan}"),
            StatementKind::Analyze(analyze) => write!(f, "{analyze}"),
            StatementKind::Call(call) => write!(f, "CALL {}", call.call),
            StatementKind::Update(update) => write!(f, "{update}"),
            StatementKind::Delete(delete) => write!(f, "{delete}"),
            StatementKind::Truncate(table) => write!(f, "TRUNCATE TABLE {table}"),
            StatementKind::Insert(insert) => write!(f, "{insert}"),
            StatementKind::StatementSet(inserts) => {
                f.write_str("EXECUTE ")?;
                statement_set(f, inserts)
            }
            StatementKind::Query(query) => write!(f, "{query}"),
            StatementKind::Explain(explain) => write!(f, "{explain}"),
            StatementKind::Describe(describe) => {
                let extended = if describe.extended { "EXTENDED " } else { "" };
                match &describe.target {
                    DescribeTarget::Catalog(name) => return write!(f, "DESCRIBE CATALOG {extended}{name}"),
                    DescribeTarget::Function(name) => return write!(f, "DESCRIBE FUNCTION {extended}{name}"),
                    DescribeTarget::Model(name) => return write!(f, "DESCRIBE MODEL {extended}{name}"),
                    DescribeTarget::Table(_) | DescribeTarget::Job(_) => {}
                }
                f.write_str(if describe.extended { "DESCRIBE EXTENDED " } else { "DESCRIBE " })?;
                match &describe.target {
                    DescribeTarget::Table(name) => write!(f, "{name}"),
                    DescribeTarget::Catalog(_) | DescribeTarget::Function(_) | DescribeTarget::Model(_) => Ok(()),
                    DescribeTarget::Job(id) => write!(f, "JOB {id}"),
                }
            }
            StatementKind::Show(show) => write!(f, "{show}"),
            StatementKind::Set(Set::All) => f.write_str("SET"),
            StatementKind::Set(Set::One(key)) => write!(f, "SET {key}"),
            StatementKind::Set(Set::To { key, value }) => write!(f, "SET {key} = {value}"),
            StatementKind::Reset(None) => f.write_str("RESET"),
            StatementKind::Reset(Some(key)) => write!(f, "RESET {key}"),
            StatementKind::StopJob(stop) => {
                write!(f, "STOP JOB {}", stop.id)?;
                f.write_str(if stop.with_savepoint { " WITH SAVEPOINT" } else { "" })?;
                f.write_str(if stop.with_drain { " WITH DRAIN" } else { "" })
            }
            StatementKind::Unsupported { what } => f.write_str(what),
        }
    }
}

pub(super) fn temporary(temporary: bool) -> &'static str {
    if temporary { "TEMPORARY " } else { "" }
}

pub(super) fn if_not_exists(written: bool) -> &'static str {
    if written { "IF NOT EXISTS " } else { "" }
}

pub(super) fn comment(f: &mut Formatter<'_>, comment: &Option<Text>) -> Result {
    match comment {
        Some(comment) => write!(f, " COMMENT {comment}"),
        None => Ok(()),
    }
}

pub(super) fn options(f: &mut Formatter<'_>, options: &[TableOption]) -> Result {
    if options.is_empty() {
        return Ok(());
    }
    f.write_str(" WITH (")?;
    list(f, options.iter().map(|o| format!("{} = {}", o.key, o.value)), ", ")?;
    f.write_char(')')
}

/// ` PARTITION (k = v)` if there is any.
pub(super) fn partition(f: &mut Formatter<'_>, spec: &[(Ident, Expr)]) -> Result {
    if spec.is_empty() {
        return Ok(());
    }
    f.write_str(" PARTITION (")?;
    list(f, spec.iter().map(|(k, v)| format!("{k} = {v}")), ", ")?;
    f.write_char(')')
}

fn distribution(f: &mut Formatter<'_>, distribution: &Option<Distribution>) -> Result {
    let Some(distribution) = distribution else { return Ok(()) };
    f.write_str(" DISTRIBUTED")?;
    distributed(f, distribution)
}

/// What stands behind DISTRIBUTED or DISTRIBUTION.
pub(super) fn distributed(f: &mut Formatter<'_>, distribution: &Distribution) -> Result {
    if !distribution.columns.is_empty() {
        f.write_str(match distribution.kind {
            Some(DistributionKind::Hash) => " BY HASH",
            Some(DistributionKind::Range) => " BY RANGE",
            None => " BY",
        })?;
        columns(f, &distribution.columns)?;
    }
    match distribution.buckets {
        Some(buckets) => write!(f, " INTO {buckets} BUCKETS"),
        None => Ok(()),
    }
}

/// The columns, keys and watermarks; the order among these three is not that of the text.
fn elements(f: &mut Formatter<'_>, names: &[ColumnDef], keys: &[KeyDef], watermarks: &[WatermarkDef]) -> Result {
    if names.is_empty() && keys.is_empty() && watermarks.is_empty() {
        return Ok(());
    }
    let names = names.iter().map(|c| c.to_string());
    let keys = keys.iter().map(|k| k.to_string());
    let watermarks = watermarks.iter().map(|w| format!("WATERMARK FOR {} AS {}", w.column, w.expr));
    f.write_str(" (")?;
    list(f, names.chain(keys).chain(watermarks), ", ")?;
    f.write_char(')')
}

impl Display for ColumnDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.name)?;
        match &self.kind {
            ColumnKind::Physical { data_type } => write!(f, " {data_type}")?,
            ColumnKind::Metadata { data_type, key, is_virtual } => {
                write!(f, " {data_type} METADATA")?;
                if let Some(key) = key {
                    write!(f, " FROM {key}")?;
                }
                f.write_str(if *is_virtual { " VIRTUAL" } else { "" })?;
            }
            ColumnKind::Computed { expr } => write!(f, " AS {expr}")?,
            ColumnKind::Name => {}
        }
        comment(f, &self.comment)
    }
}

impl Display for KeyDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if let Some(name) = &self.name {
            write!(f, "CONSTRAINT {name} ")?;
        }
        f.write_str(if self.unique { "UNIQUE" } else { "PRIMARY KEY" })?;
        columns(f, &self.columns)?;
        f.write_str(match self.enforced {
            Some(true) => " ENFORCED",
            Some(false) => " NOT ENFORCED",
            None => "",
        })
    }
}

impl Display for CreateTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self.replace {
            Some(Replace::CreateOrReplace) => "CREATE OR REPLACE ",
            Some(Replace::Replace) => "REPLACE ",
            None => "CREATE ",
        })?;
        write!(f, "{}TABLE {}{}", temporary(self.temporary), if_not_exists(self.if_not_exists), self.name)?;
        elements(f, &self.columns, &self.keys, &self.watermarks)?;
        comment(f, &self.comment)?;
        distribution(f, &self.distribution)?;
        if !self.partitioned_by.is_empty() {
            f.write_str(" PARTITIONED BY")?;
            columns(f, &self.partitioned_by)?;
        }
        options(f, &self.options)?;
        if let Some(like) = &self.like {
            write!(f, " LIKE {}", like.name)?;
            if !like.options.is_empty() {
                f.write_str(" (")?;
                list(f, like.options.iter().map(|o| format!("{} {}", o.strategy, o.feature)), " ")?;
                f.write_char(')')?;
            }
        }
        match &self.query {
            Some(query) => write!(f, " AS {query}"),
            None => Ok(()),
        }
    }
}

impl Display for CreateMaterializedTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "CREATE {}MATERIALIZED TABLE {}", if self.or_alter { "OR ALTER " } else { "" }, self.name)?;
        elements(f, &self.columns, &self.keys, &self.watermarks)?;
        comment(f, &self.comment)?;
        distribution(f, &self.distribution)?;
        if !self.partitioned_by.is_empty() {
            f.write_str(" PARTITIONED BY")?;
            columns(f, &self.partitioned_by)?;
        }
        options(f, &self.options)?;
        if let Some(start) = &self.start_mode {
            write!(f, " START_MODE = {}", start.mode)?;
            if let Some(argument) = &start.argument {
                write!(f, "({argument})")?;
            }
        }
        if let Some(freshness) = &self.freshness {
            write!(f, " FRESHNESS = {freshness}")?;
        }
        if let Some(mode) = &self.refresh_mode {
            write!(f, " REFRESH_MODE = {mode}")?;
        }
        write!(f, " AS {}", self.query)
    }
}

impl Display for CreateView {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let replace = if self.or_replace { "OR REPLACE " } else { "" };
        write!(f, "CREATE {replace}{}VIEW ", temporary(self.temporary))?;
        write!(f, "{}{}", if_not_exists(self.if_not_exists), self.name)?;
        columns(f, &self.columns)?;
        comment(f, &self.comment)?;
        write!(f, " AS {}", self.query)
    }
}

impl Display for Insert {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "INSERT {} {}", if self.overwrite { "OVERWRITE" } else { "INTO" }, self.table)?;
        if !self.hints.is_empty() {
            f.write_char(' ')?;
            hints(f, &self.hints)?;
        }
        partition(f, &self.partition)?;
        if !self.columns.is_empty() {
            f.write_str(" (")?;
            list(f, &self.columns, ", ")?;
            f.write_char(')')?;
        }
        write!(f, " {}", self.query)?;
        f.write_str(match self.on_conflict.as_ref().map(|c| c.action) {
            Some(ConflictAction::Nothing) => " ON CONFLICT DO NOTHING",
            Some(ConflictAction::Error) => " ON CONFLICT DO ERROR",
            Some(ConflictAction::Deduplicate) => " ON CONFLICT DO DEDUPLICATE",
            None => "",
        })
    }
}

pub(super) fn statement_set(f: &mut Formatter<'_>, inserts: &[Insert]) -> Result {
    f.write_str("STATEMENT SET BEGIN ")?;
    inserts.iter().try_for_each(|insert| write!(f, "{insert}; "))?;
    f.write_str("END")
}

impl Display for Explain {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("EXPLAIN ")?;
        if !self.details.is_empty() {
            list(f, &self.details, ", ")?;
            f.write_char(' ')?;
        }
        match &self.target {
            ExplainTarget::Query(query) => write!(f, "{query}"),
            ExplainTarget::Insert(insert) => write!(f, "{insert}"),
            ExplainTarget::StatementSet(inserts) => statement_set(f, inserts),
            ExplainTarget::CreateTable(table) => write!(f, "{table}"),
            ExplainTarget::CreateMaterializedTable(table) => write!(f, "{table}"),
            ExplainTarget::CreateAlert(alert) => write!(f, "{alert}"),
            ExplainTarget::Alert { name, last } => write!(f, "ALERT {name} LAST {last}"),
            ExplainTarget::Why(table) => write!(f, "WHY {table}"),
            ExplainTarget::Analyze(job) => write!(f, "ANALYZE {job}"),
        }
    }
}

impl Display for Show {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("SHOW ")?;
        match &self.what {
            ShowWhat::Catalogs => f.write_str("CATALOGS")?,
            ShowWhat::CurrentCatalog => f.write_str("CURRENT CATALOG")?,
            ShowWhat::Databases => f.write_str("DATABASES")?,
            ShowWhat::CurrentDatabase => f.write_str("CURRENT DATABASE")?,
            ShowWhat::Tables => f.write_str("TABLES")?,
            ShowWhat::Views => f.write_str("VIEWS")?,
            ShowWhat::MaterializedTables => f.write_str("MATERIALIZED TABLES")?,
            ShowWhat::Columns => f.write_str("COLUMNS")?,
            ShowWhat::Functions { user } => f.write_str(if *user { "USER FUNCTIONS" } else { "FUNCTIONS" })?,
            ShowWhat::Jobs => f.write_str("JOBS")?,
            ShowWhat::Jars => f.write_str("JARS")?,
            ShowWhat::Modules { full } => f.write_str(if *full { "FULL MODULES" } else { "MODULES" })?,
            ShowWhat::CreateTable(name) => write!(f, "CREATE TABLE {name}")?,
            ShowWhat::CreateView(name) => write!(f, "CREATE VIEW {name}")?,
            ShowWhat::CreateMaterializedTable(name) => write!(f, "CREATE MATERIALIZED TABLE {name}")?,
            ShowWhat::CreateCatalog(name) => write!(f, "CREATE CATALOG {name}")?,
            ShowWhat::CreateModel(name) => write!(f, "CREATE MODEL {name}")?,
            ShowWhat::Procedures => f.write_str("PROCEDURES")?,
            ShowWhat::Models => f.write_str("MODELS")?,
            ShowWhat::Alerts => f.write_str("ALERTS")?,
            ShowWhat::CreateAlert(name) => write!(f, "CREATE ALERT {name}")?,
            ShowWhat::Partitions { table, partition: spec } => {
                write!(f, "PARTITIONS {table}")?;
                partition(f, spec)?;
            }
        }
        if let Some(from) = &self.from {
            write!(f, " FROM {from}")?;
        }
        if let Some(like) = &self.like {
            let not = if like.negated { " NOT" } else { "" };
            let word = if like.case_insensitive { "ILIKE" } else { "LIKE" };
            write!(f, "{not} {word} {}", like.pattern)?;
        }
        Ok(())
    }
}
