//! The guides of docs/ as modules: `virtual:guides` lists them with their headings, `virtual:guide/NAME` is one of them. A link
//! between two files leads from screen to screen; one to a file that is no guide is its text alone.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';
import { read, type Guide, type Resolve } from './markdown';

/** What is shown, in the order of somebody who begins. */
export const GROUPS: [string, string[]][] = [
  ['Begin', ['getting-started.md', 'projects.md', 'guides/flink-users.md']],
  ['Rows in and out', ['guides/http.md', 'guides/postgres.md', 'guides/kafka.md', 'guides/files.md', 'connectors.md', 'doors.md', 'clients.md']],
  ['Watch', ['guides/dashboards.md', 'guides/alerts.md', 'metrics.md']],
  ['SQL', ['sql.md', 'flink-differences.md', 'errors.md']],
  ['Operate', ['operations.md', 'security.md', 'backup.md', 'limits.md', 'reliability.md']],
];

const FILES = GROUPS.flatMap(([, files]) => files);
export const nameOf = (file: string) => (file.split('/').pop() ?? file).replace(/\.md$/, '');

/** A link of `file` as an address of the console. */
export function resolver(file: string): Resolve {
  return (link) => {
    if (/^https?:/.test(link)) return link;
    const [path = '', hash] = link.split('#');
    const target = path === '' ? file : new URL(path, `file:///${file}`).pathname.slice(1);
    if (target === 'guides' || target === 'README.md') return '/docs';
    return FILES.includes(target) ? `/docs/${nameOf(target)}${hash === undefined ? '' : `#${hash}`}` : null;
  };
}

/** `docs`: the folder. */
export const guideOf = (docs: string, file: string): Guide => read(readFileSync(join(docs, file), 'utf8'), resolver(file));

/** The first sentence, for the list. */
function lead(guide: Guide): string {
  const first = guide.pieces.find((piece) => 'html' in piece && piece.html.includes('<p>'));
  const text = first && 'html' in first ? (/<p>(.*?)<\/p>/s.exec(first.html)?.[1] ?? '') : '';
  const bare = text.replace(/<[^>]*>/g, '').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;/g, '"').replace(/&amp;/g, '&');
  return /^.*?[.:](?= |$)/.exec(bare)?.[0].replace(/:$/, '.') ?? bare;
}

export function guides(): Plugin {
  const LIST = 'virtual:guides';
  const ONE = 'virtual:guide/';
  let docs = '../docs';
  return {
    name: 'arus-guides',
    configResolved: (config) => {
      docs = join(config.root, '../docs');
    },
    resolveId: (id) => (id === LIST || id.startsWith(ONE) ? `\0${id}` : undefined),
    load(id) {
      if (id === `\0${LIST}`) {
        const entry = (file: string) => {
          const guide = guideOf(docs, file);
          return { name: nameOf(file), title: guide.title, lead: lead(guide), headings: guide.headings.filter((heading) => heading.level === 2) };
        };
        const groups = GROUPS.map(([title, files]) => ({ title, guides: files.map(entry) }));
        FILES.forEach((file) => this.addWatchFile(join(docs, file)));
        const loads = FILES.map((file) => `${JSON.stringify(nameOf(file))}: () => import(${JSON.stringify(ONE + nameOf(file))})`);
        return `export const groups = ${JSON.stringify(groups)};\nexport const loads = {${loads.join(', ')}};`;
      }
      const file = FILES.find((each) => id === `\0${ONE}${nameOf(each)}`);
      if (file === undefined) return undefined;
      this.addWatchFile(join(docs, file));
      return `export default ${JSON.stringify(guideOf(docs, file))};`;
    },
  };
}
