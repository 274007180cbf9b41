//! SET: Flink's keys and ours, checked where they have an effect.

use arus_core::Result;
use arus_core::error::Code;
use arus_core::settings::{
    CHANGELOG_COMPACTION, CHECKPOINT_INTERVAL, DIALECT, DML_SYNC, ERROR_POLICY, Effect, FLINK_PREFIXES, IDLE_TIMEOUT,
    KEYS, RUNTIME_MODE, STATE_TTL, find_key, parse_duration_ms,
};

use crate::ast::{Set, Span};
use crate::bind::Binder;
use crate::nearest::nearest;
use crate::planner::Planned;

pub(crate) fn set(set: &Set, binder: &Binder<'_>, notices: &mut Vec<String>) -> Result<Planned> {
    let settings = binder.planner.settings;
    let columns = vec!["key", "value"];
    Ok(match set {
        Set::All => {
            let rows = settings.iter().map(|(k, v)| vec![Some(k.to_string()), Some(v.to_string())]).collect();
            Planned::Rows { columns, rows }
        }
        Set::One(key) => {
            let known = settings.is_set(&key.value) || find_key(&key.value).is_some();
            if !known {
                return Err(unknown(binder, &key.value, key.span));
            }
            let value = settings.get(&key.value).to_string();
            Planned::Rows { columns, rows: vec![vec![Some(key.value.clone()), Some(value)]] }
        }
        Set::To { key, value } => {
            check(binder, &key.value, &value.value, value.span)?;
            notices.extend(notice(&key.value));
            Planned::Set { key: key.value.clone(), value: value.value.clone() }
        }
    })
}

fn unknown(binder: &Binder<'_>, key: &str, span: Span) -> arus_core::Error {
    let error = binder.wrong(Code::InvalidOption, format!("setting '{key}' does not exist"), span);
    match nearest(key, KEYS.iter().map(|k| k.name)) {
        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
        None => error.with_hint("SET without a key lists what is set"),
    }
}

fn notice(key: &str) -> Option<String> {
    match find_key(key) {
        Some(k) if k.effect == Effect::Noted => Some(format!("'{key}' is noted, it has no effect here")),
        Some(_) => None,
        None if FLINK_PREFIXES.iter().any(|p| key.starts_with(p)) || key.starts_with("arus.") => {
            let near = nearest(key, KEYS.iter().map(|k| k.name));
            let hint = near.map(|n| format!("; did you mean '{n}'?")).unwrap_or_default();
            Some(format!("'{key}' is noted, it has no effect here{hint}"))
        }
        None => {
            let near = nearest(key, KEYS.iter().map(|k| k.name));
            let hint = near.map(|n| format!("; did you mean '{n}'?")).unwrap_or_default();
            Some(format!("unknown setting '{key}'{hint}"))
        }
    }
}

fn check(binder: &Binder<'_>, key: &str, value: &str, span: Span) -> Result<()> {
    let expected = |fits: bool, what: &str| {
        if fits {
            return Ok(());
        }
        Err(binder.wrong(Code::InvalidValue, format!("setting '{key}': expected {what}, found '{value}'"), span))
    };
    match key {
        STATE_TTL | IDLE_TIMEOUT | CHECKPOINT_INTERVAL => {
            expected(parse_duration_ms(value).is_ok(), "a duration, such as '10 s'")
        }
        DML_SYNC => {
            expected(value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"), "true or false")
        }
        ERROR_POLICY => expected(matches!(value, "quarantine" | "fail"), "quarantine or fail"),
        CHANGELOG_COMPACTION => expected(matches!(value, "batch" | "off"), "batch or off"),
        DIALECT => expected(matches!(value, "auto" | "flink" | "postgresql"), "auto, flink or postgresql"),
        RUNTIME_MODE if value.eq_ignore_ascii_case("batch") => {
            Err(binder.unsupported("execution.runtime-mode = batch", span))
        }
        RUNTIME_MODE => expected(value.eq_ignore_ascii_case("streaming"), "streaming"),
        _ => Ok(()),
    }
}
