package sqlkind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// A tale is whom a read tells about: local is the server that runs it, common is the data, which all share.
type tale bool

const (
	local  tale = true
	common tale = false
)

// tales are reads, by what they ask for.
type tales map[string]struct {
	query string
	want  tale
}

func (ts tales) run(t *testing.T, d dialect.Name) {
	t.Helper()
	c, err := sqlkind.New(d)
	require.NoError(t, err)
	for what, row := range ts {
		t.Run(what, func(t *testing.T) { row.want.check(t, c, d, row.query) })
	}
}

// check asserts what is said of a read, in all three ways.
func (want tale) check(t *testing.T, c *sqlkind.Classifier, d dialect.Name, query string) {
	t.Helper()
	kind, isLocal := c.Classify(query)
	assert.Equal(t, read, kind, query)
	assert.Equal(t, want, tale(isLocal), query)
	of := read
	if want == local {
		of = write
	}
	assert.Equal(t, of, c.Of(query), query)
	assert.Equal(t, of, sqlkind.Of(d, query), query)
}

func TestPostgresLocal(t *testing.T) {
	tales{
		"where a sequence stands":                 {"SELECT last_value FROM s", local},
		"in upper case":                           {"SELECT LAST_VALUE FROM s", local},
		"quoted":                                  {`SELECT "last_value" FROM "s"`, local},
		"with its other columns":                  {"SELECT log_cnt, is_called FROM s", local},
		"in a condition":                          {"SELECT 1 FROM s WHERE is_called", local},
		"in parentheses":                          {"SELECT (last_value) + 1 FROM s", local},
		"in the second statement":                 {"SELECT 1; SELECT last_value FROM s", local},
		"before another statement":                {"SELECT last_value FROM s; SELECT 1", local},
		"the window function":                     {"SELECT last_value(a) OVER (ORDER BY b) FROM t", common},
		"the window function, with blanks":        {"SELECT last_value /* x */ (a) OVER w FROM t WINDOW w AS (ORDER BY b)", common},
		"a table's column":                        {`SELECT "m"."last_value", m.is_called FROM metrics AS m`, common},
		"a column's label":                        {"SELECT max(a) AS last_value FROM t", common},
		"all of a sequence, which may be a table": {"SELECT * FROM s", common},
		"the view of sequences":                   {"SELECT * FROM pg_sequences", local},
		"the view of sequences, qualified":        {`SELECT * FROM "pg_catalog"."pg_sequences"`, local},
		"a sequence's function":                   {"SELECT pg_sequence_last_value('s')", local},
		"a sequence's function as an attribute":   {"SELECT ('s'::regclass).pg_sequence_last_value", local},
		"the same of an alias":                    {"SELECT r.pg_sequence_last_value FROM unnest(ARRAY['s'::regclass]) r", local},
		"a sequence's definition":                 {"SELECT * FROM pg_sequence, information_schema.sequences", common},
		"prepared transactions":                   {"SELECT count(*) FROM pg_prepared_xacts", local},
		"prepared transactions by a function":     {"SELECT * FROM pg_prepared_xact()", local},
		"running transactions":                    {"SELECT pg_current_snapshot(), txid_current_snapshot()", local},
		"the own transaction":                     {"SELECT txid_current_if_assigned(), pg_xact_status('7')", common},
		"slots":                                   {"SELECT * FROM pg_replication_slots", local},
		"statistics":                              {"SELECT * FROM pg_stat_activity", local},
		"statistics in quotes":                    {`SELECT "a"."pid" FROM "pg_stat_activity" AS "a"`, local},
		"statistics of a later version":           {"SELECT * FROM pg_stat_something_new", local},
		"statistics of blocks":                    {"SELECT * FROM pg_statio_user_tables", local},
		"statistics by functions":                 {"SELECT pg_stat_get_live_tuples('t'::regclass)", local},
		"statistics by an attribute":              {"SELECT (relid).pg_stat_get_live_tuples FROM t", local},
		"statistics of an extension":              {"SELECT * FROM pg_stat_statements", local},
		"statistics in a subquery":                {"SELECT * FROM t WHERE a IN (SELECT pid FROM pg_stat_replication)", local},
		"statistics in a CTE":                     {"WITH a AS (SELECT * FROM pg_stat_wal) SELECT * FROM a", local},
		"statistics explained":                    {"EXPLAIN SELECT * FROM pg_stat_io", local},
		"statistics for the planner":              {"SELECT * FROM pg_stats, pg_statistic, pg_statistic_ext", common},
		"statistics in a string":                  {"SELECT 'pg_stat_activity'::text", common},
		"statistics in a comment":                 {"SELECT 1 /* pg_stat_activity */ -- pg_locks", common},
		"recovery's statistics":                   {"SELECT * FROM pg_stat_wal_receiver, pg_stat_recovery_prefetch, pg_stat_database_conflicts", common},
		"recovery's statistics by functions":      {"SELECT pg_stat_get_wal_receiver(), pg_stat_get_db_conflict_all(5)", common},
		"recovery":                                {"SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp()", common},
		"which server it is":                      {"SELECT inet_server_port(), pg_backend_pid(), pg_postmaster_start_time()", common},
		"settings":                                {"SELECT current_setting('port'), * FROM pg_settings", common},
		"settings shown":                          {"SHOW port", common},
		"locks":                                   {"SELECT * FROM pg_locks", local},
		"blocking":                                {"SELECT pg_blocking_pids(1)", local},
		"files":                                   {"SELECT pg_read_file('PG_VERSION'), pg_ls_waldir()", local},
		"files of the configuration":              {"SELECT * FROM pg_hba_file_rules", local},
		"memory":                                  {"SELECT * FROM pg_backend_memory_contexts", local},
		"checkpoints":                             {"SELECT * FROM pg_control_checkpoint()", local},
		"the cluster":                             {"SELECT pg_control_init()", common},
		"sizes":                                   {"SELECT pg_relation_size('t')", common},
		"a table with such a column":              {"SELECT t.lock_status, t.activity FROM stat_activity AS t", common},
		"contrib, its buffers":                    {"SELECT * FROM pg_buffercache", local},
		"contrib, its log":                        {"SELECT * FROM pg_get_wal_stats('0/1', '0/2')", local},
		"contrib, its copy of the data":           {"SELECT bt_index_check('i'), get_raw_page('t', 0)", local},
		"contrib, what it computes":               {"SELECT pg_relpages('t'), pgstattuple('t'), page_header(a) FROM t", common},
		"credcheck":                               {"SELECT * FROM pg_banned_role", local},
		"pgfincore":                               {"SELECT * FROM pgfincore('t')", local},
		"pg_qualstats":                            {"SELECT * FROM pg_qualstats_all", local},
		"pg_wait_sampling":                        {"SELECT * FROM pg_wait_sampling_profile", local},
		"pg_show_plans":                           {"SELECT * FROM pg_show_plans", local},
		"pgsentinel":                              {"SELECT * FROM pg_active_session_history", local},
		"pgnodemx":                                {"SELECT * FROM proc_meminfo()", local},
		"hypopg":                                  {"SELECT * FROM hypopg_list_indexes", local},
	}.run(t, dialect.PG)
}

