package models_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

// typedRow is a row whose column v has a type that the model does not tell, as a migration makes them.
type typedRow[V any] struct {
	bun.BaseModel `bun:"table:page_typed,alias:pt"`

	ID int64 `bun:",pk"`
	V  V
}

// A typedColumn is a type of a database's column, with values that are hard to tell apart.
type typedColumn struct {
	ddl    string
	values []string // SQL literals
	check  func(t *testing.T, db *bun.DB)
}

// column reads the column into a V.
func column[V any](ddl string, values ...string) typedColumn { return typed[V](ddl, "", true, values) }

// declared is a column whose type the model tells.
func declared[V any](ddl string, values ...string) typedColumn {
	return typed[V](ddl, ddl, true, values)
}

// onlyPages is a column that has an order, but that filters compare otherwise, or cannot be asked for.
func onlyPages[V any](ddl string, values ...string) typedColumn {
	return typed[V](ddl, "", false, values)
}

func typed[V any](ddl, tag string, filters bool, values []string) typedColumn {
	return typedColumn{ddl: ddl, values: values, check: func(t *testing.T, db *bun.DB) {
		db.Table(typeOf[typedRow[V]]()).FieldMap["v"].UserSQLType = tag
		checkTyped[V](t, db, filters)
	}}
}

var sqliteTypes = []typedColumn{
	column[time.Time]("TIMESTAMP", "'2024-01-01 10:00:00'", "'2024-01-01 10:00:00+00:00'", "'2024-01-01 10:00:00.5+00:00'",
		"'2024-01-01 10:00:00.500'", "'2024-01-01 10:00:00.51+00:00'", "'2024-01-01 09:59:59.999999+00:00'", "'2024-01-01'", "'2024-01-01 10:00'",
		"'2024-01-01 10:00:00.000'", "'2024-01-01 10:00:00 +0000 UTC'", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
	onlyPages[time.Time]("DATETIME", "'2024-01-01T10:00:00Z'", "'2024-01-01 10:00:00'", "'2024-01-01T10:00:00.000Z'", "'2024-01-01 12:00:00+02:00'", "'2024-01-01 10:00:00Z'"),
	column[time.Time]("DATE", "'2024-01-01'", "'2024-01-01 00:00:00+00:00'", "'2024-01-02'", "'2023-12-31'"),
	column[*time.Time]("TIMESTAMP", "NULL", "'2024-01-01 10:00:00'", "'2024-01-01 10:00:00+00:00'", "NULL", "'2024-01-01 10:00:00.25+00:00'"),
	column[int64]("INTEGER", "9007199254740993", "9007199254740992", "-1", "0", "9223372036854775807", "-9223372036854775808", "9007199254740993"),
	column[*int64]("BIGINT", "9007199254740993", "NULL", "-1", "NULL"),
	column[float64]("REAL", "0.1", "0.1", "0.30000000000000004", "0.3", "1e300", "-1e-300", "5", "0.1000000000000000055511151231257827"),
	column[float32]("REAL", "0.1", "0.10000000149011612", "0.1", "16777217.0", "16777216.0", "-3.3"),
	column[string]("TEXT", "'a'", "'A'", "''", "'b'", "'é'", "'a'", "'10'", "'9'"),
	column[string]("TEXT COLLATE NOCASE", "'a'", "'A'", "'b'", "'B'", "'a'"),
	column[string]("TEXT COLLATE RTRIM", "'a'", "'a '", "'a  '", "'b'"),
	onlyPages[string]("TEXT", "CAST(X'610062' AS TEXT)", "CAST(X'610063' AS TEXT)", "'a'", "'a'"),
	onlyPages[string]("", "'5'", "5", "4.5", "'4.5'", "NULL", "'a'", "10", "'10'", "9"),
	onlyPages[[]byte]("", "X'01'", "'5'", "X''", "X'ff00'", "'a'"),
	onlyPages[string]("NUMERIC", "'5'", "5.5", "'abc'", "'1e3'", "9007199254740993", "9007199254740992", "'9223372036854775808'"),
	column[[]byte]("BLOB", "X'01'", "X''", "X'ff00'", "X'01'", "X'00'"),
	column[bool]("BOOLEAN", "1", "0", "1", "0"),
	column[models.Enum[filterStatus]]("TEXT", "'live'", "'draft'", "NULL", "'live'"),
}

var postgresTypes = []typedColumn{
	column[time.Time]("TIMESTAMPTZ", "'2024-01-01 10:00:00.123456+02'", "'2024-01-01 10:00:00.123457+02'", "'2024-01-01 08:00:00.123456Z'", "'1999-12-31'"),
	column[time.Time]("TIMESTAMP", "'2024-01-01 10:00:00.123456'", "'2024-01-01 10:00:00.123457'", "'2024-01-01'"),
	column[time.Time]("TIMESTAMPTZ(0)", "'2024-01-01 10:00:00.6'", "'2024-01-01 10:00:01'", "'2024-01-01'"),
	column[*time.Time]("DATE", "'2024-01-01'", "NULL", "'2024-01-02'", "'2024-01-01'"),
	column[string]("TIMETZ", "'10:00+02'", "'08:00+00'", "'10:00+00'", "'10:00:00.5+02'"),
	column[string]("TIME", "'10:00'", "'10:00:00.000001'", "'09:00'", "'10:00'"),
	column[string]("INTERVAL", "'1 month'", "'30 days'", "'720 hours'", "'-1 day'", "'1 day 00:00:00.000001'"),
	column[float32]("REAL", "0.1", "0.1", "16777216", "1.1", "-3.3", "'NaN'", "'Infinity'", "'-Infinity'"),
	column[float64]("REAL", "0.1", "0.1", "16777216", "1.1", "-3.3"),
	column[float64]("DOUBLE PRECISION", "0.1", "0.30000000000000004", "0.3", "'NaN'", "'Infinity'", "'-Infinity'", "1e300", "0.1"),
	column[float64]("NUMERIC", "0.1", "0.10000000000000000001", "0.1", "12345678901234567890.1", "12345678901234567890.2", "5", "5.0", "'NaN'"),
	column[float32]("NUMERIC(20,10)", "0.1", "0.1000000001", "0.1", "5"),
	column[string]("NUMERIC", "12345678901234567890.1", "12345678901234567890.2", "5", "5.0", "-1"),
	column[int64]("BIGINT", "9007199254740993", "9007199254740992", "-1", "9223372036854775807"),
	column[int]("SMALLINT", "3", "-1", "3"),
	column[bool]("BOOLEAN", "TRUE", "FALSE", "TRUE"),
	column[string]("CHAR(5)", "'a'", "'A'", "'a b'", "''", "'a'"),
	column[string]("VARCHAR(9)", "'a'", "'a '", "'A'", "'é'", `'\'`, "'q''q'"),
	column[string](`TEXT COLLATE "C"`, "'a'", "'B'", "'é'", "'a'"),
	column[string]("TEXT COLLATE page_nocase", "'a'", "'A'", "'b'", "'B'", "'a'"),
	column[string]("page_mood", "'sad'", "'ok'", "'happy'", "'sad'", "NULL"),
	column[[]byte]("BYTEA", `'\x01'`, `'\x'`, `'\xff00'`, `'\x01'`, `'\x5c27'`),
	column[string]("UUID", "'00000000-0000-0000-0000-000000000001'", "'ffffffff-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000001'"),
	column[string]("INET", "'10.0.0.1'", "'10.0.0.0/8'", "'::1'", "'10.0.0.1'"),
	column[string]("BIT(3)", "B'101'", "B'001'", "B'101'"),
	column[string]("VARBIT", "B'101'", "B'1'", "B''"),
	onlyPages[string]("INT[]", "'{1,2}'", "'{1,10}'", "'{}'", "'{1,2}'", "NULL", "'{1,NULL}'"),
	onlyPages[string]("TEXT[]", `'{a,"b c"}'`, "'{}'", "'{a}'"),
	onlyPages[string]("JSONB", `'{"a":1}'`, `'[1]'`, `'"x"'`, `'1'`, `'{"a":1}'`),
	onlyPages[string]("INT4RANGE", "'[1,5)'", "'empty'", "'[2,3)'"),
	column[string]("MACADDR", "'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'"),
	column[models.Enum[filterStatus]]("TEXT", "'live'", "'draft'", "NULL", "'live'"),
}

var mysqlTypes = []typedColumn{
	onlyPages[string]("ENUM('small','medium','large')", "'large'", "'small'", "'medium'", "'small'", "NULL", "'large'"),
	declared[string]("ENUM('small','medium','large')", "'large'", "'small'", "'medium'", "'small'", "NULL", "'large'"),
	onlyPages[string]("SET('r','w','x')", "'w,x'", "'r'", "''", "'x'", "'r,w'", "'r'"),
	declared[string]("SET('r','w','x')", "'w,x'", "'r'", "''", "'x'", "'r,w'", "'r'"),
	column[float64]("FLOAT", "0.1", "0.1", "16777217", "16777216", "1.1", "-3.3", "1e-30", "123456.7", "123456.74"),
	column[float32]("FLOAT", "0.1", "0.1", "16777217", "1.1", "-3.3"),
	column[*float32]("FLOAT", "0.1", "NULL", "0.1", "NULL"),
	column[float64]("FLOAT(10,2)", "0.1", "0.1", "0.11", "1.1"),
	column[float64]("DOUBLE", "0.1e0", "0.30000000000000004e0", "0.3e0", "1e300", "-1e-300", "0.1e0"),
	column[float32]("DOUBLE", "0.1", "0.10000000149011612", "16777217", "0.1"),
	column[float64]("DECIMAL(40,20)", "0.1", "0.10000000000000000001", "0.1", "12345678901234567890.1", "12345678901234567890.2", "5"),
	column[string]("DECIMAL(40,20)", "0.1", "0.10000000000000000001", "12345678901234567890.1", "12345678901234567890.2", "-5"),
	column[int64]("BIGINT", "9007199254740993", "9007199254740992", "-1", "9223372036854775807"),
	column[uint64]("BIGINT UNSIGNED", "18446744073709551615", "18446744073709551614", "0"),
	column[int]("TINYINT", "3", "-1", "3"),
	column[bool]("BOOLEAN", "TRUE", "FALSE", "TRUE"),
	column[time.Time]("DATETIME(6)", "'2024-01-01 10:00:00.123456'", "'2024-01-01 10:00:00.123457'", "'2024-01-01 10:00:00'", "'0000-00-00'", "'0000-00-00'"),
	column[time.Time]("DATETIME", "'2024-01-01 10:00:00'", "'2024-01-01 10:00:00'", "'0000-00-00'", "'2023-01-01'"),
	column[time.Time]("TIMESTAMP(6) NULL", "'2024-01-01 10:00:00.123456'", "'2024-01-01 10:00:00.5'", "'2024-01-01 10:00:00.123456'", "NULL"),
	column[time.Time]("DATE", "'2024-01-01'", "'0000-00-00'", "'2024-01-02'", "'2024-01-01'"),
	onlyPages[time.Time]("DATE", "'2024-00-00'", "'2024-01-00'", "'0000-00-00'", "'2024-01-01'", "'2024-00-00'"),
	onlyPages[string]("DATETIME(3)", "'2024-01-01 10:00:00.123'", "'2024-01-01 10:00:00'", "'0000-00-00'"),
	column[string]("TIME(6)", "'10:00:00'", "'-12:30:00'", "'838:59:59'", "'10:00:00.000001'", "'9:00'"),
	column[int]("YEAR", "2024", "1999", "2024", "0"),
	onlyPages[[]byte]("BIT(10)", "b'101'", "b'1'", "b'1000000000'", "b'101'"),
	declared[[]byte]("BIT(10)", "b'101'", "b'1'", "b'1000000000'", "b'101'"),
	column[string]("CHAR(5)", "'a'", "'A'", "'a b'", "''", "'b'"),
	column[string]("VARCHAR(9)", "'a'", "'a '", "'A'", "'é'", `'\\'`, "'q''q'", "'b'"),
	column[string]("VARCHAR(9) CHARACTER SET latin1", "'a'", "'é'", "'A'", "'z'"),
	column[string]("TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "'a'", "'A'", "'é'", "'a'"),
	onlyPages[string]("VARCHAR(9)", "CONCAT('a', CHAR(0), 'b')", "CONCAT('a', CHAR(0), 'c')", "'a'"),
	column[[]byte]("VARBINARY(9)", "X'01'", "X''", "X'ff00'", "X'01'", "X'5c27'"),
	column[[]byte]("BLOB", "X'01'", "X''", "X'ff00'", "X'01'"),
	column[[]byte]("BINARY(3)", "X'01'", "X'0100'", "X'ff00ff'", "X'010001'"),
	declared[models.Enum[filterStatus]]("ENUM('live','draft')", "'live'", "'draft'", "NULL", "'live'"),
	onlyPages[string]("JSON", `'"b"'`, `'"a"'`, `'"b"'`),
}

var mariaTypes = []typedColumn{
	column[string]("UUID", "'00000000-0000-0000-0000-000000000001'", "'ffffffff-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000001'"),
	column[string]("INET6", "'10::1'", "'::1'", "'10::1'"),
}

// TestFetchPageEveryType reads columns of every type, made as a migration makes them, in pages of 1 to 3 rows: each row comes
// once, in the database's own order, and there is an end. What was read is found again by the filters.
func TestFetchPageEveryType(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		types := map[dialect.Name][]typedColumn{dialect.SQLite: sqliteTypes, dialect.PG: postgresTypes, dialect.MySQL: mysqlTypes}[db.Dialect().Name()]
		if databaseOf(db).server.AtLeast("MariaDB", 10, 7) {
			types = append(slices.Clone(types), mariaTypes...)
		}
		if db.Dialect().Name() == dialect.PG {
			typedObjects(t, db)
		}
		for i, c := range types {
			t.Run(fmt.Sprintf("%d %s", i, c.ddl), func(t *testing.T) {
				c.create(t, db)
				c.check(t, db)
			})
		}
	})
}

