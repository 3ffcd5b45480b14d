package mysqlbind

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/go-sql-driver/mysql"
)

const (
	errNeedReprepare = 1615 // ER_NEED_REPREPARE: the server itself has tried three times
	errNoStatement   = 1243 // ER_UNKNOWN_STMT_HANDLER: a reset of the session, or a proxy's other one
)

// isOutdated reports an answer by which the server has refused to run a prepared statement, because what it was prepared for is
// there no more. A procedure may have done something before one of its own statements met that.
func (s *stmt) isOutdated(err error) bool {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) || answer.Number != errNeedReprepare && answer.Number != errNoStatement {
		return false
	}
	l := lexer{text: s.query}
	word := l.word()
	return !is(word, "CALL") && !is(word, "EXECUTE") && !is(word, "BEGIN")
}

// run runs the statement, and once more, prepared anew, if it was outdated. In a transaction, too: the error has undone nothing.
func (s *stmt) run(ctx context.Context, once func() error) error {
	err := once()
	if err == nil || !s.isOutdated(err) {
		return err
	}
	fresh, prepared := s.conn.native.PrepareContext(ctx, s.query)
	if prepared != nil {
		return prepared
	}
	native, ok := fresh.(nativeStmt)
	if !ok {
		return errors.Join(err, fresh.Close())
	}
	_ = s.nativeStmt.Close() // the server may not know it any more, and answers nothing
	s.nativeStmt = native
	return once()
}

func (s *stmt) exec(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.run(ctx, func() error {
		res, err = s.nativeStmt.ExecContext(ctx, args)
		return err
	})
	return res, err
}
