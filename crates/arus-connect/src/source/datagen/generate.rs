//! One generator a field, by its type and options; defaults as Flink's.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, ListArray, NullArray, StringViewBuilder, StructArray, Time32MillisecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field as ArrowField, Fields, TimeUnit};
use arus_core::change::arrow_bug;
use arus_core::error::Code;
use arus_core::rng::Rng;
use arus_core::text::Zone;
use arus_core::types::{ELEMENT, MAP_KEY, MAP_VALUE, MAX_LENGTH, timestamp_unit, units_per_ms};
use arus_core::{Error, LogicalType, Result, TypeKind};

use crate::options::Options;

const TEXT_LENGTH: u64 = 100;
const COLLECTION_LENGTH: u64 = 3;
/// Elements of nested collections share the numbers of their row: this many at most.
const LENGTH_LIMIT: u64 = 1 << 20;
const DAY_MS: i64 = 86_400_000;

/// Rows to generate.
pub(super) struct Rows<'a> {
    pub(super) ids: Vec<u64>,
    /// When each row is due.
    pub(super) due_ms: Vec<i64>,
    pub(super) zone: &'a Zone,
}

pub(super) enum Generator {
    Null,
    Boolean,
    /// Integers and intervals: uniform in min..=max.
    Integer {
        min: i64,
        max: i64,
    },
    /// Uniform in min..max.
    Float {
        min: f64,
        max: f64,
    },
    Text {
        length: u64,
        vary: bool,
    },
    /// Milliseconds before the row's time.
    Past {
        max_ms: u64,
    },
    Now,
    Sequence {
        start: i64,
    },
    List {
        length: u64,
        element: Box<Field>,
    },
    /// MAP, and MULTISET with counts of 0 to 9.
    Map {
        length: u64,
        key: Box<Field>,
        value: Box<Field>,
    },
    Row(Vec<(String, Field)>),
}

pub(super) struct Field {
    ty: LogicalType,
    generator: Generator,
    null_rate: f64,
    seed: u64,
    /// A sequence ends after as many.
    rows: Option<u64>,
}

impl Field {
    pub(super) fn top(options: &Options<'_>, name: &str, ty: &LogicalType, seed: u64) -> Result<Self> {
        let kind = options.text(&format!("fields.{name}.kind")).unwrap_or("random");
        match kind.trim().to_ascii_lowercase().as_str() {
            "random" => Self::random(options, name, ty, seed),
            "sequence" => Self::sequence(options, name, ty, seed),
            _ => Err(options.wrong(&format!("fields.{name}.kind"), "random or sequence", kind)),
        }
    }

    fn new(ty: &LogicalType, generator: Generator, name: &str, seed: u64) -> Self {
        // Fields of one table draw from streams of their own.
        let seed = name.bytes().fold(seed, |h, b| Rng::seeded(h ^ u64::from(b)).next_u64());
        Field { ty: ty.clone(), generator, null_rate: 0.0, seed, rows: None }
    }

    fn sequence(options: &Options<'_>, name: &str, ty: &LogicalType, seed: u64) -> Result<Self> {
        let bound = |what: &str| -> Result<i64> {
            let option = format!("fields.{name}.{what}");
            let text = options.required(&option)?;
            text.trim().parse().map_err(|_| options.wrong(&option, "an integer", text))
        };
        let (start, end) = (bound("start")?, bound("end")?);
        if end < start {
            return Err(options.wrong(&format!("fields.{name}.end"), format!("at least {start}"), &end.to_string()));
        }
        if !(ty.kind.is_numeric() || ty.kind.is_string()) {
            return Err(Error::user(format!("datagen: field '{name}': a sequence of {ty} cannot be generated"))
                .with_code(Code::TypeMismatch)
                .with_hint("sequences are numbers or strings"));
        }
        let mut field = Self::new(ty, Generator::Sequence { start }, name, seed);
        field.rows = Some(end.abs_diff(start).saturating_add(1));
        Ok(field)
    }

