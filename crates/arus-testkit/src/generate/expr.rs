//! Well-typed expressions.

use arus_core::rng::Rng;
use arus_core::{LogicalType, TypeKind};

use super::{chance, pick};

/// What an expression gives; the exact width follows from its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Boolean,
    Integer,
    Decimal,
    Double,
    Text,
    Time,
}

pub(super) const FAMILIES: [Family; 5] =
    [Family::Boolean, Family::Integer, Family::Decimal, Family::Double, Family::Text];

pub(super) fn family(kind: &TypeKind) -> Option<Family> {
    Some(match kind {
        TypeKind::Boolean => Family::Boolean,
        kind if kind.is_integer() => Family::Integer,
        TypeKind::Decimal { .. } => Family::Decimal,
        TypeKind::Double => Family::Double,
        TypeKind::Char(_) | TypeKind::Varchar(_) => Family::Text,
        TypeKind::Timestamp { .. } => Family::Time,
        _ => return None,
    })
}

/// A column in scope.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) ty: LogicalType,
    /// Sums of it do not depend on their order.
    pub(super) exact: bool,
    /// A query below leaves out the rows where it is 0.
    pub(super) nonzero: bool,
}

pub(super) struct Expressions<'a> {
    pub(super) rng: &'a mut Rng,
    pub(super) columns: &'a [Column],
}

