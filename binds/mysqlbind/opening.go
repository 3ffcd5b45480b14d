package mysqlbind

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/go-sql-driver/mysql"
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
	packetSwitch  = 0xfe // to another plugin of authentication
	packetMore    = 0x01 // more data for the login: of a key, PEM
	sslRequestLen = 32   // of the login's packet, what comes before it by itself
	clientSSL     = 1 << 11

	clientConnectWithDB = 1 << 3
)

// An opening is a network connection whose first packets are looked at as they pass, until the login is over: the greeting, in
// which the server gives its version; what it asks the password by, and the key that it offers for it. It also is what encrypts
// the connection, so that the login is seen under TLS, too: to the MySQL driver it looks like a plain one.
type opening struct {
	net.Conn
	guard    *guard
	cfg      *mysql.Config // of this connection alone
	tls      *tls.Conn     // nil: plain, or not yet
	shift    byte          // how many packets more than the MySQL driver knows of the login has had
	plugin   string        // by which the password is asked for
	packet   []byte        // what the reader has not taken yet of the one that was looked at
	greeting []byte        // the first one, without its header
	told     bool          // the login has been sent
	over     bool          // nothing is looked at any more
	refused  error         // why a packet was kept from the reader or the server, nil if none was
}

// stream is the connection, or TLS over it.
func (o *opening) stream() net.Conn {
	if o.tls != nil {
		return o.tls
	}
	return o.Conn
}

// Read reads from the server.
func (o *opening) Read(b []byte) (int, error) {
	if o.packet == nil {
		if o.over {
			return o.stream().Read(b)
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

// Write writes to the server. The first packet is the login: before it the connection is encrypted.
func (o *opening) Write(b []byte) (int, error) {
	if !o.over && !o.told {
		o.told, o.plugin = true, loginPlugin(b)
		if o.refused = o.guard.judgeSwitch(o); o.refused != nil {
			return 0, o.refused
		}
	}
	if o.over || o.guard.tls == nil || len(b) < packetHeader {
		return o.stream().Write(b)
	}
	p := append([]byte(nil), b...)
	if o.tls == nil {
		if err := o.encrypt(p); err != nil {
			o.refused = err
			return 0, err
		}
	}
	p[packetHeader-1] += o.shift
	if _, err := o.tls.Write(p); err != nil {
		return 0, err
	}
	return len(b), nil
}

// encrypt asks for TLS by the beginning of the login, manual "Protocol::SSLRequest", and shakes hands. It marks the login as one that
// comes behind that.
func (o *opening) encrypt(login []byte) error {
	if len(login) < packetHeader+sslRequestLen {
		return io.ErrShortWrite
	}
	flags := login[packetHeader:]
	binary.LittleEndian.PutUint32(flags, binary.LittleEndian.Uint32(flags)|clientSSL)
	request := append([]byte{sslRequestLen, 0, 0, login[packetHeader-1]}, flags[:sslRequestLen]...)
	if _, err := o.Conn.Write(request); err != nil {
		return err
	}
	t := tls.Client(o.Conn, o.guard.tls)
	if err := t.Handshake(); err != nil {
		return err
	}
	o.tls, o.shift = t, 1
	o.cfg.TLS = o.guard.tls // from here on the MySQL driver answers as over TLS
	return nil
}

// next reads a packet, whole, and looks at it.
func (o *opening) next() error {
	packet, err := readPacket(o.stream())
	if err == nil {
		packet[packetHeader-1] -= o.shift
		packet, err = o.look(packet)
	}
	if err != nil {
		return err
	}
	o.packet = packet
	return nil
}

func readPacket(r io.Reader) ([]byte, error) {
	var header [packetHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	size := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	if size > longestOpener {
		size = 0 // look refuses it by its header
	}
	packet := make([]byte, packetHeader+size)
	copy(packet, header[:])
	_, err := io.ReadFull(r, packet[packetHeader:])
	return packet, err
}

// look judges a packet of the server, and returns what the MySQL driver is to have of it.
func (o *opening) look(packet []byte) ([]byte, error) {
	body := packet[packetHeader:]
	size := int(packet[0]) | int(packet[1])<<8 | int(packet[2])<<16
	switch {
	case size != len(body):
		o.refused = errLongLogin
	case o.greeting == nil:
		o.greeting = body
		if o.over = size == 0 || body[0] == packetError; !o.over {
			packet = o.greet(packet)
		} else if size > 0 && !isError(body) {
			o.refused = &PacketError{"error"}
		}
	case size == 0:
		o.over = true
	case body[0] == packetOK || body[0] == packetError:
		o.over = true
		if !isOK(body) && !isError(body) {
			o.refused = &PacketError{"answer to the login"}
		}
	case body[0] == packetSwitch && !isSwitch(body):
		o.refused = &PacketError{"wish for another plugin"}
	case body[0] == packetSwitch:
		name, _, _ := bytes.Cut(body[1:], []byte{0})
		o.plugin = string(name)
		o.refused = o.guard.judgeSwitch(o)
	case body[0] == packetMore:
		o.refused = o.guard.judgeMore(o, body[1:])
		if o.refused == nil && !isRSA(body[1:]) {
			o.refused = errKeyKind
		}
	}
	return packet, o.refused
}

// greet reads the greeting, manual "Protocol::HandshakeV10". Where it names a plugin that would have the password itself in the first
// answer, it names another one instead: a server whose account has that plugin then asks for it.
func (o *opening) greet(packet []byte) []byte {
	body := packet[packetHeader:]
	version := bytes.IndexByte(body[1:], 0) // its length
	at := 1 + version + 1 + 4 + 8 + 1       // behind the protocol's number, the version, the connection's number, 8 bytes of salt
	plugin := at + 18 + 13                  // behind flags, character set, status, flags, a length, 10 bytes, the rest of the salt
	if version < 0 || plugin > len(body) {
		o.refused = &PacketError{"greeting"}
		return nil
	}
	if o.guard.tls != nil && binary.LittleEndian.Uint16(body[at:])&clientSSL == 0 {
		o.refused = mysql.ErrNoTLS
		return nil
	}
	name, _, _ := bytes.Cut(body[plugin:], []byte{0}) // "" is mysql_native_password
	o.plugin = string(name)
	if o.plugin != pluginClear && o.plugin != pluginSHA256 {
		return packet
	}
	o.plugin = pluginCachingSHA2
	packet = append(append(packet[:packetHeader+plugin:packetHeader+plugin], o.plugin...), 0)
	size := len(packet) - packetHeader
	packet[0], packet[1], packet[2] = byte(size), byte(size>>8), byte(size>>16)
	return packet
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
