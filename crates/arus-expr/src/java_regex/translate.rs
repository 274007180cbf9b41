//! A pattern of Java, atom by atom, as one of Rust. Only ASCII letters fold by `(?i)`, unless `(?u)` is on as well.

use super::Refusal;
use super::class;

/// What ends a line.
const LINE_ENDS: &str = r"\n\r\x{85}\x{2028}\x{2029}";

pub(super) struct Translated {
    pub(super) text: String,
    /// Whether `$` or `\Z` stands in it outside `(?m)`.
    pub(super) has_end: bool,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) unicode_case: bool,
    pub(super) unicode_class: bool,
    multi_line: bool,
    dot_all: bool,
    unix_lines: bool,
    pub(super) comments: bool,
}

pub(super) struct Translator<'p> {
    pub(super) chars: Vec<char>,
    pub(super) at: usize,
    pub(super) out: String,
    pub(super) flags: Flags,
    pattern: &'p str,
    /// `$` also before a final line end.
    before_line_end: bool,
    has_end: bool,
    groups: usize,
    group_count: usize,
    names: Vec<String>,
}

pub(super) fn translate(pattern: &str, before_line_end: bool) -> Result<Translated, Refusal> {
    let chars: Vec<char> = pattern.chars().collect();
    let group_count = count_groups(&chars);
    let mut translator = Translator {
        chars,
        at: 0,
        out: String::new(),
        flags: Flags::default(),
        pattern,
        before_line_end,
        has_end: false,
        groups: 0,
        group_count,
        names: Vec::new(),
    };
    translator.alternatives(0)?;
    if translator.at < translator.chars.len() {
        return Err(Refusal::Invalid);
    }
    Ok(Translated { text: translator.out, has_end: translator.has_end })
}

