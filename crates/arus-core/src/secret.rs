//! Secrets of options: references (`${secret:name}`) that are resolved when a connector opens, and what is never shown.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::TableDef;
use crate::error::{Code, Error, Result};
use crate::fs::SharedFs;

/// Stands in place of a value that is not shown.
pub const HIDDEN: &str = "******";
const REFERENCE: &str = "${secret:";
const VARIABLE: &str = "ARUS_SECRET_";
/// A secret is a line or a key, not a disk.
const SECRET_BYTES: usize = 64 << 10;
/// Options whose values are hidden: a part of their name.
const SENSITIVE: [&str; 10] = [
    "password",
    "secret",
    "apikey",
    "api-key",
    "auth-params",
    "service-key",
    "token",
    "basic-auth",
    "jaas.config",
    "access-key",
];

/// The value of an environment variable.
type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Where secrets come from: the environment as `ARUS_SECRET_<NAME>`, then files of a folder.
#[derive(Clone)]
pub struct Secrets {
    fs: SharedFs,
    folder: Option<PathBuf>,
    variable: Variables,
}

impl Secrets {
    /// With the variables of this process.
    pub fn new(fs: SharedFs, folder: Option<PathBuf>) -> Self {
        Self::with_variables(fs, folder, Arc::new(|name| std::env::var(name).ok()))
    }

    pub fn with_variables(fs: SharedFs, folder: Option<PathBuf>, variable: Variables) -> Self {
        Secrets { fs, folder, variable }
    }

    fn get(&self, name: &str) -> Result<String> {
        let known = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !known || name.starts_with('.') {
            return Err(Error::user(format!("'{name}' is no name of a secret"))
                .with_code(Code::InvalidOption)
                .with_hint("a name has letters, digits, '-', '_' and '.'"));
        }
        let variable = variable_of(name);
        if let Some(value) = (self.variable)(&variable) {
            return Ok(value);
        }
        if let Some(path) = self.folder.as_ref().map(|folder| folder.join(name)) {
            match self.fs.read(&path) {
                Ok(bytes) if bytes.len() <= SECRET_BYTES => {
                    let text = String::from_utf8(bytes)
                        .map_err(|_| Error::user(format!("secret '{name}': its file is not UTF-8")))?;
                    return Ok(text.trim_end_matches(['\n', '\r']).to_string());
                }
                Ok(_) => return Err(Error::user(format!("secret '{name}': its file is above 64 KiB"))),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(Error::io("read", format!("secret '{name}'"), e)),
            }
        }
        let files = match &self.folder {
            Some(folder) => format!("put it into a file {}", folder.join(name).display()),
            None => "name a folder with files by --secrets DIR".into(),
        };
        Err(Error::user(format!("there is no secret '{name}'"))
            .with_code(Code::InvalidOption)
            .with_hint(format!("set the variable {variable} for the server, or {files}")))
    }

    /// The text with every reference replaced; `found` gets the secrets.
    fn resolve(&self, text: &str, found: &mut Vec<String>) -> Result<String> {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(REFERENCE) {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let name = &from[REFERENCE.len()..];
            let Some((name, after)) = name.split_once('}') else {
                return Err(Error::user("a reference to a secret has no end")
                    .with_code(Code::InvalidOption)
                    .with_hint("write ${secret:name}"));
            };
            let value = self.get(name)?;
            out.push_str(&value);
            found.push(value);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The table as its connector opens it, and what hides the secrets in what the connector says.
    pub fn open(&self, table: &TableDef) -> Result<(TableDef, Mask)> {
        let mut table = table.clone();
        let mut secrets = vec![];
        for (key, value) in &mut table.options {
            if has_reference(value) {
                *value = self
                    .resolve(value, &mut secrets)
                    .map_err(|e| e.in_context(format!("table '{}': option '{key}'", table.path)))?;
            } else if is_sensitive(key) {
                secrets.push(value.clone());
            }
        }
        secrets.retain(|s| s.len() >= 3);
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        Ok((table, Mask(secrets.into())))
    }
}

/// Hides the secrets of one table.
#[derive(Clone, Default)]
pub struct Mask(Arc<[String]>);

impl Mask {
    pub fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_string(), |text, secret| text.replace(secret.as_str(), HIDDEN))
    }

    /// The same error, without the secrets.
    pub fn error(&self, error: Error) -> Error {
        let hides = |text: &str| self.0.iter().any(|secret| text.contains(secret.as_str()));
        if !hides(error.message()) && !error.hint().is_some_and(hides) {
            return error;
        }
        let masked = Error::new(error.kind(), self.text(error.message())).with_code(error.code());
        match error.hint() {
            Some(hint) => masked.with_hint(self.text(hint)),
            None => masked,
        }
    }
}

