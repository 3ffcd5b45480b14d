package manager

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// nullDriver reads URIs and connects to nothing: what a configuration says needs no server.
type nullDriver struct{ splits bool }

func (d *nullDriver) Name() string            { return "null" }
func (d *nullDriver) Dialect() schema.Dialect { return pgdialect.New() }

func (d *nullDriver) Open(_ context.Context, uri string) (binds.Source, error) {
	if strings.Contains(uri, "bad") {
		return nil, errors.New("unknown parameter")
	}
	return nullSource{d.splits}, nil
}

type nullSource struct{ splits bool }

func (s nullSource) Connector(binds.Role) driver.Connector { return &nullConnector{} }
func (s nullSource) SplitsRoles() bool                     { return s.splits }

type nullConnector struct{ nullSource }

func (c *nullConnector) Connect(context.Context) (driver.Conn, error) {
	return nil, errors.New("nobody is there")
}
func (c *nullConnector) Driver() driver.Driver { return nil }

func nullDrivers() *binds.Drivers {
	ds := new(binds.Drivers)
	ds.Register(&nullDriver{}, "postgres", "mariadb")
	ds.Register(&nullDriver{splits: true}, "sqlite")
	return ds
}

func writeConfig(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return loadConfig(t.Context(), writeConfig(t, text), nullDrivers())
}

func mustLoad(t *testing.T, text string) *Config {
	t.Helper()
	cfg, err := load(t, text)
	require.NoError(t, err)
	return cfg
}

func TestLoadConfig(t *testing.T) {
	t.Setenv("ACCOUNTS_PASSWORD", "s3cret")
	cfg := mustLoad(t, `
default = "accounts"

[defaults]
policy = "random"
max_lag = "3s"
probe_timeout = "2s"
writer_functions = ["f_*"]
pool = { max_open = 7, max_idle_time = "off" }
locks = { max_open = 5 }

[binds]
audit = "sqlite:///var/lib/app/audit.db"

[binds.accounts]
writer  = "postgres://app:${ACCOUNTS_PASSWORD}@db1/accounts"
readers = ["postgres://app:${NO_SUCH_VARIABLE:-pw}@db2/accounts", { uri = "postgres://db3/accounts", weight = 2 }]
policy = "weighted"
fallback = "none"
read_your_writes = "session"
max_lag = "off"
monitor_interval = "1s"
writer_functions = ["charge_*"]
lazy = true
pool = { max_open = 30, max_lifetime = "30m" }
locks = { max_waiting = -1 }
`)
	assert.Equal(t, binds.Key("accounts"), cfg.Default)
	require.Len(t, cfg.Binds, 2)
	audit, accounts := cfg.Binds[0], cfg.Binds[1]

	assert.Equal(t, binds.Key("audit"), audit.Key, "the order of the file")
	assert.Equal(t, "sqlite:///var/lib/app/audit.db", audit.Writer.Reveal())
	assert.Equal(t, "random", audit.Policy, "from [defaults]")
	assert.Equal(t, []string{"f_*"}, audit.WriterFunctions)
	assert.Equal(t, binds.Pool{MaxOpen: 7, MaxIdleTime: -1}, audit.Pool)
	assert.Equal(t, LockLimits{MaxOpen: 5}, audit.Locks)

	assert.Equal(t, "postgres://app:s3cret@db1/accounts", accounts.Writer.Reveal())
	require.Len(t, accounts.Readers, 2)
	assert.Equal(t, "postgres://app:pw@db2/accounts", accounts.Readers[0].URI.Reveal())
	assert.Equal(t, 2, accounts.Readers[1].Weight)
	assert.Equal(t, "weighted", accounts.Policy)
	assert.Equal(t, "none", accounts.Fallback)
	assert.Equal(t, router.Freshness{MaxLag: 3 * time.Second, ProbeTimeout: 2 * time.Second}, audit.Freshness)
	assert.Equal(t, router.Freshness{ReadYourWrites: "session", MaxLag: -1, MonitorInterval: time.Second, ProbeTimeout: 2 * time.Second}, accounts.Freshness)
	assert.Equal(t, []string{"charge_*"}, accounts.WriterFunctions)
	assert.True(t, accounts.Lazy)
	assert.Equal(t, binds.Pool{MaxOpen: 30, MaxLifetime: 30 * time.Minute, MaxIdleTime: -1}, accounts.Pool, "field by field")
	assert.Equal(t, LockLimits{MaxOpen: 5, MaxWaiting: -1}, accounts.Locks)
}

