-- Column and table names are case-sensitive: two columns differ by case alone; keywords and functions are not.

CREATE TABLE source (a INT, A INT, `i` INT, s STRING, S STRING) WITH ('connector' = 'filesystem', 'path' = 'data/loose.json', 'format' = 'json', 'json.ignore-parse-errors' = 'true');
create table OUT_1 (a int, b string, C string) with ('connector' = 'print');
insert into OUT_1 select `i`, Upper(s), S from source where `i` is not null or S is not null;
