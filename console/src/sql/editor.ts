//! The editor of SQL. The only file that knows CodeMirror: words are completed and explained by the server.

import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, toggleComment } from '@codemirror/commands';
import { EditorState, RangeSetBuilder, StateEffect, StateField, type Extension, type Text } from '@codemirror/state';
import { Decoration, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, hoverTooltip, keymap, lineNumbers, placeholder, ViewPlugin, WidgetType, type DecorationSet, type Tooltip, type ViewUpdate } from '@codemirror/view';
import { tokens } from '../parts/sql';
import { complete, type Suggestion } from '../wire/api';

/** An error at its place in the text. */
export interface Mark {
  from: number;
  to: number;
  /** Its place in words: `12:51`. */
  at: string;
  message: string;
  hint: string;
  /** What to put there instead, and what it takes the place of. */
  fix: { text: string; from: number; to: number } | null;
}

export interface Keys {
  preview: () => void;
  run: () => void;
  cancel: () => boolean;
}

// ---- colours

function coloured(text: string): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  let at = 0;
  for (const token of tokens(text)) {
    if (token.kind !== 'plain') builder.add(at, at + token.text.length, COLOURS[token.kind]);
    at += token.text.length;
  }
  return builder.finish();
}

const colour = (name: string) => Decoration.mark({ class: `sql-${name}` });
const COLOURS = { keyword: colour('keyword'), string: colour('string'), number: colour('number'), comment: colour('comment') };

const colours = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = coloured(view.state.doc.toString());
    }
    update(update: ViewUpdate) {
      if (update.docChanged) this.decorations = coloured(update.state.doc.toString());
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

// ---- errors

const setMarks = StateEffect.define<Mark[]>();

class Note extends WidgetType {
  readonly mark: Mark;
  constructor(mark: Mark) {
    super();
    this.mark = mark;
  }
  override eq(other: Note): boolean {
    return JSON.stringify(other.mark) === JSON.stringify(this.mark);
  }
  override toDOM(view: EditorView): HTMLElement {
    // The editor measures the outer box: its space is padding, never a margin.
    const outer = document.createElement('div');
    outer.className = 'sql-room';
    const box = document.createElement('div');
    box.className = 'sql-note';
    box.dataset['testid'] = 'sql-error';
    outer.append(box);
    const words = document.createElement('span');
    const at = document.createElement('b');
    at.textContent = this.mark.at;
    words.append(at, ` ${this.mark.message}${this.mark.hint ? '. ' : ''}`);
    const hint = document.createElement('span');
    hint.className = 'sec';
    hint.textContent = this.mark.hint;
    words.append(hint);
    box.append(words);
    const { fix } = this.mark;
    if (fix) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'btn sm';
      button.textContent = `Change to ${fix.text}`;
      button.onclick = () => {
        view.dispatch({ changes: { from: fix.from, to: fix.to, insert: fix.text }, userEvent: 'input' });
        view.focus();
      };
      box.append(button);
    }
    return outer;
  }
  override ignoreEvent(): boolean {
    return true;
  }
}

function marked(marks: Mark[], doc: Text): DecorationSet {
  const ranges = marks.flatMap((mark) => {
    const from = Math.min(mark.from, doc.length);
    const to = Math.min(Math.max(mark.to, from), doc.length);
    const note = Decoration.widget({ widget: new Note(mark), block: true, side: 1 }).range(doc.lineAt(from).to);
    return to > from ? [Decoration.mark({ class: 'sql-error' }).range(from, to), note] : [note];
  });
  return Decoration.set(ranges, true);
}

const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(set, transaction) {
    for (const effect of transaction.effects) if (effect.is(setMarks)) return marked(effect.value, transaction.newDoc);
    return set.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

// ---- completion and hover, from the server

/** A list this long was cut: it is asked for anew as the word grows. */
const CUT = 60;
const KINDS: Record<string, string> = { table: 'table', view: 'table', column: 'column', function: 'function', keyword: 'keyword' };

async function completions(context: CompletionContext): Promise<CompletionResult | null> {
  const before = context.state.sliceDoc(0, context.pos);
  const word = /[\w`.$]*$/.exec(before)?.[0] ?? '';
  if (!context.explicit && word === '') return null;
  const flight = new AbortController();
  context.addEventListener('abort', () => flight.abort());
  const answer = await complete(before, context.state.sliceDoc(context.pos), flight.signal).catch(() => null);
  if (!answer || answer.suggestions.length === 0) return null;
  const options = answer.suggestions.map((each, i): Completion => ({ label: each.text, type: KINDS[each.kind] ?? 'keyword', detail: each.detail, boost: -i / 2, ...(each.kind === 'function' ? { apply: called } : {}) }));
  const from = context.pos - [...before].slice(-answer.replace).join('').length * (answer.replace > 0 ? 1 : 0);
  return { from, options, ...(answer.suggestions.length < CUT ? { validFor: /^[\w`$]*$/ } : {}) };
}

// A function comes with its parentheses, and the cursor between them.
function called(view: EditorView, completion: Completion, from: number, to: number): void {
  const open = view.state.sliceDoc(to, to + 1) === '(';
  const insert = open ? completion.label : `${completion.label}()`;
  view.dispatch({ changes: { from, to, insert }, selection: { anchor: from + completion.label.length + 1 }, userEvent: 'input.complete' });
}

export type Explain = (word: string) => { title: string; lines: string[] } | null;

