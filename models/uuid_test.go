package models_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

type uuidOwner struct {
	bun.BaseModel `bun:"table:uuid_owners,alias:uo"`

	ID   uuid.UUID `bun:",pk"`
	Name string
}

type uuidRow struct {
	bun.BaseModel `bun:"table:uuid_rows,alias:ur"`

	ID      uuid.UUID  `bun:",pk"`
	OwnerID uuid.UUID  `bun:",notnull"`
	Owner   *uuidOwner `bun:"rel:belongs-to,join:owner_id=id"`
	Ptr     *uuid.UUID
	Null    uuid.NullUUID
	Std     sql.Null[uuid.UUID]
	Raw     [16]byte
	RawPtr  *[16]byte
	Tags    models.List[uuid.UUID]
	Zero    uuid.UUID `bun:",nullzero"`
}

// uuids are in the order in which every database has them.
var uuids = []uuid.UUID{
	uuid.MustParse("00000000-0000-4000-8000-000000000000"), uuid.MustParse("0f000000-0000-4000-8000-000000000001"),
	uuid.MustParse("a0000000-0000-4000-8000-00000000000f"), uuid.MustParse("ffffffff-ffff-4fff-bfff-ffffffffffff"),
}

func TestUUIDs(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*uuidRow)(nil)))
		require.NoError(t, dropFirst(t, db, (*uuidRow)(nil)))
		createTables(t, db, (*uuidOwner)(nil))
		_, err := db.NewCreateTable().Model((*uuidRow)(nil)).WithForeignKeys().Exec(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, dropFirst(t, db, (*uuidRow)(nil))) })

		i := dialectIndex[db.Dialect().Name()]
		id, raw := [...]string{"uuid", "char(36)", "TEXT"}, [...]string{"bytea", "binary(16)", "BLOB"}
		if db.Dialect().Name() == dialect.SQLite || db.Dialect().Name() == dialect.MySQL || db.Dialect().Name() == dialect.PG {
			for column, want := range map[string]string{"id": id[i], "owner_id": id[i], "ptr": id[i], "null": id[i], "std": id[i], "zero": id[i], "raw": raw[i], "raw_ptr": raw[i]} {
				require.Equal(t, want, columnTypeOf(t, db, "uuid_rows", column), column)
			}
		}
		_, err = db.NewInsert().Model(&[]uuidOwner{{ID: uuids[0], Name: "a"}, {ID: uuids[1], Name: "b"}}).Exec(t.Context())
		require.NoError(t, err)
		var rows []uuidRow
		for n, u := range uuids {
			row := uuidRow{ID: u, OwnerID: uuids[n%2], Raw: u, Tags: models.List[uuid.UUID]{u, uuids[0]}}
			if n > 0 {
				row.Ptr, row.RawPtr = &u, (*[16]byte)(&u)
				row.Null, row.Std = uuid.NullUUID{UUID: u, Valid: true}, sql.Null[uuid.UUID]{V: u, Valid: true}
				row.Zero = u
			}
			rows = append(rows, row)
		}
		_, err = db.NewInsert().Model(&rows).Exec(t.Context())
		require.NoError(t, err)
		_, err = db.NewInsert().Model(&uuidRow{ID: uuid.New(), OwnerID: uuids[3]}).Exec(t.Context())
		require.Error(t, err, "a foreign key to nothing")

		var read []uuidRow
		require.NoError(t, db.NewSelect().Model(&read).Relation("Owner").Order("ur.id").Scan(t.Context()))
		require.Len(t, read, len(rows))
		for n := range read {
			require.Equal(t, uuids[n%2], read[n].Owner.ID)
			read[n].Owner = nil
			require.Equal(t, rows[n], read[n])
		}
		rows[1].Ptr = &uuids[3]
		_, err = db.NewUpdate().Model(&rows[1]).WherePK().Exec(t.Context())
		require.NoError(t, err)

		find := func(want int, c models.Condition) {
			t.Helper()
			n, err := db.NewSelect().Model((*uuidRow)(nil)).ApplyQueryBuilder(models.Where(c)).Count(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, want, n)
		}
		for _, column := range []string{"id", "null", "std", "zero"} {
			find(1, models.Eq(column, uuids[2]))
			find(1, models.Eq(column, uuids[2].String()))
			find(2, models.In(column, uuids[1], uuids[2]))
			find(2, models.Filter(map[string]any{column: []uuid.UUID{uuids[1], uuids[2]}}, column))
			find(1, models.Gt(column, uuids[2]))
			find(2, models.Between(column, uuids[1], uuids[2]))
		}
		find(2, models.Eq("ptr", uuids[3]))
		find(1, models.Eq("raw", uuids[2]))
		find(1, models.Eq("raw", [16]byte(uuids[2])))
		find(1, models.Eq("raw_ptr", read[2].RawPtr))
		find(1, models.IsNull("null"))
		find(1, models.IsNull("zero"))
		for _, column := range []string{"id", "ptr", "null", "std", "raw", "raw_ptr", "owner_id"} {
			var ids []uuid.UUID
			for cursor, n := "", 0; ; n++ {
				require.Less(t, n, 9)
				page, err := models.FetchPage[uuidRow](t.Context(), db.NewSelect(), models.Order{models.Asc(column)}, models.After(cursor), 1)
				require.NoError(t, err)
				for _, row := range page.Items {
					ids = append(ids, row.ID)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			require.ElementsMatch(t, uuids, ids, column)
		}
	})
}

