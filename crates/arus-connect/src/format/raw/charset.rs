//! Java's standard charsets. What cannot be read becomes U+FFFD, what cannot be written `?`, as Java does it.

use std::borrow::Cow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    /// Big endian unless a byte order mark says otherwise; written with a mark.
    Utf16,
    Utf16Be,
    Utf16Le,
    Latin1,
    Ascii,
}

pub(super) const NAMES: &[&str] = &["UTF-8", "UTF-16", "UTF-16BE", "UTF-16LE", "ISO-8859-1", "US-ASCII"];

impl Charset {
    /// One of [`NAMES`].
    pub(super) fn named(name: &str) -> Self {
        match name {
            "UTF-16" => Charset::Utf16,
            "UTF-16BE" => Charset::Utf16Be,
            "UTF-16LE" => Charset::Utf16Le,
            "ISO-8859-1" => Charset::Latin1,
            "US-ASCII" => Charset::Ascii,
            _ => Charset::Utf8,
        }
    }

    pub(super) fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Charset::Utf8 => String::from_utf8_lossy(bytes),
            Charset::Utf16 => match bytes {
                [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
                [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
                _ => utf16(bytes, u16::from_be_bytes),
            },
            Charset::Utf16Be => utf16(bytes, u16::from_be_bytes),
            Charset::Utf16Le => utf16(bytes, u16::from_le_bytes),
            Charset::Latin1 => bytes.iter().map(|b| char::from(*b)).collect(),
            Charset::Ascii => bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '\u{fffd}' }).collect(),
        }
    }

    pub(super) fn encode(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Charset::Utf8 => out.extend_from_slice(text.as_bytes()),
            Charset::Utf16 => {
                out.extend_from_slice(&[0xFE, 0xFF]);
                out.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
            }
            Charset::Utf16Be => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Charset::Utf16Le => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Charset::Latin1 => out.extend(text.chars().map(|c| u8::try_from(c).unwrap_or(b'?'))),
            Charset::Ascii => out.extend(text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' })),
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Cow<'_, str> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut text: String = char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect();
    if bytes.len() % 2 == 1 {
        text.push('\u{fffd}');
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_or_is_replaced() {
        for name in NAMES {
            let charset = Charset::named(name);
            let mut bytes = vec![];
            charset.encode("Grün \u{1F600}", &mut bytes);
            let expected = match charset {
                Charset::Latin1 => "Grün ?",
                Charset::Ascii => "Gr?n ?",
                _ => "Grün \u{1F600}",
            };
            assert_eq!(charset.decode(&bytes), expected, "{name}");
        }
        assert_eq!(Charset::Utf16.decode(b"\xFF\xFEa\x00"), "a");
        assert_eq!(Charset::Utf16.decode(b"\x00a\xD8\x00\x00"), "a\u{fffd}\u{fffd}");
        assert_eq!(Charset::Ascii.decode(b"a\xFF"), "a\u{fffd}");
    }
}
