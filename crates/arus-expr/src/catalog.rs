//! The functions as the binder sees them.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::function::{AggregateFunction, Argument, FunctionCatalog, ResolvedAggregate, ResolvedCall};
use arus_core::text::Zone;
use arus_core::{Datum, Error, ErrorKind, LogicalType, Result, TypeKind};

use crate::cast;
use crate::functions::{Call, CompileCall, FUNCTIONS, Function, find};
use crate::program::type_names;
use crate::typing::{self, MAX_PRECISION};

/// Flink's built-in functions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Functions;

/// Rewritten by the binder.
const VARIANCES: [&str; 6] = ["VAR_POP", "VAR_SAMP", "VARIANCE", "STDDEV_POP", "STDDEV_SAMP", "STDDEV"];

const AGGREGATES: [AggregateFunction; 13] = [
    AggregateFunction::Count,
    AggregateFunction::Sum,
    AggregateFunction::Avg,
    AggregateFunction::Min,
    AggregateFunction::Max,
    AggregateFunction::FirstValue,
    AggregateFunction::LastValue,
    AggregateFunction::Listagg,
    AggregateFunction::Collect,
    AggregateFunction::ArrayAgg,
    AggregateFunction::Percentile,
    AggregateFunction::JsonArrayAgg,
    AggregateFunction::JsonObjectAgg,
];

impl FunctionCatalog for Functions {
    fn resolve(&self, name: &str, args: &[Argument]) -> Result<ResolvedCall> {
        let upper = name.to_ascii_uppercase();
        let Some(function) = find(&upper) else {
            let error = Error::user(format!("unknown function '{name}'")).with_code(Code::UndefinedFunction);
            return Err(match nearest(&upper, &self.names()) {
                Some(near) => error.with_hint(format!("did you mean {near}?")),
                None => error.with_hint("SHOW FUNCTIONS lists them all"),
            });
        };
        if let Some(call) = (function.resolve)(args) {
            check_literals(function, &upper, args, &call)?;
            return Ok(ResolvedCall {
                function: function.canonical(&upper),
                arg_types: call.arg_types,
                return_type: call.return_type,
                deterministic: function.deterministic,
            });
        }
        let types: Vec<LogicalType> = args.iter().map(|a| a.ty.clone()).collect();
        Err(Error::user(format!("cannot apply '{upper}' to arguments of type ({})", type_names(&types)))
            .with_code(Code::TypeMismatch)
            .with_hint(format!("supported: {}", function.signature)))
    }

    fn resolve_aggregate(&self, name: &str, args: &[Argument]) -> Option<Result<ResolvedAggregate>> {
        let upper = name.to_ascii_uppercase();
        if VARIANCES.contains(&upper.as_str()) {
            // The type is that of AVG, the value is made from the squares.
            let average = self.resolve_aggregate("AVG", args)?;
            return Some(average.map(|a| ResolvedAggregate { function: AggregateFunction::WelfordM2, ..a }));
        }
        // ARRAY_AGG(x) IGNORE NULLS, as the binder asks for it.
        let hidden = [AggregateFunction::ArrayAggIgnoreNulls];
        let function = AGGREGATES.into_iter().chain(hidden).find(|f| f.name() == upper)?;
        Some(aggregate(function, args).ok_or_else(|| {
            let types: Vec<LogicalType> = args.iter().map(|a| a.ty.clone()).collect();
            let supported = aggregate_signature(&upper).unwrap_or("one argument of any type");
            Error::user(format!("cannot apply '{upper}' to arguments of type ({})", type_names(&types)))
                .with_code(Code::TypeMismatch)
                .with_hint(format!("supported: {supported}"))
        }))
    }

    fn common_type(&self, types: &[LogicalType]) -> Option<LogicalType> {
        typing::common_type(types)
    }

    fn can_cast(&self, from: &LogicalType, to: &LogicalType) -> bool {
        cast::can_cast(from, to)
    }

