import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

/** pgjdbc: metadata as BI tools ask for it, server-prepared statements, fetch size, types both ways, errors. */
public class Report {
    static Connection connection;

    interface Check { Object run() throws Exception; }

    static void check(String name, Check check) {
        try {
            System.out.println(name + ": " + check.run());
        } catch (SQLException e) {
            try { if (!connection.getAutoCommit()) { connection.rollback(); connection.setReadOnly(false); connection.setAutoCommit(true); } } catch (SQLException ignored) { System.out.println(ignored); }
            System.out.println(name + ": ! " + e.getClass().getSimpleName() + " " + e.getSQLState() + " " + e.getMessage().lines().findFirst().orElse(""));
        } catch (Exception e) {
            System.out.println(name + ": ! " + e);
        }
    }

    static List<String> rows(ResultSet rows, int... columns) throws SQLException {
        List<String> all = new ArrayList<>();
        while (rows.next()) {
            List<String> row = new ArrayList<>();
            if (columns.length == 0) columns = java.util.stream.IntStream.rangeClosed(1, rows.getMetaData().getColumnCount()).toArray();
            for (int column : columns) row.add(rows.getString(column));
            all.add(String.join("|", row.stream().map(String::valueOf).toList()));
        }
        rows.close();
        return all;
    }

