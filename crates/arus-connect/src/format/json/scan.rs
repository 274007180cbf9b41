//! One pass over the bytes of a JSON record: tokens, and the syntax of what nobody reads.
//!
//! The syntax is Jackson's as Flink configures it: RFC 8259, and raw control characters inside strings. A cursor is
//! made over text that is valid UTF-8, so that every slice between two ASCII bytes is valid too.

use arus_core::limits::JSON_DEPTH;

use super::words;

/// Why a record is not taken. One word wide, since every step of the hot path can return it.
pub(super) struct Bad(Box<Reason>);

struct Reason {
    /// From the innermost field outwards.
    path: Vec<String>,
    what: String,
    at: usize,
    /// The text is no JSON, rather than JSON of the wrong type.
    syntax: bool,
}

pub(super) type Scan<T> = Result<T, Bad>;

impl Bad {
    #[cold]
    pub(super) fn syntax(at: usize, what: impl Into<String>) -> Self {
        Bad(Box::new(Reason { path: vec![], what: what.into(), at, syntax: true }))
    }

    #[cold]
    pub(super) fn value(at: usize, what: impl Into<String>) -> Self {
        Bad(Box::new(Reason { path: vec![], what: what.into(), at, syntax: false }))
    }

    #[cold]
    pub(super) fn in_field(mut self, name: &str) -> Self {
        self.0.path.push(name.to_string());
        self
    }

    #[cold]
    pub(super) fn in_element(mut self, index: usize) -> Self {
        self.0.path.push(format!("[{index}]"));
        self
    }

    pub(super) fn is_syntax(&self) -> bool {
        self.0.syntax
    }

    pub(super) fn reason(&self) -> String {
        let mut path = String::new();
        for part in self.0.path.iter().rev() {
            if !path.is_empty() && !part.starts_with('[') {
                path.push('.');
            }
            path.push_str(part);
        }
        let what = &self.0.what;
        let at = self.0.at;
        match (self.0.syntax, path.is_empty()) {
            (true, true) => format!("invalid JSON at byte {at}: {what}"),
            (true, false) => format!("field '{path}': invalid JSON at byte {at}: {what}"),
            (false, true) => format!("{what} at byte {at}"),
            (false, false) => format!("field '{path}': {what} at byte {at}"),
        }
    }
}

/// A number as it was scanned. `mantissa * 10^exponent` is exact where `exact` is set (up to 19 digits).
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) negative: bool,
    /// Neither fraction nor exponent.
    pub(super) integer: bool,
    pub(super) exact: bool,
    pub(super) mantissa: u64,
    pub(super) exponent: i32,
}

