//! `arus sql`: a shell on the running server, or on an engine of its own where none runs. Both are spoken to in the same way, by HTTP.

pub(crate) mod client;
mod editor;
mod reach;
pub(crate) mod table;

use std::io::{IsTerminal, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arus_core::settings::RUNTIME_MODE;
use arus_core::{Error, Location, Result};
use arus_engine::Engine;
use arus_sql::ast::{Set, StatementKind};
use arus_sql::parser::{Cut, cut_statement, parse_statement};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::args::{Connect, Flags, SqlArgs};
use crate::run::RunFolder;
use crate::server::{self, Doors, Ports};
use crate::{output, settings_file};
use client::{Client, Line};
use editor::{Editor, Input};
use table::{SAMPLE_ROWS, Table};

const HELP: &str =
    "A statement ends with ; and may take several lines. Tab completes, Ctrl-R searches what was typed before.
  SELECT ..                                      live: rows come until Ctrl-C
  SET 'execution.runtime-mode' = 'batch'         from now on SELECT gives the rows of now and ends
  SHOW TABLES; DESCRIBE t; EXPLAIN SELECT ..     what is there, and how it would run
  EXPLAIN WHY t                                  why a table has nothing new
  EXPLAIN ANALYZE job                            a pipeline's live figures
  QUIT                                           or Ctrl-D";

/// What a statement came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Failed,
    /// Ctrl-C.
    Stopped,
    Quit,
}

pub(crate) fn run(flags: Flags, args: &SqlArgs) -> Result<ExitCode> {
    let flags = settings_file::complete(flags)?;
    let connect = settings_file::connect_in(Path::new(""), args.connect.clone())?;
    let runtime = server::runtime()?;
    let place = Place::find(&flags, &connect, &runtime)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, interrupted.clone())
        .map_err(|e| Error::io("listen to", "Ctrl-C", e))?;
    let mut shell = Shell { client: place.client(), session: vec![], snapshots: false, interrupted };
    let outcome = if !args.execute.is_empty() {
        shell.script(&args.execute.join(";\n"))
    } else if std::io::stdin().is_terminal() {
        output::note(&place.greeting());
        shell.converse()
    } else {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(|e| Error::io("read", "standard input", e))?;
        shell.script(&text)
    };
    let closed = place.close(&runtime);
    let code = outcome?;
    closed?;
    Ok(code)
}

/// Where the statements are done.
enum Place {
    Server(Client),
    /// An engine in this process; its folder goes with it unless `--data` named one.
    Embedded {
        address: SocketAddr,
        engine: Arc<Engine>,
        folder: Option<RunFolder>,
    },
}

impl Place {
    /// The server of the flags; without one an own, unless its port was asked for.
    fn find(flags: &Flags, connect: &Connect, runtime: &Runtime) -> Result<Place> {
        let client = Client::of(flags, connect)?;
        if client.is_there()? {
            return Ok(Place::Server(client));
        }
        let asked = flags.port("--http-port").is_some_and(|port| port != 0);
        if asked || connect.url.is_some() || connect.user.is_some() {
            return Err(Error::user(format!("no Arus answers at {}", client.place()))
                .with_hint("start one with 'arus', or leave the port out for a shell of its own"));
        }
        let listen = server::loopback(flags)?;
        runtime.block_on(async {
            let anywhere = Flags { http_port: Some(0), pg_port: Some(0), kafka_port: Some(0), ..flags.clone() };
            let doors = Doors::bind(&anywhere, listen, Ports::Fixed).await?;
            let folder = if flags.data.is_none() { Some(RunFolder::new(flags)?) } else { None };
            let data = folder.as_ref().map(|f| f.path().to_path_buf()).or_else(|| flags.data.clone());
            let data = data.ok_or_else(|| Error::bug("a shell without a folder"))?;
            let engine = Engine::start(server::config(flags, data)?)?;
            let address = doors.addresses.http;
            doors.open(&engine, None);
            Ok(Place::Embedded { address, engine, folder })
        })
    }

