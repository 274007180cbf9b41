//! Expressions to text.

use super::{list, quoted_string};
use crate::ast::*;
use crate::lexer::is_niladic;
use crate::parser::expr::{AND, COMPARISON, IS, NOT, OR, PRODUCT, RANGE, SIGN, SUM};
use std::fmt::{Display, Formatter, Result, Write};

/// Binds more tightly than every operator.
const PRIMARY: u8 = SIGN + 1;

impl BinaryOp {
    fn precedence(self) -> u8 {
        match self {
            BinaryOp::Or => OR,
            BinaryOp::And => AND,
            BinaryOp::Eq | BinaryOp::NotEq | BinaryOp::Lt | BinaryOp::LtEq | BinaryOp::Gt | BinaryOp::GtEq => {
                COMPARISON
            }
            BinaryOp::Plus | BinaryOp::Minus => SUM,
            BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo | BinaryOp::Concat => PRODUCT,
        }
    }
}

fn precedence(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::Binary { op, .. } => op.precedence(),
        ExprKind::Unary { op: UnaryOp::Not, .. } => NOT,
        ExprKind::Unary { .. } => SIGN,
        ExprKind::Literal(Literal::Integer(n) | Literal::Decimal(n) | Literal::Approximate(n))
            if n.starts_with('-') =>
        {
            SIGN
        }
        ExprKind::Is { .. } => IS,
        ExprKind::IsDistinctFrom { .. } | ExprKind::Quantified { .. } | ExprKind::Period { .. } => COMPARISON,
        ExprKind::Between { .. } | ExprKind::InList { .. } | ExprKind::InQuery { .. } | ExprKind::Like { .. } => RANGE,
        _ => PRIMARY,
    }
}

/// An operand, in parentheses unless it binds at least as tightly as `least`.
struct Operand<'a>(&'a Expr, u8);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if precedence(self.0) < self.1 { write!(f, "({})", self.0) } else { write!(f, "{}", self.0) }
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            ExprKind::Literal(literal) => write!(f, "{literal}"),
            ExprKind::Name(parts) => list(f, parts, "."),
            ExprKind::Field { operand, field } => {
                // `a.b` in one piece would be a name.
                if matches!(operand.kind, ExprKind::Name(_)) {
                    write!(f, "({operand}).{field}")
                } else {
                    write!(f, "{}.{field}", Operand(operand, PRIMARY))
                }
            }
            ExprKind::Item { operand, index } => write!(f, "{}[{index}]", Operand(operand, PRIMARY)),
            ExprKind::Array(items) => brackets(f, "ARRAY[", items, "]"),
            ExprKind::ArrayQuery(query) => write!(f, "ARRAY({query})"),
            ExprKind::Map(entries) => {
                f.write_str("MAP[")?;
                list(f, entries.iter().flat_map(|(k, v)| [k, v]), ", ")?;
                f.write_char(']')
            }
            ExprKind::Row(items) => brackets(f, "ROW(", items, ")"),
            ExprKind::Exists(query) => write!(f, "EXISTS ({query})"),
            ExprKind::Subquery(query) => write!(f, "({query})"),
            ExprKind::Call(call) => write!(f, "{call}"),
            ExprKind::Json(json) => write!(f, "{json}"),
            ExprKind::Unsupported { what } => f.write_str(what),
            ExprKind::Case { operand, branches, otherwise } => {
                case(f, operand.as_deref(), branches, otherwise.as_deref())
            }
            _ if precedence(self) < PRIMARY => operator(f, &self.kind),
            _ => special_call(f, &self.kind),
        }
    }
}

fn brackets(f: &mut Formatter<'_>, open: &str, items: &[Expr], close: &str) -> Result {
    f.write_str(open)?;
    list(f, items, ", ")?;
    f.write_str(close)
}

fn case(f: &mut Formatter<'_>, operand: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Result {
    f.write_str("CASE")?;
    if let Some(operand) = operand {
        write!(f, " {operand}")?;
    }
    for (condition, result) in branches {
        write!(f, " WHEN {condition} THEN {result}")?;
    }
    if let Some(otherwise) = otherwise {
        write!(f, " ELSE {otherwise}")?;
    }
    f.write_str(" END")
}

