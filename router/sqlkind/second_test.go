package sqlkind_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// The second statement begins where the text says "second".
func TestSecondStatement(t *testing.T) {
	both := []dialect.Name{dialect.PG, dialect.SQLite}
	for _, row := range []struct {
		query string
		of    []dialect.Name
	}{
		{"SELECT 1", both},
		{"", both},
		{";;", both},
		{"SELECT 1;", both},
		{"SELECT 1; -- not a second; one\n /* nor ; this */ ; ", both},
		{"SELECT 1; second", both},
		{"SELECT 1;; 'second' ;", both},
		{"; SELECT 1; second", both},
		{"-- it's a comment; with more\nSELECT ';', \";\", ';'';' -- ;", both},
		{"-- it's; a comment\nSELECT 1;second", both},
		{"/* it's */ SELECT 1; second", both},
		{"/* a /* nested ; */ ; */ SELECT 1; second", []dialect.Name{dialect.PG}},
		{"SELECT E'it\\'s; ' ; second", []dialect.Name{dialect.PG}},
		{"SELECT e'a'';\\'' ; second", []dialect.Name{dialect.PG}},
		{"SELECT TRUE'\\'; second", []dialect.Name{dialect.PG}},
		{"SELECT $$;$$, $a$ $$ ; $b$ $a$ ; second", []dialect.Name{dialect.PG}},
		{"SELECT $1;second", []dialect.Name{dialect.PG}},
		{"SELECT a$b$; second$b$", []dialect.Name{dialect.PG}},
		{"SELECT '\\'; second", both},
		{"SELECT `;`, [;], [a'b] ; second", []dialect.Name{dialect.SQLite}},
		{"SELECT 'open; ", both},
		{"SELECT 1; /* open ", both},
		{"SELECT 1 -- open; ", both},
		{"SELECT 1; # not a second", []dialect.Name{dialect.MySQL}},
		{"SELECT \"it's;\" ; second", append(both, dialect.MySQL)},
		{"SELECT 'it\\'s;' ; second", []dialect.Name{dialect.MySQL}},
		{"SELECT 1; second", []dialect.Name{dialect.MySQL}},
	} {
		for _, l := range row.of {
			want := strings.LastIndex(row.query, "second")
			if want > 0 && row.query[want-1] == '\'' {
				want--
			}
			if strings.Contains(row.query, "not a second") {
				want = -1
			}
			assert.Equal(t, want, sqlkind.SecondStatement(l, row.query), "%s: %s", l, row.query)
		}
	}
}
