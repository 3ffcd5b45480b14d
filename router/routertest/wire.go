package routertest

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"time"
)

// call is one round trip: run is what the server does. A context that ends on the way breaks the
// connection.
func (c *conn) call(ctx context.Context, run func() (*answer, error)) (*answer, error) {
	if c.isBroken() {
		return nil, driver.ErrBadConn
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := c.server.latencyNow()
	if err := c.travel(ctx, d/2); err != nil {
		return nil, err
	}
	a, err := run()
	var told injected
	if errors.As(err, &told) {
		if breaks(told.error) {
			c.Interrupt()
		}
		return nil, told.error
	}
	if err != nil && c.isBroken() {
		return nil, err // it says what broke
	}
	if err := c.travel(ctx, d-d/2); err != nil {
		return nil, err
	}
	return a, err
}

// send is a call that carries a statement.
func (c *conn) send(ctx context.Context, query string, run func() (*answer, error)) (*answer, error) {
	return c.call(ctx, func() (*answer, error) {
		lost, err := c.receive(ctx, query)
		if err != nil {
			return nil, err
		}
		a, err := run()
		if lost {
			c.Interrupt()
			return nil, injected{io.ErrUnexpectedEOF}
		}
		return a, err
	})
}

// travel lets d pass, unless the connection breaks or ctx ends.
func (c *conn) travel(ctx context.Context, d time.Duration) error {
	switch {
	case c.isBroken():
		return io.ErrUnexpectedEOF
	case d <= 0:
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	return waitFor(ctx, c, t.C)
}

// waitFor gives up the connection with its context.
func waitFor[T any](ctx context.Context, c *conn, until <-chan T) error {
	select {
	case <-until:
		return nil
	case <-c.broken:
		return io.ErrUnexpectedEOF
	case <-ctx.Done():
		c.Interrupt()
		return ctx.Err()
	}
}

// arrive waits until the server is not frozen, and locks its cluster if there is no error.
func (c *conn) arrive(ctx context.Context) error {
	s := c.server
	for {
		s.cluster.mu.Lock()
		thawed := s.thawed
		switch {
		case c.isBroken():
			s.cluster.mu.Unlock()
			return io.ErrUnexpectedEOF
		case thawed == nil:
			return nil
		}
		s.cluster.mu.Unlock()
		if err := waitFor(ctx, c, thawed); err != nil {
			return err
		}
	}
}