func TestMySQLLocal(t *testing.T) {
	tales{
		"the binary log, MariaDB":             {"SHOW MASTER STATUS", local},
		"the binary log, MySQL":               {"SHOW BINARY LOG STATUS", local},
		"the binary logs":                     {"SHOW BINARY LOGS", local},
		"what is in a binary log":             {"SHOW BINLOG EVENTS IN 'binlog.000001'", local},
		"replicas":                            {"SHOW REPLICAS", local},
		"replicas, MariaDB":                   {"SHOW SLAVE HOSTS", local},
		"a replica's own work":                {"SHOW REPLICA STATUS", common},
		"a replica's own work, MariaDB":       {"SHOW ALL SLAVES STATUS; SHOW SLAVE STATUS", common},
		"a replica's own log":                 {"SHOW RELAYLOG EVENTS", common},
		"a position, MariaDB":                 {"SELECT @@global.gtid_binlog_pos", local},
		"a position, MySQL":                   {"SELECT @@GTID_EXECUTED", local},
		"a position beside its file":          {"SELECT BINLOG_GTID_POS('binlog.000001', 4)", local},
		"a replica's position":                {"SELECT @@gtid_slave_pos", common},
		"a wait for a position":               {"SELECT MASTER_GTID_WAIT('0-1-1', 1)", local},
		"a wait for a set":                    {"SELECT WAIT_FOR_EXECUTED_GTID_SET('', 1)", local},
		"which server it is":                  {"SELECT @@server_id, @@hostname, @@port, @@read_only, CONNECTION_ID()", common},
		"settings":                            {"SELECT @@sql_mode, @@global.max_allowed_packet", common},
		"settings shown":                      {"SHOW GLOBAL VARIABLES LIKE 'a%'", common},
		"settings of information_schema":      {"SELECT * FROM information_schema.global_variables", common},
		"sessions":                            {"SHOW PROCESSLIST", local},
		"sessions in full":                    {"SHOW FULL PROCESSLIST", local},
		"tables in full":                      {"SHOW FULL TABLES; SHOW FULL COLUMNS FROM t", common},
		"another session's plan":              {"SHOW EXPLAIN FOR 5", local},
		"counts":                              {"SHOW STATUS LIKE 'a%'", local},
		"counts of all":                       {"SHOW /* x */ GLOBAL -- y\n STATUS", local},
		"counts of one user":                  {"SHOW USER_STATISTICS", local},
		"an engine":                           {"SHOW ENGINE InnoDB STATUS", local},
		"engines":                             {"SHOW ENGINES", common},
		"a table's next number":               {"SHOW CREATE TABLE t", local},
		"all tables' next numbers":            {"SHOW TABLE STATUS", local},
		"a view's text":                       {"SHOW CREATE VIEW v; SHOW CREATE PROCEDURE p", common},
		"an event, which a replica disables":  {"SHOW CREATE EVENT e", local},
		"events":                              {"SHOW EVENTS", local},
		"triggers":                            {"SHOW TRIGGERS", common},
		"indexes, with their cardinality":     {"SHOW INDEX FROM t", local},
		"columns":                             {"SHOW COLUMNS FROM t", common},
		"locks":                               {"SELECT IS_FREE_LOCK('a'), IS_USED_LOCK('a')", local},
		"files":                               {"SELECT LOAD_FILE('/a')", local},
		"a column called load_file":           {"SELECT load_file FROM t", common},
		"tables of information_schema":        {"SELECT * FROM information_schema.tables", local},
		"in upper case":                       {"SELECT AUTO_INCREMENT FROM INFORMATION_SCHEMA.TABLES", local},
		"in quotes":                           {"SELECT `TABLE_NAME` FROM `information_schema`.`TABLES`", local},
		"with blanks":                         {"SELECT * FROM information_schema /* x */ . -- y\n tables", local},
		"the column alone":                    {"SELECT auto_increment FROM tables", local},
		"columns of information_schema":       {"SELECT * FROM information_schema.columns", common},
		"keys of information_schema":          {"SELECT * FROM `information_schema`.`KEY_COLUMN_USAGE`", common},
		"routines of information_schema":      {"SELECT * FROM information_schema.routines, information_schema.views", common},
		"transactions":                        {"SELECT * FROM information_schema.innodb_trx", local},
		"what a plugin adds":                  {"SELECT * FROM information_schema.some_plugin", local},
		"performance_schema":                  {"SELECT * FROM performance_schema.processlist", local},
		"performance_schema on replication":   {"SELECT * FROM performance_schema.replication_applier_status", common},
		"sys":                                 {"SELECT * FROM sys.processlist, sys.x$memory_global_total", local},
		"sys, its counters of numbers":        {"SELECT * FROM sys.schema_auto_increment_columns", local},
		"sys, what it computes":               {"SELECT sys.format_bytes(1) FROM sys.version", common},
		"sys, what it looks up":               {"SELECT sys.ps_thread_id(1)", local},
		"an alias called sys":                 {"SELECT sys.id, sys.name FROM systems AS sys", common},
		"the schema mysql":                    {"SELECT * FROM mysql.gtid_executed", local},
		"accounts":                            {"SELECT user FROM mysql.user", common},
		"a replica's position in mysql":       {"SELECT * FROM mysql.gtid_slave_pos", common},
		"a column called mysql":               {"SELECT mysql, sys, information_schema FROM t", common},
		"a table called processlist":          {"SELECT * FROM processlist", common},
		"a sequence of MariaDB, which agrees": {"SELECT next_not_cached_value FROM s", common},
	}.run(t, dialect.MySQL)
	verdicts{
		"tables that are set back when they are read": {"SELECT * FROM information_schema.INNODB_CMP_RESET", write},
		"the same, qualified in quotes":               {"SELECT * FROM `information_schema`.`innodb_cmp_per_index_reset`", write},
		"the session's variables":                     {"SHOW USER_VARIABLES", write},
		"a quote left open":                           {"SELECT * FROM information_schema.`tables", write},
		"a comment left open":                         {"SELECT * FROM information_schema /* .tables", write},
		"a lock in a condition of SHOW":               {"SHOW STATUS WHERE get_lock('a', 1)", write},
		"Mroonga's commands":                          {"SELECT mroonga_command('truncate t')", write},
		"what Mroonga inserted":                       {"SELECT last_insert_grn_id()", write},
		"what Mroonga computes":                       {"SELECT mroonga_snippet_html(a), mroonga_escape(b), mroonga_normalize(c) FROM t", read},
		"Spider's statements":                         {"SELECT spider_direct_sql('a', 'b', 'c'), spider_bg_direct_sql('a', 'b', 'c')", write},
		"Spider's tables":                             {"SELECT spider_copy_tables('a', '0', '1')", write},
		"Spider's links":                              {"SELECT spider_ping_table('a', 0, '', 0), spider_flush_table_mon_cache()", write},
	}.run(t, dialect.MySQL)
}