    static List<String> query(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
            return rows(statement.executeQuery());
        }
    }

    public static void main(String[] args) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        Properties properties = new Properties();
        properties.put("user", "arus");
        connection = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/arus", properties);
        DatabaseMetaData meta = connection.getMetaData();
        check("product", () -> meta.getDatabaseProductName() + " " + meta.getDatabaseProductVersion());
        check("catalogs", () -> rows(meta.getCatalogs()));
        check("schemas", () -> rows(meta.getSchemas(), 1));
        // The system tables are the server's own affair.
        check("tables", () -> rows(meta.getTables(null, null, "%", new String[] {"TABLE", "VIEW", "MATERIALIZED VIEW"}), 2, 3, 4, 5).stream().filter(row -> !row.startsWith("arus|")).toList());
        check("tables, public", () -> rows(meta.getTables("arus", "public", "ord%", null), 2, 3, 4));
        check("table types", () -> rows(meta.getTableTypes()).contains("TABLE"));
        check("columns", () -> rows(meta.getColumns(null, "public", "orders", "%"), 4, 5, 6, 7, 9, 11, 12, 17, 18));
        check("primary keys", () -> rows(meta.getPrimaryKeys(null, "public", "orders"), 3, 4, 5, 6));
        check("indexes", () -> rows(meta.getIndexInfo(null, "public", "orders", false, false), 3, 4, 6, 9));
        check("imported keys", () -> rows(meta.getImportedKeys(null, "public", "orders")));
        check("exported keys", () -> rows(meta.getExportedKeys(null, "public", "orders")));
        check("cross reference", () -> rows(meta.getCrossReference(null, "public", "orders", null, "public", "events")));
        check("best row", () -> rows(meta.getBestRowIdentifier(null, "public", "orders", 0, true), 2));
        check("procedures", () -> rows(meta.getProcedures(null, "public", "%")));
        check("functions", () -> rows(meta.getFunctions(null, "public", "%")));
        check("types", () -> rows(meta.getTypeInfo(), 1).contains("int8"));
        check("privileges", () -> rows(meta.getTablePrivileges(null, "public", "events"), 3).size() >= 0);
        check("user", () -> meta.getUserName() + " " + meta.getMaxColumnNameLength() + " " + meta.getIdentifierQuoteString());
        check("limits", () -> meta.getMaxConnections() + " " + meta.supportsTransactions());
        check("result metadata", () -> {
            try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM orders WHERE id = ?")) {
                ResultSetMetaData columns = statement.getMetaData();
                List<String> all = new ArrayList<>();
                for (int i = 1; i <= columns.getColumnCount(); i++) {
                    all.add(columns.getColumnName(i) + " " + columns.getColumnTypeName(i) + " " + columns.getPrecision(i) + "," + columns.getScale(i) + " " + columns.getColumnClassName(i));
                }
                return all + " parameters " + statement.getParameterMetaData().getParameterTypeName(1);
            }
        });
        check("rows", () -> query("SELECT * FROM orders ORDER BY id"));
        check("parameters", () -> query("SELECT id FROM orders WHERE id = ? AND customer = ? AND amount = ? AND ok = ? AND day = ?", 1L, "ada", new BigDecimal("12.50"), true, java.sql.Date.valueOf("2024-01-05")));
        check("timestamps", () -> query("SELECT id FROM orders WHERE ts = ? OR tz = ? ORDER BY id", Timestamp.valueOf("2024-01-05 10:00:00.123"), new Timestamp(0)));
        check("array", () -> query("SELECT id FROM orders WHERE id = ANY(?) ORDER BY id", connection.createArrayOf("bigint", new Long[] {1L, 3L})));
        check("server-prepared", () -> {
            List<String> all = new ArrayList<>();
            try (PreparedStatement statement = connection.prepareStatement("SELECT customer, amount, ts, tags FROM orders WHERE id = ?")) {
                for (int i = 0; i < 8; i++) {
                    statement.setLong(1, i % 3 + 1);
                    all.addAll(rows(statement.executeQuery()));
                }
            }
            return all;
        });
        check("fetch size", () -> {
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(10);
                ResultSet rows = statement.executeQuery("SELECT * FROM generate_series(1, 100) AS i");
                long sum = 0;
                while (rows.next()) sum += rows.getLong(1);
                return sum;
            } finally {
                if (!connection.getAutoCommit()) { connection.commit(); connection.setAutoCommit(true); }
            }
        });
        check("batch of metadata in a transaction", () -> {
            connection.setAutoCommit(false);
            connection.setReadOnly(true);
            connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            List<String> found = query("SELECT count(*) FROM orders");
            connection.rollback();
            connection.setReadOnly(false);
            connection.setAutoCommit(true);
            return found;
        });
        check("copy", () -> {
            java.io.StringWriter out = new java.io.StringWriter();
            new org.postgresql.copy.CopyManager((org.postgresql.core.BaseConnection) connection).copyOut("COPY (SELECT id, customer FROM orders ORDER BY id) TO STDOUT WITH CSV", out);
            return out.toString().lines().toList();
        });
        check("schema", () -> { connection.setSchema("shop"); String found = query("SELECT sku FROM items").toString(); connection.setSchema("public"); return found; });
        check("query timeout", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.setQueryTimeout(1);
                return rows(statement.executeQuery("SELECT sum(a.i * b.i) FROM generate_series(1, 20000000) AS a (i), generate_series(1, 20000000) AS b (i)"));
            }
        });
        check("written", () -> {
            List<Object> found = new ArrayList<>();
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO orders (id, customer, amount, qty, price, ok, \"day\", ts, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")) {
                for (long id = 10; id < 12; id++) {
                    insert.setLong(1, id);
                    insert.setString(2, "it's");
                    insert.setBigDecimal(3, new BigDecimal("1.25"));
                    insert.setInt(4, 7);
                    insert.setDouble(5, 2.5);
                    insert.setBoolean(6, true);
                    insert.setDate(7, java.sql.Date.valueOf("2024-01-05"));
                    insert.setTimestamp(8, Timestamp.valueOf("2024-01-05 10:00:00.123"));
                    insert.setArray(9, connection.createArrayOf("text", new String[] {"a", "'"}));
                    insert.addBatch();
                }
                found.add(Arrays.toString(insert.executeBatch()));
            }
            try (PreparedStatement update = connection.prepareStatement("UPDATE orders SET customer = ?, qty = qty + ? WHERE id = ?")) {
                update.setString(1, "x");
                update.setInt(2, 1);
                update.setLong(3, 10);
                found.add(update.executeUpdate());
            }
            found.add(query("SELECT customer, amount, qty, price, ok, day, ts, tags FROM orders WHERE id >= 10 ORDER BY id"));
            try (PreparedStatement delete = connection.prepareStatement("DELETE FROM orders WHERE id >= ?")) {
                delete.setLong(1, 10);
                found.add(delete.executeUpdate());
            }
            return found;
        });
        check("error", () -> query("SELECT nope FROM orders"));
        check("after the error", () -> query("SELECT 1"));
        check("limit 0 of a BI tool", () -> query("SELECT * FROM (SELECT id, customer FROM orders) SPARK_GEN_SUBQ_0 WHERE 1=0"));
        check("valid", () -> connection.isValid(5));
        connection.close();
    }
}
