//! Nanoseconds per row of every function over columns of 1,000,000 rows, as tab-separated lines: `ns`, `expression`.
//!
//! `bench/run functions` builds and runs it. Arguments in upper case are columns, the others literals.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use arus_core::clock::{Clock, SystemClock};
use arus_core::expr::Expr;
use arus_core::function::{Argument, FunctionCatalog};
use arus_core::rng::Rng;
use arus_core::{Datum, LogicalType, Result, TimeAttribute, TypeKind};
use arus_expr::{EvalContext, Functions, Program};

const ROWS: usize = 1_000_000;
const BATCH_ROWS: usize = 8_192;
const RUNS: usize = 3;

/// Calls by function; an argument is a column, `'text'`, a number or `TRUE`.
const CALLS: &str = "
= I J|<> S T|< L M|< X Y|= D E|IS DISTINCT FROM I J|IS NULL S|IS TRUE B|NOT B|LIKE S '%the%'|LIKE S 'abc_'|SIMILAR TO S '%[a-z]+%'
+ I J|+ L M|+ X Y|+ D E|- I J|* L M|* D E|/ L 7|/ X Y|/ D 7|% L 7|MOD I 10|NEGATE L|ABS X|ROUND X 2|ROUND D 1|TRUNCATE X 2|TRUNCATE D 1
FLOOR X|CEIL D|SIGN X|SQRT X|EXP Y|LN X|LOG10 X|LOG2 X|LOG 2 X|POWER X Y|SIN X|COS X|TAN X|COT X|ASIN Y|ACOS Y|ATAN X|ATAN2 X Y|SINH Y
COSH Y|TANH X|DEGREES X|RADIANS X|PI|E|RAND|RAND 7|RAND_INTEGER 100|UUID|HEX L|HEX S|BIN I|UNHEX H|GREATEST L M|LEAST X Y
|| S T|CONCAT S T|CONCAT_WS ',' S T|CHAR_LENGTH S|UPPER S|LOWER S|INITCAP S|TRIM S|LTRIM S|RTRIM S|BTRIM S|SUBSTRING S 3 5|LEFT S 5|RIGHT S 5
REPLACE S 'a' 'bb'|TRANSLATE S 'abc' 'xyz'|OVERLAY S T 3|LPAD S 40 'x'|RPAD S 40 'x'|REPEAT T 3|REVERSE S|POSITION T S|LOCATE T S|INSTR S T
STARTSWITH S 'ab'|ENDSWITH S 'yz'|SPLIT_INDEX K ',' 1|SPLIT K ','|STR_TO_MAP K|ELT 2 S T|ASCII S|CHR I|IS_ALPHA S|IS_DECIMAL N|IS_DIGIT N
REGEXP S 'a+b'|REGEXP S '(?<=a)b'|REGEXP_EXTRACT K '(\\w+)=(\\w+)' 2|REGEXP_REPLACE S '[aeiou]' '_'|REGEXP_COUNT S 'a'|REGEXP_INSTR S 'e'
REGEXP_SUBSTR S '[a-c]+'|REGEXP_EXTRACT_ALL K '(\\w+)=' 1|MD5 S|SHA1 S|SHA256 S|SHA512 S|TO_BASE64 S|FROM_BASE64 Q|ENCODE S 'UTF-16'
DECODE W 'UTF-8'|URL_ENCODE S|URL_DECODE S|PARSE_URL U 'HOST'|INET_ATON V|INET_NTOA C
EXTRACT 'YEAR' P|EXTRACT 'HOUR' P|EXTRACT 'DOW' G|FLOOR P 'MONTH'|CEIL P 'DAY'|DATE_FORMAT P 'yyyy-MM-dd HH:mm'|TIMESTAMPADD 'MONTH' I P
TIMESTAMPDIFF 'DAY' P O|TO_DATE A|TO_DATE A 'yyyy-MM-dd'|TO_TIMESTAMP R|TO_TIMESTAMP R 'yyyy-MM-dd HH:mm:ss'|TO_TIMESTAMP_LTZ C 0
FROM_UNIXTIME C|UNIX_TIMESTAMP R|CONVERT_TZ R 'UTC' 'Europe/Berlin'|CURRENT_TIMESTAMP|CURRENT_DATE
ROW S I|ARRAY I J|MAP S I|ITEM F 2|ITEM Z 'a'|CARDINALITY F|ARRAY_CONTAINS F 3|ARRAY_POSITION F 3|ARRAY_APPEND F 3|ARRAY_REMOVE F 3
ARRAY_REVERSE F|ARRAY_DISTINCT F|ARRAY_UNION F F|ARRAY_EXCEPT F F|ARRAY_INTERSECT F F|ARRAY_CONCAT F F|ARRAY_SLICE F 2|ARRAY_SORT F|ARRAY_MAX F
MAP_KEYS Z|MAP_VALUES Z|MAP_ENTRIES Z|MAP_UNION Z Z|JSON_VALUE $ '$.a'|JSON_VALUE $ '$.b.c[1]'|JSON_QUERY $ '$.b'|JSON_EXISTS $ '$.b.c'
IS JSON VALUE $|JSON_STRING S|JSON_STRING Z|JSON_OBJECT 'NULL' 'k' S 'VALUE'|JSON_ARRAY 'NULL' I 'VALUE' S 'VALUE'|JSON_QUOTE S|JSON_UNQUOTE S|TYPEOF S
";

