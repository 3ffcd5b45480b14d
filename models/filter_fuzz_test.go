package models

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

type fuzzed struct {
	bun.BaseModel `bun:"table:fuzzed,alias:f"`

	ID     int64 `bun:",pk"`
	Title  string
	Score  float64
	Single float32
	Live   bool
	Data   []byte
	At     time.Time
	Day    time.Time `bun:"type:date"`
	Ms     int64     `models:"epoch"`
	Kind   Enum[fuzzedKind]
	Parent *fuzzed `bun:"rel:belongs-to,join:ms=id"`
}

type fuzzedKind string

func (fuzzedKind) Values() []fuzzedKind { return []fuzzedKind{"a", "b'"} }

var fuzzedColumns = []string{"id", "title", "score", "single", "live", "data", "at", "day", "ms", "kind"}

func fuzzRenderers() []*renderer {
	var renderers []*renderer
	for _, d := range []schema.Dialect{pgdialect.New(), mysqldialect.New(), sqlitedialect.New()} {
		table := d.Tables().Get(reflect.TypeFor[fuzzed]())
		r := &renderer{gen: schema.NewQueryGen(d), dialect: d.Name(), table: table, joins: true, zone: time.UTC}
		r.qualify(table, true)
		renderers = append(renderers, r)
	}
	return renderers
}

// conditionsOf says what a user's text can be in.
func conditionsOf(name, text, other string) map[string]Condition {
	m := func(v any) Condition { return Filter(map[string]any{name: v}, name) }
	return map[string]Condition{
		"equal":      m(text),
		"list":       m([]any{text, other, nil}),
		"strings":    m([]string{text, other}),
		"range":      m(map[string]any{"from": text, "to": other}),
		"array":      m([2]string{text, other}),
		"nested":     m([]any{[]any{text}, map[string]any{"from": text}}),
		"bytes":      m([]byte(text)),
		"less":       Lt(name, text),
		"not":        Not(Or(Ne(name, text), NotIn(name, text, other))),
		"between":    Between(name, text, other),
		"like":       Like(name, text),
		"contains":   Contains(name, text),
		"allow-list": Filter(map[string]any{name: text}, name, text),
	}
}

// FuzzFilter sends names and values as a user would: what comes out is an error, or SQL that is
// made of our own words, the model's columns and literals.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{
		"", "1", "abc", "'", `"`, "`", `\`, `\'`, "''", "'; DROP TABLE fuzzed; --", "' OR 1=1 --", "?", "?0", "?TableName", "/*", "*/", "#", "$$", "$1",
		"\x00", "\xff'", "%", "_", "2024-01-31", "2024-01-31T10:00:00+01:00", "NaN", "Infinity", "-1", "- 1", "0x10", "1e9", "true", "NULL", "b'", "?!(",
	} {
		f.Add("title", text, "2024-02-01")
		f.Add(text, "1", text)
		f.Add("id", text, "9")
		f.Add("at", text, text)
		f.Add("Parent."+text, text, text)
	}
	renderers := fuzzRenderers()
	f.Fuzz(func(t *testing.T, name, text, other string) {
		for _, r := range renderers {
			for _, column := range append(fuzzedColumns, name, "Parent.title") {
				for shape, condition := range conditionsOf(column, text, other) {
					c, err := condition.render(r)
					if err != nil {
						var refused *FilterError
						require.ErrorAs(t, err, &refused)
						continue
					}
					requireOwnWords(t, r.dialect, string(c), shape)
				}
			}
		}
	})
}

// FuzzOrder sends orders as a user would.
func FuzzOrder(f *testing.F) {
	for _, text := range []string{"", "id", "-id,+title", "id nulls last", "-at NULLS FIRST,id", "id desc", "id;--", `id" --`, ",", "-", "Parent.id", "id,id", "id nulls last; DROP"} {
		f.Add(text)
	}
	renderers := fuzzRenderers()
	f.Fuzz(func(t *testing.T, text string) {
		order, err := ParseOrder(text, append(fuzzedColumns, "Parent.title")...)
		var refused *FilterError
		if err != nil {
			require.ErrorAs(t, err, &refused)
			return
		}
		for _, r := range renderers {
			columns, err := r.sortColumns(order)
			if err != nil {
				require.ErrorAs(t, err, &refused)
				continue
			}
			for _, c := range columns {
				requireOwnWords(t, r.dialect, c.order(r.dialect), "order")
			}
		}
	})
}

