//! What Postgres clients write into INSERT, UPDATE and DELETE: `$1`, `'..'::type`, names in double quotes. A parameter becomes a literal of the type that its place wants, made of a parsed value. A text
//! of a client never becomes SQL: what is no value of the type is an error, and strings are quoted.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arus_core::catalog::{Catalog, CatalogObject, DEFAULT_DATABASE, ObjectPath, TableDef};
use arus_core::change::arrow_bug;
use arus_core::error::Code;
use arus_core::limits::PARAMETERS;
use arus_core::platform::Param;
use arus_core::types::{LogicalType, TimeAttribute, TypeKind};
use arus_core::{Error, Result, postgres_time};
use arus_sql::ast::{BinaryOp, Expr, ExprKind, Insert, ObjectName, SelectItem, SetExpr, Span, StatementKind};
use arus_sql::parser::parse_statement;
use arus_sql::unparse::{quoted_name, quoted_string};

/// What stands around a parameter.
#[derive(Clone)]
enum Place {
    /// It is put into a column.
    Assigned(TypeKind),
    /// It is compared or computed with a column.
    Beside(TypeKind),
}

/// A parameter, or a text with a cast of PostgreSQL's behind it.
struct Found {
    /// Where it stands, with its cast.
    range: Range<usize>,
    value: Value,
    /// The type that the cast names.
    named: Option<TypeKind>,
    place: Option<Place>,
}

#[derive(Debug, PartialEq, Clone)]
enum Value {
    Number(usize),
    Text(String),
    /// The schema of a name: PostgreSQL's word for the default database.
    Public,
}

/// The parameters of a statement, in the order of the text.
pub(crate) struct Parameters {
    text: String,
    found: Vec<Found>,
}

/// A statement whose parameters are literals.
pub(crate) struct Bound {
    pub(crate) text: String,
    original: String,
    /// Where a parameter stood, and the length of its literal.
    edits: Vec<(Range<usize>, usize)>,
}

impl Parameters {
    /// `None`: the statement has none, or is none that writes rows.
    pub(crate) fn of(statement: &str, catalog: &dyn Catalog, database: &str) -> Option<Self> {
        let (text, mut found) = scan(statement);
        if found.is_empty() && text == statement && !statement.contains(PUBLIC) {
            return None;
        }
        let parsed = parse_statement(&text).ok()?;
        let starts = found.iter().map(|found| found.range.start as u32).collect();
        let mut types = Types { starts, by_start: HashMap::new(), columns: HashMap::new() };
        let mut names = vec![];
        let mut table = |name: &ObjectName| {
            names.extend(public(catalog, name));
            table(catalog, database, name)
        };
        match &parsed.kind {
            StatementKind::Insert(insert) => types.insert(insert, table(&insert.table).as_deref()),
            StatementKind::Update(update) => {
                types.columns_of(table(&update.table).as_deref());
                for (column, value) in &update.assignments {
                    types.assigned(value, types.columns.get(&column.value).cloned());
                    types.expr(value);
                }
                update.condition.iter().for_each(|condition| types.expr(condition));
            }
            StatementKind::Delete(delete) => {
                types.columns_of(table(&delete.table).as_deref());
                delete.condition.iter().for_each(|condition| types.expr(condition));
            }
            _ => return None,
        }
        for found in &mut found {
            found.place = types.by_start.remove(&(found.range.start as u32));
        }
        for span in names {
            let range = span.start as usize..span.end as usize;
            found.push(Found { range, value: Value::Public, named: None, place: None });
        }
        found.sort_by_key(|found| found.range.start);
        Some(Parameters { text, found })
    }

    /// What a client is told of them; `declared` is what it says itself.
    pub(crate) fn types(&self, declared: &[Option<DataType>]) -> Vec<DataType> {
        let number = |found: &Found| match found.value {
            Value::Number(number) => number,
            Value::Text(_) | Value::Public => 0,
        };
        let count = self.found.iter().map(number).max().unwrap_or(0).max(declared.len());
        let one = |at: usize| {
            let found = self.found.iter().find(|found| number(found) == at && found.kind().is_some());
            let wanted = found.and_then(Found::kind).map(|kind| kind.nullable().to_arrow());
            declared.get(at - 1).cloned().flatten().or(wanted).unwrap_or(DataType::Utf8)
        };
        (1..=count).map(one).collect()
    }

