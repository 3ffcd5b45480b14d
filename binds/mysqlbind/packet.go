package mysqlbind

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
)

// A packetLimit is how long a packet to the server may be, in bytes: a statement's text and one byte more, or the
// arguments of a prepared one. To a longer one the server answers 1153, or it closes the connection while the packet
// is still on its way, which looks as if the server had broken down.
type packetLimit struct {
	server int // max_allowed_packet of the session: a packet must be shorter, an argument that is sent by itself may be as long
	uri    int // max_allowed_packet of the URI: a packet may be as long
	driver int // as the MySQL driver was told before the server was asked: what the last session was told
}

// most returns how long a packet may be.
func (l *packetLimit) most() int { return min(l.server-1, l.uri) }

// tell says to the MySQL driver how long a packet may be, as the session before this one was told: nobody has asked yet.
func (s *source) tell(w *wire, cfg *mysql.Config) {
	cfg.MaxAllowedPacket = s.maxPacket
	if told := s.packet.Load(); told > 0 {
		cfg.MaxAllowedPacket = min(s.maxPacket, int(told)-1)
	}
	w.limit = cfg.MaxAllowedPacket
}

// hear notes what a session was told.
func (s *source) hear(text string, driver int) (packetLimit, error) {
	server, err := strconv.Atoi(text)
	if err != nil || server <= 0 {
		return packetLimit{}, fmt.Errorf("mysqlbind: the server tells no max_allowed_packet: %q", text)
	}
	s.packet.Store(int64(server))
	return packetLimit{server: server, uri: s.maxPacket, driver: driver}, nil
}

// fits refuses a statement whose text the server does not take.
func (c *conn) fits(query string) error {
	if size := len(query) + 1; size > c.short {
		latest := max(c.packet.server, int(c.killer.source.packet.Load())) // it may have been raised since
		return c.tooLarge(size, size <= min(c.packet.uri, latest-1))
	}
	return nil
}

// tooLarge refuses what is too large, or takes to another connection what is so on this one only. Nothing was sent.
func (c *conn) tooLarge(size int, elsewhere bool) error {
	if elsewhere && c.txCtx == nil {
		c.spoilt = true
		return driver.ErrBadConn
	}
	return &PacketTooLargeError{Size: size, Limit: min(c.packet.most(), c.packet.driver), URI: c.packet.uri < c.packet.server-1}
}

// tooLong reports whether a statement may not fit with its arguments written into it. Then it is prepared, and long
// arguments are sent by themselves.
func (c *conn) tooLong(query string, args []driver.NamedValue) bool {
	const number = 64 // or a time, or the quotes of a text
	size := len(query) + 1
	for i := range args {
		n, _ := textSize(args[i].Value)
		size += 2*n + number
	}
	return size > c.short
}

// fit refuses arguments that the server does not take. The MySQL driver sends those by themselves, in pieces, that are
// longer than their share of a packet.
func (s *stmt) fit(args []driver.NamedValue) error {
	c := s.conn
	share := c.packet.driver / (len(args) + 1)
	size := 14 + (len(args)+7)/8 + 1 + 2*len(args) // COM_STMT_EXECUTE
	for i := range args {
		n, isText := textSize(args[i].Value)
		switch {
		case !isText:
			size += fixedSize(args[i].Value)
		case n > c.packet.server:
			return &PacketTooLargeError{Size: n, Limit: c.packet.server}
		case n < share:
			size += n + prefixSize(n)
		}
	}
	if size > c.packet.most() {
		return c.tooLarge(size, c.packet.driver > c.packet.most())
	}
	return nil
}

// textSize returns the bytes of an argument that has any number of them.
func textSize(v driver.Value) (n int, isText bool) {
	switch v := v.(type) {
	case string:
		return len(v), true
	case []byte:
		return len(v), true
	case json.RawMessage:
		return len(v), true
	}
	return 0, false
}

// fixedSize returns what any other argument takes in a packet, as the MySQL driver writes it.
func fixedSize(v driver.Value) int {
	switch v.(type) {
	case nil:
		return 0
	case bool:
		return 1
	case time.Time:
		return 1 + len("2006-01-02 15:04:05.999999")
	}
	return 8
}

// prefixSize returns what the length of a text takes before it: manual, "Protocol::LengthEncodedInteger".
func prefixSize(n int) int {
	switch {
	case n < 251:
		return 1
	case n < 1<<16:
		return 3
	case n < 1<<24:
		return 4
	}
	return 9
}

// PacketTooLargeError reports a statement, or an argument, that is larger than the server takes, or than the URI lets
// pass. It was not sent: a server closes the connection at such a one. It matches mysql.ErrPktTooLarge, and
// [Driver.Classify] calls it binds.Refused.
type PacketTooLargeError struct {
	Size  int  // in bytes, of the packet
	Limit int  // how many it may have
	URI   bool // the limit is the URI's, which is lower than the server's
}

func (e *PacketTooLargeError) Error() string {
	whose, cure := "the server takes", "raise it there, and on the replicas"
	if e.URI {
		whose, cure = "the URI allows", "raise it there"
	}
	return fmt.Sprintf("mysqlbind: the statement has %d bytes and was not sent: %s %d (max_allowed_packet): %s, or send less at once",
		e.Size, whose, e.Limit, cure)
}

// Is reports whether target is mysql.ErrPktTooLarge.
func (e *PacketTooLargeError) Is(target error) bool { return target == mysql.ErrPktTooLarge }
