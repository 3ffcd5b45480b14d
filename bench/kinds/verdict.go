package kinds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A verdict says what a library made of a statement.
type verdict uint8

const (
	right     verdict = iota // it went where it may
	needless                 // any server may run it, and the primary always did
	recovered                // a replica refused it, and the library then ran it on the primary
	failed                   // a replica was given what it refuses: an error for the caller
	silent                   // a replica was given what it runs, where it does not count: nobody notices
	refused                  // the library sent it nowhere
)

// marks are the verdicts in the table.
var marks = map[verdict]string{right: "✓", needless: "w", recovered: "↻", failed: "✗", silent: "✗✗", refused: "–"}

// attempts is how often each statement is run: libraries pick replicas in turn or at random.
const attempts = 4

// A result is what a library made of a statement.
type result struct {
	verdict verdict
	// built says that the library had a builder for it.
	built bool
	// notes are everything that reached a server.
	notes []note
}

// try runs a statement several times and judges the worst of it.
func try(ctx context.Context, l *subject, rec *recorder, s *statement) (result, error) {
	res := result{built: l.builder(s) != nil}
	var seen []attempt
	for range attempts {
		if err := settle(ctx, l, rec); err != nil {
			return res, fmt.Errorf("before %q: %w", s.text, err)
		}
		rec.expect(s.primary != nil && !s.silent)
		err := l.send(ctx, s)
		notes := rec.notes()
		seen = append(seen, attempt{notes, err})
		res.notes = append(res.notes, notes...)
	}
	var err error
	res.verdict, err = judge(s, seen)
	return res, err
}

// errLost reports a statement of which the recorder saw nothing though the library reported success.
var errLost = errors.New("it was reported as done and reached no server")

// attempt is one run of a statement: what reached which server, and what the library returned.
type attempt struct {
	notes []note
	err   error
}

// judge returns the verdict on a statement that was run several times.
func judge(s *statement, seen []attempt) (verdict, error) {
	onReplica, sent := false, false
	worst := right
	for _, a := range seen {
		if len(a.notes) == 0 && a.err == nil {
			return 0, errLost
		}
		for _, n := range a.notes {
			sent = true
			if n.primary {
				continue
			}
			onReplica = true
			if s.primary != nil {
				worst = max(worst, a.misrouted(n))
			}
		}
	}
	switch {
	case !sent:
		return refused, nil
	case s.primary == nil && !onReplica:
		return needless, nil
	}
	return worst, nil
}

// misrouted says how bad it was that a replica got n.
func (a attempt) misrouted(n note) verdict {
	switch {
	case !n.refused:
		return silent
	case a.err == nil && a.notes[len(a.notes)-1].primary:
		return recovered
	}
	return failed
}

// errNoReplica reports a library that reads from the primary alone.
var errNoReplica = errors.New("no plain read reaches a replica")

// settle waits until the library gives replicas plain reads: after a write they may be held back for a
// while, and this is not about that.
func settle(ctx context.Context, l *subject, rec *recorder) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		rec.expect(false)
		_, err := l.db.Get(ctx, 1)
		if slices.ContainsFunc(rec.notes(), func(n note) bool { return !n.primary }) {
			return nil
		}
		if ctx.Err() != nil {
			return errNoReplica
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	}
}
