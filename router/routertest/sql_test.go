package routertest_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

type user struct {
	bun.BaseModel `bun:"table:users"`

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

var errChangedMind = errors.New("changed my mind")

// Bun works on a cluster as on any database, and all that it does reaches the replica.
func TestBun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		e := writer(t, c)
		db := bun.NewDB(e.DB(), c.Dialect())
		replica := bun.NewDB(reader(t, c, 0).DB(), c.Dialect())
		ctx := t.Context()
		_, err := db.NewCreateTable().Model((*user)(nil)).Exec(ctx)
		require.NoError(t, err)

		ann := &user{Name: "Ann"}
		_, err = db.NewInsert().Model(ann).Exec(ctx) // with RETURNING
		require.NoError(t, err)
		assert.Equal(t, int64(1), ann.ID)
		res, err := db.NewUpdate().Model(ann).Set("name = 'Anne'").WherePK().Exec(ctx)
		require.NoError(t, err)
		n, err := res.RowsAffected()
		require.NoError(t, err)
		assert.Equal(t, int64(1), n)

		require.NoError(t, db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&user{Name: "Bob"}).Exec(ctx)
			require.NoError(t, err)
			err = tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { // a savepoint
				_, err := tx.NewInsert().Model(&user{Name: "Eve"}).Exec(ctx)
				require.NoError(t, err)
				return errChangedMind
			})
			require.ErrorIs(t, err, errChangedMind)
			return tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewInsert().Model(&user{Name: "Carl"}).Exec(ctx)
				return err
			})
		}))
		require.ErrorIs(t, db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewDelete().Model((*user)(nil)).Where("TRUE").Exec(ctx)
			require.NoError(t, err)
			return errChangedMind
		}), errChangedMind)

		for name, db := range map[string]*bun.DB{"primary": db, "replica": replica} {
			var users []user
			require.NoError(t, db.NewSelect().Model(&users).Order("id").Scan(ctx), name)
			assert.Equal(t, []user{{ID: 1, Name: "Anne"}, {ID: 2, Name: "Bob"}, {ID: 3, Name: "Carl"}}, users, name)
		}
		assert.Equal(t, routertest.Position(4), c.Primary().Position(), "create, insert, update, one transaction")
	})
}

// Nested transactions of readers need savepoints too.
func TestSavepointOnReplica(t *testing.T) {
	c := routertest.New(t, 1)
	run(t, writer(t, c), create)
	r := reader(t, c, 0)
	tx, err := r.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	for _, q := range []string{"SAVEPOINT a", "SELECT * FROM t", "ROLLBACK TO a", "RELEASE a"} {
		_, err := tx.ExecContext(t.Context(), q)
		require.NoError(t, err, q)
	}
	_, err = tx.ExecContext(t.Context(), insert)
	assert.Equal(t, binds.ReadOnly, r.Classify(err), "%v", err)
	require.NoError(t, tx.Commit())
	assert.Equal(t, routertest.Position(1), c.Replicas()[0].Position())
}

func TestPreparedStatement(t *testing.T) {
	c := routertest.New(t, 1)
	w, r := writer(t, c), reader(t, c, 0)
	_, err := w.DB().PrepareContext(t.Context(), "SELECT * FROM t")
	require.ErrorContains(t, err, "no such table", "a mistake is found when preparing")
	assert.Equal(t, binds.Refused, w.Classify(err))
	run(t, w, create)
	c.ResetStatements()

	add, err := w.DB().PrepareContext(t.Context(), "INSERT INTO t (id, n) VALUES (?, :n)")
	require.NoError(t, err)
	get, err := r.DB().PrepareContext(t.Context(), "SELECT n FROM t WHERE id = ?")
	require.NoError(t, err)
	for i := range 3 {
		res, err := add.ExecContext(t.Context(), i, sql.Named("n", 10*i))
		require.NoError(t, err)
		id, err := res.LastInsertId()
		require.NoError(t, err)
		assert.Equal(t, int64(i), id)
		var n int
		require.NoError(t, get.QueryRowContext(t.Context(), i).Scan(&n))
		assert.Equal(t, 10*i, n)
	}
	require.NoError(t, add.Close())
	require.NoError(t, get.Close())
	assert.Equal(t, 3, c.Primary().Served(), "preparing does not count")
	assert.Equal(t, 3, c.Replicas()[0].Served())
}

