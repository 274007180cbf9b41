//! SET: Flink's keys and ours, checked where they have an effect.

use arus_core::Result;
use arus_core::error::Code;
use arus_core::settings::{
    CATALOG, CHANGELOG_COMPACTION, CHECKPOINT_INTERVAL, DATABASE, DIALECT, DML_SYNC, ERROR_POLICY, Effect,
    FLINK_PREFIXES, IDLE_TIMEOUT, KEYS, RUNTIME_MODE, STATE_TTL, find_key, flink_keys, parse_duration_ms,
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
            let shown = settings.iter().filter(|(k, _)| *k != CATALOG && *k != DATABASE);
            let rows = shown.map(|(k, v)| vec![Some(k.to_string()), Some(v.to_string())]).collect();
            Planned::Rows { columns, rows }
        }
        Set::One(key) => {
            let flink = flink_keys().get(key.value.as_str());
            let known = settings.is_set(&key.value) || find_key(&key.value).is_some() || flink.is_some();
            if !known {
                return Err(unknown(binder, &key.value, key.span));
            }
            let value = match flink.filter(|_| !settings.is_set(&key.value) && find_key(&key.value).is_none()) {
                Some(flink) => flink.default.to_string(),
                None => settings.get(&key.value).to_string(),
            };
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
    match near_key(key) {
        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
        None => error.with_hint("SET without a key lists what is set"),
    }
}

/// The known key that is nearest to a misspelt one.
fn near_key(key: &str) -> Option<&'static str> {
    nearest(key, KEYS.iter().map(|k| k.name).chain(flink_keys().keys().copied()))
}

fn notice(key: &str) -> Option<String> {
    let noted = || Some(format!("'{key}' is noted, it has no effect here"));
    match find_key(key) {
        Some(k) if k.effect == Effect::Noted => {
            return Some(format!("'{key}' is noted, it has no effect here: {}", k.about));
        }
        Some(_) => return None,
        None if flink_keys().contains_key(key) => return noted(),
        None => {}
    }
    let hint = near_key(key).map(|n| format!("; did you mean '{n}'?")).unwrap_or_default();
    // Keys of Flink whose names hold a part of the user's own, such as a metrics reporter's.
    let open = [".reporter.", "kubernetes.", "metrics.", "fs.", "s3.", "env.java.opts", "containerized.", "security."];
    if hint.is_empty() && FLINK_PREFIXES.iter().any(|p| key.starts_with(p)) && open.iter().any(|o| key.contains(o)) {
        return noted();
    }
    Some(format!("unknown setting '{key}'{hint}"))
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
        CATALOG | DATABASE => Err(binder
            .wrong(Code::InvalidOption, format!("'{key}' is not set by SET"), span)
            .with_hint("write USE CATALOG or USE")),
        _ => match flink_keys().get(key).and_then(|k| k.kind.refuse(value)) {
            Some(what) => expected(false, &what),
            None => Ok(()),
        },
    }
}