func TestLoneURI(t *testing.T) {
	cfg := mustLoad(t, "uri = \"postgres://db/app\"\nlazy = true\n[defaults]\npool.max_open = 3\n")
	require.Len(t, cfg.Binds, 1)
	assert.Equal(t, binds.Key(""), cfg.Binds[0].Key)
	assert.Equal(t, "postgres://db/app", cfg.Binds[0].Writer.Reveal())
	assert.Equal(t, 3, cfg.Binds[0].Pool.MaxOpen)
	assert.True(t, cfg.Binds[0].Lazy)
}

// TestVariables takes every kind of value from the environment.
func TestVariables(t *testing.T) {
	for name, value := range map[string]string{
		"WRITER": "postgres://w", "READER": "postgres://r", "WEIGHT": "2", "OPEN": " 40\n", "IDLE": "-1", "LAZY": "true", "EAGER": "0",
		"LAG": "3s", "OFF": "off", "POLICY": "weighted", "GLOB": "charge_*", "DEFAULT": "b",
	} {
		t.Setenv("BINDERY_TEST_"+name, value)
	}
	cfg := mustLoad(t, strings.NewReplacer("<", "${BINDERY_TEST_", ">", "}").Replace(`
default = "<DEFAULT>"
lazy = "<LAZY>"
[defaults]
pool.max_open = "<OPEN>"
[binds]
a = "<WRITER>"
[binds.b]
uri = "<WRITER>/b"
readers = ["<READER>", { uri = "<READER>", weight = "<WEIGHT>" }]
policy = "<POLICY>"
max_lag = "<LAG>"
lazy = "<EAGER>"
writer_functions = ["<GLOB>"]
pool = { max_idle = "<IDLE>", max_lifetime = "<OFF>", max_idle_time = "${BINDERY_TEST_UNSET:-5m}" }
`))
	assert.Equal(t, binds.Key("b"), cfg.Default)
	require.Len(t, cfg.Binds, 2)
	a, b := cfg.Binds[0], cfg.Binds[1]
	assert.Equal(t, "postgres://w", a.Writer.Reveal())
	assert.True(t, a.Lazy)
	assert.Equal(t, 40, a.Pool.MaxOpen)
	assert.Equal(t, "postgres://w/b", b.Writer.Reveal(), "uri means writer")
	assert.Equal(t, "postgres://r", b.Readers[0].URI.Reveal())
	assert.Equal(t, 2, b.Readers[1].Weight)
	assert.Equal(t, "weighted", b.Policy)
	assert.Equal(t, 3*time.Second, b.Freshness.MaxLag)
	assert.False(t, b.Lazy)
	assert.Equal(t, []string{"charge_*"}, b.WriterFunctions)
	assert.Equal(t, binds.Pool{MaxOpen: 40, MaxIdle: -1, MaxLifetime: -1, MaxIdleTime: 5 * time.Minute}, b.Pool)
}

func TestByteOrderMark(t *testing.T) {
	cfg := mustLoad(t, "\ufeffuri = \"postgres://x\"\r\n")
	assert.Equal(t, "postgres://x", cfg.Binds[0].Writer.Reveal())
	_, err := load(t, "\ufeffuri = \"postgres://x\"\n[defaults]\npolicy = \"none\"")
	require.ErrorContains(t, err, "config.toml:3: defaults.policy: unknown policy")
}

func TestPasswordFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pw"), []byte("p@ss\n"), 0o600))
	file := filepath.Join(dir, "config.toml")
	require.NoError(t, os.WriteFile(file, []byte(`
[binds.a]
writer = "postgres://app@db1/a"
readers = ["postgres://app@db2/a"]
password_file = "pw"
`), 0o600))
	cfg, err := loadConfig(t.Context(), file, nullDrivers())
	require.NoError(t, err)
	assert.Equal(t, "postgres://app@db1/a", cfg.Binds[0].Writer.Reveal(), "it is read for each connection")
	assert.Equal(t, filepath.Join(dir, "pw"), cfg.Binds[0].PasswordFile)
}

