package pgbind

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// A value that Go's time.Time has, or that is given as PostgreSQL writes it.
func TestQuery_readsTimesOfAnyYear(t *testing.T) {
	e := open(t, with(t, cluster.Primary.URI(), "timezone", "Europe/Berlin"), one)
	pid := value(t, e, pidQuery)
	for expr, want := range map[string]any{
		"'infinity'::timestamptz":                        "infinity",
		"'-infinity'::timestamptz":                       "-infinity",
		"'infinity'::timestamp":                          "infinity",
		"'infinity'::date":                               "infinity",
		"'-infinity'::date":                              "-infinity",
		"'0044-03-15 BC'::date":                          "0044-03-15 BC",
		"'12345-06-07'::date":                            "12345-06-07",
		"'0044-03-15 10:11:12.5 BC'::timestamp":          time.Date(-43, 3, 15, 10, 11, 12, 500_000_000, time.UTC),
		"'0001-12-31 00:00:00 BC'::timestamp":            time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC),
		"'4713-01-01 00:00:00 BC'::timestamp":            time.Date(-4712, 1, 1, 0, 0, 0, 0, time.UTC),
		"'10000-01-01 00:00:00'::timestamp":              time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		"'294276-12-31 23:59:59.999999'::timestamp":      time.Date(294276, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		"'294276-12-31 23:59:59.999999+00'::timestamptz": time.Date(294276, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		"'0044-03-15 10:11:12 UTC BC'::timestamptz":      time.Date(-43, 3, 15, 10, 11, 12, 0, time.UTC),
		"'0001-01-01 00:00:00+00'::timestamptz":          time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), // shown as a year BC by zones west of Greenwich
		"'2024-06-01 12:00:00.000001+00'::timestamptz":   time.Date(2024, 6, 1, 12, 0, 0, 1000, time.UTC),
		"'2024-06-01 12:00:00'::timestamp":               time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC),
	} {
		var got any
		require.NoError(t, e.DB().QueryRowContext(t.Context(), "SELECT "+expr).Scan(&got), expr)
		if at, ok := got.(time.Time); ok {
			got = at.UTC()
		}
		assert.Equal(t, want, got, expr)
		stmt, err := e.DB().PrepareContext(t.Context(), "SELECT "+expr)
		require.NoError(t, err)
		require.NoError(t, stmt.QueryRowContext(t.Context()).Scan(&got), expr)
		require.NoError(t, stmt.Close())
		if at, ok := got.(time.Time); ok {
			got = at.UTC()
		}
		assert.Equal(t, want, got, "prepared: %s", expr)
	}
	assert.Equal(t, pid, value(t, e, pidQuery), "the connection lives")
}

// What a destination cannot hold is the error of that row. Connection and transaction live, and a row of INSERT … RETURNING is there.
func TestQuery_ofAValueThatTheDestinationCannotHold(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	table(t, e, "ends (id int, at timestamptz)")
	pid := value(t, e, pidQuery)
	tx, err := e.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	var at time.Time
	err = tx.QueryRowContext(t.Context(), "INSERT INTO ends VALUES (1, 'infinity') RETURNING at").Scan(&at)
	assert.ErrorContains(t, err, `name "at"`)
	var text string
	require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT at FROM ends").Scan(&text), "the transaction lives")
	assert.Equal(t, "infinity", text)
	require.NoError(t, tx.Commit())
	assert.Equal(t, "1", value(t, e, "SELECT count(*) FROM ends"), "the row is there")
	assert.Equal(t, pid, value(t, e, pidQuery), "the connection lives")

	rows, err := e.DB().QueryContext(t.Context(), "SELECT n, CASE n WHEN 2 THEN 'infinity' ELSE '2024-01-01' END::timestamptz AS at FROM generate_series(1, 3) AS n")
	require.NoError(t, err)
	var seen []string
	for rows.Next() {
		var n int
		if err := rows.Scan(&n, &at); err != nil {
			assert.ErrorContains(t, err, `name "at"`)
			seen = append(seen, "error")
			continue
		}
		seen = append(seen, fmt.Sprint(n))
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, []string{"1", "error", "3"}, seen, "the rows after it are read")
}

