//! The planner at its boundary: statements in; plans, errors and answers out.
//!
//! `tests/plans.txt`, `tests/errors.txt` and `tests/uids.txt` hold the expected texts; with `UPDATE_EXPECT=1` they are written anew.
#![expect(clippy::disallowed_methods, reason = "cases and scripts of the source tree")]

mod assist;
mod fake;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arus_core::catalog::ConnectorCatalog;
use arus_core::clock::SystemClock;
use arus_core::settings::Settings;
use arus_expr::{ConstantEvaluator, Functions};

use crate::parser::split_script;
use crate::planner::{Planned, Planner, PlannerOptions};
use fake::{FakeCatalog, FakeConnectors};

struct World {
    catalog: FakeCatalog,
    settings: Settings,
    connectors: &'static dyn ConnectorCatalog,
}

impl World {
    fn empty(connectors: &'static dyn ConnectorCatalog) -> World {
        World { catalog: FakeCatalog::default(), settings: Settings::default(), connectors }
    }

    /// The tables that every case may use.
    fn new() -> World {
        let mut world = World::empty(&FakeConnectors);
        for ddl in include_str!("tests/schema.sql").split(";\n").map(str::trim).filter(|s| !s.is_empty()) {
            world.run(ddl).unwrap_or_else(|e| panic!("{}", e.render(Some(ddl))));
        }
        world
    }

    fn plan(&self, text: &str) -> arus_core::Result<Planned> {
        self.with_planner(|planner| planner.plan_text(text).map(|p| p.planned))
    }

    fn with_planner<T>(&self, use_it: impl FnOnce(&Planner<'_>) -> T) -> T {
        let evaluator = ConstantEvaluator::new(Arc::new(SystemClock::new()), "UTC", 1);
        let planner = Planner {
            catalog: &self.catalog,
            functions: &Functions,
            connectors: self.connectors,
            evaluator: &evaluator,
            settings: &self.settings,
            current_database: self.settings.get(arus_core::settings::DATABASE),
            options: PlannerOptions::default(),
        };
        use_it(&planner)
    }

    /// Plans a statement and does what it says to the catalog and the settings.
    fn run(&mut self, text: &str) -> arus_core::Result<()> {
        use arus_core::catalog::Catalog;
        match self.plan(text)? {
            Planned::CreateTable { table, .. } | Planned::CreateMaterializedTable { table, .. }
                if self.catalog.object(&table.path).is_none() =>
            {
                self.catalog.add_table(table);
            }
            Planned::CreateView { view, .. } if self.catalog.object(&view.path).is_none() => {
                self.catalog.add_view(view);
            }
            Planned::CreateTableAs { table, replace, .. } if replace || self.catalog.object(&table.path).is_none() => {
                self.catalog.add_table(table);
            }
            Planned::AlterTable { old, table, .. } => {
                self.catalog.remove(&old);
                self.catalog.add_table(table);
            }
            Planned::AlterView { old, view, .. } => {
                self.catalog.remove(&old);
                self.catalog.add_view(view);
            }
            Planned::AlterPartitions { table, add, partitions } => self.catalog.partition(&table, add, partitions),
            Planned::PutCatalog(def) => self.catalog.add_catalog(def),
            Planned::DropCatalog { name } => self.catalog.remove_catalog(&name),
            Planned::PutDatabase(def) => self.catalog.add_database(&def.catalog, &def.name),
            Planned::UseDatabase { catalog, name } => {
                self.settings.set(arus_core::settings::CATALOG, catalog);
                self.settings.set(arus_core::settings::DATABASE, name);
            }
            Planned::Drop { path, .. } => self.catalog.remove(&path),
            Planned::Set { key, value } => self.settings.set(key, value),
            Planned::Reset { key: Some(key) } => self.settings.reset(&key),
            Planned::Reset { key: None } => self.settings.reset_all(),
            _ => {}
        }
        Ok(())
    }

    fn answer(&self, text: &str) -> String {
        match self.plan(text) {
            Ok(Planned::Rows { rows, .. }) => rows
                .iter()
                .map(|r| r.iter().map(|v| v.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join(" | "))
                .collect::<Vec<_>>()
                .join("\n"),
            Ok(Planned::InsertValues { table, rows, .. }) => format!("insert into {}: {rows:?}", table.path),
            Ok(other) => {
                let text = format!("{other:?}");
                text.split(' ').next().unwrap_or_default().to_string()
            }
            Err(e) => format!("{}: {}", e.sqlstate(), e.render(Some(text))),
        }
    }
}

/// Cases are `-- statement` blocks with what they give below.
fn check(name: &str, give: impl Fn(&mut World, &str) -> String) {
    let path = format!("{}/src/tests/{name}", env!("CARGO_MANIFEST_DIR"));
    let before = std::fs::read_to_string(&path).expect("the file of cases");
    let mut after = String::new();
    for case in before.split("\n----\n").map(str::trim).filter(|c| !c.is_empty()) {
        // An empty answer has no line of its own behind the mark.
        let statement = case.split("\n==>").next().expect("split gives one").trim();
        let mut world = World::new();
        let given = give(&mut world, statement);
        after.push_str(&format!("{statement}\n==>\n{}\n----\n", given.trim_end()));
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, after).expect("written");
        return;
    }
    for (expected, found) in before.split("\n----\n").zip(after.split("\n----\n")) {
        assert_eq!(expected.trim(), found.trim(), "{name}: run with UPDATE_EXPECT=1 if this is right");
    }
    assert_eq!(before.trim(), after.trim());
}

#[test]
fn plans() {
    check("plans.txt", |world, text| {
        let text = text.trim();
        let answer = world.answer(&format!("EXPLAIN CHANGELOG_MODE {text}"));
        // The execution plan repeats the physical one without modes.
        let (head, rest) = answer.split_once("== Optimized Execution Plan ==\n").unwrap_or((&answer, ""));
        let state = rest.split_once("== State ==\n").map_or("", |s| s.1);
        format!("{head}{state}")
    });
}

#[test]
fn errors() {
    check("errors.txt", |world, text| world.answer(text));
}

#[test]
fn answers() {
    check("answers.txt", |world, text| {
        let mut last = String::new();
        for statement in text.split(";\n") {
            last = match world.plan(statement) {
                Ok(Planned::Rows { .. }) => world.answer(statement),
                Ok(
                    Planned::CreateTable { .. } | Planned::CreateMaterializedTable { .. } | Planned::CreateView { .. },
                ) => {
                    world.run(statement).expect(statement);
                    "done".to_string()
                }
                Ok(_) | Err(_) => world.answer(statement),
            };
        }
        last
    });
}

#[test]
fn uids() {
    check("uids.txt", |world, text| {
        let plan = match world.plan(text).expect(text) {
            Planned::Insert { plan, .. }
            | Planned::StatementSet { plan, .. }
            | Planned::Select { plan, .. }
            | Planned::CreateMaterializedTable { plan, .. } => plan,
            other => panic!("{other:?}"),
        };
        let nodes = plan.nodes.iter().map(|n| format!("{} {}", n.uid, n.op.name()));
        nodes.collect::<Vec<_>>().join("\n")
    });
}

/// The same INSERT alone and beside another that reads more of the table.
#[test]
fn uids_do_not_depend_on_siblings() {
    let world = World::new();
    let insert = "INSERT INTO counts SELECT user_id, COUNT(*) FROM orders WHERE amount > 1 GROUP BY user_id";
    let uids = |text: &str| -> Vec<_> {
        match world.plan(text).expect(text) {
            Planned::Insert { plan, .. } | Planned::StatementSet { plan, .. } => {
                plan.nodes.iter().map(|n| n.uid).collect()
            }
            other => panic!("{other:?}"),
        }
    };
    let alone = uids(insert);
    let both =
        uids(&format!("EXECUTE STATEMENT SET BEGIN INSERT INTO log SELECT order_id, item FROM orders; {insert}; END"));
    for uid in &alone {
        assert!(both.contains(uid), "{uid} of {alone:?} is not in {both:?}");
    }
    let mut unique = both.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), both.len(), "no uid twice");
}