pub(super) struct Cursor<'a> {
    pub(super) data: &'a [u8],
    /// `data`, and what lies behind it in its buffer: common forms are read in words that may reach beyond the end.
    pub(super) window: &'a [u8],
    pub(super) pos: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    /// Over the first `len` bytes of `window`.
    pub(super) fn new(window: &'a [u8], len: usize) -> Self {
        Cursor { data: &window[..len], window, pos: 0, depth: 0 }
    }

    /// Goes to `end`, which a word behind the record may have given; whether it lies inside.
    #[inline(always)]
    pub(super) fn advance(&mut self, end: usize) -> bool {
        let inside = end <= self.data.len();
        if inside {
            self.pos = end;
        }
        inside
    }

    /// The next byte; 0, which no JSON token starts with, at the end.
    #[inline(always)]
    pub(super) fn peek(&self) -> u8 {
        self.data.get(self.pos).copied().unwrap_or(0)
    }

    #[inline(always)]
    pub(super) fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.pos += 1;
        }
    }

    pub(super) fn enter(&mut self) -> Scan<()> {
        self.depth += 1;
        if self.depth > JSON_DEPTH {
            return Err(Bad::syntax(self.pos, format!("nested deeper than {JSON_DEPTH} levels")));
        }
        self.pos += 1;
        self.skip_space();
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.pos += 1;
        self.depth -= 1;
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Goes back to a value that was read before.
    pub(super) fn rewind(&mut self, pos: usize, depth: usize) {
        self.pos = pos;
        self.depth = depth;
    }

    #[cold]
    pub(super) fn unexpected(&self, expected: &str) -> Bad {
        Bad::syntax(self.pos, format!("expected {expected}, found {}", self.found()))
    }

    /// What stands here, for a message.
    #[cold]
    pub(super) fn found(&self) -> String {
        let rest = self.data.get(self.pos..).unwrap_or_default();
        let text = String::from_utf8_lossy(&rest[..rest.len().min(160)]).into_owned();
        match text.chars().next() {
            None => "the end".to_string(),
            Some('{') => "an object".to_string(),
            Some('[') => "an array".to_string(),
            Some('"') => format!("string {}", head(&text, |c| c == '"')),
            Some(c) if c.is_alphanumeric() || c == '-' => {
                let end = text.find(|c: char| matches!(c, ',' | '}' | ']' | ':') || c.is_whitespace());
                head(&text[..end.unwrap_or(text.len())], |_| false)
            }
            Some(c) => format!("'{c}'"),
        }
    }

    /// After a value inside a container: true after a comma, false at `close` (not consumed).
    #[inline(always)]
    pub(super) fn comma_or(&mut self, close: u8) -> Scan<bool> {
        let mut byte = self.peek();
        if byte <= b' ' {
            self.skip_space();
            byte = self.peek();
        }
        if byte == b',' {
            self.pos += 1;
            self.skip_space();
            Ok(true)
        } else if byte == close {
            Ok(false)
        } else {
            Err(self.unexpected(if close == b'}' { "',' or '}'" } else { "',' or ']'" }))
        }
    }

    /// A key's colon and the blanks around it.
    pub(super) fn colon(&mut self) -> Scan<()> {
        self.skip_space();
        if self.peek() != b':' {
            return Err(self.unexpected("':'"));
        }
        self.pos += 1;
        self.skip_space();
        Ok(())
    }

    /// From an opening quote past the closing one: the content, still escaped, and whether it has escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Scan<(&'a [u8], bool)> {
        let start = self.pos + 1;
        let mut pos = start;
        let mut escaped = false;
        loop {
            while let Some(chunk) = self.data.get(pos..pos + 8) {
                let word = u64::from_le_bytes(chunk.try_into().expect("a slice of 8"));
                let hits = words::quotes_and_backslashes(word);
                if hits != 0 {
                    pos += (hits.trailing_zeros() / 8) as usize;
                    break;
                }
                pos += 8;
            }
            match self.data.get(pos) {
                Some(b'"') => {
                    self.pos = pos + 1;
                    return Ok((&self.data[start..pos], escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    pos = self.escape(pos)?;
                }
                Some(_) => pos += 1,
                None => return Err(Bad::syntax(self.pos, "a string without its closing quote")),
            }
        }
    }

    /// Checks the escape at `pos`; the position after it.
    fn escape(&self, pos: usize) -> Scan<usize> {
        match self.data.get(pos + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(pos + 2),
            Some(b'u') => match self.data.get(pos + 2..pos + 6) {
                Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => Ok(pos + 6),
                _ => Err(Bad::syntax(pos, "expected four hexadecimal digits after \\u")),
            },
            _ => Err(Bad::syntax(pos, "unknown escape in a string")),
        }
    }

    #[inline]
    pub(super) fn number(&mut self) -> Scan<Number> {
        let start = self.pos;
        let negative = self.peek() == b'-';
        if negative {
            self.pos += 1;
        }
        let mut mantissa = 0u64;
        let first = self.pos;
        while let digit @ b'0'..=b'9' = self.peek() {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.pos += 1;
        }
        let mut digits = self.pos - first;
        if digits == 0 {
            return Err(self.unexpected("a digit"));
        }
        if digits > 1 && self.data[first] == b'0' {
            return Err(Bad::syntax(start, "a number with leading zeros"));
        }
        let mut exponent = 0i32;
        let mut integer = true;
        if self.peek() == b'.' {
            integer = false;
            self.pos += 1;
            let fraction = self.pos;
            while let digit @ b'0'..=b'9' = self.peek() {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
                self.pos += 1;
            }
            let len = self.pos - fraction;
            if len == 0 {
                return Err(self.unexpected("a digit after '.'"));
            }
            digits += len;
            exponent = -(len.min(1 << 28) as i32);
        }
        if matches!(self.peek(), b'e' | b'E') {
            integer = false;
            exponent = exponent.saturating_add(self.exponent()?);
        }
        Ok(Number { start, end: self.pos, negative, integer, exact: digits <= 19, mantissa, exponent })
    }

    fn exponent(&mut self) -> Scan<i32> {
        self.pos += 1;
        let negative = self.peek() == b'-';
        if matches!(self.peek(), b'+' | b'-') {
            self.pos += 1;
        }
        let first = self.pos;
        let mut value = 0i32;
        while let digit @ b'0'..=b'9' = self.peek() {
            value = value.saturating_mul(10).saturating_add(i32::from(digit - b'0'));
            self.pos += 1;
        }
        if self.pos == first {
            return Err(self.unexpected("a digit in the exponent"));
        }
        Ok(if negative { -value } else { value })
    }

    /// `true`, `false` or `null`, whose first byte stands here.
    #[inline]
    pub(super) fn literal(&mut self, word: &'static str) -> Scan<()> {
        let end = self.pos + word.len();
        if self.data.get(self.pos..end) != Some(word.as_bytes())
            || self.data.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
        {
            return Err(self.unexpected("a JSON value"));
        }
        self.pos = end;
        Ok(())
    }

    /// Passes a value that nobody reads.
    #[inline(always)]
    pub(super) fn skip_value(&mut self) -> Scan<()> {
        let end = match self.window.get(self.pos) {
            Some(b'"') => words::closing_quote(self.window, self.pos + 1).map(|quote| quote + 1),
            Some(b'0'..=b'9') => words::integer(self.window, self.pos).map(|(_, end)| end),
            _ => None,
        };
        match end {
            Some(end) if self.advance(end) => Ok(()),
            _ => self.skip_any(),
        }
    }

    fn skip_any(&mut self) -> Scan<()> {
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            b'{' => self.skip_object(),
            b'[' => self.skip_array(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => Err(self.unexpected("a JSON value")),
        }
    }

    fn skip_object(&mut self) -> Scan<()> {
        self.enter()?;
        if self.peek() != b'}' {
            loop {
                if self.peek() != b'"' {
                    return Err(self.unexpected("a field name"));
                }
                self.string()?;
                self.colon()?;
                self.skip_value()?;
                if !self.comma_or(b'}')? {
                    break;
                }
            }
        }
        self.leave();
        Ok(())
    }

    fn skip_array(&mut self) -> Scan<()> {
        self.enter()?;
        if self.peek() != b']' {
            loop {
                self.skip_value()?;
                if !self.comma_or(b']')? {
                    break;
                }
            }
        }
        self.leave();
        Ok(())
    }
}

/// The first characters of a token, with `..` where it goes on.
fn head(text: &str, ends: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i >= 40 {
            out.push_str("..");
            break;
        }
        out.push(if c.is_control() { ' ' } else { c });
        if i > 0 && ends(c) {
            break;
        }
    }
    out
}

/// Appends the text of an escaped string whose escapes were checked. A lone surrogate becomes `?`, as in Flink.
pub(super) fn unescape(escaped: &[u8], out: &mut Vec<u8>) {
    let mut pos = 0;
    while pos < escaped.len() {
        let plain = escaped[pos..].iter().position(|b| *b == b'\\').unwrap_or(escaped.len() - pos);
        out.extend_from_slice(&escaped[pos..pos + plain]);
        pos += plain;
        let Some(kind) = escaped.get(pos + 1) else { break };
        pos += 2;
        match kind {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let mut unit = hex4(escaped, pos);
                pos += 4;
                if (0xD800..0xDC00).contains(&unit) && escaped.get(pos..pos + 2) == Some(b"\\u") {
                    let low = hex4(escaped, pos + 2);
                    if (0xDC00..0xE000).contains(&low) {
                        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                        pos += 6;
                    }
                }
                let c = char::from_u32(unit).unwrap_or('?');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(*other),
        }
    }
}

fn hex4(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |value, b| value * 16 + (*b as char).to_digit(16).expect("checked while scanning"))
}
