package models_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/models"
)

// point panics when it is read, as one that does not expect what the database has.
type point string

func (*point) Scan(src any) error { panic(src) }

func (p point) Value() (driver.Value, error) { return string(p), nil }

// badJSON panics when it is decoded, whatever decodes it.
type badJSON struct{ A string }

func (*badJSON) UnmarshalJSON(text []byte) error { panic(string(text)) }

// badGob panics as gob decodes it.
type badGob struct{ A string }

func (badGob) GobEncode() ([]byte, error)    { return []byte("s3cret"), nil }
func (*badGob) GobDecode(data []byte) error  { panic(string(data)) }
func (badGob) MarshalJSON() ([]byte, error)  { panic("s3cret") }
func (*badGob) UnmarshalJSON(_ []byte) error { panic("s3cret") }

// panicArg panics as an argument.
type panicArg string

func (p panicArg) Value() (driver.Value, error) { panic(p) }

// The types of basic kinds are read by kind, unless the field's tag has them decoded.
type (
	numberText  string
	numberBool  bool
	numberInt   int64
	numberBytes []byte
)

func (*numberText) UnmarshalJSON([]byte) error  { panic("s3cret") }
func (*numberBool) UnmarshalJSON([]byte) error  { panic("s3cret") }
func (*numberInt) UnmarshalJSON([]byte) error   { panic("s3cret") }
func (*numberBytes) UnmarshalJSON([]byte) error { panic("s3cret") }

type useNumberRow[T any] struct {
	bun.BaseModel `bun:"table:panic_rows,alias:pr"`

	ID   int64 `bun:",pk"`
	Data T     `bun:",json_use_number"`
}

// panicText has text in all its columns.
type panicText struct {
	bun.BaseModel `bun:"table:panic_rows,alias:pr"`

	ID   int64 `bun:",pk"`
	Body string
	Data models.LongText
	Raw  []byte
	Next int64
}

type scanRow struct {
	bun.BaseModel `bun:"table:panic_rows,alias:pr"`

	ID   int64 `bun:",pk"`
	Body point
	Next int64
	Rel  *scanRow `bun:"rel:belongs-to,join:next=id"`
}

type scanPtrRow struct {
	bun.BaseModel `bun:"table:panic_rows,alias:pr"`

	ID   int64 `bun:",pk"`
	Body *point
}

type scanEmbedded struct{ Body point }

type scanEmbedRow struct {
	bun.BaseModel `bun:"table:panic_rows,alias:pr"`

	ID int64 `bun:",pk"`
	scanEmbedded
}

type jsonStructRow struct {
	bun.BaseModel `bun:"table:panic_rows,alias:pr"`

	ID   int64   `bun:",pk"`
	Data badJSON // Bun's own way
}

type jsonRow struct {
	bun.BaseModel `bun:"table:panic_rows,alias:pr"`

	ID   int64 `bun:",pk"`
	Data models.JSON[badJSON]
}

type listRow struct {
	bun.BaseModel `bun:"table:panic_rows,alias:pr"`

	ID   int64                `bun:",pk"`
	Body models.List[badJSON] `bun:"body"`
}

type gobRow struct {
	bun.BaseModel `bun:"table:panic_rows,alias:pr"`

	ID  int64                      `bun:",pk"`
	Raw models.Serialized[*badGob] `bun:"raw"`
}

// within gives up on a call that hangs, so that a test says which.
func within(t *testing.T, call func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		require.Fail(t, "the call hangs")
		return nil
	}
}

