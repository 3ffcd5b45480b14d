package sqlkind

import "strings"

// What MySQL's and MariaDB's own tables, variables and SHOW tell about the server that is asked, so that a replica has
// another answer: what the judges have seen to differ, and its like. What asks which server it is (@@server_id), how it
// is configured (SHOW VARIABLES), or what only a replica knows (SHOW REPLICA STATUS, @@gtid_slave_pos) is a plain read.

// localVariables are system variables that hold a server's place in its binary log.
var localVariables = []string{
	"gtid_binlog_pos", "gtid_binlog_state", "gtid_current_pos", // MariaDB
	"gtid_executed", "gtid_owned", "gtid_purged", // MySQL
}

// shownLocally says whether SHOW followed by these two words shows what each server has for itself.
func shownLocally(first, second string) bool {
	for _, shown := range localShow {
		if equalFold(first, shown.first) && (shown.second == "" || equalFold(second, shown.second)) {
			return true
		}
	}
	return false
}

// localShow are the words after SHOW, by what they show.
var localShow = []struct{ first, second string }{
	// the binary log, and who reads it
	{"master", ""}, {"binary", ""}, {"binlog", ""}, {"replicas", ""}, {"slave", "hosts"}, {"replica", "hosts"},
	// sessions, and what they do
	{"processlist", ""}, {"full", "processlist"}, {"explain", ""}, {"analyze", ""}, {"open", ""},
	// counts
	{"status", ""}, {"global", "status"}, {"session", "status"}, {"local", "status"}, {"engine", ""}, {"innodb", ""},
	{"user_statistics", ""}, {"client_statistics", ""}, {"index_statistics", ""}, {"table_statistics", ""},
	{"query_response_time", ""}, {"wsrep_status", ""}, {"wsrep_membership", ""},
	// the next number of a table, its size and its indexes' statistics
	{"table", "status"}, {"create", "table"}, {"index", ""}, {"indexes", ""}, {"keys", ""}, {"extended", "index"},
	{"extended", "indexes"}, {"extended", "keys"},
	// events, which a replica has disabled
	{"events", ""}, {"create", "event"},
}

// commonSchema are the tables of information_schema that show what is replicated, or the same program. All others
// show what each server has for itself.
var commonSchema = []string{
	"administrable_role_authorizations", "all_plugins", "applicable_roles", "character_sets", "check_constraints",
	"collations", "collation_character_set_applicability", "columns", "columns_extensions", "column_privileges",
	"engines", "geometry_columns", "global_variables", "json_duality_views", "json_duality_view_columns",
	"json_duality_view_links", "json_duality_view_tables", "key_column_usage", "key_period_usage", "keywords",
	"libraries", "parameters", "periods", "plugins", "referential_constraints", "role_column_grants",
	"role_routine_grants", "role_table_grants", "routines", "routine_libraries", "schemata", "schemata_extensions",
	"schema_privileges", "session_variables", "spatial_ref_sys", "sql_functions", "st_geometry_columns",
	"st_spatial_reference_systems", "st_units_of_measure", "system_variables", "tables_extensions",
	"tablespaces_extensions", "table_constraints", "table_constraints_extensions", "table_privileges", "triggers",
	"user_attributes", "user_privileges", "views", "view_routine_usage", "view_table_usage",
}

// localSys are the views of the schema sys that show more than names.
var localSys = []string{
	"host_summary*", "innodb_*", "io_*", "latest_file_io", "memory_*", "metrics", "processlist",
	"ps_check_lost_instrumentation", "schema_auto_increment_columns", "schema_index_statistics",
	"schema_table_lock_waits", "schema_table_statistics*", "schema_tables_with_full_table_scans",
	"schema_unused_indexes", "session", "session_ssl_status", "statement_analysis", "statements_with_*",
	"user_summary*", "wait_classes_*", "waits_*", "x$*",
}

// localMySQL are the tables of the schema mysql that are not replicated, but for those on a replica's own work.
var localMySQL = []string{
	"event", "general_log", "gtid_executed", "innodb_index_stats", "innodb_table_stats", "slow_log",
}

// mysqlObject decides about a table or function in one of the server's own schemas, whose name ends at end.
func mysqlObject(s *scanner, schema, object string, end int, called bool) int {
	switch {
	case called:
		s.local = s.local || equalFold(schema, "sys") && globMatch("ps_*", object)
	case equalFold(schema, "information_schema"):
		if globMatch("innodb_cmp*_reset", object) {
			return writes // reading them sets them back (MySQL 28.4.6)
		}
		s.local = s.local || !listed(commonSchema, object)
	case equalFold(schema, "performance_schema"):
		s.local = s.local || !globMatch("replication_*", object)
	case equalFold(schema, "sys"):
		s.local = s.local || listed(localSys, object)
	default:
		s.local = s.local || listed(localMySQL, object)
	}
	return end
}

// listed tells whether one of the globs matches name.
func listed(globs []string, name string) bool {
	for _, g := range globs {
		if strings.HasSuffix(g, "*") && globMatch(g, name) || equalFold(name, g) {
			return true
		}
	}
	return false
}
