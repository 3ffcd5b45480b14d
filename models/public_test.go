package models_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

// TestPublicTexts tells whoever sent a request what is wrong with it, and nothing of the program.
func TestPublicTexts(t *testing.T) {
	db := newSQLite(t)
	long := strings.Repeat("n", models.MaxNameLength+1)
	filter := func(values map[string]any, columns ...string) error {
		return db.NewSelect().Model((*filterPost)(nil)).ApplyQueryBuilder(models.Where(models.Filter(values, columns...))).Scan(t.Context())
	}
	fromMap := func(values map[string]any, columns ...string) error {
		return models.FromMap(values, &mapped{}, columns...)
	}
	order := func(text string, columns ...string) error { _, err := models.ParseOrder(text, columns...); return err }
	page := func(size int) error {
		_, err := models.FetchPage[filterPost](t.Context(), db.NewSelect(), models.Order{models.Asc("id")}, models.After(""), size)
		return err
	}
	numbered := func(number int) error {
		_, err := models.Paginate[filterPost](t.Context(), db.NewSelect(), models.Order{models.Asc("id")}, number, 10)
		return err
	}
	many := map[string]any{}
	for i := range models.MaxKeys + 1 {
		many[fmt.Sprint("k", i)] = i
	}
	dozen := map[string]any{}
	for i := range 12 {
		dozen[fmt.Sprintf("k%02d", i)] = i
	}
	for name, test := range map[string]struct {
		err       error
		want, log string
	}{
		"a filter without a list": {filter(map[string]any{"id": 1}), `"id": unknown, or not allowed here`, "since the call lists none"},
		"a map without a list":    {fromMap(map[string]any{"no": 1}), `"no": unknown, or not allowed here`, "since the call lists none"},
		"an order without a list": {order("id"), `"id": unknown, or not allowed here`, "since the call lists none"},
		"a filter's name":         {filter(map[string]any{"pasword": 1}, "id", "title"), `"pasword": unknown, or not allowed here`, "it has id, title"},
		"a map's name":            {fromMap(map[string]any{"tenant": "x"}, "no", "label"), `"tenant": unknown, or not allowed here`, "it has no, label"},
		"an order's name":         {order("-pasword", "id", "title"), `"pasword": unknown, or not allowed here`, "there are id, title"},
		"a list's own mistake":    {fromMap(map[string]any{"nmae": "x"}, "nmae"), `"nmae": unknown, or not allowed here`, "it has created_at"},
		"a filter's value":        {filter(map[string]any{"id": "x"}, "id"), `"id": not a number of this column's kind`, "filterPost"},
		"a value's type":          {filter(map[string]any{"id": true}, "id"), `"id": not a value of kind integer`, "bool is no value"},
		"an enum's value":         {filter(map[string]any{"status": "closed"}, "status"), `"status": none of its values`, "draft"},
		"a date":                  {filter(map[string]any{"published": "soon"}, "published"), `"published": no date: say "2024-01-31" or "2024-01-31T15:04:05Z"`, "filterPost"},
		"a map's value":           {fromMap(map[string]any{"no": 1.5}, "no"), `"no": the number does not fit without loss`, "float64 into int64"},
		"several":                 {filter(map[string]any{"id": "x", "x": 1}, "id"), `"id": not a number of this column's kind; "x": unknown, or not allowed here`, "filterPost"},
		"a filter's long name":    {filter(map[string]any{long: 1}, long), `"` + long[:64] + `…": 256 bytes in a name: at most 255 are taken`, "filterPost"},
		"a map's long name":       {fromMap(map[string]any{long: 1}, long), "256 bytes in a name: at most 255 are taken", "mapped"},
		"an order's long name":    {order(long, long), `"` + long[:64] + `…": 256 bytes in a name: at most 255 are taken`, "order by"},
		"an order's long text":    {order(long+long, long), "512 bytes for a column in an order: at most 270 are taken", "order"},
		"a filter's keys":         {filter(many, "k1"), "257 keys: at most 256 are taken", "filterPost"},
		"a map's keys":            {fromMap(many, "k1"), "257 keys: at most 256 are taken", "mapped"},
		"a filter's list":         {filter(map[string]any{"id": make([]int, models.MaxListValues+1)}, "id"), `"id": 1001 values in a list: at most 1000 are taken`, "filterPost"},
		"an order's columns":      {order(strings.Repeat("a,", models.MaxOrderTerms)+"a", "a"), "17 columns in an order: at most 16 are taken", "order"},
		"a page's size":           {page(5000), "size 5000: at least 1, and at most 1000", "models: page"},
		"a page's number":         {numbered(-1), "number -1 of 10 rows each: from 1 up to the one behind 1000000 rows", "models: page"},
		"a dozen mistakes":        {filter(dozen), "", "and 2 more mistakes"},
	} {
		text, ok := models.PublicText(test.err)
		require.True(t, ok, name)
		if test.want != "" {
			require.Equal(t, test.want, text, name)
		}
		require.ErrorContains(t, test.err, test.log, name)
		for _, private := range []string{"models_test", "models:", "int64", "author_id", "created_at"} {
			require.NotContains(t, text, private, name)
		}
		wrapped, ok := models.PublicText(fmt.Errorf("list posts: %w", test.err))
		require.True(t, ok, name)
		require.Equal(t, text, wrapped, name)
	}
	for name, err := range programsMistakes(t, db) {
		require.Error(t, err, name)
		text, ok := models.PublicText(err)
		require.False(t, ok, "%s: %s", name, text)
		require.Empty(t, text, name)
	}
	for v, want := range map[any]string{"x": "not a number of this column's kind", true: "not a value of kind integer"} {
		err := db.NewSelect().Model((*filterPost)(nil)).ApplyQueryBuilder(models.Where(models.Eq("id", v))).Scan(t.Context())
		text, ok := models.PublicText(err)
		require.True(t, ok)
		require.Equal(t, want, text, "the program's column has no name for others")
	}
	for _, err := range []error{nil, errors.New("dial tcp db1:5432"), &models.StaleError{}} {
		text, ok := models.PublicText(err)
		require.False(t, ok)
		require.Empty(t, text)
	}
	_, err := models.FetchPage[filterPost](t.Context(), db.NewSelect(), models.Order{models.Asc("id")}, models.After("x"), 5)
	text, _ := models.PublicText(err)
	require.Equal(t, "a cursor that cannot be used: begin at the first page", text)

	require.NoError(t, order(strings.Repeat("a,", models.MaxOrderTerms-1)+"a", "a"))
	require.NoError(t, order("", "a"))
	require.NoError(t, fromMap(nil))
}

