//! Dashboards: files of one folder, which the console edits in place, and those that projects have brought.
//!
//! A file is read whenever it is asked for, so that an editor beside the console is seen at once. It is written only while it
//! still has the text that the writer has seen, whole or not at all; between the comparison and the rename lies no other work.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use arus_core::error::Code;
use arus_core::limits::{DASHBOARD_BYTES, DASHBOARDS};
use arus_core::platform::{Changed, Dashboard, DashboardChange};
use arus_core::{Error, Result};

use crate::shared::Shared;

const ENDING: &str = "yaml";
const NAME_BYTES: usize = 80;

impl Shared {
    /// By name; a file goes before what a project has brought.
    pub(crate) fn dashboards(&self) -> Result<Vec<Dashboard>> {
        let brought = self.projects.dashboards().into_iter();
        let mut all: BTreeMap<String, Dashboard> =
            brought.map(|(name, text)| (name.clone(), Dashboard { name, text, file: None })).collect();
        let Some(folder) = &self.config.dashboards_dir else { return Ok(all.into_values().collect()) };
        let entries = match self.config.fs.list(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => vec![],
            Err(e) => return Err(Error::io("list", folder.display(), e)),
        };
        let files = entries.into_iter().filter(|e| !e.is_dir && e.path.extension().is_some_and(|x| x == ENDING));
        for entry in files.take(DASHBOARDS) {
            let name = entry.path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            // One that cannot be read keeps no other from being shown. A file may go while the folder is read.
            let text = self.dashboard_text(&entry.path).unwrap_or_else(|e| Some(format!("# {e}\n")));
            if let Some(text) = text {
                all.insert(name.clone(), Dashboard { name, text, file: Some(entry.path) });
            }
        }
        Ok(all.into_values().collect())
    }

    fn dashboard_text(&self, path: &Path) -> Result<Option<String>> {
        let size = self.config.fs.open(path).and_then(|file| file.len());
        if size.is_ok_and(|size| size > DASHBOARD_BYTES as u64) {
            return Err(Error::user(format!("'{}' is larger than {} KB", path.display(), DASHBOARD_BYTES >> 10)));
        }
        match self.config.fs.read(path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", path.display(), e)),
        }
    }

    pub(crate) fn change_dashboard(&self, change: &DashboardChange) -> Result<Changed> {
        let name = &change.name;
        let good = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > NAME_BYTES || !name.chars().all(good) {
            return Err(Error::user(format!("dashboard '{name}': expected a name of letters, digits, - and _"))
                .with_code(Code::InvalidValue));
        }
        if change.text.as_ref().is_some_and(|text| text.len() > DASHBOARD_BYTES) {
            return Err(Error::user(format!("dashboard '{name}' is larger than {} KB", DASHBOARD_BYTES >> 10)));
        }
        let Some(folder) = &self.config.dashboards_dir else {
            return Err(Error::not_supported("a dashboard of this server's own"));
        };
        let _one = self.projects.writing_dashboard.lock().expect("no holder of this lock panics");
        let path = folder.join(format!("{name}.{ENDING}"));
        // What nobody could see is not written over.
        self.dashboard_text(&path)?;
        let there = self.dashboards()?.into_iter().find(|d| d.name == *name);
        if there.as_ref().map(Dashboard::tag) != change.seen {
            return Ok(Changed::Otherwise(there));
        }
        if there.as_ref().is_some_and(|d| d.file.is_none()) {
            return Err(Error::user(format!("dashboard '{name}' belongs to a project"))
                .with_code(Code::Conflict)
                .with_hint("change its file and `arus apply` the project, or save it by another name"));
        }
        let Some(text) = &change.text else {
            self.config.fs.remove_file(&path).map_err(|e| Error::io("remove", path.display(), e))?;
            return Ok(Changed::Done(None));
        };
        self.write_dashboard(folder, &path, text)?;
        Ok(Changed::Done(Some(Dashboard { name: name.clone(), text: text.clone(), file: Some(path) })))
    }

    fn write_dashboard(&self, folder: &Path, path: &Path, text: &str) -> Result<()> {
        let fs = &self.config.fs;
        let beside = path.with_extension("yaml.new");
        let written = fs.create_dir_all(folder).and_then(|()| match fs.remove_file(&beside) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => fs.open_append(&beside).and_then(|file| file.append(text.as_bytes()).and_then(|()| file.sync())),
        });
        written.and_then(|()| fs.rename(&beside, path)).and_then(|()| fs.sync_dir(folder)).map_err(|e| {
            let error = Error::io("write", path.display(), e);
            error.with_hint("the file is as it was")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use arus_core::fs::Fs;
    use arus_storage::sim::MemoryFs;

    use super::*;
    use crate::config::EngineConfig;
    use crate::engine::Engine;

    #[test]
    fn a_change_of_what_has_changed_since_is_not_written() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let _entered = runtime.enter();
        let fs = MemoryFs::new();
        let folder = Path::new("/boards");
        let mut config = EngineConfig::new(PathBuf::from("/data")).expect("a configuration");
        fs.create_dir_all(Path::new("/data")).expect("a folder");
        config.fs = fs.shared();
        config.dashboards_dir = Some(folder.into());
        config.threads = 1;
        let (engine, _parts) = Engine::assemble(config, false).expect("an engine");
        let shared = Arc::clone(&engine.shared);
        assert_eq!(shared.dashboards().expect("none"), []);
        let change = |name: &str, text: Option<&str>, seen: Option<String>| {
            shared.change_dashboard(&DashboardChange { name: name.into(), text: text.map(String::from), seen })
        };
        let Changed::Done(Some(first)) = change("a", Some("one"), None).expect("written") else {
            panic!("not written")
        };
        // It is there already, and somebody else has another text.
        assert_eq!(change("a", Some("two"), None).expect("answered"), Changed::Otherwise(Some(first.clone())));
        fs.open_append(&folder.join("a.yaml")).expect("opens").append(b" and more").expect("appends");
        let Changed::Otherwise(Some(theirs)) = change("a", Some("two"), Some(first.tag())).expect("answered") else {
            panic!("overwritten")
        };
        assert_eq!(theirs.text, "one and more");
        assert!(matches!(change("a", Some("two"), Some(theirs.tag())).expect("written"), Changed::Done(Some(_))));
        assert_eq!(shared.dashboards().expect("one")[0].text, "two");
        let seen = shared.dashboards().expect("one")[0].tag();
        assert_eq!(change("a", None, Some(seen)).expect("removed"), Changed::Done(None));
        assert_eq!(shared.dashboards().expect("none"), []);
        assert!(change("../a", Some("x"), None).is_err());
        // One that is too large is in the list with why, hides no other, and is not written over.
        change("small", Some("one"), None).expect("written");
        fs.open_append(&folder.join("large.yaml"))
            .expect("opens")
            .append(&vec![b'x'; DASHBOARD_BYTES + 1])
            .expect("fits");
        let all = shared.dashboards().expect("both");
        assert_eq!((all[0].name.as_str(), all[1].name.as_str()), ("large", "small"));
        assert!(all[0].text.contains("is larger than 1024 KB"), "{}", all[0].text);
        assert!(change("large", Some("x"), Some(all[0].tag())).is_err());
    }
}
