//! Our errors as Kafka's codes.

use arus_core::error::Code;
use arus_core::{Error, ErrorKind};
use kafka_protocol::ResponseError;

pub(super) fn code(error: &Error) -> i16 {
    let response = match error.code() {
        Code::UndefinedTable => ResponseError::UnknownTopicOrPartition,
        Code::Conflict | Code::PermissionDenied => ResponseError::TopicAuthorizationFailed,
        Code::InvalidValue => ResponseError::OffsetOutOfRange,
        Code::DiskFull => ResponseError::KafkaStorageError,
        Code::Corrupt => ResponseError::CorruptMessage,
        Code::UnknownProducer => ResponseError::UnknownProducerId,
        Code::ProducerEpoch => ResponseError::InvalidProducerEpoch,
        Code::OutOfOrder => ResponseError::OutOfOrderSequenceNumber,
        _ => match error.kind() {
            ErrorKind::Data => ResponseError::InvalidRecord,
            ErrorKind::Exhausted => ResponseError::ThrottlingQuotaExceeded,
            ErrorKind::External | ErrorKind::Fenced => ResponseError::KafkaStorageError,
            ErrorKind::User => ResponseError::InvalidRequest,
            ErrorKind::Bug => ResponseError::UnknownServerError,
        },
    };
    response.code()
}
