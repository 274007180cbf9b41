-- What BI tools and analysts send, each answered as PostgreSQL 15 answers it: a statement to its semicolon.

-- dates
SELECT date_trunc('month', ordered_at) AS month, count(*) AS orders, sum(price * quantity) AS revenue FROM orders GROUP BY 1 ORDER BY 1;
SELECT date_trunc('week', ordered_at) AS week, count(DISTINCT customer_id) FROM orders GROUP BY 1 ORDER BY 1;
SELECT extract(year FROM ordered_at) AS y, extract(month FROM ordered_at) AS m, count(*) FROM orders GROUP BY 1, 2 ORDER BY 1, 2;
SELECT extract(dow FROM day), extract(isodow FROM day), extract(doy FROM day), extract(week FROM day), extract(quarter FROM day) FROM orders ORDER BY order_id LIMIT 9;
SELECT extract(epoch FROM ordered_at), extract(hour FROM ordered_at), extract(minute FROM ordered_at), extract(second FROM ordered_at) FROM orders ORDER BY order_id LIMIT 5;
SELECT date_part('year', day), date_part('day', day) FROM orders ORDER BY order_id LIMIT 5;
SELECT to_char(ordered_at, 'YYYY-MM') AS month, count(*) FROM orders GROUP BY 1 ORDER BY 1;
SELECT to_char(ordered_at, 'DD Mon YYYY HH24:MI:SS'), to_char(ordered_at, 'Day, FMMonth DD'), to_char(ordered_at, 'Q IW IYYY') FROM orders ORDER BY order_id LIMIT 6;
SELECT day, day + 7, day - 1, day - DATE '2024-01-01' FROM orders ORDER BY order_id LIMIT 5;
SELECT ordered_at + INTERVAL '1 day', ordered_at - INTERVAL '2 hours 30 minutes', day + INTERVAL '1 month' FROM orders ORDER BY order_id LIMIT 5;
SELECT max(ordered_at) - min(ordered_at) AS span FROM orders;
SELECT age(TIMESTAMP '2024-03-15', TIMESTAMP '2023-01-31'), age(DATE '2024-02-29', DATE '2024-01-31');
SELECT date_trunc('hour', ordered_at), date_trunc('quarter', ordered_at), date_trunc('year', ordered_at) FROM orders ORDER BY order_id LIMIT 4;
SELECT make_date(2024, 2, 29), to_date('05 Mar 2024', 'DD Mon YYYY'), to_timestamp(0) AT TIME ZONE 'UTC';
SELECT INTERVAL '1 year 2 months', INTERVAL '3 days' * 2, INTERVAL '1 hour' + INTERVAL '30 minutes', justify_hours(INTERVAL '27 hours');
SELECT order_id FROM orders WHERE ordered_at >= '2024-02-01' AND ordered_at < '2024-03-01' ORDER BY 1;
SELECT order_id FROM orders WHERE day BETWEEN '2024-01-10' AND '2024-01-20' ORDER BY 1;
SELECT order_id, ordered_at::date, ordered_at::time FROM orders ORDER BY 1 LIMIT 4;
SELECT day::timestamp, day::text, ordered_at::text FROM orders ORDER BY order_id LIMIT 4;
SELECT count(*) FROM orders WHERE ordered_at::date = DATE '2024-01-05';

-- time zones
SELECT ordered_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin' FROM orders ORDER BY order_id LIMIT 3;
SELECT ordered_at AT TIME ZONE 'America/New_York' FROM orders ORDER BY order_id LIMIT 3;
SELECT TIMESTAMPTZ '2024-07-01 12:00:00+02', TIMESTAMP WITH TIME ZONE '2024-01-01 00:00:00Z';
SELECT timezone('Asia/Tokyo', TIMESTAMP '2024-07-01 12:00:00');
SELECT date_trunc('day', (ordered_at AT TIME ZONE 'UTC') AT TIME ZONE 'Asia/Kolkata') AS d, count(*) FROM orders GROUP BY 1 ORDER BY 1 LIMIT 5;

