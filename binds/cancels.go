package binds

// CancelStats counts statements whose context ended while the server was at work on them.
type CancelStats struct {
	// Asked is how many of them the server was asked to stop, over connections of their own.
	Asked uint64
	// Dropped is how many it was not told of: too many were given up at a time, or it could not be reached. Their connections are
	// closed; the server carries them on until it next writes to one, or to the end.
	Dropped uint64
}

// A CancelCounter is a connector that asks the server to stop what was given up on its connections. It must bound
// how many connections it has open for that, and how many statements wait for their turn. It must be safe for concurrent use.
type CancelCounter interface {
	Cancels() CancelStats
}

// Cancels counts the statements given up on the engine's pool since it was opened; all zero where the driver stops them in
// another way. It is safe for concurrent use.
func (e *Engine) Cancels() CancelStats {
	return e.renew().counted()
}

func (s *CancelStats) add(o CancelStats) {
	s.Asked += o.Asked
	s.Dropped += o.Dropped
}

func (r *renewal) counted() CancelStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := r.cancels
	for _, o := range r.all {
		if c, ok := o.connector.(CancelCounter); ok {
			sum.add(c.Cancels())
		}
	}
	return sum
}