func dropFirst(t *testing.T, db *bun.DB, model any) error {
	_, err := db.NewDropTable().Model(model).IfExists().Exec(context.WithoutCancel(t.Context()))
	return err
}

// columnTypeOf asks the catalogue.
func columnTypeOf(t *testing.T, db *bun.DB, table, column string) (typ string) {
	t.Helper()
	query := map[dialect.Name]string{
		dialect.PG:     "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = ?::regclass AND attname = ?",
		dialect.MySQL:  "SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = ?",
		dialect.SQLite: "SELECT type FROM pragma_table_info(?) WHERE name = ?",
	}[db.Dialect().Name()]
	require.NoError(t, db.NewRaw(query, table, column).Scan(t.Context(), &typ))
	return typ
}

type uuidArrays struct {
	bun.BaseModel `bun:"table:uuid_arrays,alias:ua"`

	ID   int64       `bun:",pk"`
	IDs  []uuid.UUID `bun:"ids,array"`
	Ints [3]int
	Ptr  *[2]string
}

// TestUUIDArrays has the arrays of PostgreSQL, and Go's own, which are JSON everywhere.
func TestUUIDArrays(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*uuidArrays)(nil)))
		isPG := db.Dialect().Name() == dialect.PG
		createTables(t, db, (*uuidArrays)(nil))
		row := uuidArrays{ID: 1, Ints: [3]int{1, 2, 3}, Ptr: &[2]string{"a", "b"}}
		if isPG {
			require.Equal(t, "uuid[]", columnTypeOf(t, db, "uuid_arrays", "ids"))
			row.IDs = uuids
		}
		_, err := db.NewInsert().Model(&row).Exec(t.Context())
		require.NoError(t, err)
		var read uuidArrays
		require.NoError(t, db.NewSelect().Model(&read).Scan(t.Context()))
		if !isPG {
			read.IDs = nil
		}
		require.Equal(t, row, read)
	})
}

// TestUUIDsOfOtherTables reads and writes the columns that others, and Bun before, have made.
func TestUUIDsOfOtherTables(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		u := uuids[2]
		hexed := strings.ReplaceAll(u.String(), "-", "")
		require.NoError(t, models.Register(db, (*uuidOwner)(nil)))
		columns := map[dialect.Name]map[string]string{ // by type, how others wrote the value
			dialect.PG:     {"BYTEA": `'\x` + hexed + "'", "TEXT": "'" + u.String() + "'", "CHAR(36)": "'" + u.String() + "'", "UUID": "'" + u.String() + "'"},
			dialect.MySQL:  {"BINARY(16)": "X'" + hexed + "'", "VARBINARY(36)": "'" + u.String() + "'", "VARCHAR(36)": "'" + u.String() + "'"},
			dialect.SQLite: {"BLOB": "X'" + hexed + "'", "": "'" + u.String() + "'", "VARCHAR": "'" + u.String() + "'"},
		}[db.Dialect().Name()]
		if databaseOf(db).server.AtLeast("MariaDB", 10, 7) {
			columns["UUID"] = "'" + u.String() + "'"
		}
		for ddl, literal := range columns {
			require.NoError(t, dropFirst(t, db, (*uuidOwner)(nil)))
			_, err := db.ExecContext(t.Context(), "CREATE TABLE uuid_owners (id "+ddl+" PRIMARY KEY, name VARCHAR(9))")
			require.NoError(t, err)
			_, err = db.ExecContext(t.Context(), "INSERT INTO uuid_owners VALUES ("+literal+", 'x')")
			require.NoError(t, err)
			var owner uuidOwner
			require.NoError(t, db.NewSelect().Model(&owner).Scan(t.Context()), ddl)
			require.Equal(t, u, owner.ID, ddl)
			if ddl == "BINARY(16)" {
				continue // which holds no text, and uuid.UUID writes text
			}
			other := uuidOwner{ID: uuids[3], Name: "y"}
			_, err = db.NewInsert().Model(&other).Exec(t.Context())
			require.NoError(t, err, ddl)
			require.NoError(t, db.NewSelect().Model(&owner).Where("id = ?", uuids[3]).Scan(t.Context()), ddl)
			require.Equal(t, other, owner, ddl)
		}
		require.NoError(t, dropFirst(t, db, (*uuidOwner)(nil)))
	})
}