fn text(rng: &mut Rng, least: u64, most: u64) -> String {
    let letters = b"abcdefghijklmnopqrstuvwxyz     theaeiou";
    let length = least + rng.below(most - least + 1);
    (0..length).map(|_| letters[rng.below(letters.len() as u64) as usize] as char).collect()
}

fn stamp(rng: &mut Rng) -> i64 {
    1_500_000_000 + rng.below(300_000_000) as i64
}

fn timestamp() -> TypeKind {
    TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None }
}

/// The type and a value of a column.
fn column(name: char, rng: &mut Rng) -> Option<(TypeKind, Datum)> {
    let string = |value: String| (TypeKind::STRING, Datum::String(value));
    let number = |rng: &mut Rng, bound: u64| rng.below(bound) as i64;
    Some(match name {
        'S' => string(text(rng, 10, 30)),
        'T' => string(text(rng, 1, 3)),
        'K' => string(format!("a={},b={},c={}", rng.below(100), text(rng, 3, 6).trim(), rng.below(1_000))),
        'N' => string(rng.below(100_000).to_string()),
        'H' => string(format!("{:016x}", rng.next_u64())),
        'Q' => string("aGVsbG8gd29ybGQsIGhvdyBhcmUgeW91".to_owned()),
        'U' => string(format!("https://host{}.example/path/{}?k={}", rng.below(9), rng.below(999), rng.below(9))),
        'V' => string(format!("10.{}.{}.{}", rng.below(256), rng.below(256), rng.below(256))),
        'A' => string(format!("20{:02}-{:02}-{:02}", rng.below(30), 1 + rng.below(12), 1 + rng.below(28))),
        'R' => string(format!("2024-{:02}-{:02} {:02}:30:15", 1 + rng.below(12), 1 + rng.below(28), rng.below(24))),
        '$' => string(format!("{{\"a\":\"{}\",\"b\":{{\"c\":[1,{}]}}}}", text(rng, 3, 9), rng.below(99))),
        'I' | 'J' => (TypeKind::Int, Datum::Int(number(rng, 1_000) as i32)),
        'L' | 'M' => (TypeKind::BigInt, Datum::BigInt(number(rng, 1 << 40) + 1)),
        'C' => (TypeKind::BigInt, Datum::BigInt(stamp(rng))),
        'X' => (TypeKind::Double, Datum::Double(rng.unit_f64() * 1_000.0)),
        'Y' => (TypeKind::Double, Datum::Double(rng.unit_f64())),
        'D' | 'E' => {
            (TypeKind::Decimal { precision: 10, scale: 2 }, Datum::Decimal(i128::from(number(rng, 10_000_000)) + 1))
        }
        'B' => (TypeKind::Boolean, Datum::Boolean(rng.below(2) == 0)),
        'W' => (TypeKind::BYTES, Datum::Bytes(text(rng, 10, 30).into_bytes())),
        'G' => (TypeKind::Date, Datum::Date(number(rng, 20_000) as i32)),
        'P' | 'O' => (timestamp(), Datum::Timestamp(stamp(rng) * 1_000 + number(rng, 1_000))),
        'F' => {
            let items = (0..5).map(|_| Datum::Int(number(rng, 9) as i32)).collect();
            (TypeKind::Array(Box::new(TypeKind::Int.nullable())), Datum::Array(items))
        }
        'Z' => {
            let entries = ["a", "b", "c"].map(|k| (Datum::String(k.to_owned()), Datum::Int(number(rng, 99) as i32)));
            let (key, value) = (Box::new(TypeKind::STRING.nullable()), Box::new(TypeKind::Int.nullable()));
            (TypeKind::Map(key, value), Datum::Map(entries.to_vec()))
        }
        _ => return None,
    })
}