impl Expressions<'_> {
    pub(super) fn column(&mut self, wanted: Family) -> Option<String> {
        let fitting: Vec<&Column> = self.columns.iter().filter(|c| family(&c.ty.kind) == Some(wanted)).collect();
        if fitting.is_empty() { None } else { Some(pick(self.rng, &fitting).name.clone()) }
    }

    /// Families of which there is a column.
    pub(super) fn families(&self) -> Vec<Family> {
        FAMILIES.into_iter().filter(|f| self.columns.iter().any(|c| family(&c.ty.kind) == Some(*f))).collect()
    }

    pub(super) fn any(&mut self, depth: usize) -> String {
        let families = self.families();
        let wanted = if families.is_empty() || chance(self.rng, 15) {
            *pick(self.rng, &FAMILIES)
        } else {
            *pick(self.rng, &families)
        };
        self.of(wanted, depth)
    }

    pub(super) fn of(&mut self, wanted: Family, depth: usize) -> String {
        if depth == 0 || chance(self.rng, 25) {
            return self.leaf(wanted);
        }
        let depth = depth - 1;
        // What every type has.
        match self.rng.below(12) {
            0 if wanted != Family::Time => {
                let (condition, a, b) =
                    (self.of(Family::Boolean, depth), self.of(wanted, depth), self.of(wanted, depth));
                let otherwise = if chance(self.rng, 30) { String::new() } else { format!(" ELSE {b}") };
                return format!("CASE WHEN {condition} THEN {a}{otherwise} END");
            }
            1 => {
                let name = *pick(self.rng, &["COALESCE", "NULLIF", "COALESCE", "IFNULL"]);
                return format!("{name}({}, {})", self.of(wanted, depth), self.of(wanted, depth));
            }
            2 if !matches!(wanted, Family::Time | Family::Boolean) => {
                let condition = self.of(Family::Boolean, depth);
                return format!("IF({condition}, {}, {})", self.of(wanted, depth), self.of(wanted, depth));
            }
            _ => {}
        }
        match wanted {
            Family::Boolean => self.boolean(depth),
            Family::Integer => self.integer(depth),
            Family::Decimal => self.decimal(depth),
            Family::Double => self.double(depth),
            Family::Text => self.text(depth),
            Family::Time => self.time(),
        }
    }

    fn leaf(&mut self, wanted: Family) -> String {
        if chance(self.rng, 80)
            && let Some(column) = self.column(wanted)
        {
            return column;
        }
        self.literal(wanted)
    }

    pub(super) fn literal(&mut self, wanted: Family) -> String {
        match wanted {
            Family::Boolean => pick(self.rng, &["TRUE", "FALSE"]).to_string(),
            Family::Integer => pick(self.rng, &["0", "1", "2", "3", "-1", "7", "100"]).to_string(),
            Family::Decimal => pick(self.rng, &["0.5", "1.50", "-2.25", "10.0"]).to_string(),
            Family::Double => pick(self.rng, &["CAST(0.5 AS DOUBLE)", "CAST(2 AS DOUBLE)", "1E0"]).to_string(),
            Family::Text => pick(self.rng, &["''", "'a'", "'ab'", "'B'", "'1'", "'é'", "' a'"]).to_string(),
            Family::Time => "TIMESTAMP '1970-01-01 00:01:45.000'".to_string(),
        }
    }

    fn boolean(&mut self, depth: usize) -> String {
        let families = self.families();
        let wanted = if families.is_empty() { Family::Integer } else { *pick(self.rng, &families) };
        let a = self.of(wanted, depth);
        match self.rng.below(14) {
            0 | 1 => format!("({} AND {})", self.of(Family::Boolean, depth), self.of(Family::Boolean, depth)),
            2 | 3 => format!("({} OR {})", self.of(Family::Boolean, depth), self.of(Family::Boolean, depth)),
            4 => format!("(NOT {})", self.of(Family::Boolean, depth)),
            5 => format!("({a} IS {}NULL)", pick(self.rng, &["", "NOT "])),
            6 => {
                let test = *pick(self.rng, &["TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN"]);
                format!("({} IS {test})", self.of(Family::Boolean, depth))
            }
            7 if wanted != Family::Boolean => {
                let not = *pick(self.rng, &["", "NOT "]);
                format!("({a} {not}BETWEEN {} AND {})", self.of(wanted, depth), self.of(wanted, depth))
            }
            8 => {
                let not = *pick(self.rng, &["", "NOT "]);
                let items: Vec<String> = (0..1 + self.rng.below(3)).map(|_| self.literal(wanted)).collect();
                format!("({a} {not}IN ({}))", items.join(", "))
            }
            9 => {
                let pattern = *pick(self.rng, &["'%'", "'a%'", "'%b'", "'_'", "'%a%b%'", "''", "'A_'"]);
                let not = *pick(self.rng, &["", "NOT "]);
                format!("({} {not}LIKE {pattern})", self.of(Family::Text, depth))
            }
            10 => format!("({a} IS {}DISTINCT FROM {})", pick(self.rng, &["", "NOT "]), self.of(wanted, depth)),
            11 => {
                // The guard keeps rows from failing.
                let divisor = self.of(Family::Integer, depth);
                format!("({divisor} <> 0 AND {} / {divisor} > 0)", self.of(Family::Integer, depth))
            }
            _ => {
                let op = *pick(self.rng, &["=", "<>", "<", "<=", ">", ">="]);
                format!("({a} {op} {})", self.of(wanted, depth))
            }
        }
    }

    fn integer(&mut self, depth: usize) -> String {
        let a = self.of(Family::Integer, depth);
        if let Some(divisor) = self.columns.iter().find(|c| c.nonzero)
            && chance(self.rng, 50)
        {
            return format!("({a} / {})", divisor.name);
        }
        match self.rng.below(12) {
            0 => format!("({a} / {})", pick(self.rng, &["2", "-3", "7"])),
            1 => format!("({a} % {})", pick(self.rng, &["2", "-3", "5"])),
            2 => format!("ABS({a})"),
            3 => format!("(- ({a}))"),
            4 => format!("CHAR_LENGTH({})", self.of(Family::Text, depth)),
            5 => {
                let from = *pick(self.rng, &[Family::Decimal, Family::Boolean, Family::Integer]);
                let to = *pick(self.rng, &["INT", "BIGINT", "SMALLINT", "TINYINT"]);
                format!("CAST({} AS {to})", self.of(from, depth))
            }
            9 => {
                let divisor = self.of(Family::Integer, depth);
                format!("CASE WHEN {divisor} = 0 THEN NULL ELSE {a} / {divisor} END")
            }
            // A row may fail.
            6 if chance(self.rng, 30) => format!("({a} / {})", self.leaf(Family::Integer)),
            7 if chance(self.rng, 20) => format!("CAST({} AS INT)", self.leaf(Family::Text)),
            7 => format!("TRY_CAST({} AS INT)", self.leaf(Family::Text)),
            8 => {
                let b = self.of(Family::Integer, depth);
                format!("{}(CAST({a} AS BIGINT), CAST({b} AS BIGINT))", pick(self.rng, &["GREATEST", "LEAST"]))
            }
            _ => {
                let op = *pick(self.rng, &["+", "-", "*"]);
                format!("({a} {op} {})", self.of(Family::Integer, depth))
            }
        }
    }

    fn decimal(&mut self, depth: usize) -> String {
        let a = self.leaf(Family::Decimal);
        match self.rng.below(6) {
            0 => format!("(CAST({} AS DECIMAL(12, 2)))", self.of(Family::Integer, depth)),
            1 => format!("CAST({a} AS DECIMAL(6, 1))"),
            2 => format!("({a} / {})", pick(self.rng, &["2", "0.3", "-7"])),
            3 => format!("({a} * {})", self.leaf(Family::Decimal)),
            _ => {
                let op = *pick(self.rng, &["+", "-"]);
                format!("({a} {op} {})", self.leaf(Family::Decimal))
            }
        }
    }

    fn double(&mut self, depth: usize) -> String {
        let a = self.of(Family::Double, depth);
        match self.rng.below(4) {
            0 => format!("CAST({} AS DOUBLE)", self.leaf(Family::Integer)),
            1 => format!("ABS({a})"),
            _ => {
                let op = *pick(self.rng, &["+", "-", "*"]);
                format!("({a} {op} {})", self.of(Family::Double, depth))
            }
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let a = self.of(Family::Text, depth);
        match self.rng.below(8) {
            0 => format!("UPPER({a})"),
            1 => format!("LOWER({a})"),
            2 => format!("SUBSTRING({a} FROM {})", pick(self.rng, &["1", "2", "3"])),
            3 => {
                format!("SUBSTRING({a} FROM {} FOR {})", pick(self.rng, &["1", "2"]), pick(self.rng, &["0", "1", "2"]))
            }
            4 => format!(
                "TRIM({}{a})",
                pick(self.rng, &["", "LEADING ' ' FROM ", "TRAILING 'b' FROM ", "BOTH 'a' FROM "])
            ),
            5 => format!("REPLACE({a}, 'a', {})", self.leaf(Family::Text)),
            6 => {
                let from = *pick(self.rng, &[Family::Integer, Family::Decimal, Family::Boolean]);
                format!("CAST({} AS {})", self.of(from, depth), pick(self.rng, &["STRING", "VARCHAR(3)", "STRING"]))
            }
            _ => format!("({a} || {})", self.of(Family::Text, depth)),
        }
    }

    fn time(&mut self) -> String {
        let a = self.leaf(Family::Time);
        let op = *pick(self.rng, &["+", "-"]);
        format!("({a} {op} INTERVAL '{}' SECOND)", pick(self.rng, &["1", "10", "90"]))
    }
}
