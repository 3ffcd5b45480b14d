package router

import (
	"bytes"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// place is a position of the tests: a number in one log.
type place int

func (p place) Covers(w binds.Position) bool  { return p >= w.(place) }
func (p place) Exceeds(w binds.Position) bool { return p > w.(place) }
func (p place) String() string                { return strconv.Itoa(int(p)) }

// writerAt and readerAt are what servers say of themselves.
func writerAt(pos int) binds.Probe {
	return binds.Probe{Server: "w", History: "h", Primary: true, Position: place(pos)}
}

func readerAt(pos int) binds.Probe {
	return binds.Probe{Server: "r", History: "h", Position: place(pos)}
}

// sampled returns the samples of a writer that was at 10, 20, 30 … at the moments 1, 2, 3 ….
func sampled(n int) *samples {
	s := new(samples)
	for i := 1; i <= n; i++ {
		_ = s.add(sample{at: time.Duration(i), probe: writerAt(10 * i)})
	}
	return s
}

func TestHorizonIsTheLatestSampleCovered(t *testing.T) {
	for reason, row := range map[string]struct {
		pos  int
		want time.Duration
	}{
		"as far as the writer":         {30, 3},
		"a little behind":              {29, 2},
		"just at an older sample":      {20, 2},
		"behind everything":            {9, 0},
		"further than the last sample": {31, 3},
	} {
		var st standing
		st.learn(readerAt(row.pos), 4, sampled(3))
		assert.NoError(t, st.why, reason)
		assert.Equal(t, row.want, st.horizon, reason)
	}
}

func TestHorizonMovesOn(t *testing.T) {
	s := sampled(1)
	var st standing
	st.learn(readerAt(10), 2, s)
	assert.EqualValues(t, 1, st.horizon)
	_ = s.add(sample{at: 5, probe: writerAt(10)})
	st.learn(readerAt(10), 6, s)
	assert.EqualValues(t, 5, st.horizon, "an idle primary is not lag")
	_ = s.add(sample{at: 7, probe: writerAt(20)})
	st.learn(readerAt(15), 8, s)
	assert.EqualValues(t, 5, st.horizon, "it is behind: the horizon stays")
	assert.EqualValues(t, 1, st.life, "nothing became void")
}

// TestWhatMakesAHorizonVoid has a reader that is as far as the writer, and then something happens.
func TestWhatMakesAHorizonVoid(t *testing.T) {
	for reason, row := range map[string]struct {
		happens func(s *samples) // to the writer
		reader  binds.Probe      // what the reader says then
		proves  bool             // whether it is trusted at once
		why     string
	}{
		"nothing":                                  {nil, readerAt(30), true, ""},
		"the reader restarted and is as far":       {nil, binds.Probe{Server: "r2", History: "h", Position: place(30)}, true, ""},
		"the reader restarted at an older state":   {nil, binds.Probe{Server: "r2", History: "h", Position: place(5)}, true, ""},
		"the reader went back under the same name": {nil, readerAt(5), true, ""},
		"the reader belongs to another history":    {nil, binds.Probe{Server: "r", History: "other", Position: place(30)}, false, "another history (other)"},
		"the reader was promoted":                  {nil, binds.Probe{Server: "r", History: "h", Primary: true, Position: place(30)}, false, "a primary of its own"},
		"the reader lacks a grant":                 {nil, binds.Probe{Server: "r", History: "h", Position: place(30), Doubt: errors.New("grant pg_monitor")}, false, "grant pg_monitor"},
		"the writer cannot prove": {func(s *samples) {
			p := writerAt(30)
			p.Doubt = errors.New("set gtid_strict_mode")
			_ = s.add(sample{at: 4, probe: p})
		}, readerAt(30), false, "set gtid_strict_mode"},
		"the writer moved to another timeline": {func(s *samples) {
			_ = s.add(sample{at: 4, probe: binds.Probe{Server: "w2", History: "h2", Primary: true, Position: place(25)}})
		}, readerAt(30), false, "another history"},
		"the reader holds what the writer never had": {func(s *samples) {
			s.list = []sample{{at: 9, probe: writerAt(12)}}
		}, readerAt(30), false, "diverged"},
	} {
		t.Run(reason, func(t *testing.T) {
			s := sampled(3)
			var st standing
			st.learn(readerAt(30), 4, s)
			require.EqualValues(t, 3, st.horizon)
			life := st.life
			if row.happens != nil {
				row.happens(s)
			}
			st.learn(row.reader, 10, s)
			if row.proves {
				require.NoError(t, st.why)
				assert.Equal(t, s.covered(row.reader.Position), st.horizon)
			} else {
				require.ErrorContains(t, st.why, row.why)
				assert.Zero(t, st.horizon)
			}
			if reason == "nothing" {
				assert.Equal(t, life, st.life)
			} else {
				assert.Greater(t, st.life, life, "whoever relied on it learns that it is void")
			}
		})
	}
}

// A standby that has lost its primary tells the timeline that it last wrote down.
func TestNoServerGoesBackToAHistoryThatItLeft(t *testing.T) {
	on := func(history string, detached bool) binds.Probe {
		return binds.Probe{Server: "r", History: history, Position: place(30), Detached: detached}
	}
	s := sampled(3)
	var st standing
	st.learn(on("h", false), 4, s)
	require.NoError(t, st.why)
	st.learn(on("h", true), 5, s)
	require.NoError(t, st.why, "its primary is gone: that is no other history")
	st.learn(on("h2", false), 6, s)
	require.ErrorContains(t, st.why, "another history (h2)")
	st.learn(on("h", true), 7, s)
	require.ErrorContains(t, st.why, "another history (h2)", "it has only not written down that it left")
	st.learn(on("h3", true), 8, s)
	require.ErrorContains(t, st.why, "another history (h3)", "what is new to us it did not leave")
	st.learn(on("h", true), 9, s)
	require.ErrorContains(t, st.why, "another history (h3)")
	rebuilt := on("h", true)
	rebuilt.Server = "rebuilt"
	st.learn(rebuilt, 10, s)
	require.NoError(t, st.why)
}

func TestDivergedUntilRebuilt(t *testing.T) {
	s := sampled(1)
	var st standing
	st.learn(readerAt(50), 2, s) // ahead of a sample that is older than this answer: it may be
	require.NoError(t, st.why)
	_ = s.add(sample{at: 3, probe: writerAt(20)})
	st.learn(readerAt(50), 4, s)
	require.ErrorIs(t, st.why, errDiverged, "it was ahead before the writer was asked")
	_ = s.add(sample{at: 5, probe: writerAt(60)})
	st.learn(readerAt(50), 6, s)
	require.ErrorIs(t, st.why, errDiverged, "the writer's number has passed it: that proves nothing")
	st.learn(binds.Probe{Server: "rebuilt", History: "h", Position: place(60)}, 7, s)
	require.NoError(t, st.why)
	assert.EqualValues(t, 5, st.horizon)
}

func TestSamplesOfOneHistory(t *testing.T) {
	for reason, row := range map[string]struct {
		next   binds.Probe
		broken string
	}{
		"the same":         {writerAt(30), ""},
		"further":          {writerAt(31), ""},
		"back":             {writerAt(29), "went back"},
		"another server":   {binds.Probe{Server: "w2", History: "h", Primary: true, Position: place(40)}, "restarted"},
		"another timeline": {binds.Probe{Server: "w", History: "h2", Primary: true, Position: place(40)}, "history changed from h to h2"},
	} {
		s := sampled(3)
		err := s.add(sample{at: 9, probe: row.next})
		if row.broken == "" {
			require.NoError(t, err, reason)
			assert.Len(t, s.list, 4, reason)
			assert.Equal(t, 1, s.epoch, reason)
			continue
		}
		require.ErrorContains(t, err, row.broken, reason)
		assert.Len(t, s.list, 1, reason)
		assert.Equal(t, 2, s.epoch, reason)
	}
}

func TestSamplesAreBounded(t *testing.T) {
	s := sampled(3 * keepSamples)
	assert.Len(t, s.list, keepSamples)
	last, ok := s.last()
	require.True(t, ok)
	assert.EqualValues(t, 3*keepSamples, last.at)
	at, ok := s.firstCovering(place(10*2*keepSamples + 5))
	require.True(t, ok)
	assert.EqualValues(t, 2*keepSamples+1, max(at, 2*keepSamples+1))
	_, ok = s.firstCovering(place(10*3*keepSamples + 1))
	assert.False(t, ok)
}

// A reader that trails steadily covers a sample that is hardly older than its lag, however often and for however
// long the writer is asked.
func TestSamplesReachBack(t *testing.T) {
	for _, every := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 250 * time.Millisecond} {
		for _, n := range []int{20_000, 200_000} {
			s, now, lasts := new(samples), time.Duration(0), time.Duration(n)*every
			for i := 1; i <= n; i++ {
				now = time.Duration(i) * every
				_ = s.add(sample{at: now, probe: writerAt(i)})
			}
			assert.LessOrEqual(t, len(s.list), keepSamples)
			assert.LessOrEqual(t, now-s.list[1].at, keepFor, "what is older is forgotten")
			for _, lag := range []time.Duration{20 * time.Millisecond, time.Second, 4 * time.Second, 10 * time.Second} {
				at := s.covered(place(int((now - lag) / every)))
				assert.NotZero(t, at, "every %v for %v: a lag of %v", every, lasts, lag)
				assert.LessOrEqual(t, now-at, lag+lag/3+every, "every %v for %v: a lag of %v", every, lasts, lag)
			}
		}
	}
}

