//! The requests that are spoken, and their versions.

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
    MetadataRequest, ProduceRequest, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable};
use tokio::net::TcpStream;

use super::{Broker, ended, fetch, init_producer_id, list_offsets, metadata, produce};
use crate::door::Held;

/// (request, first version, last version): those that are tested with real clients.
pub(super) const APIS: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 9),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 1, 12),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::InitProducerId, 0, 4),
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

pub(super) async fn answer(broker: &Broker, mut frame: Bytes, socket: &TcpStream) -> ended::Result<Answer> {
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
        return Ok(encode(api, 0, correlation, &api_versions().with_error_code(error))?.into());
    }
    let header = RequestHeader::decode(&mut frame, api.request_header_version(version))?;
    let correlation = header.correlation_id;
    Ok(match api {
        ApiKey::ApiVersions => {
            ApiVersionsRequest::decode(&mut frame, version)?;
            encode(api, version, correlation, &api_versions())?.into()
        }
        ApiKey::Metadata => {
            let request = MetadataRequest::decode(&mut frame, version)?;
            encode(api, version, correlation, &metadata::answer(broker, request).await)?.into()
        }
        ApiKey::Produce => {
            let request = ProduceRequest::decode(&mut frame, version)?;
            let wants_answer = request.acks != 0;
            let response = produce::answer(broker, request).await;
            let throttle_ms = response.throttle_time_ms.max(0) as u32;
            let bytes = wants_answer.then(|| encode(api, version, correlation, &response)).transpose()?;
            Answer { bytes, throttle_ms, held: Held::default() }
        }
        ApiKey::Fetch => {
            let request = FetchRequest::decode(&mut frame, version)?;
            let (response, held) = fetch::answer(broker, request, socket).await;
            Answer { bytes: Some(encode(api, version, correlation, &response)?), throttle_ms: 0, held }
        }
        ApiKey::InitProducerId => {
            let request = InitProducerIdRequest::decode(&mut frame, version)?;
            encode(api, version, correlation, &init_producer_id::answer(broker, &request))?.into()
        }
        ApiKey::ListOffsets => {
            let request = ListOffsetsRequest::decode(&mut frame, version)?;
            encode(api, version, correlation, &list_offsets::answer(broker, &request))?.into()
        }
        other => return Err(format!("{other:?} is not supported").into()),
    })
}

fn api_versions() -> ApiVersionsResponse {
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
