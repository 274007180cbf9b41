//! TYPEOF: the type of an expression as text, by Flink's names; long names with TRUE as the second argument.

use arus_core::function::Argument;
use arus_core::types::MAX_LENGTH;
use arus_core::{Datum, LogicalType, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, safe};
use crate::value::strings;

pub(super) const FUNCTIONS: &[Function] = &[Function::new(&["TYPEOF"], "TYPEOF(<ANY>[, <BOOLEAN>])", resolve, compile)];

fn resolve(args: &[Argument]) -> Option<Call> {
    let right = match args {
        [_] => true,
        [_, long] => matches!(long.literal, Some(Datum::Boolean(_))),
        _ => false,
    };
    let call = if right { as_is(args, TypeKind::STRING)? } else { return None };
    Some(Call { return_type: TypeKind::STRING.nullable(), ..call })
}

fn compile(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.args.first().ok_or_else(|| call.bug())?.ty();
    let long = matches!(call.args.get(1), Some(arus_core::expr::Expr::Literal { value: Datum::Boolean(true), .. }));
    let name = type_name(&ty, long);
    safe(move |_, cx| {
        Ok(strings(cx.rows, |_, out| {
            out.push_str(&name);
            Some(())
        }))
    })
}

fn type_name(ty: &LogicalType, long: bool) -> String {
    let inner = |ty: &LogicalType| type_name(ty, long);
    let name = match &ty.kind {
        TypeKind::Varchar(MAX_LENGTH) if long => format!("VARCHAR({MAX_LENGTH})"),
        TypeKind::Varbinary(MAX_LENGTH) if long => format!("VARBINARY({MAX_LENGTH})"),
        TypeKind::TimestampLtz { precision, .. } if long => format!("TIMESTAMP({precision}) WITH LOCAL TIME ZONE"),
        TypeKind::IntervalYearMonth => "INTERVAL MONTH".to_owned(),
        TypeKind::IntervalDayTime => "INTERVAL SECOND(3)".to_owned(),
        TypeKind::Array(element) => format!("ARRAY<{}>", inner(element)),
        TypeKind::Multiset(element) => format!("MULTISET<{}>", inner(element)),
        TypeKind::Map(key, value) => format!("MAP<{}, {}>", inner(key), inner(value)),
        TypeKind::Row(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|f| format!("`{}` {}", f.name.replace('`', "``"), inner(&f.ty))).collect();
            format!("ROW<{}>", fields.join(", "))
        }
        kind => kind.to_string(),
    };
    if ty.nullable || ty.kind == TypeKind::Null { name } else { format!("{name} NOT NULL") }
}
