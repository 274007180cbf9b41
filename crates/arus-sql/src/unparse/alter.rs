//! ALTER, functions, models, plans, UPDATE and DELETE to text.

use super::list;
use super::query::hints;
use super::statement::{comment, distributed, if_not_exists, options, partition, statement_set, temporary};
use crate::ast::*;
use std::fmt::{Display, Formatter, Result, Write};

impl Display for Alter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let system = if self.system { "SYSTEM " } else { "" };
        write!(f, "ALTER {}{system}{} ", temporary(self.temporary), self.object.as_str())?;
        write!(f, "{}{}", if self.if_exists { "IF EXISTS " } else { "" }, self.name)?;
        match &self.action {
            AlterAction::RenameTo(name) => write!(f, " RENAME TO {name}"),
            AlterAction::RenameColumn { from, to } => write!(f, " RENAME {from} TO {to}"),
            AlterAction::Add(elements) => write!(f, " ADD {elements}"),
            AlterAction::Modify(elements) => write!(f, " MODIFY {elements}"),
            AlterAction::DropColumns(names) => {
                f.write_str(" DROP (")?;
                list(f, names, ", ")?;
                f.write_char(')')
            }
            AlterAction::DropPrimaryKey => f.write_str(" DROP PRIMARY KEY"),
            AlterAction::DropConstraint(name) => write!(f, " DROP CONSTRAINT {name}"),
            AlterAction::DropWatermark => f.write_str(" DROP WATERMARK"),
            AlterAction::DropDistribution => f.write_str(" DROP DISTRIBUTION"),
            AlterAction::AddPartitions { if_not_exists: keep, partitions } => {
                f.write_str(if *keep { " ADD IF NOT EXISTS" } else { " ADD" })?;
                partitions.iter().try_for_each(|p| {
                    partition(f, &p.spec)?;
                    options(f, &p.options)
                })
            }
            AlterAction::DropPartitions { if_exists, partitions } => {
                f.write_str(if *if_exists { " DROP IF EXISTS" } else { " DROP" })?;
                partitions.iter().enumerate().try_for_each(|(i, p)| {
                    f.write_str(if i > 0 { "," } else { "" })?;
                    partition(f, &p.spec)
                })
            }
            AlterAction::Set(with) => {
                f.write_str(" SET (")?;
                list(f, with.iter().map(|o| format!("{} = {}", o.key, o.value)), ", ")?;
                f.write_char(')')
            }
            AlterAction::Reset(keys) => {
                f.write_str(" RESET (")?;
                list(f, keys, ", ")?;
                f.write_char(')')
            }
            AlterAction::Comment(text) => write!(f, " COMMENT {text}"),
            AlterAction::As(query) => write!(f, " AS {query}"),
            AlterAction::Suspend => f.write_str(" SUSPEND"),
            AlterAction::Resume(with) => {
                f.write_str(" RESUME")?;
                options(f, with)
            }
            AlterAction::Refresh(spec) => {
                f.write_str(" REFRESH")?;
                partition(f, spec)
            }
            AlterAction::SetFreshness(interval) => write!(f, " SET FRESHNESS = {interval}"),
            AlterAction::SetRefreshMode(mode) => write!(f, " SET REFRESH_MODE = {mode}"),
            AlterAction::Rebuild => f.write_str(" REBUILD"),
            AlterAction::Replay { late, condition } => {
                f.write_str(if *late { " REPLAY LATE" } else { " REPLAY QUARANTINE" })?;
                condition.iter().try_for_each(|condition| write!(f, " WHERE {condition}"))
            }
            AlterAction::Function(body) => write!(f, " {body}"),
        }
    }
}

impl Display for AlterElements {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if let Some(distribution) = &self.distribution {
            f.write_str("DISTRIBUTION")?;
            return distributed(f, distribution);
        }
        let names = self.columns.iter().map(|c| c.to_string());
        let keys = self.keys.iter().map(|k| k.to_string());
        let watermarks = self.watermarks.iter().map(|w| format!("WATERMARK FOR {} AS {}", w.column, w.expr));
        f.write_char('(')?;
        list(f, names.chain(keys).chain(watermarks), ", ")?;
        f.write_char(')')
    }
}

