package mysqlbind_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

const checksOff = "SET unique_checks = 0, foreign_key_checks = 0"

// undoing is a transaction of a program that overlooks an error: it writes row 1, does what fails, writes row 2,
// and commits.
type undoing struct {
	reason string
	before []string // in the session, before the transaction
	within []string // the last one fails
	number uint16   // of its error; 0: any
	rows   string   // that are there in the end, if the server keeps the transaction
	kept   bool
}

// run runs an undoing on a connection of e. Fill is what makes the last statement fail, if anything has to.
func (u *undoing) run(t *testing.T, e *binds.Engine, fill func(tx *sql.Tx)) {
	ctx := bounded(t)
	exec(t, e, "DELETE FROM my_kept", "TRUNCATE TABLE my_bulk")
	conn, err := e.DB().Conn(ctx)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	for _, q := range u.before {
		_, err := conn.ExecContext(ctx, q)
		require.NoError(t, err, q)
	}
	defer func() {
		_, err := conn.ExecContext(ctx, "SET unique_checks = 1, foreign_key_checks = 1")
		require.NoError(t, err, "the connection is good")
	}()
	tx, err := conn.BeginTx(ctx, nil)
	require.NoError(t, err)
	write := func(id int) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO my_kept VALUES (%d)", id))
		return err
	}
	require.NoError(t, write(1))
	if fill != nil {
		fill(tx)
	}
	last := len(u.within) - 1
	for _, q := range u.within[:last] {
		_, err := tx.ExecContext(ctx, q)
		require.NoError(t, err, q)
	}
	_, err = tx.ExecContext(ctx, u.within[last])
	require.Error(t, err)
	if u.number != 0 {
		assert.Equal(t, u.number, number(t, err))
	}
	breaks, whole := mysqlbind.Driver{}.BreaksTx(err)
	assert.Equal(t, !u.kept, breaks, "%v", err)
	assert.Equal(t, !u.kept, whole)
	second := write(2)
	committed := tx.Commit()
	kept := value(t, e, "SELECT COALESCE(GROUP_CONCAT(id ORDER BY id), '') FROM my_kept")
	if u.kept {
		require.NoError(t, second)
		require.NoError(t, committed)
		assert.Equal(t, u.rows, kept)
		return
	}
	var gone *mysqlbind.RolledBackError
	require.ErrorAs(t, second, &gone)
	require.ErrorAs(t, committed, &gone, "never a COMMIT that lost rows")
	assert.Equal(t, number(t, err), number(t, committed), "it says what began it")
	assert.Contains(t, []binds.Fault{binds.Refused, binds.Retryable}, e.Classify(committed))
	assert.Empty(t, kept)
}

// keptTables makes what an undoing writes to: my_bulk is empty, as MariaDB's way to load tables wants it.
func keptTables(t *testing.T, e *binds.Engine) {
	table(t, e, "my_kept", "id INT PRIMARY KEY")
	table(t, e, "my_bulk", "id INT PRIMARY KEY, u INT UNIQUE, n INT NOT NULL DEFAULT 0")
	table(t, e, "my_full", "id INT PRIMARY KEY")
	exec(t, e, "INSERT INTO my_full VALUES (1), (2)")
}

// TestAFailedInsertWithoutChecks: where both checks are off, MariaDB discards the whole transaction at an INSERT that
// fails, and then calls COMMIT a success. It does so of transactions that have loaded an empty table; which one
// has, it does not tell.
func TestAFailedInsertWithoutChecks(t *testing.T) {
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 2}))
	keptTables(t, e)
	discards := server() == mariaDB
	for _, u := range []undoing{
		{reason: "a key that exists", before: []string{checksOff}, rows: "1,2",
			within: []string{"INSERT INTO my_bulk VALUES (1, 1, 1)", "INSERT INTO my_bulk VALUES (1, 2, 2)"}, number: 1062},
		{reason: "a key twice in one statement", before: []string{checksOff}, rows: "1,2",
			within: []string{"INSERT INTO my_bulk VALUES (1, 1, 1), (1, 2, 2)"}},
		{reason: "a key of another table", before: []string{checksOff}, rows: "1,2",
			within: []string{"INSERT INTO my_bulk VALUES (1, 1, 1)", "INSERT INTO my_full VALUES (1)"}, number: 1062},
		{reason: "NULL where none may be", before: []string{checksOff}, rows: "1,2",
			within: []string{"INSERT INTO my_bulk VALUES (1, 1, 1)", "INSERT INTO my_bulk VALUES (2, 2, NULL)"}, number: 1048},
		{reason: "behind a savepoint", before: []string{checksOff}, rows: "1,2",
			within: []string{"SAVEPOINT my", "INSERT INTO my_bulk VALUES (1, 1, 1)", "INSERT INTO my_bulk VALUES (1, 2, 2)"}, number: 1062},
		{reason: "set in the transaction", rows: "1,2",
			within: []string{checksOff, "INSERT INTO my_bulk VALUES (1, 1, 1)", "INSERT INTO my_bulk VALUES (1, 2, 2)"}, number: 1062},
	} {
		u.kept = !discards
		t.Run(u.reason, func(t *testing.T) { u.run(t, e, nil) })
	}
	one := undoing{kept: true, rows: "1,2", number: 1062,
		within: []string{"INSERT INTO my_bulk VALUES (1, 1, 1)", "INSERT INTO my_bulk VALUES (1, 2, 2)"}}
	t.Run("with both checks it goes on", func(t *testing.T) { one.run(t, e, nil) })
	one.before = []string{"SET unique_checks = 0"}
	t.Run("with one check it goes on", func(t *testing.T) { one.run(t, e, nil) })
}

