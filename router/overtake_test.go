package router

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// hasty is a set of transactions, one a bit, that a replica may show before its primary does, but for those above
// the eighth.
type hasty uint

func (h hasty) Covers(w binds.Position) bool  { return w.(hasty)&^h == 0 }
func (h hasty) Exceeds(w binds.Position) bool { return h&^w.(hasty) != 0 }
func (h hasty) String() string                { return "" }

func (h hasty) Parted(w binds.Position) bool { return h&^w.(hasty)&0xff00 != 0 }

func hastyWriter(at time.Duration, set hasty) sample {
	return sample{at: at, probe: binds.Probe{Server: "w", History: "h", Primary: true, Position: set}}
}

func hastyReader(set hasty) binds.Probe {
	return binds.Probe{Server: "r", History: "h", Position: set}
}

// A look is a question to the writer, and one to the reader after it.
type look struct {
	at             time.Duration
	writer, reader hasty
	horizon        time.Duration // what is known of the reader then
	diverged       bool
}

func TestReaderAheadForAMoment(t *testing.T) {
	const ms = time.Millisecond
	for reason, looks := range map[string][]look{
		"never": {
			{at: 1 * ms, writer: 0b1, reader: 0b1, horizon: 1 * ms},
			{at: 250 * ms, writer: 0b11, reader: 0b11, horizon: 250 * ms},
		},
		"for a moment": {
			{at: 1 * ms, writer: 0b1, reader: 0b1, horizon: 1 * ms},
			{at: 250 * ms, writer: 0b1, reader: 0b11, horizon: 250 * ms},
			{at: 500 * ms, writer: 0b1, reader: 0b11, horizon: 250 * ms}, // it was ahead before the writer was asked: it waits
			{at: 750 * ms, writer: 0b11, reader: 0b11, horizon: 750 * ms},
		},
		"again and again, of other transactions": {
			{at: 1 * ms, writer: 0b1, reader: 0b1, horizon: 1 * ms},
			{at: 1000 * ms, writer: 0b1, reader: 0b11, horizon: 1000 * ms},
			{at: 2000 * ms, writer: 0b1, reader: 0b111, horizon: 1000 * ms},
			{at: 3000 * ms, writer: 0b11, reader: 0b1111, horizon: 1000 * ms},
			{at: 4000 * ms, writer: 0b111, reader: 0b11111, horizon: 1000 * ms},
			{at: 5000 * ms, writer: 0b11111, reader: 0b11111, horizon: 5000 * ms},
		},
		"of what the primary alone numbers, and has lost": {
			{at: 1 * ms, writer: 0x301, reader: 0x301, horizon: 1 * ms},
			{at: 250 * ms, writer: 0x301, reader: 0x701, horizon: 250 * ms},
			{at: 500 * ms, writer: 0x301, reader: 0x701, diverged: true},
			{at: 750 * ms, writer: 0x701, reader: 0x701, diverged: true}, // another one of that number
		},
		"for good": {
			{at: 1 * ms, writer: 0b1, reader: 0b1, horizon: 1 * ms},
			{at: 250 * ms, writer: 0b1, reader: 0b11, horizon: 250 * ms},
			{at: 500 * ms, writer: 0b101, reader: 0b111, horizon: 250 * ms},
			{at: 1499 * ms, writer: 0b101, reader: 0b111, horizon: 250 * ms},
			{at: 1500 * ms, writer: 0b101, reader: 0b111, diverged: true},
			{at: 1750 * ms, writer: 0b1101, reader: 0b1111, diverged: true},
			{at: 2000 * ms, writer: 0b1101, reader: 0b1111, diverged: true},
		},
		"so long that it looked like that, on a writer that was held up": {
			{at: 1 * ms, writer: 0b1, reader: 0b11, horizon: 0},
			{at: 250 * ms, writer: 0b1, reader: 0b11, horizon: 0},
			{at: 1250 * ms, writer: 0b1, reader: 0b11, diverged: true},
			{at: 1500 * ms, writer: 0b1, reader: 0b11, diverged: true},
			{at: 1750 * ms, writer: 0b11, reader: 0b11, horizon: 1750 * ms},
		},
		"from the first look, as one whose writer was replaced": {
			{at: 1 * ms, writer: 0b1, reader: 0b11, horizon: 0},
			{at: 250 * ms, writer: 0b1, reader: 0b11, horizon: 0},
			{at: 500 * ms, writer: 0b101, reader: 0b111, horizon: 0},
			{at: 1250 * ms, writer: 0b101, reader: 0b111, diverged: true},
		},
		"from the first look, as writes go on": {
			{at: 1 * ms, writer: 0b1, reader: 0b11, horizon: 0}, // the reader was asked later: it tells nothing yet
			{at: 250 * ms, writer: 0b11, reader: 0b111, horizon: 250 * ms},
			{at: 500 * ms, writer: 0b111, reader: 0b1111, horizon: 500 * ms},
		},
	} {
		t.Run(reason, func(t *testing.T) {
			var s samples
			var st standing
			for _, l := range looks {
				require.NoError(t, s.add(hastyWriter(l.at, l.writer)))
				for range 3 { // it is asked more often than the writer
					st.learn(hastyReader(l.reader), l.at+ms/2, &s)
					if l.diverged {
						require.ErrorIs(t, st.why, errDiverged, "at %v", l.at)
					} else {
						require.NoError(t, st.why, "at %v", l.at)
					}
					require.Equal(t, l.horizon, st.horizon, "at %v", l.at)
				}
			}
		})
	}
}