fn conformance(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance").join(folder)
}

/// Scripts that need what functions and connectors do not have yet (ELEMENT, the metadata of files), and those that a
/// format refuses when it is opened or whose statements the world of these tests does not carry out.
const NOT_YET: [&str; 14] = [
    "alter-table-columns",
    "alter-table-source",
    "alter-view",
    "catalogs",
    "create-or-replace-table-as",
    "create-table-as",
    "databases",
    "show-statements",
    "collections",
    "folder-input",
    "metadata-columns",
    "refused-csv-delimiter",
    "refused-csv-quotes",
    "refused-raw-type",
];

/// Every script of the comparison with Flink is accepted or refused as Flink did.
#[test]
fn conformance_scripts_are_planned_as_by_flink() {
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(conformance("scripts"))
        .expect("the scripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql"))
        .collect();
    scripts.sort();
    assert!(scripts.len() > 100, "{}", scripts.len());
    let mut wrong = vec![];
    for script in scripts {
        let name = script.file_stem().expect("a name").to_string_lossy().into_owned();
        let answer = conformance("expected").join(format!("{name}.txt"));
        let Ok(answer) = std::fs::read_to_string(answer) else {
            continue;
        };
        if NOT_YET.contains(&name.as_str()) {
            continue;
        }
        let refused = answer.lines().any(|l| l == "# end: refused");
        let text = std::fs::read_to_string(&script).expect("a script");
        let mut world = World::empty(&arus_connect::Registry);
        let error = split_script(&text).into_iter().find_map(|span| {
            let statement = span.of(&text);
            world.run(statement).err().map(|e| e.render(Some(statement)))
        });
        match (refused, error) {
            (false, Some(error)) => wrong.push(format!("{name}: {error}")),
            (true, None) => wrong.push(format!("{name}: accepted, Flink refuses it")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} scripts:\n{}", wrong.len(), wrong.join("\n\n"));
}
