import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableException;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Runs many Flink SQL scripts in one JVM and keeps what each of them prints.
 *
 * <p>Usage: {@code Oracle RUNS OUT SCRIPT...}. Script S in run r gives two files: {@code OUT/S.r.out} has the bytes
 * that the script wrote to standard output (the print sink and the rows of a bare SELECT),
 * {@code OUT/S.r.end} has in its first line "ok", "refused" (a statement was not accepted: no row of it was
 * processed) or "failed" (a job ended with an error), and below it the messages from the outermost to the innermost
 * cause. Each run of a script has a fresh TableEnvironment; a script stops at its first error.
 *
 * <p>{@code OUT/S.plan} has the physical plan of each query, INSERT and STATEMENT SET with its changelog modes, in the
 * order of the script, each below a line "== statement". With RUNS = 0 nothing but these plans is made: no job runs.
 */
public final class Oracle {

    private static final Pattern SET =
            Pattern.compile("SET\\s+'([^']+)'\\s*=\\s*'([^']*)'", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);
    private static final Pattern RESET =
            Pattern.compile("RESET(?:\\s+'([^']+)')?", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

    private static final Pattern HAS_PLAN = Pattern.compile(
            "^(\\(|(EXECUTE\\s+)?(INSERT|STATEMENT|SELECT|WITH|VALUES)\\b)", Pattern.CASE_INSENSITIVE);
    private static final String PHYSICAL_PLAN = "== Optimized Physical Plan ==\n";

    private Oracle() {}

    public static void main(String[] args) throws Exception {
        try {
            runAll(args);
        } catch (Throwable error) {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
        // The cluster's threads are not daemons.
        Runtime.getRuntime().halt(0);
    }

    private static void runAll(String[] args) throws Exception {
        int runs = Integer.parseInt(args[0]);
        Path out = Path.of(args[1]);
        PrintStream progress = System.err;
        Configuration cluster = startCluster();
        for (int i = 2; i < args.length; i++) {
            Path script = Path.of(args[i]);
            String name = script.getFileName().toString().replaceFirst("\\.sql$", "");
            String text = Files.readString(script);
            StringBuilder plans = new StringBuilder();
            if (runs == 0) {
                runScript(text, System.err, cluster, plans, false);
                progress.printf("flink: %s: plans%n", name);
            }
            for (int run = 1; run <= runs; run++) {
                long start = System.nanoTime();
                ByteArrayOutputStream captured = new ByteArrayOutputStream();
                // A folder of its own for what the script writes.
                String own = text.replace("'scratch/", "'" + Files.createTempDirectory("scratch") + "/");
                String end = runCaptured(own, captured, cluster, run == 1 ? plans : new StringBuilder());
                Files.write(out.resolve(name + "." + run + ".out"), captured.toByteArray());
                Files.writeString(out.resolve(name + "." + run + ".end"), end);
                progress.printf("flink: %s, run %d: %s, %d ms%n",
                        name, run, end.lines().findFirst().orElse(""), (System.nanoTime() - start) / 1_000_000);
            }
            Files.writeString(out.resolve(name + ".plan"), plans);
        }
    }

    private static String runCaptured(
            String text, OutputStream captured, Configuration cluster, StringBuilder plans) {
        PrintStream before = System.out;
        try (PrintStream stdout = new PrintStream(captured, true, StandardCharsets.UTF_8)) {
            System.setOut(stdout);
            return runScript(text, stdout, cluster, plans, true);
        } finally {
            System.setOut(before);
        }
    }

    private static String runScript(
            String text, PrintStream stdout, Configuration cluster, StringBuilder plans, boolean withJobs) {
        TableEnvironment env = TableEnvironment.create(
                EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(cluster).build());
        for (String statement : split(text)) {
            TableResult result;
            try {
                Matcher set = SET.matcher(statement);
                if (set.matches()) {
                    env.getConfig().set(set.group(1), set.group(2));
                    continue;
                }
                Matcher reset = RESET.matcher(statement);
                if (reset.matches()) {
                    reset(env, cluster, reset.group(1));
                    continue;
                }
                if (HAS_PLAN.matcher(statement).find()) {
                    plans.append("== statement\n").append(physicalPlan(env, statement));
                    if (!withJobs) {
                        continue;
                    }
                }
                result = env.executeSql(statement);
            } catch (Throwable error) {
                return (isJobFailure(error) ? "failed" : "refused") + "\n" + messages(error);
            }
            // Only a bare SELECT has rows here: an INSERT prints through its sink, DESCRIBE and the like have no job.
            if (result.getJobClient().isEmpty() || isInsert(statement)) {
                continue;
            }
            try (CloseableIterator<Row> rows = result.collect()) {
                rows.forEachRemaining(row -> stdout.println(row));
            } catch (Throwable error) {
                return "failed\n" + messages(error);
            }
        }
        return "ok\n";
    }

    /** The plan with its changelog modes; the same errors as the statement itself has. */
    private static String physicalPlan(TableEnvironment env, String statement) {
        String explain = "EXPLAIN CHANGELOG_MODE " + statement.replaceFirst("(?is)^EXECUTE\\s+", "");
        String text = String.valueOf(env.executeSql(explain).collect().next().getField(0));
        int start = text.indexOf(PHYSICAL_PLAN);
        int end = text.indexOf("\n== ", start);
        return text.substring(start + PHYSICAL_PLAN.length(), end).strip() + "\n";
    }

    private static boolean isInsert(String statement) {
        return Pattern.compile("^(EXECUTE\\s+)?(INSERT|STATEMENT|CREATE|REPLACE)\\b", Pattern.CASE_INSENSITIVE)
                .matcher(statement).find();
    }

    /**
     * One cluster inside this JVM for all scripts, and the configuration of a job that runs on it. (A cluster for each
     * job, which Flink's own local target makes, sometimes goes away before a short job's submission has returned.)
     */
    private static Configuration startCluster() throws Exception {
        Configuration conf = new Configuration();
        conf.setString("rest.bind-port", "0");
        conf.setString("rest.address", "localhost");
        conf.setString("taskmanager.memory.network.min", "32m");
        conf.setString("taskmanager.memory.network.max", "32m");
        conf.setString("taskmanager.memory.managed.size", "64m");
        MiniCluster cluster = new MiniCluster(new MiniClusterConfiguration.Builder()
                .setConfiguration(conf).setNumTaskManagers(1).setNumSlotsPerTaskManager(8).build());
        cluster.start();
        conf.setString("execution.target", "remote");
        conf.setString("rest.port", Integer.toString(cluster.getRestAddress().get().getPort()));
        conf.setString("parallelism.default", "1");
        conf.setString("pipeline.auto-watermark-interval", "0");
        conf.setString("table.dml-sync", "true");
        conf.setString("table.local-time-zone", "UTC");
        return conf;
    }

    private static void reset(TableEnvironment env, Configuration defaults, String key) {
        List<String> keys = new ArrayList<>();
        if (key == null) {
            keys.addAll(env.getConfig().getConfiguration().keySet());
        } else {
            keys.add(key);
        }
        for (String each : keys) {
            env.getConfig().getConfiguration().removeKey(each);
            String value = defaults.getString(each, null);
            if (value != null) {
                env.getConfig().set(each, value);
            }
        }
    }

    /** A job that was accepted fails with one of these in the chain; a plan is refused without them. */
    private static boolean isJobFailure(Throwable error) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            boolean submitted = cause instanceof TableException && "Failed to execute sql".equals(cause.getMessage());
            if (submitted || cause.getClass().getSimpleName().equals("JobExecutionException")) {
                return true;
            }
        }
        return false;
    }

