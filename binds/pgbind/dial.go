package pgbind

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// Codes that stand where a start-up message has the protocol's version, manual section 55.7.
const (
	codeTLS    = 80877103
	codeCancel = 80877102
)

// dial makes the network connection to the server.
func (s *settings) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: s.dialTimeout, KeepAliveConfig: s.keepAlive}
	if !s.keepAlive.Enable {
		d.KeepAlive = -1
	}
	if network != "unix" && s.userTimeout > 0 {
		d.Control = func(_, _ string, c syscall.RawConn) error { return setUserTimeout(c, s.userTimeout) }
	}
	return d.DialContext(ctx, network, address)
}

// encrypt asks the server for TLS over c and shakes hands. It returns c where TLS is off.
func (s *settings) encrypt(c net.Conn) (net.Conn, error) {
	if s.tls == nil {
		return c, nil
	}
	var request [8]byte
	binary.BigEndian.PutUint32(request[:], uint32(len(request)))
	binary.BigEndian.PutUint32(request[4:], codeTLS)
	if _, err := c.Write(request[:]); err != nil {
		return nil, err
	}
	// Exactly one byte: what follows it in plain text was not sent by the server.
	var answer [1]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return nil, err
	}
	switch answer[0] {
	case 'S':
	case 'N':
		return nil, ErrNoTLS
	default:
		return nil, errors.New("pgbind: the server's answer to a TLS request is not PostgreSQL's: check host and port")
	}
	t := tls.Client(c, s.tls)
	if err := t.Handshake(); err != nil {
		return nil, fmt.Errorf("pgbind: TLS handshake: %w", err)
	}
	return t, nil
}
