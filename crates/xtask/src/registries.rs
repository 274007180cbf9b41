//! What is in a folder is in its list: a connector, format or function is one file and one line.

use std::path::Path;

use crate::{Finding, files, read, relative};

/// Folder, and the file that names each of its modules.
const REGISTRIES: &[(&str, &str)] = &[
    ("crates/arus-connect/src/source", "crates/arus-connect/src/registry.rs"),
    ("crates/arus-connect/src/sink", "crates/arus-connect/src/registry.rs"),
    ("crates/arus-connect/src/format", "crates/arus-connect/src/registry.rs"),
    ("crates/arus-expr/src/functions", "crates/arus-expr/src/functions.rs"),
];

pub(crate) fn check(root: &Path) -> Vec<Finding> {
    let mut findings = vec![];
    for (folder, list) in REGISTRIES {
        let names = read(&root.join(list));
        let dir = root.join(folder);
        for path in files(&dir, ".rs").iter().filter(|p| p.parent() == Some(dir.as_path())) {
            let module = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            if module != "tests" && module != "mod" && !names.contains(&format!("{module}::")) {
                findings.push(Finding::new(relative(root, path), format!("'{module}' is not in {list}")));
            }
        }
    }
    findings
}
