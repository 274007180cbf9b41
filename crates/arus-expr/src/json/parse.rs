//! JSON as it stands in the text: numbers keep their digits.

use std::borrow::Cow;

use arus_core::limits::JSON_DEPTH;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json<'a> {
    Null,
    Boolean(bool),
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    /// Of equal names the last one counts.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
    /// A number that a path's function made, as it prints.
    Made(String),
}

/// The first value of the text; what follows it is not looked at.
pub(crate) fn parse(text: &str) -> Result<Json<'_>, String> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    let next = text.as_bytes().get(parser.at);
    let ends = match value {
        Json::Number(_) => matches!(next, None | Some(b' ' | b'\t' | b'\n' | b'\r')),
        Json::Boolean(_) | Json::Null => {
            !next.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || !b.is_ascii())
        }
        _ => true,
    };
    if ends { Ok(value) } else { parser.error() }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn error<T>(&self) -> Result<T, String> {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(c) => Err(format!("invalid JSON: unexpected '{c}' at byte {}", self.at)),
            None => Err("invalid JSON: unexpected end".to_owned()),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, String> {
        if depth > JSON_DEPTH {
            return Err(format!("invalid JSON: nested deeper than {JSON_DEPTH}"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let words = [("null", Json::Null), ("true", Json::Boolean(true)), ("false", Json::Boolean(false))];
                for (word, value) in words {
                    if self.text[self.at..].starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                self.error()
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, String> {
        self.at += 1;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(items));
                }
                _ => return self.error(),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, String> {
        self.at += 1;
        let mut fields = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(fields));
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.error();
            }
            let name = self.string()?;
            if self.peek() != Some(b':') {
                return self.error();
            }
            self.at += 1;
            fields.push((name, self.value(depth + 1)?));
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(fields));
                }
                _ => return self.error(),
            }
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.text.as_bytes().get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Json<'a>, String> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        self.at += usize::from(bytes[start] == b'-');
        let first = self.at;
        if self.digits() == 0 || bytes[first] == b'0' && self.at > first + 1 {
            return self.error();
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return self.error();
            }
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(bytes.get(self.at), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return self.error();
            }
        }
        Ok(Json::Number(&self.text[start..self.at]))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, String> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut copied = start;
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    let rest = &self.text[copied..self.at];
                    self.at += 1;
                    return Ok(match owned {
                        Some(text) => Cow::Owned(text + rest),
                        None => Cow::Borrowed(rest),
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(&self.text[copied..self.at]);
                    self.at += 1;
                    let escaped = self.escape()?;
                    owned.get_or_insert_default().push(escaped);
                    copied = self.at;
                }
                Some(0..0x20) | None => return self.error(),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let Some(letter) = self.text.as_bytes().get(self.at) else { return self.error() };
        self.at += 1;
        Ok(match letter {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\\' | b'/' => *letter as char,
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return Ok(char::from_u32(first).unwrap_or('?'));
                }
                // The second half of a pair, or half a character, which prints as `?`.
                if !self.text[self.at..].starts_with("\\u") {
                    return Ok('?');
                }
                self.at += 2;
                let second = self.hex()?;
                let low = second.wrapping_sub(0xdc00);
                if low >= 0x400 {
                    return Ok('?');
                }
                char::from_u32(0x10000 + ((first - 0xd800) << 10) + low).unwrap_or('?')
            }
            _ => {
                self.at -= 1;
                return self.error();
            }
        })
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                self.at += 4;
                Ok(value)
            }
            None => self.error(),
        }
    }
}
