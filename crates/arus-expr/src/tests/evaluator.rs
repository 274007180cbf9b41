use arrow::array::{Array, AsArray, BooleanArray, Int32Array, StringViewArray, StructArray};
use arrow::datatypes::Int32Type;
use arus_core::clock::Clock;
use arus_core::function::Evaluator;

use super::*;
use crate::{ConstantEvaluator, Predicate};

fn a() -> Expr {
    column(0, TypeKind::Int)
}

fn b() -> Expr {
    column(1, TypeKind::Int)
}

fn numbers(a: Vec<Option<i32>>, b: Vec<Option<i32>>) -> RecordBatch {
    let rows = a.len();
    batch(vec![Arc::new(Int32Array::from(a)), Arc::new(Int32Array::from(b))], rows)
}

fn quotient() -> Expr {
    call("/", vec![a(), b()])
}

#[test]
fn guards_decide_what_is_evaluated() {
    let input = numbers(vec![Some(6), Some(6), Some(6), Some(6)], vec![Some(2), Some(0), None, Some(9)]);
    let guarded = Expr::And(vec![call("<>", vec![b(), int(0)]), call(">", vec![quotient(), int(1)])]);
    let result = run_in(&guarded, &input, "UTC");
    assert!(result.failed.is_empty());
    assert_eq!(result.columns[0].as_boolean(), &BooleanArray::from(vec![Some(true), Some(false), None, Some(false)]));
    let either = Expr::Or(vec![call("=", vec![b(), int(0)]), call(">", vec![quotient(), int(1)])]);
    let result = run_in(&either, &input, "UTC");
    assert!(result.failed.is_empty());
    assert_eq!(result.columns[0].as_boolean(), &BooleanArray::from(vec![Some(true), Some(true), None, Some(false)]));
    // The other way round the division comes first, and the row fails.
    let unguarded = Expr::And(vec![call(">", vec![quotient(), int(1)]), call("<>", vec![b(), int(0)])]);
    let result = run_in(&unguarded, &input, "UTC");
    assert_eq!(result.failed, [crate::FailedRow { row: 1, reason: "/ by zero".to_owned() }]);
}

#[test]
fn case_evaluates_each_branch_where_it_is_reached() {
    let input = numbers(vec![Some(6), Some(7), None, Some(9)], vec![Some(2), Some(0), None, Some(3)]);
    let case = Expr::Case {
        branches: vec![
            (call("=", vec![b(), int(0)]), int(-1)),
            (call("IS NULL", vec![b()]), call("+", vec![a(), int(1)])),
        ],
        otherwise: Box::new(quotient()),
        ty: TypeKind::Int.nullable(),
    };
    let result = run_in(&case, &input, "UTC");
    assert!(result.failed.is_empty());
    let values = result.columns[0].as_primitive::<Int32Type>();
    assert_eq!(values, &Int32Array::from(vec![Some(3), Some(-1), None, Some(3)]));
    // A condition that fails takes its row out of all branches.
    let case = Expr::Case {
        branches: vec![(call("=", vec![quotient(), int(3)]), int(1))],
        otherwise: Box::new(call("/", vec![int(1), b()])),
        ty: TypeKind::Int.nullable(),
    };
    let result = run_in(&case, &input, "UTC");
    assert_eq!(result.failed.len(), 1);
    assert_eq!(result.columns[0].as_primitive::<Int32Type>(), &Int32Array::from(vec![Some(1), None, None, Some(1)]));
}

#[test]
fn a_failed_row_costs_nothing_to_the_others() {
    let input = numbers(vec![Some(1), Some(2), Some(3)], vec![Some(1), Some(0), Some(3)]);
    let exprs = [quotient(), a(), call("%", vec![a(), b()])];
    let result = Program::compile(&exprs, "UTC").unwrap().run(&input, &CX).unwrap();
    assert_eq!(result.failed.len(), 1);
    assert_eq!(result.failed[0].row, 1);
    let values = result.columns[0].as_primitive::<Int32Type>();
    assert_eq!((values.value(0), values.value(2)), (1, 1));
}

