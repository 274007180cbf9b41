//! Expressions compiled to a tree of kernels, and its evaluation on a batch.
//!
//! Invariants: in AND, OR and CASE an operand counts for the rows alone that need it, in the order written: it fails
//! no other row, so whether a row fails never depends on the rows beside it. Where that is cheaper, an operand is
//! evaluated on the whole batch and the rest is thrown away. A value that is equal for all rows stays one value.

use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, make_array, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{and_kleene, interleave, or_kleene, take};
use arrow::datatypes::DataType;
use arus_core::change::arrow_bug;
use arus_core::clock::SharedClock;
use arus_core::expr::Expr;
use arus_core::function::Evaluator;
use arus_core::text::Zone;
use arus_core::{Datum, Error, LogicalType, Result, TypeKind};

use crate::cast::cast_kernel;
use crate::functions::{CompileCall, find};
use crate::scalar::{array_to_datum, datum_to_array};
use crate::value::{Cx, FailedRow, Kernel, Value};

/// What is fixed for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvalContext {
    /// Processing time in milliseconds since 1970.
    pub now_ms: i64,
    /// The watermark before the batch; `None` when there was none yet.
    pub watermark: Option<i64>,
    /// What the random functions of this batch begin with; another one for each batch.
    pub seed: u64,
}

/// What a run gives.
#[derive(Debug)]
pub struct Evaluated {
    /// One for each expression, as long as the batch.
    pub columns: Vec<ArrayRef>,
    /// Rows that failed, each once, in order; their values are undefined.
    pub failed: Vec<FailedRow>,
}

/// Which rows a predicate holds for.
#[derive(Debug)]
pub struct Selected {
    /// True where the predicate is TRUE; without NULLs.
    pub mask: BooleanArray,
    /// Rows that failed, each once, in order; the mask is false there.
    pub failed: Vec<FailedRow>,
}

/// Expressions over one schema, compiled.
pub struct Program {
    roots: Vec<Node>,
}

impl Program {
    /// `zone` is the session's time zone.
    pub fn compile(exprs: &[Expr], zone: &str) -> Result<Program> {
        let zone = Zone::parse(zone)?;
        let roots = exprs.iter().map(|expr| compile(expr, zone)).collect::<Result<_>>()?;
        Ok(Program { roots })
    }

    pub fn run(&self, batch: &RecordBatch, cx: &EvalContext) -> Result<Evaluated> {
        let rows = batch.num_rows();
        let input = Input { columns: batch.columns(), rows };
        let mut failed = Vec::new();
        let mut columns = Vec::with_capacity(self.roots.len());
        for root in &self.roots {
            columns.push(root.evaluate(&input, cx, &mut failed)?.into_array(rows)?);
        }
        Ok(Evaluated { columns, failed: once_each(failed) })
    }

    /// Whether any row of any batch can fail.
    pub fn can_fail(&self) -> bool {
        self.roots.iter().any(|root| root.fallible)
    }
}

/// A condition over one schema, compiled.
pub struct Predicate {
    root: Node,
}

impl Predicate {
    pub fn compile(expr: &Expr, zone: &str) -> Result<Predicate> {
        if expr.ty().kind != TypeKind::Boolean {
            return Err(Error::bug(format!("a condition must be BOOLEAN, and this one is {}", expr.ty())));
        }
        Ok(Predicate { root: compile(expr, Zone::parse(zone)?)? })
    }

    pub fn run(&self, batch: &RecordBatch, cx: &EvalContext) -> Result<Selected> {
        let rows = batch.num_rows();
        let mut failed = Vec::new();
        let value = self.root.evaluate(&Input { columns: batch.columns(), rows }, cx, &mut failed)?;
        let array = value.into_array(rows)?;
        let mut mask = true_rows(array.as_boolean());
        let failed = once_each(failed);
        if !failed.is_empty() {
            mask = &mask & &!&rows_of(&failed, rows);
        }
        Ok(Selected { mask: BooleanArray::new(mask, None), failed })
    }
}

/// Evaluates expressions without columns.
pub struct ConstantEvaluator {
    clock: SharedClock,
    zone: String,
    seed: AtomicU64,
}

