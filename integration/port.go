package integration

import "net"

// A port is a TCP port of 127.0.0.1 that belongs to one server, also while it is stopped.
type port struct {
	number int
	free   func() // gives the port back; nil where it is not held
}

// A server that cannot bind gets another port, this often.
const portAttempts = 5

// choosePort returns a port that is free now, without holding it.
func choosePort() (port, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return port{}, err
	}
	return port{number: l.Addr().(*net.TCPAddr).Port}, l.Close()
}

func (p *port) release() {
	if p.free != nil {
		p.free()
		p.free = nil
	}
}
