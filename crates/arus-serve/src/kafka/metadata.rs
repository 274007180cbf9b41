//! Metadata: one broker that leads everything. A producer's unknown topic is created.

use arus_core::Error;
use arus_core::platform::TopicInfo;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::{Broker, errors};

/// The only broker.
const BROKER: BrokerId = BrokerId(1);

pub(super) async fn answer(broker: &Broker, request: MetadataRequest) -> MetadataResponse {
    let mut topics = vec![];
    match request.topics {
        None => topics.extend(broker.log.topics().iter().map(known)),
        Some(asked) => {
            for topic in asked {
                let Some(name) = topic.name else { continue };
                topics.push(one(broker, name, request.allow_auto_topic_creation).await);
            }
        }
    }
    let here = MetadataResponseBroker::default()
        .with_node_id(BROKER)
        .with_host(StrBytes::from_string(broker.host.clone()))
        .with_port(i32::from(broker.port));
    MetadataResponse::default()
        .with_brokers(vec![here])
        .with_cluster_id(Some(StrBytes::from_static_str("arus")))
        .with_controller_id(BROKER)
        .with_topics(topics)
}

async fn one(broker: &Broker, name: TopicName, create: bool) -> MetadataResponseTopic {
    let unknown = |code: i16| MetadataResponseTopic::default().with_name(Some(name.clone())).with_error_code(code);
    let found = match broker.log.topic(name.as_str()) {
        Ok(Some(topic)) => Ok(topic),
        Err(e) => Err(e),
        Ok(None) if !is_valid(name.as_str()) => return unknown(ResponseError::InvalidTopicException.code()),
        Ok(None) if create => broker.log.create_topic(name.as_str(), None).await,
        Ok(None) => return unknown(ResponseError::UnknownTopicOrPartition.code()),
    };
    match found {
        Ok(topic) => known(&topic),
        Err(e) => {
            warn(&name, &e);
            unknown(errors::code(&e))
        }
    }
}

fn warn(name: &TopicName, error: &Error) {
    tracing::warn!("topic '{}' is refused: {error}", name.as_str());
}

fn known(topic: &TopicInfo) -> MetadataResponseTopic {
    let partitions = (0..topic.partitions).map(|index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BROKER)
            .with_leader_epoch(0)
            .with_replica_nodes(vec![BROKER])
            .with_isr_nodes(vec![BROKER])
    });
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name.clone()))))
        .with_partitions(partitions.collect())
}

/// Kafka's rule for names.
fn is_valid(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 249
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_kafkas() {
        for good in ["a", "db.table", "A-1_b"] {
            assert!(super::is_valid(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "ä", "a b"] {
            assert!(!super::is_valid(bad), "{bad}");
        }
    }
}
