package router

import "sync/atomic"

// Stats counts what became of a bind's statements since it was opened.
type Stats struct {
	ToWriter uint64 // plain reads that the writer served because no reader was there, up and fresh enough
	Retried  uint64 // statements that were sent again after a failure
	Refused  uint64 // statements taken for reads that a reader refused as writes
	Unknown  uint64 // writes whose answer did not come
}

type stats struct {
	toWriter, retried, refused, unknown atomic.Uint64
}

// Stats returns the counts.
func (r *Router) Stats() Stats {
	return Stats{
		ToWriter: r.stats.toWriter.Load(),
		Retried:  r.stats.retried.Load(),
		Refused:  r.stats.refused.Load(),
		Unknown:  r.stats.unknown.Load(),
	}
}
