package models_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/bindery-go/bindery/internal/seal"
	"github.com/bindery-go/bindery/models"
)

// secretRow has a column to order by that its readers must not see.
type secretRow struct {
	bun.BaseModel `bun:"table:page_secrets,alias:ps"`

	ID     int64  `bun:",pk"`
	Name   string `bun:",notnull"`
	Salary string `bun:",notnull,type:varchar(200)"`
}

// otherSecret has the same columns in another table.
type otherSecret struct {
	bun.BaseModel `bun:"table:page_secrets2,alias:ps"`

	ID     int64  `bun:",pk"`
	Name   string `bun:",notnull"`
	Salary string `bun:",notnull,type:varchar(200)"`
}

func secretRows(t *testing.T, db *bun.DB, salaries ...string) {
	t.Helper()
	createTables(t, db, (*secretRow)(nil), (*otherSecret)(nil))
	rows, others := make([]secretRow, len(salaries)), make([]otherSecret, len(salaries))
	for i, s := range salaries {
		rows[i] = secretRow{ID: int64(1000 + i), Name: fmt.Sprint("name ", i), Salary: s}
		others[i] = otherSecret{ID: rows[i].ID, Name: rows[i].Name, Salary: s}
	}
	_, err := db.NewInsert().Model(&rows).Exec(t.Context())
	require.NoError(t, err)
	_, err = db.NewInsert().Model(&others).Exec(t.Context())
	require.NoError(t, err)
}

var bySalary = models.Order{models.Asc("salary")}

func secretPage(t *testing.T, db *bun.DB, cursor string) (models.Page[secretRow], error) {
	t.Helper()
	return models.FetchPage[secretRow](t.Context(), db.NewSelect().Model(new([]secretRow)).Column("name"), bySalary, models.After(cursor), 1)
}

func nextOf(t *testing.T, db *bun.DB, cursor string) string {
	t.Helper()
	page, err := secretPage(t, db, cursor)
	require.NoError(t, err)
	require.NotEmpty(t, page.Next)
	return page.Next
}

// TestCursorIsSealed sees that cursors tell nothing of their values: neither whole nor by comparing two.
func TestCursorIsSealed(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		secretRows(t, db, "classified", "classified", "d", "d is longer than it", "end")
		seen := map[string]bool{}
		cursor, length := "", 0
		for range 4 {
			next := nextOf(t, db, cursor)
			data, err := base64.RawURLEncoding.DecodeString(next)
			require.NoError(t, err)
			for _, value := range []string{"classified", "d is longer", "100"} {
				require.NotContains(t, string(data), value)
				require.NotContains(t, next, value)
			}
			again := nextOf(t, db, cursor)
			for _, text := range []string{next, again} {
				require.False(t, seen[text], "the same text twice")
				seen[text] = true
				if length == 0 {
					length = len(text)
				}
				require.Len(t, text, length, "the length tells nothing of short values")
			}
			for at := 2; at+8 <= len(next); at++ {
				require.NotEqual(t, next[at:at+8], again[at:at+8], "equal values, equal parts")
			}
			one, err := secretPage(t, db, next)
			require.NoError(t, err)
			other, err := secretPage(t, db, again)
			require.NoError(t, err)
			require.Equal(t, one.Items, other.Items, "both go on at the same row")
			cursor = next
		}
	})
}

// TestCursorSwapped gives a cursor to a query that it was not made for: of another model, order or direction.
func TestCursorSwapped(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		secretRows(t, db, "a", "b", "c")
		cursor := nextOf(t, db, "")
		_, foreign := models.FetchPage[otherSecret](t.Context(), db.NewSelect(), bySalary, models.After(cursor), 1)
		_, descending := models.FetchPage[secretRow](t.Context(), db.NewSelect(), models.Order{models.Desc("salary")}, models.After(cursor), 1)
		_, named := models.FetchPage[secretRow](t.Context(), db.NewSelect(), models.Order{models.Asc("name")}, models.After(cursor), 1)
		_, unordered := models.FetchPage[secretRow](t.Context(), db.NewSelect(), nil, models.After(cursor), 1)
		for _, err := range []error{foreign, descending, named, unordered} {
			var refused *models.CursorError
			require.ErrorAs(t, err, &refused)
			require.EqualError(t, err, "models: cursor: made for another order, table, scope or kind of database: begin at the first page")
		}
	})
}

