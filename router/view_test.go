package router

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// published returns the names of the readers that serve, for readers with the given lags: -1 is one
// that is down, -2 one that proves nothing.
func published(t *testing.T, m *monitor, lags ...time.Duration) (fit, up []string) {
	t.Helper()
	today := m.r.now()
	if m.writerErr != nil {
		today = m.contact
	}
	for i, lag := range lags {
		s := &m.states[i]
		s.down, s.why, s.horizon = lag == -1, nil, today-lag
		if lag == -2 {
			s.why, s.horizon = errDiverged, 0
		}
	}
	m.publishLocked()
	v := m.r.view.Load()
	for _, r := range v.fit {
		fit = append(fit, r.Name()[len("shop/reader-"):])
	}
	for _, r := range v.up {
		up = append(up, r.Name()[len("shop/reader-"):])
	}
	return fit, up
}

func TestWhoServes(t *testing.T) {
	const s = time.Second
	for reason, row := range map[string]struct {
		maxLag  time.Duration
		lags    []time.Duration
		fit, up []string
	}{
		"all are fresh, the freshest first":            {10 * s, []time.Duration{2 * s, 0, s}, []string{"2", "3", "1"}, []string{"1", "2", "3"}},
		"one is down":                                  {10 * s, []time.Duration{0, -1}, []string{"1"}, []string{"1"}},
		"one is past half the allowed lag":             {10 * s, []time.Duration{0, 6 * s}, []string{"1"}, []string{"1", "2"}},
		"all are past half: the best stays":            {10 * s, []time.Duration{8 * s, 6 * s}, []string{"2"}, []string{"1", "2"}},
		"all are past the allowed lag":                 {10 * s, []time.Duration{11 * s, 12 * s}, nil, []string{"1", "2"}},
		"one proves nothing":                           {10 * s, []time.Duration{-2, 0}, []string{"2"}, []string{"1", "2"}},
		"any lag is accepted, the unproved comes last": {-1, []time.Duration{-2, 100 * s}, []string{"2", "1"}, []string{"1", "2"}},
		"all are down":                                 {10 * s, []time.Duration{-1, -1}, nil, nil},
	} {
		t.Run(reason, func(t *testing.T) {
			b := newBench(t, "shop", len(row.lags), func(c *Config) { c.Freshness = Freshness{MaxLag: row.maxLag} })
			b.started = b.started.Add(-time.Hour) // so that an hour of lag is possible
			fit, up := published(t, b.monitor, row.lags...)
			assert.Equal(t, row.fit, fit)
			assert.Equal(t, row.up, up)
		})
	}
}

func TestThresholdsHaveAGap(t *testing.T) {
	b := newBench(t, "shop", 2, func(c *Config) { c.Freshness = Freshness{MaxLag: 10 * time.Second} })
	b.started = b.started.Add(-time.Hour)
	serves := func(lag time.Duration) bool {
		fit, _ := published(t, b.monitor, 0, lag)
		return len(fit) == 2
	}
	assert.True(t, serves(4*time.Second))
	assert.False(t, serves(6*time.Second), "past half of max_lag it leaves")
	assert.False(t, serves(4*time.Second), "and does not return at once")
	assert.True(t, serves(2*time.Second), "but below a quarter")
	assert.True(t, serves(4*time.Second))
}

func TestLagStandsStillWithoutAWriter(t *testing.T) {
	b := newBench(t, "shop", 1, func(c *Config) { c.Freshness = Freshness{MaxLag: 10 * time.Second} })
	b.started = b.started.Add(-time.Hour)
	b.monitor.writerErr, b.monitor.contact = errRefused, 10*time.Minute // 50 minutes ago
	fit, _ := published(t, b.monitor, time.Second)
	assert.Equal(t, []string{"1"}, fit, "nothing can have been written since")
}

func TestFreshEnough(t *testing.T) {
	b := newBench(t, "shop", 3, nil)
	v := &view{fit: b.readers, horizons: []time.Duration{30, 20, 0}}
	v.order(b.readers)
	for need, want := range map[time.Duration]int{noNeed: 3, 0: 2, 19: 2, 20: 1, 29: 1, 30: 0, 31: 0} {
		assert.Len(t, v.freshEnough(need), want, "need %d", need)
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { v.freshEnough(25) }))
}
