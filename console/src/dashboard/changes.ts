//! Changes of a dashboard's text by clicks, named by panel or variable and not by place, so that they can be made anew in another text.

import type { PanelSpec } from '../wire/api';
import { renamed } from './spec';
import { addItem, putAbove, read, removeItem, renameKey, setIn, type Path } from './yaml';

export type Change =
  /** Of a panel, or of the dashboard itself. */
  | { do: 'set'; panel: string | null; path: Path; value: unknown }
  | { do: 'add'; panel: PanelSpec }
  | { do: 'remove'; panel: string }
  /** A field of a variable; without a path the whole of it, which is made, or taken away. */
  | { do: 'variable'; name: string; path: Path; value: unknown }
  /** Statements that name it go along. */
  | { do: 'rename'; variable: string; to: string }
  | { do: 'text'; text: string };

export function apply(text: string, change: Change): string {
  switch (change.do) {
    case 'text':
      return change.text;
    case 'add':
      return addItem(text, ['panels'], { ...change.panel });
    case 'remove':
      return removeItem(text, ['panels'], panelIndex(text, change.panel));
    case 'variable':
      return ofVariable(text, change.name, change.path, change.value);
    case 'rename':
      return rename(text, change.variable, change.to);
    case 'set':
      return change.panel === null ? ofBoard(text, change.path, change.value) : ofPanel(text, change.panel, change.path, change.value);
  }
}

function ofPanel(text: string, panel: string, path: Path, value: unknown): string {
  const index = panelIndex(text, panel);
  // `y: name` is short for `y: {field: name}`: it is written out when more comes to it.
  const y = panelsOf(text)[index]?.['y'];
  const whole = path[0] === 'y' && typeof y === 'string' ? setIn(text, ['panels', index, 'y'], { field: y }) : text;
  return setIn(whole, ['panels', index, ...path], value);
}

// A new field of the top stands above the panels, which are the most of the file.
function ofBoard(text: string, path: Path, value: unknown): string {
  const [key, ...rest] = path;
  if (value === undefined || key === undefined || topOf(text)[key] != null) return setIn(text, path, value);
  if (key in topOf(text)) return setIn(text, path, value);
  if (rest.length === 0) return putAbove(text, 'panels', String(key), value);
  return setIn(putAbove(text, 'panels', String(key), {}), path, value);
}

function ofVariable(text: string, name: string, path: Path, value: unknown): string {
  const all = record(topOf(text)['variables']);
  if (path.length === 0) {
    if (value === undefined || topOf(text)['variables'] !== undefined) return setIn(text, ['variables', name], value);
    return putAbove(text, 'panels', 'variables', { [name]: value });
  }
  if (!(name in all)) throw new Error(`there is no variable '${name}' any more`);
  // `name: [a, b]` is short for `name: {values: [a, b]}`.
  const now = all[name];
  const whole = Array.isArray(now) ? setIn(text, ['variables', name], { values: now }) : text;
  return setIn(whole, ['variables', name, ...path], value);
}

function rename(text: string, variable: string, to: string): string {
  const all = record(topOf(text)['variables']);
  if (!(variable in all)) throw new Error(`there is no variable '${variable}' any more`);
  if (to in all) throw new Error(`there is a variable '${to}' already`);
  let next = renameKey(text, ['variables', variable], to);
  const statement = (path: Path, sql: unknown) => {
    if (typeof sql !== 'string') return;
    const changed = renamed(sql, variable, to);
    if (changed !== sql) next = setIn(next, path, changed);
  };
  panelsOf(text).forEach((panel, i) => statement(['panels', i, 'sql'], panel['sql']));
  for (const [name, each] of Object.entries(all)) statement(['variables', name === variable ? to : name, 'sql'], record(each)['sql']);
  return next;
}

const record = (value: unknown): Record<string, unknown> => (value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {});

const topOf = (text: string): Record<string | number, unknown> => record(read(text).value);

function panelsOf(text: string): Record<string, unknown>[] {
  const panels = topOf(text)['panels'];
  return Array.isArray(panels) ? (panels as Record<string, unknown>[]) : [];
}

function panelIndex(text: string, id: string): number {
  const index = panelsOf(text).findIndex((panel, i) => (panel['id'] ?? `panel-${i + 1}`) === id);
  if (index < 0) throw new Error(`there is no panel '${id}' any more`);
  return index;
}