// A session that writes floats with fewer digits rounds the largest ones up past what float64 holds.
func TestQuery_readsFloatsAndBytesOfAnySession(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	pid := value(t, e, pidQuery)
	var f float64
	for text, want := range map[string]float64{
		"'NaN'::float8": math.NaN(), "'Infinity'::float8": math.Inf(1), "'-Infinity'::float4": math.Inf(-1),
		"1.7976931348623157e308::float8": math.MaxFloat64, "5e-324::float8": math.SmallestNonzeroFloat64,
		"'3.4028235e38'::float4": math.MaxFloat32, "0.1::float8": 0.1, "'-0'::float8": math.Copysign(0, -1),
	} {
		require.NoError(t, e.DB().QueryRowContext(t.Context(), "SELECT "+text).Scan(&f), text)
		assert.Equal(t, math.Float64bits(want), math.Float64bits(f), text)
	}
	tx, err := e.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "SET LOCAL extra_float_digits = 0")
	require.NoError(t, err)
	err = tx.QueryRowContext(t.Context(), "SELECT 1.7976931348623157e308::float8 AS f").Scan(&f)
	assert.ErrorContains(t, err, `name "f"`)
	for _, output := range []string{"hex", "escape"} {
		_, err = tx.ExecContext(t.Context(), "SET LOCAL bytea_output = "+output)
		require.NoError(t, err)
		for hex, want := range map[string][]byte{
			`\x`: {}, `\x00`: {0}, `\x5c`: {'\\'}, `\x5c5c78`: []byte(`\\x`), `\x5c7830`: []byte(`\x0`), `\x41ff0a27c3`: {'A', 0xff, '\n', '\'', 0xc3},
		} {
			var b []byte
			require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT '"+hex+"'::bytea").Scan(&b), hex)
			assert.Equal(t, want, b, "%s: %s", output, hex)
		}
		var long []byte
		require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT decode(repeat('00ff5c', 5000), 'hex')").Scan(&long))
		assert.Equal(t, []byte(strings.Repeat("\x00\xff\\", 5000)), long)
	}
	require.NoError(t, tx.Commit())
	assert.Equal(t, pid, value(t, e, pidQuery), "the connection lives")
}

// table makes a table that the test's end drops.
func table(t *testing.T, e *binds.Engine, definition string) {
	t.Helper()
	exec(t, e, "CREATE TABLE "+definition)
	t.Cleanup(func() {
		name, _, _ := strings.Cut(definition, " ")
		_, err := admin.ExecContext(context.Background(), "DROP TABLE "+name)
		assert.NoError(t, err)
	})
}