    fn signature(&self, name: &str) -> Option<&'static str> {
        let upper = name.to_ascii_uppercase();
        find(&upper).map(|f| f.signature).or_else(|| aggregate_signature(&upper))
    }

    fn names(&self) -> Vec<&'static str> {
        let scalars = FUNCTIONS.iter().flat_map(|group| group.functions).flat_map(|f| f.names).copied();
        let mut names: Vec<_> = scalars.chain(AGGREGATES.map(AggregateFunction::name)).chain(VARIANCES).collect();
        names.sort_unstable();
        names
    }
}

fn aggregate_signature(name: &str) -> Option<&'static str> {
    Some(match name {
        "COUNT" => "COUNT(*), COUNT(<ANY>)",
        "SUM" => "SUM(<NUMERIC>)",
        "AVG" => "AVG(<NUMERIC>)",
        "MIN" => "MIN(<COMPARABLE_TYPE>)",
        "MAX" => "MAX(<COMPARABLE_TYPE>)",
        "FIRST_VALUE" => "FIRST_VALUE(<ANY>)",
        "LAST_VALUE" => "LAST_VALUE(<ANY>)",
        "LISTAGG" => "LISTAGG(<CHARACTER>), LISTAGG(<CHARACTER>, <CHARACTER_LITERAL>)",
        "COLLECT" => "COLLECT(<ANY>)",
        "ARRAY_AGG" => "ARRAY_AGG(<ANY>)",
        "PERCENTILE" => "PERCENTILE(<NUMERIC>, <NUMERIC between 0 and 1, or an ARRAY of them>, [<INTEGER>])",
        "JSON_ARRAYAGG" => "JSON_ARRAYAGG(<ANY> [NULL|ABSENT ON NULL])",
        "JSON_OBJECTAGG" => "JSON_OBJECTAGG([KEY] <CHARACTER> VALUE <ANY> [NULL|ABSENT ON NULL])",
        "VAR_POP" => "VAR_POP(<NUMERIC>)",
        "VAR_SAMP" => "VAR_SAMP(<NUMERIC>)",
        "VARIANCE" => "VARIANCE(<NUMERIC>)",
        "STDDEV_POP" => "STDDEV_POP(<NUMERIC>)",
        "STDDEV_SAMP" => "STDDEV_SAMP(<NUMERIC>)",
        "STDDEV" => "STDDEV(<NUMERIC>)",
        _ => return None,
    })
}

fn aggregate(function: AggregateFunction, args: &[Argument]) -> Option<ResolvedAggregate> {
    if function == AggregateFunction::Percentile {
        return percentile(args);
    }
    let arg_types: Vec<LogicalType> = args.iter().map(|a| a.ty.clone()).collect();
    let return_type = match (function, arg_types.as_slice()) {
        (AggregateFunction::Count, [] | [_]) => TypeKind::BigInt.not_null(),
        (AggregateFunction::FirstValue | AggregateFunction::LastValue, [arg]) => arg.clone(),
        (AggregateFunction::Listagg, [text]) if text.kind.is_string() => text.clone(),
        (AggregateFunction::Listagg, [text, separator])
            if text.kind.is_string()
                && separator.kind.is_string()
                && matches!(args[1].literal, Some(Datum::String(_))) =>
        {
            text.clone()
        }
        (AggregateFunction::JsonArrayAgg, [text]) if text.kind.is_string() => JSON_TEXT.not_null(),
        (AggregateFunction::JsonObjectAgg, [key, text]) if key.kind.is_string() && text.kind.is_string() => {
            JSON_TEXT.not_null()
        }
        (AggregateFunction::Collect, [arg]) => TypeKind::Multiset(Box::new(arg.clone())).not_null(),
        (AggregateFunction::ArrayAgg | AggregateFunction::ArrayAggIgnoreNulls, [arg]) => {
            LogicalType { kind: TypeKind::Array(Box::new(arg.clone())), nullable: arg.nullable }
        }
        (AggregateFunction::Sum, [arg]) if arg.kind.is_numeric() => match arg.kind {
            TypeKind::Decimal { scale, .. } => TypeKind::Decimal { precision: MAX_PRECISION, scale },
            _ => arg.kind.clone(),
        }
        .nullable()
        .with_nullable(arg.nullable),
        (AggregateFunction::Avg, [arg]) if arg.kind.is_numeric() => match arg.kind {
            TypeKind::Decimal { scale, .. } => TypeKind::Decimal { precision: MAX_PRECISION, scale: scale.max(6) },
            _ => arg.kind.clone(),
        }
        .nullable()
        .with_nullable(arg.nullable),
        (AggregateFunction::Min | AggregateFunction::Max, [arg]) if is_ordered(&arg.kind) => {
            arg.clone().without_time_attribute()
        }
        _ => return None,
    };
    Some(ResolvedAggregate { function, arg_types, return_type })
}