impl ConstantEvaluator {
    /// `seed` is that of the random functions.
    pub fn new(clock: SharedClock, zone: &str, seed: u64) -> Self {
        ConstantEvaluator { clock, zone: zone.to_owned(), seed: seed.into() }
    }
}

impl Evaluator for ConstantEvaluator {
    fn evaluate_constant(&self, expr: &Expr) -> Result<Datum> {
        let root = compile(expr, Zone::parse(&self.zone)?)?;
        let mut failed = Vec::new();
        let seed = self.seed.fetch_add(1, Ordering::Relaxed);
        let cx = EvalContext { now_ms: self.clock.now_ms(), watermark: None, seed };
        let value = root.evaluate(&Input { columns: &[], rows: 1 }, &cx, &mut failed)?;
        if let Some(first) = failed.first() {
            return Err(Error::user(first.reason.clone()));
        }
        array_to_datum(value.array(), 0, &expr.ty())
    }
}

fn once_each(mut failed: Vec<FailedRow>) -> Vec<FailedRow> {
    failed.sort_by_key(|f| f.row);
    failed.dedup_by_key(|f| f.row);
    failed
}

/// The rows that are true and not NULL.
fn true_rows(array: &BooleanArray) -> BooleanBuffer {
    match array.nulls() {
        Some(nulls) if nulls.null_count() > 0 => array.values() & nulls.inner(),
        _ => array.values().clone(),
    }
}

fn rows_of(failed: &[FailedRow], rows: usize) -> BooleanBuffer {
    let mut is_failed = vec![false; rows];
    failed.iter().for_each(|f| is_failed[f.row as usize] = true);
    is_failed.into()
}

// ---- the tree ------------------------------------------------------------------------------------------

struct Node {
    kind: NodeKind,
    /// Whether a row can fail.
    fallible: bool,
    /// The columns below, once each.
    columns: Vec<usize>,
}

enum NodeKind {
    Column(usize),
    Literal(ArrayRef),
    Call {
        kernel: Kernel,
        args: Vec<Node>,
        /// TRY_CAST: a failed row is NULL.
        safe: bool,
        /// Each row is computed, although all arguments are the same.
        per_row: bool,
    },
    And(Vec<Node>),
    Or(Vec<Node>),
    Case {
        branches: Vec<(Node, Node)>,
        otherwise: Box<Node>,
        ty: DataType,
    },
    Field {
        input: Box<Node>,
        index: usize,
    },
}

/// The columns of a batch or of some of its rows.
struct Input<'a> {
    columns: &'a [ArrayRef],
    rows: usize,
}

fn compile(expr: &Expr, zone: Zone) -> Result<Node> {
    let all = |exprs: &[Expr]| exprs.iter().map(|e| compile(e, zone)).collect::<Result<Vec<_>>>();
    let (kind, fallible) = match expr {
        Expr::Column { index, .. } => (NodeKind::Column(*index), false),
        Expr::Literal { value, ty } => (NodeKind::Literal(datum_to_array(value, ty)?), false),
        Expr::Call { function, args, ty } => {
            let found = find(function).ok_or_else(|| Error::bug(format!("no function {function} to compile")))?;
            let compiled = (found.compile)(&CompileCall { name: function, args, ty, zone })?;
            if compiled.per_row {
                let kind = NodeKind::Call { kernel: compiled.kernel, args: all(args)?, safe: false, per_row: true };
                return Ok(Node::new(kind, compiled.fallible));
            }
            return Ok(fold(compiled.kernel, all(args)?, false, compiled.fallible, found.deterministic));
        }
        Expr::Cast { input, ty, safe } => {
            let from = input.ty();
            let input = compile(input, zone)?;
            return match cast_kernel(&from, ty, zone)? {
                None => Ok(input),
                Some(compiled) => Ok(fold(compiled.kernel, vec![input], *safe, compiled.fallible && !*safe, true)),
            };
        }
        Expr::And(args) => (NodeKind::And(all(args)?), false),
        Expr::Or(args) => (NodeKind::Or(all(args)?), false),
        Expr::Case { branches, otherwise, ty } => {
            let branches = branches.iter().map(|(c, v)| Ok((compile(c, zone)?, compile(v, zone)?)));
            let branches = branches.collect::<Result<Vec<_>>>()?;
            (NodeKind::Case { branches, otherwise: Box::new(compile(otherwise, zone)?), ty: ty.to_arrow() }, false)
        }
        Expr::Field { input, index, .. } => {
            (NodeKind::Field { input: Box::new(compile(input, zone)?), index: *index }, false)
        }
    };
    Ok(Node::new(kind, fallible))
}

