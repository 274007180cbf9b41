//! PostgreSQL's types by number: of columns, and their names.

use arus_core::platform::PG_TYPE;
use arus_core::types::{LogicalType, MAX_LENGTH, TypeKind};
use datafusion::arrow::datatypes::{DataType, Field};

/// (oid, name in `pg_type`, name that people read, length, oid of its array)
const TYPES: &[(i32, &str, &str, i16, i32)] = &[
    (16, "bool", "boolean", 1, 1000),
    (17, "bytea", "bytea", -1, 1001),
    (18, "char", "\"char\"", 1, 1002),
    (19, "name", "name", 64, 1003),
    (20, "int8", "bigint", 8, 1016),
    (21, "int2", "smallint", 2, 1005),
    (22, "int2vector", "int2vector", -1, 1006),
    (23, "int4", "integer", 4, 1007),
    (24, "regproc", "regproc", 4, 1008),
    (25, "text", "text", -1, 1009),
    (26, "oid", "oid", 4, 1028),
    (28, "xid", "xid", 4, 1011),
    (30, "oidvector", "oidvector", -1, 1013),
    (114, "json", "json", -1, 199),
    (700, "float4", "real", 4, 1021),
    (701, "float8", "double precision", 8, 1022),
    (1042, "bpchar", "character", -1, 1014),
    (1043, "varchar", "character varying", -1, 1015),
    (1082, "date", "date", 4, 1182),
    (1083, "time", "time without time zone", 8, 1183),
    (1114, "timestamp", "timestamp without time zone", 8, 1115),
    (1184, "timestamptz", "timestamp with time zone", 8, 1185),
    (1186, "interval", "interval", 16, 1187),
    (1266, "timetz", "time with time zone", 12, 1270),
    (1700, "numeric", "numeric", -1, 1231),
    (2205, "regclass", "regclass", 4, 2210),
    (2206, "regtype", "regtype", 4, 2211),
    (2249, "record", "record", -1, 2287),
    (2276, "any", "\"any\"", 4, 0),
    (2277, "anyarray", "anyarray", -1, 0),
    (2278, "void", "void", 4, 0),
    (2950, "uuid", "uuid", 16, 2951),
    (3802, "jsonb", "jsonb", -1, 3807),
    (4089, "regnamespace", "regnamespace", 4, 4090),
];

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PgType {
    pub(crate) oid: i32,
    /// Length or precision, as `pg_attribute` packs it; -1 without.
    pub(crate) modifier: i32,
    pub(crate) length: i16,
}

impl PgType {
    fn named(name: &str) -> PgType {
        let (oid, length) = TYPES.iter().find(|t| t.1 == name).map_or((25, -1), |t| (t.0, t.3));
        PgType { oid, modifier: -1, length }
    }

    fn array(self) -> PgType {
        let oid = TYPES.iter().find(|t| t.0 == self.oid).map_or(1009, |t| t.4);
        PgType { oid, modifier: self.modifier, length: -1 }
    }

    pub(crate) fn is_array(self) -> bool {
        TYPES.iter().any(|t| t.4 == self.oid)
    }

    /// Whether the modifier is a length or a precision, which values keep.
    pub(crate) fn is_sized(self) -> bool {
        [1042, 1043, 1700].contains(&self.oid)
    }

    /// The name in `pg_type`.
    pub(crate) fn internal(self) -> String {
        match TYPES.iter().find(|t| t.0 == self.oid) {
            Some(t) => t.1.into(),
            None => TYPES.iter().find(|t| t.4 == self.oid).map_or_else(|| "text".into(), |t| format!("_{}", t.1)),
        }
    }

    /// The name without length and precision.
    pub(crate) fn plain_name(self) -> &'static str {
        TYPES.iter().find(|t| t.0 == self.oid).map_or("ARRAY", |t| t.2)
    }
}

