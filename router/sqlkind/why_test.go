package sqlkind_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

func TestWhy(t *testing.T) {
	for name, test := range map[string]struct {
		dialect      dialect.Name
		query        string
		word, reason string // of the reason a part
	}{
		"plain read":        {dialect.PG, "SELECT * FROM users WHERE name = 'for update'", "", ""},
		"function":          {dialect.PG, "SELECT nextval('s'), setval('s', 1)", "nextval", "a sequence moves"},
		"quoted function":   {dialect.PG, `SELECT "nextval"('s')`, `"nextval"`, "a sequence moves"},
		"attribute":         {dialect.PG, "SELECT (t).nextval FROM t", "nextval", "a sequence moves"},
		"writer function":   {dialect.PG, "SELECT charge_card(7)", "charge_card", "writer_functions"},
		"lock":              {dialect.PG, "SELECT * FROM t FOR UPDATE SKIP LOCKED", "FOR UPDATE", "locking"},
		"weaker lock":       {dialect.PG, "SELECT * FROM t FOR NO KEY UPDATE", "FOR NO KEY UPDATE", "locking"},
		"weakest lock":      {dialect.PG, "SELECT * FROM t FOR KEY SHARE", "FOR KEY SHARE", "locking"},
		"writing CTE":       {dialect.PG, "WITH w AS (DELETE FROM a RETURNING *) SELECT * FROM w", "DELETE", "data are changed"},
		"into":              {dialect.PG, "SELECT * INTO x FROM y", "INTO", "written somewhere"},
		"DML":               {dialect.PG, "INSERT INTO t VALUES (1)", "INSERT", "begins so"},
		"DDL":               {dialect.PG, "create table x(a int)", "create", "begins so"},
		"second statement":  {dialect.PG, "SELECT 1; DROP TABLE x", "DROP", "begins so"},
		"analyzed write":    {dialect.PG, "EXPLAIN ANALYZE DELETE FROM x", "DELETE", "data are changed"},
		"local":             {dialect.PG, "SELECT * FROM pg_stat_activity", "pg_stat_activity", "statistics"},
		"open quote":        {dialect.PG, "SELECT name, 'abc", "", `behind "SELECT name,"`},
		"open parenthesis":  {dialect.PG, "SELECT (1", "", "do not close"},
		"nothing":           {dialect.PG, " ;; ", "", "no statement"},
		"a comment alone":   {dialect.PG, "/* SELECT 1", "", "cannot be read"},
		"variable":          {dialect.MySQL, "SELECT @a := 1", "@a", "variable of the session"},
		"shared lock":       {dialect.MySQL, "SELECT * FROM t LOCK IN SHARE MODE", "LOCK IN SHARE MODE", "locking"},
		"named lock":        {dialect.MySQL, "SELECT GET_LOCK('a', 1)", "GET_LOCK", "a lock that outlives"},
		"local SHOW":        {dialect.MySQL, "SHOW PROCESSLIST", "PROCESSLIST", "each server answers"},
		"code in a comment": {dialect.MySQL, "SELECT /*!40001 nextval(s) */ 1", "", "code in a comment"},
		"PRAGMA":            {dialect.SQLite, "PRAGMA journal_mode = wal", "PRAGMA", "sets something"},
		"connection":        {dialect.SQLite, "SELECT last_insert_rowid()", "last_insert_rowid", "what the connection did"},
		"unknown dialect":   {dialect.MSSQL, "SELECT 1", "", "dialect is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := sqlkind.New(test.dialect, "charge_*")
			require.NoError(t, err)
			cause := c.Why(test.query)
			assert.Equal(t, test.word, cause.Word)
			assert.Contains(t, cause.Reason, test.reason)
			assert.Equal(t, test.reason == "", cause == sqlkind.Cause{}, cause)
		})
	}
}

// Whatever the text, there is a cause exactly where it is no plain read, and no value is shown.
func FuzzWhy(f *testing.F) {
	for _, query := range []string{"SELECT 1", "SELECT nextval('secret')", "WITH w AS (DELETE FROM a RETURNING *) SELECT 1", "SELECT @a := 'secret'", `SELECT "a`, "\x00"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, d := range []dialect.Name{dialect.PG, dialect.MySQL, dialect.SQLite} {
			c, err := sqlkind.New(d, "charge_*")
			require.NoError(t, err)
			cause := c.Why(query)
			require.Equal(t, c.Of(query) == sqlkind.Write, cause != sqlkind.Cause{}, cause)
			if !strings.Contains(sqlkind.Outline(d, query, 1<<20), "secret") {
				require.NotContains(t, cause.String(), "secret")
			}
		}
	})
}

func ExampleClassifier_Why() {
	c, err := sqlkind.New(dialect.PG, "charge_*")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Why("SELECT * FROM seats WHERE id = 7 FOR UPDATE"))
	fmt.Println(c.Why("SELECT nextval('orders_id_seq')"))
	fmt.Println(c.Why("SELECT charge_card(7)"))
	// Output:
	// FOR UPDATE: a locking clause, which the writer must hold
	// nextval: a sequence moves, or the session that moved it is asked
	// charge_card: it is named in writer_functions
}