    fn random(options: &Options<'_>, name: &str, ty: &LogicalType, seed: u64) -> Result<Self> {
        let option = |what: &str| format!("fields.{name}.{what}");
        let child =
            |part: &str, ty: &LogicalType| Self::random(options, &format!("{name}.{part}"), ty, seed).map(Box::new);
        let generator = match &ty.kind {
            TypeKind::Null => Generator::Null,
            TypeKind::Boolean => Generator::Boolean,
            TypeKind::TinyInt => integers(options, name, i8::MIN.into(), i8::MAX.into())?,
            TypeKind::SmallInt => integers(options, name, i16::MIN.into(), i16::MAX.into())?,
            TypeKind::Int => integers(options, name, i32::MIN.into(), i32::MAX.into())?,
            TypeKind::BigInt | TypeKind::IntervalDayTime => integers(options, name, i64::MIN, i64::MAX)?,
            TypeKind::IntervalYearMonth => integers(options, name, 0, 120_000)?,
            TypeKind::Float => floats(options, name, f64::from(f32::from_bits(1)), f64::from(f32::MAX))?,
            TypeKind::Double => floats(options, name, f64::from_bits(1), f64::MAX)?,
            TypeKind::Decimal { precision, scale } => {
                let bound = 10f64.powi(i32::from(*precision) - i32::from(*scale));
                match floats(options, name, f64::from_bits(1), f64::MAX)? {
                    Generator::Float { min, max } => Generator::Float { min: min.max(-bound), max: max.min(bound) },
                    other => other,
                }
            }
            TypeKind::Char(n) | TypeKind::Binary(n) => {
                if let Some(text) = options.text(&option("length")) {
                    return Err(options.wrong(&option("length"), format!("no length, {ty} has its own"), text));
                }
                Generator::Text { length: u64::from(*n), vary: false }
            }
            TypeKind::Varchar(n) | TypeKind::Varbinary(n) => {
                let default = if *n == MAX_LENGTH { TEXT_LENGTH } else { u64::from(*n) };
                let length = length(options, &option("length"), default, u64::from(*n))?;
                Generator::Text { length, vary: options.flag(&option("var-len"))? }
            }
            TypeKind::Date | TypeKind::Time(_) => Generator::Now,
            TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. } => {
                Generator::Past { max_ms: options.duration_ms(&option("max-past"))?.unwrap_or(0).max(0) as u64 }
            }
            TypeKind::Array(element) => Generator::List {
                length: length(options, &option("length"), COLLECTION_LENGTH, LENGTH_LIMIT)?,
                element: child("element", element)?,
            },
            TypeKind::Multiset(element) => Generator::Map {
                length: length(options, &option("length"), COLLECTION_LENGTH, LENGTH_LIMIT)?,
                key: child("element", element)?,
                value: Box::new(Self::new(
                    &TypeKind::Int.nullable(),
                    Generator::Integer { min: 0, max: 9 },
                    name,
                    seed,
                )),
            },
            TypeKind::Map(key, value) => Generator::Map {
                length: length(options, &option("length"), COLLECTION_LENGTH, LENGTH_LIMIT)?,
                key: child("key", key)?,
                value: child("value", value)?,
            },
            TypeKind::Row(fields) => Generator::Row(
                fields.iter().map(|f| Ok((f.name.clone(), *child(&f.name, &f.ty)?))).collect::<Result<_>>()?,
            ),
        };
        let mut field = Self::new(ty, generator, name, seed);
        if let Some(text) = options.text(&option("null-rate")) {
            let rate = text.trim().parse::<f64>().ok().filter(|r| (0.0..=1.0).contains(r));
            field.null_rate = rate.ok_or_else(|| options.wrong(&option("null-rate"), "a number from 0 to 1", text))?;
        }
        Ok(field)
    }

    pub(super) fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// The random stream of one value.
    fn rng(&self, id: u64) -> Rng {
        let mixed = Rng::seeded(self.seed ^ id.wrapping_mul(0xD6E8_FEB8_6659_FD93)).next_u64();
        Rng::seeded(mixed)
    }

    pub(super) fn array(&self, rows: &Rows<'_>) -> Result<ArrayRef> {
        let nulls = (self.null_rate > 0.0).then(|| {
            // A stream apart, so that the rate does not change the values.
            rows.ids.iter().map(|id| self.rng(id ^ (1 << 63)).unit_f64() >= self.null_rate).collect::<NullBuffer>()
        });
        let valid = |i: usize| nulls.as_ref().is_none_or(|n| n.is_valid(i));
        let integers = || self.integers(rows).enumerate().map(|(i, v)| valid(i).then_some(v));
        let floats = || self.floats(rows).enumerate().map(|(i, v)| valid(i).then_some(v));
        Ok(match &self.ty.kind {
            TypeKind::Null => Arc::new(NullArray::new(rows.ids.len())),
            TypeKind::Boolean => Arc::new(integers().map(|v| v.map(|v| v & 1 == 1)).collect::<BooleanArray>()),
            TypeKind::TinyInt => Arc::new(integers().map(|v| v.map(|v| v as i8)).collect::<Int8Array>()),
            TypeKind::SmallInt => Arc::new(integers().map(|v| v.map(|v| v as i16)).collect::<Int16Array>()),
            TypeKind::Int | TypeKind::IntervalYearMonth => {
                Arc::new(integers().map(|v| v.map(|v| v as i32)).collect::<Int32Array>())
            }
            TypeKind::BigInt | TypeKind::IntervalDayTime => Arc::new(integers().collect::<Int64Array>()),
            TypeKind::Float => Arc::new(floats().map(|v| v.map(|v| v as f32)).collect::<Float32Array>()),
            TypeKind::Double => Arc::new(floats().collect::<Float64Array>()),
            TypeKind::Decimal { precision, scale } => {
                let unit = 10f64.powi(i32::from(*scale));
                let most = 10i128.pow(u32::from(*precision)) - 1;
                let values = floats().map(|v| v.map(|v| ((v * unit).round() as i128).clamp(-most, most)));
                let array: Decimal128Array = values.collect();
                Arc::new(array.with_data_type(DataType::Decimal128(*precision, *scale as i8)))
            }
            TypeKind::Char(_) | TypeKind::Varchar(_) => {
                let mut builder = StringViewBuilder::with_capacity(rows.ids.len());
                (0..rows.ids.len()).for_each(|i| builder.append_option(valid(i).then(|| self.string(rows.ids[i]))));
                Arc::new(builder.finish())
            }
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
                let mut builder = BinaryViewBuilder::with_capacity(rows.ids.len());
                (0..rows.ids.len()).for_each(|i| builder.append_option(valid(i).then(|| self.bytes(rows.ids[i]))));
                Arc::new(builder.finish())
            }
            TypeKind::Date => {
                let days = integers().map(|v| v.map(|ms| ms.div_euclid(DAY_MS) as i32));
                Arc::new(days.collect::<Date32Array>())
            }
            TypeKind::Time(_) => {
                let ms = integers().map(|v| v.map(|ms| ms.rem_euclid(DAY_MS) as i32));
                Arc::new(ms.collect::<Time32MillisecondArray>())
            }
            TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
                let zone = matches!(self.ty.kind, TypeKind::TimestampLtz { .. }).then(|| Arc::from("UTC"));
                let values = integers().map(|v| v.map(|ms| ms.saturating_mul(units_per_ms(*precision))));
                match timestamp_unit(*precision) {
                    TimeUnit::Millisecond => {
                        Arc::new(values.collect::<TimestampMillisecondArray>().with_timezone_opt::<Arc<str>>(zone))
                    }
                    TimeUnit::Microsecond => {
                        Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone_opt::<Arc<str>>(zone))
                    }
                    _ => Arc::new(values.collect::<TimestampNanosecondArray>().with_timezone_opt::<Arc<str>>(zone)),
                }
            }
            TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) => self.list(rows, nulls)?,
            TypeKind::Row(_) => self.row(rows, nulls)?,
        })
    }

    /// Numbers, and milliseconds of times.
    fn integers<'r>(&'r self, rows: &'r Rows<'_>) -> Box<dyn Iterator<Item = i64> + 'r> {
        let ids = rows.ids.iter().copied();
        match &self.generator {
            Generator::Integer { min, max } => {
                let (min, span) = (*min, max.wrapping_sub(*min) as u64);
                Box::new(ids.map(move |id| {
                    let mut rng = self.rng(id);
                    let step = if span == u64::MAX { rng.next_u64() } else { rng.below(span + 1) };
                    min.wrapping_add(step as i64)
                }))
            }
            Generator::Sequence { start } => Box::new(ids.map(move |id| start.wrapping_add(id as i64))),
            Generator::Past { max_ms } => Box::new(
                ids.zip(&rows.due_ms)
                    .map(move |(id, due_ms)| due_ms - self.rng(id).below(max_ms.saturating_add(1).max(1)) as i64),
            ),
            Generator::Now => Box::new(rows.due_ms.iter().map(move |ms| rows.zone.to_local(*ms, 1).unwrap_or(*ms))),
            _ => Box::new(ids.map(move |id| self.rng(id).next_u64() as i64)),
        }
    }

    fn floats<'r>(&'r self, rows: &'r Rows<'_>) -> Box<dyn Iterator<Item = f64> + 'r> {
        let ids = rows.ids.iter().copied();
        match &self.generator {
            Generator::Float { min, max } => Box::new(ids.map(move |id| {
                let share = self.rng(id).unit_f64();
                min * (1.0 - share) + max * share
            })),
            _ => Box::new(self.integers(rows).map(|v| v as f64)),
        }
    }

    /// Hexadecimal digits, as Flink's; a sequence is its number.
    fn string(&self, id: u64) -> String {
        if let Generator::Sequence { start } = &self.generator {
            return start.wrapping_add(id as i64).to_string();
        }
        let (mut rng, length) = self.length(id);
        let mut out = String::with_capacity(length);
        while out.len() < length {
            let word = rng.next_u64();
            for nibble in 0..16.min(length - out.len()) {
                let digit = (word >> (4 * nibble)) as u32 & 15;
                out.push(char::from_digit(digit, 16).expect("below 16"));
            }
        }
        out
    }

    fn bytes(&self, id: u64) -> Vec<u8> {
        let (mut rng, length) = self.length(id);
        (0..length).map(|_| rng.next_u64() as u8).collect()
    }

    fn length(&self, id: u64) -> (Rng, usize) {
        let mut rng = self.rng(id);
        let length = match self.generator {
            Generator::Text { length, vary: true } if length > 0 => 1 + rng.below(length),
            Generator::Text { length, .. } => length,
            _ => 0,
        };
        (rng, length as usize)
    }

    fn list(&self, rows: &Rows<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let length = match &self.generator {
            Generator::List { length, .. } | Generator::Map { length, .. } => *length,
            _ => 0,
        };
        let elements = Rows {
            ids: rows.ids.iter().flat_map(|id| (0..length).map(move |i| id.wrapping_mul(LENGTH_LIMIT) + i)).collect(),
            due_ms: rows.due_ms.iter().flat_map(|ms| (0..length).map(move |_| *ms)).collect(),
            zone: rows.zone,
        };
        let element: ArrayRef = match &self.generator {
            Generator::Map { key, value, .. } => {
                let (keys, values) = (key.array(&elements)?, value.array(&elements)?);
                let fields = Fields::from(vec![
                    ArrowField::new(MAP_KEY, keys.data_type().clone(), true),
                    ArrowField::new(MAP_VALUE, values.data_type().clone(), true),
                ]);
                Arc::new(StructArray::try_new(fields, vec![keys, values], None).map_err(arrow_bug)?)
            }
            Generator::List { element, .. } => element.array(&elements)?,
            _ => return Err(Error::bug("datagen: a list without a generator of elements")),
        };
        let ends: Vec<i32> = (0..=rows.ids.len()).map(|i| (i as u64 * length) as i32).collect();
        let field = Arc::new(ArrowField::new(ELEMENT, element.data_type().clone(), true));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
        Ok(Arc::new(ListArray::try_new(field, offsets, element, nulls).map_err(arrow_bug)?))
    }

    fn row(&self, rows: &Rows<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let Generator::Row(fields) = &self.generator else {
            return Err(Error::bug("datagen: a row without generators of fields"));
        };
        let arrays = fields.iter().map(|(_, f)| f.array(rows)).collect::<Result<Vec<_>>>()?;
        if arrays.is_empty() {
            return Ok(Arc::new(StructArray::new_empty_fields(rows.ids.len(), nulls)));
        }
        let schema: Fields = fields
            .iter()
            .zip(&arrays)
            .map(|((name, _), array)| ArrowField::new(name, array.data_type().clone(), true))
            .collect();
        Ok(Arc::new(StructArray::try_new(schema, arrays, nulls).map_err(arrow_bug)?))
    }
}

