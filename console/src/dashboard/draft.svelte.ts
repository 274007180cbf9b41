//! A dashboard that is being edited: the text of its file with changes that were not saved. Clicks and the YAML view change the
//! same text. Saving names what was read; where the file is another one by then nothing is written, and the changes can be made there.

import { Conflict, dashboardFile, Refused, saveDashboard, type DashboardFile, type DashboardSpec, type Refusal } from '../wire/api';
import { apply, type Change } from './changes';
import { specOf } from './spec';
import { read } from './yaml';

export class Draft {
  readonly name: string;
  file = $state.raw<DashboardFile | null>(null);
  text = $state('');
  refusal = $state.raw<Refusal | null>(null);
  /** What is in the file instead of what was read. */
  conflict = $state.raw<{ there: DashboardFile | null } | null>(null);
  saving = $state(false);
  #changes: Change[] = [];
  #before = $state.raw<{ text: string; changes: Change[] }[]>([]);

  readonly #read = $derived(read(this.text));
  readonly error = $derived(this.#read.error);
  readonly spec: DashboardSpec | null = $derived.by(() => (this.#read.error ? null : specOf(this.#read.value, this.name)));
  readonly changed = $derived(this.file !== null && this.text !== this.file.text);
  readonly canUndo = $derived(this.#before.length > 0);

  constructor(name: string) {
    this.name = name;
  }

  async open(signal: AbortSignal): Promise<void> {
    try {
      this.file = await dashboardFile(this.name, signal);
      this.text = this.file.text;
    } catch (error) {
      if (error instanceof Refused) this.refusal = error.refusal;
      else if (!signal.aborted) this.refusal = { kind: 'external', message: 'no answer from the server: the file could not be read' };
    }
  }

  do(...changes: Change[]): void {
    const text = this.#applied(this.text, changes);
    if (text === null || text === this.text) return;
    // Letters that are typed one after the other are one step back.
    const last = this.#changes[this.#changes.length - 1];
    const typing = changes.length === 1 && changes[0]?.do === 'text' && last?.do === 'text' && this.#before.length > 0;
    if (!typing) this.#before = [...this.#before, { text: this.text, changes: this.#changes }].slice(-100);
    this.#changes = [...this.#changes, ...changes];
    this.text = text;
  }

  undo(): void {
    const last = this.#before[this.#before.length - 1];
    if (!last) return;
    this.#before = this.#before.slice(0, -1);
    this.#changes = last.changes;
    this.text = last.text;
    this.refusal = null;
  }

  /** Whether the file is written. */
  async save(): Promise<boolean> {
    if (!this.file || this.saving) return false;
    this.saving = true;
    this.refusal = null;
    try {
      this.#rest(await saveDashboard(this.name, this.text, this.file.tag));
      return true;
    } catch (error) {
      if (error instanceof Conflict) this.conflict = { there: error.there };
      else if (error instanceof Refused) this.refusal = error.refusal;
      else this.refusal = { kind: 'external', message: 'no answer from the server: nothing is known to be saved', hint: 'the changes are kept here; save again when the server is back' };
      return false;
    } finally {
      this.saving = false;
    }
  }

  /** The file as it is now, with the changes made anew in it; they are still to be saved. */
  replay(): void {
    const there = this.conflict?.there;
    if (!there) return;
    const text = this.#applied(there.text, this.#changes);
    if (text === null) return;
    this.#before = [];
    this.file = there;
    this.text = text;
    this.conflict = null;
  }

  get replayable(): boolean {
    return this.conflict?.there != null && this.#changes.every((change) => change.do !== 'text');
  }

  takeTheirs(): void {
    const there = this.conflict?.there;
    this.conflict = null;
    if (there) this.#rest(there);
  }

  #rest(file: DashboardFile): void {
    this.file = file;
    this.text = file.text;
    this.#changes = [];
    this.#before = [];
    this.conflict = null;
  }

  #applied(text: string, changes: Change[]): string | null {
    try {
      const next = changes.reduce(apply, text);
      this.refusal = null;
      return next;
    } catch (error) {
      this.refusal = { kind: 'user', message: error instanceof Error ? error.message : String(error), hint: 'the YAML view shows the whole text' };
      return null;
    }
  }
}