async function explained(view: EditorView, place: number, tables: Explain): Promise<Tooltip | null> {
  const line = view.state.doc.lineAt(place);
  const at = place - line.from;
  const word = [...line.text.matchAll(/[A-Za-z_][\w$]*/g)].find((match) => match.index <= at && at <= match.index + match[0].length);
  if (!word) return null;
  const from = line.from + word.index;
  const to = from + word[0].length;
  const table = tables(word[0]);
  const same = (each: Suggestion) => each.text.replaceAll('`', '').toUpperCase() === word[0].toUpperCase();
  const answer = table ? null : await complete(view.state.sliceDoc(0, to), view.state.sliceDoc(to), AbortSignal.timeout(5_000)).catch(() => null);
  const found = answer?.suggestions.filter(same).find((each) => each.detail || each.kind !== 'keyword');
  if (!table && !found) return null;
  const title = table?.title ?? `${found?.text ?? ''}, ${found?.kind ?? ''}`;
  const lines = table?.lines ?? (found?.detail ?? '').split(', ' + (found?.text ?? '')).map((text, i) => (i === 0 ? text : `${found?.text ?? ''}${text}`)).filter(Boolean);
  return {
    pos: from,
    end: to,
    create() {
      const dom = document.createElement('div');
      dom.className = 'sql-hover';
      dom.dataset['testid'] = 'sql-hover';
      const head = document.createElement('b');
      head.textContent = title;
      dom.append(head);
      for (const text of lines) {
        const row = document.createElement('code');
        row.textContent = text;
        dom.append(row);
      }
      return { dom };
    },
  };
}

// ---- the whole

const look = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--panel)', color: 'var(--ink)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { font: 'var(--m13)', fontVariantLigatures: 'none', overflow: 'auto' },
  '.cm-content': { padding: '12px 0', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 16px 0 0' },
  '.cm-gutters': { backgroundColor: 'var(--panel)', color: 'var(--secondary)', border: '0', minWidth: '44px' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 14px 0 8px', minWidth: '44px' },
  '.cm-activeLine': { backgroundColor: 'transparent' },
  '&.cm-focused .cm-activeLine': { backgroundColor: 'var(--sunken)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--ink)' },
  '&.cm-focused .cm-activeLineGutter': { backgroundColor: 'var(--sunken)', boxShadow: 'inset 2px 0 0 var(--accent)' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': { background: 'var(--heat-1)' },
  '.cm-placeholder': { color: 'var(--secondary)' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', border: '1px solid var(--edge)', borderRadius: 'var(--radius)', color: 'var(--ink)' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { font: 'var(--m12)', maxHeight: '280px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '0 8px', lineHeight: '24px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { background: 'var(--accent-wash)', color: 'var(--ink)', boxShadow: 'inset 2px 0 0 var(--accent)' },
  '.cm-completionDetail': { color: 'var(--secondary)', fontStyle: 'normal', marginLeft: '16px' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '500', color: 'var(--accent)' },
});

export interface Editor {
  text: () => string;
  /** Where the cursor is. */
  place: () => number;
  /** The selected text's range, or null. */
  selection: () => { from: number; to: number } | null;
  replace: (text: string) => void;
  insert: (text: string) => void;
  change: (from: number, to: number, text: string) => void;
  mark: (marks: Mark[]) => void;
  goTo: (place: number) => void;
  focus: () => void;
  destroy: () => void;
}

export function edit(parent: HTMLElement, text: string, keys: Keys, tables: Explain, changed: (text: string) => void, moved: () => void): Editor {
  const run = (act: () => void) => () => {
    act();
    return true;
  };
  const extensions: Extension = [
    lineNumbers(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    history(),
    drawSelection(),
    EditorView.lineWrapping,
    closeBrackets(),
    EditorState.languageData.of(() => [{ commentTokens: { line: '--' }, closeBrackets: { brackets: ['(', '[', "'", '`'] } }]),
    autocompletion({ override: [completions], icons: false, maxRenderedOptions: CUT }),
    hoverTooltip((view, place) => explained(view, place, tables)),
    colours,
    marks,
    look,
    placeholder('SELECT ..'),
    EditorView.contentAttributes.of({ 'aria-label': 'SQL', 'aria-multiline': 'true', spellcheck: 'false', autocapitalize: 'off' }),
    keymap.of([
      { key: 'Mod-Enter', run: run(keys.preview) },
      { key: 'Mod-Shift-Enter', run: run(keys.run) },
      { key: 'Mod-/', run: toggleComment },
      { key: 'Tab', run: acceptCompletion },
      ...closeBracketsKeymap,
      ...completionKeymap,
      ...historyKeymap,
      ...defaultKeymap,
      { key: 'Escape', run: keys.cancel },
    ]),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) changed(update.state.doc.toString());
      if (update.docChanged || update.selectionSet) moved();
    }),
  ];
  const view = new EditorView({ parent, state: EditorState.create({ doc: text, extensions }) });
  return {
    text: () => view.state.doc.toString(),
    place: () => view.state.selection.main.head,
    selection: () => (view.state.selection.main.empty ? null : { from: view.state.selection.main.from, to: view.state.selection.main.to }),
    replace: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next }, selection: { anchor: next.length } }),
    insert(words) {
      view.dispatch(view.state.replaceSelection(words));
      view.focus();
    },
    change: (from, to, words) => view.dispatch({ changes: { from, to, insert: words } }),
    mark: (list) => view.dispatch({ effects: setMarks.of(list) }),
    goTo(place) {
      view.dispatch({ selection: { anchor: Math.min(place, view.state.doc.length) }, scrollIntoView: true });
      view.focus();
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
