//! The graph at the level of its SQL: what only passes rows on is folded into its edge, unless all is asked for.

import type { OperatorInfo, Role } from '../verdict';

/** An operator as the graph shows it; `via` names, for each input, the operator whose output arrives. */
export interface Shown extends OperatorInfo {
  via: string[];
}

/** Moves rows between tasks; nothing that a statement says. */
const MOVES = /^exchange$/i;
/** Worth a box of its own while there are few. */
const PASSES = /^(exchange|calc|project|filter|values passthrough)$/i;
const FEW = 7;

export function fold(operators: OperatorInfo[], roles: Map<string, Role>): Shown[] {
  const once = without(all(operators), (operator) => MOVES.test(operator.name) && roles.get(operator.id) !== 'cause');
  if (once.length <= FEW) return once;
  return without(once, (operator) => PASSES.test(operator.name) && roles.get(operator.id) !== 'cause');
}

export function all(operators: OperatorInfo[]): Shown[] {
  const known = new Set(operators.map((operator) => operator.id));
  return operators.map((operator) => {
    const inputs = operator.inputs.filter((input) => known.has(input));
    return { ...operator, inputs, via: inputs };
  });
}

// Only a link of a chain goes: one input, one consumer.
function without(operators: Shown[], folded: (operator: Shown) => boolean): Shown[] {
  let left = operators;
  for (const candidate of operators) {
    if (!folded(candidate)) continue;
    const current = left.find((operator) => operator.id === candidate.id);
    const consumers = left.filter((operator) => operator.inputs.includes(candidate.id));
    const [input] = current?.inputs ?? [];
    if (current?.inputs.length !== 1 || consumers.length !== 1 || input === undefined || consumers[0]?.inputs.includes(input)) continue;
    left = left.filter((operator) => operator !== current).map((operator) => {
      const at = operator.inputs.indexOf(candidate.id);
      return at < 0 ? operator : { ...operator, inputs: operator.inputs.with(at, input) };
    });
  }
  return left;
}
