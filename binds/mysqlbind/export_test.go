package mysqlbind

import (
	"context"
	"net"

	"github.com/bindery-go/bindery/binds"
)

// Elsewhere is a driver for which no server is on this machine.
type Elsewhere struct{ Driver }

// Open opens a URI.
func (Elsewhere) Open(_ context.Context, uri string) (binds.Source, error) {
	s, err := open(uri)
	if err != nil {
		return nil, err
	}
	s.guard.local = func(net.Addr) bool { return false }
	return s, nil
}
