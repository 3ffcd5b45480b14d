package pgbind

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// Pgpool-II has one connection to each server for each of its clients, and sends what only reads to any of them; what calls a
// volatile function it sends to the primary (manual, section 5.8). So it is always the primary that is asked where it is, and
// a replica that is read. Its clients' process ids are one server's, perhaps the primary's. It answers a command of its own, which is
// an error of syntax to others; so it is asked where something stands between: a server that a connection reaches directly sees the
// port that it comes from.
//
// A statement that begins with a comment goes to the primary, if allow_sql_comments is off, which a client may set for itself.
// So every statement begins with one there, and all is as with the primary's own address.
const (
	toPrimary      = "/*NO LOAD BALANCE*/ "
	believeComment = "PGPOOL SET allow_sql_comments TO off"
	// noPgpoolFor is how long what has not understood that is not asked again, if it has shown itself to be a pooler.
	noPgpoolFor     = 10 * time.Minute
	codeSyntaxError = "42601"
	plainQuestion   = "SELECT pg_backend_pid()::text, inet_client_port()::text"
)

// balancing is what is known of whether the connections of one source go through Pgpool-II. Its zero value knows nothing.
type balancing struct {
	pgpool atomic.Bool
	denied atomic.Int64 // when it turned out that it is none, as Unix time in nanoseconds; 0: it has not been asked
}

// mayBe reports whether it may stand between a connection and its server.
func (b *balancing) mayBe(w *wire) bool {
	denied := b.denied.Load()
	switch {
	case b.pgpool.Load():
		return true
	case w.pooling == poolsUnknown:
		return time.Since(time.Unix(0, denied)) > noPgpoolFor
	}
	return w.pooling == noPooler && w.indirect && denied == 0
}

// meetPlainly asks for the session's process id, and for the port that its client has there.
func (w *wire) meetPlainly(pg *pgdriver.Conn) error {
	if w.pooling != noPooler || w.pid == 0 {
		return nil
	}
	var row [2]driver.Value
	err := w.askSession(pg, plainQuestion, row[:])
	if local, tcp := w.socket.LocalAddr().(*net.TCPAddr); tcp && err == nil {
		w.indirect = row[1] != strconv.Itoa(local.Port)
	}
	var answer pgdriver.Error
	if errors.As(err, &answer) && answer.Field('V') == severityError && answer.Field('C') != codeNotSupported {
		return nil // it does not tell
	}
	return err
}

// meetPgpool has Pgpool-II, if it stands between, believe the comments that this connection's statements begin with. It asks once, where
// something stands between or another connection of the source has found it.
func (c *conn) meetPgpool(ctx context.Context) error {
	w := c.wire
	if c.asked || !w.indirect && w.pooling != poolsUnknown && !c.sessions.pgpool.Load() || w.status != statusIdle {
		return nil
	}
	if c.asked = true; !c.sessions.mayBe(w) {
		return nil
	}
	if err := w.begin(ctx, true); err != nil {
		c.asked = false
		return err
	}
	_, err := c.pg.ExecContext(background, believeComment, nil)
	err = c.finish(ctx, err)
	var answer pgdriver.Error
	switch {
	case err == nil:
		w.pgpool, w.pooling = true, poolsSessions
		c.sessions.pgpool.Store(true)
		c.sessions.know(w.poolerName(poolsSessions))
		return nil
	case errors.As(err, &answer) && answer.Field('C') == codeSyntaxError:
		c.sessions.denied.Store(time.Now().UnixNano())
		return nil
	}
	c.asked = false
	return err
}
