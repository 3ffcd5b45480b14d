package integration_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// TestCertificatesUnderLoad replaces the authority's file and the client's own certificate and key again and again, whole and by halves, while eight
// goroutines query on connections that live for a moment: nothing fails. A file that trusts somebody else is taken, too: no server is trusted then.
func TestCertificatesUnderLoad(t *testing.T) {
	for name, parameters := range map[string]map[string]string{
		teston.Postgres: {"sslmode": "verify-full", "sslrootcert": "ca.pem", "sslcert": "client.pem", "sslkey": "client-key.pem"},
		teston.MariaDB:  {"ssl-mode": "VERIFY_IDENTITY", "ssl-ca": "ca.pem", "ssl-cert": "client.pem", "ssl-key": "client-key.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c := teston.Start(t, name, 0, integration.WithTLS())
			dir := t.TempDir()
			text := func(file string) []byte {
				b, err := os.ReadFile(file)
				require.NoError(t, err)
				return b
			}
			files := c.TLS()
			ca, other, cert, key := text(files.CA), text(files.OtherCA), text(files.ClientCert), text(files.ClientKey)
			give := func(file string, text []byte) { // as a mounted secret is replaced: whole
				path := filepath.Join(dir, file)
				require.NoError(t, os.WriteFile(path+".new", text, 0o600))
				require.NoError(t, os.Rename(path+".new", path))
			}
			give("ca.pem", ca)
			give("client.pem", cert)
			give("client-key.pem", key)
			u, err := url.Parse(c.Primary.URI())
			require.NoError(t, err)
			query := u.Query()
			for k, v := range parameters {
				if filepath.Ext(v) == ".pem" {
					v = filepath.Join(dir, v)
				}
				query.Set(k, v)
			}
			u.RawQuery = query.Encode()
			m := openManager(t, config(map[string]string{"shop": u.String(), "audit": c.Primary.URI()}, nil, `pool = { max_open = 4, max_lifetime = "50ms" }`))
			session := "SELECT pg_backend_pid()"
			if name == teston.MariaDB {
				session = "SELECT connection_id()"
			}
			var met sync.Map // connections
			var made, done atomic.Int64
			one := func(ctx context.Context) error {
				var id int64
				err := m.NewRaw(shop{}, session).Scan(ctx, &id)
				if _, known := met.LoadOrStore(id, true); !known && err == nil {
					made.Add(1)
				}
				return err
			}
			work, stop := context.WithCancel(ctx)
			defer stop()
			var running sync.WaitGroup
			for range 8 {
				running.Go(func() {
					for work.Err() == nil && assert.NoError(t, one(ctx)) {
						done.Add(1)
					}
				})
			}
			connects := func(n int64) {
				before := made.Load()
				require.Eventually(t, func() bool { return made.Load() >= before+n || t.Failed() }, waitFor, tick)
			}
			both := append(append([]byte{}, ca...), other...)
			for range 3 {
				connects(4)
				give("ca.pem", both)
				give("client.pem", cert)
				connects(4)
				require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), ca[:len(ca)/2], 0o600)) // it is being written
				require.NoError(t, os.Remove(filepath.Join(dir, "client-key.pem")))
				connects(4)
				give("client-key.pem", key)
				give("ca.pem", ca)
			}
			connects(4)
			stop()
			running.Wait()
			t.Logf("%d queries on %d connections, none failed", done.Load(), made.Load())
			if t.Failed() {
				return
			}
			give("ca.pem", other)
			var unknown x509.UnknownAuthorityError
			require.Eventually(t, func() bool { return errors.As(one(ctx), &unknown) }, waitFor, tick, "it is read anew")
			give("ca.pem", ca)
			require.Eventually(t, func() bool { return one(ctx) == nil }, waitFor, tick)
		})
	}
}