impl Display for AlterColumn {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.column)?;
        match &self.position {
            Some(ColumnPosition::First) => f.write_str(" FIRST"),
            Some(ColumnPosition::After(name)) => write!(f, " AFTER {name}"),
            None => Ok(()),
        }
    }
}

impl Display for CreateFunction {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let system = if self.system { "SYSTEM " } else { "" };
        write!(f, "CREATE {}{system}FUNCTION ", temporary(self.temporary))?;
        write!(f, "{}{} {}", if_not_exists(self.if_not_exists), self.name, self.body)
    }
}

impl Display for FunctionBody {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "AS {}", self.class)?;
        if let Some(language) = &self.language {
            write!(f, " LANGUAGE {language}")?;
        }
        if !self.using.is_empty() {
            f.write_str(" USING ")?;
            list(f, self.using.iter().map(|(kind, path)| format!("{kind} {path}")), ", ")?;
        }
        options(f, &self.options)
    }
}

impl Display for CreateModel {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "CREATE {}MODEL ", temporary(self.temporary))?;
        write!(f, "{}{}", if_not_exists(self.if_not_exists), self.name)?;
        for (word, names) in [("INPUT", &self.input), ("OUTPUT", &self.output)] {
            if !names.is_empty() {
                write!(f, " {word} (")?;
                list(f, names, ", ")?;
                f.write_char(')')?;
            }
        }
        comment(f, &self.comment)?;
        options(f, &self.options)?;
        match &self.query {
            Some(query) => write!(f, " AS {query}"),
            None => Ok(()),
        }
    }
}

impl Display for PlanStatement {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Some(compile) = &self.compile else {
            return write!(f, "EXECUTE PLAN {}", self.file);
        };
        f.write_str(if self.execute { "COMPILE AND EXECUTE PLAN " } else { "COMPILE PLAN " })?;
        write!(f, "{} {}FOR ", self.file, if_not_exists(self.if_not_exists))?;
        match compile {
            CompileTarget::Insert(insert) => write!(f, "{insert}"),
            CompileTarget::StatementSet(inserts) => statement_set(f, inserts),
        }
    }
}

impl Display for Analyze {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "ANALYZE TABLE {}", self.table)?;
        if !self.partition.is_empty() {
            let spec = self.partition.iter().map(|(key, value)| match value {
                Some(value) => format!("{key} = {value}"),
                None => key.to_string(),
            });
            f.write_str(" PARTITION (")?;
            list(f, spec, ", ")?;
            f.write_char(')')?;
        }
        f.write_str(" COMPUTE STATISTICS")?;
        if self.all_columns {
            f.write_str(" FOR ALL COLUMNS")?;
        } else if !self.columns.is_empty() {
            f.write_str(" FOR COLUMNS ")?;
            list(f, &self.columns, ", ")?;
        }
        Ok(())
    }
}

impl Display for Update {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "UPDATE {}", self.table)?;
        hinted(f, &self.hints)?;
        f.write_str(" SET ")?;
        list(f, self.assignments.iter().map(|(c, e)| format!("{c} = {e}")), ", ")?;
        condition(f, &self.condition)
    }
}

impl Display for Delete {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "DELETE FROM {}", self.table)?;
        hinted(f, &self.hints)?;
        condition(f, &self.condition)
    }
}

fn hinted(f: &mut Formatter<'_>, written: &[Hint]) -> Result {
    if written.is_empty() {
        return Ok(());
    }
    f.write_char(' ')?;
    hints(f, written)
}

fn condition(f: &mut Formatter<'_>, condition: &Option<Expr>) -> Result {
    match condition {
        Some(condition) => write!(f, " WHERE {condition}"),
        None => Ok(()),
    }
}
