//! The values of quoted tokens.

use crate::ast::Span;
use crate::parser::ParseError;

/// `'it''s'` to `it's`; a character-set prefix falls away.
pub(crate) fn string(token: &str) -> String {
    let start = token.find('\'').map_or(0, |i| i + 1);
    let end = token.len().saturating_sub(1).max(start);
    token[start..end].replace("''", "'")
}

/// `` `a``b` `` to `` a`b ``
pub(crate) fn back_quoted(token: &str) -> String {
    token[1..token.len() - 1].replace("``", "`")
}

/// `X'0aF'`: an error unless the digits are hexadecimal and their number is even.
pub(crate) fn binary(token: &str, span: Span) -> Result<Vec<u8>, ParseError> {
    let digits = string(token);
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ParseError::new(span, "a binary string holds hexadecimal digits only, 0 to 9 and A to F"));
    }
    if !digits.len().is_multiple_of(2) {
        return Err(ParseError::new(
            span,
            format!("a binary string holds an even number of hexadecimal digits, found {}", digits.len()),
        ));
    }
    let value = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
    Ok(digits.as_bytes().chunks(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect())
}

/// `U&'\263A'`: four hexadecimal digits behind the escape character; the escape character twice is itself. Two escapes may form one character beyond U+FFFF.
pub(crate) fn unicode(token: &str, escape: char, span: Span) -> Result<String, ParseError> {
    let body = string(token);
    let mut units: Vec<u16> = Vec::with_capacity(body.len());
    let mut buffer = [0u16; 2];
    let mut rest = body.as_str();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != escape {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
        } else if rest.starts_with(escape) {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            rest = &rest[escape.len_utf8()..];
        } else {
            let code = rest
                .get(..4)
                .filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
                .and_then(|h| u16::from_str_radix(h, 16).ok());
            let Some(code) = code else {
                return Err(ParseError::new(
                    span,
                    format!("in a Unicode string, four hexadecimal digits must follow the escape character {escape}"),
                ));
            };
            units.push(code);
            rest = &rest[4..];
        }
    }
    String::from_utf16(&units)
        .map_err(|_| ParseError::new(span, "the Unicode string holds half of a surrogate pair, which is no character"))
}

/// `E'a\n'`: the escapes of C (`\b \f \n \r \t`, octal, `\x41`, `\u263a`, `\U0001F600`); any other one stays as it is written, except `\'` and `\\`.
pub(crate) fn escaped(token: &str, span: Span) -> Result<String, ParseError> {
    let mut rest = token.find('\'').and_then(|i| token.get(i + 1..token.len().saturating_sub(1))).unwrap_or("");
    let mut units: Vec<u16> = Vec::with_capacity(rest.len());
    let mut buffer = [0u16; 2];
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let mut value = c as u32;
        if c == '\'' {
            // The lexer lets a quote inside only doubled.
            rest = rest.strip_prefix('\'').unwrap_or(rest);
        } else if c == '\\' {
            let Some(e) = rest.chars().next() else { break };
            let (escape, used) = match e {
                'b' => (8, 1),
                'f' => (12, 1),
                'n' => (10, 1),
                'r' => (13, 1),
                't' => (9, 1),
                '\'' | '\\' => (e as u32, 1),
                '0'..='7' => number(rest, 8, 1, 3),
                'x' => number(&rest[1..], 16, 1, 2),
                'u' => number(&rest[1..], 16, 4, 4),
                'U' => number(&rest[1..], 16, 8, 8),
                _ => ('\\' as u32, 0),
            };
            let prefix = usize::from(matches!(e, 'x' | 'u' | 'U'));
            if prefix == 1 && used == 0 {
                return Err(ParseError::new(
                    span,
                    format!(
                        "the escape \\{e} needs hexadecimal digits behind it: 1 or 2 for \\x, 4 for \\u, 8 for \\U"
                    ),
                ));
            }
            value = escape;
            rest = &rest[prefix + used..];
        }
        match char::from_u32(value) {
            Some(c) => units.extend_from_slice(c.encode_utf16(&mut buffer)),
            None if value <= 0xffff => units.push(value as u16),
            None => {
                return Err(ParseError::new(span, format!("the escape {value:X} is beyond Unicode")));
            }
        }
    }
    String::from_utf16(&units)
        .map_err(|_| ParseError::new(span, "the string holds half of a surrogate pair, which is no character"))
}

/// The number that `least` to `most` digits at the start of `text` make, and how many there are; none is 0 digits.
fn number(text: &str, radix: u32, least: usize, most: usize) -> (u32, usize) {
    let digits = text.bytes().take(most).take_while(|b| (*b as char).is_digit(radix)).count();
    if digits < least {
        return (0, 0);
    }
    (u32::from_str_radix(&text[..digits], radix).unwrap_or(u32::MAX), digits)
}
