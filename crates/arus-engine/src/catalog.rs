//! Catalogs, databases, tables and views by name.
//!
//! A temporary object hides the one that is at its place for good; both are here, under paths that differ in that alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::RwLock;

use arus_core::catalog::{
    Catalog, CatalogDef, CatalogObject, DEFAULT_CATALOG, DEFAULT_DATABASE, DatabaseDef, ObjectPath, PartitionSpec,
    SYSTEM_DATABASE,
};

pub(crate) struct ServerCatalog(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    catalogs: BTreeMap<String, CatalogDef>,
    /// By catalog and name.
    databases: BTreeMap<(String, String), DatabaseDef>,
    objects: BTreeMap<ObjectPath, CatalogObject>,
    partitions: BTreeMap<ObjectPath, Vec<PartitionSpec>>,
}

impl Default for ServerCatalog {
    /// Of a session: one catalog with one database.
    fn default() -> Self {
        let catalog = ServerCatalog(RwLock::default());
        catalog.put_catalog(CatalogDef::default_catalog());
        catalog
    }
}

impl ServerCatalog {
    /// Of a server: with the system tables' database.
    pub(crate) fn of_server() -> Self {
        let catalog = Self::default();
        catalog.put_database(database(DEFAULT_CATALOG, SYSTEM_DATABASE));
        catalog
    }

    /// Whether there is something at this very place, temporary or not.
    pub(crate) fn has(&self, path: &ObjectPath) -> bool {
        self.read().objects.contains_key(path)
    }

    pub(crate) fn put(&self, object: CatalogObject) {
        self.write().objects.insert(object.path().clone(), object);
    }

    pub(crate) fn remove(&self, path: &ObjectPath) {
        let mut inner = self.write();
        inner.objects.remove(path);
        inner.partitions.remove(path);
    }

    /// New or changed; a new one has its default database.
    pub(crate) fn put_catalog(&self, def: CatalogDef) {
        let mut inner = self.write();
        let key = (def.name.clone(), def.default_database().to_string());
        inner.databases.entry(key).or_insert_with_key(|(catalog, name)| database(catalog, name));
        inner.catalogs.insert(def.name.clone(), def);
    }

    /// With all that is in it.
    pub(crate) fn remove_catalog(&self, name: &str) {
        let mut inner = self.write();
        inner.catalogs.remove(name);
        inner.databases.retain(|(catalog, _), _| catalog != name);
        inner.objects.retain(|path, _| path.catalog != name);
        inner.partitions.retain(|path, _| path.catalog != name);
    }

    pub(crate) fn put_database(&self, def: DatabaseDef) {
        self.write().databases.insert((def.catalog.clone(), def.name.clone()), def);
    }

    pub(crate) fn remove_database(&self, catalog: &str, name: &str) {
        self.write().databases.remove(&(catalog.to_string(), name.to_string()));
    }

    pub(crate) fn change_partitions(&self, table: &ObjectPath, add: bool, specs: Vec<PartitionSpec>) {
        let mut inner = self.write();
        let known = inner.partitions.entry(table.clone()).or_default();
        known.retain(|spec| !specs.contains(spec));
        if add {
            known.extend(specs);
            known.sort();
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        self.0.read().expect("no holder of the catalog's lock panics")
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.0.write().expect("no holder of the catalog's lock panics")
    }
}

fn database(catalog: &str, name: &str) -> DatabaseDef {
    DatabaseDef { catalog: catalog.into(), name: name.into(), comment: None, options: BTreeMap::new() }
}

impl Catalog for ServerCatalog {
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject> {
        let inner = self.read();
        inner.objects.get(&path.as_temporary(true)).or_else(|| inner.objects.get(&path.as_temporary(false))).cloned()
    }

    fn permanent(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.read().objects.get(&path.as_temporary(false)).cloned()
    }

    fn objects(&self, database: &str) -> Vec<CatalogObject> {
        self.objects_in(DEFAULT_CATALOG, database)
    }

    fn databases(&self) -> Vec<String> {
        let mut names = self.databases_in(DEFAULT_CATALOG);
        // The default one comes first.
        names.sort_by_key(|name| name != DEFAULT_DATABASE);
        names
    }

    fn catalogs(&self) -> Vec<CatalogDef> {
        self.read().catalogs.values().cloned().collect()
    }

    fn objects_in(&self, catalog: &str, database: &str) -> Vec<CatalogObject> {
        let inner = self.read();
        let within = |p: &&ObjectPath| p.catalog == catalog && p.database == database;
        let names: BTreeSet<&str> = inner.objects.keys().filter(within).map(|p| p.name.as_str()).collect();
        let path = |name: &str| ObjectPath::in_catalog(catalog, database, name);
        let of = |name: &str| {
            inner.objects.get(&path(name).as_temporary(true)).or_else(|| inner.objects.get(&path(name))).cloned()
        };
        names.into_iter().filter_map(of).collect()
    }

    fn databases_in(&self, catalog: &str) -> Vec<String> {
        self.read().databases.keys().filter(|(c, _)| c == catalog).map(|(_, name)| name.clone()).collect()
    }

    fn database(&self, catalog: &str, name: &str) -> Option<DatabaseDef> {
        self.read().databases.get(&(catalog.to_string(), name.to_string())).cloned()
    }

    fn partitions(&self, table: &ObjectPath) -> Vec<PartitionSpec> {
        self.read().partitions.get(table).cloned().unwrap_or_default()
    }
}

/// The catalog as it would be without some objects, and with another one.
pub(crate) struct Changed<'a> {
    pub(crate) base: &'a ServerCatalog,
    pub(crate) gone: Vec<ObjectPath>,
    pub(crate) new: Option<CatalogObject>,
}

impl Catalog for Changed<'_> {
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject> {
        match &self.new {
            Some(new) if new.path() == path => Some(new.clone()),
            _ if self.gone.contains(path) => None,
            _ => self.base.object(path),
        }
    }

    fn objects(&self, database: &str) -> Vec<CatalogObject> {
        let mut objects = self.base.objects(database);
        objects.retain(|o| !self.gone.contains(o.path()));
        objects.extend(self.new.iter().filter(|o| o.path().database == database).cloned());
        objects
    }

    fn databases(&self) -> Vec<String> {
        self.base.databases()
    }
}
