use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, ListArray, NullArray, StringViewArray, StructArray, Time32MillisecondArray,
    make_comparator,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::DataType;
use arus_core::rng::Rng;
use arus_core::types::{RowField, TimeAttribute, TypeKind};

use super::*;

fn scalar_kinds() -> Vec<TypeKind> {
    let attribute = TimeAttribute::None;
    vec![
        TypeKind::Boolean,
        TypeKind::TinyInt,
        TypeKind::SmallInt,
        TypeKind::Int,
        TypeKind::BigInt,
        TypeKind::Float,
        TypeKind::Double,
        TypeKind::Decimal { precision: 10, scale: 2 },
        TypeKind::Decimal { precision: 38, scale: 10 },
        TypeKind::Char(3),
        TypeKind::STRING,
        TypeKind::Binary(4),
        TypeKind::BYTES,
        TypeKind::Date,
        TypeKind::Time(3),
        TypeKind::Timestamp { precision: 3, attribute },
        TypeKind::Timestamp { precision: 6, attribute },
        TypeKind::TimestampLtz { precision: 9, attribute },
        TypeKind::IntervalYearMonth,
        TypeKind::IntervalDayTime,
        TypeKind::Null,
    ]
}

fn random_type(rng: &mut Rng, depth: u32) -> LogicalType {
    let scalars = scalar_kinds();
    let kind = match rng.below(if depth == 0 { 1 } else { 8 }) {
        0..=3 => scalars[rng.below(scalars.len() as u64) as usize].clone(),
        4 => TypeKind::Array(Box::new(random_type(rng, depth - 1))),
        5 => TypeKind::Map(Box::new(random_type(rng, depth - 1)), Box::new(random_type(rng, depth - 1))),
        6 => TypeKind::Multiset(Box::new(random_type(rng, depth - 1))),
        _ => TypeKind::Row(
            (0..rng.below(11))
                .map(|i| RowField { name: format!("f{i}"), ty: random_type(rng, depth - 1), comment: None })
                .collect(),
        ),
    };
    LogicalType { kind, nullable: true }
}

fn holds_map(ty: &LogicalType) -> bool {
    match &ty.kind {
        TypeKind::Map(..) | TypeKind::Multiset(_) => true,
        TypeKind::Array(element) => holds_map(element),
        TypeKind::Row(fields) => fields.iter().any(|f| holds_map(&f.ty)),
        _ => false,
    }
}

/// Small values often, so that equal ones and equal prefixes are common; extremes too.
fn random_i64(rng: &mut Rng, bits: u32) -> i64 {
    let value = rng.next_u64() as i64 >> (64 - bits);
    match rng.below(4) {
        0 => value,
        1 => [i64::MIN >> (64 - bits), i64::MAX >> (64 - bits), 0, -1][rng.below(4) as usize],
        _ => rng.below(7) as i64 - 3,
    }
}

fn random_f64(rng: &mut Rng) -> f64 {
    match rng.below(4) {
        0 => [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 0.0][rng.below(5) as usize],
        1 => f64::from_bits(rng.next_u64() & !(0x7ff << 52) | 1000 << 52),
        _ => rng.below(7) as f64 - 3.0 + 0.5,
    }
}

fn random_bytes(rng: &mut Rng) -> Vec<u8> {
    let alphabet = [0, 1, 2, b'a', 254, 255];
    let longest = if rng.below(9) == 0 { 40 } else { 4 };
    (0..rng.below(longest)).map(|_| alphabet[rng.below(alphabet.len() as u64) as usize]).collect()
}

fn random_text(rng: &mut Rng) -> String {
    let alphabet = ['\0', '\u{1}', 'a', 'b', 'ÿ', '𝄞'];
    (0..rng.below(5)).map(|_| alphabet[rng.below(alphabet.len() as u64) as usize]).collect()
}

