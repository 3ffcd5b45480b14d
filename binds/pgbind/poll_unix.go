//go:build unix

package pgbind

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// A poller asks the system, without waiting, whether a connection has something to read: data, its
// end, or an error.
type poller struct {
	raw   syscall.RawConn // nil: it cannot be asked
	fds   [1]unix.PollFd
	ask   func(fd uintptr) // kept, so that asking allocates nothing
	found bool
}

func (p *poller) watch(c net.Conn) {
	if sc, ok := c.(syscall.Conn); ok {
		p.raw, _ = sc.SyscallConn() // fails on a closed connection only
	}
	p.ask = func(fd uintptr) {
		for {
			p.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
			n, err := unix.Poll(p.fds[:], 0)
			if err != unix.EINTR {
				p.found = n != 0 || err != nil
				return
			}
		}
	}
}

func (p *poller) readable() bool {
	if p.raw == nil {
		return false
	}
	return p.raw.Control(p.ask) != nil || p.found
}