-- windows
SELECT order_id, row_number() OVER (PARTITION BY customer_id ORDER BY ordered_at) AS n FROM orders ORDER BY order_id;
SELECT order_id, rank() OVER (ORDER BY quantity DESC), dense_rank() OVER (ORDER BY quantity DESC) FROM orders ORDER BY order_id;
SELECT order_id, sum(quantity) OVER (ORDER BY order_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS running FROM orders ORDER BY order_id;
SELECT order_id, lag(quantity) OVER (ORDER BY order_id), lead(quantity, 2, 0) OVER (ORDER BY order_id) FROM orders ORDER BY order_id;
SELECT order_id, first_value(product) OVER w, last_value(product) OVER w FROM orders WINDOW w AS (PARTITION BY category ORDER BY order_id) ORDER BY order_id;
SELECT order_id, ntile(4) OVER (ORDER BY order_id) FROM orders ORDER BY order_id;
SELECT day, avg(quantity) OVER (ORDER BY order_id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM orders ORDER BY order_id LIMIT 8;
SELECT order_id, percent_rank() OVER (ORDER BY order_id), cume_dist() OVER (ORDER BY order_id) FROM orders ORDER BY order_id LIMIT 8;
SELECT customer_id, revenue, revenue / sum(revenue) OVER () AS share FROM (SELECT customer_id, sum(price * quantity) AS revenue FROM orders GROUP BY 1) t ORDER BY 1;
SELECT product, count(*) AS n, rank() OVER (ORDER BY count(*) DESC, product) FROM orders GROUP BY product ORDER BY 3;

-- CTEs and subqueries
WITH monthly AS (SELECT date_trunc('month', ordered_at) AS month, sum(quantity) AS q FROM orders GROUP BY 1) SELECT month, q, q - lag(q) OVER (ORDER BY month) AS change FROM monthly ORDER BY 1;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, i * i FROM n ORDER BY 1;
SELECT c.name, (SELECT count(*) FROM orders o WHERE o.customer_id = c.customer_id) AS orders FROM customers c ORDER BY c.name;
SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.customer_id AND o.quantity > 8) ORDER BY 1;
SELECT name FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM orders WHERE customer_id IS NOT NULL) ORDER BY 1;
SELECT category, product, n FROM (SELECT category, product, count(*) AS n, row_number() OVER (PARTITION BY category ORDER BY count(*) DESC, product) AS r FROM orders GROUP BY 1, 2) t WHERE r = 1 ORDER BY 1;
SELECT c.city, sum(o.price * o.quantity) FROM orders o JOIN customers c USING (customer_id) GROUP BY c.city ORDER BY 2 DESC, 1;
SELECT c.name, count(o.order_id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.paid GROUP BY c.name ORDER BY 2 DESC, 1;
SELECT 'orders' AS t, count(*) FROM orders UNION ALL SELECT 'customers', count(*) FROM customers ORDER BY 1;
SELECT city FROM customers EXCEPT SELECT 'Berlin' ORDER BY 1;

-- aggregates
SELECT count(*), count(discount), count(DISTINCT product), sum(quantity), avg(quantity), min(price), max(price) FROM orders;
SELECT category, count(*) FILTER (WHERE paid), count(*) FILTER (WHERE NOT paid), sum(quantity) FILTER (WHERE quantity > 3) FROM orders GROUP BY category ORDER BY category;
SELECT category, sum(CASE WHEN paid THEN quantity ELSE 0 END) AS paid, sum(CASE WHEN paid THEN 0 ELSE quantity END) AS open FROM orders GROUP BY 1 ORDER BY 1;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY quantity), percentile_disc(0.5) WITHIN GROUP (ORDER BY quantity) FROM orders;
SELECT category, percentile_cont(0.9) WITHIN GROUP (ORDER BY discount) FROM orders GROUP BY category ORDER BY category;
SELECT category, mode() WITHIN GROUP (ORDER BY product) FROM orders GROUP BY 1 ORDER BY 1;
SELECT customer_id, string_agg(product, ', ' ORDER BY order_id) FROM orders GROUP BY 1 ORDER BY 1;
SELECT category, array_agg(quantity ORDER BY order_id) FROM orders GROUP BY 1 ORDER BY 1;
SELECT category, array_agg(DISTINCT product ORDER BY product) FROM orders GROUP BY 1 ORDER BY 1;
SELECT bool_and(paid), bool_or(paid), every(quantity > 0) FROM orders;
SELECT stddev(quantity), stddev_pop(quantity), variance(quantity), var_pop(quantity) FROM orders;
SELECT corr(quantity, discount), covar_pop(quantity, discount), regr_slope(quantity, discount) FROM orders;
SELECT category, product, sum(quantity) FROM orders GROUP BY ROLLUP (category, product) ORDER BY 1 NULLS LAST, 2 NULLS LAST;
SELECT category, paid, count(*), grouping(category), grouping(paid) FROM orders GROUP BY GROUPING SETS ((category), (paid), ()) ORDER BY 1 NULLS LAST, 2 NULLS LAST;
SELECT category, count(*) AS n FROM orders GROUP BY category HAVING count(*) > 5 ORDER BY n DESC, category;
SELECT avg(order_id), sum(price), avg(price), sum(discount), avg(discount) FROM orders;

