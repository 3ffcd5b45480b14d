package integration_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
)

// held has one column, which tests create with every type.
type held[T any] struct {
	bun.BaseModel `bun:"table:held,alias:h"`
	shop

	ID int64 `bun:",pk"`
	V  T
}

// A holder writes values of one type of Go to the table held, and reads them back.
type holder struct {
	model any
	// comesBack reports whether any of its values is the same when it is read.
	comesBack func(ctx context.Context, m *manager.DBManager) bool
}

func holderOf[T any](values ...T) holder {
	return holder{model: (*held[T])(nil), comesBack: func(ctx context.Context, m *manager.DBManager) bool {
		came := false
		for i, v := range values {
			row := &held[T]{ID: int64(i + 1), V: v}
			if _, err := m.NewInsert(row).Exec(ctx); err != nil {
				continue
			}
			got := &held[T]{ID: row.ID}
			if err := m.NewSelect(got).WherePK().Scan(ctx); err != nil {
				continue
			}
			same := reflect.DeepEqual(got.V, v)
			if at, ok := any(v).(time.Time); ok {
				same = any(got.V).(time.Time).Equal(at)
			}
			came = came || same
		}
		return came
	}}
}

var holders = map[string]holder{
	"bool":    holderOf(true, false),
	"int8":    holderOf[int8](0, 1, -7),
	"int16":   holderOf[int16](0, 1, 300),
	"int32":   holderOf[int32](0, 1, 70000),
	"int64":   holderOf[int64](0, 1, 20240102, 1<<40),
	"int":     holderOf(0, 1, int(min(1<<40, math.MaxInt))),
	"uint8":   holderOf[uint8](0, 1, 200),
	"uint32":  holderOf[uint32](0, 1, 1<<31),
	"uint64":  holderOf[uint64](0, 1, 1<<40),
	"float32": holderOf[float32](0, 1, 0.5),
	"float64": holderOf(0, 1, 0.5),
	"string":  holderOf("", "a", "7", "1.5", "true", "[1]", "2024-01-02", "07:08:09", "127.0.0.1", "2024-01-02 03:04:05", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
	"time":    holderOf(time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)),
	"bytes":   holderOf([]byte("a"), []byte("7"), []byte("[1]"), []byte("2024-01-02"), []byte("0123456789abcdef"), []byte{0, 255}),
}

// columnTypes are types of columns of each database.
var columnTypes = map[string][]string{
	teston.Postgres: {
		"smallint", "integer", "bigint", "numeric", "numeric(10,2)", "real", "double precision", "boolean", "text", "varchar(40)", "char(1)", "bytea",
		"timestamptz", "timestamp", "date", "time", "interval", "uuid", "json", "jsonb", "inet", "bit(8)", "xml", "integer[]", "money", "citext_like", "small",
	},
	teston.MariaDB: {
		"tinyint", "tinyint(1)", "smallint", "mediumint", "int", "int unsigned", "bigint", "bigint unsigned", "decimal(20,4)", "float", "double", "bit(1)", "bit(8)",
		"char(1)", "varchar(40)", "text", "longtext", "binary(16)", "varbinary(40)", "blob", "date", "datetime", "datetime(6)", "timestamp(6)", "time", "year",
		"json", "enum('a','7')", "set('a','b')",
	},
	teston.SQLite: {"INTEGER", "BIGINT", "TEXT", "VARCHAR(40)", "REAL", "NUMERIC", "DECIMAL(10,2)", "BLOB", "BOOLEAN", "DATETIME", "TIMESTAMP", "JSON", ""},
}

// TestCheckKnowsWhatColumnsHold compares what Check says of each type of Go on each type of column with what
// becomes of values: what it refuses none survives, what it does not refuse one does.
func TestCheckKnowsWhatColumnsHold(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		types := columnTypes[k.name]
		if k.name == teston.MySQL {
			types = columnTypes[teston.MariaDB]
		}
		if types == nil {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			ctx := t.Context()
			writer := aloneURI(t, k)
			m := openManager(t, config(map[string]string{"shop": writer}, nil, ""))
			run := func(query string) {
				t.Helper()
				_, err := m.NewRaw(shop{}, query).Exec(ctx)
				require.NoError(t, err)
			}
			if k.name == teston.Postgres {
				run("CREATE DOMAIN citext_like AS text CHECK (VALUE <> 'no')")
				run("CREATE DOMAIN small AS integer")
			}
			var models []any
			for _, h := range holders {
				models = append(models, h.model)
			}
			narrow := 0
			for _, typ := range types {
				run("DROP TABLE IF EXISTS held")
				run(fmt.Sprintf("CREATE TABLE held (id bigint PRIMARY KEY, v %s)", typ))
				r := m.Check(ctx, models...).Binds[0]
				require.Empty(t, r.Errs)
				require.Empty(t, r.Missing)
				narrow += len(r.Warnings)
				refused := map[reflect.Type]string{}
				for _, e := range r.Columns {
					require.Equal(t, "v", e.Column)
					refused[e.Model] = e.Reason
				}
				for name, h := range holders {
					if why := refused[reflect.TypeOf(h.model).Elem()]; why != "" {
						run("DELETE FROM held")
						assert.False(t, h.comesBack(ctx, m), "%s in %s: %s", name, typ, why)
					}
				}
			}
			assert.Positive(t, narrow)
		})
	}
}

