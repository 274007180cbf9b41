//! Random cases: tables with input, and a query over them as SQL text.
//!
//! Everything comes from a seed. Sizes are small and values few, so that keys meet, groups come and go, and NULLs are
//! everywhere. What would have no determined answer is left out: sums of inexact doubles, groups by doubles.

mod data;
mod expr;
mod query;

use arus_core::rng::Rng;

use crate::reference::Inputs;
use crate::world::World;

pub use data::Table;

/// Tables, their rows, and a query.
#[derive(Debug, Clone)]
pub struct Case {
    pub tables: Vec<Table>,
    pub sql: String,
}

impl Case {
    pub fn inputs(&self) -> Inputs {
        self.tables.iter().map(|t| (t.name.clone(), t.changes.clone())).collect()
    }
}

/// Why a seed gives no case: the planner refused a part of it.
#[derive(Debug, Clone)]
pub struct Refused {
    pub sql: String,
    pub reason: String,
}

/// The case of a seed; its tables are created in `world`.
pub fn case(seed: u64, world: &mut World<'_>) -> Result<Case, Refused> {
    let mut rng = Rng::seeded(seed);
    let mut tables = vec![];
    for i in 0..1 + rng.below(2) {
        let table = data::table(&mut rng, &format!("t{i}"));
        let refused = |e: arus_core::Error| Refused { sql: table.ddl.clone(), reason: e.to_string() };
        world.create(&table.ddl).map_err(refused)?;
        tables.push(table);
    }
    let depth = rng.below(3) as usize;
    let mut generator = query::Generator { rng, world, tables: &tables, names: 0 };
    let sql = generator.statement(depth)?;
    Ok(Case { tables, sql })
}

/// One of them.
fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.below(of.len() as u64) as usize]
}

/// True in so many of a hundred cases.
fn chance(rng: &mut Rng, percent: u64) -> bool {
    rng.below(100) < percent
}
