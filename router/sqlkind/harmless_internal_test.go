package sqlkind

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect"
)

// TestPlainly looks at texts that a glance is enough for, and at such as it must leave to who reads them in full.
func TestPlainly(t *testing.T) {
	for d, o := range map[dialect.Name]*own{dialect.PG: ownOfPostgres(), dialect.MySQL: ownOfMySQL(), dialect.SQLite: ownOfSQLite()} {
		for _, q := range []string{
			"SELECT u.id, lower(u.name) FROM users AS u WHERE (u.id = 7) AND (u.name IN ('a', 'b')) LIMIT 1",
			"SELECT count(*) FROM t WHERE a = (SELECT max(a) FROM t)",
			"SELECT (1), ((2))",
		} {
			assert.True(t, o.plainly(q, d), "%v: %s", d, q)
		}
		for _, q := range []string{
			"SELECT charge(1)", "SELECT charge (1)", "SELECT charge\n(1)", "SELECT lower(charge(1))", "SELECT a.lower(1)", "SELECT \"lower\"(1)",
			"SELECT charge/* in */(1)", "SELECT charge -- in\n(1)", "SELECT charge # in\n(1)", "SELECT (t).charge FROM (SELECT 1)",
			"SELECT (t) .charge FROM (SELECT 1)", "SELECT (a[1]).b, a[1].charge", "SELECT (t)\n.charge", "SELECT a. lower(1)",
			"SELECT a.\n lower(1)", "SELECT a .lower(1)", "SELECT a\n.lower(1)", "SELECT 'a string (',(1)", "SELECT ünder(1)", "SELECT a:charge(1)",
			"SELECT U&\"lower\"(1)", "SELECT x$lower(1)", "SELECT 1lower(1)",
		} {
			assert.False(t, o.plainly(q, d), "%v: %s", d, q)
		}
	}
	assert.False(t, ownOfPostgres().plainly("SELECT $1.charge, (1)", dialect.PG))
	assert.False(t, ownOfMySQL().plainly("SELECT count (1)", dialect.MySQL), "a stored function's, without IGNORE_SPACE")
	assert.True(t, ownOfMySQL().plainly("SELECT 1 FROM t WHERE a IN (1)", dialect.MySQL))
}
