//! `arus score`: the frauds that were planted against those that a table of the server has found.
//!
//! An alarm is one device's rows of a minute and more, with no minute's rest between them. It is right if its fifth card lies in a
//! fraud of that device. A fraud is found if an alarm was right within the time that is asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arus_core::clock::{Clock, SystemClock};
use arus_core::fs::Fs;
use arus_core::settings::parse_duration_ms;
use arus_core::{Error, Result};
use arus_storage::DiskFs;
use serde::Deserialize;
use serde_json::Value;

use crate::args::{Flags, ScoreArgs};
use crate::shell::client::{Client, Line};
use crate::{demo, output, settings_file};

/// Alarms of one device nearer to each other than this are one.
const REST_MS: i64 = 60_000;
/// A fraud is told once it is over: so young an alarm may belong to one that goes on.
const FRAUD_MS: i64 = 125_000;
/// For rows that are on their way.
const SETTLE_MS: i64 = 5_000;
/// Lines of an answer, and looks for the next one while none comes.
const LINES: usize = 1_000_000;

/// A line of the generator's file: a fraud, or from when on rows came at their time.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct TruthLine {
    live_from_ms: Option<i64>,
    replayed: bool,
    device: String,
    first_ms: i64,
    last_ms: i64,
    completed_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Alarm {
    completed_ms: i64,
    detected_ms: i64,
}

#[derive(Debug, Default, PartialEq)]
struct Score {
    frauds: usize,
    found: usize,
    alarms: usize,
    right: usize,
    /// From the event that completes the pattern to the alarm, rising.
    delays_ms: Vec<i64>,
}

impl Score {
    fn precision(&self) -> f64 {
        self.right as f64 / self.alarms.max(1) as f64
    }

    fn recall(&self) -> f64 {
        self.found as f64 / self.frauds.max(1) as f64
    }

    fn delay_s(&self, share: f64) -> f64 {
        let at = (self.delays_ms.len().saturating_sub(1) as f64 * share).round() as usize;
        self.delays_ms.get(at).map_or(0.0, |ms| *ms as f64 / 1_000.0)
    }
}

pub(crate) fn run(flags: &Flags, args: &ScoreArgs) -> Result<ExitCode> {
    let flags = settings_file::complete(flags.clone())?;
    let data = flags.data.clone().unwrap_or_else(|| PathBuf::from(demo::DATA));
    let file = args.truth.clone().unwrap_or_else(|| data.join(demo::TRUTH));
    let within_ms = parse_duration_ms(&args.within)
        .map_err(|_| Error::user(format!("--within: expected a duration such as '2 s', found '{}'", args.within)))?;
    let truth = read_truth(&file)?;
    let alarms = read_alarms(&Client::of(&flags, &args.connect)?, &args.table)?;
    let score = score(&truth, &alarms, SystemClock::new().now_ms(), within_ms);
    let seconds = within_ms as f64 / 1_000.0;
    output::line(&format!("planted    {} frauds", score.frauds));
    output::line(&format!(
        "recall     {:.3}  {} of them found within {seconds} s of their fifth card",
        score.recall(),
        score.found
    ));
    output::line(&format!(
        "precision  {:.3}  {} of {} alarms were right",
        score.precision(),
        score.right,
        score.alarms
    ));
    let (median, most) = (score.delay_s(0.5), score.delay_s(1.0));
    output::line(&format!(
        "delay      {median:.2} s in the median, {most:.2} s at most, after the event that completes the pattern"
    ));
    Ok(ExitCode::SUCCESS)
}

fn read_truth(file: &Path) -> Result<Vec<TruthLine>> {
    let bytes = DiskFs.read(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::user(format!("'{}' does not exist", file.display()))
            .with_hint("`arus demo` writes it into its data folder; --truth names another, --data the folder"),
        _ => Error::io("read", file.display(), e),
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let line = |(i, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| Error::data(format!("'{}', line {}: {e}", file.display(), i + 1)))
    };
    text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()).map(line).collect()
}

