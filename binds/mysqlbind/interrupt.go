package mysqlbind

import "github.com/bindery-go/bindery/binds"

var _ binds.Interrupter = (*conn)(nil)

// Interrupt breaks the connection under the statement that runs on it, from any goroutine. That
// fails at once, and its outcome is unknown. A reader's is also ended on the server, in the
// background: a statement that nobody waits for is a load.
func (c *conn) Interrupt() {
	if c.interrupted.Swap(true) {
		return
	}
	_ = c.netConn.Close() // to wake up whoever reads or writes
	if c.reader {
		c.killer.add(c.session)
	}
}