fn operator(f: &mut Formatter<'_>, kind: &ExprKind) -> Result {
    match kind {
        ExprKind::Unary { op, operand } => {
            let (sign, least) = match op {
                UnaryOp::Not => return write!(f, "NOT {}", Operand(operand, NOT)),
                UnaryOp::Minus => ('-', SIGN),
                UnaryOp::Plus => ('+', SIGN),
            };
            let operand = Operand(operand, least).to_string();
            // Two minus signs would begin a comment.
            let gap = if operand.starts_with(['-', '+']) { " " } else { "" };
            write!(f, "{sign}{gap}{operand}")
        }
        ExprKind::Binary { op, left, right } => {
            let p = op.precedence();
            write!(f, "{} {} {}", Operand(left, p), op.as_str(), Operand(right, p + 1))
        }
        ExprKind::Is { operand, test, negated } => {
            write!(f, "{} IS {}{}", Operand(operand, IS), not(*negated), test.as_str())
        }
        ExprKind::IsDistinctFrom { left, right, negated } => write!(
            f,
            "{} IS {}DISTINCT FROM {}",
            Operand(left, COMPARISON),
            not(*negated),
            Operand(right, COMPARISON + 1)
        ),
        ExprKind::Between { operand, low, high, symmetric, negated } => {
            let symmetric = if *symmetric { "SYMMETRIC " } else { "" };
            write!(f, "{} {}BETWEEN {symmetric}", Operand(operand, RANGE + 1), not(*negated))?;
            write!(f, "{} AND {}", Operand(low, AND + 1), Operand(high, RANGE + 1))
        }
        ExprKind::InList { operand, list: items, negated } => {
            write!(f, "{} {}IN (", Operand(operand, RANGE + 1), not(*negated))?;
            list(f, items, ", ")?;
            f.write_char(')')
        }
        ExprKind::InQuery { operand, query, negated } => {
            write!(f, "{} {}IN ({query})", Operand(operand, RANGE + 1), not(*negated))
        }
        ExprKind::Like { kind, operand, pattern, escape, negated } => {
            let word = match kind {
                LikeKind::Like => "LIKE",
                LikeKind::SimilarTo => "SIMILAR TO",
                LikeKind::ILike => "ILIKE",
                LikeKind::RLike => "RLIKE",
            };
            write!(f, "{} {}{word} {}", Operand(operand, RANGE + 1), not(*negated), Operand(pattern, RANGE + 1))?;
            match escape {
                Some(escape) => write!(f, " ESCAPE {}", Operand(escape, RANGE + 1)),
                None => Ok(()),
            }
        }
        ExprKind::Quantified { op, quantifier, operand, source } => {
            let word = match quantifier {
                Quantifier::All => "ALL",
                Quantifier::Any => "ANY",
            };
            write!(f, "{} {} {word} (", Operand(operand, COMPARISON), op.as_str())?;
            match source {
                QuantifiedSource::Query(query) => write!(f, "{query}")?,
                QuantifiedSource::List(items) => list(f, items, ", ")?,
            }
            f.write_char(')')
        }
        ExprKind::Period { predicate, left, right } => {
            write!(f, "{} {predicate} {}", Operand(left, COMPARISON), Operand(right, COMPARISON + 1))
        }
        _ => Ok(()),
    }
}