fn random_array(rng: &mut Rng, ty: &LogicalType, rows: usize) -> ArrayRef {
    let present: Vec<bool> = (0..rows).map(|_| rng.below(4) > 0).collect();
    let nulls = NullBuffer::from(present);
    let mut i64s = |bits| (0..rows).map(|_| random_i64(rng, bits)).collect::<Vec<_>>();
    match &ty.kind {
        TypeKind::Null => Arc::new(NullArray::new(rows)),
        TypeKind::Boolean => Arc::new(BooleanArray::new((0..rows).map(|_| rng.below(2) == 0).collect(), Some(nulls))),
        TypeKind::TinyInt => Arc::new(Int8Array::new(i64s(8).iter().map(|v| *v as i8).collect(), Some(nulls))),
        TypeKind::SmallInt => Arc::new(Int16Array::new(i64s(16).iter().map(|v| *v as i16).collect(), Some(nulls))),
        TypeKind::Int | TypeKind::IntervalYearMonth => {
            Arc::new(Int32Array::new(i64s(32).iter().map(|v| *v as i32).collect(), Some(nulls)))
        }
        TypeKind::Date => Arc::new(Date32Array::new(i64s(32).iter().map(|v| *v as i32).collect(), Some(nulls))),
        TypeKind::Time(_) => {
            Arc::new(Time32MillisecondArray::new(i64s(32).iter().map(|v| *v as i32).collect(), Some(nulls)))
        }
        TypeKind::BigInt | TypeKind::IntervalDayTime => Arc::new(Int64Array::new(i64s(64).into(), Some(nulls))),
        TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. } => {
            let plain: ArrayRef = Arc::new(Int64Array::new(i64s(64).into(), Some(nulls)));
            cast(&plain, &ty.to_arrow()).expect("is an integer")
        }
        TypeKind::Float => {
            Arc::new(Float32Array::new((0..rows).map(|_| random_f64(rng) as f32).collect(), Some(nulls)))
        }
        TypeKind::Double => Arc::new(Float64Array::new((0..rows).map(|_| random_f64(rng)).collect(), Some(nulls))),
        TypeKind::Decimal { precision, .. } => {
            let bound = 10i128.pow(u32::from(*precision));
            let values = (0..rows).map(|_| {
                let wide = i128::from(random_i64(rng, 64)) << rng.below(60);
                wide % bound
            });
            let values = Decimal128Array::new(values.collect(), Some(nulls));
            Arc::new(values.with_data_type(ty.to_arrow()))
        }
        TypeKind::Char(_) | TypeKind::Varchar(_) => {
            Arc::new(StringViewArray::from_iter((0..rows).map(|i| nulls.is_valid(i).then(|| random_text(rng)))))
        }
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            Arc::new(BinaryViewArray::from_iter((0..rows).map(|i| nulls.is_valid(i).then(|| random_bytes(rng)))))
        }
        TypeKind::Row(fields) => {
            let columns = fields.iter().map(|f| random_array(rng, &f.ty, rows)).collect();
            let DataType::Struct(names) = ty.to_arrow() else { panic!("a row is a struct") };
            Arc::new(StructArray::try_new_with_length(names, columns, Some(nulls), rows).expect("is a row"))
        }
        TypeKind::Array(element) => random_list(rng, ty, rows, nulls, |rng, n| random_array(rng, element, n)),
        TypeKind::Map(key, value) => random_list(rng, ty, rows, nulls, |rng, n| entries(rng, ty, [key, value], n)),
        TypeKind::Multiset(element) => {
            let count = TypeKind::Int.not_null();
            random_list(rng, ty, rows, nulls, |rng, n| entries(rng, ty, [element, &count], n))
        }
    }
}

fn entries(rng: &mut Rng, ty: &LogicalType, types: [&LogicalType; 2], n: usize) -> ArrayRef {
    let DataType::List(element) = ty.to_arrow() else { panic!("a map is a list") };
    let DataType::Struct(names) = element.data_type().clone() else { panic!("of entries") };
    let columns = types.map(|ty| random_array(rng, ty, n)).to_vec();
    Arc::new(StructArray::new(names, columns, None))
}

