package pgbind

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

const (
	pidQuery  = "SELECT pg_backend_pid()"
	beltQuery = "SELECT current_setting('default_transaction_read_only')"
)

// ways are URIs that reach the primary in the ways that differ below the protocol.
func ways(t *testing.T) map[string]string {
	return map[string]string{
		"plain":       cluster.Primary.URI(),
		"TLS":         with(t, cluster.Primary.URI(), "sslmode", "require"),
		"Unix socket": cluster.Primary.SocketURI(),
	}
}

// A session that ended while idle is replaced, whatever lies between.
func TestReset_dead(t *testing.T) {
	for reason, uri := range ways(t) {
		t.Run(reason, func(t *testing.T) {
			e := open(t, uri, one)
			pid := value(t, e, pidQuery)
			require.NoError(t, terminate(t.Context(), pid))
			assert.NotEqual(t, pid, value(t, e, pidQuery))
		})
	}
}

// What a server says of its own accord on an idle connection is read when the connection is taken
// from the pool, decides over it, and is not lost.
func TestLook(t *testing.T) {
	status := message('S', "TimeZone\x00UTC\x00")
	for reason, row := range map[string]struct {
		sent  []byte
		alive bool
	}{
		"nothing":                       {nil, true},
		"a changed setting":             {status, true},
		"a notice":                      {message('N', "SNOTICE\x00\x00"), true},
		"many of them":                  {bytes.Repeat(status, 1000), true},
		"half of one":                   {status[:7], true},
		"a farewell":                    {message('E', "SFATAL\x00C57P01\x00\x00"), false},
		"a changed setting, a farewell": {stream(status, message('E', "SFATAL\x00\x00")), false},
		"a notification":                {message('A', "\x00\x00\x00\x01c\x00\x00"), false},
		"an answer to nothing":          {message('Z', "I"), false},
	} {
		t.Run(reason, func(t *testing.T) {
			w, server := idleWire(t)
			_, err := server.Write(row.sent)
			require.NoError(t, err)
			if len(row.sent) > 0 {
				require.Eventually(t, w.poll.readable, soon, soon/1000)
			}
			require.Equal(t, row.alive, w.look() == nil)
			if !row.alive {
				return
			}
			got := make([]byte, len(row.sent))
			_, err = io.ReadFull(iotest.OneByteReader(w), got)
			require.NoError(t, err)
			assert.Equal(t, string(row.sent), string(got))
			assert.True(t, w.idle(), "the tap saw something twice")
		})
	}
	t.Run("the end", func(t *testing.T) {
		w, server := idleWire(t)
		require.NoError(t, server.Close())
		require.Eventually(t, w.poll.readable, soon, soon/1000)
		require.Error(t, w.look())
	})
}

// idleWire is a wire to a server that the test plays, logged in and idle.
func idleWire(t *testing.T) (*wire, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	server, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	w := &wire{tap: *tapped(), socket: &socket{Conn: client}}
	w.stream = w.socket
	w.poll.watch(client)
	return w, server
}

// The server's own word counts where the text does not tell: a function has set something. It is a new session's again, whatever
// else has changed meanwhile.
func TestReset_reported(t *testing.T) {
	w := open(t, cluster.Primary.URI(), one)
	_, err := w.DB().ExecContext(t.Context(), "CREATE FUNCTION reset_zone(zone text, local boolean) RETURNS text LANGUAGE sql"+
		" AS $$ SELECT set_config('TimeZone', zone, local) $$")
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := w.DB().ExecContext(context.WithoutCancel(t.Context()), "DROP FUNCTION reset_zone")
		assert.NoError(t, err)
	})
	zone, pid := value(t, w, "SHOW TimeZone"), value(t, w, pidQuery)
	require.NotEqual(t, "Asia/Tokyo", zone)

	assert.Equal(t, "Asia/Tokyo", value(t, w, "SELECT reset_zone('Asia/Tokyo', true)"))
	assert.Equal(t, pid, value(t, w, pidQuery), "what ends with its transaction is reported as over")
	assert.Equal(t, "Asia/Tokyo", value(t, w, "SELECT reset_zone('Asia/Tokyo', false)"))
	assert.Equal(t, zone, value(t, w, "SHOW TimeZone"))
	assert.NotEqual(t, pid, value(t, w, pidQuery))
}

// A reader's connection does not come back without its belt: a native one has it put back on in its session, any other is
// replaced as all are whose session a statement has changed.
func TestReset_belt(t *testing.T) {
	for reason, uri := range ways(t) {
		t.Run(reason, func(t *testing.T) {
			e := open(t, uri, binds.As(binds.Reader), one)
			native, err := e.Native()
			require.NoError(t, err)
			native.SetMaxOpenConns(1)
			for _, db := range []*sql.DB{e.DB(), native} {
				var pid, again, belt string
				require.NoError(t, db.QueryRowContext(t.Context(), pidQuery).Scan(&pid))
				for _, q := range []string{"SET default_transaction_read_only = off", "RESET ALL", "DISCARD ALL"} {
					_, err := db.ExecContext(t.Context(), q)
					require.NoError(t, err)
					require.NoError(t, db.QueryRowContext(t.Context(), beltQuery).Scan(&belt))
					assert.Equal(t, "on", belt, q)
				}
				require.NoError(t, db.QueryRowContext(t.Context(), pidQuery).Scan(&again))
				assert.Equal(t, db == native, pid == again, "the session is kept")
			}
		})
	}
	assert.Equal(t, "off", value(t, open(t, cluster.Primary.URI()), beltQuery), "a writer has none")
}

