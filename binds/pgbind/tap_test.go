package pgbind

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// message is a message of the server's or the client's.
func message(kind byte, body string) []byte {
	m := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return append(m, body...)
}

func stream(messages ...[]byte) []byte { return bytes.Join(messages, nil) }

// login is what a standby says to a reader.
var login = stream(
	message('R', "\x00\x00\x00\x00"),
	message('S', "default_transaction_read_only\x00on\x00"),
	message('S', "in_hot_standby\x00on\x00"),
	message('S', "standard_conforming_strings\x00on\x00"),
	message('S', "client_encoding\x00UTF8\x00"),
	message('K', "\x00\x00\x01\x02\x0a\x0b\x0c\x0d"),
	message('Z', "I"),
)

func tapped(received ...[]byte) *tap {
	t := &tap{owed: 1}
	t.received(stream(append([][]byte{login}, received...)...))
	return t
}

func TestTap(t *testing.T) {
	for reason, row := range map[string]struct {
		sent, received []byte
		idle           bool
		check          func(*testing.T, *tap)
	}{
		"a log-in": {nil, nil, true, func(t *testing.T, p *tap) {
			assert.Equal(t, uint32(0x102), p.pid)
			assert.Equal(t, uint32(0x0a0b0c0d), p.key)
			assert.Equal(t, isOn, p.belt)
			assert.Equal(t, isOn, p.standby)
		}},
		"a statement under way":           {message('Q', "SELECT 1\x00"), message('T', "x"), false, nil},
		"a statement done":                {message('Q', "SELECT 1\x00"), stream(message('T', "x"), message('D', "y"), message('C', "SELECT 1\x00"), message('Z', "I")), true, nil},
		"a transaction":                   {message('Q', "BEGIN\x00"), stream(message('C', "BEGIN\x00"), message('Z', "T")), false, nil},
		"a failed transaction":            {message('Q', "x\x00"), stream(message('E', "x\x00\x00"), message('Z', "E")), false, nil},
		"an extended statement":           {stream(message('P', "a"), message('D', "b"), message('S', "")), stream(message('1', ""), message('Z', "I")), true, nil},
		"one of two answers":              {stream(message('Q', "a\x00"), message('Q', "b\x00")), message('Z', "I"), false, nil},
		"a close without Sync owes none":  {stream(message('C', "Sx\x00"), message('H', "")), nil, true, nil},
		"a notice":                        {nil, message('N', "x\x00\x00"), true, nil},
		"a changed setting":               {nil, message('S', "TimeZone\x00UTC\x00"), true, nil},
		"a farewell":                      {nil, message('E', "SFATAL\x00\x00"), false, func(t *testing.T, p *tap) { assert.True(t, p.dead) }},
		"an answer to nothing":            {nil, message('Z', "I"), false, nil},
		"a notification":                  {nil, message('A', "\x00\x00\x00\x01c\x00p\x00"), false, nil},
		"nonsense":                        {nil, []byte{'Z', 0, 0, 0, 1}, false, nil},
		"strings quoted otherwise":        {nil, message('S', "standard_conforming_strings\x00off\x00"), false, nil},
		"another encoding":                {nil, message('S', "client_encoding\x00LATIN1\x00"), false, nil},
		"a key that is no log-in's":       {nil, message('K', "12345678"), false, func(t *testing.T, p *tap) { assert.Equal(t, uint32(0x102), p.pid) }},
		"the belt off":                    {nil, message('S', "default_transaction_read_only\x00off\x00"), true, func(t *testing.T, p *tap) { assert.Equal(t, isOff, p.belt) }},
		"promoted":                        {nil, message('S', "in_hot_standby\x00off\x00"), true, func(t *testing.T, p *tap) { assert.Equal(t, isOff, p.standby) }},
		"a setting longer than any known": {nil, message('S', "x\x00"+string(make([]byte, 2*longestParameter))), true, nil},
	} {
		t.Run(reason, func(t *testing.T) {
			whole := tapped()
			whole.sent(row.sent)
			whole.received(row.received)
			assert.Equal(t, row.idle, whole.idle())
			if row.check != nil {
				row.check(t, whole)
			}
			pieces := tapped()
			pieces.sent(row.sent)
			for i := range row.received {
				pieces.received(row.received[i : i+1])
			}
			assert.Equal(t, whole.idle(), pieces.idle(), "in pieces of one byte")
			assert.Equal(t, whole.dead, pieces.dead, "in pieces of one byte")
		})
	}
}

// However a stream is cut up, the tap sees the same; and nothing makes it panic.
func FuzzTap(f *testing.F) {
	f.Add(login, 7)
	f.Add(stream(login, message('N', "x"), message('Z', "T")), 1)
	f.Add([]byte{'Z', 0xff, 0xff, 0xff, 0xff, 'I'}, 2)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		a, b := &tap{owed: 1}, &tap{owed: 1}
		a.received(data)
		size = max(1, size%64)
		for rest := data; len(rest) > 0; {
			n := min(size, len(rest))
			b.received(rest[:n])
			rest = rest[n:]
		}
		require.Equal(t, a, b)
		a.sent(data)
	})
}

func TestTap_allocatesNothing(t *testing.T) {
	p := tapped()
	answer := stream(message('T', "x"), message('D', "y"), message('S', "TimeZone\x00UTC\x00"), message('C', "SELECT 1\x00"), message('Z', "I"))
	query := message('Q', "SELECT 1\x00")
	assert.Zero(t, testing.AllocsPerRun(100, func() { p.sent(query); p.received(answer) }))
}
