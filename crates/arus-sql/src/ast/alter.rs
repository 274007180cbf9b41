//! ALTER of everything, and the objects besides tables: catalogs, functions, models, modules, jars, plans.

use super::{
    Call, ColumnDef, Distribution, Expr, Hint, Ident, Insert, KeyDef, ObjectKind, ObjectName, Query, Span, TableOption,
    Text, WatermarkDef,
};

/// `ALTER <object> [IF EXISTS] name <action>`
#[derive(Clone, Debug)]
pub struct Alter {
    pub object: ObjectKind,
    /// Of functions: `ALTER TEMPORARY [SYSTEM] FUNCTION`.
    pub temporary: bool,
    pub system: bool,
    pub if_exists: bool,
    pub name: ObjectName,
    pub action: AlterAction,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum AlterAction {
    RenameTo(ObjectName),
    RenameColumn {
        from: ObjectName,
        to: Ident,
    },
    Add(AlterElements),
    Modify(AlterElements),
    DropColumns(Vec<ObjectName>),
    DropPrimaryKey,
    DropConstraint(Ident),
    DropWatermark,
    DropDistribution,
    AddPartitions {
        if_not_exists: bool,
        partitions: Vec<Partition>,
    },
    DropPartitions {
        if_exists: bool,
        partitions: Vec<Partition>,
    },
    Set(Vec<TableOption>),
    Reset(Vec<Text>),
    /// `ALTER CATALOG c COMMENT '..'`
    Comment(Text),
    /// A new query of a view or a materialized table.
    As(Box<Query>),
    Suspend,
    Resume(Vec<TableOption>),
    /// `REFRESH [PARTITION (..)]`
    Refresh(Vec<(Ident, Expr)>),
    SetFreshness(Expr),
    SetRefreshMode(Ident),
    /// Ours: the query starts over from the beginning of its sources.
    Rebuild,
    /// Ours: rows that were set aside go once more through the pipeline that did it.
    Replay {
        late: bool,
        condition: Option<Expr>,
    },
    /// `ALTER FUNCTION f AS 'class' [LANGUAGE ..]`
    Function(FunctionBody),
}

/// `(k = v, ..)` with the options of the partition.
#[derive(Clone, Debug)]
pub struct Partition {
    pub spec: Vec<(Ident, Expr)>,
    pub options: Vec<TableOption>,
}

/// What `ADD` and `MODIFY` of ALTER TABLE name.
#[derive(Clone, Debug, Default)]
pub struct AlterElements {
    pub columns: Vec<AlterColumn>,
    pub watermarks: Vec<WatermarkDef>,
    pub keys: Vec<KeyDef>,
    pub distribution: Option<Distribution>,
}

#[derive(Clone, Debug)]
pub struct AlterColumn {
    pub column: ColumnDef,
    pub position: Option<ColumnPosition>,
}

#[derive(Clone, Debug)]
pub enum ColumnPosition {
    First,
    After(Ident),
}

#[derive(Clone, Debug)]
pub struct CreateCatalog {
    pub if_not_exists: bool,
    pub name: Ident,
    pub comment: Option<Text>,
    pub options: Vec<TableOption>,
}

#[derive(Clone, Debug)]
pub struct CreateFunction {
    pub temporary: bool,
    pub system: bool,
    pub if_not_exists: bool,
    pub name: ObjectName,
    pub body: FunctionBody,
}

/// `AS 'class' [LANGUAGE l] [USING JAR 'x', ..] [WITH (..)]`
#[derive(Clone, Debug)]
pub struct FunctionBody {
    pub class: Text,
    pub language: Option<Ident>,
    /// `JAR` or `ARTIFACT`, and where it is.
    pub using: Vec<(Ident, Text)>,
    pub options: Vec<TableOption>,
}

#[derive(Clone, Debug)]
pub struct CreateModel {
    pub temporary: bool,
    pub if_not_exists: bool,
    pub name: ObjectName,
    pub input: Vec<ColumnDef>,
    pub output: Vec<ColumnDef>,
    pub comment: Option<Text>,
    pub options: Vec<TableOption>,
    pub query: Option<Query>,
}

#[derive(Clone, Debug)]
pub enum ModuleStatement {
    Load { name: Ident, options: Vec<TableOption> },
    Unload(Ident),
}

/// `ADD JAR`, `REMOVE JAR`
#[derive(Clone, Debug)]
pub struct JarStatement {
    pub add: bool,
    pub path: Text,
}

/// COMPILE PLAN, EXECUTE PLAN, COMPILE AND EXECUTE PLAN.
#[derive(Clone, Debug)]
pub struct PlanStatement {
    pub file: Text,
    pub execute: bool,
    /// What is compiled: one INSERT, or those of a statement set.
    pub compile: Option<CompileTarget>,
    pub if_not_exists: bool,
}

#[derive(Clone, Debug)]
pub enum CompileTarget {
    Insert(Box<Insert>),
    StatementSet(Vec<Insert>),
}

/// `ANALYZE TABLE t [PARTITION (..)] COMPUTE STATISTICS [FOR COLUMNS a, b | FOR ALL COLUMNS]`
#[derive(Clone, Debug)]
pub struct Analyze {
    pub table: ObjectName,
    /// A key without a value means all of it.
    pub partition: Vec<(Ident, Option<Expr>)>,
    pub columns: Vec<Ident>,
    pub all_columns: bool,
}

/// `UPDATE t SET a = x, .. [WHERE ..]`
#[derive(Clone, Debug)]
pub struct Update {
    pub table: ObjectName,
    pub hints: Vec<Hint>,
    pub assignments: Vec<(Ident, Expr)>,
    pub condition: Option<Expr>,
}

/// `DELETE FROM t [WHERE ..]`
#[derive(Clone, Debug)]
pub struct Delete {
    pub table: ObjectName,
    pub hints: Vec<Hint>,
    pub condition: Option<Expr>,
}

/// `CALL procedure(..)`
#[derive(Clone, Debug)]
pub struct CallStatement {
    pub call: Box<Call>,
}
