//! Queries, from the outside in.

use arus_core::rng::Rng;
use arus_core::{RowSchema, TimeAttribute, TypeKind};

use super::data::Table;
use super::expr::{Column, Expressions, Family, family};
use super::{Refused, chance, pick};
use crate::world::World;

pub(super) struct Generator<'a, 'f> {
    pub(super) rng: Rng,
    pub(super) world: &'a World<'f>,
    pub(super) tables: &'a [Table],
    /// Counts the aliases.
    pub(super) names: usize,
}

/// What stands in FROM.
struct Source {
    sql: String,
    columns: Vec<Column>,
    /// Whether its rows have an order.
    ordered: bool,
}

type Generated<T> = Result<T, Refused>;

impl Generator<'_, '_> {
    /// The whole query: it may have an order and a limit.
    pub(super) fn statement(&mut self, depth: usize) -> Generated<String> {
        if chance(&mut self.rng, 6)
            && let Some(sql) = self.sorted_by_time()
        {
            return Ok(sql);
        }
        let sql = self.query(depth)?;
        if !chance(&mut self.rng, 8) {
            return Ok(sql);
        }
        let schema = self.schema(&sql)?;
        if schema.types().any(|ty| ty.kind == TypeKind::Double || family(&ty.kind).is_none()) {
            return Ok(sql);
        }
        self.names += 1;
        let by = |c: &arus_core::Column| {
            format!("{}{}", c.name, ["", " DESC", " DESC NULLS LAST", " NULLS FIRST"][c.name.len() % 4])
        };
        // By every column, so that rows of one place are equal.
        let order: Vec<String> = schema.columns().iter().map(by).collect();
        let limit = *pick(&mut self.rng, &[1, 2, 3, 10]);
        Ok(format!("SELECT * FROM ({sql}) AS o{} ORDER BY {} LIMIT {limit}", self.names, order.join(", ")))
    }

    fn sorted_by_time(&mut self) -> Option<String> {
        let timed: Vec<&Table> = self.tables.iter().filter(|t| t.time.is_some() && t.appended).collect();
        let table = timed.first()?;
        let filter = if chance(&mut self.rng, 50) { " WHERE k IS NOT NULL" } else { "" };
        Some(format!("SELECT k, s, ts FROM {}{filter} ORDER BY ts{}", table.name, pick(&mut self.rng, &["", ", k"])))
    }

    /// A query with at most `depth` queries below it.
    pub(super) fn query(&mut self, depth: usize) -> Generated<String> {
        match self.rng.below(10) {
            0 | 1 => {
                let source = self.source(depth)?;
                Ok(self.projection(&source))
            }
            2..=4 => {
                let source = self.source(depth)?;
                Ok(self.grouped(&source))
            }
            5..=7 => match self.windowed(depth)? {
                Some(sql) => Ok(sql),
                None => self.query(depth),
            },
            8 => self.set_operation(depth),
            _ => {
                let source = self.source(depth)?;
                Ok(self.total(&source))
            }
        }
    }

    fn schema(&self, sql: &str) -> Generated<RowSchema> {
        let bound = self.world.bind(sql).map_err(|e| Refused { sql: sql.to_string(), reason: e.to_string() })?;
        Ok(bound.schema)
    }

    fn columns(&self, sql: &str, over_table: bool) -> Generated<Vec<Column>> {
        let schema = self.schema(sql)?;
        let column = |c: &arus_core::Column| Column {
            name: c.name.clone(),
            ty: c.ty.clone(),
            exact: over_table || c.ty.kind != TypeKind::Double,
            nonzero: false,
        };
        Ok(schema.columns().iter().map(column).collect())
    }