func cursorKey(t *testing.T, b byte) models.CursorKey {
	t.Helper()
	key, err := models.NewCursorKey(bytes.Repeat([]byte{b}, models.KeySize))
	require.NoError(t, err)
	return key
}

// keyed returns a DB of another process, as it were, that has keys.
func keyed(db *bun.DB, keys ...models.CursorKey) *bun.DB {
	return bun.NewDB(db.DB, models.WithFieldTypes(newDialect(db), models.CursorKeys(keys...)))
}

// TestCursorKeyRotates changes the key in two steps: no cursor ends before its key is taken out.
func TestCursorKeyRotates(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		secretRows(t, db, "a", "b", "c")
		one, two := cursorKey(t, 1), cursorKey(t, 2)
		before, during, after, later := keyed(db, one), keyed(db, one, two), keyed(db, two, one), keyed(db, two)
		old, renewed := nextOf(t, before, ""), nextOf(t, after, "")
		for reason, row := range map[string]struct {
			db     *bun.DB
			cursor string
			opens  bool
		}{
			"the key itself":            {before, old, true},
			"a second key, not in use":  {during, old, true},
			"the new one, already used": {during, renewed, true},
			"the old one behind":        {after, old, true},
			"the old one taken out":     {later, old, false},
			"only the new one":          {later, renewed, true},
			"not there yet":             {before, renewed, false},
		} {
			page, err := secretPage(t, row.db, row.cursor)
			if row.opens {
				require.NoError(t, err, reason)
				require.Equal(t, "name 1", page.Items[0].Name, reason)
				continue
			}
			var refused *models.CursorError
			require.ErrorAs(t, err, &refused, reason)
			require.EqualError(t, err, "models: cursor: changed, or sealed with a key that is no longer one of cursor_keys: begin at the first page")
			require.Equal(t, typeOf[secretRow](), refused.Model)
		}
		_, err := secretPage(t, keyed(db, one, models.CursorKey{}), "")
		require.ErrorIs(t, err, models.ErrBadKey, "a zero key, on the first page")
	})
}

// TestWithFieldTypesKeepsKeys gives options to a dialect that is one already.
func TestWithFieldTypesKeepsKeys(t *testing.T) {
	db := newSQLite(t)
	secretRows(t, db, "a", "b", "c")
	mine := keyed(db, cursorKey(t, 1))
	require.Same(t, mine.Dialect(), models.WithFieldTypes(mine.Dialect()))
	cursor := nextOf(t, mine, "")
	other := bun.NewDB(db.DB, models.WithFieldTypes(mine.Dialect(), models.CursorKeys(cursorKey(t, 2))))
	_, err := secretPage(t, other, cursor)
	require.ErrorContains(t, err, "sealed with a key")
	_, err = secretPage(t, mine, cursor)
	require.NoError(t, err, "the first one is as it was")
	none := bun.NewDB(db.DB, models.WithFieldTypes(mine.Dialect(), models.CursorKeys()))
	_, err = secretPage(t, none, nextOf(t, db, ""))
	require.NoError(t, err, "no keys are the process's own")
}

const otherProcess = "BINDERY_TEST_CURSOR_DB"

// TestCursorOfAnotherProcess lets another process make a cursor: without a key in common it is refused, and the error says what to do.
func TestCursorOfAnotherProcess(t *testing.T) {
	if file := os.Getenv(otherProcess); file != "" {
		db := openOwn(t, file)
		fmt.Printf("cursors %s %s\n", nextOf(t, db, ""), nextOf(t, keyed(db, cursorKey(t, 7)), ""))
		return
	}
	file := filepath.Join(t.TempDir(), "own.db")
	db := openOwn(t, file)
	secretRows(t, db, "a", "b", "c")
	_, err := secretPage(t, db, nextOf(t, bun.NewDB(db.DB, newDialect(db)), ""))
	require.NoError(t, err, "all databases of a process have its key")

	other := osexec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCursorOfAnotherProcess$")
	other.Env = append(os.Environ(), otherProcess+"="+file)
	out, err := other.CombinedOutput()
	require.NoError(t, err, "%s", out)
	var own, common string
	_, line, _ := strings.Cut(string(out), "cursors ")
	_, err = fmt.Sscan(line, &own, &common)
	require.NoError(t, err)

	_, err = secretPage(t, db, own)
	var refused *models.CursorError
	require.ErrorAs(t, err, &refused)
	require.EqualError(t, err, "models: cursor: changed, or made by another process or before a restart: begin at the first page. "+
		"For cursors that last, give all processes the same cursor_keys in the configuration")
	page, err := secretPage(t, keyed(db, cursorKey(t, 7)), common)
	require.NoError(t, err)
	require.Equal(t, "name 1", page.Items[0].Name)
}

