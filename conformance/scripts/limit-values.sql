-- VALUES as a query and in FROM with column aliases, with LIMIT.

VALUES (1, 'a'), (2, 'bb'), (CAST(NULL AS INT), 'c');
SELECT y, x + 1 FROM (VALUES (1, 'a'), (2, 'bb'), (3, 'c')) AS v(x, y) LIMIT 2;