/// One batch of a column; NULL in one row of twenty.
fn array(name: char) -> Result<(LogicalType, ArrayRef)> {
    let mut rng = Rng::seeded(u64::from(u32::from(name)));
    let mut arrays = Vec::with_capacity(BATCH_ROWS);
    let mut ty = TypeKind::Int.nullable();
    for _ in 0..BATCH_ROWS {
        let (kind, value) = column(name, &mut rng).expect("the list names columns that there are");
        ty = kind.nullable();
        let value = if rng.below(20) == 0 { Datum::Null } else { value };
        arrays.push(arus_expr::datum_to_array(&value, &ty)?);
    }
    let arrays: Vec<_> = arrays.iter().map(AsRef::as_ref).collect();
    Ok((ty, arrow::compute::concat(&arrays).map_err(arus_core::change::arrow_bug)?))
}

/// The words of a call: the function's name, which may have blanks, and its arguments.
fn words(call: &str) -> (String, Vec<String>) {
    let mut words = Vec::new();
    let mut rest = call.trim();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('\'') {
            Some(inside) => inside.find('\'').map_or(rest.len(), |at| at + 2),
            None => rest.find(' ').unwrap_or(rest.len()),
        };
        words.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    let is_argument = |w: &String| {
        let single = w.len() == 1 && w.chars().all(|c| c.is_ascii_uppercase() || c == '$');
        single || w.starts_with('\'') || w.starts_with(|c: char| c.is_ascii_digit())
    };
    let first = words.iter().skip(1).position(is_argument).map_or(words.len(), |at| at + 1);
    let arguments = words.split_off(first);
    (words.join(" "), arguments)
}

/// The call as the binder makes it, and its columns.
fn bound(call: &str) -> Result<(Expr, Vec<ArrayRef>)> {
    let (name, arguments) = words(call);
    let mut columns = Vec::new();
    let mut args = Vec::new();
    for word in arguments {
        args.push(if let Some(literal) = word.strip_prefix('\'') {
            let literal = literal.trim_end_matches('\'').to_owned();
            let kind = TypeKind::Char(literal.len() as u32);
            Expr::literal(Datum::String(literal), kind.not_null())
        } else if let Ok(number) = word.parse() {
            Expr::literal(Datum::Int(number), TypeKind::Int.not_null())
        } else {
            let (ty, array) = array(word.chars().next().unwrap_or('S'))?;
            columns.push(array);
            Expr::column(columns.len() - 1, ty)
        });
    }
    let arguments: Vec<Argument> = args
        .iter()
        .map(|arg| Argument {
            ty: arg.ty(),
            literal: match arg {
                Expr::Literal { value, .. } => Some(value.clone()),
                _ => None,
            },
        })
        .collect();
    let resolved = Functions.resolve(&name, &arguments)?;
    let args = args.into_iter().zip(resolved.arg_types).map(|(arg, ty)| match arg.ty().kind == ty.kind {
        true => arg,
        false => Expr::Cast { input: Box::new(arg), ty, safe: false },
    });
    Ok((Expr::call(resolved.function, args.collect(), resolved.return_type), columns))
}

/// Nanoseconds per row, the best of some runs.
fn measure(call: &str, clock: &SystemClock) -> Result<f64> {
    let (expr, columns) = bound(call)?;
    let program = Program::compile(&[expr], "UTC")?;
    let fields: Vec<Field> =
        columns.iter().enumerate().map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(BATCH_ROWS));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(arus_core::change::arrow_bug)?;
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let began = clock.monotonic_ns();
        let mut rows = 0;
        while rows < ROWS {
            let cx = EvalContext { now_ms: 1_709_210_096_789, watermark: None, seed: rows as u64 };
            std::hint::black_box(program.run(std::hint::black_box(&batch), &cx)?);
            rows += BATCH_ROWS;
        }
        best = best.min((clock.monotonic_ns() - began) as f64 / rows as f64);
    }
    Ok(best)
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is its result")]
fn main() {
    let clock = SystemClock::new();
    let mut failed = false;
    // `||` is an operator; a single bar parts two calls.
    let calls = CALLS.replace("|| S T|", "\u{1} S T|");
    for call in calls.split(['|', '\n']).map(|call| call.trim().replace('\u{1}', "||")).filter(|c| !c.is_empty()) {
        match measure(&call, &clock) {
            Ok(ns) => println!("{ns:.1}\t{call}"),
            Err(error) => {
                eprintln!("{call}: {}", error.render(None));
                failed = true;
            }
        }
    }
    if failed {
        std::process::exit(1);
    }
}
