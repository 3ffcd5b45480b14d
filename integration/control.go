package integration

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// control calls verb while no other method controls the server.
func (s *Server) control(ctx context.Context, op string, verb func(ctx context.Context) error) error {
	ctx, cancel := within(ctx)
	defer cancel()
	select {
	case s.verbs <- struct{}{}:
		defer func() { <-s.verbs }()
	case <-ctx.Done():
		return s.failed(op, ctx.Err())
	}
	return s.failed(op, verb(ctx))
}

// Start starts a stopped or killed server, on the same port with the same data, and waits until it
// accepts connections. A replica goes on replicating; a pause of its replay does not outlive a stop.
// A group's member joins those that run; if none does, it founds the group anew with what it has.
// It returns [ErrRunning] if the server runs.
func (s *Server) Start(ctx context.Context) error {
	return s.control(ctx, "start", s.start)
}

func (s *Server) start(ctx context.Context) error {
	switch _, err := s.current(); {
	case err == nil:
		return ErrRunning
	case errors.Is(err, ErrClosed):
		return err
	}
	return s.relaunch(ctx)
}

// relaunch starts a server again; a group's member takes part again. Members do so one after the other: of several
// that start at once each would see nobody to join, and found a group of its own.
func (s *Server) relaunch(ctx context.Context) error {
	s.drop()
	peers, isGroup := s.cluster.peers()
	if !isGroup {
		return s.launch(ctx)
	}
	select {
	case s.cluster.joining <- struct{}{}:
		defer func() { <-s.cluster.joining }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.launch(ctx); err != nil {
		return err
	}
	return peers.rejoin(ctx, s)
}

// Stop ends the server in good order: it refuses new connections, rolls open transactions back,
// disconnects everybody and writes everything down. A frozen server is thawed first. A server that
// does not run is left alone.
func (s *Server) Stop(ctx context.Context) error {
	return s.control(ctx, "stop", s.stop)
}

func (s *Server) stop(ctx context.Context) error {
	p, err := s.current()
	if err != nil {
		return notRunningIsFine(err)
	}
	if err := continueTree(p.pid); err != nil {
		return err
	}
	orderly, _ := s.cluster.system.stops()
	if err := signalProcess(p.pid, orderly); err != nil {
		return err
	}
	return p.await(ctx)
}

// Restart is Stop and Start.
func (s *Server) Restart(ctx context.Context) error {
	return s.control(ctx, "restart", func(ctx context.Context) error {
		if err := s.stop(ctx); err != nil {
			return err
		}
		return s.start(ctx)
	})
}

// Kill ends all processes of the server by SIGKILL, as a power cut would. A server that does not run
// is left alone.
func (s *Server) Kill(ctx context.Context) error {
	return s.control(ctx, "kill", s.kill)
}

func (s *Server) kill(ctx context.Context) error {
	p, err := s.current()
	if err != nil {
		return notRunningIsFine(err)
	}
	if err := p.endTree(ctx); err != nil {
		return err
	}
	s.cluster.system.afterKill(s)
	return nil
}

// Freeze stops all processes of the server where they are (SIGSTOP): connections stay open, new ones
// are accepted by the kernel, and nothing is ever answered until [Server.Thaw].
func (s *Server) Freeze() error {
	return s.control(context.Background(), "freeze", func(ctx context.Context) error {
		p, err := s.current()
		if err != nil {
			return err
		}
		return stopTree(ctx, p.pid)
	})
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw() error {
	return s.control(context.Background(), "thaw", func(context.Context) error {
		p, err := s.current()
		if err != nil {
			return err
		}
		return continueTree(p.pid)
	})
}

// PauseReplay stops a replica from applying what it receives, and returns when it has stopped. Writes
// of the primary from then on are not seen there before [Server.ResumeReplay].
func (s *Server) PauseReplay(ctx context.Context) error {
	return s.onReplica(ctx, "pause the replay of", s.cluster.system.pause)
}

// ResumeReplay undoes [Server.PauseReplay].
func (s *Server) ResumeReplay(ctx context.Context) error {
	return s.onReplica(ctx, "resume the replay of", s.cluster.system.resume)
}

// DelayReplay makes a replica apply each transaction no earlier than d after the primary committed it.
// Zero ends the delay. MariaDB and MySQL know whole seconds only: d is rounded up, and on
// MariaDB it takes up to one second more. The delay outlives a restart.
// A group has no delay: [ErrNotPossible].
func (s *Server) DelayReplay(ctx context.Context, d time.Duration) error {
	return s.onReplica(ctx, "delay the replay of", func(ctx context.Context, s *Server) error {
		if d < 0 {
			return fmt.Errorf("a delay of %v", d)
		}
		return s.cluster.system.delay(ctx, s, d)
	})
}

// Promote makes a replica a primary that accepts writes. It first applies what it has received,
// except that a MariaDB or MySQL replica whose replay is paused or delayed is promoted as it stands. Nothing else
// changes: other replicas follow whom they followed, and the old primary, if it runs, still
// accepts writes. A group of MySQL gives the role to the member, in good order; Galera has no such role: [ErrNotPossible].
func (s *Server) Promote(ctx context.Context) error {
	return s.onReplica(ctx, "promote", func(ctx context.Context, s *Server) error {
		if err := s.cluster.system.promote(ctx, s); err != nil {
			return err
		}
		if _, ok := s.cluster.peers(); ok {
			return nil
		}
		s.setFollowing(nil)
		return s.cluster.system.configure(s)
	})
}

// Follow makes a replica replicate another primary of its cluster, and returns without waiting for the
// two to agree: [Cluster.WaitReplayed] does that, and never ends for a replica that has applied
// what its new primary never had. A former primary cannot follow; see [Server.Rebuild]. PostgreSQL 12 restarts the
// replica. A group's member follows nobody: [ErrNotPossible].
func (s *Server) Follow(ctx context.Context, primary *Server) error {
	return s.onReplica(ctx, "repoint", func(ctx context.Context, s *Server) error {
		if err := s.mayFollow(primary); err != nil {
			return err
		}
		s.setFollowing(primary)
		return s.cluster.system.follow(ctx, s, primary)
	})
}

// Rebuild makes the server a replica of primary, whatever it was and whether it runs: its data are
// thrown away and copied anew, its name and port stay. It is how a former primary, or a
// replica that has diverged, comes back after a failover. A MariaDB or MySQL server gets a new server_id, and starts
// from the cluster's beginning. A delay of its replay ends. A group's member joins the group again, without
// regard to primary.
func (s *Server) Rebuild(ctx context.Context, primary *Server) error {
	return s.control(ctx, "rebuild", func(ctx context.Context) error {
		if err := s.mayFollow(primary); err != nil {
			return err
		}
		if err := s.kill(ctx); err != nil {
			return err
		}
		if err := s.cluster.workspace.removeInside(s.dataPath()); err != nil {
			return err
		}
		_, isGroup := s.cluster.peers()
		if !isGroup {
			s.setFollowing(primary)
		}
		if err := s.cluster.system.rebuild(ctx, s, primary); err != nil {
			return err
		}
		if err := s.relaunch(ctx); err != nil || isGroup {
			return err
		}
		return s.cluster.system.follow(ctx, s, primary)
	})
}

func (s *Server) mayFollow(primary *Server) error {
	if primary == nil || primary == s || primary.cluster != s.cluster {
		return errors.New("it can follow another server of its own cluster only")
	}
	return nil
}

func (s *Server) onReplica(ctx context.Context, op string, verb func(context.Context, *Server) error) error {
	return s.control(ctx, op, func(ctx context.Context) error {
		if _, err := s.current(); err != nil {
			return err
		}
		if _, isGroup := s.cluster.peers(); !isGroup && s.following() == nil {
			return ErrNotReplica
		}
		return verb(ctx, s)
	})
}

// close ends the server for good, as fast as it can without leaving anything.
func (s *Server) close(ctx context.Context) error {
	return s.control(ctx, "close", func(ctx context.Context) error {
		p, err := s.current()
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		defer s.port.release()
		defer func() {
			for i := range s.more {
				s.more[i].release()
			}
		}()
		s.drop()
		if err != nil {
			return nil
		}
		if err := p.endTree(ctx); err != nil {
			return err
		}
		s.cluster.system.afterKill(s)
		return nil
	})
}

func notRunningIsFine(err error) error {
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	return err
}
