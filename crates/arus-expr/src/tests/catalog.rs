use arus_core::function::{AggregateFunction, FunctionCatalog};

use super::*;
use crate::functions::FUNCTIONS;

#[test]
#[expect(clippy::disallowed_methods, reason = "the source tree itself")]
fn the_folder_is_the_list() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/functions");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort_unstable();
    let listed: Vec<String> = FUNCTIONS.iter().map(|group| group.file.to_owned()).collect();
    assert_eq!(files, listed);
}

#[test]
fn names_are_unique() {
    let names = Functions.names();
    let mut unique = names.clone();
    unique.dedup();
    assert_eq!(names, unique);
}

#[test]
fn mistakes_are_explained() {
    let unknown = try_call("CHAR_LENGHT", vec![string("a")]).unwrap_err();
    assert_eq!(unknown.message(), "unknown function 'CHAR_LENGHT'");
    assert_eq!(unknown.hint(), Some("did you mean CHAR_LENGTH?"));
    let wrong = try_call("UPPER", vec![int(1)]).unwrap_err();
    assert_eq!(wrong.message(), "cannot apply 'UPPER' to arguments of type (INT)");
    assert_eq!(wrong.hint(), Some("supported: UPPER(<CHARACTER>)"));
}

#[test]
fn literals_that_cannot_work_are_refused_with_the_types() {
    let s = || column(0, TypeKind::STRING);
    for (name, args, message) in [
        ("REGEXP", vec![s(), text(r"a\Gb")], r"unsupported regular expression: \G in 'a\Gb'"),
        ("SIMILAR TO", vec![s(), text("[a-")], "Invalid regular expression '[a-'"),
        ("FROM_UNIXTIME", vec![bigint(0), text("bogus")], "'bogus' is no date format: Illegal pattern character 'b'"),
        (
            "JSON_VALUE",
            vec![s(), text("$[?(@.a)]")],
            "unsupported JSON path '$[?(@.a)]': a filter that does not compare",
        ),
    ] {
        assert_eq!(try_call(name, args).unwrap_err().message(), message);
    }
    // What Java refuses as well gives FALSE.
    assert!(try_call("REGEXP", vec![s(), text("(")]).is_ok());
}

#[test]
fn aggregates() {
    let resolve = |name: &str, kind: TypeKind| {
        let arg = Argument { ty: kind.not_null(), literal: None };
        Functions.resolve_aggregate(name, &[arg]).unwrap().map(|a| a.return_type.to_string()).ok()
    };
    let dc = || TypeKind::Decimal { precision: 10, scale: 2 };
    assert_eq!(resolve("SUM", TypeKind::TinyInt).as_deref(), Some("TINYINT NOT NULL"));
    assert_eq!(resolve("sum", dc()).as_deref(), Some("DECIMAL(38, 2) NOT NULL"));
    assert_eq!(resolve("AVG", dc()).as_deref(), Some("DECIMAL(38, 6) NOT NULL"));
    assert_eq!(resolve("AVG", TypeKind::Int).as_deref(), Some("INT NOT NULL"));
    assert_eq!(resolve("MAX", TypeKind::STRING).as_deref(), Some("STRING NOT NULL"));
    assert_eq!(resolve("COUNT", TypeKind::BYTES).as_deref(), Some("BIGINT NOT NULL"));
    assert_eq!(resolve("SUM", TypeKind::STRING), None);
    assert_eq!(resolve("AVG", TypeKind::Boolean), None);
    let count = Functions.resolve_aggregate("COUNT", &[]).unwrap().unwrap();
    assert_eq!(count.function, AggregateFunction::Count);
    assert!(Functions.resolve_aggregate("UPPER", &[]).is_none());
}

#[test]
fn what_types_unify_to() {
    let unify = |kinds: Vec<TypeKind>| {
        let types: Vec<LogicalType> = kinds.into_iter().map(TypeKind::not_null).collect();
        Functions.common_type(&types).map(|ty| ty.to_string())
    };
    let dec = |precision, scale| TypeKind::Decimal { precision, scale };
    for (kinds, expected) in [
        (vec![TypeKind::Char(1), TypeKind::Char(3)], Some("VARCHAR(3) NOT NULL")),
        (vec![TypeKind::Char(3), TypeKind::STRING], Some("STRING NOT NULL")),
        (vec![TypeKind::Int, TypeKind::BigInt], Some("BIGINT NOT NULL")),
        (vec![TypeKind::Int, TypeKind::Float], Some("FLOAT NOT NULL")),
        (vec![TypeKind::Int, dec(2, 1)], Some("DECIMAL(11, 1) NOT NULL")),
        (vec![TypeKind::Int, dec(10, 2)], Some("DECIMAL(12, 2) NOT NULL")),
        (vec![dec(10, 2), dec(20, 6)], Some("DECIMAL(20, 6) NOT NULL")),
        (vec![dec(10, 2), TypeKind::Double], Some("DOUBLE NOT NULL")),
        (vec![timestamp_kind(0), timestamp_kind(6)], Some("TIMESTAMP(6) NOT NULL")),
        (vec![timestamp_kind(3), ltz_kind(3)], Some("TIMESTAMP(3) NOT NULL")),
        (vec![TypeKind::Binary(1), TypeKind::Binary(2)], Some("VARBINARY(2) NOT NULL")),
        (vec![TypeKind::Date, timestamp_kind(3)], None),
        (vec![TypeKind::Int, TypeKind::STRING], None),
    ] {
        assert_eq!(unify(kinds.clone()).as_deref(), expected, "{kinds:?}");
    }
    let with_null = Functions.common_type(&[TypeKind::Null.nullable(), TypeKind::Int.not_null()]);
    assert_eq!(with_null.unwrap().to_string(), "INT");
}
