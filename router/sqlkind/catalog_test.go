package sqlkind_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// harmlessVolatiles are the functions that PostgreSQL calls volatile and a reader may run, by the reason why.
var harmlessVolatiles = map[string]string{
	"another answer each time, and nothing else": `clock_timestamp timeofday random random_normal gen_random_uuid uuidv4 uuidv7`,
	"a wait":              `pg_sleep pg_sleep_for pg_sleep_until`,
	"what the client ran": `current_query`,
	"sizes on disk, which standbys share": `pg_database_size pg_tablespace_size pg_relation_size pg_table_size pg_indexes_size
		pg_total_relation_size`,
	"the state of the server that is asked, as its views show it": `pg_lock_status pg_blocking_pids
		pg_safe_snapshot_blocking_pids pg_isolation_test_session_is_blocked pg_prepared_xact pg_notification_queue_usage
		pg_get_backend_memory_contexts pg_get_shmem_allocations pg_get_shmem_allocations_numa pg_numa_available
		pg_show_replication_origin_status pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings
		pg_current_logfile pg_jit_available pg_get_wal_resource_managers pg_get_loaded_modules pg_get_aios pg_config`,
	"the state of recovery, which a standby knows best": `pg_is_in_recovery pg_is_wal_replay_paused
		pg_get_wal_replay_pause_state pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp
		pg_stat_get_recovery_prefetch pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system
		pg_available_wal_summaries pg_wal_summary_contents pg_get_wal_summarizer_state`,
	"what is known of a transaction": `pg_xact_status txid_status pg_xact_commit_timestamp pg_xact_commit_timestamp_origin
		pg_last_committed_xact pg_get_multixact_members`,
	"where a sequence stands, without moving it": `pg_sequence_last_value pg_get_sequence_data`,
	"catalogs": `amvalidate pg_collation_actual_version pg_database_collation_actual_version pg_partition_ancestors
		pg_partition_tree currtid2`,
	"counts of the own transaction, which views show": `pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit
		pg_stat_get_xact_function_calls pg_stat_get_xact_function_self_time pg_stat_get_xact_function_total_time
		pg_stat_get_xact_numscans pg_stat_get_xact_tuples_deleted pg_stat_get_xact_tuples_fetched
		pg_stat_get_xact_tuples_hot_updated pg_stat_get_xact_tuples_newpage_updated pg_stat_get_xact_tuples_inserted
		pg_stat_get_xact_tuples_returned pg_stat_get_xact_tuples_updated pg_stat_have_stats pg_stat_get_backend_io
		pg_stat_get_backend_wal`,
	"checks a function's text, for CREATE FUNCTION": `plpgsql_validator`,
}

// writersNotVolatile are functions that write or keep state although PostgreSQL calls them stable.
var writersNotVolatile = strings.Fields("txid_current pg_current_xact_id pg_listening_channels pg_walfile_name pg_walfile_name_offset")

// TestPostgresCatalog compares the list of functions with what this server has. A function of a newer server that
// is in neither list fails it, until somebody has looked at it.
func TestPostgresCatalog(t *testing.T) {
	teston.Only(t, teston.Postgres)
	cluster := integration.StartPostgres(t, 0)
	ask := func(where string) []string {
		text, err := cluster.Primary.QueryString(t.Context(), `
			SELECT coalesce(string_agg(DISTINCT proname, ' '), '') FROM pg_proc
			WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind IN ('f', 'w', 'a') AND `+where)
		require.NoError(t, err)
		return strings.Fields(text)
	}
	// What takes or returns these no statement can call.
	const callable = `NOT 'internal'::regtype = ANY (proargtypes) AND prorettype::regtype::text NOT IN ('trigger', 'event_trigger',
		'internal', 'language_handler', 'fdw_handler', 'index_am_handler', 'table_am_handler', 'tsm_handler')`

	reasons := make(map[string]string)
	for reason, names := range harmlessVolatiles {
		for _, name := range strings.Fields(names) {
			require.NotContains(t, reasons, name, "named twice")
			reasons[name] = reason
		}
	}
	volatiles := ask(`provolatile = 'v' AND ` + callable)
	require.Greater(t, len(volatiles), 100)
	listed := 0
	for _, name := range volatiles {
		kind := sqlkind.Of(dialect.PG, "SELECT pg_catalog."+name+"(1)")
		if _, harmless := reasons[name]; harmless {
			assert.Equal(t, read, kind, "%s is harmless and called a Write", name)
			continue
		}
		listed++
		assert.Equal(t, write, kind, "%s is volatile: add it to postgresFunctions, or here with the reason why a reader may run it", name)
	}
	for _, name := range writersNotVolatile {
		assert.Equal(t, write, sqlkind.Of(dialect.PG, "SELECT "+name+"(1)"), name)
	}
	caught := 0
	others := ask(`provolatile <> 'v' AND ` + callable + ` AND NOT proname = ANY (string_to_array('` + strings.Join(append(writersNotVolatile, volatiles...), " ") + `', ' '))`)
	for _, name := range others {
		if sqlkind.Of(dialect.PG, "SELECT "+name+"(1)") == write {
			caught++
			t.Errorf("%s is neither volatile nor known to write, and called a Write", name)
		}
	}
	t.Logf("%d volatile functions: %d writes, %d harmless; of %d others %d are writes", len(volatiles), listed, len(volatiles)-listed, len(others), len(writersNotVolatile)+caught)
}
