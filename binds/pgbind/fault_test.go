package pgbind

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

// answered is an error as a server sends it: pgdriver gives no other way to make one.
func answered(t *testing.T, severity, code, message, routine string) pgdriver.Error {
	t.Helper()
	client, server := net.Pipe()
	fields := "V" + severity + "\x00S" + severity + "\x00C" + code + "\x00M" + message + "\x00R" + routine + "\x00\x00"
	go func() {
		_, _ = server.Read(make([]byte, 1024)) // the start-up message
		n := len(fields) + 4
		_, _ = server.Write(append([]byte{'E', 0, 0, byte(n >> 8), byte(n)}, fields...))
	}()
	_, err := pgdriver.NewConnector(pgdriver.WithConfig(&pgdriver.Config{
		User: "u", BufferSize: 4096,
		Dialer: func(context.Context, string, string) (net.Conn, error) { return client, nil },
	})).Connect(t.Context())
	var e pgdriver.Error
	require.ErrorAs(t, err, &e)
	require.NoError(t, errors.Join(client.Close(), server.Close()))
	return e
}

func TestClassify(t *testing.T) {
	e := func(severity, code string) error { return answered(t, severity, code, "m", "r") }
	conflict := func(severity, message, routine string) error {
		return answered(t, severity, "40001", message, routine)
	}
	standby := func(code, message, routine string) error { return answered(t, "ERROR", code, message, routine) }
	connect := func(err error) error { return &binds.ConnectError{Engine: "main", Err: err} }
	for reason, row := range map[string]struct {
		err  error
		want binds.Fault
	}{
		"a unique violation":              {e("ERROR", "23505"), binds.Refused},
		"bad syntax":                      {e("ERROR", "42601"), binds.Refused},
		"a failed transaction":            {e("ERROR", "25P02"), binds.Refused},
		"a lock_timeout, or NOWAIT":       {e("ERROR", "55P03"), binds.Retryable},
		"a feature that is not there":     {e("ERROR", "0A000"), binds.Refused},
		"an unlogged table on a standby":  {standby("0A000", "cannot access temporary or unlogged relations during recovery", "x"), binds.ReadOnly},
		"an unlogged table, in German":    {standby("0A000", "auf ungeloggte Relationen kann nicht zugegriffen werden", "get_relation_info"), binds.ReadOnly},
		"the log of a standby":            {standby("55000", "recovery is in progress", "x"), binds.ReadOnly},
		"the log of a standby, in German": {standby("55000", "Wiederherstellung läuft", "pg_current_wal_lsn"), binds.ReadOnly},
		"a lock of a standby": {standby("55000", "cannot acquire lock mode AccessExclusiveLock on database objects while recovery is in progress", "x"),
			binds.ReadOnly},
		"what only a standby does":                  {standby("55000", "recovery is not in progress", "pg_wal_replay_pause"), binds.Refused},
		"a sequence that was not read yet":          {standby("55000", "currval of sequence is not yet defined in this session", "currval_oid"), binds.Refused},
		"no object identifiers on a standby":        {standby("XX000", "cannot assign OIDs during recovery", "GetNewObjectId"), binds.ReadOnly},
		"another internal error":                    {standby("XX000", "cache lookup failed for relation 1", "get_relation_info"), binds.Refused},
		"a syntax error that speaks of it":          {standby("42601", "recovery is in progress", "get_relation_info"), binds.Refused},
		"a write on a read-only session":            {e("ERROR", "25006"), binds.ReadOnly},
		"a serialization failure":                   {e("ERROR", "40001"), binds.Retryable},
		"a deadlock":                                {e("ERROR", "40P01"), binds.Retryable},
		"a recovery conflict":                       {conflict("ERROR", "canceling statement due to conflict with recovery", "x"), binds.RecoveryConflict},
		"a recovery conflict, in German":            {conflict("ERROR", "storniere Anfrage wegen Konflikt", "ProcessInterrupts"), binds.RecoveryConflict},
		"a recovery conflict of PostgreSQL 17":      {conflict("ERROR", "x", "ProcessRecoveryConflictInterrupt"), binds.RecoveryConflict},
		"a recovery conflict that ends the session": {conflict("FATAL", "terminating connection due to conflict with recovery", "ProcessInterrupts"), binds.RecoveryConflict},
		"canceled":                               {e("ERROR", "57014"), binds.Canceled},
		"canceled by its context":                {&CanceledError{context.Canceled, e("ERROR", "57014")}, binds.Canceled},
		"canceled without an answer":             {&CanceledError{Err: context.DeadlineExceeded}, binds.Unknown},
		"ended by an administrator":              {e("FATAL", "57P01"), binds.Unknown},
		"a crash elsewhere":                      {e("FATAL", "57P02"), binds.Unknown},
		"an idle_session_timeout":                {e("FATAL", "57P05"), binds.NotSent},
		"the same, for database/sql":             {&idleError{e("FATAL", "57P05")}, binds.NotSent},
		"an idle_in_transaction_session_timeout": {e("FATAL", "25P03"), binds.NotSent},
		"a transaction_timeout":                  {e("FATAL", "25P04"), binds.SessionEnded},
		"a transaction_timeout, when connecting": {connect(e("FATAL", "25P04")), binds.NotSent},
		"a panic":                                {e("PANIC", "XX000"), binds.Unknown},
		"a commit of unknown outcome":            {e("ERROR", "08007"), binds.Unknown},
		"a completion unknown":                   {e("ERROR", "40003"), binds.Unknown},
		"starting up":                            {e("FATAL", "57P03"), binds.Busy},
		"starting up, when connecting":           {connect(e("FATAL", "57P03")), binds.Busy},
		"too many connections, when connecting":  {connect(e("FATAL", "53300")), binds.Busy},
		"a wrong password":                       {connect(e("FATAL", "28P01")), binds.NotSent},
		"ended while connecting":                 {connect(e("FATAL", "57P01")), binds.NotSent},
		"no TLS":                                 {connect(ErrNoTLS), binds.NotSent},
		"a bad connection":                       {driver.ErrBadConn, binds.NotSent},
		"refused by the network":                 {&net.OpError{Op: "dial", Err: errors.New("refused")}, binds.NotSent},
		"the end of the stream":                  {io.EOF, binds.Unknown},
		"the end of the stream under rows":       {io.ErrUnexpectedEOF, binds.Unknown},
		"a read that timed out":                  {&net.OpError{Op: "read", Err: context.DeadlineExceeded}, binds.Unknown},
		"an answer nobody understands":           {&lostError{errors.New("unexpected message 'H'")}, binds.Unknown},
		"a commit that rolled back":              {ErrRolledBack, binds.Refused},
		"serializable on a standby":              {ErrSerializableOnStandby, binds.Refused},
		"rows open":                              {ErrRowsOpen, binds.Refused},
		"no rows":                                {sql.ErrNoRows, binds.Unclassified},
		"an error of the caller's":               {errors.New("x"), binds.Unclassified},
		"none":                                   {nil, binds.Unclassified},
	} {
		t.Run(reason, func(t *testing.T) {
			assert.Equal(t, row.want.String(), Driver{}.Classify(row.err).String())
			if row.err != nil {
				assert.Equal(t, row.want.String(), Driver{}.Classify(fmt.Errorf("shop: %w", row.err)).String())
			}
		})
	}
}

