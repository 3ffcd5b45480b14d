package mysqlbind

import (
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.PasswordRefuser = Driver{}

// accessDenied is ER_ACCESS_DENIED_ERROR, by which a server ends a log-in.
const accessDenied = 1045

// RefusesPassword reports the server's error 1045.
func (Driver) RefusesPassword(err error) bool {
	var answer *mysql.MySQLError
	return errors.As(err, &answer) && answer.Number == accessDenied
}
