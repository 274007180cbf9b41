//! The server's tables and views by name.

use std::collections::BTreeMap;
use std::sync::RwLock;

use arus_core::catalog::{Catalog, CatalogObject, DEFAULT_DATABASE, ObjectPath, SYSTEM_DATABASE};

#[derive(Default)]
pub(crate) struct ServerCatalog {
    objects: RwLock<BTreeMap<ObjectPath, CatalogObject>>,
}

impl ServerCatalog {
    pub(crate) fn put(&self, object: CatalogObject) {
        self.write().insert(object.path().clone(), object);
    }

    pub(crate) fn remove(&self, path: &ObjectPath) {
        self.write().remove(path);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<ObjectPath, CatalogObject>> {
        self.objects.read().expect("no holder of the catalog's lock panics")
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<ObjectPath, CatalogObject>> {
        self.objects.write().expect("no holder of the catalog's lock panics")
    }
}

impl Catalog for ServerCatalog {
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.read().get(path).cloned()
    }

    fn objects(&self, database: &str) -> Vec<CatalogObject> {
        self.read().values().filter(|o| o.path().database == database).cloned().collect()
    }

    fn databases(&self) -> Vec<String> {
        vec![DEFAULT_DATABASE.into(), SYSTEM_DATABASE.into()]
    }
}