// TestConfigMistakes has one row for each mistake: the line and the text that must be reported.
func TestConfigMistakes(t *testing.T) {
	t.Setenv("BINDERY_TEST_EMPTY", "")
	t.Setenv("BINDERY_TEST_WORD", "s3cret")
	for name, row := range map[string]struct {
		text string
		line int
		want string
	}{
		"a misspelt key":                      {"[binds.a]\nwriter = \"postgres://x\"\n\npolcy = \"random\"", 4, `binds.a.polcy: unknown key (did you mean "policy"?)`},
		"a key of another table":              {"wirter = 1\nuri = \"postgres://x\"", 1, "wirter: unknown key"},
		"a misspelt key in a pool":            {"[binds.a]\nwriter = \"postgres://x\"\n[binds.a.pool]\nmax_opn = 3", 4, `binds.a.pool.max_opn: unknown key (did you mean "max_open"?)`},
		"a key from nowhere":                  {"[binds.a]\nwriter = \"postgres://x\"\nshards = 3", 3, "binds.a.shards: unknown key (known: cursor_keys, cursor_keys_file, fallback, fallback_limit, lazy, locks, max_lag, monitor_interval, password_file, policy, pool, probe_timeout, read_your_writes, readers, slow_query, uri, writer, writer_functions)"},
		"a duration without unit":             {"[binds.a]\nwriter = \"postgres://x\"\npool = { max_lifetime = \"30\" }", 3, `binds.a.pool.max_lifetime: must be a duration such as "30s"`},
		"a duration that is a number":         {"[binds.a]\nwriter = \"postgres://x\"\npool.max_lifetime = 30", 3, "must be a duration"},
		"a policy nobody knows":               {"[binds.a]\nwriter = \"postgres://x\"\npolicy = \"rondom\"", 3, `binds.a.policy: unknown policy "rondom" (did you mean "random"?)`},
		"a policy in the defaults":            {"[defaults]\npolicy = \"rondom\"\n[binds]\na = \"postgres://x\"", 2, `defaults.policy: unknown policy`},
		"a fallback nobody knows":             {"[binds.a]\nwriter = \"postgres://x\"\nfallback = \"nobody\"", 3, `binds.a.fallback: unknown fallback "nobody"`},
		"a mode nobody knows":                 {"[binds.a]\nwriter = \"postgres://x\"\nread_your_writes = \"sesion\"", 3, `binds.a.read_your_writes: unknown mode "sesion" (did you mean "session"?)`},
		"an interval that is off":             {"[binds.a]\nwriter = \"postgres://x\"\nmonitor_interval = \"off\"", 3, "binds.a.monitor_interval: must be a duration"},
		"a number for a string":               {"[binds.a]\nwriter = 5", 2, "binds.a.writer: must be a string, a database's URI"},
		"a string for a number":               {"[binds.a]\nwriter = \"postgres://x\"\npool.max_open = \"3\"", 3, "must be a whole number"},
		"a string for a switch":               {"[binds.a]\nwriter = \"postgres://x\"\nlazy = \"yes\"", 3, "must be true or false"},
		"a list for a bind":                   {"[binds]\na = [1]", 2, "binds.a: must be a URI, or a table with a writer"},
		"no writer":                           {"[binds.a]\nreaders = [\"postgres://x\"]", 1, "binds.a: a bind needs a writer"},
		"an empty URI":                        {"[binds.a]\nwriter = \"\"", 2, "the URI is empty"},
		"a reader without a URI":              {"[binds.a]\nwriter = \"postgres://x\"\nreaders = [{ weight = 2 }]", 3, "binds.a.readers.0: a reader needs a uri"},
		"a reader that is a number":           {"[binds.a]\nwriter = \"postgres://x\"\nreaders = [\n  \"postgres://y\",\n  7]", 5, "binds.a.readers.1: must be a URI"},
		"a reader with a misspelt key":        {"[binds.a]\nwriter = \"postgres://x\"\nreaders = [\n  { uri = \"postgres://y\",\n    wieght = 2 }]", 5, `binds.a.readers.0.wieght: unknown key (did you mean "weight"?)`},
		"a weight that nobody reads":          {"[binds.a]\nwriter = \"postgres://x\"\npolicy = \"random\"\nreaders = [{ uri = \"postgres://y\", weight = 2 }]", 4, "the policy random knows no weights"},
		"a weight of nothing":                 {"[binds.a]\nwriter = \"postgres://x\"\nreaders = [{ uri = \"postgres://y\", weight = 0 }]", 3, "must be 1 or more"},
		"an unset variable":                   {"[binds]\na = \"postgres://app:${BINDERY_TEST_UNSET}@x\"", 2, "binds.a: the environment variable BINDERY_TEST_UNSET is not set"},
		"no driver for the scheme":            {"[binds]\nok = \"postgres://x\"\na = \"mysql://x\"", 3, `binds.a: no driver for scheme "mysql" (forgotten import of mysqlbind?)`},
		"a URI the driver refuses":            {"[binds.a]\nwriter = \"postgres://x\"\nreaders = [\n\n  \"postgres://x?bad=1\"]", 5, "binds.a.readers.0.uri: unknown parameter"},
		"a default nobody declares":           {"default = \"acounts\"\n[binds]\naccounts = \"postgres://x\"", 1, `default: unknown bind "acounts" (did you mean "accounts"?)`},
		"a key that is no name":               {"[binds]\n\"a/b\" = \"postgres://x\"", 2, `"a/b" is no bind key`},
		"a lone uri among others":             {"uri = \"postgres://x\"\n[binds]\na = \"postgres://x\"", 1, "uri: a lone uri is the only bind"},
		"a bad lone uri":                      {"uri = \"postgres://bad\"", 1, "uri: unknown parameter"},
		"a password file that is not there":   {"[binds.a]\nwriter = \"postgres://app@x\"\npassword_file = \"no/such\"", 3, "password_file: open"},
		"two passwords":                       {"[binds.a]\nwriter = \"postgres://app:pw@x\"\npassword_file = \"config.toml\"", 3, "has a password already"},
		"a bad glob":                          {"[binds.a]\nwriter = \"postgres://x\"\nwriter_functions = [\"a[\"]", 3, "binds.a.writer_functions: "},
		"after lines that end as Windows' do": {"[binds.a]\r\nwriter = \"postgres://x\"\r\n\r\npolcy = \"random\"\r\n", 4, "unknown key"},
		"no line end at the file's end":       {"[binds.a]\nwriter = \"postgres://x\"\npolicy =", 3, "not valid TOML"},
		"after a text of several lines":       {"[binds.a]\nwriter = \"\"\"\npostgres://\\\n\n  x\"\"\"\npolicy = \"rondom\"", 6, "unknown policy"},
		"after a list of several lines":       {"[binds.a]\nwriter_functions = [\n  \"f\", # one\n  '''\ng''',\n]\nwriter = 5", 7, "binds.a.writer: must be a string"},
		"in the second item of a list":        {"[binds.a]\nwriter = \"postgres://x\"\n[[binds.a.readers]]\nuri = \"postgres://y\"\n[[binds.a.readers]]\nweight = 2", 5, "binds.a.readers.1: a reader needs a uri"},
		"in a dotted key":                     {"binds.a.writer = \"postgres://x\"\n\nbinds.a.pool.max_open = true", 3, "binds.a.pool.max_open: must be a whole number"},
		"a number that is none":               {"[binds.a]\nwriter = \"postgres://x\"\npool.max_open = 1__0", 3, "not valid TOML"},
		"a table given twice":                 {"[binds.a]\nwriter = \"postgres://x\"\n[binds.b]\n[binds.a]", 4, "not valid TOML"},
		"nothing at all":                      {"", 1, "names no database"},
		"no TOML":                             {"[binds]\na = postgres://app:s3cret@x", 2, "not valid TOML"},
		"a key given twice":                   {"[binds]\na = \"postgres://x\"\na = \"postgres://y\"", 3, "binds.a: not valid TOML: it is given twice, first in line 2"},
		"a key given twice in a pool":         {"[binds.a]\nwriter = \"postgres://x\"\npool.max_open = 1\n\npool = { max_idle = 2 }", 5, "binds.a.pool: not valid TOML: it is given twice, first in line 3"},
		"a bind given twice":                  {"[binds.a]\nwriter = \"postgres://x\"\n[binds]\na = \"postgres://y\"", 4, "binds.a: not valid TOML: it is given twice, first in line 1"},
		"a URI given twice, without a key":    {"[binds]\n\"postgres://app:s3cret@x\" = 1\n\"postgres://app:s3cret@x\" = 1", 3, "…: not valid TOML: it is given twice, first in line 2"},
		"a URI without a key":                 {"[binds]\n\"postgres://app:s3cret@x\" = \"postgres://x\"", 2, `binds.…: "…" is no bind key`},
		"a URI as default":                    {"default = \"postgres://app:s3cret@x\"\n[binds]\na = \"postgres://x\"", 1, "default: must not be an address"},
		"a URI as policy":                     {"[binds.a]\nwriter = \"postgres://x\"\npolicy = \"postgres://app:s3cret@x\"", 3, "binds.a.policy: must not be an address"},
		"UTF-16":                              {"\xff\xfeu\x00r\x00i\x00", 1, "the file is in UTF-16: save it as UTF-8"},
		"uri and writer":                      {"[binds.a]\nwriter = \"postgres://x\"\n\nuri = \"postgres://y\"", 4, "binds.a.uri: uri means writer, which is given in line 2: keep one of them"},
		"uri that is none":                    {"[binds.a]\nuri = 5", 2, "binds.a.uri: must be a string, a database's URI"},
		"uri the driver refuses":              {"[binds.a]\nreaders = []\nuri = \"postgres://bad\"", 3, "binds.a.uri: unknown parameter"},
		"uri in the defaults":                 {"[defaults]\nuri = \"postgres://x\"\n[binds]\na = \"postgres://x\"", 2, "defaults.uri: unknown key"},
		"a number from an empty variable":     {"[binds.a]\nwriter = \"postgres://x\"\npool.max_open = \"${BINDERY_TEST_EMPTY}\"", 3, "binds.a.pool.max_open: must be a whole number, and ${BINDERY_TEST_EMPTY} is empty (a default: ${NAME:-…})"},
		"a number from a word":                {"[binds.a]\nwriter = \"postgres://x\"\npool.max_open = \"${BINDERY_TEST_WORD}\"", 3, "must be a whole number, and ${BINDERY_TEST_WORD} gives another text"},
		"a weight from a word":                {"[binds.a]\nwriter = \"postgres://x\"\nreaders = [\n { uri = \"postgres://y\",\n  weight = \"${BINDERY_TEST_WORD}\" }]", 5, "binds.a.readers.0.weight: must be a whole number"},
		"a weight of nothing, by a variable":  {"[binds.a]\nwriter = \"postgres://x\"\nreaders = [{ uri = \"postgres://y\", weight = \"${BINDERY_TEST_UNSET:-0}\" }]", 3, "must be 1 or more"},
		"a switch from a word":                {"[binds.a]\nwriter = \"postgres://x\"\nlazy = \"${BINDERY_TEST_WORD}\"", 3, "must be true or false, and ${BINDERY_TEST_WORD} gives another text"},
		"a duration from an empty variable":   {"[binds.a]\nwriter = \"postgres://x\"\nmax_lag = \"${BINDERY_TEST_EMPTY}\"", 3, "binds.a.max_lag: must be a duration such as"},
		"a number from an unset variable":     {"[binds.a]\nwriter = \"postgres://x\"\npool.max_open = \"${BINDERY_TEST_UNSET}\"", 3, "the environment variable BINDERY_TEST_UNSET is not set (give it, or a default: ${BINDERY_TEST_UNSET:-…})"},
		"a URI from an empty variable":        {"[binds]\na = \"${BINDERY_TEST_EMPTY}\"", 2, "binds.a: the URI is empty: so is ${BINDERY_TEST_EMPTY}"},
		"a reader from an empty variable":     {"[binds.a]\nwriter = \"postgres://x\"\nreaders = [\n\"${BINDERY_TEST_EMPTY}\"]", 4, "binds.a.readers.0: the URI is empty: so is ${BINDERY_TEST_EMPTY}"},
		"a policy from an empty variable":     {"[binds.a]\nwriter = \"postgres://x\"\npolicy = \"${BINDERY_TEST_EMPTY}\"", 3, "binds.a.policy: ${BINDERY_TEST_EMPTY} is empty"},
		"a cursor key that is no base64":      {"[binds.a]\nwriter = \"postgres://x\"\ncursor_keys = [\n\"s3cret\"]", 4, "binds.a.cursor_keys.0: a cursor key is 32 random bytes in base64: make one with openssl rand -base64 32"},
		"a cursor key too short":              {"[defaults]\ncursor_keys = [\"" + cursorKeyA + "\", \"czNjcmV0\"]\n[binds]\na = \"postgres://x\"\nb = \"postgres://x\"", 2, "defaults.cursor_keys.1: a cursor key has 6 bytes: give 32 random ones"},
		"a cursor key of zeros":               {"[binds.a]\nwriter = \"postgres://x\"\ncursor_keys = [\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]", 3, "binds.a.cursor_keys.0: a cursor key is all zeros"},
		"a cursor key from a word":            {"[binds.a]\nwriter = \"postgres://x\"\ncursor_keys = [\"${BINDERY_TEST_WORD}\"]", 3, "binds.a.cursor_keys.0: a cursor key is 32 random bytes in base64"},
		"a cursor key from an unset variable": {"[binds.a]\nwriter = \"postgres://x\"\ncursor_keys = [\"${BINDERY_TEST_UNSET}\"]", 3, "binds.a.cursor_keys.0: the environment variable BINDERY_TEST_UNSET is not set"},
		"cursor keys that are no list":        {"[binds.a]\nwriter = \"postgres://x\"\ncursor_keys = \"s3cret\"", 3, "binds.a.cursor_keys: must be a list of strings"},
		"no cursor keys":                      {"[binds.a]\nwriter = \"postgres://x\"\ncursor_keys = []", 3, "binds.a.cursor_keys: must be a list of keys, one at least"},
		"too many cursor keys":                {"[binds.a]\nwriter = \"postgres://x\"\ncursor_keys = [" + strings.Repeat("\""+cursorKeyA+"\",", 17) + "]", 3, "binds.a.cursor_keys: 17 keys: at most 16"},
		"a file of keys that is not there":    {"[binds.a]\nwriter = \"postgres://x\"\ncursor_keys_file = \"no/such\"", 3, "binds.a.cursor_keys_file: open"},
		"a file of something else":            {"[binds.a]\nwriter = \"postgres://x\"\ncursor_keys_file = \"config.toml\"", 3, "line 1: a cursor key is 32 random bytes"},
		"keys and a file of keys":             {"[binds.a]\nwriter = \"postgres://x\"\ncursor_keys = [\"" + cursorKeyA + "\"]\ncursor_keys_file = \"config.toml\"", 4, "binds.a.cursor_keys_file: cursor_keys is given, too: keep one of them"},
		"the DSN of another library":          {"[binds.a]\nwriter = \"app:s3cret@tcp(db1:3306)/shop\"", 2, "binds.a.writer: this is the DSN of github.com/go-sql-driver/mysql: write mysql://user:…@db1:3306/shop"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, row.text)
			require.Error(t, err)
			assert.Contains(t, err.Error(), row.want)
			assert.Contains(t, err.Error(), fmt.Sprintf("config.toml:%d: ", row.line))
			assert.NotContains(t, err.Error(), "s3cret")
			assert.Equal(t, 1, strings.Count(err.Error(), "\n")+1, "one mistake, one line: %v", err)
			var ce *ConfigError
			require.ErrorAs(t, err, &ce)
			assert.Equal(t, row.line, ce.Line)

			_, opening := Open(t.Context(), ce.File, WithDrivers(nullDrivers()))
			assert.EqualError(t, opening, err.Error())
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	const text = `
defualt = "a"
[defaults]
policy = "best"
[binds.a]
writer = "mysql://x"
readers = ["postgres://bad", 7]
pool = { max_open = "x", max_idle_time = "soon" }
[binds.b]
wrtier = "${BINDERY_TEST_UNSET}"
[binds]
c = { writer = "postgres://x", readers = [7, "postgres://bad"] }
`
	_, err := load(t, text)
	require.Error(t, err)
	_, opening := Open(t.Context(), writeConfig(t, text), WithDrivers(nullDrivers()))
	require.Error(t, opening)
	assert.Equal(t, strings.Count(err.Error(), "\n"), strings.Count(opening.Error(), "\n"), "Open says the same: %v", opening)
	var lines []int
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var ce *ConfigError
		require.ErrorAs(t, e, &ce)
		lines = append(lines, ce.Line)
	}
	assert.IsNonDecreasing(t, lines)
	for _, want := range []string{
		`:2: defualt: unknown key (did you mean "default"?)`,
		`:4: defaults.policy: unknown policy "best"`,
		`:6: binds.a.writer: no driver for scheme "mysql"`,
		`:7: binds.a.readers.0.uri: unknown parameter`,
		`:7: binds.a.readers.1: must be a URI`,
		`:8: binds.a.pool.max_open: must be a whole number`,
		`:8: binds.a.pool.max_idle_time: must be a duration`,
		`:9: binds.b: a bind needs a writer`,
		`:10: binds.b.wrtier: the environment variable BINDERY_TEST_UNSET is not set`,
		`:12: binds.c.readers.0: must be a URI`,
		`:12: binds.c.readers.1.uri: unknown parameter`,
	} {
		assert.Contains(t, err.Error(), want)
	}
}

