use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::util::display::array_value_to_string;
use arus_core::RowKind::{Delete, Insert, UpdateAfter, UpdateBefore};
use arus_core::function::AggregateFunction::{Avg, Count, Max, Min, Sum};
use arus_core::types::TimeAttribute;

use super::*;

fn decimal(precision: u8, scale: u8) -> TypeKind {
    TypeKind::Decimal { precision, scale }
}

fn call(function: AggregateFunction, arg: &TypeKind) -> AggregateCall {
    let ty = match (function, arg) {
        (Count, _) => TypeKind::BigInt,
        (Sum, TypeKind::Decimal { scale, .. }) => decimal(38, *scale),
        (Avg, TypeKind::Decimal { scale, .. }) => decimal(38, (*scale).max(6)),
        _ => arg.clone(),
    };
    AggregateCall { function, args: vec![0], distinct: false, filter: None, ty: ty.nullable(), name: "x".into() }
}

/// The value after each row, in one group; the same by `update`, and after a save and a load.
fn steps(function: AggregateFunction, arg: TypeKind, values: ArrayRef, kinds: Option<&[RowKind]>) -> Vec<String> {
    let arg = arg.nullable();
    let call = call(function, &arg.kind);
    let make = || {
        let mut made = accumulator(&call, std::slice::from_ref(&arg), kinds.is_some()).expect("an accumulator");
        made.grow(2);
        made
    };
    let text = |array: &ArrayRef, row: usize| {
        if array.is_null(row) { "null".into() } else { array_value_to_string(array, row).expect("text") }
    };
    let slots = vec![1; values.len()];
    let trace = make().trace(SlotRows::new(&slots, kinds), std::slice::from_ref(&values)).expect("a trace");
    assert_eq!(trace.after.data_type(), &call.ty.to_arrow());
    let told: Vec<String> = (0..values.len()).map(|row| text(&trace.after, row)).collect();
    for row in 1..values.len() {
        assert_eq!(text(&trace.before, row), told[row - 1], "before row {row}");
    }
    let mut one_by_one = make();
    for (row, value) in told.iter().enumerate() {
        let kinds = kinds.map(|k| &k[row..=row]);
        let rows = SlotRows::new(&slots[..1], kinds);
        one_by_one.update(rows, &[values.slice(row, 1)]).expect("an update");
        assert_eq!(&text(&one_by_one.evaluate(&[0, 1]).expect("values"), 1), value, "row {row} by update");
        let mut saved = vec![];
        one_by_one.save(1, &mut saved);
        let mut bytes = &saved[..];
        one_by_one = make();
        one_by_one.load(1, &mut bytes).expect("a load");
        assert!(bytes.is_empty(), "all that was saved is read");
        if saved.len() > 1 {
            assert!(make().load(1, &mut &saved[..saved.len() - 1]).is_err(), "a cut state is refused");
        }
    }
    told
}

#[test]
fn integers_wrap_and_their_average_truncates() {
    let values = || -> ArrayRef { Arc::new(Int8Array::from(vec![None, Some(100), Some(100), None, Some(-7)])) };
    assert_eq!(steps(Sum, TypeKind::TinyInt, values(), None), ["null", "100", "-56", "-56", "-63"]);
    assert_eq!(steps(Avg, TypeKind::TinyInt, values(), None), ["null", "100", "100", "100", "64"]);
    assert_eq!(steps(Count, TypeKind::TinyInt, values(), None), ["0", "1", "2", "2", "3"]);
    assert_eq!(steps(Max, TypeKind::TinyInt, values(), None), ["null", "100", "100", "100", "100"]);
    assert_eq!(steps(Min, TypeKind::TinyInt, values(), None), ["null", "100", "100", "100", "-7"]);
    let negative = || -> ArrayRef { Arc::new(Int8Array::from(vec![-3, -4])) };
    assert_eq!(steps(Avg, TypeKind::TinyInt, negative(), None), ["-3", "-3"]);
}