// A standby that gives up a statement because replay needs its rows.
func TestClassify_recoveryConflict(t *testing.T) {
	w := open(t, cluster.Primary.URI())
	r := open(t, cluster.Replicas[0].URI(), binds.As(binds.Reader))
	exec(t, w, "CREATE TABLE conflict (n int)", "INSERT INTO conflict SELECT generate_series(1, 1000)")
	defer exec(t, w, "DROP TABLE conflict")
	require.NoError(t, cluster.WaitReplayed(t.Context()))

	shortenDelay(t, w)

	conflict := func(then func(*sql.Tx) error) error {
		tx, err := r.DB().BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		require.NoError(t, err)
		defer func() { _ = tx.Rollback() }()
		var n int
		require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM conflict").Scan(&n))
		exec(t, w, "UPDATE conflict SET n = n + 1", "VACUUM conflict", "INSERT INTO conflict VALUES (0)") // the last is flushed at once
		return then(tx)
	}
	t.Run("ends the statement", func(t *testing.T) {
		err := conflict(func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), "SELECT pg_sleep(60)")
			return err
		})
		require.Error(t, err)
		assert.Equal(t, binds.RecoveryConflict, r.Classify(err), "%v", err)
	})
	t.Run("ends the idle session", func(t *testing.T) {
		err := conflict(func(tx *sql.Tx) error {
			require.Eventually(t, func() bool {
				n, err := cluster.Replicas[0].QueryString(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")
				return err == nil && n == "0" // it may be in conflict itself
			}, soon, soon/100, "the standby ends the session")
			_, err := tx.ExecContext(t.Context(), "SELECT 1")
			return err
		})
		require.Error(t, err)
		assert.Equal(t, binds.RecoveryConflict, r.Classify(err), "%v", err)
	})
	assert.Equal(t, "1", value(t, r, "SELECT 1"))
}

