package router

// KnownHealth returns what the latest look at the servers has found of each reader, in the order of the configuration: it looks no further, and
// waits for nobody. A Lag is that at the reader's latest answer, which is up to a minute old where nobody reads, see [Freshness]; that of a
// reader that is down is what it was. It is safe for concurrent use.
func (r *Router) KnownHealth() []Health {
	if r.monitor == nil {
		return r.sharedHealth()
	}
	m := r.monitor
	m.mu.Lock()
	defer m.mu.Unlock()
	list, _ := m.healthLocked(0)
	for i := range list {
		s := &m.states[i]
		list[i].Lag = max(min(s.seen, s.todayFor(m.today(), m.r.now()))-s.horizon, 0)
	}
	return list
}

// WriterHealth returns why the writer did not serve writes at the latest look, nil if it did. Known is false where nobody has looked: before the
// first read of a bind, and where it has no readers, or they share the writer's file. It asks nobody. It is safe for concurrent use.
func (r *Router) WriterHealth() (down error, known bool) {
	m := r.monitor
	if m == nil {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writerErr == nil && m.demoted {
		return ErrWriterIsReplica, true
	}
	_, answered := m.samples.last()
	return m.writerErr, m.writerErr != nil || answered
}