// What was found of a reader beside one writer says nothing about it beside the next.
func TestReaderAheadOfTheWriterBefore(t *testing.T) {
	var s samples
	var st standing
	for _, at := range []time.Duration{1, 2, 2 + overtakeGrace} {
		require.NoError(t, s.add(hastyWriter(at, 0b1)))
		st.learn(hastyReader(0b11), at, &s)
	}
	require.ErrorIs(t, st.why, errDiverged)
	next := hastyWriter(3+overtakeGrace, 0b11)
	next.probe.Server = "w2"
	require.Error(t, s.add(next))
	st.learn(hastyReader(0b11), next.at, &s)
	require.NoError(t, st.why)
	assert.Equal(t, next.at, st.horizon)
}

// A reader on the writer's own server is as far as that is, whenever it was asked.
func TestReaderOnTheWriterIsNeverAhead(t *testing.T) {
	var s samples
	var st standing
	require.NoError(t, s.add(hastyWriter(1, 0b1)))
	same := hastyWriter(0, 0b11).probe
	st.learn(same, 2, &s)
	require.NoError(t, st.why)
	assert.EqualValues(t, 1, st.horizon)
}

// What was known of a reader's lead over the writer ends with the writer: what only that could take back must not keep
// a healthy member of a group from serving.
func TestLeadEndsWithTheWriter(t *testing.T) {
	const ms = time.Millisecond
	b := newBench(t, "shop", 1, nil)
	m := newMonitor(b.Router, Freshness{MaxLag: 10 * time.Second}.WithDefaults())
	s := &m.states[0]
	learn := func(at time.Duration, reader hasty) {
		s.learn(hastyReader(reader), at+1, &m.samples)
	}
	hear := func(at time.Duration, set hasty) { m.hearPrimaryLocked(at, hastyWriter(at, set).probe) }
	hear(1*ms, 0b1)
	learn(1*ms, 0b1)
	hear(250*ms, 0b1)
	learn(250*ms, 0b11)
	hear(500*ms, 0b1)
	learn(500*ms, 0b11)
	hear(1600*ms, 0b1)
	learn(1600*ms, 0b11)
	require.ErrorIs(t, s.why, errDiverged)
	assert.Equal(t, 250*ms, s.floor, "it still shows what it showed")

	m.noteWriter(errRefused)
	m.writerErr = errRefused
	learn(1700*ms, 0b11)
	require.NoError(t, s.why)
	m.publishLocked()
	v := b.Router.view.Load()
	require.Len(t, v.fit, 1, "it serves while the writer is away")
	assert.GreaterOrEqual(t, v.horizons[0], 250*ms)
}