    /// The statement with NULLs, to be planned: who may not write hears so before anything of a value.
    pub(crate) fn nulls(&self) -> Result<Bound> {
        self.with(|found| Ok(format!("CAST(NULL AS {})", found.kind().unwrap_or(TypeKind::STRING))))
    }

    pub(crate) fn bind(&self, params: &[Param]) -> Result<Bound> {
        self.with(|found| {
            let (text, declared) = match &found.value {
                Value::Text(text) => (Some(text), None),
                Value::Public => (None, None),
                Value::Number(number) => {
                    let param = number.checked_sub(1).and_then(|at| params.get(at)).ok_or_else(|| {
                        let message = format!("there is no parameter ${number}: {} were sent", params.len());
                        Error::user(message).with_code(Code::InvalidValue)
                    })?;
                    (param.text.as_ref(), param.ty.as_ref().and_then(of_arrow))
                }
            };
            let declared = declared.or_else(|| found.named.clone());
            let kind = kind_of(found.place.as_ref(), declared, text.map(String::as_str));
            match (text, kind) {
                (None, kind) => Ok(format!("CAST(NULL AS {})", kind.unwrap_or(TypeKind::STRING))),
                (Some(text), None) => Ok(quoted_string(text)),
                (Some(text), Some(kind)) => {
                    let value = arus_query::read_text(text, &kind.clone().nullable().to_arrow())?;
                    literal(&value, &kind)
                }
            }
        })
    }

    fn with(&self, literal: impl Fn(&Found) -> Result<String>) -> Result<Bound> {
        let mut text = String::with_capacity(self.text.len());
        let mut edits = Vec::with_capacity(self.found.len());
        let mut end = 0;
        for found in &self.found {
            let value = match found.value {
                Value::Public => quoted_name(DEFAULT_DATABASE),
                _ => literal(found)?,
            };
            text.push_str(&self.text[end..found.range.start]);
            text.push_str(&value);
            end = found.range.end;
            edits.push((found.range.clone(), value.len()));
        }
        text.push_str(&self.text[end..]);
        Ok(Bound { text, original: self.text.clone(), edits })
    }
}

impl Found {
    fn kind(&self) -> Option<TypeKind> {
        match &self.place {
            Some(Place::Assigned(kind) | Place::Beside(kind)) => Some(kind.clone()),
            None => self.named.clone(),
        }
    }
}

impl Bound {
    /// An error's place in the statement that the client sent.
    pub(crate) fn placed(&self, error: Error) -> Error {
        let Some(at) = error.location() else { return error };
        let mut offset = at.offset as usize;
        let mut length = at.length;
        let mut shift = 0isize;
        for (range, written) in &self.edits {
            let start = range.start.saturating_add_signed(shift);
            if offset < start {
                break;
            }
            if offset < start + written {
                offset = start;
                length = (range.end - range.start) as u32;
                break;
            }
            shift += *written as isize - (range.end - range.start) as isize;
        }
        let start = offset.saturating_add_signed(-shift).min(self.original.len()) as u32;
        error.with_location(Span { start, end: start + length }.location(&self.original))
    }
}

