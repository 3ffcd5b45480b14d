package mysqlbind

import (
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
)

// faults are the errors of the servers that prove something else than binds.Refused. The names are those
// of MySQL's "Server Error Message Reference" and MariaDB's "MariaDB Error Codes".
var faults = map[uint16]binds.Fault{
	1290: binds.ReadOnly, // ER_OPTION_PREVENTS_STATEMENT, see isReadOnlyServer
	1792: binds.ReadOnly, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
	1836: binds.ReadOnly, // ER_READ_ONLY_MODE: innodb_read_only

	1205: binds.Retryable, // ER_LOCK_WAIT_TIMEOUT; MariaDB's answer to NOWAIT, too
	1213: binds.Retryable, // ER_LOCK_DEADLOCK
	1020: binds.Retryable, // ER_CHECKREAD: MariaDB with innodb_snapshot_isolation
	3058: binds.Retryable, // ER_USER_LOCK_DEADLOCK: MySQL's GET_LOCK; MariaDB gives 1213
	3101: binds.Retryable, // ER_TRANSACTION_ROLLBACK_DURING_COMMIT: MySQL group replication

	3572: binds.Retryable, // ER_LOCK_NOWAIT

	1317: binds.Canceled, // ER_QUERY_INTERRUPTED
	1969: binds.Canceled, // ER_STATEMENT_TIMEOUT: MariaDB's max_statement_time
	3024: binds.Canceled, // ER_QUERY_TIMEOUT: MySQL's max_execution_time

	1040: binds.Busy, // ER_CON_COUNT_ERROR: max_connections
	1047: binds.Busy, // ER_UNKNOWN_COM_ERROR: a Galera node that is not ready says so
	1053: binds.Busy, // ER_SERVER_SHUTDOWN; Unknown as the answer to COMMIT
	1203: binds.Busy, // ER_TOO_MANY_USER_CONNECTIONS
	1226: binds.Busy, // ER_USER_LIMIT_REACHED
	3032: binds.Busy, // ER_SERVER_OFFLINE_MODE
	6400: binds.Busy, // the same with a reason: MySQL group replication

	1180: binds.Unknown, // ER_ERROR_DURING_COMMIT, see isConflict
	1927: binds.Unknown, // ER_CONNECTION_KILLED: MariaDB; a COMMIT may have been done
	3169: binds.Unknown, // ER_SESSION_WAS_KILLED: MySQL

	4031: binds.NotSent, // ER_CLIENT_INTERACTION_TIMEOUT: said instead of an answer, idle for too long, see idleError
}

// Classify says what err proves.
//
// An answer of the server outside the table above it is binds.Refused: it did nothing. That holds for
// InnoDB; a table of an engine without transactions keeps the rows that a statement changed before
// it failed. It holds for COMMIT too: InnoDB answers a COMMIT with an error when it has not been
// done, 1290 from a server made read-only meanwhile and 3100 of a member that leaves its group included, except 1180, which
// tells nothing but with MySQL's error 149: then it was in conflict with another member's transaction, and not done. After
// 1205 the server has undone the statement but not the transaction: roll it back before
// trying again. 1053 while a COMMIT runs does not tell whether it was done.
//
// A lock that was not had is binds.Retryable, at once by NOWAIT (3572 on MySQL, 1205 on MariaDB) as after a wait (1205):
// the transaction may run again, and does if its caller asked for that.
//
// A context error is binds.Unknown: the connection is closed and the statement killed, but the
// server may have been quicker.
func (Driver) Classify(err error) binds.Fault {
	var gone *RolledBackError
	var tooLarge *PacketTooLargeError
	var reader *ReaderError
	var answer *mysql.MySQLError
	var connect *binds.ConnectError
	var cut *commitCutError
	var byDefault *binds.ReadOnlyDefaultError
	switch {
	case errors.As(err, &byDefault):
		return binds.Refused
	case errors.As(err, &cut):
		return binds.Unknown
	case errors.As(err, &gone):
		if (Driver{}).Classify(gone.Err) == binds.Retryable {
			return binds.Retryable
		}
		return binds.Refused
	case errors.As(err, &tooLarge):
		return binds.Refused
	case errors.As(err, &reader):
		return binds.ReadOnly
	case errors.As(err, &answer):
		return classifyAnswer(answer, errors.As(err, &connect))
	case errors.As(err, &connect):
		return binds.NotSent
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, mysql.ErrMalformPkt),
		errors.Is(err, mysql.ErrPktSync), errors.Is(err, mysql.ErrPktSyncMul):
		return binds.Unknown
	}
	return binds.ClassifyCommon(err)
}

// classifyAnswer classifies what the server said, perhaps while connecting: then no statement was
// sent, and only a full or stopping server is worth telling apart.
func classifyAnswer(answer *mysql.MySQLError, connecting bool) binds.Fault {
	f, special := faults[answer.Number]
	switch {
	case connecting && f != binds.Busy:
		return binds.NotSent
	case !special, answer.Number == 1290 && !isReadOnlyServer(answer):
		return binds.Refused
	case answer.Number == errDuringCommit && isConflict(answer):
		return binds.Retryable
	}
	return f
}

// isConflict tells MySQL's error 149, HA_ERR_LOCK_DEADLOCK, from the other reasons that a COMMIT has to fail. Its text is
// "Got error 149 - 'Lock deadlock; Retry transaction' during COMMIT", and MariaDB's has no dash.
func isConflict(answer *mysql.MySQLError) bool {
	before, _, found := strings.Cut(answer.Message, "149 - '")
	return found && !strings.ContainsAny(before, "0123456789")
}

// isReadOnlyServer tells read_only from the other options that give 1290, such as secure_file_priv. The
// option stands in the message whatever its language.
func isReadOnlyServer(answer *mysql.MySQLError) bool {
	return strings.Contains(answer.Message, "read-only") || strings.Contains(answer.Message, "read_only")
}
