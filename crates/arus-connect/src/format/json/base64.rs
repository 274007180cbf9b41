//! Base64 as Jackson reads and writes it: the standard alphabet with padding, no line feeds; blanks may stand
//! between its units of four characters.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(in crate::format) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut quad = [0u8; 4];
    let mut filled = 0;
    let mut padding = 0;
    for byte in text.iter().copied() {
        let bits = match byte {
            0..=b' ' if filled == 0 => continue,
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if filled >= 2 => {
                padding += 1;
                0
            }
            _ => return None,
        };
        if padding > 0 && byte != b'=' {
            return None;
        }
        quad[filled] = bits;
        filled += 1;
        if filled == 4 {
            let [a, b, c, d] = quad.map(u32::from);
            let word = (a << 18) | (b << 12) | (c << 6) | d;
            let [_, x, y, z] = word.to_be_bytes();
            out.extend_from_slice(&[x, y, z][..3 - padding]);
            filled = 0;
        }
    }
    (filled == 0).then_some(out)
}

pub(in crate::format) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, b| (w << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let sextet = (word >> (18 - 6 * i)) as usize & 63;
            out.push(if i <= chunk.len() { ALPHABET[sextet] } else { b'=' });
        }
    }
}
