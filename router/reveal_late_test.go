package router

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// never is a database whose primary never shows what a reader has shown.
type never struct{}

func (never) Shown(context.Context, binds.Ask, binds.Ask) (binds.Mark, error) { return nil, nil }

func (never) Reveals(context.Context, binds.Mark, binds.Ask, binds.Ask) (bool, error) {
	return false, nil
}

// late is a context whose deadline has passed and whose timer has not fired yet.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-1), true }

// A read whose time is over learns that the primary is behind, also where there is nothing left to wait for: it is not served.
func TestReadThatIsOverIsNotServed(t *testing.T) {
	r := &Router{reveals: never{}}
	nothing := func() bool { return false }
	require.Equal(t, errBehind, r.untilRevealed(late{t.Context()}, nil, nil, nil, nothing))
	require.Equal(t, errNotCompared, r.untilRevealed(t.Context(), nil, nil, nil, nothing))
}
