package observe_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

func TestSpanOfEachStatement(t *testing.T) {
	w := newWorld(t, 1)
	w.on(t, w.DBManager)
	b, err := w.Bind(accounts{})
	require.NoError(t, err)
	ctx, end := w.request(t)

	_, err = w.NewInsert(&user{Name: "ada"}).Exec(ctx)
	require.NoError(t, err)
	w.await(t)
	var users []user
	require.NoError(t, w.NewSelect(&users).Where("name = ?", "ada").Scan(ctx))
	require.Len(t, users, 1)
	var n int
	require.NoError(t, w.NewRaw(accounts{}, "SELECT count(*) FROM users").Scan(ctx, &n))
	_, err = w.NewSelect(&users).Count(ctx)
	require.NoError(t, err)
	require.NoError(t, b.Writer().NewSelect().Model(&users).Scan(ctx))
	require.NoError(t, b.Reader().NewSelect().Model(&users).Scan(ctx))
	require.NoError(t, w.NewSelect(&users).Scan(router.OnWriter(ctx)))
	require.NoError(t, b.Native().NewSelect().Model(&users).Scan(ctx))
	_, err = b.DB().ExecContext(ctx, "UPDATE users SET name = ? WHERE id = 1", "eve")
	require.NoError(t, err)
	end()

	assert.Equal(t, []string{
		"request",
		"  INSERT users accounts/writer writer write_query",
		"  SELECT users accounts/reader-1 reader plain_read",
		"  SELECT users accounts/reader-1 reader plain_read",
		"  SELECT users accounts/reader-1 reader plain_read",
		"  SELECT users accounts/writer writer writer_db",
		"  SELECT users accounts/reader-1 reader reader_db",
		"  SELECT users accounts/writer writer hint_writer",
		"  SELECT users accounts/writer writer native_db",
		"  UPDATE users accounts/writer writer unrouted",
	}, w.lines("bindery.engine", "bindery.role", "bindery.reason"))
	assert.Equal(t, []string{
		`bindery.bind=accounts`,
		`bindery.engine=accounts/writer`,
		`bindery.reason=write_query`,
		`bindery.role=writer`,
		`db.collection.name=users`,
		`db.operation.name=INSERT`,
		`db.query.summary=INSERT users`,
		`db.query.text=INSERT INTO "users" (?) VALUES (?) RETURNING ?`,
		`db.system.name=other_sql`,
	}, w.all(t, "INSERT users"))
	assert.NotZero(t, n)
}

func TestSpansOfTransactions(t *testing.T) {
	w := newWorld(t, 1)
	w.on(t, w.DBManager)
	b, err := w.Bind(accounts{})
	require.NoError(t, err)
	insert := func(ctx context.Context) error {
		_, err := w.NewInsert(&user{Name: "ada"}).Exec(ctx)
		return err
	}

	ctx, end := w.request(t)
	require.NoError(t, w.InTx(ctx, accounts{}, func(ctx context.Context) error {
		require.NoError(t, insert(ctx))
		require.NoError(t, w.InTx(ctx, accounts{}, insert))
		assert.Error(t, w.InTx(ctx, accounts{}, func(ctx context.Context) error {
			require.NoError(t, insert(ctx))
			return errors.New("only this")
		}))
		return nil
	}, manager.Name("sign-up")))
	end()
	assert.Equal(t, []string{
		"request",
		"  transaction committed sign-up",
		"    BEGIN transaction",
		"    INSERT users transaction",
		"    SAVEPOINT transaction",
		"    INSERT users transaction",
		"    RELEASE transaction",
		"    SAVEPOINT transaction",
		"    INSERT users transaction",
		"    ROLLBACK TO transaction",
		"    RELEASE transaction",
		"    COMMIT transaction",
	}, w.lines("bindery.reason", "bindery.transaction.outcome", "bindery.transaction.name"))
	assert.Equal(t, []string{
		`bindery.bind=accounts`,
		`bindery.engine=accounts/writer`,
		`bindery.role=writer`,
		`bindery.transaction.name=sign-up`,
		`bindery.transaction.outcome=committed`,
		`bindery.transaction.read_only=false`,
		`bindery.transaction.try=1`,
		`db.system.name=other_sql`,
	}, w.all(t, "transaction"))

	ctx, end = w.request(t)
	require.NoError(t, b.DB().RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&user{Name: "eve"}).Exec(ctx)
		return err
	}))
	end()
	assert.Equal(t, []string{
		"request",
		"  BEGIN unrouted",
		"  INSERT users unrouted",
		"  COMMIT unrouted",
	}, w.lines("bindery.reason"))
}
