package pgbind

import (
	"errors"
	"slices"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.PasswordRefuser = Driver{}

// RefusesPassword reports SQLSTATE 28P01 (invalid_password) and 28000 (invalid_authorization_specification), by which a server ends a log-in.
func (Driver) RefusesPassword(err error) bool {
	var answer pgdriver.Error
	return errors.As(err, &answer) && slices.Contains([]string{"28P01", "28000"}, answer.Field('C'))
}
