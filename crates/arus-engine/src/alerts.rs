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
use arus_sql::{AlertDef, Notify};
use arus_storage::DataFolder;
use arus_storage::kept::KeptFiles;
use arus_storage::manifest::CatalogItem;

pub(crate) use backtest::BACKTEST_COLUMNS;
pub(crate) use book::label;
use book::{Book, Event};
pub(crate) use delivery::AlertDelivery;
pub(crate) use shown::{metrics, rows_of_alerts, rows_of_cases, rows_of_events, shown_statement};
pub(crate) use statements::{ALERT_COLUMNS, Fate, IfThere};
pub(crate) use telling::start;

/// The kind of an alert's item in the catalog.
pub(crate) const ALERT: &str = "alert";

pub(crate) struct Alert {
    pub(crate) path: ObjectPath,
    /// Of its item in the catalog, and so of its pipeline.
    pub(crate) id: u64,
    /// Random and new with each CREATE: names its file, and begins the ids of its events.
    deployment: String,
    store: KeptFiles,
    open: Mutex<Open>,
    input: Mutex<Input>,
}

/// What is changed together: a book goes by one definition.
struct Open {
    def: Arc<AlertDef>,
    item: Arc<CatalogItem>,
    book: Book,
    /// How it goes with each notifier, in the order of the definition.
    ways: Vec<Way>,
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
        let mut book = match store.load(&deployment)? {
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| Error::data(format!("what alert '{}' has told cannot be read: {e}", def.path)))?,
            None => Book::new(),
        };
        book.go_by(&def);
        let (path, id) = (def.path.clone(), item.id);
        let ways = vec![Way::default(); def.notify.len()];
        let open = Mutex::new(Open { def: Arc::new(def), item: Arc::new(item), book, ways, closed: false });
        Ok(Arc::new(Alert { path, id, deployment, store, open, input: Mutex::default() }))
    }

    fn locked(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn def(&self) -> Arc<AlertDef> {
        self.locked().def.clone()
    }

    /// How it stands in the catalog.
    pub(crate) fn item(&self) -> Arc<CatalogItem> {
        self.locked().item.clone()
    }

    fn ways(&self) -> Vec<Way> {
        self.locked().ways.clone()
    }

    /// What it knows now.
    pub(crate) fn book(&self) -> Book {
        self.locked().book.clone()
    }

    fn is_due(&self, now_ms: i64, quiet_ms: Option<i64>) -> bool {
        let open = self.locked();
        open.book.is_due(&open.def, now_ms, quiet_ms)
    }

    fn cut(&self) -> Cut {
        self.locked().book.cut
    }

    /// Changes the book; what was changed is durable when this returns, and after an error the book is as it was.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&AlertDef, &mut Book) -> Result<T>) -> Result<T> {
        let mut open = self.locked();
        let mut next = open.book.clone();
        let outcome = change(&open.def, &mut next)?;
        if next != open.book {
            if !open.closed {
                let bytes = serde_json::to_vec(&next)
                    .map_err(|e| Error::bug(format!("the book of alert '{}': {e}", self.path)))?;
                self.store.save(&self.deployment, &bytes)?;
            }
            open.book = next;
        }
        Ok(outcome)
    }

    /// Other clauses around the same query and key: what fires goes on.
    fn redefine(&self, def: AlertDef, item: CatalogItem) {
        let mut open = self.locked();
        let known = |notify: &Notify| open.def.notify.iter().position(|n| n == notify);
        let ways = def.notify.iter().map(|n| known(n).map_or_else(Way::default, |at| open.ways[at].clone())).collect();
        open.ways = ways;
        // Whoever reads the file meanwhile does the same with it: it need not be saved now.
        open.book.go_by(&def);
        (open.def, open.item) = (Arc::new(def), Arc::new(item));
    }

    /// What waits longest for a notifier, which is busy from now on; nothing while it is, or has failed a short while ago.
    fn take_next(&self, notify: &Notify, now_ms: i64) -> Option<Event> {
        let mut open = self.locked();
        let to = open.def.notify.iter().position(|n| n == notify)?;
        let event = open.book.waiting.iter().find(|w| w.to == to)?.event.clone();
        let way = open.ways.get_mut(to).filter(|way| !way.busy && now_ms >= way.next_ms)?;
        way.busy = true;
        Some(event)
    }

    /// Changes how it goes with a notifier, unless it is none any more.
    fn with_way<T>(&self, notify: &Notify, change: impl FnOnce(&mut Way) -> T) -> Option<T> {
        let mut open = self.locked();
        let to = open.def.notify.iter().position(|n| n == notify)?;
        open.ways.get_mut(to).map(change)
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
        self.set(alert.clone());
        Ok(alert)
    }

    /// It is the one of its name.
    fn set(&self, alert: Arc<Alert>) {
        self.all.write().unwrap_or_else(PoisonError::into_inner).insert(alert.path.clone(), alert);
    }

    pub(crate) fn get(&self, path: &ObjectPath) -> Option<Arc<Alert>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// The alert whose pipeline has this id in the catalog.
    pub(crate) fn of_pipeline(&self, id: u64) -> Option<Arc<Alert>> {
        self.all().into_iter().find(|alert| alert.id == id)
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