// TestPanicInScan reads rows into types that panic: the query fails, and the pool of one connection has it back.
func TestPanicInScan(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*panicText)(nil))
		m := openManager(t, map[string]string{"main": databaseOf(db).uri})
		bind, err := m.Bind(binds.Key("main"))
		require.NoError(t, err)
		writer, reader := bind.Writer(), bind.Reader()
		writer.DB.SetMaxOpenConns(1)
		reader.DB.SetMaxOpenConns(1)
		raw, err := models.Serialized[*badGob]{V: &badGob{"s3cret"}}.Value()
		require.NoError(t, err)
		row := &panicText{ID: 1, Body: `[{"A":"s3cret"}]`, Data: `{"A":"s3cret"}`, Raw: raw.([]byte), Next: 1}
		exec(t, writer.NewInsert().Model(row))

		for name, test := range map[string]struct {
			read   func(ctx context.Context) error
			column string
			text   string
		}{
			"a model": {func(ctx context.Context) error { return m.NewSelect(&[]scanRow{}).Scan(ctx) }, "body",
				`panic in Scan of models_test.point for column "body" of models_test.scanRow: a `},
			"a model's pointer":  {func(ctx context.Context) error { return m.NewSelect(&scanPtrRow{}).Scan(ctx) }, "body", "*models_test.point"},
			"an embedded struct": {func(ctx context.Context) error { return m.NewSelect(&scanEmbedRow{}).Scan(ctx) }, "body", "models_test.point"},
			"a relation": {func(ctx context.Context) error {
				return m.NewSelect(&[]scanRow{}).Column("pr.id").Relation("Rel").Scan(ctx)
			}, "body", "models_test.point"},
			"the writer's pool": {func(ctx context.Context) error { return writer.NewSelect().Model(&[]scanRow{}).Scan(ctx) }, "body", "models_test.point"},
			"the reader's pool": {func(ctx context.Context) error { return reader.NewSelect().Model(&[]scanRow{}).Scan(ctx) }, "body", "models_test.point"},
			"a transaction": {func(ctx context.Context) error {
				return m.InTx(ctx, bind.Key(), func(ctx context.Context) error { return m.NewSelect(&[]scanRow{}).Scan(ctx) })
			}, "body", "models_test.point"},
			"Bun's transaction": {func(ctx context.Context) error {
				return writer.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { return tx.NewSelect().Model(&[]scanRow{}).Scan(ctx) })
			}, "body", "models_test.point"},
			"a struct's JSON": {func(ctx context.Context) error { return m.NewSelect(&[]jsonStructRow{}).Scan(ctx) }, "data", "models_test.badJSON"},
			"JSON":            {func(ctx context.Context) error { return m.NewSelect(&[]jsonRow{}).Scan(ctx) }, "data", "a decoding method of models_test.badJSON"},
			"a text's JSON": {func(ctx context.Context) error { return m.NewSelect(&[]useNumberRow[numberText]{}).Scan(ctx) },
				"data", "models_test.numberText"},
			"a pointer's JSON": {func(ctx context.Context) error { return m.NewSelect(&[]useNumberRow[*numberText]{}).Scan(ctx) },
				"data", "models_test.numberText"},
			"a flag's JSON": {func(ctx context.Context) error { return m.NewSelect(&[]useNumberRow[numberBool]{}).Scan(ctx) },
				"data", "models_test.numberBool"},
			"a number's JSON": {func(ctx context.Context) error { return m.NewSelect(&[]useNumberRow[numberInt]{}).Scan(ctx) },
				"data", "models_test.numberInt"},
			"bytes' JSON": {func(ctx context.Context) error { return m.NewSelect(&[]useNumberRow[numberBytes]{}).Scan(ctx) },
				"data", "models_test.numberBytes"},
			"a list": {func(ctx context.Context) error { return m.NewSelect(&[]listRow{}).Scan(ctx) }, "body", "a decoding method of []models_test.badJSON"},
			"gob":    {func(ctx context.Context) error { return m.NewSelect(&[]gobRow{}).Scan(ctx) }, "raw", "a decoding method of *models_test.badGob"},
			"JSON without a model": {func(ctx context.Context) error {
				var v models.JSON[badJSON]
				return writer.NewSelect().Table("panic_rows").Column("data").Scan(ctx, &v)
			}, "", "a decoding method of models_test.badJSON"},
			"gob by database/sql": {func(ctx context.Context) error {
				var v models.Serialized[*badGob]
				return writer.DB.QueryRowContext(ctx, "SELECT raw FROM panic_rows").Scan(&v)
			}, "", "a decoding method of *models_test.badGob"},
			"Recovered": {func(ctx context.Context) error {
				var v point
				return writer.NewSelect().Table("panic_rows").Column("body").Scan(ctx, models.Recovered(&v))
			}, "", "panic in Scan of *models_test.point"},
			"Recovered by database/sql": {func(ctx context.Context) error {
				var v badJSON
				return writer.DB.QueryRowContext(ctx, "SELECT data FROM panic_rows").Scan(models.Recovered(&v))
			}, "", "panic in Scan of *models_test.badJSON"},
			"a returned row": {func(ctx context.Context) error {
				if db.Dialect().Name().String() == "mysql" { // which has no RETURNING
					return m.NewSelect(&[]scanRow{}).Scan(ctx)
				}
				_, err := writer.NewUpdate().Model(&scanRow{ID: 1, Next: 1}).Column("next").WherePK().Returning("*").Exec(ctx)
				return err
			}, "body", "models_test.point"},
		} {
			err := within(t, func() error { return test.read(t.Context()) })
			var panicked *models.PanicError
			require.ErrorAs(t, err, &panicked, name)
			require.Equal(t, test.column, panicked.Column, name)
			require.ErrorContains(t, err, test.text, name)
			require.ErrorContains(t, err, "(panic_test.go:", name)
			require.NotContains(t, err.Error(), "s3cret", name)
			for _, pool := range []*bun.DB{writer, reader} {
				require.NoError(t, within(t, func() error { return pool.PingContext(t.Context()) }), name)
			}
		}
		var v point
		require.NoError(t, models.Recovered(new(int64)).Scan(int64(1)))
		require.Error(t, models.Recovered(v).Scan("x"))
		require.Error(t, models.Recovered(nil).Scan("x"))
		require.Error(t, models.Recovered((*int)(nil)).Scan("x"))
	})
}

