//go:build !linux

package integration

// reservePort chooses a free port. It cannot be held: elsewhere than on Linux a server may not
// listen on a port that another socket is bound to.
func reservePort() (port, error) { return choosePort() }
