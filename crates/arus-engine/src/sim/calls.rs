//! What clients ask for, by the doors' own functions.

use std::ops::Range;
use std::sync::Arc;

use arus_core::catalog::ObjectPath;
use arus_core::platform::{Door, IngestFormat, IngestRequest, Platform};
use arus_storage::log::BatchBuilder;
use bytes::Bytes;

use super::world::{Asked, World};
use crate::jobs::{Job, JobKind, JobStatus};

const PRODUCER: &str = "producer ";

/// Producer and partition of a batch that may be sent again.
fn producer_of(key: &str) -> Option<(i64, u64)> {
    let (producer, partition) = key.strip_prefix(PRODUCER)?.split_once('/')?;
    Some((producer.parse().ok()?, partition.parse().ok()?))
}

impl World {
    fn platform(&self) -> Option<Arc<dyn Platform>> {
        self.server.as_ref().map(|server| server.engine.platform())
    }

    /// Rows by HTTP, in one request.
    pub(super) fn send_rows(&mut self, ids: Range<usize>, key: Option<String>) {
        let Some(platform) = self.platform() else { return };
        let rows: Vec<String> = ids.clone().map(|id| self.history.rows[id].json(id)).collect();
        self.say(|| format!("rows {ids:?} by HTTP, key {key:?}"));
        let request = IngestRequest {
            table: ObjectPath::in_default("t"),
            format: IngestFormat::Ndjson,
            body: Bytes::from(rows.join("\n")),
            idempotency_key: key.clone(),
        };
        self.push(Asked::Rows { ids, key }, Box::pin(async move { platform.ingest(request).await.map(|_| ()) }));
    }

    /// Rows by the Kafka door: broken ones are taken as they are. Most producers are idempotent and send again what was not
    /// answered; each sends one batch.
    pub(super) fn produce(&mut self, ids: Range<usize>) {
        let partition = self.rng.below(self.shape.partitions);
        let key = (self.rng.below(3) != 0).then(|| format!("{PRODUCER}{}/{partition}", self.next_key()));
        self.send_batch(ids, partition, key);
    }

    fn send_batch(&mut self, ids: Range<usize>, partition: u64, key: Option<String>) {
        let Some(platform) = self.platform() else { return };
        self.say(|| format!("rows {ids:?} by Kafka to partition {partition}, {key:?}"));
        let mut batch = BatchBuilder::new(1_704_067_200_000);
        if let Some((producer, _)) = key.as_deref().and_then(producer_of) {
            batch = batch.of_producer(producer, 0, 0);
        }
        for id in ids.clone() {
            batch.push(None, Some(self.history.rows[id].json(id).as_bytes()), &[], 1_704_067_200_000);
        }
        let Some(bytes) = batch.finish() else { return };
        let call = async move { platform.log().produce("t", partition as i32, bytes.into()).await.map(|_| ()) };
        self.push(Asked::Rows { ids, key }, Box::pin(call));
    }

    /// What was not answered, once more and by the same door.
    pub(super) fn send_again(&mut self, ids: Range<usize>, key: Option<String>) {
        match key.as_deref().and_then(producer_of) {
            Some((_, partition)) => self.send_batch(ids, partition, key),
            None => self.send_rows(ids, key),
        }
    }

    /// The next version of a row of the keyed table.
    pub(super) fn send_keyed(&mut self) {
        let Some(platform) = self.platform() else { return };
        let key = self.rng.below(3) as i64;
        // One at a time, so that the last one that was acknowledged is the last one that counts.
        let calls = self.server.as_ref().map_or(&[][..], |s| &s.calls);
        if calls.iter().any(|(asked, _)| matches!(asked, Asked::Keyed { key: other, .. } if *other == key)) {
            return;
        }
        let known = self.history.keyed.entry(key).or_default();
        known.1 += 1;
        let n = known.1;
        let request = IngestRequest {
            table: ObjectPath::in_default("kt"),
            format: IngestFormat::Json,
            body: Bytes::from(format!("{{\"id\":{key},\"n\":{n}}}")),
            idempotency_key: None,
        };
        self.push(Asked::Keyed { key, n }, Box::pin(async move { platform.ingest(request).await.map(|_| ()) }));
    }

    pub(super) fn execute(&mut self, at: usize, sql: String) {
        let Some(platform) = self.platform() else { return };
        if sql.starts_with("INSERT") && self.is_inserting() {
            // Its answer was lost, and it runs.
            return self.push(Asked::Statement { at }, Box::pin(async { Ok(()) }));
        }
        let mut session = platform.session(Door::Http);
        let call = async move { session.execute(&sql, &[]).await.map(|_| ()) };
        self.push(Asked::Statement { at }, Box::pin(call));
    }

    /// A pipeline is suspended, or goes on; at the end all that stand still go on.
    pub(super) fn rest(&mut self) {
        let Some(server) = self.server.as_ref().filter(|_| self.shape.rests) else { return };
        let jobs = server.engine.shared.jobs.all();
        let stands = |job: &Arc<Job>| job.status() == JobStatus::Suspended;
        let made = jobs.iter().filter(|job| job.spec.kind == JobKind::MaterializedTable);
        let of_them: Vec<_> = made.filter(|job| !self.quiet || stands(job)).cloned().collect();
        if of_them.is_empty() {
            return;
        }
        let job = &of_them[self.rng.below(of_them.len() as u64) as usize];
        let what = if stands(job) { "RESUME" } else { "SUSPEND" };
        let sql = format!("ALTER MATERIALIZED TABLE {} {what}", job.spec.name);
        let mut session = server.engine.platform().session(Door::Http);
        self.say(|| sql.clone());
        self.push(Asked::Rest, Box::pin(async move { session.execute(&sql, &[]).await.map(|_| ()) }));
    }

    fn is_inserting(&self) -> bool {
        let files = ObjectPath::in_default("files");
        let jobs = self.server.as_ref().map(|s| s.engine.shared.jobs.all()).unwrap_or_default();
        jobs.iter().any(|job| job.spec.targets.contains(&files) && job.status().is_alive())
    }
}
