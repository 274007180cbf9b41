//! ListOffsets: the start, the end, or the first record from a time on.

use arus_core::Result;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::{Broker, errors};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

pub(super) fn answer(broker: &Broker, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|p| {
            let response = ListOffsetsPartitionResponse::default().with_partition_index(p.partition_index);
            match offset(broker, topic.name.as_str(), p.partition_index, p.timestamp) {
                Ok(offset) => response.with_offset(offset).with_timestamp(-1),
                Err(e) => response.with_error_code(errors::code(&e)).with_offset(-1).with_timestamp(-1),
            }
        });
        ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn offset(broker: &Broker, topic: &str, partition: i32, timestamp: i64) -> Result<i64> {
    let (start, end) = broker.log.bounds(topic, partition)?;
    Ok(match timestamp {
        LATEST => end,
        EARLIEST => start,
        time => broker.log.offset_for_time(topic, partition, time)?.unwrap_or(-1),
    })
}
