package sqlkind_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// transactional are what PostgreSQL undoes with the transaction, by reason.
var transactional = map[string]string{
	"a setting":                      "SET LOCAL statement_timeout = '5s'",
	"with TO":                        "set local app.tenant to 42",
	"of names":                       `SET LOCAL search_path TO "$user", public, pg_catalog`,
	"to its default":                 "SET LOCAL work_mem TO DEFAULT",
	"a quoted one":                   `SET LOCAL "app.tenant" = E'it\'s'`,
	"a negative one":                 "SET LOCAL extra_float_digits = -3",
	"a role":                         "SET LOCAL ROLE tenant_42",
	"another user":                   "SET LOCAL SESSION AUTHORIZATION tenant",
	"the time zone":                  "SET LOCAL TIME ZONE 'UTC'",
	"with comments":                  "/* a */ SET -- b\n LOCAL /* c */ app.tenant /* write */ = 42 -- write\n",
	"the text of a word":             "SET LOCAL app.x = 'read write'",
	"the isolation":                  "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, DEFERRABLE",
	"a snapshot":                     "SET TRANSACTION SNAPSHOT '00000003-0000001B-1'",
	"LOCAL TRANSACTION":              "SET LOCAL TRANSACTION READ ONLY",
	"set_config":                     "SELECT set_config('app.tenant', '42', true)",
	"in upper case":                  "SELECT SET_CONFIG ( 'app.tenant' , '42' , TRUE )",
	"quoted set_config":              `SELECT "set_config"('app.tenant', '42', true)`,
	"of an expression":               "SELECT set_config('app.tenant', (42 + length('a,b'))::text || E'\\'', true)",
	"of what a query gives":          "SELECT set_config('app.tenant', (SELECT max(id)::text FROM tenants), true) FROM t WHERE a = 1",
	"twice":                          "SELECT set_config('a.b', 'x', true), set_config('a.c', 'y', true)",
	"before a read":                  "SET LOCAL app.tenant = 42; SELECT * FROM t",
	"after a read":                   "SELECT 1; SELECT set_config('app.tenant', '42', true);",
	"a cursor":                       "DECLARE c CURSOR FOR SELECT * FROM t",
	"with options":                   `DECLARE "C d" BINARY INSENSITIVE NO SCROLL CURSOR WITHOUT HOLD FOR (SELECT * FROM t)`,
	"of a CTE":                       "declare c scroll cursor for with a as (select 1) select * from a",
	"FETCH":                          "FETCH c",
	"FETCH some":                     "FETCH FORWARD 100 FROM c",
	"FETCH back":                     "FETCH RELATIVE -1 IN \"C d\"",
	"MOVE":                           "MOVE BACKWARD ALL IN c",
	"CLOSE":                          "CLOSE c",
	"a cursor from beginning to end": "DECLARE c CURSOR FOR VALUES (1); FETCH 1 FROM c; CLOSE c",
	"a read":                         "SELECT 1",
	"what a server says of itself":   "SELECT * FROM pg_stat_activity",
}

