package integration_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// A builder's errors name bind and engine, and mean the same on every kind of database; sql.ErrNoRows is itself.
func TestErrors_ofBuilders(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		require.NoError(t, b.add(ctx, "one"))
		check := func(ctx context.Context, err error, engine string) {
			t.Helper()
			var statement *router.StatementError
			require.ErrorAs(t, err, &statement)
			assert.Equal(t, binds.Key("shop"), statement.Bind)
			assert.Equal(t, "shop/"+engine, statement.Engine)
			assert.ErrorContains(t, err, fmt.Sprintf(`bind "shop", engine "shop/%s": `, engine))
		}
		taken := func(ctx context.Context) error {
			_, err := b.NewInsert(&item{ID: 1, Name: "two"}).Exec(ctx)
			return err
		}
		err := taken(ctx)
		check(ctx, err, "writer")
		v := binds.Violation(err)
		require.NotNil(t, v)
		assert.Equal(t, binds.UniqueViolation, v.Cause)
		assert.True(t, binds.Is(err, binds.UniqueViolation))
		assert.False(t, binds.Is(err, binds.Deadlock))

		_, err = b.NewUpdate((*item)(nil)).Set("name = NULL").Where("id = 1").Exec(ctx)
		check(ctx, err, "writer")
		assert.Equal(t, []string{"name"}, binds.Violation(err).Columns)

		err = b.NewRaw(shop{}, "SELECT nothing FROM nowhere").Scan(ctx, new(int))
		var statement *router.StatementError
		require.ErrorAs(t, err, &statement)
		assert.Nil(t, binds.Violation(err))
		assert.NotNil(t, binds.ReadError(err))

		err = b.InTx(ctx, shop{}, func(ctx context.Context) error {
			err := taken(ctx)
			check(ctx, err, "writer")
			return err
		})
		assert.True(t, binds.Is(err, binds.UniqueViolation), "%v", err)

		var got item
		err = b.NewSelect(&got).Where("id = 99").Scan(ctx)
		assert.True(t, err == sql.ErrNoRows, "%v", err)
		ended, stop := context.WithCancel(ctx)
		stop()
		assert.ErrorIs(t, b.NewSelect(&got).Scan(ended), context.Canceled)
	})
}
