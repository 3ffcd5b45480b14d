package mysqlbind

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

const salt = "12345678901234567890"

// greetingOf is what a server says first.
func greetingOf(plugin string) string {
	return "\x0a9.7.4\x00\x01\x00\x00\x00" + salt[:8] + "\x00\x01\x8a\xff\x02\x00\x28\x00\x15" + strings.Repeat("\x00", 10) + salt[8:] + "\x00" + plugin + "\x00"
}

// fakeServer greets, and says each of its texts as a packet once the client has said something. It gives what the client said to them.
func fakeServer(t *testing.T, cert tls.Certificate, greeting string, texts ...string) (addr string, sent func() [][]byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	got := make(chan [][]byte, 1)
	go func() {
		var all [][]byte
		defer func() { got <- all }()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = c.Write([]byte(packetOf(0, greeting)))
		for i := 0; ; i++ {
			p, err := readPacket(c)
			if err != nil {
				return
			}
			if i == 0 && len(p) == packetHeader+sslRequestLen {
				c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
				i--
				continue
			}
			all = append(all, p[packetHeader:])
			text := "\xff\x15\x04#28000no"
			if i < len(texts) {
				text = texts[i]
			}
			_, _ = c.Write([]byte(packetOf(p[packetHeader-1]+1, text)))
		}
	}()
	return l.Addr().String(), func() [][]byte { return <-got }
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestGuard asks for the password in every way in which it would be given away. Nothing of it arrives at a server that nothing
// proves, and a server on this machine is sent what it asks for.
func TestGuard(t *testing.T) {
	const password = "hunter2"
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	require.NoError(t, err)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	file := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(file, []byte(key), 0o644))
	cert := certificate(t)
	const (
		full   = "\x01\x04"
		clear  = "\xfe" + pluginClear + "\x00"
		sha256 = "\xfe" + pluginSHA256 + "\x00" + salt + "\x00"
		cache  = pluginCachingSHA2
		native = "mysql_native_password"
	)
	encrypted := string(make([]byte, 256)) // its length counts
	for reason, row := range map[string]struct {
		params, greets string
		asks           []string
		want           string // of the error, elsewhere
		answers        string // on this machine, to the last; "" where it is not told
		elsewhere      bool   // is that sent elsewhere, too
	}{
		"a key of its own":                      {"", cache, []string{full}, "encrypted with a key that it offers itself (caching_sha2_password)", "\x02", false},
		"the key without being asked":           {"", cache, []string{sha256, "\x01" + key}, "serverPubKey with a file", encrypted, false},
		"under TLS to whomever":                 {"ssl-mode=REQUIRED", cache, []string{full}, "the password itself (caching_sha2_password)", password + "\x00", false},
		"a key that is known":                   {"serverPubKey=" + file, cache, []string{full}, "", encrypted, true},
		"another key than the one known":        {"serverPubKey=" + file, cache, []string{sha256, "\x01" + key}, "with a key that it offers itself", encrypted, false},
		"in clear":                              {"enable-cleartext-plugin=1", cache, []string{clear}, "in clear text", password + "\x00", false},
		"in clear under TLS":                    {"enable-cleartext-plugin=1&ssl-mode=REQUIRED", cache, []string{clear}, "in clear text", password + "\x00", false},
		"sha256_password":                       {"", native, []string{sha256}, "(sha256_password)", "\x01", false},
		"sha256_password under TLS":             {"ssl-mode=REQUIRED", native, []string{sha256}, "the password itself (sha256_password)", password + "\x00", false},
		"sha256_password with a key":            {"serverPubKey=" + file, native, []string{sha256}, "", encrypted, true},
		"sha256_password from the greeting":     {"ssl-mode=REQUIRED", pluginSHA256, []string{"\x00\x00\x00\x02\x00\x00\x00"}, "", "", true},
		"in clear from the greeting":            {"enable-cleartext-plugin=1", pluginClear, nil, "1045", "", true},
		"in clear from the greeting, under TLS": {"enable-cleartext-plugin=1&ssl-mode=REQUIRED", pluginClear, nil, "1045", "", true},
		"what proves it without telling it":     {"", cache, []string{"\xfe" + native + "\x00" + salt + "\x00"}, "1045", string(scrambled(20)), true},
		"what proves it, under TLS":             {"ssl-mode=REQUIRED", native, []string{"\xfe" + cache + "\x00" + salt + "\x00"}, "1045", string(scrambled(32)), true},
	} {
		for _, local := range []bool{false, true} {
			t.Run(fmt.Sprint(reason, ", on this machine: ", local), func(t *testing.T) {
				addr, sent := fakeServer(t, cert, greetingOf(row.greets), row.asks...)
				s, err := open("mysql://app:" + password + "@" + addr + "/app?connect_timeout=3s&" + row.params)
				require.NoError(t, err)
				if !local {
					s.guard.local = func(net.Addr) bool { return false }
				}
				_, err = (&connector{source: s, role: binds.Writer}).Connect(t.Context())
				require.Error(t, err, "the server is none")
				assert.NotContains(t, err.Error(), password)
				got := sent()
				require.NotEmpty(t, got)
				assert.NotContains(t, string(got[0]), password, "the login itself")
				if local || row.elsewhere {
					if row.answers != "" {
						require.Greater(t, len(got), len(row.asks), "%v", err)
						assert.Len(t, got[len(row.asks)], len(row.answers))
					}
					return
				}
				assert.ErrorContains(t, err, row.want)
				assert.Equal(t, binds.NotSent, Driver{}.Classify(&binds.ConnectError{Err: err}))
				var withheld *binds.PasswordWithheldError
				assert.ErrorAs(t, err, &withheld)
				assert.LessOrEqual(t, len(got), len(row.asks), "an answer to the last")
				assert.NotContains(t, string(bytes.Join(got, nil)), password)
			})
		}
	}
}