/// A call; one over literals alone is evaluated here, unless that fails: then each row that asks for it fails.
fn fold(kernel: Kernel, args: Vec<Node>, safe: bool, fallible: bool, deterministic: bool) -> Node {
    let constant = deterministic && !args.is_empty() && args.iter().all(|a| matches!(a.kind, NodeKind::Literal(_)));
    let node = Node::new(NodeKind::Call { kernel, args, safe, per_row: false }, fallible);
    if constant {
        let mut failed = Vec::new();
        let cx = EvalContext { now_ms: 0, watermark: None, seed: 0 };
        if let Ok(value) = node.evaluate(&Input { columns: &[], rows: 1 }, &cx, &mut failed)
            && failed.is_empty()
        {
            return Node::new(NodeKind::Literal(value.array().clone()), false);
        }
    }
    node
}

impl Node {
    fn new(kind: NodeKind, fallible: bool) -> Self {
        let node = Node { kind, fallible, columns: vec![] };
        let children = node.children();
        let fallible = fallible || children.iter().any(|child| child.fallible);
        let mut columns: Vec<usize> = children.iter().flat_map(|child| child.columns.iter().copied()).collect();
        if let NodeKind::Column(index) = node.kind {
            columns.push(index);
        }
        columns.sort_unstable();
        columns.dedup();
        Node { kind: node.kind, fallible, columns }
    }

    fn children(&self) -> Vec<&Node> {
        match &self.kind {
            NodeKind::Column(_) | NodeKind::Literal(_) => vec![],
            NodeKind::Call { args, .. } | NodeKind::And(args) | NodeKind::Or(args) => args.iter().collect(),
            NodeKind::Case { branches, otherwise, .. } => {
                branches.iter().flat_map(|(c, v)| [c, v]).chain([otherwise.as_ref()]).collect()
            }
            NodeKind::Field { input, .. } => vec![input],
        }
    }

    fn evaluate(&self, input: &Input<'_>, eval: &EvalContext, failed: &mut Vec<FailedRow>) -> Result<Value> {
        match &self.kind {
            NodeKind::Column(index) => match input.columns.get(*index) {
                Some(column) => Ok(Value::Array(column.clone())),
                None => Err(Error::bug(format!("no column {index} among {}", input.columns.len()))),
            },
            NodeKind::Literal(array) => Ok(Value::Scalar(array.clone())),
            NodeKind::Call { kernel, args, safe, per_row } => {
                self.call(kernel, args, (*safe, *per_row), input, eval, failed)
            }
            NodeKind::And(args) => logic(args, true, input, eval, failed),
            NodeKind::Or(args) => logic(args, false, input, eval, failed),
            NodeKind::Case { branches, otherwise, ty } => case(branches, otherwise, ty, input, eval, failed),
            NodeKind::Field { input: row, index } => {
                let value = row.evaluate(input, eval, failed)?;
                let field = field(value.array(), *index)?;
                Ok(if value.is_scalar() { Value::Scalar(field) } else { Value::Array(field) })
            }
        }
    }

