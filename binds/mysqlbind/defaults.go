package mysqlbind

import (
	"context"
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
)

// errReadOnlyTx is ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION.
const errReadOnlyTx = 1792

// explainReadOnly names the variable that makes a writer's sessions read-only, if that and no statement of the transaction's own has made it so.
// The server takes the variable's global value for each new session.
func (c *conn) explainReadOnly(ctx context.Context, err error) error {
	var answer *mysql.MySQLError
	if c.reader || !errors.As(err, &answer) || answer.Number != errReadOnlyTx || !c.native.IsValid() {
		return err
	}
	name := "transaction_read_only"
	if c.session.mariaDB {
		name = "tx_read_only" // the one name before MariaDB 11.1
	}
	v, errAsk := oneRow(ctx, c.native, "SELECT @@"+name)
	if errAsk != nil || len(v) != 1 || v[0] != "1" {
		return err
	}
	return &binds.ReadOnlyDefaultError{
		Setting: name, Cure: "SET GLOBAL " + name + " = OFF, or take it out of my.cnf; a server that is meant to be read belongs under readers", Err: err,
	}
}
