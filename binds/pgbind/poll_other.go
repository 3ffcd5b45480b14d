//go:build !unix

package pgbind

import "net"

// A poller cannot ask here without reading: a connection that died while idle is found by its next
// statement.
type poller struct{}

func (*poller) watch(net.Conn) {}

func (*poller) readable() bool { return false }
