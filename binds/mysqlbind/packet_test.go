package mysqlbind_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
)

const packet = 1 << 20 // the server's max_allowed_packet in these tests

// sized is a query of so many bytes, the command's one among them.
func sized(size int) string {
	const begin, end = "SELECT LENGTH('", "')"
	return begin + strings.Repeat("x", size-1-len(begin)-len(end)) + end
}

// TestAPacketThatTheServerDoesNotTake is not sent, on whichever way: the connection is good.
func TestAPacketThatTheServerDoesNotTake(t *testing.T) {
	global(t, "max_allowed_packet", "1048576")
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 1}))
	id := value(t, e, "SELECT CONNECTION_ID()")
	assert.Equal(t, "1048557", value(t, e, sized(packet-1)), "the longest one")
	for name, send := range map[string]func(ctx context.Context, query string) error{
		"Exec": func(ctx context.Context, query string) error {
			_, err := e.DB().ExecContext(ctx, query)
			return err
		},
		"Query": func(ctx context.Context, query string) error {
			return e.DB().QueryRowContext(ctx, query).Scan(new(int))
		},
		"Prepare": func(ctx context.Context, query string) error {
			_, err := e.DB().PrepareContext(ctx, query)
			return err
		},
	} {
		for _, size := range []int{packet, 2 * packet, 33 * packet} {
			err := send(bounded(t), sized(size))
			var tooLarge *mysqlbind.PacketTooLargeError
			require.ErrorAs(t, err, &tooLarge, name)
			assert.Equal(t, mysqlbind.PacketTooLargeError{Size: size, Limit: packet - 1}, *tooLarge)
			assert.Equal(t, binds.Refused.String(), e.Classify(err).String())
			require.ErrorIs(t, err, mysql.ErrPktTooLarge)
			assert.NotContains(t, err.Error(), "xxx")
		}
	}
	assert.EqualError(t, &mysqlbind.PacketTooLargeError{Size: 33 * packet, Limit: packet - 1}, "mysqlbind: the statement has 34603008 bytes and was not sent: "+
		"the server takes 1048575 (max_allowed_packet): raise it there, and on the replicas, or send less at once")
	assert.Equal(t, id, value(t, e, "SELECT CONNECTION_ID()"), "no connection broke")

	table(t, e, "my_packets", "id INT PRIMARY KEY, v LONGTEXT")
	tx, err := e.DB().BeginTx(bounded(t), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(bounded(t), "INSERT INTO my_packets VALUES (1, 'a')")
	require.NoError(t, err)
	_, err = tx.ExecContext(bounded(t), "INSERT INTO my_packets VALUES (2, '"+strings.Repeat("x", packet)+"')")
	require.ErrorIs(t, err, mysql.ErrPktTooLarge)
	_, err = tx.ExecContext(bounded(t), "INSERT INTO my_packets VALUES (3, 'c')")
	require.NoError(t, err, "the transaction goes on")
	require.NoError(t, tx.Commit())
	assert.Equal(t, "1,3", value(t, e, "SELECT GROUP_CONCAT(id ORDER BY id) FROM my_packets"))
}

