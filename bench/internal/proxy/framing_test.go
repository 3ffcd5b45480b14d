package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pgMessage is a message with a type; 0 is a startup message, which has none.
func pgMessage(kind byte, body string) []byte {
	m := binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))
	m = append(m, body...)
	if kind == 0 {
		return m
	}
	return append([]byte{kind}, m...)
}

func pgCode(code uint32, rest string) []byte {
	return pgMessage(0, string(binary.BigEndian.AppendUint32(nil, code))+rest)
}

func pgLogin() []byte { return pgCode(196608, "user\x00app\x00\x00") }

func mysqlPacket(number byte, body string) []byte {
	n := len(body)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), number}, body...)
}

func mysqlLogin() []byte { return mysqlPacket(1, "\x00\x00\x00\x00"+strings.Repeat("x", 60)) }

// frames reads a stream to its end and returns which of its messages are statements.
func frames(t *testing.T, f framing, stream []byte) (statements []bool, err error) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(stream))
	for {
		size, statement, err := f.next(r)
		if err != nil {
			return statements, err
		}
		n, err := io.CopyN(io.Discard, r, size)
		if err != nil {
			return statements, err
		}
		require.Equal(t, size, n)
		statements = append(statements, statement)
	}
}

func TestFraming(t *testing.T) {
	big := strings.Repeat("x", maxPacket)
	for name, test := range map[string]struct {
		framing framing
		stream  [][]byte
		want    []bool
		err     error
	}{
		"postgres: a query is a statement": {&postgres{}, [][]byte{pgLogin(), pgMessage('Q', "SELECT 1\x00")}, []bool{false, true}, io.EOF},
		"postgres: of a prepared statement only the execution is": {&postgres{},
			[][]byte{pgLogin(), pgMessage('P', "s\x00SELECT 1\x00\x00\x00"), pgMessage('B', "\x00s\x00"), pgMessage('D', "S"), pgMessage('E', "\x00\x00\x00\x00\x00"), pgMessage('S', "")},
			[]bool{false, false, false, false, true, false}, io.EOF},
		"postgres: a password that looks like a query": {&postgres{}, [][]byte{pgLogin(), pgMessage('p', "Q\x00\x00\x00\x04"), pgMessage('X', "")}, []bool{false, false, false}, io.EOF},
		"postgres: encryption is refused":              {&postgres{answer: io.Discard}, [][]byte{pgCode(gssRequest, ""), pgCode(sslRequest, ""), pgLogin()}, []bool{false}, io.EOF},
		"postgres: a request to cancel":                {&postgres{}, [][]byte{pgCode(cancelRequest, "12345678")}, []bool{false}, io.EOF},
		"postgres: a message longer than the buffer":   {&postgres{}, [][]byte{pgLogin(), pgMessage('Q', strings.Repeat("Q", 1<<20)), pgMessage('Q', "")}, []bool{false, true, true}, io.EOF},
		"postgres: cut within a message":               {&postgres{}, [][]byte{pgLogin(), {'Q', 0}}, []bool{false}, io.ErrUnexpectedEOF},
		"postgres: a size that cannot be":              {&postgres{}, [][]byte{pgLogin(), {'Q', 0, 0, 0, 3}}, []bool{false}, errMalformed},
		"postgres: a startup size that cannot be":      {&postgres{}, [][]byte{{0, 0, 0, 7, 0, 0, 0, 0}}, nil, errMalformed},

		"mysql: a query is a statement":                  {&mysql{}, [][]byte{mysqlLogin(), mysqlPacket(0, "\x03SELECT 1")}, []bool{false, true}, io.EOF},
		"mysql: of a prepared statement the execution":   {&mysql{}, [][]byte{mysqlLogin(), mysqlPacket(0, "\x16SELECT 1"), mysqlPacket(0, "\x17\x01"), mysqlPacket(0, "\x19\x01")}, []bool{false, false, true, false}, io.EOF},
		"mysql: a password that looks like a query":      {&mysql{}, [][]byte{mysqlLogin(), mysqlPacket(3, "\x03SELECT"), mysqlPacket(0, "\x0e")}, []bool{false, false, false}, io.EOF},
		"mysql: empty packets":                           {&mysql{}, [][]byte{mysqlLogin(), mysqlPacket(3, ""), mysqlPacket(0, "\x03"), mysqlPacket(0, "")}, []bool{false, false, true, false}, io.EOF},
		"mysql: a packet of the greatest size goes on":   {&mysql{}, [][]byte{mysqlLogin(), mysqlPacket(0, "\x03"+big[1:]), mysqlPacket(0, "\x03"), mysqlPacket(0, "\x03")}, []bool{false, true, false, true}, io.EOF},
		"mysql: TLS is refused":                          {&mysql{}, [][]byte{mysqlPacket(1, "\x00\x08\x00\x00"+strings.Repeat("\x00", 28))}, nil, errTLS},
		"mysql: a login of that size without TLS":        {&mysql{}, [][]byte{mysqlPacket(1, "\x00\x00\x00\x00"+strings.Repeat("\x00", 28))}, []bool{false}, io.EOF},
		"mysql: cut within a header":                     {&mysql{}, [][]byte{mysqlLogin(), {1, 0}}, []bool{false}, io.ErrUnexpectedEOF},
		"mysql: cut between a header and what it heads":  {&mysql{}, [][]byte{mysqlLogin(), {1, 0, 0, 0}}, []bool{false}, io.ErrUnexpectedEOF},
		"mysql: the first packet is never a statement":   {&mysql{}, [][]byte{mysqlPacket(0, "\x03SELECT 1")}, []bool{false}, io.EOF},
		"postgres: the end before anything was said":     {&postgres{}, nil, nil, io.EOF},
		"postgres: what precedes the login has no types": {&postgres{}, [][]byte{pgCode(0x51000004, "")}, []bool{false}, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := frames(t, test.framing, slices.Concat(test.stream...))
			assert.Equal(t, test.want, got)
			assert.Truef(t, errors.Is(err, test.err), "%v, not %v", err, test.err)
		})
	}
}

func TestEncryptionIsRefusedInWords(t *testing.T) {
	var answer bytes.Buffer
	_, err := frames(t, &postgres{answer: &answer}, slices.Concat(pgCode(gssRequest, ""), pgCode(sslRequest, ""), pgLogin()))
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, "NN", answer.String())
}
