//! Changes of a YAML text by its places: what a change does not touch stays as it is, byte for byte, with comments and order.

import { isMap, isScalar, isSeq, parseDocument, stringify, type Node, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';

export type Path = (string | number)[];

/** The text as plain values, or what is wrong in it and where. */
export function read(text: string): { value: unknown; error: null } | { value: null; error: { message: string; line: number; column: number } } {
  const doc = parseDocument(text);
  const error = doc.errors[0];
  if (!error) return { value: doc.toJS(), error: null };
  const at = error.linePos?.[0];
  return { value: null, error: { message: (error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, ''), line: at?.line ?? 1, column: at?.col ?? 1 } };
}

/** Puts a value at a path, or takes it away (`undefined`). Maps on the way that are missing are made. */
export function setIn(text: string, path: Path, value: unknown): string {
  const doc = parsed(text);
  const key = path[path.length - 1];
  if (key === undefined) throw new Error('an empty path');
  const above = path.slice(0, -1);
  const parent = above.length === 0 ? doc.contents : doc.getIn(above, true);
  if (isSeq(parent) && typeof key === 'number') {
    const item = parent.items[key] as Node | undefined;
    if (!item?.range) throw new Error(`there is no ${path.join('.')}`);
    return spliced(text, item.range[0], item.range[1], inline(value));
  }
  if (!isMap(parent)) {
    if (value === undefined) return text;
    if (above.length === 0 || parent !== undefined && parent !== null && !(isScalar(parent) && parent.value === null)) throw new Error(`${above.join('.')} has no fields`);
    return setIn(text, above, { [key]: value });
  }
  const pair = pairOf(parent, key);
  if (!pair) return value === undefined ? text : insert(text, parent, String(key), value);
  return value === undefined ? remove(text, parent, pair) : replace(text, parent, pair, value);
}

/** Takes an item of a list away; comments before it stay. */
export function removeItem(text: string, path: Path, index: number): string {
  const list = parsed(text).getIn(path, true);
  const item = isSeq(list) ? (list.items[index] as Node | undefined) : undefined;
  if (!isSeq(list) || !item?.range) throw new Error(`there is no ${path.join('.')}[${index}]`);
  if (list.items.length === 1) return setIn(text, path, []);
  if (list.flow) {
    const before = list.items[index - 1] as Node | undefined;
    const next = list.items[index + 1] as Node | undefined;
    return next?.range ? spliced(text, item.range[0], next.range[0], '') : spliced(text, before?.range?.[1] ?? item.range[0], item.range[1], '');
  }
  return spliced(text, lineStart(text, item.range[0]), lineEnd(text, contentEnd(item)), '');
}

/** Puts a map behind the last item of a list, a line for each field. */
export function addItem(text: string, path: Path, fields: Record<string, unknown>): string {
  const list = parsed(text).getIn(path, true);
  if (!isSeq(list) || list.items.length === 0) {
    // `panels: []`, `panels:` or nothing at all: the item begins a list of lines.
    const open = list === undefined ? setIn(text, path, []) : text;
    const [from, to] = (parsed(open).getIn(path, true) as Node | null)?.range ?? [open.length, open.length];
    const end = lineEnd(open, to);
    const comment = open.slice(to, end).trim();
    return `${open.slice(0, from).trimEnd()}${comment ? ` ${comment}` : ''}\n${itemText(fields, 2)}${open.slice(end)}`;
  }
  const last = list.items[list.items.length - 1] as Node;
  if (list.flow) return spliced(text, last.range?.[1] ?? 0, last.range?.[1] ?? 0, `, ${inline(fields)}`);
  const start = last.range?.[0] ?? 0;
  const dash = text.lastIndexOf('-', start) - lineStart(text, start);
  const at = lineEnd(text, contentEnd(last));
  const glue = at > 0 && text[at - 1] !== '\n' ? '\n' : '';
  return spliced(text, at, at, `${glue}${itemText(fields, dash)}`);
}

/** Puts a field of the top before another one, above the comments that belong to that. A map goes as a line for each of its fields. */
export function putAbove(text: string, before: string, key: string, value: unknown): string {
  const root = parsed(text).contents;
  const pair = isMap(root) && !root.flow ? pairOf(root, before) : undefined;
  if (!pair) return setIn(text, [key], value);
  const line = lineStart(text, pair.key.range?.[0] ?? 0);
  let at = line;
  while (at > 0 && /^\s*#/.test(text.slice(lineStart(text, at - 1), at))) at = lineStart(text, at - 1);
  // What reaches the top of the file is about the file.
  if (at === 0) at = line;
  const lines = value !== null && typeof value === 'object' && !Array.isArray(value) ? `${inline(key)}:\n${Object.entries(value).map(([name, each]) => field(name, each, 2)).join('')}` : field(key, value, 0);
  return spliced(text, at, at, lines);
}

/** Another name for a field, at its place. */
export function renameKey(text: string, path: Path, to: string): string {
  const parent = parsed(text).getIn(path.slice(0, -1), true);
  const range = isMap(parent) ? pairOf(parent, path[path.length - 1])?.key.range : undefined;
  if (!range) throw new Error(`there is no ${path.join('.')}`);
  return spliced(text, range[0], range[1], inline(to));
}

// ---- pieces

function pairOf(map: YAMLMap, key: string | number | undefined): Pair<Node, Node | null> | undefined {
  return map.items.find((each) => isScalar(each.key) && String(each.key.value) === String(key)) as Pair<Node, Node | null> | undefined;
}

function parsed(text: string) {
  const doc = parseDocument(text);
  if (doc.errors.length > 0) throw new Error(doc.errors[0]?.message ?? 'no YAML');
  return doc;
}

const spliced = (text: string, from: number, to: number, by: string): string => text.slice(0, from) + by + text.slice(to);
const lineStart = (text: string, at: number): number => text.lastIndexOf('\n', at - 1) + 1;

/** Behind the line in which `at` is; a block of text ends with its own line. */
function lineEnd(text: string, at: number): number {
  if (at > 0 && text[at - 1] === '\n') return at;
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}

/** Where the last thing of a node ends: the range of a block takes in what follows it. */
function contentEnd(node: Node): number {
  if ((isMap(node) || isSeq(node)) && !node.flow) {
    const last = node.items[node.items.length - 1];
    if (isSeq(node) && last) return contentEnd(last as Node);
    if (isMap(node) && last) {
      const pair = last as Pair<Node, Node | null>;
      return pair.value?.range ? Math.max(contentEnd(pair.value), pair.key.range?.[1] ?? 0) : (pair.key.range?.[1] ?? 0) + 1;
    }
  }
  return node.range?.[1] ?? 0;
}

/** On one line, and right inside of brackets too. */
function inline(value: unknown): string {
  return stringify([value], { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0, singleQuote: true, defaultStringType: 'PLAIN' }).trim().slice(1, -1);
}

const isBlockText = (value: unknown): value is string => typeof value === 'string' && value.includes('\n');

function block(value: string, indent: number): string {
  const space = ' '.repeat(indent);
  const lines = value.replace(/\s+$/, '').split('\n').map((line) => (line.trim() ? space + line.replace(/\s+$/, '') : ''));
  // A first line that begins with a blank would be taken for the indentation.
  const mark = /^\s/.test(value) ? `|${indent > 9 ? '' : '2'}` : '|';
  return `${mark}\n${lines.join('\n')}\n`;
}

function replace(text: string, parent: YAMLMap, pair: Pair<Node, Node | null>, value: unknown): string {
  const [from, to] = pair.value?.range ?? [(pair.key.range?.[1] ?? 0) + 1, (pair.key.range?.[1] ?? 0) + 1];
  const wasBlock = isScalar(pair.value) && (pair.value.type === 'BLOCK_LITERAL' || pair.value.type === 'BLOCK_FOLDED');
  const wasTree = (isMap(pair.value) || isSeq(pair.value)) && !pair.value.flow;
  if (wasTree) {
    // A tree of lines becomes one line behind its key.
    const key = pair.key.range?.[1] ?? 0;
    return spliced(text, key, contentEnd(pair.value as Node), `: ${inline(value)}`);
  }
  if (isBlockText(value) && !parent.flow) {
    const written = block(value, column(text, pair) + 2);
    if (wasBlock) return spliced(text, from, to, written);
    const end = lineEnd(text, to);
    const comment = text.slice(to, end).trimEnd();
    const [head, ...lines] = written.split('\n');
    return spliced(text, from, end, `${text[from - 1] === ' ' ? '' : ' '}${head}${comment ? ` ${comment.trim()}` : ''}\n${lines.join('\n')}`);
  }
  const blank = text[from - 1] === ' ' ? '' : ' ';
  return spliced(text, from, to, `${blank}${inline(value)}${wasBlock ? '\n' : ''}`);
}

const column = (text: string, pair: Pair<Node, Node | null>): number => (pair.key.range?.[0] ?? 0) - lineStart(text, pair.key.range?.[0] ?? 0);

function insert(text: string, parent: YAMLMap, key: string, value: unknown): string {
  const last = parent.items[parent.items.length - 1] as Pair<Node, Node | null> | undefined;
  if (parent.flow || !last) {
    const open = parent.range?.[0] ?? 0;
    const close = (parent.range?.[1] ?? 1) - 1;
    const inside = text.slice(open + 1, close).trimEnd();
    return spliced(text, open + 1 + inside.length, open + 1 + inside.length, `${parent.items.length > 0 ? ', ' : ''}${inline(key)}: ${inline(value)}`);
  }
  const at = lineEnd(text, contentEnd(parent));
  const glue = at > 0 && text[at - 1] !== '\n' ? '\n' : '';
  return spliced(text, at, at, glue + field(key, value, column(text, last)));
}

function field(key: string, value: unknown, indent: number): string {
  return `${' '.repeat(indent)}${inline(key)}: ${isBlockText(value) ? block(value, indent + 2) : `${inline(value)}\n`}`;
}

function itemText(fields: Record<string, unknown>, dash: number): string {
  const lines = Object.entries(fields).filter(([, value]) => value !== undefined).map(([key, value]) => field(key, value, dash + 2)).join('');
  return `${' '.repeat(dash)}- ${lines.slice(dash + 2)}`;
}

function remove(text: string, parent: YAMLMap, pair: Pair<Node, Node | null>): string {
  const from = pair.key.range?.[0] ?? 0;
  const to = pair.value ? Math.max(contentEnd(pair.value), (pair.key.range?.[1] ?? 0) + 1) : (pair.key.range?.[1] ?? 0) + 1;
  if (parent.flow) {
    const at = parent.items.indexOf(pair);
    const next = parent.items[at + 1] as Pair<Node, Node | null> | undefined;
    const before = parent.items[at - 1] as Pair<Node, Node | null> | undefined;
    if (next?.key.range) return spliced(text, from, next.key.range[0], '');
    return spliced(text, before?.value?.range?.[1] ?? before?.key.range?.[1] ?? from, to, '');
  }
  const start = lineStart(text, from);
  if (text.slice(start, from).trim() !== '') throw new Error('the first field of an item cannot go');
  return spliced(text, start, lineEnd(text, to), '');
}

export type { YAMLSeq };
