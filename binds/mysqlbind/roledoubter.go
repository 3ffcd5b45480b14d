package mysqlbind

import (
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.RoleDoubter = Driver{}

// DoubtsRole reports 3100, ER_RUN_HOOK_ERROR: a member of a MySQL group did not carry out a COMMIT, since the transaction is
// larger than group_replication_transaction_size_limit, or since the member leaves the group. With semi-synchronous replication a
// server that is stopping gives it, too (seen on 9.7.4).
func (Driver) DoubtsRole(err error) bool {
	var answer *mysql.MySQLError
	return errors.As(err, &answer) && answer.Number == 3100
}