/// The text in Flink's words, as long as it was: blanks for casts behind parameters and texts (`$1::int8`), backticks for
/// names in double quotes. And where the parameters stand.
fn scan(statement: &str) -> (String, Vec<Found>) {
    let bytes = statement.as_bytes();
    let mut text = statement.to_string();
    let (mut found, mut names) = (vec![], vec![]);
    let mut at = 0;
    let mut add = |at: usize, length: usize, value: Value| {
        let (end, named) = cast_behind(&statement[at + length..]);
        let range = at..at + length + end;
        text.replace_range(at + length..range.end, &" ".repeat(end));
        let taken = range.len();
        found.push(Found { range, value, named, place: None });
        taken
    };
    while at < bytes.len() {
        let rest = &statement[at..];
        at += match bytes[at] {
            b'\'' => {
                let length = text_length(rest);
                if rest[length..].starts_with("::") {
                    add(at, length, Value::Text(rest[1..length - 1].replace("''", "'")))
                } else {
                    length
                }
            }
            b'`' => rest[1..].find('`').map_or(rest.len(), |end| end + 2),
            b'"' => match rest[1..].find('"') {
                Some(end) => {
                    names.push(at..at + end + 2);
                    end + 2
                }
                None => rest.len(),
            },
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
            b'$' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => {
                let digits = rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - 1);
                match rest[1..=digits].parse() {
                    Ok(number) if number <= PARAMETERS => add(at, 1 + digits, Value::Number(number)),
                    _ => 1 + digits,
                }
            }
            first if first.is_ascii_alphanumeric() || first == b'_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len())
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    for name in names.into_iter().filter(|name: &Range<usize>| !statement[name.clone()].contains('`')) {
        text.replace_range(name.start..=name.start, "`");
        text.replace_range(name.end - 1..name.end, "`");
    }
    (text, found)
}

/// Of a literal in quotes, two of which are one.
fn text_length(text: &str) -> usize {
    let mut length = 1;
    loop {
        length += match text[length..].find('\'') {
            Some(end) if text[length + end + 1..].starts_with('\'') => end + 2,
            Some(end) => return length + end + 1,
            None => return text.len(),
        };
    }
}

/// The length of `::TIMESTAMP WITHOUT TIME ZONE`, `::NUMERIC(10, 2)`, `::text[]`, and the type; 0: there is no cast.
fn cast_behind(text: &str) -> (usize, Option<TypeKind>) {
    let Some(mut rest) = text.strip_prefix("::") else { return (0, None) };
    let name = rest;
    let word = |rest: &str| rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
    rest = &rest[word(rest)..];
    for more in ["precision", "varying", "with time zone", "without time zone"] {
        let next = rest.trim_start();
        if next.get(..more.len()).is_some_and(|words| words.eq_ignore_ascii_case(more)) {
            rest = &next[more.len()..];
        }
    }
    if rest.starts_with('(') {
        rest = rest.find(')').map_or("", |end| &rest[end + 1..]);
    }
    while let Some(after) = rest.strip_prefix("[]") {
        rest = after;
    }
    let length = text.len() - rest.len();
    (length, named(&name[..length - 2].to_lowercase()))
}

/// The types that a value could not be told by its place alone.
fn named(name: &str) -> Option<TypeKind> {
    let attribute = TimeAttribute::None;
    Some(match name {
        "bool" | "boolean" => TypeKind::Boolean,
        "int2" | "smallint" => TypeKind::SmallInt,
        "int" | "int4" | "integer" => TypeKind::Int,
        "int8" | "bigint" => TypeKind::BigInt,
        "float4" | "real" => TypeKind::Float,
        "float8" | "double precision" => TypeKind::Double,
        "bytea" => TypeKind::BYTES,
        "date" => TypeKind::Date,
        "time" => TypeKind::Time(3),
        "timestamp" | "timestamp without time zone" => TypeKind::Timestamp { precision: 6, attribute },
        "timestamptz" | "timestamp with time zone" => TypeKind::TimestampLtz { precision: 3, attribute },
        "text" | "varchar" => TypeKind::STRING,
        _ => return None,
    })
}

/// PostgreSQL's name of the schema that is there from the start.
const PUBLIC: &str = "public";

/// Where a name says `public`, which is no database here.
fn public(catalog: &dyn Catalog, name: &ObjectName) -> Option<Span> {
    let [schema, _] = name.parts.as_slice() else { return None };
    (schema.value == PUBLIC && !catalog.databases().iter().any(|name| name == PUBLIC)).then_some(schema.span)
}

fn table(catalog: &dyn Catalog, database: &str, name: &ObjectName) -> Option<std::sync::Arc<TableDef>> {
    let path = match name.parts.as_slice() {
        [table] => ObjectPath::new(database, &table.value),
        [_, table] if public(catalog, name).is_some() => ObjectPath::in_default(&table.value),
        [database, table] => ObjectPath::new(&database.value, &table.value),
        _ => return None,
    };
    match catalog.object(&path)? {
        CatalogObject::Table(table) => Some(table),
        CatalogObject::View(_) => None,
    }
}

struct Types {
    /// Where there is a parameter.
    starts: HashSet<u32>,
    /// By where the parameter begins.
    by_start: HashMap<u32, Place>,
    columns: HashMap<String, TypeKind>,
}

impl Types {
    fn columns_of(&mut self, table: Option<&TableDef>) {
        for column in table.iter().flat_map(|table| &table.columns) {
            self.columns.insert(column.name.clone(), column.ty.clone().without_time_attribute().kind);
        }
    }

    fn insert(&mut self, insert: &Insert, table: Option<&TableDef>) {
        let Some(table) = table else { return };
        self.columns_of(Some(table));
        let kind = |name: &str| self.columns.get(name).cloned();
        let kinds: Vec<Option<TypeKind>> = if insert.columns.is_empty() {
            table.sink_columns().into_iter().map(|i| kind(&table.columns[i].name)).collect()
        } else {
            insert.columns.iter().map(|name| kind(&name.last().value)).collect()
        };
        match &insert.query.body {
            SetExpr::Values(values) => {
                for row in &values.rows {
                    self.row(row.iter(), &kinds);
                }
            }
            SetExpr::Select(select) => {
                let items = select.items.iter().filter_map(|item| match item {
                    SelectItem::Expr { expr, .. } => Some(expr),
                    SelectItem::Wildcard { .. } => None,
                });
                self.row(items, &kinds);
                // The tables that it reads are not those columns.
                self.columns.clear();
            }
            _ => {}
        }
    }

    fn row<'a>(&mut self, values: impl Iterator<Item = &'a Expr>, kinds: &[Option<TypeKind>]) {
        for (value, kind) in values.zip(kinds) {
            match &value.kind {
                // `VALUES ROW(1, 2)`
                ExprKind::Row(items) if kinds.len() == items.len() && kinds.len() > 1 => self.row(items.iter(), kinds),
                _ => self.assigned(value, kind.clone()),
            }
        }
    }

    fn is_parameter(&self, value: &Expr) -> bool {
        matches!(value.kind, ExprKind::Name(_) | ExprKind::Literal(_)) && self.starts.contains(&value.span.start)
    }

    fn assigned(&mut self, value: &Expr, kind: Option<TypeKind>) {
        if let (true, Some(kind)) = (self.is_parameter(value), kind) {
            self.by_start.insert(value.span.start, Place::Assigned(kind));
        }
    }

    /// Parameters beside columns.
    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Binary { op: BinaryOp::And | BinaryOp::Or, left, right } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Binary { left, right, .. } | ExprKind::IsDistinctFrom { left, right, .. } => {
                self.beside(left, right);
                self.beside(right, left);
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Unary { operand, .. } | ExprKind::Is { operand, .. } => self.expr(operand),
            ExprKind::Between { operand, low, high, .. } => {
                self.beside(low, operand);
                self.beside(high, operand);
            }
            ExprKind::InList { operand, list, .. } => list.iter().for_each(|item| self.beside(item, operand)),
            ExprKind::Like { operand, pattern, .. } => self.beside(pattern, operand),
            _ => {}
        }
    }

    fn beside(&mut self, value: &Expr, other: &Expr) {
        let ExprKind::Name(path) = &other.kind else { return };
        let kind = path.last().and_then(|name| self.columns.get(&name.value));
        if let (true, Some(kind)) = (self.is_parameter(value), kind) {
            self.by_start.insert(value.span.start, Place::Beside(kind.clone()));
        }
    }
}