func scrambled(n int) []byte { return make([]byte, n) }

func TestServerPubKey(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o644))
		return file
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	require.NoError(t, err)
	good := write("good.pem", "PUBLIC KEY", der)
	pkcs1 := write("pkcs1.pem", "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&private.PublicKey))
	der, err = x509.MarshalPKIXPublicKey(other.Public())
	require.NoError(t, err)
	elliptic := write("ec.pem", "PUBLIC KEY", der)
	empty := filepath.Join(dir, "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o644))
	for uri, want := range map[string]string{
		"mysql://app@db1/x?ssl-mode=DISABLED&serverPubKey=" + good:  "",
		"mysql://app@db1/x?ssl-mode=DISABLED&serverPubKey=" + pkcs1: "",
		"mysql://app@127.0.0.1/x?serverPubKey=" + good:              "",
		"mysql://app@db1/x?serverPubKey=" + good:                    "does nothing under TLS",
		"mysql://app@db1/x?ssl-mode=VERIFY_CA&serverPubKey=" + good: "does nothing under TLS",
		"mysql://app@127.0.0.1/x?serverPubKey=" + elliptic:          "no public RSA key",
		"mysql://app@127.0.0.1/x?serverPubKey=" + empty:             "no key in PEM form",
		"mysql://app@127.0.0.1/x?serverPubKey=" + dir + "/none.pem": `of parameter "serverPubKey" cannot be read: no such file`,
		"mysql://app@127.0.0.1/x?serverPubKey=":                     "cannot be read",
	} {
		_, err := open(uri)
		if want == "" {
			require.NoError(t, err, uri)
			continue
		}
		require.ErrorContains(t, err, want, uri)
		assert.NotContains(t, err.Error(), dir, "values stay out of errors")
	}
}

func TestWarnings(t *testing.T) {
	for uri, want := range map[string]struct {
		told bool
		mode bool // TLS
	}{
		"mysql://app@db1/shop":                          {true, true},
		"mariadb://app@10.0.0.1/shop":                   {true, true},
		"mysql://app@db1/shop?ssl-mode=REQUIRED":        {false, true},
		"mysql://app@db1/shop?ssl-mode=DISABLED":        {false, false},
		"mysql://app@db1/shop?ssl-mode=VERIFY_IDENTITY": {false, true},
		"mysql://app@localhost/shop":                    {false, false},
		"mysql://app@127.0.0.1/shop":                    {false, false},
		"mysql://app@[::1]/shop":                        {false, false},
		"mysql://app@/shop":                             {false, false},
		"mysql://app@/shop?socket=/run/my.sock":         {false, false},
	} {
		s, err := open(uri)
		require.NoError(t, err, uri)
		assert.Equal(t, want.told, len(s.Warnings()) == 1, "%s: %q", uri, s.Warnings())
		assert.Equal(t, want.mode, s.guard.tls != nil, uri)
	}
}