    fn call(
        &self,
        kernel: &Kernel,
        args: &[Node],
        (safe, per_row): (bool, bool),
        input: &Input<'_>,
        eval: &EvalContext,
        failed: &mut Vec<FailedRow>,
    ) -> Result<Value> {
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            values.push(arg.evaluate(input, eval, failed)?);
        }
        let scalar = !per_row && values.iter().all(Value::is_scalar);
        let rows = if scalar { 1 } else { input.rows };
        let mut own = Vec::new();
        let array = kernel(&values, &mut Cx { rows, eval, failed: &mut own })?;
        if array.len() != rows {
            return Err(Error::bug(format!("a kernel gave {} rows for {rows}", array.len())));
        }
        let array = match own.first() {
            Some(_) if safe => null_at(&array, &own)?,
            Some(first) if scalar => {
                failed.extend((0..input.rows as u32).map(|row| FailedRow { row, reason: first.reason.clone() }));
                array
            }
            _ => {
                failed.append(&mut own);
                array
            }
        };
        Ok(if scalar { Value::Scalar(array) } else { Value::Array(array) })
    }

    /// Evaluates for some rows of the input. The values come for all rows of the input (`Extent::Whole`) when that is
    /// cheaper than to choose rows, and else for the chosen rows in their order; either way only those rows can fail.
    fn evaluate_for(
        &self,
        indices: &[u32],
        input: &Input<'_>,
        eval: &EvalContext,
        failed: &mut Vec<FailedRow>,
    ) -> Result<(Value, Extent)> {
        if indices.len() == input.rows {
            return Ok((self.evaluate(input, eval, failed)?, Extent::Whole));
        }
        let mut own = Vec::new();
        if indices.len() * 2 >= input.rows {
            let value = self.evaluate(input, eval, &mut own)?;
            own.retain(|f| indices.binary_search(&f.row).is_ok());
            failed.append(&mut own);
            return Ok((value, Extent::Whole));
        }
        let rows = UInt32Array::from(indices.to_vec());
        let mut columns = input.columns.to_vec();
        for column in &self.columns {
            if let Some(column) = columns.get_mut(*column) {
                *column = take(column, &rows, None).map_err(arrow_bug)?;
            }
        }
        let value = self.evaluate(&Input { columns: &columns, rows: indices.len() }, eval, &mut own)?;
        failed.extend(own.into_iter().map(|f| FailedRow { row: indices[f.row as usize], reason: f.reason }));
        Ok((value, Extent::Chosen))
    }
}

/// Which rows values stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Chosen,
}

/// The array with NULL at the failed rows, also where only a part of the value failed.
fn null_at(array: &ArrayRef, failed: &[FailedRow]) -> Result<ArrayRef> {
    let nulls = NullBuffer::new(!&rows_of(failed, array.len()));
    let nulls = NullBuffer::union(array.nulls(), Some(&nulls));
    let data = array.to_data().into_builder().nulls(nulls).build().map_err(arrow_bug)?;
    Ok(make_array(data))
}

/// Field `index` of the rows; NULL where the row is.
fn field(rows: &ArrayRef, index: usize) -> Result<ArrayRef> {
    let rows = rows.as_struct_opt().ok_or_else(|| Error::bug("a field is taken of what is no row"))?;
    let field = rows.columns().get(index).ok_or_else(|| Error::bug(format!("no field {index} in the row")))?;
    if rows.null_count() == 0 {
        return Ok(field.clone());
    }
    let nulls = NullBuffer::union(rows.nulls(), field.logical_nulls().as_ref());
    let data = field.to_data().into_builder().nulls(nulls).build().map_err(arrow_bug)?;
    Ok(make_array(data))
}

/// AND (`all`) or OR: an operand that can fail is evaluated only where the ones before it leave the answer open.
fn logic(
    args: &[Node],
    all: bool,
    input: &Input<'_>,
    eval: &EvalContext,
    failed: &mut Vec<FailedRow>,
) -> Result<Value> {
    let start = failed.len();
    let mut so_far: Option<BooleanArray> = None;
    for arg in args {
        let Some(left) = so_far.take() else {
            let value = arg.evaluate(input, eval, failed)?;
            so_far = Some(value.into_array(input.rows)?.as_boolean().clone());
            continue;
        };
        let right = if arg.fallible {
            let open = open_rows(&left, all, &failed[start..]);
            match arg.evaluate_for(&open, input, eval, failed)? {
                (value, Extent::Whole) => value.into_array(input.rows)?,
                (value, Extent::Chosen) => scatter(value, &open, input.rows)?,
            }
        } else {
            arg.evaluate(input, eval, failed)?.into_array(input.rows)?
        };
        let right = right.as_boolean();
        so_far = Some(if all { and_kleene(&left, right) } else { or_kleene(&left, right) }.map_err(arrow_bug)?);
    }
    let array = so_far.ok_or_else(|| Error::bug("AND or OR without operands"))?;
    Ok(Value::Array(std::sync::Arc::new(array)))
}

