//! Order of a table's rows: by one column, what is unknown always last.

export interface Sort<K extends string> {
  key: K;
  direction: 'ascending' | 'descending';
}

export function sorted<T>(rows: readonly T[], value: (row: T) => number | string | null, direction: 'ascending' | 'descending'): T[] {
  const sign = direction === 'ascending' ? 1 : -1;
  return [...rows].sort((a, b) => {
    const x = value(a);
    const y = value(b);
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    if (typeof x === 'string' || typeof y === 'string') return sign * String(x).localeCompare(String(y), 'en', { numeric: true });
    return sign * (x - y);
  });
}

/** An order as it stands in the address: `busy`, or `-busy` for the largest first. */
export const sortText = <K extends string>(sort: Sort<K>): string => `${sort.direction === 'descending' ? '-' : ''}${sort.key}`;

export function sortOf<K extends string>(text: string | null, keys: K[], otherwise: Sort<K>): Sort<K> {
  const key = keys.find((each) => each === text?.replace(/^-/, ''));
  return key === undefined ? otherwise : { key, direction: text?.startsWith('-') ? 'descending' : 'ascending' };
}
