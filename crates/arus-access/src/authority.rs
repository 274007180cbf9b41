//! A certificate authority of one's own: for a server that others connect to before anybody has bought a certificate.
//!
//! X.509 version 3 with ECDSA on P-256, written as DER by hand: the two kinds of certificate that are made here need a dozen
//! fields. Clients get the authority's certificate by hand and trust nothing else.

use std::net::IpAddr;

use arus_core::text::{Civil, NANOS_PER_DAY};
use arus_core::{Error, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::random;
use crate::scram::sha256;

const DAY_MS: i64 = 86_400_000;
const AUTHORITY_DAYS: i64 = 3_650;
/// What browsers accept at most.
const SERVER_DAYS: i64 = 397;
/// Clocks of others may be behind.
const SKEW_MS: i64 = DAY_MS;

const OID_COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const OID_ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0A];
const OID_EC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const OID_P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const OID_ECDSA_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
const OID_SUBJECT_KEY: &[u8] = &[0x55, 0x1D, 0x0E];
const OID_KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x0F];
const OID_ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1D, 0x11];
const OID_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 0x13];
const OID_AUTHORITY_KEY: &[u8] = &[0x55, 0x1D, 0x23];
const OID_EXTENDED_USAGE: &[u8] = &[0x55, 0x1D, 0x25];
const OID_SERVER: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0C;
const GENERALIZED_TIME: u8 = 0x18;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const TRUE: [u8; 3] = [0x01, 0x01, 0xFF];

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

/// By which names and addresses a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub names: Vec<String>,
    pub addresses: Vec<IpAddr>,
}

pub struct Authority {
    key: EcdsaKeyPair,
    name: Vec<u8>,
    issued: Issued,
}

impl Authority {
    /// A new one, valid for ten years.
    pub fn make(now_ms: i64) -> Result<Self> {
        let (key, key_pem) = new_key()?;
        // Two authorities of the same name would be taken for one another.
        let label: String = random::bytes::<4>()?.iter().map(|b| format!("{b:02x}")).collect();
        let name = name(&format!("Arus local authority {label}"));
        let public = key.public_key().as_ref().to_vec();
        let extensions = [
            extension(OID_CONSTRAINTS, true, &tlv(SEQUENCE, &[&TRUE[..], &tlv(INTEGER, &[0])].concat())),
            // Signs certificates and lists of revoked ones.
            extension(OID_KEY_USAGE, true, &tlv(BITS, &[1, 0x06])),
            extension(OID_SUBJECT_KEY, false, &tlv(OCTETS, &key_id(&public))),
        ];
        let body = Body { issuer: &name, subject: &name, public: &public, now_ms, days: AUTHORITY_DAYS };
        let certificate = pem("CERTIFICATE", &signed(&key, &body, &extensions)?);
        let issued = Issued { certificate, key: key_pem };
        Ok(Authority { key, name, issued })
    }

