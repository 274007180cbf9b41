//! What a snapshot holds, with the numbers that PostgreSQL's clients look things up by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arus_core::read::{ReadTableKind, Snapshot};
use datafusion::arrow::datatypes::SchemaRef;

use super::types::{self, PgType};
use crate::catalog::{PG_CATALOG, PUBLIC, database_of, schema_of};

pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";
/// The role of whoever connects; it owns everything.
pub(crate) const OWNER: i32 = 10;
pub(crate) const DATABASE: i32 = 16_384;
const FIRST_FREE: i32 = 16_400;

/// Numbers of names, for the life of the server.
#[derive(Debug, Default)]
pub(crate) struct Oids(Mutex<HashMap<String, i32>>);

impl Oids {
    fn of(&self, key: String) -> i32 {
        let Ok(mut known) = self.0.lock() else { return 0 };
        let next = FIRST_FREE + known.len() as i32;
        *known.entry(key).or_insert(next)
    }
}

/// Numbers that clients know by heart.
const FIXED: &[(&str, i32)] = &[
    ("pg_type", 1247),
    ("pg_attribute", 1249),
    ("pg_proc", 1255),
    ("pg_class", 1259),
    ("pg_authid", 1260),
    ("pg_database", 1262),
    ("pg_am", 2601),
    ("pg_attrdef", 2604),
    ("pg_constraint", 2606),
    ("pg_description", 2609),
    ("pg_index", 2610),
    ("pg_inherits", 2611),
    ("pg_language", 2612),
    ("pg_namespace", 2615),
    ("pg_operator", 2617),
    ("pg_rewrite", 2618),
    ("pg_trigger", 2620),
    ("pg_extension", 3079),
    ("pg_collation", 3456),
    ("pg_enum", 3501),
];

pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) ty: PgType,
    pub(crate) not_null: bool,
}

pub(crate) struct Relation {
    pub(crate) oid: i32,
    pub(crate) schema: String,
    pub(crate) namespace: i32,
    pub(crate) name: String,
    /// `r` or `v`.
    pub(crate) kind: char,
    pub(crate) columns: Vec<Attribute>,
    /// Indexes of the primary key's columns.
    pub(crate) key: Vec<usize>,
    /// Numbers of the primary key's index and constraint.
    pub(crate) key_oids: (i32, i32),
    pub(crate) rows: Option<u64>,
    pub(crate) query: Option<String>,
    pub(crate) comment: Option<String>,
}

impl Relation {
    pub(crate) fn is_system(&self) -> bool {
        self.schema == PG_CATALOG || self.schema == INFORMATION_SCHEMA
    }

    pub(crate) fn key_name(&self) -> String {
        format!("{}_pkey", self.name)
    }

    pub(crate) fn key_columns(&self) -> String {
        let names: Vec<_> = self.key.iter().map(|i| quote(&self.columns[*i].name)).collect();
        names.join(", ")
    }
}

