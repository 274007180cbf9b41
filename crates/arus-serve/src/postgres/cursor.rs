//! Cursors: a query whose rows a client takes in parts, and the tail of a table's changes.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arus_core::catalog::{DEFAULT_DATABASE, ObjectPath};
use arus_core::change::arrow_bug;
use arus_core::platform::{ChangeEvent, Platform};
use arus_core::{Error, Result};
use futures::{StreamExt, future, stream};
use tokio::sync::Mutex;

use super::encode::Batches;
use super::lexer::{Lexer, Token};

/// Stands behind a table's name: its changes.
const CHANGES: &str = "$changes";

pub(super) struct Cursor {
    pub(super) schema: SchemaRef,
    pub(super) binary: bool,
    /// It outlives its transaction.
    pub(super) hold: bool,
    /// FETCH waits for rows, and takes those that are there.
    pub(super) follows: bool,
    rest: Arc<Mutex<Rest>>,
}

struct Rest {
    batches: Batches,
    /// Rows of the last batch that nobody has taken yet.
    taken: Option<RecordBatch>,
}

impl Cursor {
    pub(super) fn new(schema: SchemaRef, batches: Batches, binary: bool, hold: bool, follows: bool) -> Self {
        let rest = Arc::new(Mutex::new(Rest { batches, taken: None }));
        Cursor { schema, binary, hold, follows, rest }
    }

    /// The next rows as they are asked for; at most `limit`.
    pub(super) fn fetch(&self, limit: u64, patience: Duration) -> Batches {
        let (rest, follows) = (self.rest.clone(), self.follows);
        stream::unfold((rest, limit, false), move |(rest, limit, some)| async move {
            if limit == 0 {
                return None;
            }
            let batch = if follows {
                // The first row is worth waiting for; then what is there already.
                let wait = if some { Duration::ZERO } else { patience };
                let mut rest = rest.lock().await;
                tokio::time::timeout(wait, rest.next(limit)).await.unwrap_or(None)?
            } else {
                rest.lock().await.next(limit).await?
            };
            let rows = batch.as_ref().map_or(0, |b| b.num_rows() as u64);
            Some((batch, (rest, limit - rows, true)))
        })
        .boxed()
    }
}

impl Rest {
    async fn next(&mut self, limit: u64) -> Option<Result<RecordBatch>> {
        let batch = match self.taken.take() {
            Some(batch) => batch,
            None => loop {
                match self.batches.next().await? {
                    Ok(batch) if batch.num_rows() == 0 => {}
                    Ok(batch) => break batch,
                    Err(e) => return Some(Err(e)),
                }
            },
        };
        let count = usize::try_from(limit).unwrap_or(usize::MAX);
        if batch.num_rows() <= count {
            return Some(Ok(batch));
        }
        self.taken = Some(batch.slice(count, batch.num_rows() - count));
        Some(Ok(batch.slice(0, count)))
    }
}

/// The table whose changes `SELECT * FROM "orders$changes"` asks for.
pub(super) fn followed(query: &str) -> Option<ObjectPath> {
    let mut lexer = Lexer::new(query);
    if !lexer.accept("SELECT") || lexer.next() != Some(Token::Sign('*')) || !lexer.accept("FROM") {
        return None;
    }
    let mut names = vec![lexer.name()?];
    while lexer.peek() == Some(Token::Sign('.')) {
        lexer.next();
        names.push(lexer.name()?);
    }
    let name = names.pop()?.strip_suffix(CHANGES)?.to_string();
    let schema = names.pop().filter(|s| s != "public");
    lexer.at_end().then(|| ObjectPath::new(schema.as_deref().unwrap_or(DEFAULT_DATABASE), &name))
}

/// A table's rows, then its changes: what happened, in which epoch, and the row.
pub(super) fn changes(platform: &dyn Platform, table: &ObjectPath, columns: &Schema) -> Result<(SchemaRef, Batches)> {
    let mut fields = vec![
        Arc::new(Field::new("op", DataType::Utf8, true)),
        Arc::new(Field::new("incarnation", DataType::Int64, true)),
        Arc::new(Field::new("epoch", DataType::Int64, true)),
        Arc::new(Field::new("durable", DataType::Boolean, true)),
    ];
    fields.extend(columns.fields().iter().cloned());
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let events = platform.changes(table, None)?;
    let shown = schema.clone();
    let batches = events.filter_map(move |event| {
        future::ready(match event {
            Ok(ChangeEvent::Reset { .. }) => None,
            Ok(ChangeEvent::Changes { batch, cut, durable, .. }) => {
                let rows = batch.num_rows();
                let ops: StringArray = (0..rows).map(|row| Some(batch.kind(row).short())).collect();
                let mut arrays: Vec<ArrayRef> = vec![
                    Arc::new(ops),
                    Arc::new(Int64Array::from(vec![cut.incarnation as i64; rows])),
                    Arc::new(Int64Array::from(vec![cut.epoch as i64; rows])),
                    Arc::new(BooleanArray::from(vec![durable; rows])),
                ];
                arrays.extend(batch.rows().columns().iter().cloned());
                Some(RecordBatch::try_new(shown.clone(), arrays).map_err(arrow_bug))
            }
            Err(e) => Some(Err(e)),
        })
    });
    Ok((schema, batches.boxed()))
}

pub(super) fn unknown(name: &str) -> Error {
    Error::user(format!("cursor \"{name}\" does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(from: i64, to: i64) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(from..to))]).expect("one column")
    }

    #[tokio::test]
    async fn rows_are_taken_in_parts() {
        let batches = stream::iter([Ok(numbers(0, 5)), Ok(numbers(5, 5)), Ok(numbers(5, 7))]).boxed();
        let cursor = Cursor::new(numbers(0, 0).schema(), batches, false, false, false);
        let fetch = async |n| {
            let parts: Vec<_> = cursor.fetch(n, Duration::ZERO).collect().await;
            parts.iter().map(|b| b.as_ref().expect("rows").num_rows()).collect::<Vec<_>>()
        };
        assert_eq!(fetch(2).await, [2]);
        assert_eq!(fetch(4).await, [3, 1]);
        assert_eq!(fetch(u64::MAX).await, [1]);
        assert!(fetch(1).await.is_empty());
    }

    #[test]
    fn a_tail_is_asked_for_by_name() {
        let path = |database: &str, name: &str| Some(ObjectPath::new(database, name));
        assert_eq!(followed("SELECT * FROM \"Orders$changes\""), path(DEFAULT_DATABASE, "Orders"));
        assert_eq!(followed("select * from shop.orders$changes"), path("shop", "orders"));
        assert_eq!(followed("SELECT * FROM orders"), None);
        assert_eq!(followed("SELECT op FROM \"orders$changes\" WHERE 1=1"), None);
    }
}
