package router

import (
	"sync"
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
)

// conns are the open connections of one engine: of a reader, so that statements which wait for a
// server that hangs can be ended; of the writer, so that those of a demoted server can be retired.
type conns struct {
	age  atomic.Uint64 // counts the times that all connections were retired
	over atomic.Bool   // the engine was succeeded: what it still makes is not used

	mu   sync.Mutex // guards open
	open map[*watchedConn]struct{}
}

// opened adds a connection; age is from before it was opened.
func (cs *conns) opened(conn *watchedConn, age uint64) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = make(map[*watchedConn]struct{})
	}
	conn.age = age
	cs.open[conn] = struct{}{}
}

func (cs *conns) closed(conn *watchedConn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, conn)
}

// interrupt ends what runs on the open connections, as if they had broken.
func (cs *conns) interrupt() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for conn := range cs.open {
		if i, ok := conn.inner.(binds.Interrupter); ok {
			i.Interrupt()
		}
	}
}

// retire lets no connection that is open now be used again: each is closed when it is next taken
// from the pool. What runs on it goes on.
func (cs *conns) retire() { cs.age.Add(1) }
