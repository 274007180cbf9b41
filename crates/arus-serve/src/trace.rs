//! Spans of what comes by a door, for traces. Their target is [`TARGET`], their level TRACE, so that the log knows nothing of
//! them; of a statement they have its first words alone, since its text may hold what is secret.

use arus_core::Result;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// What the exporter of traces takes.
const TARGET: &str = "arus::trace";
/// Words of a statement that say what it is.
const WORDS: usize = 2;

/// `SELECT`, `CREATE TABLE`: nothing that a user has named.
fn kind(statement: &str) -> String {
    let words = statement.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let mut words = words.map(str::to_ascii_uppercase);
    let first = words.next().unwrap_or_default();
    let two = ["CREATE", "ALTER", "DROP", "SHOW", "EXPLAIN"].contains(&first.as_str());
    let more = words.take(WORDS - 1).filter(|_| two);
    std::iter::once(first).chain(more).collect::<Vec<_>>().join(" ")
}

/// A statement up to its first rows.
pub(crate) async fn statement<T>(door: &'static str, text: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let span = tracing::trace_span!(target: TARGET, "statement", door, statement = Empty, error = Empty);
    if !span.is_disabled() {
        span.record("statement", kind(text));
    }
    traced(span, work).await
}

/// Rows of a client, up to the answer.
pub(crate) async fn ingest<T>(door: &'static str, table: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    traced(tracing::trace_span!(target: TARGET, "ingest", door, table, error = Empty), work).await
}

async fn traced<T>(span: Span, work: impl Future<Output = Result<T>>) -> Result<T> {
    let done = work.instrument(span.clone()).await;
    if let Err(error) = &done {
        span.record("error", error.sqlstate());
    }
    done
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn a_statement_is_named_by_its_first_words() {
        assert_eq!(kind(" select * from secret"), "SELECT");
        assert_eq!(kind("CREATE USER ann WITH PASSWORD 'x'"), "CREATE USER");
        assert_eq!(kind("-- x\n"), "X");
        assert_eq!(kind("(SELECT 1)"), "SELECT");
    }
}