pub(crate) fn of_column(ty: &LogicalType) -> PgType {
    let named = PgType::named;
    match &ty.kind {
        TypeKind::Boolean => named("bool"),
        TypeKind::TinyInt | TypeKind::SmallInt => named("int2"),
        TypeKind::Int | TypeKind::IntervalYearMonth => named("int4"),
        TypeKind::BigInt | TypeKind::IntervalDayTime => named("int8"),
        TypeKind::Float => named("float4"),
        TypeKind::Double => named("float8"),
        TypeKind::Decimal { precision, scale } => {
            PgType { modifier: ((i32::from(*precision) << 16) | i32::from(*scale)) + 4, ..named("numeric") }
        }
        TypeKind::Varchar(n) if *n < MAX_LENGTH => PgType { modifier: *n as i32 + 4, ..named("varchar") },
        TypeKind::Char(n) => PgType { modifier: *n as i32 + 4, ..named("bpchar") },
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => named("bytea"),
        TypeKind::Date => named("date"),
        TypeKind::Time(_) => named("time"),
        TypeKind::Timestamp { precision, .. } => PgType { modifier: fraction(*precision), ..named("timestamp") },
        TypeKind::TimestampLtz { precision, .. } => PgType { modifier: fraction(*precision), ..named("timestamptz") },
        TypeKind::Array(element) => match &element.kind {
            TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) | TypeKind::Row(_) => named("jsonb"),
            _ => of_column(element).array(),
        },
        TypeKind::Map(..) | TypeKind::Multiset(_) | TypeKind::Row(_) => named("jsonb"),
        _ => named("text"),
    }
}

/// Microseconds are PostgreSQL's finest, and its default.
fn fraction(precision: u8) -> i32 {
    if precision < 6 { precision.into() } else { -1 }
}

/// Of a column of `pg_catalog` or `information_schema`.
pub(crate) fn of_field(field: &Field) -> PgType {
    let named = PgType::named;
    // Static tables tell what a number means in another way.
    let alias = field.metadata().get("pg.oid_alias").map(String::as_str);
    let char = field.metadata().get("pg.char").map(|_| "char");
    if let Some(name) = field.metadata().get(PG_TYPE).map(String::as_str).or(alias).or(char) {
        return match name.strip_prefix('_') {
            Some(element) => named(element).array(),
            None => named(name),
        };
    }
    match field.data_type() {
        DataType::Boolean => named("bool"),
        DataType::Int16 => named("int2"),
        DataType::Int32 => named("int4"),
        DataType::Int64 => named("int8"),
        DataType::Float32 => named("float4"),
        DataType::Float64 => named("float8"),
        DataType::Timestamp(..) => named("timestamptz"),
        DataType::List(item) => of_field(item).array(),
        _ => named("text"),
    }
}

/// What `format_type` gives.
pub(crate) fn format_type(oid: i32, modifier: Option<i32>) -> String {
    if let Some(element) = TYPES.iter().find(|t| t.4 == oid && t.4 != 0) {
        return format!("{}[]", format_type(element.0, modifier));
    }
    let Some(ty) = TYPES.iter().find(|t| t.0 == oid) else {
        return if oid == 0 { "-".into() } else { "???".into() };
    };
    let Some(modifier) = modifier else { return ty.2.into() };
    match ty.1 {
        "bpchar" if modifier >= 4 => format!("character({})", modifier - 4),
        "bpchar" => "bpchar".into(),
        _ if modifier < 0 => ty.2.into(),
        "varchar" => format!("character varying({})", modifier - 4),
        "numeric" => format!("numeric({},{})", (modifier - 4) >> 16, (modifier - 4) & 0xffff),
        "timestamp" => format!("timestamp({modifier}) without time zone"),
        "timestamptz" => format!("timestamp({modifier}) with time zone"),
        "time" => format!("time({modifier}) without time zone"),
        _ => ty.2.into(),
    }
}

/// The number of a type's name, as people or `pg_type` write it.
pub(crate) fn find(name: &str) -> Option<i32> {
    let name = name.trim().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name).trim_matches('"');
    if let Some(element) = name.strip_suffix("[]").or_else(|| name.strip_prefix('_')) {
        let element = find(element)?;
        return TYPES.iter().find(|t| t.0 == element).map(|t| t.4);
    }
    let alias = match name.split('(').next().unwrap_or_default().trim() {
        "int" => "int4",
        "decimal" => "numeric",
        "float" => "float8",
        "timestamp with time zone" => "timestamptz",
        "time with time zone" => "timetz",
        other => other,
    };
    TYPES
        .iter()
        .find(|t| t.1 == alias || t.2 == alias || t.2.trim_end_matches(" without time zone") == alias)
        .map(|t| t.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_of_postgres() {
        assert_eq!(format_type(1700, Some(655_366)), "numeric(10,2)");
        assert_eq!(format_type(1009, Some(-1)), "text[]");
        assert_eq!(format_type(1043, Some(24)), "character varying(20)");
        assert_eq!(format_type(23, None), "integer");
        assert_eq!(
            [find("int4"), find("integer[]"), find("pg_catalog.text"), find("hstore")],
            [Some(23), Some(1007), Some(25), None]
        );
    }
}
