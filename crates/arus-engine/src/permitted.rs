//! Catalog and snapshot as one user may see them.
//!
//! A view gives the rows that whoever made it chose: its reader needs no right on what it reads.

use std::sync::{Arc, Mutex};

use arus_access::Privilege;
use arus_core::catalog::{Catalog, CatalogDef, CatalogObject, DatabaseDef, ObjectPath, PartitionSpec, Usage};
use arus_core::error::Code;
use arus_core::read::{Cut, ReadTable, Snapshot};
use arus_core::{Error, Result};
use arus_sql::ast::StatementKind;
use arus_sql::{Planned, PlannedStatement};
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::access::{Action, Who};
use crate::shared::Shared;

/// Plans for somebody who may not do everything.
pub(crate) struct Permitted<'a> {
    shared: &'a Shared,
    who: &'a Who,
    /// What the statement reads.
    read: Mutex<Vec<ObjectPath>>,
}

impl<'a> Permitted<'a> {
    pub(crate) fn new(shared: &'a Shared, who: &'a Who) -> Self {
        Permitted { shared, who, read: Mutex::default() }
    }

    pub(crate) fn into_read(self) -> Vec<ObjectPath> {
        self.read.into_inner().expect("no holder of this lock panics")
    }

    fn shows(&self, object: &CatalogObject) -> bool {
        self.shared.allows(self.who, Action::Know(object.path()))
    }
}

impl Catalog for Permitted<'_> {
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.shared.catalog.object(path)
    }

    fn named(&self, path: &ObjectPath, usage: Usage) -> Result<Option<CatalogObject>> {
        let privilege = match usage {
            Usage::Read => Privilege::Select,
            Usage::Write => Privilege::Insert,
        };
        self.shared.authorize(self.who, Action::On(privilege, path))?;
        if usage == Usage::Read {
            self.read.lock().expect("no holder of this lock panics").push(path.clone());
        }
        Ok(self.object(path))
    }

    fn objects(&self, database: &str) -> Vec<CatalogObject> {
        self.shared.catalog.objects(database).into_iter().filter(|o| self.shows(o)).collect()
    }

    fn databases(&self) -> Vec<String> {
        self.shared.catalog.databases()
    }

    fn permanent(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.shared.catalog.permanent(path)
    }

    fn catalogs(&self) -> Vec<CatalogDef> {
        self.shared.catalog.catalogs()
    }

    fn objects_in(&self, catalog: &str, database: &str) -> Vec<CatalogObject> {
        self.shared.catalog.objects_in(catalog, database).into_iter().filter(|o| self.shows(o)).collect()
    }

    fn databases_in(&self, catalog: &str) -> Vec<String> {
        self.shared.catalog.databases_in(catalog)
    }

    fn database(&self, catalog: &str, name: &str) -> Option<DatabaseDef> {
        self.shared.catalog.database(catalog, name)
    }

    fn partitions(&self, table: &ObjectPath) -> Vec<PartitionSpec> {
        self.shared.catalog.partitions(table)
    }
}

/// A statement that is planned for somebody, and what it reads.
pub(crate) struct PermittedStatement {
    pub(crate) planned: PlannedStatement,
    pub(crate) read: Vec<ObjectPath>,
}

impl Shared {
    /// Plans what `who` may do; the right to every object that the text names is asked before anything is told of it.
    pub(crate) fn plan_for(
        &self,
        who: &Who,
        text: &str,
        settings: &arus_core::settings::Settings,
        batch_snapshot: bool,
    ) -> Result<PermittedStatement> {
        self.authorize(who, Action::Stay)?;
        if self.is_free(who) {
            return Ok(PermittedStatement { planned: self.plan(text, settings, batch_snapshot)?, read: vec![] });
        }
        if let Some(what) = for_admins(text)? {
            self.authorize(who, Action::Administer(what))?;
        }
        let permitted = Permitted::new(self, who);
        let planned = self.plan_over(&permitted, text, settings, batch_snapshot)?;
        self.authorize_planned(who, &planned.planned)?;
        Ok(PermittedStatement { planned, read: permitted.into_read() })
    }