func TestNewCursorKey(t *testing.T) {
	_, err := models.NewCursorKey([]byte("short"))
	require.ErrorIs(t, err, models.ErrBadKey)
	require.EqualError(t, err, "models: bad key: a cursor key has 5 bytes: give 32 random ones")
	_, err = models.NewCursorKey(make([]byte, 32))
	require.EqualError(t, err, "models: bad key: a cursor key is all zeros: give 32 random bytes")
	for _, text := range []string{"no base64!", "c2hvcnQ=", "", strings.Repeat("A", 1000)} {
		_, err := models.ParseCursorKey(text)
		require.ErrorIs(t, err, models.ErrBadKey)
		if text != "" {
			require.NotContains(t, err.Error(), text)
		}
	}
	_, err = models.ParseCursorKey(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{3}, 32)) + "\n")
	require.NoError(t, err)
}

// TestCursorKeyIsShownNowhere prints a key in all ways.
func TestCursorKeyIsShownNowhere(t *testing.T) {
	key := cursorKey(t, 'k')
	type holder struct {
		Key models.CursorKey
		key models.CursorKey
	}
	for _, v := range []any{key, &key, []models.CursorKey{key}, holder{key, key}, &holder{key, key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown := fmt.Sprintf(verb, v)
			require.NotContains(t, shown, "kkkk")
			require.NotContains(t, shown, "6b6b")
			require.NotContains(t, shown, "107 107")
		}
		shown, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(shown), "kkkk")
		require.Contains(t, string(shown), "[cursor key withheld]")
	}
	require.Empty(t, models.CursorKey{}.String())
	require.True(t, models.CursorKey{}.IsZero())
	require.False(t, key.IsZero())
	require.Equal(t, "[cursor key withheld]", key.LogValue().String())
}

func openOwn(t *testing.T, file string) *bun.DB {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+filepath.ToSlash(file))
	require.NoError(t, err)
	db := bun.NewDB(pool, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// TestCursorIsNoOtherText gives what the cursors' own key has sealed for something else, as a session's cookie.
func TestCursorIsNoOtherText(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, models.KeySize)
	key, err := models.NewCursorKey(secret)
	require.NoError(t, err)
	sealing, err := seal.NewKey(secret)
	require.NoError(t, err)
	plain := newSQLite(t)
	db := bun.NewDB(plain.DB, models.WithFieldTypes(sqlitedialect.New(), models.CursorKeys(key)))
	secretRows(t, db, "a", "b", "c")
	next := nextOf(t, db, "")
	data, err := base64.RawURLEncoding.DecodeString(next)
	require.NoError(t, err)
	about := append([]byte("bindery cursor "), data[0])
	inside, err := seal.Ring{sealing}.Open(data[1:], about)
	require.NoError(t, err)
	again := func(about []byte) error {
		sealed := seal.Ring{sealing}.Seal([]byte{data[0]}, inside, about)
		_, err := secretPage(t, db, base64.RawURLEncoding.EncodeToString(sealed))
		return err
	}
	require.NoError(t, again(about))
	for _, other := range [][]byte{nil, []byte("bindery session"), append([]byte("bindery cursor "), data[0]-1)} {
		var refused *models.CursorError
		require.ErrorAs(t, again(other), &refused, "%q", other)
	}
}

// tenantRow is in the place of a model's table, one for each tenant.
type tenantRow struct {
	bun.BaseModel `bun:"table:tenant_none,alias:tt"`

	ID  int64 `bun:",pk"`
	Pay int64
}

