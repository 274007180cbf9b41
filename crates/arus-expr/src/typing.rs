//! Flink's type derivation: what types unify to, and precision and scale of DECIMAL results.

use arus_core::types::{MAX_LENGTH, RowField};
use arus_core::{LogicalType, TimeAttribute, TypeKind};

pub(crate) const MAX_PRECISION: u8 = 38;

/// DECIMAL(p, s) that counts for an exact number: integers are whole decimals.
pub(crate) fn as_decimal(kind: &TypeKind) -> Option<(u8, u8)> {
    Some(match kind {
        TypeKind::TinyInt => (3, 0),
        TypeKind::SmallInt => (5, 0),
        TypeKind::Int => (10, 0),
        TypeKind::BigInt => (19, 0),
        TypeKind::Decimal { precision, scale } => (*precision, *scale),
        _ => return None,
    })
}

/// Cuts the scale, but not below 6, when there are more digits than 38.
pub(crate) fn adjusted(precision: u32, scale: u32) -> TypeKind {
    let max = u32::from(MAX_PRECISION);
    let (precision, scale) = if precision <= max {
        (precision, scale)
    } else {
        (max, (max.saturating_sub(precision - scale)).max(scale.min(6)))
    };
    TypeKind::Decimal { precision: precision as u8, scale: scale as u8 }
}

/// The widest digits before and after the point; beyond 38 those after it give way.
pub(crate) fn common_decimal((p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> TypeKind {
    let whole = (p1 - s1).max(p2 - s2);
    let scale = s1.max(s2).min(MAX_PRECISION - whole);
    TypeKind::Decimal { precision: whole + scale, scale }
}

fn integer_rank(kind: &TypeKind) -> Option<u8> {
    match kind {
        TypeKind::TinyInt => Some(0),
        TypeKind::SmallInt => Some(1),
        TypeKind::Int => Some(2),
        TypeKind::BigInt => Some(3),
        _ => None,
    }
}

/// The wider of two integer types.
pub(crate) fn wider_integer<'a>(a: &'a TypeKind, b: &'a TypeKind) -> Option<&'a TypeKind> {
    Some(if integer_rank(a)? >= integer_rank(b)? { a } else { b })
}

fn common_numeric(a: &TypeKind, b: &TypeKind) -> Option<TypeKind> {
    if let Some(integer) = wider_integer(a, b) {
        return Some(integer.clone());
    }
    match (a, b) {
        (TypeKind::Float, TypeKind::Float) => Some(TypeKind::Float),
        (TypeKind::Float, other) | (other, TypeKind::Float) if other.is_integer() => Some(TypeKind::Float),
        (a, b) if a.is_numeric() && b.is_numeric() && (a.is_approximate() || b.is_approximate()) => {
            Some(TypeKind::Double)
        }
        _ => Some(common_decimal(as_decimal(a)?, as_decimal(b)?)),
    }
}

/// A length in characters or bytes, and whether it is fixed.
fn length(kind: &TypeKind) -> Option<(u32, bool)> {
    match kind {
        TypeKind::Char(n) | TypeKind::Binary(n) => Some((*n, true)),
        TypeKind::Varchar(n) | TypeKind::Varbinary(n) => Some((*n, false)),
        _ => None,
    }
}

fn common_kind(a: &TypeKind, b: &TypeKind) -> Option<TypeKind> {
    use TypeKind as K;
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (K::Null, other) | (other, K::Null) => Some(other.clone()),
        (a, b) if a.is_numeric() && b.is_numeric() => common_numeric(a, b),
        (a, b) if a.is_string() && b.is_string() || a.is_binary() && b.is_binary() => {
            let ((n, fixed_a), (m, fixed_b)) = (length(a)?, length(b)?);
            let (length, fixed) = (n.max(m), fixed_a && fixed_b && n == m);
            Some(match (a.is_string(), fixed) {
                (true, true) => K::Char(length),
                (true, false) => K::Varchar(length),
                (false, true) => K::Binary(length),
                (false, false) => K::Varbinary(length),
            })
        }
        (K::Time(p), K::Time(q)) => Some(K::Time(*p.max(q))),
        (K::TimestampLtz { precision: p, attribute: a }, K::TimestampLtz { precision: q, attribute: b }) => {
            Some(K::TimestampLtz { precision: *p.max(q), attribute: same_attribute(*a, *b) })
        }
        (
            K::Timestamp { precision: p, attribute: a } | K::TimestampLtz { precision: p, attribute: a },
            K::Timestamp { precision: q, attribute: b } | K::TimestampLtz { precision: q, attribute: b },
        ) => Some(K::Timestamp { precision: *p.max(q), attribute: same_attribute(*a, *b) }),
        (K::Array(a), K::Array(b)) => Some(K::Array(Box::new(common(a, b)?))),
        (K::Multiset(a), K::Multiset(b)) => Some(K::Multiset(Box::new(common(a, b)?))),
        (K::Map(k, v), K::Map(l, w)) => Some(K::Map(Box::new(common(k, l)?), Box::new(common(v, w)?))),
        (K::Row(a), K::Row(b)) if a.len() == b.len() => {
            let fields = a.iter().zip(b).map(|(f, g)| {
                Some(RowField { name: f.name.clone(), ty: common(&f.ty, &g.ty)?, comment: f.comment.clone() })
            });
            Some(K::Row(fields.collect::<Option<_>>()?))
        }
        _ => None,
    }
}

fn same_attribute(a: TimeAttribute, b: TimeAttribute) -> TimeAttribute {
    if a == b { a } else { TimeAttribute::None }
}

fn common(a: &LogicalType, b: &LogicalType) -> Option<LogicalType> {
    Some(LogicalType { kind: common_kind(&a.kind, &b.kind)?, nullable: a.nullable || b.nullable })
}

/// What CASE, COALESCE, UNION, VALUES and the elements of ARRAY unify to. A time attribute stays when all have it.
pub(crate) fn common_type(types: &[LogicalType]) -> Option<LogicalType> {
    let mut types = types.iter();
    let mut all = types.next()?.clone();
    for ty in types {
        all = common(&all, ty)?;
    }
    all.nullable |= matches!(all.kind, TypeKind::Null);
    Some(all)
}

/// What two sides of a comparison are compared as: as [`common_type`], and text beside a time becomes that time.
pub(crate) fn comparison_type(a: &LogicalType, b: &LogicalType) -> Option<TypeKind> {
    let kind = match (&a.kind, &b.kind) {
        (time, text) | (text, time) if time.is_temporal() && text.is_string() => time.clone(),
        (a, b) => common_kind(a, b)?,
    };
    Some(kind.not_null().without_time_attribute().kind)
}

/// n characters more, unless that is STRING anyway.
pub(crate) fn concatenated(a: &TypeKind, b: &TypeKind) -> Option<TypeKind> {
    let ((n, fixed_a), (m, fixed_b)) = (length(a)?, length(b)?);
    let length = n.saturating_add(m).min(MAX_LENGTH);
    Some(match (a.is_string(), fixed_a && fixed_b) {
        (true, true) => TypeKind::Char(length),
        (true, false) => TypeKind::Varchar(length),
        (false, true) => TypeKind::Binary(length),
        (false, false) => TypeKind::Varbinary(length),
    })
}
