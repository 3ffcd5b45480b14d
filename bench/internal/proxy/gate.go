package proxy

import "sync"

// A gate is open, or holds whoever comes. Its zero value is open.
type gate struct {
	mu   sync.Mutex
	held chan struct{} // closed when the gate opens again; nil while it is open
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == nil {
		g.held = make(chan struct{})
	}
}

func (g *gate) reopen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
}

// pass returns true when the gate is open, and false when done ends before.
func (g *gate) pass(done <-chan struct{}) bool {
	for {
		g.mu.Lock()
		held := g.held
		g.mu.Unlock()
		if held == nil {
			return true
		}
		select {
		case <-held: // it may be shut again
		case <-done:
			return false
		}
	}
}