type (
	// oddNames is a model of a table whose names need quotes, in a schema of its own where there are schemas.
	oddNames struct {
		bun.BaseModel `bun:"table:Odd Names"`
		shop

		ID    int64  `bun:",pk,autoincrement"`
		Upper string `bun:"UPPER Case"`
		Order string `bun:"order"`
	}
	// whole is the model for which tables are made.
	whole struct {
		bun.BaseModel `bun:"table:wholes"`
		shop

		ID      int64 `bun:",pk,autoincrement"`
		Name    string
		Born    *time.Time
		Tags    map[string]string
		Seen    int64  `bun:",scanonly"`
		Skipped string `bun:"-"`
		Nested  struct {
			Street string
		} `bun:"embed:home_"`
	}
	// later is whole after a change of the program that the table has not seen.
	later struct {
		bun.BaseModel `bun:"table:wholes"`
		shop

		ID    int64 `bun:",pk,autoincrement"`
		Name  string
		Email string
		Age   int `bun:"years"`
	}
	// narrower has no field for a column that needs one.
	narrower struct {
		bun.BaseModel `bun:"table:needs"`
		shop

		ID   int64 `bun:",pk,autoincrement"`
		Seen int64 `bun:"read_only,scanonly"`
	}
	seenWholes struct {
		bun.BaseModel `bun:"table:seen_wholes"`
		shop

		ID    int64 `bun:",pk"`
		Name  string
		Email string
	}
	wrongTypes struct {
		bun.BaseModel `bun:"table:wrong_types"`
		shop

		ID   int64 `bun:",pk"`
		At   time.Time
		Code string
	}
)

// columnsSaid are the engines, columns and reasons of a list, in short.
func columnsSaid(errs []manager.SchemaError) []string {
	var said []string
	for _, e := range errs {
		reason, _, _ := strings.Cut(e.Reason, ":")
		said = append(said, e.Engine+" "+e.Table+"."+e.Column+" "+reason)
	}
	slices.Sort(said)
	return said
}

func TestCheckOfColumns(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			ctx := t.Context()
			writer, readers, c := k.uris(t)
			m := openManager(t, config(map[string]string{"shop": writer}, readers, `max_lag = "1h"`))
			run := func(query string) {
				t.Helper()
				_, err := m.NewRaw(shop{}, query).Exec(ctx)
				require.NoError(t, err)
			}
			check := func(models ...any) manager.BindReport {
				t.Helper()
				r := m.Check(ctx, models...)
				require.Empty(t, r.Errs)
				require.Empty(t, r.Binds[0].Errs)
				require.Empty(t, r.Binds[0].Missing)
				showReport(t, k.name, r)
				return r.Binds[0]
			}
			require.NoError(t, m.CreateTables(ctx, (*whole)(nil), (*oddNames)(nil), (*item)(nil), (*part)(nil)))
			waitForReaders(t, m, c)
			r := check((*whole)(nil), (*oddNames)(nil), (*item)(nil), (*part)(nil))
			assert.Empty(t, r.Columns, "what CreateTables makes fits")
			assert.Empty(t, r.Warnings)

			r = check((*later)(nil))
			assert.Equal(t, []string{
				`shop/writer wholes.email the column of field Email is missing`,
				`shop/writer wholes.years the column of field Age is missing`,
			}, columnsSaid(r.Columns))
			assert.Empty(t, r.Warnings, "readers lack no more than the writer")
			var missing *manager.SchemaError
			require.ErrorAs(t, r.Err(), &missing)
			require.ErrorAs(t, r.Ready(), &missing, "a query of the model fails")

			run(`CREATE VIEW seen_wholes AS SELECT id, name FROM wholes`)
			run(`CREATE TABLE needs (id ` + serial(k.name) + `, given INT NOT NULL DEFAULT 7, maybe INT, read_only INT NOT NULL, must INT NOT NULL)`)
			run(`CREATE TABLE wrong_types (id BIGINT PRIMARY KEY, at BIGINT, code BIGINT)`)
			waitForReaders(t, m, c)
			r = check((*seenWholes)(nil), (*narrower)(nil), (*wrongTypes)(nil))
			wrong := []string{`shop/writer seen_wholes.email the column of field Email is missing`}
			if k.name != teston.SQLite {
				wrong = append(wrong, `shop/writer wrong_types.at its type, `+bigint(k.name)+`, cannot hold field At of type time.Time`)
			}
			assert.Equal(t, wrong, columnsSaid(r.Columns))
			assert.Equal(t, []string{
				`shop/writer needs.must an INSERT of the model fails`,
				`shop/writer wrong_types.code its type, ` + bigint(k.name) + `, may not hold all of field Code of type string`,
			}, columnsSaid(r.Warnings))

			if c == nil {
				return
			}
			require.NoError(t, c.Replicas[0].PauseReplay(ctx))
			run(`ALTER TABLE wholes ADD COLUMN email VARCHAR(40), ADD COLUMN years BIGINT`)
			require.Eventually(t, func() bool {
				r := m.Check(ctx, (*later)(nil)).Binds[0]
				return len(r.Columns) == 0 && len(r.Warnings) == 2
			}, waitFor, tick)
			r = check((*later)(nil))
			assert.Equal(t, []string{
				`shop/reader-1 wholes.email the reader does not show it, though the writer has it`,
				`shop/reader-1 wholes.years the reader does not show it, though the writer has it`,
			}, columnsSaid(r.Warnings))
			require.NoError(t, r.Err(), "its reads go to the writer")
			require.NoError(t, c.Replicas[0].ResumeReplay(ctx))
			require.Eventually(t, func() bool { return len(m.Check(ctx, (*later)(nil)).Binds[0].Warnings) == 0 }, waitFor, tick)
		})
	}
}

