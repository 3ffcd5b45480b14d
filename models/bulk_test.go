package models_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/models"
)

type product struct {
	bun.BaseModel `bun:"table:bulk_products"`

	ID    int64  `bun:",pk,autoincrement"`
	Code  string `bun:",unique,notnull"`
	Name  string `bun:"type:text"`
	Price int64
	State string `bun:",notnull,nullzero,default:'new'"`
}

func products(from, to int) []product {
	rows := make([]product, 0, to-from)
	for i := from; i < to; i++ {
		rows = append(rows, product{Code: fmt.Sprintf("c%05d", i), Name: "it's \\ ünïcode?", Price: int64(i)})
	}
	return rows
}

func pointers[T any](rows []T) []*T {
	list := make([]*T, len(rows))
	for i := range rows {
		list[i] = &rows[i]
	}
	return list
}

func productsByCode(t *testing.T, db bun.IDB) map[string]product {
	t.Helper()
	var rows []product
	require.NoError(t, db.NewSelect().Model(&rows).Scan(t.Context()))
	byCode := map[string]product{}
	for _, row := range rows {
		byCode[row.Code] = row
	}
	return byCode
}

// comeBack reports whether the database returns what it fills in. MySQL has no RETURNING.
func comeBack(db bun.IDB) bool {
	return db.Dialect().Features()&(feature.Returning|feature.InsertReturning) != 0
}

// told is what BulkInsert makes of a row that was given, when the table holds it as stored.
func told(db bun.IDB, given, stored product) product {
	if comeBack(db) {
		return stored
	}
	return given
}

// empty removes the rows: an eachIDB test starts anew in each of its ways.
func empty(t *testing.T, db bun.IDB, model any) {
	t.Helper()
	_, err := db.NewDelete().Model(model).Where("1 = 1").Exec(t.Context())
	require.NoError(t, err)
}

func TestBulkInsert(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*product)(nil))
		eachIDB(t, db, func(t *testing.T, db bun.IDB) {
			empty(t, db, (*product)(nil))
			rows := products(0, 25)
			var steps []int
			done, err := models.BulkInsert(t.Context(), db, rows, models.BatchRows(10),
				models.Progress(func(r models.BulkResult) { steps = append(steps, r.Rows) }))
			require.NoError(t, err)
			assert.Equal(t, models.BulkResult{Rows: 25, Batches: 3, Affected: 25}, done)
			assert.Equal(t, []int{10, 20, 25}, steps)
			got := productsByCode(t, db)
			require.Len(t, got, 25)
			for i, given := range products(0, 25) {
				stored := got[given.Code]
				assert.Equal(t, told(db, given, stored), rows[i], "the rows hold what the database filled in, keys and defaults")
				assert.NotZero(t, stored.ID)
				given.ID, given.State = stored.ID, "new"
				assert.Equal(t, given, stored)
			}

			more := pointers(products(25, 32))
			done, err = models.BulkInsertSeq(t.Context(), db, slices.Values(more), models.BatchRows(3))
			require.NoError(t, err)
			assert.Equal(t, models.BulkResult{Rows: 7, Batches: 3, Affected: 7}, done)
			got = productsByCode(t, db)
			for i, given := range products(25, 32) {
				assert.Equal(t, told(db, given, got[given.Code]), *more[i])
			}

			done, err = models.BulkInsert(t.Context(), db, []product(nil))
			require.NoError(t, err)
			assert.Zero(t, done, "no rows, no statement")
		})
	})
}

// TestBulkInsertMixedRows has rows that leave different columns to the database: Bun, alone, drops
// values on SQLite then.
func TestBulkInsertMixedRows(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*product)(nil))
		given := []product{{Code: "a"}, {ID: 70, Code: "b", State: "old"}, {Code: "c"}}
		rows := pointers(slices.Clone(given))
		_, err := models.BulkInsert(t.Context(), db, rows)
		require.NoError(t, err)
		got := productsByCode(t, db)
		for i, row := range rows {
			assert.Equal(t, told(db, given[i], got[row.Code]), *row)
		}
		assert.Equal(t, "new", got["a"].State)
		assert.Equal(t, int64(70), got["b"].ID)
		assert.Equal(t, "old", got["b"].State)

		own := []product{{ID: 100, Code: "d", State: "x"}, {ID: 200, Code: "e", State: "x"}}
		_, err = models.BulkInsert(t.Context(), db, own)
		require.NoError(t, err)
		assert.Equal(t, []int64{100, 200}, []int64{own[0].ID, own[1].ID}, "Bun, alone, numbers these anew on MariaDB")
	})
}