    fn client(&self) -> Client {
        match self {
            Place::Server(client) => client.clone(),
            Place::Embedded { address, .. } => Client::local(*address),
        }
    }

    fn greeting(&self) -> String {
        let place = match self {
            Place::Server(client) => format!("on the server at {}", client.place()),
            Place::Embedded { address, folder: Some(_), .. } => {
                format!("no server runs, so this is one of its own (http://{address}); its tables go when you leave")
            }
            Place::Embedded { address, folder: None, .. } => format!("a server of its own (http://{address})"),
        };
        format!("Arus {}: {place}\nHELP; tells what there is. Statements end with ;", env!("CARGO_PKG_VERSION"))
    }

    fn close(self, runtime: &Runtime) -> Result<()> {
        match self {
            Place::Server(_) => Ok(()),
            Place::Embedded { engine, folder, .. } => {
                let ended = runtime.block_on(engine.shutdown());
                drop(folder);
                ended
            }
        }
    }
}

struct Shell {
    client: Client,
    /// SET, RESET and USE so far: they go in front of each statement, since a request is a session of its own.
    session: Vec<String>,
    /// Whether a SELECT gives the rows of now rather than a stream.
    snapshots: bool,
    interrupted: Arc<AtomicBool>,
}

impl Shell {
    fn converse(&mut self) -> Result<ExitCode> {
        let mut editor = Editor::new(self.client.clone());
        loop {
            match editor.read()? {
                Input::Text(text) => {
                    if self.statements(&text)? == End::Quit {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                Input::Cancelled => {}
                Input::End => return Ok(ExitCode::SUCCESS),
            }
        }
    }

    /// Stops at the first error, as every script does.
    fn script(&mut self, text: &str) -> Result<ExitCode> {
        Ok(match self.statements(text)? {
            End::Failed => ExitCode::from(1),
            End::Stopped => ExitCode::from(130),
            End::Done | End::Quit => ExitCode::SUCCESS,
        })
    }

    fn statements(&mut self, text: &str) -> Result<End> {
        let mut rest = text;
        while !rest.trim().is_empty() {
            let end = match cut_statement(rest) {
                Cut::Blank => return Ok(End::Done),
                Cut::Complete { end } => end,
                Cut::Incomplete { .. } => rest.len(),
            };
            let (statement, after) = rest.split_at(end);
            let before = &text[..text.len() - rest.len() + (statement.len() - statement.trim_start().len())];
            rest = after;
            let place = Typed { text, before };
            match self.statement(statement.trim().trim_end_matches(';').trim_end(), place)? {
                End::Done => {}
                end => return Ok(end),
            }
        }
        Ok(End::Done)
    }

    fn statement(&mut self, statement: &str, place: Typed<'_>) -> Result<End> {
        match statement.to_ascii_uppercase().as_str() {
            "" => return Ok(End::Done),
            "QUIT" | "EXIT" => return Ok(End::Quit),
            "HELP" => {
                output::note(HELP);
                return Ok(End::Done);
            }
            "CLEAR" => {
                output::line("\x1b[2J\x1b[H");
                return Ok(End::Done);
            }
            _ => {}
        }
        let kind = parse_statement(statement).map(|s| s.kind);
        if let Ok(StatementKind::Set(Set::To { key, value })) = &kind
            && key.value == RUNTIME_MODE
        {
            self.snapshots = value.value.eq_ignore_ascii_case("batch");
            let how = if self.snapshots { "gives the rows of now and ends" } else { "is live until Ctrl-C" };
            output::note(&format!("SELECT {how} from here on"));
            return Ok(End::Done);
        }
        let is_query = matches!(kind, Ok(StatementKind::Query(_)));
        let mut text = self.session.concat();
        let lines_before = text.lines().count();
        text.push_str(statement);
        self.interrupted.store(false, Relaxed);
        let end = self.follow(&text, place, lines_before, is_query && !self.snapshots)?;
        if end == End::Done
            && matches!(kind, Ok(StatementKind::Set(_) | StatementKind::Reset(_) | StatementKind::Use(_)))
        {
            self.session.push(format!("{};\n", statement.replace('\n', " ")));
        }
        Ok(end)
    }

    /// Sends the text and shows what comes until it ends or Ctrl-C.
    fn follow(&mut self, text: &str, place: Typed<'_>, lines_before: usize, live: bool) -> Result<End> {
        let mut answer = match self.client.sql(text, live) {
            Ok(answer) => answer,
            Err(e) => {
                output::note(&format!("error: {}", e.render(None)));
                return Ok(End::Failed);
            }
        };
        let mut rows = Rows { live, ..Rows::default() };
        loop {
            if self.interrupted.swap(false, Relaxed) {
                rows.finish("stopped");
                return Ok(End::Stopped);
            }
            match answer.next()? {
                Line::Columns(columns) => rows.begin(columns),
                Line::Row { op, values } => rows.add(op, values),
                // A pause is the moment to show what has come.
                Line::Waiting => rows.show(),
                Line::Note(note) => {
                    rows.show();
                    output::note(&format!("-- {note}"));
                }
                Line::Done(done) => {
                    for notice in done["notices"].as_array().map(Vec::as_slice).unwrap_or_default() {
                        output::note(&format!("-- {}", notice.as_str().unwrap_or_default()));
                    }
                    match done["job"].as_str() {
                        Some(job) => output::note(&format!("ok, job {job}")),
                        None => output::note("ok"),
                    }
                }
                Line::Failed(error) => {
                    rows.show();
                    output::note(&format!("error: {}", told(&error, lines_before, place).render(Some(place.text))));
                    return Ok(End::Failed);
                }
                Line::End => {
                    rows.finish("rows");
                    return Ok(End::Done);
                }
            }
        }
    }
}

/// Where a statement stands in what was typed.
#[derive(Clone, Copy)]
struct Typed<'a> {
    text: &'a str,
    before: &'a str,
}

/// The error of an answer, with its place in what was typed.
fn told(error: &Value, lines_before: usize, place: Typed<'_>) -> Error {
    let text = |key: &str| error[key].as_str().map(String::from);
    let number = |key: &str| error[key].as_u64().map(|n| n as u32);
    let mut told = Error::user(text("message").unwrap_or_default());
    if let (Some(line), Some(column)) = (number("line"), number("column")) {
        let line = line.saturating_sub(lines_before as u32).max(1);
        let chars = place.before.rsplit('\n').next().map_or(0, |line| line.chars().count()) as u32;
        let column = if line == 1 { column + chars } else { column };
        let line = line + place.before.matches('\n').count() as u32;
        told = told.with_location(Location { line, column, offset: 0, length: number("length").unwrap_or(1) });
    }
    match text("hint") {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
}

/// Rows on their way to the terminal: the first ones wait until the widths are known.
#[derive(Default)]
struct Rows {
    live: bool,
    columns: Vec<String>,
    waiting: Vec<Vec<Value>>,
    table: Option<Table>,
    count: usize,
}

impl Rows {
    fn begin(&mut self, columns: Vec<String>) {
        self.columns = columns;
        if self.live {
            self.columns.insert(0, "op".into());
        }
    }

    fn add(&mut self, op: Option<String>, mut values: Vec<Value>) {
        if self.live {
            values.insert(0, op.map_or(Value::Null, Value::String));
        }
        self.count += 1;
        match &self.table {
            Some(table) => output::line(&table.row(&values)),
            None => {
                self.waiting.push(values);
                if self.waiting.len() >= SAMPLE_ROWS {
                    self.show();
                }
            }
        }
    }

    fn show(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let table = Table::new(&self.columns, &self.waiting);
        output::line(&table.head(&self.columns));
        for row in self.waiting.drain(..) {
            output::line(&table.row(&row));
        }
        self.table = Some(table);
    }

    fn finish(&mut self, how: &str) {
        self.show();
        if self.columns.is_empty() {
            return;
        }
        output::note(&match (how, self.count) {
            ("stopped", count) => format!("stopped after {count} rows"),
            (_, 1) => "1 row".to_string(),
            (_, count) => format!("{count} rows"),
        });
    }
}
