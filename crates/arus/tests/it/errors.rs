//! docs/errors.md: each wrong script has the message that stands below it, and the fixed one passes `arus check`.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn wrong_scripts_have_the_documented_messages() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let page = fs::read_to_string(page).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let check = |script: &str| {
        fs::write(folder.path().join("s.sql"), script).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_arus"))
            .args(["check", "s.sql"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr).replace("s.sql: ", "");
        (output.status.code(), message.trim_end().to_owned())
    };
    let mut cases = 0;
    for section in page.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap();
        let blocks: Vec<&str> = section.split("```").skip(1).step_by(2).collect();
        let [wrong, message, fixed] = blocks.as_slice() else {
            panic!("{title}: expected a script, a message and a script, found {} blocks", blocks.len())
        };
        let [wrong, message, fixed] = [wrong, message, fixed].map(|block| block.split_once('\n').unwrap().1);
        assert_eq!(check(wrong), (Some(1), message.trim_end().to_owned()), "{title}");
        let (code, found) = check(fixed);
        assert_eq!(code, Some(0), "{title}: the fixed script does not pass:\n{found}");
        cases += 1;
    }
    assert!(cases >= 10, "docs/errors.md has {cases} scripts");
}
