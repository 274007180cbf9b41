//! The tables of `pg_catalog` that tell what there is.

use arus_core::client_settings::{CLIENT_SETTINGS, Kind};

use super::model::{Attribute, DATABASE, Model, OWNER, Relation};
use super::rows::{NONE, Spec, row};
use super::types::PgType;
use crate::function::Value;

type Rows = fn(&Model) -> Vec<Vec<Value>>;

/// B-trees, of which every primary key has one.
const BTREE: i32 = 403;
const HEAP: i32 = 2;
const TABLESPACE: i32 = 1663;
const UTF8: i32 = 6;
/// A `tid`; the methods know the relation.
const COLLATION: i32 = 100;

pub(super) const TABLES: &[Spec<Rows>] = &[
    Spec {
        name: "pg_class",
        columns: "oid:oid relname:name relnamespace:oid reltype:oid reloftype:oid relowner:oid relam:oid relfilenode:oid \
                  reltablespace:oid relpages:int4 reltuples:float4 relallvisible:int4 reltoastrelid:oid relhasindex:bool \
                  relisshared:bool relpersistence:char relkind:char relnatts:int2 relchecks:int2 relhasrules:bool \
                  relhastriggers:bool relhassubclass:bool relrowsecurity:bool relforcerowsecurity:bool relispopulated:bool \
                  relreplident:char relispartition:bool relrewrite:oid relfrozenxid:xid relminmxid:xid relacl:text[] \
                  reloptions:text[] relpartbound:text",
        rows: classes,
    },
    Spec {
        name: "pg_attribute",
        columns: "attrelid:oid attname:name atttypid:oid attstattarget:int4 attlen:int2 attnum:int2 attndims:int4 \
                  attcacheoff:int4 atttypmod:int4 attbyval:bool attalign:char attstorage:char attcompression:char \
                  attnotnull:bool atthasdef:bool atthasmissing:bool attidentity:char attgenerated:char attisdropped:bool \
                  attislocal:bool attinhcount:int4 attcollation:oid attacl:text[] attoptions:text[] attfdwoptions:text[] \
                  attmissingval:text[]",
        rows: attributes,
    },
    Spec { name: "pg_namespace", columns: "oid:oid nspname:name nspowner:oid nspacl:text[]", rows: namespaces },
    Spec {
        name: "pg_database",
        columns: "oid:oid datname:name datdba:oid encoding:int4 datlocprovider:char datistemplate:bool datallowconn:bool \
                  datconnlimit:int4 datfrozenxid:xid datminmxid:xid dattablespace:oid datcollate:text datctype:text \
                  daticulocale:text datcollversion:text datacl:text[]",
        rows: |_| {
            vec![row![
                DATABASE, "arus", OWNER, UTF8, "c", false, true, -1, 1, 1, TABLESPACE, "C", "C", NONE, NONE, NONE
            ]]
        },
    },
    Spec {
        name: "pg_index",
        columns: "indexrelid:oid indrelid:oid indnatts:int2 indnkeyatts:int2 indisunique:bool indnullsnotdistinct:bool \
                  indisprimary:bool indisexclusion:bool indimmediate:bool indisclustered:bool indisvalid:bool \
                  indcheckxmin:bool indisready:bool indislive:bool indisreplident:bool indkey:int2vector \
                  indcollation:oidvector indclass:oidvector indoption:int2vector indexprs:text indpred:text",
        rows: indexes,
    },
    Spec {
        name: "pg_constraint",
        columns: "oid:oid conname:name connamespace:oid contype:char condeferrable:bool condeferred:bool convalidated:bool \
                  conrelid:oid contypid:oid conindid:oid conparentid:oid confrelid:oid confupdtype:char confdeltype:char \
                  confmatchtype:char conislocal:bool coninhcount:int4 connoinherit:bool conkey:int2[] confkey:int2[] \
                  conpfeqop:oid[] conppeqop:oid[] conffeqop:oid[] confdelsetcols:int2[] conexclop:oid[] conbin:text",
        rows: constraints,
    },
    Spec {
        name: "pg_description",
        columns: "objoid:oid classoid:oid objsubid:int4 description:text",
        rows: |model| {
            let told = model.relations.iter().filter_map(|r| r.comment.as_ref().map(|c| (r, c)));
            told.map(|(r, comment)| row![r.oid, 1259, 0, comment]).collect()
        },
    },
    Spec { name: "pg_shdescription", columns: "objoid:oid classoid:oid description:text", rows: nothing },
    Spec { name: "pg_attrdef", columns: "oid:oid adrelid:oid adnum:int2 adbin:text", rows: nothing },
    Spec {
        name: "pg_authid",
        columns: "oid:oid rolname:name rolsuper:bool rolinherit:bool rolcreaterole:bool rolcreatedb:bool rolcanlogin:bool \
                  rolreplication:bool rolbypassrls:bool rolconnlimit:int4 rolpassword:text rolvaliduntil:timestamptz",
        rows: |model| vec![row![OWNER, &model.user, true, true, true, true, true, false, true, -1]],
    },
    Spec {
        name: "pg_roles",
        columns: "rolname:name rolsuper:bool rolinherit:bool rolcreaterole:bool rolcreatedb:bool rolcanlogin:bool \
                  rolreplication:bool rolconnlimit:int4 rolpassword:text rolvaliduntil:timestamptz rolbypassrls:bool \
                  rolconfig:text[] oid:oid",
        rows: |model| {
            vec![row![&model.user, true, true, true, true, true, false, -1, "********", NONE, true, NONE, OWNER]]
        },
    },
    Spec {
        name: "pg_user",
        columns: "usename:name usesysid:oid usecreatedb:bool usesuper:bool userepl:bool usebypassrls:bool passwd:text \
                  valuntil:timestamptz useconfig:text[]",
        rows: |model| vec![row![&model.user, OWNER, true, true, false, true, "********"]],
    },
    Spec { name: "pg_group", columns: "groname:name grosysid:oid grolist:oid[]", rows: nothing },
    Spec {
        name: "pg_tables",
        columns: "schemaname:name tablename:name tableowner:name tablespace:name hasindexes:bool hasrules:bool \
                  hastriggers:bool rowsecurity:bool",
        rows: |model| {
            let tables = model.relations.iter().filter(|r| r.kind == 'r');
            let one =
                |r: &Relation| row![&r.schema, &r.name, &model.user, NONE, !r.key.is_empty(), false, false, false];
            tables.map(one).collect()
        },
    },
    Spec {
        name: "pg_views",
        columns: "schemaname:name viewname:name viewowner:name definition:text",
        rows: |model| {
            let views = model.relations.iter().filter(|r| r.kind == 'v' && !r.is_system());
            views.map(|r| row![&r.schema, &r.name, &model.user, r.query.clone()]).collect()
        },
    },
    Spec {
        name: "pg_matviews",
        columns: "schemaname:name matviewname:name matviewowner:name tablespace:name hasindexes:bool ispopulated:bool \
                  definition:text",
        rows: nothing,
    },
    Spec {
        name: "pg_indexes",
        columns: "schemaname:name tablename:name indexname:name tablespace:name indexdef:text",
        rows: |model| {
            let one =
                |r: &Relation| row![&r.schema, &r.name, r.key_name(), NONE, super::functions::index_definition(r)];
            keyed(model).map(one).collect()
        },
    },
    Spec { name: "pg_settings", columns: SETTINGS, rows: settings },
    Spec {
        name: "pg_tablespace",
        columns: "oid:oid spcname:name spcowner:oid spcacl:text[] spcoptions:text[]",
        rows: |_| vec![row![TABLESPACE, "pg_default", OWNER]],
    },
    Spec {
        name: "pg_extension",
        columns: "oid:oid extname:name extowner:oid extnamespace:oid extrelocatable:bool extversion:text extconfig:oid[] \
                  extcondition:text[]",
        rows: nothing,
    },
    Spec {
        name: "pg_stat_activity",
        columns: "datid:oid datname:name pid:int4 leader_pid:int4 usesysid:oid usename:name application_name:text \
                  client_addr:text client_hostname:text client_port:int4 backend_start:timestamptz xact_start:timestamptz \
                  query_start:timestamptz state_change:timestamptz wait_event_type:text wait_event:text state:text \
                  backend_xid:xid backend_xmin:xid query_id:int8 query:text backend_type:text",
        rows: nothing,
    },
    Spec {
        name: "pg_stat_user_tables",
        columns: "relid:oid schemaname:name relname:name seq_scan:int8 seq_tup_read:int8 idx_scan:int8 idx_tup_fetch:int8 \
                  n_tup_ins:int8 n_tup_upd:int8 n_tup_del:int8 n_live_tup:int8 n_dead_tup:int8 last_vacuum:timestamptz \
                  last_autovacuum:timestamptz last_analyze:timestamptz last_autoanalyze:timestamptz",
        rows: |model| {
            let tables = model.relations.iter().filter(|r| r.kind == 'r' && !r.is_system());
            let rows = |r: &Relation| r.rows.map(|n| Value::Int(n as i64));
            tables
                .map(|r| {
                    let mut row = row![r.oid, &r.schema, &r.name, 0, 0, 0, 0, 0, 0, 0];
                    row.push(rows(r).unwrap_or(Value::Null));
                    row
                })
                .collect()
        },
    },
    Spec {
        name: "pg_statio_user_tables",
        columns: "relid:oid schemaname:name relname:name heap_blks_read:int8 heap_blks_hit:int8",
        rows: nothing,
    },
    Spec {
        name: "pg_stat_database",
        columns: "datid:oid datname:name numbackends:int4 xact_commit:int8 xact_rollback:int8",
        rows: |_| vec![row![DATABASE, "arus", 1, 0, 0]],
    },
    Spec { name: "pg_stats", columns: "schemaname:name tablename:name attname:name null_frac:float4", rows: nothing },
    Spec {
        name: "pg_locks",
        columns: "locktype:text database:oid relation:oid pid:int4 mode:text granted:bool",
        rows: nothing,
    },
    Spec {
        name: "pg_sequences",
        columns: "schemaname:name sequencename:name sequenceowner:name data_type:text start_value:int8 min_value:int8 \
                  max_value:int8 increment_by:int8 cycle:bool cache_size:int8 last_value:int8",
        rows: nothing,
    },
    Spec { name: "pg_rules", columns: "schemaname:name tablename:name rulename:name definition:text", rows: nothing },
    Spec {
        name: "pg_policies",
        columns: "schemaname:name tablename:name policyname:name permissive:text roles:text[] cmd:text qual:text \
                  with_check:text",
        rows: nothing,
    },
    Spec {
        name: "pg_timezone_names",
        columns: "name:text abbrev:text utc_offset:text is_dst:bool",
        rows: |_| chrono_tz::TZ_VARIANTS.iter().map(|tz| row![tz.name(), NONE, NONE, NONE]).collect(),
    },
    Spec {
        name: "pg_available_extensions",
        columns: "name:name default_version:text installed_version:text comment:text",
        rows: nothing,
    },
    Spec {
        name: "pg_prepared_statements",
        columns: "name:text statement:text prepare_time:timestamptz from_sql:bool",
        rows: nothing,
    },
    Spec { name: "pg_cursors", columns: "name:text statement:text is_holdable:bool is_binary:bool", rows: nothing },
    Spec {
        name: "pg_am",
        columns: "oid:oid amname:name amhandler:text amtype:char",
        rows: |_| vec![row![HEAP, "heap", "heap_tableam_handler", "t"], row![BTREE, "btree", "bthandler", "i"]],
    },
];

