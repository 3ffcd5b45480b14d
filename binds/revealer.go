package binds

import "context"

// A Revealer is a [Positioner] whose replicas may show a commit before the primary does: the log is sent before the
// commit becomes visible there, for as long as the commit waits for a synchronous replica, say. The primary's
// position may have passed it by then. Who has read on a replica, and goes on to read on the primary, first asks whether that
// has caught up.
type Revealer interface {
	// Shown returns a mark of what a replica may have shown by now. Replica is nil if the server cannot be asked: then
	// the mark is of what any replica may have shown. Who has it asks Reveals for as long as the caller has time: a driver that cannot tell
	// a commit which waits from work that goes on bounds by itself how long it takes that for one.
	Shown(ctx context.Context, primary, replica Ask) (Mark, error)
	// Reveals reports whether a query that begins now on the primary shows all that mark stands for. Replica is the one
	// that Shown was given.
	Reveals(ctx context.Context, mark Mark, primary, replica Ask) (bool, error)
}

// A Mark is what [Revealer.Shown] returned. It is safe for concurrent use.
type Mark any