// A textPoint writes itself as a text that is no JSON.
type textPoint struct{ x, y int }

func (p textPoint) Value() (driver.Value, error) { return fmt.Sprintf("%d:%d", p.x, p.y), nil }

func (p *textPoint) Scan(src any) error {
	_, err := fmt.Sscanf(fmt.Sprintf("%s", src), "%d:%d", &p.x, &p.y)
	return err
}

// An onePin is bytes.
type onePin [4]byte

func (p onePin) Value() (driver.Value, error) { return p[:], nil }

func (p *onePin) Scan(src any) error {
	copy(p[:], src.([]byte))
	return nil
}

// A wrappedTime is a time.
type wrappedTime struct{ t time.Time }

func (w wrappedTime) Value() (driver.Value, error) { return w.t, nil }

func (w *wrappedTime) Scan(src any) error {
	w.t = src.(time.Time).UTC()
	return nil
}

type valuedRow struct {
	bun.BaseModel `bun:"table:valued_rows,alias:vr"`

	ID    int64 `bun:",pk"`
	Point textPoint
	Pin   onePin
	Time  wrappedTime
	I32   sql.NullInt32
	I     sql.Null[int64]
	S     sql.Null[string]
	B     sql.Null[bool]
	F     sql.Null[float64]
	T     sql.Null[time.Time]
	Addr  netip.Addr
	Net   netip.Prefix
}

// TestValuersSayTheirColumns has types of which Bun knows no more than their kind.
func TestValuersSayTheirColumns(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*valuedRow)(nil)))
		createTables(t, db, (*valuedRow)(nil))
		i := dialectIndex[db.Dialect().Name()]
		for column, want := range map[string][3]string{
			"point": {"character varying", "varchar(255)", "VARCHAR"}, "pin": {"bytea", "binary(4)", "BLOB"}, "time": {"timestamp with time zone", "datetime(6)", "TIMESTAMP"},
			"i": {"bigint", "bigint", "INTEGER"}, "i32": {"bigint", "bigint", "INTEGER"}, "s": {"character varying", "varchar(255)", "VARCHAR"},
			"b": {"boolean", "tinyint(1)", "BOOLEAN"}, "f": {"double precision", "double", "DOUBLE PRECISION"}, "t": {"timestamp with time zone", "datetime(6)", "TIMESTAMP"},
			"addr": {"inet", "varchar(255)", "VARCHAR"}, "net": {"character varying", "varchar(255)", "VARCHAR"},
		} {
			got := columnTypeOf(t, db, "valued_rows", column)
			require.Equal(t, want[i], strings.Replace(got, "bigint(20)", "bigint", 1), column)
		}
		at := time.Date(2024, 1, 2, 3, 4, 5, 600000000, time.UTC)
		row := valuedRow{ID: 1, Point: textPoint{1, 2}, Pin: onePin{1, 0, 255}, Time: wrappedTime{at}, I32: sql.NullInt32{Int32: 5, Valid: true},
			I: sql.Null[int64]{V: 7, Valid: true}, S: sql.Null[string]{V: "x", Valid: true}, B: sql.Null[bool]{V: true, Valid: true},
			F: sql.Null[float64]{V: 0.5, Valid: true}, T: sql.Null[time.Time]{V: at, Valid: true}, Addr: netip.MustParseAddr("10.0.0.1"), Net: netip.MustParsePrefix("10.0.0.1/32")}
		_, err := db.NewInsert().Model(&row).Exec(t.Context())
		require.NoError(t, err)
		var read valuedRow
		require.NoError(t, db.NewSelect().Model(&read).Scan(t.Context()))
		read.T.V = read.T.V.UTC()
		require.Equal(t, row, read)
	})
}
