package mysqlbind

import (
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.UndefinedClassifier = Driver{}

// IsUndefined knows the codes of MySQL's "Server Error Message Reference" and MariaDB's "MariaDB Error Codes".
func (Driver) IsUndefined(err error) bool {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Number {
	case 1049, // ER_BAD_DB_ERROR
		1054, // ER_BAD_FIELD_ERROR
		1146, // ER_NO_SUCH_TABLE
		1305, // ER_SP_DOES_NOT_EXIST
		1630: // ER_FUNC_INEXISTENT_NAME_COLLISION
		return true
	}
	return false
}
