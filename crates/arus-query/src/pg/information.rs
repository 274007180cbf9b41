//! `information_schema`: SQL's own way to say what there is.

use super::model::{Attribute, Model, Relation};
use super::rows::{NONE, Spec, row};
use crate::function::Value;

type Rows = fn(&Model) -> Vec<Vec<Value>>;

const DATABASE: &str = "arus";

pub(super) const TABLES: &[Spec<Rows>] = &[
    Spec {
        name: "tables",
        columns: "table_catalog:name table_schema:name table_name:name table_type self_referencing_column_name:name \
                  reference_generation user_defined_type_catalog:name user_defined_type_schema:name \
                  user_defined_type_name:name is_insertable_into is_typed commit_action",
        rows: |model| {
            let one = |r: &Relation| {
                let (ty, takes) = if r.kind == 'v' { ("VIEW", "NO") } else { ("BASE TABLE", "YES") };
                row![DATABASE, &r.schema, &r.name, ty, NONE, NONE, NONE, NONE, NONE, takes, "NO"]
            };
            model.relations.iter().map(one).collect()
        },
    },
    Spec {
        name: "columns",
        columns: "table_catalog:name table_schema:name table_name:name column_name:name ordinal_position:int4 column_default \
                  is_nullable data_type character_maximum_length:int4 character_octet_length:int4 numeric_precision:int4 \
                  numeric_precision_radix:int4 numeric_scale:int4 datetime_precision:int4 interval_type \
                  interval_precision:int4 character_set_catalog:name character_set_schema:name character_set_name:name \
                  collation_catalog:name collation_schema:name collation_name:name domain_catalog:name domain_schema:name \
                  domain_name:name udt_catalog:name udt_schema:name udt_name:name scope_catalog:name scope_schema:name \
                  scope_name:name maximum_cardinality:int4 dtd_identifier:name is_self_referencing is_identity \
                  identity_generation identity_start identity_increment identity_maximum identity_minimum identity_cycle \
                  is_generated generation_expression is_updatable",
        rows: |model| {
            let of = |r: &Relation| -> Vec<Vec<Value>> {
                r.columns.iter().enumerate().map(|(i, a)| column(r, i, a)).collect()
            };
            model.relations.iter().flat_map(of).collect()
        },
    },
    Spec {
        name: "schemata",
        columns: "catalog_name:name schema_name:name schema_owner:name default_character_set_catalog:name \
                  default_character_set_schema:name default_character_set_name:name sql_path",
        rows: |model| model.namespaces.iter().map(|(_, name)| row![DATABASE, name, &model.user]).collect(),
    },
    Spec {
        name: "views",
        columns: "table_catalog:name table_schema:name table_name:name view_definition check_option is_updatable \
                  is_insertable_into is_trigger_updatable is_trigger_deletable is_trigger_insertable_into",
        rows: |model| {
            let views = model.relations.iter().filter(|r| r.kind == 'v' && !r.is_system());
            let one = |r: &Relation| {
                row![DATABASE, &r.schema, &r.name, r.query.clone(), "NONE", "NO", "NO", "NO", "NO", "NO"]
            };
            views.map(one).collect()
        },
    },
    Spec {
        name: "table_constraints",
        columns: "constraint_catalog:name constraint_schema:name constraint_name:name table_catalog:name table_schema:name \
                  table_name:name constraint_type is_deferrable initially_deferred enforced nulls_distinct",
        rows: |model| {
            let one = |r: &Relation| {
                row![DATABASE, &r.schema, r.key_name(), DATABASE, &r.schema, &r.name, "PRIMARY KEY", "NO", "NO", "YES"]
            };
            keyed(model).map(one).collect()
        },
    },
    Spec {
        name: "key_column_usage",
        columns: "constraint_catalog:name constraint_schema:name constraint_name:name table_catalog:name table_schema:name \
                  table_name:name column_name:name ordinal_position:int4 position_in_unique_constraint:int4",
        rows: |model| {
            let of = |r: &Relation| -> Vec<Vec<Value>> {
                let one = |(at, column): (usize, &usize)| {
                    let name = &r.columns[*column].name;
                    row![DATABASE, &r.schema, r.key_name(), DATABASE, &r.schema, &r.name, name, at as i64 + 1]
                };
                r.key.iter().enumerate().map(one).collect()
            };
            keyed(model).flat_map(of).collect()
        },
    },
    Spec {
        name: "constraint_column_usage",
        columns: "table_catalog:name table_schema:name table_name:name column_name:name constraint_catalog:name \
                  constraint_schema:name constraint_name:name",
        rows: |model| {
            let of = |r: &Relation| -> Vec<Vec<Value>> {
                let one = |column: &usize| {
                    let name = &r.columns[*column].name;
                    row![DATABASE, &r.schema, &r.name, name, DATABASE, &r.schema, r.key_name()]
                };
                r.key.iter().map(one).collect()
            };
            keyed(model).flat_map(of).collect()
        },
    },
    Spec {
        name: "referential_constraints",
        columns: "constraint_catalog:name constraint_schema:name constraint_name:name unique_constraint_catalog:name \
                  unique_constraint_schema:name unique_constraint_name:name match_option update_rule delete_rule",
        rows: nothing,
    },
    Spec {
        name: "check_constraints",
        columns: "constraint_catalog:name constraint_schema:name constraint_name:name check_clause",
        rows: nothing,
    },
    Spec { name: "table_privileges", columns: PRIVILEGES, rows: privileges },
    Spec { name: "role_table_grants", columns: PRIVILEGES, rows: privileges },
    Spec {
        name: "column_privileges",
        columns: "grantor:name grantee:name table_catalog:name table_schema:name table_name:name column_name:name \
                  privilege_type is_grantable",
        rows: nothing,
    },
    Spec {
        name: "routines",
        columns: "specific_catalog:name specific_schema:name specific_name:name routine_catalog:name routine_schema:name \
                  routine_name:name routine_type module_catalog:name module_schema:name module_name:name data_type \
                  routine_body routine_definition external_name external_language parameter_style is_deterministic",
        rows: nothing,
    },
    Spec {
        name: "parameters",
        columns: "specific_catalog:name specific_schema:name specific_name:name ordinal_position:int4 parameter_mode \
                  is_result as_locator parameter_name:name data_type",
        rows: nothing,
    },
    Spec {
        name: "sequences",
        columns: "sequence_catalog:name sequence_schema:name sequence_name:name data_type numeric_precision:int4 \
                  numeric_precision_radix:int4 numeric_scale:int4 start_value minimum_value maximum_value increment \
                  cycle_option",
        rows: nothing,
    },
    Spec {
        name: "triggers",
        columns: "trigger_catalog:name trigger_schema:name trigger_name:name event_manipulation event_object_catalog:name \
                  event_object_schema:name event_object_table:name action_order:int4 action_condition action_statement \
                  action_orientation action_timing",
        rows: nothing,
    },
    Spec {
        name: "domains",
        columns: "domain_catalog:name domain_schema:name domain_name:name data_type",
        rows: nothing,
    },
    Spec {
        name: "element_types",
        columns: "object_catalog:name object_schema:name object_name:name object_type collection_type_identifier:name \
                  data_type",
        rows: nothing,
    },
    Spec { name: "enabled_roles", columns: "role_name:name", rows: |model| vec![row![&model.user]] },
    Spec { name: "applicable_roles", columns: "grantee:name role_name:name is_grantable", rows: nothing },
    Spec { name: "information_schema_catalog_name", columns: "catalog_name:name", rows: |_| vec![row![DATABASE]] },
    Spec {
        name: "character_sets",
        columns: "character_set_catalog:name character_set_schema:name character_set_name:name character_repertoire:name \
                  form_of_use:name default_collate_catalog:name default_collate_schema:name default_collate_name:name",
        rows: |_| vec![row![NONE, NONE, "UTF8", "UCS", "UTF8", DATABASE, "pg_catalog", "C"]],
    },
];

