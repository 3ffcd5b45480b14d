// Package scale measures what many binds and many models cost: to open them, to route between them, and
// to leave them alone.
package scale

import (
	"context"
	"time"

	"github.com/bindery-go/bindery/bench/internal/paired"
	"github.com/bindery-go/bindery/bench/internal/report"
)

// effort is how much a run measures.
type effort struct {
	binds  []int // how many are opened
	opens  int   // how often
	models int   // and binds, at most
	paired paired.Config
	turns  int // that allocations are counted in
	calls  int // of each of them

	settle, window time.Duration // idle binds: before the count, and during it
}

func effortOf(r *report.Run) effort {
	if r.Quick {
		return effort{
			binds: []int{1, 100}, opens: 1, models: 100,
			paired: paired.Config{Rounds: 4, Turn: 3 * time.Millisecond}, turns: 5, calls: 500,
			settle: time.Second, window: 3 * time.Second,
		}
	}
	return effort{
		binds: []int{1, 100, 1000}, opens: 3, models: 1000,
		paired: paired.Config{Rounds: 24, Turn: 10 * time.Millisecond}, turns: 21, calls: 2000,
		settle: 2 * time.Second, window: 12 * time.Second,
	}
}

// Run measures opening, routing and idling.
func Run(ctx context.Context, r *report.Run) (*report.Section, error) {
	e := effortOf(r)
	s := &report.Section{
		Title: "Scale",
		About: []string{
			"What a thousand binds cost to open and to keep, what a thousand models cost to route, and what a bind sends to its servers " +
				"while nobody asks anything of it.",
		},
	}
	for _, part := range []struct {
		name string
		run  func(context.Context, *report.Section, effort) error
	}{{"opening", describeOpening}, {"routing", describeRouting}, {"idling", describeIdling}} {
		r.Printf("scale: %s", part.name)
		if err := part.run(ctx, s, e); err != nil {
			return nil, err
		}
	}
	return s, nil
}
