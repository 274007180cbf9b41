//! CREATE, ALTER, DROP and SHOW of alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use arus_connect::notify::Target;
use arus_core::catalog::{ObjectPath, TableDef, TableKind};
use arus_core::error::Code;
use arus_core::limits::ALERTS;
use arus_core::plan::PhysicalPlan;
use arus_core::secret::Mask;
use arus_core::{Error, Result};
use arus_sql::nearest::nearest;
use arus_sql::{AlertChange, AlertDef, Notify};
use arus_storage::manifest::{CatalogItem, Change};
use serde_json::json;

use super::book::label;
use super::shown::{instant_text, shown_statement, state_of};
use super::{ALERT, Alert};
use crate::alter::shape;
use crate::config::Mode;
use crate::ddl::{Origin, new_job_id};
use crate::domain::Control;
use crate::jobs::{Job, JobKind, JobSpec};
use crate::shared::Shared;

pub(crate) const ALERT_COLUMNS: [&str; 6] = ["alert name", "severity", "state", "firing", "silenced until", "notify"];

/// The option under which a notifier's URL is opened.
const URL: &str = "url";

/// What a statement does to an alert that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The same query and key: what fires, and what the query remembers, goes on.
    Kept,
    StartsOver,
}

/// What CREATE ALERT does where there is one of the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfThere {
    Refuse,
    Leave,
    Replace,
}

/// What CREATE ALERT has done.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Its pipeline, where it is a new one.
    pub(crate) job: Option<String>,
    pub(crate) notices: Vec<String>,
}

impl Shared {
    pub(crate) async fn create_alert(
        self: &Arc<Self>,
        def: AlertDef,
        plan: PhysicalPlan,
        if_there: IfThere,
        origin: Origin<'_>,
    ) -> Result<Made> {
        if self.config.mode == Mode::Run {
            return Err(Error::not_supported("an alert in a script that `arus run` runs")
                .with_hint("alerts belong to a server: send the statement to one"));
        }
        let _one = self.ddl.lock().await;
        let path = def.path.clone();
        match (self.alerts.get(&path), if_there) {
            (None, _) if self.alerts.all().len() >= ALERTS => {
                Err(Error::user(format!("there are {ALERTS} alerts already")).with_code(Code::InvalidValue))
            }
            (None, _) => {
                self.check_notifiers(&def)?;
                let started = self.start_alert(def, plan, vec![], origin).await;
                if started.is_err() {
                    self.alerts.remove(&path)?;
                }
                Ok(Made { job: Some(started?), notices: vec![] })
            }
            (Some(_), IfThere::Leave) => Ok(Made::default()),
            (Some(old), IfThere::Replace) => {
                self.check_notifiers(&def)?;
                self.replace_alert(&old, def, plan, origin).await
            }
            (Some(_), IfThere::Refuse) => Err(Error::user(format!("alert '{path}' exists already"))
                .with_code(Code::DuplicateObject)
                .with_hint("use another name, CREATE OR REPLACE ALERT, or IF NOT EXISTS")),
        }
    }

    /// Whether everybody whom an alert tells is known and may be reached.
    pub(crate) fn check_notifiers(&self, def: &AlertDef) -> Result<()> {
        def.notify.iter().try_for_each(|to| self.target_of(&def.path, to)?.0.check_allowed(&self.connect.hosts))
    }

    /// Puts it in the place of its name and starts its pipeline; the id of that.
    async fn start_alert(
        self: &Arc<Self>,
        def: AlertDef,
        plan: PhysicalPlan,
        mut changes: Vec<Change>,
        origin: Origin<'_>,
    ) -> Result<String> {
        let (id, now_ms) = (self.new_id(), self.config.clock.now_ms());
        let item = CatalogItem {
            id,
            kind: ALERT.into(),
            path: def.path.clone(),
            sql: origin.sql.into(),
            topic: None,
            partitions: None,
            extra: json!({
                "settings": origin.settings,
                "since": self.since(),
                "job": new_job_id(now_ms),
                "started_ms": now_ms,
            }),
        };
        self.alerts.put(def, item.clone())?;
        let spec = self.alert_spec(&item, plan);
        changes.push(Change::Put(item));
        self.start(id, spec, changes).await
    }

