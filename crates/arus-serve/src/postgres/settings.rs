//! A session's settings: what clients set, what they are told, and what goes back at the end of a transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use arus_core::client_settings::{self, CLIENT_SETTINGS, Kind};
use arus_core::error::Code;
use arus_core::postgres_time::Zone;
use arus_core::{Error, Result};

use super::value::Style;

#[derive(Debug, Default)]
pub(super) struct Settings {
    /// By PostgreSQL's name; those that are as they were are not here.
    set: BTreeMap<&'static str, String>,
    /// What RESET goes back to: what the client said when it connected.
    start: BTreeMap<&'static str, String>,
    /// Values before this transaction, and whether a commit brings them back too (SET LOCAL).
    before: Vec<(&'static str, Option<String>, bool)>,
}

/// A setting that has another value now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// The client wants to hear of it.
    pub(super) reported: bool,
}

impl Settings {
    pub(super) fn get(&self, name: &str) -> Result<(&'static str, String)> {
        let setting = client_settings::find(name).ok_or_else(|| unknown(name))?;
        let value = self.set.get(setting.name).or_else(|| self.start.get(setting.name)).cloned();
        Ok((setting.name, value.unwrap_or_else(|| setting.default.to_string())))
    }

    fn value(&self, name: &str) -> String {
        self.get(name).map(|(_, value)| value).unwrap_or_default()
    }

    pub(super) fn all(&self) -> Vec<(&'static str, String)> {
        let mut all: Vec<_> = CLIENT_SETTINGS.iter().map(|s| (s.name, self.value(s.name))).collect();
        all.sort_by_key(|(name, _)| name.to_lowercase());
        all
    }

    /// What the client said in its startup message; what cannot be is left out, as nobody would hear of it.
    pub(super) fn start(&mut self, name: &str, value: &str) -> Option<Changed> {
        let setting = client_settings::find(name).filter(|s| s.kind != Kind::Fixed)?;
        let value = checked(setting.name, value).ok()?;
        self.start.insert(setting.name, value.clone());
        Some(Changed { name: setting.name, value, reported: false })
    }

    /// `None`: DEFAULT. `in_block`: a transaction is open; `local`: until its end.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>, in_block: bool, local: bool) -> Result<Vec<Changed>> {
        let setting = client_settings::find(name).ok_or_else(|| unknown(name))?;
        if setting.kind == Kind::Fixed {
            let message = format!("parameter \"{}\" cannot be changed", setting.name);
            return Err(Error::user(message).with_code(Code::Conflict));
        }
        if local && !in_block {
            // PostgreSQL warns and does nothing.
            return Ok(vec![]);
        }
        let value = value.map(|v| checked(setting.name, v)).transpose()?;
        if in_block {
            self.before.push((setting.name, self.set.get(setting.name).cloned(), local));
        }
        self.put(setting.name, value);
        Ok(vec![self.changed(setting.name)])
    }

    fn put(&mut self, name: &'static str, value: Option<String>) {
        match value {
            Some(value) => self.set.insert(name, value),
            None => self.set.remove(name),
        };
    }

    fn changed(&self, name: &'static str) -> Changed {
        let reported = client_settings::find(name).is_some_and(|s| s.kind == Kind::Reported);
        Changed { name, value: self.value(name), reported }
    }

    pub(super) fn reset_all(&mut self) -> Vec<Changed> {
        let names: Vec<_> = std::mem::take(&mut self.set).into_keys().collect();
        names.into_iter().map(|name| self.changed(name)).collect()
    }

    /// The end of a transaction.
    pub(super) fn end(&mut self, committed: bool) -> Vec<Changed> {
        let mut names = vec![];
        for (name, value, local) in std::mem::take(&mut self.before).into_iter().rev() {
            if local || !committed {
                self.put(name, value);
                names.push(name);
            }
        }
        names.into_iter().map(|name| self.changed(name)).collect()
    }

    pub(super) fn style(&self) -> Style {
        Style {
            zone: Zone::parse(&self.value("TimeZone")).unwrap_or(Zone::UTC),
            escape_bytes: self.value("bytea_output") == "escape",
        }
    }

    /// How long FETCH waits for the first change of a table.
    pub(super) fn fetch_timeout(&self) -> Duration {
        Duration::from_millis(milliseconds(&self.value("arus.fetch.timeout")).unwrap_or(0))
    }

    /// `None`: statements may take as long as they like.
    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        milliseconds(&self.value("statement_timeout")).filter(|ms| *ms > 0).map(Duration::from_millis)
    }
}

