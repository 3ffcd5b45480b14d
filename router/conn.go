package router

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// Conn runs the statements of one bind, each on the engine where it belongs. It is Bun's IConn,
// made once for each bind, and safe for concurrent use.
type Conn struct {
	router *Router
	mode   mode
	writes bool    // the builder writes: the text need not be read
	pool   *sql.DB // for mode fixed
	why    Reason  // for mode fixed
}

var _ bun.IConn = (*Conn)(nil)

// QueryContext runs a statement that returns rows.
func (c *Conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s := scopeOf(ctx)
	reader, kind, reason, err := c.route(s, query)
	if err != nil {
		return nil, err
	}
	if reader == nil {
		c.note(s, nil, kind, reason, query)
		return c.writerPool().QueryContext(ctx, query, args...)
	}
	start := reader.begin()
	rows, err := reader.engine.DB().QueryContext(ctx, query, args...)
	if err != nil && c.unsent(ctx, reader, err) {
		return retry(c, s, reader, reason, query, err, func(e *binds.Engine) (*sql.Rows, error) {
			return e.DB().QueryContext(ctx, query, args...)
		})
	}
	reader.end(start)
	c.note(s, reader, kind, reason, query)
	return rows, err
}

// ExecContext runs a statement that returns no rows.
func (c *Conn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s := scopeOf(ctx)
	reader, kind, reason, err := c.route(s, query)
	if err != nil {
		return nil, err
	}
	if reader == nil {
		c.note(s, nil, kind, reason, query)
		return c.writerPool().ExecContext(ctx, query, args...)
	}
	start := reader.begin()
	res, err := reader.engine.DB().ExecContext(ctx, query, args...)
	if err != nil && c.unsent(ctx, reader, err) {
		return retry(c, s, reader, reason, query, err, func(e *binds.Engine) (sql.Result, error) {
			return e.DB().ExecContext(ctx, query, args...)
		})
	}
	reader.end(start)
	c.note(s, reader, kind, reason, query)
	return res, err
}

// QueryRowContext runs a statement that returns at most one row.
func (c *Conn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s := scopeOf(ctx)
	reader, kind, reason, err := c.route(s, query)
	if err != nil {
		return failedRow(ctx, err)
	}
	if reader == nil {
		c.note(s, nil, kind, reason, query)
		return c.writerPool().QueryRowContext(ctx, query, args...)
	}
	start := reader.begin()
	row := reader.engine.DB().QueryRowContext(ctx, query, args...)
	if err := row.Err(); err != nil && c.unsent(ctx, reader, err) {
		row, err = retry(c, s, reader, reason, query, err, func(e *binds.Engine) (*sql.Row, error) {
			row := e.DB().QueryRowContext(ctx, query, args...)
			return row, row.Err()
		})
		if row == nil {
			return failedRow(ctx, err)
		}
		return row
	}
	reader.end(start)
	c.note(s, reader, kind, reason, query)
	return row
}

// route decides where a statement runs: on a reader, or, where reader is nil, on the writer's pool.
func (c *Conn) route(s *scope, query string) (reader *Reader, kind sqlkind.Kind, reason Reason, err error) {
	r := c.router
	kind = c.kind(query)
	switch {
	case c.mode == fixed:
		return nil, kind, c.why, nil
	case c.mode == writerOnly:
		return nil, kind, WriterDB, nil
	case c.mode == readerOnly && kind == sqlkind.Write:
		return nil, kind, ReaderDB, &WriteOnReaderError{Bind: r.key}
	case c.writes:
		return nil, kind, WriteQuery, nil
	case kind == sqlkind.Write:
		return nil, kind, WriteText, nil
	case s.hint == onWriter && c.mode != readerOnly:
		return nil, kind, HintWriter, nil
	case len(r.readers) == 0 && r.strict:
		return nil, kind, NoReader, &NoReaderError{Bind: r.key}
	case len(r.readers) == 0:
		return nil, kind, NoReader, nil
	}
	reason = PlainRead
	if c.mode == readerOnly {
		reason = ReaderDB
	} else if s.hint == onReader {
		reason = HintReader
	}
	if len(r.readers) == 1 {
		return r.readers[0], kind, reason, nil
	}
	return r.policy.Pick(r.readers), kind, reason, nil
}

func (c *Conn) writerPool() *sql.DB {
	if c.pool != nil {
		return c.pool
	}
	return c.router.writer.DB()
}

// note tells the context's Route, if it has one. A nil reader stands for the writer.
func (c *Conn) note(s *scope, reader *Reader, kind sqlkind.Kind, reason Reason, query string) {
	if s.route == nil {
		return
	}
	d := Decision{Bind: c.router.key, Engine: c.router.writer.Name(), Kind: kind, Reason: reason, Query: query}
	if reader != nil {
		d.Engine, d.Role = reader.Name(), binds.Reader
	}
	s.route.note(d)
}
