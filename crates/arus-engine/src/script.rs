//! Scripts: `arus run`, and the files of the demo.

use std::sync::Arc;

use arus_core::error::{Code, Location};
use arus_core::platform::{Door, Session, StatementOutput};
use arus_core::{Error, Result};
use arus_sql::parser::split_script;
use futures::StreamExt;

use crate::engine::Engine;
use crate::session::EngineSession;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptEnd {
    Finished,
    Interrupted,
}

impl Engine {
    /// Runs every statement, then waits until all jobs have ended. Stops at the first error.
    pub async fn run_script(self: &Arc<Self>, text: &str) -> Result<ScriptEnd> {
        let mut session = EngineSession::new(self.clone(), Door::Console);
        session.settings.set(arus_core::settings::DIALECT, "flink");
        for span in split_script(text) {
            let statement = span.of(text);
            let output = session.execute(statement, &[]).await.map_err(|e| shifted(e, text, span.start as usize))?;
            self.show(output).await?;
        }
        for job in std::mem::take(&mut session.jobs) {
            session.wait_for(&job).await?;
        }
        self.tell_set_aside()?;
        Ok(ScriptEnd::Finished)
    }

    /// Rows that are in no result, and why: nothing disappears in silence.
    fn tell_set_aside(&self) -> Result<()> {
        for job in self.shared.jobs.all() {
            let Some(stats) = job.stats() else { continue };
            let name = &job.spec.name;
            let stderr = &self.shared.config.stderr;
            if stats.quarantined() > 0 {
                stderr.write_lines(&format!(
                    "note: {name}: {} records or rows were set aside, since they could not be read or computed; \
                     SET '{}' = 'fail' stops at the first and shows it\n",
                    stats.quarantined(),
                    arus_core::settings::ERROR_POLICY
                ))?;
            }
            if stats.late() > 0 {
                stderr
                    .write_lines(&format!("note: {name}: {} rows came after their window had fired\n", stats.late()))?;
            }
        }
        Ok(())
    }

    /// Runs every statement; what it creates and exists already is left as it is.
    pub async fn apply_script(self: &Arc<Self>, text: &str) -> Result<()> {
        let mut session = EngineSession::new(self.clone(), Door::Console);
        for span in split_script(text) {
            match session.execute(span.of(text), &[]).await {
                Ok(_) => {}
                Err(e) if e.code() == Code::DuplicateObject => {}
                Err(e) => return Err(shifted(e, text, span.start as usize)),
            }
        }
        Ok(())
    }

    /// Answers of statements go to standard error: standard output holds rows of pipelines alone.
    async fn show(&self, output: StatementOutput) -> Result<()> {
        let stderr = &self.shared.config.stderr;
        match output {
            StatementOutput::Done(done) => {
                for notice in done.notices {
                    stderr.write_lines(&format!("note: {notice}\n"))?;
                }
            }
            StatementOutput::Rows(mut rows) => {
                let mut batches = vec![];
                while let Some(batch) = rows.batches.next().await {
                    batches.push(batch?);
                }
                let table = arrow::util::pretty::pretty_format_batches(&batches)
                    .map_err(|e| Error::bug(format!("the answer cannot be shown: {e}")))?;
                stderr.write_lines(&format!("{table}\n"))?;
            }
        }
        Ok(())
    }
}

/// The place of an error within the whole script.
pub(crate) fn shifted(error: Error, text: &str, start: usize) -> Error {
    let Some(at) = error.location() else { return error };
    let offset = start + at.offset as usize;
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    error.with_location(Location {
        line: before.matches('\n').count() as u32 + 1,
        column: before[line_start..].chars().count() as u32 + 1,
        offset: offset as u32,
        length: at.length,
    })
}