    /** One line a cause; the parser's list of every token that it would have taken is left out. */
    private static String messages(Throwable error) {
        StringBuilder text = new StringBuilder();
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            String message = String.valueOf(cause.getMessage()).split("Was expecting", 2)[0];
            text.append(cause.getClass().getSimpleName()).append(": ");
            text.append(message.strip().replaceAll("\\s+", " ")).append('\n');
        }
        return text.toString();
    }

    /** Cuts at semicolons outside quotes, comments and STATEMENT SET blocks; leading comments are dropped. */
    static List<String> split(String text) {
        List<String> statements = new ArrayList<>();
        StringBuilder statement = new StringBuilder();
        List<String> words = new ArrayList<>();
        boolean inSet = false;
        boolean afterSemicolon = false;
        int at = 0;
        while (at < text.length()) {
            int end = tokenEnd(text, at);
            String token = text.substring(at, end);
            at = end;
            if (token.startsWith("--") || token.startsWith("/*") && !token.startsWith("/*+")) {
                statement.append(' ');
                continue;
            }
            if (token.isBlank()) {
                statement.append(statement.length() == 0 ? "" : token);
                continue;
            }
            if (token.equals(";") && !inSet) {
                if (!statement.toString().isBlank()) {
                    statements.add(statement.toString().strip());
                }
                statement.setLength(0);
                words.clear();
                continue;
            }
            words.add(token.toUpperCase());
            statement.append(token);
            int n = words.size();
            if (words.get(n - 1).equals("SET") && n > 1 && words.get(n - 2).equals("STATEMENT")) {
                inSet = true;
            }
            if (inSet && afterSemicolon && token.equalsIgnoreCase("END")) {
                inSet = false;
            }
            afterSemicolon = token.equals(";");
        }
        if (!statement.toString().isBlank()) {
            statements.add(statement.toString().strip());
        }
        return statements;
    }

    private static int tokenEnd(String text, int at) {
        char first = text.charAt(at);
        if (text.startsWith("--", at)) {
            int end = text.indexOf('\n', at);
            return end < 0 ? text.length() : end;
        }
        if (text.startsWith("/*", at)) {
            int end = text.indexOf("*/", at + 2);
            return end < 0 ? text.length() : end + 2;
        }
        if (first == '\'' || first == '`' || first == '"') {
            int end = text.indexOf(first, at + 1);
            return end < 0 ? text.length() : end + 1;
        }
        int end = at + 1;
        if (Character.isWhitespace(first)) {
            while (end < text.length() && Character.isWhitespace(text.charAt(end))) {
                end++;
            }
        } else if (Character.isJavaIdentifierPart(first)) {
            while (end < text.length() && Character.isJavaIdentifierPart(text.charAt(end))) {
                end++;
            }
        }
        return end;
    }
}
