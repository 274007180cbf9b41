//! The requests that are spoken, and their versions.

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
    MetadataRequest, ProduceRequest, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::{Broker, ended, fetch, init_producer_id, list_offsets, metadata, produce};
use crate::door::Held;
use crate::tls::Wire;

/// (request, first version, last version): those that are tested with real clients.
pub(super) const APIS: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 9),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 1, 12),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::InitProducerId, 0, 4),
    (ApiKey::SaslHandshake, 0, 1),
    (ApiKey::SaslAuthenticate, 0, 2),
];

/// What goes back to the client.
#[derive(Default)]
pub(super) struct Answer {
    /// `None`: the request wants no answer (acks=0).
    pub(super) bytes: Option<Bytes>,
    /// For how long the connection is not read.
    pub(super) throttle_ms: u32,
    /// Held until the client has taken the answer.
    pub(super) held: Held,
}

impl From<Bytes> for Answer {
    fn from(bytes: Bytes) -> Self {
        Answer { bytes: Some(bytes), ..Answer::default() }
    }
}

/// A request whose body is not read yet.
pub(super) struct Head {
    pub(super) api: ApiKey,
    pub(super) version: i16,
    correlation: i32,
    body: Bytes,
}

pub(super) enum Heard {
    Request(Head),
    /// The request is answered already.
    Answer(Answer),
}

impl Head {
    pub(super) fn decode<T: Decodable>(&self) -> ended::Result<T> {
        Ok(T::decode(&mut self.body.clone(), self.version)?)
    }

    pub(super) fn encode(&self, body: &impl Encodable) -> ended::Result<Answer> {
        Ok(self.bytes(body)?.into())
    }

    fn bytes(&self, body: &impl Encodable) -> ended::Result<Bytes> {
        encode(self.api, self.version, self.correlation, body)
    }
}

pub(super) fn head(mut frame: Bytes) -> ended::Result<Heard> {
    if frame.len() < 8 {
        return Err("the request has no header".into());
    }
    let key = i16::from_be_bytes([frame[0], frame[1]]);
    let version = i16::from_be_bytes([frame[2], frame[3]]);
    let api = ApiKey::try_from(key).map_err(|()| "the request is unknown")?;
    let Some((_, first, last)) = APIS.iter().find(|(a, _, _)| *a == api) else {
        return Err(format!("{api:?} is not supported").into());
    };
    if !(*first..=*last).contains(&version) {
        if api != ApiKey::ApiVersions {
            return Err(format!("{api:?} version {version} is not supported").into());
        }
        // A newer client asks again with a version of this answer.
        let correlation = i32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
        let error = ResponseError::UnsupportedVersion.code();
        return Ok(Heard::Answer(encode(api, 0, correlation, &api_versions().with_error_code(error))?.into()));
    }
    let header = RequestHeader::decode(&mut frame, api.request_header_version(version))?;
    Ok(Heard::Request(Head { api, version, correlation: header.correlation_id, body: frame }))
}

pub(super) async fn answer(broker: &Broker, head: Head, wire: &Wire) -> ended::Result<Answer> {
    Ok(match head.api {
        ApiKey::ApiVersions => {
            head.decode::<ApiVersionsRequest>()?;
            head.encode(&api_versions())?
        }
        ApiKey::Metadata => head.encode(&metadata::answer(broker, head.decode::<MetadataRequest>()?).await)?,
        ApiKey::Produce => {
            let request: ProduceRequest = head.decode()?;
            let wants_answer = request.acks != 0;
            let response = produce::answer(broker, request).await;
            let throttle_ms = response.throttle_time_ms.max(0) as u32;
            let bytes = wants_answer.then(|| head.bytes(&response)).transpose()?;
            Answer { bytes, throttle_ms, held: Held::default() }
        }
        ApiKey::Fetch => {
            let (response, held) = fetch::answer(broker, head.decode::<FetchRequest>()?, wire).await;
            Answer { bytes: Some(head.bytes(&response)?), throttle_ms: 0, held }
        }
        ApiKey::InitProducerId => {
            head.encode(&init_producer_id::answer(broker, &head.decode::<InitProducerIdRequest>()?))?
        }
        ApiKey::ListOffsets => head.encode(&list_offsets::answer(broker, &head.decode::<ListOffsetsRequest>()?))?,
        other => return Err(format!("{other:?} is not supported here").into()),
    })
}

pub(super) fn api_versions() -> ApiVersionsResponse {
    let apis = APIS.iter().map(|(api, first, last)| {
        ApiVersion::default().with_api_key(*api as i16).with_min_version(*first).with_max_version(*last)
    });
    ApiVersionsResponse::default().with_api_keys(apis.collect())
}

fn encode(api: ApiKey, version: i16, correlation: i32, body: &impl Encodable) -> ended::Result<Bytes> {
    let mut out = BytesMut::new();
    let header = ResponseHeader::default().with_correlation_id(correlation);
    header.encode(&mut out, api.response_header_version(version))?;
    body.encode(&mut out, version)?;
    Ok(out.freeze())
}