/// By device, in the order of their time.
fn read_alarms(client: &Client, table: &str) -> Result<BTreeMap<String, Vec<Alarm>>> {
    let sql = format!(
        "SET 'arus.dialect' = 'postgresql';\nSELECT device, CAST(EXTRACT(EPOCH FROM completed_at) * 1000 AS BIGINT) AS c, \
         CAST(EXTRACT(EPOCH FROM detected_at) * 1000 AS BIGINT) AS d FROM \"{}\" ORDER BY c",
        table.replace('"', "\"\"")
    );
    let mut answer = client.sql(&sql, false)?;
    let mut alarms: BTreeMap<String, Vec<Alarm>> = BTreeMap::new();
    let whole = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    };
    for _ in 0..LINES {
        match answer.next()? {
            Line::Row { values, .. } => {
                let [Value::String(device), completed, detected] = values.as_slice() else { continue };
                let (Some(completed_ms), Some(detected_ms)) = (whole(completed), whole(detected)) else { continue };
                let of_device = alarms.entry(device.clone()).or_default();
                match of_device.last_mut() {
                    Some(last) if completed_ms - last.completed_ms < REST_MS => {
                        last.detected_ms = last.detected_ms.min(detected_ms);
                    }
                    _ => of_device.push(Alarm { completed_ms, detected_ms }),
                }
            }
            Line::Failed(error) => {
                return Err(Error::external(error["message"].as_str().unwrap_or("the server refuses")));
            }
            Line::End => break,
            _ => {}
        }
    }
    Ok(alarms)
}

fn score(truth: &[TruthLine], alarms: &BTreeMap<String, Vec<Alarm>>, now_ms: i64, within_ms: i64) -> Score {
    let begins = truth.iter().find(|line| line.live_from_ms.is_some());
    let from_ms = begins.and_then(|line| line.live_from_ms).unwrap_or(i64::MIN);
    // Rows of the past were seen long after their time: there the times of the events alone can be compared.
    let replayed = begins.is_some_and(|line| line.replayed);
    // The generator tells a fraud once more after a crash.
    let frauds: BTreeMap<(&str, i64), &TruthLine> =
        truth.iter().filter(|t| !t.device.is_empty()).map(|t| ((t.device.as_str(), t.first_ms), t)).collect();
    let belongs = |device: &str, alarm: &Alarm| {
        let of_device = frauds.range((device, i64::MIN)..=(device, alarm.completed_ms)).next_back();
        of_device.is_some_and(|((d, _), fraud)| *d == device && alarm.completed_ms <= fraud.last_ms)
    };
    let mut score = Score::default();
    for fraud in frauds.values().filter(|f| f.first_ms >= from_ms && f.last_ms <= now_ms - SETTLE_MS) {
        score.frauds += 1;
        let alarm = alarms
            .get(&fraud.device)
            .and_then(|all| all.iter().find(|a| (fraud.first_ms..=fraud.last_ms).contains(&a.completed_ms)));
        let (Some(alarm), Some(completed_ms)) = (alarm, fraud.completed_ms) else { continue };
        let delay_ms = (if replayed { alarm.completed_ms } else { alarm.detected_ms }) - completed_ms;
        score.delays_ms.push(delay_ms);
        score.found += usize::from(delay_ms <= within_ms);
    }
    for (device, of_device) in alarms {
        for alarm in of_device.iter().filter(|a| a.completed_ms >= from_ms) {
            let right = belongs(device, alarm);
            if right || alarm.completed_ms <= now_ms - FRAUD_MS {
                score.alarms += 1;
                score.right += usize::from(right);
            }
        }
    }
    score.delays_ms.sort_unstable();
    score
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_false_alarms_and_late_ones_count() {
        let fraud = |device: &str, first_ms: i64, completed_ms: Option<i64>| TruthLine {
            device: device.into(),
            first_ms,
            last_ms: first_ms + 20_000,
            completed_ms,
            ..TruthLine::default()
        };
        let truth = [
            TruthLine { live_from_ms: Some(1_000_000), ..TruthLine::default() },
            fraud("before", 10_000, Some(15_000)),
            fraud("found", 1_000_000, Some(1_010_000)),
            fraud("found", 1_000_000, Some(1_010_000)),
            fraud("late", 1_020_000, Some(1_030_000)),
            fraud("missed", 1_020_000, Some(1_030_000)),
            fraud("patient", 1_020_000, None),
            fraud("young", 1_990_000, Some(1_995_000)),
        ];
        let alarm =
            |device: &str, completed_ms, detected_ms| (device.to_string(), vec![Alarm { completed_ms, detected_ms }]);
        let alarms = [
            alarm("before", 15_000, 15_100),
            alarm("found", 1_010_000, 1_010_400),
            alarm("late", 1_030_000, 1_033_000),
            alarm("terminal", 1_040_000, 1_040_100),
            alarm("terminal-2", 1_990_000, 1_990_100),
        ];
        let score = score(&truth, &alarms.into_iter().collect(), 2_000_000, 2_000);
        let expected = Score { frauds: 4, found: 1, alarms: 3, right: 2, delays_ms: vec![400, 3_000] };
        assert_eq!(score, expected);
        assert!((score.recall() - 0.25).abs() < 1e-9 && (score.delay_s(1.0) - 3.0).abs() < 1e-9);
    }
}
