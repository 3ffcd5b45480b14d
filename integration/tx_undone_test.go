package integration_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// TestUndoneByTheServer: a transaction that InnoDB has rolled back by itself, and whose function goes on, is never
// taken for committed, in InTx as in a plain transaction of Bun's.
func TestUndoneByTheServer(t *testing.T) {
	teston.Only(t, teston.MariaDB, teston.MySQL)
	for name, start := range clusters(teston.MariaDB, teston.MySQL) {
		t.Run(name, func(t *testing.T) {
			const tight = "6M"
			c := start(t, integration.WithSetting("innodb_buffer_pool_size", tight))
			b := &bench{kind: serverKind(name, "@@port"), cluster: c}
			b.DBManager = openManager(t, config(map[string]string{"shop": c.Primary.URI()}, nil, "pool = { max_open = 130 }"))
			for _, model := range []any{(*item)(nil), (*wallet)(nil)} {
				_, err := b.NewCreateTable(model).Exec(t.Context())
				require.NoError(t, err)
			}
			v := c.Primary.Version()
			t.Run("a row that changed", func(t *testing.T) { testUndoneByARival(t, b, v.AtLeast("MariaDB", 11, 6, 2)) })
			t.Run("a failed INSERT without checks", func(t *testing.T) { testUndoneWithoutChecks(t, b, v.Product == "MariaDB") })
			t.Run("want of locks", func(t *testing.T) { testUndoneForWantOfLocks(t, b) })
		})
	}
}

// overlooks runs a transaction that writes a row, overlooks the error of fail, and writes another one. It reports
// how the transaction ended, and how many of the rows are there.
func (b *bench) overlooks(t *testing.T, plain bool, fail func(ctx context.Context, db bun.IDB) error) (rows int64, err error) {
	t.Helper()
	name := t.Name()
	do := func(ctx context.Context, db bun.IDB) error {
		_, err := db.NewInsert().Model(&item{Name: name}).Exec(ctx)
		require.NoError(t, err)
		require.Error(t, fail(ctx, db))
		_, _ = db.NewInsert().Model(&item{Name: name}).Exec(ctx)
		return nil
	}
	db := b.bind(t).DB()
	if plain {
		err = db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error { return do(ctx, tx) })
	} else {
		err = b.InTx(t.Context(), shop{}, func(ctx context.Context) error { return do(ctx, db) })
	}
	return b.rowsOf(t.Context(), t, "name = ?", name), err
}

// assertUndone has a transaction overlook an error, in both forms.
func (b *bench) assertUndone(t *testing.T, undone bool, fail func(ctx context.Context, db bun.IDB) error) {
	t.Helper()
	for _, plain := range []bool{false, true} {
		rows, err := b.overlooks(t, plain, fail)
		if !undone {
			require.NoError(t, err)
			assert.EqualValues(t, 2, rows, "it goes on")
			_, err = b.NewDelete((*item)(nil)).Where("name = ?", t.Name()).Exec(t.Context())
			require.NoError(t, err)
			continue
		}
		require.Error(t, err, "plain: %v", plain)
		if !plain {
			var aborted *router.TxAbortedError
			require.ErrorAs(t, err, &aborted)
			require.Error(t, aborted.Cause)
		}
		require.NotErrorIs(t, err, router.ErrOutcomeUnknown)
		assert.Zero(t, rows, "nothing of it is left: %v", err)
	}
}

