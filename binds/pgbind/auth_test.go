package pgbind

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

func nowhereNear(net.Addr) bool { return false }

// connectorOf makes a connector whose server counts as one elsewhere.
func connectorOf(t *testing.T, uri string) *connector {
	t.Helper()
	s, err := parse(uri)
	require.NoError(t, err)
	s.local = nowhereNear
	return &connector{settings: s, role: binds.Writer, sessions: &sessions{}}
}

func request(code byte, body string) string {
	return string(message(msgAuthentication, "\x00\x00\x00"+string(rune(code))+body))
}

// fakeServer answers a log-in with texts, one for each message of the client, and gives what it was sent after the first.
func fakeServer(t *testing.T, answers ...string) (addr string, sent func() string) {
	t.Helper()
	return serve(t, len(answers), 1, func(i int, _ string) string { return answers[i] })
}

// serve gives so many answers to what a client sends, and tells what that was, but for the client's first messages.
func serve(t *testing.T, answers, untold int, answer func(i int, heard string) string) (addr string, sent func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		var all bytes.Buffer
		b := make([]byte, 4096)
		for i := range answers {
			n, err := c.Read(b)
			if i >= untold {
				all.Write(b[:n])
			}
			if err != nil {
				break
			}
			_, _ = io.WriteString(c, answer(i, string(b[:n])))
		}
		rest, _ := io.ReadAll(c)
		all.Write(rest)
		got <- all.String()
	}()
	return l.Addr().String(), func() string { return <-got }
}

const (
	welcome   = "R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"
	offerSASL = "SCRAM-SHA-256\x00\x00"
)

// TestAuth_withheld asks for the password in every way in which it would be given away. Nothing of it arrives at a server that
// nothing proves, and a server on this machine is sent what it asks for.
func TestAuth_withheld(t *testing.T) {
	const password = "hunter2"
	for reason, row := range map[string]struct {
		asks, params string
		want         string // of the error
		local        bool   // is it sent to a server on this machine
	}{
		"in clear":                      {request(3, ""), "", "the password in clear text, and nothing proves that it is the right server: give sslmode=verify-full", true},
		"in clear, if that is accepted": {request(3, ""), "&require_auth=password", "in clear text", true},
		"in clear, and then by SCRAM":   {request(3, "") + request(10, offerSASL), "", "in clear text", true},
		"by SCRAM, and then in clear":   {request(10, offerSASL) + request(3, ""), "", "", true},
		"by MD5":                        {request(5, "salt"), "", "as an MD5 hash", true},
		"in clear, as if it were MD5":   {request(3, "") + request(5, "salt"), "&require_auth=md5", "does not allow", false},
		"by MD5, allowed among others":  {request(5, "salt"), "&require_auth=!password", "as an MD5 hash", true},
		"by MD5, if that is accepted":   {request(5, "salt"), "&require_auth=md5,scram-sha-256", "", true},
		"by MD5, if that is refused":    {request(5, "salt"), "&require_auth=!md5", "require_auth=!md5 does not allow that", false},
		"in clear, if that is refused":  {request(3, ""), "&require_auth=scram-sha-256", "asks for it by password, and require_auth=scram-sha-256", false},
	} {
		for _, local := range []bool{false, true} {
			t.Run(fmt.Sprint(reason, ", on this machine: ", local), func(t *testing.T) {
				addr, sent := fakeServer(t, row.asks, welcome)
				c := connectorOf(t, "postgres://app:"+password+"@"+addr+"/app?sslmode=disable&connect_timeout=2s"+row.params)
				if local {
					c.settings.local = func(net.Addr) bool { return true }
				}
				conn, err := c.Connect(t.Context())
				if err == nil {
					require.NoError(t, conn.Close())
				}
				assert.NotContains(t, fmt.Sprint(err), password)
				got := sent()
				given := row.want == "" || local && row.local
				assert.Equal(t, given, strings.HasPrefix(got, "p"), "%q", got)
				if given {
					return
				}
				assert.ErrorContains(t, err, row.want)
				assert.Equal(t, binds.NotSent, (&binds.Engine{}).Classify(&binds.ConnectError{Err: err}))
				assert.NotContains(t, got, "p\x00\x00", "%q", got)
				assert.NotContains(t, got, password)
			})
		}
	}
}

// TestAuth_iterations gives no proof to a server elsewhere that would have the password hashed a few times only.
func TestAuth_iterations(t *testing.T) {
	for reason, row := range map[string]struct {
		first []string // messages of the server
		want  string
	}{
		"once":                        {[]string{"i=1"}, "hashed 1 times only"},
		"nearly enough":               {[]string{"i=4095"}, "hashed 4095 times only"},
		"enough":                      {[]string{"i=4096"}, ""},
		"once, and then often enough": {[]string{"i=1", "i=4096"}, "hashed 1 times only"},
		"none":                        {[]string{"i=0"}, "hashed 0 times only"},
	} {
		t.Run(reason, func(t *testing.T) {
			a := &auth{}
			require.NoError(t, a.admit(message(msgPassword, mechanism+"\x00\x00\x00\x08n,,n=,r=x")))
			for _, i := range row.first {
				require.NoError(t, a.request([]byte("\x00\x00\x00\x0br=xy,s=c2FsdA==,"+i)))
			}
			err := a.admit(message(msgPassword, "c=biws,r=xy,p=proof"))
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.want)
			assert.ErrorContains(t, err, "scram_iterations")
		})
	}
}

