package pgbind

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

const encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

// at puts another host name of the same server into a URI.
func at(t *testing.T, uri, host string) string {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	u.Host = net.JoinHostPort(host, u.Port())
	return u.String()
}

func TestTLS(t *testing.T) {
	files, uri := cluster.TLS(), cluster.Primary.URI()
	otherName := with(t, at(t, uri, "db1.example"), "hostaddr", "127.0.0.1")
	for reason, row := range map[string]struct {
		uri        string
		parameters []string
		want       string // the value of ssl, or the error
	}{
		"disable":                               {uri, []string{"sslmode", "disable"}, "false"},
		"require verifies nothing":              {otherName, []string{"sslmode", "require"}, "true"},
		"require is the default elsewhere":      {otherName, []string{"sslmode", ""}, "true"},
		"plain is the default on this machine":  {uri, []string{"sslmode", ""}, "false"},
		"a version asks for TLS":                {uri, []string{"sslmode", "", "ssl_min_protocol_version", "TLSv1.3"}, "true"},
		"an authority asks for verify-ca":       {uri, []string{"sslmode", "", "sslrootcert", files.OtherCA}, "unknown authority"},
		"require with the authority":            {uri, []string{"sslmode", "require", "sslrootcert", files.CA}, "true"},
		"require with another authority":        {uri, []string{"sslmode", "require", "sslrootcert", files.OtherCA}, "unknown authority"},
		"verify-ca":                             {uri, []string{"sslmode", "verify-ca", "sslrootcert", files.CA}, "true"},
		"verify-ca under another name":          {otherName, []string{"sslmode", "verify-ca", "sslrootcert", files.CA}, "true"},
		"verify-ca with another authority":      {uri, []string{"sslmode", "verify-ca", "sslrootcert", files.OtherCA}, "unknown authority"},
		"verify-full by address":                {uri, []string{"sslmode", "verify-full", "sslrootcert", files.CA}, "true"},
		"verify-full by name":                   {at(t, uri, "localhost"), []string{"sslmode", "verify-full", "sslrootcert", files.CA, "hostaddr", "127.0.0.1"}, "true"},
		"verify-full under another name":        {otherName, []string{"sslmode", "verify-full", "sslrootcert", files.CA}, "not db1.example"},
		"verify-full by an address not in it":   {at(t, uri, "127.0.0.2"), []string{"sslmode", "verify-full", "sslrootcert", files.CA, "hostaddr", "127.0.0.1"}, "127.0.0.2"},
		"verify-full with another authority":    {uri, []string{"sslmode", "verify-full", "sslrootcert", files.OtherCA}, "unknown authority"},
		"verify-full with the system's trust":   {uri, []string{"sslmode", "verify-full"}, "unknown authority"},
		"the system's trust by name":            {uri, []string{"sslmode", "", "sslrootcert", "system"}, "unknown authority"},
		"TLS 1.2 alone":                         {uri, []string{"sslmode", "require", "ssl_max_protocol_version", "TLSv1.2"}, "true"},
		"TLS 1.3 alone":                         {uri, []string{"sslmode", "require", "ssl_min_protocol_version", "TLSv1.3"}, "true"},
		"with a certificate of the client":      {uri, []string{"sslmode", "verify-full", "sslrootcert", files.CA, "sslcert", files.ClientCert, "sslkey", files.ClientKey}, "true"},
		"a socket is plain without being asked": {cluster.Primary.SocketURI(), nil, "false"},
	} {
		t.Run(reason, func(t *testing.T) {
			u := with(t, row.uri, row.parameters...)
			u = strings.ReplaceAll(u, "sslmode=&", "") // "" takes it out
			u = strings.TrimSuffix(strings.TrimSuffix(u, "sslmode="), "?")
			e := open(t, u)
			var got string
			err := e.DB().QueryRowContext(t.Context(), encrypted).Scan(&got)
			if row.want == "true" || row.want == "false" {
				require.NoError(t, err)
				assert.Equal(t, row.want, got)
				return
			}
			require.ErrorContains(t, err, row.want)
			assert.Equal(t, binds.NotSent, e.Classify(err))
		})
	}
}

// The certificate that the client shows is the one the server sees.
func TestTLS_clientCertificate(t *testing.T) {
	files := cluster.TLS()
	uri := with(t, cluster.Primary.URI(), "sslmode", "verify-full", "sslrootcert", files.CA)
	dn := "SELECT coalesce(client_dn, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
	assert.Empty(t, value(t, open(t, uri), dn))
	e := open(t, with(t, uri, "sslcert", files.ClientCert, "sslkey", files.ClientKey))
	pair, err := tls.LoadX509KeyPair(files.ClientCert, files.ClientKey)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	assert.Contains(t, value(t, e, dn), leaf.Subject.CommonName)
}

// A server without TLS is refused in so many words, and is sent no login; so is one that is not
// PostgreSQL.
func TestTLS_declined(t *testing.T) {
	for reason, row := range map[string]struct {
		answer string
		want   string
	}{
		"no TLS":              {"N", "sslmode=disable"},
		"not PostgreSQL":      {"HTTP/1.1 400 Bad Request\r\n", "not PostgreSQL's"},
		"it hangs up":         {"", "EOF"},
		"a plain-text attack": {"S" + strings.Repeat("x", 64), "TLS handshake"},
	} {
		t.Run(reason, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			got := make(chan []byte, 1)
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				request := make([]byte, 8)
				_, _ = io.ReadFull(c, request)
				_, _ = c.Write([]byte(row.answer))
				if tc, ok := c.(*net.TCPConn); ok {
					_ = tc.CloseWrite()
				}
				rest, _ := io.ReadAll(c)
				_ = c.Close()
				got <- rest
			}()
			e := open(t, "postgres://app:pw@"+l.Addr().String()+"/app?sslmode=require")
			err = e.Ping(t.Context())
			require.ErrorContains(t, err, row.want)
			assert.Equal(t, binds.NotSent, e.Classify(err))
			if row.answer == "N" {
				require.ErrorIs(t, err, ErrNoTLS)
				assert.Empty(t, <-got, "a log-in was sent in plain text")
			} else {
				<-got
			}
			require.NoError(t, l.Close())
		})
	}
}

// A key that others can read is refused, as libpq does.
func TestTLS_exposedKey(t *testing.T) {
	files := cluster.TLS()
	key, err := os.ReadFile(files.ClientKey)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "client.pem")
	require.NoError(t, os.WriteFile(file, key, 0o600))
	uri := "postgres://app@db1/app?sslmode=verify-full&sslcert=" + files.ClientCert + "&sslkey=" + file
	_, err = parse(uri)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(file, 0o644))
	_, err = parse(uri)
	require.ErrorContains(t, err, `parameter "sslkey": others than its owner can read the file`)
	assert.NotContains(t, err.Error(), file)
}
