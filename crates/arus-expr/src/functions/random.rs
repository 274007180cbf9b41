//! RAND, RAND_INTEGER and UUID. With a literal seed the numbers are those of `java.util.Random`, one a row; with a seed
//! that changes from row to row each row begins anew. Without a seed they come from the batch's own seed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::{DataType, Float64Type, Int32Type};
use arus_core::expr::Expr;
use arus_core::function::Argument;
use arus_core::rng::Rng;
use arus_core::{Error, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, coerced, fallible, is_small_integer, safe};
use crate::value::{Cx, Numbers, numbers, strings};

pub(super) const FUNCTIONS: &[Function] = &[
    random(&["RAND"], "RAND(), RAND(<INTEGER>)", |args| integers(args, 0, TypeKind::Double), compile_rand),
    random(
        &["RAND_INTEGER"],
        "RAND_INTEGER(<INTEGER>), RAND_INTEGER(<INTEGER>, <INTEGER>)",
        |args| integers(args, 1, TypeKind::Int),
        compile_rand_integer,
    ),
    random(&["UUID"], "UUID()", |args| none(args, TypeKind::Char(36)), compile_uuid),
];

const fn random(
    names: &'static [&'static str],
    signature: &'static str,
    resolve: fn(&[Argument]) -> Option<Call>,
    compile: fn(&CompileCall<'_>) -> Result<Compiled>,
) -> Function {
    Function { deterministic: false, ..Function::new(names, signature, resolve, compile) }
}

fn per_row(compiled: Compiled) -> Compiled {
    Compiled { per_row: true, ..compiled }
}

fn none(args: &[Argument], result: TypeKind) -> Option<Call> {
    if args.is_empty() { coerced(args, vec![], result) } else { None }
}

fn integers(args: &[Argument], least: usize, result: TypeKind) -> Option<Call> {
    let right = (least..=least + 1).contains(&args.len()) && args.iter().all(|a| is_small_integer(&a.ty.kind));
    if right { coerced(args, vec![TypeKind::Int; args.len()], result) } else { None }
}

/// Each call in a plan has numbers of its own.
fn call_id() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed)
}

fn batch_rng(call: u64, cx: &Cx<'_>) -> Rng {
    Rng::seeded(cx.eval.seed ^ call.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// The generator of `java.util.Random`.
#[derive(Debug, Clone)]
pub(crate) struct JavaRandom(i64);

impl JavaRandom {
    const MASK: i64 = (1 << 48) - 1;

    pub(crate) fn new(seed: i64) -> Self {
        JavaRandom((seed ^ 0x5_DEEC_E66D) & Self::MASK)
    }

    fn bits(&mut self, count: u32) -> i32 {
        self.0 = self.0.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & Self::MASK;
        (self.0 >> (48 - count)) as i32
    }

    pub(crate) fn next_double(&mut self) -> f64 {
        let high = i64::from(self.bits(26)) << 27;
        (high + i64::from(self.bits(27))) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `0..bound`; `bound` is positive.
    pub(crate) fn next_int(&mut self, bound: i32) -> i32 {
        let mut bits = self.bits(31);
        if bound & bound.wrapping_sub(1) == 0 {
            return ((i64::from(bound) * i64::from(bits)) >> 31) as i32;
        }
        loop {
            let value = bits % bound;
            if bits.wrapping_sub(value).wrapping_add(bound - 1) >= 0 {
                return value;
            }
            bits = self.bits(31);
        }
    }
}

/// Where the numbers of a call come from.
enum Source {
    Batch(u64),
    /// One generator for all rows.
    Seeded(Mutex<JavaRandom>),
    PerRow,
}

impl Source {
    fn of(call: &CompileCall<'_>, seeded: bool) -> Source {
        match call.args.first() {
            Some(Expr::Literal { value: arus_core::Datum::Int(seed), .. }) if seeded => {
                Source::Seeded(Mutex::new(JavaRandom::new(i64::from(*seed))))
            }
            Some(_) if seeded => Source::PerRow,
            _ => Source::Batch(call_id()),
        }
    }
}

fn poisoned<T>(_: T) -> Error {
    Error::bug("the random generator is poisoned")
}

fn compile_rand(call: &CompileCall<'_>) -> Result<Compiled> {
    let source = Source::of(call, call.args.len() == 1);
    safe(move |args, cx| {
        let doubles = |f: &mut dyn FnMut(usize) -> Option<f64>| numbers::<Float64Type>(cx.rows, &DataType::Float64, f);
        Ok(match &source {
            Source::Batch(id) => {
                let mut rng = batch_rng(*id, cx);
                doubles(&mut |_| Some(rng.unit_f64()))
            }
            Source::Seeded(random) => {
                let mut random = random.lock().map_err(poisoned)?;
                doubles(&mut |_| Some(random.next_double()))
            }
            Source::PerRow => {
                let seeds = Numbers::<Int32Type>::of(&args[0])?;
                doubles(&mut |row| Some(JavaRandom::new(i64::from(seeds.get(row)?)).next_double()))
            }
        })
    })
    .map(per_row)
}

fn compile_rand_integer(call: &CompileCall<'_>) -> Result<Compiled> {
    let source = Source::of(call, call.args.len() == 2);
    fallible(move |args, cx| {
        let bounds = Numbers::<Int32Type>::of(&args[args.len() - 1])?;
        let mut rng = match &source {
            Source::Batch(id) => Some(batch_rng(*id, cx)),
            _ => None,
        };
        let mut seeded = match &source {
            Source::Seeded(random) => Some(random.lock().map_err(poisoned)?),
            _ => None,
        };
        let seeds = if args.len() == 2 { Some(Numbers::<Int32Type>::of(&args[0])?) } else { None };
        Ok(numbers::<Int32Type>(cx.rows, &DataType::Int32, |row| {
            let bound = bounds.get(row)?;
            let seed = match &seeds {
                Some(seeds) => seeds.get(row)?,
                None => 0,
            };
            if bound <= 0 {
                cx.fail(row, "bound must be positive");
                return None;
            }
            Some(match (&mut rng, &mut seeded) {
                (Some(rng), _) => rng.below(bound as u64) as i32,
                (None, Some(random)) => random.next_int(bound),
                (None, None) => JavaRandom::new(i64::from(seed)).next_int(bound),
            })
        }))
    })
    .map(per_row)
}

/// A random UUID, version 4.
fn compile_uuid(_: &CompileCall<'_>) -> Result<Compiled> {
    let id = call_id();
    safe(move |_, cx| {
        let mut rng = batch_rng(id, cx);
        Ok(strings(cx.rows, |_, out| {
            let high = rng.next_u64() & !0xF000 | 0x4000;
            let low = rng.next_u64() >> 2 | 1 << 63;
            let text = format!("{high:016x}{low:016x}");
            for (from, to) in [(0, 8), (8, 12), (12, 16), (16, 20)] {
                out.push_str(&text[from..to]);
                out.push('-');
            }
            out.push_str(&text[20..]);
            Some(())
        }))
    })
    .map(per_row)
}
