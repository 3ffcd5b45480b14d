package replication

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/bindery-go/bindery/bench/internal/load"
	"github.com/bindery-go/bindery/bench/internal/peers"
)

// A store is a library at work, as far as sessions need it.
type store interface {
	Get(ctx context.Context, id int64) (peers.Item, error)
	Update(ctx context.Context, it peers.Item) error
	Close() error
}

const (
	sessionLength = 20  // operations
	writeShare    = 0.1 // of all operations
	atOnce        = 0.5 // of the writes are read back by the operation that follows
	ofItsWrites   = 0.2 // of the other reads are of a row that the session wrote, if it wrote one
	ofItsRows     = 0.2 // and so many of its own rows
)

// A session is what one user does: it reads and writes rows of its own, reads those of others, and
// remembers what it has to find again.
type session struct {
	ctx      context.Context
	owner    int
	left     int             // operations
	wrote    map[int64]int64 // versions by key
	written  []int64         // the keys of wrote
	seen     map[int64]int64 // versions read
	readBack int64           // the row to read next, if any
}

func newSession(ctx context.Context, owner int) *session {
	return &session{ctx: ctx, owner: owner, left: sessionLength, wrote: map[int64]int64{}, seen: map[int64]int64{}}
}

// findings are what the sessions of one worker found wrong.
type findings struct {
	reads     int
	stale     int // reads that showed an older version than the session had written
	backwards int // other reads that showed an older version than the session had read
}

func (f *findings) add(o findings) {
	f.reads += o.reads
	f.stale += o.stale
	f.backwards += o.backwards
}

// step does one operation.
func (s *session) step(w *load.Worker, l *ledger, db store, found *findings) error {
	s.left--
	if s.readBack != 0 {
		id := s.readBack
		s.readBack = 0
		return s.read(w, l, db, found, id)
	}
	// Some operations are no choice: they read back. The others write that much more.
	if w.Rand.Float64() < writeShare/(1-writeShare*atOnce) {
		return s.write(w, l, db)
	}
	return s.read(w, l, db, found, s.choose(w.Rand, l))
}

// choose returns the row to read.
func (s *session) choose(r *rand.Rand, l *ledger) int64 {
	switch p := r.Float64(); {
	case p < ofItsWrites && len(s.written) > 0:
		return s.written[r.IntN(len(s.written))]
	case p < ofItsWrites+ofItsRows:
		return l.own(s.owner, r.IntN(l.each))
	}
	return int64(r.IntN(l.rows())) + 1
}

func (s *session) write(w *load.Worker, l *ledger, db store) error {
	id := l.own(s.owner, w.Rand.IntN(l.each))
	it := peers.Item{ID: id, Owner: int64(s.owner), Version: l.next(id), Name: "a name"}
	if err := w.Do(write, func() error { return db.Update(s.ctx, it) }); err != nil {
		return err
	}
	s.wrote[id] = it.Version
	if !slices.Contains(s.written, id) {
		s.written = append(s.written, id)
	}
	if w.Rand.Float64() < atOnce {
		s.readBack = id
	}
	return nil
}

func (s *session) read(w *load.Worker, l *ledger, db store, found *findings, id int64) error {
	var it peers.Item
	err := w.Do(read, func() (err error) {
		it, err = db.Get(s.ctx, id)
		return err
	})
	if err != nil {
		return err
	}
	if most := l.given(id); it.ID != id || it.Version > most {
		return fmt.Errorf("replication: a read of row %d found row %d at version %d, and %d were written", id, it.ID, it.Version, most)
	}
	s.check(found, it)
	return nil
}

// check compares a row that was read with what the session knows of it.
func (s *session) check(found *findings, it peers.Item) {
	found.reads++
	switch {
	case it.Version < s.wrote[it.ID]:
		found.stale++
	case it.Version < s.seen[it.ID]:
		found.backwards++
	}
	s.seen[it.ID] = max(s.seen[it.ID], it.Version)
}

// The names of the operations that are measured.
const (
	read  = "read"
	write = "write"
)
