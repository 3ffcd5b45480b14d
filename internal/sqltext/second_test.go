package sqltext

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The second statement begins where the text says "second".
func TestSecond(t *testing.T) {
	both := []Lexis{Postgres, SQLite}
	for _, row := range []struct {
		query string
		of    []Lexis
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
		{"/* a /* nested ; */ ; */ SELECT 1; second", []Lexis{Postgres}},
		{"SELECT E'it\\'s; ' ; second", []Lexis{Postgres}},
		{"SELECT e'a'';\\'' ; second", []Lexis{Postgres}},
		{"SELECT TRUE'\\'; second", []Lexis{Postgres}},
		{"SELECT $$;$$, $a$ $$ ; $b$ $a$ ; second", []Lexis{Postgres}},
		{"SELECT $1;second", []Lexis{Postgres}},
		{"SELECT a$b$; second$b$", []Lexis{Postgres}},
		{"SELECT '\\'; second", both},
		{"SELECT `;`, [;], [a'b] ; second", []Lexis{SQLite}},
		{"SELECT 'open; ", both},
		{"SELECT 1; /* open ", both},
	} {
		for _, l := range row.of {
			want := strings.LastIndex(row.query, "second")
			if want > 0 && row.query[want-1] == '\'' {
				want--
			}
			if strings.Contains(row.query, "not a second") {
				want = -1
			}
			assert.Equal(t, want, Second(l, row.query), "%d: %s", l, row.query)
		}
	}
}
