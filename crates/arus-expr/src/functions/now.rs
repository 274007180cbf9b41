//! Processing time and the watermark. Processing time is fixed for a batch.

use arrow::array::ArrayRef;
use arrow::datatypes::{Date32Type, Time32MillisecondType};
use arus_core::function::Argument;
use arus_core::{Result, TimeAttribute, TypeKind};

use super::{Call, CompileCall, Compiled, Function, safe};
use crate::value::{long_array, longs, numbers};

const fn now(
    names: &'static [&'static str],
    signature: &'static str,
    resolve: fn(&[Argument]) -> Option<Call>,
    compile: fn(&CompileCall<'_>) -> Result<Compiled>,
) -> Function {
    Function { deterministic: false, ..Function::new(names, signature, resolve, compile) }
}

pub(super) const FUNCTIONS: &[Function] = &[
    now(&["CURRENT_TIMESTAMP", "NOW", "CURRENT_ROW_TIMESTAMP"], "CURRENT_TIMESTAMP", instant, compile_instant),
    now(&["PROCTIME"], "PROCTIME()", proctime, compile_instant),
    now(&["LOCALTIMESTAMP"], "LOCALTIMESTAMP", local_timestamp, compile_local),
    now(&["CURRENT_DATE"], "CURRENT_DATE", |args| none(args, TypeKind::Date), compile_local),
    now(&["LOCALTIME", "CURRENT_TIME"], "LOCALTIME", |args| none(args, TypeKind::Time(0)), compile_local),
    now(&["CURRENT_WATERMARK"], "CURRENT_WATERMARK(<ROWTIME>)", watermark, compile_watermark),
];

fn none(args: &[Argument], kind: TypeKind) -> Option<Call> {
    args.is_empty().then(|| Call { arg_types: vec![], return_type: kind.not_null() })
}

fn instant(args: &[Argument]) -> Option<Call> {
    none(args, TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None })
}

fn proctime(args: &[Argument]) -> Option<Call> {
    none(args, TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::Proctime })
}

fn local_timestamp(args: &[Argument]) -> Option<Call> {
    none(args, TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None })
}

fn watermark(args: &[Argument]) -> Option<Call> {
    let [time] = args else { return None };
    let kind = match time.ty.kind {
        TypeKind::Timestamp { attribute: TimeAttribute::Rowtime, .. } => {
            TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None }
        }
        TypeKind::TimestampLtz { attribute: TimeAttribute::Rowtime, .. } => {
            TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None }
        }
        _ => return None,
    };
    Some(Call { arg_types: vec![time.ty.clone()], return_type: kind.nullable() })
}

fn compile_instant(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    safe(move |_, cx| long_array(vec![cx.eval.now_ms; cx.rows].into(), None, &ty))
}

fn compile_local(call: &CompileCall<'_>) -> Result<Compiled> {
    const MS_PER_DAY: i64 = 86_400_000;
    let (ty, zone, kind) = (call.ty.to_arrow(), call.zone, call.ty.kind.clone());
    safe(move |_, cx| {
        let local = cx.eval.now_ms + zone.offset_at_ms(cx.eval.now_ms);
        let array: ArrayRef = match kind {
            TypeKind::Date => numbers::<Date32Type>(cx.rows, &ty, |_| Some(local.div_euclid(MS_PER_DAY) as i32)),
            TypeKind::Time(_) => {
                let second_of_day = local.rem_euclid(MS_PER_DAY) / 1_000 * 1_000;
                numbers::<Time32MillisecondType>(cx.rows, &ty, |_| Some(second_of_day as i32))
            }
            _ => long_array(vec![local; cx.rows].into(), None, &ty)?,
        };
        Ok(array)
    })
}

fn compile_watermark(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    safe(move |_, cx| {
        let watermark = cx.eval.watermark;
        longs(cx.rows, &ty, |_| watermark)
    })
}
