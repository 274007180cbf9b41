//! Rows as a table on a terminal. The first rows decide the widths; later ones that are wider stand out of line rather than being cut.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// Rows that the widths are made from.
pub(crate) const SAMPLE_ROWS: usize = 100;
/// A wider column starts on its own.
const WIDTH_MAX: usize = 60;

pub(crate) struct Table {
    widths: Vec<usize>,
    right: Vec<bool>,
}

impl Table {
    /// The widths for these rows.
    pub(crate) fn new(columns: &[String], rows: &[Vec<Value>]) -> Self {
        let mut widths: Vec<usize> = columns.iter().map(|c| c.width()).collect();
        let mut right = vec![!rows.is_empty(); columns.len()];
        for row in rows {
            for (i, value) in row.iter().enumerate().take(columns.len()) {
                widths[i] = widths[i].max(shown(value).width()).min(WIDTH_MAX);
                right[i] &= value.is_number() || value.is_null();
            }
        }
        Table { widths, right }
    }

    pub(crate) fn head(&self, columns: &[String]) -> String {
        let names: Vec<Value> = columns.iter().map(|c| Value::String(c.clone())).collect();
        let rule: Vec<String> = self.widths.iter().map(|w| "─".repeat(w + 2)).collect();
        format!("{}\n{}", self.row(&names), rule.join("┼"))
    }

    pub(crate) fn row(&self, values: &[Value]) -> String {
        let mut line = String::new();
        for (i, value) in values.iter().enumerate() {
            let (width, right) = (self.widths.get(i).copied().unwrap_or(0), self.right.get(i) == Some(&true));
            let text = shown(value);
            let space = " ".repeat(width.saturating_sub(text.width()));
            if i > 0 {
                line.push('│');
            }
            line.push(' ');
            line.push_str(&if right { format!("{space}{text}") } else { format!("{text}{space}") });
            line.push(' ');
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// A value on one line.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "NULL".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    // A control character would move the cursor of the terminal.
    text.chars().map(|c| if c.is_control() { '␣' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_stand_right_and_text_keeps_its_width() {
        let columns = ["name".to_string(), "n".to_string()];
        let rows = [vec![json!("Ada"), json!(7)], vec![json!("东京"), json!(null)], vec![json!("a\nb"), json!(1234)]];
        let table = Table::new(&columns, &rows);
        let mut text = table.head(&columns);
        for row in &rows {
            text.push('\n');
            text.push_str(&table.row(row));
        }
        assert_eq!(text, " name │    n\n──────┼──────\n Ada  │    7\n 东京 │ NULL\n a␣b  │ 1234");
    }
}
