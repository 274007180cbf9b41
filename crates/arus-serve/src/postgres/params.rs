//! Parameters of the wire as text: binary ones are written as PostgreSQL would write their value.

use arus_core::postgres_time::{self as times, Zone};
use pgwire::api::Type;
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};

use super::types;

/// A reader of one binary value.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn rest(&mut self) -> String {
        String::from_utf8_lossy(std::mem::take(&mut self.0)).into_owned()
    }
}

/// The value's text.
pub(super) fn text(bytes: &[u8], ty: &Type, binary: bool) -> PgWireResult<String> {
    if !binary {
        return std::str::from_utf8(bytes).map(str::to_string).map_err(|_| wrong("22021", "a parameter is no UTF-8"));
    }
    let mut reader = Bytes(bytes);
    let text = decode(&mut reader, ty);
    match text {
        Some(text) if reader.0.is_empty() => Ok(text),
        _ => Err(wrong("22P03", &format!("incorrect binary data of a parameter of type {}", ty.name()))),
    }
}

fn wrong(code: &str, message: &str) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".into(), code.into(), message.into())))
}

fn decode(bytes: &mut Bytes<'_>, ty: &Type) -> Option<String> {
    let mut out = String::new();
    match *ty {
        Type::BOOL => out.push_str(if bytes.take::<1>()?[0] == 0 { "false" } else { "true" }),
        Type::INT2 => out = bytes.i16()?.to_string(),
        Type::INT4 => out = bytes.i32()?.to_string(),
        Type::INT8 => out = bytes.i64()?.to_string(),
        Type::OID | Type::REGCLASS | Type::REGTYPE | Type::REGPROC => {
            out = bytes.take().map(u32::from_be_bytes)?.to_string();
        }
        Type::FLOAT4 => out = bytes.take().map(f32::from_be_bytes)?.to_string(),
        Type::FLOAT8 => out = bytes.take().map(f64::from_be_bytes)?.to_string(),
        Type::NUMERIC => out = numeric(bytes)?,
        Type::BYTEA => {
            out.push_str("\\x");
            for b in std::mem::take(&mut bytes.0) {
                out.push_str(&format!("{b:02x}"));
            }
        }
        Type::DATE => times::write_date(&mut out, bytes.i32()?.checked_add(times::EPOCH_DAYS)?),
        Type::TIME => times::write_time(&mut out, bytes.i64()?),
        Type::TIMESTAMP => times::write_timestamp(&mut out, bytes.i64()?.checked_add(times::EPOCH_MICROS)?),
        Type::TIMESTAMPTZ => times::write_instant(&mut out, bytes.i64()?.checked_add(times::EPOCH_MICROS)?, Zone::UTC),
        Type::INTERVAL => {
            let (micros, days, months) = (bytes.i64()?, bytes.i32()?, bytes.i32()?);
            times::write_interval(&mut out, months, days, micros);
        }
        Type::UUID => {
            let hex: String = bytes.take::<16>()?.iter().map(|b| format!("{b:02x}")).collect();
            out = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        }
        Type::JSONB => {
            bytes.take::<1>()?;
            out = bytes.rest();
        }
        _ if ty.name().starts_with('_') => out = array(bytes)?,
        _ => out = bytes.rest(),
    }
    Some(out)
}

fn numeric(bytes: &mut Bytes<'_>) -> Option<String> {
    const NEGATIVE: i16 = 0x4000;
    let (groups, weight, sign, scale) = (bytes.i16()?, bytes.i16()?, bytes.i16()?, bytes.i16()?);
    match sign {
        0 | NEGATIVE => {}
        -0x4000 => return Some("NaN".into()),
        -0x3000 => return Some("Infinity".into()),
        _ => return Some("-Infinity".into()),
    }
    let digits: Vec<i16> = (0..groups).map(|_| bytes.i16()).collect::<Option<_>>()?;
    let group = |at: i32| usize::try_from(at).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0);
    let mut out = String::new();
    if sign == NEGATIVE {
        out.push('-');
    }
    let weight = i32::from(weight);
    let whole: String = (0..=weight).map(|at| format!("{:04}", group(at))).collect();
    let whole = whole.trim_start_matches('0');
    out.push_str(if whole.is_empty() { "0" } else { whole });
    let scale = usize::try_from(scale).ok()?;
    if scale > 0 {
        let fraction: String = (0..scale.div_ceil(4) as i32).map(|i| format!("{:04}", group(weight + 1 + i))).collect();
        out.push('.');
        out.push_str(&fraction[..scale]);
    }
    Some(out)
}

/// `{1,2}`: of one dimension.
fn array(bytes: &mut Bytes<'_>) -> Option<String> {
    let (dimensions, _nulls, element) = (bytes.i32()?, bytes.i32()?, bytes.i32()?);
    let element = Type::from_oid(element as u32).unwrap_or(Type::TEXT);
    let mut out = String::from("{");
    if dimensions > 1 {
        return None;
    }
    if dimensions == 1 {
        let (count, _lower) = (bytes.i32()?, bytes.i32()?);
        for i in 0..count {
            if i > 0 {
                out.push(',');
            }
            let Ok(length) = usize::try_from(bytes.i32()?) else {
                out.push_str("NULL");
                continue;
            };
            let (value, rest) = bytes.0.split_at_checked(length)?;
            bytes.0 = rest;
            let text = decode(&mut Bytes(value), &element)?;
            out.push('"');
            out.push_str(&text.replace('\\', "\\\\").replace('"', "\\\""));
            out.push('"');
        }
    }
    out.push('}');
    Some(out)
}

/// What the engine hears of a client's declared type.
pub(super) fn declared(ty: Option<&Type>, text: Option<&str>) -> Option<arrow::datatypes::DataType> {
    ty.and_then(|ty| types::to_arrow(ty, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_values_become_text() {
        let decode = |bytes: &[u8], ty: &Type| text(bytes, ty, true).expect("well-formed");
        assert_eq!(decode(&[0, 1], &Type::INT2), "1");
        assert_eq!(decode(&[0, 2, 0, 0, 0, 0, 0, 2, 0, 12, 0x13, 0x88], &Type::NUMERIC), "12.50");
        assert_eq!(decode(&[0, 1, 0xff, 0xff, 0x40, 0, 0, 3, 0, 10], &Type::NUMERIC), "-0.001");
        assert_eq!(decode(&8770i32.to_be_bytes(), &Type::DATE), "2024-01-05");
        assert_eq!(decode(&[1, b'{', b'}'], &Type::JSONB), "{}");
        let array =
            [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7, 255, 255, 255, 255];
        assert_eq!(decode(&array, &Type::INT4_ARRAY), "{\"7\",NULL}");
        assert!(text(&[0], &Type::INT4, true).is_err());
    }
}
