//! Produce: appended, synced, then acknowledged.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Broker, errors};

pub(super) async fn answer(broker: &Broker, request: ProduceRequest) -> ProduceResponse {
    let transactional = request.transactional_id.is_some();
    // One group fsync serves all partitions of the request.
    let topics = request.topic_data.into_iter().map(|topic| async move {
        let name = topic.name.clone();
        let partitions =
            topic.partition_data.into_iter().map(|data| partition(broker, name.as_str(), data, transactional));
        let responses = futures::future::join_all(partitions).await;
        TopicProduceResponse::default().with_name(topic.name).with_partition_responses(responses)
    });
    ProduceResponse::default().with_responses(futures::future::join_all(topics).await)
}

async fn partition(
    broker: &Broker,
    topic: &str,
    data: PartitionProduceData,
    transactional: bool,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(data.index).with_log_append_time_ms(-1);
    if transactional {
        return response
            .with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code())
            .with_error_message(Some(StrBytes::from_static_str("transactions are not supported yet")));
    }
    match broker.log.produce(topic, data.index, data.records.unwrap_or_default()).await {
        Ok(ack) => response.with_base_offset(ack.base_offset).with_log_start_offset(ack.log_start_offset),
        Err(e) => response
            .with_base_offset(-1)
            .with_error_code(errors::code(&e))
            .with_error_message(Some(StrBytes::from_string(e.to_string()))),
    }
}