    /// What becomes of an alert that is to be this one.
    pub(crate) fn fate_of_alert(&self, old: &Alert, def: &AlertDef, plan: &PhysicalPlan) -> Fate {
        let again = self.spec_of_item(&old.item(), JobKind::Alert, String::new(), plan.clone(), vec![]);
        let same = |job: Arc<Job>| job.is_in_catalog() && shape(&again.plan) == shape(&job.spec.plan);
        match self.job_of(old).is_some_and(same) && old.def().key == def.key {
            true => Fate::Kept,
            false => Fate::StartsOver,
        }
    }

    /// The old one is there until the new one runs.
    async fn replace_alert(
        self: &Arc<Self>,
        old: &Arc<Alert>,
        def: AlertDef,
        plan: PhysicalPlan,
        origin: Origin<'_>,
    ) -> Result<Made> {
        if self.fate_of_alert(old, &def, &plan) == Fate::Kept {
            let mut item = old.item().as_ref().clone();
            item.sql = origin.sql.into();
            item.extra["settings"] = json!(origin.settings);
            let changes = vec![Change::Put(item.clone())];
            self.ask(|reply| Control::Catalog { changes, reply }).await?;
            old.redefine(def, item);
            return Ok(Made { job: None, notices: vec!["kept: what fires, and the state of its query".into()] });
        }
        let path = def.path.clone();
        let job = self.job_of(old);
        let started = self.start_alert(def, plan, vec![Change::Delete { id: old.id }], origin).await;
        if started.is_err() {
            self.alerts.remove(&path)?;
            self.alerts.set(old.clone());
        }
        let started = started?;
        if let Some(job) = job {
            self.ask(|reply| Control::Stop { job: job.clone(), changes: vec![], reply }).await?;
            self.jobs.remove(&job.spec.id);
        }
        // Who has silenced it need not do it again.
        if let Some(until) = old.book().silenced_until_ms {
            let new = self.alert(&path)?;
            self.silence(&new, Some(until))?;
        }
        old.close()?;
        Ok(Made { job: Some(started), notices: vec!["its state starts over: what fired is forgotten".into()] })
    }

    pub(crate) fn silence(&self, alert: &Alert, until_ms: Option<i64>) -> Result<()> {
        alert.change(|_, book| {
            book.silence(until_ms);
            Ok(())
        })
    }

    pub(crate) fn alert_spec(&self, item: &CatalogItem, plan: PhysicalPlan) -> JobSpec {
        self.spec_of_item(item, JobKind::Alert, format!("alert {}", item.path), plan, vec![])
    }

    pub(crate) async fn drop_alert(self: &Arc<Self>, path: &ObjectPath, if_exists: bool) -> Result<()> {
        let _one = self.ddl.lock().await;
        let alert = match self.alerts.get(path) {
            None if if_exists => return Ok(()),
            alert => alert.ok_or_else(|| self.no_alert(path))?,
        };
        if let Some(job) = self.job_of(&alert) {
            self.stop(&job).await?;
            self.jobs.remove(&job.spec.id);
        }
        self.alerts.remove(path)
    }

    /// The pipeline of an alert.
    pub(crate) fn job_of(&self, alert: &Alert) -> Option<Arc<Job>> {
        let of_it = |job: &Arc<Job>| job.spec.item.as_ref().is_some_and(|item| item.id == alert.id);
        self.jobs.all().into_iter().find(of_it)
    }

    pub(crate) fn alert(&self, path: &ObjectPath) -> Result<Arc<Alert>> {
        self.alerts.get(path).ok_or_else(|| self.no_alert(path))
    }