#[test]
fn a_constant_that_fails_fails_each_row_that_needs_it() {
    let input = numbers(vec![Some(1), Some(2)], vec![Some(0), Some(0)]);
    let bad = call("/", vec![int(1), int(0)]);
    assert_eq!(run_in(&bad, &input, "UTC").failed.len(), 2);
    let guarded = Expr::And(vec![call("=", vec![a(), int(2)]), call("=", vec![bad, int(1)])]);
    let failed = run_in(&guarded, &input, "UTC").failed;
    assert_eq!(failed.iter().map(|f| f.row).collect::<Vec<_>>(), [1]);
}

#[test]
fn predicates_select_true_rows() {
    let input = numbers(vec![Some(1), None, Some(3), Some(4)], vec![Some(1), Some(1), Some(0), Some(1)]);
    let condition = call(">=", vec![quotient(), int(1)]);
    let selected = Predicate::compile(&condition, "UTC").unwrap().run(&input, &CX).unwrap();
    assert_eq!(selected.mask, BooleanArray::from(vec![true, false, false, true]));
    assert_eq!(selected.failed.len(), 1);
    let always = Predicate::compile(&boolean(true), "UTC").unwrap().run(&input, &CX).unwrap();
    assert_eq!(always.mask.true_count(), 4);
    assert!(Predicate::compile(&int(1), "UTC").is_err());
}

#[test]
fn fields_of_null_rows_are_null() {
    let inner: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let fields = vec![Field::new("x", inner.data_type().clone(), true)].into();
    let rows = StructArray::new(fields, vec![inner], Some(vec![true, false, true].into()));
    let kind = TypeKind::Row(vec![arus_core::types::RowField {
        name: "x".to_owned(),
        ty: TypeKind::Int.nullable(),
        comment: None,
    }]);
    let field = Expr::Field { input: Box::new(column(0, kind)), index: 0, ty: TypeKind::Int.nullable() };
    let result = run_in(&field, &batch(vec![Arc::new(rows)], 3), "UTC");
    assert_eq!(result.columns[0].as_primitive::<Int32Type>(), &Int32Array::from(vec![Some(1), None, Some(3)]));
}

#[test]
fn empty_batches_and_no_expressions() {
    let input = numbers(vec![], vec![]);
    let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(Vec::<&str>::new()));
    let empty = batch(vec![input.column(0).clone(), input.column(1).clone(), texts], 0);
    let case = Expr::Case {
        branches: vec![(call("=", vec![quotient(), int(1)]), call("CHAR_LENGTH", vec![column(2, TypeKind::STRING)]))],
        otherwise: Box::new(int(1)),
        ty: TypeKind::Int.nullable(),
    };
    let all = [quotient(), case, int(7), call("UPPER", vec![column(2, TypeKind::STRING)])];
    let result = Program::compile(&all, "UTC").unwrap().run(&empty, &CX).unwrap();
    assert!(result.columns.iter().all(|c| c.is_empty()));
    assert!(Program::compile(&[], "UTC").unwrap().run(&empty, &CX).unwrap().columns.is_empty());
}

struct Noon;

impl Clock for Noon {
    fn now_ms(&self) -> i64 {
        43_200_000
    }

    fn monotonic_ns(&self) -> u64 {
        0
    }
}

#[test]
fn constants() {
    let evaluator = ConstantEvaluator::new(Arc::new(Noon), "UTC", 1);
    assert_eq!(evaluator.evaluate_constant(&call("+", vec![int(1), int(2)])).unwrap(), Datum::Int(3));
    assert_eq!(evaluator.evaluate_constant(&call("CURRENT_TIMESTAMP", vec![])).unwrap(), Datum::Timestamp(43_200_000));
    let error = evaluator.evaluate_constant(&call("/", vec![int(1), int(0)])).unwrap_err();
    assert_eq!(error.message(), "/ by zero");
    let list = call("ARRAY", vec![int(1), null(TypeKind::Int)]);
    assert_eq!(evaluator.evaluate_constant(&list).unwrap(), Datum::Array(vec![Datum::Int(1), Datum::Null]));
}
