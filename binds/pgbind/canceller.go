package pgbind

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/binds"
)

const (
	// cancelTimeout bounds a cancel request, from dialling to the server's closing, and how long one waits for its turn.
	cancelTimeout = 5 * time.Second
	// maxCancels is how many connections for cancel requests a connector has open at once. The server starts a process for each.
	maxCancels = 4
	// maxGivenUp is how many given-up statements a connector keeps that the server is still to be told of.
	maxGivenUp = 128
)

// cancelPauses are the times after each request for one statement, before the next. The first request is nearly always
// obeyed; the second still comes within the grace.
var cancelPauses = []time.Duration{15 * time.Millisecond, 150 * time.Millisecond, 600 * time.Millisecond}

// A givenUp is a statement that the server is to stop.
type givenUp struct {
	ask      func(context.Context) error // sends one request
	answered func() bool                 // the statement has ended: there is nothing left to stop
	since    time.Time
	asked    int         // requests that were sent
	rest     *time.Timer // ends the pause before the next request; nil: it is not in one
}

// A canceller sends the cancel requests of a connector, each over a connection of its own (manual section 55.2.8), at most
// maxCancels at once. What comes on top waits, first come, first served, behind it the repetitions. What finds maxGivenUp
// others, or waits for longer than cancelTimeout, is dropped: its connection is closed, and its statement runs on until the
// server sends something to it. Its zero value is ready.
type canceller struct {
	asked, dropped atomic.Uint64 // statements

	mu      sync.Mutex // guards the rest
	queue   []*givenUp // that wait for their first request
	again   []*givenUp // that wait for another one
	resting map[*givenUp]struct{}
	asking  int           // goroutines
	busy    int           // those that send a request
	none    chan struct{} // closed once nothing is under way; nil: nobody waits for that
	closed  bool          // nothing is asked twice any more
	ctx     context.Context
	stop    context.CancelFunc // ends the requests under way; nil: there are none
}

// add has a statement stopped in the background.
func (c *canceller) add(g *givenUp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g.since = time.Now()
	if len(c.queue)+len(c.again)+len(c.resting)+c.busy >= maxGivenUp && !c.forgetOneLocked() {
		c.dropped.Add(1)
		return
	}
	c.queue = append(c.queue, g)
	c.startLocked()
}

// forgetOneLocked makes room by one that was asked for before, and reports false if there is none.
func (c *canceller) forgetOneLocked() bool {
	for g := range c.resting {
		g.rest.Stop()
		delete(c.resting, g)
		return true
	}
	if len(c.again) > 0 {
		c.again = c.again[1:]
		return true
	}
	return false
}

// startLocked starts a goroutine for what waits, if there may be one more.
func (c *canceller) startLocked() {
	if c.asking >= maxCancels {
		return
	}
	if c.stop == nil {
		c.ctx, c.stop = context.WithCancel(context.Background())
	}
	c.asking++
	go c.work(c.ctx)
}

func (c *canceller) work(ctx context.Context) {
	for g := c.next(nil); g != nil; g = c.next(g) {
		err := g.ask(ctx)
		switch {
		case err == nil && g.asked == 0:
			c.asked.Add(1)
		case err != nil && g.asked == 0:
			c.dropped.Add(1)
		}
		if g.asked++; err != nil {
			g.asked = len(cancelPauses) + 1 // the server cannot be asked; the caller has gone, and the statement runs on at worst
		}
	}
}

// next puts by the one that was asked for, if any, and takes the next one. Nil ends the goroutine.
func (c *canceller) next(done *givenUp) *givenUp {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done != nil {
		c.busy--
	}
	if done != nil && !c.closed && done.asked <= len(cancelPauses) && !done.answered() {
		c.restLocked(done)
	}
	for {
		var g *givenUp
		switch {
		case len(c.queue) > 0:
			g, c.queue = c.queue[0], c.queue[1:]
		case len(c.again) > 0:
			g, c.again = c.again[0], c.again[1:]
		default:
			if c.asking--; c.asking == 0 {
				c.queue, c.again = nil, nil // their arrays
				c.stop()
				c.stop = nil
				if c.none != nil {
					close(c.none)
					c.none = nil
				}
			}
			return nil
		}
		switch {
		case g.answered(), c.closed && g.asked > 0:
		case g.asked == 0 && (time.Since(g.since) > cancelTimeout || c.ctx.Err() != nil):
			c.dropped.Add(1)
		default:
			c.busy++
			return g
		}
	}
}

// restLocked has a statement asked for again after its pause.
func (c *canceller) restLocked(g *givenUp) {
	if c.resting == nil {
		c.resting = make(map[*givenUp]struct{})
	}
	c.resting[g] = struct{}{}
	g.rest = time.AfterFunc(cancelPauses[g.asked-1], func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, still := c.resting[g]; still {
			delete(c.resting, g)
			c.again = append(c.again, g)
			c.startLocked()
		}
	})
}

// close waits until everything that waits was asked for once, for cancelTimeout at most. What is given up later is asked for
// once.
func (c *canceller) close() {
	c.mu.Lock()
	c.closed = true
	for g := range c.resting {
		g.rest.Stop()
	}
	clear(c.resting)
	if c.asking == 0 {
		c.mu.Unlock()
		return
	}
	if c.none == nil {
		c.none = make(chan struct{})
	}
	none, stop := c.none, c.stop
	c.mu.Unlock()
	limit := time.AfterFunc(cancelTimeout, stop)
	<-none
	limit.Stop()
}

// counts returns how many statements the server was asked to stop, and of how many it was not told.
func (c *canceller) counts() binds.CancelStats {
	return binds.CancelStats{Asked: c.asked.Load(), Dropped: c.dropped.Load()}
}