/// What Flink says of the text of a JSON aggregate.
const JSON_TEXT: TypeKind = TypeKind::Varchar(2_000);

fn percentile(args: &[Argument]) -> Option<ResolvedAggregate> {
    let (value, percentage, times) = match args {
        [value, percentage] => (value, percentage, None),
        [value, percentage, times] if times.ty.kind.is_integer() => (value, percentage, Some(times)),
        _ => return None,
    };
    let many = match &percentage.ty.kind {
        TypeKind::Array(element) if element.kind.is_numeric() && !element.nullable => true,
        kind if kind.is_numeric() => false,
        _ => return None,
    };
    let within = match (&percentage.literal, &percentage.ty.kind) {
        (Some(Datum::Decimal(digits)), TypeKind::Decimal { scale, .. }) => {
            (0..=10_i128.pow(u32::from(*scale))).contains(digits)
        }
        (Some(Datum::Int(whole)), _) => (0..=1).contains(whole),
        (Some(Datum::Double(number)), _) => (0.0..=1.0).contains(number),
        _ => true,
    };
    if !value.ty.kind.is_numeric() || percentage.ty.nullable || !within {
        return None;
    }
    let double = TypeKind::Double.not_null();
    let percentages = if many { TypeKind::Array(Box::new(double)).not_null() } else { double };
    let result = if many { TypeKind::Array(Box::new(TypeKind::Double.nullable())) } else { TypeKind::Double };
    let mut arg_types = vec![TypeKind::Double.nullable().with_nullable(value.ty.nullable), percentages];
    arg_types.extend(times.map(|times| TypeKind::BigInt.nullable().with_nullable(times.ty.nullable)));
    Some(ResolvedAggregate { function: AggregateFunction::Percentile, arg_types, return_type: result.nullable() })
}

/// A literal that the function cannot work with (a pattern, a date format) is refused before anything runs.
fn check_literals(function: &Function, name: &str, args: &[Argument], call: &Call) -> Result<()> {
    if !args.iter().any(|arg| matches!(arg.literal, Some(Datum::String(_)))) {
        return Ok(());
    }
    let typed = args.iter().zip(&call.arg_types).enumerate().map(|(i, (arg, ty))| match &arg.literal {
        Some(value) if arg.ty.kind == ty.kind => Expr::literal(value.clone(), ty.clone()),
        _ => Expr::column(i, ty.clone()),
    });
    let args: Vec<Expr> = typed.collect();
    let compiled = (function.compile)(&CompileCall { name, args: &args, ty: &call.return_type, zone: Zone::UTC });
    match compiled {
        Err(error) if error.kind() == ErrorKind::User => Err(error),
        _ => Ok(()),
    }
}

/// What MIN and MAX take.
fn is_ordered(kind: &TypeKind) -> bool {
    let plain = kind.is_numeric() || kind.is_string() || kind.is_temporal() || kind.is_interval();
    plain || matches!(kind, TypeKind::Boolean)
}

/// The name with the fewest edits, when few enough to be a slip.
fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let best = names.iter().map(|n| (edits(name, n), *n)).min()?;
    (best.0 <= (name.len() / 3).max(1)).then_some(best.1)
}

fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
