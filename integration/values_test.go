package integration_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/internal/teston"
)

type ending struct {
	bun.BaseModel `bun:"table:endings"`
	shop

	ID int64     `bun:",pk"`
	At time.Time `bun:"at"`
}

// oddTimes are, for each kind of database, a column's type, an expression for a value that is no time of Go's, and what a string destination
// has of it. MariaDB and MySQL have none: the zero date is Go's zero time.
var oddTimes = map[string]struct{ kind, expr, text string }{
	teston.SQLite:   {"TIMESTAMP", "'soon'", "soon"},
	teston.Postgres: {"timestamptz", "'infinity'", "infinity"},
	teston.MariaDB:  {"DATETIME", "'0000-00-00'", ""},
	teston.MySQL:    {"DATETIME", "'0000-00-00'", ""},
}

// A value that its destination cannot hold is the error of its row: the transaction lives, and the row of INSERT … RETURNING is there.
func TestValueThatTheDestinationCannotHold(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bench) {
		odd, ok := oddTimes[b.kind.name]
		if !ok {
			odd = oddTimes[teston.MySQL] // clusters of MySQL and MariaDB
		}
		ctx := t.Context()
		raw := func(ctx context.Context, query string) {
			t.Helper()
			_, err := b.NewRaw(shop{}, query).Exec(ctx)
			require.NoError(t, err, query)
		}
		raw(ctx, "CREATE TABLE endings (id BIGINT PRIMARY KEY, at "+odd.kind+")")
		require.NoError(t, b.InTx(ctx, shop{}, func(ctx context.Context) error {
			if odd.text == "" {
				raw(ctx, "SET sql_mode = ''")
			}
			raw(ctx, "INSERT INTO endings VALUES (1, '2024-06-01 12:00:00')")
			raw(ctx, "INSERT INTO endings VALUES (2, "+odd.expr+")")
			var got []ending
			err := b.NewSelect(&got).Order("id").Scan(ctx)
			if odd.text == "" {
				require.NoError(t, err)
				require.Len(t, got, 2)
				assert.True(t, got[1].At.IsZero())
			} else {
				assert.ErrorContains(t, err, `"at"`)
				var at sql.NullTime
				err = b.NewRaw(shop{}, "INSERT INTO endings VALUES (3, "+odd.expr+") RETURNING at").Scan(ctx, &at)
				assert.ErrorContains(t, err, `"at"`)
				var text string
				require.NoError(t, b.NewRaw(shop{}, "SELECT at FROM endings WHERE id = 3").Scan(ctx, &text), "the transaction lives, and the row is there")
				assert.Equal(t, odd.text, text)
			}
			raw(ctx, "UPDATE endings SET at = '2024-06-02 12:00:00' WHERE id = 1")
			return nil
		}))
		var first ending
		require.NoError(t, b.NewSelect(&first).Where("id = 1").Scan(ctx))
		assert.Equal(t, "2024-06-02", first.At.Format(time.DateOnly), "what was committed")
	})
}
