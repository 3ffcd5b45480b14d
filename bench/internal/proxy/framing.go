package proxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// A framing tells one client's messages apart. It keeps the state of one connection.
type framing interface {
	// next looks at the next message, which stays in r: its size, and whether it is a statement.
	next(r *bufio.Reader) (size int64, statement bool, err error)
}

var (
	errMalformed = errors.New("proxy: a message of an impossible size")
	errTLS       = errors.New("proxy: the client wants TLS")
)

// postgres is the frontend's side of PostgreSQL's protocol 3: manual, section 55.7.
type postgres struct {
	answer  io.Writer
	started bool
}

const (
	cancelRequest = 80877102
	sslRequest    = 80877103
	gssRequest    = 80877104
)

func (p *postgres) next(r *bufio.Reader) (int64, bool, error) {
	if !p.started {
		return p.startup(r)
	}
	head, err := r.Peek(5)
	if err != nil {
		return 0, false, ended(head, err)
	}
	size := int64(binary.BigEndian.Uint32(head[1:]))
	if size < 4 {
		return 0, false, errMalformed
	}
	return size + 1, head[0] == 'Q' || head[0] == 'E', nil
}

// startup reads the messages that have no type. Requests for encryption are answered here.
func (p *postgres) startup(r *bufio.Reader) (int64, bool, error) {
	for {
		head, err := r.Peek(8)
		if err != nil {
			return 0, false, ended(head, err)
		}
		size, code := int64(binary.BigEndian.Uint32(head)), binary.BigEndian.Uint32(head[4:])
		switch {
		case size < 8:
			return 0, false, errMalformed
		case code == sslRequest || code == gssRequest:
			if _, err := r.Discard(8); err != nil {
				return 0, false, err
			}
			if _, err := p.answer.Write([]byte{'N'}); err != nil {
				return 0, false, err
			}
			continue
		}
		p.started = code != cancelRequest // after a cancel request nothing comes
		return size, false, nil
	}
}

// mysql is the client's side of MySQL's protocol. A command is a packet with the number 0; all others
// go on with something: with a login, with a packet of the greatest size, with LOAD DATA LOCAL.
type mysql struct {
	login bool // the first packet has been seen
	full  bool // the packet before was of the greatest size: the next one continues it
}

const (
	comQuery       = 0x03
	comStmtExecute = 0x17
	maxPacket      = 1<<24 - 1
	clientSSL      = 0x0800
	sslPacket      = 32 // the size of a request for TLS
)

func (m *mysql) next(r *bufio.Reader) (int64, bool, error) {
	head, err := r.Peek(4)
	if err != nil {
		return 0, false, ended(head, err)
	}
	size, number := int64(head[0])|int64(head[1])<<8|int64(head[2])<<16, head[3]
	continues := m.full
	m.full = size == maxPacket
	if size == 0 {
		return 4, false, nil
	}
	if !m.login {
		m.login = true
		return m.first(r, size)
	}
	head, err = r.Peek(5)
	if err != nil {
		return 0, false, ended(head, err)
	}
	command := number == 0 && !continues
	return size + 4, command && (head[4] == comQuery || head[4] == comStmtExecute), nil
}

// first refuses a client that wants TLS.
func (m *mysql) first(r *bufio.Reader, size int64) (int64, bool, error) {
	if size != sslPacket {
		return size + 4, false, nil
	}
	head, err := r.Peek(8)
	if err != nil {
		return 0, false, ended(head, err)
	}
	if binary.LittleEndian.Uint32(head[4:])&clientSSL != 0 {
		return 0, false, errTLS
	}
	return size + 4, false, nil
}

// ended tells an end between two messages, which is io.EOF, from one within.
func ended(head []byte, err error) error {
	if err == io.EOF && len(head) > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}
