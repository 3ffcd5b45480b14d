package bindtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
)

// arguments: the arguments of database/sql stand for placeholders, and text in comments, strings and names for nothing. A text with
// arguments holds one statement. No mistake of these costs the connection.
func (s *suite) arguments(t *testing.T) {
	w := s.writer(t, binds.WithPool(binds.Pool{MaxOpen: 1}))
	s.table(t, w, "bindtest_args", "id INTEGER PRIMARY KEY, v VARCHAR(200)")
	p := s.placeholder()
	name := map[bool]string{true: "`", false: `"`}[s.Dialect == dialect.MySQL]
	texts := map[string]struct{ text, want string }{
		"an apostrophe in a line's comment":     {"SELECT v -- it's a comment\nFROM bindtest_args WHERE v = @", "a"},
		"an apostrophe in a block's":            {"/* it's */ SELECT v FROM bindtest_args /* it's */ WHERE v = @", "a"},
		"an apostrophe at the end":              {"SELECT v FROM bindtest_args WHERE v = @ -- it's the end", "a"},
		"a placeholder in a comment":            {"/* @ or $2 or ? */ SELECT v -- @ or $3 or ?\nFROM bindtest_args WHERE v = @", "a"},
		"a placeholder in a string":             {"SELECT '@ ? $2' FROM bindtest_args WHERE v = @", "@ ? $2"},
		"an apostrophe and one in a string":     {"SELECT 'it''s @' FROM bindtest_args WHERE v = @", "it's @"},
		"a placeholder in a name":               {`SELECT "it's @" FROM (SELECT v AS "it's @" FROM bindtest_args) AS "t?" WHERE "it's @" = @`, "a"},
		"a semicolon and a comment behind it":   {"SELECT v FROM bindtest_args WHERE v = @; -- it's over; really", "a"},
		"a semicolon in a string and a comment": {"SELECT ';' /* ; it's */ FROM bindtest_args WHERE v = @", ";"},
	}
	run := map[string]func(query string, args ...any) (string, error){
		"query": func(query string, args ...any) (got string, err error) {
			return got, w.DB().QueryRowContext(ctx(t), query, args...).Scan(&got)
		},
		"exec": func(query string, args ...any) (got string, err error) {
			// A comment that leads stays where it is: the statement's verb does not.
			query = strings.Replace(query, "SELECT", "INSERT INTO bindtest_args (id, v) SELECT 2,", 1)
			res, err := w.DB().ExecContext(ctx(t), query, args...)
			if err != nil {
				return "", err
			}
			if n, err := res.RowsAffected(); n != 1 || err != nil {
				return "", fmt.Errorf("%d rows affected: %w", n, err)
			}
			err = w.DB().QueryRowContext(ctx(t), "SELECT v FROM bindtest_args WHERE id = 2").Scan(&got)
			exec(t, w, "DELETE FROM bindtest_args WHERE id = 2")
			return got, err
		},
		"prepared": func(query string, args ...any) (got string, err error) {
			stmt, err := w.DB().PrepareContext(ctx(t), query)
			if err != nil {
				return "", err
			}
			err = stmt.QueryRowContext(ctx(t), args...).Scan(&got)
			return got, errors.Join(err, stmt.Close())
		},
		"transaction": func(query string, args ...any) (got string, err error) {
			tx, err := w.DB().BeginTx(ctx(t), nil)
			if err != nil {
				return "", err
			}
			err = tx.QueryRowContext(ctx(t), query, args...).Scan(&got)
			return got, errors.Join(err, tx.Commit())
		},
	}
	exec(t, w, "INSERT INTO bindtest_args (id, v) VALUES (1, 'a')")
	before := s.session(t, w)
	for reason, row := range texts {
		query := strings.ReplaceAll(strings.ReplaceAll(row.text, `"`, name), "@", p)
		want := strings.ReplaceAll(row.want, "@", p)
		for how, do := range run {
			got, err := do(query, "a")
			assert.NoError(t, err, "%s: %s", how, reason)
			assert.Equal(t, want, got, "%s: %s", how, reason)
		}
	}
	second := func(c context.Context, query string, args ...any) error {
		_, err := w.DB().ExecContext(c, query, args...)
		return err
	}
	for reason, query := range map[string]string{
		"two statements":             "INSERT INTO bindtest_args (id, v) VALUES (3, " + p + "); INSERT INTO bindtest_args (id, v) VALUES (4, 'd')",
		"two, with a comment":        "-- it's; one\nINSERT INTO bindtest_args (id, v) VALUES (3, " + p + ");\n-- it's two\nDELETE FROM bindtest_args",
		"two, both with an argument": "DELETE FROM bindtest_args WHERE v = " + p + "; UPDATE bindtest_args SET v = " + p,
	} {
		err := second(ctx(t), query, "a")
		assert.Error(t, err, reason)
		var several *binds.SeveralStatementsError
		if s.Dialect != dialect.MySQL && assert.ErrorAs(t, err, &several, reason) { // MySQL's answer shows the place
			assert.Greater(t, several.Second, strings.LastIndex(query[:several.Second], ";"), reason)
			assert.Contains(t, []string{"INSERT", "DELETE", "UPDATE"}, query[several.Second:several.Second+len("INSERT")], reason)
		}
		rows, err := w.DB().QueryContext(ctx(t), query, "a")
		if !assert.Error(t, err, "as a query: %s", reason) {
			assert.NoError(t, rows.Close())
		}
	}
	for reason, args := range map[string][]any{"too few": {}, "too many": {"a", "b"}} {
		if s.Dialect == dialect.SQLite {
			continue // a placeholder without an argument is NULL, an argument without one is nothing: so SQLite has it
		}
		assert.Error(t, second(ctx(t), "DELETE FROM bindtest_args WHERE v = "+p, args...), reason)
	}
	var all sql.NullString
	require.NoError(t, w.DB().QueryRowContext(ctx(t), "SELECT MAX(v) FROM bindtest_args").Scan(&all))
	assert.Equal(t, "a", all.String, "nothing was run")
	assert.Equal(t, before, s.session(t, w), "the connection lives")
}

// session is the connection's identifier at the server, "" where there is none.
func (s *suite) session(t *testing.T, e *binds.Engine) string {
	if s.ConnID == "" {
		return ""
	}
	var id string
	require.NoError(t, e.DB().QueryRowContext(ctx(t), s.ConnID).Scan(&id))
	return id
}