/// Capturing groups, those in classes and quotes left out.
fn count_groups(chars: &[char]) -> usize {
    let mut count = 0;
    let mut depth = 0;
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' if chars.get(at + 1) == Some(&'Q') => {
                while at < chars.len() && !(chars[at] == '\\' && chars.get(at + 1) == Some(&'E')) {
                    at += 1;
                }
                at += 1;
            }
            '\\' => at += 1,
            '[' => depth += 1,
            ']' if depth > 0 => depth -= 1,
            '(' if depth == 0 => {
                let named = chars.get(at + 1) == Some(&'?')
                    && chars.get(at + 2) == Some(&'<')
                    && !matches!(chars.get(at + 3), Some('=' | '!'));
                if named || chars.get(at + 1) != Some(&'?') {
                    count += 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    count
}

const DEPTH_LIMIT: usize = 100;

impl Translator<'_> {
    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    pub(super) fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    pub(super) fn unsupported<T>(&self, what: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::Unsupported(format!("{} in '{}'", what.into(), self.pattern)))
    }

    /// `a|b|c` up to a closing parenthesis or the end. Flags set inside a group end with it.
    fn alternatives(&mut self, depth: usize) -> Result<(), Refusal> {
        if depth > DEPTH_LIMIT {
            return self.unsupported(format!("groups nested deeper than {DEPTH_LIMIT}"));
        }
        let flags = self.flags;
        loop {
            match self.peek() {
                None | Some(')') => break,
                Some('|') => {
                    self.at += 1;
                    self.out.push('|');
                }
                Some(_) => self.quantified(depth)?,
            }
        }
        self.flags = flags;
        Ok(())
    }

    fn skip_comments(&mut self) {
        while self.flags.comments {
            match self.peek() {
                Some(c) if c.is_ascii_whitespace() || c == '\u{b}' => self.at += 1,
                Some('#') => {
                    while self.peek().is_some_and(|c| !matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')) {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// An atom and its quantifiers.
    fn quantified(&mut self, depth: usize) -> Result<(), Refusal> {
        self.skip_comments();
        if matches!(self.peek(), None | Some(')' | '|')) {
            return Ok(());
        }
        let start = self.out.len();
        let quantifiable = self.atom(depth)?;
        self.skip_comments();
        let quantifier = match self.peek() {
            Some(c @ ('*' | '+' | '?')) => {
                self.at += 1;
                c.to_string()
            }
            Some('{') => self.repetition()?,
            _ => return Ok(()),
        };
        if !quantifiable {
            return Err(Refusal::Invalid);
        }
        // One atom, whatever it was made of.
        let atom = self.out.split_off(start);
        if self.eat('+') {
            self.out.push_str(&format!("(?>(?:{atom}){quantifier})"));
        } else if self.eat('?') {
            self.out.push_str(&format!("(?:{atom}){quantifier}?"));
        } else {
            self.out.push_str(&format!("(?:{atom}){quantifier}"));
        }
        // Java takes no second quantifier.
        self.skip_comments();
        if matches!(self.peek(), Some('*' | '+' | '?' | '{')) { Err(Refusal::Invalid) } else { Ok(()) }
    }

    /// `{n}`, `{n,}`, `{n,m}`
    fn repetition(&mut self) -> Result<String, Refusal> {
        self.at += 1;
        let least = self.digits()?;
        let mut text = format!("{{{least}");
        if self.eat(',') {
            text.push(',');
            if self.peek() != Some('}') {
                let most = self.digits()?;
                if most < least {
                    return Err(Refusal::Invalid);
                }
                text.push_str(&most.to_string());
            }
        }
        if !self.eat('}') {
            return Err(Refusal::Invalid);
        }
        text.push('}');
        Ok(text)
    }

    fn digits(&mut self) -> Result<u32, Refusal> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let text: String = self.chars[start..self.at].iter().collect();
        text.parse().map_err(|_| Refusal::Invalid)
    }

    /// Writes one atom; false for what cannot be repeated.
    fn atom(&mut self, depth: usize) -> Result<bool, Refusal> {
        let Some(c) = self.next() else { return Err(Refusal::Invalid) };
        match c {
            '(' => return self.group(depth),
            '[' => {
                let class = class::class(self)?;
                self.out.push_str(&class);
            }
            '\\' => return self.escape(),
            '.' => self.dot(),
            '^' if self.flags.multi_line && self.flags.unix_lines => self.out.push_str(r"(?:\A|(?<=\n)(?!\z))"),
            '^' if self.flags.multi_line => {
                self.out.push_str(r"(?:\A|(?<=[\n\x{85}\x{2028}\x{2029}])(?!\z)|(?<=\r)(?!\n)(?!\z))");
            }
            '^' => self.out.push_str(r"\A"),
            '$' if self.flags.multi_line && self.flags.unix_lines => self.out.push_str(r"(?:(?=\n)|\z)"),
            '$' if self.flags.multi_line => {
                self.out.push_str(r"(?:(?<!\r)(?=\n)|(?=[\r\x{85}\x{2028}\x{2029}])|\z)");
            }
            '$' => self.end(),
            '*' | '+' | '?' => return Err(Refusal::Invalid),
            '{' => return Err(Refusal::Invalid),
            c => self.literal(c),
        }
        Ok(true)
    }

    fn dot(&mut self) {
        if self.flags.dot_all {
            self.out.push_str("(?s:.)");
        } else if self.flags.unix_lines {
            self.out.push_str(r"[^\n]");
        } else {
            self.out.push_str(&format!("[^{LINE_ENDS}]"));
        }
    }

    /// The end, or before a final line end.
    fn end(&mut self) {
        self.has_end = true;
        if !self.before_line_end {
            self.out.push_str(r"\z");
        } else if self.flags.unix_lines {
            self.out.push_str(r"(?=\n?\z)");
        } else {
            // Not between the two characters of one line end.
            self.out.push_str(&format!(r"(?:(?=\r\n\z)|(?<!\r)(?=\n\z)|(?=[{}]\z)|\z)", r"\r\x{85}\x{2028}\x{2029}"));
        }
    }

    pub(super) fn literal(&mut self, c: char) {
        if self.flags.ignore_case && self.flags.unicode_case {
            self.out.push_str("(?i:");
            push_escaped(&mut self.out, c);
            self.out.push(')');
        } else if self.flags.ignore_case && c.is_ascii_alphabetic() {
            self.out.push('[');
            self.out.push(c.to_ascii_lowercase());
            self.out.push(c.to_ascii_uppercase());
            self.out.push(']');
        } else {
            push_escaped(&mut self.out, c);
        }
    }

    // ---- groups

    fn group(&mut self, depth: usize) -> Result<bool, Refusal> {
        let flags = self.flags;
        if !self.eat('?') {
            self.groups += 1;
            self.out.push('(');
            return self.rest_of_group(depth, flags);
        }
        let Some(kind) = self.next() else { return Err(Refusal::Invalid) };
        match kind {
            ':' | '=' | '!' | '>' => self.out.push_str(&format!("(?{kind}")),
            '<' => match self.peek() {
                Some(c @ ('=' | '!')) => {
                    self.at += 1;
                    self.out.push_str(&format!("(?<{c}"));
                }
                _ => {
                    let name = self.name('>')?;
                    if self.names.contains(&name) {
                        return Err(Refusal::Invalid);
                    }
                    self.groups += 1;
                    self.out.push_str(&format!("(?<{name}>"));
                    self.names.push(name);
                }
            },
            _ => {
                self.at -= 1;
                self.set_flags()?;
                if self.eat(')') {
                    // They hold up to the end of the group that they stand in.
                    return Ok(false);
                }
                if !self.eat(':') {
                    return Err(Refusal::Invalid);
                }
                self.out.push_str("(?:");
            }
        }
        self.rest_of_group(depth, flags)
    }

    fn rest_of_group(&mut self, depth: usize, flags: Flags) -> Result<bool, Refusal> {
        self.alternatives(depth + 1)?;
        if !self.eat(')') {
            return Err(Refusal::Invalid);
        }
        self.out.push(')');
        self.flags = flags;
        Ok(true)
    }

    /// Letters and digits up to `end`.
    fn name(&mut self, end: char) -> Result<String, Refusal> {
        let mut name = String::new();
        loop {
            match self.next() {
                Some(c) if c == end && !name.is_empty() => return Ok(name),
                Some(c) if c.is_ascii_alphabetic() || c.is_ascii_digit() && !name.is_empty() => name.push(c),
                _ => return Err(Refusal::Invalid),
            }
        }
    }

    /// `i`, `-s`, `mx-U` ..
    fn set_flags(&mut self) -> Result<(), Refusal> {
        let mut on = true;
        while let Some(c) = self.peek() {
            match c {
                'i' => self.flags.ignore_case = on,
                'u' => self.flags.unicode_case = on,
                'U' => {
                    self.flags.unicode_class = on;
                    self.flags.unicode_case = on;
                }
                'm' => self.flags.multi_line = on,
                's' => self.flags.dot_all = on,
                'd' => self.flags.unix_lines = on,
                'x' => self.flags.comments = on,
                '-' if on => on = false,
                ')' | ':' => return Ok(()),
                _ => return Err(Refusal::Invalid),
            }
            self.at += 1;
        }
        Err(Refusal::Invalid)
    }

    // ---- escapes

    fn escape(&mut self) -> Result<bool, Refusal> {
        let Some(c) = self.next() else { return Err(Refusal::Invalid) };
        match c {
            'A' => self.out.push_str(r"\A"),
            'z' => self.out.push_str(r"\z"),
            'Z' => self.end(),
            'b' if self.peek() == Some('{') => return self.unsupported(r"\b{g}"),
            'b' => self.out.push_str(r"\b"),
            'B' => self.out.push_str(r"\B"),
            'R' => self.out.push_str(r"(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])"),
            'G' | 'X' | 'N' => return self.unsupported(format!(r"\{c}")),
            'Q' => return self.quoted(),
            'k' => {
                if !self.eat('<') {
                    return Err(Refusal::Invalid);
                }
                let name = self.name('>')?;
                if !self.names.contains(&name) {
                    return Err(Refusal::Invalid);
                }
                self.out.push_str(&format!(r"\k<{name}>"));
            }
            '1'..='9' => self.back_reference(c),
            _ => {
                if let Some(set) = class::shorthand(self, c)? {
                    self.out.push_str(&format!("[{set}]"));
                } else {
                    let c = self.escaped_char(c)?;
                    self.literal(c);
                }
            }
        }
        Ok(true)
    }

    /// As many digits as name a group that exists; a group that does not never matches.
    fn back_reference(&mut self, first: char) {
        let mut number = first as usize - '0' as usize;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            let longer = number * 10 + digit as usize;
            if longer > self.group_count {
                break;
            }
            number = longer;
            self.at += 1;
        }
        match number <= self.group_count {
            true if self.flags.ignore_case => self.out.push_str(&format!(r"(?i:\{number})")),
            true => self.out.push_str(&format!(r"(?:\{number})")),
            false => self.out.push_str("(?!)"),
        }
    }

    /// `\Q..\E`: each character stands for itself; a quantifier counts for the last one.
    fn quoted(&mut self) -> Result<bool, Refusal> {
        let mut text = Vec::new();
        loop {
            match self.next() {
                Some('\\') if self.peek() == Some('E') => {
                    self.at += 1;
                    break;
                }
                Some(c) => text.push(c),
                None => break,
            }
        }
        // Written again as escaped characters, which the caller reads one by one.
        let mut rest: Vec<char> = Vec::new();
        for c in text {
            if c.is_ascii_alphanumeric() || !c.is_ascii() {
                rest.push(c);
            } else {
                rest.extend(['\\', c]);
            }
        }
        rest.extend(self.chars.drain(self.at..));
        self.chars.truncate(self.at);
        self.chars.extend(rest);
        self.out.push_str("(?:)");
        Ok(false)
    }

    /// The character that an escape stands for, `c` being what follows the backslash.
    pub(super) fn escaped_char(&mut self, c: char) -> Result<char, Refusal> {
        Ok(match c {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            'a' => '\u{7}',
            'e' => '\u{1b}',
            '0' => {
                let mut value = 0;
                let mut count = 0;
                while let Some(digit) = self.peek().and_then(|c| c.to_digit(8))
                    && count < 3
                    && value * 8 + digit <= 0o377
                {
                    value = value * 8 + digit;
                    count += 1;
                    self.at += 1;
                }
                if count == 0 {
                    return Err(Refusal::Invalid);
                }
                char::from_u32(value).ok_or(Refusal::Invalid)?
            }
            'x' if self.eat('{') => {
                let mut value: u32 = 0;
                while let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) {
                    value = value.checked_mul(16).ok_or(Refusal::Invalid)? + digit;
                    self.at += 1;
                }
                if !self.eat('}') {
                    return Err(Refusal::Invalid);
                }
                char::from_u32(value).ok_or(Refusal::Invalid)?
            }
            'x' => char::from_u32(self.hex(2)?).ok_or(Refusal::Invalid)?,
            'u' => {
                let first = self.hex(4)?;
                if !(0xd800..0xdc00).contains(&first) {
                    return match char::from_u32(first) {
                        Some(c) => Ok(c),
                        None => self.unsupported("half of a surrogate pair"),
                    };
                }
                if !(self.eat('\\') && self.eat('u')) {
                    return self.unsupported("half of a surrogate pair");
                }
                let low = self.hex(4)?.wrapping_sub(0xdc00);
                if low >= 0x400 {
                    return self.unsupported("half of a surrogate pair");
                }
                char::from_u32(0x10000 + ((first - 0xd800) << 10) + low).ok_or(Refusal::Invalid)?
            }
            'c' => {
                let Some(control) = self.next().filter(char::is_ascii) else { return Err(Refusal::Invalid) };
                char::from(control as u8 ^ 64)
            }
            c if c.is_ascii_alphabetic() => return Err(Refusal::Invalid),
            c => c,
        })
    }

    fn hex(&mut self, digits: usize) -> Result<u32, Refusal> {
        let mut value = 0;
        for _ in 0..digits {
            let digit = self.next().and_then(|c| c.to_digit(16)).ok_or(Refusal::Invalid)?;
            value = value * 16 + digit;
        }
        Ok(value)
    }
}

/// The character as itself, in a class or outside, white space and `#` included.
pub(super) fn push_escaped(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii() {
        out.push(c);
    } else if c.is_ascii_graphic() {
        out.push('\\');
        out.push(c);
    } else {
        out.push_str(&format!(r"\x{{{:x}}}", c as u32));
    }
}
