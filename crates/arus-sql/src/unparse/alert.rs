//! Alerts to text.

use std::fmt::{Display, Formatter, Result};

use super::{columns, list};
use crate::ast::{AlertAction, AlterAlert, CreateAlert, NotifyTarget};

impl Display for CreateAlert {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let replaced = if self.or_replace { "OR REPLACE " } else { "" };
        let kept = if self.if_not_exists { "IF NOT EXISTS " } else { "" };
        write!(f, "CREATE {replaced}ALERT {kept}{} ON ({})", self.name, self.query)?;
        if !self.key.is_empty() {
            f.write_str(" KEY")?;
            columns(f, &self.key)?;
        }
        if let Some(severity) = &self.severity {
            write!(f, " SEVERITY {severity}")?;
        }
        if let Some(time) = &self.resolve_after {
            write!(f, " RESOLVE AFTER {time}")?;
        }
        if let Some((time, severity)) = &self.no_data {
            write!(f, " NO DATA AFTER {time}")?;
            if let Some(severity) = severity {
                write!(f, " AS {severity}")?;
            }
        }
        if let Some(text) = &self.summary {
            write!(f, " SUMMARY {text}")?;
        }
        if let Some(text) = &self.runbook {
            write!(f, " RUNBOOK {text}")?;
        }
        if !self.notify.is_empty() {
            f.write_str(" NOTIFY ")?;
            list(f, &self.notify, ", ")?;
        }
        match &self.repeat {
            Some(time) => write!(f, " REPEAT {time}"),
            None => Ok(()),
        }
    }
}

impl Display for NotifyTarget {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            NotifyTarget::Name(name) => write!(f, "{name}"),
            NotifyTarget::Url(url) => write!(f, "{url}"),
        }
    }
}

impl Display for AlterAlert {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "ALTER ALERT {} ", self.name)?;
        match &self.action {
            AlertAction::Silence { for_time: None } => f.write_str("SILENCE"),
            AlertAction::Silence { for_time: Some(time) } => write!(f, "SILENCE FOR {time}"),
            AlertAction::Unsilence => f.write_str("UNSILENCE"),
            AlertAction::Test => f.write_str("TEST"),
        }
    }
}
