// Package peer says what is known of whom a connection leads to before anything has proved it.
package peer

import (
	"net"
	"net/netip"
	"strings"
)

// Local reports whether what is sent to an address stays on this machine: a Unix socket, or loopback (RFC 1122, section
// 3.2.1.3; RFC 4291, section 2.5.3). It is asked of the address that a connection has, not of a name.
func Local(a net.Addr) bool {
	switch a := a.(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	}
	return false
}

// IsLocalHost reports whether a URI's host is this machine as it is written: "localhost", or a loopback address. No name is looked
// up; one below localhost, such as "db.localhost", is a name server's to answer in many resolvers, whatever RFC 6761, section 6.3, wishes.
func IsLocalHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