    /// The one that was made before.
    pub fn read(certificate: &str, key: &str) -> Result<Self> {
        let der = un_pem("PRIVATE KEY", key)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der)
            .map_err(|e| Error::user(format!("the key of the certificate authority cannot be read: {e}")))?;
        let name = fields(certificate)?.subject;
        let issued = Issued { certificate: certificate.into(), key: key.into() };
        Ok(Authority { key: pair, name, issued })
    }

    pub fn issued(&self) -> &Issued {
        &self.issued
    }

    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` prints it.
    pub fn fingerprint(&self) -> Result<String> {
        let digest = sha256(&un_pem("CERTIFICATE", &self.issued.certificate)?);
        Ok(digest.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":"))
    }

    /// A certificate for a server, valid for thirteen months; the authority's own stands behind it.
    pub fn issue(&self, server: &Subject, now_ms: i64) -> Result<Issued> {
        let (key, key_pem) = new_key()?;
        let public = key.public_key().as_ref().to_vec();
        let mut names: Vec<u8> = server.names.iter().flat_map(|n| tlv(0x82, n.as_bytes())).collect();
        for address in &server.addresses {
            match address {
                IpAddr::V4(v4) => names.extend(tlv(0x87, &v4.octets())),
                IpAddr::V6(v6) => names.extend(tlv(0x87, &v6.octets())),
            }
        }
        let authority = key_id(self.key.public_key().as_ref());
        let extensions = [
            extension(OID_CONSTRAINTS, true, &tlv(SEQUENCE, &[])),
            // Signs handshakes.
            extension(OID_KEY_USAGE, true, &tlv(BITS, &[7, 0x80])),
            extension(OID_EXTENDED_USAGE, false, &tlv(SEQUENCE, &tlv(OID, OID_SERVER))),
            extension(OID_ALTERNATIVE_NAMES, false, &tlv(SEQUENCE, &names)),
            extension(OID_SUBJECT_KEY, false, &tlv(OCTETS, &key_id(&public))),
            extension(OID_AUTHORITY_KEY, false, &tlv(SEQUENCE, &tlv(0x80, &authority))),
        ];
        let common = server.names.first().cloned().unwrap_or_else(|| "arus".into());
        let subject = name(&common);
        let body = Body { issuer: &self.name, subject: &subject, public: &public, now_ms, days: SERVER_DAYS };
        let certificate = pem("CERTIFICATE", &signed(&self.key, &body, &extensions)?) + &self.issued.certificate;
        Ok(Issued { certificate, key: key_pem })
    }
}

/// Until when the first certificate of a PEM file is valid.
pub fn certificate_ends_ms(certificate: &str) -> Result<i64> {
    fields(certificate).map(|fields| fields.ends_ms)
}

fn new_key() -> Result<(EcdsaKeyPair, String)> {
    let failed = |_| Error::external("no key could be made");
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(failed)?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref())
        .map_err(|e| Error::bug(format!("a key that was just made cannot be read: {e}")))?;
    Ok((key, pem("PRIVATE KEY", document.as_ref())))
}

struct Body<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    public: &'a [u8],
    now_ms: i64,
    days: i64,
}

/// The certificate as DER.
fn signed(key: &EcdsaKeyPair, body: &Body<'_>, extensions: &[Vec<u8>]) -> Result<Vec<u8>> {
    let algorithm = tlv(SEQUENCE, &tlv(OID, OID_ECDSA_SHA256));
    let mut serial = random::bytes::<16>()?;
    // Positive, and as long as it looks.
    serial[0] = serial[0] & 0x3F | 0x40;
    let validity = [time(body.now_ms - SKEW_MS), time(body.now_ms + body.days * DAY_MS)].concat();
    let kind = tlv(SEQUENCE, &[tlv(OID, OID_EC_KEY), tlv(OID, OID_P256)].concat());
    let public = tlv(SEQUENCE, &[kind, tlv(BITS, &[&[0], body.public].concat())].concat());
    let content = [
        tlv(0xA0, &tlv(INTEGER, &[2])),
        tlv(INTEGER, &serial),
        algorithm.clone(),
        body.issuer.to_vec(),
        tlv(SEQUENCE, &validity),
        body.subject.to_vec(),
        public,
        tlv(0xA3, &tlv(SEQUENCE, &extensions.concat())),
    ];
    let content = tlv(SEQUENCE, &content.concat());
    let signature =
        key.sign(&SystemRandom::new(), &content).map_err(|_| Error::external("the certificate could not be signed"))?;
    Ok(tlv(SEQUENCE, &[content, algorithm, tlv(BITS, &[&[0], signature.as_ref()].concat())].concat()))
}

fn name(common: &str) -> Vec<u8> {
    let one = |oid: &[u8], text: &str| tlv(SET, &tlv(SEQUENCE, &[tlv(OID, oid), tlv(UTF8, text.as_bytes())].concat()));
    tlv(SEQUENCE, &[one(OID_ORGANIZATION, "Arus"), one(OID_COMMON_NAME, common)].concat())
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &TRUE } else { &[] };
    tlv(SEQUENCE, &[&tlv(OID, oid), critical, &tlv(OCTETS, value)].concat())
}

/// Names a key.
fn key_id(public: &[u8]) -> Vec<u8> {
    sha256(public)[..20].to_vec()
}

fn time(ms: i64) -> Vec<u8> {
    let at = Civil::from_units(ms, 3);
    let (year, month, day) = at.date();
    let rest = format!("{month:02}{day:02}{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second());
    if (1950..2050).contains(&year) {
        tlv(UTC_TIME, format!("{:02}{rest}", year % 100).as_bytes())
    } else {
        tlv(GENERALIZED_TIME, format!("{year:04}{rest}").as_bytes())
    }
}

/// Tag, length, value.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    if value.len() < 0x80 {
        out.push(value.len() as u8);
    } else {
        let length: Vec<u8> = value.len().to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
        out.push(0x80 | length.len() as u8);
        out.extend(length);
    }
    out.extend_from_slice(value);
    out
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The first of that label.
fn un_pem(label: &str, text: &str) -> Result<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let body = text.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end)).map(|(body, _)| body);
    let body: Option<String> = body.map(|body| body.split_whitespace().collect());
    body.and_then(|body| STANDARD.decode(body).ok())
        .ok_or_else(|| Error::user(format!("expected a PEM file with a {label}")))
}

struct Fields {
    /// As it stands, with tag and length.
    subject: Vec<u8>,
    ends_ms: i64,
}

/// What is needed of a certificate that was made before.
fn fields(certificate: &str) -> Result<Fields> {
    let der = un_pem("CERTIFICATE", certificate)?;
    let read = || -> Option<Fields> {
        let (_, outer, _) = element(&der)?;
        let (_, mut rest, _) = element(outer)?;
        let mut found = vec![];
        while let Some((whole, value, after)) = element(rest) {
            found.push((whole, value));
            rest = after;
        }
        // Without a version it is of version 1, and the fields move up.
        let first = usize::from(found.first()?.0.first()? == &0xA0);
        let (validity, subject) = (found.get(first + 3)?.1, found.get(first + 4)?.0);
        let (_, _, ends) = element(validity)?;
        let (whole, text, _) = element(ends)?;
        Some(Fields { subject: subject.to_vec(), ends_ms: parse_time(whole[0], text)? })
    };
    read().ok_or_else(|| Error::user("the certificate cannot be read: expected X.509 in PEM"))
}

/// The first element, its value, what follows.
fn element(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let first = usize::from(*der.get(1)?);
    let (length, at) = if first < 0x80 {
        (first, 2)
    } else {
        let count = first & 0x7F;
        let bytes = der.get(2..2 + count).filter(|_| (1..=4).contains(&count))?;
        (bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b)), 2 + count)
    };
    let end = at.checked_add(length).filter(|end| *end <= der.len())?;
    Some((&der[..end], &der[at..end], &der[end..]))
}

fn parse_time(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2_000 + year } else { 1_900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day) = (part(0)?, part(2)?);
    let seconds = part(4)? * 3_600 + part(6)? * 60 + part(8)?;
    let days = arus_core::text::days_from_civil(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    Civil { days, nanos: (seconds * 1_000_000_000).min(NANOS_PER_DAY - 1) }.to_units(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    #[test]
    fn a_certificate_is_read_back() {
        let authority = Authority::make(NOW).unwrap();
        let Issued { certificate, key } = authority.issued().clone();
        assert_eq!(certificate_ends_ms(&certificate).unwrap() / 1_000, (NOW + AUTHORITY_DAYS * DAY_MS) / 1_000);
        let again = Authority::read(&certificate, &key).unwrap();
        assert_eq!(again.name, authority.name);
        assert_eq!(again.fingerprint().unwrap(), authority.fingerprint().unwrap());
        let server = Subject { names: vec!["localhost".into()], addresses: vec!["127.0.0.1".parse().unwrap()] };
        let issued = again.issue(&server, NOW).unwrap();
        assert_eq!(issued.certificate.matches("BEGIN CERTIFICATE").count(), 2);
        assert_eq!(certificate_ends_ms(&issued.certificate).unwrap() / 1_000, (NOW + SERVER_DAYS * DAY_MS) / 1_000);
        assert!(Authority::read(&certificate, "no key").is_err() && certificate_ends_ms("nothing").is_err());
    }

    #[test]
    fn lengths_and_times_are_ders() {
        assert_eq!(tlv(OCTETS, &[7; 3]), [4, 3, 7, 7, 7]);
        assert_eq!(tlv(OCTETS, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(tlv(OCTETS, &[0; 300])[..4], [4, 0x82, 1, 44]);
        for ms in [NOW, 2_524_608_000_000] {
            let der = time(ms);
            let (whole, text, _) = element(&der).unwrap();
            assert_eq!(parse_time(whole[0], text), Some(ms / 1_000 * 1_000));
        }
        assert!(element(&[4, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0]).is_none() && element(&[4]).is_none());
    }
}