// typedObjects makes the types and collations that PostgreSQL has not got.
func typedObjects(t *testing.T, db *bun.DB) {
	for _, s := range []string{
		"DROP TABLE IF EXISTS page_typed", "DROP TYPE IF EXISTS page_mood", "DROP COLLATION IF EXISTS page_nocase",
		"CREATE TYPE page_mood AS ENUM ('sad', 'ok', 'happy')",
		"CREATE COLLATION page_nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
	} {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

func (c typedColumn) create(t *testing.T, db *bun.DB) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	run := func(s string) {
		_, err := conn.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
	if db.Dialect().Name() == dialect.MySQL {
		run("SET SESSION sql_mode = ''") // for zero dates
		defer run("SET SESSION sql_mode = DEFAULT")
	}
	run("DROP TABLE IF EXISTS page_typed")
	run("CREATE TABLE page_typed (id BIGINT PRIMARY KEY, v " + c.ddl + ")")
	t.Cleanup(func() {
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP TABLE page_typed")
		require.NoError(t, err)
	})
	for i, v := range c.values {
		run(fmt.Sprintf("INSERT INTO page_typed VALUES (%d, %s)", (i*7)%101, v))
	}
}

func checkTyped[V any](t *testing.T, db *bun.DB, filters bool) {
	for _, order := range []models.Order{
		{models.Asc("v")}, {models.Desc("v")}, {models.Asc("v").NullsLast()}, {models.Desc("v").NullsFirst()}, {models.Asc("v"), models.Desc("id")},
	} {
		want := typedOrder[V](t, db, order)
		for size := 1; size <= 3; size++ {
			require.Equal(t, want, pagesOf[V](t, db, order, size, false), "%v, %d a page", order, size)
			require.Equal(t, want, pagesOf[V](t, db, order, size, true), "backwards, %v, %d a page", order, size)
		}
	}
	if filters {
		checkFound[V](t, db)
	}
}

func typedOrder[V any](t *testing.T, db *bun.DB, order models.Order) (ids []int64) {
	t.Helper()
	if len(order) == 1 {
		order = append(slices.Clone(order), models.SortKey{Column: "id", Desc: order[0].Desc})
	}
	require.NoError(t, db.NewSelect().Model((*typedRow[V])(nil)).Column("id").Apply(models.OrderBy(order...)).Scan(t.Context(), &ids))
	return ids
}

func pagesOf[V any](t *testing.T, db *bun.DB, order models.Order, size int, back bool) (ids []int64) {
	t.Helper()
	for cursor, n := "", 0; ; n++ {
		require.Less(t, n, 40, "pages without an end: %v", ids)
		at := models.After(cursor)
		if back {
			at = models.Before(cursor)
		}
		page, err := models.FetchPage[typedRow[V]](t.Context(), db.NewSelect(), order, at, size)
		require.NoError(t, err, "after %v", ids)
		if cursor = page.Next; back {
			cursor = page.Prev
			slices.Reverse(page.Items)
		}
		for _, row := range page.Items {
			ids = append(ids, row.ID)
		}
		if cursor == "" {
			if back {
				slices.Reverse(ids)
			}
			return ids
		}
	}
}

// checkFound asks for each value that was read: its row is among those that are equal to it, and all others are before
// or behind, as the order has them.
func checkFound[V any](t *testing.T, db *bun.DB) {
	var rows []typedRow[V]
	require.NoError(t, db.NewSelect().Model(&rows).Apply(models.OrderBy(models.Asc("v"), models.Asc("id"))).Scan(t.Context()))
	ids := func(c models.Condition) (ids []int64) {
		t.Helper()
		q := db.NewSelect().Model((*typedRow[V])(nil)).Column("id").ApplyQueryBuilder(models.Where(c)).Apply(models.OrderBy(models.Asc("v"), models.Asc("id")))
		require.NoError(t, q.Scan(t.Context(), &ids), q)
		return ids
	}
	nulls := ids(models.IsNull("v"))
	all := ids(models.NotNull("v"))
	for _, row := range rows {
		if slices.Contains(nulls, row.ID) {
			continue
		}
		what := fmt.Sprintf("row %d, value %v", row.ID, row.V)
		equal := ids(models.Eq("v", row.V))
		require.Contains(t, equal, row.ID, what)
		require.Equal(t, equal, ids(models.In("v", row.V)), what)
		if at, ok := any(row.V).(time.Time); !ok || !at.IsZero() { // which is an open end
			require.Equal(t, equal, ids(models.Between("v", row.V, row.V)), what)
		}
		below, above := ids(models.Lt("v", row.V)), ids(models.Gt("v", row.V))
		require.Equal(t, all, slices.Concat(below, equal, above), "%s: %v below, %v equal, %v above", what, below, equal, above)
		require.Equal(t, slices.Concat(below, equal), ids(models.Le("v", row.V)), what)
		require.Equal(t, slices.Concat(equal, above), ids(models.Ge("v", row.V)), what)
		require.Equal(t, len(all)-len(equal), len(ids(models.Ne("v", row.V))), what)
	}
}

// defaultedRow has a time that the database sets, to whole seconds and in a form of its own.
type defaultedRow struct {
	bun.BaseModel `bun:"table:page_defaulted,alias:pd"`

	ID   int64 `bun:",pk,autoincrement"`
	Name string
	At   time.Time `bun:",nullzero,notnull,default:current_timestamp"`
}

// TestFetchPageByDefaultTime is the page of every list of the latest rows.
func TestFetchPageByDefaultTime(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*defaultedRow)(nil))
		rows := make([]defaultedRow, 6)
		_, err := db.NewInsert().Model(&rows).Exec(t.Context())
		require.NoError(t, err)
		for _, order := range []models.Order{{models.Asc("at")}, {models.Desc("at")}} {
			for size := 1; size <= 3; size++ {
				seen := map[int64]bool{}
				for cursor, n := "", 0; ; n++ {
					require.Less(t, n, 10, "pages without an end")
					page, err := models.FetchPage[defaultedRow](t.Context(), db.NewSelect(), order, models.After(cursor), size)
					require.NoError(t, err)
					for _, row := range page.Items {
						require.False(t, seen[row.ID], "row %d twice", row.ID)
						seen[row.ID] = true
					}
					if cursor = page.Next; cursor == "" {
						break
					}
				}
				require.Len(t, seen, 6)
			}
		}
		var read defaultedRow
		require.NoError(t, db.NewSelect().Model(&read).Limit(1).Scan(t.Context()))
		n, err := db.NewSelect().Model((*defaultedRow)(nil)).ApplyQueryBuilder(models.Where(models.Eq("at", read.At))).Count(t.Context())
		require.NoError(t, err)
		require.NotZero(t, n, "rows at the time that was read")
	})
}

