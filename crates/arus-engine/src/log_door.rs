//! The log as the Kafka protocol sees it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arus_access::Privilege;
use arus_connect::kafka_record_columns;
use arus_core::catalog::{DEFAULT_DATABASE, ObjectPath, TableKind};
use arus_core::error::Code;
use arus_core::platform::{FetchedBatches, LogDoor, ProduceAck, TopicInfo};
use arus_core::settings::Settings;
use arus_core::{Error, Result, planted};
use arus_sql::Planned;
use arus_storage::log::{Partition, ReadUpTo};
use async_trait::async_trait;
use bytes::Bytes;

use crate::access::{Action, Who};
use crate::admission;
use crate::ddl::Origin;
use crate::shared::Shared;
use crate::tables::{Table, Writer};

pub(crate) struct EngineLog {
    pub(crate) shared: Arc<Shared>,
    pub(crate) who: Who,
}

impl EngineLog {
    /// The topic, to be used so: whoever may not is told no more.
    fn table(&self, topic: &str, action: impl Fn(&ObjectPath) -> Action<'_>) -> Result<Arc<Table>> {
        let path = match topic.split_once('.') {
            Some((database, name)) => ObjectPath::new(database, name),
            None => ObjectPath::new(DEFAULT_DATABASE, topic),
        };
        let whole = ObjectPath::new(DEFAULT_DATABASE, topic);
        let found = self.shared.tables.get(&path).or_else(|| self.shared.tables.get(&whole)).filter(|t| is_topic(t));
        self.shared.authorize(&self.who, action(found.as_ref().map_or(&path, |table| &table.def.path)))?;
        found.ok_or_else(|| Error::user(format!("topic '{topic}' does not exist")).with_code(Code::UndefinedTable))
    }

    fn partition(
        &self,
        topic: &str,
        partition: i32,
        privilege: Privilege,
    ) -> Result<(Arc<Table>, Arc<Partition>, i64)> {
        let table = self.table(topic, |path| Action::On(privilege, path))?;
        let found = u32::try_from(partition).ok().and_then(|n| table.topic().and_then(|t| t.partition(n)).cloned());
        let found = found.ok_or_else(|| {
            Error::user(format!("topic '{topic}' has no partition {partition}")).with_code(Code::UndefinedTable)
        })?;
        let end = table.visible_ends().get(partition as usize).copied().unwrap_or(0);
        Ok((table, found, end))
    }
}

fn is_topic(table: &Table) -> bool {
    table.def.kind == TableKind::Topic
}

fn info(table: &Table) -> TopicInfo {
    TopicInfo {
        name: table.def.path.to_string(),
        partitions: table.topic().map_or(0, |t| t.partitions().len() as i32),
        written_by: match table.writer() {
            Writer::Pipeline(name) => Some(name),
            Writer::Nobody | Writer::Clients => None,
        },
    }
}

#[async_trait]
impl LogDoor for EngineLog {
    fn topics(&self) -> Vec<TopicInfo> {
        let shown = |t: &&Arc<Table>| is_topic(t) && self.shared.allows(&self.who, Action::Know(&t.def.path));
        self.shared.tables.all().iter().filter(shown).map(|t| info(t)).collect()
    }

    fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        match self.table(name, |path| Action::Know(path)) {
            Ok(table) => Ok(Some(info(&table))),
            Err(e) if e.code() == Code::UndefinedTable => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn create_topic(&self, name: &str, partitions: Option<i32>) -> Result<TopicInfo> {
        self.shared.authorize(&self.who, Action::Administer("to create a topic"))?;
        // Through SQL, so that the catalog can make it again from its text.
        let columns: Vec<String> =
            kafka_record_columns().columns().iter().map(|c| format!("`{}` {}", c.name, c.ty)).collect();
        let sql = format!(
            "CREATE TABLE `{}` ({}) WITH ('format' = 'kafka-record', 'partitions' = '{}')",
            name.replace('`', "``"),
            columns.join(", "),
            partitions.unwrap_or(1).max(1)
        );
        let settings = Settings::default();
        let Planned::CreateTable { table, .. } = self.shared.plan(&sql, &settings, false)?.planned else {
            return Err(Error::bug("a topic's statement is no CREATE TABLE"));
        };
        self.shared.create_table(table, Origin { sql: &sql, settings: &settings, undeclared: true }).await?;
        self.table(name, |path| Action::Know(path)).map(|t| info(&t))
    }

    fn new_producer_id(&self) -> i64 {
        // No two starts of the server share an incarnation, and it is durable before a client is answered.
        let number = self.shared.figures.producers.fetch_add(1, Relaxed);
        ((self.shared.incarnation << 32 | number & 0xffff_ffff) & i64::MAX as u64) as i64
    }

    async fn produce(&self, topic: &str, partition: i32, batches: Bytes) -> Result<ProduceAck> {
        let (table, partition, _) = self.partition(topic, partition, Privilege::Insert)?;
        table.claim_for_clients()?;
        self.shared.admit(batches.len())?;
        let held_back_ms = self.shared.admission.hold_back().await;
        let core = self.shared.admission.wait().await?;
        let throttle_ms = core.throttle_ms().max(held_back_ms);
        let to = partition.clone();
        let appended = admission::run(batches.len(), move || to.append(&batches)).await??;
        drop(core);
        if !planted("produce-acked-before-fsync") {
            partition.wait_synced(appended.end()).await?;
        }
        if !appended.duplicate {
            let rows = (appended.end() - appended.base_offset).max(0) as u64;
            table.note_rows(rows, self.shared.config.clock.now_ms());
            self.shared.admission.took(rows);
            self.shared.figures.rows_accepted.fetch_add(rows, Relaxed);
        }
        self.shared.wake();
        let (base_offset, log_start_offset) = (appended.base_offset, partition.start_offset());
        Ok(ProduceAck { base_offset, log_start_offset, throttle_ms })
    }

    fn fetch(&self, topic: &str, partition: i32, offset: i64, max_bytes: usize) -> Result<FetchedBatches> {
        let (_, partition, end) = self.partition(topic, partition, Privilege::Select)?;
        let batches = partition.read(offset, max_bytes, ReadUpTo::Offset(end))?;
        Ok(FetchedBatches { batches, high_watermark: end, log_start_offset: partition.start_offset() })
    }

    async fn wait_for(&self, topic: &str, partition: i32, offset: i64) {
        let mut published = self.shared.published.subscribe();
        loop {
            // A topic that is gone has no news: the caller's timeout ends the wait.
            let Ok((table, found, end)) = self.partition(topic, partition, Privilege::Select) else {
                return std::future::pending().await;
            };
            if end > offset {
                return;
            }
            let news = async {
                if table.is_written_by_pipeline() {
                    published.changed().await.is_ok()
                } else {
                    found.wait_for(offset).await.is_ok()
                }
            };
            if !news.await {
                return std::future::pending().await;
            }
        }
    }

    fn bounds(&self, topic: &str, partition: i32) -> Result<(i64, i64)> {
        let (_, partition, end) = self.partition(topic, partition, Privilege::Select)?;
        Ok((partition.start_offset(), end))
    }

    fn offset_for_time(&self, topic: &str, partition: i32, timestamp_ms: i64) -> Result<Option<i64>> {
        let (_, partition, end) = self.partition(topic, partition, Privilege::Select)?;
        Ok(partition.offset_for_time(timestamp_ms)?.filter(|offset| *offset < end))
    }
}