func TestBulkInsertBytes(t *testing.T) {
	const bound = 4000
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*product)(nil), (*bulkDocument)(nil))
		longest := new(longestInsert)
		db = db.WithQueryHook(longest)
		var rows []product
		for i, n := range []int{10, 900, 900, 900, 5, 6000, 5, 1990, 1990} {
			rows = append(rows, product{Code: fmt.Sprint(i), Name: strings.Repeat(`'`, n/2) + strings.Repeat(`\`, n/2)})
		}
		done, err := models.BulkInsert(t.Context(), db, rows, models.BatchBytes(bound), models.BatchRows(3))
		require.NoError(t, err)
		assert.Equal(t, 9, done.Rows)
		assert.Len(t, productsByCode(t, db), 9)
		assert.LessOrEqual(t, longest.many, bound+200, "the values keep to the bound; the names of the columns come on top")
		assert.Greater(t, longest.alone, 6000, "a row too large for any batch goes alone")

		*longest = longestInsert{}
		docs := make([]bulkDocument, 40)
		for i := range docs {
			docs[i] = bulkDocument{Tags: map[string]string{"key": strings.Repeat("é", 200)}, Ratio: 1e-300}
		}
		done, err = models.BulkInsertSeq(t.Context(), db, slices.Values(docs), models.BatchBytes(bound))
		require.NoError(t, err)
		assert.Greater(t, done.Batches, 4)
		assert.Less(t, done.Batches, 12, "a bound is used, not feared")
		assert.LessOrEqual(t, longest.many, bound+200)

		done, err = models.BulkInsert(t.Context(), db, docs, models.BatchBytes(-1))
		require.NoError(t, err)
		assert.Equal(t, 1, done.Batches)
	})
}

// bulkDocument has values of which only Bun knows how long they become.
type bulkDocument struct {
	bun.BaseModel `bun:"table:bulk_documents"`

	ID    int64 `bun:",pk,autoincrement"` // Group Replication takes no table without a key
	Tags  map[string]string
	Ratio float64 `bun:"type:double precision"`
	Raw   []byte
	Note  *string
}

// longestInsert notes the longest INSERT of one row and of several.
type longestInsert struct{ alone, many int }

func (l *longestInsert) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	return ctx
}

func (l *longestInsert) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	switch {
	case !strings.HasPrefix(e.Query, "INSERT"):
	case strings.Contains(e.Query, "), ("):
		l.many = max(l.many, len(e.Query))
	default:
		l.alone = max(l.alone, len(e.Query))
	}
}

func TestBulkInsertFails(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*product)(nil))
		rows := products(0, 25)
		rows[13].Code = rows[2].Code
		eachIDB(t, db, func(t *testing.T, db bun.IDB) {
			t.Run("one transaction", func(t *testing.T) {
				empty(t, db, (*product)(nil))
				done, err := models.BulkInsert(t.Context(), db, slices.Clone(rows), models.BatchRows(10))
				var failed *models.BulkError
				require.ErrorAs(t, err, &failed)
				assert.Equal(t, models.BulkError{From: 10, To: 20, Err: failed.Err}, *failed)
				assert.NotNil(t, errors.Unwrap(failed))
				assert.Zero(t, done)
				assert.Empty(t, productsByCode(t, db), "and a transaction around it is usable")
			})
			t.Run("each batch", func(t *testing.T) {
				empty(t, db, (*product)(nil))
				done, err := models.BulkInsert(t.Context(), db, slices.Clone(rows), models.BatchRows(10), models.CommitEachBatch())
				var failed *models.BulkError
				require.ErrorAs(t, err, &failed)
				assert.Equal(t, models.BulkError{From: 10, To: 20, Kept: 10, Err: failed.Err}, *failed)
				assert.Equal(t, models.BulkResult{Rows: 10, Batches: 1, Affected: 10}, done)
				assert.Len(t, productsByCode(t, db), 10)
			})
		})
	})
}

func TestBulkInsertIgnore(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*product)(nil), (*strict)(nil))
		eachIDB(t, db, func(t *testing.T, db bun.IDB) {
			for _, each := range [][]models.BulkOption{nil, {models.CommitEachBatch()}} {
				empty(t, db, (*product)(nil))
				_, err := models.BulkInsert(t.Context(), db, []product{{Code: "c00003", Name: "first"}, {Code: "c00012", Name: "first"}})
				require.NoError(t, err)
				rows := products(0, 25)
				rows[24].Code = rows[23].Code
				done, err := models.BulkInsert(t.Context(), db, rows, append(each, models.BatchRows(10), models.IgnoreConflicts("code"))...)
				require.NoError(t, err)
				assert.Equal(t, models.BulkResult{Rows: 25, Batches: 3, Ignored: 3, Affected: 22}, done)
				got := productsByCode(t, db)
				assert.Len(t, got, 24)
				assert.Equal(t, "first", got["c00003"].Name)
				for _, row := range rows {
					assert.Zero(t, row.ID, "no row gets the key of another one")
				}
			}
		})
		t.Run("other errors", func(t *testing.T) {
			_, err := models.BulkInsert(t.Context(), db, []strict{{ID: 1, Amount: 1}}, models.IgnoreConflicts())
			require.NoError(t, err)
			_, err = models.BulkInsert(t.Context(), db, []strict{{ID: 2, Amount: -1}}, models.IgnoreConflicts())
			require.Error(t, err, "a broken CHECK is no duplicate")
			_, err = models.BulkInsert(t.Context(), db, []strict{{ID: 3, Amount: 1, Parent: 99}}, models.IgnoreConflicts())
			require.Error(t, err, "nor is a foreign key that points nowhere")
		})
	})
}

// TestBulkInsertIgnoreTouchesNothing has a model in which most columns cannot be assigned to themselves, or
// not without a change.
func TestBulkInsertIgnoreTouchesNothing(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		if db.Dialect().Name() != dialect.MySQL {
			return // DO NOTHING assigns nothing
		}
		createTables(t, db, (*touchy)(nil), (*onlyKey)(nil))
		first := touchy{Doc: json.RawMessage(`{"b":[1,2]}`), At: time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), Code: "a"}
		for _, opt := range []models.BulkOption{models.IgnoreConflicts(), models.IgnoreConflicts("code")} {
			_, err := db.NewDelete().Model((*touchy)(nil)).Where("1 = 1").Exec(t.Context())
			require.NoError(t, err)
			_, err = db.NewInsert().Model(&first).ExcludeColumn("id", "twice").Returning("").Exec(t.Context())
			require.NoError(t, err)
			var before, after touchy
			require.NoError(t, db.NewSelect().Model(&before).Scan(t.Context()))
			for range 2 {
				rows := []touchy{{Doc: json.RawMessage("1"), At: first.At, Code: "a"}, {Doc: json.RawMessage("2"), At: first.At, Code: "a"}}
				done, err := models.BulkInsert(t.Context(), db, rows, opt)
				require.NoError(t, err)
				assert.Equal(t, models.BulkResult{Rows: 2, Batches: 1, Ignored: 2}, done)
			}
			require.NoError(t, db.NewSelect().Model(&after).Scan(t.Context()))
			assert.Equal(t, before, after)
			assert.JSONEq(t, string(first.Doc), string(after.Doc))
			assert.Equal(t, int64(2), after.Twice)
		}

		done, err := models.BulkInsert(t.Context(), db, []onlyKey{{5}, {5}, {6}}, models.IgnoreConflicts())
		require.NoError(t, err)
		assert.Equal(t, models.BulkResult{Rows: 3, Batches: 1, Ignored: 1, Affected: 2}, done)
	})
}

type touchy struct {
	bun.BaseModel `bun:"table:bulk_touchy"`

	ID    int64           `bun:",pk,autoincrement"`
	Doc   json.RawMessage `bun:"type:json"`
	At    time.Time       `bun:"type:timestamp"`
	Twice int64           `bun:"type:bigint GENERATED ALWAYS AS (2) STORED,nullzero"`
	Code  string          `bun:",unique"`
}

type onlyKey struct {
	ID int64 `bun:",pk,autoincrement"`
}

// strict has constraints that INSERT IGNORE would swallow.
type strict struct {
	bun.BaseModel `bun:"table:bulk_stricts"`

	ID     int64 `bun:",pk"`
	Amount int64 `bun:",notnull"`
	Parent int64 `bun:",nullzero"`
}

func (*strict) BeforeCreateTable(_ context.Context, q *bun.CreateTableQuery) error {
	q.ColumnExpr("CHECK (amount >= 0)").ForeignKey(`(parent) REFERENCES bulk_stricts (id)`)
	return nil
}

func TestBulkInsertReplace(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*product)(nil))
		eachIDB(t, db, func(t *testing.T, db bun.IDB) {
			empty(t, db, (*product)(nil))
			old := []product{{Code: "c00003", Name: "first", State: "old"}, {Code: "c00012", Name: "first"}}
			_, err := models.BulkInsert(t.Context(), db, old)
			require.NoError(t, err)
			before := productsByCode(t, db)
			rows := products(0, 25)
			done, err := models.BulkInsert(t.Context(), db, rows, models.BatchRows(10),
				models.ReplaceOnConflict([]string{"code"}, "name", "price"))
			require.NoError(t, err)
			affected := int64(25)
			if !comeBack(db) {
				affected += 2 // MySQL counts a row that it changes twice
			}
			assert.Equal(t, models.BulkResult{Rows: 25, Batches: 3, Affected: affected}, done)
			got := productsByCode(t, db)
			require.Len(t, got, 25)
			for i, given := range products(0, 25) {
				stored := got[given.Code]
				assert.Equal(t, told(db, given, stored).ID, rows[i].ID, "the key that the row has, new or not")
				assert.Equal(t, given.Price, stored.Price)
			}
			assert.Equal(t, before["c00003"].ID, got["c00003"].ID)
			assert.Equal(t, "old", got["c00003"].State, "not chosen")
			assert.Equal(t, rows[3].Name, got["c00003"].Name)
		})
	})
}

func TestBulkInsertRefuses(t *testing.T) {
	db := databases[0].get(t)
	insert := func(opts ...models.BulkOption) error {
		_, err := models.BulkInsert(t.Context(), db, []product{{}}, opts...)
		return err
	}
	for reason, row := range map[string]struct {
		err  error
		want string
	}{
		"no rows a batch":      {insert(models.BatchRows(0)), "models: bulk insert of models_test.product: a batch cannot have 0 rows"},
		"no bytes a batch":     {insert(models.BatchBytes(0)), "a batch cannot have 0 bytes"},
		"nothing to replace":   {insert(models.ReplaceOnConflict(nil)), "no column to replace"},
		"unknown column":       {insert(models.ReplaceOnConflict(nil, "nmae")), `models: models_test.product has no column "nmae"`},
		"unknown key":          {insert(models.IgnoreConflicts(`code") DO NOTHING --`)), `no column "code\") DO NOTHING --"`},
		"first of two reasons": {insert(models.BatchRows(-1), models.BatchBytes(0)), "-1 rows"},
	} {
		require.ErrorContains(t, row.err, row.want, reason)
	}
	_, err := models.BulkInsert(t.Context(), db, []int{1})
	require.ErrorContains(t, err, "models: bulk insert of int: a row must be a struct or a pointer to one")
	createTables(t, db, (*product)(nil))
	_, err = models.BulkInsert(t.Context(), db, []*product{{Code: "x"}, nil})
	require.EqualError(t, err, "models: bulk insert rows [1:2] (0 kept before them): the row is nil")
	_, err = models.BulkInsert(t.Context(), db, []*product{{Code: "x"}, nil}, models.BatchBytes(-1), models.BatchRows(1), models.CommitEachBatch())
	require.EqualError(t, err, "models: bulk insert rows [1:2] (1 kept before them): the row is nil")
}

// TestBulkInsertHooks sees that Bun's hooks and the model's run for every row and batch.
func TestBulkInsertHooks(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*hooked)(nil))
		rows := []hooked{{}, {}, {}}
		_, err := models.BulkInsert(t.Context(), db, rows, models.BatchRows(2))
		require.NoError(t, err)
		n, err := db.NewSelect().Model((*hooked)(nil)).Where("name = ?", "set by the hook").Count(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 3, n)

		refused := []hooked{{Name: "refuse"}}
		_, err = models.BulkInsert(t.Context(), db, refused)
		require.ErrorIs(t, err, errBulkRefused)
	})
}

var errBulkRefused = errors.New("refused by the hook")

type hooked struct {
	bun.BaseModel `bun:"table:bulk_hooked"`

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

func (h *hooked) BeforeAppendModel(context.Context, bun.Query) error {
	if h.Name == "refuse" {
		return errBulkRefused
	}
	h.Name = "set by the hook"
	return nil
}

// TestBulkInsertWithoutReturning has MySQL, and MariaDB as it was before 10.5, by a dialect that does
// not know of its RETURNING.
func TestBulkInsertWithoutReturning(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		if db.Dialect().Name() != dialect.MySQL {
			return // the others always have it
		}
		createTables(t, db, (*product)(nil))
		db = bun.NewDB(db.DB, mysqlWithoutReturning{db.Dialect()})
		rows := []product{{Code: "a"}, {ID: 50, Code: "b"}, {Code: "c"}}
		done, err := models.BulkInsert(t.Context(), db, rows)
		require.NoError(t, err)
		assert.Equal(t, models.BulkResult{Rows: 3, Batches: 1, Affected: 3}, done)
		assert.Equal(t, []int64{0, 50, 0}, []int64{rows[0].ID, rows[1].ID, rows[2].ID}, "no guesses")
		assert.Equal(t, int64(50), productsByCode(t, db)["b"].ID)

		done, err = models.BulkInsert(t.Context(), db, []product{{Code: "a"}, {Code: "b", Name: "x"}, {Code: "d"}},
			models.ReplaceOnConflict([]string{"code"}, "name"))
		require.NoError(t, err)
		assert.EqualValues(t, 0+2+1, done.Affected, "MySQL's way of counting")
	})
}

type mysqlWithoutReturning struct{ schema.Dialect }

func (d mysqlWithoutReturning) Features() feature.Feature {
	return d.Dialect.Features().Remove(feature.InsertReturning)
}

func (mysqlWithoutReturning) Init(*sql.DB) {}
