//! A backup of the running server: a checkpoint whose files stay until they are copied.

use std::path::PathBuf;
use std::sync::Arc;

use arus_core::fs::SharedFs;
use arus_core::platform::PinnedBackup;
use arus_core::{Error, Result};
use arus_storage::backup;
use tokio::sync::oneshot;

use crate::domain::Control;
use crate::shared::Shared;

/// The names of a checkpoint's files; they go when it is dropped.
struct Pin {
    fs: SharedFs,
    folder: PathBuf,
}

impl Drop for Pin {
    fn drop(&mut self) {
        if let Err(error) = backup::unpin(&self.fs, &self.folder) {
            tracing::warn!(%error, "the names of a backup stay until the next start");
        }
    }
}

impl Shared {
    /// Takes a checkpoint now, and pins its files between it and the next one.
    pub(crate) async fn backup(self: &Arc<Self>) -> Result<PinnedBackup> {
        // No topic is dropped meanwhile.
        let _ddl = self.ddl.lock().await;
        let (tell, answer) = oneshot::channel();
        let (shared, name) = (self.clone(), self.new_id().to_string());
        self.after_record.push(move |state| {
            let pinned = backup::pin(&shared.folder, &shared.log, state, &name);
            if let Err(Ok(unwanted)) = tell.send(pinned) {
                drop(Pin { fs: shared.config.fs.clone(), folder: unwanted.folder });
            }
        });
        self.ask(|reply| Control::Catalog { changes: vec![], reply }).await?;
        let pinned = answer.await.map_err(|_| Error::external("the server is stopping"))??;
        let pin = Pin { fs: self.config.fs.clone(), folder: pinned.folder.clone() };
        let list = serde_json::to_value(&pinned).map_err(|e| Error::bug(format!("the list of a backup: {e}")))?;
        Ok(PinnedBackup { list, pin: Box::new(pin) })
    }
}
