package mysqlbind_test

import "github.com/bindery-go/bindery/binds/bindtest"

// undoOnBoth tries to take the belt off a session.
var undoOnBoth = attempts(
	"START TRANSACTION READ WRITE",
	"BEGIN",
	"SET TRANSACTION READ WRITE",
	"SET SESSION TRANSACTION READ WRITE",
	"SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
	"SET autocommit = 0",
	"XA START 'my'",
	"COMMIT",
	"COMMIT AND CHAIN",
	"LOCK TABLES bindtest_belt READ",
	"USE app",
)

var undoOnMariaDB = append(attempts(
	"SET tx_read_only = OFF",
	"SET @@tx_read_only = DEFAULT",
	"SET SESSION `tx_read_only` = 0",
	"SET STATEMENT tx_read_only = 0 FOR SELECT 1",
	"BEGIN NOT ATOMIC SET SESSION TRANSACTION READ WRITE; END",
	"EXECUTE IMMEDIATE 'SET SESSION tx_read_only = 0'",
), bindtest.Attempt{Reason: "a text put together on the server", // it is hidden: the connection must not serve anybody else
	SQL: "EXECUTE IMMEDIATE CONCAT('SET SESSION tx_read', '_only = 0')"})

var undoOnMySQL = append(attempts(
	"SET transaction_read_only = OFF",
	"SET @@transaction_read_only = DEFAULT",
	"SET SESSION `transaction_read_only` = 0",
	"SET PERSIST_ONLY transaction_read_only = 0",
	"SELECT /*+ SET_VAR(transaction_read_only = 0) */ 1",
	"PREPARE s FROM 'SET SESSION transaction_read_only = 0'",
), bindtest.Attempt{Reason: "a procedure that does it", SQL: "CALL my_disarm()"}) // it is hidden: the connection must not serve anybody else

func attempts(statements ...string) (as []bindtest.Attempt) {
	for _, q := range statements {
		as = append(as, bindtest.Attempt{Reason: q, SQL: q, Pinned: true})
	}
	return as
}