func TestOneLineForEachDoubt(t *testing.T) {
	var log bytes.Buffer
	l := slog.New(slog.NewTextHandler(&log, nil))
	logDoubt(l, "shop/reader-1", errWriterUnknown, errWriterUnknown)
	assert.Empty(t, log.String(), "not yet known is no news")
	logDoubt(l, "shop/reader-1", errWriterUnknown, errDiverged)
	logDoubt(l, "shop/reader-1", errDiverged, errDiverged)
	logDoubt(l, "shop/reader-1", errDiverged, nil)
	logDoubt(l, "shop/reader-1", nil, nil)
	assert.Equal(t, 2, bytes.Count(log.Bytes(), []byte("\n")), log.String())
}

// A sample that proved nothing when it was taken proves nothing afterwards.
func TestDoubtfulSamplesMakeNoHorizon(t *testing.T) {
	doubtful := writerAt(20)
	doubtful.Doubt = errors.New("synchronous_commit is off")
	s := sampled(1)
	for at, probe := range []binds.Probe{doubtful, writerAt(30)} {
		require.NoError(t, s.add(sample{at: time.Duration(at + 2), probe: probe}))
	}
	var st standing
	st.learn(readerAt(25), 4, s)
	assert.EqualValues(t, 1, st.horizon)
}