fn unknown(name: &str) -> Error {
    Error::user(format!("unrecognized configuration parameter \"{name}\"")).with_code(Code::UndefinedObject)
}

/// The value as it is shown, or why it cannot be.
fn checked(name: &str, value: &str) -> Result<String> {
    let wrong = |hint: &str| {
        let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
        Err(Error::user(message).with_code(Code::InvalidValue).with_hint(hint))
    };
    match name {
        "client_encoding" => {
            let letters: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            match letters.to_uppercase().as_str() {
                "UTF8" | "UNICODE" | "SQLASCII" => Ok("UTF8".into()),
                _ => wrong("texts are UTF8"),
            }
        }
        "DateStyle" => {
            let parts: Vec<String> = value.split(',').map(|p| p.trim().to_uppercase()).collect();
            let order =
                parts.iter().find(|p| ["MDY", "DMY", "YMD"].contains(&p.as_str())).map_or("MDY", String::as_str);
            if parts.iter().any(|p| ["SQL", "GERMAN", "POSTGRES"].contains(&p.as_str())) {
                return wrong("dates are written in the style ISO");
            }
            Ok(format!("ISO, {order}"))
        }
        "IntervalStyle" if !value.eq_ignore_ascii_case("postgres") => {
            wrong("intervals are written in the style postgres")
        }
        "TimeZone" if value.eq_ignore_ascii_case("default") || value.eq_ignore_ascii_case("local") => Ok("UTC".into()),
        "TimeZone" if Zone::parse(value).is_none() => wrong("a name such as Europe/Berlin, or an offset such as +02"),
        "standard_conforming_strings" if !is_on(value) => wrong("a backslash in a string is a backslash"),
        "bytea_output" if !["hex", "escape"].contains(&value.to_lowercase().as_str()) => wrong("hex or escape"),
        "statement_timeout" | "lock_timeout" | "idle_in_transaction_session_timeout" | "arus.fetch.timeout" => {
            match milliseconds(value) {
                Some(0) => Ok("0".into()),
                Some(ms) if ms % 60_000 == 0 => Ok(format!("{}min", ms / 60_000)),
                Some(ms) if ms % 1_000 == 0 => Ok(format!("{}s", ms / 1_000)),
                Some(ms) => Ok(format!("{ms}ms")),
                None => wrong("milliseconds, or a number with ms, s, min, h"),
            }
        }
        "extra_float_digits" => match value.parse::<i32>() {
            Ok(-15..=3) => Ok(value.into()),
            _ => wrong("a number from -15 to 3"),
        },
        "transaction_isolation" | "default_transaction_isolation" => Ok(value.to_lowercase()),
        _ if ["on", "off"].contains(&client_settings::find(name).map_or("", |s| s.default)) => {
            Ok(if is_on(value) { "on" } else { "off" }.into())
        }
        _ => Ok(value.into()),
    }
}

fn is_on(value: &str) -> bool {
    ["on", "true", "yes", "1", "t", "y"].contains(&value.to_lowercase().as_str())
}

fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_gives_settings_back() {
        let mut settings = Settings::default();
        settings.set("timezone", Some("Europe/Berlin"), false, false).expect("a zone");
        settings.set("TimeZone", Some("Asia/Tokyo"), true, true).expect("a zone");
        settings.set("work_mem", Some("1GB"), true, false).expect("any value");
        assert_eq!(settings.value("TimeZone"), "Asia/Tokyo");
        let back = settings.end(true);
        assert_eq!(back, [Changed { name: "TimeZone", value: "Europe/Berlin".into(), reported: true }]);
        assert_eq!(settings.value("work_mem"), "1GB");
        settings.set("work_mem", Some("2GB"), true, false).expect("any value");
        settings.end(false);
        assert_eq!(settings.value("work_mem"), "1GB");
    }

    #[test]
    fn values_are_checked() {
        let mut settings = Settings::default();
        for (name, value, shown) in [
            ("statement_timeout", "5000", "5s"),
            ("statement_timeout", "2min", "2min"),
            ("DateStyle", "iso", "ISO, MDY"),
            ("client_encoding", "utf-8", "UTF8"),
            ("default_transaction_read_only", "true", "on"),
        ] {
            settings.set(name, Some(value), false, false).expect(name);
            assert_eq!(settings.value(name), shown);
        }
        for (name, value) in
            [("client_encoding", "LATIN1"), ("TimeZone", "Nowhere"), ("server_version", "1"), ("nope", "1")]
        {
            assert!(settings.set(name, Some(value), false, false).is_err(), "{name}");
        }
    }
}