// TestAuth_server logs in to real accounts that PostgreSQL asks in each way, at a server that counts as one elsewhere.
func TestAuth_server(t *testing.T) {
	ctx, files := t.Context(), cluster.TLS()
	run := func(statements ...string) {
		t.Helper()
		for _, q := range statements {
			_, err := admin.ExecContext(context.WithoutCancel(ctx), q)
			require.NoError(t, err, q)
		}
	}
	accounts := []string{"au_clear", "au_md5", "au_scram", "au_trust"}
	var before string
	require.NoError(t, admin.QueryRowContext(ctx, "SELECT pg_read_file(current_setting('hba_file'))").Scan(&before))
	write := func(text string) {
		t.Helper()
		run("DO $do$BEGIN EXECUTE format('COPY (SELECT unnest(string_to_array(%L, chr(10)))) TO %L', $text$" + text + "$text$, current_setting('hba_file')); END$do$")
	}
	t.Cleanup(func() {
		write(before)
		run("SELECT pg_reload_conf()", "DROP ROLE au_clear, au_md5, au_scram, au_trust")
	})
	for _, a := range accounts {
		how := "scram-sha-256"
		if a == "au_md5" {
			how = "md5"
		}
		run("SET password_encryption = '" + how + "'; CREATE ROLE " + a + " LOGIN PASSWORD 'pw'")
	}
	write("host all au_clear 127.0.0.1/32 password\nhost all au_md5 127.0.0.1/32 md5\nhost all au_scram 127.0.0.1/32 scram-sha-256\n" +
		"host all au_trust 127.0.0.1/32 trust\n" + before)
	run("SELECT pg_reload_conf()")
	eventually(t, "4", "SELECT count(*)::text FROM pg_hba_file_rules WHERE user_name::text LIKE '{au_%'")

	verified := "sslmode=verify-full&sslrootcert=" + files.CA
	for _, row := range []struct {
		user, params string
		want         string // the error; "": it logs in
	}{
		{"au_clear", "sslmode=disable", "in clear text"},
		{"au_clear", "sslmode=require", "in clear text"},
		{"au_clear", verified, ""},
		{"au_clear", "sslmode=verify-ca&sslrootcert=" + files.CA, ""},
		{"au_clear", verified + "&require_auth=scram-sha-256", "require_auth=scram-sha-256"},
		{"au_md5", "sslmode=require", "as an MD5 hash"},
		{"au_md5", "sslmode=require&require_auth=md5", ""},
		{"au_md5", verified, ""},
		{"au_md5", verified + "&require_auth=!md5,!password", "require_auth=!md5,!password"},
		{"au_scram", "sslmode=disable", ""},
		{"au_scram", "sslmode=require&require_auth=scram-sha-256", ""},
		{"au_scram", verified + "&require_auth=none", "asks for it by scram-sha-256"},
		{"au_trust", "sslmode=require", ""},
		{"au_trust", "sslmode=require&require_auth=none", ""},
		{"au_trust", "sslmode=require&require_auth=scram-sha-256", "without asking for anything"},
		{"au_trust", "sslmode=require&require_auth=!none", "without asking for anything"},
	} {
		t.Run(row.user+" "+strings.ReplaceAll(row.params, files.CA, "CA"), func(t *testing.T) {
			c := connectorOf(t, "postgres://"+row.user+":pw@"+cluster.Primary.Addr()+"/app?"+row.params)
			conn, err := c.Connect(ctx)
			if row.want != "" {
				require.ErrorContains(t, err, row.want)
				return
			}
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		})
	}

	// Connections of pgdriver's own kind, and its listener's, are guarded alike.
	c := connectorOf(t, "postgres://au_clear:pw@"+cluster.Primary.Addr()+"/app?sslmode=require")
	_, err := (&nativeConnector{connector{settings: c.settings, sessions: c.sessions}}).Connect(ctx)
	require.ErrorContains(t, err, "in clear text")
}

func TestWarnings(t *testing.T) {
	for uri, want := range map[string]bool{
		"postgres://app@db1/shop":                              true,
		"postgres://app@10.0.0.1/shop":                         true,
		"postgres://app@db1/shop?hostaddr=127.0.0.1":           true,
		"postgres://app@localhost/shop?hostaddr=10.0.0.1":      true,
		"postgres://app@db1/shop?sslmode=require":              false, // who says so knows
		"postgres://app@db1/shop?sslmode=disable":              false,
		"postgres://app@db1/shop?sslmode=verify-full":          false,
		"postgres://app@db1/shop?sslrootcert=system":           false,
		"postgres://app@localhost/shop":                        false,
		"postgres://app@127.0.0.1/shop":                        false,
		"postgres://app@[::1]/shop":                            false,
		"postgres://app@/shop":                                 false,
		"postgres://app@/shop?host=/run/postgresql":            false,
		"postgres://app@/shop?host=db1&require_auth=!password": true,
	} {
		e, err := binds.Open(t.Context(), "test/engine", uri)
		require.NoError(t, err, uri)
		assert.Equal(t, want, len(e.Warnings()) == 1, "%s: %q", uri, e.Warnings())
		require.NoError(t, e.Close())
	}
}