-- DISTINCT ON
SELECT DISTINCT ON (customer_id) customer_id, order_id, ordered_at FROM orders ORDER BY customer_id, ordered_at DESC, order_id;
SELECT DISTINCT ON (category) category, product, price FROM orders ORDER BY category, price DESC, product;
SELECT DISTINCT category, paid FROM orders ORDER BY 1, 2;

-- strings
SELECT upper(name), lower(name), length(name), initcap(lower(name)), reverse(name) FROM customers ORDER BY customer_id;
SELECT name || ' <' || email || '>', concat(name, '-', vip, '-', NULL), concat_ws('/', city, NULL, name) FROM customers ORDER BY customer_id;
SELECT left(name, 3), right(name, 2), substring(name FROM 2 FOR 3), substr(name, 2), position('a' IN name), strpos(name, 'a') FROM customers ORDER BY customer_id;
SELECT split_part(email, '@', 1), split_part(email, '@', 2), split_part(email, '@', -1) FROM customers ORDER BY customer_id;
SELECT lpad(customer_id::text, 5, '0'), rpad(name, 8, '.'), repeat('ab', 3), replace(email, '@', ' at '), translate(name, 'aeiou', '12345') FROM customers ORDER BY customer_id;
SELECT trim('  x '), ltrim('xxabc', 'x'), rtrim('abcxx', 'x'), trim(BOTH 'x' FROM 'xabcx'), btrim('--a--', '-');
SELECT name FROM customers WHERE name LIKE 'A%' OR name ILIKE '%r' ORDER BY 1;
SELECT name FROM customers WHERE lower(email) NOT LIKE '%example%' ORDER BY 1;
SELECT ascii('A'), chr(66), md5('abc'), encode('abc'::bytea, 'hex'), encode('abc'::bytea, 'base64');
SELECT format('%s has %s', name, city), quote_literal(name), quote_ident(name) FROM customers ORDER BY customer_id LIMIT 3;
SELECT starts_with(name, 'A'), char_length(name), octet_length(name), bit_length(name) FROM customers ORDER BY customer_id;
SELECT to_char(price, 'FM999,990.00'), to_char(quantity, '0000') FROM orders ORDER BY order_id LIMIT 5;

-- regular expressions
SELECT name FROM customers WHERE name ~ '^[A-C]' ORDER BY 1;
SELECT name FROM customers WHERE name ~* 'an' AND email !~ 'org$' ORDER BY 1;
SELECT regexp_replace(email, '@.*', ''), regexp_replace(name, '[aeiou]', '*', 'g') FROM customers ORDER BY customer_id;
SELECT regexp_matches('a1b22', '[0-9]+');
SELECT (regexp_match(email, '^([^@]+)@(.+)$'))[2] FROM customers ORDER BY customer_id;
SELECT substring(email FROM '@(.*)$'), regexp_count(email, 'e'), regexp_like(name, '^a', 'i') FROM customers ORDER BY customer_id;
SELECT regexp_split_to_array('a, b,c', ',\s*'), string_to_array('a,b,,c', ',');
SELECT name FROM customers WHERE name SIMILAR TO '(A|B)%' ORDER BY 1;

