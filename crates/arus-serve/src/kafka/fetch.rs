//! Fetch: record batches as they were produced, what is synced only.

use std::time::Duration;

use arus_core::limits::{FETCH_BYTES, FETCH_WAIT_MS, KAFKA_PARTITIONS_A_REQUEST};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use super::{Broker, errors};
use crate::door::Held;
use crate::tls::Wire;

/// The answer, and the room that it holds until the client has taken it.
pub(super) async fn answer(broker: &Broker, request: FetchRequest, wire: &Wire) -> (FetchResponse, Held) {
    let partitions: usize = request.topics.iter().map(|t| t.partitions.len()).sum();
    if partitions > KAFKA_PARTITIONS_A_REQUEST {
        return (FetchResponse::default().with_error_code(ResponseError::InvalidRequest.code()), Held::default());
    }
    let wanted = usize::try_from(request.max_bytes).unwrap_or(0).clamp(1, FETCH_BYTES);
    let (held, room) = broker.door.hold_answer(wanted).await;
    let first = read(broker, &request.topics, room);
    if first.bytes > 0 || first.failed || request.min_bytes <= 0 {
        return (first.response, held);
    }
    // Whoever waits for news holds nothing.
    drop(held);
    let wait = Duration::from_millis(request.max_wait_ms.clamp(0, FETCH_WAIT_MS) as u64);
    let news = request.topics.iter().flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|p| Box::pin(broker.log.wait_for(topic.topic.as_str(), p.partition, p.fetch_offset)))
    });
    let news: Vec<_> = news.collect();
    if news.is_empty() {
        tokio::select! { () = tokio::time::sleep(wait) => {}, () = gone(wire) => {} }
        return (first.response, Held::default());
    }
    // At the timeout the answer is empty, as Kafka's.
    let arrived = tokio::select! {
        arrived = tokio::time::timeout(wait, futures::future::select_all(news)) => arrived.is_ok(),
        () = gone(wire) => false,
    };
    if !arrived {
        return (first.response, Held::default());
    }
    let (held, room) = broker.door.hold_answer(wanted).await;
    (read(broker, &request.topics, room).response, held)
}

/// Ready when the client has closed its side: nobody waits for the news any more.
async fn gone(wire: &Wire) {
    let Some(socket) = wire.tcp() else { return };
    match socket.peek(&mut [0]).await {
        Ok(0) | Err(_) => {}
        // Its next request has come already.
        Ok(_) => std::future::pending().await,
    }
}

struct Read {
    response: FetchResponse,
    bytes: usize,
    failed: bool,
}

fn read(broker: &Broker, topics: &[FetchTopic], budget: usize) -> Read {
    let mut bytes = 0;
    let mut failed = false;
    let responses = topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|p| {
            let data = partition(broker, topic.topic.as_str(), p, budget.saturating_sub(bytes));
            bytes += data.records.as_ref().map_or(0, |r| r.len());
            failed |= data.error_code != 0;
            data
        });
        FetchableTopicResponse::default().with_topic(topic.topic.clone()).with_partitions(partitions.collect())
    });
    let response = FetchResponse::default().with_responses(responses.collect());
    Read { response, bytes, failed }
}

fn partition(broker: &Broker, topic: &str, request: &FetchPartition, budget: usize) -> PartitionData {
    let data = PartitionData::default().with_partition_index(request.partition).with_last_stable_offset(-1);
    let (start, end) = match broker.log.bounds(topic, request.partition) {
        Ok(bounds) => bounds,
        Err(e) => return data.with_error_code(errors::code(&e)).with_high_watermark(-1),
    };
    let data = data.with_high_watermark(end).with_last_stable_offset(end).with_log_start_offset(start);
    if !(start..=end).contains(&request.fetch_offset) {
        return data.with_error_code(ResponseError::OffsetOutOfRange.code());
    }
    let wanted = usize::try_from(request.partition_max_bytes).unwrap_or(0).min(budget);
    if wanted == 0 || request.fetch_offset == end {
        return data.with_records(Some(bytes::Bytes::new()));
    }
    match broker.log.fetch(topic, request.partition, request.fetch_offset, wanted) {
        Ok(fetched) => data.with_records(Some(fetched.batches)),
        Err(e) => data.with_error_code(errors::code(&e)),
    }
}
