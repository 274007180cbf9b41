//! Where the boxes of a pipeline stand: layers from left to right, or from top to bottom on a narrow page.

import { Graph, layout } from '@dagrejs/dagre';
import type { OperatorInfo } from '../verdict';

export const NODE_WIDTH = 136;
export const NODE_HEIGHT = 68;
const EDGE_LEAST = 68;
const EDGE_MOST = 128;
const MARGIN = 16;
/** Narrower than this, the graph runs downwards. */
const NARROW = 560;

export interface Layout {
  down: boolean;
  width: number;
  height: number;
  at: Map<string, { x: number; y: number }>;
}

export function arrange(operators: Pick<OperatorInfo, 'id' | 'inputs'>[], room: number): Layout {
  const down = room < NARROW;
  const deep = depth(operators);
  // Edges are as long as the room gives, so that five boxes and nine fill the same panel.
  const free = deep > 1 ? (room - 2 * MARGIN - deep * NODE_WIDTH) / (deep - 1) : EDGE_MOST;
  const ranksep = down ? 36 : Math.max(EDGE_LEAST, Math.min(EDGE_MOST, free));
  const graph = new Graph();
  graph.setGraph({ rankdir: down ? 'TB' : 'LR', ranksep, nodesep: 24, marginx: MARGIN, marginy: MARGIN });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(operators.map((operator) => operator.id));
  for (const operator of operators) graph.setNode(operator.id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const operator of operators) {
    for (const input of operator.inputs) if (known.has(input)) graph.setEdge(input, operator.id);
  }
  layout(graph);
  const at = new Map<string, { x: number; y: number }>();
  for (const id of graph.nodes()) {
    const node = graph.node(id) as { x: number; y: number };
    at.set(id, { x: node.x - NODE_WIDTH / 2, y: node.y - NODE_HEIGHT / 2 });
  }
  const size = graph.graph() as { width?: number; height?: number };
  return { down, at, width: size.width ?? room, height: size.height ?? NODE_HEIGHT + 2 * MARGIN };
}

function depth(operators: Pick<OperatorInfo, 'id' | 'inputs'>[]): number {
  const inputs = new Map(operators.map((operator) => [operator.id, operator.inputs]));
  const known = new Map<string, number>();
  const of = (id: string, above: Set<string>): number => {
    const done = known.get(id);
    if (done !== undefined || above.has(id)) return done ?? 0;
    const path = new Set(above).add(id);
    const deepest = 1 + Math.max(0, ...(inputs.get(id) ?? []).filter((input) => inputs.has(input)).map((input) => of(input, path)));
    known.set(id, deepest);
    return deepest;
  };
  return Math.max(0, ...operators.map((operator) => of(operator.id, new Set())));
}