/// Functions with a syntax of their own.
fn special_call(f: &mut Formatter<'_>, kind: &ExprKind) -> Result {
    match kind {
        ExprKind::Cast { operand, data_type, safe } => {
            write!(f, "{}CAST({operand} AS {data_type})", if *safe { "TRY_" } else { "" })
        }
        ExprKind::Extract { unit, operand } => write!(f, "EXTRACT({} FROM {operand})", unit.as_str()),
        ExprKind::RoundTo { floor, operand, unit } => {
            write!(f, "{}({operand} TO {})", if *floor { "FLOOR" } else { "CEIL" }, unit.as_str())
        }
        ExprKind::Trim { side, chars, operand } => match chars {
            Some(chars) => write!(f, "TRIM({} {chars} FROM {operand})", side.as_str()),
            None if *side == TrimSide::Both => write!(f, "TRIM({operand})"),
            None => write!(f, "TRIM({} FROM {operand})", side.as_str()),
        },
        ExprKind::TimestampAdd { unit, count, time } => write!(f, "TIMESTAMPADD({}, {count}, {time})", unit.as_str()),
        ExprKind::TimestampDiff { unit, from, to } => write!(f, "TIMESTAMPDIFF({}, {from}, {to})", unit.as_str()),
        ExprKind::IntervalOf { value, qualifier } => match value.kind {
            ExprKind::Name(_) => write!(f, "INTERVAL {value} {qualifier}"),
            _ => write!(f, "INTERVAL ({value}) {qualifier}"),
        },
        ExprKind::DatetimeMinus { later, earlier, qualifier } => {
            write!(f, "({} - {}) {qualifier}", Operand(later, SUM), Operand(earlier, SUM + 1))
        }
        _ => Ok(()),
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Literal::Null => f.write_str("NULL"),
            Literal::Unknown => f.write_str("UNKNOWN"),
            Literal::Boolean(true) => f.write_str("TRUE"),
            Literal::Boolean(false) => f.write_str("FALSE"),
            Literal::Integer(n) | Literal::Decimal(n) | Literal::Approximate(n) => f.write_str(n),
            Literal::String(value) => f.write_str(&quoted_string(value)),
            Literal::Binary(bytes) => {
                f.write_str("X'")?;
                bytes.iter().try_for_each(|b| write!(f, "{b:02X}"))?;
                f.write_char('\'')
            }
            Literal::Date(text) => write!(f, "DATE {}", quoted_string(text)),
            Literal::Time(text) => write!(f, "TIME {}", quoted_string(text)),
            Literal::Timestamp(text) => write!(f, "TIMESTAMP {}", quoted_string(text)),
            Literal::TimestampLtz(text) => write!(f, "TIMESTAMP WITH LOCAL TIME ZONE {}", quoted_string(text)),
            Literal::Interval { negative, text, qualifier } => {
                let sign = if *negative { "-" } else { "" };
                write!(f, "INTERVAL {sign}{} {qualifier}", quoted_string(text))
            }
        }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = self.name.last();
        if self.args.is_empty() && !self.star && !name.quoted && is_niladic(&name.value) {
            return write!(f, "{}", self.name);
        }
        write!(f, "{}(", self.name)?;
        if self.distinct {
            f.write_str("DISTINCT ")?;
        }
        let words: &[&str] = match name.value.to_ascii_uppercase().as_str() {
            "POSITION" if !name.quoted => &[" IN ", " FROM "],
            "OVERLAY" if !name.quoted => &[" PLACING ", " FROM ", " FOR "],
            _ => &[],
        };
        for (i, arg) in self.args.iter().enumerate() {
            match i.checked_sub(1) {
                Some(before) => f.write_str(words.get(before).unwrap_or(&", "))?,
                // The word IN would otherwise be taken for the operator.
                None if words.first() == Some(&" IN ") => {
                    if let ArgValue::Expr(needle) = &arg.value {
                        write!(f, "{}", Operand(needle, RANGE + 1))?;
                        continue;
                    }
                }
                None => {}
            }
            write!(f, "{arg}")?;
        }
        if self.star {
            f.write_char('*')?;
        }
        let within = !name.value.eq_ignore_ascii_case("ARRAY_AGG");
        if !self.order_by.is_empty() && !within {
            f.write_str(" ORDER BY ")?;
            list(f, &self.order_by, ", ")?;
        }
        f.write_char(')')?;
        if !self.order_by.is_empty() && within {
            f.write_str(" WITHIN GROUP (ORDER BY ")?;
            list(f, &self.order_by, ", ")?;
            f.write_char(')')?;
        }
        match self.ignore_nulls {
            Some(true) => f.write_str(" IGNORE NULLS")?,
            Some(false) => f.write_str(" RESPECT NULLS")?,
            None => {}
        }
        if let Some(filter) = &self.filter {
            write!(f, " FILTER (WHERE {filter})")?;
        }
        match &self.over {
            Some(Over::Name(name)) => write!(f, " OVER {name}"),
            Some(Over::Spec(spec)) => write!(f, " OVER {spec}"),
            None => Ok(()),
        }
    }
}

impl Display for Arg {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if let Some(name) = &self.name {
            write!(f, "{name} => ")?;
        }
        match &self.value {
            ArgValue::Expr(expr) => write!(f, "{expr}"),
            ArgValue::Default => f.write_str("DEFAULT"),
            ArgValue::Descriptor(names) => {
                f.write_str("DESCRIPTOR(")?;
                list(f, names, ", ")?;
                f.write_char(')')
            }
            ArgValue::Table(table) => write!(f, "{table}"),
        }
    }
}