// TestEqFindsTimesOfOthers asks SQLite for times in all the forms that its driver reads.
func TestEqFindsTimesOfOthers(t *testing.T) {
	db := newSQLite(t)
	forms := typedColumn{ddl: "TIMESTAMP", values: []string{
		"'2024-01-01 10:00:00'", "'2024-01-01 10:00:00+00:00'", "'2024-01-01 10:00:00.000'", "'2024-01-01T10:00:00Z'", "'2024-01-01T10:00:00.000Z'",
		"'2024-01-01T10:00:00'", "'2024-01-01T10:00:00+00:00'", "'2024-01-01 10:00:00Z'", "'2024-01-01 12:00:00+02:00'", "'2024-01-01 10:00'", "'2024-01-01 10:00:00 +0000 UTC'",
		"'2024-01-01 10:00:00.000001+00:00'", "'2024-01-01 09:59:59.999999+00:00'",
	}}
	forms.create(t, db)
	var rows []typedRow[time.Time]
	require.NoError(t, db.NewSelect().Model(&rows).Scan(t.Context()))
	require.Len(t, rows, len(forms.values))
	for i, row := range rows {
		var ids []int64
		require.NoError(t, db.NewSelect().Model((*typedRow[time.Time])(nil)).Column("id").
			ApplyQueryBuilder(models.Where(models.Eq("v", row.V))).Scan(t.Context(), &ids))
		require.Contains(t, ids, row.ID, "%s", forms.values[i])
	}
}

