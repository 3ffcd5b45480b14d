package integration

import (
	"context"
	"database/sql"
	"errors"
)

// A peerSystem is one whose servers are members of a group: none follows a certain other one, and who is the
// primary, if anybody, is the group's business.
type peerSystem interface {
	system
	// ports is how many ports a member needs beside its own.
	ports() int
	// rejoin makes a server that was started a member, and waits until it is.
	rejoin(ctx context.Context, s *Server) error
	// catchUp waits until s shows what the group has committed.
	catchUp(ctx context.Context, s *Server) error
}

// A preparer does something before each start of a server.
type preparer interface {
	prepare(ctx context.Context, s *Server) error
}

var errSyncPeers = errors.New("the members of a group always agree before a commit: WithSyncReplication is not for them")

// peers returns the system if its servers are members of a group.
func (c *Cluster) peers() (peerSystem, bool) {
	p, ok := c.system.(peerSystem)
	return p, ok
}

// others returns the servers of the cluster that run, without s.
func (s *Server) others() []*Server {
	var others []*Server
	for _, o := range s.cluster.servers() {
		if o != s && o.running() {
			others = append(others, o)
		}
	}
	return others
}

// hold runs a statement on a connection that stays open, such as one that takes a lock.
func (s *Server) hold(ctx context.Context, statement string) error {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil {
		return nil
	}
	db := sql.OpenDB(s.cluster.system.connector(context.Background(), s, s.cluster.system.anyDatabase()))
	conn, err := db.Conn(ctx)
	if err == nil {
		_, err = conn.ExecContext(ctx, statement)
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	s.mu.Lock()
	s.held = &heldConn{db, conn}
	s.mu.Unlock()
	return nil
}

type heldConn struct {
	db   *sql.DB
	conn *sql.Conn
}

// letGo runs a statement on the connection that hold keeps, and closes it.
func (s *Server) letGo(ctx context.Context, statement string) error {
	s.mu.Lock()
	held := s.held
	s.held = nil
	s.mu.Unlock()
	if held == nil {
		return nil
	}
	_, err := held.conn.ExecContext(ctx, statement)
	held.close()
	return err
}

// drop closes the connection that hold keeps, of a server that has ended.
func (s *Server) drop() {
	s.mu.Lock()
	held := s.held
	s.held = nil
	s.mu.Unlock()
	if held != nil {
		held.close()
	}
}

func (h *heldConn) close() {
	_ = h.conn.Close() // it may be broken
	_ = h.db.Close()
}
