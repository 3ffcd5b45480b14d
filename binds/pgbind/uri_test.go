package pgbind

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// started is the start-up message's parameters beyond those that are always there.
func started(s *settings) map[string]string {
	m := map[string]string{}
	for _, p := range s.startup[len(always):] {
		m[p.name] = p.value
	}
	return m
}

func TestParse_where(t *testing.T) {
	for reason, row := range map[string]struct{ uri, network, address, user, password, database string }{
		"all in its place":             {"postgres://app:pw@db1:6432/shop", "tcp", "db1:6432", "app", "pw", "shop"},
		"the other scheme":             {"postgresql://app@db1/shop", "tcp", "db1:5432", "app", "", "shop"},
		"the database is the user's":   {"postgres://app@db1", "tcp", "db1:5432", "app", "", "app"},
		"no host is localhost":         {"postgres://app@/shop", "tcp", "localhost:5432", "app", "", "shop"},
		"IPv6":                         {"postgres://app@[2001:db8::1]:6432/shop", "tcp", "[2001:db8::1]:6432", "app", "", "shop"},
		"an escaped password":          {"postgres://app:p%40ss%3Aw%2F%3F%23%25@db1/shop", "tcp", "db1:5432", "app", "p@ss:w/?#%", "shop"},
		"a plus is no blank":           {"postgres://app:a+b@db1/shop", "tcp", "db1:5432", "app", "a+b", "shop"},
		"an escaped database":          {"postgres://app@db1/my%20shop", "tcp", "db1:5432", "app", "", "my shop"},
		"parameters instead":           {"postgres://?host=db1&port=6432&user=app&password=p%26w&dbname=shop", "tcp", "db1:6432", "app", "p&w", "shop"},
		"a socket directory":           {"postgres://app@/shop?host=/var/run/postgresql", "unix", "/var/run/postgresql/.s.PGSQL.5432", "app", "", "shop"},
		"a socket directory, escaped":  {"postgres://app@%2Fvar%2Frun%2Fpostgresql/shop", "unix", "/var/run/postgresql/.s.PGSQL.5432", "app", "", "shop"},
		"a socket's port":              {"postgres://app@%2Ftmp:6432/shop", "unix", "/tmp/.s.PGSQL.6432", "app", "", "shop"},
		"an abstract socket":           {"postgres://app@/shop?host=%40pg", "unix", "@pg/.s.PGSQL.5432", "app", "", "shop"},
		"an address to spare a lookup": {"postgres://app@db1/shop?hostaddr=10.0.0.7", "tcp", "10.0.0.7:5432", "app", "", "shop"},
	} {
		t.Run(reason, func(t *testing.T) {
			s, err := parse(row.uri)
			require.NoError(t, err)
			assert.Equal(t, row.network, s.network)
			assert.Equal(t, row.address, s.address)
			assert.Equal(t, row.user, s.user)
			assert.Equal(t, row.password, s.password())
			assert.Equal(t, row.database, s.database)
		})
	}
}

// What libpq takes from the environment and from files stays out.
func TestParse_environment(t *testing.T) {
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGAPPNAME", "PGOPTIONS", "PGSSLMODE"} {
		t.Setenv(name, "7777")
	}
	s, err := parse("postgres://app@")
	require.NoError(t, err)
	c := &connector{settings: s, role: binds.Reader, sessions: &sessions{}}
	conf := c.config()
	assert.Equal(t, "localhost:5432", conf.Addr)
	assert.Equal(t, "app", conf.User)
	assert.Empty(t, conf.Password)
	assert.Equal(t, "app", conf.Database)
	assert.Empty(t, conf.AppName)
	assert.NotContains(t, fmt.Sprint(c.startup(false)), "7777")
	_, err = parse("postgres://")
	assert.ErrorContains(t, err, "names no user")
}

func TestParse_parameters(t *testing.T) {
	for query, want := range map[string]map[string]string{
		"":                                {},
		"application_name=shop":           {"application_name": "shop"},
		"fallback_application_name=f":     {"application_name": "f"},
		"search_path=shop,public":         {"search_path": "shop,public"},
		"timezone=Europe/Berlin":          {"timezone": "Europe/Berlin"},
		"role=app_owner":                  {"role": "app_owner"},
		"synchronous_commit=remote_apply": {"synchronous_commit": "remote_apply"},
		"default_transaction_isolation=repeatable%20read": {"default_transaction_isolation": "repeatable read"},
		"options=-c%20work_mem=64MB":                      {"options": "-c work_mem=64MB"},
		"statement_timeout=5s":                            {"statement_timeout": "5000"},
		"lock_timeout=250":                                {"lock_timeout": "250"},
		"idle_in_transaction_session_timeout=1m":          {"idle_in_transaction_session_timeout": "60000"},
		"idle_session_timeout=1h":                         {"idle_session_timeout": "3600000"},
		"transaction_timeout=0":                           {"transaction_timeout": "0"},
		"client_encoding=UTF8":                            {},
		"application_name=a&fallback_application_name=b":  {"application_name": "a"},
	} {
		s, err := parse("postgres://app@db1/shop?" + query)
		require.NoError(t, err, query)
		assert.Equal(t, want, started(s), query)
	}
}

