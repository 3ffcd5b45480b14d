package manager

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/bindery-go/bindery/router"
)

// DefaultDrain is how long what has begun on a bind that was changed or removed may go on, without [WithDrain].
const DefaultDrain = 30 * time.Second

// WithDrain bounds how long statements, rows, transactions and named locks may go on that have begun on a bind when
// [DBManager.Reload] changes it or [DBManager.Remove] removes it. After d their connections are broken off, and locks are lost. Zero or
// less breaks them off at once. Without the option it is [DefaultDrain].
func WithDrain(d time.Duration) Option { return func(o *options) { o.drain = max(d, 0) } }

const (
	firstDrainPoll = time.Millisecond
	maxDrainPoll   = 100 * time.Millisecond
)

// leaveFor drains a bind that queries find no more, and closes it; what took its place is nil if it was removed. The channel gets one
// error, or nil. The caller holds m.changing.
func (m *DBManager) leaveFor(b, next *Bind) chan error {
	done := make(chan error, 1)
	if next == nil {
		refuses := refusing{b.writer.Connector().Driver(), &router.RemovedBindError{Bind: b.key}}
		for _, e := range append(b.allEngines(), b.place.others()...) {
			e.Yield(refuses, refuses)
		}
		b.router.Remove()
	}
	m.leaving.Go(func() {
		began := time.Now()
		ended := b.drain(m.closing, m.opts.drain)
		var err error
		if next != nil {
			err = b.closeReplaced()
		} else {
			err = b.close()
		}
		log := m.logger.With("bind", b.key.String(), "removed", next == nil, "took", time.Since(began).Round(time.Millisecond).String())
		switch {
		case err != nil:
			log.Warn("bind closed, with errors", "error", err)
		case !ended:
			log.Warn("bind closed: what had not ended in time was broken off")
		default:
			log.Info("bind closed: all that had begun on it has ended")
		}
		done <- err
	})
	return done
}

// drain waits until nothing that has begun on the bind is under way, no longer than d and than ctx. Then it ends what is, and reports false.
func (b *Bind) drain(ctx context.Context, d time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	b.closeIdle() // what is given back from now on is closed
	for wait := firstDrainPoll; b.busy(); wait = min(2*wait, maxDrainPoll) {
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			b.locks.closeAll()
			b.router.EndOlder()
			return false
		}
	}
	return true
}

// busy reports whether a statement, rows, a transaction or a lock that began on the bind is under way.
func (b *Bind) busy() bool { return b.router.InUse() > 0 || b.locks.busy() }

// closeIdle closes what is idle in the pools that the bind has, or had.
func (b *Bind) closeIdle() {
	for _, e := range append(b.allEngines(), b.place.others()...) {
		e.CloseIdle()
	}
	b.place.fronts.closeIdle()
}

// busy reports whether a lock is held or waited for.
func (s *lockSet) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls > 0 || s.conns > 0
}

// presentReader makes each connection to the reader that the policy picks, or to another one that is up, of the bind that is in the place by then.
type presentReader struct{ place *place }

func (c *presentReader) Connect(ctx context.Context) (driver.Conn, error) {
	return c.place.current.Load().connectReader(ctx)
}

func (c *presentReader) Driver() driver.Driver {
	return c.place.current.Load().writer.Connector().Driver()
}

// connectReader connects as presentReader does.
func (b *Bind) connectReader(ctx context.Context) (driver.Conn, error) {
	if len(b.readers) > 0 {
		return b.router.ConnectReader(ctx)
	}
	b.readerDB() // which opens one on the writer's server
	if e := b.onlyReader.Load(); e != nil {
		return e.Connector().Connect(ctx)
	}
	return b.now().connectReader(ctx) // b was replaced before that
}

// refusing makes no connection.
type refusing struct {
	driver driver.Driver
	err    error
}

func (r refusing) Connect(context.Context) (driver.Conn, error) { return nil, r.err }
func (r refusing) Driver() driver.Driver                        { return r.driver }
