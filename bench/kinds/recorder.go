package kinds

import (
	"database/sql/driver"
	"errors"
	"slices"
	"sync"
)

// A recorder is a primary and its replicas that run nothing and note what they are given. It is safe
// for concurrent use.
type recorder struct {
	mu      sync.Mutex // guards the rest
	noted   []note
	refuses bool
}

// A note is a statement that reached a server.
type note struct {
	primary bool
	text    string
	args    []driver.Value
	refused bool
}

// errReadOnly is the answer of a replica to what it cannot run.
var errReadOnly = errors.New("kinds: a replica may not run this")

// primaryName is the server that is the primary; every other is a replica.
const primaryName = "primary"

// note writes down a statement and returns what its server answers.
func (r *recorder) note(server, text string, args []driver.NamedValue) error {
	n := note{primary: server == primaryName, text: text}
	for _, a := range args {
		n.args = append(n.args, a.Value)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n.refused = r.refuses && !n.primary
	r.noted = append(r.noted, n)
	if n.refused {
		return errReadOnly
	}
	return nil
}

// expect forgets what was noted. Until the next call the replicas refuse everything, if refuses is
// true: they are about to be given what a real one would not run.
func (r *recorder) expect(refuses bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noted, r.refuses = nil, refuses
}

// notes returns what was noted since the last call of expect.
func (r *recorder) notes() []note {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.noted)
}