// TestPanicInValue gives a pool of one connection an argument that panics.
func TestPanicInValue(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*panicText)(nil))
		bind, err := openManager(t, map[string]string{"main": databaseOf(db).uri}).Bind(binds.Key("main"))
		require.NoError(t, err)
		one := "?"
		if db.Dialect().Name().String() == "pg" {
			one = "$1"
		}
		for _, pool := range []*bun.DB{bind.Writer(), bind.Reader()} {
			pool.DB.SetMaxOpenConns(1)
			for name, call := range map[string]func() error{
				"a query": func() error {
					var v string
					return pool.DB.QueryRowContext(t.Context(), "SELECT body FROM panic_rows WHERE body = "+one, panicArg("s3cret")).Scan(&v)
				},
				"a pointer to a pointer": func() error {
					secret := panicArg("s3cret")
					indirect := &secret
					var v string
					return pool.DB.QueryRowContext(t.Context(), "SELECT body FROM panic_rows WHERE body = "+one, &indirect).Scan(&v)
				},
				"a write": func() error {
					_, err := pool.DB.ExecContext(t.Context(), "UPDATE panic_rows SET body = "+one, panicArg("s3cret"))
					return err
				},
				"a prepared statement": func() error {
					stmt, err := pool.DB.PrepareContext(t.Context(), "SELECT body FROM panic_rows WHERE body = "+one)
					if err != nil {
						return err
					}
					defer func() { _ = stmt.Close() }()
					var v string
					return stmt.QueryRowContext(t.Context(), panicArg("s3cret")).Scan(&v)
				},
			} {
				err := within(t, call)
				var panicked *models.PanicError
				require.ErrorAs(t, err, &panicked, name)
				require.ErrorContains(t, err, "models_test.panicArg: a models_test.panicArg at ", name)
				require.Equal(t, "Value", panicked.Method, name)
				require.NotContains(t, err.Error(), "s3cret", name)
				require.NoError(t, within(t, func() error { return pool.PingContext(t.Context()) }), name)
			}
		}
	})
}

// TestPanicInRequest sees that what a request's values call is recovered, and so is what writes a field.
func TestPanicInRequest(t *testing.T) {
	db := newSQLite(t)
	for _, where := range []models.Condition{
		models.Eq("body", "s3cret"), models.In("body", "s3cret", "x"), models.Eq("id", panicArg("s3cret")),
		models.Filter(map[string]any{"body": "s3cret"}, "body"), models.Between("id", 1, panicArg("s3cret")),
	} {
		err := db.NewSelect().Model((*scanRow)(nil)).ApplyQueryBuilder(models.Where(where)).Scan(t.Context())
		var refused *models.FilterError
		var panicked *models.PanicError
		require.ErrorAs(t, err, &refused)
		require.ErrorAs(t, err, &panicked)
		require.NotContains(t, err.Error(), "s3cret")
	}
	var conversion *models.ConversionError
	err := models.FromMap(map[string]any{"body": "s3cret"}, &scanRow{}, "body")
	require.ErrorAs(t, err, &conversion)
	require.NotContains(t, err.Error(), "s3cret")

	var panicked *models.PanicError
	_, err = models.JSON[badGob]{V: badGob{"s3cret"}}.Value()
	require.ErrorAs(t, err, &panicked)
	_, err = models.SerializedAs[badGob, models.AsJSON]{V: badGob{"s3cret"}}.Value()
	require.ErrorAs(t, err, &panicked)
	require.NotContains(t, err.Error(), "s3cret")
	require.ErrorAs(t, new(models.JSON[badGob]).UnmarshalJSON([]byte(`{}`)), &panicked)
}

func funcData(f schema.ScannerFunc) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// TestRegisterOften guards a field once, however often its model is registered.
func TestRegisterOften(t *testing.T) {
	db := newSQLite(t)
	var before uintptr
	for range 3 {
		require.NoError(t, models.Register(db, (*scanRow)(nil)))
		f, err := db.Table(reflect.TypeFor[scanRow]()).Field("body")
		require.NoError(t, err)
		if before != 0 {
			require.Equal(t, before, funcData(f.Scan))
		}
		before = funcData(f.Scan)
	}
}

func ExampleRecovered() {
	ctx := context.Background()
	db, done := articles(ctx)
	defer done()
	var where point // whose Scan panics
	err := db.QueryRowContext(ctx, "SELECT 'here' AS place").Scan(models.Recovered(&where))
	var panicked *models.PanicError
	fmt.Println(errors.As(err, &panicked), panicked.Method, "of", panicked.Type, "panicked with a", panicked.Panic)
	// Output: true Scan of *models_test.point panicked with a string
}
