package mysqlbind

import (
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.TxBreaker = Driver{}

// BreaksTx reports the errors at which the whole transaction is rolled back: a deadlock (1213), more locks than there is
// room for (1206), MariaDB's 1020 under innodb_snapshot_isolation, a conflict in a MySQL group (1180, 3101), and what a
// [*RolledBackError] says. A lock wait that timed out (1205) undoes its statement alone, unless innodb_rollback_on_timeout
// is set.
func (Driver) BreaksTx(err error) (breaks, whole bool) {
	var gone *RolledBackError
	var answer *mysql.MySQLError
	switch {
	case errors.As(err, &gone):
		return true, true
	case errors.As(err, &answer):
		return undoesAll(answer.Number), undoesAll(answer.Number)
	}
	return false, false
}
