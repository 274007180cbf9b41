//! Series with more points than a panel has pixels: of each span of time, as wide as a pixel or a few, the lowest and the highest
//! row of each series stay, so that no spike is lost.
//!
//! A moment stays with the rows of all series or not at all: lines that are drawn on each other need every one of them.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use arus_core::limits::PANEL_POINTS;
use serde::Deserialize;
use serde_json::{Value, json};

/// A distance of this many usual steps is a gap: the console draws no line across it.
const GAP_STEPS: f64 = 2.6;
/// However many series there are, each has so many spans.
const SPANS_MIN: usize = 16;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Thin {
    /// The column of time.
    x: String,
    y: String,
    series: Option<String>,
    /// Pixels.
    points: usize,
    /// The series are drawn on each other: their sum has extremes as well.
    #[serde(default)]
    stacked: bool,
}

pub(super) struct Thinned {
    /// What stays, in its order.
    pub(super) rows: Vec<u32>,
    whole: usize,
    /// The usual distance of two moments of the whole series, and where nothing was for longer.
    step_ms: i64,
    gaps: Vec<(i64, i64)>,
}

impl Thinned {
    pub(super) fn told(&self) -> Value {
        json!({"rows": self.whole, "step_ms": self.step_ms, "gaps": self.gaps})
    }
}

#[derive(Clone, Copy)]
struct Extremes {
    low: (f64, u32),
    high: (f64, u32),
}

const NOTHING: Extremes = Extremes { low: (f64::INFINITY, u32::MAX), high: (f64::NEG_INFINITY, u32::MAX) };

impl Extremes {
    fn note(&mut self, value: f64, moment: u32) {
        if value < self.low.0 {
            self.low = (value, moment);
        }
        if value > self.high.0 {
            self.high = (value, moment);
        }
    }
}

/// `None`: there is nothing to thin, or the columns are not those of a series over time.
pub(super) fn thin(batch: &RecordBatch, how: &Thin) -> Option<Thinned> {
    let points = how.points.clamp(SPANS_MIN, PANEL_POINTS);
    if batch.num_rows() <= 2 * points {
        return None;
    }
    let xs = times(batch.column_by_name(&how.x)?)?;
    let ys = numbers(batch.column_by_name(&how.y)?)?;
    let moments = distinct(&xs);
    if moments.len() <= 2 * points {
        return None;
    }
    let (of, count) = match &how.series {
        Some(name) => groups(batch.column_by_name(name)?)?,
        None => (vec![0; batch.num_rows()], 1),
    };
    let at: Vec<Option<u32>> = xs.iter().map(|x| Some(moments.binary_search(&(*x)?).ok()? as u32)).collect();
    let lines = count + usize::from(how.stacked);
    let spans = (points / lines).max(SPANS_MIN);
    let first = *moments.first()?;
    let width = (moments.last()? - first + 1) as f64;
    let span = |moment: u32| ((moments[moment as usize] - first) as f64 / width * spans as f64) as usize;

    let mut extremes = vec![NOTHING; lines * spans];
    let mut ends: Vec<Option<(u32, u32)>> = vec![None; count];
    let mut sums = vec![0.0; if how.stacked { moments.len() } else { 0 }];
    for row in 0..batch.num_rows() {
        let (Some(moment), Some(y)) = (at[row], ys.is_valid(row).then(|| ys.value(row)).filter(|y| !y.is_nan())) else {
            continue;
        };
        extremes[of[row] * spans + span(moment)].note(y, moment);
        let (from, to) = ends[of[row]].unwrap_or((moment, moment));
        ends[of[row]] = Some((from.min(moment), to.max(moment)));
        if let Some(sum) = sums.get_mut(moment as usize) {
            *sum += y;
        }
    }
    for (moment, sum) in sums.iter().enumerate() {
        let moment = moment as u32;
        extremes[count * spans + span(moment)].note(*sum, moment);
    }

    let mut stays = vec![false; moments.len()];
    let mut stay = |moment: u32| {
        if let Some(stays) = stays.get_mut(moment as usize) {
            *stays = true;
        }
    };
    for found in &extremes {
        stay(found.low.1);
        stay(found.high.1);
    }
    for (from, to) in ends.iter().flatten() {
        stay(*from);
        stay(*to);
    }
    let (step_ms, mut holes) = gaps(&moments);
    // Where most of it are gaps, none of them says anything.
    if holes.len() > points / 4 {
        holes.clear();
    }
    for before in &holes {
        stay(*before as u32);
        stay(*before as u32 + 1);
    }
    let last = batch.num_rows() - 1;
    let kept = |row: &usize| *row == last || at[*row].is_some_and(|moment| stays[moment as usize]);
    Some(Thinned {
        rows: (0..batch.num_rows()).filter(kept).map(|row| row as u32).collect(),
        whole: batch.num_rows(),
        step_ms,
        gaps: holes.iter().map(|before| (moments[*before], moments[before + 1])).collect(),
    })
}

/// In milliseconds, as the console reads them.
fn times(column: &ArrayRef) -> Option<Vec<Option<i64>>> {
    let zone = match column.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        DataType::Date32 => None,
        _ => return None,
    };
    let column = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, zone)).ok()?;
    Some(column.as_primitive::<TimestampMillisecondType>().iter().collect())
}

fn numbers(column: &ArrayRef) -> Option<Float64Array> {
    if !column.data_type().is_numeric() {
        return None;
    }
    Some(cast(column, &DataType::Float64).ok()?.as_primitive().clone())
}

