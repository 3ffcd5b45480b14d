package routertest

import (
	"context"
	"time"
)

const (
	// peersPoll is how often a node looks whether it shows all that it has to, and peersPatience how long.
	peersPoll     = time.Millisecond
	peersPatience = 750 * time.Millisecond
)

// MakePeers makes the servers say that they are nodes of one cluster whose nodes are equals, as those of Galera are:
// see [binds.Probe]. A node answers a probe as soon as it shows what had been committed when it was asked; if it
// does not in 750 ms, with a [binds.UnprovedError]. All commits come from the primary still.
func (c *Cluster) MakePeers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peers = true
}

// showAllLocked waits until the server shows what has been committed by now, and reports whether it does. The cluster is
// locked before and after it, but not if there is an error.
func (c *conn) showAllLocked(ctx context.Context) (shows bool, err error) {
	s := c.server
	all, end := len(s.cluster.primary.log), time.Now().Add(peersPatience)
	for {
		s.catchUpLocked()
		if len(s.log) >= all {
			return true, nil
		}
		if !time.Now().Before(end) {
			return false, nil
		}
		s.cluster.mu.Unlock()
		if err := c.travel(ctx, peersPoll); err != nil {
			return false, err
		}
		s.cluster.mu.Lock()
	}
}