    fn source(&mut self, depth: usize) -> Generated<Source> {
        if depth == 0 || chance(&mut self.rng, 20) {
            if chance(&mut self.rng, 5) {
                return self.values();
            }
            let table = pick(&mut self.rng, self.tables);
            let (name, ordered) = (table.name.clone(), table.appended);
            let mut columns = self.columns(&format!("SELECT * FROM {name}"), true)?;
            if chance(&mut self.rng, 15)
                && let Some(column) = columns.iter_mut().find(|c| family(&c.ty.kind) == Some(Family::Integer))
            {
                // What stands above may divide by it, wherever passes move that.
                column.nonzero = true;
                self.names += 1;
                let sql = format!("(SELECT * FROM {name} WHERE {} <> 0) AS g{}", column.name, self.names);
                return Ok(Source { sql, columns, ordered });
            }
            if chance(&mut self.rng, 8) {
                let k = pick(&mut self.rng, &["k", "2", "k + 1"]);
                self.names += 1;
                let alias = format!("u{}", self.names);
                let (join, on) = *pick(&mut self.rng, &[("CROSS JOIN", ""), ("LEFT JOIN", " ON TRUE")]);
                let (with, column) = *pick(&mut self.rng, &[("", "(item)"), (" WITH ORDINALITY", "(item, place)")]);
                let sql = format!("{name} {join} UNNEST(ARRAY[k, {k}, 7]){with} AS {alias} {column}{on}");
                let columns = self.columns(&format!("SELECT * FROM {sql}"), true)?;
                return Ok(Source { sql, columns, ordered: false });
            }
            return Ok(Source { sql: name, columns, ordered });
        }
        let inner = self.query(depth - 1)?;
        let columns = self.columns(&inner, false)?;
        self.names += 1;
        Ok(Source { sql: format!("({inner}) AS q{}", self.names), columns, ordered: false })
    }

    fn values(&mut self) -> Generated<Source> {
        let families = [Family::Integer, Family::Text, Family::Decimal];
        let rows: Vec<String> = (0..1 + self.rng.below(4))
            .map(|_| {
                let mut expressions = Expressions { rng: &mut self.rng, columns: &[] };
                let row: Vec<String> = families.map(|f| expressions.of(f, 1)).to_vec();
                format!("({})", row.join(", "))
            })
            .collect();
        self.names += 1;
        let sql = format!("(VALUES {}) AS v{} (a, b, c)", rows.join(", "), self.names);
        let columns = self.columns(&format!("SELECT * FROM {sql}"), false)?;
        Ok(Source { sql, columns, ordered: false })
    }

    fn condition(&mut self, columns: &[Column]) -> String {
        Expressions { rng: &mut self.rng, columns }.of(Family::Boolean, 2)
    }

    fn where_clause(&mut self, columns: &[Column]) -> String {
        if chance(&mut self.rng, 40) { format!(" WHERE {}", self.condition(columns)) } else { String::new() }
    }

    fn projection(&mut self, source: &Source) -> String {
        let count = 1 + self.rng.below(4);
        let distinct = chance(&mut self.rng, 20);
        let mut items = vec![];
        for i in 0..count {
            let time = source.columns.iter().find(|c| c.ty.kind.time_attribute() == TimeAttribute::Rowtime);
            let item = match time {
                Some(time) if chance(&mut self.rng, 20) => time.name.clone(),
                _ if distinct => {
                    let wanted = *pick(&mut self.rng, &[Family::Integer, Family::Text, Family::Boolean]);
                    Expressions { rng: &mut self.rng, columns: &source.columns }.of(wanted, 1)
                }
                _ => Expressions { rng: &mut self.rng, columns: &source.columns }.any(2),
            };
            items.push(format!("{item} AS c{i}"));
        }
        let distinct = if distinct { "DISTINCT " } else { "" };
        format!("SELECT {distinct}{} FROM {}{}", items.join(", "), source.sql, self.where_clause(&source.columns))
    }

