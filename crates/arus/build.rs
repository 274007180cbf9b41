//! Resolves the checklist of the dialect against the conformance scripts: what `arus dialect` prints is what they prove.

#![expect(clippy::disallowed_methods, reason = "a build script reads the checkout, before there is a program")]

use std::path::Path;

struct Script {
    name: String,
    /// ok, refused or failed.
    end: String,
    /// In capitals, without comments.
    text: String,
}

/// Functions that are written otherwise than as NAME(..), and how.
const OPERATORS: &[(&str, &str)] = &[
    ("ARRAY", "ARRAY["),
    ("CURRENT_DATE", "CURRENT_DATE"),
    ("CURRENT_TIME", "CURRENT_TIME "),
    ("CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
    ("DATETIME_MINUS", " - INTERVAL"),
    ("ITEM", "]["),
    ("LIKE", " LIKE "),
    ("LOCALTIME", "LOCALTIME "),
    ("LOCALTIMESTAMP", "LOCALTIMESTAMP"),
    ("MAP", "MAP["),
    ("NEGATE", " -ID"),
    ("TRANSLATE3", "TRANSLATE("),
];

fn main() {
    // Asked for when it runs: a build folder that several checkouts share may hold the script that another one built.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let here = Path::new(&here);
    let conformance = here.join("../../conformance");
    println!("cargo:rerun-if-changed=dialect.txt");
    println!("cargo:rerun-if-changed=../../conformance/expected");
    let scripts = read_scripts(&conformance);
    let list = std::fs::read_to_string(here.join("dialect.txt")).expect("the checklist stands beside this file");
    let mut rows = String::from("pub(crate) const ITEMS: &[(&str, &str, State, &str)] = &[\n");
    for line in list.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
        let mut parts = line.splitn(3, " | ").map(str::trim);
        let (Some(id), Some(what), Some(how)) = (parts.next(), parts.next(), parts.next()) else {
            panic!("a line of dialect.txt without its three parts: {line}");
        };
        let (state, note) = state(how, &scripts);
        rows.push_str(&format!("    ({id:?}, {what:?}, State::{state}, {note:?}),\n"));
    }
    rows.push_str(
        "];\n\n/// All that a script which ends \"ok\" holds, in capitals: where functions are looked for.\n",
    );
    rows.push_str("pub(crate) const CALLED: &[&str] = &[\n");
    let answered = || scripts.iter().filter(|s| s.end == "ok");
    let mut called: Vec<&str> = answered().flat_map(|s| calls(&s.text)).collect();
    called.extend(OPERATORS.iter().filter(|(_, mark)| answered().any(|s| s.text.contains(mark))).map(|(name, _)| name));
    called.sort_unstable();
    called.dedup();
    called.iter().for_each(|name| rows.push_str(&format!("    {name:?},\n")));
    rows.push_str("];\n");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    std::fs::write(Path::new(&out).join("dialect.rs"), rows).expect("the folder of generated code can be written");
}

fn state(how: &str, scripts: &[Script]) -> (&'static str, String) {
    let (kind, rest) = how.split_once(' ').unwrap_or((how, ""));
    let ends = |name: &str, end: &str| scripts.iter().any(|s| s.name == name && s.end == end);
    let missing = || ("NotYet", String::new());
    match kind {
        "script" if ends(rest, "ok") => ("Same", rest.to_string()),
        "refused" if ends(rest, "refused") => ("RefusedAsFlink", rest.to_string()),
        "script" | "refused" => ("NotYet", format!("the script {rest} is missing")),
        "like" => {
            let marks: Vec<String> = rest.split(',').map(str::to_uppercase).collect();
            let proof = scripts.iter().find(|s| s.end == "ok" && marks.iter().all(|m| s.text.contains(m.as_str())));
            proof.map_or_else(missing, |s| ("Same", s.name.clone()))
        }
        "ours" => ("Ours", rest.to_string()),
        "with" => ("Refused", rest.to_string()),
        _ => missing(),
    }
}

fn read_scripts(conformance: &Path) -> Vec<Script> {
    // Without the checkout's scripts nothing is proved.
    let Ok(entries) = std::fs::read_dir(conformance.join("expected")) else { return vec![] };
    let mut scripts = vec![];
    for entry in entries.flatten() {
        let Ok(answer) = std::fs::read_to_string(entry.path()) else { continue };
        let Some(name) = entry.file_name().to_str().and_then(|n| n.strip_suffix(".txt")).map(String::from) else {
            continue;
        };
        let end = answer.lines().find_map(|l| l.strip_prefix("# end: ")).unwrap_or_default().trim().to_string();
        let path = conformance.join("scripts").join(format!("{name}.sql"));
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let text: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("--")).collect();
        scripts.push(Script { name, end, text: text.join("\n").to_uppercase() });
    }
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    scripts
}

/// The names before parentheses.
fn calls(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('(').filter_map(|(at, _)| {
        let before = text[..at].trim_end();
        let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |i| i + 1);
        Some(&before[start..]).filter(|name| !name.is_empty())
    })
}
