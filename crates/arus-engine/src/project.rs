//! Projects: what a folder of SQL is to be on this server, against what is there.
//!
//! The plan is made from the definitions alone, and nothing is done before all of it can be: every statement is planned over the
//! catalog as it will be. Pipelines whose plan stays the same keep their state; those that read something that is made anew are made
//! anew as well. What fails all the same while it is done is undone, step by step.

mod alerts;
mod difference;
mod doing;
mod record;
mod wanted;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arus_core::error::Code;
use arus_core::limits::{DASHBOARD_BYTES, DASHBOARDS};
use arus_core::project::{ApplyReply, ApplyRequest, ProjectFile};
use arus_core::{Error, Result};
use xxhash_rust::xxh3::xxh3_64;

use crate::engine::Engine;

pub(crate) use record::{PROJECT_ITEM, Record};

/// The projects of a server by name.
#[derive(Default)]
pub(crate) struct Projects {
    /// One at a time.
    applying: tokio::sync::Mutex<()>,
    /// A dashboard is compared and written by one at a time.
    pub(crate) writing_dashboard: Mutex<()>,
    records: Mutex<BTreeMap<String, Record>>,
}

impl Projects {
    pub(crate) fn put(&self, record: Record) {
        self.records.lock().expect("no holder of this lock panics").insert(record.name.clone(), record);
    }

    fn get(&self, name: &str) -> Option<Record> {
        self.records.lock().expect("no holder of this lock panics").get(name).cloned()
    }

    /// (name, YAML text).
    pub(crate) fn dashboards(&self) -> Vec<(String, String)> {
        let records = self.records.lock().expect("no holder of this lock panics");
        records.values().flat_map(|r| r.dashboards.iter().map(|f| (f.name.clone(), f.text.clone()))).collect()
    }
}

impl Engine {
    /// The plan; with its name in the request it is done.
    pub(crate) async fn apply_project(self: &Arc<Self>, request: ApplyRequest) -> Result<ApplyReply> {
        let shared = &self.shared;
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if request.project.is_empty() || request.project.len() > 100 || !request.project.chars().all(good) {
            return Err(Error::user(format!(
                "project '{}': expected a name of letters, digits, - and _",
                request.project
            ))
            .with_code(Code::InvalidValue));
        }
        check_dashboards(&request.dashboards)?;
        let _one = shared.projects.applying.lock().await;
        let record = shared.projects.get(&request.project).unwrap_or_else(|| Record::new(&request.project));
        let items = wanted::read(shared, &request, &record)?;
        let plan = difference::compare(shared, &items, &record)?;
        let steps: Vec<_> = plan.steps(&items);
        let text = format!("{request:?} {steps:?}", request = (&request.project, &request.files, &request.dashboards));
        let name = format!("{:016x}", xxh3_64(text.as_bytes()));
        match &request.plan {
            None => return Ok(ApplyReply { plan: name, steps, done: false }),
            Some(asked) if *asked != name => {
                return Err(Error::user("the project or the server has changed since this plan was made")
                    .with_code(Code::Conflict)
                    .with_hint("ask for the plan again"));
            }
            Some(_) => {}
        }
        if let Some(step) = steps.iter().find(|s| s.loses_rows && !request.lose_rows) {
            return Err(Error::user(format!("{} '{}': rows that clients wrote would be lost", step.kind, step.name))
                .with_code(Code::Conflict)
                .with_hint("`arus apply --lose-rows` lets them go; the plan says which"));
        }
        doing::Doing::new(self.clone(), record).all(&plan, &items, &request).await?;
        Ok(ApplyReply { plan: name, steps, done: true })
    }
}

/// They stand in the manifest: a project brings pictures, not documents.
fn check_dashboards(dashboards: &[ProjectFile]) -> Result<()> {
    let large = dashboards.iter().find(|d| d.text.len() > DASHBOARD_BYTES);
    let wrong = match large {
        Some(d) => format!("dashboard '{}' is larger than {} KB", d.name, DASHBOARD_BYTES >> 10),
        None if dashboards.len() > DASHBOARDS => format!("expected at most {DASHBOARDS} dashboards"),
        None => return Ok(()),
    };
    Err(Error::user(wrong).with_code(Code::InvalidValue))
}