/// The rows which `left` does not decide and which did not fail.
fn open_rows(left: &BooleanArray, all: bool, failed: &[FailedRow]) -> Vec<u32> {
    let rows = left.len();
    let decided = |row: usize| left.is_valid(row) && left.value(row) != all;
    if failed.is_empty() {
        return (0..rows).filter(|row| !decided(*row)).map(|row| row as u32).collect();
    }
    let is_failed = rows_of(failed, rows);
    (0..rows).filter(|row| !decided(*row) && !is_failed.value(*row)).map(|row| row as u32).collect()
}

/// Puts the values at their rows; NULL elsewhere.
fn scatter(value: Value, indices: &[u32], rows: usize) -> Result<ArrayRef> {
    let scalar = value.is_scalar();
    let mut from = vec![None; rows];
    for (i, row) in indices.iter().enumerate() {
        from[*row as usize] = Some(if scalar { 0 } else { i as u32 });
    }
    take(value.array(), &UInt32Array::from(from), None).map_err(arrow_bug)
}

/// Each branch is evaluated on the rows that reach it.
fn case(
    branches: &[(Node, Node)],
    otherwise: &Node,
    ty: &DataType,
    input: &Input<'_>,
    eval: &EvalContext,
    failed: &mut Vec<FailedRow>,
) -> Result<Value> {
    let rows = input.rows;
    // Source 0 is NULL: the value of rows that failed.
    let mut sources: Vec<ArrayRef> = vec![new_null_array(ty, 1)];
    let mut choice: Vec<(usize, usize)> = vec![(0, 0); rows];
    let mut open: Vec<u32> = (0..rows as u32).collect();
    let mut choose = |node: &Node, chosen: &[u32], failed: &mut Vec<FailedRow>| -> Result<()> {
        if chosen.is_empty() {
            return Ok(());
        }
        let (value, extent) = node.evaluate_for(chosen, input, eval, failed)?;
        let source = sources.len();
        for (i, row) in chosen.iter().enumerate() {
            let at = match (value.is_scalar(), extent) {
                (true, _) => 0,
                (false, Extent::Whole) => *row as usize,
                (false, Extent::Chosen) => i,
            };
            choice[*row as usize] = (source, at);
        }
        sources.push(value.array().clone());
        Ok(())
    };
    for (condition, value) in branches {
        if open.is_empty() {
            break;
        }
        let start = failed.len();
        let (tested, extent) = condition.evaluate_for(&open, input, eval, failed)?;
        let scalar = tested.is_scalar();
        let holds = tested.array().as_boolean();
        let is_failed = rows_of(&failed[start..], rows);
        let mut chosen = Vec::new();
        let mut rest = Vec::new();
        for (i, row) in open.iter().enumerate() {
            if is_failed.value(*row as usize) {
                continue;
            }
            let at = match (scalar, extent) {
                (true, _) => 0,
                (false, Extent::Whole) => *row as usize,
                (false, Extent::Chosen) => i,
            };
            if holds.is_valid(at) && holds.value(at) { chosen.push(*row) } else { rest.push(*row) }
        }
        choose(value, &chosen, failed)?;
        open = rest;
    }
    choose(otherwise, &open, failed)?;
    if let [only] = &sources[1..]
        && only.len() == rows
        && choice.iter().enumerate().all(|(row, from)| *from == (1, row))
    {
        return Ok(Value::Array(only.clone()));
    }
    let arrays: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
    Ok(Value::Array(interleave(&arrays, &choice).map_err(arrow_bug)?))
}

/// The type that two arguments have in Arrow, for messages.
pub(crate) fn type_names(types: &[LogicalType]) -> String {
    types.iter().map(|t| t.kind.to_string()).collect::<Vec<_>>().join(", ")
}
