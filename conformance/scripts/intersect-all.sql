-- INTERSECT ALL of constants.
-- compare: multiset (which side comes first is not determined)

SELECT x FROM (VALUES (1), (2), (2), (3)) AS a(x) INTERSECT ALL SELECT y FROM (VALUES (2)) AS b(y);
