package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Cluster is a primary and its replicas, or the members of a group. It is safe for concurrent use.
type Cluster struct {
	// Primary is the server that started as the primary. It stays in this field when another
	// is promoted. In a Galera cluster, where all are equal, it is the first member.
	Primary *Server
	// Replicas are the servers that started as replicas of Primary, or the other members.
	Replicas []*Server

	system    system
	version   Version
	workspace *workspace
	launcher  *launcher
	options   *options
	seed      func() seed // what servers start from: a func, which fmt cannot follow; nil: the directory seedDir
	admin     secret      // the administrator's password
	replicate secret      // the replication account's
	tls       TLSFiles
	lastID    atomic.Int64 // the highest number that a server has

	// joining is held by a group's member while it starts again; it has room for one.
	joining chan struct{}

	closing sync.Once
	closed  error
}

// forTest fails t if what it needs did not start, and has it closed when t has ended.
func forTest[C io.Closer](t testing.TB, c C, err error) C {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func newCluster(ctx context.Context, sys system, replicas int, opts []Option) (*Cluster, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	o, err := readOptions(opts)
	if err != nil {
		return nil, err
	}
	c, err := prepareCluster(ctx, sys, replicas, o)
	if err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// prepareCluster makes everything but running servers.
func prepareCluster(ctx context.Context, sys system, replicas int, o *options) (*Cluster, error) {
	as, err := findAccount(sys.accounts())
	if err != nil {
		return nil, err
	}
	product, program := sys.program()
	version, err := programVersion(ctx, product, program)
	if err != nil {
		return nil, err
	}
	w, err := newWorkspace(ctx, as)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		system: sys, version: version, workspace: w, launcher: newLauncher(), options: o,
		admin: adminSecret, replicate: replicaSecret, joining: make(chan struct{}, 1),
	}
	if err := c.prepareServers(replicas); err != nil {
		return nil, errors.Join(fmt.Errorf("integration: %w", err), c.Close())
	}
	return c, nil
}

func (c *Cluster) prepareServers(replicas int) error {
	if err := errors.Join(c.workspace.mkdir(socketDir), c.workspace.mkdir(scratchDir), c.workspace.mkdir(seedDir)); err != nil {
		return err
	}
	if c.options.tls {
		var err error
		if c.tls, err = c.workspace.writeTLS(); err != nil {
			return err
		}
	}
	_, peers := c.peers()
	var err error
	if c.Primary, err = c.newServer(serverName(peers, 0), nil); err != nil {
		return err
	}
	primary := c.Primary
	if peers {
		primary = nil
	}
	for i := range max(replicas, 0) {
		s, err := c.newServer(serverName(peers, i+1), primary)
		if err != nil {
			return err
		}
		c.Replicas = append(c.Replicas, s)
	}
	return nil
}

func serverName(member bool, i int) string {
	switch {
	case member:
		return fmt.Sprintf("member-%d", i+1)
	case i == 0:
		return "primary"
	default:
		return fmt.Sprintf("replica-%d", i)
	}
}

// start brings up the servers: copies of one seed, the primary first because the replicas must know
// its port.
func (c *Cluster) start(ctx context.Context) error {
	if err := c.system.seed(ctx, c); err != nil {
		return fmt.Errorf("integration: make a data directory: %w", err)
	}
	err := each(c.servers(), func(s *Server) error { return s.copySeed(ctx) })
	if err == nil {
		err = c.Primary.boot(ctx)
	}
	if peers, ok := c.peers(); ok && err == nil {
		err = c.Primary.failed("start", peers.rejoin(ctx, c.Primary))
	}
	if err == nil {
		err = each(c.Replicas, func(s *Server) error { return s.join(ctx) })
	}
	if err == nil {
		err = c.WaitReplayed(ctx)
	}
	return err
}

// TLS returns the files that clients need, if the cluster was started [WithTLS], else none.
func (c *Cluster) TLS() TLSFiles { return c.tls }

// WaitReplayed waits until every running replica has replayed what its primary had written when the
// call began: what was committed before is visible there. The primary is the one that the replica
// was last told to follow; if that does not run, the error says so. A replica whose replay is paused
// makes the call last until ctx ends.
//
// Of a group it waits until every running member shows what all running members had committed.
//
// On PostgreSQL it covers what has been flushed: not yet a commit made with synchronous_commit = off.
func (c *Cluster) WaitReplayed(ctx context.Context) error {
	ctx, cancel := within(ctx)
	defer cancel()
	peers, isGroup := c.peers()
	return each(c.servers(), func(s *Server) error {
		primary := s.following()
		if !s.running() || primary == nil && !isGroup {
			return nil
		}
		if isGroup {
			return s.failed("wait for the replay of", peers.catchUp(ctx, s))
		}
		return s.failed("wait for the replay of", s.awaitReplay(ctx, primary))
	})
}

// Close ends the servers, also frozen ones, and removes their directory. It may be called twice.
func (c *Cluster) Close() error {
	if c == nil {
		return nil
	}
	c.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err := each(c.servers(), func(s *Server) error { return s.close(ctx) })
		if err == nil {
			c.launcher.close()
			err = c.workspace.remove()
		}
		if err != nil {
			c.closed = fmt.Errorf("integration: close: %w", err)
		}
	})
	return c.closed
}

func (c *Cluster) servers() []*Server {
	if c.Primary == nil {
		return c.Replicas
	}
	return append([]*Server{c.Primary}, c.Replicas...)
}

// each calls do for all servers at once and waits for all.
func each(servers []*Server, do func(*Server) error) error {
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() { errs[i] = do(s) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