fn integers(options: &Options<'_>, name: &str, least: i64, most: i64) -> Result<Generator> {
    let bound = |what: &str, default: i64| -> Result<i64> {
        let option = format!("fields.{name}.{what}");
        let Some(text) = options.text(&option) else { return Ok(default) };
        let value = text.trim().parse::<i64>().ok().filter(|v| (least..=most).contains(v));
        value.ok_or_else(|| options.wrong(&option, format!("an integer from {least} to {most}"), text))
    };
    let (min, max) = (bound("min", least)?, bound("max", most)?);
    if max < min {
        return Err(options.wrong(&format!("fields.{name}.max"), format!("at least {min}"), &max.to_string()));
    }
    Ok(Generator::Integer { min, max })
}

fn floats(options: &Options<'_>, name: &str, least: f64, most: f64) -> Result<Generator> {
    let bound = |what: &str, default: f64| -> Result<f64> {
        let option = format!("fields.{name}.{what}");
        let Some(text) = options.text(&option) else { return Ok(default) };
        text.trim()
            .parse::<f64>()
            .ok()
            .filter(|v| v.is_finite())
            .ok_or_else(|| options.wrong(&option, "a number", text))
    };
    let (min, max) = (bound("min", least)?, bound("max", most)?);
    if max < min {
        return Err(options.wrong(&format!("fields.{name}.max"), format!("at least {min}"), &max.to_string()));
    }
    Ok(Generator::Float { min, max })
}

fn length(options: &Options<'_>, option: &str, default: u64, most: u64) -> Result<u64> {
    let most = most.min(LENGTH_LIMIT);
    let Some(text) = options.text(option) else { return Ok(default.min(most)) };
    let value = text.trim().parse::<u64>().ok().filter(|v| *v <= most);
    value.ok_or_else(|| options.wrong(option, format!("an integer from 0 to {most}"), text))
}
