//! An object or array as the text that Flink gives for it in a STRING column: no blanks, Jackson's escapes, floating
//! point numbers as Java prints doubles.

use arus_core::text;

use super::scan::unescape;

/// `json` is a value whose syntax was checked.
pub(super) fn write(json: &[u8], out: &mut Vec<u8>) {
    let mut pos = 0;
    let mut scratch = vec![];
    while let Some(byte) = json.get(pos) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => pos += 1,
            b'"' => {
                let content = pos + 1;
                let mut end = content;
                while json[end] != b'"' {
                    end += if json[end] == b'\\' { 2 } else { 1 };
                }
                scratch.clear();
                unescape(&json[content..end], &mut scratch);
                write_string(&scratch, out);
                pos = end + 1;
            }
            b'-' | b'0'..=b'9' => {
                let len =
                    json[pos..].iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
                let end = len.map_or(json.len(), |l| pos + l);
                write_number(&json[pos..end], out);
                pos = end;
            }
            other => {
                out.push(*other);
                pos += 1;
            }
        }
    }
}

fn write_number(number: &[u8], out: &mut Vec<u8>) {
    let text = std::str::from_utf8(number).expect("numbers are ASCII");
    if number.iter().any(|b| matches!(b, b'.' | b'e' | b'E')) {
        let value: f64 = text.parse().expect("JSON's numbers are a part of Rust's");
        let mut shown = String::new();
        text::write_double(&mut shown, value);
        if value.is_finite() {
            out.extend_from_slice(shown.as_bytes());
        } else {
            write_string(shown.as_bytes(), out);
        }
    } else {
        // Java's integers have no negative zero.
        out.extend_from_slice(if text == "-0" { b"0" } else { number });
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// With quotes; as Jackson writes UTF-8, what lies beyond the basic plane becomes two escapes.
pub(super) fn write_string_ascii_pairs(text: &str, out: &mut Vec<u8>) {
    if !text.bytes().any(|b| b >= 0xF0) {
        return write_string(text.as_bytes(), out);
    }
    let start = out.len();
    write_string(text.as_bytes(), out);
    let written = out.split_off(start);
    let written = std::str::from_utf8(&written).expect("escaping keeps UTF-8");
    for c in written.chars() {
        if (c as u32) < 0x10000 {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.extend_from_slice(b"\\u");
            out.extend((0..4).rev().map(|i| HEX[usize::from(*unit >> (4 * i)) & 15]));
        }
    }
}

/// With quotes, escaped as Jackson does it.
pub(super) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| *b < b' ' || *b == b'"' || *b == b'\\') {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
