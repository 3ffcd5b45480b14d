package pgbind

import (
	"time"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.Interrupter = (*conn)(nil)

// Interrupt breaks the connection under the statement that runs on it, from any goroutine. That
// fails at once, and its outcome is unknown. On a reader the server is also asked to stop it, in
// the background: a statement that nobody waits for is a load. On a writer that might cut short
// a COMMIT's wait for its standbys.
func (c *conn) Interrupt() {
	if c.wire.socket.sever() && c.role == binds.Reader {
		c.wire.socket.onInterrupt()
	}
}

// sever closes the connection, and reports whether it is the first to interrupt it.
func (s *socket) sever() bool {
	first := s.end.CompareAndSwap(0, time.Now().UnixNano())
	_ = s.Conn.Close() // to wake up whoever reads or writes
	return first
}