func TestAFailedInsertWithSettingsOfItsOwn(t *testing.T) {
	onProduct(t, mariaDB, "SET STATEMENT")
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 2}))
	keptTables(t, e)
	u := undoing{within: []string{"SET STATEMENT unique_checks = 0, foreign_key_checks = 0 FOR INSERT INTO my_bulk VALUES (1, 1, 1), (1, 2, 2)"}}
	u.run(t, e, nil)
}

// TestAFailedInsertIsNoticedOnEveryWay has the error come from a prepared statement, and from behind a row.
func TestAFailedInsertIsNoticedOnEveryWay(t *testing.T) {
	onProduct(t, mariaDB, "RETURNING")
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 1}))
	keptTables(t, e)
	for reason, fail := range map[string]func(ctx context.Context, tx *sql.Tx) error{
		"prepared": func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO my_full VALUES (?)", 1)
			return err
		},
		"prepared before": func(ctx context.Context, tx *sql.Tx) error {
			s, err := tx.PrepareContext(ctx, "INSERT INTO my_full VALUES (?) RETURNING id")
			require.NoError(t, err)
			return s.QueryRowContext(ctx, 1).Scan(new(int))
		},
		"the first row": func(ctx context.Context, tx *sql.Tx) error {
			return tx.QueryRowContext(ctx, "INSERT INTO my_full VALUES (1) RETURNING id").Scan(new(int))
		},
		"a later row": func(ctx context.Context, tx *sql.Tx) error {
			rows, err := tx.QueryContext(ctx, "INSERT INTO my_full VALUES (3), (4), (1) RETURNING id, REPEAT('x', 100000)")
			require.NoError(t, err)
			for rows.Next() {
				continue
			}
			defer func() { _ = rows.Close() }() // it repeats the error
			return rows.Err()
		},
	} {
		t.Run(reason, func(t *testing.T) {
			ctx := bounded(t)
			tx, err := e.DB().BeginTx(ctx, nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(ctx, checksOff)
			require.NoError(t, err)
			_, err = tx.ExecContext(ctx, "INSERT INTO my_bulk VALUES (1, 1, 1)")
			require.NoError(t, err)
			err = fail(ctx, tx)
			var gone *mysqlbind.RolledBackError
			require.ErrorAs(t, err, &gone)
			assert.EqualError(t, gone, "mysqlbind: the whole transaction is rolled back, since MariaDB discards it at an INSERT that fails while "+
				"unique_checks and foreign_key_checks are off: "+gone.Err.Error())
			assert.EqualValues(t, 1062, number(t, err))
			require.ErrorAs(t, tx.Commit(), &gone)
			assert.EqualError(t, gone, "mysqlbind: the server has rolled back the transaction, begin it anew: "+gone.Err.Error())
			assert.Equal(t, "0", value(t, e, "SELECT COUNT(*) FROM my_bulk"))
			assert.Equal(t, "2", value(t, e, "SELECT COUNT(*) FROM my_full"))
		})
	}
}

// TestUndoneByADeadlock: InnoDB rolls the victim back as a whole.
func TestUndoneByADeadlock(t *testing.T) {
	e := writer(t, "")
	keptTables(t, e)
	rival, err := e.DB().BeginTx(bounded(t), nil)
	require.NoError(t, err)
	for i := range 20 { // the lighter transaction is the victim
		_, err = rival.ExecContext(bounded(t), fmt.Sprintf("INSERT INTO my_full VALUES (%d)", 10+i))
		require.NoError(t, err)
	}
	_, err = rival.ExecContext(bounded(t), "UPDATE my_full SET id = 3 WHERE id = 1")
	require.NoError(t, err)
	done := make(chan error, 1)
	u := undoing{within: []string{"SELECT id FROM my_full WHERE id = 2 FOR UPDATE", "UPDATE my_full SET id = 4 WHERE id = 1"}, number: 1213}
	u.run(t, e, func(tx *sql.Tx) {
		_, err := tx.ExecContext(bounded(t), u.within[0])
		require.NoError(t, err)
		go func() {
			_, err := rival.ExecContext(bounded(t), "UPDATE my_full SET id = 5 WHERE id = 2")
			done <- err
		}()
		require.Eventually(t, func() bool { return busy(t, "SET id = 5") == "1" }, patience, tick)
	})
	require.NoError(t, <-done)
	require.NoError(t, rival.Rollback())
}