// testUndoneByARival: MariaDB since 11.6.2 refuses to lock a row that changed since the transaction first read.
func testUndoneByARival(t *testing.T, b *bench, isolates bool) {
	_, err := b.NewInsert(&wallet{ID: 1}).Exec(t.Context())
	require.NoError(t, err)
	raise := func(ctx context.Context, db bun.IDB) error {
		_, err := db.NewUpdate().Model((*wallet)(nil)).Set("tenths = tenths + 1").Where("id = 1").Exec(ctx)
		return err
	}
	overtaken := func(ctx context.Context, db bun.IDB) error {
		if err := db.NewSelect().Model(new(wallet)).Where("id = 1").Scan(ctx); err != nil {
			return err
		}
		return raise(t.Context(), b.bind(t).DB())
	}
	lock := func(ctx context.Context, db bun.IDB) error {
		return db.NewSelect().Model(new(wallet)).Where("id = 1").For("UPDATE").Scan(ctx)
	}
	if isolates {
		b.assertUndone(t, true, func(ctx context.Context, db bun.IDB) error {
			require.NoError(t, overtaken(ctx, db))
			return lock(ctx, db)
		})
	}

	// The README's recipe: the lock first in its transaction, or Retry.
	db := b.bind(t).DB()
	require.NoError(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error { return lock(ctx, db) }))
	tries := 0
	err = b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		if tries++; tries == 1 {
			require.NoError(t, overtaken(ctx, db))
		}
		if err := lock(ctx, db); err != nil {
			return err
		}
		return raise(ctx, db)
	}, manager.Retry(3))
	require.NoError(t, err)
	assert.Equal(t, map[bool]int{true: 2, false: 1}[isolates], tries)
	var w wallet
	require.NoError(t, b.NewSelect(&w).Where("id = 1").Scan(t.Context()))
	assert.EqualValues(t, map[bool]int64{true: 4, false: 2}[isolates], w.Tenths, "each charge counts once")
}

// testUndoneWithoutChecks: a session of a load script, as mysqldump writes them.
func testUndoneWithoutChecks(t *testing.T, b *bench, discards bool) {
	ctx := t.Context()
	_, err := b.NewRaw(shop{}, "CREATE TABLE loaded (id INT PRIMARY KEY)").Exec(ctx)
	require.NoError(t, err)
	b.assertUndone(t, discards, func(ctx context.Context, db bun.IDB) error {
		for _, q := range []string{
			"SET unique_checks = 0, foreign_key_checks = 0", "DELETE FROM loaded", "INSERT INTO loaded VALUES (1)", "INSERT INTO loaded VALUES (2)",
		} {
			_, err := db.NewRaw(q).Exec(ctx)
			require.NoError(t, err, q)
		}
		_, err := db.NewRaw("INSERT INTO loaded VALUES (1)").Exec(ctx)
		return err
	})
}

// testUndoneForWantOfLocks fills the room that InnoDB has for locks, a part of its buffer pool.
func testUndoneForWantOfLocks(t *testing.T, b *bench) {
	const rows, holders = 1024, 104 // with some more, the servers end themselves
	ctx := t.Context()
	db := b.bind(t).Writer()
	for _, name := range []string{"locked", "wide"} {
		_, err := db.NewRaw("CREATE TABLE ? (id INT PRIMARY KEY AUTO_INCREMENT, pad VARCHAR(7000) CHARACTER SET latin1)", bun.Ident(name)).Exec(ctx)
		require.NoError(t, err)
	}
	series := fmt.Sprintf("JSON_TABLE(CONCAT('[0', REPEAT(',0', %d), ']'), '$[*]' COLUMNS (n FOR ORDINALITY)) AS a", rows-1)
	_, err := db.NewRaw("INSERT INTO locked (pad) SELECT REPEAT('x', 7000) FROM " + series).Exec(ctx)
	require.NoError(t, err)
	for range holders {
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(t, err)
		defer func() { assert.NoError(t, tx.Rollback()) }()
		require.NoError(t, tx.NewRaw("SELECT COUNT(*) FROM locked WHERE pad = 'y' LOCK IN SHARE MODE").Scan(ctx, new(int)))
	}
	b.assertUndone(t, true, func(ctx context.Context, db bun.IDB) error {
		_, err := db.NewRaw("INSERT INTO wide (pad) SELECT REPEAT('y', 7000) FROM locked LIMIT 20").Exec(ctx)
		require.ErrorContains(t, err, "1206")
		return err
	})
}