fn random_list(
    rng: &mut Rng,
    ty: &LogicalType,
    rows: usize,
    nulls: NullBuffer,
    values: impl FnOnce(&mut Rng, usize) -> ArrayRef,
) -> ArrayRef {
    let lengths: Vec<usize> = (0..rows).map(|_| rng.below(4) as usize).collect();
    let values = values(rng, lengths.iter().sum());
    let DataType::List(element) = ty.to_arrow() else { panic!("a list") };
    Arc::new(ListArray::new(element, OffsetBuffer::from_lengths(lengths), values, Some(nulls)))
}

#[test]
fn rows_come_back_as_they_went_in() {
    for seed in 0..400 {
        let mut rng = Rng::seeded(seed);
        let types: Vec<_> = (0..rng.below(12)).map(|_| random_type(&mut rng, 2)).collect();
        let rows = rng.below(30) as usize;
        let arrays: Vec<_> = types.iter().map(|ty| random_array(&mut rng, ty, rows + 3).slice(2, rows)).collect();
        let codec = RowCodec::new(types.clone());
        let encoded = codec.encode(&arrays, rows).expect("encodes");
        assert_eq!(encoded.len(), rows);
        let decoded = codec.decode(encoded.iter()).expect("decodes");
        assert_eq!(decoded, arrays, "seed {seed}");
        // Keys come back but for what is made canonical.
        let codec = KeyCodec::new(types.clone());
        let keys = codec.encode(&arrays, rows).expect("encodes");
        let decoded = codec.decode(keys.iter()).expect("decodes");
        for ((ty, before), after) in types.iter().zip(&arrays).zip(&decoded) {
            assert!(holds_map(ty) || before == after, "seed {seed}: {ty}");
        }
        assert_eq!(codec.encode(&decoded, rows).expect("encodes"), keys, "seed {seed}");
    }
}

#[test]
fn keys_sort_like_values() {
    let mut compared = 0;
    for seed in 0..600 {
        let mut rng = Rng::seeded(seed);
        let ty = random_type(&mut rng, 2);
        let rows = 40;
        let array = random_array(&mut rng, &ty, rows);
        let keys = KeyCodec::new([ty.clone()]).encode(std::slice::from_ref(&array), rows).expect("encodes");
        let empty_row = |ty: &LogicalType| matches!(&ty.kind, TypeKind::Row(fields) if fields.is_empty());
        if holds_map(&ty) || empty_row(&ty) {
            continue;
        }
        let options = SortOptions { descending: false, nulls_first: true };
        let Ok(compare) = make_comparator(&array, &array, options) else { continue };
        for a in 0..rows {
            for b in 0..rows {
                assert_eq!(keys.get(a).cmp(keys.get(b)), compare(a, b), "seed {seed}: {ty}, rows {a} and {b}");
            }
        }
        compared += 1;
    }
    assert!(compared > 300, "{compared}");
}

#[test]
fn equal_keys_have_equal_bytes() {
    let double = KeyCodec::new([TypeKind::Double.nullable()]);
    let nan = f64::from_bits(0xfff8_0000_0000_0001);
    let array: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.0, nan, f64::NAN, f64::INFINITY]));
    let keys = double.encode(&[array], 5).expect("encodes");
    assert_eq!((keys.get(0), keys.get(2)), (keys.get(1), keys.get(3)));
    assert_eq!(keys.get(2).cmp(keys.get(4)), Ordering::Greater);
    // Rows keep what keys make equal.
    let row = RowCodec::new([TypeKind::Double.nullable()]);
    let array: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, nan]));
    let rows = row.encode(std::slice::from_ref(&array), 2).expect("encodes");
    assert_eq!(row.decode(rows.iter()).expect("decodes"), vec![array]);
    let ty = TypeKind::Map(Box::new(TypeKind::Int.nullable()), Box::new(TypeKind::Int.nullable())).nullable();
    let map = |entries: &[(i32, i32)]| -> ArrayRef {
        let DataType::List(element) = ty.to_arrow() else { panic!("a map is a list") };
        let DataType::Struct(names) = element.data_type().clone() else { panic!("of entries") };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(entries.iter().map(|e| e.0).collect::<Int32Array>()),
            Arc::new(entries.iter().map(|e| e.1).collect::<Int32Array>()),
        ];
        let values = Arc::new(StructArray::new(names, columns, None));
        Arc::new(ListArray::new(element, OffsetBuffer::from_lengths([entries.len()]), values, None))
    };
    let codec = KeyCodec::new([ty.clone()]);
    let encode = |entries: &[(i32, i32)]| codec.encode(&[map(entries)], 1).expect("encodes");
    assert_eq!(encode(&[(1, 2), (3, 4)]), encode(&[(3, 4), (1, 2)]));
    assert_ne!(encode(&[(1, 2), (3, 4)]), encode(&[(1, 2)]));
}

