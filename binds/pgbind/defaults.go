package pgbind

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

// Settings of a login or a database (ALTER ROLE … SET, ALTER DATABASE … SET) yield to those of the start-up message.
//
// exact are settings for which values are read as they are stored. A pooler may refuse to be told of them: it is then not.
var exact = []parameter{
	{"extra_float_digits", "1"}, // all digits that a float has, manual section 20.11.2
	{"bytea_output", "hex"},
}

// onStandby is told where a login's default is SERIALIZABLE, in which a hot standby runs nothing (manual section 26.4.5), not even what asks
// whether it is one.
var onStandby = parameter{"default_transaction_isolation", "repeatable read"}

// attempts is how often a log-in is tried again with other settings: a pooler may refuse some, and a standby may need another.
const attempts = 2

// defaults is what is known of the settings of one source's sessions. Its zero value knows nothing.
type defaults struct {
	plain        atomic.Bool // a pooler stands between that refuses those that are exact
	serializable atomic.Bool // the default on a standby
}

// yields reports whether a log-in that failed is tried again, with other settings, and on a standby.
func (c *connector) yields(err error) (again, standby bool) {
	var answer pgdriver.Error
	if !errors.As(err, &answer) {
		return false, false
	}
	if name, refused := refusedParameter(answer); refused && !c.sessions.plain.Load() && slices.ContainsFunc(exact, func(p parameter) bool { return p.name == name }) {
		c.sessions.plain.Store(true)
		return true, false
	}
	if answer.Field('C') != codeNotSupported {
		return false, false
	}
	if c.role == binds.Reader {
		c.sessions.serializable.Store(true)
	}
	return true, true
}

const cureReadOnly = "ALTER ROLE … RESET default_transaction_read_only, or the same of the database or in postgresql.conf; " +
	"a login that is meant to read belongs under readers"

const defaultsQuestion = "SELECT current_setting('default_transaction_read_only'), pg_is_in_recovery()::text"

// explainReadOnly names the setting that makes a writer's sessions read-only, if that and neither the transaction nor the server is what
// refused a write. Servers before PostgreSQL 14 do not report it and are asked, outside transactions.
func (c *conn) explainReadOnly(ctx context.Context, err error) error {
	if c.role != binds.Writer || c.tx.readOnly {
		return err
	}
	w := c.wire
	isDefault := w.belt == isOn && w.standby != isOn
	if w.belt == unreported && w.status == statusIdle && w.owed == 0 {
		if w.begin(ctx, true) != nil {
			return err
		}
		var row [2]driver.Value
		rows, errAsk := c.pg.QueryContext(background, defaultsQuestion, nil)
		if errAsk == nil {
			errAsk = rows.Next(row[:])
			errAsk = errors.Join(errAsk, rows.Close())
		}
		w.socket.finish()
		isDefault = (errAsk == nil || errors.Is(errAsk, io.EOF)) && row[0] == "on" && row[1] == "false"
	}
	if !isDefault {
		return err
	}
	return &binds.ReadOnlyDefaultError{Setting: beltParameter, Cure: cureReadOnly, Err: err}
}