func TestParse_times(t *testing.T) {
	s, err := parse("postgres://app@db1/shop")
	require.NoError(t, err)
	assert.Equal(t, 10*time.Second, s.connectTimeout)
	assert.Zero(t, s.dialTimeout)
	assert.Zero(t, s.readTimeout, "a long statement is not for the driver to end")
	assert.Zero(t, s.writeTimeout)
	assert.True(t, s.keepAlive.Enable)
	assert.Equal(t, 30*time.Second, s.userTimeout)

	s, err = parse("postgres://app@db1/shop?connect_timeout=3&dial_timeout=500ms&read_timeout=1m&write_timeout=7" +
		"&keepalives=0&keepalives_idle=9&keepalives_interval=2&keepalives_count=4&tcp_user_timeout=1500")
	require.NoError(t, err)
	assert.Equal(t, 3*time.Second, s.connectTimeout)
	assert.Equal(t, 500*time.Millisecond, s.dialTimeout)
	assert.Equal(t, time.Minute, s.readTimeout)
	assert.Equal(t, 7*time.Second, s.writeTimeout)
	assert.False(t, s.keepAlive.Enable)
	assert.Equal(t, 9*time.Second, s.keepAlive.Idle)
	assert.Equal(t, 2*time.Second, s.keepAlive.Interval)
	assert.Equal(t, 4, s.keepAlive.Count)
	assert.Equal(t, 1500*time.Millisecond, s.userTimeout)
}

func TestParse_refused(t *testing.T) {
	for reason, row := range map[string]struct{ uri, want string }{
		"a typo":                      {"postgres://app@db1/shop?sslmod=require", `unknown parameter "sslmod" (did you mean "sslmode"?)`},
		"a typo of a refused one":     {"postgres://app@db1/shop?aplication_name=x", `did you mean "application_name"?`},
		"nothing like it":             {"postgres://app@db1/shop?zzzzzzzzzzzz=1", "known: application_name"},
		"a bad mode":                  {"postgres://app@db1/shop?sslmode=verify", `parameter "sslmode" must be one of`},
		"a mode that falls back":      {"postgres://app@db1/shop?sslmode=prefer", "fall back to plain text"},
		"another that falls back":     {"postgres://app@db1/shop?sslmode=allow", "fall back to plain text"},
		"no authority":                {"postgres://app@db1/shop?sslmode=verify-ca", "needs sslrootcert"},
		"public authorities, no name": {"postgres://app@db1/shop?sslmode=verify-ca&sslrootcert=system", "needs sslmode=verify-full"},
		"an authority without TLS":    {"postgres://app@db1/shop?sslmode=disable&sslrootcert=x", "has no meaning without TLS"},
		"TLS over a socket":           {"postgres://app@/shop?host=/tmp&sslmode=require", "no TLS there"},
		"a missing authority file":    {"postgres://app@db1/shop?sslmode=verify-ca&sslrootcert=/no/such/file", `parameter "sslrootcert": no such file`},
		"a certificate without key":   {"postgres://app@db1/shop?sslcert=/no/such/file", "belong together"},
		"a missing certificate":       {"postgres://app@db1/shop?sslcert=/no/such/file&sslkey=/no/such/key", "no such file"},
		"versions upside down":        {"postgres://app@db1/shop?ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2", "is above"},
		"a port out of range":         {"postgres://app@db1/shop?port=70000", `parameter "port"`},
		"two ports":                   {"postgres://app@db1:1/shop?port=2", "the port is given twice"},
		"two hosts":                   {"postgres://app@db1/shop?host=db2", "the host is given twice"},
		"two users":                   {"postgres://app@db1/shop?user=b", "the user is given twice"},
		"two passwords":               {"postgres://app:a@db1/shop?password=b", "the password is given twice"},
		"two databases":               {"postgres://app@db1/shop?dbname=b", "the database is given twice"},
		"several hosts":               {"postgres://app@db1,db2/shop", "one server"},
		"several hosts by parameter":  {"postgres://app@/shop?host=db1,db2", "several servers"},
		"no address":                  {"postgres://app@db1/shop?hostaddr=db1", "must be an IP address"},
		"an address for a socket":     {"postgres://app@/shop?host=/tmp&hostaddr=10.0.0.1", "no meaning with a Unix socket"},
		"no user":                     {"postgres://db1/shop", "names no user"},
		"a bad duration":              {"postgres://app@db1/shop?statement_timeout=5lightyears", "must be a duration"},
		"another encoding":            {"postgres://app@db1/shop?client_encoding=LATIN1", "must be UTF8"},
		"NUL in the user":             {"postgres://app%00options%00x@db1/shop", "NUL"},
		"NUL in the database":         {"postgres://app@db1/shop%00x", "NUL"},
		"NUL in the password":         {"postgres://app:a%00b@db1/shop", "NUL"},
		"NUL in a parameter":          {"postgres://app@db1/shop?search_path=a%00b", "NUL"},
		"all mistakes together":       {"postgres://app@db1/shop?sslmod=x&port=0", `unknown parameter "sslmod"`},
	} {
		t.Run(reason, func(t *testing.T) {
			_, err := parse(row.uri)
			assert.ErrorContains(t, err, row.want)
		})
	}
	for _, r := range refused {
		_, err := parse("postgres://app@db1/shop?" + r.name + "=1")
		assert.ErrorContains(t, err, `parameter "`+r.name+`" is not supported: `, r.name)
		assert.NotContains(t, err.Error(), "unknown", r.name)
	}
}