const PRIVILEGES: &str = "grantor:name grantee:name table_catalog:name table_schema:name table_name:name privilege_type \
                          is_grantable with_hierarchy";

fn nothing(_: &Model) -> Vec<Vec<Value>> {
    vec![]
}

fn keyed(model: &Model) -> impl Iterator<Item = &Relation> {
    model.relations.iter().filter(|r| !r.key.is_empty())
}

fn privileges(model: &Model) -> Vec<Vec<Value>> {
    let own = model.relations.iter().filter(|r| !r.is_system());
    own.map(|r| row![&model.user, &model.user, DATABASE, &r.schema, &r.name, "SELECT", "YES", "YES"]).collect()
}

fn column(relation: &Relation, at: usize, a: &Attribute) -> Vec<Value> {
    let ty = a.ty;
    let modified = (ty.modifier >= 4).then_some(ty.modifier - 4);
    let length = modified.filter(|_| [1042, 1043].contains(&ty.oid));
    let octets = if [25, 1042, 1043].contains(&ty.oid) {
        Some(length.map_or(1_073_741_824, |n| n.saturating_mul(4)))
    } else {
        None
    };
    // Digits, their base, and those behind the point.
    let (precision, radix, scale) = match ty.oid {
        21 => (Some(16), Some(2), Some(0)),
        23 => (Some(32), Some(2), Some(0)),
        20 => (Some(64), Some(2), Some(0)),
        700 => (Some(24), Some(2), None),
        701 => (Some(53), Some(2), None),
        1700 => (modified.map(|m| m >> 16), Some(10), modified.map(|m| m & 0xffff)),
        _ => (None, None, None),
    };
    let time = match ty.oid {
        1082 => Some(0),
        1083 | 1114 | 1184 => Some(if ty.modifier < 0 { 6 } else { ty.modifier }),
        _ => None,
    };
    let mut row = row![
        DATABASE,
        &relation.schema,
        &relation.name,
        &a.name,
        at as i64 + 1,
        NONE,
        if a.not_null { "NO" } else { "YES" },
        ty.plain_name(),
        length,
        octets,
        precision,
        radix,
        scale,
        time
    ];
    // Intervals, character sets, collations, domains.
    row.extend(std::iter::repeat_n(Value::Null, 11));
    row.extend(row![DATABASE, "pg_catalog", ty.internal(), NONE, NONE, NONE, NONE, (at + 1).to_string(), "NO", "NO"]);
    row.extend(row![NONE, NONE, NONE, NONE, NONE, "NO", "NEVER", NONE]);
    row.push(Value::from(if relation.kind == 'v' { "NO" } else { "YES" }));
    row
}
