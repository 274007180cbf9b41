//! A catalog in memory and registries that know just enough for the planner's own tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use arus_core::catalog::{Catalog, CatalogObject, ConnectorCatalog, ObjectPath, TableDef, ViewDef};
use arus_core::connector::{
    ConnectContext, Connector, Decoder, Encoder, Format, OptionDef, OptionKind, SinkWriter, Source,
};
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::function::{AggregateFunction, Argument, Evaluator, FunctionCatalog, ResolvedAggregate, ResolvedCall};
use arus_core::plan::ChangelogMode;
use arus_core::schema::RowSchema;
use arus_core::types::{LogicalType, TimeAttribute, TypeKind};
use arus_core::{Datum, Error, Result};

#[derive(Default)]
pub(super) struct FakeCatalog(BTreeMap<ObjectPath, CatalogObject>);

impl FakeCatalog {
    pub(super) fn add_table(&mut self, table: TableDef) {
        self.0.insert(table.path.clone(), CatalogObject::Table(Arc::new(table)));
    }

    pub(super) fn add_view(&mut self, view: ViewDef) {
        self.0.insert(view.path.clone(), CatalogObject::View(Arc::new(view)));
    }
}

impl Catalog for FakeCatalog {
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.0.get(path).cloned()
    }

    fn objects(&self, database: &str) -> Vec<CatalogObject> {
        self.0.iter().filter(|(p, _)| p.database == database).map(|(_, o)| o.clone()).collect()
    }

    fn databases(&self) -> Vec<String> {
        vec!["default_database".into(), "other".into(), "arus".into()]
    }
}

pub(super) struct FakeFunctions;

const NAMES: [&str; 30] = [
    "+",
    "-",
    "*",
    "/",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "NOT",
    "IS NULL",
    "IS NOT NULL",
    "IS TRUE",
    "LIKE",
    "||",
    "NEGATE",
    "ITEM",
    "ROW",
    "ARRAY",
    "EXTRACT",
    "UPPER",
    "TRIM",
    "PROCTIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_WATERMARK",
    "TO_TIMESTAMP_LTZ",
    "TO_TIMESTAMP",
    "JSON_VALUE",
    "ABS",
];

fn rank(ty: &LogicalType) -> usize {
    use TypeKind as T;
    [T::TinyInt, T::SmallInt, T::Int, T::BigInt, T::Float, T::Double].iter().position(|k| *k == ty.kind).unwrap_or(9)
}

fn ltz(nullable: bool, attribute: TimeAttribute) -> LogicalType {
    LogicalType { kind: TypeKind::TimestampLtz { precision: 3, attribute }, nullable }
}