// TestUndoneByARowThatChanged: MariaDB refuses to write a row that has changed since the transaction first read.
func TestUndoneByARowThatChanged(t *testing.T) {
	v := cluster.Primary.Version()
	e := writer(t, "")
	keptTables(t, e)
	isolates := v.AtLeast("MariaDB", 11, 6, 2)
	u := undoing{within: []string{"UPDATE my_full SET id = 7 WHERE id = 1"}, number: 1020}
	if !isolates {
		u.within, u.number, u.kept, u.rows = []string{"UPDATE my_full SET id = 7 WHERE id = 1", "SELEC"}, 1064, true, "1,2"
	}
	u.run(t, e, func(tx *sql.Tx) {
		require.NoError(t, tx.QueryRowContext(bounded(t), "SELECT COUNT(*) FROM my_full").Scan(new(int)))
		exec(t, e, "DELETE FROM my_full WHERE id = 1", "INSERT INTO my_full VALUES (1)")
	})
	want := map[bool]string{true: "1,2", false: "2,7"}
	assert.Equal(t, want[isolates], value(t, e, "SELECT GROUP_CONCAT(id ORDER BY id) FROM my_full"))
}

// TestALockWaitUndoesItsStatement alone, as the servers are set by default.
func TestALockWaitUndoesItsStatement(t *testing.T) {
	e := writer(t, "")
	keptTables(t, e)
	waitForLock(t, e, true)
}

// waitForLock has an undoing wait in vain for a lock.
func waitForLock(t *testing.T, e *binds.Engine, kept bool) {
	holder, err := e.DB().BeginTx(bounded(t), nil)
	require.NoError(t, err)
	_, err = holder.ExecContext(bounded(t), "UPDATE my_full SET id = 3 WHERE id = 1")
	require.NoError(t, err)
	u := undoing{before: []string{"SET innodb_lock_wait_timeout = 1"}, within: []string{"UPDATE my_full SET id = 4 WHERE id = 1"},
		number: 1205, kept: kept, rows: "1,2"}
	u.run(t, e, nil)
	require.NoError(t, holder.Rollback())
}

// TestUndoneOnAServerOfItsOwn needs settings of the whole server.
func TestUndoneOnAServerOfItsOwn(t *testing.T) {
	following(t)
	c := teston.StartMySQLFamily(t, 0,
		integration.WithSetting("innodb_rollback_on_timeout", "1"),
		integration.WithSetting("innodb_buffer_pool_size", "6M"))
	e := engine(t, c.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 130}))
	keptTables(t, e)
	t.Run("a lock wait", func(t *testing.T) { waitForLock(t, e, false) })
	t.Run("more locks than there is room for", func(t *testing.T) {
		fillLocks(t, e)
		u := undoing{within: []string{"INSERT INTO my_wide (pad) SELECT REPEAT('y', 7000) FROM my_locked LIMIT 20"}, number: 1206}
		u.run(t, e, nil)
	})
}

// fillLocks has transactions lock all of a table until there is no room to split a page any more. With some more, the
// servers end themselves.
func fillLocks(t *testing.T, e *binds.Engine) {
	const pages, holders = 512, 104
	for _, name := range []string{"my_locked", "my_wide"} {
		table(t, e, name, "id INT PRIMARY KEY AUTO_INCREMENT, pad VARCHAR(7000) CHARACTER SET latin1")
	}
	exec(t, e, "INSERT INTO my_locked (pad) SELECT REPEAT('x', 7000) FROM "+series(2*pages, "a"))
	var txs []*sql.Tx
	t.Cleanup(func() {
		for _, tx := range txs {
			assert.NoError(t, tx.Rollback())
		}
	})
	for range holders {
		tx, err := e.DB().BeginTx(context.WithoutCancel(t.Context()), nil)
		require.NoError(t, err)
		txs = append(txs, tx)
		require.NoError(t, tx.QueryRowContext(bounded(t), "SELECT COUNT(*) FROM my_locked WHERE pad = 'y' LOCK IN SHARE MODE").Scan(new(int)))
	}
}
