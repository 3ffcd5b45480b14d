package mysqlbind

import (
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	type want struct{ net, addr, user, password, db string }
	for reason, row := range map[string]struct {
		uri  string
		want want
	}{
		"everything":                 {"mysql://app:pw@db1:3307/shop", want{"tcp", "db1:3307", "app", "pw", "shop"}},
		"the other scheme":           {"mariadb://app:pw@db1/shop", want{"tcp", "db1:3306", "app", "pw", "shop"}},
		"schemes in capitals":        {"MySQL://app@db1/shop", want{"tcp", "db1:3306", "app", "", "shop"}},
		"IPv6":                       {"mysql://app@[2001:db8::1]:3307/shop", want{"tcp", "[2001:db8::1]:3307", "app", "", "shop"}},
		"IPv6 without a port":        {"mysql://app@[::1]/shop", want{"tcp", "[::1]:3306", "app", "", "shop"}},
		"an escaped password":        {"mysql://app:p%40ss%3Aw%2Frd%3F%23%25@db1/shop", want{"tcp", "db1:3306", "app", "p@ss:w/rd?#%", "shop"}},
		"a plus is a plus":           {"mysql://app:a+b@db1/shop", want{"tcp", "db1:3306", "app", "a+b", "shop"}},
		"an escaped user":            {"mysql://app%40corp:pw@db1/shop", want{"tcp", "db1:3306", "app@corp", "pw", "shop"}},
		"an escaped database":        {"mysql://app@db1/my%20shop", want{"tcp", "db1:3306", "app", "", "my shop"}},
		"no database":                {"mysql://app@db1", want{"tcp", "db1:3306", "app", "", ""}},
		"no host":                    {"mysql://app@/shop", want{"tcp", "localhost:3306", "app", "", "shop"}},
		"no user":                    {"mysql://db1/shop", want{"tcp", "db1:3306", "", "", "shop"}},
		"a socket":                   {"mysql://app:pw@/shop?socket=/run/mysqld/mysqld.sock", want{"unix", "/run/mysqld/mysqld.sock", "app", "pw", "shop"}},
		"a socket on localhost":      {"mysql://app@localhost/shop?socket=/run/my.sock", want{"unix", "/run/my.sock", "app", "", "shop"}},
		"a socket as host":           {"mysql://app@%2Frun%2Fmysqld%2Fmysqld.sock/shop", want{"unix", "/run/mysqld/mysqld.sock", "app", "", "shop"}},
		"an abstract socket":         {"mysql://app@/shop?socket=%40mysql", want{"unix", "@mysql", "app", "", "shop"}},
		"an address in the password": {"mysql://app:tcp(db9:1)@db1/shop", want{"tcp", "db1:3306", "app", "tcp(db9:1)", "shop"}},
	} {
		t.Run(reason, func(t *testing.T) {
			s, err := parse(row.uri)
			require.NoError(t, err)
			assert.Equal(t, row.want, want{s.config.Net, s.config.Addr, s.config.User, s.password, s.config.DBName})
			assert.Empty(t, s.config.Passwd, "the password waits outside the configuration")
		})
	}
}

func TestParseDefaults(t *testing.T) {
	s, err := parse("mysql://app:pw@db1/shop")
	require.NoError(t, err)
	c := s.config
	assert.True(t, c.ParseTime)
	assert.Equal(t, time.UTC, c.Loc)
	assert.True(t, c.ClientFoundRows)
	assert.True(t, c.CheckConnLiveness)
	assert.IsType(t, (*mysql.NopLogger)(nil), c.Logger)
	assert.Equal(t, 64<<20, c.MaxAllowedPacket)
	assert.Equal(t, 10*time.Second, s.connectTimeout)
	assert.Zero(t, c.ReadTimeout)
	assert.Zero(t, c.WriteTimeout)
	assert.Nil(t, c.TLS)
	for what, on := range map[string]bool{
		"several statements in one": c.MultiStatements, "LOAD DATA LOCAL": c.AllowAllFiles,
		"passwords in clear": c.AllowCleartextPasswords, "old passwords": c.AllowOldPasswords,
		"plaintext where TLS fails": c.AllowFallbackToPlaintext, "arguments in the text": c.InterpolateParams,
		"compression": s.compress, "ErrBadConn for read-only": c.RejectReadOnly,
	} {
		assert.False(t, on, what)
	}
	assert.Equal(t, "SET NAMES utf8mb4, time_zone = '+00:00', autocommit = 1, "+
		"sql_mode = REPLACE(REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', ''), 'EMPTY_STRING_IS_NULL', '')", s.setUp)
}

func TestParseParameters(t *testing.T) {
	s, err := parse("mysql://app@db1/shop?connect_timeout=3&read_timeout=2m&write_timeout=500ms" +
		"&max_allowed_packet=0&compress=1&interpolate_params=on&program_name=shop" +
		"&collation=utf8mb4_bin&sql_mode=ANSI,STRICT_ALL_TABLES")
	require.NoError(t, err)
	assert.Equal(t, 3*time.Second, s.connectTimeout)
	assert.Equal(t, 2*time.Minute, s.config.ReadTimeout)
	assert.Equal(t, 500*time.Millisecond, s.config.WriteTimeout)
	assert.Zero(t, s.config.MaxAllowedPacket)
	assert.True(t, s.compress)
	assert.True(t, s.config.InterpolateParams)
	assert.Equal(t, "program_name:shop", s.config.ConnectionAttributes)
	assert.Equal(t, "SET NAMES utf8mb4 COLLATE utf8mb4_bin, time_zone = '+00:00', autocommit = 1, "+
		"sql_mode = 'ANSI,STRICT_ALL_TABLES'", s.setUp)
	s, err = parse("mysql://app@db1/shop?sql_mode=")
	require.NoError(t, err)
	assert.Contains(t, s.setUp, "sql_mode = ''")
}

