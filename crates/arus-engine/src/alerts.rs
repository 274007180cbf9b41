//! Alerts: pipelines whose rows go to a book each, which knows what is firing and whom it has still to tell.
//!
//! The rows of a checkpoint reach the book by the outbox, so that nothing fires that a crash could take back. A change of a book
//! is durable before anybody is told of it; what is to be told stays in it until it was taken.

mod backtest;
mod book;
mod delivery;
mod shown;
mod statements;
mod telling;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arus_core::catalog::ObjectPath;
use arus_core::fs::SharedFs;
use arus_core::read::Cut;
use arus_core::{Error, Result};
use arus_sql::AlertDef;
use arus_storage::DataFolder;
use arus_storage::kept::KeptFiles;
use arus_storage::manifest::CatalogItem;

pub(crate) use backtest::BACKTEST_COLUMNS;
use book::Book;
pub(crate) use delivery::AlertDelivery;
pub(crate) use shown::{metrics, rows_of_alerts, rows_of_cases, rows_of_events};
pub(crate) use statements::ALERT_COLUMNS;
pub(crate) use telling::start;

/// The kind of an alert's item in the catalog.
pub(crate) const ALERT: &str = "alert";

pub(crate) struct Alert {
    pub(crate) def: AlertDef,
    pub(crate) item: CatalogItem,
    /// Random and new with each CREATE: names its file, and begins the ids of its events.
    deployment: String,
    store: KeptFiles,
    book: Mutex<Open>,
    /// How it goes with each notifier, in the order of the definition.
    ways: Vec<Mutex<Way>>,
    input: Mutex<Input>,
}

struct Open {
    book: Book,
    /// It was dropped: nothing is saved any more.
    closed: bool,
}

/// How it goes with a notifier.
#[derive(Debug, Clone, Default)]
pub(crate) struct Way {
    busy: bool,
    failures: u32,
    next_ms: i64,
    last_error: Option<String>,
}

/// When rows last came.
#[derive(Debug, Clone, Copy, Default)]
struct Input {
    rows: u64,
    /// `None`: nobody has looked yet.
    since_ms: Option<i64>,
}

impl Alert {
    fn open(def: AlertDef, item: CatalogItem, store: KeptFiles) -> Result<Arc<Self>> {
        let deployment = item.extra["job"].as_str().unwrap_or_default().to_string();
        let book = match store.load(&deployment)? {
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| Error::data(format!("what alert '{}' has told cannot be read: {e}", def.path)))?,
            None => Book::new(),
        };
        let ways = def.notify.iter().map(|_| Mutex::default()).collect();
        let book = Mutex::new(Open { book, closed: false });
        Ok(Arc::new(Alert { def, item, deployment, store, book, ways, input: Mutex::default() }))
    }

    fn locked(&self) -> MutexGuard<'_, Open> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn way(&self, to: usize) -> Option<MutexGuard<'_, Way>> {
        self.ways.get(to).map(|way| way.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it knows now.
    pub(crate) fn book(&self) -> Book {
        self.locked().book.clone()
    }

    fn cut(&self) -> Cut {
        self.locked().book.cut
    }

    /// Changes the book; what was changed is durable when this returns, and after an error the book is as it was.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Book) -> Result<T>) -> Result<T> {
        let mut open = self.locked();
        let mut next = open.book.clone();
        let outcome = change(&mut next)?;
        if next != open.book {
            if !open.closed {
                let bytes = serde_json::to_vec(&next)
                    .map_err(|e| Error::bug(format!("the book of alert '{}': {e}", self.def.path)))?;
                self.store.save(&self.deployment, &bytes)?;
            }
            open.book = next;
        }
        Ok(outcome)
    }

    /// It is dropped: its file goes.
    fn close(&self) -> Result<()> {
        let mut open = self.locked();
        open.closed = true;
        self.store.remove(&self.deployment)
    }

    /// The id of an event: the same for every attempt to tell it.
    pub(crate) fn id_of(&self, number: u64) -> String {
        format!("{}-{number}", self.deployment.get(..16).unwrap_or(&self.deployment))
    }
}

/// All alerts by name.
pub(crate) struct Alerts {
    store: KeptFiles,
    all: RwLock<BTreeMap<ObjectPath, Arc<Alert>>>,
}

impl Alerts {
    pub(crate) fn new(fs: SharedFs, folder: &DataFolder) -> Result<Self> {
        Ok(Alerts { store: KeptFiles::open(fs, &folder.alerts())?, all: RwLock::default() })
    }

    /// From its item, with what its book says.
    pub(crate) fn put(&self, def: AlertDef, item: CatalogItem) -> Result<Arc<Alert>> {
        let alert = Alert::open(def, item, self.store.clone())?;
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(alert.def.path.clone(), alert.clone());
        Ok(alert)
    }

    pub(crate) fn get(&self, path: &ObjectPath) -> Option<Arc<Alert>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// The alert whose pipeline has this id in the catalog.
    pub(crate) fn of_pipeline(&self, id: u64) -> Option<Arc<Alert>> {
        self.all().into_iter().find(|alert| alert.item.id == id)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Alert>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn remove(&self, path: &ObjectPath) -> Result<()> {
        let gone = self.all.write().unwrap_or_else(PoisonError::into_inner).remove(path);
        gone.map_or(Ok(()), |alert| alert.close())
    }

    /// Books of alerts that are no more: a crash came between the record and the file.
    pub(crate) fn remove_unknown(&self) -> Result<()> {
        let known: Vec<String> = self.all().iter().map(|alert| alert.deployment.clone()).collect();
        for name in self.store.names()? {
            if !known.contains(&name) {
                self.store.remove(&name)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