// FuzzCursor sends cursors, whole ones with other values among them.
func FuzzCursor(f *testing.F) {
	renderers := fuzzRenderers()
	columnsOf := func(t *testing.T, r *renderer) []sortColumn {
		columns, err := r.sortColumns(Order{Asc("title"), Desc("at"), Asc("id")})
		require.NoError(t, err)
		return columns
	}
	f.Add([]byte{}, "", byte(0))
	f.Add([]byte{}, "s\x03'\\\x00n\x00d\x017\x00\x00", byte('s'))
	for _, kind := range []byte("ndfeszjx?") {
		f.Add([]byte("x'\\\x00"), "AAAA", kind)
		f.Add([]byte("-1.5e+300"), "", kind)
		f.Add([]byte("+"), "", kind)
		f.Add([]byte("7"), "", kind)
	}
	f.Fuzz(func(t *testing.T, value []byte, cursor string, kind byte) {
		for _, r := range renderers {
			columns := columnsOf(t, r)
			v := cursorValue{kind, string(value)}
			cursors := r.cursors("", "", columns, processSeal())
			made, err := cursors.encode([]cursorValue{v, v, v})
			if err != nil {
				require.ErrorIs(t, err, errCursorLong)
			}
			for _, read := range []func() ([]cursorValue, error){
				func() ([]cursorValue, error) { return cursors.decode(cursor) },
				func() ([]cursorValue, error) { return cursors.decode(made) },
				func() ([]cursorValue, error) { return cursors.decode(made + cursor) },
				func() ([]cursorValue, error) { return cursors.values([]byte(cursor)) }, // as if it had been sealed
			} {
				values, err := read()
				if err != nil {
					continue
				}
				if condition, err := r.behind(columns, values); err == nil {
					requireOwnWords(t, r.dialect, string(condition), "cursor")
				}
			}
		}
	})
}

var (
	ownWords   = regexp.MustCompile(`^(AND|OR|NOT|IN|IS|NULL|NULLS|FIRST|LAST|LIKE|ESCAPE|DESC|TRUE|FALSE|real|f|parent|LITERAL|X|_utf8mb4|CAST|AS|TEXT|CHAR|UNSIGNED|JSON|text|float8|CASE|WHEN|THEN|ELSE|END|` + strings.Join(fuzzedColumns, "|") + `)$`)
	number     = regexp.MustCompile(`-?\b\d+(\.\d*)?([eE][-+]?\d+)?\b`)
	word       = regexp.MustCompile(`\w+`)
	ownSymbols = regexp.MustCompile("^[\\w \"`.,()=<>:+]*$")
)

// requireOwnWords sees that nothing is left of the SQL but our own when its literals are taken out.
func requireOwnWords(t *testing.T, d dialect.Name, text, shape string) {
	t.Helper()
	bare, ok := withoutLiterals(d, text)
	require.True(t, ok, "a literal without an end: %s", text)
	bare = number.ReplaceAllString(bare, "LITERAL")
	require.Regexp(t, ownSymbols, bare, "%s on %s: %s", shape, d, text)
	for _, w := range word.FindAllString(bare, -1) {
		require.Regexp(t, ownWords, w, "%s on %s: %s", shape, d, text)
	}
	require.Equal(t, strings.Count(bare, "("), strings.Count(bare, ")"), text)
}

// withoutLiterals lexes strings as the dialect does.
func withoutLiterals(d dialect.Name, text string) (string, bool) {
	var bare strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\'' {
			bare.WriteByte(text[i])
			continue
		}
		for i++; ; i++ {
			if i >= len(text) {
				return "", false
			}
			if d == dialect.MySQL && text[i] == '\\' {
				i++
				continue
			}
			if text[i] != '\'' {
				continue
			}
			if i+1 < len(text) && text[i+1] == '\'' {
				i++
				continue
			}
			break
		}
		out := strings.TrimSuffix(bare.String(), "X") // of a binary literal
		bare.Reset()
		bare.WriteString(out + "LITERAL")
	}
	return bare.String(), true
}

// FuzzFilterMeaning compares on SQLite what a filter finds with what a bound value finds.
func FuzzFilterMeaning(f *testing.F) {
	for _, text := range []string{"", "'", `\`, `a\'b`, "?0", "é\u2028", "%_%", "x' OR '1'='1", "--", "\u00a0", "A"} {
		f.Add(text, text)
		f.Add(text, "a"+text+"b")
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(f.TempDir(), "fuzz.db"))
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, db.Close()) })
	r := fuzzRenderers()[2]
	f.Fuzz(func(t *testing.T, text, stored string) {
		for name, row := range map[string]struct {
			condition Condition
			bound     string
		}{
			"equal":    {Eq("title", text), "f.title = ?1"},
			"less":     {Lt("title", text), "f.title < ?1"},
			"list":     {In("title", "x", text), "f.title IN ('x', ?1)"},
			"contains": {Contains("title", text), "f.title LIKE ?2 ESCAPE '!'"},
		} {
			c, err := row.condition.render(r)
			if err != nil || strings.IndexByte(stored, 0) >= 0 {
				continue
			}
			pattern := "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text) + "%"
			var same bool
			query := fmt.Sprintf("SELECT (%s) IS (%s) AND ?2 = ?2 FROM (SELECT ?3 AS title) AS f", c, row.bound)
			require.NoError(t, db.QueryRow(query, text, pattern, stored).Scan(&same), query)
			require.True(t, same, "%s: %s", name, query)
		}
	})
}
