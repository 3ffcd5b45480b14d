package pgbind

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

const active = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state = 'active' AND query <> '" + plainQuestion + "'"

// soon fails a test whose statement outlives its context by far. Statements here last a minute.
const soon = 5 * time.Second

// within runs do, ends its context once the server is at work, and returns how long do took from
// there, and its error.
func within(t *testing.T, do func(context.Context) error) (time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	eventually(t, "1", active)
	cancel()
	since := time.Now()
	select {
	case err := <-done:
		return time.Since(since), err
	case <-time.After(soon):
		require.Fail(t, "the statement outlived its context")
		return 0, nil
	}
}

func sleeps(e *binds.Engine) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := e.DB().ExecContext(ctx, "SELECT pg_sleep(60)")
		return err
	}
}

// The server stops too, over TLS and a socket as over plain TCP, and its answer is the proof.
func TestCancel(t *testing.T) {
	for reason, uri := range map[string]string{
		"plain":       cluster.Primary.URI(),
		"TLS":         with(t, cluster.Primary.URI(), "sslmode", "verify-full", "sslrootcert", cluster.TLS().CA),
		"TLS 1.2":     with(t, cluster.Primary.URI(), "sslmode", "require", "ssl_max_protocol_version", "TLSv1.2"),
		"Unix socket": cluster.Primary.SocketURI(),
	} {
		t.Run(reason, func(t *testing.T) {
			e := open(t, uri, one)
			require.Eventually(t, func() bool {
				took, err := within(t, sleeps(e))
				t.Logf("returned after %v", took)
				require.ErrorIs(t, err, context.Canceled)
				var canceled *CanceledError
				require.ErrorAs(t, err, &canceled)
				eventually(t, "0", active)
				assert.Equal(t, "1", value(t, e, "SELECT 1"))
				var answer pgdriver.Error
				if !errors.As(err, &answer) { // on a machine too busy for the grace
					assert.Equal(t, binds.Unknown, e.Classify(err))
					return false
				}
				assert.Equal(t, "57014", answer.Field('C'))
				assert.Equal(t, binds.Canceled, e.Classify(err))
				return true
			}, time.Minute, time.Millisecond)
		})
	}
}

// A server that answers nothing holds nobody up: not its callers, not a roll-back, not Close.
func TestCancel_frozen(t *testing.T) {
	for reason, parameters := range map[string][]string{
		"plain": nil,
		"TLS":   {"sslmode", "require"},
	} {
		t.Run(reason, func(t *testing.T) {
			e := open(t, with(t, cluster.Primary.URI(), parameters...))
			require.NoError(t, e.Ping(t.Context()))
			tx, err := e.DB().BeginTx(t.Context(), nil)
			require.NoError(t, err)
			require.NoError(t, cluster.Primary.Freeze())
			thaw := func() { require.NoError(t, cluster.Primary.Thaw()) }
			defer thaw()

			for what, do := range map[string]func(context.Context) error{
				"Exec": sleeps(e),
				"Ping": e.Ping,
				"Query": func(ctx context.Context) error {
					rows, err := e.DB().QueryContext(ctx, "SELECT 1")
					return errors.Join(err, closeRows(rows))
				},
				"Exec in a transaction": func(ctx context.Context) error {
					_, err := tx.ExecContext(ctx, "SELECT 1")
					return err
				},
				"a large Exec": func(ctx context.Context) error { // more than the system's buffers hold
					_, err := e.DB().ExecContext(ctx, "SELECT '"+strings.Repeat("x", 64<<20)+"'")
					return err
				},
			} {
				ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
				done := make(chan error, 1)
				go func() { done <- do(ctx) }()
				<-ctx.Done()
				since := time.Now()
				select {
				case err := <-done:
					t.Logf("%s returned %v after its deadline", what, time.Since(since))
					assert.ErrorIs(t, err, context.DeadlineExceeded, what)
				case <-time.After(soon):
					require.Fail(t, "hangs", what)
				}
				stop()
			}
			_ = tx.Rollback() // of a connection that is gone
		})
	}
}

func closeRows(rows *sql.Rows) error {
	if rows == nil {
		return nil
	}
	return rows.Close()
}

// Rollback has no context, and must not wait for a server that hangs; nor may COMMIT, beyond the
// context of its transaction.
func TestTx_frozen(t *testing.T) {
	e := open(t, cluster.Primary.URI())
	ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	c, err := e.Connector().Connect(t.Context())
	require.NoError(t, err)
	tx, err := c.(*conn).BeginTx(ctx, noOptions)
	require.NoError(t, err)
	d, err := e.Connector().Connect(t.Context())
	require.NoError(t, err)
	back, err := d.(*conn).BeginTx(t.Context(), noOptions)
	require.NoError(t, err)

	require.NoError(t, cluster.Primary.Freeze())
	defer func() { require.NoError(t, cluster.Primary.Thaw()) }()
	assert.ErrorIs(t, back.Rollback(), context.DeadlineExceeded)
	assert.ErrorIs(t, tx.Commit(), context.DeadlineExceeded)
	assert.False(t, c.(*conn).IsValid())
	assert.False(t, d.(*conn).IsValid())
	require.NoError(t, c.Close())
	require.NoError(t, d.Close())
}

// Connecting ends with connect_timeout and with the caller's context, whatever the server does.
func TestConnect_frozen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	for _, mode := range []string{"disable", "require"} {
		e := open(t, "postgres://app@"+l.Addr().String()+"/app?connect_timeout=200ms&sslmode="+mode)
		err = e.Ping(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "connect_timeout (200ms)")
		assert.Equal(t, binds.NotSent, e.Classify(err))

		e = open(t, "postgres://app@"+l.Addr().String()+"/app?connect_timeout=0&sslmode="+mode)
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err = e.Ping(ctx)
		stop()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotContains(t, err.Error(), "connect_timeout")
	}
}

// A read_timeout ends a long statement; without one nothing does.
func TestReadTimeout(t *testing.T) {
	e := open(t, with(t, cluster.Primary.URI(), "read_timeout", "500ms"))
	_, err := e.DB().ExecContext(t.Context(), "SELECT pg_sleep(60)")
	require.Error(t, err)
	assert.Equal(t, binds.Unknown, e.Classify(err))
	_, err = e.DB().ExecContext(context.Background(), "SELECT pg_sleep(60)")
	require.Error(t, err)
	assert.Equal(t, binds.Unknown, e.Classify(err))
	_, err = admin.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
	require.NoError(t, err)
	eventually(t, "0", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")
}

// Rows that nobody reads are stopped by their context as well.
func TestCancel_unreadRows(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, err := e.DB().QueryContext(ctx, "SELECT repeat('x', 10000), pg_sleep(0.5) FROM generate_series(1, 100)")
	require.NoError(t, err)
	require.True(t, rows.Next())
	cancel()
	eventually(t, "0", active)
	assert.ErrorIs(t, rows.Err(), context.Canceled)
	require.NoError(t, rows.Close())
	assert.Equal(t, "1", value(t, e, "SELECT 1"))
}
