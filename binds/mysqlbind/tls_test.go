package mysqlbind_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// tlsURI is the primary's URI on the given host, with parameters.
func tlsURI(host, params string) string {
	return fmt.Sprintf("mysql://app:%s@%s:%d/app?%s", url.QueryEscape(password), host, cluster.Primary.Port(), params)
}

func TestTLS(t *testing.T) {
	files := cluster.TLS()
	for reason, row := range map[string]struct {
		host, params string
		encrypted    bool
		wrong        any // what the error holds; nil: it connects
	}{
		"none by default":                   {"127.0.0.1", "", false, nil},
		"none":                              {"127.0.0.1", "ssl-mode=DISABLED", false, nil},
		"encrypted, to whomever":            {"127.0.0.1", "ssl-mode=REQUIRED", true, nil},
		"the authority":                     {"127.0.0.1", "ssl-mode=VERIFY_CA&ssl-ca=" + files.CA, true, nil},
		"the authority, whatever the name":  {"127.0.0.2", "ssl-mode=VERIFY_CA&ssl-ca=" + files.CA, true, nil},
		"another authority of its name":     {"127.0.0.1", "ssl-mode=VERIFY_CA&ssl-ca=" + files.OtherCA, true, new(*tls.CertificateVerificationError)},
		"the system's authorities":          {"127.0.0.1", "ssl-mode=VERIFY_CA", true, new(*tls.CertificateVerificationError)},
		"address and authority":             {"127.0.0.1", "ssl-mode=VERIFY_IDENTITY&ssl-ca=" + files.CA, true, nil},
		"name and authority":                {"localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca=" + files.CA, true, nil},
		"another name":                      {"127.0.0.2", "ssl-mode=VERIFY_IDENTITY&ssl-ca=" + files.CA, true, new(x509.HostnameError)},
		"name of another authority":         {"localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca=" + files.OtherCA, true, new(*tls.CertificateVerificationError)},
		"name without an authority":         {"localhost", "ssl-mode=VERIFY_IDENTITY", true, new(*tls.CertificateVerificationError)},
		"a client's certificate":            {"localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca=" + files.CA + "&ssl-cert=" + files.ClientCert + "&ssl-key=" + files.ClientKey, true, nil},
		"clear passwords to a known server": {"localhost", "ssl-mode=VERIFY_CA&ssl-ca=" + files.CA + "&enable-cleartext-plugin=1", true, nil},
		"compressed":                        {"localhost", "ssl-mode=REQUIRED&compress=1", true, nil},
	} {
		t.Run(reason, func(t *testing.T) {
			uri := tlsURI(row.host, row.params)
			if row.host == "127.0.0.2" {
				port := fmt.Sprint(elsewhere(t, row.host))
				uri = strings.Replace(uri, fmt.Sprint(cluster.Primary.Port()), port, 1)
			}
			e := engine(t, uri, binds.WithPool(binds.Pool{MaxOpen: 2}))
			if row.wrong != nil {
				err := e.Ping(bounded(t))
				require.ErrorAs(t, err, row.wrong)
				assert.Equal(t, binds.NotSent, e.Classify(err))
				assert.NotContains(t, err.Error(), password)
				return
			}
			require.NoError(t, e.Ping(bounded(t)))
			var name, cipher string
			require.NoError(t, e.DB().QueryRowContext(bounded(t), "SHOW SESSION STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher))
			assert.Equal(t, row.encrypted, cipher != "", "cipher %q", cipher)
		})
	}
}

// A client certificate is shown to a server that asks for one, and its absence is refused.
func TestTLSClientCertificate(t *testing.T) {
	files := cluster.TLS()
	onPrimary(t, "DROP USER IF EXISTS my_x509", "CREATE USER my_x509 IDENTIFIED BY 'x' REQUIRE X509")
	t.Cleanup(func() { onPrimary(t, "DROP USER my_x509") })
	uri := fmt.Sprintf("mysql://my_x509:x@%s/?ssl-mode=VERIFY_IDENTITY&ssl-ca=%s", cluster.Primary.Addr(), files.CA)
	require.NoError(t, engine(t, uri+"&ssl-cert="+files.ClientCert+"&ssl-key="+files.ClientKey).Ping(bounded(t)))
	require.ErrorContains(t, engine(t, uri).Ping(bounded(t)), "Access denied")
}

// A statement given up under TLS is killed under TLS.
func TestTLSCancel(t *testing.T) {
	e := engine(t, tlsURI("localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca="+cluster.TLS().CA))
	cancelled(t, e, "my-tls")
}

func TestTLSRefuses(t *testing.T) {
	files := cluster.TLS()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	require.NoError(t, os.WriteFile(empty, []byte("no certificate"), 0o600))
	for reason, row := range map[string]struct{ params, want string }{
		"in lower case":                  {"ssl-mode=required", `did you mean "REQUIRED"?`},
		"PREFERRED":                      {"ssl-mode=PREFERRED", "must be one of DISABLED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY"},
		"an authority without a mode":    {"ssl-ca=" + files.CA, "do nothing without ssl-mode"},
		"an authority that is not asked": {"ssl-mode=REQUIRED&ssl-ca=" + files.CA, "does nothing with ssl-mode=REQUIRED"},
		"no such file":                   {"ssl-mode=VERIFY_CA&ssl-ca=" + dir + "/none.pem", `of parameter "ssl-ca" cannot be read: no such file`},
		"a file without certificates":    {"ssl-mode=VERIFY_CA&ssl-ca=" + empty, "holds no certificate"},
		"a certificate without its key":  {"ssl-mode=REQUIRED&ssl-cert=" + files.ClientCert, "belong together"},
		"a certificate with another key": {"ssl-mode=REQUIRED&ssl-cert=" + files.CA + "&ssl-key=" + files.ClientKey, "do not load"},
		"a key that is none":             {"ssl-mode=REQUIRED&ssl-cert=" + files.ClientCert + "&ssl-key=" + empty, "do not load"},
		"a key that is not there":        {"ssl-mode=REQUIRED&ssl-cert=" + files.ClientCert + "&ssl-key=" + dir + "/none", "no such file"},
		"clear passwords without a mode": {"enable-cleartext-plugin=1", "give ssl-mode=VERIFY_IDENTITY"},
		"clear passwords without TLS":    {"ssl-mode=DISABLED&enable-cleartext-plugin=1", "give ssl-mode=VERIFY_IDENTITY"},
		"clear passwords to whomever":    {"ssl-mode=REQUIRED&enable-cleartext-plugin=1", "give ssl-mode=VERIFY_IDENTITY"},
		"the name of a socket":           {"socket=/run/my.sock&ssl-mode=VERIFY_IDENTITY", "has no host name"},
	} {
		t.Run(reason, func(t *testing.T) {
			host := "localhost"
			if strings.Contains(row.params, "enable-cleartext-plugin") {
				host = "db1"
			}
			if strings.HasPrefix(row.params, "socket") {
				host = ""
			}
			_, err := mysqlbind.Driver{}.Open(t.Context(), "mysql://app:pw@"+host+"/app?"+row.params)
			require.ErrorContains(t, err, row.want)
			assert.NotContains(t, err.Error(), dir, "values stay out of errors")
		})
	}
}

// A server that insists on TLS has it.
func TestTLSDemanded(t *testing.T) {
	global(t, "require_secure_transport", "1")
	want := mySQL.needsTLS
	if server() == mariaDB && !cluster.Primary.Version().AtLeast("MariaDB", 11) {
		want = mariaDB.needsTLS
	}
	require.ErrorContains(t, engine(t, tlsURI("127.0.0.1", "")).Ping(bounded(t)), want)
	require.NoError(t, engine(t, tlsURI("127.0.0.1", "ssl-mode=REQUIRED")).Ping(bounded(t)))
}

// A server without TLS, or somebody in between who says so, does not get the password.
func TestTLSMissing(t *testing.T) {
	var opts []integration.Option
	if cluster.Primary.Version().AtLeast("MariaDB", 11, 4) {
		opts = append(opts, integration.WithSetting("ssl", "0")) // it makes itself a certificate
	}
	plain := teston.StartMySQLFamily(t, 0, opts...)
	err := engine(t, plain.Primary.URI()+"?ssl-mode=REQUIRED").Ping(bounded(t))
	require.ErrorIs(t, err, mysql.ErrNoTLS)
	require.ErrorContains(t, err, "the server offers no TLS, which ssl-mode asks for")
}

// elsewhere makes the primary reachable at another address of this machine, and returns its port.
func elsewhere(t *testing.T, addr string) int {
	l, err := net.Listen("tcp", addr+":0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close() // ends the loop below
		wg.Wait()
	})
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { forward(in) })
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

func forward(in net.Conn) {
	out, err := net.Dial("tcp", cluster.Primary.Addr())
	if err != nil {
		_ = in.Close() // the client finds out
		return
	}
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		wg.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // until either side closes
			_ = way[0].Close()
		})
	}
	wg.Wait()
}

// A key that others can read works, and is told.
func TestTLS_exposedKey(t *testing.T) {
	files := cluster.TLS()
	key, err := os.ReadFile(files.ClientKey)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "client.pem")
	require.NoError(t, os.WriteFile(file, key, 0o600))
	uri := "mysql://app@db1/app?ssl-mode=VERIFY_IDENTITY&ssl-cert=" + files.ClientCert + "&ssl-key=" + file
	assert.Empty(t, engine(t, uri).Warnings())
	require.NoError(t, os.Chmod(file, 0o644))
	assert.Equal(t, []string{"others than its owner can read the file of ssl-key: chmod 600, or, if it is root's, 640"}, engine(t, uri).Warnings())
}