impl FunctionCatalog for FakeFunctions {
    fn resolve(&self, name: &str, args: &[Argument]) -> Result<ResolvedCall> {
        let Some(function) = NAMES.iter().find(|n| n.eq_ignore_ascii_case(name)) else {
            let near = crate::nearest::nearest(name, NAMES).unwrap_or("none");
            return Err(Error::user(format!("function '{name}' does not exist"))
                .with_code(Code::UndefinedFunction)
                .with_hint(format!("did you mean '{near}'?")));
        };
        let types: Vec<LogicalType> = args.iter().map(|a| a.ty.clone()).collect();
        let nullable = types.iter().any(|t| t.nullable);
        let common = self.common_type(&types);
        let wrong = || {
            let found: Vec<String> = types.iter().map(|t| t.kind.to_string()).collect();
            Error::user(format!("cannot apply {name} to ({})", found.join(", "))).with_code(Code::TypeMismatch)
        };
        let (arg_types, return_type) = match *function {
            "+" | "-" if types.len() == 2 && types[0].kind.is_timestamp() => {
                (types.clone(), types[0].clone().with_nullable(nullable))
            }
            "+" | "-" | "*" | "/" | "NEGATE" | "ABS" => {
                let common = common.filter(|c| c.kind.is_numeric()).ok_or_else(wrong)?;
                (vec![common.clone(); types.len()], common.with_nullable(nullable))
            }
            "=" | "<>" | "<" | "<=" | ">" | ">=" | "LIKE" => {
                let common = common.ok_or_else(wrong)?;
                (vec![common; types.len()], LogicalType { kind: TypeKind::Boolean, nullable })
            }
            "NOT" => (types.clone(), LogicalType { kind: TypeKind::Boolean, nullable }),
            "IS NULL" | "IS NOT NULL" | "IS TRUE" => (types.clone(), TypeKind::Boolean.not_null()),
            "||" | "UPPER" | "TRIM" | "JSON_VALUE" => {
                if types.iter().any(|t| !t.kind.is_string()) {
                    return Err(wrong());
                }
                (vec![], LogicalType { kind: TypeKind::STRING, nullable })
            }
            "ITEM" => match types.first().map(|t| &t.kind) {
                Some(TypeKind::Array(e)) => (vec![], e.as_ref().clone().with_nullable(true)),
                _ => return Err(wrong()),
            },
            "EXTRACT" => (vec![], LogicalType { kind: TypeKind::BigInt, nullable }),
            "PROCTIME" => (vec![], ltz(false, TimeAttribute::Proctime)),
            "CURRENT_TIMESTAMP" => (vec![], ltz(false, TimeAttribute::None)),
            "TO_TIMESTAMP_LTZ" => (vec![], ltz(true, TimeAttribute::None)),
            "TO_TIMESTAMP" => (vec![], TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None }.nullable()),
            "CURRENT_WATERMARK" => (types.clone(), types[0].clone().without_time_attribute().with_nullable(true)),
            _ => return Err(wrong()),
        };
        let deterministic = !matches!(*function, "PROCTIME" | "CURRENT_TIMESTAMP" | "CURRENT_WATERMARK");
        Ok(ResolvedCall { function, arg_types, return_type, deterministic })
    }

    fn resolve_aggregate(&self, name: &str, args: &[Argument]) -> Option<Result<ResolvedAggregate>> {
        use AggregateFunction as A;
        let function = [A::Count, A::Sum, A::Avg, A::Min, A::Max].into_iter().find(|f| f.name() == name)?;
        let arg_types: Vec<LogicalType> = args.iter().map(|a| a.ty.clone()).collect();
        let return_type = match (function, arg_types.first()) {
            (A::Count, _) => TypeKind::BigInt.not_null(),
            (_, Some(ty)) if function == A::Min || function == A::Max || ty.kind.is_numeric() => ty.clone(),
            _ => {
                let found: Vec<String> = arg_types.iter().map(|t| t.kind.to_string()).collect();
                return Some(Err(
                    Error::user(format!("cannot apply {name} to ({})", found.join(", "))).with_code(Code::TypeMismatch)
                ));
            }
        };
        Some(Ok(ResolvedAggregate { function, arg_types, return_type }))
    }

    fn common_type(&self, types: &[LogicalType]) -> Option<LogicalType> {
        let known: Vec<&LogicalType> = types.iter().filter(|t| t.kind != TypeKind::Null).collect();
        let nullable = types.iter().any(|t| t.nullable);
        let first = match known.first() {
            Some(first) => *first,
            None => return types.first().cloned(),
        };
        if known.iter().all(|t| t.kind == first.kind) {
            return Some(first.clone().with_nullable(nullable));
        }
        if known.iter().all(|t| t.kind.is_numeric()) {
            return known.iter().max_by_key(|t| rank(t)).map(|t| (*t).clone().with_nullable(nullable));
        }
        if known.iter().all(|t| t.kind.is_string()) {
            return Some(LogicalType { kind: TypeKind::STRING, nullable });
        }
        None
    }

    fn can_cast(&self, from: &LogicalType, to: &LogicalType) -> bool {
        !matches!((&from.kind, &to.kind), (TypeKind::Array(_), TypeKind::Int) | (TypeKind::Boolean, TypeKind::Date))
    }

    fn names(&self) -> Vec<&'static str> {
        NAMES.to_vec()
    }
}

