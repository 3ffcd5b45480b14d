package pgbind

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const hasUserTimeout = true

// setUserTimeout bounds how long sent data may stay unacknowledged, tcp(7).
func setUserTimeout(c syscall.RawConn, d time.Duration) error {
	var err error
	if ctl := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	}); ctl != nil {
		return ctl
	}
	return err
}
