package mysqlbind_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
)

func connID(t *testing.T, e *binds.Engine) string { return value(t, e, "SELECT CONNECTION_ID()") }

// A connection on which the session may have changed does not come back from the pool, and one that
// only read does.
func TestReaderConnectionAfter(t *testing.T) {
	e := reader(t)
	onOne := map[*product]map[string]bool{
		mariaDB: {"SET STATEMENT max_statement_time = 1 FOR SELECT 1": true, "EXECUTE IMMEDIATE 'SELECT 1'": false},
		mySQL:   {"EXPLAIN ANALYZE SELECT 1": true, "PREPARE s FROM 'SELECT 1'": false},
	}[server()]
	procedure(t, "my_quiet", "DO 1")
	for query, stays := range with(onOne, map[string]bool{
		"SELECT 1":                          true,
		"SHOW TABLES":                       true,
		"CALL my_quiet()":                   false,
		"SET @x = 1":                        false,
		"USE app":                           false,
		"DO 1":                              false,
		"START TRANSACTION":                 false,
		"SET SESSION TRANSACTION READ ONLY": false,
	}) {
		before := connID(t, e)
		exec(t, e, query)
		assert.Equal(t, stays, before == connID(t, e), query)
	}
}

func with[M ~map[K]V, K comparable, V any](m, more M) M {
	maps.Copy(m, more)
	return m
}

func TestReaderErrorIsTyped(t *testing.T) {
	e := reader(t)
	_, err := e.DB().ExecContext(bounded(t), "FLUSH TABLES")
	var refused *mysqlbind.ReaderError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "FLUSH", refused.Statement)
	assert.EqualError(t, err, "mysqlbind: a reader does not run FLUSH: run it on the writer")
	before := connID(t, e)
	_, err = e.DB().PrepareContext(bounded(t), "START TRANSACTION READ WRITE")
	require.ErrorAs(t, err, &refused)
	_, err = e.DB().QueryContext(bounded(t), "SET "+server().readOnlyVariable+" = 0")
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, before, connID(t, e), "what was not sent cannot have hurt the connection")
}

// A writer runs what a reader refuses.
func TestWriterRefusesNothing(t *testing.T) {
	e := writer(t, "")
	table(t, e, "my_free", "id INT PRIMARY KEY")
	err := onConn(bounded(t), e, "SET SESSION TRANSACTION READ ONLY", "START TRANSACTION READ WRITE",
		"INSERT INTO my_free VALUES (1)", "COMMIT", "ANALYZE TABLE my_free", "SET SESSION TRANSACTION READ WRITE")
	require.NoError(t, err)
}

// A transaction on a reader is READ ONLY, even if the session's belt were off.
func TestReaderTransaction(t *testing.T) {
	e := reader(t)
	for _, opts := range []*sql.TxOptions{nil, {}, {ReadOnly: true}, {Isolation: sql.LevelSerializable}} {
		tx, err := e.DB().BeginTx(bounded(t), opts)
		require.NoError(t, err)
		_, err = tx.ExecContext(bounded(t), "CREATE TEMPORARY TABLE my_temp (id INT)")
		assert.Equal(t, binds.ReadOnly, e.Classify(err), "%v", err)
		require.NoError(t, tx.Rollback())
	}
	native, err := e.Native()
	require.NoError(t, err)
	_, err = native.ExecContext(bounded(t), "CREATE TEMPORARY TABLE my_temp (id INT)")
	assert.Equal(t, binds.ReadOnly, e.Classify(err), "the native pool has the belt too: %v", err)
}

// The belt holds when the replica under the session becomes a primary: FACTS B3.
func TestReaderAcrossPromotion(t *testing.T) {
	replica := cluster.Replicas[0]
	e := engine(t, replica.URI(), binds.As(binds.Reader), binds.WithPool(binds.Pool{MaxOpen: 1}))
	require.NoError(t, e.Ping(bounded(t)))
	require.NoError(t, replica.Exec(bounded(t), server().writable))
	defer func() {
		require.NoError(t, replica.Exec(context.WithoutCancel(t.Context()), server().readOnly))
	}()
	_, err := e.DB().ExecContext(bounded(t), "CREATE TABLE my_promoted (id INT)")
	var answer *mysql.MySQLError
	require.ErrorAs(t, err, &answer)
	assert.EqualValues(t, 1792, answer.Number)
}

// After a failed BEGIN nothing of it waits in the connection for the next transaction.
func TestFailedBeginLeavesNothing(t *testing.T) {
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 1}))
	before := connID(t, e)
	_, err := e.DB().BeginTx(bounded(t), &sql.TxOptions{Isolation: sql.LevelLinearizable})
	require.Error(t, err)
	assert.NotEqual(t, before, connID(t, e))
}

// A transaction whose end fails leaves its connection out of the pool.
func TestFailedCommitLeavesNothing(t *testing.T) {
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 1}))
	table(t, e, "my_demoted", "id INT PRIMARY KEY")
	tx, err := e.DB().BeginTx(bounded(t), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(bounded(t), "INSERT INTO my_demoted VALUES (1)")
	require.NoError(t, err)
	require.NoError(t, cluster.Primary.Exec(bounded(t), server().readOnly))
	err = tx.Commit()
	require.NoError(t, cluster.Primary.Exec(bounded(t), server().writable))
	assert.Equal(t, binds.ReadOnly, e.Classify(err), "a COMMIT on a demoted writer: %v", err)
	assert.Equal(t, "0", value(t, e, "SELECT COUNT(*) FROM my_demoted"))
}

// ExampleReaderError shows what a statement gets that would take a reader's belt off.
func ExampleReaderError() {
	var err error = &mysqlbind.ReaderError{Statement: "START TRANSACTION READ WRITE"}
	fmt.Println(err)
	fmt.Println(mysqlbind.Driver{}.Classify(err))
	// Output:
	// mysqlbind: a reader does not run START TRANSACTION READ WRITE: run it on the writer
	// read_only
}