func TestParseRefuses(t *testing.T) {
	for reason, row := range map[string]struct{ uri, want string }{
		"another scheme":             {"postgres://app@db1/shop", `the scheme must be "mysql" or "mariadb"`},
		"the MySQL driver's own DSN": {"mysql://app:s3cret@tcp(db1:3306)/shop", "user@host:port, not user@tcp(host:port)"},
		"several hosts":              {"mysql://app@db1,db2/shop", "give the others as readers"},
		"a bad port":                 {"mysql://app@db1:0/shop", "the port is not a number"},
		"host and socket":            {"mysql://app@db1/shop?socket=/run/my.sock", "names a host and a socket"},
		"two sockets":                {"mysql://app@%2Frun%2Fa/shop?socket=/run/b", "both name a socket"},
		"a socket with a port":       {"mysql://app@:3306/shop?socket=/run/my.sock", "has no port"},
		"a socket that is relative":  {"mysql://app@/shop?socket=my.sock", "must be an absolute path"},
		"a misspelt parameter":       {"mysql://app@db1/shop?conect_timeout=1", `unknown parameter "conect_timeout" (did you mean "connect_timeout"?)`},
		"a dash for an underscore":   {"mysql://app@db1/shop?read-timeout=1", `did you mean "read_timeout"?`},
		"PostgreSQL's sslmode":       {"mysql://app@db1/shop?sslmode=REQUIRED", `did you mean "ssl-mode"?`},
		"camel case":                 {"mysql://app@db1/shop?readTimeout=1s", `did you mean "read_timeout"?`},
		"nothing like it":            {"mysql://app@db1/shop?frobnicate=1", "(known: collation, "},
		"given twice":                {"mysql://app@db1/shop?compress=1&compress=0", `"compress" is given twice`},
		"multiStatements":            {"mysql://app@db1/shop?multiStatements=true", "the way in for injected ones"},
		"allowAllFiles":              {"mysql://app@db1/shop?allowAllFiles=true", "any file of this machine"},
		"parseTime":                  {"mysql://app@db1/shop?parseTime=true", "always read as time.Time"},
		"loc":                        {"mysql://app@db1/shop?loc=Local", "UTC"},
		"tls":                        {"mysql://app@db1/shop?tls=true", "give ssl-mode"},
		"?password=":                 {"mysql://app@db1/shop?password=hunter2", "stands before the host"},
		"the belt as a parameter":    {"mysql://app@db1/shop?tx_read_only=0", "readers are always read-only"},
		"a bad duration":             {"mysql://app@db1/shop?read_timeout=soon", "must be a duration"},
		"a negative duration":        {"mysql://app@db1/shop?read_timeout=-1s", "must be a duration"},
		"a packet beyond the limit":  {"mysql://app@db1/shop?max_allowed_packet=1073741825", "from 0 to 1073741824"},
		"a bad switch":               {"mysql://app@db1/shop?compress=maybe", "must be true or false"},
		"another character set":      {"mysql://app@db1/shop?collation=latin1_bin", "must be one of utf8mb4"},
		"SQL in collation":           {"mysql://app@db1/shop?collation=utf8mb4_bin,autocommit=0", "must be one of utf8mb4"},
		"SQL in sql_mode":            {"mysql://app@db1/shop?sql_mode=ANSI'", "names with commas"},
		"a mode that Bun cannot":     {"mysql://app@db1/shop?sql_mode=ansi,no_backslash_escapes", "must not hold NO_BACKSLASH_ESCAPES"},
		"an attribute in a name":     {"mysql://app@db1/shop?program_name=a,b:c", `must not hold "," or ":"`},
	} {
		t.Run(reason, func(t *testing.T) {
			_, err := parse(row.uri)
			require.ErrorContains(t, err, row.want)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.NotContains(t, err.Error(), "s3cret")
		})
	}
	t.Run("all mistakes together", func(t *testing.T) {
		_, err := parse("mysql://app@db1/shop?parseTime=1&loc=x&compres=1&read_timeout=x")
		require.Error(t, err)
		assert.Len(t, strings.Split(err.Error(), "\n"), 4)
	})
	t.Run("every refusal", func(t *testing.T) {
		for name, why := range refused {
			_, err := parse("mysql://app@db1/shop?" + name + "=1")
			assert.ErrorContains(t, err, why, name)
		}
	})
}

// No password, whatever text it breaks, is in an error.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "@", ":", "/", "?", "#", "%", "%zz", "&x=", "@h:p", "[", " ", "\x00", "tcp(", ",", "?socket="} {
		f.Add(s, "@127.0.0.1/shop?ssl-mode=REQUIRED")
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, password, after string) {
		const mark = "Zq7Xw9"
		for _, before := range []string{"mysql://app:", "mysql://app@db1/shop?password=", "mysql://app@db1/shop?pasword="} {
			_, err := parse(before + mark + password + mark + after)
			if err != nil && strings.Contains(err.Error(), mark) {
				t.Fatal("an error shows a password")
			}
		}
	})
}
