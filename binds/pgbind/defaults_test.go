package pgbind

import (
	"context"
	"database/sql"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// settle changes settings of the login or its database until the test's end, and waits until the standby has them.
func settle(t *testing.T, of string, settings ...string) {
	t.Helper()
	admins := open(t, cluster.Primary.AdminURI(), one)
	t.Cleanup(func() {
		_, err := admin.ExecContext(context.Background(), "ALTER "+of+" RESET ALL")
		assert.NoError(t, err)
		assert.NoError(t, cluster.WaitReplayed(context.Background()))
	})
	for _, s := range settings {
		exec(t, admins, "ALTER "+of+" SET "+s)
	}
	require.NoError(t, cluster.WaitReplayed(t.Context()))
}

// Settings of the role or the database do not change what is read and written.
func TestDefaults_valuesAreExact(t *testing.T) {
	for _, of := range []string{"ROLE app", "DATABASE app"} {
		t.Run(of, func(t *testing.T) {
			settings := []string{"extra_float_digits = -5", "bytea_output = 'escape'", "datestyle = 'German, DMY'", "intervalstyle = 'sql_standard'",
				"timezone = 'America/New_York'", "standard_conforming_strings = off", "client_encoding = 'LATIN1'", "lc_monetary = 'C'", "backslash_quote = on"}
			if of != "ROLE app" { // the administrator's connections are pgdriver's, which refuses these
				settings = slices.DeleteFunc(settings, func(s string) bool { return strings.HasPrefix(s, "standard") || strings.HasPrefix(s, "client") })
			}
			settle(t, of, settings...)
			tenth, fifth := 0.1, 0.2
			e := open(t, cluster.Primary.URI(), one)
			reader := open(t, cluster.Replicas[0].URI(), one, binds.As(binds.Reader))
			native, err := e.Native()
			require.NoError(t, err)
			at := time.Date(2024, 3, 10, 7, 30, 0, 123456000, time.UTC)
			for who, query := range map[string]func(dest ...any) error{
				"writer": func(dest ...any) error { return e.DB().QueryRowContext(t.Context(), defaultsQuery).Scan(dest...) },
				"reader": func(dest ...any) error { return reader.DB().QueryRowContext(t.Context(), defaultsQuery).Scan(dest...) },
				"native": func(dest ...any) error { return native.QueryRowContext(t.Context(), defaultsQuery).Scan(dest...) },
				"with an argument": func(dest ...any) error {
					return e.DB().QueryRowContext(t.Context(), defaultsQuery+" WHERE 1 = $1", 1).Scan(dest...)
				},
			} {
				var f float64
				var f4 float32
				var b []byte
				var text string
				var got, local time.Time
				require.NoError(t, query(&f, &f4, &b, &text, &got, &local), who)
				assert.Equal(t, math.Float64bits(tenth+fifth), math.Float64bits(f), who)
				assert.Equal(t, float32(1.0)/3, f4, who)
				assert.Equal(t, []byte{0, 'a', '\\', 0xff}, b, who)
				assert.Equal(t, `it's \n é`, text, who)
				assert.True(t, at.Equal(got), "%s: %v", who, got)
				assert.Equal(t, time.Date(2024, 2, 1, 1, 2, 3, 0, time.UTC), local, who)
			}
			var back string
			require.NoError(t, e.DB().QueryRowContext(t.Context(), "SELECT ($1 = 0.1::float8 + 0.2::float8)::text || ($2 = '\\x00615cff'::bytea)::text || ($3 = '2024-03-10 07:30:00.123456+00'::timestamptz)::text",
				tenth+fifth, []byte{0, 'a', '\\', 0xff}, at).Scan(&back))
			assert.Equal(t, "truetruetrue", back)
		})
	}
}

const defaultsQuery = `SELECT 0.1::float8 + 0.2::float8, (1.0 / 3)::float4, '\x00615cff'::bytea, 'it''s \n é', '2024-03-10 07:30:00.123456+00'::timestamptz, '2024-02-01 01:02:03'::timestamp`

// A hot standby runs nothing in a SERIALIZABLE transaction: where that is the default, readers read all the same.
func TestDefaults_serializableOnAStandby(t *testing.T) {
	settle(t, "ROLE app", "default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on")
	for _, role := range []binds.Role{binds.Reader, binds.Writer} { // a writer's address may lead to a standby, and must tell so
		e := open(t, cluster.Replicas[0].URI(), binds.As(role))
		assert.Equal(t, "true", value(t, e, "SELECT pg_is_in_recovery()::text"), role)
		tx, err := e.DB().BeginTx(t.Context(), nil)
		require.NoError(t, err)
		var level string
		require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT current_setting('transaction_isolation')").Scan(&level))
		assert.Equal(t, "repeatable read", level)
		require.NoError(t, tx.Commit())
		p, err := binds.ProveConn(t.Context(), Driver{}, connect(t, e))
		require.NoError(t, err)
		assert.False(t, p.Primary)
		assert.NoError(t, p.Doubt)
		native, err := e.Native()
		require.NoError(t, err)
		assert.NoError(t, native.PingContext(t.Context()))
	}
	w := open(t, cluster.Primary.URI())
	assert.Equal(t, "serializable", value(t, w, "SELECT current_setting('transaction_isolation')"), "the writer's is as it was")
}

// A writer whose sessions are read-only by default says which setting that is, and its server counts as what it is: a primary.
func TestDefaults_readOnlyWriter(t *testing.T) {
	admins := open(t, cluster.Primary.URI(), one)
	table(t, admins, "frozen (n int)")
	for _, of := range []string{"ROLE app", "DATABASE app"} {
		t.Run(of, func(t *testing.T) {
			settle(t, of, "default_transaction_read_only = on")
			e := open(t, cluster.Primary.URI(), one)
			var named *binds.ReadOnlyDefaultError
			for _, args := range [][]any{nil, {1}, {[]byte("1")}} {
				query := "INSERT INTO frozen VALUES (1)"
				if args != nil {
					query = "INSERT INTO frozen VALUES ($1)"
				}
				_, err := e.DB().ExecContext(t.Context(), query, args...)
				require.ErrorAs(t, err, &named)
				assert.Equal(t, "default_transaction_read_only", named.Setting)
				assert.Equal(t, "25006", codeOf(err))
				assert.Equal(t, binds.Refused, e.Classify(err), "the server was not demoted")
				_, err = e.DB().QueryContext(t.Context(), query+" RETURNING n", args...)
				assert.ErrorAs(t, err, &named)
			}
			tx, err := e.DB().BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "INSERT INTO frozen VALUES (1)")
			if since(14) { // the server reports the setting
				assert.ErrorAs(t, err, &named)
			}
			require.NoError(t, tx.Rollback())
			exec(t, e, "BEGIN READ WRITE; INSERT INTO frozen VALUES (1); COMMIT")
		})
	}
	e := open(t, cluster.Primary.URI(), one)
	tx, err := e.DB().BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO frozen VALUES (1)")
	assert.Equal(t, binds.ReadOnly, e.Classify(err), "it is the transaction's own")
	require.NoError(t, tx.Rollback())
}