/// The type of a value: that of its column; in a computation what the client says, with all of its digits.
fn kind_of(place: Option<&Place>, declared: Option<TypeKind>, text: Option<&str>) -> Option<TypeKind> {
    let is_number = |kind: &TypeKind| {
        use TypeKind::{BigInt, Decimal, Double, Float, Int, SmallInt, TinyInt};
        matches!(kind, TinyInt | SmallInt | Int | BigInt | Float | Double | Decimal { .. })
    };
    match place {
        None => declared,
        Some(Place::Assigned(kind)) => Some(kind.clone()),
        Some(Place::Beside(_)) if declared.as_ref().is_some_and(is_number) => declared,
        Some(Place::Beside(TypeKind::Decimal { .. })) => {
            let digits = text.and_then(|text| text.split_once('.')).map_or(0, |(_, f)| f.len().min(30));
            Some(TypeKind::Decimal { precision: 38, scale: digits as u8 })
        }
        Some(Place::Beside(kind)) => Some(kind.clone()),
    }
}

fn of_arrow(ty: &DataType) -> Option<TypeKind> {
    let attribute = TimeAttribute::None;
    Some(match ty {
        DataType::Boolean => TypeKind::Boolean,
        DataType::Int16 => TypeKind::SmallInt,
        DataType::Int32 => TypeKind::Int,
        DataType::Int64 => TypeKind::BigInt,
        DataType::Float32 => TypeKind::Float,
        DataType::Float64 => TypeKind::Double,
        DataType::Decimal128(precision, scale) => {
            TypeKind::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
        }
        DataType::Binary => TypeKind::BYTES,
        DataType::Date32 => TypeKind::Date,
        DataType::Time64(_) => TypeKind::Time(3),
        DataType::Timestamp(_, None) => TypeKind::Timestamp { precision: 6, attribute },
        DataType::Timestamp(_, Some(_)) => TypeKind::TimestampLtz { precision: 3, attribute },
        DataType::Utf8 => TypeKind::STRING,
        DataType::List(item) => TypeKind::Array(Box::new(of_arrow(item.data_type())?.nullable())),
        _ => return None,
    })
}

