package pgbind

import (
	"errors"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.TxBreaker = Driver{}

// BreaksTx reports every error that the server answered: it refuses what follows (25P02) until it is
// rolled back to a savepoint, or altogether. Do not try: pgdriver closes the connection at that answer.
// What ends the session, such as transaction_timeout, leaves no savepoint.
func (Driver) BreaksTx(err error) (breaks, whole bool) {
	var answer pgdriver.Error
	breaks = errors.As(err, &answer)
	return breaks, breaks && answer.Field('V') != severityError
}