#[test]
fn retractions_undo_and_the_last_leaves_null() {
    let values =
        || -> ArrayRef { Arc::new(Int8Array::from(vec![Some(5), Some(9), Some(9), Some(2), Some(5), Some(2)])) };
    let kinds = [Insert, Insert, UpdateBefore, UpdateAfter, Delete, Delete];
    let of = |function| steps(function, TypeKind::TinyInt, values(), Some(&kinds));
    assert_eq!(of(Sum), ["5", "14", "5", "7", "2", "null"]);
    assert_eq!(of(Avg), ["5", "7", "5", "3", "2", "null"]);
    assert_eq!(of(Max), ["5", "9", "5", "5", "2", "null"]);
    assert_eq!(of(Min), ["5", "5", "5", "2", "2", "null"]);
    assert_eq!(of(Count), ["1", "2", "1", "2", "1", "0"]);
    // A retraction ahead of its row.
    let values: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "a", "b"]));
    assert_eq!(steps(Max, TypeKind::STRING, values, Some(&[Delete, Insert, Insert])), ["null", "null", "b"]);
}

#[test]
fn floats_are_summed_in_their_type_and_a_first_nan_stays() {
    let values = || -> ArrayRef { Arc::new(Float32Array::from(vec![16_777_216.0, 1.0, 1.0])) };
    assert_eq!(steps(Sum, TypeKind::Float, values(), None), ["16777216.0", "16777216.0", "16777216.0"]);
    assert_eq!(steps(Avg, TypeKind::Float, values(), None), ["16777216.0", "8388608.0", "5592406.0"]);
    let nan_first = || -> ArrayRef { Arc::new(Float64Array::from(vec![f64::NAN, 1.0])) };
    assert_eq!(steps(Max, TypeKind::Double, nan_first(), None), ["NaN", "NaN"]);
    assert_eq!(steps(Min, TypeKind::Double, nan_first(), None), ["NaN", "NaN"]);
    let nan_last: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN, 2.0]));
    assert_eq!(steps(Max, TypeKind::Double, nan_last, None), ["1.0", "1.0", "2.0"]);
}

#[test]
fn decimals_round_half_up_and_overflow_to_null() {
    let of = |values: Vec<i128>, precision, scale| -> ArrayRef {
        let array = Decimal128Array::from(values).with_precision_and_scale(precision, scale as i8);
        Arc::new(array.expect("decimals"))
    };
    assert_eq!(steps(Sum, decimal(10, 2), of(vec![1_050, -75], 10, 2), None), ["10.50", "9.75"]);
    assert_eq!(steps(Avg, decimal(10, 2), of(vec![100, 100, 0], 10, 2), None), ["1.000000", "1.000000", "0.666667"]);
    assert_eq!(steps(Avg, decimal(10, 2), of(vec![-100, -100, 0], 10, 2), None)[2], "-0.666667");
    assert_eq!(steps(Avg, decimal(8, 7), of(vec![1, 0], 8, 7), None), ["0.0000001", "0.0000001"]);
    let largest = 10i128.pow(38) - 1;
    assert_eq!(
        steps(Sum, decimal(38, 0), of(vec![largest, 1, 7], 38, 0), None),
        [largest.to_string().as_str(), "null", "7"]
    );
}

#[test]
fn other_types_have_extremes() {
    let texts =
        || -> ArrayRef { Arc::new(StringViewArray::from(vec![Some("b"), None, Some("é"), Some("Z"), Some("")])) };
    assert_eq!(steps(Max, TypeKind::STRING, texts(), None), ["b", "b", "é", "é", "é"]);
    assert_eq!(steps(Min, TypeKind::STRING, texts(), None), ["b", "b", "b", "Z", ""]);
    let bytes: ArrayRef = Arc::new(BinaryViewArray::from(vec![&[1u8, 2][..], &[255], &[0]]));
    assert_eq!(steps(Max, TypeKind::BYTES, bytes, None), ["0102", "ff", "ff"]);
    let booleans = || -> ArrayRef { Arc::new(BooleanArray::from(vec![Some(false), Some(true), None])) };
    assert_eq!(steps(Max, TypeKind::Boolean, booleans(), None), ["false", "true", "true"]);
    assert_eq!(steps(Min, TypeKind::Boolean, booleans(), Some(&[Insert, Insert, Insert])), ["false"; 3]);
    let time = TypeKind::TimestampLtz { precision: 6, attribute: TimeAttribute::None };
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![5, 1, 9]).with_timezone("UTC"));
    assert_eq!(
        steps(Min, time, times, None),
        ["1970-01-01T00:00:00.000005Z", "1970-01-01T00:00:00.000001Z", "1970-01-01T00:00:00.000001Z"]
    );
}

#[test]
fn what_cannot_be_aggregated_is_refused_by_name() {
    let error = accumulator(&call(Sum, &TypeKind::STRING), &[TypeKind::STRING.nullable()], false).err();
    assert_eq!(error.expect("refused").message(), "SUM(STRING) is not supported yet");
}