/// A name as it has to be written.
pub(crate) fn quote(name: &str) -> String {
    let plain =
        name.chars().enumerate().all(|(i, c)| c.is_ascii_lowercase() || c == '_' || (i > 0 && c.is_ascii_digit()));
    if plain && !name.is_empty() && !RESERVED.contains(&name) {
        name.into()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Words that are no names without quotes.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "both",
    "case",
    "cast",
    "check",
    "column",
    "constraint",
    "create",
    "default",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "initially",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "references",
    "select",
    "some",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "when",
    "where",
    "window",
    "with",
];

pub(crate) struct Model {
    pub(crate) namespaces: Vec<(i32, String)>,
    pub(crate) relations: Vec<Relation>,
    /// Schemas that names without one are looked for in, in this order; `pg_catalog` is always among them.
    pub(crate) path: Vec<String>,
    pub(crate) user: String,
    pub(crate) settings: Arc<HashMap<String, String>>,
}

impl Model {
    /// `system`: the tables of `pg_catalog` and `information_schema`.
    pub(crate) fn new(
        snapshot: &dyn Snapshot,
        oids: &Oids,
        system: &[(&'static str, String, SchemaRef)],
        path: Vec<String>,
        user: String,
        settings: Arc<HashMap<String, String>>,
    ) -> Model {
        let mut namespaces = vec![(11, PG_CATALOG.to_string()), (13_000, INFORMATION_SCHEMA.to_string())];
        for database in snapshot.databases() {
            let schema = schema_of(&database).to_string();
            let oid = if schema == PUBLIC { 2200 } else { oids.of(format!("schema {schema}")) };
            namespaces.push((oid, schema));
        }
        let mut relations = vec![];
        for (namespace, schema) in namespaces.iter().skip(2) {
            let database = database_of(schema);
            for name in snapshot.table_names(database) {
                let path = arus_core::catalog::ObjectPath::new(database, &name);
                let Some(table) = snapshot.table(&path) else { continue };
                let oid = |what: &str| oids.of(format!("{what} {schema}.{name}"));
                let columns = table.schema().columns().iter().enumerate().map(|(i, c)| Attribute {
                    name: c.name.clone(),
                    ty: types::of_column(&c.ty),
                    not_null: !c.ty.nullable || table.primary_key().contains(&i),
                });
                relations.push(Relation {
                    oid: oid("table"),
                    schema: schema.clone(),
                    namespace: *namespace,
                    kind: if table.kind() == ReadTableKind::View { 'v' } else { 'r' },
                    columns: columns.collect(),
                    key: table.primary_key().to_vec(),
                    key_oids: (oid("index"), oid("constraint")),
                    rows: table.rows(),
                    query: table.query(),
                    comment: table.comment(),
                    name,
                });
            }
        }
        for (i, (schema, name, fields)) in system.iter().enumerate() {
            let fixed = FIXED.iter().find(|(n, _)| n == name).map(|(_, oid)| *oid);
            let columns = fields.fields().iter().map(|f| Attribute {
                name: f.name().clone(),
                ty: types::of_field(f),
                not_null: false,
            });
            let in_catalog = *schema == PG_CATALOG;
            relations.push(Relation {
                oid: fixed.unwrap_or(12_000 + i as i32),
                schema: (*schema).to_string(),
                namespace: if in_catalog { 11 } else { 13_000 },
                name: name.clone(),
                kind: if in_catalog { 'r' } else { 'v' },
                columns: columns.collect(),
                key: vec![],
                key_oids: (0, 0),
                rows: None,
                query: None,
                comment: None,
            });
        }
        Model { namespaces, relations, path, user, settings }
    }

    pub(crate) fn relation(&self, oid: i32) -> Option<&Relation> {
        self.relations.iter().find(|r| r.oid == oid)
    }

    /// The table or index of a name as it is written in SQL: `t`, `public."T"`.
    pub(crate) fn find(&self, text: &str) -> Option<i32> {
        let parts = split_name(text);
        let (schemas, name) = match parts.as_slice() {
            [name] => {
                let catalog = std::iter::once(PG_CATALOG);
                (catalog.chain(self.path.iter().map(String::as_str)).collect::<Vec<_>>(), name)
            }
            [.., schema, name] => (vec![schema.as_str()], name),
            [] => return None,
        };
        for schema in schemas {
            let within = || self.relations.iter().filter(|r| r.schema == schema);
            if let Some(found) = within().find(|r| r.name == *name) {
                return Some(found.oid);
            }
            if let Some(found) = within().find(|r| !r.key.is_empty() && r.key_name() == *name) {
                return Some(found.key_oids.0);
            }
            // Flink's names keep their case, clients fold theirs.
            let mut similar = within().filter(|r| r.name.eq_ignore_ascii_case(name));
            if let (Some(only), None) = (similar.next(), similar.next()) {
                return Some(only.oid);
            }
        }
        None
    }

    /// A relation's name as `regclass` shows it.
    pub(crate) fn shown(&self, oid: i32) -> Option<String> {
        let (schema, name) = match self.relation(oid) {
            Some(r) => (&r.schema, r.name.clone()),
            None => {
                let r = self.relations.iter().find(|r| !r.key.is_empty() && r.key_oids.0 == oid)?;
                (&r.schema, r.key_name())
            }
        };
        let visible = self.is_in_path(schema);
        Some(if visible { quote(&name) } else { format!("{}.{}", quote(schema), quote(&name)) })
    }

    pub(crate) fn is_in_path(&self, schema: &str) -> bool {
        schema == PG_CATALOG || self.path.iter().any(|s| s == schema)
    }

    pub(crate) fn is_visible(&self, oid: i32) -> Option<bool> {
        let by_index = || self.relations.iter().find(|r| !r.key.is_empty() && r.key_oids.0 == oid);
        self.relation(oid).or_else(by_index).map(|r| self.is_in_path(&r.schema))
    }

    /// The first schema of the path that there is.
    pub(crate) fn current_schema(&self) -> Option<&str> {
        let exists = |s: &&String| self.namespaces.iter().any(|(_, n)| n == *s);
        self.path.iter().find(exists).map(String::as_str)
    }
}

/// Parts of a name; those without quotes in lower case.
pub(crate) fn split_name(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        let Some(part) = parts.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c if quoted => part.push(c),
            c => part.extend(c.to_lowercase()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_and_quoted() {
        assert_eq!(split_name("public.\"My.Table\""), ["public", "My.Table"]);
        assert_eq!(split_name("Orders"), ["orders"]);
        assert_eq!(
            [quote("orders"), quote("Orders"), quote("user"), quote("a\"b")],
            ["orders", "\"Orders\"", "\"user\"", "\"a\"\"b\""]
        );
    }
}
