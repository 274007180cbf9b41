//! Colours for SQL text. Only for the eye: it never decides anything.

export interface Token {
  kind: 'plain' | 'keyword' | 'string' | 'number' | 'comment';
  text: string;
}

const KEYWORDS = new Set(
  ('ADD ALL ALTER AND ANY ARRAY AS ASC BEGIN BETWEEN BIGINT BINARY BOOLEAN BY BYTES CASE CAST CHAR COMMENT CREATE DATABASE DATE DAY DECIMAL DESC DESCRIPTOR DISTINCT ' +
    'DISTRIBUTED DOUBLE DROP ELSE END ENFORCED ESCAPE EXECUTE EXISTS EXPLAIN FALSE FLOAT FOR FROM FULL GROUP HAVING HOUR IF IN INNER INSERT INT INTEGER INTERVAL INTO IS JOIN ' +
    'KEY LEFT LIKE LIMIT MAP MATERIALIZED METADATA MINUTE MONTH NOT NULL NUMERIC ON OR ORDER OUTER OVER PARTITION PRECISION PRIMARY REPLACE RIGHT ROW ROWS SECOND SELECT SET ' +
    'SMALLINT STATEMENT STRING TABLE TEMPORARY THEN TIME TIMESTAMP TIMESTAMP_LTZ TINYINT TRUE TUMBLE HOP CUMULATE UNION UPDATE USING VALUES VARCHAR VARBINARY VIEW VIRTUAL WATERMARK ' +
    'WHEN WHERE WITH WITHOUT YEAR ZONE SESSION SHOW TABLES TIMESTAMPDIFF DESCRIBE WHY ANALYZE CROSS LATERAL UNNEST OFFSET EXCEPT INTERSECT DROP RESET USE RENAME SUSPEND RESUME REPLAY QUARANTINE LATE FRESHNESS INTERVAL ALERT SEVERITY RESOLVE AFTER SUMMARY RUNBOOK NOTIFY REPEAT SILENCE UNSILENCE').split(' '),
);

const PATTERN = /(--[^\n]*|\/\*[\s\S]*?\*\/)|('(?:[^']|'')*')|(\b\d+(?:\.\d+)?\b)|([A-Za-z_][A-Za-z0-9_]*)|(`(?:[^`]|``)*`|"(?:[^"]|"")*")/g;

export function tokens(sql: string): Token[] {
  const result: Token[] = [];
  let end = 0;
  const push = (kind: Token['kind'], text: string) => {
    const last = result[result.length - 1];
    if (kind === 'plain' && last?.kind === 'plain') last.text += text;
    else if (text) result.push({ kind, text });
  };
  for (const match of sql.matchAll(PATTERN)) {
    push('plain', sql.slice(end, match.index));
    const [whole, comment, string, number, word] = match;
    if (comment) push('comment', whole);
    else if (string) push('string', whole);
    else if (number) push('number', whole);
    else push(word && (KEYWORDS.has(word.toUpperCase()) || sql[match.index + whole.length] === '(') ? 'keyword' : 'plain', whole);
    end = match.index + whole.length;
  }
  push('plain', sql.slice(end));
  return result;
}