// TestCursorsOfTables sees that a cursor is good for the table that it was made of and no other, however the query names it.
func TestCursorsOfTables(t *testing.T) {
	db := newSQLite(t)
	tables := []string{"tenant_a", "tenant_b"}
	for _, table := range tables {
		_, err := db.NewCreateTable().Model((*tenantRow)(nil)).ModelTableExpr("?", bun.Ident(table)).Exec(t.Context())
		require.NoError(t, err)
		_, err = db.NewInsert().Model(&[]tenantRow{{ID: 1, Pay: 100}, {ID: 2, Pay: 200}, {ID: 3, Pay: 300}}).ModelTableExpr("?", bun.Ident(table)).Exec(t.Context())
		require.NoError(t, err)
	}
	type namedTable struct {
		bun.BaseModel `bun:"select:?tenant,table:tenant_none,alias:tt"`

		ID  int64 `bun:",pk"`
		Pay int64
	}
	for name, fetch := range map[string]func(table, cursor string) (string, error){
		"an argument": func(table, cursor string) (string, error) {
			return nextIn[tenantRow](t, db.NewSelect().ModelTableExpr("? AS ?TableAlias", bun.Ident(table)), cursor)
		},
		"text": func(table, cursor string) (string, error) {
			return nextIn[tenantRow](t, db.NewSelect().ModelTableExpr(table+" AS tt"), cursor)
		},
		"no table of the model's": func(table, cursor string) (string, error) {
			return nextIn[tenantRow](t, db.NewSelect().ModelTableExpr("").TableExpr("? AS tt", bun.Ident(table)), cursor)
		},
		"an argument of the DB": func(table, cursor string) (string, error) {
			return nextIn[namedTable](t, db.WithNamedArg("tenant", bun.Ident(table)).NewSelect(), cursor)
		},
	} {
		for i, table := range tables {
			cursor, err := fetch(table, "")
			require.NoError(t, err, name)
			require.NotEmpty(t, cursor, name)
			_, err = fetch(table, cursor)
			require.NoError(t, err, name)
			_, err = fetch(tables[1-i], cursor)
			var refused *models.CursorError
			require.ErrorAs(t, err, &refused, name)
		}
	}

	q := func() *bun.SelectQuery { return db.NewSelect().ModelTableExpr("tenant_a AS tt") }
	plain, err := nextIn[tenantRow](t, q(), "")
	require.NoError(t, err)
	scoped, err := nextIn[tenantRow](t, q(), "", models.CursorScope("7"))
	require.NoError(t, err)
	for _, row := range []struct {
		cursor, scope string
		good          bool
	}{{scoped, "7", true}, {scoped, "8", false}, {scoped, "7 ", false}, {scoped, "", false}, {plain, "7", false}, {plain, "", true}} {
		var opts []models.PageOption
		if row.scope != "" {
			opts = append(opts, models.CursorScope(row.scope))
		}
		_, err := nextIn[tenantRow](t, q(), row.cursor, opts...)
		require.Equal(t, row.good, err == nil, "%v: %v", row, err)
	}
	_, err = nextIn[tenantRow](t, q(), "", models.CursorScope(""))
	require.EqualError(t, err, "models: page: CursorScope: an empty text: leave it out to have cursors without a scope")
}

func nextIn[T any](t *testing.T, q *bun.SelectQuery, cursor string, opts ...models.PageOption) (string, error) {
	page, err := models.FetchPage[T](t.Context(), q, models.Order{models.Asc("pay")}, models.After(cursor), 1, opts...)
	return page.Next, err
}

// TestCursorKeyEqual compares secrets, and refuses one that is there twice.
func TestCursorKeyEqual(t *testing.T) {
	key := func(b byte) models.CursorKey {
		k, err := models.NewCursorKey(bytes.Repeat([]byte{b}, models.KeySize))
		require.NoError(t, err)
		return k
	}
	require.True(t, key(1).Equal(key(1)))
	require.False(t, key(1).Equal(key(2)))
	require.False(t, key(1).Equal(models.CursorKey{}))
	require.False(t, models.CursorKey{}.Equal(key(1)))
	require.True(t, models.CursorKey{}.Equal(models.CursorKey{}))

	db := bun.NewDB(newSQLite(t).DB, models.WithFieldTypes(sqlitedialect.New(), models.CursorKeys(key(1), key(2), key(1))))
	_, err := nextIn[tenantRow](t, db.NewSelect(), "")
	require.ErrorIs(t, err, models.ErrBadKey)
	require.ErrorContains(t, err, "cursor keys 1 and 3 are the same")
}