// Statements in one text are carried out all or none, and refused in the same way.
func TestManyStatements(t *testing.T) {
	c := routertest.New(t, 1)
	w := writer(t, c)
	run(t, w, "SELECT 1; "+create+"; "+insert+"; "+insert)
	_, err := w.DB().ExecContext(t.Context(), insert+"; INSERT INTO nope VALUES (1)")
	require.ErrorContains(t, err, "no such table")
	assert.Equal(t, 2, count(t, w.DB()))
	assert.Equal(t, 2, count(t, reader(t, c, 0).DB()))
	assert.Equal(t, routertest.Position(1), c.Primary().Position(), "one text is one entry")

	tx, err := w.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), insert+"; INSERT INTO t (id) VALUES (1)")
	assert.Equal(t, binds.Refused, w.Classify(err), "%v", err)
	_, err = tx.ExecContext(t.Context(), insert)
	require.NoError(t, err, "the transaction goes on without what failed")
	require.NoError(t, tx.Commit())
	assert.Equal(t, 3, count(t, w.DB()))
	assert.Equal(t, 3, count(t, reader(t, c, 0).DB()))
}

func TestForeignKeys(t *testing.T) {
	c := routertest.New(t, 0)
	w := writer(t, c)
	run(t, w, create, "CREATE TABLE child (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)")
	_, err := w.DB().ExecContext(t.Context(), "INSERT INTO child VALUES (1)")
	assert.Equal(t, binds.Refused, w.Classify(err), "%v", err)
	tx, err := w.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO child VALUES (1)")
	require.NoError(t, err)
	err = tx.Commit()
	assert.Equal(t, binds.Refused, w.Classify(err), "a COMMIT that fails has undone all: %v", err)
	run(t, w, insert, "INSERT INTO child VALUES (1)")
}

// Who may not write is told so by SQLite, whatever the text looks like.
func TestReadersRefuseWrites(t *testing.T) {
	c := routertest.New(t, 1)
	w := writer(t, c)
	run(t, w, create)
	onPrimary := open(t, c, c.WriterURI(), binds.Reader)
	onReplica := reader(t, c, 0)
	misled := open(t, c, c.ReaderURIs()[0], binds.Writer)
	for name, e := range map[string]*binds.Engine{
		"a reader on the primary": onPrimary, "a reader on a replica": onReplica, "a writer on a replica": misled,
	} {
		for _, q := range []string{
			insert, "INSERT INTO t (n) VALUES (1) RETURNING id", "DELETE FROM t WHERE FALSE", "DROP TABLE t", "CREATE TEMP TABLE x (n)",
			"SELECT 1; " + insert, "/* SELECT */ WITH w AS (SELECT 1) INSERT INTO t SELECT *, 1 FROM w", "PRAGMA user_version = 7",
		} {
			_, err := e.DB().ExecContext(t.Context(), q)
			assert.Equal(t, binds.ReadOnly, e.Classify(err), "%s: %s: %v", name, q, err)
			var n int
			err = e.DB().QueryRowContext(t.Context(), q).Scan(&n)
			assert.Equal(t, binds.ReadOnly, e.Classify(err), "%s: %s: %v", name, q, err)
		}
		_, err := e.DB().ExecContext(t.Context(), "PRAGMA QUERY_ONLY = 0")
		assert.Equal(t, binds.Refused, e.Classify(err), "%s: %v", name, err)
		_, err = e.DB().ExecContext(t.Context(), "COMMIT; BEGIN; "+insert)
		require.Error(t, err, name)
		assert.Equal(t, 0, count(t, e.DB()), name)
	}
	assert.Equal(t, routertest.Position(1), c.Primary().Position())
}