-- JSON
SELECT note::json ->> 'channel' AS channel, count(*) FROM orders GROUP BY 1 ORDER BY 1;
SELECT order_id, (note::jsonb -> 'items' ->> 0), note::jsonb #>> '{ship,country}' FROM orders ORDER BY 1 LIMIT 6;
SELECT order_id FROM orders WHERE (note::jsonb ->> 'score')::int > 5 ORDER BY 1;
SELECT order_id FROM orders WHERE note::jsonb ? 'ship' ORDER BY 1;
SELECT json_extract_path_text(note::json, 'ship', 'country'), json_array_length(note::json -> 'items') FROM orders ORDER BY order_id LIMIT 6;
SELECT count(*) FROM orders WHERE note::jsonb @> '{"channel": "web"}';
SELECT jsonb_typeof('{"a": 1}'::jsonb), jsonb_typeof('[1]'::jsonb), jsonb_build_object('a', 1, 'b', 'x'), json_build_array(1, 'a', NULL);

-- casts and conditions
SELECT '42'::int, 3.7::int, '1.50'::numeric, 1::boolean, 'yes'::boolean, 1.5::text, CAST('2024-01-05' AS date);
SELECT 7 / 2, 7 % 3, 7.0 / 2, 2 ^ 10, |/ 16, @ -5, -7 / 2, 1 / 3.0;
SELECT round(2.5), round(3.14159, 2), round(-2.5), ceil(1.2), floor(-1.2), trunc(2.789, 1), abs(-3), sign(-2), mod(7, 3), power(2, 3), sqrt(2);
SELECT coalesce(discount, 0), nullif(quantity, 1), greatest(quantity, 5), least(quantity, 5) FROM orders ORDER BY order_id LIMIT 8;
SELECT CASE WHEN quantity > 5 THEN 'many' WHEN quantity > 2 THEN 'some' ELSE 'few' END AS size, count(*) FROM orders GROUP BY 1 ORDER BY 1;
SELECT width_bucket(quantity, 0, 10, 5) AS bucket, count(*) FROM orders GROUP BY 1 ORDER BY 1;
SELECT 1 IS DISTINCT FROM NULL, NULL IS NULL, 1 = ANY(ARRAY[1, 2]), 3 <> ALL(ARRAY[1, 2]), 2 BETWEEN 1 AND 3;
SELECT order_id, price FROM orders WHERE price IN (9.99, 19.99) ORDER BY 1;
SELECT order_id FROM orders ORDER BY discount DESC NULLS LAST, order_id LIMIT 5 OFFSET 2;
SELECT order_id, discount FROM orders ORDER BY discount DESC, order_id LIMIT 5;
SELECT 1 AS "A", 'x' AS "b c", true, NULL, 1.5, 'y';

-- series and arrays
SELECT i::int FROM generate_series(1, 5) AS i;
SELECT n::int FROM (SELECT generate_series(1, 10, 3) AS n) t;
SELECT d::date, count(o.order_id) FROM generate_series(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-10', INTERVAL '1 day') AS d LEFT JOIN orders o ON o.day = d::date GROUP BY 1 ORDER BY 1;
SELECT unnest(ARRAY[3, 1, 2]) AS x ORDER BY 1;
SELECT array_length(ARRAY[1, 2, 3], 1), cardinality(ARRAY[1, 2]), ARRAY[1, 2] || 3, array_to_string(ARRAY['a', 'b'], '-'), (ARRAY['x', 'y'])[1];
SELECT tag, count(*) FROM (SELECT unnest(string_to_array(tags, ';')) AS tag FROM customers) t GROUP BY tag ORDER BY tag;
SELECT x.a, x.b FROM (VALUES (1, 'one'), (2, 'two')) AS x (a, b) ORDER BY 1;