// shortenDelay makes the standby give up reads soon, and waits until its replay knows.
func shortenDelay(t *testing.T, w *binds.Engine) {
	t.Helper()
	set := func(setting string) {
		for _, q := range []string{setting, "SELECT pg_reload_conf()"} {
			require.NoError(t, cluster.Replicas[0].Exec(context.Background(), q))
		}
	}
	set("ALTER SYSTEM SET max_standby_streaming_delay = '200ms'")
	t.Cleanup(func() { set("ALTER SYSTEM RESET max_standby_streaming_delay") })
	require.Eventually(t, func() bool {
		v, err := cluster.Replicas[0].QueryString(t.Context(), "SHOW max_standby_streaming_delay")
		return err == nil && v == "200ms"
	}, soon, soon/100)
	exec(t, w, "INSERT INTO conflict VALUES (0)") // replay reads its settings before each record
	require.NoError(t, cluster.WaitReplayed(t.Context()))
}

// A server with no room for one more session.
func TestClassify_busy(t *testing.T) {
	_, err := admin.ExecContext(t.Context(), "ALTER ROLE app CONNECTION LIMIT 1")
	require.NoError(t, err)
	defer func() {
		_, err := admin.ExecContext(context.Background(), "ALTER ROLE app CONNECTION LIMIT -1")
		require.NoError(t, err)
	}()
	e := open(t, cluster.Primary.URI())
	var c *sql.Conn
	require.Eventually(t, func() bool { // the server may be at the end of another test's connections
		c, err = e.DB().Conn(t.Context())
		return err == nil
	}, 20*time.Second, time.Millisecond)
	_, err = e.DB().ExecContext(t.Context(), "SELECT 1")
	assert.Equal(t, binds.Busy, e.Classify(err), "%v", err)
	require.NoError(t, c.Close())
}

// A statement of which nothing could be sent says so, and takes its connection out of the pool.
func TestNotSent(t *testing.T) {
	e := open(t, cluster.Primary.URI())
	for what, do := range map[string]func(*conn) error{
		"Exec":    func(c *conn) error { _, err := c.ExecContext(t.Context(), "SELECT 1", nil); return err },
		"Query":   func(c *conn) error { _, err := c.QueryContext(t.Context(), "SELECT 1", nil); return err },
		"Begin":   func(c *conn) error { _, err := c.BeginTx(t.Context(), noOptions); return err },
		"Ping":    func(c *conn) error { return c.Ping(t.Context()) },
		"Prepare": func(c *conn) error { _, err := c.PrepareContext(t.Context(), "SELECT 1"); return err },
	} {
		dc, err := e.Connector().Connect(t.Context())
		require.NoError(t, err)
		c := dc.(*conn)
		require.NoError(t, c.wire.socket.Conn.Close())
		require.ErrorIs(t, do(c), driver.ErrBadConn, what)
		assert.False(t, c.IsValid(), what)
		_ = c.Close() // closed already
	}
}