#[test]
fn damaged_bytes_are_refused_and_never_panic() {
    for seed in 0..300 {
        let mut rng = Rng::seeded(seed);
        let types: Vec<_> = (0..4).map(|_| random_type(&mut rng, 2)).collect();
        let arrays: Vec<_> = types.iter().map(|ty| random_array(&mut rng, ty, 3)).collect();
        let (keys, rows) = (KeyCodec::new(types.clone()), RowCodec::new(types));
        for encoded in [keys.encode(&arrays, 3).expect("encodes"), rows.encode(&arrays, 3).expect("encodes")] {
            for _ in 0..60 {
                let mut bytes = encoded.get(rng.below(3) as usize).to_vec();
                match rng.below(3) {
                    0 => bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize),
                    1 => bytes.push(rng.next_u64() as u8),
                    _ if bytes.is_empty() => {}
                    _ => {
                        let at = rng.below(bytes.len() as u64) as usize;
                        bytes[at] = rng.next_u64() as u8;
                    }
                }
                // Either an error or some row; the caller's checksum tells them apart.
                for decoded in [keys.decode([bytes.as_slice()]), rows.decode([bytes.as_slice()])] {
                    match decoded {
                        Ok(columns) => assert!(columns.iter().all(|c| c.len() == 1)),
                        Err(error) => assert_eq!(error.code(), Code::Corrupt),
                    }
                }
            }
        }
    }
}

/// What is at rest must mean the same for ever.
#[test]
fn the_bytes_are_the_documented_ones() {
    let types = [
        TypeKind::Int.nullable(),
        TypeKind::STRING.nullable(),
        TypeKind::Double.nullable(),
        TypeKind::Decimal { precision: 10, scale: 2 }.nullable(),
        TypeKind::Array(Box::new(TypeKind::SmallInt.nullable())).nullable(),
        TypeKind::Boolean.nullable(),
    ];
    let DataType::List(element) = types[4].to_arrow() else { panic!("a list") };
    let numbers = Arc::new(Int16Array::from(vec![Some(1), None, Some(-300)]));
    let decimals = Decimal128Array::from(vec![Some(1234), None]).with_data_type(types[3].to_arrow());
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![Some(5), None])),
        Arc::new(StringViewArray::from(vec![Some("a\0b"), Some("")])),
        Arc::new(Float64Array::from(vec![Some(1.5), Some(-1.5)])),
        Arc::new(decimals),
        Arc::new(ListArray::new(element, OffsetBuffer::from_lengths([3, 0]), numbers, None)),
        Arc::new(BooleanArray::from(vec![Some(true), None])),
    ];
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let keys = KeyCodec::new(types.clone()).encode(&arrays, 2).expect("encodes");
    assert_eq!(
        [hex(keys.get(0)), hex(keys.get(1))],
        [
            "0180000005016100ff62000101bff80000000000000180000000000004d20101018001010001017ed4000101".to_string(),
            "00010001014007ffffffffffff00010000".to_string()
        ]
    );
    let rows = RowCodec::new(types).encode(&arrays, 2).expect("encodes");
    assert_eq!(
        [hex(rows.get(0)), hex(rows.get(1))],
        ["3f0a03610062000000000000f83fa4130301020001d70401".to_string(), "1600000000000000f8bf00".to_string()]
    );
    assert_eq!(ROW_FORMAT_VERSION, 1);
}