func TestLoadConfigNoFile(t *testing.T) {
	_, err := LoadConfig(filepath.Join(t.TempDir(), "none.toml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestExampleLoads loads config.toml.example and looks at what every line of it promises.
func TestExampleLoads(t *testing.T) {
	text, err := os.ReadFile("../config.toml.example")
	require.NoError(t, err)
	file := writeConfig(t, string(text))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "accounts.password"), []byte("s3cret\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "cursor.keys"), []byte(cursorKeyA+"\n"), 0o600))
	cfg, err := loadConfig(t.Context(), file, nullDrivers())
	require.NoError(t, err)
	var keys []binds.Key
	for _, b := range cfg.Binds {
		keys = append(keys, b.Key)
	}
	assert.Equal(t, []binds.Key{"audit", "accounts", "orders"}, keys)
	assert.Equal(t, "postgres://app@db1.example.com/accounts?sslmode=verify-full", cfg.Binds[1].Writer.Reveal())
	assert.Equal(t, binds.Pool{MaxOpen: 50, MaxIdle: 10, MaxLifetime: 30 * time.Minute, MaxIdleTime: 5 * time.Minute, MaxWait: time.Minute}, cfg.Binds[2].Pool)
	for _, b := range cfg.Binds {
		assert.Len(t, b.CursorKeys, 1, b.Key)
	}
}

func TestConfigShowsNoPassword(t *testing.T) {
	cfg := mustLoad(t, "[binds.a]\nwriter = \"postgres://app:s3cret@x\"\nreaders = [\"postgres://app:s3cret@y\"]\nlazy = true\ncursor_keys = [\""+cursorKeyA+"\"]")
	require.Len(t, cfg.Binds[0].CursorKeys, 1)
	holder := struct{ cfg *Config }{cfg}
	deep := struct{ cfg Config }{*cfg}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{cfg, *cfg, holder, deep, cfg.Binds, cfg.Binds[0], cfg.Binds[0].Readers, cfg.Binds[0].CursorKeys} {
			shown := fmt.Sprintf(verb, v)
			assert.NotContains(t, shown, cursorKeyA[:8])
			assert.NotContains(t, shown, "a key of")
			assert.NotContains(t, shown, "s3cret")
			assert.NotContains(t, shown, fmt.Sprintf("%x", "s3cret"))
		}
	}
	shown, err := json.Marshal(cfg)
	require.NoError(t, err)
	assert.NotContains(t, string(shown), "s3cret")
	assert.NotContains(t, string(shown), cursorKeyA[:8])
	assert.Contains(t, string(shown), "[cursor key withheld]")

	m, err := New(t.Context(), cfg, WithDrivers(nullDrivers()))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	b, err := m.Bind(binds.Key("a"))
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{m, b, b.WriterEngine(), b.ReaderEngines(), b.DB(), struct{ b *Bind }{b}} {
			assert.NotContains(t, fmt.Sprintf(verb, v), "s3cret")
		}
	}
	err = m.Check(t.Context()).Err()
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "s3cret")
	assert.Contains(t, err.Error(), `binds: connect "a/writer": nobody is there`)
}
