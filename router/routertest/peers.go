package routertest

import (
	"context"
	"time"
)

// peersPoll is how often a node looks whether it shows all that it has to.
const peersPoll = time.Millisecond

// MakePeers makes the servers say that they are nodes of one cluster whose nodes are equals, as those of Galera are:
// see [binds.Probe]. A node answers a probe as soon as it shows what had been committed when it was asked; one whose
// replay is paused, not at all. All commits come from the primary still.
func (c *Cluster) MakePeers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peers = true
}

// showAllLocked waits until the server shows what has been committed by now. The cluster is locked before and after it,
// but not if there is an error.
func (c *conn) showAllLocked(ctx context.Context) error {
	s := c.server
	for all := len(s.cluster.primary.log); ; {
		s.catchUpLocked()
		if len(s.log) >= all {
			return nil
		}
		s.cluster.mu.Unlock()
		if err := c.travel(ctx, peersPoll); err != nil {
			return err
		}
		s.cluster.mu.Lock()
	}
}