// lasting are those that do not end with the transaction, or let it write, or are not known to.
var lasting = map[string]string{
	"a session's setting":         "SET app.tenant = 42",
	"said to be that":             "SET SESSION app.tenant = 42",
	"a setting called local":      "SET local.x = 1",
	"RESET":                       "RESET app.tenant",
	"DISCARD":                     "DISCARD ALL",
	"a role of the session":       "SET ROLE x",
	"READ WRITE":                  "SET TRANSACTION READ WRITE",
	"among others":                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
	"with LOCAL":                  "SET LOCAL TRANSACTION READ /* a */ WRITE",
	"of the session":              "SET LOCAL SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
	"characteristics":             "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
	"as a setting":                "SET LOCAL transaction_read_only = off",
	"quoted":                      `SET LOCAL "transaction_read_only" = off`,
	"in capitals":                 "SET LOCAL Transaction_Read_Only TO off",
	"encoded":                     `SET LOCAL U&"transaction\005fread\005fonly" = off`,
	"for transactions to come":    "SET LOCAL default_transaction_read_only = off",
	"after one that ends":         "SET LOCAL a.b = 1; SET c.d = 2",
	"before one":                  "DELETE FROM t; SET LOCAL a.b = 1",
	"hidden in a string's end":    `SET LOCAL a.b = 'x'; SET c.d = 'y'`,
	"an open string":              "SET LOCAL a.b = 'x",
	"a NUL":                       "SET LOCAL a.b = 1\x00",
	"set_config for the session":  "SELECT set_config('app.tenant', '42', false)",
	"of what is not known":        "SELECT set_config('app.tenant', '42', $1)",
	"of an expression":            "SELECT set_config('app.tenant', '42', true and false)",
	"a text for true":             "SELECT set_config('app.tenant', '42', 'true')",
	"named arguments":             "SELECT set_config(setting_name => 'a.b', new_value => 'x', is_local => true)",
	"a setting that is not known": "SELECT set_config(name, '42', true) FROM t",
	"one put together":            "SELECT set_config('transaction_' || 'read_only', 'off', true)",
	"one with an escape":          `SELECT set_config(E'transaction\x5fread_only', 'off', true)`,
	"one in two parts":            "SELECT set_config('transaction_'\n'read_only', 'off', true)",
	"set_config to write":         "SELECT set_config('transaction_read_only', 'off', true)",
	"in capitals, to write":       "SELECT set_config('TRANSACTION_READ_ONLY', 'off', true)",
	"a user's set_config":         "SELECT billing.set_config('a.b', 'x', true)",
	"as an attribute":             "SELECT ('a.b').set_config",
	"one good and one bad":        "SELECT set_config('a.b', 'x', true), set_config('a.c', 'y', false)",
	"inside another":              "SELECT set_config('a.b', set_config('a.c', 'y', false), true)",
	"a write inside":              "SELECT set_config('a.b', nextval('s')::text, true)",
	"a comma in a string":         "SELECT set_config('a.b', ',true)', false)",
	"a comma in a comment":        "SELECT set_config('a.b', 'x' /* ,true) */, false)",
	"true as a column's name":     `SELECT set_config('a.b', 'x', "true")`,
	"in a write":                  "INSERT INTO t SELECT set_config('a.b', 'x', true)",
	"a cursor with hold":          "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
	"in a comment":                "DECLARE c CURSOR WITH /* OUT */ HOLD FOR SELECT 1",
	"of a write":                  "DECLARE c CURSOR FOR DELETE FROM t RETURNING *",
	"of a CTE that writes":        "DECLARE c CURSOR FOR WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
	"of a locking read":           "DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE",
	"of a function that writes":   "DECLARE c CURSOR FOR SELECT nextval('s')",
	"of nothing":                  "DECLARE c CURSOR FOR",
	"no name":                     "DECLARE CURSOR FOR SELECT 1",
	"FETCH of nothing":            "FETCH",
	"a call in it":                "FETCH nextval('s') FROM c",
	"CLOSE ALL":                   "CLOSE ALL",
	"CLOSE and more":              "CLOSE c d",
	"EXECUTE":                     "EXECUTE p",
	"CALL":                        "CALL p()",
	"a savepoint":                 "SAVEPOINT s",
	"COMMIT":                      "COMMIT",
	"LOCK":                        "LOCK TABLE t",
	"a lock":                      "SELECT pg_advisory_xact_lock(1)",
	"nothing":                     "",
}

func TestEndsWithTx(t *testing.T) {
	c, err := sqlkind.New(dialect.PG, "charge_*")
	require.NoError(t, err)
	for reason, query := range transactional {
		t.Run(reason, func(t *testing.T) {
			assert.True(t, c.EndsWithTx(query), query)
			for _, d := range []dialect.Name{dialect.MySQL, dialect.SQLite} { // their SET LOCAL is the session's
				other, err := sqlkind.New(d)
				require.NoError(t, err)
				kind, _ := other.Classify(query)
				assert.Equal(t, kind == read, other.EndsWithTx(query), query)
			}
			assert.Zero(t, testing.AllocsPerRun(5, func() { c.EndsWithTx(query) }))
		})
	}
	for reason, query := range lasting {
		t.Run("not "+reason, func(t *testing.T) { assert.False(t, c.EndsWithTx(query), query) })
	}
	assert.False(t, c.EndsWithTx("SELECT set_config('a.b', charge_card(1)::text, true)"))
	mine, err := sqlkind.New(dialect.PG, "set_config")
	require.NoError(t, err)
	assert.False(t, mine.EndsWithTx("SELECT set_config('a.b', 'x', true)"), "whoever names it has his own")
	assert.False(t, new(sqlkind.Classifier).EndsWithTx("SELECT 1"))
}

// FuzzEndsWithTx holds what does not depend on what a statement says.
func FuzzEndsWithTx(f *testing.F) {
	for _, list := range []map[string]string{transactional, lasting} {
		for _, query := range list {
			f.Add(query)
		}
	}
	for _, query := range seeds {
		f.Add(query)
	}
	c, err := sqlkind.New(dialect.PG, "charge_*")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, query string) {
		ends := c.EndsWithTx(query)
		kind, _ := c.Classify(query)
		if kind == read && !ends {
			t.Errorf("a read does not end: %q", query)
		}
		if !ends || kind == read {
			return
		}
		lower := strings.ToLower(query)
		for _, word := range []string{"set", "declare", "fetch", "move", "close"} {
			if strings.Contains(lower, word) {
				word = ""
			}
			if word == "" {
				lower = ""
				break
			}
		}
		if lower != "" {
			t.Errorf("none of the statements that end with a transaction: %q", query)
		}
		for _, after := range []string{"\n; SET a.b = 1", "\n; DELETE FROM t", "\n; SELECT set_config('a.b', 'x', false)", "\n; SET TRANSACTION READ WRITE", "\n; CLOSE ALL"} {
			if c.EndsWithTx(query + after) {
				t.Errorf("%q hides what follows: %q", query, after)
			}
		}
	})
}
