//! Printed changes, and the rows that are left when all of them are made.

use std::collections::BTreeMap;

/// Columns of the key of what is printed: a row with the same key replaces the old one.
pub(super) type Key = Vec<usize>;

const KINDS: [&str; 4] = ["+I[", "-U[", "+U[", "-D["];
const SHOWN: usize = 12;

/// Kind and row; nothing where the line goes on with the row before.
fn change_of(line: &str) -> Option<(&str, &str)> {
    let at = if KINDS.iter().any(|kind| line.starts_with(kind)) {
        0
    } else {
        // Behind what stands before each line of a sink.
        let at = line.find("> ")? + 2;
        KINDS.iter().any(|kind| line[at..].starts_with(kind)).then_some(at)?
    };
    Some((&line[at..at + 2], &line[at + 2..]))
}

fn changes(lines: &[String]) -> Vec<(String, String)> {
    let mut changes: Vec<(String, String)> = vec![];
    for line in lines {
        match (change_of(line), changes.last_mut()) {
            (Some((kind, row)), _) => changes.push((kind.into(), row.into())),
            (None, Some((_, row))) => {
                row.push('\n');
                row.push_str(line);
            }
            (None, None) => changes.push((String::new(), line.clone())),
        }
    }
    changes
}

/// The values of a row as they are printed: a comma within brackets parts nothing.
fn values(row: &str) -> Vec<&str> {
    let inner = row.strip_prefix('[').and_then(|row| row.strip_suffix(']')).unwrap_or(row);
    let (mut values, mut depth, mut start) = (vec![], 0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 && inner[at..].starts_with(", ") => {
                values.push(&inner[start..at]);
                start = at + 2;
            }
            _ => {}
        }
    }
    values.push(&inner[start..]);
    values
}

/// How often each row is there at the end.
fn folded(lines: &[String], key: Option<&Key>) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    let Some(key) = key else {
        for (kind, row) in changes(lines) {
            *counts.entry(row).or_default() += if kind.starts_with('-') { -1 } else { 1 };
        }
        counts.retain(|_, n| *n != 0);
        return counts;
    };
    let mut rows: BTreeMap<Vec<String>, String> = BTreeMap::new();
    for (kind, row) in changes(lines) {
        let all = values(&row);
        let of_key = key.iter().map(|at| all.get(*at).copied().unwrap_or_default().to_string()).collect();
        if kind.starts_with('-') {
            rows.remove(&of_key)
        } else {
            rows.insert(of_key, row)
        };
    }
    rows.into_values().for_each(|row| *counts.entry(row).or_default() += 1);
    counts
}

/// The lines without some columns.
pub(super) fn without(lines: &[String], columns: &[usize]) -> Vec<String> {
    if columns.is_empty() {
        return lines.to_vec();
    }
    let line = |(kind, row): (String, String)| {
        let kept = values(&row).into_iter().enumerate().filter(|(at, _)| !columns.contains(at));
        format!("{kind}[{}]", kept.map(|(_, value)| value).collect::<Vec<_>>().join(", "))
    };
    changes(lines).into_iter().map(line).collect()
}

/// Whether no row is taken back that was never there.
pub(super) fn make_a_table(lines: &[String]) -> bool {
    folded(lines, None).values().all(|n| *n > 0)
}

/// What Flink's rows and these do not share.
pub(super) fn difference(flink: &[String], arus: &[String], key: Option<&Key>) -> Option<String> {
    let (expected, found) = (folded(flink, key), folded(arus, key));
    if expected == found {
        return None;
    }
    let mut text = String::new();
    for (sign, these, those) in [('-', &expected, &found), ('+', &found, &expected)] {
        let only = these.iter().filter(|(row, n)| those.get(*row) != Some(n));
        for (row, n) in only.take(SHOWN) {
            text += &format!("  {sign} {n} x {row}\n");
        }
    }
    Some(text)
}