/// The environment's name of a secret: upper case, `_` in place of what a variable cannot have.
fn variable_of(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("{VARIABLE}{name}")
}

/// Whether a value is only known once the connector opens.
pub fn has_reference(value: &str) -> bool {
    value.contains(REFERENCE)
}

fn is_sensitive(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SENSITIVE.iter().any(|part| key.contains(part))
}

fn is_reference(value: &str) -> bool {
    let value = value.trim();
    value.strip_prefix(REFERENCE).and_then(|rest| rest.strip_suffix('}')).is_some_and(|name| !name.contains('}'))
}

/// The value of an option as it is shown: references stand as they are, what is plainly a secret is hidden.
pub fn shown(key: &str, value: &str) -> String {
    if is_reference(value) {
        value.to_string()
    } else if is_sensitive(key) {
        HIDDEN.to_string()
    } else {
        hide_in_url(value)
    }
}

/// Options as they are shown.
pub fn shown_options(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    options.iter().map(|(key, value)| (key.clone(), shown(key, value))).collect()
}

/// `..?user=a&password=b` and `//user:password@host`.
fn hide_in_url(value: &str) -> String {
    let mut out = value.to_string();
    let Some(scheme) = out.find("://") else { return out };
    if let Some(question) = out.find('?') {
        let query: Vec<String> = out[question + 1..]
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((key, secret)) if is_sensitive(key) && !is_reference(secret) => format!("{key}={HIDDEN}"),
                _ => pair.to_string(),
            })
            .collect();
        out = format!("{}?{}", &out[..question], query.join("&"));
    }
    let host = scheme + 3;
    let end = out[host..].find(['/', '?']).map_or(out.len(), |at| host + at);
    if let Some(at) = out[host..end].rfind('@')
        && let Some(colon) = out[host..host + at].find(':')
        && !is_reference(&out[host + colon + 1..host + at])
    {
        out.replace_range(host + colon + 1..host + at, HIDDEN);
    }
    out
}

/// A statement as it is shown: values of `'password' = '..'` and the like are hidden.
pub fn shown_sql(sql: &str) -> String {
    let literals = literals(sql);
    let mut out = String::with_capacity(sql.len());
    let mut copied = 0;
    for pair in literals.windows(2) {
        let [(key_start, key_end), (start, end)] = [pair[0], pair[1]];
        if sql[key_end..start].trim() != "=" {
            continue;
        }
        let key = sql[key_start + 1..key_end - 1].replace("''", "'");
        let value = sql[start + 1..end - 1].replace("''", "'");
        let masked = shown(&key, &value);
        if masked != value {
            out.push_str(&sql[copied..start]);
            out.push_str(&format!("'{}'", masked.replace('\'', "''")));
            copied = end;
        }
    }
    out.push_str(&sql[copied..]);
    out
}

/// Where quoted texts start and end, their quotes included; what stands in comments and in back quotes is none.
fn literals(sql: &str) -> Vec<(usize, usize)> {
    let bytes = sql.as_bytes();
    let mut found = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let until = |end: &[u8], from: usize| {
            rest[from.min(rest.len())..]
                .windows(end.len())
                .position(|w| w == end)
                .map_or(rest.len(), |n| from + n + end.len())
        };
        at += match rest[0] {
            b'-' if rest.starts_with(b"--") => until(b"\n", 2),
            b'/' if rest.starts_with(b"/*") => until(b"*/", 2),
            b'`' => until(b"`", 1),
            b'\'' => {
                let mut end = 1;
                while end < rest.len() {
                    match (rest[end], rest.get(end + 1)) {
                        (b'\'', Some(b'\'')) => end += 2,
                        (b'\'', _) => break,
                        _ => end += 1,
                    }
                }
                if end < rest.len() {
                    found.push((at, at + end + 1));
                }
                end + 1
            }
            _ => 1,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_and_options_show_no_secret() {
        for (sql, shown) in [
            ("WITH ('url' = 'u', 'password' = 'it''s')", "WITH ('url' = 'u', 'password' = '******')"),
            ("WITH ('password'='${secret:pg}')", "WITH ('password'='${secret:pg}')"),
            ("-- 'password' = 'x'\nSELECT '`' , 'token' = 'a'", "-- 'password' = 'x'\nSELECT '`' , 'token' = '******'"),
            (
                "('url' = 'jdbc:postgresql://h/d?user=a&password=b')",
                "('url' = 'jdbc:postgresql://h/d?user=a&password=******')",
            ),
            ("'a' = 'http://me:pw@h/p?x=1'", "'a' = 'http://me:******@h/p?x=1'"),
            ("'password' = 'ü", "'password' = 'ü"),
            ("SELECT a FROM t WHERE b = 'c'", "SELECT a FROM t WHERE b = 'c'"),
        ] {
            assert_eq!(shown_sql(sql), shown);
        }
    }
}
