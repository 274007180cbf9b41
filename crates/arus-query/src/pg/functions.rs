//! PostgreSQL's functions about what there is, by number or name.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use arus_core::error::Code;
use arus_core::platform::PG_TYPE;

use super::model::{Model, Relation, quote, split_name};
use super::schemas::Lazy;
use super::types;
use crate::catalog::PG_CATALOG;
use crate::function::{Returns, Value, lenient, list_of, strict, wrong};

/// A function that asks the model.
type Asks = fn(&Model, &[Value]) -> Result<Value>;

/// What clients expect to begin with `PostgreSQL`, a space and a number.
const VERSION: &str = concat!("PostgreSQL 15.0 (Arus ", env!("CARGO_PKG_VERSION"), ")");

const OID: Returns = Returns::Named(DataType::Int32, "oid");
const NAME: Returns = Returns::Named(DataType::Utf8, "name");

/// (name, result, whether NULL gives NULL, what it does)
const ASKING: &[(&str, Returns, bool, Asks)] = &[
    ("pg_table_is_visible", Returns::BOOL, true, |m, a| {
        Ok(oid(&a[0]).and_then(|o| m.is_visible(o)).map_or(Value::Null, Value::Bool))
    }),
    ("to_regclass", Returns::Named(DataType::Int32, "regclass"), true, |m, a| Ok(name_or_number(&a[0], |n| m.find(n)))),
    ("to_regtype", Returns::Named(DataType::Int32, "regtype"), true, |_, a| Ok(name_or_number(&a[0], types::find))),
    ("to_regnamespace", Returns::Named(DataType::Int32, "regnamespace"), true, |m, a| {
        Ok(name_or_number(&a[0], |n| namespace(m, n)))
    }),
    ("to_regrole", OID, true, |m, a| Ok(name_or_number(&a[0], |n| (n == m.user).then_some(super::model::OWNER)))),
    ("to_regproc", OID, true, |_, _| Ok(Value::Null)),
    ("arus_regclass", OID, true, |m, a| {
        found(name_or_number(&a[0], |n| m.find(n)), &a[0], Code::UndefinedTable, "relation", "does not exist")
    }),
    ("arus_regtype", OID, true, |_, a| {
        found(name_or_number(&a[0], types::find), &a[0], Code::UndefinedObject, "type", "does not exist")
    }),
    ("arus_regnamespace", OID, true, |m, a| {
        found(name_or_number(&a[0], |n| namespace(m, n)), &a[0], Code::UndefinedObject, "schema", "does not exist")
    }),
    ("arus_regclass_name", Returns::TEXT, true, |m, a| {
        Ok(oid(&a[0]).map_or(Value::Null, |o| m.shown(o).unwrap_or_else(|| shown_number(o)).into()))
    }),
    ("arus_regtype_name", Returns::TEXT, true, |_, a| Ok(types::format_type(oid(&a[0]).unwrap_or(0), None).into())),
    ("arus_regnamespace_name", Returns::TEXT, true, |m, a| {
        let of = |o: i32| {
            m.namespaces.iter().find(|(n, _)| *n == o).map_or_else(|| shown_number(o), |(_, name)| quote(name))
        };
        Ok(oid(&a[0]).map(of).into())
    }),
    ("obj_description", Returns::TEXT, false, |m, a| Ok(comment(m, &a[0]))),
    ("shobj_description", Returns::TEXT, false, |_, _| Ok(Value::Null)),
    ("col_description", Returns::TEXT, false, |_, _| Ok(Value::Null)),
    ("pg_get_constraintdef", Returns::TEXT, true, |m, a| {
        let keyed = |o: i32| m.relations.iter().find(|r| !r.key.is_empty() && r.key_oids.1 == o);
        Ok(oid(&a[0]).and_then(keyed).map(|r| format!("PRIMARY KEY ({})", r.key_columns())).into())
    }),
    ("pg_get_indexdef", Returns::TEXT, false, |m, a| {
        let keyed = |o: i32| m.relations.iter().find(|r| !r.key.is_empty() && r.key_oids.0 == o);
        let Some(r) = oid(&a[0]).and_then(keyed) else { return Ok(Value::Null) };
        match a.get(1).map(Value::int).filter(|n| *n > 0) {
            Some(n) => Ok(r.key.get(n as usize - 1).map(|i| quote(&r.columns[*i].name)).into()),
            None => Ok(index_definition(r).into()),
        }
    }),
    ("pg_get_viewdef", Returns::TEXT, false, |m, a| {
        let oid = name_or_number(&a[0], |n| m.find(n));
        Ok(self::oid(&oid).and_then(|o| m.relation(o)).and_then(|r| r.query.clone()).into())
    }),
    ("pg_get_userbyid", NAME, true, |m, a| {
        Ok(if oid(&a[0]) == Some(super::model::OWNER) {
            m.user.as_str().into()
        } else {
            format!("unknown (OID={})", a[0].int()).into()
        })
    }),
    ("current_schema", NAME, false, |m, _| Ok(m.current_schema().into())),
    ("current_database", NAME, false, |_, _| Ok("arus".into())),
    ("current_catalog", NAME, false, |_, _| Ok("arus".into())),
    ("session_user", NAME, false, |m, _| Ok(m.user.as_str().into())),
    ("current_user", NAME, false, |m, _| Ok(m.user.as_str().into())),
    ("current_role", NAME, false, |m, _| Ok(m.user.as_str().into())),
    ("user", NAME, false, |m, _| Ok(m.user.as_str().into())),
    ("current_setting", Returns::TEXT, false, |m, a| setting(m, a)),
    ("row_security_active", Returns::BOOL, true, |_, _| Ok(Value::Bool(false))),
];

