// pgx: binary parameters and rows, its type map, batches, copy out, errors.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

func main() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, "postgres://arus@127.0.0.1:"+os.Getenv("PGPORT")+"/arus?sslmode=disable")
	if err != nil {
		fmt.Println("connect:", err)
		os.Exit(1)
	}
	defer conn.Close(ctx)
	rows := func(sql string, args ...any) (any, error) {
		found, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return nil, err
		}
		all := []any{}
		for found.Next() {
			values, err := found.Values()
			if err != nil {
				return nil, err
			}
			all = append(all, values)
		}
		return all, found.Err()
	}
	check := func(name string, found any, err error) {
		if err != nil {
			fmt.Printf("%s: ! %v\n", name, err)
			return
		}
		fmt.Printf("%s: %v\n", name, found)
	}
	one := func(name, sql string, args ...any) {
		found, err := rows(sql, args...)
		check(name, found, err)
	}
	one("types", "SELECT id, customer, qty, price, ok, day, ts, tags, raw, small, f FROM orders ORDER BY id")
	one("numeric", "SELECT amount::text FROM orders ORDER BY id")
	one("parameters", "SELECT id FROM orders WHERE id = $1 AND customer = $2 AND ok = $3", int64(1), "ada", true)
	one("float", "SELECT id FROM orders WHERE price = $1", 1.5)
	one("time", "SELECT id FROM orders WHERE tz <= $1 ORDER BY id", time.Unix(0, 0))
	one("array", "SELECT id FROM orders WHERE id = ANY($1) ORDER BY id", []int64{1, 3})
	one("cast", "SELECT $1::int, $2::text, $3::bool", 1, "x", false)
	one("limit", "SELECT id FROM orders ORDER BY id LIMIT $1", 2)
	one("simple protocol", "SELECT id FROM orders WHERE customer = $1", pgx.QueryExecModeSimpleProtocol, "bob")
	one("described each time", "SELECT id FROM orders WHERE id = $1", pgx.QueryExecModeDescribeExec, 2)
	one("undescribed", "SELECT id FROM orders WHERE id = $1", pgx.QueryExecModeExec, 2)
	batch := &pgx.Batch{}
	batch.Queue("SELECT count(*) FROM orders")
	batch.Queue("SELECT max(id) FROM orders WHERE id < $1", 3)
	results := conn.SendBatch(ctx, batch)
	var count, max int64
	err = results.QueryRow().Scan(&count)
	if err == nil {
		err = results.QueryRow().Scan(&max)
	}
	check("batch", []int64{count, max}, err)
	check("batch closed", "", results.Close())
	var out bytes.Buffer
	_, err = conn.PgConn().CopyTo(ctx, &out, "COPY (SELECT id, customer FROM orders ORDER BY id) TO STDOUT")
	check("copy", fmt.Sprintf("%q", out.String()), err)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err == nil {
		err = tx.QueryRow(ctx, "SELECT count(*) FROM orders").Scan(&count)
	}
	if err == nil {
		err = tx.Commit(ctx)
	}
	check("transaction", count, err)
	one("error", "SELECT nope FROM orders")
	one("after the error", "SELECT 1")
	written := []any{}
	do := func(sql string, args ...any) {
		if tag, failed := conn.Exec(ctx, sql, args...); failed != nil {
			err = failed
		} else {
			written = append(written, tag.String())
		}
	}
	err = nil
	do("INSERT INTO orders (id, customer, qty, price, ok, tz, tags, \"raw\") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", 10, "it's", 7, 2.5, true, time.Unix(0, 0), []string{"a", "'"}, []byte{0, 39})
	do("UPDATE orders SET customer = $1, qty = qty + $2 WHERE id = $3", "x", 1, 10)
	if read, failed := rows("SELECT customer, qty, price, ok, tags, raw FROM orders WHERE id = $1", 10); failed == nil {
		written = append(written, read)
	}
	do("DELETE FROM orders WHERE id = $1", 10)
	check("written", written, err)
	// It asks the server to cancel, and closes the connection.
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	_, err = conn.Exec(short, "SELECT sum(a.i * b.i) FROM generate_series(1, 20000000) AS a (i), generate_series(1, 20000000) AS b (i)")
	cancel()
	check("context", "", err)
}
