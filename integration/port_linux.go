package integration

import (
	"errors"

	"golang.org/x/sys/unix"
)

// reservePort chooses a free port and holds it: bound but not listening, so that no other program
// is given it, connections to it are refused, and yet a server that asks for SO_REUSEADDR, as all
// do, may listen on it. A stopped server therefore finds its port free when it starts again.
func reservePort() (port, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return port{}, err
	}
	number, err := bindAny(fd)
	if err != nil {
		return port{}, errors.Join(err, unix.Close(fd))
	}
	return port{number: number, free: func() { _ = unix.Close(fd) }}, nil
}

func bindAny(fd int) (int, error) {
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	// Only now: set earlier, the kernel might choose a port that another program shares likewise.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	return addr.(*unix.SockaddrInet4).Port, nil
}
