package integration

import "context"

// CutOff takes a member of a Galera cluster off the others' network: it runs and answers its clients, as far as
// it can without them, until [Server.Heal]. Other servers return [ErrNotPossible].
func (s *Server) CutOff(ctx context.Context) error { return s.cut(ctx, "cut off", true) }

// Heal undoes [Server.CutOff] and waits until the member takes part again.
func (s *Server) Heal(ctx context.Context) error { return s.cut(ctx, "heal", false) }

func (s *Server) cut(ctx context.Context, op string, off bool) error {
	return s.control(ctx, op, func(ctx context.Context) error {
		g, ok := s.cluster.system.(*galera)
		if !ok {
			return ErrNotPossible
		}
		if _, err := s.current(); err != nil {
			return err
		}
		if err := g.cut(ctx, s, off); err != nil || off {
			return err
		}
		return awaitSynced(ctx, s)
	})
}
