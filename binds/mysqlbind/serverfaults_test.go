package mysqlbind_test

import (
	"context"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/bindtest"
	"github.com/bindery-go/bindery/internal/teston"
)

// faultsOnBoth are what the suite cannot know of a server of the family.
var faultsOnBoth = []bindtest.FaultCase{
	{Reason: "a read-only transaction", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "START TRANSACTION READ ONLY", "INSERT INTO bindtest_fault VALUES (3, 3)")
	}, Want: binds.ReadOnly},
	{Reason: "a lock wait that times out", Do: lockWait, Want: binds.Retryable},
	{Reason: "a deadlock", Do: deadlock, Want: binds.Retryable},
	{Reason: "KILL QUERY", Do: func(ctx context.Context, e *binds.Engine) error {
		return killed(ctx, e, "KILL QUERY ")
	}, Want: binds.Canceled},
	{Reason: "KILL in the middle", Do: func(ctx context.Context, e *binds.Engine) error {
		return killed(ctx, e, "KILL ")
	}, Want: binds.Unknown},
	{Reason: "a context that ends", Do: func(ctx context.Context, e *binds.Engine) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_, err := e.DB().ExecContext(ctx, "SELECT 1")
		return err
	}, Want: binds.Unknown},
	{Reason: "a duplicate key in German", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "SET lc_messages = 'de_DE'", "INSERT INTO bindtest_fault VALUES (1, 1)")
	}, Want: binds.Refused},
	{Reason: "several statements in one", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "SELECT 1; DELETE FROM bindtest_fault")
	}, Want: binds.Refused},
}

// faultsHere are those of the servers that the tests run on.
func faultsHere() []bindtest.FaultCase {
	if teston.MySQLFamily() == teston.Galera { // whose nodes are equals: none is read-only
		return faultsOnBoth
	}
	return append([]bindtest.FaultCase{{Reason: "a read-only server", Do: func(ctx context.Context, _ *binds.Engine) error {
		return onReplica(ctx, "DELETE FROM bindtest_fault")
	}, Want: binds.ReadOnly}}, faultsOnBoth...)
}

var faultsOfMariaDB = []bindtest.FaultCase{
	// It answers as after a wait that timed out: one cannot tell the two apart.
	{Reason: "NOWAIT on a locked row", Do: nowait, Want: binds.Retryable},
	{Reason: "max_statement_time", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "SET STATEMENT max_statement_time = 0.05 FOR SELECT SLEEP(20) FROM bindtest_fault, "+series(9, "a"))
	}, Want: binds.Canceled},
	{Reason: "LOAD DATA LOCAL", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE bindtest_fault")
	}, Want: binds.Unclassified},
}

var faultsOfMySQL = []bindtest.FaultCase{
	{Reason: "NOWAIT on a locked row", Do: nowait, Want: binds.Retryable},
	{Reason: "max_execution_time", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "SELECT /*+ MAX_EXECUTION_TIME(50) */ COUNT(*) FROM "+series(1000, "a")+", "+series(1000, "b")+", "+series(1000, "c"))
	}, Want: binds.Canceled},
	{Reason: "a deadlock of named locks", Do: lockDeadlock, Want: binds.Retryable},
	{Reason: "the name of a lock that is too long", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "DO GET_LOCK(REPEAT('n', 65), 0)")
	}, Want: binds.Refused},
	{Reason: "LOAD DATA LOCAL", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE bindtest_fault")
	}, Want: binds.Refused}, // by the server: local_infile is off
}
