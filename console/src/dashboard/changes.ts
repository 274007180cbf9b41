//! Changes of a dashboard's text by clicks, named by panel and not by place, so that they can be made anew in another text.

import type { PanelSpec } from '../wire/api';
import { addItem, read, removeItem, setIn, type Path } from './yaml';

export type Change =
  | { do: 'set'; panel: string | null; path: Path; value: unknown }
  | { do: 'add'; panel: PanelSpec }
  | { do: 'remove'; panel: string }
  | { do: 'text'; text: string };

export function apply(text: string, change: Change): string {
  if (change.do === 'text') return change.text;
  if (change.do === 'add') return addItem(text, ['panels'], { ...change.panel });
  if (change.do === 'remove') return removeItem(text, ['panels'], panelIndex(text, change.panel));
  if (change.panel === null) return setIn(text, change.path, change.value);
  const index = panelIndex(text, change.panel);
  // `y: name` is short for `y: {field: name}`: it is written out when more comes to it.
  const y = panelsOf(text)[index]?.['y'];
  const whole = change.path[0] === 'y' && typeof y === 'string' ? setIn(text, ['panels', index, 'y'], { field: y }) : text;
  return setIn(whole, ['panels', index, ...change.path], change.value);
}

function panelsOf(text: string): Record<string, unknown>[] {
  const panels = (read(text).value as { panels?: unknown } | null)?.panels;
  return Array.isArray(panels) ? (panels as Record<string, unknown>[]) : [];
}

function panelIndex(text: string, id: string): number {
  const index = panelsOf(text).findIndex((panel, i) => (panel['id'] ?? `panel-${i + 1}`) === id);
  if (index < 0) throw new Error(`there is no panel '${id}' any more`);
  return index;
}
