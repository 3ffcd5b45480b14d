package pgbind

import (
	"context"
	"errors"

	"github.com/uptrace/bun/driver/pgdriver"
)

// isOutdated reports an answer by which the server has refused to run a prepared statement before it has begun, that is, before it
// has bound the parameters. Then it has looked anew at what the statement names, and done nothing. It may be that other columns are
// there than it was prepared for (0A000, "cached plan must not change result type"), that a parameter's type was settled by a
// column that has another one now (42804, 42883, 22P02), or that it is known no more (26000, after DISCARD or DEALLOCATE, or on a
// pooler's other session). If the statement itself is wrong, to prepare it says so.
//
// Other answers before that, such as a lock that was not had, would only come again.
func (s *stmt) isOutdated(err error) bool {
	var answer pgdriver.Error
	if s.c.wire.bound || !errors.As(err, &answer) || answer.Field('V') != severityError || len(answer.Field('C')) != 5 {
		return false
	}
	switch answer.Field('C')[:2] { // the class, manual appendix A
	case "0A", "22", "26", "42":
		return true
	}
	return false
}

// run runs the statement, and once more, prepared anew, if it was outdated: outside a transaction, for the error has broken
// one. There it is prepared anew when it is next used.
func (s *stmt) run(ctx context.Context, once func() error) error {
	if s.outdated && s.c.wire.status != statusFailed {
		if err := s.renew(ctx); err != nil {
			return err
		}
	}
	err := once()
	if err == nil || !s.isOutdated(err) {
		return err
	}
	s.outdated = true
	if s.c.wire.status != statusIdle || !s.c.pg.IsValid() {
		return err
	}
	if renewed := s.renew(ctx); renewed != nil {
		return renewed
	}
	return once()
}

// renew prepares the statement anew, and frees the one before.
func (s *stmt) renew(ctx context.Context) error {
	if err := s.c.begin(ctx); err != nil {
		return err
	}
	fresh, err := s.c.pg.PrepareContext(background, s.c.direct(s.query))
	if err := s.c.finish(ctx, err); err != nil {
		return err
	}
	old := s.pg
	s.take(fresh)
	return s.free(ctx, old)
}
