package mysqlbind

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"syscall"
)

// errKeyKind is why no password was sent. MySQL Router, say, offers the key of its certificate, of whatever kind that is.
var errKeyKind = errors.New("mysqlbind: the server offers a key to encrypt the password with that is no RSA key, as the protocol has it: " +
	"give ssl-mode=VERIFY_IDENTITY")

var errLongLogin = errors.New("mysqlbind: what the server says before the login is longer than any server's: it is no MySQL or MariaDB server")

// Of MySQL's protocol, manual "Connection Phase".
const (
	packetHeader  = 4 // three bytes of length, one of sequence
	longestOpener = 1 << 16
	packetOK      = 0x00
	packetError   = 0xff
	packetMore    = 0x01 // more data for the login: of a key, PEM
)

// An opening is a network connection whose first packets are looked at as they pass, until the login is over or goes on under
// TLS: the greeting, in which the server gives its version; and the key that it offers for the password, which must be one of RSA.
type opening struct {
	net.Conn
	packet   []byte // what the reader has not taken yet of the one that was looked at
	greeting []byte // the first one, without its header
	over     bool   // nothing is looked at any more
	refused  error  // why a packet was kept from the reader, nil if none was
}

// Read reads from the server.
func (o *opening) Read(b []byte) (int, error) {
	if o.packet == nil {
		if o.over {
			return o.Conn.Read(b)
		}
		if err := o.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, o.packet)
	if o.packet = o.packet[n:]; len(o.packet) == 0 {
		o.packet = nil
	}
	return n, nil
}

// Write writes to the server. It looks for TLS's first record, a handshake, which is longer than a login if taken for one's packet.
func (o *opening) Write(b []byte) (int, error) {
	if !o.over && len(b) > 2 && b[0] == 0x16 && b[1] == 3 && b[2] != 0 {
		o.over = true
	}
	return o.Conn.Write(b)
}

// next reads a packet, whole, and looks at it.
func (o *opening) next() error {
	var header [packetHeader]byte
	if _, err := io.ReadFull(o.Conn, header[:]); err != nil {
		return err
	}
	size := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	if size > longestOpener {
		o.refused = errLongLogin
		return o.refused
	}
	packet := make([]byte, packetHeader+size)
	copy(packet, header[:])
	body := packet[packetHeader:]
	if _, err := io.ReadFull(o.Conn, body); err != nil {
		return err
	}
	switch {
	case o.greeting == nil:
		o.greeting = body
		o.over = size == 0 || body[0] == packetError
	case size == 0 || body[0] == packetOK || body[0] == packetError:
		o.over = true
	case body[0] == packetMore && !isRSA(body[1:]):
		o.refused = errKeyKind
		return o.refused
	}
	o.packet = packet
	return nil
}

// isRSA reports whether a text is an RSA key, or no key at all, which the MySQL driver refuses itself.
func isRSA(text []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return true
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return true
	}
	_, ok := key.(*rsa.PublicKey)
	return ok
}

// version returns what the server called its version; "" before it spoke.
func (o *opening) version() string {
	if o == nil || len(o.greeting) < 2 {
		return ""
	}
	v, _, _ := bytes.Cut(o.greeting[1:], []byte{0}) // a byte before it gives the protocol's number
	return string(v)
}

// SyscallConn lets the MySQL driver look whether the server has closed its end.
func (o *opening) SyscallConn() (syscall.RawConn, error) {
	if c, ok := o.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