// What else pgdriver's reading does not know: a text without a statement, several results, a notification, COPY, a long error.
func TestConnection_livesAfterAnswersThatPgdriverDoesNotKnow(t *testing.T) {
	for reason, run := range map[string]func(ctx context.Context, t *testing.T, tx *sql.Tx){
		"empty exec": func(ctx context.Context, t *testing.T, tx *sql.Tx) {
			res, err := tx.ExecContext(ctx, "-- nothing")
			require.NoError(t, err)
			n, err := res.RowsAffected()
			assert.NoError(t, err)
			assert.Zero(t, n)
		},
		"empty query": func(ctx context.Context, t *testing.T, tx *sql.Tx) {
			rows, err := tx.QueryContext(ctx, "")
			require.NoError(t, err)
			assert.False(t, rows.Next())
			assert.NoError(t, rows.Err())
		},
		"empty prepared statement": func(ctx context.Context, t *testing.T, tx *sql.Tx) {
			stmt, err := tx.PrepareContext(ctx, "")
			require.NoError(t, err)
			_, err = stmt.ExecContext(ctx)
			assert.NoError(t, err)
			assert.NoError(t, stmt.Close())
		},
		"several results": func(ctx context.Context, t *testing.T, tx *sql.Tx) {
			rows, err := tx.QueryContext(ctx, "SELECT 1; SELECT 2, 3; SELECT now() WHERE false")
			require.NoError(t, err)
			var got []int
			for rows.Next() {
				var n int
				require.NoError(t, rows.Scan(&n))
				got = append(got, n)
			}
			assert.Equal(t, []int{1}, got)
			assert.ErrorIs(t, rows.Err(), ErrSeveralResults)
		},
		"notification": func(ctx context.Context, t *testing.T, tx *sql.Tx) {
			_, err := tx.ExecContext(ctx, "LISTEN heard; NOTIFY heard, 'x'")
			assert.NoError(t, err)
		},
		"copy to": func(ctx context.Context, t *testing.T, tx *sql.Tx) {
			_, err := tx.ExecContext(ctx, "COPY (SELECT n FROM generate_series(1, 5000) AS n) TO STDOUT")
			assert.ErrorIs(t, err, ErrCopy)
		},
		"copy to, as a query": func(ctx context.Context, t *testing.T, tx *sql.Tx) {
			_, err := tx.QueryContext(ctx, "COPY (SELECT 1) TO STDOUT")
			assert.ErrorIs(t, err, ErrCopy)
		},
	} {
		t.Run(reason, func(t *testing.T) {
			e := open(t, cluster.Primary.URI(), one)
			tx, err := e.DB().BeginTx(t.Context(), nil)
			require.NoError(t, err)
			run(t.Context(), t, tx)
			var one int
			require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT 1").Scan(&one), "the transaction lives")
			require.NoError(t, tx.Commit())
			assert.Equal(t, "1", value(t, e, "SELECT 1"))
		})
	}
}

func TestConnection_livesAfterALongError(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	table(t, e, "longs (n int)")
	c, err := e.DB().Conn(t.Context())
	require.NoError(t, err)
	defer func() { assert.NoError(t, c.Close()) }()
	var before, after string
	require.NoError(t, c.QueryRowContext(t.Context(), pidQuery).Scan(&before))
	_, err = c.ExecContext(t.Context(), "DO $$BEGIN RAISE EXCEPTION '%', repeat('ä', 20000) USING ERRCODE = 'P0777'; END$$")
	assert.Equal(t, "P0777", codeOf(err))
	assert.ErrorContains(t, err, "äää")
	_, err = c.ExecContext(t.Context(), "COPY pg_class FROM STDIN")
	assert.Error(t, err)
	_, err = c.ExecContext(t.Context(), "COPY longs FROM STDIN")
	assert.ErrorIs(t, err, ErrCopy)
	_, err = c.QueryContext(t.Context(), "COPY longs FROM STDIN")
	assert.ErrorIs(t, err, ErrCopy)
	require.NoError(t, c.QueryRowContext(t.Context(), pidQuery).Scan(&after))
	assert.Equal(t, before, after, "the connection lives")
}

// What the server stops, and what it refuses in a failed transaction, costs a savepoint and no more.
func TestTransaction_goesBackToItsSavepoint(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	tx, err := e.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	run := func(query string) error {
		_, err := tx.ExecContext(t.Context(), query)
		return err
	}
	require.NoError(t, run("SAVEPOINT s"))
	require.NoError(t, run("SET LOCAL statement_timeout = 20"))
	assert.Equal(t, "57014", codeOf(run("DO 'BEGIN PERFORM pg_sleep(60); END'")))
	assert.Equal(t, "25P02", codeOf(run("SELECT 1")))
	_, err = tx.QueryContext(t.Context(), "SELECT 1")
	assert.Equal(t, "25P02", codeOf(err))
	require.NoError(t, run("ROLLBACK TO s"))
	require.NoError(t, run("SELECT 1"))
	require.NoError(t, tx.Commit())
}