func TestParse_sslmode(t *testing.T) {
	ca := "&sslrootcert=" + cluster.TLS().CA
	for reason, row := range map[string]struct {
		query        string
		unverified   bool // crypto/tls itself verifies nothing
		chain, plain bool
	}{
		"none is require":                         {query: "", unverified: true},
		"require":                                 {query: "sslmode=require", unverified: true},
		"require with an authority is verify-ca":  {query: "sslmode=require" + ca, unverified: true, chain: true},
		"none with an authority is verify-ca too": {query: ca, unverified: true, chain: true},
		"verify-ca":                               {query: "sslmode=verify-ca" + ca, unverified: true, chain: true},
		"verify-full":                             {query: "sslmode=verify-full" + ca},
		"verify-full with the system's trust":     {query: "sslmode=verify-full"},
		"the system's trust is verify-full":       {query: "sslrootcert=system"},
		"disable":                                 {query: "sslmode=disable", plain: true},
		"a socket is plain":                       {query: "host=/tmp", plain: true},
	} {
		t.Run(reason, func(t *testing.T) {
			host := "db1"
			if strings.Contains(row.query, "host=/") {
				host = ""
			}
			s, err := parse("postgres://app@" + host + "/shop?" + row.query)
			require.NoError(t, err)
			if row.plain {
				assert.Nil(t, s.tls)
				return
			}
			require.NotNil(t, s.tls)
			assert.Equal(t, row.unverified, s.tls.InsecureSkipVerify)
			assert.Equal(t, row.chain, s.tls.VerifyConnection != nil)
			assert.Equal(t, "db1", s.tls.ServerName)
			assert.Equal(t, uint16(tls.VersionTLS12), s.tls.MinVersion)
		})
	}
}

// hostilePasswords are what people and generators choose. Each has a fragment that must not be seen,
// escaped or not, and is put where a password stands, raw and by mistake.
func TestSecrets(t *testing.T) {
	const mark = "Zq7Xw9" // in every password
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%d"}
	for _, password := range []string{
		mark, "a@" + mark, mark + "@b", "a:" + mark, "a/" + mark, mark + "/b", "a?" + mark, "a#" + mark, "a%" + mark, mark + "%zz",
		"a%2" + mark, "[" + mark, mark + "]", "a b" + mark, "a&" + mark, "a&b=" + mark, "?password=" + mark, "://" + mark,
		"@" + mark + ":99999", ":" + mark + "@x:y", "\x00" + mark, "\x1b" + mark, mark + "\n", "tcp(" + mark + ")", mark + ",b", "a;" + mark,
	} {
		for _, form := range []string{
			"postgres://app:%s@127.0.0.1:1/shop", "postgres://%s@127.0.0.1:1/shop", "postgres:app:%s@127.0.0.1:1/shop",
			"postgres://app@127.0.0.1:1/shop?password=%s", "postgres://app@127.0.0.1:1/shop?pasword=%s",
			"postgres://app@127.0.0.1:1/shop?sslpassword=%s", "postgres://app:%s@[::1/shop", "postgres://app:%s@127.0.0.1:port/shop",
			"postgres://app:%s@/shop?host=/no/such/dir", "postgres:%s", "postgres://app:x@127.0.0.1:1/shop?x=y&password=%s",
		} {
			var printed []string
			uri := fmt.Sprintf(form, password)
			src, err := Driver{}.Open(context.Background(), uri)
			values := []any{src, struct{ S binds.Source }{src}, err}
			if err == nil {
				for _, role := range []binds.Role{binds.Writer, binds.Reader} {
					c, n := src.Connector(role), src.(binds.NativeSource).NativeConnector(role)
					values = append(values, c, n, c.Driver(), n.Driver())
				}
				e, err := binds.Open(context.Background(), "main", uri)
				require.NoError(t, err)
				ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
				values = append(values, e, e.Ping(ctx), e.DB(), e.DB().Driver())
				stop()
				require.NoError(t, e.Close())
			}
			for _, v := range values {
				for _, verb := range verbs {
					printed = append(printed, fmt.Sprintf(verb, v))
				}
			}
			// A form that takes the password for the user shows it as one: that is what was written.
			if strings.HasPrefix(form, "postgres://%s@") && err == nil {
				continue
			}
			assert.False(t, strings.Contains(strings.Join(printed, "\n"), mark), "shown: password %q in form %q", password, form)
		}
	}
}