    fn no_alert(&self, path: &ObjectPath) -> Error {
        let known: Vec<String> = self.alerts.all().iter().map(|alert| alert.path.to_string()).collect();
        let error = Error::user(format!("alert '{path}' does not exist")).with_code(Code::UndefinedObject);
        match nearest(&path.to_string(), known.iter().map(String::as_str)) {
            Some(near) => error.with_hint(format!("did you mean '{near}'?")),
            None => error.with_hint("SHOW ALERTS lists them"),
        }
    }

    /// Does the change; what to know of it.
    pub(crate) fn alter_alert(&self, path: &ObjectPath, change: AlertChange) -> Result<Vec<String>> {
        let alert = self.alert(path)?;
        let now_ms = self.config.clock.now_ms();
        match change {
            AlertChange::Silence(for_ms) => {
                let until = for_ms.map_or(i64::MAX, |ms| now_ms.saturating_add(ms));
                self.silence(&alert, Some(until))?;
                Ok(vec![match for_ms {
                    Some(_) => format!("nobody is told of alert '{path}' until {}", instant_text(until)),
                    None => format!("nobody is told of alert '{path}' until ALTER ALERT {path} UNSILENCE"),
                }])
            }
            AlertChange::Unsilence => {
                self.silence(&alert, None)?;
                Ok(vec![])
            }
            AlertChange::Test => {
                let number = alert.change(|def, book| Ok(book.test(def, now_ms)))?;
                let to: Vec<String> = alert.def().notify.iter().map(label).collect();
                let whom = if to.is_empty() { "the console".into() } else { to.join(", ") };
                Ok(vec![format!("a test with the id {} goes to {whom}", alert.id_of(number))])
            }
        }
    }

    pub(crate) fn show_alerts(&self) -> Vec<Vec<Option<String>>> {
        let now_ms = self.config.clock.now_ms();
        let alerts = self.alerts.all();
        let row = |alert: &Arc<Alert>| {
            let (def, book) = (alert.def(), alert.book());
            let until = book.silenced_until_ms.filter(|until| now_ms < *until);
            let notify: Vec<String> = def.notify.iter().map(label).collect();
            vec![
                Some(def.path.to_string()),
                Some(def.severity.name().to_uppercase()),
                Some(state_of(self, alert, &book).to_uppercase()),
                Some(book.cases.len().to_string()),
                until.map(instant_text),
                Some(notify.join(", ")),
            ]
        };
        alerts.iter().map(row).collect()
    }

    pub(crate) fn show_create_alert(&self, path: &ObjectPath) -> Result<String> {
        self.alert(path).map(|alert| shown_statement(&alert))
    }

    /// Where a notifier's messages go, and what hides its secrets.
    pub(crate) fn target_of(&self, alert: &ObjectPath, notify: &Notify) -> Result<(Target, Mask)> {
        let url = match notify {
            Notify::Url(url) => url,
            Notify::Named(name) => {
                let known = &self.config.notifiers;
                known.get(name).ok_or_else(|| {
                    let error = Error::user(format!("alert '{alert}': notifier '{name}' does not exist"))
                        .with_code(Code::UndefinedObject);
                    match nearest(name, known.keys().map(String::as_str)) {
                        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
                        None => error.with_hint(format!(
                            "start the server with --notify {name}=https://host/path, or write the URL in quotes"
                        )),
                    }
                })?
            }
        };
        // References are resolved as those of a table's options are.
        let (table, mask) = self.connect.secrets.open(&with_url(alert, url))?;
        let url = table.option(URL).unwrap_or_default();
        let target = Target::parse(url).map_err(|e| mask.error(e.in_context(format!("alert '{alert}'"))))?;
        Ok((target, mask))
    }
}

fn with_url(path: &ObjectPath, url: &str) -> TableDef {
    TableDef {
        path: path.clone(),
        kind: TableKind::Connector,
        columns: vec![],
        watermark: None,
        primary_key: vec![],
        primary_key_name: None,
        partition_keys: vec![],
        distribution: None,
        options: BTreeMap::from([(URL.to_string(), url.to_string())]),
        comment: None,
        temporary: true,
        query: None,
        hidden_count: false,
    }
}
