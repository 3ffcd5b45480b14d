package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Exec runs SQL text, which may hold several statements, as the administrator in the database app, on a
// new connection.
func (s *Server) Exec(ctx context.Context, sql string) error {
	return s.exec(ctx, appDatabase, sql)
}

// QueryString runs a query as the administrator in the database app, on a new connection, and returns the
// first column of the first row, "" if it is NULL. Without a row it returns [sql.ErrNoRows].
func (s *Server) QueryString(ctx context.Context, query string) (string, error) {
	var text string
	err := s.ask(ctx, appDatabase, "query", func(ctx context.Context, conn *sql.Conn) error {
		first, err := firstRow(ctx, conn, query)
		if err == nil && len(first) > 0 {
			text = first[0].text
		}
		return err
	})
	return text, err
}

// A value is a column of a row as text, "" if it is NULL.
type value struct{ column, text string }

// firstRow returns the first row of a query, or [sql.ErrNoRows].
func firstRow(ctx context.Context, conn *sql.Conn, query string) ([]value, error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if !rows.Next() {
		return nil, errors.Join(rows.Err(), sql.ErrNoRows)
	}
	texts, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range texts {
		into[i] = &texts[i]
	}
	err = rows.Scan(into...)
	row := make([]value, len(columns))
	for i := range row {
		row[i] = value{columns[i], texts[i].String}
	}
	return row, err
}

func (s *Server) exec(ctx context.Context, database string, statements ...string) error {
	return s.ask(ctx, database, "execute SQL on", func(ctx context.Context, conn *sql.Conn) error {
		for _, statement := range statements {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// ask opens one connection for the use of do.
func (s *Server) ask(ctx context.Context, database, op string, do func(context.Context, *sql.Conn) error) error {
	if _, err := s.current(); err != nil {
		return s.failed(op, err)
	}
	ctx, cancel := within(ctx)
	defer cancel()
	db := sql.OpenDB(s.cluster.system.connector(ctx, s, database))
	defer func() { _ = db.Close() }() // it holds one connection, whose work is done
	conn, err := db.Conn(ctx)
	if err == nil {
		err = do(ctx, conn)
		_ = conn.Close() // as above
	}
	if cause := ended(ctx); err != nil && cause != nil {
		// The driver tells of a broken connection; why it broke is what the caller must know.
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	return s.failed(op, err)
}

// ended is ctx.Err for an error that came from a socket: its deadline, set to that of ctx, passes a
// moment before ctx notices.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// ping reports whether the server answers within a moment.
func (s *Server) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return s.exec(ctx, s.cluster.system.anyDatabase(), "SELECT 1")
}
