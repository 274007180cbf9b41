//! Rates over the last ten seconds, from counters that only grow.

use std::collections::VecDeque;

/// How far back a rate looks.
const SPAN_MS: i64 = 10_000;
/// Samples at most: one each half second, and some.
const SAMPLES: usize = 24;

/// Samples of some counters that are read together.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    samples: VecDeque<(i64, Vec<u64>)>,
}

impl Rates {
    /// Notes the counters and returns each one's growth a second.
    pub(crate) fn sample(&mut self, now_ms: i64, counters: &[u64]) -> Vec<f64> {
        let due = self.samples.back().is_none_or(|(at, _)| now_ms - at >= 500);
        let rates = match self.samples.front() {
            Some((at, first)) if now_ms > *at => counters
                .iter()
                .enumerate()
                .map(|(i, n)| n.saturating_sub(first.get(i).copied().unwrap_or(0)) as f64 * 1e3 / (now_ms - at) as f64)
                .collect(),
            _ => vec![0.0; counters.len()],
        };
        if due {
            self.samples.push_back((now_ms, counters.to_vec()));
            while self.samples.len() > SAMPLES
                || self.samples.front().is_some_and(|(at, _)| now_ms - at > SPAN_MS) && self.samples.len() > 1
            {
                self.samples.pop_front();
            }
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_growth_over_the_last_ten_seconds() {
        let mut rates = Rates::default();
        assert_eq!(rates.sample(0, &[0]), [0.0]);
        assert_eq!(rates.sample(1_000, &[500]), [500.0]);
        for second in 2..30 {
            rates.sample(second * 1_000, &[500]);
        }
        assert_eq!(rates.sample(30_000, &[500]), [0.0]);
    }
}
