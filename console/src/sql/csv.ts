//! Rows as a file.

import type { Cell, Column } from '../wire/api';

function field(cell: Cell): string {
  if (cell === null) return '';
  const text = typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
  return /[",\r\n]/.test(text) || text === '' ? `"${text.replaceAll('"', '""')}"` : text;
}

/** RFC 4180; NULL is nothing, an empty text is `""`. */
export function csvOf(columns: Column[], rows: Cell[][]): string {
  return [columns.map((column) => field(column.name)), ...rows.map((row) => row.map(field))].map((line) => `${line.join(',')}\r\n`).join('');
}

export function save(name: string, text: string, type = 'text/csv'): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