// TestLongArguments are sent by themselves, in pieces, also on the first connection, for which nobody knew the server.
func TestLongArguments(t *testing.T) {
	global(t, "max_allowed_packet", "1048576")
	third := strings.Repeat("x", packet/3)
	const query = "SELECT LENGTH(?) + LENGTH(?) + LENGTH(?) + LENGTH(?)"
	for _, params := range []string{"", "?interpolate_params=1", "?max_allowed_packet=0"} {
		t.Run(params, func(t *testing.T) {
			for range 2 { // a new engine: its first connection
				e := writer(t, params)
				for range 3 {
					var n int
					require.NoError(t, e.DB().QueryRowContext(bounded(t), query, third, third, third, []byte(third)).Scan(&n))
					assert.Equal(t, 4*(packet/3), n)
				}
				stmt, err := e.DB().PrepareContext(bounded(t), query)
				require.NoError(t, err)
				var n int
				require.NoError(t, stmt.QueryRowContext(bounded(t), third, third, third, third).Scan(&n))
				require.NoError(t, stmt.Close())

				require.NoError(t, e.DB().QueryRowContext(bounded(t), "SELECT LENGTH(?)", strings.Repeat("x", packet)).Scan(&n), "the longest one")
				assert.Equal(t, packet, n)
				err = e.DB().QueryRowContext(bounded(t), "SELECT LENGTH(?)", strings.Repeat("x", packet+1)).Scan(&n)
				var tooLarge *mysqlbind.PacketTooLargeError
				require.ErrorAs(t, err, &tooLarge)
				assert.Equal(t, mysqlbind.PacketTooLargeError{Size: packet + 1, Limit: packet}, *tooLarge)
			}
		})
	}
	t.Run("many short ones", func(t *testing.T) {
		e := writer(t, "")
		args := make([]any, 20_000)
		for i := range args {
			args[i] = []any{int64(i), time.Now(), nil, true, 1.5, "short"}[i%6]
		}
		var n int
		require.NoError(t, e.DB().QueryRowContext(bounded(t), "SELECT COALESCE(?"+strings.Repeat(", ?", len(args)-1)+") = 0", args...).Scan(&n))
	})
	t.Run("on the first connection, in a transaction", func(t *testing.T) {
		e := writer(t, "")
		tx, err := e.DB().BeginTx(bounded(t), nil)
		require.NoError(t, err)
		err = tx.QueryRowContext(bounded(t), query, third, third, third, third).Scan(new(int))
		require.ErrorIs(t, err, mysql.ErrPktTooLarge, "it cannot go elsewhere, and is not sent")
		require.NoError(t, tx.Rollback())
	})
}

// TestTheLimitsOfTheURIAndOfTheServer: the lower one counts, and the server's is that of now.
func TestTheLimitsOfTheURIAndOfTheServer(t *testing.T) {
	e := writer(t, "?max_allowed_packet=2000")
	assert.Equal(t, "1982", value(t, e, sized(2000)))
	err := e.DB().QueryRowContext(bounded(t), sized(2001)).Scan(new(int))
	assert.EqualError(t, err, "mysqlbind: the statement has 2001 bytes and was not sent: the URI allows 2000 (max_allowed_packet): raise it there, or send less at once")

	global(t, "max_allowed_packet", "1048576")
	e = writer(t, "")
	first, err := e.DB().Conn(bounded(t))
	require.NoError(t, err)
	require.NoError(t, cluster.Primary.Exec(bounded(t), "SET GLOBAL max_allowed_packet = 4194304"))
	second, err := e.DB().Conn(bounded(t))
	require.NoError(t, err)
	require.NoError(t, first.Close())
	require.NoError(t, second.Close())
	for range 5 {
		assert.Equal(t, "2097134", value(t, e, sized(2*packet)), "raised: a session of now takes it")
	}
	require.NoError(t, cluster.Primary.Exec(bounded(t), "SET GLOBAL max_allowed_packet = 1048576"))
	e = writer(t, "")
	require.ErrorIs(t, e.DB().QueryRowContext(bounded(t), sized(2*packet)).Scan(new(int)), mysql.ErrPktTooLarge)
}

// TestTheLimitCostsNoRoundTrip: a new session asks one question, as it did before.
func TestTheLimitCostsNoRoundTrip(t *testing.T) {
	admin := administrator(t)
	count := func() (n int) {
		for _, name := range []string{"Com_select", "Com_set_option", "Com_show_variables", "Com_stmt_prepare"} {
			var v int
			require.NoError(t, admin.DB().QueryRowContext(bounded(t), "SHOW GLOBAL STATUS LIKE '"+name+"'").Scan(&name, &v))
			n += v
		}
		return n
	}
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 10}))
	before := count()
	var conns []*sql.Conn
	for range 10 {
		c, err := e.DB().Conn(bounded(t))
		require.NoError(t, err)
		conns = append(conns, c)
	}
	assert.Equal(t, 10*2, count()-before, "one statement that sets the session up, and one that asks")
	for _, c := range conns {
		require.NoError(t, c.Close())
	}
}