// hiddenKey has a column that is NULL though its field says otherwise.
type hiddenKey struct {
	bun.BaseModel `bun:"table:hidden_keys,alias:hk"`

	ID     int64 `bun:",pk"`
	Hidden int64 `bun:",notnull"`
}

// badRow cannot be read from what its table has.
type badRow struct {
	bun.BaseModel `bun:"table:bad_rows,alias:br"`

	ID     int64 `bun:",pk"`
	Doc    models.JSON[int]
	Small  models.JSON[small]
	Status models.Enum[filterStatus]
}

// programsMistakes are errors that no request caused.
func programsMistakes(t *testing.T, db *bun.DB) map[string]error {
	t.Helper()
	for _, statement := range []string{"CREATE TABLE hidden_keys (id INTEGER, hidden INTEGER)", "INSERT INTO hidden_keys VALUES (1, NULL), (2, 2)",
		"CREATE TABLE bad_rows (id INTEGER, doc TEXT, small TEXT, status TEXT)",
		`INSERT INTO bad_rows VALUES (1, 'no JSON', '{"a":"01234567890123456789"}', 'closed')`} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	posts := func() *bun.SelectQuery { return db.NewSelect().Model((*filterPost)(nil)) }
	page := func(keys ...models.SortKey) error {
		_, err := models.FetchPage[filterPost](t.Context(), db.NewSelect(), keys, models.Position{}, 5)
		return err
	}
	_, null := models.FetchPage[hiddenKey](t.Context(), db.NewSelect(), models.Order{models.Asc("hidden")}, models.Position{}, 5)
	var refused *models.PageError
	require.ErrorAs(t, null, &refused)
	require.NotNil(t, refused.Model)
	read := func(column string) error { return db.NewSelect().Model(new(badRow)).Column(column).Scan(t.Context()) }
	_, toMap := models.ToMap(mapped{}, models.Columns("hiden"))
	_, bounds := models.FetchPage[filterPost](t.Context(), db.NewSelect(), nil, models.Position{}, 5, models.MaxPageSize(0))
	return map[string]error{
		"NULL in an order's column": null,
		"a condition's column":      posts().ApplyQueryBuilder(models.Where(models.Eq("hiden", 1))).Scan(t.Context()),
		"a map's column":            toMap,
		"an order's column":         posts().Apply(models.OrderBy(models.Asc("hiden"))).Scan(t.Context()),
		"a page's column":           page(models.Asc("hiden")),
		"a page's relation":         page(models.Asc("Rel.name")),
		"a bound":                   bounds,
		"JSON in a row":             read("doc"),
		"a large value in a row":    read("small"),
		"an enum's value in a row":  read("status"),
	}
}

// nullRow has columns whose Scan is that of database/sql.
type nullRow struct {
	bun.BaseModel `bun:"table:null_rows,alias:nr"`

	ID int64 `bun:",pk"`
	N  sql.NullInt64
	G  sql.Null[int64]
	W  wordy
}

// wordy tells at length what it does not take.
type wordy struct{}

func (w *wordy) Scan(any) error { return errors.New(strings.Repeat("no such thing; ", 1000)) }

// TestErrorsDoNotShowValues gives values that the Scan of another package refuses and quotes.
func TestErrorsDoNotShowValues(t *testing.T) {
	db := newSQLite(t)
	for _, v := range []any{"s3cret-value", []byte("s3cret-value"), "s3cret\"\n", strings.Repeat("s3cret", 1<<17), true, 3.25} {
		for _, column := range []string{"n", "g", "w"} {
			filtered := db.NewSelect().Model((*nullRow)(nil)).ApplyQueryBuilder(models.Where(models.Filter(map[string]any{column: v}, column))).Scan(t.Context())
			mapped := models.FromMap(map[string]any{column: v}, new(nullRow), column)
			for _, err := range []error{filtered, mapped} {
				if err == nil {
					continue // a bool is 1 to database/sql
				}
				require.NotContains(t, err.Error(), "s3cret")
				require.NotContains(t, err.Error(), "3.25")
				require.Less(t, len(err.Error()), 400)
				text, ok := models.PublicText(err)
				require.True(t, ok)
				require.NotContains(t, text, "s3cret")
				require.Less(t, len(text), 100)
			}
		}
	}
}

func ExamplePublicText() {
	var article Article
	err := models.FromMap(map[string]any{"id": 1, "titel": "Draft"}, &article, "title") // as a request sends it
	fmt.Println("log:", err)
	if text, ok := models.PublicText(err); ok {
		fmt.Println("400:", text)
	}
	// Output:
	// log: models: models_test.Article has no column "id": it has title
	// models: models_test.Article has no column "titel" (did you mean "title"?): it has title
	// 400: "id": unknown, or not allowed here; "titel": unknown, or not allowed here
}
