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
	"another answer each time, and nothing else": `clock_timestamp timeofday random random_normal gen_random_uuid uuidv4 uuidv7
		array_sample array_shuffle`,
	"a wait":              `pg_sleep pg_sleep_for pg_sleep_until`,
	"what the client ran": `current_query`,
	"sizes on disk, which standbys share": `pg_database_size pg_tablespace_size pg_relation_size pg_table_size pg_indexes_size
		pg_total_relation_size`,
	"how the server was built": `pg_numa_available pg_jit_available pg_get_wal_resource_managers pg_config pg_control_init`,
	"the state of recovery, which a standby knows best": `pg_is_in_recovery pg_is_wal_replay_paused
		pg_get_wal_replay_pause_state pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp
		pg_stat_get_recovery_prefetch pg_control_recovery`,
	"what is known of a transaction": `pg_xact_status txid_status pg_xact_commit_timestamp pg_xact_commit_timestamp_origin
		pg_last_committed_xact pg_get_multixact_members`,
	"catalogs": `amvalidate pg_collation_actual_version pg_database_collation_actual_version pg_partition_ancestors
		pg_partition_tree currtid currtid2 pg_get_wait_events`,
	"arithmetic, volatile by mistake before PostgreSQL 15": `timezone`,
	"checks a function's text, for CREATE FUNCTION":        `plpgsql_validator`,
}

// writersNotVolatile are functions that write or keep state although PostgreSQL calls them stable.
var writersNotVolatile = strings.Fields("txid_current pg_current_xact_id pg_listening_channels pg_walfile_name pg_walfile_name_offset pg_backup_start_time")

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
	classifier, err := sqlkind.New(dialect.PG)
	require.NoError(t, err)
	listed, locals := 0, 0
	for _, name := range volatiles {
		kind, isLocal := classifier.Classify("SELECT pg_catalog." + name + "(1)")
		if _, harmless := reasons[name]; harmless {
			assert.Equal(t, read, kind, "%s is harmless and called a Write", name)
			assert.False(t, isLocal, "%s is harmless and called local", name)
			continue
		}
		if isLocal {
			locals++
			continue
		}
		listed++
		assert.Equal(t, write, kind, "%s is volatile: add it to postgresFunctions or postgresLocal, or here with the reason why a reader may run it", name)
	}
	for _, name := range writersNotVolatile {
		assert.Equal(t, write, sqlkind.Of(dialect.PG, "SELECT "+name+"(1)"), name)
	}
	caught := 0
	others := ask(`provolatile <> 'v' AND ` + callable + ` AND NOT proname = ANY (string_to_array('` + strings.Join(append(writersNotVolatile, volatiles...), " ") + `', ' '))`)
	for _, name := range others {
		kind, isLocal := classifier.Classify("SELECT " + name + "(1)")
		if kind == write {
			caught++
			t.Errorf("%s is neither volatile nor known to write, and called a Write", name)
		}
		if isLocal {
			locals++
		}
	}
	t.Logf("%d volatile functions: %d writes; of %d others %d are writes; %d of all tell about their server",
		len(volatiles), listed, len(others), len(writersNotVolatile)+caught, locals)
}
