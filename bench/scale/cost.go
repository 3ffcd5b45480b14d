package scale

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bindery-go/bindery/bench/internal/load"
	"github.com/bindery-go/bindery/bench/internal/report"
)

// describeOpening opens binds of every kind, in all numbers.
func describeOpening(ctx context.Context, s *report.Section, e effort) error {
	t := s.Table("Opening binds lazily, from a file of TOML",
		"what", "binds", "open", "of it the file", "a bind", "close", "heap", "a bind", "stacks", "goroutines", "of them database/sql's", "open files", "connections, files made")
	var costs []cost
	for _, o := range openers {
		for _, n := range e.binds {
			c, err := o.cost(ctx, n, e.opens)
			if err != nil {
				return err
			}
			costs = append(costs, c)
			t.Add(c.row()...)
		}
	}
	s.About = append(s.About, fmt.Sprintf("Opening: medians; the number of times each was opened: %d. The file's share, that of manager.LoadConfig, is measured by itself. "+
		"The servers' addresses are those of a listener that counts who connects; SQLite's files are missing, and counted. Heap and stacks are what is there more than before, after two garbage collections. "+
		"For comparison, what a program would open by hand for the same three servers, with the same drivers and no configuration.", e.opens))
	judgeOpening(s, costs, e)
	return nil
}

// A cost is what it takes to open a number of binds, the median of several times.
type cost struct {
	opener string
	n      int
	opened
}

// cost opens n binds several times.
func (o opener) cost(ctx context.Context, n, times int) (cost, error) {
	all := make([]opened, times)
	for i := range all {
		var err error
		if all[i], err = o.measure(ctx, n); err != nil {
			return cost{}, err
		}
	}
	return cost{o.name, n, opened{
		parse: middle(all, func(o opened) time.Duration { return o.parse }),
		open:  middle(all, func(o opened) time.Duration { return o.open }),
		close: middle(all, func(o opened) time.Duration { return o.close }),
		held: footprint{
			heap:       middle(all, func(o opened) int64 { return o.held.heap }),
			stacks:     middle(all, func(o opened) int64 { return o.held.stacks }),
			goroutines: middle(all, func(o opened) int { return o.held.goroutines }),
			pools:      middle(all, func(o opened) int { return o.held.pools }),
			files:      middle(all, func(o opened) int { return o.held.files }),
		},
		touched: slices.MaxFunc(all, func(a, b opened) int { return a.touched - b.touched }).touched,
	}}, nil
}

// middle returns the median of a quantity.
func middle[T cmp.Ordered](all []opened, of func(opened) T) T {
	values := make([]T, len(all))
	for i, o := range all {
		values[i] = of(o)
	}
	return load.LowerMedian(values)
}

func (c cost) each() time.Duration { return c.open / time.Duration(c.n) }

func (c cost) row() []any {
	file := "-"
	if c.parse > 0 {
		file = report.Duration(c.parse)
	}
	return []any{
		c.opener, c.n, report.Duration(c.open), file, report.Duration(c.each()), report.Duration(c.close),
		report.Bytes(float64(c.held.heap)), report.Bytes(float64(c.held.heap) / float64(c.n)), report.Bytes(float64(c.held.stacks)),
		c.held.goroutines, c.held.pools, c.held.files, c.touched,
	}
}

// judgeOpening states the bars. The last opener is no library's.
func judgeOpening(s *report.Section, costs []cost, e effort) {
	most, few := e.binds[len(e.binds)-1], e.binds[len(e.binds)-2]
	var slowest time.Duration
	var growth float64
	own, touched := 0, 0
	each := map[string]time.Duration{} // with few binds
	for _, c := range costs {
		if c.opener == byHand {
			continue
		}
		own = max(own, c.held.goroutines-c.held.pools)
		touched += c.touched
		switch c.n {
		case few:
			each[c.opener] = c.each()
		case most:
			slowest = max(slowest, c.open)
			growth = max(growth, float64(c.each())/float64(each[c.opener]))
		}
	}
	s.Bar(fmt.Sprintf("Scale: to open %d binds, the slowest kind", most), "at most 1 s", report.Duration(slowest), slowest <= time.Second)
	s.Bar(fmt.Sprintf("Scale: to open a bind, one of %d to one of %d", most, few), "at most 1.5×", report.Ratio(growth, 1), growth <= 1.5)
	s.Bar("Scale: goroutines of unused binds, but for those of database/sql", "0", strconv.Itoa(own), own == 0)
	s.Bar("Scale: connections and files made by unused lazy binds", "0", strconv.Itoa(touched), touched == 0)
}