const SETTINGS: &str = "name:text setting:text unit:text category:text short_desc:text extra_desc:text context:text \
                        vartype:text source:text min_val:text max_val:text enumvals:text[] boot_val:text reset_val:text \
                        sourcefile:text sourceline:int4 pending_restart:bool";

fn nothing(_: &Model) -> Vec<Vec<Value>> {
    vec![]
}

fn keyed(model: &Model) -> impl Iterator<Item = &Relation> {
    model.relations.iter().filter(|r| !r.key.is_empty())
}

fn numbers(items: impl Iterator<Item = i64>) -> Value {
    Value::List(items.map(Value::Int).collect())
}

fn key_numbers(relation: &Relation) -> Value {
    numbers(relation.key.iter().map(|i| *i as i64 + 1))
}

fn classes(model: &Model) -> Vec<Vec<Value>> {
    let class = |oid: i32, name: String, r: &Relation, kind: char, columns: usize| {
        let (am, index) = match kind {
            'i' => (BTREE, false),
            'r' => (HEAP, !r.key.is_empty()),
            _ => (0, false),
        };
        let rows = r.rows.filter(|_| kind == 'r').map_or(-1, |n| n as i64);
        row![
            oid,
            name,
            r.namespace,
            0,
            0,
            OWNER,
            am,
            oid,
            0,
            0,
            rows,
            0,
            0,
            index,
            false,
            "p",
            kind,
            columns as i64,
            0,
            kind == 'v',
            false,
            false,
            false,
            false,
            true,
            if kind == 'r' { "d" } else { "n" },
            false,
            0,
            0,
            0
        ]
    };
    let mut rows = vec![];
    for r in &model.relations {
        rows.push(class(r.oid, r.name.clone(), r, r.kind, r.columns.len()));
        if !r.key.is_empty() {
            rows.push(class(r.key_oids.0, r.key_name(), r, 'i', r.key.len()));
        }
    }
    rows
}

