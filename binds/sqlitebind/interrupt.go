package sqlitebind

import (
	"context"
	"sync"
	"time"
)

// interrupter stops the call that a connection is in when the call's context ends, and no other: a
// late interrupt would hit whatever runs next.
type interrupter struct {
	db *handle

	mu      sync.Mutex // guards the rest
	current uint64     // the statement inside SQLite, 0 for none
	last    uint64
}

// A statement is what one context bounds: an Exec, or a Query with all of its rows.
type statement struct {
	ctx  context.Context
	id   uint64
	stop func() bool
}

// watch makes the end of ctx interrupt the statement whenever it is inside SQLite, until
// statement.stop is called.
func (i *interrupter) watch(ctx context.Context) *statement {
	i.mu.Lock()
	i.last++
	s := &statement{ctx: ctx, id: i.last, stop: func() bool { return true }}
	i.mu.Unlock()
	if ctx.Done() != nil {
		s.stop = context.AfterFunc(ctx, func() { i.interrupt(s.id) })
	}
	return s
}

// enter says that the statement goes into SQLite, unless its context has ended: whoever looks at the
// context first under the lock, the end is noticed by the other.
func (i *interrupter) enter(s *statement) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := s.ctx.Err(); err != nil {
		return err
	}
	i.current = s.id
	return nil
}

func (i *interrupter) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current = 0
}

// interrupt repeats itself while the statement stays inside: SQLite forgets an interrupt that comes
// just before the statement's first step.
func (i *interrupter) interrupt(id uint64) {
	for i.interruptOnce(id) {
		time.Sleep(2 * time.Millisecond)
	}
}

func (i *interrupter) interruptOnce(id uint64) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.current != id {
		return false
	}
	i.db.interrupt()
	return true
}