// TestFetchPageLongTexts orders by texts that are equal in all that MariaDB sorts by, the first max_sort_length bytes: rows that
// it would leave out are an error. Others compare what they order by.
func TestFetchPageLongTexts(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		long := strings.Repeat("a", 3000)
		c := typedColumn{ddl: "TEXT", values: []string{"'" + long + "c'", "'" + long + "b'", "'" + long + "d'", "'a'"}}
		c.create(t, db)
		page, err := models.FetchPage[typedRow[string]](t.Context(), db.NewSelect(), models.Order{models.Asc("v")}, models.Position{}, 1)
		require.NoError(t, err)
		require.Equal(t, "a", page.Items[0].V)
		page, err = models.FetchPage[typedRow[string]](t.Context(), db.NewSelect(), models.Order{models.Asc("v")}, models.After(page.Next), 1)
		if databaseOf(db).server.Product == "MariaDB" {
			var refused *models.PageError
			require.ErrorAs(t, err, &refused)
			require.ErrorContains(t, err, "does not compare a column's values as it orders them")
			return
		}
		require.NoError(t, err)
		require.Equal(t, long+"b", page.Items[0].V)
		require.Equal(t, []int64{21, 7, 0, 14}, pagesOf[string](t, db, models.Order{models.Asc("v")}, 1, false))
	})
}
