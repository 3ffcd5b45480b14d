package mysqlbind

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// from is a connection that reads from one place and writes to another.
type from struct {
	net.Conn
	io.Reader
	io.Writer
}

func (f from) RemoteAddr() net.Addr        { return nil }
func (f from) Read(b []byte) (int, error)  { return f.Reader.Read(b) }
func (f from) Write(b []byte) (int, error) { return f.Writer.Write(b) }

// near takes every server for one on this machine.
var near = &guard{local: func(net.Addr) bool { return true }}

func packetOf(sequence byte, body string) string {
	return string([]byte{byte(len(body)), byte(len(body) >> 8), 0, sequence}) + body
}

// read returns all that comes through an opening, as it comes and byte by byte.
func read(t *testing.T, text string, then func(o *opening, got string, err error)) {
	t.Helper()
	for _, r := range []io.Reader{bytes.NewReader([]byte(text)), iotest.OneByteReader(bytes.NewReader([]byte(text)))} {
		o := &opening{Conn: from{Reader: r}, guard: near}
		var got []byte
		b := make([]byte, 4096)
		for {
			n, err := o.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				then(o, string(got), err)
				break
			}
		}
	}
}

func TestOpening_version(t *testing.T) {
	for text, want := range map[string]string{
		packetOf(0, "\x0a9.7.4-router\x00\x00\x00\x00\x00salt"): "9.7.4-router",
		packetOf(0, "\x0a11.8.9-MariaDB\x00rest"):               "11.8.9-MariaDB",
		packetOf(0, "\x0a"):                                     "",
		packetOf(0, ""):                                         "",
		"":                                                      "",
	} {
		read(t, text, func(o *opening, got string, err error) {
			assert.Equal(t, want, o.version())
			assert.Equal(t, text, got)
			assert.Equal(t, io.EOF, err)
		})
	}
	assert.Empty(t, (*opening)(nil).version())
}

// TestOpening_ends looks at nothing once the login is over or failed, and at no packet without end.
func TestOpening_ends(t *testing.T) {
	greeting := packetOf(0, "\x0a9.7.4\x00")
	const raw = "what comes is no packet any more: compressed, or TLS"
	for name, text := range map[string]string{
		"logged in":             greeting + packetOf(2, "\x00\x00"),
		"refused":               greeting + packetOf(2, "\xff\x15\x04no"),
		"refused at once":       packetOf(0, "\xff\x10\x04too many"),
		"after another account": greeting + packetOf(2, "\xfecaching\x00") + packetOf(4, "\x01\x03") + packetOf(5, "\x00"),
	} {
		read(t, text+raw, func(_ *opening, got string, err error) {
			assert.Equal(t, text+raw, got, name)
			assert.Equal(t, io.EOF, err, name)
		})
	}
	o := &opening{Conn: from{Reader: strings.NewReader("\xff\xff\xff\x00")}, guard: near}
	_, err := o.Read(make([]byte, 10))
	assert.ErrorIs(t, err, errLongLogin)
	assert.ErrorIs(t, o.refused, errLongLogin)
}

// TestOpening_key lets an RSA key through, and no other, however the packet is cut.
func TestOpening_key(t *testing.T) {
	greeting := packetOf(0, "\x0a9.7.4\x00")
	written := func(before, label string, key crypto.PublicKey) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		require.NoError(t, err)
		return greeting + packetOf(4, "\x01"+before+string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})))
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"an RSA key":     written("", "PUBLIC KEY", private.Public()),
		"a short answer": greeting + packetOf(4, "\x01\x04"),
		"no key":         greeting + packetOf(4, "\x01-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n"),
	} {
		read(t, text, func(o *opening, got string, err error) {
			assert.Equal(t, text, got, name)
			assert.Equal(t, io.EOF, err, name)
			assert.NoError(t, o.refused, name)
		})
	}
	for _, label := range []string{"PUBLIC KEY", "EC PUBLIC KEY"} {
		for _, before := range []string{"", "\n", "a key:\n"} {
			read(t, written(before, label, other.Public()), func(o *opening, got string, err error) {
				assert.Equal(t, greeting, got, "nothing of the key")
				assert.ErrorIs(t, err, errKeyKind)
				assert.ErrorIs(t, o.refused, errKeyKind)
			})
		}
	}
}
