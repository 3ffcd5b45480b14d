package peer

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLocal(t *testing.T) {
	for a, want := range map[net.Addr]bool{
		&net.UnixAddr{Net: "unix", Name: "/run/x"}:        true,
		&net.TCPAddr{IP: net.ParseIP("127.0.0.1")}:        true,
		&net.TCPAddr{IP: net.ParseIP("127.9.9.9")}:        true,
		&net.TCPAddr{IP: net.ParseIP("::1")}:              true,
		&net.TCPAddr{IP: net.ParseIP("::ffff:127.0.0.1")}: true,
		&net.TCPAddr{IP: net.ParseIP("10.0.0.1")}:         false,
		&net.TCPAddr{IP: net.ParseIP("fe80::1")}:          false,
		&net.TCPAddr{IP: net.IPv4zero}:                    false,
		&net.TCPAddr{}:                                    false,
		nil:                                               false,
	} {
		assert.Equal(t, want, Local(a), "%v", a)
	}
}

func TestIsLocalHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "localhost.": true, "db.localhost": false, "127.0.0.1": true, "127.1.2.3": true, "::1": true,
		"::ffff:127.0.0.1": true, "": false, "db1": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "10.0.0.1": false,
		"127.1": false, // some resolvers take it for 127.0.0.1
	} {
		assert.Equal(t, want, IsLocalHost(host), host)
	}
}