/// (name, result, the value whatever is asked)
type Constant = (&'static str, Returns, fn() -> Value);

const CONSTANT: &[Constant] = &[
    ("pg_type_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("pg_function_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("pg_operator_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("pg_opclass_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("pg_collation_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("pg_conversion_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("pg_ts_config_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("pg_ts_dict_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("pg_ts_parser_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("pg_ts_template_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("pg_statistics_obj_is_visible", Returns::BOOL, || Value::Bool(true)),
    ("has_table_privilege", Returns::BOOL, || Value::Bool(true)),
    ("has_schema_privilege", Returns::BOOL, || Value::Bool(true)),
    ("has_database_privilege", Returns::BOOL, || Value::Bool(true)),
    ("has_column_privilege", Returns::BOOL, || Value::Bool(true)),
    ("has_any_column_privilege", Returns::BOOL, || Value::Bool(true)),
    ("has_function_privilege", Returns::BOOL, || Value::Bool(true)),
    ("has_sequence_privilege", Returns::BOOL, || Value::Bool(true)),
    ("has_type_privilege", Returns::BOOL, || Value::Bool(true)),
    ("has_tablespace_privilege", Returns::BOOL, || Value::Bool(true)),
    ("pg_has_role", Returns::BOOL, || Value::Bool(true)),
    ("pg_is_in_recovery", Returns::BOOL, || Value::Bool(false)),
    ("pg_is_other_temp_schema", Returns::BOOL, || Value::Bool(false)),
    ("pg_relation_is_publishable", Returns::BOOL, || Value::Bool(false)),
    ("pg_my_temp_schema", OID, || Value::Int(0)),
    ("pg_relation_size", Returns::BIGINT, || Value::Int(0)),
    ("pg_table_size", Returns::BIGINT, || Value::Int(0)),
    ("pg_indexes_size", Returns::BIGINT, || Value::Int(0)),
    ("pg_total_relation_size", Returns::BIGINT, || Value::Int(0)),
    ("pg_database_size", Returns::BIGINT, || Value::Int(0)),
    ("pg_tablespace_size", Returns::BIGINT, || Value::Int(0)),
    ("pg_tablespace_location", Returns::TEXT, || "".into()),
    ("pg_get_expr", Returns::TEXT, || Value::Null),
    ("pg_get_ruledef", Returns::TEXT, || Value::Null),
    ("pg_get_triggerdef", Returns::TEXT, || Value::Null),
    ("pg_get_functiondef", Returns::TEXT, || Value::Null),
    ("pg_get_function_result", Returns::TEXT, || Value::Null),
    ("pg_get_function_arguments", Returns::TEXT, || Value::Null),
    ("pg_get_function_identity_arguments", Returns::TEXT, || Value::Null),
    ("pg_get_function_sqlbody", Returns::TEXT, || Value::Null),
    ("pg_get_partkeydef", Returns::TEXT, || Value::Null),
    ("pg_get_serial_sequence", Returns::TEXT, || Value::Null),
    ("pg_get_statisticsobjdef_columns", Returns::TEXT, || Value::Null),
    ("pg_get_replica_identity_index", OID, || Value::Null),
    ("pg_filenode_relation", OID, || Value::Null),
    ("pg_relation_filenode", OID, || Value::Null),
    ("pg_postmaster_start_time", Returns::TEXT, || Value::Null),
    ("pg_conf_load_time", Returns::TEXT, || Value::Null),
    ("pg_blocking_pids", Returns::TEXT, || "{}".into()),
    ("pg_advisory_unlock_all", Returns::TEXT, || "".into()),
    ("pg_advisory_lock", Returns::TEXT, || "".into()),
    ("pg_try_advisory_lock", Returns::BOOL, || Value::Bool(true)),
    ("pg_advisory_unlock", Returns::BOOL, || Value::Bool(true)),
    ("pg_cancel_backend", Returns::BOOL, || Value::Bool(false)),
    ("pg_stat_get_numscans", Returns::BIGINT, || Value::Int(0)),
    ("pg_backend_pid", Returns::INT, || Value::Int(0)),
    ("txid_current", Returns::BIGINT, || Value::Int(1)),
    ("pg_sleep_disabled", Returns::TEXT, || Value::Null),
    ("inet_server_addr", Returns::TEXT, || Value::Null),
    ("inet_server_port", Returns::INT, || Value::Null),
    ("inet_client_addr", Returns::TEXT, || Value::Null),
    ("inet_client_port", Returns::INT, || Value::Null),
    // The types of the fields of a type that has none.
    ("arus_no_oids", Returns::Of(|_| oids()), || Value::Null),
    ("pg_client_encoding", NAME, || "UTF8".into()),
    ("getdatabaseencoding", NAME, || "UTF8".into()),
];

/// `oid[]`, by which a driver knows that it has nothing to look up.
fn oids() -> DataType {
    let metadata = [(PG_TYPE.to_string(), "oid".to_string())].into();
    DataType::List(Arc::new(Field::new_list_field(DataType::Int32, true).with_metadata(metadata)))
}

/// The functions of one query: those that it calls.
pub(crate) fn of(model: &Arc<Lazy>, called: &HashSet<String>) -> Vec<ScalarUDF> {
    let mut all = vec![];
    if called.is_empty() {
        return all;
    }
    for (name, returns, null_gives_null, call) in ASKING.iter().filter(|f| called.contains(f.0)) {
        let (model, call) = (model.clone(), *call);
        let asks = move |args: &[Value]| call(model.model(), args);
        all.push(if *null_gives_null {
            strict(name, returns.clone(), asks)
        } else {
            lenient(name, returns.clone(), asks)
        });
    }
    for (name, returns, value) in CONSTANT.iter().filter(|f| called.contains(f.0)) {
        let value = *value;
        all.push(lenient(name, returns.clone(), move |_| Ok(value())));
    }
    let schemas = model.clone();
    all.push(strict("current_schemas", Returns::Type(list_of(DataType::Utf8)), move |args| {
        let model = schemas.model();
        let own = model.path.iter().filter(|s| model.namespaces.iter().any(|(_, n)| n == *s)).map(Value::from);
        let implicit = args[0].bool().then(|| Value::from(PG_CATALOG));
        Ok(Value::List(implicit.into_iter().chain(own).collect()))
    }));
    all.extend(plain());
    all.retain(|f| called.contains(f.name()));
    all
}

/// Those that need nothing.
fn plain() -> Vec<ScalarUDF> {
    vec![
        lenient("version", Returns::TEXT, |_| Ok(VERSION.into())),
        lenient("format_type", Returns::TEXT, |a| {
            let Some(oid) = oid(&a[0]) else { return Ok(Value::Null) };
            let modifier = a.get(1).filter(|m| **m != Value::Null).map(|m| m.int() as i32);
            Ok(types::format_type(oid, modifier).into())
        }),
        strict("pg_encoding_to_char", NAME, |a| Ok(if a[0].int() == 6 { "UTF8" } else { "" }.into())),
        strict("pg_char_to_encoding", Returns::INT, |a| {
            Ok(Value::Int(if a[0].text().to_uppercase().starts_with("UTF") { 6 } else { -1 }))
        }),
        strict("pg_typeof_name", Returns::TEXT, |a| Ok(a[0].clone())),
        strict("pg_size_pretty", Returns::TEXT, |a| Ok(size(a[0].int()).into())),
        strict("quote_ident", Returns::TEXT, |a| Ok(quote(a[0].text()).into())),
        strict("quote_literal", Returns::TEXT, |a| Ok(literal(&text(&a[0])).into())),
        lenient("quote_nullable", Returns::TEXT, |a| {
            Ok(if a[0] == Value::Null { "NULL".into() } else { literal(&text(&a[0])).into() })
        }),
        strict("parse_ident", Returns::Type(list_of(DataType::Utf8)), |a| {
            Ok(Value::List(split_name(a[0].text()).into_iter().map(Value::Text).collect()))
        }),
        lenient("set_config", Returns::TEXT, |a| Ok(a.get(1).cloned().unwrap_or(Value::Null))),
        lenient("array_to_string", Returns::TEXT, |a| {
            let [Value::List(items), separator, rest @ ..] = a else { return Ok(Value::Null) };
            let null = rest.first().filter(|n| **n != Value::Null).map(text);
            let parts = items.iter().filter_map(|i| if *i == Value::Null { null.clone() } else { Some(text(i)) });
            Ok(parts.collect::<Vec<_>>().join(&text(separator)).into())
        }),
    ]
}

/// A value as text, where it stands alone.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => f.to_string(),
        Value::Bool(b) => if *b { "t" } else { "f" }.into(),
        other => {
            crate::function::scalar(other.clone(), &DataType::Utf8).map_or_else(|_| String::new(), |s| s.to_string())
        }
    }
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

fn size(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (bytes, 0);
    // PostgreSQL goes on to the next unit at ten of them.
    while value.abs() >= 10 * 1024 && unit + 1 < UNITS.len() {
        value = (value + 512 * value.signum()) / 1024;
        unit += 1;
    }
    format!("{value} {}", UNITS[unit])
}

fn oid(value: &Value) -> Option<i32> {
    match value {
        Value::Int(i) => i32::try_from(*i).ok(),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn name_or_number(value: &Value, find: impl Fn(&str) -> Option<i32>) -> Value {
    oid(value).or_else(|| find(value.text())).map_or(Value::Null, |o| Value::Int(o.into()))
}

fn found(oid: Value, name: &Value, code: Code, what: &str, end: &str) -> Result<Value> {
    if oid == Value::Null { Err(wrong(code, format!("{what} \"{}\" {end}", name.text()))) } else { Ok(oid) }
}

fn namespace(model: &Model, name: &str) -> Option<i32> {
    let name = split_name(name).pop()?;
    model.namespaces.iter().find(|(_, n)| *n == name).map(|(oid, _)| *oid)
}

fn shown_number(oid: i32) -> String {
    if oid == 0 { "-".into() } else { oid.to_string() }
}

fn comment(model: &Model, of: &Value) -> Value {
    oid(of).and_then(|o| model.relation(o)).and_then(|r| r.comment.clone()).into()
}

fn setting(model: &Model, args: &[Value]) -> Result<Value> {
    let name = args.first().map(Value::text).unwrap_or_default();
    let Some(known) = arus_core::client_settings::find(name) else {
        if args.get(1).is_some_and(Value::bool) {
            return Ok(Value::Null);
        }
        return Err(wrong(Code::UndefinedObject, format!("unrecognized configuration parameter \"{name}\"")));
    };
    Ok(model.settings.get(known.name).cloned().unwrap_or_else(|| known.default.into()).into())
}

pub(super) fn index_definition(relation: &Relation) -> String {
    format!(
        "CREATE UNIQUE INDEX {} ON {}.{} USING btree ({})",
        quote(&relation.key_name()),
        quote(&relation.schema),
        quote(&relation.name),
        relation.key_columns()
    )
}