// What was not sent may be sent again: database/sql does, once it hears ErrBadConn. What was sent
// may not.
func TestNotSentTwice(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	exec(t, e, "CREATE TABLE twice (n int)")
	defer exec(t, e, "DROP TABLE twice")
	pid := value(t, e, "SELECT pg_backend_pid()")
	done := make(chan error, 1)
	go func() {
		_, err := e.DB().ExecContext(t.Context(), "INSERT INTO twice SELECT 1 FROM pg_sleep(60)")
		done <- err
	}()
	eventually(t, "1", active)
	err := terminate(t.Context(), pid)
	require.NoError(t, err)
	select {
	case err = <-done:
	case <-time.After(soon):
		require.Fail(t, "hangs: sent twice?")
	}
	require.Error(t, err)
	assert.Equal(t, binds.Unknown, e.Classify(err), "%v", err)
	assert.Equal(t, "0", value(t, e, "SELECT count(*) FROM twice"))
}

// Limits of the server's settings that end one session alone.
func TestClassify_sessionEnded(t *testing.T) {
	e := open(t, cluster.Primary.URI())
	exec(t, e, "CREATE TABLE ended (n int)")
	defer exec(t, e, "DROP TABLE ended")
	pinned := func(t *testing.T, setting string) (*sql.Conn, string) {
		c, err := e.DB().Conn(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() }) // it is gone
		_, err = c.ExecContext(t.Context(), "SET "+setting)
		require.NoError(t, err)
		var pid string
		require.NoError(t, c.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
		return c, pid
	}
	gone := func(t *testing.T, pid string) {
		eventually(t, "0", "SELECT count(*) FROM pg_stat_activity WHERE pid = "+pid)
	}
	t.Run("transaction_timeout", func(t *testing.T) {
		if !cluster.Primary.Version().AtLeast("PostgreSQL", 17) {
			t.Skip("since PostgreSQL 17")
		}
		for _, q := range []string{"SELECT pg_sleep(60)", "INSERT INTO ended SELECT 1 FROM pg_sleep(60)"} {
			c, _ := pinned(t, "transaction_timeout = '100ms'")
			_, err := c.ExecContext(t.Context(), q)
			require.ErrorContains(t, err, "25P04")
			assert.Equal(t, binds.SessionEnded.String(), e.Classify(err).String(), "%v", err)
		}
	})
	t.Run("idle_in_transaction_session_timeout", func(t *testing.T) {
		c, pid := pinned(t, "idle_in_transaction_session_timeout = '50ms'")
		tx, err := c.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "INSERT INTO ended VALUES (1)")
		require.NoError(t, err)
		gone(t, pid)
		_, err = tx.ExecContext(t.Context(), "INSERT INTO ended VALUES (2)")
		require.ErrorContains(t, err, "25P03")
		assert.Equal(t, binds.NotSent.String(), e.Classify(err).String(), "%v", err)
		breaks, whole := Driver{}.BreaksTx(err)
		assert.True(t, breaks && whole, "no savepoint is left")
		_ = tx.Rollback() // of a connection that is gone
	})
	t.Run("idle_session_timeout", func(t *testing.T) {
		if !cluster.Primary.Version().AtLeast("PostgreSQL", 14) {
			t.Skip("since PostgreSQL 14")
		}
		c, pid := pinned(t, "idle_session_timeout = '50ms'")
		gone(t, pid)
		_, err := c.ExecContext(t.Context(), "INSERT INTO ended VALUES (3)")
		require.ErrorContains(t, err, "57P05")
		require.ErrorIs(t, err, driver.ErrBadConn, "database/sql takes another connection")
		assert.Equal(t, binds.NotSent.String(), e.Classify(err).String(), "%v", err)
	})
	assert.Equal(t, "0", value(t, e, "SELECT count(*) FROM ended"), "nothing was carried out")
}
