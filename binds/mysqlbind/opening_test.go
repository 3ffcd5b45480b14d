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

	"github.com/bindery-go/bindery/binds"
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
		packetOf(0, strings.Replace(greetingOf("x"), "9.7.4", "9.7.4-router", 1)):  "9.7.4-router",
		packetOf(0, strings.Replace(greetingOf(""), "9.7.4", "11.8.9-MariaDB", 1)): "11.8.9-MariaDB",
		packetOf(0, ""): "",
		"":              "",
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
	greeting := packetOf(0, greetingOf(""))
	const raw = "what comes is no packet any more: compressed, or TLS"
	for name, text := range map[string]string{
		"logged in":             greeting + packetOf(2, "\x00\x00\x00\x02\x00"),
		"refused":               greeting + packetOf(2, "\xff\x15\x04no"),
		"refused at once":       packetOf(0, "\xff\x10\x04too many"),
		"after another account": greeting + packetOf(2, "\xfecaching\x00") + packetOf(4, "\x01\x03") + packetOf(5, "\x00\x00\x00\x02\x00\x00\x00"),
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
	greeting := packetOf(0, greetingOf(""))
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

// TestOpening_cut keeps packets from the MySQL driver that are shorter than what it reads of them, and gives a driver whose plugin the
// guard did not see no way to tell the password.
func TestOpening_cut(t *testing.T) {
	whole := greetingOf("")
	whole = whole[:len(whole)-1] // an empty plugin, without an end
	greeting := packetOf(0, greetingOf(pluginNative))
	for reason, row := range map[string]struct {
		text, want string // "": it goes through
	}{
		"a greeting that ends before its plugin": {packetOf(0, whole[:len(whole)-1]), "greeting"},
		"a greeting without a plugin":            {packetOf(0, whole), ""},
		"a greeting without a salt":              {packetOf(0, "\x0a9.7.4\x00\x01\x00\x00\x00"), "greeting"},
		"a version without an end":               {packetOf(0, "\x0a"+strings.Repeat("\xff", 60)), "greeting"},
		"no number of an error":                  {packetOf(0, "\xff\x10"), "error"},
		"an error":                               {packetOf(0, "\xff\x10\x04too many"), ""},
		"an error's state":                       {greeting + packetOf(2, "\xff\x15\x04#2800"), "answer to the login"},
		"an error without a text":                {greeting + packetOf(2, "\xff\x15\x04#28000"), ""},
		"an error of one byte":                   {greeting + packetOf(2, "\xff"), "answer to the login"},
		"an OK of one byte":                      {greeting + packetOf(2, "\x00"), "answer to the login"},
		"an OK without a status":                 {greeting + packetOf(2, "\x00\x00\x00\x02"), "answer to the login"},
		"an OK with a number that is longer":     {greeting + packetOf(2, "\x00\x00\xfe\x02\x00\x00\x00"), "answer to the login"},
		"an OK with a long number":               {greeting + packetOf(2, "\x00\xfc\x01\x01\x00\x02\x00"), ""},
		"a switch with a short salt":             {greeting + packetOf(2, "\xfe"+pluginNative+"\x00"+salt[1:]+"\x00"), "wish for another plugin"},
		"a switch without one":                   {greeting + packetOf(2, "\xfe"+pluginSHA256+"\x00"), "wish for another plugin"},
		"a switch without its end":               {greeting + packetOf(2, "\xfe"+pluginCachingSHA2), "wish for another plugin"},
		"a switch":                               {greeting + packetOf(2, "\xfe"+pluginNative+"\x00"+salt+"\x00"), ""},
	} {
		read(t, row.text, func(o *opening, got string, err error) {
			if row.want == "" {
				assert.Equal(t, row.text, got, reason)
				assert.Equal(t, io.EOF, err, reason)
				return
			}
			var cut *PacketError
			assert.ErrorAs(t, err, &cut, reason)
			assert.ErrorContains(t, err, "its "+row.want+" is cut short", reason)
			assert.Equal(t, err, o.refused, reason)
			assert.NotEqual(t, row.text, got, reason)
		})
	}
}

// TestOpening_login lets no login pass that has the password itself, whatever the greeting was.
func TestOpening_login(t *testing.T) {
	login := func(flags string, rest string) []byte {
		body := flags + strings.Repeat("\x00", 28) + "app\x00" + rest
		return []byte(packetOf(1, body))
	}
	for text, want := range map[string]string{
		string(login("\x08\x00\x00\x00", "\x08hunter2\x00shop\x00"+pluginClear+"\x00")):               "in clear text",
		string(login("\x00\x00\x00\x00", "\x08hunter2\x00"+pluginClear+"\x00")):                       "in clear text",
		string(login("\x00\x00\x00\x00", "\x08hunter2\x00"+pluginSHA256+"\x00")):                      pluginSHA256,
		string(login("\x08\x00\x00\x00", "\x14"+salt+"shop\x00"+pluginNative+"\x00")):                 "",
		string(login("\x08\x00\x00\x00", "\x14"+salt+"mysql_clear_password\x00"+pluginNative+"\x00")): "",
	} {
		var sent bytes.Buffer
		o := &opening{Conn: from{Writer: &sent}, guard: &guard{local: func(net.Addr) bool { return false }}}
		_, err := o.Write([]byte(text))
		if want == "" {
			require.NoError(t, err)
			assert.Equal(t, text, sent.String())
			continue
		}
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, o.refused, want)
		assert.Empty(t, sent.String())
	}
}

// TestOpening_cutConnect closes the connection to such a server, and says what is wrong as an error of connecting.
func TestOpening_cutConnect(t *testing.T) {
	addr, sent := fakeServer(t, certificate(t), "\x0a9.7.4\x00")
	s, err := open("mysql://app:hunter2@" + addr + "/app?connect_timeout=3s")
	require.NoError(t, err)
	_, err = (&connector{source: s, role: binds.Writer}).Connect(t.Context())
	var cut *PacketError
	require.ErrorAs(t, err, &cut)
	assert.Equal(t, binds.NotSent, Driver{}.Classify(&binds.ConnectError{Err: err}))
	assert.Empty(t, sent(), "the server sees the end, and was told nothing")
}
