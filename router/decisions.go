package router

import "sync/atomic"

// decisions counts statements by the reason for which they ran where they ran.
type decisions [len(reasonNames)]atomic.Uint64

// CountDecisions has the bind count its decisions from now on, for as long as it lives: an atomic addition for each statement. It is safe for concurrent use.
func (r *Router) CountDecisions() {
	if r.decided.Load() == nil {
		r.decided.CompareAndSwap(nil, new(decisions))
	}
}

// Decisions returns how many statements that came by the router have run without an error, by the reason for which they ran where they ran, since [Router.CountDecisions]; nil without that. Those of
// the routers that it succeeds count, too. It is safe for concurrent use.
func (r *Router) Decisions() map[Reason]uint64 {
	counts := r.decided.Load()
	if counts == nil {
		return nil
	}
	all := make(map[Reason]uint64)
	for reason := range counts {
		if n := counts[reason].Load(); n > 0 {
			all[Reason(reason)] = n
		}
	}
	return all
}

// count notes a decision, if they are counted.
func (l *line) count(reason Reason) {
	if counts := l.decided.Load(); counts != nil {
		counts[reason].Add(1)
	}
}
