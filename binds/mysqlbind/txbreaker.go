package mysqlbind

import (
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.TxBreaker = Driver{}

// BreaksTx reports the errors at which InnoDB rolls back the whole transaction: a deadlock (1213), more locks than it has
// room for (1206), and MariaDB's 1020 under innodb_snapshot_isolation. A lock wait that timed out (1205) undoes its
// statement alone, unless innodb_rollback_on_timeout is set: leave that off, or do not go on after it.
func (Driver) BreaksTx(err error) (breaks, whole bool) {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) {
		return false, false
	}
	switch answer.Number {
	case 1213, 1206, 1020:
		return true, true
	}
	return false, false
}
