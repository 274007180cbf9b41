//! The text of EXPLAIN as sections and indented lines.

export interface PlanLine {
  depth: number;
  name: string;
  rest: string;
}

export interface Section {
  title: string;
  lines: PlanLine[];
  folded: boolean;
}

const FOLDED = /^(Abstract Syntax Tree|Optimized Physical Plan)/;

export function sections(text: string): Section[] {
  const found: Section[] = [];
  for (const line of text.split('\n')) {
    const title = /^== (.+) ==$/.exec(line)?.[1];
    if (title) found.push({ title, lines: [], folded: FOLDED.test(title) });
    else if (line.trim()) (found.at(-1) ?? add(found)).lines.push(lineOf(line));
  }
  // What runs stands first.
  return found.sort((a, b) => Number(a.folded) - Number(b.folded));
}

function add(found: Section[]): Section {
  const section = { title: 'Plan', lines: [], folded: false };
  found.push(section);
  return section;
}

function lineOf(line: string): PlanLine {
  const [, lead = '', words = ''] = /^([\s:|]*(?:\+- )?)(.*)$/.exec(line) ?? [];
  const name = /^[A-Za-z]\w*(?=\()/.exec(words)?.[0] ?? '';
  return { depth: Math.ceil(lead.length / 3), name, rest: words.slice(name.length) };
}
