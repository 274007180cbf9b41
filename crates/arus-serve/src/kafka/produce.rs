//! Produce: appended, synced, then acknowledged.

use arus_core::Error;
use arus_core::error::Code;
use arus_core::limits::KAFKA_PARTITIONS_A_REQUEST;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Broker, errors};
use crate::trace;

/// acks=1 and acks=all are one thing here.
const ACKS: [i16; 3] = [-1, 0, 1];

pub(super) async fn answer(broker: &Broker, request: ProduceRequest) -> ProduceResponse {
    let partitions: usize = request.topic_data.iter().map(|t| t.partition_data.len()).sum();
    let refusal = if request.transactional_id.is_some() {
        Some((ResponseError::TransactionalIdAuthorizationFailed, "transactions are not supported"))
    } else if !ACKS.contains(&request.acks) {
        Some((ResponseError::InvalidRequiredAcks, "expected acks of 0, 1 or all"))
    } else if partitions > KAFKA_PARTITIONS_A_REQUEST {
        Some((ResponseError::InvalidRequest, "the request names too many partitions"))
    } else {
        None
    };
    // One group fsync serves all partitions of the request.
    let topics = request.topic_data.into_iter().map(|topic| async move {
        let name = topic.name.clone();
        let partitions = topic.partition_data.into_iter().map(|data| partition(broker, name.as_str(), data, refusal));
        let responses = futures::future::join_all(partitions).await;
        let throttle_ms = responses.iter().map(|(_, ms)| *ms).max().unwrap_or(0);
        let responses = responses.into_iter().map(|(response, _)| response).collect();
        (TopicProduceResponse::default().with_name(topic.name).with_partition_responses(responses), throttle_ms)
    });
    let topics = futures::future::join_all(topics).await;
    let throttle_ms = topics.iter().map(|(_, ms)| *ms).max().unwrap_or(0);
    ProduceResponse::default()
        .with_responses(topics.into_iter().map(|(topic, _)| topic).collect())
        .with_throttle_time_ms(throttle_ms as i32)
}

/// The answer, and for how many milliseconds the client is asked to hold back.
async fn partition(
    broker: &Broker,
    topic: &str,
    data: PartitionProduceData,
    refusal: Option<(ResponseError, &'static str)>,
) -> (PartitionProduceResponse, u32) {
    let response =
        PartitionProduceResponse::default().with_index(data.index).with_log_append_time_ms(-1).with_base_offset(-1);
    if let Some((error, why)) = refusal {
        let why = Some(StrBytes::from_static_str(why));
        return (response.with_error_code(error.code()).with_error_message(why), 0);
    }
    let produced = broker.log.produce(topic, data.index, data.records.unwrap_or_default());
    match trace::ingest("kafka", topic, produced).await {
        Ok(ack) => {
            let response = response.with_base_offset(ack.base_offset).with_log_start_offset(ack.log_start_offset);
            (response, ack.throttle_ms)
        }
        Err(e) => {
            let why = Some(StrBytes::from_string(e.to_string()));
            (response.with_error_code(code(&e)).with_error_message(why), 0)
        }
    }
}

/// A batch that is none says nothing of offsets.
fn code(error: &Error) -> i16 {
    match error.code() {
        Code::InvalidValue => ResponseError::InvalidRecord.code(),
        _ => errors::code(error),
    }
}