    /// What is left to ask once it is known what a statement does; anything new is for admins.
    fn authorize_planned(&self, who: &Who, planned: &Planned) -> Result<()> {
        match planned {
            Planned::Select { .. }
            | Planned::Rows { .. }
            | Planned::Set { .. }
            | Planned::Reset { .. }
            | Planned::UseDatabase { .. }
            | Planned::ExplainWhy { .. }
            | Planned::Nothing => Ok(()),
            // Rows of clients; into anything else they are a job.
            Planned::InsertValues { table, .. }
                if self.tables.get(&table.path).is_some_and(|t| t.inbox().is_some()) =>
            {
                Ok(())
            }
            Planned::Change { table, delete, .. } => {
                let privilege = if *delete { Privilege::Delete } else { Privilege::Update };
                self.authorize(who, Action::On(privilege, &table.path))
            }
            Planned::ShowJobs | Planned::DescribeJob { .. } | Planned::ExplainAnalyze { .. } => {
                self.authorize(who, Action::Watch("to see jobs"))
            }
            Planned::ShowAlerts | Planned::ShowCreateAlert { .. } => {
                self.authorize(who, Action::Watch("to see alerts"))
            }
            Planned::Insert { .. } | Planned::InsertValues { .. } | Planned::StatementSet { .. } => {
                self.authorize(who, Action::Administer("to start a pipeline"))
            }
            _ => self.authorize(who, Action::Administer("this statement")),
        }
    }
}

/// What a statement is called that only admins may run; the list of the others is the one to extend.
fn for_admins(text: &str) -> Result<Option<&'static str>> {
    let statement = arus_sql::parser::parse_statement(text).map_err(|e| arus_sql::syntax_error(e, text))?;
    Ok(match statement.kind {
        StatementKind::Query(_)
        | StatementKind::Insert(_)
        | StatementKind::Update(_)
        | StatementKind::Delete(_)
        | StatementKind::Truncate(_)
        | StatementKind::Explain(_)
        | StatementKind::Describe(_)
        | StatementKind::Show(_)
        | StatementKind::Set(_)
        | StatementKind::Reset(_)
        | StatementKind::Use(_)
        | StatementKind::Unsupported { .. } => None,
        StatementKind::StatementSet(_) => Some("to start a pipeline"),
        StatementKind::StopJob(_) => Some("STOP JOB"),
        StatementKind::Drop(_) | StatementKind::DropAlert { .. } => Some("DROP"),
        StatementKind::Alter(_) | StatementKind::AlterAlert(_) => Some("ALTER"),
        _ => Some("CREATE"),
    })
}

/// An epoch as somebody may read it. What may not be read is not there; who looked for it is told why.
pub(crate) struct PermittedSnapshot {
    snapshot: Arc<dyn Snapshot>,
    shared: Arc<Shared>,
    who: Who,
    denied: Mutex<Option<ObjectPath>>,
}

impl PermittedSnapshot {
    pub(crate) fn new(snapshot: Arc<dyn Snapshot>, shared: &Arc<Shared>, who: &Who) -> Arc<Self> {
        Arc::new(PermittedSnapshot { snapshot, shared: shared.clone(), who: who.clone(), denied: Mutex::default() })
    }

    /// A table that is missing because it may not be read is told so.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let denied = self.denied.lock().expect("no holder of this lock panics").take();
        match denied {
            Some(path) if error.code() == Code::UndefinedTable => {
                let asked = self.shared.authorize(&self.who, Action::On(Privilege::Select, &path));
                asked.err().unwrap_or(error)
            }
            _ => error,
        }
    }
}

impl Snapshot for PermittedSnapshot {
    fn cut(&self) -> Cut {
        self.snapshot.cut()
    }

    fn as_of_ms(&self) -> i64 {
        self.snapshot.as_of_ms()
    }

    fn databases(&self) -> Vec<String> {
        self.snapshot.databases()
    }

    fn table_names(&self, database: &str) -> Vec<String> {
        let mut names = self.snapshot.table_names(database);
        names.retain(|name| {
            self.shared.allows(&self.who, Action::On(Privilege::Select, &ObjectPath::new(database, name)))
        });
        names
    }

    fn table(&self, path: &ObjectPath) -> Option<Arc<dyn ReadTable>> {
        if self.shared.allows(&self.who, Action::On(Privilege::Select, path)) {
            return self.snapshot.table(path);
        }
        *self.denied.lock().expect("no holder of this lock panics") = Some(path.clone());
        None
    }
}

/// The items for as long as all of these may be read: a right that is taken away ends what goes on.
pub(crate) fn while_permitted<T: Send + 'static>(
    shared: &Arc<Shared>,
    who: &Who,
    read: Vec<ObjectPath>,
    items: BoxStream<'static, Result<T>>,
) -> BoxStream<'static, Result<T>> {
    let (shared, who) = (shared.clone(), who.clone());
    let refused = move || {
        shared.authorize(&who, Action::Stay)?;
        read.iter().try_for_each(|path| shared.authorize(&who, Action::On(Privilege::Select, path)))
    };
    stream::unfold(Some(items), move |items| {
        let refused = refused.clone();
        async move {
            let mut items = items?;
            let item = items.next().await?;
            Some(match refused() {
                Ok(()) => (item, Some(items)),
                Err(e) => (Err(e), None),
            })
        }
    })
    .boxed()
}