// TestWritesAreNotLocal: what needs the writer needs it whatever else is asked for.
func TestWritesAreNotLocal(t *testing.T) {
	for query, d := range map[string]dialect.Name{
		"SELECT * FROM information_schema.INNODB_CMP_RESET": dialect.MySQL, "SHOW USER_VARIABLES": dialect.MySQL,
		"SELECT GET_LOCK('a', 1) FROM performance_schema.processlist": dialect.MySQL, "SELECT MROONGA_COMMAND('a')": dialect.MySQL,
		"SELECT isn_weak(true) FROM pg_locks": dialect.PG, "SELECT (1).pg_stat_reset_shared": dialect.PG, "SELECT cron.schedule('a', 'b')": dialect.PG,
	} {
		c, err := sqlkind.New(d)
		require.NoError(t, err)
		kind, isLocal := c.Classify(query)
		assert.Equal(t, write, kind, query)
		assert.False(t, isLocal, query)
	}
	c, err := sqlkind.New(dialect.PG)
	require.NoError(t, err)
	for _, query := range []string{
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity", "SELECT pg_stat_reset()", "SELECT * FROM pg_stat_activity FOR UPDATE",
		"SELECT last_value FROM s; SELECT nextval('s')", "DELETE FROM t WHERE a IN (SELECT pid FROM pg_locks)", "SELECT 'a FROM pg_locks",
		"SELECT * INTO t FROM pg_stat_activity",
	} {
		kind, isLocal := c.Classify(query)
		assert.Equal(t, write, kind, query)
		assert.False(t, isLocal, query)
	}
	kind, isLocal := new(sqlkind.Classifier).Classify("SELECT * FROM pg_locks")
	assert.Equal(t, write, kind)
	assert.False(t, isLocal)
}
