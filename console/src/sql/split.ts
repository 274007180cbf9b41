//! A text of several statements: where each begins, what it is, and the text that runs one of them.
//! Everything sent keeps its place: what does not run is blanked, so that the server's line and column are the editor's.

export interface Statement {
  /** With the comments before it. */
  start: number;
  /** Its first word. */
  from: number;
  /** Before its semicolon. */
  to: number;
  text: string;
}

export type Kind = 'query' | 'insert' | 'materialized' | 'view' | 'tell' | 'session' | 'change' | 'set';

const TOKEN = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'?|`(?:[^`]|``)*`?|"(?:[^"]|"")*"?|[A-Za-z_][A-Za-z0-9_]*|\s+|[\s\S]/g;
const WORD = /^[A-Za-z_]/;
const isComment = (token: string): boolean => /^(--|\/\*)/.test(token);

interface Token { at: number; text: string }

function* tokensOf(text: string): Generator<Token> {
  for (const match of text.matchAll(TOKEN)) if (match[0].trim()) yield { at: match.index, text: match[0] };
}

export function split(text: string): Statement[] {
  const found: Statement[] = [];
  let start = -1;
  let from = -1;
  let end = 0;
  let words: string[] = [];
  let cases = 0;
  let ended = false;
  const close = () => {
    if (from >= 0) found.push({ start, from, to: end, text: text.slice(from, end) });
    start = from = -1;
    words = [];
    cases = 0;
    ended = false;
  };
  for (const token of tokensOf(text)) {
    if (start < 0) start = token.at;
    if (isComment(token.text)) continue;
    const isSet = /(^| )STATEMENT SET( |$)/.test(words.join(' '));
    if (token.text === ';' && (!isSet || ended)) {
      close();
      continue;
    }
    if (from < 0) from = token.at;
    end = token.at + token.text.length;
    if (!WORD.test(token.text)) continue;
    const word = token.text.toUpperCase();
    if (words.length < 4) words.push(word);
    if (word === 'CASE') cases += 1;
    else if (word === 'END' && cases > 0) cases -= 1;
    else if (word === 'END' && isSet) ended = true;
  }
  close();
  return found;
}

/** The statement that a place belongs to: the one around it, else the one before. */
export function statementAt(statements: Statement[], place: number): Statement | undefined {
  return statements.find((each) => place >= each.start && place <= each.to + 1) ?? [...statements].reverse().find((each) => each.start <= place) ?? statements[0];
}

export function kindOf(text: string): Kind {
  const words = [...tokensOf(text)].filter((token) => !isComment(token.text)).slice(0, 4).map((token) => token.text.toUpperCase());
  const [first = '', second = '', third = ''] = words;
  if (words.join(' ').includes('STATEMENT SET') && first !== 'EXPLAIN') return 'set';
  if (['SELECT', 'WITH', 'VALUES', '('].includes(first)) return 'query';
  if (first === 'INSERT') return 'insert';
  if (['EXPLAIN', 'SHOW', 'DESCRIBE', 'DESC'].includes(first)) return 'tell';
  if (['SET', 'RESET', 'USE'].includes(first)) return 'session';
  if (first === 'CREATE') {
    if (words.includes('MATERIALIZED')) return 'materialized';
    if (second === 'TEMPORARY') return third === 'VIEW' ? 'view' : 'session';
    if (second === 'VIEW') return 'view';
  }
  return 'change';
}

const isTemporary = (text: string): boolean => /^CREATE\s+TEMPORARY\b/i.test(text);

