package manager

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
)

// A place is what the binds of one key have in common, of which each takes the place of the one before: see [DBManager.Reload]. Pools stay as long as the
// place does, and go from engine to engine: so what a program holds of any of these binds leads to the present one, and none that was replaced leaves
// anything behind.
type place struct {
	current atomic.Pointer[Bind]
	fronts  *fronts

	mu    sync.Mutex      // guards the rest, and Bind.replaced
	spare []*binds.Engine // readers of a longer list: their pools lead to the readers of now, until there are as many again
	only  *binds.Engine   // whose pool is that of [Bind.Reader] where the bind has no readers; nil before it is used. Likewise
}

// placeFor returns that of the bind before, or a new one if there is none.
func placeFor(before *Bind, t *tenant) *place {
	switch {
	case before != nil:
		return before.place
	case t != nil:
		return &place{fronts: t.fronts}
	}
	return &place{fronts: new(fronts)}
}

// enginesBefore returns the writer, and the readers in their order, whose pools those of the next bind are to have.
func (p *place) enginesBefore() (writer *binds.Engine, readers []*binds.Engine) {
	b := p.current.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	return b.writer, slices.Concat(b.readers, p.spare)
}

// keeps reports whether an engine's pool is kept though it is no bind's.
func (p *place) keeps(e *binds.Engine) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return e == p.only || slices.Contains(p.spare, e)
}

// others returns the engines that no bind of the place has.
func (p *place) others() []*binds.Engine {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.only == nil {
		return slices.Clone(p.spare)
	}
	return append(slices.Clone(p.spare), p.only)
}

// leadTo has what is held of b lead to the bind that takes its place.
func (b *Bind) leadTo(next *Bind) {
	p := b.place
	b.router.Yields()
	next.writer.TakeOver()
	p.takeReaders(b, next)
	next.router.TakeOver()
	p.mu.Lock()
	p.current.Store(next)
	b.replaced = true
	only := p.only
	p.mu.Unlock()
	switch {
	case only == nil:
	case len(next.readers) > 0:
		only.Yield(&presentReader{p}, &presentReader{p})
	default:
		next.readerDB() // which takes its pool
	}
	if len(next.readers) > 0 && p.fronts.hasReader() {
		next.readerDB() // with its bounds
	}
}

// takeReaders has the readers of next take the pools of those of b.
func (p *place) takeReaders(b, next *Bind) {
	_, before := p.enginesBefore()
	for i, e := range before {
		switch {
		case i >= len(next.readers):
			e.Yield(&presentReader{p}, &presentReader{p})
			continue
		case i >= len(b.readers):
			next.keep(e.Close) // it was spare
		}
		next.readers[i].TakeOver()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spare = nil
	if len(before) > len(next.readers) {
		p.spare = slices.Clone(before[len(next.readers):]) // and not the others with them
	}
}

// closeReplaced closes what is b's own, once another bind has taken its place. The pools lead on.
func (b *Bind) closeReplaced() error {
	b.locks.closeAll()
	b.router.Close()
	errs := b.closeExtra()
	for _, e := range b.allEngines() {
		if b.place.keeps(e) {
			errs = append(errs, e.CloseOwn())
		} else {
			errs = append(errs, e.Close())
		}
	}
	return errors.Join(errs...)
}

// close closes what no bind of the place has any more.
func (p *place) close() error {
	var errs []error
	if p.current.Load().tenant == nil { // a tenant's are good as long as it is known
		p.fronts.close()
	}
	for _, e := range p.others() {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}
