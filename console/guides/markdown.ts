//! Markdown as docs/ writes it, to pieces of HTML and code: headings, paragraphs, lists of one level, tables, code, links.

/** Something between two headings: HTML of our own making, or code as it was written. */
export type Piece = { html: string } | { code: string; lang: string };
export interface Heading { level: number; text: string; slug: string }
export interface Guide { title: string; pieces: Piece[]; headings: Heading[] }

/** Where a link of a file leads: an address in the console, or nowhere (then its text stands alone). */
export type Resolve = (link: string) => string | null;

const escape = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

/** The name of a heading in an address, as the forges make it. */
export const slug = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');

const plain = (text: string) => text.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '');

export function inline(text: string, resolve: Resolve): string {
  const parts = text.split(/(``.+?``|`[^`]+`)/);
  const words = (part: string) => escape(part)
    .replace(/!?\[([^\]]*)\]\(([^)\s]+)\)/g, (_, label: string, link: string) => {
      const to = resolve(link);
      return to === null ? label : `<a href="${to}">${label}</a>`;
    })
    .replace(/\*\*(.+?)\*\*/g, '<strong>$1</strong>')
    .replace(/(^|[\s(])\*([^*\s][^*]*)\*/g, '$1<em>$2</em>');
  // A link may have code as its text: its parts are joined before links are read.
  const kept: string[] = [];
  const joined = parts.map((part, i) => {
    if (i % 2 === 0) return part;
    kept.push(`<code>${escape(part.replace(/^`+ ?| ?`+$/g, ''))}</code>`);
    return `\u0000${kept.length - 1}\u0000`;
  }).join('');
  return words(joined).replace(/\u0000(\d+)\u0000/g, (_, at: string) => kept[Number(at)] ?? '');
}

const cells = (line: string) => line.replace(/^\||\|\s*$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, '|'));

export function read(text: string, resolve: Resolve): Guide {
  const lines = text.replace(/<!--.*?-->/gs, '').split('\n');
  const guide: Guide = { title: '', pieces: [], headings: [] };
  let html = '';
  let at = 0;
  const code = (lang: string, all: string[]) => {
    if (html) guide.pieces.push({ html });
    html = '';
    guide.pieces.push({ code: all.join('\n'), lang });
  };
  const take = (goes: (line: string) => boolean) => {
    const from = at;
    while (at < lines.length && goes(lines[at] ?? '')) at += 1;
    return lines.slice(from, at);
  };
  const starts = (line: string) => /^(#{1,4} |```|\||[-*] |\d+\. )/.test(line);
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const heading = /^(#{1,4}) (.*)$/.exec(line);
    if (line.trim() === '') at += 1;
    else if (heading) {
      const [level, words] = [(heading[1] ?? '').length, heading[2] ?? ''];
      at += 1;
      if (level === 1) { guide.title = plain(words); continue; }
      const found = { level, text: plain(words), slug: slug(plain(words)) };
      guide.headings.push(found);
      html += `<h${level} id="${found.slug}">${inline(words, resolve)}</h${level}>`;
    } else if (line.startsWith('```')) {
      at += 1;
      const all = take((each) => !each.startsWith('```'));
      at += 1;
      code(line.slice(3).trim().split(' ')[0] ?? '', all);
    } else if (line.startsWith('    ')) {
      code('', take((each) => each.startsWith('    ') || each.trim() === '').join('\n').trimEnd().split('\n').map((each) => each.slice(4)));
    } else if (line.startsWith('|')) {
      const [head = '', , ...rows] = take((each) => each.startsWith('|'));
      const row = (each: string, tag: string) => `<tr>${cells(each).map((cell) => `<${tag}>${inline(cell, resolve)}</${tag}>`).join('')}</tr>`;
      html += `<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead>${row(head, 'th')}</thead><tbody>${rows.map((each) => row(each, 'td')).join('')}</tbody></table></div>`;
    } else if (/^([-*]|\d+\.) /.test(line)) {
      const tag = /^\d/.test(line) ? 'ol' : 'ul';
      const items: string[] = [];
      // A line that goes on with an item stands under its text.
      for (const each of take((next) => /^([-*]|\d+\.) /.test(next) || /^ +\S/.test(next) || (next.trim() !== '' && !starts(next)))) {
        if (/^([-*]|\d+\.) /.test(each)) items.push(each.replace(/^([-*]|\d+\.) /, ''));
        else items.push(`${items.pop() ?? ''} ${each.trim()}`);
      }
      html += `<${tag}>${items.map((item) => `<li>${inline(item, resolve)}</li>`).join('')}</${tag}>`;
    } else {
      at += 1;
      html += `<p>${inline([line, ...take((next) => next.trim() !== '' && !starts(next))].join(' '), resolve)}</p>`;
    }
  }
  if (html) guide.pieces.push({ html });
  return guide;
}