    /// An aggregate call; over rows in order also one that sees it.
    fn call(&mut self, columns: &[Column], ordered: bool) -> String {
        let call = if ordered && chance(&mut self.rng, 20) {
            let mut expressions = Expressions { rng: &mut self.rng, columns };
            match expressions.rng.below(4) {
                0 => format!("FIRST_VALUE({})", expressions.of(Family::Integer, 1)),
                1 => format!("LAST_VALUE({})", expressions.of(Family::Text, 1)),
                2 => format!("LISTAGG({}{})", expressions.of(Family::Text, 0), pick(expressions.rng, &["", ", '|'"])),
                _ => format!("ARRAY_AGG({})", expressions.of(Family::Integer, 0)),
            }
        } else {
            self.plain_call(columns)
        };
        if !chance(&mut self.rng, 15) {
            return call;
        }
        let filter = Expressions { rng: &mut self.rng, columns }.of(Family::Boolean, 1);
        format!("{call} FILTER (WHERE {filter})")
    }

    fn plain_call(&mut self, columns: &[Column]) -> String {
        let exact: Vec<Column> = columns.iter().filter(|c| c.exact).cloned().collect();
        let mut expressions = Expressions { rng: &mut self.rng, columns: &exact };
        match expressions.rng.below(9) {
            8 => {
                let name = *pick(expressions.rng, &["COUNT", "SUM", "COUNT", "AVG", "MAX"]);
                format!("{name}(DISTINCT {})", expressions.of(Family::Integer, 1))
            }
            0 => "COUNT(*)".to_string(),
            1 => format!("COUNT({})", expressions.any(1)),
            2..=4 => {
                let name = *pick(expressions.rng, &["SUM", "SUM", "AVG"]);
                let wanted =
                    *pick(expressions.rng, &[Family::Integer, Family::Integer, Family::Decimal, Family::Double]);
                let argument = match wanted {
                    Family::Double => expressions.column(Family::Double),
                    wanted => Some(expressions.of(wanted, 1)),
                };
                argument.map_or("COUNT(*)".to_string(), |a| format!("{name}({a})"))
            }
            _ => {
                let name = *pick(expressions.rng, &["MIN", "MAX"]);
                let wanted = *pick(
                    expressions.rng,
                    &[Family::Integer, Family::Text, Family::Decimal, Family::Double, Family::Time],
                );
                match expressions.column(wanted) {
                    Some(column) => format!("{name}({column})"),
                    None => format!("{name}({})", expressions.of(Family::Integer, 1)),
                }
            }
        }
    }

