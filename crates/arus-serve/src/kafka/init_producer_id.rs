//! InitProducerId: an id for an idempotent producer. Like Kafka's broker it gives a new one to whoever has none to defend:
//! a client that only wants a new epoch takes the next one by itself.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::Broker;

pub(super) fn answer(broker: &Broker, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    let response = InitProducerIdResponse::default();
    if let Some(id) = &request.transactional_id {
        tracing::warn!("transactional producer '{}' refused: transactions are not supported", id.as_str());
        let refused = response.with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
        return refused.with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code());
    }
    response.with_producer_id(ProducerId(broker.log.new_producer_id())).with_producer_epoch(0)
}
