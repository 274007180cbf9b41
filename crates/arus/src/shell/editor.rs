//! The line that is being typed: colours, completion from the server, history, and when a statement is whole.

use std::borrow::Cow;
use std::path::PathBuf;

use arus_core::{Error, Result};
use arus_sql::parser::{Cut, cut_statement};
use arus_sql::{TokenClass, classify};
use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, Completer, CompletionResult, Emacs, FileBackedHistory, Highlighter, History, HistoryItem,
    HistoryItemId, HistorySessionId, KeyCode, KeyModifiers, MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch,
    Reedline, ReedlineEvent, ReedlineMenu, SearchQuery, Signal, Span, StyledText, Suggestion, ValidationResult,
    Validator, default_emacs_keybindings,
};

use super::client::Client;

const MENU: &str = "completions";
const HISTORY_LINES: usize = 10_000;

pub(crate) enum Input {
    Text(String),
    /// Ctrl-C: the line goes.
    Cancelled,
    End,
}

pub(crate) struct Editor {
    line: Reedline,
}

impl Editor {
    pub(crate) fn new(client: Client) -> Self {
        let mut keys = default_emacs_keybindings();
        let next = vec![ReedlineEvent::Menu(MENU.into()), ReedlineEvent::MenuNext];
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(next));
        let menu = ColumnarMenu::default().with_name(MENU).with_columns(4).with_column_padding(2);
        let mut line = Reedline::create()
            .with_completer(Box::new(FromServer(client)))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
            .with_highlighter(Box::new(Colours))
            .with_validator(Box::new(Whole))
            .with_edit_mode(Box::new(Emacs::new(keys)));
        // Without a history of former days a shell is still a shell.
        if let Some(history) = history_file().and_then(|file| FileBackedHistory::with_file(HISTORY_LINES, file).ok()) {
            line = line.with_history(Box::new(Discreet(history)));
        }
        Editor { line }
    }

    pub(crate) fn read(&mut self) -> Result<Input> {
        match self.line.read_line(&Ask("arus".into())).map_err(|e| Error::io("read from", "the terminal", e))? {
            Signal::Success(text) => Ok(Input::Text(text)),
            Signal::CtrlD => Ok(Input::End),
            _ => Ok(Input::Cancelled),
        }
    }
}

/// Reads a password; a star stands for each character. The editor keeps nothing of it.
pub(super) fn password(user: &str) -> Result<String> {
    let mut line = Reedline::create().with_highlighter(Box::new(Stars));
    match line.read_line(&Ask(format!("password of {user}"))).map_err(|e| Error::io("read from", "the terminal", e))? {
        Signal::Success(text) => Ok(text),
        _ => Err(Error::user("no password was given")),
    }
}

/// A history that keeps no secret: what has a password in it is not written down.
struct Discreet(FileBackedHistory);

fn has_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["password", "sasl.jaas", "secret-key", "secret_key"].iter().any(|word| text.contains(word))
}

impl History for Discreet {
    fn save(&mut self, item: HistoryItem) -> reedline::Result<HistoryItem> {
        if has_secret(&item.command_line) { Ok(item) } else { self.0.save(item) }
    }

    fn load(&self, id: HistoryItemId) -> reedline::Result<HistoryItem> {
        self.0.load(id)
    }

    fn count(&self, query: SearchQuery) -> reedline::Result<i64> {
        self.0.count(query)
    }

    fn search(&self, query: SearchQuery) -> reedline::Result<Vec<HistoryItem>> {
        self.0.search(query)
    }

    fn update(&mut self, id: HistoryItemId, updater: &dyn Fn(HistoryItem) -> HistoryItem) -> reedline::Result<()> {
        self.0.update(id, updater)
    }

    fn clear(&mut self) -> reedline::Result<()> {
        self.0.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> reedline::Result<()> {
        self.0.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.0.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.0.session()
    }
}

/// Where the XDG rules put it.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("arus/history"))
}

struct FromServer(Client);

impl Completer for FromServer {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let (before, after) = line.split_at_checked(pos).unwrap_or((line, ""));
        // Nobody wants an error for a Tab.
        let (replace, found) = self.0.complete(before, after).unwrap_or_default();
        let start = before.char_indices().rev().take(replace).last().map_or(pos, |(at, _)| at);
        let suggestions = found.into_iter().map(|(value, detail)| Suggestion {
            value,
            description: Some(detail),
            span: Span::new(start, pos),
            ..Suggestion::default()
        });
        CompletionResult::fresh(suggestions.collect::<Vec<_>>())
    }
}

struct Colours;

impl Highlighter for Colours {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        let mut end = 0;
        for (range, class) in classify(line) {
            styled.push((Style::new(), line[end..range.start].to_string()));
            let style = match class {
                TokenClass::Keyword => Color::Blue.bold(),
                TokenClass::Function => Color::Cyan.normal(),
                TokenClass::String => Color::Green.normal(),
                TokenClass::Number => Color::Magenta.normal(),
                TokenClass::Comment => Color::DarkGray.italic(),
                TokenClass::Name | TokenClass::Other => Style::new(),
            };
            end = range.end;
            styled.push((style, line[range].to_string()));
        }
        styled.push((Style::new(), line[end..].to_string()));
        styled
    }
}

struct Stars;

impl Highlighter for Stars {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        styled.push((Style::new(), "*".repeat(line.chars().count())));
        styled
    }
}

/// Enter ends the input once its last statement is whole.
struct Whole;

impl Validator for Whole {
    fn validate(&self, line: &str) -> ValidationResult {
        let word = line.trim().trim_end_matches(';').to_ascii_uppercase();
        if ["", "QUIT", "EXIT", "HELP", "CLEAR"].contains(&word.as_str()) {
            return ValidationResult::Complete;
        }
        let mut rest = line;
        loop {
            match cut_statement(rest) {
                Cut::Blank => return ValidationResult::Complete,
                Cut::Complete { end } => rest = &rest[end..],
                Cut::Incomplete { .. } => return ValidationResult::Incomplete,
            }
        }
    }
}

/// What stands before the text.
struct Ask(String);

impl Prompt for Ask {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        self.0.as_str().into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        "> ".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "    > ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        format!(" (search: {}) ", search.term).into()
    }
}

#[cfg(test)]
mod tests {
    use arus_core::fs::Fs;
    use arus_storage::DiskFs;

    use super::*;

    #[test]
    fn the_history_keeps_no_password() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("history");
        let mut history = Discreet(FileBackedHistory::with_file(10, file.clone()).expect("a history"));
        for text in [
            "CREATE USER ann WITH PASSWORD 'pl4nted';",
            "alter user ann password 'pl4nted';",
            "CREATE TABLE t (a INT) WITH ('connector' = 'jdbc', 'password' = 'pl4nted');",
            "SHOW TABLES;",
        ] {
            history.save(HistoryItem::from_command_line(text)).expect("saved, or not");
        }
        history.sync().expect("written");
        let kept = String::from_utf8(DiskFs.read(&file).expect("a file")).expect("text");
        assert_eq!(kept.trim(), "SHOW TABLES;");
    }
}
