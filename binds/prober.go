package binds

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"time"
)

// ErrNoPosition reports a probe of an engine whose driver is no [Positioner].
var ErrNoPosition = errors.New("binds: the driver knows no positions")

// prober keeps one connection for questions to the server, so that a pool that is used up does not make its server
// look down. A connection that failed is dropped, and the next question makes a new one.
type prober struct {
	turn   chan struct{} // held during a probe; guards the rest
	conn   driver.Conn
	at     string    // the server that conn was found to lead to, "" if that was not asked
	born   time.Time // of conn
	broke  time.Time // when one failed last, or could not be made
	closed bool

	moved atomic.Bool           // the address leads elsewhere: conn is to be replaced
	keep  atomic.Pointer[keeps] // nil: any server at the address will do
}

// keeps is the one of several servers at an address that is to be asked.
type keeps struct {
	by     Positioner
	server string
}

func newProber() prober { return prober{turn: make(chan struct{}, 1)} }

// probeLife is the age at which the connection is replaced, so that probes follow an address that
// moved while the server before is still up.
const probeLife = time.Minute

func (p *prober) ask(ctx context.Context, c *connector, by Positioner) (probe Probe, err error) {
	err = p.use(ctx, c, p.keep.Load(), func(conn driver.Conn) (err error) {
		probe, err = ProbeConn(ctx, by, conn)
		return err
	})
	return probe, err
}

// use calls fn with the connection, one to the server that is to be kept to if there is one, and drops that if fn fails.
func (p *prober) use(ctx context.Context, c *connector, keep *keeps, fn func(driver.Conn) error) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done(): // while another probe waits for a server that hangs
		return ctx.Err()
	}
	if p.closed {
		return driver.ErrBadConn
	}
	if p.moved.Swap(false) || time.Since(p.born) > probeLife || keep != nil && p.at != keep.server {
		p.drop()
	}
	if p.conn == nil {
		conn, err := connectTo(ctx, c, keep)
		if err != nil {
			p.broke = time.Now()
			return err
		}
		p.conn, p.born, p.at = conn, time.Now(), ""
		if keep != nil {
			p.at = keep.server
		}
	}
	err := caught("Query", p.conn, func() error { return fn(p.conn) })
	if err != nil {
		p.broke = time.Now()
		p.drop()
	}
	return err
}

// connectTo makes a connection, to the server that is to be kept to if there is one.
func connectTo(ctx context.Context, c *connector, keep *keeps) (driver.Conn, error) {
	for left := redials; ; left-- {
		conn, err := c.plain(ctx)
		if err != nil || keep == nil {
			return conn, err
		}
		var probe Probe
		err = caught("Probe", conn, func() (err error) {
			probe, err = keep.by.Probe(ctx, AskConn(conn))
			return err
		})
		giveUp := err == nil && c.onMeet != nil && c.onMeet(keep.server, probe)
		if err == nil && probe.Server == keep.server {
			return conn, nil
		}
		_ = conn.Close() // what is wrong with it counts
		switch {
		case err != nil:
			return nil, err
		case left == 0, giveUp:
			return nil, &ConnectError{Engine: c.engine, Err: ErrRedial}
		}
	}
}

// drop closes the connection, which has failed already: its own error says nothing more.
func (p *prober) drop() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}

func (p *prober) close() {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	p.drop()
	p.closed = true
}
