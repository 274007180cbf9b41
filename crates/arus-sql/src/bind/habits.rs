//! Names and comparisons of other dialects: the hint says how Flink writes it.

use arus_core::Error;
use arus_core::error::Code;
use arus_core::expr::Expr;

use super::Binder;
use crate::ast::{Select, SelectItem};

/// Functions of other databases, and what does the same here.
const FUNCTIONS: &[(&str, &str)] = &[
    ("ARRAY_LENGTH", "CARDINALITY(array)"),
    ("BOOL_AND", "MIN(condition) over 0 and 1"),
    ("CHARINDEX", "POSITION(part IN text)"),
    ("COUNT_IF", "COUNT(*) FILTER (WHERE condition)"),
    ("COUNTIF", "COUNT(*) FILTER (WHERE condition)"),
    ("DATEADD", "TIMESTAMPADD(unit, n, time)"),
    ("DATEDIFF", "TIMESTAMPDIFF(unit, from, to)"),
    ("DATE_ADD", "time + INTERVAL '1' DAY"),
    ("DATE_PART", "EXTRACT(unit FROM time)"),
    ("DATE_SUB", "time - INTERVAL '1' DAY"),
    ("DATE_TRUNC", "FLOOR(time TO MINUTE)"),
    ("GEN_RANDOM_UUID", "UUID()"),
    ("GETDATE", "CURRENT_TIMESTAMP"),
    ("GROUP_CONCAT", "LISTAGG(text)"),
    ("ISNULL", "value IS NULL, or COALESCE(value, other)"),
    ("JSON_EXTRACT", "JSON_VALUE(json, '$.path')"),
    ("LEN", "CHAR_LENGTH(text)"),
    ("LENGTH", "CHAR_LENGTH(text)"),
    ("NVL", "COALESCE(value, other)"),
    ("RANDOM", "RAND()"),
    ("STRING_AGG", "LISTAGG(text)"),
    ("STRPOS", "POSITION(part IN text)"),
    ("TO_CHAR", "DATE_FORMAT(time, 'yyyy-MM-dd')"),
    ("TO_NUMBER", "CAST(text AS DECIMAL(10, 2))"),
];

/// Types of other databases.
const TYPES: &[(&str, &str)] = &[
    ("BIGSERIAL", "BIGINT"),
    ("BOOL", "BOOLEAN"),
    ("BYTEA", "BYTES"),
    ("DATETIME", "TIMESTAMP(3)"),
    ("FLOAT4", "FLOAT"),
    ("FLOAT8", "DOUBLE"),
    ("INT2", "SMALLINT"),
    ("INT4", "INT"),
    ("INT8", "BIGINT"),
    ("JSON", "STRING"),
    ("JSONB", "STRING"),
    ("LONG", "BIGINT"),
    ("SERIAL", "INT"),
    ("TEXT", "STRING"),
    ("TIMESTAMPTZ", "TIMESTAMP_LTZ(3)"),
    ("UUID", "STRING"),
];

fn find(list: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    list.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, here)| *here)
}

/// The type that is meant.
pub(crate) fn type_hint(name: &str) -> Option<String> {
    find(TYPES, name).map(|here| format!("write {here}"))
}

/// A better hint for a call that does not resolve.
pub(crate) fn call_hint(error: Error, name: &str, args: &[Expr]) -> Error {
    if error.code() == Code::UndefinedFunction {
        return match find(FUNCTIONS, name) {
            Some(here) => error.with_hint(format!("Flink has no {}: write {here}", name.to_ascii_uppercase())),
            None => error,
        };
    }
    const COMPARISONS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];
    let kinds: Vec<_> = args.iter().map(|a| a.ty().kind).collect();
    let mixed = kinds.iter().any(|k| k.is_string()) && kinds.iter().any(|k| k.is_numeric());
    if COMPARISONS.contains(&name) && mixed {
        return error
            .with_hint("a number is never compared with text: write the number without quotes, or CAST one of them");
    }
    error
}

impl Binder<'_> {
    /// A name that is only an alias of the select list, which WHERE, GROUP BY and HAVING do not see.
    pub(crate) fn alias_hint(&self, error: Error, s: &Select) -> Error {
        let Some(at) = error.location().filter(|_| error.code() == Code::UndefinedColumn) else {
            return error;
        };
        let (start, end) = (at.offset as usize, (at.offset + at.length) as usize);
        let Some(name) = self.text.get(start..end) else { return error };
        let alias = s.items.iter().find_map(|item| match item {
            SelectItem::Expr { expr, alias: Some(alias) } if alias.value == name => Some(expr),
            _ => None,
        });
        match alias {
            Some(expr) if !(expr.span.start as usize..expr.span.end as usize).contains(&start) => {
                error.with_hint(format!(
                    "'{name}' is a name of the select list, which is not known here: write {} again, or put the query into FROM (..)",
                    expr.span.of(self.text)
                ))
            }
            _ => error,
        }
    }
}