// waitForReaders waits until the readers show all that was written.
func waitForReaders(t *testing.T, m *manager.DBManager, c any) {
	t.Helper()
	require.Eventually(t, func() bool {
		r := m.Check(t.Context(), (*whole)(nil), (*seenWholes)(nil), (*narrower)(nil), (*wrongTypes)(nil))
		return !slices.ContainsFunc(r.Binds[0].Warnings, func(e manager.SchemaError) bool { return strings.Contains(e.Engine, "reader") })
	}, waitFor, tick)
}

func serial(kind string) string {
	switch {
	case kind == teston.SQLite:
		return "INTEGER PRIMARY KEY"
	case inMySQLFamily(kind):
		return "BIGINT AUTO_INCREMENT PRIMARY KEY"
	}
	return "BIGSERIAL PRIMARY KEY"
}

// bigint is how a server calls the type of a BIGINT column.
func bigint(kind string) string {
	if kind == teston.MariaDB || kind == teston.Galera {
		return "bigint(20)"
	}
	return "bigint"
}

// TestCheckOfPostgresTables looks at tables that only PostgreSQL has: in another schema, partitioned, foreign to
// the search path, with columns by identity and with triggers.
func TestCheckOfPostgresTables(t *testing.T) {
	type parted struct {
		bun.BaseModel `bun:"table:sales.Parted,alias:p"`
		shop

		ID   int64 `bun:",pk,autoincrement"`
		At   time.Time
		Gone string
	}
	k := postgresKind(t)
	ctx := t.Context()
	writer, _, _ := k.uris(t)
	m := openManager(t, config(map[string]string{"shop": writer}, nil, ""))
	for _, query := range []string{
		`CREATE SCHEMA sales`,
		`CREATE TABLE sales."Parted" (id BIGINT GENERATED BY DEFAULT AS IDENTITY, at TIMESTAMPTZ NOT NULL, by_trigger INT NOT NULL) PARTITION BY RANGE (at)`,
		`CREATE TABLE sales.parted_2024 PARTITION OF sales."Parted" FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`,
		`CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.by_trigger := 1; RETURN NEW; END'`,
		`CREATE TRIGGER fill BEFORE INSERT ON sales."Parted" FOR EACH ROW EXECUTE FUNCTION fill()`,
	} {
		_, err := m.NewRaw(shop{}, query).Exec(ctx)
		require.NoError(t, err)
	}
	r := m.Check(ctx, (*parted)(nil)).Binds[0]
	require.Empty(t, r.Errs)
	require.Empty(t, r.Missing)
	assert.Equal(t, []string{`shop/writer sales.Parted.gone the column of field Gone is missing`}, columnsSaid(r.Columns))
	assert.Empty(t, r.Warnings, "a trigger may fill what has no default")
}