/// The first value of an array as Flink writes it.
fn literal(array: &ArrayRef, kind: &TypeKind) -> Result<String> {
    if array.is_null(0) {
        return Ok(format!("CAST(NULL AS {kind})"));
    }
    let to = |ty: &DataType| cast(array, ty).map_err(arrow_bug);
    let mut text = String::new();
    Ok(match kind {
        TypeKind::Boolean => if array.as_boolean().value(0) { "TRUE" } else { "FALSE" }.into(),
        TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int | TypeKind::BigInt => {
            format!("CAST('{}' AS {kind})", to(&DataType::Int64)?.as_primitive::<Int64Type>().value(0))
        }
        TypeKind::Float | TypeKind::Double => {
            let value = to(&DataType::Float64)?.as_primitive::<Float64Type>().value(0);
            let text = format!("{value:?}").replace("inf", "Infinity");
            format!("CAST('{text}' AS {kind})")
        }
        TypeKind::Decimal { .. } => {
            let options = FormatOptions::default();
            let shown = ArrayFormatter::try_new(array, &options).map_err(arrow_bug)?;
            format!("CAST('{}' AS {kind})", shown.value(0))
        }
        TypeKind::Char(_) | TypeKind::Varchar(_) => quoted_string(to(&DataType::Utf8)?.as_string::<i32>().value(0)),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            text.push_str("X'");
            for byte in to(&DataType::Binary)?.as_binary::<i32>().value(0) {
                write!(text, "{byte:02x}").map_err(|_| Error::bug("a text takes digits"))?;
            }
            text + "'"
        }
        TypeKind::Date => {
            postgres_time::write_date(&mut text, array.as_primitive::<Date32Type>().value(0));
            format!("DATE '{text}'")
        }
        TypeKind::Time(_) => {
            let micros = to(&DataType::Time64(TimeUnit::Microsecond))?;
            postgres_time::write_time(&mut text, micros.as_primitive::<Time64MicrosecondType>().value(0));
            format!("TIME '{text}'")
        }
        TypeKind::Timestamp { .. } => {
            let micros = to(&DataType::Timestamp(TimeUnit::Microsecond, None))?;
            postgres_time::write_timestamp(&mut text, micros.as_primitive::<TimestampMicrosecondType>().value(0));
            format!("TIMESTAMP '{text}'")
        }
        TypeKind::TimestampLtz { precision, .. } => {
            let micros = to(&DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>().value(0);
            if *precision > 3 && micros % 1_000 != 0 {
                return Err(Error::not_supported(format!("a parameter of {kind} with microseconds"))
                    .with_code(Code::NotSupported)
                    .with_hint("write the value as a literal"));
            }
            format!("TO_TIMESTAMP_LTZ({}, 3)", micros.div_euclid(1_000))
        }
        TypeKind::Array(item) => return list(array, item),
        _ => {
            return Err(Error::not_supported(format!("a parameter of {kind}"))
                .with_code(Code::NotSupported)
                .with_hint("send such rows as JSON by HTTP, or write the value as a literal"));
        }
    })
}

fn list(array: &ArrayRef, item: &LogicalType) -> Result<String> {
    let items = array.as_list::<i32>().value(0);
    let mut literals = Vec::with_capacity(items.len());
    for at in 0..items.len() {
        literals.push(literal(&items.slice(at, 1), &item.kind)?);
    }
    if literals.is_empty() {
        // There is no literal of an empty array.
        let any = match &item.kind {
            TypeKind::Boolean => "TRUE".to_string(),
            kind => format!("CAST('1' AS {kind})"),
        };
        return Ok(format!("ARRAY_REMOVE(ARRAY[{any}], {any})"));
    }
    Ok(format!("ARRAY[{}]", literals.join(", ")))
}

#[cfg(test)]
mod tests;
