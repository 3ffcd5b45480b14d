package routertest

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// SetCommitWait makes each commit of a statement outside a transaction that returns no rows wait for d on the server,
// as synchronous replication does: it is in the log, so that replicas show it as their lag says, while the server itself
// shows it, and tells its sender, only after that. A commit goes on when its sender gives up. Zero ends that for
// what comes next.
func (s *Server) SetCommitWait(d time.Duration) {
	if d < 0 {
		panic("routertest: SetCommitWait of a negative time")
	}
	defer s.lock()()
	s.commitWait = d
}

// writeAndWait commits a statement, which becomes visible later. The cluster is locked.
func (c *conn) writeAndWait(ctx context.Context, token token, st statement) (*answer, error) {
	s := c.server
	hidden, err := s.db.copy()
	if err != nil {
		token.releaseLocked(s)
		return nil, err
	}
	a, err := s.db.apply(st)
	if err != nil {
		token.releaseLocked(s)
		_ = hidden.close() // memory that nobody will read
		return nil, err
	}
	s.commitLocked(st)
	s.hidden = hidden
	shown := make(chan struct{})
	time.AfterFunc(s.commitWait, func() {
		defer s.lock()()
		if s.hidden == hidden {
			s.revealLocked()
		}
		token.releaseLocked(s)
		close(shown)
	})
	s.cluster.mu.Unlock()
	err = waitFor(ctx, c, shown)
	s.cluster.mu.Lock()
	return a, err
}

// shownLocked is what statements outside a commit see.
func (s *Server) shownLocked() *database {
	if s.hidden != nil {
		return s.hidden
	}
	return s.db
}

func (s *Server) shownLengthLocked() int {
	if s.hidden != nil {
		return len(s.log) - 1
	}
	return len(s.log)
}

func (s *Server) revealLocked() {
	if s.hidden != nil {
		_ = s.hidden.close() // memory that nobody will read
		s.hidden = nil
	}
}

// shownQuery is answered by the connection itself, with how many entries the server shows and has.
const shownQuery = "routertest shown"

var _ binds.Revealer = (*Cluster)(nil)

// Shown asks a replica how much it shows, or the primary how much is in its log.
func (c *Cluster) Shown(ctx context.Context, primary, replica binds.Ask) (binds.Mark, error) {
	if replica != nil {
		primary = replica
	}
	_, has, err := askShown(ctx, primary)
	return has, err
}

// Reveals reports whether the primary shows as much.
func (c *Cluster) Reveals(ctx context.Context, mark binds.Mark, primary, _ binds.Ask) (bool, error) {
	shows, _, err := askShown(ctx, primary)
	return err == nil && shows >= mark.(int), err
}

func askShown(ctx context.Context, ask binds.Ask) (shows, has int, err error) {
	row, err := ask(ctx, shownQuery)
	if err != nil {
		return 0, 0, err
	}
	if len(row) != 2 {
		return 0, 0, fmt.Errorf("routertest: %d columns instead of 2", len(row))
	}
	if shows, err = strconv.Atoi(row[0]); err != nil {
		return 0, 0, err
	}
	has, err = strconv.Atoi(row[1])
	return shows, has, err
}

func (c *conn) shown(ctx context.Context) (*answer, error) {
	s := c.server
	if err := c.arrive(ctx); err != nil {
		return nil, err
	}
	defer s.cluster.mu.Unlock()
	s.catchUpLocked()
	return &answer{columns: []string{"shows", "has"}, rows: [][]driver.Value{{
		strconv.Itoa(s.shownLengthLocked()), strconv.Itoa(len(s.log)),
	}}}, nil
}