/** Where the query of a statement begins, or null where there is none to read. */
export function queryFrom(statement: Statement): number | null {
  const kind = kindOf(statement.text);
  if (kind === 'query') return statement.from;
  if (kind !== 'insert' && kind !== 'materialized' && kind !== 'view') return null;
  let depth = 0;
  let afterAs = kind === 'insert';
  const tokens = [...tokensOf(statement.text)].filter((token) => !isComment(token.text));
  for (const [i, token] of tokens.entries()) {
    const word = token.text.toUpperCase();
    if (depth === 0 && word === 'AS') afterAs = true;
    else if (depth === 0 && afterAs && (['SELECT', 'VALUES'].includes(word) || (word === 'WITH' && tokens[i + 1]?.text !== '('))) return statement.from + token.at;
    else if (kind !== 'insert' && depth === 0 && word !== '(') afterAs = false;
    if (token.text === '(') depth += 1;
    else if (token.text === ')') depth -= 1;
  }
  return null;
}

const blank = (text: string): string => text.replace(/[^\n]/gu, ' ');

export interface Script {
  text: string;
  /** What was put before the statement, and where; its place is taken out of an error's. */
  before: { line: number; column: number; length: number } | null;
}

/** The text that runs a statement, or its query alone, with what the session needs from above it. */
export function scriptOf(document: string, statements: Statement[], chosen: Statement, what: 'whole' | 'query' | 'plan'): Script {
  const query = what === 'whole' ? null : queryFrom(chosen);
  const from = query ?? chosen.start;
  let text = '';
  let at = 0;
  for (const each of statements) {
    if (each.to > chosen.start) break;
    if (kindOf(each.text) !== 'session' && !isTemporary(each.text)) continue;
    text += blank(document.slice(at, each.start)) + document.slice(each.start, each.to) + ';';
    at = each.to + 1;
  }
  text += blank(document.slice(at, from));
  if (what !== 'plan') return { text: text + document.slice(from, chosen.to), before: null };
  const word = 'EXPLAIN ';
  const start = query ?? chosen.from;
  text += blank(document.slice(from, start));
  const lines = text.split('\n');
  const before = { line: lines.length, column: [...(lines.at(-1) ?? '')].length + 1, length: word.length };
  return { text: text + word + document.slice(start, chosen.to), before };
}

/** The place of an error of a script, in the document. */
export function placed<T extends { line?: number | null; column?: number | null }>(error: T, script: Script): T {
  const { before } = script;
  if (!before || error.line !== before.line || !error.column || error.column < before.column + before.length) return error;
  return { ...error, column: error.column - before.length };
}

/** Line and column as the server counts them, to a place in the text. */
export function offsetOf(text: string, line: number, column: number): number {
  let at = 0;
  for (let n = 1; n < line; n += 1) {
    const next = text.indexOf('\n', at);
    if (next < 0) return text.length;
    at = next + 1;
  }
  const end = text.indexOf('\n', at);
  const characters = [...text.slice(at, end < 0 ? text.length : end)];
  return at + characters.slice(0, Math.max(0, column - 1)).join('').length;
}

/** A few words for a result's tab. */
export function titleOf(text: string): string {
  const words = text.replace(/--[^\n]*/g, ' ');
  const target = /^\s*(?:INSERT\s+(?:INTO|OVERWRITE)|CREATE\s+(?:OR\s+\w+\s+)?(?:TEMPORARY\s+)?(?:MATERIALIZED\s+)?(?:TABLE|VIEW)(?:\s+IF\s+NOT\s+EXISTS)?|DROP\s+(?:MATERIALIZED\s+)?(?:TABLE|VIEW)|DESCRIBE|DESC)\s+([`"\w.]+)/i.exec(words);
  const source = target ?? /\b(?:FROM|JOIN|TABLE|WHY|ANALYZE)\s+(?!TUMBLE|HOP|SESSION|CUMULATE)([`"\w.]+)/i.exec(words);
  const name = source?.[1]?.replace(/[`"]/g, '');
  return name ?? words.trim().split(/\s+/).slice(0, 2).join(' ').toLowerCase();
}

/** Names that the statements before this one make: what is not there yet is no error. */
export function madeBefore(statements: Statement[], chosen: Statement): Set<string> {
  const made = statements.filter((each) => each.to <= chosen.start && /^CREATE\b/i.test(each.text)).map((each) => titleOf(each.text));
  return new Set(made.map((name) => name.split('.').at(-1) ?? name));
}