// No option of the URI takes the belt off.
func TestReset_options(t *testing.T) {
	uri := with(t, cluster.Primary.URI(), "options", "-c default_transaction_read_only=off -c work_mem=7MB")
	e := open(t, uri, binds.As(binds.Reader))
	assert.Equal(t, "on", value(t, e, beltQuery))
	assert.Equal(t, "7MB", value(t, e, "SHOW work_mem"))
}

// A server that reports nothing of the belt, one before PostgreSQL 14 or behind a pooler, is told
// each time.
func TestReset_unreported(t *testing.T) {
	e := open(t, cluster.Primary.URI(), binds.As(binds.Reader))
	c, err := e.Connector().Connect(t.Context())
	require.NoError(t, err)
	w := c.(*conn).wire
	require.NoError(t, w.begin(t.Context(), true))
	_, err = c.(*conn).pg.ExecContext(t.Context(), "SET default_transaction_read_only = off", nil) // as a function may, unseen
	require.NoError(t, err)
	w.finish()
	w.belt, w.settings, w.differs = unreported, nil, false
	require.NoError(t, c.(driver.SessionResetter).ResetSession(t.Context()))
	if since(14) {
		assert.Equal(t, isOn, w.belt)
	}
	rows, err := c.(driver.QueryerContext).QueryContext(t.Context(), "SHOW default_transaction_read_only", nil)
	require.NoError(t, err)
	row := make([]driver.Value, 1)
	require.NoError(t, rows.Next(row))
	assert.Equal(t, "on", fmt.Sprintf("%s", row[0]), "whether the server says so or not")
	require.NoError(t, rows.Close())
	require.NoError(t, c.Close())
}

// Settings of the start-up message come to the server as they are, and RESET ALL goes back to them.
func TestStartup(t *testing.T) {
	uri := with(t, cluster.Primary.URI(), "application_name", "shop's ü", "search_path", `"$user", pg_temp`,
		"statement_timeout", "7s", "lock_timeout", "3s", "timezone", "Asia/Tokyo", "role", "app",
		"idle_in_transaction_session_timeout", "1m", "default_transaction_isolation", "repeatable read",
		"synchronous_commit", "off", "options", "-c work_mem=9MB")
	e := open(t, uri, one)
	for range 2 {
		for name, want := range map[string]string{
			"search_path": `"$user", pg_temp`, "statement_timeout": "7s", "lock_timeout": "3s", "TimeZone": "Asia/Tokyo",
			"idle_in_transaction_session_timeout": "1min", "default_transaction_isolation": "repeatable read",
			"synchronous_commit": "off", "work_mem": "9MB", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "role": "app",
		} {
			assert.Equal(t, want, value(t, e, "SELECT current_setting('"+name+"')"), name)
		}
		exec(t, e, "RESET ALL")
	}
	assert.Contains(t, value(t, e, "SHOW application_name"), "shop")
}

// COPY and LISTEN work on native connections, which they need.
func TestNative(t *testing.T) {
	e := open(t, with(t, cluster.Primary.URI(), "sslmode", "require"), one)
	native, err := e.Native()
	require.NoError(t, err)
	db := bun.NewDB(native, Driver{}.Dialect())
	exec(t, e, "CREATE TABLE copied (n int)")
	defer exec(t, e, "DROP TABLE copied")
	c, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = pgdriver.CopyFrom(t.Context(), c, bytes.NewBufferString("1\n2\n3\n"), "COPY copied FROM STDIN")
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = pgdriver.CopyTo(t.Context(), c, &out, "COPY copied TO STDOUT")
	require.NoError(t, err)
	assert.Equal(t, "1\n2\n3\n", out.String())
	require.NoError(t, c.Close())

	listener := pgdriver.NewListener(db)
	require.NoError(t, listener.Listen(t.Context(), "news"))
	require.Eventually(t, func() bool { // Listen does not wait until the server listens
		exec(t, e, "NOTIFY news, 'hello'")
		channel, payload, err := listener.ReceiveTimeout(context.Background(), 100*time.Millisecond)
		return err == nil && channel+" "+payload == "news hello"
	}, soon, soon/1000)
	require.NoError(t, listener.Close())
}

// A session that LISTENs gets messages that pgdriver takes for nonsense: the first that comes while
// the session is idle takes it out of the pool, one in the middle of an answer breaks it. Either way
// the pool recovers.
func TestReset_notified(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	exec(t, e, "CREATE FUNCTION reset_listen() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'LISTEN news'; RETURN 1; END $$")
	defer exec(t, e, "DROP FUNCTION reset_listen")
	exec(t, e, "SELECT reset_listen()") // the text does not tell
	pid := value(t, e, pidQuery)
	_, err := admin.ExecContext(t.Context(), "NOTIFY news, 'hello'")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var now string
		err := e.DB().QueryRowContext(t.Context(), pidQuery).Scan(&now)
		return err == nil && now != pid
	}, soon, soon/1000)
}
