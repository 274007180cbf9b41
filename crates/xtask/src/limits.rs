//! docs/limits.md is what `core::limits` says: `cargo xtask limits` writes it, tidy compares.

use std::fs;
use std::path::Path;

use crate::Finding;

const SOURCE: &str = "crates/arus-core/src/limits.rs";
const PAGE: &str = "docs/limits.md";

const HEAD: &str = "# Limits

Every queue, cache, retry and text has a limit. They are constants of the build; this page is written from their source by `cargo xtask limits`.
What a limit does when it is reached stands where it belongs: [doors](doors.md), [operations](operations.md).

| limit | is | for |
|---|---|---|
";

pub(crate) fn check(root: &Path) -> Vec<Finding> {
    match (page(root), fs::read_to_string(root.join(PAGE))) {
        (Ok(expected), Ok(found)) if expected == found => vec![],
        (Ok(_), _) => vec![Finding::new(PAGE, "is not what the limits say: run `cargo xtask limits`")],
        (Err(finding), _) => vec![finding],
    }
}

pub(crate) fn write(root: &Path) -> Result<(), Finding> {
    fs::write(root.join(PAGE), page(root)?).map_err(|e| Finding::new(PAGE, e.to_string()))
}

/// The page that the source makes.
fn page(root: &Path) -> Result<String, Finding> {
    let source = fs::read_to_string(root.join(SOURCE)).map_err(|e| Finding::new(SOURCE, e.to_string()))?;
    let mut page = HEAD.to_owned();
    let mut about: Vec<&str> = vec![];
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("/// ") {
            about.push(text);
            continue;
        }
        if let Some(constant) = line.strip_prefix("pub const ") {
            let parts = constant.split_once(": ").zip(constant.trim_end_matches(';').split_once(" = "));
            let Some(((name, _), (_, value))) = parts.filter(|_| !about.is_empty()) else {
                return Err(Finding::new(SOURCE, format!("expected a described constant on one line, found: {line}")));
            };
            // A link of the source leads nowhere on the page.
            let about = about.join(" ").replace("[`", "`").replace("`]", "`");
            page.push_str(&format!("| `{name}` | {} | {about} |\n", shown(name, value)));
        }
        about.clear();
    }
    Ok(page)
}

/// `64 << 20` of bytes is 64 MB; else the value as it is written.
fn shown(name: &str, value: &str) -> String {
    let unit = match value.split_once(" << ") {
        Some((_, "10")) if name.ends_with("BYTES") => "kB",
        Some((_, "20")) if name.ends_with("BYTES") => "MB",
        Some((_, "30")) if name.ends_with("BYTES") => "GB",
        _ => {
            let plain = value.replace('_', " ").replace('*', "x");
            return if name.ends_with("_MS") { format!("{plain} ms") } else { plain };
        }
    };
    format!("{} {unit}", value.split(' ').next().unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn values_are_readable() {
        for (name, value, expected) in [
            ("A_BYTES", "64 << 20", "64 MB"),
            ("STATE_BLOCK_BYTES", "64 << 10", "64 kB"),
            ("B_MS", "24 * 3_600_000", "24 x 3 600 000 ms"),
            ("ROWS", "8_192", "8 192"),
        ] {
            assert_eq!(shown(name, value), expected);
        }
    }
}
