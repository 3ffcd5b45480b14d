package mysqlbind_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// A session is what Go and Bun expect, however the server is set.
func TestSessionOnUnfriendlyServer(t *testing.T) {
	global(t, "time_zone", "'+05:30'")
	global(t, "sql_mode", "'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
	global(t, "autocommit", "0")
	global(t, "character_set_server", "latin1")
	e := writer(t, "")
	native, err := e.Native()
	require.NoError(t, err)
	for name, db := range map[string]*sql.DB{"the pool": e.DB(), "the native pool": native} {
		t.Run(name, func(t *testing.T) {
			var zone, mode, auto, charset string
			require.NoError(t, db.QueryRowContext(bounded(t),
				"SELECT @@time_zone, @@sql_mode, @@autocommit, @@character_set_client").Scan(&zone, &mode, &auto, &charset))
			assert.Equal(t, "+00:00", zone)
			assert.NotContains(t, mode, "NO_BACKSLASH_ESCAPES")
			assert.Contains(t, mode, "ANSI_QUOTES", "the rest of the mode is the server's")
			assert.Equal(t, "1", auto)
			assert.Equal(t, "utf8mb4", charset)
		})
	}
	table(t, e, "my_times", "id INT PRIMARY KEY, ts TIMESTAMP(6) NULL, dt DATETIME(6)")
	now := time.Now()
	exec(t, e, "INSERT INTO my_times VALUES (1, NOW(6), NOW(6))")
	var ts, dt time.Time
	require.NoError(t, e.DB().QueryRowContext(bounded(t), "SELECT ts, dt FROM my_times").Scan(&ts, &dt))
	assert.WithinDuration(t, now, ts, time.Minute)
	assert.WithinDuration(t, now, dt, time.Minute)
	assert.Equal(t, time.UTC, dt.Location())
}

// global sets a variable of the primary for the sessions to come, until the test ends.
func global(t *testing.T, name, value string) {
	t.Helper()
	old, err := cluster.Primary.QueryString(bounded(t), "SELECT QUOTE(@@global."+name+")")
	require.NoError(t, err)
	require.NoError(t, cluster.Primary.Exec(bounded(t), "SET GLOBAL "+name+" = "+value))
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if number := strings.Trim(old, "'"); number != "" && strings.Trim(number, "0123456789") == "" {
			old = number
		}
		// The server counts a connection for a moment after its client has closed it: max_connections may still be reached.
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			require.NoError(t, cluster.Primary.Exec(ctx, "SET GLOBAL "+name+" = "+old))
		}, 30*time.Second, 10*time.Millisecond)
	})
}

func TestSessionParameters(t *testing.T) {
	e := writer(t, "?collation=utf8mb4_bin&sql_mode=ANSI&program_name=my-shop&compress=1&max_allowed_packet=0&interpolate_params=1")
	assert.Equal(t, "utf8mb4_bin", value(t, e, "SELECT @@collation_connection"))
	assert.Contains(t, value(t, e, "SELECT @@sql_mode"), "ANSI")
	long := strings.Repeat("long ", 1<<18)
	var got string
	require.NoError(t, e.DB().QueryRowContext(bounded(t), "SELECT ?", long).Scan(&got), "compressed, argument in the text")
	assert.Equal(t, long, got)
}

func TestSessionThatCannotBeSetUp(t *testing.T) {
	e := writer(t, "?collation=utf8mb4_nonesuch_ci")
	err := e.Ping(bounded(t))
	require.ErrorContains(t, err, "mysqlbind: set up the session: Error 1273")
	assert.Equal(t, binds.NotSent, e.Classify(err))
}

// RowsAffected counts matched rows.
func TestRowsAffected(t *testing.T) {
	e := writer(t, "")
	table(t, e, "my_rows", "id INT PRIMARY KEY, n INT")
	exec(t, e, "INSERT INTO my_rows VALUES (1, 1)")
	res, err := e.DB().ExecContext(bounded(t), "UPDATE my_rows SET n = 1 WHERE id = 1")
	require.NoError(t, err)
	n, err := res.RowsAffected()
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

func TestSocket(t *testing.T) {
	e := engine(t, cluster.Primary.SocketURI())
	assert.Equal(t, "1", value(t, e, "SELECT 1"))
	host := value(t, e, "SELECT HOST FROM "+server().processes+" WHERE ID = CONNECTION_ID()")
	assert.Equal(t, "localhost", host, "a session by TCP has a port")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := e.DB().ExecContext(ctx, endless("my-socket"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	gone(t, "my-socket")
}

// A server without a connection to spare says so: try again later.
func TestTooManyConnections(t *testing.T) {
	global(t, "max_connections", "10")
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 30}))
	var err error
	for range 30 {
		var c *sql.Conn
		if c, err = e.DB().Conn(bounded(t)); err != nil {
			break
		}
		defer func() { _ = c.Close() }() // the engine's end would do
	}
	require.Error(t, err)
	assert.Equal(t, binds.Busy, e.Classify(err))
}
