//! PostgreSQL's settings that clients set and ask for: `SET`, `SHOW`, `current_setting()`, `pg_settings`.
//!
//! Most change nothing here. Those with an effect: `TimeZone`, `search_path`, `statement_timeout`, `bytea_output`.

/// What may be done with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Told to the client when it changes.
    Reported,
    Session,
    /// Cannot be set.
    Fixed,
}

#[derive(Debug, Clone, Copy)]
pub struct ClientSetting {
    /// As PostgreSQL writes it; names are compared without case.
    pub name: &'static str,
    pub default: &'static str,
    pub kind: Kind,
}

/// The version that clients are told; they expect a number first.
pub const SERVER_VERSION: &str = "15.0 (Arus)";
pub const SERVER_VERSION_NUM: &str = "150000";

pub fn find(name: &str) -> Option<&'static ClientSetting> {
    CLIENT_SETTINGS.iter().find(|s| s.name.eq_ignore_ascii_case(name))
}

macro_rules! settings {
    ($($kind:ident { $($name:literal = $default:expr,)* })*) => {
        &[$($(ClientSetting { name: $name, default: $default, kind: Kind::$kind },)*)*]
    };
}

pub const CLIENT_SETTINGS: &[ClientSetting] = settings! {
    Reported {
        "application_name" = "",
        "client_encoding" = "UTF8",
        "DateStyle" = "ISO, MDY",
        "default_transaction_read_only" = "off",
        "IntervalStyle" = "postgres",
        "standard_conforming_strings" = "on",
        "TimeZone" = "UTC",
    }
    Session {
        "array_nulls" = "on",
        "arus.fetch.timeout" = "1s",
        "backslash_quote" = "safe_encoding",
        "bytea_output" = "hex",
        "check_function_bodies" = "on",
        "client_min_messages" = "notice",
        "commit_delay" = "0",
        "constraint_exclusion" = "partition",
        "cursor_tuple_fraction" = "0.1",
        "default_statistics_target" = "100",
        "default_table_access_method" = "heap",
        "default_tablespace" = "",
        "default_text_search_config" = "pg_catalog.english",
        "default_transaction_deferrable" = "off",
        "default_transaction_isolation" = "repeatable read",
        "effective_cache_size" = "4GB",
        "effective_io_concurrency" = "1",
        "enable_bitmapscan" = "on",
        "enable_hashagg" = "on",
        "enable_hashjoin" = "on",
        "enable_indexonlyscan" = "on",
        "enable_indexscan" = "on",
        "enable_material" = "on",
        "enable_mergejoin" = "on",
        "enable_nestloop" = "on",
        "enable_seqscan" = "on",
        "enable_sort" = "on",
        "escape_string_warning" = "on",
        "extra_float_digits" = "1",
        "force_parallel_mode" = "off",
        "from_collapse_limit" = "8",
        "geqo" = "on",
        "idle_in_transaction_session_timeout" = "0",
        "idle_session_timeout" = "0",
        "jit" = "off",
        "join_collapse_limit" = "8",
        "lc_messages" = "C",
        "lc_monetary" = "C",
        "lc_numeric" = "C",
        "lc_time" = "C",
        "lock_timeout" = "0",
        "log_min_duration_statement" = "-1",
        "log_statement" = "none",
        "maintenance_work_mem" = "64MB",
        "max_parallel_workers_per_gather" = "0",
        "max_stack_depth" = "2MB",
        "parallel_setup_cost" = "1000",
        "parallel_tuple_cost" = "0.1",
        "password_encryption" = "scram-sha-256",
        "plan_cache_mode" = "auto",
        "quote_all_identifiers" = "off",
        "random_page_cost" = "4",
        "role" = "none",
        "row_security" = "on",
        "search_path" = "\"$user\", public",
        "seq_page_cost" = "1",
        "session_replication_role" = "origin",
        "statement_timeout" = "0",
        "synchronize_seqscans" = "on",
        "synchronous_commit" = "on",
        "tcp_keepalives_count" = "0",
        "tcp_keepalives_idle" = "0",
        "tcp_keepalives_interval" = "0",
        "temp_tablespaces" = "",
        "timezone_abbreviations" = "Default",
        "transaction_deferrable" = "off",
        "transaction_isolation" = "repeatable read",
        "transaction_read_only" = "off",
        "transform_null_equals" = "off",
        "vacuum_cost_delay" = "0",
        "work_mem" = "4MB",
        "xmlbinary" = "base64",
        "xmloption" = "content",
    }
    Fixed {
        "block_size" = "8192",
        "data_checksums" = "on",
        "in_hot_standby" = "off",
        "integer_datetimes" = "on",
        "is_superuser" = "on",
        "lc_collate" = "C",
        "lc_ctype" = "C",
        "listen_addresses" = "localhost",
        "max_connections" = "4096",
        "max_function_args" = "100",
        "max_identifier_length" = "63",
        "max_index_keys" = "32",
        "max_prepared_transactions" = "0",
        "port" = "5432",
        "server_encoding" = "UTF8",
        "server_version" = SERVER_VERSION,
        "server_version_num" = SERVER_VERSION_NUM,
        "session_authorization" = "arus",
        "shared_buffers" = "128MB",
        "ssl" = "off",
        "superuser_reserved_connections" = "0",
        "wal_level" = "replica",
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_one_name() {
        let mut names: Vec<_> = CLIENT_SETTINGS.iter().map(|s| s.name.to_lowercase()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), CLIENT_SETTINGS.len());
        assert_eq!(find("timezone").map(|s| s.default), Some("UTC"));
    }
}
