package router

import "errors"

// ErrDrained is why a reader serves no read that was taken out of service for maintenance.
var ErrDrained = errors.New("router: the reader is drained: it was taken out of service")

// SetDrained takes a reader out of service, or puts it back: while it is drained no new statement goes there, whatever it says, [OnReader] and
// [Router.ReaderOnly] included. What runs there goes on, and it is looked at as before, so that it serves again at once. It is safe for
// concurrent use.
func (r *Router) SetDrained(reader *Reader, drained bool) {
	if reader.drained.Swap(drained) == drained {
		return
	}
	r.logger.Info("reader drained", "engine", reader.Name(), "drained", drained)
	if r.monitor == nil {
		r.publishShared()
		return
	}
	r.monitor.mu.Lock()
	defer r.monitor.mu.Unlock()
	r.monitor.publishLocked()
}

// Drained reports whether the reader was taken out of service.
func (r *Reader) Drained() bool { return r.drained.Load() }

// publishShared makes the view of readers that need no proof.
func (r *Router) publishShared() {
	r.sharing.Lock()
	defer r.sharing.Unlock()
	v := &view{replaced: make(chan struct{}), leases: make([]*lease, len(r.readers))}
	for _, reader := range r.readers {
		if reader.drained.Load() {
			continue
		}
		v.up = append(v.up, reader)
		v.fit = append(v.fit, reader)
		v.horizons = append(v.horizons, always)
		v.leases[reader.place] = reader.lease.Load()
	}
	v.order(r.readers)
	if old := r.view.Swap(v); old != nil && old.replaced != nil {
		close(old.replaced)
	}
}
