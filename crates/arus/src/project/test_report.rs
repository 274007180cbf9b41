//! What differs: rows that are missing or that nobody expected, and the operator at which the first of them is lost.

use arus_engine::{TextRows, Trail, VirtualEngine};

use super::test_file::{Expected, table_lines};

/// Operators that a report shows at most.
const STEPS: usize = 20;

/// Rows that are expected and not there, and the other way round.
pub(crate) struct Difference {
    pub(crate) missing: Vec<Vec<String>>,
    pub(crate) unexpected: Vec<Vec<String>>,
    same: Vec<Vec<String>>,
    columns: Vec<String>,
}

/// `Err`: they cannot be compared, and why.
pub(crate) fn compare(expected: &Expected, found: &TextRows) -> Result<Option<Difference>, String> {
    let columns = &expected.rows.columns;
    if *columns != found.columns {
        return Err(format!("expected the columns {}, found {}", columns.join(", "), found.columns.join(", ")));
    }
    let mut keys = vec![];
    for name in &expected.by {
        match columns.iter().position(|c| c == name) {
            Some(i) => keys.push(i),
            None => return Err(format!("-- by {name}: the query has no such column")),
        }
    }
    let wanted =
        |row: &Vec<String>| keys.is_empty() || expected.rows.rows.iter().any(|e| keys.iter().all(|k| e[*k] == row[*k]));
    let mut unexpected: Vec<Vec<String>> = found.rows.iter().filter(|row| wanted(row)).cloned().collect();
    let (mut missing, mut same) = (vec![], vec![]);
    for row in &expected.rows.rows {
        match unexpected.iter().position(|other| other == row) {
            Some(at) => same.push(unexpected.remove(at)),
            None => missing.push(row.clone()),
        }
    }
    let equal = missing.is_empty() && unexpected.is_empty();
    Ok((!equal).then(|| Difference { missing, unexpected, same, columns: columns.clone() }))
}

impl Difference {
    /// `-` is expected and missing, `+` is there and not expected.
    pub(crate) fn lines(&self) -> Vec<String> {
        let of = |sign: char, rows: &[Vec<String>]| -> Vec<(char, Vec<String>)> {
            rows.iter().map(|row| (sign, row.clone())).collect()
        };
        let mut all = of(' ', &self.same);
        all.extend(of('-', &self.missing));
        all.extend(of('+', &self.unexpected));
        // Rows that begin alike stand together: what is missing beside what is there instead.
        all.sort_by(|a, b| (&a.1[0], a.0 == '+', &a.1).cmp(&(&b.1[0], b.0 == '+', &b.1)));
        let rows = all.iter().map(|(_, row)| row.clone()).collect();
        let table = table_lines(&TextRows { columns: self.columns.clone(), rows });
        let signs = std::iter::once(' ').chain(all.iter().map(|(sign, _)| *sign));
        signs.zip(table).map(|(sign, line)| format!("{sign} {line}")).collect()
    }

    /// The row whose way is worth looking at.
    fn looked_for(&self) -> Option<(&'static str, Vec<(String, String)>)> {
        let (what, row) = match (self.missing.first(), self.unexpected.first()) {
            (Some(row), _) => ("missing", row),
            (None, Some(row)) => ("unexpected", row),
            (None, None) => return None,
        };
        Some((what, self.columns.iter().cloned().zip(row.iter().cloned()).collect()))
    }

    /// Operator by operator.
    pub(crate) fn trail(&self, engine: &VirtualEngine, query: &str) -> Vec<String> {
        let Some((what, row)) = self.looked_for() else { return vec![] };
        let wanted: Vec<String> = row.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        match engine.trail(query, &row) {
            Ok(trail) if trail.steps.is_empty() => vec![],
            Ok(trail) => {
                let mut lines = vec![format!("the way of the {what} row ({}):", wanted.join(", "))];
                lines.extend(steps(&trail));
                lines
            }
            Err(e) => vec![format!("its way through the operators cannot be shown: {e}")],
        }
    }
}

fn steps(trail: &Trail) -> Vec<String> {
    let mut lines = vec![];
    let width = trail.steps.iter().map(|s| s.operator.len()).max().unwrap_or(0);
    for (i, step) in trail.steps.iter().enumerate().take(STEPS) {
        let first = trail.first == Some(i);
        let wanted: Vec<String> = step.wanted.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let found = if wanted.is_empty() {
            format!("{} rows", step.rows)
        } else {
            format!("{} rows, {} with {}", step.rows, step.with_it, wanted.join(", "))
        };
        let (sign, word) = if first { ('>', "  <- the first that differs") } else { (' ', "") };
        lines.push(format!("{sign} {:width$}  {found}{word}", step.operator));
        if first {
            lines.extend(step.examples.iter().map(|row| format!("      it has: {row}")));
        }
    }
    lines
}
