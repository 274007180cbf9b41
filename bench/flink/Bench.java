import java.nio.file.Files;
import java.nio.file.Path;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/**
 * Runs one SQL script on a Flink of its own in this JVM and ends with it; whoever started it measures the process.
 *
 * <p>Usage: {@code Bench PARALLELISM tuned|default SCRIPT}. Statements end at a semicolon at the end of a line.
 */
public final class Bench {

    private Bench() {}

    public static void main(String[] args) throws Exception {
        Configuration conf = new Configuration();
        conf.setString("rest.bind-port", "0");
        conf.setString("rest.address", "localhost");
        conf.setString("taskmanager.memory.network.min", "64m");
        conf.setString("taskmanager.memory.network.max", "64m");
        conf.setString("taskmanager.memory.managed.size", "64m");
        MiniCluster cluster = new MiniCluster(new MiniClusterConfiguration.Builder()
                .setConfiguration(conf).setNumTaskManagers(1).setNumSlotsPerTaskManager(8).build());
        cluster.start();
        conf.setString("execution.target", "remote");
        conf.setString("rest.port", Integer.toString(cluster.getRestAddress().get().getPort()));
        conf.setString("parallelism.default", args[0]);
        conf.setString("table.dml-sync", "true");
        conf.setString("table.local-time-zone", "UTC");
        conf.setString("state.backend.type", "hashmap");
        if (args[1].equals("tuned")) {
            conf.setString("pipeline.object-reuse", "true");
            conf.setString("table.exec.mini-batch.enabled", "true");
            conf.setString("table.exec.mini-batch.allow-latency", "2 s");
            conf.setString("table.exec.mini-batch.size", "50000");
        }
        TableEnvironment env = TableEnvironment.create(
                EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(conf).build());
        for (String statement : Files.readString(Path.of(args[2])).split(";\\s*\n")) {
            if (!statement.isBlank()) {
                env.executeSql(statement.strip());
            }
        }
        // The cluster's threads are not daemons.
        Runtime.getRuntime().halt(0);
    }
}
