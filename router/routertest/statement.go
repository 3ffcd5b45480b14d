package routertest

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/bindery-go/bindery/binds"
)

// statement sends one text. Those that control transactions mean what they mean to BeginTx.
func (c *conn) statement(ctx context.Context, st statement) (*answer, error) {
	return c.send(ctx, st.query, func() (*answer, error) {
		switch control(st.query) {
		case begin:
			return c.begin(ctx, &tx{})
		case commit:
			return c.commit(ctx)
		case rollback:
			return c.rollback(ctx)
		case savepoint:
			return c.savepoint(ctx, st)
		}
		st.query = c.server.cluster.called(st.query)
		return c.execute(ctx, st)
	})
}

type controlling int

const (
	nothing controlling = iota
	begin
	commit
	rollback
	savepoint
)

// control says what a text does to its transaction.
func control(query string) controlling {
	words := strings.Fields(strings.ToUpper(strings.TrimRight(query, "; \t\r\n")))
	if len(words) == 0 {
		return nothing
	}
	switch words[0] {
	case "BEGIN":
		return begin
	case "COMMIT", "END":
		return commit
	case "SAVEPOINT", "RELEASE":
		return savepoint
	case "ROLLBACK":
		for _, w := range words {
			if w == "TO" {
				return savepoint
			}
		}
		return rollback
	}
	return nothing
}

// execute runs a statement as a read, and if SQLite says that it is none, as a write.
func (c *conn) execute(ctx context.Context, st statement) (*answer, error) {
	if strings.Contains(strings.ToLower(st.query), "query_only") {
		return nil, fmt.Errorf("%w: query_only belongs to the server", ErrRefused)
	}
	a, err := c.read(ctx, st)
	if isReadOnly(err) {
		return c.write(ctx, st)
	}
	return a, err
}

func (c *conn) read(ctx context.Context, st statement) (*answer, error) {
	if err := c.arrive(ctx); err != nil {
		return nil, err
	}
	s := c.server
	defer s.cluster.mu.Unlock()
	s.catchUpLocked()
	if c.tx != nil && c.tx.snapshot && c.tx.db == nil {
		if err := c.tx.copyLocked(s); err != nil {
			return nil, err
		}
	}
	if c.tx != nil && c.tx.db != nil {
		return c.tx.db.run(st)
	}
	return s.shownLocked().read(st)
}

func (c *conn) write(ctx context.Context, st statement) (*answer, error) {
	token, err := c.takeToken(ctx)
	if err != nil {
		return nil, err
	}
	s := c.server
	defer s.cluster.mu.Unlock()
	if c.tx == nil && !st.rows && s.commitWait > 0 {
		return c.writeAndWait(ctx, token, st)
	}
	if c.tx == nil && !st.rows {
		defer token.releaseLocked(s)
		a, err := s.db.apply(st)
		if err == nil {
			s.commitLocked(st)
		}
		return a, err
	}
	if c.tx == nil {
		c.tx = &tx{implicit: true}
	}
	c.tx.token.takeLocked(token)
	a, err := c.tx.writeLocked(s, st)
	if err != nil && c.tx.implicit {
		c.tx.discardLocked(s)
		c.tx = nil
	}
	return a, err
}

// takeToken waits until the connection may write, and locks the cluster if there is no error.
func (c *conn) takeToken(ctx context.Context) (token, error) {
	if err := c.arrive(ctx); err != nil {
		return false, err
	}
	s := c.server
	if err := c.mayWriteLocked(); err != nil {
		s.cluster.mu.Unlock()
		return false, err
	}
	if c.tx != nil && bool(c.tx.token) {
		return false, nil
	}
	s.cluster.mu.Unlock()
	select {
	case s.writing <- struct{}{}:
	case <-c.broken:
		return false, io.ErrUnexpectedEOF
	case <-ctx.Done():
		c.Interrupt()
		return false, ctx.Err()
	}
	if err := c.arrive(ctx); err != nil {
		<-s.writing
		return false, err
	}
	return true, nil
}

// mayWriteLocked refuses what belongs to the primary.
func (c *conn) mayWriteLocked() error {
	switch {
	case c.server.upstream != nil:
		return fmt.Errorf("%w: %s is a replica", ErrReadOnly, c.server.name)
	case c.role == binds.Reader:
		return fmt.Errorf("%w: a reader's connection to %s", ErrReadOnly, c.server.name)
	case c.tx != nil && c.tx.readOnly:
		return fmt.Errorf("%w: a read-only transaction on %s", ErrReadOnly, c.server.name)
	}
	return nil
}