/// The number of each row's series, and how many there are.
fn groups(column: &ArrayRef) -> Option<(Vec<usize>, usize)> {
    let column = cast(column, &DataType::Utf8View).ok()?;
    let mut known: HashMap<Option<&str>, usize> = HashMap::new();
    let of = column.as_string_view().iter().map(|name| {
        let next = known.len();
        *known.entry(name).or_insert(next)
    });
    let of: Vec<usize> = of.collect();
    Some((of, known.len()))
}

fn distinct(xs: &[Option<i64>]) -> Vec<i64> {
    let mut moments: Vec<i64> = xs.iter().flatten().copied().collect();
    if !moments.is_sorted() {
        moments.sort_unstable();
    }
    moments.dedup();
    moments
}

/// The usual step, and the moments behind which there is a gap.
fn gaps(moments: &[i64]) -> (i64, Vec<usize>) {
    let mut steps: Vec<i64> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let half = steps.len() / 2;
    let (_, usual, _) = steps.select_nth_unstable(half);
    let usual = *usual;
    let wide = |i: &usize| (moments[i + 1] - moments[*i]) as f64 > usual as f64 * GAP_STEPS;
    (usual, (0..moments.len() - 1).filter(wide).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{StringArray, TimestampMillisecondArray};
    use arus_core::rng::Rng;

    use super::*;

    /// A second's step, two series, a gap, some values missing.
    fn walk(seed: u64, moments: i64) -> RecordBatch {
        let mut rng = Rng::seeded(seed);
        let (mut xs, mut ys, mut names) = (vec![], vec![], vec![]);
        for moment in (0..moments).filter(|m| !(4_000..4_100).contains(m)) {
            for name in ["a", "b"] {
                xs.push(1_700_000_000_000 + moment * 1_000);
                let spike = if rng.below(2_000) == 0 { 1_000.0 } else { 1.0 };
                ys.push((rng.below(50) > 0).then(|| (rng.below(1_000) as f64 - 500.0) * spike));
                names.push(name);
            }
        }
        RecordBatch::try_from_iter([
            ("ts", Arc::new(TimestampMillisecondArray::from(xs)) as ArrayRef),
            ("n", Arc::new(Float64Array::from(ys)) as ArrayRef),
            ("name", Arc::new(StringArray::from(names)) as ArrayRef),
        ])
        .expect("columns of a length")
    }

    fn how(points: usize, stacked: bool) -> Thin {
        Thin { x: "ts".into(), y: "n".into(), series: Some("name".into()), points, stacked }
    }

    /// Lowest and highest of each series in each tenth of the time, and of their sums.
    fn shape(batch: &RecordBatch, rows: impl Iterator<Item = usize>) -> Vec<(f64, f64)> {
        let xs = times(batch.column(0)).expect("times");
        let ys = numbers(batch.column(1)).expect("numbers");
        let names = batch.column(2).as_string::<i32>();
        let (from, to) = (xs[0].expect("a time"), xs[xs.len() - 1].expect("a time") + 1);
        let mut found = vec![NOTHING; 30];
        let mut sums: std::collections::BTreeMap<i64, f64> = Default::default();
        let tenth = |x: i64| ((x - from) as f64 / (to - from) as f64 * 10.0) as usize;
        for row in rows {
            let (x, y) = (xs[row].expect("a time"), ys.value(row));
            if ys.is_valid(row) {
                found[usize::from(names.value(row) == "b") * 10 + tenth(x)].note(y, 0);
                *sums.entry(x).or_default() += y;
            }
        }
        for (x, sum) in sums {
            found[20 + tenth(x)].note(sum, 0);
        }
        found.iter().map(|f| (f.low.0, f.high.0)).collect()
    }

    #[test]
    fn the_extremes_stay() {
        for seed in 0..20 {
            let batch = walk(seed, 20_000);
            // Tenths begin where spans do.
            for points in [300, 600] {
                let thinned = thin(&batch, &how(points, true)).expect("it is too long");
                let kept = thinned.rows.iter().map(|row| *row as usize);
                let (now, whole) = (shape(&batch, kept), shape(&batch, 0..batch.num_rows()));
                assert_eq!(now, whole, "seed {seed}, {points} points");
                // Both series of a moment; two moments a span, and the edges.
                assert!(thinned.rows.len() <= 2 * (2 * points + 8), "{} rows for {points}", thinned.rows.len());
                assert_eq!((thinned.step_ms, thinned.gaps.len()), (1_000, 1));
                assert_eq!(thinned.gaps[0].1 - thinned.gaps[0].0, 101_000);
                assert_eq!(thinned.rows.last(), Some(&(batch.num_rows() as u32 - 1)));
                assert!(thinned.rows.is_sorted());
            }
        }
    }

    #[test]
    fn what_fits_stays_whole() {
        let batch = walk(1, 1_000);
        assert!(thin(&batch, &how(500, false)).is_none(), "each moment has its half pixel");
        assert!(thin(&batch, &how(100, false)).is_some());
        let no_time = Thin { x: "name".into(), ..how(100, false) };
        assert!(thin(&batch, &no_time).is_none());
        let no_column = Thin { y: "gone".into(), ..how(100, false) };
        assert!(thin(&batch, &no_column).is_none());
        let one_line = Thin { series: None, ..how(100, false) };
        assert!(thin(&batch, &one_line).is_some_and(|t| t.rows.len() < 500));
    }
}
