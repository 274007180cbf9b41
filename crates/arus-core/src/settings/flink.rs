//! Every configuration key of Flink 2.3 with its type and default, so that a value is read as Flink reads it and a misspelt key is named.
//!
//! The table beside this file was made from the `ConfigOption` constants of Flink 2.3.0's classes: key, type, default.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::parse_duration_ms;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    Boolean,
    Integer,
    Double,
    /// `10 s`
    Duration,
    /// `64 mb`
    Memory,
    /// One of these, in any case.
    Choice(&'static str),
    /// Texts, lists and maps.
    Text,
}

#[derive(Debug, Clone, Copy)]
pub struct FlinkKey {
    pub name: &'static str,
    pub kind: ValueKind,
    pub default: &'static str,
}

/// All keys by name.
pub fn flink_keys() -> &'static BTreeMap<&'static str, FlinkKey> {
    static KEYS: OnceLock<BTreeMap<&'static str, FlinkKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut keys = BTreeMap::new();
        for line in include_str!("flink-2.3.0.tsv").lines() {
            let mut parts = line.split('\t');
            let (Some(name), Some(kind)) = (parts.next(), parts.next()) else { continue };
            let kind = match kind {
                "boolean" => ValueKind::Boolean,
                "integer" | "long" => ValueKind::Integer,
                "double" => ValueKind::Double,
                "duration" => ValueKind::Duration,
                "memory" => ValueKind::Memory,
                other => other.strip_prefix("enum:").map_or(ValueKind::Text, ValueKind::Choice),
            };
            keys.insert(name, FlinkKey { name, kind, default: parts.next().unwrap_or_default() });
        }
        keys
    })
}

impl ValueKind {
    /// What was expected, when the value is not of this kind.
    pub fn refuse(self, value: &str) -> Option<String> {
        let value = value.trim();
        let fits = match self {
            ValueKind::Boolean => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            ValueKind::Integer => value.parse::<i64>().is_ok(),
            ValueKind::Double => value.parse::<f64>().is_ok(),
            ValueKind::Duration => parse_duration_ms(value).is_ok(),
            ValueKind::Memory => parse_memory_bytes(value).is_some(),
            ValueKind::Choice(choices) => choices.split('|').any(|c| c.eq_ignore_ascii_case(&value.replace('-', "_"))),
            ValueKind::Text => true,
        };
        (!fits).then(|| match self {
            ValueKind::Boolean => "true or false".to_string(),
            ValueKind::Integer => "an integer".to_string(),
            ValueKind::Double => "a number".to_string(),
            ValueKind::Duration => "a duration, such as '10 s'".to_string(),
            ValueKind::Memory => "a size, such as '64 mb'".to_string(),
            ValueKind::Choice(choices) => format!("one of {}", choices.replace('|', ", ")),
            ValueKind::Text => "a text".to_string(),
        })
    }
}

/// Flink's sizes: `64 mb`, `1g`; a bare number is bytes.
pub fn parse_memory_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let shift = match text[digits..].trim() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "kibibytes" => 10,
        "m" | "mb" | "mebibytes" => 20,
        "g" | "gb" | "gibibytes" => 30,
        "t" | "tb" | "tebibytes" => 40,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_of_its_kind() {
        for key in flink_keys().values() {
            let refused = (!key.default.is_empty()).then(|| key.kind.refuse(key.default)).flatten();
            assert_eq!(refused, None, "{key:?}");
        }
        assert!(flink_keys().len() > 800);
    }

    #[test]
    fn values_are_checked_by_their_kind() {
        assert_eq!(parse_memory_bytes("1 mb"), Some(1 << 20));
        assert_eq!(parse_memory_bytes("1 xb"), None);
        assert!(ValueKind::Choice("AUTO|FORCE").refuse("force").is_none());
        assert_eq!(ValueKind::Choice("AUTO|FORCE").refuse("x").as_deref(), Some("one of AUTO, FORCE"));
        assert_eq!(ValueKind::Integer.refuse("1.5").as_deref(), Some("an integer"));
    }
}