fn attributes(model: &Model) -> Vec<Vec<Value>> {
    let attribute = |relation: i32, number: usize, a: &Attribute| {
        let PgType { oid, modifier, length } = a.ty;
        let by_value = (1..=8).contains(&length);
        let align = match length {
            1 => "c",
            2 => "s",
            8 | 16 => "d",
            _ => "i",
        };
        let collation = if [25, 1043, 1042, 1009, 1015].contains(&oid) { COLLATION } else { 0 };
        row![
            relation,
            &a.name,
            oid,
            -1,
            i32::from(length),
            number as i64 + 1,
            i32::from(a.ty.is_array()),
            -1,
            modifier,
            by_value,
            align,
            if length < 0 { "x" } else { "p" },
            "",
            a.not_null,
            false,
            false,
            "",
            "",
            false,
            true,
            0,
            collation
        ]
    };
    let mut rows = vec![];
    for r in &model.relations {
        rows.extend(r.columns.iter().enumerate().map(|(i, a)| attribute(r.oid, i, a)));
        let of_key = r.key.iter().enumerate().map(|(i, column)| attribute(r.key_oids.0, i, &r.columns[*column]));
        rows.extend(of_key);
    }
    rows
}

fn namespaces(model: &Model) -> Vec<Vec<Value>> {
    model.namespaces.iter().map(|(oid, name)| row![*oid, name, OWNER]).collect()
}