impl Evaluator for FakeFunctions {
    fn evaluate_constant(&self, expr: &Expr) -> Result<Datum> {
        let value = |e: &Expr| match e {
            Expr::Literal { value, .. } => value.clone(),
            _ => Datum::Null,
        };
        match expr {
            Expr::Cast { input, ty, .. } => match (value(input), &ty.kind) {
                (Datum::Int(v), TypeKind::BigInt) => Ok(Datum::BigInt(i64::from(v))),
                (Datum::Int(v), TypeKind::Double) => Ok(Datum::Double(f64::from(v))),
                (Datum::String(s), TypeKind::Varchar(_)) => Ok(Datum::String(s)),
                _ => Err(Error::user("not folded")),
            },
            Expr::Call { function, args, .. } => match (function.as_str(), args.as_slice()) {
                ("+", [a, b]) => match (value(a), value(b)) {
                    (Datum::Int(a), Datum::Int(b)) => Ok(Datum::Int(a.wrapping_add(b))),
                    _ => Err(Error::user("not folded")),
                },
                _ => Err(Error::user("not folded")),
            },
            _ => Err(Error::user("not folded")),
        }
    }
}

pub(super) struct FakeConnectors;

struct FakeConnector {
    name: &'static str,
    options: &'static [OptionDef],
    source: bool,
    sink: bool,
    format: bool,
    mode: ChangelogMode,
}

const fn option(name: &'static str, kind: OptionKind, required: bool) -> OptionDef {
    OptionDef { name, kind, required, default: None, about: "for tests" }
}

static CONNECTORS: [FakeConnector; 3] = [
    FakeConnector {
        name: "print",
        options: &[
            option("print-identifier", OptionKind::Text, false),
            option("standard-error", OptionKind::Boolean, false),
        ],
        source: false,
        sink: true,
        format: false,
        mode: ChangelogMode::ALL,
    },
    FakeConnector {
        name: "filesystem",
        options: &[
            option("path", OptionKind::Text, true),
            option("source.monitor-interval", OptionKind::Duration, false),
        ],
        source: true,
        sink: true,
        format: true,
        mode: ChangelogMode::INSERT_ONLY,
    },
    FakeConnector {
        name: "datagen",
        options: &[
            option("rows-per-second", OptionKind::Integer, false),
            option("fields.#.kind", OptionKind::Choice(&["random", "sequence"]), false),
        ],
        source: true,
        sink: false,
        format: false,
        mode: ChangelogMode::INSERT_ONLY,
    },
];

impl Connector for FakeConnector {
    fn name(&self) -> &'static str {
        self.name
    }

    fn options(&self) -> &'static [OptionDef] {
        self.options
    }

    fn takes_format(&self) -> bool {
        self.format
    }

    fn is_source(&self) -> bool {
        self.source
    }

    fn is_sink(&self) -> bool {
        self.sink
    }

    fn sink_mode(&self, _: &TableDef) -> ChangelogMode {
        self.mode
    }

    fn source(&self, _: &TableDef, _: &ConnectContext) -> Result<Arc<dyn Source>> {
        Err(Error::bug("not opened here"))
    }

    fn sink(&self, _: &TableDef, _: &ConnectContext) -> Result<Box<dyn SinkWriter>> {
        Err(Error::bug("not opened here"))
    }
}

struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn options(&self) -> &'static [OptionDef] {
        const OPTIONS: &[OptionDef] = &[option("ignore-parse-errors", OptionKind::Boolean, false)];
        OPTIONS
    }

    fn decoder(&self, _: &TableDef, _: &RowSchema, _: &ConnectContext) -> Result<Box<dyn Decoder>> {
        Err(Error::bug("not opened here"))
    }

    fn encoder(&self, _: &TableDef, _: &RowSchema, _: &ConnectContext) -> Result<Box<dyn Encoder>> {
        Err(Error::bug("not opened here"))
    }
}

impl ConnectorCatalog for FakeConnectors {
    fn connector(&self, name: &str) -> Option<&dyn Connector> {
        CONNECTORS.iter().find(|c| c.name == name).map(|c| c as &dyn Connector)
    }

    fn connector_names(&self) -> Vec<&'static str> {
        CONNECTORS.iter().map(|c| c.name).collect()
    }

    fn format(&self, name: &str) -> Option<&dyn Format> {
        (name == "json").then_some(&Json as &dyn Format)
    }

    fn format_names(&self) -> Vec<&'static str> {
        vec!["json"]
    }
}