    /// What groups: never a double, whose equality is not for keys.
    fn keys(&mut self, columns: &[Column], count: u64) -> Vec<String> {
        let mut keys: Vec<String> = vec![];
        for _ in 0..count {
            let mut expressions = Expressions { rng: &mut self.rng, columns };
            let wanted = *pick(expressions.rng, &[Family::Integer, Family::Text, Family::Boolean, Family::Integer]);
            let column = expressions.column(wanted);
            let key = match column {
                Some(column) if chance(expressions.rng, 70) => column,
                _ => expressions.of(wanted, 1),
            };
            // A constant is a position to the eye of a reader, and to no database here.
            let constant = !columns.iter().any(|c| key.contains(&c.name));
            if !constant && !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    fn having(&mut self, columns: &[Column]) -> String {
        if !chance(&mut self.rng, 25) {
            return String::new();
        }
        let call = self.plain_call(columns);
        match self.rng.below(3) {
            0 => " HAVING COUNT(*) > 1".to_string(),
            1 => format!(" HAVING COUNT(*) <> 2 AND {call} IS NOT NULL"),
            _ => format!(" HAVING {call} IS NOT NULL OR COUNT(*) > 2"),
        }
    }

    fn calls(&mut self, columns: &[Column], ordered: bool) -> Vec<String> {
        (0..1 + self.rng.below(3)).map(|_| self.call(columns, ordered)).collect()
    }

    fn grouped(&mut self, source: &Source) -> String {
        let count = 1 + self.rng.below(2);
        let keys = self.keys(&source.columns, count);
        if keys.is_empty() {
            return self.total(source);
        }
        let mut calls = self.calls(&source.columns, source.ordered);
        let mut groups = keys.join(", ");
        if chance(&mut self.rng, 20) {
            calls = self.calls(&source.columns, false);
            let last = &keys[keys.len() - 1];
            groups = match self.rng.below(4) {
                0 => format!("CUBE ({groups})"),
                1 => format!("ROLLUP ({groups})"),
                2 => format!("GROUPING SETS (({groups}), ({last}), ())"),
                _ => format!("GROUPING SETS (({groups}), ({last}))"),
            };
            if chance(&mut self.rng, 50) {
                calls.push(format!("GROUPING({last})"));
            }
        }
        let rng = &mut self.rng;
        let shown = keys.iter().filter(|_| chance(rng, 85)).cloned().collect::<Vec<_>>();
        let items: Vec<String> =
            shown.iter().chain(&calls).enumerate().map(|(i, item)| format!("{item} AS c{i}")).collect();
        let filter = self.where_clause(&source.columns);
        let having = self.having(&source.columns);
        format!("SELECT {} FROM {}{filter} GROUP BY {groups}{having}", items.join(", "), source.sql)
    }

    fn total(&mut self, source: &Source) -> String {
        let items: Vec<String> = self
            .calls(&source.columns, source.ordered)
            .iter()
            .enumerate()
            .map(|(i, item)| format!("{item} AS c{i}"))
            .collect();
        let filter = self.where_clause(&source.columns);
        format!("SELECT {} FROM {}{filter}", items.join(", "), source.sql)
    }

    /// A window over something with a time; `None` where there is none.
    fn windowed(&mut self, depth: usize) -> Generated<Option<String>> {
        let timed: Vec<&Table> = self.tables.iter().filter(|t| t.time.is_some()).collect();
        if timed.is_empty() {
            return Ok(None);
        }
        let table = pick(&mut self.rng, &timed);
        let (mut source, mut time) = (table.name.clone(), "ts");
        let ordered = table.appended;
        if depth > 0 && chance(&mut self.rng, 25) {
            // A window of windows.
            let key = *pick(&mut self.rng, &["k", "s"]);
            let (inner, _) = self.window(&source, time, &table.columns);
            let group = format!("{key}, window_start, window_end, window_time");
            source = format!("(SELECT {group}, COUNT(*) AS n, MAX(k) AS m FROM {inner} GROUP BY {group})");
            if chance(&mut self.rng, 30) {
                source = format!("(SELECT *, {key} || '' AS kept FROM {inner})").replace("k || ''", "k + 0");
            }
            time = "window_time";
        }
        let ordered = ordered && time == "ts";
        let columns = match time {
            "ts" => table.columns.clone(),
            _ => vec![],
        };
        let (sql, partition) = if time == "ts" {
            self.window(&source, time, &columns)
        } else {
            // The inner window's columns are in the way of the outer one's.
            let inner = self.columns(&format!("SELECT * FROM {source} AS w"), false)?;
            let names: Vec<String> = inner
                .iter()
                .map(|c| match c.name.as_str() {
                    "window_start" => "window_start AS inner_start".to_string(),
                    "window_end" => "window_end AS inner_end".to_string(),
                    "window_time" => "window_time AS rt".to_string(),
                    name => name.to_string(),
                })
                .collect();
            let renamed = format!("(SELECT {} FROM {source} AS w)", names.join(", "));
            self.window(&renamed, "rt", &[])
        };
        let all = self.columns(&format!("SELECT * FROM {sql}"), true)?;
        let window = ["window_start", "window_end", "window_time"];
        let own: Vec<Column> = all.iter().filter(|c| !window.contains(&c.name.as_str())).cloned().collect();
        if chance(&mut self.rng, 15) {
            return Ok(Some(self.projection(&Source { sql, columns: all, ordered: false })));
        }
        let count = self.rng.below(3);
        let keys = match &partition {
            Some(partition) if chance(&mut self.rng, 85) => partition.clone(),
            _ => self.keys(&own, count),
        };
        let calls = self.calls(&own, ordered && sql.contains("TUMBLE"));
        let time = if chance(&mut self.rng, 20) { &window[..] } else { &window[..2] };
        let properties: Vec<String> =
            time.iter().filter(|_| chance(&mut self.rng, 70)).map(|w| w.to_string()).collect();
        let items: Vec<String> = keys
            .iter()
            .chain(&properties)
            .chain(&calls)
            .enumerate()
            .map(|(i, item)| format!("{item} AS c{i}"))
            .collect();
        let reads_window = chance(&mut self.rng, 20);
        let filter = self.where_clause(if reads_window { &all } else { &own });
        let having = self.having(&own);
        let groups: Vec<String> = keys.iter().cloned().chain(time.iter().map(|w| w.to_string())).collect();
        let groups = groups.join(", ");
        Ok(Some(format!("SELECT {} FROM {sql}{filter} GROUP BY {groups}{having}", items.join(", "))))
    }

    /// A window table function over a table or query, and the partition of a session.
    fn window(&mut self, source: &str, time: &str, columns: &[(String, TypeKind)]) -> (String, Option<Vec<String>>) {
        let rng = &mut self.rng;
        let table = if source.starts_with('(') { source.to_string() } else { format!("TABLE {source}") };
        let offset = if chance(rng, 20) { ", INTERVAL '2' SECOND" } else { "" };
        let second = |n: u64| format!("INTERVAL '{n}' SECOND");
        let call = match rng.below(10) {
            0..=3 => {
                let size = *pick(rng, &[5, 10, 7, 60]);
                format!("TUMBLE({table}, DESCRIPTOR({time}), {}{offset})", second(size))
            }
            4 | 5 => {
                let (slide, size) = *pick(rng, &[(5, 10), (4, 8), (2, 10), (3, 9), (5, 5)]);
                format!("HOP({table}, DESCRIPTOR({time}), {}, {}{offset})", second(slide), second(size))
            }
            6 | 7 => {
                let (step, size) = *pick(rng, &[(5, 10), (2, 6), (5, 20), (7, 7)]);
                format!("CUMULATE({table}, DESCRIPTOR({time}), {}, {}{offset})", second(step), second(size))
            }
            _ => {
                let gap = *pick(rng, &[1, 2, 4, 10]);
                let mut keys: Vec<String> = vec![];
                if !columns.is_empty() && chance(rng, 70) {
                    keys.push(pick(rng, &["k", "s"]).to_string());
                }
                let by = if keys.is_empty() { String::new() } else { format!(" PARTITION BY {}", keys.join(", ")) };
                let call = format!("SESSION({table}{by}, DESCRIPTOR({time}), {})", second(gap));
                return (format!("TABLE({call})"), Some(keys));
            }
        };
        (format!("TABLE({call})"), None)
    }

    /// A set operation.
    fn set_operation(&mut self, depth: usize) -> Generated<String> {
        let first = self.query(depth.saturating_sub(1))?;
        let schema = self.schema(&first)?;
        let mut parts = vec![first];
        let plain = |ty: &arus_core::LogicalType| family(&ty.kind).is_some_and(|f| f != Family::Double);
        let between = if schema.types().all(plain) && chance(&mut self.rng, 50) {
            *pick(&mut self.rng, &["UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"])
        } else {
            "UNION ALL"
        };
        let more = if between == "UNION ALL" { 1 + self.rng.below(2) } else { 1 };
        for _ in 0..more {
            let source = self.source(depth.saturating_sub(1))?;
            let mut items = vec![];
            for (i, column) in schema.columns().iter().enumerate() {
                let mut expressions = Expressions { rng: &mut self.rng, columns: &source.columns };
                let item = match family(&column.ty.kind) {
                    Some(Family::Time) | None => {
                        format!("CAST(NULL AS {})", column.ty.clone().without_time_attribute().kind)
                    }
                    Some(family) => expressions.of(family, 1),
                };
                items.push(format!("{item} AS c{i}"));
            }
            parts.push(format!(
                "SELECT {} FROM {}{}",
                items.join(", "),
                source.sql,
                self.where_clause(&source.columns)
            ));
        }
        Ok(parts.join(&format!(" {between} ")))
    }
}