fn indexes(model: &Model) -> Vec<Vec<Value>> {
    let index = |r: &Relation| {
        let columns = r.key.len() as i64;
        let zeros = || numbers(r.key.iter().map(|_| 0));
        row![
            r.key_oids.0,
            r.oid,
            columns,
            columns,
            true,
            false,
            true,
            false,
            true,
            false,
            true,
            false,
            true,
            true,
            false,
            key_numbers(r),
            zeros(),
            zeros(),
            zeros()
        ]
    };
    keyed(model).map(index).collect()
}

fn constraints(model: &Model) -> Vec<Vec<Value>> {
    let constraint = |r: &Relation| {
        row![
            r.key_oids.1,
            r.key_name(),
            r.namespace,
            "p",
            false,
            false,
            true,
            r.oid,
            0,
            r.key_oids.0,
            0,
            0,
            " ",
            " ",
            " ",
            true,
            0,
            true,
            key_numbers(r)
        ]
    };
    keyed(model).map(constraint).collect()
}

fn settings(model: &Model) -> Vec<Vec<Value>> {
    let one = |s: &arus_core::client_settings::ClientSetting| {
        let value = model.settings.get(s.name).cloned().unwrap_or_else(|| s.default.to_string());
        let ty = match s.default {
            "on" | "off" => "bool",
            d if !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()) => "integer",
            _ => "string",
        };
        let context = if s.kind == Kind::Fixed { "internal" } else { "user" };
        row![
            s.name,
            value,
            NONE,
            "Client Connection Defaults",
            NONE,
            NONE,
            context,
            ty,
            "default",
            NONE,
            NONE,
            NONE,
            s.default,
            s.default,
            NONE,
            NONE,
            false
        ]
    };
    CLIENT_SETTINGS.iter().map(one).collect()
}
