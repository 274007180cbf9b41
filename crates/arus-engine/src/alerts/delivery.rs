//! The outside end of an alert's outbox: its book.
//!
//! The mark is what the record of the checkpoint says, and the book knows by its own cut which rows it has: rows that come
//! twice, after a crash or from a backup, change nothing.

use std::sync::Arc;

use arus_core::Result;
use arus_core::clock::SharedClock;
use arus_core::delivery::{Delivered, FIRST_MARK, Mark, OutboxDelivery, SinkDelivery};
use arus_core::read::Cut;
use async_trait::async_trait;

use super::Alert;
use super::book::{Row, Touched};

pub(crate) struct AlertDelivery {
    alert: Arc<Alert>,
    at: Cut,
    clock: SharedClock,
}

impl AlertDelivery {
    /// `known`: where the last record says that the mark is.
    pub(crate) fn new(alert: Arc<Alert>, known: Option<Cut>, clock: SharedClock) -> Self {
        AlertDelivery { alert, at: known.unwrap_or(FIRST_MARK), clock }
    }
}

#[async_trait]
impl SinkDelivery for AlertDelivery {
    async fn mark(&mut self) -> Result<Option<Mark>> {
        Ok(Some(Mark { cut: self.at, rejected: vec![] }))
    }

    async fn create_mark(&mut self) -> Result<()> {
        Ok(())
    }

    async fn deliver(&mut self, outbox: OutboxDelivery<'_>) -> Result<Delivered> {
        let now_ms = self.clock.now_ms();
        let mut count = 0;
        let alert = self.alert.clone();
        if alert.cut() < outbox.cut {
            alert.change(|def, book| {
                let mut touched = Touched::default();
                while let Some(batch) = outbox.rows.next()? {
                    let rows = Row::of(&batch)?;
                    count += rows.len() as u64;
                    book.take(def, &rows, now_ms, &mut touched)?;
                }
                book.settle(def, touched, now_ms);
                book.cut = outbox.cut;
                Ok(())
            })?;
        }
        self.at = outbox.cut;
        Ok(Delivered { rows: count, rejected: vec![] })
    }

    async fn remove_mark(&mut self) -> Result<()> {
        Ok(())
    }
}
