package routertest

import (
	"context"
	"errors"
	"time"
)

// SetLatency makes every round trip to the server take d: half of it until the server sees what was
// sent, the rest until the answer is there. Statements, BEGIN, COMMIT, probes and pings are one round
// trip each, and so is dialing.
func (s *Server) SetLatency(d time.Duration) {
	defer s.lock()()
	s.latency = d
}

// FailNext makes the next statement fail with err, which its client gets as it is, before it does
// anything; [ErrAnswerLost] makes it succeed first. If err says that a connection broke, as
// io.ErrUnexpectedEOF and [ErrSessionEnded] do, the connection is broken. Errors given by further calls wait for
// further statements. Statements are what [Server.Statements] shows: not probes.
func (s *Server) FailNext(err error) {
	defer s.lock()()
	s.failNext = append(s.failNext, err)
}

// LoseAnswer makes the next statement succeed and its client not know: it gets io.ErrUnexpectedEOF.
func (s *Server) LoseAnswer() { s.FailNext(ErrAnswerLost) }

// FailStatements asks fail about each statement that reaches the server, and makes those fail for which
// it returns an error, as [Server.FailNext] does. Nil ends it. The function may use the server.
func (s *Server) FailStatements(fail func(query string) error) {
	defer s.lock()()
	s.failEach = fail
}

// FailDials makes new connections to the server fail with err; nil ends it.
func (s *Server) FailDials(err error) {
	defer s.lock()()
	s.failDials = err
}

// Heal ends whatever ails the server: [Server.Down], [Server.Freeze], latency, failures that were
// injected and those still waiting. Lag, pause and doubt stay.
func (s *Server) Heal() {
	defer s.lock()()
	s.down, s.latency = false, 0
	s.failNext, s.failEach, s.failDials = nil, nil, nil
	s.thawLocked()
}

// injected is an error that the client gets as it is.
type injected struct{ error }

// receive waits until the server takes the statement, which may be told to fail.
func (c *conn) receive(ctx context.Context, query string) (lost bool, err error) {
	s := c.server
	if err := c.arrive(ctx); err != nil {
		return false, err
	}
	fail := s.failEach
	if len(s.failNext) > 0 {
		err, s.failNext = s.failNext[0], s.failNext[1:]
	}
	s.cluster.mu.Unlock()
	if err == nil && fail != nil {
		err = fail(query)
	}
	if lost = errors.Is(err, ErrAnswerLost); err != nil && !lost {
		return false, injected{err}
	}
	s.note(query)
	return lost, nil
}
