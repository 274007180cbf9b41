//! The protocol of an edge, checked on everything that an operator emits. A break is a bug of ours: the pipeline
//! stops before a wrong row leaves.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arus_core::change::arrow_bug;
use arus_core::plan::{ChangelogMode, Node};
use arus_core::{ChangeBatch, Error, Result, RowKind};

use crate::message::{Message, WATERMARK_NONE};

pub(crate) struct EdgeChecks {
    name: &'static str,
    schema: SchemaRef,
    mode: ChangelogMode,
    watermark: i64,
    ended: bool,
    /// Rows that are there, for the checks of tests; `None`: not checked.
    rows: Option<HashMap<String, i64>>,
}

impl EdgeChecks {
    pub(crate) fn new(node: &Node, check_changelog: bool, watermark: i64, restored: bool) -> Self {
        // What was there before a restore is unknown.
        let retracts = node.mode == ChangelogMode::ALL || node.mode.is_insert_only();
        EdgeChecks {
            name: node.op.name(),
            schema: node.schema.to_arrow(),
            mode: node.mode,
            watermark,
            ended: false,
            rows: (check_changelog && retracts && !restored).then(HashMap::new),
        }
    }

    pub(crate) fn check(&mut self, message: &Message) -> Result<()> {
        match message {
            Message::Batch(batch) => self.check_batch(batch),
            Message::Watermark(watermark) => {
                if *watermark <= self.watermark || *watermark == WATERMARK_NONE {
                    let before = self.watermark;
                    return Err(self.broken(format_args!("the watermark goes from {before} to {watermark}")));
                }
                self.watermark = *watermark;
                Ok(())
            }
            Message::End if self.ended => Err(self.broken("it ends twice")),
            Message::End => {
                self.ended = true;
                Ok(())
            }
            Message::Idle | Message::Barrier(_) => Ok(()),
        }
    }

    fn broken(&self, what: impl std::fmt::Display) -> Error {
        Error::bug(format!("{} breaks the protocol of its edge: {what}", self.name))
    }

    fn check_batch(&mut self, batch: &ChangeBatch) -> Result<()> {
        if self.ended {
            return Err(self.broken("rows after the end"));
        }
        let found = batch.rows().schema_ref();
        if !std::sync::Arc::ptr_eq(found, &self.schema) {
            let types = |schema: &SchemaRef| schema.fields().iter().map(|f| f.data_type().clone()).collect::<Vec<_>>();
            let (expected, found) = (types(&self.schema), types(found));
            if expected != found {
                return Err(self.broken(format_args!("expected columns {expected:?}, found {found:?}")));
            }
        }
        if let Some(kinds) = batch.kinds()
            && let Some(kind) = kinds.iter().find(|k| !allowed(self.mode, **k))
        {
            return Err(self.broken(format_args!("a {} on an edge of {}", kind.short(), self.mode)));
        }
        if self.rows.is_some() { self.check_changelog(batch) } else { Ok(()) }
    }

    /// What is retracted must be there, and -U is followed by +U.
    fn check_changelog(&mut self, batch: &ChangeBatch) -> Result<()> {
        let options = FormatOptions::default().with_null("null");
        let columns = batch.rows().columns().iter();
        let columns: Vec<ArrayFormatter<'_>> = columns
            .map(|c| ArrayFormatter::try_new(c.as_ref(), &options))
            .collect::<Result<_, _>>()
            .map_err(arrow_bug)?;
        for row in 0..batch.num_rows() {
            let text = columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join("\u{1f}");
            let Some(rows) = &mut self.rows else { break };
            let count = rows.entry(text.clone()).or_insert(0);
            *count += if batch.kind(row).adds() { 1 } else { -1 };
            match *count {
                0 => {
                    rows.remove(&text);
                }
                c if c < 0 => {
                    let text = text.replace('\u{1f}', ", ");
                    return Err(self.broken(format_args!("{}[{text}] is not there", batch.kind(row).short())));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn allowed(mode: ChangelogMode, kind: RowKind) -> bool {
    match kind {
        RowKind::Insert => mode.insert,
        RowKind::UpdateBefore => mode.update_before,
        RowKind::UpdateAfter => mode.update_after,
        RowKind::Delete => mode.delete,
    }
}