impl Display for TableArg {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.source {
            TableArgSource::Name(name) => write!(f, "TABLE {name}")?,
            TableArgSource::Query(query) => write!(f, "({query})")?,
        }
        match self.partition_by.as_slice() {
            [] => {}
            // Two pairs of parentheses would be a query around a query.
            [Expr { kind: ExprKind::Subquery(query), .. }] => write!(f, " PARTITION BY ({query})")?,
            keys => brackets(f, " PARTITION BY (", keys, ")")?,
        }
        if !self.order_by.is_empty() {
            f.write_str(" ORDER BY (")?;
            list(f, &self.order_by, ", ")?;
            f.write_char(')')?;
        }
        Ok(())
    }
}

impl Display for JsonPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}, {}", self.input, self.path)?;
        for (i, (value, name)) in self.passing.iter().enumerate() {
            write!(f, "{} {value} AS {name}", if i == 0 { " PASSING" } else { "," })?;
        }
        Ok(())
    }
}

impl Display for JsonBehavior {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            JsonBehavior::Null => f.write_str("NULL"),
            JsonBehavior::Error => f.write_str("ERROR"),
            JsonBehavior::Default(expr) => write!(f, "DEFAULT {expr}"),
            JsonBehavior::EmptyArray => f.write_str("EMPTY ARRAY"),
            JsonBehavior::EmptyObject => f.write_str("EMPTY OBJECT"),
            JsonBehavior::True => f.write_str("TRUE"),
            JsonBehavior::False => f.write_str("FALSE"),
            JsonBehavior::Unknown => f.write_str("UNKNOWN"),
        }
    }
}

fn behaviors(f: &mut Formatter<'_>, empty: &Option<JsonBehavior>, error: &Option<JsonBehavior>) -> Result {
    if let Some(empty) = empty {
        write!(f, " {empty} ON EMPTY")?;
    }
    if let Some(error) = error {
        write!(f, " {error} ON ERROR")?;
    }
    Ok(())
}

fn nulls(f: &mut Formatter<'_>, nulls: &Option<JsonNulls>) -> Result {
    match nulls {
        Some(JsonNulls::Null) => f.write_str(" NULL ON NULL"),
        Some(JsonNulls::Absent) => f.write_str(" ABSENT ON NULL"),
        None => Ok(()),
    }
}

impl Display for JsonCall {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            JsonCall::Value { path, returning, on_empty, on_error } => {
                write!(f, "JSON_VALUE({path}")?;
                if let Some(returning) = returning {
                    write!(f, " RETURNING {returning}")?;
                }
                behaviors(f, on_empty, on_error)?;
            }
            JsonCall::Query { path, returning, wrapper, on_empty, on_error } => {
                write!(f, "JSON_QUERY({path}")?;
                if let Some(returning) = returning {
                    write!(f, " RETURNING {returning}")?;
                }
                match wrapper {
                    Some(JsonWrapper::Without) => f.write_str(" WITHOUT ARRAY WRAPPER")?,
                    Some(JsonWrapper::WithConditional) => f.write_str(" WITH CONDITIONAL ARRAY WRAPPER")?,
                    Some(JsonWrapper::WithUnconditional) => f.write_str(" WITH UNCONDITIONAL ARRAY WRAPPER")?,
                    None => {}
                }
                behaviors(f, on_empty, on_error)?;
            }
            JsonCall::Exists { path, on_error } => {
                write!(f, "JSON_EXISTS({path}")?;
                behaviors(f, &None, on_error)?;
            }
            JsonCall::Object { entries, nulls: n } => {
                f.write_str("JSON_OBJECT(")?;
                list(f, entries.iter().map(|(k, v)| format!("KEY {} VALUE {v}", Operand(k, PRIMARY))), ", ")?;
                nulls(f, n)?;
            }
            JsonCall::Array { items, nulls: n } => {
                brackets(f, "JSON_ARRAY(", items, "")?;
                nulls(f, n)?;
            }
            JsonCall::ObjectAgg { key, value, nulls: n } => {
                write!(f, "JSON_OBJECTAGG(KEY {} VALUE {value}", Operand(key, PRIMARY))?;
                nulls(f, n)?;
            }
            JsonCall::ArrayAgg { item, order_by, nulls: n } => {
                write!(f, "JSON_ARRAYAGG({item}")?;
                if !order_by.is_empty() {
                    f.write_str(" ORDER BY ")?;
                    list(f, order_by, ", ")?;
                }
                nulls(f, n)?;
            }
        }
        f.write_char(')')
    }
}
